"""The servers that the clients talk to, each a process of its own that ends with the benchmarks."""

from __future__ import annotations

import os
import random
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

NGINX_CONFIG = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  default_type application/octet-stream;
  client_body_temp_path {directory};
  proxy_temp_path {directory};
  fastcgi_temp_path {directory};
  uwsgi_temp_path {directory};
  scgi_temp_path {directory};
  # A connection is to last from the first round to the last.
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  # One packet with the head and the beginning of the body, as the distributions set it.
  sendfile on;
  tcp_nopush on;
  server {{
    listen 127.0.0.1:{port};
    root {directory};
  }}
}}
"""


class ServerMissing(Exception):
    """A server is not installed."""


OBJECT_SIZES = (1024, 4096)
"""Bytes: the least and the most that an object has."""


def object_sizes(count: int) -> list[int]:
    """Return the sizes of the first *count* objects, in bytes: always the same."""
    generator = random.Random(1)
    return [generator.randint(*OBJECT_SIZES) for _ in range(count)]


def make_objects(directory: Path, count: int) -> None:
    """Write *count* different objects to *directory*."""
    (directory / "objects").mkdir()
    for number, size in enumerate(object_sizes(count)):
        content = random.Random(number).randbytes(size)
        (directory / "objects" / f"{number:06d}").write_bytes(content)


@contextmanager
def nginx(directory: Path, *, cpu: int | None) -> Iterator[int]:
    """Serve the files of *directory* with nginx, on *cpu* alone. Gives the port."""
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    program = shutil.which("nginx", path=os.pathsep.join(places))
    if program is None:
        raise ServerMissing("nginx is not installed")
    (port,) = free_ports(1)
    config = directory / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(directory=directory, port=port))
    command: list[str | Path] = [program, "-e", "stderr", "-p", directory, "-c", config]
    with running(command, [("127.0.0.1", port)], directory / "nginx.log") as process:
        _pin(process, cpu)
        yield port


@contextmanager
def program(name: str, directory: Path, *arguments: str | Path, cpu: int | None) -> Iterator[int]:
    """Run the server *name*, a program of this directory, on *cpu* alone. Gives the port."""
    (port,) = free_ports(1)
    command: list[str | Path] = [
        sys.executable,
        Path(__file__).with_name(f"{name}.py"),
        str(port),
        *arguments,
    ]
    with running(command, [("127.0.0.1", port)], directory / f"{name}.log") as process:
        _pin(process, cpu)
        yield port


def _pin(process: Popen[bytes], cpu: int | None) -> None:
    if cpu is not None:
        # Threads that it makes later inherit this.
        os.sched_setaffinity(process.pid, {cpu})
