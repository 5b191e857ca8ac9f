"""Fixtures for tests that hold for every driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server

from .client import Client
from .drivers import DRIVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.certs import Certificates
    from tests.support.scripted import ScriptedServer

    from .client import ClientFactory


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture(params=DRIVERS)
def make_client(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[ClientFactory]:
    """Return a function from a scripted server to a client for it, once for each driver."""
    make_driver = DRIVERS[request.param]
    clients: list[Client] = []

    def make(server: ScriptedServer, *, tls: bool = False) -> Client:
        client = Client(make_driver, server, certificates if tls else None)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
