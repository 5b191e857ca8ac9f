"""The load of one worker: its connections, each of which is kept busy, and what they have in common.

`ClosedLoop` sends as fast as answers come. `OpenLoop` sends when it is time to, whatever comes.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections import deque
from itertools import cycle, islice
from sys import maxsize
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from httpio import CloseReason, ConnectionClosed, HTTPIOError, LocalProtocolError, Request, Tracer
from httpio_cli._errors import explain

from .tally import MICROSECOND, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio_aio import HTTPConnection

    from .plan import Job

#: Pauses between attempts to connect, in seconds: the first but one, and the longest.
_SHORTEST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0


class Tap(Tracer):
    """Sees when bytes come, and how many go each way, over one connection after the other."""

    def __init__(self) -> None:
        self.received_at = 0
        """When the last bytes came, in nanoseconds: those of an answer, if it was complete with them."""
        self.received_bytes = self.sent_bytes = self.connects = 0

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        self.sent_bytes += len(data)

    def received(self, data: memoryview) -> None:
        self.received_at = perf_counter_ns()
        self.received_bytes += len(data)

    def event(self, name: str, detail: str) -> None:
        if name == "connected":
            self.connects += 1

    def start_over(self) -> None:
        """Count from nought."""
        self.received_bytes = self.sent_bytes = self.connects = 0


class Run:
    """What the connections of a worker have in common. Times are in nanoseconds."""

    def __init__(self, job: Job) -> None:
        self.job: Final = job
        self.tally = Tally(job.load.interval)
        #: When the load begins, when counting begins, and when nothing more is sent.
        self.go = self.begin = 0
        self.ends: int = maxsize
        #: Requests that are left to be sent.
        self.left: int = maxsize if job.requests is None else job.requests

    def start(self, go: int) -> None:
        """The load begins at *go*."""
        load = self.job.load
        self.go = go
        self.begin = go + round(load.warmup * 1e9)
        if load.duration is not None:
            self.ends = self.begin + round(load.duration * 1e9)

    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.left <= 0 or perf_counter_ns() >= self.ends

    def note_failures(self, exc: BaseException, kind: str, count: int) -> None:
        """*count* requests have failed by now, for *exc*."""
        tally = self.tally
        if tally.problem is None and isinstance(exc, (HTTPIOError, OSError)):
            tally.problem = explain(exc)
        tally.note_failures(kind, count, max(perf_counter_ns() - self.begin, 0))


class Client(ABC):
    """One connection, or one after the other, to one server."""

    def __init__(
        self, run: Run, requests: list[Request], make: Callable[[Tap], HTTPConnection]
    ) -> None:
        self._run: Final = run
        self._requests: Final = cycle(requests)
        self._make: Final = make
        self._connection: HTTPConnection | None = None
        self.tap: Final = Tap()
        #: When the last answer was complete.
        self._previous_end = 0
        #: Connections in a row that brought no answer.
        self._attempts = 0
        self._timed_out = False

    # What there is to do

    @abstractmethod
    async def run(self) -> None:
        """Make requests until the load is over, and all that was sent has its answer."""

    @abstractmethod
    def oldest(self) -> int | None:
        """Return when the request that waits longest was sent, `None` if there is none."""

    @abstractmethod
    def unanswered(self) -> int:
        """Return how many requests should have had an answer, and have none."""

    # Connections

    async def open(self) -> None:
        """Connect, and have one request answered that does not count.

        Only an answer proves that the server keeps connections open, so that requests can be pipelined.
        """
        try:
            async with asyncio.timeout(self._run.job.load.timeout):
                connection = self._connect()
                async with asyncio.timeout(self._run.job.load.options.connect_timeout):
                    await connection.connect()
                pipeline = connection.pipeline(islice(self._requests, 1), retries=0)
                if await pipeline.next_response() is not None:
                    await connection.discard()
                await pipeline.next_response()
        except (HTTPIOError, OSError) as exc:
            # It is tried again as a part of the load.
            self._run.tally.problem = self._run.tally.problem or explain(exc)
            self.close()

    def _connect(self) -> HTTPConnection:
        """Return the connection there is, or a new one.

        A new object after each loss: one that remembers what the server has done would not
        pipeline to it for ever, and that would be another load than was asked for.
        """
        self._timed_out = False
        if self._connection is None:
            self._connection = self._make(self.tap)
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def expire(self) -> None:
        """Give up the connection: an answer takes too long."""
        self._timed_out = True
        if self._connection is not None:
            self._connection.close()

    async def _pause(self) -> None:
        """Wait before the next attempt if the last one did not bring anything either."""
        self._attempts += 1
        if self._attempts > 1:
            pause = min(_SHORTEST_PAUSE * 2.0 ** min(self._attempts - 2, 16), _LONGEST_PAUSE)
            rest = (self._run.ends - perf_counter_ns()) / 1e9
            await asyncio.sleep(min(pause, rest) if rest > 0 else pause)

    def _note_lost(self, exc: HTTPIOError | OSError, counted: int) -> None:
        """*counted* requests were under way when the connection was lost."""
        run = self._run
        if self._timed_out:
            limit = run.job.load.timeout
            late = TimeoutError(f"no answer within {limit:g} s")
            run.note_failures(late, f"no answer within {limit:g} s", min(counted, 1))
            run.note_failures(late, "lost behind one that had no answer in time", counted - 1)
        else:
            run.note_failures(exc, kind_of(exc), counted)


class ClosedLoop(Client):
    """As many requests under way as the depth says, all the time."""

    def __init__(
        self, run: Run, requests: list[Request], make: Callable[[Tap], HTTPConnection]
    ) -> None:
        super().__init__(run, requests, make)
        #: When each request that is under way was handed over.
        self._sent: Final[deque[int]] = deque()

    async def run(self) -> None:
        while not self._run.is_over():
            try:
                await (self._large() if self._run.job.load.large else self._small())
            except LocalProtocolError:
                if not self._timed_out:
                    raise
                self._lost(ConnectionClosed("no answer in time"))
            except (HTTPIOError, OSError) as exc:
                self._lost(exc)
                await self._pause()

    def oldest(self) -> int | None:
        return self._sent[0] if self._sent else None

    def unanswered(self) -> int:
        return self._counted()

    def _pull(self) -> Iterator[Request]:
        """Yield requests, and note when each was asked for: that is when it is sent."""
        run, note = self._run, self._sent.append
        for request in self._requests:
            now = perf_counter_ns()
            if run.left <= 0 or now >= run.ends:
                return
            if now >= run.begin:
                run.left -= 1
            note(now)
            yield request

    async def _small(self) -> None:
        """Many answers at a time."""
        connection = self._connect()
        pipeline = connection.pipeline(self._pull(), depth=self._run.job.depth, retries=0)
        while batch := await pipeline.next_batch():
            self._note(
                [response.status for response, _ in batch], sum([len(body) for _, body in batch])
            )

    async def _large(self) -> None:
        """One answer at a time, of which nothing is kept."""
        connection = self._connect()
        tap = self.tap
        pipeline = connection.pipeline(self._pull(), depth=self._run.job.depth, retries=0)
        while (response := await pipeline.next_response()) is not None:
            before = tap.received_bytes
            await connection.discard()
            length = response.length
            self._note([response.status], tap.received_bytes - before if length is None else length)

    def _note(self, statuses: list[int], size: int) -> None:
        """Answers with these *statuses* are complete. If they came together, they share the time."""
        run = self._run
        tally = run.tally
        now = self.tap.received_at
        previous, self._previous_end = self._previous_end, now
        self._attempts = 0
        count = len(statuses)
        take = self._sent.popleft
        sent = [take() for _ in range(count)]
        if sent[0] < run.begin:
            # Those that were sent before counting began are the first.
            sent = [at for at in sent if at >= run.begin]
            if not sent:
                return
            size = size * len(sent) // count
            statuses = statuses[count - len(sent) :]
            if len(sent) < count:
                previous = now
        latencies = [(now - at) // MICROSECOND for at in sent]
        tally.note_answers(statuses, size, latencies, now - run.begin)
        waited = previous - sent[0]
        if waited > 0:
            tally.head_of_line[waited // MICROSECOND] += 1
            tally.wire[(now - previous) // MICROSECOND] += 1
        else:
            tally.head_of_line[0] += 1
            tally.wire[latencies[0]] += 1
        if len(latencies) > 1:
            del latencies[0]
            tally.head_of_line.update(latencies)
            tally.wire[0] += len(latencies)

    def _counted(self) -> int:
        begin = self._run.begin
        return sum(at >= begin for at in self._sent)

    def _lost(self, exc: HTTPIOError | OSError) -> None:
        self._note_lost(exc, self._counted())
        self._sent.clear()
        self.close()


def kind_of(exc: BaseException) -> str:
    """Return what an exception is counted as."""
    name = type(exc).__name__
    if isinstance(exc, ConnectionClosed) and exc.reason is not None:
        return f"{name}: {exc.reason.value}"
    if isinstance(exc, OSError) and exc.errno:
        # Not its own words: there may be an address in them, and each would be a kind.
        return f"{name}: {os.strerror(exc.errno)}"
    return name


#: The requests behind the last answer were not looked at, the server says (RFC 9112 §9.6).
ANNOUNCED: Final = CloseReason.SERVER_ANNOUNCED_CLOSE
