"""Requests as bytes. Whatever a caller passes, what goes on the wire is one request, or nothing."""

from __future__ import annotations

import array
import base64
import ctypes
import enum
import hashlib
from collections import UserDict
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest

from httpio._encoders import (
    CHUNK_END,
    RequestHead,
    as_bytes_view,
    basic_credentials,
    content_md5,
    encode_chunk_start,
    encode_last_chunk,
    encode_plain_request_head,
    encode_request_head,
)
from httpio._exceptions import LocalProtocolError
from httpio._headers import CaseInsensitiveDict
from httpio._messages import BodyFollowing
from httpio._target import encode_authority, encode_hostname, request_target
from httpio._text import require_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio._request import RequestHeaders

Body = bytes | BodyFollowing | None


def encode(
    headers: RequestHeaders | None = None,
    body: Body = None,
    *,
    method: str = "GET",
    target: str = "/",
    host: str = "example.org",
    expect100: bool = False,
    proxy_credentials: str | None = None,
    add_content_md5: bool = False,
) -> RequestHead:
    """Return the head of a request as the connection has it encoded."""
    return encode_request_head(
        method,
        target,
        host,
        headers,
        memoryview(body) if isinstance(body, bytes) else body,
        expect100=expect100,
        proxy_credentials=proxy_credentials,
        add_content_md5=add_content_md5,
        tunnel=method == "CONNECT",
    )


def lines_of(head: RequestHead) -> list[bytes]:
    """Return request line and field lines of *head*."""
    assert head.data.endswith(b"\r\n\r\n")
    lines = head.data[:-4].split(b"\r\n")
    assert all(lines)
    return lines


def fields_of(head: RequestHead) -> list[bytes]:
    """Return the field lines of *head*."""
    return lines_of(head)[1:]


def own_fields_of(head: RequestHead) -> list[bytes]:
    """Return the field lines of *head* without those that every request without content has."""
    added = (b"Host: example.org", b"Accept-Encoding: identity", b"Content-Length: 0")
    return [line for line in fields_of(head) if line not in added]


class Lying(str):
    """A string that is something else whenever it is asked."""

    def __str__(self) -> str:
        return "a\r\nInjected: 1"

    def __format__(self, spec: str) -> str:
        return "b\r\nInjected: 1"

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__

    def __contains__(self, key: object) -> bool:
        return False

    def lower(self) -> str:
        return "x-harmless"

    def strip(self, chars: str | None = None) -> str:
        return "x"

    def split(self, *args: Any, **kwargs: Any) -> list[str]:
        return ["x"]

    def startswith(self, *args: Any) -> bool:
        return True

    def isascii(self) -> bool:
        return True

    def encode(self, *args: Any, **kwargs: Any) -> bytes:
        return b"c\r\nInjected: 1"


# What is added


def test_a_request_without_anything() -> None:
    head = encode()
    assert head.data == (
        b"GET / HTTP/1.1\r\nHost: example.org\r\nAccept-Encoding: identity\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert head.content_length == 0
    assert not head.asks_close
    assert not head.asks_upgrade
    assert not head.expects_continue


def test_a_plain_request_is_encoded_the_same_way() -> None:
    fields = encode().data.partition(b"\r\n")[2]
    for method, target in [("GET", "/"), ("M-SEARCH", "/a?b"), ("OPTIONS", "*")]:
        plain = encode_plain_request_head(method, target, fields)
        head = encode(method=method, target=target)
        for name in RequestHead.__slots__:
            assert getattr(plain, name) == getattr(head, name)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X": "y"},
        {"Host": "other.example"},
        {"X": "y", "Host": "other.example:8080"},
        [("a", "b"), ("HOST", "[::1]:8080"), ("c", "d")],
    ],
)
def test_9110_7_2_host_is_present_once_and_first(headers: RequestHeaders) -> None:
    fields = fields_of(encode(headers))
    assert fields[0].startswith(b"Host: ")
    assert sum(line.lower().startswith(b"host:") for line in fields) == 1


