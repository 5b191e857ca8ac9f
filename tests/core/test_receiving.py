"""Heads of responses: what is handed out, what is refused, and what becomes of the connection."""

from __future__ import annotations

import random
import ssl
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

import httpio
from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    HTTPConnection,
    InvalidResponse,
    StateError,
    UnsupportedResponse,
    is_temp_network_error,
)
from httpio._receiving import MAX_INFORMATIONAL
from tests.support.buffers import pieces
from tests.support.coroutines import no_descriptor_left
from tests.support.dialogue import CHUNKED, OK, TO_THE_CLOSE, Dialogue, sized
from tests.support.dialogue import dialogue as dialogue
from tests.support.dialogue import over_tcp as over_tcp
from tests.support.dialogue import over_tls as over_tls
from tests.support.dialogue import plain as plain
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE, Server, suspended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpio import HTTPResponse

UPGRADE = {"Upgrade": "echo", "Connection": "upgrade"}


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


# What is handed out


def test_head(dialogue: Dialogue) -> None:
    response = dialogue.get(
        b"HTTP/1.1 404 Not quite here\r\n"
        b"Date: yesterday\r\n"
        b"X-Octets: \xe4\xf6\xfc =?utf-8?q?=C3=A4?=\r\n"
        b"Via: 1.1 a\r\n"
        b"content-length:  5\t\r\n"
        b"Via: 1.1 b\r\n"
        b"X-Empty:\r\n"
        b"\r\n"
        b"hello"
    )
    assert (response.method, response.path, response.status) == ("GET", "/", 404)
    assert (response.reason, response.length, response.version) == ("Not quite here", 5, "1.1")
    assert response.informational == ()
    assert response.headers.items() == [
        ("Date", "yesterday"),
        ("X-Octets", "äöü =?utf-8?q?=C3=A4?="),
        ("Via", "1.1 a"),
        ("content-length", "5"),
        ("Via", "1.1 b"),
        ("X-Empty", ""),
    ]
    assert response.headers.get_all("VIA") == ["1.1 a", "1.1 b"]
    assert dialogue.conn.readall() == b"hello"
    dialogue.prove_usable()


def test_head_unpacks_as_five_values(plain: Dialogue) -> None:
    method, path, status, reason, headers = plain.get(sized(b"hello"))
    assert (method, path, status, reason) == ("GET", "/", 200, "OK")
    assert headers["content-LENGTH"] == "5"  # type: ignore[index]  # the fifth is the headers


def test_header_fields_are_made_when_they_are_asked_for() -> None:
    # In a process of its own: here the e-mail package has been imported by others.
    program = """
        import socket, sys
        from httpio import HTTPConnection

        with socket.create_server(("127.0.0.1", 0)) as listener:
            with HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=20) as conn:
                conn.send_request("GET", "/")
                with listener.accept()[0] as end:
                    end.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\nx")
                    response = conn.read_response()
                    assert conn.readall() == b"x"
                    assert "email" not in sys.modules
                    assert response.headers["Content-Length"] == "1"
                    assert "email" in sys.modules
                    assert response.headers is response.headers
    """
    subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], check=True, timeout=60
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.0 304 Not Modified\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_without_content(plain: Dialogue, method: str, head: bytes) -> None:
    conn = plain.conn
    response = plain.get(head, method=method)
    assert response.length == 0
    assert not conn.response_pending()
    assert conn.get_current_response() is None
    assert conn.read(10) == conn.readall() == b""
    assert conn.readinto(bytearray(10)) == 0
    conn.discard()
    plain.prove_usable()
    assert len(plain.server.ends) == 1


