"""Conversations for the tests of `httpio trace`: recordings without a network."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from httpio_cli._trace.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from httpio_cli._trace.recording import Connection
    from httpio_cli._trace.streams import Stream


def request(target: str = "/", fields: bytes = b"", method: str = "GET") -> bytes:
    """Return the head of a request."""
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n".encode() + fields + b"\r\n"


def recorded(
    *turns: tuple[str, bytes] | tuple[str, str, str],
    max_bytes: int = 1_000_000,
    origin: str = "http://localhost",
    finish: bool = True,
) -> Recording:
    """Return a recording of *turns*, one millisecond apart.

    A turn is ``(">", bytes)`` or ``("<", bytes)``, or ``("*", name, detail)``.
    """
    ticks = count()
    recording = Recording(max_bytes, clock=lambda: next(ticks) / 1000, started=1_700_000_000.0)
    recorder = recording.recorder(origin)
    for turn in turns:
        match turn:
            case (">", bytes(data)):
                recorder.sent(data)
            case ("<", bytes(data)):
                recorder.received(memoryview(data))
            case ("*", str(name), str(detail)):
                recorder.event(name, detail)
            case _:
                raise AssertionError(turn)
    if finish:
        recording.finish()
    return recording


def in_pieces(sign: str, data: bytes, sizes: Iterable[int]) -> list[tuple[str, bytes]]:
    """Return turns that bring *data* in pieces of *sizes*, used again and again."""
    sizes = list(sizes)
    turns, position, turn = [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        turns.append((sign, data[position : position + size]))
        position, turn = position + size, turn + 1
    return turns


def ranges(stream: Stream) -> list[tuple[str, str | None, int, int]]:
    """Return part, slot, start and end of each range of *stream*."""
    return [
        (str(span.part), None if span.slot is None else span.slot.label, span.start, span.end)
        for span in stream.spans
    ]


def pieces(connection: Connection, stream: Stream) -> list[tuple[str, str | None, bytes]]:
    """Return part, slot and bytes of each range of *stream*, which was kept as a whole."""
    data = bytes(stream.captured)
    return [(part, slot, data[start:end]) for part, slot, start, end in ranges(stream)]
