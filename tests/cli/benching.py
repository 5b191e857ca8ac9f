"""What the tests of ``httpio bench`` share: a server that keeps its own clock, and running the command."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

from httpio_cli._bench.plan import Load
from httpio_cli._bench.results import Outcome, Result
from httpio_cli._bench.tally import Tally
from httpio_cli._options import ConnectionOptions
from httpio_cli._urls import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

COMMAND = str(Path(sys.executable).with_name("httpio"))
PATIENCE = 60
"""Seconds."""


@dataclass(frozen=True)
class Reply:
    """What the server does with a request."""

    delay: float = 0.0
    """Seconds before the answer, counted from when the one before was sent."""
    status: int = 200
    content: bytes = b"hello"
    announces_close: bool = False
    breaks: bool = False
    """Closes the connection in place of an answer."""


class TimedServer:
    """Answers as *reply* says, and notes when each request came and when its answer was written.

    *reply* gets the number of the request, from 0, and the seconds since the first one. The server runs in
    a thread; it is a context manager.
    """

    def __init__(
        self, reply: Callable[[int, float], Reply] = lambda _number, _time: Reply()
    ) -> None:
        self._reply = reply
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._tasks: set[asyncio.Task[None]] = set()
        self._first: float | None = None
        self.port = 0
        self.requests: list[bytes] = []
        """Their heads."""
        self.connections = 0
        self.latencies: list[float] = []
        """From the arrival of a request to its answer, in milliseconds, in the order of the answers."""
        self.services: list[float] = []
        """The part of that in which no answer was outstanding that had to go before."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/timed"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    async def _start(self) -> None:
        self._server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Transports are closed in the turn after that in which they are told to.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def serve(
        self, transport: asyncio.Transport, queue: asyncio.Queue[tuple[int, bytes]]
    ) -> None:
        """Answer what comes over one connection."""
        previous = 0
        try:
            while True:
                arrived, head = await queue.get()
                number = len(self.requests)
                self.requests.append(head)
                now = perf_counter()
                self._first = now if self._first is None else self._first
                reply = self._reply(number, now - self._first)
                if reply.delay:
                    await asyncio.sleep(reply.delay)
                if reply.breaks:
                    transport.abort()
                    return
                close = b"Connection: close\r\n" if reply.announces_close else b""
                transport.write(
                    b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n%s\r\n%s"
                    % (reply.status, len(reply.content), close, reply.content)
                )
                now_ns = perf_counter_ns()
                self.latencies.append((now_ns - arrived) / 1e6)
                self.services.append((now_ns - max(arrived, previous)) / 1e6)
                previous = now_ns
                if reply.announces_close:
                    return
        finally:
            transport.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: TimedServer) -> None:
        self._server = server
        self._data = b""
        self._queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._server.connections += 1
        task = asyncio.get_running_loop().create_task(self._server.serve(transport, self._queue))
        self._task = task
        self._server._tasks.add(task)

    def connection_lost(self, exc: Exception | None) -> None:
        self._task.cancel()

    def data_received(self, data: bytes) -> None:
        now = perf_counter_ns()
        *heads, self._data = (self._data + data).split(b"\r\n\r\n")
        for head in heads:
            self._queue.put_nowait((now, head))


def bench(
    *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``httpio bench`` with *arguments*."""
    return subprocess.run(
        [COMMAND, "bench", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **(environment or {})},
    )


def bench_document(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Run ``httpio bench`` with *arguments*, and return its JSON document."""
    done = bench("--output-format", "json", *arguments)
    assert done.returncode == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["schema"] == "httpio/bench/1"
    return document


def make_tally(
    latencies: Mapping[int, int],
    *,
    corrected: Mapping[int, int] | None = None,
    statuses: Mapping[int, int] | None = None,
    failures: Mapping[str, int] | None = None,
    elapsed: float = 1.0,
) -> Tally:
    """Return a tally of *latencies*, in microseconds, each with its number, in its first intervals."""
    tally = Tally(0.1)
    for index, (value, count) in enumerate(latencies.items()):
        tally.latencies.setdefault(index % 10, Counter())[value] += count
    for index, (value, count) in enumerate((corrected or {}).items()):
        tally.corrected.setdefault(index % 10, Counter())[value] += count
    tally.statuses = Counter(statuses or {200: sum(latencies.values())})
    tally.wire = Counter(latencies)
    tally.head_of_line = Counter({0: sum(latencies.values())})
    tally.failures = Counter(failures or {})
    tally.elapsed = elapsed
    tally.content_bytes = 1000 * sum(latencies.values())
    tally.received_bytes = 1200 * sum(latencies.values())
    tally.loop = "asyncio"
    return tally


def make_outcome(
    tallies: Mapping[int, Tally],
    *,
    rate: float | None = None,
    urls: tuple[str, ...] = ("http://localhost:8000/document",),
    fields: tuple[tuple[str, str], ...] = (),
) -> Outcome:
    """Return an outcome with *tallies* by depth."""
    load = Load(
        urls=tuple(parse_url(url) for url in urls),
        method="GET",
        fields=fields,
        body=None,
        connections=2,
        requests=None,
        duration=1.0,
        rate=rate,
        warmup=0.0,
        timeout=30.0,
        options=ConnectionOptions(),
    )
    results = [Result(depth, tally, has_rate=rate is not None) for depth, tally in tallies.items()]
    return Outcome(load, 1, results, None)
