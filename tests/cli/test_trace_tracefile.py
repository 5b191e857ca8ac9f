"""What `FileTracer` writes is read back just as it was."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio import FileTracer
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._trace.dumps import write_ascii, write_hex
from httpio_cli._trace.problems import Kind
from httpio_cli._trace.recording import Ending, Event, Transfer
from httpio_cli._trace.tracefile import read_trace
from httpio_cli._trace.views import View

from .trace_talk import pieces, request

if TYPE_CHECKING:
    from httpio_cli._trace.recording import Recording

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
HEADER = b"# httpio trace of process 7, begun 2025-01-31T12:00:00Z\n"


def read(trace: bytes, max_bytes: int = 1_000_000) -> Recording:
    return read_trace(io.BytesIO(trace), "the file", max_bytes)


def test_a_trace_is_read_back() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    tracer.event("connecting", "127.0.0.1:80")
    tracer.event("connected", "127.0.0.1:80")
    tracer.sent(request())
    tracer.received(memoryview(HEAD + b"\xe4\\\n\r\0"))
    tracer.event("closed", "the server closed it")
    recording = read(file.getvalue())
    (connection,) = recording.connections
    assert connection.peer == "127.0.0.1:80"
    assert connection.ending is Ending.SERVER
    assert pieces(connection, connection.received) == [
        ("response-head", "1", HEAD),
        ("response-content", "1", b"\xe4\\\n\r\0"),
    ]
    # The lines of a piece are one piece again.
    assert [type(entry) for entry in recording.log] == [Event, Event, Transfer, Transfer, Event]
    assert not recording.problems


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1)), max_size=8))
def test_all_bytes_are_read_back(turns: list[tuple[bool, bytes]]) -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for sent, data in turns:
        (tracer.sent if sent else tracer.received)(memoryview(data))
    recording = read(file.getvalue())
    for which, name in ((True, "sent"), (False, "received")):
        expected = b"".join(data for sent, data in turns if sent is which)
        found = b"".join(bytes(getattr(each, name).captured) for each in recording.connections)
        assert found == expected


def test_times_and_dates() -> None:
    later = HEADER.replace(b"12:00:00", b"12:00:10")
    record = b"    1.500000 * connected [::1]:80\n"
    recording = read(HEADER + record + later + record)
    assert recording.started == 1738324800.0
    assert [entry.time for entry in recording.log] == [1.5, 11.5]
    assert len(recording.connections) == 2


def test_connections_that_share_a_file_one_after_the_other() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for _ in range(2):
        tracer.event("connected", "127.0.0.1:80")
        tracer.sent(request())
        tracer.received(memoryview(HEAD + b"hello"))
        tracer.event("closed", "it was closed by this program")
    recording = read(file.getvalue())
    assert [len(connection.slots) for connection in recording.connections] == [1, 1]
    assert not recording.notes


def test_connections_that_are_mixed_up_in_a_file() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for _ in range(2):
        tracer.event("connecting", "127.0.0.1:80")
        tracer.event("connected", "127.0.0.1:80")
        tracer.sent(request())
    assert "%d" in read(file.getvalue()).notes[0]


def test_the_end_of_a_file_may_be_missing() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    tracer.event("connected", "127.0.0.1:80")
    tracer.sent(request())
    tracer.received(memoryview(HEAD + b"hello"))
    trace = file.getvalue()
    for end in range(trace.rindex(b"\n", 0, -1) + 2, len(trace)):
        recording = read(trace[:end])
        assert "cut off" in recording.notes[0]
        ((_, problem),) = recording.problems
        assert problem.kind is Kind.GIVEN_UP


def test_a_post_mortem() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    tracer.event("connected", "127.0.0.1:80")
    tracer.sent(request())
    tracer.received(memoryview(HEAD + b"hel"))
    tracer.event("closed", "the network connection broke")
    ((_, problem),) = read(file.getvalue()).problems
    assert (problem.kind, problem.offset) == (Kind.RESET, len(HEAD) + 3)


@pytest.mark.parametrize("begun", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_times_that_no_calendar_has(begun: str) -> None:
    record = b" 99999999999999999999.000001 > GET / HTTP/1.1\\r\\n\n"
    trace = f"# httpio trace of process 7, begun {begun}\n".encode() + record
    view = View(read(trace))
    for item in view:
        # Whatever the time zone is.
        assert view.moment(item.time).astimezone().year in (1, 9999)
    for write in (write_hex, write_ascii):
        stream = io.StringIO()
        write(view, stream, with_time=True)
        assert "GET /" in stream.getvalue() or "47 45 54" in stream.getvalue()


RECORD = b"    0.000001 > a\n"


@pytest.mark.parametrize(
    "trace",
    [
        b"",
        b"\n",
        b"hello\n",
        b"hello",
        RECORD,
        HEADER + b"x\n" + RECORD,
        HEADER + b"x",  # no line of a trace was cut off: it would begin with a blank
        HEADER + b"    0.000001 ? a\n",
        HEADER + b"    0.000001 > \\u1234\n",
        HEADER + b"    0.000001 > \\x\n",
        b"# httpio trace of process 7, begun 2025-13-31T12:00:00Z\n",
    ],
)
def test_what_is_no_trace(trace: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        read(trace)
    assert caught.value.code is ExitCode.READ_FAILED
    assert "the file" in caught.value.what


def test_time_goes_on() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for _ in range(5):
        tracer.sent(request())
        tracer.received(memoryview(HEAD + b"hello"))
    log = read(file.getvalue()).log
    assert all(one.time <= other.time for one, other in pairwise(log))
