"""The fields of a request, and whose credentials it has."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fields import RequestFields
from httpio_cli._options import RequestOptions
from httpio_cli._urls import parse_url
from httpio_cli._values import REMOVED
from httpio_cli._version import __version__

if TYPE_CHECKING:
    from pathlib import Path

URL = parse_url("http://a.example/")
WITH_USER = parse_url("http://u:p@a.example/")


def fields(**options: object) -> RequestFields:
    return RequestFields(RequestOptions(**options), {"HOME": "/nonexistent"})  # type: ignore[arg-type]  # of several types


def test_what_every_request_says() -> None:
    assert fields().for_url(URL) == [("User-Agent", f"httpio/{__version__}"), ("Accept", "*/*")]


def test_replaced_removed_and_extra() -> None:
    given = fields(
        header=(("accept", "a"), ("accept", "b"), ("User-Agent", REMOVED), ("X", "")),
        referer="r",
    )
    assert given.for_url(URL, extra=[("X", "not this"), ("Range", "bytes=1-")]) == [
        ("Range", "bytes=1-"),
        ("accept", "a"),
        ("accept", "b"),
        ("X", ""),
        ("Referer", "r"),
    ]


def test_precedence_of_credentials(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine a.example login n password p\n")
    netrc = {"netrc": True, "netrc_file": str(tmp_path / "netrc")}
    assert fields(**netrc).authorization(URL) == "Basic bjpw"
    assert fields(**netrc).authorization(WITH_USER) == "Basic dTpw"
    assert fields(**netrc, user="o:p").authorization(WITH_USER) == "Basic bzpw"
    assert fields(**netrc, user="o:p", oauth2_bearer="t").authorization(URL) == "Bearer t"
    own = fields(**netrc, header=(("authorization", "own"),))
    assert ("authorization", "own") in own.for_url(WITH_USER)
    assert all(name != "Authorization" for name, _ in own.for_url(WITH_USER))
    removed = fields(user="o:p", header=(("Authorization", REMOVED),))
    assert all(name != "Authorization" for name, _ in removed.for_url(URL))


def test_cookies() -> None:
    fields = RequestFields(RequestOptions(cookie=("a=1", "b=2; c=3")), {})
    url = parse_url("http://h/")
    assert ("Cookie", "a=1; b=2; c=3") in fields.for_url(url)
    assert "Cookie" not in dict(fields.for_url(url, trusted=False))
    with pytest.raises(CommandError) as caught:
        RequestFields(RequestOptions(cookie=("jar.txt",)), {})
    assert caught.value.code is ExitCode.USAGE


def test_no_credentials_for_strangers() -> None:
    given = fields(user="o:p", header=(("Cookie", "c"), ("X-Api-Key", "k"), ("X", "x")))
    names = [name for name, _ in given.for_url(URL, trusted=False)]
    assert names == ["User-Agent", "Accept", "X"]
    assert "Authorization" in [name for name, _ in given.for_url(URL)]


class TestNetrc:
    def test_places(self, tmp_path: Path) -> None:
        (tmp_path / ".netrc").write_text("default login d password e\n")
        options = RequestOptions(netrc=True)
        by_variable = RequestFields(options, {"NETRC": str(tmp_path / ".netrc")})
        assert by_variable.authorization(URL) == "Basic ZDpl"

    def test_unknown_host(self, tmp_path: Path) -> None:
        (tmp_path / "netrc").write_text("machine b.example login n password p\n")
        assert fields(netrc_file=str(tmp_path / "netrc")).authorization(URL) is None

    def test_missing(self, tmp_path: Path) -> None:
        given = RequestFields(RequestOptions(netrc=True), {"NETRC": str(tmp_path / "none")})
        assert given.authorization(URL) is None
        with pytest.raises(CommandError) as caught:
            fields(netrc_file=str(tmp_path / "none")).authorization(URL)
        assert caught.value.code is ExitCode.READ_FAILED

    def test_malformed_is_not_quoted(self, tmp_path: Path) -> None:
        (tmp_path / "netrc").write_text("machine a.example login n passwort secret\n")
        with pytest.raises(CommandError) as caught:
            fields(netrc_file=str(tmp_path / "netrc")).authorization(URL)
        assert caught.value.code is ExitCode.READ_FAILED
        assert "secret" not in str(caught.value)


class TestFiles:
    def test_fields_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "fields").write_bytes("A: 1\r\n\nB: ü\u2028\nC;\n".encode())
        given = fields(header=(("@", str(tmp_path / "fields")),))
        assert given.for_url(URL)[2:] == [
            ("A", "1"),
            ("B", "ü\u2028".encode().decode("latin-1")),
            ("C", ""),
        ]

    def test_of_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A: 1\n")))
        assert fields(header=(("@", "-"),)).for_url(URL)[-1] == ("A", "1")
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(CommandError):
            fields(header=(("@", "-"),))

    @pytest.mark.parametrize("content", [b"nonsense\n", b"A: \x00\n", b"A B: c\n", b"A: b\rC: d\n"])
    def test_bad(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "fields").write_bytes(content)
        with pytest.raises(CommandError) as caught:
            fields(header=(("@", str(tmp_path / "fields")),))
        assert caught.value.code is ExitCode.USAGE

    def test_missing(self) -> None:
        with pytest.raises(CommandError) as caught:
            fields(header=(("@", "/nonexistent"),))
        assert caught.value.code is ExitCode.READ_FAILED


def test_password_is_asked_for_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    with pytest.raises(CommandError) as caught:
        fields(user="someone")
    assert caught.value.code is ExitCode.USAGE
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"for {prompt}")
    assert fields(user="someone").authorization(URL) is not None


@pytest.mark.parametrize("option", ["user_agent", "referer", "oauth2_bearer"])
def test_line_ends_are_refused(option: str) -> None:
    with pytest.raises(CommandError) as caught:
        fields(**{option: "a\r\nEvil: b"})
    assert caught.value.code is ExitCode.USAGE
