"""`HTTPConnection.pipeline` with real servers: all that is asked for comes, whole, once and in order."""

from __future__ import annotations

import dataclasses
import io
import random
import threading
import tracemalloc
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection, Pipelining, Request
from tests.servers.test_proxies import connect_through
from tests.support.clients import connect, wait_for_close
from tests.support.documents import sha256
from tests.support.fix_servers import endpoints, make_endpoint, start_or_skip
from tests.support.processes import free_ports, running
from tests.support.proxies import Proxy, squid, tinyproxy
from tests.support.select_loop import WAIT_LIMIT, drive
from tests.support.server_configs import SPECS
from tests.support.servers import (
    FEW_REQUESTS,
    Feature,
    ServerMissingError,
    Transport,
    Variant,
    find_program,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from httpio import HTTPResponse, Pipeline
    from tests.support.documents import Document
    from tests.support.fix_servers import Endpoint
    from tests.support.servers import ServerFarm

    Pairs = Iterator[tuple[HTTPResponse, bytes]]
    Way = Callable[[HTTPConnection, Pipeline], Pairs]


# Three ways to use a pipeline


pytestmark = pytest.mark.exhaustive


def by_bodies(_: HTTPConnection, pipeline: Pipeline) -> Pairs:
    return pipeline.with_bodies()


def by_heads(conn: HTTPConnection, pipeline: Pipeline) -> Pairs:
    for response in pipeline:
        yield response, conn.readall()


def by_coroutines(conn: HTTPConnection, pipeline: Pipeline) -> Pairs:
    while response := drive(pipeline.co_next_response()):
        content = bytearray()
        buffer = memoryview(bytearray(10_000))
        while size := drive(conn.co_readinto(buffer)):
            content += buffer[:size]
        yield response, bytes(content)


def by_coroutine_batches(_: HTTPConnection, pipeline: Pipeline) -> Pairs:
    while batch := drive(pipeline.co_next_batch()):
        yield from batch


WAYS: dict[str, Way] = {
    "bodies": by_bodies,
    "heads": by_heads,
    "coroutines": by_coroutines,
    "coroutine-batches": by_coroutine_batches,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to use a pipeline."""
    return WAYS[request.param]


#: Where the way makes no difference to what the server does.
in_two_ways = pytest.mark.parametrize("way", ["bodies", "coroutines"], indirect=True)


def gets(documents: Iterable[Document], area: str = "docs") -> list[Request]:
    return [Request("GET", f"/{area}/{document.name}") for document in documents]


def check_documents(pairs: Pairs, documents: Sequence[Document], requests: list[Request]) -> None:
    """Check that *pairs* are whole *documents*, each once, and the responses to *requests*."""
    for (response, content), document, request in zip(pairs, documents, requests, strict=True):
        assert response.request is request
        assert response.status == 200
        assert (len(content), sha256(content)) == (document.size, document.sha256), document.name


# A hundred thousand

MANY = 100_000
OBJECTS = 1000


@pytest.fixture
def small_objects(farm: ServerFarm) -> tuple[Path, list[bytes]]:
    """A directory with objects of 1 to 4 KiB, and their content."""
    chance = random.Random(5)
    directory = farm.directory("objects")
    contents = []
    for number in range(OBJECTS):
        contents.append(chance.randbytes(chance.randint(1024, 4096)))
        (directory / str(number)).write_bytes(contents[-1])
    return directory, contents


def test_a_hundred_thousand_small_objects(
    farm: ServerFarm, small_objects: tuple[Path, list[bytes]]
) -> None:
    """From nginx as it comes: it closes each connection after 1000 requests."""
    objects, contents = small_objects
    directory = farm.directory("default-nginx")
    program = start_or_skip(lambda: find_program("nginx", "nginx"))
    (port,) = free_ports(1)
    log = directory / "requests.log"
    temporary = "".join(
        f"{module}_temp_path {directory}; "
        for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"""
daemon off;
pid {directory}/nginx.pid;
error_log stderr info;
events {{}}
http {{
  {temporary}
  log_format connections "$connection $request_uri";
  access_log {log} connections;
  server {{
    listen 127.0.0.1:{port};
    root {objects};
  }}
}}
"""
    )
    chance = random.Random(6)
    wanted = [chance.randrange(OBJECTS) for _ in range(MANY)]
    # A thread of another test may still be ending.
    threads = set(threading.enumerate())
    output = directory / "output.log"
    command: list[str | Path] = [program, "-e", "stderr", "-p", directory, "-c", config]
    with (
        running(command, [("127.0.0.1", port)], output),
        HTTPConnection("127.0.0.1", port, timeout=WAIT_LIMIT) as conn,
    ):
        pipeline = conn.pipeline(
            Request("GET", f"/{which}?{index}") for index, which in enumerate(wanted)
        )
        received = 0
        try:
            for response, content in pipeline.with_bodies():
                which = wanted[received]
                assert response.status == 200
                assert response.path == f"/{which}?{received}"
                assert content == contents[which]
                received += 1
                if received == MANY // 10:
                    # By now, whatever is kept for long is there.
                    tracemalloc.start()
                    assert threads.issuperset(threading.enumerate())
            # 25 bytes for each of the 90,000 would be more.
            kept, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert threads.issuperset(threading.enumerate())
        assert received == pipeline.answered == MANY
        assert kept < 2 * 1024 * 1024
        # What is under way at once, and a receive buffer.
        assert most < 6 * 1024 * 1024
        assert conn.pipelining is Pipelining.PROVEN
    # The server has ended, and written what it had to write.
    lines = [line.split() for line in log.read_text().splitlines()]
    assert {uri for _, uri in lines} == {f"/{which}?{n}" for n, which in enumerate(wanted)}
    # Nothing was answered twice: what is sent in vain is not read.
    assert len(lines) == MANY
    connections = {connection for connection, _ in lines}
    assert MANY // 1000 <= len(connections) <= MANY // 1000 + 5


# All servers


# Node 20 with TLS breaks the connection: it feeds requests to a parser that it has paused ("HPE_PAUSED").
BREAKS = [("node", Transport.TLS)]
deep = endpoints(without=BREAKS)


@deep
def test_documents(endpoint: Endpoint, connection: HTTPConnection, way: Way) -> None:
    requests = gets(endpoint.documents)
    pipeline = connection.pipeline(requests, backoff=0)
    check_documents(way(connection, pipeline), endpoint.documents, requests)
    assert pipeline.answered == len(requests)
    # The next one can begin at once.
    pipeline = connection.pipeline(requests[:5], backoff=0)
    check_documents(way(connection, pipeline), endpoint.documents[:5], requests[:5])


@endpoints(servers=["node"], transports=[Transport.TLS])
@pytest.mark.parametrize("kind", [Variant.NORMAL, Variant.FEW])
def test_a_server_that_breaks_when_it_is_pipelined_to(endpoint: Endpoint, kind: Variant) -> None:
    """It does so in the middle of a response, too; nothing is lost if that may be asked for again."""
    endpoint = dataclasses.replace(endpoint, variant=kind)
    requests = gets(endpoint.documents)
    with connect(endpoint) as conn:
        pipeline = conn.pipeline(requests, backoff=0, retry_partial=True)
        check_documents(pipeline.with_bodies(), endpoint.documents, requests)


@deep
@in_two_ways
def test_chunked_documents(endpoint: Endpoint, connection: HTTPConnection, way: Way) -> None:
    documents = endpoint.documents[:12]
    requests = gets(documents, "chunked")
    pipeline = connection.pipeline(requests, backoff=0)
    check_documents(way(connection, pipeline), documents, requests)


@endpoints(Variant.FEW, without=BREAKS)
def test_a_server_that_closes_after_a_few_requests(
    endpoint: Endpoint, connection: HTTPConnection, way: Way
) -> None:
    requests = gets(endpoint.documents)
    pipeline = connection.pipeline(requests, backoff=0)
    check_documents(way(connection, pipeline), endpoint.documents, requests)
    # What it closes after is announced, and nothing is reported for that.
    assert pipeline.answered == len(requests)


@endpoints(Variant.FEW)
@in_two_ways
def test_uploads_to_a_server_that_closes_after_a_few_requests(
    endpoint: Endpoint, connection: HTTPConnection, way: Way, upload_name: str
) -> None:
    """Content from an iterator cannot be sent twice; POST and PUT alike have to arrive."""
    count = 4 * FEW_REQUESTS
    requests = [
        Request(
            "PUT",
            f"/upload/{upload_name}-{number}",
            body=iter([b"some", b"thing"]),
            # So that it is not begun before the answer to the one before is there.
            idempotent=False,
        )
        for number in range(count)
    ]
    pairs = list(way(connection, connection.pipeline(requests, backoff=0)))
    assert [response.request for response, _ in pairs] == requests
    check_stored(endpoint, pairs, sha256(b"something"))


@pytest.fixture(scope="module")
def idle_connections(farm: ServerFarm) -> Iterator[dict[tuple[str, Transport], HTTPConnection]]:
    """Connections to all servers that close idle ones, idle all at once: some need seconds until they close."""
    connections: dict[tuple[str, Transport], HTTPConnection] = {}
    with ExitStack() as stack:
        for name, spec in SPECS.items():
            try:
                server = farm.server(name)
            except ServerMissingError:
                # The fixture endpoint has an opinion about that.
                continue
            for variant, transport in spec.listeners():
                if variant is Variant.IDLE:
                    endpoint = make_endpoint(farm, server, variant, transport)
                    conn = stack.enter_context(connect(endpoint))
                    requests = gets(farm.documents[:3])
                    # One at a time: Node with TLS has to be left with a connection, too.
                    pipeline = conn.pipeline(requests, depth=1, backoff=0)
                    check_documents(pipeline.with_bodies(), farm.documents[:3], requests)
                    connections[name, transport] = conn
        yield connections


@endpoints(Variant.IDLE)
def test_a_server_that_has_closed_an_idle_connection(
    endpoint: Endpoint,
    idle_connections: dict[tuple[str, Transport], HTTPConnection],
    upload_name: str,
) -> None:
    """It is noticed before anything is sent, so that not even a request that must not be repeated is lost."""
    conn = idle_connections[endpoint.server.spec.name, endpoint.transport]
    wait_for_close(conn)
    upload = Request("PUT", f"/upload/{upload_name}", body=iter([b"once"]), idempotent=False)
    documents = endpoint.documents[:50]
    requests = [upload, *gets(documents)]
    pairs = conn.pipeline(requests, backoff=0, retry_partial=True).with_bodies()
    response, content = next(pairs)
    assert response.request is upload
    check_stored(endpoint, [(response, content)], sha256(b"once"))
    check_documents(pairs, documents, requests[1:])


@endpoints(Variant.IDLE, servers=["nginx", "apache"])
def test_requests_that_come_late(endpoint: Endpoint, connection: HTTPConnection, way: Way) -> None:
    """The server closes in the middle of a pipeline, while the caller has no request for it."""
    documents = endpoint.documents[:6]
    requests = gets(documents)

    def late() -> Iterator[Request]:
        for number, request in enumerate(requests):
            if number in (2, 5):
                # With one at a time, all that was asked is answered by now.
                wait_for_close(connection)
            yield request

    pipeline = connection.pipeline(late(), depth=1, backoff=0)
    check_documents(way(connection, pipeline), documents, requests)


# Uploads and responses without content


def check_stored(
    endpoint: Endpoint, pairs: list[tuple[HTTPResponse, bytes]], expected_sha256: str
) -> None:
    """Check that all *pairs* are answers to a ``PUT /upload/NAME`` whose content has arrived."""
    for response, content in pairs:
        assert response.status in {200, 201, 204}, response
        if Feature.DIGEST in endpoint.features:
            assert content.decode() == expected_sha256
        else:
            name = response.path.rpartition("/")[2]
            assert endpoint.server.stored_digest(name) == expected_sha256


@deep
@in_two_ways
def test_uploads(
    endpoint: Endpoint,
    connection: HTTPConnection,
    farm: ServerFarm,
    upload_name: str,
    way: Way,
) -> None:
    """Content from everything that content may come from, with documents in between."""
    documents = [document for document in endpoint.documents if document.size][:30]
    with ExitStack() as files:
        requests = []
        for number, document in enumerate(documents):
            path = farm.document_root / document.name
            data = path.read_bytes()
            third = len(data) // 3 + 1
            pieces = [data[start : start + third] for start in range(0, len(data), third)]
            bodies: list[Callable[[], bytes | io.BufferedReader | io.BytesIO | Iterable[bytes]]] = [
                lambda data=data: data,  # type: ignore[misc]  # has a default
                lambda path=path: files.enter_context(path.open("rb")),  # type: ignore[misc]  # has a default
                lambda data=data: io.BytesIO(data),  # type: ignore[misc]  # has a default
                lambda pieces=pieces: pieces,  # type: ignore[misc]  # has a default
                # Can be had only once.
                lambda pieces=pieces: iter(pieces),  # type: ignore[misc]  # has a default
            ]
            body = bodies[number % len(bodies)]()
            name = f"{upload_name}-{document.name}"
            # Which one can be sent only once must not get lost with others.
            idempotent = number % len(bodies) != 4
            requests.append(Request("PUT", f"/upload/{name}", body=body, idempotent=idempotent))
            requests.append(Request("GET", f"/docs/{document.name}"))
        pairs = way(connection, connection.pipeline(requests, backoff=0))
        for number, (response, content) in enumerate(pairs):
            document = documents[number // 2]
            assert response.request is requests[number]
            if number % 2:
                assert response.status == 200
                assert sha256(content) == document.sha256
            else:
                check_stored(endpoint, [(response, content)], document.sha256)
        assert number == len(requests) - 1


@deep
@in_two_ways
def test_responses_without_content(
    endpoint: Endpoint, connection: HTTPConnection, way: Way
) -> None:
    """HEAD announces content that does not come, 204 has none: what follows them is still paired correctly."""
    documents = endpoint.documents[:15]
    requests = []
    for document in documents:
        requests.append(Request("GET", f"/docs/{document.name}"))
        requests.append(Request("HEAD", f"/docs/{document.name}"))
        requests.append(Request("GET", "/status/204"))
    pairs = list(way(connection, connection.pipeline(requests, backoff=0)))
    assert [response.request for response, _ in pairs] == requests
    for number, document in enumerate(documents):
        (got, content), (head, no_content), (empty, nothing) = pairs[3 * number : 3 * number + 3]
        assert (got.status, head.status, empty.status) == (200, 200, 204)
        assert sha256(content) == document.sha256
        assert got.headers["Content-Length"] == str(document.size)
        assert head.headers["Content-Length"] in (str(document.size), None)
        assert no_content == nothing == b""


# Proxies

through_http = endpoints(transports=(Transport.PLAIN,), servers=["nginx"])
through_tunnel = endpoints(transports=(Transport.TLS,), servers=["nginx"])


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """Ends the proxies after the module."""
    with ExitStack() as proxies:
        yield proxies


@pytest.fixture(scope="module")
def tinyproxy_address(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """tinyproxy: closes each connection after one response, without a word."""
    directory = farm.directory("tinyproxy-for-pipelines")
    return start_or_skip(lambda: stack.enter_context(tinyproxy(directory, with_credentials=False)))


@pytest.fixture(scope="module")
def squid_address(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """squid: keeps connections open."""
    directory = farm.directory("squid-for-pipelines")
    return start_or_skip(lambda: stack.enter_context(squid(directory)))


@pytest.fixture(params=["squid", "tinyproxy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    """Each proxy."""
    made: Proxy = request.getfixturevalue(f"{request.param}_address")
    return made


@through_http
def test_through_a_proxy(
    endpoint: Endpoint, proxy: Proxy, way: Way, request: pytest.FixtureRequest
) -> None:
    documents = endpoint.documents[:60]
    requests = gets(documents)
    # tinyproxy closes after each answer without saying so. With other requests unread, that is a reset,
    # which destroys what is left of the answer on its way.
    depth = 1 if "tinyproxy" in request.node.name else 16
    with connect_through(proxy, endpoint) as conn:
        pipeline = conn.pipeline(requests, backoff=0, depth=depth)
        check_documents(way(conn, pipeline), documents, requests)


@through_http
def test_uploads_through_a_proxy(
    endpoint: Endpoint, proxy: Proxy, way: Way, upload_name: str
) -> None:
    content = random.Random(7).randbytes(100_000)
    requests = [
        # Not such as must not be repeated: tinyproxy may close when one is on its way.
        Request("PUT", f"/upload/{upload_name}-{number}", body=content)
        for number in range(12)
    ]
    with connect_through(proxy, endpoint) as conn:
        pairs = list(way(conn, conn.pipeline(requests, backoff=0)))
    assert [response.request for response, _ in pairs] == requests
    check_stored(endpoint, pairs, sha256(content))


@through_tunnel
def test_through_a_tunnel(endpoint: Endpoint, proxy: Proxy, way: Way, upload_name: str) -> None:
    documents = endpoint.documents[:100]
    upload = Request("PUT", f"/upload/{upload_name}", body=iter([b"tunnel"]))
    requests = [*gets(documents), upload]
    with connect_through(proxy, endpoint) as conn:
        pairs = list(way(conn, conn.pipeline(requests, backoff=0)))
        check_documents(iter(pairs[:-1]), documents, requests[:-1])
        check_stored(endpoint, pairs[-1:], sha256(b"tunnel"))
        assert conn.get_ssl_cipher() is not None
        assert conn.pipelining is Pipelining.PROVEN
