"""The conventions of trio: checkpoints, cancelled scopes, guest mode, and its own resolver."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from httpio import BodyFollowing, Request, StateError
from httpio._async_exchange import Exchange
from httpio_trio import HTTPConnection, run
from tests.support.operations import RANGES, small_server
from tests.support.server_end import Server
from tests.support.trios import KITS, Resolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.answering import AnsweringServer
    from tests.support.certs import Certificates

    Step = tuple[str, Callable[[], Awaitable[Any]]]

KIT = KITS["trio"]


def to(server: Server) -> HTTPConnection:
    conn = KIT.connection_to(server)
    assert isinstance(conn, HTTPConnection)
    return conn


class Sent:
    """A tracer that counts what is sent."""

    def __init__(self) -> None:
        self.size = 0

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        self.size += len(data)

    def received(self, data: memoryview) -> None:
        pass

    def event(self, name: str, detail: str) -> None:
        pass


async def steps(conn: HTTPConnection) -> AsyncIterator[Step]:
    """Go through a life with every call that is awaited. The caller performs each before the next."""
    yield "connect", conn.connect
    yield "connect again", conn.connect
    yield "get_ssl_cipher", conn.get_ssl_cipher
    yield "get_ssl_peercert", conn.get_ssl_peercert
    yield "send_request", lambda: conn.send_request("GET", "/1")
    yield "read_response", conn.read_response
    yield "read nothing", lambda: conn.read(0)
    yield "read", lambda: conn.read(1)
    yield "readinto", lambda: conn.readinto(bytearray(1))
    yield "at the end", conn.readall
    yield "behind it", conn.readall
    yield "readinto behind it", lambda: conn.readinto(bytearray(1))
    yield "discard behind it", conn.discard
    body = BodyFollowing()
    yield "send_request with body", lambda: conn.send_request("PUT", "/2", body=body)
    yield "write", lambda: conn.write(b"content")
    yield "write nothing", lambda: conn.write(b"")
    yield "write partial", lambda: conn.write(b"content", partial=True)
    yield "sendfile", lambda: conn.sendfile(io.BytesIO(b"content"))
    yield "sendfile of nothing", lambda: conn.sendfile(io.BytesIO())
    yield "finish_body", conn.finish_body
    yield "read_response", conn.read_response
    yield "readall", conn.readall
    yield "send_request", lambda: conn.send_request("GET", "/3")
    yield "_read_response_within", lambda: conn._read_response_within(20)
    yield "discard", conn.discard
    yield "read_ranges", lambda: conn.read_ranges("/r", RANGES)
    buffers = [bytearray(size) for _, size in RANGES]
    yield "readinto_ranges", lambda: conn.readinto_ranges("/r", RANGES, buffers)
    yield "read no ranges", lambda: conn.read_ranges("/r", [])

    pipeline = conn.pipeline([Request("GET", f"/{number}") for number in range(30)], depth=10)
    yield "next_response", pipeline.next_response
    yield "iterate", pipeline.__anext__
    yield "drop the rest", pipeline.next_response
    yield "readall", conn.readall
    yield "next_batch", pipeline.next_batch
    yield "next_small", pipeline.next_small
    pairs = pipeline.with_bodies()
    for number in range(pipeline.answered, 30):
        yield f"pair {number}", pairs.__anext__
    yield "pipeline at its end", pipeline.next_batch
    yield "pipeline at its end", pipeline.next_response
    yield "aclose of a pipeline", pipeline.aclose
    yield "pipeline in a block", lambda: pipeline.__aexit__(None, None, None)

    asking = conn.request("GET", "/4")
    yield "request", asking.__aenter__
    assert isinstance(asking, Exchange)
    response = asking._response
    assert response is not None
    yield "Response.read", lambda: response.read(1)
    yield "Response.readall", response.readall
    yield "Response.readall at the end", response.readall
    yield "Response.read at the end", lambda: response.read(1)
    yield "Response.readinto at the end", lambda: response.readinto(bytearray(1))
    yield "Response.discard at the end", response.discard
    await asking.__aexit__(None, None, None)
    asking = conn.request("PUT", "/5", body=b"content", expect100=True)
    yield "request with 100", asking.__aenter__
    await asking.__aexit__(None, None, None)
    yield "run", lambda: run(conn._core.co_send_request("GET", "/6"))
    yield "run to receive", lambda: run(conn._core.co_read_response())
    yield "run without waiting", lambda: run(conn._core.co_readall())
    yield "aclose", conn.aclose
    yield "aclose again", conn.aclose


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_every_call_is_a_checkpoint(certificates: Certificates, tls: bool) -> None:
    async def main(server: Server) -> None:
        conn = to(server)
        async for name, call in steps(conn):
            try:
                with trio.testing.assert_checkpoints():
                    await call()
            except AssertionError:
                pytest.fail(f"no checkpoint: {name}")

    with small_server(certificates if tls else None) as server:
        trio.run(main, server)


def test_cancelled_before_each_call() -> None:
    """Nothing happens then: the same call still does what it should."""

    async def main(server: AnsweringServer) -> None:
        sent = Sent()
        conn = HTTPConnection(
            server.host, server.port or None, unix_socket=server.path, tracer=sent
        )
        async for name, call in steps(conn):
            sent.size = 0
            with trio.CancelScope() as scope:
                scope.cancel()
                await call()
            assert scope.cancelled_caught, name
            assert not sent.size, name
            if name == "_read_response_within":
                # It takes the deadline of the caller for its own neither before nor after.
                assert conn.response_pending()
            if not name.startswith("aclose"):
                await call()

    with small_server() as server:
        trio.run(main, server)


def test_aclose_in_cancelled_scope_closes() -> None:
    async def main(server: Server) -> None:
        conn = to(server)
        await conn.send_request("GET", "/")
        with trio.CancelScope() as scope:
            scope.cancel()
            await conn.aclose()
        assert scope.cancelled_caught
        assert conn.closed
        with pytest.raises(StateError):
            conn.fileno()
        with trio.CancelScope() as scope:
            async with conn:
                await conn.connect()
                scope.cancel()
                await trio.lowlevel.checkpoint()
        assert conn.closed
        KIT.check_unwatched()

    with Server() as server:
        trio.run(main, server)


def test_deadline() -> None:
    """A time-out leaves the response to be had later."""

    async def main(server: Server) -> None:
        async with to(server) as conn:
            await conn.send_request("GET", "/")
            with pytest.raises(trio.TooSlowError), trio.fail_after(0):
                await conn.read_response()
            assert await conn._read_response_within(0) is None
            assert await conn._read_response_within(0.001) is None
            server.progress()
            server.end.respond(b"content")
            assert (await conn.read_response()).status == 200
            assert await conn.readall() == b"content"

    with Server() as server:
        trio.run(main, server)


def test_custom_resolver_is_used() -> None:
    async def main(server: AnsweringServer) -> None:
        resolver = Resolver({"server.example": [("127.0.0.1", server.port)]})
        trio.socket.set_custom_hostname_resolver(resolver)
        async with HTTPConnection("server.example") as conn, conn.request("GET", "/1") as response:
            assert await response.readall() == b"/1"
        assert resolver.asked == [b"server.example"]

    with small_server(tcp=True) as server:
        trio.run(main, server)


def test_guest_mode() -> None:
    """trio as a guest of asyncio's loop."""

    async def main(server: AnsweringServer) -> int:
        async with to(server) as conn:
            async with conn.request("PUT", "/1", body=bytes(50_000)) as response:
                await response.readall()
            count = 0
            async for response_, content in conn.pipeline(
                Request("GET", f"/{number}") for number in range(30)
            ).with_bodies():
                assert content == response_.path.encode()
                count += 1
            return count

    async def host(server: AnsweringServer) -> int:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            server,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        count: int = (await done).unwrap()
        return count

    with small_server() as server:
        assert asyncio.run(host(server)) == 30


def test_no_busy_resource_error() -> None:
    """trio allows one task to wait in each direction; a task that sends waits in both."""

    async def main(server: Server) -> None:
        conn = to(server)
        await conn.connect()
        server.progress()
        await conn.send_request("PUT", "/", body=BodyFollowing(10_000_000))
        failures: list[Exception] = []

        async def attempt(call: Callable[[], Awaitable[object]]) -> None:
            try:
                await call()
            except StateError as exc:
                failures.append(exc)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(attempt, lambda: conn.write(bytes(5_000_000)))
                nursery.start_soon(attempt, conn.read_response)
            await trio.testing.wait_all_tasks_blocked()
            assert len(failures) >= 4
            nursery.cancel_scope.cancel()
        conn.close()

    with Server() as server:
        trio.run(main, server)
