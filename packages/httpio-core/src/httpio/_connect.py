"""From a host name or a path to a connected socket, and from there to TLS.

Knows nothing of HTTP but its name in ALPN. Every socket here is non-blocking. Until a function
returns it, a socket belongs to that function, which closes it on every failure and when its
coroutine is dropped.

Several addresses are tried as RFC 8305 wants it. As long as the system answers at once, that needs
no help. A race between addresses needs a clock, which a `PollNeeded` has not: a `Runtime` has one.
"""

from __future__ import annotations

import errno
import os
import socket
from time import monotonic

from ._coroutine import POLLIN, POLLOUT, PollNeeded, coroutine
from ._exceptions import CloseReason, ConnectionClosed, LocalProtocolError, RemoteProtocolError
from ._resolver import Address, co_resolve
from ._runtime import THREADS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Final

    from ._coroutine import PollGenerator
    from ._resolver import Resolver
    from ._runtime import Runtime
    from ._tracing import Tracer

#: Seconds until the next address is tried while earlier attempts go on (RFC 8305 §5).
CONNECTION_ATTEMPT_DELAY: Final = 0.25
#: Seconds between attempts to connect to a unix socket whose backlog is full.
BACKLOG_RETRY_DELAY: Final = 0.02

# Windows says "would block".
_IN_PROGRESS: Final = (errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS))
# What an address that this machine has no way to gets. It tells less than any other failure does.
_NO_ROUTE: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH)


@coroutine
def co_connect_tcp(
    hostname: str,
    port: int,
    source_address: tuple[str, int] | None,
    tracer: Tracer | None,
    runtime: Runtime = THREADS,
    resolver: Resolver | None = None,
) -> PollGenerator[socket.socket]:
    """Return a non-blocking socket that is connected to *hostname*, with ``TCP_NODELAY``.

    *source_address* is the ``(host, port)`` to connect from; an empty host stands for any address,
    port 0 for any port. Only addresses of the same family are tried then. *resolver* knows the
    addresses of *hostname*, or else the system does.

    If no address can be connected to, raises the `OSError` of the only one, or one that lists what
    became of each; its class and `errno` are those of the first that is not just unreachable from
    here. Raises `HostnameNotResolvable` and `DNSUnavailable` if there is no address.
    """
    _check_port(port)
    addresses = yield from co_resolve(hostname, port, tracer, runtime, resolver)
    sources: dict[int, Address] | None = None
    if source_address is not None:
        sources = yield from _co_sources(*source_address, tracer, runtime)
        addresses = [address for address in addresses if address.family in sources]
        if not addresses:
            raise OSError(
                errno.EADDRNOTAVAIL,
                f"{hostname!r} has no address of the family of the source address"
                f" {source_address[0]!r}",
            )
    waiting = _interleave(addresses)
    failures: list[OSError] = []
    while waiting:
        address = waiting.pop(0)
        if tracer is not None:
            tracer.event("connecting", ", ".join(map(str, (address, *waiting))))
        try:
            sock = _start(address, sources)
            if not waiting:
                yield from _co_finish(sock, address)
            elif not _try_finish(sock, address):
                winner = yield from _co_race({sock: address}, waiting, sources, failures, runtime)
                if winner is None:
                    break
                sock, address = winner
        except OSError as exc:
            failures.append(exc)
            continue
        return _report_connected(sock, str(address), tracer)
    raise _summary(hostname, failures)


