"""What may be sent again, when, and how a server has to be treated after what it did.

Policy only: nothing here sends, receives or waits.
"""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from ._messages import HTTPResponse

#: So often may a connection break with several requests under way, before it is the pipelining that
#: is held responsible.
_MAX_BREAKS: Final = 2
#: The longest pause before another attempt, in seconds.
MAX_BACKOFF: Final = 30.0
#: With these, a server may say when to come again (RFC 9110 §15.6.4, RFC 6585 §4).
RETRY_STATUSES: Final = frozenset((429, 503))


class Pipelining(Enum):
    """What is known of a server that requests are to be pipelined to."""

    UNPROVEN = "it has not shown yet that it keeps a connection open"
    PROVEN = "it keeps connections open, and requests are pipelined"
    GIVEN_UP = "it has broken connections with several requests under way, and gets one at a time"


class Peer:
    """What pipelines have learnt of a server, for as long as the connection object lives."""

    __slots__ = ("_breaks", "_last_response", "pipelining")

    def __init__(self) -> None:
        self.pipelining = Pipelining.UNPROVEN
        self._breaks = 0
        #: Number of responses after which it has closed a connection, 0 if it never has.
        self._last_response = 0

    def window(self, depth: int, answered: int) -> int:
        """Return how many requests may be under way on a connection, of *depth* that are wanted.

        *answered* is the number of responses that the connection has brought.
        """
        if self.pipelining is not Pipelining.PROVEN:
            return 1
        if not self._last_response or answered > self._last_response:
            return depth
        # Servers close after a certain number of responses, and what was sent behind the last one was
        # sent in vain. If it does not close this time, one more response shows it.
        return max(min(depth, self._last_response - answered), 1)

    def persists(self) -> None:
        """It has answered with HTTP/1.1, and means to keep the connection."""
        if self.pipelining is Pipelining.UNPROVEN:
            self.pipelining = Pipelining.PROVEN

    def closed_as_announced(self, answered: int) -> None:
        """It has said that it closes, and has, after *answered* responses."""
        # RFC 9112 §9.3.2 lets a client pipeline on the next connection at once. But not where a
        # connection never lasts: all that is sent behind the first request is sent in vain.
        if answered < 2 and self.pipelining is Pipelining.PROVEN:
            self.pipelining = Pipelining.UNPROVEN
        self._last_response = answered if answered > 1 else 0

    def broke(self, in_flight: int) -> None:
        """It has ended a connection unannounced, with *in_flight* requests unanswered."""
        if self.pipelining is Pipelining.GIVEN_UP:
            return
        # RFC 9112 §9.3.2: not to be pipelined to at once.
        self.pipelining = Pipelining.UNPROVEN
        if in_flight > 1:
            self._breaks += 1
            if self._breaks >= _MAX_BREAKS:
                self.pipelining = Pipelining.GIVEN_UP


def pause_before(attempt: int, backoff: float) -> float:
    """Return how long to wait, in seconds, before the *attempt*-th repetition, counted from 1.

    Not at all before the first: most connections are lost because they were old. Then twice as long
    each time, and a random part less, so that clients which a server has lost do not come all at
    once.
    """
    if attempt < 2 or backoff <= 0:
        return 0.0
    from random import uniform

    # Bounded before it is computed: the exponent is not.
    longest = min(backoff * 2.0 ** min(attempt - 2, 32), MAX_BACKOFF)
    return uniform(longest / 2, longest)


def retry_after(response: HTTPResponse) -> float | None:
    """Return how long the server wants us to wait, in seconds, `None` if it does not say.

    Retry-After is a number of seconds or a date (RFC 9110 §10.2.3).
    """
    value = response.headers["Retry-After"]
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    from datetime import UTC
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            # RFC 9110 §5.6.7: the obsolete form without a zone is GMT as well.
            date = date.replace(tzinfo=UTC)
        return max(date.timestamp() - time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
