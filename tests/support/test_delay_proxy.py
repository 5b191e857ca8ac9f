"""The delaying proxy changes nothing but the time."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from .delay_proxy import delay_proxy
from .documents import sha256
from .fix_scripted import scripted_server as scripted_server
from .scripted import accept, close, expect, expect_end, half_close, reset, send

if TYPE_CHECKING:
    from .fix_scripted import ServerFactory

LIMIT = 10.0
CONTENT = bytes(range(256)) * 8192


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def receive_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while data := sock.recv(65_536):
        received += data
    return bytes(received)


@pytest.mark.parametrize("rtt", [0.0, 0.01])
def test_both_directions(scripted_server: ServerFactory, rtt: float) -> None:
    server = scripted_server(
        send(b"first"),
        expect(CONTENT),
        expect_end(),
        send(CONTENT),
        half_close(),
    )
    with (
        delay_proxy(server.port, rtt) as port,
        connect(port) as sock,
        ThreadPoolExecutor(1) as pool,
    ):
        sent = pool.submit(sock.sendall, CONTENT)
        assert sock.recv(5, socket.MSG_WAITALL) == b"first"
        sent.result(LIMIT)
        # Each direction ends by itself.
        sock.shutdown(socket.SHUT_WR)
        assert sha256(receive_all(sock)) == sha256(CONTENT)


def test_connections_end_like_the_server_ends_them(scripted_server: ServerFactory) -> None:
    server = scripted_server(send(b"bye"), close(), accept(), expect(b"x"), reset())
    with delay_proxy(server.port, 0.002) as port:
        with connect(port) as sock:
            assert receive_all(sock) == b"bye"
        with connect(port) as sock:
            sock.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            delay_proxy(unused.getsockname()[1], 0.0) as port,
            connect(port) as sock,
            pytest.raises(ConnectionResetError),
        ):
            sock.recv(1)
