"""A send that is given up at any of its yields leaves nothing behind, or a connection that says why it is closed.

With the smallest send buffer that the kernel has, and a server that takes what comes only between two yields, each
coroutine here has dozens of them; each is given up at every one.
"""

from __future__ import annotations

import gc
import io
import os
import random
import socket
import tempfile
from typing import TYPE_CHECKING

import pytest

from httpio import BodyFollowing, CloseReason, ConnectionClosed, HTTPConnection
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE, Server, ServerEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from httpio import PollGenerator
    from tests.support.certs import Certificates

    Begin: TypeAlias = Callable[[HTTPConnection], PollGenerator[object]]

BODY = random.Random(3).randbytes(45_000)

pytestmark = pytest.mark.exhaustive


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield
        # Whatever a dropped coroutine held is closed with it: a ResourceWarning is an error here.
        gc.collect()


@pytest.fixture(params=["plain", "tls"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Server]:
    with Server(certificates if request.param == "tls" else None) as server:
        yield server


@pytest.fixture
def plain_server() -> Iterator[Server]:
    with Server() as server:
        yield server


class Given(Exception):
    """Thrown into a coroutine."""


def drop_after(coroutine: PollGenerator[object], count: int, end: ServerEnd) -> bool:
    """Resume *coroutine* *count* times and give it up; return `False` if it ended before.

    The three ways to give up take turns.
    """
    try:
        for number in range(count):
            if number:
                end.progress()
            needed = next(coroutine)
            assert needed.mask in {1, 4, 5}
    except StopIteration:
        return False
    if count % 3 == 0:
        coroutine.close()
    elif count % 3 == 1:
        with pytest.raises(Given):
            coroutine.throw(Given())
    else:
        del coroutine
        gc.collect()
    return True


def expect_aborted(conn: HTTPConnection, use: Callable[[], object]) -> None:
    with pytest.raises(ConnectionClosed) as caught:
        use()
    assert caught.value.reason is CloseReason.SEND_ABORTED
    assert "a send was abandoned in the middle" in str(caught.value)
    assert "reset()" in str(caught.value)


def is_aborted(conn: HTTPConnection, server: Server, use: Begin) -> bool:
    """Try *use*; return whether the connection refuses it, as it does for a reason."""
    try:
        server.drive(use(conn))
    except ConnectionClosed:
        expect_aborted(conn, lambda: server.drive(use(conn)))
        expect_aborted(conn, lambda: conn.send_request("GET", "/"))
        expect_aborted(conn, lambda: conn.read_response())
        expect_aborted(conn, lambda: conn.connect())
        return True
    return False


# Requests


def co_large_head(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_send_request("GET", "/given/up", {"X": "v" * 60_000})


def co_small_body(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_send_request("PUT", "/given/up", None, BODY[:10_000])


def co_large_body(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_send_request("PUT", "/given/up", None, BODY)


def co_body_to_follow(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_send_request("PUT", "/given/up", {"X": "v" * 60_000}, BodyFollowing(5))


def co_expectation(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_send_request(
        "PUT", "/given/up", {"X": "v" * 60_000}, BodyFollowing(5), expect100=True
    )


REQUESTS = [co_large_head, co_small_body, co_large_body, co_body_to_follow, co_expectation]


def fill(conn: HTTPConnection) -> int:
    """Fill the send buffer with junk; return its size."""
    size = 0
    with socket.socket(fileno=os.dup(conn.fileno())) as duplicate:
        duplicate.setblocking(False)
        try:
            while True:
                size += duplicate.send(b"junk" * 1000)
        except BlockingIOError:
            return size


def at_each_yield(
    server: Server, start: Callable[[HTTPConnection, ServerEnd], None], begin: Begin, again: Begin
) -> int:
    """On a connection that *start* has prepared, give *begin* up at each of its yields in turn.

    Always something was sent before, so *again* has to be refused. Returns the number of yields.
    """
    count = 0
    while True:
        conn = server.connection()
        end = server.connect(conn, small=True)
        start(conn, end)
        if not drop_after(begin(conn), count + 1, end):
            return count
        count += 1
        assert is_aborted(conn, server, again)
        end.expect_closed()
        conn.reset()
        server.prove_usable(conn)
        conn.close()


@pytest.mark.parametrize("begin", REQUESTS)
def test_request(server: Server, begin: Begin) -> None:
    def start(conn: HTTPConnection, end: ServerEnd) -> None:
        pass

    def again(conn: HTTPConnection) -> PollGenerator[object]:
        return conn.co_send_request("GET", "/")

    assert at_each_yield(server, start, begin, again) > 1


@pytest.mark.parametrize("begin", REQUESTS)
def test_request_of_which_nothing_was_sent(plain_server: Server, begin: Begin) -> None:
    conn = plain_server.connection()
    end = plain_server.connect(conn, small=True)
    for count in range(1, 7):
        junk = fill(conn)
        coroutine = begin(conn)
        for _ in range(count):
            next(coroutine)
        coroutine.close()
        assert not conn.response_pending()
        end.expect(junk)
        assert not end.take()
        # As if it had never been asked for.
        plain_server.prove_usable(conn)
    assert len(plain_server.ends) == 1


@pytest.mark.parametrize("begin", REQUESTS)
def test_request_behind_another_one(server: Server, begin: Begin) -> None:
    """What was on its way before can still be had."""
    conn = server.connection()
    end = server.connect(conn, small=True)
    conn.send_request("GET", "/before")
    assert drop_after(begin(conn), 2, end)
    end.expect_head(b"GET /before ")
    end.respond(b"before")
    expect_aborted(conn, lambda: conn.send_request("GET", "/"))
    assert conn.read_response().path == "/before"
    assert conn.readall() == b"before"
    for use in (lambda: conn.read_response(), lambda: conn.send_request("GET", "/")):
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.reason is CloseReason.SEND_ABORTED
        assert [path for _, path in caught.value.unanswered] == ["/given/up"]
    conn.reset()
    server.prove_usable(conn)


@pytest.mark.parametrize("begin", REQUESTS)
def test_nothing_of_a_request_behind_another_one(plain_server: Server, begin: Begin) -> None:
    conn = plain_server.connection()
    end = plain_server.connect(conn, small=True)
    conn.send_request("GET", "/before")
    end.expect_head(b"GET /before ")
    junk = fill(conn)
    coroutine = begin(conn)
    next(coroutine)
    coroutine.close()
    end.expect(junk)
    end.respond(b"before")
    assert conn.read_response().path == "/before"
    assert conn.readall() == b"before"
    plain_server.prove_usable(conn)


# Content


def co_write(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_write(BODY)


def co_write_little(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_write(BODY[:9000])


def co_sendfile_from_memory(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_sendfile(io.BytesIO(BODY))


def co_sendfile(conn: HTTPConnection) -> PollGenerator[object]:
    with tempfile.TemporaryFile() as file:
        # Pages of files are not counted as other memory is, so more of them fit.
        file.write(4 * BODY)
        file.seek(0)
        return (yield from conn.co_sendfile(file))


class Pieces:
    """A stream that is read in little pieces."""

    def __init__(self) -> None:
        self.content = [BODY[start : start + 7000] for start in range(0, len(BODY), 7000)]

    def read(self, size: int, /) -> bytes:
        return self.content.pop(0) if self.content else b""


def co_sendfile_from_stream(conn: HTTPConnection) -> PollGenerator[object]:
    return conn.co_sendfile(Pieces())


WRITES: list[Begin] = [
    co_write, co_write_little, co_sendfile_from_memory, co_sendfile, co_sendfile_from_stream
]  # fmt: skip


@pytest.mark.parametrize("begin", WRITES)
@pytest.mark.parametrize("length", [1 << 30, None], ids=["length", "chunked"])
def test_content(server: Server, begin: Begin, length: int | None) -> None:
    def start(conn: HTTPConnection, end: ServerEnd) -> None:
        conn.send_request("PUT", "/", None, BodyFollowing(length))
        end.expect_head()

    def again(conn: HTTPConnection) -> PollGenerator[object]:
        return conn.co_write(b"x")

    assert at_each_yield(server, start, begin, again) > 1


def write_until_full(conn: HTTPConnection) -> int:
    """Write with `partial` until nothing fits; return how much of `BODY` that was."""
    written = 0
    while size := conn.write(BODY[written:], partial=True):
        written += size
    return written


def co_write_rest(conn: HTTPConnection, rest: bytes) -> PollGenerator[object]:
    return conn.co_write(rest)


def co_send_rest_from_memory(conn: HTTPConnection, rest: bytes) -> PollGenerator[object]:
    return conn.co_sendfile(io.BytesIO(rest))


def co_send_rest_from_file(conn: HTTPConnection, rest: bytes) -> PollGenerator[object]:
    with tempfile.TemporaryFile() as file:
        file.write(rest)
        file.seek(0)
        return (yield from conn.co_sendfile(file))


@pytest.mark.parametrize("length", [len(BODY), None], ids=["length", "chunked"])
@pytest.mark.parametrize("way", [co_write_rest, co_send_rest_from_memory, co_send_rest_from_file])
@pytest.mark.parametrize("count", range(1, 4))
def test_content_of_which_nothing_was_sent(
    server: Server,
    length: int | None,
    way: Callable[[HTTPConnection, bytes], PollGenerator[object]],
    count: int,
) -> None:
    """Then the same can be written again; over TLS only if no record of it was begun."""
    conn = server.connection()
    end = server.connect(conn, small=True)
    conn.send_request("PUT", "/", None, BodyFollowing(length))
    end.expect_head()
    rest = BODY[write_until_full(conn) :]
    coroutine = way(conn, rest)
    for _ in range(count):
        next(coroutine)
    coroutine.close()
    if conn.ssl_context is not None:
        # A record is under way.
        assert is_aborted(conn, server, lambda conn: way(conn, rest))
        conn.reset()
    else:
        server.drive(way(conn, rest))
        if length is None:
            server.drive(conn.co_finish_body())
            assert without_framing(end.take()) == BODY
        else:
            assert end.take() == BODY
        end.respond()
        assert conn.read_response().status == 200
    server.prove_usable(conn)


def without_framing(data: bytes) -> bytes:
    """Return the content that the chunks in *data* have."""
    content = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            assert data == b"\r\n"
            return content
        content += data[:size]
        assert data[size : size + 2] == b"\r\n"
        data = data[size + 2 :]


@pytest.mark.parametrize("count", range(1, 7))
def test_end_of_chunks(server: Server, count: int) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    conn.send_request("PUT", "/", None, BodyFollowing())
    end.expect_head()
    conn.write(b"12345")
    assert drop_after(conn.co_finish_body({"X": "v" * 60_000}), count, end)
    assert is_aborted(conn, server, lambda conn: conn.co_finish_body())
    end.expect_closed()
    conn.reset()
    server.prove_usable(conn)


@pytest.mark.parametrize("count", range(1, 5))
def test_end_of_chunks_in_a_full_buffer(plain_server: Server, count: int) -> None:
    conn = plain_server.connection()
    end = plain_server.connect(conn, small=True)
    conn.send_request("PUT", "/", None, BodyFollowing())
    end.expect_head()
    conn.write(b"12345")
    junk = fill(conn)
    coroutine = conn.co_finish_body({"X": "y"})
    for _ in range(count):
        next(coroutine)
    coroutine.close()
    assert end.expect(len(b"5\r\n12345\r\n")) == b"5\r\n12345\r\n"
    end.expect(junk)
    # It did not happen.
    conn.write(b"678")
    conn.finish_body()
    assert end.take() == b"3\r\n678\r\n0\r\n\r\n"
    end.respond()
    assert conn.read_response().status == 200
    plain_server.prove_usable(conn)


def test_early_answer_survives_a_send_that_is_dropped(server: Server) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    uploading = conn.co_send_request("PUT", "/", None, BODY)
    next(uploading)
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    next(uploading)
    uploading.close()
    expect_aborted(conn, lambda: conn.send_request("GET", "/"))
    end.send(b"67890")
    assert conn.read_response().status == 200
    assert conn.readall() == b"1234567890"
    conn.reset()
    server.prove_usable(conn)


def test_reset_after_each_kind_of_drop_needs_no_patience(plain_server: Server) -> None:
    """The server learns at once that nothing more comes."""
    conn = plain_server.connection(timeout=PATIENCE)
    end = plain_server.connect(conn, small=True)
    uploading = conn.co_send_request("PUT", "/", None, BODY)
    next(uploading)
    uploading.close()
    end.expect_closed()
