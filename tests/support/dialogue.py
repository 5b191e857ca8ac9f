"""A connection and, in the hands of the test, the server at its other end; for tests of what is received."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from httpio import CloseReason, ConnectionClosed, InvalidResponse, StateError

from .server_end import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from httpio import HTTPConnection, HTTPResponse, PollGenerator

    from .certs import Certificates
    from .server_end import ServerEnd

_T = TypeVar("_T")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TO_THE_CLOSE = OK + b"Connection: close\r\n\r\n"


def sized(content: bytes) -> bytes:
    """Return a response with a Content-Length."""
    return OK + b"Content-Length: %d\r\n\r\n" % len(content) + content


class Dialogue:
    """One connection object, its server, and what they say to each other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.conn: HTTPConnection = server.connection()

    @property
    def end(self) -> ServerEnd:
        """The server's end of the connection that was opened last."""
        return self.server.end

    def run(self, coroutine: PollGenerator[_T]) -> _T:
        """Return the result of *coroutine*, while and after which the server takes what comes."""
        result = self.server.drive(coroutine)
        self.server.progress()
        return result

    def ask(
        self,
        *paths: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a request for each of *paths*, and have the server take them."""
        for path in paths or ("/",):
            self.run(self.conn.co_send_request(method, path, headers))
            self.end.expect_head(f"{method} {path} ".encode())

    def answer(self, data: bytes) -> HTTPResponse:
        """Have the server send *data*, and read the head that this begins with."""
        self.end.send(data)
        return self.conn.read_response()

    def get(
        self, data: bytes, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> HTTPResponse:
        """Ask, and have *data* as the answer."""
        self.ask(method=method, headers=headers)
        return self.answer(data)

    def feed(self, coroutine: PollGenerator[_T], pieces: Iterable[bytes | None]) -> _T:
        """Return the result of *coroutine*, to which the server sends a piece whenever it waits.

        `None` is the end of the server's data.
        """
        rest = iter([*pieces])
        try:
            while True:
                needed = next(coroutine)
                while not needed.poll(0):
                    piece = next(rest, b"")
                    assert piece != b"", "the coroutine waits for more than there is"
                    if piece is None:
                        self.end.half_close()
                    else:
                        self.end.send(piece)
        except StopIteration as exc:
            assert next(rest, b"") == b"", "the coroutine did not wait for everything"
            result: _T = exc.value
            return result

    def prove_usable(self) -> None:
        """Check that the connection object works, with the connection that it has or a new one."""
        if self.server.ends and self.end.sock.fileno() >= 0:
            # What the test did not look at.
            self.end.take()
        self.server.prove_usable(self.conn)

    def expect_over(
        self,
        reason: CloseReason,
        unanswered: Iterable[str] = ("/",),
        *,
        method: str = "GET",
        closed: bool = True,
    ) -> None:
        """Check that nothing more can be done for *reason*, and that `reset` makes the object usable."""
        conn = self.conn
        attempts: list[Callable[[], object]] = [
            lambda: conn.send_request("GET", "/never"),
            conn.read_response,
        ]
        for attempt in attempts:
            with pytest.raises(ConnectionClosed) as caught:
                attempt()
            assert caught.value.reason is reason
            assert caught.value.unanswered == tuple((method, path) for path in unanswered)
        if closed:
            with pytest.raises(StateError):
                conn.fileno()
            if self.end.sock.fileno() >= 0:
                self.end.expect_closed()
        conn.reset()
        assert not conn.response_pending()
        assert conn.get_current_response() is None
        assert conn.read(10) == b""
        self.prove_usable()
        assert len(self.server.ends) > 1, "on a connection of its own"

    def expect_refused(
        self,
        attempt: Callable[[], object],
        match: str | None = None,
        exception: type[Exception] = InvalidResponse,
        *,
        unanswered: Iterable[str] = ("/",),
        method: str = "GET",
    ) -> None:
        """Check that *attempt* finds nonsense from the server, and what becomes of the connection."""
        with pytest.raises(exception, match=match):
            attempt()
        self.expect_over(CloseReason.INVALID_RESPONSE, unanswered, method=method)


@pytest.fixture(params=["plain", "tls"])
def dialogue(request: pytest.FixtureRequest) -> Iterator[Dialogue]:
    """A dialogue, with TLS and without."""
    certificates: Certificates | None = None
    if request.param == "tls":
        certificates = request.getfixturevalue("certificates")
    with Server(certificates) as server:
        yield Dialogue(server)


@pytest.fixture
def plain() -> Iterator[Dialogue]:
    """A dialogue without TLS."""
    with Server() as server:
        yield Dialogue(server)


@pytest.fixture
def over_tcp() -> Iterator[Dialogue]:
    """A dialogue without TLS, over TCP, where connections can be reset."""
    with Server(tcp=True) as server:
        yield Dialogue(server)


@pytest.fixture
def over_tls(certificates: Certificates) -> Iterator[Dialogue]:
    """A dialogue over TLS."""
    with Server(certificates) as server:
        yield Dialogue(server)
