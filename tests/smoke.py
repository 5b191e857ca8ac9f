"""One exchange over a real socket, with nothing installed but the core and no test framework.

Run by itself, ``python -I smoke.py``, and not collected by pytest.
"""

from __future__ import annotations

import sys

import httpio

HEAVY = {"asyncio", "dataclasses", "email", "http", "ssl", "threading", "typing"}
loaded_by_httpio = HEAVY & set(sys.modules)

import socket  # noqa: E402 - after the look at what httpio alone has loaded
import threading  # noqa: E402

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REQUESTS = 3


def serve(listener: socket.socket) -> None:
    """Answer `REQUESTS` requests without content that come over one connection."""
    peer, _ = listener.accept()
    with peer:
        received = b""
        answered = 0
        while answered < REQUESTS:
            if not (data := peer.recv(65536)):
                return
            received += data
            complete = received.count(b"\r\n\r\n")
            peer.sendall(RESPONSE * (complete - answered))
            answered = complete


def main() -> None:
    """Exchange pipelined requests and responses with a server in a thread."""
    assert not loaded_by_httpio, f"import httpio loads {sorted(loaded_by_httpio)}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        with httpio.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30) as conn:
            for number in range(REQUESTS):
                conn.send_request("GET", f"/{number}")
            for number in range(REQUESTS):
                response = conn.read_response()
                assert (response.status, response.path) == (200, f"/{number}"), response
                assert conn.readall() == b"hello"
        server.join(30)
    print(f"httpio from {httpio.__file__}: {REQUESTS} pipelined requests answered")


if __name__ == "__main__":
    main()
