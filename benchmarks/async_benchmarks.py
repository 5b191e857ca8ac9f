"""What is compared with what, of that which runs in an event loop."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .effort import DOCUMENT_SIZE, LARGE_BODY, MICROSECONDS, cpus
from .measuring import PeerMissing, Series, Worker, take_turns
from .report import Table, Target
from .servers import make_objects, nginx, program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .effort import Effort

LOOPS = ("asyncio", "uvloop", "trio")
BUFFER_SIZE = 256 * 1024
SEND_BUFFER = 256 * 1024
"""Bytes that a server may have under way, where the system is not to decide."""
LONGEST_BLOCK = 50
"""Milliseconds that others in the event loop may have to wait."""
AT_ONE_GO = ("download, readall", "upload, one write")
"""Large bodies in one call. Who cares for others would not do that."""


def async_sequential(effort: Effort, directory: Path) -> list[Table]:
    """Small documents, one at a time, over one connection."""
    names = ["raw socket", "httpio"]
    for loop in ("asyncio", "uvloop"):
        for name in ("httpio", "httpio timeout()", "httpio request()", "aiohttp", "httpx"):
            names.append(f"{name}, {loop}")
    names += ["httpio, trio", "httpio request(), trio", "httpx, trio"]
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
            "GET of 1 KiB from nginx in an event loop, one at a time, on one connection",
            "CPU µs per request",
            measured.series,
            [
                Target("httpio, asyncio", "aiohttp, asyncio", 0.6),
                Target("httpio, uvloop", "aiohttp, uvloop", 0.6),
                Target("httpio, asyncio", "httpx, asyncio", 0.25),
                Target("httpio, trio", "httpx, trio", 0.25),
            ],
            measured.missing,
        )
    ]


def async_objects(effort: Effort, directory: Path) -> list[Table]:
    """Many different small objects, each handed to the caller."""
    names = ["raw loop", "httpio with_bodies"]
    for loop in LOOPS:
        names += [f"httpio with_bodies, {loop}", f"httpio next_batch, {loop}"]
    names += ["aiohttp, 64 connections, asyncio", "aiohttp, 64 connections, uvloop"]
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
            f"{effort.objects} objects of 1 to 4 KiB from nginx in an event loop",
            "CPU µs per object",
            measured.series,
            [
                Target(f"httpio with_bodies, {loop}", "aiohttp, 64 connections, asyncio", 0.1)
                for loop in ("asyncio", "trio")
            ],
            measured.missing,
        )
    ]


def async_download(effort: Effort, directory: Path) -> list[Table]:
    """A large body."""
    names = [
        "raw sock_recv_into, asyncio",
        "httpio readinto, asyncio",
        "httpio iter_body, asyncio",
        "aiohttp iter_chunked, asyncio",
        "aiohttp iter_any, asyncio",
        "httpx aiter_raw, asyncio",
        "httpio readinto, uvloop",
        "aiohttp iter_any, uvloop",
        "httpio readinto, trio",
    ]
    client_cpu, server_cpu = cpus()
    tables = []
    for send_buffer in ([], [str(SEND_BUFFER)]):
        with program("bulk_server", directory, *send_buffer, cpu=server_cpu) as port:
            measured = take_turns(
                [(name, (port, BUFFER_SIZE)) for name in names],
                count=effort.large_body,
                rounds=effort.large_rounds,
                scale=LARGE_BODY * 1000,
                cpu=client_cpu,
            )
        under_way = f"{SEND_BUFFER // 1024} KiB" if send_buffer else "as much as the system likes"
        tables.append(
            Table(
                f"Download of {effort.large_body} MiB in an event loop,"
                f" buffer of {BUFFER_SIZE // 1024} KiB, {under_way} under way",
                "CPU ms per GiB",
                measured.series,
                [
                    Target("httpio readinto, asyncio", other, 0.7, binding=not send_buffer)
                    for other in ("aiohttp iter_chunked, asyncio", "aiohttp iter_any, asyncio")
                ],
                measured.missing,
            )
        )
    return tables


def ticker(effort: Effort, directory: Path) -> list[Table]:
    """How long others in the event loop have to wait while something is done."""
    client_cpu, server_cpu = cpus()
    missing = []
    with ExitStack() as stack:
        port = stack.enter_context(program("bulk_server", directory, cpu=server_cpu))
        transfer = ((port, BUFFER_SIZE), effort.large_body)
        subjects: dict[str, tuple[tuple[str | int, ...], int]] = {
            "nothing": ((port,), 30),
            "name resolution": ((port,), 1),
            "connect": ((port,), effort.connections),
        }
        try:
            from tests.support.certs import make_certificates
        except ImportError as problem:
            missing.append(f"TLS handshake: {problem}")
        else:
            made = make_certificates(directory)
            files = (made.certificate_file, made.key_file)
            server = program("tls_server", directory, *files, cpu=server_cpu)
            arguments = (stack.enter_context(server), str(made.authority_file))
            subjects["TLS handshake"] = (arguments, effort.connections)
        for name in ("download, readinto", "upload, pieces", *AT_ONE_GO):
            subjects[name] = transfer
        return [_ticker_table(loop, effort, subjects, missing, client_cpu) for loop in LOOPS]


def _ticker_table(
    loop: str,
    effort: Effort,
    subjects: dict[str, tuple[tuple[str | int, ...], int]],
    missing: list[str],
    cpu: int | None,
) -> Table:
    """Measure *subjects* in *loop*; each of them has arguments and a number of operations."""
    table = Table(
        f"The longest that others have to wait in an event loop, {loop},"
        f" bodies of {effort.large_body} MiB",
        "ms at most in a round",
        [],
        [
            Target(f"{name}, {loop}", None, LONGEST_BLOCK, binding=name not in AT_ONE_GO)
            for name in [*subjects][1:]
        ],
        [*missing],
    )
    for name, (arguments, count) in subjects.items():
        series = Series(f"{name}, {loop}")
        try:
            with Worker(series.name, *arguments, cpu=cpu) as worker:
                worker.run(max(count // 10, 1))
                for _ in range(effort.rounds):
                    longest = worker.run(count).longest_block
                    assert longest is not None
                    series.values.append(longest * 1000)
        except PeerMissing as problem:
            table.missing.append(f"{series.name}: {problem}")
        else:
            table.series.append(series)
    return table


def registration(effort: Effort, directory: Path) -> list[Table]:
    """A descriptor that stays registered, and one that is registered for each wait: informative."""
    names = [
        f"{name}, {loop}"
        for loop in ("asyncio", "uvloop")
        for name in ("httpio", "core by run", "core by AioFuture")
    ]
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
    title = "GET of 1 KiB from nginx, registered once (httpio) or for each wait (core)"
    return [
        Table(title, "CPU µs per request", measured.series, missing=measured.missing),
        Table(title, "elapsed µs per request", measured.wall),
    ]


ASYNC_BENCHMARKS: dict[str, Callable[[Effort, Path], list[Table]]] = {
    "async_sequential": async_sequential,
    "async_objects": async_objects,
    "async_download": async_download,
    "ticker": ticker,
    "registration": registration,
}
