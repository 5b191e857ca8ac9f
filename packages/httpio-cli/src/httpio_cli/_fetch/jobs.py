"""A file on its way, and the request that fetches it.

Knows what is known of one file; what is done with it is for others.
"""

from __future__ import annotations

from dataclasses import dataclass

from httpio import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from httpio_cli._urls import URL, Origin

    from .naming import Wanted


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a file can be gone on with: behind *offset* bytes of what *validator* names.

    *size* is the complete size, `None` if that is not known.
    """

    offset: int
    validator: str
    size: int | None


class Job:
    """A file that is to be fetched, and what has become of that so far."""

    __slots__ = (
        "attempts",
        "conditions",
        "connection",
        "failures",
        "first_byte_at",
        "furthest",
        "home",
        "mirrors",
        "position",
        "queued_at",
        "redirects",
        "resume",
        "sent_at",
        "transferred",
        "trusted",
        "url",
        "wanted",
        "was_resumed",
    )

    def __init__(self, wanted: Wanted, now: float) -> None:
        self.wanted = wanted
        #: Where it is asked for now.
        self.url: URL = wanted.url
        #: The origin that the operator has named. Only there, credentials may be shown.
        self.home: Origin = wanted.url.origin
        self.trusted = True
        self.mirrors = list(wanted.mirrors)
        #: Header fields that make the request conditional.
        self.conditions: tuple[tuple[str, str], ...] = ()
        self.resume: Resume | None = None
        #: Bytes that an earlier attempt had left, and that were not transferred again.
        self.was_resumed = 0
        #: Where the last attempt that was a step forward has broken off.
        self.furthest = 0
        #: How often a request for it was sent, and how often that failed for a while.
        self.attempts = 0
        self.failures = 0
        self.redirects = 0
        #: Bytes of content that came for it, of all attempts.
        self.transferred = 0
        #: Number of the connection that it was asked for over last, and place among its responses.
        self.connection = 0
        self.position = 0
        #: By the clock of the event loop, 0 if it has not come to that.
        self.queued_at = now
        self.sent_at = 0.0
        self.first_byte_at = 0.0


class FetchRequest(Request):
    """A GET request that knows what it is for."""

    __slots__ = ("job",)

    def __init__(self, job: Job, fields: tuple[tuple[str, str], ...]) -> None:
        super().__init__("GET", job.url.target, fields)
        self.job = job
