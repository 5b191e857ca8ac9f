"""Heads: the same however they arrive, what an independent parser makes of them, and no foreign error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from httpio._decoders import ChunkedDecoder, CloseDelimitedDecoder, ContentLengthDecoder
from httpio._exceptions import RemoteProtocolError
from httpio._framing import (
    Chunked,
    CloseDelimited,
    ContentLength,
    NoContent,
    Tunnel,
    Undelimited,
    plain_framing,
    response_framing,
)
from httpio._messages import HTTPResponse
from httpio._parser import parse_response_head, parse_trailer_section
from tests.fuzz.strategies import (
    field_values,
    heads,
    mutated,
    responses,
    sections,
    sizes,
    split,
    tokens,
)
from tests.support.buffers import LIMITS, content_of, make_buffer, receive

if TYPE_CHECKING:
    from httpio._buffer import ReceiveBuffer
    from httpio._decoders import Decoder
    from httpio._framing import Framing
    from httpio._parser import ResponseHead

Outcome = tuple[object, ...]


def framing_of(head: ResponseHead, method: str = "GET") -> tuple[Framing, bool]:
    """Return what follows *head*, as the receiving half has it worked out."""
    if head.plain_length is None:
        return response_framing(method, head.status, head.minor_version, head.framing_fields)
    framing = plain_framing(method, head.status, head.plain_length)
    return framing, not isinstance(framing, Tunnel)


def describe(head: ResponseHead) -> Outcome:
    """Return all that matters of *head*, in a form that can be compared."""
    try:
        framing, persists = framing_of(head)
    except RemoteProtocolError as exc:
        followed_by: Outcome = (type(exc),)
    else:
        followed_by = (type(framing), getattr(framing, "length", None), persists)
    return head.minor_version, head.status, head.reason, head.field_section, followed_by


def parse_head(data: list[bytes]) -> Outcome:
    """Return what becomes of *data*, received piece by piece."""
    buffer = make_buffer(before=len(data))
    for number, piece in enumerate(data):
        receive(buffer, piece)
        try:
            head = parse_response_head(buffer, LIMITS)
        except RemoteProtocolError as exc:
            return (type(exc),)
        if head is not None:
            return "head", describe(head), content_of(buffer) + b"".join(data[number + 1 :])
        assert buffer.scanned == len(buffer)
    return ("incomplete", content_of(buffer))


def parse_trailers(data: list[bytes]) -> Outcome:
    """Return what becomes of *data*, received piece by piece."""
    buffer = make_buffer(before=len(data))
    for number, piece in enumerate(data):
        receive(buffer, piece)
        try:
            section = parse_trailer_section(buffer, LIMITS)
        except RemoteProtocolError as exc:
            return (type(exc),)
        if section is not None:
            return "section", section, content_of(buffer) + b"".join(data[number + 1 :])
    return ("incomplete", content_of(buffer))


@settings(max_examples=500)
@given(heads | mutated(heads) | mutated(responses) | st.binary(), sizes)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [17, 1])
@example(b"HTTP/2.0 200 OK\r\n\r\n\0", [1])
@example(b"HTTP/1.1 200 OK\r", [1])
def test_a_head_is_the_same_however_it_is_split(data: bytes, piece_sizes: list[int]) -> None:
    whole = parse_head([data] if data else [])
    assert parse_head(split(data, piece_sizes)) == whole
    assert parse_head(split(data, [1])) == whole


@settings(max_examples=300)
@given(sections.map(lambda section: section + b"\r\n") | mutated(sections) | st.binary(), sizes)
def test_a_trailer_section_is_the_same_however_it_is_split(
    data: bytes, piece_sizes: list[int]
) -> None:
    whole = parse_trailers([data] if data else [])
    assert parse_trailers(split(data, piece_sizes)) == whole
    assert parse_trailers(split(data, [1])) == whole


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            tokens | st.sampled_from([b"From", b"Date", b"Content-Type", b"Sender"]), field_values
        ),
        max_size=6,
    )
)
def test_fields_reach_the_caller_as_sent(fields: list[tuple[bytes, bytes]]) -> None:
    section = b"".join(b"%b:%b\r\n" % field for field in fields)
    head = parse_response_head(make_buffer(b"HTTP/1.1 200 OK\r\n" + section + b"\r\n"), LIMITS)
    assert head is not None
    headers = HTTPResponse("GET", "/", 200, head.rest).headers
    assert headers.items() == [
        (name.decode("ascii"), value.strip(b" \t").decode("latin-1")) for name, value in fields
    ]
    for name, _ in fields:
        assert headers.get_all(name.decode("ascii")) == [
            value.strip(b" \t").decode("latin-1")
            for other, value in fields
            if other.lower() == name.lower()
        ]


@settings(max_examples=300)
@given(heads | mutated(heads))
def test_any_head_that_is_taken_can_be_shown(data: bytes) -> None:
    try:
        head = parse_response_head(make_buffer(data), LIMITS)
    except RemoteProtocolError:
        return
    if head is not None:
        response = HTTPResponse("GET", "/", head.status, head.rest)
        assert len(response.headers) == sum(
            not line.startswith((b" ", b"\t")) for line in head.field_section.split(b"\r\n")[:-1]
        )
        assert repr(response)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            sections.filter(lambda section: framed_by_nothing(section)),
            st.sampled_from(["length", "chunks", "interim", "nothing"]),
            st.binary(min_size=1, max_size=40),
        ),
        min_size=1,
        max_size=5,
    ),
    sizes,
    st.integers(1, 50),
)
def test_responses_in_a_row_are_told_apart(
    messages: list[tuple[bytes, str, bytes]], piece_sizes: list[int], read_size: int
) -> None:
    """What one response leaves behind in the buffer must not be taken for a part of the next."""
    wire, expected = b"", []
    for section, kind, content in messages:
        framed, status = content, 200
        if kind == "length":
            section += b"Content-Length: %d\r\n" % len(content)
        elif kind == "chunks":
            section += b"Transfer-Encoding: chunked\r\n"
            framed = b"%x\r\n%b\r\n0\r\nA: b\r\n\r\n" % (len(content), content)
        else:
            framed, content, status = b"", b"", 103 if kind == "interim" else 204
        wire += b"HTTP/1.1 %d x\r\n%b\r\n%b" % (status, section, framed)
        expected.append((status, section, content))

    buffer = make_buffer()
    found: list[tuple[int, bytes, bytes]] = []
    decoder: Decoder | None = None
    for piece in split(wire, piece_sizes):
        receive(buffer, piece)
        while True:
            if decoder is None:
                head = parse_response_head(buffer, LIMITS)
                if head is None:
                    break
                found.append((head.status, head.field_section, b""))
                if head.status >= 200:
                    decoder = decoder_for(framing_of(head)[0])
            else:
                taken = decoder.decode(buffer, read_size)
                if taken is None:
                    break
                found[-1] = (*found[-1][:2], found[-1][2] + taken)
                if decoder.complete:
                    decoder = None
    assert found == expected
    assert len(buffer) == 0
    assert decoder is None


def framed_by_nothing(section: bytes) -> bool:
    """Tell if *section* has no field that says something of framing."""
    names = [line.partition(b":")[0].lower() for line in section.split(b"\r\n")]
    return not {b"content-length", b"transfer-encoding"} & {*names}


# With h11 as an oracle


def decoder_for(framing: Framing) -> Decoder | None:
    """Return what reads the content that *framing* tells of, `None` if there is no telling."""
    match framing:
        case ContentLength(length=length):
            return ContentLengthDecoder(length)
        case NoContent():
            return ContentLengthDecoder(0)
        case Chunked():
            return ChunkedDecoder(LIMITS)
        case CloseDelimited():
            return CloseDelimitedDecoder()
        case Undelimited() | Tunnel():
            return None


def read_content(decoder: Decoder, buffer: ReceiveBuffer) -> bytes:
    """Return what there is of the content."""
    content = b""
    while not decoder.complete:
        piece = decoder.decode(buffer, 100_000)
        if piece is None:
            break
        content += piece
    return content


class Seen(NamedTuple):
    """What a parser makes of the response to a GET request."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    content: bytes
    complete: bool
    persists: bool
    rest: bytes


