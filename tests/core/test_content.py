"""Content of responses: whole in every framing and in every way of reading, or an exception."""

from __future__ import annotations

import random
import socket
import sys
import threading
from array import array
from typing import TYPE_CHECKING, Protocol

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPConnection,
    InvalidResponse,
    LocalProtocolError,
    StateError,
    UnsupportedResponse,
    _content,
    is_temp_network_error,
)
from tests.support.buffers import pieces
from tests.support.coroutines import no_descriptor_left
from tests.support.dialogue import CHUNKED, OK, TO_THE_CLOSE, Dialogue, sized
from tests.support.dialogue import dialogue as dialogue
from tests.support.dialogue import over_tcp as over_tcp
from tests.support.dialogue import over_tls as over_tls
from tests.support.dialogue import plain as plain
from tests.support.fix_certs import certificates as certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import PollGenerator


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


def some_bytes(size: int) -> bytes:
    """Return bytes among which are what framing is made of."""
    return b"".join(b"%x\r\n\0" % number for number in range(size // 4 + 1))[:size]


# The framings, each a function from content to what follows the request. `None` is the end of the server's data.


def content_length(content: bytes) -> list[bytes | None]:
    return [sized(content)]


def chunks_of(size: int) -> Callable[[bytes], list[bytes | None]]:
    def chunked(content: bytes) -> list[bytes | None]:
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(content, size)]
        return [CHUNKED + b"".join(chunks) + b"0\r\n\r\n"]

    return chunked


def chunks_with_everything(content: bytes) -> list[bytes | None]:
    chunks = [
        b'%08X;a=b;c="d;e" \r\n%b\r\n' % (len(piece), piece) for piece in pieces(content, 3000)
    ]
    return [CHUNKED + b"".join(chunks) + b"000;last\r\nA: 1\r\nB: 2\r\n\r\n"]


def to_the_close(content: bytes) -> list[bytes | None]:
    return [TO_THE_CLOSE + content, None]


def http_1_0(content: bytes) -> list[bytes | None]:
    return [b"HTTP/1.0 200 OK\r\n\r\n" + content, None]


FRAMINGS = {
    "content-length": content_length,
    "chunk": chunks_of(sys.maxsize),
    "chunks": chunks_of(17),
    "chunks-with-everything": chunks_with_everything,
    "to-the-close": to_the_close,
    "http-1.0": http_1_0,
}


def in_pieces(wire: list[bytes | None], size: int) -> list[bytes | None]:
    return [piece for part in wire for piece in ([None] if part is None else pieces(part, size))]


# The ways of reading, each a coroutine for all of the content that is left.


class CoReading(Protocol):
    def __call__(self, conn: HTTPConnection) -> PollGenerator[bytes]: ...


def co_readall(conn: HTTPConnection) -> PollGenerator[bytes]:
    return (yield from conn.co_readall())


def co_read_none(conn: HTTPConnection) -> PollGenerator[bytes]:
    return (yield from conn.co_read())


def co_read_in(size: int) -> CoReading:
    def co_read(conn: HTTPConnection) -> PollGenerator[bytes]:
        content = b""
        while data := (yield from conn.co_read(size)):
            assert len(data) <= size
            content += data
        return content

    return co_read


def co_readinto_in(size: int) -> CoReading:
    def co_readinto(conn: HTTPConnection) -> PollGenerator[bytes]:
        content = b""
        buffer = bytearray(size)
        while count := (yield from conn.co_readinto(buffer)):
            content += buffer[:count]
        return content

    return co_readinto


def co_read_by_turns(conn: HTTPConnection) -> PollGenerator[bytes]:
    content = yield from conn.co_read(1)
    buffer = bytearray(5000)
    content += buffer[: (yield from conn.co_readinto(buffer))]
    content += yield from conn.co_read(3)
    return content + (yield from conn.co_readall())


READINGS = {
    "readall": co_readall,
    "read-none": co_read_none,
    "read-1": co_read_in(1),
    "read-100": co_read_in(100),
    "read-1000000": co_read_in(1_000_000),
    "readinto-1": co_readinto_in(1),
    "readinto-100": co_readinto_in(100),
    "readinto-1000000": co_readinto_in(1_000_000),
    "by-turns": co_read_by_turns,
}

framings = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
readings = pytest.mark.parametrize("co_reading", READINGS.values(), ids=READINGS)


def co_response(conn: HTTPConnection, co_reading: CoReading) -> PollGenerator[bytes]:
    yield from conn.co_read_response()
    return (yield from co_reading(conn))


# Whole


@framings
@readings
def test_content(
    dialogue: Dialogue, framing: Callable[[bytes], list[bytes | None]], co_reading: CoReading
) -> None:
    # Around the size from which content is received past the buffer, and beyond that of the buffer.
    for size, piece_size in ((1, 1), (50, 1), (4095, 1000), (4097, 999), (120_000, 50_000)):
        if size > 100_000 and co_reading in (READINGS["read-1"], READINGS["readinto-1"]):
            continue
        content = some_bytes(size)
        wire = in_pieces(framing(content), piece_size)
        dialogue.ask()
        assert dialogue.feed(co_response(dialogue.conn, co_reading), wire) == content
        assert not dialogue.conn.response_pending()
        assert dialogue.conn.get_current_response() is None
        assert dialogue.conn.readall() == dialogue.conn.read(1) == b""
        if wire[-1] is None:
            dialogue.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [])
        else:
            assert len(dialogue.server.ends) == 1
    dialogue.prove_usable()


