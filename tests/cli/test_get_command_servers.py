"""``httpio get`` and its kin against real servers and proxies."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.fix_servers import endpoints, start_or_skip
from tests.support.processes import free_ports, running
from tests.support.proxies import PASSWORD, USER, squid, tinyproxy
from tests.support.servers import Feature, Transport, Variant, find_program

from .getting import called, environment, httpio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fix_servers import Endpoint
    from tests.support.proxies import Proxy
    from tests.support.servers import ServerFarm


def place(endpoint: Endpoint, path: str) -> list[str]:
    """Return the options and the URL for *path* on *endpoint*."""
    if isinstance(endpoint.address, str):
        return ["--unix-socket", endpoint.address, f"http://localhost{path}"]
    host, port = endpoint.address
    if endpoint.transport is Transport.TLS:
        authority = str(endpoint.certificates.authority_file)
        return ["--cacert", authority, f"https://{host}:{port}{path}"]
    return [f"http://{host}:{port}{path}"]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@endpoints()
def test_several_documents(endpoint: Endpoint) -> None:
    """One connection carries all of them, with their length and in chunks."""
    chosen = sorted(endpoint.documents, key=lambda document: document.size)[-3:]
    paths = [f"/docs/{document.name}" for document in chosen]
    paths += [f"/chunked/{document.name}" for document in chosen]
    first = place(endpoint, paths[0])
    others = [place(endpoint, path)[-1] for path in paths[1:]]
    done = called("get", *first, *others, "-w", "|%{num_connects}|%{http_code}|%{size_download}\\n")
    assert (done.code, done.err) == (0, "")
    rest = done.out
    for index, document in enumerate((*chosen, *chosen)):
        assert digest(rest[: document.size]) == document.sha256
        line, _, rest = rest[document.size :].partition(b"\n")
        assert line == b"|%d|200|%d" % (index == 0, document.size)


@endpoints(transports=[Transport.PLAIN])
def test_resuming(endpoint: Endpoint, tmp_path: Path) -> None:
    """What was had before, here of ourselves, is continued."""
    document = max(endpoint.documents, key=lambda document: document.size)
    target = tmp_path / "file"
    options = place(endpoint, f"/docs/{document.name}")
    done = called("get", "--max-filesize", "1M", *options, "-o", target)
    assert done.code == 63
    # As if it had been interrupted.
    head = called("head", *options).out.decode()
    tag = next((line for line in head.splitlines() if line.lower().startswith("etag:")), None)
    assert called("get", *options, "-o", target).code == 0
    content = target.read_bytes()
    assert digest(content) == document.sha256
    target.rename(tmp_path / "file.part")
    with (tmp_path / "file.part").open("r+b") as part:
        part.truncate(100_000)
    if tag is None or "W/" in tag:
        pytest.skip("this server gives no strong entity tag")
    note = {"url": options[-1], "validator": tag.partition(":")[2].strip()}
    (tmp_path / "file.part.json").write_text(json.dumps(note))
    done = called("get", "-C", "-", *options, "-o", target, "-w", "%{http_code} %{size_download}")
    assert done.code == 0
    assert digest(target.read_bytes()) == document.sha256
    status, size = done.out.split()
    if status == b"206":
        assert (int(size), done.err) == (document.size - 100_000, "")
    else:
        # It knows of no ranges.
        assert (status, int(size)) == (b"200", document.size)
        assert done.error.endswith("starting again")
    assert os.listdir(tmp_path) == ["file"]


@endpoints(transports=[Transport.PLAIN])
def test_upload(endpoint: Endpoint, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    done = called("put", *place(endpoint, "/upload/cli"), "-T", tmp_path / "file", "-f", "-w",
                  " %{size_upload}")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(b" 3000000")
    if Feature.DIGEST in endpoint.features:
        assert digest(content).encode() in done.out
    else:
        assert endpoint.server.stored_digest("cli") == digest(content)


@endpoints(needs=Feature.REFUSES_EXPECT, transports=[Transport.PLAIN])
def test_refused_upload(endpoint: Endpoint, tmp_path: Path) -> None:
    """The server's answer is shown, whatever has become of the upload."""
    (tmp_path / "file").write_bytes(bytes(2_000_000))
    done = httpio("put", *place(endpoint, "/small/cli"), "-T", tmp_path / "file", "-o", "/dev/null",
                  "-w", "%{http_code} %{size_upload}")  # fmt: skip
    assert (done.code, done.out, done.err) == (0, b"413 0", "")


@endpoints(Variant.FEW, transports=[Transport.PLAIN])
def test_server_that_closes_after_a_few(endpoint: Endpoint) -> None:
    document = min(endpoint.documents, key=lambda document: document.size)
    options = place(endpoint, f"/docs/{document.name}")
    done = called("get", *options, *([options[-1]] * 6), "-w", "%{http_code}%{num_connects}\\n")
    assert (done.code, done.err) == (0, "")
    lines = done.out.split()
    assert [line[:3] for line in lines] == [b"200"] * 7
    assert 1 < sum(int(line[3:]) for line in lines) < 7


