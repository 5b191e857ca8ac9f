"""`FrontEnd`: `HTTPConnection` for frameworks of ``async`` and ``await``.

Knows no framework. An adapter says how a coroutine is driven, and how long something may take; all
else is here, so that it is the same under all of them. A method has the name, the parameters and the
result of the blocking one; what it does and raises is said at the ``co_`` method of
`httpio.HTTPConnection`.
"""

from __future__ import annotations

from abc import abstractmethod

from ._async_exchange import Exchange
from ._async_many import AsyncManyRequests
from ._async_response import PIECE_SIZE, BodyIterator
from ._connection import HTTPConnection
from ._exceptions import CloseReason, InvalidResponse, StateError
from ._state import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Literal, Self, overload

    from _typeshed import ReadableBuffer, WriteableBuffer

    from ._async_exchange import AsyncRequestBody
    from ._async_response import Response
    from ._messages import BodyFollowing, HTTPResponse
    from ._native import NativeRuntime
    from ._replay import Peer, Pipelining
    from ._request import RequestHeaders, SupportsRead
    from ._resolver import Resolver
    from ._tracing import Tracer


class FrontEnd(AsyncManyRequests):
    """What the connections of all adapters have in common."""

    def __init__(
        self,
        hostname: str,
        port: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
        *,
        proxy_auth: tuple[str, str] | None = None,
        unix_socket: str | None = None,
        source_address: tuple[str, int] | None = None,
        tracer: Tracer | None = None,
        content_md5: bool = True,
        resolver: Resolver | None = None,
    ) -> None:
        self._core = HTTPConnection(
            hostname,
            port,
            ssl_context,
            proxy,
            proxy_auth=proxy_auth,
            unix_socket=unix_socket,
            source_address=source_address,
            tracer=tracer,
            content_md5=content_md5,
            resolver=resolver,
        )
        #: A task is in a call that receives.
        self._is_receiving = False
        self._core._runtime = self._prepare()

    # For the adapters

    @abstractmethod
    def _prepare(self) -> NativeRuntime:
        """Get ready, at the end of the constructor; return what looks up names and knows the time."""

    @abstractmethod
    async def _read_response_within(self, seconds: float) -> HTTPResponse | None:
        """Read the head of the next response; `None` if it has not come within *seconds*.

        Nothing is lost then: `read_response` can still return it. Raises what that raises.
        """

    @abstractmethod
    def _interrupt_waits(self) -> None:
        """End all waits of other tasks for something else than the open connection."""

    def _refuse_second_receiver(self) -> StateError:
        return StateError(
            "another task is receiving from this connection; one task may send and one receive"
        )

    # What it is

    @property
    def hostname(self) -> str:
        """Host name that requests are for."""
        return self._core.hostname

    @property
    def port(self) -> int:
        """Port that requests are for."""
        return self._core.port

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """How to do TLS, or `None` for plain HTTP."""
        return self._core.ssl_context

    @property
    def proxy(self) -> tuple[str, int] | None:
        """``(hostname, port)`` of the proxy, or `None`."""
        return self._core.proxy

    @property
    def unix_socket(self) -> str | None:
        """Path of the unix socket to connect to instead of `hostname`, or `None`."""
        return self._core.unix_socket

    @property
    def source_address(self) -> tuple[str, int] | None:
        """``(host, port)`` to connect from, or `None` for whatever the system chooses."""
        return self._core.source_address

    @property
    def content_md5(self) -> bool:
        """Whether Content-MD5 is added to requests whose body is passed along."""
        return self._core.content_md5

    @property
    def pipelining(self) -> Pipelining:
        """What `pipeline` has learnt of the server, over all connections to it."""
        return self._core.pipelining

    @property
    def closed(self) -> bool:
        """Whether the connection was closed by this program, and none opened since."""
        return self._core.closed

    # Opening and closing

    async def connect(self) -> None:
        """Connect to the server; the first request does so by itself.

        See `httpio.HTTPConnection.co_connect`.
        """
        await self._drive(self._core.co_connect())

    def close(self) -> None:
        """Close the connection, with TLS close_notify where that belongs.

        Responses that were not read are lost, and other tasks that wait for something on this
        connection get `httpio.ConnectionClosed`. The object stays usable: the next request opens a new
        connection. The same as `disconnect`.
        """
        self._core.close()
        self._interrupt_waits()

    def disconnect(self) -> None:
        """Close the connection. The same as `close`."""
        self.close()

    def reset(self) -> None:
        """Close the connection, whatever state it is in, and get ready for a new one."""
        self._core.reset()
        self._interrupt_waits()

    async def aclose(self) -> None:
        """Close the connection; see `close`. It waits for nothing that comes from the network."""
        self.close()
        await self._checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def detach(self) -> tuple[socket.socket, bytes]:
        """Hand over the socket, after a 101 response or a 2xx response to CONNECT.

        See `httpio.HTTPConnection.detach`. The socket is non-blocking and not watched by the event
        loop any more.
        """
        return self._core.detach()

    # Sending

    async def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> None:
        """Send a request, and its body if that is passed along.

        See `httpio.HTTPConnection.co_send_request`.
        """
        await self._drive(self._core.co_send_request(method, path, headers, body, expect100))

    async def write(self, buf: ReadableBuffer, partial: bool = False) -> int:
        """Send content of the request that was sent with `httpio.BodyFollowing`.

        See `httpio.HTTPConnection.co_write`.
        """
        return await self._drive(self._core.co_write(buf, partial))

    async def finish_body(self, trailers: RequestHeaders | None = None) -> None:
        """End a body that is sent in chunks; see `httpio.HTTPConnection.co_finish_body`."""
        await self._drive(self._core.co_finish_body(trailers))

    async def sendfile(self, file: SupportsRead) -> int:
        """Send content from a file; see `httpio.HTTPConnection.co_sendfile`.

        Reading *file* may block, as files do.
        """
        return await self._drive(self._core.co_sendfile(file))

    def proceed_without_continue(self) -> None:
        """Send the content although no ``100`` response came; a late one is skipped."""
        self._core.proceed_without_continue()

    # Receiving

    async def read_response(self) -> HTTPResponse:
        """Read the head of the next response; see `httpio.HTTPConnection.co_read_response`."""
        return await self._drive(self._core.co_read_response(), True)

    async def read(self, size: int | None = None) -> bytes:
        """Read up to *size* bytes of content; see `httpio.HTTPConnection.co_read`."""
        return await self._drive(self._core.co_read(size), True)

    async def readall(self) -> bytes:
        """Read what is left of the content; see `httpio.HTTPConnection.co_readall`."""
        return await self._drive(self._core.co_readall(), True)

    async def readinto(self, buf: WriteableBuffer) -> int:
        """Read content into *buf*; see `httpio.HTTPConnection.co_readinto`."""
        return await self._drive(self._core.co_readinto(buf), True)

    async def discard(self) -> None:
        """Read what is left of the content and drop it."""
        await self._drive(self._core.co_discard(), True)

    async def read_raw(self, size: int) -> bytes:
        """Read up to *size* bytes as they came; see `httpio.HTTPConnection.co_read_raw`."""
        return await self._drive(self._core.co_read_raw(size), True)

    def iter_body(self, size: int = PIECE_SIZE) -> AsyncIterator[bytes]:
        """Iterate over the content of the current response, in pieces of up to *size* bytes."""
        return BodyIterator(self.read, size)

    def response_pending(self) -> bool:
        """Tell if a response is outstanding, or was not read to its end."""
        return self._core.response_pending()

    def get_current_response(self) -> HTTPResponse | None:
        """Return the response whose content is being read, `None` if there is none."""
        return self._core.get_current_response()

    # Both

    def request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: AsyncRequestBody | None = None,
        *,
        expect100: bool = False,
        continue_timeout: float = 1.0,
    ) -> AbstractAsyncContextManager[Response]:
        """Make a request, and see to its response.

        ::

            async with conn.request("PUT", "/document", body=pieces) as response:
                print(response.status, await response.readall())

        *body* is the content: bytes-like, a binary file, or an iterable or asynchronous iterable of
        bytes-like pieces. If its length cannot be told and is not among *headers* as Content-Length,
        it is sent in chunks. With *expect100*, the server is asked first (RFC 9110 §10.1.1); after
        *continue_timeout* seconds without an answer the content is sent all the same. A server may
        answer before it has read all of it; the rest is not sent then.

        On exit, what is left of the response is read if it is little; otherwise, and after an
        exception, the connection is closed, and the next request opens a new one.

        On entry raises what `send_request`, `write` and `read_response` raise, `httpio.StateError` if a
        response is outstanding, and whatever the iterable raises. Unless nothing was sent, the
        connection is closed then, as when the task is cancelled.
        """
        return Exchange(
            self,
            method,
            path,
            headers,
            body,
            expect100=expect100,
            continue_timeout=continue_timeout,
        )

    def _is_usable(self) -> bool:
        """Tell if the next request can be sent, over a new connection if need be."""
        state = self._core._state
        return state.close_reason is None or state.reopens

    def _is_free(self) -> bool:
        """Tell if the next request can be sent, and would disturb nobody."""
        state = self._core._state
        if state.close_reason is not None:
            return state.reopens
        return self._has_nothing_under_way() and self._core._connecting is not state

    def _abandon(self) -> None:
        """Get ready for another request, whatever the last one has left behind."""
        if not self._has_nothing_under_way():
            self.reset()

    def _has_nothing_under_way(self) -> bool:
        state = self._core._state
        return (
            not state.outstanding
            and state.sending is Sending.IDLE
            and state.close_reason is None
            and self._core._pipeline is None
        )

    # For pools

    def _is_idle(self) -> bool:
        """Tell if there is a connection, and nothing is under way on it."""
        return not self._core._transport.closed and self._has_nothing_under_way()

    def _is_alive(self) -> bool:
        """Tell if the server has neither closed an idle connection nor sent anything over it."""
        if self._core._transport.closed:
            return False
        try:
            self._core._receiver.check_idle()
        except (OSError, InvalidResponse):
            # With TLS it may be an `ssl.SSLError`, too.
            return False
        return True

    def _is_open(self) -> bool:
        """Tell if there is a connection over which another request can be sent."""
        return not self._core._transport.closed and self._core._state.close_reason is None

    def _window(self, depth: int) -> int:
        """Return how many requests may be under way at once, of *depth* that are wanted."""
        state = self._core._state
        if state.close_reason is not None:
            return 0
        return self._core._peer.window(depth, state.answered)

    def _learn_from(self, head: HTTPResponse) -> None:
        """Note what *head*, which was read just now, tells of the server."""
        state = self._core._state
        if state.close_reason is CloseReason.SERVER_ANNOUNCED_CLOSE:
            self._core._peer.closed_as_announced(state.answered + state.in_body)
        elif state.close_reason is None and head.version == "1.1":
            self._core._peer.persists()

    @property
    def _has_answered(self) -> bool:
        """Whether a complete response has come over the present connection."""
        return self._core._state.answered > 0

    @property
    def _peer(self) -> Peer:
        """What is known of the server's ways."""
        return self._core._peer

    @_peer.setter
    def _peer(self, peer: Peer) -> None:
        self._core._peer = peer

    # Looking

    def fileno(self) -> int:
        """Return the file descriptor of the connection's socket; see `httpio.HTTPConnection.fileno`."""
        return self._core.fileno()

    def socket_fileno(self) -> int:
        """Return the file descriptor of the connection's socket. The same as `fileno`."""
        return self._core.fileno()

    async def get_ssl_cipher(self) -> tuple[str, str, int] | None:
        """Return name, protocol version and secret bits of the cipher, `None` without TLS.

        Connects if there is no connection. See `ssl.SSLSocket.cipher`.
        """
        await self._connect_for_tls()
        return self._core.get_ssl_cipher()

    if TYPE_CHECKING:

        @overload
        async def get_ssl_peercert(
            self, binary_form: Literal[False] = False
        ) -> Mapping[str, object] | None: ...
        @overload
        async def get_ssl_peercert(self, binary_form: Literal[True]) -> bytes | None: ...

    async def get_ssl_peercert(
        self, binary_form: bool = False
    ) -> Mapping[str, object] | bytes | None:
        """Return the server's certificate, `None` without TLS.

        Connects if there is no connection. See `httpio.HTTPConnection.get_ssl_peercert`.
        """
        await self._connect_for_tls()
        return self._core.get_ssl_peercert(True) if binary_form else self._core.get_ssl_peercert()

    async def _connect_for_tls(self) -> None:
        if self._core.ssl_context is not None and self._core._transport.closed:
            await self.connect()
        else:
            await self._checkpoint()
