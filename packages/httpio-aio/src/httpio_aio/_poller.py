"""Descriptors that are waited for in an event loop, by any number of coroutines each.

Knows nothing of HTTP. An event loop calls one callback for a descriptor and a direction; here several
can wait for the same, as a sending and a receiving task do. A descriptor for reading that is *kept*
stays registered between two waits, which saves two system calls and more for each: with a server that
answers at once they cost as much as all else.
"""

from __future__ import annotations

import asyncio
import select
from contextvars import Context
from typing import TYPE_CHECKING, Final, Protocol

from httpio import POLLIN, POLLOUT
from httpio._transport import before_close

from ._selector_thread import SelectorThread

if TYPE_CHECKING:
    from collections.abc import Callable

    class Registrar(Protocol):
        """The methods of an event loop that watch descriptors."""

        def add_reader(self, fd: int, callback: Callable[[], object], /) -> None: ...
        def add_writer(self, fd: int, callback: Callable[[], object], /) -> None: ...
        def remove_reader(self, fd: int, /) -> bool: ...
        def remove_writer(self, fd: int, /) -> bool: ...

    class Waiter(Protocol):
        """Somebody who waits: *mask* says for what."""

        mask: int

        def wake(self) -> None:
            """Go on. Called by the event loop, outside of any task."""


class Descriptor:
    """A file descriptor in one event loop."""

    __slots__ = ("_is_reading", "_is_writing", "_poller", "_waiters", "fd", "is_kept")

    def __init__(self, poller: Poller, fd: int) -> None:
        self._poller: Final = poller
        self.fd: Final = fd
        self._waiters: list[Waiter] = []
        self._is_reading = False
        self._is_writing = False
        #: It stays registered for reading when nobody waits, until there is something to be read.
        #: For those that `before_close` tells of.
        self.is_kept = False

    def keep(self) -> None:
        """Stay registered for reading, once that was waited for, until `close` or `release`."""
        self.is_kept = True
        before_close[self.fd] = self.close

    def add(self, waiter: Waiter) -> None:
        """Have *waiter* woken once, when one of the directions in its mask is ready."""
        mask = waiter.mask
        if not (self._is_reading or self._is_writing):
            before_close[self.fd] = self.close
        if self._is_reading and self._poller.forgets_broken and _is_broken(self.fd):
            self._poller.remove_reader(self.fd)
            self._poller.add_reader(self.fd, self._readable)
        if mask & POLLIN and not self._is_reading:
            self._poller.add_reader(self.fd, self._readable)
            self._is_reading = True
        if mask & POLLOUT and not self._is_writing:
            self._poller.add_writer(self.fd, self._writable)
            self._is_writing = True
        self._waiters.append(waiter)

    def discard(self, waiter: Waiter) -> bool:
        """Do not wake *waiter* any more; whatever else waits goes on waiting.

        Returns whether it was waiting: if not, it is about to be woken, or was.
        """
        was_waiting = waiter in self._waiters
        if was_waiting:
            self._waiters.remove(waiter)
        # Who was cancelled leaves nothing behind in the loop.
        self._unregister(keep_reading=False)
        return was_waiting

    def close(self) -> None:
        """Forget the descriptor, which is about to be closed. All who wait are woken soon."""
        waiters, self._waiters = self._waiters, []
        self.release()
        for waiter in waiters:
            # Not now: this is called in the middle of somebody else's task.
            self._poller.call_soon(waiter.wake)

    def release(self) -> None:
        """Stay registered no longer than somebody waits."""
        self.is_kept = False
        self._unregister(keep_reading=False)

    def _readable(self) -> None:
        waiters = self._waiters
        if len(waiters) == 1 and waiters[0].mask & POLLIN:
            # As it nearly always is.
            waiter = waiters.pop()
            if not self.is_kept or self._is_writing:
                self._unregister(keep_reading=self.is_kept)
            waiter.wake()
        else:
            self._ready(POLLIN)

    def _writable(self) -> None:
        self._ready(POLLOUT)

    def _ready(self, direction: int) -> None:
        waiters = self._waiters
        woken = [waiter for waiter in waiters if waiter.mask & direction]
        self._waiters = [waiter for waiter in waiters if not waiter.mask & direction]
        # Before anybody is woken, who may close the descriptor. If nobody waits, what is there to be
        # read would be reported again and again.
        self._unregister(keep_reading=self.is_kept and (bool(woken) or direction == POLLOUT))
        for waiter in woken:
            waiter.wake()

    def _unregister(self, *, keep_reading: bool) -> None:
        """Leave registered what somebody waits for."""
        wanted = 0
        for waiter in self._waiters:
            wanted |= waiter.mask
        if self._is_reading and not wanted & POLLIN and not keep_reading:
            self._is_reading = False
            self._poller.remove_reader(self.fd)
        if self._is_writing and not wanted & POLLOUT:
            self._is_writing = False
            self._poller.remove_writer(self.fd)
        if not (self._is_reading or self._is_writing or self.is_kept):
            if before_close.get(self.fd) == self.close:
                del before_close[self.fd]
            self._poller.forget(self)


