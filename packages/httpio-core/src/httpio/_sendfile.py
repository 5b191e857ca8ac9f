"""Content from files, for the sending half.

Where the system can send from a file by itself, the bytes do not come to us at all.
"""

from __future__ import annotations

import io
import os
import stat

from ._coroutine import coroutine
from ._exceptions import ConnectionClosed, ExcessBodyData
from ._sending import Sender
from ._state import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol, TypeAlias

    from ._coroutine import PollGenerator
    from ._state import Exchange

    class SupportsRead(Protocol):
        """A binary file, as far as it is needed to send from it."""

        def read(self, size: int, /) -> bytes:
            """Return up to *size* bytes, ``b""`` at the end."""

    _PlainFile: TypeAlias = io.FileIO | io.BufferedReader | io.BufferedRandom

#: Files that cannot be sent by the system are read in pieces of this size, in bytes.
_FILE_PIECE_SIZE: Final = 256 * 1024


def _plain_file(file: SupportsRead) -> _PlainFile | None:
    """Return *file* if what it reads is what the system finds under its descriptor.

    A `gzip.GzipFile` and a text file have the descriptor of something else than what they read, and
    a class of the caller's own may do anything in its ``read``.
    """
    raw: object = file
    if type(file) is io.BufferedReader or type(file) is io.BufferedRandom:
        raw = file.raw
    if type(raw) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return file  # type: ignore[return-value]  # one of the three


def _bytes_left(file: SupportsRead, plain: _PlainFile | None) -> int | None:
    """Return how much *file* has from where it stands, `None` if only reading can tell."""
    if plain is not None:
        size = os.fstat(plain.fileno()).st_size
        if not size and hasattr(os, "pread") and os.pread(plain.fileno(), 1, plain.tell()):
            # The files of /proc have no size, but content.
            return None
        return max(size - plain.tell(), 0)
    if isinstance(file, io.BytesIO):
        with file.getbuffer() as view:
            return max(len(view) - file.tell(), 0)
    return None


class FileSender(Sender):
    """Sends the requests of one network connection, with content from files as well."""

    __slots__ = ()

    @coroutine
    def co_sendfile(self, file: SupportsRead) -> PollGenerator[int]:
        """Send content from where *file* stands to its end; return the number of bytes."""
        plain = _plain_file(file)
        size = _bytes_left(file, plain)
        if size == 0 and self.state.sending is Sending.IDLE:
            # BodyFollowing(0) is complete at once.
            return 0
        exchange = self.check_writable()
        remaining = exchange.remaining
        total = 0
        if size is not None and remaining is not None:
            if size > remaining:
                raise ExcessBodyData(
                    f"the {size} bytes of the file are more than the {remaining} bytes that are "
                    f"left of the body of {exchange.method} {exchange.path}; nothing was sent"
                )
            if plain is not None and self._transport.can_sendfile:
                total = yield from self._co_sendfile(exchange, plain, size)
                if total == size:
                    return total
        while True:
            data = file.read(_FILE_PIECE_SIZE)
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"the file must be binary, its read() returned {type(data)}")
            if not data:
                return total
            if exchange.remaining is not None and len(data) > exchange.remaining:
                raise ExcessBodyData(
                    f"the file has more than the {remaining} bytes that were left of the body of "
                    f"{exchange.method} {exchange.path}; the first {total} of them were sent"
                )
            yield from self._co_write(exchange, memoryview(data), begun=total > 0)
            total += len(data)

    @coroutine
    def _co_sendfile(self, exchange: Exchange, file: _PlainFile, size: int) -> PollGenerator[int]:
        """Send up to *size* bytes of *file* without them coming to us at all.

        Returns the number of bytes, less than *size* if the rest cannot be sent in this way.
        """
        fd = file.fileno()
        start = position = file.tell()
        end = start + size
        try:
            while position < end:
                self._check_for_answer(exchange)
                try:
                    sent = self._transport.try_sendfile(fd, position, min(end - position, 2**30))
                except ConnectionClosed as exc:
                    self._failed(exchange, exc)
                except OSError:
                    # Reading the file works, or tells what is wrong with it.
                    break
                if sent is None:
                    yield from self._co_wait(exchange, position > start)
                elif sent:
                    position += sent
                    self._content_written(exchange, sent)
                else:
                    # Somebody has cut the file. What is missing can still be written.
                    break
        finally:
            file.seek(position)
        return position - start
