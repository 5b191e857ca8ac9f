"""Workers, and the CPU time that they take.

A worker is a process that runs one client and nothing else. It does a number of operations whenever
it is told to, and reports the user and system time that they took. Workers that are compared take
turns, so that whatever slows the machine down for a while slows them all.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

REPOSITORY = Path(__file__).resolve().parent.parent

PATIENCE = 300
"""Seconds after which a worker that does not report is given up."""


class WorkerFailed(Exception):
    """A worker ended, or did not report in time."""


class PeerMissing(Exception):
    """The library that a worker is for is not installed."""


@dataclass(frozen=True)
class Usage:
    """What a number of operations took. Times are in seconds."""

    cpu_time: float
    wall_time: float
    peak_memory: int
    """Bytes that the worker had resident at its highest, since its start."""
    longest_block: float | None = None
    """How long others in the event loop had to wait at most, where the client looks at that."""


class Worker:
    """A process that runs the client *name* of `benchmarks.worker`; a context manager.

    Raises `PeerMissing` if what the client needs is not installed.
    """

    def __init__(self, name: str, *arguments: str | int, cpu: int | None = None) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.worker", name, *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            # It ends with its standard input. Ctrl-C is for us alone.
            start_new_session=True,
        )
        if cpu is not None:
            os.sched_setaffinity(self._process.pid, {cpu})
        ready = self._answer()
        if "missing" in ready:
            self.__exit__(None, None, None)
            raise PeerMissing(ready["missing"])

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def run(self, count: int) -> Usage:
        """Do *count* operations, and return what they took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return Usage(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        poller = select.poll()
        poller.register(self._process.stdout, select.POLLIN)
        if not poller.poll(PATIENCE * 1000):
            raise WorkerFailed(f"{self.name} did not report for {PATIENCE} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"{self.name} ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Series:
    """What one subject took per operation: one value for each round, in the unit of its table."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def minimum(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass
class Measured:
    """The series of subjects that took turns."""

    series: list[Series]
    wall: list[Series]
    missing: list[str]


def take_turns(
    clients: Iterable[tuple[str, tuple[str | int, ...]]],
    *,
    count: int,
    rounds: int,
    scale: float,
    cpu: int | None,
) -> Measured:
    """Run each of *clients* (name and arguments) *rounds* times for *count* operations, in turns.

    What an operation takes, in seconds, is multiplied by *scale*. All workers run on *cpu*.
    """
    missing = []
    with ExitStack() as cleanup:
        workers = []
        for name, arguments in clients:
            try:
                workers.append(cleanup.enter_context(Worker(name, *arguments, cpu=cpu)))
            except PeerMissing as problem:
                missing.append(f"{name}: {problem}")
        cpu_times = [Series(worker.name) for worker in workers]
        wall_times = [Series(worker.name) for worker in workers]
        for worker in workers:
            # Imports, connections and caches are not what is measured.
            worker.run(max(count // 10, 1))
        for _ in range(rounds):
            for worker, cpu_time, wall_time in zip(workers, cpu_times, wall_times, strict=True):
                usage = worker.run(count)
                cpu_time.values.append(usage.cpu_time / count * scale)
                wall_time.values.append(usage.wall_time / count * scale)
    return Measured(cpu_times, wall_times, missing)
