"""The state of a connection: two half-machines that share a queue and a reason.

One thread or task may send while another receives, so neither half changes what the other decides
by. They are linked only by `State.outstanding`, which the sender appends to and the receiver pops
from, and by `State.close_reason`.

::

    sending                                     receiving

    IDLE ◄──────────────────────────┐           IDLE   nothing outstanding
     │ request_started()            │            │ request_started()   ▲
     ├─ no content ─────────────────┤            ▼                     │
     ├─ expects 100 ─► AWAITING_    │           AWAITING_RESPONSE ─────┤
     │                 CONTINUE     │            │ content_started()   │
     │                  │ continue_received()    │                     │
     ▼                  ▼           │            ▼                     │
    SENDING_BODY ◄──────┘           │           READING_BODY ──────────┘
     │ request_sent()               │                      response_complete()
     └──────────────────────────────┘           (with more outstanding: AWAITING_RESPONSE)

    any ── close_sending(), close_because() ──► CLOSED

`receiving` is worked out from the queue rather than stored: a sender that appends and a receiver
that finds the queue empty could otherwise overwrite each other's word.

`close_sending` leaves the receiving half alone, for the answers that are still to be had: after the
server announced its close, or after it broke the connection while we were sending.

Where one half may close while the other one goes on, the order of assignments counts: `close_reason`
is set before `sending` becomes CLOSED, and looked at after `sending` becomes anything else.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    StateError,
    UnansweredRequest,
)
from ._request import IDEMPOTENT_METHODS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._encoders import RequestHead
    from ._messages import HTTPResponse
    from ._request import Request


class Sending(Enum):
    """States of the sending half."""

    IDLE = "no request is being sent"
    AWAITING_CONTINUE = "a request waits for 100 Continue before its content is sent"
    SENDING_BODY = "the content of a request is being sent"
    CLOSED = "nothing can be sent any more"


class Receiving(Enum):
    """States of the receiving half."""

    IDLE = "nothing is outstanding"
    AWAITING_RESPONSE = "the head of a response is outstanding"
    READING_BODY = "the content of a response is being read"
    CLOSED = "nothing can be received any more"


# Nobody has lost anything by these: the next request may open a new connection unasked.
_REOPENS = frozenset(
    (
        CloseReason.CLOSED_LOCALLY,
        CloseReason.DETACHED,
        CloseReason.CLOSE_REQUESTED,
        CloseReason.CONTENT_NOT_WANTED,
    )
)

# With these, the answers that are outstanding can still be had. If one of them then cannot, it is
# because of what happens then.
_LEAVES_ANSWERS = frozenset(
    (
        CloseReason.CLOSE_REQUESTED,
        CloseReason.CONTENT_NOT_WANTED,
        CloseReason.EARLY_RESPONSE,
        CloseReason.SERVER_ANNOUNCED_CLOSE,
    )
)


class Exchange:
    """A request and what has come back for it so far."""

    # No __slots__: of most requests there is nothing to say beyond this, and there are many.

    #: The response is the last one that the request allows for.
    asks_close: bool = False
    #: A response with 101 is one that the request allows for.
    asks_upgrade: bool = False
    awaits_continue: bool = False
    #: Bytes of content that are still to be sent, or `None` while chunks are.
    remaining: int | None = 0
    #: The content is written by separate calls.
    content_follows: bool = False
    #: Status code of the final response, 0 until its head has arrived.
    final_status: int = 0
    #: Interim responses that were skipped.
    informational: tuple[HTTPResponse, ...] = ()
    #: Its content was read from what gives it only once.
    spent: bool = False
    #: What is wrong with the request itself, so that it cannot be sent.
    failure: Exception | None = None

    def __init__(
        self,
        method: str,
        path: str,
        head: RequestHead | None = None,
        content_follows: bool = False,
        request: Request | None = None,
    ) -> None:
        self.method = method
        self.path = path
        #: What a pipeline was given.
        self.request = request
        if head is not None:
            self.asks_close = head.asks_close
            self.asks_upgrade = head.asks_upgrade
            self.awaits_continue = head.expects_continue
            self.remaining = head.content_length
            self.content_follows = content_follows

    @property
    def repeatable(self) -> bool:
        """Sending it again does no harm, whatever the server has made of it (RFC 9110 §9.2.2)."""
        if self.request is not None:
            return self.request.idempotent and not self.spent
        return self.method in IDEMPOTENT_METHODS


def as_unanswered(asked: Exchange | Request) -> UnansweredRequest:
    """Return what was *asked* as exceptions list it."""
    if isinstance(asked, Exchange):
        return UnansweredRequest(asked.method, asked.path, asked.repeatable, asked.request)
    return UnansweredRequest(asked.method, asked.path, asked.idempotent, asked)


class State:
    """What has been asked, what has been answered, and whether anything more can be."""

    __slots__ = (
        "_last_exchange",
        "answered",
        "close_reason",
        "ended_as_announced",
        "in_body",
        "outstanding",
        "receiving_closed",
        "sending",
        "uploading",
        "wake_sender",
    )

    def __init__(self) -> None:
        self.sending = Sending.IDLE
        #: Requests whose response is not complete, oldest first; the last may not be sent yet. A plain
        #: one of a pipeline is kept as it was given, until there is more to say of it.
        self.outstanding: deque[Exchange | Request] = deque()
        #: The one of them that is not sent completely.
        self.uploading: Exchange | None = None
        #: Ends the wait of a send that is suspended, if one is.
        self.wake_sender: Callable[[], None] | None = None
        #: Why nothing can be sent any more, if so.
        self.close_reason: CloseReason | None = None
        #: A response's content has been begun and not finished.
        self.in_body = False
        #: Nothing can be received any more.
        self.receiving_closed = False
        #: The one whose response is the last that is believed, if that is known.
        self._last_exchange: Exchange | None = None
        #: That response is complete, so nobody can have expected anything more.
        self.ended_as_announced = False
        #: Complete responses.
        self.answered = 0

    @property
    def receiving(self) -> Receiving:
        if self.receiving_closed:
            return Receiving.CLOSED
        if self.in_body:
            return Receiving.READING_BODY
        return Receiving.AWAITING_RESPONSE if self.outstanding else Receiving.IDLE

    @property
    def reopens(self) -> bool:
        """The connection is closed in a way that lets the next request open it anew."""
        return self.close_reason in _REOPENS and (
            not self.outstanding or self.close_reason is CloseReason.CLOSED_LOCALLY
        )

    def oldest(self) -> Exchange | None:
        """Return the request whose response comes next. Another thread may take it at any time."""
        try:
            asked = self.outstanding[0]
        except IndexError:
            return None
        if isinstance(asked, Exchange):
            return asked
        exchange = Exchange(asked.method, asked.path, request=asked)
        self.outstanding[0] = exchange
        return exchange

    # Verbs of the sending half

    def request_started(self, exchange: Exchange) -> None:
        """The head of a request is about to be sent."""
        if exchange.remaining != 0:
            self._upload(exchange)
        # Last, so that whoever waits for the response knows that the request is being sent.
        self.outstanding.append(exchange)

    def requests_sent(self, requests: Iterable[Request]) -> None:
        """Plain requests were sent, or begun: what is left of them goes before anything else."""
        self.outstanding.extend(requests)

    def request_stalled(self, exchange: Exchange) -> None:
        """A part of the request has to wait to be sent, and others until it is."""
        if self.uploading is None:
            self._upload(exchange)

    def _upload(self, exchange: Exchange) -> None:
        self.uploading = exchange
        self._sending_becomes(
            Sending.AWAITING_CONTINUE if exchange.awaits_continue else Sending.SENDING_BODY
        )

    def _sending_becomes(self, sending: Sending) -> None:
        """What closed in the meantime stays closed."""
        self.sending = sending
        if self.close_reason is not None:
            self.sending = Sending.CLOSED

    def request_withdrawn(self, exchange: Exchange) -> None:
        """Not a byte of the request that was started has been sent."""
        if exchange in self.outstanding:
            self.outstanding.remove(exchange)
        self.uploading = None
        self._sending_becomes(Sending.IDLE)

    def continue_received(self) -> None:
        """The content may be sent: the server said so, or the caller will not wait."""
        if self.uploading is not None:
            self.uploading.awaits_continue = False
            self._sending_becomes(Sending.SENDING_BODY)

    def request_sent(self, exchange: Exchange) -> None:
        """The request is sent completely, with its content."""
        if self.uploading is not None:
            self.uploading = None
            self._sending_becomes(Sending.IDLE)
        if exchange.asks_close:
            # RFC 9112 §9.6: after this no further request may be sent.
            self.close_sending(CloseReason.CLOSE_REQUESTED)

    # Verbs of the receiving half

    def final_response_received(self, status: int, persists: bool) -> None:
        """The head of the final response to the oldest request was received."""
        exchange = self.oldest()
        assert exchange is not None, "a response is received only where one is expected"
        exchange.final_status = status
        if persists and not (exchange.asks_close or exchange.awaits_continue):
            if status >= 300 and exchange is self.uploading:
                self._wake_sender()
            return
        self._last_exchange = exchange
        if exchange.awaits_continue:
            # The peer may or may not count on the content: only a close makes that certain
            # (RFC 9110 §10.1.1).
            exchange.awaits_continue = False
            self.uploading = None
            self.close_sending(CloseReason.CONTENT_NOT_WANTED)
        elif exchange.asks_close:
            self.close_sending(CloseReason.CLOSE_REQUESTED)
        else:
            if self.close_reason is CloseReason.CLOSE_REQUESTED:
                # By a later request, to which no answer comes.
                self.close_reason = None
            self.close_sending(CloseReason.SERVER_ANNOUNCED_CLOSE)
        if exchange is self.uploading:
            self._wake_sender()

    def _wake_sender(self) -> None:
        """The rest of a request is not to be sent: do not let it wait for the server to read."""
        # Another thread may be done with waiting at any time.
        wake_sender = self.wake_sender
        if wake_sender is not None:
            wake_sender()

    def content_started(self) -> None:
        """The caller has the head of the response, its content is to be read."""
        self.in_body = True

    def switched_protocols(self) -> None:
        """The caller has the head of a response after which the connection is not HTTP any more."""
        self.outstanding.popleft()
        # Instead of what the head was taken for: the server does not close after it.
        self.close_reason = None
        self.close_because(CloseReason.SWITCHED_PROTOCOLS)

    def detached(self) -> None:
        """The socket belongs to the caller now."""
        self.close_reason = CloseReason.DETACHED

    def response_complete(self) -> None:
        """The response to the oldest request was received to its end."""
        self.in_body = False
        self.answered += 1
        exchange = self.oldest()
        assert exchange is not None, "a response is received only where one is expected"
        self.outstanding.popleft()
        if exchange is self._last_exchange:
            # RFC 9112 §9.6: nothing after the last response is believed.
            self.receiving_closed = self.ended_as_announced = True
        # What is left of the request can change nothing any more. It is sent as long as the server
        # takes it, for the sake of the connection, unless the server refused it.
        if (
            exchange is self.uploading
            and self.close_reason is None
            and (exchange.final_status >= 300 or self.wake_sender is not None)
        ):
            self.answered_early(exchange)

    def plain_responses_complete(self, count: int) -> None:
        """The responses to the *count* oldest requests, all plain, were received to their ends."""
        self.answered += count
        popleft = self.outstanding.popleft
        for _ in range(count):
            popleft()

    # Closing

    def close_sending(self, reason: CloseReason) -> None:
        """Nothing more can be sent. What closed the connection first is what counts."""
        if self.close_reason is None:
            self.close_reason = reason
        self.sending = Sending.CLOSED

    def cancelled(self) -> None:
        """If the connection is closed because a send was given up, that was a cancelled task's."""
        if self.close_reason is CloseReason.SEND_ABORTED:
            self.close_reason = CloseReason.CANCELLED

    @property
    def next_is_incomplete(self) -> bool:
        """The response that comes next never will: its request was not sent to the end."""
        return (
            self.close_reason in (CloseReason.SEND_ABORTED, CloseReason.CANCELLED)
            and len(self.outstanding) == 1
        )

    def answered_early(self, exchange: Exchange) -> None:
        """The server answered for good, and the rest of the request is not sent."""
        self.close_reason = CloseReason.EARLY_RESPONSE
        self.sending = Sending.CLOSED
        self._last_exchange = exchange
        if exchange not in self.outstanding:
            self.receiving_closed = self.ended_as_announced = True

    def close_because(self, reason: CloseReason) -> None:
        """Nothing more can be sent or received."""
        if self.outstanding and self.close_reason in _LEAVES_ANSWERS:
            self.close_reason = reason
        self.close_sending(reason)
        self.receiving_closed = True

    def closed_locally(self) -> None:
        """The caller wants no more of the connection, whatever state it is in."""
        self.close_reason = CloseReason.CLOSED_LOCALLY
        self.close_because(CloseReason.CLOSED_LOCALLY)

    def unanswered(self) -> tuple[UnansweredRequest, ...]:
        """Return each request without complete response, oldest first."""
        return tuple(as_unanswered(asked) for asked in tuple(self.outstanding))

    def early_response(self, exchange: Exchange) -> EarlyResponse:
        """Return the exception that ends the upload of a request that was answered."""
        way_out = "reset() makes the connection usable"
        if exchange in self.outstanding:
            way_out = f"read_response() returns the answer, {way_out} afterwards"
        return EarlyResponse(
            f"the server answered {exchange.method} {exchange.path} with status "
            f"{exchange.final_status} before the request was sent completely; {way_out}",
            reason=CloseReason.EARLY_RESPONSE,
            unanswered=self.unanswered(),
            answered=self.answered,
        )

    def closed_error(self, detail: str = "") -> ConnectionClosed:
        """Return the exception that says why the connection is closed, and what that left open."""
        reason = self.close_reason
        assert reason is not None, "only a closed connection has a reason"
        unanswered = self.unanswered()
        message = f"the connection cannot be used any more: {detail or reason.value}"
        if unanswered:
            count = len(unanswered)
            message += f"; {count} request{'s have' if count > 1 else ' has'} no complete response"
        if not self.reopens:
            message += "; reset() makes the connection usable"
        return ConnectionClosed(
            message, reason=reason, unanswered=unanswered, answered=self.answered
        )

    def refuse_request(self) -> StateError:
        """Return the exception for a request that comes before the one before it is sent."""
        exchange = self.uploading
        assert exchange is not None, "only an unsent request keeps the next one waiting"
        if not exchange.content_follows:
            return StateError(
                f"{exchange.method} {exchange.path} is still being sent, by another thread or "
                "task, or by a coroutine that was not run to its end"
            )
        what = f"the body of {exchange.method} {exchange.path}"
        if self.sending is Sending.AWAITING_CONTINUE:
            return StateError(
                f"{what} waits for 100 Continue: read_response() shows the server's answer, "
                "proceed_without_continue() sends without it"
            )
        if exchange.remaining is None:
            return StateError(f"{what} is not finished: end it with finish_body()")
        return StateError(f"{what} is not sent completely: write() {exchange.remaining} more bytes")
