"""A run of the command: every URL, every round, every check, handed to whoever shows it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from httpio_cli._exit_codes import ExitCode

from .checks import run_checks, skip_checks
from .expectations import Expectations, Finding, State, judge
from .model import Verdict
from .monitor import Watched
from .probing import Request, Summary, follow, summarise
from .subject import Limits, Resources, Subject
from .targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from httpio_cli._errors import CommandError
    from httpio_cli._options import ConnectionOptions, RequestOptions
    from httpio_cli._urls import URL

    from .model import CheckResult, Sample


@dataclass(frozen=True)
class Plan:
    """What is to be done with every URL."""

    connection: ConnectionOptions
    request_options: RequestOptions
    request: Request
    expected: Expectations
    limits: Limits
    resources: Resources
    checks: Collection[str] = ()
    count: int = 1
    interval: float = 1.0
    max_redirects: int = -1
    """-1 follows none."""


@dataclass
class Outcome:
    """What came of one URL."""

    url: URL
    rounds: list[list[Sample]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)

    @property
    def watched(self) -> Watched:
        """The outcome as monitoring sees it."""
        return Watched(str(self.url), self.rounds, self.findings)

    @property
    def error(self) -> CommandError | None:
        """What the last failure was."""
        errors = [each[-1].error for each in self.rounds if each[-1].error is not None]
        return errors[-1] if errors else None

    def summary(self) -> Summary:
        """Return what the times of all rounds come to."""
        good = [each for each in self.rounds if each[-1].error is None]
        times = [sum(sample.total for sample in each) for each in good]
        return summarise(times, len(self.rounds) - len(good))

    def add_failed_checks(self, verdict: Verdict, state: State) -> None:
        """Count checks with this *verdict* among what is not as expected."""
        self.findings += [
            Finding(state, f"{result.id}: {result.evidence}", "check")
            for result in self.checks
            if result.verdict is verdict
        ]

    @property
    def exit_code(self) -> ExitCode:
        """What it means for the exit status."""
        if self.error is not None:
            return self.error.code
        if any(finding.asked_for for finding in self.findings):
            return ExitCode.THRESHOLD
        if any(result.verdict is Verdict.FAIL for result in self.checks):
            return ExitCode.CONFORMANCE
        return ExitCode.OK


class Display(Protocol):
    """Shows what is found, when it is found."""

    def round(self, outcome: Outcome) -> None:
        """A round is over: the last one of *outcome*."""

    def measured(self, outcome: Outcome) -> None:
        """All rounds of a URL are over, and the checks begin."""

    def checking(self, check_id: str) -> None:
        """A check begins, which may take its time."""

    def checked(self, outcome: Outcome, result: CheckResult) -> None:
        """A check is over."""

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Everything is over."""


def run_plan(plan: Plan, urls: Iterable[URL], display: Display) -> list[Outcome]:
    """Do all that is planned. Raises `CommandError` for options that make no sense."""
    targets = Targets(plan.connection, plan.request_options, os.environ)
    outcomes: list[Outcome] = []
    try:
        for url in urls:
            outcome = Outcome(url)
            _measure(plan, targets, outcome, display, outcomes)
            for result in _check(plan, targets, outcome, display):
                outcome.checks.append(result)
                display.checked(outcome, result)
    finally:
        # An interrupt, too, leaves what was found until then.
        display.finish(outcomes)
    return outcomes


def _measure(
    plan: Plan, targets: Targets, outcome: Outcome, display: Display, outcomes: list[Outcome]
) -> None:
    """Take all samples of one URL; it is added to *outcomes* with the first."""
    url = outcome.url
    begun = time.monotonic()
    try:
        for number in range(plan.count):
            if number:
                # At the times that were asked for, however long each takes.
                time.sleep(max(begun + number * plan.interval - time.monotonic(), 0))
            samples = follow(
                lambda hop: targets.target(hop, url), url, plan.request, plan.max_redirects
            )
            if not number:
                outcomes.append(outcome)
            outcome.rounds.append(samples)
            display.round(outcome)
    finally:
        if outcome.rounds:
            outcome.findings += _judge(plan.expected, outcome)
            display.measured(outcome)


def _judge(expected: Expectations, outcome: Outcome) -> list[Finding]:
    """Return what is wrong with any of the rounds, each thing once, and with their median time."""
    found: dict[Finding, None] = {}
    time_taken = outcome.watched.time
    for each in outcome.rounds:
        found.update(dict.fromkeys(judge(each[-1], time_taken, expected)))
    return list(found)


def _check(
    plan: Plan, targets: Targets, outcome: Outcome, display: Display
) -> Iterable[CheckResult]:
    if not plan.checks:
        return ()
    last = outcome.rounds[-1][-1]
    error = last.error
    if error is not None and error.code == ExitCode.CERTIFICATE_FAILED and last.tls is not None:
        return _certificate_only(plan, outcome)
    if error is not None:
        why = error.what.removeprefix(f"{last.url}: ")
        return skip_checks(plan.checks, f"no answer to begin with: {why}")
    target = targets.target(_last_url(outcome), outcome.url)
    subject = Subject(target, plan.limits, plan.resources)
    return run_checks(subject, plan.checks, display.checking)


def _last_url(outcome: Outcome) -> URL:
    """Return the URL that the redirects led to."""
    url = outcome.url
    for sample in outcome.rounds[-1][:-1]:
        location = sample.response.field("Location") if sample.response else None
        if location is not None:
            url = url.join(location)
    return url


def _certificate_only(plan: Plan, outcome: Outcome) -> Iterable[CheckResult]:
    """Judge the certificate that was not accepted; with its server nothing else is spoken about."""
    from .certificate import now
    from .checks import CHECKS, judge_certificate
    from .model import CheckResult

    tls = outcome.rounds[-1][-1].tls
    assert tls is not None
    check = CHECKS["cert"]
    if check.id in plan.checks:
        verdict, evidence, facts = judge_certificate(tls, now(), plan.limits.cert_days)
        yield CheckResult(check.id, check.title, verdict, evidence, check.section, facts)
    rest = [each for each in plan.checks if each != check.id]
    yield from skip_checks(rest, "the certificate is not trusted (-k goes on all the same)")


def exit_code(outcomes: Sequence[Outcome]) -> ExitCode:
    """Return the exit status for all URLs: theirs if it is the same for all that failed."""
    codes = {outcome.exit_code for outcome in outcomes} - {ExitCode.OK}
    if not codes:
        return ExitCode.OK
    return codes.pop() if len(codes) == 1 else ExitCode.SOME_FAILED
