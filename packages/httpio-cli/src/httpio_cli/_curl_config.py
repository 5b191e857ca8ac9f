"""``-K``: options from a file in the form of curl's configuration files."""

from __future__ import annotations

import re
import sys

from ._errors import CommandError, cannot_read
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

#: An option, and its value: in quotes with escapes, or up to the next blank.
_LINE: Final = re.compile(
    r"""\s*(?P<dashes>-{0,2})(?P<name>[^\s=:"-][^\s=:"]*)
        (?:[\s=:]+(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]\S*))?)?\s*""",
    re.VERBOSE,
)
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}


def read_curl_config(path: str, options: Mapping[str, bool]) -> list[str]:
    """Return the arguments that the file at *path*, ``-`` for stdin, stands for.

    *options* tells of each option of the command, with its dashes, whether it takes a value. Raises
    `CommandError` for a file that cannot be read, and for a line that says nothing to the command.
    """
    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
    except OSError as exc:
        raise cannot_read(path, exc) from exc
    arguments: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            arguments += _arguments(line, f"{path}:{number}", options)
    return arguments


def _arguments(line: str, place: str, options: Mapping[str, bool]) -> list[str]:
    """Return the arguments that one line stands for."""

    def bad(why: str) -> CommandError:
        return CommandError(ExitCode.USAGE, f"{place}: {why}", "the form is that of curl's -K")

    found = _LINE.fullmatch(line)
    if found is None:
        raise bad(f"expected 'option = value', got {line.strip()[:80]!r}")
    value = found["bare"]
    if found["quoted"] is not None:
        value = re.sub(r"\\(.)", lambda pair: _ESCAPES.get(pair[1], pair[1]), found["quoted"])
    if found["name"] == "url" and found["dashes"] != "-":
        if not value:
            raise bad("there is no URL")
        return [value]
    name = f"{found['dashes'] or '--'}{found['name']}"
    takes_value = options.get(name)
    if takes_value is None:
        raise bad(f"there is no option {name}")
    if name in ("-K", "--config"):
        raise bad("a file cannot name another one")
    if not takes_value:
        if value is not None:
            raise bad(f"{name} takes no value")
        return [name]
    if value is None:
        raise bad(f"{name} needs a value")
    return [name, value]
