"""The only place that sends and receives: one attempt at a time, and one exception for all that can break."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from httpio._coroutine import POLLIN, POLLOUT, PollNeeded
from httpio._exceptions import CloseReason, ConnectionClosed, StateError, is_temp_network_error
from httpio._transport import (
    TLS_RECORD_SIZE,
    NoTransport,
    TLSTransport,
    Transport,
    before_close,
)
from tests.support.coroutines import PATIENCE, no_descriptor_left
from tests.support.fix_certs import certificates as certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from tests.support.certs import Certificates

    Pair: TypeAlias = tuple[Transport, socket.socket]
    TLSPair: TypeAlias = tuple[TLSTransport, ssl.SSLSocket]

BULK = bytes(range(256)) * 4096


class Record:
    """A tracer that remembers the bytes."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.into = bytearray()

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        self.out += data

    def received(self, data: memoryview) -> None:
        self.into += data

    def event(self, name: str, detail: str) -> None:
        raise AssertionError


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A transport with the smallest send buffer, and its peer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield make(ours), theirs


@pytest.fixture
def tcp_pair() -> Iterator[Pair]:
    """The same over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        yield make(ours), theirs


def make(sock: socket.socket, tracer: Record | None = None) -> Transport:
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return Transport(sock, tracer)


def fill(transport: Transport) -> int:
    """Send until nothing fits any more; return the number of bytes."""
    total = 0
    while size := transport.try_send(BULK):
        total += size
    assert size is None
    return total


def receive_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while data := sock.recv(65_536):
        received += data
    return bytes(received)


def expect_lost(
    attempt: Callable[[], object], reason: CloseReason = CloseReason.CONNECTION_LOST
) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as caught:
        attempt()
    assert caught.value.reason is reason
    assert isinstance(caught.value.__cause__, OSError)
    return caught.value


# Without TLS


def test_send_and_receive(pair: Pair) -> None:
    transport, peer = pair
    assert transport.try_send(b"hello") == 5
    assert transport.try_send(memoryview(b"world")) == 5
    assert peer.recv(100) == b"helloworld"
    peer.send(b"12345678")
    assert transport.try_recv(3) == b"123"
    buffer = bytearray(3)
    assert transport.try_recv_into(memoryview(buffer)) == 3
    assert buffer == b"456"
    assert transport.try_recv(100) == b"78"


def test_nothing_to_receive(pair: Pair) -> None:
    transport, _peer = pair
    assert transport.try_recv(1) is None
    assert transport.try_recv_into(memoryview(bytearray(1))) is None
    assert transport.recv_wait == (transport.sock.fileno(), POLLIN)


def test_no_room_to_send(pair: Pair) -> None:
    transport, peer = pair
    size = fill(transport)
    assert transport.send_wait == (transport.sock.fileno(), POLLOUT)
    assert not transport.sent_in_part
    assert not transport.send_wait.poll(0)
    assert len(peer.recv(2 * size)) == size
    assert transport.send_wait.poll(0)
    assert transport.try_send(b"x") == 1


def test_drained_tells_whether_another_receive_is_worth_it(pair: Pair) -> None:
    transport, peer = pair
    assert transport.drained
    peer.send(b"123456")
    transport.try_recv(2)
    assert not transport.drained
    transport.try_recv_into(memoryview(bytearray(2)))
    assert not transport.drained
    transport.try_recv(3)
    assert transport.drained
    peer.send(b"12")
    transport.try_recv(2)
    assert not transport.drained
    assert transport.try_recv(2) is None
    assert transport.drained


def test_receive_does_not_allocate_what_never_comes(pair: Pair) -> None:
    transport, peer = pair
    peer.send(b"little")
    assert transport.try_recv(2**62) == b"little"


def test_is_readable(pair: Pair) -> None:
    transport, peer = pair
    assert not transport.is_readable()
    peer.send(b"x")
    assert transport.is_readable()
    transport.try_recv(1)
    assert not transport.is_readable()
    peer.close()
    assert transport.is_readable()


def test_close_of_the_peer_is_no_error(pair: Pair) -> None:
    transport, peer = pair
    peer.close()
    assert transport.try_recv(1) == b""
    assert transport.try_recv_into(memoryview(bytearray(1))) == 0


def test_send_to_a_peer_that_has_closed(pair: Pair) -> None:
    transport, peer = pair
    peer.close()
    error = expect_lost(lambda: transport.try_send(b"x"))
    assert isinstance(error.__cause__, BrokenPipeError)
    assert is_temp_network_error(error)


def test_reset(tcp_pair: Pair) -> None:
    transport, peer = tcp_pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert transport.recv_wait.poll(PATIENCE)
    error = expect_lost(lambda: transport.try_recv(1))
    assert isinstance(error.__cause__, ConnectionResetError)
    expect_lost(lambda: transport.try_send(b"x"))


def test_reset_while_receiving_into(tcp_pair: Pair) -> None:
    transport, peer = tcp_pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert transport.recv_wait.poll(PATIENCE)
    expect_lost(lambda: transport.try_recv_into(memoryview(bytearray(1))))


def test_closed_here(pair: Pair, tmp_path: Path) -> None:
    transport, peer = pair
    transport.close()
    transport.close()
    assert transport.closed
    assert peer.recv(1) == b""
    closed_here = CloseReason.CLOSED_LOCALLY
    expect_lost(lambda: transport.try_send(b"x"), closed_here)
    expect_lost(lambda: transport.try_recv(1), closed_here)
    expect_lost(lambda: transport.try_recv_into(memoryview(bytearray(1))), closed_here)
    (tmp_path / "file").write_bytes(b"content")
    with open(tmp_path / "file", "rb") as file:
        expect_lost(lambda: transport.try_sendfile(file.fileno(), 0, 1), closed_here)


def test_close_wakes_who_waits_in_another_thread(pair: Pair) -> None:
    transport, _peer = pair
    woken: list[bool] = []
    started = threading.Event()

    def wait() -> None:
        started.set()
        woken.append(transport.recv_wait.poll(PATIENCE))

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait(PATIENCE)
    transport.close()
    thread.join(2 * PATIENCE)
    assert woken == [True]


def test_detach_leaves_the_socket_open(pair: Pair) -> None:
    transport, peer = pair
    sock = transport.detach()
    assert transport.closed
    transport.close()
    sock.send(b"x")
    assert peer.recv(1) == b"x"


def test_end_of_sending(tcp_pair: Pair) -> None:
    transport, peer = tcp_pair
    fill(transport)
    assert not transport.send_wait.poll(0)
    transport.end_sending()
    # Whoever waits finds out.
    assert transport.send_wait.poll(PATIENCE)
    expect_lost(lambda: transport.try_send(b"x"))
    receive_all(peer)
    peer.send(b"still here")
    assert transport.recv_wait.poll(PATIENCE)
    assert transport.try_recv(100) == b"still here"
    transport.close()
    transport.end_sending()


def test_tracer_sees_what_went_over_the_wire() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        tracer = Record()
        transport = make(ours, tracer)
        size = fill(transport)
        assert 0 < size < len(BULK)
        assert tracer.out == theirs.recv(2 * size)
        theirs.send(b"12345")
        transport.try_recv(3)
        transport.try_recv_into(memoryview(bytearray(100)))
        assert transport.try_recv(1) is None
        assert tracer.into == b"12345"
        assert not transport.can_sendfile


def test_no_transport() -> None:
    transport = NoTransport()
    assert transport.closed
    transport.close()


# Files


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(BULK)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_sendfile(pair: Pair, file: int) -> None:
    transport, peer = pair
    assert transport.can_sendfile
    assert transport.try_sendfile(file, 100, 5) == 5
    assert peer.recv(100) == BULK[100:105]
    assert transport.try_sendfile(file, len(BULK) - 3, 100) == 3
    assert peer.recv(100) == BULK[-3:]
    assert transport.try_sendfile(file, len(BULK), 100) == 0
    position = 0
    while size := transport.try_sendfile(file, position, len(BULK)):
        position += size
    assert size is None
    assert transport.send_wait == (transport.sock.fileno(), POLLOUT)
    assert peer.recv(len(BULK)) == BULK[:position]


def test_sendfile_to_a_peer_that_has_closed(pair: Pair, file: int) -> None:
    transport, peer = pair
    peer.close()
    expect_lost(lambda: transport.try_sendfile(file, 0, 5))


def test_sendfile_that_the_system_refuses(pair: Pair, file: int) -> None:
    transport, peer = pair
    # What the system cannot do to such a descriptor, it cannot do to some file systems either.
    flags = fcntl.fcntl(transport.sock, fcntl.F_GETFL)
    fcntl.fcntl(transport.sock, fcntl.F_SETFL, flags | os.O_APPEND)
    with pytest.raises(OSError, match="Invalid argument") as caught:
        transport.try_sendfile(file, 0, 5)
    assert caught.value.errno == errno.EINVAL
    assert not isinstance(caught.value, ConnectionClosed)
    assert transport.try_send(b"unharmed") == 8
    assert peer.recv(100) == b"unharmed"


# With TLS


class WantingSocket(ssl.SSLSocket):
    """Raises what it is told to, instead of sending and receiving.

    A peer that renegotiates (TLS 1.2) or updates its keys (TLS 1.3) while the socket is full brings
    OpenSSL to this, but Python can make no peer do so.
    """

    wants: list[ssl.SSLError]

    def _want(self) -> None:
        if self.__dict__.setdefault("wants", []):
            raise self.wants.pop(0)

    def send(self, *args: Any) -> int:
        self._want()
        return super().send(*args)

    def recv(self, *args: Any) -> bytes:
        self._want()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int | None:  # type: ignore[override]  # None if it would block
        self._want()
        return super().recv_into(*args)


def shake_hands(client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
    waiting = [client, server]
    while waiting:
        for sock in tuple(waiting):
            try:
                sock.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(sock)


def make_tls(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tracer: Record | None = None
) -> TLSPair:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    client = client_context.wrap_socket(
        ours,
        server_hostname="localhost",
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    )
    server = server_context.wrap_socket(
        theirs, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )
    shake_hands(client, server)
    server.settimeout(PATIENCE)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return TLSTransport(client, tracer), server


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def tls_pair(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[TLSPair]:
    """A TLS transport with the smallest send buffer, and its peer."""
    client_context = certificates.client_context()
    client_context.sslsocket_class = WantingSocket
    client_context.maximum_version = request.param
    transport, server = make_tls(client_context, certificates.server_context())
    with transport.sock, server:
        yield transport, server


def test_tls_send_and_receive(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    assert transport.try_send(b"hello") == 5
    assert peer.recv(100) == b"hello"
    peer.send(b"12345678")
    assert transport.try_recv(3) == b"123"
    buffer = bytearray(3)
    assert transport.try_recv_into(memoryview(buffer)) == 3
    assert buffer == b"456"
    assert transport.try_recv(2**62) == b"78"
    assert not transport.can_sendfile


def test_tls_data_within_openssl_is_readable(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    assert transport.try_recv(1) is None
    assert not transport.is_readable()
    peer.send(b"12")
    assert transport.is_readable()
    assert transport.try_recv(1) == b"1"
    # All of the record has left the socket.
    assert not transport.recv_wait.poll(0)
    assert transport.is_readable()
    assert not transport.drained
    assert transport.try_recv(1) == b"2"
    assert not transport.is_readable()


def test_tls_session_ticket_is_no_data(certificates: Certificates) -> None:
    transport, server = make_tls(certificates.client_context(), certificates.server_context())
    with transport.sock, server:
        assert server.version() == "TLSv1.3"
        # The server's tickets come behind the handshake (RFC 8446 §4.6.1).
        assert transport.is_readable()
        assert transport.try_recv(100) is None
        assert transport.drained
        assert transport.recv_wait == (transport.sock.fileno(), POLLIN)
        assert not transport.is_readable()


def test_tls_sends_whole_records_and_asks_for_the_rest_again(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    sent = 0
    received = bytearray()
    while sent < len(BULK):
        size = transport.try_send(memoryview(BULK)[sent:])
        if size is None:
            assert transport.sent_in_part
            assert transport.send_wait == (transport.sock.fileno(), POLLOUT)
            # The kernel is full of a part of that record, so the peer need not have any of it.
            peer.settimeout(0.0)
            try:
                received += peer.recv(100_000)
            except ssl.SSLWantReadError:
                pass
            continue
        assert 0 < size <= TLS_RECORD_SIZE
        assert not transport.sent_in_part
        sent += size
    peer.settimeout(PATIENCE)
    while len(received) < len(BULK):
        received += peer.recv(100_000)
    assert received == BULK


def block(transport: TLSTransport) -> int:
    """Send until a record is stuck; return how many bytes of `BULK`, over and over, went before."""
    sent = 0
    while (size := transport.try_send(BULK[sent:])) is not None:
        sent += size
    return sent


def push(transport: TLSTransport, peer: ssl.SSLSocket, data: bytes, received: bytearray) -> int:
    """Send *data* as far as one attempt goes that is not in vain, while *peer* receives."""
    peer.settimeout(0.0)
    while (size := transport.try_send(data)) is None:
        try:
            received += peer.recv(100_000)
        except ssl.SSLWantReadError:
            pass
    peer.settimeout(PATIENCE)
    return size


def test_tls_other_bytes_instead_of_those_that_are_on_their_way(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    sent = block(transport)
    rest = BULK[sent:]
    for other in (b"other", bytes(reversed(rest)), rest[: TLS_RECORD_SIZE - 1]):
        with pytest.raises(StateError, match="are on their way already"):
            transport.try_send(other)
    # That has changed nothing.
    received = bytearray()
    size = push(transport, peer, rest, received)
    while len(received) < sent + size:
        received += peer.recv(100_000)
    assert received == BULK[: sent + size]


def test_tls_retry_with_more_than_before(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    sent = 0
    # Little by little, so that a record that is smaller than it could be gets stuck.
    while transport.try_send(BULK[sent : sent + 1000]) is not None:
        sent += 1000
    received = bytearray()
    # Only what was on its way counts.
    assert push(transport, peer, BULK[sent : sent + 5000], received) == 1000
    assert push(transport, peer, BULK[sent + 1000 : sent + 1005], received) == 5
    while len(received) < sent + 1005:
        received += peer.recv(100_000)
    assert received == BULK[: sent + 1005]


def test_tls_wants_to_read_in_order_to_send(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    assert isinstance(transport.sock, WantingSocket)
    transport.sock.wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]
    fd = transport.sock.fileno()
    assert transport.try_send(b"data") is None
    assert transport.send_wait == (fd, POLLIN)
    assert transport.sent_in_part
    assert transport.try_send(b"data") is None
    assert transport.send_wait == (fd, POLLOUT)
    assert transport.try_send(b"data") == 4
    assert peer.recv(100) == b"data"
    assert not transport.sent_in_part


@pytest.mark.parametrize("into", [False, True])
def test_tls_wants_to_write_in_order_to_receive(tls_pair: TLSPair, into: bool) -> None:
    transport, peer = tls_pair
    assert isinstance(transport.sock, WantingSocket)
    transport.sock.wants = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]
    fd = transport.sock.fileno()

    def attempt() -> bytes | None:
        if not into:
            return transport.try_recv(4)
        buffer = bytearray(4)
        size = transport.try_recv_into(memoryview(buffer))
        return None if size is None else bytes(buffer[:size])

    assert attempt() is None
    assert transport.recv_wait == (fd, POLLOUT)
    assert attempt() is None
    assert transport.recv_wait == (fd, POLLIN)
    peer.send(b"data")
    assert attempt() == b"data"


def test_tls_close_says_goodbye(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    transport.try_send(b"last words")
    transport.close()
    transport.close()
    # Without close_notify the last recv() would raise.
    assert receive_all(peer) == b"last words"


def test_tls_close_with_a_full_socket_does_not_wait(tls_pair: TLSPair) -> None:
    transport, _peer = tls_pair
    block(transport)
    transport.close()
    assert transport.closed


def test_tls_close_of_the_peer(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    peer.send(b"last words")
    peer.settimeout(0.0)
    with pytest.raises(ssl.SSLWantReadError):
        peer.unwrap()
    peer.close()
    assert transport.try_recv(100) == b"last words"
    assert transport.try_recv(100) == b""
    assert transport.try_recv_into(memoryview(bytearray(1))) == 0


@pytest.mark.parametrize("into", [False, True])
def test_tls_truncation(tls_pair: TLSPair, into: bool) -> None:
    transport, peer = tls_pair
    peer.send(b"last")
    peer.close()
    assert transport.try_recv(100) == b"last"
    error = expect_lost(
        (lambda: transport.try_recv_into(memoryview(bytearray(1))))
        if into
        else (lambda: transport.try_recv(100))
    )
    assert "close_notify" in str(error)
    assert is_temp_network_error(error)


def test_tls_send_to_a_peer_that_has_closed(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    peer.close()
    expect_lost(lambda: transport.try_send(b"x"))


def test_tls_nonsense(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    with socket.socket(fileno=peer.detach()) as bare:
        bare.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        def receive() -> None:
            # Tickets may come first.
            while transport.try_recv(100) is None:
                pass

        error = expect_lost(receive)
        assert isinstance(error.__cause__, ssl.SSLError)


def test_tls_end_of_sending(tls_pair: TLSPair) -> None:
    transport, peer = tls_pair
    transport.end_sending()
    expect_lost(lambda: transport.try_send(b"x"))
    peer.send(b"still here")
    while (data := transport.try_recv(100)) is None:
        pass
    assert data == b"still here"


def test_tls_closed_here(tls_pair: TLSPair) -> None:
    transport, _peer = tls_pair
    transport.close()
    closed_here = CloseReason.CLOSED_LOCALLY
    expect_lost(lambda: transport.try_send(b"x"), closed_here)
    expect_lost(lambda: transport.try_recv(1), closed_here)
    expect_lost(lambda: transport.try_recv_into(memoryview(bytearray(1))), closed_here)


class PausingSocket(ssl.SSLSocket):
    """Lets another thread in after `unwrap`."""

    after_unwrap: Callable[[], None]

    def unwrap(self) -> socket.socket:
        try:
            return super().unwrap()
        finally:
            self.after_unwrap()


def test_tls_nothing_is_sent_in_the_clear_after_close_notify(certificates: Certificates) -> None:
    client_context = certificates.client_context()
    client_context.sslsocket_class = PausingSocket
    transport, server = make_tls(client_context, certificates.server_context())
    assert isinstance(transport.sock, PausingSocket)
    errors: list[BaseException] = []
    trying = threading.Event()

    def send() -> None:
        trying.set()
        try:
            transport.try_send(b"secret")
        except ConnectionClosed as exc:
            errors.append(exc)

    thread = threading.Thread(target=send)

    def let_in() -> None:
        thread.start()
        trying.wait(PATIENCE)

    transport.sock.after_unwrap = let_in
    with server:
        # With the peer's close_notify here already, unwrap() is complete, and the rest without TLS.
        server.settimeout(0.0)
        with pytest.raises(ssl.SSLWantReadError):
            server.unwrap()
        transport.close()
        thread.join(PATIENCE)
        (error,) = errors
        assert isinstance(error, ConnectionClosed)
        assert error.reason is CloseReason.CLOSED_LOCALLY
        with socket.socket(fileno=server.detach()) as bare:
            bare.settimeout(PATIENCE)
            assert b"secret" not in receive_all(bare)


def test_tls_tracer_sees_what_is_encrypted(certificates: Certificates) -> None:
    tracer = Record()
    transport, server = make_tls(
        certificates.client_context(), certificates.server_context(), tracer
    )
    with transport.sock, server:
        sent = block(transport)
        assert tracer.out == BULK[:sent]
        server.send(b"12345")
        received = b""
        while len(received) < 5:
            received += transport.try_recv(3) or b""
        assert tracer.into == b"12345"


@pytest.mark.parametrize("presented", ["none", "of another authority"])
def test_certificate_that_the_server_misses_after_the_handshake(
    certificates: Certificates, tmp_path: Path, presented: str
) -> None:
    server_context = certificates.server_context()
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_verify_locations(certificates.authority_file)
    client_context = certificates.client_context()
    if presented != "none":
        trustme.CA().issue_cert("client").configure_cert(client_context)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = client_context.wrap_socket(
        ours, server_hostname="localhost", do_handshake_on_connect=False
    )
    refusals: list[ssl.SSLError] = []

    def serve() -> None:
        theirs.settimeout(PATIENCE)
        try:
            server_context.wrap_socket(theirs, server_side=True)
        except ssl.SSLError as exc:
            refusals.append(exc)

    thread = threading.Thread(target=serve)
    thread.start()
    with client:
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                assert PollNeeded(client.fileno(), POLLIN).poll(PATIENCE)
            else:
                break
        # To the client, the handshake of TLS 1.3 was fine (RFC 8446 §4.4.2.4).
        assert client.version() == "TLSv1.3"
        transport = TLSTransport(client, None)
        thread.join(PATIENCE)
        assert refusals
        with pytest.raises(ssl.SSLError, match=r"CERTIFICATE|certificate|UNKNOWN_CA") as caught:
            transport.try_recv(100)
        assert not is_temp_network_error(caught.value)
        assert caught.value.__cause__ is None
        # Whoever goes on nevertheless finds a connection that is closed.
        assert transport.try_recv(100) == b""
        with pytest.raises(ConnectionClosed):
            transport.try_send(b"x")
    theirs.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_two_threads(tls: bool, certificates: Certificates) -> None:
    """One sends while another receives, both as fast as they can."""
    transport: Transport
    peer: socket.socket
    if tls:
        transport, peer = make_tls(certificates.client_context(), certificates.server_context())
    else:
        ours, peer = socket.socketpair()
        transport = make(ours)
        peer.settimeout(PATIENCE)
    size = len(BULK)

    def echo() -> None:
        left = size
        while left:
            data = peer.recv(16_384)
            peer.sendall(data)
            left -= len(data)

    received = bytearray()

    def receive() -> None:
        while len(received) < size:
            data = transport.try_recv(16_384)
            if data is None:
                assert transport.recv_wait.poll(PATIENCE)
            else:
                received.extend(data)

    threads = [threading.Thread(target=target, daemon=True) for target in (echo, receive)]
    with transport.sock, peer:
        for thread in threads:
            thread.start()
        sent = 0
        while sent < size:
            count = transport.try_send(memoryview(BULK)[sent:])
            if count is None:
                assert transport.send_wait.poll(PATIENCE)
            else:
                sent += count
        for thread in threads:
            thread.join(PATIENCE)
    assert received == BULK


# Before the descriptor is closed


@pytest.mark.parametrize("way", ["close", "detach"])
def test_who_watches_the_descriptor_is_told_once_before_it_is_closed(pair: Pair, way: str) -> None:
    transport, _ = pair
    fd = transport.sock.fileno()
    told: list[int] = []

    def tell() -> None:
        # While the system cannot give the number to another socket.
        os.fstat(fd)
        told.append(fd)

    before_close[fd] = tell
    try:
        if way == "close":
            transport.close()
        else:
            transport.detach().close()
        assert told == [fd]
        assert fd not in before_close
        transport.close()
        assert told == [fd]
    finally:
        before_close.pop(fd, None)
