"""Where a redirect leads, and with what (RFC 9110 §15.4). Knows no sockets."""

from __future__ import annotations

from ._errors import CommandError
from ._exit_codes import ExitCode
from ._response_fields import field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from httpio import HTTPResponse

    from ._urls import URL

#: Status codes that name another place where the answer is to be had.
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


def location_of(response: HTTPResponse) -> str | None:
    """Return the reference that *response* redirects to, `None` if it does not."""
    return field(response, "Location") if response.status in REDIRECTS else None


def followed(url: URL, location: str, *, allow_downgrade: bool | None = None) -> URL:
    """Return the URL that *location* means, seen from *url*.

    Raises `CommandError` if it is none, and for a way from https to http unless *allow_downgrade*,
    which is `None` where there is no option for it.
    """
    target = url.join(location)
    if url.scheme == "https" and target.scheme == "http" and not allow_downgrade:
        raise CommandError(
            ExitCode.TOO_MANY_REDIRECTS,
            f"{url} redirects to {target}, which is not encrypted",
            "name that URL itself"
            if allow_downgrade is None
            else "allow that with --allow-downgrade",
        )
    return target


def becomes_get(status: int, method: str) -> bool:
    """Return whether a redirect turns *method* into GET, without content.

    303 does so always, 301 and 302 with POST, because every browser does. HEAD stays what it is.
    """
    if status == 303:
        return method not in ("GET", "HEAD")
    return status in (301, 302) and method == "POST"


def too_many(url: URL, limit: int) -> CommandError:
    """Return the error for more than *limit* redirects, which began at *url*."""
    return CommandError(
        ExitCode.TOO_MANY_REDIRECTS,
        f"{url}: more than {limit} redirects",
        "allow more by --max-redirs, if that is no loop",
    )
