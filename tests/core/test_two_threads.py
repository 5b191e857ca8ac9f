"""One thread sends while another receives, on one connection, as fast as they can: nothing gets lost or mixed up."""

from __future__ import annotations

import hashlib
import io
import queue
import random
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from httpio import (
    POLLIN,
    POLLOUT,
    BodyFollowing,
    HTTPConnection,
    HTTPResponse,
    PollNeeded,
    StateError,
)
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.select_loop import drive_all

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from httpio import PollGenerator
    from tests.support.certs import Certificates

PATIENCE = 60.0
LARGE = 300_000


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture(autouse=True, params=[5e-3, 1e-5], ids=["slowly", "quickly"])
def _switching(request: pytest.FixtureRequest) -> Iterator[None]:
    """Threads take turns as they usually do, and as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


def content_of(number: int, size: int) -> bytes:
    """Return *size* bytes that no other *number* has."""
    block = hashlib.sha256(b"%d" % number).digest()
    return (block * (size // len(block) + 1))[:size]


def read_chunked(source: BinaryIO) -> Iterator[bytes]:
    while size := int(source.readline(), 16):
        yield source.read(size)
        assert source.read(2) == b"\r\n"
    while source.readline() != b"\r\n":
        pass


def echo(source: BinaryIO, sink: BinaryIO, chunked: bool, length: int) -> None:
    """Send a body back while it is received."""
    sink.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    left = length
    pieces = read_chunked(source) if chunked else iter(lambda: source.read(min(left, 10_000)), b"")
    for piece in pieces:
        left -= len(piece)
        sink.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        sink.flush()
    sink.write(b"0\r\n\r\n")


def converse(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests: with the sum of what came, and as much content as the path asks for."""
    while line := source.readline():
        method, path, _ = line.split()
        fields = {}
        while (field := source.readline()) != b"\r\n":
            name, _, value = field.partition(b":")
            fields[name.lower()] = value.strip()
        chunked = b"transfer-encoding" in fields
        length = int(fields.get(b"content-length", 0))
        if path == b"/echo":
            echo(source, sink, chunked, length)
        else:
            body = b"".join(read_chunked(source)) if chunked else source.read(length)
            number, size = map(int, path[1:].split(b"/"))
            content = content_of(number, size)
            sink.write(
                b"HTTP/1.1 200 OK\r\nX-Sum: %b\r\nContent-Length: %d\r\n\r\n"
                % (hashlib.sha256(body).hexdigest().encode(), size)
            )
            if method != b"HEAD":
                sink.write(content)
        sink.flush()


