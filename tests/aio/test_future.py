"""`AioFuture`: each way to wait for it, cancellation at each moment, several at once, several loops."""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

import pytest

from httpio import BodyFollowing, CloseReason, ConnectionClosed, HTTPConnection, StateError
from httpio._transport import before_close
from httpio_aio import AioFuture
from tests.support.aio import KITS, AsyncioKit
from tests.support.server_end import Server, shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from httpio import HTTPResponse, PollNeeded


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def loop(kit: AsyncioKit) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that does not run."""
    loop = kit._loop()
    loop.names = {}
    yield loop
    loop.close()


def asked(server: Server, path: str = "/") -> HTTPConnection:
    """Return a connection on which a request is outstanding."""
    conn = server.connection()
    server.connect(conn)
    server.drive(conn.co_send_request("GET", path))
    return conn


def answer(server: Server) -> None:
    server.progress()
    server.end.respond(b"content")


class TestWaiting:
    def test_await(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> bytes:
            future = AioFuture(conn.co_read_response())
            asyncio.get_running_loop().call_soon(answer, server)
            assert (await future).status == 200
            assert future.mask != 0
            return await AioFuture(conn.co_readall())

        assert kit.run(main) == b"content"

    def test_run_until_complete_with_explicit_loop(
        self, server: Server, loop: asyncio.AbstractEventLoop
    ) -> None:
        conn = asked(server)
        future = AioFuture(conn.co_read_response(), loop)
        loop.call_soon(answer, server)
        response: HTTPResponse = loop.run_until_complete(future)
        assert (response.status, future.result()) == (200, response)
        assert future.get_loop() is loop
        assert loop.run_until_complete(AioFuture(conn.co_readall(), loop=loop)) == b"content"

    def test_yield_from(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        @types.coroutine
        def read() -> Generator[Any, Any, bytes]:
            yield from AioFuture(conn.co_read_response())
            return (yield from AioFuture(conn.co_readall()))

        async def main() -> bytes:
            asyncio.get_running_loop().call_soon(answer, server)
            return await read()

        assert kit.run(main) == b"content"

    def test_begins_without_being_awaited(self, kit: AsyncioKit, server: Server) -> None:
        conn = server.connection()

        async def main() -> None:
            future = AioFuture(conn.co_send_request("GET", "/"))
            await kit.until(future.done)
            await kit.until(lambda: arrived(server))
            conn.close()

        kit.run(main)

    def test_whole_exchange_connects_by_name(self, kit: AsyncioKit) -> None:
        """What needs threads in the core works in a loop as well."""
        with Server(tcp=True) as server:
            conn = HTTPConnection("localhost", server.port)

            async def main() -> bytes:
                await AioFuture(conn.co_send_request("GET", "/"))
                answer(server)
                await AioFuture(conn.co_read_response())
                content = await AioFuture(conn.co_readall())
                conn.close()
                return content

            assert kit.run(main) == b"content"

    def test_gather_and_wait_for(self, kit: AsyncioKit, server: Server) -> None:
        conns = [asked(server, f"/{number}") for number in range(5)]

        async def main() -> None:
            futures = [AioFuture(conn.co_read_response()) for conn in conns]
            for end in server.ends:
                end.respond()
            responses = await asyncio.wait_for(asyncio.gather(*futures), 20)
            assert [response.path for response in responses] == [f"/{n}" for n in range(5)]

        kit.run(main)


def arrived(server: Server) -> bool:
    server.progress()
    return bool(server.ends) and b"\r\n\r\n" in server.end.received


class TestExceptions:
    def test_is_the_future_s(self, kit: AsyncioKit, server: Server) -> None:
        conn = server.connection()

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            with pytest.raises(StateError):
                await future
            assert isinstance(future.exception(), StateError)

        kit.run(main)

    def test_after_a_wait(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            await kit.until(lambda: future.mask)
            server.end.half_close()
            with pytest.raises(ConnectionClosed) as caught:
                await future
            assert caught.value.reason is CloseReason.SERVER_CLOSED

        kit.run(main)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_interrupt_ends_the_loop(
        self, loop: asyncio.AbstractEventLoop, error: type[BaseException]
    ) -> None:
        def steps() -> Generator[PollNeeded, None, None]:
            raise error
            yield

        future = AioFuture(steps(), loop)
        with pytest.raises(error):
            loop.run_forever()
        assert isinstance(future.exception(), error)

    def test_closed_by_another_task(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            await kit.until(lambda: future.mask)
            conn.close()
            kit.check_unwatched()
            with pytest.raises(ConnectionClosed) as caught:
                await future
            assert caught.value.reason is CloseReason.CLOSED_LOCALLY

        kit.run(main)


class TestCancellation:
    def test_before_it_began(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            steps = conn.co_read_response()
            future = AioFuture(steps)
            assert future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
            assert future.mask == 0
            # It was closed, and never run.
            assert next(steps, "closed") == "closed"
            kit.check_unwatched()
            await proves(conn, server)

        kit.run(main)

    def test_while_waiting(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            steps = conn.co_read_response()
            future = AioFuture(steps)
            await kit.until(lambda: future.mask)
            assert future.cancel("enough")
            kit.check_unwatched()
            assert next(steps, "closed") == "closed"
            assert not future.cancel()
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await future
            await proves(conn, server)

        kit.run(main)

    def test_when_it_is_ready(self, kit: AsyncioKit, server: Server) -> None:
        """The loop knows, and the coroutine does not."""
        conn = asked(server)

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            await kit.until(lambda: future.mask)
            answer(server)
            assert future.cancel()
            await kit.turn()
            kit.check_unwatched()
            assert (await AioFuture(conn.co_read_response())).status == 200
            assert await AioFuture(conn.co_readall()) == b"content"

        kit.run(main)

    def test_when_it_was_closed(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            await kit.until(lambda: future.mask)
            conn.close()
            assert future.cancel()
            await kit.turn()
            assert future.cancelled()

        kit.run(main)

    def test_after_it_is_done(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)
        answer(server)

        async def main() -> None:
            future = AioFuture(conn.co_read_response())
            response = await future
            assert not future.cancel()
            assert future.result() is response
            assert await AioFuture(conn.co_readall()) == b"content"

        kit.run(main)

    def test_of_the_task_that_awaits_it(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def main() -> None:
            async def read() -> HTTPResponse:
                return await AioFuture(conn.co_read_response())

            became = await kit.cancel_at(1, "at once", read)
            assert became.was_cancelled
            kit.check_unwatched()
            await proves(conn, server)

        kit.run(main)

    def test_in_the_middle_of_a_send(self, kit: AsyncioKit, server: Server) -> None:
        """It is as if the coroutine were dropped."""
        conn = server.connection()
        server.connect(conn, small=True)

        async def main() -> None:
            future = AioFuture(conn.co_send_request("PUT", "/", body=bytes(1_000_000)))
            await kit.until(lambda: future.mask)
            future.cancel()
            await kit.turn()
            with pytest.raises(ConnectionClosed) as caught:
                await AioFuture(conn.co_send_request("GET", "/"))
            assert caught.value.reason is CloseReason.SEND_ABORTED

        kit.run(main)


async def proves(conn: HTTPConnection, server: Server) -> None:
    """Check that the outstanding request gets its response."""
    answer(server)
    assert (await AioFuture(conn.co_read_response())).status == 200
    assert await AioFuture(conn.co_readall()) == b"content"


class TestSeveral:
    def test_one_sends_while_one_receives(self, kit: AsyncioKit, server: Server) -> None:
        content = bytes(300_000)

        async def main() -> None:
            conn = asked(server)
            shrink_send_buffer(conn)
            body = BodyFollowing(len(content))
            await AioFuture(conn.co_send_request("PUT", "/2", body=body))
            receiving = AioFuture(conn.co_read_response())
            sending = AioFuture(conn.co_write(content))
            await kit.until(lambda: receiving.mask and sending.mask)
            assert not receiving.done()

            def is_sent() -> bool:
                server.progress()
                return sending.done()

            await kit.until(is_sent)
            assert sending.result() == len(content)
            assert not receiving.done()
            answer(server)
            assert (await receiving).path == "/"
            assert await AioFuture(conn.co_readall()) == b"content"
            conn.close()

        kit.run(main)

    def test_two_wait_for_the_same(self, kit: AsyncioKit, server: Server) -> None:
        """A cancelled one does not take the other's registration away."""
        conn = asked(server)

        async def main() -> None:
            first = AioFuture(wait_readable(conn))
            second = AioFuture(wait_readable(conn))
            await kit.until(lambda: first.mask and second.mask)
            first.cancel()
            await kit.turn()
            answer(server)
            assert await second == "ready"
            kit.check_unwatched()

        kit.run(main)


