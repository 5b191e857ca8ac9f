"""Requests as the caller makes them: what is kept, and what is made of it by default."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from httpio import Request
from httpio._request import IDEMPOTENT_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_is_given_is_kept_as_it_is() -> None:
    headers = {"A": "b"}
    body = bytearray(b"abc")
    request = Request("PUT", "/a?b", headers, body)
    assert (request.method, request.path) == ("PUT", "/a?b")
    assert request.headers == (("A", "b"),)
    assert request.body is body
    # The caller goes on with its own.
    headers["A"] = "c"
    assert request.headers == (("A", "b"),)


def test_without_more_there_are_no_headers_and_no_content() -> None:
    request = Request("GET", "/")
    assert request.headers is None
    assert request.body is None


# RFC 9110 §9.2.2
@pytest.mark.parametrize(
    ("method", "idempotent"),
    [
        ("GET", True),
        ("HEAD", True),
        ("OPTIONS", True),
        ("TRACE", True),
        ("PUT", True),
        ("DELETE", True),
        ("POST", False),
        ("PATCH", False),
        ("CONNECT", False),
        ("PROPFIND", False),
        # Methods are case-sensitive (RFC 9110 §9.1): this is one that nobody knows.
        ("get", False),
        ("", False),
    ],
)
def test_the_method_decides_what_may_be_repeated(method: str, idempotent: bool) -> None:
    assert Request(method, "/").idempotent is idempotent
    assert (method in IDEMPOTENT_METHODS) is idempotent


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_the_caller_knows_better_than_the_method(method: str, idempotent: bool) -> None:
    assert Request(method, "/", idempotent=idempotent).idempotent is idempotent


def test_idempotent_is_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        Request("GET", "/", None, None, False)  # type: ignore[call-arg]  # that is the question


def test_nothing_is_checked() -> None:
    request = Request("GET\r\n", "no path", {"a\nb": "c"}, "no bytes")  # type: ignore[arg-type]  # that is the question
    assert (request.method, request.path) == ("GET\r\n", "no path")
    body: object = request.body
    assert body == "no bytes"
    assert not request.idempotent


def test_nothing_else_can_be_hung_on_it() -> None:
    with pytest.raises(AttributeError):
        Request("GET", "/").size = 1


class Sized(Request):
    """A request that knows more."""

    __slots__ = ("size",)

    def __init__(self, path: str, size: int) -> None:
        super().__init__("GET", path)
        self.size = size


def test_a_subclass_may_add_what_it_likes() -> None:
    request = Sized("/a", 7)
    assert (request.method, request.path, request.size) == ("GET", "/a", 7)
    assert request.idempotent


def test_its_text_tells_what_it_is() -> None:
    assert repr(Request("GET", "/a", {"Authorization": "secret"})) == "<Request GET /a>"
    assert repr(Sized("/b", 1)) == "<Sized GET /b>"


def test_two_of_the_same_are_two() -> None:
    one, two = Request("GET", "/"), Request("GET", "/")
    assert one != two
    assert len({one, two}) == 2


def _fields(request: Request) -> tuple[object, ...]:
    return request.method, request.path, request.headers, request.body, request.idempotent


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_it_can_be_copied_and_sent_to_another_process(
    duplicate: Callable[[Request], Request],
) -> None:
    request = Request("POST", "/a", {"A": "b"}, b"abc", idempotent=True)
    again = duplicate(request)
    assert again is not request
    assert _fields(again) == _fields(request)


@pytest.mark.parametrize("name", ["method", "path", "headers", "body", "idempotent"])
def test_it_cannot_be_changed(name: str) -> None:
    """It may be on its way: its response would be taken for another one's."""
    request = Request("GET", "/", {"A": "b"}, b"c")
    before = getattr(request, name)
    with pytest.raises(AttributeError, match=f"the {name} of a request cannot be changed"):
        setattr(request, name, None)
    assert getattr(request, name) is before


class Shouting(str):
    """Holds something else than it says."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str(self).upper() == other

    def __hash__(self) -> int:
        return hash(str(self).upper())


def test_strings_count_for_what_they_hold() -> None:
    request = Request(Shouting("get"), Shouting("/a"))
    assert (type(request.method), type(request.path)) == (str, str)
    assert (request.method, request.path) == ("get", "/a")
    assert not request.idempotent


@pytest.mark.parametrize(
    ("method", "path"), [(b"GET", "/a"), ("GET", b"/"), (None, "/b"), ("GET", 5)]
)
def test_what_is_no_string_is_refused_at_once(method: Any, path: Any) -> None:
    with pytest.raises(TypeError, match=r"^method and path must be str, got "):
        Request(method, path)


def test_header_fields_that_can_be_read_once_are_there_for_each_time_it_is_sent() -> None:
    request = Request("GET", "/", iter([("A", "1"), ("A", "2")]))
    assert request.headers is not None
    for _ in range(2):
        assert list(request.headers) == [("A", "1"), ("A", "2")]
