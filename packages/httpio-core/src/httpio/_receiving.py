"""The receiving half of a connection, first part: heads and interim responses.

Joins transport, buffer, parser and state; `_content` goes on with what follows a head. What was
received belongs to the `Receiver`, never to a local of a generator that is suspended, so dropping a
coroutine at any yield loses nothing.

The sending half looks for early answers through `try_head`, which is why that holds a lock; all
else here is for the one thread or task that receives.
"""

from __future__ import annotations

from _thread import allocate_lock

from ._coroutine import coroutine
from ._decoders import (
    ChunkedDecoder,
    CloseDelimitedDecoder,
    ContentLengthDecoder,
    UndelimitedDecoder,
)
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    InvalidResponse,
    RemoteProtocolError,
    StateError,
)
from ._framing import (
    Chunked,
    CloseDelimited,
    ContentLength,
    NoContent,
    Tunnel,
    Undelimited,
    plain_framing,
    response_framing,
)
from ._messages import HTTPResponse
from ._parser import parse_response_head
from ._state import Exchange, Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BytesIO
    from typing import Final

    from ._buffer import ReceiveBuffer
    from ._coroutine import PollGenerator
    from ._decoders import Decoder
    from ._framing import Framing
    from ._parser import Limits, ResponseHead
    from ._state import State
    from ._tracing import Tracer
    from ._transport import Transport

#: More interim responses than this to one request are no sign of a working server.
MAX_INFORMATIONAL: Final = 100