@coroutine
def co_connect_unix(
    path: str, tracer: Tracer | None, runtime: Runtime = THREADS
) -> PollGenerator[socket.socket]:
    """Return a non-blocking socket that is connected to the unix socket at *path*.

    A *path* that starts with a NUL character is a name in Linux's abstract namespace. A listener
    whose backlog is full is waited for.

    Raises `OSError` if it cannot be connected to, `LocalProtocolError` on systems without unix
    sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise LocalProtocolError("this system has no unix sockets")
    if tracer is not None:
        tracer.event("connecting", path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            code = sock.connect_ex(path)
        except OSError as exc:  # found by Python, which gives it no number
            raise _failure(errno.ENAMETOOLONG, repr(path)) from exc
        while code == errno.EAGAIN:
            # Linux tells nobody when the listener has room again: a socket that is not connected
            # polls as ready all the time.
            yield from runtime.co_sleep(BACKLOG_RETRY_DELAY)
            code = sock.connect_ex(path)
        if code:
            raise _failure(code, repr(path))
    except BaseException:
        sock.close()
        raise
    return _report_connected(sock, path, tracer)


@coroutine
def co_tls_handshake(
    sock: socket.socket,
    ssl_context: ssl.SSLContext,
    server_hostname: str,
    tracer: Tracer | None,
) -> PollGenerator[ssl.SSLSocket]:
    """Return a TLS socket over the connected, non-blocking *sock*, which it takes over.

    *server_hostname* is the name or IP address that the certificate is checked against; a name is
    sent as SNI (RFC 9110 §4.2.2, RFC 6066 §3). ALPN offers ``http/1.1`` and nothing else (RFC 7301).
    The ssl module has that as a property of *ssl_context*, so the caller's context is changed.

    Raises `ssl.SSLError` if the certificate fails or no common language is found,
    `ConnectionClosed` if the server goes away, `RemoteProtocolError` if it chose another protocol
    than HTTP/1.1, `LocalProtocolError` if *server_hostname* cannot be the name of a server.
    """
    import ssl

    owned = sock
    try:
        ssl_context.set_alpn_protocols(["http/1.1"])
        ignore_eof = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        if ssl_context.options & ignore_eof:
            # Some builds of Python set it by default, and would hide that data was cut off.
            ssl_context.options &= ~ignore_eof
        try:
            # Python 3.11 and 3.12 leak the descriptor when wrap_socket() finds these two out.
            name = _certificate_name(server_hostname)
            sock.getpeername()
            owned = tls = ssl_context.wrap_socket(
                sock,
                server_hostname=name,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    mask = POLLIN
                except ssl.SSLWantWriteError:
                    mask = POLLOUT
                else:
                    break
                yield PollNeeded(tls.fileno(), mask)
        except ssl.SSLError as exc:
            if not isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
                raise
            raise ConnectionClosed(
                f"{server_hostname} closed the connection during the TLS handshake",
                reason=CloseReason.SERVER_CLOSED,
            ) from exc
        except OSError as exc:
            raise ConnectionClosed(
                f"the connection to {server_hostname} broke during the TLS handshake: {exc}",
                reason=CloseReason.CONNECTION_LOST,
            ) from exc
        except ValueError as exc:
            raise LocalProtocolError(
                f"{server_hostname!r} cannot be the name of a TLS server: {exc}"
            ) from exc
        protocol = tls.selected_alpn_protocol()
        if protocol not in {None, "http/1.1"}:
            raise RemoteProtocolError(f"the server chose the protocol {protocol!r}, not 'http/1.1'")
        if tracer is not None:
            cipher = tls.cipher()
            suite = cipher[0] if cipher else ""
            alpn = "no ALPN" if protocol is None else f"ALPN {protocol}"
            tracer.event("tls", f"{tls.version()} {suite} with {name}, {alpn}")
    except BaseException:
        owned.close()
        raise
    return tls


def _certificate_name(hostname: str) -> str:
    """Return *hostname* as certificates and SNI have it: A-labels, no final dot, no zone.

    Raises `ValueError` if it cannot be a domain name.
    """
    if "\0" in hostname:
        raise ValueError("there is a NUL character in it")
    name = hostname.partition("%")[0].removesuffix(".")
    return name.encode("idna").decode("ascii")


@coroutine
def _co_sources(
    host: str, port: int, tracer: Tracer | None, runtime: Runtime
) -> PollGenerator[dict[int, Address]]:
    """Return for each address family that *host* has the address to connect from."""
    _check_port(port)
    if not host:
        return {
            socket.AF_INET: Address(socket.AF_INET, ("", port)),
            socket.AF_INET6: Address(socket.AF_INET6, ("", port, 0, 0)),
        }
    found = yield from co_resolve(host, port, tracer, runtime)
    return {address.family: address for address in reversed(found)}


def _interleave(addresses: list[Address]) -> list[Address]:
    """Return *addresses* with the families taking turns, the first one's first (RFC 8305 §4)."""
    first = [address for address in addresses if address.family == addresses[0].family]
    other = [address for address in addresses if address.family != addresses[0].family]
    paired = min(len(first), len(other))
    turns = [address for pair in zip(first, other, strict=False) for address in pair]
    return turns + first[paired:] + other[paired:]


