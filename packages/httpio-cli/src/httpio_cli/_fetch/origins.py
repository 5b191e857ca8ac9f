"""The files of one origin that wait, who gets which, and how many at once.

Nothing is sent or received here. What is decided: how deep pipelines are, how files are shared out
among connections, and whose files an idle connection takes over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heappop, heappush
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, Protocol

    from .jobs import Job

    class Giver(Protocol):
        """A connection that may have asked for files that another one could have sooner."""

        def can_give(self, now: float) -> bool:
            """Return whether files wait behind one that takes long."""

        def give(self) -> list[Job]:
            """Return those files; whatever comes for them is not looked at any more."""


#: Bytes that are to be under way on a connection: more than passes in a round trip, on most lines.
_WINDOW: Final = 4 << 20
#: Requests under way until it is known what files are like, and after that, at the most.
_FIRST_DEPTH: Final = 16
_LARGEST_DEPTH: Final = 512
#: After so many responses it is known.
_ENOUGH: Final = 8


class OriginQueue:
    """Files of one origin.

    *lanes* is how many connections there are to be, *depth* how many requests are to be under way
    on each, `None` for what suits the files. With a limit, *rate* is how many bytes may come in a
    second: what was asked for comes whether or not it is taken, so it is not to be more than that.
    """

    def __init__(self, lanes: int, depth: int | None, rate: int | None = None) -> None:
        self.lane_limit: Final = lanes
        self._window: Final = _WINDOW if rate is None else min(_WINDOW, rate // lanes)
        self._fixed_depth: Final = depth
        self.lanes: Final[list[Giver]] = []
        self._ready: Final[deque[Job]] = deque()
        self._delayed: Final[list[tuple[float, int, Job]]] = []
        self._order: Final = count()
        #: Files that belong here and have no result: waiting ones, and those under way.
        self.unfinished = 0
        self._under_way = 0
        self._changed: Final = asyncio.Event()
        self._responses = 0
        self._bytes = 0
        #: A response has come from there.
        self.has_answered = False

    # What waits

    def add(self, job: Job) -> None:
        """Have *job* wait behind the others."""
        self.unfinished += 1
        self._ready.append(job)
        self._changed.set()

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Have *jobs*, which were taken, wait before all others."""
        before = len(self._ready)
        self._ready.extendleft(reversed(list(jobs)))
        self._under_way -= len(self._ready) - before
        self._changed.set()

    def put_off(self, job: Job, until: float) -> None:
        """Have *job*, which was taken, wait until that time."""
        self._under_way -= 1
        heappush(self._delayed, (until, next(self._order), job))
        self._changed.set()

    def settled(self) -> None:
        """A job that was taken is done with, or goes elsewhere."""
        self._under_way -= 1
        self.unfinished -= 1
        if not self.unfinished:
            self._changed.set()

    def take(self) -> Job | None:
        """Return the job that is next, `None` if there is none now."""
        if not self._ready:
            return None
        self._under_way += 1
        return self._ready.popleft()

    def take_all(self) -> list[Job]:
        """Return all jobs that wait."""
        jobs = [*self._ready, *(job for _, _, job in self._delayed)]
        self._ready.clear()
        self._delayed.clear()
        self._under_way += len(jobs)
        return jobs

    def has_ready(self, now: float) -> bool:
        """Return whether a job could be taken at the time *now*."""
        while self._delayed and self._delayed[0][0] <= now:
            # They were before those that wait.
            self._ready.appendleft(heappop(self._delayed)[2])
        return bool(self._ready)

    async def wait(self, now: float) -> None:
        """Wait until something may have changed."""
        pause = min(max(self._delayed[0][0] - now, 0.0), 60.0) if self._delayed else 60.0
        if any(lane.can_give(float("inf")) for lane in self.lanes):
            # Time alone makes that one to be helped.
            pause = min(pause, 0.25)
        self._changed.clear()
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            pass

    # Who gets what

    @property
    def depth(self) -> int:
        """How many requests are to be under way on a connection."""
        if self._fixed_depth is not None:
            return self._fixed_depth
        if self._responses < _ENOUGH:
            return _FIRST_DEPTH
        # Two at the least: the server has the next request when it is done with one.
        return min(max(self._window * self._responses // max(self._bytes, 1), 2), _LARGEST_DEPTH)

    def suits(self, depth: int) -> bool:
        """Return whether *depth* is not far from what it should be."""
        return depth <= 2 * self.depth and self.depth <= 2 * depth

    @property
    def share(self) -> int:
        """How many files a connection may have under way, so that none is left without."""
        return -(-(len(self._ready) + self._under_way) // max(len(self.lanes), 1))

    def learn(self, size: int) -> None:
        """A file of *size* bytes has come."""
        self.has_answered = True
        self._responses += 1
        self._bytes += size
        if self._responses > 1000:
            # What comes now counts more than what came long ago.
            self._responses //= 2
            self._bytes //= 2

    def take_over(self, taker: Giver, now: float) -> bool:
        """Have what waits behind a file that takes long wait here; return whether there is any."""
        for lane in self.lanes:
            if lane is not taker and lane.can_give(now):
                self.put_back(lane.give())
                return True
        return False
