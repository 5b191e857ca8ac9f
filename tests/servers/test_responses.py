"""Responses whose length is told in different ways, or that have no content, follow one another without slip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.clients import fetch, receive_document
from tests.support.fix_servers import endpoints

if TYPE_CHECKING:
    from tests.support.clients import Client
    from tests.support.fix_servers import Endpoint


@endpoints()
def test_responses_without_content(endpoint: Endpoint, client: Client) -> None:
    document = max(endpoint.documents, key=lambda candidate: candidate.size)
    path = f"/docs/{document.name}"
    etag = fetch(client, document).headers["ETag"]
    assert etag
    # All at once: what one response has too much or too little, the next one shows.
    client.send_request("HEAD", path)
    client.send_request("GET", path, {"If-None-Match": etag})
    client.send_request("GET", "/status/204")
    client.send_request("HEAD", "/status/204")
    client.send_request("GET", path)

    for method, target, status in [
        ("HEAD", path, 200),
        ("GET", path, 304),
        ("GET", "/status/204", 204),
        ("HEAD", "/status/204", 204),
    ]:
        response = client.read_response()
        assert (response.method, response.path, response.status) == (method, target, status)
        assert response.length == 0
        assert client.connection.get_current_response() is None
        assert client.readall() == b""
        if (method, status) == ("HEAD", 200):
            assert response.headers["Content-Length"] == str(document.size)
    receive_document(client, document)
    assert not client.connection.response_pending()


@endpoints()
def test_chunked(endpoint: Endpoint, client: Client) -> None:
    by_size = sorted(endpoint.documents, key=lambda candidate: candidate.size)
    smallest, largest = by_size[0], by_size[-1]
    for document in (smallest, largest, by_size[1]):
        client.send_request("GET", f"/chunked/{document.name}")
    # Servers that have a small document complete before they send its head may tell its length instead.
    receive_document(client, smallest, "chunked")
    assert receive_document(client, largest, "chunked").length is None
    receive_document(client, by_size[1], "chunked")


@endpoints()
def test_read_in_pieces(endpoint: Endpoint, client: Client) -> None:
    document = next(candidate for candidate in endpoint.documents if candidate.size == 65_537)
    for area in ("docs", "chunked"):
        client.send_request("GET", f"/{area}/{document.name}")
        assert client.read_response().status == 200
        received = 0
        while piece := client.read(1000):
            assert len(piece) <= 1000
            received += len(piece)
        assert received == document.size
        assert client.read(1) == b""


@endpoints()
def test_discard(endpoint: Endpoint, client: Client) -> None:
    largest = max(endpoint.documents, key=lambda candidate: candidate.size)
    for area in ("docs", "chunked"):
        client.send_request("GET", f"/{area}/{largest.name}")
        client.send_request("GET", f"/docs/{endpoint.documents[0].name}")
        assert client.read_response().status == 200
        assert client.read(10)
        client.discard()
        receive_document(client, endpoint.documents[0])
