"""Each example does what it says, as a program of its own, against real servers."""

from __future__ import annotations

import random
import re
import zipfile
from base64 import b64encode
from hashlib import sha256 as new_sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import scripted
from tests.support.documents import INDEX_NAME, sha256
from tests.support.fix_servers import endpoints
from tests.support.servers import SMALL_LIMIT, Feature, Transport

from .conftest import EXAMPLES

if TYPE_CHECKING:
    from tests.support.fix_scripted import ServerFactory
    from tests.support.fix_servers import Endpoint

    from .conftest import Run

COUNT = 50
"""Documents that an example fetches: enough to fill what lies between client and server."""

downloads = endpoints(transports=[Transport.PLAIN], servers=["nginx", "uvicorn"])
# They keep what is put, so that it can be looked at.
uploads = endpoints(transports=[Transport.PLAIN], servers=["nginx", "apache"])

_numbers = count()


@pytest.fixture
def files(run: Run) -> list[str]:
    """Names of files of all kinds of sizes, to be uploaded."""
    generator = random.Random(7)
    names = []
    for size in (0, 1, 8191, 8192, 8193, 1_000_000, 0, 3_000_000, 17):
        names.append(f"file-{next(_numbers)}")
        (run.directory / names[-1]).write_bytes(generator.randbytes(size))
    return names


def paths(endpoint: Endpoint) -> list[str]:
    return [f"/docs/{document.name}" for document in endpoint.documents[:COUNT]]


def check_stored(endpoint: Endpoint, run: Run, files: list[str]) -> None:
    for name in files:
        expected = sha256((run.directory / name).read_bytes())
        assert endpoint.server.stored_digest(name) == expected, name


def check_listed(endpoint: Endpoint, output: str) -> None:
    """The example has printed size and path of each document, in order."""
    wanted = [f"{document.size} /docs/{document.name}" for document in endpoint.documents[:COUNT]]
    assert output.splitlines() == wanted


