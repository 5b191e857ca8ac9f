"""Content as it is framed on the wire, taken from a `ReceiveBuffer`.

Each decoder has the same shape. ``decode(buffer, size)`` returns up to *size* bytes of content,
``b""`` once the content is complete, or `None` if it needs more data; ``decode_into`` is the same
for the caller's memory. `complete` tells that the content has been handed out to its end. Where
content may be received straight into the caller's memory, `direct_size` says how much, and
``received_directly`` takes note of it.

Nothing touches a socket here, and nothing is consumed that was not right.
"""

from __future__ import annotations

import sys

from ._exceptions import InvalidResponse, UnsupportedResponse
from ._grammar import CHUNK_LINE, CHUNK_LINE_PREFIX, CHUNK_LINE_REST, CHUNK_SIZE_FIELD
from ._parser import parse_trailer_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn, TypeAlias

    from ._buffer import ReceiveBuffer
    from ._parser import Limits

#: A chunk's size line with its extensions may have this many bytes.
MAX_CHUNK_LINE_SIZE: Final = 4096
#: Receiving directly into the caller's memory pays from this size on. Below, a receive into the
#: buffer costs the same and brings what follows as well.
_DIRECT_MINIMUM: Final = 4096


class ContentLengthDecoder:
    """Content of a known length (RFC 9112 §6.2)."""

    __slots__ = ("remaining",)

    ends_at_close: Final = False
    trailer_section: Final = b""

    def __init__(self, length: int) -> None:
        #: Bytes that are still to come.
        self.remaining = length

    @property
    def complete(self) -> bool:
        return not self.remaining

    @property
    def direct_size(self) -> int:
        return self.remaining if self.remaining >= _DIRECT_MINIMUM else 0

    def received_directly(self, size: int) -> None:
        self.remaining -= size

    def decode(self, buffer: ReceiveBuffer, size: int) -> bytes | None:
        if not self.remaining:
            return b""
        data = buffer.take(min(size, self.remaining))
        self.remaining -= len(data)
        return data or None

    def decode_into(self, buffer: ReceiveBuffer, view: memoryview) -> int | None:
        if not self.remaining:
            return 0
        size = buffer.take_into(view[: self.remaining])
        self.remaining -= size
        return size or None

    def __repr__(self) -> str:
        return f"{self.remaining} bytes of content to come"


class CloseDelimitedDecoder:
    """Content that lasts until the server closes the connection (RFC 9112 §6.3, rule 8)."""

    __slots__ = ("complete",)

    ends_at_close: Final = True
    trailer_section: Final = b""
    direct_size: Final = sys.maxsize

    def __init__(self) -> None:
        #: Set by whoever sees the close.
        self.complete = False

    def received_directly(self, size: int) -> None:
        pass

    def decode(self, buffer: ReceiveBuffer, size: int) -> bytes | None:
        return buffer.take(size) or (b"" if self.complete else None)

    def decode_into(self, buffer: ReceiveBuffer, view: memoryview) -> int | None:
        return buffer.take_into(view) or (0 if self.complete else None)

    def __repr__(self) -> str:
        return "content to the close of the connection"


