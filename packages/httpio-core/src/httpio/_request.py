"""A request as the caller gives it, before anything was encoded."""

from __future__ import annotations

from ._text import exact_str, require_str

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
    bytes-like, or a binary file, which is sent from where it stands then to its end, or an iterable
    of bytes-like pieces. *idempotent* says whether sending it twice does the same as sending it once;
    by default the method decides (RFC 9110 §9.2.2). Only such requests are pipelined, and sent again
    when a connection is lost.

    It cannot be changed once it is made, and can be sent any number of times. A subclass may add what
    tells the caller more about it: `HTTPResponse.request` is this object. What must not be sent is
    refused where its turn comes. Raises `TypeError` for what is no string.
    """

    __slots__ = ("body", "headers", "idempotent", "method", "path")

    #: Method (RFC 9110 §9).
    method: str
    #: Request target: a path with its query, percent-encoded.
    path: str
    #: Names and values of header fields, or `None` for none but those that are always added.
    headers: tuple[tuple[str, str], ...] | None
    #: Content, or `None`.
    body: RequestBody | None
    #: Whether sending it twice does the same as sending it once.
    idempotent: bool

    def __init__(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: RequestBody | None = None,
        *,
        idempotent: bool | None = None,
    ) -> None:
        if type(method) is not str or type(path) is not str:
            require_str("method and path", method, path)
            method, path = exact_str(method), exact_str(path)
        if headers is not None:
            # A copy: the caller may go on with its own, and an iterator could be read only once.
            items = getattr(headers, "items", None)
            headers = tuple(headers if items is None else items())  # type: ignore[arg-type]  # pairs
        # Past __setattr__, and quicker than by its name.
        _set_method(self, method)
        _set_path(self, path)
        _set_headers(self, headers)
        _set_body(self, body)
        _set_idempotent(
            self, method in IDEMPOTENT_METHODS if idempotent is None else bool(idempotent)
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name in Request.__slots__:
            raise AttributeError(
                f"the {name} of a request cannot be changed, it may be on its way: make a new one"
            )
        object.__setattr__(self, name, value)

    def __setstate__(self, state: tuple[dict[str, object] | None, dict[str, object]]) -> None:
        # For copies, and for exceptions that cross to another process.
        for values in state:
            for name, value in (values or {}).items():
                object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.path}>"


_set_method = Request.__dict__["method"].__set__
_set_path = Request.__dict__["path"].__set__
_set_headers = Request.__dict__["headers"].__set__
_set_body = Request.__dict__["body"].__set__
_set_idempotent = Request.__dict__["idempotent"].__set__
