"""Receive buffers that hold what a test says, and traps around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio._buffer import ReceiveBuffer
from httpio._parser import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits()


def receive(buffer: ReceiveBuffer, data: bytes) -> None:
    """Have *data* received into *buffer*, in as many pieces as that makes necessary."""
    view = memoryview(data)
    while view:
        room = buffer.writable()
        size = min(len(room), len(view))
        room[:size] = view[:size]
        buffer.received(size)
        view = view[size:]


def make_buffer(data: bytes = b"", *, before: int = 0, limits: Limits = LIMITS) -> ReceiveBuffer:
    """Return a buffer that has received *data*.

    Its memory is full of line ends, as if left over from what was received earlier: whoever looks
    beyond the end finds a line end that is not there. *before* bytes have been received and consumed
    first.
    """
    buffer = ReceiveBuffer(limits.buffer_size)
    buffer.data[:] = (b"\n\r" * len(buffer.data))[: len(buffer.data)]
    if before:
        receive(buffer, b"x" * (before + 1))
        buffer.consume(before)
        receive(buffer, data)
        buffer.consume(1)
    else:
        receive(buffer, data)
    return buffer


def content_of(buffer: ReceiveBuffer) -> bytes:
    """Return what is in *buffer*, which keeps it."""
    return buffer.peek(len(buffer))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield *data* in pieces of *size* bytes."""
    for position in range(0, len(data), size):
        yield data[position : position + size]


def forget_scanned(buffer: ReceiveBuffer, keep: int) -> None:
    """Overwrite what has been searched in *buffer* with line ends, but for the first *keep* bytes.

    Also kept are the last three bytes, the most that an empty line can reach back. A parser that
    looks at anything else a second time does not know its own input again: so this counts, without a
    clock, that the work is done once for each byte.
    """
    start, stop = buffer.start + keep, buffer.start + buffer.scanned - 3
    if start < stop:
        buffer.data[start:stop] = b"\n" * (stop - start)
