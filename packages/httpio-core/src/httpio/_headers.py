"""Header fields as the caller sees them.

`CaseInsensitiveDict` is for requests. Responses are shown as `email.message.Message`, but parsed
here: the e-mail package would decode and rewrite what the server sent, and some values crash it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message
    from typing import TypeVar

    _V = TypeVar("_V")
else:
    # Only a name for the class below; at run time the base need not be generic.
    _V = object


class CaseInsensitiveDict(MutableMapping[str, _V]):
    """A mapping whose keys are strings that are found regardless of case.

    It remembers the case of the key that was set last, and iterating gives the keys in that case::

        fields = CaseInsensitiveDict()
        fields["Accept"] = "application/json"
        fields["aCCEPT"] == "application/json"  # True
        list(fields) == ["Accept"]  # True

    If the constructor, ``update`` or a comparison is given several keys that differ only by case,
    it is undefined which of them counts.
    """

    __slots__ = ("_entries",)

    def __init__(
        self,
        data: Mapping[str, _V] | Iterable[tuple[str, _V]] = (),
        /,
        **kwargs: _V,
    ) -> None:
        self._entries: dict[str, tuple[str, _V]] = {}
        self.update(data, **kwargs)

    def __setitem__(self, key: str, value: _V) -> None:
        self._entries[key.lower()] = (key, value)

    def __getitem__(self, key: str) -> _V:
        return self._entries[key.lower()][1]

    def __delitem__(self, key: str) -> None:
        del self._entries[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._entries

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def lower_items(self) -> Iterator[tuple[str, _V]]:
        """Like ``items``, but with all keys in lower case."""
        return ((lower, value) for lower, (_, value) in self._entries.items())

    def copy(self) -> CaseInsensitiveDict[_V]:
        """Return a shallow copy."""
        return CaseInsensitiveDict(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if not isinstance(other, CaseInsensitiveDict):
            other = CaseInsensitiveDict(other)
        return dict(self.lower_items()) == dict(other.lower_items())

    # A mapping that can change has no hash.
    __hash__ = None  # type: ignore[assignment]  # the documented way to say so

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.items())!r})"


def parse_field_section(field_section: bytes) -> list[tuple[str, str]]:
    """Split a field section that the grammar has accepted into ``(name, value)`` pairs.

    Values are decoded as latin-1 and lose their outer blanks (RFC 9112 §5.1), nothing else; a line
    that was folded is joined by one SP (RFC 9112 §5.2).
    """
    if not field_section:
        return []
    fields: list[tuple[str, str]] = []
    for line in field_section[:-2].decode("latin-1").split("\r\n"):
        if line[0] in " \t":
            name, value = fields[-1]
            fields[-1] = (name, (value + " " + line.strip(" \t")).strip(" \t"))
        else:
            name, _, value = line.partition(":")
            fields.append((name, value.strip(" \t")))
    return fields


def message_from_section(field_section: bytes) -> Message:
    """Return the fields of *field_section* as a message, each value just as it was sent."""
    from email.message import Message

    message = Message()
    for name, value in parse_field_section(field_section):
        message[name] = value
    return message
