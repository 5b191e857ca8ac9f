"""The clients that are compared, each as its own documentation would have it used.

A client is made with the strings of the command line, and then called with a number of operations.
It imports what it needs only when it is made: nothing else is in its memory.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import select
    from collections.abc import Callable

    from httpio import HTTPConnection, PollCoroutine, PollGenerator, PollNeeded

HOST = "127.0.0.1"


class Client(Protocol):
    """What is measured."""

    def __call__(self, count: int, /) -> float | None:
        """Do *count* operations; return the seconds of the longest block, if that is looked at."""


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


def aligned_memory(size: int) -> memoryview:
    """Return *size* bytes to receive into, from the start of a page.

    A large bytearray begins 16 bytes behind it, where some processors take three times as long to
    receive. The clients that make bytes of what they receive have those 48 bytes behind it.
    """
    from mmap import mmap

    return memoryview(mmap(-1, size))


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


# --- Many different objects, each handed to the caller: CLIENT PORT COUNT ---------------------------


def object_path(number: int) -> str:
    """Return the path of an object; see `benchmarks.servers.object_content`."""
    return f"/objects/{number:06d}"


class Objects:
    """What the clients below have in common. An operation is one object."""

    def __init__(self, port: str, count: str) -> None:
        from .servers import object_sizes

        self._port: Final = port
        self._sizes: Final = object_sizes(int(count))
        self._paths: Final = [object_path(number) for number in range(int(count))]

    def check(self, received: int, count: int) -> None:
        """Fail unless *received* bytes are the content of the first *count* objects."""
        expected = sum(self._sizes[:count])
        if received != expected:
            raise AssertionError(f"expected {expected} bytes of content, got {received}")


class RawObjects(Objects):
    """The floor: sends the same requests, receives what comes and looks at none of it."""

    def __init__(self, port: str, count: str) -> None:
        import select

        super().__init__(port, count)
        head = f"Host: {HOST}:{port}\r\nAccept-Encoding: identity\r\nContent-Length: 0"
        self._requests: Final = [
            f"GET {path} HTTP/1.1\r\n{head}\r\n\r\n".encode() for path in self._paths
        ]
        self._sock: Final = connect(port)
        self._sock.setblocking(False)
        self._poll: Final = select.poll()
        self._expected: Final[dict[int, int]] = {}

    def __call__(self, count: int) -> None:
        if count not in self._expected:
            # Heads differ in length. The first round, which is not measured, learns the sum.
            self._expected[count] = self._transfer(count, None)
        else:
            assert self._transfer(count, self._expected[count]) == self._expected[count]

    def _transfer(self, count: int, expected: int | None) -> int:
        sock, poll = self._sock, self._poll
        to_send = memoryview(b"".join(self._requests[:count]))
        buffer = bytearray(65536)
        received = 0
        poll.register(sock, 5)
        while received != expected:
            if not poll.poll(1000 if expected is None else 60_000):
                break
            if to_send:
                try:
                    to_send = to_send[sock.send(to_send) :]
                except BlockingIOError:
                    pass
                if not to_send:
                    poll.register(sock, 1)
            try:
                size = len(buffer)
                while size == len(buffer):
                    size = sock.recv_into(buffer)
                    received += size
            except BlockingIOError:
                pass
        return received


class PipelineWithBodies(Objects):
    """httpio, one thread, pairs of response and content."""

    def __init__(self, port: str, count: str, depth: str = "") -> None:
        from httpio import Request
        from httpio._pipeline import DEFAULT_DEPTH

        super().__init__(port, count)
        # The floor has its requests made beforehand, too.
        self._requests: Final = [Request("GET", path) for path in self._paths]
        self._connection: Final = open_httpio(port)
        self._depth: Final = int(depth) if depth else DEFAULT_DEPTH

    def __call__(self, count: int) -> None:
        requests = self._requests[:count]
        received = number = 0
        for response, content in self._connection.pipeline(
            requests, depth=self._depth
        ).with_bodies():
            assert response.status == 200
            received += len(content)
            number += 1
        assert number == count
        self.check(received, count)


class PipelineReadall(PipelineWithBodies):
    """httpio, one thread, heads, and the content by ``readall``."""

    def __call__(self, count: int) -> None:
        readall = self._connection.readall
        requests = self._requests[:count]
        received = number = 0
        for response in self._connection.pipeline(requests, depth=self._depth):
            assert response.status == 200
            received += len(readall())
            number += 1
        assert number == count
        self.check(received, count)


class PycurlMulti(Objects):
    """libcurl's multi interface, with 64 connections."""

    CONNECTIONS: Final = 64

    def __init__(self, port: str, count: str) -> None:
        import pycurl

        super().__init__(port, count)
        self._pycurl: Final = pycurl
        self._multi: Final = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self.CONNECTIONS)
        self._idle: Final = [pycurl.Curl() for _ in range(self.CONNECTIONS)]

    def __call__(self, count: int) -> None:
        from io import BytesIO

        pycurl, multi = self._pycurl, self._multi
        prefix = f"http://{HOST}:{self._port}"
        paths = iter(self._paths[:count])
        under_way: dict[object, BytesIO] = {}
        received = number = 0
        while number < count:
            while self._idle and (path := next(paths, None)) is not None:
                curl = self._idle.pop()
                content = under_way[curl] = BytesIO()
                curl.setopt(pycurl.URL, prefix + path)
                curl.setopt(pycurl.WRITEDATA, content)
                multi.add_handle(curl)
            while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
                pass
            _, done, failed = multi.info_read()
            assert not failed, failed
            for curl in done:
                assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
                received += len(under_way.pop(curl).getvalue())
                number += 1
                multi.remove_handle(curl)
                self._idle.append(curl)
            if not done:
                multi.select(1.0)
        self.check(received, count)


