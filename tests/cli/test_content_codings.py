"""Content codings, undone while the content comes."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._content_codings import ACCEPTED, PIECE_SIZE, CodingError, make_decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = b"".join(b"%d, " % number for number in range(20_000))


def bare_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": bare_deflate,
    "br": lambda content: bytes(brotli.compress(content, quality=5)),
    "zstd": zstd.compress,
}
NAMES = sorted(ENCODERS)


def decode(coding: str, data: bytes, size: int | None = None) -> bytes:
    decoder = make_decoder(coding)
    assert decoder is not None
    step = size or max(len(data), 1)
    out = bytearray()
    for position in range(0, len(data), step):
        for piece in decoder.feed(data[position : position + step]):
            assert 0 < len(piece) <= 2 * PIECE_SIZE
            out += piece
    decoder.finish()
    return bytes(out)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize(
    "content", [b"", b"a", CONTENT, bytes(PIECE_SIZE), bytes(3 * PIECE_SIZE + 1)],
    ids=["empty", "one", "text", "piece", "pieces"],
)  # fmt: skip
def test_whole_and_in_pieces(name: str, size: int | None, content: bytes) -> None:
    assert decode(name, ENCODERS[name](content), size) == content


@given(content=st.binary(max_size=2000), name=st.sampled_from(NAMES), size=st.integers(1, 50))
def test_whatever_content(content: bytes, name: str, size: int) -> None:
    assert decode(name, ENCODERS[name](content), size) == content


@pytest.mark.parametrize("name", NAMES)
def test_no_content_at_all(name: str) -> None:
    assert decode(name, b"") == b""


@pytest.mark.parametrize("name", NAMES)
def test_truncated(name: str) -> None:
    data = ENCODERS[name](CONTENT)
    for end in (1, 2, 3, 10, len(data) // 2, len(data) - 1):
        with pytest.raises(CodingError):
            decode(name, data[:end])
        with pytest.raises(CodingError):
            decode(name, data[:end], 1)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("size", [None, 1])
def test_nonsense(name: str, size: int | None) -> None:
    with pytest.raises(CodingError):
        decode(name, b"\xff\xfe this is nothing of the kind", size)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_nonsense_behind_the_end(name: str) -> None:
    for size in (None, 1):
        with pytest.raises(CodingError):
            decode(name, ENCODERS[name](CONTENT) + b"nonsense", size)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [None, 1, 13])
def test_several_members(name: str, size: int | None) -> None:
    encode = ENCODERS[name]
    assert decode(name, encode(b"one") + encode(b"") + encode(CONTENT), size) == b"one" + CONTENT


@pytest.mark.parametrize("size", [None, 1])
def test_padding(size: int | None) -> None:
    assert decode("gzip", gzip.compress(b"one") + bytes(100), size) == b"one"
    assert (
        decode("gzip", gzip.compress(b"one") + bytes(9) + gzip.compress(b"two"), size) == b"onetwo"
    )


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_bomb_stays_bounded(name: str) -> None:
    """What is held at once is bounded, however much comes of a little."""
    data = ENCODERS[name](bytes(32 * 1024 * 1024))
    assert len(data) < 100_000
    decoder = make_decoder(name)
    assert decoder is not None
    tracemalloc.start()
    try:
        total = sum(map(len, decoder.feed(data)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 32 * 1024 * 1024
    assert peak < 12 * 1024 * 1024


def test_zstd_with_a_window_beyond_the_limit() -> None:
    """RFC 9659: 8 MiB are the most that a receiver has to provide."""
    options: dict[int, int] = {
        int(zstd.CompressionParameter.window_log): 27,
        int(zstd.CompressionParameter.enable_long_distance_matching): 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(CONTENT) + compressor.flush()
    with pytest.raises(CodingError, match="zstd"):
        decode("zstd", data)


@pytest.mark.parametrize("size", [None, 1, 5])
def test_several_codings(size: int | None) -> None:
    data = zstd.compress(gzip.compress(zlib.compress(CONTENT)))
    assert decode("deflate, identity, gzip,zstd", data, size) == CONTENT
    with pytest.raises(CodingError):
        decode("deflate, gzip, zstd", zstd.compress(gzip.compress(zlib.compress(CONTENT)[:-1])))


@pytest.mark.parametrize("text", ["", "identity", " , identity"])
def test_nothing_to_be_done(text: str) -> None:
    assert make_decoder(text) is None


@pytest.mark.parametrize("text", ["compress", "gzip, sdch", "gzip, gzip, gzip, gzip, gzip"])
def test_unknown_and_too_many(text: str) -> None:
    with pytest.raises(CodingError):
        make_decoder(text)


def test_what_is_asked_for_is_known() -> None:
    for name in ACCEPTED.split(", "):
        assert make_decoder(name) is not None
