"""`HTTPConnection`: what goes over the wire for what is asked for, and what is refused."""

from __future__ import annotations

import array
import base64
import hashlib
import inspect
import io
import types
from collections.abc import Generator, Mapping
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest

from httpio import (
    BodyFollowing,
    CaseInsensitiveDict,
    ConnectionClosed,
    ExcessBodyData,
    HTTPConnection,
    InvalidResponse,
    LocalProtocolError,
    StateError,
)
from httpio._exceptions import CloseReason
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import Server, ServerEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.certs import Certificates

CONTENT = b"some content"
MD5 = base64.b64encode(hashlib.md5(CONTENT).digest())
PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture(params=["plain", "tls"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Server]:
    with Server(certificates if request.param == "tls" else None) as server:
        yield server


@pytest.fixture
def plain_server() -> Iterator[Server]:
    with Server() as server:
        yield server


def connected(server: Server) -> tuple[HTTPConnection, ServerEnd]:
    conn = server.connection()
    return conn, server.connect(conn)


# Heads


def head_of(server: Server, conn: HTTPConnection, *args: Any, **kwargs: Any) -> list[bytes]:
    """Send a request, and return the lines of its head."""
    conn.send_request(*args, **kwargs)
    *lines, empty, rest = server.end.expect_head().split(b"\r\n")
    assert (empty, rest) == (b"", b"")
    return lines


def test_plain_request(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    conn.send_request("GET", "/some/path?query=a%20b")
    assert end.take() == (
        b"GET /some/path?query=a%20b HTTP/1.1\r\n"
        b"Host: localhost\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Length: 0\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/", b"GET / HTTP/1.1"),
        ("GET", "", b"GET / HTTP/1.1"),
        ("GET", "?q", b"GET /?q HTTP/1.1"),
        ("OPTIONS", "*", b"OPTIONS * HTTP/1.1"),
        ("OPTIONS", "/x", b"OPTIONS /x HTTP/1.1"),
        ("M-SEARCH", "/", b"M-SEARCH / HTTP/1.1"),
        ("get", "/", b"get / HTTP/1.1"),
        ("CONNECT", "host.example:22", b"CONNECT host.example:22 HTTP/1.1"),
        ("CONNECT", "[::1]:22", b"CONNECT [::1]:22 HTTP/1.1"),
        ("GET", "//double", b"GET //double HTTP/1.1"),
        ("GET", "/~!$&'()*+,;=:@%7f", b"GET /~!$&'()*+,;=:@%7f HTTP/1.1"),
    ],
)
def test_request_line(plain_server: Server, method: str, path: str, line: bytes) -> None:
    conn, _ = connected(plain_server)
    assert head_of(plain_server, conn, method, path)[0] == line


@pytest.mark.parametrize(
    ("hostname", "port", "host"),
    [
        ("www.example.com", None, b"www.example.com"),
        ("www.example.com", 80, b"www.example.com"),
        ("www.example.com", 443, b"www.example.com:443"),
        ("www.example.com", 8080, b"www.example.com:8080"),
        ("WWW.Example.COM.", None, b"WWW.Example.COM."),
        ("under_score", None, b"under_score"),
        ("192.0.2.1", 81, b"192.0.2.1:81"),
        ("2001:db8::1", None, b"[2001:db8::1]"),
        ("[2001:db8::1]", 81, b"[2001:db8::1]:81"),
        ("fe80::1%eth0", None, b"[fe80::1]"),
        ("bücher.example", 81, b"xn--bcher-kva.example:81"),
    ],
)
def test_host(plain_server: Server, hostname: str, port: int | None, host: bytes) -> None:
    with HTTPConnection(hostname, port, unix_socket=plain_server.path) as conn:
        plain_server.connect(conn)
        assert head_of(plain_server, conn, "GET", "/")[1] == b"Host: " + host
        assert head_of(plain_server, conn, "GET", "/", {"X": "y"})[1] == b"Host: " + host


def test_host_without_the_default_port_of_https(certificates: Certificates) -> None:
    with Server(certificates) as server:
        for port, host in ((None, b"localhost"), (443, b"localhost"), (80, b"localhost:80")):
            context = server.client_context()
            with HTTPConnection("localhost", port, context, unix_socket=server.path) as conn:
                server.connect(conn)
                assert head_of(server, conn, "GET", "/")[1] == b"Host: " + host


@pytest.mark.parametrize("name", ["Host", "host", "HOST"])
def test_given_host_counts_and_comes_first(plain_server: Server, name: str) -> None:
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "GET", "/", {"X-First": "1", name: "other.example:99"})
    assert lines[1] == b"Host: other.example:99"
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1


