"""200 pipelined requests come back whole and in order, in each of the ways to send and receive at once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from httpio import POLLOUT, BodyFollowing, PollNeeded
from tests.support.clients import BlockingClient, check_stored, receive_document
from tests.support.documents import sha256
from tests.support.fix_servers import endpoints
from tests.support.select_loop import WAIT_LIMIT, drive, drive_all
from tests.support.servers import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from httpio import HTTPConnection
    from tests.support.documents import Document
    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm

PIECE_SIZE = 16_384
"""Bytes read at a time where a test reads in pieces."""


# Node 20 with TLS breaks the connection: it feeds requests to a parser that it has paused ("HPE_PAUSED").
deep = endpoints(without=[("node", Transport.TLS)])


class Requested:
    """Tells the receiving thread what the sending thread has asked for: nothing else can be read yet."""

    def __init__(self, send_all: Callable[[Requested], None]) -> None:
        self._documents: SimpleQueue[Document | None] = SimpleQueue()
        self._executor = ThreadPoolExecutor(1)
        self._sent = self._executor.submit(send_all, self)
        # A sender that fails is not to be waited for.
        self._sent.add_done_callback(lambda _: self._documents.put(None))

    def put(self, document: Document) -> None:
        """Say that *document* was requested."""
        self._documents.put(document)

    def __iter__(self) -> Iterator[Document]:
        """Iterate over all documents; at the end raise what the sender raised."""
        with self._executor:
            while document := self._documents.get(timeout=WAIT_LIMIT):
                yield document
            self._sent.result()


@deep
def test_two_threads(endpoint: Endpoint, connection: HTTPConnection) -> None:
    def send_all(requested: Requested) -> None:
        for document in endpoint.documents:
            connection.send_request("GET", f"/docs/{document.name}")
            requested.put(document)

    received = []
    for document in Requested(send_all):
        receive_document(BlockingClient(connection), document)
        received.append(document)
    assert received == endpoint.documents
    assert not connection.response_pending()


@deep
def test_two_threads_with_bodies(
    endpoint: Endpoint, connection: HTTPConnection, farm: ServerFarm, upload_name: str
) -> None:
    """Both directions are busy at once: every document goes to the server as a body, and comes as an answer."""
    documents = [document for document in endpoint.documents if document.size][:25]

    def send_all(requested: Requested) -> None:
        for document in documents:
            content = (farm.document_root / document.name).read_bytes()
            path = f"/upload/{upload_name}-{document.name}"
            connection.send_request("PUT", path, body=BodyFollowing(document.size))
            connection.write(content)
            requested.put(document)
            connection.send_request("GET", f"/docs/{document.name}")
            requested.put(document)

    client = BlockingClient(connection)
    requested = iter(Requested(send_all))
    for document in requested:
        check_stored(client, endpoint, f"{upload_name}-{document.name}", document.sha256)
        receive_document(client, next(requested))
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
