"""The only place that sends and receives on a connection.

Knows sockets, TLS and the tracer, nothing of HTTP. A ``try_`` method makes one non-blocking attempt
and returns `None` where it would block; then `send_wait` or `recv_wait` says what to wait for. Every
way in which a network connection can break becomes `ConnectionClosed`.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
from _thread import allocate_lock

from ._coroutine import POLLIN, POLLOUT, PollNeeded, in_milliseconds
from ._exceptions import CloseReason, ConnectionClosed, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Final

    from ._tracing import Tracer

#: TLS sends in records of this size. Without it one SSL_write would go through many records and,
#: when the socket is full, not tell how far it came.
TLS_RECORD_SIZE: Final = 16 * 1024

#: A receive allocates what it asks for before it knows what it gets.
_RECEIVE_LIMIT: Final = 1024 * 1024

# macOS has one with other arguments, Windows has none.
_sendfile = os.sendfile if sys.platform == "linux" else None
# By these sendfile() complains of the file, or of the file system that has it.
_FILE_ERRNOS: Final = (
    errno.EINVAL, errno.EIO, errno.ENOMEM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EOVERFLOW
)  # fmt: skip

#: What is called before a descriptor is closed or given away. An event loop that watches it must stop
#: before the system hands out its number again, and whoever waits for it is to be woken.
before_close: Final[dict[int, Callable[[], None]]] = {}


class _Wait(PollNeeded):
    """A `PollNeeded` that is waited for again and again, and keeps what it needs for that."""

    # No __slots__: a tuple cannot have any.
    poll_object: Callable[[float | None], object] | None = None

    def poll(self, timeout: float | None = None) -> bool:
        poll = self.poll_object
        if poll is None:
            if not hasattr(select, "poll"):
                return super().poll(timeout)
            poller = select.poll()
            poller.register(*self)
            poll = self.poll_object = poller.poll
        try:
            return bool(poll(in_milliseconds(timeout) if timeout else timeout))
        except RuntimeError:
            # Two threads at once, which a poll object does not allow.
            return super().poll(timeout)


class Transport:
    """A connected, non-blocking socket without TLS."""

    #: A send that takes less than it is given has filled the socket: another would be in vain.
    less_is_full = True

    __slots__ = (
        "_look",
        "_recv",
        "_recv_into",
        "_reset",
        "_send",
        "_tracer",
        "closed",
        "drained",
        "poll_in",
        "poll_out",
        "recv_wait",
        "send_wait",
        "sock",
    )

    def __init__(self, sock: socket.socket, tracer: Tracer | None) -> None:
        self.sock = sock
        # Bound once: a method that is looked up at each call costs as much as our own work.
        self._recv = sock.recv
        self._recv_into = sock.recv_into
        self._send = sock.send
        self._tracer = tracer
        #: The system tells of a reset once. If it has told a send, a receive sees a proper close.
        self._reset: ConnectionResetError | None = None
        fd = sock.fileno()
        #: What to wait for to receive or to send, whatever TLS may want in between.
        self.poll_in: Final = _Wait(fd, POLLIN)
        self.poll_out: Final = _Wait(fd, POLLOUT)
        #: What to wait for after an attempt that would have blocked.
        self.recv_wait: PollNeeded = self.poll_in
        self.send_wait: PollNeeded = self.poll_out
        #: The last receive left nothing behind, so another attempt would most likely be in vain.
        self.drained = True
        self.closed = False
        # Of its own, because the sender looks while the receiver waits.
        self._look: Final = _Wait(fd, POLLIN)

    def is_readable(self) -> bool:
        """Tell if there is something to receive, the peer's close included. Does not block."""
        poll = self._look.poll_object
        if poll is None:
            return self._look.poll(0)
        try:
            return bool(poll(0))
        except RuntimeError:
            return self._look.poll(0)

    def try_recv_into(self, view: memoryview) -> int | None:
        """Receive into *view*; return the number of bytes, 0 after the peer's close."""
        try:
            size = self._recv_into(view)
        except BlockingIOError:
            self.drained = True
            return None
        except OSError as exc:
            raise self._lost(exc) from exc
        self.drained = size < len(view)
        if not size:
            self._check_reset()
        if self._tracer is not None and size:
            self._tracer.received(view[:size])
        return size

    def try_recv(self, size: int) -> bytes | None:
        """Receive and return up to *size* bytes, ``b""`` after the peer's close."""
        if size > _RECEIVE_LIMIT:
            size = _RECEIVE_LIMIT
        try:
            data = self._recv(size)
        except BlockingIOError:
            self.drained = True
            return None
        except OSError as exc:
            raise self._lost(exc) from exc
        self.drained = len(data) < size
        if not data:
            self._check_reset()
        if self._tracer is not None and data:
            self._tracer.received(memoryview(data))
        return data

    def _check_reset(self) -> None:
        """Raise if what looks like the peer's close is not."""
        if self._reset is not None:
            raise self._lost(self._reset)

    def try_send(self, data: bytes | memoryview) -> int | None:
        """Send *data* as far as the socket takes it; return the number of bytes."""
        try:
            size = self._send(data)
        except BlockingIOError:
            return None
        except OSError as exc:
            raise self._lost(exc) from exc
        if self._tracer is not None:
            self._tracer.sent(data if size == len(data) else memoryview(data)[:size])
        return size

    @property
    def can_sendfile(self) -> bool:
        """`try_sendfile` works here: not with TLS, nor with a tracer that is to see the bytes."""
        return _sendfile is not None and self._tracer is None

    def try_sendfile(self, fd: int, offset: int, size: int) -> int | None:
        """Send up to *size* bytes from *offset* of a regular file; return the number of bytes.

        Raises the `OSError` of a file that cannot be sent in this way.
        """
        assert _sendfile is not None
        try:
            return _sendfile(self.sock.fileno(), fd, offset, size)
        except BlockingIOError:
            return None
        except OSError as exc:
            if exc.errno in _FILE_ERRNOS:
                raise
            raise self._lost(exc) from exc

    @property
    def sent_in_part(self) -> bool:
        """Something of a `try_send` that returned `None` is on its way."""
        return False

    def end_sending(self) -> None:
        """Have the peer see the end of what we send, and fail a send that waits.

        Receiving goes on.
        """
        try:
            # Not the method of an SSLSocket, after which it would be none any more.
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        """Close the socket. What the peer still sends is refused."""
        if not self.closed:
            self.closed = True
            self._tell_closing()
            try:
                # Wakes up whoever waits for the socket in another thread.
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.sock.close()

    def detach(self) -> socket.socket:
        """Give the socket away; the transport is closed, the socket is not."""
        self.closed = True
        self._tell_closing()
        return self.sock

    def __del__(self) -> None:
        # Nobody has closed it, of which the socket warns. Its number must not stay watched.
        try:
            if not self.closed:
                self._tell_closing()
        except AttributeError:  # it was never made
            pass

    def _tell_closing(self) -> None:
        tell = before_close.pop(self.poll_in.fd, None)
        if tell is not None:
            tell()

    def _lost(self, exc: OSError) -> ConnectionClosed:
        if isinstance(exc, ConnectionResetError):
            self._reset = exc
        if self.closed:
            reason = CloseReason.CLOSED_LOCALLY
            return ConnectionClosed(f"the connection was closed: {reason.value}", reason=reason)
        return ConnectionClosed(f"the connection broke: {exc}", reason=CloseReason.CONNECTION_LOST)


