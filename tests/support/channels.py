"""One end of a connection under full control: no step of closing happens unless it is asked for."""

from __future__ import annotations

import ssl
import struct
from contextlib import suppress
from socket import SHUT_RDWR, SHUT_WR, SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from socket import socket

RECEIVE_SIZE = 65_536


class Channel(Protocol):
    """What a script needs of a connection."""

    truncated: bool
    """Whether the peer's data ended without the close_notify that TLS demands."""

    def send(self, data: bytes) -> None:
        """Send all of *data*."""

    def receive(self) -> bytes:
        """Return some bytes, or ``b""`` at the end of the peer's data."""
        ...

    def half_close(self) -> None:
        """Announce the end of our data."""

    def reset(self) -> None:
        """Have the next `close` send RST."""

    def close(self) -> None:
        """Close the socket and say nothing."""

    def interrupt(self) -> None:
        """Make a `send` or `receive` of another thread return or fail."""


class PlainChannel:
    """A channel over a bare socket, which it takes over."""

    def __init__(self, sock: socket) -> None:
        self._socket = sock
        self.truncated = False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        return self._socket.recv(RECEIVE_SIZE)

    def half_close(self) -> None:
        # The peer may have been quicker.
        with suppress(OSError):
            self._socket.shutdown(SHUT_WR)

    def reset(self) -> None:
        self._socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)


class TLSChannel:
    """The server's side of TLS over another channel.

    An `ssl.SSLSocket` would decide itself when to send and when to wait for close_notify; this one does as it is told.

    Raises `ssl.SSLError` if the handshake fails.
    """

    def __init__(self, below: Channel, context: ssl.SSLContext) -> None:
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.truncated = False
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                # The peer wants to read the alert that says why.
                self._flush()
                raise
            else:
                break
        self._flush()
        self.selected_alpn_protocol = self._object.selected_alpn_protocol()

    def send(self, data: bytes) -> None:
        self._object.write(data)
        self._flush()

    def receive(self) -> bytes:
        while True:
            try:
                return self._object.read(RECEIVE_SIZE)
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                self.truncated = True
                return b""

    def half_close(self) -> None:
        # It sends close_notify and then looks for the peer's, whose absence is not our concern here.
        with suppress(ssl.SSLError):
            self._object.unwrap()
        with suppress(OSError):
            self._flush()
        self._below.half_close()

    def reset(self) -> None:
        self._below.reset()

    def close(self) -> None:
        self._below.close()

    def interrupt(self) -> None:
        self._below.interrupt()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.send(self._outgoing.read())

    def _feed(self) -> None:
        data = self._below.receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
