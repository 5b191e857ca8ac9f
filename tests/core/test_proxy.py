"""Through a proxy: plain requests in absolute-form, TLS through a tunnel."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from httpio import (
    ConnectionClosed,
    ConnectionTimedOut,
    HTTPConnection,
    InvalidResponse,
    LocalProtocolError,
    ProxyError,
    RemoteProtocolError,
    UnsupportedResponse,
    is_temp_network_error,
    run,
)
from httpio._exceptions import CloseReason
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.scripted import (
    accept,
    close,
    drain,
    expect,
    expect_end,
    expect_head,
    reset,
    send,
    send_endlessly,
    send_slowly,
    start_tls,
)
from tests.support.select_loop import drive
from tests.support.server_end import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpio import PollGenerator
    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import ScriptedServer

PATIENCE = 20.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
CREDENTIALS = ("me", "sécret:x")
BASIC = b"Basic " + base64.b64encode("me:sécret:x".encode())


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


def through(
    proxy: ScriptedServer,
    certificates: Certificates | None = None,
    *,
    hostname: str = "localhost",
    port: int | None = None,
    proxy_auth: tuple[str, str] | None = None,
    timeout: float | None = PATIENCE,
) -> HTTPConnection:
    """A connection through *proxy*, with TLS if there are *certificates*."""
    return HTTPConnection(
        hostname,
        port,
        None if certificates is None else certificates.client_context(),
        proxy=(proxy.host, proxy.port),
        proxy_auth=proxy_auth,
        timeout=timeout,
    )


def fetch(conn: HTTPConnection, path: str = "/") -> tuple[int, bytes]:
    conn.send_request("GET", path)
    return conn.read_response().status, conn.readall()


# Absolute-form


@pytest.mark.parametrize(
    ("hostname", "port", "authority"),
    [
        ("www.example.invalid", None, b"www.example.invalid"),
        ("www.example.invalid", 80, b"www.example.invalid"),
        ("www.example.invalid", 8080, b"www.example.invalid:8080"),
        ("bücher.example", None, b"xn--bcher-kva.example"),
        ("2001:db8::1", None, b"[2001:db8::1]"),
        ("[2001:db8::1]", 81, b"[2001:db8::1]:81"),
    ],
)
def test_absolute_form(
    scripted_server: ServerFactory, hostname: str, port: int | None, authority: bytes
) -> None:
    proxy = scripted_server(
        expect(
            b"GET http://%b/some?query HTTP/1.1\r\nHost: %b\r\n"
            b"Accept-Encoding: identity\r\nContent-Length: 0\r\n\r\n" % (authority, authority)
        ),
        send(OK),
    )
    with through(proxy, hostname=hostname, port=port) as conn:
        conn.send_request("GET", "/some?query")
        response = conn.read_response()
        # The caller gets the path back that was asked for.
        assert response.path == "/some?query"
        assert conn.readall() == b"ok"


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "", b"http://h.example/"),
        ("GET", "?q", b"http://h.example/?q"),
        # RFC 9112 §3.2.4
        ("OPTIONS", "*", b"http://h.example"),
        ("OPTIONS", "/", b"http://h.example/"),
    ],
)
def test_absolute_form_of_special_targets(
    scripted_server: ServerFactory, method: str, path: str, target: bytes
) -> None:
    proxy = scripted_server(
        expect_head(b"%b %b HTTP/1.1\r\n" % (method.encode(), target)), send(OK)
    )
    with through(proxy, hostname="h.example") as conn:
        conn.send_request(method, path)
        assert conn.read_response().status == 200


def test_connection_to_the_proxy_is_kept(scripted_server: ServerFactory) -> None:
    proxy = scripted_server(
        expect_head(b"GET http://h.example/1 "),
        send(OK),
        expect_head(b"GET http://h.example/2 "),
        send(OK),
    )
    with through(proxy, hostname="h.example") as conn:
        assert fetch(conn, "/1") == (200, b"ok")
        assert fetch(conn, "/2") == (200, b"ok")


@pytest.mark.parametrize("body", [None, b"content"])
def test_credentials_with_each_plain_request(
    scripted_server: ServerFactory, body: bytes | None
) -> None:
    proxy = scripted_server(
        expect_head(b"PUT http://localhost/1 "),
        *([expect(body)] if body else []),
        send(OK),
        expect_head(b"PUT http://localhost/2 "),
        *([expect(body)] if body else []),
        send(OK),
    )
    with through(proxy, proxy_auth=CREDENTIALS) as conn:
        for path in ("/1", "/2"):
            conn.send_request("PUT", path, body=body)
            conn.read_response()
            conn.discard()
    assert proxy.received[0].count(b"\r\nProxy-Authorization: " + BASIC + b"\r\n") == 2


def test_own_proxy_authorization_counts(scripted_server: ServerFactory) -> None:
    proxy = scripted_server(expect_head(), send(OK))
    with through(proxy, proxy_auth=CREDENTIALS) as conn:
        conn.send_request("GET", "/", {"proxy-authorization": "Bearer mine"})
        conn.read_response()
    assert proxy.received[0].lower().count(b"proxy-authorization") == 1
    assert b"proxy-authorization: Bearer mine\r\n" in proxy.received[0]


def test_answer_of_the_proxy_itself(scripted_server: ServerFactory) -> None:
    proxy = scripted_server(
        expect_head(),
        send(b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"),
    )
    with through(proxy) as conn:
        conn.send_request("GET", "/")
        response = conn.read_response()
        assert response.status == 407
        assert response.headers["Proxy-Authenticate"] == "Basic"


def test_connect_by_hand_through_the_proxy(scripted_server: ServerFactory) -> None:
    """Without TLS, a tunnel is the caller's own affair."""
    proxy = scripted_server(
        expect(b"CONNECT far.example:22 HTTP/1.1\r\nHost: far.example:22\r\n\r\n"),
        send(TUNNEL + b"SSH-2.0"),
        expect(b"hello"),
    )
    conn = through(proxy)
    conn.send_request("CONNECT", "far.example:22")
    assert conn.read_response().status == 200
    sock, ahead = conn.detach()
    with sock:
        assert ahead == b"SSH-2.0"
        sock.send(b"hello")


