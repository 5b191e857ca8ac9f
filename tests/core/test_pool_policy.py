"""Which connection of a pool a request gets, and who waits for one: without a network, by a clock of the test's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from httpio import LocalProtocolError
from httpio._pool_policy import _MAX_PEERS, Member, PoolPolicy, Ticket
from httpio._replay import Peer

if TYPE_CHECKING:
    from httpio._url import OriginKey


def key(name: str) -> OriginKey:
    return ("http", name, 80)


A, B, C = map(key, "abc")


class Connection:
    """A connection that is in the state that the test says."""

    def __init__(self, origin: OriginKey, number: int) -> None:
        self._peer = Peer()
        self.origin = origin
        self.number = number
        self.idle = True
        self.alive = True
        self.limit: int | None = None
        """What `window` says, `None` for what is wanted."""
        self.closed = 0
        self.looked_at = 0

    def _is_idle(self) -> bool:
        return self.idle and not self.closed

    def _is_alive(self) -> bool:
        self.looked_at += 1
        return self.alive and not self.closed

    def _window(self, depth: int) -> int:
        if self.closed:
            return 0
        return depth if self.limit is None else self.limit

    def close(self) -> None:
        self.closed += 1


class Desk:
    """A policy, and what a pool would do with it."""

    def __init__(
        self,
        *,
        max_connections: int = 100,
        max_per_origin: int = 10,
        depth: int = 1,
        idle_timeout: float = 15.0,
    ) -> None:
        self.now = 1000.0
        self.made: list[Connection] = []
        self.failure: Exception | None = None
        """What comes of an attempt to make a connection to B."""
        self.served: list[Ticket[Connection]] = []
        self.policy = PoolPolicy(
            self._make,
            max_connections=max_connections,
            max_per_origin=max_per_origin,
            depth=depth,
            idle_timeout=idle_timeout,
            clock=lambda: self.now,
        )

    def _make(self, origin: OriginKey) -> Connection:
        if origin == B and self.failure is not None:
            raise self.failure
        self.made.append(Connection(origin, len(self.made)))
        return self.made[-1]

    def ask(
        self, origin: OriginKey = A, *, exclusive: bool = False, new: bool = False
    ) -> Ticket[Connection]:
        ticket = self.policy.ask(origin, is_exclusive=exclusive, is_new=new)
        if not ticket.is_over:
            ticket.on_served = lambda: self.served.append(ticket)
        return ticket

    def get(self, origin: OriginKey = A, *, exclusive: bool = False) -> Member[Connection]:
        """Ask for what must be there at once."""
        return held(self.ask(origin, exclusive=exclusive))

    def numbers(self) -> tuple[int, int, int]:
        policy = self.policy
        return policy.connections, policy.idle, policy.waiting


def held(ticket: Ticket[Connection]) -> Member[Connection]:
    assert ticket.member is not None
    return ticket.member


def is_over(ticket: Ticket[Connection]) -> bool:
    # A function, because a type checker takes an attribute not to have changed.
    return ticket.is_over


# Limits


def test_a_first_request_gets_a_new_connection() -> None:
    desk = Desk()
    member = desk.get()
    assert desk.made == [member.conn]
    assert member.key == A
    assert desk.numbers() == (1, 0, 0)


def test_there_are_so_many_connections_to_an_origin_and_no_more() -> None:
    desk = Desk(max_per_origin=2)
    desk.get()
    desk.get()
    assert not is_over(desk.ask())
    assert desk.numbers() == (2, 0, 1)
    # Another origin has a limit of its own.
    desk.get(B)
    assert desk.numbers() == (3, 0, 1)


def test_schemes_and_ports_are_origins_of_their_own() -> None:
    desk = Desk(max_per_origin=1)
    for origin in (("http", "a", 80), ("https", "a", 443), ("http", "a", 8080)):
        desk.get(origin)
    assert desk.numbers() == (3, 0, 0)


def test_there_are_so_many_connections_in_all_and_no_more() -> None:
    desk = Desk(max_connections=2)
    member = desk.get(A)
    desk.get(B)
    ticket = desk.ask(C)
    assert not is_over(ticket)
    desk.policy.give_back(member)
    # The limit is kept at any time: what was idle has to go first.
    assert member.conn.closed == 1
    assert held(ticket).conn is desk.made[2]
    assert desk.served == [ticket]
    assert desk.numbers() == (2, 0, 0)


@pytest.mark.parametrize(
    "numbers",
    [
        {"max_connections": 0},
        {"max_per_origin": 0},
        {"depth": 0},
        {"max_connections": -1},
        {"idle_timeout": -0.1},
        {"idle_timeout": float("nan")},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(LocalProtocolError, match="a pool needs"):
        Desk(**numbers)


# Which connection


def test_what_was_given_back_last_is_used_first() -> None:
    desk = Desk()
    first, second, third = desk.get(), desk.get(), desk.get()
    for member in (second, third, first):
        desk.policy.give_back(member)
    assert [desk.get() for _ in range(3)] == [first, third, second]
    assert len(desk.made) == 3


def test_of_other_origins_the_connection_that_was_idle_longest_makes_room() -> None:
    desk = Desk(max_connections=4)
    oldest, other, young = desk.get(A), desk.get(B), desk.get(A)
    busy = desk.get(B)
    for member in (oldest, other, young):
        desk.now += 1
        desk.policy.give_back(member)
    desk.get(C)
    assert [conn.number for conn in desk.made if conn.closed] == [oldest.conn.number]
    desk.get(C)
    assert [conn.number for conn in desk.made if conn.closed] == [
        oldest.conn.number,
        other.conn.number,
    ]
    assert not busy.conn.closed
    assert desk.numbers() == (4, 1, 0)


def test_an_idle_connection_of_the_origin_comes_before_room_for_a_new_one() -> None:
    desk = Desk(max_connections=2)
    other, own = desk.get(B), desk.get(A)
    desk.policy.give_back(other)
    desk.policy.give_back(own)
    assert desk.get(A) is own
    assert not other.conn.closed


def test_a_connection_that_was_idle_for_too_long_is_not_used() -> None:
    desk = Desk(idle_timeout=10)
    member = desk.get()
    desk.policy.give_back(member)
    desk.now += 10
    assert desk.get() is not member
    assert member.conn.closed == 1
    assert desk.numbers() == (1, 0, 0)


def test_a_connection_that_was_idle_for_nearly_too_long_is_used() -> None:
    desk = Desk(idle_timeout=10)
    member = desk.get()
    for _ in range(3):
        desk.policy.give_back(member)
        desk.now += 9.99
        assert desk.get() is member


def test_idle_connections_of_other_origins_expire_as_well() -> None:
    desk = Desk(idle_timeout=10)
    desk.policy.give_back(desk.get(A))
    desk.now += 11
    desk.get(B)
    assert desk.made[0].closed == 1
    assert desk.numbers() == (1, 0, 0)


def test_without_an_idle_timeout_no_connection_is_used_again() -> None:
    desk = Desk(idle_timeout=0)
    member = desk.get()
    desk.policy.give_back(member)
    assert desk.get() is not member
    assert member.conn.closed


def test_with_an_endless_idle_timeout_connections_stay() -> None:
    desk = Desk(idle_timeout=float("inf"))
    member = desk.get()
    desk.policy.give_back(member)
    desk.now += 1e9
    assert desk.get() is member


def test_dead_connections_are_not_used() -> None:
    desk = Desk()
    members = [desk.get() for _ in range(3)]
    for member in members:
        desk.policy.give_back(member)
    members[2].conn.alive = members[1].conn.alive = False
    assert desk.get() is members[0]
    assert [member.conn.closed for member in members] == [0, 1, 1]
    assert desk.numbers() == (1, 0, 0)


def test_dead_connections_do_not_count_for_the_limits() -> None:
    desk = Desk(max_connections=1, max_per_origin=1)
    member = desk.get()
    desk.policy.give_back(member)
    member.conn.alive = False
    assert desk.get().conn is desk.made[1]


def test_each_connection_is_looked_at_once_before_it_is_used() -> None:
    desk = Desk()
    member = desk.get()
    assert member.conn.looked_at == 0
    for count in (1, 2):
        desk.policy.give_back(member)
        assert desk.get() is member
        assert member.conn.looked_at == count


def test_a_connection_with_something_under_way_is_closed() -> None:
    desk = Desk(max_per_origin=1)
    member = desk.get()
    ticket = desk.ask()
    member.conn.idle = False
    desk.policy.give_back(member)
    assert member.conn.closed == 1
    assert held(ticket) is not member
    assert desk.numbers() == (1, 0, 0)


def test_close_idle_leaves_those_alone_that_are_used() -> None:
    desk = Desk()
    used, idle, other = desk.get(A), desk.get(A), desk.get(B)
    desk.policy.give_back(idle)
    desk.policy.give_back(other)
    desk.policy.close_idle()
    assert [used.conn.closed, idle.conn.closed, other.conn.closed] == [0, 1, 1]
    assert desk.numbers() == (1, 0, 0)


def test_a_new_connection_is_one_that_nobody_has_used() -> None:
    desk = Desk()
    members = [desk.get(), desk.get()]
    for member in members:
        desk.policy.give_back(member)
    new = held(desk.ask(new=True))
    assert new.conn is desk.made[2]
    assert new.is_exclusive
    # One of the old ones has gone for it.
    assert [member.conn.closed for member in members] == [0, 1]
    assert desk.numbers() == (2, 1, 0)


def test_a_new_connection_is_waited_for_if_there_is_no_room() -> None:
    desk = Desk(max_per_origin=1, depth=5)
    member = desk.get()
    ticket = desk.ask(new=True)
    assert not is_over(ticket)
    desk.policy.give_back(member)
    assert member.conn.closed
    assert held(ticket).conn is desk.made[1]
    assert desk.numbers() == (1, 0, 0)


# Who is next


def test_tickets_for_an_origin_are_served_in_their_order() -> None:
    desk = Desk(max_per_origin=2)
    members = [desk.get(), desk.get()]
    tickets = [desk.ask() for _ in range(10)]
    for number in range(8):
        desk.policy.give_back(members.pop(0))
        assert desk.served == tickets[: number + 1]
        members.append(held(tickets[number]))


def test_nobody_is_overtaken_by_who_comes_when_a_connection_is_free() -> None:
    desk = Desk(max_connections=1)
    member = desk.get(A)
    first, second = desk.ask(B), desk.ask(A)
    desk.policy.give_back(member)
    # Although the connection to A was there for the taking.
    assert is_over(first)
    assert not is_over(second)
    third = desk.ask(B)
    desk.policy.give_back(held(first))
    assert is_over(second)
    assert not is_over(third)
    desk.policy.give_back(held(second))
    assert is_over(third)


def test_who_waits_for_one_origin_does_not_keep_another_one_waiting() -> None:
    desk = Desk(max_per_origin=1)
    desk.get(A)
    waits = desk.ask(A)
    assert is_over(desk.ask(B))
    assert not is_over(waits)


def test_the_oldest_ticket_gets_the_room() -> None:
    desk = Desk(max_connections=2)
    one, two = desk.get(A), desk.get(A)
    tickets = [desk.ask(origin) for origin in (B, C, B, A)]
    desk.policy.give_back(one)
    desk.policy.give_back(two)
    assert desk.served == tickets[:2]


def test_several_are_served_at_once_if_several_can_be() -> None:
    desk = Desk(max_per_origin=1, depth=4)
    alone = desk.get(exclusive=True)
    tickets = [desk.ask() for _ in range(6)]
    assert desk.numbers() == (1, 0, 6)
    desk.policy.give_back(alone)
    assert desk.served == tickets[:4]
    assert desk.numbers() == (1, 0, 2)


def test_an_exclusive_ticket_is_not_overtaken_by_those_that_would_share() -> None:
    desk = Desk(max_per_origin=1, depth=10)
    sharing = [desk.get() for _ in range(3)]
    assert len(desk.made) == 1
    exclusive = desk.ask(exclusive=True)
    behind = [desk.ask() for _ in range(2)]
    for member in sharing:
        assert desk.served == []
        desk.policy.give_back(member)
    assert desk.served == [exclusive]
    assert held(exclusive).users == 1
    desk.policy.give_back(held(exclusive))
    assert desk.served == [exclusive, *behind]


# Sharing


def test_connections_are_shared_only_when_there_can_be_no_more() -> None:
    desk = Desk(max_per_origin=2, depth=3)
    members = [desk.get() for _ in range(6)]
    assert [member.conn.number for member in members] == [0, 1, 0, 1, 0, 1]
    assert not is_over(desk.ask())
    assert desk.numbers() == (2, 0, 1)


def test_the_connection_that_the_fewest_have_is_shared() -> None:
    desk = Desk(max_per_origin=3, depth=10)
    members = [desk.get() for _ in range(9)]
    for member in members[1:9:3]:
        desk.policy.give_back(member)
    assert members[1].users == 0
    # That one is idle, and nobody has it.
    assert desk.get() is members[1]
    assert desk.get() is members[1]
    desk.policy.give_back(members[2])
    desk.policy.give_back(members[2])
    assert desk.get() is members[2]


def test_no_more_share_a_connection_than_its_window_has_room_for() -> None:
    desk = Desk(max_per_origin=1, depth=50)
    member = desk.get()
    member.conn.limit = 1
    ticket = desk.ask()
    assert not is_over(ticket)
    # It is looked at again when somebody asks.
    member.conn.limit = 3
    assert is_over(desk.ask())
    assert is_over(ticket)
    assert member.users == 3
    assert not is_over(desk.ask())


def test_a_connection_that_was_lost_is_not_shared() -> None:
    desk = Desk(max_per_origin=1, depth=50)
    member = desk.get()
    assert desk.get() is member
    member.conn.limit = 0
    member.conn.idle = False
    ticket = desk.ask()
    assert not is_over(ticket)
    desk.policy.give_back(member)
    assert not is_over(ticket)
    desk.policy.give_back(member)
    assert held(ticket) is not member


def test_an_exclusive_connection_is_not_shared() -> None:
    desk = Desk(max_per_origin=1, depth=50)
    member = desk.get(exclusive=True)
    assert not is_over(desk.ask())
    desk.policy.give_back(member)
    assert not desk.served[0].is_exclusive
    # Whoever has it next may share it.
    assert desk.get() is member


def test_without_a_depth_nothing_is_shared() -> None:
    desk = Desk(max_per_origin=1, depth=1)
    desk.get()
    assert not is_over(desk.ask())


def test_what_is_known_of_a_server_is_known_to_all_connections() -> None:
    desk = Desk()
    assert desk.get(A).conn._peer is desk.get(A).conn._peer
    assert desk.get(B).conn._peer is not desk.made[0]._peer
    desk.policy.close_idle()
    assert desk.get(A).conn._peer is desk.made[0]._peer


def test_it_is_not_known_of_any_number_of_servers() -> None:
    desk = Desk(max_connections=1)
    first = desk.get(A)
    desk.policy.give_back(first)
    for number in range(_MAX_PEERS):
        desk.policy.give_back(desk.get(key(f"host-{number}")))
    assert desk.get(A).conn._peer is not first.conn._peer
    assert len(desk.policy._peers) == _MAX_PEERS


# Going away


def test_who_waits_can_go() -> None:
    desk = Desk(max_per_origin=1)
    member = desk.get()
    first, second = desk.ask(), desk.ask()
    desk.policy.withdraw(first)
    assert desk.numbers() == (1, 0, 1)
    desk.policy.give_back(member)
    assert desk.served == [second]
    assert first.member is None


def test_who_was_served_and_goes_leaves_the_connection_to_the_next() -> None:
    desk = Desk(max_per_origin=1)
    member = desk.get()
    first, second = desk.ask(), desk.ask()
    desk.policy.give_back(member)
    assert desk.served == [first]
    desk.policy.withdraw(first)
    assert desk.served == [first, second]
    assert held(second) is member


def test_who_goes_twice_does_no_harm() -> None:
    desk = Desk(max_per_origin=1)
    member = desk.get()
    ticket, other = desk.ask(), desk.ask()
    desk.policy.withdraw(ticket)
    desk.policy.withdraw(ticket)
    assert desk.numbers() == (1, 0, 1)
    desk.policy.give_back(member)
    assert held(other) is member


def test_an_exclusive_ticket_that_goes_lets_those_behind_it_share() -> None:
    desk = Desk(max_per_origin=1, depth=10)
    member = desk.get()
    exclusive = desk.ask(exclusive=True)
    behind = [desk.ask() for _ in range(3)]
    desk.policy.withdraw(exclusive)
    assert desk.served == behind
    assert member.users == 4


def test_close_closes_all_and_tells_all() -> None:
    desk = Desk(max_per_origin=1)
    used, idle = desk.get(A), desk.get(B)
    desk.policy.give_back(idle)
    waiting = [desk.ask(A), desk.ask(A)]
    desk.policy.close()
    assert desk.policy.is_closed
    assert used.conn.closed
    assert idle.conn.closed
    assert desk.served == waiting
    assert [ticket.member for ticket in waiting] == [None, None]
    # Those who learn of it then do what they do anyway.
    for ticket in waiting:
        desk.policy.withdraw(ticket)
    desk.policy.give_back(used)
    assert desk.numbers() == (0, 0, 0)


def test_close_twice_does_no_harm() -> None:
    desk = Desk()
    desk.policy.give_back(desk.get())
    desk.policy.close()
    desk.policy.close()
    assert desk.made[0].closed == 1


def test_a_connection_that_is_given_back_to_a_closed_pool_is_closed() -> None:
    desk = Desk()
    member = desk.get()
    desk.policy.close()
    # As one that connects anew is.
    member.conn.closed = 0
    desk.policy.give_back(member)
    assert member.conn.closed
    assert desk.numbers() == (0, 0, 0)


# What fails


def test_who_asks_for_what_cannot_be_made_is_told() -> None:
    desk = Desk()
    desk.failure = LocalProtocolError("no such thing")
    ticket = desk.ask(B)
    assert is_over(ticket)
    assert ticket.error is desk.failure
    assert desk.numbers() == (0, 0, 0)


def test_it_is_not_told_to_who_gives_a_connection_back() -> None:
    desk = Desk(max_connections=1)
    member = desk.get(A)
    bad, good = desk.ask(B), desk.ask(A)
    desk.failure = LocalProtocolError("no such thing")
    desk.policy.give_back(member)
    assert desk.served == [bad, good]
    assert bad.member is None
    assert bad.error is desk.failure
    assert good.error is None
    desk.policy.withdraw(bad)
    assert desk.numbers() == (1, 0, 0)


# All together


class Machine(RuleBasedStateMachine):
    """Asks, gives back and withdraws in any order, and counts along."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(max_connections=4, max_per_origin=2, depth=3, idle_timeout=10)
        self.waiting: list[Ticket[Connection]] = []
        self.holding: list[Ticket[Connection]] = []

    def sort(self) -> None:
        """Move those that were served."""
        for ticket in [*self.waiting]:
            if ticket.is_over:
                self.waiting.remove(ticket)
                self.holding.append(ticket)

    @precondition(lambda self: not self.desk.policy.is_closed)
    @rule(origin=st.sampled_from((A, B, C)), exclusive=st.booleans(), new=st.booleans())
    def ask(self, origin: OriginKey, exclusive: bool, new: bool) -> None:
        self.waiting.append(self.desk.ask(origin, exclusive=exclusive, new=new))
        self.sort()

    @precondition(lambda self: self.holding)
    @rule(data=st.data(), idle=st.booleans(), limit=st.sampled_from((None, 1, 2)))
    def give_back(self, data: st.DataObject, idle: bool, limit: int | None) -> None:
        ticket = self.holding.pop(data.draw(st.integers(0, len(self.holding) - 1)))
        member = ticket.member
        if member is not None:
            member.conn.limit = limit
            member.conn.idle &= idle
            self.desk.policy.give_back(member)
        self.sort()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        ticket = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.desk.policy.withdraw(ticket)
        self.sort()

    @rule(seconds=st.sampled_from((0.1, 4.0, 11.0)))
    def wait(self, seconds: float) -> None:
        self.desk.now += seconds

    @rule(number=st.integers(0, 30))
    def die(self, number: int) -> None:
        if number < len(self.desk.made):
            self.desk.made[number].alive = False

    @rule()
    def close_idle(self) -> None:
        self.desk.policy.close_idle()

    @precondition(lambda self: len(self.desk.made) > 8)
    @rule()
    def close(self) -> None:
        self.desk.policy.close()
        self.sort()
        assert not self.waiting

    @invariant()
    def numbers_add_up(self) -> None:
        policy, desk = self.desk.policy, self.desk
        users: dict[int, int] = {}
        for ticket in self.holding:
            if ticket.member is not None:
                number = ticket.member.conn.number
                assert desk.made[number].origin == ticket.key
                users[number] = users.get(number, 0) + 1
                assert ticket.member.is_exclusive or not ticket.is_exclusive
                if ticket.member.is_exclusive:
                    assert ticket.member.users == 1
        assert policy.waiting == len(self.waiting)
        assert policy.connections == policy.idle + len(users) <= 4
        if not policy.is_closed:
            live = [conn.number for conn in desk.made if not conn.closed]
            assert len(live) == policy.connections
            assert set(users) <= set(live)
            for origin in (A, B, C):
                assert sum(desk.made[number].origin == origin for number in live) <= 2
            # Not more than once, and not while it is used. A pool that was closed does not care.
            assert all(conn.closed <= 1 for conn in desk.made)
        for number, count in users.items():
            assert count <= 3, number
        for member in (m for members in policy._used.values() for m in members):
            assert member.users == users[member.conn.number]
        assert not any(m.users for members in policy._idle.values() for m in members)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        """Whoever waits does so because somebody has what is needed."""
        if self.waiting:
            assert any(ticket.member is not None for ticket in self.holding)

    @invariant()
    def those_of_an_origin_come_in_their_order(self) -> None:
        for origin in (A, B, C):
            numbers = [ticket.number for ticket in self.desk.served if ticket.key == origin]
            assert numbers == sorted(numbers)

    def teardown(self) -> None:
        """Whatever has happened, all who wait are served in the end."""
        while self.holding:
            ticket = self.holding.pop(0)
            if ticket.member is not None:
                self.desk.policy.give_back(ticket.member)
            self.sort()
        assert not self.waiting
        assert self.desk.policy.waiting == 0
        assert self.desk.policy.connections == self.desk.policy.idle


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40)
