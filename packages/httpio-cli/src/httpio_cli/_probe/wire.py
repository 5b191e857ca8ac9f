"""Bytes to a connection and back, for the one check that `httpio` refuses to help with.

A client that has sent ``Connection: close`` must not send more requests (RFC 9112 §9.6), so a
connection object does not. What a server does with a request behind that is worth knowing, though.
The bytes are those that `httpio` has sent before: nothing here makes up a request.
"""

from __future__ import annotations

import re
import select
import ssl
from dataclasses import dataclass
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from typing import Final

_PIECE: Final = 64 * 1024
_LIMIT: Final = 16 * 1024 * 1024
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;|\Z)")


class RequestBytes:
    """A tracer that keeps the bytes of the last request."""

    def __init__(self) -> None:
        self.last = b""
        self._is_request = False

    def event(self, name: str, detail: str) -> None:
        """Begin anew with each request; what opens a tunnel is none."""
        if name == "request":
            self.last = b""
            self._is_request = True
        elif name in ("connecting", "closed"):
            self._is_request = False

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Keep *data*."""
        if self._is_request:
            self.last += bytes(data)

    def received(self, data: memoryview) -> None:
        """Nothing is done with what came."""


@dataclass(frozen=True)
class Heard:
    """What came back, and how it ended."""

    data: bytes
    ending: str
    """``closed``, ``reset``, ``open`` or ``too much``."""


def converse(sock: socket.socket, data: bytes, *, quiet: float, seconds: float) -> Heard:
    """Send *data* over a non-blocking socket and receive until it ends.

    That is also the case when nothing has come for *quiet* seconds, or after *seconds*.
    """
    heard = bytearray()
    rest = memoryview(data)
    deadline = monotonic() + seconds
    last = monotonic()
    poller = select.poll()
    while True:
        ending, wants_to_write = _receive_all(sock, heard)
        if ending:
            return Heard(bytes(heard), ending)
        if rest:
            try:
                rest = rest[sock.send(rest) :]
                continue
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                wants_to_write = True
            except OSError:
                # What had been answered before is still there to be read.
                rest = rest[len(rest) :]
                continue
        poller.register(
            sock.fileno(), select.POLLIN | (select.POLLOUT if wants_to_write or rest else 0)
        )
        now = monotonic()
        wait = min(deadline, last + quiet) - now
        if wait <= 0 or not poller.poll(wait * 1000 + 1):
            return Heard(bytes(heard), "open")
        if not wants_to_write:
            last = monotonic()


def _receive_all(sock: socket.socket, heard: bytearray) -> tuple[str, bool]:
    """Receive what is there; return how it ended, if it did, and whether TLS wants to send."""
    while len(heard) < _LIMIT:
        try:
            piece = sock.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return "", False
        except ssl.SSLWantWriteError:
            return "", True
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return "closed", False
        except OSError:
            return "reset", False
        if not piece:
            return "closed", False
        heard += piece
    return "too much", False


@dataclass(frozen=True)
class Seen:
    """A response among bytes."""

    status: int
    complete: bool
    closes: bool
    """It says that the connection closes after it."""


def split_responses(data: bytes, methods: Sequence[str], *, ended: bool) -> list[Seen] | None:
    """Return the final responses that *data* consists of, to requests with the *methods*.

    *ended* says that nothing follows *data*. Returns `None` if that is not what it consists of.
    """
    seen: list[Seen] = []
    waiting = list(methods)
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        version, _, after = first.partition(b" ")
        if not found:
            begins = b"HTTP/1." if len(data) >= 7 else b"HTTP/1."[: len(data)]
            return [*seen, Seen(0, False, False)] if data.startswith(begins) else None
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not after[:3].isdigit():
            return None
        status = int(after[:3])
        if 100 <= status < 200:
            data = rest
            continue
        if not waiting:
            return None
        fields = [line.decode("latin-1").lower().partition(":") for line in lines]
        options = _words(fields, "connection")
        closes = "close" in options or (version == b"HTTP/1.0" and "keep-alive" not in options)
        size = _content_size(rest, status, waiting.pop(0), fields)
        if size is None:
            # It lasts to the end of the connection, or to where the chunks end.
            by_close = "chunked" not in _words(fields, "transfer-encoding")
            return [*seen, Seen(status, by_close and ended, closes)]
        complete = len(rest) >= size
        seen.append(Seen(status, complete, closes))
        data = rest[size:]
    return seen


def _words(fields: list[tuple[str, str, str]], name: str) -> list[str]:
    values = [value for found, _, value in fields if found == name]
    return [word.strip() for value in values for word in value.split(",")]


def _content_size(
    rest: bytes, status: int, method: str, fields: list[tuple[str, str, str]]
) -> int | None:
    """Return how many bytes of *rest* are the content; `None` if it has no end in there."""
    if method == "HEAD" or status in (204, 304):
        return 0
    if "chunked" in _words(fields, "transfer-encoding"):
        return _chunked_size(rest)
    lengths = _words(fields, "content-length")
    return int(lengths[0]) if lengths and _DIGITS.fullmatch(lengths[0]) else None


def _chunked_size(data: bytes) -> int | None:
    """Return the length of the chunked content that *data* begins with; `None` without its end."""
    position = 0
    while True:
        end = data.find(b"\r\n", position)
        if end < 0:
            return None
        found = _CHUNK_SIZE.match(data, position, end)
        if found is None:
            return None
        size = int(found[1], 16)
        if not size:
            # The trailer section ends with an empty line, and may be nothing else.
            if data[end + 2 : end + 4] == b"\r\n":
                return end + 4
            last = data.find(b"\r\n\r\n", end)
            return None if last < 0 else last + 4
        position = end + 2 + size + 2
