"""Content: written whole, in parts and in chunks, and sent from files."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import random
import socket
import ssl
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

from httpio import (
    POLLIN,
    POLLOUT,
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    ExcessBodyData,
    HTTPConnection,
    StateError,
    _sendfile,
    _sending,
)
from httpio._transport import TLS_RECORD_SIZE
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import PATIENCE, Server, ServerEnd, shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from httpio import PollGenerator
    from tests.support.certs import Certificates

_T = TypeVar("_T")

BULK = random.Random(1).randbytes(300_000)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture(params=["plain", "tls"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Server]:
    with Server(certificates if request.param == "tls" else None) as server:
        yield server


@pytest.fixture
def plain_server() -> Iterator[Server]:
    with Server() as server:
        yield server


def uploading(
    server: Server, length: int | None, *, small: bool = True
) -> tuple[HTTPConnection, ServerEnd]:
    """A connection whose request waits for *length* bytes of content; small buffers."""
    conn = server.connection()
    end = server.connect(conn, small=small)
    conn.send_request("PUT", "/up", None, BodyFollowing(length))
    end.expect_head(b"PUT /up ")
    return conn, end


def finished(server: Server, conn: HTTPConnection) -> None:
    """Answer the upload, and check that the connection is as good as before."""
    server.end.take()
    server.end.respond(b"thanks")
    assert conn.read_response().status == 200
    assert conn.readall() == b"thanks"
    server.prove_usable(conn)
    assert len(server.ends) == 1


def chunks_of(data: bytes) -> list[bytes]:
    """Return the chunks that *data* consists of, the last one included, and check their framing."""
    found: list[bytes] = []
    position = 0
    while not found or found[-1]:
        line_end = data.index(b"\r\n", position)
        size = int(data[position:line_end], 16)
        assert data[position:line_end] == b"%x" % size
        position = line_end + 2
        found.append(data[position : position + size])
        if size:
            assert data[position + size : position + size + 2] == b"\r\n"
            position += size + 2
    assert data[position:].endswith(b"\r\n")
    return found


# Whole


@pytest.mark.parametrize("piece", [1, 1000, 16 * 1024, 70_000, len(BULK)])
def test_write(server: Server, piece: int) -> None:
    body = BULK[: 200 * piece]
    conn, end = uploading(server, len(body))
    for start in range(0, len(body), piece):
        part = body[start : start + piece]
        assert server.drive(conn.co_write(part)) == len(part)
    assert end.take() == body
    finished(server, conn)


def test_kinds_of_data(server: Server) -> None:
    conn, end = uploading(server, 16)
    for data in (b"1234", bytearray(b"5678"), memoryview(b"90ab"), memoryview(b"xcdefx")[1:-1]):
        assert conn.write(data) == 4
    assert end.take() == b"1234567890abcdef"
    finished(server, conn)


@pytest.mark.parametrize("partial", [False, True])
def test_empty_write_changes_nothing(server: Server, partial: bool) -> None:
    conn, end = uploading(server, 2)
    assert conn.write(b"", partial) == 0
    assert not end.take()
    conn.write(b"12")
    assert end.take() == b"12"
    finished(server, conn)


@pytest.mark.parametrize("partial", [False, True])
def test_empty_write_is_not_the_last_chunk(server: Server, partial: bool) -> None:
    conn, end = uploading(server, None)
    assert conn.write(b"", partial) == 0
    conn.write(b"12")
    assert conn.write(b"", partial) == 0
    conn.finish_body()
    assert end.take() == b"2\r\n12\r\n0\r\n\r\n"
    finished(server, conn)


def test_body_of_no_length_is_complete_at_once(server: Server) -> None:
    conn, end = uploading(server, 0)
    # Whoever writes what a file has need not know that it was empty.
    assert conn.write(b"") == 0
    assert conn.write(b"", partial=True) == 0
    assert conn.sendfile(io.BytesIO()) == 0
    for use in (lambda: conn.write(b"x"), lambda: conn.finish_body()):
        with pytest.raises(StateError):
            use()
    assert not end.take()
    finished(server, conn)


def test_complete_body_takes_no_more(server: Server) -> None:
    conn, _ = uploading(server, 5)
    conn.write(b"12345")
    with pytest.raises(StateError):
        conn.write(b"6")
    finished(server, conn)


def test_more_than_announced_is_refused_as_a_whole(server: Server) -> None:
    conn, end = uploading(server, 10)
    assert conn.write(b"1234") == 4
    for partial in (False, True):
        with pytest.raises(ExcessBodyData, match="6 bytes that are left"):
            conn.write(b"1234567", partial)
    assert end.take() == b"1234"
    conn.write(b"567890")
    assert end.take() == b"567890"
    finished(server, conn)


def test_next_request_waits_for_the_body(server: Server) -> None:
    conn, end = uploading(server, 10)
    conn.write(b"1234")
    with pytest.raises(StateError, match=r"write\(\) 6 more bytes"):
        conn.send_request("GET", "/")
    with pytest.raises(StateError, match="6 bytes to go"):
        conn.read_response()
    conn.write(b"567890")
    assert end.take() == b"1234567890"
    finished(server, conn)


def test_uploads_in_a_pipeline(server: Server) -> None:
    conn = server.connection()
    end = server.connect(conn)
    for number in range(5):
        body = b"%d" % number * 1000
        conn.send_request("PUT", f"/{number}", None, BodyFollowing(None if number % 2 else 1000))
        conn.write(body)
        if number % 2:
            conn.finish_body()
        assert end.expect_head(b"PUT /%d " % number)
        assert body in end.take()
    for number in range(5):
        end.respond(b"%d" % number)
    for number in range(5):
        assert conn.read_response().path == f"/{number}"
        assert conn.readall() == b"%d" % number
    server.prove_usable(conn)


@pytest.mark.parametrize("length", [len(BULK), None])
def test_second_write_during_a_first_is_refused(server: Server, length: int | None) -> None:
    conn, end = uploading(server, length)
    first = conn.co_write(BULK)
    next(first)
    with pytest.raises(StateError, match="another thread or task"):
        conn.write(b"x")
    with pytest.raises(StateError, match="another thread or task"):
        conn.write(b"x", partial=True)
    with pytest.raises(StateError, match="another thread or task"):
        conn.sendfile(io.BytesIO(b"x"))
    with pytest.raises(StateError, match="another thread or task"):
        conn.finish_body()
    with pytest.raises(StateError):
        conn.send_request("GET", "/")
    assert server.drive(first) == len(BULK)
    if length is None:
        server.drive(conn.co_finish_body())
        assert b"".join(chunks_of(end.take())) == BULK
    else:
        assert end.take() == BULK
    finished(server, conn)


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_second_request_during_a_first_is_refused(server: Server, size: int) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    first = conn.co_send_request("PUT", "/1", None, BULK[:size])
    next(first)
    with pytest.raises(StateError, match="PUT /1 is still being sent"):
        conn.send_request("GET", "/2")
    with pytest.raises(StateError, match="PUT /1 is still being sent"):
        conn.write(b"x")
    server.drive(first)
    end.expect_head(b"PUT /1 ")
    assert end.take() == BULK[:size]
    finished(server, conn)


def test_head_that_does_not_fit_keeps_the_next_request_waiting(server: Server) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    value = "v" * 50_000
    first = conn.co_send_request("GET", "/1", {"X": value})
    next(first)
    with pytest.raises(StateError, match="GET /1 is still being sent"):
        conn.send_request("GET", "/2")
    server.drive(first)
    assert value.encode() in end.expect_head(b"GET /1 ")
    finished(server, conn)


# In parts


def write_in_parts(
    conn: HTTPConnection, end: ServerEnd, data: bytes, sizes: Callable[[], int]
) -> int:
    """Write *data* with `partial`, taking what comes only when nothing fits; return the number of calls."""
    calls = 0
    position = 0
    stuck = 0
    offer = 0
    while position < len(data):
        # What did not fit has to be passed again, so no less is offered then.
        offer = max(offer, sizes())
        written = conn.write(data[position : position + offer], partial=True)
        assert 0 <= written <= offer
        calls += 1
        position += written
        if written:
            offer = stuck = 0
        else:
            end.progress()
            stuck += 1
            assert stuck < 1000
    return calls


@pytest.mark.parametrize("size", [1, 5000, 20_000, 100_000, len(BULK)])
def test_partial_write(server: Server, size: int) -> None:
    body = BULK[: 50 * size]
    conn, end = uploading(server, len(body))
    write_in_parts(conn, end, body, lambda: size)
    assert end.take() == body
    finished(server, conn)


@pytest.mark.parametrize("size", [1, 5000, 20_000, 100_000, len(BULK)])
def test_partial_write_in_chunks(server: Server, size: int) -> None:
    body = BULK[: 50 * size]
    conn, end = uploading(server, None)
    write_in_parts(conn, end, body, lambda: size)
    server.drive(conn.co_finish_body())
    assert b"".join(chunks_of(end.take())) == body
    finished(server, conn)


@pytest.mark.parametrize("length", [len(BULK), None])
def test_partial_write_does_not_wait(server: Server, length: int | None) -> None:
    conn, end = uploading(server, length)
    conn.timeout = 0
    written = 0
    while size := conn.write(BULK[written:], partial=True):
        written += size
    assert written < len(BULK)
    # As a coroutine it never yields.
    with pytest.raises(StopIteration) as caught:
        next(conn.co_write(BULK[written:], partial=True))
    assert caught.value.value == 0
    server.drive(conn.co_write(BULK[written:]))
    if length is None:
        server.drive(conn.co_finish_body())
        assert b"".join(chunks_of(end.take())) == BULK
    else:
        assert end.take() == BULK
    finished(server, conn)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("length", [len(BULK), None])
def test_all_ways_of_writing_mixed(server: Server, length: int | None, seed: int) -> None:
    """Whatever is written how, and however much fits, the same bytes arrive."""
    rng = random.Random(seed)
    conn, end = uploading(server, length)
    position = 0
    offer = 0
    while position < len(BULK):
        offer = max(offer, rng.choice((1, 7, 100, 3000, 17_000, 50_000)))
        data = BULK[position : position + offer]
        way = rng.randrange(4)
        if way == 0:
            position += server.drive(conn.co_write(data))
            offer = 0
        elif way == 1:
            position += server.drive(conn.co_sendfile(io.BytesIO(data)))
            offer = 0
        elif written := conn.write(data, partial=True):
            position += written
            offer = 0
        elif way == 3:
            end.progress()
    if length is None:
        server.drive(conn.co_finish_body())
        assert b"".join(chunks_of(end.take())) == BULK
    else:
        assert end.take() == BULK
    finished(server, conn)


# In chunks


@pytest.mark.parametrize("size", [1, 9, 10, 15, 16, 255, 256, 16_384, 32_768, 32_769, 100_000])
def test_one_chunk_for_each_write(server: Server, size: int) -> None:
    conn, end = uploading(server, None)
    for _ in range(3):
        assert server.drive(conn.co_write(BULK[:size])) == size
    server.drive(conn.co_finish_body())
    data = end.take()
    assert chunks_of(data) == [BULK[:size]] * 3 + [b""]
    assert data.endswith(b"\r\n0\r\n\r\n")
    finished(server, conn)


def test_chunk_arrives_without_the_next_one(server: Server) -> None:
    """Its CRLF too: a server that streams waits for it."""
    conn, end = uploading(server, None, small=False)
    for data in (b"12", BULK):
        server.drive(conn.co_write(data))
        assert end.take() == b"%x\r\n%b\r\n" % (len(data), data)
    while not conn.write(b"34", partial=True):
        pass
    assert end.take() == b"2\r\n34\r\n"


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        (None, b"0\r\n\r\n"),
        ({}, b"0\r\n\r\n"),
        ({"X-Sum": "1"}, b"0\r\nX-Sum: 1\r\n\r\n"),
        ([("X", "1"), ("x", "é")], b"0\r\nX: 1\r\nx: \xe9\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"12345"])
def test_end_of_chunks(
    server: Server,
    content: bytes,
    trailers: dict[str, str] | list[tuple[str, str]] | None,
    expected: bytes,
) -> None:
    conn, end = uploading(server, None)
    conn.write(content)
    conn.finish_body(trailers)
    assert end.take() == (b"5\r\n12345\r\n" if content else b"") + expected
    with pytest.raises(StateError):
        conn.finish_body()
    with pytest.raises(StateError):
        conn.write(b"x")
    finished(server, conn)


def test_announced_chunk_has_to_be_written(server: Server) -> None:
    conn, end = uploading(server, None)
    written = conn.write(BULK, partial=True)
    while size := conn.write(BULK[written:], partial=True):
        written += size
    with pytest.raises(StateError, match="has announced"):
        conn.finish_body()
    with pytest.raises(StateError, match="is not finished"):
        conn.send_request("GET", "/")
    server.drive(conn.co_write(BULK[written:]))
    server.drive(conn.co_finish_body())
    assert b"".join(chunks_of(end.take())) == BULK
    finished(server, conn)


# Files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BULK)
    return path


def from_buffered(path: Path) -> io.BufferedReader:
    return open(path, "rb")


def from_raw(path: Path) -> io.FileIO:
    return open(path, "rb", buffering=0)


def from_random(path: Path) -> io.BufferedRandom:
    return open(path, "r+b")


def from_memory(path: Path) -> io.BytesIO:
    return io.BytesIO(path.read_bytes())


def from_wrapper(path: Path) -> tempfile._TemporaryFileWrapper[bytes]:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by the test
    file.write(path.read_bytes())
    file.seek(0)
    return file


def from_spooled(path: Path) -> tempfile.SpooledTemporaryFile[bytes]:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - closed by the test
    file.write(path.read_bytes())
    file.seek(0)
    return file


FILES = [from_buffered, from_raw, from_random, from_memory, from_wrapper, from_spooled]
each_file = pytest.mark.parametrize("open_file", FILES)


@each_file
@pytest.mark.parametrize("length", [len(BULK), None])
def test_sendfile(
    server: Server, path: Path, open_file: Callable[[Path], io.BytesIO], length: int | None
) -> None:
    conn, end = uploading(server, length)
    with open_file(path) as file:
        assert server.drive(conn.co_sendfile(file)) == len(BULK)
        assert file.tell() == len(BULK)
    if length is None:
        # The body may go on.
        server.drive(conn.co_write(b"more"))
        server.drive(conn.co_finish_body())
        assert b"".join(chunks_of(end.take())) == BULK + b"more"
    else:
        assert end.take() == BULK
    finished(server, conn)


@each_file
def test_sendfile_from_where_the_file_stands(
    server: Server, path: Path, open_file: Callable[[Path], io.BytesIO]
) -> None:
    conn, end = uploading(server, 5000 + len(BULK) - 100_000)
    with open_file(path) as file:
        start = file.read(5000)
        assert server.drive(conn.co_write(start)) == 5000
        file.seek(100_000)
        assert server.drive(conn.co_sendfile(file)) == len(BULK) - 100_000
        assert file.read() == b""
    assert end.take() == BULK[:5000] + BULK[100_000:]
    finished(server, conn)


@each_file
def test_file_that_is_shorter_than_announced(
    server: Server, path: Path, open_file: Callable[[Path], io.BytesIO]
) -> None:
    conn, end = uploading(server, len(BULK) + 5)
    with open_file(path) as file:
        assert server.drive(conn.co_sendfile(file)) == len(BULK)
        assert server.drive(conn.co_sendfile(file)) == 0
    with pytest.raises(StateError, match="5 more bytes"):
        conn.send_request("GET", "/")
    assert server.drive(conn.co_write(b"12345")) == 5
    assert end.take() == BULK + b"12345"
    finished(server, conn)


@pytest.mark.parametrize("open_file", [from_buffered, from_raw, from_random, from_memory])
def test_file_that_is_longer_than_announced(
    server: Server, path: Path, open_file: Callable[[Path], io.BytesIO]
) -> None:
    conn, end = uploading(server, len(BULK) - 10)
    with open_file(path) as file:
        file.seek(5)
        with pytest.raises(ExcessBodyData, match="nothing was sent"):
            conn.sendfile(file)
        assert file.tell() == 5
        assert not end.take()
        file.seek(10)
        assert server.drive(conn.co_sendfile(file)) == len(BULK) - 10
    assert end.take() == BULK[10:]
    finished(server, conn)


@each_file
def test_position_behind_the_end(
    server: Server, path: Path, open_file: Callable[[Path], io.BytesIO]
) -> None:
    conn, end = uploading(server, 5)
    with open_file(path) as file:
        file.seek(len(BULK) + 1000)
        assert conn.sendfile(file) == 0
        assert file.tell() == len(BULK) + 1000
    conn.write(b"12345")
    assert end.take() == b"12345"
    finished(server, conn)


@contextmanager
def pipe_with(content: bytes) -> Iterator[io.BufferedReader]:
    """A pipe from which *content* can be read, and then its end."""
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), open(writing, "wb") as sink:
            sink.write(content)

    thread = threading.Thread(target=write)
    with open(reading, "rb") as source:
        thread.start()
        yield source
    thread.join(PATIENCE)


@pytest.mark.parametrize("length", [len(BULK), None])
def test_pipe(server: Server, length: int | None) -> None:
    conn, end = uploading(server, length)
    with pipe_with(BULK) as source:
        assert server.drive(conn.co_sendfile(source)) == len(BULK)
    if length is None:
        server.drive(conn.co_finish_body())
        assert b"".join(chunks_of(end.take())) == BULK
    else:
        assert end.take() == BULK
    finished(server, conn)


@pytest.mark.parametrize("excess", [1, 5, 300_000])
@pytest.mark.parametrize("announced", [5, 256 * 1024, 256 * 1024 + 5])
def test_stream_that_is_longer_than_announced(server: Server, announced: int, excess: int) -> None:
    """Only reading tells, so what came before is gone; but never more than was announced."""
    content = (BULK + BULK)[: announced + excess]
    conn, end = uploading(server, announced)
    with pipe_with(content) as source, pytest.raises(ExcessBodyData):
        server.drive(conn.co_sendfile(source))
    sent = end.take()
    assert len(sent) in {0, 256 * 1024}
    assert content.startswith(sent)
    if len(sent) < announced:
        server.drive(conn.co_write(content[len(sent) : announced]))
    finished(server, conn)


def test_file_of_the_kernel_has_content_but_no_size(server: Server) -> None:
    with open("/proc/self/cmdline", "rb") as file:
        content = file.read()
        assert content
        assert os.fstat(file.fileno()).st_size == 0
        file.seek(0)
        conn, end = uploading(server, len(content))
        assert conn.sendfile(file) == len(content)
    assert end.take() == content
    finished(server, conn)


def test_file_of_the_kernel_has_less_content_than_size(server: Server) -> None:
    with open("/sys/kernel/mm/transparent_hugepage/enabled", "rb") as file:
        content = file.read()
        size = os.fstat(file.fileno()).st_size
        assert size > len(content)
        file.seek(0)
        conn, end = uploading(server, size)
        assert conn.sendfile(file) == len(content)
        assert end.take() == content
        conn.write(b"x" * (size - len(content)))
    finished(server, conn)


def test_file_that_only_reading_can_send(plain_server: Server, path: Path) -> None:
    conn, end = uploading(plain_server, len(BULK))
    with socket.socket(fileno=os.dup(conn.fileno())) as duplicate:
        # What the system cannot do to such a descriptor, it cannot do to some file systems either.
        flags = fcntl.fcntl(duplicate, fcntl.F_GETFL)
        fcntl.fcntl(duplicate, fcntl.F_SETFL, flags | os.O_APPEND)
    with open(path, "rb") as file:
        assert plain_server.drive(conn.co_sendfile(file)) == len(BULK)
        assert file.tell() == len(BULK)
    assert end.take() == BULK
    finished(plain_server, conn)


def test_file_that_is_cut_while_it_is_sent(server: Server, path: Path) -> None:
    conn, end = uploading(server, len(BULK))
    with open(path, "r+b") as file:
        sending = conn.co_sendfile(file)
        next(sending)
        file.truncate(100_000)
        sent = server.drive(sending)
        # With TLS, a piece has been read before.
        assert sent < len(BULK)
        assert file.tell() == sent
    server.drive(conn.co_write(BULK[sent:]))
    assert end.take() == BULK
    finished(server, conn)


def test_file_that_grows_while_it_is_sent(plain_server: Server, path: Path) -> None:
    conn, end = uploading(plain_server, len(BULK))
    with open(path, "rb") as file:
        sending = conn.co_sendfile(file)
        next(sending)
        with open(path, "ab") as appended:
            appended.write(b"more")
        assert plain_server.drive(sending) == len(BULK)
    assert end.take() == BULK
    finished(plain_server, conn)


def test_compressed_file_is_sent_as_it_reads(server: Server, tmp_path: Path) -> None:
    """Its descriptor is that of the compressed bytes."""
    with gzip.open(tmp_path / "file.gz", "wb") as file:
        file.write(BULK)
    conn, end = uploading(server, len(BULK))
    with gzip.open(tmp_path / "file.gz", "rb") as file:
        assert server.drive(conn.co_sendfile(file)) == len(BULK)
    assert end.take() == BULK
    finished(server, conn)


def test_buffer_over_a_compressed_file(server: Server, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "file.gz", "wb") as file:
        file.write(BULK)
    conn, end = uploading(server, len(BULK))
    with gzip.open(tmp_path / "file.gz", "rb") as raw:
        assert server.drive(conn.co_sendfile(io.BufferedReader(raw))) == len(BULK)
    assert end.take() == BULK
    finished(server, conn)


class Shouting(io.FileIO):
    """Does something to what it reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        return (super().read(size) or b"").upper()


