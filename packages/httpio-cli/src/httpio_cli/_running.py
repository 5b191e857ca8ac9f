"""How a command runs: what fails in it becomes a `CommandError`, and how loud that is."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._errors import CommandError, Terminated, interruption
from ._exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from ._options import OutputOptions


def stdout_failed(exc: OSError) -> CommandError:
    """Return the error for a stdout that cannot be written to."""
    if isinstance(exc, BrokenPipeError):
        return CommandError(
            ExitCode.WRITE_FAILED,
            "stdout was closed by whoever reads it",
            "redirect it to a file if all of it is needed",
        )
    return CommandError(
        ExitCode.WRITE_FAILED,
        f"cannot write to stdout: {exc.strerror or exc}",
        "give -o FILE with room for it",
    )


def stdout() -> TextIO:
    """Return stdout. Raises `CommandError` if the command was started without one."""
    if sys.stdout is None:
        raise CommandError(
            ExitCode.WRITE_FAILED, "stdout is closed", "give it a reader, or -o FILE"
        )
    return sys.stdout


@contextmanager
def reporting(output: OutputOptions) -> Iterator[None]:
    """Run a command; its failures are printed unless *output* says that they are not.

    Only what goes wrong with stdout may come out of the block as `OSError`.
    """
    try:
        yield
    except CommandError as exc:
        exc.quiet = output.quiet
        raise
    except (KeyboardInterrupt, Terminated) as exc:
        error = interruption(exc)
        error.quiet = output.quiet
        raise error from exc
    except OSError as exc:
        error = stdout_failed(exc)
        error.quiet = output.quiet
        raise error from exc
