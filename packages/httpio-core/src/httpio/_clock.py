"""Waiting for a time to pass, for coroutines.

A `PollNeeded` names a descriptor and has no clock, so the wait is done by a thread.
"""

from __future__ import annotations

from time import monotonic

from ._coroutine import POLLIN, PollNeeded, coroutine
from ._worker import co_in_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Final

    from ._coroutine import PollGenerator

#: The thread reports this often, in seconds: a driver's time-out is for a server that says nothing,
#: and must not end a wait that was wanted.
_TICK: Final = 0.05


@coroutine
def co_sleep(seconds: float) -> PollGenerator[None]:
    """Return when *seconds* have passed."""
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        yield from co_in_thread(_Sleep(min(left, _TICK)))


class _Sleep:
    """Work for a thread: wait *seconds*, or until nobody waits for it any more."""

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds

    def __call__(self, dropped: socket.socket) -> None:
        PollNeeded(dropped.fileno(), POLLIN).poll(self._seconds)
