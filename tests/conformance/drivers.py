"""The ways to drive a connection, behind one interface: a test that uses it holds for all of them.

A new way is one more class in `DRIVERS`. Each has an end to its patience of its own: a test fails rather than hang.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeVar

from httpio import POLLIN, POLLOUT
from tests.support.select_loop import WAIT_LIMIT, drive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from httpio import HTTPConnection, HTTPResponse, PollGenerator, PollNeeded

_T = TypeVar("_T")


class Driver(ABC):
    """Sends requests and receives responses over a connection object; a context manager."""

    def __init__(self, conn: HTTPConnection) -> None:
        self.conn = conn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Whoever is still waiting is woken up.
        self.conn.close()

    @abstractmethod
    def send_request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> None: ...

    @abstractmethod
    def read_response(self) -> HTTPResponse: ...

    @abstractmethod
    def read(self, size: int) -> bytes: ...

    @abstractmethod
    def readall(self) -> bytes: ...

    @abstractmethod
    def discard(self) -> None: ...


class Blocking(Driver):
    """The blocking methods."""

    def __init__(self, conn: HTTPConnection) -> None:
        super().__init__(conn)
        conn.timeout = WAIT_LIMIT

    def send_request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.conn.send_request(method, path, headers)

    def read_response(self) -> HTTPResponse:
        return self.conn.read_response()

    def read(self, size: int) -> bytes:
        return self.conn.read(size)

    def readall(self) -> bytes:
        return self.conn.readall()

    def discard(self) -> None:
        self.conn.discard()


class ReadingInto(Blocking):
    """The blocking methods, with content read into memory of our own."""

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.conn.readinto(buffer)])

    def readall(self) -> bytes:
        content = bytearray()
        buffer = bytearray(7)
        while size := self.conn.readinto(buffer):
            content += buffer[:size]
        return bytes(content)


class TwoThreads(Blocking):
    """The blocking methods, sending ones in one thread and receiving ones in another."""

    def __init__(self, conn: HTTPConnection) -> None:
        super().__init__(conn)
        self._sender = ThreadPoolExecutor(1, "sender")
        self._receiver = ThreadPoolExecutor(1, "receiver")

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._sender.shutdown()
        self._receiver.shutdown()

    def _receive(self, receive: Callable[[], _T]) -> _T:
        return self._receiver.submit(receive).result(2 * WAIT_LIMIT)

    def send_request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._sender.submit(self.conn.send_request, method, path, headers).result(2 * WAIT_LIMIT)

    def read_response(self) -> HTTPResponse:
        return self._receive(super().read_response)

    def read(self, size: int) -> bytes:
        return self._receive(lambda: self.conn.read(size))

    def readall(self) -> bytes:
        return self._receive(super().readall)

    def discard(self) -> None:
        self._receive(super().discard)


class Coroutines(Driver):
    """The coroutines; how each is run is up to the classes below."""

    def __init__(self, conn: HTTPConnection) -> None:
        super().__init__(conn)
        # Nothing is to depend on it.
        conn.timeout = 0

    @abstractmethod
    def _run(self, coroutine: PollGenerator[_T]) -> _T: ...

    def send_request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._run(self.conn.co_send_request(method, path, headers))

    def read_response(self) -> HTTPResponse:
        return self._run(self.conn.co_read_response())

    def read(self, size: int) -> bytes:
        return self._run(self.conn.co_read(size))

    def readall(self) -> bytes:
        return self._run(self.conn.co_readall())

    def discard(self) -> None:
        self._run(self.conn.co_discard())


class SelectLoop(Coroutines):
    """Coroutines in a loop written by hand."""

    def _run(self, coroutine: PollGenerator[_T]) -> _T:
        return drive(coroutine)


class NextAndPoll(Coroutines):
    """Coroutines resumed by `next`, after a wait by `PollNeeded.poll` and a needless second time."""

    def _run(self, coroutine: PollGenerator[_T]) -> _T:
        try:
            while True:
                next(coroutine)
                assert next(coroutine).poll(WAIT_LIMIT), "waits in vain"
        except StopIteration as end:
            result: _T = end.value
            return result


class Asyncio(Coroutines):
    """Coroutines in an asyncio event loop."""

    def __init__(self, conn: HTTPConnection) -> None:
        super().__init__(conn)
        self._runner = asyncio.Runner(loop_factory=self._new_loop)

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._runner.close()

    def _run(self, coroutine: PollGenerator[_T]) -> _T:
        return self._runner.run(asyncio.wait_for(_resume_when_ready(coroutine), WAIT_LIMIT))


async def _resume_when_ready(coroutine: PollGenerator[_T]) -> _T:
    try:
        while True:
            await _ready(next(coroutine))
    except StopIteration as end:
        result: _T = end.value
        return result


async def _ready(needed: PollNeeded) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    if needed.mask & POLLIN:
        loop.add_reader(needed.fd, wake)
    if needed.mask & POLLOUT:
        loop.add_writer(needed.fd, wake)
    try:
        await ready
    finally:
        loop.remove_reader(needed.fd)
        loop.remove_writer(needed.fd)


DRIVERS: dict[str, Callable[[HTTPConnection], Driver]] = {
    "blocking": Blocking,
    "readinto": ReadingInto,
    "two-threads": TwoThreads,
    "select-loop": SelectLoop,
    "next-and-poll": NextAndPoll,
    "asyncio": Asyncio,
}
