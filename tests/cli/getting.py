"""Running the installed command, and servers that say what came to them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from httpio_cli import _main
from tests.support.scripted import close, expect, expect_head, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.scripted import ScriptedServer, Step

COMMAND = str(Path(sys.executable).with_name("httpio"))
LIMIT = 20.0
"""Seconds that the command may take."""

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@dataclass(frozen=True)
class Done:
    """What the command has left behind."""

    code: int
    out: bytes
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("httpio: ")
        return lines[0].removeprefix("httpio: ")


def environment(home: Path | str = "/nonexistent", **variables: str) -> dict[str, str]:
    """Return an environment in which nothing but *variables* tells the command what to do."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_START")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(home),
        **variables,
    }


def httpio(
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Done:
    """Run the command to its end."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=dict(environment() if env is None else env),
        cwd=cwd,
        timeout=LIMIT,
        check=False,
    )
    err = done.stderr.decode()
    assert "Traceback" not in err
    return Done(done.returncode, done.stdout, err)


def url_of(server: ScriptedServer, target: str = "/") -> str:
    """Return the URL of *target* on *server*."""
    return f"http://{server.host}:{server.port}{target}"


def response(
    content: bytes = b"", *fields: str, status: str = "200 OK", version: str = "1.1"
) -> bytes:
    """Return a whole response with its length."""
    lines = [f"HTTP/{version} {status}", f"Content-Length: {len(content)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def answer(data: bytes = HELLO, start: bytes = b"") -> Sequence[Step]:
    """Return the steps that answer one request without content with *data*."""
    return (expect_head(start), send(data))


def answer_once(data: bytes, start: bytes = b"") -> Sequence[Step]:
    """Return the steps that answer one request with *data*, and close the connection."""
    return (*answer(data, start), close())


def content_received(size: int) -> Step:
    """Return the step that receives a head and *size* bytes of content after it."""

    def is_complete(data: bytes) -> bool:
        _, mark, content = data.partition(b"\r\n\r\n")
        return bool(mark) and len(content) >= size

    return expect(is_complete)


def fields_of(request: bytes) -> list[tuple[str, str]]:
    """Return the fields of *request*."""
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
    pairs = [line.partition(":") for line in head.split("\r\n")[1:]]
    return [(name, value.strip()) for name, _, value in pairs]


def field_of(request: bytes, name: str) -> str | None:
    """Return the value of a field of *request*."""
    for found, value in fields_of(request):
        if found.lower() == name.lower():
            return value
    return None


def called(
    *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Done:
    """Run the command within this process, for what many cases are tried of."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    err = io.StringIO()
    with ExitStack() as stack:
        given = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        given.buffer.write(stdin)
        given.seek(0)
        for name, stream in (
            ("stdin", given),
            ("stdout", out),
            ("stderr", err),
            ("argv", ["httpio", *map(str, arguments)]),
        ):
            stack.enter_context(mock.patch.object(sys, name, stream))
        stack.enter_context(
            mock.patch.dict(os.environ, environment() if env is None else env, clear=True)
        )
        code = _main._run()
        out.flush()
        out.buffer.seek(0)
        content = out.buffer.read()
    return Done(int(code), content, err.getvalue())
