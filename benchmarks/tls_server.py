"""Does TLS handshakes and nothing else: ``tls_server.py PORT CERTIFICATE KEY``.

Each connection is kept until the client closes it. Ends with SIGTERM.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading


def serve(sock: socket.socket, context: ssl.SSLContext) -> None:
    """Serve one connection to its end."""
    with sock:
        try:
            # A record of its own for each small thing is not to wait for the one before.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(sock, server_side=True) as tls:
                while tls.recv(4096):
                    pass
        except OSError:
            pass


def main() -> None:
    """Serve until SIGTERM."""
    port, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", int(port)), backlog=128) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock, context), daemon=True).start()


if __name__ == "__main__":
    main()
