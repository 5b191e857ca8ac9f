"""Many byte ranges of one resource: what is asked for, what the server may answer, and what is left after errors."""

from __future__ import annotations

import array
import gc
import itertools
import random
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio import (
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    HTTPConnection,
    InvalidResponse,
    LocalProtocolError,
    RangeError,
    RangeNotSatisfiable,
    ResourceChanged,
    StateError,
    UnsupportedResponse,
)
from tests.support.answering import Answer, AnsweringServer, Asked, Then, ok
from tests.support.coroutines import no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import advance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import WriteableBuffer

    from httpio import PollGenerator
    from tests.support.certs import Certificates

    Reply: TypeAlias = bytes | Answer
    Answering: TypeAlias = Callable[[Asked], Reply]

CONTENT = random.Random(14).randbytes(1000)
PATH = "/data?v=1"
#: Three spans without a gap: the first is asked for alone, the others together.
RANGES = [(0, 10), (100, 20), (990, 10)]


def expected(ranges: Iterable[tuple[int, int]], content: bytes = CONTENT) -> list[bytes]:
    """Return what *ranges* of *content* are."""
    positions = [(offset % len(content) if offset < 0 else offset, size) for offset, size in ranges]
    return [content[offset : offset + size] for offset, size in positions]


def partial(
    data: bytes, content_range: str, *field_lines: str, then: Then = Then.KEEP, cut: int = 0
) -> Answer:
    """Return a 206 with this Content-Range, of which the last *cut* bytes are missing."""
    lines = (f"Content-Range: {content_range}", *field_lines)
    reply = ok(data, *lines, status="206 Partial Content")
    return Answer(reply[: len(reply) - cut], then)


