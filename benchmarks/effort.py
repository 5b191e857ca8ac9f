"""What all benchmarks have in common: how much is done, in which units, and on which CPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass

MICROSECONDS = 1e6
DOCUMENT_SIZE = 1024
LARGE_BODY = 1024
"""MiB."""


@dataclass(frozen=True)
class Effort:
    """How much is done: less tells less."""

    imports: int
    rounds: int
    requests: int
    large_rounds: int
    large_body: int
    """MiB."""
    objects: int
    flood: int
    distant_rounds: int
    ranges: int
    connections: int
    files: int
    fetch_rounds: int


FULL = Effort(
    imports=60,
    rounds=9,
    requests=2000,
    large_rounds=9,
    large_body=LARGE_BODY,
    objects=20_000,
    flood=100_000,
    distant_rounds=5,
    ranges=1000,
    connections=200,
    files=5000,
    fetch_rounds=2,
)
QUICK = Effort(
    imports=15,
    rounds=3,
    requests=500,
    large_rounds=3,
    large_body=128,
    objects=2_000,
    flood=20_000,
    distant_rounds=2,
    ranges=100,
    connections=50,
    files=1000,
    fetch_rounds=1,
)


def cpus() -> tuple[int | None, int | None]:
    """Return two CPUs to run on; they may be the same, or `None` where there is no choice."""
    if not hasattr(os, "sched_setaffinity"):
        return None, None
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]
