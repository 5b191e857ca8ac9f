"""Steps that an async framework takes: yielded by a coroutine, awaited by a driver."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from httpio._coroutine import coroutine
from httpio._native import NativeRuntime, NativeStep, co_await

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from typing import TypeVar

    from httpio._coroutine import PollGenerator
    from httpio._runtime import AddressInfo

    _T = TypeVar("_T")


async def drive(steps: PollGenerator[_T]) -> _T:
    """Run a coroutine that yields nothing else than native steps."""
    try:
        while True:
            step = next(steps)
            assert type(step) is NativeStep
            await step.perform()
    except StopIteration as end:
        result: _T = end.value
        return result


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


class Failure(Exception):
    pass


async def fail() -> int:
    await asyncio.sleep(0)
    raise Failure


def test_result() -> None:
    assert asyncio.run(drive(co_await(answer))) == 42


def test_exception_is_raised_where_the_coroutine_can_handle_it() -> None:
    @coroutine
    def co_handle() -> PollGenerator[str]:
        try:
            yield from co_await(fail)
        except Failure:
            return "handled"
        raise AssertionError

    assert asyncio.run(drive(co_handle())) == "handled"
    with pytest.raises(Failure):
        asyncio.run(drive(co_await(fail)))


def test_exception_does_not_hold_itself() -> None:
    failures: list[weakref.ref[Failure]] = []

    async def check() -> None:
        try:
            await drive(co_await(fail))
        except Failure as exc:
            failures.append(weakref.ref(exc))

    gc.disable()
    try:
        asyncio.run(check())
        assert failures[0]() is None
    finally:
        gc.enable()


def test_too_early_is_once_more() -> None:
    steps = co_await(answer)
    step = next(steps)
    assert next(steps) is step
    asyncio.run(drive(steps))


def test_a_driver_that_does_not_know_it_waits_for_no_descriptor() -> None:
    fd, mask = next(co_await(answer))
    assert (fd, mask) == (-1, 0)


def test_cancelled_while_it_is_awaited() -> None:
    async def check() -> None:
        step = next(co_await(asyncio.Event().wait))
        assert type(step) is NativeStep
        task = asyncio.create_task(step.perform())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not step.is_done

    asyncio.run(check())


class Runtime(NativeRuntime):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    async def getaddrinfo(self, hostname: str, port: int) -> Sequence[AddressInfo]:
        self.calls.append((hostname, port))
        return []

    async def select(
        self, sockets: Sequence[socket.socket], seconds: float | None
    ) -> list[socket.socket]:
        self.calls.append((sockets, seconds))
        return []

    async def sleep(self, seconds: float) -> None:
        self.calls.append(seconds)


def test_runtime_asks_the_framework() -> None:
    runtime = Runtime()

    async def check() -> None:
        assert await drive(runtime.co_getaddrinfo("name", 1)) == []
        assert await drive(runtime.co_select({}, 2)) == []
        await drive(runtime.co_sleep(3))

    asyncio.run(check())
    assert runtime.calls == [("name", 1), ((), 2), 3]