@pytest.mark.parametrize(
    "value", ["other.example", "a:1", "[::1]", "[::1]:8080", "127.0.0.1", "_x~"]
)
def test_9110_7_2_host_may_be_given(value: str) -> None:
    assert fields_of(encode({"hOST": value}))[0] == b"Host: " + value.encode()


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "a b", " a", "a ", "a\r\nX: y", "a\n", "a\0", "a/b", "a?b", "u@h", "a,b", "a:", "a:b",
        "a:123456", "::1", "[::1", "[]", "ä", "\N{EURO SIGN}", "a\t", "[fe80::1%eth0]",
    ],
)  # fmt: skip
def test_9110_7_2_a_host_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"expected 'host\[:port\]' as Host, got "):
        encode({"Host": value})


@pytest.mark.parametrize("again", ["Host", "host"])
def test_9112_3_2_two_hosts_are_refused(again: str) -> None:
    with pytest.raises(LocalProtocolError, match="one Host field, got several"):
        encode([("Host", "a"), (again, "a")])


def test_accept_encoding_may_be_given() -> None:
    assert own_fields_of(encode({"accept-encoding": "gzip"})) == [b"accept-encoding: gzip"]
    assert b"Accept-Encoding: identity" not in encode({"accept-encoding": "gzip"}).data


def test_proxy_authorization_is_added_unless_given() -> None:
    assert own_fields_of(encode(proxy_credentials="Basic x")) == [b"Proxy-Authorization: Basic x"]
    given = encode({"proxy-authorization": "Own"}, proxy_credentials="Basic x")
    assert own_fields_of(given) == [b"proxy-authorization: Own"]


def test_content_md5_is_added_unless_given() -> None:
    value = base64.b64encode(hashlib.md5(b"hello").digest())
    assert content_md5(b"hello").encode() == value
    head = encode(None, b"hello", add_content_md5=True)
    assert b"Content-MD5: " + value in fields_of(head)
    head = encode({"CONTENT-MD5": "x"}, b"hello", add_content_md5=True)
    assert [line for line in fields_of(head) if b"MD5" in line] == [b"CONTENT-MD5: x"]
    assert b"MD5" not in encode(None, b"hello").data
    assert b"MD5" not in encode(None, BodyFollowing(5), add_content_md5=True).data


def test_connect_gets_nothing_about_content() -> None:
    head = encode(method="CONNECT", target="a:1", host="a:1")
    assert head.data == b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
    assert head.content_length == 0


# Headers, in all their forms


class Mapping(UserDict[str, str]):
    """No dict, but a mapping."""


def message(**fields: str) -> Message:
    """Return *fields* as an e-mail message."""
    made = Message()
    for name, value in fields.items():
        made[name] = value
    return made


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "b", "c": "D"},
        CaseInsensitiveDict({"A": "b", "c": "D"}),
        Mapping({"A": "b", "c": "D"}),
        message(A="b", c="D"),
        [("A", "b"), ("c", "D")],
        (["A", "b"], ["c", "D"]),
        {("A", "b"): 1, ("c", "D"): 2}.keys(),
        iter([("A", "b"), ("c", "D")]),
        (pair for pair in [("A", "b"), ("c", "D")]),
        {"A": "b", "c": "D"}.items(),
    ],
)
def test_headers_are_a_mapping_or_pairs(headers: Any) -> None:
    assert own_fields_of(encode(headers)) == [b"A: b", b"c: D"]


def test_headers_are_not_changed() -> None:
    headers = {"Host": "a", "Content-Length": "5", "Expect": "100-continue", "X": "y"}
    before = dict(headers)
    encode(headers, b"hello")
    assert headers == before


def test_pairs_may_repeat_a_name() -> None:
    assert own_fields_of(encode([("A", "b"), ("a", "c"), ("A", "b")])) == [
        b"A: b",
        b"a: c",
        b"A: b",
    ]


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "\t", "ä\xff\x80", "a:b", '"q"', ": ", "=?utf-8?q?a?="]
)
def test_9110_5_5_values_go_out_as_they_are(value: str) -> None:
    assert own_fields_of(encode({"X": value})) == [b"X: " + value.encode("latin-1")]


