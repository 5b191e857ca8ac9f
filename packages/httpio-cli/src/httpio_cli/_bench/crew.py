"""The workers, as their parent sees them: started, given their jobs, and asked for what they have.

The parent only waits and draws, so that drawing does not delay what is measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection, wait
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Final, Protocol

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

from .plan import Progress
from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Self

    from .plan import Job

#: From the word to go until the load begins, in nanoseconds: all workers are to have heard it.
_LEAD: Final = 20_000_000
#: Seconds that workers get to report after they were told to stop.
_PATIENCE: Final = 3.0
#: Seconds between two calls of the display.
_TICK: Final = 0.25


class Display(Protocol):
    """Shows how far it is."""

    def update(self, elapsed: float, progress: Sequence[Progress]) -> None:
        """*elapsed* seconds after the beginning, each worker has come so far."""


class Crew:
    """Worker processes; a context manager that ends them.

    While it is open, SIGINT and SIGTERM end the load, and `interrupted` says which of them came. A
    second one ends the program.
    """

    def __init__(self, workers: int) -> None:
        self.interrupted: signal.Signals | None = None
        self._wakeup = os.pipe()
        self._handlers = {
            number: signal.signal(number, self._interrupt)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._workers: list[_Worker] = []
        try:
            for _ in range(workers):
                self._workers.append(_Worker())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for end in self._wakeup:
            os.close(end)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted is not None:
            # Once more: it is meant.
            raise KeyboardInterrupt
        self.interrupted = signal.Signals(number)
        os.write(self._wakeup[1], b"!")

    def run(self, jobs: Sequence[Job], display: Display | None) -> Tally:
        """Have each worker do one of *jobs*, and return what all of them have counted."""
        workers = self._workers
        for worker, job in zip(workers, jobs, strict=True):
            worker.tell(job)
        while not all(worker.is_ready for worker in workers):
            if not self._listen(None):
                break
        go = perf_counter_ns() + _LEAD
        if self.interrupted is None:
            for worker in workers:
                worker.tell(("go", go))
        while self.interrupted is None and not all(worker.tally for worker in workers):
            self._listen(None if display is None else _TICK)
            if display is not None:
                elapsed = (perf_counter_ns() - go) / 1e9 - jobs[0].load.warmup
                display.update(elapsed, [worker.progress for worker in workers])
        if self.interrupted is not None:
            self._stop()
        total = Tally(jobs[0].load.interval)
        for worker in workers:
            if worker.tally is not None:
                total.add(worker.tally)
            worker.start_over()
        return total

    def _stop(self) -> None:
        """Have the workers end what they do, and report."""
        for worker in self._workers:
            if worker.tally is None:
                worker.tell(("stop", None))
        deadline = monotonic() + _PATIENCE
        while not all(worker.tally for worker in self._workers):
            rest = deadline - monotonic()
            if rest <= 0:
                break
            self._listen(rest)

    def _listen(self, timeout: float | None) -> bool:
        """Hear what the workers say, within *timeout* seconds; `False` after an interrupt."""
        sources: list[Connection | int] = [
            worker.reports for worker in self._workers if worker.tally is None
        ]
        if self.interrupted is None:
            sources.append(self._wakeup[0])
        heard = wait(sources, timeout)
        for worker in self._workers:
            if worker.reports in heard:
                worker.hear()
        return self.interrupted is None


class _Worker:
    """A worker process."""

    def __init__(self) -> None:
        self._process: Final = subprocess.Popen(
            # -P: what lies in the current directory is none of the modules.
            [sys.executable, "-P", "-m", f"{__package__}.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the parent.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs: Final = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self.reports: Final = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self.start_over()

    def start_over(self) -> None:
        """Get ready for another job."""
        self.is_ready = False
        self.progress = Progress(0, 0, None)
        self.tally: Tally | None = None

    def tell(self, what: object) -> None:
        """Send it something."""
        try:
            self._jobs.send(what)
        except OSError:
            raise self._lost() from None

    def hear(self) -> None:
        """Receive what it has sent."""
        try:
            what, value = self.reports.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        match what, value:
            case "ready", _:
                self.is_ready = True
            case "progress", Progress():
                self.progress = value
            case "done", Tally():
                self.tally = value
            case "failed", CommandError():
                raise value
            case _:
                raise self._lost()

    def _lost(self) -> CommandError:
        return CommandError(
            ExitCode.RECEIVE_FAILED,
            "a worker process has ended in the middle",
            "see whether memory or open files ran out (ulimit -n)",
        )

    def close(self) -> None:
        """End the process."""
        self._jobs.close()
        self.reports.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
