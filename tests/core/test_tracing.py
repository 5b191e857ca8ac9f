"""Traces: byte-exact, one record a line, and never in the way of the connection."""

from __future__ import annotations

import gc
import io
import itertools
import os
import re
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio import _tracing
from httpio._exceptions import HTTPIOError
from httpio._tracing import FileTracer, Tracer, tracer_from_environment
from tests.support.coroutines import no_descriptor_left

if TYPE_CHECKING:
    from pathlib import Path

RECORD = re.compile(rb" *([0-9]+\.[0-9]{6}) ([<>*]) ([ -~]*)")


def records(trace: bytes) -> list[tuple[bytes, bytes]]:
    """Return (direction, escaped content) of each record of *trace* after the head."""
    head, *lines = trace.split(b"\n")
    assert head.startswith(b"# httpio trace")
    assert lines.pop() == b""
    found = []
    for line in lines:
        match = RECORD.fullmatch(line)
        assert match, line
        found.append((match[2], match[3]))
    return found


def traced_bytes(trace: bytes, direction: bytes) -> bytes:
    """Return the bytes that *trace* says went in *direction*, as the documentation tells to."""
    return b"".join(
        content.decode("unicode_escape").encode("latin-1")
        for which, content in records(trace)
        if which == direction
    )


def test_a_head_can_be_read_line_by_line() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    tracer.event("connected", "127.0.0.1:80")
    tracer.sent(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    tracer.received(memoryview(b"HTTP/1.1 200 OK\r\nX: \xe4\\\r\n"))
    tracer.received(memoryview(b"Y"))
    assert records(file.getvalue()) == [
        (b"*", rb"connected 127.0.0.1:80"),
        (b">", rb"GET / HTTP/1.1\r\n"),
        (b">", rb"Host: localhost\r\n"),
        (b">", rb"\r\n"),
        (b"<", rb"HTTP/1.1 200 OK\r\n"),
        (b"<", rb"X: \xe4\\\r\n"),
        (b"<", rb"Y"),
    ]


@given(st.lists(st.tuples(st.sampled_from([b"<", b">"]), st.binary())))
def test_bytes_are_exact(pieces: list[tuple[bytes, bytes]]) -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for direction, data in pieces:
        if direction == b">":
            tracer.sent(data)
        else:
            tracer.received(memoryview(data))
    for direction in (b"<", b">"):
        expected = b"".join(data for which, data in pieces if which == direction)
        assert traced_bytes(file.getvalue(), direction) == expected


def test_every_byte_is_exact() -> None:
    file = io.BytesIO()
    FileTracer(file).sent(memoryview(bytearray(range(256))))
    assert traced_bytes(file.getvalue(), b">") == bytes(range(256))


def test_times_do_not_go_back() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    for _ in range(100):
        tracer.sent(b"x")
    times = [float(line.split()[0]) for line in file.getvalue().splitlines()[1:]]
    assert times == sorted(times)
    assert times[0] >= 0


def test_an_event_is_one_line_whatever_its_detail() -> None:
    file = io.BytesIO()
    FileTracer(file).event("closed", "a\r\nb\N{EURO SIGN}")
    assert records(file.getvalue()) == [(b"*", rb"closed a\r\nb\u20ac")]


def test_a_file_of_the_caller_is_flushed_and_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with path.open("wb") as file:
        with FileTracer(file) as tracer:
            tracer.sent(b"x")
            assert traced_bytes(path.read_bytes(), b">") == b"x"
        assert not file.closed


def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    umask = os.umask(0)
    try:
        FileTracer(path).close()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_traces_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"before\n")
    for data in (b"one", b"two"):
        with FileTracer(str(path)) as tracer:
            tracer.sent(data)
    lines = path.read_bytes().splitlines()
    assert lines[0] == b"before"
    assert [line.split()[-1] for line in lines[2::2]] == [b"one", b"two"]


