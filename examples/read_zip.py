"""Reads members of a zip archive that is on a server, without downloading the archive.

    python examples/read_zip.py HOST PORT PATH [MEMBER...]

Without MEMBER, prints size and name of each member; else, writes the content of the members to
standard output. The end of the archive is transferred, which has its directory, and the members that
are wanted, all of them at once.
"""

from __future__ import annotations

import io
import sys
import zipfile
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import WriteableBuffer

#: The directory is at the end. Mostly it fits into this, in bytes.
TAIL_SIZE = 64 * 1024
#: The header of a member: 30 bytes, its name, and extra fields that need not be as long as those in
#: the directory. What is missing of it is read when it is needed.
HEADER_SIZE = 30 + 256


class RemoteFile(io.RawIOBase):
    """A resource as a file to read from at any position. What was fetched before is not again."""

    def __init__(self, conn: HTTPConnection, path: str) -> None:
        super().__init__()
        self._conn = conn
        self._path = path
        self._position = 0
        self._pieces: dict[int, bytes] = {}
        conn.send_request("HEAD", path)
        response = conn.read_response()
        if response.status != 200:
            raise OSError(f"{path}: {response.status} {response.reason}")
        self._size = int(response.headers["Content-Length"])
        etag = response.headers["ETag"]
        #: With it, no range can be of another version. A weak one says nothing of single bytes.
        self._etag = None if etag is None or etag.startswith("W/") else etag
        self.fetch([(max(self._size - TAIL_SIZE, 0), TAIL_SIZE)])

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Have these ranges at hand, or what of them there is."""
        wanted = [(offset, min(size, self._size - offset)) for offset, size in ranges]
        contents = self._conn.read_ranges(self._path, wanted, etag=self._etag)
        self._pieces.update(zip((offset for offset, _ in wanted), contents, strict=True))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)[: max(self._size - self._position, 0)]
        if not view:
            return 0
        piece = self._piece(self._position)
        if piece is None:
            self.fetch([(self._position, len(view))])
            piece = self._piece(self._position)
            assert piece is not None
        size = min(len(piece), len(view))
        view[:size] = piece[:size]
        self._position += size
        return size

    def _piece(self, position: int) -> memoryview | None:
        for offset, content in self._pieces.items():
            if offset <= position < offset + len(content):
                return memoryview(content)[position - offset :]
        return None


def main(hostname: str, port: str, path: str, *members: str) -> None:
    with HTTPConnection(hostname, int(port), timeout=60) as conn:
        file = RemoteFile(conn, path)
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist() if not members else ():
                print(member.file_size, member.filename)
            wanted = [archive.getinfo(name) for name in members]
            file.fetch((one.header_offset, HEADER_SIZE + one.compress_size) for one in wanted)
            for one in wanted:
                sys.stdout.buffer.write(archive.read(one))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
