"""Content as a file: the wrappers of the standard library over a response, and over the connection itself."""

from __future__ import annotations

import csv
import gc
import io
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    InvalidResponse,
    StateError,
    UnsupportedResponse,
)
from tests.support.coroutines import no_descriptor_left
from tests.support.dialogue import CHUNKED, OK, TO_THE_CLOSE, Dialogue, sized
from tests.support.dialogue import dialogue as dialogue
from tests.support.dialogue import over_tcp as over_tcp
from tests.support.dialogue import plain as plain
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio._body import BodyReader


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


TEXT = "Zeile eins\r\nline two ✓\n\nlast".encode()

FRAMED = {
    "content-length": sized(TEXT),
    "chunked": CHUNKED
    + b"c\r\n%b\r\n%x\r\n%b\r\n0\r\nA: b\r\n\r\n" % (TEXT[:12], len(TEXT) - 12, TEXT[12:]),
    "to-the-close": TO_THE_CLOSE + TEXT,
}
EMPTY = {
    "content-length": sized(b""),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": CHUNKED + b"0\r\n\r\n",
    "to-the-close": TO_THE_CLOSE,
}


def source_line(function: Callable[[BodyReader], object]) -> str:
    """Return a name for a lambda that is the same in each process."""
    return f"line {function.__code__.co_firstlineno}"


framed = pytest.mark.parametrize("wire", FRAMED.values(), ids=FRAMED)


def begin(dialogue: Dialogue, wire: bytes) -> BodyReader:
    """Have *wire* as the answer, and return its content as a file."""
    dialogue.get(wire)
    if wire.startswith(TO_THE_CLOSE):
        dialogue.end.half_close()
    return dialogue.conn.open_body()


# Reading


@framed
@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.readall(),
        lambda body: body.read(-1),
        lambda body: b"".join(iter(lambda: body.read(5), b"")),
        lambda body: b"".join(body),
        lambda body: b"".join(body.readlines()),
        lambda body: io.BufferedReader(body).read(),
        lambda body: io.BufferedReader(body).read(1000),
        lambda body: b"".join(iter(io.BufferedReader(body, 4).read1, b"")),
        lambda body: b"".join(io.BufferedReader(body)),
        lambda body: io.TextIOWrapper(body, "utf-8", newline="").read().encode(),
        lambda body: io.TextIOWrapper(io.BufferedReader(body), "utf-8", newline="").read().encode(),
        lambda body: "".join(io.TextIOWrapper(body, "utf-8", newline="")).encode(),
    ],
    ids=source_line,
)
def test_content(dialogue: Dialogue, wire: bytes, read: Callable[[BodyReader], bytes]) -> None:
    body = begin(dialogue, wire)
    assert read(body) == TEXT
    assert dialogue.conn.get_current_response() is None
    assert not dialogue.conn.response_pending()
    if not body.closed:
        assert body.read() == body.read(10) == b""
        assert body.readinto(bytearray(10)) == 0


@pytest.mark.parametrize("wire", EMPTY.values(), ids=EMPTY)
def test_empty_content(dialogue: Dialogue, wire: bytes) -> None:
    with begin(dialogue, wire) as body:
        assert body.read() == body.read(1) == body.readline() == b""
        assert body.readinto(bytearray(10)) == 0
    assert not dialogue.conn.response_pending()
    if wire != TO_THE_CLOSE:
        dialogue.prove_usable()


def test_what_kind_of_file_it_is(plain: Dialogue) -> None:
    body = begin(plain, sized(TEXT))
    assert isinstance(body, io.RawIOBase)
    assert body.readable()
    assert not body.writable()
    assert not body.seekable()
    assert not body.closed
    assert body.name == "/"
    attempts: tuple[Callable[[], object], ...] = (body.tell, body.fileno, lambda: body.seek(0))
    for attempt in attempts:
        with pytest.raises(io.UnsupportedOperation):
            attempt()
    assert body.readinto(bytearray()) == 0
    assert body.read() == TEXT
    body.close()
    body.close()
    assert body.closed


def test_csv(dialogue: Dialogue) -> None:
    table = 'name,value\r\n"a\r\nb",1\r\nü,"2,3"\r\n'.encode()
    with io.TextIOWrapper(begin(dialogue, sized(table)), "utf-8", newline="") as text:
        assert list(csv.DictReader(text)) == [
            {"name": "a\r\nb", "value": "1"},
            {"name": "ü", "value": "2,3"},
        ]
    dialogue.prove_usable()


