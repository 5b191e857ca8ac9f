"""Byte ranges of one resource: what comes back is what was asked for, of one version, or an exception."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

import pytest

from httpio import (
    ConnectionClosed,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    RangeError,
    RangeNotSatisfiable,
    ResourceChanged,
)
from tests.support.scripted import accept, drain

from .serving import BREAKS, LEAVES, ok, serve, serve_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

    from .client import Client, ClientFactory
    from .serving import Answering, Asked

    Ranges: TypeAlias = list[tuple[int, int]]

CONTENT = random.Random(14).randbytes(1000)
#: Three spans without a gap: the first is asked for alone, the others together.
SPREAD = [(0, 10), (100, 20), (990, 10)]


def expected(ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return what *ranges* of the content are."""
    positions = [(offset % 1000 if offset < 0 else offset, size) for offset, size in ranges]
    return [CONTENT[offset : offset + size] for offset, size in positions]


def in_ranges(asked: Asked, etag: str = '"one"') -> bytes:
    """Answer as RFC 9110 §14 has it."""
    if asked.fields.get("if-match", etag) != etag:
        return ok(b"changed", status="412 Precondition Failed")
    first, last = map(int, asked.fields["range"].removeprefix("bytes=").split("-"))
    if first >= len(CONTENT):
        line = f"Content-Range: bytes */{len(CONTENT)}"
        return ok(b"", line, status="416 Range Not Satisfiable")
    data = CONTENT[first : last + 1]
    line = f"Content-Range: bytes {first}-{first + len(data) - 1}/{len(CONTENT)}"
    return ok(data, line, f"ETag: {etag}", status="206 Partial Content")


def everything(asked: Asked) -> bytes:
    """Answer as a server that knows no ranges."""
    return ok(CONTENT, 'ETag: "one"')


def after(number: int, answer: Answering, otherwise: Answering = in_ranges) -> Answering:
    """Answer *number* requests with *otherwise*, and the others with *answer*."""
    count = 0

    def choose(asked: Asked) -> bytes | None:
        nonlocal count
        count += 1
        return (otherwise if count <= number else answer)(asked)

    return choose


def read(client: Client, ranges: Ranges, *, etag: str | None = None, gap: int = 0) -> list[bytes]:
    """Read *ranges* in both ways, which come to the same; without pauses between retries."""
    found = client.driver.read_ranges("/data", ranges, etag=etag, gap=gap, backoff=0)
    buffers = [bytearray(size) for _, size in ranges]
    client.driver.readinto_ranges("/data", ranges, buffers, etag=etag, gap=gap, backoff=0)
    assert [bytes(buffer) for buffer in buffers] == found
    return found


RANGES: dict[str, Ranges] = {
    "all": [(0, 1000)],
    "spread": SPREAD,
    "in-any-order": [(500, 10), (0, 10), (990, 10), (200, 10)],
    "overlapping": [(0, 20), (5, 10), (15, 20), (6, 1), (3, 30)],
    "empty": [(5, 0), (5, 5), (7, 0), (10, 0)],
    "from-the-end": [(-10, 10), (0, 10), (-20, 5), (-1000, 1)],
    "many": [(offset, 3) for offset in range(0, 900, 30)],
}


@pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize(
    ("answer", "tls"),
    [(in_ranges, False), (in_ranges, True), (everything, False)],
    ids=["ranges", "ranges-tls", "everything"],
)
def test_what_was_asked_for(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    ranges: Ranges,
    answer: Answering,
    tls: bool,
) -> None:
    context = certificates.server_context() if tls else None
    # Of everything, what lies behind the last range is not waited for, and the connection closed.
    server = scripted_server(serve_anew(answer), drain(), tls=context, unix=not tls)
    client = make_client(server, tls=tls)
    for gap in (0, 50):
        assert read(client, ranges, gap=gap) == expected(ranges)
    client.prove_usable()
    client.close()


ENDS: dict[str, tuple[Step, ...]] = {"closed": LEAVES, "reset": BREAKS}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_lost_connections(
    scripted_server: ServerFactory, make_client: ClientFactory, number: int, end: tuple[Step, ...]
) -> None:
    """What was lost is asked for again."""
    nothing: Answering = lambda asked: None  # noqa: E731 - a name for what is said twice
    server = scripted_server(
        serve(after(number, nothing)), *end, serve(nothing), *end, serve(in_ranges)
    )
    client = make_client(server)
    assert read(client, SPREAD) == expected(SPREAD)
    client.prove_usable()
    client.close()


