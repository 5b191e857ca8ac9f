"""What terminals are shown."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._terminal import (
    can_redraw,
    console,
    error,
    note,
    sanitise,
    stderr_is_terminal,
    stdout_is_terminal,
    use_colour,
)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Have stdout and stderr be a terminal. No fixture: streams are replaced after those."""
    made = Screen()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    assert stderr_is_terminal()
    assert stdout_is_terminal()
    assert can_redraw()
    assert use_colour(screen)
    monkeypatch.setenv("NO_COLOR", "")
    assert use_colour(screen)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_colour(screen)
    assert can_redraw()
    assert console().no_color


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_dumb_one(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    screen = terminal(monkeypatch)
    monkeypatch.setenv("TERM", kind)
    assert not can_redraw()
    assert not use_colour(screen)


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (None, io.StringIO(), _closed()):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdout", stream)
        assert not stderr_is_terminal()
        assert not stdout_is_terminal()
        assert not use_colour(stream)
        note("nobody hears this")
    monkeypatch.undo()


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def test_errors_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    error(CommandError(ExitCode.USAGE, "one\r\ntwo\x1b[2J", "three\n"))
    assert screen.getvalue() == "httpio: one two\\x1b[2J; three\n"


@given(st.text())
def test_nothing_drives_the_terminal(text: str) -> None:
    shown = sanitise(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert sanitise(shown) == shown


def test_what_is_harmless_stays() -> None:
    assert sanitise("a ü\n\tb") == "a ü\n\tb"
    assert sanitise("\x1b]0;x\x07\x9b\r\udcff\u202e") == "\\x1b]0;x\\x07\\x9b\\r\\udcff\\u202e"
