"""Response heads and trailer sections: from buffer to value, or ``None`` for "more data".

Plain functions over a `ReceiveBuffer`; nothing is consumed before it is right. One compiled
expression (`_grammar.RESPONSE_HEAD`) decides what is accepted. Only when that refuses does
`_explain` look for words, so the explanation costs nothing where all is well.
"""

from __future__ import annotations

import sys

from ._exceptions import InvalidResponse, UnsupportedResponse
from ._grammar import (
    FRAMING_FIELDS,
    HEAD_PREFIX,
    PLAIN_RESPONSE_HEAD,
    RESPONSE_HEAD,
    TOKEN,
    TRAILER_SECTION,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from ._buffer import ReceiveBuffer
    from ._framing import FieldLine

#: Longest status line, in bytes. A server that sends a longer one gets `InvalidResponse`.
MAX_LINE_SIZE: int = 8 * 1024
#: Longest field section, all field lines together, in bytes. The same holds for trailers.
MAX_HEADER_SIZE: int = 64 * 1024
#: Most field lines in one section.
MAX_FIELD_LINES: Final = 1000


class Limits:
    """The sizes that bound what a server can make us hold. Taken when a connection is opened."""

    __slots__ = ("header_size", "line_size", "unquestioned_size")

    def __init__(self, line_size: int = MAX_LINE_SIZE, header_size: int = MAX_HEADER_SIZE) -> None:
        self.line_size: Final = line_size
        #: A section of this size exceeds no limit. A field line has 4 bytes at least.
        self.unquestioned_size: Final = min(line_size, header_size, 4 * MAX_FIELD_LINES)
        self.header_size: Final = header_size

    @classmethod
    def current(cls) -> Limits:
        """Return the limits that are set on the package, where programs may have changed them."""
        package = sys.modules[__package__ or "httpio"]
        return cls(
            getattr(package, "MAX_LINE_SIZE", MAX_LINE_SIZE),
            getattr(package, "MAX_HEADER_SIZE", MAX_HEADER_SIZE),
        )

    @property
    def buffer_size(self) -> int:
        """A buffer of this size is never full before a limit was exceeded."""
        return max(self.line_size + self.header_size + 4, 64 * 1024) + 16 * 1024


class ResponseHead:
    """Status line and field section of a response, interim ones included."""

    __slots__ = ("framing_fields", "minor_version", "plain_length", "rest", "status")

    def __init__(
        self,
        minor_version: int,
        status: int,
        rest: bytes,
        framing_fields: Sequence[FieldLine],
        plain_length: int | None = None,
    ) -> None:
        #: 0 or 1, for HTTP/1.0 and HTTP/1.1.
        self.minor_version: Final = minor_version
        self.status: Final = status
        #: Reason phrase and field lines, each with its CRLF.
        self.rest: Final = rest
        #: Those of the field lines that framing depends on.
        self.framing_fields: Final = framing_fields
        #: The length, if one Content-Length is all of them that matters; then they are left out.
        self.plain_length: Final = plain_length

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self.rest.partition(b"\r\n")[0].decode("latin-1")

    @property
    def field_section(self) -> bytes:
        """The field lines, each with its CRLF."""
        return self.rest.partition(b"\r\n")[2]


def parse_response_head(buffer: ReceiveBuffer, limits: Limits) -> ResponseHead | None:
    """Take the head of a response from the front of *buffer*.

    Returns `None` if it has not arrived completely. Raises `InvalidResponse` for what is no proper
    head, and `UnsupportedResponse` for another major version. For what is no HTTP at all, or longer
    than *limits* allow, the end of the head is not waited for.
    """
    data = buffer.data
    start = buffer.start
    # Most heads are plain and arrive as a whole. On later looks at the same bytes this would only
    # make a slow peer costly.
    if not buffer.scanned:
        match = PLAIN_RESPONSE_HEAD.match(data, start, buffer.end)
        if match is not None and match.end() - start <= limits.unquestioned_size:
            status, rest, length = match.groups()
            buffer.start = match.end()
            return ResponseHead(1, int(status), rest, (), int(length))
    stop = _find_empty_line(buffer)
    if stop is None:
        _check_incomplete_head(buffer, limits)
        return None
    match = RESPONSE_HEAD.fullmatch(data, start, stop)
    if match is None:
        raise _explain(buffer.peek(stop - start))
    minor_version, status, reason, field_section = match.groups()
    status_code = int(status)
    if status_code < 100:
        raise InvalidResponse(f"the server sent the status code {status.decode()}, below 100")
    if stop - start > limits.unquestioned_size:
        if match.start(4) - start - 2 > limits.line_size:
            raise _too_long("status line", limits.line_size)
        _check_field_section(field_section, "header section", limits)
    head = ResponseHead(
        # RFC 9112 §2.3: another minor version is to be treated as the highest that we know.
        0 if minor_version == b"0" else 1,
        status_code,
        b"%b\r\n%b" % (reason or b"", field_section),
        FRAMING_FIELDS.findall(data, match.start(4) - 1, stop),
    )
    buffer.consume(stop - start)
    return head


def parse_trailer_section(buffer: ReceiveBuffer, limits: Limits) -> bytes | None:
    """Take the trailer section and the empty line after it from the front of *buffer*.

    Returns the field lines, each with its CRLF, or `None` if they have not arrived completely.
    """
    data = buffer.data
    start = buffer.start
    if data.startswith(b"\r\n", start, buffer.end):
        buffer.consume(2)
        return b""
    stop = _find_empty_line(buffer)
    if stop is None:
        _check_line_ends(buffer)
        if len(buffer) > limits.header_size + 4:
            raise _too_long("trailer section", limits.header_size)
        return None
    match = TRAILER_SECTION.fullmatch(data, start, stop)
    if match is None:
        raise _explain_fields(buffer.peek(stop - start), "trailer section")
    field_section: bytes = match.group(1)
    _check_field_section(field_section, "trailer section", limits)
    buffer.consume(stop - start)
    return field_section


def _find_empty_line(buffer: ReceiveBuffer) -> int | None:
    """Return the position behind the empty line that ends a section, `None` if it is not there."""
    # What was searched before may end within the empty line.
    start = buffer.start + (buffer.scanned - 3 if buffer.scanned > 3 else 0)
    found = buffer.data.find(b"\r\n\r\n", start, buffer.end)
    return found + 4 if found >= 0 else None


def _check_line_ends(buffer: ReceiveBuffer) -> None:
    """Refuse a bare CR or LF, or a NUL, in what has arrived of a section (RFC 9112 §2.2).

    Waiting for the section's end could last for ever: a peer that ends its lines with LF alone, or
    that does not speak HTTP at all, may wait for us.
    """
    position = buffer.start + buffer.scanned
    # Where the last look ended, a CR may have been waiting for its LF.
    if buffer.scanned and buffer.data[position - 1] == 0x0D:
        position -= 1
    if not HEAD_PREFIX.match(buffer.data, position, buffer.end):
        raise _explain_line_end(buffer.peek(len(buffer)))
    buffer.scanned = len(buffer)


def _check_incomplete_head(buffer: ReceiveBuffer, limits: Limits) -> None:
    # First, as in `_explain`: what is found wrong must not depend on how the bytes were split.
    # RFC 9112 §2.3: HTTP-name is case-sensitive.
    if not b"HTTP/1.".startswith(buffer.peek(7)):
        raise _explain_status_line(buffer.peek(80))
    size = len(buffer)
    # Looked for once: the first time that the longest status line and its end have arrived.
    longest = limits.line_size + 2
    if buffer.scanned < longest <= size and not buffer.data.count(
        b"\r\n", buffer.start, buffer.start + longest
    ):
        raise _too_long("status line", limits.line_size)
    if size > longest + limits.header_size + 2:
        raise _too_long("header section", limits.header_size)
    _check_line_ends(buffer)


def _check_field_section(field_section: bytes, what: str, limits: Limits) -> None:
    if len(field_section) > limits.header_size:
        raise _too_long(what, limits.header_size)
    count = field_section.count(b"\r\n")
    if count > MAX_FIELD_LINES:
        raise InvalidResponse(
            f"the server sent {count} lines in its {what}, more than {MAX_FIELD_LINES}"
        )


def _too_long(what: str, limit: int) -> InvalidResponse:
    return InvalidResponse(f"the server sent a {what} of more than {limit} bytes")


def _explain(head: bytes) -> InvalidResponse | UnsupportedResponse:
    """Say what is wrong with *head*, which the grammar does not accept."""
    status_line, _, field_section = head.partition(b"\r\n")
    if not head.startswith(b"HTTP/1."):
        return _explain_status_line(status_line)
    if not HEAD_PREFIX.match(head):
        return _explain_line_end(head)
    if RESPONSE_HEAD.fullmatch(status_line + b"\r\n\r\n"):
        return _explain_fields(field_section, "header section")
    return _explain_status_line(status_line)


def _explain_line_end(section: bytes) -> InvalidResponse:
    number, line, name = next(
        (number, line, name)
        for number, line in enumerate(section.split(b"\r\n"), 1)
        for octet, name in ((b"\0", "NUL"), (b"\n", "LF without CR"), (b"\r", "CR without LF"))
        if octet in line
    )
    return InvalidResponse(f"the server sent {name} in line {number}: {line[:80]!r}")


def _explain_status_line(line: bytes) -> InvalidResponse | UnsupportedResponse:
    """Say what is wrong with *line*, of which no more than that may have arrived."""
    if line.startswith(b"HTTP/") and line[5:6].isdigit() and line[5:6] != b"1":
        version = line[:8] if line[6:7] == b"." and line[7:8].isdigit() else line[:6]
        return UnsupportedResponse(
            f"the server speaks {version.decode()}, expected HTTP/1.0 or HTTP/1.1"
        )
    return InvalidResponse(
        f"expected a status line such as 'HTTP/1.1 200 OK', the server sent {line[:80]!r}"
    )


def _explain_fields(field_section: bytes, what: str) -> InvalidResponse:
    if not HEAD_PREFIX.match(field_section):
        return _explain_line_end(field_section)
    if field_section.startswith((b" ", b"\t")):
        return InvalidResponse(f"the server sent white space before the first line of its {what}")
    name, colon, line = next(
        (name, colon, line)
        for line in field_section.split(b"\r\n")
        if not line.startswith((b" ", b"\t"))
        for name, colon, _ in (line.partition(b":"),)
        if not (colon and TOKEN.fullmatch(name))
    )
    if not colon:
        return InvalidResponse(f"the server sent a line without colon: {line[:80]!r}")
    return InvalidResponse(f"the server sent an invalid field name: {name[:80]!r}")
