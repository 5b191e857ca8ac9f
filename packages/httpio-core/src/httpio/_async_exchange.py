"""A request and its response as one block of code, with content from wherever it comes.

Knows no framework: it works with the methods of a front end.
"""

from __future__ import annotations

from ._async_response import Response
from ._exceptions import EarlyResponse, HTTPIOError, LocalProtocolError, StateError
from ._messages import BodyFollowing
from ._request_content import announce, is_file, is_in_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable
    from typing import Final, Protocol, TypeAlias

    from _typeshed import ReadableBuffer, WriteableBuffer

    from ._messages import HTTPResponse
    from ._request import RequestHeaders, SupportsRead

    #: Content that is sent piece by piece.
    Pieces: TypeAlias = SupportsRead | Iterable[ReadableBuffer] | AsyncIterable[ReadableBuffer]
    #: Content of a request.
    AsyncRequestBody: TypeAlias = ReadableBuffer | Pieces

    class _Connection(Protocol):
        async def send_request(
            self,
            method: str,
            path: str,
            headers: RequestHeaders | None = None,
            body: ReadableBuffer | BodyFollowing | None = None,
            expect100: bool = False,
        ) -> None: ...
        async def write(self, buf: ReadableBuffer, partial: bool = False) -> int: ...
        async def sendfile(self, file: SupportsRead) -> int: ...
        async def finish_body(self, trailers: RequestHeaders | None = None) -> None: ...
        async def read_response(self) -> HTTPResponse: ...
        async def _read_response_within(self, seconds: float) -> HTTPResponse | None: ...
        async def read(self, size: int | None = None) -> bytes: ...
        async def readall(self) -> bytes: ...
        async def readinto(self, buf: WriteableBuffer) -> int: ...
        async def discard(self) -> None: ...
        async def _checkpoint(self) -> None: ...
        def proceed_without_continue(self) -> None: ...
        def get_current_response(self) -> HTTPResponse | None: ...
        def response_pending(self) -> bool: ...
        def reset(self) -> None: ...
        def _is_free(self) -> bool: ...
        def _abandon(self) -> None: ...


#: Up to so many bytes of content that nobody wants are read, to keep the connection.
DRAIN_LIMIT: Final = 256 * 1024


class Exchange:
    """Sends a request on entry, and sees to the rest of the response on exit."""

    def __init__(
        self,
        connection: _Connection,
        method: str,
        path: str,
        headers: RequestHeaders | None,
        body: AsyncRequestBody | None,
        *,
        expect100: bool,
        continue_timeout: float,
    ) -> None:
        if not continue_timeout >= 0:
            raise LocalProtocolError(
                f"continue_timeout cannot be negative, got {continue_timeout!r}"
            )
        self._connection: Final = connection
        self._method: Final = method
        self._path: Final = path
        self._headers = headers
        self._body: Final = body
        self._expect100: Final = expect100
        self._continue_timeout: Final = continue_timeout
        self._response: Response | None = None
        #: The head was sent, so content may have been.
        self.has_begun = False

    async def __aenter__(self) -> Response:
        connection = self._connection
        if connection.response_pending():
            raise StateError(
                "a response is outstanding: read it to its end before the next request"
            )
        # What somebody else has under way, or left behind, is for that one to look at.
        was_free = connection._is_free()
        self.has_begun = False
        try:
            head = await self._ask()
        except BaseException as exc:
            # With a StateError, the request was refused because of somebody who was quicker.
            if was_free and (self.has_begun or not isinstance(exc, StateError)):
                connection._abandon()
            raise
        self._response = response = Response(connection, head)
        return response

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        connection, response = self._connection, self._response
        if response is None or connection.get_current_response() is not response.head:
            return
        length = response.length
        if exc_type is None and length is not None and length <= DRAIN_LIMIT:
            try:
                await connection.discard()
            except (HTTPIOError, OSError):
                # Nobody wants the rest, so nobody has to know that it did not come.
                connection.reset()
            except BaseException:
                connection.reset()
                raise
        else:
            # A new connection costs less than what may be left.
            connection.reset()

    async def _ask(self) -> HTTPResponse:
        connection, body = self._connection, self._body
        check_body(body)
        method, path = self._method, self._path
        try:
            if body is None or (is_in_memory(body) and not self._expect100):
                await connection.send_request(method, path, self._headers, body)
                self.has_begun = True
                return await connection.read_response()
            headers = as_pairs(self._headers)
            following = announcement(body, headers)
            await connection.send_request(method, path, headers, following, self._expect100)
            self.has_begun = True
            if self._expect100 and following.length != 0:
                head = await connection._read_response_within(self._continue_timeout)
                if head is None:
                    # The server may not know of it (RFC 9110 §10.1.1).
                    connection.proceed_without_continue()
                elif head.status != 100:
                    return head
            await self._send(body, following.length)
        except EarlyResponse:
            # The answer is there, and says what the server has against the rest.
            pass
        return await connection.read_response()

    async def _send(self, body: AsyncRequestBody, length: int | None) -> None:
        connection = self._connection
        sent = 0
        if is_in_memory(body):
            sent = await connection.write(body)
        elif is_file(body):
            sent = await connection.sendfile(body)
        elif hasattr(body, "__aiter__"):
            pieces = body.__aiter__()
            try:
                async for piece in pieces:
                    sent += await connection.write(piece)
            finally:
                # A generator that is left in the middle would be ended by whoever collects garbage.
                if hasattr(pieces, "aclose"):
                    await pieces.aclose()
        else:
            for piece in body:
                sent += await connection.write(piece)
        if length is None:
            await connection.finish_body()
        elif sent < length:
            raise LocalProtocolError(
                f"the content of {self._method} {self._path} has {sent} bytes, {length} were "
                "announced; the connection is closed"
            )


def check_body(body: object) -> None:
    """Raise `TypeError` for what cannot be the content of a request."""
    if isinstance(body, BodyFollowing):
        raise TypeError("BodyFollowing is for send_request(): here the body is the content itself")
    if not (
        body is None
        or is_in_memory(body)
        or is_file(body)
        or hasattr(body, "__aiter__")
        or hasattr(body, "__iter__")
    ):
        raise TypeError(
            "expected bytes, a binary file, or an iterable or asynchronous iterable of bytes as body,"
            f" got {body!r}"
        )


def as_pairs(headers: RequestHeaders | None) -> list[tuple[str, str]] | None:
    """Return *headers* so that they can be read more than once."""
    if headers is None:
        return None
    items = getattr(headers, "items", None)
    return list(headers if items is None else items())


def announcement(body: AsyncRequestBody, headers: list[tuple[str, str]] | None) -> BodyFollowing:
    """Return what is said beforehand of *body*: its length, if it can be told or was given."""
    if is_in_memory(body):
        return BodyFollowing(memoryview(body).nbytes)
    for name, value in headers or ():
        if name.lower() == "content-length":
            if not value.isascii() or not value.isdecimal():
                raise LocalProtocolError(f"expected digits as Content-Length, got {value!r}")
            return BodyFollowing(int(value))
    if hasattr(body, "__aiter__"):
        return BodyFollowing()
    return announce(body)
