"""Fixtures for tests against real servers."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support.clients import BlockingClient, Client, CoroutineClient, connect
from tests.support.fix_servers import endpoint as endpoint
from tests.support.fix_servers import farm as farm
from tests.support.fix_servers import pytest_runtest_makereport as pytest_runtest_makereport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpio import HTTPConnection
    from tests.support.fix_servers import Endpoint

_numbers = count()


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[HTTPConnection]:
    """A connection object for the endpoint, closed after the test."""
    with connect(endpoint) as conn:
        yield conn


@pytest.fixture(params=[BlockingClient, CoroutineClient], ids=["blocking", "coroutine"])
def client(request: pytest.FixtureRequest, connection: HTTPConnection) -> Client:
    """The same connection, used in each of the two ways."""
    made: Client = request.param(connection)
    return made


@pytest.fixture
def upload_name() -> str:
    """A name below ``/upload/`` that no other test uses."""
    return f"upload-{next(_numbers)}"
