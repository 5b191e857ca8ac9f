"""What ``httpio get`` shows on a terminal, and that it shows none of it elsewhere."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pexpect
import pyte
import pytest

from tests.support.scripted import drain, expect_head, send, wait

from .getting import COMMAND, LIMIT, answer, environment, httpio, response, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fix_scripted import ServerFactory

COLUMNS, ROWS = 80, 24
CONTENT = bytes(1000) * 2000
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT[:1_000_000]


class Terminal:
    """Runs the command on a pseudo-terminal, and then a shell's prompt appears."""

    def __init__(self, *arguments: str, columns: int = COLUMNS, **variables: str) -> None:
        self.log = io.BytesIO()
        env = environment(**{"TERM": "xterm-256color", **variables})
        script = 'trap : INT; "$@"; code=$?; printf "prompt%s> " $code; read line'
        self._child = pexpect.spawn(
            "sh",
            ["-c", script, "sh", COMMAND, *arguments],
            env=env,
            dimensions=(ROWS, columns),
            timeout=LIMIT,
        )
        self._child.logfile_read = self.log
        self._columns = columns

    def interrupt(self) -> None:
        self._child.sendintr()

    def wait_for(self, text: str) -> None:
        self._child.expect_exact(text)

    def screen(self) -> list[str]:
        """Wait for the prompt, and return the lines of the screen that are not empty."""
        self._child.expect(r"prompt\d+> ")
        screen = pyte.Screen(self._columns, ROWS)
        pyte.ByteStream(screen).feed(self.log.getvalue())
        self._child.sendline("")
        self._child.expect(pexpect.EOF)
        self._child.close()
        return [line.rstrip() for line in screen.display if line.strip()]


@pytest.mark.parametrize("columns", [80, 50])
def test_bar_is_drawn_and_redrawn_in_its_place(
    scripted_server: ServerFactory, tmp_path: Path, columns: int
) -> None:
    seen = threading.Event()
    server = scripted_server(expect_head(), send(HALF), wait(seen), send(CONTENT[1_000_000:]))
    target = tmp_path / ("a-rather-long-name-" * 3)
    terminal = Terminal("get", "-o", str(target), url_of(server), columns=columns)
    terminal.wait_for("/s")
    seen.set()
    lines = terminal.screen()
    assert len(lines) == 2, lines
    assert "1.9/1.9 MiB" in lines[0]
    assert lines[1] == "prompt0>"
    log = terminal.log.getvalue()
    # Lines were erased, and the cursor is there again at the end.
    assert b"\x1b[2K" in log
    assert log.rindex(b"\x1b[?25h") > log.rindex(b"\x1b[?25l")
    assert target.read_bytes() == CONTENT


def test_no_colour(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(*answer(response(CONTENT)))
    terminal = Terminal("get", "-o", str(tmp_path / "file"), url_of(server), NO_COLOR="1")
    assert terminal.screen()[-1] == "prompt0>"
    assert b"\x1b[3" not in terminal.log.getvalue()
    assert b"\x1b[38;" not in terminal.log.getvalue()


@pytest.mark.parametrize(("options", "kind"), [(["-s"], "xterm"), ([], "dumb")])
def test_dumb_terminal_and_silence(
    scripted_server: ServerFactory, tmp_path: Path, options: list[str], kind: str
) -> None:
    server = scripted_server(*answer(response(CONTENT)))
    terminal = Terminal("get", *options, "-o", str(tmp_path / "f"), url_of(server), TERM=kind)
    assert terminal.screen() == ["prompt0>"]


def test_interrupted(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(expect_head(), send(HALF), drain())
    target = tmp_path / "f"
    terminal = Terminal("get", "-o", str(target), url_of(server), columns=200)
    terminal.wait_for("/s")
    terminal.interrupt()
    lines = terminal.screen()
    assert lines[-1] == "prompt130>"
    assert lines[-2].startswith("httpio: ")
    assert f"bytes: interrupted; the 1000000 bytes are in {target}.part" in lines[-2]


def test_binary_content_is_not_written_to_a_terminal(scripted_server: ServerFactory) -> None:
    server = scripted_server(*answer(response(b"\x1b[2Jbinary\0")))
    terminal = Terminal("get", url_of(server), columns=200)
    lines = terminal.screen()
    assert lines[-1] == "prompt23>"
    assert "the content is binary" in lines[0]
    assert b"\x1b[2J" not in terminal.log.getvalue()
    server = scripted_server(*answer())
    assert Terminal("get", url_of(server)).screen() == ["helloprompt0>"]


def test_nothing_of_it_in_a_pipe(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(*answer(response(CONTENT)))
    done = httpio("get", "-o", tmp_path / "file", url_of(server))
    assert (done.code, done.out, done.err) == (0, b"", "")
