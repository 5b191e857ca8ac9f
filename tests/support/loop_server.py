"""A server that lives in the event loop of the client, and does what a test says at the very moment when it says so.

Server and clients share one thread: while a client runs, the server stands still, and the other way round. So what the
server closes, and when, and what it has seen by then, does not depend on how fast anything is.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from .answering import Answer, Asked, Then
from .server_end import ServerEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from .certs import Certificates


@dataclass
class Slot:
    """The place of an answer among those of its connection. Nothing is sent before there is one."""

    seat: Seat
    asked: Asked
    answer: Answer | None = None

    def give(self, answer: bytes | Answer) -> None:
        """Answer now, which may be after others that came before."""
        self.answer = Answer(answer) if isinstance(answer, bytes) else answer
        self.seat.flush()


@dataclass
class Seat:
    """A connection that was accepted."""

    end: ServerEnd
    number: int
    client_port: int
    slots: deque[Slot] = field(default_factory=deque)
    outgoing: bytearray = field(default_factory=bytearray)
    then: Then = Then.KEEP
    asked: int = 0
    is_over: bool = False
    """It is closed. What the client sends is refused."""

    @property
    def is_idle(self) -> bool:
        """All that was received was answered."""
        busy = self.is_over or self.slots or self.outgoing or self.end.unread
        return not busy and self.then is Then.KEEP

    def close(self) -> None:
        """Close. With something left that nobody has read, that is a reset."""
        if not self.is_over:
            self.is_over = True
            self.end.close()

    def reset(self) -> None:
        """Break the connection."""
        if not self.is_over:
            self.is_over = True
            self.end.reset()

    def flush(self) -> None:
        """Send what is due."""
        while not self.is_over:
            if not self.outgoing:
                if self.then is Then.RESET:
                    return self.reset()
                if self.then is Then.CLOSE:
                    # The client closes too, and is waited for: or what it has sent since would make it a reset.
                    return self.end.half_close()
                if not self.slots or self.slots[0].answer is None or self.then is Then.DEAF:
                    return None
                answer = self.slots.popleft().answer
                assert answer is not None
                self.outgoing += answer.data
                self.then = answer.then
                continue
            try:
                size = self.end.sock.send(bytes(self.outgoing[: 1 << 18]))
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return None
            except OSError:
                return self.close()
            del self.outgoing[:size]
        return None


class LoopServer:
    """Answers each request with what *answer* makes of it; without that, when the test gives an answer to its `Slot`.

    `progress` does what there is to do, without waiting. *early* is asked when a head has arrived without all of its
    content. *tls*: with these certificates. `held` has the slots that wait for their answers.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        answer: Callable[[Asked], bytes | Answer | None],
        tls: Certificates | None = None,
        *,
        early: Callable[[Asked], Answer | None] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._answer = answer
        self._early = early
        self._certificates = tls
        self._context = None if tls is None else tls.server_context()
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((self.host, 0))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.seats: list[Seat] = []
        self._open: dict[int, Seat] = {}
        self.asked: list[Asked] = []
        self.held: list[Slot] = []
        self.most = 0
        """Connections that were open at the same time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for seat in self.seats:
            seat.close()
        self._listener.close()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._context is None else 'https'}://{self.host}:{self.port}"

    def client_context(self) -> ssl.SSLContext | None:
        """Return a context for clients, `None` if the server does not speak TLS."""
        return None if self._certificates is None else self._certificates.client_context()

    def paths(self) -> list[str]:
        """Return what was asked for, in its order."""
        return [asked.path for asked in self.asked]

    def open_seats(self) -> list[Seat]:
        """Return the connections that are open."""
        return [seat for seat in self._open.values() if not seat.is_over]

    def seat_of(self, client_port: int) -> Seat | None:
        """Return the connection that comes from *client_port*, if it was accepted and is open."""
        for seat in self.open_seats():
            if seat.client_port == client_port:
                return seat
        return None

    def close_listener(self) -> None:
        """Refuse connections from now on."""
        self._listener.close()

    def progress(self) -> None:
        """Accept, receive and answer, as far as that goes without waiting."""
        poll = select.poll()
        for fd, seat in [*self._open.items()]:
            if seat.is_over:
                del self._open[fd]
            else:
                poll.register(fd, select.POLLIN | (select.POLLOUT if seat.outgoing else 0))
        # Those that are open first: a client may have closed one to open another one.
        for fd, _ in poll.poll(0):
            self._serve(self._open[fd])
        with suppress(OSError):
            while True:
                sock, address = self._listener.accept()
                seat = Seat(ServerEnd(sock, self._context), len(self.seats), address[1])
                self.seats.append(seat)
                self._open[seat.end.sock.fileno()] = seat
                self.most = max(self.most, sum(not seat.is_over for seat in self._open.values()))
                self._serve(seat)

    def _serve(self, seat: Seat) -> None:
        end = seat.end
        end.progress()
        while not seat.is_over and seat.then is Then.KEEP and (asked := self._take(seat)):
            self.asked.append(asked)
            seat.asked += 1
            answer = self._answer(asked)
            slot = Slot(seat, asked)
            seat.slots.append(slot)
            if answer is None:
                self.held.append(slot)
            else:
                slot.give(answer)
        seat.flush()
        if end.at_end or end.broken:
            seat.close()

    def _take(self, seat: Seat) -> Asked | None:
        """Take a request from what was received, if there is a whole one."""
        unread = seat.end.unread
        end = unread.find(b"\r\n\r\n")
        if end < 0:
            return None
        request_line, *field_lines = unread[:end].decode("latin-1").split("\r\n")
        method, path, _ = request_line.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in field_lines)
        }
        start = end + 4
        if "chunked" in headers.get("transfer-encoding", ""):
            taken = _take_chunks(unread, start)
        else:
            length = int(headers.get("content-length", "0"))
            whole = bytes(unread[start : start + length])
            taken = (whole, start + length) if len(whole) == length else None
        content, after = taken or (b"", start)
        asked = Asked(method, path, headers, content, seat.number, seat.asked)
        if taken is None:
            if self._early is not None and not seat.outgoing and (answer := self._early(asked)):
                seat.slots.append(Slot(seat, asked, answer))
                seat.then = Then.KEEP
                seat.flush()
            return None
        del unread[:after]
        return asked


def _take_chunks(data: bytearray, position: int) -> tuple[bytes, int] | None:
    """Return content that comes in chunks, and where it ends."""
    content = b""
    while (end := data.find(b"\r\n", position)) >= 0:
        size = int(data[position:end], 16)
        position = end + 2 + size + 2
        if len(data) < position:
            return None
        content += data[end + 2 : end + 2 + size]
        if not size:
            return content, position
    return None
