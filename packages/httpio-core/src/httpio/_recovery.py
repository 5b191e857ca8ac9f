"""What becomes of a pipeline's requests when the connection is lost, or the server puts them off.

The first part of `Pipeline`, which `_pipeline` goes on with: it takes possession of a connection,
opens new ones, and decides which requests go again. Each network connection has a `State` of its own,
and `State.outstanding` is what is under way on it. When it is lost, those requests go back to the
`Feeder`, but for one that is given up.
"""

from __future__ import annotations

from collections import deque
from operator import index
from sys import maxsize
from time import monotonic

from ._coroutine import coroutine
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    RemoteProtocolError,
    StateError,
    UnansweredRequest,
    is_temp_network_error,
)
from ._feeding import Feeder
from ._replay import RETRY_STATUSES, pause_before, retry_after
from ._state import Exchange, Sending, as_unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeVar

    from ._coroutine import PollCoroutine, PollGenerator, PollNeeded
    from ._lifecycle import Lifecycle
    from ._messages import HTTPResponse
    from ._queued import Queued
    from ._request import Request
    from ._state import State

    _T = TypeVar("_T")

#: After these, when all is answered, the next request may connect anew unasked.
_NOTHING_LOST: Final = frozenset(
    (
        CloseReason.SERVER_ANNOUNCED_CLOSE,
        CloseReason.SERVER_CLOSED,
        CloseReason.CONNECTION_LOST,
        CloseReason.EARLY_RESPONSE,
    )
)
#: A connection that was closed for this is still good for something.
_STILL_WANTED: Final = (CloseReason.SWITCHED_PROTOCOLS, CloseReason.READ_RAW)
#: Bytes of a response until its status code has been said.
_STATUS_LINE_START: Final = len("HTTP/1.1 200")


def check_options(depth: int, retries: int, backoff: float) -> tuple[int, int]:
    """Return *depth* and *retries* as they are used; raise for what makes no sense."""
    depth, retries = min(index(depth), maxsize), index(retries)
    if depth < 1 or retries < 0 or not backoff >= 0:
        raise LocalProtocolError(
            "a pipeline needs a depth of at least 1, and retries and backoff that are not "
            f"negative, got depth={depth}, retries={retries} and backoff={backoff}"
        )
    return depth, retries


