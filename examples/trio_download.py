"""Downloads documents from any number of servers at once, with trio.

    python examples/trio_download.py [-t SECONDS] URL...

Each document goes into the directory of its server, under the path that it has there. A pool keeps the
connections: requests to one server share two of them, and are pipelined once the server has shown that
it keeps connections open. A document that is incomplete is a file that is not there. Exits with 1 if
one cannot be had, or is not had within SECONDS, 60 if not given.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio

from httpio import HTTPIOError
from httpio_trio import ConnectionPool

if TYPE_CHECKING:
    from httpio_trio import Response


async def store(response: Response, target: Path) -> None:
    """Write the content to *target*, which is there only when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as fh:
            async for piece in response.iter_body():
                fh.write(piece)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


async def download(pool: ConnectionPool, url: str, patience: float, failures: list[str]) -> None:
    parts = urlsplit(url)
    target = Path(parts.netloc.replace(":", "_"), parts.path.lstrip("/") or "index.html")
    try:
        # The time is trio's business: it ends whatever takes too long, wherever that is.
        with trio.fail_after(patience):
            async with pool.request("GET", url) as response:
                if response.status != 200:
                    failures.append(f"{url}: {response.status} {response.reason}")
                    return
                await store(response, target)
    except trio.TooSlowError:
        failures.append(f"{url}: too slow")
    except (HTTPIOError, OSError) as exc:
        failures.append(f"{url}: {exc}")


async def main(*arguments: str) -> None:
    patience, urls = 60.0, arguments
    if urls[:1] == ("-t",):
        patience, urls = float(urls[1]), urls[2:]
    if not urls:
        sys.exit(__doc__)
    failures: list[str] = []
    async with (
        ConnectionPool(max_per_origin=2, pipeline_depth=100) as pool,
        # The nursery is ours: httpio starts no task of its own.
        trio.open_nursery() as nursery,
    ):
        for url in urls:
            nursery.start_soon(download, pool, url, patience, failures)
    if failures:
        print("\n".join(sorted(failures)))
        sys.exit(1)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
