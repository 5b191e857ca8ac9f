"""Fixtures for tests against the real servers of `tests.support.servers`.

A test that takes the fixture `endpoint` is marked with `endpoints`, which says what it needs of a server; it then runs
once for each listener of each server that has it. Servers start at their first use and end with the session.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest

from .server_configs import SPECS
from .servers import (
    Feature,
    RunningServer,
    ServerFarm,
    ServerMissingError,
    Transport,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator

    from .certs import Certificates
    from .documents import Document
    from .processes import Address

_T = TypeVar("_T")


@dataclass(frozen=True)
class Endpoint:
    """One listener of one server."""

    server: RunningServer
    variant: Variant
    transport: Transport
    documents: list[Document]
    large: Document
    certificates: Certificates

    @property
    def address(self) -> Address:
        """Host and port, or the path of a unix socket."""
        return self.server.workspace.addresses[self.variant, self.transport]

    @property
    def features(self) -> frozenset[Feature]:
        """What the server can do."""
        return self.server.spec.features


def endpoints(
    variant: Variant = Variant.NORMAL,
    *,
    needs: Feature | None = None,
    transports: Collection[Transport] = tuple(Transport),
    servers: Collection[str] = tuple(SPECS),
    without: Collection[tuple[str, Transport]] = (),
) -> pytest.MarkDecorator:
    """Run a test, which takes the fixture ``endpoint``, against all listeners that have what it needs."""
    return pytest.mark.parametrize(
        "endpoint",
        [
            pytest.param((name, variant, transport), id=f"{name}-{transport.value}")
            for name, spec in SPECS.items()
            for transport in transports
            if name in servers
            and (name, transport) not in without
            and (variant, transport) in spec.listeners()
            and (needs is None or needs in spec.features)
        ],
        indirect=True,
    )


def start_or_skip(start: Callable[[], _T]) -> _T:
    """Return what *start* returns; skip the test if the program is missing, or in CI fail it."""
    try:
        return start()
    except ServerMissingError as error:
        if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
            pytest.fail(str(error))
        pytest.skip(str(error))


def make_endpoint(
    farm: ServerFarm, server: RunningServer, variant: Variant, transport: Transport
) -> Endpoint:
    """Return one listener of *server*."""
    return Endpoint(server, variant, transport, farm.documents, farm.large, farm.certificates)


@pytest.fixture(scope="session")
def farm() -> Iterator[ServerFarm]:
    """All servers, none of them started yet."""
    with ServerFarm(SPECS) as servers:
        yield servers


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, farm: ServerFarm) -> Endpoint:
    """The listener that the test runs against; see `endpoints`."""
    name: str
    variant: Variant
    transport: Transport
    name, variant, transport = request.param
    server = start_or_skip(lambda: farm.server(name))
    request.node.stash[_SERVER] = server
    return make_endpoint(farm, server, variant, transport)


_SERVER = pytest.StashKey[RunningServer]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's logs with a failure."""
    report = yield
    if report.failed and _SERVER in item.stash:
        server = item.stash[_SERVER]
        report.sections.append((f"logs of {server.spec.name}", server.log()))
    return report
