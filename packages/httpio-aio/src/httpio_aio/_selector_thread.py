"""Readiness of descriptors for event loops that cannot tell it, such as the proactor of Windows.

Knows nothing of httpio. A thread waits in a selector and tells the loop, once for each time that it is
asked to: what is ready stays ready, and would be reported without end. The thread lives as long as
there is something to watch.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class SelectorThread:
    """The four methods of an event loop that watch descriptors.

    They are to be called in the loop's own thread, and so are the callbacks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Final = loop
        #: What is called for each descriptor and direction. Only the loop's thread uses it.
        self._callbacks: Final[dict[tuple[int, int], Callable[[], object]]] = {}
        self._lock: Final = threading.Lock()
        #: What the thread is to watch: direction by descriptor. Under the lock.
        self._wanted: Final[dict[int, int]] = {}
        #: Descriptors that the thread is to forget, even if it is to watch the same numbers again:
        #: they may belong to other files by now. Under the lock.
        self._gone: Final[set[int]] = set()
        #: The end of a socket pair that wakes the thread up, while there is a thread, and the
        #: thread's own end. Under the lock.
        self._wake: socket.socket | None = None
        self._woken: socket.socket | None = None

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Have *callback* called when *fd* can be read, until it is removed."""
        self._add(fd, selectors.EVENT_READ, callback)

    def add_writer(self, fd: int, callback: Callable[[], object]) -> None:
        """Have *callback* called when *fd* can be written, until it is removed."""
        self._add(fd, selectors.EVENT_WRITE, callback)

    def remove_reader(self, fd: int) -> bool:
        """Watch *fd* for reading no more; return whether it was watched."""
        return self._remove(fd, selectors.EVENT_READ)

    def remove_writer(self, fd: int) -> bool:
        """Watch *fd* for writing no more; return whether it was watched."""
        return self._remove(fd, selectors.EVENT_WRITE)

    def _add(self, fd: int, direction: int, callback: Callable[[], object]) -> None:
        self._callbacks[fd, direction] = callback
        self._watch(fd, direction)

    def _watch(self, fd: int, direction: int) -> None:
        with self._lock:
            self._wanted[fd] = self._wanted.get(fd, 0) | direction
            if self._wake is not None:
                self._wake_thread(self._wake)
                return
            self._wake, woken = socket.socketpair()
            self._wake.setblocking(False)
            self._woken = woken
            self._gone.clear()
            thread = threading.Thread(
                target=self._run, args=(woken,), name="httpio selector", daemon=True
            )
        thread.start()

    def _wake_thread(self, wake: socket.socket) -> None:
        try:
            wake.send(b"\0")
        except BlockingIOError:
            # It has been told so often that it did not get round to it yet.
            pass

    def _remove(self, fd: int, direction: int) -> bool:
        was_there = self._callbacks.pop((fd, direction), None) is not None
        with self._lock:
            rest = self._wanted.pop(fd, 0) & ~direction
            if rest:
                self._wanted[fd] = rest
            else:
                self._gone.add(fd)
            wake = self._wake
            if wake is not None:
                if self._callbacks:
                    self._wake_thread(wake)
                else:
                    # Nothing is left to watch: the thread ends, and the next one has its own pair.
                    self._wake = self._woken = None
                    self._wanted.clear()
                    wake.close()
        return was_there

    def _ready(self, fd: int, direction: int) -> None:
        """In the loop: tell who waits for it, and watch it again if it is still wanted."""
        callback = self._callbacks.get((fd, direction))
        if callback is None:
            return
        callback()
        if (fd, direction) in self._callbacks:
            self._watch(fd, direction)

    def _run(self, woken: socket.socket) -> None:
        """Watch in the thread until the other end of *woken* is closed."""
        with woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            watched: dict[int, int] = {}
            while True:
                # Under the lock, a descriptor that is wanted is open: who closes it removes it first.
                with self._lock:
                    if self._woken is not woken:
                        # Another thread has taken over.
                        return
                    wanted = dict(self._wanted)
                    for fd in watched.keys() & (self._gone | watched.keys() - wanted.keys()):
                        selector.unregister(fd)
                        del watched[fd]
                    self._gone.clear()
                    for fd, directions in wanted.items():
                        if fd not in watched:
                            selector.register(fd, directions)
                        elif watched[fd] != directions:
                            selector.modify(fd, directions)
                    watched = wanted
                for key, events in selector.select():
                    if key.fileobj is woken:
                        if not woken.recv(4096):
                            return
                        continue
                    self._report(woken, key.fd, events & watched[key.fd])

    def _report(self, woken: socket.socket, fd: int, events: int) -> None:
        """In the thread: tell the loop what is ready, and watch for it no more."""
        with self._lock:
            if self._woken is not woken or fd in self._gone:
                # It is about another file, or about nothing that anybody waits for.
                return
            rest = self._wanted.pop(fd, 0) & ~events
            if rest:
                self._wanted[fd] = rest
        for direction in (selectors.EVENT_READ, selectors.EVENT_WRITE):
            if events & direction:
                try:
                    self._loop.call_soon_threadsafe(self._ready, fd, direction)
                except RuntimeError:  # the loop was closed
                    return
