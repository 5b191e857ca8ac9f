"""The configuration file."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from httpio_cli._config import config_path, defaults_for, read_config
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

OPTIONS = {
    "location": click.Option(["--location"], is_flag=True),
    "header": click.Option(["--header"], multiple=True),
    "max-time": click.Option(["--max-time"]),
    "tlsv1.2": click.Option(["--tlsv1.2", "tls_min"], flag_value="1.2"),
}
COMMANDS = ("get", "fetch")


def test_place(tmp_path: Path) -> None:
    assert config_path({"HTTPIO_CONFIG": "/a"}) == Path("/a")
    assert config_path({"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/nonexistent"}) is None
    file = tmp_path / ".config" / "httpio" / "config.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert config_path({"HOME": str(tmp_path)}) == file
    # Relative paths are to be ignored.
    assert config_path({"HOME": str(tmp_path), "XDG_CONFIG_HOME": "."}) == file
    assert config_path({"XDG_CONFIG_HOME": str(tmp_path / ".config")}) == file


def test_reading(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text('a = 1\n[get]\nb = "ü"\n', encoding="utf-8")
    assert read_config(file) == {"a": 1, "get": {"b": "ü"}}
    for content in (b"a =", b"\xff = 1", b"a = 1\na = 2"):
        file.write_bytes(content)
        with pytest.raises(CommandError) as caught:
            read_config(file)
        assert caught.value.code is ExitCode.USAGE
    with pytest.raises(CommandError) as caught:
        read_config(tmp_path / "missing")
    assert caught.value.code is ExitCode.READ_FAILED


def defaults(config: dict[str, object]) -> dict[str, object]:
    return defaults_for("get", OPTIONS, config, COMMANDS)


def test_defaults() -> None:
    config = {
        "location": True,
        "max-time": 5,
        "parallel-max": 3,
        "get": {"max-time": "7s", "header": ["A: b"], "tlsv1.2": True},
        "fetch": {"whatever": 1},
    }
    assert defaults(config) == {
        "location": True,
        "max_time": "7s",
        "header": ["A: b"],
        "tls_min": "1.2",
    }
    assert defaults({"header": "A: b", "tlsv1.2": False}) == {"header": ["A: b"], "tls_min": None}


@pytest.mark.parametrize(
    "config",
    [
        {"get": {"no-such": 1}},
        {"get": 1},
        {"got": {}},
        {"tlsv1": {"2": True}},
        {"location": "yes"},
        {"location": 1},
        {"max-time": True},
        {"max-time": [1]},
        {"header": [[1]]},
        {"header": {"A": "b"}},
        {"tlsv1.2": "1.2"},
    ],
)
def test_refused(config: dict[str, object]) -> None:
    with pytest.raises(CommandError) as caught:
        defaults(config)
    assert caught.value.code is ExitCode.USAGE