@pytest.mark.parametrize(
    "head", [CHUNKED, OK + b"Content-Length: 10\r\n\r\n", OK + b"\r\n", TO_THE_CLOSE]
)
def test_head_of_what_would_have_content(plain: Dialogue, head: bytes) -> None:
    assert plain.get(head, method="HEAD").length == 0
    assert not plain.conn.response_pending()
    if head != TO_THE_CLOSE:
        plain.prove_usable()
        assert len(plain.server.ends) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_in_pieces(dialogue: Dialogue, size: int) -> None:
    wire = (
        b"HTTP/1.1 100\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nA: 1\r\nB: folded\r\n \tvalue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    dialogue.ask()
    response = dialogue.feed(dialogue.conn.co_read_response(), pieces(wire, size))
    assert response.status == 200
    assert [interim.status for interim in response.informational] == [100, 103]
    assert response.headers["B"] == "folded value"
    assert response.length is None


def test_many_at_once(dialogue: Dialogue) -> None:
    paths = [f"/{number}" for number in range(50)]
    dialogue.ask(*paths)
    dialogue.end.send(b"".join(sized(path.encode()) for path in paths))
    for path in paths:
        assert dialogue.conn.read_response().path == path
        assert dialogue.conn.readall() == path.encode()
    assert not dialogue.conn.response_pending()
    dialogue.prove_usable()


@pytest.mark.parametrize("minor", [b"2", b"9"])
def test_minor_version_to_come(plain: Dialogue, minor: bytes) -> None:
    assert plain.get(b"HTTP/1." + minor + b" 200 OK\r\nContent-Length: 0\r\n\r\n").version == "1.1"
    plain.prove_usable()
    assert len(plain.server.ends) == 1


# Interim responses


def test_interim_responses_are_kept(dialogue: Dialogue) -> None:
    dialogue.ask("/a", "/b")
    response = dialogue.answer(
        b"HTTP/1.1 100\r\n\r\n"
        b"HTTP/1.1 102 Wait\r\nX: 1\r\n\r\n"
        b"HTTP/1.1 199 \r\nContent-Length: 3\r\n\r\n" + sized(b"a") + sized(b"b")
    )
    assert [(r.status, r.reason, r.length) for r in response.informational] == [
        (100, "", 0),
        (102, "Wait", 0),
        (199, "", 0),
    ]
    assert response.informational[1].headers["X"] == "1"
    assert {r.path for r in response.informational} == {"/a"}
    assert dialogue.conn.readall() == b"a"
    assert dialogue.conn.read_response().informational == ()


def test_interim_responses_are_kept_for_a_reader_that_is_dropped(plain: Dialogue) -> None:
    plain.ask()
    plain.end.send(b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hin")
    reading = plain.conn.co_read_response()
    next(reading)
    next(reading)
    reading.close()
    response = plain.answer(b"ts\r\n\r\n" + sized(b""))
    assert [interim.status for interim in response.informational] == [102, 103]


def test_as_many_interim_responses_as_a_server_may_send(plain: Dialogue) -> None:
    response = plain.get(b"HTTP/1.1 102 Wait\r\n\r\n" * MAX_INFORMATIONAL + sized(b""))
    assert len(response.informational) == MAX_INFORMATIONAL
    plain.prove_usable()


def test_too_many_interim_responses(plain: Dialogue) -> None:
    plain.ask()
    plain.end.send(b"HTTP/1.1 102 Wait\r\n\r\n" * (MAX_INFORMATIONAL + 1))
    plain.expect_refused(plain.conn.read_response, "more than 100 interim responses")


def test_expected_100_is_handed_out(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("PUT", "/", body=BodyFollowing(2), expect100=True))
    response = dialogue.answer(b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 100\r\n\r\n")
    assert (response.status, response.length) == (100, 0)
    assert [interim.status for interim in response.informational] == [102]
    conn.write(b"ab")
    response = dialogue.answer(b"HTTP/1.1 100 Again\r\n\r\n" + sized(b""))
    assert response.status == 200
    assert [interim.status for interim in response.informational] == [102, 100]


def test_late_100_is_skipped(plain: Dialogue) -> None:
    conn = plain.conn
    plain.run(conn.co_send_request("PUT", "/", body=BodyFollowing(2), expect100=True))
    conn.proceed_without_continue()
    conn.write(b"ab")
    response = plain.answer(b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b""))
    assert response.status == 200
    assert [interim.status for interim in response.informational] == [100]


# Out of HTTP


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"101"])
@pytest.mark.parametrize("leftover", [b"", b"\x00\r\n\xff"])
def test_101_that_was_asked_for(dialogue: Dialogue, status: bytes, leftover: bytes) -> None:
    conn = dialogue.conn
    dialogue.ask("/before")
    dialogue.ask(headers=UPGRADE)
    assert dialogue.answer(sized(b"")).path == "/before"
    response = dialogue.answer(
        b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 "
        + status
        + b"\r\nUpgrade: echo\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\n"
        + leftover
    )
    assert (response.status, response.headers["upgrade"]) == (101, "echo")
    assert [interim.status for interim in response.informational] == [102]
    expect_tunnel(dialogue, leftover)
    with pytest.raises(StateError, match="only after"):
        conn.detach()
    dialogue.prove_usable()


