"""What the tests of the adapters have in common: each runs under every framework."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.support.fix_certs import certificates
from tests.support.frameworks import POOLS, Framework
from tests.support.kits import nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kits import Jobs

__all__ = ["certificates"]


@pytest.fixture(params=POOLS)
def framework(request: pytest.FixtureRequest) -> Iterator[Framework]:
    """Each framework in turn. After the test there must be no descriptor and no thread left."""
    if request.param == "uvloop" and find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    chosen = Framework(request.param)

    async def main(jobs: Jobs) -> None:
        """Do nothing."""

    # The first loop opens what uvloop keeps for all.
    chosen.run(main)
    with nothing_left():
        yield chosen
