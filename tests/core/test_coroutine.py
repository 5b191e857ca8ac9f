"""The coroutine contract: what a coroutine yields, and the ways to drive it."""

from __future__ import annotations

import importlib.util
import os
import select
import socket
import sys
from types import GenericAlias, ModuleType
from typing import TYPE_CHECKING

import pytest

from httpio import _coroutine
from httpio._coroutine import (
    POLLIN,
    POLLOUT,
    PollCoroutine,
    PollGenerator,
    PollNeeded,
    coroutine,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that do not block."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


def fill(sock: socket.socket) -> None:
    """Send until nothing more can be sent."""
    try:
        while True:
            sock.send(b"x" * 65_536)
    except BlockingIOError:
        pass


def variant(monkeypatch: pytest.MonkeyPatch, **functions: object) -> ModuleType:
    """Return the module as it is where `select` has nothing but *functions*."""
    poorer = ModuleType("select")
    vars(poorer).update(functions)
    spec = importlib.util.find_spec("httpio._coroutine")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "select", poorer)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["poll", "select"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[PollNeeded]:
    """`PollNeeded`, also as it is where the system has no ``poll``."""
    if request.param == "poll":
        return PollNeeded
    made: type[PollNeeded] = variant(monkeypatch, select=select.select).PollNeeded
    return made


# What is yielded


def test_masks_are_those_of_poll_and_epoll() -> None:
    assert (POLLIN, POLLOUT) == (select.POLLIN, select.POLLOUT)
    if hasattr(select, "EPOLLIN"):
        assert (POLLIN, POLLOUT) == (select.EPOLLIN, select.EPOLLOUT)


def test_poll_needed_is_a_tuple_with_names() -> None:
    needed = PollNeeded(7, POLLIN | POLLOUT)
    fd, mask = needed
    assert (fd, mask) == needed == (7, 5)
    assert (needed.fd, needed.mask) == (7, 5)
    assert isinstance(needed, tuple)
    assert {needed: 1}[PollNeeded(7, 5)] == 1
    assert repr(needed) == "PollNeeded(fd=7, mask=5)"


def test_poll_needed_cannot_be_changed() -> None:
    needed = PollNeeded(7, POLLIN)
    with pytest.raises(AttributeError):
        needed.fd = 8  # type: ignore[misc]  # that it cannot be set is the point
    with pytest.raises(AttributeError):
        needed.other = 8  # type: ignore[attr-defined]  # no place for anything else


# poll()

Ends = tuple[socket.socket, socket.socket]
Make = type[PollNeeded]


@pytest.mark.parametrize("timeout", [0, 0.0, -1, 0.0001, 0.01])
def test_poll_returns_false_when_the_time_is_up(make: Make, ends: Ends, timeout: float) -> None:
    assert make(ends[0].fileno(), POLLIN).poll(timeout) is False


@pytest.mark.parametrize("timeout", [0, -1, 0.0001, 30, None, 1e6, 1e10, 1e100, float("inf")])
def test_poll_returns_true_when_ready(make: Make, ends: Ends, timeout: float | None) -> None:
    left, right = ends
    right.send(b"x")
    assert make(left.fileno(), POLLIN).poll(timeout) is True
    assert make(left.fileno(), POLLOUT).poll(timeout) is True


def test_poll_waits_for_the_direction_it_names(make: Make, ends: Ends) -> None:
    left, right = ends
    right.send(b"x")
    fill(left)
    assert make(left.fileno(), POLLIN).poll(0) is True
    assert make(left.fileno(), POLLOUT).poll(0) is False


def test_poll_for_both_directions_needs_one_of_them(make: Make, ends: Ends) -> None:
    left, right = ends
    both = make(left.fileno(), POLLIN | POLLOUT)
    assert both.poll(0) is True  # to be written
    fill(left)
    assert both.poll(0) is False
    right.send(b"x")
    assert both.poll(None) is True  # to be read


def test_poll_counts_a_hang_up_as_ready(make: Make, ends: Ends) -> None:
    left, right = ends
    fill(left)
    right.close()
    assert make(left.fileno(), POLLIN).poll(None) is True
    assert make(left.fileno(), POLLOUT).poll(None) is True


def test_poll_counts_an_error_as_ready(make: Make) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert make(writer, POLLOUT).poll(None) is True
    finally:
        os.close(writer)


def test_poll_waits_in_vain_for_a_direction_that_a_hang_up_does_not_concern(ends: Ends) -> None:
    left, _ = ends
    left.shutdown(socket.SHUT_WR)
    assert PollNeeded(left.fileno(), POLLIN).poll(0) is False


def test_poll_does_not_keep_a_closed_descriptor_waiting(ends: Ends) -> None:
    left, _ = ends
    fd = left.fileno()
    left.close()
    assert PollNeeded(fd, POLLIN).poll(None) is True


def test_poll_rounds_up_so_that_no_wait_ends_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    class Recorder:
        def register(self, fd: int, mask: int) -> None:
            pass

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            asked.append(timeout)
            return []

    needed = variant(monkeypatch, poll=Recorder).PollNeeded(0, POLLIN)
    for timeout in (None, 0, -1, 0.0001, 0.001, 0.0011, 1.5, 86_400, 1e9):
        assert needed.poll(timeout) is False
    # In milliseconds; what poll() could not count is waited for without an end.
    assert asked == [None, 0, 0, 1, 1, 2, 1500, 86_400_000, None]


# Driving


@coroutine
def co_double(needed: PollNeeded, value: int) -> PollGenerator[int]:
    """Wait twice, return the double."""
    yield needed
    yield needed
    return 2 * value


NEEDED = PollNeeded(3, POLLIN)


def test_a_coroutine_can_be_driven_with_next() -> None:
    running = co_double(NEEDED, 21)
    assert next(running) is NEEDED
    assert next(running) is NEEDED
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == 42


def test_a_coroutine_can_be_delegated_to() -> None:
    @coroutine
    def co_quadruple() -> PollGenerator[int]:
        value = yield from co_double(NEEDED, 1)
        return (yield from co_double(NEEDED, value))

    running = co_quadruple()
    assert list(running) == [NEEDED] * 4
    with pytest.raises(StopIteration):
        next(running)


def test_a_coroutine_can_be_awaited() -> None:
    async def quadruple() -> int:
        return await co_double(NEEDED, await co_double(NEEDED, 1))

    running = quadruple()
    for _ in range(4):
        assert running.send(None) is NEEDED
    with pytest.raises(StopIteration) as stop:
        running.send(None)
    assert stop.value.value == 4


def test_a_coroutine_can_be_closed_while_it_waits() -> None:
    cleaned_up = []

    @coroutine
    def co_wait() -> PollGenerator[None]:
        try:
            yield NEEDED
        finally:
            cleaned_up.append(True)

    running = co_wait()
    next(running)
    running.close()
    assert cleaned_up == [True]


def test_the_decorator_keeps_name_and_docstring() -> None:
    assert co_double.__name__ == "co_double"
    assert co_double.__doc__ == "Wait twice, return the double."


@pytest.mark.parametrize("annotation", [PollGenerator, PollCoroutine])
def test_annotations_can_be_subscripted_at_run_time(annotation: object) -> None:
    subscript: Callable[[object], object] = annotation.__class_getitem__  # type: ignore[attr-defined]  # run time only
    alias = subscript(int)
    assert isinstance(alias, GenericAlias)
    assert alias.__args__ == (int,)


def test_the_module_needs_no_typing() -> None:
    assert not hasattr(_coroutine, "TypeVar")
