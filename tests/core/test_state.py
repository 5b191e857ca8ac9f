"""The two half-machines: what each verb does to both of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio._encoders import RequestHead
from httpio._exceptions import CloseReason, ConnectionClosed, EarlyResponse, StateError
from httpio._request import Request
from httpio._state import Exchange, Receiving, Sending, State, as_unanswered

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


# Exchanges


def test_of_most_requests_there_is_nothing_to_say() -> None:
    found = Exchange("GET", "/a")
    assert (found.method, found.path, found.request) == ("GET", "/a", None)
    assert not found.asks_close
    assert not found.asks_upgrade
    assert not found.awaits_continue
    assert found.remaining == 0
    assert not found.content_follows
    assert found.final_status == 0
    assert found.informational == ()
    assert not found.spent
    assert found.failure is None


@pytest.mark.parametrize("length", [0, 5, None])
@pytest.mark.parametrize("asks", [False, True])
def test_a_head_says_more(length: int | None, asks: bool) -> None:
    head = RequestHead(b"", length, asks, asks, asks)
    found = Exchange("PUT", "/", head, asks)
    assert found.remaining == length
    assert found.content_follows is asks
    assert found.asks_close is asks
    assert found.asks_upgrade is asks
    assert found.awaits_continue is asks


def test_what_is_said_of_one_is_not_said_of_others() -> None:
    one, other = Exchange("GET", "/"), Exchange("GET", "/")
    one.final_status = 200
    one.spent = one.asks_close = True
    one.remaining = None
    one.failure = KeyError()
    assert other.final_status == 0
    assert not other.spent
    assert not other.asks_close
    assert other.remaining == 0
    assert other.failure is None


@pytest.mark.parametrize(("method", "repeatable"), [("GET", True), ("PUT", True), ("POST", False)])
def test_without_a_request_the_method_says_what_may_be_repeated(
    method: str, repeatable: bool
) -> None:
    found = Exchange(method, "/")
    assert found.repeatable is repeatable
    assert as_unanswered(found).repeatable is repeatable


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("spent", [False, True])
def test_a_request_says_what_may_be_repeated(method: str, idempotent: bool, spent: bool) -> None:
    request = Request(method, "/", idempotent=idempotent)
    found = Exchange(method, "/", request=request)
    found.spent = spent
    assert found.repeatable is (idempotent and not spent)
    assert as_unanswered(found).repeatable is (idempotent and not spent)
    assert as_unanswered(request).repeatable is idempotent


def test_what_is_unanswered_is_told_alike() -> None:
    request = Request("GET", "/a")
    for asked in (request, Exchange("GET", "/a", request=request)):
        unanswered = as_unanswered(asked)
        assert unanswered == ("GET", "/a")
        assert unanswered.request is request
    assert as_unanswered(Exchange("GET", "/a")).request is None


# Plain requests of a pipeline


def gets(count: int) -> list[Request]:
    return [Request("GET", f"/{number}") for number in range(count)]


def test_plain_requests_are_outstanding_as_they_are() -> None:
    state = State()
    requests = gets(3)
    state.requests_sent(requests[:2])
    state.requests_sent(iter(requests[2:]))
    assert [*state.outstanding] == requests
    assert halves(state) == (Sending.IDLE, Receiving.AWAITING_RESPONSE)
    assert state.uploading is None
    assert state.unanswered() == (("GET", "/0"), ("GET", "/1"), ("GET", "/2"))
    assert [each.request for each in state.unanswered()] == requests


def test_no_plain_requests() -> None:
    state = State()
    state.requests_sent([])
    assert halves(state) == (Sending.IDLE, Receiving.IDLE)


def test_plain_requests_and_others_keep_their_order() -> None:
    state = State()
    one, other = gets(2)
    state.requests_sent([one])
    sent(state, exchange("/between", method="PUT", length=5))
    state.requests_sent([other])
    assert state.unanswered() == (("GET", "/0"), ("PUT", "/between"), ("GET", "/1"))


def test_the_oldest_request_becomes_an_exchange_where_it_is() -> None:
    state = State()
    requests = gets(2)
    state.requests_sent(requests)
    oldest = state.oldest()
    assert isinstance(oldest, Exchange)
    assert oldest.request is requests[0]
    assert (oldest.method, oldest.path, oldest.final_status) == ("GET", "/0", 0)
    assert state.outstanding[0] is oldest
    assert state.outstanding[1] is requests[1]
    assert len(state.outstanding) == 2
    # What is noted in it stays.
    assert state.oldest() is oldest


def test_an_exchange_is_the_oldest_as_it_is() -> None:
    state = State()
    get = exchange("/a")
    sent(state, get)
    assert state.oldest() is get


def test_nothing_is_the_oldest_where_nothing_is_outstanding() -> None:
    assert State().oldest() is None


def test_plain_requests_are_answered_one_at_a_time() -> None:
    state = State()
    requests = gets(3)
    state.requests_sent(requests)
    for number, request in enumerate(requests):
        assert state.answered == number
        state.final_response_received(200, True)
        oldest = state.oldest()
        assert oldest is not None
        assert oldest.request is request
        assert oldest.final_status == 200
        state.content_started()
        state.response_complete()
    assert state.answered == 3
    assert receiving(state) is Receiving.IDLE


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_plain_requests_are_answered_many_at_once(count: int) -> None:
    state = State()
    requests = gets(3)
    state.requests_sent(requests)
    state.plain_responses_complete(count)
    assert state.answered == count
    assert [*state.outstanding] == requests[count:]
    assert halves(state)[0] is Sending.IDLE
    assert not state.receiving_closed
    assert not state.ended_as_announced


def test_answers_of_both_kinds_are_counted_together() -> None:
    state = State()
    state.requests_sent(gets(4))
    answered(state)
    state.plain_responses_complete(2)
    assert state.answered == 3
    answered(state)
    assert state.answered == 4


def test_exceptions_say_how_many_were_answered() -> None:
    state = State()
    state.requests_sent(gets(5))
    state.plain_responses_complete(3)
    state.close_because(CloseReason.SERVER_CLOSED)
    error = state.closed_error()
    assert error.answered == 3
    assert error.unanswered == (("GET", "/3"), ("GET", "/4"))
    assert "2 requests have no complete response" in str(error)


def test_an_early_answer_says_how_many_were_answered() -> None:
    state = State()
    state.requests_sent(gets(2))
    put = exchange("/up", method="PUT", length=5)
    state.request_started(put)
    state.plain_responses_complete(2)
    state.final_response_received(413, True)
    state.answered_early(put)
    assert state.early_response(put).answered == 2


# An end that nobody minds


def test_an_announced_close_ends_with_the_response_that_announced_it() -> None:
    state = State()
    state.requests_sent(gets(2))
    state.final_response_received(200, False)
    assert not state.ended_as_announced
    state.content_started()
    assert not state.ended_as_announced
    state.response_complete()
    assert state.ended_as_announced
    assert state.receiving_closed
    assert state.unanswered() == (("GET", "/1"),)


def test_a_close_that_was_asked_for_ends_with_its_response() -> None:
    state = State()
    sent(state, exchange("/a"), exchange("/b", asks_close=True))
    answered(state)
    assert not state.ended_as_announced
    answered(state)
    assert state.ended_as_announced


def test_an_early_answer_ends_with_its_response() -> None:
    state = State()
    put = exchange(length=5)
    state.request_started(put)
    state.final_response_received(413, True)
    state.answered_early(put)
    assert not state.ended_as_announced
    state.content_started()
    state.response_complete()
    assert state.ended_as_announced


def test_an_early_answer_that_was_read_before_has_ended() -> None:
    state = State()
    put = exchange(length=5)
    state.request_started(put)
    answered(state, 200)
    assert not state.ended_as_announced
    state.answered_early(put)
    assert state.ended_as_announced


@pytest.mark.parametrize("reason", list(CloseReason))
def test_a_connection_that_closes_in_any_other_way_has_not_ended_as_announced(
    reason: CloseReason,
) -> None:
    state = State()
    state.requests_sent(gets(2))
    state.plain_responses_complete(1)
    state.close_because(reason)
    assert state.receiving_closed
    assert not state.ended_as_announced


def test_an_announced_close_that_comes_too_early_is_none() -> None:
    # In the content of the very response that announced it.
    state = State()
    state.requests_sent(gets(1))
    state.final_response_received(200, False)
    state.content_started()
    state.close_because(CloseReason.SERVER_CLOSED)
    assert not state.ended_as_announced
    assert state.close_reason is CloseReason.SERVER_CLOSED
