"""The two halves of a network connection over a socket pair, and its other end in the hands of the test."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple, Self

import h11

from httpio._blocking import run
from httpio._buffer import ReceiveBuffer
from httpio._bulk import BulkReceiver
from httpio._feeding import Feeder
from httpio._origin import Origin
from httpio._sendfile import FileSender
from httpio._state import State
from httpio._transport import Transport

from .buffers import LIMITS
from .server_end import PATIENCE, ServerEnd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from httpio import HTTPResponse, PollNeeded, Request, Tracer
    from httpio._parser import Limits
    from httpio._state import Exchange

ORIGIN = Origin("example.org", through_proxy=False, credentials=None)


class Link:
    """One network connection. *small*: with the smallest send buffer that the kernel has."""

    def __init__(
        self, *, small: bool = False, tracer: Tracer | None = None, limits: Limits = LIMITS
    ) -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        if small:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self.transport = Transport(near, tracer)
        self.state = State()
        self.buffer = ReceiveBuffer(limits.buffer_size)
        self.receiver = BulkReceiver(self.transport, self.state, self.buffer, limits, tracer)
        self.sender = FileSender(self.transport, self.state, self.receiver, tracer)
        self.end = ServerEnd(far, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def begun(self) -> list[str]:
        """Paths of the requests that are outstanding."""
        return [asked.path for asked in self.state.outstanding]

    def read(self) -> tuple[HTTPResponse, bytes]:
        """Read one response in the usual way."""
        response = run(self.receiver.co_read_response(), PATIENCE)
        return response, run(self.receiver.co_readall(), PATIENCE)

    def close(self) -> None:
        """Close both ends."""
        self.transport.close()
        self.end.close()


class Came(NamedTuple):
    """A request that arrived completely."""

    method: str
    path: str
    content: bytes
    headers: dict[str, str]
    """Names in lower case."""


def requests_in(wire: bytes) -> tuple[list[Came], bytes]:
    """Return the requests in *wire*, and what comes after the last one that is complete."""
    found: list[Came] = []
    while wire:
        parser = h11.Connection(h11.SERVER)
        parser.receive_data(wire)
        head = parser.next_event()
        content = b""
        while isinstance(event := parser.next_event(), h11.Data):
            content += event.data
        if not (isinstance(head, h11.Request) and isinstance(event, h11.EndOfMessage)):
            break
        fields = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        found.append(Came(head.method.decode(), head.target.decode(), content, fields))
        wire = parser.trailing_data[0]
    return found, wire


class Feeding:
    """A `Feeder`, and the connections that it sends over, one after the other."""

    def __init__(
        self,
        requests: Iterable[Request],
        *,
        small: bool = False,
        tracer: Tracer | None = None,
        origin: Origin = ORIGIN,
        add_content_md5: bool = False,
    ) -> None:
        self.feeder = Feeder(requests, origin, add_content_md5=add_content_md5)
        self._small = small
        self._tracer = tracer
        self.links: list[Link] = []
        self.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # What is in the middle of something would want to say so to its connection.
        self.feeder.send_again(())
        for link in self.links:
            link.close()

    def connect(self) -> None:
        """Use a new connection."""
        link = Link(small=self._small, tracer=self._tracer)
        self.links.append(link)
        self.feeder.use(link.sender, link.receiver, link.state, link.transport)

    @property
    def link(self) -> Link:
        """The present connection."""
        return self.links[-1]

    @property
    def begun(self) -> list[str]:
        """Paths of the requests that are outstanding."""
        return self.link.begun

    def wire(self) -> bytes:
        """Return all that has arrived over the present connection."""
        self.link.end.progress()
        return bytes(self.link.end.received)

    def came(self) -> list[Came]:
        """Return the requests that have arrived, of which the last is complete."""
        found, rest = requests_in(self.wire())
        assert rest == b""
        return found

    def paths(self) -> list[str]:
        """Return the paths of the requests that have arrived, of which the last is complete."""
        return [came.path for came in self.came()]

    def advance(self, window: int) -> PollNeeded | None:
        """Have the feeder send once; the server takes nothing meanwhile."""
        return self.feeder.advance(window)

    def run(self, window: int) -> None:
        """Have the feeder send until it waits for responses; the server takes what comes."""
        while (needed := self.feeder.advance(window)) is not None:
            self.link.end.progress()
            assert needed.poll(PATIENCE), f"the feeder waits in vain for {needed}"

    def answer(self, count: int = 1, *field_lines: str) -> None:
        """Have the server answer *count* requests, and read the responses."""
        for _ in range(count):
            self.link.end.respond(b"", "200 OK", *field_lines)
            self.link.read()

    def run_to_the_end(self, window: int) -> list[Exception]:
        """Send and answer everything; return what failed instead, in its place after the others."""
        failures: list[Exception] = []
        while True:
            if self.link.state.outstanding:
                self.answer()
            elif failed := self.feeder.take_failed():
                assert failed.failure is not None
                failures.append(failed.failure)
            elif not self.feeder.has_more():
                return failures
            self.run(window)

    def lose(self) -> list[Exchange | Request]:
        """Go over to a new connection with all that is not answered; return what was outstanding."""
        sent = [*self.link.state.outstanding]
        self.feeder.send_again(sent)
        self.connect()
        return sent
