"""Where redirects lead, for all commands."""

from __future__ import annotations

import pytest

from httpio import HTTPResponse
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redirects import becomes_get, followed, location_of, too_many
from httpio_cli._urls import parse_url


@pytest.mark.parametrize("status", [200, 201, 300, 301, 302, 303, 304, 305, 306, 307, 308, 400])
def test_location(status: int) -> None:
    response = HTTPResponse("GET", "/", status, b"\r\nlocation: /there\r\n")
    redirects = status in (301, 302, 303, 307, 308)
    assert location_of(response) == ("/there" if redirects else None)
    assert location_of(HTTPResponse("GET", "/", status)) is None


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "GET", False),
        (301, "POST", True),
        (301, "PUT", False),
        (302, "HEAD", False),
        (302, "POST", True),
        (303, "GET", False),
        (303, "HEAD", False),
        (303, "POST", True),
        (303, "PUT", True),
        (303, "DELETE", True),
        (307, "POST", False),
        (308, "POST", False),
    ],
)
def test_method(status: int, method: str, becomes: bool) -> None:
    assert becomes_get(status, method) is becomes


def test_to_where() -> None:
    url = parse_url("https://user:secret@h/a/b?c")
    assert str(followed(url, "d")) == "https://h/a/d"
    assert str(followed(url, "//other:8443/")) == "https://other:8443/"
    assert str(followed(parse_url("http://h/"), "https://h/")) == "https://h/"


def test_down_to_http() -> None:
    url = parse_url("https://user:secret@h/a")
    with pytest.raises(CommandError) as caught:
        followed(url, "http://h/b")
    assert caught.value.code is ExitCode.TOO_MANY_REDIRECTS
    assert str(caught.value).startswith("https://h/a redirects to http://h/b, ")
    assert "--allow" not in caught.value.hint
    with pytest.raises(CommandError, match="--allow-downgrade"):
        followed(url, "http://h/b", allow_downgrade=False)
    assert str(followed(url, "http://h/b", allow_downgrade=True)) == "http://h/b"


@pytest.mark.parametrize("location", ["ftp://h/", "//[/", "http://h:0/"])
def test_to_nowhere(location: str) -> None:
    with pytest.raises(CommandError) as caught:
        followed(parse_url("http://h/"), location)
    assert caught.value.code is ExitCode.BAD_URL


def test_too_many() -> None:
    error = too_many(parse_url("http://user:secret@h/"), 3)
    assert (error.code, error.what) == (47, "http://h/: more than 3 redirects")
