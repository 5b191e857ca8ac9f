"""Who a byte belongs to: parts of messages, slots of a connection, and ranges of its streams.

Values only. Every offset counts the bytes of one direction of one network connection from 0; a range
goes from its `start` to before its `end`.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

#: A stream remembers this many ranges one by one. Behind that, the chunks of a content are counted,
#: but no longer told apart, so that a server cannot fill the memory with tiny ones.
MAX_SPANS: Final = 20_000


class Part(StrEnum):
    """What a range of bytes is. The value is its name in every output."""

    REQUEST_HEAD = "request-head"
    REQUEST_CONTENT = "request-content"
    REQUEST_CHUNK_FRAMING = "request-chunk-framing"
    REQUEST_TRAILERS = "request-trailers"
    INTERIM_HEAD = "interim-head"
    RESPONSE_HEAD = "response-head"
    RESPONSE_CONTENT = "response-content"
    RESPONSE_CHUNK_FRAMING = "response-chunk-framing"
    RESPONSE_TRAILERS = "response-trailers"
    #: Content and chunk framing that are not told apart any more.
    REQUEST_CHUNKS = "request-chunks"
    RESPONSE_CHUNKS = "response-chunks"
    #: What follows a head in a way that does not tell where it ends.
    UNDELIMITED = "undelimited"
    #: From where the stream is no HTTP that can be understood.
    INVALID = "invalid"
    # The rest belongs to no request.
    TUNNEL_REQUEST = "tunnel-request"
    TUNNEL_RESPONSE = "tunnel-response"
    #: Another protocol than HTTP, after 101 or CONNECT.
    TUNNEL_DATA = "tunnel-data"
    #: It came while no request was outstanding.
    UNSOLICITED = "unsolicited"
    #: It came after a response with which the connection had ended.
    AFTER_CLOSE = "after-close"

    @property
    def is_head(self) -> bool:
        """Whether it may have field lines, or something that may be such."""
        return self not in _CONTENT

    @property
    def is_payload(self) -> bool:
        """Whether it is content itself."""
        return self in (Part.REQUEST_CONTENT, Part.RESPONSE_CONTENT)

    @property
    def in_chunks(self) -> bool:
        """Whether it is content or the framing of its chunks."""
        return self in _CHUNKS


_CONTENT: Final = frozenset(
    (
        Part.REQUEST_CONTENT,
        Part.REQUEST_CHUNK_FRAMING,
        Part.REQUEST_CHUNKS,
        Part.RESPONSE_CONTENT,
        Part.RESPONSE_CHUNK_FRAMING,
        Part.RESPONSE_CHUNKS,
        Part.TUNNEL_DATA,
    )
)
_start: Final = attrgetter("start")
_CHUNKS: Final = {
    Part.REQUEST_CONTENT: Part.REQUEST_CHUNKS,
    Part.REQUEST_CHUNK_FRAMING: Part.REQUEST_CHUNKS,
    Part.RESPONSE_CONTENT: Part.RESPONSE_CHUNKS,
    Part.RESPONSE_CHUNK_FRAMING: Part.RESPONSE_CHUNKS,
}


class Slot:
    """The place of a request, and of its response, in the order of a connection.

    `number` counts from 1; the exchange that opened a tunnel has none.
    """

    def __init__(self, position: int) -> None:
        #: Its index among all exchanges of the connection, those for tunnels included.
        self.position: Final = position
        self.number: int | None = None
        self.is_tunnel = False
        #: What was sent of the request's head, as long as the head is not complete.
        self.method = ""
        self.target = ""
        self.asks_upgrade = False
        self.awaits_continue = False
        self.request_complete = False
        #: Status of the final response; 0 if none has come.
        self.status = 0
        self.minor_version = 1
        self.reason = ""
        self.informational: list[int] = []
        self.response_complete = False
        self.persists = True
        #: Whether only the close of the connection can end the content.
        self.ends_at_close = False
        #: Bytes by part, exact even where ranges are not told apart.
        self.sizes: dict[Part, int] = {}
        #: Bytes in each direction: all of them lie together.
        self.sent: Range | None = None
        self.received: Range | None = None
        #: Seconds by the recording's clock.
        self.request_begun = 0.0
        self.request_ended = 0.0
        self.response_begun = 0.0
        self.response_ended = 0.0
        #: When the request was announced, before its first byte was sent.
        self.announced = 0.0

    def size(self, *parts: Part) -> int:
        """Return how many bytes are in *parts*."""
        return sum(self.sizes.get(part, 0) for part in parts)

    @property
    def label(self) -> str:
        """What to call it in a text: its number, or the tunnel's letter."""
        return "T" if self.is_tunnel else str(self.number or "?")

    def __repr__(self) -> str:
        return f"<Slot {self.label} {self.method} {self.target} {self.status}>"


class Range:
    """Bytes from `start` to before `end`."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def __len__(self) -> int:
        return self.end - self.start

    def __repr__(self) -> str:
        return f"[{self.start}, {self.end})"


class Span(Range):
    """A range that is all of one part, and of one slot or of none."""

    __slots__ = ("part", "slot")

    def __init__(self, start: int, end: int, part: Part, slot: Slot | None) -> None:
        super().__init__(start, end)
        self.part = part
        self.slot = slot

    def __repr__(self) -> str:
        return f"<{self.part} {super().__repr__()} of {self.slot}>"


class Spans:
    """The ranges of one stream, each behind the one before, without a gap."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        #: Offset that the next range starts at.
        self.end = 0
        #: Some chunks were not told apart.
        self.simplified = False

    def append(self, size: int, part: Part, slot: Slot | None) -> None:
        """Say that the next *size* bytes are *part*, of *slot*."""
        if not size:
            return
        start, self.end = self.end, self.end + size
        if slot is not None:
            slot.sizes[part] = slot.sizes.get(part, 0) + size
        last = self._spans[-1] if self._spans else None
        if len(self._spans) >= MAX_SPANS and part in _CHUNKS:
            part = _CHUNKS[part]
            self.simplified = True
        if last is not None and last.part is part and last.slot is slot:
            last.end = self.end
        else:
            self._spans.append(Span(start, self.end, part, slot))

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def between(self, start: int, end: int) -> Iterator[Span]:
        """Give the ranges that have bytes from *start* to before *end*."""
        index = bisect_right(self._spans, start, key=_start) - 1
        while 0 <= index < len(self._spans) and self._spans[index].start < end:
            yield self._spans[index]
            index += 1

    def within(self, around: Range | None) -> list[Span]:
        """Return the ranges in *around*, which begins and ends with one."""
        return [] if around is None else list(self.between(around.start, around.end))

    def check(self, total: int) -> None:
        """Raise unless the ranges are all of a stream of *total* bytes, each byte once."""
        position = 0
        for span in self._spans:
            if span.start != position or span.end <= position:
                raise AssertionError(f"{span!r} follows offset {position}")
            position = span.end
        if position != total or self.end != total:
            raise AssertionError(f"the ranges end at {position} of {total} bytes")
