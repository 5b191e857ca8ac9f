"""What becomes of a pipeline's requests when the connection is lost, or the server does not want them now."""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    DNSUnavailable,
    HostnameNotResolvable,
    HTTPConnection,
    Pipelining,
    Request,
)
from tests.support.answering import Answer, AnsweringServer, Asked, Then, last, ok
from tests.support.pipelines import WAYS, Got, by_batches, by_heads

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpio import Pipeline
    from tests.support.pipelines import Outcome
    from tests.support.server_end import Server

    Way = Callable[[Server, HTTPConnection, Pipeline], Outcome]

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
CONTENT = bytes(range(256)) * 1000


def gets(number: int, start: int = 0) -> list[Request]:
    return [Request("GET", f"/{index}") for index in range(start, start + number)]


def paths(outcome: Outcome) -> list[str]:
    """Return the paths of *outcome*, which has no exceptions and the right contents."""
    for each in outcome:
        if isinstance(each, Exception):
            raise each
        assert each.content.startswith(each.response.path.encode())
    return [each.response.path for each in outcome if isinstance(each, Got)]


def numbered(count: int) -> list[str]:
    return [f"/{number}" for number in range(count)]


def breaking(*numbers: int) -> Callable[[Asked], bytes | Answer]:
    """Return what answers, but breaks the first connections after so many responses each."""

    def answer(asked: Asked) -> bytes | Answer:
        if asked.connection < len(numbers) and asked.number == numbers[asked.connection]:
            return Answer(b"", Then.CLOSE)
        return ok(asked.path.encode() + b":" + asked.content)

    return answer


# What is learnt


@every_way
def test_after_a_break_the_first_request_goes_alone(way: Way) -> None:
    """RFC 9112 §9.3.2."""
    seen: list[int] = []

    def answer(asked: Asked) -> bytes | Answer:
        if asked.connection == 0 and asked.number == 10:
            return Answer(b"", Then.CLOSE)
        if asked.connection == 1 and asked.number == 0:
            seen.append(len(server.end.unread))
            seen.append(len(server.end.received))
        return ok(asked.path.encode())

    with AnsweringServer(answer) as server:
        conn = server.connection()
        assert paths(way(server, conn, conn.pipeline(gets(50), depth=20))) == numbered(50)
        # A single head had come when it was answered.
        assert seen[0] == 0
        assert seen[1] < 200
        assert conn.pipelining is Pipelining.PROVEN
        assert len(server.ends) == 2


@every_way
def test_a_peer_that_breaks_twice_is_not_pipelined_to_again(way: Way) -> None:
    with AnsweringServer(breaking(5, 5)) as server:
        conn = server.connection()
        assert paths(way(server, conn, conn.pipeline(gets(40), depth=10))) == numbered(40)
        assert conn.pipelining is Pipelining.GIVEN_UP
        first = len(server.asked)
        assert paths(way(server, conn, conn.pipeline(gets(40), depth=10))) == numbered(40)
        assert len(server.asked) == first + 40
        conn.reset()
        assert conn.pipelining is Pipelining.GIVEN_UP


def test_a_break_with_one_request_under_way_says_nothing_against_pipelining() -> None:
    with AnsweringServer(breaking(0, 0, 0)) as server:
        conn = server.connection()
        outcome = by_batches(server, conn, conn.pipeline(gets(5), backoff=0))
        assert paths(outcome) == numbered(5)
        assert conn.pipelining is Pipelining.PROVEN


@every_way
def test_an_announced_close_is_no_failure(way: Way) -> None:
    def answer(asked: Asked) -> bytes | Answer:
        content = asked.path.encode()
        return last(content) if asked.number == 9 else ok(content)

    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(95), depth=20, retries=0)
        assert paths(way(server, conn, pipeline)) == numbered(95)
        assert len(server.ends) == 10
        # The server keeps connections for a while, so the next one is pipelined on at once.
        assert conn.pipelining is Pipelining.PROVEN
        assert pipeline.answered == 95
        # Nobody has lost anything: the next request just connects.
        server.drive(conn.co_send_request("GET", "/after"))
        assert server.drive(conn.co_read_response()).path == "/after"


