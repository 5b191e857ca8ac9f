"""The event loop that the load runs in.

As fast as it goes, that is uvloop's where it is installed. With a rate it matters when a timer fires:
uvloop's, like that of epoll, count whole milliseconds, and a request would be late by half of one on
average. `select` takes microseconds, so it does the waiting.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def loop_for(rate: float | None) -> tuple[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the name of the event loop that suits, and what makes one."""
    if rate is None:
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return "uvloop", uvloop.new_event_loop
    elif sys.platform == "linux":
        return "asyncio", _fine_loop
    return "asyncio", asyncio.new_event_loop


def _fine_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(_FineSelector())


if sys.platform == "linux":

    class _FineSelector(selectors.EpollSelector):
        """Waits for parts of a millisecond."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0:
                # What is watched is one descriptor, whatever it watches itself. It was opened first
                # of all, so that its number is one that select() takes.
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)
