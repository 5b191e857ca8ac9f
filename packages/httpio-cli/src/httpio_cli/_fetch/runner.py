"""A run from its list to its summary: what is there already, what is asked for, what is told."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from httpio_cli._errors import CommandError, cannot_write
from httpio_cli._exit_codes import ExitCode
from httpio_cli._json_output import document, write_json
from httpio_cli._running import stdout_failed
from httpio_cli._terminal import can_redraw, error, note

from .conditions import Etags
from .fetcher import Fetcher
from .jobs import Job, Resume
from .journal import Begun, Journal, locked
from .naming import Places
from .outcomes import Outcome, Recorder, Result, in_units
from .storing import Store, file_size, part_size, verify_beginning
from .verification import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from httpio_cli._connector import Connector
    from httpio_cli._fields import RequestFields
    from httpio_cli._options import OutputOptions

    from .entries import Entry
    from .fetcher import FetchSettings
    from .naming import Wanted
    from .progress import LiveTable

#: Failures that are printed; a report has them all.
_FAILURES_SHOWN: Final = 10
_SIGNALS: Final = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
}
_EARLY_ENDS: Final = {
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
    ExitCode.TIMED_OUT: "--max-time is over",
}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is told, apart from how files are fetched."""

    output_dir: str = "."
    create_dirs: bool = False
    #: Where the journal is, `None` for in the output directory, the empty string for none.
    journal: str | None = None
    skip_existing: bool = False
    time_condition: tuple[str, str] | None = None
    etag_save: str | None = None
    etag_compare: str | None = None
    report: str | None = None


