"""Documents for programs."""

from __future__ import annotations

import io
import json

import pytest

from httpio_cli._json_output import document, write_json


def test_schema_comes_first() -> None:
    assert list(document("get", {"a": 1})) == ["schema", "a"]
    assert document("get", {})["schema"] == "httpio/get/1"


def test_one_line_of_ascii() -> None:
    out = io.StringIO()
    write_json({"a": "ü\n\x1b\udcff"}, out)
    assert out.getvalue().isascii()
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {"a": "ü\n\x1b\udcff"}


def test_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(float("nan"), io.StringIO())