def test_file_that_changes_what_it_reads(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"quiet")
    conn, end = uploading(server, 5)
    with Shouting(tmp_path / "text") as file:
        assert conn.sendfile(file) == 5
    assert end.take() == b"QUIET"
    finished(server, conn)


@pytest.mark.parametrize("length", [4, None])
def test_text_file_is_refused(server: Server, tmp_path: Path, length: int | None) -> None:
    (tmp_path / "text").write_text("text")
    conn, end = uploading(server, length)
    with open(tmp_path / "text") as file, pytest.raises(TypeError, match="binary"):
        conn.sendfile(file)  # type: ignore[call-overload]  # on purpose
    assert not end.take()
    conn.write(b"text")
    if length is None:
        conn.finish_body()
    finished(server, conn)


class Failing(io.RawIOBase):
    """Gives some content, and then fails."""

    def __init__(self) -> None:
        self.content = [b"1234", b"5678"]

    def read(self, size: int = -1, /) -> bytes:
        if not self.content:
            raise OSError("the disk is on fire")
        return self.content.pop(0)


@pytest.mark.parametrize("seekable", [True, False])
def test_file_of_which_nothing_was_sent(plain_server: Server, seekable: bool) -> None:
    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return seekable

    size = 10_000_000
    conn, end = uploading(plain_server, size)
    written = 0
    # A piece of the size of the file's does not fit any more, not even in part.
    while sent := conn.write(bytes(4096), partial=True):
        written += sent
    file = Stream(BULK[:4096])
    sending = conn.co_sendfile(file)
    assert not next(sending).poll(0)
    sending.close()
    if seekable:
        # What was read is sent by the next call.
        assert file.tell() == 0
        assert plain_server.drive(conn.co_sendfile(file)) == 4096
        plain_server.drive(conn.co_write(bytes(size - written - 4096)))
        assert end.take()[written:][:4096] == BULK[:4096]
        finished(plain_server, conn)
    else:
        # It would be missing, and nobody would notice.
        with pytest.raises(ConnectionClosed) as caught:
            conn.sendfile(file)
        assert caught.value.reason is CloseReason.SEND_ABORTED


