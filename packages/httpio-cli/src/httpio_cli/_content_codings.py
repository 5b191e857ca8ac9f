"""Content codings (RFC 9110 §8.4.1), undone while the content comes.

What comes out does so in pieces of a bounded size, however small what went in was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Largest piece that is asked for, in bytes; what brotli hands out may be up to twice that.
PIECE_SIZE: Final = 256 * 1024

#: What Accept-Encoding asks for.
ACCEPTED: Final = "gzip, deflate, br, zstd"


class CodingError(Exception):
    """The content is not what Content-Encoding says, or it ends in the middle."""


class Decoder(Protocol):
    """Undoes one content coding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return what comes of *data*. Raises `CodingError`."""
        ...

    def finish(self) -> None:
        """Raise `CodingError` if what was fed is not complete."""
        ...


class _Zlib:
    """gzip, any number of members of it (RFC 1952 §2.2), and deflate (RFC 1950)."""

    def __init__(self, name: str) -> None:
        import zlib

        self._zlib = zlib
        self._name = name
        # With 16 added, zlib expects the header of gzip in place of its own.
        self._bits = 16 + zlib.MAX_WBITS if name == "gzip" else zlib.MAX_WBITS
        self._decompressor = zlib.decompressobj(self._bits)
        #: The first bytes of deflate content, until there are enough to tell its form.
        self._start = b"" if name == "deflate" else None
        self._in_member = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._start is not None and data:
            data = self._start = self._start + data
            self._in_member = True
            if len(data) < 2:
                return
            self._start = None
            # RFC 1950 §2.2. Some servers send the bare format (RFC 1951): RFC 9110 §8.4.1.2.
            if data[0] & 0x0F != 8 or int.from_bytes(data[:2]) % 31:
                self._decompressor = self._zlib.decompressobj(-self._zlib.MAX_WBITS)
        is_full = False
        while data or is_full:
            if self._decompressor.eof:
                if self._name != "gzip":
                    raise CodingError("there is something behind the end of deflate content")
                # Zeros are padding, as gzip itself has it.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._decompressor = self._zlib.decompressobj(self._bits)
            try:
                piece = self._decompressor.decompress(data, PIECE_SIZE)
            except self._zlib.error as exc:
                raise CodingError(f"the content is not proper {self._name}: {exc}") from exc
            self._in_member = not self._decompressor.eof
            if piece:
                yield piece
            data = self._decompressor.unconsumed_tail or self._decompressor.unused_data
            # Then there may be more of it, although all was taken in.
            is_full = len(piece) == PIECE_SIZE and self._in_member

    def finish(self) -> None:
        if self._in_member:
            raise CodingError(f"the {self._name} content ends in the middle")


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        import brotli

        self._error = brotli.error
        self._decompressor = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        try:
            piece = self._decompressor.process(data, output_buffer_limit=PIECE_SIZE)
            while piece or not self._decompressor.can_accept_more_data():
                if piece:
                    yield piece
                if self._decompressor.is_finished():
                    return
                piece = self._decompressor.process(b"", output_buffer_limit=PIECE_SIZE)
        except self._error as exc:
            raise CodingError(f"the content is not proper br: {exc}") from exc

    def finish(self) -> None:
        if self._begun and not self._decompressor.is_finished():
            raise CodingError("the br content ends in the middle")


class _Zstandard:
    """zstd, any number of frames (RFC 8878 §3)."""

    def __init__(self) -> None:
        import sys

        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        self._zstd = zstd
        # RFC 9659 §3: no window of more than 8 MiB, which is what has to be kept in memory.
        self._options: dict[int, int] = {int(zstd.DecompressionParameter.window_log_max): 23}
        self._decompressor = zstd.ZstdDecompressor(options=self._options)
        self._in_frame = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._decompressor.eof:
                data = self._decompressor.unused_data + data
                self._in_frame = False
                if not data:
                    return
                self._decompressor = self._zstd.ZstdDecompressor(options=self._options)
            try:
                piece = self._decompressor.decompress(data, PIECE_SIZE)
            except self._zstd.ZstdError as exc:
                raise CodingError(f"the content is not proper zstd: {exc}") from exc
            self._in_frame = self._in_frame or bool(data)
            data = b""
            if piece:
                yield piece
            if self._decompressor.eof:
                self._in_frame = False
                if not self._decompressor.unused_data:
                    return
            elif self._decompressor.needs_input:
                return

    def finish(self) -> None:
        if self._in_frame:
            raise CodingError("the zstd content ends in the middle")


class _Chain:
    """Several codings, the last applied first."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    def feed(self, data: bytes) -> Iterator[bytes]:
        return self._feed(data, 0)

    def _feed(self, data: bytes, index: int) -> Iterator[bytes]:
        if index == len(self._decoders):
            yield data
            return
        for piece in self._decoders[index].feed(data):
            yield from self._feed(piece, index + 1)

    def finish(self) -> None:
        for decoder in self._decoders:
            decoder.finish()


#: More than this is an attempt to keep us busy.
MAX_CODINGS: Final = 4


def make_decoder(content_encoding: str) -> Decoder | None:
    """Return what undoes *content_encoding*, the value of that field; `None` if nothing is to be done.

    Raises `CodingError` for a coding that is not known.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MAX_CODINGS:
        raise CodingError(f"the content has {len(names)} codings, more than {MAX_CODINGS}")
    decoders: list[Decoder] = []
    for name in reversed(names):
        match name:
            case "gzip" | "x-gzip":
                decoders.append(_Zlib("gzip"))
            case "deflate":
                decoders.append(_Zlib("deflate"))
            case "br":
                decoders.append(_Brotli())
            case "zstd":
                decoders.append(_Zstandard())
            case _:
                raise CodingError(f"the content coding {name!r} is not known")
    if len(decoders) > 1:
        return _Chain(decoders)
    return decoders[0] if decoders else None
