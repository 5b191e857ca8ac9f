"""From requests to bytes: what is sent when, in which order, and what counts as begun."""

from __future__ import annotations

import enum
import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio import (
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    ExcessBodyData,
    InvalidResponse,
    LocalProtocolError,
    Request,
)
from httpio._coroutine import POLLOUT
from httpio._feeding import Feeder
from httpio._origin import Origin
from tests.support.coroutines import no_descriptor_left
from tests.support.links import ORIGIN, Feeding, requests_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from httpio import PollNeeded
    from httpio._request import RequestBody
    from httpio._state import Exchange

WINDOW = 16
#: More than the smallest buffer takes at once, by far.
LONG = 100_000


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


def get(number: int) -> Request:
    return Request("GET", f"/{number}")


def gets(count: int, start: int = 0) -> list[Request]:
    return [get(number) for number in range(start, start + count)]


def paths_of(requests: Iterable[Request | Exchange]) -> list[str]:
    return [request.path for request in requests]


def some_bytes(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def put(path: str, body: RequestBody) -> Request:
    return Request("PUT", path, None, body)


# Order, blocks and windows


@pytest.mark.parametrize("window", [1, 2, 15, 16, 17, 1000])
def test_a_window_is_sent_and_no_more(window: int) -> None:
    with Feeding(gets(40)) as feeding:
        assert feeding.advance(window) is None
        expected = paths_of(gets(min(window, 40)))
        assert feeding.begun == expected
        assert feeding.paths() == expected
        # Until something is answered.
        assert feeding.advance(window) is None
        assert feeding.paths() == expected


def test_what_is_sent_is_the_request_as_it_was_given() -> None:
    requests = gets(3)
    with Feeding(requests) as feeding:
        feeding.run(WINDOW)
        assert [*feeding.link.state.outstanding] == requests
        for request, sent in zip(requests, feeding.link.state.outstanding, strict=True):
            assert sent is request


def test_answers_make_room_for_as_many() -> None:
    with Feeding(gets(10)) as feeding:
        feeding.run(4)
        feeding.answer(3)
        feeding.run(4)
        assert feeding.begun == ["/3", "/4", "/5", "/6"]
        assert feeding.paths() == paths_of(gets(7))


def test_a_smaller_window_waits_until_so_few_are_under_way() -> None:
    with Feeding(gets(10)) as feeding:
        feeding.run(4)
        for answered in range(1, 5):
            assert feeding.advance(1) is None
            assert len(feeding.paths()) == 4
            feeding.answer()
            assert len(feeding.begun) == 4 - answered
        feeding.run(1)
        assert feeding.begun == ["/4"]


def test_the_iterable_is_asked_for_as_many_as_there_is_room_for() -> None:
    taken: list[int] = []

    def make() -> Iterator[Request]:
        for number in range(100):
            taken.append(number)
            yield get(number)

    with Feeding(make()) as feeding:
        assert taken == []
        feeding.run(5)
        assert len(taken) == 5
        feeding.run(5)
        assert len(taken) == 5


def test_requests_may_come_from_a_list_that_grows() -> None:
    requests = gets(1)
    with Feeding(requests) as feeding:
        feeding.run(1)
        requests += gets(2, 1)
        feeding.answer()
        feeding.run(1)
        assert feeding.paths() == ["/0", "/1"]


@pytest.mark.parametrize("requests", [[], (), iter(())], ids=["list", "tuple", "iterator"])
def test_no_requests(requests: Iterable[Request]) -> None:
    with Feeding(requests) as feeding:
        assert not feeding.feeder.has_more()
        assert feeding.advance(WINDOW) is None
        assert not feeding.feeder.is_sending
        assert feeding.feeder.take_failed() is None
        assert feeding.feeder.waiting() == []
        assert feeding.wire() == b""


def test_requests_that_are_none_at_all() -> None:
    with pytest.raises(TypeError, match="iterable"):
        Feeder(5, ORIGIN, add_content_md5=False)  # type: ignore[arg-type]  # that is the question


def test_the_bytes_are_those_of_single_requests() -> None:
    requests = [
        Request("GET", "/a?b=c"),
        Request("HEAD", "/b"),
        Request("DELETE", "/c"),
        Request("OPTIONS", "/d"),
        Request("OPTIONS", "*"),
        Request("TRACE", "/e"),
        Request("GET", ""),
        Request("GET", "?q"),
        Request("GET", "/f", {"A": "\xe4"}),
        Request("GET", "/g", [("A", "1"), ("A", "2")]),
        Request("GET", "/h", {}),
        Request("PUT", "/i", None, b"abc"),
        Request("PUT", "/j", {"A": "b"}, bytearray(range(256))),
        Request("GET", "/k", None, b""),
    ]
    with Feeding(requests) as feeding:
        feeding.run(100)
        expected = b"".join(
            ORIGIN.encode(each.method, each.path, each.headers, each.body)[0].data  # type: ignore[arg-type]  # all in memory
            + bytes(each.body or b"")  # type: ignore[arg-type]  # likewise
            for each in requests
        )
        assert feeding.wire() == expected
        assert feeding.begun == paths_of(requests)


def test_through_a_proxy_targets_are_absolute() -> None:
    origin = Origin("example.org", through_proxy=True, credentials="Basic x")
    requests = [get(0), Request("GET", "/1", {"A": "b"}), Request("OPTIONS", "*"), get(3)]
    with Feeding(requests, origin=origin) as feeding:
        feeding.run(WINDOW)
        came = feeding.came()
        assert paths_of(came) == [  # type: ignore[arg-type]  # they have paths, too
            "http://example.org/0",
            "http://example.org/1",
            "http://example.org",
            "http://example.org/3",
        ]
        assert all(each.headers["proxy-authorization"] == "Basic x" for each in came)


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("size", [3, LONG])
def test_a_checksum_if_it_is_wanted(size: int, wanted: bool) -> None:
    with Feeding([put("/", some_bytes(size))], add_content_md5=wanted) as feeding:
        feeding.run(1)
        assert ("content-md5" in feeding.came()[0].headers) is wanted


def test_one_send_for_a_block() -> None:
    sends: list[int] = []

    class Counting:
        def sent(self, data: bytes | bytearray | memoryview) -> None:
            sends.append(len(data))

        def received(self, data: memoryview) -> None: ...

        def event(self, name: str, detail: str) -> None: ...

    requests = [*gets(5), Request("GET", "/5", {"A": "b"}), put("/6", b"abc"), get(7)]
    with Feeding(requests, tracer=Counting()) as feeding:
        feeding.run(WINDOW)
        assert sends == [len(feeding.wire())]
        assert feeding.paths() == paths_of(requests)


def test_the_tracer_is_told_of_each_request_once() -> None:
    events: list[str] = []

    class Listening:
        def sent(self, data: bytes | bytearray | memoryview) -> None: ...

        def received(self, data: memoryview) -> None: ...

        def event(self, name: str, detail: str) -> None:
            events.append(f"{name} {detail}")

    requests = [*gets(200), put("/200", some_bytes(LONG)), get(201)]
    with Feeding(requests, tracer=Listening(), small=True) as feeding:
        feeding.run(1000)
        assert events == [f"request {each.method} {each.path}" for each in requests]


def test_long_targets_do_not_all_go_in_one_block() -> None:
    requests = [Request("GET", f"/{'x' * 10_000}{number}") for number in range(20)]
    with Feeding(requests) as feeding:
        feeding.run(1000)
        assert feeding.paths() == paths_of(requests)


# What counts as begun


def steps(feeding: Feeding, window: int) -> Iterator[PollNeeded | None]:
    """Advance step by step; the server takes what has come between two of them."""
    while True:
        needed = feeding.advance(window)
        yield needed
        if needed is None:
            return
        feeding.link.end.progress()


def starts(requests: Iterable[Request]) -> list[int]:
    """Return at which byte each of *requests* begins, and the end of the last one."""
    found = [0]
    for each in requests:
        head = ORIGIN.encode(each.method, each.path, each.headers, each.body)[0]  # type: ignore[arg-type]  # in memory
        found.append(found[-1] + len(head.data) + (head.content_length or 0))
    return found


MIXED = [
    *gets(60),
    Request("GET", "/60", {"A": "x" * 3000}),
    put("/61", some_bytes(4096)),
    put("/62", some_bytes(4097)),
    get(63),
    put("/64", some_bytes(LONG)),
    *gets(60, 65),
    Request("GET", "/" + "x" * 9000),
    get(126),
]


@pytest.mark.parametrize("window", [7, 1000])
def test_a_request_counts_as_begun_with_its_first_byte(window: int) -> None:
    begins = starts(MIXED)
    partial = 0
    with Feeding(MIXED, small=True) as feeding:
        answered = 0
        while True:
            for needed in steps(feeding, window):
                size = len(feeding.wire())
                begun = sum(begin < size for begin in begins[:-1])
                # Content of its own is sent by the usual way, in which a request counts before.
                early = answered + len(feeding.begun) - begun
                assert early == 0 or (early == 1 and feeding.begun[-1] in ("/62", "/64"))
                assert feeding.begun[: begun - answered] == paths_of(MIXED[answered:begun])
                if needed is not None:
                    assert needed.mask & POLLOUT
                    assert feeding.feeder.is_sending
                    partial += 1
                else:
                    assert not feeding.feeder.is_sending
                    assert size in begins
            if not feeding.begun:
                break
            feeding.answer()
            answered += 1
        assert answered == len(MIXED)
        assert partial > 5
        assert feeding.wire() == b"".join(
            ORIGIN.encode(each.method, each.path, each.headers, each.body)[0].data  # type: ignore[arg-type]  # in memory
            + bytes(each.body or b"")  # type: ignore[arg-type]  # likewise
            for each in MIXED
        )


def test_where_the_socket_is_full_nothing_is_begun() -> None:
    with Feeding(gets(1000), small=True) as feeding:
        needed = feeding.advance(1000)
        assert needed is not None
        assert needed.mask == POLLOUT
        begun = feeding.begun
        assert 0 < len(begun) < 1000
        assert feeding.feeder.is_sending
        assert paths_of(feeding.feeder.waiting()) == paths_of(gets(1000 - len(begun), len(begun)))
        for _ in range(3):
            assert feeding.advance(1000) == needed
            assert feeding.begun == begun
        feeding.run(1000)
        assert feeding.paths() == paths_of(gets(1000))


def test_the_rest_of_a_block_goes_before_anything_else() -> None:
    # Also where the window has no room any more: part of a request is no use to anybody.
    with Feeding(gets(1000), small=True) as feeding:
        feeding.advance(1000)
        feeding.run(1)
        assert feeding.paths() == paths_of(gets(1000))


def test_waiting_lists_what_was_taken_and_not_begun_in_its_order() -> None:
    requests = [*gets(3), Request("POST", "/3"), get(4)]
    with Feeding(requests) as feeding:
        assert feeding.feeder.waiting() == []
        feeding.run(WINDOW)
        assert feeding.begun == ["/0", "/1", "/2"]
        assert paths_of(feeding.feeder.waiting()) == ["/3"]
        assert feeding.feeder.waiting()[0].request is requests[3]


def test_has_more_takes_one_at_the_most() -> None:
    taken: list[int] = []

    def make() -> Iterator[Request]:
        for number in range(3):
            taken.append(number)
            yield get(number)

    with Feeding(make()) as feeding:
        for _ in range(3):
            assert feeding.feeder.has_more()
        assert taken == [0]
        feeding.run(1)
        assert feeding.paths() == ["/0"]
        feeding.answer()
        feeding.run(1)
        feeding.answer()
        feeding.run(1)
        feeding.answer()
        assert not feeding.feeder.has_more()


# What has to go alone


ALONE: dict[str, Callable[[], Request]] = {
    "POST": lambda: Request("POST", "/alone", None, b"abc"),
    "long POST": lambda: Request("POST", "/alone", None, some_bytes(LONG)),
    "POST without content": lambda: Request("POST", "/alone"),
    "POST of a file": lambda: Request("POST", "/alone", None, io.BytesIO(some_bytes(LONG))),
    "POST of pieces": lambda: Request("POST", "/alone", None, [b"abc", b"def"]),
    "not idempotent": lambda: Request("GET", "/alone", idempotent=False),
}
LAST: dict[str, Callable[[], Request]] = {
    "close": lambda: Request("GET", "/alone", {"Connection": "close"}),
    "close with content": lambda: Request("PUT", "/alone", {"Connection": "x, Close"}, b"abc"),
    "close with a file": lambda: Request(
        "PUT", "/alone", {"Connection": "close"}, io.BytesIO(some_bytes(LONG))
    ),
    "close with an empty file": lambda: Request(
        "PUT", "/alone", {"Connection": "close"}, io.BytesIO()
    ),
    "close with no pieces": lambda: Request("PUT", "/alone", {"Connection": "close"}, []),
}


@pytest.mark.parametrize("alone", [*ALONE, *LAST])
@pytest.mark.parametrize("small", [False, True])
def test_nothing_goes_before_it_that_is_not_answered_and_nothing_behind_it(
    alone: str, small: bool
) -> None:
    make = {**ALONE, **LAST}[alone]
    with Feeding([*gets(3), make(), *gets(3, 4)], small=small) as feeding:
        feeding.run(WINDOW)
        for left in range(3, 0, -1):
            assert len(feeding.begun) == left
            assert feeding.paths() == ["/0", "/1", "/2"]
            feeding.answer()
            feeding.run(WINDOW)
        assert feeding.begun == ["/alone"]
        assert feeding.paths() == ["/0", "/1", "/2", "/alone"]
        assert feeding.advance(WINDOW) is None
        assert feeding.paths() == ["/0", "/1", "/2", "/alone"]


@pytest.mark.parametrize("alone", ALONE)
@pytest.mark.parametrize("asked", [False, True], ids=["", "has_more"])
def test_after_its_answer_all_goes_on_as_before(alone: str, asked: bool) -> None:
    with Feeding([ALONE[alone](), *gets(5)]) as feeding:
        feeding.run(WINDOW)
        feeding.answer()
        if asked:
            # As a pipeline does, to know whether that was all.
            assert feeding.feeder.has_more()
        feeding.run(WINDOW)
        assert feeding.begun == paths_of(gets(5))


@pytest.mark.parametrize("alone", ALONE)
def test_asking_for_more_does_not_let_it_pass(alone: str) -> None:
    with Feeding([ALONE[alone](), *gets(5)]) as feeding:
        feeding.run(WINDOW)
        assert feeding.feeder.has_more()
        feeding.run(WINDOW)
        assert feeding.begun == ["/alone"]


def test_one_after_the_other_if_each_has_to_go_alone() -> None:
    with Feeding([Request("POST", f"/{number}") for number in range(4)]) as feeding:
        for number in range(4):
            feeding.run(WINDOW)
            assert feeding.begun == [f"/{number}"]
            feeding.answer()
        assert not feeding.feeder.has_more()


@pytest.mark.parametrize("last", LAST)
def test_after_the_last_request_of_a_connection_comes_none(last: str) -> None:
    with Feeding([LAST[last](), *gets(2)]) as feeding:
        feeding.run(WINDOW)
        feeding.answer()
        assert feeding.link.state.close_reason is CloseReason.CLOSE_REQUESTED
        assert feeding.paths() == ["/alone"]
        assert feeding.feeder.has_more()
        feeding.lose()
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0", "/1"]


def test_a_request_that_may_be_repeated_does_not_wait_for_others() -> None:
    requests = [
        get(0),
        Request("POST", "/1", None, b"a", idempotent=True),
        put("/2", [b"b"]),
        get(3),
    ]
    with Feeding(requests) as feeding:
        feeding.run(WINDOW)
        assert feeding.paths() == paths_of(requests)
        assert feeding.begun == paths_of(requests)


# Content


CONTENT = some_bytes(LONG)


class Reader:
    """Reads in pieces of odd sizes, and can do nothing else."""

    def __init__(self, data: bytes) -> None:
        self._rest = data
        self._sizes = 0

    def read(self, size: int, /) -> bytes:
        self._sizes = (self._sizes + 1) * 3 % 5000 + 1
        size = min(size, self._sizes)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class Pieces:
    """Can be iterated over any number of times."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        # Empty pieces are none: a chunk without content would be the last.
        yield b""
        for start in range(0, len(self._data), 30_000):
            yield self._data[start : start + 30_000]
        yield b""


def plain_file(data: bytes, directory: Path, buffering: int = -1) -> io.FileIO | io.BufferedReader:
    path = directory / "content"
    path.write_bytes(data)
    return path.open("rb", buffering)  # type: ignore[return-value]  # one of the two


KNOWN_LENGTH: dict[str, Callable[[bytes, Path], Any]] = {
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "BytesIO": lambda data, _: io.BytesIO(data),
    "file": lambda data, path: plain_file(data, path),
    "file without buffer": lambda data, path: plain_file(data, path, 0),
}
UNKNOWN_LENGTH: dict[str, Callable[[bytes, Path], Any]] = {
    "list": lambda data, _: [data],
    "pieces": lambda data, _: Pieces(data),
    "buffer of a file": lambda data, path: io.BufferedReader(Raw(data)),
}
ONCE: dict[str, Callable[[bytes, Path], Any]] = {
    "iterator": lambda data, _: iter([data]),
    "generator": lambda data, _: (data[start : start + 999] for start in range(0, len(data), 999)),
    "reader": lambda data, _: Reader(data),
}
BODIES = {**KNOWN_LENGTH, **UNKNOWN_LENGTH, **ONCE}


class Raw(io.RawIOBase):
    """A file that is not one of the system's, and can go back."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        return self._file.readinto(buffer)


def close_body(request: Request) -> None:
    close = getattr(request.body, "close", None)
    if close is not None:
        close()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [0, 1, 4096, 4097, LONG])