# Tunnels


@pytest.mark.parametrize(
    ("hostname", "port", "authority", "host"),
    [
        ("localhost", None, b"localhost:443", b"localhost"),
        ("localhost", 443, b"localhost:443", b"localhost"),
        ("127.0.0.1", 8443, b"127.0.0.1:8443", b"127.0.0.1:8443"),
        ("::1", 8443, b"[::1]:8443", b"[::1]:8443"),
    ],
)
def test_tunnel(
    scripted_server: ServerFactory,
    certificates: Certificates,
    hostname: str,
    port: int | None,
    authority: bytes,
    host: bytes,
) -> None:
    proxy = scripted_server(
        # Nothing but Host: RFC 9110 §9.3.6.
        expect(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority, authority)),
        send(TUNNEL),
        start_tls(certificates.server_context()),
        # Within the tunnel, the proxy is of no concern.
        expect_head(b"GET /1 HTTP/1.1\r\nHost: %b\r\n" % host),
        send(OK),
        expect_head(b"GET /2 HTTP/1.1\r\nHost: %b\r\n" % host),
        send(OK),
        expect_end(close_notify=True),
    )
    with through(proxy, certificates, hostname=hostname, port=port) as conn:
        assert fetch(conn, "/1") == (200, b"ok")
        assert fetch(conn, "/2") == (200, b"ok")
    proxy.finish()
    assert proxy.selected_alpn_protocol == "http/1.1"


