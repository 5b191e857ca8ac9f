"""From names to connected sockets and TLS: over loopback, never blocking, leaving nothing open."""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import re
import socket
import ssl
import struct
import sys
import threading
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pytest

from httpio import _connect
from httpio._blocking import run
from httpio._connect import co_connect_tcp, co_connect_unix, co_tls_handshake
from httpio._coroutine import POLLIN, POLLOUT, PollNeeded
from httpio._exceptions import (
    CloseReason,
    ConnectionClosed,
    LocalProtocolError,
    RemoteProtocolError,
)
from httpio._resolver import Address
from tests.support.certs import Certificates, make_certificates
from tests.support.coroutines import PATIENCE, no_descriptor_left, run_spuriously

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from httpio._coroutine import PollGenerator
    from httpio._tracing import Tracer

    Drive: TypeAlias = Callable[[PollGenerator[socket.socket]], socket.socket]
    Addresses: TypeAlias = Callable[[list[socket.socket]], None]

_T = TypeVar("_T")

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
FOREVER = 3600.0


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


both_drivers = pytest.mark.parametrize("drive", [run, run_spuriously])


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


class Refusing(Events):
    """A tracer that fails at one event."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def event(self, name: str, detail: str) -> None:
        if name == self.name:
            raise ZeroDivisionError


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def listening(stack: contextlib.ExitStack, host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return stack.enter_context(socket.create_server((host, 0), family=family))


def refusing(stack: contextlib.ExitStack, host: str = "127.0.0.1") -> socket.socket:
    """Return a socket that has a port of its own, and does not listen there."""
    sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
    sock.bind((host, 0))
    return sock


def silent(stack: contextlib.ExitStack, host: str = "127.0.0.1") -> socket.socket:
    """Return a listener that does not answer, because its backlog is full.

    When it is closed, or when it accepts, the connecting side learns of it within a second or so:
    that is when TCP tries again.
    """
    listener = stack.enter_context(socket.create_server((host, 0), backlog=0))
    while True:
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        try:
            filler.getpeername()  # loopback answers within the call, or not at all
        except OSError:
            filler.close()
            return listener
        stack.enter_context(filler)


def accept_all(listener: socket.socket) -> None:
    """Make room in the backlog of a `silent` listener."""
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()


@pytest.fixture
def addresses_are(monkeypatch: pytest.MonkeyPatch) -> Addresses:
    """Return a function that makes the resolver answer with the addresses of sockets."""

    def replace(sockets: list[socket.socket]) -> None:
        answer = [
            (sock.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", sock.getsockname())
            for sock in sockets
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    return replace


def without_threads_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def start_new_thread(*_: object) -> None:
        raise RuntimeError("no thread is needed here")

    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)


def until_connecting(coroutine: PollGenerator[_T], events: Events) -> PollNeeded:
    """Resume *coroutine* until name resolution is over; return what it waits for then."""
    poll_needed = next(coroutine)
    while events.seen[-1][0] != "connecting":
        assert poll_needed.poll(PATIENCE)
        poll_needed = next(coroutine)
    return poll_needed


def connect(name: str, tracer: Tracer | None = None) -> PollGenerator[socket.socket]:
    return co_connect_tcp(name, 80, None, tracer)


# ---- TCP, addresses that answer at once


@both_drivers
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_ip_address(
    drive: Drive, host: str, stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_threads_from_here(monkeypatch)
    listener = listening(stack, host)
    sock = drive(co_connect_tcp(host, port_of(listener), None, None))
    with sock, listener.accept()[0] as peer:
        assert sock.getpeername() == listener.getsockname()
        assert peer.getpeername() == sock.getsockname()
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@both_drivers
def test_a_name(drive: Drive, stack: contextlib.ExitStack) -> None:
    listener = listening(stack)
    with drive(co_connect_tcp("localhost", port_of(listener), None, None)) as sock:
        assert sock.getpeername() == listener.getsockname()


@both_drivers
def test_an_address_that_refuses_is_passed_over_without_a_race(
    drive: Drive, stack: contextlib.ExitStack, addresses_are: Addresses
) -> None:
    good = listening(stack, HOSTS[2])
    addresses_are([refusing(stack, HOSTS[0]), refusing(stack, HOSTS[1]), good])
    events = Events()
    with drive(connect("a.test", events)) as sock:
        assert sock.getpeername() == good.getsockname()
    assert [name for name, _ in events.seen] == [
        "resolving", "resolved", "connecting", "connecting", "connecting", "connected",
    ]  # fmt: skip
    assert events.seen[-1] == ("connected", str(Address(good.family, good.getsockname())))


@both_drivers
def test_the_only_address_refuses(drive: Drive, stack: contextlib.ExitStack) -> None:
    port = port_of(refusing(stack))
    with pytest.raises(ConnectionRefusedError, match=rf"\(127\.0\.0\.1:{port}\)") as caught:
        drive(co_connect_tcp("127.0.0.1", port, None, None))
    assert caught.value.errno == errno.ECONNREFUSED


@both_drivers
def test_every_address_refuses(
    drive: Drive, stack: contextlib.ExitStack, addresses_are: Addresses
) -> None:
    sockets = [refusing(stack, HOSTS[0]), refusing(stack, "::1")]
    addresses_are(sockets)
    with pytest.raises(ConnectionRefusedError, match=r"a\.test") as caught:
        drive(connect("a.test"))
    for sock in sockets:
        assert f"({Address(sock.family, sock.getsockname())})" in str(caught.value)


@pytest.mark.parametrize(
    ("codes", "summary"),
    [
        ([errno.ECONNREFUSED, errno.ECONNREFUSED], errno.ECONNREFUSED),
        ([errno.ENETUNREACH, errno.ECONNREFUSED], errno.ECONNREFUSED),
        ([errno.ETIMEDOUT, errno.ENETUNREACH], errno.ETIMEDOUT),
        ([errno.ETIMEDOUT, errno.ECONNREFUSED], errno.ETIMEDOUT),
        ([errno.ENETUNREACH, errno.ENETUNREACH], errno.ENETUNREACH),
        ([errno.EAFNOSUPPORT, errno.EHOSTUNREACH], errno.EAFNOSUPPORT),
    ],
)
def test_the_summary_has_the_error_that_tells_most(codes: list[int], summary: int) -> None:
    exc = _connect._summary("a.test", [OSError(code, f"text {code}") for code in codes])
    assert exc.errno == summary
    assert type(exc) is type(OSError(summary, ""))
    for code in codes:
        assert f"text {code}" in str(exc)


def test_families_take_turns() -> None:
    def addresses(names: str) -> list[Address]:
        families = {"4": socket.AF_INET, "6": socket.AF_INET6}
        return [Address(families[name[0]], (name, 80)) for name in names.split()]

    for given, expected in [
        ("4a", "4a"),
        ("4a 4b", "4a 4b"),
        ("6a 6b 6c 4a", "6a 4a 6b 6c"),
        ("4a 4b 6a 6b 6c", "4a 6a 4b 6b 6c"),
        ("6a 4a 6b 4b", "6a 4a 6b 4b"),
    ]:
        assert _connect._interleave(addresses(given)) == addresses(expected)


def test_a_socket_that_is_connected_to_itself_is_not_a_server() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = port_of(probe)
    with pytest.raises(ConnectionRefusedError):
        run(co_connect_tcp("127.0.0.1", port, ("127.0.0.1", port), None))


@pytest.mark.parametrize("port", [-1, 65536, 65536 + 80])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(LocalProtocolError, match="no TCP port"):
        run(co_connect_tcp("localhost", port, None, None))
    with pytest.raises(LocalProtocolError, match="no TCP port"):
        run(co_connect_tcp("127.0.0.1", 80, ("127.0.0.1", port), None))


def test_a_tracer_that_fails_leaves_nothing_open(stack: contextlib.ExitStack) -> None:
    listener = listening(stack)
    with no_descriptor_left(), pytest.raises(ZeroDivisionError):
        run(co_connect_tcp("127.0.0.1", port_of(listener), None, Refusing("connected")))


# ---- TCP, the source address


def test_source_address(stack: contextlib.ExitStack, addresses_are: Addresses) -> None:
    listener = listening(stack)
    addresses_are([listening(stack, "::1"), listener])
    with (
        run(co_connect_tcp("a.test", 80, (HOSTS[3], 0), None)) as sock,
        listener.accept()[0] as peer,
    ):
        assert peer.getpeername()[0] == HOSTS[3]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_any_source_address_but_a_certain_port(host: str, stack: contextlib.ExitStack) -> None:
    listener = listening(stack, host)
    for _ in range(20):
        with socket.socket(listener.family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, 0))
            port = port_of(probe)
        try:
            sock = run(co_connect_tcp(host, port_of(listener), ("", port), None))
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise
            # Another process was quicker to take the port.
            continue
        with sock:
            assert port_of(sock) == port
        return
    raise AssertionError("each port that was free has been taken by somebody else")


def test_a_source_address_by_name(stack: contextlib.ExitStack) -> None:
    listener = listening(stack)
    with run(co_connect_tcp("127.0.0.1", port_of(listener), ("localhost", 0), None)) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_source_address_of_another_family() -> None:
    with pytest.raises(OSError, match=r"no address of the family.*'::1'") as caught:
        run(co_connect_tcp("127.0.0.1", 80, ("::1", 0), None))
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_source_address_in_use(stack: contextlib.ExitStack) -> None:
    port = port_of(listening(stack))
    with pytest.raises(OSError, match=rf"in use \(127\.0\.0\.1:{port} from 127\.0\.0\.1:{port}\)"):
        run(co_connect_tcp("127.0.0.1", port, ("127.0.0.1", port), None))


# ---- TCP, addresses that do not answer at once


def test_the_only_address_is_waited_for(stack: contextlib.ExitStack) -> None:
    listener = silent(stack)
    coroutine = co_connect_tcp("127.0.0.1", port_of(listener), None, None)
    poll_needed = next(coroutine)
    assert poll_needed.mask == POLLOUT
    assert next(coroutine) == poll_needed
    assert not poll_needed.poll(0)
    accept_all(listener)
    with run_spuriously(coroutine) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_the_only_address_refuses_in_the_end(stack: contextlib.ExitStack) -> None:
    listener = silent(stack)
    coroutine = co_connect_tcp("127.0.0.1", port_of(listener), None, None)
    next(coroutine)
    listener.close()
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1"):
        run_spuriously(coroutine)


def test_the_only_address_is_waited_for_no_more(stack: contextlib.ExitStack) -> None:
    listener = silent(stack)
    with no_descriptor_left():
        coroutine = co_connect_tcp("127.0.0.1", port_of(listener), None, None)
        next(coroutine)
        coroutine.close()


@both_drivers
def test_an_address_that_does_not_answer_is_raced(
    drive: Drive, stack: contextlib.ExitStack, addresses_are: Addresses
) -> None:
    good = listening(stack, HOSTS[2])
    addresses_are([silent(stack, HOSTS[0]), refusing(stack, HOSTS[1]), good])
    events = Events()
    with drive(connect("a.test", events)) as sock:
        assert sock.getpeername() == good.getsockname()
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert [name for name, _ in events.seen][-2:] == ["connecting", "connected"]
    assert events.seen[-1] == ("connected", str(Address(good.family, good.getsockname())))


def test_the_second_that_does_not_answer_is_not_the_last(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", 0.01)
    good = listening(stack, HOSTS[2])
    addresses_are([silent(stack, HOSTS[0]), silent(stack, HOSTS[1]), good])
    with run(connect("a.test")) as sock:
        assert sock.getpeername() == good.getsockname()


def test_the_first_address_may_win_the_race(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", FOREVER)
    first = silent(stack, HOSTS[0])
    addresses_are([first, listening(stack, HOSTS[1])])
    events = Events()
    coroutine = connect("a.test", events)
    until_connecting(coroutine, events)
    accept_all(first)
    with run(coroutine) as sock:
        assert sock.getpeername() == first.getsockname()


def test_a_failure_ends_the_delay(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", FOREVER)
    first, good = silent(stack, HOSTS[0]), listening(stack, HOSTS[2])
    addresses_are([first, refusing(stack, HOSTS[1]), good])
    events = Events()
    coroutine = connect("a.test", events)
    until_connecting(coroutine, events)
    first.close()
    with run(coroutine) as sock:
        assert sock.getpeername() == good.getsockname()


def test_a_race_that_nobody_wins(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", 0.01)
    sockets = [silent(stack, HOSTS[0]), refusing(stack, HOSTS[1]), silent(stack, HOSTS[2])]
    names = [str(Address(sock.family, sock.getsockname())) for sock in sockets]
    addresses_are(sockets)
    events = Events()
    coroutine = connect("a.test", events)
    until_connecting(coroutine, events)
    sockets[0].close()
    sockets[2].close()
    with pytest.raises(ConnectionRefusedError, match=r"a\.test") as caught:
        run(coroutine)
    for name in names:
        assert f"({name})" in str(caught.value)


def test_a_race_that_is_given_up(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", 0.01)
    addresses_are([silent(stack, host) for host in HOSTS[:3]])
    events = Events()
    with no_descriptor_left():
        coroutine = connect("a.test", events)
        assert until_connecting(coroutine, events).mask == POLLIN
        coroutine.close()


def test_a_race_whose_winner_nobody_fetches(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connect, "CONNECTION_ATTEMPT_DELAY", 0)
    addresses_are([silent(stack, HOSTS[0]), listening(stack, HOSTS[1])])
    events = Events()
    with no_descriptor_left():
        coroutine = connect("a.test", events)
        assert until_connecting(coroutine, events).poll(PATIENCE)
        coroutine.close()


def test_without_a_thread_the_addresses_are_tried_one_after_the_other(
    stack: contextlib.ExitStack, addresses_are: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, good = silent(stack, HOSTS[0]), listening(stack, HOSTS[1])
    addresses_are([first, good])

    class NoThreadAnyMore(Events):
        def event(self, name: str, detail: str) -> None:
            if name == "connecting":
                without_threads_from_here(monkeypatch)

    with no_descriptor_left(), run(connect("a.test", NoThreadAnyMore())) as sock:
        assert sock.getpeername() == good.getsockname()


# ---- unix sockets


@both_drivers
def test_unix_socket(drive: Drive, stack: contextlib.ExitStack, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen()
    events = Events()
    with drive(co_connect_unix(path, events)) as sock, listener.accept()[0] as peer:
        assert not sock.getblocking()
        peer.send(b"x")
        assert sock.recv(1) == b"x"
    assert events.seen == [("connecting", path), ("connected", path)]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_unix_socket_without_a_file(stack: contextlib.ExitStack) -> None:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(f"\0httpio-{os.getpid()}")
    listener.listen()
    name = listener.getsockname().decode()
    with run(co_connect_unix(name, None)) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_no_unix_socket(stack: contextlib.ExitStack, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(FileNotFoundError, match=re.escape(path)):
        run(co_connect_unix(path, None))
    stack.enter_context(socket.socket(socket.AF_UNIX)).bind(path)
    with pytest.raises(ConnectionRefusedError, match=re.escape(path)):
        run(co_connect_unix(path, None))
    with pytest.raises(OSError, match="too long") as caught:
        run(co_connect_unix(path * 100, None))
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_system_without_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(LocalProtocolError, match="no unix sockets"):
        run(co_connect_unix("socket", None))


def full_unix_listener(stack: contextlib.ExitStack, path: str) -> socket.socket:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen(0)
    code = 0
    while not code:
        filler = stack.enter_context(socket.socket(socket.AF_UNIX))
        filler.setblocking(False)
        code = filler.connect_ex(path)
    if code != errno.EAGAIN:
        pytest.skip("this system refuses when the backlog is full")
    return listener


def test_a_full_unix_listener_is_waited_for(stack: contextlib.ExitStack, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = full_unix_listener(stack, path)
    coroutine = co_connect_unix(path, None)
    for _ in range(5):  # whole pauses, and too early in between
        next(coroutine)
        assert next(coroutine).poll(PATIENCE)
    accept_all(listener)
    with run_spuriously(coroutine) as sock:
        assert sock.getpeername() == path


def test_a_full_unix_listener_is_waited_for_no_more(
    stack: contextlib.ExitStack, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")
    listener = full_unix_listener(stack, path)
    with no_descriptor_left():
        coroutine = co_connect_unix(path, None)
        next(coroutine)
        coroutine.close()
    coroutine = co_connect_unix(path, None)
    next(coroutine)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        run(coroutine)


def test_a_tracer_that_fails_leaves_no_unix_socket_open(
    stack: contextlib.ExitStack, tmp_path: Path
) -> None:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    with no_descriptor_left(), pytest.raises(ZeroDivisionError):
        run(co_connect_unix(str(tmp_path / "socket"), Refusing("connected")))


# ---- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return two connected, non-blocking sockets: ours and the server's."""
    ours, peer = socket.socketpair()
    for sock in (ours, peer):
        stack.enter_context(sock).setblocking(False)
    return ours, peer


