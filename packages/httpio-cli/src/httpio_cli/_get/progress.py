"""A bar on the terminal while content goes either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from httpio_cli._terminal import can_redraw, console

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.progress import Progress, TaskID


#: Columns of a terminal that has room for the time that is left.
WIDTH_FOR_ALL: Final = 60


class ProgressBar:
    """Shows how far a transfer is; nothing where that cannot be drawn, or is not *wanted*."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and can_redraw()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._label_width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, what: str, total: int | None, completed: int = 0) -> None:
        """Begin a bar that is labelled *what*; *total* is in bytes, `None` if it is not known."""
        if not self._wanted:
            return
        if self._progress is None:
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                ProgressColumn,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )
            from rich.table import Column

            screen = console()
            # One line, however narrow the terminal is: the name leaves room for the rest.
            self._label_width = max(screen.width // 4, 8)
            columns: list[ProgressColumn] = [
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                BarColumn(bar_width=None),
                DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
                TransferSpeedColumn(table_column=Column(no_wrap=True)),
            ]
            if screen.width >= WIDTH_FOR_ALL:
                columns.append(TimeRemainingColumn(table_column=Column(no_wrap=True)))
            self._progress = Progress(*columns, console=screen, expand=True)
            self._progress.start()
        if self._task is not None:
            self._progress.remove_task(self._task)
        label = what
        if len(what) > self._label_width:
            label = f"{what[: self._label_width - 2]}.."
        self._task = self._progress.add_task(label, total=total, completed=completed)

    def advance(self, size: int) -> None:
        """Note that *size* more bytes went."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, size)

    def close(self) -> None:
        """Leave the bar as it is, and the cursor below it."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._task = None
