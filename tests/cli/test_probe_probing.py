"""Samples, summaries, and what failures are called."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection
from httpio_cli._exit_codes import ExitCode
from httpio_cli._probe.certificate import Recorder
from httpio_cli._probe.exchange import Client, merged, runs, watch_idle
from httpio_cli._probe.model import Target, TLSAccess
from httpio_cli._probe.probing import Request, Summary, follow, summarise, take_sample
from httpio_cli._urls import parse_url
from tests.support.certs import make_certificates
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.scripted import (
    Step,
    accept,
    close,
    drain,
    expect,
    expect_head,
    reset,
    send,
    send_endlessly,
    start_tls,
    wait,
)

if TYPE_CHECKING:
    from pathlib import Path

    from httpio import Tracer
    from httpio_cli._probe.certificate import TLSFacts
    from httpio_cli._probe.model import Sample
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import ScriptedServer


def target_of(server: ScriptedServer, path: str = "/") -> Target:
    def connect(tracer: Tracer | None, seconds: float | None) -> HTTPConnection:
        return HTTPConnection(server.host, server.port, tracer=tracer, timeout=seconds)

    return Target(f"http://{server.host}:{server.port}{path}", path, connect)


def test_summary() -> None:
    times = [0.1 * number for number in range(1, 21)]
    found = summarise(times, 2)
    assert (found.count, found.failures) == (22, 2)
    assert found.minimum == pytest.approx(0.1)
    assert found.median == pytest.approx(1.05)
    assert found.p95 == pytest.approx(1.9)
    assert found.maximum == pytest.approx(2.0)
    assert found.jitter == pytest.approx(0.1)


def test_summary_of_nothing() -> None:
    assert summarise([], 3) == Summary(3, 3, None, None, None, None, None)
    assert summarise([1.0], 0) == Summary(1, 0, 1.0, 1.0, 1.0, 1.0, None)


@pytest.mark.parametrize(
    ("words", "joined"),
    [([], ""), (["a"], "a"), (["a", "a", "b", "a"], "a ×2, b, a")],
)
def test_runs(words: list[str], joined: str) -> None:
    assert runs(words) == joined


def test_fields_are_replaced() -> None:
    fields = (("Accept", "*/*"), ("X", "1"), ("X", "2"))
    assert merged(fields, (("accept", "a"),)) == [("X", "1"), ("X", "2"), ("accept", "a")]


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "ending", "code"),
    [
        (b"", close, ExitCode.EMPTY_RESPONSE),
        (b"", reset, ExitCode.RECEIVE_FAILED),
        (LENGTH + b"he", close, ExitCode.PARTIAL),
        (LENGTH + b"he", reset, ExitCode.RECEIVE_FAILED),
        (b"HTTP/1.1 200 O", close, ExitCode.EMPTY_RESPONSE),
        (b"HTTP/1.1 200 O", reset, ExitCode.RECEIVE_FAILED),
        (b"nonsense\r\n\r\n", close, ExitCode.BAD_RESPONSE),
    ],
)
def test_failures(
    scripted_server: ServerFactory, answer: bytes, ending: object, code: ExitCode
) -> None:
    assert callable(ending)
    server = scripted_server(expect_head(), *([send(answer)] if answer else []), ending())
    sample = take_sample(target_of(server), Request())
    assert sample.error is not None
    assert sample.error.code is code
    assert sample.phases[-1].finished is False
    assert "\n" not in str(sample.error)
    # That is for programmers.
    assert "reset()" not in str(sample.error)


def test_what_is_quoted_has_no_credentials(scripted_server: ServerFactory) -> None:
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=opensesame\0\r\nContent-Length: 0\r\n\r\n"
    server = scripted_server(expect_head(), send(head), drain())
    sample = take_sample(target_of(server), Request())
    assert sample.error is not None
    assert sample.error.code is ExitCode.BAD_RESPONSE
    assert "Set-Cookie" in sample.error.what
    assert "opensesame" not in str(sample.error)


def test_endless_content(scripted_server: ServerFactory) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + bytes(65536) + b"\r\n"
    server = scripted_server(expect_head(), send(head), send_endlessly(piece, at_most=1 << 40))
    sample = take_sample(target_of(server), Request(max_time=0.3, keep=10))
    assert sample.error is not None
    assert sample.error.code is ExitCode.TIMED_OUT
    assert sample.response is not None
    assert sample.response.content == bytes(10)
    assert sample.phases[-1].name == "transfer"


def test_content_to_the_end(scripted_server: ServerFactory) -> None:
    server = scripted_server(
        expect_head(), send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"), close()
    )
    sample = take_sample(target_of(server), Request(keep=100))
    assert sample.error is None
    assert sample.response is not None
    assert sample.response.content == b"all"
    assert sample.peer is not None
    assert sample.peer.family == "IPv4"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_method_after_a_redirect(
    scripted_server: ServerFactory, status: int, method: str, then: str
) -> None:
    location = f"HTTP/1.1 {status} Go\r\nLocation: there?x\r\nContent-Length: 0\r\n\r\n".encode()
    server = scripted_server(
        expect_head(f"{method} / ".encode()),
        send(location),
        accept(),
        expect_head(f"{then} /there?x ".encode()),
        send(b"HTTP/1.1 204 No Content\r\n\r\n"),
        drain(),
    )
    content = b"" if method in ("POST", "PUT") else None
    url = parse_url(f"http://{server.host}:{server.port}/")
    samples = follow(
        lambda hop: target_of(server, hop.target), url, Request(method, content=content), 5
    )
    assert [sample.response and sample.response.status for sample in samples] == [status, 204]


def test_no_way_from_https_to_http(scripted_server: ServerFactory) -> None:
    server = scripted_server(
        expect_head(),
        send(b"HTTP/1.1 301 Go\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n"),
        drain(),
    )
    # What it is called is all that counts here.
    url = parse_url(f"https://{server.host}:{server.port}/")
    (sample,) = follow(lambda hop: target_of(server), url, Request(), 5)
    assert sample.error is not None
    assert "which is not encrypted" in sample.error.what
    assert "--allow" not in sample.error.hint
    assert sample.error.code is ExitCode.TOO_MANY_REDIRECTS


def test_location_that_is_none(scripted_server: ServerFactory) -> None:
    server = scripted_server(
        expect_head(),
        send(b"HTTP/1.1 301 Go\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n"),
        drain(),
    )
    url = parse_url(f"http://{server.host}:{server.port}/")
    (sample,) = follow(lambda hop: target_of(server), url, Request(), 5)
    assert sample.error is not None
    assert sample.error.code is ExitCode.BAD_URL


def pause() -> Step:
    return Step("pause()", lambda _: time.sleep(PAUSE))


PAUSE = 0.15


class TestWhereTheTimeGoes:
    """Whoever lets us wait is found: no other phase gets that time."""

    def check(self, sample: Sample, *slow: str) -> None:
        assert sample.error is None, sample.error
        durations = {phase.name: phase.duration for phase in sample.phases}
        for name in slow:
            # Sleeping may begin a little before what is waited for.
            assert durations.pop(name) >= PAUSE * 0.9, name
        assert sum(durations.values()) < sample.total - len(slow) * PAUSE * 0.8

    def test_server(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(), pause(), send(LENGTH + b"he"), pause(), send(b"llo"), drain()
        )
        self.check(take_sample(target_of(server), Request()), "first byte", "transfer")

    def test_continue(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(),
            pause(),
            send(b"HTTP/1.1 100 Continue\r\n\r\n"),
            expect(b"data"),
            pause(),
            send(LENGTH + b"hello"),
            drain(),
        )
        request = Request("PUT", content=b"data", expect100=True, expect100_timeout=20)
        self.check(take_sample(target_of(server), request), "100-wait", "first byte")

    def test_proxy_and_tls(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        certificates = make_certificates(tmp_path)
        server = scripted_server(
            expect_head(b"CONNECT localhost:443 "),
            pause(),
            send(b"HTTP/1.1 200 OK\r\n\r\n"),
            pause(),
            start_tls(certificates.server_context()),
            expect_head(b"GET / "),
            send(LENGTH + b"hello"),
            drain(),
        )
        context = certificates.client_context()
        recorder = Recorder(context)

        def connect(tracer: Tracer | None, seconds: float | None) -> HTTPConnection:
            proxy = (server.host, server.port)
            return HTTPConnection("localhost", None, context, proxy, tracer=tracer)

        def examine(seconds: float | None) -> TLSFacts:
            raise AssertionError("nothing is wrong with it")

        tls = TLSAccess(recorder.facts, examine, lambda: recorder.socket)
        target = Target("https://localhost/", "/", connect, tls=tls, proxy_host=server.host)
        sample = take_sample(target, Request())
        self.check(sample, "proxy", "tls")
        assert sample.tls is not None
        assert sample.tls.verified is True

    def test_name_server(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(LENGTH + b"hello"), drain())

        def resolve(hostname: str, port: int) -> list[tuple[str, int]]:
            time.sleep(PAUSE)
            return [(server.host, server.port)]

        def connect(tracer: Tracer | None, seconds: float | None) -> HTTPConnection:
            return HTTPConnection("name.example", tracer=tracer, resolver=resolve)

        target = Target("http://name.example/", "/", connect)
        self.check(take_sample(target, Request()), "dns")


class TestWatchIdle:
    def test_parting_words(self, scripted_server: ServerFactory) -> None:
        from threading import Event

        answered = Event()
        parting = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"
        server = scripted_server(
            expect_head(), send(LENGTH + b"hello"), wait(answered), send(parting), close()
        )
        connection = HTTPConnection(server.host, server.port)
        with Client(connection, 1, 20) as client:
            client.connect()
            connection.send_request("GET", "/")
            client.receive()
            answered.set()
            ending = watch_idle(client, 10)
        assert ending.closed is True
        assert ending.said.startswith(b"HTTP/1.1 408")

    def test_limit(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), send(LENGTH + b"hello"), drain())
        connection = HTTPConnection(server.host, server.port)
        with Client(connection, 1, 20) as client:
            connection.send_request("GET", "/")
            client.receive()
            ending = watch_idle(client, 0.05)
        assert ending.closed is False
        assert ending.seconds >= 0.05