def test_records_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    names = [bytes([letter]) * 40 for letter in b"abcd"]
    with FileTracer(path) as tracer:

        def trace(name: bytes) -> None:
            for _ in range(100):
                tracer.sent(name + b"\r\n" + name)

        threads = [threading.Thread(target=trace, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    contents = [content for _, content in records(path.read_bytes())]
    assert sorted(contents) == sorted(
        [name + end for name in names for end in (b"", rb"\r\n")] * 100
    )
    # The two records of one call are not torn apart either.
    assert all(
        first == second + rb"\r\n"
        for first, second in zip(contents[::2], contents[1::2], strict=True)
    )


def test_a_finaliser_may_trace_while_a_record_is_written() -> None:
    class Interrupted(io.BytesIO):
        interrupt = False

        def flush(self) -> None:
            if self.interrupt:
                self.interrupt = False
                tracer.event("closed", "by the garbage collector")

    file = Interrupted()
    tracer = FileTracer(file)
    file.interrupt = True
    tracer.sent(b"x")
    assert [direction for direction, _ in records(file.getvalue())] == [b">", b"*"]


def test_after_close_everything_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with no_descriptor_left():
        tracer = FileTracer(path)
        tracer.close()
        size = path.stat().st_size
        tracer.sent(b"x")
        tracer.event("closed", "")
        tracer.close()
    assert path.stat().st_size == size


def test_a_forgotten_tracer_closes_its_file_without_a_word(tmp_path: Path) -> None:
    with no_descriptor_left():
        tracer = FileTracer(tmp_path / "trace")
        del tracer
        gc.collect()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is full")
def test_a_full_disk_ends_the_trace_and_nothing_else(tmp_path: Path) -> None:
    with no_descriptor_left():
        with pytest.warns(RuntimeWarning, match="the trace ends here: .*No space left"):
            tracer = FileTracer("/dev/full")
        tracer.sent(b"x")


def test_a_file_that_its_owner_closes_ends_the_trace_and_nothing_else() -> None:
    file = io.BytesIO()
    tracer = FileTracer(file)
    file.close()
    with pytest.warns(RuntimeWarning, match="the trace ends here"):
        tracer.sent(b"x")
    tracer.sent(b"y")


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace"
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    with FileTracer(path) as tracer:
        tracer.sent(b"0123456789" * 10)
    assert traced_bytes(path.read_bytes(), b">") == b"0123456789" * 10


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileTracer(tmp_path / "no" / "trace")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin with no connection counted and no tracer shared."""
    monkeypatch.setattr(_tracing, "_connection_numbers", itertools.count(1))
    monkeypatch.setattr(_tracing, "_shared_tracers", {})
    return monkeypatch


def test_no_trace_by_default(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("HTTPIO_TRACEFILE", raising=False)
    assert tracer_from_environment() is None
    environment.setenv("HTTPIO_TRACEFILE", "")
    assert tracer_from_environment() is None


def test_a_file_for_each_connection(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("HTTPIO_TRACEFILE", str(tmp_path / "trace-%d-%d.log"))
    for data in (b"first", b"second"):
        tracer = tracer_from_environment()
        assert isinstance(tracer, FileTracer)
        with tracer:
            tracer.sent(data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace-1-1.log", "trace-2-2.log"]
    assert traced_bytes((tmp_path / "trace-2-2.log").read_bytes(), b">") == b"second"


def test_one_file_for_all_connections(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("HTTPIO_TRACEFILE", str(tmp_path / "one"))
    tracer = tracer_from_environment()
    assert tracer is not None
    assert tracer_from_environment() is tracer
    environment.setenv("HTTPIO_TRACEFILE", str(tmp_path / "other"))
    assert tracer_from_environment() is not tracer


@pytest.mark.parametrize("name", ["trace", "trace-%d"])
def test_an_environment_that_cannot_be_followed(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    environment.setenv("HTTPIO_TRACEFILE", str(tmp_path / "no" / name))
    with pytest.raises(HTTPIOError, match=r"HTTPIO_TRACEFILE.*No such file"):
        tracer_from_environment()


def test_any_object_with_the_methods_is_a_tracer() -> None:
    class Recorder:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def sent(self, data: bytes | bytearray | memoryview) -> None:
            self.seen.append(f"sent {bytes(data)!r}")

        def received(self, data: memoryview) -> None:
            self.seen.append(f"received {bytes(data)!r}")

        def event(self, name: str, detail: str) -> None:
            self.seen.append(f"{name} {detail}")

    recorder = Recorder()
    tracer: Tracer = recorder  # what is tested here is tested by mypy
    tracer.event("request", "GET /")
    assert recorder.seen == ["request GET /"]