def test_tarfile(dialogue: Dialogue) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for number in range(5):
            info = tarfile.TarInfo(f"file-{number}")
            info.size = 5000 * number
            archive.addfile(info, io.BytesIO(bytes([number]) * info.size))
    with (
        begin(dialogue, sized(made.getvalue())) as body,
        tarfile.open(fileobj=body, mode="r|*") as archive,
    ):
        for number, member in enumerate(archive):
            file = archive.extractfile(member)
            assert file is not None
            assert file.read() == bytes([number]) * (5000 * number)
    dialogue.prove_usable()


def test_copyfileobj(dialogue: Dialogue) -> None:
    copy = io.BytesIO()
    with begin(dialogue, sized(TEXT)) as body:
        shutil.copyfileobj(body, copy)
    assert copy.getvalue() == TEXT


# Closing


@framed
@pytest.mark.parametrize("size", [0, 3, len(TEXT)])
@pytest.mark.parametrize("collected", [False, True])
def test_closing_drops_the_rest(
    dialogue: Dialogue, wire: bytes, size: int, collected: bool
) -> None:
    body = begin(dialogue, wire)
    assert body.read(size) == TEXT[:size]
    if collected:
        del body
        gc.collect()
    else:
        body.close()
        with pytest.raises(ValueError, match="closed"):
            body.readinto(bytearray(1))
        with pytest.raises(ValueError, match="closed"):
            body.readall()
    assert not dialogue.conn.response_pending()
    if not wire.startswith(TO_THE_CLOSE):
        dialogue.prove_usable()
        assert len(dialogue.server.ends) == 1


def test_wrappers_close_what_they_wrap_and_not_the_connection(plain: Dialogue) -> None:
    plain.ask("/a", "/b")
    plain.end.send(sized(TEXT) + sized(b"b"))
    plain.conn.read_response()
    with io.TextIOWrapper(io.BufferedReader(plain.conn.open_body(), 16), "utf-8") as text:
        assert text.readline() == "Zeile eins\n"
    assert plain.conn.read_response().path == "/b"
    assert plain.conn.readall() == b"b"
    plain.prove_usable()
    assert len(plain.server.ends) == 1


def test_closing_waits_for_the_rest_no_longer_than_anything_else(plain: Dialogue) -> None:
    body = begin(plain, OK + b"Content-Length: 5\r\n\r\nhel")
    plain.conn.timeout = 0
    with pytest.raises(ConnectionTimedOut):
        body.close()
    assert body.closed
    plain.conn.timeout = PATIENCE
    plain.end.send(b"lo")
    plain.conn.discard()
    plain.prove_usable()


def test_rest_that_cannot_be_dropped(plain: Dialogue) -> None:
    body = begin(plain, OK + b"Content-Length: 5\r\n\r\nhel")
    plain.end.half_close()
    with pytest.raises(ConnectionClosed):
        body.close()
    assert body.closed
    plain.expect_over(CloseReason.SERVER_CLOSED)


def test_nobody_is_told_when_it_is_collected(plain: Dialogue) -> None:
    # Warnings are errors here, so an exception would not go unnoticed.
    body = begin(plain, OK + b"Content-Length: 5\r\n\r\nhel")
    plain.end.half_close()
    del body
    gc.collect()
    plain.expect_over(CloseReason.SERVER_CLOSED)


# Short


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: [body.read(100) for _ in range(3)],
        lambda body: io.BufferedReader(body).read(),
        lambda body: io.BufferedReader(body).read(1000),
        lambda body: io.TextIOWrapper(body, "utf-8").read(),
        lambda body: list(io.TextIOWrapper(io.BufferedReader(body), "utf-8")),
    ],
    ids=source_line,
)
@pytest.mark.parametrize("wire", [sized(TEXT)[:-1], CHUNKED + b"5\r\nhello\r\n0\r\n"])
def test_end_before_its_time(
    dialogue: Dialogue, wire: bytes, read: Callable[[BodyReader], object]
) -> None:
    body = begin(dialogue, wire)
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed) as caught:
        read(body)
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    # It has been said, and what wraps the file may close it: nothing more is to be raised.
    body.close()
    dialogue.expect_over(CloseReason.SERVER_CLOSED)


def test_what_had_arrived_before_the_end(plain: Dialogue) -> None:
    body = begin(plain, sized(TEXT)[:-1])
    plain.end.half_close()
    with pytest.raises(ConnectionClosed):
        body.read()
    assert body.read(1000) == TEXT[:-1]
    for _ in range(2):
        with pytest.raises(ConnectionClosed):
            body.read(1000)
        with pytest.raises(ConnectionClosed):
            body.read()


def test_nonsense(plain: Dialogue) -> None:
    with begin(plain, CHUNKED + b"5\r\nhello\r\nnonsense") as body:
        assert body.read(100) == b"hello"
        with pytest.raises(InvalidResponse):
            body.read(100)
        with pytest.raises(ConnectionClosed):
            body.read(100)
    plain.expect_over(CloseReason.INVALID_RESPONSE)


