"""Bytes that came back, taken apart into responses."""

from __future__ import annotations

import socket

import pytest

from httpio_cli._probe.wire import RequestBytes, Seen, converse, split_responses

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
)
TRAILERS = CHUNKED[:-2] + b"Digest: x\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: keep, Close\r\nContent-Length: 0\r\n\r\n"
NOTHING = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\n\r\nsome"
COMPLETE = [LENGTH, CHUNKED, TRAILERS, CLOSING, NOTHING]


def split(data: bytes, count: int = 9, *, method: str = "GET") -> list[Seen] | None:
    return split_responses(data, [method] * count, ended=True)


@pytest.mark.parametrize("first", COMPLETE)
@pytest.mark.parametrize("second", COMPLETE)
def test_complete(first: bytes, second: bytes) -> None:
    seen = split(first + INTERIM + second)
    assert seen is not None
    assert [answer.complete for answer in seen] == [True, True]
    assert [answer.closes for answer in seen] == [each is CLOSING for each in (first, second)]


@pytest.mark.parametrize("response", COMPLETE)
def test_cut_at_every_byte(response: bytes) -> None:
    for size in range(1, len(response)):
        seen = split(LENGTH + response[:size])
        assert seen is not None
        assert [answer.complete for answer in seen] == [True, False]


def test_content_to_the_end_of_the_connection() -> None:
    assert split(OPEN) == [Seen(200, True, False)]
    assert split_responses(OPEN, ["GET"], ended=False) == [Seen(200, False, False)]


def test_head() -> None:
    head = LENGTH.removesuffix(b"hello")
    assert split(head + head, method="HEAD") == [Seen(200, True, False)] * 2
    assert split(LENGTH, method="HEAD") is None


def test_http_1_0_closes() -> None:
    seen = split(LENGTH.replace(b"1.1", b"1.0"))
    assert seen == [Seen(200, True, True)]


@pytest.mark.parametrize(
    "data", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", LENGTH + b"stray", b"HTTP/2 200\r\n\r\n"]
)
def test_nonsense(data: bytes) -> None:
    assert split(data) is None


@pytest.mark.parametrize("size", [b"-5", b"0x5", b"+5", b"1_0", b"\xb2", b"", b"f" * 5000])
def test_chunk_sizes_that_are_none(size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    seen = split(head + size + b"\r\nhello\r\n0\r\n\r\n")
    assert seen == [Seen(200, False, False)]


@pytest.mark.parametrize("length", [b"-5", b"\xb2", b"9" * 5000, b"5, 6x"])
def test_lengths_that_are_none(length: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"
    assert split(head) is not None


def test_more_than_was_asked_for() -> None:
    assert split(LENGTH * 2, 1) is None


def test_nothing() -> None:
    assert split(b"") == []


def test_request_bytes() -> None:
    tracer = RequestBytes()
    tracer.event("connecting", "")
    tracer.sent(b"CONNECT x:1 HTTP/1.1\r\n\r\n")
    tracer.event("request", "")
    tracer.sent(b"GET / HTTP/1.1\r\n")
    tracer.received(memoryview(b"HTTP"))
    tracer.sent(bytearray(b"\r\n"))
    assert tracer.last == b"GET / HTTP/1.1\r\n\r\n"
    tracer.event("request", "")
    tracer.sent(b"HEAD")
    assert tracer.last == b"HEAD"


class TestConverse:
    def pair(self) -> tuple[socket.socket, socket.socket]:
        ours, its = socket.socketpair()
        ours.setblocking(False)
        return ours, its

    def test_closed(self) -> None:
        ours, its = self.pair()
        with ours, its:
            its.sendall(LENGTH)
            its.shutdown(socket.SHUT_WR)
            heard = converse(ours, b"ask", quiet=5, seconds=5)
            assert (heard.data, heard.ending) == (LENGTH, "closed")

    def test_open(self) -> None:
        ours, its = self.pair()
        with ours, its:
            its.sendall(LENGTH)
            heard = converse(ours, b"ask", quiet=0.05, seconds=5)
            assert (heard.data, heard.ending) == (LENGTH, "open")
            assert its.recv(10) == b"ask"

    def test_more_than_fits(self) -> None:
        ours, its = self.pair()
        with ours, its:
            # Nobody reads it.
            assert converse(ours, bytes(1 << 24), quiet=0.05, seconds=5).ending == "open"

    def test_the_other_end_is_gone(self) -> None:
        ours, its = self.pair()
        with ours:
            its.sendall(LENGTH)
            its.close()
            heard = converse(ours, b"ask", quiet=5, seconds=5)
            assert heard.data == LENGTH
            assert heard.ending == "closed"
