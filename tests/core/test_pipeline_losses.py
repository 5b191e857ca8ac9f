"""Connections that are lost under a pipeline: each request is answered once, or reported once.

The server lives in the thread of the test, so what has arrived when is known, and a random number that comes from a
seed brings the same losses every time.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from httpio import (
    POLLIN,
    CloseReason,
    ConnectionClosed,
    HTTPConnection,
    Pipelining,
    PollNeeded,
    Request,
)
from tests.support.answering import Answer, AnsweringServer, Asked, Then, last, ok
from tests.support.fix_certs import certificates as certificates
from tests.support.pipelines import WAYS, Got, Outcome
from tests.support.server_end import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import PollGenerator
    from tests.support.certs import Certificates

    MakeServer = Callable[[Callable[[Asked], bytes | Answer]], "TidyServer"]


pytestmark = pytest.mark.exhaustive

T = TypeVar("T")

KINDS = ["unix", "tcp", "tls"]
SEED = 7


class TidyServer(AnsweringServer):
    """Closes its end when both sides are done with a connection: there will be many."""

    def progress(self) -> None:
        super().progress()
        for connection in self._connections:
            end = connection.end
            if connection.over and (end.at_end or end.broken) and end.sock.fileno() >= 0:
                end.close()


# Ten thousand requests take their time. TLS and unix sockets get all the other tests.
over_tcp = pytest.mark.parametrize("make_server", ["tcp"], indirect=True)
on_network = pytest.mark.parametrize("make_server", ["tcp", "tls"], indirect=True)


@pytest.fixture(params=KINDS)
def make_server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[MakeServer]:
    """Return a function that makes a server, once for each kind of connection."""
    kind: str = request.param
    made: list[TidyServer] = []

    def make(answer: Callable[[Asked], bytes | Answer]) -> TidyServer:
        server = TidyServer(answer, certificates if kind == "tls" else None, tcp=kind == "tcp")
        made.append(server)
        return server

    yield make
    for server in made:
        server.__exit__()


def content_of(path: str) -> bytes:
    """Return the content that belongs to *path*, and to no other."""
    return f"<{path}>".encode() * (1 + int(path[1:]) % 40)


def check_once(outcome: Outcome, requests: list[Request]) -> Counter[str]:
    """Check that each of *requests* is answered or reported, once and in its turn.

    Returns how many were.
    """
    assert len(outcome) == len(requests)
    counts: Counter[str] = Counter()
    for index, (request, each) in enumerate(zip(requests, outcome, strict=True)):
        if isinstance(each, Got):
            assert each.response.request is request
            assert each.summary == (request.path, 200, content_of(request.path))
            counts["answered"] += 1
        else:
            assert isinstance(each, ConnectionClosed), each
            check_report(each, requests[index:], counts["answered"])
            counts["reported"] += 1
    return counts


def check_report(exc: ConnectionClosed, rest: list[Request], answered: int) -> None:
    """Check an exception for the first request of *rest*, before which *answered* were answered."""
    assert exc.answered == answered
    # The first, and of those behind it as many as the pipeline has taken.
    count = len(exc.unanswered)
    assert count >= 1
    assert [unanswered.request for unanswered in exc.unanswered] == rest[:count]
    for number, (unanswered, request) in enumerate(zip(exc.unanswered, rest, strict=False)):
        assert (unanswered.method, unanswered.path) == (request.method, request.path)
        # A request that must not be repeated travels alone: one further behind was not sent.
        assert unanswered.repeatable is (request.idempotent or number > 0)
    assert exc.reason in (CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST)


class Unreliable:
    """Answers, and breaks off at a random byte of a random answer."""

    def __init__(self, every: int, *, announced: int = 0, seed: int = SEED) -> None:
        self.chance = random.Random(seed)
        self.every = every
        self.announced = announced
        self.posts: Counter[str] = Counter()
        self.losses: Counter[Then] = Counter()
        #: The answers that were broken off, by how far they came.
        self.broken_off: dict[str, list[tuple[str, Then]]] = {
            "head": [],
            "content": [],
            "nowhere": [],
        }

    def __call__(self, asked: Asked) -> bytes | Answer:
        if asked.method == "POST":
            self.posts[asked.path] += 1
            assert asked.content == content_of(asked.path)
        content = content_of(asked.path)
        data = ok(content)
        if self.announced and not self.chance.randrange(self.announced):
            return last(content)
        if self.chance.randrange(self.every):
            return data
        size = self.chance.randrange(len(data) + 1)
        # More often where it matters: nothing, all, and what is about the end of the head.
        begin = len(data) - len(content)
        size = self.chance.choice([size, size, 0, len(data), begin - 1, begin, begin + 1])
        where = "head" if size < begin else "content" if size < len(data) else "nowhere"
        then = self.chance.choice([Then.CLOSE, Then.RESET])
        self.broken_off[where].append((asked.path, then))
        self.losses[then] += 1
        return Answer(data[:size], then)


def mixed(number: int, *, posts: float, seed: int = SEED) -> list[Request]:
    """Return requests, with numbers as paths; about *posts* of them are POST."""
    chance = random.Random(seed)
    return [
        Request("POST", f"/{index}", body=content_of(f"/{index}"))
        if chance.random() < posts
        else Request("GET", f"/{index}")
        for index in range(number)
    ]


def without_retold(outcome: Outcome) -> Outcome:
    """Leave out exceptions for requests that were answered afterwards.

    Whoever reads the content himself is told that it broke off, even if it comes again.
    """
    found: Outcome = []
    for index, each in enumerate(outcome):
        following = outcome[index + 1] if index + 1 < len(outcome) else None
        if isinstance(each, ConnectionClosed):
            first = each.unanswered[0].request
            if isinstance(following, ConnectionClosed) and following.unanswered[0].request is first:
                continue
            if isinstance(following, Got) and following.response.request is first:
                continue
        found.append(each)
    return found


# Random losses


def run_all(
    make_server: MakeServer,
    way: str,
    answer: Unreliable,
    requests: list[Request],
    *,
    retry_partial: bool,
    each: int,
) -> tuple[Outcome, TidyServer]:
    """Run *requests*, *each* of them on a connection object of their own."""
    server = make_server(answer)
    outcome: Outcome = []
    for start in range(0, len(requests), each):
        conn = server.connection()
        pipeline = conn.pipeline(
            requests[start : start + each],
            depth=16,
            # None of them is to be given up by chance.
            retries=50,
            backoff=0,
            retry_partial=retry_partial,
        )
        found = WAYS[way](server, conn, pipeline)
        if retry_partial:
            found = without_retold(found)
        for exc in found:
            if isinstance(exc, ConnectionClosed):
                exc.answered += sum(isinstance(before, Got) for before in outcome)
        outcome += found
        conn.close()
    return outcome, server


@over_tcp
# One object finds out soon that it is better not to pipeline; new ones do not know that.
@pytest.mark.parametrize(
    ("each", "way"), [(10_000, "batches"), (100, "heads")], ids=["one-object", "many-objects"]
)
def test_every_idempotent_request_is_answered_once(
    make_server: MakeServer, way: str, each: int
) -> None:
    answer = Unreliable(25, announced=0 if each == 10_000 else 100)
    requests = mixed(10_000, posts=0)
    outcome, _ = run_all(make_server, way, answer, requests, retry_partial=True, each=each)
    assert check_once(outcome, requests) == {"answered": 10_000}
    assert min(answer.losses.values()) > 150
    assert min(map(len, answer.broken_off.values())) > 50


@over_tcp
@pytest.mark.parametrize("way", ["heads"])
def test_a_request_whose_content_broke_off_is_reported_once(
    make_server: MakeServer, way: str
) -> None:
    answer = Unreliable(25)
    requests = mixed(10_000, posts=0)
    outcome, _ = run_all(make_server, way, answer, requests, retry_partial=False, each=100)
    counts = check_once(outcome, requests)
    reported = {
        request.path
        for request, each in zip(requests, outcome, strict=True)
        if isinstance(each, ConnectionClosed)
    }
    broken_off = answer.broken_off["content"]
    assert counts["reported"] > 100
    assert reported <= {path for path, _ in broken_off}
    # A reset may overtake what was sent before it.
    assert reported >= {path for path, then in broken_off if then is Then.CLOSE}


@over_tcp
@pytest.mark.parametrize(("retry_partial", "way"), [(True, "batches"), (False, "heads")])
def test_no_post_is_ever_sent_twice(make_server: MakeServer, way: str, retry_partial: bool) -> None:
    answer = Unreliable(25, announced=200)
    requests = mixed(10_000, posts=0.05)
    outcome, _ = run_all(make_server, way, answer, requests, retry_partial=retry_partial, each=500)
    check_once(outcome, requests)
    posts = [request.path for request in requests if request.method == "POST"]
    reported = [
        request
        for request, each in zip(requests, outcome, strict=True)
        if isinstance(each, ConnectionClosed)
    ]
    assert len(posts) > 400
    assert sum(request.method == "POST" for request in reported) > 5
    # Each arrives, even if its response does not.
    assert answer.posts == Counter(posts), "one was sent twice"
    if retry_partial:
        assert all(request.method == "POST" for request in reported)


# Every byte


class CutOnce:
    """Breaks off the answer to one path, once, after so many bytes."""

    def __init__(self, path: str, size: int, then: Then) -> None:
        self.cut = (path, size, then)
        self.done = False

    def __call__(self, asked: Asked) -> bytes | Answer:
        path, size, then = self.cut
        data = ok(content_of(asked.path))
        if asked.path == path and not self.done:
            self.done = True
            return Answer(data[:size], then)
        return data


def positions() -> range:
    """Return every position in an answer, with its beginning and its end."""
    return range(len(ok(content_of("/1"))) + 1)


def summary(outcome: Outcome) -> list[str]:
    """Return what became of each request: its path, with a mark if it was reported."""
    found = []
    for each in outcome:
        if isinstance(each, Got):
            assert each.summary == (
                each.response.path,
                200,
                content_of(each.response.path),
            )
            found.append(each.response.path)
        else:
            assert isinstance(each, ConnectionClosed), each
            found.append("lost " + each.unanswered[0].path)
    return found


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("way", ["batches", "pieces"])
@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_byte(make_server: MakeServer, way: str, then: Then, cut: int, method: str) -> None:
    """Of four answers, one is broken off: the first, which travels alone, or one in the middle."""
    requests = [
        Request(method if index == cut else "GET", f"/{index}", body=None) for index in range(4)
    ]
    data = ok(content_of(f"/{cut}"))
    begin = data.index(b"\r\n\r\n") + 4
    all_answered = [f"/{index}" for index in range(4)]
    for retry_partial in (False, True):
        for size in range(len(data) + 1):
            server = make_server(CutOnce(f"/{cut}", size, then))
            conn = server.connection()
            pipeline = conn.pipeline(requests, backoff=0, retry_partial=retry_partial)
            outcome = WAYS[way](server, conn, pipeline)
            expected = all_answered.copy()
            complete = size == len(data)
            repeated = method == "GET" and (size < begin or retry_partial)
            told = begin <= size < len(data) and way != "batches"
            if not complete and not repeated:
                expected[cut] = f"lost /{cut}"
            elif not complete and told:
                # Who reads content in pieces has some of it already.
                expected.insert(cut, f"lost /{cut}")
            assert summary(outcome) == expected, (size, retry_partial)
            for index, each in enumerate(outcome):
                if isinstance(each, ConnectionClosed):
                    assert index == cut
                    check_report(each, requests[cut:], cut)
            if method == "POST":
                posts = [asked for asked in server.asked if asked.method == "POST"]
                assert len(posts) == 1, (size, retry_partial)
            # And the object is as good as new.
            assert pipeline.answered == sum(isinstance(each, Got) for each in outcome)
            server.drive(conn.co_send_request("GET", "/5"))
            assert server.drive(conn.co_read_response()).path == "/5"
            assert server.drive(conn.co_readall()) == content_of("/5")
            more = conn.pipeline([Request("GET", "/6"), Request("GET", "/7")], backoff=0)
            assert summary(WAYS[way](server, conn, more)) == ["/6", "/7"]
            server.__exit__()


@pytest.mark.parametrize("way", WAYS)
def test_every_byte_of_an_answer_in_chunks(make_server: MakeServer, way: str) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4\r\n<1><\r\n4\r\n1>ab\r\n0\r\nT: t\r\n\r\n"
    )
    begin = data.index(b"\r\n\r\n") + 4
    for then in (Then.CLOSE, Then.RESET):
        for size in range(len(data) + 1):
            cut = CutOnce("/1", size, then)

            def answer(asked: Asked, size: int = size, cut: CutOnce = cut) -> bytes | Answer:
                if asked.path != "/1":
                    return ok(content_of(asked.path))
                if cut.done:
                    return data
                cut.done = True
                return Answer(data[:size], cut.cut[2])

            server = make_server(answer)
            conn = server.connection()
            requests = [Request("GET", f"/{index}") for index in range(4)]
            outcome = WAYS[way](server, conn, conn.pipeline(requests, backoff=0))
            assert len(outcome) == 4
            for request, each in zip(requests, outcome, strict=True):
                if isinstance(each, Got):
                    wanted = b"<1><1>ab" if request.path == "/1" else content_of(request.path)
                    assert each.summary == (request.path, 200, wanted)
                else:
                    assert request.path == "/1"
                    assert begin <= size < len(data)
                    assert isinstance(each, ConnectionClosed)
                    check_report(each, requests[1:], 1)
            assert isinstance(outcome[1], Got) is not (begin <= size < len(data)), size
            server.__exit__()


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
def test_an_unread_answer_that_broke_off_is_not_missed(make_server: MakeServer, then: Then) -> None:
    """Its head was handed over, and the caller went on: he must not get it a second time."""
    data = ok(content_of("/1"))
    begin = data.index(b"\r\n\r\n") + 4
    for retry_partial in (False, True):
        for size in range(begin, len(data) + 1):
            server = make_server(CutOnce("/1", size, then))
            conn = server.connection()
            requests = [Request("GET", f"/{index}") for index in range(4)]
            pipeline = conn.pipeline(requests, backoff=0, retry_partial=retry_partial)
            paths = []
            while response := server.drive(pipeline.co_next_response()):
                paths.append(response.path)
            assert paths == ["/0", "/1", "/2", "/3"], (size, retry_partial)
            server.__exit__()


# Answers that end with the connection


def finish(conn: HTTPConnection, coroutine: PollGenerator[T]) -> T:
    """Return the result of *coroutine*, which receives, while the server does nothing."""
    try:
        while PollNeeded(conn.fileno(), POLLIN).poll(PATIENCE):
            next(coroutine)
    except StopIteration as exc:
        result: T = exc.value
        return result
    raise AssertionError("nothing comes")


HEAD_OF_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@on_network
@pytest.mark.parametrize("way", WAYS)
def test_content_up_to_the_close_is_lost_with_a_reset(make_server: MakeServer, way: str) -> None:
    def answer(asked: Asked) -> bytes | Answer:
        if asked.path == "/3" and asked.connection == 0:
            return Answer(HEAD_OF_LAST + b"half of it", Then.RESET)
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(40)]
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=8, backoff=0))
    assert check_once(outcome, requests) == {"answered": 39, "reported": 1}
    assert isinstance(outcome[3], ConnectionClosed)


@on_network
def test_content_up_to_the_close_is_lost_with_a_reset_that_a_send_has_noticed_first(
    make_server: MakeServer,
) -> None:
    """The system tells of a reset once: if a send was told, a receive sees a mere end."""
    server = make_server(lambda asked: b"")
    conn = server.connection()
    long = "x" * 2000
    requests = [Request("GET", f"/{index}?{long}") for index in range(200)]
    pipeline = conn.pipeline(requests, depth=200, backoff=0)
    end = server.connect(conn, small=True)
    coroutine = pipeline.co_next_response()
    next(coroutine)
    end.expect_head(b"GET /0?")
    end.respond(b"")
    assert server.drive(coroutine) is not None
    # From now on the server reads nothing, so the block gets stuck in the middle.
    coroutine = pipeline.co_next_response()
    for _ in range(20):
        next(coroutine)
    end.send(HEAD_OF_LAST)
    response = finish(conn, coroutine)
    assert response is not None
    assert response.path.startswith("/1?")
    end.send(b"half of it")
    end.reset()
    with pytest.raises(ConnectionClosed) as caught:
        finish(conn, conn.co_readall())
    assert caught.value.unanswered[0].request is requests[1]


def test_no_request_is_begun_after_the_server_has_announced_its_close(
    make_server: MakeServer,
) -> None:
    """RFC 9112 §9.6: a client that receives the close option must cease sending requests."""
    server = make_server(lambda asked: b"")
    conn = server.connection()
    long = "x" * 2000
    requests = [Request("GET", f"/{index}?{long}") for index in range(200)]
    pipeline = conn.pipeline(requests, depth=200, backoff=0)
    end = server.connect(conn, small=True)
    coroutine = pipeline.co_next_response()
    next(coroutine)
    end.expect_head(b"GET /0?")
    end.respond(b"")
    assert server.drive(coroutine) is not None
    # From now on the server reads nothing, so the block gets stuck in the middle.
    coroutine = pipeline.co_next_response()
    for _ in range(20):
        next(coroutine)
    end.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
    response = finish(conn, coroutine)
    assert response is not None
    assert response.path.startswith("/1?")
    sent = 0 if pipeline._state is None else len(pipeline._state.outstanding)
    # Now it reads again, and the client could send more.
    reading = conn.co_readall()
    for _ in range(200):
        next(reading)
        end.progress()
    end.send(b"0123456789")
    assert server.drive(reading) == b"0123456789"
    end.progress()
    begun = bytes(end.received).count(b"GET /") - 1
    assert begun <= sent, f"{begun - sent} requests were begun after the announcement"


@pytest.mark.parametrize("way", WAYS)
def test_content_that_can_be_had_once_is_reported_with_a_reason(
    make_server: MakeServer, way: str
) -> None:
    """It was sent behind others, which are sent again; it cannot be."""

    def answer(asked: Asked) -> bytes | Answer:
        if asked.connection == 0 and asked.path == "/4":
            # By now the upload is under way.
            return Answer(b"", Then.CLOSE)
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(5)]
    requests.append(Request("PUT", "/5", body=iter([b"some", b"thing"])))
    requests += [Request("GET", f"/{index}") for index in range(6, 9)]
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=4, backoff=0))
    assert [each.removeprefix("lost ") for each in summary(outcome)] == [
        f"/{index}" for index in range(9)
    ]
    lost = outcome[5]
    assert isinstance(lost, ConnectionClosed)
    assert lost.answered == 5
    assert lost.unanswered[0].request is requests[5]
    assert not lost.unanswered[0].repeatable
    assert lost.reason in (CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST)
    assert not str(lost).endswith("None")


# Retries


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
def test_a_request_is_given_up_after_so_many_retries(
    make_server: MakeServer, way: str, retries: int, then: Then
) -> None:
    bad = {"/0", "/7", "/8", "/19"}

    def answer(asked: Asked) -> bytes | Answer:
        if asked.path in bad:
            return Answer(b"", then)
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(20)]
    pipeline = conn.pipeline(requests, depth=8, retries=retries, backoff=0)
    outcome = WAYS[way](server, conn, pipeline)
    counts = check_once(outcome, requests)
    assert counts == {"answered": 16, "reported": 4}
    assert {each[5:] for each in summary(outcome) if each.startswith("lost")} == bad
    asked = Counter(asked.path for asked in server.asked)
    for path in bad:
        # Once, and as often again; but what was sent behind another one does not count.
        assert asked[path] == retries + 1, path


def test_an_answer_in_between_makes_the_count_begin_again(make_server: MakeServer) -> None:
    answered: set[str] = set()

    def answer(asked: Asked) -> bytes | Answer:
        # Each is lost twice.
        tries = sum(before.path == asked.path for before in server.asked)
        if tries < 3:
            return Answer(b"HTTP/1.1 2", Then.CLOSE)
        answered.add(asked.path)
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(30)]
    outcome = WAYS["batches"](server, conn, conn.pipeline(requests, depth=4, retries=2, backoff=0))
    assert check_once(outcome, requests) == {"answered": 30}


@pytest.mark.parametrize("way", WAYS)
def test_pauses_between_the_attempts(make_server: MakeServer, way: str) -> None:
    """With a backoff it takes longer, and comes to the same."""
    failed = 0

    def answer(asked: Asked) -> bytes | Answer:
        nonlocal failed
        if asked.path == "/2" and failed < 3:
            failed += 1
            return Answer(b"", Then.CLOSE)
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(5)]
    outcome = WAYS[way](server, conn, conn.pipeline(requests, retries=3, backoff=0.02))
    assert check_once(outcome, requests) == {"answered": 5}
    assert failed == 3


@pytest.mark.parametrize("way", WAYS)
def test_nobody_listens(way: str) -> None:
    """What cannot be sent is not given up: it can be tried again."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        # Bound, and not listening: nobody else gets the port.
        conn = HTTPConnection("127.0.0.1", sock.getsockname()[1], timeout=PATIENCE)
        with TidyServer(lambda asked: ok(content_of(asked.path))) as driver, conn:
            pipeline = conn.pipeline([Request("GET", "/1")], retries=2, backoff=0)
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    driver.drive(
                        pipeline.co_next_batch()
                        if way == "batches"
                        else pipeline.co_next_response()
                    )
            assert pipeline.answered == 0
            pipeline.close()
            with pytest.raises(ConnectionRefusedError):
                driver.drive(conn.co_send_request("GET", "/"))


