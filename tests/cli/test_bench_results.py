"""From what was counted to what is told: rates, the knee, what happened over time."""

from __future__ import annotations

from collections import Counter

import pytest

from httpio_cli._bench.results import Outcome, Result
from httpio_cli._bench.tally import Tally

from .benching import make_outcome, make_tally


def result(tally: Tally, *, has_rate: bool = False) -> Result:
    return Result(1, tally, has_rate=has_rate)


class TestResult:
    def test_rates(self) -> None:
        shown = result(
            make_tally(
                {100: 300}, statuses={200: 290, 404: 7, 503: 3}, failures={"lost": 100}, elapsed=2.0
            )
        )
        assert shown.requests_per_second == 150
        assert shown.content_per_second == 150_000
        assert shown.received_per_second == 180_000
        assert shown.error_rate == pytest.approx(110 / 400)
        assert shown.status_classes() == {"2xx": 290, "4xx": 7, "5xx": 3}

    def test_nothing_at_all(self) -> None:
        shown = result(Tally(0.1))
        assert shown.requests_per_second == shown.error_rate == shown.load_on_cpu == 0
        assert [moment.requests_per_second for moment in shown.over_time] == []

    def test_latency_that_counts(self) -> None:
        tally = make_tally({100: 10}, corrected={5000: 10})
        assert result(tally, has_rate=True).latency.maximum == 5
        assert result(tally).latency.maximum == 0.1
        assert result(tally).from_intent is None
        assert result(tally).queue is None

    def test_busy_worker(self) -> None:
        tally = make_tally({100: 10}, elapsed=2.0)
        tally.cpu_time = 1.9
        assert result(tally).is_busy
        tally.cpu_time = 1.0
        assert not result(tally).is_busy

    def test_over_time(self) -> None:
        tally = Tally(0.5)
        tally.latencies = {
            0: Counter({1000: 98, 9000: 2}),
            2: Counter({2000: 50}),
            3: Counter({3000: 1}),
        }
        tally.failures_over_time = Counter({1: 4})
        tally.errors_over_time = Counter({0: 1})
        tally.elapsed = 1.6
        moments = result(tally).over_time
        # Of what is left at the end, the rate would say nothing.
        assert [moment.at for moment in moments] == [0.25, 0.75, 1.25]
        assert [moment.requests_per_second for moment in moments] == [200, 0, 100]
        assert [moment.p50 for moment in moments] == [1, 0, 2]
        assert [moment.p99 for moment in moments] == [9, 0, 2]
        assert [moment.maximum for moment in moments] == [9, 0, 2]
        assert [moment.errors for moment in moments] == [1, 4, 0]


class TestKnee:
    def knee(self, *rates: int, failures: tuple[int, ...] = ()) -> int | None:
        """Return the knee of depths 1, 2, 4, 8, ... with so many requests per second."""
        tallies = {
            2**number: make_tally(
                {100: rate}, failures={"lost": dict(enumerate(failures)).get(number, 0)}
            )
            for number, rate in enumerate(rates)
        }
        knee = make_outcome(tallies).knee
        return None if knee is None else knee.depth

    def test_smallest_depth_with_nine_tenths_of_the_best(self) -> None:
        assert self.knee(100, 200, 390, 895, 1000) == 16
        assert self.knee(100, 200, 390, 900, 1000) == 8
        assert self.knee(1000, 1001, 1002) == 1
        # Deeper is slower.
        assert self.knee(100, 1000, 500) == 2

    def test_depths_with_errors_do_not_count(self) -> None:
        assert self.knee(100, 1000, failures=(0, 50)) == 1
        assert self.knee(100, 1000, failures=(0, 10)) == 2
        assert self.knee(100, 1000, failures=(10, 50)) is None

    def test_one_depth_has_none(self) -> None:
        assert self.knee(1000) is None

    def test_nothing_answered(self) -> None:
        assert self.knee(0, 0) is None

    def test_order_of_the_depths_does_not_matter(self) -> None:
        tallies = {depth: make_tally({100: 1000}) for depth in (16, 4, 8)}
        outcome: Outcome = make_outcome(tallies)
        assert outcome.knee is not None
        assert outcome.knee.depth == 4
