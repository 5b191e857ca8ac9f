"""Uploads what comes from standard input, of which nobody knows how much it will be.

    some-program | python examples/upload_chunked.py HOST PORT PATH

The body is sent in chunks (RFC 9112 §7.1). Its hash is known only at its end, and follows in the
trailer section, as a Content-Digest field (RFC 9530).
"""

from __future__ import annotations

import sys
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from httpio import BodyFollowing, HTTPConnection

if TYPE_CHECKING:
    from typing import BinaryIO


def upload(hostname: str, port: int, path: str, source: BinaryIO) -> int:
    """Return the status code of the server's answer."""
    with HTTPConnection(hostname, port) as conn:
        # No length: the body is sent in chunks.
        conn.send_request("PUT", path, {"Trailer": "Content-Digest"}, body=BodyFollowing())
        digest = sha256()
        while data := source.read(65536):
            digest.update(data)
            conn.write(data)
        # Nothing else tells where such a body ends.
        conn.finish_body({"Content-Digest": f"sha-256=:{b64encode(digest.digest()).decode()}:"})
        resp = conn.read_response()
        conn.discard()
        return resp.status


def main(hostname: str, port: str, path: str) -> None:
    print(upload(hostname, int(port), path, sys.stdin.buffer))


if __name__ == "__main__":
    main(*sys.argv[1:])
