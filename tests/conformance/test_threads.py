"""One thread sends while another one receives, and a third may close: over loopback, with TLS and without."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    HTTPConnection,
)
from tests.support.scripted import (
    ScriptedServer,
    accept,
    drain,
    expect_head,
    expect_size,
    send,
    signal,
    wait,
)

from .client import PROOF, deliver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import HTTPResponse
    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

LIMIT = 20.0

R = b"HTTP/1.1 200 OK\r\n"
INNER = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno" * 2
NESTED = R + b"Content-Length: %d\r\n\r\n%b" % (len(INNER), INNER)
"""A response with content that would do for responses."""


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificates: Certificates) -> Certificates | None:
    return certificates if request.param == "tls" else None


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


def serve(
    scripted_server: ServerFactory,
    tls: Certificates | None,
    *steps: Step,
    receive_buffer: int | None = None,
) -> ScriptedServer:
    context = None if tls is None else tls.server_context()
    return scripted_server(*steps, tls=context, receive_buffer=receive_buffer)


def connect(server: ScriptedServer, tls: Certificates | None) -> HTTPConnection:
    context = None if tls is None else tls.client_context()
    return HTTPConnection(server.host, server.port, context, timeout=LIMIT)


def receive(conn: HTTPConnection) -> tuple[HTTPResponse, bytes]:
    response = conn.read_response()
    return response, conn.readall()


def wait_until_pending(conn: HTTPConnection, sent: Future[None]) -> None:
    """Wait until the other thread has begun to send its request."""
    while not conn.response_pending():
        assert not sent.done() or conn.response_pending(), sent.exception()


def prove_usable(conn: HTTPConnection) -> None:
    conn.send_request("GET", "/proof")
    response, content = receive(conn)
    assert (response.path, content) == ("/proof", b"proven")


def test_reader_waits_while_others_are_sent(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    paths = [f"/{number}" for number in range(30)]
    all_sent = Event()
    server = serve(
        scripted_server,
        tls,
        *[expect_head(f"GET {path} ".encode()) for path in paths],
        wait(all_sent),
        deliver(
            b"".join(R + b"Content-Length: %d\r\n\r\n%b" % (len(p), p.encode()) for p in paths),
            [1, 100, 7],
        ),
        *PROOF,
        drain(),
    )
    with connect(server, tls) as conn:
        conn.send_request("GET", paths[0])
        received = threads.submit(lambda: [receive(conn) for _ in paths])
        for path in paths[1:]:
            conn.send_request("GET", path)
        assert not received.done()
        all_sent.set()
        for path, (response, content) in zip(paths, received.result(LIMIT), strict=True):
            assert response.path == content.decode() == path
        prove_usable(conn)


def test_each_its_own_direction(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    """Both directions are full of data most of the time."""
    count = 60
    body = bytes(range(256)) * 300
    content = body[::-1]
    steps: list[Step] = []
    for number in range(count):
        steps += [
            expect_head(f"PUT /{number} ".encode()),
            expect_size(len(body)),
            send(R + b"Content-Length: %d\r\n\r\n" % len(content) + content),
        ]
    server = serve(scripted_server, tls, *steps, *PROOF, drain())
    with connect(server, tls) as conn:

        def send_all() -> None:
            for number in range(count):
                conn.send_request("PUT", f"/{number}", body=body)

        sent = threads.submit(send_all)
        for number in range(count):
            wait_until_pending(conn, sent)
            response, got = receive(conn)
            assert response.path == f"/{number}"
            assert got == content
        sent.result(LIMIT)
        prove_usable(conn)


def test_answer_while_both_look_for_one(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    """The sender watches for an early answer, the receiver waits for it: it is taken once."""
    rounds = 40
    body = bytes(2_000_000)
    steps: list[Step] = []
    for _ in range(rounds):
        # Answered in the middle of the upload, which goes on.
        steps += [expect_head(b"PUT "), expect_size(100_000), send(NESTED)]
        steps += [expect_size(len(body) - 100_000)]
    server = serve(scripted_server, tls, *steps, *PROOF, drain())
    with connect(server, tls) as conn:
        for _ in range(rounds):
            sent = threads.submit(conn.send_request, "PUT", "/", None, body)
            wait_until_pending(conn, sent)
            response, content = receive(conn)
            assert response.status == 200
            assert content == INNER
            sent.result(LIMIT)
        prove_usable(conn)


def test_refusal_while_both_look_for_one(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    # More than fits into the buffers between client and server.
    body = bytes(8_000_000)
    answer = NESTED.replace(b"200 OK", b"413 No")
    received = [Event() for _ in range(10)]
    steps: list[Step] = []
    for event in received:
        steps += [expect_head(b"PUT "), expect_size(10_000), send(answer)]
        steps += [wait(event), drain(), accept()]
    server = serve(scripted_server, tls, *steps, *PROOF, drain(), receive_buffer=65_536)
    with connect(server, tls) as conn:
        for event in received:
            conn.connect()
            sent = threads.submit(conn.send_request, "PUT", "/", None, body)
            wait_until_pending(conn, sent)
            response, content = receive(conn)
            assert response.status == 413
            assert content == INNER
            with pytest.raises(EarlyResponse):
                sent.result(LIMIT)
            event.set()
            conn.reset()
        prove_usable(conn)


def read_response(conn: HTTPConnection) -> None:
    conn.read_response()


def read_content(conn: HTTPConnection) -> None:
    conn.read_response()
    conn.readall()


def discard_content(conn: HTTPConnection) -> None:
    conn.read_response()
    conn.discard()


WAITS: dict[str, tuple[bytes, Callable[[HTTPConnection], None]]] = {
    "before-the-head": (b"", read_response),
    "in-the-head": (R + b"Content-", read_response),
    "content-length": (R + b"Content-Length: 5\r\n\r\nhell", read_content),
    "chunked": (R + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhell", discard_content),
    "to-the-close": (R + b"Connection: close\r\n\r\nhell", read_content),
    "to-the-close-discard": (R + b"Connection: close\r\n\r\nhell", discard_content),
}


@pytest.mark.parametrize(("wire", "wait_for_more"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("how", ["close", "disconnect"])
def test_close_wakes_the_reader(
    scripted_server: ServerFactory,
    tls: Certificates | None,
    threads: ThreadPoolExecutor,
    wire: bytes,
    wait_for_more: Callable[[HTTPConnection], None],
    how: str,
) -> None:
    delivered = Event()
    server = serve(
        scripted_server,
        tls,
        expect_head(),
        deliver(wire),
        signal(delivered),
        drain(),
        accept(),
        *PROOF,
        drain(),
    )
    with connect(server, tls) as conn:
        conn.send_request("GET", "/")
        waiting = threads.submit(wait_for_more, conn)
        assert delivered.wait(LIMIT)
        # Whether it waits by now or not, it comes to the same.
        getattr(conn, how)()
        with pytest.raises(ConnectionClosed) as caught:
            waiting.result(LIMIT)
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
        assert caught.value.unanswered == (("GET", "/"),)
        prove_usable(conn)


def test_close_wakes_reader_and_writer(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    begun = Event()
    server = serve(
        scripted_server,
        tls,
        expect_head(b"GET "),
        expect_head(b"PUT "),
        expect_size(1000),
        signal(begun),
        wait(closed := Event()),
        drain(),
        accept(),
        *PROOF,
        drain(),
    )
    with connect(server, tls) as conn:
        conn.send_request("GET", "/a")
        reading = threads.submit(conn.read_response)

        def upload() -> None:
            conn.send_request("PUT", "/b", body=BodyFollowing(1 << 40))
            while True:
                conn.write(bytes(1_000_000))

        writing = threads.submit(upload)
        assert begun.wait(LIMIT)
        conn.close()
        closed.set()
        for waiting in (reading, writing):
            with pytest.raises(ConnectionClosed) as caught:
                waiting.result(LIMIT)
            assert caught.value.reason is CloseReason.CLOSED_LOCALLY
            assert ("GET", "/a") in caught.value.unanswered
        prove_usable(conn)


def test_nonsense_stops_the_writer_too(
    scripted_server: ServerFactory, tls: Certificates | None, threads: ThreadPoolExecutor
) -> None:
    server = serve(
        scripted_server,
        tls,
        expect_head(b"GET "),
        expect_head(b"PUT "),
        send(b"nonsense\r\n\r\n"),
        drain(),
        accept(),
        *PROOF,
        drain(),
    )
    with connect(server, tls) as conn:
        conn.send_request("GET", "/a")
        reading = threads.submit(conn.read_response)

        def upload() -> None:
            conn.send_request("PUT", "/b", body=BodyFollowing(1 << 40))
            while True:
                conn.write(bytes(1_000_000))

        writing = threads.submit(upload)
        for waiting in (reading, writing):
            exception = waiting.exception(LIMIT)
            assert exception is not None
            assert type(exception).__module__.startswith("httpio"), exception
        with pytest.raises(ConnectionClosed) as caught:
            conn.send_request("GET", "/")
        assert caught.value.reason is CloseReason.INVALID_RESPONSE
        conn.reset()
        prove_usable(conn)
