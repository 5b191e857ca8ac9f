"""Content of requests: all of it arrives and nothing else, and what the server says meanwhile is never lost."""

from __future__ import annotations

import io
import random
import tempfile
from threading import Event
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pytest

from httpio import (
    POLLIN,
    POLLOUT,
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    ExcessBodyData,
    InvalidResponse,
    LocalProtocolError,
    PollNeeded,
    StateError,
    is_temp_network_error,
)
from tests.support.scripted import (
    accept,
    close,
    drain,
    expect,
    expect_chunks,
    expect_end,
    expect_head,
    half_close,
    reset,
    send,
    signal,
    wait,
)
from tests.support.select_loop import WAIT_LIMIT

from .client import PROOF, STARTS_ANEW

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Step

    from .client import Client, ClientFactory

    Way: TypeAlias = Callable[[Client, bytes], None]

#: More than fits into the buffers of a unix socket.
BODY = random.Random(3).randbytes(1_000_000)
#: More than fits into the buffers of a TCP connection whose other end has a small one.
LARGE = BODY * 8
SMALL_BUFFER = 65_536

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks"


# Ways to send content, after the head.


def whole(client: Client, body: bytes) -> None:
    assert client.driver.write(body) == len(body)


def in_pieces(client: Client, body: bytes) -> None:
    view = memoryview(body)
    for start in range(0, len(body), 70_001):
        client.driver.write(view[start : start + 70_001])


def what_fits(client: Client, body: bytes) -> None:
    view = memoryview(body)
    while view:
        written = client.driver.write(view, partial=True)
        if not written:
            wait_for_either_direction(client)
        view = view[written:]


def from_memory(client: Client, body: bytes) -> None:
    assert client.driver.sendfile(io.BytesIO(body)) == len(body)


def from_disk(client: Client, body: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.seek(0)
        assert client.driver.sendfile(file) == len(body)
        assert file.tell() == len(body)


def mixed(client: Client, body: bytes) -> None:
    from_memory(client, body[:100_000])
    what_fits(client, body[100_000:500_000])
    from_disk(client, body[500_000:-5])
    whole(client, body[-5:])


WAYS: dict[str, Way] = {
    "whole": whole,
    "pieces": in_pieces,
    "partial": what_fits,
    "memory": from_memory,
    "disk": from_disk,
    "mixed": mixed,
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
each_framing = pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])


def wait_for_either_direction(client: Client) -> None:
    assert PollNeeded(client.conn.fileno(), POLLIN | POLLOUT).poll(WAIT_LIMIT)


def following(body: bytes, chunked: bool) -> BodyFollowing:
    return BodyFollowing(None if chunked else len(body))


def upload(client: Client, way: Way, body: bytes = BODY, *, chunked: bool = False) -> None:
    """Send a request, and *body* in that way."""
    client.driver.send_request("PUT", "/up", None, following(body, chunked))
    way(client, body)
    if chunked:
        client.driver.finish_body()


def expect_upload(body: bytes = BODY, *, chunked: bool = False) -> list[Step]:
    """Return the steps that receive what `upload` sends."""
    return [expect_head(b"PUT /up "), expect_chunks(body) if chunked else expect(body)]


def expect_thanks(client: Client) -> None:
    response, content = client.receive()
    assert (response.method, response.path, response.status) == ("PUT", "/up", 200)
    assert content == b"thanks"


# All of it arrives


