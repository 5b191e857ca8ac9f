"""A connection whose server sends anything at all: the same outcome however it arrives, and no exception but ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from httpio import CloseReason, ConnectionClosed, HTTPConnection, HTTPIOError
from tests.support.server_end import Server

from .strategies import mutated, responses, sizes, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpio import PollGenerator

#: None of them: all of the content by `readall`; 0: none of it.
ReadSize: TypeAlias = "int | None"


class Received(NamedTuple):
    """A response."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    interim: list[int]
    content: bytes
    trailers: list[tuple[str, str]]


class Failed(NamedTuple):
    """What came instead of one."""

    exception: type[HTTPIOError]
    reason: CloseReason | None


def co_receive(conn: HTTPConnection, read_size: ReadSize) -> PollGenerator[Received]:
    response = yield from conn.co_read_response()
    content = b""
    if read_size is None:
        content = yield from conn.co_readall()
    elif not read_size:
        yield from conn.co_discard()
    else:
        while data := (yield from conn.co_read(read_size)):
            content += data
    return Received(
        response.status,
        response.reason,
        response.headers.items(),
        [interim.status for interim in response.informational],
        content,
        response.trailers.items(),
    )


def co_outcome(
    conn: HTTPConnection, count: int, read_size: ReadSize
) -> PollGenerator[list[Received | Failed]]:
    """Receive *count* responses, or those before the first that fails."""
    found: list[Received | Failed] = []
    for _ in range(count):
        try:
            found.append((yield from co_receive(conn, read_size)))
        except HTTPIOError as exc:
            reason = exc.reason if isinstance(exc, ConnectionClosed) else None
            found.append(Failed(type(exc), reason))
            break
    return found


def outcome(
    server: Server, pieces: list[bytes], count: int, read_size: ReadSize
) -> list[Received | Failed]:
    """Return what comes of *count* requests if the server sends *pieces*, and closes."""
    with HTTPConnection("localhost", unix_socket=server.path) as conn:
        for _ in range(count):
            server.drive(conn.co_send_request("GET", "/"))
        server.progress()
        end = server.end
        left = iter(pieces)
        receiving = co_outcome(conn, count, read_size)
        try:
            while True:
                needed = next(receiving)
                while not needed.poll(0):
                    send_next(server, left)
        except StopIteration as exc:
            found: list[Received | Failed] = exc.value
            return found
        finally:
            end.close()
            server.ends.clear()


def send_next(server: Server, pieces: Iterator[bytes]) -> None:
    piece = next(pieces, None)
    if piece is None:
        server.end.half_close()
    else:
        server.end.send(piece)


@settings(max_examples=150)
@given(
    st.lists(responses | mutated(responses) | st.binary(max_size=30), min_size=1, max_size=2).map(
        b"".join
    ),
    sizes,
    st.sampled_from([None, 0, 1, 7, 100_000]),
)
def test_anything_from_a_server(wire: bytes, piece_sizes: list[int], read_size: ReadSize) -> None:
    with Server() as server:
        whole = outcome(server, [wire] if wire else [], 2, read_size)
        assert whole == outcome(server, split(wire, piece_sizes), 2, read_size)
        assert whole == outcome(server, split(wire, [1]), 2, read_size)
        # What a readall() does not return for an exception is all that may make a difference.
        if read_size:
            readall = outcome(server, [wire] if wire else [], 2, None)
            assert whole == readall