@downloads
def test_download_pipelined(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    run("download_pipelined", *address, *paths(endpoint))
    for document in endpoint.documents[:COUNT]:
        content = (run.directory / "docs" / document.name).read_bytes()
        assert sha256(content) == document.sha256, document.name


@downloads
def test_download_many(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    assert run("download_many", *address, *paths(endpoint)) == ""
    for document in endpoint.documents[:COUNT]:
        content = (run.directory / "docs" / document.name).read_bytes()
        assert sha256(content) == document.sha256, document.name
    assert not list(run.directory.rglob("*.part"))


def test_what_download_many_cannot_have(run: Run, scripted_server: ServerFactory) -> None:
    server = scripted_server(
        scripted.expect_head(b"GET /a "),
        scripted.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"),
        scripted.expect_head(b"GET /b "),
        scripted.expect_head(b"GET /c "),
        scripted.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbro"),
        scripted.close(),
        scripted.accept(),
        scripted.expect_head(b"GET /c "),
        scripted.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    )
    output = run("download_many", server.host, server.port, "/a", "/b", "/c", code=1)
    first, second = output.splitlines()
    assert first.startswith("/b: GET /b has no complete response")
    assert second == "/c: 404 Not Found"
    assert (run.directory / "a").read_bytes() == b"whole"
    assert not (run.directory / "b").exists()


@endpoints(transports=[Transport.PLAIN], servers=["nginx"])
def test_read_zip(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    generator = random.Random(9)
    contents = {f"member-{number}": generator.randbytes(25_000).hex() for number in range(40)}
    name = f"archive-{next(_numbers)}.zip"
    with zipfile.ZipFile(endpoint.server.stored_in / "upload" / name, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
    path = f"/upload/{name}"
    assert run("read_zip", *address, path).splitlines() == [f"50000 {one}" for one in contents]
    output = run("read_zip", *address, path, "member-3", "member-30")
    assert output == contents["member-3"] + contents["member-30"]


@uploads
@pytest.mark.parametrize("example", ["upload_pipelined", "upload_sendfile"])
def test_uploads(
    example: str, endpoint: Endpoint, address: tuple[str, int], run: Run, files: list[str]
) -> None:
    run(example, *address, "/upload", *files)
    check_stored(endpoint, run, files)
    # This time nothing is created, and the server answers with another status.
    run(example, *address, "/upload", *files)
    check_stored(endpoint, run, files)


@downloads
@pytest.mark.parametrize("example", ["poll_by_hand", "two_threads"])
def test_fetching(example: str, endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    check_listed(endpoint, run(example, *address, *paths(endpoint)))


@uploads
def test_upload_chunked(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    content = random.Random(8).randbytes(500_000)
    name = f"chunked-{next(_numbers)}"
    assert run("upload_chunked", *address, f"/upload/{name}", stdin=content) == "201\n"
    assert endpoint.server.stored_digest(name) == sha256(content)


def test_trailers_of_upload_chunked(run: Run, scripted_server: ServerFactory) -> None:
    # What no server shows: the trailer section as it arrives.
    digest = b64encode(new_sha256(b"content").digest())
    server = scripted_server(
        scripted.expect_head(b"PUT /x HTTP/1.1\r\n"),
        scripted.expect(b"7\r\ncontent\r\n"),
        scripted.expect(b"0\r\nContent-Digest: sha-256=:" + digest + b":\r\n\r\n"),
        scripted.send(b"HTTP/1.1 204 No Content\r\n\r\n"),
    )
    output = run("upload_chunked", server.host, server.port, "/x", stdin=b"content")
    assert output == "204\n"
    assert b"\r\nTrailer: Content-Digest\r\n" in server.received[0]


@uploads
def test_upload_expect(
    endpoint: Endpoint, address: tuple[str, int], run: Run, files: list[str]
) -> None:
    for name in files:
        assert run("upload_expect", *address, f"/upload/{name}", name) == "201\n"
    check_stored(endpoint, run, files)


@endpoints(transports=[Transport.PLAIN], servers=["nginx", "uvicorn"], needs=Feature.REFUSES_EXPECT)
def test_upload_expect_refused(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    (run.directory / "file").write_bytes(bytes(SMALL_LIMIT + 1))
    assert run("upload_expect", *address, "/small/file", "file") == "413\n"


def test_upload_expect_unanswered(run: Run, scripted_server: ServerFactory) -> None:
    (run.directory / "file").write_bytes(b"content")
    server = scripted_server(
        scripted.expect_head(b"PUT /x HTTP/1.1\r\n"),
        # The server says nothing, and the file comes all the same.
        scripted.expect(b"content"),
        scripted.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
    )
    assert run("upload_expect", server.host, server.port, "/x", "file", "0.01") == "204\n"
    assert b"\r\nExpect: 100-continue\r\n" in server.received[0]


@pytest.mark.parametrize(
    ("arguments", "head", "answer"),
    [
        (("connect", "db:5432"), b"CONNECT db:5432 HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        (
            ("upgrade", "chat"),
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
        ),
    ],
    ids=["connect", "upgrade"],
)
def test_detach_socket(
    arguments: tuple[str, str],
    head: bytes,
    answer: bytes,
    run: Run,
    scripted_server: ServerFactory,
) -> None:
    server = scripted_server(
        scripted.expect_head(head),
        # The first bytes that are not HTTP come together with the last that are.
        scripted.send(answer + b"welcome "),
        scripted.expect(b"hello"),
        scripted.expect_end(),
        scripted.send(b"and good-bye"),
        scripted.close(),
        unix=True,
    )
    output = run("detach_socket", server.path, *arguments, stdin=b"hello")
    assert output == "welcome and good-bye"


@downloads
def test_trio_download(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    host, port = address
    urls = [f"http://{host}:{port}{path}" for path in paths(endpoint)]
    assert run("trio_download", *urls) == ""
    for document in endpoint.documents[:COUNT]:
        content = (run.directory / f"{host}_{port}" / "docs" / document.name).read_bytes()
        assert sha256(content) == document.sha256, document.name
    assert not list(run.directory.rglob("*.part"))


def test_what_trio_download_cannot_have(run: Run, scripted_server: ServerFactory) -> None:
    server = scripted_server(
        scripted.expect_head(b"GET /a "),
        scripted.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbro"),
        scripted.close(),
    )
    url = f"http://{server.host}:{server.port}/a"
    assert run("trio_download", url, code=1).startswith(f"{url}: ")
    slow = scripted_server(scripted.expect_head(b"GET /b "), scripted.expect_end())
    url = f"http://{slow.host}:{slow.port}/b"
    assert run("trio_download", "-t", "2", url, code=1) == f"{url}: too slow\n"
    assert not list(run.directory.rglob("*.part"))


@uploads
def test_aio_upload(
    endpoint: Endpoint, address: tuple[str, int], run: Run, files: list[str]
) -> None:
    tenths = [f"{number}0 %" for number in range(1, 11)]
    for name in files:
        *progress, status = run("aio_upload", *address, f"/upload/{name}", name).splitlines()
        assert status == "201"
        assert progress == [line for line in tenths if line in progress]
        assert not (run.directory / name).stat().st_size or progress[-1] == "100 %"
    check_stored(endpoint, run, files)


@endpoints(transports=[Transport.PLAIN], servers=["nginx", "uvicorn"], needs=Feature.REFUSES_EXPECT)
def test_aio_upload_refused(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    (run.directory / "file").write_bytes(bytes(SMALL_LIMIT + 1))
    assert run("aio_upload", *address, "/small/file", "file") == "413\n"


def test_aio_upload_unanswered(run: Run, scripted_server: ServerFactory) -> None:
    (run.directory / "file").write_bytes(b"content")
    server = scripted_server(
        scripted.expect_head(b"PUT /x HTTP/1.1\r\n"),
        scripted.expect(b"content"),
        scripted.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
    )
    output = run("aio_upload", server.host, server.port, "/x", "file", "0.01")
    assert output == "100 %\n204\n"
    assert b"\r\nExpect: 100-continue\r\n" in server.received[0]


def test_aio_attach(run: Run, scripted_server: ServerFactory) -> None:
    server = scripted_server(
        scripted.expect_head(
            b"POST /containers/a%20b/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
        ),
        # The first bytes that are not HTTP come together with the last that are.
        scripted.send(
            b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nwelcome "
        ),
        scripted.expect(b"hello"),
        scripted.expect_end(),
        scripted.send(b"and good-bye"),
        scripted.close(),
        unix=True,
    )
    assert run("aio_attach", server.path, "a b", stdin=b"hello") == "welcome and good-bye"


@downloads
def test_text_lines(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    # The index is the one document that is a text.
    path = f"/docs/{INDEX_NAME}"
    whole = run("text_lines", *address, 1000, path)
    document = endpoint.documents[0]
    assert whole.startswith(f"{document.sha256} {document.size} {document.name}\n")
    start = "".join(whole.splitlines(keepends=True)[:3])
    assert run("text_lines", *address, 3, path, path) == start + start


@downloads
def test_trace_request(endpoint: Endpoint, address: tuple[str, int], run: Run) -> None:
    document = endpoint.documents[0]
    output = run("trace_request", *address, f"/docs/{document.name}", "trace")
    sent = traced(run.directory / "trace", ">")
    received = traced(run.directory / "trace", "<")
    assert sent.startswith(f"GET /docs/{document.name} HTTP/1.1\r\n".encode())
    assert sha256(received.partition(b"\r\n\r\n")[2]) == document.sha256
    assert f"{len(sent)} bytes sent, {len(received)} bytes received\n" in output
    assert output.startswith("connecting: ")


def traced(trace: Path, direction: str) -> bytes:
    """Return the bytes that went in one direction, from the records of a trace."""
    records = re.findall(rf"^ *[0-9.]+ {direction} (.*)$", trace.read_text(), re.MULTILINE)
    return "".join(records).encode().decode("unicode_escape").encode("latin-1")


def test_every_example_is_run() -> None:
    here = Path(__file__).read_text()
    names = {path.stem for path in EXAMPLES.glob("*.py")} - {"demo"}
    assert not [name for name in names if f'"{name}"' not in here]