@pytest.mark.parametrize("small", [False, True])
def test_content_arrives_as_a_whole_between_others(
    tmp_path: Path, body: str, size: int, small: bool
) -> None:
    request = put("/1", BODIES[body](CONTENT[:size], tmp_path))
    with Feeding([get(0), request, get(2)], small=small) as feeding:
        feeding.run(WINDOW)
        came = feeding.came()
        assert [each.path for each in came] == ["/0", "/1", "/2"]
        assert came[1].content == CONTENT[:size]
        assert ("content-length" in came[1].headers) is (body in KNOWN_LENGTH)
        assert feeding.begun == ["/0", "/1", "/2"]
        assert feeding.link.state.close_reason is None
    close_body(request)


@pytest.mark.parametrize("body", ["BytesIO", "file", "file without buffer", "buffer of a file"])
def test_a_file_is_sent_from_where_it_stands(tmp_path: Path, body: str) -> None:
    request = put("/", BODIES[body](CONTENT, tmp_path))
    request.body.seek(LONG - 10)  # type: ignore[union-attr]  # a file
    with Feeding([request]) as feeding:
        feeding.run(1)
        assert feeding.came()[0].content == CONTENT[-10:]
    close_body(request)


def test_only_one_content_is_begun_at_a_time() -> None:
    begun: list[str] = []

    def pieces(name: str) -> Iterator[bytes]:
        begun.append(name)
        yield CONTENT

    requests = [put("/a", pieces("a")), put("/b", pieces("b"))]
    with Feeding(requests, small=True) as feeding:
        assert feeding.advance(WINDOW) is not None
        assert feeding.begun == ["/a"]
        assert begun == ["a"]
        feeding.run(WINDOW)
        assert begun == ["a", "b"]
        assert [each.content for each in feeding.came()] == [CONTENT, CONTENT]