@framings
@readings
def test_empty_content(
    plain: Dialogue, framing: Callable[[bytes], list[bytes | None]], co_reading: CoReading
) -> None:
    plain.ask()
    plain.feed(co_response(plain.conn, co_reading), framing(b""))
    assert not plain.conn.response_pending()


@framings
@pytest.mark.parametrize("piece_size", [1, 7, 60_000])
def test_discard(
    dialogue: Dialogue, framing: Callable[[bytes], list[bytes | None]], piece_size: int
) -> None:
    def co_discard(conn: HTTPConnection) -> PollGenerator[bytes]:
        yield from conn.co_discard()
        return b""

    wire = in_pieces(framing(some_bytes(200 if piece_size < 10 else 100_000)), piece_size)
    dialogue.ask()
    dialogue.feed(co_response(dialogue.conn, co_discard), wire)
    assert not dialogue.conn.response_pending()
    if wire[-1] is not None:
        dialogue.prove_usable()


@readings
@pytest.mark.parametrize("framing", [content_length, chunks_of(5000), chunks_with_everything])
def test_what_follows_the_content_is_left_for_the_next(
    plain: Dialogue, framing: Callable[[bytes], list[bytes | None]], co_reading: CoReading
) -> None:
    contents = [some_bytes(size) for size in (1, 5000, 20_000, 4096, 12)]
    plain.ask(*["/"] * len(contents))
    plain.end.send(b"".join(filter(None, [framing(content)[0] for content in contents])))
    for content in contents:
        plain.conn.read_response()
        assert plain.run(co_reading(plain.conn)) == content
    plain.prove_usable()


