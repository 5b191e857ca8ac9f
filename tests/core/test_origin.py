"""Requests to one server as bytes: to it directly, and through a proxy."""

from __future__ import annotations

import base64
import enum
import hashlib
from array import array
from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio._encoders import encode_request_head
from httpio._exceptions import LocalProtocolError
from httpio._messages import BodyFollowing
from httpio._origin import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import ReadableBuffer

HOST = "example.org:81"
CREDENTIALS = "Basic dTpw"

DIRECT = Origin(HOST, through_proxy=False, credentials=None)
PROXIED = Origin(HOST, through_proxy=True, credentials=None)
PROXIED_WITH_CREDENTIALS = Origin(HOST, through_proxy=True, credentials=CREDENTIALS)
ORIGINS = {
    "direct": DIRECT,
    "proxied": PROXIED,
    "credentials": PROXIED_WITH_CREDENTIALS,
}


def lines_of(origin: Origin, method: str, path: str) -> list[str]:
    head, content = origin.encode(method, path, None, None)
    assert content is None
    assert head.data.endswith(b"\r\n\r\n")
    return head.data.decode("ascii")[:-4].split("\r\n")


def test_a_request_without_anything_of_its_own() -> None:
    assert lines_of(DIRECT, "GET", "/a?b") == [
        "GET /a?b HTTP/1.1",
        "Host: example.org:81",
        "Accept-Encoding: identity",
        "Content-Length: 0",
    ]


def test_through_a_proxy_the_target_is_absolute() -> None:
    assert lines_of(PROXIED_WITH_CREDENTIALS, "GET", "/a?b") == [
        "GET http://example.org:81/a?b HTTP/1.1",
        "Host: example.org:81",
        "Proxy-Authorization: Basic dTpw",
        "Accept-Encoding: identity",
        "Content-Length: 0",
    ]


# RFC 9112 §3.2
@pytest.mark.parametrize(
    ("method", "path", "direct", "proxied"),
    [
        ("GET", "/", "/", "http://example.org:81/"),
        ("GET", "", "/", "http://example.org:81/"),
        ("GET", "?a", "/?a", "http://example.org:81/?a"),
        ("GET", "//a//b", "//a//b", "http://example.org:81//a//b"),
        # RFC 9112 §3.2.4: the last proxy makes an asterisk of a target without a path.
        ("OPTIONS", "*", "*", "http://example.org:81"),
        ("OPTIONS", "/*", "/*", "http://example.org:81/*"),
        # RFC 9112 §3.2.3
        ("CONNECT", "a.example:443", "a.example:443", "a.example:443"),
    ],
)
def test_forms_of_the_target(method: str, path: str, direct: str, proxied: str) -> None:
    assert lines_of(DIRECT, method, path)[0] == f"{method} {direct} HTTP/1.1"
    assert lines_of(PROXIED, method, path)[0] == f"{method} {proxied} HTTP/1.1"


@pytest.mark.parametrize("origin", ORIGINS)
def test_connect_is_for_the_host_that_it_names(origin: str) -> None:
    lines = lines_of(ORIGINS[origin], "CONNECT", "a.example:443")
    assert lines[1] == "Host: a.example:443"
    assert not [line for line in lines if line.startswith(("Content-", "Accept-"))]
    assert ("Proxy-Authorization: Basic dTpw" in lines) is (origin == "credentials")


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "M"])
@pytest.mark.parametrize("path", ["/", "/a%20b?c=d", "", "?a"])
def test_the_short_way_leads_to_the_same_bytes(origin: str, method: str, path: str) -> None:
    one = ORIGINS[origin].encode(method, path, None, None)[0]
    other = ORIGINS[origin].encode(method, path, {}, None)[0]
    for name in type(one).__slots__:
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize("origin", ORIGINS)
def test_what_follows_the_target_in_a_plain_request(origin: str) -> None:
    # A pipeline makes its blocks of this.
    each = ORIGINS[origin]
    text = f"GET {each.target_prefix}/a{each.plain_rest}"
    assert text.encode("latin-1") == each.encode("GET", "/a", None, None)[0].data


