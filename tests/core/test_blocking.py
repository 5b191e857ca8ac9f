"""The drivers that block. What they wait for here is there at once, or never comes."""

from __future__ import annotations

import itertools
import socket
from typing import TYPE_CHECKING

import pytest

from httpio._blocking import cofunction, run
from httpio._coroutine import POLLIN, POLLOUT, PollNeeded, coroutine
from httpio._exceptions import ConnectionTimedOut, HTTPIOError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from httpio._coroutine import PollGenerator

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two connected sockets that do not block."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


@coroutine
def co_receive(
    sock: socket.socket, size: int, log: list[str] | None = None
) -> PollGenerator[bytes]:
    """Receive *size* bytes; note in *log* how it went on."""
    log = [] if log is None else log
    received = b""
    try:
        while len(received) < size:
            try:
                received += sock.recv(size - len(received))
            except BlockingIOError:
                log.append("waits")
                yield PollNeeded(sock.fileno(), POLLIN)
        log.append("done")
        return received
    finally:
        log.append("closed")


@coroutine
def co_wait(needed: PollNeeded, times: int) -> PollGenerator[int]:
    """Wait *times* times, whether or not there is anything to wait for."""
    for _ in range(times):
        yield needed
    return times


def endless(needed: PollNeeded) -> PollGenerator[None]:
    """Wait for what is always there."""
    while True:
        yield needed


# run()


def test_run_returns_the_result(ends: Ends) -> None:
    left, right = ends
    right.send(b"hello")
    assert run(co_receive(left, 5)) == b"hello"


def test_run_needs_not_wait_at_all(ends: Ends) -> None:
    assert run(co_wait(PollNeeded(ends[0].fileno(), POLLIN), 0), timeout=0) == 0


def test_run_waits_as_often_as_it_is_told(ends: Ends) -> None:
    writable = PollNeeded(ends[0].fileno(), POLLOUT)
    for timeout in (None, 0, 30):
        assert run(co_wait(writable, 3), timeout) == 3
        assert run(co_wait(writable, 3), timeout, deadline=30) == 3


def test_run_raises_what_the_coroutine_raises(ends: Ends) -> None:
    @coroutine
    def co_fail() -> PollGenerator[None]:
        yield PollNeeded(ends[0].fileno(), POLLOUT)
        raise LookupError("from inside")

    for deadline in (None, 30):
        with pytest.raises(LookupError, match="from inside"):
            run(co_fail(), deadline=deadline)


@pytest.mark.parametrize(("timeout", "deadline"), [(0, None), (0.001, None), (0, 30), (0.001, 30)])
def test_run_times_out_on_a_wait(ends: Ends, timeout: float, deadline: float | None) -> None:
    log: list[str] = []
    receiving = co_receive(ends[0], 5, log)
    with pytest.raises(
        ConnectionTimedOut, match=rf"nothing happened .* {timeout} seconds"
    ) as caught:
        run(receiving, timeout, deadline)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, HTTPIOError)
    # What was under way is given up at once.
    assert log == ["waits", "closed"]
    assert list(receiving) == []


@pytest.mark.parametrize(
    ("timeout", "deadline"), [(None, 0), (None, 0.001), (30, 0.001), (0, 0), (30, -1)]
)
def test_run_times_out_on_the_whole(ends: Ends, timeout: float | None, deadline: float) -> None:
    log: list[str] = []
    with pytest.raises(ConnectionTimedOut, match=rf"within {deadline} seconds was not finished"):
        run(co_receive(ends[0], 5, log), timeout, deadline)
    assert log == ["waits", "closed"]


def test_run_uses_what_is_there_without_waiting_for_it(ends: Ends) -> None:
    left, right = ends
    for timeout, deadline in [(0, None), (None, 0), (0, 0), (0, 30)]:
        right.send(b"hello")
        assert run(co_wait_and_receive(left), timeout, deadline) == b"hello"


@coroutine
def co_wait_and_receive(sock: socket.socket) -> PollGenerator[bytes]:
    """Wait first, as httpio does straight after a request, then receive."""
    yield PollNeeded(sock.fileno(), POLLIN)
    return sock.recv(100)