def test_a_close_that_a_request_asks_for_is_no_failure() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        closes = asked.headers.get("connection") == "close"
        return last(asked.path.encode()) if closes else ok(asked.path.encode())

    requests = gets(30)
    requests[10] = Request("GET", "/10", {"Connection": "close"})
    with AnsweringServer(answer) as server:
        conn = server.connection()
        assert paths(by_batches(server, conn, conn.pipeline(requests, retries=0))) == numbered(30)
        assert [asked.path for asked in server.asked] == numbered(30), "nothing behind it"


# Giving up


@every_way
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_so_many_retries_a_request_is_given_up_and_the_rest_goes_on(
    way: Way, retries: int
) -> None:
    def answer(asked: Asked) -> bytes | Answer:
        return Answer(b"", Then.CLOSE) if asked.path == "/3" else ok(asked.path.encode())

    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(6), depth=2, retries=retries, backoff=0)
        outcome = way(server, conn, pipeline)
        failure = outcome.pop(3)
        assert isinstance(failure, ConnectionClosed)
        assert failure.reason is CloseReason.SERVER_CLOSED
        assert failure.answered == 3
        assert failure.unanswered[0] == ("GET", "/3")
        assert failure.unanswered[0].repeatable
        assert failure.unanswered[0].request is not None
        assert failure.unanswered[0].request.path == "/3"
        assert "GET /3 has no complete response" in str(failure)
        assert paths(outcome) == [f"/{number}" for number in (0, 1, 2, 4, 5)]
        assert pipeline.answered == 5
        assert sum(asked.path == "/3" for asked in server.asked) == 1 + retries


@every_way
def test_a_request_that_is_not_idempotent_is_never_sent_again(way: Way) -> None:
    def answer(asked: Asked) -> bytes | Answer:
        return Answer(b"", Then.CLOSE) if asked.method == "POST" else ok(asked.path.encode())

    requests = gets(10)
    requests[4] = Request("POST", "/4", body=b"once")
    with AnsweringServer(answer) as server:
        conn = server.connection()
        outcome = way(server, conn, conn.pipeline(requests, backoff=0))
        failure = outcome.pop(4)
        assert isinstance(failure, ConnectionClosed)
        assert failure.answered == 4
        assert not failure.unanswered[0].repeatable
        assert all(one.repeatable for one in failure.unanswered[1:])
        assert paths(outcome) == [f"/{number}" for number in range(10) if number != 4]
        assert sum(asked.method == "POST" for asked in server.asked) == 1


def test_a_response_that_broke_off_is_told_unless_the_caller_wants_it_again() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        data = ok(asked.path.encode())
        if asked.path == "/3" and asked.connection == 0:
            return Answer(data[:-1], Then.CLOSE)
        return data

    for way in WAYS.values():
        with AnsweringServer(answer) as server:
            conn = server.connection()
            outcome = way(server, conn, conn.pipeline(gets(6), backoff=0))
            failure = outcome.pop(3)
            assert isinstance(failure, ConnectionClosed)
            assert failure.unanswered[0] == ("GET", "/3")
            assert failure.answered == 3
            assert paths(outcome) == [f"/{number}" for number in (0, 1, 2, 4, 5)]
    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(6), backoff=0, retry_partial=True)
        assert paths(by_batches(server, conn, pipeline)) == numbered(6)
    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(6), backoff=0, retry_partial=True)
        # Who has got the head is told, and gets it once more.
        outcome = by_heads(server, conn, pipeline)
        assert isinstance(outcome.pop(3), ConnectionClosed)
        assert paths(outcome) == numbered(6)


def test_a_head_that_broke_off_is_no_response_yet() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        data = ok(asked.path.encode())
        return Answer(data[:20], Then.CLOSE) if asked.number == 3 else data

    for way in WAYS.values():
        with AnsweringServer(answer) as server:
            conn = server.connection()
            pipeline = conn.pipeline(gets(9), backoff=0, depth=2)
            assert paths(way(server, conn, pipeline)) == numbered(9)


