"""What a redirect makes of a request (RFC 9110 §15.4). Knows no sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio_cli._group import Group
from httpio_cli._redirects import becomes_get, followed, location_of

if TYPE_CHECKING:
    from httpio import HTTPResponse
    from httpio_cli._urls import URL


class NextRequest(Group):
    """What to request next."""

    url: URL
    method: str
    has_content: bool


def next_request(
    response: HTTPResponse,
    url: URL,
    method: str,
    has_content: bool,
    *,
    keep_method: bool,
    allow_downgrade: bool,
) -> NextRequest | None:
    """Return what *response*, to *method* for *url*, sends the client on to, `None` if nothing.

    303 makes it GET, and so do 301 and 302 after POST, unless *keep_method*; the others keep method
    and content. Raises `CommandError` for a way from https to http, unless *allow_downgrade*.
    """
    location = location_of(response)
    if location is None:
        return None
    target = followed(url, location, allow_downgrade=allow_downgrade)
    if becomes_get(response.status, method):
        return NextRequest(url=target, method=method if keep_method else "GET", has_content=False)
    return NextRequest(url=target, method=method, has_content=has_content)
