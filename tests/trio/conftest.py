"""Fixtures for tests of the front end: the framework, and a look at what is left of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fix_certs import certificates as certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.kits import nothing_left
from tests.support.trios import KITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kits import Kit


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest) -> Kit:
    """Each kind of event loop."""
    return KITS[request.param]
