"""`AioFuture`: a coroutine of httpio as a future of asyncio."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Final, TypeVar

from ._poller import Descriptor, poller_of

if TYPE_CHECKING:
    from httpio import PollGenerator

_T = TypeVar("_T")


class AioFuture(asyncio.Future[_T]):
    """Runs a coroutine that yields `httpio.PollNeeded` in an asyncio event loop.

    ::

        response = await AioFuture(conn.co_read_response())

    *crt* is begun as soon as the loop is running, not only when this is awaited; *loop* is the event
    loop, by default the one that `asyncio.Future` would take. The result is what *crt* returns, the
    exception what it raises. Cancelling the future closes *crt* and removes what it had registered
    with the loop; what that does to the connection is the same as if the coroutine were dropped.
    """

    def __init__(
        self, crt: PollGenerator[_T], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(loop=loop)
        #: The directions that are waited for.
        self.mask: int = 0
        self._crt: Final = crt
        self._descriptor: Descriptor | None = None
        self._context: Final = copy_context()
        self._poller: Final = poller_of(self.get_loop())
        self.get_loop().call_soon(self._step)

    def wake(self) -> None:
        """Go on: what was waited for is there. For the event loop to call."""
        self._descriptor = None
        self._context.run(self._step)

    def _step(self) -> None:
        if self.done():
            return
        try:
            fd, self.mask = next(self._crt)
            descriptor = self._poller.descriptor(fd)
            descriptor.add(self)
            self._descriptor = descriptor
        except StopIteration as exc:
            self.set_result(exc.value)
        except (KeyboardInterrupt, SystemExit) as exc:
            self._crt.close()
            self.set_exception(exc)
            raise
        except BaseException as exc:  # noqa: BLE001 - whoever awaits this gets it
            self._crt.close()
            self.set_exception(exc)

    def cancel(self, msg: object = None) -> bool:
        """Cancel the future, and close the coroutine; return whether it was not done yet."""
        if not super().cancel(msg):
            return False
        if self._descriptor is not None:
            self._descriptor.discard(self)
            self._descriptor = None
        self._crt.close()
        return True
