"""Which content follows a head, and whether the connection outlives it.

Plain functions over what the parser found: RFC 9112 §6.3 walked in its own order, and §9.3.
"""

from __future__ import annotations

from ._exceptions import InvalidResponse
from ._grammar import CONTENT_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, TypeAlias

    #: Name and value of a field line, as received.
    FieldLine: TypeAlias = tuple[bytes, bytes]


class ContentLength:
    """The content has `length` bytes, more than none."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length: Final = length


class NoContent:
    """The response ends with its head."""

    __slots__ = ()


class Chunked:
    """The content comes in chunks (RFC 9112 §7.1)."""

    __slots__ = ()


class CloseDelimited:
    """The content lasts until the server closes the connection."""

    __slots__ = ()


class Undelimited:
    """There is content, but where it ends cannot be told; `why` says it in words."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why: Final = why


class Tunnel:
    """What follows the head is not HTTP any more."""

    __slots__ = ()


if TYPE_CHECKING:
    Framing: TypeAlias = ContentLength | NoContent | Chunked | CloseDelimited | Undelimited | Tunnel

#: OWS (RFC 9110 §5.6.3), and what is left of a line that was folded: the grammar lets CR and LF into
#: a value only there. Nothing else is blank: a server that pads ``chunked`` with other controls is
#: not to be taken at its word.
_BLANKS: Final = b" \t\r\n"

_NO_CONTENT: Final = NoContent()
_CHUNKED: Final = Chunked()
_CLOSE_DELIMITED: Final = CloseDelimited()
_TUNNEL: Final = Tunnel()


def _list_elements(values: Sequence[bytes]) -> list[bytes]:
    """Return the elements of a list-based field, in lower case (RFC 9110 §5.6.1)."""
    elements = b",".join(values).lower().split(b",")
    return [element for element in (element.strip(_BLANKS) for element in elements) if element]


def plain_framing(request_method: str, status: int, length: int) -> Framing:
    """`response_framing` for a final head of HTTP/1.1 with nothing but a Content-Length to look at.

    Such a connection persists.
    """
    if request_method == "CONNECT" and status < 300:
        return _TUNNEL
    if not length or request_method == "HEAD" or status in (204, 304):
        return _NO_CONTENT
    return ContentLength(length)


def response_framing(
    request_method: str,
    status: int,
    minor_version: int,
    framing_fields: Sequence[FieldLine],
) -> tuple[Framing, bool]:
    """Tell which content follows a final or 101 response, and if the connection persists after it.

    *framing_fields* are the Content-Length, Transfer-Encoding and Connection lines of the head.
    Raises `InvalidResponse` where they are in no way to be believed.
    """
    lengths: list[bytes] = []
    codings: list[bytes] = []
    options: list[bytes] = []
    for name, value in framing_fields:
        # The names are known, so their lengths tell them apart.
        if len(name) == 14:
            lengths.append(value)
        elif len(name) == 17:
            codings.append(value)
        else:
            options.append(value)

    # RFC 9112 §9.3: HTTP/1.1 persists unless told otherwise, HTTP/1.0 only if told so.
    if len(options) == 1 and options[0].strip(_BLANKS).lower() == b"keep-alive":
        persists = True
    elif options:
        names = _list_elements(options)
        persists = b"close" not in names and (minor_version > 0 or b"keep-alive" in names)
    else:
        persists = minor_version > 0

    # RFC 9112 §6.3, in its order, but for 2, whose tunnel begins after a 204 as well: after this
    # comes a tunnel, or with 101 (RFC 9110 §15.2.2) another protocol.
    if status == 101 or (request_method == "CONNECT" and 200 <= status < 300):
        return _TUNNEL, False
    # 1: these have no content, whatever their fields say.
    if request_method == "HEAD" or status in (204, 304):
        return _NO_CONTENT, persists
    # 3: both fields at once are how requests and responses are smuggled.
    if codings:
        if lengths:
            raise InvalidResponse(
                "the server sent both Transfer-Encoding and Content-Length, "
                "so the end of its response cannot be trusted"
            )
        # RFC 9112 §6.1: no HTTP/1.0 server can mean this.
        if minor_version == 0:
            raise InvalidResponse("the server sent Transfer-Encoding in an HTTP/1.0 response")
        framing = _transfer_coding(codings)
        return framing, persists and framing is _CHUNKED
    # 5, and 6
    if lengths:
        length = _content_length(lengths)
        return ContentLength(length) if length else _NO_CONTENT, persists
    # 8: to the close, if the server means to close.
    if not persists or minor_version == 0:
        return _CLOSE_DELIMITED, False
    return (
        Undelimited(
            "the response has neither Content-Length nor Transfer-Encoding, "
            "and the server did not say that it closes the connection after it"
        ),
        False,
    )


def _transfer_coding(values: list[bytes]) -> Framing:
    # 4
    codings = _list_elements(values)
    if codings == [b"chunked"]:
        return _CHUNKED
    if codings.count(b"chunked") > 1:
        raise InvalidResponse("the server applied the chunked transfer coding twice")
    text = b", ".join(codings).decode("latin-1")
    return Undelimited(f"the response has a transfer coding that is not supported: {text!r}")


def _content_length(values: list[bytes]) -> int:
    if len(values) == 1:
        value = values[0].strip(b" \t")
        # Unlike str, bytes know ASCII digits only.
        if value.isdigit() and len(value) <= 18:
            return int(value)
    first, *others = (element.strip(_BLANKS) for value in values for element in value.split(b","))
    if not CONTENT_LENGTH.fullmatch(first):
        raise InvalidResponse(
            f"expected 1 to 18 digits as Content-Length, the server sent {first[:40]!r}"
        )
    # RFC 9110 §8.6: the same value repeated is that value.
    if any(other != first for other in others):
        raise InvalidResponse(
            f"the server sent different Content-Length values: {b', '.join((first, *others))[:80]!r}"
        )
    return int(first)
