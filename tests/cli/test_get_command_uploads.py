"""Content that is sent: where it comes from, and what servers make of it."""

from __future__ import annotations

import os
import subprocess
import threading
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import (
    Step,
    accept,
    close,
    drain,
    expect,
    expect_chunks,
    expect_end,
    expect_head,
    expect_size,
    reset,
    send,
    signal,
)

from .getting import (
    COMMAND,
    HELLO,
    LIMIT,
    called,
    content_received,
    environment,
    field_of,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fix_scripted import ServerFactory

FORM = "application/x-www-form-urlencoded"
MUCH = bytes(range(256)) * 8192
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class TestSources:
    @pytest.mark.parametrize(
        ("options", "content", "media_type"),
        [
            (["-d", "a=b", "-d", "c=ü"], "a=b&c=ü".encode(), FORM),
            (["-d", "@FILE", "-d", "x"], b"one two&x", FORM),
            (["--data-raw", "@FILE"], b"@FILE", FORM),
            (["--data-binary", "@FILE"], b"one\r\n two\0", FORM),
            (["--data-urlencode", "n=a b&c"], b"n=a+b%26c", FORM),
            (["--data-urlencode", "n@FILE"], b"n=one%0D%0A+two%00", FORM),
            (["--data-urlencode", "=a=b"], b"a%3Db", FORM),
            (["--json", '{"a":', "--json", "1}"], b'{"a":1}', "application/json"),
            (["-d", "@-"], b"fromstdin", FORM),
            (["--data-binary", "@-", "-H", "Content-Type: text/x"], b"from\nstdin", "text/x"),
            (["-T", "FILE"], b"one\r\n two\0", None),
            (["-d", ""], b"", FORM),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_content(
        self,
        scripted_server: ServerFactory,
        tmp_path: Path,
        options: list[str],
        content: bytes,
        media_type: str | None,
    ) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"one\r\n two\0")
        wanted = content.replace(b"FILE", str(file).encode())
        server = scripted_server(content_received(len(wanted)), send(HELLO))
        words = [word.replace("FILE", str(file)) for word in options]
        done = called("post", *words, url_of(server, "/x"), stdin=b"from\nstdin")
        assert (done.code, done.out, done.err) == (0, b"hello", "")
        (request,) = server.received
        head, _, sent = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /x HTTP/1.1\r\n")
        assert sent == wanted
        assert field_of(request, "Content-Type") == media_type
        assert field_of(request, "Content-Length") == str(len(wanted))
        if media_type == "application/json":
            assert field_of(request, "Accept") == "application/json"

    def test_query(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(b"GET /a?x&b=c&d=%C3%BC HTTP"), send(HELLO))
        done = called("get", "-G", "-d", "b=c", "--data-urlencode", "d=ü", url_of(server, "/a?x"))
        assert done.code == 0

    def test_directory_gets_the_name(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / "a b").write_bytes(b"xyz")
        server = scripted_server(content_received(3), send(HELLO))
        assert called("put", "-T", tmp_path / "a b", url_of(server, "/dir/")).code == 0
        assert server.received[0].startswith(b"PUT /dir/a%20b HTTP/1.1\r\n")

    def test_stdin_goes_in_chunks_as_it_comes(self, scripted_server: ServerFactory) -> None:
        read = threading.Event()
        server = scripted_server(
            expect_head(b"PUT / "),
            send(CONTINUE),
            expect(lambda data: b"first" in data),
            signal(read),
            expect(lambda data: data.endswith(b"6\r\nsecond\r\n0\r\n\r\n")),
            send(HELLO),
        )
        process = subprocess.Popen(
            [COMMAND, "put", "-T", "-", url_of(server)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert process.stdin is not None
        process.stdin.write(b"first")
        process.stdin.flush()
        assert read.wait(LIMIT)
        out, err = process.communicate(b"second", LIMIT)
        assert (process.returncode, out, err) == (0, b"hello", b"")
        assert field_of(server.received[0], "Transfer-Encoding") == "chunked"

    def test_chunks_on_demand(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), expect_chunks(b"abc"), send(HELLO))
        done = called("post", "-d", "abc", "-H", "Transfer-Encoding: chunked", url_of(server))
        assert (done.code, done.out) == (0, b"hello")

    def test_file_that_shrinks_is_no_request(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"a" * 100)
        server = scripted_server(
            expect_head(), Step("truncate", lambda _: os.truncate(path, 10)), send(CONTINUE), expect_size(10),
            expect_end(),
        )  # fmt: skip
        done = called("put", "-T", path, "--expect100-size", "1", "--expect100-timeout", "9",
                      url_of(server))  # fmt: skip
        assert done.code == 26
        assert "90 bytes shorter" in done.error

    def test_form(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / 'we"ird.txt').write_bytes(b"\0\r\n-")
        server = scripted_server(
            expect(lambda data: data.endswith(b"--\r\n") and b"filename" in data), send(HELLO)
        )
        done = called(
            *("post", "-F", "a=b;c", "-F", f'f=@{tmp_path}/we"ird.txt;type=text/x; charset=y'),
            *("--form-string", "s=@x;type=y", "-F", f't=<{tmp_path}/we"ird.txt'),
            url_of(server),
        )
        assert (done.code, done.err) == (0, "")
        _, _, content = server.received[0].partition(b"\r\n\r\n")
        assert field_of(server.received[0], "Content-Length") == str(len(content))
        content_type = field_of(server.received[0], "Content-Type")
        message = message_from_bytes(
            f"Content-Type: {content_type}\r\n\r\n".encode() + content, policy=policy.HTTP
        )
        parts = list(message.iter_parts())
        assert [part.get_param("name", header="Content-Disposition") for part in parts] == [
            "a", "f", "t", "s",
        ]  # fmt: skip
        assert [part.get_payload(decode=True) for part in parts] == [
            b"b;c", b"\0\r\n-", b"\0\r\n-", b"@x;type=y",
        ]  # fmt: skip
        assert parts[1].get_content_type() == "text/x"
        assert parts[1].get_filename() == "we%22ird.txt"


class TestContinue:
    def test_asked_and_answered(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(MUCH)
        server = scripted_server(
            expect_head(b"PUT /file "), send(CONTINUE), expect_size(len(MUCH)), send(HELLO)
        )
        done = httpio("put", "-T", tmp_path / "file", "--expect100-timeout", "9", url_of(server))
        assert (done.code, done.out, done.err) == (0, b"hello", "")
        assert field_of(server.received[0], "Expect") == "100-continue"

    def test_small_content_is_not_announced(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(content_received(3), send(HELLO))
        assert called("post", "-d", "abc", url_of(server)).code == 0
        assert field_of(server.received[0], "Expect") is None

    def test_time_is_up(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), expect(b"abc"), send(HELLO))
        done = called("post", "-v", "-d", "abc", "-H", "Expect: 100-continue",
                      "--expect100-timeout", "50ms", url_of(server))  # fmt: skip
        assert (done.code, done.out) == (0, b"hello")
        assert "no answer to Expect: 100-continue for 0.05 seconds" in done.err

    def test_server_that_does_not_know_it(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(), send(response(status="417 Expectation Failed")), accept(),
            content_received(3), send(HELLO),
        )  # fmt: skip
        done = called("post", "-d", "abc", "--expect100-size", "1", "--expect100-timeout", "9",
                      url_of(server))  # fmt: skip
        assert (done.code, done.out, done.err) == (0, b"hello", "")
        assert field_of(server.received[1], "Expect") is None

    def test_refusal_is_shown_and_nothing_is_sent(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(), send(response(b"too much", status="413 Content Too Large")), expect_end()
        )
        done = called("post", "-d", "abc", "--expect100-size", "1", "--expect100-timeout", "9",
                      url_of(server))  # fmt: skip
        assert (done.code, done.out, done.err) == (0, b"too much", "")
        assert server.received[0].endswith(b"\r\n\r\n")

    def test_stdin_cannot_be_sent_twice(self, scripted_server: ServerFactory) -> None:
        # 417 came before any of it was read, but redirects with content read it.
        redirect = response(b"", "Location: /other", status="307 Temporary Redirect")
        server = scripted_server(
            expect_head(), send(CONTINUE), expect_chunks(b"abc"), send(redirect)
        )
        done = httpio("put", "-L", "-T", "-", url_of(server), stdin=b"abc")
        # A file was given to the process as its stdin: the same.
        assert done.code == 55
        assert "stdin cannot be sent again" in done.error


class TestEarlyAnswers:
    def test_shown_in_the_middle_of_an_upload(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(MUCH * 8)
        server = scripted_server(
            expect_head(),
            expect_size(1000),
            send(response(b"enough", "Connection: close", status="413 Content Too Large")),
            drain(),
            receive_buffer=4096,
        )
        done = httpio("put", "-T", tmp_path / "file", "-H", "Expect:", "-w", "%{http_code}",
                      url_of(server))  # fmt: skip
        assert (done.code, done.out, done.err) == (0, b"enough413", "")

    def test_success_for_a_part_is_none(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(MUCH * 8)
        server = scripted_server(
            expect_head(),
            expect_size(1000),
            send(response(b"", "Connection: close")),
            drain(),
            receive_buffer=4096,
        )
        done = httpio("put", "-T", tmp_path / "file", "-H", "Expect:", url_of(server))
        assert done.code == 55
        assert "before all was sent" in done.error

    def test_reset_in_the_middle(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(MUCH * 8)
        server = scripted_server(expect_head(), expect_size(1000), reset(), receive_buffer=4096)
        done = httpio("put", "-T", tmp_path / "file", "-H", "Expect:", url_of(server))
        assert done.code in (55, 56)
        assert done.error

    def test_closed_after_all_was_sent(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(content_received(3), close())
        done = called("post", "-d", "abc", url_of(server))
        assert done.code == 52
