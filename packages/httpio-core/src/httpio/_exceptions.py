"""The exceptions of httpio, and which of them may pass by themselves.

::

    HTTPIOError
     ├── LocalProtocolError            the caller asked for what HTTP or the connection forbids
     │    ├── StateError               ... at this moment
     │    └── ExcessBodyData           ... more content than was announced
     ├── RemoteProtocolError           the server broke the protocol, or uses a part we do not
     │    ├── InvalidResponse
     │    └── UnsupportedResponse
     ├── ConnectionClosed              (also a ConnectionError) the connection is gone
     │    └── EarlyResponse            ... after the server had answered: read_response() has it
     ├── ProxyError                    (also a ConnectionError) the proxy refused the tunnel
     ├── ConnectionTimedOut            (also a TimeoutError)
     ├── RangeError                    the server did not send the ranges that were asked for
     │    ├── RangeNotSatisfiable      ... because there are no such bytes
     │    └── ResourceChanged          ... because they are not what they were
     ├── HostnameNotResolvable
     └── DNSUnavailable

An error that the operating system reports while a connection is being made (connection refused,
host unreachable) stays the `OSError` that it is, and a certificate that fails stays `ssl.SSLError`.
"""

from __future__ import annotations

import errno
import sys
from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._request import Request


class CloseReason(Enum):
    """Why a connection cannot be used any more. The value says it in words."""

    CLOSED_LOCALLY = "it was closed by this program"
    DETACHED = "its socket was detached"
    SEND_ABORTED = "a send was abandoned in the middle"
    CANCELLED = "an operation on it was cancelled in the middle"
    INTERRUPTED = "this program was interrupted in the middle of using it"
    GIVEN_UP = "a request that was under way was given up"
    CLOSE_REQUESTED = "the last request asked for the connection to be closed"
    SWITCHED_PROTOCOLS = "it speaks another protocol now, and detach() hands over its socket"
    READ_RAW = "its data was read uninterpreted"
    SERVER_ANNOUNCED_CLOSE = "the server announced that it closes the connection"
    SERVER_CLOSED = "the server closed it"
    CONNECTION_LOST = "the network connection broke"
    EARLY_RESPONSE = "the server answered before the request was complete"
    CONTENT_NOT_WANTED = "the server answered without waiting for the request's content"
    INVALID_RESPONSE = "the server sent an invalid response"
    UNSOLICITED_DATA = "the server sent data that nothing was asked for"


class HTTPIOError(Exception):
    """Root of the exceptions that httpio raises."""


class LocalProtocolError(HTTPIOError):
    """The caller asked for something that HTTP/1.1 forbids. Nothing was sent, unless it says so."""


class StateError(LocalProtocolError):
    """The operation makes no sense in the connection's present state. Nothing has changed."""


class ExcessBodyData(LocalProtocolError):
    """More content was passed than the request announced. Nothing of it was sent, unless it says so."""


class RemoteProtocolError(HTTPIOError):
    """The server did not keep to the protocol, or uses a part of it that is not supported."""


class InvalidResponse(RemoteProtocolError):
    """The server sent something that is not proper HTTP/1.0 or HTTP/1.1."""


class UnsupportedResponse(RemoteProtocolError):
    """The server's response is proper, but it cannot be told where it ends.

    Synchronisation with the server is lost; `HTTPConnection.reset` makes the connection usable.
    """


class UnansweredRequest(tuple[str, str]):
    """A request that has no complete response: ``(method, path)``.

    `repeatable` tells if sending it again does no harm: because sending it twice does the same as
    sending it once, or because not a byte of it was sent. `request` is what a pipeline was given.
    """

    # No __slots__: a tuple cannot have any.
    repeatable: bool
    request: Request | None

    def __new__(
        cls, method: str, path: str, repeatable: bool, request: Request | None = None
    ) -> UnansweredRequest:
        self = tuple.__new__(cls, (method, path))
        self.repeatable = repeatable
        self.request = request
        return self

    def __getnewargs__(self) -> tuple[str, str, bool, Request | None]:
        # For copies, and for exceptions that cross to another process.
        return (self[0], self[1], self.repeatable, self.request)

    @property
    def method(self) -> str:
        """Its method."""
        return self[0]

    @property
    def path(self) -> str:
        """Its path, as the caller gave it."""
        return self[1]


