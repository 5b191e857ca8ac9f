"""Tests, for each framework, of `run`: a coroutine of the core, run by a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from httpio import CloseReason, ConnectionClosed, StateError
from tests.support.server_end import Server, shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from httpio import HTTPConnection, PollNeeded

    from .kits import Kit

    Run = Callable[[Generator[PollNeeded, None, Any]], Awaitable[Any]]


class RunTests:
    """To be run with fixtures ``kit`` and ``run``."""

    def asked(self, server: Server) -> HTTPConnection:
        conn = server.connection()
        server.connect(conn)
        server.drive(conn.co_send_request("GET", "/"))
        return conn

    def test_exchange(self, kit: Kit, run: Run) -> None:
        with Server() as server:
            conn = self.asked(server)

            async def main() -> None:
                async with kit.jobs() as jobs:

                    async def read() -> bytes:
                        await run(conn.co_read_response())
                        content: bytes = await run(conn.co_readall())
                        return content

                    job = jobs.start(read)
                    await kit.until(lambda: job.is_waiting)
                    server.progress()
                    server.end.respond(b"content")
                    assert await job.result() == b"content"

            kit.run(main)
            # In another loop.
            server.drive(conn.co_send_request("GET", "/2"))
            server.progress()
            server.end.respond(b"2")

            async def again() -> None:
                assert (await run(conn.co_read_response())).path == "/2"
                assert await run(conn.co_readall()) == b"2"

            kit.run(again)

    def test_exception(self, kit: Kit, run: Run) -> None:
        with Server() as server:
            conn = server.connection()

            async def main() -> None:
                with pytest.raises(StateError):
                    await run(conn.co_read_response())

            kit.run(main)

    def test_cancelled(self, kit: Kit, run: Run) -> None:
        with Server() as server:
            conn = self.asked(server)

            async def main() -> None:
                for way in kit.ways[:1]:
                    steps = conn.co_read_response()

                    async def call() -> object:
                        return await run(steps)  # noqa: B023

                    became = await kit.cancel_at(1, way, call)
                    assert became.was_cancelled
                    assert next(steps, "closed") == "closed"
                    kit.check_unwatched()
                server.progress()
                server.end.respond(b"content")
                await run(conn.co_read_response())
                assert await run(conn.co_readall()) == b"content"

            kit.run(main)

    def test_cancelled_in_the_middle_of_a_send(self, kit: Kit, run: Run) -> None:
        """It is as if the coroutine were dropped."""
        with Server() as server:
            conn = server.connection()
            server.connect(conn, small=True)
            shrink_send_buffer(conn)

            async def main() -> None:
                async def call() -> object:
                    return await run(conn.co_send_request("PUT", "/", body=bytes(1_000_000)))

                assert (await kit.cancel_at(1, "at once", call)).was_cancelled
                kit.check_unwatched()
                with pytest.raises(ConnectionClosed) as caught:
                    await run(conn.co_send_request("GET", "/"))
                assert caught.value.reason is CloseReason.SEND_ABORTED

            kit.run(main)

    def test_closed_while_it_waits(self, kit: Kit, run: Run) -> None:
        with Server() as server:
            conn = self.asked(server)

            async def main() -> None:
                async def call() -> object:
                    return await run(conn.co_read_response())

                async with kit.jobs() as jobs:
                    job = jobs.start(call)
                    await kit.until(lambda: job.is_waiting)
                    conn.close()
                    failure = await job.failure()
                    assert isinstance(failure, ConnectionClosed)
                    assert failure.reason is CloseReason.CLOSED_LOCALLY

            kit.run(main)
