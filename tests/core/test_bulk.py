"""Many responses at once: the same as one at a time, however they arrive and whatever comes between."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    HTTPResponse,
    InvalidResponse,
    Request,
)
from httpio._blocking import run
from httpio._bulk import _WHOLE_SIZE
from httpio._parser import Limits
from httpio._state import Exchange
from tests.support.buffers import LIMITS, pieces
from tests.support.coroutines import no_descriptor_left
from tests.support.dialogue import dialogue as dialogue
from tests.support.fix_certs import certificates as certificates
from tests.support.links import Link
from tests.support.server_end import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from httpio import PollGenerator
    from tests.support.dialogue import Dialogue

Pair = tuple[HTTPResponse, bytes]


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def link() -> Iterator[Link]:
    """A connection on which nothing was sent."""
    with Link() as found:
        yield found


def ask(link: Link, *methods: str) -> list[Request]:
    """Have requests with *methods* outstanding; their paths are numbers."""
    requests = [Request(method, f"/{number}") for number, method in enumerate(methods)]
    link.state.requests_sent(requests)
    return requests


def take(link: Link, but: Container[int] = ()) -> list[Pair] | None:
    """Return what there is to take."""
    found = link.receiver.try_plain(but)
    # The first attempt may be saved where it would be in vain mostly.
    return link.receiver.try_plain(but) if found is None else found


def ok(content: bytes = b"", *lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join(
        [b"HTTP/1.1 " + status, *lines, b"Content-Length: %d" % len(content), b"", content]
    )


class Got(NamedTuple):
    """All that a response says."""

    request: Request | None
    method: str
    path: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    length: int | None
    version: str
    interim: list[int]
    content: bytes
    trailers: list[tuple[str, str]]


def got(response: HTTPResponse, content: bytes) -> Got:
    return Got(
        response.request,
        response.method,
        response.path,
        response.status,
        response.reason,
        response.headers.items(),
        response.length,
        response.version,
        [each.status for each in response.informational],
        content,
        response.trailers.items(),
    )


def co_one(link: Link) -> PollGenerator[Pair]:
    response = yield from link.receiver.co_read_response()
    content = yield from link.receiver.co_readall()
    return response, content


def co_pairs(
    link: Link, count: int, found: list[Got], *, bulk: bool, but: Container[int] = ()
) -> PollGenerator[None]:
    """Put *count* responses into *found*: as pipelines do, or one at a time."""
    while len(found) < count:
        if link.state.receiving_closed:
            raise link.state.closed_error()
        if bulk:
            batch = link.receiver.try_plain(but)
            if batch is None:
                yield link.transport.recv_wait
                continue
            if batch:
                found += [got(*pair) for pair in batch]
                continue
        found.append(got(*(yield from co_one(link))))


def feed(
    link: Link, coroutine: PollGenerator[None], data: Iterable[bytes], *, abrupt: bool = False
) -> HTTPIOError | None:
    """Run *coroutine*, and send a piece of *data* whenever it waits, and then the end.

    Returns what it raises.
    """
    rest = iter([*data])
    ended = False
    if abrupt:
        # What the server has not read makes its close a reset.
        link.transport.try_send(b"x")
    try:
        while True:
            needed = next(coroutine)
            while not needed.poll(0):
                piece = next(rest, None)
                if piece is not None:
                    link.end.send(piece)
                else:
                    assert not ended, "the coroutine waits for more than there is"
                    ended = True
                    if abrupt:
                        link.end.close()
                    else:
                        link.end.half_close()
    except StopIteration:
        return None
    except HTTPIOError as exc:
        return exc


class Outcome(NamedTuple):
    """What comes of a wire."""

    found: list[Got]
    error: type[HTTPIOError] | None
    reason: CloseReason | None
    answered: int
    unanswered: tuple[tuple[str, str], ...]
    final_status: int


def outcome(
    requests: list[Request],
    data: Iterable[bytes],
    *,
    bulk: bool,
    abrupt: bool = False,
    limits: Limits | None = None,
) -> Outcome:
    with Link(limits=limits or LIMITS) as link:
        link.state.requests_sent(requests)
        found: list[Got] = []
        error = feed(link, co_pairs(link, len(requests), found, bulk=bulk), data, abrupt=abrupt)
        state = link.state
        oldest = state.oldest()
        return Outcome(
            found,
            None if error is None else type(error),
            state.close_reason,
            state.answered,
            state.unanswered(),
            0 if oldest is None else oldest.final_status,
        )


# Heads that are plain


PLAIN: dict[str, bytes] = {
    "content": ok(b"abc"),
    "no content": ok(),
    "other fields": ok(b"abc", b"A: b", b"Content-Type: x", b"Trailer: y", b"X-Content-Length: 7"),
    "length first": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\nC: d\r\n\r\nabc",
    "length in between": b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-LENGTH:\t3 \r\nC: d\r\n\r\nabc",
    "length with zeros": b"HTTP/1.1 200 OK\r\nContent-Length:0003\r\n\r\nabc",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc",
    "odd reason": b"HTTP/1.1 200 \xe4\t\x01: Content-Length: 7\r\nContent-Length: 3\r\n\r\nabc",
    "odd value": b"HTTP/1.1 200 OK\r\nA:\xff\x7f\r\nContent-Length: 3\r\nB:\r\n\r\nabc",
    "keep-alive": ok(b"abc", b"Connection: keep-alive", b"Keep-Alive: timeout=5"),
    "404": ok(b"abc", status=b"404 Not Found"),
    "503": ok(b"abc", status=b"503 Busy"),
    "999": ok(b"abc", status=b"999 Odd"),
    "205": ok(b"abc", status=b"205 Reset Content"),
    "204 with no length to speak of": ok(status=b"204 No Content"),
    # RFC 9112 §6.3, rule 1: what the head says of a content that does not come.
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "304 with a great length": b"HTTP/1.1 304 No\r\nContent-Length: 999999999999999999\r\n\r\n",
    "content that looks like heads": ok(ok(b"abc") * 3),
    "content of line ends": ok(b"\r\n" * 50),
    "long": ok(b"x" * 20_000),
    "the longest head": ok(b"abc", b"A: " + b"x" * 3900),
}
#: Each is taken without a coroutine where it answers this method.
HEADS_ONLY = {
    "HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "HEAD with a great length": b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n",
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("count", [1, 2, 20])
def test_plain_responses_are_taken_all_at_once(link: Link, name: str, count: int) -> None:
    wire = PLAIN[name]
    if len(wire) * count > 60_000:
        count = 2
    requests = ask(link, *["GET"] * count)
    link.end.send(wire * count)
    found = take(link)
    assert found is not None
    assert len(found) == count
    expected = outcome(requests, [wire * count], bulk=False).found
    assert [got(*pair) for pair in found] == expected
    assert [response.request for response, _ in found] == requests
    assert link.state.answered == count
    assert not link.state.outstanding
    assert not link.buffer
    assert link.state.close_reason is None


@pytest.mark.parametrize("name", HEADS_ONLY)
def test_an_answer_to_head_has_no_content(link: Link, name: str) -> None:
    wire = HEADS_ONLY[name]
    requests = ask(link, "HEAD", "HEAD", "GET")
    link.end.send(wire * 2 + ok(b"abc"))
    found = take(link)
    assert found is not None
    assert [(response.length, content) for response, content in found] == [
        (0, b""),
        (0, b""),
        (3, b"abc"),
    ]
    assert [got(*pair) for pair in found] == outcome(
        requests, [wire * 2 + ok(b"abc")], bulk=False
    ).found


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PUT", "POST", "X"])
def test_responses_belong_to_their_requests(link: Link, method: str) -> None:
    requests = ask(link, method, method)
    head = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n"
    link.end.send(head * 2)
    found = take(link)
    assert found is not None
    for request, (response, content) in zip(requests, found, strict=True):
        assert response.request is request
        assert (response.method, response.path) == (method, request.path)
        assert (response.status, response.reason, response.version) == (200, "OK", "1.1")
        assert response.headers.items() == [("A", "b"), ("Content-Length", "0")]
        assert response.informational == ()
        assert content == b""


# Heads that are not


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n"
OTHERS: dict[str, bytes] = {
    "chunked": CHUNKED,
    "chunked after the length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc"
    ),
    "chunked before the length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "no length": b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nabc",
    "204 without a length": b"HTTP/1.1 204 No Content\r\n\r\n",
    "close": ok(b"abc", b"Connection: close"),
    "close after the length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    ),
    "close among others": ok(b"abc", b"Connection: keep-alive, close"),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "different lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
    "empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc",
    "length of 19 digits": b"HTTP/1.1 200 OK\r\nContent-Length: 0000000000000000003\r\n\r\nabc",
    "folded": ok(b"abc", b"A: b\r\n c"),
    "folded length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 3\r\n\r\nabc",
    "length that is folded": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n 4\r\n\r\nabc",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.0 that persists": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"abc"),
    "103": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n" + ok(b"abc"),
    "101": b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 3\r\n\r\nabc",
    "no blank behind the status": b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc",
    "bare line ends": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc" + b"\r\n\r\n",
    "a bare line end": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 3\r\n\r\nabc",
    "NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 3\r\n\r\nabc",
    "blank before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
    "no field": b"HTTP/1.1 200 OK\r\nabc\r\nContent-Length: 3\r\n\r\nabc",
    "an empty line before": b"\r\n" + ok(b"abc"),
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Odd\r\nContent-Length: 3\r\n\r\nabc",
    "longer than is plain": ok(b"abc", b"A: " + b"x" * 4000),
    "too long": ok(b"abc", b"A: " + b"x" * 70_000),
    "too many fields": ok(b"abc", *[b"A:"] * 1001),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("before", [0, 3])
def test_what_is_not_plain_is_left_as_it_is(link: Link, name: str, before: int) -> None:
    wire = OTHERS[name]
    requests = ask(link, *["GET"] * (before + 2))
    link.end.send(ok(b"first") * before + wire)
    if before:
        found = take(link)
        assert found is not None
        assert [content for _, content in found] == [b"first"] * before
    # However often it is looked at.
    for _ in range(2):
        assert take(link) in ([], None)
    assert [*link.state.outstanding] == requests[before:]
    assert link.state.answered == before
    assert link.buffer.peek(100) == wire[:100]
    assert link.state.close_reason is None


@pytest.mark.parametrize("name", [*PLAIN, *OTHERS])
@pytest.mark.parametrize("size", [100_000, 1, 7])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_the_same_as_one_at_a_time(name: str, size: int, method: str) -> None:
    wire = ok(b"before") + {**PLAIN, **OTHERS}[name] + ok(b"behind")
    if size < 10 and len(wire) > 10_000:
        size *= 1000
    requests = [Request("GET", "/0"), Request(method, "/1"), Request("GET", "/2")]
    expected = outcome(requests, [wire], bulk=False)
    assert outcome(requests, pieces(wire, size), bulk=True) == expected


def test_each_split_in_two() -> None:
    wire = ok(b"abc") + CHUNKED + ok(b"", b"A: b") + ok(b"def\r\n\r\n")
    requests = [Request("GET", f"/{number}") for number in range(4)]
    expected = outcome(requests, [wire], bulk=False)
    assert expected.error is None
    for position in range(1, len(wire)):
        assert outcome(requests, [wire[:position], wire[position:]], bulk=True) == expected


# What there is to be taken


def test_nothing_has_arrived(link: Link) -> None:
    ask(link, "GET")
    for _ in range(3):
        assert take(link) is None
    assert len(link.state.outstanding) == 1


def test_where_an_attempt_would_be_in_vain_there_is_one_the_next_time(link: Link) -> None:
    ask(link, "GET")
    link.end.send(ok(b"abc"))
    assert link.transport.drained
    assert link.receiver.try_plain(()) is None
    found = link.receiver.try_plain(())
    assert found is not None
    assert [content for _, content in found] == [b"abc"]


def test_nothing_is_asked(link: Link) -> None:
    link.end.send(ok(b"abc"))
    assert take(link) == []
    # It is not looked at either: it belongs to nobody.
    assert not link.buffer


def test_what_comes_behind_the_last_answer_is_left(link: Link) -> None:
    ask(link, "GET")
    link.end.send(ok(b"abc") + ok(b"behind"))
    found = take(link)
    assert found is not None
    assert len(found) == 1
    assert link.buffer.peek(1000) == ok(b"behind")
    assert take(link) == []
    with pytest.raises(InvalidResponse):
        link.receiver.check_idle()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_answer_to_a_request_that_is_not_plain_is_left(link: Link, number: int) -> None:
    requests = ask(link, "GET", "GET", "GET")
    exchange = Exchange("GET", f"/{number}", request=requests[number])
    link.state.outstanding[number] = exchange
    link.end.send(ok(b"0") + ok(b"1") + ok(b"2"))
    if number:
        found = take(link)
        assert found is not None
        assert [content for _, content in found] == [b"0", b"1"][:number]
    assert take(link) == []
    assert link.state.outstanding[0] is exchange
    response, content = link.read()
    assert response.request is requests[number]
    assert content == b"%d" % number
    left = take(link)
    assert left is not None
    assert [content for _, content in left] == [b"1", b"2"][number:]


def test_a_head_that_was_begun_by_the_other_parts_is_left_to_them(link: Link) -> None:
    ask(link, "GET", "GET")
    wire = ok(b"abc", b"A: b")
    reading = link.receiver.co_read_response()
    next(reading)
    link.end.send(wire[:20])
    next(reading)
    reading.close()
    link.end.send(wire[20:] + ok(b"def"))
    assert take(link) == []
    assert link.read()[1] == b"abc"
    found = take(link)
    assert found is not None
    assert [content for _, content in found] == [b"def"]


def test_content_that_is_being_read_is_left_to_the_other_parts(link: Link) -> None:
    ask(link, "GET", "GET")
    link.end.send(ok(ok(b"abc")) + ok(b"def"))
    run(link.receiver.co_read_response(), PATIENCE)
    assert link.state.in_body
    assert take(link) == []
    assert run(link.receiver.co_readall(), PATIENCE) == ok(b"abc")
    found = take(link)
    assert found is not None
    assert [content for _, content in found] == [b"def"]


def test_a_head_that_was_looked_for_by_the_sender_is_left_to_the_other_parts(link: Link) -> None:
    ask(link, "GET", "GET")
    link.end.send(ok(b"abc") + ok(b"def"))
    assert link.receiver.try_head()
    assert take(link) == []
    assert link.read()[1] == b"abc"
    found = take(link)
    assert found is not None
    assert [content for _, content in found] == [b"def"]


def test_reading_on_behind_a_batch_gives_nothing(link: Link) -> None:
    # As it does at the end of a response that was read in the usual way.
    ask(link, "GET", "GET")
    link.end.send(ok(b"abc"))
    assert take(link)
    assert len(link.state.outstanding) == 1
    assert run(link.receiver.co_read(10), 0) == b""


def test_what_a_response_holds_is_its_own(link: Link) -> None:
    ask(link, "GET")
    link.end.send(ok(b"abc", b"A: b"))
    found = take(link)
    assert found is not None
    link.buffer.data[:] = b"x" * len(link.buffer.data)
    ((response, content),) = found
    assert content == b"abc"
    assert response.headers["A"] == "b"


# Responses that are looked at by somebody else first


@pytest.mark.parametrize("status", [b"429 Slow", b"503 Busy"])
def test_a_status_that_is_excepted_is_left(link: Link, status: bytes) -> None:
    requests = ask(link, *["GET"] * 4)
    link.end.send(ok(b"0") + ok(b"1") + ok(b"2", status=status) + ok(b"3"))
    but = {429, 503}
    found = take(link, but)
    assert found is not None
    assert [content for _, content in found] == [b"0", b"1"]
    assert take(link, but) == []
    assert [*link.state.outstanding] == requests[2:]
    response, content = link.read()
    assert (response.status, content) == (int(status[:3]), b"2")
    left = take(link, but)
    assert left is not None
    assert [content for _, content in left] == [b"3"]


def test_without_exceptions_each_status_is_taken(link: Link) -> None:
    ask(link, "GET", "GET")
    link.end.send(ok(status=b"503 Busy") + ok(status=b"429 Slow"))
    found = take(link)
    assert found is not None
    assert [response.status for response, _ in found] == [503, 429]


@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_excepted_responses_in_any_pieces(link: Link, size: int) -> None:
    wire = ok(b"abc") + ok(b"x" * 500, status=b"503 Busy") + ok(b"def")
    requests = ask(link, "GET", "GET", "GET")
    found: list[Got] = []
    assert feed(link, co_pairs(link, 3, found, bulk=True, but={503}), pieces(wire, size)) is None
    assert found == outcome(requests, [wire], bulk=False).found


# What is waited for in the buffer, and what is not


def test_short_content_is_waited_for(link: Link) -> None:
    ask(link, "GET")
    wire = ok(b"x" * 1000)
    link.end.send(wire[:-1])
    assert take(link) is None
    assert take(link) is None
    # Not a trace of it is left.
    assert isinstance(link.state.outstanding[0], Request)
    link.end.send(wire[-1:])
    found = take(link)
    assert found is not None
    assert [content for _, content in found] == [b"x" * 1000]


@pytest.mark.parametrize(("more", "waits"), [(0, True), (1, False)])
def test_content_that_is_too_long_for_that_goes_past_the_buffer(
    link: Link, more: int, waits: bool
) -> None:
    ask(link, "GET")
    size = _WHOLE_SIZE - len(ok(b"x" * 10_000)) + 10_000 + more
    wire = ok(b"x" * size)
    assert len(wire) == _WHOLE_SIZE + more
    link.end.send(wire[:100])
    assert take(link) == (None if waits else [])


def test_long_content_that_is_there_is_taken(link: Link) -> None:
    ask(link, "GET")
    content = b"x" * (_WHOLE_SIZE + 1)
    link.end.send(ok(content))
    found = take(link)
    assert found is not None
    assert [each for _, each in found] == [content]


def test_a_head_that_is_not_complete_is_not_waited_for(link: Link) -> None:
    # Somebody has to watch out for one that never ends.
    ask(link, "GET")
    link.end.send(b"HTTP/1.1 200 OK\r\nA: b\r\n")
    assert take(link) == []
    assert isinstance(link.state.outstanding[0], Request)


@pytest.mark.parametrize("piece", [1, 1000, 100_000])
@pytest.mark.parametrize("before", [b"", ok(b"abc"), ok(b"abc") * 50])
def test_an_endless_head_ends(piece: int, before: bytes) -> None:
    count = before.count(b"HTTP") + 1
    wire = before + b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 30_000
    if piece == 1:
        wire = wire[: len(before) + 8000]
        limits = Limits(1000, 5000)
    else:
        limits = Limits()
    requests = [Request("GET", f"/{number}") for number in range(count)]
    found = outcome(requests, pieces(wire, piece), bulk=True, limits=limits)
    assert len(found.found) == count - 1
    assert found.error is InvalidResponse
    assert found.reason is CloseReason.INVALID_RESPONSE


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 " + b"x" * 200_000, b"x" * 200_000])
def test_an_endless_line_ends(start: bytes) -> None:
    found = outcome([Request("GET", "/")], pieces(start, 5000), bulk=True)
    assert found.error is InvalidResponse


@pytest.mark.parametrize("limits", [Limits(100, 100), Limits(40, 10), Limits()])
@pytest.mark.parametrize("length", [0, 5, 20, 60, 200, 5000])
def test_limits_are_those_of_the_other_parts(limits: Limits, length: int) -> None:
    wire = ok(b"abc", b"A: " + b"x" * length) * 2
    requests = [Request("GET", "/0"), Request("GET", "/1")]
    expected = outcome(requests, [wire], bulk=False, limits=limits)
    assert outcome(requests, [wire], bulk=True, limits=limits) == expected
    assert outcome(requests, pieces(wire, 11), bulk=True, limits=limits) == expected


@pytest.mark.parametrize("piece", [997, 16_384, 65_536])
@pytest.mark.parametrize("size", [0, 100, 16_000, _WHOLE_SIZE - 60, _WHOLE_SIZE])
def test_more_than_the_buffer_holds(piece: int, size: int) -> None:
    count = 300_000 // (size + 100) + 1
    bodies = [b"%d:" % number + b"x" * size for number in range(count)]
    wire = b"".join(map(ok, bodies))
    requests = [Request("GET", f"/{number}") for number in range(count)]
    found = outcome(requests, pieces(wire, piece), bulk=True)
    assert found.error is None
    assert [each.content for each in found.found] == bodies
    assert [each.request for each in found.found] == requests


# The end of a connection


WIRE = ok(b"abc", b"A: b") + ok(b"def") + ok()
#: Where each response begins, where its head ends, and where it ends.
PLACES = [(0, 44, 47), (47, 85, 88), (88, 126, 126)]


def test_the_places() -> None:
    for start, body, stop in PLACES:
        assert WIRE[start:].startswith(b"HTTP")
        assert WIRE[:body].endswith(b"\r\n\r\n")
        assert WIRE[stop : stop + 4] in (b"HTTP", b"")


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("size", [1000, 1])
def test_a_connection_lost_at_every_byte(abrupt: bool, size: int) -> None:
    requests = [Request("GET", f"/{number}") for number in range(3)]
    for cut in range(len(WIRE)):
        found = outcome(requests, pieces(WIRE[:cut], size), bulk=True, abrupt=abrupt)
        complete = sum(stop <= cut for _, _, stop in PLACES)
        assert found.answered == len(found.found) == complete
        assert [each.request for each in found.found] == requests[:complete]
        assert found.error is ConnectionClosed
        assert found.reason is (
            CloseReason.CONNECTION_LOST if abrupt else CloseReason.SERVER_CLOSED
        )
        assert len(found.unanswered) == 3 - complete
        # Whoever asks again has to know that something has come.
        start, body, _ = PLACES[complete]
        assert found.final_status == (200 if body <= cut else 0)
        assert start <= cut


@pytest.mark.parametrize("abrupt", [False, True])
def test_a_connection_lost_behind_the_last_answer(abrupt: bool) -> None:
    requests = [Request("GET", f"/{number}") for number in range(3)]
    found = outcome(requests, [WIRE], bulk=True, abrupt=abrupt)
    assert found.error is None
    assert found.answered == 3
    assert found.reason is None


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_connection_that_breaks_in_short_content(link: Link, lacking: int) -> None:
    ask(link, "GET", "GET")
    link.transport.try_send(b"x")
    link.end.send(ok(b"abc")[:-lacking])
    assert take(link) is None
    link.end.close()
    with pytest.raises(ConnectionClosed) as caught:
        take(link)
    assert caught.value.reason is CloseReason.CONNECTION_LOST
    assert len(caught.value.unanswered) == 2
    oldest = link.state.oldest()
    assert oldest is not None
    assert oldest.final_status == 200
    assert link.state.receiving_closed


def test_a_connection_that_breaks_where_nothing_has_come(link: Link) -> None:
    ask(link, "GET")
    link.transport.try_send(b"x")
    link.end.close()
    with pytest.raises(ConnectionClosed) as caught:
        take(link)
    assert caught.value.unanswered == (("GET", "/0"),)
    oldest = link.state.oldest()
    assert oldest is not None
    assert oldest.final_status == 0


def test_a_connection_that_breaks_behind_nonsense(link: Link) -> None:
    ask(link, "GET", "GET")
    link.transport.try_send(b"x")
    link.end.send(ok(b"abc") + b"nonsense")
    assert take(link)
    link.end.close()
    # As if they were read one at a time.
    with pytest.raises(InvalidResponse):
        take(link)
    assert link.state.receiving_closed
    assert link.state.unanswered() == (("GET", "/1"),)


def test_a_server_that_closes_is_a_matter_of_the_other_parts(link: Link) -> None:
    ask(link, "GET")
    link.end.half_close()
    assert take(link) == []
    with pytest.raises(ConnectionClosed) as caught:
        link.read()
    assert caught.value.reason is CloseReason.SERVER_CLOSED


def test_after_a_failed_send_what_had_come_can_be_taken(link: Link) -> None:
    ask(link, "GET", "GET")
    link.end.send(ok(b"abc"))
    link.state.close_sending(CloseReason.CONNECTION_LOST)
    found = take(link)
    assert found is not None
    assert [content for _, content in found] == [b"abc"]
    assert link.state.close_reason is CloseReason.CONNECTION_LOST


# Tracers and interrupts


class Tracer:
    """Notes events, and may raise at one of them."""

    def __init__(self, at: int = -1) -> None:
        self.events: list[str] = []
        self.at = at

    def sent(self, data: bytes | bytearray | memoryview) -> None: ...

    def received(self, data: memoryview) -> None: ...

    def event(self, name: str, detail: str) -> None:
        self.events.append(f"{name}: {detail}")
        if len(self.events) - 1 == self.at:
            raise KeyboardInterrupt


@pytest.fixture
def traced_link() -> Iterator[Callable[[Tracer], Link]]:
    """A function that makes a connection with a tracer, which is closed after the test."""
    with ExitStack() as stack:
        yield lambda tracer: stack.enter_context(Link(tracer=tracer))


def test_the_tracer_is_told_of_each_response(traced_link: Callable[[Tracer], Link]) -> None:
    tracer = Tracer()
    link = traced_link(tracer)
    ask(link, "GET", "HEAD", "GET")
    link.end.send(ok(b"abc") + ok(status=b"404 No") + ok(b"de")[:-1])
    assert take(link)
    assert tracer.events == ["response: 200 to GET /0", "response: 404 to HEAD /1"]
    assert take(link) is None
    assert len(tracer.events) == 2


@pytest.mark.parametrize("at", [0, 1, 2])
def test_after_an_interrupt_requests_and_responses_still_fit(
    traced_link: Callable[[Tracer], Link], at: int
) -> None:
    link = traced_link(Tracer(at))
    requests = ask(link, "GET", "GET", "GET")
    link.end.send(ok(b"0") + ok(b"1") + ok(b"2"))
    with pytest.raises(KeyboardInterrupt):
        take(link)
    left = [*link.state.outstanding]
    assert link.state.answered == 3 - len(left)
    found = take(link)
    assert found is not None
    for response, content in found:
        assert response.path == f"/{content.decode()}"
        assert response.request in requests


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_interrupt_loses_no_response(traced_link: Callable[[Tracer], Link], at: int) -> None:
    link = traced_link(Tracer(at))
    requests = ask(link, "GET", "GET", "GET")
    link.end.send(ok(b"0") + ok(b"1") + ok(b"2"))
    with pytest.raises(KeyboardInterrupt):
        take(link)
    found = take(link)
    assert found is not None
    assert [response.request for response, _ in found] == requests
    assert [content for _, content in found] == [b"0", b"1", b"2"]


# Over a real connection, with TLS and without


@pytest.mark.parametrize("count", [1, 10, 500])
def test_over_a_real_connection(dialogue: Dialogue, count: int) -> None:
    conn = dialogue.conn
    end = dialogue.server.connect(conn)
    requests = [Request("GET", f"/{number}") for number in range(count)]
    conn._state.requests_sent(requests)
    bodies = [b"%d:" % number + b"x" * (number * 7 % 300) for number in range(count)]
    end.send(b"".join(map(ok, bodies)))
    found: list[Pair] = []
    while len(found) < count:
        batch = conn._receiver.try_plain(())
        if batch is None:
            assert conn._transport.recv_wait.poll(PATIENCE)
        else:
            assert batch
            found += batch
    assert [content for _, content in found] == bodies
    assert [response.request for response, _ in found] == requests
    dialogue.prove_usable()


# Any responses at all


field_lines = st.sampled_from(
    [b"A: b", b"Server: x", b"Connection: keep-alive", b"Connection: Keep-Alive", b"Connection: x",
     b"X-Content-Length: 9", b"C:", b"T: \xe4", b"Content-Type: text/plain", b"A: b\r\n c"]
)  # fmt: skip
statuses = st.sampled_from(
    [b"200 OK", b"200 ", b"200 OK", b"204 No Content", b"304 Not Modified", b"404 Not Found",
     b"503 Busy", b"299 \xff"]
)  # fmt: skip
contents = st.binary(max_size=50) | st.just(b"\r\n\r\n") | st.just(b"HTTP/1.1 200 OK\r\n\r\n")


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a method, and a proper response after which the connection persists."""
    method = draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "DELETE"]))
    status = draw(statuses)
    lines = draw(st.lists(field_lines, max_size=3))
    content = draw(contents)
    place = draw(st.integers(0, len(lines)))
    interim = draw(st.sampled_from([b"", b"", b"", b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n"]))
    has_content = method != "HEAD" and status[:3] not in (b"204", b"304")
    if draw(st.integers(0, 3)):
        lines.insert(place, b"Content-Length: %d" % len(content))
        sent = content
    else:
        lines.insert(place, b"Transfer-Encoding: chunked")
        sent = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces(content, 9))
        sent += b"0\r\nT: t\r\n\r\n"
    head = b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])
    return method, interim + head + (sent if has_content else b"")


@settings(max_examples=200)
@given(st.lists(exchanges(), min_size=1, max_size=12), st.data())
def test_any_responses_in_any_pieces(drawn: list[tuple[str, bytes]], data: st.DataObject) -> None:
    requests = [Request(method, f"/{number}") for number, (method, _) in enumerate(drawn)]
    wire = b"".join(response for _, response in drawn)
    cuts = sorted(
        data.draw(st.lists(st.integers(0, len(wire)), max_size=8, unique=True), label="cuts")
    )
    bounds = [0, *cuts, len(wire)]
    parts = [wire[start:stop] for start, stop in pairwise(bounds) if start < stop]
    expected = outcome(requests, [wire], bulk=False)
    assert expected.error is None
    assert outcome(requests, parts, bulk=True) == expected
    # ... and if the connection ends in the middle.
    lost = wire[: data.draw(st.integers(0, len(wire) - 1), label="lost at")]
    lost_parts = [part for part in (lost[: len(lost) // 2], lost[len(lost) // 2 :]) if part]
    expected = outcome(requests, [lost] if lost else [], bulk=False)
    assert outcome(requests, lost_parts, bulk=True) == expected
