"""The rules by which requests are sent again, each by itself."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio import HTTPResponse, Pipelining
from httpio._replay import MAX_BACKOFF, RETRY_STATUSES, Peer, pause_before, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def proven() -> Peer:
    peer = Peer()
    peer.persists()
    return peer


# A function, because a type checker takes an attribute not to have changed.


def known(peer: Peer) -> Pipelining:
    return peer.pipelining


# What is known of a server


def test_at_first_nothing_is_known_of_a_server() -> None:
    assert Peer().pipelining is Pipelining.UNPROVEN


def test_a_server_that_persists_is_pipelined_to() -> None:
    peer = proven()
    assert known(peer) is Pipelining.PROVEN
    peer.persists()
    assert known(peer) is Pipelining.PROVEN


# RFC 9112 §9.3.2
@pytest.mark.parametrize("in_flight", [0, 1, 2, 50])
def test_after_a_break_the_server_has_to_prove_itself_again(in_flight: int) -> None:
    peer = proven()
    peer.broke(in_flight)
    assert known(peer) is Pipelining.UNPROVEN
    peer.persists()
    assert known(peer) is Pipelining.PROVEN


def test_two_breaks_with_several_requests_under_way_are_too_many() -> None:
    peer = proven()
    peer.broke(2)
    peer.persists()
    peer.broke(2)
    assert known(peer) is Pipelining.GIVEN_UP


@pytest.mark.parametrize("in_flight", [0, 1])
def test_breaks_that_cannot_be_due_to_pipelining_do_not_count(in_flight: int) -> None:
    peer = proven()
    for _ in range(10):
        peer.broke(in_flight)
    peer.broke(2)
    assert known(peer) is Pipelining.UNPROVEN
    for _ in range(10):
        peer.broke(in_flight)
    assert known(peer) is Pipelining.UNPROVEN


def test_a_good_connection_between_two_breaks_excuses_none() -> None:
    peer = proven()
    peer.broke(5)
    for _ in range(100):
        peer.persists()
        peer.closed_as_announced(10)
    peer.broke(5)
    assert known(peer) is Pipelining.GIVEN_UP


EVENTS: dict[str, Callable[[Peer], None]] = {
    "persists": Peer.persists,
    "breaks idle": lambda peer: peer.broke(0),
    "breaks with one": lambda peer: peer.broke(1),
    "breaks with many": lambda peer: peer.broke(7),
    "closes at once": lambda peer: peer.closed_as_announced(0),
    "closes in the end": lambda peer: peer.closed_as_announced(100),
}


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_given_up_stays_so(event: str) -> None:
    peer = proven()
    peer.broke(2)
    peer.broke(2)
    EVENTS[event](peer)
    assert known(peer) is Pipelining.GIVEN_UP
    peer.persists()
    assert known(peer) is Pipelining.GIVEN_UP


@pytest.mark.parametrize("answered", [2, 3, 1000])
def test_an_announced_close_after_several_responses_changes_nothing(answered: int) -> None:
    peer = proven()
    peer.closed_as_announced(answered)
    assert known(peer) is Pipelining.PROVEN


@pytest.mark.parametrize("answered", [0, 1])
def test_where_no_connection_lasts_nothing_is_sent_behind_the_first_request(answered: int) -> None:
    peer = proven()
    peer.closed_as_announced(answered)
    assert known(peer) is Pipelining.UNPROVEN


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_an_announced_close_proves_nothing(answered: int) -> None:
    peer = Peer()
    peer.closed_as_announced(answered)
    assert known(peer) is Pipelining.UNPROVEN


# How many requests may be under way


@pytest.mark.parametrize("answered", [0, 1, 100])
@pytest.mark.parametrize("depth", [1, 2, 1000])
def test_what_is_not_proven_gets_one_at_a_time(answered: int, depth: int) -> None:
    assert Peer().window(depth, answered) == 1
    peer = proven()
    peer.broke(1)
    assert peer.window(depth, answered) == 1
    peer.persists()
    peer.broke(2)
    peer.broke(2)
    assert known(peer) is Pipelining.GIVEN_UP
    assert peer.window(depth, answered) == 1


@pytest.mark.parametrize("answered", [0, 1, 100])
@pytest.mark.parametrize("depth", [1, 2, 1000])
def test_a_server_that_never_closed_gets_all(answered: int, depth: int) -> None:
    # Also before the first response is complete: its head has proven it, or another connection.
    assert proven().window(depth, answered) == depth


@pytest.mark.parametrize("depth", [1, 7, 1000])
def test_nothing_is_sent_behind_what_was_the_last_response_before(depth: int) -> None:
    peer = proven()
    peer.closed_as_announced(100)
    for answered in range(100):
        window = peer.window(depth, answered)
        assert window == min(depth, 100 - answered)
    # It has not closed there, or one more shows that it does.
    assert peer.window(depth, 100) == 1
    assert peer.window(depth, 101) == depth
    assert peer.window(depth, 5000) == depth


def test_the_last_close_counts() -> None:
    peer = proven()
    peer.closed_as_announced(100)
    peer.closed_as_announced(10)
    assert peer.window(1000, 0) == 10
    peer.closed_as_announced(500)
    assert peer.window(1000, 0) == 500


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_window_is_never_closed_nor_wider_than_wanted(
    depth: int, answered: int, closed_after: int
) -> None:
    peer = proven()
    peer.closed_as_announced(closed_after)
    peer.persists()
    assert 1 <= peer.window(depth, answered) <= depth


def test_each_server_is_known_by_itself() -> None:
    proven().broke(2)
    proven().broke(2)
    peer = proven()
    peer.broke(2)
    assert known(peer) is Pipelining.UNPROVEN


def test_what_is_known_is_said_in_words() -> None:
    assert len({pipelining.value for pipelining in Pipelining}) == 3


# Pauses


@pytest.mark.parametrize("attempt", [0, 1])
@pytest.mark.parametrize("backoff", [0.1, 1000.0])
def test_the_first_repetition_comes_at_once(attempt: int, backoff: float) -> None:
    assert pause_before(attempt, backoff) == 0


@pytest.mark.parametrize("attempt", [1, 2, 3, 10**9])
@pytest.mark.parametrize("backoff", [0.0, -1.0, float("-inf")])
def test_without_backoff_there_is_no_pause(attempt: int, backoff: float) -> None:
    assert pause_before(attempt, backoff) == 0


@pytest.mark.parametrize(
    ("attempt", "longest"), [(2, 0.1), (3, 0.2), (4, 0.4), (5, 0.8), (9, 12.8), (10, 25.6)]
)
def test_each_pause_is_twice_as_long_at_most(attempt: int, longest: float) -> None:
    pauses = [pause_before(attempt, 0.1) for _ in range(200)]
    assert min(pauses) >= longest / 2 * 0.999
    assert max(pauses) <= longest * 1.001
    # Clients that were lost together do not come back together.
    assert len(set(pauses)) > 100


@given(st.integers(2), st.floats(min_value=0, exclude_min=True))
def test_no_pause_is_longer_than_the_longest(attempt: int, backoff: float) -> None:
    assert 0 <= pause_before(attempt, backoff) <= MAX_BACKOFF


@pytest.mark.parametrize("attempt", [11, 40, 2000, 10**30])
def test_in_the_end_the_pause_is_about_the_longest(attempt: int) -> None:
    assert MAX_BACKOFF / 2 <= pause_before(attempt, 0.1) <= MAX_BACKOFF


# When to come again


def response(*values: bytes) -> HTTPResponse:
    lines = b"".join(b"Retry-After: %b\r\n" % value for value in values)
    return HTTPResponse("GET", "/", 503, b"Busy\r\n" + lines)


@pytest.fixture(name="_zone", params=["UTC0", "EAST-5", "WEST+7"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def test_the_statuses_with_which_a_server_may_ask_for_patience() -> None:
    assert frozenset((429, 503)) == RETRY_STATUSES


def test_a_server_need_not_say_when_to_come_again() -> None:
    assert retry_after(response()) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"1", 1.0),
        (b"120", 120.0),
        (b" 5\t", 5.0),
        (b"007", 7.0),
        (b"0" * 30 + b"5", 5.0),
        (b"999999999999999999", 999999999999999999.0),
    ],
)
def test_a_number_of_seconds(value: bytes, seconds: float) -> None:
    assert retry_after(response(value)) == seconds


@pytest.mark.parametrize("digits", [19, 400, 5000, 60_000])
def test_a_number_of_any_size_is_a_long_time(digits: int) -> None:
    found = retry_after(response(b"9" * digits))
    assert found is not None
    assert found > 1e17


# RFC 9110 §5.6.7: a recipient has to accept all three.
DATE_FORMATS = {
    "IMF-fixdate": "%a, %d %b %Y %H:%M:%S GMT",
    "rfc850-date": "%A, %d-%b-%y %H:%M:%S GMT",
    "asctime-date": "%a %b %e %H:%M:%S %Y",
}


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("form", DATE_FORMATS)
@pytest.mark.parametrize("ahead", [1000, 100_000])
def test_a_date_is_gmt_in_each_of_its_forms(form: str, ahead: int) -> None:
    before = time.time()
    date = time.strftime(DATE_FORMATS[form], time.gmtime(before + ahead))
    found = retry_after(response(date.encode()))
    assert found is not None
    # Dates have whole seconds, and some time has passed meanwhile.
    assert before + ahead - 1 - time.time() <= found <= ahead


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("form", DATE_FORMATS)
def test_a_date_that_has_passed_means_now(form: str) -> None:
    date = time.strftime(DATE_FORMATS[form], time.gmtime(time.time() - 10))
    assert retry_after(response(date.encode())) == 0.0


def test_the_first_of_several_counts() -> None:
    assert retry_after(response(b"3", b"500")) == 3.0


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"soon",
        b"-5",
        b"+5",
        b"1.5",
        b"5 seconds",
        b"1_000",
        b"\xb2",  # a digit, and no number
        b"Thu, 32 Foo 2026 25:61:61 +9999",
        b"Thu, 01 Jan 99999 00:00:00 GMT",
        b"Thu, 01 Jan 2030",
        b"=?utf-8?q?5?=",
        b",",
        b"Mon",
        b"Mon,",
        b"1 2 3 4 5 6 7",
    ],
)
def test_nonsense_says_nothing(value: bytes) -> None:
    found = retry_after(response(value))
    # What the library takes "Thu, 01 Jan 2030" for is its own affair.
    assert found is None or value == b"Thu, 01 Jan 2030"


def test_a_year_beyond_all_clocks() -> None:
    found = retry_after(response(b"Fri, 31 Dec 9999 23:59:59 GMT"))
    assert found is None or found > 1e9


DATE_PIECES = st.sampled_from(
    ["Mon, ", "Sun", "06", " ", "Nov", "-", "94", "1994", "08:49:37", ":", ".", ",", "GMT", "+0000",
     "-9999", "0", "12", "am", "(", ")", "\xa0", "99999999999999999999"]
)  # fmt: skip


@given(
    st.lists(DATE_PIECES, max_size=12).map("".join)
    | st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0"), max_size=40)
    | st.integers(-(10**12), 10**12).map(str)
    | st.floats(0, 4e9).map(lambda seconds: formatdate(seconds, usegmt=True))
)
def test_whatever_it_says_is_a_time_or_nothing(value: str) -> None:
    found = retry_after(response(value.encode("latin-1")))
    assert found is None or found >= 0
