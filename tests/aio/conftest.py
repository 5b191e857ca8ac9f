"""Fixtures for tests of the front end: the framework, and a look at what is left of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.support.aio import KITS
from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.kits import nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kits import Kit


@pytest.fixture(autouse=True, scope="session")
def _uvloop_has_begun() -> None:
    """Have uvloop open what it keeps for as long as the process lives."""

    async def nothing() -> None:
        pass

    uvloop.run(nothing())


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest) -> Kit:
    """Each kind of event loop."""
    return KITS[request.param]