@pytest.mark.parametrize(
    "headers",
    [
        "A: b",
        b"A: b",
        bytearray(b"ab"),
        ["ab", "cd"],
        ["abc"],
        [("a",)],
        [("a", "b", "c")],
        [1],
        [None],
        [{"a", "b"}],
        [{"a": "b"}],
        {"ab": 1}.keys(),
        5,
        object(),
        {"A": 5},
        {"A": None},
        {"A": b"b"},
        {"A": ["b"]},
        {b"A": "b"},
        {5: "b"},
        {None: "b"},
        [("A", 5)],
        {"A": bytearray(b"b")},
    ],
    # Neither the address of an object nor the order of a set is the same in each process.
    ids=lambda value: "a set" if value == [{"a", "b"}] else repr(value).partition(" at 0x")[0],
)
@pytest.mark.parametrize("encoder", [encode, encode_last_chunk])
def test_other_things_as_headers_are_a_type_error(
    headers: Any, encoder: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError):
        encoder(headers)


def test_type_errors_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(TypeError, match=r"^names and values of headers must be str, got 5$"):
        encode({"A": 5})  # type: ignore[arg-type]  # the point
    with pytest.raises(
        TypeError,
        match=r"^headers must be a mapping or pairs of name and value, got 'abc' for a pair$",
    ):
        encode(["abc"])  # type: ignore[list-item]  # the point
    with pytest.raises(TypeError, match=r"^trailers must be a mapping or pairs"):
        encode_last_chunk(["abc"])  # type: ignore[list-item]  # the point
    with pytest.raises(TypeError, match=r"^path must be str, got b'/'$"):
        require_str("path", "/", b"/")


def test_what_a_mapping_raises_is_not_hidden() -> None:
    def pairs() -> Iterator[tuple[str, str]]:
        yield "A", "b"
        raise LookupError("from the caller's own code")

    with pytest.raises(LookupError, match="own code"):
        encode(pairs())


# Smuggling


@pytest.mark.parametrize(
    "value",
    [
        "b\r\nInjected: 1", "\r\n", "b\r\n", "\r\nb", "b\rc", "b\r", "\r", "b\nc", "b\n", "\n", "b\0c", "\0",
        "b\r\n folded", "b\r\n\tfolded", "b\r\n\r\nGET / HTTP/1.1", "\x01", "b\x0bc", "\x0c", "\x1f", "\x7f",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["X", "Connection", "Upgrade", "Accept-Encoding", "Expect"])
def test_9110_5_5_controls_in_a_value_are_refused(name: str, value: str) -> None:
    with pytest.raises(
        LocalProtocolError, match=rf"the value of {name} must not contain CR, LF, NUL"
    ):
        encode({"A": "b", name: value})
    with pytest.raises(
        LocalProtocolError, match=rf"the value of {name} must not contain CR, LF, NUL"
    ):
        encode([(name, value)], b"body")


BAD_NAMES = [
    "", " ", "a b", " a", "a ", "\ta", "a\t", "a:", ":", ":a", "a:b", "a: b\r\nc", "a\r\n", "a\n", "a\r", "a\0",
    "a\r\nb", "\r\na", "a(b", "a/b", "a=b", 'a"b', "a{", "ä", "\xff", "\x7f", "\x01", "Content-Length:",
    "Transfer-Encoding:", "Transfer-Encoding:chunked", "Transfer-Encoding ", "Host:", "Content-Length\t",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_9112_5_1_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="a field name must be a token, got "):
        encode({"A": "b", name: "x"})
    with pytest.raises(LocalProtocolError, match="a field name must be a token, got "):
        encode_last_chunk({"A": "b", name: "x"})


@pytest.mark.parametrize("name", ["a", "!#$%&'*+-.^_`|~09AZaz", "1", "-"])
def test_9110_5_6_2_tokens(name: str) -> None:
    assert own_fields_of(encode({name: "x"})) == [name.encode() + b": x"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "\N{EURO SIGN}"), ("X", "Ā"), ("\N{EURO SIGN}", "x"), ("X", "\ud800"), ("\udc80", "x")],
)
def test_what_is_not_latin_1_is_refused(name: str, value: str) -> None:
    with pytest.raises(LocalProtocolError, match="header fields must be latin-1, got"):
        encode({name: value})
    with pytest.raises(LocalProtocolError, match="trailers must be latin-1"):
        encode_last_chunk({name: value})


