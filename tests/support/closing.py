"""Tests, for each framework, of a connection that is closed while other tasks wait for something of it."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from httpio import BodyFollowing, CloseReason, ConnectionClosed, Request
from tests.support.cancelling import silent
from tests.support.operations import small_server
from tests.support.server_end import Server, shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from httpio._front_end import FrontEnd

    from .certs import Certificates
    from .kits import Job, Kit

    Call = Callable[[], Coroutine[Any, Any, object]]

each_end = pytest.mark.parametrize("end", ["close", "aclose", "reset"])


async def end_it(conn: FrontEnd, end: str) -> None:
    if end == "aclose":
        await conn.aclose()
    else:
        getattr(conn, end)()


def check_closed(failure: BaseException) -> None:
    assert isinstance(failure, ConnectionClosed), repr(failure)
    assert failure.reason is CloseReason.CLOSED_LOCALLY


class ClosingTests:
    """To be run with a fixture ``kit``."""

    def close_under(
        self, kit: Kit, server: Server, end: str, prepare: Callable[[FrontEnd], Coroutine[Any, Any, object]],
        call: Callable[[FrontEnd], Coroutine[Any, Any, object]],
    ) -> None:  # fmt: skip
        """Close the connection while a task waits in *call*; then use it again."""

        async def main() -> None:
            conn = kit.connection_to(server)
            await prepare(conn)
            async with kit.jobs() as jobs:
                job = jobs.start(lambda: call(conn))
                await kit.until(lambda: job.is_waiting)
                await end_it(conn, end)
                check_closed(await job.failure())
            kit.check_unwatched()
            await use(conn, server, kit)
            conn.close()

        kit.run(main)

    @each_end
    def test_waits_for_head(self, kit: Kit, end: str) -> None:
        async def prepare(conn: FrontEnd) -> None:
            await conn.send_request("GET", "/")

        with Server() as server:
            self.close_under(kit, server, end, prepare, lambda conn: conn.read_response())

    @each_end
    @pytest.mark.parametrize("call", ["read", "readall", "discard"])
    def test_waits_for_content(self, kit: Kit, end: str, call: str) -> None:
        with Server() as server:

            async def prepare(conn: FrontEnd) -> None:
                await conn.send_request("GET", "/")
                server.progress()
                server.end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                await conn.read_response()
                assert await conn.read(10) == b"half"

            self.close_under(kit, server, end, prepare, lambda conn: getattr(conn, call)())

    @each_end
    @pytest.mark.parametrize("begun", [False, True], ids=["before", "within"])
    def test_sends_into_full_buffers(self, kit: Kit, end: str, begun: bool) -> None:
        async def prepare(conn: FrontEnd) -> None:
            await conn.connect()
            shrink_send_buffer(conn._core)
            await conn.send_request("PUT", "/", body=BodyFollowing(10_000_000))
            if not begun:
                # It is full before the call begins.
                while await conn.write(bytes(4096), partial=True):
                    pass

        with Server() as server:
            self.close_under(kit, server, end, prepare, lambda conn: conn.write(bytes(1_000_000)))

    @each_end
    def test_is_in_tls_handshake(self, kit: Kit, certificates: Certificates, end: str) -> None:
        async def prepare(_: FrontEnd) -> None:
            pass

        with Server(certificates) as server:
            self.close_under(kit, server, end, prepare, lambda conn: conn.connect())

    @each_end
    def test_connects(self, kit: Kit, end: str) -> None:
        with ExitStack() as stack:
            listener = silent(stack)

            async def main() -> None:
                conn = kit.connection("127.0.0.1", listener.getsockname()[1])
                await self.close_two(kit, conn, end, lambda: conn.connect())

            kit.run(main)

    @each_end
    def test_races_addresses(self, kit: Kit, end: str) -> None:
        with ExitStack() as stack:
            addresses = [silent(stack).getsockname(), silent(stack).getsockname()]

            async def main() -> None:
                conn = kit.connection("server.example")
                await self.close_two(kit, conn, end, lambda: conn.send_request("GET", "/"))

            kit.run(main, {"server.example": addresses})

    @each_end
    def test_full_backlog_of_unix_socket(self, kit: Kit, end: str, tmp_path: object) -> None:
        path = f"{tmp_path}/socket"
        with ExitStack() as stack:
            listener = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            listener.bind(path)
            listener.listen(0)
            stack.enter_context(closing(socket.socket(socket.AF_UNIX))).connect(path)

            async def main() -> None:
                conn = kit.connection(unix_socket=path)
                await self.close_two(kit, conn, end, lambda: conn.connect())

            kit.run(main)

    async def close_two(self, kit: Kit, conn: FrontEnd, end: str, call: Call) -> None:
        """Close under a call, and at once under the next one."""
        async with kit.jobs() as jobs:
            failed: list[Job[object]] = []
            for _ in range(2):
                job = jobs.start(call)
                await kit.until(lambda: job.is_waiting)  # noqa: B023
                failed.append(job)
                await end_it(conn, end)
            for job in failed:
                check_closed(await job.failure())
        kit.check_unwatched()

    @each_end
    def test_pauses_in_pipeline(self, kit: Kit, end: str) -> None:
        async def main() -> None:
            with closing(socket.create_server(("127.0.0.1", 0))) as listener:
                port = listener.getsockname()[1]
            # Nobody listens there now.
            conn = kit.connection("127.0.0.1", port)
            pipeline = conn.pipeline([Request("GET", "/")], backoff=3600.0)
            async with kit.jobs() as jobs:
                job = jobs.start(pipeline.next_response)
                await kit.until(lambda: job.is_waiting and pipeline._core._resumes_at)
                await kit.turn()
                await end_it(conn, end)
                check_closed(await job.failure())

        kit.run(main)

    @each_end
    def test_several_at_once(self, kit: Kit, end: str) -> None:
        """One sends, one receives, and both go on with the same object at once."""
        with small_server() as server, Server() as deaf:

            async def main() -> None:
                conn = kit.connection_to(deaf)
                await conn.connect()
                shrink_send_buffer(conn._core)
                await conn.send_request("GET", "/1")
                await conn.send_request("PUT", "/2", body=BodyFollowing(10_000_000))

                async def receive() -> bytes:
                    try:
                        await conn.read_response()
                    except ConnectionClosed as exc:
                        check_closed(exc)
                    await conn.send_request("GET", "/again")
                    await kit.until(lambda: server_answers(deaf))
                    await conn.read_response()
                    return await conn.readall()

                async with kit.jobs() as jobs:
                    receiving = jobs.start(receive)
                    sending = jobs.start(lambda: conn.write(bytes(1_000_000)))
                    await kit.until(lambda: receiving.is_waiting and sending.is_waiting)
                    await end_it(conn, end)
                    if end != "aclose":
                        # Twice, as one who cleans up does, and before anybody has had a turn.
                        conn.close()
                    check_closed(await sending.failure())
                    assert await receiving.result() == b"answer"
                    # It waits again, and is woken once only.
                    await conn.send_request("GET", "/last")
                    last = jobs.start(conn.read_response)
                    await kit.until(lambda: last.is_waiting)
                    for _ in range(10):
                        await kit.turn()
                    assert last.watched.count == 1
                    last.cancel()
                    await last.failure()
                    kit.check_unwatched()
                conn.close()

            kit.run(main)
            assert server.path

    @each_end
    def test_cancelled_and_closed(self, kit: Kit, end: str) -> None:
        """A task that is cancelled is cancelled, whatever else happens to its connection."""
        with ExitStack() as stack:
            listener = silent(stack)
            addresses = [listener.getsockname(), silent(stack).getsockname()]

            async def main() -> None:
                for first in ("cancel", "close"):
                    for host in ("127.0.0.1", "server.example"):
                        conn = kit.connection(host, listener.getsockname()[1])
                        async with kit.jobs() as jobs:
                            job = jobs.start(conn.connect)
                            await kit.until(lambda: job.is_waiting)  # noqa: B023
                            if first == "cancel":
                                job.cancel()
                                await end_it(conn, end)
                            else:
                                getattr(conn, "reset" if end == "reset" else "close")()
                                job.cancel()
                            assert isinstance(await job.failure(), kit.cancellation)
                        kit.check_unwatched()

            kit.run(main, {"server.example": addresses})

    def test_stays_closed_if_nothing_was_open(self, kit: Kit) -> None:
        async def main() -> None:
            conn = kit.connection("127.0.0.1", 1)
            conn.close()
            await conn.aclose()
            assert conn.closed
            conn.reset()
            assert not conn.closed

        kit.run(main)


def server_answers(server: Server) -> bool:
    """Answer the request for ``/again`` over the latest connection, if it has arrived."""
    server.progress()
    if not server.ends or not server.end.unread.startswith(b"GET /again "):
        return False
    assert server.end.unread.endswith(b"\r\n\r\n")
    server.end.take()
    server.end.respond(b"answer")
    return True


async def use(conn: FrontEnd, server: Server, kit: Kit) -> None:
    """Check that a request on *conn* gets its answer."""
    server.progress()
    known = len(server.ends)

    async def ask() -> bytes:
        await conn.send_request("GET", "/again")
        await conn.read_response()
        return await conn.readall()

    async with kit.jobs() as jobs:
        job = jobs.start(ask)

        def is_answered() -> bool:
            server.progress()
            return len(server.ends) > known and server_answers(server)

        await kit.until(is_answered)
        assert await job.result() == b"answer"
