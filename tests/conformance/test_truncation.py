"""The connection ends at any byte of a response: an exception that tells what is unanswered, never a short success."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import pytest

from httpio import CloseReason, ConnectionClosed
from tests.support.scripted import accept, close, drain, expect_head, reset, truncate, wait

from .client import PROOF, deliver, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

    from .client import Client, ClientFactory

FIXED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 103 Hints\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n"
)
NOTHING = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n"
TO_THE_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"

WIRES = {"fixed": FIXED, "chunked": CHUNKED, "nothing": NOTHING}


class End(NamedTuple):
    """A way in which a connection can end."""

    step: Callable[[], Step]
    tls: bool
    reason: CloseReason


ENDS = {
    "close": End(close, False, CloseReason.SERVER_CLOSED),
    "reset": End(reset, False, CloseReason.CONNECTION_LOST),
    "close-notify": End(close, True, CloseReason.SERVER_CLOSED),
    "tls-truncation": End(truncate, True, CloseReason.CONNECTION_LOST),
}
ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def positions(wire: bytes, *, complete: bool = False) -> range:
    """Return every number of bytes that may arrive; all of them only if that is not *complete*."""
    return range(len(wire) + (not complete))


def connections(*scripts: list[Step]) -> list[Step]:
    """Return the steps of *scripts*, each with a connection of its own."""
    steps: list[Step] = []
    for script in scripts:
        steps += ([accept()] if steps else []) + script
    return [*steps, accept(), *PROOF, drain()]


def expect_lost(client: Client, end: End, unanswered: tuple[str, ...], where: str) -> None:
    """Check what comes of the next response, of which a part is missing *where*."""
    found = outcome(client)
    assert isinstance(found, ConnectionClosed), (where, found)
    assert found.reason is end.reason, where
    assert found.unanswered == tuple(("GET", path) for path in unanswered), where


@ends
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_at_any_byte(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    wire: bytes,
    end: End,
) -> None:
    scripts = [
        [expect_head(), deliver(wire[:position]), end.step()]
        for position in positions(wire, complete=True)
    ]
    server = scripted_server(
        *connections(*scripts), tls=certificates.server_context() if end.tls else None
    )
    client = make_client(server, tls=end.tls)
    for position in positions(wire, complete=True):
        client.ask()
        expect_lost(client, end, ("/",), f"after {wire[:position]!r}")
        client.conn.reset()
    client.prove_usable()
    client.close()


@ends
@pytest.mark.parametrize("wire", [FIXED, CHUNKED], ids=["fixed", "chunked"])
def test_at_any_byte_of_the_second_of_three(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    wire: bytes,
    end: End,
) -> None:
    heads = [expect_head(b"GET /a "), expect_head(b"GET /b "), expect_head(b"GET /c ")]
    # Of a reset one never knows how much it takes with it: the client waits for the answer before.
    there = b"/next"
    scripts = [
        [*heads, deliver(FIXED + wire[:position]), expect_head(b"GET " + there), end.step()]
        for position in positions(wire, complete=True)[::3]
    ]
    server = scripted_server(
        *connections(*scripts), tls=certificates.server_context() if end.tls else None
    )
    client = make_client(server, tls=end.tls)
    for position in positions(wire, complete=True)[::3]:
        client.ask("/a", "/b", "/c")
        assert client.receive().content == b"hello"
        client.ask(there.decode())
        expect_lost(client, end, ("/b", "/c", "/next"), f"after {wire[:position]!r}")
        client.expect_over(end.reason, [("GET", "/b"), ("GET", "/c"), ("GET", "/next")])
        client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("end", [ENDS["reset"], ENDS["tls-truncation"]], ids=["reset", "tls"])
def test_content_to_the_close_that_was_no_close(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    end: End,
) -> None:
    scripts = [
        [expect_head(), deliver(TO_THE_CLOSE[:position]), end.step()]
        for position in positions(TO_THE_CLOSE)
    ]
    server = scripted_server(
        *connections(*scripts), tls=certificates.server_context() if end.tls else None
    )
    client = make_client(server, tls=end.tls)
    for position in positions(TO_THE_CLOSE):
        client.ask()
        expect_lost(client, end, ("/",), f"after {TO_THE_CLOSE[:position]!r}")
        client.conn.reset()
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("end", [ENDS["close"], ENDS["close-notify"]], ids=["plain", "tls"])
def test_content_to_the_close(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    end: End,
) -> None:
    head_size = TO_THE_CLOSE.index(b"\r\n\r\n") + 4
    scripts = [
        [expect_head(), deliver(TO_THE_CLOSE[:position]), end.step()]
        for position in positions(TO_THE_CLOSE)
    ]
    server = scripted_server(
        *connections(*scripts), tls=certificates.server_context() if end.tls else None
    )
    client = make_client(server, tls=end.tls)
    for position in positions(TO_THE_CLOSE):
        client.ask()
        if position < head_size:
            expect_lost(client, end, ("/",), f"after {TO_THE_CLOSE[:position]!r}")
        else:
            assert client.receive().content == TO_THE_CLOSE[head_size:position]
            client.expect_over(CloseReason.SERVER_ANNOUNCED_CLOSE, [])
        client.conn.reset()
    client.prove_usable()
    client.close()


@ends
def test_before_anything_was_asked(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    end: End,
) -> None:
    """The server ends an idle connection: the request is not sent, or counts as unanswered."""
    idle = [Event() for _ in range(5)]
    scripts = [[*PROOF, wait(event), end.step()] for event in idle]
    server = scripted_server(
        *connections(*scripts), tls=certificates.server_context() if end.tls else None
    )
    client = make_client(server, tls=end.tls)
    for event in idle:
        client.prove_usable()
        event.set()
        with pytest.raises(ConnectionClosed) as caught:
            client.fetch()
        # How far it gets depends on who is faster.
        assert caught.value.unanswered in ((), (("GET", "/"),))
        client.conn.reset()
    client.prove_usable()
    client.close()
