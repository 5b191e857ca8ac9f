"""A source and a sink of large bodies that costs nearly nothing: ``bulk_server.py PORT [SEND_BUFFER]``.

``GET /N`` is answered with N bytes by ``sendfile``, ``PUT`` with 204 after its content was dropped.
*SEND_BUFFER*, in bytes, is how much may be on its way; the system decides by default. It knows just
enough HTTP for that, and ends with SIGTERM.
"""

from __future__ import annotations

import os
import random
import re
import socket
import sys
import tempfile
import threading

BLOCK_SIZE = 1 << 20
"""Bytes of content, sent over and over: few enough to stay in the cache of the CPU."""

CONTENT_LENGTH = re.compile(rb"^content-length: (\d+)\r$", re.IGNORECASE | re.MULTILINE)


def serve(sock: socket.socket, block: int) -> None:
    """Serve one connection to its end. *block* is the descriptor of the content."""
    buffer = memoryview(bytearray(1 << 20))
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            received = sock.recv(65536)
            if not received:
                return
            data += received
        head, _, data = data.partition(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        if method == b"GET":
            left = int(target[1:])
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
            while left:
                left -= os.sendfile(sock.fileno(), block, 0, min(left, BLOCK_SIZE))
        else:
            length = CONTENT_LENGTH.search(head + b"\r\n")
            left = int(length[1]) - len(data) if length else 0
            data = b""
            while left:
                size = sock.recv_into(buffer)
                if not size:
                    return
                left -= size
            sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def main() -> None:
    """Serve until SIGTERM."""
    with tempfile.TemporaryFile() as content:
        content.write(random.Random(1).randbytes(BLOCK_SIZE))
        content.flush()
        with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
            for size in sys.argv[2:]:
                # Its connections inherit this.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(size))
            while True:
                sock, _ = listener.accept()
                arguments = (sock, content.fileno())
                threading.Thread(target=serve_and_close, args=arguments, daemon=True).start()


def serve_and_close(sock: socket.socket, block: int) -> None:
    """Serve one connection, and close it."""
    with sock:
        try:
            serve(sock, block)
        except ConnectionError:
            pass


main()