def chunked(
    data: bytes, *field_lines: str, status: str = "200 OK", end: bytes = b"0\r\n\r\n"
) -> bytes:
    """Return a response that does not say beforehand how long it is."""
    lines = [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", *field_lines, "", ""]
    return "\r\n".join(lines).encode("latin-1") + b"%x\r\n%b\r\n%b" % (len(data), data, end)


def until_close(data: bytes, *field_lines: str, status: str = "200 OK") -> Answer:
    """Return a response that ends with the connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *field_lines, "", ""]
    return Answer("\r\n".join(lines).encode("latin-1") + data, Then.CLOSE)


def bounds(asked: Asked) -> tuple[int, int]:
    """Return first and last position of what was asked for."""
    unit, _, byte_range = asked.headers["range"].partition("=")
    assert unit == "bytes"
    first, last = byte_range.split("-")
    return int(first), int(last)


class Site(AnsweringServer):
    """Serves *content* in ranges, as RFC 9110 §14 has it, and tells `/after` from it.

    `instead` has what is answered otherwise, by the number of the request.
    """

    def __init__(
        self,
        content: bytes = CONTENT,
        *field_lines: str,
        etag: str | None = '"one"',
        tls: Certificates | None = None,
        tcp: bool = False,
        small: bool = False,
    ) -> None:
        super().__init__(self._choose, tls, tcp=tcp, small=small)
        self.content = content
        self.etag = etag
        self.field_lines = field_lines
        self.instead: dict[int, Answering] = {}
        self.always: Answering | None = None
        self.wanted: list[Asked] = []

    def _choose(self, asked: Asked) -> Reply:
        if asked.path == "/after":
            return ok(b"after")
        assert (asked.method, asked.path, asked.content) == ("GET", PATH, b"")
        number = len(self.wanted)
        self.wanted.append(asked)
        return self.instead.get(number, self.always or self.in_ranges)(asked)

    def stop_listening(self) -> None:
        """Refuse connections from now on."""
        assert self.path is not None
        Path(self.path).unlink()

    def lines(self) -> list[str]:
        """Return the field lines that tell the version."""
        return [*self.field_lines, *([] if self.etag is None else [f"ETag: {self.etag}"])]

    def in_ranges(self, asked: Asked) -> Reply:
        """Answer as a server should."""
        required = asked.headers.get("if-match")
        if required is not None and (required != self.etag or required.startswith("W/")):
            return ok(b"changed", *self.lines(), status="412 Precondition Failed")
        first, last = bounds(asked)
        size = len(self.content)
        if first >= size:
            line = f"Content-Range: bytes */{size}"
            return ok(b"beyond", line, status="416 Range Not Satisfiable")
        last = min(last, size - 1)
        data = self.content[first : last + 1]
        return partial(data, f"bytes {first}-{last}/{size}", *self.lines())

    def whole(self, asked: Asked) -> Reply:
        """Answer as a server that knows no ranges."""
        return ok(self.content, *self.lines())

    def ranges_asked(self) -> list[str]:
        """Return what came in Range."""
        return [asked.headers["range"].removeprefix("bytes=") for asked in self.wanted]

    def read(
        self,
        conn: HTTPConnection,
        ranges: Iterable[tuple[int, int]],
        *,
        etag: str | None = None,
        gap: int = 0,
        retries: int = 3,
    ) -> list[bytes]:
        """Drive `co_read_ranges`, without pauses."""
        return self.drive(
            conn.co_read_ranges(PATH, ranges, etag=etag, gap=gap, retries=retries, backoff=0)
        )

    def prove_usable(self, conn: HTTPConnection, connections: int | None = None) -> None:
        """Check that a request on *conn* gets its response, over the last of so many connections."""
        self.drive(conn.co_send_request("GET", "/after"))
        response = self.drive(conn.co_read_response())
        assert (response.status, response.path) == (200, "/after")
        assert self.drive(conn.co_readall()) == b"after"
        assert not conn.response_pending()
        if connections is not None:
            assert len(self.ends) == connections
        # A second call as well: nothing of the first is left.
        self.instead.clear()
        self.always = None
        self.etag = '"after"'
        assert self.read(conn, [(1, 2), (5, 3)]) == expected([(1, 2), (5, 3)], self.content)
        assert not conn.response_pending()
        if connections is not None:
            assert len(self.ends) == connections


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that the block leaves nothing open."""
    with no_descriptor_left():
        yield
        # Whatever a dropped coroutine held is closed with it: a ResourceWarning is an error here.
        gc.collect()


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that does everything right, until it is told otherwise."""
    with Site() as site:
        yield site


@pytest.fixture
def conn(site: Site) -> HTTPConnection:
    return site.connection()


# What comes back


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 1)],
        [(999, 1)],
        [(0, 1000)],
        [(500, 10), (0, 10), (990, 10), (200, 10)],
        [(0, 10), (5, 10), (8, 1), (14, 20)],
        [(5, 10), (0, 20)],
        [(0, 20), (5, 10), (15, 20), (6, 1), (3, 30)],
        [(7, 7)] * 5,
        [(0, 10), (10, 10), (20, 10)],
        [(20, 10), (10, 10), (0, 10)],
        [(0, 0)],
        [(5, 0), (5, 5), (7, 0), (10, 0)],
        [(-1, 1)],
        [(-1000, 1000)],
        [(-10, 10), (0, 10), (-20, 5), (-20, 0), (985, 10)],
        [(offset, 3) for offset in range(0, 900, 2)],
        [(offset, 1) for offset in range(999, -1, -7)],
    ],
)
@pytest.mark.parametrize("gap", [0, 1, 50, 4096])
@pytest.mark.parametrize("kind", ["ranges", "whole", "whole later", "more than asked for"])
def test_results_are_in_the_order_of_the_ranges(
    site: Site, conn: HTTPConnection, ranges: list[tuple[int, int]], gap: int, kind: str
) -> None:
    def more(asked: Asked) -> Reply:
        first, last = bounds(asked)
        first, last = max(first - 5, 0), min(last + 7, 999)
        return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/1000", *site.lines())

    if kind == "more than asked for":
        site.always = more
    elif kind == "whole":
        site.always = site.whole
    elif kind == "whole later":
        site.instead[2] = site.whole
    assert site.read(conn, ranges, gap=gap) == expected(ranges)
    into = [bytearray(size) for _, size in ranges]
    site.wanted.clear()
    assert site.drive(conn.co_readinto_ranges(PATH, iter(ranges), into, gap=gap, backoff=0)) is None
    assert into == expected(ranges)
    site.prove_usable(conn)


def test_results_are_bytes(site: Site, conn: HTTPConnection) -> None:
    found = site.read(conn, [(5, 0), (1, 2), (0, 2)])
    assert [type(each) for each in found] == [bytes] * 3


def test_any_iterable_will_do(site: Site, conn: HTTPConnection) -> None:
    assert site.read(conn, (each for each in RANGES)) == expected(RANGES)
    assert site.read(conn, dict(RANGES).items()) == expected(RANGES)


def test_numbers_need_only_be_integers(site: Site, conn: HTTPConnection) -> None:
    """As elsewhere, a bool is a number, and goes on the wire as one."""

    class Number:
        def __init__(self, value: int) -> None:
            self.value = value

        def __index__(self) -> int:
            return self.value

        def __str__(self) -> str:
            return "a number"

    ranges = [(Number(500), Number(5)), (False, True)]
    assert site.read(conn, ranges) == expected([(500, 5), (0, 1)])  # type: ignore[arg-type]  # like them
    assert site.ranges_asked() == ["0-0", "500-504"]


# What is asked for


@pytest.mark.parametrize(
    ("ranges", "gap", "asked"),
    [
        ([], 0, []),
        ([(5, 0)], 0, []),
        ([(0, 0), (-3, 0), (10**9, 0)], 100, []),
        ([(0, 1)], 0, ["0-0"]),
        ([(0, 10), (20, 10)], 9, ["0-9", "20-29"]),
        ([(0, 10), (20, 10)], 10, ["0-29"]),
        ([(20, 10), (0, 10)], 10, ["0-29"]),
        ([(0, 10), (10, 10)], 0, ["0-19"]),
        ([(0, 10), (11, 10)], 0, ["0-9", "11-20"]),
        ([(0, 10), (11, 10)], 1, ["0-20"]),
        ([(0, 10), (9, 10)], 0, ["0-18"]),
        ([(0, 100), (5, 5), (50, 1), (101, 1)], 0, ["0-99", "101-101"]),
        ([(0, 100), (5, 5), (101, 1)], 1, ["0-101"]),
        ([(7, 7)] * 3, 0, ["7-13"]),
        ([(300, 5), (100, 5), (200, 5), (101, 1)], 0, ["100-104", "200-204", "300-304"]),
        # An empty range is no bridge between others, and widens nothing.
        ([(0, 10), (15, 0), (20, 10)], 5, ["0-9", "20-29"]),
        ([(0, 10), (500, 0)], 1000, ["0-9"]),
        ([(0, 1), (2, 1), (4, 1), (6, 1)], 1, ["0-6"]),
        ([(0, 1), (999, 1)], 998, ["0-999"]),
        ([(0, 1), (999, 1)], 997, ["0-0", "999-999"]),
        # For the length of the resource; then all is known.
        ([(-10, 10)], 0, ["0-0", "990-999"]),
        ([(-10, 10), (980, 10), (0, 5)], 0, ["0-0", "0-4", "980-999"]),
        ([(-10, 5), (-20, 5), (-15, 0)], 5, ["0-0", "980-994"]),
    ],
)
def test_what_is_near_is_asked_for_together(
    site: Site, conn: HTTPConnection, ranges: list[tuple[int, int]], gap: int, asked: list[str]
) -> None:
    assert site.read(conn, ranges, gap=gap) == expected(ranges)
    assert site.ranges_asked() == asked
    assert len(site.ends) == bool(asked)
    site.prove_usable(conn, 1)


def test_the_gap_is_4096_unless_another_one_is_given() -> None:
    content = random.Random(2).randbytes(20_000)
    with Site(content) as site:
        conn = site.connection()
        ranges = [(0, 10), (10 + 4096, 10), (20 + 4096 + 4097, 10)]
        assert site.drive(conn.co_read_ranges(PATH, ranges)) == expected(ranges, content)
        assert site.ranges_asked() == ["0-4115", "8213-8222"]


def test_much_is_dropped_between_ranges() -> None:
    content = random.Random(1).randbytes(400_000)
    with Site(content) as site:
        conn = site.connection()
        ranges = [(100_000, 70_000), (399_999, 1), (5, 5)]
        assert site.read(conn, ranges, gap=10**9) == expected(ranges, content)
        assert site.ranges_asked() == ["5-399999"]
        site.always = site.whole
        assert site.read(conn, ranges) == expected(ranges, content)
        assert len(site.wanted) == 2
        site.prove_usable(conn, 1)


def test_the_first_is_asked_for_alone_and_the_others_of_its_version(
    site: Site, conn: HTTPConnection
) -> None:
    reading = conn.co_read_ranges(PATH, RANGES, gap=0)
    while not site.wanted:
        next(reading)
        site.progress()
    assert site.ranges_asked() == ["0-9"]
    assert not site.end.unread
    assert site.drive(reading) == expected(RANGES)
    assert [asked.headers.get("if-match") for asked in site.wanted] == [None, '"one"', '"one"']
    assert [asked.connection for asked in site.wanted] == [0, 0, 0]


def test_an_entity_tag_is_required_from_the_first_request_on(
    site: Site, conn: HTTPConnection
) -> None:
    ranges = [*RANGES, (-20, 5)]
    assert site.read(conn, ranges, etag='"one"') == expected(ranges)
    assert {asked.headers["if-match"] for asked in site.wanted} == {'"one"'}
    assert all("if-range" not in asked.headers for asked in site.wanted)


@pytest.mark.parametrize("depth", [1, 2, 3, 100])
def test_no_more_than_depth_requests_are_under_way(site: Site, depth: int) -> None:
    most = 0

    def count(asked: Asked) -> Reply:
        nonlocal most
        most = max(most, site.end.unread.count(b"\r\n\r\n") + 1)
        if len(site.wanted) == 2:
            # What was sent with it is still to be taken.
            most = max(most, bytes(site.end.received).count(b"\r\n\r\n") - 1)
        return site.in_ranges(asked)

    conn = site.connection()
    site.always = count
    ranges = [(offset, 3) for offset in range(0, 1000, 10)]
    assert site.drive(conn.co_read_ranges(PATH, ranges, gap=0, depth=depth)) == expected(ranges)
    assert len(site.wanted) == 100
    assert most == min(depth, 99)


# Header fields


@pytest.mark.parametrize("kind", ["mapping", "pairs", "iterator"])
def test_headers_go_with_each_request(site: Site, conn: HTTPConnection, kind: str) -> None:
    pairs = [("Authorization", "Bearer x"), ("X-Y", "z")]
    headers = {"mapping": dict(pairs), "pairs": pairs, "iterator": iter(pairs)}[kind]
    ranges = [*RANGES, (-20, 5)]
    site.instead[2] = lambda asked: Answer(b"", Then.CLOSE)
    found = site.drive(conn.co_read_ranges(PATH, ranges, headers, gap=0, backoff=0))  # type: ignore[arg-type]  # one of three
    assert found == expected(ranges)
    assert len(site.wanted) > 4
    for asked in site.wanted:
        assert (asked.headers["authorization"], asked.headers["x-y"]) == ("Bearer x", "z")
        assert asked.headers["accept-encoding"] == "identity"
    assert pairs == [("Authorization", "Bearer x"), ("X-Y", "z")]


def test_a_mapping_of_headers_is_not_changed(site: Site, conn: HTTPConnection) -> None:
    headers = {"X-Y": "z"}
    site.drive(conn.co_read_ranges(PATH, RANGES, headers, gap=0))
    assert headers == {"X-Y": "z"}


@pytest.mark.parametrize("name", ["Range", "range", "If-Match", "IF-RANGE"])
@pytest.mark.parametrize("as_pairs", [False, True])
def test_what_the_reader_sets_itself_is_refused(
    site: Site, conn: HTTPConnection, name: str, as_pairs: bool
) -> None:
    headers = {"X-Y": "z", name: "bytes=0-1"}
    with pytest.raises(LocalProtocolError, match=f"^{name} is set by the range reader itself$"):
        site.drive(conn.co_read_ranges(PATH, RANGES, [*headers.items()] if as_pairs else headers))
    site.progress()
    assert not site.ends
    site.prove_usable(conn, 1)


def test_the_caller_may_ask_for_the_connection_to_be_closed(
    site: Site, conn: HTTPConnection
) -> None:
    def closing(asked: Asked) -> Reply:
        reply = site.in_ranges(asked)
        assert isinstance(reply, Answer)
        return Answer(reply.data, Then.CLOSE)

    site.always = closing
    found = site.drive(conn.co_read_ranges(PATH, RANGES, {"Connection": "close"}, gap=0))
    assert found == expected(RANGES)
    assert [asked.connection for asked in site.wanted] == [0, 1, 2]
    site.prove_usable(conn, 4)


@pytest.mark.parametrize(
    ("path", "headers"), [("/a b", {}), (PATH, {"X": "a\r\nb"}), (PATH, {"": "x"})]
)
def test_a_request_that_must_not_be_sent(
    site: Site, conn: HTTPConnection, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(LocalProtocolError):
        site.drive(conn.co_read_ranges(path, RANGES, headers))
    site.progress()
    assert not site.asked
    site.prove_usable(conn, 1)


# Arguments


BAD_RANGES: dict[str, tuple[object, type[Exception]]] = {
    "negative size": ([(0, 1), (5, -1)], LocalProtocolError),
    "negative size from the end": ([(-5, -1)], LocalProtocolError),
    "beyond the end, from the end": ([(0, 1), (-5, 6)], LocalProtocolError),
    "str as offset": ([(0, 1), ("0", 1)], TypeError),
    "str as size": ([(0, "1")], TypeError),
    "float": ([(0.0, 1)], TypeError),
    "None": ([(0, None)], TypeError),
    "no pair": ([5], LocalProtocolError),
    "no iterable": (5, TypeError),
    "one number": ([(0, 1), (5,)], LocalProtocolError),
    "three numbers": ([(0, 1, 2)], LocalProtocolError),
}


@pytest.mark.parametrize("bad", BAD_RANGES)
def test_ranges_that_cannot_be_some_are_refused(site: Site, conn: HTTPConnection, bad: str) -> None:
    ranges, error = BAD_RANGES[bad]
    with pytest.raises(error):
        site.read(conn, ranges)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(error):
        site.drive(conn.co_readinto_ranges(PATH, ranges, [bytearray(1)] * 2))  # type: ignore[arg-type]  # as above
    site.progress()
    assert not site.ends
    site.prove_usable(conn, 1)


def test_what_the_error_says_of_a_range(site: Site, conn: HTTPConnection) -> None:
    with pytest.raises(LocalProtocolError, match=r"must not go beyond the end; got \(-5, 6\)$"):
        site.read(conn, [(-5, 6)])


@pytest.mark.parametrize("number", ["gap", "depth", "retries"])
@pytest.mark.parametrize("empty", [False, True])
def test_other_numbers_that_cannot_be_are_refused(
    site: Site, conn: HTTPConnection, number: str, empty: bool
) -> None:
    ranges = [] if empty else RANGES
    with pytest.raises(LocalProtocolError, match="-1"):
        site.drive(conn.co_read_ranges(PATH, ranges, **{number: -1}))  # type: ignore[arg-type]  # by name
    site.progress()
    assert not site.ends
    site.prove_usable(conn, 1)


# Buffers


BUFFERS: dict[str, Callable[[], WriteableBuffer]] = {
    "bytearray": lambda: bytearray(8),
    "memoryview": lambda: memoryview(bytearray(8)),
    "part of a memoryview": lambda: memoryview(bytearray(20))[3:11],
    "array of numbers": lambda: array.array("I", [0, 0]),
    "array of floats": lambda: array.array("d", [0]),
    "two dimensions": lambda: memoryview(bytearray(8)).cast("B", (2, 4)),
    "signed bytes": lambda: memoryview(bytearray(8)).cast("b"),
}


@pytest.mark.parametrize("kind", BUFFERS)
@pytest.mark.parametrize("whole", [False, True])
def test_buffers_of_all_kinds(site: Site, conn: HTTPConnection, kind: str, whole: bool) -> None:
    if whole:
        site.always = site.whole
    buffers = [BUFFERS[kind]() for _ in range(4)]
    # The second and the third are copied in part.
    ranges = [(500, 8), (504, 8), (502, 8), (3, 8)]
    site.drive(conn.co_readinto_ranges(PATH, ranges, buffers, gap=0))
    assert [memoryview(buffer).tobytes() for buffer in buffers] == expected(ranges)


def test_buffers_may_be_parts_of_one(site: Site, conn: HTTPConnection) -> None:
    memory = bytearray(b"-" * 30)
    view = memoryview(memory)
    site.drive(conn.co_readinto_ranges(PATH, [(990, 10), (0, 10)], (view[20:], view[:10]), gap=0))
    assert memory == CONTENT[:10] + b"-" * 10 + CONTENT[990:]


def test_buffers_are_let_go_of(site: Site, conn: HTTPConnection) -> None:
    buffers = [bytearray(size) for _, size in RANGES]
    site.drive(conn.co_readinto_ranges(PATH, RANGES, buffers, gap=0))
    for buffer in buffers:
        # A BufferError if there were a view of it.
        buffer.append(0)
    assert [buffer[:-1] for buffer in buffers] == expected(RANGES)


@pytest.mark.parametrize("kept", [0, -5])
def test_buffers_are_let_go_of_after_a_lost_connection(
    site: Site, conn: HTTPConnection, kept: int
) -> None:
    """At once, and not when the garbage collector comes by: the caller may want to resize them."""
    buffers = [bytearray(size) for _, size in RANGES]
    site.instead[1] = breaking(site, kept)
    gc.disable()
    try:
        site.drive(conn.co_readinto_ranges(PATH, RANGES, buffers, gap=0, backoff=0))
        for buffer in buffers:
            buffer.append(0)
    finally:
        gc.enable()
    assert [buffer[:-1] for buffer in buffers] == expected(RANGES)


def test_nothing_is_written_to_an_empty_buffer(site: Site, conn: HTTPConnection) -> None:
    site.drive(conn.co_readinto_ranges(PATH, [(10**9, 0), (-5, 0)], [bytearray(), bytearray()]))
    assert not site.ends


BAD_BUFFERS: dict[str, tuple[list[object], type[Exception], str]] = {
    "bytes": ([bytearray(10), bytes(20)], TypeError, "memory that can be written to"),
    "read-only": ([bytearray(10), memoryview(bytearray(20)).toreadonly()], TypeError, "written to"),
    "str": (["x" * 10, bytearray(20)], TypeError, "str"),
    "a number": ([10, 20], TypeError, "int"),
    "not contiguous": ([bytearray(10), memoryview(bytearray(40))[::2]], LocalProtocolError, "cont"),
    "too short": ([bytearray(10), bytearray(19)], LocalProtocolError, "range 1 has 19 .* 20"),
    "too long": ([bytearray(11), bytearray(20)], LocalProtocolError, "range 0 has 11 .* 10"),
    "size in items": ([array.array("I", bytes(40)), bytearray(20)], LocalProtocolError, "40 bytes"),
    "too few": ([bytearray(10)], LocalProtocolError, "more ranges than the 1 buffers"),
    "none": ([], LocalProtocolError, "more ranges than the 0 buffers"),
    "too many": (
        [bytearray(10), bytearray(20), bytearray(5)],
        LocalProtocolError,
        "2 ranges, but 3 buffers",
    ),
}


@pytest.mark.parametrize("bad", BAD_BUFFERS)
def test_buffers_that_do_not_fit_are_refused(site: Site, conn: HTTPConnection, bad: str) -> None:
    buffers, error, message = BAD_BUFFERS[bad]
    with pytest.raises(error, match=message):
        site.drive(conn.co_readinto_ranges(PATH, RANGES[:2], buffers))  # type: ignore[arg-type]  # that is the point
    site.progress()
    assert not site.ends
    site.prove_usable(conn, 1)


# Servers that know no ranges


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("framing", ["length", "chunked", "to the close"])
@pytest.mark.parametrize("to_the_end", [False, True])
def test_everything_instead_of_a_range(
    site: Site, conn: HTTPConnection, number: int, framing: str, to_the_end: bool
) -> None:
    replies: dict[str, Reply] = {
        "length": ok(CONTENT, *site.lines()),
        "chunked": chunked(CONTENT, *site.lines()),
        "to the close": until_close(CONTENT, *site.lines()),
    }
    site.instead[number] = lambda asked: replies[framing]
    ranges = RANGES if to_the_end else [(0, 10), (100, 20), (300, 10)]
    assert site.read(conn, ranges) == expected(ranges)
    # Once it is there, it is not asked for again.
    assert len(site.wanted) <= len(ranges)
    assert number > 0 or len(site.wanted) == 1
    site.prove_usable(conn)


def test_everything_is_received_once_and_the_connection_kept(
    site: Site, conn: HTTPConnection
) -> None:
    site.always = site.whole
    assert site.read(conn, RANGES) == expected(RANGES)
    assert site.ranges_asked() == ["0-9"]
    site.prove_usable(conn, 1)


def test_what_is_behind_the_last_range_is_not_waited_for(site: Site, conn: HTTPConnection) -> None:
    """The server may have very much of it: a new connection is cheaper."""
    reply = ok(CONTENT, *site.lines())
    site.instead[0] = lambda asked: Answer(reply[:-500], Then.DEAF)
    assert site.read(conn, [(0, 10), (100, 10)]) == expected([(0, 10), (100, 10)])
    assert site.ranges_asked() == ["0-9"]
    site.prove_usable(conn, 2)


@pytest.mark.parametrize("number", [0, 1])
def test_from_the_end_of_everything(site: Site, conn: HTTPConnection, number: int) -> None:
    site.instead[number] = site.whole
    ranges = [(-10, 10), (0, 5), (-1000, 1)]
    assert site.read(conn, ranges) == expected(ranges)
    site.prove_usable(conn)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 5, 999])
def test_everything_is_too_short(number: int, size: int) -> None:
    with Site(etag=None) as site:
        conn = site.connection()
        site.content = CONTENT[:size]
        site.instead = dict.fromkeys(range(number), lambda asked: self_contained(asked))
        site.always = site.whole
        ranges = RANGES
        with pytest.raises(RangeError) as caught:
            site.read(conn, ranges)
        if number:
            # Those before have said another length.
            assert type(caught.value) is ResourceChanged
        else:
            assert isinstance(caught.value, RangeNotSatisfiable)
            assert caught.value.complete_length == size
        assert caught.value.status == 200
        site.content = CONTENT
        site.prove_usable(conn)


def self_contained(asked: Asked) -> Reply:
    """Answer with a range of `CONTENT`, and no validator."""
    first, last = bounds(asked)
    return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/1000")


@pytest.mark.parametrize("framing", ["chunked", "to the close"])
@pytest.mark.parametrize("size", [0, 5, 999])
def test_everything_is_too_short_and_nobody_said_so(
    site: Site, conn: HTTPConnection, framing: str, size: int
) -> None:
    """Nothing was announced, so the server has done nothing wrong: the range goes beyond the end."""
    make = chunked if framing == "chunked" and size else until_close
    site.instead[0] = lambda asked: make(CONTENT[:size])
    with pytest.raises(RangeNotSatisfiable) as caught:
        site.read(conn, RANGES)
    assert caught.value.status == 200
    assert caught.value.complete_length in (None, size)
    # Chunks are read to their end.
    site.prove_usable(conn, 1 if make is chunked else 2)


# Beyond the end


@pytest.mark.parametrize(
    ("ranges", "status"),
    [
        ([(1000, 1)], 416),
        ([(10**17, 5)], 416),
        ([(0, 5), (2000, 5)], 416),
        ([(0, 5), (100, 5), (2000, 5)], 416),
        ([(999, 2)], 206),
        ([(0, 1001)], 206),
        ([(0, 5), (998, 3)], 206),
        ([(0, 5), (998, 3), (2000, 1)], 206),
        ([(-1001, 1)], 206),
        ([(0, 5), (-2000, 2000)], 206),
    ],
)
def test_a_range_beyond_the_end(
    site: Site, conn: HTTPConnection, ranges: list[tuple[int, int]], status: int
) -> None:
    with pytest.raises(RangeNotSatisfiable, match=r"/data\?v=1, which has 1000 bytes") as caught:
        site.read(conn, ranges)
    assert caught.value.complete_length == 1000
    assert caught.value.status == status
    site.prove_usable(conn)
    assert len(site.ends) <= 2


@pytest.mark.parametrize(
    ("line", "length"),
    [
        ("Content-Range: bytes */50", 50),
        ("Content-Range: bytes */*", None),
        ("Content-Range: bytes 0-1/50", None),
        ("Content-Range: nonsense", None),
        ("Content-Range: \xff", None),
        ("X: y", None),
    ],
)
def test_a_416_may_or_may_not_say_the_length(
    site: Site, conn: HTTPConnection, line: str, length: int | None
) -> None:
    site.instead[0] = lambda asked: ok(b"", line, status="416 Range Not Satisfiable")
    with pytest.raises(RangeNotSatisfiable) as caught:
        site.read(conn, RANGES)
    assert caught.value.complete_length == length
    assert caught.value.status == 416
    # It was read to its end.
    site.prove_usable(conn, 1)


@pytest.mark.parametrize("whole", [False, True])
def test_an_empty_resource(whole: bool) -> None:
    with Site(b"") as site:
        conn = site.connection()
        if whole:
            site.always = site.whole
        for ranges in ([(0, 1)], [(-1, 1)], [(0, 0), (5, 5)]):
            with pytest.raises(RangeNotSatisfiable) as caught:
                site.read(conn, ranges)
            assert caught.value.complete_length == 0
        assert site.read(conn, [(0, 0), (-1, 0)]) == [b"", b""]


@pytest.mark.parametrize("reply", [chunked(CONTENT), partial(CONTENT[:1], "bytes 0-0/*").data])
def test_an_end_that_is_not_known(site: Site, conn: HTTPConnection, reply: bytes) -> None:
    site.instead[0] = lambda asked: reply
    with pytest.raises(UnsupportedResponse, match="does not say how long /data"):
        site.read(conn, [(0, 5), (-5, 5)])
    site.prove_usable(conn, 2)


def test_no_length_is_needed_otherwise(site: Site, conn: HTTPConnection) -> None:
    def unknown(asked: Asked) -> Reply:
        first, last = bounds(asked)
        return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/*", *site.lines())

    for number in range(3):
        site.instead = {0: unknown, 1: unknown, 2: unknown} if number == 2 else {number: unknown}
        site.wanted.clear()
        assert site.read(conn, RANGES) == expected(RANGES)
    site.prove_usable(conn, 1)


# Answers that are no ranges


class Fault:
    """An answer, and the exception that it makes.

    *complete*: it is read to its end by then, so nothing of it is outstanding; `None` if that is
    left open.
    """

    def __init__(
        self,
        answer: Answering,
        error: type[Exception],
        match: str = ".",
        *,
        complete: bool | None = False,
        status: int = 0,
    ) -> None:
        self.answer = answer
        self.error = error
        self.match = match
        self.complete = complete
        self.status = status


def refusal(status: str, *field_lines: str, content: bytes = b"no") -> Fault:
    error = {"412": ResourceChanged, "416": RangeNotSatisfiable}.get(status[:3], RangeError)
    return Fault(
        lambda asked: ok(content, *field_lines, status=status),
        error,
        complete=not content,
        status=int(status[:3]),
    )


def with_content_range(value: str) -> Fault:
    def answer(asked: Asked) -> Reply:
        first, last = bounds(asked)
        data = CONTENT[first : last + 1]
        value_here = value.replace("FIRST", str(first)).replace("LAST", str(last))
        return partial(data, value_here, 'ETag: "one"')

    return Fault(answer, InvalidResponse, "Content-Range")


def shifted(before: int, after: int) -> Fault:
    """Answer with other positions than was asked for."""

    def answer(asked: Asked) -> Reply:
        first, last = bounds(asked)
        first, last = first + before, last + after
        return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/1000", 'ETag: "one"')

    return Fault(answer, InvalidResponse, "was asked for bytes .*, and sent bytes")


def of_size(change: int, *, in_chunks: bool = False) -> Fault:
    """Answer with more or less content than Content-Range says.

    In chunks, that there is less is seen at the end of the content.
    """

    def answer(asked: Asked) -> Reply:
        first, last = bounds(asked)
        data = (CONTENT[first : last + 1] + b"x" * change)[: last + 1 - first + change]
        content_range = f"bytes {first}-{last}/1000"
        if not in_chunks:
            return partial(data, content_range, 'ETag: "one"')
        lines = (f"Content-Range: {content_range}", 'ETag: "one"')
        return chunked(data, *lines, status="206 Partial Content")

    complete: bool | None = change == -10
    if in_chunks:
        complete = None if change > 0 else True
    return Fault(answer, InvalidResponse, complete=complete)


def multipart(asked: Asked) -> Reply:
    """Answer as to several ranges (RFC 9110 §14.6)."""
    first, last = bounds(asked)
    part = f"--x\r\nContent-Range: bytes {first}-{last}/1000\r\n\r\n".encode()
    content = part + CONTENT[first : last + 1] + b"\r\n--x--\r\n"
    line = "Content-Type: multipart/byteranges; boundary=x"
    return ok(content, line, 'ETag: "one"', status="206 Partial Content")


def bad_chunk(asked: Asked) -> Reply:
    first, last = bounds(asked)
    lines = (f"Content-Range: bytes {first}-{last}/1000", 'ETag: "one"')
    head = chunked(b"", *lines, status="206 Partial Content").partition(b"\r\n\r\n")[0]
    return head + b"\r\n\r\n5\r\n12345\r\nnonsense\r\n"


FAULTS: dict[str, Fault] = {
    "404": refusal("404 Not Found"),
    "404 without content": refusal("404 Not Found", content=b""),
    "404 with much content": refusal("404 Not Found", content=bytes(300_000)),
    "500": refusal("500 Internal Server Error"),
    "503": refusal("503 Service Unavailable", "Retry-After: 0", content=b""),
    "429": refusal("429 Too Many Requests", "Retry-After: 0"),
    "201": refusal("201 Created"),
    "204": Fault(
        lambda asked: b"HTTP/1.1 204 No Content\r\n\r\n", RangeError, complete=True, status=204
    ),
    "304": Fault(
        lambda asked: b"HTTP/1.1 304 Not Modified\r\n\r\n", RangeError, complete=True, status=304
    ),
    "301": refusal("301 Moved", "Location: /elsewhere", content=b""),
    "412": refusal("412 Precondition Failed"),
    "412 without content": refusal("412 Precondition Failed", content=b""),
    "416": refusal("416 Range Not Satisfiable", "Content-Range: bytes */1000"),
    "multipart": Fault(multipart, InvalidResponse, "expected 'Content-Range"),
    "no Content-Range": Fault(
        lambda asked: ok(CONTENT[:10], status="206 Partial Content"), InvalidResponse, "sent b''"
    ),
    "empty 206": Fault(
        lambda asked: ok(status="206 Partial Content"), InvalidResponse, "sent b''", complete=True
    ),
    **{
        f"Content-Range: {value!a}": with_content_range(value)
        for value in (
            "bytes",
            "bytes FIRST-LAST",
            "bytes FIRST-LAST/",
            "bytes FIRST-LAST/x",
            "bytes */1000",
            "bytes */*",
            "bytes=FIRST-LAST/1000",
            "bytes  FIRST-LAST/1000",
            "bytes FIRST - LAST/1000",
            "bytes FIRST-LAST/+1000",
            "bytes FIRST-LAST/0",
            "bytes FIRST-LAST/LAST",
            "bytes LAST-FIRST/1000",
            "bytes -FIRST-LAST/1000",
            "bytes FIRST-LAST/1000, bytes 5-6/1000",
            "lines FIRST-LAST/1000",
            "bytes FIRST-LAST/\xb2",
            "bytes \xff\x80",
            "bytes FIRST-LAST/" + "1" * 19,
            "bytes 0-" + "1" * 5000 + "/*",
            "FIRST-LAST/1000",
        )
    },
    "two Content-Range lines": Fault(
        lambda asked: partial(
            CONTENT[: bounds(asked)[1] - bounds(asked)[0] + 1],
            "bytes {}-{}/1000".format(*bounds(asked)),
            "Content-Range: bytes 500-509/1000",
        ),
        InvalidResponse,
        "Content-Range",
    ),
    "begins later": shifted(1, 0),
    "ends earlier": shifted(0, -1),
    "in the middle": shifted(3, -3),
    "elsewhere before": shifted(-50, -50),
    "elsewhere behind": shifted(40, 40),
    "content too long": of_size(1),
    "content too short": of_size(-1),
    "content far too short": of_size(-9),
    "no content": of_size(-10),
    "content in chunks too short": of_size(-1, in_chunks=True),
    "content in chunks too long": of_size(1, in_chunks=True),
    "bad chunk": Fault(bad_chunk, InvalidResponse),
    "no status line": Fault(lambda asked: b"nonsense\r\n\r\n", InvalidResponse),
    "no length at all": Fault(lambda asked: b"HTTP/1.1 200 OK\r\n\r\n", UnsupportedResponse),
    "two lengths": Fault(
        lambda asked: partial(b"12345", "bytes 0-4/10", "Content-Length: 6"), InvalidResponse
    ),
}
MIDDLE = [(500, 10), (700, 10), (900, 10)]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("known", [False, True])
def test_an_answer_that_is_no_range(
    site: Site, conn: HTTPConnection, number: int, name: str, known: bool
) -> None:
    fault = FAULTS[name]
    site.instead[number] = fault.answer
    with pytest.raises(fault.error, match=fault.match) as caught:
        site.read(conn, MIDDLE, etag='"one"' if known else None)
    assert type(caught.value) is fault.error
    if fault.status:
        assert isinstance(caught.value, RangeError)
        assert caught.value.status == fault.status
    # Nothing is asked for twice because of it.
    assert site.ranges_asked() == sorted(set(site.ranges_asked()))
    # The first travels alone with a known entity tag too: the server has proven nothing.
    alone = number != 1
    connections = 1 if fault.complete and alone else 2
    site.prove_usable(conn, None if fault.complete is None else connections)
    assert len(site.ends) <= 2


@pytest.mark.parametrize("name", ["404", "no Content-Range", "412", "416", "no length at all"])
def test_no_length_can_be_had(site: Site, conn: HTTPConnection, name: str) -> None:
    fault = FAULTS[name]
    site.instead[0] = fault.answer
    error = RangeNotSatisfiable if name == "416" else fault.error
    with pytest.raises(error):
        site.read(conn, [(-5, 5), (0, 5)])
    assert site.ranges_asked() == ["0-0"]
    site.prove_usable(conn, 2)


def test_what_is_not_asked_again_is_said(site: Site, conn: HTTPConnection) -> None:
    site.instead[1] = lambda asked: ok(b"", status="404 Gone Fishing")
    with pytest.raises(RangeError, match=r"expected status 206 .* sent 404 Gone Fishing$"):
        site.read(conn, RANGES)


# Other versions


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_entity_tag_changes_and_the_server_looks(
    site: Site, conn: HTTPConnection, number: int
) -> None:
    """With If-Match it finds out by itself (RFC 9110 §13.1.1)."""

    def change(asked: Asked) -> Reply:
        site.etag = '"two"'
        return site.in_ranges(asked)

    site.instead[number] = change
    if number == 0:
        assert site.read(conn, RANGES) == expected(RANGES)
        assert {asked.headers.get("if-match") for asked in site.wanted} == {None, '"two"'}
        return
    with pytest.raises(ResourceChanged, match='the entity tag "one" any more') as caught:
        site.read(conn, RANGES)
    assert caught.value.status == 412
    site.prove_usable(conn, 2)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_the_entity_tag_is_another_one_from_the_beginning(
    site: Site, conn: HTTPConnection, number: int
) -> None:
    ranges = [*RANGES, *([(-5, 5)] if number == 3 else [])]
    if number:
        site.always = site.whole if number == 1 else self_contained_with('ETag: "one"')
    with pytest.raises(ResourceChanged, match='"other"') as caught:
        site.read(conn, ranges, etag='"other"')
    assert caught.value.status == (412, 200, 206, 206)[number]
    site.prove_usable(conn, 2)


def self_contained_with(*field_lines: str) -> Answering:
    """Return an answer that does not look at If-Match."""

    def answer(asked: Asked) -> Reply:
        first, last = bounds(asked)
        return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/1000", *field_lines)

    return answer


def with_length(length: int, *field_lines: str) -> Answering:
    def answer(asked: Asked) -> Reply:
        first, last = bounds(asked)
        return partial(CONTENT[first : last + 1], f"bytes {first}-{last}/{length}", *field_lines)

    return answer


VERSIONS: dict[str, tuple[Answering, Answering, str]] = {
    "entity tag": (
        self_contained_with('ETag: "one"'),
        self_contained_with('ETag: "two"'),
        'its entity tag was "one", and is "two"$',
    ),
    "date": (
        self_contained_with("Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"),
        self_contained_with("Last-Modified: Mon, 01 Jan 2024 00:00:01 GMT"),
        "its date was .*:00 GMT, and is .*:01 GMT$",
    ),
    "length": (with_length(1000), with_length(1001), "its length was 1000, and is 1001$"),
    "length and a weak tag": (
        with_length(1000, 'ETag: W/"one"'),
        with_length(2000, 'ETag: W/"one"'),
        "its length was 1000, and is 2000$",
    ),
    "everything, of another tag": (
        self_contained_with('ETag: "one"'),
        lambda asked: ok(CONTENT, 'ETag: "two"'),
        "entity tag",
    ),
    "everything, in chunks, of another tag": (
        self_contained_with('ETag: "one"'),
        lambda asked: chunked(CONTENT, 'ETag: "two"'),
        "entity tag",
    ),
    "everything, of another length": (
        self_contained_with(),
        lambda asked: ok(CONTENT + b"x"),
        "length was 1000, and is 1001",
    ),
}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("what", VERSIONS)
@pytest.mark.parametrize("from_end", [False, True])
def test_another_version_in_the_middle(
    site: Site, conn: HTTPConnection, what: str, number: int, from_end: bool
) -> None:
    before, after, message = VERSIONS[what]
    site.always = before
    site.instead[number] = after
    with pytest.raises(ResourceChanged, match=message):
        site.read(conn, [(0, 10), (100, 20), (-10, 10)] if from_end else RANGES)
    site.prove_usable(conn, 2)


def test_a_resource_that_got_shorter(site: Site, conn: HTTPConnection) -> None:
    """Even where the server has no entity tag, and says so with 416."""
    site.always = self_contained
    site.instead[2] = lambda asked: ok(
        b"", "Content-Range: bytes */500", status="416 Range Not Satisfiable"
    )
    with pytest.raises(RangeError) as caught:
        site.read(conn, RANGES)
    assert type(caught.value) in (RangeNotSatisfiable, ResourceChanged)
    assert caught.value.status == 416
    site.prove_usable(conn, 1)


@pytest.mark.parametrize("tags", [['W/"a"', 'W/"b"', 'W/"c"'], [None, None, None], ['W/"a"', None]])
def test_a_weak_tag_says_nothing(site: Site, conn: HTTPConnection, tags: list[str | None]) -> None:
    """RFC 9110 §8.8.1: versions with the same weak tag may differ in single bytes."""
    for number, tag in enumerate(tags):
        site.instead[number] = self_contained_with(*([] if tag is None else [f"ETag: {tag}"]))
    site.always = self_contained
    assert site.read(conn, RANGES) == expected(RANGES)
    assert all("if-match" not in asked.headers for asked in site.wanted)


@pytest.mark.parametrize(("strong", "found"), [(0, None), (1, None), (1, '"two"')])
def test_a_strong_tag_may_come_late_or_be_left_out(
    site: Site, conn: HTTPConnection, strong: int, found: str | None
) -> None:
    site.always = self_contained
    site.instead[strong] = self_contained_with('ETag: "one"')
    if found is not None:
        site.instead[2] = self_contained_with(f"ETag: {found}")
        with pytest.raises(ResourceChanged):
            site.read(conn, RANGES)
        site.prove_usable(conn, 2)
    else:
        assert site.read(conn, RANGES) == expected(RANGES)


def test_versions_of_two_calls_have_nothing_to_do_with_one_another(
    site: Site, conn: HTTPConnection
) -> None:
    assert site.read(conn, RANGES) == expected(RANGES)
    site.etag = '"two"'
    site.content = CONTENT[::-1] + b"x"
    assert site.read(conn, RANGES) == expected(RANGES, site.content)
    assert len(site.ends) == 1


def test_a_new_version_is_not_mixed_in_after_a_lost_connection(
    site: Site, conn: HTTPConnection
) -> None:
    """The server has no entity tag, and the first part of the range had come."""
    site.always = self_contained_with("Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT")
    site.instead[1] = lambda asked: partial(
        CONTENT[100:120], "bytes 100-119/1000", then=Then.CLOSE, cut=10
    )
    site.instead[3] = site.instead[2] = lambda asked: partial(
        bytes(20), "bytes 100-119/1000", "Last-Modified: Mon, 01 Jan 2024 00:00:01 GMT"
    )
    with pytest.raises(ResourceChanged, match="date"):
        site.read(conn, RANGES)
    site.prove_usable(conn, 3)


# Lost connections


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("tcp", [False, True])
def test_what_was_lost_is_asked_for_again(number: int, then: Then, tcp: bool) -> None:
    """Wherever the answer breaks off, before, in or behind its head."""
    with Site(tcp=tcp) as site:
        whole = site.in_ranges
        size = len(expected(RANGES)[number])
        for kept in (0, 1, 12, 40, -size - 3, -size, 1 - size, -1):

            def broken(asked: Asked, kept: int = kept) -> Reply:
                reply = whole(asked)
                assert isinstance(reply, Answer)
                return Answer(reply.data[:kept], then)

            conn = site.connection()
            before = len(site.ends)
            site.wanted.clear()
            site.instead[number] = broken
            assert site.read(conn, RANGES) == expected(RANGES), kept
            assert len(site.ends) - before == 2
            asked = [f"{offset}-{offset + size - 1}" for offset, size in RANGES]
            assert site.ranges_asked() == [*asked[: number + 1], *asked[number:]]
            site.instead.clear()
            conn.close()


def test_at_every_byte() -> None:
    """Two ranges come together, and the connection breaks anywhere in them."""
    with Site() as site:
        kept = 0
        whole = site.in_ranges
        after = b""

        def broken(asked: Asked) -> Reply:
            nonlocal after
            replies = []
            for offset, size in RANGES[1:]:
                byte_range = f"bytes {offset}-{offset + size - 1}/1000"
                replies.append(
                    partial(CONTENT[offset : offset + size], byte_range, *site.lines()).data
                )
            after = b"".join(replies)
            return Answer(after[:kept], Then.CLOSE)

        while not after or kept < len(after):
            conn = site.connection()
            before = len(site.ends)
            site.wanted.clear()
            site.instead[1] = broken
            assert site.read(conn, RANGES) == expected(RANGES), kept
            assert len(site.ends) - before == 2
            assert site.wanted[0].headers["range"] == "bytes=0-9"
            assert whole == site.in_ranges
            kept += 1
            conn.close()
        assert kept > 200


def breaking(site: Site, kept: int) -> Answering:
    def answer(asked: Asked) -> Reply:
        reply = site.in_ranges(asked)
        assert isinstance(reply, Answer)
        return Answer(reply.data[:kept], Then.CLOSE)

    return answer


@pytest.mark.parametrize("retries", [0, 1, 4])
@pytest.mark.parametrize("kept", [0, 20, -5, -1])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_is_given_up_after_so_many_retries(
    site: Site, conn: HTTPConnection, retries: int, kept: int, number: int
) -> None:
    for each in range(number, number + 20):
        site.instead[each] = breaking(site, kept)
    with pytest.raises(ConnectionClosed) as caught:
        site.read(conn, RANGES, retries=retries)
    # A connection that has brought something before counts from anew.
    assert len(site.ends) == retries + 1
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    offset, size = RANGES[number]
    asked = f"{offset}-{offset + size - 1}"
    assert site.ranges_asked()[number:] == [asked] * (retries + 1)
    assert [path for _, path in caught.value.unanswered] == [PATH] * (3 - number if number else 1)
    assert caught.value.answered == (number - 1 if number else 0)
    site.prove_usable(conn, retries + 2)


@pytest.mark.parametrize("kept", [0, -5])
def test_who_gives_up_says_why(site: Site, conn: HTTPConnection, kept: int) -> None:
    """Whatever else has gone wrong with the server by then."""

    def gone(asked: Asked) -> Reply:
        site.stop_listening()
        return breaking(site, kept)(asked)

    site.instead[1] = gone
    with pytest.raises(ConnectionClosed) as caught:
        site.read(conn, RANGES, retries=0)
    assert caught.value.reason is CloseReason.SERVER_CLOSED
    assert len(caught.value.unanswered) == 2
    assert not conn.response_pending()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("kept", [0, -5])
def test_retries_are_counted_in_a_row(
    site: Site, conn: HTTPConnection, number: int, kept: int
) -> None:
    ranges = [(offset, 5) for offset in range(0, 1000, 100)]
    # Each connection brings one range, and breaks in the next.
    for each in range(number, 18, 2):
        site.instead[each] = breaking(site, kept)
    assert site.read(conn, ranges, retries=1) == expected(ranges)
    assert len(site.ends) == len(range(number, 18, 2)) + 1
    site.prove_usable(conn, len(site.ends))


def test_a_connection_that_was_closed_while_idle(site: Site, conn: HTTPConnection) -> None:
    assert site.read(conn, RANGES) == expected(RANGES)
    site.end.close()
    assert site.read(conn, RANGES, retries=0) == expected(RANGES)
    assert len(site.wanted) == 6
    assert len(site.ends) == 2


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_surplus_that_breaks_off_is_not_missed(
    site: Site, conn: HTTPConnection, in_chunks: bool, number: int
) -> None:
    """All that was wanted had come."""

    def more(asked: Asked) -> Reply:
        first, last = bounds(asked)
        if in_chunks:
            lines = (f"Content-Range: bytes {first}-{last}/1000", *site.lines())
            data = CONTENT[first : last + 1]
            return Answer(chunked(data, *lines, status="206 Partial Content", end=b""), Then.CLOSE)
        last += 20
        byte_range = f"bytes {first}-{last}/1000"
        return partial(CONTENT[first : last + 1], byte_range, *site.lines(), then=Then.CLOSE, cut=5)

    ranges = [(0, 10), (100, 20), (500, 10), (700, 10)]
    site.instead[number] = more
    assert site.read(conn, ranges) == expected(ranges)
    asked = site.ranges_asked()
    # Of chunks without an end it is not certain that they were all.
    assert in_chunks or asked.count(asked[number]) == 1, "what is there is not asked for again"
    site.prove_usable(conn, 2)


@pytest.mark.parametrize("ranges", [[(-10, 10)], [(-10, 10), (0, 5)]])
def test_the_length_is_known_before_its_content_breaks_off(
    site: Site, conn: HTTPConnection, ranges: list[tuple[int, int]]
) -> None:
    site.instead[0] = lambda asked: partial(
        CONTENT[:5], "bytes 0-4/1000", *site.lines(), then=Then.CLOSE, cut=2
    )
    assert site.read(conn, ranges) == expected(ranges)
    assert site.ranges_asked().count("0-0") == 1, "what is known is not asked for again"
    assert len(site.ends) == 2


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_close_that_was_announced(site: Site, conn: HTTPConnection, number: int) -> None:
    site.field_lines = ("Connection: close",)
    closing = {number: lambda asked: Answer(reply_of(site, asked), Then.CLOSE)}

    def keeping(asked: Asked) -> Reply:
        return reply_of(site, asked).replace(b"Connection: close\r\n", b"")

    site.instead = {**closing}
    site.always = keeping
    assert site.read(conn, RANGES, retries=0) == expected(RANGES)
    assert len(site.ends) == (1 if number == 2 else 2)
    site.field_lines = ()
    site.prove_usable(conn, 2)


def reply_of(site: Site, asked: Asked) -> bytes:
    reply = site.in_ranges(asked)
    return reply if isinstance(reply, bytes) else reply.data


@pytest.mark.parametrize("from_end", [False, True])
def test_a_server_that_closes_each_time(site: Site, conn: HTTPConnection, from_end: bool) -> None:
    site.field_lines = ("Connection: close",)
    site.always = lambda asked: Answer(reply_of(site, asked), Then.CLOSE)
    ranges = [(offset, 5) for offset in range(0, 1000, 100)]
    if from_end:
        ranges.append((-5, 5))
    assert site.read(conn, ranges, retries=0) == expected(ranges)
    assert len(site.wanted) == 10 + 2 * from_end, "nothing was sent in vain"
    assert len(site.ends) == len(site.wanted)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_announced_close_that_comes_too_early(
    site: Site, conn: HTTPConnection, number: int
) -> None:
    site.instead[number] = lambda asked: Answer(
        reply_of(site, asked).replace(b"ETag:", b"Connection: close\r\nETag:")[:-3], Then.CLOSE
    )
    assert site.read(conn, RANGES) == expected(RANGES)
    site.prove_usable(conn, 2)


def test_http_1_0(site: Site, conn: HTTPConnection) -> None:
    """Each range ends with its connection."""

    def answer(asked: Asked) -> Reply:
        head, _, data = reply_of(site, asked).partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        return Answer(b"\r\n".join(lines).replace(b"1.1", b"1.0") + b"\r\n\r\n" + data, Then.CLOSE)

    site.always = answer
    assert site.read(conn, RANGES, retries=0) == expected(RANGES)
    assert len(site.ends) == 3
    site.prove_usable(conn)


def test_everything_comes_after_a_lost_connection(site: Site, conn: HTTPConnection) -> None:
    site.instead[1] = breaking(site, -5)
    site.always = site.whole
    site.instead[0] = site.in_ranges
    assert site.read(conn, RANGES) == expected(RANGES)
    site.prove_usable(conn, 2)


def test_everything_breaks_off(site: Site, conn: HTTPConnection) -> None:
    site.always = site.whole
    reply = ok(CONTENT, *site.lines())
    for number, cut in enumerate((990, 950, 5)):
        site.instead[number] = lambda asked, cut=cut: Answer(reply[:-cut], Then.CLOSE)  # type: ignore[misc]  # bound
    assert site.read(conn, RANGES) == expected(RANGES)
    site.prove_usable(conn, 4)


# In the middle of something else


def test_not_while_a_response_is_outstanding(site: Site, conn: HTTPConnection) -> None:
    site.drive(conn.co_send_request("GET", "/after"))
    with pytest.raises(StateError, match="not sent completely, or its response not read"):
        site.read(conn, RANGES)
    assert site.drive(conn.co_read_response()).path == "/after"
    with pytest.raises(StateError, match="not sent completely, or its response not read"):
        site.read(conn, RANGES)
    assert site.drive(conn.co_readall()) == b"after"
    assert not site.wanted
    site.prove_usable(conn, 1)


def test_not_beside_another_call(site: Site, conn: HTTPConnection) -> None:
    first = conn.co_read_ranges(PATH, RANGES, gap=0)
    for _ in range(3):
        assert advance(first, 1)
        with pytest.raises(StateError, match="another pipeline is under way"):
            site.read(conn, RANGES)
        with pytest.raises(StateError):
            site.drive(conn.co_send_request("GET", "/after"))
    assert site.drive(first) == expected(RANGES)
    assert len(site.asked) == 3
    site.prove_usable(conn, 1)


def test_a_connection_that_is_closed_in_the_middle(site: Site, conn: HTTPConnection) -> None:
    site.instead[1] = lambda asked: Answer(reply_of(site, asked)[:-5], Then.DEAF)
    reading = conn.co_read_ranges(PATH, RANGES, gap=0)
    while len(site.wanted) < 2:
        next(reading)
        site.progress()
    next(reading)
    conn.close()
    with pytest.raises(ConnectionClosed) as caught:
        site.drive(reading)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert len(site.wanted) == 2
    site.prove_usable(conn, 2)


# Coroutines that are dropped


class Given(Exception):
    """Thrown into a coroutine."""


def co_into(conn: HTTPConnection, ranges: list[tuple[int, int]]) -> PollGenerator[object]:
    return conn.co_readinto_ranges(
        PATH, ranges, [bytearray(size) for _, size in ranges], gap=0, backoff=0
    )


def co_results(conn: HTTPConnection, ranges: list[tuple[int, int]]) -> PollGenerator[object]:
    return conn.co_read_ranges(PATH, ranges, gap=0, backoff=0)


@pytest.mark.parametrize("begin", [co_results, co_into])
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["ranges", "whole", "lost"])
def test_a_coroutine_that_is_dropped(
    begin: Callable[[HTTPConnection, list[tuple[int, int]]], PollGenerator[object]],
    tls: bool,
    kind: str,
    certificates: Certificates,
) -> None:
    """At each of its yields: then the next request goes over this connection or a new one."""
    content = random.Random(3).randbytes(60_000)
    ranges = [(10, 5), (1000, 20_000), (30_000, 20_000), (59_000, 1000), (-100, 50)]
    with nothing_left(), Site(content, tls=certificates if tls else None, small=True) as site:
        count = 0
        while True:
            site.wanted.clear()
            site.always = site.whole if kind == "whole" else None
            site.etag = '"one"'
            if kind == "lost":
                site.instead[2] = breaking(site, -1000)
            conn = site.connection()
            before = len(site.ends)
            reading = begin(conn, ranges)
            ended = False
            for _ in range(count + 1):
                if not advance(reading, 1):
                    ended = True
                    break
                site.progress()
            if ended:
                break
            used = len(site.ends) - before
            if count % 3 == 0:
                reading.close()
            elif count % 3 == 1:
                with pytest.raises(Given):
                    reading.throw(Given())
            else:
                del reading
                gc.collect()
            assert not conn.response_pending()
            site.prove_usable(conn)
            assert used <= len(site.ends) - before <= used + 1
            conn.close()
            count += 1
        assert count > 3


@pytest.mark.parametrize("kept", [0, -5])
def test_a_coroutine_that_is_dropped_in_a_pause(kept: int) -> None:
    """It would have lasted longer than anybody waits."""
    with nothing_left(), Site() as site:
        conn = site.connection()
        site.instead[1] = site.instead[2] = breaking(site, kept)
        reading = conn.co_read_ranges(PATH, RANGES, gap=0, backoff=10_000.0)
        while len(site.wanted) < 3:
            next(reading)
            site.progress()
        for _ in range(10):
            assert advance(reading, 1)
            site.progress()
        assert len(site.wanted) == 3
        reading.close()
        site.prove_usable(conn, 3)
        conn.close()


def test_a_coroutine_that_was_not_begun_sends_nothing(site: Site, conn: HTTPConnection) -> None:
    conn.co_read_ranges(PATH, RANGES).close()
    conn.co_readinto_ranges(PATH, RANGES, []).close()
    site.progress()
    assert not site.ends
    site.prove_usable(conn, 1)


# Blocking, and TLS


@contextmanager
def limited(conn: HTTPConnection, timeout: float) -> Iterator[None]:
    before, conn.timeout = conn.timeout, timeout
    yield
    conn.timeout = before


def test_blocking_calls(site: Site, conn: HTTPConnection) -> None:
    ranges = [*RANGES, (-20, 5)]
    into = [bytearray(size) for _, size in ranges]
    with site.in_thread():
        found = conn.read_ranges(
            PATH, ranges, {"X-Y": "z"}, etag='"one"', gap=3, depth=2, retries=1, backoff=0.0
        )
        conn.readinto_ranges(
            PATH, ranges, into, {"X-Y": "z"}, etag='"one"', gap=3, depth=2, retries=1, backoff=0.0
        )
        with pytest.raises(ResourceChanged):
            conn.read_ranges(PATH, ranges, etag='"two"')
        with pytest.raises(ResourceChanged):
            conn.readinto_ranges(PATH, ranges, into, etag='"two"')
        assert conn.read_ranges(PATH, ranges) == expected(ranges)
    assert found == into == expected(ranges)
    for asked in site.wanted[:10]:
        assert (asked.headers["x-y"], asked.headers["if-match"]) == ("z", '"one"')
    # Both have gap and the others from the caller.
    assert site.ranges_asked()[:5] == ["0-0", "0-9", "100-119", "980-984", "990-999"]
    assert site.ranges_asked()[5:10] == site.ranges_asked()[:5]


def test_a_time_out_closes_the_connection(site: Site, conn: HTTPConnection) -> None:
    site.instead[1] = lambda asked: Answer(b"HTTP/1.1 206 ", Then.DEAF)
    assert site.read(conn, [(0, 5)]) == expected([(0, 5)])
    with limited(conn, 0), pytest.raises(ConnectionTimedOut):
        conn.read_ranges(PATH, RANGES)
    assert not conn.response_pending()
    site.prove_usable(conn, 2)


@pytest.mark.parametrize("small", [False, True])
def test_over_tls(certificates: Certificates, small: bool) -> None:
    content = random.Random(4).randbytes(200_000)
    ranges = [(199_999, 1), (0, 70_000), (50_000, 30_000), (-1000, 500), (100_000, 5)]
    with Site(content, tls=certificates, small=small) as site:
        conn = site.connection()
        assert site.read(conn, ranges) == expected(ranges, content)
        assert site.read(conn, ranges, gap=10**6) == expected(ranges, content)
        site.prove_usable(conn, 1)


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("kept", [0, 30, -5])
@pytest.mark.parametrize("retries", [0, 2])
def test_lost_over_tls(certificates: Certificates, then: Then, kept: int, retries: int) -> None:
    """With close_notify or without it."""
    with Site(tls=certificates) as site:
        conn = site.connection()
        site.instead[2] = lambda asked: Answer(reply_of(site, asked)[:kept], then)
        if retries:
            assert site.read(conn, RANGES, retries=retries) == expected(RANGES)
        else:
            with pytest.raises(ConnectionClosed):
                site.read(conn, RANGES, retries=retries)
        site.prove_usable(conn, 2)


# Whatever is asked for


@st.composite
def content_and_ranges(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    content = draw(st.binary(min_size=8, max_size=200))
    length = len(content)
    ranges = []
    for _ in range(draw(st.integers(0, 12))):
        offset = draw(st.integers(0, length))
        size = draw(st.integers(0, length - offset))
        if offset < length and draw(st.booleans()):
            offset -= length
        ranges.append((offset, size))
    return content, ranges


def as_asked(text: str) -> range:
    first, last = map(int, text.split("-"))
    return range(first, last + 1)


@given(
    content_and_ranges(),
    st.integers(0, 60),
    st.sampled_from([None, '"one"']),
    st.lists(
        st.sampled_from(["", "whole", "chunked", "lost", "more", "more, lost", "close"]), max_size=6
    ),
    st.integers(1, 4),
)
def test_results_are_slices(
    data: tuple[bytes, list[tuple[int, int]]],
    gap: int,
    etag: str | None,
    kinds: list[str],
    depth: int,
) -> None:
    """Whatever the server does of what it may."""
    content, ranges = data
    with Site(content) as site:

        def answer(kind: str) -> Answering:
            def more(asked: Asked) -> Answer:
                first, last = bounds(asked)
                first, last = max(first - 7, 0), min(last + 7, len(content) - 1)
                byte_range = f"bytes {first}-{last}/{len(content)}"
                return partial(content[first : last + 1], byte_range, *site.lines())

            def more_lost(asked: Asked) -> Reply:
                reply = more(asked)
                return Answer(reply.data[:-1], Then.CLOSE)

            def close(asked: Asked) -> Reply:
                reply = reply_of(site, asked).replace(b"ETag:", b"Connection: close\r\nETag:")
                return Answer(reply, Then.CLOSE)

            def in_chunks(asked: Asked) -> Reply:
                # It may be the length that is asked for, and this does not say it.
                if bounds(asked) == (0, 0):
                    return site.in_ranges(asked)
                return chunked(content, *site.lines())

            return {
                "": site.in_ranges,
                "whole": site.whole,
                "chunked": in_chunks,
                "lost": breaking(site, -1),
                "more": more,
                "more, lost": more_lost,
                "close": close,
            }[kind]

        site.instead = {number: answer(kind) for number, kind in enumerate(kinds)}
        conn = site.connection()
        into = [bytearray(b"?" * size) for _, size in ranges]
        site.drive(
            conn.co_readinto_ranges(
                PATH, ranges, into, etag=etag, gap=gap, depth=depth, retries=6, backoff=0
            )
        )
        assert into == expected(ranges, content)
        site.instead.clear()
        site.wanted.clear()
        assert site.read(conn, ranges, gap=gap, etag=etag) == expected(ranges, content)
        asked = [as_asked(each) for each in site.ranges_asked()]
        if any(offset < 0 and size for offset, size in ranges):
            assert asked.pop(0) == range(1)
        starts = [offset % len(content) if offset < 0 else offset for offset, _ in ranges]
        wanted = [
            range(start, start + size) for start, (_, size) in zip(starts, ranges, strict=True)
        ]
        wanted = [each for each in wanted if each]
        # Each span begins and ends with something wanted, and is farther than the gap from the next.
        assert {each.start for each in asked} <= {each.start for each in wanted}
        assert {each.stop for each in asked} <= {each.stop for each in wanted}
        assert all(sum(one.start in span for span in asked) == 1 for one in wanted)
        for before, after in itertools.pairwise(asked):
            assert after.start - before.stop > gap
        site.prove_usable(conn)
