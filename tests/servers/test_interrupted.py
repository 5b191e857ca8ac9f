"""A coroutine that is dropped wherever it waits can be begun again: nothing is lost, and it gets on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tests.support.documents import sha256
from tests.support.fix_servers import endpoints
from tests.support.select_loop import WAIT_LIMIT
from tests.support.servers import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from httpio import HTTPConnection, PollNeeded
    from tests.support.fix_servers import Endpoint

_T = TypeVar("_T")

ATTEMPTS = 10_000
"""More than one for each piece in which a document of a few MiB may come."""


def insist(begin: Callable[[], Generator[PollNeeded, None, _T]]) -> _T:
    """Return the result of the first coroutine made by *begin* that does not have to wait."""
    for _ in range(ATTEMPTS):
        coroutine = begin()
        try:
            needed = next(coroutine)
        except StopIteration as end:
            result: _T = end.value
            return result
        coroutine.close()
        assert needed.poll(WAIT_LIMIT)
    raise AssertionError(f"{ATTEMPTS} times what was waited for came, and was not used")


@endpoints(transports=(Transport.PLAIN, Transport.TLS))
def test_receiving(endpoint: Endpoint, connection: HTTPConnection) -> None:
    document = max(endpoint.documents, key=lambda candidate: candidate.size)
    for area in ("docs", "chunked"):
        path = f"/{area}/{document.name}"
        connection.send_request("GET", path)
        assert insist(connection.co_read_response).status == 200
        assert sha256(insist(connection.co_readall)) == document.sha256

        connection.send_request("GET", path)
        assert insist(connection.co_read_response).status == 200
        received = bytearray()
        while piece := insist(partial(connection.co_read, 10_000)):
            received += piece
        assert sha256(received) == document.sha256

        connection.send_request("GET", path)
        assert insist(connection.co_read_response).status == 200
        position = 0
        view = memoryview(bytearray(document.size + 1))
        while size := insist(partial(connection.co_readinto, view[position:])):
            position += size
        assert sha256(view[:position]) == document.sha256

        connection.send_request("GET", path)
        assert insist(connection.co_read_response).status == 200
        insist(connection.co_discard)
        assert not connection.response_pending()
