"""The ways to drive a connection, behind one interface: a test that uses it holds for all of them.

A new way is one more class in `DRIVERS`. Each has an end to its patience of its own: a test fails rather than hang.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar

import trio

import httpio_aio
import httpio_trio
from httpio import HTTPConnection
from tests.support.select_loop import WAIT_LIMIT, drive

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
    from typing import Required, TypedDict, Unpack

    from _typeshed import ReadableBuffer, WriteableBuffer
    from outcome import Outcome
    from trio import MemoryReceiveChannel

    from httpio import BodyFollowing, HTTPResponse, Pipeline, PollGenerator, Request
    from httpio._async_pipeline import AsyncPipeline
    from httpio._front_end import FrontEnd
    from httpio._request import RequestHeaders, SupportsRead
    from httpio._resolver import Resolver

    class Target(TypedDict, total=False):
        """What to connect to, and how: the parameters that all connection objects have."""

        hostname: Required[str]
        port: int | None
        ssl_context: ssl.SSLContext | None
        proxy: tuple[str, int] | None
        proxy_auth: tuple[str, str] | None
        unix_socket: str | None
        source_address: tuple[str, int] | None
        resolver: Resolver | None

    class PipelineOptions(TypedDict, total=False):
        """The parameters of a pipeline."""

        depth: int
        retries: int
        backoff: float
        retry_partial: bool
        retry_after: float | None

    class RangeOptions(TypedDict, total=False):
        """The parameters of a call that reads ranges."""

        etag: str | None
        gap: int
        depth: int
        retries: int
        backoff: float

    Pair: TypeAlias = tuple[HTTPResponse, bytes]
    Operation: TypeAlias = Callable[[], Coroutine[object, object, None]]
    HostStep: TypeAlias = Callable[[], object]

_T = TypeVar("_T")
_F = TypeVar("_F", bound="FrontEnd")


class Responses(ABC):
    """A pipeline, and the ways to have what comes of it."""

    def __init__(self, pipeline: Pipeline | AsyncPipeline) -> None:
        self._pipeline = pipeline

    @property
    def answered(self) -> int:
        """Number of requests that have a complete response."""
        return self._pipeline.answered

    def close(self) -> None:
        """Send no more requests."""
        self._pipeline.close()

    def give_up(self) -> Request | None:
        """Give up the request whose response comes next."""
        return self._pipeline.give_up()

    @abstractmethod
    def next_head(self) -> HTTPResponse | None:
        """Iterate by one response, whose content is to be read from the connection."""

    @abstractmethod
    def next_pair(self) -> Pair | None:
        """Iterate by one pair of response and content."""

    @abstractmethod
    def next_batch(self) -> list[Pair]:
        """Return what has come, ``[]`` at the end."""


class Driver(ABC):
    """Sends requests and receives responses over a connection object; a context manager.

    `conn` is that object, of httpio itself or of a front end: for what neither waits nor blocks.
    """

    conn: HTTPConnection | FrontEnd

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None:
        """Close the connection, and whatever drives it. May be called again."""

    @abstractmethod
    def connect(self) -> None: ...

    # Sending

    @abstractmethod
    def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> None: ...

    @abstractmethod
    def write(self, data: ReadableBuffer, partial: bool = False) -> int: ...

    @abstractmethod
    def finish_body(self, trailers: RequestHeaders | None = None) -> None: ...

    @abstractmethod
    def sendfile(self, file: SupportsRead) -> int: ...

    # Receiving

    @abstractmethod
    def read_response(self) -> HTTPResponse: ...

    @abstractmethod
    def read(self, size: int) -> bytes: ...

    @abstractmethod
    def readall(self) -> bytes: ...

    @abstractmethod
    def readinto(self, buffer: WriteableBuffer) -> int: ...

    @abstractmethod
    def discard(self) -> None: ...

    @abstractmethod
    def read_raw(self, size: int) -> bytes: ...

    # Both

    @abstractmethod
    def pipeline(
        self, requests: Iterable[Request], **options: Unpack[PipelineOptions]
    ) -> Responses: ...

    @abstractmethod
    def read_ranges(
        self, path: str, ranges: Iterable[tuple[int, int]], **options: Unpack[RangeOptions]
    ) -> list[bytes]: ...

    @abstractmethod
    def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        **options: Unpack[RangeOptions],
    ) -> None: ...


# Blocking


class BlockingResponses(Responses):
    """The blocking methods of a pipeline."""

    def __init__(self, driver: Blocking, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._driver = driver
        self._core = pipeline

    def next_head(self) -> HTTPResponse | None:
        return self._driver.receive(lambda: next(self._core, None))

    def next_pair(self) -> Pair | None:
        # Each time anew: after an exception an iterator is at its end, and the pipeline is not.
        return self._driver.receive(lambda: next(self._core.with_bodies(), None))

    def next_batch(self) -> list[Pair]:
        return self._driver.receive(self._core.next_batch)


class Blocking(Driver):
    """The blocking methods."""

    def __init__(self, target: Target) -> None:
        self.conn = self._core = HTTPConnection(**target)
        self._core.timeout = WAIT_LIMIT

    def __exit__(self, *exc_info: object) -> None:
        # Whoever is still waiting is woken up.
        self._core.close()

    def send(self, call: Callable[[], _T]) -> _T:
        """Call what sends."""
        return call()

    def receive(self, call: Callable[[], _T]) -> _T:
        """Call what receives."""
        return call()

    def connect(self) -> None:
        self.send(self._core.connect)

    def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> None:
        self.send(lambda: self._core.send_request(method, path, headers, body, expect100))

    def write(self, data: ReadableBuffer, partial: bool = False) -> int:
        return self.send(lambda: self._core.write(data, partial))

    def finish_body(self, trailers: RequestHeaders | None = None) -> None:
        self.send(lambda: self._core.finish_body(trailers))

    def sendfile(self, file: SupportsRead) -> int:
        return self.send(lambda: self._core.sendfile(file))

    def read_response(self) -> HTTPResponse:
        return self.receive(self._core.read_response)

    def read(self, size: int) -> bytes:
        return self.receive(lambda: self._core.read(size))

    def readall(self) -> bytes:
        return self.receive(self._core.readall)

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self.receive(lambda: self._core.readinto(buffer))

    def discard(self) -> None:
        self.receive(self._core.discard)

    def read_raw(self, size: int) -> bytes:
        return self.receive(lambda: self._core.read_raw(size))

    def pipeline(
        self, requests: Iterable[Request], **options: Unpack[PipelineOptions]
    ) -> Responses:
        return BlockingResponses(self, self._core.pipeline(requests, **options))

    def read_ranges(
        self, path: str, ranges: Iterable[tuple[int, int]], **options: Unpack[RangeOptions]
    ) -> list[bytes]:
        return self.receive(lambda: self._core.read_ranges(path, ranges, **options))

    def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        **options: Unpack[RangeOptions],
    ) -> None:
        self.receive(lambda: self._core.readinto_ranges(path, ranges, buffers, **options))


class ReadingInto(Blocking):
    """The blocking methods, with content read into memory of our own."""

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def readall(self) -> bytes:
        content = bytearray()
        # Few bytes at first, and then so many that large content does not take long.
        buffer = bytearray(7)
        while size := self.readinto(buffer):
            content += buffer[:size]
            if len(content) > 10_000:
                buffer = bytearray(30_011)
        return bytes(content)


class TwoThreads(Blocking):
    """The blocking methods, sending ones in one thread and receiving ones in another."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._sender = ThreadPoolExecutor(1, "sender")
        self._receiver = ThreadPoolExecutor(1, "receiver")

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._sender.shutdown()
        self._receiver.shutdown()

    def send(self, call: Callable[[], _T]) -> _T:
        return self._sender.submit(call).result(2 * WAIT_LIMIT)

    def receive(self, call: Callable[[], _T]) -> _T:
        return self._receiver.submit(call).result(2 * WAIT_LIMIT)