def as_message(fields: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name] = value
    return message


@pytest.mark.parametrize(
    "kind",
    [
        dict,
        CaseInsensitiveDict,
        types.MappingProxyType,
        as_message,
        lambda fields: list(fields.items()),
        lambda fields: tuple(fields.items()),
        lambda fields: iter(fields.items()),
        lambda fields: fields.items(),
        lambda fields: (pair for pair in fields.items()),
    ],
    ids=["dict", "own", "proxy", "message", "list", "tuple", "iterator", "items", "generator"],
)
def test_kinds_of_headers(plain_server: Server, kind: Callable[[Mapping[str, str]], Any]) -> None:
    fields = {"X-One": "1", "x-tWo": " padded\tvalue ", "X-Empty": "", "X-Latin": "é\xff"}
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "GET", "/", kind(fields))
    assert lines[2:6] == [
        b"X-One: 1",
        b"x-tWo:  padded\tvalue ",
        b"X-Empty: ",
        b"X-Latin: \xe9\xff",
    ]


@pytest.mark.parametrize("kind", [dict, CaseInsensitiveDict])
@pytest.mark.parametrize("body", [None, CONTENT, BodyFollowing(5), BodyFollowing()])
def test_headers_of_the_caller_are_not_changed(
    plain_server: Server,
    kind: Callable[[Mapping[str, str]], Any],
    body: bytes | BodyFollowing | None,
) -> None:
    fields = {"Host": "other", "X": "y", "Content-MD5": "given"}
    given = kind(fields)
    conn, _ = connected(plain_server)
    conn.send_request("PUT", "/", given, body)
    assert list(given.items()) == list(fields.items())


def test_repeated_names(plain_server: Server) -> None:
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "GET", "/", [("X", "1"), ("Y", "2"), ("x", "3")])
    assert lines[2:5] == [b"X: 1", b"Y: 2", b"x: 3"]


@pytest.mark.parametrize(
    ("fields", "body", "expected"),
    [
        # RFC 9110 §8.6; the documents want a length on every request
        ({}, None, [b"Content-Length: 0"]),
        ({}, b"", [b"Content-Length: 0"]),
        ({}, b"12345", [b"Content-Length: 5"]),
        ({}, BodyFollowing(5), [b"Content-Length: 5"]),
        ({}, BodyFollowing(0), [b"Content-Length: 0"]),
        ({}, BodyFollowing(), [b"Transfer-Encoding: chunked"]),
        # What agrees is accepted, and not sent twice.
        ({"content-length": "5"}, b"12345", [b"Content-Length: 5"]),
        ({"Content-Length": " 5 "}, BodyFollowing(5), [b"Content-Length: 5"]),
        ({"Content-Length": "0"}, None, [b"Content-Length: 0"]),
        ({"transfer-encoding": "Chunked"}, BodyFollowing(), [b"Transfer-Encoding: chunked"]),
    ],
)
def test_framing(
    plain_server: Server,
    fields: dict[str, str],
    body: bytes | BodyFollowing | None,
    expected: list[bytes],
) -> None:
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "PUT", "/", fields, body)
    names = (b"content-length:", b"transfer-encoding:")
    assert [line for line in lines if line.lower().startswith(names)] == expected


@pytest.mark.parametrize(
    "body",
    [
        CONTENT,
        bytearray(CONTENT),
        memoryview(CONTENT),
        memoryview(b"x" + CONTENT)[1:],
        array.array("I", CONTENT),
        memoryview(array.array("H", CONTENT)),
        memoryview(CONTENT).cast("B", (3, 4)),
    ],
)
def test_kinds_of_bodies(plain_server: Server, body: bytes) -> None:
    conn, end = connected(plain_server)
    lines = head_of(plain_server, conn, "PUT", "/", None, body)
    assert b"Content-Length: 12" in lines
    assert b"Content-MD5: " + MD5 in lines
    assert end.take() == CONTENT


def test_content_md5(plain_server: Server) -> None:
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "PUT", "/", {"content-md5": "given"}, CONTENT)
    assert [line for line in lines if line.lower().startswith(b"content-md5")] == [
        b"content-md5: given"
    ]
    plain_server.end.expect(len(CONTENT))
    for body in (None, BodyFollowing(0)):
        assert not any(
            line.startswith(b"Content-MD5")
            for line in head_of(plain_server, conn, "PUT", "/", None, body)
        )
    conn.content_md5 = False
    lines = head_of(plain_server, conn, "PUT", "/", None, CONTENT)
    assert not any(line.startswith(b"Content-MD5") for line in lines)
    assert HTTPConnection("localhost", content_md5=False).content_md5 is False


