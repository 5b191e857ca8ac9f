"""Records of values."""

from __future__ import annotations

import pytest

from httpio_cli._group import Group, members


class Point(Group):
    x: int
    y: int = 2

    @property
    def total(self) -> int:
        return self.x + self.y


def test_members() -> None:
    point = Point(x=1)
    assert (point.x, point.y, point.total) == (1, 2, 3)
    assert members(Point) == ("x", "y")
    assert repr(point) == "Point(x=1, y=2)"


def test_copies() -> None:
    point = Point(x=1)
    assert point.but(y=5) == Point(x=1, y=5)
    assert point == Point(x=1)
    assert hash(point) == hash(Point(x=1, y=2))
    assert point != Point(x=2)
    assert point != (1, 2)


def test_it_never_changes() -> None:
    with pytest.raises(AttributeError):
        Point(x=1).x = 2  # type: ignore[misc]  # that is the point


def test_wrong_members() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]  # likewise
    with pytest.raises(TypeError):
        Point(x=1, z=3)  # type: ignore[call-arg]  # likewise