# Coroutines


class CoroutineResponses(Responses):
    """The coroutines of a pipeline."""

    def __init__(self, driver: Coroutines, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._driver = driver
        self._core = pipeline

    def next_head(self) -> HTTPResponse | None:
        return self._driver.run(self._core.co_next_response())

    def next_pair(self) -> Pair | None:
        # There is no coroutine for one pair; this is what the front ends make of it.
        pairs = self._core.pairs
        if not pairs:
            pairs.extend(self.next_batch())
        return pairs.popleft() if pairs else None

    def next_batch(self) -> list[Pair]:
        return self._driver.run(self._core.co_next_batch())


class Coroutines(Driver):
    """The coroutines; how each is run is up to the classes below."""

    def __init__(self, target: Target) -> None:
        self.conn = self._core = HTTPConnection(**target)
        # Nothing is to depend on it.
        self._core.timeout = 0

    def __exit__(self, *exc_info: object) -> None:
        self._core.close()

    @abstractmethod
    def run(self, coroutine: PollGenerator[_T]) -> _T:
        """Return the result of *coroutine*."""

    def connect(self) -> None:
        self.run(self._core.co_connect())

    def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> None:
        self.run(self._core.co_send_request(method, path, headers, body, expect100))

    def write(self, data: ReadableBuffer, partial: bool = False) -> int:
        return self.run(self._core.co_write(data, partial))

    def finish_body(self, trailers: RequestHeaders | None = None) -> None:
        self.run(self._core.co_finish_body(trailers))

    def sendfile(self, file: SupportsRead) -> int:
        return self.run(self._core.co_sendfile(file))

    def read_response(self) -> HTTPResponse:
        return self.run(self._core.co_read_response())

    def read(self, size: int) -> bytes:
        return self.run(self._core.co_read(size))

    def readall(self) -> bytes:
        return self.run(self._core.co_readall())

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self.run(self._core.co_readinto(buffer))

    def discard(self) -> None:
        self.run(self._core.co_discard())

    def read_raw(self, size: int) -> bytes:
        return self.run(self._core.co_read_raw(size))

    def pipeline(
        self, requests: Iterable[Request], **options: Unpack[PipelineOptions]
    ) -> Responses:
        return CoroutineResponses(self, self._core.pipeline(requests, **options))

    def read_ranges(
        self, path: str, ranges: Iterable[tuple[int, int]], **options: Unpack[RangeOptions]
    ) -> list[bytes]:
        return self.run(self._core.co_read_ranges(path, ranges, **options))

    def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        **options: Unpack[RangeOptions],
    ) -> None:
        self.run(self._core.co_readinto_ranges(path, ranges, buffers, **options))