BAD_METHODS = [
    "", " ", "GET ", " GET", "GET / HTTP/1.1\r\nI: 1\r\nX", "GE T", "G\tT", "GET\r\n", "GET\n", "GET\r", "GET\0", "GÄT",
    "GET:", "GET/", "(", "\x7f", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET",
]  # fmt: skip
BAD_TARGETS = [
    "/ HTTP/1.1\r\nX: y", "/a b", "/ ", "/\t", "/\r\n", "/\r", "/\n", "/\0", "/\x7f", "/\x1f", "/ä", "/\xff",
    "/ HTTP/1.0", "/\xa0", "/\x85",
]  # fmt: skip


def encoders(method: str, target: str) -> list[Callable[[], RequestHead]]:
    return [
        lambda: encode(method=method, target=target),
        lambda: encode({"A": "b"}, b"body", method=method, target=target),
        lambda: encode_plain_request_head(method, target, b"Host: a\r\n\r\n"),
    ]


@pytest.mark.parametrize("method", BAD_METHODS)
def test_9110_9_1_a_method_that_is_no_token_is_refused(method: str) -> None:
    for encoder in encoders(method, "/"):
        with pytest.raises(
            LocalProtocolError, match="the method must be a token such as 'GET', got"
        ):
            encoder()


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_9112_3_2_a_target_with_blanks_or_controls_is_refused(target: str) -> None:
    for encoder in encoders("GET", target):
        with pytest.raises(LocalProtocolError, match=r"the path must be visible ASCII .*; got '/"):
            encoder()


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/\N{EURO SIGN}"), ("GÈT\N{EURO SIGN}", "/"), ("GET", "/\ud800")]
)
def test_method_and_target_that_cannot_be_encoded_are_refused(method: str, target: str) -> None:
    for encoder in encoders(method, target):
        with pytest.raises(LocalProtocolError, match="must be"):
            encoder()


@pytest.mark.parametrize("method", ["GET", "get", "M-SEARCH", "X", "!#$%&'*+-.^_`|~"])
def test_any_token_is_a_method(method: str) -> None:
    assert lines_of(encode(method=method))[0] == method.encode() + b" / HTTP/1.1"


# Strings that are not what they say


class Method(str, enum.Enum):  # noqa: UP042 - a StrEnum is harmless
    """The way many programs name methods. In an f-string it is ``Method.PUT`` on some Pythons."""

    PUT = "PUT"
    TRACE = "TRACE"


def test_a_method_of_an_enumeration_goes_out_as_its_value() -> None:
    assert lines_of(encode(method=Method.PUT))[0] == b"PUT / HTTP/1.1"
    plain = encode_plain_request_head(Method.PUT, "/", b"\r\n")
    assert plain.data == b"PUT / HTTP/1.1\r\n\r\n"


