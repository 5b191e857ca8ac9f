"""Drive httpio's coroutines as badly as the contract allows, and see what they leave behind."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    from httpio._coroutine import PollGenerator

_T = TypeVar("_T")

PATIENCE = 30.0
"""Seconds until something that is bound to happen is taken to have failed. Far more than it needs."""


def run_spuriously(coroutine: PollGenerator[_T]) -> _T:
    """Return the result of *coroutine*, which is resumed twice too early at each yield."""
    try:
        while True:
            for _ in range(2):
                next(coroutine)
            assert next(coroutine).poll(PATIENCE), "the coroutine waits for what never comes"
    except StopIteration as exc:
        result: _T = exc.value
        return result


def open_descriptors() -> set[int]:
    """Return the file descriptors that this process has open."""
    found: set[int] = set()
    for fd in map(int, os.listdir("/dev/fd")):
        try:
            os.fstat(fd)
        except OSError:  # that of the listing itself
            continue
        found.add(fd)
    return found


@contextmanager
def no_descriptor_left() -> Generator[None]:
    """Check that everything that is opened in the block is closed soon after, by threads too."""
    before = open_descriptors()
    yield
    give_up = time.monotonic() + PATIENCE
    while (after := open_descriptors()) != before:
        assert time.monotonic() < give_up, f"left open: {sorted(after - before)}"
        time.sleep(0.005)
