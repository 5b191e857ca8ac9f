"""Strings from callers: that they are some, and what they hold. Imports nothing."""

from __future__ import annotations


def require_str(what: str, *values: object) -> None:
    """Raise `TypeError` unless all *values*, which are *what*, are strings."""
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{what} must be str, got {value!r}")


def exact_str(value: str) -> str:
    """Return *value* as a `str` of no subclass.

    What a subclass makes of itself in an f-string, or says to `lower` and ``==``, need not be what
    it holds: an `enum.Enum` that is a `str` too is written with the name of its class.
    """
    return value if type(value) is str else str.__str__(value)
