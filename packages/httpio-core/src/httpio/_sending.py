"""The sending half of a connection: heads and content, and a look out for early answers.

Joins transport, encoders and state, and asks the receiving half what has arrived. RFC 9112 §9.5: a
client that sends content watches for an answer, because the server may not want the rest.
"""

from __future__ import annotations

import os
import stat

from ._coroutine import POLLIN, PollNeeded, coroutine
from ._encoders import CHUNK_END, encode_chunk_start, encode_last_chunk
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    ExcessBodyData,
    StateError,
)
from ._state import Exchange, Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn, Protocol

    from ._coroutine import PollGenerator
    from ._messages import RequestHeaders
    from ._receiving import HeadReceiver
    from ._state import State
    from ._tracing import Tracer
    from ._transport import Transport

    class SupportsRead(Protocol):
        """A binary file, as far as it is needed to send from it."""

        def read(self, size: int, /) -> bytes:
            """Return up to *size* bytes, ``b""`` at the end."""


#: Files that cannot be sent by the system are read in pieces of this size, in bytes.
_FILE_PIECE_SIZE: Final = 256 * 1024
#: With `partial`, a chunk announces this many bytes at the most.
_PARTIAL_CHUNK_SIZE: Final = 64 * 1024
#: Up to this size, copying content behind its framing costs less than another system call.
_JOIN_SIZE: Final = 16 * 1024


def _regular_file_position(file: SupportsRead) -> int | None:
    """Return where in a regular file *file* stands, `None` if it is something else."""
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # type: ignore[attr-defined]  # if not, see below
            return None
        position: int = file.tell()  # type: ignore[attr-defined]  # likewise
    except (AttributeError, OSError, ValueError):
        return None
    return position


def _file_size(file: SupportsRead) -> int:
    return os.fstat(file.fileno()).st_size  # type: ignore[attr-defined]  # a regular file


