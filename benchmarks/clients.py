"""The clients that are compared, each as its own documentation would have it used.

A client is made with the strings of the command line, and then called with a number of operations.
It imports what it needs only when it is made: nothing else is in its memory.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import select
    from collections.abc import Callable

    from httpio import HTTPConnection, PollCoroutine, PollGenerator, PollNeeded

HOST = "127.0.0.1"


class Client(Protocol):
    """What is measured."""

    def __call__(self, count: int, /) -> None:
        """Do *count* operations."""


def connect(port: str) -> socket.socket:
    """Return a blocking socket, set up as the HTTP clients set up theirs."""
    sock = socket.create_connection((HOST, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def open_httpio(port: str) -> HTTPConnection:
    """Return a connection with a time-out, which costs it nothing."""
    from httpio import HTTPConnection

    connection = HTTPConnection(HOST, int(port), timeout=60)
    connection.connect()
    return connection


def check(content: bytes | bytearray | memoryview, size: int) -> None:
    """Fail if *content* is not the whole document."""
    if len(content) != size:
        raise AssertionError(f"expected {size} bytes, got {len(content)}")


# --- One small document at a time: CLIENT PORT PATH SIZE -------------------------------------------


class RawGet:
    """The floor: what a program with a socket does that knows everything beforehand."""

    def __init__(self, port: str, path: str, size: str) -> None:
        self._sock: Final = connect(port)
        self._request: Final = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        self._size: Final = int(size)
        self._buffer: Final = bytearray(65536)

    def __call__(self, count: int) -> None:
        buffer = self._buffer
        view = memoryview(buffer)
        for _ in range(count):
            self._sock.sendall(self._request)
            received = 0
            while (head_end := buffer.find(b"\r\n\r\n", 0, received)) < 0:
                received += self._sock.recv_into(view[received:])
            start = buffer.index(b"Content-Length: ", 0, head_end) + 16
            length = int(buffer[start : buffer.index(b"\r\n", start)])
            while received < head_end + 4 + length:
                received += self._sock.recv_into(view[received:])
            content = bytes(view[head_end + 4 : received])
            check(content, self._size)


class HttpioGet:
    """httpio, blocking."""

    def __init__(self, port: str, path: str, size: str) -> None:
        self._connection: Final = open_httpio(port)
        self._path: Final = path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        connection, path = self._connection, self._path
        for _ in range(count):
            connection.send_request("GET", path)
            response = connection.read_response()
            content = connection.readall()
            assert response.status == 200
            check(content, self._size)


class HttpClientGet:
    """http.client of the standard library."""

    def __init__(self, port: str, path: str, size: str) -> None:
        from http.client import HTTPConnection

        self._connection: Final = HTTPConnection(HOST, int(port))
        self._path: Final = path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        connection, path = self._connection, self._path
        for _ in range(count):
            connection.request("GET", path)
            response = connection.getresponse()
            content = response.read()
            assert response.status == 200
            check(content, self._size)


class PycurlGet:
    """libcurl, with one handle that is used again and again."""

    def __init__(self, port: str, path: str, size: str) -> None:
        import pycurl

        self._curl: Final = pycurl.Curl()
        self._curl.setopt(pycurl.URL, f"http://{HOST}:{port}{path}")
        self._write_data: Final = pycurl.WRITEDATA
        self._status: Final = pycurl.RESPONSE_CODE
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        from io import BytesIO

        curl = self._curl
        for _ in range(count):
            content = BytesIO()
            curl.setopt(self._write_data, content)
            curl.perform()
            assert curl.getinfo(self._status) == 200
            check(content.getvalue(), self._size)


class Urllib3Get:
    """urllib3, with its pool of connections."""

    def __init__(self, port: str, path: str, size: str) -> None:
        import urllib3

        self._pool: Final = urllib3.HTTPConnectionPool(HOST, int(port), maxsize=1)
        self._path: Final = path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        pool, path = self._pool, self._path
        for _ in range(count):
            response = pool.request("GET", path)
            assert response.status == 200
            check(response.data, self._size)


class HttptoolsGet:
    """The floor again, but with the parser of Node.js to read the response."""

    def __init__(self, port: str, path: str, size: str) -> None:
        from httptools import HttpResponseParser

        self._make_parser: Final = HttpResponseParser
        self._sock: Final = connect(port)
        self._request: Final = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        for _ in range(count):
            self._sock.sendall(self._request)
            self._headers: list[tuple[bytes, bytes]] = []
            self._body: list[bytes] = []
            self._complete = False
            parser = self._make_parser(self)
            while not self._complete:
                parser.feed_data(self._sock.recv(65536))
            assert parser.get_status_code() == 200
            check(b"".join(self._body), self._size)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = True


# --- Large bodies. An operation is one MiB: CLIENT PORT BUFFER_SIZE --------------------------------

MIB = 1 << 20


class RawDownload:
    """The floor: ``recv_into`` with the caller's buffer."""

    def __init__(self, port: str, buffer_size: str) -> None:
        self._sock: Final = connect(port)
        self._buffer: Final = bytearray(int(buffer_size))

    def __call__(self, count: int) -> None:
        sock, buffer = self._sock, self._buffer
        sock.sendall(f"GET /{count * MIB} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        left = count * MIB
        while left:
            left -= sock.recv_into(buffer)


class HttpioDownload:
    """httpio with ``readinto``."""

    def __init__(self, port: str, buffer_size: str) -> None:
        self._connection: Final = open_httpio(port)
        self._buffer: Final = bytearray(int(buffer_size))

    def __call__(self, count: int) -> None:
        connection, buffer = self._connection, self._buffer
        connection.send_request("GET", f"/{count * MIB}")
        connection.read_response()
        left = count * MIB
        while size := connection.readinto(buffer):
            left -= size
        assert not left


class HttpClientDownload:
    """http.client with ``readinto``."""

    def __init__(self, port: str, buffer_size: str) -> None:
        from http.client import HTTPConnection

        self._connection: Final = HTTPConnection(HOST, int(port))
        self._buffer: Final = bytearray(int(buffer_size))

    def __call__(self, count: int) -> None:
        self._connection.request("GET", f"/{count * MIB}")
        response = self._connection.getresponse()
        left = count * MIB
        while size := response.readinto(self._buffer):
            left -= size
        assert not left


class RawUpload:
    """The floor: ``sendall`` with the caller's chunks."""

    def __init__(self, port: str, chunk_size: str) -> None:
        self._sock: Final = connect(port)
        self._chunk: Final = os.urandom(int(chunk_size))

    def __call__(self, count: int) -> None:
        sock, chunk = self._sock, self._chunk
        length = count * MIB
        sock.sendall(f"PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n".encode())
        for _ in range(length // len(chunk)):
            sock.sendall(chunk)
        assert sock.recv(4096).startswith(b"HTTP/1.1 204")


class HttpioUpload:
    """httpio with ``write``."""

    def __init__(self, port: str, chunk_size: str) -> None:
        from httpio import BodyFollowing

        self._body: Final = BodyFollowing
        self._connection: Final = open_httpio(port)
        self._chunk: Final = os.urandom(int(chunk_size))

    def __call__(self, count: int) -> None:
        connection, chunk = self._connection, self._chunk
        length = count * MIB
        connection.send_request("PUT", "/", body=self._body(length))
        for _ in range(length // len(chunk)):
            connection.write(chunk)
        assert connection.read_response().status == 204


class HttpClientUpload:
    """http.client with ``send``."""

    def __init__(self, port: str, chunk_size: str) -> None:
        from http.client import HTTPConnection

        self._connection: Final = HTTPConnection(HOST, int(port))
        self._chunk: Final = os.urandom(int(chunk_size))

    def __call__(self, count: int) -> None:
        connection, chunk = self._connection, self._chunk
        length = count * MIB
        connection.putrequest("PUT", "/")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        for _ in range(length // len(chunk)):
            connection.send(chunk)
        response = connection.getresponse()
        response.read()
        assert response.status == 204


# --- Pipelined small documents: CLIENT PORT PATH SIZE ----------------------------------------------


class TwoThreads(HttpioGet):
    """httpio, one thread that sends and one that reads."""

    def __call__(self, count: int) -> None:
        connection = self._connection
        sent = threading.Semaphore(0)

        def send() -> None:
            for _ in range(count):
                connection.send_request("GET", self._path)
                sent.release()

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(count):
            sent.acquire()
            connection.read_response()
            check(connection.readall(), self._size)
        sender.join()


class Cofunction(HttpioGet):
    """httpio, with the loop around ``via_cofun`` that the documentation shows."""

    def __call__(self, count: int) -> None:
        for _ in range(count):
            for _ in self._connection.send_request("GET", self._path, via_cofun=True):
                self._read()
        while self._connection.response_pending():
            self._read()

    def _read(self) -> None:
        self._connection.read_response()
        check(self._connection.readall(), self._size)


class Coroutines(HttpioGet):
    """httpio, a coroutine that sends and one that reads, in turns."""

    def __init__(self, port: str, path: str, size: str) -> None:
        import select

        from httpio import POLLOUT, PollNeeded, coroutine

        super().__init__(port, path, size)
        self._new_poll: Final[Callable[[], select.poll]] = select.poll
        self._may_send: Final = PollNeeded(self._connection.fileno(), POLLOUT)
        self._coroutine: Final = coroutine

    def __call__(self, count: int) -> None:
        waiting: dict[PollCoroutine[None], PollNeeded] = {}
        runnable = [self._coroutine(self._send)(count), self._coroutine(self._read)(count)]
        poller = self._new_poll()
        while runnable:
            for each in runnable:
                try:
                    waiting[each] = next(each)
                except StopIteration:
                    waiting.pop(each, None)
            runnable = []
            if waiting:
                mask = 0
                for needed in waiting.values():
                    mask |= needed.mask
                poller.register(self._may_send.fd, mask)
                ((_, events),) = poller.poll(60_000)
                runnable = [each for each, needed in waiting.items() if events & needed.mask]

    def _send(self, count: int) -> PollGenerator[None]:
        for _ in range(count):
            yield from self._connection.co_send_request("GET", self._path)

    def _read(self, count: int) -> PollGenerator[None]:
        while count:
            if self._connection.response_pending():
                yield from self._connection.co_read_response()
                check((yield from self._connection.co_readall()), self._size)
                count -= 1
            else:
                yield self._may_send


CLIENTS: dict[str, Callable[..., Client]] = {
    "raw socket": RawGet,
    "raw socket, httptools": HttptoolsGet,
    "httpio": HttpioGet,
    "http.client": HttpClientGet,
    "pycurl": PycurlGet,
    "urllib3": Urllib3Get,
    "raw recv_into": RawDownload,
    "httpio readinto": HttpioDownload,
    "http.client readinto": HttpClientDownload,
    "raw sendall": RawUpload,
    "httpio write": HttpioUpload,
    "http.client send": HttpClientUpload,
    "httpio, two threads": TwoThreads,
    "httpio, cofunction": Cofunction,
    "httpio, coroutines": Coroutines,
}
