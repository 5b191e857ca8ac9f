"""Talks to a process in a container over a unix socket, as `docker attach` does.

    python examples/aio_attach.py UNIX_SOCKET CONTAINER

The request goes to a server that listens on a unix socket. It says that the connection is to be
something else afterwards (RFC 9110 §7.8); the server agrees, and from then on there is no HTTP on it.
Standard input, which has to be a pipe or a terminal, goes to the process, and what that says to standard
output, both at once.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from httpio_aio import HTTPConnection

if TYPE_CHECKING:
    import socket


async def attach(path: str, container: str) -> tuple[socket.socket, bytes]:
    """Return a socket to the process, and what it has said already."""
    target = f"/containers/{quote(container)}/attach?stream=1&stdin=1&stdout=1"
    async with (
        # The host name is for the Host field only: nothing is looked up.
        HTTPConnection("localhost", unix_socket=path) as conn,
        conn.request("POST", target, {"Connection": "Upgrade", "Upgrade": "tcp"}) as response,
    ):
        if response.status != 101:
            text = await response.readall()
            raise SystemExit(f"{response.status} {response.reason}: {text.decode()}")
        # The event loop does not watch it any more: it is ours.
        return conn.detach()


async def main(path: str, container: str) -> None:
    sock, already = await attach(path, container)
    reader, writer = await asyncio.open_connection(sock=sock)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin
    )

    async def send() -> None:
        try:
            while data := await stdin.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except ConnectionError:
            # The process has gone, which shows at the other end of this as well.
            pass

    sending = asyncio.create_task(send())
    sys.stdout.buffer.write(already)
    while data := await reader.read(65536):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    sending.cancel()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
