"""An operator's trace is written by commands that watch their connections themselves, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio import FileTracer, Tracer
from httpio_cli._tracers import with_environment
from tests.support.scripted import expect_head, send

from .trace_process import trace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.fix_scripted import ServerFactory


class Collecting(Tracer):
    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        self.seen.append(("sent", bytes(data)))

    def received(self, data: memoryview) -> None:
        self.seen.append(("received", bytes(data)))

    def event(self, name: str, detail: str) -> None:
        self.seen.append((name, detail.encode()))


def test_without_the_variable_a_tracer_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPIO_TRACEFILE", raising=False)
    tracer = Collecting()
    assert with_environment(tracer) is tracer


def test_without_a_tracer_the_file_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPIO_TRACEFILE", str(tmp_path / "trace"))
    assert isinstance(with_environment(None), FileTracer)
    monkeypatch.delenv("HTTPIO_TRACEFILE")
    assert with_environment(None) is None


def test_both_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPIO_TRACEFILE", str(tmp_path / "trace-%d"))
    collecting = Collecting()
    tracer = with_environment(collecting)
    assert tracer is not None
    tracer.event("connected", "127.0.0.1:80")
    tracer.sent(b"GET")
    tracer.received(memoryview(b"HTTP"))
    assert collecting.seen == [
        ("connected", b"127.0.0.1:80"), ("sent", b"GET"), ("received", b"HTTP"),
    ]  # fmt: skip
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert "* connected 127.0.0.1:80\n" in text
    assert "> GET\n" in text
    assert "< HTTP\n" in text


def test_a_trace_of_a_trace(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(
        expect_head(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    )
    file = tmp_path / "trace"
    variables = {"HTTPIO_TRACEFILE": str(file)}
    trace(f"http://127.0.0.1:{server.port}/", variables=variables)
    assert "    < hello\n" in trace("--read", file).stdout


def test_a_trace_that_cannot_be_written(tmp_path: Path) -> None:
    variables = {"HTTPIO_TRACEFILE": str(tmp_path / "missing" / "trace")}
    result = trace("http://127.0.0.1:1/", variables=variables, code=23)
    assert "HTTPIO_TRACEFILE" in result.stderr