class HeadReceiver:
    """Reads the heads of the responses of one network connection, and looks for them."""

    __slots__ = (
        "_buffer",
        "_decoder",
        "_framing",
        "_gathered",
        "_head",
        "_joined",
        "_limits",
        "_lock",
        "_reader_waits",
        "_tracer",
        "_transport",
        "any_head_taken",
        "current_response",
        "state",
    )

    def __init__(
        self,
        transport: Transport,
        state: State,
        buffer: ReceiveBuffer,
        limits: Limits,
        tracer: Tracer | None,
    ) -> None:
        self._transport: Final = transport
        self.state: Final = state
        self._limits: Final = limits
        self._tracer = tracer
        self._buffer: Final = buffer
        self._lock = allocate_lock()
        #: The receiving thread or task waits for a head. Nobody else is to take what wakes it up.
        self._reader_waits = False
        #: A head that was parsed and not handed over, and what follows it.
        self._head: ResponseHead | None = None
        self._framing: Framing | None = None
        #: The caller has been given a head on this connection.
        self.any_head_taken = False
        #: Response whose content is being read, and its content.
        self.current_response: HTTPResponse | None = None
        self._decoder: Decoder | None = None
        #: Content that `co_readall` has gathered and not handed over.
        self._gathered: list[bytes] = []
        #: The same, when it has become much; then the list does not count.
        self._joined: BytesIO | None = None

    # Looking, without waiting

    @property
    def _has_gathered(self) -> bool:
        return bool(self._gathered) or self._joined is not None

    def answer_is_complete(self, exchange: Exchange) -> bool:
        """Tell if all of the response to *exchange* has arrived."""
        if self.state.oldest() is not exchange:
            return True
        match self._framing:
            case ContentLength(length=length):
                return len(self._buffer) >= length
            case NoContent():
                return True
            case _:
                return False

    def response_pending(self) -> bool:
        """Tell if there is a response to read, or a part of one."""
        outstanding = self.state.outstanding
        if not outstanding or self.state.close_reason is CloseReason.CLOSED_LOCALLY:
            return False
        uploading = self.state.uploading
        return (
            uploading is None
            or self.state.oldest() is not uploading
            or uploading.awaits_continue
            or self._head is not None
            or self.state.in_body
        )

    def response_arrived(self) -> bool | None:
        """Tell if data of an outstanding response is there; `None` if none is outstanding.

        What cannot be received counts as there, so that the caller reads, and is told.
        """
        if not self.response_pending():
            return None
        with self._lock:
            if self._head is not None or self._has_gathered or len(self._buffer):
                return True
            try:
                return self._try_fill() is not None
            except ConnectionClosed:
                return True

    def check_idle(self) -> None:
        """Look at a connection on which nothing is outstanding, before a request is sent on it.

        Raises `ConnectionClosed` if the server has closed it, and `InvalidResponse` if it has sent
        something, which must not become the response to what comes next (RFC 9112 §9.2).
        """
        buffer = self._buffer
        if buffer.start == buffer.end:
            if not self._transport.is_readable():
                return
            try:
                size = self._try_fill()
            except ConnectionClosed:
                size = 0
            if size is None:
                return
            if size == 0:
                self._close_because(CloseReason.SERVER_CLOSED)
                raise self.state.closed_error("the server closed it while it was idle")
        data = buffer.peek(80)
        # What a server says of its own accord before it closes an idle connection.
        if data[:12] in (b"HTTP/1.1 408"[: len(data)], b"HTTP/1.0 408"[: len(data)]):
            self._close_because(CloseReason.SERVER_CLOSED)
            raise self.state.closed_error("the server ended the idle connection with status 408")
        self._close_because(CloseReason.UNSOLICITED_DATA)
        raise InvalidResponse(
            f"the server sent data while no request was outstanding: {data!r}; "
            "reset() makes the connection usable"
        )

    # Heads

    @coroutine
    def co_read_response(self, *, is_sending: bool = False) -> PollGenerator[HTTPResponse]:
        """Return the head of the next response.

        *is_sending* says that while this waits, content of its request goes on being sent.
        """
        state = self.state
        if state.close_reason is not None or not state.outstanding or state.in_body:
            self._check_head_expected()
        transport = self._transport
        buffer = self._buffer
        if (
            self._head is None
            and buffer.start == buffer.end
            and transport.drained
            and state.uploading is None
        ):
            # Straight after a request, an attempt to receive would be in vain nearly always. Whoever
            # drops this coroutine and begins again gets one.
            transport.drained = False
            yield transport.recv_wait
        try:
            while not self.try_head(waits=True):
                if (
                    state.uploading is not None
                    and not is_sending
                    and self._is_early_read()
                    and not len(buffer)
                ):
                    raise self._too_early()
                yield transport.recv_wait
        finally:
            self._reader_waits = False
        return self._take_head()

    def _check_head_expected(self) -> None:
        state = self.state
        if self._head is not None and not state.receiving_closed:
            return
        if state.in_body and not state.receiving_closed:
            response = self.current_response
            raise StateError(
                f"the content of {response!r} has not been read: read it, or drop it with discard()"
            )
        if not state.outstanding:
            if state.close_reason is not None and not state.reopens:
                raise state.closed_error()
            raise StateError("no response is outstanding: send a request first")
        # Nobody answers a request that was abandoned half-way.
        if state.next_is_incomplete or state.receiving_closed:
            raise state.closed_error()

    def _is_early_read(self) -> bool:
        """Tell if the next response is the one to a request whose content is not sent yet."""
        uploading = self.state.uploading
        return (
            uploading is not None
            and uploading.content_follows
            and not uploading.awaits_continue
            and self.state.sending is Sending.SENDING_BODY
            and self.state.oldest() is uploading
        )

    def _too_early(self) -> StateError:
        exchange = self._expected()
        rest = "" if exchange.remaining is None else f" ({exchange.remaining} bytes to go)"
        return StateError(
            f"the body of {exchange.method} {exchange.path} is not sent completely{rest}, "
            "and the server has not answered early"
        )

    def try_head(self, *, waits: bool = False, broken: bool = False) -> bool:
        """Receive and parse without blocking; return whether a head is there, or was taken already.

        *waits* is for the receiving half: it will wait if there is none. From then on, nobody else
        receives, or the one who waits would not be woken, unless the connection is *broken*.
        Raises `ConnectionClosed` if the server closed instead, and `RemoteProtocolError` for what
        is no response; then the connection is closed.
        """
        buffer = self._buffer
        with self._lock:
            if self._reader_waits and not waits and not broken:
                return self._head is not None
            oldest = self.state.oldest()
            if self._head is None and (oldest is None or oldest.final_status):
                # Sender and receiver both look. What follows the head is not for this.
                return True
            while self._head is None:
                if buffer.start != buffer.end:
                    try:
                        if self._parse_head():
                            break
                    except RemoteProtocolError:
                        self._close_because(CloseReason.INVALID_RESPONSE)
                        raise
                size = self._try_fill()
                if size is None:
                    self._reader_waits = waits
                    return False
                if size == 0:
                    exchange = self._expected()
                    where = "in the head of" if len(buffer) else "before"
                    raise self._ended(f"{where} the response to {exchange.method} {exchange.path}")
            return True

    def _expected(self) -> Exchange:
        """Return the request whose response is being received."""
        exchange = self.state.oldest()
        assert exchange is not None, "a response is received only where one is expected"
        return exchange

    def _parse_head(self) -> bool:
        """Parse up to the head that the caller is to see; `False` if more data is needed."""
        exchange = self._expected()
        while True:
            head = parse_response_head(self._buffer, self._limits)
            if head is None:
                return False
            status = head.status
            if self._tracer is not None:
                self._tracer.event("response", f"{status} to {exchange.method} {exchange.path}")
            if status >= 200 or (status == 101 and exchange.asks_upgrade):
                if head.plain_length is not None:
                    framing = plain_framing(exchange.method, status, head.plain_length)
                    persists = not isinstance(framing, Tunnel)
                else:
                    framing, persists = response_framing(
                        exchange.method, status, head.minor_version, head.framing_fields
                    )
                    if isinstance(framing, Undelimited):
                        # Nobody has announced a close, and trying again would bring the same.
                        self.state.close_sending(CloseReason.INVALID_RESPONSE)
                self.state.final_response_received(status, persists)
                self._head, self._framing = head, framing
                return True
            if status == 101:
                raise InvalidResponse("the server switched protocols, which nothing had asked for")
            if status == 100 and exchange.awaits_continue:
                self._head, self._framing = head, None
                return True
            # RFC 9110 §15.2: any number of interim responses may come unasked.
            if len(exchange.informational) == MAX_INFORMATIONAL:
                raise InvalidResponse(
                    f"the server sent more than {MAX_INFORMATIONAL} interim responses to "
                    f"{exchange.method} {exchange.path}"
                )
            exchange.informational += (self._response(exchange, head, 0),)

    def _response(self, exchange: Exchange, head: ResponseHead, length: int | None) -> HTTPResponse:
        return HTTPResponse(
            exchange.method,
            exchange.path,
            head.status,
            head.rest,
            length,
            exchange.request,
            "1.1" if head.minor_version else "1.0",
            exchange.informational,
        )

    def _take_head(self) -> HTTPResponse:
        """Hand over the head, and get ready to read what follows it."""
        head, framing = self._head, self._framing
        if head is None:
            raise StateError("another thread or task has taken the response, or its request back")
        self._head = self._framing = None
        self.any_head_taken = True
        state = self.state
        exchange = self._expected()
        if isinstance(framing, ContentLength):
            response = self._response(exchange, head, framing.length)
            self._decoder = ContentLengthDecoder(framing.length)
            self.current_response = response
            state.content_started()
            return response
        if framing is None:
            state.continue_received()
            return self._response(exchange, head, 0)
        if isinstance(framing, NoContent):
            response = self._response(exchange, head, 0)
            self._complete(response)
            return response
        if isinstance(framing, Tunnel):
            state.switched_protocols()
            return self._response(exchange, head, None)
        response = self._response(exchange, head, None)
        self._decoder = self._make_decoder(framing)
        self.current_response = response
        state.content_started()
        return response

    def _make_decoder(self, framing: Chunked | CloseDelimited | Undelimited) -> Decoder:
        match framing:
            case Chunked():
                return ChunkedDecoder(self._limits)
            case CloseDelimited():
                return CloseDelimitedDecoder()
            case Undelimited(why=why):
                return UndelimitedDecoder(why)

    def _complete(self, response: HTTPResponse) -> None:
        """The response was read to its end."""
        decoder = self._decoder
        if decoder is not None and decoder.trailer_section:
            response.trailers_received(decoder.trailer_section)
        self._decoder = self.current_response = None
        self.state.response_complete()
        if self.state.receiving_closed:
            self._transport.close()

    # Receiving and closing

    def _try_fill(self) -> int | None:
        """Receive into the buffer: bytes, 0 after the server's close, `None` if it would block."""
        try:
            size = self._transport.try_recv_into(self._buffer.writable())
        except OSError as exc:
            raise self._lost(exc) from exc.__cause__
        if size:
            self._buffer.received(size)
        return size

    def _lost(self, exc: OSError) -> OSError:
        """Return the exception for a connection that broke, with what that leaves open."""
        if self._transport.closed:
            return self.state.closed_error()
        self._close_because(CloseReason.CONNECTION_LOST)
        # The transport makes one exception: for a certificate that the server did not accept.
        return self.state.closed_error(str(exc)) if isinstance(exc, ConnectionClosed) else exc

    def _ended(self, where: str) -> ConnectionClosed:
        """Return the exception for an end of the server's data that comes too early, at *where*."""
        # A close() in another thread looks just the same.
        if self._transport.closed:
            return self.state.closed_error()
        self._close_because(CloseReason.SERVER_CLOSED)
        return self.state.closed_error(f"the server closed it {where}")

    def _close_because(self, reason: CloseReason) -> None:
        self.state.close_because(reason)
        self._transport.close()
        if self._tracer is not None:
            self._tracer.event("closed", reason.value)

    def take_rest(self) -> bytes:
        """Return what was received beyond the last response, for whoever takes the socket over."""
        return self._buffer.take(len(self._buffer))
