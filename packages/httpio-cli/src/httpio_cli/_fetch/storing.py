"""Files on the disk: beginnings beside their places, complete ones moved there, never half of one.

The order is what makes a run that is killed at any point continuable: content, then the journal,
then the name. See `journal`.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG

from httpio_cli._errors import cannot_write

from .journal import Begun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from httpio_cli._errors import CommandError

    from .journal import Journal
    from .naming import Wanted
    from .verification import Verifier

# O_NOFOLLOW: a link in the place of a beginning would have somebody else's file written to.
# O_NONBLOCK: a pipe there would have us wait for whoever reads it.
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_PIECE_SIZE: Final = 1 << 20
_CONCERN_ALL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE))


def concerns_all(exc: BaseException | None) -> bool:
    """Return whether the other files cannot be written either, if *exc* was raised for one."""
    return isinstance(exc, OSError) and exc.errno in _CONCERN_ALL


class Store:
    """Writes files, and notes in *journal*, if there is one, what becomes of them."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal: Final = journal

    def put(self, files: Sequence[tuple[Wanted, bytes, float | None]]) -> dict[int, CommandError]:
        """Store files whose content is there as a whole, each with its modification time if any.

        Returns what was wrong with each that cannot be stored, by its number. Raises `CommandError`
        for what would be wrong with every other one as well.
        """
        failures: dict[int, CommandError] = {}
        journal = self._journal
        stored = []
        for wanted, content, modified in files:
            try:
                self._forget(wanted)
                fd = os.open(wanted.part, _FLAGS | os.O_TRUNC, 0o666)
                try:
                    _write_all(fd, content)
                    if modified is not None:
                        _set_time(fd, modified)
                finally:
                    os.close(fd)
            except OSError as exc:
                failures[wanted.number] = self._failure(wanted, exc)
            else:
                stored.append((wanted, len(content)))
        if journal is not None and stored:
            journal.write_done((wanted.key, size) for wanted, size in stored)
        for wanted, _ in stored:
            try:
                os.replace(wanted.part, wanted.path)
            except OSError as exc:
                failures[wanted.number] = self._failure(wanted, exc)
        return failures

    def _forget(self, wanted: Wanted) -> None:
        """What the part holds is no beginning of what the journal has noted."""
        journal = self._journal
        if journal is not None and wanted.key in journal.begun:
            journal.write_begun(wanted.key, Begun("", None))

    def _failure(self, wanted: Wanted, exc: OSError) -> CommandError:
        self.drop(wanted)
        error = cannot_write(wanted.path, exc)
        if concerns_all(exc):
            raise error from exc
        return error

    def begin(self, wanted: Wanted, begun: Begun) -> None:
        """Note what the part, which is open and empty, is going to be the beginning of."""
        journal = self._journal
        if journal is not None and (begun.validator or wanted.key in journal.begun):
            journal.write_begun(wanted.key, begun)

    def open_part(self, wanted: Wanted, offset: int = 0) -> Part:
        """Open the beginning of a file, to write from *offset* on; what is behind that is dropped."""
        return Part(wanted, offset)

    def complete(self, wanted: Wanted, size: int) -> None:
        """Give a file of *size* bytes that is complete its name."""
        if self._journal is not None:
            self._journal.write_done([(wanted.key, size)])
        try:
            os.replace(wanted.part, wanted.path)
        except OSError as exc:
            raise cannot_write(wanted.path, exc) from exc

    def drop(self, wanted: Wanted) -> None:
        """Remove the beginning of a file, which is good for nothing."""
        try:
            os.unlink(wanted.part)
        except OSError:
            # It is overwritten, if it is still there, by whoever fetches the file again.
            pass


class Part:
    """The beginning of a file, open for writing."""

    def __init__(self, wanted: Wanted, offset: int) -> None:
        self._wanted: Final = wanted
        self.size = offset
        try:
            self._fd = os.open(wanted.part, _FLAGS, 0o666)
            try:
                os.ftruncate(self._fd, offset)
                os.lseek(self._fd, offset, os.SEEK_SET)
            except BaseException:
                os.close(self._fd)
                raise
        except OSError as exc:
            raise cannot_write(wanted.part, exc) from exc

    def write(self, piece: memoryview) -> None:
        """Append *piece*. Raises `CommandError`."""
        try:
            _write_all(self._fd, piece)
        except OSError as exc:
            raise cannot_write(self._wanted.part, exc) from exc
        self.size += len(piece)

    def close(self, modified: float | None = None) -> None:
        """Close the file, with the modification time *modified* if that is given."""
        if modified is not None:
            _set_time(self._fd, modified)
        try:
            os.close(self._fd)
        except OSError as exc:
            # Of what was written before, some file systems tell only now.
            raise cannot_write(self._wanted.part, exc) from exc


def _write_all(fd: int, content: bytes | memoryview) -> None:
    written = os.write(fd, content)
    while written < len(content):
        content = content[written:]
        written = os.write(fd, content)


def _set_time(fd: int, seconds: float) -> None:
    try:
        os.utime(fd, (seconds, seconds))
    except (OSError, OverflowError):
        # Not every file system can have every time. The content is what counts.
        pass


def part_size(wanted: Wanted) -> int | None:
    """Return how many bytes of a file are there already, `None` if it has not been begun."""
    try:
        status = os.stat(wanted.part, follow_symlinks=False)
    except OSError:
        return None
    return status.st_size if S_ISREG(status.st_mode) else None


def file_size(path: str) -> int | None:
    """Return the size of the regular file at *path*, `None` if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size if S_ISREG(status.st_mode) else None


def verify_beginning(path: str, size: int, verifier: Verifier) -> bool:
    """Have *verifier* read the first *size* bytes at *path*; return whether there are so many."""
    try:
        with open(path, "rb") as file:
            while size and (piece := file.read(min(size, _PIECE_SIZE))):
                verifier.update(piece)
                size -= len(piece)
    except OSError:
        return False
    return not size