#: h11 writes these in its own words.
REWRITTEN = ("content-length", "transfer-encoding")


def ours(data: bytes) -> Seen | None:
    """Return what we make of *data*, `None` if we refuse it or wait for more."""
    buffer = make_buffer(data)
    try:
        head = parse_response_head(buffer, LIMITS)
        if head is None or head.status < 200:
            return None
        framing, persists = framing_of(head)
        decoder = decoder_for(framing)
        if decoder is None:
            return None
        content = read_content(decoder, buffer)
    except RemoteProtocolError:
        return None
    message = HTTPResponse("GET", "/", 200, head.rest).headers
    fields = [(name.lower(), value) for name, value in message.items()]
    return Seen(
        head.status,
        head.reason,
        [(name, value) for name, value in fields if name not in REWRITTEN],
        content,
        decoder.complete,
        persists,
        content_of(buffer),
    )


def theirs(data: bytes) -> Seen | None:
    """Return what h11 makes of *data*, `None` if it refuses it or waits for more."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    try:
        head = connection.next_event()
        if not isinstance(head, h11.Response):
            return None
        content, event = b"", connection.next_event()
        while isinstance(event, h11.Data):
            content += bytes(event.data)
            event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers]
    return Seen(
        head.status_code,
        head.reason.decode("latin-1"),
        [(name, value) for name, value in fields if name not in REWRITTEN],
        content,
        isinstance(event, h11.EndOfMessage),
        connection.our_state is h11.DONE,
        connection.trailing_data[0],
    )


@settings(max_examples=500)
@given(responses | mutated(responses))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhelloHTTP")
@example(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\nrest"
)
@example(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
def test_h11_makes_the_same_of_what_both_take(data: bytes) -> None:
    mine, other = ours(data), theirs(data)
    if mine is None or other is None:
        return
    assert (mine.status, mine.reason) == (other.status, other.reason)
    assert (mine.content, mine.complete) == (other.content, other.complete)
    # h11 joins folded lines with as many blanks as there are.
    if b"\r\n " not in data and b"\r\n\t" not in data:
        assert mine.fields == other.fields
    if mine.complete:
        assert mine.rest == other.rest
    # To h11, HTTP/1.0 is never persistent.
    if data.startswith(b"HTTP/1.1"):
        assert mine.persists is other.persists