def test_content_that_nobody_wants_need_not_be_complete() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        data = ok(asked.path.encode() * 10)
        return Answer(data[:-1], Then.CLOSE) if asked.path == "/3" else data

    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(6), backoff=0)
        found = []
        while response := server.drive(pipeline.co_next_response()):
            found.append(response.path)
        assert found == numbered(6)
        assert [asked.path for asked in server.asked].count("/3") == 1


# Content of requests


def test_content_is_sent_again_where_it_can_be_read_again() -> None:
    begun = io.BytesIO(b"skipped" + CONTENT)
    begun.read(7)
    bodies = [
        CONTENT,
        io.BytesIO(CONTENT),
        [CONTENT[:1000], CONTENT[1000:]],
        CONTENT[:100],
        begun,
    ]
    with AnsweringServer(breaking(0, 1, 2, 3, 4)) as server:
        conn = server.connection()
        requests = [Request("PUT", f"/{number}", body=body) for number, body in enumerate(bodies)]  # type: ignore[arg-type]  # each is one
        outcome = by_batches(server, conn, conn.pipeline(requests, backoff=0, retries=5))
        contents = [each.content for each in outcome if isinstance(each, Got)]
        wanted = [CONTENT, CONTENT, CONTENT, CONTENT[:100], CONTENT]
        assert contents == [b"/%d:%b" % pair for pair in enumerate(wanted)]


