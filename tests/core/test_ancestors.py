"""Faults of the modules that httpio descends from, and of its peers, that must not come back: a test for each.

More on each of them is in the file of the module that is concerned.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    EarlyResponse,
    HTTPConnection,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    UnsupportedResponse,
    is_temp_network_error,
)
from tests.support.coroutines import no_descriptor_left
from tests.support.dialogue import CHUNKED, OK, TO_THE_CLOSE, Dialogue, sized
from tests.support.dialogue import dialogue as dialogue
from tests.support.dialogue import over_tcp as over_tcp
from tests.support.dialogue import over_tls as over_tls
from tests.support.dialogue import plain as plain
from tests.support.fix_certs import certificates as certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.certs import Certificates


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


# Header values


def test_header_values_reach_the_caller_as_sent(plain: Dialogue) -> None:
    """An e-mail policy rewrites dates and charsets, and decodes ``=?…?=``."""
    values = {
        "Date": "thu, 1 jan 70 00:00:00 UT",
        "Expires": "-1",
        "Content-Type": "text/html;charset=UTF-8; charset*=utf-8''x",
        "Subject": "=?utf-8?q?=C3=A4?=",
        "X-Long": "a" * 5000 + " b",
        "X-Blanks": "a  \t b",
        "X-Octets": "ä\x80\xff\x7f\x0b",
        "Content-Disposition": 'attachment; filename="a\\"b"; filename*=UTF-8\'\'%e2%82%ac',
    }
    lines = "".join(f"{name}:\t {value} \t\r\n" for name, value in values.items())
    response = plain.get(OK + lines.encode("latin-1") + b"Content-Length: 0\r\n\r\n")
    assert {name: response.headers[name] for name in values} == values
    assert [response.headers.get(name) for name in values] == list(values.values())
    assert response.headers.items()[:-1] == list(values.items())


@pytest.mark.parametrize(
    "name", ["From", "To", "Sender", "Content-Type", "Date", "Message-ID", "MIME-Version"]
)
@pytest.mark.parametrize(
    "value",
    ["", "@", "<", "a@[", '"', ";;;", "a;b*0*=x;b*1", "=?x?y?z", "(" * 100, "\xff", ",,,:;"],
)
def test_no_header_value_crashes_the_client(plain: Dialogue, name: str, value: str) -> None:
    line = f"{name}: {value}\r\n".encode("latin-1")
    response = plain.get(OK + line + b"Content-Length: 0\r\n\r\n")
    assert response.headers[name] == value
    assert response.headers.get_all(name) == [value]
    assert str(response.headers)
    assert repr(response)


# Lengths


@pytest.mark.parametrize("length", ["-1", "-5", "+5", "1_0", " 5 5", "0x5", "５", "5.0", "1e1", ""])
def test_lengths_that_only_int_accepts(plain: Dialogue, length: str) -> None:
    """They returned old contents of the buffer as content."""
    plain.get(sized(b"what was there before"))
    assert plain.conn.readall() == b"what was there before"
    plain.ask()
    plain.end.send(OK + f"Content-Length: {length}\r\n\r\nhello".encode())
    with pytest.raises(InvalidResponse):
        plain.conn.read_response()


@pytest.mark.parametrize("size", [b"-1", b"-5", b"+5", b"0_5", b"0x5", b" 5", b"5 5", b""])
def test_chunk_sizes_that_only_int_accepts(plain: Dialogue, size: bytes) -> None:
    plain.get(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(InvalidResponse):
        plain.conn.readall()


# Lines


@pytest.mark.parametrize(
    "line",
    [
        b"a line without colon\r\n",
        b"X: 1\rContent-Length: 3\r\n",
        b"X: 1\nContent-Length: 3\r\n",
        b"X: 1\x00\r\n",
        b": nameless\r\n",
        b"\r",
    ],
)
def test_no_line_drops_or_smuggles_the_rest_of_the_head(plain: Dialogue, line: bytes) -> None:
    plain.ask()
    plain.end.send(OK + line + b"Content-Length: 5\r\n\r\nhello")
    with pytest.raises(InvalidResponse):
        plain.conn.read_response()


@pytest.mark.parametrize("octet", [b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xa0"])
def test_what_str_takes_for_a_line_end_is_none(plain: Dialogue, octet: bytes) -> None:
    response = plain.get(
        OK + b"X: 1" + octet + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert response.headers.items()[0] == ("X", "1" + octet.decode("latin-1") + "Content-Length: 3")
    assert plain.conn.readall() == b"hello"


# Whose answer it is


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", sized(b"x") + sized(b"evil")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + sized(b"evil")),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n" + sized(b"evil")),
        ("HEAD", OK + b"Content-Length: 42\r\n\r\n" + sized(b"evil")),
        ("GET", sized(b"x") + b"HTTP/1.1 408 Request Timeout\r\n\r\n"),
    ],
)
def test_what_arrives_while_idle_is_no_answer_to_the_next_request(
    dialogue: Dialogue, method: str, answer: bytes
) -> None:
    dialogue.get(answer, method=method)
    dialogue.conn.discard()
    for _ in range(2):
        with pytest.raises((InvalidResponse, ConnectionClosed)):
            dialogue.conn.send_request("GET", "/next")
    dialogue.end.expect_closed()
    assert b"/next" not in dialogue.end.received
    dialogue.conn.reset()
    dialogue.prove_usable()


@pytest.mark.parametrize(
    "first",
    [
        OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx",
        OK + b"connection: Keep-Alive ,CLOSE\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ],
)
def test_no_second_response_after_the_last(dialogue: Dialogue, first: bytes) -> None:
    dialogue.ask("/a", "/b")
    dialogue.answer(first + sized(b"evil"))
    assert dialogue.conn.readall() == b"x"
    with pytest.raises(ConnectionClosed) as caught:
        dialogue.conn.read_response()
    assert caught.value.unanswered == (("GET", "/b"),)


# One exception for a connection that is gone


def expect_only_connection_closed(attempt: Callable[[], object]) -> None:
    with pytest.raises(ConnectionClosed) as caught:
        attempt()
    assert isinstance(caught.value, ConnectionError)
    assert is_temp_network_error(caught.value)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.", sized(b"hello")[:-1], CHUNKED + b"5\r\nhe"])
@pytest.mark.parametrize("how", ["SSLEOFError", "SSLZeroReturnError"])
def test_ends_of_tls_are_a_closed_connection(over_tls: Dialogue, begun: bytes, how: str) -> None:
    over_tls.ask()
    over_tls.end.send(begun)
    if how == "SSLEOFError":
        over_tls.end.close()
    else:
        over_tls.end.half_close()

    def receive() -> None:
        over_tls.conn.read_response()
        over_tls.conn.readall()

    expect_only_connection_closed(receive)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.", sized(b"hello")[:-1], CHUNKED + b"5\r\nhe"])
def test_connection_reset_is_a_closed_connection(over_tcp: Dialogue, begun: bytes) -> None:
    over_tcp.ask()
    over_tcp.end.send(begun)
    over_tcp.end.reset()

    def receive() -> None:
        over_tcp.conn.read_response()
        over_tcp.conn.readall()

    expect_only_connection_closed(receive)


@pytest.mark.parametrize("how", ["close", "half_close"])
def test_broken_pipe_is_a_closed_connection(dialogue: Dialogue, how: str) -> None:
    dialogue.run(dialogue.conn.co_send_request("PUT", "/", body=BodyFollowing(1 << 30)))
    getattr(dialogue.end, how)()

    def send() -> None:
        while True:
            dialogue.conn.write(b"x" * 100_000)
            dialogue.server.progress()

    expect_only_connection_closed(send)


# Time-outs


class Silent:
    """A server that accepts, and says nothing."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()


