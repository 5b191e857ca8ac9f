"""What was measured, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measuring import Series


@dataclass(frozen=True)
class Target:
    """What a subject may cost at the most, as a multiple of another.

    Without a *reference*, *limit* is in the unit of the table, and no round may be above it.
    """

    subject: str
    reference: str | None
    limit: float
    binding: bool = True
    """Whether it is a requirement or an aim."""


@dataclass
class Table:
    """The outcome of one benchmark. The first of *series* is what the others are compared with."""

    title: str
    unit: str
    series: list[Series]
    targets: list[Target] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    digits: int = 1
    note: str = ""

    def ratio(self, subject: str, reference: str) -> tuple[float, float] | None:
        """Return the ratio of the minima and the median of the rounds' ratios.

        Returns `None` if one of the two was not measured.
        """
        by_name = {series.name: series for series in self.series}
        if subject not in by_name or reference not in by_name:
            return None
        over, under = by_name[subject], by_name[reference]
        ratios = [a / b for a, b in zip(over.values, under.values, strict=True)]
        return over.minimum / under.minimum, median(ratios)

    def __str__(self) -> str:
        base = self.series[0].name
        width = max(30, *(len(series.name) for series in self.series))
        header = f"{self.unit:{width}} {'min':>9} {'median':>9}   ratio to {base}: min, median"
        lines = [self.title, "=" * len(self.title), "", header]
        for series in self.series:
            ratio = self.ratio(series.name, base)
            ratios = f"{ratio[0]:9.2f} {ratio[1]:9.2f}" if ratio else ""
            lines.append(
                f"{series.name:{width}} {series.minimum:9.{self.digits}f}"
                f" {series.median:9.{self.digits}f} {ratios}"
            )
        lines += [f"not measured: {problem}" for problem in self.missing]
        if self.targets:
            lines.append("")
        lines += [line for target in self.targets if (line := self._verdict(target))]
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines)

    def _verdict(self, target: Target) -> str | None:
        """Return a line about *target*, `None` if it was not measured."""
        kind = "target" if target.binding else "aim"
        if target.reference is None:
            maximum = max(
                (max(series.values) for series in self.series if series.name == target.subject),
                default=None,
            )
            if maximum is None:
                return None
            verdict = "met" if maximum <= target.limit else "NOT MET"
            limit = f"{target.limit:.{self.digits}f}"
            return f"{kind:6} {target.subject} <= {limit}: max {maximum:.{self.digits}f}, {verdict}"
        ratio = self.ratio(target.subject, target.reference)
        if ratio is None:
            return None
        verdict = "met" if ratio[1] <= target.limit else "NOT MET"
        return (
            f"{kind:6} {target.subject} / {target.reference} <= {target.limit:.2f}:"
            f" min {ratio[0]:.2f}, median {ratio[1]:.2f}, {verdict}"
        )

    def as_dict(self) -> dict[str, object]:
        """Return everything, each round's value included."""
        return {
            **asdict(self),
            "ratios": {
                f"{target.subject} / {target.reference}": self.ratio(
                    target.subject, target.reference
                )
                for target in self.targets
                if target.reference is not None
            },
        }
