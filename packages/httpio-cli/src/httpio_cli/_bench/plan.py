"""What is to be done: the load as the operator has described it, and each worker's part of it.

Only data, which goes to the workers by pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from httpio_cli._options import ConnectionOptions
    from httpio_cli._urls import URL

#: How long what is under way when time is up is waited for, in seconds.
DRAIN_TIME: Final = 2.0
#: Intervals that latency over time is shown in, unless the load is short.
_INTERVALS: Final = 100
#: Seconds.
_SHORTEST_INTERVAL: Final = 0.02
#: Requests that an interval has at the least, so that it says something.
_LEAST_REQUESTS: Final = 20


@dataclass(frozen=True)
class Load:
    """What is asked of the server, apart from the depth."""

    urls: tuple[URL, ...]
    method: str
    fields: tuple[tuple[str, str], ...]
    body: bytes | None
    connections: int
    requests: int | None
    """Of all workers together; `None` if only time ends it."""
    duration: float | None
    """Seconds; `None` if only the number of requests ends it."""
    rate: float | None
    """Requests per second of all connections together, or `None` for as fast as it goes."""
    warmup: float
    """Seconds of load before anything is counted."""
    timeout: float
    """Seconds that a request may take."""
    options: ConnectionOptions
    large: bool = False
    """The content is not to be held in memory."""

    @property
    def interval(self) -> float:
        """Seconds that one point of what is shown over time stands for."""
        shortest = _SHORTEST_INTERVAL
        if self.rate is not None:
            shortest = max(shortest, _LEAST_REQUESTS / self.rate)
        # Without an end that is known, intervals become longer by themselves.
        return max(shortest, (self.duration or 0) / _INTERVALS)

    def origins(self) -> list[list[URL]]:
        """Return the URLs, those of each server together, in the order of the first of each."""
        found: dict[tuple[str, str, int], list[URL]] = {}
        for url in self.urls:
            found.setdefault(url.origin, []).append(url)
        return list(found.values())


@dataclass(frozen=True)
class Job:
    """What one worker does at one depth."""

    load: Load
    depth: int
    mine: range
    """The numbers of its connections, among all that there are."""
    requests: int | None
    """How many of the requests it makes; `None` if only time ends it."""
    reports: bool
    """Somebody looks at the progress."""


@dataclass(frozen=True)
class Progress:
    """How far a worker is."""

    answered: int
    errors: int
    p99: int | None
    """Of the last interval that is complete, in microseconds."""


def share(load: Load, workers: int, depth: int, *, reports: bool) -> list[Job]:
    """Divide *load* among *workers*, of which there are no more than connections."""
    return [
        Job(
            load,
            depth,
            range(number, load.connections, workers),
            None if load.requests is None else _part(load.requests, number, workers),
            reports,
        )
        for number in range(workers)
    ]


def _part(total: int, number: int, parts: int) -> int:
    return total // parts + (number < total % parts)