@pytest.mark.parametrize("wire", [sized(b"hello"), CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"])
@pytest.mark.parametrize("into", [False, True])
def test_response_is_complete_with_its_last_byte(
    dialogue: Dialogue, wire: bytes, into: bool
) -> None:
    conn = dialogue.conn
    response = dialogue.get(wire)
    assert conn.read(4) == b"hell"
    assert conn.get_current_response() is response
    buffer = bytearray(10)
    assert conn.readinto(buffer) == 1 if into else conn.read(10) == b"o"
    assert conn.get_current_response() is None
    assert not conn.response_pending()


def test_trailers(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    response = dialogue.get(
        OK + b"Transfer-Encoding: chunked\r\nA: head\r\n\r\n"
        b"5\r\nhello\r\n0\r\nA: \xe4\r\nDigest: x\r\n folded\r\nA: 2\r\n\r\n"
    )
    assert conn.read(3) == b"hel"
    assert not response.trailers
    assert conn.readall() == b"lo"
    assert response.trailers.items() == [("A", "ä"), ("Digest", "x folded"), ("A", "2")]
    assert response.headers.get_all("A") == ["head"]
    dialogue.prove_usable()


def test_content_length_is_told_and_others_are_not(plain: Dialogue) -> None:
    assert plain.get(sized(b"hello")).length == 5
    plain.conn.discard()
    assert plain.get(CHUNKED + b"0\r\n\r\n").length is None
    plain.conn.discard()
    assert plain.get(TO_THE_CLOSE).length is None


@pytest.mark.parametrize(
    "coding",
    [b"chunked", b"CHUNKED", b" ,chunked,", b"\r\n chunked", b"\tchunked \t"],
)
def test_chunked_in_every_spelling(plain: Dialogue, coding: bytes) -> None:
    plain.get(OK + b"tRANSFER-eNCODING:" + coding + b"\r\n\r\n1\r\nx\r\n0\r\n\r\n")
    assert plain.conn.readall() == b"x"
    plain.prove_usable()


# Arguments


def test_sizes(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.get(sized(b"hello, world"))
    assert conn.read(0) == b""
    assert conn.readinto(bytearray()) == 0
    with pytest.raises(LocalProtocolError, match="cannot read -1 bytes"):
        conn.read(-1)
    assert conn.read(1) == b"h"
    assert conn.read(10**30) == b"ello, world"
    assert conn.read(10**30) == b""


@pytest.mark.parametrize("size", [10**9, sys.maxsize, sys.maxsize + 1, 10**30])
@framings
def test_more_than_fits_into_memory(
    plain: Dialogue, framing: Callable[[bytes], list[bytes | None]], size: int
) -> None:
    content = some_bytes(10_000)
    plain.ask()
    # In two pieces, so that the buffer is empty when the second is received.
    wire = framing(content)
    first = wire.pop(0)
    assert first is not None
    assert (
        plain.feed(co_response(plain.conn, co_read_in(size)), [first[:300], first[300:], *wire])
        == content
    )


def test_memory_to_read_into(plain: Dialogue) -> None:
    conn = plain.conn
    plain.get(sized(b"0123456789" * 3))
    numbers = array("I", [0, 0])
    assert conn.readinto(numbers) == 8
    assert numbers.tobytes() == b"01234567"
    view = memoryview(bytearray(10))
    assert conn.readinto(view[2:4]) == 2
    assert view.tobytes() == b"\0\00089\0\0\0\0\0\0"
    with pytest.raises(TypeError, match="memory that can be written to"):
        conn.readinto(b"read-only")
    with pytest.raises(TypeError):
        conn.readinto("text")  # type: ignore[arg-type]  # that is the point
    assert conn.readall() == b"0123456789" * 2


def test_nothing_to_read(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    for _ in range(2):
        assert conn.read(10) == conn.read() == conn.readall() == b""
        assert conn.readinto(bytearray(10)) == 0
        conn.discard()
        dialogue.prove_usable()
    dialogue.ask()
    # The head was not read yet.
    assert conn.read(10) == b""
    assert dialogue.answer(sized(b"x")).status == 200
    assert conn.readall() == b"x"


# Short


SHORT = {
    "content-length": sized(b"x" * 20)[:-1],
    "large": OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 20_000,
    "chunk-size": CHUNKED + b"2\r\nxx\r\n1",
    "chunk-line": CHUNKED + b"2\r\nxx\r\n1\r",
    "chunk-data": CHUNKED + b"2\r\nx",
    "large-chunk": CHUNKED + b"fffff\r\n" + b"x" * 20_000,
    "after-chunk-data": CHUNKED + b"2\r\nxx",
    "after-chunk": CHUNKED + b"2\r\nxx\r\n",
    "last-chunk": CHUNKED + b"2\r\nxx\r\n0",
    "trailers": CHUNKED + b"2\r\nxx\r\n0\r\n",
    "trailer": CHUNKED + b"2\r\nxx\r\n0\r\nA: b\r\n",
    "end": CHUNKED + b"2\r\nxx\r\n0\r\n\r",
}

short = pytest.mark.parametrize("wire", SHORT.values(), ids=SHORT)
ways = pytest.mark.parametrize(
    "way",
    [
        lambda conn: conn.readall(),
        lambda conn: conn.discard(),
        lambda conn: conn.read(100_000) and conn.read(100_000) and conn.read(100_000),
        lambda conn: [conn.readinto(bytearray(100_000)) for _ in range(3)],
    ],
    ids=["readall", "discard", "read", "readinto"],
)


@short
@ways
def test_end_before_its_time(
    dialogue: Dialogue, wire: bytes, way: Callable[[HTTPConnection], object]
) -> None:
    conn = dialogue.conn
    dialogue.ask("/", "/next")
    response = dialogue.answer(wire)
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed, match="in the middle of <HTTPResponse 200 'OK'") as caught:
        way(conn)
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    assert caught.value.unanswered == (("GET", "/"), ("GET", "/next"))
    assert is_temp_network_error(caught.value)
    assert conn.response_pending()
    assert conn.get_current_response() is response
    assert not response.trailers
    expect_no_more(conn)
    dialogue.expect_over(CloseReason.SERVER_CLOSED, ["/", "/next"])


@short
@ways
def test_reset_before_the_end(
    over_tcp: Dialogue, wire: bytes, way: Callable[[HTTPConnection], object]
) -> None:
    over_tcp.get(wire)
    over_tcp.end.reset()
    with pytest.raises(ConnectionClosed) as caught:
        way(over_tcp.conn)
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    expect_no_more(over_tcp.conn)
    over_tcp.expect_over(CloseReason.CONNECTION_LOST)


@ways
def test_reset_instead_of_the_close_that_ends_the_content(
    over_tcp: Dialogue, way: Callable[[HTTPConnection], object]
) -> None:
    over_tcp.get(TO_THE_CLOSE + b"x" * 20)
    over_tcp.end.reset()
    with pytest.raises(ConnectionClosed) as caught:
        way(over_tcp.conn)
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    expect_no_more(over_tcp.conn)
    over_tcp.expect_over(CloseReason.CONNECTION_LOST)


@pytest.mark.parametrize("wire", [*SHORT.values(), TO_THE_CLOSE + b"x" * 20, TO_THE_CLOSE])
@ways
def test_end_without_close_notify(
    over_tls: Dialogue, wire: bytes, way: Callable[[HTTPConnection], object]
) -> None:
    over_tls.get(wire)
    over_tls.end.close()
    with pytest.raises(ConnectionClosed, match="close_notify") as caught:
        way(over_tls.conn)
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    expect_no_more(over_tls.conn)
    over_tls.expect_over(CloseReason.CONNECTION_LOST)


def expect_no_more(conn: HTTPConnection) -> None:
    """Check that what is not complete stays so, but for what a failed `readall` has gathered."""
    while True:
        try:
            assert conn.read(3)
        except ConnectionClosed:
            break
    for attempt in (
        lambda: conn.read(1),
        conn.readall,
        lambda: conn.readinto(bytearray(1)),
        conn.discard,
    ):
        with pytest.raises(ConnectionClosed):
            attempt()


def test_short_answer_to_a_request_that_asks_for_close(dialogue: Dialogue) -> None:
    dialogue.get(sized(b"hello")[:-1], headers={"Connection": "close"})
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed):
        dialogue.conn.readall()
    dialogue.expect_over(CloseReason.SERVER_CLOSED)


# What was gathered


def failing_end(dialogue: Dialogue, how: str) -> type[Exception]:
    if how == "nonsense":
        dialogue.end.send(b"no size\r\n")
        return InvalidResponse
    if how == "close":
        dialogue.end.half_close()
    else:
        dialogue.end.reset()
    return ConnectionClosed


@pytest.mark.parametrize("how", ["nonsense", "close", "reset"])
@pytest.mark.parametrize("again", [False, True])
def test_what_a_failed_readall_has_gathered(over_tcp: Dialogue, how: str, again: bool) -> None:
    conn = over_tcp.conn
    over_tcp.get(CHUNKED + b"3\r\nabc\r\n")
    with pytest.raises(AssertionError, match="waits for more"):
        over_tcp.feed(conn.co_readall(), [b"4\r\ndefg\r\n"])
    exception = failing_end(over_tcp, how)
    with pytest.raises(exception):
        conn.readall()
    if again:
        with pytest.raises(ConnectionClosed):
            conn.readall()
    assert conn.get_current_response() is not None
    assert conn.read(2) == b"ab"
    buffer = bytearray(3)
    size = conn.readinto(buffer)
    content = buffer[:size]
    while len(content) < 5:
        content += conn.read(100)
    assert content == b"cdefg"
    expect_no_more(conn)
    conn.reset()
    over_tcp.prove_usable()


@pytest.mark.parametrize("way", ["close", "reset", "disconnect"])
def test_what_was_gathered_is_lost_with_the_connection(plain: Dialogue, way: str) -> None:
    conn = plain.conn
    plain.get(OK + b"Content-Length: 10\r\n\r\nabc")
    reading = conn.co_readall()
    next(reading)
    getattr(conn, way)()
    if way == "reset":
        assert conn.read(1) == b""
    else:
        with pytest.raises(ConnectionClosed) as caught:
            conn.read(1)
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    with pytest.raises(ConnectionClosed):
        next(reading)
    plain.prove_usable()


def test_discard_drops_what_was_gathered(plain: Dialogue) -> None:
    conn = plain.conn
    plain.get(OK + b"Content-Length: 10\r\n\r\nabc")
    reading = conn.co_readall()
    next(reading)
    reading.close()
    plain.end.send(b"defghij")
    conn.discard()
    assert conn.read(1) == b""
    plain.prove_usable()


def in_many_pieces(content: bytes) -> list[bytes]:
    """Return so many pieces that they are not kept one by one."""
    size = len(content) // (3 * _content._PIECES_PER_TURN)
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("then", ["readall", "read", "readinto", "discard"])
def test_much_that_was_gathered(plain: Dialogue, then: str) -> None:
    content = random.Random(1).randbytes(3 * _content._PIECE_SIZE)
    *pieces, last = in_many_pieces(content)
    conn = plain.conn
    plain.get(OK + b"Content-Length: %d\r\n\r\n" % len(content))
    with pytest.raises(AssertionError, match="waits for more"):
        plain.feed(conn.co_readall(), pieces)
    if then == "readall":
        assert plain.feed(conn.co_readall(), [last]) == content
    elif then == "discard":
        plain.feed(conn.co_discard(), [last])
    else:
        plain.end.send(last)
        found = b""
        # Not at once: the boundaries of what is kept are to be crossed.
        buffer = bytearray(100_000)
        while piece := conn.read(100_000) if then == "read" else buffer[: conn.readinto(buffer)]:
            found += piece
        assert found == content
    assert conn.readall() == b""
    plain.prove_usable()


def test_much_that_a_failed_readall_has_gathered(over_tcp: Dialogue) -> None:
    content = random.Random(2).randbytes(300_000)
    conn = over_tcp.conn
    over_tcp.get(OK + b"Content-Length: %d\r\n\r\n" % (len(content) + 1))
    with pytest.raises(AssertionError, match="waits for more"):
        over_tcp.feed(conn.co_readall(), in_many_pieces(content))
    over_tcp.end.half_close()
    for _ in range(2):
        with pytest.raises(ConnectionClosed):
            conn.readall()
    found = b""
    while len(found) < len(content):
        found += conn.read(100_000)
    assert found == content
    expect_no_more(conn)


# Dropped coroutines


@framings
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("discards", [False, True])
def test_dropped_at_any_yield(
    dialogue: Dialogue,
    framing: Callable[[bytes], list[bytes | None]],
    seed: int,
    discards: bool,
) -> None:
    generator = random.Random(seed)
    conn = dialogue.conn
    expected = some_bytes(300)
    wire = in_pieces(framing(expected), 5)
    wire.reverse()
    dialogue.ask()
    content = b""
    buffer = bytearray(20)

    def begin() -> PollGenerator[object]:
        if conn.get_current_response() is None:
            return conn.co_read_response()
        # A discard that is dropped has dropped what came before.
        if discards and len(wire) < 10:
            return conn.co_discard()
        ways: list[Callable[[], PollGenerator[object]]] = [
            lambda: conn.co_read(generator.randint(1, 20)),
            lambda: conn.co_readinto(buffer),
            conn.co_readall,
        ]
        return generator.choice(ways)()

    reading = begin()
    while conn.response_pending():
        try:
            needed = next(reading)
        except StopIteration as end:
            if isinstance(end.value, bytes):
                content += end.value
            elif isinstance(end.value, int):
                content += buffer[: end.value]
            if conn.response_pending():
                reading = begin()
            continue
        if not needed.poll(0):
            piece = wire.pop()
            if piece is None:
                dialogue.end.half_close()
            else:
                dialogue.end.send(piece)
        if generator.random() < 0.6:
            reading.close()
            reading = begin()
    reading.close()
    assert not wire
    if discards:
        assert expected.startswith(content)
    else:
        assert content == expected


@framings
@pytest.mark.parametrize(
    "begin",
    [
        HTTPConnection.co_readall,
        HTTPConnection.co_discard,
        lambda conn: conn.co_read(1000),
        lambda conn: conn.co_readinto(bytearray(1000)),
    ],
    ids=["readall", "discard", "read", "readinto"],
)
@pytest.mark.parametrize("finish", [co_readall, co_read_in(1)], ids=["readall", "read"])
def test_coroutine_that_is_late(
    plain: Dialogue,
    framing: Callable[[bytes], list[bytes | None]],
    begin: Callable[[HTTPConnection], PollGenerator[object]],
    finish: CoReading,
) -> None:
    """It waited for content that has been read by another one since; what comes next is not its own."""
    conn = plain.conn
    plain.ask("/a", "/b")
    wire = framing(b"hello")
    first = wire[0]
    assert first is not None
    head_size = first.index(b"\r\n\r\n") + 4
    plain.answer(first[:head_size])
    late = begin(conn)
    next(late)
    plain.end.send(first[head_size:] + (b"" if None in wire else sized(b"next")))
    if None in wire:
        plain.end.half_close()
    assert plain.run(finish(conn)) == b"hello"
    if None not in wire:
        assert conn.read_response().path == "/b"
    with pytest.raises(StateError, match="has read the content"):
        next(late)
    if None not in wire:
        assert conn.readall() == b"next"
        plain.prove_usable()


# Without an end that can be told


UNDELIMITED = {
    "nothing": OK + b"\r\n",
    "other-coding": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "not-chunked": OK + b"Transfer-Encoding: xchunked\r\nConnection: close\r\n\r\n",
    "not-chunked-at-last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    "coded-and-chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
}
undelimited = pytest.mark.parametrize("wire", UNDELIMITED.values(), ids=UNDELIMITED)


@undelimited
@pytest.mark.parametrize("arrived", [b"", b"x", b"5\r\nhello\r\n0\r\n\r\n"])
def test_content_without_an_end(dialogue: Dialogue, wire: bytes, arrived: bytes) -> None:
    conn = dialogue.conn
    response = dialogue.get(wire + arrived)
    assert response.length is None
    # The server keeps quiet: this must not wait for it.
    for attempt in (
        lambda: conn.read(1),
        conn.read,
        conn.readall,
        conn.discard,
        lambda: conn.readinto(bytearray(1)),
    ):
        with pytest.raises(UnsupportedResponse, match="reset"):
            attempt()
    assert conn.get_current_response() is response
    with pytest.raises(StateError, match="has not been read"):
        conn.read_response()
    with pytest.raises(ConnectionClosed) as caught:
        conn.send_request("GET", "/")
    assert not is_temp_network_error(caught.value)
    conn.reset()
    dialogue.prove_usable()


@undelimited
def test_end_of_content_without_an_end(plain: Dialogue, wire: bytes) -> None:
    plain.get(wire + b"hello")
    plain.end.half_close()
    with pytest.raises(UnsupportedResponse):
        plain.conn.readall()


def test_chunked_twice(plain: Dialogue) -> None:
    plain.ask()
    plain.end.send(OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")
    plain.expect_refused(plain.conn.read_response, "twice")


# Nonsense


NONSENSE = {
    "prefix": b"0x5\r\nhello",
    "plus": b"+5\r\nhello",
    "minus": b"-1\r\nhello",
    "underscore": b"0_5\r\nhello",
    "empty": b"\r\nhello",
    "blank-first": b" 5\r\nhello",
    "17-digits": b"0" * 16 + b"5\r\nhello",
    "bare-lf": b"5\nhello",
    "lf-in-extension": b"5;a\nb\r\nhello",
    "cr-in-extension": b"5;a\rb\r\nhello",
    "nul-in-extension": b"5;\0\r\nhello",
    "long-extension": b"5;" + b"x" * 5000 + b"\r\nhello",
    "endless-extension": b"5;" + b"x" * 5000,
    "no-hex": b"g",
    "more-data": b"5\r\nhello!\r\n",
    "lf-after-data": b"5\r\nhello\n0\r\n\r\n",
    "text-after-data": b"5\r\nhello__1\r\na\r\n0\r\n\r\n",
    "trailer-without-colon": b"5\r\nhello\r\n0\r\nnothing\r\n\r\n",
    "trailer-with-blank": b"5\r\nhello\r\n0\r\n A: b\r\n\r\n",
    "trailer-with-lf": b"5\r\nhello\r\n0\r\nA: b\n",
    "trailer-with-nul": b"5\r\nhello\r\n0\r\nA: \0",
    "trailers-too-long": b"0\r\n" + b"A: b\r\n" * 20_000,
    "trailer-too-long": b"0\r\nA: " + b"b" * 100_000,
    "too-many-trailers": b"0\r\n" + b"A:\r\n" * 1001 + b"\r\n",
}


@pytest.mark.parametrize("wire", NONSENSE.values(), ids=NONSENSE)
@ways
def test_nonsense(plain: Dialogue, wire: bytes, way: Callable[[HTTPConnection], object]) -> None:
    for readable in (b"", b"3\r\nabc\r\n"):
        plain.get(CHUNKED + readable + wire)
        plain.expect_refused(lambda: way(plain.conn))


@pytest.mark.parametrize("into", [False, True])
def test_what_was_right_is_handed_out_before_nonsense(dialogue: Dialogue, into: bool) -> None:
    conn = dialogue.conn
    dialogue.get(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\nnonsense")
    buffer = bytearray(100)
    if into:
        assert conn.readinto(buffer) == 5
        assert buffer.startswith(b"abcde\0")
    else:
        assert conn.read(100) == b"abcde"
    dialogue.expect_refused(lambda: conn.read(100), "chunk")


@pytest.mark.parametrize("digits", [b"f" * 16, b"7" + b"f" * 15, b"ffffffff"])
@ways
def test_huge_chunk(
    dialogue: Dialogue, digits: bytes, way: Callable[[HTTPConnection], object]
) -> None:
    dialogue.get(CHUNKED + digits + b"\r\n" + b"x" * 5000)
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed):
        way(dialogue.conn)


@ways
def test_huge_content_length(dialogue: Dialogue, way: Callable[[HTTPConnection], object]) -> None:
    response = dialogue.get(OK + b"Content-Length: " + b"9" * 18 + b"\r\n\r\nx")
    assert response.length == 10**18 - 1
    dialogue.end.half_close()
    with pytest.raises(ConnectionClosed):
        way(dialogue.conn)


# Raw


def test_raw_after_an_invalid_response(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.ask()
    dialogue.end.send(b"nonsense")
    with pytest.raises(InvalidResponse):
        conn.read_response()
    assert conn.read_raw(3) == b"non"
    assert conn.read_raw(100) == b"sense"
    assert conn.read_raw(100) == b""
    dialogue.expect_over(CloseReason.INVALID_RESPONSE)


def test_raw_after_an_unsupported_response(dialogue: Dialogue) -> None:
    conn = dialogue.conn
    dialogue.get(OK + b"\r\nhel")
    with pytest.raises(UnsupportedResponse):
        conn.readall()
    assert conn.read_raw(0) == b""
    assert conn.read_raw(100) == b"hel"
    assert dialogue.feed(conn.co_read_raw(1), [b"lo"]) == b"l"
    assert conn.read_raw(10**30) == b"o"
    dialogue.end.half_close()
    for _ in range(2):
        assert conn.read_raw(100) == b""
    dialogue.expect_over(CloseReason.INVALID_RESPONSE, closed=False)


@pytest.mark.parametrize("buffered", [False, True])
def test_raw_is_the_end_of_responses(dialogue: Dialogue, buffered: bool) -> None:
    conn = dialogue.conn
    dialogue.ask("/a", "/b")
    if buffered:
        dialogue.answer(sized(b"hello"))
        assert conn.read_raw(2) == b"he"
    else:
        dialogue.end.send(sized(b"hello"))
        assert conn.read_raw(4) == b"HTTP"
    # What is left would be taken for something that it is not.
    if buffered:
        for attempt in (lambda: conn.read(1), conn.readall, conn.discard):
            with pytest.raises(ConnectionClosed):
                attempt()
    dialogue.expect_over(CloseReason.READ_RAW, ["/a", "/b"], closed=False)


def test_raw_where_nothing_is(plain: Dialogue) -> None:
    conn = plain.conn
    assert conn.read_raw(10) == b""
    plain.prove_usable()
    conn.close()
    assert conn.read_raw(10) == b""
    plain.prove_usable()
    with pytest.raises(LocalProtocolError, match="cannot read -1 bytes"):
        conn.read_raw(-1)
    plain.prove_usable()


def test_raw_from_a_connection_that_breaks(over_tcp: Dialogue) -> None:
    over_tcp.get(OK + b"\r\n")
    over_tcp.end.reset()
    assert over_tcp.conn.read_raw(10) == b""
    with pytest.raises(ConnectionClosed) as caught:
        over_tcp.conn.read(10)
    assert caught.value.unanswered == (("GET", "/"),)
    over_tcp.conn.reset()
    over_tcp.prove_usable()


# Closed here


@ways
@pytest.mark.parametrize("wire", [TO_THE_CLOSE + b"x", sized(b"hello")[:-1], CHUNKED + b"5\r\nh"])
def test_close_in_another_thread(
    dialogue: Dialogue, wire: bytes, way: Callable[[HTTPConnection], object]
) -> None:
    dialogue.get(wire)
    closer = threading.Timer(0, dialogue.conn.close)
    closer.start()
    with pytest.raises(ConnectionClosed) as caught:
        way(dialogue.conn)
    closer.join()
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert caught.value.unanswered == (("GET", "/"),)
    dialogue.prove_usable()


@pytest.mark.parametrize(
    "begin",
    [
        HTTPConnection.co_readall,
        HTTPConnection.co_discard,
        lambda conn: conn.co_read(10),
        lambda conn: conn.co_readinto(bytearray(10)),
    ],
    ids=["readall", "discard", "read", "readinto"],
)
def test_close_that_is_half_done_is_no_end_of_the_content(
    plain: Dialogue, begin: Callable[[HTTPConnection], PollGenerator[object]]
) -> None:
    conn = plain.conn
    plain.get(TO_THE_CLOSE)
    reading = begin(conn)
    next(reading)
    # What close() in another thread has done when it wakes the reader up.
    conn._state.close_because(CloseReason.CLOSED_LOCALLY)
    conn._state.close_reason = CloseReason.CLOSED_LOCALLY
    conn._transport.closed = True
    conn._transport.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ConnectionClosed) as caught:
        next(reading)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    conn._transport.closed = False
    conn.close()


@pytest.mark.parametrize("way", ["close", "disconnect"])
def test_closed_in_the_middle(dialogue: Dialogue, way: str) -> None:
    conn = dialogue.conn
    dialogue.get(sized(b"hello"))
    assert conn.read(2) == b"he"
    getattr(conn, way)()
    for attempt in (
        lambda: conn.read(1),
        conn.readall,
        conn.discard,
        lambda: conn.readinto(bytearray(1)),
    ):
        with pytest.raises(ConnectionClosed) as caught:
            attempt()
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    dialogue.end.expect_closed()
    dialogue.prove_usable()
