"""What is noted of a transfer while it goes on, for ``-w``, ``-v`` and ``--format``."""

from __future__ import annotations

import re
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from httpio import Tracer
from httpio_cli._redaction import redact_value
from httpio_cli._terminal import sanitise, use_colour

if TYPE_CHECKING:
    from httpio import HTTPResponse
    from httpio_cli._urls import URL


class Record:
    """One transfer, redirects included. Times are in seconds since its start, sizes in bytes."""

    def __init__(self, url: URL, method: str) -> None:
        self.url = url
        self.method = method
        self.started = perf_counter()
        self.times: dict[str, float] = {}
        self.response: HTTPResponse | None = None
        self.effective: URL | None = None
        self.redirect_url = ""
        self.redirects = 0
        self.redirect_time = 0.0
        self.retries = 0
        self.connects = 0
        self.size_download = 0
        self.size_upload = 0
        self.size_header = 0
        self.size_request = 0
        self.remote: tuple[str, int] | None = None
        self.local: tuple[str, int] | None = None
        self.filename = ""
        self.exit_code = 0
        self.error = ""
        self.ssl_verify_result = 0
        #: What came before the content, redirects and interim responses included.
        self.heads: list[bytes] = []
        #: Whether credentials may be shown.
        self.show_credentials = False

    def redirected(self) -> None:
        """Note that a redirect is followed."""
        self.redirects += 1
        self.redirect_url = ""
        self.redirect_time = perf_counter() - self.started

    def begin_again(self) -> None:
        """Forget an attempt that has come to nothing."""
        self.retries += 1
        self.response = self.effective = None
        self.redirects = self.size_download = self.size_header = self.size_request = 0
        self.redirect_url = ""
        self.redirect_time = 0.0
        self.heads.clear()

    def mark(self, name: str) -> None:
        """Note that *name* has happened now."""
        self.times[name] = perf_counter() - self.started


_HEAD_END = re.compile(rb"\r\n\r\n")
#: Which time each step ends, by curl's names.
_MARKS = {
    "resolved": "namelookup",
    "connected": "connect",
    "tls": "appconnect",
    "request": "pretransfer",
}


class Observer(Tracer):
    """Has a `Record` filled, and with *verbose* tells on stderr what happens."""

    def __init__(self, record: Record, verbose: bool, show_credentials: bool) -> None:
        self.record = record
        self._verbose = verbose
        self._show = show_credentials
        self._head: bytearray | None = None
        self._colour = verbose and use_colour(sys.stderr)
        #: Whether a request was sent, at least in part, since `begin`.
        self.has_sent = False
        #: Whether anything came since then.
        self.has_received = False

    def begin(self, record: Record) -> None:
        """Have another *record* filled from now on."""
        self.record = record
        self.has_sent = self.has_received = False

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Take the head of a request out of what is sent."""
        head = self._head
        if head is None:
            return
        head += data
        end = _HEAD_END.search(head)
        if end is None:
            return
        self._head = None
        self.record.size_request += end.end()
        if self._verbose:
            for line in bytes(head[: end.start()]).decode("latin-1").split("\r\n"):
                name, colon, value = line.partition(": ")
                self._say(">", f"{name}{colon}{redact_value(name, value, self._show)}")
            self._say(">", "")

    def received(self, data: memoryview) -> None:
        """Note that something came."""
        if not self.has_received:
            self.has_received = True
            self.record.mark("starttransfer")

    def event(self, name: str, detail: str) -> None:
        """Note the time of a step."""
        record = self.record
        if name in _MARKS:
            record.mark(_MARKS[name])
        if name == "connected":
            record.connects += 1
        elif name == "request":
            self._head = bytearray()
            self.has_sent = True
            self.has_received = False
        if self._verbose and name not in ("request", "response"):
            self._say("*", f"{name} {detail}")

    def response(self, response: HTTPResponse) -> None:
        """Note and tell the head of a response, interim ones included."""
        for head in (*response.informational, response):
            self.record.heads.append(head_of(head))
            self.record.size_header += len(self.record.heads[-1])
            if self._verbose:
                self._say("<", f"HTTP/{head.version} {head.status} {head.reason}")
                for name, value in head.fields:
                    self._say("<", f"{name}: {redact_value(name, value, self._show)}")
                self._say("<", "")

    def say(self, text: str) -> None:
        """With *verbose*, tell something."""
        if self._verbose:
            self._say("*", text)

    def _say(self, mark: str, text: str) -> None:
        if sys.stderr is None:
            return
        colour = {"*": "2", ">": "36", "<": "32"}[mark]
        line = f"{mark} {sanitise(text)}"
        if self._colour:
            line = f"\x1b[{colour}m{line}\x1b[0m"
        try:
            print(line, file=sys.stderr)  # noqa: T201  # a command's output
        except (OSError, ValueError):  # nobody is there to read it
            self._verbose = False


def head_of(response: HTTPResponse) -> bytes:
    """Return the head of *response*, with CRLF at the line ends."""
    lines = [f"HTTP/{response.version} {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "backslashreplace")
