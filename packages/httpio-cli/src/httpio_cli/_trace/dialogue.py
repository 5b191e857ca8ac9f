"""The trace as a dialogue, for people: what went each way, when, and for which request."""

from __future__ import annotations

from httpio_cli._terminal import sanitise

from .dumps import hex_lines, left_out_text
from .problems import Kind
from .recording import Ending, Event
from .spans import Part
from .views import moment_text, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final, TextIO

    from .problems import Problem
    from .recording import Connection
    from .spans import Slot, Span
    from .views import Item, Portion, View

_INDENT: Final = " " * 4
_COLOURS: Final = {"sent": "cyan", "received": "green", "step": "bright_black", "bad": "red"}


class Dialogue:
    """Writes a view to a stream."""

    def __init__(self, view: View, stream: TextIO, *, with_time: bool, colour: bool) -> None:
        self._view: Final = view
        self._stream: Final = stream
        self._with_time: Final = with_time
        self._paint: Final = _painter(colour)

    def write(self) -> None:
        """Write all of it."""
        view = self._view
        started = moment_text(view.moment(0.0))
        clock = "in local time" if self._with_time else "in seconds from then on"
        self._line(f"trace begun {started}, times {clock}", "step")
        for item in view:
            self._item(item)
        for connection in view.recording.connections:
            self._line("")
            self._summary(connection)
        for note in view.recording.notes:
            self._line(f"note: {sanitise(note)}", "bad")

    def _line(self, text: str, kind: str = "") -> None:
        self._stream.write(f"{self._paint(text, kind)}\n")

    def _item(self, item: Item) -> None:
        if self._with_time:
            time = f"{self._view.moment(item.time).astimezone():%H:%M:%S.%f}"
        else:
            time = f"{item.time:12.6f}"
        number = item.connection.number
        if isinstance(item, Event):
            detail = sanitise(self._view.detail(item)).replace("\n", "\\n")
            self._line(f"{time} #{number} *     {item.name} {detail}", "step")
            return
        direction = item.stream.direction
        sign = ">" if direction == "sent" else "<"
        slot = owner(item.slot)
        whose = "-" if slot is None else str(slot)
        self._line(
            f"{time} #{number} {sign} {whose:<3} {item.part}, {_bytes(len(item))} "
            f"[{item.start}, {item.end})",
            direction if item.part is not Part.INVALID else "bad",
        )
        for line in _shown(item):
            self._line(f"{_INDENT}{sign} {line}" if line else f"{_INDENT}{sign}")
        if item.left_out:
            self._line(f"{_INDENT}… {left_out_text(item)}", "bad")

    def _summary(self, connection: Connection) -> None:
        where = connection.peer or "never connected"
        origin = f" for {connection.origin}" if connection.origin else ""
        self._line(f"connection {connection.number}: {sanitise(where)}{origin}", "step")
        if connection.tls:
            self._line(f"  TLS: {sanitise(connection.tls)}", "step")
        for slot in connection.slots:
            self._slot(connection, slot)
        for stream in connection.streams:
            unattributed = [span for span in stream.spans if owner(span.slot) is None]
            for span in _told(unattributed):
                self._line(f"  {span} of what was {stream.direction} belongs to no request")
            self._line(f"  {stream.direction} in all: {_bytes(stream.total)}")
        if connection.left_out:
            self._line(
                f"  of these, {_bytes(connection.left_out)} are attributed, but not shown: "
                "see --max-bytes",
                "bad",
            )
        if connection.ending is not Ending.OPEN:
            reason = connection.end_reason
            self._line(f"  closed: {connection.ending.value if reason is None else reason.value}")
        for problem in connection.problems:
            number = owner(problem.slot)
            whose = "" if number is None else f" in slot {number}"
            begun = (
                f", in what begins at {problem.begins}" if problem.begins != problem.offset else ""
            )
            self._line(
                f"  {_verb(problem)}{whose} at {problem.direction} offset {problem.offset}{begun}: "
                f"{sanitise(self._view.text(problem))}",
                "bad",
            )

    def _slot(self, connection: Connection, slot: Slot) -> None:
        name = "tunnel" if slot.is_tunnel else f"slot {slot.label}"
        status = str(slot.status) if slot.status else "no response"
        if slot.informational:
            status = " ".join(map(str, slot.informational)) + f" {status}"
        target = sanitise(self._view.target(slot))
        self._line(f"  {name}: {sanitise(slot.method)} {target} -> {status}")
        for stream, around in zip(connection.streams, (slot.sent, slot.received), strict=True):
            if around is not None:
                parts = ", ".join(_told(stream.spans.within(around)))
                self._line(
                    f"    {stream.direction} [{around.start}, {around.end}): {parts}",
                    stream.direction,
                )


def _painter(colour: bool) -> Callable[[str, str], str]:
    if not colour:
        return lambda text, kind: text
    from click import style

    return lambda text, kind: style(text, fg=_COLOURS[kind]) if kind else text


def _verb(problem: Problem) -> str:
    return "ended" if problem.kind is Kind.GIVEN_UP else "broke"


#: So many ranges are told one by one.
_MAX_TOLD: Final = 12


def _told(spans: list[Span]) -> Iterator[str]:
    for span in spans[:_MAX_TOLD]:
        yield f"{span.part} [{span.start}, {span.end})"
    if len(spans) > _MAX_TOLD:
        rest = spans[_MAX_TOLD:]
        yield f"{len(rest)} more [{rest[0].start}, {rest[-1].end})"


def _bytes(number: int) -> str:
    return "1 byte" if number == 1 else f"{number} bytes"


def _shown(portion: Portion) -> Iterator[str]:
    """Give the lines to show for the bytes of *portion*: text where it is such."""
    data = portion.data
    in_lines = portion.part.is_head or not portion.part.is_payload
    try:
        text = data.decode("latin-1" if in_lines else "utf-8")
    except UnicodeDecodeError:
        yield from hex_lines(data, portion.start)
        return
    if _is_binary(text):
        yield from hex_lines(data, portion.start)
        return
    # Heads end their lines with CRLF, content as it likes: what is unusual is shown.
    lines = text.split("\r\n") if in_lines else text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        del lines[-1]
    yield from map(_visible, lines)


def _is_binary(text: str) -> bool:
    controls = sum(1 for char in text if ord(char) < 0x20 and char not in "\t\n\r")
    return controls * 10 > len(text)


def _visible(line: str) -> str:
    return sanitise(line).replace("\n", "\\n")
