"""Content from files, for the sending half.

Where the system can send from a file by itself, the bytes do not come to us at all.
"""

from __future__ import annotations

from ._coroutine import coroutine
from ._exceptions import CloseReason, ConnectionClosed, ExcessBodyData
from ._request_content import bytes_left, go_back, plain_file, position_of
from ._sending import TURN_SIZE, Sender
from ._state import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from ._coroutine import PollGenerator
    from ._request import SupportsRead
    from ._request_content import PlainFile
    from ._state import Exchange

#: Files that cannot be sent by the system are read in pieces of this size, in bytes.
_FILE_PIECE_SIZE: Final = 256 * 1024


class FileSender(Sender):
    """Sends the requests of one network connection, with content from files as well."""

    __slots__ = ()

    @coroutine
    def co_sendfile(self, file: SupportsRead) -> PollGenerator[int]:
        """Send content from where *file* stands to its end; return the number of bytes."""
        plain = plain_file(file)
        size = bytes_left(file, plain)
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
        # Where to go back to if nothing is sent after all; without that, to read is to begin.
        position = position_of(file)
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
            begun = total > 0 or position is None
            try:
                yield from self._co_write(exchange, memoryview(data), begun=begun)
            except GeneratorExit:
                if not begun and self.state.close_reason is not CloseReason.SEND_ABORTED:
                    assert position is not None
                    go_back(file, position)
                raise
            total += len(data)

    @coroutine
    def _co_sendfile(self, exchange: Exchange, file: PlainFile, size: int) -> PollGenerator[int]:
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
                    sent = self._transport.try_sendfile(
                        fd, position, min(end - position, TURN_SIZE)
                    )
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
                    if sent == TURN_SIZE and position < end:
                        yield from self._co_wait(exchange, True, stalled=False)
                else:
                    # Somebody has cut the file. What is missing can still be written.
                    break
        finally:
            file.seek(position)
        return position - start
