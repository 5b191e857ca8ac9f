"""Whether the outcome is what was wanted: the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .results import Outcome, Result
    from .thresholds import Threshold


def verdict(outcome: Outcome, thresholds: Sequence[Threshold], *, any_status: bool) -> int:
    """Return the exit code, or raise what says in a line why it is not 0."""
    if outcome.interrupted is not None:
        return 128 + outcome.interrupted
    for result in outcome.results:
        _check_total_failure(result, any_status=any_status)
    beyond = [
        f"{threshold.text} holds at depth {result.depth}: {threshold.describe(result)}"
        for threshold in thresholds
        for result in outcome.results
        if threshold.is_beyond(result)
    ]
    if beyond:
        raise CommandError(ExitCode.THRESHOLD, ", ".join(beyond))
    return ExitCode.OK


def _check_total_failure(result: Result, *, any_status: bool) -> None:
    tally = result.tally
    if not tally.answered:
        kind, count = next(iter(tally.failures.most_common(1)), ("no request was made", 0))
        problem = tally.problem
        if problem is not None:
            raise CommandError(
                problem.code,
                f"depth {result.depth}: no request was answered: {problem.what}",
                problem.hint,
            )
        code = ExitCode.TIMED_OUT if count else ExitCode.EMPTY_RESPONSE
        raise CommandError(code, f"depth {result.depth}: no request was answered: {kind}")
    if tally.refused == tally.answered and not any_status:
        (status, _), *_ = tally.statuses.most_common(1)
        raise CommandError(
            ExitCode.HTTP_ERROR,
            f"depth {result.depth}: every answer had a status of 400 or more, most of them {status}",
            "--any-status accepts that",
        )
