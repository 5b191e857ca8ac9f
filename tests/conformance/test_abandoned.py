"""A coroutine that receives can be abandoned at any yield: no byte is lost, and a new one goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.support.buffers import pieces
from tests.support.dialogue import Dialogue
from tests.support.server_end import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from httpio import HTTPConnection, PollGenerator
    from tests.support.certs import Certificates

    Begin: TypeAlias = Callable[[], PollGenerator[object]]
    Scenario: TypeAlias = Callable[[HTTPConnection], Generator[Begin, object, bytes]]

CONTENT = b"0123456789" * 4

WIRES = {
    "content-length": b"HTTP/1.1 103 Hints\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + CONTENT,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"a;x=y\r\n0123456789\r\n1\r\n0\r\n1d\r\n" + CONTENT[11:] + b"\r\n0\r\nA: b\r\n\r\n",
    "to-the-close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONTENT,
}


# The ways to read content. Each yields functions that begin a coroutine, is sent what comes of that, and returns the
# content.


def with_readall(conn: HTTPConnection) -> Generator[Begin, object, bytes]:
    content = yield conn.co_readall
    assert isinstance(content, bytes)
    return content


def with_read(conn: HTTPConnection) -> Generator[Begin, object, bytes]:
    content = b""
    while True:
        data = yield lambda: conn.co_read(7)
        assert isinstance(data, bytes)
        if not data:
            return content
        content += data


def with_readinto(conn: HTTPConnection) -> Generator[Begin, object, bytes]:
    content = b""
    buffer = bytearray(9)
    while True:
        size = yield lambda: conn.co_readinto(buffer)
        assert isinstance(size, int)
        if not size:
            return content
        content += buffer[:size]


def with_discard(conn: HTTPConnection) -> Generator[Begin, object, bytes]:
    content = yield lambda: conn.co_read(3)
    assert isinstance(content, bytes)
    assert CONTENT.startswith(content)
    yield conn.co_discard
    return CONTENT


SCENARIOS: dict[str, Scenario] = {
    "readall": with_readall,
    "read": with_read,
    "readinto": with_readinto,
    "discard": with_discard,
}


class Abandoner:
    """Runs coroutines, abandons the one that comes to the yield of a given number, and begins again."""

    def __init__(self, dialogue: Dialogue, wire: list[bytes], number: int, *, close: bool) -> None:
        self._dialogue = dialogue
        self._wire = wire
        self._number = number
        self._close = close
        self.yields = 0

    def run(self, begin: Begin) -> object:
        coroutine = begin()
        while True:
            try:
                needed = next(coroutine)
            except StopIteration as end:
                return end.value
            if self.yields == self._number:
                if self._close:
                    coroutine.close()
                coroutine = begin()
            self.yields += 1
            if needed.poll(0):
                continue
            if self._wire:
                self._dialogue.end.send(self._wire.pop(0))
            else:
                self._dialogue.end.half_close()

    def content(self, scenario: Scenario) -> bytes:
        """Receive a response; return its content."""
        conn = self._dialogue.conn
        assert self.run(conn.co_read_response) is conn.get_current_response()
        reading = scenario(conn)
        begin = next(reading)
        try:
            while True:
                begin = reading.send(self.run(begin))
        except StopIteration as end:
            content: bytes = end.value
            return content


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("size", [1, 9])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_at_any_yield(
    certificates: Certificates, tls: bool, size: int, wire: bytes, scenario: Scenario
) -> None:
    with Server(certificates if tls else None) as server:
        dialogue = Dialogue(server)
        number = 0
        while True:
            dialogue.ask()
            unsent = [*pieces(wire, size)]
            abandoner = Abandoner(dialogue, unsent, number, close=number % 2 == 0)
            assert abandoner.content(scenario) == CONTENT
            assert not dialogue.conn.response_pending()
            assert not unsent
            # An answer that ends with the connection took it with it.
            if b"close" in wire:
                dialogue.conn.reset()
            if abandoner.yields <= number:
                break
            number += 1
        assert number >= len(wire) // size, "it should wait for each piece"
        dialogue.conn.reset()
        dialogue.prove_usable()
