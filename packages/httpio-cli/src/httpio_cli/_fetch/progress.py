"""What a terminal is shown while files are fetched. Loaded for a terminal only."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from httpio_cli._terminal import console, sanitise

from .outcomes import Outcome, in_units

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Task

    from .jobs import Job
    from .outcomes import Result

#: Seconds between two looks at it.
_INTERVAL: Final = 0.1
#: Large files that are shown at once.
_ROWS: Final = 6


class _ByKind(TextColumn):
    """Shows one thing for the row of all files, another for the rows of large ones."""

    def __init__(self, all_files: ProgressColumn, one_file: ProgressColumn) -> None:
        super().__init__("")
        self._all_files = all_files
        self._one_file = one_file

    def render(self, task: Task) -> Text:
        column = self._all_files if task.fields["all_files"] else self._one_file
        return column(task)  # type: ignore[return-value]  # both render text


class _Rate(ProgressColumn):
    """A rate in bytes per second: of all files, whose bar counts files, or of a large one."""

    def __init__(self, display: LiveTable) -> None:
        super().__init__()
        self._display = display

    def render(self, task: Task) -> Text:
        rate = self._display.rate if task.fields["all_files"] else (task.speed or 0.0)
        return Text(f"{in_units(rate)}/s", style="progress.data.speed")


class LiveTable:
    """A bar for all files, and one for each large file that is under way."""

    def __init__(self, files: int) -> None:
        self._bytes = 0
        self._failures = 0
        #: Bytes per second of late, and what that is made of.
        self.rate = 0.0
        self._measured = (0.0, 0)
        self._progress: Final = Progress(
            TextColumn(
                "{task.description}",
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=32),
                markup=False,
            ),
            BarColumn(bar_width=None),
            _ByKind(MofNCompleteColumn(), DownloadColumn(binary_units=True)),
            _Rate(self),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=console(),
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._all: Final = self._progress.add_task("files", total=files, all_files=True, note="")
        self._rows: Final = count()
        self._shown = 0

    async def show(self) -> None:
        """Redraw it until this is cancelled, and leave the terminal clean then."""
        loop = asyncio.get_running_loop()
        self._measured = (loop.time(), 0)
        self._progress.start()
        try:
            while True:
                self._measure(loop.time())
                self._progress.refresh()
                await asyncio.sleep(_INTERVAL)
        finally:
            self._progress.stop()

    def _measure(self, now: float) -> None:
        since, size = self._measured
        if now - since >= 0.5:
            rate = (self._bytes - size) / (now - since)
            self.rate = rate if not self.rate else 0.7 * self.rate + 0.3 * rate
            self._measured = (now, self._bytes)

    def received(self, size: int) -> None:
        """So many bytes have come."""
        self._bytes += size

    def result(self, result: Result) -> None:
        """A file is done with."""
        if result.outcome is Outcome.FAILED:
            self._failures += 1
            self._progress.update(self._all, note=f"{self._failures} failed")
        if result.outcome is not Outcome.UNFINISHED:
            self._progress.update(self._all, advance=1)

    def meter(self, job: Job, size: int, length: int | None) -> Callable[[int | None], None]:
        """Show a row for a large file; return what is told how much of it is there."""
        if self._shown >= _ROWS:
            return _nothing
        self._shown += 1
        row = self._progress.add_task(
            sanitise(job.wanted.out), total=length, completed=size, all_files=False, note=""
        )

        def update(size: int | None) -> None:
            if size is None:
                self._shown -= 1
                self._progress.remove_task(row)
            else:
                self._progress.update(row, completed=size)

        return update


def _nothing(size: int | None) -> None:
    """There is no room for a row."""
