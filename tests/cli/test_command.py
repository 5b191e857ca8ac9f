"""The command ``httpio`` as it is installed: what it says of itself, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata, resources
from typing import TYPE_CHECKING

import pytest

import httpio_cli
from httpio_cli._main import COMMANDS

from .getting import COMMAND, environment

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = [COMMAND]
MODULE = [sys.executable, "-m", "httpio_cli"]


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment() if env is None else env,
    )


def test_version_is_that_of_the_distribution() -> None:
    assert httpio_cli.__version__ == metadata.version("httpio-cli")


def test_package_is_typed() -> None:
    assert resources.files(httpio_cli).joinpath("py.typed").is_file()


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
class TestCommand:
    def test_version(self, command: list[str]) -> None:
        done = run(*command, "--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"httpio, version {httpio_cli.__version__}\n"

    def test_help_lists_the_commands(self, command: list[str]) -> None:
        done = run(*command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: httpio ")
        for name in COMMANDS:
            assert f"\n  {name} " in done.stdout

    def test_alone_shows_help_and_is_an_error(self, command: list[str]) -> None:
        done = run(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: httpio ")

    def test_unknown_command(self, command: list[str]) -> None:
        done = run(*command, "gte", "http://localhost/")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("httpio: No such command 'gte'")
        assert done.stderr.count("\n") == 1

    def test_unknown_option(self, command: list[str]) -> None:
        done = run(*command, "get", "--no-such-option", "http://localhost/")
        assert (done.returncode, done.stdout) == (2, "")
        assert "No such option" in done.stderr
        assert done.stderr.endswith("; 'httpio get --help' shows how\n")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["http://h/", "h.example", "h/path", "localhost"])
def test_a_url_in_place_of_a_command(word: str) -> None:
    done = run(COMMAND, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"httpio: there is no command {word!r}; did you mean 'httpio get {word}'?\n"
    )


def test_help_by_a_word() -> None:
    assert run(COMMAND, "help").stdout == run(COMMAND, "--help").stdout
    assert run(COMMAND, "help", "get").stdout == run(COMMAND, "get", "--help").stdout
    assert run(COMMAND, "help", "gte").returncode == 2


@pytest.mark.parametrize("name", ["get", "head", "put", "post", "delete", "request"])
def test_help_of_a_command(name: str) -> None:
    done = run(COMMAND, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: httpio {name} [OPTIONS] URL...\n")
    assert "--max-time" in done.stdout


def test_closed_stdout_of_help() -> None:
    """Nobody reads what --help says: curl's code for what cannot be written, and one line."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [COMMAND, "--help"],
            stdout=write,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
            text=True,
        )
    finally:
        os.close(write)
    assert done.returncode == 23
    assert done.stderr.startswith("httpio: stdout was closed")
    assert done.stderr.count("\n") == 1


def test_configuration_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("= 5")
    env = environment(HTTPIO_CONFIG=str(tmp_path / "config.toml"))
    done = run(COMMAND, "get", "http://localhost/", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not proper TOML" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_fault_of_ours_is_one_line_too() -> None:
    """Whatever goes wrong, there is no traceback."""
    script = (
        "import sys; from httpio_cli import _main\n"
        "_main.COMMANDS['get'] = ('_no_such_module:x', '')\n"
        "sys.argv = ['httpio', 'get', 'http://localhost/']\n"
        "_main.run()"
    )
    done = run(sys.executable, "-c", script)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("httpio: unexpected ModuleNotFoundError")
    assert done.stderr.count("\n") == 1
