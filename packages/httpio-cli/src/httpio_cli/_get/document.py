"""``--format json``: a transfer as a document for programs."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from httpio_cli._json_output import document, write_json
from httpio_cli._redaction import redact_value
from httpio_cli._running import stdout

from .write_out import as_json

if TYPE_CHECKING:
    from httpio import HTTPResponse

    from .record import Record


def write_document(record: Record, content: bytes | None, *, indented: bool, show: bool) -> None:
    """Print the document of schema ``httpio/get/1``; *content* is that of the response."""
    response = record.response
    members = as_json(record)
    members["response"] = None if response is None else _response(response, show)
    if content is not None:
        try:
            members["content"] = content.decode()
        except UnicodeDecodeError:
            members["content_base64"] = b64encode(content).decode()
    out = stdout()
    write_json(document("get", members), out, indent=2 if indented else None)
    out.flush()


def _response(response: HTTPResponse, show: bool) -> dict[str, object]:
    return {
        "status": response.status,
        "reason": response.reason,
        "version": response.version,
        "fields": [[name, redact_value(name, value, show)] for name, value in response.fields],
        "interim": [_response(interim, show) for interim in response.informational],
    }
