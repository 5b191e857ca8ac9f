"""A web server to practise on.

    python3 practice_server.py [PORT]

It listens on this machine only, on port 8000 if none is given, and keeps nothing when it ends. It knows
ranges of bytes, one at a time.

GET /hello.txt      a short text
GET /pages/N        page N, which has N lines
GET /box/NAME       what was put there before
PUT /box/NAME       keeps the content, and so does POST
PUT /full/NAME      refuses the content
GET /goodbye        answers, and closes the connection after that
GET /moody          closes the connection without an answer, every other time
GET /cut-off        announces 1000 bytes, sends 100, and closes the connection
GET /silence        does not answer
"""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class PracticeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "practice"
    # Or else the end of each answer waits for the client to acknowledge its beginning.
    disable_nagle_algorithm = True
    box: dict[str, bytes] = {}  # noqa: RUF012 - one for all connections
    moods: list[None] = []  # noqa: RUF012 - likewise

    def handle(self) -> None:
        # Whoever has gone does not want to know.
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        if self.path == "/hello.txt":
            self.answer(200, b"Hello, world!\n")
        elif self.path.startswith("/pages/"):
            number = int(self.path.removeprefix("/pages/"))
            self.answer(200, b"".join(b"page %d, line %d\n" % (number, n) for n in range(number)))
        elif self.path in self.box:
            self.answer(200, self.box[self.path])
        elif self.path == "/goodbye":
            self.answer(200, b"Good-bye!\n", last=True)
        elif self.path == "/moody":
            self.moods.append(None)
            if len(self.moods) % 2:
                self.close_connection = True
            else:
                self.answer(200, b"Well then.\n")
        elif self.path == "/cut-off":
            self.answer(200, b"." * 100, length=1000, last=True)
        elif self.path == "/silence":
            # Whatever else comes is not for it.
            while self.connection.recv(65536):
                pass
            self.close_connection = True
        else:
            self.answer(404, b"There is nothing here.\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        if self.path.startswith("/full/"):
            # Whoever does not read what was sent has to close the connection.
            self.answer(413, b"The box is full.\n", last=True)
            return
        if not self.path.startswith("/box/"):
            self.answer(404, b"There is no box.\n", last=True)
            return
        content = self.read_content()
        if content is None:
            # Whoever has gone in the middle has not sent it.
            self.close_connection = True
            return
        status = 204 if self.path in self.box else 201
        self.box[self.path] = content
        self.answer(status)

    def do_POST(self) -> None:
        self.do_PUT()

    def handle_expect_100(self) -> bool:
        if self.path.startswith("/full/"):
            self.answer(413, b"The box is full.\n", last=True)
            return False
        return super().handle_expect_100()

    def read_content(self) -> bytes | None:
        """Return the content, `None` if it breaks off."""
        if self.headers["Transfer-Encoding"] is None:
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            return content if len(content) == length else None
        content = b""
        while True:
            line = self.rfile.readline()
            if not line:
                return None
            size = int(line, 16)
            if not size:
                break
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # the trailer section
        return content

    def answer(
        self, status: int, content: bytes = b"", length: int | None = None, last: bool = False
    ) -> None:
        byte_range = None
        if status == 200 and (
            match := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        ):
            first, last_wanted = map(int, match.groups())
            status = 206 if first < len(content) else 416
            byte_range = f"bytes */{len(content)}"
            if status == 206:
                content, complete = content[first : last_wanted + 1], len(content)
                byte_range = f"bytes {first}-{first + len(content) - 1}/{complete}"
            else:
                content = b""
        # Older Pythons have another phrase for 413 than RFC 9110.
        self.send_response(status, "Content Too Large" if status == 413 else None)
        if status != 204:
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content) if length is None else length))
        if byte_range is not None:
            self.send_header("Content-Range", byte_range)
        if last and length is None:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if last:
            self.close_connection = True

    def finish(self) -> None:
        super().finish()
        # The client may still be sending. If that found nobody, our answer would be lost with it
        # (RFC 9112 §9.6).
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(65536):
                pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        print(format % args, flush=True)


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with ThreadingHTTPServer(("127.0.0.1", port), PracticeHandler) as server:
        print(f"Listening on http://127.0.0.1:{server.server_port}/, Ctrl-C ends it.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
