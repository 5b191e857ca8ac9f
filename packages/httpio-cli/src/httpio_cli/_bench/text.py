"""The outcome as text, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .histograms import PERCENTILES
from .wording import (
    FROM_INTENT,
    FROM_SEND,
    KNEE_RULE,
    UNCORRECTED,
    bytes_per_second,
    counted,
    errors,
    milliseconds,
    remarks,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .histograms import Distribution
    from .results import Outcome, Result


def as_text(outcome: Outcome) -> str:
    """Return what there is to say about *outcome*."""
    parts = [_settings(outcome)]
    if outcome.load.rate is None:
        parts.append(_latencies(outcome, f"Latency {FROM_SEND}", uncorrected=True))
    else:
        parts.append(_latencies(outcome, f"Latency {FROM_INTENT}", uncorrected=False))
        parts.append(_latencies(outcome, f"Latency {UNCORRECTED}", uncorrected=True))
    parts.append(_shares(outcome))
    parts.append(_answers(outcome))
    if lines := remarks(outcome):
        parts.append("\n".join(f"note: {line}" for line in lines) + "\n")
    return "\n".join(parts)


def _settings(outcome: Outcome) -> str:
    pairs = settings(outcome)
    width = max(len(name) for name, _ in pairs)
    return "".join(f"{name:{width}}  {value}\n" for name, value in pairs)


def _latencies(outcome: Outcome, title: str, *, uncorrected: bool) -> str:
    heads = [
        "depth",
        "requests/s",
        *(f"p{level:g} ms" for level in PERCENTILES),
        "max ms",
        "errors",
    ]
    rows = []
    for result in outcome.results:
        latency = result.from_send if uncorrected else result.latency
        rows.append(
            [
                str(result.depth),
                f"{result.requests_per_second:,.1f}",
                *_percentiles(latency),
                milliseconds(latency.maximum) if latency.count else "-",
                f"{result.tally.errors:,}",
                "<- knee" if result is outcome.knee else "",
            ]
        )
    knee = ""
    if outcome.knee is not None and uncorrected == (outcome.load.rate is None):
        knee = f"knee: depth {outcome.knee.depth}, {KNEE_RULE}\n"
    return f"{title}\n{_table(heads, rows)}{knee}"


def _percentiles(distribution: Distribution) -> list[str]:
    if not distribution.count:
        return ["-"] * len(PERCENTILES)
    return [milliseconds(distribution.percentile(level)) for level in PERCENTILES]


def _shares(outcome: Outcome) -> str:
    """Return the table of the parts that latency consists of."""
    heads = ["depth"]
    names = ["wire", "head-of-line"]
    if outcome.load.rate is not None:
        names.insert(0, "queue")
    for name in names:
        heads += [f"{name} mean ms", "p50 ms", "p99 ms"]
    rows = []
    for result in outcome.results:
        row = [str(result.depth)]
        for distribution in _parts(result):
            row += [
                milliseconds(distribution.mean),
                milliseconds(distribution.percentile(50)),
                milliseconds(distribution.percentile(99)),
            ]
        rows.append(row)
    explanation = (
        "wire: from sending, or the end of the answer before if that was later, to the end of the "
        "answer\nhead-of-line: from sending to the end of the answer before\n"
    )
    if outcome.load.rate is not None:
        explanation = f"queue: from the intended send time to the actual one\n{explanation}"
    return f"Where the time goes\n{_table(heads, rows)}{explanation}"


def _parts(result: Result) -> list[Distribution]:
    parts = [result.wire, result.head_of_line]
    return parts if result.queue is None else [result.queue, *parts]


def _answers(outcome: Outcome) -> str:
    lines = ["Answers"]
    for result in outcome.results:
        tally = result.tally
        classes = ", ".join(f"{name} {count:,}" for name, count in result.status_classes().items())
        lines.append(
            f"  depth {result.depth}: {counted(tally.answered, 'answer')} in {tally.elapsed:.3f} s"
            f"{f' ({classes})' if classes else ''}, content {bytes_per_second(result.content_per_second)}, "
            f"received {bytes_per_second(result.received_per_second)}"
        )
        lines += [f"    {count:,} × {kind}" for kind, count in errors(result)]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [
        max(len(head), *(len(row[column]) for row in rows)) for column, head in enumerate(heads)
    ]
    lines = ["  ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, *row[len(widths) :]]).rstrip())
    return "\n".join(lines) + "\n"
