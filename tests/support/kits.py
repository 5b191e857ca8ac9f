"""The front ends behind one face, so that one test can be run under each framework.

A `Kit` stands for a framework. Nothing waits for a time: `Kit.until` gives others their turns
until something is so.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from httpio._transport import before_close
from tests.support.coroutines import open_descriptors

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
    from contextlib import AbstractAsyncContextManager

    from httpio._front_end import FrontEnd
    from tests.support.server_end import Server

_T = TypeVar("_T")

Names = dict[str, list[tuple[str, int]]]
"""Addresses that a host name is given by the framework's resolver."""

ENDING_LIMIT = 10.0
"""Seconds after which a thread is taken not to be about to end."""

FRAMEWORK_THREADS = ("asyncio_", "Trio thread", "ThreadPoolExecutor")
"""How the names of threads begin that a framework keeps for later."""


class Watched(Generic[_T]):
    """Awaits a coroutine, and tells of each of its suspensions by their number, from 1."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, _T], each: Callable[[int], None] | None = None
    ) -> None:
        self._coroutine = coroutine
        self._each = each
        self.count = 0
        self.is_suspended = False
        self.trap: object = None
        """What it told the framework at its last suspension."""

    def __await__(self) -> Generator[Any, Any, _T]:
        answer: object = None
        error: BaseException | None = None
        while True:
            try:
                if error is None:
                    trap = self._coroutine.send(answer)
                else:
                    trap = self._coroutine.throw(error)
            except StopIteration as exc:
                result: _T = exc.value
                return result
            error = None
            self.trap = trap
            self.count += 1
            self.is_suspended = True
            if self._each is not None:
                self._each(self.count)
            try:
                answer = yield trap
            except BaseException as exc:  # noqa: BLE001 - it is the coroutine's
                error = exc
            finally:
                self.is_suspended = False


@dataclass
class Job(Generic[_T]):
    """A call that runs in a task of its own."""

    watched: Watched[_T]
    cancel: Callable[[], None]
    """Cancels it."""
    done: Event
    results: list[_T] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def is_waiting(self) -> bool:
        """It has begun and is suspended."""
        return self.watched.is_suspended

    @property
    def is_over(self) -> bool:
        """It has a result, or has failed."""
        return bool(self.results) or self.error is not None

    async def result(self) -> _T:
        """Return its result, or raise what it raised."""
        await self.done.wait()
        if self.error is not None:
            raise self.error
        return self.results[0]

    async def failure(self) -> BaseException:
        """Return what it raised."""
        await self.done.wait()
        assert self.error is not None, f"it returned {self.results!r}"
        return self.error


class Event(ABC):
    """An event of the framework."""

    @abstractmethod
    def set(self) -> None: ...
    @abstractmethod
    async def wait(self) -> None: ...


class Jobs(ABC):
    """Starts calls in tasks of their own."""

    @abstractmethod
    def start(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> Job[_T]:
        """Run *call* in a task."""


@dataclass(frozen=True)
class Cancelled:
    """What became of a call that was to be cancelled."""

    was_reached: bool
    """It came to that suspension."""
    was_cancelled: bool
    """It was ended by the cancellation."""
    was_waiting: bool = True
    """It was waiting for something then, and did not just give others a turn."""


class Kit(ABC):
    """A framework. *names* are known to its resolver."""

    name: str
    ways: tuple[str, ...]
    """How `cancel_at` cancels."""
    cancellation: type[BaseException]

    @abstractmethod
    def run(self, main: Callable[[], Awaitable[_T]], names: Names | None = None) -> _T:
        """Run *main* in a new event loop; in the end there must be nothing left in it."""

    @abstractmethod
    def connection(
        self,
        hostname: str = "localhost",
        port: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
        *,
        unix_socket: str | None = None,
    ) -> FrontEnd:
        """Return a connection object."""

    def connection_to(self, server: Server) -> FrontEnd:
        """Return a connection object for *server*."""
        return self.connection(
            server.host, server.port or None, server.client_context(), unix_socket=server.path
        )

    @abstractmethod
    def event(self) -> Event: ...

    @abstractmethod
    def jobs(self) -> AbstractAsyncContextManager[Jobs]:
        """Start calls in the block, which waits for those that are not cancelled."""

    @abstractmethod
    async def turn(self) -> None:
        """Let others have a turn."""

    @abstractmethod
    async def cancel_at(
        self, number: int, way: str, call: Callable[[], Coroutine[Any, Any, object]]
    ) -> Cancelled:
        """Run *call*, and cancel it at its suspension *number*."""

    @abstractmethod
    def watched(self) -> int:
        """Return how many descriptors the event loop watches, its own left out, as far as it tells."""

    async def until(self, happened: Callable[[], object]) -> None:
        """Let others go on until *happened*."""
        while not happened():
            await self.turn()

    def check_unwatched(self) -> None:
        """Check that nothing is registered with the event loop."""
        assert not self.watched()


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that neither a descriptor nor a thread stays behind, but for threads of the framework."""
    threads = set(threading.enumerate())
    before = open_descriptors()
    yield
    stale = dict(before_close)
    before_close.clear()
    for thread in set(threading.enumerate()) - threads:
        if not thread.name.startswith(FRAMEWORK_THREADS):
            # It may be about to end.
            thread.join(ENDING_LIMIT)
            assert not thread.is_alive(), thread
    give_up = time.monotonic() + ENDING_LIMIT
    # Servers that run in other threads close their ends soon.
    while (after := open_descriptors()) != before:
        assert time.monotonic() < give_up, f"left open: {sorted(after - before)}"
        time.sleep(0.005)
    assert not stale
