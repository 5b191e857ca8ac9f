"""Latencies as HDR histograms, with the `hdrhistogram` package.

A histogram counts microseconds, from 1 to an hour, with three significant digits.
"""

from __future__ import annotations

import re
from io import BytesIO
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    class _Step(Protocol):
        value_iterated_to: int
        percentile_level_iterated_to: float

    class _Histogram(Protocol):
        def record_value(self, value: int, count: int = 1) -> bool: ...
        def get_value_at_percentile(self, percentile: float) -> int: ...
        def get_percentile_iterator(self, ticks_per_half_distance: int) -> Iterator[_Step]: ...
        def output_percentile_distribution(
            self, out_file: BinaryIO, output_value_unit_scaling_ratio: float
        ) -> None: ...
        def encode(self) -> bytes: ...


#: Microseconds.
_LONGEST: Final = 3_600_000_000
_MEAN_LINE: Final = re.compile(r"^#\[Mean .*\]$", re.MULTILINE)
_DIGITS: Final = 3
#: Points of a curve for each halving of what is left to 100 %.
_TICKS: Final = 5
#: The percentiles that are told everywhere.
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


class Point(NamedTuple):
    """A point of the curve of percentiles."""

    percentile: float
    """From 0 to 100."""
    value: float
    """Milliseconds."""


class Distribution:
    """Times, of which each is known with its number. What it gives is in milliseconds."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        from hdrh.histogram import HdrHistogram

        self._histogram = cast("_Histogram", HdrHistogram(1, _LONGEST, _DIGITS))
        self.count: Final = sum(counts.values())
        total = squares = 0
        for value, count in counts.items():
            self._histogram.record_value(min(value, _LONGEST), count)
            total += value * count
            squares += value * value * count
        #: They are exact; the percentiles have three digits.
        self.mean: Final = total / self.count / 1000 if self.count else 0.0
        variance = squares / self.count - (total / self.count) ** 2 if self.count else 0.0
        self.deviation: Final = sqrt(max(variance, 0.0)) / 1000
        self.minimum: Final = min(counts, default=0) / 1000
        self.maximum: Final = max(counts, default=0) / 1000

    def percentile(self, level: float) -> float:
        """Return the time that *level* percent do not exceed."""
        if not self.count:
            return 0.0
        # The histogram says the highest that it cannot tell from the one that was there.
        return min(self._histogram.get_value_at_percentile(level) / 1000, self.maximum)

    def curve(self) -> list[Point]:
        """Return the curve of percentiles, its points closer together towards 100 %."""
        if not self.count:
            return []
        return [
            Point(
                step.percentile_level_iterated_to, min(step.value_iterated_to / 1000, self.maximum)
            )
            for step in self._histogram.get_percentile_iterator(_TICKS)
        ]

    def hgrm(self) -> str:
        """Return the text that the plotter of HdrHistogram reads, in milliseconds."""
        text = BytesIO()
        self._histogram.output_percentile_distribution(text, 1000.0)
        # The package leaves the deviation in microseconds.
        said = f"#[Mean    = {self.mean:12.3f}, StdDeviation   = {self.deviation:12.3f}]"
        return _MEAN_LINE.sub(said, text.getvalue().decode("ascii"))

    def encoded(self) -> str:
        """Return the histogram itself, in microseconds: compressed (V2) and in base64."""
        return self._histogram.encode().decode("ascii")
