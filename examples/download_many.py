"""Downloads many documents over one connection, in one thread.

    python examples/download_many.py HOST PORT PATH...

Requests are sent while responses are read, and sent again if the connection is lost. Each document
is written to a file that has its path, below the current directory, as it comes; one that did not
come to its end leaves no file. Prints what could not be had, and ends with code 1 then.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from httpio import ConnectionClosed, HTTPConnection, Request

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
                if response.status != 200:
                    yield f"{response.path}: {response.status} {response.reason}"
                    continue
                target = Path(response.path.lstrip("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                unfinished = target.with_name(f"{target.name}.part")
                with unfinished.open("wb") as file:
                    while size := conn.readinto(buffer):
                        file.write(buffer[:size])
                unfinished.replace(target)
            except ConnectionClosed as exc:
                # It tells of one document. The others still come.
                yield f"{exc.unanswered[0].path}: {exc}"


def main(hostname: str, port: str, *documents: str) -> int:
    problems = list(download(hostname, int(port), documents))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
