"""Distributions of latency: exact where it is told so, three digits elsewhere, and readable by others."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hdrh.histogram import HdrHistogram

from httpio_cli._bench.histograms import Distribution


def test_nothing() -> None:
    nothing = Distribution({})
    assert (nothing.count, nothing.mean, nothing.maximum, nothing.deviation) == (0, 0, 0, 0)
    assert nothing.percentile(99) == 0
    assert nothing.curve() == []


def test_few_values_are_exact() -> None:
    values = Distribution({1000: 1, 3000: 1})
    assert (values.count, values.mean, values.deviation) == (2, 2.0, 1.0)
    assert (values.minimum, values.maximum) == (1.0, 3.0)
    assert values.percentile(50) == 1.0
    assert values.percentile(100) == 3.0


def test_percentiles_have_three_digits() -> None:
    generator = random.Random(7)
    values = sorted(int(generator.lognormvariate(8, 1)) for _ in range(20_000))
    distribution = Distribution(Counter(values))
    for level in (50, 90, 99, 99.9):
        expected = values[round(len(values) * level / 100) - 1] / 1000
        assert distribution.percentile(level) == pytest.approx(expected, rel=0.002, abs=0.001)
    assert distribution.maximum == values[-1] / 1000
    assert distribution.mean == pytest.approx(sum(values) / len(values) / 1000)


def test_no_percentile_is_beyond_the_maximum() -> None:
    assert Distribution({1_234_567: 3}).percentile(50) == 1234.567


def test_what_takes_longer_than_an_hour_is_not_lost() -> None:
    distribution = Distribution({7_200_000_000: 1, 1: 1})
    assert distribution.count == 2
    assert distribution.maximum == 7_200_000
    assert distribution.percentile(100) >= 3_600_000


def test_curve_rises_to_the_end() -> None:
    curve = Distribution(Counter(dict.fromkeys(range(1, 5000), 1))).curve()
    assert [point.percentile for point in curve] == sorted(point.percentile for point in curve)
    assert [point.value for point in curve] == sorted(point.value for point in curve)
    assert curve[-1].percentile == 100
    assert curve[-1].value == 4.999


def test_hgrm_is_what_the_plotter_reads() -> None:
    """The plotter takes lines of four numbers, the first and the last of which it draws."""
    counts = Counter({value * 10: 1 for value in range(1, 2001)})
    lines = Distribution(counts).hgrm().splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    points = [
        [float(word) for word in line.split()]
        for line in lines[1:]
        if not line.startswith("#") and len(line.split()) == 4
    ]
    assert len(points) > 30
    for value, percentile, total, inverse in points:
        assert inverse == pytest.approx(1 / (1 - percentile), rel=0.01)
        assert total >= percentile * 2000 - 1
        # In milliseconds.
        assert value == pytest.approx(percentile * 20, rel=0.01, abs=0.02)
    (summary,) = (line for line in lines if line.startswith("#[Mean"))
    assert summary == "#[Mean    =       10.005, StdDeviation   =        5.774]"
    comments = [line for line in lines if line.startswith("#[")]
    assert len(comments) == 3
    assert "Mean" in comments[0]
    assert "Max" in comments[1]
    assert "SubBuckets" in comments[2]


def test_encoded_histogram_can_be_read_again() -> None:
    counts = {1: 5, 1000: 3, 90_000_000: 2}
    read = HdrHistogram.decode(Distribution(counts).encoded())
    assert read.get_total_count() == 10
    assert read.get_value_at_percentile(50) == 1
    assert read.get_value_at_percentile(100) == pytest.approx(90_000_000, rel=0.001)