class Run:
    """Fetches *entries*."""

    def __init__(
        self,
        entries: Sequence[Entry],
        options: RunOptions,
        settings: FetchSettings,
        output: OutputOptions,
    ) -> None:
        self._options: Final = options
        self._settings: Final = settings
        self._output: Final = output
        self._started: Final = time.monotonic()
        self._live: LiveTable | None = None
        self._places: Final = Places(options.output_dir, create=options.create_dirs)
        self._wanted: Final = self._places.place(entries)
        self._journal_path: Final = (
            self._places.journal if options.journal is None else options.journal
        )
        self._recorder: Final = Recorder(len(self._wanted))
        self._etags: Final = (
            None
            if options.etag_save is None and options.etag_compare is None
            else Etags(options.etag_compare, options.etag_save, alone=len(entries) == 1)
        )

    def run(self, connector: Connector, fields: RequestFields) -> ExitCode:
        """Fetch all there is to fetch, tell what became of it, and return the exit code."""
        recorder = self._recorder
        failure: CommandError | None = None
        with ExitStack() as stack:
            stack.enter_context(locked(self._places.root))
            self._open_report(stack)
            if self._output.format == "jsonl":
                recorder.listeners.append(_print)
            if self._output.verbose and not self._output.silent:
                recorder.listeners.append(_tell)
            journal = Journal(self._journal_path) if self._journal_path else None
            try:
                store = Store(journal)
                jobs = list(self._jobs(journal, store))
                fetcher = Fetcher(
                    self._settings, connector, fields, store, recorder, self._etags, self._display()
                )
                for job in jobs:
                    # What is wrong with credentials is so before anything is sent.
                    fetcher.common_fields(job.url, True)
                code = self._fetch(fetcher, jobs) if jobs else ExitCode.OK
            except CommandError as exc:
                # No file is to blame for it, and what there is to tell of them is told all the same.
                failure, code = exc, exc.code
            finally:
                self._record_unfinished()
                if journal is not None:
                    # If nothing could go better, the next run is another one, and begins anew.
                    goes_on = recorder.summary.may_go_on
                    journal.close([] if goes_on else [each.key for each in self._wanted])
            if self._etags is not None:
                self._etags.save()
            if failure is not None and not self._output.quiet:
                error(failure)
            recorder.summary.seconds = time.monotonic() - self._started
            code = code or recorder.summary.exit_code
            self._summarise(code)
            return code

    def _open_report(self, stack: ExitStack) -> None:
        path = self._options.report
        if path is None:
            return
        if path == "-":
            self._recorder.listeners.append(_print)
            return
        try:
            # A line is written when its file is done with, whatever becomes of this process.
            stream = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # see below
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        stack.callback(_close, stream)

        def report(result: Result) -> None:
            try:
                write_json(_file(result), stream)
            except OSError as exc:
                raise cannot_write(path, exc) from exc

        self._recorder.listeners.append(report)

    # What is there

    def _jobs(self, journal: Journal | None, store: Store) -> Iterator[Job]:
        """Return what is left to be fetched, and record what is not."""
        condition = self._options.time_condition
        for wanted in self._wanted:
            done = None if journal is None else journal.done.get(wanted.key)
            if journal is not None and done is not None:
                if self._is_complete(wanted, done, store):
                    self._record(wanted, Outcome.COMPLETE_BEFORE, done)
                    continue
                # Somebody has removed or changed it.
                journal.write_begun(wanted.key, Begun("", None))
            size = file_size(wanted.path)
            if self._options.skip_existing and size is not None and _is_right(wanted, size):
                self._record(wanted, Outcome.SKIPPED, size)
                continue
            job = Job(wanted, 0.0)
            if condition is not None:
                job.conditions = (condition,)
            if self._etags is not None and size is not None:
                etag = self._etags.known(wanted)
                if etag is not None:
                    job.conditions = (*job.conditions, ("If-None-Match", etag))
            if journal is not None and not job.conditions:
                job.resume = _resume(wanted, journal)
            yield job

    def _is_complete(self, wanted: Wanted, size: int, store: Store) -> bool:
        """Return whether a file that was complete is there, perhaps not under its name yet."""
        if part_size(wanted) == size:
            store.complete(wanted, size)
            return True
        return file_size(wanted.path) == size

    def _record(self, wanted: Wanted, outcome: Outcome, size: int | None = None) -> None:
        self._recorder.record(Result(wanted, outcome, wanted.key[1], size=size))

    def _record_unfinished(self) -> None:
        for wanted in self._wanted:
            if self._recorder.is_open(wanted):
                # Why the run has ended is known, and told.
                with suppress(CommandError):
                    self._record(wanted, Outcome.UNFINISHED, part_size(wanted))

    # Fetching

    def _display(self) -> LiveTable | None:
        if self._output.silent or self._output.verbose or not can_redraw():
            return None
        from .progress import LiveTable

        display = LiveTable(len(self._wanted))
        self._recorder.listeners.append(display.result)
        self._live = display
        return display

    def _fetch(self, fetcher: Fetcher, jobs: Sequence[Job]) -> ExitCode:
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            return asyncio.run(self._fetch_all(fetcher, jobs))
        finally:
            # The event loop has put the system's own in their place.
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def _fetch_all(self, fetcher: Fetcher, jobs: Sequence[Job]) -> ExitCode:
        loop = asyncio.get_running_loop()
        for number, code in _SIGNALS.items():
            loop.add_signal_handler(number, fetcher.stop, code)
        now = loop.time()
        for job in jobs:
            job.queued_at = now
        shown = None if self._live is None else loop.create_task(self._live.show())
        try:
            return await fetcher.run(jobs)
        finally:
            if shown is not None:
                shown.cancel()
                await asyncio.gather(shown, return_exceptions=True)

    # Telling

    def _summarise(self, code: ExitCode) -> None:
        summary = self._recorder.summary
        failures = summary.failures
        if not self._output.quiet:
            for result in failures[:_FAILURES_SHOWN]:
                if result.error is not None:
                    error(result.error)
            if len(failures) > _FAILURES_SHOWN:
                more = len(failures) - _FAILURES_SHOWN
                note(f"httpio: {more} more failed; --report FILE lists them all")
            if code in _EARLY_ENDS and summary.counts[Outcome.UNFINISHED]:
                error(CommandError(code, _EARLY_ENDS[code], "run the command again to go on"))
        if not self._output.silent:
            note(f"httpio: {summary}")
        if self._output.format == "json":
            members = {
                **summary.as_dict(code),
                "failures": [result.as_dict() for result in failures],
            }
            write_json(document("fetch", members), sys.stdout, indent=2)
        elif self._output.format == "jsonl":
            write_json(document("fetch", summary.as_dict(code)), sys.stdout)


def _file(result: Result) -> dict[str, object]:
    return document("fetch", result.as_dict())


def _close(report: TextIO) -> None:
    # A line that could not be written was told of, and would be written once more.
    with suppress(OSError):
        report.close()


def _print(result: Result) -> None:
    try:
        write_json(_file(result), sys.stdout)
    except OSError as exc:
        raise stdout_failed(exc) from exc


def _tell(result: Result) -> None:
    """Say on stderr what became of a file."""
    if result.outcome is not Outcome.FAILED:
        size = "" if result.size is None else f", {in_units(result.size)}"
        note(f"{result.wanted.out}: {result.outcome.value}{size}")


def _is_right(wanted: Wanted, size: int) -> bool:
    """Return whether a file that is there is what the list says, as far as it does."""
    if wanted.entry.size not in (None, size):
        return False
    verifier = Verifier(wanted.entry.checksums)
    if not verifier.expected:
        return True
    return verify_beginning(wanted.path, size, verifier) and verifier.mismatch() is None


def _resume(wanted: Wanted, journal: Journal) -> Resume | None:
    """Return where a file can be gone on with, `None` if it has to be fetched from its beginning."""
    begun = journal.begun.get(wanted.key)
    if begun is None or not begun.validator:
        return None
    size = part_size(wanted)
    if not size:
        return None
    if begun.size is not None:
        # All is there, and was not verified: with its last byte comes what the server says of it.
        size = min(size, begun.size - 1)
    return Resume(size, begun.validator, begun.size) if size > 0 else None
