"""Tests of cancellation that hold for each framework: at each point where an operation waits, in turn."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from httpio import _connect

from .operations import (
    OPERATIONS,
    Ask,
    ConnectProxy,
    cancel_everywhere,
    small_server,
)

if TYPE_CHECKING:
    from .certs import Certificates
    from .kits import Kit


def silent(stack: ExitStack) -> socket.socket:
    """Return a listener that does not answer, because its backlog is full."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    while True:
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        try:
            filler.getpeername()
        except OSError:
            filler.close()
            return listener


class CancellationTests:
    """To be run with fixtures ``kit`` and ``way``."""

    @pytest.mark.parametrize("name", OPERATIONS)
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_operation(
        self, kit: Kit, certificates: Certificates, name: str, way: str, tls: bool
    ) -> None:
        with small_server(certificates if tls else None, tcp=True) as server:
            cancel_everywhere(kit, OPERATIONS[name], way, server, lambda: kit.connection_to(server))

    @pytest.mark.parametrize("name", ["connect", "send_request", "request-bytes"])
    def test_unix_socket(self, kit: Kit, name: str, way: str) -> None:
        with small_server() as server:
            cancel_everywhere(kit, OPERATIONS[name], way, server, lambda: kit.connection_to(server))

    def test_unix_socket_with_full_backlog(self, kit: Kit, way: str, tmp_path: object) -> None:
        """It waits for a time, as nobody tells when there is room."""
        path = f"{tmp_path}/socket"
        with ExitStack() as stack:
            listener = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            listener.bind(path)
            listener.listen(0)
            stack.enter_context(closing(socket.socket(socket.AF_UNIX))).connect(path)

            async def main() -> None:
                conn = kit.connection(unix_socket=path)
                for number in (1, 2, 3):
                    became = await kit.cancel_at(number, way, conn.connect)
                    assert became.was_cancelled
                    kit.check_unwatched()
                # It is still good for a try.
                listener.accept()[0].close()
                await conn.connect()
                conn.close()

            kit.run(main)

    @pytest.mark.parametrize("name", ["connect", "send_request"])
    def test_host_name(self, kit: Kit, name: str, way: str) -> None:
        with small_server(tcp=True) as server:
            address = ("127.0.0.1", server.port)
            count = cancel_everywhere(
                kit,
                OPERATIONS[name],
                way,
                server,
                lambda: kit.connection("server.example", server.port),
                {"server.example": [address]},
            )
        assert count

    def test_host_name_by_the_system(self, kit: Kit, way: str) -> None:
        """A thread of the framework's asks the system, and cannot be stopped."""
        with small_server(tcp=True) as server:
            count = cancel_everywhere(
                kit,
                OPERATIONS["connect"],
                way,
                server,
                lambda: kit.connection("localhost", server.port),
            )
        assert count

    @pytest.mark.parametrize("name", ["connect", "request"])
    def test_race(self, kit: Kit, name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first address does not answer, the second refuses, the third is right."""
        monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", 0.005)
        with small_server(tcp=True) as server, ExitStack() as stack:
            refusing = stack.enter_context(closing(socket.socket()))
            refusing.bind(("127.0.0.1", 0))
            sockets = [silent(stack), silent(stack), refusing]
            addresses = [sock.getsockname() for sock in sockets] + [("127.0.0.1", server.port)]
            operation = OPERATIONS["connect"] if name == "connect" else AskAtOnce()
            count = cancel_everywhere(
                kit,
                operation,
                way,
                server,
                lambda: kit.connection("server.example", server.port),
                {"server.example": addresses},
            )
        # For the name, and for the addresses.
        assert count >= 2

    @pytest.mark.parametrize("name", ["connect", "get_ssl_cipher", "request-bytes"])
    def test_proxy(self, kit: Kit, certificates: Certificates, name: str, way: str) -> None:
        operation = AskAtOnce() if name == "request-bytes" else OPERATIONS[name]
        with small_server(certificates, tcp=True) as server, ConnectProxy() as proxy:
            cancel_everywhere(
                kit,
                operation,
                way,
                server,
                lambda: kit.connection(
                    "localhost", server.port, certificates.client_context(), proxy.address
                ),
            )


class AskAtOnce(Ask):
    """`request` on a connection that is not open yet."""

    def __init__(self) -> None:
        super().__init__("request", None)

    async def prepare(self, world: object) -> None:
        pass
