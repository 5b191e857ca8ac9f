"""Running an example as its reader does, and the servers that the examples talk to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.fix_servers import endpoint as endpoint
from tests.support.fix_servers import farm as farm
from tests.support.fix_servers import pytest_runtest_makereport as pytest_runtest_makereport

if TYPE_CHECKING:
    from tests.support.fix_servers import Endpoint

EXAMPLES = Path(__file__).parents[2] / "examples"
TIME_LIMIT = 60.0
"""Seconds after which an example is taken to hang."""


class Run(Protocol):
    """Runs an example in a directory of its own, and returns what it prints."""

    directory: Path

    def __call__(
        self, name: str, *arguments: str | int, stdin: bytes = b"", code: int = 0
    ) -> str: ...


class _Run:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, name: str, *arguments: str | int, stdin: bytes = b"", code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *map(str, arguments)],
            cwd=self.directory,
            input=stdin,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        assert not done.stderr, done.stderr.decode()
        assert done.returncode == code
        return done.stdout.decode()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run examples in an empty directory."""
    return _Run(tmp_path)


@pytest.fixture
def address(endpoint: Endpoint) -> tuple[str, int]:
    """Host and port of the server."""
    assert not isinstance(endpoint.address, str)
    return endpoint.address
