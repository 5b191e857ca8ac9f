"""Opening and closing: what `HTTPConnection` is apart from requests and responses.

Joins connect, proxy and TLS to a transport, and makes the pair of halves that works on it. Each
network connection has a pair and a state of its own: a coroutine that was left over from an earlier
one finds that one closed, whatever has been opened since.
"""

from __future__ import annotations

from ._blocking import run
from ._buffer import ReceiveBuffer
from ._bulk import BulkReceiver
from ._connect import co_connect_tcp, co_connect_unix, co_tls_handshake
from ._coroutine import coroutine
from ._encoders import basic_credentials
from ._exceptions import CloseReason, ConnectionClosed, LocalProtocolError, StateError
from ._origin import Origin
from ._parser import Limits
from ._proxy import co_open_tunnel
from ._replay import Peer, Pipelining
from ._runtime import THREADS
from ._sendfile import FileSender
from ._state import State
from ._target import encode_authority
from ._text import require_str
from ._tracing import GuardedTracer, tracer_from_environment
from ._transport import NoTransport, TLSTransport, Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping
    from typing import Final, Literal, Protocol, Self, TypeVar, overload

    from ._coroutine import PollCoroutine, PollGenerator
    from ._resolver import Resolver
    from ._runtime import Runtime
    from ._tracing import Tracer

    _T = TypeVar("_T")

    class Driver(Protocol):
        """A pipeline, as far as a connection has to know of it."""

        def co_while_sending(self, receiving: PollGenerator[_T]) -> PollCoroutine[_T]:
            """Run *receiving*, and send meanwhile."""
            ...

        def release(self) -> bool:
            """Let go of the connection if nothing is left to be done; return if that is so."""


HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443


def _check_port(what: str, port: object) -> None:
    """Raise unless *port*, which is *what*, can be one."""
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"expected {what} as int, got {port!r}")
    if not 0 < port < 65536:
        raise LocalProtocolError(f"expected {what} from 1 to 65535, got {port}")