def test_accept_encoding(plain_server: Server) -> None:
    conn, _ = connected(plain_server)
    lines = head_of(plain_server, conn, "GET", "/", {"accept-encoding": "gzip"})
    assert [line for line in lines if line.lower().startswith(b"accept-encoding")] == [
        b"accept-encoding: gzip"
    ]


def test_connect_has_nothing_but_host(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    conn.send_request("CONNECT", "far.example:22")
    assert end.take() == b"CONNECT far.example:22 HTTP/1.1\r\nHost: far.example:22\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 300_000])
@pytest.mark.parametrize("md5", [False, True])
def test_bodies_of_all_sizes(server: Server, size: int, md5: bool) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    conn, end = connected(server)
    conn.content_md5 = md5
    server.drive(conn.co_send_request("PUT", "/", None, body))
    end.expect_head(b"PUT / ")
    assert end.expect(size) == body
    assert not end.take()
    end.respond()
    assert server.drive(conn.co_read_response()).status == 200
    server.prove_usable(conn)


# What must not go over the wire

_IDLE_REFUSALS: list[tuple[str, type[Exception], Callable[[HTTPConnection], object]]] = [
    ("method with space", LocalProtocolError, lambda c: c.send_request("G T", "/")),
    ("method with line end", LocalProtocolError, lambda c: c.send_request("GET\r\nX: y", "/")),
    (
        "method with a request",
        LocalProtocolError,
        lambda c: c.send_request("GET / HTTP/1.1\r\nI: 1\r\nX", "/"),
    ),
    ("empty method", LocalProtocolError, lambda c: c.send_request("", "/")),
    ("method not latin-1", LocalProtocolError, lambda c: c.send_request("G€T", "/")),
    ("method not ASCII", LocalProtocolError, lambda c: c.send_request("GÉT", "/")),
    ("method as bytes", TypeError, lambda c: c.send_request(b"GET", "/")),  # type: ignore[call-overload]  # on purpose
    ("path without slash", LocalProtocolError, lambda c: c.send_request("GET", "path")),
    ("path with space", LocalProtocolError, lambda c: c.send_request("GET", "/a b")),
    ("path with CR", LocalProtocolError, lambda c: c.send_request("GET", "/a\rb")),
    ("path with LF", LocalProtocolError, lambda c: c.send_request("GET", "/a\nb")),
    ("path with NUL", LocalProtocolError, lambda c: c.send_request("GET", "/a\0b")),
    ("path with DEL", LocalProtocolError, lambda c: c.send_request("GET", "/a\x7fb")),
    (
        "path with a request",
        LocalProtocolError,
        lambda c: c.send_request("GET", "/ HTTP/1.1\r\nX: y"),
    ),
    ("path not ASCII", LocalProtocolError, lambda c: c.send_request("GET", "/é")),
    ("path not latin-1", LocalProtocolError, lambda c: c.send_request("GET", "/€")),
    ("path that encodes to LF", LocalProtocolError, lambda c: c.send_request("GET", "/\u010a")),
    ("path absolute", LocalProtocolError, lambda c: c.send_request("GET", "http://x/")),
    ("path as bytes", TypeError, lambda c: c.send_request("GET", b"/")),  # type: ignore[call-overload]  # on purpose
    ("asterisk for GET", LocalProtocolError, lambda c: c.send_request("GET", "*")),
    ("CONNECT to a path", LocalProtocolError, lambda c: c.send_request("CONNECT", "no authority")),
    ("CONNECT without port", LocalProtocolError, lambda c: c.send_request("CONNECT", "host")),
    ("name with space", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X ": "y"})),
    ("name with colon", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X:Z": "y"})),
    ("empty name", LocalProtocolError, lambda c: c.send_request("GET", "/", {"": "y"})),
    ("name with line end", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X\r\n": ""})),
    ("name not latin-1", LocalProtocolError, lambda c: c.send_request("GET", "/", {"€": "y"})),
    ("name as bytes", TypeError, lambda c: c.send_request("GET", "/", {b"X": "y"})),  # type: ignore[arg-type]  # on purpose
    ("value with CR", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X": "a\rb"})),
    ("value with LF", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X": "a\nb"})),
    ("value with NUL", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X": "a\0b"})),
    (
        "value with a field",
        LocalProtocolError,
        lambda c: c.send_request("GET", "/", {"X": "b\r\nInjected: 1"}),
    ),
    ("value folded", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X": "a\r\n b"})),
    ("value not latin-1", LocalProtocolError, lambda c: c.send_request("GET", "/", {"X": "€"})),
    ("value as int", TypeError, lambda c: c.send_request("GET", "/", {"X": 1})),  # type: ignore[arg-type]  # on purpose
    ("value missing", TypeError, lambda c: c.send_request("GET", "/", {"X": None})),  # type: ignore[arg-type]  # on purpose
    ("headers as str", TypeError, lambda c: c.send_request("GET", "/", "X: y")),  # type: ignore[arg-type]  # on purpose
    ("Host with path", LocalProtocolError, lambda c: c.send_request("GET", "/", {"Host": "a/b"})),
    ("Host with user", LocalProtocolError, lambda c: c.send_request("GET", "/", {"Host": "u@a"})),
    ("Host with LF", LocalProtocolError, lambda c: c.send_request("GET", "/", {"Host": "a\n"})),
    ("Host empty", LocalProtocolError, lambda c: c.send_request("GET", "/", {"Host": ""})),
    (
        "two Hosts",
        LocalProtocolError,
        lambda c: c.send_request("GET", "/", [("Host", "a"), ("host", "a")]),
    ),
    (
        "wrong length",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Content-Length": "4"}, b"12345"),
    ),
    (
        "length without body",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Content-Length": "4"}),
    ),
    (
        "length of chunks",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Content-Length": "4"}, BodyFollowing()),
    ),
    (
        "two lengths",
        LocalProtocolError,
        lambda c: c.send_request(
            "PUT", "/", [("Content-Length", "5"), ("Content-Length", "6")], b"12345"
        ),
    ),
    (
        "coding of a body with length",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Transfer-Encoding": "chunked"}, b"12345"),
    ),
    (
        "another coding",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Transfer-Encoding": "gzip"}, BodyFollowing()),
    ),
    ("body as str", TypeError, lambda c: c.send_request("PUT", "/", None, "text")),  # type: ignore[call-overload]  # on purpose
    ("body as int", TypeError, lambda c: c.send_request("PUT", "/", None, 5)),  # type: ignore[call-overload]  # on purpose
    ("body as file", TypeError, lambda c: c.send_request("PUT", "/", None, io.BytesIO())),  # type: ignore[call-overload]  # on purpose
    (
        "body with gaps",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", None, memoryview(b"12345")[::2]),
    ),
    ("negative length", LocalProtocolError, lambda _: BodyFollowing(-1)),
    (
        "expectation without body",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", expect100=True),
    ),
    (
        "expectation by hand without body",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", {"Expect": "100-continue"}),
    ),
    (
        "expectation with bytes",
        LocalProtocolError,
        lambda c: c.send_request("PUT", "/", None, b"12345", expect100=True),
    ),
    ("write without request", StateError, lambda c: c.write(b"x")),
    ("partial write without request", StateError, lambda c: c.write(b"x", partial=True)),
    ("sendfile without request", StateError, lambda c: c.sendfile(io.BytesIO(b"x"))),
    ("finish_body without request", StateError, lambda c: c.finish_body()),
    ("proceed without request", StateError, lambda c: c.proceed_without_continue()),
    ("response without request", StateError, lambda c: c.read_response()),
    ("detach without switch", StateError, lambda c: c.detach()),
]


@pytest.mark.parametrize(
    ("error", "attempt"), [case[1:] for case in _IDLE_REFUSALS], ids=[c[0] for c in _IDLE_REFUSALS]
)
def test_refused_before_a_byte_is_sent(
    server: Server, error: type[Exception], attempt: Callable[[HTTPConnection], object]
) -> None:
    conn, end = connected(server)
    server.prove_usable(conn)
    with pytest.raises(error) as caught:
        attempt(conn)
    assert isinstance(caught.value, (LocalProtocolError, TypeError))
    assert str(caught.value)
    assert not end.take()
    server.prove_usable(conn)
    assert len(server.ends) == 1


def test_refused_without_connection(plain_server: Server) -> None:
    conn = plain_server.connection()
    with pytest.raises(LocalProtocolError):
        conn.send_request("GET", "no slash")
    plain_server.progress()
    assert not plain_server.ends


_MIDDLE_REFUSALS: list[tuple[str, type[Exception], Callable[[HTTPConnection], object]]] = [
    ("request", StateError, lambda c: c.send_request("GET", "/")),
    ("upload", StateError, lambda c: c.send_request("PUT", "/", None, b"x" * 100_000)),
    ("write str", TypeError, lambda c: c.write("12")),  # type: ignore[arg-type]  # on purpose
    ("write int", TypeError, lambda c: c.write(5)),  # type: ignore[arg-type]  # on purpose
    ("sendfile text", TypeError, lambda c: c.sendfile(io.StringIO("12"))),  # type: ignore[call-overload]  # on purpose
    ("proceed", StateError, lambda c: c.proceed_without_continue()),
    ("response", StateError, lambda c: c.read_response()),
]
_FIXED_REFUSALS: list[tuple[str, type[Exception], Callable[[HTTPConnection], object]]] = [
    ("write", ExcessBodyData, lambda c: c.write(b"123456")),
    ("partial write", ExcessBodyData, lambda c: c.write(b"123456", partial=True)),
    ("long write", ExcessBodyData, lambda c: c.write(b"x" * 1_000_000)),
    ("sendfile", ExcessBodyData, lambda c: c.sendfile(io.BytesIO(b"123456"))),
    ("long sendfile", ExcessBodyData, lambda c: c.sendfile(io.BytesIO(b"x" * 1_000_000))),
    ("finish_body", StateError, lambda c: c.finish_body()),
    ("finish_body with trailers", StateError, lambda c: c.finish_body({"X": "y"})),
]
_CHUNKED_REFUSALS: list[tuple[str, type[Exception], Callable[[HTTPConnection], object]]] = [
    ("trailer name", LocalProtocolError, lambda c: c.finish_body({"X Y": "z"})),
    ("trailer value", LocalProtocolError, lambda c: c.finish_body({"X": "a\r\nb"})),
    ("trailer not latin-1", LocalProtocolError, lambda c: c.finish_body({"X": "€"})),
    ("trailer forbidden", LocalProtocolError, lambda c: c.finish_body({"content-length": "1"})),
    ("trailer as int", TypeError, lambda c: c.finish_body({"X": 1})),  # type: ignore[arg-type]  # on purpose
    ("trailers as str", TypeError, lambda c: c.finish_body("X: y")),  # type: ignore[arg-type]  # on purpose
]


@pytest.mark.parametrize(
    ("length", "error", "attempt"),
    [
        pytest.param(length, *case[1:], id=f"{length}-{case[0]}")
        for length, cases in ((5, _FIXED_REFUSALS), (None, _CHUNKED_REFUSALS))
        for case in _MIDDLE_REFUSALS + cases
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_refused_in_the_middle_of_a_body(
    server: Server,
    length: int | None,
    error: type[Exception],
    attempt: Callable[[HTTPConnection], object],
    begun: bool,
) -> None:
    conn, end = connected(server)
    conn.send_request("PUT", "/", None, BodyFollowing(length))
    end.expect_head()
    if begun:
        conn.write(b"1")
        end.expect(1 if length else len(b"1\r\n1\r\n"))
    with pytest.raises(error):
        attempt(conn)
    assert not end.take()
    # As if nothing had happened.
    conn.write(b"2345" if begun else b"12345")
    if length is None:
        conn.finish_body()
    end.progress()
    assert end.unread.endswith(b"2345" if length else b"2345\r\n0\r\n\r\n")
    end.take()
    end.respond()
    assert conn.read_response().status == 200
    server.prove_usable(conn)


def test_host_names_that_cannot_be_one() -> None:
    for hostname in (
        "", "a b", "a/b", "a?b", "a#b", "u@h", "a\r\nb", "a\nb", "a\0b", "a:80", "[::1", "::1]",
        "é" * 70, "a\\b", "%41",
    ):  # fmt: skip
        with pytest.raises(LocalProtocolError):
            HTTPConnection(hostname)
    with pytest.raises(TypeError):
        HTTPConnection(b"localhost")  # type: ignore[arg-type]  # on purpose
    for port in (0, -1, 65536):
        with pytest.raises(LocalProtocolError):
            HTTPConnection("localhost", port)


# 100-continue (RFC 9110 §10.1.1)


@pytest.fixture(params=[5, None], ids=["length", "chunked"])
def length(request: pytest.FixtureRequest) -> int | None:
    length: int | None = request.param
    return length


def expecting(server: Server, length: int | None) -> tuple[HTTPConnection, ServerEnd]:
    """A connection whose request waits for a 100 response."""
    conn, end = connected(server)
    conn.send_request("PUT", "/up", None, BodyFollowing(length), expect100=True)
    assert b"\r\nExpect: 100-continue\r\n" in end.expect_head(b"PUT /up ")
    return conn, end


def finish(conn: HTTPConnection, end: ServerEnd, length: int | None) -> None:
    """Send the content and read the response to it."""
    assert conn.write(b"12345") == 5
    if length is None:
        conn.finish_body()
    assert end.take() == (b"12345" if length else b"5\r\n12345\r\n0\r\n\r\n")
    end.respond(b"thanks", "201 Created")
    response = conn.read_response()
    assert response.status == 201
    assert conn.readall() == b"thanks"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100\r\n\r\n",
        b"HTTP/1.1 100 \r\nX: y\r\n\r\n",
        b"HTTP/1.0 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_continue(server: Server, length: int | None, answer: bytes) -> None:
    conn, end = expecting(server, length)
    assert conn.response_pending()
    end.send(answer)
    response = conn.read_response()
    assert (response.status, response.length, response.method) == (100, 0, "PUT")
    assert conn.read(10) == b""
    assert not conn.get_current_response()
    finish(conn, end, length)
    server.prove_usable(conn)


@pytest.mark.parametrize("status", ["403 Forbidden", "417 Expectation Failed", "200 OK"])
@pytest.mark.parametrize("content", [b"", b"why"])
def test_final_response_instead_of_continue(
    server: Server, length: int | None, status: str, content: bytes
) -> None:
    conn, end = expecting(server, length)
    end.respond(content, status)
    response = conn.read_response()
    assert f"{response.status} {response.reason}" == status
    # The content is not due any more.
    with pytest.raises(StateError):
        conn.write(b"12345")
    assert conn.readall() == content
    # The server may or may not wait for the content: only a close makes it certain.
    end.expect_end()
    # Nobody has lost anything, so the next request connects by itself: RFC 9110 §10.1.1 has a
    # client repeat its request without the expectation after a 417.
    server.prove_usable(conn)
    assert len(server.ends) == 2
    conn.send_request("PUT", "/up", None, BodyFollowing(length))
    assert b"Expect" not in server.end.expect_head()
    finish(conn, server.end, length)


def test_next_request_before_the_final_response_was_read(plain_server: Server) -> None:
    conn, end = expecting(plain_server, 5)
    end.respond(b"why", "403 Forbidden")
    assert conn.read_response().status == 403
    with pytest.raises(StateError, match="read that"):
        conn.send_request("GET", "/")
    assert conn.readall() == b"why"
    plain_server.prove_usable(conn)


def test_content_before_continue_is_refused(server: Server, length: int | None) -> None:
    conn, end = expecting(server, length)
    for attempt in (
        lambda: conn.write(b"12345"),
        lambda: conn.write(b"12345", partial=True),
        lambda: conn.sendfile(io.BytesIO(b"12345")),
        lambda: conn.finish_body(),
        lambda: conn.send_request("GET", "/"),
    ):
        with pytest.raises(StateError, match="100 Continue"):
            attempt()
    assert not end.take()
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert conn.read_response().status == 100
    finish(conn, end, length)


def test_proceed_without_continue(server: Server, length: int | None) -> None:
    conn, end = expecting(server, length)
    conn.timeout = 0.01
    with pytest.raises(TimeoutError):
        conn.read_response()
    conn.timeout = PATIENCE
    conn.proceed_without_continue()
    with pytest.raises(StateError):
        conn.proceed_without_continue()
    finish(conn, end, length)
    server.prove_usable(conn)


@pytest.mark.parametrize("late", ["before the content", "after the content"])
def test_late_continue_is_skipped(server: Server, length: int | None, late: str) -> None:
    conn, end = expecting(server, length)
    conn.proceed_without_continue()
    if late == "before the content":
        end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.write(b"12345")
    if length is None:
        conn.finish_body()
    if late == "after the content":
        end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    end.take()
    end.respond(b"thanks", "201 Created")
    response = conn.read_response()
    assert response.status == 201
    assert [interim.status for interim in response.informational] == [100]
    assert conn.readall() == b"thanks"
    server.prove_usable(conn)


def test_unasked_continue_is_skipped(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    conn.send_request("PUT", "/", None, CONTENT)
    end.send(b"HTTP/1.1 100\r\n\r\n")
    end.respond()
    assert conn.read_response().status == 200


def test_second_continue_is_skipped(plain_server: Server) -> None:
    conn, end = expecting(plain_server, 5)
    end.send(b"HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\n")
    assert conn.read_response().status == 100
    conn.write(b"12345")
    end.respond()
    assert conn.read_response().status == 200
    end.take()
    plain_server.prove_usable(conn)


def test_expectation_of_an_empty_body_is_not_sent(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("PUT", "/", None, BodyFollowing(0), expect100=True)
    assert b"Expect" not in end.expect_head()
    end.respond()
    assert conn.read_response().status == 200
    server.prove_usable(conn)


def test_expectation_by_hand_does_not_wait(plain_server: Server) -> None:
    """The caller who writes the field keeps waiting in their own hands."""
    conn, end = connected(plain_server)
    conn.send_request("PUT", "/", {"Expect": "100-continue"}, BodyFollowing(5))
    assert end.expect_head().count(b"Expect: 100-continue\r\n") == 1
    conn.write(b"12345")
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    end.respond()
    assert conn.read_response().status == 200


def test_expectation_that_is_given_twice(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    conn.send_request("PUT", "/", {"expect": "100-continue"}, BodyFollowing(5), expect100=True)
    assert end.expect_head().lower().count(b"expect: 100-continue\r\n") == 1
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert conn.read_response().status == 100


def test_expectation_behind_other_requests(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/1")
    conn.send_request("PUT", "/2", None, BodyFollowing(5), expect100=True)
    end.expect_head()
    end.expect_head()
    end.respond(b"one")
    end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert conn.read_response().path == "/1"
    assert conn.readall() == b"one"
    assert conn.read_response().status == 100
    finish(conn, end, 5)


def test_server_closes_instead_of_continue(server: Server) -> None:
    conn, end = expecting(server, 5)
    end.half_close()
    with pytest.raises(ConnectionClosed) as caught:
        conn.read_response()
    assert caught.value.unanswered == (("PUT", "/up"),)
    for attempt in (lambda: conn.write(b"12345"), lambda: conn.send_request("GET", "/")):
        with pytest.raises(ConnectionClosed):
            attempt()
    conn.reset()
    server.prove_usable(conn)


# Cofunctions


def test_cofunction_sends_nothing_until_it_is_entered(server: Server) -> None:
    conn, end = connected(server)
    cofunction = conn.send_request("GET", "/", via_cofun=True)
    assert isinstance(cofunction, Generator)
    assert not end.take()
    assert not conn.response_pending()
    assert list(cofunction) == []
    end.expect_head(b"GET / ")
    end.respond()
    assert conn.read_response().status == 200


def test_cofunction_suspends_while_response_data_is_there(server: Server) -> None:
    conn, end = connected(server)
    list(conn.send_request("GET", "/1", via_cofun=True))
    end.expect_head(b"GET /1 ")
    end.respond(b"content")
    cofunction = conn.send_request("GET", "/2", via_cofun=True)
    next(cofunction)
    next(cofunction)
    assert not end.take()
    assert conn.read_response().path == "/1"
    next(cofunction)
    assert not end.take()
    assert conn.readall() == b"content"
    assert list(cofunction) == []
    end.expect_head(b"GET /2 ")


def test_cofunction_connects(plain_server: Server) -> None:
    conn = plain_server.connection()
    assert list(conn.send_request("PUT", "/", None, CONTENT, via_cofun=True)) == []
    plain_server.progress()
    plain_server.end.expect_head(b"PUT / ")
    assert plain_server.end.expect(len(CONTENT)) == CONTENT


@pytest.mark.parametrize("via_cofun", [False, True])
def test_cofunction_refuses_when_it_is_entered(server: Server, via_cofun: bool) -> None:
    conn, end = connected(server)
    with pytest.raises(LocalProtocolError):
        list(conn.send_request("GET", "/a b", via_cofun=True))
    assert not end.take()
    server.prove_usable(conn)


def test_cofunction_of_sendfile_returns_the_size(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("PUT", "/", None, BodyFollowing(5))
    cofunction = conn.sendfile(io.BytesIO(b"12345"), via_cofun=True)
    end.expect_head()
    assert not end.take()
    with pytest.raises(StopIteration) as caught:
        next(cofunction)
    assert caught.value.value == 5
    assert end.take() == b"12345"


def test_dropped_cofunction_sends_nothing_more(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    list(conn.send_request("GET", "/1", via_cofun=True))
    end.expect_head()
    end.respond()
    cofunction = conn.send_request("GET", "/2", via_cofun=True)
    next(cofunction)
    cofunction.close()
    assert conn.read_response().status == 200
    assert not end.take()
    plain_server.prove_usable(conn)


# Order and state


def test_requests_are_answered_in_order(server: Server) -> None:
    conn, end = connected(server)
    for number in range(20):
        conn.send_request("GET" if number % 3 else "HEAD", f"/{number}")
        end.expect_head()
    for number in range(20):
        if number % 3:
            end.respond(b"%d" % number)
        else:
            end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for number in range(20):
        assert conn.response_pending()
        response = conn.read_response()
        method, path, status, reason, headers = response
        assert (method, path) == ("GET" if number % 3 else "HEAD", f"/{number}")
        assert (status, reason) == (200, "OK")
        assert isinstance(headers, Message)
        assert conn.readall() == (b"%d" % number if number % 3 else b"")
    assert not conn.response_pending()
    server.prove_usable(conn)


def test_current_response(server: Server) -> None:
    conn, end = connected(server)
    assert conn.get_current_response() is None
    conn.send_request("GET", "/")
    assert conn.get_current_response() is None
    end.expect_head()
    end.respond(b"12345")
    response = conn.read_response()
    assert conn.get_current_response() is response
    conn.read(3)
    assert conn.get_current_response() is response
    assert conn.response_pending()
    with pytest.raises(StateError, match="has not been read"):
        conn.read_response()
    conn.discard()
    assert conn.get_current_response() is None
    assert not conn.response_pending()
    assert conn.read(5) == b""


@pytest.mark.parametrize("talk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_unsolicited_data_is_no_response(server: Server, talk: bytes, method: str) -> None:
    conn, end = connected(server)
    server.prove_usable(conn)
    end.send(talk)
    with pytest.raises(InvalidResponse):
        conn.send_request(method, "/", None, None if method == "GET" else CONTENT)
    # What was found before the request must not get the request.
    end.expect_closed()
    assert not end.take()
    with pytest.raises(ConnectionClosed) as caught:
        conn.send_request("GET", "/")
    assert caught.value.reason is CloseReason.UNSOLICITED_DATA
    conn.reset()
    server.prove_usable(conn)


@pytest.mark.parametrize(
    "talk", [b"", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"]
)
def test_close_of_an_idle_connection_is_found_before_the_request(
    server: Server, talk: bytes
) -> None:
    conn, end = connected(server)
    server.prove_usable(conn)
    end.send(talk)
    end.half_close()
    with pytest.raises(ConnectionClosed) as caught:
        conn.send_request("GET", "/")
    assert caught.value.unanswered == ()
    end.expect_closed()
    assert not end.take()
    with pytest.raises(ConnectionClosed):
        conn.send_request("GET", "/")
    conn.reset()
    server.prove_usable(conn)


# As a file


def test_as_a_file(plain_server: Server) -> None:
    conn, end = connected(plain_server)
    assert conn.readable()
    assert conn.writable()
    assert not conn.seekable()
    conn.send_request("GET", "/")
    end.expect_head()
    end.respond("übung\nmacht\n".encode())
    conn.read_response()
    wrapper = io.TextIOWrapper(conn, encoding="utf-8")  # type: ignore[type-var]  # as documented
    assert wrapper.read() == "übung\nmacht\n"
    assert not conn.response_pending()
    # A wrapper closes what it wraps, unless it is taken apart.
    wrapper.detach()
    plain_server.prove_usable(conn)
    conn.flush()


def test_written_as_a_file(plain_server: Server, tmp_path: Path) -> None:
    conn, end = connected(plain_server)
    conn.send_request("PUT", "/", None, BodyFollowing())
    end.expect_head()
    (tmp_path / "file").write_bytes(CONTENT)
    with open(tmp_path / "file", "rb") as file:
        conn.write(file.read())
    conn.finish_body()
    assert end.take() == b"c\r\n" + CONTENT + b"\r\n0\r\n\r\n"


# Twins


@pytest.mark.parametrize(
    "name", [name[3:] for name in dir(HTTPConnection) if name.startswith("co_")]
)
def test_blocking_twin(name: str) -> None:
    coroutine = inspect.signature(getattr(HTTPConnection, f"co_{name}"))
    twin = inspect.signature(getattr(HTTPConnection, name))
    parameters = dict(twin.parameters)
    # Cofunctions are not for those who have coroutines.
    parameters.pop("via_cofun", None)
    assert list(parameters.values()) == list(coroutine.parameters.values())
    assert getattr(HTTPConnection, name).__doc__
    assert getattr(HTTPConnection, f"co_{name}").__doc__
