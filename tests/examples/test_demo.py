"""The demo shows what it promises, tells when it does not, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fix_servers import start_or_skip
from tests.support.servers import find_program

EXAMPLES = Path(__file__).parents[2] / "examples"
TIME_LIMIT = 120.0
"""Seconds after which the demo is taken to hang."""

# Runs the demo with documents of which one is not what the server has.
WITH_A_WRONG_HASH = """
import dataclasses, sys
import demo

def make_documents(directory, count):
    documents = right(directory, count)
    documents[3] = dataclasses.replace(documents[3], sha256="0" * 64)
    return documents

right = demo.make_documents
demo.make_documents = make_documents
sys.exit(demo.main(["--documents", "5", "--round-trip", "0", "--server", "embedded"]))
"""


def start(*arguments: str | Path, temporary: Path, stderr: int) -> subprocess.Popen[bytes]:
    """Start Python with *arguments*; what it writes to temporary directories goes to *temporary*."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES), "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Wait for *process*, and return its output and its errors."""
    with process:
        try:
            output, errors = process.communicate(timeout=TIME_LIMIT)
        finally:
            process.kill()
    return output.decode(), (errors or b"").decode()


@pytest.mark.parametrize("server", ["nginx", "embedded"])
def test_fetches_everything_in_four_ways(server: str, tmp_path: Path) -> None:
    if server == "nginx":
        start_or_skip(lambda: find_program("nginx", "nginx"))
    command = ("--documents", "40", "--round-trip", "0", "4", "--server", server)
    process = start(EXAMPLES / "demo.py", *command, temporary=tmp_path, stderr=subprocess.PIPE)
    output, errors = finish(process)

    assert not errors
    assert process.returncode == 0
    rows = re.findall(r"^ +(0|4) ms  (\S.*?)  +[\d.]+ s +[\d.]+x +\d+ µs$", output, re.MULTILINE)
    ways = ["one at a time", "pipeline", "pipelined, two threads", "pipelined, coroutines"]
    assert rows == [(round_trip, way) for round_trip in "04" for way in ways]
    assert "Every document arrived" in output
    # Neither bars nor colours, where nobody would see them.
    assert "\x1b" not in output
    assert not any(tmp_path.iterdir())


def test_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = ("--documents", "5", "--round-trip", "0", "--server", "embedded")
    process = start(EXAMPLES / "demo.py", *command, temporary=tmp_path, stderr=theirs)
    os.close(theirs)
    shown = b""
    # What has not been read when the other side is closed may be lost, so this comes first.
    while piece := read_terminal(ours):
        shown += piece
    os.close(ours)
    output, _ = finish(process)

    assert process.returncode == 0
    assert b"pipelined, coroutines, 0 ms" in shown
    assert b"5/5" in shown or b"0/5" in shown
    assert "\x1b" not in output


def read_terminal(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:
        # Linux reports the end so.
        return b""


def test_fails_if_a_document_differs(tmp_path: Path) -> None:
    process = start("-c", WITH_A_WRONG_HASH, temporary=tmp_path, stderr=subprocess.PIPE)
    output, errors = finish(process)

    assert process.returncode == 1
    assert "1 documents differ, the first is /00003.bin" in errors
    assert "Every document arrived" not in output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_leaves_nothing_behind_when_interrupted(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    # A second for each document: it cannot be finished before the signal.
    command = ("--documents", "200", "--round-trip", "1000", "--server", "embedded")
    process = start(EXAMPLES / "demo.py", *command, temporary=tmp_path, stderr=subprocess.PIPE)
    assert process.stdout is not None
    port = None
    for line in process.stdout:
        if found := re.search(rb"127\.0\.0\.1:(\d+)", line):
            port = int(found[1])
            break
    process.send_signal(number)
    finish(process)

    assert process.returncode == code
    assert port is not None
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0
    assert not any(tmp_path.iterdir())
