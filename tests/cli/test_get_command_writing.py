"""Content that does not become whole, or that cannot be written: what is kept, and what is said."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import (
    accept,
    drain,
    expect_head,
    send,
    send_endlessly,
    truncate,
)
from tests.support.scripted import (
    signal as signal_event,
)

from .getting import (
    COMMAND,
    LIMIT,
    answer,
    answer_once,
    called,
    environment,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory


CONTENT = bytes(range(256)) * 256
PART = (
    b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n' % len(CONTENT) + CONTENT[:30000]
)


class TestTruncation:
    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ],
        ids=["length", "chunk", "chunks"],
    )
    def test_on_stdout(self, scripted_server: ServerFactory, data: bytes) -> None:
        server = scripted_server(*answer_once(data))
        done = httpio("get", url_of(server))
        assert (done.code, done.out) == (18, b"hello")
        assert "the connection ended after 5" in done.error

    def test_part_is_kept_and_continued(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        rest = response(
            CONTENT[30000:],
            'ETag: "v1"',
            f"Content-Range: bytes 30000-{len(CONTENT) - 1}/{len(CONTENT)}",
            status="206 Partial Content",
        )
        server = scripted_server(*answer_once(PART), accept(), *answer(rest))
        target, url = tmp_path / "file", url_of(server)
        done = httpio("get", "-o", target, url)
        assert (done.code, done.out) == (18, b"")
        assert done.error.endswith(f"the 30000 bytes are in {target}.part: go on with -C -")
        assert not target.exists()
        assert (tmp_path / "file.part").read_bytes() == CONTENT[:30000]
        done = httpio("get", "-C", "-", "-o", target, url)
        assert (done.code, done.out, done.err) == (0, b"", "")
        assert b'\r\nIf-Range: "v1"\r\n' in server.received[1]
        assert b"\r\nRange: bytes=30000-\r\n" in server.received[1]
        assert target.read_bytes() == CONTENT
        assert os.listdir(tmp_path) == ["file"]

    def test_without_validator_it_cannot_be_continued(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        server = scripted_server(*answer_once(PART.replace(b'"v1"', b'W/"v1"')))
        done = called("get", "-o", tmp_path / "file", url_of(server))
        assert done.code == 18
        assert "-C -" not in done.error
        assert (tmp_path / "file.part").read_bytes() == CONTENT[:30000]

    def test_truncated_over_tls(
        self, scripted_server: ServerFactory, certificates: Certificates
    ) -> None:
        server = scripted_server(
            expect_head(),
            send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
            truncate(),
            tls=certificates.server_context(),
        )
        done = httpio("get", "-k", f"https://127.0.0.1:{server.port}/")
        assert (done.code, done.out) == (18, b"hello")


class TestWriting:
    def test_full_device(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        done = httpio("get", "-o", "/dev/full", url_of(server))
        assert done.code == 23
        assert "cannot write '/dev/full': No space left on device" in done.error

    def test_full_stdout(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [COMMAND, "get", url_of(server)],
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment(),
                timeout=LIMIT,
                check=False,
            )
        assert done.returncode == 23
        assert done.stderr.startswith(b"httpio: cannot write to stdout: No space left")
        assert done.stderr.count(b"\n") == 1

    def test_limit_of_the_file_size(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        data = PART + CONTENT[30000:]
        server = scripted_server(expect_head(), send_endlessly(data, at_most=len(data)), drain())
        done = subprocess.run(
            [COMMAND, "get", "-o", str(tmp_path / "file"), url_of(server)],
            capture_output=True,
            env=environment(),
            timeout=LIMIT,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)),
        )
        assert done.returncode == 23
        assert done.stderr.count(b"\n") == 1
        assert b"cannot write" in done.stderr
        assert (tmp_path / "file.part").read_bytes() == CONTENT[:20000]

    def test_directory_that_cannot_be(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        target = tmp_path / "file" / "below"
        server = scripted_server(*answer())
        done = called("get", "-o", target, url_of(server))
        assert done.code == 23
        assert "cannot write" in done.error
        # Before a connection is tried.
        assert called("get", "--create-dirs", "-o", target, "http://127.0.0.1:1/").code == 23

    def test_missing_directory(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer(), accept(), *answer())
        target = tmp_path / "a" / "b" / "file"
        done = called("get", "-o", target, url_of(server))
        assert done.code == 23
        assert "--create-dirs" in done.error
        assert called("get", "--create-dirs", "-o", target, url_of(server)).code == 0
        assert target.read_bytes() == b"hello"

    def test_directory_for_a_file(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer())
        done = httpio("get", "-o", tmp_path, url_of(server))
        assert done.code == 23
        assert "Is a directory" in done.error

    def test_closed_stdout(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(),
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"),
            send_endlessly(b"a" * 100_000, at_most=100_000_000),
        )
        done = subprocess.run(
            ["sh", "-c", f"{{ {COMMAND} get {url_of(server)}; echo $? >&2; }} | head -c 1"],
            capture_output=True,
            env=environment(),
            timeout=LIMIT,
            check=False,
        )
        assert done.stdout == b"a"
        lines = done.stderr.decode().splitlines()
        assert lines[0].startswith("httpio: stdout was closed by whoever reads it")
        assert lines[1:] == ["23"]

    @pytest.mark.parametrize("options", [[], ["-v"], ["-i"], ["-w", "%{http_code}"]])
    def test_no_stdout_at_all(self, scripted_server: ServerFactory, options: list[str]) -> None:
        server = scripted_server(*answer())
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", COMMAND, "get", *options, url_of(server)],
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 23
        assert b"Traceback" not in done.stderr

    @pytest.mark.parametrize("options", [[], ["-v"], ["-w", "%{stderr}%{http_code}"]])
    def test_no_stderr_at_all(self, scripted_server: ServerFactory, options: list[str]) -> None:
        server = scripted_server(*answer())
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", COMMAND, "get", *options, url_of(server)],
            stdout=subprocess.PIPE,
            env=environment(),
            timeout=LIMIT,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"hello")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated by SIGTERM")],
)
class TestSignals:
    def test_in_the_middle_of_content(
        self,
        scripted_server: ServerFactory,
        tmp_path: Path,
        number: signal.Signals,
        code: int,
        word: str,
    ) -> None:
        server = scripted_server(expect_head(), send(PART), drain())
        target = tmp_path / "file"
        process = subprocess.Popen(
            [COMMAND, "get", "-o", str(target), url_of(server)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        part = tmp_path / "file.part"
        while not part.exists() or part.stat().st_size < 30000:
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
        assert (process.returncode, out) == (code, b"")
        assert err.decode() == (
            f"httpio: {url_of(server)} after 30000 bytes: {word}; "
            f"the 30000 bytes are in {part}: go on with -C -\n"
        )
        assert json.loads((tmp_path / "file.part.json").read_text())["validator"] == '"v1"'

    def test_while_an_answer_is_awaited(
        self, scripted_server: ServerFactory, number: signal.Signals, code: int, word: str
    ) -> None:
        asked = threading.Event()
        server = scripted_server(expect_head(), signal_event(asked), drain())
        process = subprocess.Popen(
            [COMMAND, "get", url_of(server), url_of(server)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert asked.wait(LIMIT)
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
        assert (process.returncode, out) == (code, b"")
        assert err.decode() == f"httpio: {word}\n"
