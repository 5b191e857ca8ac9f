"""A CGI program (RFC 3875) for a server that cannot make these answers itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    """Answer one request."""
    output = sys.stdout.buffer
    if os.environ["REQUEST_METHOD"] == "PUT":
        digest = hashlib.sha256()
        remaining = int(os.environ.get("CONTENT_LENGTH") or 0)
        while remaining:
            piece = sys.stdin.buffer.read(min(remaining, 1 << 16))
            if not piece:
                break
            digest.update(piece)
            remaining -= len(piece)
        output.write(b"Status: 201\r\nContent-Length: 64\r\n\r\n" + digest.hexdigest().encode())
    elif os.environ["SCRIPT_NAME"] == "/status":
        output.write(b"Status: 204\r\n\r\n")
    else:
        with (Path(os.environ["DOCUMENTS"]) / Path(os.environ["PATH_INFO"]).name).open(
            "rb"
        ) as document:
            output.write(b"Content-Type: application/octet-stream\r\n\r\n")
            shutil.copyfileobj(document, output)


main()