class NoTransport(Transport):
    """Stands in until a connection is opened. Nothing is sent or received through it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.closed = True
        self.drained = False

    def close(self) -> None:
        pass


class TLSTransport(Transport):
    """A connected, non-blocking socket with TLS, after its handshake.

    OpenSSL objects must not be used by two threads at once, so a lock is held around each call. No
    call blocks, so nobody waits for it long.
    """

    # It takes a record, and there may be room for more.
    less_is_full = False

    __slots__ = ("_eof_error", "_lock", "_retry", "_ssl_error", "_tls", "_want_read", "_want_write")

    def __init__(self, sock: ssl.SSLSocket, tracer: Tracer | None) -> None:
        # Not at the top: `import ssl` takes longer than all of this package.
        import ssl

        super().__init__(sock, tracer)
        self._tls: Final = sock
        self._lock = allocate_lock()
        # A record that OpenSSL has begun to send: it wants to be given the same bytes again.
        self._retry: bytes | None = None
        self._want_read = ssl.SSLWantReadError
        self._want_write = ssl.SSLWantWriteError
        self._eof_error = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
        self._ssl_error = ssl.SSLError

    def is_readable(self) -> bool:
        with self._lock:
            if not self.closed and self._tls.pending():
                return True
        return self._look.poll(0)

    def try_recv_into(self, view: memoryview) -> int | None:
        try:
            with self._lock:
                size = self._recv_into(view)
        except OSError as exc:
            self._check_recv(exc)
            return None
        # A receive brings one record at the most, so it tells nothing about what is left.
        self.drained = False
        if self._tracer is not None and size:
            self._tracer.received(view[:size])
        return size

    def try_recv(self, size: int) -> bytes | None:
        try:
            with self._lock:
                data = self._recv(min(size, TLS_RECORD_SIZE))
        except OSError as exc:
            self._check_recv(exc)
            return None
        self.drained = False
        if self._tracer is not None and data:
            self._tracer.received(memoryview(data))
        return data

    def _check_recv(self, exc: OSError) -> None:
        if isinstance(exc, self._want_read):
            self.drained = True
            self.recv_wait = self.poll_in
        elif isinstance(exc, self._want_write):
            self.recv_wait = self.poll_out
        else:
            self._check_certificate(exc)
            raise self._lost(exc) from exc

    def try_send(self, data: bytes | memoryview) -> int | None:
        record = self._next_record(data)
        try:
            with self._lock:
                size = self._send(record)
        except OSError as exc:
            if isinstance(exc, self._want_write):
                self.send_wait = self.poll_out
            elif isinstance(exc, self._want_read):
                self.send_wait = self.poll_in
            else:
                self._check_certificate(exc)
                raise self._lost(exc) from exc
            self._retry = bytes(record)
            return None
        self._retry = None
        # After a renegotiation, and the like.
        self.send_wait = self.poll_out
        if self._tracer is not None:
            self._tracer.sent(record[:size])
        return size

    def _next_record(self, data: bytes | memoryview) -> bytes | memoryview:
        retry = self._retry
        if retry is None:
            return memoryview(data)[:TLS_RECORD_SIZE] if len(data) > TLS_RECORD_SIZE else data
        if data[: len(retry)] != retry:
            raise StateError(
                f"the {len(retry)} bytes that did not fit before are on their way already: "
                "write() must be given them, with what follows, again"
            )
        return retry

    @property
    def can_sendfile(self) -> bool:
        return False

    @property
    def sent_in_part(self) -> bool:
        return self._retry is not None

    def close(self) -> None:
        # To the end under the lock: after unwrap() an SSLSocket sends and receives without TLS.
        with self._lock:
            if not self.closed:
                try:
                    # Sends close_notify (RFC 9112 §9.8); the peer's own is not waited for.
                    self._tls.unwrap()
                except (OSError, ValueError):
                    pass
                super().close()

    def _check_certificate(self, exc: OSError) -> None:
        """Raise *exc* if it says that the server does not accept our certificate, or lacks one.

        With TLS 1.3 it can say so only after the handshake (RFC 8446 §4.4.2.4).
        """
        if isinstance(exc, self._ssl_error) and not self.closed:
            reason = exc.reason or ""
            if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
                raise exc

    def _lost(self, exc: OSError) -> ConnectionClosed:
        if isinstance(exc, self._eof_error) and not self.closed:
            return ConnectionClosed(
                "the connection was closed without TLS close_notify, what was received "
                "may be truncated",
                reason=CloseReason.CONNECTION_LOST,
            )
        return super()._lost(exc)
