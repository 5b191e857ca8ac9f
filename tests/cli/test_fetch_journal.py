"""`httpio_cli._fetch.journal`: what survives, whatever happens to the process that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fetch.journal import Begun, Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = ("one", "http://localhost/1")
TWO = ("zwei\u2028\n", "http://localhost/2")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


@pytest.fixture
def written(path: str) -> Iterator[bytes]:
    """The journal at *path*, with three records."""
    journal = Journal(path)
    journal.write_begun(TWO, Begun('"v"', 100))
    journal.write_done([(ONE, 5)])
    journal.write_done([(TWO, 100)])
    journal.close([])
    with open(path, "rb") as file:
        yield file.read()


def reopen(path: str) -> Journal:
    journal = Journal(path)
    journal.close([])
    return journal


def test_what_was_written_is_read(path: str, written: bytes) -> None:
    assert written.count(b"\n") == 3
    journal = reopen(path)
    assert journal.done == {ONE: 5, TWO: 100}
    assert journal.begun == {TWO: Begun('"v"', 100)}


def test_torn_anywhere_it_has_all_complete_records_and_can_go_on(path: str, written: bytes) -> None:
    for size in range(len(written)):
        with open(path, "wb") as file:
            file.write(written[:size])
        journal = Journal(path)
        complete = written[:size].count(b"\n")
        assert len(journal.done) == max(complete - 1, 0)
        assert len(journal.begun) == min(complete, 1)
        journal.write_done([(("more", "http://localhost/"), 1)])
        journal.close([])
        assert reopen(path).done[("more", "http://localhost/")] == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"v":2,"is":"done","out":"x","url":"u","size":1}',
        b'{"v":1,"is":"done","out":"x","url":"u","size":null}',
        b'{"v":1,"is":"begun","out":"x","url":"u","size":null,"validator":1}',
        b'{"v":1,"is":"done","out":7,"url":"u","size":1}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_ours_is_passed_over(path: str, written: bytes, line: bytes) -> None:
    with open(path, "wb") as file:
        file.write(line + b"\n" + written)
    assert reopen(path).done == {ONE: 5, TWO: 100}


def test_what_begins_anew_is_not_done(path: str, written: bytes) -> None:
    journal = Journal(path)
    journal.write_begun(ONE, Begun("", None))
    journal.close([])
    assert reopen(path).done == {TWO: 100}


def test_two_at_once_are_one_too_many(path: str) -> None:
    journal = Journal(path)
    with pytest.raises(CommandError, match="another 'httpio fetch'") as info:
        Journal(path)
    assert info.value.code is ExitCode.USAGE
    journal.close([])


def test_with_nothing_left_in_it_it_goes_away(path: str, written: bytes, tmp_path: Path) -> None:
    Journal(path).close([ONE])
    assert reopen(path).done == {TWO: 100}
    Journal(path).close([TWO])
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(path: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "journal").symlink_to(target)
    with pytest.raises(CommandError) as info:
        Journal(path)
    assert info.value.code is ExitCode.WRITE_FAILED
    assert target.read_text() == "precious"


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as info:
        Journal(str(tmp_path / "missing" / "journal"))
    assert info.value.code is ExitCode.WRITE_FAILED
