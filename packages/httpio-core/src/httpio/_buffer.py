"""The buffer between the socket and the parsers.

Knows nothing of HTTP. A fixed block of memory is filled at its end and consumed from its front, so
one receive can bring many responses and a head can be matched where it lies, without a copy.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Less room than this at the end of the block is not worth a system call.
_WORTH_RECEIVING: Final = 16 * 1024


class ReceiveBuffer:
    """Bytes that were received and are not yet consumed: ``data[start:end]``.

    `data`, `view`, `start` and `end` are for parsers to look at; `scanned` is theirs to remember how many of
    the bytes they have searched in vain, so that a slow peer does not make them start again.
    """

    __slots__ = ("data", "end", "scanned", "start", "view")

    def __init__(self, capacity: int) -> None:
        self.data: Final = bytearray(capacity)
        self.view: Final = memoryview(self.data)
        self.start = 0
        self.end = 0
        self.scanned = 0

    def __len__(self) -> int:
        return self.end - self.start

    def writable(self) -> memoryview:
        """Return the memory that the next bytes are to be received into.

        It is empty only if the buffer is full, which the callers' limits do not let happen.
        """
        if self.start == self.end:
            self.start = self.end = 0
            return self.view
        if len(self.data) - self.end < _WORTH_RECEIVING and self.start:
            size = self.end - self.start
            self.view[:size] = self.view[self.start : self.end]
            self.start = 0
            self.end = size
        assert self.end < len(self.data), "limits keep the buffer from being full"
        return self.view[self.end :]

    def received(self, size: int) -> None:
        """Take note that *size* bytes were written to the start of `writable`."""
        self.end += size

    def consume(self, size: int) -> None:
        """Drop the first *size* bytes."""
        self.start += size
        self.scanned = 0

    def take(self, size: int) -> bytes:
        """Return the first *size* bytes, or all if there are fewer, and drop them."""
        start = self.start
        stop = min(start + size, self.end)
        self.start = stop
        self.scanned = 0
        return bytes(self.view[start:stop])

    def take_into(self, view: memoryview) -> int:
        """Move as many bytes as there are and fit into *view*, and return their number."""
        size = min(len(view), self.end - self.start)
        view[:size] = self.view[self.start : self.start + size]
        self.start += size
        self.scanned = 0
        return size

    def peek(self, size: int) -> bytes:
        """Return a copy of the first *size* bytes, or all if there are fewer."""
        return bytes(self.view[self.start : min(self.start + size, self.end)])
