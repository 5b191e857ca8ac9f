"""Records of values that are declared like dataclasses and cost nothing to declare.

A dataclass compiles its methods when it is defined, which takes about a millisecond. A command that
shall be there at once cannot afford a dozen of them.
"""

from __future__ import annotations

from typing import Any, Self, dataclass_transform


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Group:
    """Base of classes whose annotations are their members, given by keyword, and never changed."""

    def __init__(self, **values: Any) -> None:
        members = type(self).__annotations__
        if not values.keys() <= members.keys():
            raise TypeError(
                f"{type(self).__name__} has no {sorted(values.keys() - members.keys())}"
            )
        for name in members:
            # Those with a default are attributes of the class.
            if name not in values and not hasattr(self, name):
                raise TypeError(f"{type(self).__name__} needs {name!r}")
        self.__dict__.update(values)

    def but(self, **changes: Any) -> Self:
        """Return a copy with *changes*."""
        return type(self)(**{**self.__dict__, **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in type(self).__annotations__)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Group)
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        members = (f"{name}={getattr(self, name)!r}" for name in type(self).__annotations__)
        return f"{type(self).__name__}({', '.join(members)})"


def members(group: type[Group]) -> tuple[str, ...]:
    """Return the names of the members of *group*."""
    return tuple(group.__annotations__)
