"""Asks the server whether it wants a file before the file is sent.

    python examples/upload_expect.py HOST PORT PATH FILE [SECONDS]

The request says "Expect: 100-continue" (RFC 9110 §10.1.1). The server answers 100, and the file is
sent; or it answers for good, and the file stays here. A server that knows nothing of this says
nothing, so after SECONDS, 1 if not given, the file is sent all the same.
"""

from __future__ import annotations

import os
import sys

from httpio import BodyFollowing, ConnectionTimedOut, EarlyResponse, HTTPConnection, run


def upload(hostname: str, port: int, path: str, name: str, patience: float) -> int:
    """Return the status code of the server's final answer."""
    with HTTPConnection(hostname, port, timeout=60) as conn, open(name, "rb") as fh:
        length = os.path.getsize(name)
        conn.send_request("PUT", path, body=BodyFollowing(length), expect100=True)
        if length:  # an empty body is not worth asking for, and nothing is
            try:
                # The blocking read_response() would wait for conn.timeout.
                resp = run(conn.co_read_response(), timeout=patience)
            except ConnectionTimedOut:
                # A 100 that comes later is skipped.
                conn.proceed_without_continue()
            else:
                if resp.status != 100:
                    conn.discard()
                    return resp.status
            try:
                conn.sendfile(fh)
            except EarlyResponse:
                # The server has had enough. Its answer says why.
                pass
        resp = conn.read_response()
        conn.discard()
        return resp.status


def main(hostname: str, port: str, path: str, name: str, patience: str = "1") -> None:
    print(upload(hostname, int(port), path, name, float(patience)))


if __name__ == "__main__":
    main(*sys.argv[1:])
