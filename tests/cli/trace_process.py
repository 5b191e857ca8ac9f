"""Running the installed command ``httpio trace`` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    Object: TypeAlias = dict[str, Any]  # JSON

HTTPIO = str(Path(sys.executable).with_name("httpio"))


def environment(**changes: str) -> dict[str, str]:
    """Return an environment without anything that could lead the command elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
        and name not in ("HTTPIO_TRACEFILE", "HTTPIO_CONFIG", "NO_COLOR", "SSL_CERT_FILE")
    }
    return {**kept, "XDG_CONFIG_HOME": os.devnull, "NO_PROXY": "", **changes}


def trace(
    *arguments: str | Path,
    code: int = 0,
    variables: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``httpio trace`` with *arguments*; fail unless it ends with *code*."""
    result = subprocess.run(
        [HTTPIO, "trace", *map(str, arguments)],
        input=None if stdin is None else stdin.decode("latin-1"),
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        encoding="utf-8" if stdin is None else "latin-1",
        env=environment(**(variables or {})),
        timeout=60,
        check=False,
    )
    assert result.returncode == code, result
    assert "Traceback" not in result.stderr, result
    if code not in (0, 2):
        # One line that says what went wrong.
        assert result.stderr.count("\n") == 1, result
        assert result.stderr.startswith("httpio: "), result
    elif not code:
        assert not result.stderr, result
    return result


def records(*arguments: str | Path, code: int = 0) -> list[Object]:
    """Return the records that ``httpio trace`` prints for *arguments*."""
    found = trace(*arguments, "--format", "jsonl", code=code).stdout
    return [json.loads(line) for line in found.splitlines()]


def of_type(found: list[Object], kind: str) -> list[Object]:
    """Return the records of one type."""
    return [record for record in found if record["type"] == kind]
