"""Requests and responses of checks: with an end for everything, and what came written down.

A server that is probed may never answer, answer a byte a minute, or never stop. Each `Client` has a
deadline for all that it does, and a limit for what it takes.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from time import monotonic

from httpio import (
    POLLIN,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    HTTPIOError,
    PollNeeded,
    RemoteProtocolError,
    run,
)
from httpio_cli._errors import said_by
from httpio_cli._response_fields import combined_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final, Self

    from httpio import BodyFollowing, HTTPConnection, HTTPResponse

    from .model import Fields

#: Bytes of content that a check takes before it gives up.
CONTENT_LIMIT: Final = 16 * 1024 * 1024
_PIECE: Final = 64 * 1024


class ContentTooLarge(HTTPIOError):
    """The content is larger than a check wants to read."""


@dataclass(frozen=True)
class Ask:
    """A request without content."""

    method: str
    path: str
    fields: Fields = ()

    def __str__(self) -> str:
        return self.method


@dataclass(frozen=True)
class Answer:
    """A complete response, without its content."""

    response: HTTPResponse
    size: int
    digest: bytes

    @property
    def status(self) -> int:
        """Its status code."""
        return self.response.status

    def field(self, name: str) -> str | None:
        """Return the value of a field, its lines joined; `None` without it."""
        return combined_field(self.response, name)

    @property
    def closes(self) -> bool:
        """Whether the server said that it closes the connection after it (RFC 9112 §9.3)."""
        options = [word.strip().lower() for word in (self.field("Connection") or "").split(",")]
        if "close" in options:
            return True
        return self.response.version == "1.0" and "keep-alive" not in options


class Client:
    """A connection, used within a time."""

    def __init__(
        self, connection: HTTPConnection, number: int, seconds: float, fields: Fields = ()
    ) -> None:
        self.connection = connection
        #: Which connection this is, for the evidence.
        self.number = number
        self.seconds = seconds
        self.deadline = monotonic() + seconds
        self._fields = fields

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.connection.close()

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(self.deadline - monotonic(), 0.0)

    def connect(self) -> None:
        """Open the connection."""
        run(self.connection.co_connect(), deadline=self.left)

    def send(
        self, ask: Ask, body: bytes | BodyFollowing | None = None, *, expect100: bool = False
    ) -> None:
        """Send a request."""
        sending = self.connection.co_send_request(
            ask.method, ask.path, merged(self._fields, ask.fields), body, expect100
        )
        run(sending, deadline=self.left)

    def write(self, data: bytes) -> None:
        """Send content."""
        run(self.connection.co_write(data), deadline=self.left)

    def finish(self, trailers: Fields | None = None) -> None:
        """End chunked content."""
        run(self.connection.co_finish_body(trailers), deadline=self.left)

    def head(self) -> HTTPResponse:
        """Return the head of the next response."""
        return run(self.connection.co_read_response(), deadline=self.left)

    def content(self, response: HTTPResponse) -> Answer:
        """Read the content of *response*."""
        digest = blake2b(digest_size=16)
        size = 0
        while piece := run(self.connection.co_read(_PIECE), deadline=self.left):
            digest.update(piece)
            size += len(piece)
            if size > CONTENT_LIMIT:
                raise ContentTooLarge(f"the content has more than {CONTENT_LIMIT} bytes")
        return Answer(response, size, digest.digest())

    def receive(self) -> Answer:
        """Read the next response."""
        return self.content(self.head())

    def ask(self, ask: Ask) -> Answer:
        """Send a request and read its response."""
        self.send(ask)
        return self.receive()

    def send_together(self, asks: Sequence[Ask]) -> None:
        """Send requests so that they leave in as few packets as they fit in."""
        self.connect()
        with corked(self.connection):
            for ask in asks:
                self.send(ask)

    def readable_within(self, seconds: float) -> bool:
        """Wait until something arrives; with TLS that need not be HTTP."""
        needed = PollNeeded(self.connection.fileno(), POLLIN)
        return needed.poll(min(seconds, self.left))


def merged(fields: Fields, more: Fields) -> list[tuple[str, str]]:
    """Return *fields* with those of *more* in place of the ones that have their names."""
    replaced = {name.lower() for name, _ in more}
    return [pair for pair in fields if pair[0].lower() not in replaced] + list(more)


@contextmanager
def duplicate(connection: HTTPConnection) -> Iterator[socket.socket]:
    """Lend the socket below *connection*, to look at it and to set options."""
    with socket.socket(fileno=os.dup(connection.fileno())) as sock:
        yield sock


@contextmanager
def corked(connection: HTTPConnection) -> Iterator[None]:
    """Have the system hold what is sent back until the block ends, where it can."""
    cork = getattr(socket, "TCP_CORK", None)
    with duplicate(connection) as sock:
        if cork is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            yield
            return
        sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
        try:
            yield
        finally:
            sock.setsockopt(socket.IPPROTO_TCP, cork, 0)


@dataclass(frozen=True)
class Ending:
    """What became of an idle connection."""

    closed: bool
    seconds: float
    said: bytes = b""
    """What came before the end, if it can be read."""


def watch_idle(client: Client, seconds: float, encrypted: socket.socket | None = None) -> Ending:
    """Wait so long for the server to close a connection on which nothing is outstanding.

    *encrypted* is its TLS socket, if there is one: a server may say there that it closes, and wait for
    us to do the same.
    """
    begun = monotonic()
    said = b""
    poller = select.poll()
    poller.register(client.connection.fileno(), select.POLLIN | _HANG_UP)
    with duplicate(client.connection) as sock:
        while True:
            left = seconds - (monotonic() - begun)
            events = poller.poll(max(left, 0) * 1000)
            passed = monotonic() - begun
            if not events:
                if left <= 0:
                    return Ending(False, passed, said)
                continue
            data = _peek(sock) if encrypted is None else _take(encrypted)
            if data == b"" or events[0][1] & (_HANG_UP | select.POLLHUP | select.POLLERR):
                return Ending(True, passed, said or data or b"")
            if data:
                said = data
                if not _HANG_UP or encrypted is not None:
                    return Ending(False, passed, said)
                # It has been seen, and would hide that nothing follows it.
                poller.modify(client.connection.fileno(), _HANG_UP)


#: The peer has ended its data, whatever of it is still to be read. Linux knows it.
_HANG_UP: Final = getattr(select, "POLLRDHUP", 0)


def _peek(sock: socket.socket) -> bytes | None:
    """Return what has arrived and leave it there, ``b""`` at the end, `None` without anything."""
    try:
        return sock.recv(_SAID, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _take(sock: socket.socket) -> bytes | None:
    """Return what has arrived over TLS; that can be something of no concern, which is `None`."""
    import ssl

    try:
        return sock.recv(_SAID)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except OSError:  # the end of TLS is one as well
        return b""


#: Bytes of what a server says unasked that are of interest.
_SAID: Final = 200


class Stop(Enum):
    """Why a series of answers ended."""

    COMPLETE = "all were answered"
    ANNOUNCED = "the server closed the connection, as the last answer said"
    CLOSED = "the server closed the connection without having said so"
    LOST = "the connection broke"
    SILENT = "nothing more came"
    INVALID = "what came next is no response"
    CUT = "the connection ended in the middle of an answer"
    SLOW = "the server is too slow for so many"
    LARGE = "the answers are too large to be read here"


@dataclass(frozen=True)
class Series:
    """The answers to several requests on one connection."""

    answers: list[Answer]
    stop: Stop
    detail: str
    connection: int

    @property
    def statuses(self) -> str:
        """The status codes in their order, repetitions counted."""
        return runs([str(answer.status) for answer in self.answers])


def runs(words: Sequence[str]) -> str:
    """Return *words* joined, with neighbours that are equal written once: ``200 ×3, 404``."""
    counted: list[tuple[str, int]] = []
    for word in words:
        if counted and counted[-1][0] == word:
            counted[-1] = (word, counted[-1][1] + 1)
        else:
            counted.append((word, 1))
    return ", ".join(word if count == 1 else f"{word} ×{count}" for word, count in counted)


def pipelined(client: Client, asks: Sequence[Ask]) -> Series:
    """Send *asks* together, then read the answers."""
    answers: list[Answer] = []
    try:
        client.send_together(asks)
    except ConnectionClosed as exc:
        # The answers to those before may be there.
        return _gather(client, answers, len(asks), said_by(exc))
    return _gather(client, answers, len(asks), "")


def one_by_one(client: Client, asks: Sequence[Ask]) -> Series:
    """Send each of *asks* when the one before is answered."""
    answers: list[Answer] = []
    for ask in asks:
        try:
            client.send(ask)
        except (HTTPIOError, OSError) as exc:
            return Series(answers, _stop(exc, answers), said_by(exc), client.number)
        series = _gather(client, answers, len(answers) + 1, "")
        if series.stop is not Stop.COMPLETE:
            return series
        if answers[-1].closes and len(answers) < len(asks):
            return Series(answers, Stop.ANNOUNCED, "", client.number)
    return Series(answers, Stop.COMPLETE, "", client.number)


def _gather(client: Client, answers: list[Answer], count: int, problem: str) -> Series:
    """Read responses to the end of *answers* until they are *count*."""
    response: HTTPResponse | None = None
    try:
        while len(answers) < count:
            response = client.head()
            answers.append(client.content(response))
            response = None
    except (HTTPIOError, OSError) as exc:
        stop = _stop(exc, answers)
        if response is not None and isinstance(exc, ConnectionClosed):
            stop = Stop.CUT
        detail = problem or said_by(exc)
        if stop is Stop.SILENT:
            detail = f"within {client.seconds:.1f} s"
        return Series(answers, stop, detail, client.number)
    return Series(answers, Stop.COMPLETE, problem, client.number)


def _stop(exc: Exception, answers: list[Answer]) -> Stop:
    if isinstance(exc, ContentTooLarge):
        return Stop.LARGE
    if isinstance(exc, ConnectionTimedOut):
        return Stop.SILENT
    if isinstance(exc, RemoteProtocolError):
        return Stop.INVALID
    if answers and answers[-1].closes:
        return Stop.ANNOUNCED
    reason = getattr(exc, "reason", None)
    if reason in (CloseReason.INVALID_RESPONSE, CloseReason.UNSOLICITED_DATA):
        return Stop.INVALID
    return Stop.CLOSED if reason is CloseReason.SERVER_CLOSED else Stop.LOST
