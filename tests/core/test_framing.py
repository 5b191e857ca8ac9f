"""Which content follows a head, and whether the connection outlives it: RFC 9112 §6.3 and §9.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio._exceptions import InvalidResponse
from httpio._framing import (
    Chunked,
    CloseDelimited,
    ContentLength,
    NoContent,
    Tunnel,
    Undelimited,
    plain_framing,
    response_framing,
)
from httpio._parser import parse_response_head
from tests.support.buffers import LIMITS, make_buffer

if TYPE_CHECKING:
    from httpio._framing import Framing


def frame(
    fields: bytes, *, method: str = "GET", status_line: bytes = b"HTTP/1.1 200 OK\r\n"
) -> tuple[Framing, bool]:
    """Return framing and persistence of a response, as the receiving half has them worked out."""
    head = parse_response_head(make_buffer(status_line + fields + b"\r\n"), LIMITS)
    assert head is not None
    if head.plain_length is not None:
        framing = plain_framing(method, head.status, head.plain_length)
        return framing, not isinstance(framing, Tunnel)
    return response_framing(method, head.status, head.minor_version, head.framing_fields)


def content_length(fields: bytes) -> int:
    """Return the length of content that *fields* announce."""
    framing, persists = frame(fields)
    assert isinstance(framing, ContentLength)
    assert persists
    return framing.length


# RFC 9112 §6.3, rule by rule


@pytest.mark.parametrize(
    "fields", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize(
    ("method", "status_line"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n"),
        ("HEAD", b"HTTP/1.1 304\r\n"),
    ],
)
def test_6_3_rule_1_head_204_and_304_have_no_content(
    method: str, status_line: bytes, fields: bytes
) -> None:
    framing, persists = frame(fields, method=method, status_line=status_line)
    assert isinstance(framing, NoContent)
    assert persists


def test_6_3_rule_1_comes_before_fields_that_are_wrong() -> None:
    fields = b"Content-Length: x\r\nTransfer-Encoding: y\r\n"
    assert isinstance(frame(fields, method="HEAD")[0], NoContent)
    assert isinstance(frame(fields, status_line=b"HTTP/1.1 304 \r\n")[0], NoContent)


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ],
)
@pytest.mark.parametrize("status", [200, 204, 299])
def test_6_3_rule_2_success_of_connect_opens_a_tunnel(fields: bytes, status: int) -> None:
    framing, persists = frame(fields, method="CONNECT", status_line=b"HTTP/1.1 %d x\r\n" % status)
    assert isinstance(framing, Tunnel)
    assert not persists


def test_6_3_rule_2_failure_of_connect_has_content() -> None:
    fields = b"Content-Length: 5\r\n"
    framing, persists = frame(fields, method="CONNECT", status_line=b"HTTP/1.1 407 x\r\n")
    assert isinstance(framing, ContentLength)
    assert persists


@pytest.mark.parametrize("method", ["GET", "HEAD", "CONNECT"])
def test_9110_15_2_2_after_101_comes_another_protocol(method: str) -> None:
    framing, persists = frame(b"Upgrade: x\r\n", method=method, status_line=b"HTTP/1.1 101 x\r\n")
    assert isinstance(framing, Tunnel)
    assert not persists


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"Transfer-Encoding: gzip\r\nContent-Length: 0\r\n",
        b"Transfer-Encoding:\r\nContent-Length: 5\r\n",
    ],
)
def test_6_3_rule_3_transfer_encoding_with_content_length_is_refused(fields: bytes) -> None:
    with pytest.raises(InvalidResponse, match="both Transfer-Encoding and Content-Length"):
        frame(fields)


def test_6_1_transfer_encoding_from_http_1_0_is_refused() -> None:
    with pytest.raises(InvalidResponse, match=r"Transfer-Encoding in an HTTP/1\.0 response"):
        frame(b"Transfer-Encoding: chunked\r\n", status_line=b"HTTP/1.0 200 OK\r\n")


@pytest.mark.parametrize(
    "value",
    [
        b"chunked",
        b"CHUNKED",
        b"\t chunked \t",
        b",chunked, ,",
        b"\r\n chunked",
        b"chunked\r\n\t",
        b"\r\n \r\n chunked",
    ],
)
def test_6_3_rule_4_final_chunked(value: bytes) -> None:
    framing, persists = frame(b"Transfer-Encoding:" + value + b"\r\n")
    assert isinstance(framing, Chunked)
    assert persists


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, gzip, chunked\r\n",
    ],
)
def test_6_1_chunked_twice_is_refused(fields: bytes) -> None:
    with pytest.raises(InvalidResponse, match="chunked transfer coding twice"):
        frame(fields)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b",",
        b"gzip",
        b"xchunked",
        b"identity",
        b"chunked, identity",
        b"gzip, chunked",
        b"chunked;q=1",
        b'"chunked"',
        b'x;y=", chunked, "',
        b"chun\r\n ked",
        # Blanks to some, but not to HTTP.
        b"chunked\x0b",
        b"\x0cchunked",
        b"chunked\x1f",
        b"chunked\x85",
        b"\xa0chunked",
        b"chun\x00ked".replace(b"\x00", b"\x08"),
    ],
)
def test_6_3_rule_4_other_transfer_codings_are_never_read_as_plain_content(value: bytes) -> None:
    framing, persists = frame(b"Transfer-Encoding: " + value + b"\r\n")
    assert isinstance(framing, Undelimited)
    assert framing.why.startswith("the response has a transfer coding that is not supported: ")
    assert not persists


def test_6_3_rule_4_the_closing_of_the_connection_changes_nothing_about_that() -> None:
    framing, persists = frame(b"Transfer-Encoding: gzip\r\nConnection: close\r\n")
    assert isinstance(framing, Undelimited)
    assert "'gzip'" in framing.why
    assert not persists


@pytest.mark.parametrize(
    "values",
    [
        [b"-5"],
        [b"+5"],
        [b"1_0"],
        [b"0x5"],
        [b"5 6"],
        [b"5;6"],
        [b"5.0"],
        [b"5e1"],
        [b""],
        [b","],
        [b"five"],
        [b"9" * 19],
        [b"9" * 5000],
        ["５".encode()],
        ["５".encode("utf-16-le").replace(b"\0", b"\x01")],
        [b"\xb2"],
        [b"5\x0b"],
        [b"\x0c5"],
        [b"5\xa0"],
        [b"5\r\n 6"],
        [b"5", b""],
        [b"", b"5"],
    ],
)
def test_6_3_rule_5_a_content_length_that_is_no_number_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidResponse, match=r"Content-Length.* the server sent|different"):
        frame(b"".join(b"Content-Length: " + value + b"\r\n" for value in values))


@pytest.mark.parametrize("values", [[b"5,6"], [b"5", b"6"], [b"5, 5, 6"], [b"5, 05"], [b"5,"]])
def test_9110_8_6_different_content_lengths_are_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidResponse, match=r"different Content-Length values: b'5,"):
        frame(b"".join(b"Content-Length: " + value + b"\r\n" for value in values))


def test_9110_8_6_errors_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(
        InvalidResponse,
        match=r"^expected 1 to 18 digits as Content-Length, the server sent b'0x5'$",
    ):
        frame(b"Content-Length: 0x5\r\n")


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\n",
        b"content-length:5\r\n",
        b"CONTENT-LENGTH:\t5 \r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5,5\r\nA: b\r\nContent-Length:\t5\r\n",
        b"Content-Length:\r\n 5\r\n",
        b"Content-Length: 5\r\n \r\n",
    ],
)
def test_6_3_rule_6_a_valid_content_length(fields: bytes) -> None:
    assert content_length(fields) == 5


def test_6_3_rule_6_leading_zeros_and_many_digits() -> None:
    assert content_length(b"Content-Length: 005\r\n") == 5
    assert content_length(b"Content-Length: 999999999999999999\r\n") == 10**18 - 1


@pytest.mark.parametrize("value", [b"0", b"000", b"0, 0"])
def test_6_3_rule_6_no_bytes_are_no_content(value: bytes) -> None:
    framing, persists = frame(b"Content-Length: " + value + b"\r\n")
    assert isinstance(framing, NoContent)
    assert persists


@pytest.mark.parametrize(
    ("status_line", "fields"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"Connection: close\r\n"),
        (b"HTTP/1.0 200 OK\r\n", b""),
        (b"HTTP/1.0 200 OK\r\n", b"Connection: close\r\n"),
        (b"HTTP/1.0 200 OK\r\n", b"Connection: keep-alive\r\n"),
    ],
)
def test_6_3_rule_8_content_to_the_close(status_line: bytes, fields: bytes) -> None:
    framing, persists = frame(fields, status_line=status_line)
    assert isinstance(framing, CloseDelimited)
    assert not persists


@pytest.mark.parametrize("fields", [b"", b"Connection: keep-alive\r\n", b"Connection: x\r\n"])
def test_6_3_rule_8_is_not_guessed_of_a_server_that_does_not_announce_its_close(
    fields: bytes,
) -> None:
    framing, persists = frame(fields)
    assert isinstance(framing, Undelimited)
    assert "neither Content-Length nor Transfer-Encoding" in framing.why
    assert not persists


# Names that only resemble those that matter


@pytest.mark.parametrize(
    "field",
    [
        b"X-Content-Length: 6",
        b"Content-Length-X: 6",
        b"ContentLength: 6",
        b"Content_Length: 6",
        b"X-Transfer-Encoding: chunked",
        b"X-Connection: close",
        b"Connectio: close",
        b"Foo: Content-Length: 6",
        b"Foo: a\r\n Content-Length: 6",
        b"Foo: a\r\n\tTransfer-Encoding: chunked",
        b"Foo:\r\n Connection: close",
    ],
)
def test_fields_of_other_names_decide_nothing(field: bytes) -> None:
    assert content_length(field + b"\r\nContent-Length: 5\r\n") == 5
    assert content_length(b"Content-Length: 5\r\n" + field + b"\r\n") == 5


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length:Content-Length: 5\r\n",
        b"Content-Length:Connection: keep-alive\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding:Connection: keep-alive\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding:Connection: keep-alive\r\n",
    ],
)
def test_a_field_in_the_value_of_another_does_not_stand_for_it(fields: bytes) -> None:
    with pytest.raises(InvalidResponse):
        frame(fields)


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding:Content-Length: 5\r\n",
        b"Connection:Content-Length: 5\r\n",
        b"Connection: Content-Length: 5\r\n",
        b"Foo:Content-Length: 5\r\n",
    ],
)
def test_a_field_in_the_value_of_another_is_not_believed(fields: bytes) -> None:
    framing, persists = frame(fields)
    assert isinstance(framing, Undelimited)
    assert not persists


# Persistence


@pytest.mark.parametrize(
    ("minor_version", "connection", "persists"),
    [
        (1, [], True),
        (1, [b"keep-alive"], True),
        (1, [b"Keep-Alive "], True),
        (1, [b"close"], False),
        (1, [b"CLOSE"], False),
        (1, [b"keep-alive, close"], False),
        (1, [b"close,keep-alive"], False),
        (1, [b"x-close"], True),
        (1, [b"clos e"], True),
        (1, [b""], True),
        (1, [b", ,close"], False),
        (1, [b"keep-alive", b"Close"], False),
        (1, [b"x", b"y, z"], True),
        (1, [b"x,\r\n close"], False),
        (1, [b"\r\n close"], False),
        (0, [], False),
        (0, [b"keep-alive"], True),
        (0, [b"Keep-Alive"], True),
        (0, [b"x, KEEP-alive"], True),
        (0, [b"keep-alive\r\n "], True),
        (0, [b"keep-alive", b"close"], False),
        (0, [b"keep-alive\x0b"], False),
        (0, [b"x"], False),
    ],
)
def test_9_3_persistence(minor_version: int, connection: list[bytes], persists: bool) -> None:
    fields = b"".join(b"Connection: " + value + b"\r\n" for value in connection)
    status_line = b"HTTP/1.%d 200 OK\r\n" % minor_version
    framing, found = frame(fields + b"Content-Length: 5\r\n", status_line=status_line)
    assert isinstance(framing, ContentLength)
    assert found is persists
    assert frame(b"Content-Length: 5\r\n" + fields, status_line=status_line)[1] is persists


# What is spared does not differ from what it stands for


@pytest.mark.parametrize("method", ["GET", "HEAD", "CONNECT", "POST"])
@pytest.mark.parametrize("status", [200, 201, 204, 299, 300, 304, 404, 500, 999])
@pytest.mark.parametrize("length", [0, 1, 10**17])
def test_plain_framing_is_response_framing(method: str, status: int, length: int) -> None:
    framing = plain_framing(method, status, length)
    expected, persists = response_framing(method, status, 1, [(b"Content-Length", b"%d" % length)])
    assert type(framing) is type(expected)
    assert getattr(framing, "length", None) == getattr(expected, "length", None)
    assert persists is not isinstance(framing, Tunnel)
