"""Files that are written from the network: their names, and how they come into being.

A file appears under its name when it is whole. Until then it is ``NAME.part``, with ``NAME.part.json``
beside it that says what it is a part of.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from ._errors import CommandError, cannot_write
from ._exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

#: File systems take no more bytes than 255; room is left for ".part.json".
MAX_NAME_BYTES: Final = 240


def safe_name(path: str) -> str | None:
    """Return a file name made of the last segment of *path*, a URL's; `None` if it has none.

    Never ``.``, ``..``, or a name with a separator or a control character in it.
    """
    from urllib.parse import unquote

    name = unquote(path.partition("?")[0].rpartition("/")[2], errors="replace")
    return clean_name(name)


def clean_name(name: str) -> str | None:
    """Return *name*, from a server, as a name of one file; `None` if nothing is left of it."""
    name = "".join(
        "_" if char in '/\\:*?"<>|' or not char.isprintable() else char for char in name
    ).strip(" ")
    # A dot at the front would hide it, and ".." is no file.
    name = name.lstrip(".")
    encoded = name.encode("utf-8", "replace")
    if len(encoded) > MAX_NAME_BYTES:
        stem, dot, suffix = name.rpartition(".")
        if not dot or len(suffix) > 16:
            stem, suffix = name, ""
        keep = MAX_NAME_BYTES - len(f".{suffix}".encode())
        stem = stem.encode("utf-8", "replace")[:keep].decode("utf-8", "ignore")
        name = f"{stem}.{suffix}" if suffix else stem
    return name or None


def name_from_disposition(value: str) -> str | None:
    """Return the file name of a Content-Disposition field (RFC 6266 §4.3), `None` without one."""
    from email.message import Message

    message = Message()
    message["Content-Disposition"] = value
    name = message.get_filename()
    # Whatever directories are in it are none of the server's business (RFC 6266 §4.3).
    return None if name is None else clean_name(name.replace("\\", "/").rpartition("/")[2])


def ensure_inside(directory: Path, path: Path) -> Path:
    """Return *path*, which is relative to *directory*, joined to it.

    Raises `CommandError` if that leads out of *directory*, by dots, by a root or by a symbolic link.
    """
    joined = directory / path
    base = os.path.realpath(directory)
    real = os.path.realpath(joined.parent)
    if path.is_absolute() or ".." in path.parts or os.path.commonpath([base, real]) != base:
        raise CommandError(
            ExitCode.WRITE_FAILED,
            f"{str(path)!r} leads out of the directory {str(directory)!r}",
            "give a name within it, or another --output-dir",
        )
    return joined


def make_directories(directory: Path) -> None:
    """Make *directory* and those above it. Raises `CommandError`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise cannot_write(str(directory), exc) from exc


