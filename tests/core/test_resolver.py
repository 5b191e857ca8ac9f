"""Name resolution: what the system's resolver says, without waiting for it."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest

from httpio import _resolver
from httpio._blocking import run
from httpio._coroutine import POLLIN
from httpio._exceptions import DNSUnavailable, HostnameNotResolvable, LocalProtocolError
from httpio._resolver import Address, co_resolve
from tests.support.coroutines import PATIENCE, no_descriptor_left, run_spuriously

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AddressInfo: TypeAlias = list[tuple[int, int, int, str, tuple[str, int] | tuple[int, bytes]]]
Resolver: TypeAlias = "Callable[[str, int], AddressInfo]"

V4 = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
V6 = (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def resolve_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Resolver], None]:
    """Return a function that puts another resolver in the place of the system's."""

    def replace(resolver: Resolver) -> None:
        # Only what the module promises to call: positional name and port, and the type.
        def getaddrinfo(host: str, port: int, *, type: int) -> AddressInfo:  # noqa: A002 - its name
            assert type == socket.SOCK_STREAM
            return resolver(host, port)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return replace


class Events:
    """A tracer that remembers the events."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        raise AssertionError

    def received(self, data: memoryview) -> None:
        raise AssertionError

    def event(self, name: str, detail: str) -> None:
        self.seen.append((name, detail))


def failing(code: int) -> Resolver:
    def resolver(host: str, port: int) -> AddressInfo:
        raise socket.gaierror(code, "the resolver's own words")

    return resolver


def resolved_without_waiting(hostname: str) -> list[Address]:
    """Return the result of a coroutine that does not suspend at all."""
    events = Events()
    coroutine = co_resolve(hostname, 80, events)
    with pytest.raises(StopIteration) as stop:
        next(coroutine)
    assert events.seen == []
    addresses: list[Address] = stop.value.value
    return addresses


@pytest.mark.parametrize(
    ("hostname", "address"),
    [
        ("127.0.0.1", Address(socket.AF_INET, ("127.0.0.1", 80))),
        ("::1", Address(socket.AF_INET6, ("::1", 80, 0, 0))),
        ("2001:db8::80", Address(socket.AF_INET6, ("2001:db8::80", 80, 0, 0))),
    ],
)
def test_an_ip_address_needs_neither_resolver_nor_thread(
    hostname: str, address: Address, resolve_with: Callable[[Resolver], None]
) -> None:
    resolve_with(failing(socket.EAI_FAIL))
    assert resolved_without_waiting(hostname) == [address]


def test_the_zone_of_an_address_is_kept() -> None:
    index, name = next(
        (index, name) for index, name in socket.if_nameindex() if name.startswith("lo")
    )
    assert resolved_without_waiting(f"fe80::1%{name}") == [
        Address(socket.AF_INET6, ("fe80::1", 80, 0, index))
    ]


@pytest.mark.parametrize("drive", [run, run_spuriously])
def test_the_systems_resolver(drive: Callable[..., list[Address]]) -> None:
    addresses = drive(co_resolve("localhost", 8080, None))
    assert {address.sockaddr[:2] for address in addresses} <= {("127.0.0.1", 8080), ("::1", 8080)}


def test_the_resolvers_order_is_kept_and_each_address_comes_once(
    resolve_with: Callable[[Resolver], None],
) -> None:
    resolve_with(
        lambda _, port: [
            (*V4, ("127.0.0.2", port)),
            (*V4, ("127.0.0.1", port)),
            (*V4, ("127.0.0.2", port)),
        ]
    )
    assert [str(address) for address in run(co_resolve("a.test", 1, None))] == [
        "127.0.0.2:1",
        "127.0.0.1:1",
    ]


def test_only_internet_addresses_count(resolve_with: Callable[[Resolver], None]) -> None:
    other = (999, socket.SOCK_STREAM, 0, "", ("x", 1))
    # What a Python without IPv6 makes of an IPv6 address.
    unreadable = (*V6, (10, b"0123456789"))
    resolve_with(lambda _, port: [other, unreadable, (*V4, ("127.0.0.1", port))])
    assert list(map(str, run(co_resolve("a.test", 1, None)))) == ["127.0.0.1:1"]
    resolve_with(lambda *_: [other, unreadable])
    with pytest.raises(HostnameNotResolvable, match="neither IPv4 nor IPv6"):
        run(co_resolve("a.test", 1, None))


def test_events(resolve_with: Callable[[Resolver], None]) -> None:
    resolve_with(lambda _, port: [(*V4, ("127.0.0.1", port))])
    events = Events()
    run(co_resolve("a.test", 80, events))
    assert events.seen == [("resolving", "a.test"), ("resolved", "a.test is 127.0.0.1:80")]


def test_a_slow_resolver_is_waited_for(resolve_with: Callable[[Resolver], None]) -> None:
    answer = threading.Event()

    def resolver(host: str, port: int) -> AddressInfo:
        assert answer.wait(PATIENCE)
        return [(*V4, ("127.0.0.1", port))]

    resolve_with(resolver)
    coroutine = co_resolve("a.test", 80, None)
    poll_needed = next(coroutine)
    assert poll_needed.mask == POLLIN
    for _ in range(3):
        assert next(coroutine) == poll_needed
    assert not poll_needed.poll(0)
    answer.set()
    assert poll_needed.poll(PATIENCE)
    assert run(coroutine) == [Address(socket.AF_INET, ("127.0.0.1", 80))]


def test_a_lookup_that_is_given_up_runs_out_by_itself(
    resolve_with: Callable[[Resolver], None],
) -> None:
    answer = threading.Event()
    finished = threading.Event()

    def resolver(host: str, port: int) -> AddressInfo:
        assert answer.wait(PATIENCE)
        finished.set()
        return [(*V4, ("127.0.0.1", port))]

    resolve_with(resolver)
    coroutine = co_resolve("a.test", 80, None)
    fd = next(coroutine).fd
    coroutine.close()
    # The number may be given to somebody else now; the thread must not touch what is theirs.
    with socket.socket() as somebody_else:
        answer.set()
        assert finished.wait(PATIENCE)
        assert somebody_else.fileno() == fd
        assert somebody_else.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (socket.EAI_AGAIN, DNSUnavailable),
        (socket.EAI_NONAME, HostnameNotResolvable),
        (socket.EAI_NODATA, HostnameNotResolvable),
        (socket.EAI_FAIL, HostnameNotResolvable),
    ],
)
def test_failures(
    code: int,
    error: type[DNSUnavailable | HostnameNotResolvable],
    resolve_with: Callable[[Resolver], None],
) -> None:
    resolve_with(failing(code))
    with pytest.raises(error, match=r"a\.test.*the resolver's own words") as caught:
        run(co_resolve("a.test", 80, None))
    assert caught.value.hostname == "a.test"


def test_a_failure_of_this_machine_says_nothing_about_the_name(
    resolve_with: Callable[[Resolver], None],
) -> None:
    def resolver(host: str, port: int) -> AddressInfo:
        raise OSError(errno.EMFILE, "Too many open files")

    resolve_with(resolver)
    with pytest.raises(DNSUnavailable, match="Too many open files"):
        run(co_resolve("a.test", 80, None))


@pytest.mark.parametrize("hostname", ["a" * 64 + ".test", "ä..test", "\N{EURO SIGN}" * 64])
def test_a_name_that_cannot_be_one(hostname: str) -> None:
    with pytest.raises(HostnameNotResolvable, match="cannot be a domain name"):
        run(co_resolve(hostname, 80, None))


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME])
@pytest.mark.parametrize(
    ("test_hostnames", "error", "asked"),
    [
        ((("up.test", 53),), HostnameNotResolvable, ["up.test"]),
        ((("down.test", 53),), DNSUnavailable, ["down.test"]),
        ((("down.test", 53), ("up.test", 80)), HostnameNotResolvable, ["down.test", "up.test"]),
        ((("up.test", 80), ("down.test", 53)), HostnameNotResolvable, ["up.test"]),
        ((("down.test", 1), ("a" * 64, 2)), DNSUnavailable, ["down.test", "a" * 64]),
    ],
)
def test_other_names_tell_an_unknown_name_from_a_broken_service(
    code: int,
    test_hostnames: tuple[tuple[str, int], ...],
    error: type[Exception],
    asked: list[str],
    resolve_with: Callable[[Resolver], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def resolver(host: str, port: int) -> AddressInfo:
        seen.append(host)
        if host == "up.test":
            return [(*V4, ("127.0.0.1", port))]
        host.encode("idna")
        raise socket.gaierror(code, "no")

    resolve_with(resolver)
    # Where users assign to it; there and nowhere else.
    monkeypatch.setattr(sys.modules["httpio"], "DNS_TEST_HOSTNAMES", test_hostnames, raising=False)
    with pytest.raises(error):
        run(co_resolve("a.test", 80, None))
    assert seen == ["a.test", *asked]


def test_nobody_else_is_asked_by_default(resolve_with: Callable[[Resolver], None]) -> None:
    assert _resolver.DNS_TEST_HOSTNAMES == ()
    seen: list[str] = []

    def resolver(host: str, port: int) -> AddressInfo:
        seen.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no")

    resolve_with(resolver)
    with pytest.raises(HostnameNotResolvable):
        run(co_resolve("a.test", 80, None))
    assert seen == ["a.test"]


def test_addresses_compare_by_value() -> None:
    address = Address(socket.AF_INET, ("127.0.0.1", 80))
    assert address == Address(socket.AF_INET, ("127.0.0.1", 80))
    assert hash(address) == hash(Address(socket.AF_INET, ("127.0.0.1", 80)))
    assert address != Address(socket.AF_INET, ("127.0.0.1", 81))
    assert address != ("127.0.0.1", 80)
    assert repr(Address(socket.AF_INET6, ("::1", 80, 0, 0))) == "<Address [::1]:80>"


class TestOwnResolver:
    """A resolver of the caller's is asked in place of the system's."""

    def test_it_is_asked_about_everything(self, resolve_with: Callable[[Resolver], None]) -> None:
        resolve_with(failing(socket.EAI_FAIL))
        asked = []

        def resolver(hostname: str, port: int) -> list[tuple[str, int]]:
            asked.append((hostname, port))
            return [("127.0.0.2", 81), ("::1", 82), ("127.0.0.2", 81)]

        for hostname in ("a.test", "127.0.0.1"):
            events = Events()
            addresses = run(co_resolve(hostname, 80, events, resolver=resolver))
            assert list(map(str, addresses)) == ["127.0.0.2:81", "[::1]:82"]
            assert events.seen == [
                ("resolving", hostname),
                ("resolved", f"{hostname} is 127.0.0.2:81, [::1]:82"),
            ]
        assert asked == [("a.test", 80), ("127.0.0.1", 80)]

    def test_it_may_know_nothing(self) -> None:
        with pytest.raises(HostnameNotResolvable):
            run(co_resolve("a.test", 80, None, resolver=lambda *_: []))
        for code, error in (
            (socket.EAI_NONAME, HostnameNotResolvable),
            (socket.EAI_AGAIN, DNSUnavailable),
        ):
            with pytest.raises(error):
                run(co_resolve("a.test", 80, None, resolver=failing(code)))  # type: ignore[arg-type]  # raises

    def test_it_has_to_answer_with_ip_addresses(self) -> None:
        with pytest.raises(LocalProtocolError, match=r"'a.test', got 'b.test'"):
            run(co_resolve("a.test", 80, None, resolver=lambda *_: [("b.test", 80)]))
