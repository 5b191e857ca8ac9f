"""The fixture `scripted_server`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from .scripted import ScriptedServer

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Generator

    from .scripted import Step


class ServerFactory(Protocol):
    """Makes a `ScriptedServer`."""

    def __call__(
        self,
        *steps: Step,
        tls: ssl.SSLContext | None = None,
        unix: bool = False,
        connected: socket.socket | None = None,
        receive_buffer: int | None = None,
    ) -> ScriptedServer: ...


@pytest.fixture
def scripted_server(request: pytest.FixtureRequest) -> Generator[ServerFactory]:
    """Make any number of `tests.support.scripted.ScriptedServer`; they are closed after the test.

    A test that has passed also waits for the end of each script, and fails with what went wrong in it.
    """
    failed_before = request.session.testsfailed
    with ExitStack() as servers:

        def close(server: ScriptedServer) -> None:
            # A test that has failed leaves its script half done.
            server.close(complete=request.session.testsfailed == failed_before)

        def make(
            *steps: Step,
            tls: ssl.SSLContext | None = None,
            unix: bool = False,
            connected: socket.socket | None = None,
            receive_buffer: int | None = None,
        ) -> ScriptedServer:
            server = ScriptedServer(
                *steps, tls=tls, unix=unix, connected=connected, receive_buffer=receive_buffer
            )
            servers.callback(close, server)
            return server

        yield make
