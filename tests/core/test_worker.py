"""Work in a thread: its result arrives exactly once or is discarded, and nobody is left waiting."""

from __future__ import annotations

import _thread
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from httpio._blocking import run
from httpio._coroutine import POLLIN, PollNeeded
from httpio._worker import co_in_thread
from tests.support.coroutines import PATIENCE, no_descriptor_left, run_spuriously

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.mark.parametrize("drive", [run, run_spuriously])
def test_the_result_is_returned(drive: Callable[..., tuple[int, int]]) -> None:
    worker, result = drive(co_in_thread(lambda _: (threading.get_ident(), 42)))
    assert result == 42
    assert worker != threading.get_ident()


@pytest.mark.parametrize("drive", [run, run_spuriously])
def test_the_exception_is_raised(drive: Callable[..., None]) -> None:
    def fail(_: socket.socket) -> None:
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        drive(co_in_thread(fail))


def test_it_suspends_until_the_work_is_done() -> None:
    go_on = threading.Event()
    coroutine = co_in_thread(lambda _: go_on.wait(PATIENCE))
    first = next(coroutine)
    assert first.mask == POLLIN
    assert next(coroutine) == first
    assert not first.poll(0)
    go_on.set()
    assert run(coroutine)


def test_work_learns_that_nobody_waits_any_more() -> None:
    noticed = threading.Event()

    def work(dropped: socket.socket) -> None:
        if PollNeeded(dropped.fileno(), POLLIN).poll(PATIENCE):
            noticed.set()

    coroutine = co_in_thread(work)
    next(coroutine)
    assert not noticed.is_set()
    coroutine.close()
    assert noticed.wait(PATIENCE)


def test_a_result_that_comes_too_late_is_discarded() -> None:
    go_on = threading.Event()
    discarded: list[str] = []
    done = threading.Event()

    def work(_: socket.socket) -> str:
        go_on.wait(PATIENCE)
        return "result"

    def discard(result: str) -> None:
        discarded.append(result)
        done.set()

    coroutine = co_in_thread(work, discard)
    next(coroutine)
    coroutine.close()
    assert discarded == []
    go_on.set()
    assert done.wait(PATIENCE)
    assert discarded == ["result"]


def test_a_result_that_nobody_fetches_is_discarded() -> None:
    discarded: list[str] = []
    coroutine = co_in_thread(lambda _: "result", discarded.append)
    assert next(coroutine).poll(PATIENCE)
    coroutine.close()
    assert discarded == ["result"]


def test_a_result_that_is_returned_is_not_discarded() -> None:
    discarded: list[str] = []
    assert run(co_in_thread(lambda _: "result", discarded.append)) == "result"
    assert discarded == []


def test_a_dropped_coroutine_ignores_that_the_work_fails() -> None:
    go_on = threading.Event()
    failed = threading.Event()

    def fail(_: socket.socket) -> None:
        go_on.wait(PATIENCE)
        failed.set()
        raise KeyError

    coroutine = co_in_thread(fail)
    next(coroutine)
    coroutine.close()
    go_on.set()
    assert failed.wait(PATIENCE)


def test_a_copy_of_the_descriptor_in_another_process_keeps_nobody_waiting() -> None:
    # A forked child has copies of both ends, which no close() of ours touches.
    copies: list[socket.socket] = []
    noticed = threading.Event()

    def work(dropped: socket.socket) -> None:
        copies.append(dropped.dup())

    def wait(dropped: socket.socket) -> None:
        if PollNeeded(dropped.fileno(), POLLIN).poll(PATIENCE):
            noticed.set()

    run(co_in_thread(work), timeout=PATIENCE)
    coroutine = co_in_thread(wait)
    with socket.socket(fileno=next(coroutine).fd) as near:
        copies.append(near.dup())
        near.detach()
    coroutine.close()
    assert noticed.wait(PATIENCE)
    for copy in copies:
        copy.close()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start_new_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    with pytest.raises(OSError, match="cannot start a thread") as caught:
        run(co_in_thread(lambda _: None))
    # A BlockingIOError would be taken for a socket that is not ready.
    assert type(caught.value) is OSError