class TLSServer:
    """The server's side of a TLS connection, which sends a few bytes whenever it is told to."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, piece: int = 1 << 16) -> None:
        self.sock = sock
        self.piece = piece
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def step(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.incoming.write(self.sock.recv(1 << 16))
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.sock.send(self.outgoing.read(self.piece))


def shake_hands(coroutine: PollGenerator[_T], server: TLSServer, too_early: int = 0) -> _T:
    try:
        while True:
            for _ in range(too_early):
                next(coroutine)
            poll_needed = next(coroutine)
            server.step()
            assert poll_needed.poll(PATIENCE)
    except StopIteration as exc:
        result: _T = exc.value
        return result


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("too_early", [0, 2])
@pytest.mark.parametrize("piece", [100, 1 << 16])
@pytest.mark.parametrize(
    ("hostname", "server_name"),
    [
        ("localhost", "localhost"),
        ("localhost.", "localhost"),
        ("LOCALHOST", "localhost"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::1%lo", None),
    ],
)
def test_tls(
    version: ssl.TLSVersion,
    too_early: int,
    piece: int,
    hostname: str,
    server_name: str | None,
    certificates: Certificates,
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    context = certificates.server_context()
    context.minimum_version = context.maximum_version = version
    names: list[str | None] = []
    context.sni_callback = lambda _tls, name, _context: names.append(name and name.lower())
    server = TLSServer(peer, context, piece)
    events = Events()
    coroutine = co_tls_handshake(ours, certificates.client_context(), hostname, events)
    with shake_hands(coroutine, server, too_early) as tls:
        assert isinstance(tls, ssl.SSLSocket)
        assert not tls.getblocking()
        server.step()
        assert server.tls.selected_alpn_protocol() == tls.selected_alpn_protocol() == "http/1.1"
        assert names == [server_name]
        tls.send(b"request")
        server.step()
        assert server.tls.read() == b"request"
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises(ssl.SSLEOFError):
            tls.recv(1)
    ((name, detail),) = events.seen
    assert name == "tls"
    assert detail.startswith(version.name.replace("_", "."))
    assert detail.endswith("ALPN http/1.1")


def test_a_server_without_alpn(
    certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)
    events = Events()
    coroutine = co_tls_handshake(pair[0], certificates.client_context(), "localhost", events)
    with shake_hands(coroutine, TLSServer(pair[1], context)) as tls:
        assert tls.selected_alpn_protocol() is None
    ((_, detail),) = events.seen
    assert detail.endswith("no ALPN")


def test_a_server_that_chooses_another_protocol(
    certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    class Stubborn(ssl.SSLContext):
        def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
            super().set_alpn_protocols(["h2"])

    theirs = certificates.server_context()
    theirs.set_alpn_protocols(["h2"])
    context = Stubborn(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.authority_file)
    fd = pair[0].fileno()
    coroutine = co_tls_handshake(pair[0], context, "localhost", None)
    with pytest.raises(RemoteProtocolError, match="'h2'"):
        shake_hands(coroutine, TLSServer(pair[1], theirs))
    assert not is_open(fd)


def test_tls_waits_until_it_can_send(
    certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    size = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            size += ours.send(bytes(1 << 16))
    coroutine = co_tls_handshake(ours, certificates.client_context(), "localhost", None)
    assert next(coroutine).mask == POLLOUT
    assert next(coroutine).mask == POLLOUT
    while size:
        size -= len(peer.recv(min(size, 1 << 16)))
    assert next(coroutine).mask == POLLIN
    shake_hands(coroutine, TLSServer(peer, certificates.server_context())).close()


def test_tls_given_up_at_any_point(certificates: Certificates) -> None:
    server_context = certificates.server_context()
    client_context = certificates.client_context()
    completed = False
    suspensions = 0
    while not completed:
        suspensions += 1
        ours, peer = socket.socketpair()
        ours.setblocking(False)
        peer.setblocking(False)
        fd = ours.fileno()
        with peer:
            server = TLSServer(peer, server_context, piece=100)
            coroutine = co_tls_handshake(ours, client_context, "localhost", None)
            try:
                for _ in range(suspensions):
                    next(coroutine)
                    server.step()
            except StopIteration as exc:
                completed = True
                exc.value.close()
            else:
                coroutine.close()
                assert not is_open(fd)
    assert suspensions > 5


@pytest.mark.parametrize("hostname", ["a.test", "127.0.0.2", "::2"])
def test_a_certificate_for_another_name(
    hostname: str, certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    fd = pair[0].fileno()
    coroutine = co_tls_handshake(pair[0], certificates.client_context(), hostname, None)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(coroutine, TLSServer(pair[1], certificates.server_context()))
    assert not is_open(fd)


def test_a_certificate_that_nobody_vouches_for(
    certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    fd = pair[0].fileno()
    coroutine = co_tls_handshake(pair[0], ssl.create_default_context(), "localhost", None)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(coroutine, TLSServer(pair[1], certificates.server_context()))
    assert not is_open(fd)


@pytest.mark.parametrize("hostname", ["", ".", ".test", "a..test", "a" * 64, "a\0b"])
def test_a_name_that_no_tls_server_can_have(
    hostname: str, certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    fd = pair[0].fileno()
    with pytest.raises(LocalProtocolError, match="cannot be the name of a TLS server"):
        run(co_tls_handshake(pair[0], certificates.client_context(), hostname, None))
    assert not is_open(fd)


# TLSPlaintext records (RFC 8446 §5.1) with an alert (§6).
CLOSE_NOTIFY = b"\x15\x03\x03\x00\x02\x01\x00"
HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"


@both_drivers
@pytest.mark.parametrize("answer", [b"", b"\x16\x03", CLOSE_NOTIFY])
def test_a_server_that_closes_during_the_handshake(
    drive: Drive,
    answer: bytes,
    certificates: Certificates,
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    fd = ours.fileno()
    peer.sendall(answer)
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionClosed, match="during the TLS handshake") as caught:
        drive(co_tls_handshake(ours, certificates.client_context(), "localhost", None))
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    assert not is_open(fd)


@pytest.mark.parametrize("answer", [HANDSHAKE_FAILURE, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_does_not_speak_our_tls(
    answer: bytes, certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    fd = ours.fileno()
    peer.sendall(answer)
    with pytest.raises(ssl.SSLError):
        run(co_tls_handshake(ours, certificates.client_context(), "localhost", None))
    assert not is_open(fd)


def reset(sock: socket.socket) -> None:
    """Close the TCP socket *sock* with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("early", [True, False])
