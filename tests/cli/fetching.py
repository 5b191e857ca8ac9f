"""A server for tests of ``httpio fetch`` whose resources misbehave as they are told, and running the command.

Every request is logged when it is read, and every response when all of it was handed to the network: what was fetched
twice shows. The server keeps connections, and answers pipelined requests in order.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    import ssl
    from collections.abc import Callable, Iterable, Mapping, Sequence

COMMAND = str(Path(sys.executable).with_name("httpio"))
LIMIT = 20.0
"""Seconds that the command may take."""


@dataclass
class Exchange:
    """A request that was read, and the means to answer it."""

    sock: socket.socket
    path: str
    fields: dict[str, str]
    connection: int
    times: int
    """How often the path was asked for before."""
    is_complete: bool = False

    def send(
        self, status: str, content: bytes = b"", fields: Mapping[str, str] | None = None
    ) -> bool:
        """Send a whole response; return that the connection goes on."""
        self.sock.sendall(head(status, {"Content-Length": str(len(content)), **(fields or {})}))
        self.sock.sendall(content)
        self.is_complete = True
        return True


def head(status: str, fields: Mapping[str, str]) -> bytes:
    """Return the head of a response."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1")


def document(
    content: bytes, *, etag: str | None = None, fields: Mapping[str, str] | None = None
) -> Callable[[Exchange], bool]:
    """Return what serves *content*, conditionally and in ranges if it has an *etag*."""
    extra = {**({} if etag is None else {"ETag": etag}), **(fields or {})}

    def serve(exchange: Exchange) -> bool:
        if etag is not None and exchange.fields.get("if-none-match") == etag:
            return exchange.send("304 Not Modified", b"", {"ETag": etag})
        begin = range_of(exchange, etag)
        if begin is None:
            return exchange.send("200 OK", content, extra)
        if begin >= len(content):
            unsatisfied = {"Content-Range": f"bytes */{len(content)}"}
            return exchange.send("416 Range Not Satisfiable", b"", unsatisfied)
        return exchange.send(
            "206 Partial Content", content[begin:], {**extra, **part(begin, content)}
        )

    return serve


def range_of(exchange: Exchange, etag: str | None) -> int | None:
    """Return where the range that was asked for begins, `None` if all of it is to be sent."""
    wanted = exchange.fields.get("range", "")
    if not wanted.startswith("bytes=") or etag is None:
        return None
    if exchange.fields.get("if-range", etag) != etag:
        return None
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def part(begin: int, content: bytes) -> dict[str, str]:
    """Return the field that says which part of *content* comes."""
    return {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}


def cut_off(
    content: bytes, after: int, *, etag: str | None = None, times: int = 1, reset: bool = False
) -> Callable[[Exchange], bool]:
    """Return what breaks off *after* so many bytes, the first *times*, and then serves *content*."""
    whole = document(content, etag=etag)

    def serve(exchange: Exchange) -> bool:
        if exchange.times >= times:
            return whole(exchange)
        begin = range_of(exchange, etag)
        fields = {"Content-Length": str(len(content) - (begin or 0))}
        if etag is not None:
            fields["ETag"] = etag
        status = "200 OK"
        if begin is not None:
            status = "206 Partial Content"
            fields |= part(begin, content)
        exchange.sock.sendall(head(status, fields) + content[begin or 0 :][:after])
        if reset:
            exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return serve


def first(
    count: int, then: Callable[[Exchange], bool], otherwise: Callable[[Exchange], bool]
) -> Callable[[Exchange], bool]:
    """Return what does *then* the first *count* times, and *otherwise* later."""
    return lambda exchange: then(exchange) if exchange.times < count else otherwise(exchange)


def status(line: str, **fields: str) -> Callable[[Exchange], bool]:
    """Return what answers with that status; ``_`` in names of fields stands for a dash."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    content = b"" if line.startswith("304") else line.encode()
    return lambda exchange: exchange.send(line, content, named)


def hang_up(exchange: Exchange) -> bool:
    """Close the connection instead of an answer."""
    return False


@dataclass
class Site:
    """A server on loopback. Resources may be added while it runs."""

    resources: dict[str, Callable[[Exchange], bool]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    log: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._times: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # On Linux, a close alone does not end a thread's accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        with self._lock:
            connections = list(self._open)
        for sock in connections:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http{'' if self.tls is None else 's'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Number of connections that were accepted."""
        return self._connections

    def paths(self) -> list[str]:
        """Return what was asked for, in order."""
        return [exchange.path for exchange in self.log]

    def requests(self, path: str) -> list[Exchange]:
        """Return the requests for *path*, in order."""
        return [exchange for exchange in self.log if exchange.path == path]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self._connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        with self._lock:
            self._open.add(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.add(sock)
            with sock.makefile("rb") as reader:
                while self._answer(sock, reader.readline, connection):
                    pass
        except OSError:
            # The client is gone.
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _answer(self, sock: socket.socket, readline: Callable[[], bytes], connection: int) -> bool:
        request_line = readline().decode("latin-1").split()
        if len(request_line) != 3:
            return False
        fields = {}
        while (line := readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        path = request_line[1]
        with self._lock:
            exchange = Exchange(sock, path, fields, connection, self._times[path])
            self._times[path] += 1
            self.log.append(exchange)
        resource = self.resources.get(path)
        if resource is None:
            return exchange.send("404 Not Found", b"there is no such thing")
        return resource(exchange)


@dataclass(frozen=True)
class Done:
    """What the command has done."""

    code: int
    stdout: str
    stderr: str

    def lines(self) -> list[dict[str, object]]:
        """Return the JSON lines on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def environment(directory: Path) -> dict[str, str]:
    """Return an environment without proxies and configuration."""
    kept = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(directory), "XDG_CONFIG_HOME": str(directory), "TERM": "xterm"}


def fetch(
    directory: Path,
    *arguments: str | Path,
    stdin: str | None = None,
    limit: float = LIMIT,
    extra: Mapping[str, str] | None = None,
) -> Done:
    """Run ``httpio fetch`` in *directory*."""
    done = subprocess.run(
        [COMMAND, "fetch", *map(str, arguments)],
        cwd=directory,
        env={**environment(directory), **(extra or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def start(directory: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``httpio fetch`` in *directory*."""
    return subprocess.Popen(
        [COMMAND, "fetch", *map(str, arguments)],
        cwd=directory,
        env=environment(directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], number: signal.Signals | None = None) -> Done:
    """Wait for the end of *process*, after it was sent a signal if one is given."""
    if number is not None:
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert "Traceback" not in stderr, stderr
    return Done(process.returncode, stdout, stderr)


def contents(directory: Path) -> dict[str, bytes]:
    """Return all files below *directory*, by their names relative to it."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def sha256(content: bytes) -> str:
    """Return the digest, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def numbered(site: Site, names: Iterable[str], size: int = 100) -> dict[str, bytes]:
    """Have *site* serve a small document for each name, below ``/``; return their contents."""
    made = {name: (f"{name} ".encode() * size)[:size] for name in names}
    for name, content in made.items():
        site.resources[f"/{name}"] = document(content, etag=f'"{name}"')
    return made


def write_list(directory: Path, lines: Sequence[str], name: str = "list") -> Path:
    """Write a list; return its path."""
    path = directory / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
