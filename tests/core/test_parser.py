"""Heads and trailer sections: taken whole, byte by byte, and with more behind them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import httpio
from httpio._exceptions import InvalidResponse, RemoteProtocolError, UnsupportedResponse
from httpio._parser import (
    MAX_FIELD_LINES,
    MAX_HEADER_SIZE,
    MAX_LINE_SIZE,
    Limits,
    ResponseHead,
    parse_response_head,
    parse_trailer_section,
)
from tests.support.buffers import (
    LIMITS,
    content_of,
    forget_scanned,
    make_buffer,
    pieces,
    receive,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from httpio._buffer import ReceiveBuffer

    Parse = Callable[[ReceiveBuffer, Limits], object]

STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
#: What may follow a head: content, another head, or what would be wrong in a head.
BEHIND = [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\n\0\r\r\n\r\n", b" folded\r\n\r\n"]
SMALL = Limits(line_size=40, header_size=60)


def values_of(parsed: object) -> object:
    """Return what can be compared."""
    if isinstance(parsed, ResponseHead):
        return (
            parsed.minor_version,
            parsed.status,
            parsed.reason,
            parsed.field_section,
            # Taken apart where nothing else tells the length.
            None if parsed.plain_length is not None else list(parsed.framing_fields),
        )
    return parsed


def accept(parse: Parse, data: bytes, limits: Limits = LIMITS) -> object:
    """Return what *data* is parsed to, which does not depend on how it arrives."""
    buffer = make_buffer(data, limits=limits)
    parsed = parse(buffer, limits)
    assert parsed is not None
    assert content_of(buffer) == b""
    assert buffer.scanned == 0

    for size in (1, 2, 3, 7):
        buffer = make_buffer(limits=limits, before=5)
        found = None
        for piece in pieces(data, size):
            assert found is None
            receive(buffer, piece)
            found = parse(buffer, limits)
        assert content_of(buffer) == b""
        assert buffer.scanned == 0
        assert_same(parsed, found)

    for behind in BEHIND:
        buffer = make_buffer(data + behind, before=3, limits=limits)
        assert_same(parsed, parse(buffer, limits))
        assert content_of(buffer) == behind
        assert buffer.scanned == 0
    return parsed


def assert_same(one: object, other: object) -> None:
    """Compare heads, of which one may have been looked at more closely."""
    if isinstance(one, ResponseHead):
        assert isinstance(other, ResponseHead)
        for name in ("minor_version", "status", "reason", "field_section"):
            assert getattr(one, name) == getattr(other, name)
        lengths = {one.plain_length, other.plain_length} - {None}
        assert len(lengths) <= 1
        for head in (one, other):
            if lengths and head.plain_length is None:
                (length,) = (value for name, value in head.framing_fields if len(name) == 14)
                assert {int(length)} == lengths
        if not lengths:
            assert list(one.framing_fields) == list(other.framing_fields)
    else:
        assert one == other


def refuse(
    parse: Parse,
    data: bytes,
    error: type[RemoteProtocolError] = InvalidResponse,
    limits: Limits = LIMITS,
) -> str:
    """Return what is said of *data*, which is refused however it arrives, and not consumed."""
    buffer = make_buffer(data, limits=limits)
    with pytest.raises(error) as caught:
        parse(buffer, limits)
    assert type(caught.value) is error
    assert content_of(buffer) == data

    for size in (1, 2, 3, 7):
        buffer = make_buffer(limits=limits, before=5)
        with pytest.raises(error) as other:
            feed_in_vain(parse, buffer, pieces(data, size), limits)
        assert type(other.value) is error
        # Looking again, for instance for another thread, brings the same.
        assert data.startswith(content_of(buffer))
        with pytest.raises(error):
            parse(buffer, limits)

    for behind in BEHIND:
        with pytest.raises(error) as with_more:
            parse(make_buffer(data + behind, before=3, limits=limits), limits)
        assert type(with_more.value) is error
    return str(caught.value)


def feed_in_vain(
    parse: Parse,
    buffer: ReceiveBuffer,
    data: Iterable[bytes],
    limits: Limits,
    keep: int | None = None,
) -> None:
    """Have each piece of *data* received and looked at, which is never enough.

    With *keep*, nothing behind the first *keep* bytes may be looked at again.
    """
    for piece in data:
        receive(buffer, piece)
        assert parse(buffer, limits) is None
        if keep is not None:
            assert buffer.scanned == len(buffer)
            forget_scanned(buffer, keep)


def head_of(data: bytes, limits: Limits = LIMITS) -> ResponseHead:
    """Return the head that *data* is."""
    head = accept(parse_response_head, data, limits)
    assert isinstance(head, ResponseHead)
    return head


def refuse_head(data: bytes, error: type[RemoteProtocolError] = InvalidResponse) -> str:
    """Return what is said of *data*, which is no head."""
    return refuse(parse_response_head, data, error)


def refuse_fields(fields: bytes) -> str:
    """Return what is said of *fields*, which are refused in heads and in trailer sections."""
    said = refuse_head(STATUS_LINE + fields + b"\r\n")
    refuse_head(STATUS_LINE + b"A: b\r\nContent-Length: 5\r\n" + fields + b"\r\n")
    if fields[:1] not in (b" ", b"\t"):
        refuse_head(STATUS_LINE + fields + b"Content-Length: 5\r\n\r\n")
        refuse(parse_trailer_section, fields + b"A: b\r\n\r\n")
        refuse(parse_trailer_section, b"A: b\r\n" + fields + b"\r\n")
    return said


# Status lines


@pytest.mark.parametrize(
    ("line", "minor_version", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 1, 200, "OK"),
        (b"HTTP/1.0 200 OK", 0, 200, "OK"),
        (b"HTTP/1.1 200 ", 1, 200, ""),
        (b"HTTP/1.1 200", 1, 200, ""),
        (b"HTTP/1.1 100", 1, 100, ""),
        (b"HTTP/1.1 404 Not Found Here", 1, 404, "Not Found Here"),
        (b"HTTP/1.1 200  two blanks ", 1, 200, " two blanks "),
        (b"HTTP/1.1 200 \xc3\xa4\xff\x80", 1, 200, "\xc3\xa4\xff\x80"),
        (b"HTTP/1.1 200 \x01\t\x7f", 1, 200, "\x01\t\x7f"),
        (b"HTTP/1.1 200 200 OK", 1, 200, "200 OK"),
    ],
)
def test_9112_4_status_lines(line: bytes, minor_version: int, status: int, reason: str) -> None:
    for fields in (b"", b"A: b\r\n", b"A: b\r\nContent-Length: 5\r\n"):
        head = head_of(line + b"\r\n" + fields + b"\r\n")
        assert (head.minor_version, head.status, head.reason) == (minor_version, status, reason)
        assert head.field_section == fields


@pytest.mark.parametrize("digit", range(1, 10))
def test_9112_2_3_another_minor_version_is_treated_as_1_1(digit: int) -> None:
    assert head_of(b"HTTP/1.%d 200 OK\r\n\r\n" % digit).minor_version == 1


@pytest.mark.parametrize("status", [100, 101, 199, 200, 599, 600, 999])
def test_9110_15_any_three_digits_from_100_are_a_status_code(status: int) -> None:
    for fields in (b"", b"Content-Length: 5\r\n"):
        assert head_of(b"HTTP/1.1 %d x\r\n%b\r\n" % (status, fields)).status == status


@pytest.mark.parametrize("status", [b"000", b"042", b"099"])
def test_9110_15_a_status_code_below_100_is_refused(status: bytes) -> None:
    said = refuse_head(b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 5\r\n\r\n")
    assert said == f"the server sent the status code {status.decode()}, below 100"


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 +200 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2_0 OK",
        b"HTTP/1.1 0x2 OK", b"HTTP/1.1 200OK", b"HTTP/1.1 20O OK", b"HTTP/1.1  200 OK", b"HTTP/1.1 200\tOK",
        b"HTTP/1.1\t200 OK", b"HTTP/1.1200 OK", b"HTTP/1.1 OK", b"HTTP/1.1 ", b"HTTP/1.1", b"HTTP/1. 200 OK",
        b"HTTP/1.11 200 OK", b"HTTP/1.x 200 OK", b"HTTP/1.-1 200 OK", b"HTTP/11 200 OK", b"HTTP/1,1 200 OK",
        b"HTTP/1 200 OK", b"HTTP/ 200 OK", b"HTTP 200 OK", b"http/1.1 200 OK",
        b"HTTP/1.1 \xb2\xb3\xb9 OK", "HTTP/1.1 ２００ OK".encode(), b"HTTP/1.1 200\x0bOK", b"HTTP/1.1 200\xa0OK",
        b" HTTP/1.1 200 OK", b"\tHTTP/1.1 200 OK", b"\xef\xbb\xbfHTTP/1.1 200 OK", b"ICY 200 OK", b"RTSP/1.0 200 OK",
        b"SSH-2.0-OpenSSH_9.2", b"220 mail.example ESMTP", b"<html>", b"GET / HTTP/1.1", b"xHTTP/1.1 200 OK",
        b"\x15\x03\x01\x00\x02\x02", b"", b"A: b",
    ],
)  # fmt: skip
def test_9112_4_what_is_no_status_line_is_refused(line: bytes) -> None:
    for fields in (b"", b"A: b\r\nContent-Length: 5\r\n"):
        said = refuse_head(line + b"\r\n" + fields + b"\r\n")
        assert said == (
            f"expected a status line such as 'HTTP/1.1 200 OK', the server sent {line!r}"
        )


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/2 200",
        b"HTTP/0.9 200 OK",
        b"HTTP/3.1 200 OK",
        b"HTTP/01.1 200 OK",
        b"HTTP/20 x\r",
        b"HTTP/9\0\n",
    ],
)
def test_9112_2_3_another_major_version_is_unsupported(line: bytes) -> None:
    said = refuse_head(line + b"\r\nA: b\r\n\r\n", UnsupportedResponse)
    assert said.startswith(f"the server speaks {line[:6].decode()}")
    assert said.endswith(", expected HTTP/1.0 or HTTP/1.1")


def test_9112_2_3_errors_of_versions_say_what_came() -> None:
    said = refuse_head(b"HTTP/2.0 200 OK\r\n\r\n", UnsupportedResponse)
    assert said == "the server speaks HTTP/2.0, expected HTTP/1.0 or HTTP/1.1"


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n", b" \r\n", b"\r"])
def test_9112_2_2_nothing_comes_before_a_status_line(before: bytes) -> None:
    refuse_head(before + STATUS_LINE + b"Content-Length: 5\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"X",
        b"\r",
        b"\n",
        b"\0",
        b"h",
        b"HTTP/1.1 200\n",
        b"HTTP/1.1 200 OK\rX",
        b"HTTP/1.1 \0",
        b"HTTPS",
    ],
)
def test_what_cannot_become_a_head_is_refused_without_waiting_for_more(data: bytes) -> None:
    for before in (0, 5):
        with pytest.raises(InvalidResponse, match="the server sent"):
            parse_response_head(make_buffer(data, before=before), LIMITS)


def test_an_endless_line_of_the_wrong_kind_is_shown_in_part() -> None:
    with pytest.raises(InvalidResponse) as caught:
        parse_response_head(make_buffer(b"x" * 1000 + b"\r\n\r\n"), LIMITS)
    assert len(str(caught.value)) < 200


# Line ends

SECTION = b"A: b\r\nContent-Length: 5\r\nC: d\r\n"


@pytest.mark.parametrize(
    ("octet", "name"), [(b"\n", "LF without CR"), (b"\r", "CR without LF"), (b"\0", "NUL")]
)
def test_9112_2_2_bare_cr_bare_lf_and_nul_are_refused_wherever_they_are(
    octet: bytes, name: str
) -> None:
    head = STATUS_LINE + SECTION + b"\r\n"
    for position in range(8, len(head)):
        if octet == b"\r" and head[position : position + 1] == b"\r":
            continue  # tested below: one CR too many
        if octet == b"\n" and head[position - 1 : position] == b"\r":
            continue  # ends the line, and leaves a bare LF
        data = head[:position] + octet + head[position:]
        with pytest.raises(InvalidResponse, match=rf"the server sent {name} in line \d: b'"):
            parse_response_head(make_buffer(data), LIMITS)
    refuse_head(STATUS_LINE + b"A: " + octet + b"b\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFoo: 1\rContent-Length: 3\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFoo: 1\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFoo: 1\0Content-Length: 3\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nFoo:\0\r\n\r\n",
    ],
)
def test_9112_2_2_line_ends_that_are_not_crlf_are_refused(data: bytes) -> None:
    assert "in line" in refuse_head(data)


def test_9112_2_2_errors_of_line_ends_say_where_they_are() -> None:
    said = refuse_head(STATUS_LINE + b"A: b\r\nC: d\re\r\n\r\n")
    assert said == "the server sent CR without LF in line 3: b'C: d\\re'"


@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n", b"\r\n\r"])
def test_a_line_end_that_has_half_arrived_is_waited_for(end: bytes) -> None:
    for line in (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nA: b"):
        buffer = make_buffer(line + end)
        assert parse_response_head(buffer, LIMITS) is None
        assert parse_response_head(buffer, LIMITS) is None
        receive(buffer, b"\r\n\r\n"[len(end) :])
        assert parse_response_head(buffer, LIMITS) is not None


def test_a_line_end_that_has_half_arrived_and_does_not_go_on_is_refused() -> None:
    for parse, line in [
        (parse_response_head, b"HTTP/1.1 200 OK\r"),
        (parse_response_head, STATUS_LINE + b"A: b\r"),
        (parse_response_head, STATUS_LINE + b"\r"),
        (parse_trailer_section, b"A: b\r"),
        (parse_trailer_section, b"\r"),
    ]:
        for octet in (b"x", b"\r", b"\0", b" "):
            buffer = make_buffer(line)
            assert parse(buffer, LIMITS) is None
            receive(buffer, octet)
            with pytest.raises(InvalidResponse, match=r"CR without LF|NUL"):
                parse(buffer, LIMITS)


# Field lines


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"A:\r\n",
        b"A:b\r\n",
        b"A: b\r\nA: b\r\n",
        b"a!#$%&'*+-.^_`|~9: b\r\n",
        b"A: \xc3\xa4\xff\x80\r\n",
        b"A: \x01\x0b\x7f\t\r\n",
        b"A: b: c\r\n",
        b"A::\r\n",
        b"A: b\r\n c\r\n",
        b"A: b\r\n\tc\r\n d\r\nE: f\r\n",
        b"A:\r\n \r\n b\r\n",
        b"1: 2\r\n",
    ],
)
def test_9112_5_field_lines(fields: bytes) -> None:
    head = head_of(STATUS_LINE + fields + b"\r\n")
    assert head.field_section == fields
    assert list(head.framing_fields) == []
    assert head.plain_length is None
    assert accept(parse_trailer_section, fields + b"\r\n") == fields
    with_length = head_of(STATUS_LINE + fields + b"Content-Length: 5\r\n\r\n")
    assert with_length.field_section == fields + b"Content-Length: 5\r\n"


@pytest.mark.parametrize(
    "name", [b"A ", b"A\t", b"A\r\n ", b"Content-Length ", b"Transfer-Encoding\t"]
)
def test_9112_5_1_white_space_before_the_colon_is_refused(name: bytes) -> None:
    refuse_fields(name + b": 5\r\n")


@pytest.mark.parametrize(
    "name",
    [
        b"", b"A B", b"A\x0b", b"\x0cA", b"A\xa0", b"\xe4", b"A(", b"A/B", b'A"', b"A,B", b"A;B", b"{", b"\x7f",
        b"\x01", b"A=B", b"@",
    ],
)  # fmt: skip
def test_9112_5_1_a_field_name_that_is_no_token_is_refused(name: bytes) -> None:
    assert refuse_fields(name + b": 5\r\n") == f"the server sent an invalid field name: {name!r}"


@pytest.mark.parametrize(
    "line", [b"A", b"A b", b"Content-Length 5", b"HTTP/1.1 200 OK", b"\xff", b'"']
)
def test_9112_5_a_line_without_colon_is_refused(line: bytes) -> None:
    assert refuse_fields(line + b"\r\n") == f"the server sent a line without colon: {line!r}"


@pytest.mark.parametrize("line", [b" Content-Length: 5", b"\tA: b", b" ", b"\t"])
def test_9112_2_2_white_space_before_the_first_field_line_is_refused(line: bytes) -> None:
    said = refuse_head(STATUS_LINE + line + b"\r\nA: b\r\n\r\n")
    assert said == "the server sent white space before the first line of its header section"
    said = refuse(parse_trailer_section, line + b"\r\nA: b\r\n\r\n")
    assert said == "the server sent white space before the first line of its trailer section"


def test_an_invalid_line_is_found_behind_a_folded_one() -> None:
    fields = b"A: b\r\n c\r\n\td\r\nBad\r\n"
    assert refuse_fields(fields) == "the server sent a line without colon: b'Bad'"


# What framing depends on


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", [(b"Content-Length", b" 5"), (b"Content-Length", b" 6")]),
        (b"transfer-ENCODING:chunked\r\n", [(b"transfer-ENCODING", b"chunked")]),
        (b"Connection: a\r\nX: y\r\nconnection:b\r\n", [(b"Connection", b" a"), (b"connection", b"b")]),
        (b"X: y\r\nTransfer-Encoding:\r\n chunked\r\n", [(b"Transfer-Encoding", b"\r\n chunked")]),
        (b"Connection: a\r\n b\r\n\tc \r\nX: y\r\n", [(b"Connection", b" a\r\n b\r\n\tc ")]),
        (b"X: y\r\n Connection: close\r\n", []),
        (b"X-Connection: close\r\nConnection-X: close\r\n", []),
        (b"Content-Length: 5\r\n 6\r\n", [(b"Content-Length", b" 5\r\n 6")]),
        (b"Content-Length: x\r\n", [(b"Content-Length", b" x")]),
        (b"Connection: close\r\nContent-Length: 5\r\n", [(b"Connection", b" close"), (b"Content-Length", b" 5")]),
        (b"Content-Length: 5\r\nConnection: x\r\n", [(b"Content-Length", b" 5"), (b"Connection", b" x")]),
    ],
)  # fmt: skip
def test_framing_fields_are_found(fields: bytes, found: list[tuple[bytes, bytes]]) -> None:
    head = head_of(STATUS_LINE + fields + b"\r\n")
    assert list(head.framing_fields) == found
    assert head.plain_length is None


@pytest.mark.skipif(sys.version_info < (3, 11, 5), reason="there all heads are looked at closely")
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\n",
        b"content-length:5\r\n",
        b"A: b\r\nCONTENT-LENGTH:\t5 \t\r\nC: d\r\n",
        b"Connection: keep-alive\r\nContent-Length: 5\r\n",
        b"A: b\r\nconnection: Keep-Alive\r\nC: d\r\nContent-Length: 5\r\nE: f\r\n",
        b"Content-Length: 5\r\nA: b\r\nConnection: keep-alive\r\nC: d\r\n",
    ],
)
def test_a_head_with_one_length_and_nothing_else_to_look_at_is_plain(fields: bytes) -> None:
    buffer = make_buffer(STATUS_LINE + fields + b"\r\nhello", before=9)
    head = parse_response_head(buffer, LIMITS)
    assert head is not None
    assert head.plain_length == 5
    assert content_of(buffer) == b"hello"
    head_of(STATUS_LINE + fields + b"\r\n")


# Trailer sections


def test_9112_7_1_2_an_empty_trailer_section_is_an_empty_line() -> None:
    assert accept(parse_trailer_section, b"\r\n") == b""


def test_9112_7_1_2_trailers_are_refused_like_headers() -> None:
    assert refuse(parse_trailer_section, b"A: b\nC: d\r\n\r\n") == (
        "the server sent LF without CR in line 1: b'A: b\\nC: d'"
    )
    for data in (b"\n", b"\r\r", b"\0", b"A: b\n\n", b"\rA: b\r\n\r\n"):
        refuse(parse_trailer_section, data)


def test_9112_7_1_2_an_incomplete_trailer_section_is_waited_for() -> None:
    for data in (b"", b"\r", b"A", b"A: b\r\n", b"A: b\r\n\r"):
        buffer = make_buffer(data)
        assert parse_trailer_section(buffer, LIMITS) is None
        assert content_of(buffer) == data


# Limits


def test_the_limits_are_those_that_are_set_on_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    current = Limits.current()
    assert (current.line_size, current.header_size) == (MAX_LINE_SIZE, MAX_HEADER_SIZE)
    monkeypatch.setattr(httpio, "MAX_LINE_SIZE", 100)
    monkeypatch.setattr(httpio, "MAX_HEADER_SIZE", 1000)
    current = Limits.current()
    assert (current.line_size, current.header_size) == (100, 1000)
    monkeypatch.delattr(sys.modules["httpio"], "MAX_LINE_SIZE")
    assert Limits.current().line_size == MAX_LINE_SIZE


@pytest.mark.parametrize("fields", [b"", b"A: b\r\nContent-Length: 5\r\n"])
def test_a_status_line_may_be_as_long_as_the_limit(fields: bytes) -> None:
    line = STATUS_LINE[:-2].ljust(SMALL.line_size, b"!")
    head_of(line + b"\r\n" + fields + b"\r\n", SMALL)
    said = refuse(parse_response_head, line + b"!\r\n" + fields + b"\r\n", limits=SMALL)
    assert said == "the server sent a status line of more than 40 bytes"


@pytest.mark.parametrize("line", [b"HTTP/1.1 200", STATUS_LINE[:-2].ljust(SMALL.line_size, b"!")])
@pytest.mark.parametrize("first", [b"", b"Content-Length: 5\r\n"])
def test_a_section_may_be_as_long_as_the_limit(line: bytes, first: bytes) -> None:
    fields = (first + b"A: ").ljust(SMALL.header_size - 2, b"b") + b"\r\n"
    longer = (first + b"A: ").ljust(SMALL.header_size - 1, b"b") + b"\r\n"
    head_of(line + b"\r\n" + fields + b"\r\n", SMALL)
    said = refuse(parse_response_head, line + b"\r\n" + longer + b"\r\n", limits=SMALL)
    assert said == "the server sent a header section of more than 60 bytes"
    assert accept(parse_trailer_section, fields + b"\r\n", SMALL) == fields
    said = refuse(parse_trailer_section, longer + b"\r\n", limits=SMALL)
    assert said == "the server sent a trailer section of more than 60 bytes"


@pytest.mark.parametrize("line", [b"A:\r\n", b"A: b\r\n", b"Content-Length: 5\r\n"])
def test_a_section_may_have_as_many_lines_as_the_limit(line: bytes) -> None:
    limits = Limits(header_size=1_000_000)
    most = line * MAX_FIELD_LINES
    accept_quickly(parse_response_head, STATUS_LINE + most + b"\r\n", limits)
    accept_quickly(parse_trailer_section, most + b"\r\n", limits)
    for parse, before, section in [
        (parse_response_head, STATUS_LINE, "header section"),
        (parse_trailer_section, b"", "trailer section"),
    ]:
        with pytest.raises(
            InvalidResponse, match=f"sent 1001 lines in its {section}, more than 1000"
        ):
            parse(make_buffer(before + most + line + b"\r\n", limits=limits), limits)


def accept_quickly(parse: Parse, data: bytes, limits: Limits) -> None:
    buffer = make_buffer(data, limits=limits)
    assert parse(buffer, limits) is not None
    assert content_of(buffer) == b""


def test_folded_lines_count() -> None:
    fields = b"A: b\r\n" + b" c\r\n" * MAX_FIELD_LINES
    with pytest.raises(InvalidResponse, match="sent 1001 lines"):
        parse_response_head(make_buffer(STATUS_LINE + fields + b"\r\n"), LIMITS)


ENDLESS = [
    pytest.param(parse_response_head, b"HTTP/1.1 200 O", b"K", "status line of more", id="status line"),
    pytest.param(parse_response_head, STATUS_LINE + b"A: ", b"b", "header section of more", id="field line"),
    pytest.param(parse_response_head, STATUS_LINE + b"A", b"A", "header section of more", id="field name"),
    pytest.param(parse_response_head, STATUS_LINE, b"A: b\r\n", "header section of more", id="field lines"),
    pytest.param(parse_response_head, STATUS_LINE, b"A:\r\n", "header section of more", id="short lines"),
    pytest.param(parse_response_head, STATUS_LINE + b"A: b\r\n", b" c\r\n", "header section of more", id="folds"),
    pytest.param(parse_response_head, STATUS_LINE + b"Content-Length: 5", b" ", "header section of more", id="blanks"),
    pytest.param(parse_trailer_section, b"A: ", b"b", "trailer section of more", id="trailer line"),
    pytest.param(parse_trailer_section, b"A: b\r\n", b"A: b\r\n", "trailer section of more", id="trailers"),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "begin", "more", "said"), ENDLESS)
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_what_does_not_end_is_refused_when_the_buffer_is_full_at_the_latest(
    parse: Parse, begin: bytes, more: bytes, said: str, size: int
) -> None:
    limits = Limits(line_size=300, header_size=2000) if size == 1 else LIMITS
    buffer = make_buffer(before=1, limits=limits)
    capacity = len(buffer.data)
    data = begin + more * (2 * capacity // len(more))
    # As a socket would: no more than there is room for.
    size = min(size, capacity // 2)
    with pytest.raises(InvalidResponse, match=said):
        feed_in_vain(parse, buffer, pieces(data, size), limits)
    assert len(buffer.data) == capacity


@pytest.mark.parametrize(("parse", "begin", "more", "said"), ENDLESS)
def test_a_drip_of_single_bytes_is_looked_at_once(
    parse: Parse, begin: bytes, more: bytes, said: str
) -> None:
    limits = Limits(line_size=300, header_size=2000)
    buffer = make_buffer(before=1, limits=limits)
    # The end of the status line is looked for once more, when it could be too long.
    keep = len(STATUS_LINE) if begin.startswith(STATUS_LINE) else len(b"HTTP/1.")
    with pytest.raises(InvalidResponse, match=said):
        feed_in_vain(parse, buffer, pieces(begin + more * 3000, 1), limits, keep)


def test_a_head_that_came_in_a_drip_is_taken_when_its_end_is_there() -> None:
    fields = b"A: b\r\n" * 300
    buffer = make_buffer()
    head = None
    for octet in STATUS_LINE + fields + b"\r\n":
        assert head is None
        receive(buffer, bytes((octet,)))
        head = parse_response_head(buffer, LIMITS)
    assert head is not None
    assert head.field_section == fields


def test_explaining_takes_time_linear_in_the_head() -> None:
    # Were each octet before it looked at again from each other one, this would take minutes.
    limits = Limits(header_size=4_000_000)
    fields = b"A: " + b"b" * 3_000_000
    for bad in (b"\0", b"\n", b"\r", b"\r\nA B", b"\r\nAB"):
        with pytest.raises(InvalidResponse):
            parse_response_head(
                make_buffer(STATUS_LINE + fields + bad + b"x\r\n\r\n", limits=limits), limits
            )


def test_the_buffer_is_large_enough_for_any_limits() -> None:
    for limits in (Limits(0, 0), Limits(10, 10), Limits(10**6, 10), Limits(10, 10**6), LIMITS):
        assert limits.buffer_size >= limits.line_size + limits.header_size + 16 * 1024
