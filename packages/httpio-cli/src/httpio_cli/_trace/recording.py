"""What was seen on the wire: connections, their streams, and a log in the order of time.

A `Recorder` is the `httpio.Tracer` of one connection object, which may open several network
connections one after the other; a `Recording` has those of all. Memory is bounded: of each network
connection the first `max_bytes` are kept to be shown. Which request a byte belongs to is found for all
bytes, kept or not.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from enum import Enum
from threading import RLock

from httpio import CloseReason, Tracer
from httpio_cli._errors import CommandError

from .masking import mask_text
from .problems import Kind, Problem
from .received import ReceivedStream
from .sent import SentStream
from .streams import Exchanges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Final, TypeAlias

    from .spans import Slot
    from .streams import Stream

    Handler: TypeAlias = Callable[[int, FrameType | None], object]
    LogEntry: TypeAlias = "Transfer | Event"

#: Bytes of a network connection that are kept to be shown, unless the caller wants another number.
DEFAULT_MAX_BYTES: Final = 4 * 1024 * 1024
#: A connection has this many entries in the log at most for bytes that are kept; what comes in
#: smaller pieces is put together.
MAX_TRANSFERS: Final = 50_000

_REASONS: Final = {reason.value: reason for reason in CloseReason}


class Ending(Enum):
    """How a network connection came to its end, as far as the trace tells."""

    OPEN = "the trace ends while the connection is open"
    LOCAL = "this program closed the connection"
    SERVER = "the server closed the connection"
    LOST = "the connection broke"


class Transfer:
    """Bytes of one direction that went together: those of one system call, as a rule."""

    __slots__ = ("connection", "end", "start", "stream", "time")

    def __init__(
        self, time: float, connection: Connection, stream: Stream, start: int, end: int
    ) -> None:
        self.time: Final = time
        self.connection: Final = connection
        self.stream: Final = stream
        self.start: Final = start
        self.end = end


class Event:
    """A step that a connection took. The names are those of `httpio.Tracer.event`."""

    __slots__ = ("connection", "detail", "name", "time")

    def __init__(self, time: float, connection: Connection, name: str, detail: str) -> None:
        self.time: Final = time
        self.connection: Final = connection
        self.name: Final = name
        self.detail: Final = detail


class Connection:
    """One network connection, or the attempt to have one."""

    def __init__(self, number: int, origin: str, max_bytes: int) -> None:
        self.number: Final = number
        #: Scheme and authority of what is asked for over it, if that is known.
        self.origin: Final = origin
        self.exchanges: Final = Exchanges()
        self.sent: Final = SentStream(self.exchanges)
        self.received: Final = ReceivedStream(self.exchanges, self._switched)
        #: Address of the peer, as ``connected`` gave it; empty before.
        self.peer = ""
        #: When each step was taken, the first time, by the recording's clock.
        self.steps: Final[dict[str, float]] = {}
        self.tls = ""
        self.ending = Ending.OPEN
        self.end_reason: CloseReason | None = None
        self._room = max_bytes
        self._transfers = 0
        self._finished = False

    @property
    def slots(self) -> list[Slot]:
        """Its exchanges, oldest first."""
        return self.exchanges.slots

    @property
    def problems(self) -> list[Problem]:
        """What went wrong on it."""
        return self.exchanges.problems

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """What was sent, and what was received."""
        return self.sent, self.received

    @property
    def left_out(self) -> int:
        """Bytes that are not there to be shown."""
        return sum(stream.total - len(stream.captured) for stream in self.streams)

    def _switched(self) -> None:
        self.sent.switch()
        self.received.switch()

    def feed(self, stream: Stream, data: bytes | bytearray | memoryview, now: float) -> bool:
        """Take the next bytes of *stream*; return whether they make an entry of their own in the log."""
        kept = memoryview(data)[: self._room]
        # A stream is shown from its start without a gap, or its offsets would have to be explained.
        if len(stream.captured) == stream.total:
            stream.captured.extend(kept)
            self._room -= len(kept)
        stream.feed(data, now)
        if stream is self.sent:
            # Something may have arrived ahead of it.
            self.received.resume()
        self._transfers += 1
        return len(stream.captured) == stream.total and self._transfers <= MAX_TRANSFERS

    def step(self, name: str, detail: str, now: float) -> None:
        """Take note of a step."""
        self.steps.setdefault(name, now)
        match name:
            case "connected":
                self.peer = detail
            case "tunnel":
                self.sent.restart()
                self.received.restart()
            case "tls":
                self.tls = detail
            case "request":
                self.exchanges.announced.append(now)
            case "closed":
                self._closed(_REASONS.get(detail))
            case _:
                pass

    def _closed(self, reason: CloseReason | None) -> None:
        # What is closed first is what counts.
        if self.ending is not Ending.OPEN:
            return
        self.end_reason = reason
        match reason:
            case CloseReason.SERVER_CLOSED:
                self.ending = Ending.SERVER
            case CloseReason.CONNECTION_LOST:
                self.ending = Ending.LOST
            case _:
                self.ending = Ending.LOCAL

    def finish(self) -> None:
        """No more will come: everything that waits is given to whom it would have belonged."""
        if self._finished:
            return
        self._finished = True
        self.exchanges.announced.clear()
        slot = self.exchanges.oldest()
        has_ended = self.received.has_ended
        if (
            slot is not None
            and slot.ends_at_close
            and self.ending in (Ending.OPEN, Ending.SERVER)
            and self.received.is_understood
        ):
            # Of this end the client makes no mention.
            slot.response_complete = has_ended = True
            slot = self.exchanges.oldest()
        if slot is not None and has_ended:
            text = "the response before it was the last one of the connection"
            self.problems.append(
                Problem(Kind.GIVEN_UP, "received", self.received.total, slot, text)
            )
        elif slot is not None and self.received.is_understood:
            self._unfinished(slot)
        self.received.flush()
        if self.sent.is_understood and (unsent := self._unsent()) is not None:
            self.problems.append(
                Problem(
                    Kind.REQUEST_INCOMPLETE if not unsent.status else Kind.GIVEN_UP,
                    "sent",
                    self.sent.total,
                    unsent,
                    f"the request was not sent to its end, {self.sent.missing} is missing",
                )
            )
        self.sent.flush()
        for stream in self.streams:
            stream.spans.check(stream.total)

    def _unsent(self) -> Slot | None:
        slots = self.slots
        return slots[-1] if slots and not slots[-1].request_complete else None

    def _unfinished(self, slot: Slot) -> None:
        """Say how far the response of *slot* came, which is not complete."""
        received = self.received
        if slot.status:
            where = f"in the content of the response, {received.missing} of it missing"
            if slot.ends_at_close:
                where = "in content that lasts to the proper close of the connection"
            kind = Kind.CONTENT_TRUNCATED
        elif received.total > received.spans.end:
            where, kind = "in the head of the response", Kind.HEAD_TRUNCATED
        else:
            where, kind = "before the response", Kind.NO_RESPONSE
        if self.ending is Ending.LOST:
            kind = Kind.RESET
        elif self.ending is not Ending.SERVER:
            kind = Kind.GIVEN_UP
        self.problems.append(
            Problem(kind, "received", received.total, slot, f"{self.ending.value} {where}")
        )


class Recording:
    """Everything that was seen, of all connections."""

    def __init__(
        self,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        clock: Callable[[], float] = time.monotonic,
        started: float | None = None,
    ) -> None:
        self.max_bytes: Final = max_bytes
        self._clock: Final = clock
        self._start: Final = clock()
        #: When the clock stood at 0, in seconds since the epoch.
        self.started = time.time() if started is None else started
        self.connections: Final[list[Connection]] = []
        self.log: Final[list[LogEntry]] = []
        #: What is to be said about the recording itself.
        self.notes: Final[list[str]] = []
        # Of each connection object there is one recorder, and each may have a thread.
        self._lock: Final = RLock()
        self._is_busy = False
        self._postponed: Callable[[], object] | None = None

    def now(self) -> float:
        """Return the seconds since the recording was begun."""
        return self._clock() - self._start

    def recorder(self, origin: str = "") -> Recorder:
        """Return a tracer for one connection object, which asks *origin*."""
        return Recorder(self, origin)

    def open(self, origin: str) -> Connection:
        """Return a new network connection."""
        with self._lock:
            connection = Connection(len(self.connections) + 1, origin, self.max_bytes)
            self.connections.append(connection)
            return connection

    def transferred(
        self,
        connection: Connection,
        stream: Stream,
        data: bytes | bytearray | memoryview,
        now: float | None = None,
    ) -> None:
        """Take bytes of *stream*."""
        with self._lock, self._undisturbed():
            now = self.now() if now is None else now
            start = stream.total
            alone = connection.feed(stream, data, now)
            last = self.log[-1] if self.log else None
            if not alone and isinstance(last, Transfer) and last.stream is stream:
                last.end = stream.total
            elif start != stream.total:
                self.log.append(Transfer(now, connection, stream, start, stream.total))

    def happened(
        self, connection: Connection, name: str, detail: str, now: float | None = None
    ) -> None:
        """Take a step of *connection*."""
        with self._lock, self._undisturbed():
            now = self.now() if now is None else now
            connection.step(name, detail, now)
            self.log.append(Event(now, connection, name, detail))

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Put off what a signal is to do: half-done, the recording would be of no use any more."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        postponed, self._postponed = self._postponed, None
        if postponed is not None:
            postponed()

    @contextmanager
    def signals_wait(self) -> Iterator[None]:
        """Have the exceptions that SIGINT and SIGTERM raise wait for a moment in which they do no harm.

        For the main thread.
        """
        handlers: dict[int, Handler] = {}

        def handle(number: int, frame: FrameType | None) -> None:
            handler = handlers[number]
            if self._is_busy:
                self._postponed = lambda: handler(number, None)
            else:
                handler(number, frame)

        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, handle)
        try:
            yield
        finally:
            for caught, handler in handlers.items():
                signal.signal(caught, handler)

    def finish(self) -> None:
        """No more will come. Checks that each byte was attributed once."""
        for connection in self.connections:
            connection.finish()

    @property
    def problems(self) -> list[tuple[Connection, Problem]]:
        """What went wrong, by connection."""
        return [
            (connection, problem)
            for connection in self.connections
            for problem in connection.problems
        ]


def failure_of(connection: Connection, problem: Problem, where: str) -> CommandError:
    """Return the error for *problem*, which came up while *where*, a URL or a file, was dealt with."""
    place = f"at offset {problem.offset} of what was {problem.direction} on connection"
    return CommandError(
        problem.kind.code,
        f"{where}: {mask_text(problem.text)}, {place} {connection.number}",
        problem.kind.hint,
    )


class Recorder(Tracer):
    """The tracer of one connection object. Tells its network connections apart."""

    def __init__(self, recording: Recording, origin: str) -> None:
        self._recording: Final = recording
        self._origin: Final = origin
        self.connection: Connection | None = None
        #: Set for what is read from a file, where the time is written.
        self.now: float | None = None

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that were sent."""
        connection = self._current()
        self._recording.transferred(connection, connection.sent, data, self.now)

    def received(self, data: memoryview) -> None:
        """Take bytes that were received."""
        connection = self._current()
        self._recording.transferred(connection, connection.received, data, self.now)

    def event(self, name: str, detail: str) -> None:
        """Take a step."""
        connection = self.connection
        # Each of these may come first: an address needs no resolving, a unix socket has none.
        if connection is None or (
            name in ("resolving", "resolved", "connecting", "connected")
            and (connection.peer or connection.ending is not Ending.OPEN)
        ):
            connection = self.connection = self._recording.open(self._origin)
        self._recording.happened(connection, name, detail, self.now)

    def _current(self) -> Connection:
        if self.connection is None:
            self.connection = self._recording.open(self._origin)
        return self.connection
