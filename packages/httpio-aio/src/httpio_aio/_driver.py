"""How a coroutine of httpio is run by a task of asyncio.

Knows nothing of HTTP. The task is woken by the event loop's callback itself. With an `asyncio.Future`
in between it would run one turn of the loop later, and in that turn the loop would report again what
the task has not read yet: that costs a system call, and a sixth of the CPU of a small request.
``docs/explanation/decisions.md`` has the figures.

The coroutine goes on in the task and not in the callback, so that a cancellation always finds it where
it waits. What was received and not handed over is then still the connection's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from httpio._native import NativeRuntime

from ._poller import poller_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Sequence
    from contextvars import Context

    from httpio import PollGenerator
    from httpio._runtime import AddressInfo

    from ._poller import Descriptor

_T = TypeVar("_T")


class TaskWaiter:
    """What a task awaits until a descriptor is ready: one task at a time, any number of times.

    It looks like a future to the task (`asyncio.isfuture`), as far as a task looks.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_descriptor",
        "_loop",
        "_message",
        "_wakeup",
        "mask",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Final = loop
        self._asyncio_future_blocking = False
        self._wakeup: Callable[[object], object] | None = None
        self._context: Context | None = None
        self._descriptor: Descriptor | None = None
        self._cancelled = False
        self._message: object = None
        self.mask = 0

    # For who waits

    def wait(self, descriptor: Descriptor, mask: int) -> TaskWaiter:
        """Return what to await until *descriptor* is ready for one of the directions in *mask*."""
        self.mask = mask
        self._cancelled = False
        descriptor.add(self)
        self._descriptor = descriptor
        return self

    def __await__(self) -> Generator[TaskWaiter, None, None]:
        self._asyncio_future_blocking = True
        yield self

    @property
    def is_awaited(self) -> bool:
        """A task waits, and has not been woken."""
        return self._wakeup is not None

    def interrupt(self) -> None:
        """End the wait soon."""
        self._wake_soon()

    def _wake_soon(self) -> None:
        # Once for each wait: a second time would wake the next wait, and leave it registered.
        descriptor = self._descriptor
        if descriptor is not None and descriptor.discard(self) and not self._loop.is_closed():
            # This is called in the middle of somebody else's task, or of a callback.
            self._loop.call_soon(self.wake)

    # For the event loop

    def wake(self) -> None:
        """Run the task that waits, if there is one."""
        wakeup, self._wakeup = self._wakeup, None
        self._descriptor = None
        if wakeup is not None:
            assert self._context is not None
            self._context.run(wakeup, self)

    # For the task

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop, which has to be that of the task."""
        return self._loop

    def add_done_callback(self, callback: Callable[[object], object], *, context: Context) -> None:
        """Remember how the task is woken up."""
        self._wakeup = callback
        self._context = context

    def cancel(self, msg: object = None) -> bool:
        """Stop waiting, because the task is cancelled; return whether it was waiting."""
        if self._wakeup is None:
            return False
        self._cancelled = True
        self._message = msg
        self._wake_soon()
        return True

    def result(self) -> None:
        """Return, or raise the cancellation."""
        if self._cancelled:
            raise (
                asyncio.CancelledError()
                if self._message is None
                else asyncio.CancelledError(self._message)
            )


async def run(coroutine: PollGenerator[_T]) -> _T:
    """Run a coroutine that yields `httpio.PollNeeded` to its end, and return its result.

    ::

        response = await run(conn.co_read_response())

    Raises what *coroutine* raises. When the task is cancelled, *coroutine* is closed. If it does not
    have to wait, other tasks do not get a turn.
    """
    loop = asyncio.get_running_loop()
    waiter = TaskWaiter(loop)
    poller = poller_of(loop)
    try:
        while True:
            needed = next(coroutine)
            await waiter.wait(poller.descriptor(needed[0]), needed[1])
    except StopIteration as exc:
        result: _T = exc.value
        return result
    except BaseException:
        coroutine.close()
        raise


class AsyncioRuntime(NativeRuntime):
    """Has the running event loop look up names and keep the time."""

    async def getaddrinfo(self, hostname: str, port: int) -> Sequence[AddressInfo]:
        import socket

        return await asyncio.get_running_loop().getaddrinfo(hostname, port, type=socket.SOCK_STREAM)

    async def select(
        self, sockets: Sequence[socket.socket], seconds: float | None
    ) -> list[socket.socket]:
        from httpio import POLLOUT

        loop = asyncio.get_running_loop()
        poller = poller_of(loop)
        anything: asyncio.Future[None] = loop.create_future()
        waiters = [_SocketWaiter(sock, anything) for sock in sockets]
        try:
            for waiter in waiters:
                waiter.mask = POLLOUT
                poller.descriptor(waiter.sock.fileno()).add(waiter)
            await asyncio.wait([anything], timeout=seconds)
        finally:
            anything.cancel()
            for waiter in waiters:
                if not waiter.is_ready:
                    poller.descriptor(waiter.sock.fileno()).discard(waiter)
        return [waiter.sock for waiter in waiters if waiter.is_ready]

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _SocketWaiter:
    """One of several sockets, the first of which ends the wait."""

    __slots__ = ("_anything", "is_ready", "mask", "sock")

    def __init__(self, sock: socket.socket, anything: asyncio.Future[None]) -> None:
        self.sock: Final = sock
        self._anything: Final = anything
        self.is_ready = False
        self.mask = 0

    def wake(self) -> None:
        self.is_ready = True
        if not self._anything.done():
            self._anything.set_result(None)
