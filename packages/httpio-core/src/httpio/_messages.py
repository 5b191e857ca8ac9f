"""Responses, and announced content, as the caller sees them. Knows nothing of bytes on the wire."""

from __future__ import annotations

from operator import index

from ._exceptions import LocalProtocolError
from ._headers import message_from_section, parse_field_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from ._request import Request


class BodyFollowing:
    """Passed as *body* of a request, says that the content is written by separate calls.

    `length` is its size in bytes. If it is `None`, the content is sent in chunks (RFC 9112 §7.1)
    and ends with `HTTPConnection.finish_body`.
    """

    __slots__ = ("length",)

    def __init__(self, length: int | None = None) -> None:
        if length is not None:
            # A bool, or a number of another package, would be written in its own words.
            length = int(index(length))
            if length < 0:
                raise LocalProtocolError(f"the length of a body cannot be negative, got {length}")
        #: Size of the content in bytes, or `None` if it is not known yet.
        self.length: int | None = length

    def __repr__(self) -> str:
        return f"BodyFollowing({'' if self.length is None else self.length})"


class HTTPResponse:
    """Head of a response. The content is read from the `HTTPConnection`.

    It also unpacks as ``(method, path, status, reason, headers)``.
    """

    __slots__ = (
        "_head",
        "_headers",
        "_trailer_section",
        "_trailers",
        "informational",
        "length",
        "method",
        "path",
        "request",
        "status",
        "version",
    )

    def __init__(
        self,
        method: str,
        path: str,
        status: int,
        head: bytes = b"\r\n",
        length: int | None = None,
        request: Request | None = None,
        version: str = "1.1",
        informational: tuple[HTTPResponse, ...] = (),
    ) -> None:
        #: Method of the request that this is the response to.
        self.method: str = method
        #: Path of the request that this is the response to, as the caller gave it.
        self.path: str = path
        #: Status code (RFC 9110 §15).
        self.status: int = status
        #: Bytes of content that will be transferred, or `None` if that is not known beforehand.
        #: It is 0 for the response to a HEAD request, whatever its Content-Length.
        self.length: int | None = length
        #: The server's HTTP version, ``"1.1"`` or ``"1.0"``.
        self.version: str = version
        #: The interim (1xx) responses that came before this one, oldest first.
        self.informational: tuple[HTTPResponse, ...] = informational
        #: The request that a pipeline was given, `None` for one that was sent by itself.
        self.request: Request | None = request
        # Reason phrase, CRLF, and field lines with theirs: split when somebody asks.
        self._head = head
        self._headers: Message | None = None
        self._trailer_section = b""
        self._trailers: Message | None = None

    @property
    def reason(self) -> str:
        """Reason phrase, which may be empty."""
        return self._head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Header fields as pairs of name and value, in their order, made anew at each call.

        Costs less than `headers`, which needs an `email.message.Message`.
        """
        return parse_field_section(self._head.partition(b"\r\n")[2])

    @property
    def headers(self) -> Message:
        """Header fields. Repeated fields are all kept (`email.message.Message.get_all`)."""
        if self._headers is None:
            self._headers = message_from_section(self._head.partition(b"\r\n")[2])
        return self._headers

    @property
    def trailers(self) -> Message:
        """Trailer fields (RFC 9112 §7.1.2), empty until the content was read to its end."""
        if self._trailers is None:
            if not self._trailer_section:
                return message_from_section(b"")
            self._trailers = message_from_section(self._trailer_section)
        return self._trailers

    def trailers_received(self, trailer_section: bytes) -> None:
        """Take over the trailer section. For the connection to call."""
        self._trailer_section = trailer_section

    def __iter__(self) -> Iterator[str | int | Message]:
        return iter((self.method, self.path, self.status, self.reason, self.headers))

    def __repr__(self) -> str:
        return f"<HTTPResponse {self.status} {self.reason!r} to {self.method} {self.path}>"
