"""A sign of life on a terminal, and silence everywhere else."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized
    from types import TracebackType

    import rich.progress

INTERVAL = 0.1
"""Seconds between two looks."""


class Progress:
    """A bar that shows how much of *total* there is in *gathered*, if standard error is a terminal.

    A thread of its own looks and draws. It keeps account of the CPU time that this takes, so that
    it can be told from that of the work.
    """

    def __init__(self, title: str, total: int, gathered: Sized) -> None:
        self.cpu_time = 0.0
        """Seconds of CPU time that drawing took, known after the block."""
        self._title = title
        self._total = total
        self._gathered = gathered
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            # Imported only where it is used, and before whoever measures looks at the clock.
            from rich import progress
            from rich.console import Console

            bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
            self._thread = threading.Thread(target=self._draw, args=(bar,), daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finished.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self, bar: rich.progress.Progress) -> None:
        with bar:
            task = bar.add_task(self._title, total=self._total)
            finished = False
            while not finished:
                bar.update(task, completed=len(self._gathered), refresh=True)
                finished = self._finished.wait(INTERVAL)
        self.cpu_time = time.thread_time()
