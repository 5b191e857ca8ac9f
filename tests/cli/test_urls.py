"""URLs as operators write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._urls import parse_url


@pytest.mark.parametrize(
    ("text", "shown", "host"),
    [
        ("localhost", "http://localhost/", "localhost"),
        ("localhost:8000/a", "http://localhost:8000/a", "localhost:8000"),
        ("HTTP://LOCALHOST:80", "http://localhost/", "localhost"),
        ("https://a:443/b?c#d", "https://a/b?c", "a"),
        ("https://a:80", "https://a:80/", "a:80"),
        ("http://a:", "http://a/", "a"),
        ("http://a:00080/", "http://a/", "a"),
        ("http://a?b", "http://a/?b", "a"),
        ("http://a#b", "http://a/", "a"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a", "[::1]:8080"),
        ("[::1]", "http://[::1]/", "[::1]"),
        ("http://a/../b/./c//d", "http://a/../b/./c//d", "a"),
        ("http://a/ü%20?ö=%zz", "http://a/%C3%BC%20?%C3%B6=%zz", "a"),
        ("http://a/[1]{2}|\\^", "http://a/[1]{2}|\\^", "a"),
        ("a/to/http://b/", "http://a/to/http://b/", "a"),
        ("a?to=http://b/", "http://a/?to=http://b/", "a"),
        ("http://u:p@a/", "http://a/", "a"),
    ],
)
def test_parsed(text: str, shown: str, host: str) -> None:
    url = parse_url(text)
    assert (str(url), url.host_header) == (shown, host)


def test_user_information() -> None:
    url = parse_url("http://us%40er:p%3Aa:ss@@a/")
    assert (url.user, url.password) == ("us@er", "p:a:ss@")
    assert (parse_url("http://u@a").user, parse_url("http://u@a").password) == ("u", None)
    assert parse_url("http://a").user is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "http://", "http:///a", "http:a", "https:/a", "ftp://a/", "file:///etc/passwd"),
        *("http://a b/", "http://a/ b", "http://a/\r\nX: y", "http://a/\0", "http://a/\x7f"),
        *(
            "http://a:0/",
            "http://a:65536/",
            "http://a:-1/",
            "http://a:x/",
            f"http://a:{'1' * 5000}/",
        ),
        *("http://[::1/", "http://::1/", "http://[x]/", "http://a_\u202e/"),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_url(text)
    assert caught.value.code is ExitCode.BAD_URL
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_password_is_not_shown() -> None:
    for text in ("http://u:secret@a:b/", "u:secret@a b", "http://u:secret@[::1/"):
        with pytest.raises(CommandError) as caught:
            parse_url(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "joined"),
    [
        ("/b", "http://h:81/b"),
        ("b", "http://h:81/a/b"),
        ("../../b", "http://h:81/b"),
        ("?x", "http://h:81/a/c?x"),
        ("", "http://h:81/a/c"),
        ("#f", "http://h:81/a/c"),
        ("//i/b", "http://i/b"),
        ("https://i", "https://i/"),
        ("http://u:p@i/", "http://i/"),
        ("/a b", "http://h:81/a%20b"),
        ("/\xc3\xbc\xff", "http://h:81/%C3%BC%FF"),
        ("/%C3%BC", "http://h:81/%C3%BC"),
    ],
)
def test_join(location: str, joined: str) -> None:
    url = parse_url("http://u:p@h:81/a/c").join(location)
    assert (str(url), url.user, url.password) == (joined, None, None)


@given(st.text(max_size=40))
def test_whatever_is_given(text: str) -> None:
    """It is a URL that can be requested, and means the same once more; or it is refused."""
    try:
        url = parse_url(text)
    except CommandError:
        return
    assert url.target.startswith("/")
    assert url.target.isascii()
    assert url.target.isprintable()
    assert " " not in url.target
    assert parse_url(str(url)) == url.but(user=None, password=None)


@given(st.text(st.characters(max_codepoint=255), max_size=30))
def test_whatever_location(text: str) -> None:
    try:
        url = parse_url("http://a/b").join(text)
    except CommandError:
        return
    assert url.target.isascii()
    assert url.user is None
