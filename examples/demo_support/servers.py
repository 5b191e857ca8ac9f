"""The programs that the demo talks to, each in a process of its own that ends with the demo.

Their CPU time then is theirs, and what the demo measures is the client alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
START_LIMIT = 15.0
"""Seconds that a program may take until it accepts connections."""

REPOSITORY = Path(__file__).resolve().parent.parent.parent

NGINX_CONFIG = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  default_type application/octet-stream;
  client_body_temp_path {directory};
  proxy_temp_path {directory};
  fastcgi_temp_path {directory};
  uwsgi_temp_path {directory};
  scgi_temp_path {directory};
  # By default nginx closes a connection after its 1000th request. That is no fault, and httpio says
  # when it happens, but here each way of fetching is to have one connection from start to end.
  keepalive_requests 1000000;
  # One packet with the head and the beginning of the body, as the distributions set it.
  sendfile on;
  tcp_nopush on;
  server {{
    listen {host}:{port};
    root {documents};
  }}
}}
"""


class ProgramFailed(Exception):
    """A program did not come up."""


def find_nginx() -> str | None:
    """Return the path of nginx, `None` if it is not installed."""
    # Where distributions put it is not always on the path of a user.
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    return shutil.which("nginx", path=os.pathsep.join(places))


@contextmanager
def nginx(program: str, directory: Path, documents: Path) -> Iterator[int]:
    """Serve *documents* with nginx, whose own files go to *directory*. Gives the port."""
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(
        NGINX_CONFIG.format(directory=directory, documents=documents, host=HOST, port=port)
    )
    # -e: without it nginx opens the log of the system before it reads the configuration.
    command = [program, "-e", "stderr", "-p", str(directory), "-c", str(config)]
    with running(command, port, directory / "nginx.log"):
        yield port


@contextmanager
def embedded_server(directory: Path, documents: Path) -> Iterator[int]:
    """Serve *documents* with uvicorn, where there is no nginx. Gives the port."""
    port = free_port()
    program = Path(__file__).with_name("embedded_server.py")
    command = [sys.executable, str(program), HOST, str(port), str(documents)]
    with running(command, port, directory / "embedded_server.log"):
        yield port


@contextmanager
def delay_proxy(target_port: int, round_trip: float) -> Iterator[int]:
    """Put a proxy before *target_port* that simulates a *round_trip* in seconds. Gives the port."""
    program = REPOSITORY / "tests" / "support" / "delay_proxy.py"
    command = [sys.executable, str(program), "--rtt", str(round_trip), HOST, str(target_port)]
    # It tells its port on its standard output, and ends with its standard input.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise ProgramFailed(f"{program.name} did not start")
            yield int(line)
        finally:
            process.stdin.close()
            end(process)


@contextmanager
def running(command: list[str], port: int, log_file: Path) -> Iterator[None]:
    """Run *command* while the block runs, which starts when *port* accepts a connection.

    Raises `ProgramFailed` if that does not come about.
    """
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C goes to the demo, which then ends the process in its own time.
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_LIMIT
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                output = log_file.read_text(errors="replace")
                raise ProgramFailed(f"{command[0]} does not listen on port {port}:\n{output}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        end(process)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Wait until *process*, which was told to, ends; kill it if it does not."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((HOST, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