class Pipe(io.RawIOBase):
    """A file that can be read once."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = io.BytesIO(b"once")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._rest.read(size)


@every_way
@pytest.mark.parametrize("kind", ["generator", "pipe"])
def test_content_that_can_be_read_once_is_sent_once(way: Way, kind: str) -> None:
    body: object = iter([b"on", b"ce"]) if kind == "generator" else Pipe()
    requests = gets(6)
    requests[3] = Request("PUT", "/3", body=body)  # type: ignore[arg-type]  # it is one
    with AnsweringServer(breaking(3)) as server:
        conn = server.connection()
        outcome = way(server, conn, conn.pipeline(requests, backoff=0))
        failure = outcome.pop(3)
        assert isinstance(failure, ConnectionClosed)
        assert failure.unanswered[0] == ("PUT", "/3")
        assert not failure.unanswered[0].repeatable
        assert paths(outcome) == [f"/{number}" for number in (0, 1, 2, 4, 5)]
        assert sum(asked.path == "/3" for asked in server.asked) == 1


@every_way
def test_content_that_can_be_read_once_is_sent_if_it_was_not_begun(way: Way) -> None:
    requests = [*gets(3), Request("PUT", "/3", body=iter([b"on", b"ce"])), *gets(2, 4)]
    with AnsweringServer(breaking(0, 2)) as server:
        conn = server.connection()
        outcome = way(server, conn, conn.pipeline(requests, backoff=0, depth=1))
        assert paths(outcome) == numbered(6)


@every_way
@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("body", ["bytes", "file", "generator"])
def test_an_early_answer_is_the_answer(way: Way, then: Then, body: str) -> None:
    """RFC 9112 §9.5: the server refuses in the middle, and stops reading."""
    size = 4_000_000
    content = bytes(size)
    bodies: dict[str, object] = {
        "bytes": content,
        "file": io.BytesIO(content),
        "generator": (content[:1000] for _ in range(size // 1000)),
    }

    def refuse(asked: Asked) -> Answer | None:
        if asked.path != "/refused":
            return None
        return Answer(ok(b"/refused", "Connection: close", status="413 Too Large"), then)

    requests = [*gets(3), Request("PUT", "/refused", body=bodies[body]), *gets(3, 3)]  # type: ignore[arg-type]  # it is one
    with AnsweringServer(
        lambda asked: ok(asked.path.encode()), small=True, early=refuse, tcp=then is Then.RESET
    ) as server:
        conn = server.connection()
        pipeline = conn.pipeline(requests, retries=0)
        outcome = way(server, conn, pipeline)
        assert paths(outcome) == ["/0", "/1", "/2", "/refused", "/3", "/4", "/5"]
        assert [got.response.status for got in outcome if isinstance(got, Got)][3] == 413
        assert len(server.ends) == 2


# Connecting


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_what_prevents_a_connection_is_raised_and_nothing_is_lost() -> None:
    port = unused_port()
    conn = HTTPConnection("127.0.0.1", port, timeout=20)
    pipeline = conn.pipeline(gets(3), retries=2, backoff=0)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            pipeline.next_response()
    server = AnsweringServer(lambda asked: ok(asked.path.encode()), tcp=True)
    with server, server.in_thread():
        moved = HTTPConnection("127.0.0.1", server.port, timeout=20)
        assert [response.path for response in moved.pipeline(gets(3))] == numbered(3)
        moved.close()
    pipeline.close()
    assert not conn.response_pending()


def test_a_host_name_that_does_not_exist_is_not_tried_again() -> None:
    conn = HTTPConnection("nowhere.invalid", 80, timeout=20)
    start = time.monotonic()
    with pytest.raises((HostnameNotResolvable, DNSUnavailable)):
        conn.pipeline(gets(1), retries=0).next_response()
    assert time.monotonic() - start < 60


def test_a_connection_that_closes_at_once_is_not_tried_for_ever() -> None:
    class Closing(AnsweringServer):
        """Closes each connection when it has accepted it."""

        def progress(self) -> None:
            super().progress()
            for end in self.ends:
                end.half_close()

    with Closing(lambda asked: b"") as server:
        conn = server.connection()
        outcome = by_batches(server, conn, conn.pipeline(gets(2), retries=3, backoff=0))
        assert len(outcome) == 2
        assert all(isinstance(each, ConnectionClosed) for each in outcome)
        assert 2 <= len(server.ends) <= 8


def test_an_idle_connection_that_was_closed_is_no_failure() -> None:
    with AnsweringServer(lambda asked: ok(asked.path.encode())) as server:
        conn = server.connection()
        assert paths(by_batches(server, conn, conn.pipeline(gets(3)))) == numbered(3)
        server.end.half_close()
        outcome = by_batches(server, conn, conn.pipeline(gets(3), retries=0))
        assert paths(outcome) == numbered(3)
        assert len(server.ends) == 2
        # Also in the middle of a pipeline, and for what must not be sent twice.
        pipeline = conn.pipeline([*gets(1), Request("POST", "/1")], retries=0)
        assert paths([Got(*pair) for pair in server.drive(pipeline.co_next_batch())]) == ["/0"]
        server.end.half_close()
        assert paths(by_batches(server, conn, pipeline)) == ["/1"]
        assert len(server.ends) == 3


def test_a_pipeline_does_not_hide_what_was_lost_before_it() -> None:
    with AnsweringServer(lambda asked: Answer(b"", Then.CLOSE)) as server:
        conn = server.connection()
        server.drive(conn.co_send_request("GET", "/lost"))
        with pytest.raises(ConnectionClosed):
            server.drive(conn.co_read_response())
        with pytest.raises(ConnectionClosed) as caught:
            server.drive(conn.pipeline(gets(1)).co_next_response())
        assert caught.value.unanswered == (("GET", "/lost"),)


def test_between_attempts_there_is_a_pause() -> None:
    with AnsweringServer(breaking(0, 0, 0)) as server, server.in_thread():
        conn = server.connection(timeout=0.25)
        start = time.monotonic()
        outcome = [content for _, content in conn.pipeline(gets(1), backoff=0.4).with_bodies()]
        # None before the first, then up to 0.4 s and up to 0.8 s, at least half of that. The time-out
        # is for a server that says nothing.
        assert time.monotonic() - start >= 0.6
        assert outcome == [b"/0:"]


# Servers that want to be asked later


def busy(
    times: int, value: str, status: str = "503 Busy", content: bytes = b"busy"
) -> Callable[[Asked], bytes]:
    """Return what answers ``/3`` only after that many times."""
    left = [times]

    def answer(asked: Asked) -> bytes:
        if asked.path == "/3" and left[0]:
            left[0] -= 1
            return ok(content, f"Retry-After: {value}", status=status)
        return ok(asked.path.encode())

    return answer


@every_way
@pytest.mark.parametrize("status", ["503 Busy", "429 Slower"])
@pytest.mark.parametrize("content", [b"busy", b""])
@pytest.mark.parametrize("value", ["0", "Wed, 25 Nov 2026 10:00:00 GMT"])
def test_a_request_is_put_off_if_caller_and_server_want_that(
    way: Way, status: str, content: bytes, value: str
) -> None:
    with AnsweringServer(busy(2, value, status, content)) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(8), retry_after=5)
        assert paths(way(server, conn, pipeline)) == numbered(8)
        assert pipeline.answered == 8
        assert [asked.path for asked in server.asked].count("/3") == 3


@pytest.mark.parametrize(
    ("retry_after", "value", "retries"),
    [(None, "0", 3), (5.0, "6", 3), (5.0, "soon", 3), (5.0, "-1", 3), (5.0, "0", 1), (0.0, "1", 3)],
)
def test_otherwise_the_answer_is_the_answer(
    retry_after: float | None, value: str, retries: int
) -> None:
    for way in WAYS.values():
        with AnsweringServer(busy(9, value)) as server:
            conn = server.connection()
            pipeline = conn.pipeline(gets(8), retry_after=retry_after, retries=retries)
            outcome = way(server, conn, pipeline)
            found = [each for each in outcome if isinstance(each, Got)]
            assert [got.response.path for got in found] == numbered(8)
            assert [got.response.status for got in found] == [
                200,
                200,
                200,
                503,
                200,
                200,
                200,
                200,
            ]
            assert found[3].content == b"busy"
            assert pipeline.answered == 8


def test_what_must_not_be_sent_twice_is_not_put_off() -> None:
    with AnsweringServer(busy(1, "0")) as server:
        conn = server.connection()
        requests = gets(5)
        requests[3] = Request("POST", "/3")
        outcome = by_batches(server, conn, conn.pipeline(requests, retry_after=5))
        assert isinstance(outcome[3], Got)
        assert outcome[3].response.status == 503


def test_the_pause_is_kept() -> None:
    with AnsweringServer(busy(1, "1")) as server, server.in_thread():
        conn = server.connection(timeout=0.4)
        start = time.monotonic()
        found = [
            response.path for response, _ in conn.pipeline(gets(5), retry_after=5).with_bodies()
        ]
        assert found == numbered(5)
        assert time.monotonic() - start >= 1


def test_a_pause_that_is_dropped_is_kept_by_who_comes_next() -> None:
    with AnsweringServer(busy(1, "1")) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(5), retry_after=5)
        found: list[str] = []
        while len(found) < 3:
            found += [response.path for response, _ in server.drive(pipeline.co_next_batch())]
        start = time.monotonic()
        coroutine = pipeline.co_next_batch()
        while b"/3 " not in server.end.received:
            next(coroutine)
            server.progress()
        for _ in range(20):
            next(coroutine)
            server.progress()
        coroutine.close()
        assert paths(by_batches(server, conn, pipeline)) == ["/3", "/4"]
        assert time.monotonic() - start >= 1


def test_where_a_server_closes_after_so_many_responses_nothing_is_sent_in_vain_again() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        content = asked.path.encode()
        return last(content) if asked.number == 19 else ok(content)

    with AnsweringServer(answer) as server:
        conn = server.connection()
        assert paths(by_batches(server, conn, conn.pipeline(gets(200), depth=50))) == numbered(200)
        heads = [end.received.count(b"\r\n\r\n") for end in server.ends]
        assert heads[0] > 20, "nobody could know"
        assert heads[1:] == [20] * 9


def test_a_server_that_has_got_more_patient_is_sent_more_again() -> None:
    def answer(asked: Asked) -> bytes | Answer:
        content = asked.path.encode()
        return last(content) if asked.number == 19 and asked.connection < 2 else ok(content)

    with AnsweringServer(answer) as server:
        conn = server.connection()
        assert paths(by_batches(server, conn, conn.pipeline(gets(200), depth=50))) == numbered(200)
        assert len(server.ends) == 3
