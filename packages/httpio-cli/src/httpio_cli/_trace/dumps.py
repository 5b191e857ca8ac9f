"""Dumps in the form of curl's ``--trace`` and ``--trace-ascii``.

What curl does not have is added behind its line for a block: connection, slot and part. The offsets
are those of the stream, so that they agree with the ranges that all outputs give.
"""

from __future__ import annotations

from .recording import Event
from .spans import Part
from .views import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TextIO

    from .views import Portion, View

_HEX_WIDTH: Final = 16
_ASCII_WIDTH: Final = 64
_PRINTABLE: Final = bytes(byte if 0x20 <= byte < 0x7F else 0x2E for byte in range(256))


def write_hex(view: View, stream: TextIO, *, with_time: bool) -> None:
    """Write each byte in hexadecimal and as a character, 16 on a line."""
    _write(view, stream, with_time=with_time, ascii_only=False)


def write_ascii(view: View, stream: TextIO, *, with_time: bool) -> None:
    """Write the characters only, and begin a line where the text does."""
    _write(view, stream, with_time=with_time, ascii_only=True)


def hex_lines(data: bytes, offset: int) -> Iterator[str]:
    """Give lines of *data*, whose first byte has *offset*."""
    for start in range(0, len(data), _HEX_WIDTH):
        row = data[start : start + _HEX_WIDTH]
        octets = row.hex(" ").ljust(3 * _HEX_WIDTH - 1)
        yield f"{offset + start:04x}: {octets} {row.translate(_PRINTABLE).decode()}"


def _ascii_lines(data: bytes, offset: int) -> Iterator[str]:
    start = 0
    while start < len(data):
        end = data.find(b"\r\n", start, start + _ASCII_WIDTH + 1)
        skip = 2
        if end < 0:
            end, skip = min(start + _ASCII_WIDTH, len(data)), 0
        yield f"{offset + start:04x}: {data[start:end].translate(_PRINTABLE).decode()}"
        start = end + skip


def _write(view: View, stream: TextIO, *, with_time: bool, ascii_only: bool) -> None:
    lines = _ascii_lines if ascii_only else hex_lines
    for item in view:
        stamp = f"{view.moment(item.time).astimezone():%H:%M:%S.%f} " if with_time else ""
        if isinstance(item, Event):
            text = f"{item.name} {view.detail(item)}".encode("latin-1", "backslashreplace")
            shown = text.translate(_PRINTABLE).decode()
            stream.write(f"{stamp}== Info: [{item.connection.number}] {shown}\n")
            continue
        stream.write(f"{stamp}{_block_line(item)}\n")
        stream.writelines(f"{line}\n" for line in lines(item.data, item.start))
        if item.left_out:
            stream.write(f"== Info: [{item.connection.number}] {left_out_text(item)}\n")


def _block_line(portion: Portion) -> str:
    sent = portion.stream.direction == "sent"
    what = "data" if portion.part.in_chunks or portion.part in _DATA else "header"
    number = owner(portion.slot)
    whose = "no request" if number is None else f"slot {number}"
    return (
        f"{'=> Send' if sent else '<= Recv'} {what}, {len(portion)} bytes (0x{len(portion):x}) "
        f"[{portion.connection.number}] {whose}, {portion.part}"
    )


_DATA: Final = frozenset(
    (
        Part.REQUEST_CHUNKS,
        Part.RESPONSE_CHUNKS,
        Part.UNDELIMITED,
        Part.INVALID,
        Part.TUNNEL_DATA,
        Part.UNSOLICITED,
        Part.AFTER_CLOSE,
    )
)


def left_out_text(portion: Portion) -> str:
    """Return what is said in the place of bytes that were not kept."""
    return f"{portion.left_out} bytes are not shown, up to offset {portion.end}: see --max-bytes"
