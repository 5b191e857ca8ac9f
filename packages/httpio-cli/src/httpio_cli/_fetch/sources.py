"""Where lists come from: arguments, files, and standard input where that is asked for."""

from __future__ import annotations

import sys

from httpio_cli._errors import CommandError, cannot_read
from httpio_cli._exit_codes import ExitCode

from .entries import Entry
from .lists import parse_list
from .verification import parse_checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .lists import ListFormat
    from .verification import Checksum


def entries_of_arguments(
    urls: Sequence[str], outputs: Sequence[str], checksums: Sequence[str]
) -> list[Entry]:
    """Return what the command line names; the n-th output and checksum belong to the n-th URL."""
    for what, values in (("-o", outputs), ("--checksum", checksums)):
        if len(values) > len(urls):
            raise CommandError(
                ExitCode.USAGE, f"there are {len(values)} {what} for {len(urls)} URLs"
            )
    entries = []
    for number, url in enumerate(urls):
        found: tuple[Checksum, ...] = ()
        if number < len(checksums):
            try:
                found = (parse_checksum(checksums[number], "--checksum"),)
            except ValueError as exc:
                raise CommandError(ExitCode.USAGE, f"--checksum: {exc}") from exc
        out = outputs[number] if number < len(outputs) else None
        entries.append(Entry(url, f"argument {number + 1}", out, found))
    return entries


def entries_of_file(
    path: str, form: ListFormat, base_url: str | None
) -> tuple[list[Entry], list[str]]:
    """Return what the list at *path* names, ``-`` for standard input, and notes on it."""
    name = "stdin" if path == "-" else path
    try:
        if path == "-":
            if sys.stdin is None:
                raise CommandError(ExitCode.READ_FAILED, "stdin is closed", "give a list in a file")
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as exc:
        raise cannot_read(name, exc) from exc
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise CommandError(ExitCode.USAGE, f"{name}:{line}: this is no UTF-8 text") from exc
    return parse_list(text, name, form, base_url)