# --- Responses from a server that is never waited for: CLIENT PORT COUNT ----------------------------


class RawFlood(RawObjects):
    """The floor: receives and looks at nothing."""


class PipelineFlood(PipelineWithBodies):
    """httpio, one thread, pairs of response and content."""

    def check(self, received: int, count: int) -> None:
        from .flood_server import CONTENT_SIZE

        assert received == count * CONTENT_SIZE


class HttptoolsFlood(RawObjects):
    """The parser of Node.js in the loop of the floor: status and content of each response.

    The response is made ready for a caller, but for its headers: a callback for each of them would
    cost more than all the rest.
    """

    def __init__(self, port: str, count: str) -> None:
        super().__init__(port, count)
        self._pairs: list[tuple[int, bytes]] = []
        self._content = b""
        self._missing = self._content_size = 0

    def _transfer(self, count: int, expected: int | None) -> int:
        from httptools import HttpResponseParser

        sock, poll = self._sock, self._poll
        parser = self._parser = HttpResponseParser(self)
        to_send = memoryview(b"".join(self._requests[:count]))
        buffer = bytearray(65536)
        view = memoryview(buffer)
        self._missing = count
        self._content_size = 0
        poll.register(sock, 5)
        while self._missing:
            assert poll.poll(60_000)
            if to_send:
                try:
                    to_send = to_send[sock.send(to_send) :]
                except BlockingIOError:
                    pass
                if not to_send:
                    poll.register(sock, 1)
            try:
                size = len(buffer)
                while size == len(buffer):
                    size = sock.recv_into(buffer)
                    parser.feed_data(view[:size])
                    self._hand_over()
            except BlockingIOError:
                pass
        return self._content_size

    def _hand_over(self) -> None:
        """Do with what was parsed what the caller of the other clients does."""
        number = content_size = 0
        for status, content in self._pairs:
            assert status == 200
            content_size += len(content)
            number += 1
        self._pairs.clear()
        self._content_size += content_size
        self._missing -= number

    def on_body(self, data: bytes) -> None:
        self._content = self._content + data if self._content else data

    def on_message_complete(self) -> None:
        self._pairs.append((self._parser.get_status_code(), self._content))
        self._content = b""


class HttptoolsFloodHeaders(HttptoolsFlood):
    """The same, with the headers of each response."""

    def __init__(self, port: str, count: str) -> None:
        super().__init__(port, count)
        self._headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._headers = []


class HttptoolsFloodBare(HttptoolsFlood):
    """The parser alone: it counts messages and the bytes of their content, and keeps nothing."""

    def on_body(self, data: bytes) -> None:
        self._content_size += len(data)

    def on_message_complete(self) -> None:
        self._missing -= 1


