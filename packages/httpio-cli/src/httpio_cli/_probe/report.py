"""What a person reads: the waterfall, the certificate, the verdicts.

Lines are made of pieces with a style each. On a terminal rich draws them; elsewhere they are text.
"""

from __future__ import annotations

import sys

from httpio_cli._redaction import redact_text
from httpio_cli._terminal import console, sanitise, use_colour

from .certificate import now
from .fields import shown_fields
from .model import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Final, TextIO, TypeAlias

    from .certificate import CertificateFacts, TLSFacts
    from .expectations import Finding
    from .model import CheckResult, Sample
    from .phases import Phase
    from .probing import Summary

    #: Text and the style that rich gives it.
    Piece: TypeAlias = tuple[str, str]
    Line: TypeAlias = list[Piece]

#: With what stands before it, a line of a terminal.
_WIDTH: Final = 38
_STYLES: Final = {
    "dns": "cyan",
    "connect": "blue",
    "proxy": "magenta",
    "tls": "yellow",
    "request": "green",
    "100-wait": "red",
    "content": "green",
    "first byte": "bright_blue",
    "transfer": "bright_green",
}
_VERDICT_STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.INFO: "cyan",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "magenta",
    Verdict.SKIPPED: "dim",
}


class Printer:
    """Prints lines on stdout, in colour where that is wanted."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console = console(self._stream) if use_colour(self._stream) else None

    @property
    def block(self) -> str:
        """What bars are made of."""
        try:
            "█".encode(self._stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return "#"
        return "█"

    def print(self, lines: Iterable[Line]) -> None:
        """Print *lines*."""
        for line in lines:
            pieces = [(_one_line(text), style) for text, style in line]
            if self._console is None:
                text = "".join(text for text, _ in pieces).rstrip()
                encoding = self._stream.encoding or "ascii"
                # A terminal or a file that has no such character gets an escape, not an error.
                shown = text.encode(encoding, "backslashreplace").decode(encoding)
                self._stream.write(f"{shown}\n")
            else:
                from rich.text import Text

                self._console.print(Text.assemble(*pieces), soft_wrap=True)
        self._stream.flush()


def _one_line(text: str) -> str:
    """Return *text*, which may come from a server, without what could drive a terminal."""
    return sanitise(text).replace("\n", "\\n").replace("\t", " ")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:9.1f} ms"


def waterfall(phases: Iterable[Phase], total: float, block: str) -> Iterator[Line]:
    """Return lines that show *phases* along the time."""
    yield [(f"  {'phase':<12}{'start':>12}{'duration':>13}", "bold")]
    scale = _WIDTH / total if total > 0 else 0.0
    for phase in phases:
        begin = min(round(phase.start * scale), _WIDTH - 1)
        end = max(round(phase.end * scale), begin + 1)
        style = _STYLES.get(phase.name, "")
        line = [
            (
                f"  {phase.name:<12}{_milliseconds(phase.start)} {_milliseconds(phase.duration)}  ",
                "",
            ),
            (" " * begin + block * (end - begin), style),
        ]
        if not phase.finished:
            line.append(("  not finished", "red"))
        yield line
    yield [(f"  {'total':<12}{'':>12} {_milliseconds(total)}", "")]


def sample_lines(sample: Sample, block: str, *, verbose: bool, show: bool) -> Iterator[Line]:
    """Return what there is to say about *sample*.

    *verbose* shows the fields of the response, *show* the credentials among them.
    """
    yield [(sample.url, "bold")]
    if sample.peer is not None:
        peer = sample.peer
        where = peer.address if peer.family == "unix" else f"{peer.address} port {peer.port}"
        yield [(f"  connected to {where or 'a unix socket'} ({peer.family})", "")]
    response = sample.response
    if response is not None:
        style = "green" if response.status < 400 else "red"
        yield [
            ("  ", ""),
            (f"{response.status} {response.reason}".rstrip(), style),
            (f", HTTP/{response.version}, {response.size} bytes of content", ""),
        ]
        location = response.field("Location")
        if location is not None:
            yield [(f"  Location: {redact_text(location)}", "")]
        if verbose:
            for name, value in shown_fields(response.fields, show):
                yield [(f"    {name}: {value}", "dim")]
    yield from waterfall(sample.phases, sample.total, block)
    if sample.tls is not None:
        yield from tls_lines(sample.tls, now())
    if sample.error is not None:
        yield [
            ("  failed: ", "bold red"),
            (sample.error.what.removeprefix(f"{sample.url}: "), "red"),
        ]


def tls_lines(tls: TLSFacts, at: datetime) -> Iterator[Line]:
    """Return what there is to say about TLS and the certificates."""
    alpn = tls.alpn or "none"
    yield [(f"  {tls.version.replace('TLSv', 'TLS ')}, {tls.cipher}, ALPN {alpn}", "")]
    if tls.problem:
        yield [("  the certificate is not trusted: ", "bold red"), (tls.problem, "red")]
    elif not tls.verified:
        yield [("  the certificate was not verified (-k)", "yellow")]
    for number, found in enumerate(tls.chain):
        yield from _certificate_lines(number, found, at)
    if tls.unreadable:
        yield [(f"  the rest of the chain: {tls.unreadable}", "dim")]


def _certificate_lines(number: int, found: CertificateFacts, at: datetime) -> Iterator[Line]:
    title = "certificate" if not number else f"issuer {number}"
    yield [(f"  {title:<12} {found.subject or '(no subject)'}", "")]
    if found.names:
        yield [(f"    names      {', '.join(found.names)}", "")]
    days = found.days_left(at)
    style = "red" if days < 0 else "yellow" if days < 21 else ""
    left = f"{int(days)} days left" if days >= 0 else f"expired {int(-days)} days ago"
    yield [
        (f"    valid      {found.not_before:%Y-%m-%d} to {found.not_after:%Y-%m-%d}, ", ""),
        (left, style),
    ]
    yield [(f"    key        {found.key}, signed with {found.signature_algorithm}", "")]
    by = "itself" if found.self_issued else found.issuer
    yield [(f"    issued by  {by}", "")]


def check_line(result: CheckResult) -> Line:
    """Return the line of one check."""
    return [
        ("  ", ""),
        (f"{result.verdict.value:<8}", _VERDICT_STYLES[result.verdict]),
        (f"{result.id:<17}", "bold"),
        (result.evidence, ""),
        (f"  [{result.section}]", "dim"),
    ]


def sample_line(number: int, samples: list[Sample]) -> Line:
    """Return the line for one of many rounds."""
    last = samples[-1]
    total = sum(sample.total for sample in samples)
    if last.error is not None:
        what = last.error.what.removeprefix(f"{last.url}: ")
        return [(f"  {number:>4}  {_milliseconds(total)}  ", ""), (f"failed: {what}", "red")]
    assert last.response is not None
    spent = ", ".join(f"{each.name} {each.duration * 1000:.1f}" for each in last.phases)
    return [(f"  {number:>4}  {_milliseconds(total)}  {last.response.status}  {spent}", "")]


def summary_line(summary: Summary) -> Line:
    """Return the line that sums many rounds up."""

    def shown(seconds: float | None) -> str:
        return "-" if seconds is None else f"{seconds * 1000:.1f} ms"

    text = (
        f"  {summary.count} probes, {summary.failures} failed; min {shown(summary.minimum)}, "
        f"median {shown(summary.median)}, p95 {shown(summary.p95)}, "
        f"max {shown(summary.maximum)}, jitter {shown(summary.jitter)}"
    )
    return [(text, "bold")]


def finding_lines(findings: Iterable[Finding]) -> Iterator[Line]:
    """Return a line for each thing that is not as expected."""
    for finding in findings:
        if finding.kind != "error":
            yield [("  not as expected: ", "bold red"), (finding.what, "red")]
