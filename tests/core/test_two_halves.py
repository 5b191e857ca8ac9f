"""The two halves of a connection at once, and coroutines that get into each other's way."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    EarlyResponse,
    HTTPConnection,
    StateError,
    run,
)

if TYPE_CHECKING:
    from types import FrameType

from tests.support.dialogue import OK, Dialogue, over_tcp, plain, sized  # noqa: F401  # fixtures

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"


def start_upload(dialogue: Dialogue, size: int) -> HTTPConnection:
    """Send a request for content of *size* bytes."""
    conn = dialogue.conn
    dialogue.run(conn.co_send_request("POST", "/a", body=BodyFollowing(size)))
    return conn


def test_the_answer_is_left_to_the_half_that_waits_for_it(plain: Dialogue) -> None:  # noqa: F811
    conn = start_upload(plain, 100)
    plain.end.send(b"HTTP/1.1 ")
    receiving = conn.co_read_response()
    needed = next(receiving)
    plain.end.send(REFUSAL.removeprefix(b"HTTP/1.1 "))
    # The sender looks for an answer here. Were it to take this one, the receiver would not be woken.
    assert conn.write(b"x") == 1
    assert needed.poll(0)
    with pytest.raises(StopIteration) as stopped:
        next(receiving)
    assert stopped.value.value.status == 413
    with pytest.raises(EarlyResponse):
        conn.write(b"x")
    assert conn.readall() == b"no"


def test_an_upload_that_stalls_is_woken_when_the_answer_is_complete(
    plain: Dialogue,  # noqa: F811
) -> None:
    conn = start_upload(plain, 2**24)
    write = conn.co_write(bytes(2**24))
    next(write)
    plain.end.send(OK + b"Content-Length: 2\r\n\r\n")
    assert conn.read_response().status == 200
    needed = next(write)
    assert not needed.poll(0), "the server may still read"
    plain.end.send(b"hi")
    assert conn.readall() == b"hi"
    assert needed.poll(0)
    with pytest.raises(EarlyResponse) as caught:
        next(write)
    assert caught.value.unanswered == ()
    conn.reset()
    plain.prove_usable()


def test_after_a_refusal_was_read_nothing_more_is_to_be_written(
    plain: Dialogue,  # noqa: F811
) -> None:
    conn = start_upload(plain, 100)
    conn.write(b"x")
    plain.end.send(REFUSAL)
    assert conn.read_response().status == 413
    assert conn.readall() == b"no"
    for attempt in (lambda: conn.send_request("GET", "/b"), conn.read_response):
        with pytest.raises(ConnectionClosed, match="reset") as caught:
            attempt()
        assert caught.value.reason is CloseReason.EARLY_RESPONSE
    conn.reset()
    plain.prove_usable()


def test_two_that_read_at_once_do_not_complete_each_others_response(
    plain: Dialogue,  # noqa: F811
) -> None:
    conn = plain.conn
    plain.ask("/a", "/b")
    plain.answer(OK + b"Content-Length: 2\r\n\r\n")
    first, second = conn.co_read(10), conn.co_read(10)
    next(first)
    next(second)
    plain.end.send(b"aa" + sized(b"bb"))
    with pytest.raises(StopIteration) as stopped:
        next(first)
    assert stopped.value.value == b"aa"
    assert conn.read_response().path == "/b"
    with pytest.raises(StateError, match="another"):
        next(second)
    assert conn.readall() == b"bb"
    plain.prove_usable()


def test_content_before_its_head(plain: Dialogue) -> None:  # noqa: F811
    conn = plain.conn
    assert conn.read() == b"", "nothing was asked for"
    plain.ask()
    for attempt in (conn.readall, lambda: conn.read(1), lambda: conn.readinto(bytearray(1))):
        with pytest.raises(StateError, match="read_response"):
            attempt()
    plain.answer(sized(b"x"))
    assert conn.readall() == b"x"
    plain.prove_usable()


def test_a_size_that_is_no_integer_loses_nothing(plain: Dialogue) -> None:  # noqa: F811
    conn = plain.conn
    plain.get(sized(b"0123456789"))
    with pytest.raises(TypeError):
        conn.read(2.0)  # type: ignore[arg-type]  # that is the point
    assert conn.read(3) == b"012"
    assert conn.readall() == b"3456789"


def test_a_tracer_that_fails_loses_nothing(
    plain: Dialogue,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Failing:
        calls = 0

        def sent(self, data: bytes | bytearray | memoryview) -> None:
            pass

        def received(self, data: memoryview) -> None:
            self.calls += 1
            raise RuntimeError("cannot keep up")

        def event(self, name: str, detail: str) -> None:
            pass

    tracer = Failing()
    conn = plain.server.connection(tracer=tracer)
    plain.run(conn.co_send_request("GET", "/"))
    plain.end.send(sized(b"whole"))
    assert conn.read_response().status == 200
    assert conn.readall() == b"whole"
    assert tracer.calls == 1
    assert "cannot keep up" in capsys.readouterr().err
    conn.close()


def test_close_while_connecting(over_tcp: Dialogue) -> None:  # noqa: F811
    # A name is looked up in a thread, which is waited for.
    conn = HTTPConnection("localhost", over_tcp.server.port)
    connecting = conn.co_send_request("GET", "/")
    next(connecting)
    conn.close()
    with pytest.raises(ConnectionClosed) as caught:
        run(connecting)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    assert conn.closed


def test_an_interrupt_leaves_no_coroutine_half_way(plain: Dialogue) -> None:  # noqa: F811
    class Interrupt(Exception):
        pass

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    conn = start_upload(plain, 2**24)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupt) as caught:
            conn.write(bytes(2**24))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught.value.__traceback__ is not None, "which keeps what was under way"
    with pytest.raises(ConnectionClosed) as closed:
        conn.write(b"x")
    assert closed.value.reason is CloseReason.SEND_ABORTED
    conn.reset()
    plain.prove_usable()
