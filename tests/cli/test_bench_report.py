"""The report: one page that needs nothing else, and that a browser draws without complaint."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from httpio_cli._bench.charts import COLOURS, charts
from httpio_cli._bench.report import as_page
from httpio_cli._bench.thresholds import THRESHOLD
from tests.support.fix_servers import start_or_skip
from tests.support.servers import find_program

from .benching import Reply, TimedServer, bench, make_outcome, make_tally

if TYPE_CHECKING:
    from pathlib import Path

BROWSER_LIMIT = 60
"""Seconds."""


class Page(HTMLParser):
    """Notes the elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def sweep(rate: float | None = None) -> str:
    tallies = {
        depth: make_tally(
            {100 * depth + step: 200 for step in range(10)},
            corrected={300 * depth + step: 200 for step in range(10)} if rate else None,
            statuses={200: 1990, 404: 10},
            failures={"ConnectionClosed: the server closed it": depth},
        )
        for depth in (1, 4, 16)
    }
    return as_page(make_outcome(tallies, rate=rate), ())


class TestPage:
    @pytest.mark.parametrize("rate", [None, 2000.0])
    def test_needs_nothing_else(self, rate: float | None) -> None:
        text = sweep(rate)
        page = Page(text)
        assert page.count("script") == 0
        assert not {"link", "img", "iframe", "object", "embed", "base"} & {
            tag for tag, _ in page.elements
        }
        for _, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "href", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")
        assert "@import" not in text
        assert "url(" not in text
        assert len(text) < 250_000

    @pytest.mark.parametrize(("rate", "curves"), [(None, 3), (2000.0, 6)])
    def test_has_all_charts(self, rate: float | None, curves: int) -> None:
        page = Page(sweep(rate))
        assert page.count("svg") == 5
        # Of percentiles, of requests per second and p99 by depth, and two over time.
        paths = [
            attributes
            for tag, attributes in page.elements
            if tag == "path" and "line" in (attributes.get("class") or "").split()
        ]
        drawn = [path for path in paths if re.match(r"M[\d.]+ [\d.]+ .*L", path.get("d") or "")]
        assert len(drawn) >= curves + 2 + 2 * 3

    def test_has_the_numbers_and_the_settings(self) -> None:
        texts = " ".join(Page(sweep(2000.0)).texts)
        assert "from the intended send time (corrected for coordinated omission)" in texts
        assert "from the actual send time (uncorrected)" in texts
        assert "http://localhost:8000/document" in texts
        assert "2000 requests/s in all (open loop)" in texts
        assert "ConnectionClosed: the server closed it" in texts
        assert "status 404" in texts
        for unit in ("p99 ms", "requests/s", "MB/s"):
            assert unit in texts

    def test_both_schemes_define_all_colours(self) -> None:
        text = sweep()
        light, dark = text.split("@media (prefers-color-scheme: dark)", 1)
        names = {*re.findall(r"var\((--[a-z0-9]+)\)", text)}
        assert {f"--c{number}" for number in range(3)} <= names
        for scheme in (light, dark.split("body {")[0]):
            defined = {*re.findall(r"(--[a-z0-9]+): #", scheme)}
            assert names <= defined
            assert {f"--c{number}" for number in range(COLOURS)} <= defined

    def test_text_from_elsewhere_is_no_markup(self) -> None:
        outcome = make_outcome(
            {1: make_tally({100: 5}, failures={"<script>alert(1)</script>": 1})},
            urls=("http://localhost/<script>?a&b",),
            fields=(("X", "<b>\"'"),),
        )
        page = Page(as_page(outcome, ()))
        assert page.count("script") == 0
        assert page.count("b") == 0
        assert "X: <b>\"'" in page.texts

    def test_secrets_are_hidden(self) -> None:
        outcome = make_outcome({1: make_tally({100: 5})}, fields=(("Cookie", "id=secret"),))
        assert "secret" not in as_page(outcome, ())

    def test_thresholds(self) -> None:
        conditions = [THRESHOLD.convert(text, None, None) for text in ("p99>1ms", "errors>0")]
        page = as_page(make_outcome({1: make_tally({5000: 10})}), conditions)
        assert re.search(r'class="beyond">[^<]*p99&gt;1ms \(depth 1: p99 5.000 ms\)', page)
        assert 'class="held">within the limit: not errors&gt;0' in page

    def test_knee_is_marked(self) -> None:
        tallies = {1: make_tally({100: 100}), 4: make_tally({100: 1000})}
        page = as_page(make_outcome(tallies), ())
        assert '<tr class="knee"><td>4</td>' in page
        assert "4 (knee)" in page

    def test_without_any_answer(self) -> None:
        tally = make_tally({}, failures={"ConnectionRefusedError": 3})
        for rate in (None, 10.0):
            page = Page(as_page(make_outcome({1: tally, 2: tally}, rate=rate), ()))
            assert page.count("svg") == 5
            assert "ConnectionRefusedError" in page.texts


