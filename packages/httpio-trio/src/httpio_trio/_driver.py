"""How a coroutine of httpio is run by a task of trio. Knows nothing of HTTP.

trio lets one task wait for a descriptor in each direction. A task that sends looks out for an early
answer while another one receives, so `Descriptor` lets several wait for the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import trio

from httpio import POLLIN, POLLOUT
from httpio._native import NativeRuntime
from httpio._transport import before_close

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from httpio import PollGenerator
    from httpio._runtime import AddressInfo

_T = TypeVar("_T")


class _Direction:
    """One direction of a descriptor, which any number of tasks can wait for."""

    __slots__ = ("_fd", "_is_waited_for", "_lot", "_wait")

    def __init__(self, fd: int, wait: Callable[[int], Awaitable[None]]) -> None:
        self._fd: Final = fd
        self._wait: Final = wait
        self._is_waited_for = False
        self._lot: Final = trio.lowlevel.ParkingLot()

    async def wait(self) -> None:
        """Wait until it is ready, or until another task has stopped waiting for it."""
        if self._is_waited_for:
            await self._lot.park()
            return
        self._is_waited_for = True
        try:
            await self._wait(self._fd)
        except trio.ClosedResourceError:
            # The coroutine that waits finds that out, and knows why.
            pass
        finally:
            self._is_waited_for = False
            # One of the others has to do it now, if it is still wanted.
            self._lot.unpark_all()


class Descriptor:
    """A file descriptor that several tasks wait for."""

    __slots__ = ("_closings", "_fd", "_readable", "_waits", "_writable")

    def __init__(self, fd: int) -> None:
        self._fd: Final = fd
        self._readable: Final = _Direction(fd, trio.lowlevel.wait_readable)
        self._writable: Final = _Direction(fd, trio.lowlevel.wait_writable)
        self._waits = 0
        #: How often it was closed; its number is used again.
        self._closings = 0

    async def wait(self, mask: int) -> None:
        """Wait until one of the directions in *mask* is ready, or it is closed. May end too early."""
        self._waits += 1
        before_close[self._fd] = self._close
        try:
            if mask == POLLIN:
                await self._readable.wait()
            elif mask == POLLOUT:
                await self._writable.wait()
            else:
                async with trio.open_nursery() as nursery:
                    for direction in (self._readable, self._writable):
                        nursery.start_soon(
                            self._wait_first, direction, self._closings, nursery.cancel_scope
                        )
        except BaseExceptionGroup as group:
            # A nursery makes a group of a cancellation. Callers of this know nothing of nurseries.
            await trio.lowlevel.checkpoint_if_cancelled()
            raise _only(group) from None
        finally:
            self._waits -= 1
            if not self._waits:
                before_close.pop(self._fd, None)

    async def _wait_first(
        self, direction: _Direction, closings: int, others: trio.CancelScope
    ) -> None:
        # It may have been closed before this began.
        if self._closings == closings:
            await direction.wait()
        others.cancel()

    def _close(self) -> None:
        self._closings += 1
        trio.lowlevel.notify_closing(self._fd)


def _only(exc: BaseException) -> BaseException:
    """Return the exception that *exc* is a group of, if there is only one in it."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc


#: By number, and kept after they were closed: there is nothing in them unless somebody waits.
_descriptors: Final = trio.lowlevel.RunVar[dict[int, Descriptor]]("httpio descriptors")


def descriptor_of(fd: int) -> Descriptor:
    """Return the one object for *fd* in this run of trio."""
    try:
        descriptors = _descriptors.get()
    except LookupError:
        descriptors = {}
        _descriptors.set(descriptors)
    descriptor = descriptors.get(fd)
    if descriptor is None:
        descriptor = descriptors[fd] = Descriptor(fd)
    return descriptor


async def run(coroutine: PollGenerator[_T]) -> _T:
    """Run a coroutine that yields `httpio.PollNeeded` to its end, and return its result.

    ::

        response = await run(conn.co_read_response())

    Raises what *coroutine* raises. When it is cancelled, *coroutine* is closed. It is a checkpoint in
    any case.
    """
    has_waited = False
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            fd, mask = next(coroutine)
            has_waited = True
            await descriptor_of(fd).wait(mask)
    except StopIteration as exc:
        if not has_waited:
            # Not to be cancelled any more: what was done would be lost.
            await trio.lowlevel.cancel_shielded_checkpoint()
        result: _T = exc.value
        return result
    except BaseException:
        coroutine.close()
        raise


class TrioRuntime(NativeRuntime):
    """Has trio look up names and keep the time."""

    async def getaddrinfo(self, hostname: str, port: int) -> Sequence[AddressInfo]:
        found = await trio.socket.getaddrinfo(hostname, port, type=trio.socket.SOCK_STREAM)
        return [(*info[:3], str(info[3]), info[4]) for info in found]

    async def select(
        self, sockets: Sequence[socket.socket], seconds: float | None
    ) -> list[socket.socket]:
        ready: list[socket.socket] = []

        async def wait(sock: socket.socket) -> None:
            await trio.lowlevel.wait_writable(sock)
            ready.append(sock)
            nursery.cancel_scope.cancel()

        timeout = trio.move_on_after(float("inf") if seconds is None else seconds)
        with timeout:
            try:
                async with trio.open_nursery() as nursery:
                    for sock in sockets:
                        nursery.start_soon(wait, sock)
            except BaseExceptionGroup as group:
                # As in `Descriptor.wait`.
                await trio.lowlevel.checkpoint_if_cancelled()
                raise _only(group) from None
        return ready

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)