def test_file_that_fails(server: Server) -> None:
    conn, end = uploading(server, 10)
    with pytest.raises(OSError, match="on fire"):
        conn.sendfile(Failing())
    # The connection has nothing to do with that.
    conn.write(b"90")
    assert end.take() == b"1234567890"
    finished(server, conn)


def test_cofunction_of_sendfile(server: Server, path: Path) -> None:
    """It reads as documented: responses are read in between, and nothing blocks."""
    conn = server.connection()
    end = server.connect(conn)
    paths = [f"/{number}" for number in range(3)]
    read: list[tuple[str, bytes]] = []

    def read_response() -> None:
        response = conn.read_response()
        read.append((response.path, conn.readall()))

    for name in paths:
        for _ in conn.send_request("PUT", name, None, BodyFollowing(len(BULK)), via_cofun=True):
            read_response()
        shrink_send_buffer(conn)
        with open(path, "rb") as file:
            cofunction = conn.sendfile(file, via_cofun=True)
            reader = threading.Thread(target=lambda: end.expect_head() and end.expect(len(BULK)))
            reader.start()
            for _ in cofunction:
                read_response()
            reader.join(PATIENCE)
        end.respond(name.encode())
    while conn.response_pending():
        read_response()
    assert read == [(name, name.encode()) for name in paths]
    server.prove_usable(conn)


