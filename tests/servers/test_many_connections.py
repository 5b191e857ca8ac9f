"""A thousand connections in one process lose nothing, and need no more memory than they should."""

from __future__ import annotations

import asyncio
import re
import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio

import httpio_aio
import httpio_trio
from tests.support.coroutines import PATIENCE
from tests.support.fix_servers import endpoints
from tests.support.servers import Transport, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpio._front_end import FrontEnd
    from tests.support.fix_servers import Endpoint

pytestmark = pytest.mark.exhaustive

CONNECTIONS = 1000
REQUESTS = 100
MEMORY_LIMIT = 256 << 20
"""Bytes that the process may grow by."""


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Allow the process so many descriptors, or skip."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this process may have {hard} descriptors at the most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident() -> int:
    """Return the memory of this process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def lines_behind(log: Path, position: int) -> list[str]:
    """Return which requests were logged behind *position*."""
    with log.open() as file:
        file.seek(position)
        return re.findall(r'"GET /status/204\?(\d+-\d+) HTTP/1.1" 204', file.read())


async def converse(conn: FrontEnd, name: int) -> None:
    """Make all the requests of one connection, of which a part are pipelined by hand."""
    for start in range(0, REQUESTS, 10):
        paths = [f"/status/204?{name}-{number}" for number in range(start, start + 10)]
        for path in paths:
            await conn.send_request("GET", path)
        for path in paths:
            response = await conn.read_response()
            assert (response.path, response.status) == (path, 204)
            assert await conn.readall() == b""
    await conn.aclose()


def run_asyncio(port: int) -> None:
    async def main() -> None:
        conns = [httpio_aio.HTTPConnection("127.0.0.1", port) for _ in range(CONNECTIONS)]
        for conn in conns:
            await conn.connect()
        async with asyncio.TaskGroup() as tasks:
            for name, conn in enumerate(conns):
                tasks.create_task(converse(conn, name))

    asyncio.run(main())


def run_trio(port: int) -> None:
    async def main() -> None:
        conns = [httpio_trio.HTTPConnection("127.0.0.1", port) for _ in range(CONNECTIONS)]
        for conn in conns:
            await conn.connect()
        async with trio.open_nursery() as nursery:
            for name, conn in enumerate(conns):
                nursery.start_soon(converse, conn, name)

    trio.run(main)


@endpoints(Variant.NORMAL, transports=[Transport.PLAIN], servers=["nginx"])
@pytest.mark.parametrize("run", [run_asyncio, run_trio], ids=["asyncio", "trio"])
def test_nothing_is_lost(endpoint: Endpoint, run: object) -> None:
    address = endpoint.address
    assert not isinstance(address, str)
    assert callable(run)
    log = endpoint.server.workspace.directory / "access.log"
    before = log.stat().st_size if log.exists() else 0
    with descriptors(CONNECTIONS + 200):
        memory = resident()
        run(address[1])
        grown = resident() - memory
    assert grown < MEMORY_LIMIT
    give_up = time.monotonic() + PATIENCE
    # A line is written after the response was sent.
    while len(logged := lines_behind(log, before)) < CONNECTIONS * REQUESTS:
        assert time.monotonic() < give_up, f"only {len(logged)} requests were logged"
    expected = {f"{name}-{number}" for name in range(CONNECTIONS) for number in range(REQUESTS)}
    assert len(logged) == CONNECTIONS * REQUESTS
    assert set(logged) == expected
