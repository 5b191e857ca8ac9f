"""What the time of one request goes into, found out by a tracer.

Knows the events of `httpio.Tracer` and a clock, nothing of sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

#: All phases, in the order in which they come.
PHASES: Final = (
    "dns",
    "connect",
    "proxy",
    "tls",
    "request",
    "100-wait",
    "content",
    "first byte",
    "transfer",
)
# The event that ends a phase of opening the connection, and the phase.
_OPENING: Final = {"resolved": "dns", "connected": "connect", "tunnel": "proxy", "tls": "tls"}


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the time, in seconds since the beginning."""

    name: str
    start: float
    duration: float
    finished: bool = True
    """Whether it came to its end; the last one of a request that failed did not."""

    @property
    def end(self) -> float:
        """When it was over."""
        return self.start + self.duration


class PhaseTracer:
    """Notes when a connection does what, for one request from its beginning to its end."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        #: The first event; `None` before.
        self._begun: float | None = None
        self._phases: list[Phase] = []
        self._current = ""
        self._since = 0.0
        #: Bytes of HTTP.
        self.sent_bytes = 0
        self.received_bytes = 0
        #: Connections that were opened.
        self.connections = 0
        self._last_sent = 0.0
        self._last_received = 0.0

    def _now(self) -> float:
        now = self._clock()
        if self._begun is None:
            self._begun = now
        return now - self._begun

    def _enter(self, name: str, at: float) -> None:
        """End the current phase at *at*, and begin another one."""
        self._leave(at)
        self._current, self._since = name, at

    def _leave(self, at: float, *, finished: bool = True) -> None:
        if self._current:
            duration = max(at - self._since, 0.0)
            self._phases.append(Phase(self._current, self._since, duration, finished))
            self._current = ""

    # What a connection reports

    def event(self, name: str, detail: str) -> None:
        """Begin or end a phase."""
        now = self._now()
        match name:
            case "resolving":
                self._enter("dns", now)
            case "connecting":
                self._enter("connect", now)
            case "resolved" | "connected" | "tunnel" | "tls":
                if self._current != _OPENING[name]:
                    # Nobody says when a tunnel or TLS begins: when there is a connection.
                    self._enter(_OPENING[name], self._end_of_last())
                self._leave(now)
                self.connections += name == "connected"
            case "request":
                self._enter("request", now)
                self._last_sent = now
            case "closed":
                # The end of the connection can be the end of the content.
                self._last_received = now
            case _:
                pass

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Count what was sent."""
        self.sent_bytes += len(data)
        self._last_sent = self._now()

    def received(self, data: memoryview) -> None:
        """Count what was received; the first of it ends the wait for a response."""
        self.received_bytes += len(data)
        self._last_received = self._now()
        if self._current in ("request", "content"):
            self._enter("first byte", self._last_sent)
        if self._current == "first byte":
            self._enter("transfer", self._last_received)

    # What only the caller knows

    def waits_for_continue(self) -> None:
        """The head is sent, and 100 (Continue) is waited for."""
        self._enter("100-wait", self._last_sent)

    def sends_content(self) -> None:
        """Content is sent from now on."""
        self._enter("content", self._now())

    def content_sent(self) -> None:
        """All of the content is sent."""
        if self._current == "content":
            self._enter("first byte", self._last_sent)

    def answered_instead(self) -> None:
        """There was a final response where 100 (Continue) was waited for."""
        if self._current == "100-wait":
            self._enter("transfer", self._now())

    def finish(self, failed_in: str | None = None) -> None:
        """Nothing more comes.

        *failed_in* says that it has failed, and in which phase if none has announced itself: nobody
        tells a tracer when TLS begins, or a tunnel.
        """
        now = self._now()
        if failed_in is None:
            # What is done with the last bytes is no transfer any more.
            now = self._last_received
        else:
            if not self._current:
                self._enter(failed_in, self._end_of_last())
            elif self._current == "request" and self.sent_bytes:
                self._enter("first byte", self._last_sent)
        self._leave(now, finished=failed_in is None)

    def _end_of_last(self) -> float:
        return self._phases[-1].end if self._phases else 0.0

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that are over, in their order."""
        return tuple(self._phases)

    @property
    def total(self) -> float:
        """Seconds from the beginning to the end of the last phase."""
        return self._end_of_last()
