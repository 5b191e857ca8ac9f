"""Fetches documents over one connection, with one thread that sends and one that receives.

    python examples/two_threads.py HOST PORT PATH...

Neither thread can keep the other from going on, so no number of requests makes a deadlock. Prints
size and path of each document.
"""

from __future__ import annotations

import sys
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from httpio import HTTPConnection, HTTPIOError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def fetch(hostname: str, port: int, documents: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each document."""
    # A response can be read only when its request was sent, so the sender counts.
    sent: SimpleQueue[Exception | None] = SimpleQueue()

    def send_all() -> None:
        try:
            for path in documents:
                conn.send_request("GET", path)
                sent.put(None)
        # A connection that is refused, or a certificate that fails, is an OSError.
        except (HTTPIOError, OSError) as problem:
            sent.put(problem)

    with HTTPConnection(hostname, port, timeout=60) as conn:
        sender = Thread(target=send_all)
        sender.start()
        try:
            for _ in documents:
                if problem := sent.get():
                    raise problem
                resp = conn.read_response()
                assert resp.status == 200
                yield resp.path, conn.readall()
        finally:
            # If the receiver gives up, this makes the sender give up too.
            conn.close()
            sender.join()


def main(hostname: str, port: str, *documents: str) -> None:
    for path, content in fetch(hostname, int(port), documents):
        print(len(content), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