@pytest.mark.parametrize("timeout", [None, 0, 30])
@pytest.mark.parametrize("deadline", [0, 0.01])
def test_run_ends_at_its_deadline_although_there_is_always_something_to_do(
    ends: Ends, timeout: float | None, deadline: float
) -> None:
    with pytest.raises(ConnectionTimedOut, match="was not finished"):
        run(endless(PollNeeded(ends[0].fileno(), POLLOUT)), timeout, deadline)


def test_run_without_a_wait_is_not_late(ends: Ends) -> None:
    left, right = ends
    right.send(b"hello")
    assert run(co_receive(left, 5), deadline=0) == b"hello"


# cofunction()


def drive(driven: Generator[None, None, int]) -> tuple[int, int]:
    """Return how often *driven* suspended, and its result."""
    for count in itertools.count():
        try:
            next(driven)
        except StopIteration as exc:
            return count, exc.value
    raise AssertionError


def test_a_cofunction_does_nothing_before_it_is_resumed(ends: Ends) -> None:
    asked: list[bool] = []

    def response_arrived() -> None:
        asked.append(True)

    driven = cofunction(co_wait(PollNeeded(ends[0].fileno(), POLLOUT), 1), response_arrived, 0)
    assert asked == []
    assert drive(driven) == (0, 1)
    assert asked


@pytest.mark.parametrize("arrived", [None, False])
def test_a_cofunction_does_not_suspend_while_no_response_is_there(
    ends: Ends, arrived: bool | None
) -> None:
    writable = PollNeeded(ends[0].fileno(), POLLOUT)
    assert drive(cofunction(co_wait(writable, 3), lambda: arrived, 0)) == (0, 3)


def test_a_cofunction_suspends_while_a_response_is_there(ends: Ends) -> None:
    arrived = iter([True, True, False, True, True, None, None, None])
    needed = PollNeeded(ends[0].fileno(), POLLOUT)
    # Twice before the first step; after it once, for what came while it was taken; and once more.
    assert drive(cofunction(co_wait(needed, 2), lambda: next(arrived), 0)) == (3, 2)


def test_a_cofunction_waits_for_a_response_as_well(ends: Ends) -> None:
    left, right = ends
    received: list[bytes] = []
    stalled = POLLOUT
    try:
        while True:
            left.send(b"x" * 65_536)
    except BlockingIOError:
        pass

    def response_arrived() -> bool:
        return bool(received)

    # Neither can anything be sent nor is anything there to be received.
    driven = cofunction(co_wait(PollNeeded(left.fileno(), stalled), 2), response_arrived, 0)
    with pytest.raises(ConnectionTimedOut):
        next(driven)
    # Now there is, so the wait ends.
    right.send(b"HTTP")
    driven = cofunction(co_wait(PollNeeded(left.fileno(), stalled), 2), response_arrived, None)
    assert drive(driven) == (0, 2)
    # But not where no response can come.
    driven = cofunction(co_wait(PollNeeded(left.fileno(), stalled), 2), lambda: None, 0)
    with pytest.raises(ConnectionTimedOut):
        next(driven)


def test_a_cofunction_that_times_out_gives_up(ends: Ends) -> None:
    log: list[str] = []
    receiving = co_receive(ends[0], 5, log)
    with pytest.raises(ConnectionTimedOut, match="0 seconds"):
        next(cofunction(receiving, lambda: None, 0))
    assert log == ["waits", "closed"]


def test_a_cofunction_that_is_closed_closes_what_it_drives(ends: Ends) -> None:
    log: list[str] = []
    answers = iter([False, True, True])
    ends[1].send(b"x")
    driven = cofunction(co_receive(ends[0], 5, log), lambda: next(answers), 30)
    next(driven)
    assert log == ["waits"]
    driven.close()
    assert log == ["waits", "closed"]


def test_a_cofunction_that_was_never_resumed_can_be_closed(ends: Ends) -> None:
    log: list[str] = []
    cofunction(co_receive(ends[0], 5, log), lambda: None, 0).close()
    assert log == []


def test_a_cofunction_raises_what_the_coroutine_and_the_look_raise(ends: Ends) -> None:
    @coroutine
    def co_fail() -> PollGenerator[None]:
        raise LookupError("from inside")
        yield

    def look() -> bool:
        raise LookupError("from the look")

    with pytest.raises(LookupError, match="from inside"):
        next(cofunction(co_fail(), lambda: None, 0))
    log: list[str] = []
    with pytest.raises(LookupError, match="from the look"):
        next(cofunction(co_receive(ends[0], 5, log), look, 0))
