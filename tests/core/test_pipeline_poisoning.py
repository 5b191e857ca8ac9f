"""What nobody asked for, between the responses to a pipeline and behind them, is never taken for an answer unnoticed.

HTTP does not number responses, so one too many in the middle cannot be told from the one that belongs there. It shows
at the end, where one is left over.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from httpio import CloseReason, ConnectionClosed, InvalidResponse, RemoteProtocolError, Request
from tests.core.test_pipeline_losses import check_once, content_of
from tests.core.test_pipeline_losses import make_server as make_server
from tests.support.answering import Answer, Asked, Then, ok
from tests.support.fix_certs import certificates as certificates
from tests.support.pipelines import WAYS, Got, Outcome

if TYPE_CHECKING:
    from httpio import HTTPConnection
    from tests.core.test_pipeline_losses import MakeServer, TidyServer

pytestmark = pytest.mark.exhaustive

DEPTH = 8

EXTRA = ok(b"evil", "X-Evil: yes")
#: What is no response, however it goes on.
GARBAGE = {
    "text": b"garbage\r\n\r\n",
    "zero": b"\0",
    "content": b"</1>",
    "http2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "status line": b"HTTP/1.1 2000 OK\r\n\r\n",
    "version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}
each_way = pytest.mark.parametrize("way", WAYS)


def gets(number: int, start: int = 0) -> list[Request]:
    return [Request("GET", f"/{index}") for index in range(start, start + number)]


def prove_usable(server: TidyServer, conn: HTTPConnection, way: str) -> None:
    """Check that another pipeline on the same object gets what belongs to it."""
    requests = gets(DEPTH * 2, 100)
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
    assert check_once(outcome, requests) == {"answered": len(requests)}
    server.drive(conn.co_send_request("GET", "/99"))
    assert server.drive(conn.co_read_response()).path == "/99"
    assert server.drive(conn.co_readall()) == content_of("/99")


def got(outcome: Outcome) -> Outcome:
    return [each for each in outcome if isinstance(each, Got)]


def failures(outcome: Outcome) -> list[Exception]:
    return [each for each in outcome if isinstance(each, Exception)]


# While nothing is outstanding


@each_way
@pytest.mark.parametrize("junk", [EXTRA, *GARBAGE.values(), EXTRA[:-1]])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_between_two_requests(make_server: MakeServer, way: str, junk: bytes, method: str) -> None:
    """It is found before the next request is sent, which therefore is not lost."""

    def answer(asked: Asked) -> bytes:
        data = ok(content_of(asked.path))
        return data + (junk if asked.connection == 0 and asked.path == "/2" else b"")

    server = make_server(answer)
    conn = server.connection()
    requests = gets(6)
    requests[3] = Request(method, "/3")
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=1, backoff=0))
    assert check_once(got(outcome), requests) == {"answered": 6}
    (failure,) = failures(outcome)
    assert isinstance(failure, InvalidResponse)
    assert outcome.index(failure) == 3
    # Nothing went to the connection that it came from.
    assert [asked.path for asked in server.asked] == [request.path for request in requests]
    assert [asked.connection for asked in server.asked] == [0, 0, 0, 1, 1, 1]
    prove_usable(server, conn, way)


@each_way
@pytest.mark.parametrize("junk", [EXTRA, *GARBAGE.values(), EXTRA[:-1]])
def test_between_two_pipelines(make_server: MakeServer, way: str, junk: bytes) -> None:
    server = make_server(lambda asked: ok(content_of(asked.path)))
    conn = server.connection()
    requests = gets(10)
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
    assert check_once(outcome, requests) == {"answered": 10}
    server.end.send(junk)
    more = [Request("POST", "/10"), *gets(9, 11)]
    outcome = WAYS[way](server, conn, conn.pipeline(more, depth=DEPTH, backoff=0))
    assert check_once(got(outcome), more) == {"answered": 10}
    (failure,) = failures(outcome)
    assert isinstance(failure, InvalidResponse)
    assert outcome[0] is failure
    assert len(server.ends) == 2
    prove_usable(server, conn, way)


@each_way
def test_a_farewell_is_no_reason_for_an_exception(make_server: MakeServer, way: str) -> None:
    """Some servers send a 408 of their own accord before they close an idle connection."""
    farewell = ok(b"too late", "Connection: close", status="408 Request Timeout")

    def answer(asked: Asked) -> bytes | Answer:
        data = ok(content_of(asked.path))
        if asked.connection == 0 and asked.path == "/2":
            return Answer(data + farewell, Then.CLOSE)
        return data

    server = make_server(answer)
    conn = server.connection()
    requests = [*gets(3), Request("POST", "/3"), *gets(3, 4)]
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=1, backoff=0))
    assert check_once(outcome, requests) == {"answered": 7}
    prove_usable(server, conn, way)


# A response too many


@each_way
@pytest.mark.parametrize("size", [len(EXTRA), 1, 20, len(EXTRA) - 1])
@pytest.mark.parametrize("number", [1, 2, DEPTH, 3 * DEPTH])
def test_one_more_at_the_end(make_server: MakeServer, way: str, size: int, number: int) -> None:
    """Whole or not, it is left over when all is answered."""

    def answer(asked: Asked) -> bytes:
        extra = EXTRA[:size] if asked.path == f"/{number - 1}" else b""
        return ok(content_of(asked.path)) + extra

    server = make_server(answer)
    conn = server.connection()
    requests = gets(number)
    pipeline = conn.pipeline(requests, depth=DEPTH, backoff=0)
    outcome = WAYS[way](server, conn, pipeline)
    assert isinstance(outcome[-1], InvalidResponse)
    assert check_once(outcome[:-1], requests) == {"answered": number}
    assert pipeline.answered == number
    prove_usable(server, conn, way)


@each_way
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("where", range(12))
def test_one_more_in_the_middle(make_server: MakeServer, way: str, where: int, method: str) -> None:
    """Before it all is right. It is reported at the latest when all requests have got something."""

    def answer(asked: Asked) -> bytes:
        data = ok(content_of(asked.path))
        if asked.path == f"/{where}" and asked.connection == 0:
            # Before the right one.
            return EXTRA + data
        return data

    server = make_server(answer)
    conn = server.connection()
    requests = gets(12)
    requests[where] = Request(method, f"/{where}")
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
    (failure,) = failures(outcome)
    assert isinstance(failure, InvalidResponse)
    found = [each for each in outcome if isinstance(each, Got)]
    assert [each.response.request for each in found] == requests
    shifted = False
    for index, each in enumerate(found):
        if outcome.index(failure) <= index:
            # What comes over the new connection is right again.
            shifted = False
        elif index == where:
            shifted = True
        if not shifted:
            assert each.content == content_of(each.response.path)
        elif index == where:
            assert each.content == b"evil"
        else:
            assert each.content == content_of(f"/{index - 1}")
    asked = [each.path for each in server.asked]
    if method == "POST":
        assert asked.count(f"/{where}") == 1
        # It travels alone, so that it shows before anything else is sent.
        assert outcome.index(failure) == where + 1
    prove_usable(server, conn, way)


# Garbage between responses


@each_way
@pytest.mark.parametrize("junk", GARBAGE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_garbage_before_a_response(
    make_server: MakeServer, way: str, junk: str, method: str
) -> None:
    """The request that it stands for is reported, and nothing else is."""

    def answer(asked: Asked) -> bytes:
        data = ok(content_of(asked.path))
        return GARBAGE[junk] + data if asked.path == "/5" else data

    server = make_server(answer)
    conn = server.connection()
    requests = gets(20)
    requests[5] = Request(method, "/5")
    pipeline = conn.pipeline(requests, depth=DEPTH, backoff=0)
    outcome = WAYS[way](server, conn, pipeline)
    assert len(outcome) == 20
    assert isinstance(outcome[5], RemoteProtocolError), outcome[5]
    assert failures(outcome) == [outcome[5]]
    assert pipeline.answered == 19
    rest = [request for request in requests if request.path != "/5"]
    assert check_once(got(outcome), rest) == {"answered": 19}
    # Asking again would bring the same again.
    assert sum(asked.path == "/5" for asked in server.asked) == 1
    prove_usable(server, conn, way)


@each_way
def test_random_garbage(make_server: MakeServer, way: str) -> None:
    """Whatever stands between responses, nothing wrong is handed over."""
    chance = random.Random(8)
    for _ in range(60):
        junk = chance.randbytes(chance.choice([1, 2, 5, 100, 20_000]))
        # These may stand there; see RFC 9112 §2.2 for requests, and some servers do it.
        if not junk.strip(b"\r\n"):
            continue
        where = chance.randrange(20)

        def answer(asked: Asked, junk: bytes = junk, where: int = where) -> bytes:
            data = ok(content_of(asked.path))
            return data + junk if asked.path == f"/{where}" and asked.connection == 0 else data

        server = make_server(answer)
        conn = server.connection()
        requests = gets(20)
        outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
        (failure,) = failures(outcome)
        assert isinstance(failure, InvalidResponse) or (
            isinstance(failure, ConnectionClosed) and failure.reason is CloseReason.INVALID_RESPONSE
        )
        found = [each for each in outcome if isinstance(each, Got)]
        for each in found:
            assert each.content == content_of(each.response.path)
        # One was given up, or none if it came when nothing was outstanding.
        assert len(found) in (19, 20)
        missing = {request.path for request in requests} - {each.response.path for each in found}
        assert missing <= {f"/{where + 1}"}
        prove_usable(server, conn, way)
        server.__exit__()


@each_way
def test_too_much_content_is_garbage_for_the_next(make_server: MakeServer, way: str) -> None:
    """A server that counts wrong: what is beyond the length belongs to nobody."""

    def answer(asked: Asked) -> bytes:
        content = content_of(asked.path)
        if asked.path == "/4" and asked.connection == 0:
            return ok(content) + b"and more"
        return ok(content)

    server = make_server(answer)
    conn = server.connection()
    requests = gets(20)
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
    assert isinstance(outcome[5], InvalidResponse)
    assert check_once(got(outcome), requests[:5] + requests[6:]) == {"answered": 19}
    prove_usable(server, conn, way)


@each_way
def test_too_little_content_is_taken_from_the_next(make_server: MakeServer, way: str) -> None:
    """A server that announces more than it sends: the next response is garbage from its middle on."""

    def answer(asked: Asked) -> bytes:
        content = content_of(asked.path)
        if asked.path == "/4" and asked.connection == 0:
            return ok(content)[: -len(content)] + content[:-7]
        return ok(content)

    server = make_server(answer)
    conn = server.connection()
    requests = gets(20)
    outcome = WAYS[way](server, conn, conn.pipeline(requests, depth=DEPTH, backoff=0))
    # Nobody can know that the content is wrong.
    assert isinstance(outcome[4], Got)
    assert outcome[4].content == content_of("/4")[:-7] + b"HTTP/1."
    assert isinstance(outcome[5], InvalidResponse)
    assert check_once([*got(outcome)[:4], *got(outcome)[5:]], requests[:4] + requests[6:]) == {
        "answered": 18
    }
    prove_usable(server, conn, way)
