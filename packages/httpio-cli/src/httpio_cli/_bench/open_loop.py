"""A connection whose requests have their times, whether or not the server keeps up.

One task sends and another one receives. A request that is late because of the ones before it is late
for the server's reasons: its latency counts from when it was to be sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import ceil
from sys import maxsize
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from httpio import CloseReason, ConnectionClosed, HTTPIOError, LocalProtocolError, StateError

from .load import ANNOUNCED, Client
from .tally import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpio import Request
    from httpio_aio import HTTPConnection

    from .load import Run, Tap


class OpenLoop(Client):
    """Every so many nanoseconds a request."""

    def __init__(
        self,
        run: Run,
        requests: list[Request],
        make: Callable[[Tap], HTTPConnection],
        number: int,
    ) -> None:
        super().__init__(run, requests, make)
        load = run.job.load
        assert load.rate is not None
        self._period: Final = 1e9 / load.rate
        self._step: Final = load.connections
        #: The number of the next request, among those of all connections; what is below 0 warms up.
        self._position = number - self._step * ceil(load.warmup * load.rate / self._step)
        self._limit: Final = maxsize if load.requests is None else load.requests
        #: When each request that is under way was to be sent, and when it was.
        self._under_way: Final[deque[tuple[int, int]]] = deque()
        #: Those which the server has announced not to look at.
        self._again: Final[deque[tuple[int, int]]] = deque()
        #: Requests that are sent, and whose answers can be read.
        self._readable = 0
        self._answered = 0
        self._window = 1
        #: Answers after which the server has said that it closes the connection, or 0.
        self._lasts = 0
        self._failure: Exception | None = None
        self._exhausted = False
        self._sent: Final = asyncio.Event()
        self._room: Final = asyncio.Event()

    async def run(self) -> None:
        self._window = 1 if self._connection is None else self._run.job.depth
        while True:
            self._failure = None
            self._readable = self._answered = 0
            connection = self._connect()
            sending = asyncio.create_task(self._send(connection))
            try:
                await self._receive(connection)
                return
            except LocalProtocolError:
                if not self._timed_out:
                    raise
                self._lost(ConnectionClosed("no answer in time"))
            except (HTTPIOError, OSError) as exc:
                self._lost(exc)
                await self._pause()
            finally:
                sending.cancel()
                await asyncio.wait([sending])
            self._window = 1

    def oldest(self) -> int | None:
        return self._under_way[0][1] if self._under_way else None

    def unanswered(self) -> int:
        """Return how many requests were due, and have no answer: also those that were not sent."""
        run = self._run
        waiting = sum(due >= run.begin for due, _ in (*self._under_way, *self._again))
        due = min(run.ends, perf_counter_ns()) - run.begin
        # One for each step from the next one on, up to the last that was due.
        last = min(ceil(due / self._period), self._limit)
        first = self._position if self._position >= 0 else self._position % self._step
        return waiting + max(ceil((last - first) / self._step), 0)

    # Sending

    async def _send(self, connection: HTTPConnection) -> None:
        try:
            while (due := self._next_due()) is not None:
                delay = due - perf_counter_ns()
                if delay > 0:
                    await asyncio.sleep(delay / 1e9)
                while len(self._under_way) >= self._room_for():
                    self._room.clear()
                    await self._room.wait()
                request = next(self._requests)
                self._take(perf_counter_ns())
                await connection.send_request(
                    request.method,
                    request.path,
                    request.headers,
                    request.body,  # type: ignore[arg-type]  # always in memory
                )
                self._readable += 1
                self._sent.set()
            self._exhausted = True
        except Exception as exc:  # noqa: BLE001  # the one who receives raises it
            self._failure = exc
        self._sent.set()

    def _room_for(self) -> int:
        """Return how many requests may be under way.

        What is sent behind the last request that a server answers on a connection is sent in vain.
        """
        if not self._lasts or self._answered > self._lasts:
            return self._window
        return max(min(self._window, self._lasts - self._answered), 1)

    def _next_due(self) -> int | None:
        """Return when the next request is to be sent, `None` if there is none."""
        if self._again:
            return self._again[0][0]
        if self._position < 0 and perf_counter_ns() >= self._run.begin:
            # What is left of warming up would only be in the way.
            self._position %= self._step
        due = self._run.begin + round(self._position * self._period)
        return due if self._position < self._limit and due < self._run.ends else None

    def _take(self, now: int) -> None:
        """The next request is sent *now*."""
        if self._again:
            # It has waited since the first time.
            self._under_way.append(self._again.popleft())
        else:
            due = self._run.begin + round(self._position * self._period)
            self._under_way.append((due, now))
            self._position += self._step

    # Receiving

    async def _receive(self, connection: HTTPConnection) -> None:
        tap = self.tap
        is_large = self._run.job.load.large
        while True:
            while not self._readable:
                if self._failure is not None:
                    raise self._failure
                if self._exhausted and not self._under_way:
                    return
                self._sent.clear()
                await self._sent.wait()
            try:
                response = await connection.read_response()
            except StateError:
                if self._failure is not None:
                    raise self._failure from None
                raise
            if is_large:
                before = tap.received_bytes
                await connection.discard()
                length = response.length
                size = tap.received_bytes - before if length is None else length
            else:
                size = len(await connection.readall())
            self._readable -= 1
            self._note(response.status, size)

    def _note(self, status: int, size: int) -> None:
        run = self._run
        tally = run.tally
        now = self.tap.received_at
        previous, self._previous_end = self._previous_end, now
        due, sent = self._under_way.popleft()
        self._answered += 1
        self._attempts = 0
        self._window = run.job.depth
        self._room.set()
        if due < run.begin:
            return
        latency = now - sent
        tally.note_answers([status], size, [latency // MICROSECOND], now - run.begin)
        tally.note_corrected((now - due) // MICROSECOND, now - run.begin)
        tally.queue[max(sent - due, 0) // MICROSECOND] += 1
        waited = max(previous - sent, 0)
        tally.head_of_line[waited // MICROSECOND] += 1
        tally.wire[(latency - waited) // MICROSECOND] += 1

    def _lost(self, exc: HTTPIOError | OSError) -> None:
        reason = exc.reason if isinstance(exc, ConnectionClosed) else None
        # Closed while nothing was under way: the next request has found that out.
        was_idle = (
            reason is CloseReason.SERVER_CLOSED
            and exc is self._failure
            and self._answered > 0
            and not self._readable
            and len(self._under_way) == 1
        )
        if reason is ANNOUNCED:
            self._lasts = self._answered
        if (reason is ANNOUNCED or was_idle) and not self._timed_out:
            self._again.extendleft(reversed(self._under_way))
        else:
            self._note_lost(exc, sum(due >= self._run.begin for due, _ in self._under_way))
        self._under_way.clear()
        self.close()
