"""The outcome for programs: JSON, CSV, and the text that the plotter of HdrHistogram reads."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from httpio_cli._json_output import document
from httpio_cli._redaction import redact_fields
from httpio_cli._version import __version__

from .histograms import PERCENTILES
from .wording import FROM_INTENT, FROM_SEND, KNEE_RULE, UNCORRECTED, remarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .histograms import Distribution
    from .results import Outcome, Result
    from .thresholds import Threshold


def as_document(outcome: Outcome, thresholds: Sequence[Threshold]) -> dict[str, object]:
    """Return the document ``httpio/bench/1``. Units are in the names."""
    load = outcome.load
    knee = outcome.knee
    return document(
        "bench",
        {
            "version": __version__,
            "urls": [str(url) for url in load.urls],
            "method": load.method,
            "fields": [list(pair) for pair in redact_fields(load.fields)],
            "request_content_bytes": None if load.body is None else len(load.body),
            "connections": load.connections,
            "worker_processes": outcome.workers,
            "rate_per_s": load.rate,
            "duration_s": load.duration,
            "requests": load.requests,
            "warmup_s": load.warmup,
            "timeout_s": load.timeout,
            "interrupted": outcome.interrupted is not None,
            "depths": [_of_depth(result) for result in outcome.results],
            "knee": None if knee is None else {"depth": knee.depth, "rule": KNEE_RULE},
            "thresholds": [
                {
                    "condition": threshold.text,
                    "beyond_at_depths": [
                        result.depth for result in outcome.results if threshold.is_beyond(result)
                    ],
                }
                for threshold in thresholds
            ],
            "remarks": remarks(outcome),
        },
    )


def _of_depth(result: Result) -> dict[str, object]:
    tally = result.tally
    latency: dict[str, object] = {}
    if result.from_intent is not None:
        latency["from_intended_send"] = _of_distribution(result.from_intent, FROM_INTENT)
    latency["from_actual_send"] = _of_distribution(
        result.from_send, UNCORRECTED if result.has_rate else FROM_SEND
    )
    return {
        "depth": result.depth,
        "elapsed_s": tally.elapsed,
        "answers": tally.answered,
        "requests_per_s": result.requests_per_second,
        "content_bytes": tally.content_bytes,
        "content_bytes_per_s": result.content_per_second,
        "received_bytes": tally.received_bytes,
        "sent_bytes": tally.sent_bytes,
        "received_bytes_per_s": result.received_per_second,
        "errors": tally.errors,
        "error_rate": result.error_rate,
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "status_classes": result.status_classes(),
        "failures": dict(tally.failures.most_common()),
        "reconnects": tally.connects,
        "latency": latency,
        "queue_wait": None if result.queue is None else _of_distribution(result.queue),
        "wire": _of_distribution(result.wire),
        "head_of_line_wait": _of_distribution(result.head_of_line),
        "worker_cpu": result.load_on_cpu,
        "event_loop": tally.loop,
        "over_time": [
            {
                "at_s": moment.at,
                "requests_per_s": moment.requests_per_second,
                "p50_ms": moment.p50,
                "p99_ms": moment.p99,
                "max_ms": moment.maximum,
                "errors": moment.errors,
            }
            for moment in result.over_time
        ],
    }


def _of_distribution(distribution: Distribution, counted: str | None = None) -> dict[str, object]:
    members: dict[str, object] = {} if counted is None else {"counted": counted}
    members |= {
        "count": distribution.count,
        "min_ms": distribution.minimum,
        "mean_ms": distribution.mean,
        "stdev_ms": distribution.deviation,
    }
    for level in PERCENTILES:
        members[f"p{level:g}_ms"] = distribution.percentile(level)
    members["max_ms"] = distribution.maximum
    members["hdr_histogram_us"] = distribution.encoded()
    return members


def as_csv(outcome: Outcome) -> str:
    """Return a table with a line for each depth, and for each way of counting latency."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "depth",
            "latency_counted_from",
            "connections",
            "rate_per_s",
            "elapsed_s",
            "answers",
            "requests_per_s",
            "mean_ms",
            *(f"p{level:g}_ms" for level in PERCENTILES),
            "max_ms",
            "errors",
            "error_rate",
            "content_bytes_per_s",
            "received_bytes_per_s",
            "reconnects",
            "knee",
        ]
    )
    for result in outcome.results:
        for name, latency in (
            ("intended_send", result.from_intent),
            ("actual_send", result.from_send),
        ):
            if latency is None:
                continue
            writer.writerow(
                [
                    result.depth,
                    name,
                    outcome.load.connections,
                    "" if outcome.load.rate is None else f"{outcome.load.rate:g}",
                    f"{result.tally.elapsed:.6f}",
                    result.tally.answered,
                    f"{result.requests_per_second:.3f}",
                    f"{latency.mean:.3f}",
                    *(f"{latency.percentile(level):.3f}" for level in PERCENTILES),
                    f"{latency.maximum:.3f}",
                    result.tally.errors,
                    f"{result.error_rate:.6f}",
                    f"{result.content_per_second:.1f}",
                    f"{result.received_per_second:.1f}",
                    result.tally.connects,
                    int(result is outcome.knee),
                ]
            )
    return text.getvalue()


def as_hgrm(outcome: Outcome) -> dict[str, str]:
    """Return the distributions of latency, in milliseconds, each with a suffix for its file's name.

    That of the first is empty if there is only one depth.
    """
    several = len(outcome.results) > 1
    files = {}
    for result in outcome.results:
        depth = f"-p{result.depth}" if several else ""
        files[depth] = result.latency.hgrm()
        if result.has_rate:
            files[f"{depth}-uncorrected"] = result.from_send.hgrm()
    return files
