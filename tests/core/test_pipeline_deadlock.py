"""A pipeline gets through where both sides have hardly any room: a server that does one thing at a time cannot stop it.

The server reads a request to its end, then writes the response to its end, and does nothing else meanwhile: whoever
sends without reading, or reads without sending, waits for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection, Request
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.support.certs import Certificates

pytestmark = pytest.mark.exhaustive

LARGE = 10 * 1024 * 1024
UPLOAD = 1024 * 1024
_PIECE = 64 * 1024


class SequentialServer:
    """One connection after the other, and on each a request and its response after the other.

    `GET /SIZE` gives so many bytes; the response to anything with content begins with its hash.
    """

    def __init__(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        self._listener = listener
        self._context = context
        self.requests = 0
        self.connections = 0
        self.failure: BaseException | None = None

    def serve(self) -> None:
        """Serve until the listener is closed."""
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(PATIENCE * 2)
            try:
                if self._context is not None:
                    sock = self._context.wrap_socket(sock, server_side=True)
                with sock, sock.makefile("rb") as file:
                    while self._serve_one(sock, file):
                        pass
            except OSError:
                # The client has closed without reading all.
                pass
            except BaseException as exc:  # noqa: BLE001 - the test is to see it
                self.failure = exc
                return

    def _serve_one(self, sock: socket.socket, file: io.BufferedReader) -> bool:
        line = file.readline()
        if not line:
            return False
        _, target, _ = line.split()
        fields = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        digest = hashlib.sha256()
        has_content = False
        if fields.get(b"transfer-encoding") == b"chunked":
            has_content = True
            while size := int(file.readline(), 16):
                digest.update(file.read(size))
                file.readline()
            file.readline()
        elif length := int(fields.get(b"content-length", b"0")):
            has_content = True
            digest.update(file.read(length))
        self.requests += 1
        size = int(target.split(b"/")[1])
        content = response_content(target.decode(), size)
        if has_content:
            content = digest.hexdigest().encode() + content
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        view = memoryview(content)
        for start in range(0, len(view), _PIECE):
            sock.sendall(view[start : start + _PIECE])
        return True


_block = bytes(range(256)) * 4096


def response_content(path: str, size: int) -> bytes:
    """Return the content at *path*, which differs from that at any other."""
    start = path.encode() + b"\n"
    return (start + _block * (size // len(_block) + 1))[:size]


@contextmanager
def small_sockets() -> Iterator[None]:
    """Have sockets connect with small buffers.

    Afterwards would be too late: what TCP has announced to be able to receive it would drop.
    """
    connect_ex = socket.socket.connect_ex

    def small_connect_ex(sock: socket.socket, address: str) -> int:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer(sock))
        return connect_ex(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect_ex", small_connect_ex)
        yield


def receive_buffer(sock: socket.socket) -> int:
    """Return the size for a receive buffer: the kernel's minimum, where that is of any use.

    With less than a segment of loopback, TCP sends nothing in either direction until a timer is up.
    """
    return 1 if sock.family == socket.AF_UNIX else 64 * 1024


@contextmanager
def serving(
    kind: str, certificates: Certificates
) -> Iterator[tuple[SequentialServer, HTTPConnection]]:
    """Run a server in a thread, and give a connection to it whose buffers are small, too."""
    tls = kind.endswith("tls")
    context = certificates.server_context() if tls else None
    with contextlib.ExitStack() as stack:
        tcp = kind.startswith("tcp")
        listener = stack.enter_context(socket.socket(socket.AF_INET if tcp else socket.AF_UNIX))
        path: str | None = None
        port = None
        if tcp:
            # Before listen(), for the sockets that are accepted to inherit it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer(listener))
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        else:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="httpio-"))
            path = str(Path(directory, "socket"))
            listener.bind(path)
        listener.listen()
        server = SequentialServer(listener, context)
        thread = threading.Thread(target=server.serve, name="sequential server", daemon=True)
        thread.start()
        conn = HTTPConnection(
            "127.0.0.1" if tcp else "localhost",
            port,
            certificates.client_context() if tls else None,
            unix_socket=path,
            timeout=PATIENCE,
        )
        try:
            with conn:
                with small_sockets():
                    conn.connect()
                with socket.socket(fileno=os.dup(conn.fileno())) as duplicate:
                    assert duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < 10_000
                    assert duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < 200_000
                yield server, conn
        finally:
            # Wakes up accept(), which close() would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert server.failure is None, server.failure


@pytest.fixture(params=["unix", "unix-tls", "tcp", "tcp-tls"])
def served(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[tuple[SequentialServer, HTTPConnection]]:
    """A server and a connection with the smallest buffers that the kernel has."""
    with serving(request.param, certificates) as pair:
        yield pair


Served = tuple[SequentialServer, HTTPConnection]


def by_heads(conn: HTTPConnection, requests: list[Request]) -> list[bytes]:
    """Read with `readinto`, into one buffer."""
    contents = []
    buffer = memoryview(bytearray(_PIECE))
    pipeline = conn.pipeline(requests, backoff=0, retries=0)
    for response, request in zip(pipeline, requests, strict=True):
        assert response.request is request
        assert response.status == 200
        content = bytearray()
        while size := conn.readinto(buffer):
            content += buffer[:size]
        contents.append(bytes(content))
    return contents


def by_bodies(conn: HTTPConnection, requests: list[Request]) -> list[bytes]:
    """Take pairs."""
    contents = []
    pipeline = conn.pipeline(requests, backoff=0, retries=0)
    for (response, content), request in zip(pipeline.with_bodies(), requests, strict=True):
        assert response.request is request
        assert response.status == 200
        contents.append(content)
    return contents


WAYS = {"heads": by_heads, "bodies": by_bodies}
each_way = pytest.mark.parametrize("way", WAYS)


_upload = bytes(range(251)) * (UPLOAD // 251 + 1)
BODY = _upload[:UPLOAD]
DIGEST = hashlib.sha256(BODY).hexdigest().encode()


def pieces() -> list[bytes]:
    """Return the content of uploads, in pieces of odd sizes."""
    return [BODY[:1], BODY[1:70_000], BODY[70_000:70_001], BODY[70_001:]]


@each_way
def test_large_responses(served: Served, way: str) -> None:
    server, conn = served
    sizes = [10, LARGE, 10, 0, LARGE + 1, 10]
    requests = [Request("GET", f"/{size}/{index}") for index, size in enumerate(sizes)]
    contents = WAYS[way](conn, requests)
    for content, request, size in zip(contents, requests, sizes, strict=True):
        assert content == response_content(request.path, size)
    assert server.requests == len(requests)
    assert server.connections == 1


@each_way
def test_many_requests_do_not_fit_while_a_large_response_is_read(served: Served, way: str) -> None:
    """More requests than all buffers hold lie between the client and a server that writes."""
    server, conn = served
    long = "x" * 1000
    sizes = [10, *[LARGE // 40, 10, 3] * 120]
    requests = [Request("GET", f"/{size}/{index}/{long}") for index, size in enumerate(sizes)]
    contents = WAYS[way](conn, requests)
    for content, request, size in zip(contents, requests, sizes, strict=True):
        assert content == response_content(request.path, size)
    assert (server.requests, server.connections) == (len(requests), 1)


def bodies(kind: str, stack: contextlib.ExitStack, directory: Path) -> Callable[[], object]:
    """Return what makes a body of that kind."""
    if kind == "bytes":
        return lambda: BODY
    if kind == "iterable":
        return pieces
    if kind == "iterator":
        return lambda: iter(pieces())
    if kind == "memory file":
        return lambda: io.BytesIO(BODY)
    file = directory / "content"
    file.write_bytes(BODY)
    return lambda: stack.enter_context(file.open("rb"))


@pytest.mark.parametrize("kind", ["bytes", "file", "memory file", "iterable", "iterator"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
@each_way
def test_large_requests_and_large_responses(
    served: Served, way: str, kind: str, method: str, tmp_path: Path
) -> None:
    server, conn = served
    sizes = [10, LARGE if (kind, method) == ("bytes", "PUT") else UPLOAD, 10, 10, UPLOAD, 10]
    with contextlib.ExitStack() as stack:
        make = bodies(kind, stack, tmp_path)
        requests: list[Request] = []
        for index, size in enumerate(sizes):
            body = None if index in (0, 3) else make()
            name = "GET" if body is None else method
            requests.append(Request(name, f"/{size}/{index}", body=body))  # type: ignore[arg-type]  # one of the kinds
        contents = WAYS[way](conn, requests)
    for content, request, size in zip(contents, requests, sizes, strict=True):
        expected = response_content(request.path, size)
        assert content == (expected if request.body is None else DIGEST + expected)
    assert (server.requests, server.connections) == (len(requests), 1)
