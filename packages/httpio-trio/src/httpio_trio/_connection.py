"""`HTTPConnection` for trio: what `httpio._front_end` leaves to the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

from httpio import CloseReason, ConnectionClosed
from httpio._front_end import FrontEnd
from httpio._native import NativeStep

from ._driver import TrioRuntime, descriptor_of

if TYPE_CHECKING:
    from httpio import HTTPResponse, PollGenerator, PollNeeded
    from httpio._native import NativeRuntime

_T = TypeVar("_T")


class HTTPConnection(FrontEnd):
    """A connection to an HTTP/1.1 server, for trio.

    The parameters are those of `httpio.HTTPConnection`, without *timeout*: ``trio.fail_after`` bounds
    what it encloses. The methods are the same, to be awaited where they may have to wait; each of
    these is a checkpoint.

    One task may send while another one receives. A call that is cancelled leaves the connection as
    it was, or closed with `httpio.CloseReason.CANCELLED` if a part of what it was sending had been
    sent. No task is started: nurseries are the caller's.
    """

    def _prepare(self) -> NativeRuntime:
        #: How often other tasks were told to stop waiting, and those that are.
        self._interrupts = 0
        self._scopes: set[trio.CancelScope] = set()
        return TrioRuntime()

    async def _drive(self, steps: PollGenerator[_T], receiving: bool = False) -> _T:
        """Run a coroutine of the core to its end."""
        if receiving:
            if self._is_receiving:
                steps.close()
                raise self._refuse_second_receiver()
            self._is_receiving = True
        interrupts = self._interrupts
        has_waited = False
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            while True:
                needed = next(steps)
                if self._interrupts != interrupts:
                    # What waits for the open connection has raised this itself.
                    raise ConnectionClosed(
                        f"the connection cannot be used: {CloseReason.CLOSED_LOCALLY.value}",
                        reason=CloseReason.CLOSED_LOCALLY,
                    )
                has_waited = True
                await self._wait(needed)
        except StopIteration as exc:
            if not has_waited:
                # Not to be cancelled any more: what was done would be lost.
                await trio.lowlevel.cancel_shielded_checkpoint()
            result: _T = exc.value
            return result
        except BaseException as exc:
            steps.close()
            if isinstance(exc, trio.Cancelled):
                self._core._state.cancelled()
            raise
        finally:
            if receiving:
                self._is_receiving = False

    async def _wait(self, needed: PollNeeded) -> None:
        transport = self._core._transport
        if not transport.closed and transport.poll_in.fd == needed.fd:
            await descriptor_of(needed.fd).wait(needed.mask)
            return
        # A socket that is being connected, say. Nobody tells it that the connection was closed.
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if type(needed) is NativeStep:
                    await needed.perform()
                else:
                    await descriptor_of(needed.fd).wait(needed.mask)
            finally:
                self._scopes.discard(scope)

    def _interrupt_waits(self) -> None:
        self._interrupts += 1
        for scope in self._scopes:
            scope.cancel()

    async def _checkpoint(self) -> None:
        """Let others have a turn."""
        await trio.lowlevel.checkpoint()

    async def _read_response_within(self, seconds: float) -> HTTPResponse | None:
        """Read the head of the next response; `None` if it has not come within *seconds*."""
        with trio.move_on_after(seconds):
            return await self.read_response()
        return None
