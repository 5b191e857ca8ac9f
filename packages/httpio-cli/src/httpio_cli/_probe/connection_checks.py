"""Checks of how long a connection lasts, and how it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass

from httpio import ConnectionClosed, HTTPIOError, RemoteProtocolError
from httpio_cli._errors import said_by

from .exchange import Ask, Client, Series, Stop, duplicate, one_by_one, runs, watch_idle
from .model import Verdict
from .wire import RequestBytes, converse, split_responses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exchange import Answer
    from .model import Facts
    from .subject import Subject
    from .wire import Heard, Seen

    #: What a check returns: verdict, evidence, facts.
    Finding = tuple[Verdict, str, Facts]


def keepalive(subject: Subject) -> Finding:
    """Send three requests, each after the answer to the one before."""
    ask = subject.light.ask
    series = _in_a_row(subject, [ask] * 3)
    if series.stop in (Stop.CLOSED, Stop.LOST) and series.answers:
        # Once can be an accident.
        series = _in_a_row(subject, [ask] * 3)
    answered = len(series.answers)
    facts = {"answered": answered, "announced": series.stop is Stop.ANNOUNCED}
    sent = f"3 × {ask}, one after the other, on connection {series.connection}: {series.statuses or '-'}"
    if series.stop is Stop.COMPLETE:
        return Verdict.PASS, f"{sent}{_hint(series.answers[0])}", facts
    if series.stop is Stop.ANNOUNCED:
        how = "HTTP/1.0" if series.answers[-1].response.version == "1.0" else "Connection: close"
        return Verdict.INFO, f"{sent}, then closed as announced ({how})", facts
    if series.stop in (Stop.CLOSED, Stop.LOST) and answered:
        return Verdict.FAIL, f"{sent}, then closed without Connection: close, twice", facts
    return Verdict.FAIL, f"{sent}, then {series.stop.value}: {series.detail}", facts


def _in_a_row(subject: Subject, asks: list[Ask]) -> Series:
    with subject.client(requests=len(asks)) as client:
        return one_by_one(client, asks)


def _hint(answer: Answer) -> str:
    hint = answer.field("Keep-Alive")
    return f" (Keep-Alive: {hint})" if hint else ""


def _parameter(answer: Answer, name: str) -> int | None:
    found = re.search(
        rf"\b{name}\s*=\s*([0-9]{{1,9}})\b", answer.field("Keep-Alive") or "", re.IGNORECASE
    )
    return int(found[1]) if found else None


def idle_timeout(subject: Subject) -> Finding:
    """Leave a connection alone after an answer."""
    limit = subject.limits.idle
    with subject.client(seconds=subject.limits.timeout + limit) as client:
        answer = client.ask(subject.light.ask)
        on = f"after {answer.status} to {subject.light.ask} on connection {client.number}"
        if answer.closes:
            return Verdict.INFO, f"{on}: closed at once, as announced", {"seconds": 0.0}
        try:
            tls = subject.target.tls
            ending = watch_idle(client, limit, None if tls is None else tls.socket())
            if not ending.closed:
                # It has to be as good as new.
                client.ask(subject.light.ask)
        except RemoteProtocolError as exc:
            return Verdict.FAIL, f"{on}: {said_by(exc)}", {"closed": False}
        except HTTPIOError as exc:
            return (
                Verdict.WARN,
                f"{on}: open, but of no use any more: {said_by(exc)}",
                {"closed": False},
            )
    promised = _parameter(answer, "timeout")
    facts: Facts = {
        "closed": ending.closed,
        "seconds": round(ending.seconds, 3),
        "promised": promised,
    }
    if not ending.closed:
        if ending.said:
            said = _shown(ending.said)
            return Verdict.FAIL, f"{on}: unasked, without closing, came {said}", facts
        return Verdict.INFO, f"{on}: still open after {limit:g} s (--idle-limit)", facts
    closed = f"{on}: closed after {ending.seconds:.1f} s of silence"
    if ending.said:
        closed += f", with {_shown(ending.said)}"
    if promised is not None and ending.seconds < promised - 0.5:
        return Verdict.WARN, f"{closed}, though Keep-Alive promised {promised} s", facts
    if ending.seconds < 1:
        return Verdict.WARN, f"{closed}: a request sent meanwhile is lost", facts
    return Verdict.INFO, closed, facts


def _shown(data: bytes) -> str:
    return repr(data.partition(b"\r\n")[0][:80].decode("latin-1"))


def max_requests(subject: Subject) -> Finding:
    """Send requests on one connection until the server closes it."""
    limit = subject.limits.requests
    ask = subject.light.ask
    with subject.client(seconds=max(subject.limits.timeout, limit * 0.1)) as client:
        series = one_by_one(client, [ask] * limit)
    answered = len(series.answers)
    sent = f"{ask} on connection {series.connection}: {series.statuses or '-'}"
    facts: Facts = {
        "answered": answered,
        "limit": limit,
        "closed": series.stop is not Stop.COMPLETE,
    }
    match series.stop:
        case Stop.COMPLETE:
            return Verdict.INFO, f"{sent}; no end up to {limit} (--request-limit)", facts
        case Stop.ANNOUNCED:
            return Verdict.INFO, f"{sent}; closed after {answered}, as announced", facts
        case Stop.CLOSED | Stop.LOST if answered:
            end = f"closed after {answered} without Connection: close"
            return Verdict.WARN, f"{sent}; {end}: the next request is lost", facts
        case Stop.SILENT if answered:
            return Verdict.UNKNOWN, f"{sent}; no time for more: {series.detail}", facts
        case _:
            return Verdict.FAIL, f"{sent}; {series.stop.value}: {series.detail}", facts


CLOSE_AT = 3
"""Which request of the pipeline asks for the connection to be closed."""
CLOSE_OF = 5


def close_midway(subject: Subject) -> Finding:
    """Ask for the connection to be closed in the middle of a pipeline."""
    ask = subject.light.ask
    closing = Ask(ask.method, ask.path, (*ask.fields, ("Connection", "close")))
    tracer = RequestBytes()
    requests = []
    for each in (ask, closing):
        with subject.client(tracer) as client:
            client.ask(each)
        requests.append(tracer.last)
    plain, last = requests
    # As a client may do it: nothing is sent behind the request that asks for the close.
    first = _closing(subject, ask.method, plain * (CLOSE_AT - 1) + last, CLOSE_AT)
    if first.verdict not in (Verdict.PASS, Verdict.INFO) or first.answered < CLOSE_AT:
        return first.verdict, first.evidence, first.facts
    # Requests behind it are against the rules, and must not be processed.
    data = plain * (CLOSE_AT - 1) + last + plain * (CLOSE_OF - CLOSE_AT)
    second = _closing(subject, ask.method, data, CLOSE_OF)
    verdict, evidence = second.verdict, f"{first.evidence}; {second.evidence}"
    if verdict is Verdict.FAIL and second.answered <= CLOSE_AT:
        # It was provoked, so the server is free to be strict.
        verdict = Verdict.WARN
    if verdict is Verdict.PASS:
        verdict = first.verdict
    return verdict, evidence, {**second.facts, "answered_alone": first.answered}


@dataclass(frozen=True)
class _Closing:
    verdict: Verdict
    evidence: str
    answered: int
    facts: Facts


def _closing(subject: Subject, method: str, data: bytes, count: int) -> _Closing:
    """Send *data*, which is *count* requests of which one asks for the close."""
    with subject.client(requests=count) as client:
        client.connect()
        heard = _converse(subject, client, data)
    seen = split_responses(heard.data, [method] * count, ended=heard.ending == "closed")
    sent = f"{count} × {method}, number {CLOSE_AT} with Connection: close, on connection "
    sent += str(client.number)
    if seen is None:
        came = f"{sent}: what came is no sequence of responses"
        return _Closing(Verdict.FAIL, came, 0, {"ending": heard.ending})
    complete = [answer for answer in seen if answer.complete]
    answered = len(complete)
    facts: Facts = {"answered": answered, "ending": heard.ending}
    verdict, end = _judge_closing(
        complete, len(seen) > answered, heard.ending, subject.light.expected.status
    )
    return _Closing(verdict, f"{sent}: {answered} answered, {end}", answered, facts)


def _converse(subject: Subject, client: Client, data: bytes) -> Heard:
    # As long as an answer takes, at least.
    quiet = subject.limits.patience + 2 * subject.slowest
    tls = subject.target.tls
    if tls is None:
        with duplicate(client.connection) as sock:
            return converse(sock, data, quiet=quiet, seconds=client.left)
    encrypted = tls.socket()
    if encrypted is None:
        raise ConnectionClosed("the TLS connection is gone")
    return converse(encrypted, data, quiet=quiet, seconds=client.left)


def _judge_closing(
    complete: list[Seen], cut: bool, ending: str, expected: int
) -> tuple[Verdict, str]:
    """Judge the *complete* answers, whether another one is *cut* off, and what came then."""
    answered = len(complete)
    if answered > CLOSE_AT:
        return Verdict.FAIL, "though nothing behind it may be processed"
    if cut:
        return Verdict.FAIL, "and one more that is cut off"
    if any(answer.status != expected for answer in complete):
        statuses = runs([str(answer.status) for answer in complete])
        broken = any(answer.status == 400 for answer in complete)
        return (
            Verdict.FAIL if broken else Verdict.UNKNOWN,
            f"with {statuses} instead of {expected}, then {ending}",
        )
    if answered == CLOSE_AT:
        if ending == "open":
            return Verdict.FAIL, "but the connection is not closed"
        if ending != "closed":
            return Verdict.WARN, "then a reset, which can destroy answers"
        if not complete[-1].closes:
            return Verdict.INFO, "then closed, though the last one did not say so"
        return Verdict.PASS, "then closed cleanly"
    if answered and complete[-1].closes:
        return Verdict.INFO, "then closed as announced"
    if answered and ending == "closed":
        # That it does not keep connections is a matter of another check.
        return Verdict.WARN, "then closed, with answers missing"
    return Verdict.FAIL, "then silence" if ending == "open" else f"then {ending}"
