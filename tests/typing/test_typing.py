"""mypy sees in `contract` each error that is marked there, and no other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = Path(__file__).with_name("contract.py")
IGNORE = re.compile(r" *# type: ignore\[([a-z, -]+)\]")
ERROR = re.compile(r".*?:(\d+): error: .*  \[([a-z-]+)\]")


def test_mypy_sees_the_errors_that_are_marked(tmp_path: Path) -> None:
    lines = CONTRACT.read_text(encoding="utf-8").splitlines()
    marked = {
        (number, code)
        for number, line in enumerate(lines, 1)
        for match in IGNORE.finditer(line)
        for code in match[1].split(", ")
    }
    assert len(marked) > 20
    unmarked = tmp_path / "contract.py"
    unmarked.write_text("\n".join(IGNORE.sub("", line) for line in lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=pyproject.toml", "--no-pretty", unmarked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    errors = {
        (int(match[1]), match[2])
        for line in done.stdout.splitlines()
        if ": error: " in line and (match := ERROR.fullmatch(line))
    }
    assert errors == marked, done.stdout


def test_the_check_itself() -> None:
    assert IGNORE.sub("", "f()  # type: ignore[arg-type]  # why") == "f()  # why"
    match = ERROR.fullmatch('/a/contract.py:5: error: Name "x" is not defined  [name-defined]')
    assert match is not None
    assert match.groups() == ("5", "name-defined")
    with pytest.raises(AttributeError):
        ERROR.fullmatch("Success").groups()  # type: ignore[union-attr]  # the point
