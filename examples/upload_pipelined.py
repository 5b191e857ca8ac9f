"""Uploads files over one connection: the next file goes out while the server answers the last.

    python examples/upload_pipelined.py HOST PORT DIRECTORY FILE...

Each file goes to ``DIRECTORY/FILE`` on the server, for example ``/upload/report.txt``. `select`
says when the socket takes data, and ``write(partial=True)`` gives it as much as it takes.

The code is a sample of the old documentation, from the time of httpio 1.0. Where it is not, a comment
that begins with "Added" or "Changed" says why.
"""

from __future__ import annotations

import os
import sys
from http.client import CREATED, NO_CONTENT
from select import select
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

    # Changed: the sample makes up its names with "x range(10)", which lacks an "in".
    for name in files:
        cofun = conn.send_request(
            "PUT", f"{directory}/{name}", via_cofun=True, body=BodyFollowing(os.path.getsize(name))
        )
        for _ in cofun:
            read_response()

        with open(name, "rb") as fh:
            buf = b""
            while True:
                # Changed: the sample has the first two the wrong way round. select() returns
                # what is readable first.
                (readable, writeable, _) = select(
                    (conn.socket_fileno(),), (conn.socket_fileno(),), ()
                )
                if readable:
                    read_response()

                if not writeable:
                    continue

                if not buf:
                    buf = fh.read(8192)
                    if not buf:
                        break

                len_ = conn.write(buf, partial=True)
                buf = buf[len_:]

    # All requests sent, now read rest of responses
    while conn.response_pending():
        read_response()

    # Added: the sample ends with the connection open.
    conn.close()


def main(hostname: str, port: str, directory: str, *files: str) -> None:
    upload(hostname, int(port), directory, files)


if __name__ == "__main__":
    main(*sys.argv[1:])
