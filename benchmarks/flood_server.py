"""Answers requests faster than any client can read: ``flood_server.py PORT``.

It counts empty lines instead of parsing, and sends that many responses of a sequence that was made
beforehand, with the field lines of nginx, and different tags and content. It ends with SIGTERM.
"""

from __future__ import annotations

import random
import socket
import sys
import threading

SEQUENCE = 1024
"""Responses after which the sequence begins again."""

CONTENT_SIZE = 512
"""Bytes of content in each of them."""


def response(number: int) -> bytes:
    """Return one response of the sequence; all have the same length."""
    generator = random.Random(number)
    return (
        "HTTP/1.1 200 OK\r\n"
        "Server: nginx/1.22.1\r\n"
        "Date: Wed, 25 Nov 2026 10:00:00 GMT\r\n"
        "Content-Type: application/octet-stream\r\n"
        f"Content-Length: {CONTENT_SIZE}\r\n"
        "Last-Modified: Wed, 25 Nov 2026 09:00:00 GMT\r\n"
        "Connection: keep-alive\r\n"
        f'ETag: "{generator.getrandbits(32):08x}-{CONTENT_SIZE:x}"\r\n'
        "Accept-Ranges: bytes\r\n\r\n"
    ).encode() + generator.randbytes(CONTENT_SIZE)


def serve(sock: socket.socket, twice: memoryview, size: int) -> None:
    """Serve one connection; *twice* is the sequence two times, of responses of *size* bytes."""
    position = 0
    begin = b""
    with sock:
        try:
            while data := sock.recv(1 << 18):
                data = begin + data
                wanted = data.count(b"\r\n\r\n")
                begin = b"" if data.endswith(b"\r\n\r\n") else data[-3:]
                while wanted:
                    count = min(wanted, SEQUENCE)
                    sock.sendall(twice[position * size : (position + count) * size])
                    position = (position + count) % SEQUENCE
                    wanted -= count
        except ConnectionError:
            pass


def main() -> None:
    """Serve until SIGTERM."""
    responses = [response(number) for number in range(SEQUENCE)]
    twice = memoryview(b"".join(responses) * 2)
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            sock, _ = listener.accept()
            arguments = (sock, twice, len(responses[0]))
            threading.Thread(target=serve, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
