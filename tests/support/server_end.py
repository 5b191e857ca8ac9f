"""The server's side of connections in the hands of the test: nothing happens there that the test does not do.

Client and server live in one thread, so a test can stop a coroutine at any yield and look at what has been sent by
then. `Server.drive` runs a coroutine of the client, and meanwhile accepts, shakes hands and takes what comes.

Sockets are unix sockets unless a test needs TCP: what is sent through them has arrived when `send` returns, and
a buffer of the kernel's minimum size is full after a few KiB.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from httpio import HTTPConnection, PollNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from httpio import PollGenerator, Tracer

    from .certs import Certificates

_T = TypeVar("_T")

PATIENCE = 20.0
"""Seconds until something that is bound to happen is taken to have failed. Far more than it needs."""

_PIECE_SIZE = 65_536


class ServerEnd:
    """The server's end of one connection.

    `received` is all that came from the client, `unread` the part of it that the test has not taken. Waits have an end,
    after which they fail.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            # Or the kernel keeps small pieces back until the client has confirmed others.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.tls: ssl.SSLSocket | None = None
        self.handshaken = context is None
        self.received = bytearray()
        self.unread = bytearray()
        self.at_end = False
        """The client has ended its data, over TLS with close_notify."""
        self.broken = False
        """The client's data ended in another way."""
        if context is not None:
            self.start_tls(context)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; `progress` does the handshake."""
        self.handshaken = False
        self.sock = self.tls = context.wrap_socket(
            self.sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )

    def progress(self) -> None:
        """Go on with a handshake; without one, receive what has arrived. Does not wait."""
        if not self.handshaken:
            assert self.tls is not None
            try:
                self.tls.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                self.broken = True
                return
            self.handshaken = True
        while not self.at_end and not self.broken:
            try:
                data = self.sock.recv(_PIECE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                self.broken = True
                return
            self.at_end = not data
            self.received += data
            self.unread += data

    def take(self) -> bytes:
        """Return what has arrived and was not taken before. Does not wait."""
        self.progress()
        data = bytes(self.unread)
        self.unread.clear()
        return data

    def expect(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        self._wait_until(lambda: len(self.unread) >= size)
        data = bytes(self.unread[:size])
        del self.unread[:size]
        return data

    def expect_head(self, start: bytes = b"") -> bytes:
        """Return the next head, with its empty line; it has to begin with *start*."""
        self._wait_until(lambda: b"\r\n\r\n" in self.unread)
        head = self.expect(self.unread.index(b"\r\n\r\n") + 4)
        assert head.startswith(start), head
        return head

    def expect_end(self) -> None:
        """Wait for the client to close, with nothing before it, and over TLS with close_notify."""
        self._wait_until(lambda: self.at_end)
        assert not self.unread, bytes(self.unread)

    def expect_closed(self) -> None:
        """Wait for the client to close or to break the connection."""
        self._wait_until(lambda: self.at_end or self.broken)

    def _wait_until(self, happened: Callable[[], bool]) -> None:
        self.progress()
        while not happened():
            assert not self.at_end, f"the client closed after {bytes(self.unread)!r:.200}"
            assert not self.broken or self.at_end, "the connection broke"
            assert PollNeeded(self.sock.fileno(), 1).poll(PATIENCE), (
                f"nothing comes after {bytes(self.unread)!r:.200}"
            )
            self.progress()

    def send(self, data: bytes) -> None:
        """Send all of *data*."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                assert PollNeeded(self.sock.fileno(), 4).poll(PATIENCE), "the client does not read"

    def respond(self, content: bytes = b"", status: str = "200 OK", *field_lines: str) -> None:
        """Send a response with a Content-Length."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *field_lines, "", ""]
        self.send("\r\n".join(lines).encode("ascii") + content)

    def half_close(self) -> None:
        """Send the end of our data, over TLS with close_notify, and go on receiving."""
        if self.tls is not None:
            with suppress(OSError):
                self.tls.unwrap()
        # The client may have been quicker. The method of SSLSocket would forget about TLS.
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket and say nothing. What the client has sent and nobody read makes it a reset."""
        self.sock.close()

    def reset(self) -> None:
        """Send RST, whatever was or was not read. A unix socket is just closed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """Listens, and keeps each connection as a `ServerEnd`; a context manager.

    *tls*: with these certificates. *tcp*: on loopback instead of a unix socket.
    """

    def __init__(self, tls: Certificates | None = None, *, tcp: bool = False) -> None:
        self._cleanup = ExitStack()
        self._certificates = tls
        self.context = None if tls is None else tls.server_context()
        self.ends: list[ServerEnd] = []
        self.host = "localhost"
        self.port = 0
        self.path: str | None = None
        self._listener = self._cleanup.enter_context(
            socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        )
        if tcp:
            # Before listen(), for the sockets that are accepted to inherit it.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            self._listener.bind(("127.0.0.1", 0))
            self.port = int(self._listener.getsockname()[1])
            self.host = "127.0.0.1"
        else:
            directory = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="httpio-"))
            self.path = str(Path(directory, "socket"))
            self._listener.bind(self.path)
        self._listener.listen()
        self._listener.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for end in self.ends:
            end.close()
        self._cleanup.close()

    def client_context(self) -> ssl.SSLContext | None:
        """Return a context for clients, `None` if the server does not speak TLS."""
        return None if self._certificates is None else self._certificates.client_context()

    def connection(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float | None = PATIENCE,
        content_md5: bool = True,
        tracer: Tracer | None = None,
    ) -> HTTPConnection:
        """Return a connection object for this server, which is closed after the test."""
        conn = HTTPConnection(
            self.host,
            self.port or None,
            ssl_context or self.client_context(),
            unix_socket=self.path,
            timeout=timeout,
            content_md5=content_md5,
            tracer=tracer,
        )
        self._cleanup.callback(conn.close)
        return conn

    @property
    def end(self) -> ServerEnd:
        """The end of the connection that was accepted last."""
        return self.ends[-1]

    def progress(self) -> None:
        """Accept, shake hands and receive, as far as that goes without waiting."""
        with suppress(BlockingIOError):
            while True:
                self.ends.append(ServerEnd(self._listener.accept()[0], self.context))
        for end in self.ends:
            if end.sock.fileno() >= 0:
                end.progress()

    def drive(self, coroutine: PollGenerator[_T]) -> _T:
        """Return the result of *coroutine*; at each of its yields, `progress`."""
        try:
            while True:
                needed = next(coroutine)
                self.progress()
                # Something for us alone may come first: the end of a handshake.
                waited = 0.0
                while not needed.poll(0.02):
                    self.progress()
                    waited += 0.02
                    assert waited < PATIENCE, f"the coroutine waits in vain for {needed}"
        except StopIteration as exc:
            result: _T = exc.value
            return result

    def connect(self, conn: HTTPConnection, *, small: bool = False) -> ServerEnd:
        """Have *conn* connect, and return our end. *small*: with the smallest send buffer there is."""
        self.drive(conn.co_connect())
        self.progress()
        if small:
            shrink_send_buffer(conn)
        return self.end

    def prove_usable(self, conn: HTTPConnection) -> None:
        """Check that a request on *conn* reaches us as it should, and its response reaches *conn*."""
        self.drive(conn.co_send_request("GET", "/proof"))
        self.progress()
        head = self.end.expect_head(b"GET /proof HTTP/1.1\r\n")
        assert head.count(b"\r\n") == 5, head
        assert not self.end.take()
        self.end.respond(b"proven")
        response = self.drive(conn.co_read_response())
        assert (response.status, response.path) == (200, "/proof")
        assert self.drive(conn.co_readall()) == b"proven"
        assert not conn.response_pending()


def shrink_send_buffer(conn: HTTPConnection) -> None:
    """Give *conn* the smallest send buffer that the kernel has."""
    with socket.socket(fileno=os.dup(conn.fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


def advance(coroutine: Generator[PollNeeded, None, object], count: int) -> bool:
    """Resume *coroutine* *count* times, whether or not that makes sense; return `False` if it has ended."""
    try:
        for _ in range(count):
            next(coroutine)
    except StopIteration:
        return False
    return True


@contextmanager
def suspended(coroutine: Generator[PollNeeded, None, object]) -> Iterator[PollNeeded]:
    """Run *coroutine* to its first yield, and drop it at the end of the block."""
    needed = next(coroutine)
    try:
        yield needed
    finally:
        coroutine.close()
