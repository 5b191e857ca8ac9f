"""The buffer between the socket and the parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio._buffer import ReceiveBuffer
from tests.support.buffers import content_of, forget_scanned, make_buffer, receive

if TYPE_CHECKING:
    from collections.abc import Callable

CAPACITY = 64 * 1024


def test_a_new_buffer_is_empty() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    assert len(buffer) == 0
    assert (buffer.start, buffer.end, buffer.scanned) == (0, 0, 0)
    assert buffer.peek(10) == b""
    assert buffer.take(10) == b""
    assert buffer.take_into(memoryview(bytearray(10))) == 0
    assert len(buffer.writable()) == CAPACITY


def test_bytes_come_out_as_they_went_in() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    receive(buffer, b"hello ")
    receive(buffer, b"world")
    assert len(buffer) == 11
    assert buffer.data[buffer.start : buffer.end] == b"hello world"
    assert buffer.take(5) == b"hello"
    assert buffer.peek(3) == b" wo"
    assert buffer.peek(100) == b" world"
    assert buffer.take(100) == b" world"
    assert len(buffer) == 0


def test_consume_drops_from_the_front() -> None:
    buffer = make_buffer(b"hello")
    buffer.consume(2)
    assert content_of(buffer) == b"llo"
    buffer.consume(0)
    assert content_of(buffer) == b"llo"
    buffer.consume(3)
    assert len(buffer) == 0


@pytest.mark.parametrize(
    ("size", "moved", "rest"),
    [(0, b"", b"hello"), (2, b"he", b"llo"), (5, b"hello", b""), (9, b"hello", b"")],
)
def test_take_into_moves_what_there_is_and_fits(size: int, moved: bytes, rest: bytes) -> None:
    buffer = make_buffer(b"hello", before=7)
    target = bytearray(b"." * size)
    assert buffer.take_into(memoryview(target)) == len(moved)
    assert target == moved + b"." * (size - len(moved))
    assert content_of(buffer) == rest


def test_what_is_taken_is_a_copy() -> None:
    buffer = make_buffer(b"hello")
    taken, peeked = buffer.take(5), buffer.peek(5)
    receive(buffer, b"world")
    assert (taken, peeked) == (b"hello", b"")


def test_dropping_anything_forgets_what_was_searched() -> None:
    drops: list[Callable[[ReceiveBuffer], object]] = [
        lambda buffer: buffer.consume(1),
        lambda buffer: buffer.take(1),
        lambda buffer: buffer.take_into(memoryview(bytearray(1))),
    ]
    for drop in drops:
        buffer = make_buffer(b"hello")
        buffer.scanned = 5
        drop(buffer)
        assert buffer.scanned == 0
        assert content_of(buffer) == b"ello"


def test_peeking_keeps_what_was_searched() -> None:
    buffer = make_buffer(b"hello")
    buffer.scanned = 5
    buffer.peek(3)
    assert buffer.scanned == 5


def test_an_empty_buffer_is_filled_from_its_beginning() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    receive(buffer, b"x" * CAPACITY)
    buffer.consume(CAPACITY)
    assert len(buffer.writable()) == CAPACITY
    assert (buffer.start, buffer.end) == (0, 0)


def test_bytes_stay_where_they_are_while_there_is_room_behind_them() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    receive(buffer, b"x" * 1000)
    buffer.consume(999)
    assert len(buffer.writable()) == CAPACITY - 1000
    assert buffer.start == 999


@pytest.mark.parametrize("size", [1, 100, 40_000])
def test_bytes_move_to_the_front_when_little_room_is_left(size: int) -> None:
    buffer = ReceiveBuffer(CAPACITY)
    content = bytes(index % 251 for index in range(size))
    receive(buffer, b"x" * (CAPACITY - 16 * 1024 + 1 - size))
    receive(buffer, content)
    buffer.consume(len(buffer) - size)
    assert len(buffer.writable()) == CAPACITY - size
    assert buffer.start == 0
    # The two places overlap, where there is much to move.
    assert content_of(buffer) == content


def test_moving_keeps_what_was_searched() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    receive(buffer, b"x" * (CAPACITY - 1))
    buffer.consume(CAPACITY - 3)
    buffer.scanned = 2
    buffer.writable()
    assert (buffer.start, buffer.end, buffer.scanned) == (0, 2, 2)


def test_what_is_at_the_front_already_is_not_moved() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    receive(buffer, b"x" * (CAPACITY - 1))
    assert len(buffer.writable()) == 1
    assert len(buffer) == CAPACITY - 1


def test_a_full_buffer_is_an_error_of_ours() -> None:
    buffer = make_buffer()
    receive(buffer, b"x" * len(buffer.data))
    with pytest.raises(AssertionError, match="limits"):
        buffer.writable()


def test_the_block_never_grows() -> None:
    buffer = ReceiveBuffer(CAPACITY)
    for _ in range(1000):
        receive(buffer, b"x" * 1000)
        buffer.consume(999)
        receive(buffer, b"y" * 10)
        buffer.take(11)
    assert len(buffer.data) == CAPACITY


def test_a_buffer_of_nothing_stands_for_no_connection() -> None:
    assert len(ReceiveBuffer(0).writable()) == 0


def test_the_support_lays_its_traps() -> None:
    buffer = make_buffer(b"hello", before=3)
    assert (buffer.start, content_of(buffer)) == (3 + 1, b"hello")
    assert b"\r\n" in buffer.data[buffer.end : buffer.end + 3]
    buffer.scanned = 5
    forget_scanned(buffer, 1)
    assert content_of(buffer) == b"h\nllo"
