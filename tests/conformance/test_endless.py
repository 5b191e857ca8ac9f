"""Servers that never end: memory stays bounded, and there is an exception or the caller's own time-out."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from httpio import CloseReason, ConnectionTimedOut, HTTPConnection, InvalidResponse, run
from tests.support.scripted import expect_head, send, send_endlessly

from .client import STARTS_ANEW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import PollGenerator
    from tests.support.fix_scripted import ServerFactory

    from .client import ClientFactory

MOST = 64 * 1024 * 1024
"""Bytes that a server sends of what should never end."""

R = b"HTTP/1.1 200 OK\r\n"
C = R + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def bounded_memory(limit: int = 12 * 1024 * 1024) -> Iterator[None]:
    """Check that what is allocated in the block, by server and client, stays below *limit* bytes."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit


REFUSED = {
    "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "large-interim": (b"", b"HTTP/1.1 102 Processing\r\n" + b"A: %b\r\n\r\n" % (b"x" * 60_000)),
    "status-line": (b"HTTP/1.1 200 ", b"x" * 1000),
    "field-lines": (R, b"A: b\r\n" * 100),
    "field-line": (R, b"x" * 1000),
    "field-value": (R + b"A: ", b"x" * 1000),
    "folded-lines": (R + b"A: b\r\n", b" \r\n" * 100),
    "chunk-extension": (C + b"5;", b"x" * 1000),
    "chunk-size": (C, b"0" * 1000),
    "trailers": (C + b"0\r\n", b"A: b\r\n" * 100),
    "trailer": (C + b"0\r\nA: ", b"x" * 1000),
}


@pytest.mark.parametrize(("start", "piece"), REFUSED.values(), ids=REFUSED)
def test_refused(
    scripted_server: ServerFactory, make_client: ClientFactory, start: bytes, piece: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(), send(start), send_endlessly(piece, at_most=MOST), *STARTS_ANEW, unix=True
        )
    )
    with bounded_memory(), pytest.raises(InvalidResponse):
        client.fetch()
    client.expect_over(CloseReason.INVALID_RESPONSE)
    client.conn.reset()
    client.prove_usable()
    client.close()


ENDLESS = {
    "one-byte-chunks": (C, b"1\r\nx\r\n" * 100),
    "chunks-with-extensions": (C, (b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 10),
    "large-chunks": (C, b"%x\r\n%b\r\n" % (50_000, b"x" * 50_000)),
    "one-chunk": (C + b"f" * 16 + b"\r\n", b"x" * 50_000),
    "content-length": (R + b"Content-Length: 999999999999\r\n\r\n", b"x" * 50_000),
    "to-the-close": (R + b"Connection: close\r\n\r\n", b"x" * 50_000),
}


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_content_as_long_as_the_caller_reads(
    scripted_server: ServerFactory, make_client: ClientFactory, start: bytes, piece: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(), send(start), send_endlessly(piece, at_most=MOST), *STARTS_ANEW, unix=True
        )
    )
    client.ask()
    with bounded_memory(2 * 1024 * 1024):
        client.driver.read_response()
        for size in (1, 10, 100, 1000, 10_000) * 3:
            assert 1 <= len(client.driver.read(size)) <= size
    client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_deadline_of_the_caller(scripted_server: ServerFactory, start: bytes, piece: bytes) -> None:
    server = scripted_server(
        expect_head(), send(start), send_endlessly(piece, at_most=1 << 60), unix=True
    )
    with HTTPConnection("localhost", unix_socket=server.path) as conn:
        conn.send_request("GET", "/")
        conn.read_response()
        with bounded_memory(2 * 1024 * 1024), pytest.raises(ConnectionTimedOut):
            run(conn.co_discard(), deadline=0)
        with pytest.raises(ConnectionTimedOut):
            run(conn.co_readall(), deadline=0)
        assert conn.read(10)


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("begin", [HTTPConnection.co_readall, HTTPConnection.co_discard])
def test_others_get_their_turn(
    scripted_server: ServerFactory,
    start: bytes,
    piece: bytes,
    begin: Callable[[HTTPConnection], PollGenerator[object]],
) -> None:
    server = scripted_server(
        expect_head(), send(start), send_endlessly(piece, at_most=1 << 60), unix=True
    )
    with HTTPConnection("localhost", unix_socket=server.path, timeout=20) as conn:
        conn.send_request("GET", "/")
        conn.read_response()
        # There is always more to be had, and a loop with other things to do has to come back nevertheless.
        receiving = begin(conn)
        for _ in range(5):
            assert next(receiving).poll(20)
        receiving.close()


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 2",
        R,
        R + b"A: b\r\n",
        b"HTTP/1.1 100\r\n\r\n",
        C + b"5\r\nhel",
        C + b"0\r\n",
    ],
)
def test_server_that_falls_silent(scripted_server: ServerFactory, wire: bytes) -> None:
    server = scripted_server(expect_head(), send(wire), *STARTS_ANEW, unix=True)
    with HTTPConnection("localhost", unix_socket=server.path, timeout=0.05) as conn:
        conn.send_request("GET", "/")

        def fetch() -> None:
            conn.read_response()
            conn.readall()

        with pytest.raises(ConnectionTimedOut):
            fetch()
        # What is late may still come: the connection is as it was.
        assert conn.response_pending()
        conn.reset()
        conn.timeout = 20
        conn.send_request("GET", "/proof")
        assert conn.read_response().status == 200
        assert conn.readall() == b"proven"