class ConnectionClosed(HTTPIOError, ConnectionError):
    """The connection was closed before all that was asked for was answered.

    `reason` tells who closed it and why. `answered` is the number of complete responses that came
    before: over this network connection, or in a pipeline since its beginning. `unanswered` lists
    each request that has no complete response, oldest first. A server may have acted on any of them.
    """

    def __init__(
        self,
        message: str = "connection closed",
        *,
        reason: CloseReason | None = None,
        unanswered: tuple[UnansweredRequest, ...] = (),
        answered: int = 0,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.unanswered = unanswered
        self.answered = answered


class EarlyResponse(ConnectionClosed):
    """The server answered for good while the request's content was still being sent.

    Sending is over; `HTTPConnection.read_response` returns the answer (RFC 9112 §9.5).
    """


class ProxyError(HTTPIOError, ConnectionError):
    """The proxy did not open the tunnel.

    `status` is the status code of its answer to ``CONNECT``, `reason_phrase` the phrase with it.
    """

    def __init__(self, message: str, *, status: int = 0, reason_phrase: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason_phrase = reason_phrase


class ConnectionTimedOut(HTTPIOError, TimeoutError):
    """The time given for a wait, or for the whole operation, was up."""


class RangeError(HTTPIOError):
    """The server did not send the ranges that were asked for.

    `status` is the status code of its response.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RangeNotSatisfiable(RangeError):
    """A range goes beyond the end of the resource (RFC 9110 §15.5.17).

    `complete_length` is the size of the resource in bytes, `None` if the server did not say.
    """

    def __init__(
        self, message: str, *, status: int = 0, complete_length: int | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.complete_length = complete_length


class ResourceChanged(RangeError):
    """The resource changed while its ranges were read, or since its entity tag was had."""


class _NameError(HTTPIOError):
    def __init__(self, hostname: str, detail: str = "") -> None:
        super().__init__(hostname, detail)
        self.hostname = hostname
        self.detail = detail


class HostnameNotResolvable(_NameError):
    """There is no address for `hostname`, and the name service was there to say so."""

    def __str__(self) -> str:
        return f"host name {self.hostname!r} has no address{self.detail and f': {self.detail}'}"


class DNSUnavailable(_NameError):
    """`hostname` could not be looked up, because the name service did not answer."""

    def __str__(self) -> str:
        return (
            f"cannot look up {self.hostname!r}, name service unavailable"
            f"{self.detail and f': {self.detail}'}"
        )


# Not every platform has each of them.
_TEMPORARY_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        "EAGAIN", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETRESET", "ENETUNREACH", "ENOLINK",
        "ENONET", "ENOTCONN", "ENXIO", "EPIPE", "EREMCHG", "ESHUTDOWN", "ETIMEDOUT",
    )
    if hasattr(errno, name)
)  # fmt: skip


def is_temp_network_error(exc: BaseException) -> bool:
    """Return `True` if *exc* is a network problem that may pass by itself.

    Lost, refused and timed-out connections are, and so is a name service that does not answer.
    Nonsense from a server, an answer that ended an upload, a host name that does not exist and a
    certificate that fails are not: trying again without a change would bring the same again.
    """
    if isinstance(exc, EarlyResponse):
        return False
    if isinstance(exc, ProxyError):
        return exc.status in {502, 503, 504}
    if isinstance(exc, ConnectionClosed):
        return exc.reason not in (CloseReason.INVALID_RESPONSE, CloseReason.UNSOLICITED_DATA)
    if isinstance(exc, (ConnectionError, TimeoutError, InterruptedError, DNSUnavailable)):
        return True
    # Without ssl having been imported by anyone, no exception can be one of ssl's.
    ssl = sys.modules.get("ssl")
    if ssl is not None and isinstance(exc, ssl.SSLError):
        return isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError))
    return isinstance(exc, OSError) and exc.errno in _TEMPORARY_ERRNOS
