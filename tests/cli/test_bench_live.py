"""What a terminal shows while the load runs, through a pseudo-terminal; and that a pipe shows nothing of it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pyte
import pytest

from .benching import COMMAND, PATIENCE, Reply, TimedServer, bench
from .test_bench_command import wait_until_loaded

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS, LINES = 120, 24


class Terminal:
    """A command whose stderr is a terminal, and what that shows."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        leader, follower = pty.openpty()
        self._leader = leader
        self.process = subprocess.Popen(
            [COMMAND, "bench", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=follower,
            text=True,
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "COLUMNS": str(COLUMNS),
                "LINES": str(LINES),
                **(environment or {}),
            },
        )
        os.close(follower)
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.shown: list[str] = []
        """What the screen has shown after each write, without blank lines."""

    def read_to_end(self) -> str:
        """Read what the command writes until it ends; return its stdout."""
        while True:
            try:
                data = os.read(self._leader, 65536)
            except OSError:  # how Linux says that nobody has the other end open any more
                break
            if not data:
                break
            self.written += data
            self._stream.feed(data)
            self.shown.append("\n".join(line.rstrip() for line in self.lines()))
        os.close(self._leader)
        stdout, _ = self.process.communicate(timeout=PATIENCE)
        return stdout

    def lines(self) -> list[str]:
        return [line for line in self.screen.display if line.strip()]


@pytest.mark.exhaustive
class TestTerminal:
    def test_one_line_that_is_drawn_again_and_again(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.002)) as server:
            terminal = Terminal("-z", "1.6s", "-p", "1,2", server.url)
            stdout = terminal.read_to_end()
        assert terminal.process.returncode == 0
        # Never more than one, and in the end nothing is left of it.
        assert all(shown.count("\n") == 0 for shown in terminal.shown)
        assert terminal.lines() == []
        everything = "\n".join(terminal.shown)
        assert "depth 1 (1 of 2)" in everything
        assert "depth 2 (2 of 2)" in everything
        assert re.search(r"\b[1-9]\d* requests/s", everything)
        assert re.search(r"p99 \d+\.\d{3} ms", everything)
        assert "0 errors" in everything
        # The cursor is shown again, and the outcome is on stdout alone.
        assert terminal.written.rindex(b"\x1b[?25h") > terminal.written.rindex(b"\x1b[?25l")
        assert "Latency from the actual send time" in stdout
        assert "\x1b" not in stdout

    def test_interrupt_leaves_a_clean_terminal(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.002)) as server:
            terminal = Terminal("-z", "60s", server.url)
            wait_until_loaded(server, 50)
            terminal.process.send_signal(signal.SIGINT)
            stdout = terminal.read_to_end()
        assert terminal.process.returncode == 130
        assert terminal.lines() == []
        assert terminal.written.rindex(b"\x1b[?25h") > terminal.written.rindex(b"\x1b[?25l")
        assert "interrupted" in stdout

    def test_no_colour(self) -> None:
        with TimedServer() as server:
            terminal = Terminal("-z", "0.6s", server.url, environment={"NO_COLOR": "1"})
            terminal.read_to_end()
        assert "requests/s" in "\n".join(terminal.shown)
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7][0-9;]*m", terminal.written)

    def test_dumb_terminal_and_silence_show_nothing(self) -> None:
        with TimedServer() as server:
            dumb = Terminal("-n", "20", server.url, environment={"TERM": "dumb"})
            dumb.read_to_end()
            silent = Terminal("-s", "-n", "20", server.url)
            silent.read_to_end()
        assert dumb.written == silent.written == b""


class TestPipe:
    def test_nothing_is_drawn(self) -> None:
        with TimedServer() as server:
            done = bench("-z", "0.6s", server.url)
        assert (done.returncode, done.stderr) == (0, "")

    def test_rich_is_not_loaded(self) -> None:
        program = (
            "import sys; from httpio_cli import _main; sys.argv[1:] = ['bench', '-n', '3', "
            "sys.argv[1]]\n"
            "try: _main.run()\nexcept SystemExit: pass\n"
            "print('rich' in sys.modules, 'pygal' in sys.modules, file=sys.stderr)"
        )
        with TimedServer() as server:
            done = subprocess.run(
                [sys.executable, "-c", program, server.url],
                capture_output=True,
                text=True,
                check=True,
            )
        assert done.stderr == "False False\n"