class SelectLoop(Coroutines):
    """Coroutines in a loop written by hand."""

    def run(self, coroutine: PollGenerator[_T]) -> _T:
        return drive(coroutine)


class NextAndPoll(Coroutines):
    """Coroutines resumed by `next`, after a wait by `PollNeeded.poll` and a needless second time."""

    def run(self, coroutine: PollGenerator[_T]) -> _T:
        try:
            while True:
                next(coroutine)
                assert next(coroutine).poll(WAIT_LIMIT), "waits in vain"
        except StopIteration as end:
            result: _T = end.value
            return result


# Front ends


class AsyncResponses(Responses):
    """A pipeline of a front end."""

    def __init__(self, driver: Framework[_F], pipeline: AsyncPipeline) -> None:
        super().__init__(pipeline)
        self._run = driver.run
        self._async = pipeline

    def close(self) -> None:
        self._run(self._async.aclose())

    def next_head(self) -> HTTPResponse | None:
        return self._run(_next(self._async))

    def next_pair(self) -> Pair | None:
        return self._run(_next(self._async.with_bodies()))

    def next_batch(self) -> list[Pair]:
        return self._run(self._async.next_batch())


async def _next(iterator: AsyncIterator[_T]) -> _T | None:
    return await anext(iterator, None)


class Framework(Driver, Generic[_F]):
    """A front end; how its coroutines are run is up to the classes below."""

    def __init__(self, front: _F) -> None:
        self.conn = self._front = front
        self._is_over = False

    def __exit__(self, *exc_info: object) -> None:
        if self._is_over:
            return
        self._is_over = True
        try:
            self.run(self._front.aclose())
        finally:
            self._leave()

    @abstractmethod
    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        """Return the result of *coroutine*."""

    @abstractmethod
    def _leave(self) -> None:
        """End the event loop."""

    def connect(self) -> None:
        self.run(self._front.connect())

    def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> None:
        self.run(self._front.send_request(method, path, headers, body, expect100))

    def write(self, data: ReadableBuffer, partial: bool = False) -> int:
        return self.run(self._front.write(data, partial))

    def finish_body(self, trailers: RequestHeaders | None = None) -> None:
        self.run(self._front.finish_body(trailers))

    def sendfile(self, file: SupportsRead) -> int:
        return self.run(self._front.sendfile(file))

    def read_response(self) -> HTTPResponse:
        return self.run(self._front.read_response())

    def read(self, size: int) -> bytes:
        return self.run(self._front.read(size))

    def readall(self) -> bytes:
        return self.run(self._front.readall())

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self.run(self._front.readinto(buffer))

    def discard(self) -> None:
        self.run(self._front.discard())

    def read_raw(self, size: int) -> bytes:
        return self.run(self._front.read_raw(size))

    def pipeline(
        self, requests: Iterable[Request], **options: Unpack[PipelineOptions]
    ) -> Responses:
        return AsyncResponses(self, self._front.pipeline(requests, **options))

    def read_ranges(
        self, path: str, ranges: Iterable[tuple[int, int]], **options: Unpack[RangeOptions]
    ) -> list[bytes]:
        return self.run(self._front.read_ranges(path, ranges, **options))

    def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        **options: Unpack[RangeOptions],
    ) -> None:
        self.run(self._front.readinto_ranges(path, ranges, buffers, **options))