def test_timeout_covers_connecting() -> None:
    # Its queue is full, so nobody completes the handshake of TCP.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        conn = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=0.05)
        with pytest.raises(ConnectionTimedOut):
            conn.connect()
        for filler in fillers:
            filler.close()


def test_timeout_covers_the_proxy(certificates: Certificates) -> None:
    with Silent() as port:
        conn = HTTPConnection(
            "example.com",
            443,
            certificates.client_context(),
            proxy=("127.0.0.1", port),
            timeout=0.05,
        )
        with pytest.raises(ConnectionTimedOut):
            conn.send_request("GET", "/")


def test_timeout_covers_the_handshake_of_tls(certificates: Certificates) -> None:
    with Silent() as port:
        conn = HTTPConnection("127.0.0.1", port, certificates.client_context(), timeout=0.05)
        with pytest.raises(ConnectionTimedOut):
            conn.send_request("GET", "/")


# Refused requests


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {"A": "b\r\nInjected: 1"}),
        ("GET", "/", {"A": "\N{EURO SIGN}"}),
        ("GET", "/\N{EURO SIGN}", {}),
        ("GET", "/ HTTP/1.1\r\nX: y", {}),
        ("GET / HTTP/1.1\r\nI: 1\r\nX", "/", {}),
        ("GET", "/", {"A\r\nB": "c"}),
        ("GET", "/", {"Content-Length": "5"}),
        ("G\0T", "/", {}),
    ],
)
@pytest.mark.parametrize("connected", [False, True])
def test_refused_request_leaves_the_connection_usable(
    dialogue: Dialogue, method: str, path: str, headers: dict[str, str], connected: bool
) -> None:
    if connected:
        dialogue.get(sized(b""))
    with pytest.raises(LocalProtocolError):
        dialogue.conn.send_request(method, path, headers)
    assert not dialogue.conn.response_pending()
    dialogue.prove_usable()
    assert len(dialogue.server.ends) == 1


def test_body_of_no_length_is_complete(dialogue: Dialogue) -> None:
    dialogue.run(dialogue.conn.co_send_request("PUT", "/", body=BodyFollowing(0)))
    assert dialogue.conn.response_pending()
    assert dialogue.answer(sized(b"")).status == 200
    dialogue.prove_usable()


