"""The table of checks, and running them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from httpio import ConnectionTimedOut, HTTPIOError
from httpio_cli._errors import CommandError, said_by
from httpio_cli._redaction import without_credentials

from . import connection_checks, pipeline_checks, upload_checks
from .model import CheckResult, Verdict
from .subject import CannotCheck, CannotTell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Final

    from .certificate import TLSFacts
    from .connection_checks import Finding
    from .model import Facts
    from .subject import Subject


@dataclass(frozen=True)
class Check:
    """A question about a server."""

    id: str
    title: str
    section: str
    """Where the rule stands, with its title."""
    find: Callable[[Subject], Finding]


def certificate(subject: Subject) -> Finding:
    """Look at the certificate that the server shows."""
    tls = subject.target.tls
    if tls is None:
        raise CannotCheck("there is no TLS")
    facts = tls.recorded()
    if facts is None:
        with subject.client() as client:
            client.connect()
            facts = tls.recorded()
    if facts is None:
        raise CannotCheck("no handshake was seen")
    return judge_certificate(facts, datetime.now(UTC), subject.limits.cert_days)


def judge_certificate(facts: TLSFacts, now: datetime, warn_days: float) -> Finding:
    """Return what is to be said about the certificate in *facts*."""
    if not facts.chain:
        return Verdict.UNKNOWN, f"{facts.version}: {facts.unreadable or 'no certificate'}", {}
    own = facts.chain[0]
    first = min(facts.chain, key=lambda found: found.not_after)
    days = first.days_left(now)
    which = "" if first is own else f" ({first.subject}, above it)"
    ends = f"expires {first.not_after:%Y-%m-%d}{which}, in {int(days)} days"
    if days < 0:
        ends = f"expired {first.not_after:%Y-%m-%d}{which}"
    evidence = f"{own.subject or 'certificate'} for {', '.join(own.names) or 'no name'}: {ends}"
    found: Facts = {
        "days_left": int(days // 1),
        "verified": facts.verified,
        "problem": facts.problem,
    }
    if facts.problem:
        return Verdict.FAIL, f"{evidence}; not trusted: {facts.problem}", found
    if days < 0:
        return Verdict.FAIL, evidence, found
    if days < warn_days:
        return Verdict.WARN, evidence, found
    if not own.names:
        evidence += "; the name in the subject counts for nothing"
        return Verdict.WARN, evidence, found
    if not facts.verified:
        return Verdict.UNKNOWN, f"{evidence}; not verified (-k)", found
    return Verdict.PASS, evidence, found


CHECKS: Final = {
    check.id: check
    for check in (
        Check(
            "cert",
            "the certificate is trusted and does not expire soon",
            "RFC 9110 §4.3.4, https Certificate Verification",
            certificate,
        ),
        Check(
            "keepalive",
            "the connection is kept for the next request",
            "RFC 9112 §9.3, Persistence",
            connection_checks.keepalive,
        ),
        Check(
            "pipeline-order",
            "answers come in the order of the requests",
            "RFC 9112 §9.3.2, Pipelining",
            pipeline_checks.pipeline_order,
        ),
        Check(
            "pipeline-head",
            "an answer to HEAD has no content",
            "RFC 9112 §6.3, Message Body Length",
            pipeline_checks.pipeline_head,
        ),
        Check(
            "pipeline-204",
            "answers of 204 and 304 have no content",
            "RFC 9112 §6.3, Message Body Length",
            pipeline_checks.pipeline_204,
        ),
        Check(
            "pipeline-depth",
            "how many requests may be under way at once",
            "RFC 9112 §9.3.2, Pipelining",
            pipeline_checks.pipeline_depth,
        ),
        Check(
            "close-midway",
            "Connection: close ends the connection after its answer",
            "RFC 9112 §9.6, Tear-down",
            connection_checks.close_midway,
        ),
        Check(
            "max-requests",
            "how many requests a connection takes",
            "RFC 9112 §9.3, Persistence",
            connection_checks.max_requests,
        ),
        Check(
            "expect-100",
            "100 (Continue) comes before the content is sent",
            "RFC 9110 §10.1.1, Expect",
            upload_checks.expect_100,
        ),
        Check(
            "early-response",
            "a refusal does not wait for the content",
            "RFC 9112 §9.5, Failures and Timeouts",
            upload_checks.early_response,
        ),
        Check(
            "chunked-trailers",
            "content in chunks with trailer fields is taken",
            "RFC 9112 §7.1, Chunked Transfer Coding",
            upload_checks.chunked_trailers,
        ),
        Check(
            "proxy-serialises",
            "pipelined requests are passed on together",
            "RFC 9112 §9.3.2, Pipelining",
            pipeline_checks.proxy_serialises,
        ),
        Check(
            "idle-timeout",
            "how long an idle connection is kept",
            "RFC 9112 §9.5, Failures and Timeouts",
            connection_checks.idle_timeout,
        ),
    )
}
"""All checks, those that take long at the end."""


def run_checks(
    subject: Subject, ids: Collection[str], begin: Callable[[str], None]
) -> Iterator[CheckResult]:
    """Run the checks with these *ids*, and hand over each result when it is there.

    *begin* is called with the id of each check before.
    """
    for check in CHECKS.values():
        if check.id in ids:
            begin(check.id)
            yield run_check(check, subject)


def run_check(check: Check, subject: Subject) -> CheckResult:
    """Run one check, whatever comes of it."""
    try:
        verdict, evidence, facts = check.find(subject)
    except CannotTell as exc:
        verdict, evidence, facts = Verdict.UNKNOWN, str(exc), {}
    except CannotCheck as exc:
        verdict, evidence, facts = Verdict.SKIPPED, str(exc), {}
    except ConnectionTimedOut:
        seconds = subject.limits.timeout
        verdict, evidence, facts = Verdict.UNKNOWN, f"not finished within {seconds:g} s", {}
    except (HTTPIOError, OSError, CommandError) as exc:
        # What breaks the protocol was dealt with by the check; this is the network, or a surprise.
        verdict, evidence, facts = Verdict.UNKNOWN, f"not finished: {said_by(exc)}", {}
    evidence = " ".join(without_credentials(evidence).split())
    return CheckResult(check.id, check.title, verdict, evidence, check.section, facts)


def skip_checks(ids: Collection[str], why: str) -> Iterator[CheckResult]:
    """Return results that say *why* the checks with these *ids* were not tried."""
    for check in CHECKS.values():
        if check.id in ids:
            yield CheckResult(check.id, check.title, Verdict.SKIPPED, why, check.section)
