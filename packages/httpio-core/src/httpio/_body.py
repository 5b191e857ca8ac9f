"""A file-like view of a response's content, for code that reads files."""

from __future__ import annotations

import io

from ._exceptions import ConnectionClosed, RemoteProtocolError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import WriteableBuffer

    from ._messages import HTTPResponse

    class _Connection(Protocol):
        def get_current_response(self) -> HTTPResponse | None: ...
        def readinto(self, buf: WriteableBuffer) -> int: ...
        def readall(self) -> bytes: ...
        def discard(self) -> None: ...


class BodyReader(io.RawIOBase):
    """The content of the response that was current when this was made.

    Reads through the connection and ends with that response. Closing it, which wrappers do when they
    are collected, drops the rest of the content and leaves the connection open.
    """

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection
        #: What is being read; `None` once that was read to its end.
        self._response = connection.get_current_response()
        self._failed = False

    def readable(self) -> bool:
        return True

    def readinto(self, buf: WriteableBuffer, /) -> int:
        """Read content into *buf*; return the number of bytes, 0 at the end.

        Raises `StateError` if the content was read or dropped elsewhere before its end, and what
        `HTTPConnection.co_read` raises.
        """
        if not self._is_open():
            return 0
        try:
            size = self._connection.readinto(buf)
        except (ConnectionClosed, RemoteProtocolError):
            self._failed = True
            raise
        self._look_for_end()
        return size

    def readall(self) -> bytes:
        """Read what is left of the content. Raises what `readinto` raises."""
        if not self._is_open():
            return b""
        try:
            content = self._connection.readall()
        except (ConnectionClosed, RemoteProtocolError):
            self._failed = True
            raise
        self._look_for_end()
        return content

    def close(self) -> None:
        """Drop what was not read of the content."""
        if not self.closed:
            super().close()
            # A connection that failed has said so, and holds nothing that is to be dropped.
            if self._is_current() and not self._failed:
                self._connection.discard()

    def _is_open(self) -> bool:
        """Tell if there may be more to read."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._response is None:
            return False
        if not self._is_current():
            raise StateError(
                f"the rest of the content of {self._response!r} was read or dropped elsewhere"
            )
        return True

    def _look_for_end(self) -> None:
        # The connection lets go of a response with its last byte.
        if not self._is_current():
            self._response = None

    def _is_current(self) -> bool:
        response = self._response
        return response is not None and self._connection.get_current_response() is response
