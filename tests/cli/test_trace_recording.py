"""What is kept of a conversation: in bounds, and never half of it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from httpio_cli._trace import recording as module
from httpio_cli._trace.recording import Ending, Event, Recording, Transfer

from .trace_talk import recorded, request

if TYPE_CHECKING:
    from types import FrameType

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def test_memory_is_bounded_and_attribution_goes_on() -> None:
    pieces = [("<", b"x" * 100)] * 10_000
    recording = recorded((">", request()), ("<", HEAD), *pieces, max_bytes=500)
    (connection,) = recording.connections
    assert sum(len(stream.captured) for stream in connection.streams) == 500
    # What is not kept is one entry.
    assert len(recording.log) < 10
    assert connection.left_out == len(request() + HEAD) + 1_000_000 - 500
    slot = connection.slots[0]
    assert slot.response_complete
    assert slot.received is not None
    assert len(slot.received) == len(HEAD) + 1_000_000


def test_tiny_pieces_are_put_together_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRANSFERS", 10)
    recording = recorded((">", request()), ("<", HEAD), *[("<", b"x")] * 1000)
    assert sum(isinstance(entry, Transfer) for entry in recording.log) == 10
    assert recording.connections[0].left_out == 0


def test_each_network_connection_has_a_number() -> None:
    recording = recorded(
        ("*", "resolving", "localhost"), ("*", "connected", "127.0.0.1:80"), (">", request()),
        ("*", "connecting", "127.0.0.1:80"), ("*", "connected", "127.0.0.1:80"), (">", request()),
        ("*", "closed", "it was closed by this program"), ("*", "connected", "x"),
    )  # fmt: skip
    assert [connection.number for connection in recording.connections] == [1, 2, 3]
    assert [connection.sent.total for connection in recording.connections] == [35, 35, 0]
    assert recording.connections[1].ending is Ending.LOCAL


def test_an_attempt_that_fails_is_a_part_of_the_next_one() -> None:
    recording = recorded(
        ("*", "connecting", "[::1]:80, 127.0.0.1:80"), ("*", "connecting", "127.0.0.1:80"),
        ("*", "connected", "127.0.0.1:80"),
    )  # fmt: skip
    assert len(recording.connections) == 1


def test_two_recorders_do_not_mix() -> None:
    recording = Recording()
    one, two = recording.recorder("http://one"), recording.recorder("http://two")
    one.sent(request("/1"))
    two.sent(request("/2"))
    one.received(memoryview(HEAD))
    recording.finish()
    assert [each.slots[0].target for each in recording.connections] == ["/1", "/2"]
    assert [each.slots[0].status for each in recording.connections] == [200, 0]


def test_a_signal_waits_until_a_piece_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    recorder = recording.recorder()
    original = module.Connection.step

    def step(self: module.Connection, name: str, detail: str, now: float) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        original(self, name, detail, now)

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, raise_it)
    try:
        monkeypatch.setattr(module.Connection, "step", step)
        with pytest.raises(KeyboardInterrupt), recording.signals_wait():
            recorder.event("connected", "127.0.0.1:80")
        # It was recorded to its end all the same.
        assert [entry.name for entry in recording.log if isinstance(entry, Event)] == ["connected"]
        with pytest.raises(KeyboardInterrupt), recording.signals_wait():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is raise_it
    finally:
        signal.signal(signal.SIGTERM, before)
