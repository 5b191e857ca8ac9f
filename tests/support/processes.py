"""Starting a server program, waiting until it accepts connections, and ending it by its process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Address = tuple[str, int] | str
    """Host and port of a TCP socket, or the path of a unix socket."""

START_LIMIT = 15.0
"""Seconds that a server may take until it accepts connections."""

STOP_LIMIT = 5.0
"""Seconds between asking a server to end and killing it."""


class ServerStartError(Exception):
    """A server did not come up; the message ends with its output."""


def free_ports(count: int) -> list[int]:
    """Return *count* different loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@contextmanager
def running(
    command: Sequence[str | Path],
    addresses: Sequence[Address],
    log_file: Path,
    *,
    environment: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* in the foreground while the block runs; what it prints goes to *log_file*.

    The block starts when every one of *addresses* accepts a connection.

    Raises `ServerStartError` if the program ends, or takes longer than `START_LIMIT`, before that.
    """
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            # Its own group, so that an interrupt from the terminal reaches the tests and not the servers they need.
            start_new_session=True,
        )
    try:
        _wait_until_listening(process, addresses, log_file)
        yield process
    finally:
        _stop(process, stop_signal)


def _wait_until_listening(
    process: subprocess.Popen[bytes], addresses: Sequence[Address], log_file: Path
) -> None:
    deadline = time.monotonic() + START_LIMIT
    for address in addresses:
        while not _accepts(address):
            if process.poll() is not None:
                problem = f"ended with code {process.returncode}"
            elif time.monotonic() > deadline:
                problem = f"does not listen on {address} after {START_LIMIT} s"
            else:
                time.sleep(0.02)
                continue
            output = log_file.read_text(errors="replace")
            raise ServerStartError(f"{process.args!r} {problem}; its output:\n{output}")


def _accepts(address: Address) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(address)
        except OSError:
            return False
    return True


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(stop_signal)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        # The whole group: a killed master process leaves its workers behind.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_LIMIT)
