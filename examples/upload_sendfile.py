"""Uploads files over one connection, and leaves the copying to the system.

    python examples/upload_sendfile.py HOST PORT DIRECTORY FILE...

The same as upload_pipelined.py, with `sendfile` instead of a loop around `select` and `write`.

The code is a sample of the old documentation, from the time of httpio 1.0. Where it is not, a comment
that begins with "Added" or "Changed" says why.
"""

from __future__ import annotations

import os
import sys
from http.client import CREATED, NO_CONTENT
from typing import TYPE_CHECKING

from httpio import BodyFollowing, HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Sequence


def upload(hostname: str, port: int, directory: str, files: Sequence[str]) -> None:
    conn = HTTPConnection(hostname, port)

    def read_response() -> None:
        resp = conn.read_response()
        # Changed: the sample expects 204 and no content. A PUT that creates is answered with 201
        # (RFC 9110 §9.3.4), and some servers have something to say about it.
        assert resp.status in (CREATED, NO_CONTENT)
        conn.discard()

    for name in files:
        cofun = conn.send_request(
            "PUT", f"{directory}/{name}", via_cofun=True, body=BodyFollowing(os.path.getsize(name))
        )
        for _ in cofun:
            read_response()

        # Added: the whole body of an empty file is sent with its request, and no more is due.
        if not os.path.getsize(name):
            continue

        with open(name, "rb") as fh:
            # Changed: the sample gets its cofunction from co_sendfile(fh). In the later documents
            # a method that begins with co_ returns a coroutine, which says what it waits for
            # instead of waiting; the cofunction is had with via_cofun, as from send_request().
            cofun_body = conn.sendfile(fh, via_cofun=True)
            for _ in cofun_body:
                read_response()

    # All requests sent, now read rest of responses
    while conn.response_pending():
        read_response()

    # Added: the sample ends with the connection open.
    conn.close()


def main(hostname: str, port: str, directory: str, *files: str) -> None:
    upload(hostname, int(port), directory, files)


if __name__ == "__main__":
    main(*sys.argv[1:])
