"""The content of a request, as the options ``-d``, ``--json``, ``-F`` and ``-T`` describe it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from httpio_cli._errors import CommandError, cannot_read
from httpio_cli._exit_codes import ExitCode
from httpio_cli._group import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

#: Bytes that are read at once.
PIECE_SIZE: Final = 256 * 1024
FORM: Final = "application/x-www-form-urlencoded"


class FilePart(Group):
    """A file to be sent; ``-`` is stdin. *size* is in bytes, `None` if it is not known."""

    path: str
    size: int | None


class Content(Group):
    """What is to be sent: bytes and files, one after the other."""

    parts: Sequence[bytes | FilePart] = ()
    media_type: str | None = None

    @property
    def length(self) -> int | None:
        """Number of bytes, `None` if that is not known beforehand."""
        total = 0
        for part in self.parts:
            size = len(part) if isinstance(part, bytes) else part.size
            if size is None:
                return None
            total += size
        return total

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent a second time."""
        return all(isinstance(part, bytes) or part.path != "-" for part in self.parts)

    def pieces(self) -> Iterator[bytes]:
        """Read it from the beginning. Raises `CommandError` for a file that cannot be read."""
        for part in self.parts:
            if isinstance(part, bytes):
                if part:
                    yield part
                continue
            try:
                with _open(part.path) as file:
                    yield from _limited(file, part)
            except OSError as exc:
                raise cannot_read(part.path, exc) from exc

    def in_memory(self) -> bytes:
        """Return all of it."""
        return b"".join(self.pieces())


class _Stdin:
    """stdin, which is not closed."""

    def __enter__(self) -> BinaryIO:
        return sys.stdin.buffer

    def __exit__(self, *exc_info: object) -> None:
        pass


def _open(path: str) -> BinaryIO | _Stdin:
    return _Stdin() if path == "-" else open(path, "rb", buffering=0)  # the caller's


def _limited(file: BinaryIO, part: FilePart) -> Iterator[bytes]:
    """Read *file*, which must have as much as was announced."""
    left = part.size
    while left is None or left:
        # What stdin has is passed on as it comes.
        read = getattr(file, "read1", file.read)
        piece = read(PIECE_SIZE if left is None else min(left, PIECE_SIZE))
        if not piece:
            break
        if left is not None:
            left -= len(piece)
        yield piece
    if left:
        raise CommandError(
            ExitCode.READ_FAILED,
            f"{part.path!r} became {left} bytes shorter while it was sent",
            "send a copy that does not change",
        )


def file_part(path: str) -> FilePart:
    """Return the file at *path*, ``-`` for stdin. Raises `CommandError` if it cannot be read."""
    try:
        if path == "-":
            if sys.stdin is None:
                raise CommandError(ExitCode.READ_FAILED, "stdin is closed")
            status = os.fstat(sys.stdin.fileno())
            offset = 0 if not _is_regular(status) else os.lseek(sys.stdin.fileno(), 0, os.SEEK_CUR)
        else:
            status, offset = os.stat(path), 0
            if os.path.isdir(path):
                raise IsADirectoryError(21, "it is a directory")
            if not os.access(path, os.R_OK):
                raise PermissionError(13, "permission denied")
    except OSError as exc:
        raise cannot_read(path, exc) from exc
    return FilePart(
        path=path, size=max(status.st_size - offset, 0) if _is_regular(status) else None
    )


def _is_regular(status: os.stat_result) -> bool:
    import stat

    return stat.S_ISREG(status.st_mode)


def _read(path: str) -> bytes:
    return Content(parts=(file_part(path),)).in_memory()


def data_part(text: str) -> bytes:
    """Return what ``-d`` stands for: *text*, or with ``@FILE`` a file's content without line ends."""
    if text.startswith("@"):
        return _read(text[1:]).replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    return os.fsencode(text)


def binary_part(text: str) -> bytes | FilePart:
    """Return what ``--data-binary`` stands for: *text*, or with ``@FILE`` a file as it is."""
    return file_part(text[1:]) if text.startswith("@") else os.fsencode(text)


def urlencoded_part(text: str) -> bytes:
    """Return what ``--data-urlencode`` stands for.

    ``content``, ``=content``, ``name=content``, ``@file`` or ``name@file``; the name is left alone.
    """
    from urllib.parse import quote_plus

    name, equals, content = text.partition("=")
    if equals:
        encoded = quote_plus(os.fsencode(content))
    else:
        name, at, path = text.partition("@")
        if at:
            encoded = quote_plus(_read(path))
        else:
            name, encoded = "", quote_plus(os.fsencode(text))
    return os.fsencode(f"{name}={encoded}" if name else encoded)


def joined(parts: Sequence[bytes | FilePart], separator: bytes) -> list[bytes | FilePart]:
    """Return *parts* with *separator* between them."""
    result: list[bytes | FilePart] = []
    for part in parts:
        if result and separator:
            result.append(separator)
        result.append(part)
    return result
