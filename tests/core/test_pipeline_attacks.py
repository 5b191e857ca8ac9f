"""A pipeline whose program closes, interrupts and re-enters it where it is least expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    LocalProtocolError,
    Request,
    StateError,
)
from httpio._transport import Transport
from tests.support.answering import Answer, AnsweringServer, Asked, Then, ok
from tests.support.pipelines import Got, by_batches, by_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import Pipeline
    from tests.support.pipelines import Outcome


def echo(asked: Asked) -> bytes:
    return ok(asked.path.encode() + b":" + asked.content)


def hanging(asked: Asked) -> bytes | Answer:
    """Answer, but not to ``/hang``."""
    return Answer(b"", Then.DEAF) if asked.path == "/hang" else echo(asked)


def gets(number: int) -> list[Request]:
    return [Request("GET", f"/{index}") for index in range(number)]


def paths(outcome: Outcome) -> list[str]:
    """Return the paths of the responses in *outcome*, each of which has its own content."""
    found = [each for each in outcome if isinstance(each, Got)]
    for got in found:
        assert got.content.startswith(got.response.path.encode() + b":")
    return [got.response.path for got in found]


# Who has the connection


@pytest.mark.parametrize("kind", ["co_next_response", "co_next_batch"])
@pytest.mark.parametrize("how", ["close", "reset", "close the pipeline"])
def test_a_coroutine_that_waits_takes_nothing_of_who_comes_after_it(kind: str, how: str) -> None:
    with AnsweringServer(hanging) as server:
        conn = server.connection()
        pipeline = conn.pipeline([Request("GET", "/hang"), Request("GET", "/b")])
        waiting = getattr(pipeline, kind)()
        while not server.asked:
            next(waiting)
            server.progress()
        next(waiting)
        (pipeline.close if how == "close the pipeline" else getattr(conn, how))()
        server.drive(conn.co_send_request("GET", "/secret"))
        server.progress()
        with pytest.raises(ConnectionClosed) as caught:
            server.drive(waiting)
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
        assert server.drive(conn.co_read_response()).path == "/secret"
        assert server.drive(conn.co_readall()) == b"/secret:"


@pytest.mark.parametrize("position", [0, 1, 3])
def test_an_iterable_may_close_its_pipeline(position: int) -> None:
    made: list[Pipeline] = []

    def requests() -> Iterator[Request]:
        for number in range(6):
            if number == position:
                made[0].close()
            yield Request("GET", f"/{number}")

    for way in (by_batches, by_heads):
        with AnsweringServer(echo) as server:
            conn = server.connection()
            made[:] = [conn.pipeline(requests())]
            outcome = way(server, conn, made[0])
            assert not [each for each in outcome if isinstance(each, AssertionError)]
            assert len(paths(outcome)) <= position
            server.drive(conn.co_send_request("GET", "/after"))
            assert server.drive(conn.co_read_response()).path == "/after"


def test_an_iterable_may_look_at_the_connection() -> None:
    def requests() -> Iterator[Request]:
        for number in range(4):
            with pytest.raises(StateError, match="pipeline is under way"):
                conn.send_request("GET", "/x")
            yield Request("GET", f"/{number}")

    with AnsweringServer(echo) as server:
        conn = server.connection()
        outcome = by_heads(server, conn, conn.pipeline(requests()))
        assert paths(outcome) == ["/0", "/1", "/2", "/3"]
        assert len(outcome) == 4


def test_a_connection_that_is_opened_by_hand_is_taken() -> None:
    with AnsweringServer(echo) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(3))
        coroutine = pipeline.co_next_response()
        coroutine.close()
        server.drive(conn.co_connect())
        assert paths(by_heads(server, conn, pipeline)) == ["/0", "/1", "/2"]
        assert len(server.ends) == 1


def test_a_tunnel_is_left_alone() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with AnsweringServer(lambda asked: Answer(switching, Then.DEAF)) as server:
        conn = server.connection()
        fields = {"Upgrade": "x", "Connection": "upgrade"}
        server.drive(conn.co_send_request("GET", "/", fields))
        assert server.drive(conn.co_read_response()).status == 101
        with pytest.raises(ConnectionClosed) as caught:
            server.drive(conn.pipeline(gets(1)).co_next_response())
        assert caught.value.reason is CloseReason.SWITCHED_PROTOCOLS
        sock, rest = conn.detach()
        with sock:
            assert rest == b""


# Interrupts


@pytest.mark.parametrize("method", ["try_send", "try_recv_into"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("way", [by_batches, by_heads])
def test_after_an_interrupt_nothing_is_mixed_up(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    after: bool,
    number: int,
    way: Callable[..., Outcome],
) -> None:
    """Before or after a send or a receive: what was not noted is as if it had not been."""
    original = getattr(Transport, method)
    left = [number]

    def interrupted(self: Transport, data: Any) -> object:
        left[0] -= 1
        if left[0] == 0 and not after:
            raise KeyboardInterrupt
        result: object = original(self, data)
        if left[0] == 0:
            raise KeyboardInterrupt
        return result

    requests = [
        *gets(10),
        Request("PUT", "/put", body=bytes(300_000)),
        Request("POST", "/post", body=b"once"),
        *(Request("GET", f"/{index}") for index in range(10, 30)),
    ]
    with AnsweringServer(echo) as server:
        conn = server.connection()
        pipeline = conn.pipeline(requests, depth=8, backoff=0, retry_partial=True)
        monkeypatch.setattr(Transport, method, interrupted)
        outcome: Outcome = []
        for _ in range(3):
            try:
                outcome += way(server, conn, pipeline)
                break
            except KeyboardInterrupt:
                assert left[0] == 0
        found = paths(outcome)
        assert len(set(found)) == len(found), "none twice"
        reported = [each for each in outcome if isinstance(each, ConnectionClosed)]
        assert {one.unanswered[0].path for one in reported} <= {"/post"} | set(found)
        # What the server got is what was sent, and nothing else.
        for asked in server.asked:
            assert asked.content == {"/put": bytes(300_000), "/post": b"once"}.get(asked.path, b"")
        assert sum(asked.path == "/post" for asked in server.asked) <= 1
        server.drive(conn.co_send_request("GET", "/after"))
        assert server.drive(conn.co_read_response()).path == "/after"


# Numbers, and time


@pytest.mark.parametrize("depth", [float("inf"), 2.5, "3", None])
def test_a_depth_is_a_whole_number(depth: Any) -> None:
    with AnsweringServer(echo) as server, pytest.raises(TypeError):
        server.connection().pipeline(gets(1), depth=depth)


def test_any_whole_number_is_a_depth() -> None:
    with AnsweringServer(echo) as server:
        conn = server.connection()
        assert len(paths(by_batches(server, conn, conn.pipeline(gets(30), depth=10**30)))) == 30


@pytest.mark.parametrize("options", [{"backoff": -1}, {"backoff": float("nan")}])
def test_a_pause_is_not_negative(options: dict[str, float]) -> None:
    with AnsweringServer(echo) as server, pytest.raises(LocalProtocolError, match="backoff"):
        server.connection().pipeline(gets(1), **options)  # type: ignore[arg-type]  # by name


def test_a_pause_ends_even_if_each_wait_for_it_is_given_up() -> None:
    refused = [True]

    def answer(asked: Asked) -> bytes:
        if refused.pop() if refused else False:
            return ok(b"", "Retry-After: 1", status="503 Busy")
        return echo(asked)

    with AnsweringServer(answer) as server, server.in_thread():
        conn = server.connection(timeout=0.02)
        pipeline = conn.pipeline(gets(1), retry_after=5)
        found = []
        for _ in range(2000):
            try:
                found = pipeline.next_batch()
                break
            except ConnectionTimedOut:
                continue
        assert [response.path for response, _ in found] == ["/0"]


# What is under way is the server's, and the caller's


def test_a_request_is_not_put_off_at_the_cost_of_another_one() -> None:
    def answer(asked: Asked) -> bytes:
        return (
            ok(b"/3:", "Retry-After: 0", status="503 Busy") if asked.path == "/3" else echo(asked)
        )

    requests = gets(6)
    requests[4] = Request("PUT", "/4", body=iter([b"only once"]))
    with AnsweringServer(answer) as server:
        conn = server.connection()
        outcome = by_batches(server, conn, conn.pipeline(requests, retry_after=5))
        assert paths(outcome) == [f"/{index}" for index in range(6)]
        assert len(outcome) == 6


def test_each_time_it_comes_a_request_may_be_put_off() -> None:
    busy = [True, False] * 8  # for each of them

    def answer(asked: Asked) -> bytes:
        if busy.pop(0):
            return ok(b"", "Retry-After: 0", status="503 Busy")
        return echo(asked)

    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline([Request("GET", "/0")] * 8, retry_after=5, retries=1, depth=1)
        statuses = [
            got.response.status for got in by_heads(server, conn, pipeline) if isinstance(got, Got)
        ]
        assert statuses == [200] * 8


@pytest.mark.parametrize("way", [by_batches, by_heads])
def test_a_request_that_takes_too_long_can_be_given_up(way: Callable[..., Outcome]) -> None:
    with AnsweringServer(hanging) as server:
        conn = server.connection(timeout=0)
        requests = [*gets(3), Request("GET", "/hang"), *gets(3)]
        pipeline = conn.pipeline(requests, retries=0)
        assert pipeline.give_up() is None
        found: list[str] = []
        while "/2" not in found:
            found += [response.path for response, _ in server.drive(pipeline.co_next_batch())]
        while not any(asked.path == "/hang" for asked in server.asked):
            with pytest.raises(ConnectionTimedOut):
                pipeline.next_batch()
            server.progress()
        assert pipeline.give_up() is requests[3]
        assert paths(way(server, conn, pipeline)) == ["/0", "/1", "/2"]
        assert pipeline.answered == 6


def test_a_pipeline_does_not_wait_for_continue() -> None:
    with AnsweringServer(echo) as server:
        conn = server.connection()
        requests = gets(3)
        requests[1] = Request("PUT", "/1", {"Expect": "100-continue"}, b"content")
        outcome = by_heads(server, conn, conn.pipeline(requests))
        assert isinstance(outcome.pop(1), LocalProtocolError)
        assert paths(outcome) == ["/0", "/2"]


def test_what_is_never_answered_is_reported_once_and_not_for_ever() -> None:
    class Slamming(AnsweringServer):
        """Resets each connection when it has accepted it."""

        def progress(self) -> None:
            before = len(self.ends)
            super().progress()
            for end in self.ends[before:]:
                end.half_close()

    with Slamming(lambda asked: b"") as server:
        conn = server.connection()
        outcome = by_batches(server, conn, conn.pipeline(gets(3), retries=1, backoff=0))
        reported = [
            each.unanswered[0].path for each in outcome if isinstance(each, ConnectionClosed)
        ]
        assert reported == ["/0", "/1", "/2"]
        assert len(outcome) == 3