class ChunkedDecoder:
    """Content in chunks, and the trailer section after them (RFC 9112 §7.1)."""

    __slots__ = (
        "_after_data",
        "_after_last",
        "_limits",
        "complete",
        "remaining",
        "trailer_section",
    )

    ends_at_close: Final = False

    def __init__(self, limits: Limits) -> None:
        self._limits: Final = limits
        #: Bytes of the present chunk's data that are still to come.
        self.remaining = 0
        #: The CRLF behind the data has not been seen.
        self._after_data = False
        #: The last chunk has been seen, the trailer section has not.
        self._after_last = False
        self.complete = False
        self.trailer_section = b""

    @property
    def direct_size(self) -> int:
        return self.remaining if self.remaining >= _DIRECT_MINIMUM else 0

    def received_directly(self, size: int) -> None:
        self.remaining -= size
        self._after_data = not self.remaining

    def decode(self, buffer: ReceiveBuffer, size: int) -> bytes | None:
        pieces: list[bytes] = []
        while size and self._more_data(buffer, bool(pieces)):
            piece = buffer.take(min(size, self.remaining))
            if not piece:
                break
            self._took(len(piece))
            size -= len(piece)
            pieces.append(piece)
        if pieces:
            # The end may be here already: the response then is complete with its last byte.
            if not self.remaining:
                self._more_data(buffer, True)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return b"" if self.complete else None

    def decode_into(self, buffer: ReceiveBuffer, view: memoryview) -> int | None:
        position = 0
        while position < len(view) and self._more_data(buffer, bool(position)):
            size = buffer.take_into(view[position : position + self.remaining])
            if not size:
                break
            self._took(size)
            position += size
        if position:
            if not self.remaining:
                self._more_data(buffer, True)
            return position
        return 0 if self.complete else None

    def _took(self, size: int) -> None:
        self.remaining -= size
        self._after_data = not self.remaining

    def _more_data(self, buffer: ReceiveBuffer, has_data: bool) -> bool:
        """Advance to the next byte of data; return if the present chunk has data to come.

        With *has_data*, what is wrong is left for the next call to find: the data before it was
        right, and is handed over first.
        """
        while not self.remaining and not self.complete:
            try:
                if not self._next_line(buffer):
                    return False
            except InvalidResponse:
                if has_data:
                    return False
                raise
        return not self.complete

    def _next_line(self, buffer: ReceiveBuffer) -> bool:
        """Consume one element of the framing; return `False` if it has not arrived."""
        data = buffer.data
        if self._after_data:
            # Exactly CRLF: bytes that hide here would be taken for a chunk size elsewhere.
            found = buffer.peek(2)
            if found != b"\r\n":
                if b"\r\n".startswith(found):
                    return False
                raise InvalidResponse(
                    f"expected CRLF after the data of a chunk, the server sent {found!r}"
                )
            buffer.consume(2)
            self._after_data = False
        elif self._after_last:
            trailer_section = parse_trailer_section(buffer, self._limits)
            if trailer_section is None:
                return False
            self.trailer_section = trailer_section
            self.complete = True
        else:
            # A line whose extension comes slowly is matched when its end is there, not before.
            match = (
                CHUNK_LINE.match(data, buffer.start, buffer.end)
                if buffer.scanned < CHUNK_SIZE_FIELD
                or data.find(b"\n", buffer.start + buffer.scanned, buffer.end) >= 0
                else None
            )
            if match is None:
                _check_incomplete_chunk_line(buffer)
                return False
            line_size = match.end() - buffer.start
            if line_size > MAX_CHUNK_LINE_SIZE:
                raise _chunk_line_too_long()
            self.remaining = int(match.group(1), 16)
            self._after_last = not self.remaining
            buffer.consume(line_size)
        return True

    def __repr__(self) -> str:
        return f"{self.remaining} bytes of a chunk and the end of the content to come"


class UndelimitedDecoder:
    """Content that cannot be read, because nothing tells where it ends."""

    __slots__ = ("_why",)

    ends_at_close: Final = False
    complete: Final = False
    trailer_section: Final = b""
    direct_size: Final = 0

    def __init__(self, why: str) -> None:
        self._why: Final = why

    def received_directly(self, size: int) -> None:
        raise AssertionError("no decoder without direct_size receives directly")

    def decode(self, buffer: ReceiveBuffer, size: int) -> NoReturn:
        raise UnsupportedResponse(
            f"{self._why}; read_raw() shows the bytes, reset() makes the connection usable"
        )

    def decode_into(self, buffer: ReceiveBuffer, view: memoryview) -> NoReturn:
        self.decode(buffer, 0)

    def __repr__(self) -> str:
        return "content without an end that can be told"


if TYPE_CHECKING:
    Decoder: TypeAlias = (
        ContentLengthDecoder | CloseDelimitedDecoder | ChunkedDecoder | UndelimitedDecoder
    )


def _chunk_line_too_long() -> InvalidResponse:
    return InvalidResponse(
        f"the server sent a chunk size with extensions of more than {MAX_CHUNK_LINE_SIZE} bytes"
    )


def _check_incomplete_chunk_line(buffer: ReceiveBuffer) -> None:
    """Refuse what cannot become the first line of a chunk any more."""
    size = len(buffer)
    scanned = buffer.scanned
    if scanned < CHUNK_SIZE_FIELD:
        good = not size or CHUNK_LINE_PREFIX.match(buffer.data, buffer.start, buffer.end)
    else:
        # Only an extension can be that long. A CR at its end may have been waiting for its LF.
        position = buffer.start + scanned
        if buffer.data[position - 1] == 0x0D:
            position -= 1
        good = CHUNK_LINE_REST.match(buffer.data, position, buffer.end)
    if not good:
        line = buffer.peek(40)
        raise InvalidResponse(
            f"expected the size of a chunk as 1 to 16 hex digits and CRLF, the server sent {line!r}"
        )
    if size > MAX_CHUNK_LINE_SIZE:
        raise _chunk_line_too_long()
    buffer.scanned = size
