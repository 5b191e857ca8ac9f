"""A server that answers every request as a function says, and can break off at any byte.

It lives in the thread of the test, like the `Server` that it is made of: it accepts, receives and answers while the
test drives a coroutine, and at no other time. `Thread` lets it work beside blocking calls.
"""

from __future__ import annotations

import select
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import h11

from .server_end import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .certs import Certificates
    from .server_end import ServerEnd


class Asked(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    content: bytes
    connection: int
    """Number of the connection, from 0."""
    number: int
    """Number of the request on its connection, from 0."""


class Then(Enum):
    """What becomes of the connection after an answer."""

    KEEP = "it is kept"
    CLOSE = "it is closed properly"
    RESET = "it is reset"
    DEAF = "it is kept, but nothing more is read or answered"


@dataclass
class Answer:
    """Bytes to send, and what to do then."""

    data: bytes
    then: Then = Then.KEEP


def ok(content: bytes = b"", *field_lines: str, status: str = "200 OK") -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *field_lines, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


def last(content: bytes = b"", *field_lines: str) -> Answer:
    """Return a response that announces the close, and close."""
    return Answer(ok(content, "Connection: close", *field_lines), Then.CLOSE)


@dataclass
class _Connection:
    end: ServerEnd
    number: int
    parser: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))
    head: h11.Request | None = None
    content: bytearray = field(default_factory=bytearray)
    asked: int = 0
    outgoing: bytearray = field(default_factory=bytearray)
    then: Then = Then.KEEP
    over: bool = False


class AnsweringServer(Server):
    """Answers each request with what *answer* makes of it; `asked` has all of them, in their order.

    *early* is asked when a head has arrived, without its content, and may answer at once. *small*: with the smallest
    buffers that the kernel has. Otherwise as `Server`.
    """

    def __init__(
        self,
        answer: Callable[[Asked], bytes | Answer],
        tls: Certificates | None = None,
        *,
        tcp: bool = False,
        small: bool = False,
        early: Callable[[Asked], Answer | None] | None = None,
    ) -> None:
        super().__init__(tls, tcp=tcp)
        self._early = early
        self._answer = answer
        self._small = small
        self._connections: list[_Connection] = []
        self.asked: list[Asked] = []

    def progress(self) -> None:
        """Accept, receive and answer, as far as that goes without waiting."""
        super().progress()
        for end in self.ends[len(self._connections) :]:
            if self._small:
                end.sock.setsockopt(1, 7, 1)  # SO_SNDBUF
            self._connections.append(_Connection(end, len(self._connections)))
        for connection in self._connections:
            if not connection.over:
                self._serve(connection)

    def _serve(self, connection: _Connection) -> None:
        self._flush(connection)
        end = connection.end
        # With small buffers, it does not read on while its answers are not taken: as real servers do.
        while connection.then is Then.KEEP and not (self._small and connection.outgoing):
            if end.unread:
                connection.parser.receive_data(bytes(end.unread))
                end.unread.clear()
            answer = self._next_answer(connection)
            if answer is None:
                break
            connection.outgoing += answer.data
            connection.then = answer.then
            self._flush(connection)
        if not connection.outgoing:
            if connection.then is Then.CLOSE:
                connection.over = True
                # Or what was not read would make it a reset, which may outrun the answer.
                end.half_close()
            elif connection.then is Then.RESET:
                connection.over = True
                end.reset()
            elif end.at_end or end.broken:
                connection.over = True
                end.close()

    def _next_answer(self, connection: _Connection) -> Answer | None:
        """Return the answer to the next request, `None` if there is none."""
        parser = connection.parser
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                connection.head = event
                connection.content = bytearray()
                if self._early is not None and (answer := self._early(self._asked(connection))):
                    return answer
            elif isinstance(event, h11.Data):
                connection.content += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
        # One for each request: it would want to see the response before the next one.
        connection.parser = h11.Connection(h11.SERVER)
        if rest := parser.trailing_data[0]:
            connection.parser.receive_data(rest)
        asked = self._asked(connection)
        connection.asked += 1
        self.asked.append(asked)
        made = self._answer(asked)
        return Answer(made) if isinstance(made, bytes) else made

    def _asked(self, connection: _Connection) -> Asked:
        head = connection.head
        assert head is not None
        return Asked(
            head.method.decode(),
            head.target.decode(),
            {name.decode(): value.decode() for name, value in head.headers},
            bytes(connection.content),
            connection.number,
            connection.asked,
        )

    def _flush(self, connection: _Connection) -> None:
        outgoing = connection.outgoing
        while outgoing and not connection.over:
            try:
                size = connection.end.sock.send(bytes(outgoing[: 1 << 16]))
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                connection.over = True
                connection.end.close()
                return
            del outgoing[:size]

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        """Work in a thread of its own while the block runs, for calls that block."""
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                self.progress()
                poll = select.poll()
                poll.register(self._listener, select.POLLIN)
                for connection in self._connections:
                    if not connection.over:
                        mask = select.POLLIN | (select.POLLOUT if connection.outgoing else 0)
                        poll.register(connection.end.sock, mask)
                # Not for ever: it has to see that it is to stop.
                poll.poll(20)

        thread = threading.Thread(target=work, name="answering server", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()
