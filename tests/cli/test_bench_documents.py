"""The outcome as JSON, CSV, hgrm and text: nothing is missing, and every number says its unit."""

from __future__ import annotations

import csv
import json
import re

import pytest

from httpio_cli._bench.documents import as_csv, as_document, as_hgrm
from httpio_cli._bench.text import as_text
from httpio_cli._bench.thresholds import THRESHOLD
from httpio_cli._bench.wording import bytes_per_second, counted

from .benching import make_outcome, make_tally

TALLIES = {
    1: make_tally({100: 100}, corrected={900: 100}),
    8: make_tally({500: 990}, corrected={800: 990}, failures={"ConnectionClosed: gone": 10}),
}


def leaves(value: object, name: str = "") -> list[tuple[str, object]]:
    """Return all numbers in a document, each with the names that lead to it."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{name}/{key}")]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item, name)]
    return [(name, value)] if isinstance(value, (int, float)) else []


UNITS = ("_ms", "_s", "_per_s", "_bytes", "bytes_per_s")
NUMBERS = (
    *("connections", "worker_processes", "requests", "depth", "answers", "errors", "reconnects"),
    *("error_rate", "count", "worker_cpu", "beyond_at_depths", "interrupted"),
)


class TestJSON:
    @pytest.mark.parametrize("rate", [None, 500.0])
    def test_units_are_in_the_names(self, rate: float | None) -> None:
        document = as_document(
            make_outcome(TALLIES, rate=rate), [THRESHOLD.convert("errors>0", None, None)]
        )
        assert json.loads(json.dumps(document, allow_nan=False))["schema"] == "httpio/bench/1"
        for name, _ in leaves(document):
            last = name.rpartition("/")[2]
            assert (
                last.endswith(UNITS)
                or last in NUMBERS
                or re.search(r"/(statuses|status_classes|failures)/", name)
            ), name

    def test_content(self) -> None:
        document = as_document(make_outcome(TALLIES, rate=500.0), ())
        assert document["knee"] == {
            "depth": 8,
            "rule": "the smallest depth with at least 90% of the most requests per second that any "
            "depth with at most 1% errors has",
        }
        depths = document["depths"]
        assert isinstance(depths, list)
        first, second = depths
        assert first["latency"]["from_intended_send"]["p50_ms"] == 0.9
        assert first["latency"]["from_actual_send"]["p50_ms"] == 0.1
        assert second["failures"] == {"ConnectionClosed: gone": 10}
        assert second["error_rate"] == 0.01

    def test_credentials_are_hidden(self) -> None:
        outcome = make_outcome(
            TALLIES, urls=("http://me:secret@host/",), fields=(("Authorization", "Bearer secret"),)
        )
        assert "secret" not in json.dumps(as_document(outcome, ())) + as_text(outcome)


class TestCSV:
    def test_rows(self) -> None:
        rows = list(csv.DictReader(as_csv(make_outcome(TALLIES)).splitlines()))
        assert [row["latency_counted_from"] for row in rows] == ["actual_send"] * 2
        assert [row["knee"] for row in rows] == ["0", "1"]
        assert rows[0]["p99_ms"] == "0.100"
        for name in rows[0]:
            assert name.endswith(UNITS) or name in (*NUMBERS, "latency_counted_from", "knee")


class TestHgrm:
    def test_names(self) -> None:
        one = {1: TALLIES[1]}
        assert list(as_hgrm(make_outcome(one))) == [""]
        assert list(as_hgrm(make_outcome(one, rate=5.0))) == ["", "-uncorrected"]
        assert list(as_hgrm(make_outcome(TALLIES))) == ["-p1", "-p8"]

    def test_the_one_without_a_suffix_is_corrected(self) -> None:
        files = as_hgrm(make_outcome({1: TALLIES[1]}, rate=5.0))
        assert "0.900" in files[""].splitlines()[2]
        assert "0.100" in files["-uncorrected"].splitlines()[2]


class TestText:
    def test_columns_are_aligned(self) -> None:
        text = as_text(make_outcome(TALLIES, rate=500.0))
        tables = re.findall(r"^ *depth .*(?:\n(?: +\d+  .*))+", text, re.MULTILINE)
        assert len(tables) == 3
        for table in tables:
            head, *rows = table.splitlines()
            for row in rows:
                assert len(row.removesuffix("  <- knee")) == len(head)

    def test_nothing_answered(self) -> None:
        text = as_text(make_outcome({1: make_tally({}, failures={"lost": 5})}))
        assert "0 answers" in text
        assert "5 × lost" in text
        assert re.search(r"^ +1 +0\.0 +- +- +- +- +- +5$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 B/s"),
        (999, "999 B/s"),
        (1000, "1 kB/s"),
        (1234, "1.23 kB/s"),
        (999_999, "1,000 kB/s"),
        (12_345_678, "12.3 MB/s"),
        (5e12, "5.0 TB/s"),
        (5e15, "5,000.0 TB/s"),
    ],
)
def test_bytes_per_second(value: float, said: str) -> None:
    assert bytes_per_second(value) in (said, said.replace(",", ""))


def test_counted() -> None:
    assert [counted(number, "answer") for number in (0, 1, 2345)] == [
        "0 answers",
        "1 answer",
        "2,345 answers",
    ]
