"""A pool of connections for frameworks of ``async`` and ``await``. Knows no framework.

Who gets which connection is decided by `_pool_policy`, what becomes of a request by `_pool_exchange`;
here is waited.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Self, TypeVar

from ._exceptions import LocalProtocolError, StateError
from ._front_end import FrontEnd
from ._pool_exchange import PoolExchange, SharedQueue, Turn, entered_twice
from ._pool_policy import Member, PoolPolicy
from ._request import IDEMPOTENT_METHODS
from ._url import split_url
from ._worker import co_in_thread

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractAsyncContextManager

    from ._async_exchange import AsyncRequestBody
    from ._async_response import Response
    from ._coroutine import PollGenerator
    from ._pool_exchange import Event
    from ._request import RequestHeaders
    from ._resolver import Resolver
    from ._tracing import Tracer
    from ._url import OriginKey

    _T = TypeVar("_T")

_C = TypeVar("_C", bound=FrontEnd)


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
        resolver: Resolver | None = None,
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
        self._resolver: Final = resolver
        #: New connections that may be lost in a row before a request fails.
        self._retries: Final = retries
        #: Seconds to pause before the second of them is replaced; twice as long before the third.
        self._backoff: Final = backoff
        self._policy: Final = PoolPolicy(
            self._make,
            max_connections=max_connections,
            max_per_origin=max_per_origin,
            depth=pipeline_depth,
            idle_timeout=idle_timeout,
        )
        #: Whether requests may share a connection.
        self._is_pipelining: Final = pipeline_depth > 1
        self._queues: Final[dict[FrontEnd, SharedQueue]] = {}

    # For the adapters

    #: The class of the framework's connections.
    _connection_type: type[_C]

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
    async def _sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed."""

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
        for queue in self._queues.values():
            queue.wake_all()
        await self._sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # For the classes below

    async def _acquire(
        self, key: OriginKey, *, is_exclusive: bool, is_new: bool = False
    ) -> Member[_C]:
        """Return a connection to *key*, when there is one."""
        policy = self._policy
        if key[0] == "https" and self._ssl_context is None:
            import ssl

            # It reads the system's certificates, which takes tens of milliseconds.
            context = await self._run(co_in_thread(lambda _: ssl.create_default_context()))
            if self._ssl_context is None:
                self._ssl_context = context
        if self._is_closed():
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
                    self._release(ticket.member)
                raise
        if ticket.error is not None:
            raise ticket.error
        member = ticket.member
        if member is not None and not self._is_closed():
            return member
        if member is not None:
            # It was handed out just before, and would connect again.
            self._release(member)
        raise StateError("the pool was closed")

    def _release(self, member: Member[_C]) -> None:
        """Give *member* back."""
        if member.users == 1:
            self._queues.pop(member.conn, None)
        self._policy.give_back(member)

    def _is_closed(self) -> bool:
        """Tell if the pool was closed."""
        return self._policy.is_closed

    def _queue_of(self, member: Member[_C]) -> SharedQueue:
        """Return the order in which *member* is used."""
        queue = self._queues.get(member.conn)
        if queue is None:
            queue = self._queues[member.conn] = SharedQueue(self._new_lock())
        return queue

    def _new_turn(self) -> Turn:
        """Return somebody's turn to read a response."""
        return Turn(self._new_event())

    def _make(self, key: OriginKey) -> _C:
        scheme, hostname, port = key
        return self._connection_type(
            hostname,
            port,
            self._ssl_context if scheme == "https" else None,
            self._proxy,
            proxy_auth=self._proxy_auth,
            source_address=self._source_address,
            tracer=self._tracer,
            content_md5=self._content_md5,
            resolver=self._resolver,
        )


class PoolLease(Generic[_C]):
    """A connection that is used for more than one request."""

    def __init__(self, pool: AsyncPool[_C], key: OriginKey) -> None:
        self._pool: Final = pool
        self._key: Final = key
        self._is_entered = False
        self._member: Member[_C] | None = None

    async def __aenter__(self) -> _C:
        if self._is_entered:
            raise entered_twice()
        self._is_entered = True
        try:
            self._member = member = await self._pool._acquire(self._key, is_exclusive=True)
        except BaseException:
            self._is_entered = False
            raise
        return member.conn

    async def __aexit__(self, *exc_info: object) -> None:
        member, self._member = self._member, None
        self._is_entered = False
        if member is not None:
            self._pool._release(member)
