"""Fixtures for tests that hold for every driver."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.scripted import ScriptedServer

from .client import Client, target_of
from .drivers import DRIVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.certs import Certificates

    from .client import ClientFactory
    from .drivers import Target


@pytest.fixture(scope="session")
def _uvloop_has_begun() -> None:
    """Have uvloop open what it keeps open as long as the process lives."""
    if sys.platform != "win32":
        import uvloop

        uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def _nothing_left(_uvloop_has_begun: None) -> Iterator[None]:
    with no_descriptor_left():
        yield


not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
MARKS = {"uvloop": not_on_windows}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in DRIVERS])
def make_client(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[ClientFactory]:
    """Return a function from a scripted server to a client for it, once for each driver."""
    make_driver = DRIVERS[request.param]
    clients: list[Client] = []

    def make(server: ScriptedServer | Target, *, tls: bool = False) -> Client:
        if isinstance(server, ScriptedServer):
            server = target_of(server, certificates.client_context() if tls else None)
        client = Client(make_driver(server))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
