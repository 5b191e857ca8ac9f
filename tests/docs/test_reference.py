"""The reference has every public name, and says what the code says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import httpio
import httpio_aio
import httpio_trio
from httpio import _decoders, _parser, _receiving

from .pages import DOCS

if TYPE_CHECKING:
    from types import ModuleType

REFERENCE = "\n".join(
    page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md"))
)
DOCUMENTED = set(re.findall(r"^ *\.\. (?:auto|py:)\w+:: ([\w.]+)", REFERENCE, re.MULTILINE))


def test_every_name_of_the_package() -> None:
    assert set(httpio.__all__) - {"__version__"} <= DOCUMENTED


@pytest.mark.parametrize("package", [httpio_aio, httpio_trio])
def test_every_name_of_an_adapter(package: ModuleType) -> None:
    page = (DOCS / "reference" / "adapters.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^ *\.\. auto\w+:: (\w+)", page, re.MULTILINE))
    assert set(package.__all__) - {"__version__"} <= documented


def test_every_name_of_a_connection() -> None:
    conn = httpio.HTTPConnection("localhost")
    names = {*dir(conn), *vars(conn)}
    public = {f"HTTPConnection.{name}" for name in names if not name.startswith("_")}
    assert public == {name for name in DOCUMENTED if name.startswith("HTTPConnection.")}


def test_settings() -> None:
    values = dict(re.findall(r"py:data:: (\w+)\n.*\n *:value: (.*)\n", REFERENCE))
    assert len(values) == 5
    for name, value in values.items():
        assert repr(getattr(httpio, name)) == value


def test_limits_that_are_fixed() -> None:
    limits = dict(re.findall(r"^\| (.*) \| (\d+)(?: bytes)? \|$", REFERENCE, re.MULTILINE))
    assert limits["field lines in a header or trailer section"] == str(_parser.MAX_FIELD_LINES)
    assert limits["interim (1xx) responses to one request"] == str(_receiving.MAX_INFORMATIONAL)
    line = limits["the first line of a chunk, with its extensions"]
    assert line == str(_decoders.MAX_CHUNK_LINE_SIZE)