def test_fields_of_the_caller_go_along() -> None:
    head, content = DIRECT.encode("GET", "/", [("A", "1"), ("A", "2")], None)
    assert head.data.count(b"\r\nA: ") == 2
    assert content is None


def test_the_caller_may_have_another_host_and_other_credentials() -> None:
    head, _ = PROXIED_WITH_CREDENTIALS.encode(
        "GET", "/", {"host": "other", "proxy-authorization": "x"}, None
    )
    assert head.data.startswith(b"GET http://example.org:81/ HTTP/1.1\r\nHost: other\r\n")
    assert b"Basic" not in head.data
    assert b"\r\nproxy-authorization: x\r\n" in head.data


@pytest.mark.parametrize(
    ("headers", "asks_close", "asks_upgrade"),
    [
        ({"Connection": "close"}, True, False),
        ({"Connection": "upgrade", "Upgrade": "x"}, False, True),
        ({"Connection": "keep-alive"}, False, False),
    ],
)
def test_what_a_request_asks_for_is_told(
    headers: Mapping[str, str], asks_close: bool, asks_upgrade: bool
) -> None:
    head, _ = DIRECT.encode("GET", "/", headers, None)
    assert (head.asks_close, head.asks_upgrade) == (asks_close, asks_upgrade)


BODIES: dict[str, ReadableBuffer] = {
    "bytes": b"abcdef",
    "bytearray": bytearray(b"abcdef"),
    "memoryview": memoryview(b"xabcdefx")[1:-1],
    "array": array("H", [0x6261, 0x6463, 0x6665]),
    "2 dimensions": memoryview(b"abcdef").cast("B", (2, 3)),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_content_in_memory_is_sent_along(origin: str, body: str) -> None:
    head, content = ORIGINS[origin].encode("PUT", "/", None, BODIES[body])
    assert content is not None
    assert bytes(content) == b"abcdef"
    assert head.content_length == 6
    assert b"\r\nContent-Length: 6\r\n" in head.data
    assert b"MD5" not in head.data


def test_content_is_not_copied() -> None:
    body = bytearray(b"abc")
    _, content = DIRECT.encode("PUT", "/", None, body)
    assert content is not None
    body[0] = ord("x")
    assert bytes(content) == b"xbc"


def test_empty_content_is_content() -> None:
    head, content = DIRECT.encode("PUT", "/", None, b"", add_content_md5=True)
    assert content is not None
    assert len(content) == 0
    assert head.content_length == 0
    assert b"Content-MD5" in head.data


@pytest.mark.parametrize(
    ("length", "says"), [(5, b"Content-Length: 5"), (None, b"Transfer-Encoding: chunked")]
)
@pytest.mark.parametrize("expect100", [False, True])
def test_content_that_follows(length: int | None, says: bytes, expect100: bool) -> None:
    head, content = DIRECT.encode(
        "PUT", "/", None, BodyFollowing(length), expect100=expect100, add_content_md5=True
    )
    assert content is None
    assert head.content_length == length
    assert head.data.count(says) == 1
    assert head.expects_continue is expect100
    assert (b"\r\nExpect: 100-continue\r\n" in head.data) is expect100
    assert b"MD5" not in head.data


def test_a_checksum_of_the_content_if_it_is_wanted() -> None:
    head, _ = DIRECT.encode("PUT", "/", None, b"abc", add_content_md5=True)
    checksum = base64.b64encode(hashlib.md5(b"abc", usedforsecurity=False).digest())
    assert b"\r\nContent-MD5: %b\r\n" % checksum in head.data


def test_without_content_there_is_no_checksum() -> None:
    assert b"MD5" not in DIRECT.encode("GET", "/", None, None, add_content_md5=True)[0].data


# What must not go on the wire


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("headers", [None, {}], ids=["short way", "long way"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "a"),
        ("GET", "*"),
        ("GET", "http://example.org/"),
        ("GET", "/a b"),
        ("GET", "/a\r\nX: y"),
        ("GET", "/a\n"),
        ("GET", "/\0"),
        ("GET", "/\x7f"),
        ("GET", "/\xe4"),
        ("GET", "/\u20ac"),
        ("GET", "/\udc80"),
        ("", "/"),
        ("G T", "/"),
        ("GET\r\nX:", "/"),
        ("GET\xe4", "/"),
        ("CONNECT", "/"),
        ("CONNECT", "host"),
        ("CONNECT", "host:1\r\nX: y"),
        ("CONNECT", "host:\u0661"),
    ],
)
def test_no_line_that_is_not_one(
    origin: str, headers: dict[str, str] | None, method: str, path: str
) -> None:
    with pytest.raises(LocalProtocolError):
        ORIGINS[origin].encode(method, path, headers, None)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize("body", [b"x", BodyFollowing(), BodyFollowing(5)], ids=repr)
