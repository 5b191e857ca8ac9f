"""What a worker counts while the load runs, and how that is added up.

Counting has to be cheap, or it would be the counting that is measured: latencies are counted by
their whole microseconds, many at once, and become histograms when the load is over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio_cli._errors import CommandError

#: Nanoseconds.
MICROSECOND: Final = 1000
#: When there are so many intervals, each two become one.
_MOST_INTERVALS: Final = 240


@dataclass
class Tally:
    """What was counted of a part of the load. Times are in microseconds, each with its number."""

    interval: float
    """Seconds."""
    latencies: dict[int, Counter[int]] = field(default_factory=dict)
    """From sending to the end of the answer, by the number of the interval it ended in."""
    corrected: dict[int, Counter[int]] = field(default_factory=dict)
    """From when it was to be sent, likewise. Empty without a rate."""
    queue: Counter[int] = field(default_factory=Counter)
    """From when a request was to be sent to when it was."""
    wire: Counter[int] = field(default_factory=Counter)
    """From sending, or the end of the answer before if that was later, to the end of the answer."""
    head_of_line: Counter[int] = field(default_factory=Counter)
    """From sending to the end of the answer before."""
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """Requests that have no answer, by what happened."""
    failures_over_time: Counter[int] = field(default_factory=Counter)
    """The same, by interval."""
    errors_over_time: Counter[int] = field(default_factory=Counter)
    """Answers with a status of 400 or more, by interval."""
    content_bytes: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    connects: int = 0
    """Connections that were opened after the beginning."""
    elapsed: float = 0.0
    """Seconds."""
    cpu_time: float = 0.0
    """Seconds that the worker has used of a CPU meanwhile; of the busiest, in a sum."""
    loop: str = ""
    """The event loop."""
    problem: CommandError | None = None
    """What went wrong first."""

    @property
    def answered(self) -> int:
        """Number of requests that have a complete answer."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Number of requests that have none."""
        return self.failures.total()

    @property
    def refused(self) -> int:
        """Number of answers with a status of 400 or more."""
        return sum(count for status, count in self.statuses.items() if status >= 400)

    @property
    def errors(self) -> int:
        """Number of requests without an answer, or with a status of 400 or more."""
        return self.failed + self.refused

    def note_failures(self, kind: str, count: int, at: int) -> None:
        """*count* requests have failed, *at* nanoseconds after the beginning."""
        if count > 0:
            self.failures[kind] += count
            self.failures_over_time[self.number_of(at)] += count

    def number_of(self, at: int) -> int:
        """Return the number of the interval for *at*, in nanoseconds after the beginning."""
        return int(at / (self.interval * 1e9))

    def note_answers(
        self, statuses: Sequence[int], size: int, latencies: Sequence[int], at: int
    ) -> None:
        """Count answers with *size* bytes of content in all, which were complete *at* nanoseconds."""
        number = self.number_of(at)
        counter = self.latencies.get(number)
        if counter is None:
            counter = self._new_interval(number)
            number = self.number_of(at)
        self.content_bytes += size
        if len(statuses) == 1:
            (status,) = statuses
            counter[latencies[0]] += 1
            self.statuses[status] += 1
            if status >= 400:
                self.errors_over_time[number] += 1
            return
        counter.update(latencies)
        self.statuses.update(statuses)
        if max(statuses) >= 400:
            self.errors_over_time[number] += sum(status >= 400 for status in statuses)

    def note_corrected(self, latency: int, at: int) -> None:
        """Count the latency from when it was to be sent, of what was complete *at* nanoseconds."""
        number = self.number_of(at)
        counter = self.corrected.get(number)
        if counter is None:
            counter = self.corrected[number] = Counter()
        counter[latency] += 1

    def _new_interval(self, number: int) -> Counter[int]:
        if len(self.latencies) >= _MOST_INTERVALS:
            self.widen()
            number //= 2
            if number in self.latencies:
                return self.latencies[number]
        counter = self.latencies[number] = Counter()
        return counter

    def widen(self) -> None:
        """Make one interval of each two."""
        self.interval *= 2
        self.latencies = _paired(self.latencies)
        self.corrected = _paired(self.corrected)
        for counter in (self.failures_over_time, self.errors_over_time):
            pairs = list(counter.items())
            counter.clear()
            for number, count in pairs:
                counter[number // 2] += count

    def add(self, other: Tally) -> None:
        """Add what another worker has counted at the same time."""
        while self.interval < other.interval:
            self.widen()
        while other.interval < self.interval:
            other.widen()
        for mine, others in (
            (self.latencies, other.latencies),
            (self.corrected, other.corrected),
        ):
            for number, counter in others.items():
                mine.setdefault(number, Counter()).update(counter)
        self.queue.update(other.queue)
        self.wire.update(other.wire)
        self.head_of_line.update(other.head_of_line)
        self.statuses.update(other.statuses)
        self.failures.update(other.failures)
        self.failures_over_time.update(other.failures_over_time)
        self.errors_over_time.update(other.errors_over_time)
        self.content_bytes += other.content_bytes
        self.received_bytes += other.received_bytes
        self.sent_bytes += other.sent_bytes
        self.connects += other.connects
        self.elapsed = max(self.elapsed, other.elapsed)
        self.cpu_time = max(self.cpu_time, other.cpu_time)
        self.loop = other.loop
        self.problem = self.problem or other.problem


def _paired(intervals: dict[int, Counter[int]]) -> dict[int, Counter[int]]:
    paired: dict[int, Counter[int]] = {}
    for number, counter in intervals.items():
        paired.setdefault(number // 2, Counter()).update(counter)
    return paired
