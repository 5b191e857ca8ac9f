"""A server may close an idle connection at any time, and does so at the worst.

Server and clients share a thread, and the pool tells the server of its worst moments: so each of them happens as often
as a seed says, and none by luck.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from httpio import ConnectionClosed
from tests.support.answering import Answer, Asked, Then, ok
from tests.support.frameworks import finish, port_of, watched_pool
from tests.support.loop_server import LoopServer

if TYPE_CHECKING:
    from httpio._async_pool import AsyncPool
    from httpio._front_end import FrontEnd
    from tests.support.frameworks import Framework
    from tests.support.kits import Jobs
    from tests.support.loop_server import Seat

pytestmark = pytest.mark.exhaustive

REQUEST_COUNT = 10_000
TASK_COUNT = 25


class Moment(Enum):
    """When the server closes."""

    NEVER = "it answers"
    IDLE = "while the connection is in the pool"
    CHECKED = "when the pool has found it to be alive"
    SENDING = "between the last look at it and the request"
    ASKED = "when it has the request, instead of an answer"
    HEAD = "in the middle of the head of its answer"
    ANSWERED = "after an answer that does not say so"
    ANNOUNCED = "after an answer that says so"


class Way(Enum):
    """How it closes."""

    FIN = "properly"
    RST = "with a reset"
    LATE = "with a 408"


TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ClosingServer(LoopServer):
    """Closes connections at moments, and in ways, that a seed chooses.

    It closes only those that have answered before: they are what idle connections are.
    """

    def __init__(
        self, random: Random, moments: list[Moment], ways: list[Way], often: float
    ) -> None:
        super().__init__(self._make_answer)
        self._random = random
        self._moments = moments
        self._ways = ways
        self._often = often
        self.happened: Counter[tuple[Moment, Way]] = Counter()

    def strikes(self, moment: Moment) -> bool:
        """Tell if it closes at *moment*."""
        return moment in self._moments and self._random.random() < self._often

    def way(self, moment: Moment) -> Way:
        """Choose how to close at *moment*."""
        way = self._random.choice(self._ways)
        self.happened[moment, way] += 1
        return way

    def _make_answer(self, asked: Asked) -> bytes | Answer:
        answer = ok(asked.path.encode() + b" " + asked.content)
        if asked.number and self.strikes(Moment.ASKED):
            way = self.way(Moment.ASKED)
            if way is Way.LATE:
                return Answer(TOO_LATE, Then.CLOSE)
            return Answer(b"", Then.RESET if way is Way.RST else Then.CLOSE)
        if asked.number and self.strikes(Moment.HEAD):
            way = self.way(Moment.HEAD)
            part = self._random.randrange(1, answer.index(b"\r\n\r\n"))
            return Answer(answer[:part], Then.RESET if way is Way.RST else Then.CLOSE)
        if self.strikes(Moment.ANSWERED):
            self.happened[Moment.ANSWERED, Way.FIN] += 1
            return Answer(answer, Then.CLOSE)
        if self.strikes(Moment.ANNOUNCED):
            self.happened[Moment.ANNOUNCED, Way.FIN] += 1
            return Answer(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), Then.CLOSE)
        return answer

    def strike(self, conn: FrontEnd, moment: Moment) -> None:
        """Perhaps close what *conn* is connected to, if nothing is under way there."""
        if self.strikes(moment):
            seat = self.seat_of(port_of(conn))
            if seat is not None and seat.asked and seat.is_idle:
                self.end(seat, moment)

    def end(self, seat: Seat, moment: Moment) -> None:
        """Close an idle connection."""
        way = self.way(moment)
        if way is Way.RST:
            seat.reset()
            return
        if way is Way.LATE:
            seat.end.send(TOO_LATE)
        # What the client sends now is answered with a reset.
        seat.close()


async def ask(pool: AsyncPool[Any], url: str, number: int, method: str) -> bool:
    """Make a request, and check that its own response comes; return whether there was one."""
    path = f"/{method}/{number}"
    content = b"content of %d" % number if method in {"PUT", "POST"} else None
    try:
        async with pool.request(method, url + path, body=content) as response:
            if method == "POST" and response.status == 408:
                # It cannot be told from one that is meant. The caller is told, and decides.
                return False
            assert response.status == 200, response
            assert await response.readall() == path.encode() + b" " + (content or b"")
    except ConnectionClosed as exc:
        unanswered = [tuple(request) for request in exc.unanswered]
    else:
        return True
    # Only such as must not be sent twice, and one that was sent.
    assert method == "POST", path
    assert unanswered == [(method, path)]
    return False


def run(
    framework: Framework,
    seed: int,
    *,
    moments: list[Moment],
    ways: list[Way],
    often: float,
    count: int,
    tasks: int = TASK_COUNT,
    methods: tuple[str, ...] = ("GET", "GET", "PUT", "DELETE", "POST"),
    **options: Any,
) -> ClosingServer:
    """Make *count* requests, and check what became of them."""
    random = Random(seed)
    numbers = iter(range(count))
    chosen = random.choices(methods, k=count)
    answered: set[int] = set()
    with ClosingServer(random, moments, ways, often) as server:
        pool_type = watched_pool(
            framework.pool_type,
            before_send=lambda conn, _: server.strike(conn, Moment.SENDING),
            after_check=lambda conn: server.strike(conn, Moment.CHECKED),
        )

        async def work(pool: AsyncPool[Any]) -> None:
            for number in numbers:
                if await ask(pool, server.url, number, chosen[number]):
                    answered.add(number)
                # For a time, as far as there is time here.
                await framework.turns(random.choice((0, 0, 1, 3)))
                if server.strikes(Moment.IDLE):
                    idle = [seat for seat in server.open_seats() if seat.asked and seat.is_idle]
                    if idle:
                        server.end(random.choice(idle), Moment.IDLE)

        async def main(jobs: Jobs) -> None:
            async with pool_type(**{"backoff": 0, **options}) as pool:
                await finish(jobs, [lambda: work(pool)] * tasks)
                assert pool.statistics().waiting == 0

        framework.run(main, [server], seed=seed)
    arrived = Counter(int(path.rpartition("/")[2]) for path in server.paths())
    for number, method in enumerate(chosen):
        if method == "POST":
            assert arrived[number] <= 1, number
            assert number not in answered or arrived[number] == 1
        else:
            assert number in answered
            assert arrived[number] >= 1
    return server


ALL = [*Moment][1:]


@pytest.mark.parametrize("depth", [1, 20], ids=["alone", "pipelined"])
def test_ten_thousand_requests(framework: Framework, depth: int) -> None:
    server = run(
        framework,
        depth,
        moments=ALL,
        ways=[*Way],
        often=0.04,
        count=REQUEST_COUNT // 2,
        max_per_origin=8,
        pipeline_depth=depth,
    )
    happened = Counter(moment for moment, _ in server.happened.elements())
    # With so many of them, a seed that leaves one out would be a mistake of the test.
    assert set(happened) == set(ALL), happened
    assert min(happened.values()) >= 20, happened


@pytest.mark.parametrize("way", Way, ids=lambda way: way.name)
@pytest.mark.parametrize(
    "moment",
    [Moment.IDLE, Moment.CHECKED, Moment.SENDING, Moment.ASKED, Moment.HEAD],
    ids=lambda moment: moment.name,
)
@pytest.mark.parametrize("depth", [1, 20], ids=["alone", "pipelined"])
def test_moment(framework: Framework, moment: Moment, way: Way, depth: int) -> None:
    """Every other time: no request may depend on its luck."""
    server = run(
        framework,
        2,
        moments=[moment],
        ways=[way],
        often=0.5,
        count=200,
        tasks=8,
        max_per_origin=4,
        pipeline_depth=depth,
    )
    assert server.happened[moment, way] > 10, server.happened


@pytest.mark.parametrize("way", Way, ids=lambda way: way.name)
@pytest.mark.parametrize(
    "moment", [Moment.CHECKED, Moment.SENDING, Moment.ASKED], ids=lambda moment: moment.name
)
@pytest.mark.parametrize("retries", [0, 3])
def test_each_connection_that_is_used_twice(
    framework: Framework, moment: Moment, way: Way, retries: int
) -> None:
    """A server that closes every connection whose second request it gets."""
    run(
        framework,
        3,
        moments=[moment],
        ways=[way],
        often=1,
        count=100,
        tasks=6,
        methods=("GET", "PUT"),
        max_per_origin=4,
        retries=retries,
    )