def _start(address: Address, sources: dict[int, Address] | None) -> socket.socket:
    """Return a socket that is connecting to *address*, or is already connected.

    Raises `OSError` if it is clear at once that it cannot be.
    """
    try:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sources is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(sources[address.family].sockaddr)
            code = sock.connect_ex(address.sockaddr)
            if code and code not in _IN_PROGRESS:
                raise OSError(code, os.strerror(code))
        except BaseException:
            sock.close()
            raise
    except OSError as exc:
        source = "" if sources is None else f" from {sources[address.family]}"
        raise _failure(exc.errno, f"{address}{source}") from exc
    return sock


def _try_finish(sock: socket.socket, address: Address) -> bool:
    """Return whether *sock* is connected: `False` while it is still connecting.

    If the connection has failed, closes *sock* and raises the `OSError` that tells why.
    """
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if not code:
        try:
            if sock.getpeername() != sock.getsockname():
                return True
            # Nobody listens, and the system happened to pick that very port as ours: TCP has
            # connected the socket to itself (simultaneous open, RFC 9293 §3.5).
            code = errno.ECONNREFUSED
        except OSError as exc:
            if exc.errno == errno.ENOTCONN:
                return False
            code = exc.errno or errno.EINVAL
    sock.close()
    raise _failure(code, str(address))


@coroutine
def _co_finish(sock: socket.socket, address: Address) -> PollGenerator[None]:
    """Wait until *sock* is connected, with all the time that the system gives it."""
    try:
        while not _try_finish(sock, address):
            yield PollNeeded(sock.fileno(), POLLOUT)
    except BaseException:
        sock.close()
        raise


@coroutine
def _co_race(
    running: dict[socket.socket, Address],
    waiting: list[Address],
    sources: dict[int, Address] | None,
    failures: list[OSError],
    runtime: Runtime,
) -> PollGenerator[tuple[socket.socket, Address] | None]:
    """Return the first connection of those that are *running* and those that are *waiting*.

    Returns `None` if all attempts fail, and adds to *failures* why. Raises `OSError` if *runtime*
    has no thread or no descriptor for it.
    """
    next_start = monotonic() + CONNECTION_ATTEMPT_DELAY
    try:
        while running or waiting:
            if waiting and (not running or monotonic() >= next_start):
                address = waiting.pop(0)
                try:
                    running[_start(address, sources)] = address
                except OSError as exc:
                    failures.append(exc)
                    continue
                next_start = monotonic() + CONNECTION_ATTEMPT_DELAY
            timeout = max(next_start - monotonic(), 0) if waiting else None
            for sock in (yield from runtime.co_select(running, timeout)):
                address = running.pop(sock)
                try:
                    if _try_finish(sock, address):
                        return sock, address
                except OSError as exc:
                    failures.append(exc)
                    next_start = monotonic()  # RFC 8305 §5: a failure ends the delay
                else:
                    running[sock] = address
        return None
    finally:
        for sock in running:
            sock.close()


def _failure(code: int | None, where: str) -> OSError:
    """Return the `OSError` for a failed attempt to connect, of the class that belongs to *code*."""
    assert code is not None
    return OSError(code, f"{os.strerror(code)} ({where})")


def _summary(hostname: str, failures: list[OSError]) -> OSError:
    """Return one exception for all *failures*, of which there is at least one."""
    if len(failures) == 1:
        return failures[0]
    telling = [failure for failure in failures if failure.errno not in _NO_ROUTE] or failures
    each = "; ".join(str(failure.strerror) for failure in failures)
    return OSError(telling[0].errno, f"cannot connect to {hostname!r}: {each}")


def _report_connected(sock: socket.socket, peer: str, tracer: Tracer | None) -> socket.socket:
    if tracer is not None:
        try:
            tracer.event("connected", peer)
        except BaseException:
            sock.close()
            raise
    return sock


def _check_port(port: int) -> None:
    # The system's resolver would take it modulo 65536.
    if not 0 <= port <= 65535:
        raise LocalProtocolError(f"{port} is no TCP port, they go from 0 to 65535")
