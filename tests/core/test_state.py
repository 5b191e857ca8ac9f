"""The two half-machines: what each verb does to both of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio._encoders import RequestHead
from httpio._exceptions import CloseReason, ConnectionClosed, EarlyResponse, StateError
from httpio._state import Exchange, Receiving, Sending, State

if TYPE_CHECKING:
    from collections.abc import Callable


def exchange(
    path: str = "/",
    *,
    method: str = "GET",
    length: int | None = 0,
    asks_close: bool = False,
    asks_upgrade: bool = False,
    expects_continue: bool = False,
) -> Exchange:
    head = RequestHead(b"", length, asks_close, asks_upgrade, expects_continue)
    return Exchange(method, path, head, length != 0)


# Functions, because a type checker takes an attribute not to have changed.


def sending(state: State) -> Sending:
    return state.sending


def receiving(state: State) -> Receiving:
    return state.receiving


def halves(state: State) -> tuple[Sending, Receiving]:
    return state.sending, state.receiving


def started(state: State, *exchanges: Exchange) -> None:
    for each in exchanges:
        state.request_started(each)


def sent(state: State, *exchanges: Exchange) -> None:
    for each in exchanges:
        state.request_started(each)
        state.request_sent(each)


def answered(state: State, status: int = 200, *, persists: bool = True) -> None:
    state.final_response_received(status, persists)
    state.content_started()
    state.response_complete()


def test_at_first() -> None:
    state = State()
    assert halves(state) == (Sending.IDLE, Receiving.IDLE)
    assert not state.in_body
    assert state.close_reason is None
    assert state.unanswered() == ()


def test_request_without_content() -> None:
    state = State()
    get = exchange("/a")
    state.request_started(get)
    assert halves(state) == (Sending.IDLE, Receiving.AWAITING_RESPONSE)
    state.request_sent(get)
    assert halves(state) == (Sending.IDLE, Receiving.AWAITING_RESPONSE)
    assert state.unanswered() == (("GET", "/a"),)
    state.final_response_received(200, True)
    assert get.final_status == 200
    assert receiving(state) is Receiving.AWAITING_RESPONSE
    state.content_started()
    assert receiving(state) is Receiving.READING_BODY
    assert state.in_body
    assert state.unanswered() == (("GET", "/a"),)
    state.response_complete()
    assert halves(state) == (Sending.IDLE, Receiving.IDLE)
    assert not state.in_body
    assert state.unanswered() == ()


@pytest.mark.parametrize("length", [5, None])
def test_content(length: int | None) -> None:
    state = State()
    put = exchange(method="PUT", length=length)
    state.request_started(put)
    assert halves(state) == (Sending.SENDING_BODY, Receiving.AWAITING_RESPONSE)
    assert state.uploading is put
    assert put.remaining == length
    state.request_sent(put)
    assert sending(state) is Sending.IDLE
    assert state.uploading is None


def test_pipeline_is_answered_in_order() -> None:
    state = State()
    paths = ["/a", "/b", "/c"]
    exchanges = [exchange(path) for path in paths]
    sent(state, *exchanges)
    for count, each in enumerate(exchanges):
        assert state.unanswered() == tuple(("GET", path) for path in paths[count:])
        assert state.outstanding[0] is each
        answered(state, 200 + count)
        assert each.final_status == 200 + count
    assert receiving(state) is Receiving.IDLE


def test_expectation_met() -> None:
    state = State()
    put = exchange(method="PUT", length=5, expects_continue=True)
    state.request_started(put)
    assert halves(state) == (
        Sending.AWAITING_CONTINUE,
        Receiving.AWAITING_RESPONSE,
    )
    state.continue_received()
    assert halves(state) == (Sending.SENDING_BODY, Receiving.AWAITING_RESPONSE)
    assert not put.awaits_continue
    state.request_sent(put)
    answered(state)
    assert halves(state) == (Sending.IDLE, Receiving.IDLE)


def test_expectation_answered_for_good() -> None:
    state = State()
    put = exchange(method="PUT", length=5, expects_continue=True)
    state.request_started(put)
    state.final_response_received(403, True)
    assert halves(state) == (Sending.CLOSED, Receiving.AWAITING_RESPONSE)
    assert state.close_reason is CloseReason.CONTENT_NOT_WANTED
    assert state.uploading is None
    assert not state.reopens
    state.content_started()
    state.response_complete()
    assert receiving(state) is Receiving.CLOSED
    # Nobody has lost anything.
    assert state.reopens


def test_request_that_stalls_keeps_others_waiting() -> None:
    state = State()
    get = exchange("/a")
    state.request_started(get)
    state.request_stalled(get)
    assert sending(state) is Sending.SENDING_BODY
    error = state.refuse_request()
    assert isinstance(error, StateError)
    assert "GET /a is still being sent" in str(error)
    state.request_sent(get)
    assert sending(state) is Sending.IDLE


@pytest.mark.parametrize("stalled", [False, True])
@pytest.mark.parametrize("length", [0, 5, None])
def test_withdrawal(length: int | None, stalled: bool) -> None:
    state = State()
    sent(state, exchange("/a"))
    last = exchange("/b", length=length)
    state.request_started(last)
    if stalled:
        state.request_stalled(last)
    state.request_withdrawn(last)
    assert sending(state) is Sending.IDLE
    assert state.uploading is None
    assert state.unanswered() == (("GET", "/a"),)


def test_withdrawal_of_what_was_answered_meanwhile() -> None:
    state = State()
    get = exchange("/a")
    state.request_started(get)
    answered(state)
    state.request_withdrawn(get)
    assert halves(state) == (Sending.IDLE, Receiving.IDLE)


def _request_started(state: State, last: Exchange) -> None:
    state.close_because(CloseReason.CLOSED_LOCALLY)
    state.request_started(last)


def _request_stalled(state: State, last: Exchange) -> None:
    state.close_because(CloseReason.CLOSED_LOCALLY)
    state.request_stalled(last)


def _request_sent(state: State, last: Exchange) -> None:
    state.request_started(last)
    state.close_because(CloseReason.CLOSED_LOCALLY)
    state.request_sent(last)


def _request_withdrawn(state: State, last: Exchange) -> None:
    state.request_started(last)
    state.close_because(CloseReason.CLOSED_LOCALLY)
    state.request_withdrawn(last)


def _continue_received(state: State, last: Exchange) -> None:
    state.request_started(last)
    state.close_because(CloseReason.CLOSED_LOCALLY)
    state.continue_received()


@pytest.mark.parametrize(
    "verb",
    [_request_started, _request_stalled, _request_sent, _request_withdrawn, _continue_received],
)
@pytest.mark.parametrize("expects_continue", [False, True])
def test_what_the_other_half_closes_stays_closed(
    verb: Callable[[State, Exchange], None], expects_continue: bool
) -> None:
    state = State()
    verb(state, exchange(length=5, expects_continue=expects_continue))
    assert sending(state) is Sending.CLOSED
    assert state.close_reason is CloseReason.CLOSED_LOCALLY


def test_server_announces_close() -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b"))
    state.final_response_received(200, False)
    assert halves(state) == (Sending.CLOSED, Receiving.AWAITING_RESPONSE)
    assert state.close_reason is CloseReason.SERVER_ANNOUNCED_CLOSE
    state.content_started()
    state.response_complete()
    # RFC 9112 §9.6: nothing that comes behind it is believed.
    assert receiving(state) is Receiving.CLOSED
    assert not state.reopens
    error = state.closed_error()
    assert error.unanswered == (("GET", "/b"),)
    assert "1 request has no complete response" in str(error)
    assert "reset()" in str(error)


def test_client_asks_for_close() -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b", asks_close=True))
    assert sending(state) is Sending.CLOSED
    assert state.close_reason is CloseReason.CLOSE_REQUESTED
    answered(state)
    assert receiving(state) is Receiving.AWAITING_RESPONSE
    assert not state.reopens
    answered(state)
    assert receiving(state) is Receiving.CLOSED
    assert state.reopens


def test_server_announces_close_before_the_client_wants_it() -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b", asks_close=True))
    answered(state, persists=False)
    assert receiving(state) is Receiving.CLOSED
    assert state.close_reason is CloseReason.SERVER_ANNOUNCED_CLOSE
    assert not state.reopens


@pytest.mark.parametrize("lost", [CloseReason.CONNECTION_LOST, CloseReason.SEND_ABORTED])
def test_failed_send_leaves_the_answers_that_were_on_their_way(lost: CloseReason) -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b"))
    state.close_sending(lost)
    answered(state)
    assert receiving(state) is Receiving.AWAITING_RESPONSE
    # ... up to the one after which the server closes.
    answered(state, persists=False)
    assert receiving(state) is Receiving.CLOSED
    assert state.close_reason is lost


@pytest.mark.parametrize("first", [CloseReason.CLOSED_LOCALLY, CloseReason.SERVER_CLOSED])
def test_first_reason_counts(first: CloseReason) -> None:
    state = State()
    sent(state, exchange())
    state.close_because(first)
    state.close_because(CloseReason.CONNECTION_LOST)
    state.close_sending(CloseReason.CONNECTION_LOST)
    assert state.close_reason is first


def _close_requested(state: State) -> None:
    sent(state, exchange(asks_close=True))


def _close_announced(state: State) -> None:
    sent(state, exchange())
    state.final_response_received(200, False)


def _content_not_wanted(state: State) -> None:
    started(state, exchange(length=5, expects_continue=True))
    state.final_response_received(403, True)


def _answered_early(state: State) -> None:
    put = exchange(length=5)
    started(state, put)
    state.final_response_received(403, True)
    state.answered_early(put)


@pytest.mark.parametrize(
    "leave_answers", [_close_requested, _close_announced, _content_not_wanted, _answered_early]
)
def test_answer_that_never_comes_whole_is_lost_for_another_reason(
    leave_answers: Callable[[State], None],
) -> None:
    state = State()
    leave_answers(state)
    assert receiving(state) is Receiving.AWAITING_RESPONSE
    state.close_because(CloseReason.SERVER_CLOSED)
    assert state.close_reason is CloseReason.SERVER_CLOSED
    assert receiving(state) is Receiving.CLOSED
    # Otherwise the next request would be sent as if nothing had been lost.
    assert not state.reopens


def test_early_answer() -> None:
    state = State()
    put = exchange("/up", method="PUT", length=5)
    state.request_started(put)
    state.final_response_received(413, True)
    assert sending(state) is Sending.SENDING_BODY
    state.answered_early(put)
    assert halves(state) == (Sending.CLOSED, Receiving.AWAITING_RESPONSE)
    error = state.early_response(put)
    assert isinstance(error, EarlyResponse)
    assert error.reason is CloseReason.EARLY_RESPONSE
    assert error.unanswered == (("PUT", "/up"),)
    assert "PUT /up with status 413" in str(error)
    assert "read_response()" in str(error)
    state.content_started()
    state.response_complete()
    assert receiving(state) is Receiving.CLOSED
    assert not state.reopens
    assert state.early_response(put).unanswered == ()


def test_early_answer_that_was_read_before_the_sender_knew() -> None:
    state = State()
    put = exchange(length=5)
    state.request_started(put)
    answered(state, 413)
    state.answered_early(put)
    assert receiving(state) is Receiving.CLOSED


@pytest.mark.parametrize(
    ("status", "persists", "asks_close", "wakes"),
    [
        (200, True, False, False),
        (299, True, False, False),
        (300, True, False, True),
        (413, True, False, True),
        (500, True, False, True),
        (200, False, False, True),
        (200, True, True, True),
    ],
)
def test_answer_that_ends_an_upload_wakes_the_sender(
    status: int, persists: bool, asks_close: bool, wakes: bool
) -> None:
    state = State()
    woken: list[bool] = []
    state.request_started(exchange(length=5, asks_close=asks_close))
    state.wake_sender = lambda: woken.append(True)
    state.final_response_received(status, persists)
    assert bool(woken) is wakes


def test_answer_to_another_request_does_not_wake_the_sender() -> None:
    state = State()
    woken: list[bool] = []
    sent(state, exchange())
    state.request_started(exchange(length=5))
    state.wake_sender = lambda: woken.append(True)
    state.final_response_received(500, True)
    assert not woken


def test_nobody_to_wake() -> None:
    state = State()
    state.request_started(exchange(length=5))
    state.final_response_received(500, False)
    assert sending(state) is Sending.CLOSED


def test_switched_protocols_and_detached() -> None:
    state = State()
    sent(state, exchange(asks_upgrade=True))
    state.final_response_received(101, False)
    state.switched_protocols()
    assert halves(state) == (Sending.CLOSED, Receiving.CLOSED)
    assert state.close_reason is CloseReason.SWITCHED_PROTOCOLS
    assert state.unanswered() == ()
    assert not state.reopens
    state.detached()
    # Compared by name: to mypy the reason is still what it was before.
    assert state.close_reason.name == "DETACHED"
    assert state.reopens


@pytest.mark.parametrize("reason", list(CloseReason))
def test_closed_error(reason: CloseReason) -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b"))
    state.close_because(reason)
    error = state.closed_error()
    assert type(error) is ConnectionClosed
    assert error.reason is reason
    assert error.unanswered == (("GET", "/a"), ("GET", "/b"))
    assert reason.value in str(error)
    assert "2 requests have no complete response" in str(error)
    assert ("reset()" in str(error)) is not state.reopens
    assert "because of this" in str(state.closed_error("because of this"))


@pytest.mark.parametrize(
    ("length", "expects_continue", "says"),
    [
        (5, False, "write() 5 more bytes"),
        (None, False, "finish_body()"),
        (5, True, "proceed_without_continue()"),
        (None, True, "proceed_without_continue()"),
    ],
)
def test_refused_request_names_the_way_out(
    length: int | None, expects_continue: bool, says: str
) -> None:
    state = State()
    state.request_started(
        exchange("/up", method="PUT", length=length, expects_continue=expects_continue)
    )
    error = state.refuse_request()
    assert "PUT /up" in str(error)
    assert says in str(error)
