"""The addresses of a host name, for coroutines that must not block.

Knows nothing of HTTP. The system's resolver offers no call that does not block, so a `Runtime` asks
it, by a thread or by an event loop; an IP address needs no resolver and gets no thread.
"""

from __future__ import annotations

import socket
import sys

from ._coroutine import coroutine
from ._exceptions import DNSUnavailable, HostnameNotResolvable, LocalProtocolError
from ._runtime import THREADS
from ._worker import co_in_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final, TypeAlias

    from ._coroutine import PollGenerator
    from ._runtime import AddressInfo, Runtime
    from ._tracing import Tracer

    #: Answers with IP addresses and ports for a host name and a port.
    Resolver: TypeAlias = Callable[[str, int], Iterable[tuple[str, int]]]

#: Names as ``(hostname, port)`` that tell an unknown host name from a name service that is out of
#: order: they are looked up after another name could not be resolved. None by default, because
#: nobody shall be asked whom the user has not named. To change it, assign to
#: ``httpio.DNS_TEST_HOSTNAMES``.
DNS_TEST_HOSTNAMES: tuple[tuple[str, int], ...] = ()

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


class Address:
    """Where to connect to: an address `family` and a `sockaddr` as the socket module has it."""

    __slots__ = ("family", "sockaddr")

    def __init__(self, family: int, sockaddr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        self.family = family
        self.sockaddr = sockaddr

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return (self.family, self.sockaddr) == (other.family, other.sockaddr)

    def __hash__(self) -> int:
        return hash((self.family, self.sockaddr))

    def __str__(self) -> str:
        host, port, *_ = self.sockaddr
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"

    def __repr__(self) -> str:
        return f"<Address {self}>"


@coroutine
def co_resolve(
    hostname: str,
    port: int,
    tracer: Tracer | None,
    runtime: Runtime = THREADS,
    resolver: Resolver | None = None,
) -> PollGenerator[list[Address]]:
    """Return the addresses of *hostname*, in the order of the resolver's preference, at least one.

    *hostname* is a name or an IP address without brackets. *runtime* asks the system's resolver,
    unless there is a *resolver*, which is asked about IP addresses as well.

    Raises `HostnameNotResolvable` and `DNSUnavailable`.
    """
    literal = _parse_ip_address(hostname, port) if resolver is None else None
    if literal is not None:
        return [literal]
    # The package is where users assign to it; that may have happened after our import.
    test_hostnames: tuple[tuple[str, int], ...] = getattr(
        sys.modules[__name__.rpartition(".")[0]], "DNS_TEST_HOSTNAMES", DNS_TEST_HOSTNAMES
    )
    if tracer is not None:
        tracer.event("resolving", hostname)
    addresses = yield from _co_look_up(hostname, port, test_hostnames, runtime, resolver)
    if tracer is not None:
        tracer.event("resolved", f"{hostname} is {', '.join(map(str, addresses))}")
    return addresses


def _parse_ip_address(hostname: str, port: int) -> Address | None:
    """Return the address if *hostname* is an IP address, `None` if it is a name."""
    if "%" in hostname:
        # A zone (RFC 4007 §11) is a number that only the system knows. This flag keeps it from
        # asking anybody else.
        try:
            found = socket.getaddrinfo(
                hostname, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except (OSError, UnicodeError):
            return None
        return _select(found)[0]
    for family in _FAMILIES:
        try:
            socket.inet_pton(family, hostname)
        except (OSError, ValueError):
            continue
        if family == socket.AF_INET6:
            return Address(family, (hostname, port, 0, 0))
        return Address(family, (hostname, port))
    return None


@coroutine
def _co_look_up(
    hostname: str,
    port: int,
    test_hostnames: tuple[tuple[str, int], ...],
    runtime: Runtime,
    resolver: Resolver | None,
) -> PollGenerator[list[Address]]:
    """Ask the resolver."""
    try:
        if resolver is None:
            addresses = _select((yield from runtime.co_getaddrinfo(hostname, port)))
        else:
            addresses = yield from _co_ask(resolver, hostname, port)
    except UnicodeError as exc:
        raise HostnameNotResolvable(hostname, f"it cannot be a domain name ({exc})") from exc
    except socket.gaierror as exc:
        unavailable = exc.errno == socket.EAI_AGAIN
        if test_hostnames:
            unavailable = not (yield from _co_any_resolvable(test_hostnames, runtime))
        error = DNSUnavailable if unavailable else HostnameNotResolvable
        raise error(hostname, exc.strerror or "") from exc
    except OSError as exc:  # this machine failed (EAI_SYSTEM): nobody was asked
        raise DNSUnavailable(hostname, str(exc)) from exc
    if not addresses:
        raise HostnameNotResolvable(hostname, "neither IPv4 nor IPv6")
    return addresses


@coroutine
def _co_ask(resolver: Resolver, hostname: str, port: int) -> PollGenerator[list[Address]]:
    """Call *resolver* in a thread, because it may block."""
    found = yield from co_in_thread(lambda _: list(resolver(hostname, port)))
    addresses: dict[Address, None] = {}
    for ip_address, its_port in found:
        address = _parse_ip_address(ip_address, its_port)
        if address is None:
            raise LocalProtocolError(
                f"expected IP addresses from the resolver for {hostname!r}, got {ip_address!r}"
            )
        addresses[address] = None
    return list(addresses)


@coroutine
def _co_any_resolvable(names: Iterable[tuple[str, int]], runtime: Runtime) -> PollGenerator[bool]:
    for name in names:
        try:
            yield from runtime.co_getaddrinfo(*name)
        except (OSError, UnicodeError):
            continue
        return True
    return False


def _select(found: Iterable[AddressInfo]) -> list[Address]:
    """Return the IPv4 and IPv6 addresses among *found*, each once, in their order."""
    addresses: dict[Address, None] = {}
    for family, _, _, _, sockaddr in found:
        match sockaddr:
            case (str(), *_) if family in _FAMILIES:
                addresses[Address(family, sockaddr)] = None
            case _:  # another network, or IPv6 as a Python that was built without it shows it
                pass
    return list(addresses)
