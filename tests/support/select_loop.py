"""Drives coroutines of httpio with nothing but `select.poll`, several at once in one thread."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    from httpio import PollNeeded

_T = TypeVar("_T")

WAIT_LIMIT = 20.0
"""Seconds without any event after which the coroutines are taken to wait for ever."""


def drive(coroutine: Generator[PollNeeded, None, _T]) -> _T:
    """Run *coroutine* to its end and return its result."""
    return drive_all(coroutine)[0]


def drive_all(*coroutines: Generator[PollNeeded, None, _T]) -> list[_T]:
    """Run all of *coroutines* side by side; return their results, or raise what the first to fail raises."""
    results: dict[int, _T] = {}
    waiting: dict[int, PollNeeded] = {}
    ready = set(range(len(coroutines)))
    while ready:
        for index in ready:
            try:
                waiting[index] = next(coroutines[index])
            except StopIteration as end:
                waiting.pop(index, None)
                results[index] = end.value
        ready = _wait(waiting) if waiting else set()
    return [results[index] for index in range(len(coroutines))]


def _wait(waiting: dict[int, PollNeeded]) -> set[int]:
    masks: dict[int, int] = {}
    for needed in waiting.values():
        masks[needed.fd] = masks.get(needed.fd, 0) | needed.mask
    poll = select.poll()
    for fd, mask in masks.items():
        poll.register(fd, mask)
    events = dict(poll.poll(WAIT_LIMIT * 1000))
    assert events, f"nothing has happened for {WAIT_LIMIT} s; waiting for {waiting}"
    failed = select.POLLERR | select.POLLHUP | select.POLLNVAL
    return {
        index
        for index, needed in waiting.items()
        if events.get(needed.fd, 0) & (needed.mask | failed)
    }
