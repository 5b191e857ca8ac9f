"""A recording as the outputs show it: steps and bytes in the order of time, each with its owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from .masking import mask_text, mask_url, shown_bytes
from .recording import Event
from .spans import Range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from .problems import Problem
    from .recording import Connection, Recording, Transfer
    from .spans import Part, Slot, Span
    from .streams import Stream

    Item: TypeAlias = "Event | Portion"


#: Times that every time zone has a year for.
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
_LAST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


class Portion(Range):
    """Bytes that went together and belong together."""

    __slots__ = ("connection", "data", "part", "slot", "stream", "time")

    def __init__(self, transfer: Transfer, start: int, end: int, span: Span, data: bytes) -> None:
        super().__init__(start, end)
        self.time: Final = transfer.time
        self.connection: Final[Connection] = transfer.connection
        self.stream: Final[Stream] = transfer.stream
        self.part: Final[Part] = span.part
        self.slot: Final[Slot | None] = span.slot
        #: Those bytes of it that were kept.
        self.data: Final = data

    @property
    def left_out(self) -> int:
        """Bytes of it that were not kept."""
        return len(self) - len(self.data)


class View:
    """A finished *recording*, with or without the credentials in it."""

    def __init__(self, recording: Recording, *, show_credentials: bool = False) -> None:
        self.recording: Final = recording
        self.show_credentials: Final = show_credentials
        self.data = cache(self._data)

    def _data(self, stream: Stream) -> bytes:
        return shown_bytes(stream, show_credentials=self.show_credentials)

    def __iter__(self) -> Iterator[Item]:
        """Give steps and portions in the order of time."""
        for entry in self.recording.log:
            if isinstance(entry, Event):
                yield entry
            else:
                yield from self._portions(entry)

    def _portions(self, transfer: Transfer) -> Iterator[Portion]:
        data = self.data(transfer.stream)
        for span in transfer.stream.spans.between(transfer.start, transfer.end):
            start = max(span.start, transfer.start)
            end = min(span.end, transfer.end)
            yield Portion(transfer, start, end, span, data[start:end])

    def detail(self, event: Event) -> str:
        """Return the detail of *event* as it may be shown."""
        return event.detail if self.show_credentials else mask_url(event.detail)

    def target(self, slot: Slot) -> str:
        """Return what *slot* asks for, as it may be shown."""
        return slot.target if self.show_credentials else mask_url(slot.target)

    def text(self, problem: Problem) -> str:
        """Return what *problem* is, as it may be shown."""
        return problem.text if self.show_credentials else mask_text(problem.text)

    def bytes_of(self, stream: Stream, slot: Slot, *parts: Part) -> bytes | None:
        """Return the bytes of *slot* that are *parts*; `None` if some were not kept."""
        data = self.data(stream)
        pieces = []
        around = slot.sent if stream.direction == "sent" else slot.received
        for span in stream.spans.within(around):
            if span.part in parts:
                if span.end > len(data):
                    return None
                pieces.append(data[span.start : span.end])
        return b"".join(pieces)

    def moment(self, time: float) -> datetime:
        """Return when *time* of the recording's clock was."""
        try:
            moment = datetime.fromtimestamp(self.recording.started + time, UTC)
        except (ValueError, OverflowError, OSError):
            # A file may say anything.
            return _LAST
        return min(max(moment, _FIRST), _LAST)


def moment_text(moment: datetime) -> str:
    """Return *moment* as ISO 8601 has it, in UTC."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def owner(slot: Slot | None) -> int | None:
    """Return the number of *slot*; `None` for bytes that belong to no request."""
    return None if slot is None or slot.is_tunnel else slot.number
