"""Tests, for each framework, that large transfers and slow names leave turns to other tasks."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from httpio import BodyFollowing
from tests.support.processes import free_ports, running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from httpio._front_end import FrontEnd

    from .kits import Kit

SIZE = 64 << 20
"""Bytes of a transfer."""
PER_TURN = 16 << 20
"""Bytes after which others must have had a turn."""


@contextmanager
def bulk_server(directory: Path) -> Iterator[int]:
    """Run the server of the benchmarks; hand out its port."""
    program = Path(__file__).parents[2] / "benchmarks" / "bulk_server.py"
    (port,) = free_ports(1)
    with running([sys.executable, program, str(port)], [("127.0.0.1", port)], directory / "log"):
        yield port


async def read(conn: FrontEnd) -> int:
    total = 0
    while piece := await conn.read(1 << 20):
        total += len(piece)
    return total


async def readall(conn: FrontEnd) -> int:
    return len(await conn.readall())


async def readinto(conn: FrontEnd) -> int:
    buffer = bytearray(1 << 20)
    total = 0
    while size := await conn.readinto(buffer):
        total += size
    return total


async def readinto_all(conn: FrontEnd) -> int:
    view = memoryview(bytearray(SIZE))
    total = 0
    while total < SIZE and (size := await conn.readinto(view[total:])):
        total += size
    return total


async def iter_body(conn: FrontEnd) -> int:
    return sum([len(piece) async for piece in conn.iter_body()])


async def discard(conn: FrontEnd) -> int:
    await conn.discard()
    return SIZE


class TurnsTests:
    """To be run with a fixture ``kit``."""

    def count_turns(self, kit: Kit, call: Callable[[], Awaitable[int]]) -> int:
        """Return how many turns another task had during *call*, which transfers `SIZE` bytes."""

        async def main() -> int:
            turns = 0

            async def tick() -> None:
                nonlocal turns
                while True:
                    await kit.turn()
                    turns += 1

            async with kit.jobs() as jobs:
                ticker = jobs.start(tick)
                await kit.turn()
                try:
                    assert await call() == SIZE
                finally:
                    ticker.cancel()
                    await ticker.failure()
            return turns

        return kit.run(main)

    @pytest.mark.parametrize("how", [read, readall, readinto, readinto_all, iter_body, discard])
    def test_download(self, kit: Kit, tmp_path: Path, how: Callable[[FrontEnd], Any]) -> None:
        with bulk_server(tmp_path) as port:

            async def call() -> int:
                async with kit.connection("127.0.0.1", port) as conn:
                    await conn.send_request("GET", f"/{SIZE}")
                    await conn.read_response()
                    size: int = await how(conn)
                    return size

            assert self.count_turns(kit, call) >= SIZE // PER_TURN

    @pytest.mark.parametrize("how", ["write", "sendfile"])
    def test_upload(self, kit: Kit, tmp_path: Path, how: str) -> None:
        with bulk_server(tmp_path) as port, tempfile.TemporaryFile() as file:
            file.truncate(SIZE)

            async def call() -> int:
                async with kit.connection("127.0.0.1", port) as conn:
                    await conn.send_request("PUT", "/", body=BodyFollowing(SIZE))
                    if how == "write":
                        size = await conn.write(bytes(SIZE))
                    else:
                        size = await conn.sendfile(file)
                    assert (await conn.read_response()).status == 204
                    return size

            assert self.count_turns(kit, call) >= SIZE // PER_TURN

    def test_slow_name(self, kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system answers when another task has had its turns, and not before."""
        if kit.name == "uvloop":
            pytest.skip("uvloop asks the system past Python's socket module, in threads of its own")
        others = threading.Event()

        def getaddrinfo(*arguments: object, **__: object) -> object:
            # trio asks itself first whether it is an address, without waiting.
            if not (
                arguments[5:]
                and isinstance(arguments[5], int)
                and arguments[5] & socket.AI_NUMERICHOST
            ):
                assert others.wait(20)
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        async def main() -> None:
            conn = kit.connection("slow.example")
            async with kit.jobs() as jobs:
                job = jobs.start(conn.connect)
                await kit.until(lambda: job.is_waiting)
                for _ in range(100):
                    await kit.turn()
                assert job.is_waiting
                others.set()
                assert "slow.example" in str(await job.failure())

        kit.run(main)
