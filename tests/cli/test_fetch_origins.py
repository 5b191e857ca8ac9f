"""`httpio_cli._fetch.origins`: who gets which file, and how many at once."""

from __future__ import annotations

import asyncio

from httpio_cli._fetch.entries import Entry
from httpio_cli._fetch.jobs import Job
from httpio_cli._fetch.naming import Wanted
from httpio_cli._fetch.origins import OriginQueue
from httpio_cli._urls import parse_url


def job(number: int) -> Job:
    url = f"http://localhost/{number}"
    name = str(number)
    wanted = Wanted(number, Entry(url, ""), parse_url(url), name, name, f"{name}.part", (name, url))
    return Job(wanted, 0.0)


def numbers(jobs: list[Job]) -> list[int]:
    return [each.wanted.number for each in jobs]


def take(queue: OriginQueue, count: int) -> list[Job]:
    taken = [queue.take() for _ in range(count)]
    return [each for each in taken if each is not None]


class Lane:
    """A connection that others may take files over from."""

    def __init__(self, jobs: list[Job], *, is_long: bool = True) -> None:
        self.jobs = jobs
        self.is_long = is_long

    def can_give(self, now: float) -> bool:
        return self.is_long and len(self.jobs) > 1

    def give(self) -> list[Job]:
        given = self.jobs[1:]
        del self.jobs[1:]
        return given


def queue_of(count: int, *, depth: int | None = None) -> OriginQueue:
    queue = OriginQueue(2, depth)
    for number in range(count):
        queue.add(job(number))
    return queue


def test_in_order() -> None:
    queue = queue_of(3)
    assert numbers(take(queue, 5)) == [0, 1, 2]
    assert queue.unfinished == 3


def test_what_is_put_back_is_first_and_in_order() -> None:
    queue = queue_of(6)
    taken = take(queue, 4)
    queue.put_back(taken[1:])
    assert numbers(take(queue, 9)) == [1, 2, 3, 4, 5]


def test_what_is_put_off_comes_when_it_is_time() -> None:
    queue = queue_of(3)
    late, early = take(queue, 2)
    queue.put_off(late, 20.0)
    queue.put_off(early, 10.0)
    assert queue.has_ready(0.0)
    assert numbers(take(queue, 3)) == [2]
    assert not queue.has_ready(9.9)
    assert queue.has_ready(10.0)
    assert numbers(take(queue, 3)) == [1]
    assert queue.has_ready(30.0)
    assert numbers(take(queue, 3)) == [0]


def test_all_that_waits() -> None:
    queue = queue_of(3)
    (one,) = take(queue, 1)
    queue.put_off(one, 5.0)
    assert numbers(queue.take_all()) == [1, 2, 0]
    assert not queue.has_ready(99.0)


def test_shares() -> None:
    queue = queue_of(9)
    queue.lanes.extend([Lane([]), Lane([])])
    assert queue.share == 5
    take(queue, 4)
    # What is under way counts as well.
    assert queue.share == 5
    for _ in range(4):
        queue.settled()
    assert queue.share == 3


def test_depth_grows_with_small_files_and_shrinks_with_large_ones() -> None:
    small, large = queue_of(0), queue_of(0)
    assert small.depth == 16
    for _ in range(100):
        small.learn(2000)
        large.learn(50 << 20)
    assert (small.depth, large.depth) == (512, 2)
    assert not small.suits(16)
    assert small.suits(300)
    for _ in range(20_000):
        large.learn(2000)
    # What was long ago counts for less.
    assert large.depth > 100


def test_a_depth_that_is_given_stays() -> None:
    queue = queue_of(0, depth=7)
    for _ in range(100):
        queue.learn(1)
    assert queue.depth == 7
    assert queue.suits(7)


def test_files_behind_one_that_takes_long_are_taken_over() -> None:
    queue = queue_of(6)
    quick, slow, idle = Lane(take(queue, 2), is_long=False), Lane(take(queue, 3)), Lane([])
    queue.lanes.extend([quick, slow, idle])
    take(queue, 1)
    assert queue.take_over(idle, 0.0)
    assert numbers(slow.jobs) == [2]
    assert numbers(take(queue, 9)) == [3, 4]
    assert not queue.take_over(idle, 0.0)
    assert not queue.take_over(slow, 0.0)


def test_waiting_ends_when_something_comes() -> None:
    async def main() -> None:
        queue = queue_of(0)
        waiting = asyncio.create_task(queue.wait(0.0))
        await asyncio.sleep(0)
        queue.add(job(1))
        await asyncio.wait_for(waiting, 10)

    asyncio.run(main())


def test_waiting_ends_when_all_is_done() -> None:
    async def main() -> None:
        queue = queue_of(1)
        take(queue, 1)
        waiting = asyncio.create_task(queue.wait(0.0))
        await asyncio.sleep(0)
        queue.settled()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(main())
