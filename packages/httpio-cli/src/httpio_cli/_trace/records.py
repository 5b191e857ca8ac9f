"""Traces for programs: one JSON document, or one record a line."""

from __future__ import annotations

from base64 import b64encode

from httpio_cli._json_output import document, write_json
from httpio_cli._version import __version__

from .recording import Event
from .views import moment_text, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO, TypeAlias

    from .problems import Problem
    from .recording import Connection
    from .spans import Slot
    from .streams import Stream
    from .views import Item, View

    Record: TypeAlias = dict[str, object]


def write_lines(view: View, stream: TextIO) -> None:
    """Write one record a line: what happened in the order of time, then what it comes to."""
    for record in _records(view):
        write_json(document("trace", record), stream)


def write_document(view: View, stream: TextIO) -> None:
    """Write all of it as one document."""
    recording = view.recording
    members: Record = {
        **_recording(view),
        "events": [_item(view, item) for item in view],
        "connections": [
            {
                **_connection(connection),
                "exchanges": [_exchange(view, connection, slot) for slot in connection.slots],
            }
            for connection in recording.connections
        ],
        "problems": [_problem(view, *each) for each in recording.problems],
        "notes": list(recording.notes),
    }
    write_json(document("trace", members), stream, indent=2)


def _records(view: View) -> Iterator[Record]:
    recording = view.recording
    yield {"type": "recording", **_recording(view)}
    for item in view:
        yield _item(view, item)
    for connection in recording.connections:
        for slot in connection.slots:
            yield {"type": "exchange", **_exchange(view, connection, slot)}
        yield {"type": "connection", **_connection(connection)}
    for each in recording.problems:
        yield {"type": "problem", **_problem(view, *each)}
    for note in recording.notes:
        yield {"type": "note", "text": note}


def _recording(view: View) -> Record:
    return {
        "started": moment_text(view.moment(0.0)),
        "version": __version__,
        "credentials_shown": view.show_credentials,
    }


def _item(view: View, item: Item) -> Record:
    if isinstance(item, Event):
        return {
            "type": "step",
            "time": _seconds(item.time),
            "connection": item.connection.number,
            "step": item.name,
            "detail": view.detail(item),
        }
    record: Record = {
        "type": item.stream.direction,
        "time": _seconds(item.time),
        "connection": item.connection.number,
        "slot": owner(item.slot),
        "part": item.part,
        "start": item.start,
        "end": item.end,
        **text_or_base64(item.data),
    }
    if item.left_out:
        record["left_out"] = item.left_out
    return record


def text_or_base64(data: bytes) -> Record:
    """Return *data* as ``text`` if it is such, else as ``base64``."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
    if "\0" in text:
        return {"base64": b64encode(data).decode()}
    return {"text": text}


def _exchange(view: View, connection: Connection, slot: Slot) -> Record:
    return {
        "connection": connection.number,
        "slot": owner(slot),
        "tunnel": slot.is_tunnel,
        "method": slot.method,
        "target": view.target(slot),
        "status": slot.status or None,
        "informational": slot.informational,
        "sent": _ranges(connection.sent, slot),
        "received": _ranges(connection.received, slot),
        "sizes": dict(slot.sizes),
        "request_complete": slot.request_complete,
        "response_complete": slot.response_complete,
        "times": {
            "request_begun": _seconds(slot.request_begun),
            "request_ended": _seconds(slot.request_ended),
            "response_begun": _seconds(slot.response_begun) if slot.received else None,
            "response_ended": _seconds(slot.response_ended) if slot.received else None,
        },
    }


def _ranges(stream: Stream, slot: Slot) -> Record | None:
    """Return where the bytes of *slot* are in *stream*; `None` if there are none."""
    around = slot.sent if stream.direction == "sent" else slot.received
    if around is None:
        return None
    return {
        "start": around.start,
        "end": around.end,
        "parts": [
            {"part": span.part, "start": span.start, "end": span.end}
            for span in stream.spans.within(around)
        ],
    }


def _connection(connection: Connection) -> Record:
    return {
        "connection": connection.number,
        "origin": connection.origin or None,
        "peer": connection.peer or None,
        "tls": connection.tls or None,
        "sent": connection.sent.total,
        "received": connection.received.total,
        "ending": connection.ending.name.lower(),
        "left_out": connection.left_out,
        "unattributed": [
            {"direction": stream.direction, "part": span.part, "start": span.start, "end": span.end}
            for stream in connection.streams
            for span in stream.spans
            if owner(span.slot) is None
        ],
    }


def _problem(view: View, connection: Connection, problem: Problem) -> Record:
    return {
        "connection": connection.number,
        "slot": owner(problem.slot),
        "problem": problem.kind.word,
        "direction": problem.direction,
        "offset": problem.offset,
        "begins": problem.begins,
        "text": view.text(problem),
        "exit_code": int(problem.kind.code),
    }


def _seconds(time: float) -> float:
    return round(time, 6)
