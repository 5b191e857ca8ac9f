"""Time limits: what ``--max-time`` leaves, for calls that block."""

from __future__ import annotations

from time import monotonic

from ._errors import CommandError
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from httpio import PollGenerator

    _T = TypeVar("_T")


class Deadline:
    """The end of *seconds* from now, `None` for no end; *where* is what errors begin with."""

    def __init__(self, seconds: float | None, where: str = "") -> None:
        self._seconds = seconds
        self._where = where
        self._end = None if seconds is None else monotonic() + seconds

    def rest(self) -> float | None:
        """Return how many seconds are left, `None` without an end.

        Raises `CommandError` if there are none.
        """
        if self._end is None:
            return None
        rest = self._end - monotonic()
        if rest <= 0:
            raise self.passed()
        return rest

    def allows(self, seconds: float) -> bool:
        """Return whether there are so many *seconds* left."""
        return self._end is None or monotonic() + seconds < self._end

    def passed(self, detail: str = "") -> CommandError:
        """Return the error for a time that is up, with a *detail* of what was done by then."""
        where = f"{self._where}: " if self._where else ""
        return CommandError(
            ExitCode.TIMED_OUT,
            f"{where}not finished within {self._seconds:g} seconds{detail and f': {detail}'}",
            "allow more by --max-time",
        )

    def run(self, coroutine: PollGenerator[_T], limit: float | None = None) -> _T:
        """Drive *coroutine* to its end, within *limit* seconds as well.

        Raises `httpio.ConnectionTimedOut`, and what *coroutine* raises.
        """
        from httpio import run

        rest = self.rest()
        if rest is None or (limit is not None and limit < rest):
            rest = limit
        return run(coroutine, None, rest)
