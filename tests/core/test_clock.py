"""Waiting for a time to pass: never too short, and nobody is left waiting."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest

from httpio import _clock
from httpio._blocking import run
from httpio._clock import co_sleep
from httpio._coroutine import POLLIN
from tests.support.coroutines import PATIENCE, no_descriptor_left, run_spuriously

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio._coroutine import PollGenerator

#: A time that no test waits for.
FOR_EVER = 1e6


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


@pytest.mark.parametrize("drive", [run, run_spuriously])
@pytest.mark.parametrize("seconds", [0.001, 0.05])
def test_it_waits_at_least_so_long(
    drive: Callable[[PollGenerator[None]], None], seconds: float
) -> None:
    begin = monotonic()
    drive(co_sleep(seconds))
    assert monotonic() - begin >= seconds


def test_it_waits_at_least_so_long_with_many_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clock, "_TICK", 0.005)
    begin = monotonic()
    run(co_sleep(0.05))
    assert monotonic() - begin >= 0.05


@pytest.mark.parametrize("seconds", [0, 0.0, -1.0, float("-inf"), float("nan")])
def test_there_is_no_time_to_wait_for(seconds: float) -> None:
    with pytest.raises(StopIteration):
        next(co_sleep(seconds))


def test_a_long_wait_reports_so_often_that_no_driver_gives_up() -> None:
    coroutine = co_sleep(FOR_EVER)
    for _ in range(3):
        assert next(coroutine).poll(PATIENCE)
    assert next(coroutine).mask == POLLIN
    coroutine.close()


def test_the_time_is_up_although_nobody_asks_for_the_reports() -> None:
    coroutine = co_sleep(0.02)
    end = monotonic() + 0.02
    assert next(coroutine).poll(PATIENCE)
    while monotonic() < end:
        pass
    run(coroutine, 0)


def test_dropping_it_ends_the_wait_of_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise the thread would be done by itself, and its socket closed.
    monkeypatch.setattr(_clock, "_TICK", FOR_EVER)
    coroutine = co_sleep(FOR_EVER)
    assert not next(coroutine).poll(0)
    coroutine.close()


def test_many_at_once() -> None:
    begin = monotonic()
    coroutines = [co_sleep(0.03) for _ in range(20)]
    waits = [next(coroutine) for coroutine in coroutines]
    assert len({wait.fd for wait in waits}) == 20
    for coroutine in coroutines:
        run(coroutine)
    assert monotonic() - begin >= 0.03
