"""Many requests over one connection: what is sent when, and which response belongs to which request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from httpio import (
    HTTPConnection,
    Pipeline,
    Pipelining,
    Request,
    Tracer,
)
from tests.support.answering import Answer, AnsweringServer, Asked, Then, last, ok
from tests.support.fix_certs import certificates as certificates
from tests.support.pipelines import WAYS, Got, Outcome, by_batches
from tests.support.server_end import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


    Way = Callable[[Server, HTTPConnection, Pipeline], Outcome]

DEPTH = 16


def echo(asked: Asked) -> bytes:
    """Answer with the path and the content."""
    return ok(asked.path.encode() + b":" + asked.content)


def gets(number: int, start: int = 0) -> list[Request]:
    """Return so many requests, with paths that are numbers."""
    return [Request("GET", f"/{index}") for index in range(start, start + number)]


def answers(outcome: Outcome) -> list[Got]:
    """Return *outcome*, which has no exceptions."""
    for each in outcome:
        if isinstance(each, Exception):
            raise each
    return [each for each in outcome if isinstance(each, Got)]


def check_echo(outcome: Outcome, requests: Iterable[Request]) -> None:
    """Check that each of *requests* has its own response, in their order."""
    found = answers(outcome)
    assert [got.response.request for got in found] == list(requests)
    for got in found:
        assert got.response.status == 200
        assert got.response.request is not None
        assert got.response.path == got.response.request.path
        assert got.response.method == got.response.request.method
        if got.response.method != "HEAD":
            assert got.content.startswith(got.response.path.encode() + b":")


class Run(Protocol):
    def __call__(
        self, server: Server, requests: Iterable[Request], **options: float | bool | None
    ) -> Outcome: ...


@pytest.fixture(params=WAYS)
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs a pipeline to its end, once for each way."""
    way = WAYS[request.param]

    def run(server: Server, requests: Iterable[Request], **options: float | bool | None) -> Outcome:
        conn = server.connection()
        options.setdefault("backoff", 0)
        options.setdefault("depth", DEPTH)
        pipeline = conn.pipeline(requests, **options)  # type: ignore[arg-type]  # by name
        return way(server, conn, pipeline)

    return run


@pytest.fixture
def echo_server() -> Iterator[AnsweringServer]:
    """A server that answers with what was asked."""
    with AnsweringServer(echo) as server:
        yield server


# Pairing


def test_each_request_gets_its_own_response_in_order(
    echo_server: AnsweringServer, run: Run
) -> None:
    requests = gets(100)
    check_echo(run(echo_server, requests), requests)
    assert [asked.path for asked in echo_server.asked] == [each.path for each in requests]
    assert len(echo_server.ends) == 1


def test_no_requests_give_no_responses_and_no_connection(
    echo_server: AnsweringServer, run: Run
) -> None:
    assert run(echo_server, []) == []
    assert echo_server.ends == []


def test_the_same_request_may_come_again_and_again(echo_server: AnsweringServer, run: Run) -> None:
    requests = [Request("GET", "/same")] * 40
    check_echo(run(echo_server, requests), requests)
    assert len(echo_server.asked) == 40


ODD_ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: ok(content),
    "empty": lambda content: ok(b""),
    "chunked": lambda content: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\nT: t\r\n\r\n" % (len(content), content)
    ),
    "103 before": lambda content: b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok(content),
    "100 before": lambda content: b"HTTP/1.1 100\r\n\r\n" + ok(content),
    "204": lambda content: b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": lambda content: b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304 with a length": lambda content: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "404": lambda content: ok(content, status="404 Not Found"),
    "without reason": lambda content: ok(content, status="200 "),
    "keep-alive": lambda content: ok(content, "Connection: Keep-Alive", "Keep-Alive: timeout=5"),
    "folded": lambda content: ok(content, "A: b", " c"),
    "two equal lengths": lambda content: ok(content, f"Content-Length: {len(content)}"),
    "long head": lambda content: ok(content, *(f"X-{number}: {'x' * 60}" for number in range(80))),
    "long": lambda content: ok(content * 30_000),
    "HTTP/1.0 in words": lambda content: (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%b"
        % (len(content), content)
    ),
}


def head_only(data: bytes) -> bytes:
    """Return the beginning of *data*, an interim response perhaps and a head."""
    end = data.index(b"\r\n\r\n") + 4
    if data.startswith(b"HTTP/1.1 10"):
        end = data.index(b"\r\n\r\n", end) + 4
    return data[:end]


