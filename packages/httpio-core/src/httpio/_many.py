"""Calls that make many requests: what `HTTPConnection` is apart from single ones.

Only hands over to `Pipeline` and `RangeReader`.
"""

from __future__ import annotations

from ._blocking import run
from ._coroutine import coroutine
from ._lifecycle import Lifecycle
from ._pipeline import DEFAULT_DEPTH, Pipeline
from ._ranges import DEFAULT_GAP, RangeReader
from ._spans import make_pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed import WriteableBuffer

    from ._coroutine import PollGenerator
    from ._request import Request, RequestHeaders


class ManyRequests(Lifecycle):
    """A connection that many requests go over."""

    def pipeline(
        self,
        requests: Iterable[Request],
        *,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
        retry_partial: bool = False,
        retry_after: float | None = None,
    ) -> Pipeline:
        """Return the responses to *requests*, which are sent while responses are read.

        ::

            for response in conn.pipeline(Request("GET", path) for path in paths):
                body = conn.readall()

        *requests* is iterated over as responses come in. Up to *depth* of them are under way at once,
        once the server has proven that it keeps connections open: see `pipelining`. A request that
        must not be sent twice travels alone.

        When the connection is lost, requests without a response are sent again over a new one,
        unless sending them twice could do harm: up to *retries* times in a row, with a pause of
        *backoff* seconds before the second time, twice as long before the third, and so on. A
        response that broke off in its content is asked for again only with *retry_partial*. With
        *retry_after*, in seconds, requests that are answered with status 429 or 503 are sent again
        when the server wants it, over a new connection and up to *retries* times, if it does not want
        more than that and nothing under way must not be sent twice.

        Nothing is sent before the first response is asked for, and `send_request` cannot be used
        until the last one was. Raises `LocalProtocolError` for a depth below 1 or negative retries;
        for what else may be raised, see `Pipeline.next_response`.
        """
        return Pipeline(
            self,
            requests,
            depth=depth,
            retries=retries,
            backoff=backoff,
            retry_partial=retry_partial,
            retry_after=retry_after,
        )

    @coroutine
    def co_read_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> PollGenerator[list[bytes]]:
        """Return many byte ranges of the resource at *path*, in the order of *ranges*.

        Each range is ``(offset, size)``, in bytes; a negative offset counts from the end of the
        resource. Ranges may overlap and come in any order. Those that are not more than *gap* bytes
        apart are asked for together, and what lies between is dropped. *etag* is the strong entity
        tag that the resource has to have; without it, all ranges have to be of the same version as
        the first one that comes. *headers* go with each request, *depth*, *retries* and *backoff*
        are those of `pipeline`.

        A server that knows no ranges sends everything, and the ranges are taken from that; only for a
        negative offset it has to say how long that is.

        Raises `RangeNotSatisfiable` if a range goes beyond the end, `ResourceChanged` if the
        resource changes, `RangeError` for any other status than 200 and 206, `InvalidResponse` if
        the server sends what was not asked for, `LocalProtocolError` for ranges that cannot be
        some, and what `Pipeline.next_response` raises. After any of these, the next request opens a
        new connection if responses were outstanding.
        """
        pieces = make_pieces(ranges, None)
        reader = RangeReader(
            self, path, headers, etag=etag, gap=gap, depth=depth, retries=retries, backoff=backoff
        )
        yield from reader.co_read(pieces)
        return [bytes(piece.view) for piece in pieces]

    def read_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> list[bytes]:
        """Return many byte ranges of the resource at *path*; see `co_read_ranges`."""
        return run(
            self.co_read_ranges(
                path,
                ranges,
                headers,
                etag=etag,
                gap=gap,
                depth=depth,
                retries=retries,
                backoff=backoff,
            ),
            self.timeout,
        )

    @coroutine
    def co_readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> PollGenerator[None]:
        """Read many byte ranges of the resource at *path*, each into the buffer of the same index.

        Each of *buffers* has to have the size of its range. What it holds after an exception is
        undefined. For all else see `co_read_ranges`.
        """
        reader = RangeReader(
            self, path, headers, etag=etag, gap=gap, depth=depth, retries=retries, backoff=backoff
        )
        yield from reader.co_read(make_pieces(ranges, buffers))

    def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> None:
        """Read many byte ranges of the resource at *path* into *buffers*; see `co_readinto_ranges`."""
        return run(
            self.co_readinto_ranges(
                path,
                ranges,
                buffers,
                headers,
                etag=etag,
                gap=gap,
                depth=depth,
                retries=retries,
                backoff=backoff,
            ),
            self.timeout,
        )
