"""What ``--fail-if`` says: limits that a measurement must not be beyond."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from httpio_cli._values import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .results import Result

_CONDITION: Final = re.compile(r"\s*([a-z_]+[0-9.]*)\s*(>=|<=|>|<)\s*([0-9.]+)\s*([A-Za-zµ%]*)\s*")
_PERCENTILE: Final = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?)")
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TIMES: Final = ("mean", "max")


@dataclass(frozen=True)
class Threshold:
    """A condition that a measurement must not fulfil."""

    text: str
    metric: str
    comparison: str
    limit: float
    """Milliseconds, a number, a part of 1, or requests per second, as the metric wants it."""

    def value(self, result: Result) -> float:
        """Return what was measured."""
        match self.metric:
            case "mean":
                return result.latency.mean
            case "max":
                return result.latency.maximum
            case "errors":
                return result.tally.errors
            case "error_rate":
                return result.error_rate
            case "rps":
                return result.requests_per_second
            case _:
                return result.latency.percentile(float(self.metric[1:]))

    def is_beyond(self, result: Result) -> bool:
        """Return whether *result* is beyond the limit. Without any answer there is no latency."""
        if not result.tally.answered and self.is_time:
            return False
        return _COMPARE[self.comparison](self.value(result), self.limit)

    @property
    def is_time(self) -> bool:
        """Whether it is about latency."""
        return self.metric.startswith("p") or self.metric in _TIMES

    def describe(self, result: Result) -> str:
        """Return what was measured, with its unit."""
        value = self.value(result)
        match self.metric:
            case "errors":
                return f"{value:.0f} errors"
            case "error_rate":
                return f"{value:.2%} errors"
            case "rps":
                return f"{value:,.1f} requests/s"
            case _:
                return f"{self.metric} {value:.3f} ms"


class _ThresholdType(click.ParamType["Threshold"]):
    name = "condition"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Threshold:
        if isinstance(value, Threshold):
            return value
        text = str(value)
        found = _CONDITION.fullmatch(text)
        if found is None:
            self.fail(f"expected a condition such as 'p99>50ms', got {text!r}", param, ctx)
        metric, comparison, digits, unit = found.groups()
        is_time = metric in _TIMES or _PERCENTILE.fullmatch(metric) is not None
        if not is_time and metric not in ("errors", "error_rate", "rps"):
            self.fail(
                f"expected p50, p99.9 or another percentile, mean, max, errors, error_rate or rps, "
                f"got {metric!r}",
                param,
                ctx,
            )
        try:
            number = float(digits)
        except ValueError:
            self.fail(f"expected a number, got {digits!r}", param, ctx)
        if is_time:
            if not unit or unit == "%":
                self.fail(f"{text!r} lacks a unit of time: us, ms, s, m or h", param, ctx)
            number = SECONDS.convert(f"{digits}{unit}", param, ctx) * 1000
        elif metric == "error_rate" and unit == "%":
            number /= 100
        elif unit:
            self.fail(f"{metric} has no unit {unit!r}", param, ctx)
        return Threshold(text.strip(), metric, comparison, number)


#: A `Threshold`.
THRESHOLD: Final = _ThresholdType()
