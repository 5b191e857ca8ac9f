"""The sending half of a connection: heads and content, and a look out for early answers.

Joins transport, encoders and state, and asks the receiving half what has arrived. RFC 9112 §9.5: a
client that sends content watches for an answer, because the server may not want the rest.

All that is sent goes either straight to the transport, in one attempt, or through `Sender._co_send`,
the only place that waits: what a send leaves behind that is given up is decided there.
"""

from __future__ import annotations

from ._coroutine import POLLIN, PollNeeded, coroutine
from ._encoders import CHUNK_END, encode_chunk_start, encode_last_chunk
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    ExcessBodyData,
    StateError,
)
from ._state import Exchange, Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, NoReturn

    from ._coroutine import PollGenerator
    from ._receiving import HeadReceiver
    from ._request import Request, RequestHeaders
    from ._state import State
    from ._tracing import Tracer
    from ._transport import Transport


#: With `partial`, a chunk announces this many bytes at the most.
_PARTIAL_CHUNK_SIZE: Final = 64 * 1024
#: Up to this size, copying content behind its framing costs less than another system call.
_JOIN_SIZE: Final = 16 * 1024
#: After so many bytes a send lets others have a turn, even if the socket takes more at once.
TURN_SIZE: Final = 4 * 1024 * 1024