class TestCharts:
    def test_more_series_than_colours(self) -> None:
        tallies = {depth: make_tally({100: 5}, corrected={200: 5}) for depth in range(1, 33)}
        spectrum = charts(make_outcome(tallies, rate=5.0))[0]
        assert len(spectrum.legend) == 64
        assert {entry.colour for entry in spectrum.legend} == set(range(COLOURS))
        # The two ways of counting the same have the same colour.
        corrected, uncorrected = spectrum.legend[:2]
        assert corrected.colour == uncorrected.colour
        assert (corrected.is_dashed, uncorrected.is_dashed) == (False, True)
        assert spectrum.svg.count("var(--c7)") > 0

    def test_no_script_is_left(self) -> None:
        for chart in charts(make_outcome({1: make_tally({100: 5}), 2: make_tally({100: 5})})):
            assert "script" not in chart.svg
            assert chart.svg.startswith("<svg")

    def test_curve_of_percentiles_reaches_the_slowest(self) -> None:
        counts = Counter({100: 9990, 500_000: 10})
        spectrum = charts(make_outcome({1: make_tally(counts)}))[0]
        assert "99.99%" in spectrum.svg
        assert "500" in spectrum.svg


@pytest.mark.exhaustive
class TestBrowser:
    """Chromium, which may start slowly, and says what it does not like on its stderr."""

    def open(self, path: Path, profile: Path) -> tuple[str, str]:
        """Return the document that the browser has made of *path*, and its console."""
        program = start_or_skip(
            lambda: find_program("chromium", "chromium", "chromium-browser", "google-chrome")
        )
        done = subprocess.run(
            [
                *(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", f"--user-data-dir={profile}"),
                *("--enable-logging=stderr", "--v=0", "--dump-dom", path.as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=BROWSER_LIMIT,
        )
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout, "\n".join(console)

    def test_console_would_show_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "bad.html"
        path.write_text("<!DOCTYPE html><title>x</title><script>nonsense(</script>")
        _, console = self.open(path, tmp_path / "profile")
        assert "SyntaxError" in console

    def test_report_of_a_sweep(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        with TimedServer(
            lambda number, _time: Reply(status=500 if number % 9 == 8 else 200)
        ) as server:
            done = bench("-n", "300", "-p", "1,4,16", "--report", str(path), server.url)
        assert done.returncode == 0
        text, console = self.open(path, tmp_path / "profile")
        assert console == ""
        page = Page(text)
        assert page.count("svg") == 5
        assert page.count("script") == 0
        # What the browser has understood as curves and bars, in the document that it has made.
        curves = [
            attributes["d"]
            for tag, attributes in page.elements
            if tag == "path" and "line" in (attributes.get("class") or "").split()
        ]
        assert sum((curve or "").count("L") + (curve or "").count(" ") > 4 for curve in curves) >= 5
        bars = [attributes for tag, attributes in page.elements if tag == "rect"]
        assert sum(float(bar.get("width") or 0) > 1 for bar in bars) >= 6
        assert {"requests/s (left)", "p99 in ms (right)", "2xx", "5xx"} <= {*page.texts}


def test_imports_are_what_they_were() -> None:
    """pygal is no reason for a warning, in whatever is imported after it."""
    code = (
        "import httpio_cli._bench.charts, importlib.util\n"
        "assert importlib.util.find_spec('no_such_module') is None"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
