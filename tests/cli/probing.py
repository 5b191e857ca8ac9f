"""Servers for the tests of ``httpio probe``, and running it as a process.

To the servers of `tests.support.server_configs` come gunicorn with two kinds of workers, and proxies
in front of nginx.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.proxies import squid, tinyproxy
from tests.support.server_configs import SPECS
from tests.support.servers import (
    SMALL_LIMIT,
    Launch,
    ServerFarm,
    ServerMissingError,
    ServerSpec,
    Transport,
    Variant,
    Workspace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HTTPIO = Path(sys.executable).with_name("httpio")
_SUPPORT = Path(__file__).parent.parent / "support"
_LIMIT = 60
_numbers = count()


def _gunicorn(space: Workspace, worker: str, options: str) -> Launch:
    if importlib.util.find_spec("gunicorn") is None:
        raise ServerMissingError(
            "gunicorn is not installed; it is among the requirements of the tests"
        )
    config = space.directory / "gunicorn.conf.py"
    config.write_text(
        f"""
bind = [{space.address(Variant.NORMAL, Transport.PLAIN)!r}]
workers = 1
worker_class = {worker!r}
worker_tmp_dir = {str(space.directory / "tmp")!r}
chdir = {str(_SUPPORT)!r}
raw_env = [
    {f"HTTPIO_DOCUMENTS={space.documents}"!r},
    {f"HTTPIO_SMALL_LIMIT={SMALL_LIMIT}"!r},
]
control_socket_disable = True
{options}
""",
        encoding="utf-8",
    )
    return Launch((sys.executable, "-m", "gunicorn", "-c", config, "wsgi_application:application"))


def gunicorn_sync(space: Workspace) -> Launch:
    """One request at a time, and no connection is kept."""
    return _gunicorn(space, "sync", "")


def gunicorn_threads(space: Workspace) -> Launch:
    """A thread for each connection that has something to say."""
    return _gunicorn(space, "gthread", "threads = 4\nkeepalive = 60")


MORE_SPECS = {
    spec.name: spec
    for spec in (
        ServerSpec(
            name,
            configure,
            frozenset(),
            transports=frozenset({Transport.PLAIN}),
            variants=frozenset({Variant.NORMAL}),
        )
        for name, configure in (
            ("gunicorn (sync)", gunicorn_sync),
            ("gunicorn (gthread)", gunicorn_threads),
        )
    )
}

DIRECT = ("nginx", "apache", "lighttpd", "haproxy", "uvicorn", "node", *MORE_SPECS)
THROUGH_PROXY = ("tinyproxy", "squid")


@contextmanager
def all_servers() -> Iterator[ServerFarm]:
    """All servers, none of them started yet."""
    with ServerFarm({**SPECS, **MORE_SPECS}) as farm:
        yield farm


@dataclass(frozen=True)
class Way:
    """A server, or a server behind a proxy: where to connect to, and what to ask for."""

    name: str
    address: tuple[str, int]
    origin: str
    """What URLs begin with."""
    proxy: tuple[str, int] | None

    def url(self, path: str) -> str:
        """Return the URL of *path*."""
        return f"{self.origin}{path}"

    def target(self, path: str) -> str:
        """Return what a request line says."""
        return path if self.proxy is None else self.url(path)

    @property
    def options(self) -> list[str]:
        """What `httpio` has to be told to go that way."""
        return [] if self.proxy is None else ["--proxy", "http://{}:{}".format(*self.proxy)]


@contextmanager
def way_to(farm: ServerFarm, name: str) -> Iterator[Way]:
    """The way to a server, or through a proxy to nginx. Raises `ServerMissingError`."""
    with ExitStack() as stack:
        proxy = None
        if name in THROUGH_PROXY:
            directory = farm.directory(f"probe-{name}-{next(_numbers)}")
            made = stack.enter_context(
                squid(directory)
                if name == "squid"
                else tinyproxy(directory, with_credentials=False)
            )
            proxy = made.address
        server = farm.server("nginx" if proxy else name)
        address = ("127.0.0.1", server.workspace.port(Variant.NORMAL, Transport.PLAIN))
        yield Way(name, proxy or address, "http://{}:{}".format(*address), proxy)


def httpio(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [str(HTTPIO), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=_LIMIT,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(environment or {})},
    )


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``httpio probe``."""
    return httpio("probe", *arguments)


def probed(*arguments: str) -> dict[str, Any]:
    """Run ``httpio probe --format json`` and return what it says of its only URL."""
    done = probe("--format", "json", *arguments)
    document = json.loads(done.stdout)
    assert document["schema"] == "httpio/probe/1"
    (target,) = document["targets"]
    found: dict[str, Any] = target
    found["exit_code"] = done.returncode
    found["stderr"] = done.stderr
    return found


def checks_of(target: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the checks of a target by their ids."""
    return {check["id"]: check for check in target["checks"]}
