"""Connections to the servers under test, and one interface over both ways to use them, so that one test covers both."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol

from httpio import HTTPConnection

from .documents import sha256
from .select_loop import WAIT_LIMIT, drive
from .servers import Feature, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from httpio import BodyFollowing, HTTPResponse

    from .documents import Document
    from .fix_servers import Endpoint


class Client(Protocol):
    """Sends requests and receives responses."""

    connection: HTTPConnection

    def send_request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BodyFollowing | None = None,
        *,
        expect100: bool = False,
    ) -> None: ...

    def write(self, data: bytes | memoryview) -> int: ...

    def finish_body(self) -> None: ...

    def read_response(self) -> HTTPResponse: ...

    def read(self, size: int) -> bytes: ...

    def readinto(self, buffer: memoryview) -> int: ...

    def readall(self) -> bytes: ...

    def discard(self) -> None: ...


class BlockingClient:
    """Calls the blocking methods."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    def send_request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BodyFollowing | None = None,
        *,
        expect100: bool = False,
    ) -> None:
        self.connection.send_request(method, path, headers, body, expect100=expect100)

    def write(self, data: bytes | memoryview) -> int:
        return self.connection.write(data)

    def finish_body(self) -> None:
        self.connection.finish_body()

    def read_response(self) -> HTTPResponse:
        return self.connection.read_response()

    def read(self, size: int) -> bytes:
        return self.connection.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self.connection.readinto(buffer)

    def readall(self) -> bytes:
        return self.connection.readall()

    def discard(self) -> None:
        self.connection.discard()


class CoroutineClient:
    """Drives the coroutines with a loop of its own."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    def send_request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BodyFollowing | None = None,
        *,
        expect100: bool = False,
    ) -> None:
        drive(self.connection.co_send_request(method, path, headers, body, expect100=expect100))

    def write(self, data: bytes | memoryview) -> int:
        return drive(self.connection.co_write(data))

    def finish_body(self) -> None:
        drive(self.connection.co_finish_body())

    def read_response(self) -> HTTPResponse:
        return drive(self.connection.co_read_response())

    def read(self, size: int) -> bytes:
        return drive(self.connection.co_read(size))

    def readinto(self, buffer: memoryview) -> int:
        return drive(self.connection.co_readinto(buffer))

    def readall(self) -> bytes:
        return drive(self.connection.co_readall())

    def discard(self) -> None:
        drive(self.connection.co_discard())


def connect(endpoint: Endpoint) -> HTTPConnection:
    """Return a connection object for *endpoint* that fails rather than wait for ever."""
    address = endpoint.address
    if isinstance(address, str):
        return HTTPConnection("localhost", unix_socket=address, timeout=WAIT_LIMIT)
    host, port = address
    tls = endpoint.transport is Transport.TLS
    context = endpoint.certificates.client_context() if tls else None
    return HTTPConnection(host, port, ssl_context=context, timeout=WAIT_LIMIT)


def receive_document(client: Client, document: Document, area: str = "docs") -> HTTPResponse:
    """Read one response, check that it is the whole *document*, and return it."""
    response = client.read_response()
    assert (response.status, response.path) == (200, f"/{area}/{document.name}")
    content = client.readall()
    assert (len(content), sha256(content)) == (document.size, document.sha256), document.name
    return response


def fetch(client: Client, document: Document, area: str = "docs") -> HTTPResponse:
    """Request one document, and check that it comes whole."""
    client.send_request("GET", f"/{area}/{document.name}")
    return receive_document(client, document, area)


def check_stored(client: Client, endpoint: Endpoint, name: str, expected_sha256: str) -> None:
    """Read the response to a ``PUT /upload/NAME``, and check that the server has got the whole body."""
    response = client.read_response()
    assert response.status in {200, 201, 204}
    content = client.readall()
    if Feature.DIGEST in endpoint.features:
        assert content.decode() == expected_sha256
    else:
        assert endpoint.server.stored_digest(name) == expected_sha256


def wait_for_close(connection: HTTPConnection) -> None:
    """Wait until the server has closed its side of a connection on which at least one response was read."""
    # A TLS session ticket would make it readable too, but those come before the first response. Over TLS the server may
    # wait for our close_notify before it closes TCP.
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    assert poll.poll(WAIT_LIMIT * 1000), "the server keeps the connection"
