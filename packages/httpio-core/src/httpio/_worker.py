"""Work that can only be done by blocking, for coroutines that must not block.

Knows nothing of HTTP. The work runs in a daemon thread of its own, which wakes the coroutine through
a socket pair: a descriptor is all that a `PollNeeded` can wait for.
"""

from __future__ import annotations

import _thread
import errno
import socket

from ._coroutine import POLLIN, PollNeeded, coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ._coroutine import PollGenerator

    _T = TypeVar("_T")


@coroutine
def co_in_thread(
    work: Callable[[socket.socket], _T], discard: Callable[[_T], object] | None = None
) -> PollGenerator[_T]:
    """Call *work* in a thread; return what it returns, raise what it raises.

    *work* gets a socket that becomes readable when the coroutine was dropped and nobody waits for
    the result any more. A result that comes too late is handed to *discard*, in whichever thread
    that happens.

    Raises `OSError` if no thread or no socket pair is to be had; *work* is not called then.
    """
    near, far = socket.socketpair()
    # Held while the result changes hands, so that it is either returned or discarded.
    lock = _thread.allocate_lock()
    results: list[_T] = []
    errors: list[BaseException] = []
    dropped = False

    def run() -> None:
        try:
            result = work(far)
            with lock:
                if not dropped:
                    results.append(result)
                    return
            if discard is not None:
                discard(result)
        except BaseException as exc:  # noqa: BLE001 - raised again where it can be handled
            errors.append(exc)
        finally:
            _hang_up(far)

    try:
        try:
            _thread.start_new_thread(run, ())
        except RuntimeError as exc:
            far.close()
            # Not EAGAIN, which pthreads have for it: Python makes that a BlockingIOError.
            raise OSError(errno.ENOMEM, f"cannot start a thread: {exc}") from exc
        while not (results or errors):
            yield PollNeeded(near.fileno(), POLLIN)
        if errors:
            raise errors.pop()
        return results.pop()
    finally:
        with lock:
            dropped = True
        _hang_up(near)
        if results and discard is not None:
            discard(results.pop())


def _hang_up(sock: socket.socket) -> None:
    """Close *sock* so that the other end notices, even if a forked child has inherited a copy."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other end was faster
        pass
    sock.close()
