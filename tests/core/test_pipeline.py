"""Many requests over one connection: what is sent when, and which response belongs to which request."""

from __future__ import annotations

import io
import os
import random
from itertools import count
from typing import TYPE_CHECKING, Protocol

import pytest

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    HTTPConnection,
    HTTPResponse,
    InvalidResponse,
    LocalProtocolError,
    Pipelining,
    Request,
    StateError,
    Tracer,
    UnsupportedResponse,
)
from tests.support.answering import Answer, AnsweringServer, Asked, Then, last, ok
from tests.support.fix_certs import certificates as certificates
from tests.support.pipelines import WAYS, Got, Outcome, by_batches, by_heads
from tests.support.server_end import shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.server_end import Server

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
        def sent(self, data: bytes | bytearray | memoryview) -> None:
            sends.append(bytes(data))

        def received(self, data: bytes | bytearray | memoryview) -> None:
            pass

        def event(self, name: str, details: str) -> None:
            pass

    conn = echo_server.connection(tracer=Sends())
    by_batches(echo_server, conn, conn.pipeline(gets(1000), depth=200))
    assert b"".join(sends).count(b"\r\n\r\n") == 1000
    # The first alone, and then at least an eighth of the window at a time.
    assert len(sends) <= 1 + 1000 // 25 + 1


