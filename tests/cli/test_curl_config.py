"""Options from files in the form of curl's, by ``-K``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio_cli._curl_config import read_curl_config
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from tests.support.scripted import accept, expect_head, send

from .getting import HELLO, called, httpio, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fix_scripted import ServerFactory

OPTIONS = {"--header": True, "-H": True, "--silent": False, "-s": False, "--config": True}


def read(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "config"
    path.write_text(text)
    return read_curl_config(str(path), OPTIONS)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", []),
        ("  # silent", []),
        ("silent", ["--silent"]),
        ("--silent", ["--silent"]),
        ("  -s  ", ["-s"]),
        ("header = A:1", ["--header", "A:1"]),
        ("header=A:1", ["--header", "A:1"]),
        ("header: A:1", ["--header", "A:1"]),
        ("-H A:1", ["-H", "A:1"]),
        ("--header\tA:1", ["--header", "A:1"]),
        ('header = "A: 1 # no comment"', ["--header", "A: 1 # no comment"]),
        (r'header = "A: \"b\" \\ \t\n\r\v\x"', ["--header", 'A: "b" \\ \t\n\r\vx']),
        ('header = ""', ["--header", ""]),
        ("header = -s", ["--header", "-s"]),
        ("url = http://a/", ["http://a/"]),
        ('--url "http://a/#b"', ["http://a/#b"]),
        ("silent\r", ["--silent"]),
    ],
)
def test_lines(tmp_path: Path, line: str, arguments: list[str]) -> None:
    assert read(tmp_path, line) == arguments
    # Whatever is around it, and with or without a last line end.
    assert read(tmp_path, f"-s\n{line}\n\nsilent") == ["-s", *arguments, "--silent"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense = 1", "no option --nonsense"),
        ("-z", "no option -z"),
        ("silent = yes", "--silent takes no value"),
        ("header", "--header needs a value"),
        ("header =", "--header needs a value"),
        ('header = "A: 1', "expected 'option = value'"),
        ("header = A: 1", "expected 'option = value'"),
        ("url", "there is no URL"),
        ("---s", "expected 'option = value'"),
        ("= 1", "expected 'option = value'"),
        ("config = other", "cannot name another one"),
    ],
)
def test_lines_that_make_no_sense(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(CommandError) as caught:
        read(tmp_path, f"silent\n{line}\n")
    assert caught.value.code is ExitCode.USAGE
    assert f"{tmp_path}/config:2: " in caught.value.what
    assert why in caught.value.what


def test_the_command_line_goes_first(tmp_path: Path, scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(), send(HELLO), accept(), expect_head(), send(HELLO))
    (tmp_path / "one").write_text(f'-H "X: 1"\nuser-agent = one\nurl = {url_of(server, "/b")}\n')
    (tmp_path / "two").write_text('header = "X: 2"\noutput = wrong\n')
    for options in (["-K", "one", "--config=two"], ["-sKone", "-Ktwo"]):
        done = httpio("get", *options, "-A", "me", "-o", "right", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        assert (tmp_path / "right").read_bytes() == b"hello"
    assert not (tmp_path / "wrong").exists()
    server.finish()
    for head in b"".join(server.received).split(b"\r\n\r\n")[:2]:
        assert b"\r\nX: 1\r\nX: 2\r\n" in head
        assert b"\r\nUser-Agent: me\r\n" in head


def test_from_stdin(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(b"GET /a "), send(HELLO))
    done = httpio("get", "-K", "-", stdin=f"url = {url_of(server, '/a')}\n".encode())
    assert (done.code, done.out) == (0, b"hello")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = called("get", "-K", tmp_path / "none", "http://127.0.0.1:1/")
    assert done.code == ExitCode.READ_FAILED
    assert "none" in done.error


def test_what_only_looks_like_the_option(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(b"GET /a?-K "), send(HELLO))
    done = httpio("get", "-G", "-d", "-K", url_of(server, "/a"))
    assert (done.code, done.out) == (0, b"hello")


@pytest.mark.parametrize("command", ["fetch", "probe", "bench", "trace"])
def test_each_command_has_it(command: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("nonsense\n")
    done = called(command, "-K", tmp_path / "config", "http://127.0.0.1:1/")
    assert done.code == ExitCode.USAGE
    assert "there is no option --nonsense" in done.error
