"""Content as it is framed: taken whole, byte by byte, with more behind it, and in small portions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from httpio._decoders import (
    MAX_CHUNK_LINE_SIZE,
    ChunkedDecoder,
    CloseDelimitedDecoder,
    ContentLengthDecoder,
    UndelimitedDecoder,
)
from httpio._exceptions import InvalidResponse, UnsupportedResponse
from tests.support.buffers import LIMITS, content_of, make_buffer, pieces, receive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from httpio._buffer import ReceiveBuffer
    from httpio._decoders import Decoder
    from httpio._parser import Limits

#: What may follow content.
BEHIND = [b"", b"x", b"\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\n\0\r"]
#: Sizes of what a socket brings and of what a caller asks for, in bytes.
SIZES = [1, 2, 3, 5, 7, 100_000]


def take(decoder: Decoder, buffer: ReceiveBuffer, size: int, *, into: bool) -> bytes | None:
    """Return what *decoder* gives of *buffer*, in either of the two ways."""
    if not into:
        return decoder.decode(buffer, size)
    target = memoryview(bytearray(b"." * size))
    taken = decoder.decode_into(buffer, target)
    if taken is None:
        return None
    assert bytes(target[taken:]) == b"." * (size - taken)
    return bytes(target[:taken])


def read(
    decoder: Decoder, buffer: ReceiveBuffer, data: Iterable[bytes], size: int, *, into: bool
) -> bytes:
    """Return the content that *data* has, received piece by piece and read *size* bytes at a time."""
    content = b""
    for piece in data:
        receive(buffer, piece)
        while not decoder.complete:
            taken = take(decoder, buffer, size, into=into)
            if taken is None:
                break
            # Only the end of the content is empty.
            assert taken or decoder.complete
            assert len(taken) <= size
            content += taken
    return content


def read_in_all_ways(
    make: Callable[[], Decoder], framed: bytes, content: bytes, *, ends: bool = True
) -> list[Decoder]:
    """Check that *framed* has *content*, however it comes and is asked for; return the decoders."""
    decoders = []
    for into in (False, True):
        for receive_size in SIZES:
            for read_size in SIZES:
                decoder = make()
                buffer = make_buffer(before=3)
                found = read(decoder, buffer, pieces(framed, receive_size), read_size, into=into)
                assert found == content
                assert len(buffer) == 0
                decoders.append(decoder)
                if not ends:
                    continue
                assert decoder.complete
                # The end stays the end.
                assert take(decoder, buffer, read_size, into=into) == b""
        if ends:
            for behind in BEHIND:
                decoder = make()
                buffer = make_buffer(before=3)
                assert read(decoder, buffer, [framed + behind], 100_000, into=into) == content
                assert content_of(buffer) == behind
                assert take(decoder, buffer, 1, into=into) == b""
                assert content_of(buffer) == behind
    return decoders


def refuse(framed: bytes, content: bytes = b"", limits: Limits = LIMITS) -> str:
    """Return what is said of chunked *framed*, of which only *content* is right."""
    said = ""
    for into in (False, True):
        for receive_size in SIZES:
            for read_size in (1, 100_000):
                decoder = ChunkedDecoder(limits)
                buffer = make_buffer(before=3, limits=limits)
                found = bytearray()
                with pytest.raises(InvalidResponse) as caught:
                    read_on(
                        decoder, buffer, pieces(framed, receive_size), read_size, found, into=into
                    )
                # What came before what is wrong is handed over.
                assert found == content
                assert not decoder.complete
                said = str(caught.value)
                # Trying again does not get over it.
                rest = content_of(buffer)
                with pytest.raises(InvalidResponse):
                    take(decoder, buffer, read_size, into=into)
                assert content_of(buffer) == rest
    return said


def read_on(
    decoder: Decoder,
    buffer: ReceiveBuffer,
    data: Iterable[bytes],
    size: int,
    found: bytearray,
    *,
    into: bool,
) -> None:
    """Read until nothing more comes, and keep what has been read before an exception."""
    for piece in data:
        receive(buffer, piece)
        while not decoder.complete:
            taken = take(decoder, buffer, size, into=into)
            if taken is None:
                break
            found += taken


# Content-Length


@pytest.mark.parametrize("content", [b"x", b"hello", b"\r\n0\r\n\r\n", bytes(range(256)) * 4])
def test_9112_6_2_content_of_a_known_length(content: bytes) -> None:
    read_in_all_ways(lambda: ContentLengthDecoder(len(content)), content, content)


def test_9112_8_short_content_is_not_complete() -> None:
    decoder = ContentLengthDecoder(5)
    buffer = make_buffer(b"hell")
    assert decoder.decode(buffer, 100) == b"hell"
    assert not decoder.complete
    assert decoder.remaining == 1
    for into in (False, True):
        assert take(decoder, buffer, 100, into=into) is None
    assert repr(decoder) == "1 bytes of content to come"


def test_content_may_be_received_past_the_buffer_where_that_pays() -> None:
    assert ContentLengthDecoder(4095).direct_size == 0
    decoder = ContentLengthDecoder(10_000)
    assert decoder.direct_size == 10_000
    decoder.received_directly(5000)
    assert (decoder.remaining, decoder.direct_size) == (5000, 5000)
    decoder.received_directly(4999)
    assert (decoder.remaining, decoder.direct_size) == (1, 0)
    assert not decoder.complete
    assert decoder.decode(make_buffer(b"x!"), 9) == b"x"
    assert decoder.complete
    assert not decoder.ends_at_close
    assert decoder.trailer_section == b""


def test_an_absurd_length_does_no_harm() -> None:
    decoder = ContentLengthDecoder(10**18 - 1)
    assert decoder.decode(make_buffer(b"x" * 10), 100) == b"x" * 10
    target = memoryview(bytearray(100))
    assert decoder.decode_into(make_buffer(b"x" * 10), target) == 10


# To the close


def test_9112_6_3_content_to_the_close() -> None:
    for content in (b"hello", b"0\r\n\r\n", bytes(range(256)) * 10):
        decoders = read_in_all_ways(CloseDelimitedDecoder, content, content, ends=False)
        for decoder in decoders:
            buffer = make_buffer()
            assert not decoder.complete
            assert decoder.decode(buffer, 9) is None
            assert decoder.decode_into(buffer, memoryview(bytearray(9))) is None
            decoder.complete = True  # type: ignore[misc]  # it is of this kind
            assert decoder.decode(buffer, 9) == b""
            assert decoder.decode_into(buffer, memoryview(bytearray(9))) == 0


def test_9112_6_3_what_came_before_the_close_is_read_first() -> None:
    decoder = CloseDelimitedDecoder()
    buffer = make_buffer(b"hello")
    decoder.complete = True
    assert decoder.decode(buffer, 2) == b"he"
    assert decoder.decode_into(buffer, memoryview(bytearray(9))) == 3
    assert decoder.decode(buffer, 9) == b""


def test_content_to_the_close_is_always_received_past_the_buffer() -> None:
    decoder = CloseDelimitedDecoder()
    assert decoder.direct_size == sys.maxsize
    decoder.received_directly(5)
    assert decoder.direct_size == sys.maxsize
    assert decoder.ends_at_close
    assert decoder.trailer_section == b""
    assert repr(decoder) == "content to the close of the connection"


# Chunks


def chunked() -> ChunkedDecoder:
    """Return a decoder with the usual limits."""
    return ChunkedDecoder(LIMITS)


@pytest.mark.parametrize(
    ("framed", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"12d\r\n" + b"x" * 301 + b"\r\n0\r\n\r\n", b"x" * 301),
        (b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", b"x" * 100),
    ],
)
def test_9112_7_1_chunks(framed: bytes, content: bytes) -> None:
    for decoder in read_in_all_ways(chunked, framed, content):
        assert decoder.trailer_section == b""
        assert not decoder.ends_at_close


@pytest.mark.parametrize(
    "extension",
    [
        b";",
        b";a",
        b";a=b",
        b"; a = b ;c",
        b';a="b;c"',
        b" ;a",
        b"\t",
        b" \t ",
        b";\xff\x01",
        b";" + b"x" * 4000,
    ],
)
def test_9112_7_1_1_extensions_are_skipped(extension: bytes) -> None:
    framed = b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n"
    read_in_all_ways(chunked, framed, b"hello")


@pytest.mark.parametrize(
    "trailers",
    [b"A: b\r\n", b"A: b\r\nA: c\r\n", b"A: b\r\n folded\r\n", b"A: " + b"b" * 2000 + b"\r\n"],
)
def test_9112_7_1_2_trailers_are_kept(trailers: bytes) -> None:
    for decoder in read_in_all_ways(chunked, b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n", b"hello"):
        assert decoder.trailer_section == trailers


@pytest.mark.parametrize(
    "size",
    [
        b"0x5", b"+5", b"-1", b"0_5", b"", b" ", b" 5", b"\t5", b"g", b"5 5", b"5g", b"5,", b'"5"', b"5.0", b";a",
        b"\n5", b"\r5", b"\xb2", "５".encode(), b"1" * 17, b"0" * 17, b"F" * 17, b"1" * 5000, b"5\x0b", b"\x0c5",
        b"5\x00", b"5;\x00", b"5;a\nb", b"5;a\rb", b"5;a\n", b"5\n", b"5\r", b"5" + b" " * 17,
        b"5;" + b"x" * 40 + b"\n", b"5;" + b"x" * 40 + b"\rx", b"5;" + b"x" * 40 + b"\0", b"5" + b" " * 16 + b"\rx",
        b"5\r\r", b"HTTP/1.1 200 OK",
    ],
)  # fmt: skip
def test_9112_7_1_a_chunk_size_that_is_none_is_refused(size: bytes) -> None:
    said = refuse(size + b"\r\nhello\r\n0\r\n\r\n")
    assert said.startswith(
        "expected the size of a chunk as 1 to 16 hex digits and CRLF, the server sent b'"
    )
    refuse(b"2\r\nab\r\n" + size + b"\r\nhello\r\n0\r\n\r\n", b"ab")


@pytest.mark.parametrize(
    "end",
    [
        b"\n",
        b"\r",
        b"__",
        b"x\r\n",
        b" \r\n",
        b"\r\r\n",
        b"\n\r",
        b"\0",
        b"0\r\n\r\n",
        b"5\r\n",
        b"\rx",
        b"\r\0",
    ],
)
def test_9112_7_1_after_the_data_of_a_chunk_comes_exactly_crlf(end: bytes) -> None:
    said = refuse(b"3\r\nxxx" + end + b"1\r\na\r\n0\r\n\r\n", b"xxx")
    assert said.startswith("expected CRLF after the data of a chunk, the server sent b'")
    # Long enough to be received past the buffer.
    decoder = chunked()
    assert decoder.decode(make_buffer(b"1388\r\n"), 10_000) is None
    decoder.received_directly(5000)
    with pytest.raises(InvalidResponse, match="after the data of a chunk"):
        decoder.decode(make_buffer(end + b"0\r\n\r\n"), 10_000)


@pytest.mark.parametrize(
    "trailers",
    [
        b"A\r\n\r\n", b"A: b\n\r\n", b"A: b\n\n", b"A : b\r\n\r\n", b" A: b\r\n\r\n", b"A: b\rC: d\r\n\r\n", b"\n",
        b"\rx", b": b\r\n\r\n", b"A: \0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\0",
    ],
)  # fmt: skip
def test_9112_7_1_2_trailers_that_are_none_are_refused(trailers: bytes) -> None:
    refuse(b"5\r\nhello\r\n0\r\n" + trailers, b"hello")
    refuse(b"0\r\n" + trailers)


@pytest.mark.parametrize("framed", [b"5\r\nhello\r\n1;x\r\n!\r\n0\r\nA: b\r\n\r\n"])
def test_9112_8_chunked_content_is_not_complete_before_its_last_byte(framed: bytes) -> None:
    for size in range(len(framed)):
        for into in (False, True):
            decoder = chunked()
            buffer = make_buffer()
            content = read(decoder, buffer, [framed[:size]], 100, into=into)
            assert b"hello!".startswith(content)
            assert not decoder.complete
            assert take(decoder, buffer, 100, into=into) is None


def test_the_end_is_seen_together_with_the_last_data() -> None:
    for into in (False, True):
        decoder = chunked()
        buffer = make_buffer(b"5\r\nhello\r\n0\r\nA: b\r\n\r\nnext")
        assert take(decoder, buffer, 5, into=into) == b"hello"
        assert decoder.complete
        assert decoder.trailer_section == b"A: b\r\n"
        assert content_of(buffer) == b"next"


def test_chunks_that_are_there_are_handed_over_together() -> None:
    for into in (False, True):
        decoder = chunked()
        buffer = make_buffer(b"2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n5\r\nwo")
        assert take(decoder, buffer, 100, into=into) == b"hellowo"
        assert decoder.remaining == 3
        assert repr(decoder) == "3 bytes of a chunk and the end of the content to come"


def test_large_chunks_may_be_received_past_the_buffer() -> None:
    decoder = chunked()
    assert decoder.direct_size == 0
    buffer = make_buffer(b"2710\r\n")
    assert decoder.decode(buffer, 10) is None
    assert decoder.direct_size == 10_000
    decoder.received_directly(5904)
    assert decoder.direct_size == 4096
    decoder.received_directly(1)
    assert (decoder.remaining, decoder.direct_size) == (4095, 0)
    receive(buffer, b"x" * 4095 + b"\r\n0\r\n\r\n")
    assert decoder.decode(buffer, 10_000) == b"x" * 4095
    assert decoder.complete


def test_a_chunk_that_was_received_past_the_buffer_to_its_end() -> None:
    decoder = chunked()
    buffer = make_buffer(b"1388\r\n")
    assert decoder.decode(buffer, 10) is None
    decoder.received_directly(5000)
    assert decoder.direct_size == 0
    receive(buffer, b"\r\n2\r\nab\r\n0\r\n\r\n")
    assert decoder.decode(buffer, 10) == b"ab"
    assert decoder.complete


def test_an_absurd_chunk_size_does_no_harm() -> None:
    decoder = chunked()
    buffer = make_buffer(b"ffffffffffffffff\r\nhello")
    assert decoder.decode(buffer, 100) == b"hello"
    assert decoder.remaining == 2**64 - 6
    receive(buffer, b"hello")
    assert decoder.decode_into(buffer, memoryview(bytearray(100))) == 5


def test_reading_nothing_gives_nothing() -> None:
    for into in (False, True):
        decoder = chunked()
        buffer = make_buffer(b"5\r\nhello\r\n0\r\n\r\n")
        assert take(decoder, buffer, 0, into=into) is None
        assert take(decoder, buffer, 9, into=into) == b"hello"
        assert take(decoder, buffer, 0, into=into) == b""


# Limits


@pytest.mark.parametrize("begin", [b"5;", b"5 ;a=", b"0;", b'5;a="'])
def test_a_chunk_line_may_be_as_long_as_the_limit(begin: bytes) -> None:
    longest = begin.ljust(MAX_CHUNK_LINE_SIZE - 2, b"x")
    for framed, said in [(longest, None), (longest + b"x", "extensions of more than 4096 bytes")]:
        for size in (1, 33, 1000, 100_000):
            decoder = chunked()
            buffer = make_buffer(before=1)
            if said is None:
                read(decoder, buffer, pieces(framed + b"\r\n", size), 100, into=False)
                assert len(buffer) == 0
            else:
                with pytest.raises(InvalidResponse, match=said):
                    read(decoder, buffer, pieces(framed + b"\r\n", size), 100, into=False)


@pytest.mark.parametrize(
    ("begin", "more", "said"),
    [
        (b"5;", b"x", "extensions of more than 4096 bytes"),
        (b"5", b" ", "expected the size of a chunk"),
        (b"", b"0", "expected the size of a chunk"),
        (b"0\r\nA: ", b"b", "trailer section of more than 65536 bytes"),
        (b"0\r\n", b"A: b\r\n", "trailer section of more than 65536 bytes"),
    ],
)
@pytest.mark.parametrize("size", [1, 100, 30_000])
def test_what_does_not_end_is_refused_before_the_buffer_is_full(
    begin: bytes, more: bytes, said: str, size: int
) -> None:
    buffer = make_buffer(before=1)
    capacity = len(buffer.data)
    data = begin + more * (2 * capacity // len(more))
    with pytest.raises(InvalidResponse, match=said):
        read(chunked(), buffer, pieces(data, size), 100, into=False)
    assert len(buffer.data) == capacity


def test_a_drip_of_an_extension_is_looked_at_once() -> None:
    decoder = chunked()
    buffer = make_buffer(before=1)
    line = b"5" + b" " * 16 + b";" + b"x" * 4000 + b"\r"
    for octet in line:
        receive(buffer, bytes((octet,)))
        assert decoder.decode(buffer, 100) is None
        assert buffer.scanned == len(buffer)
        # What was searched is not looked at again, but for a CR that waits for its LF.
        for position in range(buffer.start + 40, buffer.end - 1):
            buffer.data[position] = 0
    # The whole line is looked at when its end is there.
    buffer.data[buffer.start : buffer.end] = line
    receive(buffer, b"\nhello\r\n0\r\n\r\n")
    assert decoder.decode(buffer, 100) == b"hello"
    assert decoder.complete


def test_chunks_of_one_byte_take_no_more_memory_than_others() -> None:
    decoder = chunked()
    buffer = make_buffer()
    capacity = len(buffer.data)
    for _ in range(10):
        receive(buffer, b"1\r\nx\r\n" * 10_000)
        assert decoder.decode(buffer, 100_000) == b"x" * 10_000
        assert len(buffer) == 0
    assert len(buffer.data) == capacity


# No end


def test_content_without_an_end_cannot_be_read() -> None:
    decoder = UndelimitedDecoder("nobody knows")
    buffer = make_buffer(b"hello")
    for into in (False, True):
        with pytest.raises(
            UnsupportedResponse,
            match=r"^nobody knows; read_raw\(\) shows the bytes, reset\(\) makes the connection usable$",
        ):
            take(decoder, buffer, 5, into=into)
    assert content_of(buffer) == b"hello"
    assert not decoder.complete
    assert not decoder.ends_at_close
    assert decoder.direct_size == 0
    assert decoder.trailer_section == b""
    assert repr(decoder) == "content without an end that can be told"
    with pytest.raises(AssertionError):
        decoder.received_directly(5)