class Recovery:
    """The requests of a pipeline, and the connection that they go over."""

    def __init__(
        self,
        conn: Lifecycle,
        requests: Iterable[Request],
        *,
        depth: int,
        retries: int,
        backoff: float,
        retry_partial: bool,
        retry_after: float | None,
    ) -> None:
        depth, retries = check_options(depth, retries, backoff)
        self._conn: Final = conn
        self._feeder: Final = Feeder(requests, conn._origin, add_content_md5=conn.content_md5)
        self._depth: Final = depth
        self._retries: Final = retries
        self._backoff: Final = backoff
        self._retry_partial: Final = retry_partial
        self._longest_pause: Final = retry_after
        # Responses with these are looked at before the caller gets them.
        self._looked_at: Final = RETRY_STATUSES if retry_after is not None else frozenset[int]()
        #: The present network connection, and how many responses it had brought before.
        self._state: State | None = None
        self._receiver = conn._receiver
        self._transport = conn._transport
        self._answered = 0
        self._closed = False
        #: The connection was closed by the program, under the pipeline.
        self._cut_off = False
        #: Connections that were lost since one brought a complete response.
        self._failures = 0
        #: The request that was put off last, and how often in a row.
        self._put_off: tuple[Request | None, int] = (None, 0)
        #: When anything more is sent, by `time.monotonic`.
        self._resumes_at = 0.0
        #: The response whose content is up to the caller.
        self._handed_over: HTTPResponse | None = None
        #: The request of which the caller knows that its response broke off.
        self._told: Exchange | None = None
        #: The request of whose response nobody missed what broke off.
        self._dropped: Exchange | None = None
        #: What the sending half waits for, if it does.
        self._send_wait: PollNeeded | None = None
        #: Responses with content that were received, and that nobody has asked for yet.
        self.pairs: Final[deque[tuple[HTTPResponse, bytes]]] = deque()

    @property
    def answered(self) -> int:
        """Number of requests that have a complete response."""
        return self._answered + (0 if self._state is None else self._state.answered)

    if TYPE_CHECKING:

        def co_while_sending(self, receiving: PollGenerator[_T]) -> PollCoroutine[_T]:
            """Run what receives content for the caller, and send meanwhile; in the second part."""
            ...

    def release(self) -> bool:
        """Let go of the connection if nothing is left to be done; return if that is so."""
        if self._state is None or self._state.outstanding or self._feeder.has_more():
            return False
        self._finish()
        return True

    # Connections

    def _begin(self) -> State:
        """Take possession of the connection."""
        conn = self._conn
        state = conn._state
        if conn._pipeline is not None and not conn._pipeline.release():
            raise StateError(
                "another pipeline is under way on this connection: iterate to its end, close it, "
                "or reset() the connection"
            )
        if state.close_reason is not None:
            # Unless somebody has to be told first, or wants something of it.
            if (state.outstanding and not state.reopens) or state.close_reason in _STILL_WANTED:
                raise state.closed_error()
            conn._renew()
        elif conn._receiver.response_pending() or state.sending in (
            Sending.AWAITING_CONTINUE,
            Sending.SENDING_BODY,
        ):
            raise StateError(
                "a request is not sent completely, or its response not read: finish that before "
                "the pipeline begins"
            )
        conn._pipeline = self
        return self._use()

    def _use(self) -> State:
        """Work on the network connection that the object has now."""
        conn = self._conn
        self._state = conn._state
        self._receiver = conn._receiver
        self._transport = conn._transport
        self._answered -= conn._state.answered
        self._feeder.use(conn._sender, conn._receiver, conn._state, conn._transport)
        return conn._state

    def _leave(self, state: State) -> None:
        """Work on that network connection no more."""
        self._answered += state.answered
        self._state = None

    @coroutine
    def _co_open(self) -> PollGenerator[None]:
        try:
            yield from self._conn._co_connect()
        except (HTTPIOError, OSError) as exc:
            if isinstance(exc, ConnectionClosed) and exc.reason is CloseReason.CLOSED_LOCALLY:
                raise
            self._failures += 1
            if self._failures > self._retries or not is_temp_network_error(exc):
                self._failures = 0
                raise
            self._resumes_at = monotonic() + pause_before(self._failures, self._backoff)
            return
        self._check_mine()
        self._use()

    def _check_mine(self) -> None:
        """Raise if the connection was taken away while this waited."""
        if self._conn._pipeline is not self:
            self._interrupted()

    # When something goes wrong

    def _puts_off(self, response: HTTPResponse, exchange: Exchange) -> bool:
        """Have a request sent again later if the server wants that; return whether."""
        assert self._longest_pause is not None
        pause = retry_after(response)
        state = self._state
        assert state is not None
        again = [each for each in state.outstanding if each is not exchange]
        request, count = self._put_off
        if request is not exchange.request:
            count = 0
        if (
            pause is None
            or pause > self._longest_pause
            or count >= self._retries
            # What was sent behind it must come behind it, so it is sent again as well.
            or not all(as_unanswered(each).repeatable for each in (exchange, *again))
        ):
            return False
        self._put_off = (exchange.request, count + 1)
        if len(again) == len(state.outstanding):
            # It had no content, and counts as answered.
            self._answered -= 1
        self._resumes_at = monotonic() + pause
        self._start_over([exchange, *again])
        return True

    def _lost(self, exc: RemoteProtocolError | OSError) -> None:
        """The connection is gone: have what is unanswered sent again, or raise what prevents that."""
        state = self._state
        assert state is not None
        if state.close_reason is CloseReason.CLOSED_LOCALLY:
            self._interrupted()
        peer = self._conn._peer
        # What is known of the first is looked at.
        first = state.oldest()
        unanswered = [*state.outstanding]
        error: Exception | None = None
        if state.ended_as_announced:
            if state.close_reason is CloseReason.SERVER_ANNOUNCED_CLOSE:
                peer.closed_as_announced(state.answered)
            self._failures = 0
        elif state.close_reason in (CloseReason.INTERRUPTED, CloseReason.GIVEN_UP):
            # No fault of the server.
            error = self._verdict(exc, unanswered)
        else:
            peer.broke(len(unanswered))
            if state.answered:
                self._failures = 0
            if unanswered or not state.answered:
                self._failures += 1
            error = self._verdict(exc, unanswered)
        was_sent = bool(unanswered) or first is not None
        self._start_over(unanswered)
        if error is None:
            return
        if not was_sent:
            # It was closed before anything was sent over it, again and again.
            self._feeder.drop_next()
        try:
            if error is exc:
                raise exc
            raise error from exc
        finally:
            # Or it would hold itself, by its traceback.
            del error

    def _verdict(
        self, exc: RemoteProtocolError | OSError, unanswered: list[Exchange | Request]
    ) -> Exception | None:
        """Take the first of *unanswered* from it if that is not to be sent again; return the reason."""
        exhausted = self._failures > self._retries
        if exhausted:
            self._failures = 0
        if not unanswered:
            # A connection was closed before anything was sent over it.
            if not exhausted:
                return None
            if not isinstance(exc, ConnectionClosed):
                return exc
            return self._unanswered_error(exc, [])
        first = unanswered[0]
        assert isinstance(first, Exchange)
        told, self._told = first is self._told, None
        if first is self._dropped:
            del unanswered[0]
            return None
        broke_off = first.final_status != 0
        if first.failure is not None:
            # It will be raised in its turn.
            return None
        if not isinstance(exc, ConnectionClosed):
            # Asking again would bring the same again: nonsense, or a certificate that is not accepted.
            error: Exception = exc
        elif (
            exhausted
            or not first.repeatable
            or (broke_off and not self._retry_partial)
            # Asking again would bring the same again.
            or exc.reason is CloseReason.INVALID_RESPONSE
        ):
            error = self._unanswered_error(exc, unanswered)
        else:
            return None
        del unanswered[0]
        # Who was to get it again does not know yet that it is given up.
        return error if not told or (self._retry_partial and first.repeatable) else None

    def _start_over(self, unanswered: list[Exchange | Request]) -> None:
        """Have *unanswered*, and all that was not sent, go over a new network connection."""
        if self._failures:
            self._resumes_at = monotonic() + pause_before(self._failures, self._backoff)
        assert self._state is not None
        self._feeder.send_again(unanswered, self._state.close_reason)
        self._leave(self._state)
        self._conn._renew()
        self._use()

    def _interrupted(self) -> None:
        """Raise, because the connection was closed by the program in the middle."""
        state = self._state
        closed = ConnectionClosed(
            CloseReason.CLOSED_LOCALLY.value, reason=CloseReason.CLOSED_LOCALLY
        )
        error = self._unanswered_error(closed, [] if state is None else [*state.outstanding])
        self._closed = self._cut_off = True
        if self._conn._pipeline is self:
            self._conn._pipeline = None
        self._feeder.give_up()
        raise error

    def give_up(self) -> Request | None:
        """Give up the request whose response comes next, and return it; `None` if there is none.

        For a server that takes too long. The network connection is closed, and what else was under
        way is sent again over a new one, or reported, when the next response is asked for.
        """
        state = self._state
        oldest = None if state is None else state.oldest()
        if state is None or oldest is None:
            return None
        self._dropped = oldest
        state.close_because(CloseReason.GIVEN_UP)
        self._conn._transport.close()
        return oldest.request

    def _distrust(self) -> None:
        """An interrupt came in the middle of a step: what was done last may not have been noted."""
        state = self._state
        if state is not None:
            state.close_because(CloseReason.INTERRUPTED)
            self._transport.close()

    def _finish(self) -> None:
        """All is done."""
        conn = self._conn
        self._closed = True
        conn._pipeline = None
        state = self._state
        assert state is not None
        self._leave(state)
        self._feeder.give_up()
        if state.close_reason is None and not conn._transport.closed:
            try:
                # One response too many is how a wrong pairing shows.
                conn._receiver.check_idle()
            except ConnectionClosed:
                rest = conn._receiver.take_rest()
                if 0 < len(rest) < _STATUS_LINE_START:
                    # It may be a 408, with which servers close. It may as well be a response.
                    state.close_reason = CloseReason.UNSOLICITED_DATA
                    raise InvalidResponse(
                        f"the server sent data while no request was outstanding: {rest!r}"
                    ) from None
        if state.close_reason in _NOTHING_LOST:
            conn._renew()

    def _failure(self, queued: Queued) -> Exception:
        """Return what is to be raised for a request that cannot be sent."""
        if queued.failure is not None:
            return queued.failure
        lost = ConnectionClosed(
            "the connection was lost, and its content can be had only once", reason=queued.lost
        )
        return self._unanswered_error(lost, [queued])

    def _unanswered_error(
        self, exc: ConnectionClosed, sent: list[Exchange | Request]
    ) -> ConnectionClosed:
        """Return the exception that says what is unanswered: *sent*, and what waits behind that."""
        unanswered = [as_unanswered(asked) for asked in sent]
        unanswered += [
            UnansweredRequest(queued.method, queued.path, not queued.spent, queued.request)
            for queued in self._feeder.waiting()
            if queued.failure is None
        ]
        reason = exc.reason
        why = str(exc) if reason is None else reason.value
        what = f"{unanswered[0].method} {unanswered[0].path} has" if unanswered else "there is"
        message = f"{what} no complete response: {why}"
        return ConnectionClosed(
            message, reason=reason, unanswered=tuple(unanswered), answered=self.answered
        )
