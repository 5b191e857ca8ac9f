"""The servers that the code of the documentation talks to: the tutorial's own, in several guises."""

from __future__ import annotations

import runpy
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from itertools import count
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.support.fix_certs import certificates as certificates
from tests.support.fix_servers import start_or_skip
from tests.support.proxies import tinyproxy

from .pages import DOCS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from socketserver import BaseServer

    from tests.support.certs import Certificates


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """Listens on a unix socket."""

    daemon_threads = True


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Have *server* serve while the block runs."""
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def silent_handler() -> type[BaseHTTPRequestHandler]:
    """Return the handler of the program that readers download, made not to print what is asked."""
    program = runpy.run_path(str(DOCS / "tutorial" / "practice_server.py"))
    silent: type[BaseHTTPRequestHandler] = type(
        "SilentHandler", (program["PracticeHandler"],), {"log_message": lambda *_: None}
    )
    return silent


class World:
    """Servers as pages of the documentation describe them, in the current directory."""

    def __init__(self, cleanup: ExitStack, certificates: Certificates) -> None:
        self._cleanup = cleanup
        self._certificates = certificates
        self._numbers = count()

    def names(self, text: str) -> dict[str, str]:
        """Start the servers that *text* speaks of; return what is to take the place of their names."""
        handler = silent_handler()
        makers: dict[str, Callable[[], str]] = {
            "8000": lambda: self._tcp(handler),
            "8443": lambda: self._tcp(handler, self._certificates.server_context()),
            "/run/app.sock": lambda: self._unix(handler),
            "3128": self._proxy,
            "our-authority.pem": lambda: str(self._certificates.authority_file),
        }
        return {name: make() for name, make in makers.items() if name in text}

    def _tcp(
        self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
    ) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._cleanup.enter_context(serving(server))
        return str(server.server_port)

    def _unix(self, handler: type[BaseHTTPRequestHandler]) -> str:
        name = f"{next(self._numbers)}.sock"
        # A matter of TCP.
        handler = type("UnixHandler", (handler,), {"disable_nagle_algorithm": False})
        self._cleanup.enter_context(serving(UnixServer(name, handler)))
        return name

    def _proxy(self) -> str:
        directory = Path(f"proxy-{next(self._numbers)}").absolute()
        directory.mkdir()
        proxy = start_or_skip(
            lambda: self._cleanup.enter_context(tinyproxy(directory, with_credentials=True))
        )
        return str(proxy.address[1])


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> Iterator[World]:
    """Whatever a page needs, and an empty directory to run its code in."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as cleanup:
        yield World(cleanup, certificates)
