"""What the two streams of a connection have in common: bytes go in, ranges come out.

Bytes come in pieces of any size; each gets its part and its slot as soon as that is certain. No stream
is held here: what waits is an element that has not arrived completely.
"""

from __future__ import annotations

from abc import abstractmethod

from httpio import InvalidResponse
from httpio._buffer import ReceiveBuffer
from httpio._decoders import ChunkedDecoder

from .problems import Kind, Problem
from .searching import first_wrong_byte
from .spans import Part, Slot, Spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final


class Exchanges:
    """The requests of one connection in their order, and how far each has come."""

    def __init__(self) -> None:
        self.slots: Final[list[Slot]] = []
        #: When each request was announced that has not been sent yet.
        self.announced: Final[list[float]] = []
        self.problems: Final[list[Problem]] = []
        self._answered = 0
        self._numbered = 0

    def begin(self) -> Slot:
        """Return the slot of a request whose first byte was sent."""
        slot = Slot(len(self.slots))
        self.slots.append(slot)
        return slot

    def method_known(self, slot: Slot, method: str) -> None:
        """Say what *slot* is for: the exchange that opens a tunnel has no number."""
        slot.method = method
        if method == "CONNECT":
            slot.is_tunnel = True
        else:
            self._numbered += 1
            slot.number = self._numbered
            if self.announced:
                slot.announced = self.announced.pop(0)

    def oldest(self) -> Slot | None:
        """Return the first slot whose response is not complete."""
        while self._answered < len(self.slots) and self.slots[self._answered].response_complete:
            self._answered += 1
        return self.slots[self._answered] if self._answered < len(self.slots) else None


class StepDecoder(ChunkedDecoder):
    """A decoder that says of each element what it is, instead of returning the content."""

    __slots__ = ()

    def step(self, buffer: ReceiveBuffer) -> tuple[int, int, int] | None:
        """Consume one element; return how much of it is content, trailers and framing, in this order.

        Returns `None` if it has not arrived. Raises `InvalidResponse`.
        """
        before = len(buffer)
        if self.remaining:
            size = min(self.remaining, before)
            if not size:
                return None
            buffer.consume(size)
            self._took(size)
            return size, 0, 0
        if self.complete or not self._next_line(buffer):
            return None
        size = before - len(buffer)
        # The empty line behind the trailers ends the chunked content, not their section.
        trailers = len(self.trailer_section)
        return 0, trailers, size - trailers

    def copy(self) -> StepDecoder:
        """Return another one that is as far as this."""
        other = StepDecoder(self._limits)
        other.remaining = self.remaining
        other._after_data = self._after_data
        other._after_last = self._after_last
        return other


class Stream:
    """What both directions have in common."""

    #: ``sent`` or ``received``.
    direction: str

    def __init__(self, exchanges: Exchanges, capacity: int) -> None:
        self._exchanges: Final = exchanges
        self._buffer: Final = ReceiveBuffer(capacity)
        self.spans: Final = Spans()
        #: Bytes that there were.
        self.total = 0
        #: The first of them, as many as were kept to be shown.
        self.captured: Final = bytearray()
        #: Takes one element from the buffer, or returns `False` if it has not arrived.
        self._mode: Callable[[], bool] = self._head
        #: What the bytes are that nothing is taken from any more.
        self._rest_is: tuple[Part, Slot | None] | None = None
        self._now = 0.0
        self._piece_start = 0
        #: When the first byte that waits in the buffer came.
        self._waiting_since = 0.0

    def feed(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take the next bytes, which were seen at *now*."""
        view = memoryview(data)
        self._now = now
        self._piece_start = self.total
        self.total += len(view)
        while view:
            room = self._buffer.writable()
            size = min(len(room), len(view))
            room[:size] = view[:size]
            self._buffer.received(size)
            view = view[size:]
            self.resume()
        if self.spans.end >= self._piece_start:
            self._waiting_since = now

    def resume(self) -> None:
        """Look again at what waits: something else may have become known."""
        while len(self._buffer) and self._mode():
            pass

    def flush(self) -> None:
        """No more will come: give what waits to whom it would have belonged."""
        if len(self._buffer):
            part, slot = self._waiting_for()
            self._emit(len(self._buffer), part, slot, consume=True)

    def switch(self) -> None:
        """What comes from now on is not HTTP."""
        self._rest(Part.TUNNEL_DATA, None)

    def restart(self) -> None:
        """What comes from now on is HTTP again, within the tunnel."""
        self._rest_is = None
        self._mode = self._head

    @property
    def is_understood(self) -> bool:
        """Whether messages are still looked for in it."""
        return self._rest_is is None

    @property
    def has_ended(self) -> bool:
        """Whether a message was the last one of the connection."""
        return self._rest_is is not None and self._rest_is[0] is Part.AFTER_CLOSE

    @abstractmethod
    def _head(self) -> bool:
        """Take a head."""

    @abstractmethod
    def _waiting_for(self) -> tuple[Part, Slot | None]:
        """Tell what an incomplete element is."""

    @abstractmethod
    def _touch(self, slot: Slot, start: int, end: int, first: float) -> None:
        """Note when and where bytes of *slot* were."""

    def _emit(self, size: int, part: Part, slot: Slot | None, *, consume: bool = False) -> None:
        """Say what the next *size* bytes are."""
        if not size:
            return
        if consume:
            self._buffer.consume(size)
        start = self.spans.end
        first = self._waiting_since if start < self._piece_start else self._now
        self.spans.append(size, part, slot)
        if slot is not None:
            self._touch(slot, start, start + size, first)

    def _rest(self, part: Part, slot: Slot | None) -> None:
        self._rest_is = (part, slot)
        self._mode = self._take_rest

    def _take_rest(self) -> bool:
        assert self._rest_is is not None
        self._emit(len(self._buffer), *self._rest_is, consume=True)
        return False

    def _broken(
        self, kind: Kind, slot: Slot | None, text: str, offset: int, begins: int | None = None
    ) -> None:
        self._exchanges.problems.append(Problem(kind, self.direction, offset, slot, text, begins))

    def _step_chunks(
        self, decoder: StepDecoder, slot: Slot, content: Part, framing: Part, trailers: Part
    ) -> bool | None:
        """Take one element of chunked content; `None` if it is none, which was noted."""
        try:
            taken = decoder.step(self._buffer)
        except InvalidResponse as exc:
            begins = self.spans.end
            wrong = first_wrong_byte(
                self._buffer.peek(len(self._buffer)),
                lambda buffer: decoder.copy().step(buffer),
                self._buffer,
            )
            self._broken(Kind.INVALID_FRAMING, slot, str(exc), begins + wrong, begins)
            self._rest(Part.INVALID, slot)
            return None
        if taken is None:
            return False
        for size, part in zip(taken, (content, trailers, framing), strict=True):
            self._emit(size, part, slot)
        return True
