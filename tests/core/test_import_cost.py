"""``import httpio`` loads none of the modules that cost more than httpio itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"asyncio", "dataclasses", "email", "http", "ssl", "threading", "typing"}


def modules_loaded_by(statement: str) -> set[str]:
    """Return the modules that *statement* loads in a new interpreter, by ``-X importtime``."""
    # -I -S: no site-packages whose .pth files may import, only the path that is passed on.
    script = f"import sys; sys.path[:] = {sys.path!r}\n{statement}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_import_loads_no_heavy_module() -> None:
    loaded = modules_loaded_by("import httpio")
    assert "httpio._connection" in loaded
    assert {name for name in loaded if name.partition(".")[0] in HEAVY} == set()


@pytest.mark.parametrize("heavy", sorted(HEAVY))
def test_the_check_itself(heavy: str) -> None:
    assert heavy in modules_loaded_by(f"import {heavy}")
