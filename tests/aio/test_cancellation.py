"""A cancellation at any point leaves the connection usable, or closed with a reason that says so."""

from __future__ import annotations

import pytest

from tests.support.aio import KITS
from tests.support.cancelling import CancellationTests

pytestmark = pytest.mark.exhaustive

WAYS = [
    pytest.param(kit, way, id=f"{name}-{way.replace(' ', '-')}")
    for name, kit in KITS.items()
    for way in kit.ways
]


@pytest.mark.parametrize(("kit", "way"), WAYS)
class TestCancellation(CancellationTests):
    """Everything that holds for all frameworks."""
