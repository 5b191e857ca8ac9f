"""A server that answers before it has all of a request (RFC 9112 §9.5): its answer is never lost.

The server has a small receive buffer and reads nothing, so every upload here stalls, and the client finds out what the
server has done in the meantime.
"""

from __future__ import annotations

import io
import random
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    HTTPConnection,
    InvalidResponse,
    PollNeeded,
    is_temp_network_error,
    run,
)
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE, Server, ServerEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from httpio import PollGenerator
    from tests.support.certs import Certificates

    Way: TypeAlias = Callable[[HTTPConnection, Callable[[], None]], PollGenerator[None]]

BODY = random.Random(2).randbytes(300_000)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture(params=["tcp", "tcp-tls", "unix", "unix-tls"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Server]:
    kind: str = request.param
    with Server(certificates if "tls" in kind else None, tcp="tcp" in kind) as server:
        yield server


on_two_kinds = pytest.mark.parametrize("server", ["tcp", "tcp-tls"], indirect=True)


def connected(server: Server) -> tuple[HTTPConnection, ServerEnd]:
    conn = server.connection()
    return conn, server.connect(conn, small=True)


# Ways to upload. Each calls *head_sent* between the head and the content, if there is a moment between them.


def co_body(conn: HTTPConnection, _: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BODY)


def co_small_body(conn: HTTPConnection, _: Callable[[], None]) -> PollGenerator[None]:
    """With a body that is small enough to go with the head."""
    yield from conn.co_send_request("PUT", "/up", None, BODY[:16_000])


def co_write(conn: HTTPConnection, head_sent: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    head_sent()
    for start in range(0, len(BODY), 20_000):
        yield from conn.co_write(BODY[start : start + 20_000])


def co_write_at_once(conn: HTTPConnection, head_sent: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    head_sent()
    yield from conn.co_write(BODY)


def co_write_partial(conn: HTTPConnection, head_sent: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    head_sent()
    position = 0
    while position < len(BODY):
        written = conn.write(BODY[position:], partial=True)
        if not written:
            yield PollNeeded(conn.fileno(), 1 | 4)
        position += written


def co_write_chunks(conn: HTTPConnection, head_sent: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing())
    head_sent()
    for start in range(0, len(BODY), 50_000):
        yield from conn.co_write(BODY[start : start + 50_000])
    yield from conn.co_finish_body()


def co_write_partial_chunks(
    conn: HTTPConnection, head_sent: Callable[[], None]
) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing())
    head_sent()
    position = 0
    while position < len(BODY):
        written = conn.write(BODY[position:], partial=True)
        if not written:
            yield PollNeeded(conn.fileno(), 1 | 4)
        position += written
    yield from conn.co_finish_body()


def co_sendfile(conn: HTTPConnection, head_sent: Callable[[], None]) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    head_sent()
    with tempfile.TemporaryFile() as file:
        file.write(BODY)
        file.seek(0)
        yield from conn.co_sendfile(file)


def co_sendfile_from_memory(
    conn: HTTPConnection, head_sent: Callable[[], None]
) -> PollGenerator[None]:
    yield from conn.co_send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    head_sent()
    yield from conn.co_sendfile(io.BytesIO(BODY))


WAYS: list[Way] = [
    co_body, co_small_body, co_write, co_write_at_once, co_write_partial, co_write_chunks,
    co_write_partial_chunks, co_sendfile, co_sendfile_from_memory,
]  # fmt: skip
each_way = pytest.mark.parametrize("way", WAYS)
# Those that have a moment between head and content.
each_way_in_two_steps = pytest.mark.parametrize("way", WAYS[2:])


class Answer:
    """What the server says, and how the client is to see it."""

    def __init__(self, status: int, data: bytes, content: bytes) -> None:
        self.status = status
        self.data = data
        self.content = content


TOO_LARGE = Answer(413, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", b"")
ANSWERS = {
    "413": TOO_LARGE,
    "401": Answer(
        401, b"HTTP/1.1 401 Who\r\nX: y\r\nContent-Length: 12\r\n\r\nwho are you?", b"who are you?"
    ),
    "500-chunked": Answer(
        500,
        b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
        b"12345",
    ),
    "302-close": Answer(
        302, b"HTTP/1.1 302 There\r\nConnection: close\r\nContent-Length: 2\r\n\r\nx!", b"x!"
    ),
    "200-close": Answer(
        200, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345", b"12345"
    ),
    "200-1.0": Answer(200, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n12345", b"12345"),
    "200": Answer(200, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", b"12345"),
    "204": Answer(204, b"HTTP/1.1 204 Done\r\n\r\n", b""),
    "103-413": Answer(
        413,
        b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n",
        b"",
    ),
}


def _silence(end: ServerEnd) -> None:
    pass


def _half_close(end: ServerEnd) -> None:
    end.half_close()


def _close(end: ServerEnd) -> None:
    # With what it has not read, a reset.
    end.close()


def _reset(end: ServerEnd) -> None:
    end.reset()


each_end = pytest.mark.parametrize("then", [_silence, _half_close, _close, _reset])


def expect_early(uploading: PollGenerator[None], answer: Answer) -> None:
    with pytest.raises(EarlyResponse) as caught:
        run(uploading, PATIENCE)
    assert str(answer.status) in str(caught.value)
    assert caught.value.reason is CloseReason.EARLY_RESPONSE
    assert caught.value.unanswered == (("PUT", "/up"),)
    assert not is_temp_network_error(caught.value)


def expect_answer(conn: HTTPConnection, answer: Answer) -> None:
    """The answer can be read to its end, and then the connection is closed until it is reset."""
    assert conn.response_pending()
    response = conn.read_response()
    assert (response.method, response.path, response.status) == ("PUT", "/up", answer.status)
    assert conn.readall() == answer.content
    assert not conn.response_pending()
    expect_closed(conn, CloseReason.EARLY_RESPONSE)


def expect_closed(conn: HTTPConnection, reason: CloseReason) -> None:
    for use in (
        lambda: conn.send_request("GET", "/"),
        lambda: conn.read_response(),
        lambda: conn.connect(),
        lambda: conn.send_request("PUT", "/", None, b"x"),
    ):
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.reason is reason
        assert "reset()" in str(caught.value)


@on_two_kinds
@each_way
@pytest.mark.parametrize(
    ("name", "then"),
    [(name, then) for name in ANSWERS for then in (_silence, _close)]
    + [(name, then) for name in ("413", "200-close") for then in (_half_close, _reset)],
)
def test_answer_while_the_upload_stalls(
    server: Server, way: Way, name: str, then: Callable[[ServerEnd], None]
) -> None:
    answer = ANSWERS[name]
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    end.send(answer.data)
    then(end)
    expect_early(uploading, answer)
    expect_answer(conn, answer)
    conn.reset()
    server.prove_usable(conn)


@on_two_kinds
@each_way_in_two_steps
@pytest.mark.parametrize(
    ("name", "then"), [*((name, _close) for name in ANSWERS), ("413", _silence), ("200", _silence)]
)
def test_answer_before_the_content(
    server: Server, way: Way, name: str, then: Callable[[ServerEnd], None]
) -> None:
    answer = ANSWERS[name]
    conn, end = connected(server)

    def act() -> None:
        end.expect_head()
        end.send(answer.data)
        then(end)
        # Over TCP it takes its time.
        assert PollNeeded(conn.fileno(), 1).poll(PATIENCE)

    expect_early(way(conn, act), answer)
    expect_answer(conn, answer)
    conn.reset()
    server.prove_usable(conn)


@each_way
def test_answer_in_pieces(server: Server, way: Way) -> None:
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    answer = ANSWERS["401"]
    head_size = answer.data.index(b"\r\n\r\n") + 4
    for position in range(head_size):
        end.send(answer.data[position : position + 1])
        if position < head_size - 1:
            needed = next(uploading)
            assert needed.mask & 1
    expect_early(uploading, answer)
    # The head is enough to stop; the content takes its time.
    assert conn.read_response().status == 401
    end.send(answer.data[head_size:])
    assert conn.readall() == answer.content
    expect_closed(conn, CloseReason.EARLY_RESPONSE)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answer_before_the_end_of_chunks(server: Server, answer: Answer) -> None:
    conn, end = connected(server)
    conn.send_request("PUT", "/up", None, BodyFollowing())
    conn.write(b"12345")
    end.expect_head()
    end.expect(len(b"5\r\n12345\r\n"))
    end.send(answer.data)
    assert PollNeeded(conn.fileno(), 1).poll(PATIENCE)
    if answer.status >= 300 or b"close" in answer.data or b"HTTP/1.0" in answer.data:
        expect_early(conn.co_finish_body(), answer)
        expect_answer(conn, answer)
        return
    # Success, and the connection goes on: so does the upload.
    conn.finish_body()
    assert end.take() == b"0\r\n\r\n"
    assert conn.read_response().status == answer.status
    assert conn.readall() == answer.content
    server.prove_usable(conn)


def test_every_way_to_go_on_is_refused(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    end.expect_head()
    end.send(TOO_LARGE.data)
    assert PollNeeded(conn.fileno(), 1).poll(PATIENCE)
    for use in (
        lambda: conn.write(b"x"),
        lambda: conn.write(b"x", partial=True),
        lambda: conn.write(b"x"),
        lambda: conn.sendfile(io.BytesIO(b"x")),
        lambda: conn.finish_body(),
    ):
        with pytest.raises(EarlyResponse):
            use()
    assert not end.take()
    expect_answer(conn, TOO_LARGE)


def test_reading_the_early_answer_without_writing(server: Server) -> None:
    """Whoever does not want to write any more may just read."""
    conn, end = connected(server)
    conn.send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    conn.write(b"12345")
    end.expect_head()
    answer = ANSWERS["401"]
    end.send(answer.data)
    assert PollNeeded(conn.fileno(), 1).poll(PATIENCE)
    assert conn.read_response().status == 401
    assert conn.readall() == answer.content
    # The server counts on the rest, or it does not: nothing else can be sent.
    with pytest.raises(ConnectionClosed):
        conn.write(b"6")
    expect_closed(conn, CloseReason.EARLY_RESPONSE)
    conn.reset()
    server.prove_usable(conn)


@each_way
@pytest.mark.parametrize("then", [_half_close, _close, _reset])
def test_no_answer(server: Server, way: Way, then: Callable[[ServerEnd], None]) -> None:
    """Whatever a server that says nothing does, it is one exception."""
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    then(end)
    with pytest.raises(ConnectionClosed) as caught:
        run(uploading, PATIENCE)
    assert type(caught.value) is ConnectionClosed
    assert caught.value.reason in {CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST}
    assert caught.value.unanswered == (("PUT", "/up"),)
    assert is_temp_network_error(caught.value)
    assert caught.value.reason is not None
    expect_closed(conn, caught.value.reason)
    conn.reset()
    server.prove_usable(conn)


@each_way
@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 413 Too", b"HTTP/1.1 103 x\r\n\r\n"])
def test_half_an_answer(server: Server, way: Way, begun: bytes) -> None:
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    end.send(begun)
    next(uploading)
    end.close()
    with pytest.raises(ConnectionClosed) as caught:
        run(uploading, PATIENCE)
    assert type(caught.value) is ConnectionClosed
    conn.reset()
    server.prove_usable(conn)


@each_way
def test_nonsense_instead_of_an_answer(server: Server, way: Way) -> None:
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    end.send(b"What do you want?\r\n")
    with pytest.raises(InvalidResponse):
        run(uploading, PATIENCE)
    expect_closed(conn, CloseReason.INVALID_RESPONSE)
    conn.reset()
    server.prove_usable(conn)


@pytest.mark.parametrize("then", [_half_close, _close])
def test_answer_whose_content_is_cut(server: Server, then: Callable[[ServerEnd], None]) -> None:
    conn, end = connected(server)
    uploading = co_write(conn, lambda: None)
    next(uploading)
    end.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 100\r\n\r\n12345")
    then(end)
    expect_early(uploading, TOO_LARGE)
    assert conn.read_response().status == 413
    with pytest.raises(ConnectionClosed) as caught:
        conn.readall()
    assert caught.value.unanswered == (("PUT", "/up"),)
    assert not isinstance(caught.value, EarlyResponse)
    conn.reset()
    server.prove_usable(conn)


# Answers that do not end the upload


@pytest.mark.parametrize("server", ["unix", "unix-tls"], indirect=True)
@each_way
@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"]
)
def test_interim_responses(server: Server, way: Way, interim: bytes) -> None:
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    for _ in range(3):
        next(uploading)
        end.send(interim)
    server.drive(uploading)
    end.take()
    end.respond(b"thanks")
    response = conn.read_response()
    assert response.status == 200
    assert [each.status for each in response.informational] == [int(interim[9:12])] * 3
    assert conn.readall() == b"thanks"
    server.prove_usable(conn)


@pytest.mark.parametrize("server", ["unix", "unix-tls"], indirect=True)
@each_way
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_success_that_is_not_complete_while_the_server_reads_on(
    server: Server, way: Way, framing: str
) -> None:
    """As from a server that streams what it makes of the content."""
    conn, end = connected(server)
    uploading = way(conn, lambda: None)
    next(uploading)
    if framing == "length":
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        rest = b"67890"
    else:
        end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
        rest = b"5\r\n67890\r\n0\r\n\r\n"
    server.drive(uploading)
    body = BODY[:16_000] if way is co_small_body else BODY
    assert body[-10:] in end.take()
    end.send(rest)
    assert conn.read_response().status == 200
    assert conn.readall() == b"1234567890"
    server.prove_usable(conn)


@pytest.mark.parametrize("server", ["unix", "unix-tls"], indirect=True)
def test_success_while_nothing_stalls(server: Server) -> None:
    """The server has answered completely and goes on reading, and so the upload goes on."""
    conn = server.connection()
    end = server.connect(conn)
    conn.send_request("PUT", "/up", None, BodyFollowing(len(BODY)))
    end.expect_head()
    end.respond(b"fine already")
    for start in range(0, len(BODY), 10_000):
        conn.write(BODY[start : start + 10_000])
        end.progress()
    assert end.take() == BODY
    assert conn.read_response().status == 200
    assert conn.readall() == b"fine already"
    server.prove_usable(conn)


@pytest.mark.parametrize("server", ["unix", "unix-tls"], indirect=True)
def test_success_that_is_read_before_the_upload_is_complete(server: Server) -> None:
    conn = server.connection()
    end = server.connect(conn)
    conn.send_request("PUT", "/up", None, BodyFollowing(10))
    end.expect_head()
    conn.write(b"12345")
    end.respond(b"fine already")
    assert conn.read_response().status == 200
    assert conn.readall() == b"fine already"
    assert not conn.response_pending()
    conn.write(b"67890")
    assert end.take() == b"1234567890"
    server.prove_usable(conn)


# Behind other requests


@on_two_kinds
@each_way
@pytest.mark.parametrize("then", [_half_close, _close, _reset])
def test_upload_behind_another_request(
    server: Server, way: Way, then: Callable[[ServerEnd], None]
) -> None:
    """The server answers both and goes: both answers can be had."""
    conn, end = connected(server)
    conn.send_request("GET", "/first")
    end.expect_head()
    uploading = way(conn, lambda: None)
    next(uploading)
    end.respond(b"first")
    end.send(TOO_LARGE.data)
    then(end)
    if then is _half_close:
        # What comes first is not the answer to the upload, which therefore waits.
        next(uploading)
        assert conn.read_response().path == "/first"
        assert conn.readall() == b"first"
        expect_early(uploading, TOO_LARGE)
        expect_answer(conn, TOO_LARGE)
        return
    with pytest.raises(ConnectionClosed) as caught:
        run(uploading, PATIENCE)
    assert caught.value.unanswered == (("GET", "/first"), ("PUT", "/up"))
    assert conn.read_response().path == "/first"
    assert conn.readall() == b"first"
    assert conn.read_response().status == 413
    expect_closed(conn, CloseReason.CONNECTION_LOST)
    conn.reset()
    server.prove_usable(conn)


# Two threads


@on_two_kinds
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@each_end
def test_reader_in_another_thread(
    server: Server, answer: Answer, then: Callable[[ServerEnd], None]
) -> None:
    """One thread sends a body, another waits for the answer: both find out."""
    conn, end = connected(server)
    stalled = threading.Event()
    read: list[tuple[int, bytes]] = []
    failures: list[BaseException] = []

    def receive() -> None:
        try:
            stalled.wait(PATIENCE)
            response = conn.read_response()
            read.append((response.status, conn.readall()))
        except ConnectionClosed as exc:
            failures.append(exc)

    reader = threading.Thread(target=receive)
    reader.start()
    uploading = co_body(conn, lambda: None)
    next(uploading)
    stalled.set()

    def act() -> None:
        end.send(answer.data)
        then(end)

    acting = threading.Timer(0.02, act)
    acting.start()
    with pytest.raises(ConnectionClosed):
        run(uploading, PATIENCE)
    reader.join(PATIENCE)
    acting.join()
    assert not reader.is_alive()
    assert not failures, failures
    assert read == [(answer.status, answer.content)]
    with pytest.raises(ConnectionClosed):
        conn.send_request("GET", "/")
    conn.reset()
    server.prove_usable(conn)
