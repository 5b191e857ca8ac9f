"""What a sample has to be like, and what it means if it is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from httpio_cli._exit_codes import ExitCode

from .certificate import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .model import ResponseFacts, Sample


def plain_number(value: float) -> str:
    """Return *value* with no more digits than it needs, and no exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


class State(IntEnum):
    """The states of the Monitoring Plugins guidelines; the value is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Wanted:
    """Something that has to be found in a text."""

    shown: str
    """As the operator has written it."""
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """Return what *text* stands for: itself, or with ``re:`` before it a regular expression.

        Raises `ValueError` if that is none.
        """
        try:
            pattern = re.compile(
                text[3:] if text.startswith("re:") else re.escape(text), re.MULTILINE
            )
        except re.error as exc:
            raise ValueError(f"{text[3:]!r} is no regular expression: {exc}") from exc
        return cls(text, pattern)

    def found_in(self, text: str) -> bool:
        """Return whether it is in *text*."""
        return self.pattern.search(text) is not None


@dataclass(frozen=True)
class Expectations:
    """Limits and patterns, `None` or empty where there is none."""

    warn: float | None = None
    """Seconds from which the time is too long."""
    crit: float | None = None
    cert_warn: float | None = None
    """Days below which the certificate's end is too near."""
    cert_crit: float | None = None
    status: tuple[str, ...] = ()
    """Status codes, or classes of them such as ``2xx``."""
    body: tuple[Wanted, ...] = ()
    header: tuple[tuple[str, Wanted | None], ...] = ()
    """Fields that have to be there, with what has to be found in one of their values."""


class Finding(NamedTuple):
    """Something that is not as expected."""

    state: State
    what: str
    kind: str
    """``error``, ``error status``, ``status``, ``content``, ``time`` or ``certificate``.

    An error status is one that nothing was said about.
    """

    @property
    def asked_for(self) -> bool:
        """Whether the operator has set the limit that was missed."""
        return self.kind not in ("error", "error status")


STATUS = re.compile(r"[1-5]xx|[1-9][0-9]{2}", re.IGNORECASE)


def status_fits(status: int, wanted: Sequence[str]) -> bool:
    """Return whether *status* is one of those that are *wanted*."""
    return any(
        str(status)[0] == each[0] if each.lower().endswith("xx") else str(status) == each
        for each in wanted
    )


def judge(
    sample: Sample, seconds: float, expected: Expectations, at: datetime | None = None
) -> list[Finding]:
    """Return what is wrong with *sample*, which took *seconds* with all redirects before it."""
    if sample.error is not None:
        # What cannot be asked says nothing of the server.
        asked_wrong = sample.error.code is ExitCode.USAGE
        state = State.UNKNOWN if asked_wrong else State.CRITICAL
        return [Finding(state, sample.error.what, "error")]
    findings: list[Finding] = []
    response = sample.response
    assert response is not None  # or there were an error
    findings += _judge_status(response, expected)
    findings += _judge_response(response, expected)
    for state, limit in ((State.CRITICAL, expected.crit), (State.WARNING, expected.warn)):
        if limit is not None and seconds > limit:
            what = f"{seconds:.3f} s is more than {plain_number(limit)} s"
            findings.append(Finding(state, what, "time"))
            break
    return findings + _judge_certificate(sample, expected, at or now())


def _judge_status(response: ResponseFacts, expected: Expectations) -> list[Finding]:
    shown = f"{response.status} {response.reason}".strip()
    if expected.status:
        if status_fits(response.status, expected.status):
            return []
        wanted = ", ".join(expected.status)
        return [Finding(State.CRITICAL, f"status {shown}, expected {wanted}", "status")]
    if response.status >= 500:
        return [Finding(State.CRITICAL, f"status {shown}", "error status")]
    if response.status >= 400:
        return [Finding(State.WARNING, f"status {shown}", "error status")]
    return []


def _judge_response(response: ResponseFacts, expected: Expectations) -> list[Finding]:
    missing = []
    text = response.content.decode("utf-8", "replace")
    for part in expected.body:
        if not part.found_in(text):
            missing.append(f"the content does not have {part.shown!r}")
    for name, wanted in expected.header:
        values = [value for found, value in response.fields if found.lower() == name.lower()]
        if not values:
            missing.append(f"there is no field {name}")
        elif wanted is not None and not any(map(wanted.found_in, values)):
            missing.append(f"{name} does not have {wanted.shown!r}")
    return [Finding(State.CRITICAL, what, "content") for what in missing]


def _judge_certificate(sample: Sample, expected: Expectations, at: datetime) -> list[Finding]:
    limits = ((State.CRITICAL, expected.cert_crit), (State.WARNING, expected.cert_warn))
    if all(limit is None for _, limit in limits):
        return []
    ends = sample.tls.earliest_expiry if sample.tls is not None else None
    if ends is None:
        return [Finding(State.UNKNOWN, "no certificate could be looked at", "certificate")]
    days = (ends - at).total_seconds() / 86400
    for state, limit in limits:
        if limit is not None and days < limit:
            what = f"expires {ends:%Y-%m-%d}" if days >= 0 else f"expired {ends:%Y-%m-%d}"
            what = f"the certificate {what}, less than {plain_number(limit)} days from now"
            return [Finding(state, what, "certificate")]
    return []


def worst(findings: Sequence[Finding]) -> State:
    """Return the state that *findings* come to: one that is known goes before one that is not."""
    order = (State.CRITICAL, State.UNKNOWN, State.WARNING)
    states = {finding.state for finding in findings}
    return next((state for state in order if state in states), State.OK)
