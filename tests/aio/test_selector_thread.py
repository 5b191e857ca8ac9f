"""The thread that watches descriptors for loops which cannot: it ends, and is not fooled by numbers that come again."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from httpio_aio._selector_thread import SelectorThread
from tests.support.aio import KITS
from tests.support.operations import small_server

if TYPE_CHECKING:
    from collections.abc import Callable


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "httpio selector"]


async def until(happened: Callable[[], object]) -> None:
    while not happened():  # noqa: ASYNC110 - a thread makes it happen
        await asyncio.sleep(0)


def fill(sock: socket.socket) -> None:
    while True:
        sock.send(b"\0")


async def is_ready(watcher: SelectorThread, sock: socket.socket) -> None:
    """Wait until *sock* can be read."""
    event = asyncio.Event()
    fd = sock.fileno()
    watcher.add_reader(fd, event.set)
    try:
        await event.wait()
    finally:
        watcher.remove_reader(fd)


def test_thread_ends_when_nothing_is_watched() -> None:
    async def main() -> None:
        watcher = SelectorThread(asyncio.get_running_loop())
        near, far = socket.socketpair()
        with near, far:
            for _ in range(20):
                calls: list[str] = []
                watcher.add_reader(near.fileno(), lambda: calls.append("r"))  # noqa: B023
                watcher.add_writer(near.fileno(), lambda: calls.append("w"))  # noqa: B023
                assert threads()
                await until(lambda: "w" in calls)  # noqa: B023
                assert watcher.remove_writer(near.fileno())
                far.send(b"x")
                await until(lambda: "r" in calls)  # noqa: B023
                near.recv(1)
                assert watcher.remove_reader(near.fileno())
                assert not watcher.remove_reader(near.fileno())
                await until(lambda: not threads())

    asyncio.run(main())


def test_ready_again_and_again_until_removed() -> None:
    async def main() -> None:
        watcher = SelectorThread(asyncio.get_running_loop())
        near, far = socket.socketpair()
        with near, far:
            calls: list[None] = []
            far.send(b"x")
            watcher.add_reader(near.fileno(), lambda: calls.append(None))
            await until(lambda: len(calls) > 5)
            watcher.remove_reader(near.fileno())
            count = len(calls)
            await until(lambda: not threads())
            assert len(calls) == count

    asyncio.run(main())


def test_number_that_comes_again() -> None:
    """A descriptor is closed and its number used again before the thread looks."""

    async def main() -> None:
        watcher = SelectorThread(asyncio.get_running_loop())
        kept, other = socket.socketpair()
        with kept, other:
            # So that the thread lives on.
            watcher.add_reader(kept.fileno(), lambda: None)
            for _ in range(500):
                near, far = socket.socketpair()
                number = near.fileno()
                watcher.add_reader(number, lambda: None)
                # Sometimes it has seen that one.
                await asyncio.sleep(0)
                watcher.remove_reader(number)
                near.close()
                far.close()
                near, far = socket.socketpair()
                assert near.fileno() == number
                with near, far:
                    waiting = asyncio.create_task(is_ready(watcher, near))
                    await asyncio.sleep(0)
                    far.send(b"x")
                    await waiting
            watcher.remove_reader(kept.fileno())
            await until(lambda: not threads())

    asyncio.run(main())


def test_removed_and_closed_while_the_thread_registers() -> None:
    async def main() -> None:
        watcher = SelectorThread(asyncio.get_running_loop())
        kept, other = socket.socketpair()
        with kept, other:
            watcher.add_reader(kept.fileno(), lambda: None)
            for number in range(3000):
                near, far = socket.socketpair()
                watcher.add_reader(near.fileno(), lambda: None)
                if number % 3 == 0:
                    watcher.add_writer(near.fileno(), lambda: None)
                    watcher.remove_writer(near.fileno())
                watcher.remove_reader(near.fileno())
                near.close()
                far.close()
                if number % 100 == 0:
                    await asyncio.sleep(0)
            # It has survived that.
            waiting = asyncio.create_task(is_ready(watcher, kept))
            await asyncio.sleep(0)
            other.send(b"x")
            await waiting
            await until(lambda: not threads())

    asyncio.run(main())


def test_more_is_added_than_the_thread_gets_round_to() -> None:
    """More than the pair of sockets that wakes it up can hold."""

    async def main() -> None:
        watcher = SelectorThread(asyncio.get_running_loop())
        near, far = socket.socketpair()
        with near, far:
            watcher.add_reader(near.fileno(), lambda: None)
            wake = watcher._wake
            assert wake is not None
            # So that the thread cannot go on.
            watcher._lock.acquire()
            try:
                wake.send(b"\0")
                with pytest.raises(BlockingIOError):
                    fill(wake)
                watcher._wake_thread(wake)
            finally:
                watcher._lock.release()
            waiting = asyncio.create_task(is_ready(watcher, near))
            await asyncio.sleep(0)
            far.send(b"x")
            await waiting
            await until(lambda: not threads())

    asyncio.run(main())


def test_many_connections() -> None:
    kit = KITS["thread"]
    count, requests = 60, 10
    with small_server() as server:

        async def exchange(name: int) -> None:
            async with kit.connection_to(server) as conn:
                for number in range(requests):
                    if number % 4 == 3:
                        conn.close()
                    async with conn.request("GET", f"/{name}/{number}") as response:
                        assert await response.readall() == f"/{name}/{number}".encode()

        async def main() -> None:
            async with asyncio.TaskGroup() as tasks:
                for name in range(count):
                    tasks.create_task(exchange(name))

        kit.run(main)
        assert len(server.asked) == count * requests
    assert len({asked.path for asked in server.asked}) == count * requests


def test_loop_is_closed_meanwhile() -> None:
    """The thread tells nobody then, and ends when the descriptor is closed."""
    near, far = socket.socketpair()
    with near, far:
        loop = KITS["thread"]._loop()
        watcher = SelectorThread(loop)
        watcher.add_reader(near.fileno(), lambda: None)
        loop.close()
        far.send(b"x")
        watcher.remove_reader(near.fileno())
        for thread in threads():
            thread.join(10)
        assert not threads()
