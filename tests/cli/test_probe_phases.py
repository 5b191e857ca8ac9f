"""The phases of a request, as a tracer with a clock of its own sees them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection
from httpio_cli._probe.phases import PHASES, PhaseTracer
from tests.support.fix_scripted import scripted_server as scripted_server
from tests.support.scripted import drain, expect_head, send

if TYPE_CHECKING:
    from tests.support.fix_scripted import ServerFactory


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Story:
    """Things that happen a second after each other."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tracer = PhaseTracer(self.clock)

    def __call__(self, what: str, size: int = 0) -> None:
        match what:
            case "sent":
                self.tracer.sent(bytes(size))
            case "received":
                self.tracer.received(memoryview(bytes(size)))
            case _:
                self.tracer.event(what, "")
        self.clock.now += 1

    @property
    def phases(self) -> list[tuple[str, float, float]]:
        return [(phase.name, phase.start, phase.duration) for phase in self.tracer.phases]


def connected(*events: str) -> Story:
    story = Story()
    for event in events:
        story(event)
    return story


def test_everything() -> None:
    story = connected(
        "resolving", "resolved", "connecting", "connected", "sent", "received", "tunnel", "tls"
    )
    for what in ("request", "sent", "received", "response", "received"):
        story(what, 10)
    story.tracer.finish()
    assert story.phases == [
        ("dns", 0, 1),
        ("connect", 2, 1),
        ("proxy", 3, 3),
        ("tls", 6, 1),
        ("request", 8, 1),
        ("first byte", 9, 1),
        ("transfer", 10, 2),
    ]
    assert story.tracer.total == 12
    assert (story.tracer.sent_bytes, story.tracer.received_bytes) == (10, 20)
    assert story.tracer.connections == 1


def test_what_is_done_afterwards_counts_for_nothing() -> None:
    story = connected("connecting", "connected", "request")
    story("sent", 1)
    story("received", 1)
    story.clock.now += 50
    story.tracer.finish()
    assert story.phases[-1] == ("transfer", 4, 0)


def test_end_of_the_connection_ends_the_content() -> None:
    story = connected("connecting", "connected", "request")
    story("sent", 1)
    story("received", 1)
    story.clock.now += 5
    story("closed")
    story.tracer.finish()
    assert story.phases[-1] == ("transfer", 4, 6)


def test_continue() -> None:
    story = connected("connecting", "connected", "request")
    story("sent", 1)
    story.tracer.waits_for_continue()
    story("received", 1)
    story.tracer.sends_content()
    story("sent", 1)
    story.tracer.content_sent()
    story("received", 1)
    story.tracer.finish()
    assert story.phases[1:] == [
        ("request", 2, 1),
        ("100-wait", 3, 2),
        ("content", 5, 0),
        ("first byte", 5, 1),
        ("transfer", 6, 0),
    ]


@pytest.mark.parametrize(
    ("events", "failed_in", "last"),
    [
        (["resolving"], "tls", "dns"),
        (["connecting"], "tls", "connect"),
        (["connecting", "connected"], "tls", "tls"),
        (["connecting", "connected"], "proxy", "proxy"),
        (["connecting", "connected", "tunnel"], "tls", "tls"),
        (["connecting", "connected", "request", "sent"], "request", "first byte"),
        (["connecting", "connected", "request", "sent", "received"], "request", "transfer"),
    ],
)
def test_failure(events: list[str], failed_in: str, last: str) -> None:
    story = Story()
    for event in events:
        story(event, 1)
    story.tracer.finish(failed_in)
    phase = story.tracer.phases[-1]
    assert (phase.name, phase.finished) == (last, False)
    assert all(phase.finished for phase in story.tracer.phases[:-1])


def test_nothing_happened() -> None:
    tracer = PhaseTracer()
    tracer.finish()
    assert tracer.phases == ()
    assert tracer.total == 0


def test_with_a_connection(scripted_server: ServerFactory) -> None:
    server = scripted_server(
        expect_head(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), drain()
    )
    tracer = PhaseTracer()
    with HTTPConnection("localhost", server.port, tracer=tracer, timeout=10) as connection:
        connection.send_request("GET", "/")
        connection.read_response()
        assert connection.readall() == b"hi"
    tracer.finish()
    phases = tracer.phases
    assert [phase.name for phase in phases] == [
        name for name in PHASES if name not in ("proxy", "tls", "100-wait", "content")
    ]
    for before, after in pairwise(phases):
        assert before.end <= after.start + 1e-9
