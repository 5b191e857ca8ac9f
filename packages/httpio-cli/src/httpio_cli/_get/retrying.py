"""Whether a transfer that failed is tried again, and when. Knows no sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import http_time

if TYPE_CHECKING:
    from httpio import HTTPResponse

#: What may be otherwise in a moment (RFC 9110 §15.5, §15.6; RFC 6585 §4).
TEMPORARY_STATUS: Final = frozenset((408, 429, 500, 502, 503, 504))
#: Of these the server says that it has done nothing.
_NOT_PROCESSED: Final = frozenset((408, 429, 503))
#: Methods that do no harm when they are repeated (RFC 9110 §9.2.2).
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
#: What went wrong before a request was sent.
_BEFORE_REQUEST: Final = frozenset(
    (ExitCode.HOST_NOT_RESOLVED, ExitCode.PROXY_NOT_RESOLVED, ExitCode.CONNECT_FAILED)
)
_TEMPORARY: Final = _BEFORE_REQUEST | {
    ExitCode.PARTIAL,
    ExitCode.TIMED_OUT,
    ExitCode.EMPTY_RESPONSE,
    ExitCode.SEND_FAILED,
    ExitCode.RECEIVE_FAILED,
}
#: Seconds before the first repetition; twice as many before each that follows.
FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 600.0


def may_repeat_status(response: HTTPResponse, method: str) -> bool:
    """Return whether the request can be made again because of the status of *response*."""
    if response.status not in TEMPORARY_STATUS:
        return False
    return method in IDEMPOTENT or response.status in _NOT_PROCESSED


def may_repeat_failure(code: ExitCode, method: str) -> bool:
    """Return whether the request can be made again after it failed with *code*."""
    return code in _TEMPORARY and (method in IDEMPOTENT or code in _BEFORE_REQUEST)


def delay(
    attempt: int, fixed: float | None, retry_after: str | None = None, now: float | None = None
) -> float:
    """Return the seconds to wait before repetition number *attempt*, counted from 1.

    The server's *retry_after* (RFC 9110 §10.2.3) counts if it asks for more; *now*, in seconds since
    1970, is what a date in it is compared to.
    """
    seconds = fixed if fixed is not None else FIRST_DELAY * 2 ** min(attempt - 1, 10)
    if retry_after is not None:
        if retry_after.isascii() and retry_after.strip().isdigit():
            seconds = max(seconds, float(retry_after))
        elif now is not None and (date := http_time(retry_after)) is not None:
            seconds = max(seconds, date - now)
    return min(seconds, LONGEST_DELAY)
