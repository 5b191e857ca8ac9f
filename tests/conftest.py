"""What holds for all tests. Fixtures for servers are in the packages that use them."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

# Or else a failed assertion of a helper does not show its values.
pytest.register_assert_rewrite("tests.support")

# Neither a verdict nor a choice of examples may depend on how fast the machine is.
settings.register_profile(
    "httpio",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("httpio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what asks of the protocol code again and again, however it was installed."""
    for item in items:
        if {"conformance", "fuzz", "servers"}.intersection(item.path.parts):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Keep what the collection has made out of later collections of garbage.

    Tests that look whether anything is left ask for those, and each would go through all of it.
    """
    gc.collect()
    gc.freeze()
