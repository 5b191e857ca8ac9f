"""asyncio and uvloop as a `Kit`."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from httpio_aio import HTTPConnection
from httpio_aio._poller import poller_of

from .kits import Cancelled, Event, Job, Jobs, Kit, Watched

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence

    from .kits import Names

    AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

_T = TypeVar("_T")

READY_LIMIT = 0.02
"""Seconds that what a task waits for may take to become ready, before the task is cancelled all the same."""


def address_info(addresses: Sequence[tuple[str, int]]) -> list[AddressInfo]:
    """Return what `socket.getaddrinfo` would."""
    return [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
            "",
            (host, port, 0, 0) if ":" in host else (host, port),
        )
        for host, port in addresses
    ]


class _Names:
    """Adds names to a loop's resolver."""

    names: Names

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if host in self.names:
            # A real one takes turns of the loop as well.
            await asyncio.sleep(0)
            return address_info(self.names[host])
        return await super().getaddrinfo(host, port, **options)  # type: ignore[misc]


class Loop(_Names, asyncio.SelectorEventLoop):
    """asyncio's own loop."""


class Uvloop(_Names, uvloop.Loop):  # type: ignore[misc]  # its annotations differ
    """uvloop."""


class BlindLoop(_Names, asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors for others, such as the proactor of Windows."""

    def add_reader(self, *args: object) -> Any:
        raise NotImplementedError

    def add_writer(self, *args: object) -> Any:
        raise NotImplementedError

    def remove_reader(self, *args: object) -> Any:
        raise NotImplementedError

    def remove_writer(self, *args: object) -> Any:
        raise NotImplementedError


class _Event(Event):
    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


class _Jobs(Jobs):
    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks

    def start(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> Job[_T]:
        watched = Watched(call())
        task: asyncio.Task[None]

        async def run() -> None:
            try:
                job.results.append(await watched)
            except BaseException as exc:
                job.error = exc
                if not isinstance(exc, Exception):
                    raise
            finally:
                job.done.set()

        job = Job(watched, lambda: _cancel(task), _Event())
        task = self._tasks.create_task(run())
        return job


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


class AsyncioKit(Kit):
    """asyncio with one kind of loop."""

    cancellation = asyncio.CancelledError

    def __init__(self, name: str, loop: type[Loop | Uvloop | BlindLoop]) -> None:
        self.name = name
        self._loop = loop
        # In "ready", what it waits for is there and reported, but the task has not run.
        self.ways = ("at once", "soon", "ready") if loop is Loop else ("at once",)

    def run(self, main: Callable[[], Awaitable[_T]], names: Names | None = None) -> _T:
        def make() -> asyncio.AbstractEventLoop:
            loop = self._loop()
            loop.names = names or {}
            return loop

        async def watched_main() -> _T:
            result = await main()
            self.check_unwatched()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(watched_main())

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
        async with asyncio.TaskGroup() as tasks:
            yield _Jobs(tasks)

    async def turn(self) -> None:
        await asyncio.sleep(0)

    async def cancel_at(
        self, number: int, way: str, call: Callable[[], Coroutine[Any, Any, object]]
    ) -> Cancelled:
        loop = asyncio.get_running_loop()
        was_reached = was_accepted = was_waiting = False

        def each(count: int) -> None:
            nonlocal was_reached
            if count != number:
                return
            was_reached = True
            if way == "at once":
                cancel()
            elif way == "soon":
                loop.call_soon(cancel)
            else:
                loop.call_soon(when_ready)

        def when_ready() -> None:
            assert isinstance(loop, Loop)
            loop._selector.select(READY_LIMIT)  # type: ignore[attr-defined]
            # It comes before what the loop will find ready now.
            loop.call_soon(cancel)

        def cancel() -> None:
            nonlocal was_accepted, was_waiting
            was_waiting = watched.trap is not None
            # It may have ended.
            was_accepted = task.cancel()

        watched = Watched(call(), each)

        async def run() -> None:
            await watched

        task = loop.create_task(run())
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        assert task.cancelled() == was_accepted, "a cancellation was lost"
        return Cancelled(was_reached, task.cancelled(), was_waiting)

    def watched(self) -> int:
        loop = asyncio.get_running_loop()
        watched = {
            descriptor.fd
            for descriptor in poller_of(loop)._descriptors.values()
            if descriptor._is_reading or descriptor._is_writing or descriptor._waiters
        }
        if isinstance(loop, asyncio.SelectorEventLoop):
            keys = loop._selector.get_map().values()  # type: ignore[attr-defined]
            watched |= {key.fd for key in keys} - {loop._ssock.fileno()}  # type: ignore[attr-defined]
        return len(watched)


KITS = {
    kit.name: kit
    for kit in (
        AsyncioKit("asyncio", Loop),
        AsyncioKit("uvloop", Uvloop),
        AsyncioKit("thread", BlindLoop),
    )
}
