"""Requests: an independent server reads from them what was asked for, or nothing is sent at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from httpio._encoders import (
    CHUNK_END,
    RequestHead,
    encode_chunk_start,
    encode_last_chunk,
    encode_plain_request_head,
    encode_request_head,
)
from httpio._exceptions import LocalProtocolError
from httpio._messages import BodyFollowing
from httpio._target import encode_authority, encode_hostname, request_target
from tests.fuzz.strategies import tokens, visible_values

if TYPE_CHECKING:
    from collections.abc import Callable

any_text = st.text(max_size=15) | st.text(
    st.sampled_from("\r\n\0 \t:;,/?*aA1\x0b\x7f\x85\xa0\xff\N{EURO SIGN}\ud800"), max_size=10
)
methods = st.sampled_from(["GET", "PUT", "OPTIONS", "get", "M-SEARCH"]) | any_text
paths = (
    st.sampled_from(["/", "/a/b?c=d", "", "?q", "*", "/%20", "//a", "/#f", "a:1"])
    | any_text.map(lambda text: f"/{text}")
    | any_text
)
good_names = tokens.map(lambda name: name.decode("ascii"))
known_names = st.sampled_from(
    ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Accept-Encoding", "TE",
     "Content-Length:", "Transfer-Encoding ", "hOST", "content-LENGTH"]
)  # fmt: skip
good_values = visible_values.map(lambda value: value.decode("latin-1"))
known_values = st.sampled_from(
    ["a", "example.org:80", "0", "5", " 5", "5, 5", "chunked", "Chunked ", "gzip", "close", "keep-alive, close",
     "100-continue", "identity", "trailers"]
)  # fmt: skip
headers = st.lists(
    st.tuples(good_names | known_names | any_text, good_values | known_values | any_text),
    max_size=5,
)
good_headers = st.lists(
    st.tuples(good_names.map(lambda name: f"X-{name}"), good_values), max_size=5
)
bodies = (
    st.none()
    | st.binary(max_size=20)
    | st.just(BodyFollowing())
    | st.integers(0, 20).map(BodyFollowing)
)


def encode(
    method: str, path: str, fields: list[tuple[str, str]], body: bytes | BodyFollowing | None
) -> RequestHead:
    """Encode a request as the connection does."""
    target = request_target(method, path)
    return encode_request_head(
        method,
        target,
        "example.org",
        fields,
        memoryview(body) if isinstance(body, bytes) else body,
        tunnel=method == "CONNECT",
    )


def content_for(head: RequestHead, body: bytes | BodyFollowing | None) -> tuple[bytes, bytes]:
    """Return the content that goes with *head*, as it is and as it is framed."""
    if head.content_length is None:
        content = b"hello world"
        framed = encode_chunk_start(5) + content[:5] + CHUNK_END
        framed += encode_chunk_start(6) + content[5:] + CHUNK_END
        return content, framed + encode_last_chunk([("Checksum", "x")])
    content = body if isinstance(body, bytes) else b"x" * head.content_length
    return content, content


def served(data: bytes) -> tuple[h11.Request, bytes, bytes]:
    """Return the one request that h11 sees in *data*, its content and what is left."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    content, event = b"", connection.next_event()
    while isinstance(event, h11.Data):
        content += bytes(event.data)
        event = connection.next_event()
    assert isinstance(event, h11.EndOfMessage)
    return request, content, connection.trailing_data[0]


