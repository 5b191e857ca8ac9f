"""``httpio bench`` as a process: what it prints, where, and what its exit status says."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import click
import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._main import main
from tests.support.fix_servers import endpoint as endpoint
from tests.support.fix_servers import endpoints, start_or_skip
from tests.support.fix_servers import farm as farm
from tests.support.processes import free_ports
from tests.support.proxies import squid, tinyproxy
from tests.support.servers import Transport, Variant

from .benching import COMMAND, PATIENCE, Reply, TimedServer, bench, bench_document

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.documents import Document
    from tests.support.fix_servers import Endpoint
    from tests.support.proxies import Proxy

PLAIN = (Transport.PLAIN,)


def url_of(endpoint: Endpoint, path: str) -> str:
    scheme = "https" if endpoint.transport is Transport.TLS else "http"
    assert not isinstance(endpoint.address, str)
    return f"{scheme}://{endpoint.address[0]}:{endpoint.address[1]}{path}"


def document_of(endpoint: Endpoint) -> Document:
    """Return a document of a middling size."""
    return next(document for document in endpoint.documents if document.size == 1024)


def document_url(endpoint: Endpoint) -> str:
    return url_of(endpoint, f"/docs/{document_of(endpoint).name}")


@pytest.mark.exhaustive
class TestRealServers:
    @endpoints(servers=("nginx", "haproxy", "node"), transports=PLAIN)
    def test_all_that_is_asked_for_is_answered(self, endpoint: Endpoint) -> None:
        document = bench_document("-n", "200", "-c", "2", "-p", "8", document_url(endpoint))
        (result,) = document["depths"]
        size = document_of(endpoint).size
        assert result["statuses"] == {"200": 200}
        assert result["errors"] == 0
        assert result["content_bytes"] == 200 * size
        # Heads come on top, and what is sent is small.
        assert result["received_bytes"] > 200 * size
        assert 0 < result["sent_bytes"] < result["received_bytes"]
        assert result["latency"]["from_actual_send"]["count"] == 200

    @endpoints(servers=("nginx",), transports=(Transport.TLS,))
    def test_over_tls(self, endpoint: Endpoint) -> None:
        trust = str(endpoint.certificates.authority_file)
        document = bench_document("-n", "50", "-p", "4", "--cacert", trust, document_url(endpoint))
        assert document["depths"][0]["statuses"] == {"200": 50}

    @endpoints(servers=("nginx",), transports=(Transport.TLS,))
    def test_certificate_that_is_not_trusted(self, endpoint: Endpoint) -> None:
        done = bench("-n", "50", document_url(endpoint), environment={"SSL_CERT_FILE": ""})
        assert done.returncode == 60
        assert done.stdout == ""

    @endpoints(Variant.FEW, servers=("nginx",), transports=PLAIN)
    @pytest.mark.parametrize("rate", [(), ("-q", "500")], ids=["closed-loop", "open-loop"])
    def test_server_that_closes_after_few_requests(
        self, endpoint: Endpoint, rate: tuple[str, ...]
    ) -> None:
        document = bench_document("-n", "60", "-p", "2", *rate, document_url(endpoint))
        (result,) = document["depths"]
        assert result["answers"] + sum(result["failures"].values()) == 60
        assert result["answers"] >= 55
        assert result["reconnects"] >= 15
        assert any("opened again" in remark for remark in document["remarks"])

    @endpoints(servers=("nginx",), transports=PLAIN)
    def test_large_content_is_not_kept(self, endpoint: Endpoint) -> None:
        url = url_of(endpoint, f"/docs/{endpoint.large.name}")
        document = bench_document("-n", "3", "-p", "2", url)
        assert document["depths"][0]["content_bytes"] == 3 * endpoint.large.size

    @endpoints(servers=("nginx",), transports=PLAIN)
    def test_chunked_content(self, endpoint: Endpoint) -> None:
        url = url_of(endpoint, f"/chunked/{document_of(endpoint).name}")
        for more in ((), ("-q", "1000")):
            (result,) = bench_document("-n", "40", "-p", "4", *more, url)["depths"]
            assert result["content_bytes"] == 40 * document_of(endpoint).size

    @endpoints(servers=("nginx",), transports=PLAIN)
    @pytest.mark.parametrize("kind", ["tinyproxy", "squid"])
    def test_through_a_proxy(self, endpoint: Endpoint, tmp_path: Path, kind: str) -> None:
        def start() -> AbstractContextManager[Proxy]:
            proxy = (
                squid(tmp_path) if kind == "squid" else tinyproxy(tmp_path, with_credentials=False)
            )
            opened = proxy.__enter__()
            return _Opened(proxy, opened)

        with start_or_skip(start) as proxy:
            address = f"{proxy.address[0]}:{proxy.address[1]}"
            (result,) = bench_document("-n", "20", "-x", address, document_url(endpoint))["depths"]
        if kind == "squid":
            assert result["statuses"] == {"200": 20}
        else:
            # It closes after each answer and does not say so: a request may go over what is closed.
            assert result["answers"] + sum(result["failures"].values()) == 20
            assert {*result["failures"]} <= {
                "ConnectionClosed: the server closed it",
                "ConnectionClosed: the network connection broke",
            }
            assert result["statuses"]["200"] >= 10
            assert result["reconnects"] >= 10


class _Opened:
    """A proxy that is running."""

    def __init__(self, context: AbstractContextManager[Proxy], proxy: Proxy) -> None:
        self._context = context
        self._proxy = proxy

    def __enter__(self) -> Proxy:
        return self._proxy

    def __exit__(self, *exc_info: object) -> None:
        self._context.__exit__(None, None, None)


class TestText:
    def test_closed_loop(self) -> None:
        with TimedServer() as server:
            done = bench("-n", "50", "-c", "2", "-p", "1,4", server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^URL +http://127.0.0.1:\d+/timed$", done.stdout, re.MULTILINE)
        assert "Latency from the actual send time\n" in done.stdout
        assert "intended" not in done.stdout
        assert "requests/s" in done.stdout
        for column in ("p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "errors"):
            assert column in done.stdout
        assert done.stdout.count("<- knee") == 1
        assert "depth 4: 50 answers" in done.stdout
        assert "2xx 50" in done.stdout

    def test_open_loop_has_both_latencies(self) -> None:
        with TimedServer() as server:
            done = bench("-n", "20", "-q", "400", server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            "Latency from the intended send time (corrected for coordinated omission)"
            in done.stdout
        )
        assert "Latency from the actual send time (uncorrected)" in done.stdout
        assert "queue mean ms" in done.stdout

    def test_count_is_exact(self) -> None:
        with TimedServer() as server:
            bench_document("-n", "37", "-c", "3", "-p", "5", "--procs", "2", server.url)
            # The dry request, and the first of each connection, come on top.
            assert len(server.requests) == 1 + 3 + 37
            assert server.connections == 1 + 3

    def test_rate_is_kept(self) -> None:
        with TimedServer() as server:
            document = bench_document(
                "-q", "200", "-c", "3", "-z", "1s", "--procs", "2", server.url
            )
        (result,) = document["depths"]
        assert result["answers"] == 200
        assert result["elapsed_s"] == pytest.approx(1, abs=0.2)

    def test_warm_up_is_not_counted(self) -> None:
        # As long as it warms up, it is slow.
        with TimedServer(lambda _number, now: Reply(delay=0.1 if now < 0.5 else 0)) as server:
            for more in ((), ("-q", "100")):
                (result,) = bench_document("-w", "0.8s", "-n", "30", *more, server.url)["depths"]
                for latency in result["latency"].values():
                    assert latency["count"] == 30
                    assert latency["max_ms"] < 100
                server._first = None
            assert len(server.requests) > 64


@pytest.mark.exhaustive
class TestRequests:
    def test_method_fields_and_content(self, tmp_path: Path) -> None:
        (tmp_path / "content").write_bytes(b"12345")
        with TimedServer() as server:
            bench_document("-n", "3", "-H", "X-One: 1", "-d", "abc", server.url)
            bench_document("-n", "3", "-m", "PUT", "-D", str(tmp_path / "content"), server.url)
            heads = [head.decode() for head in server.requests]
        # The server does not read content: that is the beginning of what it takes for the next head.
        assert heads[0].startswith("POST /timed HTTP/1.1\r\n")
        assert "X-One: 1" in heads[0]
        assert "Content-Length: 3" in heads[0]
        assert "application/x-www-form-urlencoded" in heads[0]
        assert any("PUT /timed HTTP/1.1" in head and "Content-Length: 5" in head for head in heads)

    def test_urls_take_turns(self) -> None:
        with TimedServer() as server:
            origin = f"http://127.0.0.1:{server.port}"
            lines = f"# a comment\n{origin}/one\n\n{origin}/two\n"
            done = bench("--urls-from-file", "-", "-n", "20", stdin=lines)
            paths = [head.split()[1] for head in server.requests]
        assert done.returncode == 0
        # The dry request and the one that opens the connection are both for the first.
        assert paths.count(b"/one") == paths.count(b"/two") + 2

    def test_several_servers_have_a_connection_each(self) -> None:
        with TimedServer() as one, TimedServer() as two:
            lines = f"{one.url}\n{two.url}\n"
            refused = bench("--urls-from-file", "-", "-n", "20", stdin=lines)
            done = bench("--urls-from-file", "-", "-n", "20", "-c", "2", stdin=lines)
            assert done.returncode == 0
            assert len(one.requests) > 1
            assert len(two.requests) > 1
        assert refused.returncode == 2
        assert "give -c 2" in refused.stderr

    def test_credentials_are_sent_and_not_shown(self, tmp_path: Path) -> None:
        report = tmp_path / "report.html"
        with TimedServer() as server:
            url = f"http://someone:secret@127.0.0.1:{server.port}/"
            for form in ("text", "json", "csv"):
                done = bench("-n", "3", "--output-format", form, "--report", str(report), url)
                assert done.returncode == 0
                assert "secret" not in done.stdout + done.stderr + report.read_text()
                assert "c29tZW9uZTpzZWNyZXQ=" not in done.stdout + done.stderr + report.read_text()
            assert b"Basic c29tZW9uZTpzZWNyZXQ=" in server.requests[-1]

    def test_credentials_do_not_go_to_a_second_server(self) -> None:
        lines = "http://someone:secret@127.0.0.1:1/\nhttp://127.0.0.1:2/\n"
        done = bench("--urls-from-file", "-", "-c", "2", stdin=lines)
        assert done.returncode == 2
        assert "credentials" in done.stderr
        assert "secret" not in done.stderr


@pytest.mark.exhaustive
class TestFailures:
    """What goes wrong ends in one line and in its code; before any load, if it can be known before."""

    def fails(self, *arguments: str, code: int, stdin: str = "") -> str:
        done = bench(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith("httpio: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    def test_refused(self) -> None:
        (port,) = free_ports(1)
        assert "refused" in self.fails(f"http://127.0.0.1:{port}/", code=7)

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///", "http://127.0.0.1:99999/"])
    def test_bad_url(self, url: str) -> None:
        self.fails(url, code=3)

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("http://127.0.0.1/", "--urls-from-file", "x"),
            ("-p", "0", "http://127.0.0.1/"),
            ("-p", "1,1", "http://127.0.0.1/"),
            ("-p", "a", "http://127.0.0.1/"),
            ("-n", "0", "http://127.0.0.1/"),
            ("-z", "0", "http://127.0.0.1/"),
            ("-q", "0", "http://127.0.0.1/"),
            ("-q", "nan", "http://127.0.0.1/"),
            ("-q", "inf", "http://127.0.0.1/"),
            ("-d", "a", "-D", "b", "http://127.0.0.1/"),
            ("-H", "a b: c", "http://127.0.0.1/"),
            ("-H", "a: c\nd: e", "http://127.0.0.1/"),
            ("--fail-if", "p99>50", "http://127.0.0.1/"),
            ("--fail-if", "nonsense", "http://127.0.0.1/"),
            ("--output-format", "hgrm", "-p", "1,2", "http://127.0.0.1/"),
            ("--urls-from-file", "/dev/null"),
        ],
    )
    def test_usage(self, arguments: tuple[str, ...]) -> None:
        # In this process: there are many, and none gets as far as a connection.
        with pytest.raises((click.UsageError, CommandError)) as raised:
            main.main(["--no-config", "bench", *arguments], standalone_mode=False)
        if isinstance(raised.value, CommandError):
            assert raised.value.code is ExitCode.USAGE

    def test_usage_as_a_process(self) -> None:
        assert "--help" in self.fails("-p", "0", "http://127.0.0.1/", code=2)
        self.fails("-d", "a", "-D", "b", "http://127.0.0.1/", code=2)

    def test_bad_method(self) -> None:
        with TimedServer() as server:
            self.fails("-m", "GE T", server.url, code=2)
            self.fails("-m", "CONNECT", server.url, code=2)

    def test_file_that_is_not_there(self) -> None:
        self.fails("--urls-from-file", "/nonexistent", code=26)
        self.fails("-D", "/nonexistent", "http://127.0.0.1/", code=26)

    def test_output_that_cannot_be_written_is_found_before_the_load(self) -> None:
        with TimedServer() as server:
            self.fails("-o", "/nonexistent/file", server.url, code=23)
            self.fails("--report", "/nonexistent/file", server.url, code=23)
            assert server.requests == []

    def test_status_that_says_it_is_wrong(self) -> None:
        with TimedServer(lambda _number, _time: Reply(status=404)) as server:
            error = self.fails("-n", "10", server.url, code=22)
            assert "404" in error
            assert "--any-status" in error
            assert len(server.requests) == 1
            done = bench("-n", "10", "--any-status", server.url)
        assert done.returncode == 0
        assert "10 × status 404" in done.stdout

    def test_no_answer_to_the_dry_request(self) -> None:
        with TimedServer(lambda _number, _time: Reply(breaks=True)) as server:
            self.fails("-n", "10", server.url, code=52)

    def test_dry_request_that_takes_too_long(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=30)) as server:
            self.fails("-n", "10", "--max-time", "0.3s", server.url, code=28)

    def test_redirect_is_told_of_and_measured(self) -> None:
        with TimedServer(lambda _number, _time: Reply(status=302)) as server:
            done = bench("-n", "5", server.url)
        assert done.returncode == 0
        assert "answers 302" in done.stderr
        assert "3xx 5" in done.stdout

    @pytest.mark.parametrize("rate", [(), ("-q", "200")], ids=["closed-loop", "open-loop"])
    def test_total_failure_under_load(self, rate: tuple[str, ...]) -> None:
        with TimedServer(lambda number, _time: Reply(breaks=number > 0)) as server:
            done = bench("-n", "10", "-z", "1s", *rate, server.url)
        assert done.returncode == 56
        assert "no request was answered" in done.stderr
        assert "0 answers" in done.stdout

    def test_refused_under_load(self) -> None:
        server = TimedServer(lambda _number, _time: Reply(announces_close=True))
        with server:
            # After the dry request nobody listens any more.
            server_socket = server._server
            reply = server._reply

            def close_and_reply(number: int, now: float) -> Reply:
                server_socket.close()
                return reply(number, now)

            server._reply = close_and_reply
            done = bench("-n", "10", "-z", "1s", server.url)
        assert done.returncode == 7
        assert "refused" in done.stderr

    def test_every_answer_an_error_under_load(self) -> None:
        with TimedServer(lambda number, _time: Reply(status=503 if number else 200)) as server:
            done = bench("-n", "10", server.url)
        assert done.returncode == 22
        assert "503" in done.stderr

    @pytest.mark.parametrize("depth", ["1", "4"])
    @pytest.mark.parametrize("rate", [(), ("-q", "400")], ids=["closed-loop", "open-loop"])
    def test_partial_errors_are_counted_by_kind(self, depth: str, rate: tuple[str, ...]) -> None:
        def reply(number: int, _time: float) -> Reply:
            return Reply(breaks=number % 20 == 19, status=500 if number % 10 == 5 else 200)

        with TimedServer(reply) as server:
            document = bench_document("-n", "200", "-p", depth, *rate, server.url)
        (result,) = document["depths"]
        assert result["answers"] + sum(result["failures"].values()) == 200
        assert list(result["failures"]) == [
            "ConnectionClosed: the network connection broke"
        ] or all(kind.startswith("ConnectionClosed: the ") for kind in result["failures"])
        assert result["statuses"]["500"] >= 5
        assert result["status_classes"]["5xx"] == result["statuses"]["500"]
        assert result["errors"] == result["statuses"]["500"] + sum(result["failures"].values())
        assert result["error_rate"] == pytest.approx(result["errors"] / 200)
        assert result["reconnects"] >= 5

    @pytest.mark.parametrize("rate", [(), ("-q", "50")], ids=["closed-loop", "open-loop"])
    def test_answers_that_take_too_long(self, rate: tuple[str, ...]) -> None:
        with TimedServer(lambda number, _time: Reply(delay=60 if number == 5 else 0)) as server:
            (result,) = bench_document("-n", "30", "--max-time", "0.4s", *rate, server.url)[
                "depths"
            ]
        assert result["failures"] == {"no answer within 0.4 s": 1}
        assert result["answers"] == 29

    @pytest.mark.parametrize("rate", [(), ("-q", "50")], ids=["closed-loop", "open-loop"])
    def test_server_that_says_nothing_more_when_time_is_up(self, rate: tuple[str, ...]) -> None:
        with TimedServer(lambda number, _time: Reply(delay=60 if number == 10 else 0)) as server:
            (result,) = bench_document("-z", "0.5s", *rate, server.url)["depths"]
        unanswered = result["failures"]["not answered when time was up"]
        # All that were due, or the one that was sent.
        assert unanswered + result["answers"] == (25 if rate else result["answers"] + 1)

    @pytest.mark.parametrize("rate", [(), ("-q", "300")], ids=["closed-loop", "open-loop"])
    def test_announced_close_loses_nothing(self, rate: tuple[str, ...]) -> None:
        with TimedServer(lambda number, _time: Reply(announces_close=number % 7 == 6)) as server:
            (result,) = bench_document("-n", "100", *rate, server.url)["depths"]
        assert result["answers"] == 100
        assert result["errors"] == 0
        assert result["reconnects"] >= 13


class TestThresholds:
    def test_beyond(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.02)) as server:
            done = bench("-n", "20", "--fail-if", "p50>10ms", "--fail-if", "rps<10", server.url)
        assert done.returncode == 112
        assert re.search(
            r"^httpio: p50>10ms holds at depth 1: p50 \d+\.\d+ ms$", done.stderr.strip()
        )
        # What was measured is printed all the same.
        assert "20 answers" in done.stdout

    def test_within(self) -> None:
        with TimedServer() as server:
            done = bench(
                *("-n", "20", "--fail-if", "p99.9>5s", "--fail-if", "error_rate>1%"),
                *("--fail-if", "errors>0", "--fail-if", "mean>=5s", "--fail-if", "max>5s"),
                server.url,
            )
        assert (done.returncode, done.stderr) == (0, "")

    def test_in_the_document(self) -> None:
        with TimedServer() as server:
            document = bench_document(
                "-n", "20", "-p", "1,2", "--fail-if", "errors>=0", server.url, code=112
            )
        assert document["thresholds"] == [{"condition": "errors>=0", "beyond_at_depths": [1, 2]}]


@pytest.mark.exhaustive
class TestForms:
    def test_csv(self) -> None:
        with TimedServer() as server:
            done = bench("-n", "20", "-q", "500", "-p", "1,2", "--output-format", "csv", server.url)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        assert [(row["depth"], row["latency_counted_from"]) for row in rows] == [
            ("1", "intended_send"),
            ("1", "actual_send"),
            ("2", "intended_send"),
            ("2", "actual_send"),
        ]
        for row in rows:
            assert float(row["p50_ms"]) <= float(row["p99_ms"]) <= float(row["max_ms"])
            assert row["answers"] == "20"

    def test_hgrm(self, tmp_path: Path) -> None:
        with TimedServer() as server:
            done = bench("-n", "20", "--output-format", "hgrm", server.url)
            many = bench(
                *("-n", "20", "-q", "500", "-p", "1,2", "--output-format", "hgrm"),
                *("-o", str(tmp_path / "out.hgrm"), server.url),
            )
        assert done.returncode == many.returncode == 0
        assert "#[Mean" in done.stdout
        assert many.stdout == ""
        assert {path.name for path in tmp_path.iterdir()} == {
            "out-p1.hgrm",
            "out-p1-uncorrected.hgrm",
            "out-p2.hgrm",
            "out-p2-uncorrected.hgrm",
        }

    def test_output_goes_to_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        with TimedServer() as server:
            done = bench("-n", "5", "--output-format", "json", "-o", str(path), server.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert json.loads(path.read_text())["schema"] == "httpio/bench/1"

    def test_no_stdout_at_all(self) -> None:
        with TimedServer() as server:
            done = subprocess.run(
                f"exec {COMMAND} bench -n 5 {server.url} >&-",
                shell=True,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        assert (done.returncode, "stdout is closed" in done.stderr) == (23, True)
        assert not server.requests

    def test_no_stdin_at_all(self) -> None:
        done = subprocess.run(
            f"exec {COMMAND} bench -n 5 --urls-from-file - <&-",
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert (done.returncode, "stdin is closed" in done.stderr) == (26, True)

    def test_closed_stdout(self) -> None:
        with TimedServer() as server:
            process = subprocess.Popen(
                [COMMAND, "bench", "-n", "5", server.url],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            with process.stderr as stderr:
                said = stderr.read()
            assert process.wait(PATIENCE) == 23
        assert said.startswith(b"httpio: ")
        assert said.count(b"\n") == 1

    def test_silence(self) -> None:
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}/"
        assert (bench("-s", url).returncode, bench("-s", url).stderr) == (7, "")
        assert bench("-s", "-S", url).stderr.startswith("httpio: ")

    def test_verbose_tells_what_is_done(self) -> None:
        with TimedServer() as server:
            done = bench("-v", "-n", "5", server.url)
        assert "one request first, answered with 200 and 5 bytes" in done.stderr
        assert "depth 1: 5 answers and 0 failures" in done.stderr


@pytest.mark.exhaustive
class TestInterrupts:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
    )
    def test_what_was_measured_is_printed(self, number: signal.Signals, code: int) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.01)) as server:
            process = subprocess.Popen(
                [COMMAND, "bench", "-z", "60s", "-p", "1,2", "--procs", "2", "-c", "2", server.url],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            wait_until_loaded(server, 20)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == code
        assert stderr == ""
        assert "interrupted" in stdout
        assert re.search(r"depth 1: \d+ answers", stdout)
        # What was under way is no error, and the second depth was not begun.
        assert re.search(r"^ +1 .* 0$", stdout, re.MULTILINE)
        assert "depth 2:" not in stdout

    def test_while_nothing_is_answered(self) -> None:
        with TimedServer(lambda number, _time: Reply(delay=60 if number else 0)) as server:
            process = subprocess.Popen(
                [COMMAND, "bench", server.url],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            wait_until_loaded(server, 2)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert stderr == ""
        assert "0 answers" in stdout

    def test_workers_end_with_their_parent(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.01)) as server:
            process = subprocess.Popen(
                [COMMAND, "bench", "-z", "60s", server.url],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until_loaded(server, 20)
            process.kill()
            process.wait(PATIENCE)
            deadline = time.monotonic() + PATIENCE
            while True:
                before = len(server.requests)
                time.sleep(0.2)
                if len(server.requests) == before:
                    break
                assert time.monotonic() < deadline

    def test_worker_that_is_killed(self) -> None:
        with TimedServer(lambda _number, _time: Reply(delay=0.01)) as server:
            process = subprocess.Popen(
                [COMMAND, "bench", "-z", "60s", server.url],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            wait_until_loaded(server, 20)
            for worker in children(process.pid):
                os.kill(worker, signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 56
        assert stdout == ""
        assert "worker" in stderr
        assert stderr.count("\n") == 1


def wait_until_loaded(server: TimedServer, count: int) -> None:
    """Return when the server has got *count* requests."""
    deadline = time.monotonic() + PATIENCE
    while len(server.requests) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Return the processes that *pid* has started."""
    path = f"/proc/{pid}/task/{pid}/children"
    if not os.path.exists(path):
        pytest.skip("the system does not tell who has started whom")
    with open(path, encoding="ascii") as file:
        return [int(word) for word in file.read().split()]
