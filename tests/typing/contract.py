"""What a type checker has to see of the API. Checked by mypy, never run.

A line with ``type: ignore[code]`` has to be an error, and with that code: `test_typing` takes the
comments away and compares, and with them mypy complains of each that is not needed.
"""

# ruff: noqa: B018

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import httpio_aio
import httpio_trio
from httpio import (
    BodyFollowing,
    CaseInsensitiveDict,
    HTTPConnection,
    HTTPResponse,
    PollCoroutine,
    PollGenerator,
    PollNeeded,
    Request,
    coroutine,
    run,
)

if TYPE_CHECKING:
    import asyncio
    import io
    from collections.abc import AsyncIterator, Awaitable, Generator
    from email.message import Message


# What a coroutine yields and returns


@coroutine
def co_fetch(conn: HTTPConnection, path: str) -> PollGenerator[bytes]:
    yield from conn.co_send_request("GET", path)
    response = yield from conn.co_read_response()
    assert_type(response, HTTPResponse)
    return (yield from conn.co_readall())


def delegating(conn: HTTPConnection) -> PollGenerator[int]:
    assert_type((yield from co_fetch(conn, "/")), bytes)
    assert_type((yield from conn.co_read(5)), bytes)
    assert_type((yield from conn.co_readinto(bytearray(5))), int)
    return (yield from conn.co_write(b"x"))


async def awaiting(conn: HTTPConnection) -> None:
    assert_type(await co_fetch(conn, "/"), bytes)
    assert_type(await conn.co_read(), bytes)
    assert_type(await conn.co_read_response(), HTTPResponse)
    await conn.co_connect()


def driving(conn: HTTPConnection) -> None:
    for needed in conn.co_discard():
        assert_type(needed, PollNeeded)
        assert_type(needed.poll(5), bool)
        fd, mask = needed
        assert_type((fd, mask, needed.fd, needed.mask), tuple[int, int, int, int])
    assert_type(next(conn.co_discard()), PollNeeded)
    assert_type(run(conn.co_read(5)), bytes)
    assert_type(run(co_fetch(conn, "/"), timeout=5, deadline=0.5), bytes)


def coroutines_are_generators_and_awaitables(conn: HTTPConnection) -> None:
    made = assert_type(conn.co_read(5), PollCoroutine[bytes])
    generator: Generator[PollNeeded, None, bytes] = made
    awaitable: Awaitable[bytes] = made
    poll_generator: PollGenerator[bytes] = made
    run(poll_generator)
    run(generator)
    del awaitable


# What is forgotten


def forgotten_yield_from(conn: HTTPConnection) -> PollGenerator[None]:
    conn.co_connect()  # type: ignore[unused-awaitable]
    conn.co_send_request("GET", "/")  # type: ignore[unused-awaitable]
    conn.co_read(5)  # type: ignore[unused-awaitable]
    co_fetch(conn, "/")  # type: ignore[unused-awaitable]
    data: bytes = conn.co_read(5)  # type: ignore[assignment]
    response: HTTPResponse = conn.co_read_response()  # type: ignore[assignment]
    conn.co_read_response().status  # type: ignore[attr-defined]
    yield from conn.co_write(conn.co_read(5))  # type: ignore[arg-type]
    len(conn.co_readall())  # type: ignore[arg-type]
    del data, response


async def forgotten_await(conn: HTTPConnection) -> bytes:
    conn.co_connect()  # type: ignore[unused-awaitable]
    return conn.co_read(5)  # type: ignore[return-value]


def forgotten_call(conn: HTTPConnection) -> None:
    run(conn.co_read)  # type: ignore[arg-type]
    run(conn.read(5))  # type: ignore[arg-type]


@coroutine
def co_without_generator() -> PollGenerator[int]:
    return 5  # type: ignore[return-value]


@coroutine  # type: ignore[arg-type]
def no_coroutine() -> int:
    return 5


def yielding_something_else() -> PollGenerator[None]:
    yield 5  # type: ignore[misc]


# Blocking twins


def blocking(conn: HTTPConnection, buffer: bytearray, file: io.BufferedReader) -> None:
    conn.connect()
    assert_type(conn.read_response(), HTTPResponse)
    assert_type(conn.read(), bytes)
    assert_type(conn.read(5), bytes)
    assert_type(conn.read(None), bytes)
    assert_type(conn.readall(), bytes)
    assert_type(conn.readinto(buffer), int)
    assert_type(conn.read_raw(5), bytes)
    assert_type(conn.write(memoryview(buffer), partial=True), int)
    assert_type(conn.sendfile(file), int)
    conn.finish_body({"Checksum": "x"})
    conn.discard()
    nothing = conn.connect()  # type: ignore[func-returns-value]
    del nothing


