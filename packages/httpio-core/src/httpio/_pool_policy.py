"""Which connection of a pool a request gets, and who waits for one. Knows no framework and no network.

Nothing here waits: whoever asks gets a `Ticket`, and is told when that is served. Tickets for one
origin are served in the order in which they came; where the number of all connections is the limit,
the oldest one first.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from ._exceptions import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._replay import Peer
    from ._url import OriginKey


class PoolConnection(Protocol):
    """A connection, as far as the policy has to know it."""

    _peer: Peer

    def _is_idle(self) -> bool:
        """Tell if there is a connection, and nothing is under way on it."""

    def _is_alive(self) -> bool:
        """Tell if the server has neither closed an idle connection nor sent anything over it."""

    def _window(self, depth: int) -> int:
        """Return how many requests may be under way at once, of *depth* that are wanted."""

    def close(self) -> None:
        """Close the connection."""


_C = TypeVar("_C", bound=PoolConnection)

#: What is known of servers is kept for so many origins.
_MAX_PEERS: Final = 1000


class Member(Generic[_C]):
    """A connection of a pool."""

    __slots__ = ("conn", "idle_since", "is_exclusive", "key", "users")

    def __init__(self, conn: _C, key: OriginKey) -> None:
        self.conn: Final = conn
        self.key: Final = key
        #: Number of those who have it, and whether that must stay one.
        self.users = 0
        self.is_exclusive = True
        #: When it was given back, by the pool's clock.
        self.idle_since = 0.0


class Ticket(Generic[_C]):
    """A wish for a connection."""

    __slots__ = (
        "error",
        "is_exclusive",
        "is_new",
        "is_over",
        "key",
        "member",
        "number",
        "on_served",
    )

    def __init__(self, key: OriginKey, number: int, *, is_exclusive: bool, is_new: bool) -> None:
        self.key: Final = key
        self.number: Final = number
        self.is_exclusive: Final = is_exclusive
        self.is_new: Final = is_new
        #: The connection, `None` while it is waited for, and for ever if there will be none: because
        #: of an error, or without one because the pool was closed.
        self.member: Member[_C] | None = None
        self.error: Exception | None = None
        #: Nothing is waited for any more.
        self.is_over = False
        #: Told when that becomes so.
        self.on_served: Callable[[], object] | None = None

    def end(self) -> None:
        """The wait is over."""
        self.is_over = True
        if self.on_served is not None:
            self.on_served()


class PoolPolicy(Generic[_C]):
    """The connections of a pool, and those who wait for one.

    *make* returns a connection object for an origin, which need not be connected.
    """

    def __init__(
        self,
        make: Callable[[OriginKey], _C],
        *,
        max_connections: int,
        max_per_origin: int,
        depth: int,
        idle_timeout: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if min(max_connections, max_per_origin, depth) < 1 or not idle_timeout >= 0:
            raise LocalProtocolError(
                "a pool needs max_connections, max_per_origin and pipeline_depth of at least 1, and "
                f"an idle_timeout that is not negative, got {max_connections}, {max_per_origin}, "
                f"{depth} and {idle_timeout}"
            )
        self._make: Final = make
        self._max_connections: Final = max_connections
        self._max_per_origin: Final = max_per_origin
        self._depth: Final = depth
        self._idle_timeout: Final = idle_timeout
        self._clock: Final = clock
        #: Connections that nobody has, by origin; what was given back last is last.
        self._idle: Final[dict[OriginKey, list[Member[_C]]]] = {}
        #: Those that somebody has.
        self._used: Final[dict[OriginKey, list[Member[_C]]]] = {}
        self._waiting: Final[dict[OriginKey, deque[Ticket[_C]]]] = {}
        self._peers: Final[dict[OriginKey, Peer]] = {}
        self._count = 0
        self._tickets = 0
        #: When to look for what has been idle for too long.
        self._next_look = 0.0
        self.is_closed = False

    # Looking

    @property
    def connections(self) -> int:
        """Number of connections, used or not."""
        return self._count

    @property
    def idle(self) -> int:
        """Number of connections that nobody has."""
        return sum(map(len, self._idle.values()))

    @property
    def waiting(self) -> int:
        """Number of tickets that are not served."""
        return sum(map(len, self._waiting.values()))

    # Asking

    def ask(self, key: OriginKey, *, is_exclusive: bool, is_new: bool = False) -> Ticket[_C]:
        """Return a ticket for a connection to *key*. It may be served at once.

        *is_exclusive* says that it must not be shared with anybody, *is_new* that in addition nobody
        must have used it before.
        """
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + self._idle_timeout / 4
            self.expire()
        self._tickets += 1
        ticket = Ticket[_C](
            key,
            self._tickets,
            is_exclusive=is_exclusive or is_new or self._depth == 1,
            is_new=is_new,
        )
        if self._waiting:
            # Nobody is overtaken.
            self._waiting.setdefault(key, deque()).append(ticket)
            self._serve()
        elif not self._try_serve(ticket):
            self._waiting[key] = deque((ticket,))
        return ticket

    def withdraw(self, ticket: Ticket[_C]) -> None:
        """Whoever had *ticket* has gone. A connection that it was served with goes to the next."""
        if ticket.member is not None:
            self.give_back(ticket.member)
            return
        queue = self._waiting.get(ticket.key)
        if queue is not None and ticket in queue:
            queue.remove(ticket)
            if not queue:
                del self._waiting[ticket.key]
            # It may have kept others behind it waiting.
            self._serve()

    def give_back(self, member: Member[_C]) -> None:
        """One of those who have *member* needs it no more."""
        member.users -= 1
        if not member.users:
            _take_out(self._used, member)
            if member.conn._is_idle() and not self.is_closed:
                member.idle_since = self._clock()
                self._idle.setdefault(member.key, []).append(member)
            else:
                self._close(member)
        if self._waiting:
            self._serve()

    def expire(self) -> None:
        """Close what has been idle for too long."""
        latest = self._clock() - self._idle_timeout
        for members in [*self._idle.values()]:
            for member in [*members]:
                if member.idle_since <= latest:
                    self._drop(member)

    def close_idle(self) -> None:
        """Close all connections that nobody has."""
        for members in [*self._idle.values()]:
            for member in [*members]:
                self._drop(member)

    def close(self) -> None:
        """Close all connections, and tell all who wait that they do so in vain."""
        self.is_closed = True
        self.close_idle()
        for members in self._used.values():
            for member in members:
                # Whoever has it finds out.
                member.conn.close()
        waiting = [ticket for queue in self._waiting.values() for ticket in queue]
        self._waiting.clear()
        for ticket in waiting:
            ticket.end()

    # How it is decided

    def _serve(self) -> None:
        """Serve who can be served."""
        served = True
        while served:
            served = False
            for queue in sorted(self._waiting.values(), key=lambda queue: queue[0].number):
                if self._try_serve(queue[0]):
                    ticket = queue.popleft()
                    if not queue:
                        del self._waiting[ticket.key]
                    served = True
                    break

    def _try_serve(self, ticket: Ticket[_C]) -> bool:
        """Serve *ticket* if there is a connection for it; return whether its wait is over."""
        try:
            member = self._find(ticket)
        except Exception as exc:  # noqa: BLE001 - for whoever has asked, not for who gives back
            ticket.error = exc
        else:
            if member is None:
                return False
            if not member.users:
                self._used.setdefault(member.key, []).append(member)
            member.users += 1
            member.is_exclusive = ticket.is_exclusive
            ticket.member = member
        ticket.end()
        return True

    def _find(self, ticket: Ticket[_C]) -> Member[_C] | None:
        """Return the connection for *ticket*: an idle one, a new one, or one that can be shared."""
        key = ticket.key
        latest = self._clock() - self._idle_timeout
        while idle := self._idle.get(key):
            # The one that was used last is the one that the server keeps longest.
            member = idle[-1]
            _take_out(self._idle, member)
            if not ticket.is_new and member.idle_since > latest and member.conn._is_alive():
                return member
            self._close(member)
            if ticket.is_new:
                # It gives its place to the new one. The others may be good for somebody else.
                break
        used = self._used.get(key, [])
        if len(used) < self._max_per_origin and (
            self._count < self._max_connections or self._make_room()
        ):
            return self._add(key)
        if ticket.is_exclusive:
            return None
        shared = [
            member
            for member in used
            # Those who have it and have not sent their request yet count as well.
            if not member.is_exclusive and member.users < member.conn._window(self._depth)
        ]
        return min(shared, key=lambda member: member.users, default=None)

    def _add(self, key: OriginKey) -> Member[_C]:
        member = Member(self._make(key), key)
        # What one connection learns of a server is true for all.
        member.conn._peer = self._peers.setdefault(key, member.conn._peer)
        if len(self._peers) > _MAX_PEERS:
            del self._peers[next(iter(self._peers))]
        self._count += 1
        return member

    def _make_room(self) -> bool:
        """Close the connection to another origin that has been idle for longest, if there is one."""
        if not self._idle:
            return False
        oldest = (members[0] for members in self._idle.values())
        self._drop(min(oldest, key=lambda member: member.idle_since))
        return True

    def _drop(self, member: Member[_C]) -> None:
        """Close an idle connection."""
        _take_out(self._idle, member)
        self._close(member)

    def _close(self, member: Member[_C]) -> None:
        self._count -= 1
        member.conn.close()


def _take_out(members: dict[OriginKey, list[Member[_C]]], member: Member[_C]) -> None:
    """Remove *member* from those of its origin."""
    of_origin = members[member.key]
    of_origin.remove(member)
    if not of_origin:
        del members[member.key]
