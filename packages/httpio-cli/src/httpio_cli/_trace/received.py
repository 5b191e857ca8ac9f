"""The stream of what was received: responses, each to the oldest request that has none.

They are understood by the very parsers and decoders of `httpio`, so that this agrees with the client
about where a message ends, and about what is none.
"""

from __future__ import annotations

from httpio import InvalidResponse, RemoteProtocolError
from httpio._framing import (
    Chunked,
    CloseDelimited,
    ContentLength,
    NoContent,
    Tunnel,
    Undelimited,
    plain_framing,
    response_framing,
)
from httpio._parser import Limits, ResponseHead, parse_response_head
from httpio._receiving import MAX_INFORMATIONAL

from .problems import Kind
from .searching import first_wrong_byte, first_wrong_line
from .spans import Part, Range, Slot
from .streams import Exchanges, StepDecoder, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from httpio._buffer import ReceiveBuffer

#: So much may arrive ahead of a request that was announced, while another thread is about to report
#: that it was sent.
_MAX_AHEAD: Final = 64 * 1024


class ReceivedStream(Stream):
    """Responses, each to the oldest request that has none."""

    direction = "received"

    def __init__(self, exchanges: Exchanges, switched: Callable[[], None]) -> None:
        self._limits: Final = Limits.current()
        super().__init__(exchanges, self._limits.buffer_size)
        self._switched: Final = switched
        self._slot: Slot | None = None
        self.remaining = 0
        self._decoder: StepDecoder | None = None

    def _head(self) -> bool:
        exchanges = self._exchanges
        slot = exchanges.oldest()
        if slot is None:
            if exchanges.announced and len(self._buffer) < _MAX_AHEAD:
                return False
            self._broken(
                Kind.UNSOLICITED,
                None,
                "the server sent data while no request was outstanding",
                self.spans.end,
            )
            self._rest(Part.UNSOLICITED, None)
            return True
        buffer = self._buffer
        before = len(buffer)
        try:
            head = parse_response_head(buffer, self._limits)
        except RemoteProtocolError as exc:
            self._invalid_head(slot, exc)
            return True
        if head is None:
            return False
        size = before - len(buffer)
        if head.status >= 200 or (head.status == 101 and slot.asks_upgrade):
            self._final(slot, head, size)
        else:
            self._interim(slot, head.status, size)
        return True

    def _invalid_head(self, slot: Slot, exc: RemoteProtocolError) -> None:
        data = self._buffer.peek(len(self._buffer))

        def parse(buffer: ReceiveBuffer) -> object:
            return parse_response_head(buffer, self._limits)

        wrong = first_wrong_byte(data, parse, self._buffer)
        # What is only refused when it is complete was wrong before.
        wrong = first_wrong_line(data, wrong)
        self._broken(
            Kind.INVALID_HEAD, slot, str(exc), self.spans.end + wrong, begins=self.spans.end
        )
        self._rest(Part.INVALID, slot)

    def _interim(self, slot: Slot, status: int, size: int) -> None:
        begins = self.spans.end
        self._emit(size, self._part(slot, Part.INTERIM_HEAD), slot)
        text = None
        if status == 101:
            text = "the server switched protocols, which nothing had asked for"
        elif len(slot.informational) >= MAX_INFORMATIONAL:
            text = f"the server sent more than {MAX_INFORMATIONAL} interim responses"
        slot.informational.append(status)
        if text is not None:
            self._broken(Kind.INVALID_HEAD, slot, text, begins)
            self._rest(Part.INVALID, slot)

    def _final(self, slot: Slot, head: ResponseHead, size: int) -> None:
        begins = self.spans.end
        slot.status, slot.reason = head.status, head.reason
        slot.minor_version = head.minor_version
        self._emit(size, self._part(slot, Part.RESPONSE_HEAD), slot)
        persists = True
        try:
            if head.plain_length is not None:
                framing = plain_framing(slot.method, head.status, head.plain_length)
            else:
                framing, persists = response_framing(
                    slot.method, head.status, head.minor_version, head.framing_fields
                )
        except InvalidResponse as exc:
            self._broken(Kind.INVALID_FRAMING, slot, str(exc), self.spans.end, begins)
            self._rest(Part.INVALID, slot)
            return
        slot.persists = slot.persists and persists
        self._slot = slot
        match framing:
            case ContentLength(length=length):
                self.remaining = length
                self._mode = self._content
            case NoContent():
                self._complete(slot)
            case Chunked():
                self._decoder = StepDecoder(self._limits)
                self._mode = self._chunks
            case CloseDelimited():
                slot.ends_at_close = True
                self._mode = self._to_close
            case Undelimited(why=why):
                self._broken(Kind.UNDELIMITED, slot, why, self.spans.end, begins)
                self._rest(Part.UNDELIMITED, slot)
            case Tunnel():
                slot.response_complete = True
                self._slot = None
                self._switched()

    def _content(self) -> bool:
        slot = self._slot
        assert slot is not None
        size = min(self.remaining, len(self._buffer))
        self.remaining -= size
        self._emit(size, self._part(slot, Part.RESPONSE_CONTENT), slot, consume=True)
        if not self.remaining:
            self._complete(slot)
        return True

    def _to_close(self) -> bool:
        slot = self._slot
        assert slot is not None
        size = len(self._buffer)
        self._emit(size, self._part(slot, Part.RESPONSE_CONTENT), slot, consume=True)
        return True

    def _chunks(self) -> bool:
        slot, decoder = self._slot, self._decoder
        assert slot is not None
        assert decoder is not None
        taken = self._step_chunks(
            decoder,
            slot,
            self._part(slot, Part.RESPONSE_CONTENT),
            self._part(slot, Part.RESPONSE_CHUNK_FRAMING),
            self._part(slot, Part.RESPONSE_TRAILERS),
        )
        if decoder.complete:
            self._complete(slot)
        return taken is None or taken

    def _complete(self, slot: Slot) -> None:
        slot.response_complete = True
        self._slot = self._decoder = None
        self._mode = self._head
        if not slot.persists and not slot.is_tunnel:
            self._rest(Part.AFTER_CLOSE, None)

    def _part(self, slot: Slot, part: Part) -> Part:
        return Part.TUNNEL_RESPONSE if slot.is_tunnel else part

    def _waiting_for(self) -> tuple[Part, Slot | None]:
        if self._slot is not None:
            return self._part(self._slot, Part.RESPONSE_CHUNK_FRAMING), self._slot
        slot = self._exchanges.oldest()
        if slot is None:
            return Part.UNSOLICITED, None
        return self._part(slot, Part.RESPONSE_HEAD), slot

    def _touch(self, slot: Slot, start: int, end: int, first: float) -> None:
        if slot.received is None:
            slot.received = Range(start, end)
            slot.response_begun = first
        slot.received.end = end
        slot.response_ended = self._now

    @property
    def missing(self) -> str:
        """What of the present content has not come, in words."""
        if self._decoder is not None:
            left = self._decoder.remaining
            return f"{left} bytes of a chunk and the end" if left else "the end of its chunks"
        return f"{self.remaining} bytes"
