"""Stops speaking HTTP, and uses the connection for something else.

    python examples/detach_socket.py UNIX_SOCKET connect HOST:PORT
    python examples/detach_socket.py UNIX_SOCKET upgrade PROTOCOL

Connects to a server that listens on a unix socket, and asks it for a tunnel (RFC 9110 §9.3.6) or
for another protocol (RFC 9110 §7.8). Standard input then goes to whoever is there now, and what
comes back goes to standard output.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from typing import BinaryIO


def open_tunnel(conn: HTTPConnection, target: str) -> tuple[socket.socket, bytes]:
    """Have the server connect to *target*, ``host:port``."""
    conn.send_request("CONNECT", target)
    resp = conn.read_response()
    if not 200 <= resp.status < 300:
        raise SystemExit(f"no tunnel: {resp.status} {resp.reason}")
    return conn.detach()


def upgrade(conn: HTTPConnection, protocol: str) -> tuple[socket.socket, bytes]:
    """Have the server change to *protocol*."""
    conn.send_request("GET", "/", {"Connection": "Upgrade", "Upgrade": protocol})
    resp = conn.read_response()
    if resp.status != 101:
        raise SystemExit(f"no upgrade: {resp.status} {resp.reason}")
    return conn.detach()


def exchange(sock: socket.socket, already: bytes, source: BinaryIO, sink: BinaryIO) -> None:
    """Send all of *source*, and write what comes back to *sink*.

    *already* is what the peer was so quick to send that it arrived together with the response.
    """
    # The socket comes as httpio has used it, which is non-blocking.
    sock.setblocking(True)
    sink.write(already)
    # Enough for a peer that answers at the end; a conversation needs a loop around select().
    sock.sendall(source.read())
    sock.shutdown(socket.SHUT_WR)
    while data := sock.recv(65536):
        sink.write(data)
    sink.flush()


def main(path: str, what: str, argument: str) -> None:
    # The host name is for the Host field only: nothing is looked up.
    conn = HTTPConnection("localhost", unix_socket=path)
    ask = {"connect": open_tunnel, "upgrade": upgrade}[what]
    sock, already = ask(conn, argument)
    with sock:
        exchange(sock, already, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main(*sys.argv[1:])
