"""Files that are written from the network: their names, and how they come into being."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import (
    MAX_NAME_BYTES,
    PartFile,
    clean_name,
    ensure_inside,
    http_time,
    is_special,
    make_directories,
    name_from_disposition,
    safe_name,
    strong_validator,
)

URL = "http://a/b"
NASTY = st.text(st.sampled_from('./\\%2eE5cCfF0:~\0\n\r\t\x1b\x9b\u202e ab-_*?"<>|ü😀')) | st.text()


def is_harmless(name: str) -> bool:
    """Return whether *name* is that of one file, here, that can be seen."""
    return (
        name not in ("", ".", "..")
        and not name.startswith(".")
        and "/" not in name
        and "\\" not in name
        and name.isprintable()
        and len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES
        and Path("in", name).parent == Path("in")
    )


@given(NASTY)
def test_names_of_urls(path: str) -> None:
    name = safe_name(f"/{path}")
    assert name is None or is_harmless(name)


@given(NASTY)
def test_names_of_servers(text: str) -> None:
    for name in (clean_name(text), name_from_disposition(f'attachment; filename="{text}"')):
        assert name is None or is_harmless(name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.txt", "b.txt"),
        ("/a/b.txt?c=/d", "b.txt"),
        ("/a/", None),
        ("/", None),
        ("/%2e%2e", None),
        ("/..", None),
        ("/.a", "a"),
        ("/%2e%2e%2fa", "_a"),
        ("/a%5cb", "a_b"),
        ("/a%20b%C3%BC", "a bü"),
        ("/a%ff", "a\ufffd"),
        ("/a%0Ab%1B", "a_b_"),
        ("/C:a", "C_a"),
    ],
)
def test_safe_name(path: str, name: str | None) -> None:
    assert safe_name(path) == name


def test_long_names_keep_their_suffix() -> None:
    name = safe_name(f"/{'ü' * 500}.tar")
    assert name is not None
    assert name.endswith("ü.tar")
    assert MAX_NAME_BYTES - 2 <= len(name.encode()) <= MAX_NAME_BYTES
    assert len(safe_name(f"/{'a' * 500}") or "") <= MAX_NAME_BYTES


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment", None),
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ('attachment; filename="../../a"', "a"),
        (r'attachment; filename="..\\..\\a"', "a"),
        ('attachment; filename="/"', None),
        ("nonsense;;;=", None),
    ],
)
def test_name_from_disposition(value: str, name: str | None) -> None:
    assert name_from_disposition(value) == name


class TestInside:
    def test_inside(self, tmp_path: Path) -> None:
        assert ensure_inside(tmp_path, Path("a/b")) == tmp_path / "a" / "b"
        assert ensure_inside(Path("/"), Path("a")) == Path("/a")

    @pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", ".."])
    def test_outside(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(CommandError) as caught:
            ensure_inside(tmp_path, Path(name))
        assert caught.value.code is ExitCode.WRITE_FAILED

    def test_by_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "link").symlink_to(tmp_path)
        with pytest.raises(CommandError):
            ensure_inside(tmp_path / "in", Path("link/a"))
        # The directory itself may be one.
        (tmp_path / "other").symlink_to(tmp_path / "in")
        assert ensure_inside(tmp_path / "other", Path("a")).name == "a"


class TestPartFile:
    def test_whole(self, tmp_path: Path) -> None:
        part = PartFile(tmp_path / "file")
        part.start(URL, '"v"')
        part.write(b"hel")
        assert sorted(os.listdir(tmp_path)) == ["file.part", "file.part.json"]
        part.write(memoryview(b"lo"))
        part.finish(modified=1_000_000_000)
        assert os.listdir(tmp_path) == ["file"]
        assert (tmp_path / "file").read_bytes() == b"hello"
        assert (tmp_path / "file").stat().st_mtime == 1_000_000_000

    def test_continued(self, tmp_path: Path) -> None:
        part = PartFile(tmp_path / "file")
        assert part.resumable(URL) is None
        part.start(URL, '"v"')
        part.write(b"hel")
        part.keep()
        assert part.is_resumable
        again = PartFile(tmp_path / "file")
        assert again.resumable(URL) == (3, '"v"')
        assert again.resumable(URL + "c") is None
        again.resume(2)
        again.write(b"LLO")
        again.finish()
        assert (tmp_path / "file").read_bytes() == b"heLLO"
        assert os.listdir(tmp_path) == ["file"]

    def test_not_without_a_validator(self, tmp_path: Path) -> None:
        first = PartFile(tmp_path / "file")
        first.start(URL, '"v"')
        first.write(b"a")
        first.keep()
        second = PartFile(tmp_path / "file")
        # What was noted of the old content does not hold for the new.
        second.start(URL, None)
        second.write(b"b")
        second.keep()
        assert not second.is_resumable
        assert second.resumable(URL) is None
        assert os.listdir(tmp_path) == ["file.part"]

    @pytest.mark.parametrize(
        "note", [b"", b"nonsense", b"[]", b'{"url": 1}', b"\xff", b'{"url": "http://a/b"}']
    )
    def test_note_that_is_none(self, tmp_path: Path, note: bytes) -> None:
        (tmp_path / "file.part").write_bytes(b"a")
        (tmp_path / "file.part.json").write_bytes(note)
        assert PartFile(tmp_path / "file").resumable(URL) is None

    def test_nothing_is_kept_of_nothing(self, tmp_path: Path) -> None:
        part = PartFile(tmp_path / "file")
        part.start(URL, '"v"')
        part.keep()
        assert os.listdir(tmp_path) == []

    def test_in_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"hel and more")
        part = PartFile(tmp_path / "file")
        part.resume_in_place(3)
        part.write(b"lo")
        part.finish()
        assert (tmp_path / "file").read_bytes() == b"hello"
        with pytest.raises(CommandError) as caught:
            PartFile(tmp_path / "file").resume_in_place(6)
        assert caught.value.code is ExitCode.RANGE_FAILED
        assert (tmp_path / "file").read_bytes() == b"hello"

    def test_permissions_of_what_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch(mode=0o640)
        (tmp_path / "file").chmod(0o640)
        part = PartFile(tmp_path / "file")
        part.start(URL, None)
        part.finish()
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    @pytest.mark.parametrize("name", ["file.part", "file.part.json"])
    def test_links_are_not_followed(self, tmp_path: Path, name: str) -> None:
        """Whoever can write to the directory must not choose what else is written."""
        (tmp_path / "victim").write_text("untouched")
        (tmp_path / name).symlink_to(tmp_path / "victim")
        with pytest.raises(CommandError) as caught:
            PartFile(tmp_path / "file").start(URL, '"v"')
        assert caught.value.code is ExitCode.WRITE_FAILED
        assert (tmp_path / "victim").read_text() == "untouched"

    def test_refusals(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for path in (tmp_path / "file" / "below", tmp_path / "missing" / "below"):
            with pytest.raises(CommandError) as caught:
                PartFile(path).start(URL, None)
            assert caught.value.code is ExitCode.WRITE_FAILED
            with pytest.raises(CommandError) as caught:
                PartFile(path).resume(1)
            assert caught.value.code is ExitCode.WRITE_FAILED
        with pytest.raises(CommandError):
            make_directories(tmp_path / "file" / "below")


def test_special_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert is_special(Path("/dev/null"))
    assert is_special(tmp_path)
    assert not is_special(tmp_path / "file")
    assert not is_special(tmp_path / "missing")


EARLY, LATE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.mark.parametrize(
    ("etag", "modified", "date", "validator"),
    [
        ('"a"', None, None, '"a"'),
        ('W/"a"', EARLY, LATE, None),
        ("a", EARLY, LATE, None),
        (None, EARLY, LATE, EARLY),
        (None, EARLY, EARLY, None),
        (None, EARLY, None, None),
        (None, None, LATE, None),
        (None, "yesterday", LATE, None),
        (None, None, None, None),
    ],
)
def test_strong_validator(
    etag: str | None, modified: str | None, date: str | None, validator: str | None
) -> None:
    assert strong_validator(etag, modified, date) == validator


def test_http_time() -> None:
    assert http_time(EARLY) == 784111777
    assert http_time("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777
    for text in ("", "nonsense", "Sun, 99 Nov 1994 08:49:37 GMT"):
        assert http_time(text) is None


def test_note_is_json(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "file")
    part.start(URL, 'W"')
    part.write(b"a")
    part.keep()
    note = json.loads((tmp_path / "file.part.json").read_text())
    assert note == {"url": URL, "validator": 'W"'}


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_dates_in_their_three_forms(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 §5.6.7, wherever this machine is."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert http_time(value) == 784111777
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
