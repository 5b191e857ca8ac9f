"""Where a redirect leads, and with what (RFC 9110 §15.4). Knows no sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._group import Group
from httpio_cli._response_fields import field

if TYPE_CHECKING:
    from httpio import HTTPResponse
    from httpio_cli._urls import URL

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class NextRequest(Group):
    """What to request next."""

    url: URL
    method: str
    has_content: bool


def location_of(response: HTTPResponse, url: URL) -> URL | None:
    """Return where *response* redirects to, `None` if it does not.

    Raises `CommandError` if what it names is no URL to be requested.
    """
    location = field(response, "Location")
    if response.status not in REDIRECTS or location is None:
        return None
    return url.join(location)


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
    location = location_of(response, url)
    if location is None:
        return None
    if url.scheme == "https" and location.scheme == "http" and not allow_downgrade:
        raise CommandError(
            ExitCode.TOO_MANY_REDIRECTS,
            f"{url} redirects to {location}, which is not encrypted",
            "allow that with --allow-downgrade",
        )
    status = response.status
    becomes_get = (status == 303 and method not in ("GET", "HEAD")) or (
        status in (301, 302) and method == "POST"
    )
    if becomes_get:
        return NextRequest(url=location, method=method if keep_method else "GET", has_content=False)
    return NextRequest(url=location, method=method, has_content=has_content)
