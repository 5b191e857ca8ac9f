"""`run` drives coroutines of the core."""

from __future__ import annotations

import pytest

from httpio_aio import run
from tests.support.running import RunTests


@pytest.mark.parametrize("run", [run], ids=["run"])
class TestRun(RunTests):
    """Everything that holds for all frameworks."""