def test_credentials_for_the_tunnel(
    scripted_server: ServerFactory, certificates: Certificates
) -> None:
    proxy = scripted_server(
        expect_head(b"CONNECT localhost:443 "),
        send(TUNNEL),
        start_tls(certificates.server_context()),
        expect_head(b"GET / "),
        send(OK),
    )
    with through(proxy, certificates, proxy_auth=CREDENTIALS) as conn:
        assert fetch(conn) == (200, b"ok")
    # The server at the other end is not to have them.
    assert proxy.received[0].count(b"Proxy-Authorization: " + BASIC + b"\r\n") == 1
    assert proxy.received[0].index(b"Proxy-Authorization") < proxy.received[0].index(b"GET / ")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 299 Why not\r\n\r\n",
        # RFC 9110 §9.3.6: these have no meaning here.
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 100\r\n\r\n" * 100 + TUNNEL,
    ],
)
@pytest.mark.parametrize("sizes", [(1,), (7, 40), (100_000,)], ids=["bytes", "pieces", "whole"])
def test_tunnel_is_open(
    scripted_server: ServerFactory,
    certificates: Certificates,
    answer: bytes,
    sizes: tuple[int, ...],
) -> None:
    proxy = scripted_server(
        expect_head(b"CONNECT "),
        send_slowly(answer, sizes),
        start_tls(certificates.server_context()),
        expect_head(b"GET / "),
        send(OK),
    )
    with through(proxy, certificates) as conn:
        drive(conn.co_send_request("GET", "/"))
        assert drive(conn.co_read_response()).status == 200
        assert drive(conn.co_readall()) == b"ok"


@pytest.mark.parametrize(
    ("answer", "status", "reason", "temporary"),
    [
        (b"HTTP/1.1 403 Not there\r\nContent-Length: 4\r\n\r\nbody", 403, "Not there", False),
        (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n", 407, "Who", False),
        (b"HTTP/1.0 503 Busy\r\n\r\n", 503, "Busy", True),
        (b"HTTP/1.1 502 Bad\r\n\r\n", 502, "Bad", True),
        (b"HTTP/1.1 301\r\nLocation: /\r\n\r\n", 301, "", False),
    ],
)
def test_refused_tunnel(
    scripted_server: ServerFactory,
    certificates: Certificates,
    answer: bytes,
    status: int,
    reason: str,
    temporary: bool,
) -> None:
    proxy = scripted_server(
        expect_head(b"CONNECT "),
        send(answer),
        expect_end(),
        accept(),
        expect_head(b"CONNECT "),
        send(TUNNEL),
        start_tls(certificates.server_context()),
        expect_head(b"GET / "),
        send(OK),
    )
    with through(proxy, certificates) as conn:
        with pytest.raises(ProxyError, match=f"localhost:443: {status}") as caught:
            conn.send_request("GET", "/")
        assert (caught.value.status, caught.value.reason_phrase) == (status, reason)
        assert isinstance(caught.value, ConnectionError)
        assert is_temp_network_error(caught.value) is temporary
        assert not conn.response_pending()
        # Nothing has happened, so the next attempt is as good as the first.
        assert fetch(conn) == (200, b"ok")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n", InvalidResponse),
        (b"HTTP/1.1 200 OK\nLF only\n\n", InvalidResponse),
        (b"HTTP/2.0 200 OK\r\n\r\n", UnsupportedResponse),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 1_000_000, InvalidResponse),
        (b"HTTP/1.1 100 Go\r\n\r\n" * 101, InvalidResponse),
        # In TLS the client speaks first, so that is not the server.
        (TUNNEL + b"\x16\x03\x01", InvalidResponse),
    ],
)
def test_nonsense_from_the_proxy(
    scripted_server: ServerFactory,
    certificates: Certificates,
    answer: bytes,
    error: type[RemoteProtocolError],
) -> None:
    proxy = scripted_server(
        expect_head(b"CONNECT "), send_endlessly(answer, at_most=len(answer)), drain()
    )
    with through(proxy, certificates) as conn:
        with pytest.raises(error) as caught:
            conn.connect()
        assert not is_temp_network_error(caught.value)
        assert not conn.response_pending()


def test_interim_responses_without_end(
    scripted_server: ServerFactory, certificates: Certificates
) -> None:
    proxy = scripted_server(
        expect_head(), send_endlessly(b"HTTP/1.1 102 Patience\r\n\r\n", at_most=100_000_000)
    )
    with (
        through(proxy, certificates) as conn,
        pytest.raises(InvalidResponse, match="more than 100 interim responses"),
    ):
        conn.connect()


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n"])
def test_proxy_closes_instead(
    scripted_server: ServerFactory, certificates: Certificates, begun: bytes
) -> None:
    proxy = scripted_server(expect_head(b"CONNECT "), send(begun), close())
    with through(proxy, certificates) as conn:
        with pytest.raises(ConnectionClosed, match="the proxy closed") as caught:
            conn.send_request("GET", "/")
        assert caught.value.reason is CloseReason.SERVER_CLOSED
        assert is_temp_network_error(caught.value)


