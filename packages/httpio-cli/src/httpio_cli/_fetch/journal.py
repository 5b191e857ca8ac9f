"""What has been done in an output directory, so that a run that was killed can be continued.

One JSON object a line, appended; never changed. A record is complete when its line end is there, so
that whatever was being written when the process was killed is told from the rest, and dropped. Two
kinds of records:

- ``begun``: the ``.part`` file holds the beginning of the representation that *validator* names;
- ``done``: the ``.part`` file is complete and verified, and is to be given its name.

The second is written *before* the file gets its name: a run that dies in between has lost nothing,
the next one gives it its name. Nothing is synchronised to the disk: a process that dies loses
nothing that it has written, and a machine that dies costs what it had not written yet.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass

from httpio_cli._errors import CommandError, cannot_write
from httpio_cli._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Final, TypeAlias

    #: What a record is about: name relative to the output directory, and URL.
    Key: TypeAlias = tuple[str, str]

JOURNAL_NAME: Final = ".httpio-fetch.journal"
_VERSION: Final = 1
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Begun:
    """A ``.part`` file that can be gone on with.

    *validator* is the strong validator of the representation, *size* its complete size in bytes,
    `None` if that is not known.
    """

    validator: str
    size: int | None


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Have *directory* for this process alone: two that write the same ``.part`` would mix them.

    Its journal does not see to that, if they have none or different ones. Raises `CommandError`.
    """
    fd = -1
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        raise CommandError(
            ExitCode.USAGE,
            f"another 'httpio fetch' is at work in {directory!r}",
            "wait for it, or give another --output-dir",
        ) from exc
    except OSError:
        # It may be written to and not read, or there are no locks here: nothing can be done.
        pass
    try:
        yield
    finally:
        if fd >= 0:
            os.close(fd)


class Journal:
    """The journal at *path*, locked for this process as long as it is open."""

    def __init__(self, path: str) -> None:
        self.path: Final = path
        #: Size in bytes of what is complete.
        self.done: Final[dict[Key, int]] = {}
        self.begun: Final[dict[Key, Begun]] = {}
        self._fd = self._open()
        try:
            self._load()
        except BaseException:
            os.close(self._fd)
            raise

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            try:
                fd = os.open(self.path, flags, 0o666)
            except OSError as exc:
                raise cannot_write(self.path, exc) from exc
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Another run may have ended, and removed it, between the two calls.
                if os.fstat(fd).st_ino == os.stat(self.path, follow_symlinks=False).st_ino:
                    return fd
            except FileNotFoundError:
                pass
            except BlockingIOError as exc:
                os.close(fd)
                raise CommandError(
                    ExitCode.USAGE,
                    f"another 'httpio fetch' is at work with the journal {self.path!r}",
                    "wait for it, or give another --journal",
                ) from exc
            except OSError as exc:
                if exc.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                    os.close(fd)
                    raise cannot_write(self.path, exc) from exc
                # A file system without locks: whoever uses it looks out for himself.
                return fd
            os.close(fd)

    def _load(self) -> None:
        with open(self._fd, "rb", closefd=False) as file:
            data = file.read()
        complete = data.rfind(b"\n") + 1
        if complete < len(data):
            # It was being written when the process was killed. Nothing may be appended to it.
            os.ftruncate(self._fd, complete)
        for line in data[:complete].split(b"\n"):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                # Not ours, or damaged: what it is about is fetched again.
                continue

    def _take(self, record: dict[str, object]) -> None:
        if record["v"] != _VERSION:
            return
        out, url, size = record["out"], record["url"], record["size"]
        if not isinstance(out, str) or not isinstance(url, str):
            return
        key = (out, url)
        if record["is"] == "done" and isinstance(size, int):
            self.done[key] = size
        elif record["is"] == "begun" and isinstance(record["validator"], str):
            self.done.pop(key, None)
            self.begun[key] = Begun(record["validator"], size if isinstance(size, int) else None)

    def write_begun(self, key: Key, begun: Begun) -> None:
        """Note that the ``.part`` file begins anew, with the beginning of what *begun* names."""
        self.begun[key] = begun
        self._append(_record("begun", key, begun.size, begun.validator))

    def write_done(self, done: Iterable[tuple[Key, int]]) -> None:
        """Note that these ``.part`` files are complete, each with its size in bytes."""
        lines = []
        for key, size in done:
            self.done[key] = size
            lines.append(_record("done", key, size))
        self._append("".join(lines))

    def _append(self, text: str) -> None:
        data = text.encode("ascii")
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                data = data[written:]
                written = os.write(self._fd, data)
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc

    def close(self, settled: Collection[Key]) -> None:
        """Forget what is about *settled*, and remove the journal if nothing else is in it."""
        try:
            for key in settled:
                self.done.pop(key, None)
                self.begun.pop(key, None)
            if not self.done and not self.begun:
                os.unlink(self.path)
            elif settled:
                self._rewrite()
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc
        finally:
            os.close(self._fd)

    def _rewrite(self) -> None:
        beside = f"{self.path}.new"
        with open(beside, "w", encoding="ascii") as file:
            for key, begun in self.begun.items():
                if key not in self.done:
                    file.write(_record("begun", key, begun.size, begun.validator))
            for key, size in self.done.items():
                file.write(_record("done", key, size))
        os.replace(beside, self.path)


def _record(kind: str, key: Key, size: int | None, validator: str | None = None) -> str:
    record: dict[str, object] = {
        "v": _VERSION,
        "is": kind,
        "out": key[0],
        "url": key[1],
        "size": size,
    }
    if validator is not None:
        record["validator"] = validator
    return f"{_encode(record)}\n"
