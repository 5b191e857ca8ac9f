"""Values on the command line, with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from httpio_cli._values import COUNT, HEADER, RATE, REMOVED, SECONDS, SIZE

if TYPE_CHECKING:
    from click import ParamType


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (SECONDS, "5", 5.0),
        (SECONDS, "0.5s", 0.5),
        (SECONDS, ".5", 0.5),
        (SECONDS, "50ms", 0.05),
        (SECONDS, "7us", 7e-6),
        (SECONDS, "2m", 120.0),
        (SECONDS, "1h", 3600.0),
        (SECONDS, 3, 3.0),
        (SIZE, "0", 0),
        (SIZE, "4096", 4096),
        (SIZE, "10k", 10240),
        (SIZE, "1.5M", 1572864),
        (SIZE, "1GiB", 1 << 30),
        (SIZE, 7, 7),
        (RATE, "100K", 102400),
        (COUNT, "1", 1),
        (HEADER, "X: a: b ", ("X", "a: b")),
        (HEADER, "X:", ("X", REMOVED)),
        (HEADER, "X;", ("X", "")),
        (HEADER, "X: ü", ("X", "Ã¼")),
        (HEADER, "@file", ("@", "file")),
    ],
)
def test_converted(type_: ParamType[object], text: object, value: object) -> None:
    assert (
        type_.convert(text, None, None) == pytest.approx(value)
        if isinstance(value, float)
        else (type_.convert(text, None, None) == value)
    )


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        *((SECONDS, text) for text in ("", "-1", "x", "5 parsecs", "1e999", "nan", "9" * 400)),
        *((SIZE, text) for text in ("", "-1", "x", "1z", "9" * 400, "9" * 5000)),
        *((COUNT, text) for text in ("0", "-1", "x")),
        *((HEADER, text) for text in ("X", ": a", "X Y: a", "X: \n", "X: \0", "X\n: a", "X: \x7f")),
    ],
)
def test_refused(type_: ParamType[object], text: str) -> None:
    with pytest.raises(click.BadParameter):
        type_.convert(text, None, None)
