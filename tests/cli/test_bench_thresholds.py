"""Conditions of ``--fail-if``."""

from __future__ import annotations

import click
import pytest

from httpio_cli._bench.results import Result
from httpio_cli._bench.thresholds import THRESHOLD, Threshold

from .benching import make_tally


def threshold(text: str) -> Threshold:
    return THRESHOLD.convert(text, None, None)


#: 99 answers after 10 ms and one after a second, in half a second; 3 of 103 requests failed.
RESULT = Result(
    4, make_tally({10_000: 99, 1_000_000: 1}, failures={"lost": 3}, elapsed=0.5), has_rate=False
)


@pytest.mark.parametrize(
    ("text", "is_beyond"),
    [
        ("p50>9ms", True),
        ("p50>10.1ms", False),
        ("p50>=10ms", True),
        ("p99 > 0.5s", False),
        ("p99.9>0.5s", True),
        ("p99.9 > 999 ms", True),
        ("p90<20ms", True),
        ("p95<=5000us", False),
        ("max>=1s", True),
        ("max>1s", False),
        ("mean>19ms", True),
        ("mean>20ms", False),
        ("errors>2", True),
        ("errors>3", False),
        ("errors>=3", True),
        ("error_rate>2.5%", True),
        ("error_rate>0.025", True),
        ("error_rate>3%", False),
        ("rps<201", True),
        ("rps<200", False),
    ],
)
def test_verdict(text: str, is_beyond: bool) -> None:
    assert threshold(text).is_beyond(RESULT) is is_beyond


def test_latency_counts_from_the_intended_send_time_if_there_is_one() -> None:
    result = Result(1, make_tally({10_000: 5}, corrected={90_000: 5}), has_rate=True)
    assert threshold("p50>50ms").is_beyond(result)


def test_without_answers_there_is_no_latency() -> None:
    result = Result(1, make_tally({}, failures={"lost": 3}), has_rate=False)
    assert not threshold("p50<50ms").is_beyond(result)
    assert threshold("errors>0").is_beyond(result)
    assert threshold("rps<1").is_beyond(result)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # The highest value that the histogram cannot tell from it.
        ("p99>1ms", "p99 10.007 ms"),
        ("errors>0", "3 errors"),
        ("error_rate>0", "2.91% errors"),
        ("rps<1000", "200.0 requests/s"),
    ],
)
def test_description_has_a_unit(text: str, said: str) -> None:
    assert threshold(text).describe(RESULT) == said


@pytest.mark.parametrize(
    "text",
    [
        *("", "p99", "p99>", ">5ms", "p99>50", "p99>5%", "p99>5 parsecs", "p99=5ms", "p99>-5ms"),
        *("p>5ms", "p100>5ms", "p101>5ms", "q99>5ms", "errors>5ms", "rps>5%", "rps<1.2.3"),
        *("p99>5ms and more", "errors>.", "error_rate>1ms"),
    ],
)
def test_nonsense(text: str) -> None:
    with pytest.raises(click.BadParameter):
        threshold(text)