def test_content_that_is_changed_after_it_was_sent_is_sent_as_it_was() -> None:
    body = bytearray(b"abc")
    with Feeding([put("/", body)]) as feeding:
        feeding.run(1)
        body[:] = b"xyz!"
        assert feeding.came()[0].content == b"abc"


# Requests that are refused


class Method(str, enum.Enum):  # noqa: UP042  # a StrEnum is written as what it holds
    """Methods of which an f-string makes something else."""

    GET = "GET"
    POST = "POST"


class Liar(str):
    """Says nothing but lies."""

    __slots__ = ()

    def __str__(self) -> str:
        return "/evil"

    def __format__(self, spec: str) -> str:
        return "/evil"

    def isascii(self) -> bool:
        return True

    def isprintable(self) -> bool:
        return True

    def __contains__(self, other: object) -> bool:
        return False


def test_of_a_subclass_of_str_the_text_is_sent() -> None:
    requests = [
        Request(Method.GET, "/0"),
        Request(Method.GET, "/1", {"A": "b"}),
        Request("GET", Liar("/2")),
        Request(Method.POST, "/3"),
    ]
    with Feeding(requests) as feeding:
        assert feeding.run_to_the_end(WINDOW) == []
        assert [(came.method, came.path) for came in feeding.came()] == [
            ("GET", "/0"),
            ("GET", "/1"),
            ("GET", "/2"),
            ("POST", "/3"),
        ]