def test_given_up_after_so_many_retries(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    nothing = serve(lambda asked: None)
    server = scripted_server(*[nothing, *LEAVES] * 3, serve(in_ranges), unix=True)
    client = make_client(server)
    with pytest.raises(ConnectionClosed):
        client.driver.read_ranges("/data", SPREAD, retries=2, backoff=0.001)
    client.conn.reset()
    assert read(client, SPREAD) == expected(SPREAD)
    client.prove_usable()
    client.close()
    server.finish()
    assert len(server.received) == 4


def test_entity_tag_that_is_required(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    server = scripted_server(serve(in_ranges), unix=True)
    client = make_client(server)
    assert read(client, SPREAD, etag='"one"') == expected(SPREAD)
    client.prove_usable()
    client.close()
    server.finish()
    assert server.received[0].count(b'\r\nIf-Match: "one"\r\n') == 6


FAILURES: dict[str, tuple[Ranges, Callable[[], Answering], type[HTTPIOError]]] = {
    "beyond-the-end": ([(2000, 1)], lambda: in_ranges, RangeNotSatisfiable),
    "over-the-end": ([(990, 20)], lambda: in_ranges, RangeNotSatisfiable),
    "everything-is-too-short": ([(990, 20)], lambda: everything, RangeNotSatisfiable),
    "404": (SPREAD, lambda: lambda asked: ok(b"no", status="404 Not Found"), RangeError),
    "204": (SPREAD, lambda: lambda asked: b"HTTP/1.1 204 No\r\n\r\n", RangeError),
    "another-version": (
        SPREAD,
        lambda: after(1, lambda asked: in_ranges(asked, '"two"')),
        ResourceChanged,
    ),
    "another-version-unasked": (
        SPREAD,
        lambda: after(1, lambda asked: in_ranges(asked).replace(b'"one"', b'"two"')),
        ResourceChanged,
    ),
    "no-content-range": (
        SPREAD,
        lambda: lambda asked: ok(b"0123456789", status="206 Partial Content"),
        InvalidResponse,
    ),
    "another-range": (
        SPREAD,
        lambda: lambda asked: in_ranges(asked).replace(b"bytes 0-", b"bytes 1-"),
        InvalidResponse,
    ),
    "garbage": (SPREAD, lambda: lambda asked: b"garbage\r\n\r\n", InvalidResponse),
}


@pytest.mark.parametrize(("ranges", "make_answer", "error"), FAILURES.values(), ids=FAILURES)
def test_failures(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    ranges: Ranges,
    make_answer: Callable[[], Answering],
    error: type[HTTPIOError],
) -> None:
    steps = [serve(make_answer()), drain(), accept(), serve(in_ranges)]
    client = make_client(scripted_server(*steps, unix=True))
    with pytest.raises(error) as caught:
        client.driver.read_ranges("/data", ranges, gap=0, backoff=0)
    assert type(caught.value) is error
    client.conn.reset()
    assert read(client, SPREAD) == expected(SPREAD)
    client.prove_usable()
    client.close()


def test_ranges_that_cannot_be_some(make_client: ClientFactory) -> None:
    client = make_client({"hostname": "localhost", "unix_socket": "/nowhere"})
    driver = client.driver
    attempts: list[Callable[[], object]] = [
        lambda: driver.read_ranges("/data", [(0, -1)]),
        lambda: driver.read_ranges("/data", [(-5, 10)]),
        lambda: driver.read_ranges("/data", [(0, 1)], gap=-1),
        lambda: driver.read_ranges("/data", [(0, 1)], etag="one"),
        lambda: driver.readinto_ranges("/data", [(0, 2)], [bytearray(1)]),
        lambda: driver.readinto_ranges("/data", [(0, 2)], []),
    ]
    for attempt in attempts:
        with pytest.raises((LocalProtocolError, ValueError)):
            attempt()
    # Nothing had to be asked for.
    assert driver.read_ranges("/data", []) == []
    client.close()