def cofunctions(conn: HTTPConnection, file: io.BytesIO) -> None:
    sending = conn.send_request("PUT", "/", via_cofun=True)
    assert_type(sending, "Generator[None, None, None]")
    for nothing in sending:
        assert_type(nothing, None)
    assert_type(conn.sendfile(file, via_cofun=True), "Generator[None, None, int]")
    assert_type(conn.sendfile(file, via_cofun=False), int)
    for _ in conn.send_request("PUT", "/"):  # type: ignore[attr-defined]
        pass
    for _ in conn.sendfile(file):  # type: ignore[attr-defined]
        pass
    run(conn.send_request("PUT", "/", via_cofun=True))  # type: ignore[arg-type]


# Arguments


def requests(conn: HTTPConnection, fields: CaseInsensitiveDict[str], message: Message) -> None:
    conn.send_request("GET", "/", {"A": "b"})
    conn.send_request("GET", "/", fields)
    conn.send_request("GET", "/", [("A", "b"), ("A", "c")])
    conn.send_request("GET", "/", (pair for pair in fields.items()), b"x")
    conn.send_request("PUT", "/", None, memoryview(b"x"))
    conn.send_request("PUT", "/", body=BodyFollowing(), expect100=True)
    conn.send_request("PUT", "/", body=BodyFollowing(5), expect100=True, via_cofun=True)
    conn.send_request("GET", b"/")  # type: ignore[call-overload]
    conn.send_request("GET", "/", {"A": 5})  # type: ignore[arg-type]
    conn.send_request("GET", "/", {"A": None})  # type: ignore[arg-type]
    conn.send_request("GET", "/", body="text")  # type: ignore[call-overload]
    conn.send_request("GET", "/", via_cofun=5)  # type: ignore[call-overload]
    conn.write("text")  # type: ignore[arg-type]
    conn.readinto("text")  # type: ignore[arg-type]
    conn.sendfile("a path")  # type: ignore[call-overload]
    BodyFollowing("5")  # type: ignore[arg-type]
    BodyFollowing(5.0)  # type: ignore[arg-type]
    del message


def responses(response: HTTPResponse) -> None:
    assert_type(response.status, int)
    assert_type(response.reason, str)
    assert_type(response.length, int | None)
    assert_type(response.informational, tuple[HTTPResponse, ...])
    response.headers["Content-Type"]
    response.headers.get_all("Set-Cookie")
    response.status = "200"  # type: ignore[assignment]
    response.headers = None  # type: ignore[misc, assignment]


def connections() -> None:
    HTTPConnection("localhost", 80, None, ("localhost", 3128), timeout=None)
    HTTPConnection("localhost", timeout=0.5, unix_socket="/run/socket")
    HTTPConnection(b"localhost")  # type: ignore[arg-type]
    HTTPConnection("localhost", "80")  # type: ignore[arg-type]
    HTTPConnection("localhost", 80, None, None, ("a", "b"))  # type: ignore[call-arg]
    HTTPConnection("localhost", proxy="localhost:3128")  # type: ignore[arg-type]


# asyncio and trio


async def pieces() -> AsyncIterator[bytes]:
    yield b""


async def of_asyncio(conn: httpio_aio.HTTPConnection, core: HTTPConnection) -> None:
    await conn.send_request("GET", "/")
    assert_type(await conn.read_response(), HTTPResponse)
    assert_type(await conn.readall(), bytes)
    async for piece in conn.iter_body():
        assert_type(piece, bytes)
    async for response in conn.pipeline([Request("GET", "/")]):
        assert_type(response, HTTPResponse)
    async for response, content in conn.pipeline([]).with_bodies():
        assert_type((response, content), tuple[HTTPResponse, bytes])
    async with conn.request("PUT", "/", body=pieces()) as answer:
        assert_type(answer, httpio_aio.Response)
        assert_type(await answer.readinto(bytearray(5)), int)
    future = httpio_aio.AioFuture(core.co_readall())
    assert_type(await future, bytes)
    await_it: asyncio.Future[bytes] = future
    await await_it
    assert_type(await httpio_aio.run(core.co_read(5)), bytes)
    conn.readall()  # type: ignore[unused-coroutine]  # nothing is read
    for _ in conn.iter_body():  # type: ignore[attr-defined]  # it has to be awaited
        pass
    await conn.write("text")  # type: ignore[arg-type]
    httpio_aio.HTTPConnection("localhost", timeout=5)  # type: ignore[call-arg]  # asyncio has them


async def of_trio(conn: httpio_trio.HTTPConnection, core: HTTPConnection) -> None:
    async with httpio_trio.ConnectionPool() as pool:
        async with pool.request("PUT", "http://localhost/", body=[b"", bytearray()]) as response:
            assert_type(response, httpio_trio.Response)
        async with pool.connection("http://localhost/") as leased:
            assert_type(leased, httpio_trio.HTTPConnection)
        assert_type(pool.statistics().idle, int)
        await pool.request("GET", "http://localhost/")  # type: ignore[misc]  # `async with`
    assert_type(await conn.get_ssl_peercert(True), bytes | None)
    assert_type(await httpio_trio.run(core.co_read_response()), HTTPResponse)
    conn.send_request("GET", "/")  # type: ignore[unused-coroutine]  # nothing is sent
    async with conn.request("PUT", "/", body=5):  # type: ignore[arg-type]
        pass