def test_content_without_an_end(plain: Dialogue) -> None:
    with begin(plain, OK + b"\r\nhello") as body:
        for _ in range(2):
            with pytest.raises(UnsupportedResponse):
                body.read(100)
    assert plain.conn.read_raw(100) == b"hello"
    plain.conn.reset()
    plain.prove_usable()


# Beside the connection


def test_reading_by_turns(plain: Dialogue) -> None:
    body = begin(plain, sized(b"0123456789"))
    assert body.read(2) == b"01"
    assert plain.conn.read(2) == b"23"
    assert body.read(2) == b"45"
    assert plain.conn.readinto(bytearray(2)) == 2
    assert body.read() == b"89"
    assert plain.conn.read(1) == b""


@pytest.mark.parametrize("how", ["readall", "discard", "reset"])
def test_content_that_went_elsewhere_is_no_short_content(plain: Dialogue, how: str) -> None:
    body = begin(plain, sized(b"hello"))
    assert body.read(2) == b"he"
    getattr(plain.conn, how)()
    for attempt in (body.read, body.readall, lambda: body.read(1), lambda: list(body)):
        with pytest.raises(StateError, match="read or dropped elsewhere"):
            attempt()
    # Nor does it meddle with what comes next.
    plain.get(sized(b"next"))
    with pytest.raises(StateError):
        body.read(1)
    body.close()
    assert plain.conn.readall() == b"next"


@pytest.mark.parametrize("how", ["close", "disconnect"])
@pytest.mark.parametrize("reads", [False, True])
def test_connection_that_is_closed(plain: Dialogue, how: str, reads: bool) -> None:
    body = begin(plain, sized(b"hello"))
    assert body.read(2) == b"he"
    getattr(plain.conn, how)()
    if reads:
        with pytest.raises(ConnectionClosed) as caught:
            body.read()
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    # Nothing is left that could be dropped, so there is nothing to complain of.
    body.close()
    plain.prove_usable()


def test_each_body_ends_with_its_response(plain: Dialogue) -> None:
    plain.ask("/a", "/b")
    plain.answer(sized(b"aaa") + sized(b"bbb"))
    first = plain.conn.open_body()
    assert first.read() == b"aaa"
    assert plain.conn.read_response().path == "/b"
    assert first.read() == b""
    first.close()
    second = plain.conn.open_body()
    assert second.read() == b"bbb"


# The connection itself as a file


def test_text_over_the_connection(dialogue: Dialogue) -> None:
    dialogue.get(sized(TEXT))
    text = io.TextIOWrapper(dialogue.conn, "utf-8")  # type: ignore[type-var]  # enough of a file
    assert text.readline() == "Zeile eins\n"
    assert text.read() == "line two ✓\n\nlast"
    assert text.read() == ""
    text.detach()
    dialogue.prove_usable()
    assert len(dialogue.server.ends) == 1


def test_text_over_the_connection_line_by_line(plain: Dialogue) -> None:
    plain.get(FRAMED["chunked"])
    text = io.TextIOWrapper(plain.conn, "utf-8")  # type: ignore[type-var]  # enough of a file
    assert list(text) == ["Zeile eins\n", "line two ✓\n", "\n", "last"]
    # A wrapper closes what it wraps.
    text.close()
    assert plain.conn.closed
    plain.prove_usable()
    assert not plain.conn.closed


def test_text_over_the_connection_that_is_short(plain: Dialogue) -> None:
    plain.get(sized(TEXT)[:-1])
    plain.end.half_close()
    text = io.TextIOWrapper(plain.conn, "utf-8")  # type: ignore[type-var]  # enough of a file
    with pytest.raises(ConnectionClosed):
        text.read()
    text.detach()


def test_buffer_over_the_connection(dialogue: Dialogue) -> None:
    dialogue.get(sized(TEXT))
    buffered = io.BufferedReader(dialogue.conn)  # type: ignore[type-var]  # enough of a file
    assert buffered.peek(3)[:3] == TEXT[:3]
    assert buffered.readline() == TEXT[:12]
    assert buffered.read() == TEXT[12:]
    buffered.detach()
    dialogue.prove_usable()


def test_what_kind_of_file_the_connection_is(plain: Dialogue) -> None:
    conn = plain.conn
    assert conn.readable()
    assert conn.writable()
    assert not conn.seekable()
    assert not conn.closed
    conn.flush()
    copy = io.BytesIO()
    plain.get(sized(TEXT))
    shutil.copyfileobj(conn, copy)
    assert copy.getvalue() == TEXT
