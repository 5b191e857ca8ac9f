"""A TCP proxy on loopback that makes every byte late, as a long line does, and takes nothing from the throughput.

Each direction holds what arrives for half the round-trip time, in order. The handshake of a new
connection, which the kernel finishes without asking us, is paid for by the first bytes that the
client sends: they are late by a whole round trip more.

Run as a program it prints the port that it listens on, and serves until its standard input ends::

    python delay_proxy.py --rtt 0.02 127.0.0.1 8080

`delay_proxy` runs it so, in a process whose CPU time is not the client's. This file imports nothing
but the standard library, so that it can be used by its path.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_SIZE = 256 * 1024

HELD_PIECES = 256
"""Pieces that one direction holds before it stops receiving; many times what passes in a round trip."""


async def _receive(
    reader: asyncio.StreamReader,
    held: asyncio.Queue[tuple[float, bytes]],
    delay: float,
    not_before: float,
) -> None:
    loop = asyncio.get_running_loop()
    data = b"more"
    while data:
        data = await reader.read(PIECE_SIZE)
        await held.put((max(loop.time() + delay, not_before), data))


async def _send_later(
    writer: asyncio.StreamWriter, held: asyncio.Queue[tuple[float, bytes]]
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await held.get()
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        if not data:
            break
        writer.write(data)
        await writer.drain()
    # The end of one direction says nothing about the other.
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Proxy:
    """Joins each client with a connection of its own to the server."""

    def __init__(self, host: str, port: int, rtt: float) -> None:
        self._host = host
        self._port = port
        self._rtt = rtt

    async def serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until both directions have ended."""
        # Cancelled when the program ends; asyncio would print that.
        with suppress(asyncio.CancelledError):
            await self._join(reader, writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = asyncio.get_running_loop().time()
        writers = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection(
                self._host, self._port, limit=PIECE_SIZE
            )
            writers.append(server_writer)
            requests: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_PIECES)
            responses: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_PIECES)
            delay = self._rtt / 2
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_receive(reader, requests, delay, accepted + self._rtt + delay))
                tasks.create_task(_send_later(server_writer, requests))
                tasks.create_task(_receive(server_reader, responses, delay, 0.0))
                tasks.create_task(_send_later(writer, responses))
        except* OSError:
            # One side is gone or cannot be reached: the other side sees a reset, as without us.
            for one in writers:
                _reset(one)
        finally:
            for one in writers:
                one.close()


async def _serve(host: str, port: int, rtt: float) -> None:
    proxy = _Proxy(host, port, rtt)
    server = await asyncio.start_server(proxy.serve_client, "127.0.0.1", 0, limit=PIECE_SIZE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()


def main() -> None:
    """Run the proxy as the command line says."""
    parser = argparse.ArgumentParser(
        description="A TCP proxy on loopback that delays what it forwards."
    )
    parser.add_argument("--rtt", type=float, default=0.02, help="round-trip time in seconds")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.host, arguments.port, arguments.rtt))


@contextmanager
def delay_proxy(port: int, rtt: float, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Run a proxy in front of *host*:*port* while the block runs, and hand out the port that it listens on.

    *rtt*: simulated round-trip time in seconds.
    """
    command = [sys.executable, __file__, "--rtt", str(rtt), host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the delaying proxy ended with code {process.wait()}")
            yield int(line)
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    main()
