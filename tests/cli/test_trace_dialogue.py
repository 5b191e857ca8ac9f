"""The dialogue that people read."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._trace.dialogue import Dialogue
from httpio_cli._trace.views import View

from .trace_talk import recorded, request

if TYPE_CHECKING:
    from httpio_cli._trace.recording import Recording

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def dialogue(recording: Recording, *, with_time: bool = False, colour: bool = False) -> str:
    stream = io.StringIO()
    Dialogue(View(recording), stream, with_time=with_time, colour=colour).write()
    return stream.getvalue()


def test_a_dialogue() -> None:
    recording = recorded(
        ("*", "connected", "127.0.0.1:80"), (">", request("/a") + request("/b")),
        ("<", HEAD + b"hello" + HEAD + b"\0\1"), ("*", "closed", "the server closed it"),
    )  # fmt: skip
    assert (
        dialogue(recording)
        == """\
trace begun 2023-11-14T22:13:20.000000Z, times in seconds from then on
    0.001000 #1 *     connected 127.0.0.1:80
    0.002000 #1 > 1   request-head, 36 bytes [0, 36)
    > GET /a HTTP/1.1
    > Host: localhost
    >
    0.002000 #1 > 2   request-head, 36 bytes [36, 72)
    > GET /b HTTP/1.1
    > Host: localhost
    >
    0.003000 #1 < 1   response-head, 38 bytes [0, 38)
    < HTTP/1.1 200 OK
    < Content-Length: 5
    <
    0.003000 #1 < 1   response-content, 5 bytes [38, 43)
    < hello
    0.003000 #1 < 2   response-head, 38 bytes [43, 81)
    < HTTP/1.1 200 OK
    < Content-Length: 5
    <
    0.003000 #1 < 2   response-content, 2 bytes [81, 83)
    < 0051: 00 01                                           ..
    0.004000 #1 *     closed the server closed it

connection 1: 127.0.0.1:80 for http://localhost
  slot 1: GET /a -> 200
    sent [0, 36): request-head [0, 36)
    received [0, 43): response-head [0, 38), response-content [38, 43)
  slot 2: GET /b -> 200
    sent [36, 72): request-head [36, 72)
    received [43, 83): response-head [43, 81), response-content [81, 83)
  sent in all: 72 bytes
  received in all: 83 bytes
  closed: the server closed it
  broke in slot 2 at received offset 83: the server closed the connection in the content of the \
response, 3 bytes of it missing
"""
    )


def test_times_of_the_wall_clock() -> None:
    text = dialogue(recorded((">", request())), with_time=True)
    assert re.search(r"^[0-9]{2}:[0-9]{2}:20\.001000 #1 > 1 ", text, re.MULTILINE)


def test_colour_only_where_it_is_wanted() -> None:
    recording = recorded((">", request()), ("<", HEAD + b"hello"))
    assert "\x1b[36m" in dialogue(recording, colour=True)
    assert "\x1b" not in dialogue(recording)


def test_bytes_of_no_request() -> None:
    text = dialogue(recorded((">", request()), ("<", HEAD + b"hello"), ("<", b"xyz")))
    assert "#1 < -   unsolicited, 3 bytes [43, 46)" in text
    assert "unsolicited [43, 46) of what was received belongs to no request" in text


def test_line_ends_that_are_not_right_are_shown() -> None:
    text = dialogue(recorded((">", request()), ("<", b"HTTP/1.1 200 OK\nA: b\r\n\r\n")))
    assert "< HTTP/1.1 200 OK\\nA: b\n" in text
    assert "broke in slot 1 at received offset 15, in what begins at 0" in text


def test_many_chunks_are_told_in_short() -> None:
    chunks = b"1\r\na\r\n" * 50 + b"0\r\n\r\n"
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    text = dialogue(recorded((">", request()), ("<", wire)))
    summary = text[text.index("connection 1:") :]
    assert "more [" in summary
    assert all(len(line) < 800 for line in summary.splitlines())


def test_what_is_left_out_is_said() -> None:
    text = dialogue(recorded((">", request()), ("<", HEAD + b"hello"), max_bytes=50))
    assert "bytes are not shown" in text
    assert "are attributed, but not shown" in text


@given(st.binary(max_size=100))
def test_nothing_can_drive_a_terminal(wire: bytes) -> None:
    text = dialogue(recorded(("*", "connected", "\x1b[2J"), (">", request()), ("<", wire)))
    assert all(char.isprintable() or char in "\n\t" for char in text)
