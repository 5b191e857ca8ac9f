"""Requests through HTTP proxies: absolute-form, CONNECT, and credentials."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from httpio import BodyFollowing, ConnectionClosed, HTTPConnection, ProxyError
from tests.support.clients import (
    BlockingClient,
    CoroutineClient,
    fetch,
    receive_document,
    wait_for_close,
)
from tests.support.documents import sha256
from tests.support.fix_servers import endpoints, start_or_skip
from tests.support.proxies import PASSWORD, USER, Proxy, squid, tinyproxy
from tests.support.select_loop import WAIT_LIMIT
from tests.support.servers import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm

CONTENT = random.Random(4).randbytes(300_000)

through_http = endpoints(transports=(Transport.PLAIN,), servers=["nginx"])
through_tunnel = endpoints(transports=(Transport.TLS,), servers=["nginx"])
each_way = pytest.mark.parametrize(
    "make_client", [BlockingClient, CoroutineClient], ids=["blocking", "coroutine"]
)


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """Ends the proxies after the module."""
    with ExitStack() as proxies:
        yield proxies


@pytest.fixture(scope="module")
def closing_proxy(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """tinyproxy: closes each connection after one response, without a word."""
    directory = farm.directory("tinyproxy")
    return start_or_skip(lambda: stack.enter_context(tinyproxy(directory, with_credentials=False)))


@pytest.fixture(scope="module")
def guarded_proxy(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """tinyproxy that wants `USER` and `PASSWORD`."""
    directory = farm.directory("tinyproxy-guarded")
    return start_or_skip(lambda: stack.enter_context(tinyproxy(directory, with_credentials=True)))


@pytest.fixture(scope="module")
def persistent_proxy(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """squid: keeps connections open."""
    directory = farm.directory("squid")
    return start_or_skip(lambda: stack.enter_context(squid(directory)))


def connect_through(
    proxy: Proxy, endpoint: Endpoint, credentials: tuple[str, str] | None = None
) -> HTTPConnection:
    address = endpoint.address
    assert not isinstance(address, str)
    tls = endpoint.transport is Transport.TLS
    return HTTPConnection(
        *address,
        ssl_context=endpoint.certificates.client_context() if tls else None,
        proxy=proxy.address,
        proxy_auth=credentials,
        timeout=WAIT_LIMIT,
    )


@through_http
@each_way
def test_absolute_form(
    endpoint: Endpoint, persistent_proxy: Proxy, make_client: type[BlockingClient | CoroutineClient]
) -> None:
    documents = endpoint.documents[:20]
    with connect_through(persistent_proxy, endpoint) as connection:
        client = make_client(connection)
        for document in documents:
            client.send_request("GET", f"/docs/{document.name}")
        for document in documents:
            response = receive_document(client, document)
            assert "squid" in response.headers["Via"]


@through_http
@each_way
def test_put(
    endpoint: Endpoint,
    persistent_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
    upload_name: str,
) -> None:
    with connect_through(persistent_proxy, endpoint) as connection:
        client = make_client(connection)
        client.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing(len(CONTENT)))
        client.write(CONTENT)
        assert client.read_response().status == 201
        client.discard()
    assert endpoint.server.stored_digest(upload_name) == sha256(CONTENT)


@through_http
@each_way
def test_proxy_that_closes(
    endpoint: Endpoint,
    closing_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
) -> None:
    with connect_through(closing_proxy, endpoint) as connection:
        client = make_client(connection)
        for document in endpoint.documents[:3]:
            fetch(client, document)
            wait_for_close(connection)
            with pytest.raises(ConnectionClosed):
                client.send_request("GET", "/status/204")
            connection.reset()


@through_tunnel
@each_way
@pytest.mark.parametrize("kind", ["closing_proxy", "persistent_proxy"])
def test_tunnel(
    endpoint: Endpoint,
    make_client: type[BlockingClient | CoroutineClient],
    kind: str,
    request: pytest.FixtureRequest,
    upload_name: str,
) -> None:
    proxy: Proxy = request.getfixturevalue(kind)
    documents = endpoint.documents[:50]
    with connect_through(proxy, endpoint) as connection:
        client = make_client(connection)
        for document in documents:
            client.send_request("GET", f"/docs/{document.name}")
        for document in documents:
            # What the proxy cannot read, it cannot mark.
            assert "Via" not in receive_document(client, document).headers
        client.send_request("PUT", f"/upload/{upload_name}", body=CONTENT)
        assert client.read_response().status == 201
        client.discard()
        assert connection.get_ssl_cipher() is not None
        # Each new connection needs a tunnel of its own.
        connection.disconnect()
        fetch(client, documents[0])
    assert endpoint.server.stored_digest(upload_name) == sha256(CONTENT)


@through_http
@each_way
def test_credentials(
    endpoint: Endpoint,
    guarded_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
) -> None:
    with connect_through(guarded_proxy, endpoint, (USER, PASSWORD)) as connection:
        fetch(make_client(connection), endpoint.documents[0])


@through_tunnel
@each_way
def test_credentials_for_a_tunnel(
    endpoint: Endpoint,
    guarded_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
) -> None:
    with connect_through(guarded_proxy, endpoint, (USER, PASSWORD)) as connection:
        for document in endpoint.documents[:3]:
            fetch(make_client(connection), document)


@through_http
@each_way
@pytest.mark.parametrize("credentials", [None, (USER, "wrong")], ids=["none", "wrong"])
def test_refused_credentials(
    endpoint: Endpoint,
    guarded_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
    credentials: tuple[str, str] | None,
) -> None:
    with connect_through(guarded_proxy, endpoint, credentials) as connection:
        client = make_client(connection)
        client.send_request("GET", f"/docs/{endpoint.documents[0].name}")
        response = client.read_response()
        assert response.status in {401, 407}
        client.discard()


@through_tunnel
@each_way
@pytest.mark.parametrize("credentials", [None, (USER, "wrong")], ids=["none", "wrong"])
def test_refused_credentials_for_a_tunnel(
    endpoint: Endpoint,
    guarded_proxy: Proxy,
    make_client: type[BlockingClient | CoroutineClient],
    credentials: tuple[str, str] | None,
) -> None:
    with connect_through(guarded_proxy, endpoint, credentials) as connection:
        with pytest.raises(ProxyError) as caught:
            make_client(connection).send_request("GET", "/status/204")
        assert caught.value.status in {401, 407}
        assert isinstance(caught.value, ConnectionError)
