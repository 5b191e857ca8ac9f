"""uvicorn with an application that sends files: ``embedded_server.py HOST PORT DIRECTORY``.

uvicorn answers pipelined requests in their order, one after the other, and reads no further request
while one is being answered, so that a client that sends many and reads slowly costs it no memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, object]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class Files:
    """An ASGI application that answers ``GET /NAME`` with the file of that name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        file = self._directory / Path(str(scope["path"])).name
        status, content = (200, file.read_bytes()) if file.is_file() else (404, b"")
        length = str(len(content)).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-length", length)],
            }
        )
        await send({"type": "http.response.body", "body": content})


def main() -> None:
    """Serve until SIGTERM."""
    host, port, directory = sys.argv[1:]
    uvicorn.run(
        Files(Path(directory)),
        host=host,
        port=int(port),
        http="h11",
        lifespan="off",
        log_level="warning",
        timeout_keep_alive=60,
    )


if __name__ == "__main__":
    main()
