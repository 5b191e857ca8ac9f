"""How the load is shared among workers."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from httpio_cli._bench.plan import Load, share
from httpio_cli._options import ConnectionOptions
from httpio_cli._urls import parse_url

LOAD = Load(
    urls=tuple(
        parse_url(f"http://{host}/{path}") for path in ("a", "b") for host in ("one", "two")
    ),
    method="GET",
    fields=(),
    body=None,
    connections=7,
    requests=100,
    duration=None,
    rate=None,
    warmup=0.0,
    timeout=30.0,
    options=ConnectionOptions(),
)


@pytest.mark.parametrize("workers", range(1, 8))
def test_nothing_is_lost_nor_done_twice(workers: int) -> None:
    jobs = share(LOAD, workers, 4, reports=False)
    assert len(jobs) == workers
    assert sum(job.requests or 0 for job in jobs) == 100
    assert sorted(number for job in jobs for number in job.mine) == list(range(7))
    assert all(job.mine for job in jobs)


def test_time_alone_ends_it() -> None:
    jobs = share(replace(LOAD, requests=None, duration=5.0), 2, 1, reports=True)
    assert [job.requests for job in jobs] == [None, None]


def test_jobs_go_to_other_processes() -> None:
    (job,) = share(LOAD, 1, 4, reports=True)
    again = pickle.loads(pickle.dumps(job))
    assert again.load.urls == LOAD.urls
    assert (again.depth, again.mine, again.requests) == (4, range(7), 100)


def test_servers_are_told_apart() -> None:
    assert [[str(url) for url in urls] for urls in LOAD.origins()] == [
        ["http://one/a", "http://one/b"],
        ["http://two/a", "http://two/b"],
    ]


def test_intervals_suit_the_load() -> None:
    assert LOAD.interval == 0.02
    assert replace(LOAD, duration=60.0).interval == 0.6
    # A few requests at least.
    assert replace(LOAD, duration=10.0, rate=10.0).interval == 2.0
