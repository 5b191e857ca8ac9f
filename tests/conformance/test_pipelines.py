"""Many requests over one connection: each gets its own response once, whatever becomes of the connection."""

from __future__ import annotations

import io
import random
import socket
from typing import TYPE_CHECKING, TypeAlias, Unpack

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    Pipelining,
    RemoteProtocolError,
    Request,
    StateError,
)
from tests.support.scripted import accept, drain, expect_head, send

from .client import PROOF, Fetched
from .serving import BREAKS, LEAVES, ok, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

    from .client import Client, ClientFactory
    from .drivers import PipelineOptions, Responses
    from .serving import Asked

    Way: TypeAlias = Callable[[Client, Responses], list[Fetched]]
    Outcome: TypeAlias = list[Fetched | Exception]

LARGE = random.Random(4).randbytes(1_000_000)
DEPTH = 16


def gets(number: int, start: int = 0) -> list[Request]:
    """Return so many requests, with paths that are numbers."""
    return [Request("GET", f"/{index}") for index in range(start, start + number)]


def content_of(path: str) -> bytes:
    """Return the content that belongs to *path*, and to no other."""
    return f"<{path}>".encode() * (1 + int(path[1:]) % 7)


def echo(asked: Asked) -> bytes:
    return ok(content_of(asked.path))


# Ways to have what comes next: each returns one response or more, none at the end.


def by_heads(client: Client, responses: Responses) -> list[Fetched]:
    head = responses.next_head()
    return [] if head is None else [Fetched(head, client.driver.readall())]


def by_pieces(client: Client, responses: Responses) -> list[Fetched]:
    head = responses.next_head()
    if head is None:
        return []
    content = b""
    # Few bytes at first, and then so many that large content does not take long.
    while piece := client.driver.read(7 if len(content) < 20 else 30_011):
        content += piece
    return [Fetched(head, content)]


def by_pairs(_: Client, responses: Responses) -> list[Fetched]:
    pair = responses.next_pair()
    return [] if pair is None else [Fetched(*pair)]


def by_batches(_: Client, responses: Responses) -> list[Fetched]:
    return [Fetched(*pair) for pair in responses.next_batch()]


