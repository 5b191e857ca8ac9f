"""Requests as bytes: heads, chunks, trailers.

Pure functions. Everything that the caller gave is converted first, and what is then checked is the
very bytes that would go on the wire: one expression for the whole head, and the number of its lines.
A value that hides a line end, or a string that turns into something else when it is encoded, cannot
pass. Words for what is wrong are looked for only after the check has failed.
"""

from __future__ import annotations

from ._exceptions import LocalProtocolError
from ._grammar import (
    FIELD_VALUE,
    HOST,
    ORIGIN_FORM,
    REQUEST_HEAD,
    REQUEST_LINE,
    REQUEST_TRAILERS,
    TOKEN,
)
from ._messages import BodyFollowing
from ._text import exact_str, require_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from _typeshed import ReadableBuffer

    from ._request import RequestHeaders


class RequestHead:
    """The head of a request as bytes, and what the connection must know of it."""

    __slots__ = ("asks_close", "asks_upgrade", "content_length", "data", "expects_continue")

    def __init__(
        self,
        data: bytes,
        content_length: int | None,
        asks_close: bool,
        asks_upgrade: bool,
        expects_continue: bool,
    ) -> None:
        self.data: Final = data
        #: Bytes of content that belong to the request, or `None` if it is chunked.
        self.content_length: Final = content_length
        self.asks_close: Final = asks_close
        self.asks_upgrade: Final = asks_upgrade
        #: The request has ``Expect: 100-continue`` and waits for the answer.
        self.expects_continue: Final = expects_continue


