"""How numbers and settings are said, each number with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from httpio_cli._redaction import redact_fields

from .results import KNEE_SHARE

if TYPE_CHECKING:
    from .results import Outcome, Result

_SIZES: Final = ("B", "kB", "MB", "GB", "TB")

KNEE_RULE: Final = (
    f"the smallest depth with at least {KNEE_SHARE:.0%} of the most requests per second "
    "that any depth with at most 1% errors has"
)
FROM_INTENT: Final = "from the intended send time (corrected for coordinated omission)"
FROM_SEND: Final = "from the actual send time"
UNCORRECTED: Final = f"{FROM_SEND} (uncorrected)"


def milliseconds(value: float) -> str:
    """Return *value*, in milliseconds, without the unit: three digits behind the point."""
    return f"{value:,.3f}"


def bytes_per_second(value: float) -> str:
    """Return *value* with a unit that suits; the prefixes are powers of 1000."""
    for unit in _SIZES[:-1]:
        if value < 1000:
            return f"{value:.3g} {unit}/s" if value < 999.5 else f"{value:.0f} {unit}/s"
        value /= 1000
    return f"{value:,.1f} {_SIZES[-1]}/s"


def counted(number: int, one: str, many: str = "") -> str:
    """Return *number* with the word for it."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def settings(outcome: Outcome) -> list[tuple[str, str]]:
    """Return what was asked for, as names and values. Credentials are hidden."""
    load = outcome.load
    urls = [str(url) for url in load.urls]
    shown = ", ".join(urls[:3]) + (f" and {len(urls) - 3} more" if len(urls) > 3 else "")
    pairs = [("URL" if len(urls) == 1 else f"{len(urls)} URLs", shown), ("method", load.method)]
    pairs += [("field", f"{name}: {value}") for name, value in redact_fields(load.fields)]
    if load.body is not None:
        pairs.append(("content of each request", f"{len(load.body)} B"))
    pairs.append(("connections", f"{load.connections}"))
    pairs.append(("worker processes", f"{outcome.workers}"))
    pairs.append(("depth", ", ".join(str(result.depth) for result in outcome.results)))
    if load.rate is None:
        pairs.append(("rate", "as fast as answers come (closed loop)"))
    else:
        pairs.append(("rate", f"{load.rate:g} requests/s in all (open loop)"))
    if load.duration is not None:
        pairs.append(("duration of each depth", f"{load.duration:g} s"))
    if load.requests is not None:
        pairs.append(("requests of each depth", f"{load.requests}"))
    pairs.append(("warm-up", f"{load.warmup:g} s"))
    pairs.append(("time limit of a request", f"{load.timeout:g} s"))
    loops = {result.tally.loop for result in outcome.results if result.tally.loop}
    pairs.append(("event loop", ", ".join(sorted(loops))))
    return pairs


def remarks(outcome: Outcome) -> list[str]:
    """Return what somebody who reads the numbers should know."""
    lines = []
    if outcome.interrupted is not None:
        lines.append("interrupted: this is what was measured so far")
    for result in outcome.results:
        if result.is_busy:
            lines.append(
                f"depth {result.depth}: a worker used {result.load_on_cpu:.0%} of a CPU, so the limit "
                "may be its own; more workers (--procs) would show"
            )
        if result.tally.connects:
            lines.append(
                f"depth {result.depth}: {counted(result.tally.connects, 'connection')} had to be "
                "opened again under load"
            )
    return lines


def errors(result: Result) -> list[tuple[str, int]]:
    """Return the kinds of errors, each with its number, the most frequent first."""
    kinds = [
        (f"status {status}", count)
        for status, count in result.tally.statuses.items()
        if status >= 400
    ]
    kinds += list(result.tally.failures.items())
    return sorted(kinds, key=lambda kind: (-kind[1], kind[0]))
