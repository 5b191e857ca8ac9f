"""The tables of the documentation, and the manual pages, say what the command says of itself."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from httpio_cli._environment import VARIABLES
from httpio_cli._exit_codes import ExitCode
from httpio_cli._main import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
MAN = ROOT / "packages" / "httpio-cli" / "man"


def rows(page: str) -> list[str]:
    """Return the rows of the table on *page*, without its head."""
    lines = (DOCS / "cli" / page).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("|")][2:]


def test_exit_codes() -> None:
    assert rows("exit-codes.md") == [f"| {int(code)} | {code.meaning} |" for code in ExitCode]


def test_environment_variables() -> None:
    assert rows("environment.md") == [
        f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()
    ]


def test_the_variables_are_those_that_are_read() -> None:
    sources = ROOT / "packages"
    text = "".join(path.read_text(encoding="utf-8") for path in sources.glob("*/src/*/*.py"))
    # Python and the system look at these by themselves.
    elsewhere = {"COLUMNS"}
    for name in VARIABLES.keys() - elsewhere:
        assert f'"{name}"' in text.replace(f'    "{name}": ', ""), name


@pytest.fixture(scope="module")
def regenerated() -> dict[str, str]:
    pages: Callable[[], dict[str, str]] = runpy.run_path(str(DOCS / "make_man.py"))["pages"]
    return pages()


def test_the_manual_pages_are_up_to_date(regenerated: dict[str, str]) -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in MAN.iterdir()}
    assert found.keys() == regenerated.keys(), "run docs/make_man.py"
    for name, text in regenerated.items():
        assert found[name] == text, f"{name} is out of date: run docs/make_man.py"


def test_there_is_a_page_for_each_command_with_all_that_one_looks_for(
    regenerated: dict[str, str],
) -> None:
    assert regenerated.keys() == {"httpio.1", *(f"httpio-{name}.1" for name in COMMANDS)}
    for text in regenerated.values():
        assert text.isascii()
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT"):
            assert f".SH {section}\n" in text
    assert "\\fB\\-\\-trace\\-ascii\\fP \\fIFILE\\fP" in regenerated["httpio-trace.1"]


@pytest.mark.parametrize(
    "command",
    [
        ["groff", "-ww", "-man", "-Tutf8", "-z"],
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
        ["mandoc", "-Tlint", "-Werror"],
    ],
    ids=lambda command: command[0],
)
def test_the_manual_pages_are_right(command: list[str]) -> None:
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"there is no {command[0]}")
    for page in sorted(MAN.glob("*.1")):
        result = subprocess.run(
            [program, *command[1:], page], capture_output=True, text=True, timeout=60, check=False
        )
        assert (result.returncode, result.stderr) == (0, ""), page