def _is_broken(fd: int) -> bool:
    """Tell if the connection at *fd* was reset, or closed in both directions."""
    poll = select.poll()
    # Errors and hang-ups are reported whatever is asked for.
    poll.register(fd, 0)
    return bool(poll.poll(0))


class Poller:
    """The descriptors that are waited for in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        #: uvloop reports a descriptor with an error once, and watches it no more: what came before a
        #: reset would be read, and the reset itself waited for in vain.
        self.forgets_broken: Final = hasattr(select, "poll") and not isinstance(
            loop, asyncio.SelectorEventLoop
        )
        #: Calls since anything was waited for.
        self.calls_in_turn = 0
        self._registrar: Registrar = loop
        self._descriptors: Final[dict[int, Descriptor]] = {}

    def descriptor(self, fd: int) -> Descriptor:
        """Return the one object for *fd* in this loop."""
        descriptor = self._descriptors.get(fd)
        if descriptor is None:
            descriptor = self._descriptors[fd] = Descriptor(self, fd)
        return descriptor

    def forget(self, descriptor: Descriptor) -> None:
        """Nobody waits for *descriptor* any more."""
        if self._descriptors.get(descriptor.fd) is descriptor:
            del self._descriptors[descriptor.fd]

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Register *callback* with whatever watches descriptors here."""
        try:
            # In a context of its own: that of whoever waits first would be kept alive.
            Context().run(self._registrar.add_reader, fd, callback)
        except NotImplementedError:
            self._use_thread().add_reader(fd, callback)

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        """Register *callback* with whatever watches descriptors here."""
        try:
            Context().run(self._registrar.add_writer, fd, callback)
        except NotImplementedError:
            self._use_thread().add_writer(fd, callback)

    def _use_thread(self) -> SelectorThread:
        """This loop cannot watch descriptors: have a thread do it from now on."""
        self._registrar = thread = SelectorThread(self.loop)
        return thread

    def remove_reader(self, fd: int) -> None:
        """Undo `add_reader`."""
        # A loop that is closed watches nothing any more, and need not like being told.
        if not self.loop.is_closed() or self._registrar is not self.loop:
            self._registrar.remove_reader(fd)

    def remove_writer(self, fd: int) -> None:
        """Undo `add_writer`."""
        if not self.loop.is_closed() or self._registrar is not self.loop:
            self._registrar.remove_writer(fd)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have the loop call *callback*, if it still calls anything."""
        if not self.loop.is_closed():
            self.loop.call_soon(callback)


_pollers: Final[dict[asyncio.AbstractEventLoop, Poller]] = {}


def poller_of(loop: asyncio.AbstractEventLoop) -> Poller:
    """Return the one `Poller` of *loop*."""
    poller = _pollers.get(loop)
    if poller is None:
        for other in [*_pollers]:
            if other.is_closed():
                _pollers.pop(other, None)
        poller = _pollers[loop] = Poller(loop)
    return poller
