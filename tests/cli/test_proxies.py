"""Which proxy a request goes through."""

from __future__ import annotations

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._proxies import (
    is_without_proxy,
    no_proxy_from_environment,
    parse_proxy,
    proxy_from_environment,
)
from httpio_cli._urls import parse_url


@pytest.mark.parametrize(
    ("text", "address", "auth"),
    [
        ("proxy:3128", ("proxy", 3128), None),
        ("http://proxy", ("proxy", 1080), None),
        ("http://proxy:80/", ("proxy", 80), None),
        ("http://u:p%40@proxy:8080", ("proxy", 8080), ("u", "p@")),
        ("u@proxy", ("proxy", 1080), ("u", "")),
        ("http://[::1]:3128", ("::1", 3128), None),
        ("[::1]", ("::1", 1080), None),
    ],
)
def test_parsed(text: str, address: tuple[str, int], auth: tuple[str, str] | None) -> None:
    proxy = parse_proxy(text)
    assert (proxy.address, proxy.auth) == (address, auth)


def test_credentials_of_the_option_come_first() -> None:
    assert parse_proxy("u:p@proxy", "v:q:r").auth == ("v", "q:r")


@pytest.mark.parametrize("text", ["socks5://a:1", "https://a:1", "ftp://a"])
def test_other_kinds(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_proxy(text)
    assert caught.value.code is ExitCode.USAGE


def test_environment() -> None:
    plain, tls = parse_url("http://a"), parse_url("https://a")
    environ = {"http_proxy": "a", "HTTP_PROXY": "b", "HTTPS_PROXY": "c", "all_proxy": "d"}
    assert proxy_from_environment(plain, environ) == "a"
    assert proxy_from_environment(tls, environ) == "c"
    # A CGI server sets it from a field called Proxy.
    assert proxy_from_environment(plain, {"HTTP_PROXY": "b"}) is None
    assert proxy_from_environment(plain, {"ALL_PROXY": "d"}) == "d"
    assert proxy_from_environment(tls, {"https_proxy": "e", "HTTPS_PROXY": "c"}) == "e"
    assert proxy_from_environment(plain, {"http_proxy": "", "all_proxy": "d"}) == ""
    assert no_proxy_from_environment({"NO_PROXY": "b"}) == "b"
    assert no_proxy_from_environment({"NO_PROXY": "b", "no_proxy": "a"}) == "a"
    assert no_proxy_from_environment({}) == ""


@pytest.mark.parametrize(
    ("url", "exceptions"),
    [
        ("http://a.example", "*"),
        ("http://a.example", "x, example"),
        ("http://a.example", "x example"),
        ("http://a.example", ".example"),
        ("http://a.example", "*.example"),
        ("http://A.EXAMPLE.", "a.Example"),
        ("http://example", ".example"),
        ("http://a.example:8080", "example:8080"),
        ("https://a.example", "example:443"),
        ("http://10.1.2.3", "10.0.0.0/8"),
        ("http://10.1.2.3", "10.1.2.3"),
        ("http://10.1.2.3:81", "10.1.2.3:81"),
        ("http://[::1]", "::1"),
        ("http://[::1]", "[::1]"),
        ("http://[0:0::1]", "::1"),
        ("http://[::1]:81", "[::1]:81"),
        ("http://[fe80::1]", "fe80::/10"),
        ("http://[fe80::1]", "[fe80::]/10"),
    ],
)
def test_exceptions(url: str, exceptions: str) -> None:
    assert is_without_proxy(parse_url(url), exceptions)


@pytest.mark.parametrize(
    ("url", "exceptions"),
    [
        ("http://a.example", ""),
        ("http://a.example", ", ,"),
        ("http://a.example", "."),
        ("http://a.example", "b.example"),
        ("http://ba.example", "a.example"),
        ("http://example", "a.example"),
        ("http://a.example", "example:8080"),
        ("http://11.1.2.3", "10.0.0.0/8"),
        ("http://10.1.2.3", "1.2.3"),
        ("http://10.1.2.3", "10.1.2.3:81"),
        ("http://10.1.2.3", "10.0.0.0/99"),
        ("http://[::1]:81", "[::1]:82"),
        ("http://[::1]", "::1:80"),
        ("http://a.example", "10.0.0.0/8"),
    ],
)
def test_no_exceptions(url: str, exceptions: str) -> None:
    assert not is_without_proxy(parse_url(url), exceptions)