def is_special(path: Path) -> bool:
    """Return whether *path* is there and no regular file: a device, a pipe, a directory."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _open_no_link(path: str, flags: int) -> int:
    """Open *path*, a name that we have made up: somebody else may have made a link of it first."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class PartFile:
    """A file that is being received, and that will be *path*.

    Opened by `start` or `resume`, and ended by `finish`, which gives it its name, or `keep`, after
    which it can be continued. All of them raise `CommandError` if the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        #: Where it is until then.
        self.part = path.with_name(f"{path.name}.part")
        self._note: Final = path.with_name(f"{path.name}.part.json")
        self._file: BinaryIO | None = None
        #: Number of bytes that it holds.
        self.size = 0
        #: Whether it can be continued after `keep`.
        self.is_resumable = False

    def resumable(self, url: str) -> tuple[int, str] | None:
        """Return size and validator of what is there of *url*, `None` if it cannot be continued.

        Only what has a strong validator can: nothing else tells that the rest belongs to it.
        """
        try:
            size = self.part.stat().st_size
            import json

            note = json.loads(self._note.read_text())
        except (OSError, ValueError):
            return None
        match note:
            case {"url": str(noted), "validator": str(validator)} if noted == url and size:
                return size, validator
        return None

    def start(self, url: str, validator: str | None) -> None:
        """Begin with an empty file for *url*; *validator* is what Range requests can be made with."""
        self._open("wb")
        self.size = 0
        self.is_resumable = validator is not None
        # Not before the old content is gone: together they would look resumable.
        try:
            if validator is None:
                self._note.unlink(missing_ok=True)
            else:
                with open(self._note, "w", encoding="utf-8", opener=_open_no_link) as file:
                    import json

                    json.dump({"url": url, "validator": validator}, file)
        except OSError as exc:
            self._close()
            raise cannot_write(str(self._note), exc) from exc

    def resume(self, size: int) -> None:
        """Go on behind the first *size* bytes of what is there."""
        self._open("r+b")
        assert self._file is not None
        try:
            there = os.fstat(self._file.fileno()).st_size
            if there < size:
                self._close()
                raise CommandError(
                    ExitCode.RANGE_FAILED,
                    f"{str(self.part)!r} has {there} bytes, and not {size} to go on behind",
                    "give a smaller offset, or -C -",
                )
            self._file.truncate(size)
            self._file.seek(size)
        except OSError as exc:
            raise cannot_write(str(self.part), exc) from exc
        self.size = size
        self.is_resumable = True

    def resume_in_place(self, size: int) -> None:
        """Go on behind the first *size* bytes of what has the final name already."""
        self.part = self.path
        self.resume(size)

    def _open(self, mode: str) -> None:
        try:
            # Unbuffered: what is written is in the file, whatever becomes of this process.
            opener = None if self.part == self.path else _open_no_link
            self._file = open(self.part, mode, buffering=0, opener=opener)  # type: ignore[assignment]  # noqa: SIM115  # modes are binary, and it stays open
        except OSError as exc:
            raise cannot_write(str(self.part), exc) from exc

    def write(self, data: bytes | memoryview) -> None:
        """Write all of *data*."""
        assert self._file is not None
        view = memoryview(data)
        try:
            while view:
                written = self._file.write(view)
                self.size += written
                view = view[written:]
        except OSError as exc:
            raise cannot_write(str(self.part), exc) from exc

    def finish(self, modified: float | None = None) -> None:
        """Give the file its name; *modified*, in seconds since 1970, becomes its time."""
        self._close()
        try:
            if modified is not None:
                os.utime(self.part, (modified, modified))
            with contextlib.suppress(FileNotFoundError):
                # What is replaced was perhaps not for everybody.
                os.chmod(self.part, stat.S_IMODE(os.stat(self.path).st_mode))
            if self.part != self.path:
                os.replace(self.part, self.path)
            self._note.unlink(missing_ok=True)
        except OSError as exc:
            raise cannot_write(str(self.path), exc) from exc

    def keep(self) -> None:
        """Leave what is there; nothing at all if that is empty."""
        self._close()
        if not self.size:
            self.discard()

    def discard(self) -> None:
        """Remove what is there."""
        self._close()
        for path in (self.part, self._note):
            with contextlib.suppress(OSError):
                path.unlink()

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as exc:
                raise cannot_write(str(self.part), exc) from exc


def strong_validator(etag: str | None, last_modified: str | None, date: str | None) -> str | None:
    """Return what If-Range can be sent with (RFC 9110 §13.1.5), `None` if there is nothing.

    An entity tag that is not weak; or a Last-Modified that is at least a second older than the
    response, and so strong (§8.8.2.2).
    """
    if etag is not None:
        return None if etag.startswith("W/") or not etag.startswith('"') else etag
    if last_modified is None or date is None:
        return None
    modified, answered = http_time(last_modified), http_time(date)
    if modified is None or answered is None or answered - modified < 1:
        return None
    return last_modified


def http_time(value: str) -> float | None:
    """Return the seconds since 1970 that an HTTP date stands for (RFC 9110 §5.6.7)."""
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        # The obsolete form without a zone is GMT as well.
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
