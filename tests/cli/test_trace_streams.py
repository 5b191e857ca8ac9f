"""Each byte of a connection has one owner, the right one, however the bytes are split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from httpio import HTTPConnection, HTTPIOError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._trace.problems import Kind
from httpio_cli._trace.recording import Recording
from httpio_cli._trace.spans import MAX_SPANS, Part
from tests.fuzz.strategies import mutated, responses, sizes, split
from tests.support.server_end import Server

from .trace_talk import in_pieces, pieces, ranges, recorded, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpio import PollGenerator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def received(
    *turns: tuple[str, bytes] | tuple[str, str, str],
) -> list[tuple[str, str | None, bytes]]:
    (connection,) = recorded(*turns).connections
    return pieces(connection, connection.received)


def test_pipelined_requests_have_a_slot_each() -> None:
    one, two = request("/a"), request("/b")
    (connection,) = recorded((">", one + two), ("<", HEAD + b"hello" + HEAD + b"world")).connections
    assert ranges(connection.sent) == [
        ("request-head", "1", 0, len(one)),
        ("request-head", "2", len(one), len(one + two)),
    ]
    assert pieces(connection, connection.received) == [
        ("response-head", "1", HEAD),
        ("response-content", "1", b"hello"),
        ("response-head", "2", HEAD),
        ("response-content", "2", b"world"),
    ]
    assert [slot.target for slot in connection.slots] == ["/a", "/b"]
    assert not connection.problems


def test_request_content_with_a_length_and_in_chunks() -> None:
    plain = request("/a", b"Content-Length: 3\r\n", "PUT")
    chunked = request("/b", b"Transfer-Encoding: chunked\r\n", "PUT")
    (connection,) = recorded(
        (">", plain + b"abc" + chunked + b"2\r\nxy\r\n0\r\nT: 1\r\n\r\n"),
    ).connections
    assert pieces(connection, connection.sent) == [
        ("request-head", "1", plain),
        ("request-content", "1", b"abc"),
        ("request-head", "2", chunked),
        ("request-chunk-framing", "2", b"2\r\n"),
        ("request-content", "2", b"xy"),
        ("request-chunk-framing", "2", b"\r\n0\r\n"),
        ("request-trailers", "2", b"T: 1\r\n"),
        ("request-chunk-framing", "2", b"\r\n"),
    ]


def test_interim_heads_chunks_and_trailers() -> None:
    wire = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED_HEAD + b"3;x=y\r\nabc\r\n"
        b"2\r\nde\r\n0\r\nDigest: z\r\n\r\n"
    )
    assert received((">", request()), ("<", wire)) == [
        ("interim-head", "1", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        ("response-head", "1", CHUNKED_HEAD),
        ("response-chunk-framing", "1", b"3;x=y\r\n"),
        ("response-content", "1", b"abc"),
        ("response-chunk-framing", "1", b"\r\n2\r\n"),
        ("response-content", "1", b"de"),
        ("response-chunk-framing", "1", b"\r\n0\r\n"),
        ("response-trailers", "1", b"Digest: z\r\n"),
        ("response-chunk-framing", "1", b"\r\n"),
    ]


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", HEAD),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_responses_without_content(method: str, head: bytes) -> None:
    wire = head + HEAD + b"hello"
    assert received((">", request(method=method) + request()), ("<", wire)) == [
        ("response-head", "1", head),
        ("response-head", "2", HEAD),
        ("response-content", "2", b"hello"),
    ]


def test_data_that_nothing_was_asked_for() -> None:
    recording = recorded((">", request()), ("<", HEAD + b"hello"), ("<", b"more"))
    (connection,) = recording.connections
    assert pieces(connection, connection.received)[-1] == ("unsolicited", None, b"more")
    ((_, problem),) = recording.problems
    assert (problem.kind, problem.offset) == (Kind.UNSOLICITED, len(HEAD) + 5)


def test_a_response_that_is_seen_before_its_request_was_told() -> None:
    # With one thread that sends and one that receives, the sender may be late to tell.
    turns: list[tuple[str, bytes] | tuple[str, str, str]] = [
        ("*", "request", "GET /"),
        ("<", HEAD + b"hello"),
        (">", request()),
    ]
    assert received(*turns) == [("response-head", "1", HEAD), ("response-content", "1", b"hello")]


def test_nothing_follows_a_response_that_announces_the_close() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"
    recording = recorded((">", request("/a") + request("/b")), ("<", head + b"xHTTP/1.1 200"))
    (connection,) = recording.connections
    assert pieces(connection, connection.received) == [
        ("response-head", "1", head),
        ("response-content", "1", b"x"),
        ("after-close", None, b"HTTP/1.1 200"),
    ]
    (problem,) = connection.problems
    assert problem.kind is Kind.GIVEN_UP
    assert problem.slot is connection.slots[1]


def test_content_to_the_close() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    turns = [(">", request()), ("<", head + b"abc"), ("<", b"def")]
    (connection,) = recorded(*turns).connections
    assert pieces(connection, connection.received)[-1] == ("response-content", "1", b"abcdef")
    assert connection.slots[0].response_complete
    assert not connection.problems
    lost = ("*", "closed", "the network connection broke")
    (connection,) = recorded(*turns, lost).connections
    assert [problem.kind for problem in connection.problems] == [Kind.RESET]
    assert not connection.slots[0].response_complete


def test_the_exchange_that_opens_a_tunnel_belongs_to_no_request() -> None:
    connect = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
    answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
    (connection,) = recorded(
        (">", connect), ("<", answer), ("*", "tunnel", "a:443"), ("*", "tls", "TLSv1.3 x with a"),
        (">", request()), ("<", HEAD + b"hello"),
    ).connections  # fmt: skip
    assert pieces(connection, connection.sent) == [
        ("tunnel-request", "T", connect),
        ("request-head", "1", request()),
    ]
    assert pieces(connection, connection.received) == [
        ("tunnel-response", "T", answer),
        ("response-head", "1", HEAD),
        ("response-content", "1", b"hello"),
    ]


def test_a_refused_tunnel() -> None:
    answer = b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"
    (connection,) = recorded((">", request("a:443", method="CONNECT")), ("<", answer)).connections
    assert pieces(connection, connection.received) == [("tunnel-response", "T", answer)]


def test_another_protocol() -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    upgrade = request(fields=b"Upgrade: x\r\nConnection: upgrade\r\n")
    (connection,) = recorded((">", upgrade), ("<", head + b"\1\2"), (">", b"\3")).connections
    assert pieces(connection, connection.received)[-1] == ("tunnel-data", None, b"\1\2")
    assert pieces(connection, connection.sent)[-1] == ("tunnel-data", None, b"\3")


@pytest.mark.parametrize(
    ("wire", "kind", "offset", "code"),
    [
        (b"", Kind.NO_RESPONSE, 0, ExitCode.EMPTY_RESPONSE),
        (b"HTTP/1.1 20", Kind.HEAD_TRUNCATED, 11, ExitCode.EMPTY_RESPONSE),
        (HEAD + b"hel", Kind.CONTENT_TRUNCATED, len(HEAD) + 3, ExitCode.PARTIAL),
        (CHUNKED_HEAD + b"5\r\nab", Kind.CONTENT_TRUNCATED, len(CHUNKED_HEAD) + 5, ExitCode.PARTIAL),
        (b"SSH-2.0-x\r\n", Kind.INVALID_HEAD, 0, ExitCode.BAD_RESPONSE),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", Kind.INVALID_HEAD, 21, ExitCode.BAD_RESPONSE),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nb ad: c\r\n\r\n", Kind.INVALID_HEAD, 23, ExitCode.BAD_RESPONSE),
        (CHUNKED_HEAD + b"1\r\naXX", Kind.INVALID_FRAMING, len(CHUNKED_HEAD) + 4, ExitCode.BAD_RESPONSE),
        (CHUNKED_HEAD + b"1\r\na\r\n5x\r\n", Kind.INVALID_FRAMING, len(CHUNKED_HEAD) + 7, ExitCode.BAD_RESPONSE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 1000])
def test_it_says_where_a_response_broke(
    wire: bytes, kind: Kind, offset: int, code: ExitCode, size: int
) -> None:
    turns = in_pieces("<", wire, [size])
    closed = ("*", "closed", "the server closed it")
    recording = recorded((">", request()), *turns, closed)
    problem = recording.problems[0][1]
    assert (problem.kind, problem.offset, problem.kind.code) == (kind, offset, code)
    assert problem.slot is recording.connections[0].slots[0]


def test_a_reset_is_told_from_a_close() -> None:
    recording = recorded(
        (">", request()), ("<", HEAD + b"h"), ("*", "closed", "the network connection broke")
    )
    assert [problem.kind for _, problem in recording.problems] == [Kind.RESET]


def test_fields_that_contradict_each_other_break_behind_the_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    recording = recorded((">", request()), ("<", head + b"1\r\na\r\n0\r\n\r\n"))
    (connection,) = recording.connections
    assert [part for part, _, _ in pieces(connection, connection.received)] == [
        "response-head",
        "invalid",
    ]
    assert recording.problems[0][1].offset == len(head)


def test_a_request_that_was_not_sent_to_its_end() -> None:
    recording = recorded(
        (">", request(fields=b"Content-Length: 9\r\n", method="PUT") + b"abc"),
        ("*", "closed", "the network connection broke"),
    )
    kinds = [problem.kind for _, problem in recording.problems]
    assert kinds == [Kind.RESET, Kind.REQUEST_INCOMPLETE]
    assert "6 bytes" in recording.problems[1][1].text


def test_a_method_that_was_not_sent_to_its_end() -> None:
    (connection,) = recorded((">", request() + b"GE")).connections
    assert ranges(connection.sent)[-1] == ("request-head", "2", len(request()), len(request()) + 2)


def test_a_method_of_any_length() -> None:
    sent = request(method="X" * 100) + request()
    (connection,) = recorded(*in_pieces(">", sent, [1])).connections
    assert [(slot.number, len(slot.method)) for slot in connection.slots] == [(1, 100), (2, 3)]


def test_times_are_those_of_the_pieces() -> None:
    one, two = HEAD[:10], HEAD[10:] + b"hel"
    (connection,) = recorded((">", request()), ("<", one), ("<", two), ("<", b"lo")).connections
    slot = connection.slots[0]
    # The clock is looked at when the recording begins, and then for each piece.
    assert slot.request_begun == slot.request_ended == pytest.approx(0.001)
    assert slot.response_begun == pytest.approx(0.002)
    assert slot.response_ended == pytest.approx(0.004)


def test_very_many_chunks_are_counted_but_not_told_apart() -> None:
    chunks = 2 * MAX_SPANS
    wire = CHUNKED_HEAD + b"1\r\na\r\n" * chunks + b"0\r\n\r\n"
    (connection,) = recorded((">", request()), ("<", wire)).connections
    slot = connection.slots[0]
    assert len(connection.received.spans) <= MAX_SPANS + 1
    assert connection.received.spans.simplified
    assert slot.response_complete
    assert slot.received is not None
    assert len(slot.received) == len(wire)
    # The sizes are exact all the same.
    assert slot.size(Part.RESPONSE_CONTENT) == chunks
    assert slot.size(*Part) == len(request()) + len(wire)


def test_a_head_that_no_request_has() -> None:
    (connection,) = recorded((">", b"nonsense\r\n\r\nmore")).connections
    assert ranges(connection.sent) == [("invalid", "1", 0, 16)]
    endless = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000
    (connection,) = recorded((">", endless)).connections
    assert ranges(connection.sent) == [("invalid", "1", 0, len(endless))]


requests = st.lists(
    st.sampled_from(
        [
            request("/a"),
            request("/h", method="HEAD"),
            request("/p", b"Content-Length: 3\r\n", "POST") + b"abc",
            request("/c", b"Transfer-Encoding: chunked\r\n", "PUT") + b"2\r\nxy\r\n0\r\n\r\n",
            request("/u", b"Upgrade: x\r\n"),
            request("a:1", method="CONNECT"),
            request("/x")[:-3],
            b"nonsense\r\n\r\n",
        ]
    ),
    max_size=4,
).map(b"".join)
wires = st.lists(responses | mutated(responses) | st.binary(max_size=30), max_size=3).map(b"".join)


@pytest.mark.exhaustive
@settings(max_examples=300)
@given(requests | mutated(requests), wires, sizes, st.sampled_from([0, 10, 1_000_000]))
def test_the_ranges_are_all_bytes_once_however_they_come(
    sent: bytes, wire: bytes, piece_sizes: list[int], max_bytes: int
) -> None:
    whole = recorded((">", sent), ("<", wire))
    in_parts = recorded(
        *in_pieces(">", sent, piece_sizes),
        *in_pieces("<", wire, piece_sizes),
        max_bytes=max_bytes,
    )
    for recording in (whole, in_parts):
        for connection in recording.connections:
            for stream in connection.streams:
                stream.spans.check(stream.total)
                assert sum(map(len, stream.spans)) == stream.total
            for slot in connection.slots:
                # What belongs to a slot lies together, and is what was counted.
                sent_and_received = [around for around in (slot.sent, slot.received) if around]
                assert sum(map(len, sent_and_received)) == sum(slot.sizes.values())
    if sent or wire:
        (one,), (other,) = whole.connections, in_parts.connections
        for a, b in zip(one.streams, other.streams, strict=True):
            assert ranges(a) == ranges(b)
            assert bytes(a.captured[: len(b.captured)]) == bytes(b.captured)
        # The words quote what had come by then.
        assert [(problem.kind, problem.offset, problem.begins) for problem in one.problems] == [
            (problem.kind, problem.offset, problem.begins) for problem in other.problems
        ]


def co_contents(conn: HTTPConnection, count: int) -> PollGenerator[tuple[list[bytes], bool]]:
    """Return the contents of *count* responses, and whether all of them came."""
    found: list[bytes] = []
    try:
        for _ in range(count):
            yield from conn.co_read_response()
            found.append((yield from conn.co_readall()))
    except HTTPIOError:
        return found, False
    return found, True


def converse(server: Server, wire: Iterator[bytes]) -> tuple[Recording, list[bytes], bool]:
    """Have a client that is traced get *wire*; return the trace, and what the client made of it."""
    recording = Recording()
    recorder = recording.recorder("http://localhost")
    contents: list[bytes] = []
    good = False
    with HTTPConnection("localhost", unix_socket=server.path, tracer=recorder) as conn:
        for _ in range(2):
            server.drive(conn.co_send_request("GET", "/"))
        server.progress()
        end = server.end
        receiving = co_contents(conn, 2)
        try:
            while True:
                needed = next(receiving)
                while not needed.poll(0):
                    piece = next(wire, None)
                    if piece is None:
                        end.half_close()
                    else:
                        end.send(piece)
        except StopIteration as exc:
            contents, good = exc.value
        finally:
            end.close()
            server.ends.clear()
    recording.finish()
    return recording, contents, good


@pytest.mark.exhaustive
@settings(max_examples=150)
@given(
    st.lists(responses | mutated(responses) | st.binary(max_size=30), max_size=3).map(b"".join),
    sizes,
)
def test_it_agrees_with_the_client(wire: bytes, piece_sizes: list[int]) -> None:
    with Server() as server:
        recording, contents, good = converse(server, iter(split(wire, piece_sizes)))
    (connection,) = recording.connections
    received = connection.received
    complete = [slot for slot in connection.slots if slot.response_complete]
    assert [
        b"".join(
            bytes(received.captured[span.start : span.end])
            for span in received.spans.within(slot.received)
            if span.part is Part.RESPONSE_CONTENT
        )
        for slot in complete
    ] == contents
    bad = [problem for problem in connection.problems if problem.kind is not Kind.UNSOLICITED]
    assert good == (not bad)
