"""Many byte ranges of one resource, over one connection (RFC 9110 §14).

What is near to one another is asked for together, as a *span*, and the bytes between are dropped.
The first response tells which version of the resource it is; the others are asked for only if they
are of the same, and looked at again. A server need not know of ranges, and may send everything: then
the ranges are taken from that.
"""

from __future__ import annotations

from operator import index

from ._coroutine import coroutine
from ._encoders import pairs_of
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    InvalidResponse,
    LocalProtocolError,
    RangeError,
    RangeNotSatisfiable,
    ResourceChanged,
    UnsupportedResponse,
)
from ._grammar import CONTENT_RANGE, STRONG_ENTITY_TAG
from ._pipeline import Pipeline
from ._recovery import check_options
from ._request import Request
from ._spans import Piece, Span, make_spans
from ._text import require_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from ._coroutine import PollCoroutine, PollGenerator
    from ._lifecycle import Lifecycle
    from ._messages import HTTPResponse
    from ._request import RequestHeaders

#: Ranges that are not farther apart than this, in bytes, are asked for together: about what another
#: request and the head of another response come to, many times over.
DEFAULT_GAP: Final = 4096
#: What is dropped is received this much at a time, in bytes.
_SCRATCH_SIZE: Final = 64 * 1024


class RangeReader:
    """Reads ranges of the resource at *path*. For the other parameters see the connection's method."""

    def __init__(
        self,
        conn: Lifecycle,
        path: str,
        headers: RequestHeaders | None,
        *,
        etag: str | None,
        gap: int,
        depth: int,
        retries: int,
        backoff: float,
    ) -> None:
        if index(gap) < 0:
            raise LocalProtocolError(f"the gap between ranges cannot be negative, got {gap}")
        if etag is not None:
            require_str("an entity tag", etag)
        if etag is not None and not STRONG_ENTITY_TAG.fullmatch(etag.encode("latin-1", "replace")):
            raise LocalProtocolError(
                f"expected a strong entity tag, with its double quotes, got {etag!r}"
            )
        self._headers: Final = [*pairs_of(headers, "headers")] if headers is not None else []
        for name, _ in self._headers:
            if name.lower() in ("range", "if-range", "if-match"):
                raise LocalProtocolError(f"{name} is set by the range reader itself")
        self._conn: Final = conn
        self._path: Final = path
        self._gap: Final = gap
        self._options: Final = (depth, retries, backoff)
        # Before anything is sent, and even if there is nothing to send.
        check_options(depth, retries, backoff)
        #: The strong entity tag of the version that is read (RFC 9110 §8.8.3).
        self._etag = etag
        #: Last-Modified and the complete length of it, once they are known.
        self._last_modified: str | None = None
        self._complete_length: int | None = None
        self._seen_any = False
        self._scratch: memoryview | None = None
        #: The present response has all of the resource.
        self._everything = False

    @coroutine
    def co_read(self, pieces: Iterable[Piece]) -> PollGenerator[None]:
        """Read all *pieces*."""
        wanted = [piece for piece in pieces if piece.size]
        from_end = [piece for piece in wanted if piece.offset < 0]
        wanted = [piece for piece in wanted if piece.offset >= 0]
        if from_end:
            yield from self._co_locate(from_end)
            wanted += from_end
        spans = make_spans(wanted, self._gap)
        if spans and not self._seen_any and self._etag is None:
            # Alone: it tells which version the others have to be of.
            spans = yield from self._co_read_spans(spans[:1], spans[1:])
        if spans:
            yield from self._co_read_spans(spans, [])

    def _pipeline(self, requests: Iterable[Request]) -> Pipeline:
        depth, retries, backoff = self._options
        return Pipeline(
            self._conn,
            requests,
            depth=depth,
            retries=retries,
            backoff=backoff,
            retry_partial=True,
            retry_after=None,
        )

    def _request(self, byte_range: str) -> Request:
        headers = [*self._headers, ("Range", f"bytes={byte_range}")]
        if self._etag is not None:
            # Rather than If-Range (RFC 9110 §13.1.5), with which a new version would come as a whole.
            headers.append(("If-Match", self._etag))
        return Request("GET", self._path, headers)

    @coroutine
    def _co_read_spans(self, spans: list[Span], others: list[Span]) -> PollGenerator[list[Span]]:
        """Read *spans*; return what is left of *others*: nothing, if the server sent everything."""
        requests = [self._request(f"{span.start}-{span.end - 1}") for span in spans]
        with self._pipeline(requests) as pipeline:
            position = 0
            while position < len(spans):
                response = yield from pipeline.co_next_response()
                assert response is not None, "a pipeline answers, or raises"
                try:
                    everything = yield from self._co_take(
                        pipeline, response, [*spans[position:], *others]
                    )
                except ConnectionClosed as exc:
                    if exc.reason is CloseReason.CLOSED_LOCALLY:
                        raise
                    # The same comes again, or the pipeline raises because it is given up.
                    continue
                if everything:
                    return []
                position += 1
            # At its end, it lets go of the connection.
            yield from pipeline.co_next_response()
        return others

    @coroutine
    def _co_locate(self, from_end: list[Piece]) -> PollGenerator[None]:
        """Find out where *from_end* are, counted from the start."""
        # One byte tells the length; it is cheaper to ask than to guess what else will be wanted.
        request = self._request("0-0")
        with self._pipeline([request]) as pipeline:
            response = yield from pipeline.co_next_response()
            assert response is not None
            self._check_status(response)
            first: int = 0
            if response.status == 200:
                length = response.length
            else:
                first, _, length = self._content_range(response)
            if first:
                raise InvalidResponse(
                    f"the server was asked for the first byte of {self._path}, and sent others"
                )
            if length is None:
                raise UnsupportedResponse(
                    f"the server does not say how long {self._path} is, so nothing can be read from "
                    "its end"
                )
            self._check_version(response, length)
            if response.status != 200:
                yield from pipeline.co_next_response()
        for piece in from_end:
            piece.offset += length
            if piece.offset < 0:
                raise self._beyond(response.status, length)

    # One response

    @coroutine
    def _co_take(
        self, pipeline: Pipeline, response: HTTPResponse, spans: list[Span]
    ) -> PollGenerator[bool]:
        """Read the first of *spans* from *response*, or all of them, and return whether it was all."""
        self._check_status(response)
        span = spans[0]
        self._everything = response.status == 200
        if self._everything:
            length = response.length
            self._check_version(response, length)
            end = max(span.end for span in spans)
            if length is not None and end > length:
                raise self._beyond(200, length)
            yield from self._co_fill(
                pipeline, 0, [piece for each in spans for piece in each.pieces]
            )
            return True
        first, last, length = self._content_range(response)
        if response.length is not None and response.length != last - first + 1:
            raise InvalidResponse(
                f"the server sent Content-Range: bytes {first}-{last} with a content of "
                f"{response.length} bytes"
            )
        self._check_version(response, length)
        if first > span.start or last < span.end - 1:
            if length is not None and span.end > length:
                raise self._beyond(206, length)
            raise InvalidResponse(
                f"the server was asked for bytes {span.start}-{span.end - 1} of {self._path}, "
                f"and sent bytes {first}-{last}"
            )
        yield from self._co_fill(pipeline, first, span.pieces)
        if response.length is None:
            yield from self._co_skip(pipeline, last + 1 - span.end)
            if (yield from self._co_some(pipeline, memoryview(bytearray(1)))):
                raise InvalidResponse(
                    f"the server sent more content than its Content-Range, bytes {first}-{last}"
                )
        return False

    @coroutine
    def _co_fill(
        self, pipeline: Pipeline, position: int, pieces: list[Piece]
    ) -> PollGenerator[None]:
        """Read *pieces*, in the order of their offsets, from content that begins at *position*."""
        farthest: Piece | None = None
        for piece in pieces:
            if piece.offset > position:
                yield from self._co_skip(pipeline, piece.offset - position)
                position = piece.offset
            done = 0
            if farthest is not None and farthest.end > piece.offset:
                # Ranges overlap, and what comes in this one's beginning has been read. All of it is
                # in the one that goes farthest, because that began before.
                done = min(farthest.end - piece.offset, piece.size)
                start = piece.offset - farthest.offset
                piece.view[:done] = farthest.view[start : start + done]
            yield from self._co_receive(pipeline, piece.view[done:])
            position = max(position, piece.end)
            if farthest is None or piece.end > farthest.end:
                farthest = piece

    @coroutine
    def _co_receive(self, pipeline: Pipeline, view: memoryview) -> PollGenerator[None]:
        while view:
            size = yield from self._co_some(pipeline, view)
            if not size:
                if self._everything:
                    # Without a length, this is how the end shows.
                    raise self._beyond(200, None)
                raise InvalidResponse(
                    f"the server sent less of {self._path} than it has announced: {len(view)} bytes "
                    "are missing"
                )
            view = view[size:]

    def _co_some(self, pipeline: Pipeline, view: memoryview) -> PollCoroutine[int]:
        """Receive content into *view*, as much as there is and fits; return the number of bytes."""
        return pipeline.co_while_sending(self._conn._receiver.co_readinto(view))

    @coroutine
    def _co_skip(self, pipeline: Pipeline, size: int) -> PollGenerator[None]:
        if self._scratch is None:
            self._scratch = memoryview(bytearray(_SCRATCH_SIZE))
        while size:
            part = min(size, _SCRATCH_SIZE)
            yield from self._co_receive(pipeline, self._scratch[:part])
            size -= part

    # What the server says

    def _check_status(self, response: HTTPResponse) -> None:
        status = response.status
        if status in (200, 206):
            coding = (response.headers["Content-Encoding"] or "identity").lower()
            if coding != "identity":
                # A part of it is no part of the resource, and we had asked for it as it is.
                raise UnsupportedResponse(
                    f"the server sent {self._path} with the coding {coding!r}, of which no ranges "
                    "can be read"
                )
            return
        if status == 416:
            match = CONTENT_RANGE.fullmatch(_latin_1(response, "Content-Range"))
            length = int(match[4]) if match is not None and match[4] else None
            raise self._beyond(status, length)
        if status == 412:
            tagged = "" if self._etag is None else f" with the entity tag {self._etag}"
            raise ResourceChanged(
                f"there is no version of {self._path}{tagged} any more", status=status
            )
        raise RangeError(
            f"expected status 206 (Partial Content) for {self._path}, the server sent {status} "
            f"{response.reason}",
            status=status,
        )

    def _content_range(self, response: HTTPResponse) -> tuple[int, int, int | None]:
        """Return first and last position of the content, and the complete length if it is said."""
        # Several of them contradict one another, and are no such value together.
        values = response.headers.get_all("Content-Range", [])
        value = ", ".join(values).encode("latin-1")
        match = CONTENT_RANGE.fullmatch(value)
        if match is None or not match[1]:
            raise InvalidResponse(
                "expected 'Content-Range: bytes first-last/length' with status 206, "
                f"the server sent {value[:80]!r}"
            )
        first, last = int(match[1]), int(match[2])
        length = None if match[3] == b"*" else int(match[3])
        if last < first or (length is not None and last >= length):
            raise InvalidResponse(f"the server sent an impossible Content-Range: {value[:80]!r}")
        return first, last, length

    def _check_version(self, response: HTTPResponse, length: int | None) -> None:
        """Raise `ResourceChanged` if *response* is not of the version that is read."""
        etag: str | None = response.headers["ETag"]
        last_modified: str | None = response.headers["Last-Modified"]
        if etag is not None and etag.startswith("W/"):
            # RFC 9110 §8.8.1: it says nothing of single bytes.
            etag = None
        found: list[tuple[str, object, object]] = [("entity tag", self._etag, etag)]
        if self._seen_any:
            found += [
                ("date", self._last_modified, last_modified),
                ("length", self._complete_length, length),
            ]
        for what, before, now in found:
            if before is not None and now is not None and now != before:
                raise ResourceChanged(
                    f"{self._path} has changed: its {what} was {before}, and is {now}",
                    status=response.status,
                )
        self._seen_any = True
        self._etag = self._etag or etag
        self._last_modified = self._last_modified or last_modified
        if self._complete_length is None:
            self._complete_length = length

    def _beyond(self, status: int, length: int | None) -> RangeNotSatisfiable:
        has = "is shorter than that" if length is None else f"has {length} bytes"
        return RangeNotSatisfiable(
            f"a range goes beyond the end of {self._path}, which {has}",
            status=status,
            complete_length=length,
        )


def _latin_1(response: HTTPResponse, name: str) -> bytes:
    value: str | None = response.headers[name]
    return (value or "").encode("latin-1")