class Sender:
    """Sends the requests of one network connection."""

    __slots__ = (
        "_chunk_rest",
        "_framing_rest",
        "_receiver",
        "_suspended",
        "_tracer",
        "_transport",
        "state",
    )

    def __init__(
        self, transport: Transport, state: State, receiver: HeadReceiver, tracer: Tracer | None
    ) -> None:
        self._transport: Final = transport
        self.state: Final = state
        self._receiver: Final = receiver
        self._tracer = tracer
        #: A send has begun and waits.
        self._suspended = False
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
        self.state.request_started(exchange)
        try:
            size = self._transport.try_send(head)
        except ConnectionClosed as exc:
            self._failed(exchange, exc)
        if content is not None or size != len(head):
            return memoryview(head)[size or 0 :]
        if exchange.remaining == 0 or not exchange.content_follows:
            self.state.request_sent(exchange)
        return None

    def try_send_requests(self, data: bytes | memoryview, requests: Iterable[Request] = ()) -> int:
        """Send *data*, which is *requests* one after the other; return the number of bytes.

        With how many of them that has begun is for the caller to tell the state.
        """
        if self._tracer is not None:
            for request in requests:
                self._tracer.event("request", f"{request.method} {request.path}")
        try:
            return self._transport.try_send(data) or 0
        except ConnectionClosed as exc:
            # What the server has sent before can still be received.
            self.state.close_sending(exc.reason or CloseReason.CONNECTION_LOST)
            raise

    @coroutine
    def co_send_rest(
        self, exchange: Exchange, rest: memoryview, content: memoryview | None
    ) -> PollGenerator[None]:
        """Send what `try_send_request` has left, and the *content* that was too long for it."""
        self.state.request_stalled(exchange)
        begun = len(rest) != len(rest.obj)  # type: ignore[arg-type]  # always bytes
        full = not begun or (len(rest) > 0 and self._transport.less_is_full)
        parts = (rest,) if content is None or len(content) <= _JOIN_SIZE else (rest, content)
        yield from self._co_send(exchange, parts, begun=begun, full=full, is_request=True)
        if exchange.remaining == 0 or not exchange.content_follows:
            self.state.request_sent(exchange)

    @coroutine
    def _co_send(
        self,
        exchange: Exchange,
        parts: tuple[bytes | memoryview, ...],
        *,
        begun: bool = False,
        full: bool = False,
        is_request: bool = False,
    ) -> PollGenerator[None]:
        """Send all *parts*, and stop for an early answer.

        *begun* says that something that belongs to them has been sent before. Dropped after that,
        the connection is unusable; dropped before, nothing has happened: with *is_request*, the
        request is taken back, otherwise the caller may write the same again. *full* says that there
        was no room for them just now.
        """
        transport = self._transport
        turn_left = TURN_SIZE
        for part in parts:
            data = memoryview(part)
            while data:
                if full or turn_left <= 0:
                    turn_left = TURN_SIZE
                    yield from self._co_wait(exchange, begun, is_request, stalled=full)
                self._check_for_answer(exchange)
                try:
                    size = transport.try_send(data)
                except ConnectionClosed as exc:
                    self._failed(exchange, exc)
                full = size is None or (size < len(data) and transport.less_is_full)
                if size:
                    begun = True
                    data = data[size:]
                    turn_left -= size

    @coroutine
    def _co_wait(
        self, exchange: Exchange, begun: bool, is_request: bool = False, *, stalled: bool = True
    ) -> PollGenerator[None]:
        """Wait until more can be sent or the server answers. For the arguments, see `_co_send`.

        Not *stalled* says that it is only to let others have a turn.
        """
        if stalled and self._is_answered(exchange):
            # Nothing is lost by not sending what the server does not take.
            raise self._stop(exchange)
        wait = self._transport.send_wait
        self._suspended = True
        self.state.wake_sender = self._transport.end_sending
        try:
            if self._may_look(exchange):
                yield PollNeeded(wait.fd, wait.mask | POLLIN)
            else:
                yield wait
        except BaseException:
            self._abandoned(exchange, begun, is_request)
            raise
        finally:
            self._suspended = False
            self.state.wake_sender = None

    def _abandoned(self, exchange: Exchange, begun: bool, is_request: bool) -> None:
        """A send was given up while it waited."""
        state = self.state
        if not begun and not self._transport.sent_in_part:
            if is_request:
                state.request_withdrawn(exchange)
            return
        state.close_sending(CloseReason.SEND_ABORTED)
        if len(state.outstanding) == 1 and not exchange.final_status:
            # No answer can come any more, and the server need not wait for the rest.
            self._transport.close()

    # Content

    def check_writable(self) -> Exchange:
        """Return the exchange whose content is being sent; raise if there is none."""
        state = self.state
        exchange = state.uploading
        if exchange is None:
            raise StateError(
                "no request waits for content: pass body=BodyFollowing(...) to send_request(), and "
                "write no more than it announces"
            )
        if state.sending is Sending.CLOSED:
            raise self._stop(exchange) if exchange.final_status else state.closed_error()
        if state.sending is not Sending.SENDING_BODY or not exchange.content_follows:
            raise state.refuse_request()
        if self._suspended:
            raise StateError(
                f"another thread or task, or a coroutine that was not run to its end, is sending "
                f"for {exchange.method} {exchange.path}"
            )
        return exchange

    @coroutine
    def co_write(self, data: memoryview, partial: bool) -> PollGenerator[int]:
        """Send content; return the number of bytes, which with *partial* may be less, or 0."""
        if not data and self.state.sending is Sending.IDLE:
            # The loop that writes a file need not know that the file was empty.
            return 0
        exchange = self.check_writable()
        remaining = exchange.remaining
        if remaining is not None and len(data) > remaining:
            raise ExcessBodyData(
                f"{len(data)} bytes are more than the {remaining} bytes that are left of the body "
                f"of {exchange.method} {exchange.path}; nothing was sent"
            )
        if not data:
            # As a chunk it would be the last one.
            return 0
        if remaining is None:
            if partial:
                return self._try_write_chunk(exchange, data)
            yield from self._co_write(exchange, data)
            return len(data)
        # Mostly the socket takes it all, and there is nothing to wait for.
        size = self._try_write(exchange, data, partial)
        if size:
            self._content_written(exchange, size)
        if partial or size == len(data):
            return size
        full = not size or self._transport.less_is_full
        yield from self._co_write(exchange, data[size:], begun=bool(size), full=full)
        return len(data)

    @coroutine
    def _co_write(
        self, exchange: Exchange, data: memoryview, *, begun: bool = False, full: bool = False
    ) -> PollGenerator[None]:
        """Send all of *data*, which is not too much. For the rest, see `_co_send`."""
        if exchange.remaining is None:
            yield from self._co_send(exchange, self._chunk_parts(data), begun=begun)
            # Only now: a send that was given up before it began can be repeated.
            self._chunk_rest = max(self._chunk_rest - len(data), 0)
            self._framing_rest = b""
        else:
            yield from self._co_send(exchange, (data,), begun=begun, full=full)
            self._content_written(exchange, len(data))

    def _content_written(self, exchange: Exchange, size: int) -> None:
        assert exchange.remaining is not None
        exchange.remaining -= size
        if not exchange.remaining:
            self.state.request_sent(exchange)

    def _try_write(self, exchange: Exchange, data: bytes | memoryview, partial: bool = True) -> int:
        """Send what fits of *data* now, which for a *partial* write may be all that is done."""
        self._check_for_answer(exchange)
        try:
            size = self._transport.try_send(data)
        except ConnectionClosed as exc:
            self._failed(exchange, exc)
        if size is None:
            if partial and self._is_answered(exchange):
                raise self._stop(exchange)
            return 0
        return size

    # Chunks

    def _chunk_parts(self, data: memoryview) -> tuple[bytes | memoryview, ...]:
        """Return *data* as it goes over the wire: the rest of a chunk, a chunk, or both."""
        start = self._framing_rest
        begun = data[: self._chunk_rest]
        rest = data[len(begun) :]
        if not rest:
            return _framed(start, begun, CHUNK_END if len(begun) == self._chunk_rest else b"")
        new = _framed(encode_chunk_start(len(rest)), rest, CHUNK_END)
        if begun:
            return _framed(start, begun, CHUNK_END) + new
        return (start, *new) if start else new

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
        last = self._framing_rest + encode_last_chunk(trailers)
        yield from self._co_send(exchange, (last,))
        self._framing_rest = b""
        self.state.request_sent(exchange)

    # Early answers

    def _may_look(self, exchange: Exchange) -> bool:
        """Tell if what the server sends next is an answer that may end the upload."""
        return (
            self.state.oldest() is exchange
            and exchange.remaining != 0
            and not exchange.final_status
            and not exchange.awaits_continue
        )

    def _is_answered(self, exchange: Exchange) -> bool:
        """Tell if there is nothing more to come from the server."""
        return exchange.final_status != 0 and self._receiver.answer_is_complete(exchange)

    def _check_for_answer(self, exchange: Exchange) -> None:
        """Raise `EarlyResponse` if the server has answered and does not want the rest.

        An answer that refuses, or after which the server closes, ends the upload. With another one
        the upload goes on as long as it does not stall: the server may answer while it reads.
        """
        if self._may_look(exchange) and self._transport.is_readable():
            self._receiver.try_head()
        if exchange.final_status and (
            exchange.final_status >= 300 or self.state.sending is Sending.CLOSED
        ):
            raise self._stop(exchange)

    def _stop(self, exchange: Exchange) -> ConnectionClosed:
        """The server has answered: no more of the request is sent."""
        state = self.state
        if state.close_reason is CloseReason.CLOSED_LOCALLY:
            return state.closed_error()
        state.answered_early(exchange)
        if state.receiving_closed:
            self._transport.close()
        return state.early_response(exchange)

    def _failed(self, exchange: Exchange, exc: ConnectionClosed) -> NoReturn:
        """The connection broke while we were sending. The server may have said why before."""
        state = self.state
        if state.oldest() is exchange and not exchange.final_status:
            try:
                self._receiver.try_head(broken=True)
            except ConnectionClosed:
                pass
        if exchange.final_status:
            raise self._stop(exchange) from exc.__cause__
        if state.close_reason is None:
            state.close_sending(exc.reason or CloseReason.CONNECTION_LOST)
            raise state.closed_error(str(exc)) from exc.__cause__
        raise state.closed_error() from exc.__cause__


def _framed(start: bytes, data: memoryview, end: bytes) -> tuple[bytes | memoryview, ...]:
    """Return *data* between *start* and *end*, in parts that are worth a system call each.

    The first one is as large as a TLS record can be: what OpenSSL has begun to send of it, it is
    given again.
    """
    if len(data) <= 2 * _JOIN_SIZE:
        return (b"".join((start, data, end)),)
    head_size = _JOIN_SIZE - len(start)
    return (
        b"".join((start, data[:head_size])),
        data[head_size:-_JOIN_SIZE],
        b"".join((data[-_JOIN_SIZE:], end)),
    )