def test_no_content_where_it_would_be_taken_for_something_else(
    method: str, body: bytes | BodyFollowing
) -> None:
    with pytest.raises(LocalProtocolError, match="no content"):
        DIRECT.encode(method, "host:1" if method == "CONNECT" else "/", None, body)


@pytest.mark.parametrize("body", [None, b"x"], ids=repr)
def test_expect100_needs_content_that_follows(body: bytes | None) -> None:
    with pytest.raises(LocalProtocolError, match="100"):
        DIRECT.encode("PUT", "/", None, body, expect100=True)


@pytest.mark.parametrize("body", ["abc", "", 5, [b"abc"]], ids=repr)
def test_what_is_no_content(body: object) -> None:
    with pytest.raises(TypeError, match="bytes"):
        DIRECT.encode("PUT", "/", None, body)  # type: ignore[arg-type]  # that is the question


def test_memory_that_is_not_contiguous() -> None:
    with pytest.raises(LocalProtocolError, match="contiguous"):
        DIRECT.encode("PUT", "/", None, memoryview(b"abcd")[::2])


@pytest.mark.parametrize("value", [5, None, b"/"], ids=repr)
def test_what_is_no_str(value: str) -> None:
    with pytest.raises(TypeError):
        DIRECT.encode("GET", value, None, None)
    with pytest.raises(TypeError):
        DIRECT.encode(value, "/", None, None)


@pytest.mark.parametrize("host", ["a\r\nX: y", "a\0", "\u20ac"])
def test_a_host_is_checked_when_the_origin_is_made(host: str) -> None:
    with pytest.raises(LocalProtocolError):
        Origin(host, through_proxy=False, credentials=None)


@pytest.mark.parametrize("credentials", ["a\r\nX: y", "a\0", "\u20ac"])
def test_credentials_are_checked_when_the_origin_is_made(credentials: str) -> None:
    with pytest.raises(LocalProtocolError):
        Origin("a", through_proxy=True, credentials=credentials)


class Word(str, enum.Enum):  # noqa: UP042  # a StrEnum is written as what it holds
    """Strings that an f-string makes something else of."""

    GET = "GET"
    PATH = "/a"

    def __format__(self, spec: str) -> str:
        return "EVIL"

    def __str__(self) -> str:
        return "EVIL"


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("headers", [None, {}], ids=["short way", "long way"])
def test_of_a_subclass_of_str_the_text_is_sent(origin: str, headers: dict[str, str] | None) -> None:
    each = ORIGINS[origin]
    assert (
        each.encode(Word.GET, Word.PATH, headers, None)[0].data
        == each.encode("GET", "/a", headers, None)[0].data
    )


# Any request at all


@given(
    st.sampled_from(sorted(ORIGINS)),
    st.text(st.characters(max_codepoint=0x100), max_size=6) | st.sampled_from(["GET", "PUT"]),
    st.text(st.characters(max_codepoint=0x100), max_size=12).map("/".__add__),
)
def test_what_is_sent_is_one_request_or_nothing(origin: str, method: str, path: str) -> None:
    each = ORIGINS[origin]
    try:
        head, _ = each.encode(method, path, None, None)
    except LocalProtocolError:
        with pytest.raises(LocalProtocolError):
            encode_request_head(method, f"{each.target_prefix}{path}", HOST, None, None)
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(head.data)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert request.method == method.encode()
    assert request.target == f"{each.target_prefix}{path}".encode()
    assert isinstance(server.next_event(), h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
