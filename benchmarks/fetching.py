"""Fetching many small files to a directory, from a server that is far away: whole programs, each as it comes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.delay_proxy import delay_proxy

from .measuring import Series, WorkerFailed
from .report import Table, Target
from .servers import make_objects, nginx

if TYPE_CHECKING:
    from collections.abc import Callable

    from .effort import Effort

ROUND_TRIP = 0.03
"""Seconds to the server and back."""

PATIENCE = 300
"""Seconds after which a program is given up."""


@dataclass(frozen=True)
class _Job:
    """What is to be fetched, and where to."""

    url: str
    """Of the directory."""
    names: list[str]
    output: Path
    """An empty directory."""

    def write(self, suffix: str, lines: list[str]) -> Path:
        """Write a list for a program, beside the output; return its path."""
        path = self.output.with_name(self.output.name + suffix)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def write_urls(self) -> Path:
        """Write a list of URLs; return its path."""
        return self.write(".urls", [f"{self.url}/{name}" for name in self.names])


def _httpio(connections: int) -> Callable[[_Job], list[str | Path]]:
    def command(job: _Job) -> list[str | Path]:
        program = Path(sys.executable).with_name("httpio")
        parallel = ("--parallel-max", str(connections))
        return [program, "fetch", "-i", job.write_urls(), "--output-dir", job.output, *parallel]

    return command


def _curl(job: _Job) -> list[str | Path]:
    lines = []
    for name in job.names:
        lines += [f'url = "{job.url}/{name}"', f'output = "{job.output / name}"']
    config = job.write(".curl", lines)
    return ["curl", "-sS", "-q", "--parallel", "--parallel-max", "50", "-K", config]


def _wget2(job: _Job) -> list[str | Path]:
    return ["wget2", "-q", "--max-threads=6", "-P", job.output, "-i", job.write_urls()]


def _aria2(job: _Job) -> list[str | Path]:
    urls = job.write_urls()
    return ["aria2c", "-q", "--file-allocation=none", "-j", "6", "-d", job.output, "-i", urls]


PROGRAMS: dict[str, Callable[[_Job], list[str | Path]]] = {
    "httpio fetch, 2 connections": _httpio(2),
    "httpio fetch, 1 connection": _httpio(1),
    "curl, 50 connections": _curl,
    "wget2, 6 connections": _wget2,
    "aria2c, 6 connections": _aria2,
}


def fetching(effort: Effort, directory: Path) -> list[Table]:
    """Small files, distant: all of a program's life is measured."""
    make_objects(directory, effort.files)
    names = [f"{number:06d}" for number in range(effort.files)]
    expected = {name: (directory / "objects" / name).read_bytes() for name in names}
    series = {}
    missing = []
    for name in PROGRAMS:
        if "httpio" in name or shutil.which(name.partition(",")[0]):
            series[name] = Series(name)
        else:
            missing.append(f"{name}: it is not installed")
    with nginx(directory, cpu=None) as server, delay_proxy(server, ROUND_TRIP) as port:
        url = f"http://127.0.0.1:{port}/objects"
        for turn in range(effort.fetch_rounds):
            for number, (name, one) in enumerate(series.items()):
                # Never emptied: making a file is slow where many were removed just now.
                output = directory / f"output-{turn}-{number}"
                output.mkdir()
                one.values.append(_run(PROGRAMS[name](_Job(url, names, output))))
                _check(name, output, expected)
    ours = "httpio fetch, 2 connections"
    return [
        Table(
            f"{effort.files} files of 1 to 4 KiB, {ROUND_TRIP * 1000:.0f} ms away",
            "elapsed ms per run",
            list(series.values()),
            [
                Target(ours, "curl, 50 connections", 1.0),
                Target(ours, "wget2, 6 connections", 0.2),
                Target(ours, "aria2c, 6 connections", 0.2),
                Target("httpio fetch, 1 connection", "curl, 50 connections", 1.0, binding=False),
            ],
            missing,
            digits=0,
        )
    ]


def _run(command: list[str | Path]) -> float:
    """Run a program to its end; return the milliseconds that took."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )
    elapsed = time.perf_counter() - begin
    if done.returncode:
        raise WorkerFailed(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-500:]}")
    return elapsed * 1000


def _check(name: str, output: Path, expected: dict[str, bytes]) -> None:
    """Fail unless the files are all there, and whole."""
    for file, content in expected.items():
        if (output / file).read_bytes() != content:
            raise WorkerFailed(f"{name} has not fetched {file} as it is")