def check(
    head: RequestHead,
    method: str,
    path: str,
    fields: list[tuple[str, str]],
    body: bytes | BodyFollowing | None,
) -> None:
    """Check that a server reads from *head* what was asked for."""
    content, framed = content_for(head, body)
    request, received, rest = served(head.data + framed)
    assert request.method.decode("ascii") == method
    assert request.target.decode("ascii") == request_target(method, path)
    assert request.http_version == b"1.1"
    assert (received, rest) == (content, b"")
    seen = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers]
    assert seen[0][0] == "host"
    assert [name for name, _ in seen].count("host") == 1
    # What frames the content is ours; of the rest, nothing is lost and hardly anything added.
    ours = {"host", "content-length", "transfer-encoding", "expect"}
    given = [
        (name.lower(), value.strip(" \t")) for name, value in fields if name.lower() not in ours
    ]
    if "accept-encoding" not in (name for name, _ in given) and method != "CONNECT":
        given.append(("accept-encoding", "identity"))
    assert [(name, value) for name, value in seen if name not in ours] == given


@settings(max_examples=500)
@given(methods, paths, headers, bodies)
@example("GET", "/", [("Content-Length:", "5")], b"hello")
@example("GET", "/", [("X", "a"), ("Content-Length", "5")], b"hello")
@example("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/", [], None)
@example("CONNECT", "a:1", [("X", "y")], None)
@example("PUT", "/", [("Expect", "100-continue")], BodyFollowing())
def test_a_server_reads_what_was_asked_for_or_nothing_is_sent(
    method: str,
    path: str,
    fields: list[tuple[str, str]],
    body: bytes | BodyFollowing | None,
) -> None:
    try:
        head = encode(method, path, fields, body)
    except LocalProtocolError:
        return
    check(head, method, path, fields, body)


@settings(max_examples=300)
@given(
    st.sampled_from(["GET", "PUT", "DELETE", "x"]),
    st.from_regex(r"/[!-~]{0,20}", fullmatch=True),
    good_headers,
    bodies,
)
def test_what_is_right_is_sent(
    method: str,
    path: str,
    fields: list[tuple[str, str]],
    body: bytes | BodyFollowing | None,
) -> None:
    check(encode(method, path, fields, body), method, path, fields, body)


@settings(max_examples=300)
@given(methods, paths)
def test_a_plain_request_is_the_same_as_one_with_no_fields(method: str, path: str) -> None:
    if method == "CONNECT":
        return
    outcomes: list[object] = []
    fields = encode_request_head("GET", "/", "example.org", None, None).data.partition(b"\r\n")[2]
    encoders: list[Callable[[str], RequestHead]] = [
        lambda target: encode_request_head(method, target, "example.org", None, None),
        lambda target: encode_plain_request_head(method, target, fields),
    ]
    for encoder in encoders:
        try:
            outcomes.append(encoder(request_target(method, path)).data)
        except LocalProtocolError:
            outcomes.append(LocalProtocolError)
    assert outcomes[0] == outcomes[1]


@settings(max_examples=300)
@given(st.lists(st.tuples(good_names | known_names | any_text, good_values | any_text), max_size=4))
@example([("A", "b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")])
@example([("A:", "b")])
def test_a_server_reads_the_trailers_or_nothing_is_sent(trailers: list[tuple[str, str]]) -> None:
    try:
        data = encode_last_chunk(trailers)
    except LocalProtocolError:
        return
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + data)
    assert isinstance(connection.next_event(), h11.Request)
    end = connection.next_event()
    assert isinstance(end, h11.EndOfMessage)
    assert connection.trailing_data[0] == b""
    assert [(name.decode("ascii"), value.decode("latin-1")) for name, value in end.headers] == [
        (name.lower(), value.strip(" \t")) for name, value in trailers
    ]


@settings(max_examples=300)
@given(any_text | st.text(st.sampled_from("aZ0.-_~:[]%@/?# ：／［］。ä"), max_size=12))
@example("a：80")
@example("℀.example")
@example("::1%eth0")
def test_a_host_name_stays_one(hostname: str) -> None:
    try:
        host = encode_hostname(hostname)
    except LocalProtocolError:
        return
    assert re.fullmatch(r"[0-9A-Za-z._~-]+|\[[0-9A-Fa-f:.]+\]", host)
    assert encode_hostname(host) == host
    assert encode_authority(hostname, 8080, 80) == f"{host}:8080"
