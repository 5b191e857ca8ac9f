"""`ConnectionPool` for asyncio: what `httpio._async_pool` leaves to the framework."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from httpio._async_pool import AsyncPool

from ._connection import HTTPConnection
from ._driver import run

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from httpio import PollGenerator
    from httpio._pool_exchange import Event

_T = TypeVar("_T")


class ConnectionPool(AsyncPool[HTTPConnection]):
    """Connections to any number of HTTP/1.1 servers, for asyncio.

    Requests get a connection that is there, or a new one: up to *max_connections* in all, and
    *max_per_origin* to one origin. If there is none to be had they wait, those to one origin in the
    order in which they came. A connection that was idle for more than *idle_timeout* seconds is not
    used any more; each one is looked at before it is used, because servers close them as well.

    With *pipeline_depth* above 1, up to so many requests that are idempotent and have their content
    in memory share a connection, once all are in use and the server has shown that it keeps them
    open. Responses come in the order of the requests, so a slow one keeps those behind it waiting.

    *ssl_context* is for ``https``; without one, the system's certificates are used. *proxy*,
    *proxy_auth*, *source_address*, *tracer*, *content_md5* and *resolver* are those of the
    connections;
    *retries* and *backoff* are explained at `httpio_aio.ConnectionPool.request`. All is for one event loop at a time.

    Raises `httpio.LocalProtocolError` for numbers that make no sense.
    """

    _connection_type = HTTPConnection

    def _new_event(self) -> Event:
        return asyncio.Event()

    def _new_lock(self) -> AbstractAsyncContextManager[object]:
        return asyncio.Lock()

    async def _run(self, coroutine: PollGenerator[_T]) -> _T:
        return await run(coroutine)

    async def _sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed."""
        await asyncio.sleep(seconds)
