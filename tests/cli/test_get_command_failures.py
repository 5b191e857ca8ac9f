"""What goes wrong with ``httpio get``: each has its exit code, and one line that says why."""

from __future__ import annotations

import socket
import ssl
import subprocess
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import free_ports
from tests.support.scripted import (
    ScriptedServer,
    close,
    drain,
    expect_head,
    reset,
    send,
    send_endlessly,
    wait,
)

from .getting import (
    COMMAND,
    HELLO,
    answer,
    answer_once,
    called,
    environment,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory


@contextmanager
def refused(context: ssl.SSLContext) -> Iterator[int]:
    """Run a server whose handshake will fail; yield its port."""
    server = ScriptedServer(tls=context)
    try:
        yield server.port
    finally:
        server.close(complete=False)


CONTENT = bytes(range(256)) * 256
PART = (
    b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n' % len(CONTENT) + CONTENT[:30000]
)


class TestConnecting:
    def test_refused(self) -> None:
        (port,) = free_ports(1)
        done = httpio("get", f"http://127.0.0.1:{port}/")
        assert (done.code, done.out) == (7, b"")
        assert done.error.startswith(f"http://127.0.0.1:{port}/: no connection: Connection refused")
        assert "; see whether the server runs" in done.error

    def test_host_without_address(self) -> None:
        # The name service may be absent: it says so, and the code is the same.
        done = httpio("get", "http://name.invalid/")
        assert (done.code, done.out) == (6, b"")
        assert "'name.invalid'" in done.error

    def test_host_without_address_of_the_family(self) -> None:
        done = called("get", "-6", "--resolve", "a.invalid:80:127.0.0.1", "http://a.invalid/")
        assert (done.code, done.out) == (6, b"")
        assert "'a.invalid' has no address" in done.error

    def test_proxy_without_address(self) -> None:
        done = httpio("get", "-x", "proxy.invalid:3128", "http://name.invalid/")
        assert (done.code, done.out) == (5, b"")
        assert "the proxy's" in done.error
        assert "'proxy.invalid'" in done.error

    def test_no_connection_in_time(self) -> None:
        # A queue that is full: the kernel leaves further attempts unanswered.
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            with socket.socket() as first, socket.socket() as second:
                for sock in (first, second):
                    sock.setblocking(False)
                    sock.connect_ex(("127.0.0.1", port))
                done = httpio("get", "--connect-timeout", "200ms", f"http://127.0.0.1:{port}/")
        assert done.code == 28
        assert "no connection within 0.2 s" in done.error

    def test_proxy_refuses_the_tunnel(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            *answer_once(
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"CONNECT a.invalid:443"
            )
        )
        done = httpio("get", "-x", f"{server.host}:{server.port}", "https://a.invalid/")
        assert (done.code, done.out) == (97, b"")
        assert "403" in done.error

    def test_proxy_wants_credentials(self, scripted_server: ServerFactory) -> None:
        data = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
        server = scripted_server(*answer_once(data, b"CONNECT a.invalid:443"))
        env = environment(https_proxy=f"http://u:secret@{server.host}:{server.port}")
        done = called("get", "https://a.invalid/", env=env)
        assert done.code == 97
        assert done.error.endswith("give --proxy-user")
        assert "secret" not in done.error


class TestTLS:
    def test_certificate_of_an_unknown_authority(self, certificates: Certificates) -> None:
        with refused(certificates.server_context()) as port:
            done = httpio("get", f"https://127.0.0.1:{port}/")
        assert (done.code, done.out) == (60, b"")
        assert "the certificate is not trusted" in done.error
        assert "--cacert" in done.error

    def test_certificate_of_another_name(self, certificates: Certificates) -> None:
        with refused(certificates.server_context()) as port:
            done = called(
                *("get", "--cacert", certificates.authority_file),
                *("--resolve", f"other.invalid:{port}:127.0.0.1"),
                f"https://other.invalid:{port}/",
            )
        assert done.code == 60
        assert "other.invalid" in done.error

    def test_trusted_and_insecure(
        self, scripted_server: ServerFactory, certificates: Certificates
    ) -> None:
        for options in (["--cacert", str(certificates.authority_file)], ["-k"]):
            server = scripted_server(*answer(), tls=certificates.server_context())
            done = called("get", *options, f"https://127.0.0.1:{server.port}/")
            assert (done.code, done.out, done.err) == (0, b"hello", "")
        server = scripted_server(*answer(), tls=certificates.server_context())
        env = environment(SSL_CERT_FILE=str(certificates.authority_file))
        assert called("get", f"https://127.0.0.1:{server.port}/", env=env).code == 0

    def test_bad_file_of_authorities(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("nothing")
        missing, empty = str(tmp_path / "missing"), str(tmp_path / "empty")
        for options, variables in (
            (["--cacert", missing], {}),
            (["--cacert", empty], {}),
            (["--capath", missing], {}),
            ([], {"SSL_CERT_FILE": missing}),
            ([], {"SSL_CERT_FILE": empty}),
            ([], {"SSL_CERT_DIR": missing}),
        ):
            done = called("get", *options, "https://127.0.0.1:1/", env=environment(**variables))
            assert (done.code, done.out) == (77, b""), (options, variables)
            assert (options or list(variables.values()))[-1] in done.error

    def test_bad_client_certificate(self, tmp_path: Path) -> None:
        done = called("get", "--cert", tmp_path / "missing", "https://127.0.0.1:1/")
        assert done.code == 58

    def test_plain_http_on_the_port(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(send(HELLO), close())
        done = httpio("get", f"https://127.0.0.1:{server.port}/")
        assert (done.code, done.out) == (35, b"")
        assert "plain http" in done.error

    def test_no_common_version(self, certificates: Certificates) -> None:
        context = certificates.server_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with refused(context) as port:
            done = httpio("get", "-k", "--tls-max", "1.2", f"https://127.0.0.1:{port}/")
        assert done.code == 35


class TestURL:
    @pytest.mark.parametrize(
        "url",
        [
            "ftp://a/",
            "http://",
            "http://a:b/",
            "http://a:70000/",
            "http://a b/",
            "http:/a",
            "http://[::1/",
        ],
    )
    def test_bad(self, url: str) -> None:
        done = called("get", url)
        assert (done.code, done.out) == (3, b"")
        assert done.error.startswith("bad URL")

    def test_password_is_not_repeated(self) -> None:
        assert "secret" not in called("get", "http://u:secret@a:b/").error

    def test_nothing_is_sent_if_one_of_several_is_bad(self) -> None:
        assert called("get", "http://127.0.0.1:1/", "ftp://a/").code == 3


class TestAnswers:
    def test_status(self, scripted_server: ServerFactory) -> None:
        data = response(b"no such thing", status="404 Not Found")
        server = scripted_server(*answer(data))
        done = httpio("get", url_of(server))
        assert (done.code, done.out, done.err) == (0, b"no such thing", "")
        for option, shown in (("-f", b""), ("--fail-with-body", b"no such thing")):
            server = scripted_server(*answer(data))
            done = httpio("get", option, url_of(server))
            assert (done.code, done.out) == (22, shown)
            assert ": 404 Not Found" in done.error

    def test_empty(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), close())
        done = httpio("get", url_of(server))
        assert (done.code, done.out) == (52, b"")
        assert "without an answer" in done.error

    def test_reset(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), reset())
        assert httpio("get", url_of(server)).code == 56

    def test_half_a_head(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(HELLO[:20]), close())
        done = httpio("get", url_of(server))
        assert done.code == 52
        assert "closed the connection in the middle of a head" in done.error

    def test_reset_in_the_content(self, scripted_server: ServerFactory) -> None:
        # What the client has seen cannot be lost with the reset.
        seen = Event()
        server = scripted_server(expect_head(), send(HELLO[:-2]), wait(seen), reset())
        with subprocess.Popen(
            [COMMAND, "get", url_of(server)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(3) == b"hel"
            seen.set()
            error = process.stderr.read().decode()
        assert process.returncode == 56
        assert "the connection broke after 3 of 5 bytes of content" in error

    @pytest.mark.parametrize(
        "data",
        [
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
            b"SSH-2.0-server\r\n",
        ],
        ids=["status line", "lengths", "both", "chunk size", "chunk end", "huge", "other"],
    )
    def test_invalid(self, scripted_server: ServerFactory, data: bytes) -> None:
        server = scripted_server(expect_head(), send_endlessly(data, at_most=len(data)), drain())
        done = called("get", url_of(server))
        assert done.code == 8
        assert len(done.error) < 500

    def test_time_is_up(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), drain())
        done = httpio("get", "-m", "0.3", url_of(server))
        assert (done.code, done.out) == (28, b"")
        assert f"{url_of(server)}: not finished within 0.3 seconds" in done.error

    def test_no_limit(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        options = ["-m", "0", "--connect-timeout", "0"]
        assert called("get", *options, url_of(server)).out == b"hello"

    def test_time_is_up_in_the_middle(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(PART), drain())
        done = httpio("get", "-m", "1", url_of(server))
        assert (done.code, done.out) == (28, CONTENT[:30000])
        assert f": 30000 of {len(CONTENT)} bytes came" in done.error

    @pytest.mark.parametrize("with_length", [True, False])
    def test_too_large(
        self, scripted_server: ServerFactory, tmp_path: Path, with_length: bool
    ) -> None:
        size = f"Content-Length: {100_000}" if with_length else "Transfer-Encoding: chunked"
        body = (
            b"a" * 100_000 if with_length else b"%x\r\n%b\r\n0\r\n\r\n" % (100_000, b"a" * 100_000)
        )
        data = f"HTTP/1.1 200 OK\r\n{size}\r\n\r\n".encode() + body
        server = scripted_server(expect_head(), send_endlessly(data, at_most=len(data)), drain())
        done = called("get", "--max-filesize", "50k", "-o", tmp_path / "file", url_of(server))
        assert done.code == 63
        assert "larger than 51200 bytes" in done.error
        assert not (tmp_path / "file").exists()

    def test_range_is_ignored(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        done = httpio("get", "-r", "1-2", url_of(server))
        assert (done.code, done.out) == (33, b"")
        assert b"\r\nRange: bytes=1-2\r\n" in server.received[0]

    def test_another_range(self, scripted_server: ServerFactory) -> None:
        data = response(b"el", "Content-Range: bytes 2-3/5", status="206 Partial Content")
        server = scripted_server(*answer(data))
        assert called("get", "-r", "1-2", url_of(server)).code == 33

    def test_bad_coding(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(response(b"no gzip", "Content-Encoding: gzip")))
        done = called("get", "--compressed", url_of(server))
        assert (done.code, done.out) == (61, b"")
        assert "gzip" in done.error

    def test_binary_content_is_for_terminals_only_by_request(
        self, scripted_server: ServerFactory
    ) -> None:
        server = scripted_server(*answer(response(b"\0\1")))
        assert called("get", url_of(server)).out == b"\0\1"


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["get"],
            ["get", "-o", "a", "-O", "http://a/"],
            ["get", "-o", "a", "http://a/", "http://b/"],
            ["get", "-J", "http://a/"],
            ["get", "-C", "x", "http://a/"],
            ["get", "-C", "-", "http://a/"],
            ["get", "-C", "-", "--compressed", "-o", "f", "http://a/"],
            ["get", "-f", "--fail-with-body", "http://a/"],
            ["get", "-r", "a-b", "http://a/"],
            ["get", "-d", "x", "http://a/"],
            ["get", "-m", "soon", "http://a/"],
            ["get", "--max-filesize", "9" * 400, "http://a/"],
            ["get", "-4", "-6", "http://a/"],
            ["get", "-x", "socks5://a:1", "http://a/"],
            ["get", "--interface", "eth0", "http://a/"],
            ["get", "--resolve", "a:b", "http://a/"],
            ["get", "--key", "k", "https://a/"],
            ["get", "--tlsv1.3", "--tls-max", "1.2", "https://a/"],
            ["post", "http://a/"],
            ["put", "http://a/"],
            ["post", "-d", "x", "--json", "{}", "http://a/"],
            ["post", "-F", "x", "http://a/"],
            ["put", "-T", "-", "http://a/", "http://b/"],
            ["request", "-X", "CONNECT", "http://a/"],
        ],
        ids=" ".join,
    )
    def test_command_lines_that_make_no_sense(self, arguments: list[str]) -> None:
        done = called(*arguments)
        assert (done.code, done.out) == (2, b"")
        assert done.error

    @pytest.mark.parametrize(
        "options",
        [["-d", "@/nonexistent"], ["-T", "/nonexistent"], ["-T", "/"], ["-F", "a=@/nonexistent"]],
    )
    def test_files_that_cannot_be_read(self, options: list[str]) -> None:
        done = called("post", *options, "http://127.0.0.1:1/")
        assert (done.code, done.out) == (26, b"")
        assert "cannot read" in done.error
