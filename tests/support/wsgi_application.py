"""A WSGI application (PEP 3333) that has the paths of `tests.support.servers`.

It is run by gunicorn. A body that is too large is refused without a look at it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

PIECE_SIZE = 1 << 16
DOCUMENTS = Path(os.environ["HTTPIO_DOCUMENTS"])
SMALL_LIMIT = int(os.environ["HTTPIO_SMALL_LIMIT"])


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    area, _, name = str(environ["PATH_INFO"]).removeprefix("/").partition("/")
    document = DOCUMENTS / name
    if area in ("docs", "chunked") and document.is_file():
        return _send(document, environ, start_response, chunked=area == "chunked")
    if area == "status":
        start_response(f"{name} No Content", [])
        return []
    if area == "upload":
        content = _digest(environ).encode()
        start_response("201 Created", [("Content-Length", str(len(content)))])
        return [content]
    refused = area == "small" and int(environ.get("CONTENT_LENGTH") or 0) > SMALL_LIMIT
    start_response(
        "413 Content Too Large" if refused else "404 Not Found", [("Content-Length", "0")]
    )
    return []


def _send(
    document: Path, environ: WSGIEnvironment, start_response: StartResponse, *, chunked: bool
) -> Iterable[bytes]:
    size = document.stat().st_size
    entity_tag = f'"{document.name}-{size}"'
    if environ.get("HTTP_IF_NONE_MATCH") == entity_tag:
        start_response("304 Not Modified", [("ETag", entity_tag)])
        return []
    length = [] if chunked else [("Content-Length", str(size))]
    start_response("200 OK", [("ETag", entity_tag), *length])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else _pieces(document)


def _pieces(document: Path) -> Iterator[bytes]:
    with document.open("rb") as file:
        while piece := file.read(PIECE_SIZE):
            yield piece


def _digest(environ: WSGIEnvironment) -> str:
    digest = hashlib.sha256()
    content = cast("IO[bytes]", environ["wsgi.input"])
    while piece := content.read(PIECE_SIZE):
        digest.update(piece)
    return digest.hexdigest()
