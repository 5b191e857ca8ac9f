"""What threads do for a coroutine: names, races and time."""

from __future__ import annotations

import socket
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from httpio._blocking import run
from httpio._runtime import THREADS
from tests.support.coroutines import PATIENCE, no_descriptor_left, run_spuriously

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio._coroutine import PollGenerator


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """Return a socket that takes nothing until its peer reads."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        try:
            while True:
                near.send(bytes(65536))
        except BlockingIOError:
            yield near


@pytest.fixture
def empty() -> Iterator[socket.socket]:
    """Return a socket that takes something at once."""
    near, far = socket.socketpair()
    with near, far:
        yield near


def test_addresses() -> None:
    found = run(THREADS.co_getaddrinfo("127.0.0.1", 80))
    assert [(info[1], info[4]) for info in found] == [(socket.SOCK_STREAM, ("127.0.0.1", 80))]


def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(UnicodeError):
        run(THREADS.co_getaddrinfo("a" * 300, 80))


@pytest.mark.parametrize("drive", [run, run_spuriously])
def test_those_that_can_be_written(
    full: socket.socket,
    empty: socket.socket,
    drive: Callable[[PollGenerator[list[socket.socket]]], list[socket.socket]],
) -> None:
    assert drive(THREADS.co_select([full, empty], None)) == [empty]


def test_the_time_is_up_before_one_can(full: socket.socket) -> None:
    assert run(THREADS.co_select([full], 0.01)) == []
    assert run(THREADS.co_select([], 0)) == []


def test_nobody_waits_any_more(full: socket.socket) -> None:
    selecting = THREADS.co_select([full], None)
    assert not next(selecting).poll(0)
    selecting.close()


def test_time() -> None:
    begin = monotonic()
    run(THREADS.co_sleep(0.01), PATIENCE)
    assert monotonic() - begin >= 0.01
