"""``--monitor``: the line, the state, the perfdata of the Monitoring Plugins guidelines."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._probe.certificate import CertificateFacts, TLSFacts
from httpio_cli._probe.expectations import Expectations, State, Wanted, judge, status_fits, worst
from httpio_cli._probe.model import Peer, ResponseFacts, Sample
from httpio_cli._probe.monitor import Watched, plugin_output, plugin_text
from httpio_cli._probe.phases import Phase
from tests.cli.probing import probe
from tests.support.answering import AnsweringServer, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2030, 1, 1, tzinfo=UTC)
URL = "http://localhost/"
RESPONSE = ResponseFacts(
    200, "OK", "1.1", (("Server", "x"), ("X-Two", "a"), ("X-Two", "b")), 5, 5, b"hello world"
)
SAMPLE = Sample(
    URL,
    NOW,
    (
        Phase("dns", 0.0, 0.001),
        Phase("connect", 0.001, 0.002),
        Phase("request", 0.003, 0.001),
        Phase("first byte", 0.004, 0.1),
        Phase("transfer", 0.104, 0.146),
    ),
    0.25,
    RESPONSE,
    Peer("127.0.0.1", 80, "IPv4"),
)

#: 'label'=value[UOM];[warn];[crit];[min];[max], where labels here need no quotes.
PERFDATA = re.compile(
    r"[a-z_]+[0-9]*=[-0-9.]+(s|B|)(;([0-9.]+:?)?(;([0-9.]+:?)?(;[0-9.]*(;[0-9.]*)?)?)?)?"
)


def certificate(days: float) -> TLSFacts:
    facts = CertificateFacts(
        "CN=x", "CN=y", ("x",), NOW, NOW + timedelta(days=days), "1", "RSA", "sha", "00", False
    )
    return TLSFacts("TLSv1.3", "AES", 256, None, (facts,))


def watched(sample: Sample, expected: Expectations) -> Watched:
    return Watched(sample.url, [[sample]], judge(sample, sample.total, expected, NOW))


def output(sample: Sample, expected: Expectations) -> tuple[State, str]:
    state, text = plugin_output([watched(sample, expected)], expected, NOW)
    _, _, perfdata = text.partition(" | ")
    for item in perfdata.split():
        assert PERFDATA.fullmatch(item), item
    return state, text


def test_ok() -> None:
    state, text = output(SAMPLE, Expectations(warn=1, crit=2.5))
    assert state is State.OK
    assert text.startswith("HTTP OK - 200 in 0.250 s | time=0.250000s;1;2.5;0 size=5B;;;0 ")
    assert "time_firstbyte=0.101000s;;;0" in text


@pytest.mark.parametrize(
    ("expected", "state"),
    [
        (Expectations(warn=0.2), State.WARNING),
        (Expectations(warn=0.1, crit=0.2), State.CRITICAL),
        (Expectations(warn=0.25, crit=0.25), State.OK),
        (Expectations(status=("2xx",)), State.OK),
        (Expectations(status=("404", "301")), State.CRITICAL),
        (Expectations(body=(Wanted.parse("lo wo"),)), State.OK),
        (Expectations(body=(Wanted.parse("lo.wo"),)), State.CRITICAL),
        (Expectations(body=(Wanted.parse("re:^h.*d$"),)), State.OK),
        (Expectations(header=(("x-two", Wanted.parse("b")),)), State.OK),
        (Expectations(header=(("x-two", Wanted.parse("c")),)), State.CRITICAL),
        (Expectations(header=(("x-none", None),)), State.CRITICAL),
        (Expectations(header=(("server", None),)), State.OK),
        (Expectations(cert_warn=30), State.UNKNOWN),
    ],
)
def test_states(expected: Expectations, state: State) -> None:
    assert output(SAMPLE, expected)[0] is state


@pytest.mark.parametrize(
    ("days", "state"),
    [(100, State.OK), (29, State.WARNING), (6, State.CRITICAL), (-1, State.CRITICAL)],
)
def test_certificate(days: float, state: State) -> None:
    sample = replace(SAMPLE, tls=certificate(days))
    found, text = output(sample, Expectations(cert_warn=30, cert_crit=7))
    assert found is state
    # An alarm is due below the limit: a range from it on is right.
    assert f"cert_days={days};30:;7:" in text


@pytest.mark.parametrize(
    ("status", "state"),
    [(204, State.OK), (301, State.OK), (404, State.WARNING), (503, State.CRITICAL)],
)
def test_status_that_nothing_was_said_about(status: int, state: State) -> None:
    sample = replace(SAMPLE, response=replace(RESPONSE, status=status))
    assert output(sample, Expectations())[0] is state


def test_failure() -> None:
    error = CommandError(ExitCode.CONNECT_FAILED, f"{URL}: no connection: refused", "look")
    state, text = output(replace(SAMPLE, response=None, error=error), Expectations())
    assert state is State.CRITICAL
    assert text == f"HTTP CRITICAL - {URL}: no connection: refused"


def test_several() -> None:
    late = replace(SAMPLE, url="http://localhost/|x", total=3.0)
    expected = Expectations(warn=1)
    state, text = plugin_output([watched(SAMPLE, expected), watched(late, expected)], expected, NOW)
    assert state is State.WARNING
    first, *more = text.splitlines()
    assert first.startswith("HTTP WARNING - 1 of 2 URLs not as expected | time1=")
    assert " time2=3.000000s;1;" in first
    assert more == [
        "OK - http://localhost/: 200 in 0.250 s",
        "WARNING - http://localhost/¦x: 3.000 s is more than 1 s",
    ]


def test_several_of_which_one_fails() -> None:
    error = CommandError(ExitCode.CONNECT_FAILED, f"{URL}: no connection", "look")
    failed = replace(SAMPLE, response=None, error=error)
    _, text = plugin_output([watched(failed, Expectations())] * 2, Expectations(), NOW)
    assert text.splitlines()[1:] == [f"CRITICAL - {URL}: no connection"] * 2


def test_a_request_that_makes_no_sense_says_nothing_of_the_server() -> None:
    sample = replace(SAMPLE, response=None, error=CommandError(ExitCode.USAGE, "no such method"))
    assert worst(judge(sample, 1.0, Expectations())) is State.UNKNOWN


def test_a_server_writes_neither_lines_nor_perfdata() -> None:
    assert plugin_text("a|time=0s\nOK - fine\x1b[0m") == "a¦time=0s OK - fine\\x1b[0m"
    sample = replace(SAMPLE, response=replace(RESPONSE, status=500, reason="no | time=0"))
    _, text = output(sample, Expectations())
    assert text.count("|") == 1


def test_worst_state() -> None:
    found = judge(SAMPLE, 9, Expectations(warn=1, cert_warn=1), NOW)
    assert {finding.state for finding in found} == {State.WARNING, State.UNKNOWN}
    assert worst(found) is State.UNKNOWN
    assert worst([]) is State.OK


@pytest.mark.parametrize(
    ("status", "wanted", "fits"),
    [(200, ["2xx"], True), (204, ["200"], False), (301, ["200", "3XX"], True), (200, [], False)],
)
def test_status_classes(status: int, wanted: list[str], fits: bool) -> None:
    assert status_fits(status, wanted) is fits


@pytest.mark.parametrize("text", ["re:(", "re:*"])
def test_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Wanted.parse(text)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """What a server answers that has nothing to hide."""
    with AnsweringServer(lambda asked: ok(b"hello"), tcp=True) as server, server.in_thread():
        yield f"http://127.0.0.1:{server.port}/"


class TestProcess:
    @pytest.mark.parametrize(
        ("options", "status"),
        [
            ((), 0),
            (("--warn", "0"), 1),
            (("--crit", "0"), 2),
            (("--expect-body", "bye"), 2),
            (("--cert-warn", "30"), 3),
            (("--check", "keepalive"), 0),
        ],
    )
    def test_states(self, url: str, options: tuple[str, ...], status: int) -> None:
        done = probe("--monitor", url, *options)
        assert done.returncode == status
        assert done.stderr == ""
        assert done.stdout.startswith(f"HTTP {State(status).name} - ")
        assert done.stdout.count("\n") == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--monitor",),
            ("--monitor", "--nonsense"),
            ("--nonsense", "--monitor"),
            ("--warn", "soon", "--monitor", "http://127.0.0.1/"),
            ("--monitor", "ftp://127.0.0.1/"),
            ("--monitor", "--format", "json", "http://127.0.0.1/"),
            ("--monitor", "--cacert", "/nonexistent", "https://127.0.0.1/"),
            ("--monitor", "--check", "nonsense", "http://127.0.0.1/"),
            ("--monitor", "-4", "-6", "http://127.0.0.1/"),
            ("--monitor", "-d", "@/nonexistent", "http://127.0.0.1/"),
        ],
    )
    def test_usage_is_unknown(self, arguments: tuple[str, ...]) -> None:
        done = probe(*arguments)
        assert done.returncode == 3
        assert done.stderr == ""
        assert done.stdout.startswith("HTTP UNKNOWN - ")
        assert done.stdout.count("\n") == 1

    def test_no_server_is_critical(self) -> None:
        done = probe("--monitor", "http://127.0.0.1:1/")
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith("HTTP CRITICAL - ")
