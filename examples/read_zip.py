"""Reads members of a zip archive that is on a server, without downloading the archive.

    python examples/read_zip.py HOST PORT PATH [MEMBER...]

Without MEMBER, prints size and name of each member; else, writes the content of the members to
standard output. Only the directory of the archive and the members that are wanted are transferred.
"""

from __future__ import annotations

import io
import sys
import zipfile
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: The directory is at the end. Mostly it fits into this, in bytes.
TAIL_SIZE = 64 * 1024


class RemoteFile(io.RawIOBase):
    """A resource as a file to read from at any position."""

    def __init__(self, conn: HTTPConnection, path: str) -> None:
        super().__init__()
        self._conn = conn
        self._path = path
        self._position = 0
        conn.send_request("HEAD", path)
        response = conn.read_response()
        if response.status != 200:
            raise OSError(f"{path}: {response.status} {response.reason}")
        self._size = int(response.headers["Content-Length"])
        #: With it, no range can be of another version.
        self._etag = response.headers["ETag"]

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
        self._conn.readinto_ranges(
            self._path, [(self._position, len(view))], [view], etag=self._etag
        )
        self._position += len(view)
        return len(view)


def main(hostname: str, port: str, path: str, *members: str) -> None:
    with HTTPConnection(hostname, int(port), timeout=60) as conn:
        # The reader of archives reads little pieces, one after the other.
        file = io.BufferedReader(RemoteFile(conn, path), TAIL_SIZE)
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist() if not members else ():
                print(member.file_size, member.filename)
            for name in members:
                sys.stdout.buffer.write(archive.read(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
