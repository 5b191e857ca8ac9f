"""64 MiB in each direction arrive unchanged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from httpio import BodyFollowing
from tests.support.clients import BlockingClient, check_stored
from tests.support.fix_servers import endpoints
from tests.support.servers import Transport

if TYPE_CHECKING:
    from httpio import HTTPConnection
    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm

PIECE_SIZE = 256 * 1024


@endpoints(transports=(Transport.PLAIN, Transport.TLS))
def test_download(endpoint: Endpoint, connection: HTTPConnection) -> None:
    connection.send_request("GET", f"/docs/{endpoint.large.name}")
    assert connection.read_response().length == endpoint.large.size
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE_SIZE))
    while size := connection.readinto(buffer):
        digest.update(buffer[:size])
    assert digest.hexdigest() == endpoint.large.sha256
    assert not connection.response_pending()


@endpoints(transports=(Transport.PLAIN, Transport.TLS))
def test_upload(
    endpoint: Endpoint, connection: HTTPConnection, farm: ServerFarm, upload_name: str
) -> None:
    size = endpoint.large.size
    connection.send_request("PUT", f"/upload/{upload_name}", body=BodyFollowing(size))
    with (farm.document_root / endpoint.large.name).open("rb") as file:
        while piece := file.read(PIECE_SIZE):
            assert connection.write(piece) == len(piece)
    check_stored(BlockingClient(connection), endpoint, upload_name, endpoint.large.sha256)