@pytest.mark.parametrize("odd", ODD_ANSWERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_whatever_comes_in_the_middle_is_paired_correctly(run: Run, odd: str, method: str) -> None:
    def answer(asked: Asked) -> bytes:
        content = asked.path.encode()
        if asked.path.startswith("/odd"):
            data = ODD_ANSWERS[odd](content)
            return head_only(data) if method == "HEAD" else data
        return ok(content)

    requests = [
        *gets(5),
        Request(method, "/odd/1"),
        *gets(4, 5),
        Request(method, "/odd/2"),
        *gets(9),
    ]
    with AnsweringServer(answer) as server:
        found = answers(run(server, requests))
        assert [got.response.request for got in found] == requests
        for got in found:
            if not got.response.path.startswith("/odd"):
                assert got.content == got.response.path.encode()
            elif method == "HEAD" or odd[:3] in ("204", "304", "emp"):
                assert got.content == b""
            else:
                assert got.content == got.response.path.encode() * (30_000 if odd == "long" else 1)
            if odd in ("100 before", "103 before") and got.response.path.startswith("/odd"):
                assert len(got.response.informational) == 1
            if odd == "chunked" and method != "HEAD" and got.response.path.startswith("/odd"):
                assert got.response.trailers["T"] == "t"
        assert len(server.ends) == 1


@pytest.mark.parametrize("sizes", [(1,), (1, 2, 3, 5), (7, 1000), (50,), (100_000,)])
def test_it_does_not_matter_how_responses_are_split(run: Run, sizes: tuple[int, ...]) -> None:
    class Splitting(AnsweringServer):
        """Sends a piece of its answers at a time."""

        def __init__(self) -> None:
            super().__init__(lambda asked: b"")
            self.data = b""
            self.sizes = iter(sizes * 10_000)

        def progress(self) -> None:
            super().progress()
            for asked in self.asked:
                self.data += echo(asked)
            self.asked.clear()
            if self.data:
                size = next(self.sizes)
                self.end.send(self.data[:size])
                self.data = self.data[size:]

    requests = [*gets(5), Request("HEAD", "/5"), *gets(5)]
    requests = [each for each in requests if each.method == "GET"]
    with Splitting() as server:
        check_echo(run(server, requests), requests)


def test_a_head_that_is_not_read_loses_its_content(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(10))
    paths = []
    while response := echo_server.drive(pipeline.co_next_response()):
        paths.append(response.path)
        if len(paths) % 2:
            assert echo_server.drive(conn.co_read(2)) == f"/{len(paths) - 1}".encode()[:2]
    assert paths == [f"/{number}" for number in range(10)]
    assert conn.get_current_response() is None


def test_large_content_that_is_not_read_is_dropped() -> None:
    with AnsweringServer(lambda asked: ok(bytes(500_000), "A: b")) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(5))
        for number in range(5):
            response = server.drive(pipeline.co_next_response())
            assert response is not None
            assert (response.path, response.headers["A"]) == (f"/{number}", "b")
        assert server.drive(pipeline.co_next_response()) is None
        server.drive(conn.co_send_request("GET", "/after"))
        assert server.drive(conn.co_read_response()).path == "/after"


# What is under way


class Window:
    """Notes how many requests the server has got, and the client has the response to."""

    def __init__(self) -> None:
        self.handed_out = 0
        self.most = 0

    def requests(self, number: int) -> Iterator[Request]:
        """Yield requests, and note how far that is ahead."""
        for index in range(number):
            self.most = max(self.most, index + 1 - self.handed_out)
            yield Request("GET", f"/{index}")


@pytest.mark.parametrize("depth", [1, 2, 3, 16, 100])
def test_no_more_than_depth_requests_are_under_way_or_taken(
    echo_server: AnsweringServer, depth: int
) -> None:
    window = Window()
    conn = echo_server.connection()
    pipeline = conn.pipeline(window.requests(200), depth=depth)
    while response := echo_server.drive(pipeline.co_next_response()):
        assert len(echo_server.asked) <= window.handed_out + depth
        echo_server.drive(conn.co_discard())
        window.handed_out += 1
        assert response.path == f"/{window.handed_out - 1}"
    assert window.handed_out == 200
    # The last but one response may have its content, and not be handed out as complete.
    assert depth - 1 <= window.most <= depth + 1


def test_requests_go_in_large_blocks(echo_server: AnsweringServer) -> None:
    sends = []

    class Sends(Tracer):
        def sent(self, data: memoryview) -> None:
            sends.append(bytes(data))

        def received(self, data: memoryview) -> None:
            pass

        def event(self, name: str, details: str) -> None:
            pass

    conn = echo_server.connection(tracer=Sends())
    by_batches(echo_server, conn, conn.pipeline(gets(1000), depth=200))
    assert b"".join(sends).count(b"\r\n\r\n") == 1000
    # The first alone, and then at least half a window at a time.
    assert len(sends) <= 1 + 1000 // 100 + 1


