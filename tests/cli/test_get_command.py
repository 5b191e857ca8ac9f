"""``httpio get`` and its kin as processes: what is sent, what is printed, and where it goes."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import accept, close, expect_head, send

from .getting import (
    COMMAND,
    answer,
    answer_once,
    called,
    environment,
    field_of,
    fields_of,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fix_scripted import ServerFactory


class TestRequest:
    def test_fields(self, scripted_server: ServerFactory) -> None:
        with_fields = scripted_server(*answer())
        assert httpio("get", url_of(with_fields, "/a?b")).code == 0
        (request,) = with_fields.received
        assert request.startswith(b"GET /a?b HTTP/1.1\r\n")
        assert [name for name, _ in fields_of(request)] == [
            "Host",
            "User-Agent",
            "Accept",
            "Accept-Encoding",
            "Content-Length",
        ]

    def test_given_fields(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        options = ["-H", "X-Empty;", "-H", "Accept:", "-H", "X-É: ü", "-A", "me", "-e", "there"]
        # A name beyond ASCII is none.
        assert called("get", *options, url_of(server)).code == 2
        options[5] = "X-E: ü"
        assert called("get", *options, url_of(server)).code == 0
        (request,) = server.received
        fields = dict(fields_of(request))
        assert fields["X-Empty"] == ""
        assert "Accept" not in fields
        assert fields["X-E"].encode("latin-1").decode() == "ü"
        assert (fields["User-Agent"], fields["Referer"]) == ("me", "there")

    def test_own_host(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        assert called("get", "-H", "Host: elsewhere", url_of(server)).code == 0
        assert [pair for pair in fields_of(server.received[0]) if pair[0] == "Host"] == [
            ("Host", "elsewhere")
        ]

    @pytest.mark.parametrize(
        "field",
        ["X: a\r\nEvil: b", "X: a\nEvil: b", "X\r\nEvil: b", "X Y: a", "X", ": a"],
    )
    def test_injection_is_refused(self, field: str) -> None:
        done = called("get", "-H", field, "http://127.0.0.1:1/")
        assert (done.code, done.out) == (2, b"")
        assert "'-H'" in done.error

    @pytest.mark.parametrize(
        "options",
        [
            ["-A", "a\r\nEvil: b"],
            ["-e", "a\nEvil: b"],
            ["--oauth2-bearer", "a\r\nEvil: b"],
        ],
    )
    def test_injection_by_other_options_is_refused(self, options: list[str]) -> None:
        assert called("get", *options, "http://127.0.0.1:1/").code == 2

    def test_injection_by_the_method_is_refused(self) -> None:
        done = called("request", "-X", "GET / HTTP/1.1\r\nEvil: b\r\n\r\nGET", "http://127.0.0.1:1")
        assert done.code == 2

    def test_injection_by_the_url_is_refused(self) -> None:
        assert called("get", "http://127.0.0.1:1/ HTTP/1.1\r\nEvil: b").code == 3

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (["-H", "Content-Length: 5"], "Content-Length"),
            (["-H", "Transfer-Encoding: chunked"], "transfer coding"),
            (["-H", "Host: a", "-H", "Host: b"], "Host"),
        ],
    )
    def test_framing_that_is_not_true(self, options: list[str], named: str) -> None:
        done = called("get", *options, "http://127.0.0.1:1/")
        assert done.code == 2
        assert named in done.error

    def test_credentials(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer(), *answer(), *answer())
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login net password rc\n")
        (tmp_path / ".netrc").chmod(0o600)
        env = environment(tmp_path)
        url = url_of(server)
        done = called("get", "-v", "-u", "us:er:pass", "-n", url, url, url, env=env)
        assert done.code == 0
        assert "Authorization: Basic [redacted]" in done.err
        assert "dXM6ZXI6cGFzcw==" not in done.err
        assert field_of(server.received[0], "Authorization") == "Basic dXM6ZXI6cGFzcw=="

    def test_netrc(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("machine 127.0.0.1 login net password rc\n")
        for options, env in (
            (["-n"], environment(NETRC=str(tmp_path / "file"))),
            (["--netrc-file", str(tmp_path / "file")], environment()),
        ):
            server = scripted_server(*answer())
            assert called("get", *options, url_of(server), env=env).code == 0
            assert field_of(server.received[0], "Authorization") == "Basic bmV0OnJj"

    def test_credentials_of_the_url(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        done = called("get", "-v", f"http://u%40s:p%3Aq@{server.host}:{server.port}/")
        assert done.code == 0
        assert field_of(server.received[0], "Authorization") == "Basic dUBzOnA6cQ=="
        assert "p%3Aq" not in done.err

    def test_configuration(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer())
        (tmp_path / "httpio").mkdir()
        (tmp_path / "httpio" / "config.toml").write_text(
            'user-agent = "all"\nheader = ["X-A: 1", "X-B: 2"]\n[get]\nreferer = "own"\n'
        )
        env = environment(XDG_CONFIG_HOME=str(tmp_path))
        assert httpio("get", url_of(server), env=env).code == 0
        fields = dict(fields_of(server.received[0]))
        assert fields["User-Agent"] == "all"
        assert (fields["X-A"], fields["X-B"], fields["Referer"]) == ("1", "2", "own")

    def test_stdin_is_left_alone(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        read, write = os.pipe()
        try:
            os.write(write, b"not for httpio")
            subprocess.run(
                [COMMAND, "get", url_of(server)], stdin=read, stdout=subprocess.DEVNULL, check=True,
                env=environment(),
            )  # fmt: skip
            assert os.read(read, 100) == b"not for httpio"
        finally:
            os.close(read)
            os.close(write)


class TestConnections:
    def test_one_for_several_urls(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(), *answer(response(b"again")))
        done = httpio("get", url_of(server, "/a"), url_of(server, "/b"), "-w", "%{num_connects}")
        assert (done.code, done.out, done.err) == (0, b"hello1again0", "")
        assert len(server.received) == 1

    @pytest.mark.parametrize(
        "first",
        [
            b"HTTP/1.0 200 OK\r\n\r\nhello",
            response(b"hello", "Connection: close"),
            response(b"hello"),
        ],
        ids=["HTTP/1.0", "announced", "idle"],
    )
    @pytest.mark.parametrize("command", ["get", "post"])
    def test_closed_after_the_first(
        self, scripted_server: ServerFactory, first: bytes, command: str
    ) -> None:
        server = scripted_server(expect_head(), send(first), close(), accept(), *answer())
        options = ["-d", ""] if command == "post" else []
        done = called(command, *options, url_of(server, "/a"), url_of(server, "/b"))
        assert (done.code, done.out, done.err) == (0, b"hellohello", "")
        assert [request.split()[1] for request in server.received] == [b"/a", b"/b"]

    def test_one_of_two_fails(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            *answer_once(response(status="404 Not Found")), accept(), *answer()
        )
        done = httpio("get", "-f", url_of(server, "/a"), url_of(server, "/b"))
        assert (done.code, done.out) == (110, b"hello")
        first, last = done.err.splitlines()
        assert "/a: 404 Not Found" in first
        assert last == "httpio: 1 of 2 transfers failed"

    def test_unix_socket(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(), unix=True)
        done = httpio("get", "--unix-socket", server.path, "http://a.invalid/")
        assert (done.code, done.out) == (0, b"hello")
        assert field_of(server.received[0], "Host") == "a.invalid"

    def test_resolve(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        resolve = f"a.invalid:{server.port}:127.0.0.1"
        done = called("get", "--resolve", resolve, f"http://A.invalid:{server.port}/")
        assert (done.code, done.out) == (0, b"hello")
        assert field_of(server.received[0], "Host") == f"a.invalid:{server.port}"

    def test_connect_to(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        place = f"a.invalid:80:127.0.0.1:{server.port}"
        done = called("get", "--connect-to", place, "a.invalid")
        assert (done.code, done.out) == (0, b"hello")


class TestWriteOut:
    def test_variables(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(response(b"hello", "Content-Type: text/x", "X: y")))
        names = [
            *("content_type", "http_code", "http_version", "method", "num_connects"),
            *("num_headers", "num_redirects", "remote_ip", "remote_port", "response_code"),
            *("scheme", "size_download", "size_header", "size_request", "size_upload"),
            *("url", "url_effective", "exitcode", "local_ip"),
        ]
        template = "\\n" + "\\n".join(f"{name}=%{{{name}}}" for name in names)
        done = httpio("get", url_of(server), "-w", template)
        found = dict(line.split("=", 1) for line in done.out.decode().splitlines()[1:])
        size = len(server.received[0])
        head = len(response(b"hello", "Content-Type: text/x", "X: y")) - 5
        assert found == {
            "content_type": "text/x",
            "http_code": "200",
            "http_version": "1.1",
            "method": "GET",
            "num_connects": "1",
            "num_headers": "3",
            "num_redirects": "0",
            "remote_ip": "127.0.0.1",
            "remote_port": str(server.port),
            "response_code": "200",
            "scheme": "http",
            "size_download": "5",
            "size_header": str(head),
            "size_request": str(size),
            "size_upload": "0",
            "url": url_of(server),
            "url_effective": url_of(server),
            "exitcode": "0",
            "local_ip": "127.0.0.1",
        }

    def test_times_are_in_order(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        done = httpio("get", "-s", url_of(server), "-o", "/dev/null", "-w", "%{json}")
        found = json.loads(done.out)
        order = ["connect", "pretransfer", "starttransfer", "total"]
        times = [found[f"time_{name}"] for name in order]
        assert times[0] > 0
        assert times == sorted(times)

    def test_streams_and_fields(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer(response(b"", "X-A: b", "Set-Cookie: s=x")))
        (tmp_path / "format").write_text("100%% %header{x-a} %{stderr}%{header_json}\\n")
        done = called("get", url_of(server), "-w", f"@{tmp_path / 'format'}")
        assert done.out == b"100% b "
        assert json.loads(done.err) == {
            "content-length": ["0"],
            "x-a": ["b"],
            "set-cookie": ["s=[redacted]"],
        }

    def test_from_stdin_for_each_url(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(), *answer())
        done = called("get", url_of(server), url_of(server), "-w", "@-", stdin=b"-%{http_code}-")
        assert done.out == b"hello-200-hello-200-"

    def test_unknown_variable(self) -> None:
        done = called("get", "http://127.0.0.1:1/", "-w", "%{no_such}")
        assert (done.code, done.out) == (2, b"")


class TestVerbose:
    def test_it_tells_and_redacts(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(response(b"x", "Set-Cookie: a=secret", "X: \x9b2J")))
        done = called(
            "get", "-v", "-H", "Cookie: b=secret", "-H", "X-Api-Key: secret", url_of(server)
        )
        assert (done.code, done.out) == (0, b"x")
        assert "secret" not in done.err
        assert "> GET / HTTP/1.1\n" in done.err
        assert "> Cookie: [redacted]\n" in done.err
        assert "< HTTP/1.1 200 OK\n" in done.err
        assert "\x9b" not in done.err

    def test_credentials_on_demand(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        done = called("get", "-v", "--show-credentials", "-H", "Cookie: b=secret", url_of(server))
        assert "> Cookie: b=secret\n" in done.err

    def test_silence(self) -> None:
        done = httpio("get", "-s", "http://127.0.0.1:1/")
        assert (done.code, done.out, done.err) == (7, b"", "")
        assert httpio("get", "-sS", "http://127.0.0.1:1/").error