class EchoServer:
    """Serves each connection in a thread, requests of a pipeline one after the other."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def accept(self) -> None:
        """Expect one more connection."""
        thread = threading.Thread(target=self._serve)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        try:
            sock, _ = self._listener.accept()
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as source, sock.makefile("wb") as sink:
                converse(cast("BinaryIO", source), cast("BinaryIO", sink))
        except BaseException as exc:  # noqa: BLE001 - the test raises it
            self.failures.append(exc)

    def close(self) -> None:
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not self.failures


@pytest.fixture(params=["plain", "tls"])
def connect(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[Callable[[], HTTPConnection]]:
    tls = request.param == "tls"
    server = EchoServer(certificates.server_context() if tls else None)

    with ExitStack() as stack:
        stack.callback(server.close)

        def make() -> HTTPConnection:
            server.accept()
            context = certificates.client_context() if tls else None
            conn = HTTPConnection("127.0.0.1", server.port, context, timeout=PATIENCE)
            return stack.enter_context(conn)

        yield make


class Sent:
    """What the receiving thread has to know of a request."""

    def __init__(self, method: str, number: int, size: int, body: bytes) -> None:
        self.method = method
        self.number = number
        self.size = 0 if method == "HEAD" else size
        self.path = f"/{number}/{size}"
        self.sum = hashlib.sha256(body).hexdigest()


def random_size(rng: random.Random) -> int:
    return rng.choice((0, 1, 10, 100, 1000, 5000, 20_000)) if rng.random() < 0.99 else LARGE


def send_one(
    conn: HTTPConnection, number: int, rng: random.Random, sent: queue.Queue[Sent]
) -> None:
    """Send a request in one of the many ways, and put it into *sent*."""
    way = rng.randrange(7)
    size = random_size(rng)
    body = b"" if way < 3 else content_of(-number, random_size(rng))
    request = Sent("HEAD" if way == 0 else "GET" if way < 3 else "PUT", number, size, body)
    if way < 3:
        conn.send_request(request.method, request.path)
    elif way == 3:
        # Whoever waits for the response may begin before the request is sent.
        sent.put(request)
        conn.send_request("PUT", request.path, None, body)
        return
    elif way == 4:
        conn.send_request("PUT", request.path, None, BodyFollowing(len(body)))
        position = 0
        while position < len(body):
            position += conn.write(body[position : position + rng.choice((100, 4000, 50_000))])
    elif way == 5:
        conn.send_request("PUT", request.path, None, BodyFollowing())
        position = 0
        while position < len(body):
            position += conn.write(body[position : position + rng.choice((1000, 50_000))])
        conn.finish_body({"X-Trailer": "t"})
    else:
        conn.send_request("PUT", request.path, None, BodyFollowing(len(body)))
        conn.sendfile(io.BytesIO(body))
    sent.put(request)


def read_response(conn: HTTPConnection) -> HTTPResponse:
    """Read a response as soon as the other thread has come as far as that."""
    while True:
        try:
            return conn.read_response()
        except StateError:
            time.sleep(0.0005)


def receive_one(conn: HTTPConnection, request: Sent, rng: random.Random) -> None:
    response = read_response(conn)
    assert (response.method, response.path) == (request.method, request.path)
    assert response.status == 200
    assert response.headers["X-Sum"] == request.sum
    content = bytearray()
    way = rng.randrange(3)
    if way == 0:
        content += conn.readall()
    elif way == 1:
        while data := conn.read(rng.choice((10, 1000, 100_000))):
            content += data
    else:
        buffer = bytearray(10_000)
        while size := conn.readinto(buffer):
            content += buffer[:size]
    assert content == content_of(request.number, request.size)


def in_threads(*targets: Callable[[], None]) -> None:
    """Run *targets* side by side, and raise what one of them raises."""
    failures: list[BaseException] = []

    def run(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as exc:  # noqa: BLE001 - raised below
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not failures:
            thread.join(0.1)
    if failures:
        raise failures[0]


def test_pipelines(connect: Callable[[], HTTPConnection]) -> None:
    """Thousands of requests on several connections at once, each with two threads."""
    total = 1000
    targets: list[Callable[[], None]] = []
    for seed in range(3):
        conn = connect()
        sent: queue.Queue[Sent] = queue.Queue()
        sending, receiving = random.Random(seed), random.Random(-seed - 1)

        def send(
            conn: HTTPConnection = conn,
            rng: random.Random = sending,
            sent: queue.Queue[Sent] = sent,
        ) -> None:
            conn.connect()
            for number in range(1, total + 1):
                send_one(conn, number, rng, sent)

        def receive(
            conn: HTTPConnection = conn,
            rng: random.Random = receiving,
            sent: queue.Queue[Sent] = sent,
        ) -> None:
            for _ in range(total):
                receive_one(conn, sent.get(timeout=PATIENCE), rng)
            assert not conn.response_pending()

        targets += [send, receive]
    in_threads(*targets)


BULK = content_of(0, 2_000_000)


@pytest.mark.parametrize("length", [len(BULK), None], ids=["length", "chunked"])
def test_full_duplex(connect: Callable[[], HTTPConnection], length: int | None) -> None:
    """The server sends back what it reads, while it reads it: neither direction may wait for the other."""
    conn = connect()
    begun = threading.Event()
    received = bytearray()

    def send() -> None:
        conn.send_request("PUT", "/echo", None, BodyFollowing(length))
        for position in range(0, len(BULK), 50_000):
            conn.write(BULK[position : position + 50_000])
            begun.set()
        if length is None:
            conn.finish_body()

    def receive() -> None:
        assert begun.wait(PATIENCE)
        assert read_response(conn).status == 200
        while data := conn.read(30_000):
            received.extend(data)

    in_threads(send, receive)
    assert received == BULK
    conn.send_request("GET", "/1/5")
    assert conn.read_response().status == 200
    assert conn.readall() == content_of(1, 5)


def test_full_duplex_of_a_body_that_is_passed_along(
    connect: Callable[[], HTTPConnection],
) -> None:
    conn = connect()
    conn.connect()
    received = bytearray()

    def receive() -> None:
        read_response(conn)
        while data := conn.read(30_000):
            received.extend(data)

    in_threads(lambda: conn.send_request("PUT", "/echo", None, BULK), receive)
    assert received == BULK


def test_full_duplex_of_coroutines(connect: Callable[[], HTTPConnection]) -> None:
    """The same in one thread."""
    conn = connect()
    conn.send_request("PUT", "/echo", None, BodyFollowing(len(BULK)))
    conn.write(BULK[:10_000])

    def co_send() -> PollGenerator[bytes]:
        yield from conn.co_write(BULK[10_000:])
        return b""

    def co_receive() -> PollGenerator[bytes]:
        received = bytearray()
        while True:
            try:
                yield from conn.co_read_response()
                break
            except StateError:
                # Nothing yet. The other coroutine has more to send.
                yield PollNeeded(conn.fileno(), POLLIN | POLLOUT)
        while data := (yield from conn.co_read(30_000)):
            received += data
        return bytes(received)

    assert drive_all(co_send(), co_receive()) == [b"", BULK]
