"""A file-like view of a response's content, for code that reads files."""

from __future__ import annotations

import io

from ._exceptions import ConnectionClosed, HTTPIOError, RemoteProtocolError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from _typeshed import WriteableBuffer

    from ._messages import HTTPResponse

    _T = TypeVar("_T")

    class _Connection(Protocol):
        @property
        def closed(self) -> bool: ...
        def get_current_response(self) -> HTTPResponse | None: ...
        def read(self, size: int) -> bytes: ...
        def readall(self) -> bytes: ...
        def readinto(self, buf: WriteableBuffer) -> int: ...
        def discard(self) -> None: ...


class BodyReader(io.RawIOBase):
    """The content of the response that was current when this was made.

    Reads through the connection and ends with that response. Closing it, which wrappers do when they
    are collected, drops the rest of the content and leaves the connection open.

    All that reads raises what `HTTPConnection.read` raises, and `StateError` if the content was read
    or dropped elsewhere before its end.
    """

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection
        #: What is being read; `None` once that was read to its end.
        self._response = connection.get_current_response()
        #: Path that was requested. Files have a name, and `io.TextIOWrapper` shows it.
        self.name: str = self._response.path if self._response is not None else ""
        self._failed = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to *size* bytes of content, or all that is left if it is negative or `None`."""
        if size is None or size < 0:
            return self.readall()
        return self._read(lambda: self._connection.read(size), b"")

    def readall(self) -> bytes:
        """Read what is left of the content."""
        return self._read(self._connection.readall, b"")

    def readinto(self, buf: WriteableBuffer, /) -> int:
        """Read content into *buf*; return the number of bytes, 0 at the end."""
        return self._read(lambda: self._connection.readinto(buf), 0)

    def close(self) -> None:
        """Drop what was not read of the content."""
        if not self.closed:
            super().close()
            # Of a connection that has failed, or was closed, there is nothing to drop.
            if self._is_current() and not (self._failed or self._connection.closed):
                self._connection.discard()

    def __del__(self) -> None:
        try:
            self.close()
        except (HTTPIOError, OSError):
            # There is nobody to tell. Whoever uses the connection next will learn of it.
            pass

    def _read(self, read: Callable[[], _T], at_end: _T) -> _T:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._response is None:
            return at_end
        if not self._is_current():
            raise StateError(
                f"the rest of the content of {self._response!r} was read or dropped elsewhere"
            )
        try:
            result = read()
        except (ConnectionClosed, RemoteProtocolError):
            self._failed = True
            raise
        if not self._is_current():
            # The connection lets go of a response with its last byte.
            self._response = None
        return result

    def _is_current(self) -> bool:
        response = self._response
        return response is not None and self._connection.get_current_response() is response
