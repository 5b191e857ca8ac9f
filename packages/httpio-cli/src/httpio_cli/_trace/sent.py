"""The stream of what was sent: requests, one behind the other.

They were made by `httpio`, so there is one right form, and all else is none.
"""

from __future__ import annotations

from httpio._grammar import FRAMING_FIELDS, REQUEST_HEAD
from httpio._parser import Limits

from .problems import Kind
from .spans import Part, Range, Slot
from .streams import Exchanges, StepDecoder, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: More than the longest head that a sender would dare to send.
_CAPACITY: Final = 1024 * 1024
#: A method of this length is none that anything depends on.
_METHOD_SIZE: Final = 64


def _is_named(slot: Slot) -> bool:
    """Tell if it is known whether *slot* has a number, which depends on its method."""
    return slot.number is not None or slot.is_tunnel


class SentStream(Stream):
    """Requests, one behind the other."""

    direction = "sent"

    def __init__(self, exchanges: Exchanges) -> None:
        super().__init__(exchanges, _CAPACITY)
        self._slot: Slot | None = None
        self._remaining = 0
        self._decoder: StepDecoder | None = None

    def _head(self) -> bool:
        buffer = self._buffer
        slot = self._slot
        if slot is None:
            slot = self._slot = self._exchanges.begin()
            slot.request_begun = self._now
        if not _is_named(slot):
            beginning, space, _ = buffer.peek(_METHOD_SIZE).partition(b" ")
            if space:
                self._exchanges.method_known(slot, beginning.decode("latin-1"))
        start = buffer.start
        found = buffer.data.find(b"\r\n\r\n", start + max(buffer.scanned - 3, 0), buffer.end)
        if found < 0:
            buffer.scanned = len(buffer)
            if len(buffer) >= _CAPACITY - 1024:
                self._invalid(slot, "the head of a request is longer than any that is sent")
                return True
            return False
        stop = found + 4
        if REQUEST_HEAD.fullmatch(buffer.data, start, stop) is None:
            self._invalid(slot, "this is no request that httpio would send")
            return True
        head = buffer.peek(stop - start)
        request_line, _, field_section = head.partition(b"\r\n")
        method, target, _ = request_line.decode("latin-1").split(" ")
        if not _is_named(slot):
            self._exchanges.method_known(slot, method)
        slot.target = target
        lower = b"\n" + field_section.lower()
        slot.awaits_continue = b"\nexpect:" in lower
        slot.asks_upgrade = b"\nupgrade:" in lower
        fields = FRAMING_FIELDS.findall(buffer.data, start + len(request_line) + 1, stop)
        part = Part.TUNNEL_REQUEST if slot.is_tunnel else Part.REQUEST_HEAD
        self._emit(stop - start, part, slot, consume=True)
        for name, value in fields:
            match name.lower():
                case b"content-length":
                    self._remaining = int(value)
                    self._mode = self._content
                case b"transfer-encoding":
                    self._decoder = StepDecoder(Limits.current())
                    self._mode = self._chunks
                case _:
                    if value.strip().lower() == b"close":
                        slot.persists = False
        if not self._remaining and self._decoder is None:
            self._complete(slot)
        return True

    def _number(self, slot: Slot) -> None:
        """Give *slot* its number, although not even its method has gone out."""
        if not _is_named(slot):
            self._exchanges.method_known(slot, "")

    def _invalid(self, slot: Slot, text: str) -> None:
        self._number(slot)
        self._broken(Kind.INVALID_HEAD, slot, text, self.spans.end)
        self._rest(Part.INVALID, slot)

    def _content(self) -> bool:
        slot = self._slot
        assert slot is not None
        size = min(self._remaining, len(self._buffer))
        self._remaining -= size
        self._emit(size, Part.REQUEST_CONTENT, slot, consume=True)
        if not self._remaining:
            self._complete(slot)
        return True

    def _chunks(self) -> bool:
        slot, decoder = self._slot, self._decoder
        assert slot is not None
        assert decoder is not None
        taken = self._step_chunks(
            decoder,
            slot,
            Part.REQUEST_CONTENT,
            Part.REQUEST_CHUNK_FRAMING,
            Part.REQUEST_TRAILERS,
        )
        if decoder.complete:
            self._complete(slot)
        return taken is None or taken

    def _complete(self, slot: Slot) -> None:
        slot.request_complete = True
        self._slot = self._decoder = None
        self._remaining = 0
        self._mode = self._head

    def _waiting_for(self) -> tuple[Part, Slot | None]:
        slot = self._slot
        if slot is not None:
            self._number(slot)
        if self._decoder is not None:
            return Part.REQUEST_CHUNK_FRAMING, slot
        return (
            Part.TUNNEL_REQUEST if slot is not None and slot.is_tunnel else Part.REQUEST_HEAD
        ), slot

    def _touch(self, slot: Slot, start: int, end: int, first: float) -> None:
        if slot.sent is None:
            slot.sent = Range(start, end)
            slot.request_begun = first
        slot.sent.end = end
        slot.request_ended = self._now

    @property
    def missing(self) -> str:
        """What of the present request was not sent, in words."""
        if self._decoder is not None:
            return "the end of its content"
        return (
            f"{self._remaining} bytes of its content" if self._remaining else "a part of its head"
        )
