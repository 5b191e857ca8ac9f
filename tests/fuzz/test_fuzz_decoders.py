"""Content: what was framed comes out again, however it arrives and is asked for, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from httpio._decoders import ChunkedDecoder, CloseDelimitedDecoder, ContentLengthDecoder
from httpio._encoders import CHUNK_END, encode_chunk_start, encode_last_chunk
from httpio._exceptions import RemoteProtocolError
from httpio._headers import parse_field_section
from tests.fuzz.strategies import (
    chunked_contents,
    mutated,
    sizes,
    snippets,
    split,
    tokens,
    visible_values,
)
from tests.support.buffers import LIMITS, content_of, make_buffer, receive

if TYPE_CHECKING:
    from httpio._decoders import Decoder

Outcome = tuple[bytes, object, bytes, bytes]


def read(decoder: Decoder, data: list[bytes], read_sizes: list[int], *, into: bool) -> Outcome:
    """Return content, how it ended, trailer section and what is left of *data*."""
    buffer = make_buffer(before=len(data))
    content = b""
    turn = 0
    for number, piece in enumerate(data):
        receive(buffer, piece)
        while not decoder.complete:
            size = read_sizes[turn % len(read_sizes)]
            turn += 1
            try:
                if into:
                    target = bytearray(size)
                    taken = decoder.decode_into(buffer, memoryview(target))
                    found = None if taken is None else bytes(target[:taken])
                else:
                    found = decoder.decode(buffer, size)
            except RemoteProtocolError as exc:
                return content, type(exc), decoder.trailer_section, b""
            if found is None:
                break
            assert len(found) <= size
            assert found or decoder.complete
            content += found
        if decoder.complete:
            rest = content_of(buffer) + b"".join(data[number + 1 :])
            return content, "complete", decoder.trailer_section, rest
    return content, "incomplete", decoder.trailer_section, content_of(buffer)


def pieces_of(data: bytes) -> list[bytes]:
    return [data] if data else []


near_chunks = (
    chunked_contents
    | mutated(chunked_contents)
    | st.lists(snippets | st.sampled_from([b"5\r\nhello\r\n", b"a", b"f" * 16]), max_size=8).map(
        b"".join
    )
    | st.binary()
)


@settings(max_examples=500)
@given(near_chunks, sizes, sizes)
@example(b"5;" + b"x" * 50 + b"\r\nhello\r\n0\r\n\r\n", [40, 1], [1])
@example(b"5;" + b"x" * 50 + b"\r\r\nhello\r\n0\r\n\r\n", [53, 1], [1])
@example(b"0\r\nA: b\r\n\r\n\n", [1], [1])
def test_chunks_are_the_same_however_they_arrive_and_are_asked_for(
    data: bytes, piece_sizes: list[int], read_sizes: list[int]
) -> None:
    whole = read(ChunkedDecoder(LIMITS), pieces_of(data), [100_000], into=False)
    for arriving in (pieces_of(data), split(data, piece_sizes), split(data, [1])):
        for into in (False, True):
            assert read(ChunkedDecoder(LIMITS), arriving, read_sizes, into=into) == whole


@settings(max_examples=300)
@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=8),
    st.lists(st.tuples(tokens.map(lambda name: b"X-" + name), visible_values), max_size=3),
    st.binary(max_size=20),
    sizes,
    sizes,
)
def test_what_was_encoded_in_chunks_is_decoded(
    contents: list[bytes],
    trailers: list[tuple[bytes, bytes]],
    behind: bytes,
    piece_sizes: list[int],
    read_sizes: list[int],
) -> None:
    fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in trailers]
    framed = b"".join(
        encode_chunk_start(len(content)) + content + CHUNK_END for content in contents
    ) + encode_last_chunk(fields)
    for into in (False, True):
        content, end, section, rest = read(
            ChunkedDecoder(LIMITS), split(framed + behind, piece_sizes), read_sizes, into=into
        )
        assert content == b"".join(contents)
        assert end == "complete"
        assert parse_field_section(section) == [
            (name, value.strip(" \t")) for name, value in fields
        ]
        assert rest == behind


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=100), st.binary(max_size=20), sizes, sizes)
def test_content_of_a_known_length_is_neither_more_nor_less(
    content: bytes, behind: bytes, piece_sizes: list[int], read_sizes: list[int]
) -> None:
    for into in (False, True):
        decoder = ContentLengthDecoder(len(content))
        arriving = split(content + behind, piece_sizes)
        outcome = read(decoder, arriving, read_sizes, into=into)
        assert outcome == (content, "complete", b"", behind)
        decoder = ContentLengthDecoder(len(content) + 1)
        outcome = read(decoder, split(content, piece_sizes), read_sizes, into=into)
        assert outcome == (content, "incomplete", b"", b"")


@settings(max_examples=200)
@given(st.binary(max_size=100), sizes, sizes)
def test_content_to_the_close_is_all_there_is(
    content: bytes, piece_sizes: list[int], read_sizes: list[int]
) -> None:
    for into in (False, True):
        outcome = read(CloseDelimitedDecoder(), split(content, piece_sizes), read_sizes, into=into)
        assert outcome == (content, "incomplete", b"", b"")


@settings(max_examples=200)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=5), st.integers(1, 10_000), sizes)
def test_receiving_past_the_buffer_makes_no_difference(
    chunk_sizes: list[int], direct: int, piece_sizes: list[int]
) -> None:
    """Chunks whose data goes past the buffer in portions, as large ones do."""
    decoder = ChunkedDecoder(LIMITS)
    buffer = make_buffer()
    total = 0
    for size in chunk_sizes:
        for piece in split(encode_chunk_start(size), piece_sizes):
            receive(buffer, piece)
            assert decoder.decode(buffer, 100_000) is None
        left = size
        while left:
            if decoder.direct_size:
                taken = min(direct, decoder.direct_size)
                decoder.received_directly(taken)
            else:
                taken = left
                receive(buffer, b"x" * taken)
                assert decoder.decode(buffer, 100_000) == b"x" * taken
            left -= taken
            total += taken
        receive(buffer, CHUNK_END)
    receive(buffer, encode_last_chunk(None))
    assert decoder.decode(buffer, 100_000) == b""
    assert decoder.complete
    assert total == sum(chunk_sizes)
