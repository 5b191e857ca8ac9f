"""``httpio fetch`` as a process, against a server that does what it is told."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from .fetching import (
    COMMAND,
    LIMIT,
    Site,
    contents,
    cut_off,
    document,
    environment,
    fetch,
    finish,
    first,
    hang_up,
    head,
    numbered,
    part,
    range_of,
    sha256,
    start,
    status,
    write_list,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certs import Certificates

    from .fetching import Exchange

LARGE = bytes(range(256)) * 12_000
"""More than 3 million bytes."""
SOON = ("--retry-delay", "20ms")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def report_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestLists:
    def test_urls_and_names(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a", "b", "c"])
        lines = [
            f"{site.url}/a",
            f"{site.url}/b -> x/y",
            f"{site.url}/c sha256:{sha256(made['c'])}",
        ]
        done = fetch(out, "-i", "-", "--create-dirs", stdin="\n".join(lines))
        assert (done.code, done.stdout) == (0, "")
        assert contents(out) == {"a": made["a"], "x/y": made["b"], "c": made["c"]}
        assert done.stderr.startswith("httpio: 3 of 3 files fetched; 300 B in ")

    def test_a_dash_is_standard_input(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a"])
        assert fetch(out, "-", stdin=f"{site.url}/a").code == 0
        assert contents(out) == made

    def test_standard_input_is_left_alone_otherwise(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        assert fetch(out, f"{site.url}/a", stdin=f"{site.url}/b").code == 0
        assert contents(out) == {"a": made["a"]}

    def test_output_and_checksum_options(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        digests = ["--checksum", f"sha256:{sha256(made['a'])}", "--checksum", "md5:" + "0" * 32]
        done = fetch(out, f"{site.url}/a", f"{site.url}/b", "-o", "x", *digests)
        assert done.code == 111
        assert "as --checksum has it" in done.stderr
        assert contents(out) == {"x": made["a"]}

    def test_a_manifest(self, site: Site, tmp_path: Path, out: Path) -> None:
        made = numbered(site, ["d/a", "d/b%20c"])
        named = {"a": made["d/a"], "b c": made["d/b%20c"]}
        sums = write_list(tmp_path, [f"{sha256(data)}  {name}" for name, data in named.items()])
        done = fetch(out, "-i", sums, "--base-url", f"{site.url}/d", "--format", "json")
        assert done.code == 0
        assert json.loads(done.stdout)["fetched"] == 2
        assert contents(out) == named

    def test_an_aria2_list(self, site: Site, tmp_path: Path, out: Path) -> None:
        made = numbered(site, ["a"])
        lines = [
            f"{site.url}/gone\t{site.url}/a",
            "  out=x",
            "  dir=sub",
            f"  checksum=sha-256={sha256(made['a'])}",
            "  header=X-Test: 1",
            "  split=4",
        ]
        done = fetch(out, "-i", write_list(tmp_path, lines), "--create-dirs")
        assert done.code == 0
        assert contents(out) == {"sub/x": made["a"]}
        assert site.paths() == ["/gone", "/a"]
        assert {exchange.fields["x-test"] for exchange in site.log} == {"1"}
        assert "not used here: split" in done.stderr

    def test_json_lines(self, site: Site, tmp_path: Path, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        entries: list[dict[str, object]] = [
            {"url": f"{site.url}/a", "out": "x", "size": 100, "sha256": sha256(made["a"])},
            {"url": f"{site.url}/b", "size": 99, "headers": {"X-Test": "1", "Accept": "x/y"}},
        ]
        done = fetch(out, "-i", write_list(tmp_path, [json.dumps(entry) for entry in entries]))
        assert done.code == 111
        assert "100 bytes have come, and the list has 99" in done.stderr
        assert contents(out) == {"x": made["a"]}
        fields = site.requests("/b")[0].fields
        assert (fields["x-test"], fields["accept"]) == ("1", "x/y")

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            (["{url}/a -> x", "{url}/b -> ./x"], 2),
            (["{url}/a", "{url}/b -> ../x"], 2),
            (["{url}/a", "{url}/"], 2),
            (["{url}/a", "http://[/"], 3),
            (["{url}/a", "{url}/b sha256:12"], 2),
            (["{url}/a", "{url}/b -> new/x"], 23),
        ],
    )
    def test_what_is_wrong_is_so_before_a_byte_is_sent(
        self, site: Site, tmp_path: Path, out: Path, lines: list[str], code: int
    ) -> None:
        path = write_list(tmp_path, [line.format(url=site.url) for line in lines])
        done = fetch(out, "-i", path)
        assert done.code == code
        assert done.stderr.count("\n") == 1
        assert f"{path}:2: " in done.stderr or code == 23
        assert site.connections == 0
        assert contents(out) == {}

    def test_nothing_to_fetch(self, out: Path) -> None:
        assert fetch(out).code == 2
        assert fetch(out, "-", stdin="# nothing\n").code == 2

    def test_a_list_that_is_not_there(self, out: Path) -> None:
        done = fetch(out, "-i", "missing")
        assert (done.code, done.stderr.count("\n")) == (26, 1)

    def test_a_list_that_is_no_text(self, tmp_path: Path, out: Path) -> None:
        (tmp_path / "list").write_bytes(b"http://localhost/a\n\xff\xfe\n")
        done = fetch(out, "-i", tmp_path / "list")
        assert (done.code, "list:2: this is no UTF-8" in done.stderr) == (2, True)


class TestOutcomes:
    def test_one_that_is_not_there(self, site: Site, out: Path) -> None:
        done = fetch(out, f"{site.url}/gone")
        assert done.code == 22
        assert done.stderr.splitlines()[0] == (
            f"httpio: {site.url}/gone: the server answered 404 Not Found; check the URL"
        )
        assert contents(out) == {}

    def test_some_that_fail(self, site: Site, tmp_path: Path, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        urls = [f"{site.url}/{name}" for name in ("a", "gone", "b")]
        done = fetch(out, *urls, "--report", tmp_path / "report", "--parallel-max", "1")
        assert done.code == 110
        assert contents(out) == made
        outcomes = {line["out"]: line for line in report_of(tmp_path / "report")}
        assert [outcomes[name]["outcome"] for name in ("a", "gone", "b")] == [
            "fetched",
            "failed",
            "fetched",
        ]
        gone = outcomes["gone"]
        assert (gone["status"], gone["exit_code"], gone["attempts"]) == (404, 22, 1)
        assert [outcomes[name]["position"] for name in ("a", "gone", "b")] == [1, 2, 3]
        assert {line["connection"] for line in outcomes.values()} == {1}
        assert outcomes["a"]["bytes"] == outcomes["a"]["size"] == 100
        timings = outcomes["a"]["timings"]
        assert isinstance(timings, dict)
        assert set(timings) == {"queued", "first_byte", "total"}

    def test_json_lines_on_stdout(self, site: Site, out: Path) -> None:
        numbered(site, ["a"])
        done = fetch(out, f"{site.url}/a", f"{site.url}/gone", "--format", "jsonl", "-s")
        assert (done.code, done.stderr) == (110, "")
        lines = done.lines()
        assert {line["schema"] for line in lines} == {"httpio/fetch/1"}
        assert [line["kind"] for line in lines] == ["file", "file", "summary"]
        assert (lines[2]["fetched"], lines[2]["failed"], lines[2]["exit_code"]) == (1, 1, 110)

    def test_silent_with_errors(self, site: Site, out: Path) -> None:
        done = fetch(out, f"{site.url}/gone", "-sS")
        assert (done.code, done.stderr.count("\n")) == (22, 1)

    def test_the_first_failure_may_be_the_last(self, site: Site, out: Path) -> None:
        numbered(site, ["a", "b"])
        urls = [f"{site.url}/{name}" for name in ("gone", "a", "b")]
        site.resources["/a"] = site.resources["/b"] = hang_up
        done = fetch(out, *urls, "--fail-early", "--parallel-max", "1", "--retry", "0")
        assert done.code == 22
        assert "2 unfinished" in done.stderr

    def test_refused(self, out: Path) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            done = fetch(out, *(f"http://127.0.0.1:{port}/{name}" for name in "ab"), "--retry", "0")
            assert done.code == 110
            assert "Connection refused" in done.stderr
            assert fetch(out, f"http://127.0.0.1:{port}/a", *SOON, "--retry", "1").code == 7

    def test_an_unknown_host(self, out: Path) -> None:
        assert fetch(out, "http://does-not-exist.invalid/a").code == 6

    def test_a_certificate_that_is_not_trusted(self, certificates: Certificates, out: Path) -> None:
        with Site(tls=certificates.server_context()) as site:
            made = numbered(site, ["a"])
            done = fetch(out, f"{site.url}/a")
            assert (done.code, "not trusted" in done.stderr) == (60, True)
            assert fetch(out, f"{site.url}/a", "--cacert", certificates.authority_file).code == 0
        assert contents(out) == made

    def test_no_http(self, site: Site, out: Path) -> None:
        def nonsense(exchange: Exchange) -> bool:
            exchange.sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            return False

        site.resources["/a"] = nonsense
        assert fetch(out, f"{site.url}/a").code == 8

    def test_no_answer(self, site: Site, out: Path) -> None:
        site.resources["/a"] = hang_up
        assert fetch(out, f"{site.url}/a", "--retry", "1", *SOON).code == 52
        assert len(site.log) == 2

    @pytest.mark.parametrize("size", [200, len(LARGE)])
    def test_truncated(self, site: Site, out: Path, size: int) -> None:
        site.resources["/a"] = cut_off(LARGE[:size], size // 2, times=99)
        done = fetch(out, f"{site.url}/a", "--retry", "1", *SOON)
        assert done.code == 18
        assert "in the middle of the content" in done.stderr
        assert not (out / "a").exists()

    def test_a_disk_that_is_full(self, site: Site, tmp_path: Path, out: Path) -> None:
        site.resources["/a"] = document(LARGE)
        done = subprocess.run(
            [COMMAND, "fetch", f"{site.url}/a"],
            cwd=out,
            env=environment(tmp_path),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 23
        assert "cannot write" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (out / "a").exists()

    def test_a_directory_that_cannot_be_written_to(self, site: Site, out: Path) -> None:
        numbered(site, ["a"])
        (out / "file").write_text("")
        done = fetch(out, f"{site.url}/a", "--output-dir", "file/sub", "--create-dirs")
        assert (done.code, done.stderr.count("\n")) == (23, 1)
        assert fetch(out, f"{site.url}/a", "--output-dir", "/proc/self/fdinfo").code == 23
        assert site.connections == 0

    def test_a_file_that_cannot_be_written(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        (out / "a.part").mkdir()
        done = fetch(out, f"{site.url}/a", f"{site.url}/b")
        assert done.code == 110
        assert "cannot write" in done.stderr
        assert contents(out)["b"] == made["b"]

    def test_a_stdout_that_is_closed(self, site: Site, tmp_path: Path, out: Path) -> None:
        numbered(site, ["a"])
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [COMMAND, "fetch", f"{site.url}/a", "--format", "json"],
                cwd=out,
                env=environment(tmp_path),
                stdout=writer,
                stderr=subprocess.PIPE,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        finally:
            os.close(writer)
        assert done.returncode == 23
        assert "Traceback" not in done.stderr
        assert (out / "a").exists()

    @pytest.mark.parametrize(
        ("arguments", "stdout"),
        [(("--format", "jsonl"), "/dev/full"), (("--report", "/dev/full"), os.devnull)],
        ids=["stdout", "report"],
    )
    def test_an_account_that_cannot_be_written(
        self, site: Site, tmp_path: Path, out: Path, arguments: tuple[str, ...], stdout: str
    ) -> None:
        numbered(site, ["a", "b"])
        with open(stdout, "w") as full:
            done = subprocess.run(
                [COMMAND, "fetch", f"{site.url}/a", f"{site.url}/b", *arguments],
                cwd=out,
                env={**environment(tmp_path), "PYTHONUNBUFFERED": "1"},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        assert done.returncode == 23
        assert "No space left" in done.stderr
        assert "of 2 files fetched" in done.stderr

    def test_a_list_from_a_stdin_that_is_closed(self, tmp_path: Path, out: Path) -> None:
        done = subprocess.run(
            f"exec {COMMAND} fetch - <&-",
            shell=True,
            cwd=out,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert (done.returncode, "stdin is closed" in done.stderr) == (26, True)

    def test_a_pipe_in_the_place_of_a_beginning(self, site: Site, out: Path) -> None:
        numbered(site, ["a"])
        os.mkfifo(out / "a.part")
        assert fetch(out, f"{site.url}/a").code == 23

    def test_bytes_that_nobody_has_asked_for(self, site: Site, out: Path) -> None:
        def too_much(exchange: Exchange) -> bool:
            exchange.sock.sendall(head("200 OK", {"Content-Length": "1"}) + b"x" + b"y" * 100)
            return True

        site.resources["/a"] = too_much
        assert fetch(out, f"{site.url}/a").code == 0
        assert contents(out) == {"a": b"x"}


@pytest.mark.exhaustive
class TestVerification:
    @pytest.mark.parametrize("size", [100, len(LARGE)])
    @pytest.mark.parametrize("field", ["Repr-Digest", "Content-MD5"])
    @pytest.mark.parametrize("right", [True, False])
    def test_digests_of_responses(
        self, site: Site, tmp_path: Path, out: Path, size: int, field: str, right: bool
    ) -> None:
        content = LARGE[:size]
        of = content if right else b"other"
        if field == "Repr-Digest":
            value = f"sha-256=:{base64.b64encode(hashlib.sha256(of).digest()).decode()}:"
        else:
            value = base64.b64encode(hashlib.md5(of).digest()).decode()
        site.resources["/a"] = document(content, fields={field: value})
        done = fetch(out, f"{site.url}/a", "--report", tmp_path / "report")
        if right:
            assert done.code == 0
            assert report_of(tmp_path / "report")[0]["verified"] == [field]
            assert contents(out) == {"a": content}
        else:
            assert (done.code, f"as {field} has it" in done.stderr) == (111, True)
            assert contents(out) == {}

    def test_what_is_there_stays_when_the_new_one_is_wrong(self, site: Site, out: Path) -> None:
        numbered(site, ["a"])
        (out / "a").write_text("precious")
        assert fetch(out, f"{site.url}/a", "--checksum", "sha1:" + "0" * 40).code == 111
        assert contents(out) == {"a": b"precious"}


class TestResuming:
    def test_by_range_and_strong_validator(self, site: Site, tmp_path: Path, out: Path) -> None:
        site.resources["/a"] = cut_off(LARGE, 1_000_000, etag='"v"')
        done = fetch(out, f"{site.url}/a", *SOON, "--report", tmp_path / "report")
        assert done.code == 0
        assert contents(out) == {"a": LARGE}
        again = site.log[1].fields
        assert (again["range"], again["if-range"]) == ("bytes=1000000-", '"v"')
        (line,) = report_of(tmp_path / "report")
        assert (line["resumed_from"], line["attempts"]) == (1_000_000, 2)
        assert (line["bytes"], line["size"]) == (len(LARGE), len(LARGE))

    @pytest.mark.parametrize("etag", [None, 'W/"v"'])
    def test_never_without_one(self, site: Site, out: Path, etag: str | None) -> None:
        site.resources["/a"] = cut_off(LARGE, 1_000_000, etag=etag)
        assert fetch(out, f"{site.url}/a", *SOON).code == 0
        assert "range" not in site.log[1].fields
        assert contents(out) == {"a": LARGE}

    def test_by_the_next_run(self, site: Site, out: Path) -> None:
        site.resources["/a"] = cut_off(LARGE, 1_000_000, etag='"v"')
        assert fetch(out, f"{site.url}/a", "--retry", "0").code == 18
        assert (out / "a.part").stat().st_size == 1_000_000
        digest = f"sha256:{sha256(LARGE)}"
        assert fetch(out, f"{site.url}/a", "--checksum", digest).code == 0
        assert site.log[1].fields["range"] == "bytes=1000000-"
        assert contents(out) == {"a": LARGE}

    def test_not_what_has_changed(self, site: Site, out: Path) -> None:
        new = LARGE[::-1]
        site.resources["/a"] = first(
            1, cut_off(LARGE, 1_000_000, etag='"v"'), document(new, etag='"w"')
        )
        assert fetch(out, f"{site.url}/a", *SOON).code == 0
        assert contents(out) == {"a": new}

    @pytest.mark.parametrize(
        "content_range",
        ["bytes 5-9/10", f"bytes 1000000-9999999/{2 * len(LARGE)}", "nonsense", None],
    )
    def test_not_with_another_part(self, site: Site, out: Path, content_range: str | None) -> None:
        fields = {} if content_range is None else {"Content-Range": content_range}

        def wrong(exchange: Exchange) -> bool:
            return exchange.send("206 Partial Content", b"x" * 100, fields)

        whole = document(LARGE, etag='"v"')
        site.resources["/a"] = first(
            1,
            cut_off(LARGE, 1_000_000, etag='"v"'),
            lambda exchange: wrong(exchange) if "range" in exchange.fields else whole(exchange),
        )
        assert fetch(out, f"{site.url}/a", *SOON).code == 0
        assert contents(out) == {"a": LARGE}

    def test_not_from_another_mirror(self, site: Site, tmp_path: Path, out: Path) -> None:
        """Whose validators may look the same, and say nothing of the first."""
        site.resources["/gone"] = first(1, status("404 Not Found"), document(LARGE, etag='"v"'))
        site.resources["/mirror"] = cut_off(b"?" * len(LARGE), 1_000_000, etag='"v"', times=9)
        lines = [f"{site.url}/gone\t{site.url}/mirror", "  out=a"]
        path = write_list(tmp_path, lines)
        assert fetch(out, "-i", path, "--retry", "0").code == 18
        assert fetch(out, "-i", path, "--retry", "0").code == 0
        assert contents(out) == {"a": LARGE}

    def test_not_with_more_than_the_rest(self, site: Site, out: Path) -> None:
        def more(exchange: Exchange) -> bool:
            begin = range_of(exchange, '"v"')
            if begin is None:
                return document(LARGE, etag='"v"')(exchange)
            content = LARGE[begin:] + b"more"
            exchange.sock.sendall(
                head("206 Partial Content", {"Transfer-Encoding": "chunked", **part(begin, LARGE)})
                + b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
            )
            return True

        site.resources["/a"] = first(1, cut_off(LARGE, 1_000_000, etag='"v"'), more)
        assert fetch(out, f"{site.url}/a", *SOON).code == 0
        assert contents(out) == {"a": LARGE}

    @pytest.mark.parametrize("has_ranges", [True, False])
    def test_the_same_again_is_no_step_forward(
        self, site: Site, out: Path, has_ranges: bool
    ) -> None:
        """As much comes each time before it breaks off: a step the first time, and none later."""

        def again(exchange: Exchange) -> bool:
            if has_ranges and "range" in exchange.fields:
                return exchange.send("206 Partial Content", b"x", {"Content-Range": "bytes 0-0/9"})
            return cut_off(LARGE, 400_000, etag='"v"', times=99)(
                replace(exchange, fields={}, is_complete=False)
            )

        site.resources["/a"] = again
        done = fetch(out, f"{site.url}/a", "--retry", "2", *SOON)
        assert done.code == 18
        assert len(site.log) == (7 if has_ranges else 4)

    def test_not_behind_a_beginning_that_is_wrong(self, site: Site, out: Path) -> None:
        site.resources["/a"] = cut_off(LARGE, 1_000_000, etag='"v"')
        assert fetch(out, f"{site.url}/a", "--retry", "0").code == 18
        (out / "a.part").write_bytes(b"?" * 500_000)
        assert fetch(out, f"{site.url}/a", "--checksum", f"sha256:{sha256(LARGE)}").code == 0
        assert ["range" in exchange.fields for exchange in site.log] == [False, True, False]
        assert contents(out) == {"a": LARGE}

    def test_an_unsatisfiable_range(self, site: Site, out: Path) -> None:
        def refuse(exchange: Exchange) -> bool:
            if range_of(exchange, '"v"') is None:
                return document(LARGE, etag='"v"')(exchange)
            return exchange.send("416 Range Not Satisfiable", b"", {"Content-Range": "bytes */5"})

        site.resources["/a"] = first(1, cut_off(LARGE, 1_000_000, etag='"v"'), refuse)
        assert fetch(out, f"{site.url}/a", *SOON).code == 0
        assert contents(out) == {"a": LARGE}

    def test_steps_forward_are_not_counted_as_failures(self, site: Site, out: Path) -> None:
        site.resources["/a"] = cut_off(LARGE, 400_000, etag='"v"', times=7)
        assert fetch(out, f"{site.url}/a", "--retry", "1", *SOON).code == 0
        assert len(site.log) == 8
        assert contents(out) == {"a": LARGE}

    def test_a_step_forward_makes_up_for_failures(self, site: Site, out: Path) -> None:
        step = cut_off(LARGE, 400_000, etag='"v"', times=8)
        failure = cut_off(LARGE, 100, etag='"v"', times=8)
        site.resources["/a"] = lambda exchange: (failure if exchange.times % 2 else step)(exchange)
        assert fetch(out, f"{site.url}/a", "--retry", "1", *SOON).code == 0
        assert len(site.log) == 9
        assert contents(out) == {"a": LARGE}

    def test_what_was_about_to_get_its_name_gets_it(self, site: Site, out: Path) -> None:
        """As after a run that was killed between journal and name, and while it wrote to the journal."""
        made = numbered(site, ["a", "b"])
        record = {"v": 1, "is": "done", "out": "a", "url": f"{site.url}/a", "size": 100}
        journal = out / ".httpio-fetch.journal"
        journal.write_text(json.dumps(record) + "\n" + json.dumps({**record, "out": "b"})[:-5])
        (out / "a.part").write_bytes(made["a"])
        (out / "a").write_bytes(b"old")
        assert fetch(out, f"{site.url}/a", f"{site.url}/b").code == 0
        assert site.paths() == ["/b"]
        assert contents(out) == made

    @pytest.mark.parametrize("there", [None, b"", b"another size"])
    def test_what_was_complete_and_is_not_any_more(
        self, site: Site, out: Path, there: bytes | None
    ) -> None:
        made = numbered(site, ["a"])
        record = {"v": 1, "is": "done", "out": "a", "url": f"{site.url}/a", "size": 100}
        (out / ".httpio-fetch.journal").write_text(json.dumps(record) + "\n")
        if there is not None:
            (out / "a").write_bytes(there)
        assert fetch(out, f"{site.url}/a").code == 0
        assert contents(out) == made

    def test_a_beginning_is_not_taken_for_what_was_complete(self, site: Site, out: Path) -> None:
        """It has the size of what the journal has noted before."""
        record = {"v": 1, "is": "done", "out": "a", "url": f"{site.url}/a", "size": 100}
        (out / ".httpio-fetch.journal").write_text(json.dumps(record) + "\n")
        site.resources["/a"] = cut_off(LARGE, 100)
        assert fetch(out, f"{site.url}/a", "--retry", "0").code == 18
        assert (out / "a.part").stat().st_size == 100
        assert fetch(out, f"{site.url}/a").code == 0
        assert contents(out) == {"a": LARGE}

    def test_a_beginning_that_is_complete_is_verified_by_its_last_byte(
        self, site: Site, out: Path
    ) -> None:
        site.resources["/a"] = document(LARGE, etag='"v"')
        record = {
            "v": 1,
            "is": "begun",
            "out": "a",
            "url": f"{site.url}/a",
            "size": len(LARGE),
            "validator": '"v"',
        }
        (out / ".httpio-fetch.journal").write_text(json.dumps(record) + "\n")
        (out / "a.part").write_bytes(LARGE)
        assert fetch(out, f"{site.url}/a").code == 0
        assert [exchange.fields["range"] for exchange in site.log] == [f"bytes={len(LARGE) - 1}-"]
        assert contents(out) == {"a": LARGE}

    def test_a_beginning_of_something_else_is_not_gone_on_with(self, site: Site, out: Path) -> None:
        """The validator that was noted is not that of what has been written over it."""
        site.resources["/a"] = first(
            2,
            first(1, cut_off(LARGE, 2_000_000, etag='"v"'), cut_off(LARGE[::-1], 500_000, times=9)),
            document(LARGE, etag='"v"'),
        )
        for code in (18, 18, 0):
            assert fetch(out, f"{site.url}/a", "--retry", "0").code == code
        assert ["range" in exchange.fields for exchange in site.log] == [False, True, False]
        assert contents(out) == {"a": LARGE}

    def test_empty_files(self, site: Site, out: Path) -> None:
        site.resources["/a"] = document(b"")
        site.resources["/b"] = document(b"", fields={"ETag": '"b"', "Connection": "close"})
        assert fetch(out, f"{site.url}/a", f"{site.url}/b").code == 0
        assert contents(out) == {"a": b"", "b": b""}

    def test_what_is_complete_is_fetched_again_once_all_is_done(
        self, site: Site, out: Path
    ) -> None:
        numbered(site, ["a"])
        for _ in range(2):
            assert fetch(out, f"{site.url}/a").code == 0
        assert len(site.log) == 2
        assert sorted(contents(out)) == ["a"]

    def test_another_run_goes_on_where_one_had_failed_for_a_while(
        self, site: Site, out: Path
    ) -> None:
        made = numbered(site, ["a", "b"])
        site.resources["/b"] = first(1, hang_up, site.resources["/b"])
        command = (f"{site.url}/a", f"{site.url}/b", "--retry", "0")
        assert fetch(out, *command).code == 110
        done = fetch(out, *command)
        assert (done.code, "1 complete before" in done.stderr) == (0, True)
        assert len(site.requests("/a")) == 1
        assert contents(out) == made


@pytest.mark.exhaustive
class TestRetrying:
    def test_after_as_long_as_the_server_says(self, site: Site, tmp_path: Path, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        busy = status("503 Service Unavailable", Retry_After="1")
        site.resources["/a"] = first(1, busy, site.resources["/a"])
        begin = time.monotonic()
        done = fetch(out, f"{site.url}/a", f"{site.url}/b", "--report", tmp_path / "report")
        assert done.code == 0
        assert time.monotonic() - begin > 1
        attempts = {line["out"]: line["attempts"] for line in report_of(tmp_path / "report")}
        assert attempts == {"a": 2, "b": 1}
        assert contents(out) == made

    def test_not_for_longer_than_is_allowed(self, site: Site, out: Path) -> None:
        site.resources["/a"] = status("429 Too Many Requests", Retry_After="3600")
        done = fetch(out, f"{site.url}/a", "--retry-max-time", "10")
        assert (done.code, len(site.log)) == (22, 1)
        assert "wants us to wait for 3600 seconds" in done.stderr

    def test_only_what_may_pass(self, site: Site, out: Path) -> None:
        for number, line in enumerate(["400 Bad", "403 No", "501 What"]):
            site.resources[f"/{number}"] = status(line)
            assert fetch(out, f"{site.url}/{number}", *SOON).code == 22
        assert len(site.log) == 3
        site.resources["/a"] = status("500 Oh")
        assert fetch(out, f"{site.url}/a", "--retry", "2", *SOON).code == 22
        assert len(site.requests("/a")) == 3

    def test_what_waits_does_not_keep_the_rest(self, site: Site, out: Path) -> None:
        made = numbered(site, [str(number) for number in range(200)])
        site.resources["/0"] = first(1, status("500 Oh"), site.resources["/0"])
        command = [f"{site.url}/{name}" for name in made]
        assert fetch(out, *command, "--retry-delay", "300ms", "--parallel-max", "1").code == 0
        # Last, though it was asked for first.
        assert site.paths()[-1] == "/0"
        assert contents(out) == made

    def test_a_response_that_stops(self, site: Site, out: Path) -> None:
        released = threading.Event()

        def stop(exchange: Exchange) -> bool:
            exchange.sock.sendall(head("200 OK", {"Content-Length": "1000"}) + b"x" * 10)
            released.wait(LIMIT)
            return False

        site.resources["/a"] = first(1, stop, document(b"y" * 1000))
        try:
            done = fetch(out, f"{site.url}/a", "--idle-timeout", "200ms", *SOON)
            assert done.code == 0
            site.resources["/b"] = stop
            done = fetch(out, f"{site.url}/b", "--idle-timeout", "100ms", "--retry", "0")
            assert (done.code, "nothing has come for 0.1 seconds" in done.stderr) == (28, True)
            done = fetch(out, f"{site.url}/b", "--max-time", "200ms")
            assert (done.code, "--max-time is over" in done.stderr) == (28, True)
        finally:
            released.set()
        assert (out / "a").read_bytes() == b"y" * 1000

    @pytest.mark.parametrize("slow", ["head", "content"])
    def test_a_response_that_comes_slowly(self, site: Site, out: Path, slow: str) -> None:
        def trickle(exchange: Exchange) -> bool:
            parts = [head("200 OK", {"Content-Length": "12"}), b"x" * 12]
            for number, name in enumerate(("head", "content")):
                size = 4 if slow == name else 100
                for begin in range(0, len(parts[number]), size):
                    exchange.sock.sendall(parts[number][begin : begin + size])
                    time.sleep(0.15 if slow == name else 0)
            return True

        site.resources["/a"] = trickle
        done = fetch(out, f"{site.url}/a", "--idle-timeout", "400ms", "--retry", "0")
        assert (done.code, contents(out)) == (0, {"a": b"x" * 12}), done.stderr

    def test_connections_that_break_all_the_time(self, site: Site, out: Path) -> None:
        made = numbered(site, [str(number) for number in range(60)])
        for name in made:
            if int(name) % 10 == 5:
                site.resources[f"/{name}"] = first(1, hang_up, site.resources[f"/{name}"])
        assert fetch(out, *(f"{site.url}/{name}" for name in made), *SOON).code == 0
        assert contents(out) == made


@pytest.mark.exhaustive
class TestRedirects:
    def test_only_with_location(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a"])
        site.resources["/old"] = status("301 Moved Permanently", Location="/a")
        done = fetch(out, f"{site.url}/old")
        assert (done.code, "--location follows redirects" in done.stderr) == (22, True)
        assert fetch(out, f"{site.url}/old", "-L").code == 0
        assert contents(out) == {"old": made["a"]}

    def test_round_and_round(self, site: Site, out: Path) -> None:
        site.resources["/a"] = status("302 Found", Location="/a")
        assert fetch(out, f"{site.url}/a", "-L", "--max-redirs", "4").code == 47
        assert len(site.log) == 5

    def test_credentials_stay_where_they_belong(
        self, site: Site, tmp_path: Path, out: Path
    ) -> None:
        with Site() as other:
            numbered(other, ["b"])
            numbered(site, ["a", "back"])
            site.resources["/near"] = status("302 Found", Location="/a")
            site.resources["/far"] = status("302 Found", Location=f"{other.url}/b")
            other.resources["/b"] = status("302 Found", Location=f"{site.url}/back")
            entry = {"url": f"{site.url}/far", "headers": {"X-Key": "secret"}}
            lists = write_list(tmp_path, [json.dumps(entry)])
            options = ("-u", "user:word", "-H", "Cookie: c=1", "-L")
            assert fetch(out, f"{site.url}/near", "-i", lists, *options).code == 0
            for path in ("/near", "/a", "/far"):
                fields = site.requests(path)[0].fields
                assert fields["authorization"].startswith("Basic ")
                assert fields["cookie"] == "c=1"
            for fields in (other.log[0].fields, site.requests("/back")[0].fields):
                assert not {"authorization", "cookie", "x-key"} & set(fields)

    def test_no_way_down_from_https(
        self, certificates: Certificates, site: Site, out: Path
    ) -> None:
        made = numbered(site, ["a"])
        with Site(tls=certificates.server_context()) as secure:
            secure.resources["/x"] = status("302 Found", Location=f"{site.url}/a")
            command = (f"{secure.url}/x", "-L", "--cacert", certificates.authority_file)
            done = fetch(out, *command)
            assert (done.code, "--allow-downgrade" in done.stderr) == (47, True)
            assert site.connections == 0
            assert fetch(out, *command, "--allow-downgrade").code == 0
        assert contents(out) == {"x": made["a"]}

    @pytest.mark.parametrize(
        "location", ["ftp://x/y", "http://x:99999/", "file:///etc/passwd", "//[/"]
    )
    def test_to_nowhere(self, site: Site, out: Path, location: str) -> None:
        site.resources["/a"] = status("302 Found", Location=location)
        assert fetch(out, f"{site.url}/a", "-L").code == 3


@pytest.mark.exhaustive
class TestConditions:
    def test_existing_files_are_skipped_if_they_are_right(self, site: Site, out: Path) -> None:
        made = numbered(site, ["a", "b"])
        (out / "a").write_bytes(made["a"])
        (out / "b").write_bytes(b"old")
        digests = [word for name in "ab" for word in ("--checksum", f"sha256:{sha256(made[name])}")]
        done = fetch(out, f"{site.url}/a", f"{site.url}/b", *digests, "--skip-existing")
        assert (done.code, "1 skipped" in done.stderr) == (0, True)
        assert site.paths() == ["/b"]
        assert contents(out) == made

    def test_existing_files_are_skipped_without_a_checksum(self, site: Site, out: Path) -> None:
        (out / "a").write_bytes(b"mine")
        assert fetch(out, f"{site.url}/a", "--skip-existing").code == 0
        assert site.connections == 0

    def test_entity_tags(self, site: Site, tmp_path: Path, out: Path) -> None:
        numbered(site, ["a", "b"])
        etags = tmp_path / "etags"
        command = (f"{site.url}/a", f"{site.url}/b", "--etag-save", etags, "--etag-compare", etags)
        assert fetch(out, *command).code == 0
        assert etags.read_text() == f'"a"\t{site.url}/a\n"b"\t{site.url}/b\n'
        site.resources["/b"] = document(b"new", etag='"new"')
        done = fetch(out, *command)
        assert (done.code, "1 not modified" in done.stderr) == (0, True)
        assert (out / "b").read_bytes() == b"new"
        assert etags.read_text() == f'"a"\t{site.url}/a\n"new"\t{site.url}/b\n'
        (out / "a").unlink()
        assert fetch(out, *command).code == 0
        assert (out / "a").exists()

    def test_an_entity_tag_as_curl_has_it(self, site: Site, tmp_path: Path, out: Path) -> None:
        numbered(site, ["a"])
        etag = tmp_path / "etag"
        assert fetch(out, f"{site.url}/a", "--etag-save", etag).code == 0
        assert etag.read_text() == '"a"\n'
        assert "1 not modified" in fetch(out, f"{site.url}/a", "--etag-compare", etag).stderr

    def test_dates(self, site: Site, out: Path) -> None:
        site.resources["/a"] = status("304 Not Modified")
        done = fetch(out, f"{site.url}/a", "-z", "2026-01-31")
        assert (done.code, "1 not modified" in done.stderr) == (0, True)
        assert site.log[0].fields["if-modified-since"] == "Sat, 31 Jan 2026 00:00:00 GMT"
        (out / "old").write_text("")
        os.utime(out / "old", (86400, 86400))
        assert fetch(out, f"{site.url}/a", "-z", "old").code == 0
        assert site.log[1].fields["if-modified-since"] == "Fri, 02 Jan 1970 00:00:00 GMT"
        site.resources["/a"] = status("412 Precondition Failed")
        assert fetch(out, f"{site.url}/a", "-z", "-Sat, 31 Jan 2026 12:00:00 GMT").code == 22
        assert "if-unmodified-since" in site.log[2].fields
        assert fetch(out, f"{site.url}/a", "-z", "yesteryear").code == 2

    def test_times_of_the_server(self, site: Site, out: Path) -> None:
        date = {"Last-Modified": "Fri, 02 Jan 1970 00:00:00 GMT"}
        site.resources["/a"] = document(b"x", fields=date)
        site.resources["/b"] = document(LARGE, fields=date)
        assert fetch(out, f"{site.url}/a", f"{site.url}/b", "-R").code == 0
        assert [(out / name).stat().st_mtime for name in "ab"] == [86400, 86400]

    @pytest.mark.parametrize("announced", [True, False])
    def test_files_that_are_too_large(self, site: Site, out: Path, announced: bool) -> None:
        def unannounced(exchange: Exchange) -> bool:
            exchange.sock.sendall(head("200 OK", {"Connection": "close"}) + LARGE)
            return False

        site.resources["/a"] = document(LARGE) if announced else unannounced
        done = fetch(out, f"{site.url}/a", "--max-filesize", "1M")
        assert done.code == 63
        assert contents(out) == {}


class TestConnections:
    def test_two_are_enough(self, site: Site, out: Path) -> None:
        made = numbered(site, [str(number) for number in range(300)])
        assert fetch(out, *(f"{site.url}/{name}" for name in made)).code == 0
        assert site.connections == 2
        assert contents(out) == made

    def test_without_pipelining_nothing_is_sent_ahead(self, site: Site, out: Path) -> None:
        names = [str(number) for number in range(20)]
        numbered(site, names)
        ahead = []

        def look(exchange: Exchange) -> bool:
            exchange.sock.setblocking(False)
            try:
                ahead.append(exchange.sock.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                pass
            exchange.sock.setblocking(True)
            return exchange.send("200 OK", b"x")

        for name in names:
            site.resources[f"/{name}"] = look
        urls = [f"{site.url}/{name}" for name in names]
        assert fetch(out, *urls, "--pipeline-depth", "off", "--parallel-max", "1").code == 0
        assert ahead == []

    def test_small_files_do_not_wait_for_a_large_one(self, site: Site, out: Path) -> None:
        """The large one comes to its end only when all others have."""
        names = [str(number) for number in range(40)]
        numbered(site, names)
        released = threading.Event()

        def slow(exchange: Exchange) -> bool:
            exchange.sock.sendall(head("200 OK", {"Content-Length": str(len(LARGE))}) + LARGE[:-1])
            deadline = time.monotonic() + LIMIT
            while len(contents(out)) < len(names) + 2:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            released.set()
            exchange.sock.sendall(LARGE[-1:])
            return True

        site.resources["/large"] = slow
        urls = [f"{site.url}/{name}" for name in [*names[:5], "large", *names[5:]]]
        done = fetch(out, *urls)
        assert (done.code, released.is_set()) == (0, True)
        assert len(contents(out)) == 41
        # What had been asked for behind it was asked for again, by another connection.
        assert site.connections <= 3

    def test_no_connection_takes_more_than_its_share(self, site: Site, out: Path) -> None:
        """One is held up when both have asked for all they wanted; the other one gets no more than half."""
        names = [str(number) for number in range(20)]
        answered = {1: 0, 2: 0}
        both_have_asked = threading.Barrier(2)

        def serve(exchange: Exchange) -> bool:
            answered[exchange.connection] += 1
            if answered[exchange.connection] == 2:
                both_have_asked.wait(LIMIT)
                seen = 0
                while exchange.connection == 2 and answered[1] > seen:
                    seen = answered[1]
                    time.sleep(0.2)
            return exchange.send("200 OK", b"x")

        for name in names:
            site.resources[f"/{name}"] = serve
        assert fetch(out, *(f"{site.url}/{name}" for name in names)).code == 0
        assert answered[1] <= 11
        assert sum(answered.values()) == 20

    def test_nothing_is_asked_for_behind_a_file_that_is_known_to_be_large(
        self, site: Site, tmp_path: Path, out: Path
    ) -> None:
        names = [str(number) for number in range(10)]
        numbered(site, names)
        site.resources["/large"] = document(LARGE)
        entries: list[dict[str, object]] = [{"url": f"{site.url}/{name}"} for name in names]
        entries.insert(1, {"url": f"{site.url}/large", "size": len(LARGE)})
        lists = write_list(tmp_path, [json.dumps(entry) for entry in entries])
        assert fetch(out, "-i", lists, "--parallel-max", "1").code == 0
        assert len(site.log) == 11

    def test_a_rate(self, site: Site, out: Path) -> None:
        site.resources["/a"] = document(LARGE)
        begin = time.monotonic()
        assert fetch(out, f"{site.url}/a", "--limit-rate", "2M").code == 0
        # But for what may come at once.
        assert time.monotonic() - begin > len(LARGE) / (2 << 20) - 0.3

    def test_a_rate_for_small_files(self, site: Site, out: Path) -> None:
        made = numbered(site, [str(number) for number in range(100)], 2000)
        begin = time.monotonic()
        done = fetch(out, *(f"{site.url}/{name}" for name in made), "--limit-rate", "100k")
        assert done.code == 0
        # But for what may come at once, and for what each connection has under way at the end.
        assert time.monotonic() - begin > 200_000 / (100 << 10) - 0.25 - 1.0

    def test_credentials_are_not_shown(self, site: Site, out: Path) -> None:
        url = site.url.replace("//", "//user:secret@")
        done = fetch(out, f"{url}/gone", "--format", "jsonl", "-v")
        assert done.code == 22
        assert "secret" not in done.stdout + done.stderr
        assert site.log[0].fields["authorization"] == "Basic dXNlcjpzZWNyZXQ="


class TestEnding:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
    )
    def test_a_signal_leaves_what_can_be_gone_on_with(
        self, site: Site, out: Path, number: signal.Signals, code: int
    ) -> None:
        made = numbered(site, ["a"])
        held = threading.Event()

        def hold(exchange: Exchange) -> bool:
            exchange.sock.sendall(
                head("200 OK", {"Content-Length": str(len(LARGE)), "ETag": '"v"'})
                + LARGE[:2_000_000]
            )
            held.wait(LIMIT)
            return False

        site.resources["/large"] = first(1, hold, document(LARGE, etag='"v"'))
        command = (f"{site.url}/a", f"{site.url}/large")
        process = start(out, *command)
        try:
            part = out / "large.part"
            deadline = time.monotonic() + LIMIT
            while not (part.exists() and part.stat().st_size == 2_000_000 and (out / "a").exists()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            done = finish(process, number)
        finally:
            held.set()
            process.kill()
        assert done.code == code
        first_line, summary = done.stderr.splitlines()
        assert first_line.endswith("run the command again to go on")
        assert summary.startswith("httpio: 1 of 2 files fetched, 1 unfinished")
        assert fetch(out, *command).code == 0
        assert site.requests("/large")[1].fields["range"] == "bytes=2000000-"
        assert len(site.requests("/a")) == 1
        assert contents(out) == {**made, "large": LARGE}

    @pytest.mark.parametrize("journal", [(), ("--no-journal",)], ids=["journal", "no-journal"])
    def test_two_runs_do_not_get_in_each_others_way(
        self, site: Site, out: Path, journal: tuple[str, ...]
    ) -> None:
        numbered(site, ["b"])
        held = threading.Event()

        def hold(exchange: Exchange) -> bool:
            held.wait(LIMIT)
            return exchange.send("200 OK", b"x")

        site.resources["/a"] = hold
        process = start(out, f"{site.url}/a")
        try:
            deadline = time.monotonic() + LIMIT
            while not site.log:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            done = fetch(out, f"{site.url}/b", *journal)
            assert (done.code, "another 'httpio fetch'" in done.stderr) == (2, True)
            held.set()
            assert finish(process).code == 0
        finally:
            held.set()
            process.kill()


class TestTerminal:
    def test_a_live_table(self, site: Site, tmp_path: Path, out: Path) -> None:
        """Bars on a terminal, and nothing of them left at the end; none in a pipe."""
        numbered(site, [str(number) for number in range(20)])
        site.resources["/large"] = document(LARGE)
        urls = [f"{site.url}/{name}" for name in ["large", *map(str, range(20))]]
        command = [COMMAND, "fetch", *urls, "--limit-rate", "4M"]
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            command,
            cwd=out,
            env={**environment(tmp_path), "COLUMNS": "100", "LINES": "30"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        try:
            while select.select([controller], [], [], LIMIT)[0]:
                try:
                    piece = os.read(controller, 65536)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            process.wait()
            os.close(controller)
        text = shown.decode()
        assert "files" in text
        assert "/21" in text
        assert "large" in text
        assert "\x1b[?25l" in text, "the cursor is hidden meanwhile"
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
        # The last line is the summary, on a line that was cleared.
        last = text.rstrip().splitlines()[-1]
        assert "21 of 21 files fetched" in last
        assert "Traceback" not in text

    def test_none_in_a_pipe(self, site: Site, out: Path) -> None:
        site.resources["/large"] = document(LARGE)
        done = fetch(out, f"{site.url}/large", "--limit-rate", "8M")
        assert "\x1b" not in done.stderr
        assert done.stderr.count("\n") == 1


def test_cost_of_the_command_line() -> None:
    """What draws is loaded for a terminal only, and no server is needed to find that out."""
    code = (
        "import sys; from httpio_cli._fetch import runner, command;"
        "sys.exit(' '.join({'rich', 'pygal', 'hdrh', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.stderr.strip() == ""
