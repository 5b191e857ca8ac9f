"""What became of each file, and of all of them: for the report, the summary and the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from httpio_cli._exit_codes import ExitCode

from .policy import TEMPORARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from httpio_cli._errors import CommandError

    from .jobs import Job
    from .naming import Wanted


class Outcome(Enum):
    """What became of a file. The value is what reports call it."""

    FETCHED = "fetched"
    NOT_MODIFIED = "not-modified"
    #: It was there, and nobody wanted it fetched again.
    SKIPPED = "skipped"
    #: An earlier run had fetched it.
    COMPLETE_BEFORE = "complete-before"
    FAILED = "failed"
    #: The run ended before it was its turn, or in the middle of it.
    UNFINISHED = "unfinished"


_MAY_PASS: Final = frozenset(
    (
        ExitCode.PROXY_NOT_RESOLVED,
        ExitCode.HOST_NOT_RESOLVED,
        ExitCode.CONNECT_FAILED,
        ExitCode.PARTIAL,
        ExitCode.WRITE_FAILED,
        ExitCode.TIMED_OUT,
        ExitCode.TLS_FAILED,
        ExitCode.EMPTY_RESPONSE,
        ExitCode.SEND_FAILED,
        ExitCode.RECEIVE_FAILED,
        ExitCode.PROXY_FAILED,
    )
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file, and how. Times are in seconds."""

    wanted: Wanted
    outcome: Outcome
    url: str
    status: int = 0
    #: Bytes that were transferred for it, and the size of the file.
    transferred: int = 0
    size: int | None = None
    resumed_from: int = 0
    attempts: int = 0
    connection: int = 0
    position: int = 0
    verified: tuple[str, ...] = ()
    error: CommandError | None = None
    queued: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0

    @property
    def may_pass(self) -> bool:
        """Whether it may go better another time, without anybody doing anything about it."""
        if self.outcome is Outcome.UNFINISHED:
            return True
        error = self.error
        return error is not None and (error.code in _MAY_PASS or self.status in TEMPORARY)

    def as_dict(self) -> dict[str, object]:
        """Return it as reports have it."""
        error = self.error
        return {
            "kind": "file",
            "url": self.wanted.key[1],
            "effective_url": self.url,
            "out": self.wanted.out,
            "outcome": self.outcome.value,
            "status": self.status or None,
            "bytes": self.transferred,
            "size": self.size,
            "resumed_from": self.resumed_from,
            "attempts": self.attempts,
            "connection": self.connection or None,
            "position": self.position or None,
            "verified": list(self.verified),
            "exit_code": None if error is None else int(error.code),
            "error": None if error is None else error.what,
            "timings": {
                "queued": round(self.queued, 6),
                "first_byte": round(self.first_byte, 6),
                "total": round(self.total, 6),
            },
        }


def result_of(
    job: Job,
    outcome: Outcome,
    now: float,
    *,
    status: int = 0,
    size: int | None = None,
    verified: tuple[str, ...] = (),
    error: CommandError | None = None,
) -> Result:
    """Return what became of *job* at the time *now*."""
    sent = job.sent_at
    return Result(
        job.wanted,
        outcome,
        job.wanted.key[1] if job.url is job.wanted.url else str(job.url),
        status,
        job.transferred,
        size,
        job.was_resumed,
        job.attempts,
        job.connection,
        job.position,
        verified,
        error,
        sent - job.queued_at if sent else 0.0,
        max(job.first_byte_at - sent, 0.0) if sent and job.first_byte_at else 0.0,
        now - sent if sent else 0.0,
    )


@dataclass(slots=True)
class Summary:
    """What became of all files."""

    files: int
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    transferred: int = 0
    connections: int = 0
    seconds: float = 0.0
    failures: list[Result] = field(default_factory=list)
    #: Another run could do better.
    may_go_on: bool = False

    def add(self, result: Result) -> None:
        """Take a *result* into account."""
        self.counts[result.outcome] += 1
        self.transferred += result.transferred
        self.may_go_on = self.may_go_on or result.may_pass
        if result.outcome is Outcome.FAILED:
            self.failures.append(result)

    @property
    def exit_code(self) -> ExitCode:
        """The code that the failures make, those of files alone."""
        if not self.failures:
            return ExitCode.OK
        codes = {result.error.code for result in self.failures if result.error is not None}
        if self.files == 1 and codes:
            return codes.pop()
        return ExitCode.CHECKSUM if codes == {ExitCode.CHECKSUM} else ExitCode.SOME_FAILED

    def as_dict(self, code: ExitCode) -> dict[str, object]:
        """Return it as programs get it."""
        return {
            "kind": "summary",
            "files": self.files,
            **{outcome.value.replace("-", "_"): self.counts[outcome] for outcome in Outcome},
            "bytes": self.transferred,
            "connections": self.connections,
            "seconds": round(self.seconds, 3),
            "exit_code": int(code),
        }

    def __str__(self) -> str:
        counts = self.counts
        parts = [f"{counts[Outcome.FETCHED]} of {self.files} files fetched"]
        names: Final = {
            Outcome.COMPLETE_BEFORE: "complete before",
            Outcome.SKIPPED: "skipped",
            Outcome.NOT_MODIFIED: "not modified",
            Outcome.FAILED: "failed",
            Outcome.UNFINISHED: "unfinished",
        }
        parts += [f"{counts[outcome]} {name}" for outcome, name in names.items() if counts[outcome]]
        seconds = max(self.seconds, 1e-9)
        rate = in_units(self.transferred / seconds)
        connections = f"{self.connections} connection{'' if self.connections == 1 else 's'}"
        return (
            f"{', '.join(parts)}; {in_units(self.transferred)} in {self.seconds:.2f} s "
            f"({rate}/s) over {connections}"
        )


def in_units(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


class Recorder:
    """Collects results, and hands each on to those who want to know at once."""

    def __init__(self, files: int) -> None:
        self.summary: Final = Summary(files)
        #: Called with each result.
        self.listeners: Final[list[Callable[[Result], None]]] = []
        self._open: Final[set[int]] = set(range(files))

    def is_open(self, wanted: Wanted) -> bool:
        """Return whether nothing was recorded of a file."""
        return wanted.number in self._open

    def record(self, result: Result) -> None:
        """Take a result that is final."""
        self._open.discard(result.wanted.number)
        self.summary.add(result)
        for listener in list(self.listeners):
            try:
                listener(result)
            except BaseException:
                # It is not to hear of the others, which are recorded all the same.
                self.listeners.remove(listener)
                raise
