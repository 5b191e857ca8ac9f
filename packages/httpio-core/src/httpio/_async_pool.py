"""A pool of connections for frameworks of ``async`` and ``await``. Knows no framework.

What is decided is decided by `_pool_policy`; here is waited, asked and asked again. A request has its
connection for itself, unless the pool pipelines: then several tasks send over one connection, and each
reads its response when those before it have read theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from ._async_exchange import DRAIN_LIMIT, Exchange, as_pairs
from ._async_response import Response
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    LocalProtocolError,
    RemoteProtocolError,
    StateError,
)
from ._front_end import FrontEnd
from ._pool_policy import Member, OriginKey, PoolPolicy
from ._replay import pause_before
from ._request import IDEMPOTENT_METHODS
from ._request_content import go_back, is_in_memory, position_of
from ._target import encode_hostname
from ._text import require_str
from ._worker import co_in_thread

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractAsyncContextManager

    from _typeshed import ReadableBuffer

    from ._async_exchange import AsyncRequestBody
    from ._coroutine import PollGenerator
    from ._request import RequestHeaders
    from ._tracing import Tracer

    _T = TypeVar("_T")

_C = TypeVar("_C", bound=FrontEnd)

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
#: After so many connections that were lost although they were old, a request gets a new one: it may be
#: the request that the server does not survive.
_MAX_OLD: Final = 2
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


class PoolStatistics(NamedTuple):
    """What a pool holds: numbers of connections and of waiting tasks."""

    connections: int
    idle: int
    waiting: int


class AsyncPool(ABC, Generic[_C]):
    """What the pools of all adapters have in common."""

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
        proxy_auth: tuple[str, str] | None = None,
        source_address: tuple[str, int] | None = None,
        tracer: Tracer | None = None,
        content_md5: bool = True,
        max_connections: int = 100,
        max_per_origin: int = 10,
        pipeline_depth: int = 1,
        idle_timeout: float = 15.0,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> None:
        if retries < 0 or not backoff >= 0:
            raise LocalProtocolError(
                "a pool needs retries and backoff that are not negative, got "
                f"{retries} and {backoff}"
            )
        if proxy_auth is not None and proxy is None:
            raise LocalProtocolError("proxy_auth was given without a proxy")
        self._ssl_context = ssl_context
        self._proxy: Final = proxy
        self._proxy_auth: Final = proxy_auth
        self._source_address: Final = source_address
        self._tracer: Final = tracer
        self._content_md5: Final = content_md5
        #: New connections that may be lost in a row before a request fails.
        self.retries: Final = retries
        #: Seconds to pause before the second of them is replaced; twice as long before the third.
        self.backoff: Final = backoff
        self._policy: Final = PoolPolicy(
            self._make,
            max_connections=max_connections,
            max_per_origin=max_per_origin,
            depth=pipeline_depth,
            idle_timeout=idle_timeout,
        )
        #: Whether requests may share a connection.
        self.is_pipelining: Final = pipeline_depth > 1
        self._queues: Final[dict[FrontEnd, SharedQueue]] = {}

    # For the adapters

    @abstractmethod
    def _new_connection(
        self,
        hostname: str,
        port: int,
        ssl_context: ssl.SSLContext | None,
        proxy: tuple[str, int] | None,
        *,
        proxy_auth: tuple[str, str] | None,
        source_address: tuple[str, int] | None,
        tracer: Tracer | None,
        content_md5: bool,
    ) -> _C:
        """Return a connection object of the framework."""

    @abstractmethod
    def _new_event(self) -> Event:
        """Return an event of the framework."""

    @abstractmethod
    def _new_lock(self) -> AbstractAsyncContextManager[object]:
        """Return a lock of the framework that is fair."""

    @abstractmethod
    async def _run(self, coroutine: PollGenerator[_T]) -> _T:
        """Run a coroutine of the core."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed. For this package."""

    # For the users

    def request(
        self,
        method: str,
        url: str,
        headers: RequestHeaders | None = None,
        body: AsyncRequestBody | None = None,
        *,
        idempotent: bool | None = None,
        expect100: bool = False,
        continue_timeout: float = 1.0,
    ) -> AbstractAsyncContextManager[Response]:
        """Make a request, over a connection that is there or a new one.

        ::

            async with pool.request("GET", "http://localhost:8000/hello.txt") as response:
                print(response.status, await response.readall())

        *url* is an absolute ``http`` or ``https`` URL, percent-encoded; what follows a ``#`` is not
        sent. For *headers*, *body*, *expect100* and *continue_timeout* see the connection's
        ``request``. *idempotent* says whether sending the request twice does the same as sending it
        once; by default the method decides (RFC 9110 §9.2.2).

        When the connection is lost before there is a response, such a request is sent again, if its
        *body* can be had again. Another one is not, unless nothing of it was sent. Connections that had
        answered before do not count, because servers close old ones; when two were lost, the request
        gets a new one for itself. New ones that are lost are replaced up to ``retries`` times, with
        pauses as those of `httpio.HTTPConnection.pipeline`.

        On exit the connection goes back to the pool, as it does when this is cancelled. Raises
        `httpio.LocalProtocolError` for a URL or request that must not be sent, `httpio.StateError` if the pool is
        closed, and otherwise what the connection's ``request`` raises.
        """
        key, path = split_url(url)
        if idempotent is None:
            idempotent = method in IDEMPOTENT_METHODS
        return PoolExchange(
            self,
            key,
            method,
            path,
            headers,
            body,
            idempotent=idempotent,
            expect100=expect100,
            continue_timeout=continue_timeout,
        )

    def connection(self, url: str) -> AbstractAsyncContextManager[_C]:
        """Have a connection to the server of *url* for more than one request, and for nobody else.

        ::

            async with pool.connection("http://localhost:8000") as conn:
                async for response in conn.pipeline(requests):
                    ...

        It may turn out on first use that the server has closed it. On exit it goes back to the pool,
        or is closed if anything is under way on it. Raises what `request` raises for *url*.
        """
        return PoolLease(self, split_url(url)[0])

    def close_idle(self) -> None:
        """Close the connections that are not in use.

        Those that have been idle for too long are closed when another one is asked for.
        """
        self._policy.close_idle()

    def statistics(self) -> PoolStatistics:
        """Return how many connections there are, and how many tasks wait for one."""
        policy = self._policy
        return PoolStatistics(policy.connections, policy.idle, policy.waiting)

    async def aclose(self) -> None:
        """Close all connections, those in use as well, and refuse all requests.

        Tasks that use one get `httpio.ConnectionClosed`, those that wait for one `httpio.StateError`.
        """
        self._policy.close()
        await self.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # For the classes below

    async def acquire(
        self, key: OriginKey, *, is_exclusive: bool, is_new: bool = False
    ) -> Member[_C]:
        """Return a connection to *key*, when there is one. For this package."""
        policy = self._policy
        if key[0] == "https" and self._ssl_context is None:
            import ssl

            # It reads the system's certificates, which takes tens of milliseconds.
            context = await self._run(co_in_thread(lambda _: ssl.create_default_context()))
            if self._ssl_context is None:
                self._ssl_context = context
        if self.is_closed():
            raise StateError("the pool was closed")
        ticket = policy.ask(key, is_exclusive=is_exclusive, is_new=is_new)
        if not ticket.is_over:
            event = self._new_event()
            ticket.on_served = event.set
            try:
                await event.wait()
            except BaseException:
                if ticket.member is None:
                    policy.withdraw(ticket)
                else:
                    self.release(ticket.member)
                raise
        if ticket.error is not None:
            raise ticket.error
        member = ticket.member
        if member is not None and not self.is_closed():
            return member
        if member is not None:
            # It was handed out just before, and would connect again.
            self.release(member)
        raise StateError("the pool was closed")

    def release(self, member: Member[_C]) -> None:
        """Give *member* back. For this package."""
        if member.users == 1:
            self._queues.pop(member.conn, None)
        self._policy.give_back(member)

    def is_closed(self) -> bool:
        """Tell if the pool was closed."""
        return self._policy.is_closed

    def queue_of(self, member: Member[_C]) -> SharedQueue:
        """Return the order in which *member* is used. For this package."""
        queue = self._queues.get(member.conn)
        if queue is None:
            queue = self._queues[member.conn] = SharedQueue(self._new_lock())
        return queue

    def new_turn(self) -> Turn:
        """Return somebody's turn to read a response. For this package."""
        return Turn(self._new_event())

    def _make(self, key: OriginKey) -> _C:
        scheme, hostname, port = key
        return self._new_connection(
            hostname,
            port,
            self._ssl_context if scheme == "https" else None,
            self._proxy,
            proxy_auth=self._proxy_auth,
            source_address=self._source_address,
            tracer=self._tracer,
            content_md5=self._content_md5,
        )


