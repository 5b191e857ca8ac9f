"""What a worker counts, and how that of several is added up."""

from __future__ import annotations

import pickle
from collections import Counter

from httpio_cli._bench.tally import Tally
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

SECOND = 1_000_000_000
"""Nanoseconds."""


def test_answers_are_counted_by_interval() -> None:
    tally = Tally(0.5)
    tally.note_answers([200], 10, [100], 0)
    tally.note_answers([200, 404, 500], 30, [100, 200, 200], SECOND)
    assert tally.latencies == {0: Counter({100: 1}), 2: Counter({100: 1, 200: 2})}
    assert tally.statuses == {200: 2, 404: 1, 500: 1}
    assert tally.errors_over_time == {2: 2}
    assert tally.content_bytes == 40
    assert (tally.answered, tally.refused, tally.failed, tally.errors) == (4, 2, 0, 2)


def test_failures_are_errors() -> None:
    tally = Tally(0.5)
    tally.note_answers([503], 0, [100], 0)
    tally.note_failures("lost", 3, SECOND)
    tally.note_failures("nothing", 0, SECOND)
    assert tally.failures == {"lost": 3}
    assert tally.failures_over_time == {2: 3}
    assert (tally.failed, tally.errors) == (3, 4)


def test_intervals_become_wider_before_there_are_too_many() -> None:
    tally = Tally(0.1)
    for number in range(1000):
        tally.note_answers([200], 1, [number], round(number * 0.1 * SECOND + 1))
        tally.note_corrected(number, round(number * 0.1 * SECOND + 1))
    tally.note_failures("lost", 1, 99 * SECOND)
    assert tally.interval == 0.8
    assert len(tally.latencies) == len(tally.corrected) == 125
    # Nothing was lost, and all is where it belongs.
    assert sum(counter.total() for counter in tally.latencies.values()) == 1000
    for intervals in (tally.latencies, tally.corrected):
        for number, counter in intervals.items():
            assert {value // 8 for value in counter} == {number}
    assert tally.failures_over_time == {123: 1}


def test_sum_of_two_workers() -> None:
    one, two = Tally(0.1), Tally(0.1)
    for number in range(300):
        one.note_answers([200], 1, [1], round(number * 0.1 * SECOND + 1))
    two.note_answers([404], 5, [2], round(0.3 * SECOND + 1))
    two.note_corrected(9, round(0.3 * SECOND + 1))
    two.note_failures("lost", 2, 0)
    one.elapsed, two.elapsed = 30.0, 29.0
    one.cpu_time, two.cpu_time = 1.0, 2.0
    two.problem = CommandError(ExitCode.CONNECT_FAILED, "refused")
    two.connects = 3
    two.received_bytes = 77
    total = Tally(0.1)
    for tally in (one, pickle.loads(pickle.dumps(two))):
        total.add(tally)
    assert total.interval == 0.2
    assert total.statuses == {200: 300, 404: 1}
    assert total.latencies[1] == {1: 2, 2: 1}
    assert total.corrected == {1: Counter({9: 1})}
    assert total.failures == {"lost": 2}
    assert (total.elapsed, total.cpu_time, total.connects) == (30.0, 2.0, 3)
    assert (total.content_bytes, total.received_bytes) == (305, 77)
    assert total.problem is not None
    assert total.problem.code is ExitCode.CONNECT_FAILED
