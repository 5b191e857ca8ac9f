"""Requests that wait for their turn in a pipeline, and what is known of them.

Knows nothing of when that is, nor of sockets.
"""

from __future__ import annotations

from ._request import Request
from ._state import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._encoders import RequestHead
    from ._exceptions import CloseReason


class Queued(Exchange):
    """An exchange that does not go in a block, or that was taken back, and what it needs for that."""

    request: Request
    #: Where its content begins, if that can be read again.
    position: int | None = None
    #: Nothing goes before it that is not answered, and nothing behind it until it is.
    alone: bool = False
    #: Why the connection was lost that it was sent over.
    lost: CloseReason | None = None
    head: RequestHead | None = None
    #: What is sent together with the head; other content is read while it is sent.
    content: memoryview | None = None

    def __init__(self, request: Request) -> None:
        super().__init__(request.method, request.path, request=request)


class Failed(Queued):
    """Stands where the caller's iterable has raised an exception."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(Request("", ""))
        self.failure = failure


def renewed(asked: Exchange | Request, lost: CloseReason | None) -> Queued:
    """Return what was *asked* as it was before it was sent, but for what cannot be undone."""
    if isinstance(asked, Request):
        return Queued(asked)
    assert asked.request is not None, "what a pipeline has sent, it was given"
    queued = Queued(asked.request)
    if isinstance(asked, Queued):
        queued.position = asked.position
        queued.spent = asked.spent
        queued.lost = lost
        queued.failure = asked.failure
    return queued
