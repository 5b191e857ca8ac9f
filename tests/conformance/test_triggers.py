"""What servers send by mistake or malice, and what it gets: the same under every driver and in any pieces."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from httpio import (
    CloseReason,
    HTTPConnection,
    InvalidResponse,
    LocalProtocolError,
    UnsupportedResponse,
)
from tests.support.scripted import close, drain, expect_head

from .client import PROOF, STARTS_ANEW, Client, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

    from .client import ClientFactory

R = b"HTTP/1.1 200 OK\r\n"
C = R + b"Transfer-Encoding: chunked\r\n\r\n"


class Answer(NamedTuple):
    """The response is to be handed out."""

    content: bytes
    status: int = 200
    informational: tuple[int, ...] = ()


REFUSED = {
    # Content-Length
    "negative": R + b"Content-Length: -5\r\n\r\nhello",
    "plus": R + b"Content-Length: +5\r\n\r\nhello",
    "underscore": R + b"Content-Length: 1_0\r\n\r\nhello",
    "hex": R + b"Content-Length: 0x5\r\n\r\nhello",
    "different-in-a-list": R + b"Content-Length: 5,6\r\n\r\nhello",
    "different-lines": R + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "5000-digits": R + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nhello",
    "5000-zeros": R + b"Content-Length: " + b"0" * 4999 + b"5\r\n\r\nhello",
    "empty-length": R + b"Content-Length:\r\n\r\nhello",
    "other-digits": R + "Content-Length: ²\r\n\r\nhello".encode("latin-1"),
    "length-and-chunked": R
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-and-length": R
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-twice": R + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-http-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    # Chunk sizes
    "chunk-hex": C + b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk-plus": C + b"+5\r\nhello\r\n0\r\n\r\n",
    "chunk-underscore": C + b"0_5\r\nhello\r\n0\r\n\r\n",
    "chunk-negative": C + b"-1\r\nhello\r\n0\r\n\r\n",
    "chunk-empty": C + b"\r\nhello\r\n0\r\n\r\n",
    "chunk-17-digits": C + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n",
    "between-chunks": C + b"3\r\nxxx__1\r\na\r\n0\r\n\r\n",
    "between-chunks-lf": C + b"3\r\nxxx\n1\r\na\r\n0\r\n\r\n",
    "extension-lf": C + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension-cr": C + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "chunk-lf": C + b"5\nhello\r\n0\r\n\r\n",
    "trailer-lf": C + b"5\r\nhello\r\n0\r\nA: b\n\r\n",
    "trailer-nameless": C + b"5\r\nhello\r\n0\r\n: b\r\n\r\n",
    # Lines
    "bare-cr": R + b"Foo: 1\rContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
    "bare-lf": R + b"Foo: 1\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
    "nul": R + b"Foo: 1\0\r\nContent-Length: 5\r\n\r\nhello",
    "lf-only": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "blank-before-colon": R + b"Content-Length : 5\r\n\r\nhello",
    "blank-first": R + b" Content-Length: 5\r\n\r\nhello",
    "tab-first": R + b"\tContent-Length: 5\r\n\r\nhello",
    "nameless": R + b": 5\r\nContent-Length: 5\r\n\r\nhello",
    "no-colon": R + b"Content-Length 5\r\nContent-Length: 5\r\n\r\nhello",
    "no-token": R + b"Content(Length): 5\r\nContent-Length: 5\r\n\r\nhello",
    # Status line
    "version-11": b"HTTP/11 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "plus-status": b"HTTP/1.1 +200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "4-digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
    "2-digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "below-100": b"HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
    "icy": b"ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "lower-case": b"http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "two-blanks": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "empty-line-first": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "http-0.9": b"<html>hello</html>",
    "tls-alert": b"\x15\x03\x01\x00\x02\x02\x16",
    # Interim responses
    "unrequested-101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    + R
    + b"Content-Length: 5\r\n\r\nhello",
    "1001-fields": R + b"A: b\r\n" * 1001 + b"Content-Length: 5\r\n\r\nhello",
}

UNREADABLE = {
    "xchunked": R + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked-identity": R + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "gzip": R + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "gzip-chunked": R + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "vertical-tab": R + b"Transfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "empty-coding": R + b"Transfer-Encoding:\r\nConnection: close\r\n\r\nhello",
    "no-framing": R + b"\r\nhello",
}

ANSWERED = {
    "same-in-a-list": (R + b"Content-Length: 5, 5\r\n\r\nhello", Answer(b"hello")),
    "same-lines": (R + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", Answer(b"hello")),
    "folded-chunked": (
        R + b"Transfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Answer(b"hello"),
    ),
    "100-without-reason": (
        b"HTTP/1.1 100\r\n\r\n" + R + b"Content-Length: 5\r\n\r\nhello",
        Answer(b"hello", informational=(100,)),
    ),
    "103": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + R + b"Content-Length: 5\r\n\r\nhello",
        Answer(b"hello", informational=(103,)),
    ),
    "no-reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", Answer(b"hello")),
    "empty-reason": (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", Answer(b"hello")),
    "status-999": (b"HTTP/1.1 999 ?\r\nContent-Length: 5\r\n\r\nhello", Answer(b"hello", 999)),
    "version-1.2": (b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", Answer(b"hello")),
    "extensions": (
        C + b'5;a=b;c="d"\r\nhello\r\n0;last\r\nA: b\r\n\r\n',
        Answer(b"hello"),
    ),
    "leading-zeros": (C + b"00005\r\nhello\r\n000\r\n\r\n", Answer(b"hello")),
    "upper-case-size": (C + b"A\r\nhellohello\r\n0\r\n\r\n", Answer(b"hellohello")),
    "length-with-zeros": (R + b"Content-Length: 0005\r\n\r\nhello", Answer(b"hello")),
    "strange-values": (
        R
        + b"From: @\r\nContent-Type: ;;;\r\nDate: ??\r\nSubject: =?x?y?z?=\r\n"
        + b"Content-Length: 5\r\n\r\nhello",
        Answer(b"hello"),
    ),
    "204": (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", Answer(b"", 204)),
    "304": (b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", Answer(b"", 304)),
}


def deliveries(wire: bytes) -> Iterator[Step]:
    """Yield *wire* as a step: whole, byte by byte, and in pieces of random sizes."""
    yield deliver(wire)
    # What is very long is so only to exceed a limit.
    if len(wire) < 1000:
        yield deliver(wire, [1])
    generator = random.Random(wire)
    most = max(len(wire) // 8, 3)
    yield deliver(wire, [generator.randint(1, most) for _ in range(50)])


@pytest.mark.parametrize("wire", REFUSED.values(), ids=REFUSED)
def test_refused(scripted_server: ServerFactory, make_client: ClientFactory, wire: bytes) -> None:
    steps: list[Step] = []
    for delivery in deliveries(wire):
        steps += [expect_head(), expect_head(), delivery, *STARTS_ANEW]
    client = make_client(scripted_server(*steps, drain(), unix=True))
    for _ in deliveries(wire):
        client.ask("/", "/next")
        with pytest.raises((InvalidResponse, UnsupportedResponse)):
            client.receive()
        client.expect_over(CloseReason.INVALID_RESPONSE, [("GET", "/"), ("GET", "/next")])
        anew(client)
    client.close()


@pytest.mark.parametrize("wire", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("ends", [False, True])
def test_unreadable(
    scripted_server: ServerFactory, make_client: ClientFactory, wire: bytes, ends: bool
) -> None:
    steps: list[Step] = []
    for delivery in deliveries(wire):
        # Whether or not the server closes, what it sent is not taken for the content.
        rest = (close(), *STARTS_ANEW[1:]) if ends else STARTS_ANEW
        steps += [expect_head(), delivery, *rest]
    client = make_client(scripted_server(*steps, drain(), unix=True))
    for _ in deliveries(wire):
        client.ask()
        response = client.driver.read_response()
        assert (response.status, response.length) == (200, None)
        for attempt in (
            client.driver.readall,
            client.driver.discard,
            lambda: client.driver.read(1),
        ):
            with pytest.raises(UnsupportedResponse):
                attempt()
        assert client.conn.get_current_response() is response
        anew(client)
    client.close()


@pytest.mark.parametrize(("wire", "answer"), ANSWERED.values(), ids=ANSWERED)
def test_answered(
    scripted_server: ServerFactory, make_client: ClientFactory, wire: bytes, answer: Answer
) -> None:
    steps: list[Step] = []
    for delivery in deliveries(wire):
        steps += [expect_head(), delivery]
    client = make_client(scripted_server(*steps, drain(), unix=True))
    for _ in deliveries(wire):
        response, content = client.fetch()
        assert (response.status, content) == (answer.status, answer.content)
        assert tuple(r.status for r in response.informational) == answer.informational
        assert not client.conn.response_pending()
    client.close()


SMUGGLED = {
    "path": ("GET", "/ HTTP/1.1\r\nX: y", {}),
    "path-with-blank": ("GET", "/a b", {}),
    "path-with-nul": ("GET", "/\0", {}),
    "path-with-lf": ("GET", "/\n", {}),
    "value": ("GET", "/", {"A": "b\r\nInjected: 1"}),
    "value-with-cr": ("GET", "/", {"A": "b\rc"}),
    "value-with-lf": ("GET", "/", {"A": "b\nc"}),
    "value-with-nul": ("GET", "/", {"A": "b\0c"}),
    "name": ("GET", "/", {"A: b\r\nInjected": "1"}),
    "method": ("GET / HTTP/1.1\r\nI: 1\r\nX", "/", {}),
    "method-with-blank": ("GE T", "/", {}),
    "two-framings": ("PUT", "/", {"Transfer-Encoding": "chunked"}),
}


@pytest.mark.parametrize(("method", "path", "headers"), SMUGGLED.values(), ids=SMUGGLED)
def test_request_that_smuggles(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    method: str,
    path: str,
    headers: dict[str, str],
) -> None:
    server = scripted_server(*PROOF, *PROOF, drain(), unix=True)
    client = make_client(server)
    for _ in range(2):
        with pytest.raises(LocalProtocolError):
            client.driver.send_request(method, path, headers)
        assert not client.conn.response_pending()
        client.prove_usable()
    client.close()
    server.finish()
    # Nothing but what proves it.
    assert server.received[0].count(b"\r\n\r\n") == 2


@pytest.mark.parametrize("octets", ["\r\n", " ", "\r", "\n", "\0", "/", "@", "?", "#"])
def test_host_name_that_smuggles(octets: str) -> None:
    for hostname in (f"a{octets}b", f"a{octets}", f"{octets}b"):
        with pytest.raises(LocalProtocolError):
            HTTPConnection(hostname)


def anew(client: Client) -> None:
    """Check that after `reset` the object works, with another connection."""
    client.conn.reset()
    client.prove_usable()
