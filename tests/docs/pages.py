"""The code on the pages of the documentation.

Python code is in fences that say ``python``. A fence that says ``text`` straight after one shows what
it prints, with ``...`` for what differs from run to run. A fence that says ``console`` and has lines with
``$ httpio`` shows commands for a shell, each with what it prints on stdout and stderr. Other languages
are not run.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType

DOCS = Path(__file__).parents[2] / "docs"

# A fence may be the content of a list item, as in the cells of a list-table.
_FENCE = re.compile(r"(?P<prefix>[ *-]*)(?P<ticks>```+)(?P<info>.*)")
_OPTION = re.compile(r"\s*:[a-z-]+:")


@dataclass(frozen=True)
class Block:
    """One fence."""

    page: Path
    line: int
    """Number of its first line of code, from 1."""
    language: str
    text: str
    prefix: str
    """What is before the fence: blanks, or the marks of the list items that begin with it."""

    @property
    def is_code(self) -> bool:
        """Whether it is run."""
        return self.language == "python" or self.is_console

    @property
    def is_console(self) -> bool:
        """Whether it is commands for a shell that are run."""
        return self.language == "console" and bool(
            re.search(r"^\$ httpio ", self.text, re.MULTILINE)
        )

    @property
    def starts_row(self) -> bool:
        """Whether it is the first cell of a row of a list-table."""
        return "*" in self.prefix


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fences of *page* that are no directives, and those of code-block."""
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    containers: list[str] = []
    for _, line in lines:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        info = fence["info"].strip()
        if not info:
            assert containers.pop() == fence["ticks"], f"{page}: a fence needs a language"
            continue
        directive = re.match(r"\{([\w:-]+)\}", info)
        if directive and directive[1] != "code-block":
            containers.append(fence["ticks"])
            continue
        width = len(fence["prefix"])
        body: list[str] = []
        first = 0
        for number, text in lines:
            if text.strip() == fence["ticks"]:
                break
            if not body and directive and (_OPTION.match(text) or not text.strip()):
                continue
            first = first or number
            assert not text[:width].strip(), f"{page}:{number}: code outside its fence"
            body.append(text[width:])
        code = "".join(f"{text}\n" for text in body)
        yield Block(page, first, info.split()[-1], code, fence["prefix"])


def environment() -> dict[str, str]:
    """Return the environment of a user who has installed the command, and configured nothing."""
    wanted = ("HOME", "LANG", "PATH", "TMPDIR")
    found = {name: os.environ[name] for name in wanted if name in os.environ}
    found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found["PATH"]])
    return {**found, "COLUMNS": "100", "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": os.getcwd()}


class Session:
    """Runs blocks one after the other, as somebody would who types them in.

    *names* maps what pages say, such as the port of a server, to what it is in this test.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self.namespace: dict[str, object] = {"__name__": "__main__"}
        self._printed = ""
        self._printed_by: Block | None = None
        self._status = 0

    def run(self, block: Block) -> None:
        """Run a block of Python code, or compare what the one before it has printed with *block*."""
        if block.language == "text":
            self._compare(block)
        elif block.language == "python":
            self.finish()
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(self.compile(block), self.namespace)
            self._printed, self._printed_by = printed.getvalue(), block
        elif block.is_console:
            self.finish()
            self._run_commands(block)

    def _run_commands(self, block: Block) -> None:
        """Have a shell run the commands of *block*, and compare what they print."""
        commands = re.split(r"^\$ ", self._translate(block.text), flags=re.MULTILINE)
        assert not commands[0].strip(), f"{block.page}:{block.line}: output without a command"
        for entry in commands[1:]:
            command, expected = re.fullmatch(r"((?:.*\\\n)*.*)\n((?:.*\n)*)", entry).groups()  # type: ignore[union-attr]  # matches whatever ends a line
            done = subprocess.run(
                ["bash", "-c", f"(exit {self._status}); {command}"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            self._status = done.returncode
            if not doctest.OutputChecker().check_output(
                expected or "\n", done.stdout or "\n", doctest.ELLIPSIS
            ):
                raise AssertionError(
                    f"{block.page}:{block.line}: $ {command}\nshows\n{expected}\n"
                    f"but what is printed is\n{done.stdout}"
                )

    def compile(self, block: Block) -> CodeType:
        """Compile a block of Python code, and do not run it."""
        # Blank lines, so that tracebacks show the lines of the page.
        source = "\n" * (block.line - 1) + self._translate(block.text)
        return compile(source, block.page, "exec")

    def close(self) -> None:
        """Close the connections that a block which has failed left open."""
        for value in self.namespace.values():
            if isinstance(value, HTTPConnection):
                value.close()

    def finish(self) -> None:
        """Fail if something was printed that the page does not show."""
        where = self._printed_by and f"{self._printed_by.page}:{self._printed_by.line}"
        assert not self._printed, f"{where} prints {self._printed!r}, which the page does not show"

    def _compare(self, block: Block) -> None:
        expected, found = self._translate(block.text), self._printed
        self._printed = ""
        flags = doctest.ELLIPSIS
        if not doctest.OutputChecker().check_output(expected, found, flags):
            raise AssertionError(
                f"{block.page}:{block.line} shows\n{expected}\nbut what is printed is\n{found}"
            )

    def _translate(self, text: str) -> str:
        for name, replacement in self._names.items():
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", replacement, text)
        return text
