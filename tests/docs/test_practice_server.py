"""The tutorial's server runs as a program of its own, the way readers start it."""

from __future__ import annotations

import re
import subprocess
import sys

from httpio import HTTPConnection

from .pages import DOCS

PROGRAM = DOCS / "tutorial" / "practice_server.py"


def test_program() -> None:
    command = [sys.executable, str(PROGRAM), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            greeting = server.stdout.readline()
            found = re.fullmatch(r"Listening on http://127\.0\.0\.1:(\d+)/, .*\n", greeting)
            assert found, greeting
            with HTTPConnection("127.0.0.1", int(found[1]), timeout=30) as conn:
                conn.send_request("HEAD", "/hello.txt")
                assert conn.read_response().status == 200
                assert server.stdout.readline() == '"HEAD /hello.txt HTTP/1.1" 200 -\n'
        finally:
            server.terminate()