def test_cofunction_stops_for_a_response_while_it_sends(server: Server) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    conn.send_request("GET", "/1")
    end.expect_head()
    conn.send_request("PUT", "/2", None, BodyFollowing(len(BULK)))
    end.expect_head()
    conn.timeout = 0
    cofunction = conn.sendfile(io.BytesIO(BULK), via_cofun=True)
    # Nothing to read, and no room to send: waits, which takes longer than 0 seconds.
    with pytest.raises(ConnectionTimedOut):
        next(cofunction)
    conn.reset()


@pytest.mark.parametrize("size", [100, 300_000])
def test_response_in_the_middle_of_a_cofunction(server: Server, size: int) -> None:
    conn = server.connection()
    end = server.connect(conn, small=True)
    conn.send_request("GET", "/1")
    end.expect_head()
    cofunction = conn.send_request("PUT", "/2", None, BULK[:size], via_cofun=True)
    end.respond(b"one")
    next(cofunction)
    assert conn.read_response().path == "/1"
    next(cofunction)
    assert conn.readall() == b"one"
    serving = threading.Thread(target=lambda: end.expect_head() and end.expect(size))
    serving.start()
    assert list(cofunction) == []
    serving.join(PATIENCE)
    finished(server, conn)


# TLS, which may want the other direction


