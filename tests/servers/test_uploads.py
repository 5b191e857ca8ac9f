"""Request bodies arrive whole, wait for 100 (Continue), and stop when the server refuses them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from httpio import BodyFollowing, ConnectionClosed, EarlyResponse
from tests.support.clients import BlockingClient, check_stored, fetch
from tests.support.documents import sha256
from tests.support.fix_servers import endpoints
from tests.support.servers import Feature, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from httpio import HTTPConnection
    from tests.support.clients import Client
    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm

CONTENT = random.Random(3).randbytes(300_000)
PIECE = 50_000
ENDLESS = 64 * 1024 * 1024
"""Bytes, more than all buffers between the client and a server that does not read hold together."""


def write_pieces(client: Client) -> None:
    for start in range(0, len(CONTENT), PIECE):
        assert client.write(memoryview(CONTENT)[start : start + PIECE]) == PIECE


def write_endlessly(client: Client) -> None:
    piece = bytes(1024 * 1024)
    for _ in range(ENDLESS // len(piece)):
        client.write(piece)


@endpoints()
def test_body_with_the_request(endpoint: Endpoint, client: Client, upload_name: str) -> None:
    client.send_request("PUT", f"/upload/{upload_name}", body=CONTENT)
    check_stored(client, endpoint, upload_name, sha256(CONTENT))
    client.send_request("PUT", f"/upload/{upload_name}", body=b"")
    check_stored(client, endpoint, upload_name, sha256(b""))
    fetch(client, endpoint.documents[0])


@endpoints()
def test_body_of_known_length(endpoint: Endpoint, client: Client, upload_name: str) -> None:
    client.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing(len(CONTENT)))
    write_pieces(client)
    check_stored(client, endpoint, upload_name, sha256(CONTENT))
    fetch(client, endpoint.documents[0])


@endpoints(servers=["nginx"], transports=[Transport.PLAIN])
def test_empty_body_to_follow(
    endpoint: Endpoint, client: Client, upload_name: str, tmp_path: Path
) -> None:
    """What the documents' code does with files works with an empty one too."""
    (tmp_path / "empty").touch()
    for number in range(2):
        client.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing(0))
        if number:
            assert client.write(b"") == 0
        else:
            with (tmp_path / "empty").open("rb") as file:
                assert client.connection.sendfile(file) == 0
        check_stored(client, endpoint, upload_name, sha256(b""))


@endpoints()
def test_chunked_body(endpoint: Endpoint, client: Client, upload_name: str) -> None:
    client.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing())
    write_pieces(client)
    client.finish_body()
    check_stored(client, endpoint, upload_name, sha256(CONTENT))
    fetch(client, endpoint.documents[0])


@endpoints()
def test_sendfile(
    endpoint: Endpoint, connection: HTTPConnection, farm: ServerFarm, upload_name: str
) -> None:
    document = max(endpoint.documents, key=lambda candidate: candidate.size)
    connection.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing(document.size))
    with (farm.document_root / document.name).open("rb") as file:
        assert connection.sendfile(file) == document.size
    check_stored(BlockingClient(connection), endpoint, upload_name, document.sha256)


@endpoints()
def test_continue(endpoint: Endpoint, client: Client, upload_name: str) -> None:
    for _ in range(2):
        client.send_request(
            "PUT", f"/upload/{upload_name}", body=BodyFollowing(len(CONTENT)), expect100=True
        )
        response = client.read_response()
        assert (response.status, response.length) == (100, 0)
        write_pieces(client)
        check_stored(client, endpoint, upload_name, sha256(CONTENT))
    fetch(client, endpoint.documents[0])


@endpoints(needs=Feature.REFUSES_EXPECT)
def test_refused_continue(endpoint: Endpoint, client: Client) -> None:
    client.send_request("PUT", "/small/refused", body=BodyFollowing(len(CONTENT)), expect100=True)
    assert client.read_response().status == 413
    client.discard()
    assert not client.connection.response_pending()
    # Without a reset: nothing was lost.
    fetch(client, endpoint.documents[0])


@endpoints()
@pytest.mark.parametrize("length", [ENDLESS, None], ids=["length", "chunked"])
def test_refused_in_the_middle(endpoint: Endpoint, client: Client, length: int | None) -> None:
    client.send_request("PUT", "/small/stopped", body=BodyFollowing(length))
    with pytest.raises(EarlyResponse):
        write_endlessly(client)
    response = client.read_response()
    assert response.status == 413
    client.discard()
    with pytest.raises(ConnectionClosed):
        client.send_request("GET", "/status/204")
    client.connection.reset()
    fetch(client, endpoint.documents[0])