def test_subclasses_of_str_are_taken_for_what_they_hold() -> None:
    head = encode(
        [(Lying("X"), Lying("y"))], method=Lying("GET"), target=request_target("GET", Lying("/p"))
    )
    assert lines_of(head) == [
        b"GET /p HTTP/1.1",
        b"Host: example.org",
        b"X: y",
        b"Accept-Encoding: identity",
        b"Content-Length: 0",
    ]
    assert encode_plain_request_head(Lying("GET"), "/", b"\r\n").data == b"GET / HTTP/1.1\r\n\r\n"
    assert encode_last_chunk([(Lying("X"), Lying("y"))]) == b"0\r\nX: y\r\n\r\n"
    assert encode_hostname(Lying("example.org")) == "example.org"


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding"])
def test_a_lying_name_does_not_frame_twice(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{name} is '7'"):
        encode([(Lying(name), Lying("7"))], b"body")


def test_a_lying_name_is_no_trailer_that_is_forbidden() -> None:
    with pytest.raises(LocalProtocolError, match="must not be sent as a trailer"):
        encode_last_chunk([(Lying("Content-Length"), "7")])


@pytest.mark.parametrize("value", ["b\r\nInjected: 1", "\N{EURO SIGN}"])
def test_a_lying_value_is_checked_for_what_it_holds(value: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode({"X": Lying(value)})
    with pytest.raises(LocalProtocolError):
        encode({"Host": Lying(value)})
    with pytest.raises(LocalProtocolError):
        encode(method=Lying(value))
    with pytest.raises(LocalProtocolError):
        encode_hostname(Lying("a b" + value))


# Targets (RFC 9112 §3.2)


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/", "/"),
        ("GET", "/a/b?c=d", "/a/b?c=d"),
        ("GET", "", "/"),
        ("GET", "?q", "/?q"),
        ("GET", "//a", "//a"),
        ("GET", "/*", "/*"),
        ("OPTIONS", "*", "*"),
        ("OPTIONS", "/", "/"),
        ("OPTIONS", "", "/"),
        ("CONNECT", "example.org:443", "example.org:443"),
        ("CONNECT", "[::1]:443", "[::1]:443"),
        ("CONNECT", "127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_9112_3_2_forms_of_targets(method: str, path: str, target: str) -> None:
    assert request_target(method, path) == target


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "*"), ("GET", "a"), ("GET", "a:1"), ("GET", "http://a/"), ("OPTIONS", "**"), ("GET", " /"),
     ("options", "*"), ("GET", "#f"), ("GET", "\r\n/"), ("connect", "a:1")],
)  # fmt: skip
def test_9112_3_2_a_path_that_is_no_target_is_refused(method: str, path: str) -> None:
    with pytest.raises(
        LocalProtocolError, match=r"the path of a request must start with '/', got '"
    ):
        request_target(method, path)


@pytest.mark.parametrize(
    "path",
    ["", "/", "*", "a", "a:", ":1", "::1", "[::1]", "a:b", "a b:1", "http://a:1", "a:1/", "a:1\r\n", "ä:1", "a:123456",
     "u@h:1", "?:1", "a:1:2"],
)  # fmt: skip
def test_9112_3_2_3_connect_takes_an_authority(path: str) -> None:
    with pytest.raises(LocalProtocolError, match="CONNECT takes 'host:port' as its target, got '"):
        request_target("CONNECT", path)


# Host names


@pytest.mark.parametrize(
    ("hostname", "host"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org.", "EXAMPLE.org."),
        ("a_b-c.d~e", "a_b-c.d~e"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("fe80::1%eth0", "[fe80::1]"),
        ("[fe80::1%eth0]", "[fe80::1]"),
        ("::ffff:1.2.3.4", "[::ffff:1.2.3.4]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("a。b", "a.b"),
    ],
)
def test_9110_7_2_host_names(hostname: str, host: str) -> None:
    assert encode_hostname(hostname) == host
    assert encode_authority(hostname, 80, 80) == host
    assert encode_authority(hostname, 8080, 80) == f"{host}:8080"
    assert encode_authority(hostname, 80, None) == f"{host}:80"


@pytest.mark.parametrize(
    "hostname",
    [
        "", " ", "a b", "a/b", "a?b", "u@h", "a\r\nb", "a\n", "a\0", "a#b", "a:80", "a:", ":", "[", "]", "[]", "[a]",
        "[1.2.3.4]", "[::1", "::1]", "[::1]:80", "[[::1]]", "::1%", "::1%a b", "::1%\r\n", "::1%ä", "12345::", "a,b",
        "a%20b", "a\\b", "ä..b", "ä" * 64, "\ud800", "\N{EURO SIGN} b",
        # What IDNA makes delimiters of.
        "a：80", "a／b", "a＠b", "a？b", "a＃b", "［1］", "［::1］", "a％00", "℀", "a\u3000b", "a\u2028b",
    ],
)  # fmt: skip
def test_9110_7_2_what_is_no_host_name_is_refused(hostname: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"host name") as caught:
        encode_hostname(hostname)
    assert repr(hostname) in str(caught.value)


@pytest.mark.parametrize("hostname", [None, b"a", 5])
def test_a_host_name_is_a_str(hostname: Any) -> None:
    with pytest.raises(TypeError, match="host names must be str, got"):
        encode_hostname(hostname)


# Framing


@pytest.mark.parametrize(
    ("body", "line", "content_length"),
    [
        (None, b"Content-Length: 0", 0),
        (b"", b"Content-Length: 0", 0),
        (b"hello", b"Content-Length: 5", 5),
        (BodyFollowing(0), b"Content-Length: 0", 0),
        (BodyFollowing(10**18), b"Content-Length: 1000000000000000000", 10**18),
        (BodyFollowing(True), b"Content-Length: 1", 1),
        (BodyFollowing(), b"Transfer-Encoding: chunked", None),
    ],
)
def test_9112_6_one_field_frames_the_content(
    body: Body, line: bytes, content_length: int | None
) -> None:
    head = encode(None, body, method="PUT")
    framing = [
        field
        for field in fields_of(head)
        if field.startswith((b"Content-Length", b"Transfer-Encoding"))
    ]
    assert framing == [line]
    assert head.content_length == content_length


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-length": "5"}, b"hello"),
        ({"Content-Length": " 5\t"}, BodyFollowing(5)),
        ({"Content-Length": "0"}, None),
        ({"TRANSFER-ENCODING": " Chunked "}, BodyFollowing()),
    ],
)
def test_9112_6_2_what_the_caller_says_of_framing_may_agree(
    headers: dict[str, str], body: Body
) -> None:
    assert encode(headers, body).data == encode(None, body).data


