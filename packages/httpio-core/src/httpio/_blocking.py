"""Drivers that block: `run` for coroutines, `cofunction` for the documents' cofunctions.

Know the coroutine contract, nothing of HTTP.
"""

from __future__ import annotations

from time import monotonic

from ._coroutine import POLLIN, PollNeeded
from ._exceptions import ConnectionTimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from ._coroutine import PollGenerator

    _T = TypeVar("_T")


def run(
    coroutine: PollGenerator[_T], timeout: float | None = None, deadline: float | None = None
) -> _T:
    """Drive *coroutine* to its end, blocking where it would, and return its result.

    *timeout* is the longest that one wait may take, in seconds; 0 means not to wait at all, `None`
    to wait for ever. *deadline* is the longest that all of it may take, in seconds from now.
    Raises `ConnectionTimedOut` if a wait takes longer, and whatever *coroutine* raises.
    """
    try:
        if deadline is None:
            while True:
                poll_needed = next(coroutine)
                if not poll_needed.poll(timeout):
                    raise _timed_out(coroutine, timeout)
        end = monotonic() + deadline
        late = False
        while True:
            poll_needed = next(coroutine)
            rest = end - monotonic()
            if timeout is not None and timeout < rest:
                if not poll_needed.poll(timeout):
                    raise _timed_out(coroutine, timeout)
            # Past the deadline, what is ready may be used once more, or a deadline of 0 would be of
            # no use. More often, a peer that never pauses would keep us for ever.
            elif late or not poll_needed.poll(rest):
                raise _past_deadline(coroutine, deadline)
            else:
                late = rest <= 0
    except StopIteration as exc:
        result: _T = exc.value
        return result
    except BaseException:
        # An interrupt while waiting: what is kept of it must not keep the coroutine half-way.
        coroutine.close()
        raise


def _timed_out(coroutine: PollGenerator[_T], seconds: float | None) -> ConnectionTimedOut:
    # What was under way is given up here, and not whenever the garbage collector comes by.
    coroutine.close()
    return ConnectionTimedOut(f"nothing happened on the connection for {seconds} seconds")


def _past_deadline(coroutine: PollGenerator[_T], seconds: float) -> ConnectionTimedOut:
    coroutine.close()
    return ConnectionTimedOut(f"what was to be done within {seconds} seconds was not finished")


def cofunction(
    coroutine: PollGenerator[_T],
    response_arrived: Callable[[], bool | None],
    timeout: float | None,
) -> Generator[None, None, _T]:
    """Drive a sending *coroutine*, but suspend whenever *response_arrived* returns `True`.

    It returns `None` where no response can arrive. The caller is to read from the connection while
    the cofunction is suspended. Where neither is possible, sending or reading, it blocks for
    *timeout* seconds at the most. Returns the result of *coroutine*.
    """
    try:
        while True:
            while response_arrived():
                yield
            try:
                fd, mask = next(coroutine)
            except StopIteration as exc:
                result: _T = exc.value
                return result
            arrived = response_arrived()
            if arrived is False:
                mask |= POLLIN
            if not arrived and not PollNeeded(fd, mask).poll(timeout):
                raise _timed_out(coroutine, timeout)
    finally:
        coroutine.close()