class WantingSocket(ssl.SSLSocket):
    """Raises what it is told to, instead of sending and receiving; see `test_transport`."""

    made: ClassVar[list[WantingSocket]] = []
    wants: list[ssl.SSLError]

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        self.wants = []
        self.made.append(self)

    def _want(self) -> None:
        if self.wants:
            raise self.wants.pop(0)

    def send(self, *args: Any) -> int:
        self._want()
        return super().send(*args)

    def recv(self, *args: Any) -> bytes:
        self._want()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int | None:  # type: ignore[override]  # None if it would block
        self._want()
        return super().recv_into(*args)


def wanting(certificates: Certificates, server: Server) -> tuple[HTTPConnection, WantingSocket]:
    context = certificates.client_context()
    context.sslsocket_class = WantingSocket
    conn = server.connection(ssl_context=context)
    server.connect(conn)
    return conn, WantingSocket.made.pop()


def masks_of(coroutine: PollGenerator[_T]) -> tuple[list[int], _T]:
    """Return what *coroutine* waits for, without waiting, and its result."""
    masks = []
    try:
        while True:
            masks.append(next(coroutine).mask)
    except StopIteration as exc:
        return masks, exc.value


def test_tls_wants_to_read_while_we_send(certificates: Certificates) -> None:
    with Server(certificates) as server:
        conn, sock = wanting(certificates, server)
        server.prove_usable(conn)  # with that, session tickets are out of the way
        sock.wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]
        masks, _ = masks_of(conn.co_send_request("PUT", "/", None, BodyFollowing(15)))
        assert masks == [1, 5]
        server.end.expect_head()
        sock.wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]
        masks, size = masks_of(conn.co_write(b"12345"))
        assert (masks, size) == ([1, 5], 5)
        sock.wants = [ssl.SSLWantReadError()]
        assert conn.write(b"67890", partial=True) == 0
        assert conn.write(b"67890", partial=True) == 5
        sock.wants = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]
        masks, size = masks_of(conn.co_sendfile(io.BytesIO(b"abcde")))
        assert (masks, size) == ([5, 1], 5)
        assert server.end.take() == b"1234567890abcde"
        finished(server, conn)