@pytest.fixture(scope="module")
def gzip_server(farm: ServerFarm) -> Iterator[str]:
    """nginx, which compresses what it sends."""
    program = start_or_skip(lambda: find_program("nginx", "nginx"))
    directory = farm.directory("gzip")
    (directory / "text").write_text("all the same\n" * 50_000)
    (port,) = free_ports(1)
    temporary = "".join(
        f"{name}_temp_path {directory};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {directory}/pid; error_log stderr;\n"
        f"{'user root;' if os.geteuid() == 0 else ''}\nevents {{ }}\n"
        f"http {{ {temporary} access_log off; gzip on; gzip_types *; server {{\n"
        f"listen 127.0.0.1:{port}; root {directory}; }} }}\n"
    )
    command = (program, "-e", "stderr", "-p", directory, "-c", config)
    with running(command, [("127.0.0.1", port)], directory / "log"):
        yield f"http://127.0.0.1:{port}/text"


def test_compressed(gzip_server: str) -> None:
    plain = b"all the same\n" * 50_000
    done = httpio(
        "get", "--compressed", gzip_server, "-w", "|%header{content-encoding}|%{size_download}"
    )
    assert (done.code, done.err) == (0, "")
    content, coding, size = done.out.split(b"|")
    assert content == plain
    assert coding == b"gzip"
    assert int(size) < len(plain) / 50
    assert called("get", gzip_server).out == plain
    raw = called("get", "-H", "Accept-Encoding: gzip", gzip_server).out
    assert gzip.decompress(raw) == plain


@pytest.fixture(scope="module", params=["tinyproxy", "squid"])
def proxy(request: pytest.FixtureRequest, farm: ServerFarm) -> Iterator[Proxy]:
    """A proxy without credentials."""
    directory = farm.directory(f"cli-{request.param}")
    if request.param == "squid":
        start_or_skip(lambda: find_program("squid", "squid"))
        with squid(directory) as running_proxy:
            yield running_proxy
    else:
        start_or_skip(lambda: find_program("tinyproxy", "tinyproxy"))
        with tinyproxy(directory, with_credentials=False) as running_proxy:
            yield running_proxy


@endpoints(servers=["nginx"], transports=[Transport.PLAIN, Transport.TLS])
def test_through_a_proxy(endpoint: Endpoint, proxy: Proxy) -> None:
    document = max(endpoint.documents, key=lambda document: document.size)
    options = place(endpoint, f"/docs/{document.name}")
    address = "{}:{}".format(*proxy.address)
    variables = {"http_proxy": f"http://{address}", "https_proxy": f"http://{address}"}
    for given, env in (
        (["-x", address], environment()),
        ([], environment(**variables)),
    ):
        done = called("get", *given, *options, "-w", "%{remote_port}", env=env)
        assert (done.code, done.err) == (0, "")
        assert digest(done.out[: document.size]) == document.sha256
        assert done.out[document.size :] == str(proxy.address[1]).encode()
    # Not where it is not wanted, and not for a variable that a CGI server may have set.
    for env in (
        environment(no_proxy="10.0.0.0/8, 127.0.0.0/8", **variables),
        environment(HTTP_PROXY="http://127.0.0.1:1"),
    ):
        assert called("get", *options, "-w", "%{remote_port}", env=env).out.endswith(
            options[-1].split(":")[2].partition("/")[0].encode()
        )


@endpoints(servers=["nginx"], transports=[Transport.TLS])
def test_proxy_with_credentials(endpoint: Endpoint, farm: ServerFarm) -> None:
    start_or_skip(lambda: find_program("tinyproxy", "tinyproxy"))
    with tinyproxy(farm.directory("cli-credentials"), with_credentials=True) as proxy:
        options = ["-x", "{}:{}".format(*proxy.address), *place(endpoint, "/status/204")]
        assert httpio("get", *options).code == 97
        done = httpio("get", "-v", "-U", f"{USER}:{PASSWORD}", *options)
        assert done.code == 0
        assert PASSWORD not in done.err


@endpoints(servers=["apache"], transports=[Transport.PLAIN])
def test_head_and_range(endpoint: Endpoint) -> None:
    document = max(endpoint.documents, key=lambda document: document.size)
    options = place(endpoint, f"/docs/{document.name}")
    done = called("head", *options)
    assert done.code == 0
    assert f"Content-Length: {document.size}\r\n".encode() in done.out
    assert len(called("get", "-r", "10-19", *options).out) == 10
    assert len(called("get", "-r", "-7", *options).out) == 7
    assert called("get", "-fr", "99999999-", *options).code == 22