def wait_readable(conn: HTTPConnection) -> Generator[PollNeeded, None, str]:
    yield conn._transport.poll_in
    return "ready"


class TestLoops:
    def test_one_after_the_other(self, kit: AsyncioKit, server: Server) -> None:
        conn = asked(server)

        async def first() -> None:
            future = AioFuture(conn.co_read_response())
            answer(server)
            await future

        async def second() -> None:
            assert await AioFuture(conn.co_readall()) == b"content"
            await AioFuture(conn.co_send_request("GET", "/2"))
            await proves(conn, server)

        kit.run(first)
        kit.run(second)

    def test_two_that_take_turns(self, kit: AsyncioKit, server: Server) -> None:
        loops = [KITS["asyncio"]._loop(), kit._loop()]
        try:
            conns = [asked(server, "/0"), asked(server, "/1")]
            futures = []
            for loop, conn in zip(loops, conns, strict=True):
                loop.names = {}
                future = AioFuture(conn.co_read_response(), loop)
                loop.run_until_complete(asyncio.sleep(0))
                loop.run_until_complete(asyncio.sleep(0))
                assert future.mask
                futures.append(future)
            for end in server.ends:
                end.respond()
            for loop, future in zip(loops, futures, strict=True):
                assert loop.run_until_complete(future).status == 200
        finally:
            for loop in loops:
                loop.close()
        assert not before_close

    def test_closed_with_a_future_that_waits(self, kit: AsyncioKit, server: Server) -> None:
        """The connection can still be closed, and used in another loop."""
        conn = asked(server)
        loop = kit._loop()
        loop.names = {}
        future = AioFuture(conn.co_read_response(), loop)
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        assert future.mask
        loop.close()
        conn.close()
        assert not before_close
        assert not future.done()
