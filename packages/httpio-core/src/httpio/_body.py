"""A file-like view of a response's content, for code that reads files."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import WriteableBuffer

    from ._messages import HTTPResponse

    class _Connection(Protocol):
        def get_current_response(self) -> HTTPResponse | None: ...
        def readinto(self, buf: WriteableBuffer) -> int: ...
        def discard(self) -> None: ...


class BodyReader(io.RawIOBase):
    """The content of the response that was current when this was made.

    Reads through the connection and ends with that response. Closing it, which wrappers do when they
    are collected, drops the rest of the content and leaves the connection open.
    """

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection
        self._response = connection.get_current_response()

    def readable(self) -> bool:
        return True

    def readinto(self, buf: WriteableBuffer, /) -> int:
        """Read content into *buf*; return the number of bytes, 0 at the end."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._connection.readinto(buf) if self._is_current() else 0

    def close(self) -> None:
        """Drop what was not read of the content."""
        if not self.closed:
            super().close()
            if self._is_current():
                self._connection.discard()

    def _is_current(self) -> bool:
        response = self._response
        return response is not None and self._connection.get_current_response() is response