@pytest.mark.parametrize(
    ("way", "tls"),
    [pytest.param(way, False, id=name) for name, way in WAYS.items()]
    + [pytest.param(WAYS[name], True, id=f"{name}-tls") for name in ("partial", "mixed")],
)
@each_framing
def test_content_arrives(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    way: Way,
    chunked: bool,
    tls: bool,
) -> None:
    server = scripted_server(
        *expect_upload(chunked=chunked),
        send(OK),
        *PROOF,
        drain(),
        tls=certificates.server_context() if tls else None,
        unix=not tls,
    )
    client = make_client(server, tls=tls)
    upload(client, way, chunked=chunked)
    expect_thanks(client)
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_content_that_is_passed_along(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    tls: bool,
) -> None:
    bodies: list[ReadableBuffer] = [
        b"",
        b"x",
        BODY[:20_000],
        BODY,
        bytearray(b"abc"),
        memoryview(b"xabcx")[1:-1],
    ]
    steps: list[Step] = []
    for body in bodies:
        steps += [expect_head(b"PUT /up "), expect(bytes(body)), send(OK)]
    server = scripted_server(
        *steps, *PROOF, drain(), tls=certificates.server_context() if tls else None, unix=not tls
    )
    client = make_client(server, tls=tls)
    for body in bodies:
        client.driver.send_request("PUT", "/up", None, body)
        expect_thanks(client)
    client.prove_usable()
    client.close()


