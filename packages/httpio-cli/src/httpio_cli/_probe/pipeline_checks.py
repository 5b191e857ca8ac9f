"""Checks of pipelining: requests that are sent before the answers to those before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from time import monotonic

from httpio import HTTPIOError
from httpio_cli._errors import said_by

from .exchange import Ask, Series, Stop, pipelined
from .model import Verdict
from .subject import CannotCheck, CannotTell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from .connection_checks import Finding
    from .model import Facts
    from .subject import Expectation, Subject

#: Requests that are timed together.
TIMED: Final = 6
#: Too Many Requests (RFC 6585 §4), Service Unavailable: what servers say to those who ask too much.
LIMITING: Final = (429, 503)
#: Seconds behind the first hop below which nothing can be concluded from times.
_LEAST_DELAY: Final = 0.005


def _run(subject: Subject, asks: Sequence[Ask]) -> Series:
    with subject.client(requests=len(asks)) as client:
        series = pipelined(client, asks)
    if series.stop is Stop.SILENT and subject.slowest * len(asks) > client.seconds:
        # Nobody could have answered them one after the other by then.
        return replace(series, stop=Stop.SLOW)
    return series


def _compare(
    subject: Subject, sequence: Sequence[tuple[Ask, Expectation]]
) -> tuple[Finding, Series]:
    """Pipeline a sequence of requests and compare the answers with what is expected."""
    asks = [ask for ask, _ in sequence]
    series = _run(subject, asks)
    words = f"{len(asks)} requests at once on connection {series.connection}"
    answered = len(series.answers)
    facts: Facts = {"sent": len(asks), "answered": answered}
    for number, (answer, (_, expected)) in enumerate(zip(series.answers, sequence, strict=False)):
        if not expected.fits(answer):
            if answer.status in LIMITING and expected.status not in LIMITING:
                came = f"{words}: {series.statuses}; the server limits how much it answers"
                return (Verdict.UNKNOWN, came, facts), series
            other = next(
                (at + 1 for at, (_, wanted) in enumerate(sequence) if wanted.fits(answer)), None
            )
            what = f"that to number {other}" if other else f"{answer.status}, to none of them"
            return (
                Verdict.FAIL,
                f"{words}: answer {number + 1} is {what} ({series.statuses})",
                facts,
            ), series
    return _judge(words, series, len(asks), facts), series


def _judge(words: str, series: Series, count: int, facts: Facts) -> Finding:
    """Judge a series in which no answer is wrong."""
    answered = len(series.answers)
    came = f"{words}: {series.statuses or 'no answer'}"
    match series.stop:
        case Stop.COMPLETE:
            return Verdict.PASS, f"{came}, in order", facts
        case Stop.ANNOUNCED:
            end = f"closed as announced after {answered} of {count}"
            return Verdict.INFO, f"{came}; {end}", facts
        case Stop.CLOSED | Stop.LOST:
            how = "closed" if series.stop is Stop.CLOSED else "broken"
            end = f"{how} without announcement after {answered} of {count}"
            return (Verdict.WARN if answered else Verdict.FAIL), f"{came}; {end}", facts
        case Stop.LARGE | Stop.SLOW:
            return Verdict.UNKNOWN, f"{came}; {series.detail}", facts
        case _:
            end = f"then {series.stop.value} ({series.detail})"
            return Verdict.FAIL, f"{came}; {end}", facts


def pipeline_order(subject: Subject) -> Finding:
    """Pipeline requests whose answers can be told apart."""
    return _compare(subject, subject.sequence)[0]


def pipeline_head(subject: Subject) -> Finding:
    """Pipeline HEAD between others: its answer has no content, whatever its fields say."""
    head, plain = subject.head, subject.plain
    if head is None:
        raise CannotTell("HEAD has no answer, or another one each time")
    sequence = [(known.ask, known.expected) for known in (head, plain, head, plain)]
    finding, series = _compare(subject, sequence)
    if series.stop is Stop.INVALID:
        verdict, evidence, facts = finding
        return verdict, f"{evidence}: content after the answer to HEAD?", facts
    return finding


def pipeline_204(subject: Subject) -> Finding:
    """Pipeline requests whose answers have no content, 204 or 304, between others."""
    known, plain = subject.without_content, subject.plain
    if known is None:
        raise CannotCheck("no answer of 204 or 304 is to be had: name one with --no-content-url")
    if known.answer.status not in (204, 304):
        raise CannotCheck(f"the answer is {known.answer.status}, neither 204 nor 304")
    sequence = [(each.ask, each.expected) for each in (known, plain, known, plain)]
    return _compare(subject, sequence)[0]


def pipeline_depth(subject: Subject) -> Finding:
    """Double the number of requests at once until some are not answered."""
    light = subject.light
    limit = subject.limits.depth
    deepest = 0
    depth = 2
    while True:
        depth = min(depth, limit)
        finding, series = _compare(subject, [(light.ask, light.expected)] * depth)
        if finding[0] is not Verdict.PASS:
            break
        deepest = depth
        if depth == limit:
            evidence = f"{finding[1]}; no end up to {limit} (--depth-limit)"
            return Verdict.PASS, evidence, {"depth": depth, "limited": False}
        depth *= 2
    # Some of those that were sent at once, or else those of the try before.
    reached = max(len(series.answers), deepest)
    return finding[0], finding[1], {"depth": reached, "limited": True}


def proxy_serialises(subject: Subject) -> Finding:
    """Compare the time of one request with that of several at once.

    An intermediary that passes them on one at a time makes each wait for the one before, all the
    way to the server and back. What the first hop costs is the same for all, and is taken off.
    """
    resources = subject.resources
    ask = Ask("GET", resources.slow) if resources.slow is not None else subject.light.ask
    try:
        first_hop, alone, together, via = _measure(subject, ask)
    except HTTPIOError as exc:
        raise CannotTell(f"times cannot be had: {said_by(exc)}") from exc
    times = Times(str(ask), first_hop, alone, together, via)
    return judge_times(times, named=resources.slow is not None)


@dataclass(frozen=True)
class Times:
    """Seconds that things took."""

    ask: str
    first_hop: float
    """To the first machine and back."""
    alone: float
    """One request."""
    together: float
    """`TIMED` requests at once."""
    via: str
    """The intermediaries that show themselves."""


def judge_times(times: Times, *, named: bool) -> Finding:
    """Return what follows from *times*; *named* says that the operator named what was asked for."""
    first_hop, alone, together, via = times.first_hop, times.alone, times.together, times.via
    behind = alone - first_hop
    facts: Facts = {
        "first_hop": round(first_hop, 6),
        "alone": round(alone, 6),
        "together": round(together, 6),
        "requests": TIMED,
        "via": via,
    }
    took = (
        f"{times.ask} alone {alone * 1000:.1f} ms, {TIMED} at once {together * 1000:.1f} ms, "
        f"first hop {first_hop * 1000:.1f} ms"
    )
    if behind < max(_LEAST_DELAY, first_hop / 2):
        hint = "" if named else "; name a resource that takes its time with --slow-url"
        return Verdict.UNKNOWN, f"{took}: too little behind the first hop to tell{hint}", facts
    share = (together - alone) / ((TIMED - 1) * behind)
    facts = {**facts, "share": round(share, 3)}
    who = f"by whoever is behind (Via: {via})" if via else "by a proxy or by the server itself"
    if share >= 0.7:
        return Verdict.INFO, f"{took}: one at a time, {who}", facts
    if share <= 0.3:
        return Verdict.PASS, f"{took}: passed on together", facts
    return Verdict.UNKNOWN, f"{took}: neither together nor one at a time", facts


def _measure(subject: Subject, ask: Ask) -> tuple[float, float, float, str]:
    """Return seconds of the first hop, of one request, and of several at once; and Via."""
    via = ""
    hops, single, several = [], [], []
    for _ in range(3):
        with subject.client(requests=TIMED + 2) as client:
            begun = monotonic()
            client.connect()
            hops.append(monotonic() - begun)
            # The first one may have to open a way to the server.
            via = client.ask(ask).field("Via") or ""
            begun = monotonic()
            client.ask(ask)
            single.append(monotonic() - begun)
            begun = monotonic()
            series = pipelined(client, [ask] * TIMED)
            several.append(monotonic() - begun)
        if series.stop is not Stop.COMPLETE:
            raise CannotTell(f"{len(series.answers)} of {TIMED} answered: {series.stop.value}")
    # With TLS, connecting takes several times the way there and back.
    hop = min(hops) / (1 if subject.target.tls is None else 2)
    return hop, median(single), median(several), via
