"""What holds for all tests. Fixtures for servers are in the packages that use them."""

from __future__ import annotations

import gc
import os
from zlib import crc32

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


#: What begins so goes through every driver, every server, every point of a conversation, thousands of
#: random inputs, or whole programs.
EXHAUSTIVE = (
    "tests/adapters/test_pool",
    "tests/cli/",
    "tests/conformance/",
    "tests/core/test_bulk.py",
    "tests/core/test_content.py",
    "tests/core/test_decoders.py",
    "tests/core/test_dropping.py",
    "tests/core/test_early_answers.py",
    "tests/core/test_feeding.py",
    "tests/core/test_pipeline",
    "tests/core/test_ranges.py",
    "tests/core/test_recovery.py",
    "tests/docs/",
    "tests/examples/",
    "tests/fuzz/",
    "tests/servers/",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have the sessions share what is done by exhaustion."""
    parser.addoption(
        "--share",
        metavar="K/N",
        help="of the tests that are marked as exhaustive, run only the K-th of N shares (from 1)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the exhaustive tests that are not in the share that was asked for."""
    for item in items:
        if item.nodeid.startswith(EXHAUSTIVE):
            item.add_marker("exhaustive")
    share = config.getoption("--share")
    if share is None:
        return
    which, shares = map(int, share.split("/"))

    def is_chosen(item: pytest.Item) -> bool:
        # By its name, so that each share has something of every kind.
        return (
            item.get_closest_marker("exhaustive") is None
            or crc32(item.nodeid.encode()) % shares == which - 1
        )

    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item)])
    items[:] = filter(is_chosen, items)


def pytest_collection_finish() -> None:
    """Keep what the collection has made out of later collections of garbage.

    Tests that look whether anything is left ask for those, and each would go through all of it.
    """
    gc.collect()
    gc.freeze()
