"""The command ``httpio`` is installed, typed, and says that its subcommands are to come."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import httpio_cli

INSTALLED_COMMAND = [str(Path(sys.executable).with_name("httpio"))]
MODULE_COMMAND = [sys.executable, "-m", "httpio_cli"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_cli.__version__ == metadata.version("httpio-cli")


def test_package_is_typed() -> None:
    assert resources.files(httpio_cli).joinpath("py.typed").is_file()


@pytest.mark.parametrize("command", [INSTALLED_COMMAND, MODULE_COMMAND], ids=["script", "module"])
class TestCommand:
    def test_version(self, command: list[str]) -> None:
        done = run(*command, "--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"httpio, version {httpio_cli.__version__}\n"

    def test_help(self, command: list[str]) -> None:
        done = run(*command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: ")
        assert "--version" in done.stdout

    def test_alone_says_that_subcommands_come_later(self, command: list[str]) -> None:
        done = run(*command)
        assert (done.returncode, done.stderr) == (0, "")
        assert "come in a later version" in done.stdout

    def test_unknown_subcommand_is_an_error(self, command: list[str]) -> None:
        done = run(*command, "get", "http://localhost/")
        assert done.returncode == 2
        assert "No such command" in done.stderr
