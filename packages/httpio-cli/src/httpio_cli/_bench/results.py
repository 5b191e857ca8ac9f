"""What the load has shown at each depth, and where the knee is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from .histograms import Distribution

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence

    from .plan import Load
    from .tally import Tally

#: The knee is the smallest depth that has so much of the most requests per second.
KNEE_SHARE: Final = 0.9
#: With more errors than this part, a depth is not considered.
_KNEE_ERRORS: Final = 0.01
#: When a worker has been busy for so much of the time, it may be its limit that is seen.
_BUSY: Final = 0.9


@dataclass(frozen=True)
class Moment:
    """A point of what is shown over time."""

    at: float
    """Seconds from the beginning to the middle of the interval."""
    requests_per_second: float
    p50: float
    """Milliseconds, as the others."""
    p99: float
    maximum: float
    errors: int


class Result:
    """What was seen at one depth. Times are in milliseconds where nothing else is said."""

    def __init__(self, depth: int, tally: Tally, *, has_rate: bool) -> None:
        self.depth: Final = depth
        self.tally: Final = tally
        self.has_rate: Final = has_rate

    @cached_property
    def from_send(self) -> Distribution:
        """Latency from the actual send time."""
        return Distribution(_sum(self.tally.latencies))

    @cached_property
    def from_intent(self) -> Distribution | None:
        """Latency from the intended send time: corrected for coordinated omission."""
        return Distribution(_sum(self.tally.corrected)) if self.has_rate else None

    @property
    def latency(self) -> Distribution:
        """The latency that counts: from the intended send time if there is one."""
        return self.from_intent or self.from_send

    @cached_property
    def queue(self) -> Distribution | None:
        """From the intended send time to the actual one."""
        return Distribution(self.tally.queue) if self.has_rate else None

    @cached_property
    def wire(self) -> Distribution:
        """From sending, or the end of the answer before if that is later, to the end of the answer."""
        return Distribution(self.tally.wire)

    @cached_property
    def head_of_line(self) -> Distribution:
        """From sending to the end of the answer before."""
        return Distribution(self.tally.head_of_line)

    @property
    def requests_per_second(self) -> float:
        """Answers per second."""
        return self._per_second(self.tally.answered)

    @property
    def content_per_second(self) -> float:
        """Bytes of content per second."""
        return self._per_second(self.tally.content_bytes)

    @property
    def received_per_second(self) -> float:
        """Bytes per second that came over the connections, before TLS."""
        return self._per_second(self.tally.received_bytes)

    @property
    def error_rate(self) -> float:
        """The part of the requests that have no answer, or one with a status of 400 or more."""
        tally = self.tally
        return tally.errors / ((tally.answered + tally.failed) or 1)

    @property
    def load_on_cpu(self) -> float:
        """The part of the time that the busiest worker has used a CPU."""
        return self._per_second(self.tally.cpu_time)

    @property
    def is_busy(self) -> bool:
        """Whether it may be the limit of this program that is seen."""
        return self.load_on_cpu > _BUSY

    def status_classes(self) -> dict[str, int]:
        """Return the number of answers by class of status."""
        classes: Counter[str] = Counter()
        for status, count in sorted(self.tally.statuses.items()):
            classes[f"{status // 100}xx"] += count
        return dict(classes)

    @cached_property
    def over_time(self) -> list[Moment]:
        """What was seen in each interval, up to the last answer."""
        tally = self.tally
        shown = tally.corrected if self.has_rate else tally.latencies
        end = tally.elapsed
        moments = []
        numbers = {*shown, *tally.failures_over_time}
        for number in range(max(numbers, default=-1) + 1):
            begin = number * tally.interval
            length = min(tally.interval, end - begin)
            if length < tally.interval / 2 and number:
                # Of so short a time, the rate says nothing.
                break
            counts = shown.get(number, Counter[int]())
            levels = _levels(counts, (0.5, 0.99))
            moments.append(
                Moment(
                    begin + length / 2,
                    counts.total() / max(length, 1e-9),
                    levels[0] / 1000,
                    levels[1] / 1000,
                    max(counts, default=0) / 1000,
                    tally.failures_over_time[number] + tally.errors_over_time[number],
                )
            )
        return moments

    def _per_second(self, number: float) -> float:
        return number / self.tally.elapsed if self.tally.elapsed > 0 else 0.0


@dataclass(frozen=True)
class Outcome:
    """All of it."""

    load: Load
    workers: int
    results: Sequence[Result]
    interrupted: signal.Signals | None

    @cached_property
    def knee(self) -> Result | None:
        """The smallest depth that is worth it, `None` without several depths.

        It is the smallest with at least `KNEE_SHARE` of the most requests per second of all depths
        that have few errors: a larger one makes answers late, and has little to show for it.
        """
        good = [
            result
            for result in self.results
            if result.tally.answered and result.error_rate <= _KNEE_ERRORS
        ]
        if len(self.results) < 2 or not good:
            return None
        enough = KNEE_SHARE * max(result.requests_per_second for result in good)
        return min(
            (result for result in good if result.requests_per_second >= enough),
            key=lambda result: result.depth,
        )


def _sum(intervals: Mapping[int, Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for counter in intervals.values():
        total.update(counter)
    return total


def _levels(counts: Counter[int], parts: Sequence[float]) -> list[int]:
    """Return the values that *parts* of all do not exceed, smallest part first."""
    total = counts.total()
    levels: list[int] = []
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        while len(levels) < len(parts) and seen >= parts[len(levels)] * total:
            levels.append(value)
    return levels + [0] * (len(parts) - len(levels))
