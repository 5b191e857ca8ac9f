"""A client with the driver that the test is run with, and what can be said of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    StateError,
    is_temp_network_error,
)
from tests.support.scripted import Step, accept, drain, expect_head, send

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    from httpio import HTTPResponse
    from tests.support.scripted import Conversation, ScriptedServer

    from .drivers import Driver, Target


class ClientFactory(Protocol):
    """Makes a client for a scripted server, or for whatever a connection can be made to."""

    def __call__(self, server: ScriptedServer | Target, *, tls: bool = False) -> Client: ...


def target_of(server: ScriptedServer, context: ssl.SSLContext | None) -> Target:
    """Return how to connect to *server*, with TLS if there is a *context*."""
    if server.path:
        return {"hostname": "localhost", "unix_socket": server.path, "ssl_context": context}
    return {"hostname": server.host, "port": server.port, "ssl_context": context}


class Fetched(NamedTuple):
    """A response with all of its content."""

    response: HTTPResponse
    content: bytes


class Client:
    """A connection object, and a driver for it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.conn = driver.conn

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
        self,
        reason: CloseReason,
        unanswered: Iterable[tuple[str, str]] = (("GET", "/"),),
        *,
        is_uploading: bool = False,
    ) -> None:
        """Check that the connection is closed for *reason*, and with what left open.

        *is_uploading*: the content of what was unanswered first was not sent to its end.
        """
        expected = tuple(unanswered)
        with pytest.raises(StateError):
            self.conn.fileno()
        self.expect_refusals(reason, expected)
        # No response is to be read before its request was sent.
        assert self.conn.response_pending() is (bool(expected) and not is_uploading)

    def expect_refusals(self, reason: CloseReason, unanswered: Iterable[tuple[str, str]]) -> None:
        """Check that nothing can be done with the connection before it is reset."""
        expected = tuple(unanswered)
        nonsense = reason in (CloseReason.INVALID_RESPONSE, CloseReason.UNSOLICITED_DATA)
        for attempt in (self.ask, self.driver.read_response, self.driver.connect):
            with pytest.raises(ConnectionClosed, match=r"reset\(\)") as caught:
                attempt()
            assert caught.value.reason is reason
            assert caught.value.unanswered == expected
            assert is_temp_network_error(caught.value) is not nonsense

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
