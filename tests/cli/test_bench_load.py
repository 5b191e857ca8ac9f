"""The two loops, in this process, against a server that keeps its own clock."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from time import perf_counter_ns
from typing import TYPE_CHECKING

import pytest

from httpio import CloseReason, ConnectionClosed, InvalidResponse, Request
from httpio_aio import HTTPConnection
from httpio_cli._bench.load import ClosedLoop, Run, Tap, kind_of
from httpio_cli._bench.open_loop import OpenLoop
from httpio_cli._bench.plan import Load, share
from httpio_cli._options import ConnectionOptions
from httpio_cli._urls import parse_url

from .benching import Reply, TimedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpio_cli._bench.load import Client
    from httpio_cli._bench.tally import Tally

LOAD = Load(
    urls=(parse_url("http://localhost/"),),
    method="GET",
    fields=(),
    body=None,
    connections=1,
    requests=40,
    duration=None,
    rate=None,
    warmup=0.0,
    timeout=30.0,
    options=ConnectionOptions(),
)


def play(
    reply: Callable[[int, float], Reply],
    load: Load = LOAD,
    *,
    depth: int = 4,
    opens: bool = True,
    meanwhile: Callable[[Client], None] = lambda _client: None,
) -> tuple[Tally, TimedServer]:
    """Have one connection make *load* on a server that answers with *reply*."""
    (job,) = share(load, 1, depth, reports=False)

    async def make_load(port: int) -> Tally:
        def make(tap: Tap) -> HTTPConnection:
            return HTTPConnection("127.0.0.1", port, tracer=tap)

        run = Run(job)
        requests = [Request("GET", "/")]
        client: Client = (
            ClosedLoop(run, requests, make)
            if load.rate is None
            else OpenLoop(run, requests, make, 0)
        )
        if opens:
            await client.open()
        run.start(perf_counter_ns())
        async with asyncio.timeout(20):
            task = asyncio.create_task(client.run())
            while not task.done():
                await asyncio.sleep(0.01)
                meanwhile(client)
            await task
        client.close()
        await asyncio.sleep(0)
        return run.tally

    with TimedServer(reply) as server:
        return asyncio.run(make_load(server.port)), server


LOADS = pytest.mark.parametrize(
    "load", [LOAD, replace(LOAD, rate=400.0)], ids=["closed-loop", "open-loop"]
)


@LOADS
@pytest.mark.parametrize("opens", [True, False])
def test_all_is_answered(load: Load, opens: bool) -> None:
    tally, server = play(lambda _number, _time: Reply(), load, opens=opens)
    assert tally.statuses == {200: 40}
    assert len(server.requests) == 40 + opens
    assert server.connections == 1
    assert tally.content_bytes == 40 * 5
    for counter in (tally.wire, tally.head_of_line):
        assert counter.total() == 40
    assert sum(counter.total() for counter in tally.latencies.values()) == 40
    if load.rate is not None:
        assert tally.queue.total() == 40
        assert sum(counter.total() for counter in tally.corrected.values()) == 40
    else:
        assert tally.corrected == {}


@LOADS
def test_depth_is_kept_to(load: Load) -> None:
    """So many requests come while none is answered, and no more."""
    load = replace(load, requests=9, rate=None if load.rate is None else 2000.0)
    tally, server = play(
        lambda number, _time: Reply(delay=0.3 if number == 1 else 0), load, depth=3
    )
    assert tally.answered == 9
    # Two went behind the one that took its time: they waited as long as it, and the others did not.
    slow = [latency for latency in server.latencies if latency > 150]
    assert len(slow) == 3


@LOADS
def test_lost_connections_are_failures_by_kind(load: Load) -> None:
    tally, server = play(lambda number, _time: Reply(breaks=number % 10 == 9), load, depth=1)
    assert tally.answered + tally.failed == 40
    assert tally.failed == 4
    assert all(kind.startswith("ConnectionClosed: the ") for kind in tally.failures)
    assert server.connections == 5
    assert tally.problem is not None


@LOADS
def test_what_was_lost_behind_one_is_lost_too(load: Load) -> None:
    load = replace(load, requests=8, rate=None if load.rate is None else 5000.0)
    tally, _ = play(
        lambda number, _time: Reply(breaks=number == 3, delay=0.2 if number in (1, 3) else 0), load
    )
    assert tally.answered + tally.failed == 8
    assert 2 <= tally.failed <= 4


@LOADS
@pytest.mark.parametrize("depth", [1, 4])
def test_announced_close_is_no_failure(load: Load, depth: int) -> None:
    tally, server = play(
        lambda number, _time: Reply(announces_close=number % 8 == 7), load, depth=depth
    )
    if depth == 1:
        assert tally.failures == {}
        assert server.connections == 6
    assert tally.answered + tally.failed == 40
    # Where more was under way, the system may drop the last answer with the connection.
    assert tally.failed <= 4 * 5


@LOADS
def test_connection_that_is_given_up(load: Load) -> None:
    load = replace(load, requests=6, timeout=0.2)

    def give_up(client: Client) -> None:
        oldest = client.oldest()
        if oldest is not None and perf_counter_ns() - oldest > 0.2e9:
            client.expire()

    tally, _ = play(
        lambda number, _time: Reply(delay=60 if number == 3 else 0),
        load,
        depth=2,
        meanwhile=give_up,
    )
    assert tally.failures["no answer within 0.2 s"] == 1
    assert tally.failed <= 2
    assert tally.answered + tally.failed == 6


def test_what_was_due_and_not_sent_counts_as_unanswered() -> None:
    """As when time is up while the server says nothing."""
    load = replace(LOAD, requests=None, duration=0.2, rate=100.0)
    (job,) = share(load, 1, 1, reports=False)

    async def count() -> int:
        run = Run(job)
        client = OpenLoop(run, [Request("GET", "/")], lambda _tap: HTTPConnection("x"), 0)
        run.start(perf_counter_ns() - 10**9)
        return client.unanswered()

    assert asyncio.run(count()) == 20


class TestKinds:
    def test_connection_closed_says_why(self) -> None:
        exc = ConnectionClosed("long story", reason=CloseReason.SERVER_CLOSED)
        assert kind_of(exc) == "ConnectionClosed: the server closed it"

    def test_system_says_what_without_where(self) -> None:
        exc = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused (127.0.0.1:1)")
        assert kind_of(exc) == "ConnectionRefusedError: Connection refused"
        assert kind_of(OSError(errno.EMFILE, "x")) == "OSError: Too many open files"

    def test_others_have_their_name(self) -> None:
        assert kind_of(InvalidResponse("nonsense")) == "InvalidResponse"
