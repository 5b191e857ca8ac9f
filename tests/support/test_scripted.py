"""The scripted server does what its script says, and tells when it could not."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from .fix_certs import certificates as certificates
from .fix_scripted import scripted_server as scripted_server
from .scripted import (
    ScriptedServer,
    ScriptError,
    accept,
    close,
    drain,
    expect,
    expect_end,
    expect_head,
    expect_size,
    half_close,
    reset,
    send,
    send_endlessly,
    send_slowly,
    signal,
    start_tls,
    truncate,
    wait,
)

if TYPE_CHECKING:
    from .certs import Certificates
    from .fix_scripted import ServerFactory

LIMIT = 10.0


def connect(server: ScriptedServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=LIMIT)


def receive_all(sock: socket.socket) -> bytes:
    received = b""
    while data := sock.recv(65_536):
        received += data
    return received


def test_exchange_and_record(scripted_server: ServerFactory) -> None:
    server = scripted_server(
        expect_head(b"GET / "),
        send(b"one"),
        expect(b"two"),
        expect_size(3),
        expect(lambda data: data.endswith(b"!")),
        send_slowly(b"slowly", [1, 2]),
        close(),
        accept(),
        expect(b"again"),
        half_close(),
        expect_end(),
    )
    with connect(server) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(3) == b"one"
        sock.sendall(b"two")
        sock.sendall(b"abc")
        sock.sendall(b"three!")
        assert receive_all(sock) == b"slowly"
    with connect(server) as sock:
        sock.sendall(b"again")
        assert receive_all(sock) == b""
    server.finish()
    assert server.received == [b"GET / HTTP/1.1\r\nHost: x\r\n\r\ntwoabcthree!", b"again"]


def test_events(scripted_server: ServerFactory) -> None:
    reached, go_on = threading.Event(), threading.Event()
    server = scripted_server(signal(reached), wait(go_on), send(b"now"))
    with connect(server) as sock:
        assert reached.wait(LIMIT)
        go_on.set()
        assert sock.recv(3) == b"now"


def test_reset(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect(b"x"), reset())
    with connect(server) as sock:
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_send_endlessly_ends_with_the_client(scripted_server: ServerFactory) -> None:
    server = scripted_server(send_endlessly(b"x" * 1000, at_most=1 << 40))
    with connect(server) as sock:
        assert sock.recv(1) == b"x"


def test_unix_socket(scripted_server: ServerFactory) -> None:
    server = scripted_server(send(b"hello"), drain(), unix=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        sock.connect(server.path)
        assert sock.recv(5) == b"hello"


def test_socketpair(scripted_server: ServerFactory) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(LIMIT)
        scripted_server(send(b"hello"), close(), connected=theirs)
        assert receive_all(ours) == b"hello"


def test_tls(scripted_server: ServerFactory, certificates: Certificates) -> None:
    server = scripted_server(
        expect(b"ping"),
        send(b"pong"),
        expect_end(close_notify=True),
        close(),
        accept(),
        send(b"half"),
        truncate(),
        tls=certificates.server_context(),
    )
    context = certificates.client_context()
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(connect(server), server_hostname="localhost") as sock:
        sock.sendall(b"ping")
        assert sock.recv(4) == b"pong"
        sock.unwrap().close()
    with context.wrap_socket(
        connect(server), server_hostname="localhost", suppress_ragged_eofs=False
    ) as sock:
        assert sock.recv(4) == b"half"
        with pytest.raises(ssl.SSLEOFError):
            sock.recv(1)
    server.finish()
    assert server.received == [b"ping", b""]
    assert server.selected_alpn_protocol == "http/1.1"


def test_tls_after_an_exchange(scripted_server: ServerFactory, certificates: Certificates) -> None:
    server = scripted_server(
        expect_head(b"CONNECT "),
        send(b"HTTP/1.1 200 OK\r\n\r\n"),
        start_tls(certificates.server_context()),
        send(b"inside"),
        close(),
    )
    with connect(server) as sock:
        sock.sendall(b"CONNECT localhost:1 HTTP/1.1\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 200 OK\r\n\r\n"
        with certificates.client_context().wrap_socket(sock, server_hostname="localhost") as tls:
            assert receive_all(tls) == b"inside"


def test_wrong_bytes_fail_the_test() -> None:
    server = ScriptedServer(expect(b"expected"))
    with connect(server) as sock:
        sock.sendall(b"exit")
        with pytest.raises(ScriptError, match="received b'exit'") as caught:
            server.close()
    assert caught.value.__notes__ == ["in step 0, expect(b'expected') of the scripted server"]


def test_early_end_fails_the_test() -> None:
    server = ScriptedServer(expect(b"expected"))
    with connect(server) as sock:
        sock.sendall(b"exp")
    with pytest.raises(ScriptError, match="the client closed after b'exp'"):
        server.close()


def test_data_after_the_end_fails_the_test() -> None:
    server = ScriptedServer(expect_end())
    with connect(server) as sock:
        sock.sendall(b"more")
    with pytest.raises(ScriptError, match="b'more'"):
        server.close()


def test_failed_test_does_not_wait_for_its_script() -> None:
    # No client ever comes.
    server = ScriptedServer(expect(b"x"))
    server.close(complete=False)
    with pytest.raises(ZeroDivisionError), ScriptedServer(expect(b"x")):
        1 / 0  # noqa: B018 - any exception will do
