"""From the load to its outcome: the dry request, the workers, one depth after the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from httpio import Request
from httpio_cli._terminal import can_redraw, note

from .crew import Crew
from .dry_run import try_once
from .plan import share
from .results import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .crew import Display
    from .plan import Load


@dataclass(frozen=True)
class Manner:
    """What is accepted, and how much is said."""

    any_status: bool
    silent: bool
    verbose: bool

    def note(self, text: str) -> None:
        """Say something that is to be known."""
        if not self.silent:
            note(text)

    def tell(self, text: str) -> None:
        """Say something for those who want to know what is done."""
        if self.verbose:
            note(text)


def perform(load: Load, depths: Sequence[int], workers: int, manner: Manner) -> Outcome:
    """Make *load* at each of *depths*, and return what was measured. Raises `CommandError`."""
    load = _try_all(load, manner)
    # A worker without a connection would have nothing to do.
    workers = min(workers, load.connections)
    draws = not manner.silent and can_redraw()
    results = []
    with Crew(workers) as crew:
        for number, depth in enumerate(depths, 1):
            with ExitStack() as cleanup:
                display: Display | None = None
                if draws:
                    from .live import LiveView

                    view = LiveView(load, depth, number=number, depths=len(depths))
                    display = cleanup.enter_context(view)
                tally = crew.run(share(load, workers, depth, reports=draws), display)
            results.append(Result(depth, tally, has_rate=load.rate is not None))
            manner.tell(
                f"depth {depth}: {tally.answered} answers and {tally.failed} failures "
                f"in {tally.elapsed:.3f} s"
            )
            if crew.interrupted is not None:
                break
        return Outcome(load, workers, results, crew.interrupted)


def _try_all(load: Load, manner: Manner) -> Load:
    """Make one request to each server; return *load* with what that has shown."""
    for urls in load.origins():
        url = urls[0]
        request = Request(load.method, url.target, load.fields or None, load.body)
        answer = try_once(load, url, request, any_status=manner.any_status)
        manner.tell(
            f"{url}: one request first, answered with {answer.status} and "
            f"{'more than ' if answer.is_large else ''}{answer.size} bytes of content"
        )
        if 300 <= answer.status < 400:
            manner.note(
                f"{url} answers {answer.status}: that is what is measured, nothing is followed"
            )
        if answer.is_large:
            load = replace(load, large=True)
    return load
