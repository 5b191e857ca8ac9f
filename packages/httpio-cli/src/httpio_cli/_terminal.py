"""What terminals are shown, and what goes to stderr. rich is loaded for a terminal only."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console

    from ._errors import CommandError


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False


def stdout_is_terminal() -> bool:
    """Return whether what is printed goes to a terminal."""
    return _is_terminal(sys.stdout)


def stderr_is_terminal() -> bool:
    """Return whether diagnostics go to a terminal, so that progress can be drawn."""
    return _is_terminal(sys.stderr)


def is_dumb() -> bool:
    """Return whether the terminal cannot move its cursor."""
    return os.environ.get("TERM", "") in ("", "dumb")


def can_redraw() -> bool:
    """Return whether a display that changes can be shown on stderr."""
    return stderr_is_terminal() and not is_dumb()


def use_colour(stream: TextIO | None) -> bool:
    """Return whether *stream* is to be coloured: a terminal, unless ``NO_COLOR`` is set."""
    return _is_terminal(stream) and not is_dumb() and not os.environ.get("NO_COLOR")


def console(stream: TextIO | None = None) -> Console:
    """Return what draws on *stream*, by default stderr."""
    from rich.console import Console

    stream = sys.stderr if stream is None else stream
    return Console(file=stream, no_color=not use_colour(stream), highlight=False, soft_wrap=False)


def sanitise(text: str) -> str:
    """Return *text* from elsewhere with what could drive a terminal made visible.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def note(text: str) -> None:
    """Print a line on stderr."""
    if sys.stderr is not None:
        try:
            print(sanitise(text), file=sys.stderr, flush=True)  # noqa: T201  # a command's output
        except (OSError, ValueError):  # nobody is there to read it
            pass


def error(what: CommandError) -> None:
    """Print the one line that says what went wrong, why, and what to try."""
    note(f"httpio: {' '.join(str(what).split())}")
