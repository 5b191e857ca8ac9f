"""A request as the caller gives it, before anything was checked or encoded. Imports nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final, Protocol, TypeAlias

    from _typeshed import ReadableBuffer

    #: Header fields of a request: a mapping, or pairs where a name is to be repeated.
    RequestHeaders: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

    class SupportsRead(Protocol):
        """A binary file, as far as it is needed to send from it."""

        def read(self, size: int, /) -> bytes:
            """Return up to *size* bytes, ``b""`` at the end."""

    #: Content that is read while it is sent.
    ContentSource: TypeAlias = SupportsRead | Iterable[ReadableBuffer]
    #: Content of a request in a pipeline.
    RequestBody: TypeAlias = ReadableBuffer | ContentSource

#: Doing these twice is the same as doing them once (RFC 9110 §9.2.2).
IDEMPOTENT_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


class Request:
    """A request for `HTTPConnection.pipeline`.

    *method*, *path* and *headers* are those of `HTTPConnection.send_request`. *body* is the content:
    bytes-like, or a binary file, which is sent from where it stands to its end, or an iterable of
    bytes-like pieces. *idempotent* says whether sending it twice does the same as sending it once;
    by default the method decides (RFC 9110 §9.2.2). Only such requests are pipelined, and sent again
    when a connection is lost.

    Nothing is checked here: what must not be sent is refused where its turn comes. A request is not
    changed by being sent, and can be sent any number of times. A subclass may add what tells the
    caller more about it: `HTTPResponse.request` is this object.
    """

    __slots__ = ("body", "headers", "idempotent", "method", "path")

    def __init__(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: RequestBody | None = None,
        *,
        idempotent: bool | None = None,
    ) -> None:
        #: Method (RFC 9110 §9).
        self.method: str = method
        #: Request target: a path with its query, percent-encoded.
        self.path: str = path
        #: Header fields, or `None` for none but those that are always added.
        # What can be iterated over once would be missing when the request is sent again.
        self.headers: RequestHeaders | None = (
            list(headers) if headers is not None and hasattr(headers, "__next__") else headers  # type: ignore[arg-type]  # an iterator is no mapping
        )
        #: Content, or `None`.
        self.body: RequestBody | None = body
        #: Whether sending it twice does the same as sending it once.
        self.idempotent: bool = method in IDEMPOTENT_METHODS if idempotent is None else idempotent

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.path}>"
