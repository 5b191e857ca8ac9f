"""Pools of connections behind one face, so that one test can be run under each framework.

A `Framework` is a `Kit` with a pool, and with servers that do their work in the same event loop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from trio._core import _run

import httpio_aio
import httpio_trio

from . import aio, trios
from .coroutines import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from httpio._async_pool import AsyncPool
    from httpio._front_end import FrontEnd

    from .kits import Event, Job, Jobs, Kit
    from .loop_server import LoopServer

    _T = TypeVar("_T")

POOLS: dict[str, type[AsyncPool[Any]]] = {
    "asyncio": httpio_aio.ConnectionPool,
    "uvloop": httpio_aio.ConnectionPool,
    "trio": httpio_trio.ConnectionPool,
}
"""The pool of each framework that tests are run under."""


class Framework:
    """A framework, and what a test does in it."""

    def __init__(self, name: str) -> None:
        self.kit: Kit = {**aio.KITS, **trios.KITS}[name]
        self.pool_type = POOLS[name]

    def pool(
        self, server: LoopServer | None = None, *, backoff: float = 0, **options: Any
    ) -> AsyncPool[Any]:
        """Return a pool that trusts *server* and never pauses."""
        context: ssl.SSLContext | None = None if server is None else server.client_context()
        return self.pool_type(**{"ssl_context": context, "backoff": backoff, **options})

    def event(self) -> Event:
        """Return an event of the framework."""
        return self.kit.event()

    async def turns(self, count: int) -> None:
        """Let others have so many turns."""
        for _ in range(count):
            await self.kit.turn()

    async def until(self, happened: Callable[[], object]) -> None:
        """Let others go on until *happened*, which it has to some time."""
        give_up = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < give_up, "it does not happen"
            await self.kit.turn()

    def run(
        self,
        main: Callable[[Jobs], Awaitable[_T]],
        servers: Iterable[LoopServer] = (),
        *,
        seed: int = 0,
    ) -> _T:
        """Run *main* while *servers* serve; in the end there must be nothing left in the event loop.

        *seed* is for trio, which has tasks that are ready run in an order of chance.
        """
        _run._r.seed(seed)

        async def serve() -> None:
            while True:
                for server in servers:
                    server.progress()
                await self.kit.turn()

        async def with_servers() -> _T:
            async with self.kit.jobs() as jobs:
                serving = jobs.start(serve)
                running: Job[_T] = jobs.start(lambda: _as_coroutine(main(jobs)))
                await self.kit.until(lambda: running.is_over or serving.is_over)
                serving.cancel()
                if not running.is_over:
                    # Its failure is what there is to be told of.
                    running.cancel()
                    await serving.result()
                return await running.result()

        return self.kit.run(with_servers)


async def _as_coroutine(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


async def finish(jobs: Jobs, calls: Iterable[Callable[[], Coroutine[Any, Any, _T]]]) -> list[_T]:
    """Run *calls* in tasks of their own; return their results in order."""
    started = [jobs.start(call) for call in calls]
    return [await job.result() for job in started]


class Moments:
    """A tracer that calls back at a moment in the life of a connection."""

    def __init__(self, before_send: Callable[[FrontEnd, str], object]) -> None:
        self._before_send = before_send
        self.conn: FrontEnd | None = None

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """See nothing in it."""

    def received(self, data: memoryview) -> None:
        """See nothing in it."""

    def event(self, name: str, detail: str) -> None:
        """Call back after the last look at a connection, and before the request is sent."""
        if name == "request" and self.conn is not None:
            self._before_send(self.conn, detail)


def watched_pool(
    pool_type: type[AsyncPool[Any]],
    *,
    before_send: Callable[[FrontEnd, str], object] = lambda conn, what: None,
    after_check: Callable[[FrontEnd], object] = lambda conn: None,
) -> type[AsyncPool[Any]]:
    """Return a pool that tells of its connections.

    *after_check* is called when an idle one was found to be alive, and is about to be handed out; *before_send* when it
    was looked at for the last time, with method and path of what is about to be sent.
    """

    def make(*args: Any, **options: Any) -> FrontEnd:
        moments = Moments(before_send)
        conn: FrontEnd = pool_type._connection_type(*args, **{**options, "tracer": moments})
        moments.conn = conn
        is_alive = conn._is_alive

        def watched_is_alive() -> bool:
            alive = is_alive()
            if alive:
                after_check(conn)
            return alive

        conn._is_alive = watched_is_alive  # type: ignore[method-assign]  # to see when it is called
        return conn

    class WatchedPool(pool_type):  # type: ignore[valid-type, misc]  # it is one
        _connection_type = staticmethod(make)

    return WatchedPool


def port_of(conn: FrontEnd) -> int:
    """Return the port that *conn* is connected from."""
    return int(conn._core._transport.sock.getsockname()[1])