@pytest.mark.parametrize("status", [b"200 Connection established", b"204 No Content", b"299"])
@pytest.mark.parametrize(
    "fields", [b"", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_tunnel(plain: Dialogue, status: bytes, fields: bytes) -> None:
    plain.ask("host:99", method="CONNECT")
    response = plain.answer(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n" + b"leftover")
    assert (response.status, response.path) == (int(status[:3]), "host:99")
    assert response.length is None
    expect_tunnel(plain, b"leftover")
    plain.prove_usable()


def expect_tunnel(dialogue: Dialogue, leftover: bytes) -> None:
    conn = dialogue.conn
    assert not conn.response_pending()
    assert conn.read(10) == b""
    for attempt in (lambda: conn.send_request("GET", "/"), conn.read_response):
        with pytest.raises(ConnectionClosed) as caught:
            attempt()
        assert caught.value.reason is CloseReason.SWITCHED_PROTOCOLS
    sock, received = conn.detach()
    assert received == leftover
    assert sock.gettimeout() == 0
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b"ping")
        assert dialogue.end.expect(4) == b"ping"
        dialogue.end.send(b"pong")
        assert sock.recv(10) == b"pong"
    with pytest.raises(StateError, match="no connection"):
        conn.fileno()


def test_tunnel_that_is_refused(plain: Dialogue) -> None:
    plain.ask("host:99", method="CONNECT")
    response = plain.answer(b"HTTP/1.1 407 Who?\r\nContent-Length: 2\r\n\r\nno")
    assert (response.status, response.length) == (407, 2)
    with pytest.raises(StateError, match="only after"):
        plain.conn.detach()
    assert plain.conn.readall() == b"no"
    plain.prove_usable()
    assert len(plain.server.ends) == 1


def test_upgrade_that_is_ignored(plain: Dialogue) -> None:
    assert plain.get(sized(b"hello"), headers=UPGRADE).status == 200
    with pytest.raises(StateError, match="only after"):
        plain.conn.detach()
    assert plain.conn.readall() == b"hello"
    plain.prove_usable()


def test_tunnel_that_nobody_takes_over_is_closed(dialogue: Dialogue) -> None:
    dialogue.get(b"HTTP/1.1 101 Go\r\n\r\nleftover", headers=UPGRADE)
    dialogue.expect_over(CloseReason.SWITCHED_PROTOCOLS, [], closed=False)
    dialogue.server.ends[0].expect_closed()


def test_requests_sent_into_a_tunnel_have_no_answer(plain: Dialogue) -> None:
    plain.ask("/a", headers=UPGRADE)
    plain.ask("/b")
    assert plain.answer(b"HTTP/1.1 101 Go\r\n\r\n" + sized(b"b")).status == 101
    plain.expect_over(CloseReason.SWITCHED_PROTOCOLS, ["/b"], closed=False)


def test_101_that_nothing_asked_for(dialogue: Dialogue) -> None:
    dialogue.ask()
    dialogue.end.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + sized(b""))
    dialogue.expect_refused(dialogue.conn.read_response, "switched protocols")


# At the wrong moment


def test_nothing_was_asked(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    with pytest.raises(StateError, match="no response is outstanding"):
        conn.read_response()
    dialogue.get(sized(b""))
    with pytest.raises(StateError, match="no response is outstanding"):
        conn.read_response()
    dialogue.prove_usable()
    conn.close()
    with pytest.raises(StateError, match="no response is outstanding"):
        conn.read_response()
    dialogue.prove_usable()


def test_content_was_not_read(dialogue: Dialogue) -> None:
    dialogue.ask("/a", "/b")
    response = dialogue.answer(sized(b"aaa") + sized(b"b"))
    with pytest.raises(StateError, match="has not been read"):
        dialogue.conn.read_response()
    assert dialogue.conn.get_current_response() is response
    assert dialogue.conn.readall() == b"aaa"
    assert dialogue.conn.read_response().path == "/b"
    assert dialogue.conn.readall() == b"b"
    dialogue.prove_usable()


def test_what_is_pending(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    assert not conn.response_pending()
    dialogue.ask("/a", "/b")
    assert conn.response_pending()
    assert conn.get_current_response() is None
    response = dialogue.answer(sized(b"hello") + sized(b""))
    assert conn.response_pending()
    assert conn.get_current_response() is response
    assert conn.read(3) == b"hel"
    assert conn.get_current_response() is response
    assert conn.read(3) == b"lo"
    assert conn.response_pending()
    assert conn.get_current_response() is None
    assert conn.read(3) == b""
    conn.read_response()
    assert not conn.response_pending()


def test_response_to_a_body_that_is_not_sent(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("PUT", "/a", body=BodyFollowing(5)))
    assert not conn.response_pending()
    with pytest.raises(StateError, match=r"PUT /a is not sent completely \(5 bytes to go\)"):
        conn.read_response()
    dialogue.end.send(b"HTTP")
    with suspended(conn.co_read_response()):
        pass
    dialogue.end.send(b"/1.1 500 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell")
    response = conn.read_response()
    assert response.status == 500
    assert conn.response_pending()
    assert conn.readall() == b"well"
    assert not conn.response_pending()
    dialogue.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [])


def test_response_to_chunks_that_are_not_finished(plain: Dialogue) -> None:
    plain.run(plain.conn.co_send_request("PUT", "/a", body=BodyFollowing()))
    with pytest.raises(StateError, match="PUT /a is not sent completely, and"):
        plain.conn.read_response()
    plain.conn.finish_body()
    assert plain.answer(sized(b"")).status == 200
    plain.prove_usable()


def test_answer_that_was_seen_while_sending(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("PUT", "/a", body=BodyFollowing(100)))
    dialogue.end.send(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nwell")
    with pytest.raises(EarlyResponse):
        conn.write(b"x")
    assert conn.response_pending()
    assert conn.read_response().status == 403
    assert conn.readall() == b"well"
    dialogue.expect_over(CloseReason.EARLY_RESPONSE, [])


def test_answer_that_was_seen_and_not_taken_is_lost_with_the_connection(plain: Dialogue) -> None:
    conn = plain.conn
    plain.run(conn.co_send_request("PUT", "/a", body=BodyFollowing(100)))
    plain.end.send(sized(b""))
    conn.write(b"x")
    conn.close()
    assert not conn.response_pending()
    with pytest.raises(ConnectionClosed) as caught:
        conn.read_response()
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert caught.value.unanswered == (("PUT", "/a"),)
    plain.prove_usable()


def test_reader_that_is_late(plain: Dialogue) -> None:
    conn = plain.conn
    plain.ask()
    late = conn.co_read_response()
    next(late)
    response = plain.answer(sized(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(StateError, match="another thread or task has taken"):
        next(late)
    # What was content is content still.
    assert conn.get_current_response() is response
    assert conn.readall().startswith(b"HTTP/1.1 200 OK")
    plain.prove_usable()


def test_sender_that_looks_for_an_answer_that_was_taken_meanwhile(plain: Dialogue) -> None:
    conn = plain.conn
    plain.ask()
    plain.get(sized(b"HTTP/1.1 500 No\r\n\r\n")[:-5])
    # What a sending thread does once it has seen that there is something to read.
    assert conn._receiver.try_head()
    plain.end.send(b"o\r\n\r\n")
    assert conn._receiver.try_head()
    assert conn.readall() == b"HTTP/1.1 500 No\r\n\r\n"
    plain.answer(sized(b""))
    assert conn._receiver.try_head()
    plain.prove_usable()


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 2", sized(b"hello")])
def test_cofunction_suspends_for_what_has_arrived(dialogue: Dialogue, wire: bytes) -> None:
    conn = dialogue.conn
    dialogue.ask("/a")
    dialogue.end.send(wire)
    sending = conn.send_request("GET", "/b", via_cofun=True)
    suspensions = 0
    for _ in sending:
        suspensions += 1
        dialogue.end.send(sized(b"hello")[len(wire) :])
        assert conn.read_response().path == "/a"
        assert conn.read(10) == b"hello"
    assert suspensions == bool(wire)
    dialogue.end.expect_head(b"GET /b")


def test_cofunction_suspends_to_tell_that_the_connection_is_gone(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.ask("/a")
    dialogue.end.close()
    sending = conn.send_request("GET", "/b", via_cofun=True)
    next(sending)
    with pytest.raises(ConnectionClosed):
        conn.read_response()
    sending.close()


# The end of the connection


@pytest.mark.parametrize("begun", [b"", b"H", OK, OK + b"A: b\r\n\r"])
def test_end_instead_of_a_response(dialogue: Dialogue, begun: bytes) -> None:
    dialogue.ask("/a", "/b")
    dialogue.end.send(begun)
    dialogue.end.half_close()
    where = "in the head of" if begun else "before"
    with pytest.raises(ConnectionClosed, match=f"{where} the response to GET /a;") as caught:
        dialogue.conn.read_response()
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    assert caught.value.unanswered == (("GET", "/a"), ("GET", "/b"))
    assert is_temp_network_error(caught.value)
    with pytest.raises(ConnectionClosed):
        dialogue.conn.read(10)
    assert dialogue.conn.response_pending()
    dialogue.expect_over(CloseReason.SERVER_CLOSED, ["/a", "/b"])


def test_end_without_close_notify(over_tls: Dialogue) -> None:
    over_tls.ask()
    over_tls.end.close()
    with pytest.raises(ConnectionClosed, match="close_notify") as caught:
        over_tls.conn.read_response()
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    over_tls.expect_over(CloseReason.CONNECTION_LOST)


def test_reset_instead_of_a_response(over_tcp: Dialogue) -> None:
    over_tcp.ask()
    over_tcp.end.reset()
    with pytest.raises(ConnectionClosed, match="the connection broke") as caught:
        over_tcp.conn.read_response()
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    over_tcp.expect_over(CloseReason.CONNECTION_LOST)


def test_close_in_another_thread(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.ask()
    closer = threading.Timer(0, conn.close)
    closer.start()
    with pytest.raises(ConnectionClosed, match="closed by this program") as caught:
        conn.read_response()
    closer.join()
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert caught.value.unanswered == (("GET", "/"),)
    dialogue.prove_usable()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_closed_between_two_looks(dialogue: Dialogue, count: int) -> None:
    dialogue.ask()
    dialogue.end.send(b"HTTP/1.1 200 ")
    reading = dialogue.conn.co_read_response()
    for _ in range(count):
        next(reading)
    dialogue.conn.close()
    with pytest.raises(ConnectionClosed) as caught:
        next(reading)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    dialogue.prove_usable()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_last_answer(dialogue: Dialogue, method: str) -> None:
    dialogue.ask("/a", "/b", method=method)
    dialogue.end.send(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n" + sized(b""))
    dialogue.conn.read_response()
    with pytest.raises(ConnectionClosed) as caught:
        dialogue.conn.read_response()
    assert is_temp_network_error(caught.value)
    dialogue.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, ["/b"], method=method)


def test_last_answer_that_was_asked_for(dialogue: Dialogue) -> None:
    dialogue.get(sized(b"hello") + sized(b""), headers={"Connection": "close"})
    assert dialogue.conn.readall() == b"hello"
    with pytest.raises(StateError, match="no response is outstanding"):
        dialogue.conn.read_response()
    dialogue.end.expect_closed()
    # Nobody has lost anything, so no reset() is needed.
    dialogue.prove_usable()
    assert len(dialogue.server.ends) == 2


def test_certificate_that_the_server_misses(over_tls: Dialogue) -> None:
    context = over_tls.server.context
    assert context is not None
    context.verify_mode = ssl.CERT_REQUIRED
    over_tls.run(over_tls.conn.co_send_request("GET", "/"))
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
        over_tls.conn.read_response()
    context.verify_mode = ssl.CERT_NONE
    over_tls.expect_over(CloseReason.CONNECTION_LOST, closed=False)


# Idle


@pytest.mark.parametrize("used", [False, True])
def test_end_while_idle(dialogue: Dialogue, used: bool) -> None:
    idle(dialogue, used)
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed, match="while it was idle") as caught:
        dialogue.conn.send_request("POST", "/")
    assert is_temp_network_error(caught.value)
    dialogue.expect_over(CloseReason.SERVER_CLOSED, [])


def test_reset_while_idle(over_tcp: Dialogue) -> None:
    idle(over_tcp)
    over_tcp.end.reset()
    with pytest.raises(ConnectionClosed) as caught:
        over_tcp.conn.send_request("POST", "/")
    assert is_temp_network_error(caught.value)
    over_tcp.expect_over(CloseReason.CONNECTION_LOST, [])


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("with_the_answer", [False, True])
def test_408_while_idle(dialogue: Dialogue, version: bytes, with_the_answer: bool) -> None:
    timeout = b"HTTP/" + version + b" 408 Request Timeout\r\nConnection: close\r\n\r\n"
    if with_the_answer:
        dialogue.get(sized(b"x") + timeout)
        assert dialogue.conn.readall() == b"x"
    else:
        idle(dialogue)
        dialogue.end.send(timeout)
    with pytest.raises(ConnectionClosed, match="status 408") as caught:
        dialogue.conn.send_request("GET", "/")
    # It is the usual end of a connection that was idle for too long.
    assert is_temp_network_error(caught.value)
    dialogue.expect_over(CloseReason.SERVER_CLOSED, [])


@pytest.mark.parametrize("data", [sized(b"evil"), b"\r\n", b"x", b"\0" * 1000, OK + b"\r\n"])
@pytest.mark.parametrize("with_the_answer", [False, True])
def test_talk_while_idle(dialogue: Dialogue, data: bytes, with_the_answer: bool) -> None:
    if with_the_answer:
        dialogue.get(sized(b"x") + data)
        assert dialogue.conn.readall() == b"x"
    else:
        idle(dialogue)
        dialogue.end.send(data)
    assert not dialogue.conn.response_pending()
    with pytest.raises(InvalidResponse, match="while no request was outstanding"):
        dialogue.conn.send_request("GET", "/next")
    with pytest.raises(ConnectionClosed) as caught:
        dialogue.conn.send_request("GET", "/next")
    assert not is_temp_network_error(caught.value)
    dialogue.expect_over(CloseReason.UNSOLICITED_DATA, [])
    assert b"/next" not in dialogue.server.ends[0].received


def idle(dialogue: Dialogue, used: bool = True) -> None:
    """Open a connection on which nothing is outstanding."""
    if used:
        dialogue.get(sized(b""))
    else:
        dialogue.server.connect(dialogue.conn)


# Nonsense


@pytest.mark.parametrize(
    ("wire", "match"),
    [
        (b"ICY 200 OK\r\n", "expected a status line"),
        (b"HTTP/1.1 2000\r\n\r\n", "expected a status line"),
        (OK + b"A: b\n", "LF without CR"),
        (OK + b"A: b\rc", "CR without LF"),
        (OK + b"A: \0", "NUL"),
        (OK + b"nothing\r\n\r\n", "without colon"),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
        (OK + b"Content-Length: 1, 2\r\n\r\n", "different Content-Length"),
    ],
)
def test_nonsense(dialogue: Dialogue, wire: bytes, match: str) -> None:
    dialogue.ask("/a", "/b")
    dialogue.end.send(wire)
    dialogue.expect_refused(dialogue.conn.read_response, match, unanswered=["/a", "/b"])


def test_nonsense_is_not_worth_trying_again(plain: Dialogue) -> None:
    plain.ask()
    plain.end.send(b"nonsense")
    for _ in range(3):
        with pytest.raises(httpio.HTTPIOError) as caught:
            plain.conn.read_response()
        assert not is_temp_network_error(caught.value)


def test_nonsense_after_a_request_that_asks_for_close(plain: Dialogue) -> None:
    plain.ask(headers={"Connection": "close"})
    plain.end.send(b"nonsense")
    plain.expect_refused(plain.conn.read_response)


def test_other_major_version(dialogue: Dialogue) -> None:
    dialogue.ask()
    dialogue.end.send(b"HTTP/2.0 200 OK\r\n\r\n")
    dialogue.expect_refused(dialogue.conn.read_response, "speaks HTTP/2.0", UnsupportedResponse)


@pytest.mark.parametrize(
    ("name", "wire", "match"),
    [
        ("MAX_LINE_SIZE", b"HTTP/1.1 200 " + b"x" * 100, "status line of more than 50 bytes"),
        (
            "MAX_HEADER_SIZE",
            OK + b"A: b\r\n" * 20 + b"\r\n",
            "header section of more than 50 bytes",
        ),
        ("MAX_HEADER_SIZE", CHUNKED + b"0\r\n" + b"A: b\r\n" * 20, "more than 50 bytes"),
    ],
)
def test_limits_that_the_program_sets(
    plain: Dialogue, monkeypatch: pytest.MonkeyPatch, name: str, wire: bytes, match: str
) -> None:
    monkeypatch.setattr(httpio, name, 50)
    plain.ask()
    plain.end.send(wire)

    def read() -> None:
        plain.conn.read_response()
        plain.conn.readall()

    plain.expect_refused(read, match)


# Dropped coroutines


@pytest.mark.parametrize("seed", range(8))
def test_dropped_at_any_yield(dialogue: Dialogue, seed: int) -> None:
    generator = random.Random(seed)
    wire = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\n"
    )
    dialogue.ask()
    rest = memoryview(wire)
    response: HTTPResponse | None = None
    reading = dialogue.conn.co_read_response()
    while response is None:
        try:
            needed = next(reading)
        except StopIteration as end:
            response = end.value
            continue
        if generator.random() < 0.7:
            reading.close()
            reading = dialogue.conn.co_read_response()
        if not needed.poll(0):
            size = generator.randint(1, 4)
            dialogue.end.send(rest[:size].tobytes())
            rest = rest[size:]
    assert response.status == 200
    assert [interim.status for interim in response.informational] == [103]
    assert response.headers.items() == [("A", "b"), ("Content-Length", "5")]
    dialogue.end.send(b"hello")
    assert dialogue.conn.readall() == b"hello"
    dialogue.prove_usable()


def test_timeout_loses_nothing(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.ask()
    conn.timeout = 0
    for piece in pieces(sized(b"hello")[:-9], 5):
        with pytest.raises(httpio.ConnectionTimedOut):
            conn.read_response()
        dialogue.end.send(piece)
    dialogue.end.send(b"\r\n\r\nhello")
    conn.timeout = PATIENCE
    assert conn.read_response().status == 200
    assert conn.readall() == b"hello"


# Tracing


class Events:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def sent(self, data: bytes | bytearray | memoryview) -> None: ...

    def received(self, data: memoryview) -> None: ...

    def event(self, name: str, detail: str) -> None:
        self.seen.append((name, detail))


def test_events() -> None:
    with Server() as server:
        events = Events()
        with HTTPConnection("localhost", unix_socket=server.path, tracer=events) as conn:
            server.drive(conn.co_send_request("GET", "/a"))
            server.drive(conn.co_send_request("GET", "/b"))
            server.progress()
            server.end.send(b"HTTP/1.1 103 Hints\r\n\r\n" + sized(b"") + b"nonsense")
            conn.read_response()
            with pytest.raises(InvalidResponse):
                conn.read_response()
    assert [event for event in events.seen if event[0] in {"response", "closed"}] == [
        ("response", "103 to GET /a"),
        ("response", "200 to GET /a"),
        ("closed", CloseReason.INVALID_RESPONSE.value),
    ]
