"""Metrics with the names of the Prometheus project's blackbox_exporter, so that its dashboards work."""

from __future__ import annotations

from httpio_cli._files import http_time
from httpio_cli._terminal import sanitise

from .expectations import State, worst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from .certificate import TLSFacts
    from .expectations import Expectations
    from .model import CheckResult, Sample
    from .monitor import Watched

# What blackbox_exporter calls the parts of a request, and the phases here that they are.
_PHASES: Final = {
    "resolve": ("dns",),
    "connect": ("connect", "proxy"),
    "tls": ("tls",),
    "processing": ("request", "100-wait", "content", "first byte"),
    "transfer": ("transfer",),
}
_HELP: Final = {
    "probe_success": "Whether the probe came out as expected",
    "probe_duration_seconds": "Seconds that the probe took, redirects included",
    "probe_dns_lookup_time_seconds": "Seconds that looking the name up took",
    "probe_ip_protocol": "Version of IP that was used, 4 or 6",
    "probe_http_duration_seconds": "Seconds of each phase of the request, all redirects together",
    "probe_http_status_code": "Status code of the response, 0 without one",
    "probe_http_version": "Version of HTTP in the response",
    "probe_http_redirects": "Redirects that were followed",
    "probe_http_ssl": "Whether TLS was used at last",
    "probe_http_content_length": "What Content-Length says, -1 without one",
    "probe_http_uncompressed_body_length": "Bytes of content that came",
    "probe_http_last_modified_timestamp_seconds": "Last-Modified of the response, in Unix time",
    "probe_failed_due_to_regex": "Whether a pattern for fields or content was not found",
    "probe_ssl_earliest_cert_expiry": "When the first certificate of the chain expires, in Unix time",
    "probe_ssl_last_chain_expiry_timestamp_seconds": (
        "When the first certificate of a trusted chain expires, in Unix time"
    ),
    "probe_ssl_last_chain_info": "What the server's certificate says",
    "probe_tls_version_info": "Version of TLS",
    "probe_tls_cipher_info": "Cipher of TLS",
    "httpio_probe_check": "Verdict of a check: 1 for the one that it is",
}


class _Metrics:
    def __init__(self) -> None:
        self._samples: dict[str, list[str]] = {}

    def add(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        joined = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        shown = f"{{{joined}}}" if joined else ""
        self._samples.setdefault(name, []).append(f"{name}{shown} {_number(value)}\n")

    def text(self) -> str:
        return "".join(
            f"# HELP {name} {text}\n# TYPE {name} gauge\n{''.join(self._samples[name])}"
            for name, text in _HELP.items()
            if name in self._samples
        )


def _escaped(text: str) -> str:
    # A certificate may say anything, and somebody may look at this on a terminal.
    text = sanitise(text).replace("\t", " ")
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def metrics(
    watched: Sequence[Watched],
    expected: Expectations,
    checks: Mapping[str, Sequence[CheckResult]],
) -> str:
    """Return the metrics of the last round of each URL.

    With one URL they have no label that says which, as those of the exporter; with several they have
    ``target``. *checks* are the results of checks by URL.
    """
    collected = _Metrics()
    for each in watched:
        labels = {"target": each.url} if len(watched) > 1 else {}
        _add_probe(collected, each, expected, labels)
        for result in checks.get(each.url, ()):
            collected.add(
                "httpio_probe_check",
                1,
                {**labels, "check": result.id, "verdict": result.verdict.value},
            )
    return collected.text()


def _add_probe(
    collected: _Metrics, each: Watched, expected: Expectations, labels: dict[str, str]
) -> None:
    hops, last = each.rounds[-1], each.last
    success = worst(each.findings) not in (State.CRITICAL, State.UNKNOWN)
    response = last.response
    if not expected.status:
        # Without another wish, blackbox_exporter wants 2xx.
        success = success and response is not None and 200 <= response.status < 300
    collected.add("probe_success", success, labels)
    collected.add("probe_duration_seconds", sum(sample.total for sample in hops), labels)
    collected.add("probe_dns_lookup_time_seconds", hops[0].duration("dns"), labels)
    if last.peer is not None and last.peer.family != "unix":
        collected.add("probe_ip_protocol", 4 if last.peer.family == "IPv4" else 6, labels)
    for phase, names in _PHASES.items():
        seconds = sum(sample.duration(*names) for sample in hops)
        collected.add("probe_http_duration_seconds", seconds, {**labels, "phase": phase})
    collected.add("probe_http_status_code", response.status if response else 0, labels)
    collected.add("probe_http_version", float(response.version) if response else 0, labels)
    collected.add("probe_http_redirects", len(hops) - 1, labels)
    collected.add("probe_http_ssl", last.tls is not None, labels)
    length = response.announced_length if response else None
    collected.add("probe_http_content_length", -1 if length is None else length, labels)
    collected.add("probe_http_uncompressed_body_length", response.size if response else 0, labels)
    failed = any(finding.kind == "content" for finding in each.findings)
    collected.add("probe_failed_due_to_regex", failed, labels)
    _add_last_modified(collected, last, labels)
    if last.tls is not None:
        _add_tls(collected, last.tls, labels)


def _add_last_modified(collected: _Metrics, sample: Sample, labels: dict[str, str]) -> None:
    value = sample.response.field("Last-Modified") if sample.response else None
    seconds = None if value is None else http_time(value)
    if seconds is None:
        return
    collected.add("probe_http_last_modified_timestamp_seconds", seconds, labels)


def _add_tls(collected: _Metrics, tls: TLSFacts, labels: dict[str, str]) -> None:
    version = tls.version.replace("TLSv", "TLS ")
    collected.add("probe_tls_version_info", 1, {**labels, "version": version})
    collected.add("probe_tls_cipher_info", 1, {**labels, "cipher": tls.cipher})
    expiry = tls.earliest_expiry
    own = tls.certificate
    if expiry is None or own is None:
        return
    collected.add("probe_ssl_earliest_cert_expiry", expiry.timestamp(), labels)
    if tls.verified:
        collected.add("probe_ssl_last_chain_expiry_timestamp_seconds", expiry.timestamp(), labels)
    collected.add(
        "probe_ssl_last_chain_info",
        1,
        {
            **labels,
            "fingerprint_sha256": own.sha256,
            "subject": own.subject,
            "issuer": own.issuer,
            "subjectalternative": ",".join(own.names),
            "serialnumber": own.serial_number,
        },
    )