class Own(Request):
    """A request that knows more."""

    __slots__ = ("note",)

    def __init__(self, path: str, note: str) -> None:
        super().__init__("GET", path)
        self.note = note


def test_a_subclass_of_request_is_one() -> None:
    requests = [Own("/0", "a"), Own("/1", "b")]
    with Feeding(requests) as feeding:
        feeding.run(WINDOW)
        assert [*feeding.link.state.outstanding] == requests
        assert feeding.paths() == ["/0", "/1"]


REFUSED: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "no path": (lambda: Request("GET", "refused"), LocalProtocolError),
    "blank": (lambda: Request("GET", "/re fused"), LocalProtocolError),
    "line end": (lambda: Request("GET", "/\r\nX: y"), LocalProtocolError),
    "control": (lambda: Request("GET", "/\x7f"), LocalProtocolError),
    "not ASCII": (lambda: Request("GET", "/\xe4"), LocalProtocolError),
    "digit of another script": (lambda: Request("GET", "/\u0663"), LocalProtocolError),
    "subclass of str": (lambda: Request("GET", Liar("/a b")), LocalProtocolError),
    "asterisk": (lambda: Request("GET", "*"), LocalProtocolError),
    "method": (lambda: Request("G T", "/"), LocalProtocolError),
    "method with a line end": (lambda: Request("GET\r\n", "/"), LocalProtocolError),
    "header": (lambda: Request("GET", "/", {"A": "b\r\nC: d"}), LocalProtocolError),
    "header name": (lambda: Request("GET", "/", {"A:": "b"}), LocalProtocolError),
    "length": (lambda: Request("PUT", "/", {"Content-Length": "4"}, b"abc"), LocalProtocolError),
    "length of chunks": (
        lambda: Request("PUT", "/", {"Content-Length": "3"}, [b"abc"]),
        LocalProtocolError,
    ),
    "CONNECT": (lambda: Request("CONNECT", "host:1"), LocalProtocolError),
    "CONNECT that may be repeated": (
        lambda: Request("CONNECT", "host:1", idempotent=True),
        LocalProtocolError,
    ),
    "Upgrade": (
        lambda: Request("GET", "/", {"Connection": "upgrade", "upgrade": "x"}),
        LocalProtocolError,
    ),
    "content of TRACE": (lambda: Request("TRACE", "/", None, b"abc"), LocalProtocolError),
    "not contiguous": (lambda: put("/", memoryview(b"abcd")[::2]), LocalProtocolError),
    "text": (lambda: put("/", "abc"), TypeError),  # type: ignore[arg-type]  # that is the question
    "number": (lambda: put("/", 5), TypeError),  # type: ignore[arg-type]  # likewise
    "closed file": (lambda: put("/", closed(io.BytesIO(b"abc"))), ValueError),
    "no request": (lambda: "/path", TypeError),
    "nothing": (lambda: None, TypeError),
    "pair": (lambda: ("GET", "/"), TypeError),
    "class": (lambda: Request, TypeError),
}


