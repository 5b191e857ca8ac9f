"""Content of requests that is not in memory: how much it is, and whether it can be had twice.

Knows files and iterables, nothing of sockets; nothing is read here.
"""

from __future__ import annotations

import io
import os
import stat

from ._messages import BodyFollowing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from _typeshed import ReadableBuffer
    from typing_extensions import TypeIs

    from ._request import ContentSource, SupportsRead

    PlainFile: TypeAlias = io.FileIO | io.BufferedReader | io.BufferedRandom


def plain_file(file: SupportsRead) -> PlainFile | None:
    """Return *file* if what it reads is what the system finds under its descriptor.

    A `gzip.GzipFile` and a text file have the descriptor of something else than what they read, and
    a class of the caller's own may do anything in its ``read``.
    """
    raw: object = file
    if type(file) is io.BufferedReader or type(file) is io.BufferedRandom:
        raw = file.raw
    if type(raw) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return file  # type: ignore[return-value]  # one of the three


def bytes_left(file: SupportsRead, plain: PlainFile | None) -> int | None:
    """Return how much *file* has from where it stands, `None` if only reading can tell."""
    if plain is not None:
        size = os.fstat(plain.fileno()).st_size
        if not size and hasattr(os, "pread") and os.pread(plain.fileno(), 1, plain.tell()):
            # The files of /proc have no size, but content.
            return None
        return max(size - plain.tell(), 0)
    if isinstance(file, io.BytesIO) and type(file).read is io.BytesIO.read:
        with file.getbuffer() as view:
            return max(len(view) - file.tell(), 0)
    return None


def is_in_memory(body: object) -> TypeIs[ReadableBuffer]:
    """Tell if *body* is sent as it lies in memory; a `str` counts, because it is refused as such."""
    try:
        memoryview(body)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return isinstance(body, str)
    return True


def is_file(body: object) -> TypeIs[SupportsRead]:
    """Tell if *body* is read like a file."""
    return hasattr(body, "read")


def announce(body: ContentSource) -> BodyFollowing:
    """Return what is said beforehand of *body*: its length, if that can be told."""
    return BodyFollowing(bytes_left(body, plain_file(body)) if is_file(body) else None)


def position_of(body: ContentSource) -> int | None:
    """Return where to go back to, to read *body* again; `None` if that is not possible.

    An iterable that can be iterated over again has no position to go back to: it is 0.
    """
    if is_file(body):
        seekable = getattr(body, "seekable", None)
        if seekable is None or not seekable():
            return None
        position: int = body.tell()  # type: ignore[attr-defined]  # as it is seekable
        return position
    return None if iter(body) is body else 0


def go_back(body: ContentSource, position: int) -> None:
    """Have *body* read again from *position*."""
    if is_file(body):
        body.seek(position)  # type: ignore[attr-defined]  # as `position_of` gave one
