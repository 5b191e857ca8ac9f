"""When a connection lives on and when it does not; and whose answer is whose."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    InvalidResponse,
    StateError,
    is_temp_network_error,
)
from tests.support.scripted import (
    accept,
    close,
    drain,
    expect_head,
    half_close,
    send,
    signal,
    wait,
)

from .client import PROOF, STARTS_ANEW, deliver

if TYPE_CHECKING:
    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory

    from .client import ClientFactory

R = b"HTTP/1.1 200 OK\r\n"
EVIL = R + b"Content-Length: 4\r\n\r\nevil"

CLOSES = {
    "close": b"Connection: close\r\n",
    "upper-case": b"CONNECTION: CLOSE\r\n",
    "list": b"Connection: keep-alive, close\r\n",
    "list-without-blanks": b"Connection: a,cLoSe,b\r\n",
    "empty-elements": b"Connection: ,, close ,\r\n",
    "several-lines": b"Connection: upgrade\r\nX: y\r\nConnection: close\r\n",
    "lines-around": b"Connection: close\r\nX: y\r\nConnection: keep-alive\r\n",
    "folded": b"Connection: keep-alive,\r\n close\r\n",
    "tabs": b"Connection:\tclose\t\r\n",
}
PERSISTS = {
    "nothing": b"",
    "keep-alive": b"Connection: keep-alive\r\n",
    "upper-case": b"Connection: Keep-Alive\r\n",
    "empty": b"Connection:\r\n",
    "longer": b"Connection: closed, close-notify, x-close\r\n",
    "quoted": b'Connection: "close"\r\n',
    "other-field": b"X-Connection: close\r\nProxy-Connection: close\r\n",
    "other-value": b"X: Connection: close\r\n",
}


# How long it lives


@pytest.mark.parametrize("fields", CLOSES.values(), ids=CLOSES)
def test_nothing_is_believed_after_close(
    scripted_server: ServerFactory, make_client: ClientFactory, fields: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(b"GET /a "),
            expect_head(b"GET /b "),
            deliver(R + fields + b"Content-Length: 1\r\n\r\na" + EVIL),
            *STARTS_ANEW,
            drain(),
            unix=True,
        )
    )
    client.ask("/a", "/b")
    assert client.receive().content == b"a"
    client.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [("GET", "/b")])
    client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize(
    ("method", "wire"),
    [
        ("HEAD", R + b"Connection: close\r\nContent-Length: 1\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\nConnection: close\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        (
            "GET",
            R
            + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
        ),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"),
        ("GET", b"HTTP/1.0 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 1\r\n\r\na"),
    ],
)
def test_nothing_is_believed_after_the_last_response(
    scripted_server: ServerFactory, make_client: ClientFactory, method: str, wire: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(method.encode()),
            expect_head(b"GET /b "),
            deliver(wire + EVIL),
            *STARTS_ANEW,
            drain(),
            unix=True,
        )
    )
    client.ask("/a", method=method)
    client.ask("/b")
    assert client.receive().content in (b"", b"a")
    client.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [("GET", "/b")])
    client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("fields", PERSISTS.values(), ids=PERSISTS)
def test_persists(
    scripted_server: ServerFactory, make_client: ClientFactory, fields: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(),
            send(R + fields + b"Content-Length: 1\r\n\r\na"),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    assert client.fetch().content == b"a"
    client.prove_usable()
    client.close()


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: keep-alive\r\n",
        b"connection: Keep-Alive, TE\r\n",
        b"Connection: x\r\nConnection: KEEP-ALIVE\r\n",
    ],
)
def test_http_1_0_persists_if_it_says_so(
    scripted_server: ServerFactory, make_client: ClientFactory, fields: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(),
            send(b"HTTP/1.0 200 OK\r\n" + fields + b"Content-Length: 1\r\n\r\na"),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    response, content = client.fetch()
    assert (response.version, content) == ("1.0", b"a")
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
def test_http_1_0_without_length_lasts_to_the_close(
    scripted_server: ServerFactory, make_client: ClientFactory, fields: bytes
) -> None:
    client = make_client(
        scripted_server(
            expect_head(),
            send(b"HTTP/1.0 200 OK\r\n" + fields + b"\r\n" + EVIL),
            close(),
            accept(),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    assert client.fetch().content == EVIL
    client.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [])
    client.conn.reset()
    client.prove_usable()
    client.close()


def test_close_that_was_asked_for(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(
        scripted_server(
            expect_head(b"GET /a "),
            expect_head(b"GET /b "),
            send(EVIL.replace(b"evil", b"aaaa") + EVIL.replace(b"evil", b"bbbb") + EVIL),
            *STARTS_ANEW,
            drain(),
            unix=True,
        )
    )
    client.ask("/a")
    client.ask("/b", headers={"Connection": "close"})
    with pytest.raises(StateError, match="read its response first"):
        client.ask("/c")
    assert client.receive().content == b"aaaa"
    assert client.receive().content == b"bbbb"
    with pytest.raises(StateError, match="no response is outstanding"):
        client.receive()
    # Nobody has lost anything: the next request opens a connection by itself.
    client.prove_usable()
    client.close()


# Whose answer it is


UNSOLICITED = {
    "second-answer": ("GET", R + b"Content-Length: 1\r\n\r\na", EVIL),
    "content-of-204": ("GET", b"HTTP/1.1 204 No\r\nContent-Length: 77\r\n\r\n", EVIL),
    "content-of-304": ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 77\r\n\r\n", EVIL),
    "content-of-head": ("HEAD", R + b"Content-Length: 77\r\n\r\n", EVIL),
    "chunks-of-head": (
        "HEAD",
        R + b"Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    "more-than-length": ("GET", R + b"Content-Length: 1\r\n\r\na", b"bc"),
    "after-the-last-chunk": (
        "GET",
        R + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        EVIL,
    ),
    "empty-line": ("GET", R + b"Content-Length: 1\r\n\r\na", b"\r\n"),
    "interim": ("GET", R + b"Content-Length: 1\r\n\r\na", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "garbage": ("GET", R + b"Content-Length: 1\r\n\r\na", b"\0\xff garbage"),
    "408": ("GET", R + b"Content-Length: 1\r\n\r\na", b"HTTP/1.1 408 Timeout\r\n\r\n"),
}


@pytest.mark.parametrize(("method", "wire", "extra"), UNSOLICITED.values(), ids=UNSOLICITED)
@pytest.mark.parametrize("later", [False, True])
def test_what_nobody_asked_for_is_no_answer(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    method: str,
    wire: bytes,
    extra: bytes,
    later: bool,
) -> None:
    idle, sent = Event(), Event()
    first = [send(wire), wait(idle), send(extra)] if later else [send(wire + extra), wait(idle)]
    server = scripted_server(expect_head(), *first, signal(sent), *STARTS_ANEW, drain(), unix=True)
    client = make_client(server)
    assert client.fetch(method).content in (b"", b"a")
    assert not client.conn.response_pending()
    idle.set()
    assert sent.wait(10)
    with pytest.raises(HTTPIOError) as caught:
        client.ask("/next")
    timed_out = extra.startswith(b"HTTP/1.1 408")
    assert isinstance(caught.value, ConnectionClosed if timed_out else InvalidResponse)
    assert is_temp_network_error(caught.value) is timed_out
    client.expect_over(CloseReason.SERVER_CLOSED if timed_out else CloseReason.UNSOLICITED_DATA, [])
    client.conn.reset()
    client.prove_usable()
    client.close()
    server.finish()
    assert b"/next" not in server.received[0]


def test_first_request_of_a_server_that_talks_first(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    sent = Event()
    client = make_client(
        scripted_server(send(EVIL), signal(sent), *STARTS_ANEW, drain(), unix=True)
    )
    client.driver.connect()
    assert sent.wait(10)
    with pytest.raises(InvalidResponse):
        client.ask()
    client.expect_over(CloseReason.UNSOLICITED_DATA, [])
    client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("tls", [False, True])
def test_server_that_is_done_between_two_requests(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    tls: bool,
) -> None:
    idle, closed = Event(), Event()
    client = make_client(
        scripted_server(
            *PROOF,
            wait(idle),
            half_close(),
            signal(closed),
            *STARTS_ANEW,
            drain(),
            tls=certificates.server_context() if tls else None,
        ),
        tls=tls,
    )
    client.prove_usable()
    idle.set()
    assert closed.wait(10)
    with pytest.raises(ConnectionClosed) as caught:
        client.ask("/next")
    # Nothing was sent, so the request can be repeated, whatever it is.
    assert caught.value.unanswered == ()
    client.expect_over(CloseReason.SERVER_CLOSED, [])
    client.conn.reset()
    client.prove_usable()
    client.close()


def test_answers_come_in_the_order_of_the_requests(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    paths = [f"/{number}" for number in range(20)]
    answers = b"".join(
        R + b"Content-Length: %d\r\n\r\n%b" % (len(path), path.encode()) for path in paths
    )
    client = make_client(
        scripted_server(
            *[expect_head(f"GET {path} ".encode()) for path in paths],
            deliver(answers, [1, 30, 7]),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    client.ask(*paths)
    for path in paths:
        response, content = client.receive()
        assert (response.path, content.decode()) == (path, path)
    client.prove_usable()
    client.close()