def test_tls_wants_to_write_while_we_receive(certificates: Certificates) -> None:
    with Server(certificates) as server:
        conn, sock = wanting(certificates, server)
        conn.send_request("GET", "/")
        server.end.expect_head()
        server.end.respond(b"x" * 30_000)
        sock.wants = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]
        masks, response = masks_of(conn.co_read_response())
        # It waits first, since there is hardly ever something so soon.
        assert masks[-2:] == [4, 1]
        assert response.status == 200
        sock.wants = [ssl.SSLWantWriteError()]
        masks, content = masks_of(conn.co_readall())
        assert 4 in masks
        assert content == b"x" * 30_000
        server.prove_usable(conn)


def run_in_steps(coroutine: PollGenerator[_T], end: ServerEnd, steps: int) -> int:
    """Resume *coroutine* up to *steps* times; return how often it was possible."""
    for done in range(steps):
        try:
            next(coroutine)
        except StopIteration:
            return done
        end.progress()
    return steps


def test_file_position_after_a_send_that_was_dropped(plain_server: Server, path: Path) -> None:
    conn, end = uploading(plain_server, len(BULK))
    with open(path, "rb") as file:
        sending = conn.co_sendfile(file)
        assert run_in_steps(sending, end, 3) == 3
        sending.close()
        sent = end.take()
        assert BULK.startswith(sent)
        assert file.tell() == len(sent)


# Turns


def test_others_get_a_turn_although_the_socket_takes_everything(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Records are sent one by one. So few of them do not fill the socket.
    monkeypatch.setattr(_sending, "TURN_SIZE", 2 * TLS_RECORD_SIZE)
    content = random.Random(2).randbytes(6 * TLS_RECORD_SIZE)
    with Server(certificates) as server:
        conn, end = uploading(server, len(content), small=False)
        masks, sent = masks_of(conn.co_write(content))
        assert sent == len(content)
        assert masks == [POLLIN | POLLOUT] * 2
        assert end.expect(len(content)) == content
        finished(server, conn)


def test_others_get_a_turn_while_a_file_is_sent(
    plain_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sendfile, "TURN_SIZE", 10_000)
    (tmp_path / "file").write_bytes(BULK[:60_000])
    conn, end = uploading(plain_server, 60_000, small=False)
    with (tmp_path / "file").open("rb") as file:
        masks, sent = masks_of(conn.co_sendfile(file))
    assert sent == 60_000
    assert masks == [POLLIN | POLLOUT] * 5
    assert end.expect(60_000) == BULK[:60_000]
    finished(plain_server, conn)
