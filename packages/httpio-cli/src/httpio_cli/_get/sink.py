"""Where the content of a response goes: stdout, a file, or a document."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from httpio_cli._errors import CommandError, cannot_write
from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import (
    PartFile,
    ensure_inside,
    http_time,
    is_special,
    make_directories,
    name_from_disposition,
    safe_name,
    strong_validator,
)
from httpio_cli._response_fields import field
from httpio_cli._running import stdout
from httpio_cli._terminal import stdout_is_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from httpio import HTTPResponse
    from httpio_cli._urls import URL

    from .settings import SavingOptions


class StdoutSink:
    """stdout. What is not text is not written to a terminal, unless *forced*."""

    name = "-"

    def __init__(self, forced: bool) -> None:
        self._guarded = not forced and stdout_is_terminal()
        self._stream = stdout().buffer
        self.written = 0

    def write(self, data: bytes | memoryview) -> None:
        """Write *data*, at once. Raises `CommandError` if it is no text for the terminal."""
        if self._guarded:
            if b"\0" in bytes(data):
                raise CommandError(
                    ExitCode.WRITE_FAILED,
                    "the content is binary, and could confuse the terminal",
                    "save it with -o FILE, or insist with -o -",
                )
            # The first piece decides.
            self._guarded = False
        self.written += len(data)
        self._stream.write(data)
        self._stream.flush()

    def finish(self, response: HTTPResponse) -> None:
        """Nothing is left to be done."""

    def keep(self) -> str:
        """Return what can be done with what is there: nothing."""
        return ""


class MemorySink:
    """Content that becomes part of a document."""

    name = ""

    def __init__(self) -> None:
        self.content = bytearray()

    @property
    def written(self) -> int:
        """Number of bytes."""
        return len(self.content)

    def write(self, data: bytes | memoryview) -> None:
        """Keep *data*."""
        self.content += data

    def finish(self, response: HTTPResponse) -> None:
        """Nothing is left to be done."""

    def keep(self) -> str:
        """Return what can be done with what is there."""
        return ""


class SpecialFileSink:
    """A device or a pipe, which cannot be replaced by another file."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.written = 0
        try:
            self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115  # closed by finish()
        except OSError as exc:
            raise cannot_write(self.name, exc) from exc

    def write(self, data: bytes | memoryview) -> None:
        """Write *data*."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as exc:
            raise cannot_write(self.name, exc) from exc
        self.written += len(data)

    def finish(self, response: HTTPResponse) -> None:
        """Close it."""
        self._file.close()

    def keep(self) -> str:
        """Close it; what went in is gone."""
        self._file.close()
        return ""


class FileSink:
    """A file, which gets its name when it is whole."""

    def __init__(self, file: PartFile, remote_time: bool) -> None:
        self._file = file
        self._remote_time = remote_time
        self._offset = file.size
        self.name = str(file.path)

    @property
    def written(self) -> int:
        """Number of bytes that were added to it."""
        return self._file.size - self._offset

    def write(self, data: bytes | memoryview) -> None:
        """Write *data*."""
        self._file.write(data)

    def finish(self, response: HTTPResponse) -> None:
        """Give the file its name, and with ``-R`` the server's time."""
        modified = field(response, "Last-Modified") if self._remote_time else None
        self._file.finish(None if modified is None else http_time(modified))

    def keep(self) -> str:
        """Leave what is there; return how to go on."""
        self._file.keep()
        if not self._file.size:
            return ""
        where = f"the {self._file.size} bytes are in {self._file.part}"
        return f"{where}: go on with -C -" if self._file.is_resumable else where


Sink = StdoutSink | MemorySink | SpecialFileSink | FileSink


class Destination:
    """Where the options say that the content of responses is to go."""

    def __init__(self, options: SavingOptions, as_document: bool) -> None:
        self._options = options
        self._as_document = as_document and options.output_file is None and not options.remote_name
        self._has_dumped = False

    @property
    def is_stdout(self) -> bool:
        """Whether it is stdout."""
        options = self._options
        return not options.remote_name and options.output_file in (None, "-")

    def path(self, url: URL, response: HTTPResponse | None = None) -> Path | None:
        """Return the path of the file for *url*, `None` if it is none. Raises `CommandError`.

        *response* may have a name for it.
        """
        options = self._options
        if self.is_stdout:
            return None
        from pathlib import Path

        directory = Path(options.output_dir or ".")
        if options.remote_name:
            name = None
            if options.remote_header_name and response is not None:
                disposition = field(response, "Content-Disposition")
                name = None if disposition is None else name_from_disposition(disposition)
            name = name or safe_name(url.path)
            if name is None:
                raise CommandError(
                    ExitCode.WRITE_FAILED, f"there is no file name in {url}", "give one with -o"
                )
            path = ensure_inside(directory, Path(name))
        elif options.output_dir is None:
            path = Path(options.output_file or "")
            if path.is_symlink():
                # The file is replaced, not the link to it.
                path = Path(os.path.realpath(path))
        else:
            path = ensure_inside(directory, Path(options.output_file or ""))
        if options.create_dirs:
            make_directories(path.parent)
        return path

    def write_head(self, head: bytes) -> None:
        """Write *head*, of a response, where the options have all of them go. Raises `CommandError`."""
        path = self._options.dump_header
        if path is None:
            return
        if path == "-":
            stream = stdout().buffer
            stream.write(head)
            stream.flush()
            return
        try:
            # Those of one command are in one file.
            with open(path, "ab" if self._has_dumped else "wb") as file:
                file.write(head)
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        self._has_dumped = True

    def open(self, url: URL, response: HTTPResponse, resumed: PartFile | None = None) -> Sink:
        """Return where the content of *response* goes; *resumed* is what it continues.

        *url* is that which the operator gave, whatever redirects have led to.
        """
        options = self._options
        if self._as_document:
            return MemorySink()
        if resumed is not None:
            return FileSink(resumed, options.remote_time)
        path = self.path(url, response)
        if path is None:
            return StdoutSink(forced=options.output_file == "-")
        if is_special(path):
            return SpecialFileSink(path)
        validator = None
        is_bare = field(response, "Content-Encoding") is None and not options.include
        if response.status == 200 and is_bare:
            validator = strong_validator(
                field(response, "ETag"), field(response, "Last-Modified"), field(response, "Date")
            )
        file = PartFile(path)
        file.start(str(url), validator)
        return FileSink(file, options.remote_time)


def existing_size(path: Path) -> int:
    """Return the size of the file at *path*, 0 if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
