"""Runs of ``httpio fetch`` that are killed, and continued by the next one."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

import pytest

from .fetching import LIMIT, Site, contents, document, fetch, numbered, start, write_list

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

FILES = 2500
LARGE = 3_000_000
KILLS = 20


def _complete(directory: Path, expected: dict[str, bytes]) -> set[str]:
    """Return the names of the files that are complete; fail if one is in place that is not."""
    complete = set()
    for name, content in contents(directory).items():
        if name in expected:
            assert content == expected[name], f"{name} is torn"
            complete.add(name)
    journal = directory / ".httpio-fetch.journal"
    if journal.exists():
        # All but a line that was being written.
        for line in journal.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            if record["is"] == "done":
                complete.add(record["out"])
    return complete


def _kill_after(process: subprocess.Popen[str], site: Site, requests: int) -> bool:
    """Kill *process* when it has made so many *requests*; return whether it still ran."""
    deadline = time.monotonic() + LIMIT
    asked = len(site.log)
    while len(site.log) < asked + requests and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    is_running = process.poll() is None
    process.kill()
    process.communicate()
    return is_running


@pytest.mark.exhaustive
def test_what_is_complete_is_never_fetched_again(tmp_path: Path) -> None:
    generator = random.Random(20)
    output = tmp_path / "out"
    output.mkdir()
    with Site() as site:
        expected = numbered(site, [f"file-{number:04d}" for number in range(FILES)], 1000)
        for number in range(3):
            name = f"large-{number}"
            expected[name] = generator.randbytes(LARGE)
            site.resources[f"/{name}"] = document(expected[name], etag=f'"{name}"')
        names = list(expected)
        generator.shuffle(names)
        wanted = write_list(tmp_path, [f"{site.url}/{name}" for name in names])
        command = ("-i", wanted, "--output-dir", output, "--pipeline-depth", "32")
        complete: set[str] = set()
        progress = []
        kills = 0
        for _ in range(KILLS):
            before = len(site.log)
            process = start(tmp_path, *command)
            kills += _kill_after(process, site, generator.randint(0, 100))
            again = {exchange.path.removeprefix("/") for exchange in site.log[before:]} & complete
            assert not again, f"{sorted(again)} had been complete, and were fetched again"
            now_complete = _complete(output, expected)
            assert complete <= now_complete
            complete = now_complete
            progress.append(len(complete))
        # Otherwise the kills have shown nothing.
        assert kills > KILLS / 2
        assert len(set(progress)) > KILLS / 2, progress
        before = len(site.log)
        done = fetch(tmp_path, *command)
        assert done.code == 0, done.stderr
        again = {exchange.path.removeprefix("/") for exchange in site.log[before:]} & complete
    assert not again
    assert contents(output) == expected
    assert f"{len(complete)} complete before" in done.stderr


def test_a_large_file_goes_on_where_it_was(tmp_path: Path) -> None:
    content = random.Random(3).randbytes(8_000_000)
    with Site() as site:
        serve = document(content, etag='"large"')
        site.resources["/large"] = serve
        process = start(tmp_path, f"{site.url}/large", "--limit-rate", "4M")
        part = tmp_path / "large.part"
        deadline = time.monotonic() + LIMIT
        while not (part.exists() and part.stat().st_size > 500_000):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.communicate()
        size = part.stat().st_size
        assert part.read_bytes() == content[:size]
        done = fetch(tmp_path, f"{site.url}/large")
    assert done.code == 0, done.stderr
    fields = site.requests("/large")[-1].fields
    assert (fields["range"], fields["if-range"]) == (f"bytes={size}-", '"large"')
    assert contents(tmp_path) == {"large": content}
