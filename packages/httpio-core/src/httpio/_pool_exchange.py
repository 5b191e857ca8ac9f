"""A request over a connection of a pool, which it may share, and which it may lose.

Knows no framework. A request has its connection for itself, unless the pool pipelines: then several
tasks send over one connection, and each reads its response when those before it have read theirs.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from ._async_exchange import DRAIN_LIMIT, Exchange, as_pairs
from ._async_response import Response
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    HTTPIOError,
    RemoteProtocolError,
    StateError,
)
from ._front_end import FrontEnd
from ._replay import pause_before
from ._request_content import go_back, is_in_memory, position_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from _typeshed import ReadableBuffer

    from ._async_exchange import AsyncRequestBody
    from ._pool_policy import Member
    from ._request import RequestHeaders
    from ._url import OriginKey

_C = TypeVar("_C", bound=FrontEnd)

#: After so many connections that were lost although they were old, a request gets a new one: it may be
#: the request that the server does not survive.
_MAX_OLD: Final = 2
#: Seconds that the tasks which share a connection wait for a response that nobody wants any more.
_GRACE: Final = 1.0
#: The server has broken a connection, and not announced it.
_BROKEN: Final = frozenset((CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST))
#: Nobody is to blame when others that share the connection are lost with it.
_NO_FAILURE: Final = frozenset(
    (CloseReason.CLOSED_LOCALLY, CloseReason.CANCELLED, CloseReason.SERVER_ANNOUNCED_CLOSE)
)


class Event(Protocol):
    """An event of the framework."""

    def set(self) -> object:
        """Wake who waits."""

    async def wait(self) -> object:
        """Wait until it is set."""


class Turn:
    """The place of a request among those that share a connection."""

    __slots__ = ("event", "is_abandoned", "is_answered", "reads_for_others", "unread")

    def __init__(self, event: Event) -> None:
        self.event: Final = event
        #: Whoever sent it does not want the response.
        self.is_abandoned = False
        #: The head of its response was read.
        self.is_answered = False
        #: It waits for a response that somebody before it did not want.
        self.reads_for_others = False
        #: Responses before this one that nobody has read.
        self.unread = 0


class SharedQueue:
    """The order in which tasks that share a connection send, and read."""

    __slots__ = ("is_broken", "lock", "turns")

    def __init__(self, lock: AbstractAsyncContextManager[object]) -> None:
        #: Somebody has found the connection lost.
        self.is_broken = False
        #: Held while a request is sent.
        self.lock: Final = lock
        #: Requests that were sent and whose response is not read, oldest first.
        self.turns: Final[deque[Turn]] = deque()

    def wake_all(self) -> None:
        """Have all find out that it is not their turn, and never will be."""
        for turn in self.turns:
            turn.event.set()


class Pool(Protocol[_C]):
    """A pool, as far as a request has to know it."""

    @property
    def _retries(self) -> int:
        """New connections that may be lost in a row before a request fails."""

    @property
    def _backoff(self) -> float:
        """Seconds to pause before the second of them is replaced."""

    @property
    def _is_pipelining(self) -> bool:
        """Whether requests may share a connection."""

    async def _acquire(
        self, key: OriginKey, *, is_exclusive: bool, is_new: bool = False
    ) -> Member[_C]:
        """Return a connection to *key*, when there is one."""

    def _release(self, member: Member[_C]) -> None:
        """Give *member* back."""

    def _is_closed(self) -> bool:
        """Tell if the pool was closed."""

    def _queue_of(self, member: Member[_C]) -> SharedQueue:
        """Return the order in which *member* is used."""

    def _new_turn(self) -> Turn:
        """Return somebody's turn to read a response."""

    async def _sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed."""


class PoolExchange(Generic[_C]):
    """A request over a connection of a pool, and its response."""

    def __init__(
        self,
        pool: Pool[_C],
        key: OriginKey,
        method: str,
        path: str,
        headers: RequestHeaders | None,
        body: AsyncRequestBody | None,
        *,
        idempotent: bool,
        expect100: bool,
        continue_timeout: float,
    ) -> None:
        self._pool: Final = pool
        self._key: Final = key
        self._method: Final = method
        self._path: Final = path
        # A copy: it may be needed again.
        self._headers: Final = as_pairs(headers)
        self._body: Final = body
        self._idempotent: Final = idempotent
        self._expect100: Final = expect100
        self._continue_timeout: Final = continue_timeout
        self._is_entered = False
        self._member: Member[_C] | None = None
        #: How it is done: alone, or in turns with others.
        self._alone: Exchange | None = None
        self._turn: Turn | None = None
        self._response: Response | None = None
        #: The connection had brought a response before.
        self._was_used = False

    async def __aenter__(self) -> Response:
        if self._is_entered:
            raise entered_twice()
        self._is_entered = True
        try:
            return await self._enter()
        except BaseException:
            self._is_entered = False
            raise

    async def _enter(self) -> Response:
        body = self._body
        in_memory = body is None or is_in_memory(body)
        position = None if body is None or in_memory else _position(body)
        shares = (
            self._pool._is_pipelining and self._idempotent and in_memory and not self._expect100
        )
        has_content = in_memory or position is not None
        failures = old = 0
        while True:
            is_new = old >= _MAX_OLD
            self._member = member = await self._pool._acquire(
                self._key, is_exclusive=not shares, is_new=is_new
            )
            try:
                response = await self._attempt(member, shares=shares and not is_new)
            except ConnectionClosed as exc:
                again = self._may_repeat(exc, has_content=has_content)
                self._leave(member)
                if exc.reason not in _NO_FAILURE:
                    if self._was_used or exc.answered:
                        # It may have answered others since this request got it.
                        old += 1
                    else:
                        failures += 1
                if not again or failures > self._pool._retries:
                    raise
            except BaseException:
                self._leave(member)
                raise
            else:
                if response.status != 408 or not has_content or not self._is_late(member):
                    self._response = response
                    return response
                # Whoever shares it asks again as well.
                member.conn.close()
                self._leave(member)
                old += 1
            if position is not None:
                _rewind(body, position)
            if pause := pause_before(failures, self._pool._backoff):
                await self._pool._sleep(pause)

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        member, response = self._member, self._response
        self._is_entered = False
        if member is None or response is None:
            return
        try:
            if self._alone is not None:
                await self._alone.__aexit__(exc_type, *exc_info)
            elif member.conn.get_current_response() is response.head:
                if not _is_little(response.length):
                    # All that share the connection ask again over others.
                    member.conn.close()
                elif exc_type is None:
                    try:
                        await member.conn.discard()
                    except (HTTPIOError, OSError):
                        # Nobody wants the rest, so nobody has to know that it did not come.
                        member.conn.close()
                # Else whoever reads next does that, as if this had been cancelled earlier.
        finally:
            self._leave(member)

    def _may_repeat(self, exc: ConnectionClosed, *, has_content: bool) -> bool:
        """Tell if the request is to be sent again after *exc*."""
        if self._pool._is_closed():
            return False
        if not exc.unanswered and not (self._alone is not None and self._alone.has_begun):
            # Nothing was sent. Later on it may be an exception of what gives the content.
            return True
        return self._idempotent and has_content

    def _is_late(self, member: Member[_C]) -> bool:
        """Tell if a 408 is not for the request, but what a server says before it closes.

        It has waited for a request for too long, and ours has crossed that (RFC 9110 §15.5.9).
        """
        return self._idempotent and self._was_used and not member.conn._is_open()

    async def _attempt(self, member: Member[_C], *, shares: bool) -> Response:
        self._was_used = member.conn._has_answered
        if shares:
            return await self._take_turn(member)
        self._alone = alone = Exchange(
            member.conn,
            self._method,
            self._path,
            self._headers,
            self._body,
            expect100=self._expect100,
            continue_timeout=self._continue_timeout,
        )
        return await alone.__aenter__()

    async def _take_turn(self, member: Member[_C]) -> Response:
        """Send the request, and read its response when those before it were read."""
        conn = member.conn
        queue = self._pool._queue_of(member)
        body: ReadableBuffer | None = self._body  # type: ignore[assignment]  # it is in memory
        async with queue.lock:
            if (
                self._pool._is_closed()
                or not conn._is_usable()
                or (queue.turns and not conn._is_open())
            ):
                # Somebody has lost it. A new one would bring none of the responses that are waited for.
                raise ConnectionClosed(
                    "the connection was closed", reason=CloseReason.CLOSED_LOCALLY
                )
            turn = self._pool._new_turn()
            try:
                await conn.send_request(self._method, self._path, self._headers, body)
            except EarlyResponse:
                # The answer is there, and says what the server has against the rest.
                pass
            # There is no response to one that failed, so that one gets no turn.
            queue.turns.append(turn)
            self._turn = turn
        if queue.turns[0] is not turn:
            await turn.event.wait()
            if queue.turns[0] is not turn:
                raise ConnectionClosed("the pool was closed", reason=CloseReason.CLOSED_LOCALLY)
        try:
            while turn.unread or conn.get_current_response() is not None:
                await self._read_for_others(conn, turn)
            self._was_used = conn._has_answered
            head = await conn.read_response()
        except ConnectionClosed as exc:
            if exc.reason in _BROKEN and not queue.is_broken:
                queue.is_broken = True
                conn._peer.broke(turn.unread + len(queue.turns))
            raise
        turn.is_answered = True
        conn._learn_from(head)
        return Response(conn, head)

    async def _read_for_others(self, conn: _C, turn: Turn) -> None:
        """Read a response that nobody wants, or what is left of it."""
        try:
            head = conn.get_current_response()
            if head is None:
                turn.reads_for_others = True
                head = await conn._read_response_within(_GRACE)
                turn.reads_for_others = False
                turn.unread -= head is not None
            if head is None or not _is_little(head.length):
                # All that share the connection ask again over others.
                conn.close()
            await conn.discard()
        except RemoteProtocolError as exc:
            # It is not the response to this request that is wrong.
            raise ConnectionClosed(
                f"the connection was closed: {exc}", reason=CloseReason.INVALID_RESPONSE
            ) from exc

    def _leave(self, member: Member[_C]) -> None:
        """Let the next one read, and give the connection back."""
        turn, self._turn = self._turn, None
        self._member = self._response = self._alone = None
        if turn is not None:
            self._end_turn(member, turn)
        self._pool._release(member)

    def _end_turn(self, member: Member[_C], turn: Turn) -> None:
        turns = self._pool._queue_of(member).turns
        if turns[0] is not turn:
            turn.is_abandoned = True
            return
        turns.popleft()
        if turn.reads_for_others:
            # It has waited for what somebody before it did not want, and in vain. The next one need not.
            member.conn.close()
        unread = turn.unread + (not turn.is_answered)
        while turns and turns[0].is_abandoned:
            unread += turns.popleft().unread + 1
        if turns:
            turns[0].unread = unread
            turns[0].event.set()
        elif unread or member.conn.get_current_response() is not None:
            # Nobody is left to read that.
            member.conn.close()


def entered_twice() -> StateError:
    """Return what is raised where a block is begun that has not ended yet."""
    return StateError("it is in use already: each `async with` needs a call of its own")


def _is_little(length: int | None) -> bool:
    return length is not None and length <= DRAIN_LIMIT


def _position(body: AsyncRequestBody) -> int | None:
    """Return where to go back to, to send *body* again; `None` if that is not possible."""
    if hasattr(body, "__aiter__"):
        return None if hasattr(body, "__anext__") else 0
    assert not is_in_memory(body)
    return position_of(body)  # type: ignore[arg-type]  # hasattr() does not narrow the other way


def _rewind(body: AsyncRequestBody | None, position: int) -> None:
    if not (body is None or is_in_memory(body) or hasattr(body, "__aiter__")):
        go_back(body, position)
