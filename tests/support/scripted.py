"""A server that does exactly what a script says, and so can misbehave in every way that a client must survive.

A script is a sequence of steps made by the functions of this module. It runs in a thread; the first connection is
accepted before the first step. Nothing in a script depends on time: a step waits for what it names, and every wait has
an end, after which the step fails. What goes wrong in the thread is raised in the test when the server is closed::

    with ScriptedServer(
        expect_head(b"GET / HTTP/1.1"),
        send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhel"),
        reset(),
    ) as server:
        connection = HTTPConnection(server.host, server.port)

When a script is at its end, its last connection stays open until the server is closed.
"""

from __future__ import annotations

import socket
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self

from .channels import Channel, PlainChannel, TLSChannel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from threading import Event
    from types import TracebackType

STEP_LIMIT = 10.0
"""Seconds that any step may wait."""


class ScriptError(AssertionError):
    """A step did not find what it expected."""


@dataclass(frozen=True)
class Step:
    """One thing that the server does."""

    description: str
    perform: Callable[[Conversation], object]

    def __str__(self) -> str:
        return self.description


class Conversation:
    """What the steps of a script work on: the current connection and what came from it.

    `unread` holds the bytes that were received and that no step has consumed.
    """

    def __init__(self, accept: Callable[[], socket.socket], tls: ssl.SSLContext | None) -> None:
        self._accept = accept
        self._tls = tls
        self._channel: Channel | None = None
        self.received: list[bytearray] = []
        self.unread = bytearray()
        self.selected_alpn_protocol: str | None = None

    @property
    def channel(self) -> Channel:
        """The current connection."""
        if self._channel is None:
            raise ScriptError("the script has closed the connection and not accepted another one")
        return self._channel

    def accept(self) -> None:
        """Wait for a connection and make it the current one; an earlier one is closed."""
        self.leave()
        sock = self._accept()
        sock.settimeout(STEP_LIMIT)
        self._channel = PlainChannel(sock)
        self.received.append(bytearray())
        self.unread = bytearray()
        if self._tls is not None:
            self.start_tls(self._tls)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the server's side of a TLS handshake on the current connection."""
        assert not self.unread, f"unread before the TLS handshake: {bytes(self.unread)!r}"
        channel = TLSChannel(self.channel, context)
        self._channel = channel
        self.selected_alpn_protocol = channel.selected_alpn_protocol

    def leave(self) -> None:
        """Close the current connection, if there is one, without further ado."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def interrupt(self) -> None:
        """Make whatever the script does with the current connection fail; for another thread."""
        if self._channel is not None:
            self._channel.interrupt()

    def receive(self) -> bytes:
        """Receive once, record it, and add it to `unread`; return ``b""`` at the end."""
        data = self.channel.receive()
        self.received[-1] += data
        self.unread += data
        return data

    def consume(self, size: int) -> bytes:
        """Take *size* bytes from the front of `unread`."""
        taken = bytes(self.unread[:size])
        del self.unread[:size]
        return taken

    def receive_until(self, complete: Callable[[bytes], bool]) -> None:
        """Receive until *complete* says yes to what is unread."""
        while not complete(bytes(self.unread)):
            if not self.receive():
                raise ScriptError(f"the client closed after {bytes(self.unread)!r}")


def expect(wanted: bytes | Callable[[bytes], bool]) -> Step:
    """Receive exactly the bytes *wanted*, or until the predicate *wanted* accepts all that is unread."""

    def perform(conversation: Conversation) -> None:
        if isinstance(wanted, bytes):
            _expect_bytes(conversation, wanted)
        else:
            conversation.receive_until(wanted)
            conversation.unread.clear()

    return Step(f"expect({wanted!r:.80})", perform)


def _expect_bytes(conversation: Conversation, wanted: bytes) -> None:
    # A wrong byte is reported at once, not after waiting for the length to be full.
    conversation.receive_until(lambda data: len(data) >= len(wanted) or not wanted.startswith(data))
    found = conversation.consume(len(wanted))
    if found != wanted:
        raise ScriptError(f"expected {wanted!r}, received {found!r}")


def expect_head(start: bytes = b"") -> Step:
    """Receive the head of a request, to the end of its empty line; it has to begin with *start*."""

    def perform(conversation: Conversation) -> None:
        conversation.receive_until(lambda data: b"\r\n\r\n" in data)
        head = conversation.consume(conversation.unread.index(b"\r\n\r\n") + 4)
        if not head.startswith(start):
            raise ScriptError(f"expected a head that begins with {start!r}, received {head!r}")

    return Step(f"expect_head({start!r})", perform)


def expect_size(size: int) -> Step:
    """Receive *size* bytes, whatever they are."""

    return Step(f"expect_size({size})", lambda conversation: _receive_size(conversation, size))


def _receive_size(conversation: Conversation, size: int) -> bytes:
    conversation.receive_until(lambda data: len(data) >= size)
    return conversation.consume(size)


def expect_chunks(content: bytes, trailers: bytes = b"") -> Step:
    """Receive a chunked body that comes to *content*, whatever its chunks are, with the lines *trailers* at its end."""

    def perform(conversation: Conversation) -> None:
        found = bytearray()
        size = -1
        while size:
            conversation.receive_until(lambda data: b"\r\n" in data)
            size = int(conversation.consume(conversation.unread.index(b"\r\n") + 2), 16)
            if size:
                found += _receive_size(conversation, size)
                _expect_bytes(conversation, b"\r\n")
        if found != content:
            raise ScriptError(f"expected {content!r:.80} in chunks, received {bytes(found)!r:.80}")
        _expect_bytes(conversation, trailers + b"\r\n")

    return Step(f"expect_chunks({content!r:.80}, {trailers!r})", perform)


def expect_end(*, close_notify: bool | None = None) -> Step:
    """Receive the client's close, with nothing before it.

    *close_notify*: whether a TLS closure alert has to precede it; None: it does not matter.
    """

    def perform(conversation: Conversation) -> None:
        while conversation.receive():
            pass
        if conversation.unread:
            raise ScriptError(f"before its end the client sent {bytes(conversation.unread)!r}")
        truncated = conversation.channel.truncated
        if close_notify is not None and truncated is close_notify:
            raise ScriptError(
                f"the client closed {'without' if truncated else 'with'} close_notify"
            )

    return Step(f"expect_end(close_notify={close_notify})", perform)


def drain() -> Step:
    """Receive and forget until the client closes or resets the connection."""

    def perform(conversation: Conversation) -> None:
        try:
            while conversation.receive():
                conversation.unread.clear()
        except ConnectionError:
            pass

    return Step("drain()", perform)


def send(data: bytes) -> Step:
    """Send *data*."""
    return Step(f"send({data!r:.80})", lambda conversation: conversation.channel.send(data))


def send_slowly(data: bytes, sizes: Iterable[int] = (1,)) -> Step:
    """Send *data* in pieces of the *sizes* given, over and over, each in a segment (and TLS record) of its own."""
    cycle = tuple(sizes)
    assert all(size > 0 for size in cycle), "a piece has at least one byte"

    def perform(conversation: Conversation) -> None:
        position = piece = 0
        while position < len(data):
            size = cycle[piece % len(cycle)]
            conversation.channel.send(data[position : position + size])
            position += size
            piece += 1

    return Step(f"send_slowly({data!r:.80}, {cycle})", perform)


def send_endlessly(piece: bytes, *, at_most: int) -> Step:
    """Send *piece* over and over until the client closes the connection, or *at_most* bytes are sent."""

    def perform(conversation: Conversation) -> None:
        sent = 0
        try:
            while sent < at_most:
                conversation.channel.send(piece)
                sent += len(piece)
        except ConnectionError:
            pass

    return Step(f"send_endlessly({piece!r:.80}, at_most={at_most})", perform)


def half_close() -> Step:
    """Send the end of our data (over TLS: close_notify, then FIN), and keep receiving."""
    return Step("half_close()", lambda conversation: conversation.channel.half_close())


def close() -> Step:
    """Close the connection properly, over TLS with close_notify.

    The kernel turns this into a reset if the client has sent something that no step received.
    """

    def perform(conversation: Conversation) -> None:
        conversation.channel.half_close()
        conversation.leave()

    return Step("close()", perform)


def truncate() -> Step:
    """Close TCP without a close_notify before; for a connection without TLS the same as `close`."""
    return Step("truncate()", Conversation.leave)


def reset() -> Step:
    """Send RST; what the client has not received yet may be lost. TCP only."""

    def perform(conversation: Conversation) -> None:
        conversation.channel.reset()
        conversation.leave()

    return Step("reset()", perform)


def accept() -> Step:
    """Accept the next connection; the current one is closed if it is still open."""
    return Step("accept()", Conversation.accept)


def start_tls(context: ssl.SSLContext) -> Step:
    """Do a TLS handshake on the current connection, as after a CONNECT."""
    return Step("start_tls()", lambda conversation: conversation.start_tls(context))


def wait(event: Event) -> Step:
    """Wait until the test sets *event*."""

    def perform(_: Conversation) -> None:
        if not event.wait(STEP_LIMIT):
            raise ScriptError("the test did not set the event")

    return Step("wait()", perform)


def signal(event: Event) -> Step:
    """Set *event*, for the test to wait for."""
    return Step("signal()", lambda _: event.set())


class ScriptedServer:
    """Runs a script against the clients that connect; a context manager.

    It listens on loopback TCP (`host`, `port`). *unix*: on a unix socket (`path`) instead. *connected*: not at all; the
    script runs over this socket, for example one of a socketpair, and owns it.

    *tls*: handshake with this context after each accept. *receive_buffer*: size in bytes of the kernel's receive buffer
    (roughly), so that a client that is not read from blocks early.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *steps: Step,
        tls: ssl.SSLContext | None = None,
        unix: bool = False,
        connected: socket.socket | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._steps = steps
        self._cleanup = ExitStack()
        self.port = 0
        self.path = ""
        self._first = connected
        self._listener = self._cleanup.enter_context(
            socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        )
        if receive_buffer is not None:
            # Before listen: accepted sockets inherit it, and later is too late for the window's scale.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if unix:
            directory = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="httpio-"))
            self.path = str(Path(directory, "socket"))
            self._listener.bind(self.path)
        else:
            self._listener.bind((self.host, 0))
            self.port = int(self._listener.getsockname()[1])
        self._listener.listen()
        self._listener.settimeout(STEP_LIMIT)
        self._conversation = Conversation(self._accept, tls)
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="scripted server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A test that has failed leaves its script half done: no second error, and no waiting for it.
        self.close(complete=exc is None)

    @property
    def received(self) -> list[bytes]:
        """All bytes that came over each connection, in the order of the connections."""
        return [bytes(data) for data in self._conversation.received]

    @property
    def selected_alpn_protocol(self) -> str | None:
        """What the last TLS handshake agreed on."""
        return self._conversation.selected_alpn_protocol

    def finish(self) -> None:
        """Wait until the script has run to its end, and raise what went wrong in it."""
        # Twice: the last step may have begun just now.
        self._thread.join(2 * STEP_LIMIT)
        if self._thread.is_alive():
            raise ScriptError("the script is not at its end")
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def close(self, *, complete: bool = True) -> None:
        """Close all sockets. *complete*: first wait for the end of the script, and raise what went wrong in it."""
        try:
            if complete:
                self.finish()
        finally:
            # Closing a socket does not wake a thread that waits for it; shutting it down does.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._conversation.interrupt()
            self._thread.join(STEP_LIMIT)
            self._conversation.leave()
            self._cleanup.close()

    def _accept(self) -> socket.socket:
        if self._first is not None:
            sock, self._first = self._first, None
            return sock
        sock, _ = self._listener.accept()
        if sock.family == socket.AF_INET:
            # What is sent in pieces goes in pieces, and does not wait for an acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _run(self) -> None:
        position = "accept()"
        try:
            self._conversation.accept()
            for number, step in enumerate(self._steps):
                position = f"step {number}, {step}"
                step.perform(self._conversation)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test's thread raises it
            failure.add_note(f"in {position} of the scripted server")
            self._failure = failure