@pytest.mark.parametrize(
    "body", [None, b"", b"hello", BodyFollowing(5), BodyFollowing(0), BodyFollowing()], ids=repr
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "4"},
        {"Content-Length": "-5"},
        {"Content-Length": "+5"},
        {"Content-Length": "05"},
        {"Content-Length": "5_"},
        {"Content-Length": "５"},
        {"Content-Length": ""},
        {"Content-Length": "5\r\nX: y"},
        {"Content-Length": "5\x0b"},
        [("Content-Length", "5"), ("Content-Length", "5")],
        {"Content-Length": "5, 5"},
        {"Transfer-Encoding": "gzip"},
        {"Transfer-Encoding": ""},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "chunked\x0b"},
        {"Transfer-Encoding": "identity"},
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Content-Length": "0", "Transfer-Encoding": "chunked"},
    ],
    ids=repr,
)
def test_9112_6_2_what_the_caller_says_of_framing_must_agree(
    headers: RequestHeaders, body: Body
) -> None:
    with pytest.raises(
        LocalProtocolError, match=r"^(Content-Length|Transfer-Encoding) is '.*; it can be left out$"
    ):
        encode(headers, body)


def test_9112_6_2_errors_say_what_the_body_is() -> None:
    with pytest.raises(
        LocalProtocolError, match=r"Content-Length is '4', but the body has 5 bytes"
    ):
        encode({"Content-Length": "4"}, b"hello")
    with pytest.raises(LocalProtocolError, match=r"'4', but the body is sent in chunks"):
        encode({"Content-Length": "4"}, BodyFollowing())
    with pytest.raises(
        LocalProtocolError, match=r"Transfer-Encoding is 'gzip', but only 'chunked'"
    ):
        encode({"Transfer-Encoding": "gzip"}, BodyFollowing())


@pytest.mark.parametrize(
    ("method", "target"), [("CONNECT", "a:1"), ("TRACE", "/"), (Method.TRACE, "/x")]
)
def test_9110_9_3_connect_and_trace_have_no_content(method: str, target: str) -> None:
    for body in (b"x", BodyFollowing(1), BodyFollowing()):
        with pytest.raises(LocalProtocolError, match=r"request has no content"):
            encode(None, body, method=method, target=target)
    for empty in (None, b"", BodyFollowing(0)):
        assert encode(None, empty, method=method, target=target).content_length == 0


# Expect


def test_9110_10_1_1_expect_goes_with_a_body_that_follows() -> None:
    for body in (BodyFollowing(5), BodyFollowing()):
        head = encode(None, body, expect100=True)
        assert b"Expect: 100-continue" in fields_of(head)
        assert head.expects_continue