class Sender:
    """Sends the requests of one network connection."""

    __slots__ = ("_chunk_rest", "_framing_rest", "_receiver", "_tracer", "_transport", "state")

    def __init__(
        self, transport: Transport, state: State, receiver: HeadReceiver, tracer: Tracer | None
    ) -> None:
        self._transport: Final = transport
        self.state: Final = state
        self._receiver: Final = receiver
        self._tracer = tracer
        #: Data of the present chunk that is announced and not written.
        self._chunk_rest = 0
        #: Framing that goes out before anything else.
        self._framing_rest = b""

    # Requests

    def try_send_request(
        self, exchange: Exchange, head: bytes, content: memoryview | None
    ) -> memoryview | None:
        """Send *head*, with *content* if that is short, as far as the socket takes it.

        Returns what is left of it, for `co_send_rest`, or `None` if the request is sent completely
        or waits for its content. No coroutine, because it hardly ever has to wait.
        """
        if self._tracer is not None:
            self._tracer.event("request", f"{exchange.method} {exchange.path}")
        if content is not None and len(content) <= _JOIN_SIZE:
            head = b"".join((head, content))
            content = None
            exchange.remaining = 0
        self.state.request_started(exchange)
        try:
            size = self._transport.try_send(head)
        except ConnectionClosed as exc:
            self._failed(exchange, exc)
        if content is not None or size != len(head):
            return memoryview(head)[size or 0 :]
        if exchange.remaining == 0:
            self.state.request_sent(exchange)
        return None

    @coroutine
    def co_send_rest(
        self, exchange: Exchange, rest: memoryview, content: memoryview | None
    ) -> PollGenerator[None]:
        """Send what `try_send_request` has left, and the *content* that was too long for it."""
        if rest:
            nothing_sent = len(rest) == len(rest.obj)  # type: ignore[arg-type]  # always bytes
            yield from self._co_send(exchange, rest, withdrawable=nothing_sent)
        if exchange.remaining and content is not None:
            yield from self._co_send(exchange, content, watch=True)
            exchange.remaining = 0
        if exchange.remaining == 0:
            self.state.request_sent(exchange)

    @coroutine
    def _co_send(
        self,
        exchange: Exchange,
        data: memoryview,
        *,
        watch: bool = False,
        withdrawable: bool = False,
    ) -> PollGenerator[None]:
        """Send all of *data*. Dropped in the middle, the connection is unusable.

        With *watch*, stop for an early answer; *withdrawable* says that the request is taken back
        if this is dropped before anything was sent.
        """
        transport = self._transport
        total = len(data)
        while True:
            if watch:
                self._check_for_answer(exchange)
            try:
                size = transport.try_send(data)
            except ConnectionClosed as exc:
                self._failed(exchange, exc)
            if size:
                if size == len(data):
                    return
                data = data[size:]
            if size is None:
                finished = False
                try:
                    yield self._send_wait(exchange) if watch else transport.send_wait
                    finished = True
                finally:
                    if not finished:
                        self._abandoned(len(data) == total, watch, withdrawable)
                if watch:
                    self._check_for_answer(exchange, stalled=True)

    def _send_wait(self, exchange: Exchange) -> PollNeeded:
        """Return what to wait for to go on sending, or to see the server answer."""
        wait = self._transport.send_wait
        return PollNeeded(wait.fd, wait.mask | POLLIN) if self._may_look(exchange) else wait

    def _abandoned(self, nothing_sent: bool, is_content: bool, withdrawable: bool) -> None:
        """A send was given up while it waited."""
        if nothing_sent and not self._transport.sent_in_part:
            if withdrawable:
                self.state.request_withdrawn()
                return
            if is_content and self.state.uploading is not None:
                # The caller may write the same again.
                return
        self.state.close_sending(CloseReason.SEND_ABORTED)
        if len(self.state.outstanding) == 1:
            # No answer can come any more, and the server need not wait for the rest.
            self._transport.close()

    # Content

    def check_writable(self) -> Exchange:
        """Return the exchange whose content is being sent; raise if there is none."""
        state = self.state
        exchange = state.uploading
        if state.sending is Sending.SENDING_BODY:
            assert exchange is not None
            return exchange
        if exchange is not None:
            if exchange.final_status:
                raise self._stop()
            if state.sending is Sending.CLOSED:
                raise state.closed_error()
            raise state.refuse_request()
        raise StateError(
            "no request waits for content: pass body=BodyFollowing(...) to send_request(), and "
            "write no more than it announces"
        )

    @coroutine
    def co_write(self, data: memoryview, partial: bool) -> PollGenerator[int]:
        """Send content; return the number of bytes, which with *partial* may be less, or 0."""
        exchange = self.check_writable()
        remaining = exchange.remaining
        if remaining is None:
            return (yield from self._co_write_chunk(exchange, data, partial))
        total = len(data)
        if total > remaining:
            raise ExcessBodyData(
                f"{total} bytes are more than the {remaining} bytes that are left of the body of "
                f"{exchange.method} {exchange.path}; nothing was sent"
            )
        if not total:
            return 0
        if partial:
            total = self._try_write(exchange, data)
        else:
            yield from self._co_send(exchange, data, watch=True)
        self._content_written(exchange, total)
        return total

    @coroutine
    def co_sendfile(self, file: SupportsRead) -> PollGenerator[int]:
        """Send content from where *file* stands to its end; return the number of bytes."""
        exchange = self.check_writable()
        start = _regular_file_position(file)
        if start is not None and exchange.remaining is not None:
            size = _file_size(file) - start
            if size > exchange.remaining:
                raise ExcessBodyData(
                    f"the {size} bytes of the file are more than the {exchange.remaining} bytes "
                    f"that are left of the body of {exchange.method} {exchange.path}; "
                    "nothing was sent"
                )
            if self._transport.can_sendfile:
                return (yield from self._co_sendfile(exchange, file, start, size))
        total = 0
        while True:
            data = file.read(_FILE_PIECE_SIZE)
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"the file must be binary, its read() returned {type(data)}")
            if not data:
                return total
            total += yield from self.co_write(memoryview(data), False)

    @coroutine
    def _co_sendfile(
        self, exchange: Exchange, file: SupportsRead, start: int, size: int
    ) -> PollGenerator[int]:
        """`co_sendfile` without the bytes coming to us at all."""
        fd: int = file.fileno()  # type: ignore[attr-defined]  # regular files have one
        seek: Callable[[int], object] = file.seek  # type: ignore[attr-defined]  # likewise
        position, end = start, start + size
        finished = False
        try:
            while position < end:
                self._check_for_answer(exchange)
                try:
                    sent = self._transport.try_sendfile(fd, position, min(end - position, 2**30))
                except ConnectionClosed as exc:
                    self._failed(exchange, exc)
                if sent is None:
                    yield self._send_wait(exchange)
                    self._check_for_answer(exchange, stalled=True)
                elif sent:
                    position += sent
                    self._content_written(exchange, sent)
                else:
                    # Somebody has cut the file. What is missing can still be written.
                    break
            finished = True
            return position - start
        finally:
            seek(position)
            if not finished and position > start and self.state.close_reason is None:
                self._abandoned(False, True, False)

    def _content_written(self, exchange: Exchange, size: int) -> None:
        assert exchange.remaining is not None
        exchange.remaining -= size
        if not exchange.remaining:
            self.state.request_sent(exchange)

    def _try_write(self, exchange: Exchange, data: bytes | memoryview) -> int:
        """Send what fits of *data* now."""
        self._check_for_answer(exchange)
        try:
            size = self._transport.try_send(data)
        except ConnectionClosed as exc:
            self._failed(exchange, exc)
        if size is None:
            self._check_for_answer(exchange, stalled=True)
            return 0
        return size

    @coroutine
    def _co_write_chunk(
        self, exchange: Exchange, data: memoryview, partial: bool
    ) -> PollGenerator[int]:
        if not data:
            # A chunk without data would be the last one.
            return 0
        if partial:
            return self._try_write_chunk(exchange, data)
        total = len(data)
        start = self._framing_rest
        self._framing_rest = b""
        if self._chunk_rest:
            # The rest of a chunk that a partial write began.
            piece = data[: self._chunk_rest]
            data = data[len(piece) :]
            self._chunk_rest -= len(piece)
            end = b"" if self._chunk_rest else CHUNK_END
            yield from self._co_send_framed(exchange, start, piece, end)
            start = b""
        if data:
            start += encode_chunk_start(len(data))
            yield from self._co_send_framed(exchange, start, data, CHUNK_END)
        return total

    @coroutine
    def _co_send_framed(
        self, exchange: Exchange, start: bytes, data: memoryview, end: bytes
    ) -> PollGenerator[None]:
        if len(data) <= _JOIN_SIZE:
            joined = b"".join((start, data, end))
            yield from self._co_send(exchange, memoryview(joined), watch=True)
            return
        finished = False
        try:
            for part in (memoryview(start), data, memoryview(end)):
                if part:
                    yield from self._co_send(exchange, part, watch=True)
            finished = True
        finally:
            # Between two parts nothing waits, but a part may have gone when the next one fails.
            if not finished:
                self.state.close_sending(CloseReason.SEND_ABORTED)

    def _try_write_chunk(self, exchange: Exchange, data: memoryview) -> int:
        """Send what fits of *data* now, as a chunk or as more of the chunk that was begun.

        A chunk's first line says how much follows. What the socket does not take of that is still
        to be written, by the next calls.
        """
        start = self._framing_rest
        if not self._chunk_rest:
            self._chunk_rest = min(len(data), _PARTIAL_CHUNK_SIZE)
            start += encode_chunk_start(self._chunk_rest)
        self._framing_rest = start
        piece = data[: self._chunk_rest]
        end = CHUNK_END if len(piece) == self._chunk_rest else b""
        sent = self._try_write(exchange, b"".join((start, piece, end)))
        self._framing_rest = start[sent:]
        written = min(max(sent - len(start), 0), len(piece))
        self._chunk_rest -= written
        if end and not self._chunk_rest:
            self._framing_rest = end[max(sent - len(start) - len(piece), 0) :]
        return written

    @coroutine
    def co_finish_body(self, trailers: RequestHeaders | None) -> PollGenerator[None]:
        """End the content of a request, with *trailers* if it is chunked."""
        exchange = self.check_writable()
        if exchange.remaining is not None:
            raise self.state.refuse_request()
        if self._chunk_rest:
            raise StateError(
                f"write(partial=True) has announced {self._chunk_rest} more bytes than it has "
                "been given since: write() them first"
            )
        data = self._framing_rest + encode_last_chunk(trailers)
        self._framing_rest = b""
        yield from self._co_send(exchange, memoryview(data), watch=True)
        self.state.request_sent(exchange)

    # Early answers

    def _may_look(self, exchange: Exchange) -> bool:
        """Tell if what the server sends next is the answer to *exchange*."""
        outstanding = self.state.outstanding
        return bool(outstanding) and outstanding[0] is exchange and not exchange.final_status

    def _check_for_answer(self, exchange: Exchange, *, stalled: bool = False) -> None:
        """Raise `EarlyResponse` if the server has answered and does not want the rest.

        An answer that refuses, or after which the server closes, ends the upload. Another may come
        from a server that answers while it reads: the upload goes on, unless it is *stalled* and
        there is nothing more to come from the server.
        """
        if (
            self._may_look(exchange)
            and self._transport.is_readable()
            and not self._receiver.try_head()
        ):
            return
        if exchange.final_status and (
            exchange.final_status >= 300
            or self.state.sending is Sending.CLOSED
            or (stalled and self._receiver.answer_is_complete(exchange))
        ):
            raise self._stop()

    def _stop(self) -> EarlyResponse:
        """The server has answered: no more content is sent."""
        self.state.answered_early()
        return self.state.early_response()

    def _failed(self, exchange: Exchange, exc: ConnectionClosed) -> NoReturn:
        """The connection broke while we were sending. The server may have said why before."""
        state = self.state
        if self._may_look(exchange):
            try:
                self._receiver.try_head()
            except ConnectionClosed:
                pass
        if exchange.final_status:
            raise self._stop() from exc.__cause__
        state.close_sending(exc.reason or CloseReason.CONNECTION_LOST)
        raise state.closed_error(str(exc)) from exc.__cause__
