"""trio as a `Kit`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from httpio_trio import HTTPConnection

from .aio import address_info
from .kits import Cancelled, Event, Job, Jobs, Kit, Watched

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from .kits import Names

_T = TypeVar("_T")


class Resolver(trio.abc.HostnameResolver):
    """Knows some names, and counts how often it was asked."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.asked: list[object] = []

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        self.asked.append(host)
        await trio.lowlevel.checkpoint()
        return address_info(self.names[host.decode()])

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


class _Event(Event):
    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


class _Jobs(Jobs):
    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> Job[_T]:
        watched = Watched(call())
        scope = trio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    try:
                        job.results.append(await watched)
                    except BaseException as exc:
                        job.error = exc
                        if not isinstance(exc, Exception):
                            raise
            finally:
                job.done.set()

        job = Job(watched, scope.cancel, _Event())
        self._nursery.start_soon(run)
        return job


class _WhenScheduled(trio.abc.Instrument):
    """Calls back when *task* is about to run again after its suspension *number*."""

    def __init__(
        self, task: trio.lowlevel.Task, number: int, watched: Watched[Any], then: Callable[[], None]
    ) -> None:
        self._task = task
        self._number = number
        self._watched = watched
        self._then = then

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if task is self._task and self._watched.count == self._number:
            self._then()


class TrioKit(Kit):
    """trio."""

    name = "trio"
    # In "scheduled", what it waits for is there, but the task has not run.
    ways = ("at once", "scheduled")
    cancellation = trio.Cancelled

    def run(self, main: Callable[[], Awaitable[_T]], names: Names | None = None) -> _T:
        async def watched_main() -> _T:
            if names is not None:
                trio.socket.set_custom_hostname_resolver(Resolver(names))
            before = trio.lowlevel.current_statistics().tasks_living
            result = await main()
            self.check_unwatched()
            assert trio.lowlevel.current_statistics().tasks_living == before
            return result

        return trio.run(watched_main)

    def connection(
        self,
        hostname: str = "localhost",
        port: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
        *,
        unix_socket: str | None = None,
    ) -> HTTPConnection:
        return HTTPConnection(hostname, port, ssl_context, proxy, unix_socket=unix_socket)

    def event(self) -> Event:
        return _Event()

    @asynccontextmanager
    async def jobs(self) -> AsyncGenerator[Jobs]:
        async with trio.open_nursery() as nursery:
            yield _Jobs(nursery)

    async def turn(self) -> None:
        await trio.lowlevel.checkpoint()

    async def cancel_at(
        self, number: int, way: str, call: Callable[[], Coroutine[Any, Any, object]]
    ) -> Cancelled:
        was_reached = False
        task = trio.lowlevel.current_task()

        def each(count: int) -> None:
            nonlocal was_reached
            if count == number:
                was_reached = True
                if way == "at once":
                    scope.cancel()

        watched = Watched(call(), each)
        with trio.CancelScope() as scope:
            if way == "scheduled":
                instrument = _WhenScheduled(task, number, watched, scope.cancel)
                trio.lowlevel.add_instrument(instrument)
                try:
                    await watched
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            else:
                await watched
        return Cancelled(was_reached, scope.cancelled_caught)

    def watched(self) -> int:
        statistics = trio.lowlevel.current_statistics().io_statistics
        assert statistics.backend == "epoll"
        waiting = statistics.tasks_waiting_read + statistics.tasks_waiting_write
        # One of them is trio's own, unless it is just being woken.
        return max(waiting - 1, 0)


KITS = {"trio": TrioKit()}
