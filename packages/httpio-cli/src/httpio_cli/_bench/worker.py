"""A worker: a process that makes its part of the load and reports to the one that started it.

It ends with its standard input. Ctrl-C is for its parent, which asks it for what it has.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from multiprocessing.connection import Connection
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from httpio import HTTPIOError, Request
from httpio_cli._connector import Connector
from httpio_cli._errors import CommandError, explain

from .load import ClosedLoop, Run
from .loops import loop_for
from .open_loop import OpenLoop
from .plan import DRAIN_TIME, Job, Progress

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from httpio_aio import HTTPConnection
    from httpio_cli._urls import URL

    from .load import Client, Tap
    from .tally import Tally

#: Connections that are being opened at once.
_OPENING: Final = 64
#: Seconds between two reports of the progress.
_REPORT_INTERVAL: Final = 0.5


def main() -> None:
    """Do the jobs that come by standard input, until it ends."""
    jobs = Connection(os.dup(0), writable=False)
    reports = Connection(os.dup(1), readable=False)
    # Whatever prints something must not do it in the middle of a report.
    os.dup2(2, 1)
    try:
        while True:
            job = jobs.recv()
            if isinstance(job, Job):
                name, factory = loop_for(job.load.rate)
                with asyncio.Runner(loop_factory=factory) as runner:
                    try:
                        tally = runner.run(_work(job, jobs, reports))
                    except (CommandError, HTTPIOError) as exc:
                        reports.send(("failed", explain(exc)))
                        return
                # What an event loop watches, it makes non-blocking.
                os.set_blocking(jobs.fileno(), True)
                tally.loop = name
                reports.send(("done", tally))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # Nobody is there any more to report to.
        return


async def _work(job: Job, jobs: Connection, reports: Connection) -> Tally:
    return await _Worker(job, jobs, reports).work()


class _Worker:
    """One job."""

    def __init__(self, job: Job, jobs: Connection, reports: Connection) -> None:
        self._job: Final = job
        self._jobs: Final = jobs
        self._reports: Final = reports
        self._run: Final = Run(job)
        self._clients: list[Client] = []
        self._went = asyncio.Event()
        self._stopped = asyncio.Event()

    async def work(self) -> Tally:
        """Open the connections, wait for the word to go, and make the load."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._jobs.fileno(), self._told)
        try:
            self._clients = self._make_clients()
            await self._open_all()
            self._reports.send(("ready", None))
            await self._went.wait()
            if not self._stopped.is_set():
                await self._make_load()
        finally:
            loop.remove_reader(self._jobs.fileno())
            for client in self._clients:
                client.close()
        return self._run.tally

    def _told(self) -> None:
        """The parent says something, or is gone."""
        # Whole messages come, and they are short.
        os.set_blocking(self._jobs.fileno(), True)
        try:
            what, value = self._jobs.recv()
        except (EOFError, OSError):
            os._exit(0)
        if what == "go":
            self._run.start(value)
        else:
            self._stopped.set()
        self._went.set()

    def _make_clients(self) -> list[Client]:
        load = self._job.load
        connector = Connector(load.options, os.environ)
        origins = load.origins()
        requests = [
            [
                Request(load.method, url.target, load.fields or None, load.body, idempotent=True)
                for url in urls
            ]
            for urls in origins
        ]
        makers = [_maker(connector, urls[0]) for urls in origins]
        clients: list[Client] = []
        for number in self._job.mine:
            kind = number % len(origins)
            # Connections to the same server begin at different places of its list.
            begin = number // len(origins) % len(requests[kind])
            mine = [*requests[kind][begin:], *requests[kind][:begin]]
            clients.append(
                ClosedLoop(self._run, mine, makers[kind])
                if load.rate is None
                else OpenLoop(self._run, mine, makers[kind], number)
            )
        return clients

    async def _open_all(self) -> None:
        slots = asyncio.Semaphore(_OPENING)

        async def open_one(client: Client) -> None:
            async with slots:
                await client.open()

        tasks = [asyncio.create_task(open_one(client)) for client in self._clients]
        opening = asyncio.create_task(_until_done(tasks))
        stopping = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, opening, stopping):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _make_load(self) -> None:
        run, tally = self._run, self._run.tally
        # Nothing that is there now will ever be garbage; looking at it would cost time.
        gc.collect()
        gc.freeze()
        await _sleep_until(run.go)
        tasks = [asyncio.create_task(client.run()) for client in self._clients]
        helpers = [asyncio.create_task(self._begin_counting()), asyncio.create_task(self._watch())]
        if self._job.reports:
            helpers.append(asyncio.create_task(self._report()))
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await self._until_over(tasks, stopping)
        finally:
            end = perf_counter_ns()
            for task in (*tasks, *helpers, stopping):
                task.cancel()
            results = await asyncio.gather(*tasks, *helpers, return_exceptions=True)
        for result in results:
            # A fault of this program; all others were counted.
            if isinstance(result, Exception):
                raise result
        if not self._stopped.is_set():
            if self._job.load.duration is not None and run.left > 0:
                end = max(end, run.ends)
            for client in self._clients:
                tally.note_failures(
                    "not answered when time was up", client.unanswered(), end - run.begin
                )
        tally.elapsed = max(end - run.begin, 0) / 1e9
        tally.cpu_time = max(time.process_time() - self._cpu_time, 0.0) if self._counting else 0.0
        for client in self._clients:
            tally.received_bytes += client.tap.received_bytes
            tally.sent_bytes += client.tap.sent_bytes
            tally.connects += client.tap.connects

    async def _until_over(
        self, tasks: list[asyncio.Task[None]], stopping: asyncio.Task[bool]
    ) -> None:
        """Wait until all is done, or this is told to stop, or time is up."""
        limit = None
        if self._job.load.duration is not None:
            limit = max((self._run.ends - perf_counter_ns()) / 1e9, 0) + DRAIN_TIME
        # Only a fault of this program is raised by any of them.
        everything = asyncio.create_task(_until_done(tasks))
        await asyncio.wait(
            [everything, stopping], timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        everything.cancel()

    _counting = False
    _cpu_time = 0.0

    async def _begin_counting(self) -> None:
        await _sleep_until(self._run.begin)
        for client in self._clients:
            client.tap.start_over()
        self._cpu_time = time.process_time()
        self._counting = True

    async def _watch(self) -> None:
        """Give up connections over which an answer takes too long."""
        timeout = self._job.load.timeout
        while True:
            await asyncio.sleep(min(max(timeout / 10, 0.01), 0.5))
            latest = perf_counter_ns() - round(timeout * 1e9)
            for client in self._clients:
                oldest = client.oldest()
                if oldest is not None and oldest < latest:
                    client.expire()

    async def _report(self) -> None:
        """Tell the parent how far it is."""
        tally = self._run.tally
        while True:
            await asyncio.sleep(_REPORT_INTERVAL)
            shown = tally.corrected or tally.latencies
            # The last interval that is complete.
            number = max(shown, default=0) - 1
            recent = shown.get(number)
            self._reports.send(
                ("progress", Progress(tally.answered, tally.errors, _percentile(recent)))
            )


async def _sleep_until(at: int) -> None:
    """Return at *at* nanoseconds; uvloop's timers may be early, by a part of a millisecond."""
    while (rest := at - perf_counter_ns()) > 0:  # noqa: ASYNC110  # it is time that is waited for
        await asyncio.sleep(rest / 1e9)


async def _until_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


def _percentile(counter: Counter[int] | None) -> int | None:
    """Return the 99th percentile, in microseconds."""
    if not counter:
        return None
    rest = counter.total() // 100
    for value in sorted(counter, reverse=True):
        rest -= counter[value]
        if rest < 0:
            return value
    return None


def _maker(connector: Connector, url: URL) -> Callable[[Tap], HTTPConnection]:
    settings = connector.settings(url)
    return lambda tap: settings.asyncio(tracer=tap)


if __name__ == "__main__":
    main()
