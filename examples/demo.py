"""A thousand documents over one connection, fetched in four ways.

Starts a server on the loopback interface and fetches every document one at a time, with a pipeline,
pipelined with two threads, and pipelined with coroutines; first directly, then through a proxy that simulates the
round trip to a server farther away. Every document is compared with what is on the server's disk.

Ends with code 1 if one did not arrive as it is there. ``--help`` tells what can be changed.
"""

from __future__ import annotations

import argparse
import select
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from demo_support import servers
from demo_support.documents import Document, find_differences, make_documents
from demo_support.progress import Progress

from httpio import POLLOUT, HTTPConnection, HTTPIOError, PollNeeded, Request, coroutine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from httpio import HTTPResponse, PollCoroutine, PollGenerator

    Fetch = Callable[[HTTPConnection, Sequence[Document], list[bytes]], None]

TIMEOUT = 30.0
"""Seconds without a sign of the server after which the demo gives up."""


# --- Four ways to fetch documents over one connection. Each adds the bodies to a list, in order. --


def fetch_one_at_a_time(
    connection: HTTPConnection, documents: Sequence[Document], bodies: list[bytes]
) -> None:
    """Send a request when the response to the one before has been read: each costs a round trip."""
    for document in documents:
        connection.send_request("GET", document.path)
        expect_ok(connection.read_response())
        bodies.append(connection.readall())


def fetch_with_a_pipeline(
    connection: HTTPConnection, documents: Sequence[Document], bodies: list[bytes]
) -> None:
    """Send while reading, as much as the server takes."""
    requests = (Request("GET", document.path) for document in documents)
    for response, body in connection.pipeline(requests).with_bodies():
        expect_ok(response)
        bodies.append(body)


def fetch_with_two_threads(
    connection: HTTPConnection, documents: Sequence[Document], bodies: list[bytes]
) -> None:
    """Send in one thread and read in another: no matter who has to wait, the other goes on."""
    sent: SimpleQueue[Exception | None] = SimpleQueue()

    def send_all() -> None:
        try:
            for document in documents:
                connection.send_request("GET", document.path)
                sent.put(None)
        # A connection that is refused, or a certificate that fails, is an OSError.
        except (HTTPIOError, OSError) as problem:
            sent.put(problem)

    threading.Thread(target=send_all, daemon=True).start()
    for _ in documents:
        # A response can be read only after there was a request.
        if problem := sent.get(timeout=TIMEOUT):
            raise problem
        expect_ok(connection.read_response())
        bodies.append(connection.readall())


def fetch_with_coroutines(
    connection: HTTPConnection, documents: Sequence[Document], bodies: list[bytes]
) -> None:
    """Send and read in one thread, whichever the socket is ready for."""

    @coroutine
    def send_all() -> PollGenerator[None]:
        for document in documents:
            yield from connection.co_send_request("GET", document.path)

    @coroutine
    def read_all() -> PollGenerator[None]:
        while len(bodies) < len(documents):
            if connection.response_pending():
                expect_ok((yield from connection.co_read_response()))
                bodies.append((yield from connection.co_readall()))
            else:
                # Every response to what was sent is here: wait until more can be sent.
                yield PollNeeded(connection.fileno(), POLLOUT)

    drive(send_all(), read_all())


def drive(*coroutines: PollCoroutine[None]) -> None:
    """Run *coroutines* side by side to their ends.

    This is all that an event loop has to do for httpio: resume a coroutine when the descriptor is
    ready that it named when it stopped.
    """
    waiting: dict[PollCoroutine[None], PollNeeded] = {}
    runnable = list(coroutines)
    while runnable:
        for each in runnable:
            try:
                waiting[each] = next(each)
            except StopIteration:
                waiting.pop(each, None)
        masks: dict[int, int] = {}
        for fd, mask in waiting.values():
            masks[fd] = masks.get(fd, 0) | mask
        poller = select.poll()
        for fd, mask in masks.items():
            poller.register(fd, mask)
        events = dict(poller.poll(TIMEOUT * 1000)) if masks else {}
        errors = select.POLLERR | select.POLLHUP
        runnable = [
            each for each, (fd, mask) in waiting.items() if events.get(fd, 0) & (mask | errors)
        ]
    if waiting:
        raise TimeoutError(f"nothing happened for {TIMEOUT:.0f} seconds")


def expect_ok(response: HTTPResponse) -> None:
    """Raise `Failed` unless *response* brings a document."""
    if response.status != 200:
        raise Failed(f"{response.path}: the server answered {response.status} {response.reason}")


