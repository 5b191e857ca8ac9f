"""Showing what a run finds: as text while it goes on, or as documents."""

from __future__ import annotations

import sys

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._json_output import document, write_json
from httpio_cli._terminal import can_redraw, console, error

from . import documents, report
from .model import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.status import Status

    from .model import CheckResult
    from .session import Outcome


class Silence:
    """Shows nothing."""

    def round(self, outcome: Outcome) -> None:
        """A round is over."""

    def measured(self, outcome: Outcome) -> None:
        """All rounds are over."""

    def checking(self, check_id: str) -> None:
        """A check begins."""

    def checked(self, outcome: Outcome, result: CheckResult) -> None:
        """A check is over."""

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Everything is over."""


class Text(Silence):
    """Shows it to a person."""

    def __init__(self, *, verbose: bool, show_credentials: bool, several: bool) -> None:
        self._printer = report.Printer()
        self._verbose = verbose
        self._show = show_credentials
        self._several = several
        """There is more than one round."""
        self._checks_begun = False
        self._console = console() if can_redraw() else None
        self._status: Status | None = None

    def round(self, outcome: Outcome) -> None:
        """Show the first round in full, and a line for each if there are several."""
        samples = outcome.rounds[-1]
        number = len(outcome.rounds)
        if number == 1:
            for sample in samples:
                self._printer.print(
                    report.sample_lines(
                        sample, self._printer.block, verbose=self._verbose, show=self._show
                    )
                )
        if self._several:
            self._printer.print([report.sample_line(number, samples)])

    def measured(self, outcome: Outcome) -> None:
        """Show what the rounds come to."""
        if self._several:
            self._printer.print([report.summary_line(outcome.summary())])
        self._printer.print(report.finding_lines(outcome.findings))
        self._checks_begun = False

    def checking(self, check_id: str) -> None:
        """On a terminal, say what is waited for, until it is there."""
        if self._console is not None:
            self._status = self._console.status(f"{check_id} ...")
            self._status.start()

    def _stop_waiting(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Everything is over, or was interrupted."""
        self._stop_waiting()

    def checked(self, outcome: Outcome, result: CheckResult) -> None:
        """Show the result."""
        self._stop_waiting()
        if not self._checks_begun:
            self._printer.print([[("  checks", "bold")]])
            self._checks_begun = True
        self._printer.print([report.check_line(result)])


class Documents(Silence):
    """Shows it to a program: one document at the end, or a line for each thing."""

    def __init__(self, *, lines: bool, show_credentials: bool) -> None:
        self._lines = lines
        self._show = show_credentials

    @property
    def _stream(self) -> TextIO:
        return sys.stdout

    def _line(self, kind: str, outcome: Outcome, members: dict[str, object]) -> None:
        record = document("probe", {"record": kind, "target": str(outcome.url), **members})
        write_json(record, self._stream)
        self._stream.flush()

    def round(self, outcome: Outcome) -> None:
        """Write the samples of the round."""
        if self._lines:
            number = len(outcome.rounds)
            for hop, sample in enumerate(outcome.rounds[-1]):
                members = documents.sample_members(sample, show=self._show)
                self._line("sample", outcome, {"round": number, "hop": hop, **members})

    def measured(self, outcome: Outcome) -> None:
        """Write what the rounds come to."""
        if self._lines:
            self._line("summary", outcome, _summary(outcome))

    def checked(self, outcome: Outcome, result: CheckResult) -> None:
        """Write the result."""
        if self._lines:
            self._line("check", outcome, documents.check_members(result))

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write everything."""
        if self._lines:
            return
        targets = [
            {
                "target": str(outcome.url),
                "rounds": [
                    [documents.sample_members(sample, show=self._show) for sample in each]
                    for each in outcome.rounds
                ],
                **_summary(outcome),
                "checks": [documents.check_members(result) for result in outcome.checks],
            }
            for outcome in outcomes
        ]
        write_json(document("probe", {"targets": targets}), self._stream, indent=2)


def _summary(outcome: Outcome) -> dict[str, object]:
    return {
        "summary": documents.summary_members(outcome.summary()),
        "findings": documents.findings_members(outcome.findings),
    }


def tell_failures(outcomes: Sequence[Outcome]) -> None:
    """Print one line on stderr for each URL with which something is wrong."""
    for outcome in outcomes:
        failure = failure_of(outcome)
        if failure is not None:
            error(failure)


def failure_of(outcome: Outcome) -> CommandError | None:
    """Return what is wrong with *outcome*, `None` if nothing is."""
    if outcome.error is not None:
        return outcome.error
    missed = [finding.what for finding in outcome.findings if finding.asked_for]
    if missed:
        return CommandError(ExitCode.THRESHOLD, f"{outcome.url}: {'; '.join(missed)}")
    failed = [result.id for result in outcome.checks if result.verdict is Verdict.FAIL]
    if failed:
        return CommandError(
            ExitCode.CONFORMANCE,
            f"{outcome.url}: failed checks: {', '.join(failed)}",
            "the evidence is in the report, and 'httpio trace' shows the bytes",
        )
    return None