def test_a_connection_that_breaks(
    early: bool, certificates: Certificates, stack: contextlib.ExitStack
) -> None:
    listener = listening(stack)
    sock = run(co_connect_tcp("127.0.0.1", port_of(listener), None, None))
    fd = sock.fileno()
    peer, _ = listener.accept()
    coroutine = co_tls_handshake(sock, certificates.client_context(), "127.0.0.1", None)
    if not early:
        next(coroutine)
    reset(peer)
    assert PollNeeded(fd, POLLIN).poll(PATIENCE)
    with pytest.raises(ConnectionClosed, match="broke during the TLS handshake") as caught:
        run(coroutine)
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    assert not is_open(fd)


def test_a_tracer_that_fails_leaves_no_tls_socket_open(
    certificates: Certificates, pair: tuple[socket.socket, socket.socket]
) -> None:
    fd = pair[0].fileno()
    coroutine = co_tls_handshake(
        pair[0], certificates.client_context(), "localhost", Refusing("tls")
    )
    with pytest.raises(ZeroDivisionError):
        shake_hands(coroutine, TLSServer(pair[1], certificates.server_context()))
    assert not is_open(fd)


def test_tls_over_tcp_with_a_server_in_a_thread(
    certificates: Certificates, stack: contextlib.ExitStack
) -> None:
    listener = listening(stack)
    context = certificates.server_context()

    def serve() -> None:
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as tls:
            tls.sendall(tls.recv(100).upper())

    server = threading.Thread(target=serve)
    server.start()
    try:
        sock = run(co_connect_tcp("127.0.0.1", port_of(listener), None, None))
        client = certificates.client_context()
        with run(co_tls_handshake(sock, client, "127.0.0.1", None)) as tls:
            tls.setblocking(True)
            tls.sendall(b"request")
            assert tls.recv(100) == b"REQUEST"
    finally:
        server.join()
