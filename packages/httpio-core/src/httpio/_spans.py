"""Byte ranges that somebody wants, and how they are asked for together.

Plain functions and values, nothing of HTTP.
"""

from __future__ import annotations

from operator import index

from ._encoders import as_bytes_view
from ._exceptions import LocalProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from _typeshed import WriteableBuffer


class Piece:
    """A range that somebody wants: *size* bytes from *offset*, into *view*."""

    __slots__ = ("offset", "size", "view")

    def __init__(self, offset: int, size: int, view: memoryview) -> None:
        self.offset = offset
        self.size: Final = size
        self.view: Final = view

    @property
    def end(self) -> int:
        return self.offset + self.size


class Span:
    """Pieces that are asked for together, in the order of their offsets."""

    __slots__ = ("end", "pieces", "start")

    def __init__(self, first: Piece) -> None:
        self.pieces: Final = [first]
        self.start: Final = first.offset
        self.end = first.end


def make_pieces(
    ranges: Iterable[tuple[int, int]], buffers: Sequence[WriteableBuffer] | None
) -> list[Piece]:
    """Return what *ranges*, ``(offset, size)`` each, are to be read into: *buffers*, or new memory."""
    pieces: list[Piece] = []
    for number, each in enumerate(ranges):
        match each:
            case (offset, size):
                offset, size = int(index(offset)), int(index(size))
            case _:
                raise LocalProtocolError(f"a range is an offset and a size, got {each!r}")
        if size < 0 or (offset < 0 and offset + size > 0):
            raise LocalProtocolError(
                "a range is an offset and a size that is not negative; one with a negative offset "
                f"must not go beyond the end; got ({offset}, {size})"
            )
        if buffers is None:
            view = memoryview(bytearray(size))
        else:
            if number >= len(buffers):
                raise LocalProtocolError(f"there are more ranges than the {len(buffers)} buffers")
            view = as_bytes_view(buffers[number])
            if view.readonly:
                raise TypeError("ranges need memory that can be written to, such as a bytearray")
            if len(view) != size:
                raise LocalProtocolError(
                    f"the buffer of range {number} has {len(view)} bytes, but the range has {size}"
                )
        pieces.append(Piece(offset, size, view))
    if buffers is not None and len(buffers) != len(pieces):
        raise LocalProtocolError(f"there are {len(pieces)} ranges, but {len(buffers)} buffers")
    return pieces


def make_spans(pieces: Iterable[Piece], gap: int) -> list[Span]:
    """Return *pieces* in spans: what is not more than *gap* bytes apart, together."""
    spans: list[Span] = []
    for piece in sorted(pieces, key=lambda piece: (piece.offset, piece.size)):
        if spans and piece.offset <= spans[-1].end + gap:
            spans[-1].pieces.append(piece)
            spans[-1].end = max(spans[-1].end, piece.end)
        else:
            spans.append(Span(piece))
    return spans
