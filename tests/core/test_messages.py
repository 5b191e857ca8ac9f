"""Requests and responses as the caller sees them."""

from __future__ import annotations

import enum
from email.message import Message
from typing import Any

import pytest

from httpio._exceptions import LocalProtocolError
from httpio._messages import BodyFollowing, HTTPResponse


class Size(enum.IntEnum):
    """A number with words of its own."""

    SMALL = 5


class Index:
    """No int, but as good as one."""

    def __index__(self) -> int:
        return 5


def test_body_following_without_length_is_sent_in_chunks() -> None:
    assert BodyFollowing().length is None
    assert BodyFollowing(None).length is None
    assert repr(BodyFollowing()) == "BodyFollowing()"


@pytest.mark.parametrize("length", [0, 5, 2**70])
def test_body_following_of_a_length(length: int) -> None:
    assert BodyFollowing(length).length == length
    assert repr(BodyFollowing(length)) == f"BodyFollowing({length})"


@pytest.mark.parametrize(("length", "number"), [(Size.SMALL, 5), (True, 1), (Index(), 5)])
def test_body_following_takes_whatever_is_a_whole_number(length: Any, number: int) -> None:
    following = BodyFollowing(length)
    assert following.length == number
    # What is written on the wire is digits, and no name.
    assert type(following.length) is int


@pytest.mark.parametrize("length", [-1, -(10**30)])
def test_body_following_of_negative_length_is_refused(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"cannot be negative, got {length}$"):
        BodyFollowing(length)


@pytest.mark.parametrize("length", ["5", 5.0, b"6", [5]])
def test_body_following_of_no_whole_number_is_a_type_error(length: Any) -> None:
    with pytest.raises(TypeError):
        BodyFollowing(length)


def test_a_response_says_what_was_asked_and_answered() -> None:
    interim = HTTPResponse("GET", "/x", 103, b"Early Hints\r\n")
    response = HTTPResponse(
        "GET", "/x", 200, b"OK\r\nA: b\r\n", 5, version="1.0", informational=(interim,)
    )
    assert (response.method, response.path) == ("GET", "/x")
    assert (response.status, response.reason) == (200, "OK")
    assert (response.length, response.version) == (5, "1.0")
    assert response.informational == (interim,)
    assert response.headers.items() == [("A", "b")]
    assert repr(response) == "<HTTPResponse 200 'OK' to GET /x>"


def test_a_response_unpacks_as_in_the_documents() -> None:
    response = HTTPResponse("GET", "/x", 200, b"OK\r\nA: b\r\n")
    method, path, status, reason, headers = response
    assert (method, path, status, reason) == ("GET", "/x", 200, "OK")
    assert headers is response.headers


def test_headers_are_a_message_that_keeps_every_value() -> None:
    response = HTTPResponse("GET", "/", 200, b"OK\r\nA: 1\r\nB: x\r\na: 2\r\n")
    assert isinstance(response.headers, Message)
    assert response.headers["a"] == "1"
    assert response.headers.get_all("A") == ["1", "2"]
    assert response.headers.items() == [("A", "1"), ("B", "x"), ("a", "2")]
    assert response.headers is response.headers


def test_a_response_without_fields_has_an_empty_message() -> None:
    response = HTTPResponse("GET", "/", 200)
    assert response.headers.items() == []
    assert response.headers["A"] is None
    assert response.length is None
    assert response.version == "1.1"
    assert response.informational == ()


def test_trailers_are_there_once_the_content_was_read() -> None:
    response = HTTPResponse("GET", "/", 200, b"OK\r\nA: b\r\n")
    assert response.trailers.items() == []
    response.trailers_received(b"C: d\r\nc: e\r\n")
    assert response.trailers.items() == [("C", "d"), ("c", "e")]
    assert response.trailers is response.trailers
    # RFC 9112 §7.1.2: they are kept apart from the headers.
    assert response.headers.items() == [("A", "b")]


def test_nothing_else_can_be_set_on_a_response() -> None:
    response = HTTPResponse("GET", "/", 200)
    with pytest.raises(AttributeError):
        response.other = 1  # type: ignore[attr-defined]  # the point


def test_fields_are_pairs_in_their_order() -> None:
    head = b"OK\r\nB: 1\r\na:  x y \r\nb: 2\r\n folded\r\n"
    response = HTTPResponse("GET", "/", 200, head)
    assert response.fields == [("B", "1"), ("a", "x y"), ("b", "2 folded")]
    assert response.fields == response.headers.items()
    # Whoever changes what was returned changes nothing else.
    response.fields.clear()
    assert len(response.fields) == 3
