"""What a program reads: documents of the schema ``httpio/probe/1``."""

from __future__ import annotations

from .certificate import now
from .fields import shown_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .certificate import TLSFacts
    from .expectations import Finding
    from .model import CheckResult, Sample
    from .probing import Summary

    Members = dict[str, object]


def sample_members(sample: Sample, *, show: bool) -> Members:
    """Return the members of one sample; *show* says that credentials may be seen."""
    peer, response, error = sample.peer, sample.response, sample.error
    return {
        "url": sample.url,
        "time": sample.when.isoformat(),
        "total": round(sample.total, 6),
        "phases": [
            {
                "name": phase.name,
                "start": round(phase.start, 6),
                "duration": round(phase.duration, 6),
                "finished": phase.finished,
            }
            for phase in sample.phases
        ],
        "sent_bytes": sample.sent_bytes,
        "received_bytes": sample.received_bytes,
        "peer": peer and {"address": peer.address, "port": peer.port, "family": peer.family},
        "response": response
        and {
            "status": response.status,
            "reason": response.reason,
            "version": response.version,
            "fields": [list(pair) for pair in shown_fields(response.fields, show)],
            "content_length": response.announced_length,
            "content_size": response.size,
        },
        "tls": sample.tls and tls_members(sample.tls),
        "error": error and {"exit_code": int(error.code), "what": error.what, "hint": error.hint},
    }


def tls_members(tls: TLSFacts) -> Members:
    """Return the members of a handshake."""
    at = now()
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "bits": tls.bits,
        "alpn": tls.alpn,
        "verified": tls.verified,
        "problem": tls.problem or None,
        "chain_complete": tls.chain_known and not tls.unreadable,
        "chain": [
            {
                "subject": found.subject,
                "issuer": found.issuer,
                "names": list(found.names),
                "not_before": found.not_before.isoformat(),
                "not_after": found.not_after.isoformat(),
                "days_left": int(found.days_left(at) // 1),
                "serial_number": found.serial_number,
                "key": found.key,
                "signature_algorithm": found.signature_algorithm,
                "sha256": found.sha256,
            }
            for found in tls.chain
        ],
    }


def check_members(result: CheckResult) -> Members:
    """Return the members of the result of a check."""
    return {
        "id": result.id,
        "title": result.title,
        "verdict": result.verdict.value,
        "evidence": result.evidence,
        "section": result.section,
        "facts": dict(result.facts),
    }


def summary_members(summary: Summary) -> Members:
    """Return the members of a summary."""
    return {
        "count": summary.count,
        "failures": summary.failures,
        "min": summary.minimum,
        "median": summary.median,
        "p95": summary.p95,
        "max": summary.maximum,
        "jitter": summary.jitter,
    }


def findings_members(findings: Sequence[Finding]) -> list[Members]:
    """Return the members of what is not as expected."""
    return [
        {"state": found.state.name.lower(), "kind": found.kind, "what": found.what}
        for found in findings
    ]