def test_proxy_resets(scripted_server: ServerFactory, certificates: Certificates) -> None:
    proxy = scripted_server(expect_head(b"CONNECT "), reset())
    with through(proxy, certificates) as conn:
        with pytest.raises(ConnectionClosed) as caught:
            conn.send_request("GET", "/")
        assert caught.value.reason is CloseReason.CONNECTION_LOST


def test_close_after_the_tunnel_was_opened(
    scripted_server: ServerFactory, certificates: Certificates
) -> None:
    proxy = scripted_server(expect_head(b"CONNECT "), send(TUNNEL), close())
    with through(proxy, certificates) as conn, pytest.raises(ConnectionClosed):
        conn.send_request("GET", "/")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", TUNNEL])
@pytest.mark.parametrize("timeout", [0, 0.05])
def test_timeout_covers_proxy_and_handshake(
    certificates: Certificates, answer: bytes, timeout: float
) -> None:
    with Server(tcp=True) as proxy:
        conn = HTTPConnection(
            "localhost",
            ssl_context=certificates.client_context(),
            proxy=(proxy.host, proxy.port),
            timeout=timeout,
        )
        connecting = conn.co_connect()
        # To the point where nothing more comes.
        while next(connecting).poll(0.05) or not proxy.ends or not proxy.end.received:
            proxy.progress()
            if proxy.ends and proxy.end.unread:
                proxy.end.expect_head(b"CONNECT ")
                proxy.end.send(answer)
        with pytest.raises(ConnectionTimedOut) as caught:
            run(connecting, timeout)
        assert is_temp_network_error(caught.value)
        with pytest.raises(ConnectionTimedOut):
            conn.send_request("GET", "/")


def test_coroutine_dropped_at_each_yield(certificates: Certificates) -> None:
    """Whenever connecting is given up, nothing is left of it, and the next attempt works."""

    def go_on(proxy: Server) -> None:
        proxy.progress()
        if proxy.ends and b"\r\n\r\n" in proxy.end.unread and proxy.end.tls is None:
            proxy.end.expect_head(b"CONNECT localhost:443 ")
            proxy.end.send(TUNNEL)
            proxy.end.start_tls(certificates.server_context())

    def connect(coroutine: PollGenerator[None], proxy: Server, count: int) -> bool:
        """Resume *coroutine* *count* times; return whether it is at its end."""
        for _ in range(count):
            try:
                needed = next(coroutine)
            except StopIteration:
                return True
            for _ in range(1000):
                go_on(proxy)
                if needed.poll(0.01):
                    break
        return False

    ended, count = False, 0
    while not ended and count < 50:
        count += 1
        with Server(tcp=True) as proxy, no_descriptor_left():
            conn = HTTPConnection(
                "localhost",
                ssl_context=certificates.client_context(),
                proxy=("localhost", proxy.port),
            )
            connecting = conn.co_connect()
            ended = connect(connecting, proxy, count)
            connecting.close()
            assert not conn.response_pending()
            if not ended:
                assert connect(conn.co_connect(), proxy, 50)
            proxy.progress()
            proxy.prove_usable(conn)
            conn.close()
            for end in proxy.ends:
                end.close()
    assert ended
    # Resolver, TCP, the proxy's answer and each flight of TLS.
    assert count > 3


def test_proxy_that_cannot_be_one() -> None:
    for proxy in (("no proxy", 80), ("a/b", 80), ("", 80), ("u@h", 80)):
        with pytest.raises(LocalProtocolError):
            HTTPConnection("localhost", proxy=proxy)
    with pytest.raises(LocalProtocolError, match="without a proxy"):
        HTTPConnection("localhost", proxy_auth=CREDENTIALS)
    with pytest.raises(LocalProtocolError, match="unix socket"):
        HTTPConnection("localhost", proxy=("proxy", 80), unix_socket="/socket")
    # RFC 7617 §2: a colon ends the name.
    with pytest.raises(LocalProtocolError, match=":"):
        HTTPConnection("localhost", proxy=("proxy", 80), proxy_auth=("a:b", "c"))