class Asyncio(Framework[httpio_aio.HTTPConnection]):
    """`httpio_aio` in asyncio's own event loop."""

    def __init__(self, target: Target) -> None:
        super().__init__(httpio_aio.HTTPConnection(**target))
        self._runner = asyncio.Runner(loop_factory=self._loop_factory())

    def _loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        return asyncio.new_event_loop

    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        return self._runner.run(_within_limit(coroutine))

    def _leave(self) -> None:
        self._runner.close()


async def _within_limit(coroutine: Coroutine[object, object, _T]) -> _T:
    async with asyncio.timeout(WAIT_LIMIT):
        return await coroutine


class Uvloop(Asyncio):
    """`httpio_aio` in the event loop of uvloop."""

    def _loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        import uvloop  # there is none for Windows

        return uvloop.new_event_loop


class Trio(Framework[httpio_trio.HTTPConnection]):
    """`httpio_trio` in a run of trio that is the guest of a queue, which is emptied while something is to be done.

    As in any other host, trio waits for descriptors in a thread there, and its tasks are run in ours.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(httpio_trio.HTTPConnection(**target))
        self._host: SimpleQueue[HostStep] = SimpleQueue()
        #: What trio ended with.
        self._end: list[Outcome[None]] = []
        channel: trio.open_memory_channel[Operation] = trio.open_memory_channel(1)
        self._operations, operations = channel
        trio.lowlevel.start_guest_run(
            self._perform,
            operations,
            run_sync_soon_threadsafe=self._host.put,
            done_callback=self._end.append,
        )
        self._token = trio.lowlevel.current_trio_token()

    async def _perform(self, operations: MemoryReceiveChannel[Operation]) -> None:
        """Perform *operations* in trio, until there will be no more."""
        async for operation in operations:
            await operation()

    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        result: Future[_T] = Future()

        async def operate() -> None:
            try:
                with trio.fail_after(WAIT_LIMIT):
                    result.set_result(await coroutine)
            except Exception as exc:  # noqa: BLE001 - whoever asked for it gets it
                result.set_exception(exc)

        self._token.run_sync_soon(self._operations.send_nowait, operate)
        self._be_host_until(result.done)
        return result.result()

    def _be_host_until(self, done: Callable[[], bool]) -> None:
        """Do what trio asks its host for."""
        while not (done() or self._end):
            self._host.get(timeout=2 * WAIT_LIMIT)()
        if self._end:
            self._end[0].unwrap()

    def _leave(self) -> None:
        self._token.run_sync_soon(self._operations.close)
        self._be_host_until(lambda: False)


DRIVERS: dict[str, Callable[[Target], Driver]] = {
    "blocking": Blocking,
    "readinto": ReadingInto,
    "two-threads": TwoThreads,
    "select-loop": SelectLoop,
    "next-and-poll": NextAndPoll,
    "asyncio": Asyncio,
    "uvloop": Uvloop,
    "trio": Trio,
}