def test_the_first_request_travels_alone(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    unproven = conn.pipelining
    assert unproven is Pipelining.UNPROVEN
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


class Tagged(Request):
    """A request that knows more."""

    def __init__(self, path: str, tag: int) -> None:
        super().__init__("GET", path)
        self.tag = tag


def test_a_response_leads_back_to_what_the_caller_knows(
    echo_server: AnsweringServer, run: Run
) -> None:
    for got in answers(run(echo_server, (Tagged(f"/{tag}", tag) for tag in range(20)))):
        assert isinstance(got.response.request, Tagged)
        assert got.content == f"/{got.response.request.tag}:".encode()


CONTENT = bytes(range(256)) * 41
BODIES: dict[str, Callable[[], object]] = {
    "bytes": lambda: CONTENT,
    "small bytes": lambda: CONTENT[:100],
    "bytearray": lambda: bytearray(CONTENT),
    "memoryview": lambda: memoryview(CONTENT),
    "empty": lambda: b"",
    "a file in memory": lambda: io.BytesIO(CONTENT),
    "an empty file": lambda: io.BytesIO(),
    "a list": lambda: [CONTENT[:1000], b"", CONTENT[1000:]],
    "a generator": lambda: (CONTENT[start : start + 999] for start in range(0, len(CONTENT), 999)),
    "an empty list": list,
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_content_from_whatever_has_it(
    echo_server: AnsweringServer, run: Run, body: str, method: str
) -> None:
    requests = [Request(method, f"/{number}", body=BODIES[body]()) for number in range(12)]  # type: ignore[arg-type]  # each is a body
    with_gets = [each for request in requests for each in (request, Request("GET", "/between"))]
    found = answers(run(echo_server, with_gets))
    check_echo(found, with_gets)  # type: ignore[arg-type]  # a list is invariant
    wanted = {
        "empty": b"",
        "an empty file": b"",
        "an empty list": b"",
        "small bytes": CONTENT[:100],
    }
    for got in found[::2]:
        assert got.content == got.response.path.encode() + b":" + wanted.get(body, CONTENT)
    assert len(echo_server.ends) == 1


def test_content_from_a_file_begins_where_the_file_stands(
    echo_server: AnsweringServer, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        file.seek(1000)
        (got,) = answers(run(echo_server, [Request("PUT", "/", body=file)]))
        assert got.content == b"/:" + CONTENT[1000:]
        assert file.tell() == len(CONTENT)


def test_header_fields_go_along(echo_server: AnsweringServer, run: Run) -> None:
    requests = [Request("GET", f"/{number}", {"X-Number": str(number)}) for number in range(20)]
    check_echo(run(echo_server, requests), requests)
    assert [asked.headers["x-number"] for asked in echo_server.asked] == [str(n) for n in range(20)]


REFUSED: dict[str, Callable[[], object]] = {
    "a blank in the path": lambda: Request("GET", "/a b"),
    "a line end in the path": lambda: Request("GET", "/a\r\nX: y"),
    "a NUL in the path": lambda: Request("GET", "/\0"),
    "DEL in the path": lambda: Request("GET", "/\x7f"),
    "a path that is not ASCII": lambda: Request("GET", "/é"),
    "a path without slash": lambda: Request("GET", "a"),
    "a method that smuggles": lambda: Request("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/"),
    "a field that smuggles": lambda: Request("GET", "/", {"A": "b\r\nC: d"}),
    "str for content": lambda: Request("PUT", "/", body="text"),  # type: ignore[arg-type]  # the point
    "a number for content": lambda: Request("PUT", "/", body=5),  # type: ignore[arg-type]  # the point
    "a tunnel": lambda: Request("CONNECT", "a:1"),
    "an upgrade": lambda: Request("GET", "/", {"Upgrade": "x", "Connection": "upgrade"}),
    "no request": lambda: "/",
    "None": lambda: None,
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("position", [0, 1, 20])
def test_a_request_that_must_not_be_sent_is_refused_in_its_turn(
    echo_server: AnsweringServer, run: Run, what: str, position: int
) -> None:
    requests: list[Request] = gets(40)
    requests.insert(position, REFUSED[what]())  # type: ignore[arg-type]  # it is refused
    found = run(echo_server, requests)
    refusal = found.pop(position)
    assert isinstance(refusal, (LocalProtocolError, TypeError)), refusal
    assert not isinstance(refusal, StateError)
    del requests[position]
    check_echo(found, requests)
    assert len(echo_server.asked) == 40
    assert len(echo_server.ends) == 1


@pytest.mark.parametrize("number", [0, 1, 30])
def test_what_the_iterable_raises_is_raised_in_its_turn(
    echo_server: AnsweringServer, run: Run, number: int
) -> None:
    requests = gets(number)

    def faulty() -> Iterator[Request]:
        yield from requests
        raise ValueError("no more")

    found = run(echo_server, faulty())
    assert isinstance(found.pop(), ValueError)
    check_echo(found, requests)


def test_content_that_raises_fails_its_request_alone(run: Run) -> None:
    def faulty() -> Iterator[bytes]:
        yield b"some"
        raise ValueError("no more")

    with AnsweringServer(echo) as server:
        requests = [*gets(5), Request("PUT", "/faulty", body=faulty()), *gets(5, 5)]
        found = run(server, requests)
        assert isinstance(found.pop(5), ValueError)
        del requests[5]
        check_echo(found, requests)


@pytest.mark.parametrize("content", [b"", CONTENT[:100], CONTENT * 2])
def test_a_file_that_changes_while_it_is_sent_fails_its_request_alone(
    run: Run, content: bytes
) -> None:
    with AnsweringServer(echo) as server:
        file = ChangingFile(CONTENT, content)
        requests = [*gets(3), Request("PUT", "/changing", body=file), *gets(3, 3)]
        found = run(server, requests)
        assert isinstance(found.pop(3), LocalProtocolError)
        del requests[3]
        check_echo(found, requests)


class ChangingFile(io.BytesIO):
    """Has another length when that is asked for than when it is read."""

    def __init__(self, before: bytes, content: bytes) -> None:
        super().__init__(content)
        self._before = before

    def getbuffer(self) -> memoryview:
        return memoryview(self._before)


# The connection in between


def test_the_connection_is_the_pipelines_until_it_is_at_its_end(
    echo_server: AnsweringServer,
) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(3))
    # Nothing has begun.
    echo_server.drive(conn.co_send_request("GET", "/before"))
    echo_server.drive(conn.co_read_response())
    with pytest.raises(StateError, match="not read"):
        echo_server.drive(pipeline.co_next_response())
    echo_server.drive(conn.co_readall())
    echo_server.drive(pipeline.co_next_response())
    with pytest.raises(StateError, match="pipeline is under way"):
        echo_server.drive(conn.co_send_request("GET", "/"))
    with pytest.raises(StateError, match="pipeline is under way"):
        next(conn.co_read_response())
    with pytest.raises(StateError, match="another pipeline"):
        echo_server.drive(conn.pipeline(gets(1)).co_next_response())
    # What the pipeline does is not disturbed by that.
    assert echo_server.drive(conn.co_readall()) == b"/0:"
    assert [got.content for got in answers(by_heads(echo_server, conn, pipeline))] == [
        b"/1:",
        b"/2:",
    ]
    echo_server.drive(conn.co_send_request("GET", "/after"))
    assert echo_server.drive(conn.co_read_response()).path == "/after"
    assert len(echo_server.ends) == 1


def test_a_pipeline_of_which_all_was_had_lets_go_by_itself(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(2))
    for _ in range(2):
        echo_server.drive(pipeline.co_next_response())
        echo_server.drive(conn.co_readall())
    echo_server.drive(conn.co_send_request("GET", "/after"))
    echo_server.drive(conn.co_read_response())
    assert echo_server.drive(pipeline.co_next_response()) is None
    assert echo_server.drive(conn.co_readall()) == b"/after:"


def test_closing_a_pipeline_in_the_middle_closes_the_connection(
    echo_server: AnsweringServer,
) -> None:
    conn = echo_server.connection()
    with conn.pipeline(gets(100), depth=10) as pipeline:
        for _ in range(3):
            echo_server.drive(pipeline.co_next_response())
    assert echo_server.drive(pipeline.co_next_batch()) == []
    assert echo_server.drive(pipeline.co_next_response()) is None
    assert conn.closed
    pipeline.close()
    answers(by_batches(echo_server, conn, conn.pipeline(gets(10))))
    assert len(echo_server.ends) == 2


def test_closing_a_pipeline_between_responses_leaves_the_connection_open(
    echo_server: AnsweringServer,
) -> None:
    conn = echo_server.connection()
    with conn.pipeline(gets(100), depth=1) as pipeline:
        echo_server.drive(pipeline.co_next_batch())
    assert not conn.closed
    answers(by_batches(echo_server, conn, conn.pipeline(gets(10))))
    assert len(echo_server.ends) == 1


@pytest.mark.parametrize("how", ["close", "reset", "disconnect"])
def test_closing_the_connection_ends_the_pipeline(echo_server: AnsweringServer, how: str) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(100), depth=10)
    echo_server.drive(pipeline.co_next_response())
    echo_server.drive(conn.co_readall())
    echo_server.drive(pipeline.co_next_response())
    getattr(conn, how)()
    with pytest.raises(ConnectionClosed) as caught:
        echo_server.drive(pipeline.co_next_response())
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert caught.value.answered == 1
    assert [one.path for one in caught.value.unanswered[:2]] == ["/1", "/2"]
    # There were more, so this is not what the end looks like.
    with pytest.raises(StateError, match="the pipeline has ended"):
        echo_server.drive(pipeline.co_next_response())
    echo_server.drive(conn.co_send_request("GET", "/after"))
    assert echo_server.drive(conn.co_read_response()).path == "/after"


@pytest.mark.parametrize("options", [{"depth": 0}, {"depth": -1}, {"retries": -1}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(LocalProtocolError, match="needs a depth of at least 1"):
        HTTPConnection("localhost").pipeline([], **options)  # type: ignore[arg-type]  # by name


def test_pairs_that_were_received_come_before_anything_else(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(40), depth=40)
    with echo_server.in_thread():
        for response, _ in pipeline.with_bodies():
            if response.path == "/5":
                break
        rest = [response.path for response, _ in pipeline.with_bodies()]
    assert rest == [f"/{number}" for number in range(6, 40)]


def test_heads_and_pairs_do_not_mix_in_the_middle_of_a_batch(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    requests = gets(40)
    pipeline = conn.pipeline(requests, depth=40)
    with echo_server.in_thread():
        iterator = pipeline.with_bodies()
        next(iterator)
        next(iterator)
        if pipeline.pairs:
            with pytest.raises(StateError, match="were received with their content"):
                pipeline.next_response()
        batch = pipeline.next_batch()
        assert batch[0][0].path == "/2"
        response = pipeline.next_response()
        assert response is None or response.path == f"/{2 + len(batch)}"


# Blocking


def test_blocking_calls(echo_server: AnsweringServer) -> None:
    requests = gets(500)
    conn = echo_server.connection()
    with echo_server.in_thread():
        found = [Got(response, conn.readall()) for response in conn.pipeline(requests)]
        check_echo(list(found), requests)
        pairs = [Got(*pair) for pair in conn.pipeline(requests).with_bodies()]
        check_echo(list(pairs), requests)
        pipeline = conn.pipeline(gets(2))
        first = pipeline.next_response()
        assert first is not None
        assert first.path == "/0"
        assert pipeline.next_response() is not None
        assert pipeline.next_response() is None
        assert next(iter(pipeline), None) is None


def test_a_time_out_can_be_waited_out() -> None:
    with AnsweringServer(lambda asked: b"") as server:
        conn = server.connection(timeout=0)
        pipeline = conn.pipeline(gets(3))
        server.drive(conn.co_connect())
        server.progress()
        with pytest.raises(ConnectionTimedOut):
            pipeline.next_response()
        server.progress()
        server.end.send(ok(b"/0"))
        response = pipeline.next_response()
        assert response is not None
        assert (response.path, conn.readall()) == ("/0", b"/0")
        with pytest.raises(ConnectionTimedOut):
            pipeline.next_batch()
        server.progress()
        server.end.send(ok(b"/1") + ok(b"/2")[:20])
        assert [content for _, content in pipeline.next_batch()] == [b"/1"]
        with pytest.raises(ConnectionTimedOut):
            pipeline.next_batch()
        server.end.send(ok(b"/2")[20:])
        assert [content for _, content in pipeline.next_batch()] == [b"/2"]
        assert pipeline.next_batch() == []
        assert len(server.asked) == 3


# Coroutines that are dropped


@pytest.mark.parametrize("kind", ["heads", "batches"])
@pytest.mark.parametrize("size", [10, 70_000])
def test_a_coroutine_that_is_dropped_at_any_yield_loses_nothing(kind: str, size: int) -> None:
    """Each is dropped after one yield more than the one before, and begun again."""
    requests: list[Request] = []
    for number in range(8):
        requests += [
            Request("GET", f"/{number}"),
            Request("PUT", f"/{number}/up", body=os.urandom(size)),
            Request("HEAD", f"/{number}/head"),
        ]

    def answer(asked: Asked) -> bytes:
        if asked.method == "HEAD":
            return head_only(ok(b"x"))
        return ok(asked.path.encode() + b":" + asked.content + bytes(size))

    for patience in count():
        with AnsweringServer(answer, small=True) as server:
            conn = server.connection()
            server.drive(conn.co_connect())
            shrink_send_buffer(conn)
            pipeline = conn.pipeline(requests, depth=5)
            found: list[Got] = []
            drops = 0

            def insist(make: Callable[[], object], server: AnsweringServer = server) -> object:
                nonlocal drops
                allowed = patience  # noqa: B023 - used up before it changes
                while True:
                    coroutine = make()
                    try:
                        for _ in range(allowed + 1):
                            needed = next(coroutine)  # type: ignore[call-overload]  # a generator
                            server.progress()
                            while not needed.poll(0.01):
                                server.progress()
                    except StopIteration as end:
                        return end.value
                    coroutine.close()  # type: ignore[attr-defined]  # a generator
                    drops += 1

            if kind == "heads":
                while response := insist(pipeline.co_next_response):
                    assert isinstance(response, HTTPResponse)
                    content = insist(conn.co_readall)
                    assert isinstance(content, bytes)
                    found.append(Got(response, content))
            else:
                while batch := insist(pipeline.co_next_batch):
                    found += [Got(*pair) for pair in batch]  # type: ignore[attr-defined]  # a list
            check_echo(list(found), requests)
            assert len(server.asked) == len(requests)
            assert len(server.ends) == 1
        if not drops or patience == 12:
            break
    assert patience > 0


def test_reading_that_is_dropped_goes_on_with_the_same_response() -> None:
    with AnsweringServer(lambda asked: b"") as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(2))
        coroutine = pipeline.co_next_batch()
        while not server.asked:
            next(coroutine)
            server.progress()
        server.end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        for _ in range(5):
            next(coroutine)
        coroutine.close()
        server.end.send(b"0\r\n\r\n")
        ((response, content),) = server.drive(pipeline.co_next_batch())
        assert (response.path, content) == ("/0", b"hello")


# What the wire sees


def test_a_tracer_sees_each_request_and_each_response(echo_server: AnsweringServer) -> None:
    events: list[tuple[str, str]] = []

    class Events(Tracer):
        def sent(self, data: bytes | bytearray | memoryview) -> None:
            pass

        def received(self, data: bytes | bytearray | memoryview) -> None:
            pass

        def event(self, name: str, details: str) -> None:
            events.append((name, details))

    conn = echo_server.connection(tracer=Events())
    requests = [*gets(10), Request("PUT", "/10", body=CONTENT), *gets(5, 11)]
    by_batches(echo_server, conn, conn.pipeline(requests))
    asked = [details for name, details in events if name == "request"]
    assert asked == [f"{request.method} {request.path}" for request in requests]
    answered = [details for name, details in events if name == "response"]
    assert answered == [f"200 to {request.method} {request.path}" for request in requests]


def test_over_tls(certificates: Certificates, run: Run) -> None:
    requests = [*gets(200), Request("PUT", "/200", body=os.urandom(300_000)), *gets(20, 201)]
    with AnsweringServer(echo, certificates) as server:
        check_echo(run(server, requests), requests)
        assert len(server.ends) == 1


def test_to_a_proxy_requests_go_in_absolute_form() -> None:
    with AnsweringServer(echo, tcp=True) as server:
        conn = HTTPConnection("example.test", 8080, proxy=("127.0.0.1", server.port), timeout=20)
        with conn:
            pipeline = conn.pipeline([*gets(20), Request("PUT", "/20", body=b"x")])
            answers(by_batches(server, conn, pipeline))
        assert [asked.path for asked in server.asked] == [
            f"http://example.test:8080/{number}" for number in range(21)
        ]
        assert {asked.headers["host"] for asked in server.asked} == {"example.test:8080"}


def test_the_documents_ways_work_beside_it(echo_server: AnsweringServer) -> None:
    conn = echo_server.connection()
    answers(by_batches(echo_server, conn, conn.pipeline(gets(10))))
    with echo_server.in_thread():
        conn.send_request("PUT", "/by-hand", body=BodyFollowing(5))
        conn.write(b"hello")
        assert conn.read_response().path == "/by-hand"
        assert conn.readall() == b"/by-hand:hello"
        for _ in conn.send_request("GET", "/cofunction", via_cofun=True):
            pass
        assert conn.read_response().path == "/cofunction"
        conn.discard()
        assert [response.path for response in conn.pipeline(gets(3))] == ["/0", "/1", "/2"]


# Poison


def test_a_response_to_nothing_is_found_before_more_is_sent() -> None:
    with AnsweringServer(lambda asked: ok(b"1") * 2) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(3), depth=1)
        assert answers([Got(*pair) for pair in server.drive(pipeline.co_next_batch())])
        with pytest.raises(InvalidResponse, match="no request was outstanding"):
            server.drive(pipeline.co_next_batch())
        # The request that was to be sent was not, and goes over a new connection.
        ((response, _),) = server.drive(pipeline.co_next_batch())
        assert response.path == "/1"
        assert [asked.path for asked in server.asked] == ["/0", "/1"]
        assert len(server.ends) == 2


def test_a_response_too_many_is_found_at_the_latest_at_the_end(run: Run) -> None:
    def answer(asked: Asked) -> bytes:
        return ok(b"x") * (2 if asked.path == "/10" else 1)

    with AnsweringServer(answer) as server:
        found = run(server, gets(20))
        # Which response was the one too many, nobody can tell, but it is told that there was one.
        (failure,) = (each for each in found if isinstance(each, Exception))
        assert isinstance(failure, InvalidResponse)
        assert len(found) == 21


@pytest.mark.parametrize(
    "garbage",
    [b"\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\0", b"HTTP/1.1 101 X\r\n\r\n"],
)
def test_garbage_between_responses_is_no_response(run: Run, garbage: bytes) -> None:
    def answer(asked: Asked) -> bytes:
        return ok(b"x") + (garbage if asked.path == "/10" and asked.connection == 0 else b"")

    requests = gets(30)
    with AnsweringServer(answer) as server:
        found = run(server, requests)
        (failure,) = (each for each in found if isinstance(each, Exception))
        assert isinstance(failure, InvalidResponse)
        rest = answers([each for each in found if each is not failure])
        paths = [got.response.path for got in rest]
        # One request was given up, or none if the garbage was found before it was sent.
        assert paths in (
            [f"/{number}" for number in range(30) if number != 11],
            [f"/{number}" for number in range(30)],
        )


def test_content_that_cannot_be_delimited_fails_its_request_alone() -> None:
    def answer(asked: Asked) -> bytes:
        if asked.path == "/3":
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nwhatever"
        return ok(asked.path.encode())

    for way in WAYS.values():
        with AnsweringServer(answer) as server:
            conn = server.connection()
            found = way(server, conn, conn.pipeline(gets(8), backoff=0))
            assert isinstance(found[3], UnsupportedResponse)
            rest = answers([*found[:3], *found[4:]])
            assert [got.content for got in rest] == [b"/%d" % n for n in range(8) if n != 3]
        # Whoever does not read it need not know.
        with AnsweringServer(answer) as server:
            conn = server.connection()
            pipeline = conn.pipeline(gets(8), backoff=0)
            paths = []
            while response := server.drive(pipeline.co_next_response()):
                paths.append(response.path)
            assert paths == [f"/{number}" for number in range(8)]


def test_randomly_mixed_pipelines(run: Run) -> None:
    """Everything at once, with a seed for each run."""
    for seed in range(6):
        chance = random.Random(seed)
        requests: list[Request] = []
        for number in range(120):
            method = chance.choice(["GET", "GET", "GET", "HEAD", "PUT", "POST", "DELETE"])
            body: object = None
            if method in ("PUT", "POST"):
                content = chance.randbytes(chance.choice([0, 1, 5000, 80_000]))
                body = chance.choice([content, io.BytesIO(content), [content] if content else []])
            requests.append(Request(method, f"/{number}", body=body))  # type: ignore[arg-type]  # each is a body

        def answer(asked: Asked, chance: random.Random = chance) -> bytes:
            size = chance.choice([0, 0, 100, 3000, 100_000])
            content = asked.path.encode() + b":" + asked.content + bytes(size)
            data = chance.choice([*ODD_ANSWERS.values()][:1] * 3 + [ODD_ANSWERS["chunked"]])(
                content
            )
            return head_only(data) if asked.method == "HEAD" else data

        with AnsweringServer(answer, small=seed % 2 == 1) as server:
            check_echo(run(server, requests), requests)
            assert len(server.asked) == 120


# Small content


def test_small_content_comes_at_once_and_large_content_does_not() -> None:
    large = b"x" * 200_000
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n"

    def answer(asked: Asked) -> bytes:
        return {"/3": ok(large), "/5": chunked}.get(asked.path, ok(b"small"))

    with AnsweringServer(answer) as server:
        conn = server.connection()
        pipeline = conn.pipeline(gets(8), depth=DEPTH)
        kinds = {}
        while True:
            batch = server.drive(pipeline.co_next_small())
            for response, content in batch:
                kinds[response.path] = ("small", content)
            if batch:
                continue
            head = server.drive(pipeline.co_next_response())
            if head is None:
                break
            kinds[head.path] = ("head", server.drive(conn.co_readall()))
    assert kinds.pop("/3") == ("head", large)
    assert kinds.pop("/5") == ("head", b"y")
    assert list(kinds) == ["/0", "/1", "/2", "/4", "/6", "/7"]
    assert set(kinds.values()) == {("small", b"small")}


def test_what_was_received_for_pairs_is_not_lost_to_small_ones(
    echo_server: AnsweringServer,
) -> None:
    conn = echo_server.connection()
    pipeline = conn.pipeline(gets(40), depth=40)
    with echo_server.in_thread():
        iterator = pipeline.with_bodies()
        paths = [next(iterator)[0].path, next(iterator)[0].path]
        while batch := pipeline.next_small():
            paths += [response.path for response, _ in batch]
        assert pipeline.next_response() is None
    assert paths == [f"/{number}" for number in range(40)]
