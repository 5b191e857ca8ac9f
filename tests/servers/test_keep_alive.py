"""A server that ends a persistent connection is noticed, whatever the moment, and costs no answer that it gave."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from httpio import ConnectionClosed
from tests.support.clients import (
    BlockingClient,
    CoroutineClient,
    connect,
    fetch,
    receive_document,
    wait_for_close,
)
from tests.support.fix_servers import endpoints, make_endpoint
from tests.support.server_configs import SPECS
from tests.support.servers import FEW_REQUESTS, ServerMissingError, Transport, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.clients import Client
    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm


@pytest.fixture(scope="module")
def idle_clients(farm: ServerFarm) -> Iterator[dict[tuple[str, Transport], list[Client]]]:
    """Connections to all servers that close idle ones, idle all at once: some need seconds until they close."""
    clients: dict[tuple[str, Transport], list[Client]] = {}
    with ExitStack() as connections:
        for name, spec in SPECS.items():
            try:
                server = farm.server(name)
            except ServerMissingError:
                # The fixture endpoint has an opinion about that.
                continue
            for variant, transport in spec.listeners():
                if variant is Variant.IDLE:
                    endpoint = make_endpoint(farm, server, variant, transport)
                    blocking = BlockingClient(connections.enter_context(connect(endpoint)))
                    coroutine = CoroutineClient(connections.enter_context(connect(endpoint)))
                    clients[name, transport] = [blocking, coroutine]
                    fetch(blocking, farm.documents[0])
                    fetch(coroutine, farm.documents[0])
        yield clients


@endpoints(Variant.IDLE)
def test_closed_while_idle(
    endpoint: Endpoint, idle_clients: dict[tuple[str, Transport], list[Client]]
) -> None:
    for client in idle_clients[endpoint.server.spec.name, endpoint.transport]:
        wait_for_close(client.connection)
        with pytest.raises(ConnectionClosed) as caught:
            client.send_request("GET", "/status/204")
        assert caught.value.unanswered == ()
        # It stays closed until the caller has taken note.
        with pytest.raises(ConnectionClosed):
            client.send_request("GET", "/status/204")
        client.connection.reset()
        fetch(client, endpoint.documents[1])


@endpoints(Variant.FEW)
def test_closed_after_announcement(endpoint: Endpoint, client: Client) -> None:
    responses = [fetch(client, document) for document in endpoint.documents[:FEW_REQUESTS]]
    assert responses[-1].headers["Connection"].lower() == "close"
    with pytest.raises(ConnectionClosed):
        client.send_request("GET", "/status/204")
    with pytest.raises(ConnectionClosed):
        client.read_response()
    client.connection.reset()
    fetch(client, endpoint.documents[0])


# Not node: it drops all pipelined requests when there are too many in one segment.
@endpoints(Variant.FEW, servers=["nginx", "apache", "lighttpd"])
def test_closed_with_requests_in_flight(endpoint: Endpoint, client: Client) -> None:
    documents = endpoint.documents[: FEW_REQUESTS + 2]
    tried = 0
    for document in documents:
        tried += 1
        try:
            client.send_request("GET", f"/docs/{document.name}")
        except ConnectionClosed:
            # The server may be quicker than we are.
            assert tried > FEW_REQUESTS
            break
    for document in documents[:FEW_REQUESTS]:
        receive_document(client, document)
    with pytest.raises(ConnectionClosed) as caught:
        client.read_response()
    assert list(caught.value.unanswered) == [
        ("GET", f"/docs/{document.name}") for document in documents[FEW_REQUESTS:tried]
    ]
    client.connection.reset()
    for document in documents[FEW_REQUESTS:]:
        fetch(client, document)
