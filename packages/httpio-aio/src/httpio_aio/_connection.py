"""`HTTPConnection` for asyncio: what `httpio._front_end` leaves to the framework."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from httpio import CloseReason, ConnectionClosed
from httpio._front_end import FrontEnd
from httpio._native import NativeStep

from ._driver import AsyncioRuntime, TaskWaiter
from ._poller import poller_of

if TYPE_CHECKING:
    from httpio import HTTPResponse, PollGenerator, PollNeeded
    from httpio._native import NativeRuntime
    from httpio._transport import Transport

    from ._poller import Descriptor, Poller

_T = TypeVar("_T")

#: After so many calls in a row that did not have to wait, whatever they were for, others get a turn.
_CALLS_PER_TURN: Final = 16


class HTTPConnection(FrontEnd):
    """A connection to an HTTP/1.1 server, for asyncio.

    The parameters are those of `httpio.HTTPConnection`, without *timeout*: `asyncio.timeout` bounds
    what it encloses. The methods are the same, to be awaited where they may have to wait.

    One task may send while another one receives. A call that is cancelled leaves the connection as
    it was, or closed with `httpio.CloseReason.CANCELLED` if a part of what it was sending had been
    sent. All is for one event loop at a time.
    """

    def _prepare(self) -> NativeRuntime:
        #: The event loop that the last wait was in, and what there is for it.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poller: Poller | None = None
        self._sending_waiter: TaskWaiter | None = None
        self._receiving_waiter: TaskWaiter | None = None
        #: The network connection in use, and its descriptor, which stays registered.
        self._transport: Transport | None = None
        self._descriptor: Descriptor | None = None
        #: How often other tasks were told to stop waiting.
        self._interrupts = 0
        self._native_tasks: set[asyncio.Task[None]] = set()
        return AsyncioRuntime()

    async def _drive(self, steps: PollGenerator[_T], receiving: bool = False) -> _T:
        """Run a coroutine of the core to its end."""
        if receiving:
            if self._is_receiving:
                steps.close()
                raise self._refuse_second_receiver()
            self._is_receiving = True
        interrupts = self._interrupts
        try:
            loop = asyncio.get_running_loop()
            poller = self._poller if loop is self._loop else self._enter(loop)
            assert poller is not None
            poller.calls_in_turn += 1
            if poller.calls_in_turn > _CALLS_PER_TURN:
                # Before anything is done: a cancellation here must not lose a result.
                poller.calls_in_turn = 0
                await asyncio.sleep(0)
            while True:
                needed = next(steps)
                if self._interrupts != interrupts:
                    # What waits for the open connection has raised this itself.
                    raise ConnectionClosed(
                        f"the connection cannot be used: {CloseReason.CLOSED_LOCALLY.value}",
                        reason=CloseReason.CLOSED_LOCALLY,
                    )
                poller.calls_in_turn = 0
                if type(needed) is NativeStep:
                    await self._perform(needed)
                else:
                    await self._waiter(needed, receiving)
        except StopIteration as exc:
            result: _T = exc.value
            return result
        except BaseException as exc:
            steps.close()
            if isinstance(exc, asyncio.CancelledError):
                self._core._state.cancelled()
            raise
        finally:
            if receiving:
                self._is_receiving = False

    def _waiter(self, needed: PollNeeded, receiving: bool) -> TaskWaiter:
        """Return what to await until *needed* is there."""
        transport = self._core._transport
        if transport is not self._transport:
            self._watch(transport)
        fd, mask = needed
        descriptor = self._descriptor
        if descriptor is None or descriptor.fd != fd:
            # A socket that is being connected, say.
            assert self._poller is not None
            descriptor = self._poller.descriptor(fd)
        waiter = self._receiving_waiter if receiving else self._sending_waiter
        if waiter is None or waiter.is_awaited:
            waiter = TaskWaiter(asyncio.get_running_loop())
            if receiving:
                self._receiving_waiter = waiter
            else:
                self._sending_waiter = waiter
        return waiter.wait(descriptor, mask)

    def _enter(self, loop: asyncio.AbstractEventLoop) -> Poller:
        """Wait in *loop* from now on."""
        if self._descriptor is not None:
            self._descriptor.release()
        self._transport = self._descriptor = None
        self._sending_waiter = self._receiving_waiter = None
        self._loop = loop
        self._poller = poller = poller_of(loop)
        return poller

    def _watch(self, transport: Transport) -> None:
        """Keep the descriptor of *transport* registered from now on."""
        if self._descriptor is not None:
            self._descriptor.release()
        self._transport = transport
        self._descriptor = None
        if not transport.closed:
            assert self._poller is not None
            self._descriptor = self._poller.descriptor(transport.sock.fileno())
            self._descriptor.keep()

    async def _perform(self, step: NativeStep) -> None:
        """Await *step*, until somebody closes the connection."""
        this = asyncio.current_task()
        assert this is not None
        interrupts, cancellations = self._interrupts, this.cancelling()
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(step.perform())
        self._native_tasks.add(task)
        try:
            # Cancels it when this is cancelled, and lets it end before the sockets are closed.
            await task
        except asyncio.CancelledError:
            # Both may have happened.
            if self._interrupts == interrupts or this.cancelling() > cancellations:
                raise
        finally:
            self._native_tasks.discard(task)

    def _interrupt_waits(self) -> None:
        self._interrupts += 1
        for waiter in (self._sending_waiter, self._receiving_waiter):
            if waiter is not None:
                waiter.interrupt()
        for task in self._native_tasks:
            task.cancel()

    async def _checkpoint(self) -> None:
        """Do nothing: asyncio has no such rule."""

    async def _read_response_within(self, seconds: float) -> HTTPResponse | None:
        """Read the head of the next response; `None` if it has not come within *seconds*."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self.read_response()
        except TimeoutError:
            if not limit.expired():
                raise
            return None
