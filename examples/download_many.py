"""Downloads many documents over one connection, in one thread.

    python examples/download_many.py HOST PORT PATH...

Requests are sent while responses are read, and sent again if the connection is lost. Each document
is written to a file that is named like its path, below the current directory, as it comes; one that
did not come to its end leaves no file. Prints what could not be had, and ends with code 1 then.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from httpio import ConnectionClosed, HTTPConnection, HTTPIOError, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUFFER_SIZE = 256 * 1024


def download(hostname: str, port: int, documents: Iterable[str]) -> Iterator[str]:
    """Write all documents, and yield a line for each that could not be had."""
    buffer = memoryview(bytearray(BUFFER_SIZE))
    with HTTPConnection(hostname, port, timeout=60) as conn:
        pipeline = conn.pipeline(Request("GET", path) for path in documents)
        while True:
            try:
                response = pipeline.next_response()
                if response is None:
                    return
                target = file_for(response.path)
                if response.status != 200:
                    yield f"{response.path}: {response.status} {response.reason}"
                    continue
                if target is None:
                    yield f"{response.path}: there can be no file with that name"
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                unfinished = target.with_name(f"{target.name}.part")
                try:
                    with unfinished.open("wb") as file:
                        while size := conn.readinto(buffer):
                            file.write(buffer[:size])
                    unfinished.replace(target)
                finally:
                    unfinished.unlink(missing_ok=True)
            # Each tells of one document. The others still come.
            except ConnectionClosed as exc:
                yield f"{exc.unanswered[0].path}: {exc}"
            except HTTPIOError as exc:
                yield str(exc)


def file_for(path: str) -> Path | None:
    """Return the file for a document, `None` if it would have no name, or be somewhere else."""
    parts = PurePosixPath(path.partition("?")[0].lstrip("/")).parts
    return Path(*parts) if parts and ".." not in parts else None


def main(hostname: str, port: str, *documents: str) -> int:
    code = 0
    for problem in download(hostname, int(port), documents):
        print(problem)
        code = 1
    return code


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
