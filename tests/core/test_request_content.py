"""Content that is not in memory: what is known of it before it is read, and how it is read again."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import socket
import tempfile
from array import array
from typing import TYPE_CHECKING

import pytest

from httpio._request_content import (
    announce,
    bytes_left,
    go_back,
    is_file,
    is_in_memory,
    plain_file,
    position_of,
)
from tests.support.coroutines import no_descriptor_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    from httpio._request import RequestBody, SupportsRead

DATA = b"0123456789"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with `DATA`."""
    found = tmp_path / "file"
    found.write_bytes(DATA)
    return found


class Reader:
    """Has what a file needs to be sent, and nothing else."""

    def __init__(self, data: bytes = DATA) -> None:
        self._rest = data

    def read(self, size: int, /) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class OwnFile(io.FileIO):
    """What it reads is its own affair."""

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]  # as it is in fact
        data = super().read(size)
        return None if data is None else data * 2


class OwnBytes(io.BytesIO):
    """Likewise."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) * 2


# Which files the system can send


@pytest.mark.parametrize(
    ("mode", "buffering"), [("rb", 0), ("rb", -1), ("rb", 3), ("r+b", 0), ("r+b", -1)]
)
def test_a_plain_file_is_one_that_the_system_reads_alike(
    path: Path, mode: str, buffering: int
) -> None:
    with open(path, mode, buffering) as file:
        found: object = plain_file(file)
        assert found is file


def test_an_unnamed_file_is_a_plain_one() -> None:
    with tempfile.TemporaryFile() as file:
        found: object = plain_file(file)
        assert found is file


def named_temporary(path: Path) -> IO[bytes]:
    return tempfile.NamedTemporaryFile(dir=path.parent)  # the test closes it


def spooled() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile()  # likewise


def null(buffering: int) -> IO[bytes]:
    return open(os.devnull, "rb", buffering)


OTHERS: dict[str, Callable[[Path], IO[bytes] | IO[str]]] = {
    "text": lambda path: path.open(encoding="ascii"),
    "memory": lambda _: io.BytesIO(DATA),
    "text in memory": lambda _: io.StringIO("abc"),
    "of a class of its own": lambda path: OwnFile(path),
    "around such a one": lambda path: io.BufferedReader(OwnFile(path)),  # type: ignore[type-var]  # may read None
    "with a wrapper": named_temporary,
    "spooled": lambda _: spooled(),
    "null": lambda _: null(-1),
    "null without a buffer": lambda _: null(0),
}


@pytest.mark.parametrize("other", OTHERS)
def test_others_are_not(path: Path, other: str) -> None:
    with OTHERS[other](path) as file:
        assert plain_file(file) is None  # type: ignore[arg-type]  # text files among them


def test_what_decompresses_has_the_descriptor_of_something_else(path: Path) -> None:
    with gzip.open(path, "wb") as file:
        file.write(DATA)
    with gzip.open(path) as file:
        assert file.fileno() >= 0
        assert plain_file(file) is None
        assert bytes_left(file, None) is None


def test_a_pipe_is_not() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with open(reading, "rb") as file:
        assert plain_file(file) is None
        assert bytes_left(file, None) is None


def test_a_socket_is_not() -> None:
    one, other = socket.socketpair()
    with one, other, one.makefile("rb") as file:
        assert plain_file(file) is None


def test_what_only_reads_is_not() -> None:
    assert plain_file(Reader()) is None
    assert bytes_left(Reader(), None) is None


def test_a_closed_file_is_an_error(path: Path) -> None:
    file = path.open("rb")
    file.close()
    with pytest.raises(ValueError, match="closed"):
        plain_file(file)


def test_a_detached_file_is_none_any_more(path: Path) -> None:
    file = path.open("rb")
    with file.detach():
        assert plain_file(file) is None


# How much there is


def left(file: SupportsRead) -> int | None:
    return bytes_left(file, plain_file(file))


@pytest.mark.parametrize("buffering", [0, -1, 3])
@pytest.mark.parametrize("position", [0, 1, 9, 10, 11, 10**9])
def test_what_is_left_of_a_file(path: Path, buffering: int, position: int) -> None:
    with path.open("rb", buffering) as file:
        file.seek(position)
        assert left(file) == max(10 - position, 0)
        assert file.tell() == position


def test_what_is_left_is_counted_from_what_was_read_not_from_what_is_buffered(path: Path) -> None:
    with path.open("rb") as file:
        assert file.read(3) == b"012"
        assert left(file) == 7
        assert file.read() == b"3456789"


def test_what_was_written_and_not_flushed_is_nothing_that_is_left(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"ab")
        assert left(file) == 8
        file.seek(0, os.SEEK_END)
        file.write(b"more")
        assert left(file) == 0
        file.seek(0)
        assert left(file) == 14


def test_a_file_that_grows_or_shrinks_is_looked_at_anew(path: Path) -> None:
    with path.open("rb") as file:
        assert left(file) == 10
        os.truncate(path, 4)
        assert left(file) == 4
        with path.open("ab") as other:
            other.write(b"x" * 100)
        assert left(file) == 104


def test_an_empty_file_has_nothing(path: Path) -> None:
    os.truncate(path, 0)
    with path.open("rb") as file:
        assert left(file) == 0


@pytest.mark.parametrize("position", [0, 3, 10, 11])
def test_what_is_left_in_memory(position: int) -> None:
    file = io.BytesIO(DATA)
    file.seek(position)
    assert left(file) == max(10 - position, 0)
    assert file.tell() == position
    # No view is left on it, which would keep it from growing.
    file.seek(0, os.SEEK_END)
    file.write(b"more")


@pytest.mark.parametrize("buffering", [0, -1])
def test_files_without_a_size_can_have_content(buffering: int) -> None:
    with open("/proc/self/status", "rb", buffering) as file:
        assert left(file) is None
        assert file.tell() == 0
        assert file.read(5) == b"Name:"
        assert left(file) is None
        assert announce(file).length is None


def test_what_a_class_makes_of_its_reads_is_not_known(path: Path) -> None:
    with OwnFile(path) as file:
        assert left(file) is None  # type: ignore[arg-type]  # may read None
    assert left(OwnBytes(DATA)) is None


# What a body is


IN_MEMORY: dict[str, object] = {
    "bytes": b"a",
    "no bytes": b"",
    "bytearray": bytearray(b"a"),
    "memoryview": memoryview(b"a"),
    "not contiguous": memoryview(b"abcd")[::2],
    "array": array("I", [1]),
    # Refused as what it is, not letter by letter.
    "str": "a",
}
FILES: dict[str, object] = {
    "BytesIO": io.BytesIO(DATA),
    "StringIO": io.StringIO("a"),
    "a class": Reader(),
}
ITERABLES: dict[str, object] = {
    "list": [b"a"],
    "tuple": (),
    "generator": (piece for piece in [b"a"]),
    "range": range(3),
    "nothing of all that": 5,
}


def check(body: object, *, in_memory: bool, file: bool) -> None:
    assert is_in_memory(body) is in_memory
    assert is_file(body) is file


@pytest.mark.parametrize("body", IN_MEMORY)
def test_content_in_memory(body: str) -> None:
    check(IN_MEMORY[body], in_memory=True, file=False)


@pytest.mark.parametrize("body", FILES)
def test_content_in_files(body: str) -> None:
    check(FILES[body], in_memory=False, file=True)


@pytest.mark.parametrize("body", ITERABLES)
def test_other_content(body: str) -> None:
    check(ITERABLES[body], in_memory=False, file=False)


def test_a_file_that_is_mapped_is_in_memory(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        check(mapped, in_memory=True, file=True)


# What is said of it beforehand


@pytest.mark.parametrize("buffering", [0, -1])
def test_of_a_file_the_length_is_announced(path: Path, buffering: int) -> None:
    with path.open("rb", buffering) as file:
        file.seek(4)
        assert announce(file).length == 6
        assert file.read() == b"456789"


def test_of_a_file_in_memory_as_well() -> None:
    assert announce(io.BytesIO(DATA)).length == 10
    assert announce(io.BytesIO()).length == 0


def test_of_others_nothing_is_known() -> None:
    assert announce(Reader()).length is None
    assert announce([b"a"]).length is None
    assert announce(iter([b"a"])).length is None
    assert announce([]).length is None


def test_of_text_nothing_is_known(path: Path) -> None:
    with path.open(encoding="ascii") as file:
        assert announce(file).length is None  # type: ignore[arg-type]  # that is the question


def test_nothing_is_read_to_find_out() -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError("was read")
        yield b""

    class Never:
        def read(self, size: int, /) -> bytes:
            raise AssertionError("was read")

    for body in (never(), Never()):
        announce(body)
        position_of(body)


# Once more


def read_all(body: RequestBody) -> bytes:
    assert not is_in_memory(body)
    return body.read(1000) if is_file(body) else b"".join(map(bytes, body))


@pytest.mark.parametrize("start", [0, 4, 10, 12])
@pytest.mark.parametrize("in_memory", [False, True])
def test_a_file_goes_back_to_where_it_stood(path: Path, start: int, in_memory: bool) -> None:
    with io.BytesIO(DATA) if in_memory else path.open("rb") as file:
        file.seek(start)
        position = position_of(file)
        assert position == start
        for _ in range(3):
            assert read_all(file) == DATA[start:]
            go_back(file, position)


@pytest.mark.parametrize("body", [[b"a", b"b"], (b"a", b"b"), {b"a": 1, b"b": 2}], ids=repr)
def test_what_can_be_iterated_over_again_is(body: list[bytes]) -> None:
    position = position_of(body)
    assert position is not None
    for _ in range(3):
        assert read_all(body) == b"ab"
        go_back(body, position)


@pytest.mark.parametrize("body", [iter([b"a"]), map(bytes, [b"a"]), (piece for piece in [b"a"])])
def test_what_gives_its_content_once_cannot_go_back(body: Iterator[bytes]) -> None:
    assert position_of(body) is None
    # Asking has not cost anything.
    assert read_all(body) == b"a"


def test_files_that_cannot_go_back() -> None:
    assert position_of(Reader()) is None
    reading, writing = os.pipe()
    os.close(writing)
    with open(reading, "rb") as file:
        assert position_of(file) is None


def test_a_compressed_file_can_go_back(path: Path) -> None:
    with gzip.open(path, "wb") as file:
        file.write(DATA)
    with gzip.open(path) as file:
        assert file.read(2) == b"01"
        position = position_of(file)
        assert position == 2
        assert read_all(file) == DATA[2:]
        go_back(file, position)
        assert read_all(file) == DATA[2:]


def test_what_is_no_content_at_all() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        position_of(5)  # type: ignore[arg-type]  # that is the question


def test_a_file_that_was_closed_meanwhile(path: Path) -> None:
    with path.open("rb") as file:
        position = position_of(file)
    assert position == 0
    with pytest.raises(ValueError, match="closed"):
        go_back(file, position)
