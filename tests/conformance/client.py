"""A client with the driver that the test is run with, and what can be said of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPConnection,
    HTTPIOError,
    StateError,
    is_temp_network_error,
)
from tests.support.scripted import Step, accept, drain, expect_head, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from httpio import HTTPResponse
    from tests.support.certs import Certificates
    from tests.support.scripted import Conversation, ScriptedServer

    from .drivers import Driver


class ClientFactory(Protocol):
    def __call__(self, server: ScriptedServer, *, tls: bool = False) -> Client: ...


class Fetched(NamedTuple):
    """A response with all of its content."""

    response: HTTPResponse
    content: bytes


class Client:
    """A connection object for a scripted server, and a driver for it."""

    def __init__(
        self,
        make_driver: Callable[[HTTPConnection], Driver],
        server: ScriptedServer,
        certificates: Certificates | None,
    ) -> None:
        if server.path:
            self.conn = HTTPConnection("localhost", unix_socket=server.path)
        else:
            context = certificates.client_context() if certificates is not None else None
            self.conn = HTTPConnection(server.host, server.port, context)
        self.driver = make_driver(self.conn)

    def close(self) -> None:
        """Close connection and driver."""
        with self.driver:
            pass

    def ask(
        self, *paths: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request for each of *paths*."""
        for path in paths or ("/",):
            self.driver.send_request(method, path, headers)

    def receive(self) -> Fetched:
        """Return the next response, with its content."""
        response = self.driver.read_response()
        return Fetched(response, self.driver.readall())

    def fetch(self, method: str = "GET") -> Fetched:
        """Send a request, and return the response with its content."""
        self.ask(method=method)
        return self.receive()

    def expect_over(
        self, reason: CloseReason, unanswered: Iterable[tuple[str, str]] = (("GET", "/"),)
    ) -> None:
        """Check that the connection is closed for *reason*, and with what left open."""
        expected = tuple(unanswered)
        with pytest.raises(StateError):
            self.conn.fileno()
        nonsense = reason in (CloseReason.INVALID_RESPONSE, CloseReason.UNSOLICITED_DATA)
        for attempt in (self.ask, self.driver.read_response):
            with pytest.raises(ConnectionClosed) as caught:
                attempt()
            assert caught.value.reason is reason
            assert caught.value.unanswered == expected
            assert is_temp_network_error(caught.value) is not nonsense
        assert self.conn.response_pending() is bool(expected)

    def prove_usable(self) -> None:
        """Check that a request and its response get through; for a server with the steps `PROOF`."""
        self.ask("/proof")
        response, content = self.receive()
        assert (response.status, response.path, content) == (200, "/proof", b"proven")
        assert not self.conn.response_pending()


PROOF = (
    expect_head(b"GET /proof "),
    send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nproven"),
)
#: The client has closed the connection and opens another one, which works.
STARTS_ANEW = (drain(), accept(), *PROOF)


def deliver(data: bytes, sizes: Iterable[int] = ()) -> Step:
    """Send *data*, in pieces of *sizes* over and over if there are any; the client may close meanwhile."""
    cycle = tuple(sizes) or (max(len(data), 1),)

    def perform(conversation: Conversation) -> None:
        position = number = 0
        with suppress(ConnectionError):
            while position < len(data):
                size = cycle[number % len(cycle)]
                conversation.channel.send(data[position : position + size])
                position += size
                number += 1

    return Step(f"deliver({data!r:.80}, {cycle})", perform)


def outcome(client: Client) -> Fetched | HTTPIOError:
    """Return what comes of the next response. Nothing but our own exceptions may."""
    try:
        return client.receive()
    except HTTPIOError as exc:
        return exc
