"""Write the manual pages of the command ``httpio``, from the definitions that the command itself uses.

::

    python docs/make_man.py

There are libraries for this. None of them knows subcommands that are loaded when they are needed, and
what they write is not escaped: a line of help that begins with a quotation mark would be lost.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from httpio_cli._environment import VARIABLES
from httpio_cli._exit_codes import ExitCode
from httpio_cli._get.write_out import SPECIAL
from httpio_cli._get.write_out import VARIABLES as WRITE_OUT_VARIABLES
from httpio_cli._main import COMMANDS, main
from httpio_cli._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIRECTORY = Path(__file__).parent.parent / "packages" / "httpio-cli" / "man"

FILES = {
    "~/.config/httpio/config.toml": (
        "Defaults for options, in TOML: the keys are the long names of options without the dashes, at "
        "the top for every command, and in a table that is named after a command for that one."
    ),
    "~/.netrc": "Credentials by host, read with --netrc only.",
}


def escaped(text: str) -> str:
    """Return *text* on one line, with nothing in it that roff would take for its own."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    # As a number it is right whatever the encoding of the page is taken for.
    text = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fP"


def italic(text: str) -> str:
    return f"\\fI{escaped(text)}\\fP"


def paragraphs(text: str) -> Iterator[str]:
    """Give the lines for *text* as click has it: blank lines between paragraphs, ``\\b`` for verse."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield ".nf"
            # Blanks within a line stay as well.
            yield from (
                escaped(line.replace(" ", "\0")).replace("\0", "\\ ")
                for line in paragraph.splitlines()[1:]
            )
            yield ".fi"
        else:
            yield escaped(paragraph)


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Give the lines for a list of terms, which are roff already, and what they mean."""
    for term, meaning in pairs:
        yield from (".TP", term, escaped(meaning))


def switches(text: str) -> str:
    """Return the first column of an option's help: the switches bold, what they take in italics."""
    return "".join(
        part if part in (", ", " / ", " ") else bold(part) if part.startswith("-") else italic(part)
        for part in re.split(r"(, (?=-)| / (?=-)| )", text)
        if part
    )


def context_of(name: str) -> click.Context:
    """Return the context of a subcommand, or of the command itself for an empty *name*."""
    # Without a look at the configuration, whose defaults are not for others to read.
    root = click.Context(main, info_name="httpio", resilient_parsing=True, **main.context_settings)
    if not name:
        return root
    command = main.get_command(root, name)
    assert command is not None
    return click.Context(command, info_name=name, parent=root)


def page(name: str) -> str:
    """Return the page of a subcommand, or of the command itself for an empty *name*."""
    context = context_of(name)
    title = f"httpio-{name}" if name else "httpio"
    purpose = COMMANDS[name][1] if name else "HTTP/1.1 for operators"
    options = [
        record
        for parameter in context.command.get_params(context)
        if isinstance(parameter, click.Option)
        if (record := parameter.get_help_record(context)) is not None
    ]
    usage = " ".join(context.command.collect_usage_pieces(context))
    lines = [
        '.\\" Written by docs/make_man.py; changes belong into what that reads.',
        f'.TH {escaped(title.upper())} 1 "" "httpio {__version__}" "Manual of httpio"',
        ".SH NAME",
        f"{escaped(title)} \\- {escaped(purpose[:1].lower() + purpose[1:].removesuffix('.'))}"
        if name
        else f"{escaped(title)} \\- {escaped(purpose)}",
        ".SH SYNOPSIS",
        f"{bold(context.command_path)} {escaped(usage)}",
        ".SH DESCRIPTION",
        *paragraphs(inspect.cleandoc(context.command.help or "")),
    ]
    if not name:
        lines.append(".SH COMMANDS")
        lines += items((bold(f"httpio {each}"), text) for each, (_, text) in COMMANDS.items())
    lines.append(".SH OPTIONS")
    lines += items((switches(term), meaning) for term, meaning in options)
    if any(parameter.name == "write_out" for parameter in context.command.params):
        lines += [".SH WRITE-OUT VARIABLES", "Times are in seconds, sizes in bytes."]
        names = sorted((*WRITE_OUT_VARIABLES, *SPECIAL))
        lines += [".PP", escaped(", ".join(f"%{{{each}}}" for each in names) + ", %header{NAME}.")]
    lines.append(".SH EXIT STATUS")
    lines += items(
        (bold(str(int(code))), f"{code.meaning[:1].upper()}{code.meaning[1:]}.")
        for code in ExitCode
    )
    lines.append(".SH ENVIRONMENT")
    lines += items((bold(variable), meaning) for variable, meaning in VARIABLES.items())
    lines.append(".SH FILES")
    lines += items((italic(file), meaning) for file, meaning in FILES.items())
    lines.append(".SH SEE ALSO")
    others = [f"httpio-{each}" for each in COMMANDS if each != name]
    others = [*(["httpio"] if name else []), *others, "curl"]
    lines.append(",\n".join(f"{bold(other)}(1)" for other in others))
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return all pages by the names of their files."""
    return {f"httpio{'-' if name else ''}{name}.1": page(name) for name in ("", *COMMANDS)}


if __name__ == "__main__":
    written = pages()
    DIRECTORY.mkdir(exist_ok=True)
    for old in DIRECTORY.glob("*.1"):
        old.unlink()
    for name, text in written.items():
        (DIRECTORY / name).write_text(text)
