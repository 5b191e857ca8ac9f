"""From a name or a path to a connection, through proxies and with TLS; and sockets that are handed over."""

from __future__ import annotations

import base64
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HostnameNotResolvable,
    HTTPIOError,
    InvalidResponse,
    ProxyError,
    StateError,
    UnsupportedResponse,
    is_temp_network_error,
)
from tests.support.scripted import (
    Step,
    accept,
    close,
    drain,
    expect,
    expect_end,
    expect_head,
    expect_size,
    reset,
    send,
    start_tls,
)
from tests.support.select_loop import WAIT_LIMIT

from .client import PROOF, STARTS_ANEW, deliver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Conversation, ScriptedServer

    from .client import Client, ClientFactory
    from .drivers import Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


# Directly


@pytest.mark.parametrize("kind", ["unix", "tcp", "unix-tls", "tcp-tls"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_connect(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    kind: str,
    by_hand: bool,
) -> None:
    tls = kind.endswith("tls")
    server = scripted_server(
        *PROOF,
        *PROOF,
        expect_end(close_notify=tls or None),
        tls=certificates.server_context() if tls else None,
        unix=kind.startswith("unix"),
    )
    client = make_client(server, tls=tls)
    conn = client.conn
    with pytest.raises(StateError):
        conn.fileno()
    if by_hand:
        client.driver.connect()
        fd = conn.fileno()
        # There is nothing to do any more.
        client.driver.connect()
        assert conn.fileno() == conn.socket_fileno() == fd
    client.prove_usable()
    client.prove_usable()
    assert not conn.closed
    client.close()
    assert conn.closed
    server.finish()
    assert server.selected_alpn_protocol == ("http/1.1" if tls else None)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_connect_to_a_name(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    tls: bool,
) -> None:
    """Which may have addresses that nobody listens at."""
    context = certificates.server_context() if tls else None
    server = scripted_server(*PROOF, *STARTS_ANEW, drain(), tls=context)
    target: Target = {
        "hostname": "localhost",
        "port": server.port,
        "ssl_context": certificates.client_context() if tls else None,
        "source_address": ("127.0.0.1", 0),
    }
    client = make_client(target)
    client.prove_usable()
    client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_resolver_of_the_callers(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    tls: bool,
) -> None:
    """It chooses where to connect to, and nothing else."""
    context = certificates.server_context() if tls else None
    server = scripted_server(*PROOF, drain(), tls=context)
    asked = []

    def resolver(hostname: str, port: int) -> list[tuple[str, int]]:
        asked.append((hostname, port))
        return [("127.0.0.1", server.port)]

    client = make_client(
        {
            "hostname": "localhost",
            "port": 7,
            "ssl_context": certificates.client_context() if tls else None,
            "resolver": resolver,
        }
    )
    client.prove_usable()
    client.close()
    server.finish()
    assert asked == [("localhost", 7)]
    assert b"\r\nHost: localhost:7\r\n" in server.received[0]


def test_nobody_listens(make_client: ClientFactory, certificates: Certificates) -> None:
    with socket.socket() as sock:
        # Bound, and not listening: nobody else gets the port.
        sock.bind(("127.0.0.1", 0))
        client = make_client({"hostname": "127.0.0.1", "port": sock.getsockname()[1]})
        for attempt in (client.driver.connect, client.ask) * 2:
            with pytest.raises(ConnectionRefusedError) as caught:
                attempt()
            assert is_temp_network_error(caught.value)
            assert not client.conn.response_pending()
        client.close()


def test_unix_socket_that_is_not_there(make_client: ClientFactory, tmp_path: Path) -> None:
    client = make_client({"hostname": "localhost", "unix_socket": str(tmp_path / "none")})
    for attempt in (client.driver.connect, client.ask):
        with pytest.raises(FileNotFoundError) as caught:
            attempt()
        assert not is_temp_network_error(caught.value)
    client.close()


def test_name_that_does_not_exist(make_client: ClientFactory) -> None:
    # Nobody is asked about a name with such a label.
    client = make_client({"hostname": f"{64 * 'a'}.invalid"})
    for attempt in (client.driver.connect, client.ask):
        with pytest.raises(HostnameNotResolvable):
            attempt()
        assert not client.conn.response_pending()
    client.close()


# TLS


def fail_tls(context: ssl.SSLContext) -> Step:
    """Do a handshake that the client breaks off."""

    def perform(conversation: Conversation) -> None:
        with suppress(ssl.SSLError, ConnectionError):
            conversation.start_tls(context)

    return Step("fail_tls()", perform)


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_certificate_that_fails(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    wrong: str,
) -> None:
    refused = fail_tls(certificates.server_context())
    server = scripted_server(refused, drain(), accept(), refused, drain(), unix=True)
    client = make_client(
        {
            "hostname": "localhost" if wrong == "authority" else "other.example",
            "unix_socket": server.path,
            "ssl_context": (
                ssl.create_default_context()
                if wrong == "authority"
                else certificates.client_context()
            ),
        }
    )
    for attempt in (client.driver.connect, client.ask):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            attempt()
        assert not is_temp_network_error(caught.value)
        assert not client.conn.response_pending()
        with pytest.raises(StateError):
            client.conn.fileno()
    client.close()


@pytest.mark.parametrize("end", [close, reset])
def test_server_that_ends_the_handshake(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    end: Callable[[], Step],
) -> None:
    server = scripted_server(
        # Of what the client says first. By then it is connected.
        expect_size(5),
        end(),
        accept(),
        start_tls(certificates.server_context()),
        *PROOF,
        drain(),
    )
    client = make_client(server, tls=True)
    with pytest.raises(ConnectionClosed) as caught:
        client.ask()
    assert caught.value.reason in {CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST}
    assert caught.value.unanswered == ()
    assert is_temp_network_error(caught.value)
    # Nothing was lost, so the next attempt is as good as the first.
    client.prove_usable()
    client.close()


# Proxies

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


def through(
    proxy: ScriptedServer,
    certificates: Certificates | None = None,
    proxy_auth: tuple[str, str] | None = None,
) -> Target:
    """Return how to connect through *proxy*, with TLS if there are *certificates*."""
    return {
        "hostname": "localhost",
        "proxy": (proxy.host, proxy.port),
        "proxy_auth": proxy_auth,
        "ssl_context": None if certificates is None else certificates.client_context(),
    }


def tunnel(certificates: Certificates) -> tuple[Step, ...]:
    """Return the steps of a proxy that opens the tunnel."""
    context = certificates.server_context()
    return (expect_head(b"CONNECT localhost:443 "), send(TUNNEL), start_tls(context))


@pytest.mark.parametrize("proxy_auth", [None, ("me", "sécret:x")], ids=["open", "credentials"])
def test_proxy(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    proxy_auth: tuple[str, str] | None,
) -> None:
    steps = [expect_head(b"GET http://localhost/a "), send(OK)] * 2
    proxy = scripted_server(*steps, drain())
    client = make_client(through(proxy, None, proxy_auth))
    for _ in range(2):
        client.ask("/a")
        response, content = client.receive()
        assert (response.path, content) == ("/a", b"ok")
    client.close()
    proxy.finish()
    basic = base64.b64encode("me:sécret:x".encode())
    expected = 2 if proxy_auth else 0
    assert proxy.received[0].count(b"\r\nProxy-Authorization: Basic " + basic) == expected


@pytest.mark.parametrize(
    "answer",
    [TUNNEL, b"HTTP/1.1 100\r\n\r\nHTTP/1.1 103 x\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\n"],
    ids=["plain", "interim"],
)
@pytest.mark.parametrize("sizes", [(), (1,)], ids=["whole", "bytes"])
def test_tunnel(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    answer: bytes,
    sizes: tuple[int, ...],
) -> None:
    proxy = scripted_server(
        expect(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n"),
        deliver(answer, sizes),
        start_tls(certificates.server_context()),
        *PROOF,
        *PROOF,
        expect_end(close_notify=True),
    )
    client = make_client(through(proxy, certificates))
    client.prove_usable()
    client.prove_usable()
    client.close()


REFUSALS = {
    "403": (b"HTTP/1.1 403 Not there\r\nContent-Length: 4\r\n\r\nbody", False),
    "407": (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n", False),
    "503": (b"HTTP/1.0 503 Busy\r\n\r\n", True),
}


@pytest.mark.parametrize(("answer", "temporary"), REFUSALS.values(), ids=REFUSALS)
def test_tunnel_that_is_refused(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    answer: bytes,
    temporary: bool,
) -> None:
    proxy = scripted_server(
        expect_head(b"CONNECT "),
        send(answer),
        expect_end(),
        accept(),
        *tunnel(certificates),
        *PROOF,
        drain(),
    )
    client = make_client(through(proxy, certificates))
    with pytest.raises(ProxyError) as caught:
        client.ask()
    assert caught.value.status == int(answer[9:12])
    assert is_temp_network_error(caught.value) is temporary
    assert not client.conn.response_pending()
    # Nothing has happened, so the next attempt is as good as the first.
    client.prove_usable()
    client.close()


NONSENSE: dict[str, tuple[bytes, type[HTTPIOError]]] = {
    "ssh": (b"SSH-2.0-OpenSSH\r\n", InvalidResponse),
    "http/2": (b"HTTP/2.0 200 OK\r\n\r\n", UnsupportedResponse),
    # In TLS the client speaks first, so that is not the server.
    "more": (TUNNEL + b"\x16\x03\x01", InvalidResponse),
    "nothing": (b"", ConnectionClosed),
    "half": (b"HTTP/1.1 200 OK\r\n", ConnectionClosed),
}


@pytest.mark.parametrize(("answer", "error"), NONSENSE.values(), ids=NONSENSE)
def test_proxy_that_talks_nonsense(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    answer: bytes,
    error: type[HTTPIOError],
) -> None:
    end = close() if error is ConnectionClosed else drain()
    proxy = scripted_server(
        expect_head(b"CONNECT "),
        deliver(answer),
        end,
        accept(),
        *tunnel(certificates),
        *PROOF,
        drain(),
    )
    client = make_client(through(proxy, certificates))
    with pytest.raises(error) as caught:
        client.driver.connect()
    assert is_temp_network_error(caught.value) is (error is ConnectionClosed)
    assert not client.conn.response_pending()
    client.prove_usable()
    client.close()


# Other protocols


def switch(client: Client, asked: str) -> int:
    """Have the connection speak another protocol; return the status of the answer."""
    if asked == "upgrade":
        client.ask(headers={"Connection": "upgrade", "Upgrade": "mine"})
    else:
        client.ask("far.example:22", method="CONNECT")
    return client.driver.read_response().status


SWITCHES = {
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: mine\r\nConnection: upgrade\r\n\r\n",
    "connect": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("asked", SWITCHES)
@pytest.mark.parametrize("ahead", [b"", b"HTTP/1.1 200 OK\r\n\r\nahead of time"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_detach(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    asked: str,
    ahead: bytes,
    tls: bool,
) -> None:
    server = scripted_server(
        expect_head(),
        send(SWITCHES[asked] + ahead),
        expect(b"hello"),
        send(b"world"),
        accept(),
        *PROOF,
        drain(),
        tls=certificates.server_context() if tls else None,
        unix=not tls,
    )
    client = make_client(server, tls=tls)
    assert switch(client, asked) == int(SWITCHES[asked][9:12])
    assert not client.conn.response_pending()
    for attempt in (client.ask, client.driver.read_response):
        with pytest.raises(ConnectionClosed, match=r"detach\(\)") as caught:
            attempt()
        assert caught.value.reason is CloseReason.SWITCHED_PROTOCOLS
    sock, received = client.conn.detach()
    with sock:
        assert sock.gettimeout() == 0
        sock.settimeout(WAIT_LIMIT)
        # What came ahead may be on its way yet.
        while len(received) < len(ahead):
            received += sock.recv(len(ahead) - len(received))
        assert received == ahead
        sock.sendall(b"hello")
        assert sock.recv(100) == b"world"
        with pytest.raises(StateError):
            client.conn.detach()
        # The next request has nothing to do with that.
        client.prove_usable()
    client.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_switched_and_not_detached(
    scripted_server: ServerFactory, make_client: ClientFactory, how: str
) -> None:
    server = scripted_server(
        expect_head(), send(SWITCHES["upgrade"]), expect_end(), accept(), *PROOF, drain(), unix=True
    )
    client = make_client(server)
    assert switch(client, "upgrade") == 101
    getattr(client.conn, how)()
    with pytest.raises(StateError):
        client.conn.detach()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("asked", SWITCHES)
def test_switch_that_is_refused(
    scripted_server: ServerFactory, make_client: ClientFactory, asked: str
) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    client = make_client(scripted_server(expect_head(), send(refusal), *PROOF, drain(), unix=True))
    assert switch(client, asked) == 403
    assert client.driver.readall() == b"no"
    with pytest.raises(StateError):
        client.conn.detach()
    client.prove_usable()
    client.close()


def test_read_raw(scripted_server: ServerFactory, make_client: ClientFactory) -> None:
    """What cannot be delimited can still be looked at."""
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + b"whatever" * 1000
    client = make_client(
        scripted_server(expect_head(), send(wire), close(), accept(), *PROOF, drain(), unix=True)
    )
    client.ask()
    client.driver.read_response()
    with pytest.raises(UnsupportedResponse):
        client.driver.readall()
    found = b""
    while data := client.driver.read_raw(3000):
        found += data
    assert found == b"whatever" * 1000
    client.conn.reset()
    client.prove_usable()
    client.close()
