"""What a connection did: the bytes of HTTP that went each way, and the steps between them.

Knows nothing of sockets. A connection reports to a `Tracer`; `FileTracer` writes what it is told to
a file that people read and programs search.
"""

from __future__ import annotations

import _thread
import itertools
import os
import time

from ._exceptions import HTTPIOError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final, Self
    from typing import Protocol as _Protocol
else:
    _Protocol = object


class Tracer(_Protocol):
    """What a connection reports to. Any object with these methods will do.

    The methods are called by whatever thread uses the connection, between its system calls; with
    one thread that sends and one that receives, by both at once. An exception that they raise is
    printed and ends the trace; it does not reach the connection, where it would lose bytes.
    """

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """*data* was handed to the network: bytes of HTTP, before TLS encrypts them.

        *data* is valid during the call only.
        """

    def received(self, data: memoryview) -> None:
        """*data* came from the network: bytes of HTTP, after TLS decrypted them.

        *data* is valid during the call only.
        """

    def event(self, name: str, detail: str) -> None:
        """A step was taken. *detail* is for people and may change between versions.

        *name* is one of

        - ``resolving``: the addresses of a host name are looked up
        - ``resolved``: they are known
        - ``connecting``: a connection is attempted to the first of the addresses in *detail*
        - ``connected``: the connection is there
        - ``tunnel``: a proxy opened a tunnel
        - ``tls``: the TLS handshake is complete
        - ``request``: a request is about to be sent
        - ``response``: the head of a response is complete
        - ``closed``: the connection was closed
        """


class GuardedTracer(Tracer):
    """Passes on to *tracer* what it is told, until that fails.

    What was received or sent is counted after it was traced, so no exception must come between.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer: Tracer | None = tracer

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        if self._tracer is not None:
            try:
                self._tracer.sent(data)
            except Exception:  # noqa: BLE001  # whatever a tracer may raise
                self._give_up()

    def received(self, data: memoryview) -> None:
        if self._tracer is not None:
            try:
                self._tracer.received(data)
            except Exception:  # noqa: BLE001  # likewise
                self._give_up()

    def event(self, name: str, detail: str) -> None:
        if self._tracer is not None:
            try:
                self._tracer.event(name, detail)
            except Exception:  # noqa: BLE001  # likewise
                self._give_up()

    def _give_up(self) -> None:
        import sys
        import traceback

        self._tracer = None
        if sys.stderr is not None:
            print("httpio: the trace ends here, because the tracer failed:", file=sys.stderr)  # noqa: T201  # as logging does
            traceback.print_exc()


class FileTracer(Tracer):
    """Appends what it is told to a file, one record a line, each written at once.

    *file* is a path or a file opened for binary writing; the latter is flushed, but not closed. A
    path is created with mode 0600 if it does not exist, because **nothing is left out: passwords,
    cookies and tokens appear in the file as they went over the wire.**

    ::

        # httpio trace of process 4711, begun 2025-01-31T12:00:00Z
            0.000391 * connected 127.0.0.1:80
            0.000515 > GET / HTTP/1.1\\r\\n
            0.000515 > Host: localhost\\r\\n
            0.000515 > \\r\\n
            0.001207 < HTTP/1.1 200 OK\\r\\n

    A record has the seconds since the tracer was made, then ``>`` for sent bytes, ``<`` for
    received bytes or ``*`` for an event. Bytes are escaped as in a Python string and broken after
    each line end; undone with ``.decode("unicode_escape").encode("latin-1")`` and joined, they are
    exactly those of the connection.

    A record that cannot be written does not harm the connection: tracing ends with a
    `RuntimeWarning`. After `close` everything is ignored. May be used by several threads and
    connections at once.

    Raises `OSError` if the path cannot be opened.
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO) -> None:
        self._file: BinaryIO | None = None
        # A bare descriptor: a file object would warn when a tracer that was made because of the
        # environment, which nobody is there to close, is collected.
        self._fd = -1
        # The collector may run inside a call and finalise a connection that has something to say.
        self._lock: Final = _thread.RLock()
        self._start: Final = time.monotonic()
        if isinstance(file, (str, os.PathLike)):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._fd = os.open(file, flags, 0o600)
        else:
            self._file = file
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._write(f"# httpio trace of process {os.getpid()}, begun {now}\n".encode())

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Write a record for each line of *data*."""
        self._write_lines(b">", bytes(data))

    def received(self, data: memoryview) -> None:
        """Write a record for each line of *data*."""
        self._write_lines(b"<", bytes(data))

    def event(self, name: str, detail: str) -> None:
        """Write a record for the event."""
        text = f"{name} {detail}".encode("unicode_escape")
        self._write(b"%12.6f * %b\n" % (time.monotonic() - self._start, text))

    def close(self) -> None:
        """End the trace. A file that was opened by the caller stays open."""
        with self._lock:
            fd, self._fd, self._file = self._fd, -1, None
            if fd >= 0:
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._fd >= 0:
            self.close()

    def _write_lines(self, direction: bytes, data: bytes) -> None:
        head = b"%12.6f %b " % (time.monotonic() - self._start, direction)
        self._write(
            b"".join(
                b"%b%b\n" % (head, line.decode("latin-1").encode("unicode_escape"))
                for line in data.splitlines(keepends=True)
            )
        )

    def _write(self, records: bytes) -> None:
        with self._lock:
            try:
                if self._file is not None:
                    self._file.write(records)
                    self._file.flush()
                elif self._fd >= 0:
                    while records:
                        records = records[os.write(self._fd, records) :]
            except (OSError, ValueError) as exc:  # ValueError: the caller has closed the file
                self.close()
                error = exc
            else:
                return
        import warnings

        warnings.warn(f"httpio: the trace ends here: {error}", RuntimeWarning, stacklevel=4)


_lock = _thread.allocate_lock()
_connection_numbers = itertools.count(1)
_shared_tracers: dict[str, FileTracer] = {}


def tracer_from_environment() -> Tracer | None:
    """Return the tracer that ``HTTPIO_TRACEFILE`` asks for, `None` if it is not set.

    To be called once for each connection object. ``%d`` in the path stands for the number of the
    connection object within this process, from 1. Without ``%d`` all connections share one tracer,
    and their records mix.

    Raises `HTTPIOError` if the file cannot be opened.
    """
    path = os.environ.get("HTTPIO_TRACEFILE")
    if not path:
        return None
    try:
        if "%d" in path:
            return FileTracer(path.replace("%d", str(next(_connection_numbers))))
        with _lock:
            if path not in _shared_tracers:
                _shared_tracers[path] = FileTracer(path)
            return _shared_tracers[path]
    except OSError as exc:
        raise HTTPIOError(f"cannot write the trace that HTTPIO_TRACEFILE asks for: {exc}") from exc