def test_the_first_request_travels_alone(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    assert conn.pipelining is Pipelining.UNPROVEN
    pipeline = conn.pipeline(gets(50), depth=10)
    coroutine = pipeline.co_next_batch()
    while not echo_server.asked:
        next(coroutine)
        echo_server.progress()
    assert len(echo_server.asked) == 1
    echo_server.drive(coroutine)
    assert conn.pipelining is Pipelining.PROVEN
    echo_server.drive(pipeline.co_next_batch())
    assert len(echo_server.asked) == 11


def test_what_was_learnt_stays_with_the_connection(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    by_batches(echo_server, conn, conn.pipeline(gets(2)))
    pipeline = conn.pipeline(gets(10), depth=10)
    coroutine = pipeline.co_next_batch()
    next(coroutine)
    echo_server.progress()
    assert len(echo_server.asked) == 12
    echo_server.drive(coroutine)
    conn.reset()
    assert conn.pipelining is Pipelining.PROVEN


@pytest.mark.parametrize(
    "version", [b"HTTP/1.0 200 OK\r\nConnection: keep-alive", b"HTTP/1.0 200 OK"]
)
def test_http_1_0_is_never_pipelined_to(run: Run, version: bytes) -> None:
    under_way: list[int] = []
    server: AnsweringServer

    def answer(asked: Asked) -> Answer:
        under_way.append(len(server.end.unread))
        data = b"%b\r\nContent-Length: %d\r\n\r\n%b" % (
            version,
            len(asked.path),
            asked.path.encode(),
        )
        return Answer(data, Then.KEEP if b"keep" in version else Then.CLOSE)

    with AnsweringServer(answer) as server:
        found = answers(run(server, gets(20)))
        assert [got.content for got in found] == [f"/{number}".encode() for number in range(20)]
        assert len(server.asked) == 20, "nothing was sent in vain"
        assert len(server.ends) == (1 if b"keep" in version else 20)


def test_a_server_that_closes_each_time_is_never_pipelined_to(run: Run) -> None:
    with AnsweringServer(lambda asked: last(asked.path.encode())) as server:
        found = answers(run(server, gets(20)))
        assert [got.content for got in found] == [f"/{number}".encode() for number in range(20)]
        assert len(server.asked) == 20, "nothing was sent in vain"


# Requests that must not be sent twice


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
def test_a_request_that_is_not_idempotent_travels_alone(run: Run, method: str) -> None:
    """RFC 9110 §9.2.2; and nothing before it is unanswered, so that it is never lost with others."""
    under_way = 0

    def answer(asked: Asked) -> bytes:
        if asked.method == method:
            assert not server.end.unread
            assert len(server.asked) == int(asked.path[1:]) + 1
        return echo(asked)

    requests = gets(60)
    for index in (0, 7, 8, 9, 30, 59):
        requests[index] = Request(method, f"/{index}", body=b"x" * index)
    with AnsweringServer(answer) as server:
        check_echo(run(server, requests), requests)
        assert under_way == 0
        assert len(server.ends) == 1


def test_nothing_follows_a_request_that_is_not_idempotent_until_its_response_is_complete() -> None:
    with AnsweringServer(lambda asked: b"") as server:
        conn = server.connection()
        pipeline = conn.pipeline([Request("POST", "/"), *gets(3)])
        coroutine = pipeline.co_next_response()
        for _ in range(10):
            next(coroutine)
            server.progress()
        server.end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        response = server.drive(coroutine)
        assert response is not None
        assert server.drive(conn.co_read(3)) == b"hel"
        reading = conn.co_read(2)
        for _ in range(10):
            next(reading)
            server.progress()
        assert [asked.method for asked in server.asked] == ["POST"]
        server.end.send(b"lo")
        assert server.drive(reading) == b"lo"
        next(pipeline.co_next_response())
        server.progress()
        # The first of them proves that the connection persists.
        assert [asked.method for asked in server.asked][:2] == ["POST", "GET"]


def test_the_caller_may_say_what_is_idempotent(run: Run) -> None:
    most = 0

    def answer(asked: Asked) -> bytes:
        nonlocal most
        most = max(most, server.end.unread.count(b"\r\n\r\n") + 1)
        return echo(asked)

    for idempotent in (True, False):
        with AnsweringServer(answer) as server:
            requests = [
                Request("GET" if not idempotent else "POST", f"/{n}", idempotent=idempotent)
                for n in range(40)
            ]
            check_echo(run(server, requests), requests)


# What the caller gives


def test_any_iterable_will_do_and_it_is_asked_as_late_as_can_be(
    echo_server: AnsweringServer, run: Run
) -> None:
    taken = 0

    def requests() -> Iterator[Request]:
        nonlocal taken
        for request in gets(30):
            taken += 1
            yield request

    found = answers(run(echo_server, requests()))
    assert [got.response.path for got in found] == [f"/{number}" for number in range(30)]
    assert taken == 30
