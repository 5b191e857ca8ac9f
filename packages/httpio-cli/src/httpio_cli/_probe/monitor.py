"""The line that a monitoring system reads, as the Monitoring Plugins guidelines have it."""

from __future__ import annotations

from dataclasses import dataclass

from httpio_cli._terminal import sanitise

from .certificate import now
from .expectations import State, plain_number, worst
from .probing import summarise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .expectations import Expectations, Finding
    from .model import Sample


@dataclass(frozen=True)
class Watched:
    """What came of one URL."""

    url: str
    rounds: Sequence[Sequence[Sample]]
    """For each repetition the samples along the redirects."""
    findings: Sequence[Finding]

    @property
    def last(self) -> Sample:
        """The last sample."""
        return self.rounds[-1][-1]

    @property
    def time(self) -> float:
        """The median of the times, that of failures included."""
        median = summarise([sum(sample.total for sample in each) for each in self.rounds], 0).median
        assert median is not None  # there is a round at least
        return median


def plugin_text(text: str) -> str:
    """Return *text* for one line of output: it ends the line nowhere, and begins no perfdata."""
    return " ".join(sanitise(text).replace("|", "¦").split())


def unknown(why: str) -> str:
    """Return the line for something that could not be tried."""
    return f"HTTP UNKNOWN - {plugin_text(why)}"


def plugin_output(
    watched: Sequence[Watched], expected: Expectations, at: datetime | None = None
) -> tuple[State, str]:
    """Return the state and the output, which for several URLs has a line for each after the first."""
    at = at or now()
    state = worst([finding for each in watched for finding in each.findings])
    perfdata = []
    for number, each in enumerate(watched, start=1):
        perfdata += _perfdata(each, expected, at, "" if len(watched) == 1 else str(number))
    lines = []
    for each in watched:
        if each.findings:
            said = "; ".join(finding.what for finding in each.findings)
        else:
            response = each.last.response
            assert response is not None
            said = f"{response.status} in {each.time:.3f} s"
        lines.append((worst(each.findings), said, each.url))
    if len(watched) == 1:
        first = plugin_text(lines[0][1])
        more = []
    else:
        bad = sum(found is not State.OK for found, _, _ in lines)
        first = f"{bad} of {len(lines)} URLs not as expected" if bad else f"{len(lines)} URLs"
        more = [
            # An error says itself what it is about.
            f"{found.name} - {plugin_text(said if said.startswith(f'{url}: ') else f'{url}: {said}')}"
            for found, said, url in lines
        ]
    head = f"HTTP {state.name} - {first}"
    if perfdata:
        head += f" | {' '.join(perfdata)}"
    return state, "\n".join([head, *more])


def _perfdata(each: Watched, expected: Expectations, at: datetime, suffix: str) -> list[str]:
    sample = each.last
    if sample.error is not None:
        return []

    def seconds(
        label: str, value: float, warn: float | None = None, crit: float | None = None
    ) -> str:
        return _item(f"{label}{suffix}", f"{value:.6f}", "s", _limit(warn), _limit(crit), "0")

    items = [seconds("time", each.time, expected.warn, expected.crit)]
    response = sample.response
    if response is not None:
        items.append(_item(f"size{suffix}", str(response.size), "B", "", "", "0"))
    for label, names in (
        ("time_dns", ("dns",)),
        ("time_connect", ("connect",)),
        ("time_proxy", ("proxy",)),
        ("time_tls", ("tls",)),
        ("time_firstbyte", ("request", "100-wait", "content", "first byte")),
        ("time_transfer", ("transfer",)),
    ):
        if any(phase.name in names for phase in sample.phases):
            items.append(seconds(label, sample.duration(*names)))
    ends = sample.tls.earliest_expiry if sample.tls is not None else None
    if ends is not None:
        days = (ends - at).total_seconds() / 86400
        # Alarm below the limit: in the guidelines' ranges that is "limit:".
        warn, crit = (
            f"{_limit(limit)}:" if limit is not None else ""
            for limit in (expected.cert_warn, expected.cert_crit)
        )
        items.append(_item(f"cert_days{suffix}", str(int(days // 1)), "", warn, crit, ""))
    return items


def _limit(limit: float | None) -> str:
    return "" if limit is None else plain_number(limit)


def _item(label: str, value: str, unit: str, warn: str, crit: str, minimum: str) -> str:
    return f"{label}={value}{unit};{warn};{crit};{minimum}".rstrip(";")
