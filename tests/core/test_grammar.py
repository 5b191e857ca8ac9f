"""The compiled grammar, against patterns that say the same without what makes them fast.

Possessive quantifiers and a second pattern for plain heads are where a mistake would hide, ours or
that of an older `re`. What the grammar means is tested where it is used.
"""

from __future__ import annotations

import itertools
import re
import string

import pytest

from httpio import _grammar
from httpio._grammar import (
    CHUNK_LINE,
    CHUNK_LINE_PREFIX,
    CHUNK_LINE_REST,
    CHUNK_SIZE_FIELD,
    CONTENT_LENGTH,
    FIELD_VALUE,
    FRAMING_FIELDS,
    HEAD_PREFIX,
    HOST,
    ORIGIN_FORM,
    PLAIN_RESPONSE_HEAD,
    REG_NAME,
    REQUEST_HEAD,
    REQUEST_LINE,
    REQUEST_TRAILERS,
    RESPONSE_HEAD,
    TOKEN,
    TRAILER_SECTION,
    Rule,
)

RULES = {name: value for name, value in vars(_grammar).items() if isinstance(value, Rule)}


def yielding(rule: Rule) -> re.Pattern[bytes]:
    """Return *rule* with quantifiers that give back, which must make no difference."""
    return re.compile(re.sub(rb"([*+?}])\+", rb"\1", rule.pattern))


def test_a_rule_is_compiled_when_it_is_used_first() -> None:
    rule = Rule(rb"(a)(b)")
    assert set(vars(rule)) == {"pattern"}
    match = rule.match(b"xabab", 1)
    assert match is not None
    assert match.span() == (1, 3)
    assert rule.fullmatch(b"xabab", 1, 3)
    assert not rule.fullmatch(b"xabab", 1)
    assert rule.findall(bytearray(b"xabab")) == [(b"a", b"b"), (b"a", b"b")]
    assert vars(rule).keys() > {"match", "fullmatch", "findall"}
    with pytest.raises(AttributeError, match="search"):
        rule.search  # type: ignore[attr-defined]  # noqa: B018 - it would take a square of time


#: What heads, sections and chunk lines are made of; two of each, for what comes twice.
FRAGMENTS = [
    b"HTTP/1.1 200 OK\r\n", b"Content-Length:", b"Transfer-Encoding:", b"Connection:", b"keep-alive", b"5", b"A: b\r\n",
    b"\r\n", b" ", b"A", b":", b"\r", b"\n", b"\0", b"GET / HTTP/1.1\r\n",
]  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [RESPONSE_HEAD, PLAIN_RESPONSE_HEAD, TRAILER_SECTION, REQUEST_HEAD, REQUEST_TRAILERS],
    ids=["response head", "plain head", "trailer section", "request head", "request trailers"],
)
def test_possessive_quantifiers_make_no_difference(rule: Rule) -> None:
    reference = yielding(rule)
    for length in range(5):
        for fragments in itertools.product(FRAGMENTS, repeat=length):
            data = b"".join(fragments)
            for before in (b"", b"HTTP/1.1 200 OK\r\n"):
                for after in (b"", b"\r\n\r\n"):
                    if length == 4 and not (before and after):
                        continue
                    text = before + data + after
                    found = rule.fullmatch(text)
                    expected = reference.fullmatch(text)
                    # A plain head that is not seen as such is looked at more closely; that is all.
                    if found is None and rule is PLAIN_RESPONSE_HEAD:
                        continue
                    assert bool(found) == bool(expected), text
                    if found is not None and expected is not None:
                        assert found.groups() == expected.groups(), text


def test_9112_2_2_a_prefix_has_no_bare_cr_no_bare_lf_and_no_nul() -> None:
    bare = re.compile(rb"\0|\r(?!\n)(?!\Z)|(?<!\r)\n")
    for length in range(8):
        for octets in itertools.product(b"\r\n\0a", repeat=length):
            data = bytes(octets)
            assert bool(HEAD_PREFIX.match(data)) is not bool(bare.search(data)), data


def test_a_plain_head_is_a_head_with_that_length() -> None:
    for length in range(4):
        for fragments in itertools.product(FRAGMENTS, repeat=length):
            data = b"HTTP/1.1 200 OK\r\n" + b"".join(fragments) + b"\r\n\r\n"
            plain = PLAIN_RESPONSE_HEAD.fullmatch(data)
            if plain is None:
                continue
            head = RESPONSE_HEAD.fullmatch(data)
            assert head is not None, data
            assert plain[1] == head[2]
            assert plain[2] == b"%b\r\n%b" % (head[3], head[4])
            framing_fields = FRAMING_FIELDS.findall(data)
            lengths = [value.strip() for name, value in framing_fields if len(name) == 14]
            assert lengths == [plain[3]]
            others = {value.strip() for name, value in framing_fields if len(name) != 14}
            assert others <= {b"keep-alive"}


