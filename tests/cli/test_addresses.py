"""Which addresses a host name has, where the operator knows better."""

from __future__ import annotations

import socket

import pytest

from httpio_cli._addresses import Addresses
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode


def test_resolve() -> None:
    addresses = Addresses(
        socket.AF_UNSPEC,
        ["a.invalid:80:127.0.0.1,[::1],::2", "+b.invalid:443:[::3]", "*:81:127.0.0.9"],
        [],
    )
    assert addresses("A.invalid", 80) == [("127.0.0.1", 80), ("::1", 80), ("::2", 80)]
    assert addresses("b.invalid", 443) == [("::3", 443)]
    assert addresses("whatever.invalid", 81) == [("127.0.0.9", 81)]


@pytest.mark.parametrize(
    ("family", "found"),
    [(socket.AF_INET, [("127.0.0.1", 80)]), (socket.AF_INET6, [("::1", 80)])],
)
def test_family(family: int, found: list[tuple[str, int]]) -> None:
    assert Addresses(family, ["a:80:127.0.0.1,::1"], [])("a", 80) == found
    only = "::1" if family == socket.AF_INET else "127.0.0.1"
    with pytest.raises(socket.gaierror):
        Addresses(family, [f"a:80:{only}"], [])("a", 80)
    # Also of what is an address itself.
    with pytest.raises(socket.gaierror):
        Addresses(family, [], [])(only, 80)


def test_connect_to() -> None:
    addresses = Addresses(
        socket.AF_UNSPEC,
        ["other:81:127.0.0.1", "b:443:127.0.0.2", "c:8080:127.0.0.3"],
        ["a:80:other:81", "b::[::1]:", "::c:8080"],
    )
    assert addresses("a", 80) == [("127.0.0.1", 81)]
    assert addresses("b", 443) == [("::1", 443)]
    assert addresses("d", 9) == [("127.0.0.3", 8080)]
    assert addresses.leads_elsewhere("a", 80)
    assert not Addresses(socket.AF_UNSPEC, [], ["a:80:a:80"]).leads_elsewhere("a", 80)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:80",
        "a:80:",
        "a:x:127.0.0.1",
        "a:0:127.0.0.1",
        "a:80:b",
        "a:80:1.2.3.4,x",
        "a:²:::1",
    ],
)
def test_bad_resolve(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        Addresses(socket.AF_UNSPEC, [text], [])
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize("text", ["", "a", "a:80:b", "a:80:b:x", "a:80:b:81:c"])
def test_bad_connect_to(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        Addresses(socket.AF_UNSPEC, [], [text])
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize("name", ["a..b", "a" * 70])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(socket.gaierror):
        Addresses(socket.AF_INET, [], [])(name, 80)
