"""Fetches documents over several connections at once, in one thread and without an event loop.

    python examples/poll_by_hand.py HOST PORT PATH...

A coroutine of httpio yields a `PollNeeded` where a blocking call would block. Here the coroutines,
one for each document, are resumed by nothing but `select.select`. Prints size and path of each.
"""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING, TypeVar

from httpio import POLLIN, POLLOUT, HTTPConnection, PollNeeded, coroutine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio import PollGenerator

_T = TypeVar("_T")

TIMEOUT = 60.0
"""Seconds without a sign of any server after which the program gives up."""


@coroutine
def co_fetch(hostname: str, port: int, path: str) -> PollGenerator[bytes]:
    """Return the document at *path*."""
    with HTTPConnection(hostname, port) as conn:
        yield from conn.co_send_request("GET", path)
        resp = yield from conn.co_read_response()
        assert resp.status == 200
        return (yield from conn.co_readall())


def drive_one(coroutine: PollGenerator[_T]) -> _T:
    """Run one coroutine to its end. This is what `httpio.run` does."""
    while True:
        try:
            poll_needed = next(coroutine)
        except StopIteration as exc:
            result: _T = exc.value
            return result
        if not poll_needed.poll(TIMEOUT):
            raise TimeoutError(f"nothing has happened for {TIMEOUT:.0f} seconds")


def drive_all(coroutines: Sequence[PollGenerator[_T]]) -> list[_T]:
    """Run all *coroutines* side by side, and return their results."""
    results: dict[int, _T] = {}
    waiting: dict[int, PollNeeded] = {}
    runnable = set(range(len(coroutines)))
    while len(results) < len(coroutines):
        for number in runnable:
            try:
                waiting[number] = next(coroutines[number])
            except StopIteration as exc:
                results[number] = exc.value
                waiting.pop(number, None)
        runnable = wait_for_some(waiting) if waiting else set()
    return [results[number] for number in range(len(coroutines))]


def wait_for_some(waiting: dict[int, PollNeeded]) -> set[int]:
    """Return the numbers of the coroutines that can go on, at least one."""
    readers = {poll_needed.fd for poll_needed in waiting.values() if poll_needed.mask & POLLIN}
    writers = {poll_needed.fd for poll_needed in waiting.values() if poll_needed.mask & POLLOUT}
    readable, writable, _ = select.select(readers, writers, (), TIMEOUT)
    if not readable and not writable:
        raise TimeoutError(f"nothing has happened for {TIMEOUT:.0f} seconds")
    return {
        number
        for number, (fd, mask) in waiting.items()
        if (mask & POLLIN and fd in readable) or (mask & POLLOUT and fd in writable)
    }


def main(hostname: str, port: str, first: str, *others: str) -> None:
    documents = [drive_one(co_fetch(hostname, int(port), first))]
    documents += drive_all([co_fetch(hostname, int(port), path) for path in others])
    for path, document in zip((first, *others), documents, strict=True):
        print(len(document), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