def closed(file: io.BytesIO) -> io.BytesIO:
    file.close()
    return file


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("again", [False, True], ids=["", "again"])
def test_what_must_not_be_sent_fails_in_its_turn(refused: str, again: bool) -> None:
    make, kind = REFUSED[refused]
    requests: list[Any] = [*gets(2), make(), *gets(2, 3)]
    with Feeding(requests) as feeding:
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0", "/1"]
        if again:
            feeding.lose()
            feeding.run(WINDOW)
            assert feeding.paths() == ["/0", "/1"]
        feeding.answer(2)
        assert feeding.feeder.has_more()
        failed = feeding.feeder.take_failed()
        assert failed is not None
        assert type(failed.failure) is kind
        if isinstance(requests[2], Request):
            assert failed.request is requests[2]
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0", "/1", "/3", "/4"]


@pytest.mark.parametrize("refused", REFUSED)
def test_what_must_not_be_sent_may_come_first_and_last(refused: str) -> None:
    make, kind = REFUSED[refused]
    requests: list[Any] = [make(), make(), get(0), make()]
    with Feeding(requests) as feeding:
        failures = feeding.run_to_the_end(WINDOW)
        assert [type(failure) for failure in failures] == [kind] * 3
        assert feeding.paths() == ["/0"]


def test_before_its_turn_nobody_is_told_of_a_failure() -> None:
    requests = [get(0), Request("GET", "refused")]
    with Feeding(requests) as feeding:
        assert feeding.feeder.take_failed() is None
        assert feeding.feeder.has_more()
        # Taken, and to be sent before.
        assert feeding.feeder.take_failed() is None
        feeding.run(WINDOW)
        assert paths_of(feeding.feeder.waiting()) == ["refused"]


def test_a_request_that_lacks_something_fails_alone() -> None:
    requests = [get(0), Request.__new__(Request), get(2)]
    with Feeding(requests) as feeding:
        failures = feeding.run_to_the_end(WINDOW)
        assert [type(failure) for failure in failures] == [AttributeError]
        assert feeding.paths() == ["/0", "/2"]


# Iterables of requests that fail


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("window", [1, 2, WINDOW])
def test_what_the_iterable_raises_comes_in_its_turn(count: int, window: int) -> None:
    error = KeyError("a")

    def make() -> Iterator[Request]:
        yield from gets(count)
        raise error

    with Feeding(make()) as feeding:
        failures = feeding.run_to_the_end(window)
        assert len(failures) == 1
        assert failures[0] is error
        assert [came.path for came in feeding.came()] == paths_of(gets(count))
        assert not feeding.feeder.has_more()


def test_what_the_iterable_raises_is_kept_over_a_lost_connection() -> None:
    def make() -> Iterator[Request]:
        yield from gets(2)
        raise KeyError("a")

    with Feeding(make()) as feeding:
        feeding.run(WINDOW)
        feeding.lose()
        failures = feeding.run_to_the_end(WINDOW)
        assert [type(failure) for failure in failures] == [KeyError]
        assert feeding.paths() == ["/0", "/1"]


def test_an_interrupt_of_the_iterable_loses_nothing_that_it_gave() -> None:
    requests = iter(gets(5))

    class Interrupted:
        taken = 0

        def __iter__(self) -> Iterator[Request]:
            return self

        def __next__(self) -> Request:
            self.taken += 1
            if self.taken == 3:
                raise KeyboardInterrupt
            return next(requests)

    with Feeding(Interrupted()) as feeding:
        with pytest.raises(KeyboardInterrupt):
            feeding.run(WINDOW)
        assert feeding.run_to_the_end(WINDOW) == []
        assert feeding.paths() == paths_of(gets(5))


# Content that fails


def generator_that_raises(error: BaseException, before: bytes = b"abc") -> Iterator[bytes]:
    yield before
    raise error


class Shrunken(io.BytesIO):
    """Has less than it seemed to have."""

    def getbuffer(self) -> memoryview:
        return memoryview(self.getvalue() + b"x")


class Grown(io.BytesIO):
    """Has more than it seemed to have."""

    def getbuffer(self) -> memoryview:
        return memoryview(self.getvalue()[:-1])


class Failing:
    """A file that cannot be read."""

    def read(self, size: int, /) -> bytes:
        raise OSError("cannot be read")


FAILING: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "raises": (lambda: generator_that_raises(KeyError("a")), KeyError),
    "raises later": (lambda: generator_that_raises(KeyError("a"), CONTENT), KeyError),
    # Content may well come from another connection.
    "raises what we raise": (
        lambda: generator_that_raises(ConnectionClosed("another one")),
        ConnectionClosed,
    ),
    "raises an OSError": (lambda: generator_that_raises(ConnectionResetError("a")), OSError),
    "text pieces": (lambda: ["abc", "def"], TypeError),
    "numbers": (lambda: range(5), TypeError),
    "text file": (lambda: io.StringIO("abc"), TypeError),
    "failing file": (Failing, OSError),
    "shorter": (lambda: Shrunken(CONTENT), LocalProtocolError),
    "longer": (lambda: Grown(CONTENT), LocalProtocolError),
}


@pytest.mark.parametrize("failing", FAILING)
@pytest.mark.parametrize("small", [False, True])
def test_content_that_fails_ends_the_connection(failing: str, small: bool) -> None:
    make, kind = FAILING[failing]
    with Feeding([get(0), put("/1", make()), get(2), get(3)], small=small) as feeding:
        with pytest.raises(ConnectionClosed) as caught:
            feeding.run(WINDOW)
        assert isinstance(caught.value.__cause__, kind)
        state = feeding.link.state
        assert state.close_reason is CloseReason.SEND_ABORTED
        assert not feeding.feeder.is_sending
        # The server has begun to receive it, and may have acted on that.
        assert feeding.begun == ["/0", "/1"]
        wire = feeding.wire()
        feeding.answer()
        feeding.lose()
        feeding.run(WINDOW)
        assert wire == bytes(feeding.links[0].end.received)
        assert feeding.begun == []
        failures = feeding.run_to_the_end(WINDOW)
        assert len(failures) == 1
        assert isinstance(failures[0], kind)
        assert feeding.paths() == ["/2", "/3"]


