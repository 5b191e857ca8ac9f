"""Header fields as the caller sees them: found regardless of case, and just as they were sent."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from email.message import Message

import pytest

from httpio._headers import CaseInsensitiveDict, message_from_section, parse_field_section

# CaseInsensitiveDict


@pytest.fixture
def fields() -> CaseInsensitiveDict[str]:
    made: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    made["Accept"] = "application/json"
    made["X-Y"] = "z"
    return made


def test_keys_are_found_regardless_of_case(fields: CaseInsensitiveDict[str]) -> None:
    assert fields["aCCEPT"] == "application/json"
    assert fields.get("x-y") == "z"
    assert fields.get("x-z") is None
    assert "ACCEPT" in fields
    assert "x-z" not in fields
    with pytest.raises(KeyError):
        fields["x-z"]


def test_what_is_no_string_is_no_key(fields: CaseInsensitiveDict[str]) -> None:
    keys: list[object] = [None, 1, b"Accept", ("Accept",)]
    for key in keys:
        assert key not in fields


def test_the_case_that_was_set_last_is_remembered(fields: CaseInsensitiveDict[str]) -> None:
    fields["ACCEPT"] = "*/*"
    assert list(fields) == ["ACCEPT", "X-Y"]
    assert list(fields.keys()) == ["ACCEPT", "X-Y"]
    assert list(fields.items()) == [("ACCEPT", "*/*"), ("X-Y", "z")]
    assert list(fields.values()) == ["*/*", "z"]
    assert len(fields) == 2


def test_lower_items(fields: CaseInsensitiveDict[str]) -> None:
    assert list(fields.lower_items()) == [("accept", "application/json"), ("x-y", "z")]


def test_keys_are_deleted_regardless_of_case(fields: CaseInsensitiveDict[str]) -> None:
    del fields["aCCept"]
    assert list(fields) == ["X-Y"]
    with pytest.raises(KeyError):
        del fields["Accept"]


def test_it_is_a_mutable_mapping(fields: CaseInsensitiveDict[str]) -> None:
    assert isinstance(fields, MutableMapping)
    assert fields.setdefault("ACCEPT", "x") == "application/json"
    assert fields.pop("x-Y") == "z"
    fields.update({"a": "1"}, b="2")
    assert fields == {"Accept": "application/json", "A": "1", "B": "2"}
    fields.clear()
    assert not fields


@pytest.mark.parametrize(
    "data",
    [{"A": "b", "C": "d"}, [("A", "b"), ("C", "d")], CaseInsensitiveDict({"A": "b", "C": "d"})],
)
def test_it_is_made_of_mappings_and_pairs(
    data: Mapping[str, str] | list[tuple[str, str]],
) -> None:
    assert list(CaseInsensitiveDict(data).items()) == [("A", "b"), ("C", "d")]


def test_it_is_made_of_keywords() -> None:
    assert list(CaseInsensitiveDict({"A": 1}, b=2, data=3)) == ["A", "b", "data"]


def test_copies_are_independent(fields: CaseInsensitiveDict[str]) -> None:
    for copied in (fields.copy(), copy.copy(fields), copy.deepcopy(fields)):
        assert type(copied) is CaseInsensitiveDict
        assert copied == fields
        assert list(copied) == list(fields)
    copied = fields.copy()
    copied["accept"] = "x"
    assert fields["Accept"] == "application/json"


def test_comparison_is_regardless_of_case(fields: CaseInsensitiveDict[str]) -> None:
    assert fields == {"accept": "application/json", "x-y": "z"}
    other = {"ACCEPT": "application/json", "X-y": "z"}
    assert other == fields
    assert fields == CaseInsensitiveDict({"accept": "application/json", "x-y": "z"})
    assert fields != {"accept": "application/json"}
    assert fields != {"accept": "Application/json", "x-y": "z"}
    assert fields != [("Accept", "application/json"), ("X-Y", "z")]
    assert fields != 5


def test_it_has_no_hash(fields: CaseInsensitiveDict[str]) -> None:
    with pytest.raises(TypeError):
        hash(fields)


def test_repr_shows_keys_as_they_were_set(fields: CaseInsensitiveDict[str]) -> None:
    assert repr(fields) == "CaseInsensitiveDict({'Accept': 'application/json', 'X-Y': 'z'})"

    class Sub(CaseInsensitiveDict[str]):
        pass

    assert repr(Sub()) == "Sub({})"


# Field sections


def test_an_empty_section_has_no_fields() -> None:
    assert parse_field_section(b"") == []


def test_9112_5_1_values_lose_their_outer_blanks_and_nothing_else() -> None:
    section = b"A:b\r\nA: \t b c \t\r\nEmpty:\r\nBlank: \t \r\nColons: a:b: c\r\n"
    assert parse_field_section(section) == [
        ("A", "b"),
        ("A", "b c"),
        ("Empty", ""),
        ("Blank", ""),
        ("Colons", "a:b: c"),
    ]


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0"])
def test_9110_5_6_3_other_white_space_is_part_of_the_value(blank: str) -> None:
    section = f"A: {blank}b{blank}\r\nC: d{blank}e\r\n".encode("latin-1")
    assert parse_field_section(section) == [("A", f"{blank}b{blank}"), ("C", f"d{blank}e")]


def test_9112_2_2_values_are_decoded_as_latin_1() -> None:
    octets = bytes(octet for octet in range(256) if octet not in b"\r\n\0")
    ((_, value),) = parse_field_section(b"A: x" + octets + b"x\r\n")
    assert value.encode("latin-1") == b"x" + octets + b"x"


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (b"A: b\r\n c\r\n", "b c"),
        (b"A: b \t\r\n\t  c \r\n", "b c"),
        (b"A:\r\n b\r\n", "b"),
        (b"A: b\r\n \r\n c\r\n", "b c"),
        (b"A:\r\n \r\n", ""),
        (b"A: b\r\n B: c\r\n", "b B: c"),
        (b"A: b\r\n\x0bc\r\n", None),
    ],
)
def test_9112_5_2_obs_fold_becomes_sp(lines: bytes, value: str | None) -> None:
    fields = parse_field_section(b"X: y\r\n" + lines + b"Z: z\r\n")
    if value is None:  # a vertical tab folds nothing; the grammar does not let such a line through
        assert len(fields) == 4
        return
    assert fields == [("X", "y"), ("A", value), ("Z", "z")]


# Values that made clients crash, or that parsers of e-mail rewrite
HOSTILE = [
    "=?utf-8?q?=C3=A4?=",
    "=?utf-8?b?w6Q=?= <a@b>",
    "=?x?y?z?=",
    "=?utf-8?q?=E2=82?=",
    "Thu, 32 Foo 2026 25:61:61 +9999",
    "Mon, 1 Jan 0001 00:00:00 -2400",
    '<<<>>>, "unclosed, (comment, :;@[',
    '"\\"',
    'text/html; charset="',
    "text/html; charset*=utf-8''%E2%82%AC; charset*0*=x; charset*1=y",
    "text/html;;;=;=",
    "multipart/mixed; boundary=",
    "/;/",
    ";",
    "0",
    "-",
    "\ud83d".encode("utf-16-le", "surrogatepass").decode("latin-1").replace("\0", "x"),
    "Ã¤ ä ÿ",
    "a" * 10_000,
    "a, b ,c",
    "\x01\x02\x1b[31m",
]
NAMES = [
    "From", "To", "Sender", "Date", "Expires", "Content-Type", "Content-Disposition", "Content-Transfer-Encoding",
    "Content-Length", "MIME-Version", "Message-ID", "Subject", "Set-Cookie", "Resent-Date", "X-Any",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_fields_reach_the_caller_as_sent(name: str) -> None:
    section = "".join(f"{name}: {value}\r\n" for value in HOSTILE).encode("latin-1")
    message = message_from_section(section)
    assert isinstance(message, Message)
    assert message.get_all(name) == HOSTILE
    assert message[name.upper()] == HOSTILE[0]
    assert message.items() == [(name, value) for value in HOSTILE]
    assert all(type(value) is str for value in message.values())


@pytest.mark.parametrize("value", HOSTILE)
def test_looking_at_the_content_type_does_no_harm(value: str) -> None:
    message = message_from_section(f"Content-Type: {value}\r\n".encode("latin-1"))
    assert (
        message.get_content_type()
        == f"{message.get_content_maintype()}/{message.get_content_subtype()}"
    )


def test_an_empty_section_is_an_empty_message() -> None:
    assert message_from_section(b"").items() == []
