"""``httpio bench`` beside wrk: how much load either makes on the same server, in turns."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.processes import free_ports, running

from .effort import DOCUMENT_SIZE, MICROSECONDS, cpus
from .measuring import REPOSITORY, Series, WorkerFailed
from .report import Table, Target
from .servers import NGINX_CONFIG, ServerMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .effort import Effort

DEPTHS = (1, 32)
_SECONDS = 2
_ROUNDS = 3
_LIMIT = 1 / 0.6
"""What is to be reached is 0.6 times the requests per second of wrk."""

_WRK_SCRIPT = """
init = function(args)
  local requests = {{}}
  for number = 1, {depth} do
    requests[number] = wrk.format("GET", "/small")
  end
  all = table.concat(requests)
end
request = function() return all end
"""


def load(effort: Effort, directory: Path) -> list[Table]:
    """Requests that one connection is kept busy with, one at a time and pipelined."""
    wrk = shutil.which("wrk")
    rounds = max(min(effort.rounds, 2 * _ROUNDS), _ROUNDS)
    (directory / "small").write_bytes(os.urandom(DOCUMENT_SIZE))
    client_cpu, server_cpu = cpus()
    tables = []
    with _nginx(directory, server_cpu) as port:
        url = f"http://127.0.0.1:{port}/small"
        for depth in DEPTHS:
            script = directory / f"depth-{depth}.lua"
            script.write_text(_WRK_SCRIPT.format(depth=depth))
            subjects: dict[str, Callable[[], float]] = {}
            if wrk is not None:
                subjects["wrk"] = lambda script=script: _wrk(wrk, url, script)  # type: ignore[misc]  # a default binds it
            subjects["httpio bench"] = lambda depth=depth: _bench(url, depth)  # type: ignore[misc]  # likewise
            series = {name: Series(name) for name in subjects}
            for _ in range(rounds):
                for name, measure in subjects.items():
                    with _pinned(client_cpu):
                        series[name].values.append(MICROSECONDS / measure())
            tables.append(
                Table(
                    f"Load on nginx: GET of 1 KiB, 1 connection, {depth} under way",
                    "elapsed µs per request",
                    list(series.values()),
                    [Target("httpio bench", "wrk", _LIMIT, binding=depth > 1)],
                    [] if wrk is not None else ["wrk: it is not installed"],
                )
            )
    return tables


def _wrk(wrk: str, url: str, script: Path) -> float:
    """Return wrk's requests per second."""
    said = _run([wrk, "-t1", "-c1", f"-d{_SECONDS}s", "-s", str(script), url])
    found = re.search(r"^Requests/sec:\s*([0-9.]+)", said, re.MULTILINE)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise WorkerFailed(f"wrk said {said!r}")
    return float(found[1])


def _bench(url: str, depth: int) -> float:
    """Return the requests per second of ``httpio bench``."""
    command = [sys.executable, "-m", "httpio_cli", "bench", "--output-format", "json"]
    said = _run([*command, "-c1", f"-p{depth}", f"-z{_SECONDS}s", url])
    (result,) = json.loads(said)["depths"]
    if result["errors"]:
        raise WorkerFailed(f"httpio bench had {result['errors']} errors")
    return float(result["requests_per_s"])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode:
        raise WorkerFailed(f"{command[0]} failed: {done.stderr}")
    return done.stdout


@contextmanager
def _pinned(cpu: int | None) -> Iterator[None]:
    """What is started meanwhile runs on *cpu* alone."""
    if cpu is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _nginx(directory: Path, cpu: int | None) -> Iterator[int]:
    """Serve *directory*, each response as soon as it is there, and give the port.

    With tcp_nopush, nginx keeps the last responses of a pipeline until the client acknowledges the ones
    before, which takes 40 ms where the client waits for all of them, as wrk does.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise ServerMissing("nginx is not installed")
    (port,) = free_ports(1)
    config = directory / "nginx.conf"
    text = NGINX_CONFIG.replace("tcp_nopush on;", "tcp_nopush off;")
    config.write_text(text.format(directory=directory, port=port))
    command: list[str | Path] = [program, "-e", "stderr", "-p", directory, "-c", config]
    with running(command, [("127.0.0.1", port)], directory / "nginx.log") as process:
        if cpu is not None:
            os.sched_setaffinity(process.pid, {cpu})
        yield port
