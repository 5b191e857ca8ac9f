"""Runs one client: ``python -m benchmarks.worker NAME ARGUMENT...``.

Reads numbers from its standard input, does as many operations, and prints what they took, one line
of JSON each. Ends with its input.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from . import async_clients, clients

CLIENTS = {**clients.CLIENTS, **async_clients.CLIENTS}


def peak_memory() -> int:
    """Return the most bytes that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss goes back to before the exec there, to the process that started this one.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Serve the parent until it closes our input."""
    name, *arguments = sys.argv[1:]
    try:
        client = CLIENTS[name](*arguments)
    except ImportError as exc:
        print(json.dumps({"missing": str(exc)}), flush=True)
        return
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        count = int(line)
        before, wall_time = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        longest_block = client(count)
        after, wall_time = (
            resource.getrusage(resource.RUSAGE_SELF),
            time.perf_counter() - wall_time,
        )
        cpu_time = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        usage = {
            "cpu_time": cpu_time,
            "wall_time": wall_time,
            "peak_memory": peak_memory(),
            "longest_block": longest_block,
        }
        print(json.dumps(usage), flush=True)


main()