def pairs_of(headers: RequestHeaders, what: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field; raise where what was passed as *what* has no such."""
    items = getattr(headers, "items", None)
    for pair in headers if items is None else items():
        match pair:
            case (name, value):
                pass
            case _:
                raise TypeError(
                    f"{what} must be a mapping or pairs of name and value, got {pair!r} for a pair"
                )
        if type(name) is not str or type(value) is not str:
            require_str(f"names and values of {what}", name, value)
            name, value = exact_str(name), exact_str(value)
        # RFC 9112 §5.1: the first colon ends the name, so one within it would begin the value.
        if ":" in name:
            raise _invalid_name(name)
        yield name, value


class _GivenFields:
    """Header fields that the caller gave, sorted by what they mean to us."""

    __slots__ = (
        "asks_close",
        "asks_upgrade",
        "content_length",
        "expects",
        "host",
        "lines",
        "names",
        "transfer_encoding",
    )

    def __init__(self) -> None:
        self.lines: list[str] = []
        #: Names of all of them, in lower case.
        self.names: set[str] = set()
        self.host: str | None = None
        self.content_length: str | None = None
        self.transfer_encoding: str | None = None
        self.asks_close = False
        self.asks_upgrade = False
        self.expects = False

    def add(self, name: str, value: str) -> None:
        lower = name.lower()
        match lower:
            case "host":
                if self.host is not None:
                    raise LocalProtocolError("a request must have one Host field, got several")
                if not HOST.fullmatch(value.encode("latin-1", "replace")):
                    raise LocalProtocolError(f"expected 'host[:port]' as Host, got {value!r}")
                self.host = value
                return
            case "content-length":
                self.content_length = _joined(self.content_length, value)
                return
            case "transfer-encoding":
                self.transfer_encoding = _joined(self.transfer_encoding, value)
                return
            case "connection":
                options = [option.strip(" \t") for option in value.lower().split(",")]
                self.asks_close = self.asks_close or "close" in options
            case "upgrade":
                self.asks_upgrade = True
            case "expect" if value.strip(" \t").lower() == "100-continue":
                self.expects = True
                return
            case _:
                pass
        self.names.add(lower)
        self.lines.append(f"{name}: {value}")


def _joined(before: str | None, value: str) -> str:
    return value if before is None else f"{before}, {value}"


_NO_FIELDS: Final = _GivenFields()


def encode_request_head(
    method: str,
    target: str,
    host: str,
    headers: RequestHeaders | None,
    body: memoryview | BodyFollowing | None,
    *,
    expect100: bool = False,
    proxy_credentials: str | None = None,
    add_content_md5: bool = False,
    tunnel: bool = False,
) -> RequestHead:
    """Return the head of a request.

    *target* is the request target in its final form, *host* the value of Host. Added where the
    caller did not give them: Host (always first), Accept-Encoding, Content-Length or
    Transfer-Encoding, and if asked for Proxy-Authorization and Content-MD5; with *tunnel*, for
    CONNECT, nothing about content. What the caller gives for framing must agree with *body*.
    Raises `LocalProtocolError` for whatever must not go on the wire.
    """
    given = _NO_FIELDS
    if headers is not None:
        given = _GivenFields()
        for name, value in pairs_of(headers, "headers"):
            given.add(name, value)
    names = given.names
    method = exact_str(method)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {given.host or host}", *given.lines]
    if proxy_credentials is not None and "proxy-authorization" not in names:
        lines.append(f"Proxy-Authorization: {proxy_credentials}")
    # Content is handed over as it comes; a coding that nobody asked for would only surprise.
    if not tunnel and "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")

    if body is None:
        length: int | None = 0
    elif isinstance(body, BodyFollowing):
        length = body.length
        if length is not None and length < 0:
            raise LocalProtocolError(f"the length of a body cannot be negative, got {length}")
    else:
        length = len(body)
        if add_content_md5 and "content-md5" not in names:
            lines.append(f"Content-MD5: {content_md5(body)}")
    if given is not _NO_FIELDS:
        _check_framing(length, given.content_length, given.transfer_encoding)
    # RFC 9110 §9.3.6 and §9.3.8: such content would be taken for what follows the request.
    if length != 0 and (tunnel or method == "TRACE"):
        raise LocalProtocolError(f"a {method} request has no content, so it cannot take a body")
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    elif not tunnel:
        lines.append(f"Content-Length: {length}")

    expects_continue = False
    if expect100 or given.expects:
        # RFC 9110 §10.1.1: a client must not expect 100 for a request without content.
        if body is None:
            raise LocalProtocolError("Expect: 100-continue needs a body, this request has none")
        if expect100 and not isinstance(body, BodyFollowing):
            raise LocalProtocolError(
                "expect100 needs the body to follow: pass body=BodyFollowing(...) and write() it "
                "after read_response() has returned the 100 response"
            )
        # ... nor for a body that turns out to be empty.
        if length != 0:
            lines.append("Expect: 100-continue")
            expects_continue = expect100

    text = "\r\n".join(lines)
    try:
        data = f"{text}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError as exc:
        raise LocalProtocolError(
            f"method, path and header fields must be latin-1, got {exc.object[exc.start]!r}; "
            "percent-encode a path with urllib.parse.quote()"
        ) from None
    if not REQUEST_HEAD.fullmatch(data) or data.count(b"\r\n") != len(lines) + 1:
        raise _explain(method, target, lines[1:])
    return RequestHead(data, length, given.asks_close, given.asks_upgrade, expects_continue)


def encode_plain_request_head(method: str, target: str, fields: bytes) -> RequestHead:
    """Return the head of a request without content and without fields from the caller.

    *fields* is what follows the request line in a head that `encode_request_head` has made for such
    a request. The same checks, on what can differ from it.
    """
    if type(method) is not str:
        method = exact_str(method)
    line = f"{method} {target} HTTP/1.1"
    try:
        data = line.encode("ascii")
    except UnicodeEncodeError:
        raise _explain(method, target, []) from None
    if not REQUEST_LINE.fullmatch(data):
        raise _explain(method, target, [])
    return RequestHead(b"%b\r\n%b" % (data, fields), 0, False, False, False)


def _check_framing(length: int | None, given_length: str | None, given_coding: str | None) -> None:
    """Refuse what the caller says of the body's framing if it is not so (RFC 9112 §6.2)."""
    if given_length is not None and (length is None or given_length.strip(" \t") != str(length)):
        has = "is sent in chunks" if length is None else f"has {length} bytes"
        raise LocalProtocolError(
            f"Content-Length is {given_length!r}, but the body {has}; it can be left out"
        )
    if given_coding is not None and (
        length is not None or given_coding.strip(" \t").lower() != "chunked"
    ):
        raise LocalProtocolError(
            f"Transfer-Encoding is {given_coding!r}, but only 'chunked' is possible, and only "
            "with body=BodyFollowing(); it can be left out"
        )


def _explain(method: str, target: str, lines: list[str]) -> LocalProtocolError:
    if not TOKEN.fullmatch(method.encode("latin-1", "replace")):
        return LocalProtocolError(f"the method must be a token such as 'GET', got {method[:80]!r}")
    if not target.isascii() or not ORIGIN_FORM.fullmatch(b"/" + target.encode("ascii")):
        return LocalProtocolError(
            "the path must be visible ASCII characters without blanks, percent-encode others with "
            f"urllib.parse.quote(); got {target[:80]!r}"
        )
    return _explain_lines(lines)


def _explain_lines(lines: list[str]) -> LocalProtocolError:
    name, value = next(
        (name, value)
        for name, _, value in (line.partition(": ") for line in lines)
        if not TOKEN.fullmatch(name.encode("latin-1"))
        or not FIELD_VALUE.fullmatch(value.encode("latin-1"))
    )
    if not TOKEN.fullmatch(name.encode("latin-1")):
        return _invalid_name(name)
    return LocalProtocolError(
        f"the value of {name} must not contain CR, LF, NUL or other controls, got {value[:80]!r}"
    )


def _invalid_name(name: str) -> LocalProtocolError:
    return LocalProtocolError(f"a field name must be a token, got {name[:80]!r}")


#: Ends a chunk's data.
CHUNK_END: Final = b"\r\n"


def encode_chunk_start(size: int) -> bytes:
    """Return the first line of a chunk of *size* bytes, which must not be 0 (RFC 9112 §7.1)."""
    return b"%x\r\n" % size


# What decides about framing, routing or authentication must not come late (RFC 9110 §6.5.1).
_FORBIDDEN_TRAILERS: Final = frozenset(
    ("authorization", "connection", "content-encoding", "content-length", "content-range",
     "content-type", "expect", "host", "proxy-authorization", "te", "trailer", "transfer-encoding")
)  # fmt: skip


def encode_last_chunk(trailers: RequestHeaders | None) -> bytes:
    """Return the last chunk and the trailer section (RFC 9112 §7.1, §7.1.2)."""
    lines: list[str] = []
    for name, value in pairs_of(trailers, "trailers") if trailers is not None else ():
        if name.lower() in _FORBIDDEN_TRAILERS:
            raise LocalProtocolError(f"{name} must not be sent as a trailer")
        lines.append(f"{name}: {value}\r\n")
    try:
        section = f"{''.join(lines)}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise LocalProtocolError("trailers must be latin-1") from None
    if not REQUEST_TRAILERS.fullmatch(section) or section.count(b"\r\n") != len(lines) + 1:
        raise _explain_lines([line[:-2] for line in lines])
    return b"0\r\n" + section


def basic_credentials(user: str, password: str) -> str:
    """Return the value of (Proxy-)Authorization for the Basic scheme (RFC 7617)."""
    from base64 import b64encode

    require_str("user name and password", user, password)
    if ":" in user:
        raise LocalProtocolError("the user name for Basic authentication must not contain ':'")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def content_md5(body: bytes | bytearray | memoryview) -> str:
    """Return the value of Content-MD5 for *body*: a checksum, not a protection."""
    from base64 import b64encode
    from hashlib import md5

    return b64encode(md5(body, usedforsecurity=False).digest()).decode("ascii")


def as_bytes_view(data: ReadableBuffer) -> memoryview:
    """Return *data* as a view of its bytes. Raises `TypeError` unless it is bytes-like."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(
            f"content must be bytes-like, got {type(data).__name__}; what is not in memory yet is "
            "sent with body=BodyFollowing(...) and write() or sendfile()"
        ) from None
    if type(data) is bytes or type(data) is bytearray:
        return view
    # Only views of the same format can be copied into one another.
    if view.format == "B" and view.ndim == 1 and view.c_contiguous:
        return view
    if not view.c_contiguous:
        raise LocalProtocolError("a bytes-like object must be contiguous in memory")
    return view.cast("B")