def test_uploads_before_their_responses(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    body = BODY[:1000]
    steps: list[Step] = []
    for number in range(6):
        steps += expect_upload(body, chunked=number % 2 == 1)
    client = make_client(scripted_server(*steps, send(OK * 6), *PROOF, drain(), unix=True))
    for number in range(6):
        upload(client, whole, body, chunked=number % 2 == 1)
    for _ in range(6):
        expect_thanks(client)
    client.prove_usable()
    client.close()


@each_framing
def test_partial_write_takes_what_fits_and_does_not_wait(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool
) -> None:
    full = Event()
    head, content = expect_upload(chunked=chunked)
    client = make_client(
        scripted_server(head, wait(full), content, send(OK), *PROOF, drain(), unix=True)
    )
    client.driver.send_request("PUT", "/up", None, following(BODY, chunked))
    assert client.driver.write(b"", partial=True) == 0
    written = 0
    while size := client.driver.write(BODY[written:], partial=True):
        written += size
    assert 0 < written < len(BODY)
    full.set()
    # What was announced as a chunk has to be passed again.
    client.driver.write(BODY[written:])
    if chunked:
        client.driver.finish_body()
    expect_thanks(client)
    client.prove_usable()
    client.close()


TRAILERS: list[tuple[dict[str, str] | list[tuple[str, str]] | None, bytes]] = [
    (None, b""),
    ({}, b""),
    ({"X-Sum": "1"}, b"X-Sum: 1\r\n"),
    ([("X", "1"), ("x", "é")], b"X: 1\r\nx: \xe9\r\n"),
]


def test_end_of_chunks(scripted_server: ServerFactory, make_client: ClientFactory) -> None:
    steps: list[Step] = []
    for _, lines in TRAILERS:
        for content in (b"", b"5\r\n12345\r\n"):
            wanted = content + b"0\r\n" + lines + b"\r\n"
            steps += [expect_head(b"PUT /up "), expect(wanted), send(OK)]
    client = make_client(scripted_server(*steps, *PROOF, drain(), unix=True))
    driver = client.driver
    for trailers, _ in TRAILERS:
        for content in (b"", b"12345"):
            driver.send_request("PUT", "/up", None, BodyFollowing())
            assert driver.write(content) == len(content)
            driver.finish_body(trailers)
            with pytest.raises(StateError):
                driver.finish_body()
            with pytest.raises(StateError):
                driver.write(b"x")
            expect_thanks(client)
    client.prove_usable()
    client.close()


# What the caller must not do


def test_more_than_was_announced(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(
        scripted_server(*expect_upload(b"1234567890"), send(OK), *PROOF, drain(), unix=True)
    )
    driver = client.driver
    driver.send_request("PUT", "/up", None, BodyFollowing(10))
    driver.write(b"1234")
    with tempfile.TemporaryFile() as file:
        file.write(b"1234567")
        file.seek(0)
        attempts: list[Callable[[], int]] = [
            lambda: driver.write(b"1234567"),
            lambda: driver.write(b"1234567", partial=True),
            lambda: driver.write(LARGE),
            lambda: driver.sendfile(io.BytesIO(b"1234567")),
            lambda: driver.sendfile(file),
        ]
        for attempt in attempts:
            with pytest.raises(ExcessBodyData):
                attempt()
        assert file.tell() == 0
    driver.write(b"567890")
    with pytest.raises(StateError):
        driver.write(b"x")
    expect_thanks(client)
    client.prove_usable()
    client.close()


def test_without_a_request(scripted_server: ServerFactory, make_client: ClientFactory) -> None:
    server = scripted_server(*PROOF, *PROOF, drain(), unix=True)
    client = make_client(server)
    driver = client.driver
    for _ in range(2):
        # Before there is a connection, and on one that is idle.
        for attempt in (
            lambda: driver.write(b"x"),
            lambda: driver.write(b"x", partial=True),
            lambda: driver.sendfile(io.BytesIO(b"x")),
            driver.finish_body,
            client.conn.proceed_without_continue,
            driver.read_response,
            client.conn.detach,
        ):
            with pytest.raises(StateError):
                attempt()
        assert driver.read(10) == driver.readall() == b""
        assert driver.readinto(bytearray(10)) == 0
        client.prove_usable()
    client.close()
    server.finish()
    assert server.received[0].count(b"\r\n\r\n") == 2


@each_framing
@pytest.mark.parametrize("begun", [False, True])
def test_in_the_middle_of_a_body(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool, begun: bool
) -> None:
    server = scripted_server(
        *expect_upload(b"12345", chunked=chunked), send(OK), *PROOF, drain(), unix=True
    )
    client = make_client(server)
    driver = client.driver
    driver.send_request("PUT", "/up", None, following(b"12345", chunked))
    if begun:
        driver.write(b"1")
    attempts: list[Callable[[], object]] = [
        lambda: driver.send_request("GET", "/"),
        lambda: driver.send_request("PUT", "/", None, BODY),
        driver.read_response,
        client.conn.proceed_without_continue,
        client.conn.detach,
    ]
    if not chunked:
        attempts += [driver.finish_body, lambda: driver.finish_body({"X": "y"})]
    for attempt in attempts:
        with pytest.raises(StateError):
            attempt()
    if chunked:
        for trailers in ({"X Y": "z"}, {"X": "a\r\nb"}, {"content-length": "1"}):
            with pytest.raises(LocalProtocolError):
                driver.finish_body(trailers)
    # As if nothing had happened.
    driver.write(b"2345" if begun else b"12345")
    if chunked:
        driver.finish_body()
    expect_thanks(client)
    client.prove_usable()
    client.close()


def test_body_of_no_length_is_complete_at_once(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(
        scripted_server(expect_head(b"PUT /up "), send(OK), *PROOF, drain(), unix=True)
    )
    driver = client.driver
    # There is nothing to ask the server for.
    driver.send_request("PUT", "/up", None, BodyFollowing(0), expect100=True)
    assert driver.write(b"") == driver.write(b"", partial=True) == 0
    assert driver.sendfile(io.BytesIO()) == 0
    for attempt in (lambda: driver.write(b"x"), driver.finish_body):
        with pytest.raises(StateError):
            attempt()
    expect_thanks(client)
    client.prove_usable()
    client.close()


# 100 (Continue), RFC 9110 §10.1.1

CONTINUES = {
    "plain": b"HTTP/1.1 100 Continue\r\n\r\n",
    "bare": b"HTTP/1.1 100\r\n\r\n",
    "fields": b"HTTP/1.1 100 \r\nX: y\r\n\r\n",
    "1.0": b"HTTP/1.0 100 Continue\r\n\r\n",
    "behind-103": b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    "twice": b"HTTP/1.1 100 Continue\r\n\r\n" * 2,
}
EXPECTING = expect_head(b"PUT /up ")


def expect_continue(client: Client, body: bytes, chunked: bool) -> None:
    """Send a request that waits for 100 (Continue)."""
    client.driver.send_request("PUT", "/up", None, following(body, chunked), expect100=True)
    assert client.conn.response_pending()


def finish_upload(client: Client, body: bytes, chunked: bool) -> None:
    whole(client, body)
    if chunked:
        client.driver.finish_body()


@pytest.mark.parametrize("answer", CONTINUES.values(), ids=CONTINUES)
@each_framing
def test_continue(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool, answer: bytes
) -> None:
    server = scripted_server(
        EXPECTING,
        send(answer),
        expect_chunks(BODY) if chunked else expect(BODY),
        send(OK),
        *PROOF,
        drain(),
        unix=True,
    )
    client = make_client(server)
    driver = client.driver
    expect_continue(client, BODY, chunked)
    response = driver.read_response()
    assert (response.status, response.length, response.method) == (100, 0, "PUT")
    assert driver.read(10) == b""
    assert client.conn.get_current_response() is None
    finish_upload(client, BODY, chunked)
    expect_thanks(client)
    client.prove_usable()
    client.close()
    assert b"\r\nExpect: 100-continue\r\n" in server.received[0]


@each_framing
def test_content_before_continue_is_refused(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool
) -> None:
    refused = Event()
    client = make_client(
        scripted_server(
            EXPECTING,
            wait(refused),
            send(CONTINUES["plain"]),
            expect_chunks(b"12345") if chunked else expect(b"12345"),
            send(OK),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    driver = client.driver
    expect_continue(client, b"12345", chunked)
    for attempt in (
        lambda: driver.write(b"12345"),
        lambda: driver.write(b"12345", partial=True),
        lambda: driver.sendfile(io.BytesIO(b"12345")),
        driver.finish_body,
        lambda: driver.send_request("GET", "/"),
    ):
        with pytest.raises(StateError, match="100 Continue"):
            attempt()
    refused.set()
    assert driver.read_response().status == 100
    finish_upload(client, b"12345", chunked)
    expect_thanks(client)
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("status", [b"403 Forbidden", b"417 Expectation Failed", b"200 OK"])
@each_framing
def test_final_response_instead_of_continue(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool, status: bytes
) -> None:
    client = make_client(
        scripted_server(
            EXPECTING,
            send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 3\r\n\r\nwhy"),
            # The server may or may not wait for the content: only a close makes it certain.
            expect_end(),
            accept(),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    driver = client.driver
    expect_continue(client, BODY, chunked)
    response = driver.read_response()
    assert response.status == int(status[:3])
    for attempt in (lambda: driver.write(b"12345"), lambda: driver.send_request("GET", "/")):
        with pytest.raises(StateError):
            attempt()
    assert driver.readall() == b"why"
    # Nobody has lost anything.
    client.prove_usable()
    client.close()


@pytest.mark.parametrize("late", ["never", "before", "after"])
@each_framing
def test_proceed_without_continue(
    scripted_server: ServerFactory, make_client: ClientFactory, chunked: bool, late: str
) -> None:
    said = Event()
    steps = [EXPECTING, *([send(CONTINUES["plain"])] if late == "before" else ()), signal(said)]
    steps.append(expect_chunks(BODY) if chunked else expect(BODY))
    if late == "after":
        steps.append(send(CONTINUES["plain"]))
    client = make_client(scripted_server(*steps, send(OK), *PROOF, drain(), unix=True))
    expect_continue(client, BODY, chunked)
    assert said.wait(WAIT_LIMIT)
    client.conn.proceed_without_continue()
    with pytest.raises(StateError):
        client.conn.proceed_without_continue()
    finish_upload(client, BODY, chunked)
    response, content = client.receive()
    assert (response.status, content) == (200, b"thanks")
    interim = [each.status for each in response.informational]
    assert interim == ([] if late == "never" else [100])
    client.prove_usable()
    client.close()


def test_expectation_behind_another_request(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(
        scripted_server(
            expect_head(b"GET /first "),
            EXPECTING,
            send(OK + CONTINUES["plain"]),
            expect(b"12345"),
            send(OK),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    client.ask("/first")
    expect_continue(client, b"12345", chunked=False)
    assert client.receive().response.path == "/first"
    assert client.driver.read_response().status == 100
    whole(client, b"12345")
    expect_thanks(client)
    client.prove_usable()
    client.close()


def test_close_instead_of_continue(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(scripted_server(EXPECTING, half_close(), *STARTS_ANEW, drain(), unix=True))
    expect_continue(client, b"12345", chunked=False)
    for attempt in (client.driver.read_response, lambda: client.driver.write(b"12345")):
        with pytest.raises(ConnectionClosed) as caught:
            attempt()
        assert caught.value.reason is CloseReason.SERVER_CLOSED
        assert caught.value.unanswered == (("PUT", "/up"),)
    client.expect_over(CloseReason.SERVER_CLOSED, [("PUT", "/up")])
    client.conn.reset()
    client.prove_usable()
    client.close()


# What the server says in the middle


class Answer(NamedTuple):
    """What the server says, and how the client is to see it."""

    status: int
    content: bytes
    data: bytes


ANSWERS = {
    "413": Answer(413, b"", b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
    "500-chunked": Answer(
        500,
        b"12345",
        b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\n12345\r\n0\r\n\r\n",
    ),
    "200-close": Answer(
        200, b"12345", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345"
    ),
    # Complete, while the connection takes nothing more.
    "200": Answer(200, b"12345", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"),
}
UPLOADS: dict[str, Callable[[Client], None]] = {
    "passed-along": lambda client: client.driver.send_request("PUT", "/up", None, LARGE),
    "whole": lambda client: upload(client, whole, LARGE),
    "partial": lambda client: upload(client, what_fits, LARGE),
    "disk": lambda client: upload(client, from_disk, LARGE),
    "chunked": lambda client: upload(client, whole, LARGE, chunked=True),
    "partial-chunked": lambda client: upload(client, what_fits, LARGE, chunked=True),
}
each_upload = pytest.mark.parametrize("send_all", UPLOADS.values(), ids=UPLOADS)


@each_upload
@pytest.mark.parametrize(
    ("answer", "closes", "tls"),
    [
        ("413", False, False),
        ("500-chunked", True, False),
        ("200-close", True, False),
        ("200", False, False),
        ("200-close", False, True),
    ],
)
def test_answer_of_a_server_that_reads_no_more(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    certificates: Certificates,
    send_all: Callable[[Client], None],
    answer: str,
    closes: bool,
    tls: bool,
) -> None:
    status, content, data = ANSWERS[answer]
    read = Event()
    server = scripted_server(
        EXPECTING,
        send(data),
        # With what was not read, that is a reset.
        *([close()] if closes else [wait(read), drain()]),
        accept(),
        *PROOF,
        drain(),
        tls=certificates.server_context() if tls else None,
        receive_buffer=SMALL_BUFFER,
    )
    client = make_client(server, tls=tls)
    with pytest.raises(EarlyResponse) as caught:
        send_all(client)
    assert str(status) in str(caught.value)
    assert caught.value.reason is CloseReason.EARLY_RESPONSE
    assert caught.value.unanswered == (("PUT", "/up"),)
    assert not is_temp_network_error(caught.value)
    assert client.conn.response_pending()
    response = client.driver.read_response()
    assert (response.method, response.path, response.status) == ("PUT", "/up", status)
    assert client.driver.readall() == content
    client.expect_refusals(CloseReason.EARLY_RESPONSE, [])
    assert not client.conn.response_pending()
    read.set()
    client.conn.reset()
    client.prove_usable()
    client.close()


def test_every_way_to_go_on_after_a_refusal(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    refused = Event()
    client = make_client(
        scripted_server(
            EXPECTING,
            expect(b"12345"),
            send(ANSWERS["413"].data),
            signal(refused),
            *STARTS_ANEW,
            drain(),
            unix=True,
        )
    )
    driver = client.driver
    driver.send_request("PUT", "/up", None, BodyFollowing(100))
    driver.write(b"12345")
    assert refused.wait(WAIT_LIMIT)
    for attempt in (
        lambda: driver.write(b"x"),
        lambda: driver.write(b"x", partial=True),
        lambda: driver.sendfile(io.BytesIO(b"x")),
        driver.finish_body,
    ):
        with pytest.raises(EarlyResponse):
            attempt()
    assert client.receive().response.status == 413
    client.expect_over(CloseReason.EARLY_RESPONSE, [])
    client.conn.reset()
    client.prove_usable()
    client.close()


@each_upload
@pytest.mark.parametrize(
    ("begun", "end"),
    [
        (b"", close),
        (b"", reset),
        (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 413 Too", half_close),
    ],
    ids=["close", "reset", "half-an-answer"],
)
def test_server_that_closes_without_an_answer(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    send_all: Callable[[Client], None],
    end: Callable[[], Step],
    begun: bytes,
) -> None:
    """Whatever it does, it is one exception."""
    client = make_client(
        scripted_server(
            EXPECTING, send(begun), end(), accept(), *PROOF, drain(), receive_buffer=SMALL_BUFFER
        )
    )
    with pytest.raises(ConnectionClosed) as caught:
        send_all(client)
    assert type(caught.value) is ConnectionClosed
    # What it was may depend on which of our sends or receives was told first.
    reason = caught.value.reason
    assert reason in {CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST}
    assert caught.value.unanswered == (("PUT", "/up"),)
    assert is_temp_network_error(caught.value)
    client.expect_over(reason, [("PUT", "/up")], is_uploading=True)
    client.conn.reset()
    client.prove_usable()
    client.close()


@each_upload
def test_nonsense_instead_of_an_answer(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    send_all: Callable[[Client], None],
) -> None:
    client = make_client(
        scripted_server(
            EXPECTING,
            send(b"What do you want?\r\n"),
            *STARTS_ANEW,
            drain(),
            receive_buffer=SMALL_BUFFER,
        )
    )
    with pytest.raises(InvalidResponse):
        send_all(client)
    client.expect_over(CloseReason.INVALID_RESPONSE, [("PUT", "/up")], is_uploading=True)
    client.conn.reset()
    client.prove_usable()
    client.close()


@each_way
@each_framing
def test_server_that_answers_while_it_reads(
    scripted_server: ServerFactory, make_client: ClientFactory, way: Way, chunked: bool
) -> None:
    """As one that streams what it makes of the content."""
    head, content = expect_upload(chunked=chunked)
    client = make_client(
        scripted_server(
            head,
            send(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 3),
            send(OK[:-3]),
            content,
            send(OK[-3:]),
            *PROOF,
            drain(),
            unix=True,
        )
    )
    upload(client, way, chunked=chunked)
    response, found = client.receive()
    assert (response.status, found) == (200, b"thanks")
    assert [each.status for each in response.informational] == [103] * 3
    client.prove_usable()
    client.close()


def test_success_that_is_read_before_the_upload_is_complete(
    scripted_server: ServerFactory, make_client: ClientFactory
) -> None:
    client = make_client(
        scripted_server(
            EXPECTING, expect(b"12345"), send(OK), expect(b"67890"), *PROOF, drain(), unix=True
        )
    )
    client.driver.send_request("PUT", "/up", None, BodyFollowing(10))
    client.driver.write(b"12345")
    assert PollNeeded(client.conn.fileno(), POLLIN).poll(WAIT_LIMIT)
    expect_thanks(client)
    assert not client.conn.response_pending()
    client.driver.write(b"67890")
    client.prove_usable()
    client.close()


@each_upload
def test_answers_to_an_upload_and_to_the_request_before(
    scripted_server: ServerFactory,
    make_client: ClientFactory,
    send_all: Callable[[Client], None],
) -> None:
    """The server answers both and goes: both answers can be had."""
    client = make_client(
        scripted_server(
            expect_head(b"GET /first "),
            EXPECTING,
            send(OK + ANSWERS["413"].data),
            close(),
            accept(),
            *PROOF,
            drain(),
            receive_buffer=SMALL_BUFFER,
        )
    )
    client.ask("/first")
    with pytest.raises(ConnectionClosed) as caught:
        send_all(client)
    assert caught.value.unanswered == (("GET", "/first"), ("PUT", "/up"))
    response, content = client.receive()
    assert (response.path, content) == ("/first", b"thanks")
    assert client.receive().response.status == 413
    client.expect_refusals(CloseReason.CONNECTION_LOST, [])
    client.conn.reset()
    client.prove_usable()
    client.close()
