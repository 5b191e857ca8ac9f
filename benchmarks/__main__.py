"""``python -m benchmarks [--quick] [--json FILE] [NAME...]``: see ``benchmarks/README.md``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.delay_proxy import delay_proxy

from .async_benchmarks import ASYNC_BENCHMARKS
from .effort import DOCUMENT_SIZE, FULL, LARGE_BODY, MICROSECONDS, QUICK, cpus
from .fetching import fetching
from .load import load
from .measuring import Series, Worker, WorkerFailed, take_turns
from .report import Table, Target
from .servers import ServerMissing, make_objects, nginx, program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .effort import Effort

ROUND_TRIP = 0.02
"""Seconds to a distant server and back."""


def imports(effort: Effort, _directory: Path) -> list[Table]:
    """CPU time of an import, over that of an interpreter that does nothing."""
    subjects = {
        "socket": "import socket",
        "httpio": "import httpio",
        "http.client": "import http.client",
    }
    series = {name: Series(name) for name in subjects}
    for statement in subjects.values():
        _interpreter(statement)  # compiles what is not compiled yet
    for _ in range(effort.imports):
        bare = _interpreter("pass")
        for name, statement in subjects.items():
            series[name].values.append((_interpreter(statement) - bare) * 1000)
    return [
        Table(
            "Importing, over a bare interpreter",
            "CPU ms per process",
            list(series.values()),
            [
                Target("httpio", "http.client", 0.6),
                Target("httpio", "socket", 2.0, binding=False),
            ],
            digits=2,
        )
    ]


def _interpreter(statement: str) -> float:
    """Run *statement* in an interpreter of its own, and return its CPU time in seconds."""
    process = subprocess.Popen([sys.executable, "-I", "-c", statement])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkerFailed(f"{statement!r} failed")
    return usage.ru_utime + usage.ru_stime


def sequential(effort: Effort, directory: Path) -> list[Table]:
    """Small documents, one at a time, over one connection."""
    names = ["raw socket", "raw socket, httptools", "httpio", "pycurl", "http.client", "urllib3"]
    # Client and server never work at the same time here. On one CPU they hand over to each other,
    # on two each sleeps and is woken up anew, which costs more than the work and varies a lot.
    cpu, _ = cpus()
    (directory / "small").write_bytes(os.urandom(DOCUMENT_SIZE))
    with nginx(directory, cpu=cpu) as port:
        measured = take_turns(
            [(name, (port, "/small", DOCUMENT_SIZE)) for name in names],
            count=effort.requests,
            rounds=effort.rounds,
            scale=MICROSECONDS,
            cpu=cpu,
        )
    return [
        Table(
            "GET of 1 KiB from nginx, one at a time, on one connection",
            "CPU µs per request",
            measured.series,
            [
                Target("httpio", "http.client", 0.5),
                Target("httpio", "pycurl", 1.0),
                Target("httpio", "raw socket", 1.35, binding=False),
            ],
            measured.missing,
        )
    ]


def large(effort: Effort, directory: Path) -> list[Table]:
    """Large bodies, both ways."""
    directions = {
        "Download": ["raw recv_into", "httpio readinto", "http.client readinto"],
        "Upload": ["raw sendall", "httpio write", "http.client send"],
    }
    client_cpu = server_cpu = cpus()[0]
    tables = []
    with program("bulk_server", directory, cpu=server_cpu) as port:
        for direction, names in directions.items():
            for kib in (256, 64):
                measured = take_turns(
                    [(name, (port, kib * 1024)) for name in names],
                    count=effort.large_body,
                    rounds=effort.large_rounds,
                    scale=LARGE_BODY * 1000,
                    cpu=client_cpu,
                )
                tables.append(
                    Table(
                        f"{direction} of {effort.large_body} MiB, buffer of {kib} KiB",
                        "CPU ms per GiB",
                        measured.series,
                        [Target(names[1], names[0], 1.1, binding=kib == 256)],
                        measured.missing,
                    )
                )
    return tables


def memory(effort: Effort, directory: Path) -> list[Table]:
    """The most memory that a client ever has resident while it transfers a body."""
    sizes = (64, effort.large_body)
    with program("bulk_server", directory, cpu=None) as port:
        tables = []
        for name in ("httpio readinto", "httpio write", "raw recv_into", "raw sendall"):
            series = []
            for size in sizes:
                # A new process each time: the peak of a process never sinks.
                with Worker(name, port, 256 * 1024) as worker:
                    peak = worker.run(size).peak_memory / (1 << 20)
                series.append(Series(f"{name}, {size} MiB", [peak]))
            tables.append(series)
    return [
        Table(
            f"Peak memory, {sizes[1]} MiB beside {sizes[0]} MiB",
            "MiB resident",
            [one for series in tables for one in series],
            [Target(series[1].name, series[0].name, 1.05) for series in tables[:2]],
        )
    ]


def pipelined(effort: Effort, directory: Path) -> list[Table]:
    """Small documents, pipelined: informative."""
    names = ["httpio", "httpio, two threads", "httpio, cofunction", "httpio, coroutines"]
    cpu, _ = cpus()
    (directory / "small").write_bytes(os.urandom(DOCUMENT_SIZE))
    with nginx(directory, cpu=cpu) as port:
        measured = take_turns(
            [(name, (port, "/small", DOCUMENT_SIZE)) for name in names],
            count=effort.requests,
            rounds=effort.rounds,
            scale=MICROSECONDS,
            cpu=cpu,
        )
    title = "GET of 1 KiB from nginx, pipelined"
    return [
        Table(title, "CPU µs per request", measured.series),
        Table(title, "elapsed µs per request", measured.wall),
    ]


def objects(effort: Effort, directory: Path) -> list[Table]:
    """Many different small objects, each handed to the caller."""
    names = [
        "raw loop",
        "httpio with_bodies",
        "httpio readall",
        "pycurl multi, 64 connections",
        "dugong",
    ]
    make_objects(directory, effort.objects)
    cpu, _ = cpus()
    with nginx(directory, cpu=cpu) as port:
        measured = take_turns(
            [(name, (port, effort.objects)) for name in names],
            count=effort.objects,
            rounds=effort.rounds,
            scale=MICROSECONDS,
            cpu=cpu,
        )
    return [
        Table(
            f"{effort.objects} objects of 1 to 4 KiB from nginx",
            "CPU µs per object",
            measured.series,
            [
                Target("httpio with_bodies", "raw loop", 2.0),
                Target("httpio with_bodies", "raw loop", 1.6, binding=False),
                Target("httpio with_bodies", "pycurl multi, 64 connections", 0.6),
                Target("httpio with_bodies", "dugong", 0.05),
            ],
            measured.missing,
        )
    ]


def flood(effort: Effort, directory: Path) -> list[Table]:
    """Pipelined responses from a server that is never waited for."""
    names = [
        "raw loop, flood",
        "httptools, bare",
        "httptools",
        "httptools, headers",
        "httpio with_bodies, flood",
    ]
    client_cpu, server_cpu = cpus()
    with program("flood_server", directory, cpu=server_cpu) as port:
        measured = take_turns(
            [(name, (port, effort.flood)) for name in names],
            count=effort.flood,
            rounds=effort.rounds,
            scale=MICROSECONDS,
            cpu=client_cpu,
        )
    return [
        Table(
            f"{effort.flood} responses of 512 bytes from a server that is never waited for",
            "CPU µs per response",
            measured.series,
            [
                Target("httpio with_bodies, flood", "httptools", 3.0),
                Target("httpio with_bodies, flood", "httptools", 2.0, binding=False),
                Target("httpio with_bodies, flood", "httptools, bare", 3.0, binding=False),
                Target("httpio with_bodies, flood", "httptools, headers", 1.5, binding=False),
            ],
            measured.missing,
        )
    ]


def distant(effort: Effort, directory: Path) -> list[Table]:
    """The same objects, from a server that is farther away."""
    names = ["raw loop", "httpio with_bodies", "httpio readall", "pycurl multi, 64 connections"]
    make_objects(directory, effort.objects)
    with nginx(directory, cpu=None) as server, delay_proxy(server, ROUND_TRIP) as port:
        measured = take_turns(
            [(name, (port, effort.objects)) for name in names],
            count=effort.objects,
            rounds=effort.distant_rounds,
            scale=MICROSECONDS,
            cpu=None,
        )
    return [
        Table(
            f"{effort.objects} objects of 1 to 4 KiB, {ROUND_TRIP * 1000:.0f} ms away",
            "elapsed µs per object",
            measured.wall,
            [
                Target("httpio with_bodies", "raw loop", 1.2),
                Target("httpio with_bodies", "pycurl multi, 64 connections", 0.1),
            ],
            measured.missing,
        )
    ]


def depths(effort: Effort, directory: Path) -> list[Table]:
    """The same objects, near and far, with more and more requests under way: informative."""
    make_objects(directory, effort.objects)
    tables = []
    for round_trip in (0.0, 0.001, ROUND_TRIP):
        with ExitStack() as stack:
            port = stack.enter_context(nginx(directory, cpu=None))
            if round_trip:
                port = stack.enter_context(delay_proxy(port, round_trip))
            series = []
            for depth in (1, 4, 16, 64, 256, 1024, 4096):
                # Not to wait for minutes where each object costs a round trip.
                count = min(effort.objects, 300 * depth)
                measured = take_turns(
                    [("httpio with_bodies", (port, effort.objects, depth))],
                    count=count,
                    rounds=effort.distant_rounds,
                    scale=MICROSECONDS,
                    cpu=None,
                )
                series.append(Series(f"depth {depth}", measured.wall[0].values))
        tables.append(
            Table(
                f"Objects of 1 to 4 KiB, {round_trip * 1000:.0f} ms away",
                "elapsed µs per object",
                series,
            )
        )
    return tables


def ranges(effort: Effort, directory: Path) -> list[Table]:
    """Ranges of 8 KiB out of a file of 1 GiB, from a server that is farther away."""
    names = ["httpio read_ranges", "http.client, one at a time"]
    file = directory / "large"
    with file.open("wb") as writer:
        generator = random.Random(4)
        for _ in range(1024):
            writer.write(generator.randbytes(1 << 20))
    with nginx(directory, cpu=None) as server, delay_proxy(server, ROUND_TRIP) as port:
        measured = take_turns(
            [(name, (port, str(file), effort.ranges)) for name in names],
            count=effort.ranges,
            rounds=effort.distant_rounds,
            scale=MICROSECONDS,
            cpu=None,
        )
    return [
        Table(
            f"{effort.ranges} ranges of 8 KiB out of 1 GiB, {ROUND_TRIP * 1000:.0f} ms away",
            "elapsed µs per range",
            measured.wall,
            [Target(names[0], names[1], 0.05)],
            measured.missing,
        )
    ]


BENCHMARKS: dict[str, Callable[[Effort, Path], list[Table]]] = {
    "imports": imports,
    "sequential": sequential,
    "large": large,
    "memory": memory,
    "pipelined": pipelined,
    "objects": objects,
    "flood": flood,
    "distant": distant,
    "depths": depths,
    "ranges": ranges,
    "load": load,
    "fetching": fetching,
    **ASYNC_BENCHMARKS,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write every round")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    environment = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }
    print(", ".join(map(str, environment.values())), "CPUs\n")
    effort = QUICK if options.quick else FULL
    tables: list[Table] = []
    for name in options.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="httpio-benchmarks-") as directory:
            try:
                measured = BENCHMARKS[name](effort, Path(directory))
            except ServerMissing as problem:
                print(f"{name}: {problem}\n")
                continue
        for table in measured:
            print(table, "\n", flush=True)
        tables += measured
    if options.json is not None:
        content = {"environment": environment, "tables": [table.as_dict() for table in tables]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