# What is worth another try


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        OK + b"\0",
        OK + b"Content-Length: x\r\n\r\n",
        CHUNKED + b"x",
        OK + b"\r\nx",
    ],
)
def test_nonsense_is_no_network_problem(dialogue: Dialogue, nonsense: bytes) -> None:
    """Callers who take it for temporary try again for ever."""
    conn = dialogue.conn
    dialogue.ask()
    dialogue.end.send(nonsense)
    seen: list[type[HTTPIOError]] = []
    for attempt in (
        conn.read_response,
        conn.readall,
        conn.readall,
        conn.read_response,
        lambda: conn.send_request("GET", "/"),
    ):
        try:
            attempt()
        except HTTPIOError as exc:
            seen.append(type(exc))
            temporary = is_temp_network_error(exc)
            assert not temporary
    assert seen[0] in (InvalidResponse, UnsupportedResponse)
    assert seen[-1] is ConnectionClosed


# Uploads


def test_100_without_reason_lets_the_upload_go_on(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("PUT", "/", body=BodyFollowing(5), expect100=True))
    assert dialogue.answer(b"HTTP/1.1 100\r\n\r\n").status == 100
    conn.write(b"hello")
    dialogue.end.expect_head(b"PUT /")
    assert dialogue.end.expect(5) == b"hello"
    assert dialogue.answer(sized(b"")).status == 200
    dialogue.prove_usable()


def test_session_ticket_does_not_stall_the_upload(over_tls: Dialogue) -> None:
    """It makes the socket readable, and is no answer."""
    conn = over_tls.conn
    over_tls.run(conn.co_send_request("PUT", "/", body=BodyFollowing(300_000)))
    over_tls.server.progress()
    # Nothing was received yet, and tickets have been sent: with TLS 1.3 there always are some.
    assert conn._transport.poll_in.poll(10)
    for _ in range(3):
        assert over_tls.run(conn.co_write(b"x" * 100_000)) == 100_000
        over_tls.server.progress()
    assert over_tls.answer(sized(b"")).status == 200
    assert over_tls.end.received.endswith(b"x" * 300_000)
    over_tls.prove_usable()


@pytest.mark.parametrize("body", [BodyFollowing(0), None, b""])
def test_expectation_of_nothing_does_no_harm(
    plain: Dialogue, body: BodyFollowing | bytes | None
) -> None:
    if isinstance(body, BodyFollowing):
        plain.run(plain.conn.co_send_request("PUT", "/", body=body, expect100=True))
        assert b"expect" not in plain.end.take().lower()
        assert plain.answer(sized(b"")).status == 200
    else:
        with pytest.raises(LocalProtocolError):
            plain.conn.send_request("PUT", "/", body=body, expect100=True)
    plain.prove_usable()


@pytest.mark.parametrize("how", ["close", "half_close"])
def test_413_is_not_lost_to_a_broken_pipe(dialogue: Dialogue, how: str) -> None:
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("PUT", "/", body=BodyFollowing(1 << 30)))
    dialogue.end.take()
    dialogue.end.send(
        b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much"
    )
    getattr(dialogue.end, how)()

    def send() -> None:
        while True:
            conn.write(b"x" * 100_000)

    with pytest.raises(EarlyResponse) as caught:
        send()
    assert not is_temp_network_error(caught.value)
    assert conn.read_response().status == 413
    assert conn.readall() == b"too much"
    with pytest.raises(ConnectionClosed) as closed:
        conn.read_response()
    assert closed.value.reason is CloseReason.EARLY_RESPONSE
    conn.reset()
    dialogue.prove_usable()


# Host names


@pytest.mark.parametrize(
    "hostname",
    [
        "a b",
        "a/b",
        "a?b",
        "u@h",
        "",
        "a#b",
        "a\\b",
        "a\r\nb",
        "a\0",
        "a:80",
        "[",
        "[::1",
        "a\tb",
        " ",
        "a%20b",
        "a,b",
    ],
)
def test_what_is_no_host_name(hostname: str, certificates: Certificates) -> None:
    """They went on the wire, in Host and in CONNECT."""
    with pytest.raises(LocalProtocolError):
        HTTPConnection(hostname)
    with pytest.raises(LocalProtocolError):
        HTTPConnection(hostname, 443, certificates.client_context(), proxy=("localhost", 1))
    with pytest.raises(LocalProtocolError):
        HTTPConnection("localhost", proxy=(hostname, 1))


# Of our own


def test_close_by_another_thread_is_no_end_of_content(dialogue: Dialogue) -> None:
    """What lasts to the close is complete only if the server closes."""
    dialogue.get(TO_THE_CLOSE + b"half of it")
    closer = threading.Timer(0, dialogue.conn.close)
    closer.start()
    with pytest.raises(ConnectionClosed):
        dialogue.conn.readall()
    closer.join()
