"""``httpio fetch`` from real servers, and through real proxies."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.fix_servers import endpoints, make_endpoint, start_or_skip
from tests.support.proxies import PASSWORD, USER, squid, tinyproxy
from tests.support.servers import Transport, Variant

from .fetching import Done, fetch, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fix_servers import Endpoint
    from tests.support.proxies import Proxy
    from tests.support.servers import ServerFarm


def fetch_all(
    endpoint: Endpoint, directory: Path, *options: str, count: int = 200
) -> dict[str, object]:
    """Fetch documents by their checksums; return the summary."""
    documents = [*endpoint.documents[:count], endpoint.large]
    sums = directory / "SHA256SUMS"
    sums.write_text("".join(f"{each.sha256}  {each.name}\n" for each in documents))
    address = endpoint.address
    where = ["--unix-socket", address] if isinstance(address, str) else []
    host = "localhost" if isinstance(address, str) else f"127.0.0.1:{address[1]}"
    scheme = "http"
    if endpoint.transport is Transport.TLS:
        scheme = "https"
        where = ["--cacert", str(endpoint.certificates.authority_file)]
    output = directory / "out"
    done = fetch(
        directory,
        *("-i", sums, "--base-url", f"{scheme}://{host}/docs"),
        *("--output-dir", output, "--create-dirs", "--format", "json", "--retry-delay", "10ms"),
        *where,
        *options,
        limit=60,
    )
    check(done, output, {each.name: each.sha256 for each in documents})
    summary: dict[str, object] = json.loads(done.stdout)
    return summary


def check(done: Done, output: Path, digests: dict[str, str]) -> None:
    assert done.code == 0, done.stderr
    found = {path.name: sha256(path.read_bytes()) for path in output.iterdir()}
    assert found == digests


@endpoints()
@pytest.mark.exhaustive
def test_all_documents(endpoint: Endpoint, tmp_path: Path) -> None:
    summary = fetch_all(endpoint, tmp_path)
    assert summary["fetched"] == 201


@endpoints(servers=["nginx"], transports=[Transport.PLAIN])
def test_two_connections_are_enough(endpoint: Endpoint, tmp_path: Path) -> None:
    assert fetch_all(endpoint, tmp_path)["connections"] == 2


@endpoints(servers=["haproxy"], transports=[Transport.TLS])
def test_with_tls(endpoint: Endpoint, tmp_path: Path) -> None:
    assert fetch_all(endpoint, tmp_path, count=50)["fetched"] == 51


@endpoints(Variant.FEW, transports=[Transport.PLAIN])
@pytest.mark.exhaustive
def test_a_server_that_ends_connections_after_a_few_requests(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    summary = fetch_all(endpoint, tmp_path, "--parallel-max", "1", count=40)
    connections = summary["connections"]
    assert isinstance(connections, int)
    assert connections > 10


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """Ends the proxies after the module."""
    with ExitStack() as proxies:
        yield proxies


@pytest.fixture(scope="module")
def keeping_proxy(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """Squid, which keeps connections."""
    directory = farm.directory("squid-fetch")
    return start_or_skip(lambda: stack.enter_context(squid(directory)))


@pytest.fixture(scope="module")
def closing_proxy(farm: ServerFarm, stack: ExitStack) -> Proxy:
    """tinyproxy, which closes each connection after a response, and wants to know who asks."""
    directory = farm.directory("tinyproxy-fetch")
    return start_or_skip(lambda: stack.enter_context(tinyproxy(directory, with_credentials=True)))


@pytest.mark.exhaustive
class TestProxies:
    @pytest.fixture
    def nginx(self, farm: ServerFarm, request: pytest.FixtureRequest) -> Endpoint:
        transport: Transport = request.param
        server = start_or_skip(lambda: farm.server("nginx"))
        return make_endpoint(farm, server, Variant.NORMAL, transport)

    both = pytest.mark.parametrize(
        "nginx", [Transport.PLAIN, Transport.TLS], indirect=True, ids=["absolute", "tunnel"]
    )

    @both
    def test_one_that_keeps_connections(
        self, nginx: Endpoint, keeping_proxy: Proxy, tmp_path: Path
    ) -> None:
        host, port = keeping_proxy.address
        summary = fetch_all(nginx, tmp_path, "-x", f"http://{host}:{port}", count=60)
        assert summary["connections"] == 2

    @both
    def test_one_that_closes_them(
        self, nginx: Endpoint, closing_proxy: Proxy, tmp_path: Path
    ) -> None:
        host, port = closing_proxy.address
        options = ("-x", f"http://{host}:{port}", "--proxy-user", f"{USER}:{PASSWORD}")
        assert fetch_all(nginx, tmp_path, *options, count=20)["fetched"] == 21

    @pytest.mark.parametrize("nginx", [Transport.TLS], indirect=True)
    def test_one_that_refuses(self, nginx: Endpoint, closing_proxy: Proxy, tmp_path: Path) -> None:
        host, port = closing_proxy.address
        url = f"https://127.0.0.1:{nginx.address[1]}/docs/{nginx.large.name}"
        done = fetch(tmp_path, url, "-x", f"http://{host}:{port}")
        assert (done.code, "--proxy-user" in done.stderr) == (97, True)