class LeavingServer(TidyServer):
    """Stops listening, and begins again."""

    away = False

    def progress(self) -> None:
        if self.away:
            for connection in self._connections:
                if not connection.over:
                    connection.end.progress()
                    self._serve(connection)
        else:
            super().progress()

    def leave(self) -> None:
        self._listener.close()
        self.away = True

    def come_back(self) -> None:
        assert self.path is not None
        Path(self.path).unlink()
        self._listener = self._cleanup.enter_context(socket.socket(socket.AF_UNIX))
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.setblocking(False)
        self.away = False


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_comes_back(way: str) -> None:
    """Nothing is given up because nobody listens."""

    def answer(asked: Asked) -> bytes | Answer:
        if asked.path == "/3" and not server.away and asked.connection == 0:
            server.leave()
            return Answer(b"", Then.CLOSE)
        return ok(content_of(asked.path))

    with LeavingServer(answer) as server:
        conn = server.connection()
        requests = [Request("GET", f"/{index}") for index in range(8)]
        pipeline = conn.pipeline(requests, depth=4, retries=2, backoff=0)
        for index in range(3):
            response = server.drive(pipeline.co_next_response())
            assert response is not None
            assert response.path == f"/{index}"
            assert server.drive(conn.co_readall()) == content_of(response.path)
        with pytest.raises(ConnectionRefusedError):
            server.drive(pipeline.co_next_response())
        assert pipeline.answered == 3
        with pytest.raises(ConnectionRefusedError):
            server.drive(pipeline.co_next_batch())
        server.come_back()
        outcome = WAYS[way](server, conn, pipeline)
        assert summary(outcome) == ["/3", "/4", "/5", "/6", "/7"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("losses", [1, 3, 4])
def test_a_server_that_closes_instead_of_answering_a_handshake(
    certificates: Certificates, way: str, losses: int
) -> None:
    """The same as a connection that is lost: tried again, and then reported, with nothing given up."""

    class Shy(TidyServer):
        lost = 0

        def progress(self) -> None:
            if self.lost < losses:
                try:
                    sock, _ = self._listener.accept()
                except BlockingIOError:
                    return
                sock.close()
                self.lost += 1
                return
            super().progress()

    with Shy(lambda asked: ok(content_of(asked.path)), certificates, tcp=True) as server:
        conn = server.connection()
        requests = [Request("GET", f"/{index}") for index in range(5)]
        outcome = WAYS[way](server, conn, conn.pipeline(requests, retries=3, backoff=0))
        failures = [each for each in outcome if isinstance(each, Exception)]
        assert len(failures) == (1 if losses == 4 else 0), failures
        assert check_once([each for each in outcome if isinstance(each, Got)], requests) == {
            "answered": 5
        }


# What is learnt from losses


@pytest.mark.parametrize("way", WAYS)
def test_it_is_not_pipelined_to_a_server_that_has_broken_twice(
    make_server: MakeServer, way: str
) -> None:
    def answer(asked: Asked) -> bytes | Answer:
        received = server.ends[asked.connection].received.count(b"\r\n\r\n")
        if asked.connection < 2:
            if asked.number == 2:
                assert received > 3, "it was not pipelined to"
                return Answer(b"", Then.RESET)
        else:
            assert received == asked.number + 1
        return ok(content_of(asked.path))

    server = make_server(answer)
    conn = server.connection()
    requests = [Request("GET", f"/{index}") for index in range(40)]
    for _ in range(2):
        outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=8, backoff=0))
        assert check_once(outcome, requests) == {"answered": 40}
        assert conn.pipelining is Pipelining.GIVEN_UP
        assert len(server.ends) == 3
