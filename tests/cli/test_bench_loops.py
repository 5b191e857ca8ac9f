"""The event loop of the load: the fastest, or the one with the finest clock."""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

import pytest

from httpio_cli._bench.loops import loop_for


def test_uvloop_where_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    name, make = loop_for(None)
    assert name == "uvloop"
    loop = make()
    assert isinstance(loop, uvloop.Loop)
    loop.close()


def test_asyncio_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    name, make = loop_for(None)
    assert name == "asyncio"
    make().close()


async def sleep_often(seconds: float, count: int) -> float:
    """Return how long *count* sleeps of *seconds* take on average."""
    begin = perf_counter()
    for _ in range(count):
        await asyncio.sleep(seconds)
    return (perf_counter() - begin) / count


@pytest.mark.skipif(sys.platform != "linux", reason="other selectors are fine enough")
def test_with_a_rate_parts_of_a_millisecond_count() -> None:
    _, fine = loop_for(1000.0)

    def shortest(factory: object) -> float:
        # The least of several: whatever else the machine does makes it longer.
        rounds = []
        for _ in range(10):
            with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]  # either
                rounds.append(runner.run(sleep_often(0.0002, 20)))
        return min(rounds)

    # That of epoll is a whole millisecond at the least.
    assert shortest(fine) < 0.0009
    assert shortest(asyncio.new_event_loop) > 0.0009


def test_fine_loop_hears_sockets_while_it_waits() -> None:
    _, make = loop_for(1000.0)

    async def talk() -> bytes:
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            done.set_result(await reader.readexactly(5))
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.01)
            writer.write(b"hello")
            async with asyncio.timeout(10):
                data = await done
                assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            return data

    with asyncio.Runner(loop_factory=make) as runner:
        assert runner.run(talk()) == b"hello"