def test_9110_10_1_1_no_expectation_for_an_empty_body() -> None:
    for headers in (None, {"Expect": "100-continue"}):
        head = encode(headers, BodyFollowing(0), expect100=True)
        assert b"xpect" not in head.data
        assert not head.expects_continue
    for body in (b"", BodyFollowing(0)):
        head = encode({"Expect": "100-continue"}, body)
        assert b"xpect" not in head.data
        assert not head.expects_continue


def test_9110_10_1_1_no_expectation_without_a_body() -> None:
    for headers, expect100 in [(None, True), ({"expect": "100-Continue"}, False)]:
        with pytest.raises(LocalProtocolError, match="needs a body, this request has none"):
            encode(headers, None, expect100=expect100)


def test_expect100_needs_a_body_that_follows() -> None:
    with pytest.raises(
        LocalProtocolError, match=r"pass body=BodyFollowing\(\.\.\.\) and write\(\)"
    ):
        encode(None, b"hello", expect100=True)


@pytest.mark.parametrize("expect100", [False, True])
def test_an_expectation_that_the_caller_gives_is_sent_once(expect100: bool) -> None:
    head = encode({"expect": " 100-CONTINUE"}, BodyFollowing(5), expect100=expect100)
    assert [line for line in fields_of(head) if line.lower().startswith(b"expect")] == [
        b"Expect: 100-continue"
    ]
    # Who writes the field without asking for more does not want to be kept waiting.
    assert head.expects_continue is expect100


def test_an_expectation_that_the_caller_gives_is_sent_along_with_a_body() -> None:
    head = encode({"Expect": "100-continue"}, b"hello")
    assert b"Expect: 100-continue" in fields_of(head)
    assert not head.expects_continue


def test_another_expectation_is_none_of_our_business() -> None:
    assert own_fields_of(encode({"Expect": "the-best"})) == [b"Expect: the-best"]
    head = encode({"Expect": "the-best"}, BodyFollowing(5), expect100=True)
    assert fields_of(head)[1] == b"Expect: the-best"
    assert fields_of(head)[-1] == b"Expect: 100-continue"
    assert head.expects_continue


# What the connection has to know


@pytest.mark.parametrize(
    ("headers", "asks_close"),
    [
        ({"Connection": "close"}, True),
        ({"connection": "Keep-Alive,\tCLOSE "}, True),
        ([("Connection", "close"), ("Connection", "x")], True),
        ([("Connection", "x"), ("Connection", "close")], True),
        ({"Connection": "keep-alive"}, False),
        ({"Connection": "x-close"}, False),
        ({"Connection": "close\xa0"}, False),
        ({"X-Connection": "close"}, False),
    ],
)
def test_9112_9_6_connection_close_is_noticed(headers: RequestHeaders, asks_close: bool) -> None:
    assert encode(headers).asks_close is asks_close


def test_9110_7_8_upgrade_is_noticed() -> None:
    head = encode({"upgrade": "websocket", "Connection": "upgrade"})
    assert head.asks_upgrade
    assert not head.asks_close
    assert own_fields_of(head) == [b"upgrade: websocket", b"Connection: upgrade"]


def test_heads_do_not_remember_one_another() -> None:
    encode({"Connection": "close", "Upgrade": "x", "Host": "other", "Accept-Encoding": "x"})
    test_a_request_without_anything()


# Chunks and trailers


@pytest.mark.parametrize(
    ("size", "line"),
    [(1, b"1\r\n"), (10, b"a\r\n"), (65_536, b"10000\r\n"), (2**70, b"4" + b"0" * 17 + b"\r\n")],
)
def test_9112_7_1_first_line_of_a_chunk(size: int, line: bytes) -> None:
    assert encode_chunk_start(size) == line
    assert CHUNK_END == b"\r\n"


@pytest.mark.parametrize("trailers", [None, {}, [], iter(())])
def test_9112_7_1_last_chunk(trailers: Any) -> None:
    assert encode_last_chunk(trailers) == b"0\r\n\r\n"