class PoolLease(Generic[_C]):
    """A connection that is used for more than one request."""

    def __init__(self, pool: AsyncPool[_C], key: OriginKey) -> None:
        self._pool: Final = pool
        self._key: Final = key
        self._member: Member[_C] | None = None

    async def __aenter__(self) -> _C:
        self._member = member = await self._pool.acquire(self._key, is_exclusive=True)
        return member.conn

    async def __aexit__(self, *exc_info: object) -> None:
        member, self._member = self._member, None
        if member is not None:
            self._pool.release(member)


class Turn:
    """The place of a request among those that share a connection."""

    __slots__ = ("event", "is_abandoned", "is_answered", "unread")

    def __init__(self, event: Event) -> None:
        self.event: Final = event
        #: Whoever sent it does not want the response.
        self.is_abandoned = False
        #: The head of its response was read.
        self.is_answered = False
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


class PoolExchange(Generic[_C]):
    """A request over a connection of a pool, and its response."""

    def __init__(
        self,
        pool: AsyncPool[_C],
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
        self._member: Member[_C] | None = None
        #: How it is done: alone, or in turns with others.
        self._alone: Exchange | None = None
        self._turn: Turn | None = None
        self._response: Response | None = None
        #: The connection had brought a response before.
        self._was_used = False

    async def __aenter__(self) -> Response:
        body = self._body
        in_memory = body is None or is_in_memory(body)
        position = None if body is None or in_memory else _position(body)
        shares = self._pool.is_pipelining and self._idempotent and in_memory and not self._expect100
        has_content = in_memory or position is not None
        failures = old = 0
        while True:
            is_new = old >= _MAX_OLD
            self._member = member = await self._pool.acquire(
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
                if not again or failures > self._pool.retries:
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
            if pause := pause_before(failures, self._pool.backoff):
                await self._pool.sleep(pause)

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        member, response = self._member, self._response
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
                    await member.conn.discard()
                # Else whoever reads next does that, as if this had been cancelled earlier.
        finally:
            self._leave(member)

    def _may_repeat(self, exc: ConnectionClosed, *, has_content: bool) -> bool:
        """Tell if the request is to be sent again after *exc*."""
        if self._pool.is_closed():
            return False
        if not exc.unanswered and not (self._alone is not None and self._alone.has_begun):
            # Nothing was sent. Later on it may be an exception of what gives the content.
            return True
        return self._idempotent and has_content

    def _is_late(self, member: Member[_C]) -> bool:
        """Tell if a 408 is not for the request, but what a server says before it closes.

        It has waited for a request for too long, and ours has crossed that (RFC 9110 §15.5.9).
        """
        return self._idempotent and self._was_used and not member.conn.is_open()

    async def _attempt(self, member: Member[_C], *, shares: bool) -> Response:
        self._was_used = member.conn.has_answered
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
        queue = self._pool.queue_of(member)
        body: ReadableBuffer | None = self._body  # type: ignore[assignment]  # it is in memory
        async with queue.lock:
            if (
                self._pool.is_closed()
                or not conn.is_usable()
                or (queue.turns and not conn.is_open())
            ):
                # Somebody has lost it. A new one would bring none of the responses that are waited for.
                raise ConnectionClosed(
                    "the connection was closed", reason=CloseReason.CLOSED_LOCALLY
                )
            turn = self._pool.new_turn()
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
        try:
            while turn.unread or conn.get_current_response() is not None:
                await self._read_for_others(conn, turn)
            self._was_used = conn.has_answered
            head = await conn.read_response()
        except ConnectionClosed as exc:
            if exc.reason in _BROKEN and not queue.is_broken:
                queue.is_broken = True
                conn.peer.broke(turn.unread + len(queue.turns))
            raise
        turn.is_answered = True
        conn.learn_from(head)
        return Response(conn, head)

    async def _read_for_others(self, conn: _C, turn: Turn) -> None:
        """Read a response that nobody wants, or what is left of it."""
        try:
            head = conn.get_current_response()
            if head is None:
                head = await conn.read_response()
                turn.unread -= 1
            if not _is_little(head.length):
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
        self._pool.release(member)

    def _end_turn(self, member: Member[_C], turn: Turn) -> None:
        turns = self._pool.queue_of(member).turns
        if turns[0] is not turn:
            turn.is_abandoned = True
            return
        turns.popleft()
        unread = turn.unread + (not turn.is_answered)
        while turns and turns[0].is_abandoned:
            unread += turns.popleft().unread + 1
        if turns:
            turns[0].unread = unread
            turns[0].event.set()
        elif unread or member.conn.get_current_response() is not None:
            # Nobody is left to read that.
            member.conn.close()


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


def split_url(url: str) -> tuple[OriginKey, str]:
    """Return scheme, host name and port of *url*, and its path with its query.

    Raises `httpio.LocalProtocolError` if it is not an absolute ``http`` or ``https`` URL, or if it has user
    information in it (RFC 9110 §4.2.4).
    """
    require_str("URLs", url)
    if " " in url or not url.isprintable():
        # urlsplit() would drop some of these.
        raise LocalProtocolError(f"there are blanks or control characters in the URL {url!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise LocalProtocolError(f"{url!r} is no URL: {exc}") from exc
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise LocalProtocolError(
            f"expected an absolute URL such as 'http://localhost:8000/', got {url!r}"
        )
    if "@" in parts.netloc:
        raise LocalProtocolError(
            "a URL with a user name or password is not used (RFC 9110 §4.2.4): send an "
            "Authorization field"
        )
    if port == 0:
        raise LocalProtocolError(f"expected a port from 1 to 65535 in {url!r}")
    host, colon, _ = parts.netloc.rpartition(":")
    # Not parts.hostname, which does not have what follows an IPv6 address in brackets.
    encode_hostname(host if colon and not parts.netloc.endswith("]") else parts.netloc)
    key = (parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])
    # Not what urlsplit() makes of it, which loses a final question mark.
    path = url.partition("#")[0].partition("://")[2]
    start = min((path.find(mark) for mark in "/?" if mark in path), default=len(path))
    path = path[start:]
    return key, path if path.startswith("/") else f"/{path}"