def test_9110_5_6_2_token() -> None:
    tchars = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
    for octet in range(256):
        assert bool(TOKEN.fullmatch(bytes((octet,)))) is (chr(octet) in tchars)
    assert not TOKEN.fullmatch(b"")


def test_9110_5_5_octets_of_values() -> None:
    for octet in range(256):
        line = b"A: x%cx\r\n\r\n" % octet
        assert bool(TRAILER_SECTION.fullmatch(line)) is (octet not in b"\r\n\0")
        visible = octet >= 0x20 and octet != 0x7F
        assert bool(REQUEST_TRAILERS.fullmatch(line)) is (visible or octet == 0x09)
        assert bool(FIELD_VALUE.fullmatch(bytes((octet,)))) is (visible or octet == 0x09)


def test_9112_3_octets_of_targets() -> None:
    for octet in range(256):
        good = 0x21 <= octet <= 0x7E
        assert bool(ORIGIN_FORM.fullmatch(b"/%c" % octet)) is good
        assert bool(REQUEST_LINE.fullmatch(b"GET /%c HTTP/1.1" % octet)) is good
    assert not ORIGIN_FORM.fullmatch(b"a")


def test_3986_3_2_2_octets_of_names() -> None:
    good = "-._~" + string.digits + string.ascii_letters
    for octet in range(256):
        assert bool(REG_NAME.fullmatch(b"a%c" % octet)) is (chr(octet) in good)
        # A colon begins the port, which may not be empty.
        assert bool(HOST.fullmatch(b"a%c" % octet)) is (chr(octet) in good)


@pytest.mark.parametrize(
    ("line", "good"),
    [
        (b"0\r\n", True), (b"5\r\n", True), (b"fF09\r\n", True), (b"5;a=b\r\n", True), (b"5 ;a\r\n", True),
        (b"5\t \r\n", True), (b"5;\r\n", True), (b'5;a="b;c"\r\n', True), (b"5;\xff\x01\r\n", True),
        (b"0" * 16 + b"\r\n", True), (b"5" + b" " * 16 + b"\r\n", True),
        (b"", False), (b"\r\n", False), (b"5\n", False), (b"5\r", False), (b" 5\r\n", False), (b"+5\r\n", False),
        (b"-1\r\n", False), (b"0x5\r\n", False), (b"0_5\r\n", False), (b"5 5\r\n", False), (b"g\r\n", False),
        (b"0" * 17 + b"\r\n", False), (b"5" + b" " * 17 + b"\r\n", False), (b";a\r\n", False), (b"5;a\nb\r\n", False),
        (b"5;a\rb\r\n", False), (b"5;\0\r\n", False), (b"5\x0b\r\n", False), (b"5,\r\n", False),
        ("５\r\n".encode(), False),
    ],
)  # fmt: skip
def test_9112_7_1_first_line_of_a_chunk(line: bytes, good: bool) -> None:
    assert bool(CHUNK_LINE.fullmatch(line)) is good
    for size in range(1, len(line)):
        begin = line[:size]
        if good:
            assert CHUNK_LINE_PREFIX.match(begin)
        # What has come so far, and what comes of it, cannot both be right unless the line is.
        if size >= CHUNK_SIZE_FIELD and CHUNK_LINE_PREFIX.match(begin):
            rest = line[size - (begin[-1:] == b"\r") :]
            assert CHUNK_LINE_REST.match(rest[:-2]) or not good


def test_a_chunk_line_without_extension_is_shorter_than_the_size_field() -> None:
    longest = b"0" * 16 + b" " * 16
    assert CHUNK_LINE.fullmatch(longest + b"\r\n")
    assert len(longest) < CHUNK_SIZE_FIELD
    for more in (b"0", b" ", b"x"):
        assert not CHUNK_LINE_PREFIX.match(longest + more)
    for more in (b"\r", b";"):
        assert CHUNK_LINE_PREFIX.match(longest + more)


@pytest.mark.parametrize("digits", [b"0", b"5", b"9" * 18])
def test_9110_8_6_content_length(digits: bytes) -> None:
    assert CONTENT_LENGTH.fullmatch(digits)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_long_input_that_does_not_match_is_given_up_in_linear_time(rule: Rule) -> None:
    # With an exponent, or even a square, some of these would not end before the test's own limit.
    size = 500_000
    for unit in (b"a", b" ", b"0", b":", b";", b"a:", b"a: b\r\n", b"a:\r\n ", b"\r\n", b"\r\n "):
        for before in (
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"A: b\r\n",
            b"GET / HTTP/1.1\r\n",
            b"5;",
            b"/",
        ):
            rule.match(before + unit * (size // len(unit)) + b"\0")
