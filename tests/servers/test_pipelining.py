"""200 pipelined requests come back whole and in order, in each of the ways to send and receive at once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from httpio import POLLOUT, PollNeeded
from tests.support.clients import BlockingClient, receive_document
from tests.support.documents import sha256
from tests.support.fix_servers import endpoints
from tests.support.select_loop import WAIT_LIMIT, drive, drive_all
from tests.support.servers import Transport

if TYPE_CHECKING:
    from collections.abc import Generator

    from httpio import HTTPConnection
    from tests.support.documents import Document
    from tests.support.fix_servers import Endpoint

PIECE_SIZE = 16_384
"""Bytes read at a time where a test reads in pieces."""


# Node 20 with TLS breaks the connection: it feeds requests to a parser that it has paused ("HPE_PAUSED").
deep = endpoints(without=[("node", Transport.TLS)])


@deep
def test_two_threads(endpoint: Endpoint, connection: HTTPConnection) -> None:
    requested: SimpleQueue[Document] = SimpleQueue()

    def send_all() -> None:
        for document in endpoint.documents:
            connection.send_request("GET", f"/docs/{document.name}")
            requested.put(document)

    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(send_all)
        for expected in endpoint.documents:
            # A response that nobody has asked for yet cannot be read.
            document = requested.get(timeout=WAIT_LIMIT)
            assert document is expected
            receive_document(BlockingClient(connection), document)
        sent.result(WAIT_LIMIT)
    assert not connection.response_pending()


@deep
def test_cofunction(endpoint: Endpoint, connection: HTTPConnection) -> None:
    expected = iter(endpoint.documents)
    received: list[tuple[Document, hashlib._Hash]] = []

    def read_some() -> None:
        if connection.get_current_response():
            received[-1][1].update(connection.read(PIECE_SIZE))
        else:
            document = next(expected)
            response = connection.read_response()
            assert (response.status, response.path) == (200, f"/docs/{document.name}")
            received.append((document, hashlib.sha256()))

    for document in endpoint.documents:
        for _ in connection.send_request("GET", f"/docs/{document.name}", via_cofun=True):
            read_some()
    while connection.response_pending():
        read_some()
    assert [document for document, _ in received] == endpoint.documents
    for document, digest in received:
        assert digest.hexdigest() == document.sha256, document.name


@deep
def test_coroutines(endpoint: Endpoint, connection: HTTPConnection) -> None:
    buffer = bytearray(max(document.size for document in endpoint.documents))

    def send_all() -> Generator[PollNeeded, None, None]:
        for document in endpoint.documents:
            yield from connection.co_send_request("GET", f"/docs/{document.name}")

    def receive_all() -> Generator[PollNeeded, None, None]:
        for document in endpoint.documents:
            while not connection.response_pending():
                # Let the sender go first.
                yield PollNeeded(connection.fileno(), POLLOUT)
            response = yield from connection.co_read_response()
            assert (response.status, response.path) == (200, f"/docs/{document.name}")
            view = memoryview(buffer)
            while size := (yield from connection.co_readinto(view)):
                view = view[size:]
                # An empty buffer says nothing about the end of the content.
                if not view:
                    view = memoryview(bytearray(1))
            content = memoryview(buffer)[: document.size]
            assert sha256(content) == document.sha256, document.name

    drive(connection.co_connect())
    drive_all(send_all(), receive_all())
    assert not connection.response_pending()
