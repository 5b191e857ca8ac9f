"""Fetches documents over one connection, without a wait between them and without a deadlock.

    python examples/download_pipelined.py HOST PORT PATH...

A request is sent by a *cofunction*, which stops as soon as anything of a response has arrived, so
that it can be read first. Each document is written to the current directory under its path.

The code is a sample of the old documentation, from the time of httpio 1.0. Where it is not, a comment
that begins with "Added" or "Changed" says why.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO


def download(hostname: str, port: int, documents: Sequence[str]) -> None:
    conn = HTTPConnection(hostname, port)
    # Added: read_response() of the sample says "nonlocal out_fh", and nothing around it has one.
    out_fh: BinaryIO | None = None

    def read_response() -> None:
        nonlocal out_fh
        if conn.get_current_response():
            # Active response, so we are reading body
            assert out_fh is not None
            out_fh.write(conn.read(8192))
        else:
            # No active response
            (_method, url, status, _reason, _header) = conn.read_response()
            assert status == 200
            # Added, for type checkers: to them, each of the five may be any of the types.
            assert isinstance(url, str)
            # Changed: the sample opens the file for text, and read() returns bytes.
            out_fh = open(url[1:], "wb")  # noqa: SIM115 - closed below
        # Added: the sample never closes a file. A response ends with its last byte, an empty one
        # with its head.
        if not conn.get_current_response():
            out_fh.close()

    # Try to send all the requests...
    for doc in documents:
        cofun = conn.send_request("GET", doc, via_cofun=True)
        for _ in cofun:  # value of _ is irrelevant and undefined
            # ..but interrupt if partial response data is available
            read_response()

    # All requests sent, now read rest of responses
    while conn.response_pending():
        read_response()

    # Added: the sample ends with the connection open.
    conn.close()


def main(hostname: str, port: str, *documents: str) -> None:
    for doc in documents:
        if directory := os.path.dirname(doc[1:]):
            os.makedirs(directory, exist_ok=True)
    download(hostname, int(port), documents)


if __name__ == "__main__":
    main(*sys.argv[1:])
