"""Traces that `httpio.FileTracer` has written, read back into a `Recording`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

from .recording import Ending, Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, NoReturn

    from .recording import Recorder

_HEADER: Final = re.compile(rb"# httpio trace of process ([0-9]+), begun ([0-9TZ:-]+)\n")
_RECORD: Final = re.compile(rb" *([0-9]+\.[0-9]{6}) ([<>*]) ([ -~]*)\n")
#: Any beginning of a record or of a header.
_BEGINNING: Final = re.compile(
    rb" *(?:[0-9]+(?:\.[0-9]{0,6}(?: (?:[<>*](?: [ -~]*)?)?)?)?)?|#[ -~]*"
)


def read_trace(lines: Iterable[bytes], name: str, max_bytes: int) -> Recording:
    """Return what the trace with *lines* says. *name* is what to call it in messages.

    A file may have the traces of several processes, one behind the other. Raises `CommandError` for
    what is no such trace.
    """
    reader = _Reader(name, max_bytes)
    for number, line in enumerate(lines, 1):
        reader.take(number, line)
    return reader.end()


class _Reader:
    """Goes through a trace, and puts together what the tracer has broken into lines."""

    def __init__(self, name: str, max_bytes: int) -> None:
        self._name: Final = name
        self._max_bytes: Final = max_bytes
        self._recording: Recording | None = None
        self._recorder: Recorder | None = None
        #: Seconds between the start of the first trace in the file and that of the present one.
        self._offset = 0.0
        self._direction = b""
        self._time = 0.0
        self._pieces: list[bytes] = []
        self._cut = False

    def take(self, number: int, line: bytes) -> None:
        """Take one line."""
        if self._cut:
            self._refuse(number - 1)
        if header := _HEADER.fullmatch(line):
            self._begin(number, header[2])
            return
        record = _RECORD.fullmatch(line)
        if record is None:
            # The process may have been killed while it wrote, which only the end of the file shows.
            self._cut = _BEGINNING.fullmatch(line) is not None
            if self._recording is None or not self._cut:
                self._refuse(number)
            return
        if self._recorder is None:
            self._refuse(number)
        now = float(record[1]) + self._offset
        direction = record[2]
        if direction != self._direction or now != self._time:
            self._pass_on()
        self._direction, self._time = direction, now
        try:
            text = record[3].decode("unicode_escape")
        except UnicodeDecodeError:
            self._refuse(number)
        if direction == b"*":
            event, _, detail = text.partition(" ")
            self._note_mixing(event)
            self._tell().event(event, detail)
            return
        try:
            self._pieces.append(text.encode("latin-1"))
        except UnicodeEncodeError:
            self._refuse(number)

    def end(self) -> Recording:
        """Return what was read."""
        self._pass_on()
        if self._recording is None:
            raise CommandError(
                ExitCode.READ_FAILED,
                f"{self._name} is empty",
                "a trace is written with HTTPIO_TRACEFILE=FILE in the environment",
            )
        if self._cut:
            self._recording.notes.append("the last line is cut off, and left out")
        self._recording.finish()
        return self._recording

    def _begin(self, number: int, stamp: bytes) -> None:
        self._pass_on()
        try:
            begun = datetime.strptime(stamp.decode(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            self._refuse(number)
        if self._recording is None:
            self._recording = Recording(
                self._max_bytes, clock=lambda: 0.0, started=begun.timestamp()
            )
        self._offset = begun.timestamp() - self._recording.started
        self._recorder = self._recording.recorder()

    def _note_mixing(self, event: str) -> None:
        """Say so if connections that were open at once share the file: their bytes are not told apart."""
        assert self._recording is not None
        assert self._recorder is not None
        connection = self._recorder.connection
        if (
            event in ("resolving", "connecting")
            and connection is not None
            and connection.peer
            and connection.ending is Ending.OPEN
            and (oldest := connection.exchanges.oldest()) is not None
            and not oldest.ends_at_close
        ):
            note = (
                "connections that were open at once share this file, so that bytes may be shown "
                "with the wrong one; with %d in HTTPIO_TRACEFILE each gets a file of its own"
            )
            if note not in self._recording.notes:
                self._recording.notes.append(note)

    def _tell(self) -> Recorder:
        assert self._recorder is not None
        self._recorder.now = self._time
        return self._recorder

    def _pass_on(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            recorder = self._tell()
            if self._direction == b">":
                recorder.sent(data)
            else:
                recorder.received(memoryview(data))

    def _refuse(self, number: int) -> NoReturn:
        raise CommandError(
            ExitCode.READ_FAILED,
            f"line {number} of {self._name} is none of an httpio trace",
            "--read takes files that HTTPIO_TRACEFILE or httpio.FileTracer has written",
        )
