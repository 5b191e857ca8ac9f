"""What a terminal shows while the load runs: one line that is drawn again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from httpio_cli._terminal import console

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from .plan import Load, Progress


class LiveView:
    """Draws on stderr; a context manager, after which nothing of it is left."""

    def __init__(self, load: Load, depth: int, *, number: int, depths: int) -> None:
        self._load: Final = load
        self._name: Final = f"depth {depth}" + (f" ({number} of {depths})" if depths > 1 else "")
        self._live: Final = Live(console=console(), transient=True, auto_refresh=False)
        self._previous = (0.0, 0)
        self._rate = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        self._draw(0.0, 0, 0, None, "connecting")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def update(self, elapsed: float, progress: Sequence[Progress]) -> None:
        """*elapsed* seconds after the beginning, each worker has come so far."""
        answered = sum(each.answered for each in progress)
        errors = sum(each.errors for each in progress)
        latest = [each.p99 for each in progress if each.p99 is not None]
        before, counted = self._previous
        if elapsed - before >= 1 and elapsed > 0:
            self._rate = (answered - counted) / (elapsed - max(before, 0.0))
            self._previous = (elapsed, answered)
        elif not self._rate and elapsed > 0:
            self._rate = answered / elapsed
        stage = f"{elapsed:.0f} s" if elapsed > 0 else "warming up"
        self._draw(elapsed, answered, errors, max(latest, default=None), stage)

    def _draw(
        self, elapsed: float, answered: int, errors: int, p99: int | None, stage: str
    ) -> None:
        load = self._load
        if load.requests is not None:
            total, done = float(load.requests), float(answered + errors)
        else:
            assert load.duration is not None
            total, done = load.duration, max(elapsed, 0.0)
        late = "" if p99 is None else f"p99 {p99 / 1000:.3f} ms"
        table = Table.grid(padding=(0, 2))
        for _ in range(6):
            table.add_column(no_wrap=True)
        table.add_row(
            self._name,
            ProgressBar(total=total, completed=min(done, total), width=24),
            stage,
            f"{self._rate:,.0f} requests/s",
            late,
            f"[red]{errors:,} errors[/red]" if errors else "0 errors",
        )
        self._live.update(table, refresh=True)
