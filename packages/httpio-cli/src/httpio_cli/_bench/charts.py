"""The charts of the report: SVG made by pygal, without any script.

Colours are variables of the page, which has them in light and dark.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

import pygal
from pygal.etree import etree
from pygal.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from .results import Outcome, Result

    #: A value; or one with what is special about it.
    Value: TypeAlias = "float | dict[str, object]"

    class _Element(Protocol):
        tag: str

        def __iter__(self) -> Iterator[_Element]: ...
        def iter(self) -> Iterator[_Element]: ...
        def remove(self, element: _Element) -> None: ...

    class _Chart(Protocol):
        def add(self, title: str, values: Sequence[object], **options: object) -> object: ...
        def render_tree(self) -> _Element: ...


# pygal has its maps found in a way that Python 3.12 has dropped. 3.11 warns of that at every import
# that finds nothing, and we draw no maps.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

#: Colours that the page defines.
COLOURS: Final = 8
#: More points than these tell nothing more on so small a chart.
_MOST_LEVELS: Final = 7

#: Series that a chart may have.
_MOST_SERIES: Final = 160


def _style(alike: int) -> object:
    """Return the style of a chart in which each *alike* series have the same colour."""
    return Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--text)",
        foreground_strong="var(--text)",
        foreground_subtle="var(--faint)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        value_background="var(--page)",
        guide_stroke_dasharray="1,0",
        major_guide_stroke_dasharray="1,0",
        font_family="system-ui, sans-serif",
        # pygal cannot make more of colours whose values it does not know.
        colors=tuple(f"var(--c{_colour(number, alike)})" for number in range(_MOST_SERIES)),
        value_colors=("var(--text)",) * _MOST_SERIES,
        opacity=".85",
        opacity_hover=".85",
        stroke_opacity="1",
        stroke_width="2",
        stroke_width_hover="2",
        label_font_size=13,
        major_label_font_size=13,
        title_font_size=15,
        no_data_font_size=20,
        transition="0s",
    )


def _colour(number: int, alike: int) -> int:
    return number // alike % COLOURS


@dataclass
class Chart:
    """A chart, and what belongs to it on the page."""

    caption: str
    svg: str
    legend: list[Entry]


class Entry(NamedTuple):
    """A line of a legend."""

    title: str
    colour: int
    is_dashed: bool


class _Drawing:
    """A chart of pygal that is being made, and its legend."""

    def __init__(self, chart: object, *, alike: int = 1) -> None:
        self._chart: Final = cast("_Chart", chart)
        self._alike: Final = alike
        self._legend: Final[list[Entry]] = []

    def add(
        self, title: str, values: Sequence[object], *, is_dashed: bool = False, **options: object
    ) -> None:
        """Add a series."""
        style: dict[str, object] = {"width": 2}
        if is_dashed:
            style["dasharray"] = "5, 4"
        self._chart.add(title, values, stroke_style=style, **options)
        self._legend.append(Entry(title, _colour(len(self._legend), self._alike), is_dashed))

    def finish(self, caption: str) -> Chart:
        """Return it, without the scripts that pygal puts into it."""
        root = self._chart.render_tree()
        for parent in list(root.iter()):
            for child in list(parent):
                if str(child.tag).rpartition("}")[2] == "script":
                    parent.remove(child)
        return Chart(caption, cast("str", etree.tostring(root, encoding="unicode")), self._legend)


def charts(outcome: Outcome) -> list[Chart]:
    """Return the charts of *outcome*."""
    several = len(outcome.results) > 1
    return [
        _spectrum(outcome),
        *([_by_depth(outcome)] if several else []),
        _latency_over_time(outcome),
        _rate_over_time(outcome),
        _answers(outcome),
    ]


def _spectrum(outcome: Outcome) -> Chart:
    curves: list[tuple[str, list[tuple[float, float]], bool]] = []
    for result in outcome.results:
        for name, distribution in (
            ("corrected", result.from_intent),
            ("uncorrected", result.from_send),
        ):
            if distribution is None:
                continue
            # A level that less than one answer is beyond is no more than the maximum.
            rest = 0.5 / max(distribution.count, 1)
            points = [
                (-log10(max(1 - point.percentile / 100, rest)), point.value)
                for point in distribution.curve()
            ]
            title = f"depth {result.depth}" + (f", {name}" if result.has_rate else "")
            curves.append((title, points, result.has_rate and name == "uncorrected"))
    longest = max((points[-1][0] for _, points, _ in curves if points), default=1.0)
    labels: list[dict[str, object]] = [
        {"value": level, "label": _percent(level)}
        for level in range(min(int(longest) + 2, _MOST_LEVELS))
    ]
    drawing = _xy(
        "Latency by percentile",
        "ms",
        1 if outcome.load.rate is None else 2,
        x_labels=labels,
        show_dots=False,
        xrange=(0, len(labels) - 1),
    )
    for title, points, is_dashed in curves:
        drawing.add(title, points, is_dashed=is_dashed)
    return drawing.finish("Towards the right, the few slowest answers.")


def _percent(level: int) -> str:
    return {0: "0%", 1: "90%"}.get(level, f"99.{'9' * (level - 2)}%" if level > 2 else "99%")


def _by_depth(outcome: Outcome) -> Chart:
    results = sorted(outcome.results, key=lambda result: result.depth)
    drawing = _Drawing(
        pygal.Line(
            **_common("Requests per second and p99 by depth"),
            x_labels=[
                f"{result.depth}{' (knee)' if result is outcome.knee else ''}" for result in results
            ],
            x_title="depth",
            y_title="requests/s",
            # Both from nought: it shows by how much they differ, and if they do not.
            range=(0, _above(result.requests_per_second for result in results)),
            secondary_range=(0, _above(result.latency.percentile(99) for result in results)),
            dots_size=3,
        ),
    )
    drawing.add(
        "requests/s (left)",
        [_marked(result, outcome, result.requests_per_second) for result in results],
    )
    drawing.add(
        "p99 in ms (right)",
        [_marked(result, outcome, result.latency.percentile(99)) for result in results],
        secondary=True,
    )
    return drawing.finish(
        "" if outcome.knee is None else f"The knee is at depth {outcome.knee.depth}."
    )


def _above(values: Iterable[float]) -> float:
    """Return the end of an axis for *values*."""
    return 1.1 * max(values) or 1.0


def _marked(result: Result, outcome: Outcome, value: float) -> Value:
    return {"value": value, "node": {"r": 7}} if result is outcome.knee else value


def _latency_over_time(outcome: Outcome) -> Chart:
    drawing = _xy("Latency over time", "ms", x_title="s", show_dots=_are_few(outcome))
    for result in outcome.results:
        moments = [moment for moment in result.over_time if moment.maximum]
        if len(outcome.results) > 1:
            drawing.add(f"depth {result.depth}: p99", [(each.at, each.p99) for each in moments])
        else:
            drawing.add("p50", [(each.at, each.p50) for each in moments])
            drawing.add("p99", [(each.at, each.p99) for each in moments])
            drawing.add("max", [(each.at, each.maximum) for each in moments])
    return drawing.finish(
        "By when the answers were complete"
        + (", from the intended send time." if outcome.load.rate is not None else ".")
    )


def _are_few(outcome: Outcome) -> bool:
    """Whether there may be too few points to make a line."""
    return min(len(result.over_time) for result in outcome.results) < 3


def _rate_over_time(outcome: Outcome) -> Chart:
    drawing = _xy(
        "Requests per second over time", "requests/s", x_title="s", show_dots=_are_few(outcome)
    )
    for result in outcome.results:
        drawing.add(
            f"depth {result.depth}",
            [(each.at, each.requests_per_second) for each in result.over_time],
        )
    return drawing.finish("")


def _answers(outcome: Outcome) -> Chart:
    # They are drawn from the bottom upwards.
    results = outcome.results[::-1]
    drawing = _Drawing(
        pygal.HorizontalStackedBar(
            **{**_common("Answers by class of status, and failures"), "height": _bars(outcome)},
            x_labels=[f"depth {result.depth}" for result in results],
            x_title="requests",
        ),
    )
    classes = sorted({name for result in results for name in result.status_classes()})
    kinds = sorted({kind for result in results for kind in result.tally.failures})
    for name in classes:
        drawing.add(name, [result.status_classes().get(name, 0) for result in results])
    for kind in kinds:
        drawing.add(kind, [result.tally.failures.get(kind, 0) for result in results])
    return drawing.finish("")


def _bars(outcome: Outcome) -> int:
    """Return the height of a chart with a bar for each depth."""
    return 150 + 30 * len(outcome.results)


def _common(title: str, alike: int = 1) -> dict[str, object]:
    return {
        "style": _style(alike),
        "js": [],
        "width": 860,
        "height": 360,
        "title": title,
        "show_legend": False,
        "disable_xml_declaration": True,
        "margin": 12,
        "no_data_text": "nothing was measured",
        "value_formatter": _number,
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _xy(title: str, y_title: str, alike: int = 1, **options: object) -> _Drawing:
    return _Drawing(
        pygal.XY(
            **_common(title, alike),
            x_value_formatter=_number,
            y_title=y_title,
            dots_size=3,
            include_x_axis=True,
            **options,
        ),
        alike=alike,
    )
