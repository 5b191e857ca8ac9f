"""Uploads a file with asyncio: asks the server first, and says how far it is.

    python examples/aio_upload.py HOST PORT PATH FILE [SECONDS]

The request says "Expect: 100-continue" (RFC 9110 §10.1.1). The server answers 100, and the file is
sent; or it answers for good, and the file stays here. A server that knows nothing of this says
nothing, so after SECONDS, 1 if not given, the file is sent all the same. The last line that is printed
is the status code of the final answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from httpio_aio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PIECE_SIZE = 256 * 1024
TIME_LIMIT = 60.0
"""Seconds that all of it may take."""


async def pieces(name: str, size: int) -> AsyncIterator[bytes]:
    """Yield the content of a file, and print each tenth of it that is sent."""
    sent = tenths = 0
    # A disk can be slow, and the loop has other things to do: a thread reads.
    with await asyncio.to_thread(open, name, "rb") as fh:
        while piece := await asyncio.to_thread(fh.read, PIECE_SIZE):
            yield piece
            # Whoever asks for the next piece has sent this one.
            sent += len(piece)
            if sent * 10 // size > tenths:
                tenths = sent * 10 // size
                print(f"{tenths}0 %", flush=True)


async def main(hostname: str, port: str, path: str, name: str, patience: str = "1") -> None:
    size = os.path.getsize(name)
    async with (
        asyncio.timeout(TIME_LIMIT),
        HTTPConnection(hostname, int(port)) as conn,
        conn.request(
            "PUT",
            path,
            # Without its length the content would go in chunks, which not every server takes.
            {"Content-Length": str(size)},
            pieces(name, size),
            expect100=True,
            continue_timeout=float(patience),
        ) as response,
    ):
        print(response.status)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