def test_9112_7_1_2_trailers() -> None:
    trailers = [("Checksum", "x"), ("checksum", "ä"), ("Empty", "")]
    assert encode_last_chunk(trailers) == b"0\r\nChecksum: x\r\nchecksum: \xe4\r\nEmpty: \r\n\r\n"


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "transfer-encoding", "HOST", "Connection", "Authorization", "Proxy-Authorization", "Expect",
     "Content-Type", "Content-Encoding", "Content-Range", "TE", "Trailer"],
)  # fmt: skip
def test_9110_6_5_1_trailers_that_must_not_come_late_are_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{name} must not be sent as a trailer"):
        encode_last_chunk({"A": "b", name: "x"})


@pytest.mark.parametrize(
    "value", ["b\r\nInjected: 1", "b\r\n\r\nGET / HTTP/1.1\r\n", "b\r", "\n", "\0", "\x01", "\x7f"]
)
def test_9110_5_5_controls_in_a_trailer_are_refused(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="the value of X must not contain CR, LF, NUL"):
        encode_last_chunk({"A": "b", "X": value})


# Credentials


def test_rfc_7617_basic_credentials() -> None:
    assert basic_credentials("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    value = basic_credentials("ü" * 100, "a:b\r\n")
    assert value == "Basic " + base64.b64encode(("ü" * 100 + ":a:b\r\n").encode()).decode()
    assert encode(proxy_credentials=value).data.isascii()


def test_rfc_7617_a_colon_in_a_user_name_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="must not contain ':'"):
        basic_credentials("a:b", "c")


@pytest.mark.parametrize(("user", "password"), [(b"a", "b"), ("a", b"c"), ("a", None)])
def test_credentials_are_str(user: Any, password: Any) -> None:
    with pytest.raises(TypeError, match="user name and password must be str"):
        basic_credentials(user, password)


# Bodies


class Struct(ctypes.Structure):
    _fields_ = (("a", ctypes.c_uint8), ("b", ctypes.c_uint8))


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"hello", b"hello"),
        (b"", b""),
        (bytearray(b"hello"), b"hello"),
        (memoryview(b"hello")[1:3], b"el"),
        (memoryview(b"hello")[::1], b"hello"),
        (memoryview(b"hello").cast("b"), b"hello"),
        (memoryview(b"hello").cast("c"), b"hello"),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (array.array("b", [1, -1]), b"\x01\xff"),
        (array.array("I", [1, 2]), array.array("I", [1, 2]).tobytes()),
        (array.array("d"), b""),
        ((ctypes.c_char * 3)(b"a", b"b", b"c"), b"abc"),
        ((ctypes.c_ubyte * 2)(1, 2), b"\x01\x02"),
        (ctypes.c_uint8(7), b"\x07"),
        (Struct(1, 2), b"\x01\x02"),
    ],
)
def test_any_bytes_like_object_is_seen_as_bytes(data: Any, content: bytes) -> None:
    view = as_bytes_view(data)
    assert view == content
    assert len(view) == view.nbytes == len(content)
    assert (view.format, view.ndim, view.itemsize) == ("B", 1, 1)
    assert encode_request_head("PUT", "/", "a", None, view).content_length == len(content)


def test_memory_of_any_format_can_be_received_into() -> None:
    # Views of different formats could not be assigned to one another.
    for target in (
        array.array("b", [0, 0]),
        (ctypes.c_char * 2)(),
        memoryview(bytearray(2)).cast("c"),
    ):
        as_bytes_view(target)[:] = memoryview(b"ab")
        assert bytes(target) == b"ab"


@pytest.mark.parametrize("data", [memoryview(b"hello")[::2], memoryview(b"hello")[::-1]])
def test_memory_with_holes_is_refused(data: memoryview) -> None:
    with pytest.raises(LocalProtocolError, match="contiguous"):
        as_bytes_view(data)


@pytest.mark.parametrize("data", ["hello", None, 5, [1, 2], object()])
def test_what_is_not_bytes_like_is_a_type_error(data: Any) -> None:
    with pytest.raises(TypeError):
        as_bytes_view(data)
