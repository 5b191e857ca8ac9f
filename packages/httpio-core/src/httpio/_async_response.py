"""A response whose content is awaited. Knows no framework, and nothing of how it was asked for."""

from __future__ import annotations

from ._exceptions import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from email.message import Message
    from typing import Final, Protocol, Self

    from _typeshed import WriteableBuffer

    from ._messages import HTTPResponse

    class _Connection(Protocol):
        async def _checkpoint(self) -> None: ...
        def get_current_response(self) -> HTTPResponse | None: ...
        async def read(self, size: int | None = None) -> bytes: ...
        async def readall(self) -> bytes: ...
        async def readinto(self, buf: WriteableBuffer) -> int: ...
        async def discard(self) -> None: ...


#: Pieces that content is iterated over in are of up to this size, in bytes.
PIECE_SIZE: Final = 256 * 1024


class BodyIterator:
    """Iterates over content in pieces, as they arrive."""

    __slots__ = ("_read", "_size")

    def __init__(self, read: Callable[[int], Awaitable[bytes]], size: int) -> None:
        self._read: Final = read
        self._size: Final = size

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._read(self._size)
        if not piece:
            raise StopAsyncIteration
        return piece


class Response:
    """A response, and its content.

    `head` is what the connection's ``read_response`` returns for it. The methods that read raise what those of the
    connection do, and `httpio.StateError` if the content was read or dropped elsewhere.
    """

    __slots__ = ("_connection", "_whole", "head")

    def __init__(self, connection: _Connection, head: HTTPResponse) -> None:
        self._connection: Final = connection
        #: The head of the response.
        self.head: HTTPResponse = head
        #: All of the content was received, so nothing more can be missing.
        self._whole = connection.get_current_response() is not head

    # The head

    @property
    def method(self) -> str:
        """Method of the request."""
        return self.head.method

    @property
    def path(self) -> str:
        """Path of the request, as the caller gave it."""
        return self.head.path

    @property
    def status(self) -> int:
        """Status code (RFC 9110 §15)."""
        return self.head.status

    @property
    def reason(self) -> str:
        """Reason phrase, which may be empty."""
        return self.head.reason

    @property
    def headers(self) -> Message:
        """Header fields."""
        return self.head.headers

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Header fields as pairs of name and value, in their order."""
        return self.head.fields

    @property
    def length(self) -> int | None:
        """Bytes of content that will be transferred, or `None` if that is not known beforehand."""
        return self.head.length

    @property
    def version(self) -> str:
        """The server's HTTP version, ``"1.1"`` or ``"1.0"``."""
        return self.head.version

    @property
    def trailers(self) -> Message:
        """Trailer fields, empty until the content was read to its end."""
        return self.head.trailers

    @property
    def informational(self) -> tuple[HTTPResponse, ...]:
        """The interim (1xx) responses that came before this one, oldest first."""
        return self.head.informational

    # The content

    async def read(self, size: int | None = None) -> bytes:
        """Read up to *size* bytes of content, or all that is left if it is `None`.

        Returns less if less has arrived, and ``b""`` only at the end of the content.
        """
        if self._at_end():
            await self._connection._checkpoint()
            return b""
        data = await self._connection.read(size)
        self._look_for_end()
        return data

    async def readall(self) -> bytes:
        """Read what is left of the content."""
        return await self.read()

    async def readinto(self, buf: WriteableBuffer) -> int:
        """Read content into *buf*; return the number of bytes, 0 only at the end of the content."""
        if self._at_end():
            await self._connection._checkpoint()
            return 0
        size = await self._connection.readinto(buf)
        self._look_for_end()
        return size

    async def discard(self) -> None:
        """Read what is left of the content and drop it."""
        if self._at_end():
            await self._connection._checkpoint()
        else:
            await self._connection.discard()
            self._whole = True

    def iter_body(self, size: int = PIECE_SIZE) -> AsyncIterator[bytes]:
        """Iterate over the content in pieces of up to *size* bytes, as they arrive."""
        return BodyIterator(self.read, size)

    def _at_end(self) -> bool:
        """Tell if all was received; raise if what is left cannot be had any more."""
        if self._whole:
            return True
        if self._connection.get_current_response() is not self.head:
            # It would read another response, or none, and take that for the end of this one.
            raise StateError(
                f"the rest of the content of {self.head!r} was read or dropped elsewhere"
            )
        return False

    def _look_for_end(self) -> None:
        # The connection lets go of a response with its last byte.
        self._whole = self._connection.get_current_response() is not self.head

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason!r} to {self.method} {self.path}>"
