"""Values on the command line, with their units, as click has them converted."""

from __future__ import annotations

import re
from math import isfinite

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NUMBER: Final = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-zµ]*)"
_SECONDS: Final = {
    "": 1.0,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}
_BYTES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
# RFC 9110 §5.1, §5.5, as far as a line can say it.
_FIELD_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD_VALUE: Final = r"[\t\x20-\x7e\x80-\xff]*"


class _Seconds(click.ParamType[float]):
    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number, unit = float(value), ""
        else:
            found = re.fullmatch(_NUMBER, str(value))
            if found is None or found[2] not in _SECONDS:
                self.fail(f"expected a time such as 5, 0.5s, 50ms or 2m, got {value!r}", param, ctx)
            number, unit = float(found[1]), found[2]
        if not isfinite(number) or number < 0:
            self.fail(f"expected a time that is not negative, got {value!r}", param, ctx)
        return number * _SECONDS[unit]


class _Size(click.ParamType[int]):
    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self._what = what

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        text = str(value).lower()
        found = re.fullmatch(_NUMBER, text.removesuffix("b").removesuffix("i"))
        if found is None or found[2] not in _BYTES:
            self.fail(f"expected {self._what} such as 4096, 10k or 1.5M, got {value!r}", param, ctx)
        size = float(found[1]) * _BYTES[found[2]]
        if size >= 2**63:
            self.fail(f"expected {self._what} below 8388608T, got {value!r}", param, ctx)
        return int(size)


class _Field(click.ParamType[tuple[str, str]]):
    name = "header"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        # As curl: "Name;" is a field without a value, "Name:" takes one away that would be sent.
        text = str(value)
        if text.startswith("@"):
            return "@", text[1:]
        return parse_field(text, lambda why: self.fail(why, param, ctx))


#: Value of a field that is not to be sent.
REMOVED: Final = "\0"


def parse_field(text: str, fail: _Fail) -> tuple[str, str]:
    """Return name and value of the field line *text*; call *fail* if it is none."""
    name, colon, value = text.partition(":")
    if not colon and text.endswith(";"):
        name, value = text[:-1], ""
    elif not colon:
        fail(f"expected 'Name: value', got {text!r}")
    elif not value.strip(" \t"):
        value = REMOVED
    return check_field(name, value, fail)


def check_field(name: str, value: str, fail: _Fail) -> tuple[str, str]:
    """Return *name* and *value* if they can stand in a request; call *fail* otherwise.

    A line end in either would let its author write fields, or requests, of his own.
    """
    if not re.fullmatch(_FIELD_NAME, name):
        fail(f"expected a field name (RFC 9110 §5.1), got {name!r}")
    if value == REMOVED:
        return name, value
    # As bytes in UTF-8, one character each.
    value = value.strip(" \t").encode("utf-8", "surrogateescape").decode("latin-1")
    if not re.fullmatch(_FIELD_VALUE, value):
        fail(f"the value of {name} has control characters in it, which no field can have")
    return name, value


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TypeAlias

    _Fail: TypeAlias = Callable[[str], NoReturn]

#: Seconds, as `float`.
SECONDS: Final = _Seconds()
#: Bytes, as `int`; k, M and G are powers of 1024.
SIZE: Final = _Size("size", "a size")
#: Bytes per second, as `int`.
RATE: Final = _Size("rate", "a rate in bytes per second")
#: A header field, as a pair of name and value; ``("@", PATH)`` for a file that has some.
HEADER: Final = _Field()
#: The name of a file or directory, which shells complete. Whoever opens it says what is wrong with it.
FILE: Final = click.Path(allow_dash=True, readable=False)
#: A number of at least 1.
COUNT: Final = click.IntRange(min=1)
