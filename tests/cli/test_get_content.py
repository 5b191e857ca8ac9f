"""The content of a request, as the options describe it."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._get.content import (
    PIECE_SIZE,
    Content,
    FilePart,
    binary_part,
    data_part,
    file_part,
    joined,
    urlencoded_part,
)
from httpio_cli._get.multipart import multipart

if TYPE_CHECKING:
    from pathlib import Path


def test_length_and_pieces(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(PIECE_SIZE + 1))
    content = Content(parts=(b"ab", file_part(str(tmp_path / "file")), b"", b"c"))
    assert content.length == PIECE_SIZE + 4
    assert content.is_repeatable
    assert [len(piece) for piece in content.pieces()] == [2, PIECE_SIZE, 1, 1]
    assert content.in_memory() == b"ab" + bytes(PIECE_SIZE + 1) + b"c"


def test_pipe_has_no_length(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    part = file_part(str(tmp_path / "pipe"))
    assert part.size is None
    assert Content(parts=(b"a", part)).length is None


def test_stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with (tmp_path / "file").open("rb") as file:
        file.seek(4)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        content = Content(parts=(file_part("-"),))
        # From where it stands.
        assert content.length == 6
        assert content.in_memory() == b"456789"
        assert not content.is_repeatable
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CommandError) as caught:
        file_part("-")
    assert caught.value.code is ExitCode.READ_FAILED


def test_file_that_grows_is_sent_as_announced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    content = Content(parts=(FilePart(path=str(tmp_path / "file"), size=3),))
    assert content.in_memory() == b"abc"


def test_file_that_shrinks(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.raises(CommandError) as caught:
        Content(parts=(FilePart(path=str(tmp_path / "file"), size=5),)).in_memory()
    assert caught.value.code is ExitCode.READ_FAILED


@pytest.mark.parametrize("name", ["", "missing", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError) as caught:
        file_part(str(tmp_path / name) if name else "")
    assert caught.value.code is ExitCode.READ_FAILED


def test_options(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"a b\r\n\0&\xff")
    assert data_part("a@b") == b"a@b"
    assert data_part(f"@{path}") == b"a b&\xff"
    assert binary_part("x") == b"x"
    assert binary_part(f"@{path}") == FilePart(path=path, size=8)
    for text, encoded in (
        ("a b", b"a+b"),
        ("=a=b", b"a%3Db"),
        ("n=a&b", b"n=a%26b"),
        (f"@{path}", b"a+b%0D%0A%00%26%FF"),
        (f"n@{path}", b"n=a+b%0D%0A%00%26%FF"),
    ):
        assert urlencoded_part(text) == encoded
    assert joined([b"a", b"b"], b"&") == [b"a", b"&", b"b"]
    assert joined([], b"&") == []


class TestMultipart:
    def content(self, *forms: str) -> tuple[bytes, str]:
        made = multipart(forms)
        assert made.media_type is not None
        return made.in_memory(), made.media_type.partition("boundary=")[2]

    def test_form(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"text")
        content, boundary = self.content("n=v", f"f=@{tmp_path}/a.txt", f"g=<{tmp_path}/a.txt")
        assert content.decode() == (
            f'--{boundary}\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
            "Content-Type: text/plain\r\n\r\ntext\r\n"
            f'--{boundary}\r\nContent-Disposition: form-data; name="g"\r\n\r\ntext\r\n'
            f"--{boundary}--\r\n"
        )

    @pytest.mark.parametrize(
        ("value", "content", "parameters"),
        [
            ("a;b", "a;b", {}),
            ("a;type=text/x", "a", {"type": "text/x"}),
            ("a;type=text/x; charset=y", "a", {"type": "text/x; charset=y"}),
            ("a;type=text/x;filename=b c", "a", {"type": "text/x", "filename": "b c"}),
            ('a;filename="b;c"', "a", {"filename": "b;c"}),
            ('a; filename="b\\"c";type=x/y', "a", {"filename": 'b"c', "type": "x/y"}),
            ("a;other=b", "a;other=b", {}),
        ],
    )
    def test_parameters(self, value: str, content: str, parameters: dict[str, str]) -> None:
        from httpio_cli._get.multipart import _parameters

        assert _parameters(value) == (content, parameters)

    @given(st.text(st.sampled_from('a"\r\n\\;=-:ü'), min_size=1, max_size=10))
    def test_no_line_ends_in_the_head(self, text: str) -> None:
        """Whatever a name is, it neither ends its line nor its quotes."""
        name = text.replace("=", "")
        if not name:
            return
        content, boundary = self.content(f"{name}=v")
        assert content.count(b"\r\n") == 5
        assert content.count(b'"') == 2
        assert content.endswith(f"\r\n--{boundary}--\r\n".encode())

    @pytest.mark.parametrize(
        "form", ["a", "=a", "a=b;type=x\r\ny", "a=b;filename=x\ny", "a=b;type=ü/x"]
    )
    def test_refused(self, form: str) -> None:
        with pytest.raises(CommandError) as caught:
            multipart([form])
        assert caught.value.code is ExitCode.USAGE

    def test_literal(self) -> None:
        made = multipart([], ["a=@b;type=c"])
        assert b"\r\n\r\n@b;type=c\r\n" in made.in_memory()

    def test_boundaries_differ(self) -> None:
        assert self.content("a=b")[1] != self.content("a=b")[1]
