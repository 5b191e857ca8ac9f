"""`httpio_cli._fetch.naming`: files stay in the output directory, and out of each other's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fetch.entries import Entry
from httpio_cli._fetch.naming import Places

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def place(output: Path, *outs: str | None, create: bool = True, path: str = "/x") -> list[str]:
    entries = [
        Entry(f"http://localhost{path}", f"list:{number}", out)
        for number, out in enumerate(outs, 1)
    ]
    placed = Places(str(output), create=create).place(entries)
    assert all(each.part == f"{each.path}.part" for each in placed)
    return [each.path.removeprefix(f"{output}/") for each in placed]


def refuse(
    output: Path, *outs: str | None, code: ExitCode = ExitCode.USAGE, create: bool = True
) -> str:
    before = sorted(output.rglob("*"))
    with pytest.raises(CommandError) as info:
        place(output, *outs, create=create)
    assert info.value.code is code
    # Nothing is made where something is wrong.
    assert sorted(output.rglob("*")) == before
    return info.value.what


def test_names_of_urls(output: Path) -> None:
    assert place(output, None, path="/a/b%20c.txt?x=/y") == ["b c.txt"]
    assert place(output, None, path="/a%2F..%2Fb") == ["a_.._b"]
    assert place(output, "dir/", path="/a/b") == ["dir/b"]


@pytest.mark.parametrize("path", ["/", "/a/", "/a/..", "/%2e%2e", "/..", "/?x"])
def test_a_url_that_names_no_file(output: Path, path: str) -> None:
    with pytest.raises(CommandError, match="names no file") as info:
        place(output, None, path=path)
    assert info.value.code is ExitCode.USAGE


def test_a_name_from_a_url_is_harmless(output: Path) -> None:
    assert place(output, None, path="/%00%1b%2f..%2fx") == ["___.._x"]


def test_names_are_made_simple(output: Path) -> None:
    assert place(output, "./a//b/./c") == ["a/b/c"]
    assert (output / "a/b").is_dir()


@pytest.mark.parametrize("out", ["/etc/passwd", "../x", "a/../../x", "..", ".", "a/.."])
def test_what_is_not_in_the_directory(output: Path, out: str) -> None:
    assert "is not in the output directory" in refuse(output, out)


def test_control_characters(output: Path) -> None:
    assert "control characters" in refuse(output, "a\x1b[2Jb")


def test_links_do_not_lead_out(output: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (output / "link").symlink_to(tmp_path / "elsewhere")
    (output / "sub").mkdir()
    (output / "within").symlink_to(output / "sub")
    refuse(output, "link/x")
    refuse(output, "link/new/x")
    assert place(output, "within/x") == ["sub/x"]


def test_two_to_the_same_file(output: Path) -> None:
    assert refuse(output, "a/x", "b", "a//x") == "list:3: list:1 goes to the same file, 'a/x'"


def test_two_to_the_same_file_by_a_link(output: Path) -> None:
    (output / "sub").mkdir()
    (output / "link").symlink_to("sub")
    assert "list:1 goes to the same file" in refuse(output, "sub/x", "link/x")


def test_a_file_where_something_else_has_to_be(output: Path) -> None:
    assert "the beginning of 'a'" in refuse(output, "a", "a.part")
    assert "the directory for 'a/b/'" in refuse(output, "a", "a/b/c")
    assert "the journal" in refuse(output, ".httpio-fetch.journal")


def test_directories_are_made_when_that_is_wanted(output: Path) -> None:
    assert "no directory 'a'" in refuse(output, "a/b", code=ExitCode.WRITE_FAILED, create=False)
    with pytest.raises(CommandError, match="no directory"):
        place(output / "new", "b", create=False)
    assert place(output / "new", "a/b") == ["a/b"]
    assert (output / "new/a").is_dir()


def test_a_directory_is_no_place_for_a_file(output: Path) -> None:
    (output / "a").mkdir()
    assert "is a directory" in refuse(output, "a", code=ExitCode.WRITE_FAILED)


def test_a_bad_url_is_told_with_its_line(output: Path) -> None:
    with pytest.raises(CommandError, match="list:7: bad URL") as info:
        Places(str(output), create=False).place([Entry("ftp://x/y", "list:7")])
    assert info.value.code is ExitCode.BAD_URL


def test_mirrors_are_looked_at_before_anything_is_fetched(output: Path) -> None:
    places = Places(str(output), create=False)
    (wanted,) = places.place([Entry("http://x/y", "list:7", mirrors=("http://z/y",))])
    assert [str(mirror) for mirror in wanted.mirrors] == ["http://z/y"]
    with pytest.raises(CommandError, match="list:7: bad URL"):
        places.place([Entry("http://x/z", "list:7", mirrors=("ftp://x/z",))])
