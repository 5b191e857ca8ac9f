"""`httpio_cli._fetch.storing`: content, journal, name, in this order."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fetch.entries import Entry
from httpio_cli._fetch.journal import Begun, Journal
from httpio_cli._fetch.naming import Wanted
from httpio_cli._fetch.storing import Store, concerns_all, part_size, verify_beginning
from httpio_cli._fetch.verification import Verifier, parse_checksum
from httpio_cli._urls import parse_url

from .fetching import contents, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def wanted(directory: Path, name: str, number: int = 0) -> Wanted:
    url = f"http://localhost/{name}"
    path = str(directory / name)
    return Wanted(number, Entry(url, ""), parse_url(url), name, path, f"{path}.part", (name, url))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(str(tmp_path / "journal"))
    yield opened
    opened.close([])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def test_whole_files(out: Path, journal: Journal) -> None:
    one, two = wanted(out, "one"), wanted(out, "two", 1)
    assert Store(journal).put([(one, b"1", None), (two, b"22", 86400.0)]) == {}
    assert contents(out) == {"one": b"1", "two": b"22"}
    assert (out / "two").stat().st_mtime == 86400
    assert journal.done == {one.key: 1, two.key: 2}


def test_one_that_cannot_be_written_does_not_keep_the_others(out: Path, journal: Journal) -> None:
    one, two, three = (wanted(out, name, number) for number, name in enumerate("abc"))
    (out / "a.part").mkdir()
    (out / "b").mkdir()
    failures = Store(journal).put([(one, b"1", None), (two, b"2", None), (three, b"3", None)])
    assert set(failures) == {0, 1}
    assert {error.code for error in failures.values()} == {ExitCode.WRITE_FAILED}
    assert contents(out) == {"c": b"3"}


def test_the_journal_knows_before_the_name_is_there(
    out: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wanted(out, "a")
    known = []
    replace = os.replace

    def note(old: str, new: str) -> None:
        with open(journal.path) as written:
            known.append(written.read().count('"done"'))
        replace(old, new)

    monkeypatch.setattr(os, "replace", note)
    Store(journal).put([(file, b"1", None)])
    with_part = Store(journal).open_part(file)
    with_part.write(memoryview(b"12"))
    with_part.close()
    Store(journal).complete(file, 2)
    assert known == [1, 2]


def test_a_disk_that_is_full_is_everybodys_concern(
    out: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(CommandError, match="No space left") as info:
        Store(journal).put([(wanted(out, "a"), b"1", None)])
    monkeypatch.undo()
    assert concerns_all(info.value.__cause__)
    # It makes no room for others if it stays.
    assert contents(out) == {}


def test_what_is_overwritten_is_no_beginning_any_more(out: Path, journal: Journal) -> None:
    file = wanted(out, "a")
    journal.write_begun(file.key, Begun('"v"', 10))
    (out / "a.part").mkdir()
    # Whatever becomes of it.
    assert Store(journal).put([(file, b"1", None)])
    assert journal.begun[file.key] == Begun("", None)


def test_links_are_not_written_through(out: Path, tmp_path: Path, journal: Journal) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (out / "a.part").symlink_to(precious)
    (out / "b").symlink_to(precious)
    store = Store(journal)
    assert set(store.put([(wanted(out, "a"), b"1", None)])) == {0}
    (out / "a.part").symlink_to(precious)
    with pytest.raises(CommandError):
        store.open_part(wanted(out, "a"))
    assert store.put([(wanted(out, "b"), b"1", None)]) == {}
    assert precious.read_text() == "precious"
    assert not (out / "b").is_symlink()


def test_parts(out: Path) -> None:
    store, file = Store(None), wanted(out, "a")
    assert part_size(file) is None
    part = store.open_part(file)
    part.write(memoryview(b"0123456789"))
    part.close()
    assert part_size(file) == 10
    part = store.open_part(file, 4)
    part.write(memoryview(b"abc"))
    part.close()
    assert contents(out) == {"a.part": b"0123abc"}
    verifier = Verifier([parse_checksum(f"sha256:{sha256(b'0123')}")])
    assert verify_beginning(file.part, 4, verifier)
    assert verifier.mismatch() is None
    assert not verify_beginning(file.part, 99, Verifier([]))
    assert not verify_beginning(file.path, 0, Verifier([]))
    store.drop(file)
    store.drop(file)
    assert contents(out) == {}