class Lifecycle:
    """A place to connect to, and the connection to it while there is one."""

    def __init__(
        self,
        hostname: str,
        port: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
        *,
        proxy_auth: tuple[str, str] | None = None,
        unix_socket: str | None = None,
        timeout: float | None = None,
        source_address: tuple[str, int] | None = None,
        tracer: Tracer | None = None,
        content_md5: bool = True,
        resolver: Resolver | None = None,
    ) -> None:
        require_str("host names", hostname)
        default_port = HTTP_PORT if ssl_context is None else HTTPS_PORT
        if port is None:
            port = default_port
        _check_port("a port", port)
        if proxy is not None:
            if unix_socket is not None:
                raise LocalProtocolError("a unix socket cannot be reached through a proxy")
            encode_authority(*proxy, None)
            _check_port("a proxy's port", proxy[1])
        elif proxy_auth is not None:
            raise LocalProtocolError("proxy_auth was given without a proxy")
        #: Host name that requests are for, as it was given.
        self.hostname: Final = hostname.removeprefix("[").removesuffix("]")
        #: Port that requests are for.
        self.port: Final = port
        #: How to do TLS, or `None` for plain HTTP.
        self.ssl_context: Final = ssl_context
        #: ``(hostname, port)`` of the proxy, or `None`.
        self.proxy: Final = proxy
        #: Path of the unix socket to connect to instead of `hostname`, or `None`.
        self.unix_socket: Final = unix_socket
        #: ``(host, port)`` to connect from, or `None` for whatever the system chooses.
        self.source_address: Final = source_address
        #: Longest wait of a blocking call, in seconds: 0 never waits, `None` waits for ever.
        self.timeout = timeout
        #: Whether Content-MD5 is added to requests whose body is passed along.
        self.content_md5 = content_md5
        self._resolver: Final = resolver
        tracer = tracer if tracer is not None else tracer_from_environment()
        self._tracer: Final = GuardedTracer(tracer) if tracer is not None else None
        self._proxy_credentials: Final = basic_credentials(*proxy_auth) if proxy_auth else None
        plain_proxy = proxy is not None and ssl_context is None
        self._origin: Final = Origin(
            encode_authority(hostname, port, default_port),
            through_proxy=plain_proxy,
            # To a server behind a tunnel they are of no concern.
            credentials=self._proxy_credentials if plain_proxy else None,
        )
        #: What pipelines have learnt of the server. A pool has its connections share it.
        self._peer = Peer()
        #: The one that is under way.
        self._pipeline: Driver | None = None
        #: That of the connection that is being opened.
        self._connecting: State | None = None
        #: Looks names up and knows the time. An adapter may have its event loop do that.
        self._runtime: Runtime = THREADS
        self._not_connected()

    def _not_connected(self) -> None:
        """Forget what was: the next request opens a connection."""
        self._use(NoTransport(), Limits(), ReceiveBuffer(0))

    def _use(self, transport: Transport, limits: Limits, buffer: ReceiveBuffer) -> None:
        """Have *transport* send and receive from now on."""
        self._transport = transport
        self._state = State()
        self._receiver = BulkReceiver(transport, self._state, buffer, limits, self._tracer)
        self._sender = FileSender(transport, self._state, self._receiver, self._tracer)

    # Opening

    def co_connect(self) -> PollCoroutine[None]:
        """Connect to the server, through the proxy and with TLS where so configured.

        Never blocks: name resolution, TCP connect and handshakes all yield. There is nothing to do
        if a connection is open. The first request calls this, so it is rarely needed by hand.

        Raises `HostnameNotResolvable` or `DNSUnavailable`, `OSError` if no address answers,
        `ProxyError` if the proxy does not want to, `ssl.SSLError` if a certificate fails, and
        `ConnectionClosed` if an earlier connection was lost and `reset` not called since.
        """
        return self._co_connect()

    def connect(self) -> None:
        """Connect to the server, through the proxy and with TLS where so configured.

        `co_connect` without blocking. Raises what that raises, and `ConnectionTimedOut`.
        """
        return run(self.co_connect(), self.timeout)

    @coroutine
    def _co_connect(self) -> PollGenerator[None]:
        self._reopen()
        if not self._transport.closed:
            return
        state = self._state
        if self._connecting is state:
            raise StateError("the connection is being opened by another thread or task")
        self._connecting = state
        try:
            limits = Limits.current()
            transport = yield from self._co_open_transport(limits)
            if self._state is not state or state.close_reason is not None:
                transport.close()
                raise ConnectionClosed(
                    "the connection was closed while it was being opened",
                    reason=CloseReason.CLOSED_LOCALLY,
                )
            self._use(transport, limits, ReceiveBuffer(limits.buffer_size))
        finally:
            # After a close() in between, another one may be under way.
            if self._connecting is state:
                self._connecting = None

    def _reopen(self) -> None:
        """Get ready for a new connection, if the one before allows that; else raise."""
        state = self._state
        if state.close_reason is None:
            return
        if not state.reopens:
            if state.close_reason is CloseReason.CLOSE_REQUESTED:
                raise StateError(
                    "the last request asked for the connection to be closed: read its response "
                    "first, the next request then opens a new connection"
                )
            if state.close_reason is CloseReason.CONTENT_NOT_WANTED:
                raise StateError(
                    "the server answered a request without waiting for its content: read that "
                    "response first, the next request then opens a new connection"
                )
            raise state.closed_error()
        self._renew()

    @coroutine
    def _co_open_transport(self, limits: Limits) -> PollGenerator[Transport]:
        tracer = self._tracer
        if self.unix_socket is not None:
            sock = yield from co_connect_unix(self.unix_socket, tracer, self._runtime)
        else:
            host, port = self.proxy or (self.hostname, self.port)
            host = host.removeprefix("[").removesuffix("]")
            sock = yield from co_connect_tcp(
                host, port, self.source_address, tracer, self._runtime, self._resolver
            )
        if self.ssl_context is None:
            return Transport(sock, tracer)
        if self.proxy is not None:
            yield from self._co_open_tunnel(sock, limits)
        tls = yield from co_tls_handshake(sock, self.ssl_context, self.hostname, tracer)
        return TLSTransport(tls, tracer)

    @coroutine
    def _co_open_tunnel(self, sock: socket.socket, limits: Limits) -> PollGenerator[None]:
        transport = Transport(sock, self._tracer)
        authority = encode_authority(self.hostname, self.port, None)
        opened = False
        try:
            yield from co_open_tunnel(
                transport, authority, self._proxy_credentials, limits, self._tracer
            )
            opened = True
        finally:
            if not opened:
                transport.close()

    def _renew(self) -> None:
        """Get ready for a new connection, because nobody has to be told about the one before."""
        self._transport.close()
        self._not_connected()

    # Closing

    def close(self) -> None:
        """Close the connection, with TLS close_notify where that belongs.

        Responses that were not read are lost. The object stays usable: the next request opens a new
        connection. The same as `disconnect`.
        """
        if not self._transport.closed and self._tracer is not None:
            self._tracer.event("closed", CloseReason.CLOSED_LOCALLY.value)
        self._pipeline = None
        self._state.closed_locally()
        self._transport.close()

    def disconnect(self) -> None:
        """Close the connection. The same as `close`."""
        self.close()

    def reset(self) -> None:
        """Close the connection, whatever state it is in, and get ready for a new one.

        After `ConnectionClosed`, `UnsupportedResponse` and the like this makes the object usable.
        """
        self.close()
        self._not_connected()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def detach(self) -> tuple[socket.socket, bytes]:
        """Hand over the socket, after a 101 response or a 2xx response to CONNECT.

        Returns the socket, which is non-blocking, and the bytes that were received behind the
        response already. Closing the socket is up to the caller; the next request opens a new
        connection. Raises `StateError` where the connection still speaks HTTP.
        """
        if self._state.close_reason is not CloseReason.SWITCHED_PROTOCOLS:
            raise StateError(
                "only after a 101 response, or a 2xx response to CONNECT, can the socket be detached"
            )
        self._state.detached()
        return self._transport.detach(), self._receiver.take_rest()

    # Looking

    def fileno(self) -> int:
        """Return the file descriptor of the connection's socket.

        Only good for waiting until something can be *sent*: what was received is buffered here, so
        the descriptor may show nothing to read although a response is there. Raises `StateError` if
        there is no connection.
        """
        if self._transport.closed:
            raise StateError("there is no connection: connect() opens one")
        return self._transport.sock.fileno()

    def socket_fileno(self) -> int:
        """Return the file descriptor of the connection's socket. The same as `fileno`."""
        return self.fileno()

    @property
    def pipelining(self) -> Pipelining:
        """What `HTTPConnection.pipeline` has learnt of the server, over all connections to it."""
        return self._peer.pipelining

    def _tls_socket(self) -> ssl.SSLSocket | None:
        if self.ssl_context is None:
            return None
        if self._transport.closed:
            self.connect()
        sock: ssl.SSLSocket = self._transport.sock  # type: ignore[assignment]  # with a context
        return sock

    def get_ssl_cipher(self) -> tuple[str, str, int] | None:
        """Return name, protocol version and secret bits of the cipher, `None` without TLS.

        Connects if there is no connection, and blocks for that. See `ssl.SSLSocket.cipher`.
        """
        sock = self._tls_socket()
        return None if sock is None else sock.cipher()

    if TYPE_CHECKING:

        @overload
        def get_ssl_peercert(
            self, binary_form: Literal[False] = False
        ) -> Mapping[str, object] | None: ...
        @overload
        def get_ssl_peercert(self, binary_form: Literal[True]) -> bytes | None: ...

    def get_ssl_peercert(self, binary_form: bool = False) -> Mapping[str, object] | bytes | None:
        """Return the server's certificate, `None` without TLS.

        As a dictionary, or with *binary_form* as DER; see `ssl.SSLSocket.getpeercert`. Connects if
        there is no connection, and blocks for that.
        """
        sock = self._tls_socket()
        if sock is None:
            return None
        return sock.getpeercert(binary_form)

    @property
    def closed(self) -> bool:
        """Whether `close` was called and no connection opened since."""
        return self._state.close_reason is CloseReason.CLOSED_LOCALLY
