"""Traces for programs: all that was seen, each byte once."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._trace.records import text_or_base64, write_document, write_lines
from httpio_cli._trace.views import View
from tests.fuzz.strategies import mutated, responses, sizes

from .trace_talk import in_pieces, recorded, request

if TYPE_CHECKING:
    from httpio_cli._trace.recording import Recording

    Object: TypeAlias = dict[str, Any]  # JSON

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def lines(recording: Recording) -> list[Object]:
    stream = io.StringIO()
    write_lines(View(recording), stream)
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(record["schema"] == "httpio/trace/1" for record in found)
    return found


def content(record: Object) -> bytes:
    if "text" in record:
        return str(record["text"]).encode()
    return base64.b64decode(record["base64"])


def test_each_event_is_a_record() -> None:
    recording = recorded(
        ("*", "connected", "127.0.0.1:80"), (">", request("/a") + request("/b")),
        ("<", HEAD + b"he"), ("<", b"llo" + HEAD), ("*", "closed", "the server closed it"),
    )  # fmt: skip
    found = lines(recording)
    assert [(each["type"], each.get("part"), each.get("slot")) for each in found] == [
        ("recording", None, None),
        ("step", None, None),
        ("sent", "request-head", 1),
        ("sent", "request-head", 2),
        ("received", "response-head", 1),
        ("received", "response-content", 1),
        ("received", "response-content", 1),
        ("received", "response-head", 2),
        ("step", None, None),
        ("exchange", None, 1),
        ("exchange", None, 2),
        ("connection", None, None),
        ("problem", None, 2),
    ]
    assert found[0]["started"] == "2023-11-14T22:13:20.000000Z"
    assert found[6] == {
        "schema": "httpio/trace/1", "type": "received", "time": 0.004, "connection": 1, "slot": 1,
        "part": "response-content", "start": len(HEAD) + 2, "end": len(HEAD) + 5, "text": "llo",
    }  # fmt: skip
    one = found[9]
    assert one["received"] == {
        "start": 0,
        "end": len(HEAD) + 5,
        "parts": [
            {"part": "response-head", "start": 0, "end": len(HEAD)},
            {"part": "response-content", "start": len(HEAD), "end": len(HEAD) + 5},
        ],
    }
    assert found[-1]["problem"] == "content-truncated"
    assert found[-1]["exit_code"] == 18
    assert found[-1]["offset"] == 2 * len(HEAD) + 5


def test_bytes_of_no_request_are_listed() -> None:
    recording = recorded((">", request()), ("<", HEAD + b"hello"), ("<", b"more"))
    connection = next(each for each in lines(recording) if each["type"] == "connection")
    start = len(HEAD) + 5
    assert connection["unattributed"] == [
        {"direction": "received", "part": "unsolicited", "start": start, "end": start + 4}
    ]


def test_the_document_has_the_same() -> None:
    recording = recorded((">", request()), ("<", HEAD + b"hel"))
    recording.notes.append("a note")
    stream = io.StringIO()
    write_document(View(recording), stream)
    document = json.loads(stream.getvalue())
    assert document["schema"] == "httpio/trace/1"
    assert [each["type"] for each in document["events"]] == ["sent", "received", "received"]
    (connection,) = document["connections"]
    assert connection["exchanges"][0]["status"] == 200
    assert document["problems"][0]["problem"] == "given-up"
    assert document["notes"] == ["a note"]


@given(responses | mutated(responses), sizes, st.sampled_from([0, 60, 1_000_000]))
def test_the_records_are_all_bytes_in_order(
    wire: bytes, piece_sizes: list[int], max_bytes: int
) -> None:
    recording = recorded((">", request()), *in_pieces("<", wire, piece_sizes), max_bytes=max_bytes)
    position = 0
    shown = b""
    for record in lines(recording):
        if record["type"] == "received":
            assert record["start"] == position
            position = record["end"]
            data = content(record)
            assert len(data) + record.get("left_out", 0) == position - record["start"]
            shown += data
    assert position == len(wire)
    assert len(shown) == len(recording.connections[0].received.captured)


@given(st.binary())
def test_data_is_text_or_base64(data: bytes) -> None:
    record = text_or_base64(data)
    assert len(record) == 1
    assert content(record) == data