WAYS: dict[str, Way] = {
    "heads": by_heads,
    "pieces": by_pieces,
    "pairs": by_pairs,
    "batches": by_batches,
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
#: Where it makes no difference how content is read, or how pairs are had.
two_ways = pytest.mark.parametrize("way", [by_heads, by_batches], ids=["heads", "batches"])


def run(
    client: Client, way: Way, requests: Iterable[Request], **options: Unpack[PipelineOptions]
) -> Outcome:
    """Drive a pipeline to its end, and return what comes of each request."""
    options.setdefault("depth", DEPTH)
    options.setdefault("backoff", 0)
    return finish(client, way, client.driver.pipeline(requests, **options))


def finish(client: Client, way: Way, responses: Responses) -> Outcome:
    found: Outcome = []
    while True:
        try:
            got = way(client, responses)
        except (HTTPIOError, OSError, ValueError, TypeError) as exc:
            found.append(exc)
            assert len(found) < 1000, "there is no end of exceptions"
            continue
        if not got:
            return found
        found += got


def expect_answers(outcome: Outcome, requests: Iterable[Request]) -> None:
    """Check that each of *requests* has its own response, in their order, and nothing else."""
    for each in outcome:
        if isinstance(each, Exception):
            raise each
    found = [each for each in outcome if isinstance(each, Fetched)]
    assert [each.response.request for each in found] == list(requests)
    for response, content in found:
        assert response.status == 200
        assert content == content_of(response.path)


def expect_answers_but(
    index: int, outcome: Outcome, requests: list[Request], exception: type[Exception]
) -> Exception:
    """Check that the request at *index* failed with *exception*, and only that one; return what it failed with."""
    failure = outcome[index]
    assert isinstance(failure, exception), failure
    expect_answers(
        [*outcome[:index], *outcome[index + 1 :]], [*requests[:index], *requests[index + 1 :]]
    )
    return failure


# Pairing


def odd_answer(asked: Asked) -> bytes:
    """Answer in one of the forms that responses have, which depends on the path."""
    content = content_of(asked.path)
    kind = int(asked.path[1:]) % 12
    if kind == 3:
        chunks = b"%x\r\n%b\r\n0\r\nT: t\r\n\r\n" % (len(content), content)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    if kind == 5:
        return b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + ok(content)
    if kind == 7:
        return ok(content, *(f"X-{number}: {'x' * 60}" for number in range(80)))
    if kind == 9:
        return ok(content, f"Content-Length: {len(content)}", "A: b", " c", status="200 ")
    return ok(content)


@each_way
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_each_request_gets_its_own_response(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    way: Way,
    tls: bool,
) -> None:
    context = certificates.server_context() if tls else None
    client = make_client(scripted_server(serve(odd_answer), tls=context, unix=not tls), tls=tls)
    requests = gets(60)
    expect_answers(run(client, way, iter(requests)), requests)
    assert client.conn.pipelining is Pipelining.PROVEN
    client.prove_usable()
    # And once more, over the same connection.
    expect_answers(run(client, way, requests[:20]), requests[:20])
    client.prove_usable()
    client.close()


@each_way
def test_responses_without_content_in_between(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    def answer(asked: Asked) -> bytes:
        status = {"/1": "204 No Content", "/3": "304 Not Modified"}.get(asked.path)
        data = ok(content_of(asked.path), status=status or "200 OK")
        return data[: data.index(b"\r\n\r\n") + 4] if status or asked.method == "HEAD" else data

    requests = [
        Request("HEAD" if index % 5 == 2 else "GET", f"/{index % 5}") for index in range(50)
    ]
    client = make_client(scripted_server(serve(answer), unix=True))
    outcome = run(client, way, requests)
    assert len(outcome) == 50
    for request, each in zip(requests, outcome, strict=True):
        assert isinstance(each, Fetched)
        assert each.response.request is request
        empty = request.path in ("/1", "/2", "/3")
        assert each.content == (b"" if empty else content_of(request.path))
    client.prove_usable()
    client.close()


@each_way
def test_large_content_in_both_directions(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    """The server does one thing at a time: whoever sends without reading would wait for ever."""
    requests = [
        *gets(2),
        Request("PUT", "/2", body=LARGE),
        Request("PUT", "/3", body=io.BytesIO(LARGE)),
        Request("PUT", "/4", body=iter([LARGE[:1], LARGE[1:70_000], LARGE[70_000:]])),
        Request("POST", "/5", body=LARGE),
        *gets(3, 6),
    ]

    def answer(asked: Asked) -> bytes:
        assert asked.content in (b"", LARGE)
        return ok(asked.path.encode() + LARGE)

    client = make_client(scripted_server(serve(answer), receive_buffer=65_536))
    outcome = run(client, way, requests)
    assert len(outcome) == len(requests)
    for request, each in zip(requests, outcome, strict=True):
        assert isinstance(each, Fetched)
        assert each.response.request is request
        assert each.content == request.path.encode() + LARGE
    client.prove_usable()
    client.close()


def test_content_that_is_not_read_is_dropped(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(scripted_server(serve(lambda asked: ok(LARGE)), unix=True))
    responses = client.driver.pipeline(gets(6))
    for number in range(6):
        head = responses.next_head()
        assert head is not None
        assert head.path == f"/{number}"
        if number % 2:
            assert LARGE.startswith(client.driver.read(1000))
    assert responses.next_head() is None
    client.prove_usable()
    client.close()


def test_no_requests(make_client: ClientFactory) -> None:
    # There is nothing to connect to.
    client = make_client({"hostname": "localhost", "unix_socket": "/nowhere"})
    responses = client.driver.pipeline([])
    assert responses.next_batch() == []
    assert (responses.next_head(), responses.next_pair()) == (None, None)
    client.close()


# What is under way


@two_ways
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depth(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, depth: int
) -> None:
    """As many requests are under way, and no more are taken than can go."""
    rounds = 4
    heads = [expect_head(f"GET /{number} ".encode()) for number in range(1 + rounds * depth)]
    answers = [send(echo_of(number)) for number in range(1 + rounds * depth)]
    # The first travels alone. Then nothing is answered before all of a round are there.
    steps = [heads[0], answers[0]]
    for start in range(1, 1 + rounds * depth, depth):
        steps += heads[start : start + depth] + answers[start : start + depth]
    client = make_client(scripted_server(*steps, *PROOF, drain(), unix=True))
    requests = gets(1 + rounds * depth)
    taken = handed_out = 0

    def taking() -> Iterator[Request]:
        nonlocal taken
        for request in requests:
            # Of a batch, all have been received and not one handed out.
            assert taken - handed_out <= 2 * depth
            taken += 1
            yield request

    responses = client.driver.pipeline(taking(), depth=depth)
    outcome: Outcome = []
    while got := way(client, responses):
        outcome += got
        handed_out += len(got)
        assert responses.answered == handed_out
    expect_answers(outcome, requests)
    client.prove_usable()
    client.close()


def echo_of(number: int) -> bytes:
    return ok(content_of(f"/{number}"))


# Connections that are lost


ENDS: dict[str, tuple[bool, tuple[Step, ...]]] = {
    "announced": (True, LEAVES),
    "closed": (False, LEAVES),
    "reset": (False, BREAKS),
}
each_end = pytest.mark.parametrize(("announced", "end"), ENDS.values(), ids=ENDS)


@each_way
@pytest.mark.parametrize(
    ("announced", "end", "tls"),
    [pytest.param(*each, False, id=name) for name, each in ENDS.items()]
    + [pytest.param(*ENDS["closed"], True, id="closed-tls")],
)
def test_lost_after_some_responses(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    way: Way,
    announced: bool,
    end: tuple[Step, ...],
    tls: bool,
) -> None:
    """Again and again: what has no response is sent over the next connection."""

    def answer(asked: Asked) -> bytes | None:
        closes = int(asked.path[1:]) % 10
        if announced and closes == 8:
            return ok(content_of(asked.path), "Connection: close")
        return None if closes == 9 else echo(asked)

    def answer_after(number: int) -> Step:
        # Those that come twice were not answered, so far as the client knows.
        return serve(lambda asked: echo(asked) if int(asked.path[1:]) <= number else answer(asked))

    steps: list[Step] = []
    for number in (-1, 9, 19):
        steps += [answer_after(number), *end]
    context = certificates.server_context() if tls else None
    client = make_client(scripted_server(*steps, serve(echo), tls=context), tls=tls)
    requests = gets(32)
    expect_answers(run(client, way, requests), requests)
    client.prove_usable()
    client.close()


@each_way
@each_end
def test_a_request_that_is_not_idempotent_is_not_sent_twice(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    way: Way,
    announced: bool,
    end: tuple[Step, ...],
) -> None:
    def answer(asked: Asked) -> bytes | None:
        return None if asked.method == "POST" else echo(asked)

    server = scripted_server(serve(answer), *end, serve(echo))
    client = make_client(server)
    requests = [*gets(5), Request("POST", "/5", body=b"once"), *gets(20, 6)]
    failure = expect_answers_but(5, run(client, way, requests), requests, ConnectionClosed)
    assert isinstance(failure, ConnectionClosed)
    assert failure.answered == 5
    assert failure.unanswered[0] == ("POST", "/5")
    assert not failure.unanswered[0].repeatable
    assert all(other.repeatable for other in failure.unanswered[1:])
    client.prove_usable()
    client.close()
    server.finish()
    assert b"".join(server.received).count(b"POST /5 ") == 1


@each_way
@pytest.mark.parametrize("retry_partial", [False, True])
def test_content_that_breaks_off(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, retry_partial: bool
) -> None:
    def answer(asked: Asked) -> bytes | None:
        return None if asked.path == "/5" else echo(asked)

    # By now its head is answered, and nothing else will be.
    steps = (serve(answer), send(echo_of(5)[:-1]), *LEAVES, serve(echo))
    client = make_client(scripted_server(*steps, unix=True))
    requests = gets(20)
    outcome = run(client, way, requests, retry_partial=retry_partial)
    if not retry_partial:
        expect_answers_but(5, outcome, requests, ConnectionClosed)
    elif way in (by_heads, by_pieces):
        # Who reads it has some of it already, and has to be told that it comes again.
        assert isinstance(outcome.pop(5), ConnectionClosed)
        expect_answers(outcome, requests)
    else:
        expect_answers(outcome, requests)
    client.prove_usable()
    client.close()


@each_way
@pytest.mark.parametrize("retries", [0, 3])
def test_given_up_after_so_many_retries(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, retries: int
) -> None:
    def answer(asked: Asked) -> bytes | None:
        return None if asked.path == "/5" else echo(asked)

    steps = [serve(answer), *LEAVES] * (retries + 1)
    server = scripted_server(*steps, serve(echo), unix=True)
    client = make_client(server)
    requests = gets(20)
    # With a pause between the attempts.
    outcome = run(client, way, requests, retries=retries, backoff=0.001)
    expect_answers_but(5, outcome, requests, ConnectionClosed)
    client.prove_usable()
    client.close()
    server.finish()
    assert len(server.received) == retries + 2


@each_way
def test_when_the_server_says(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    """RFC 9110 §15.6.4: with Retry-After, the request is sent again over a new connection."""

    def answer(asked: Asked) -> bytes:
        if asked.path == "/5":
            return ok(b"busy", "Retry-After: 0", status="503 Service Unavailable")
        return echo(asked)

    client = make_client(scripted_server(serve(answer), accept(), serve(echo), unix=True))
    requests = gets(20)
    expect_answers(run(client, way, requests, retry_after=5), requests)
    client.prove_usable()
    client.close()


def test_nobody_listens(make_client: ClientFactory) -> None:
    with socket.socket() as sock:
        # Bound, and not listening: nobody else gets the port.
        sock.bind(("127.0.0.1", 0))
        client = make_client({"hostname": "127.0.0.1", "port": sock.getsockname()[1]})
        responses = client.driver.pipeline(gets(2), retries=2, backoff=0)
        # What cannot be sent is not given up.
        for attempt in (responses.next_batch, responses.next_head, responses.next_pair):
            with pytest.raises(ConnectionRefusedError):
                attempt()
        assert responses.answered == 0
        client.close()


# Poison

GARBAGE = {
    "text": b"garbage\r\n\r\n",
    "status-line": b"HTTP/1.1 2000 OK\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
}


@each_way
@pytest.mark.parametrize("junk", GARBAGE.values(), ids=GARBAGE)
def test_garbage_before_a_response(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, junk: bytes
) -> None:
    """The request that it stands for is given up, and nothing else is."""

    def answer(asked: Asked) -> bytes:
        return (junk if asked.path == "/5" else b"") + echo(asked)

    client = make_client(scripted_server(serve(answer), accept(), serve(echo), unix=True))
    requests = gets(20)
    expect_answers_but(5, run(client, way, requests), requests, RemoteProtocolError)
    client.prove_usable()
    client.close()


@each_way
@pytest.mark.parametrize("size", [1, 1000])
def test_a_response_too_many(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, size: int
) -> None:
    """Whole or not, it is left over when all is answered."""

    def answer(asked: Asked) -> bytes:
        return echo(asked) + (ok(b"evil")[:size] if asked.path == "/19" else b"")

    client = make_client(scripted_server(serve(answer), accept(), serve(echo), unix=True))
    requests = gets(20)
    outcome = run(client, way, requests)
    assert isinstance(outcome.pop(), InvalidResponse)
    expect_answers(outcome, requests)
    client.expect_over(CloseReason.UNSOLICITED_DATA, [])
    # Another pipeline need not know of that.
    expect_answers(run(client, way, requests[:5]), requests[:5])
    client.prove_usable()
    client.close()


# What the caller does

REFUSED: dict[str, Callable[[], object]] = {
    "path": lambda: Request("GET", "/a b"),
    "path-that-smuggles": lambda: Request("GET", "/a\r\nX: y"),
    "field": lambda: Request("GET", "/", {"A": "b\r\nC: d"}),
    "content": lambda: Request("PUT", "/", body=5),  # type: ignore[arg-type]  # the point
    "tunnel": lambda: Request("CONNECT", "a:1"),
    "none": lambda: None,
}


@two_ways
@pytest.mark.parametrize("mistake", REFUSED.values(), ids=REFUSED)
def test_a_request_that_must_not_be_sent(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    way: Way,
    mistake: Callable[[], object],
) -> None:
    """It is refused in its turn, and the others are not disturbed."""
    client = make_client(scripted_server(serve(echo), unix=True))
    requests = gets(20)
    requests.insert(8, mistake())  # type: ignore[arg-type]  # it is refused
    failure = expect_answers_but(8, run(client, way, requests), requests, Exception)
    assert isinstance(failure, (LocalProtocolError, TypeError))
    assert not isinstance(failure, StateError)
    client.prove_usable()
    client.close()


@two_ways
@pytest.mark.parametrize("number", [0, 1, 20])
def test_requests_that_raise(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, number: int
) -> None:
    requests = gets(number)

    def faulty() -> Iterator[Request]:
        yield from requests
        raise ValueError("no more")

    client = make_client(scripted_server(serve(echo), unix=True))
    outcome = run(client, way, faulty())
    assert isinstance(outcome.pop(), ValueError)
    expect_answers(outcome, requests)
    client.prove_usable()
    client.close()


@two_ways
def test_content_that_raises(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    def faulty() -> Iterator[bytes]:
        yield b"some"
        raise ValueError("no more")

    client = make_client(scripted_server(serve(echo), accept(), serve(echo), unix=True))
    requests = [*gets(5), Request("PUT", "/5", body=faulty()), *gets(10, 6)]
    expect_answers_but(5, run(client, way, requests), requests, ValueError)
    client.prove_usable()
    client.close()


def test_other_calls_meanwhile(scripted_server: ServerFactory, make_client: ClientFactory) -> None:
    client = make_client(scripted_server(serve(echo), unix=True))
    driver = client.driver
    requests = gets(10)
    responses = driver.pipeline(requests)
    # Nothing has begun.
    client.prove_usable()
    head = responses.next_head()
    assert head is not None
    for attempt in (
        client.ask,
        driver.read_response,
        driver.pipeline(gets(1)).next_batch,
        lambda: driver.read_ranges("/", [(0, 1)]),
    ):
        with pytest.raises(StateError, match="pipeline is under way"):
            attempt()
    # It is not disturbed by that.
    assert driver.readall() == content_of("/0")
    expect_answers(finish(client, by_pairs, responses), requests[1:])
    client.prove_usable()
    client.close()


def test_numbers_that_make_no_sense(make_client: ClientFactory) -> None:
    client = make_client({"hostname": "localhost", "unix_socket": "/nowhere"})
    options: list[PipelineOptions] = [{"depth": 0}, {"retries": -1}, {"backoff": -1.0}]
    for each in options:
        with pytest.raises(LocalProtocolError, match="needs a depth of at least 1"):
            client.driver.pipeline([], **each)
    client.close()


def test_pairs_that_were_received_come_before_anything_else(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(scripted_server(serve(echo), unix=True))
    requests = gets(60)
    responses = client.driver.pipeline(requests, depth=60)
    outcome = by_pairs(client, responses) + by_pairs(client, responses)
    while got := by_batches(client, responses) or by_pairs(client, responses):
        outcome += got
        outcome += by_pairs(client, responses)
    expect_answers([*outcome], requests)
    client.prove_usable()
    client.close()


# Early ends


@each_way
def test_a_pipeline_that_is_closed_in_the_middle(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    answered = 10

    def answer(asked: Asked) -> bytes | None:
        return echo(asked) if int(asked.path[1:]) < answered else None

    server = scripted_server(serve(answer), drain(), accept(), serve(echo), unix=True)
    client = make_client(server)
    requests = gets(40)
    responses = client.driver.pipeline(requests, depth=DEPTH)
    outcome: Outcome = []
    while len(outcome) < answered:
        outcome += way(client, responses)
    expect_answers(outcome, requests[:answered])
    responses.close()
    assert responses.next_batch() == []
    assert (responses.next_head(), responses.next_pair()) == (None, None)
    # Requests were under way, so the connection could not be kept.
    assert client.conn.closed
    responses.close()
    expect_answers(run(client, way, requests), requests)
    client.prove_usable()
    client.close()
    server.finish()
    assert len(server.received) == 2


@two_ways
def test_a_pipeline_that_is_closed_between_responses(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way
) -> None:
    client = make_client(scripted_server(serve(echo), unix=True))
    requests = gets(40)
    responses = client.driver.pipeline(requests, depth=1)
    expect_answers([*way(client, responses)], requests[:1])
    responses.close()
    assert not client.conn.closed
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("how", ["close", "disconnect", "reset"])
@two_ways
def test_a_connection_that_is_closed_in_the_middle(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, how: str
) -> None:
    answered = 10

    def answer(asked: Asked) -> bytes | None:
        return echo(asked) if int(asked.path[1:]) < answered else None

    client = make_client(scripted_server(serve(answer), drain(), accept(), serve(echo), unix=True))
    responses = client.driver.pipeline(gets(40), depth=DEPTH)
    outcome: Outcome = []
    while len(outcome) < answered:
        outcome += way(client, responses)
    getattr(client.conn, how)()
    with pytest.raises(ConnectionClosed) as caught:
        way(client, responses)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert caught.value.answered == answered
    assert caught.value.unanswered[0] == ("GET", f"/{answered}")
    # There were more, so this is not what the end looks like.
    with pytest.raises(StateError, match="the pipeline has ended"):
        way(client, responses)
    client.prove_usable()
    client.close()
