"""``httpio probe`` as a process: what it prints where, and its exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from ssl import CERT_OPTIONAL, PROTOCOL_TLS_SERVER, SSLContext, SSLSocket
from typing import TYPE_CHECKING

import pyte
import pytest
import trustme

from tests.cli.probing import HTTPIO, all_servers, checks_of, probe, probed, way_to
from tests.support.answering import Answer, AnsweringServer, Then, ok
from tests.support.certs import Certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.fix_servers import start_or_skip
from tests.support.scripted import accept, close, drain, expect, expect_end, expect_head, send
from tests.support.servers import Transport, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.answering import Asked
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import ScriptedServer, Step
    from tests.support.servers import ServerFarm

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def servers() -> Iterator[ServerFarm]:
    with all_servers() as farm:
        yield farm


@pytest.fixture(scope="module")
def nginx(servers: ServerFarm) -> Iterator[str]:
    """What URLs of nginx begin with."""
    manager = way_to(servers, "nginx")
    yield start_or_skip(manager.__enter__).origin
    manager.__exit__(None, None, None)


@pytest.fixture(scope="module")
def nginx_tls(servers: ServerFarm, nginx: str) -> str:
    port = servers.server("nginx").workspace.port(Variant.NORMAL, Transport.TLS)
    return f"https://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def certificates(servers: ServerFarm) -> Certificates:
    return servers.certificates


def url_of(server: ScriptedServer) -> str:
    return f"http://{server.host}:{server.port}/"


def one_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text[:-1]


class TestText:
    def test_waterfall_and_checks(self, nginx: str) -> None:
        done = probe(f"{nginx}/docs/0003", "--check", "keepalive,pipeline-order,early-response")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0] == f"{nginx}/docs/0003"
        phases = [line.split()[0] for line in lines if " ms" in line]
        assert phases == ["connect", "request", "first", "transfer", "total"]
        assert any("█" in line for line in lines)
        verdicts = [line.split()[:2] for line in lines[lines.index("  checks") + 1 :]]
        assert verdicts == [
            ["pass", "keepalive"],
            ["pass", "pipeline-order"],
            ["skipped", "early-response"],
        ]
        assert "[RFC 9112 §9.3, Persistence]" in done.stdout

    def test_no_colour_in_a_pipe(self, nginx: str) -> None:
        assert "\x1b" not in probe(f"{nginx}/docs/0003", "--check", "none").stdout

    def test_colour_on_a_terminal(self, nginx: str) -> None:
        assert b"\x1b[" in self._on_terminal(nginx, {})

    def test_no_color_is_heeded(self, nginx: str) -> None:
        assert b"\x1b[3" not in self._on_terminal(nginx, {"NO_COLOR": "1"})

    def test_what_is_waited_for_on_a_terminal(self, nginx: str) -> None:
        options = ("--check", "keepalive,idle-timeout", "--idle-limit", "1s")
        output = self._on_terminal(nginx, {}, *options)
        assert b"idle-timeout ..." in output
        screen = pyte.Screen(200, 40)
        pyte.ByteStream(screen).feed(output)
        lines = [line.rstrip() for line in screen.display if line.strip()]
        # Nothing of it is left, and nothing else was hurt.
        assert not any("..." in line for line in lines)
        assert [line.split()[1] for line in lines[lines.index("  checks") + 1 :]] == [
            "keepalive",
            "idle-timeout",
        ]
        assert screen.cursor.hidden is False

    def test_lines_fit_on_a_terminal(self, nginx: str) -> None:
        done = probe(f"{nginx}/docs/0003", "--check", "none")
        assert max(map(len, done.stdout.splitlines())) < 80

    @staticmethod
    def _on_terminal(nginx: str, environment: dict[str, str], *options: str) -> bytes:
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [HTTPIO, "probe", f"{nginx}/docs/0003", *(options or ("--check", "none"))],
            stdout=its,
            stderr=its,
            stdin=its,
            env={"PATH": "/usr/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        )
        os.close(its)
        output = b""
        try:
            while piece := os.read(ours, 65536):
                output += piece
        except OSError:  # Linux: the other end was closed
            pass
        os.close(ours)
        assert process.wait(30) == 0
        assert b"connect" in output
        return output

    def test_ascii_output(self, nginx: str) -> None:
        done = subprocess.run(
            [HTTPIO, "probe", f"{nginx}/docs/0003", "--check", "keepalive"],
            capture_output=True,
            check=False,
            env={"PATH": "/usr/bin", "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr
        assert b"#" in done.stdout
        done.stdout.decode("ascii")

    def test_several_rounds(self, nginx: str) -> None:
        done = probe(f"{nginx}/docs/0003", "-n", "3", "--interval", "0")
        assert done.returncode == 0
        last = done.stdout.splitlines()[-1]
        assert last.startswith("  3 probes, 0 failed; min ")
        assert "p95" in last
        assert "jitter" in last

    def test_interval_is_kept(self, nginx: str) -> None:
        target = probed(f"{nginx}/docs/0003", "-n", "3", "--interval", "200ms")
        begun = [datetime.fromisoformat(each[0]["time"]) for each in target["rounds"]]
        assert (begun[2] - begun[0]).total_seconds() >= 0.39

    def test_what_a_server_says_drives_no_terminal(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(),
            send(
                b"HTTP/1.1 200 \x9b31mred\r\nX: a\x1b\r\n".replace(b"\x1b", b"\x9d")
                + b"Content-Length: 0\r\n\r\n"
            ),
            drain(),
        )
        done = probe(url_of(server), "--check", "none", "-v")
        assert done.returncode == 0, done.stderr
        assert "red" in done.stdout
        assert not any(0x7F <= ord(char) < 0xA0 or ord(char) < 10 for char in done.stdout)

    def test_cookies_are_not_shown(self, scripted_server: ServerFactory) -> None:
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: s=secret\r\nContent-Length: 0\r\n\r\n"
        for options in (("-v",), ("--format", "json"), ("-v", "--show-credentials")):
            server = scripted_server(expect_head(), send(answer), drain())
            done = probe(url_of(server), "--check", "none", *options)
            assert ("secret" in done.stdout) is ("--show-credentials" in options)

    def test_credentials_in_a_location_are_not_shown(self, scripted_server: ServerFactory) -> None:
        answer = b"HTTP/1.1 302 Found\r\nLocation: http://me:secret@x/\r\nContent-Length: 0\r\n\r\n"
        for options in ((), ("-v",), ("--format", "json")):
            server = scripted_server(expect_head(), send(answer), drain())
            done = probe(url_of(server), "--check", "none", *options)
            assert "http://***@x/" in done.stdout
            assert "secret" not in done.stdout

    def test_list_of_checks(self) -> None:
        done = probe("--list-checks")
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 13
        assert "RFC 9112 §9.3.2" in done.stdout


class TestDocuments:
    def test_json(self, nginx: str) -> None:
        target = probed(f"{nginx}/docs/0003", "--check", "keepalive")
        (sample,) = target["rounds"][0]
        assert sample["response"]["status"] == 200
        assert sample["peer"]["family"] == "IPv4"
        assert [phase["name"] for phase in sample["phases"]] == [
            "connect", "request", "first byte", "transfer",
        ]  # fmt: skip
        assert sum(phase["duration"] for phase in sample["phases"]) <= sample["total"] + 1e-4
        assert target["summary"]["failures"] == 0
        assert checks_of(target)["keepalive"]["verdict"] == "pass"

    def test_name_is_looked_up(self, nginx: str) -> None:
        port = nginx.rpartition(":")[2]
        (sample,) = probed(f"http://localhost:{port}/docs/0003", "--check", "none", "-4")["rounds"][
            0
        ]
        assert sample["phases"][0]["name"] == "dns"

    def test_lines(self, nginx: str) -> None:
        done = probe("--format", "jsonl", f"{nginx}/docs/0003", "--check", "keepalive")
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert [record["record"] for record in records] == ["sample", "summary", "check"]
        assert {record["schema"] for record in records} == {"httpio/probe/1"}

    def test_several_urls(self, nginx: str) -> None:
        done = probe(
            "--format", "json", "--check", "none", f"{nginx}/docs/0003", "http://127.0.0.1:1/"
        )
        targets = json.loads(done.stdout)["targets"]
        assert [bool(target["rounds"][0][0]["error"]) for target in targets] == [False, True]
        # Of those that failed, all did so in the same way.
        assert done.returncode == 7
        assert one_line(done.stderr).startswith("httpio: http://127.0.0.1:1/: no connection: ")

    def test_several_failures(self) -> None:
        done = probe("--check", "none", "http://127.0.0.1:1/", "http://nosuch.invalid/")
        assert done.returncode == 110
        assert len(done.stderr.splitlines()) == 2

    def test_metrics(self, nginx: str) -> None:
        done = probe("--format", "prom", f"{nginx}/docs/0003")
        assert done.returncode == 0
        assert "\nprobe_success 1\n" in done.stdout
        assert "\nprobe_http_status_code 200\n" in done.stdout


class TestTLS:
    def test_chain_and_handshake(self, nginx_tls: str, certificates: Certificates) -> None:
        target = probed(
            f"{nginx_tls}/docs/0003",
            "--cacert",
            str(certificates.authority_file),
            "--check",
            "cert",
        )
        assert target["exit_code"] == 0
        (sample,) = target["rounds"][0]
        assert "tls" in [phase["name"] for phase in sample["phases"]]
        tls = sample["tls"]
        assert tls["verified"] is True
        assert tls["alpn"] == "http/1.1"
        assert "localhost" in tls["chain"][0]["names"]
        assert tls["chain"][0]["key"] == "EC secp256r1"
        assert checks_of(target)["cert"]["verdict"] == "pass"

    def test_certificate_is_shown_though_it_is_not_trusted(self, nginx_tls: str) -> None:
        target = probed(f"{nginx_tls}/docs/0003")
        assert target["exit_code"] == 60
        (sample,) = target["rounds"][0]
        assert sample["response"] is None
        assert sample["tls"]["verified"] is False
        assert "local issuer" in sample["tls"]["problem"]
        assert "localhost" in sample["tls"]["chain"][0]["names"]
        checks = checks_of(target)
        assert checks.pop("cert")["verdict"] == "fail"
        assert {check["verdict"] for check in checks.values()} == {"skipped"}
        assert "--cacert" in one_line(target["stderr"])

    def test_nothing_is_said_to_a_server_that_is_not_trusted(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        mine, theirs = tmp_path / "mine.pem", tmp_path / "authority.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(theirs))
        authority.issue_cert("me.example").private_key_and_cert_chain_pem.write_to_path(str(mine))
        context = certificates.server_context()
        # It asks who we are, and would believe it.
        context.verify_mode = CERT_OPTIONAL
        context.load_verify_locations(str(theirs))
        done, received, shown = self._probe_with(
            context, "-u", "someone:password", "--cert", str(mine), "--cacert", str(theirs)
        )
        assert done.returncode == 60
        assert "localhost" in done.stdout
        assert received == [b"", b""]
        assert shown == [False]

    def test_certificate_of_ours_is_shown_to_a_server_that_is_trusted(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        """Or the test above would prove nothing."""
        mine = tmp_path / "mine.pem"
        authority = trustme.CA()
        authority.issue_cert("me.example").private_key_and_cert_chain_pem.write_to_path(str(mine))
        context = certificates.server_context()
        context.verify_mode = CERT_OPTIONAL
        authority.configure_trust(context)
        done, _, shown = self._probe_with(
            context, "--cert", str(mine), "--cacert", str(certificates.authority_file)
        )
        assert done.returncode == 0, done.stderr
        assert shown == [True]

    def test_expired(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1", not_after=datetime(2001, 2, 3, tzinfo=UTC))
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = SSLContext(PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        done, _, _ = self._probe_with(context, "--cacert", str(tmp_path / "ca.pem"))
        assert done.returncode == 60
        assert "certificate has expired" in one_line(done.stderr)
        assert "to 2001-02-03, expired " in done.stdout

    def test_other_name(self, certificates: Certificates, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = SSLContext(PROTOCOL_TLS_SERVER)
        authority.issue_cert("*.example.com").configure_cert(context)
        done, _, _ = self._probe_with(context, "--cacert", str(tmp_path / "ca.pem"))
        assert done.returncode == 60
        assert "*.example.com" in done.stdout

    def test_whole_chain(self, tmp_path: Path) -> None:
        root = trustme.CA()
        root.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = SSLContext(PROTOCOL_TLS_SERVER)
        root.create_child_ca().issue_cert("127.0.0.1").configure_cert(context)
        done, _, _ = self._probe_with(
            context, "--cacert", str(tmp_path / "ca.pem"), "--format", "json"
        )
        (target,) = json.loads(done.stdout)["targets"]
        tls = target["rounds"][0][0]["tls"]
        assert tls["chain_complete"] is True
        assert len(tls["chain"]) >= 2
        assert tls["chain"][0]["issuer"] == tls["chain"][1]["subject"]

    @staticmethod
    def _probe_with(
        context: SSLContext, *options: str
    ) -> tuple[subprocess.CompletedProcess[str], list[bytes], list[bool]]:
        """Probe a server that has *context*.

        Returns what came of it, what the server received on each connection, and whether a
        certificate was shown to it, for each handshake that came to its end.
        """

        shown: list[bool] = []

        class NotingSocket(SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                super().do_handshake(block)
                shown.append(self.getpeercert(binary_form=True) is not None)

        context.sslsocket_class = NotingSocket

        class Prepared(Certificates):
            def server_context(self) -> SSLContext:
                return context

        nowhere = Path("/nonexistent")
        prepared = Prepared(nowhere, nowhere, nowhere, nowhere)
        with AnsweringServer(lambda asked: ok(b""), prepared, tcp=True) as server:
            with server.in_thread():
                url = f"https://127.0.0.1:{server.port}/secret"
                done = probe(url, *options, "--check", "none")
            return done, [bytes(end.received) for end in server.ends], shown

    def test_tunnel(self, servers: ServerFarm, nginx_tls: str, certificates: Certificates) -> None:
        manager = way_to(servers, "squid")
        way = start_or_skip(manager.__enter__)
        try:
            trust = ("--cacert", str(certificates.authority_file))
            target = probed(
                f"{nginx_tls}/docs/0003", *way.options, *trust, "--check", "close-midway,keepalive"
            )
        finally:
            manager.__exit__(None, None, None)
        (sample,) = target["rounds"][0]
        assert [phase["name"] for phase in sample["phases"]] == [
            "connect", "proxy", "tls", "request", "first byte", "transfer",
        ]  # fmt: skip
        assert {check["verdict"] for check in target["checks"]} == {"pass"}


class TestFailures:
    def test_refused(self) -> None:
        done = probe("http://127.0.0.1:1/")
        assert done.returncode == 7
        assert "refused" in one_line(done.stderr)
        assert "not finished" in done.stdout

    def test_unknown_host(self) -> None:
        done = probe("http://nosuch.invalid/")
        assert done.returncode == 6
        assert "nosuch.invalid" in one_line(done.stderr)

    def test_unknown_proxy(self) -> None:
        done = probe("http://127.0.0.1:1/", "--proxy", "http://nosuch.invalid:3128")
        assert done.returncode == 5
        assert "proxy" in one_line(done.stderr)

    def test_bad_url(self) -> None:
        done = probe("ftp://127.0.0.1/")
        assert (done.returncode, done.stdout) == (3, "")
        one_line(done.stderr)

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("http://127.0.0.1:1/", "--check", "nonsense"),
            ("http://127.0.0.1:1/", "--upload-url", "http://other.example/"),
            ("http://127.0.0.1:1/", "--expect-status", "20x"),
            ("http://127.0.0.1:1/", "--format", "xml"),
            ("http://127.0.0.1:1/", "-H", "Bad Name: x"),
        ],
    )
    def test_usage(self, arguments: tuple[str, ...]) -> None:
        done = probe(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        one_line(done.stderr)

    def test_truncated(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(OK[:-2]), close())
        done = probe(url_of(server), "--check", "none")
        assert done.returncode == 18
        assert "ended after 3 of 5 bytes of content" in one_line(done.stderr)

    def test_no_answer(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), close())
        assert probe(url_of(server)).returncode == 52

    def test_nonsense(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(b"SSH-2.0-x\r\n"), close())
        assert probe(url_of(server)).returncode == 8

    @pytest.mark.parametrize(
        "arguments",
        [
            ("-X", "A B"),
            ("-X", "CONNECT"),
            ("--warn", "5", "--crit", "1"),
            ("--cert-warn", "1", "--cert-crit", "5"),
        ],
    )
    def test_nonsense_is_not_tried(self, arguments: tuple[str, ...]) -> None:
        url = "http://127.0.0.1:1/"
        done = probe(*arguments, url)
        assert (done.returncode, done.stdout) == (2, "")
        assert arguments[0].lstrip("-") in one_line(done.stderr) or arguments[1] in done.stderr
        done = probe("--monitor", *arguments, url)
        assert (done.returncode, done.stderr) == (3, "")
        assert one_line(done.stdout).startswith("HTTP UNKNOWN - ")

    def test_metrics_of_the_same_url_twice(self) -> None:
        done = probe("--format", "prom", "http://127.0.0.1:1", "http://127.0.0.1:1/")
        assert (done.returncode, done.stdout) == (2, "")

    def test_time_is_up(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), expect_end())
        done = probe(url_of(server), "-m", "0.3")
        assert done.returncode == 28
        assert "not finished within 0.3 s" in one_line(done.stderr)

    def test_silent(self) -> None:
        assert probe("-s", "http://127.0.0.1:1/").stderr == ""
        assert probe("-sS", "http://127.0.0.1:1/").stderr != ""

    def test_failed_check(self) -> None:
        def answer(asked: Asked) -> Answer:
            return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Then.CLOSE)

        with AnsweringServer(answer, tcp=True) as server, server.in_thread():
            done = probe(f"http://127.0.0.1:{server.port}/", "--check", "keepalive")
        assert done.returncode == 113
        assert "failed checks: keepalive" in one_line(done.stderr)

    def test_missed_expectation(self, nginx: str) -> None:
        done = probe(f"{nginx}/docs/none", "--check", "none", "--expect-status", "200")
        assert done.returncode == 112
        assert "expected 200" in one_line(done.stderr)
        assert probe(f"{nginx}/docs/none", "--check", "none").returncode == 0

    @pytest.mark.parametrize("where", [">/dev/full", ">&-", "| head -n 1"])
    @pytest.mark.parametrize(
        ("options", "status"),
        [
            ("--check none -n 3 --interval 0", 23),
            ("--check none --format json", 23),
            ("--format prom", 23),
            ("--monitor", 3),
        ],
    )
    def test_stdout_that_takes_nothing(
        self, nginx: str, where: str, options: str, status: int
    ) -> None:
        # What goes through a pipe that head has closed may all have fitted into it before.
        statuses = {status} if where.startswith(">") else {0, status}
        script = (
            f"'{HTTPIO}' probe {options} '{nginx}/docs/0003' {where}; echo ${{PIPESTATUS[0]}} >&2"
        )
        done = subprocess.run(
            ["/bin/bash", "-c", script], capture_output=True, text=True, check=False
        )
        *errors, found = done.stderr.splitlines()
        assert int(found) in statuses
        assert len(errors) <= 1
        assert not any("Traceback" in error or "unexpected" in error for error in errors)

    def test_interrupt_leaves_a_summary(self, nginx: str) -> None:
        process = subprocess.Popen(
            [HTTPIO, "probe", f"{nginx}/docs/0003", "-n", "1000", "--interval", "20ms"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        while "   3  " not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert " probes, 0 failed; min " in output.splitlines()[-1]
        assert "Traceback" not in errors


class TestRequest:
    def test_content_waits_for_continue(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(b"POST / HTTP/1.1"), send(b"HTTP/1.1 100 Continue\r\n\r\n"), *_hello()
        )
        (sample,) = probed(url_of(server), "--check", "none", "-d", "data", "--expect100")[
            "rounds"
        ][0]
        assert [phase["name"] for phase in sample["phases"]] == [
            "connect", "request", "100-wait", "content", "first byte", "transfer",
        ]  # fmt: skip
        assert server.received[0].endswith(b"\r\n\r\ndata")

    def test_content_is_sent_when_no_continue_comes(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(b"PUT / HTTP/1.1"), *_hello())
        options = ("-X", "PUT", "-d", "data", "--expect100", "--expect100-timeout", "100ms")
        (sample,) = probed(url_of(server), "--check", "none", *options)["rounds"][0]
        waited = {phase["name"]: phase["duration"] for phase in sample["phases"]}["100-wait"]
        assert waited >= 0.09

    def test_redirect(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(b"GET / "),
            send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"),
            accept(),
            expect_head(b"GET /there "),
            send(OK),
            drain(),
        )
        target = probed(url_of(server), "--check", "none", "-L", "-u", "someone:password")
        assert [sample["response"]["status"] for sample in target["rounds"][0]] == [302, 200]
        assert b"Authorization" in server.received[1]

    def test_redirect_to_elsewhere_takes_no_credentials(
        self, scripted_server: ServerFactory
    ) -> None:
        other = scripted_server(expect_head(b"GET /there "), send(OK), drain())
        location = f"Location: {url_of(other)}there\r\n".encode()
        server = scripted_server(
            expect_head(b"GET / "),
            send(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n"),
            drain(),
        )
        credentials = ("-u", "someone:password", "-H", "Cookie: secret")
        target = probed(url_of(server), "--check", "none", "-L", *credentials)
        assert target["exit_code"] == 0
        assert b"Authorization" in server.received[0]
        assert b"Authorization" not in other.received[0]
        assert b"Cookie" not in other.received[0]

    def test_redirects_end(self, scripted_server: ServerFactory) -> None:
        steps = [
            step
            for _ in range(3)
            for step in (
                expect_head(),
                send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
                accept(),
            )
        ][:-1]
        server = scripted_server(*steps, drain())
        done = probe(url_of(server), "--check", "none", "-L", "--max-redirs", "2")
        assert done.returncode == 47

    def test_netrc_has_no_short_name_here(self, nginx: str) -> None:
        done = probe("--help")
        assert "-n, --count" in done.stdout
        assert "--netrc" in done.stdout
        assert "-n, --netrc" not in done.stdout


def _hello() -> tuple[Step, ...]:

    return (expect(b"data"), send(OK), drain())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("httpio probe --check ke", ["keepalive"]),
        ("httpio probe --check keepalive,pipeline-d", ["keepalive,pipeline-depth"]),
        ("httpio probe --check a", ["all"]),
        ("httpio probe --skip a", []),
    ],
)
def test_completion_of_checks(words: str, found: list[str]) -> None:
    variables = {
        "_HTTPIO_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [HTTPIO], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines() if line] == found