class Dugong(Objects):
    """dugong 3, a coroutine that sends and one that reads, as its documentation shows."""

    def __init__(self, port: str, count: str) -> None:
        import select

        import dugong

        super().__init__(port, count)
        self._connection: Final = dugong.HTTPConnection(HOST, int(port))
        self._connection.connect()
        self._new_poll: Final[Callable[[], select.poll]] = select.poll

    def __call__(self, count: int) -> None:
        self._received = 0
        fd = self._connection._sock.fileno()
        poller = self._new_poll()
        waiting: dict[Any, int] = {}
        runnable = [self._send(count), self._read(count)]
        while runnable or waiting:
            for each in runnable:
                try:
                    waiting[each] = next(each).mask
                except StopIteration:
                    waiting.pop(each, None)
            runnable = []
            if waiting:
                mask = 0
                for one in waiting.values():
                    mask |= one
                poller.register(fd, mask)
                ((_, events),) = poller.poll(60_000)
                runnable = [each for each, needed in waiting.items() if events & needed]
        self.check(self._received, count)

    def _send(self, count: int) -> Any:
        for path in self._paths[:count]:
            yield from self._connection.co_send_request("GET", path)

    def _read(self, count: int) -> Any:
        for _ in range(count):
            while not self._connection.response_pending():
                from dugong import PollNeeded

                yield PollNeeded(self._connection._sock.fileno(), 4)
            response = yield from self._connection.co_read_response()
            assert response.status == 200
            self._received += len((yield from self._connection.co_readall()))


# --- Ranges of a large file. An operation is one range: CLIENT PORT FILE COUNT ----------------------

RANGE_SIZE = 8192


class Ranges:
    """What the clients below have in common."""

    def __init__(self, port: str, file: str, count: str) -> None:
        import random

        self._port: Final = int(port)
        self._file: Final = open(file, "rb")  # noqa: SIM115 - as long as the process
        generator = random.Random(3)
        size = os.fstat(self._file.fileno()).st_size
        self._offsets: Final = [generator.randrange(size - RANGE_SIZE) for _ in range(int(count))]
        self._path: Final = "/" + os.path.basename(file)

    def check(self, contents: list[bytes]) -> None:
        """Fail unless *contents* are the first of the ranges."""
        for offset, content in zip(self._offsets, contents, strict=False):
            if os.pread(self._file.fileno(), RANGE_SIZE, offset) != content:
                raise AssertionError(f"the range at {offset} is not what is in the file")


class HttpioRanges(Ranges):
    """httpio, ``read_ranges``."""

    def __init__(self, port: str, file: str, count: str) -> None:
        super().__init__(port, file, count)
        self._connection: Final = open_httpio(port)

    def __call__(self, count: int) -> None:
        ranges = [(offset, RANGE_SIZE) for offset in self._offsets[:count]]
        self.check(self._connection.read_ranges(self._path, ranges))


class HttpClientRanges(Ranges):
    """http.client, one range after the other on one connection."""

    def __init__(self, port: str, file: str, count: str) -> None:
        from http.client import HTTPConnection

        super().__init__(port, file, count)
        self._connection: Final = HTTPConnection(HOST, self._port)

    def __call__(self, count: int) -> None:
        contents = []
        for offset in self._offsets[:count]:
            headers = {"Range": f"bytes={offset}-{offset + RANGE_SIZE - 1}"}
            self._connection.request("GET", self._path, headers=headers)
            response = self._connection.getresponse()
            assert response.status == 206
            contents.append(response.read())
        self.check(contents)


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
    "raw loop": RawObjects,
    "httpio with_bodies": PipelineWithBodies,
    "httpio readall": PipelineReadall,
    "pycurl multi, 64 connections": PycurlMulti,
    "dugong": Dugong,
    "raw loop, flood": RawFlood,
    "httptools": HttptoolsFlood,
    "httptools, headers": HttptoolsFloodHeaders,
    "httptools, bare": HttptoolsFloodBare,
    "httpio with_bodies, flood": PipelineFlood,
    "httpio read_ranges": HttpioRanges,
    "http.client, one at a time": HttpClientRanges,
}