@pytest.mark.parametrize("failing", FAILING)
def test_nothing_is_sent_into_content_that_was_given_up(failing: str) -> None:
    # The server would take it for the rest of the content.
    make, _ = FAILING[failing]
    with Feeding([get(0), put("/1", make()), get(2), get(3)]) as feeding:
        with pytest.raises(ConnectionClosed):
            feeding.run(WINDOW)
        wire = feeding.wire()
        # There are responses to be received, so a pipeline goes on.
        assert feeding.advance(WINDOW) is None
        feeding.answer()
        assert feeding.advance(WINDOW) is None
        assert feeding.wire() == wire
        assert feeding.begun == ["/1"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_is_sent_into_content_that_was_interrupted(
    interrupt: type[BaseException],
) -> None:
    body = generator_that_raises(interrupt())
    with Feeding([get(0), put("/1", body), get(2), get(3)]) as feeding:
        with pytest.raises((interrupt, RuntimeError)):
            feeding.run(WINDOW)
        wire = feeding.wire()
        assert feeding.advance(WINDOW) is None
        assert feeding.wire() == wire
        assert feeding.link.state.close_reason is CloseReason.SEND_ABORTED


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("size", [0, 5])
def test_a_file_that_got_shorter_before_its_turn(tmp_path: Path, buffering: int, size: int) -> None:
    file = plain_file(CONTENT, tmp_path, buffering)
    with file, Feeding([put("/", file)]) as feeding:
        # Taken, and looked at.
        assert feeding.feeder.has_more()
        os.truncate(file.name, size)
        with pytest.raises(ConnectionClosed) as caught:
            feeding.run(1)
        assert isinstance(caught.value.__cause__, LocalProtocolError)
        assert f"{LONG - size} bytes are missing" in str(caught.value.__cause__)


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_that_got_shorter_while_it_was_sent(tmp_path: Path, buffering: int) -> None:
    file = plain_file(CONTENT, tmp_path, buffering)
    with file, Feeding([put("/", file), get(1)], small=True) as feeding:
        assert feeding.advance(WINDOW) is not None
        os.truncate(file.name, 0)
        with pytest.raises(ConnectionClosed) as caught:
            feeding.run(WINDOW)
        assert isinstance(caught.value.__cause__, LocalProtocolError)
        assert "shorter" in str(caught.value.__cause__)


def test_a_file_that_got_longer_before_its_turn(tmp_path: Path) -> None:
    file = plain_file(CONTENT, tmp_path)
    with file, Feeding([put("/", file)]) as feeding:
        assert feeding.feeder.has_more()
        with open(file.name, "ab") as other:
            other.write(b"more")
        with pytest.raises(ConnectionClosed) as caught:
            feeding.run(1)
        assert isinstance(caught.value.__cause__, ExcessBodyData)


def test_an_empty_file_that_got_longer_before_its_turn(tmp_path: Path) -> None:
    # Its request is complete without content, so nothing can be wrong with it any more.
    file = plain_file(b"", tmp_path)
    with file, Feeding([put("/0", file), get(1)]) as feeding:
        assert feeding.feeder.has_more()
        with open(file.name, "ab") as other:
            other.write(b"more")
        feeding.run(WINDOW)
        assert [(came.path, came.content) for came in feeding.came()] == [("/0", b""), ("/1", b"")]


def test_content_of_which_the_server_does_not_want_the_rest() -> None:
    requests = [put("/0", Pieces(CONTENT)), get(1), get(2)]
    with Feeding(requests, small=True) as feeding:
        assert feeding.advance(WINDOW) is not None
        feeding.link.end.respond(b"too much", "413 Content Too Large")
        with pytest.raises(EarlyResponse):
            feeding.run(WINDOW)
        wire = feeding.wire()
        # The answer is there to be read, and nothing takes the place of the rest.
        assert feeding.advance(WINDOW) is None
        response, content = feeding.link.read()
        assert (response.status, content) == (413, b"too much")
        assert feeding.wire() == wire
        assert feeding.link.state.receiving_closed
        feeding.lose()
        feeding.run(WINDOW)
        assert feeding.paths() == ["/1", "/2"]


def test_nothing_is_sent_after_the_server_announced_its_close() -> None:
    # RFC 9112 §9.6
    with Feeding(gets(10)) as feeding:
        feeding.run(4)
        feeding.link.state.final_response_received(200, False)
        assert feeding.advance(10) is None
        assert feeding.paths() == paths_of(gets(4))


@pytest.mark.parametrize(
    "content", [b"abc", CONTENT, Pieces(CONTENT)], ids=["small", "large", "pieces"]
)
def test_no_content_is_sent_after_the_server_announced_its_close(content: Any) -> None:
    with Feeding([get(0), put("/1", content)]) as feeding:
        feeding.run(1)
        feeding.link.state.final_response_received(200, False)
        assert feeding.advance(10) is None
        assert feeding.paths() == ["/0"]


# Lost connections


def test_what_was_sent_goes_again_before_what_was_not() -> None:
    with Feeding(gets(10)) as feeding:
        feeding.run(4)
        feeding.answer()
        assert paths_of(feeding.lose()) == ["/1", "/2", "/3"]
        assert paths_of(feeding.feeder.waiting()) == ["/1", "/2", "/3"]
        assert feeding.feeder.has_more()
        feeding.run(5)
        assert feeding.paths() == ["/1", "/2", "/3", "/4", "/5"]
        assert feeding.begun == feeding.paths()


def test_a_window_holds_for_what_goes_again() -> None:
    with Feeding(gets(10)) as feeding:
        feeding.run(8)
        feeding.lose()
        feeding.run(1)
        assert feeding.paths() == ["/0"]
        feeding.answer()
        feeding.run(3)
        assert feeding.paths() == ["/0", "/1", "/2", "/3"]


def test_what_is_given_up_does_not_go_again() -> None:
    with Feeding(gets(4)) as feeding:
        feeding.run(3)
        sent = [*feeding.link.state.outstanding]
        feeding.feeder.send_again(sent[1:])
        feeding.connect()
        feeding.run(WINDOW)
        assert feeding.paths() == ["/1", "/2", "/3"]


def test_a_request_goes_again_as_the_object_that_it_was() -> None:
    requests = [get(0), Request("POST", "/1"), put("/2", CONTENT)]
    with Feeding(requests) as feeding:
        for window in (1, 1, 1):
            feeding.run(window)
            feeding.lose()
        feeding.run(1)
        for request in requests:
            exchange = feeding.link.state.oldest()
            assert exchange is not None
            assert exchange.request is request
            feeding.answer()
            feeding.run(1)


def test_a_connection_lost_in_the_middle_of_a_block() -> None:
    with Feeding(gets(1000), small=True) as feeding:
        feeding.advance(1000)
        begun = len(feeding.begun)
        feeding.lose()
        assert not feeding.feeder.is_sending
        assert len(feeding.feeder.waiting()) == 1000
        feeding.run(1000)
        assert feeding.paths() == paths_of(gets(1000))
        assert 0 < begun < 1000


def test_a_connection_lost_in_the_middle_of_content() -> None:
    requests = [get(0), put("/1", CONTENT), get(2)]
    with Feeding(requests, small=True) as feeding:
        needed = feeding.advance(WINDOW)
        assert needed is not None
        assert feeding.begun == ["/0", "/1"]
        feeding.lose()
        assert not feeding.feeder.is_sending
        feeding.run(WINDOW)
        came = feeding.came()
        assert [each.path for each in came] == ["/0", "/1", "/2"]
        assert came[1].content == CONTENT


AGAIN = {**KNOWN_LENGTH, **UNKNOWN_LENGTH}


@pytest.mark.parametrize("body", AGAIN)
@pytest.mark.parametrize("steps_before", [0, 1, 2, 5, 10**6])
def test_content_that_can_be_had_again_is_sent_again_from_its_beginning(
    tmp_path: Path, body: str, steps_before: int
) -> None:
    request = put("/1", AGAIN[body](CONTENT, tmp_path))
    with Feeding([get(0), request, get(2)], small=True) as feeding:
        for _ in range(2):
            for step, _needed in enumerate(steps(feeding, WINDOW)):
                if step == steps_before:
                    break
            feeding.lose()
        feeding.run(WINDOW)
        came = feeding.came()
        assert [each.path for each in came] == ["/0", "/1", "/2"]
        assert came[1].content == CONTENT
    close_body(request)


@pytest.mark.parametrize("body", ["BytesIO", "file", "file without buffer"])
def test_a_file_goes_back_to_where_it_stood_at_first(tmp_path: Path, body: str) -> None:
    request = put("/", KNOWN_LENGTH[body](CONTENT, tmp_path))
    request.body.seek(LONG // 2)  # type: ignore[union-attr]  # a file
    with Feeding([request], small=True) as feeding:
        for _ in range(3):
            feeding.advance(1)
            feeding.lose()
        feeding.run(1)
        assert feeding.came()[0].content == CONTENT[LONG // 2 :]
    close_body(request)


@pytest.mark.parametrize("body", ONCE)
def test_content_that_was_had_once_is_spent(tmp_path: Path, body: str) -> None:
    request = put("/1", ONCE[body](CONTENT, tmp_path))
    with Feeding([get(0), request, get(2)], small=True) as feeding:
        feeding.advance(WINDOW)
        sent = feeding.lose()
        exchange = sent[1]
        assert not isinstance(exchange, Request)
        assert exchange.spent
        assert not exchange.repeatable
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0"]
        feeding.answer()
        failed = feeding.feeder.take_failed()
        assert failed is not None
        assert failed.request is request
        assert failed.spent
        assert failed.failure is None
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0", "/2"]


@pytest.mark.parametrize("body", ONCE)
def test_content_is_not_spent_before_it_is_begun(tmp_path: Path, body: str) -> None:
    request = put("/1", ONCE[body](CONTENT, tmp_path))
    with Feeding([Request("POST", "/0"), request]) as feeding:
        feeding.run(WINDOW)
        feeding.answer()
        assert feeding.feeder.has_more()
        assert paths_of(feeding.feeder.waiting()) == ["/1"]
        feeding.lose()
        feeding.run(WINDOW)
        came = feeding.came()
        assert [each.path for each in came] == ["/1"]
        assert came[0].content == CONTENT


@pytest.mark.parametrize("body", AGAIN)
def test_content_that_can_be_had_again_may_be_repeated(tmp_path: Path, body: str) -> None:
    request = put("/", AGAIN[body](CONTENT, tmp_path))
    with Feeding([request], small=True) as feeding:
        feeding.advance(1)
        exchange = feeding.link.state.oldest()
        assert exchange is not None
        assert exchange.repeatable
    close_body(request)


def test_header_fields_go_again() -> None:
    once: Iterator[tuple[str, str]] = iter([("A", "b")])
    with Feeding([Request("GET", "/0", {"A": "b"}), Request("GET", "/1", once)]) as feeding:
        for _ in range(2):
            feeding.run(WINDOW)
            assert [came.headers.get("a") for came in feeding.came()] == ["b", "b"]
            feeding.lose()


def test_the_barrier_falls_with_the_connection() -> None:
    with Feeding([Request("POST", "/0"), *gets(2, 1)]) as feeding:
        feeding.run(WINDOW)
        feeding.feeder.send_again(())
        feeding.connect()
        feeding.run(WINDOW)
        assert feeding.begun == ["/1", "/2"]


def test_the_server_closed_in_the_middle_of_a_block() -> None:
    with Feeding(gets(1000), small=True) as feeding:
        feeding.advance(1000)
        feeding.link.end.close()
        with pytest.raises(ConnectionClosed):
            feeding.advance(1000)
        assert feeding.link.state.close_reason is CloseReason.CONNECTION_LOST
        # What the server has sent before can still be received.
        assert not feeding.link.state.receiving_closed
        feeding.lose()
        feeding.run(1000)
        assert feeding.paths() == paths_of(gets(1000))


def test_the_server_closed_before_a_block() -> None:
    with Feeding(gets(10)) as feeding:
        feeding.run(2)
        feeding.link.end.close()
        with pytest.raises(ConnectionClosed):
            feeding.advance(WINDOW)
        assert feeding.begun == ["/0", "/1"]
        # Not a byte of those was sent.
        assert paths_of(feeding.feeder.waiting()) == paths_of(gets(8, 2))
        feeding.lose()
        feeding.run(WINDOW)
        assert feeding.paths() == paths_of(gets(10))


def test_the_server_closed_in_the_middle_of_content() -> None:
    requests = [get(0), put("/1", Pieces(CONTENT)), get(2)]
    with Feeding(requests, small=True) as feeding:
        assert feeding.advance(WINDOW) is not None
        feeding.link.end.close()
        with pytest.raises(ConnectionClosed):
            feeding.run(WINDOW)
        assert not feeding.feeder.is_sending
        assert feeding.begun == ["/0", "/1"]
        feeding.lose()
        feeding.run(WINDOW)
        assert feeding.paths() == ["/0", "/1", "/2"]


# Idle connections


IDLE_SENDS: dict[str, Callable[[], list[Request]]] = {
    "block": lambda: [get(0), Request("GET", "/1", {"A": "b"}), put("/2", b"abc")],
    "alone": lambda: [Request("POST", "/0", None, b"abc"), get(1)],
    "content": lambda: [put("/0", CONTENT), get(1)],
    "pieces": lambda: [put("/0", Pieces(CONTENT)), get(1)],
    "once": lambda: [put("/0", iter([CONTENT])), get(1)],
}


@pytest.mark.parametrize("what", IDLE_SENDS)
@pytest.mark.parametrize("said", ["close", "408", "data"])
def test_an_idle_connection_is_looked_at_before_anything_is_sent_over_it(
    what: str, said: str
) -> None:
    requests = IDLE_SENDS[what]()
    with Feeding(requests) as feeding:
        if said == "close":
            feeding.link.end.half_close()
        elif said == "408":
            feeding.link.end.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        else:
            feeding.link.end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        expected = InvalidResponse if said == "data" else ConnectionClosed
        with pytest.raises(expected):
            feeding.advance(WINDOW)
        assert feeding.begun == []
        assert feeding.wire() == b""
        assert feeding.feeder.has_more()
        waiting = feeding.feeder.waiting()
        assert [each.request for each in waiting] == requests[: len(waiting)]
        assert not any(each.spent for each in waiting)
        feeding.lose()
        assert feeding.run_to_the_end(WINDOW) == []
        assert feeding.paths() == paths_of(requests)


def test_while_something_is_outstanding_the_server_may_say_what_it_likes() -> None:
    with Feeding(gets(4)) as feeding:
        feeding.run(2)
        feeding.link.end.respond(b"abc")
        feeding.run(4)
        assert feeding.paths() == paths_of(gets(4))
        assert feeding.link.read()[1] == b"abc"


def test_the_rest_of_a_block_is_not_sent_to_a_server_that_has_closed() -> None:
    # All that was begun is answered, so nothing has to be told to this server.
    with Feeding(gets(1000), small=True) as feeding:
        feeding.advance(1000)
        feeding.answer(len(feeding.begun))
        feeding.link.end.half_close()
        with pytest.raises(ConnectionClosed):
            feeding.advance(1000)
        assert feeding.link.state.close_reason is CloseReason.SERVER_CLOSED


# Anything at all


class Kind(enum.Enum):
    """Kinds of requests."""

    PLAIN = "plain"
    HEADERS = "headers"
    SMALL = "small content"
    LARGE = "large content"
    FILE = "file"
    PIECES = "pieces"
    POST = "must not be repeated"
    LONG_PATH = "long path"
    BAD = "refused"


def make_request(kind: Kind, number: int) -> Request:
    path = f"/{number}"
    match kind:
        case Kind.PLAIN:
            return Request("GET", path)
        case Kind.HEADERS:
            return Request("GET", path, {"A": path})
        case Kind.SMALL:
            return put(path, path.encode() * 100)
        case Kind.LARGE:
            return put(path, path.encode() * 3000)
        case Kind.FILE:
            return put(path, io.BytesIO(path.encode() * 3000))
        case Kind.PIECES:
            return put(path, [path.encode()] * 30)
        case Kind.POST:
            return Request("POST", path, None, path.encode())
        case Kind.LONG_PATH:
            return Request("GET", path + "?" + "x" * 5000)
        case Kind.BAD:
            return Request("GET", f"{number}")


def check_content(path: str, content: bytes) -> None:
    assert content.replace(path.encode(), b"") == b""


@given(
    st.lists(st.sampled_from(Kind), max_size=25),
    st.lists(
        st.tuples(st.sampled_from(["send", "send", "take", "answer", "lose"]), st.integers(1, 20)),
        max_size=40,
    ),
)
def test_each_request_goes_in_its_turn_whatever_happens(
    kinds: list[Kind], happens: list[tuple[str, int]]
) -> None:
    requests = [make_request(kind, number) for number, kind in enumerate(kinds)]
    answered: list[Request] = []
    failed: list[Request] = []
    with Feeding(requests, small=True) as feeding:

        def answer() -> None:
            # No server answers what has not come to it.
            complete = requests_in(feeding.wire())[0]
            state = feeding.link.state
            if state.outstanding and len(complete) > state.answered:
                exchange = state.oldest()
                assert exchange is not None
                assert exchange.request is not None
                came = complete[state.answered]
                assert (came.method, came.path) == (exchange.method, exchange.path)
                check_content(came.path.partition("?")[0], came.content)
                answered.append(exchange.request)
                feeding.answer()

        def fail() -> None:
            if not feeding.link.state.outstanding:
                queued = feeding.feeder.take_failed()
                if queued is not None:
                    failed.append(queued.request)

        def check_barrier() -> None:
            begun = [*feeding.link.state.outstanding]
            if any(
                not asked.request.idempotent
                for asked in begun
                if not isinstance(asked, Request) and asked.request
            ):
                assert len(begun) == 1

        for what, number in happens:
            if what == "send":
                feeding.advance(number)
                check_barrier()
            elif what == "take":
                feeding.link.end.progress()
            elif what == "answer":
                answer()
                fail()
            else:
                feeding.lose()
        while feeding.link.state.outstanding or feeding.feeder.has_more():
            feeding.run(WINDOW)
            check_barrier()
            answer()
            fail()
    assert answered == [request for request in requests if request.path.startswith("/")]
    assert failed == [request for request in requests if not request.path.startswith("/")]
