"""Drive a pipeline to its end, in each of the ways that there are, and note what comes of each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from httpio import HTTPIOError

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpio import HTTPConnection, HTTPResponse, Pipeline

    from .server_end import Server


class Got(NamedTuple):
    """A response with its content."""

    response: HTTPResponse
    content: bytes

    @property
    def summary(self) -> tuple[str, int, bytes]:
        """Path, status and content."""
        return self.response.path, self.response.status, self.content


Outcome = list["Got | Exception"]
PATIENCE = 10_000
"""More exceptions than this in one pipeline are no end."""


def by_batches(server: Server, conn: HTTPConnection, pipeline: Pipeline) -> Outcome:
    """Use `co_next_batch`."""
    found: Outcome = []
    failures = 0
    while True:
        try:
            batch = server.drive(pipeline.co_next_batch())
        except (HTTPIOError, OSError, ValueError, TypeError) as exc:
            found.append(exc)
            failures += 1
            assert failures < PATIENCE
            continue
        if not batch:
            return found
        found += [Got(response, content) for response, content in batch]


def by_heads(server: Server, conn: HTTPConnection, pipeline: Pipeline) -> Outcome:
    """Use `co_next_response`, and `co_readall` of the connection."""
    found: Outcome = []
    failures = 0
    while True:
        try:
            response = server.drive(pipeline.co_next_response())
            if response is None:
                return found
            found.append(Got(response, server.drive(conn.co_readall())))
        except (HTTPIOError, OSError, ValueError, TypeError) as exc:
            found.append(exc)
            failures += 1
            assert failures < PATIENCE


def by_small_pieces(server: Server, conn: HTTPConnection, pipeline: Pipeline) -> Outcome:
    """Use `co_next_response`, and `co_readinto` with few bytes at a time."""
    found: Outcome = []
    failures = 0
    buffer = bytearray(701)
    while True:
        try:
            response = server.drive(pipeline.co_next_response())
            if response is None:
                return found
            content = bytearray()
            while size := server.drive(conn.co_readinto(buffer)):
                content += buffer[:size]
            found.append(Got(response, bytes(content)))
        except (HTTPIOError, OSError, ValueError, TypeError) as exc:
            found.append(exc)
            failures += 1
            assert failures < PATIENCE


def by_size(server: Server, conn: HTTPConnection, pipeline: Pipeline) -> Outcome:
    """Use `co_next_small`, and `co_next_response` for what that does not return."""
    found: Outcome = []
    failures = 0
    while True:
        try:
            batch = server.drive(pipeline.co_next_small())
            found += [Got(response, content) for response, content in batch]
            if batch:
                continue
            response = server.drive(pipeline.co_next_response())
            if response is None:
                return found
            found.append(Got(response, server.drive(conn.co_readall())))
        except (HTTPIOError, OSError, ValueError, TypeError) as exc:
            found.append(exc)
            failures += 1
            assert failures < PATIENCE


WAYS: dict[str, Callable[[Server, HTTPConnection, Pipeline], Outcome]] = {
    "batches": by_batches,
    "heads": by_heads,
    "pieces": by_small_pieces,
    "size": by_size,
}