# --- What surrounds them. --------------------------------------------------------------------------


class Failed(Exception):
    """The demo did not show what it is to show; the message tells what went wrong."""


WAYS: dict[str, Fetch] = {
    "one at a time": fetch_one_at_a_time,
    "pipeline": fetch_with_a_pipeline,
    "pipelined, two threads": fetch_with_two_threads,
    "pipelined, coroutines": fetch_with_coroutines,
}


@dataclass(frozen=True)
class Outcome:
    """What it took to fetch all documents in one way. All times are in seconds."""

    way: str
    round_trip: float
    wall_time: float
    cpu_time: float
    """Of this process, which is the client only."""


def measure(way: str, port: int, round_trip: float, documents: Sequence[Document]) -> Outcome:
    """Fetch *documents* once, and compare them with what they should be."""
    bodies: list[bytes] = []
    title = f"{way}, {round_trip * 1000:g} ms"
    with HTTPConnection(servers.HOST, port, timeout=TIMEOUT) as connection:
        connection.connect()
        with Progress(title, len(documents), bodies) as progress:
            wall_time, cpu_time = time.perf_counter(), time.process_time()
            WAYS[way](connection, documents, bodies)
            wall_time = time.perf_counter() - wall_time
            cpu_time = time.process_time() - cpu_time
    if differing := find_differences(documents, bodies):
        raise Failed(f"{title}: {len(differing)} documents differ, the first is {differing[0]}")
    return Outcome(way, round_trip, wall_time, cpu_time - progress.cpu_time)


def table(outcomes: Sequence[Outcome], count: int) -> str:
    """Return *outcomes* as lines to print. *count* is the number of documents."""
    lines = [
        f"{'round trip':>10}  {'way':24} {'time':>9}  {'speed-up':>8}  {'CPU per request':>15}",
        f"{'-' * 10}  {'-' * 24} {'-' * 9}  {'-' * 8}  {'-' * 15}",
    ]
    slowest = {outcome.round_trip: outcome.wall_time for outcome in reversed(outcomes)}
    for outcome in outcomes:
        lines.append(
            f"{outcome.round_trip * 1000:7g} ms  {outcome.way:24} {outcome.wall_time:7.3f} s"
            f"  {slowest[outcome.round_trip] / outcome.wall_time:7.1f}x"
            f"  {outcome.cpu_time / count * 1e6:12.0f} µs"
        )
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> None:
    """Start what is needed, fetch everything in every way, and print the results."""
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="httpio-demo-")))
        (directory / "documents").mkdir()
        documents = make_documents(directory / "documents", arguments.documents)
        total = sum(document.size for document in documents)
        largest = max(document.size for document in documents)
        print(
            f"{len(documents)} documents, {total / 1e6:.1f} MB together,"
            f" from 0 to {largest / 1e3:.0f} kB"
        )
        program = None if arguments.server == "embedded" else servers.find_nginx()
        if program is not None:
            serving = servers.nginx(program, directory, directory / "documents")
        elif arguments.server == "nginx":
            raise Failed("nginx is not installed")
        else:
            serving = servers.embedded_server(directory, directory / "documents")
        server_port = cleanup.enter_context(serving)
        name = "uvicorn" if program is None else "nginx"
        print(f"{name} serves them on {servers.HOST}:{server_port}\n", flush=True)

        outcomes = []
        for milliseconds in arguments.round_trip:
            port = server_port
            if milliseconds:
                port = cleanup.enter_context(servers.delay_proxy(server_port, milliseconds / 1000))
            for way in WAYS:
                outcomes.append(measure(way, port, milliseconds / 1000, documents))
        print(table(outcomes, len(documents)))
        print("\nEvery document arrived as it is on the server's disk, each time.")


def positive(text: str) -> int:
    """Return the number that *text* is, if it is more than 0."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {number}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=positive, default=1000, help="how many (default: 1000)")
    parser.add_argument(
        "--round-trip",
        type=float,
        nargs="+",
        default=[0, 20],
        metavar="MS",
        help="simulated times in milliseconds, 0 for no proxy in between (default: 0 20)",
    )
    parser.add_argument(
        "--server",
        choices=["auto", "nginx", "embedded"],
        default="auto",
        help="auto: nginx where it is installed, else the embedded one (default)",
    )
    # Ends the server and the proxy as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(parser.parse_args(arguments))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (Failed, servers.ProgramFailed, HTTPIOError, TimeoutError) as problem:
        print(f"failed: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
