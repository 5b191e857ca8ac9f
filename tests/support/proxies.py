"""HTTP proxies on loopback: tinyproxy with and without credentials, squid without."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .processes import free_ports, running
from .servers import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = "someone"
PASSWORD = "secret"


@dataclass(frozen=True)
class Proxy:
    """A proxy that accepts connections."""

    address: tuple[str, int]
    log_file: Path


@contextmanager
def tinyproxy(directory: Path, *, with_credentials: bool) -> Iterator[Proxy]:
    """Run tinyproxy, which closes every connection after one response.

    Raises `tests.support.servers.ServerMissingError`.
    """
    program = find_program("tinyproxy", "tinyproxy")
    (port,) = free_ports(1)
    config = directory / "tinyproxy.conf"
    config.write_text(
        f"""
Port {port}
Listen 127.0.0.1
Timeout 60
Allow 127.0.0.1
MaxClients 20
PidFile "{directory}/tinyproxy.pid"
{f"BasicAuth {USER} {PASSWORD}" if with_credentials else ""}
"""
    )
    log_file = directory / "tinyproxy.log"
    with running([program, "-d", "-c", config], [("127.0.0.1", port)], log_file):
        yield Proxy(("127.0.0.1", port), log_file)


@contextmanager
def squid(directory: Path) -> Iterator[Proxy]:
    """Run squid, which keeps connections open, as proxies for many users do.

    Raises `tests.support.servers.ServerMissingError`.
    """
    program = find_program("squid", "squid")
    (port,) = free_ports(1)
    config = directory / "squid.conf"
    # As root it changes to another user before it opens its files.
    user = "cache_effective_user nobody\ncache_effective_group nogroup" if os.geteuid() == 0 else ""
    config.write_text(
        f"""
http_port 127.0.0.1:{port}
{user}
http_access allow localhost
cache deny all
cache_mem 8 MB
pid_filename none
access_log none
cache_log {directory}/cache.log
coredump_dir {directory}
pinger_enable off
shutdown_lifetime 0 seconds
pipeline_prefetch 10
max_filedescriptors 1024
"""
    )
    log_file = directory / "squid.log"
    command: tuple[str | Path, ...] = (program, "-N", "-d", "1", "-f", config)
    # Asked politely it takes seconds to end; it keeps nothing that could be damaged.
    with running(command, [("127.0.0.1", port)], log_file, stop_signal=signal.SIGKILL):
        yield Proxy(("127.0.0.1", port), log_file)
