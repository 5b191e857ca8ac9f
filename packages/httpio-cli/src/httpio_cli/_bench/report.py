"""The report: one page with charts and tables that needs nothing else, no network and no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from httpio_cli._version import __version__

from .charts import charts
from .histograms import PERCENTILES
from .wording import (
    FROM_INTENT,
    FROM_SEND,
    KNEE_RULE,
    UNCORRECTED,
    bytes_per_second,
    errors,
    milliseconds,
    remarks,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .charts import Chart
    from .histograms import Distribution
    from .results import Outcome, Result
    from .thresholds import Threshold

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="faint">httpio {version}</p>
{content}
</main>
</body>
</html>
"""

# Pairs of colours that those with other colour vision can tell apart as well, in either scheme.
_STYLE: Final = """:root {
  --page: #ffffff; --panel: #f6f7f9; --text: #1c2430; --faint: #5b6675; --line: #d9dee5;
  --bad: #b42318; --good: #1a7f37;
  --c0: #2166c4; --c1: #d1580c; --c2: #0f8a72; --c3: #a8327d; --c4: #8a6d00; --c5: #5b4bc4;
  --c6: #4d7f17; --c7: #5b6675;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --panel: #1a2029; --text: #e4e9f0; --faint: #9aa7b7; --line: #303946;
    --bad: #ff8a7a; --good: #6fd08c;
    --c0: #6fb1ff; --c1: #ff9a55; --c2: #4fd0b4; --c3: #f07fc8; --c4: #e0c04a; --c5: #a99bff;
    --c6: #a3d65c; --c7: #9aa7b7;
  }
}
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 36px 0 8px; }
.faint, figcaption, caption { color: var(--faint); }
.beyond { color: var(--bad); } .held { color: var(--good); }
figure { margin: 16px 0; padding: 8px; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; }
figcaption { font-size: 13px; padding: 0 8px 4px; }
figcaption p { margin: 2px 0; }
figcaption span { display: inline-block; margin-right: 18px; color: var(--text); }
figcaption i { display: inline-block; width: 22px; margin-right: 6px; vertical-align: middle; }
figure svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: 13px; padding: 4px 0; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th { font-weight: 600; }
.pairs th, .pairs td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.pairs th { width: 14em; font-weight: 400; color: var(--faint); }
tr.knee td { background: var(--panel); font-weight: 600; }
"""


def as_page(outcome: Outcome, thresholds: Sequence[Threshold]) -> str:
    """Return the page for *outcome*."""
    urls = outcome.load.urls
    title = f"Load on {urls[0] if len(urls) == 1 else f'{len(urls)} URLs'}"
    parts = [
        _notes(remarks(outcome)),
        _thresholds(outcome, thresholds),
        "<h2>Numbers</h2>",
        *_numbers(outcome),
        "<h2>Charts</h2>",
        *map(_figure, charts(outcome)),
        "<h2>Errors</h2>",
        _errors(outcome),
        "<h2>Settings</h2>",
        _pairs(settings(outcome)),
    ]
    return _PAGE.format(
        title=escape(title),
        version=escape(__version__),
        style=_STYLE,
        content="\n".join(part for part in parts if part),
    )


def _figure(chart: Chart) -> str:
    entries = "".join(
        f'<span><i style="border-top: 3px {"dashed" if entry.is_dashed else "solid"} '
        f'var(--c{entry.colour})"></i>{escape(entry.title)}</span>'
        for entry in chart.legend
    )
    caption = f"<p>{escape(chart.caption)}</p>" if chart.caption else ""
    return f"<figure>{chart.svg}<figcaption><p>{entries}</p>{caption}</figcaption></figure>"


def _notes(lines: Sequence[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _thresholds(outcome: Outcome, thresholds: Sequence[Threshold]) -> str:
    lines = []
    for threshold in thresholds:
        beyond = [result for result in outcome.results if threshold.is_beyond(result)]
        said = ", ".join(f"depth {each.depth}: {threshold.describe(each)}" for each in beyond)
        lines.append(
            f'<p class="beyond">beyond a limit: {escape(threshold.text)} ({escape(said)})</p>'
            if beyond
            else f'<p class="held">within the limit: not {escape(threshold.text)}</p>'
        )
    return "\n".join(lines)


def _numbers(outcome: Outcome) -> Iterable[str]:
    if outcome.load.rate is None:
        yield _latency_table(outcome, f"Latency {FROM_SEND}", corrected=False)
    else:
        yield _latency_table(outcome, f"Latency {FROM_INTENT}", corrected=True)
        yield _latency_table(outcome, f"Latency {UNCORRECTED}", corrected=False)
    if outcome.knee is not None:
        yield f'<p class="faint">The knee is {escape(KNEE_RULE)}.</p>'
    yield _table(
        "Where the time goes: wire is from sending, or the end of the answer before if that was later, "
        "to the end of the answer; head-of-line is from sending to the end of the answer before",
        ["depth", *_part_heads(outcome)],
        [
            ([str(result.depth), *_part_cells(result)], result is outcome.knee)
            for result in outcome.results
        ],
    )


def _latency_table(outcome: Outcome, title: str, *, corrected: bool) -> str:
    rows = []
    for result in outcome.results:
        latency = result.latency if corrected else result.from_send
        cells = [
            str(result.depth),
            f"{result.requests_per_second:,.1f}",
            *_latencies(latency),
            f"{result.tally.errors:,}",
            bytes_per_second(result.content_per_second),
        ]
        rows.append((cells, result is outcome.knee))
    heads = ["depth", "requests/s", *(f"p{level:g} ms" for level in PERCENTILES)]
    return _table(title, [*heads, "max ms", "errors", "content"], rows)


def _latencies(distribution: Distribution) -> list[str]:
    if not distribution.count:
        return ["–"] * (len(PERCENTILES) + 1)
    values = [*map(distribution.percentile, PERCENTILES), distribution.maximum]
    return [milliseconds(value) for value in values]


def _part_heads(outcome: Outcome) -> list[str]:
    names = ["wire", "head-of-line"]
    if outcome.load.rate is not None:
        names.insert(0, "queue")
    return [head for name in names for head in (f"{name} mean ms", "p99 ms")]


def _part_cells(result: Result) -> list[str]:
    parts = [result.wire, result.head_of_line]
    if result.queue is not None:
        parts.insert(0, result.queue)
    return [milliseconds(value) for part in parts for value in (part.mean, part.percentile(99))]


def _errors(outcome: Outcome) -> str:
    rows = [
        ([str(result.depth), kind, f"{count:,}"], False)
        for result in outcome.results
        for kind, count in errors(result)
    ]
    return _table("", ["depth", "kind", "requests"], rows) if rows else "<p>none</p>"


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[Sequence[str], bool]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "\n".join(
        ('<tr class="knee">' if is_knee else "<tr>")
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for cells, is_knee in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs
    )
    return f'<table class="pairs">{rows}</table>'
