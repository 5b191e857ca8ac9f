"""What is asyncio's own in `HTTPConnection`: its loops, its time-outs, and what stays registered."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from httpio._transport import before_close
from httpio_aio import HTTPConnection
from httpio_aio._poller import poller_of
from tests.support.aio import KITS, AsyncioKit, BlindLoop, Loop
from tests.support.operations import small_server
from tests.support.server_end import Server

if TYPE_CHECKING:
    from tests.support.answering import AnsweringServer


def to(kit: AsyncioKit, server: Server) -> HTTPConnection:
    conn = kit.connection_to(server)
    assert isinstance(conn, HTTPConnection)
    return conn


async def ask(conn: HTTPConnection, path: str) -> None:
    async with conn.request("GET", path) as response:
        assert await response.readall() == path.encode()


def test_resolver_of_the_loop_is_used(kit: AsyncioKit) -> None:
    with small_server(tcp=True) as server:

        async def main() -> None:
            async with HTTPConnection("server.example") as conn:
                await ask(conn, "/1")

        kit.run(main, {"server.example": [("127.0.0.1", server.port)]})


def test_connection_that_was_collected_leaves_no_number_watched(kit: AsyncioKit) -> None:
    """Its socket says that it was not closed. The next one with that number works."""
    with small_server(tcp=True) as server:

        async def forget() -> None:
            await ask(HTTPConnection("localhost", server.port), "/1")
            gc.collect()

        async def main() -> None:
            for _ in range(4):
                with pytest.warns(ResourceWarning, match="unclosed"):
                    await forget()
            assert not before_close
            assert not poller_of(asyncio.get_running_loop())._descriptors

        kit.run(main)


def test_connection_that_the_server_closed_leaves_no_number_watched(kit: AsyncioKit) -> None:
    """Nothing is registered any more when it is closed here, and yet its number is given up."""
    with Server() as server:

        async def main() -> None:
            conn = to(kit, server)
            await conn.connect()
            await conn.send_request("GET", "/1")
            server.progress()
            server.end.respond()
            await conn.read_response()
            await conn.readall()
            server.end.close()
            await kit.until(lambda: not kit.watched())
            for _ in range(5):
                await kit.turn()
            conn.close()
            assert not before_close
            assert not poller_of(asyncio.get_running_loop())._descriptors

        kit.run(main)


def test_two_loops_one_after_the_other(kit: AsyncioKit) -> None:
    """The network connection is kept, though the first loop has watched it to its end."""
    with small_server() as server:
        conn = to(kit, server)

        async def main(path: str) -> None:
            await ask(conn, path)
            await conn.send_request("GET", f"{path}-next")

        for path in ("/1", "/2", "/3"):
            runner = asyncio.Runner(loop_factory=make(kit))
            with runner:
                runner.run(main(path))

                async def rest(path: str) -> None:
                    await conn.read_response()
                    assert await conn.readall() == f"{path}-next".encode()

                runner.run(rest(path))
        conn.close()
        assert not before_close
        assert {asked.connection for asked in server.asked} == {0}


def make(kit: AsyncioKit) -> type[asyncio.AbstractEventLoop]:
    loop = kit._loop
    loop.names = {}
    return loop


def test_two_loops_that_take_turns() -> None:
    with small_server() as server:
        conn = to(KITS["asyncio"], server)
        loops: list[asyncio.AbstractEventLoop] = [Loop(), BlindLoop(), Loop()]
        for number in range(9):
            loops[number % 3].run_until_complete(ask(conn, f"/{number}"))
        conn.close()
        for loop in loops:
            loop.close()


def test_connection_outlives_its_loop(kit: AsyncioKit) -> None:
    """Closing it tells a loop that is gone nothing."""
    with Server() as server:
        conn = to(kit, server)

        async def main() -> None:
            await conn.send_request("GET", "/")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await conn.read_response()

        with asyncio.Runner(loop_factory=make(kit)) as runner:
            runner.run(main())
        conn.close()


def test_loop_is_closed_under_a_task_that_connects(kit: AsyncioKit) -> None:
    """Only then is the connection closed."""
    from contextlib import ExitStack

    from tests.support.cancelling import silent

    with ExitStack() as stack:
        conn = HTTPConnection("127.0.0.1", silent(stack).getsockname()[1])
        loop = make(kit)()
        steps = conn.connect()
        task = loop.create_task(steps)
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        assert not task.done()
        loop.close()
        conn.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        # What garbage collection does to a task that can never go on.
        with pytest.raises((GeneratorExit, RuntimeError)):
            steps.throw(GeneratorExit)


def test_timeout(kit: AsyncioKit) -> None:
    with Server() as server:

        async def main() -> None:
            async with to(kit, server) as conn:
                await conn.send_request("GET", "/")
                for seconds in (0, 0.001):
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await conn.read_response()
                    assert await conn._read_response_within(seconds) is None
                server.progress()
                server.end.respond(b"content")
                assert await conn._read_response_within(20) is not None
                assert await conn.readall() == b"content"

        kit.run(main)


def test_timeout_of_the_caller_is_no_lack_of_100(kit: AsyncioKit) -> None:
    with Server() as server:

        async def main() -> None:
            async with to(kit, server) as conn:

                async def put() -> None:
                    async with conn.request(
                        "PUT", "/", body=b"x", expect100=True, continue_timeout=60
                    ):
                        raise AssertionError

                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(put(), 0.001)
                assert not conn.response_pending()

        kit.run(main)


def test_message_of_a_cancellation(kit: AsyncioKit) -> None:
    with Server() as server:

        async def main() -> None:
            async with to(kit, server) as conn:
                await conn.send_request("GET", "/")
                task = asyncio.create_task(conn.read_response())
                await asyncio.sleep(0)
                task.cancel("enough")
                task.cancel("really")
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                assert caught.value.args[0] in {"enough", "really"}
                kit.check_unwatched()

        kit.run(main)


def test_idle_connection_does_not_spin(kit: AsyncioKit) -> None:
    """What stays registered is not reported again and again when the server sends or closes."""
    with Server() as server:

        async def main() -> None:
            async with to(kit, server) as conn:
                await conn.send_request("GET", "/")
                task = asyncio.create_task(conn.read_response())
                await asyncio.sleep(0)
                server.progress()
                server.end.respond()
                await task
                server.end.send(b"nothing that was asked for")
                # The loop sees it once, and unregisters the descriptor.
                await kit.until(lambda: not kit.watched())

        kit.run(main)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="since Python 3.12")
def test_eager_tasks(kit: AsyncioKit) -> None:
    with small_server(tcp=True) as server:

        async def main() -> None:
            loop = asyncio.get_running_loop()
            make_eager: Any = vars(asyncio)["eager_task_factory"]

            def factory(*args: Any, eager_start: object = None, **options: Any) -> Any:
                # uvloop passes what Python 3.13.0 does not know.
                return make_eager(*args, **options)

            loop.set_task_factory(factory)
            try:
                async with HTTPConnection("localhost", server.port) as conn:
                    await asyncio.create_task(ask(conn, "/1"))
                    tasks = [asyncio.create_task(use(number, server)) for number in range(5)]
                    for task in tasks:
                        await task
            finally:
                loop.set_task_factory(None)

        kit.run(main)


async def use(number: int, server: AnsweringServer) -> None:
    async with HTTPConnection("localhost", server.port) as conn:
        await ask(conn, f"/{number}")
