"""Pools of connections, under each framework: requests, sharing, what goes wrong, and who is cancelled when."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from httpio import (
    CloseReason,
    ConnectionClosed,
    InvalidResponse,
    LocalProtocolError,
    ProxyError,
    Request,
    StateError,
    _pool_exchange,
)
from httpio._async_exchange import DRAIN_LIMIT
from httpio._replay import Peer, Pipelining
from httpio._url import split_url
from tests.support.answering import Answer, Asked, Then, last, ok
from tests.support.frameworks import finish, port_of, watched_pool
from tests.support.loop_server import LoopServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from httpio._async_pool import AsyncPool
    from httpio._front_end import FrontEnd
    from tests.support.certs import Certificates
    from tests.support.frameworks import Framework
    from tests.support.kits import Job, Jobs

BIG = DRAIN_LIMIT + 1


def echo(asked: Asked) -> bytes:
    """Answer with method, path and content of the request."""
    return ok(f"{asked.method} {asked.path} ".encode() + asked.content)


def hold(_: Asked) -> None:
    """Leave the answer to the test."""


async def fetch(
    pool: AsyncPool[Any], url: str, method: str = "GET", **options: Any
) -> tuple[int, bytes]:
    async with pool.request(method, url, **options) as response:
        return response.status, await response.readall()


async def check(pool: AsyncPool[Any], server: LoopServer, path: str) -> None:
    """Make a request, and see that its own response comes."""
    assert await fetch(pool, server.url + path) == (200, f"GET {path} ".encode())


async def prove(pool: AsyncPool[Any], server: LoopServer) -> None:
    """Have the server show that it keeps connections."""
    await check(pool, server, "/proof")


# URLs


@pytest.mark.parametrize(
    ("url", "key", "path"),
    [
        ("http://localhost", ("http", "localhost", 80), "/"),
        ("http://localhost/", ("http", "localhost", 80), "/"),
        ("https://localhost", ("https", "localhost", 443), "/"),
        ("http://localhost:/a", ("http", "localhost", 80), "/a"),
        ("http://localhost:8080/a/b?c=d&e", ("http", "localhost", 8080), "/a/b?c=d&e"),
        ("HTTP://LOCALHOST/A", ("http", "localhost", 80), "/A"),
        ("http://localhost?query", ("http", "localhost", 80), "/?query"),
        ("http://localhost?a/b", ("http", "localhost", 80), "/?a/b"),
        ("http://localhost/?", ("http", "localhost", 80), "/?"),
        ("http://localhost/a?", ("http", "localhost", 80), "/a?"),
        ("http://localhost/a#b", ("http", "localhost", 80), "/a"),
        ("http://localhost#b/c?d", ("http", "localhost", 80), "/"),
        ("http://localhost/#a#b", ("http", "localhost", 80), "/"),
        ("http://localhost/a://b", ("http", "localhost", 80), "/a://b"),
        ("http://localhost/user@host", ("http", "localhost", 80), "/user@host"),
        ("http://localhost//a/../b;c", ("http", "localhost", 80), "//a/../b;c"),
        ("http://localhost/%20%0A", ("http", "localhost", 80), "/%20%0A"),
        ("http://127.0.0.1:1/", ("http", "127.0.0.1", 1), "/"),
        ("http://[::1]/", ("http", "::1", 80), "/"),
        ("http://[::1]:65535?a", ("http", "::1", 65535), "/?a"),
        ("http://[FE80::1]/", ("http", "fe80::1", 80), "/"),
        ("http://bücher.example/", ("http", "bücher.example", 80), "/"),
    ],
)
def test_url(url: str, key: tuple[str, str, int], path: str) -> None:
    assert split_url(url) == (key, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "/path",
        "//localhost/path",
        "localhost",
        "localhost:80",
        "localhost/path",
        "http:",
        "http:/",
        "http://",
        "http:///path",
        "http:/localhost",
        "http:localhost",
        "http://:80/",
        "http://?query",
        "http://#fragment",
        "ftp://localhost/",
        "ws://localhost/",
        "file:///etc/passwd",
        "httpx://localhost/",
        "*",
        "http://user@localhost/",
        "http://user:password@localhost/",
        "http://:password@localhost/",
        "http://@localhost/",
        "http://localhost\\@example.org/",
        "http://localhost:0/",
        "http://localhost:65536/",
        "http://localhost:99999999/",
        "http://localhost:-1/",
        "http://localhost:+80/",
        "http://localhost:a/",
        "http://localhost:8 0/",
        "http://localhost:80:80/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]80/",
        "http://[::1]example.org/",
        "http://example.org[::1]/",
        "http://[localhost]/",
        "http://[127.0.0.1]/",
        "http://[::g]/",
        "http://local host/",
        "http://local\thost/",
        "http://local\r\nhost/",
        "ht\ntp://localhost/",
        " http://localhost/",
        "http://localhost/ ",
        "\nhttp://localhost/",
        "http://localhost/a b",
        "http://localhost/\r\nX-Evil:1",
        "http://localhost/\n",
        "http://localhost/\x00",
        "http://localhost/\x7f",
        "http://localhost/#\n",
        "http://localhost\\a/",
        "http://local%68ost/",
        "http://local<host>/",
        "http://local\u200bhost/",
        "http://loc\u2100l/",
    ],
)  # fmt: skip
def test_url_that_is_refused(url: str) -> None:
    with pytest.raises(LocalProtocolError):
        split_url(url)


@pytest.mark.parametrize("url", [None, b"http://localhost/", 80])
def test_url_of_another_type(url: Any) -> None:
    with pytest.raises(TypeError, match="URLs must be str"):
        split_url(url)


def test_urls_are_refused_before_anything_is_done(framework: Framework) -> None:
    pool = framework.pool()
    with pytest.raises(LocalProtocolError):
        pool.request("GET", "http://user@localhost/")
    with pytest.raises(LocalProtocolError):
        pool.connection("localhost")
    assert pool.statistics() == (0, 0, 0)


@pytest.mark.parametrize("path", ["/ä", '/"', "/a|b", "/%"], ids=ascii)
def test_paths_are_checked_or_sent_as_they_are(framework: Framework, path: str) -> None:
    """What is refused leaves the connection as it was."""
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                await check(pool, server, "/first")
                try:
                    await check(pool, server, path)
                except LocalProtocolError:
                    assert len(server.asked) == 1
                await check(pool, server, "/last")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"backoff": -0.1},
        {"backoff": float("nan")},
        {"max_connections": 0},
        {"pipeline_depth": 0},
        {"proxy_auth": ("a", "b")},
    ],
    ids=str,
)
def test_options_that_make_no_sense(framework: Framework, options: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        framework.pool(**options)


def test_a_resolver_chooses_the_addresses_of_every_origin(framework: Framework) -> None:
    with LoopServer(echo) as server:
        asked = []

        def resolver(hostname: str, port: int) -> list[tuple[str, int]]:
            asked.append((hostname, port))
            return [("127.0.0.1", server.port)]

        async def main(jobs: Jobs) -> None:
            async with framework.pool(resolver=resolver) as pool:
                for url in ("http://a.test/", "http://b.test:81/"):
                    assert await fetch(pool, url) == (200, b"GET / ")

        framework.run(main, [server])
        assert asked == [("a.test", 80), ("b.test", 81)]


def test_a_proxy_that_cannot_be_one_is_told_to_each_request(framework: Framework) -> None:
    async def main(jobs: Jobs) -> None:
        async with framework.pool(proxy=("no host", 80), max_connections=1) as pool:
            for _ in range(2):
                with pytest.raises(LocalProtocolError, match="no host"):
                    await fetch(pool, "http://localhost/")
            assert pool.statistics() == (0, 0, 0)

    framework.run(main)


# Requests


class Pieces:
    """Content that can be iterated over again."""

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"con", b"", b"tent"))


class AsyncPieces:
    """Content that can be iterated over again, asynchronously."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in (b"con", b"", b"tent"):
            yield piece


async def generator() -> AsyncIterator[bytes]:
    yield b"con"
    yield b"tent"


BODIES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"content",
    "bytearray": lambda: bytearray(b"content"),
    "memoryview": lambda: memoryview(b"content"),
    "file": lambda: io.BytesIO(b"content"),
    "file-in-the-middle": lambda: _at(io.BytesIO(b"...content"), 3),
    "list": lambda: [b"con", b"tent"],
    "iterator": lambda: iter([b"con", b"tent"]),
    "iterable": Pieces,
    "async-iterable": AsyncPieces,
    "async-generator": generator,
}
ONCE = ("iterator", "async-generator")
"""Those that cannot be had twice."""


def _at(file: io.BytesIO, position: int) -> io.BytesIO:
    file.seek(position)
    return file


@pytest.mark.parametrize("depth", [1, 10], ids=["alone", "pipelined"])
@pytest.mark.parametrize("expect100", [False, True], ids=["", "expect100"])
@pytest.mark.parametrize("body", BODIES)
def test_body(framework: Framework, body: str, expect100: bool, depth: int) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth) as pool:
                for _ in range(2):
                    answer = await fetch(
                        pool,
                        server.url + "/",
                        "PUT",
                        body=BODIES[body](),
                        expect100=expect100,
                        continue_timeout=0,
                    )
                    assert answer == (200, b"PUT / content")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize("depth", [1, 10], ids=["alone", "pipelined"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "PATCH"])
def test_method(framework: Framework, method: str, depth: int) -> None:
    with LoopServer(lambda asked: ok(b"" if asked.method == "HEAD" else b"content")) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth) as pool:
                for _ in range(2):
                    status, content = await fetch(
                        pool, server.url + "/a?b", method, headers={"X-A": "1"}
                    )
                    assert status == 200
                    assert content == (b"" if method == "HEAD" else b"content")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert {(asked.method, asked.path, asked.headers["x-a"]) for asked in server.asked} == {
            (method, "/a?b", "1")
        }


@pytest.mark.parametrize("depth", [1, 10], ids=["alone", "pipelined"])
def test_https(framework: Framework, certificates: Certificates, depth: int) -> None:
    with LoopServer(echo, certificates) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(server, max_per_origin=2, pipeline_depth=depth) as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(50)])
                assert pool.statistics() == (2, 2, 0)

        framework.run(main, [server])
        assert server.most == 2


def test_tls_session_tickets_do_not_make_a_connection_look_dead(
    framework: Framework, certificates: Certificates
) -> None:
    """With TLS 1.3 they come after the handshake, when nothing was asked for."""
    with LoopServer(echo, certificates) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(server) as pool:
                async with pool.connection(server.url) as conn:
                    await conn.connect()
                    await framework.turns(5)
                    cipher = await conn.get_ssl_cipher()
                    assert cipher is not None
                    assert cipher[1] == "TLSv1.3"
                    # They are there, and nobody has read them.
                    assert conn._core._transport.is_readable()
                for number in range(5):
                    await check(pool, server, f"/{number}")
                    await framework.turns(5)

        framework.run(main, [server])
        assert len(server.seats) == 1


def test_without_a_context_the_certificates_of_the_system_are_used(
    framework: Framework, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority_file))
    with LoopServer(echo, certificates) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(3)])

        framework.run(main, [server])


def test_a_pool_that_is_closed_while_the_certificates_are_read_refuses(
    framework: Framework, certificates: Certificates
) -> None:
    with LoopServer(echo, certificates) as server:

        async def main(jobs: Jobs) -> None:
            pool = framework.pool()
            job = jobs.start(lambda: fetch(pool, server.url))
            await framework.until(lambda: job.is_waiting)
            await pool.aclose()
            assert isinstance(await job.failure(), StateError)
            assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])
        assert not server.seats


def test_through_a_proxy(framework: Framework) -> None:
    """Servers of all names are behind it, each with connections of its own."""
    with LoopServer(echo) as proxy:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(
                proxy=(proxy.host, proxy.port), proxy_auth=("user", "password")
            ) as pool:
                for host in ("one.example", "two.example:81", "one.example"):
                    url = f"http://{host}/path"
                    assert await fetch(pool, url) == (200, f"GET {url} ".encode())
                assert pool.statistics() == (2, 2, 0)

        framework.run(main, [proxy])
        assert len(proxy.seats) == 2
        for asked in proxy.asked:
            assert asked.headers["proxy-authorization"] == "Basic dXNlcjpwYXNzd29yZA=="


def test_a_proxy_that_opens_no_tunnel(framework: Framework, certificates: Certificates) -> None:
    with LoopServer(lambda _: ok(status="403 Forbidden")) as proxy:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(
                proxy=(proxy.host, proxy.port), ssl_context=certificates.client_context()
            ) as pool:
                with pytest.raises(ProxyError):
                    await fetch(pool, "https://one.example/")
                assert pool.statistics() == (0, 0, 0)

        framework.run(main, [proxy])
        assert [(asked.method, asked.path) for asked in proxy.asked] == [
            ("CONNECT", "one.example:443")
        ]


def test_nobody_listens(framework: Framework) -> None:
    with LoopServer(echo) as server:
        server.close_listener()

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_connections=1) as pool:
                for _ in range(3):
                    with pytest.raises(ConnectionRefusedError):
                        await fetch(pool, server.url)
                assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])


def test_connections_are_used_again(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                for number in range(20):
                    await check(pool, server, f"/{number}")

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda content: ok(content),
        lambda content: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(content), content)
        ),
        lambda content: Answer(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content, Then.CLOSE
        ),
        lambda content: last(content),
    ],
    ids=["length", "chunked", "until-close", "announced"],
)
@pytest.mark.parametrize("depth", [1, 10], ids=["alone", "pipelined"])
@pytest.mark.parametrize("size", [1, BIG], ids=["little", "big"])
@pytest.mark.parametrize("leave", ["read", "unread", "in-the-middle", "exception"])
def test_leaving(
    framework: Framework, make: Callable[[bytes], Any], depth: int, size: int, leave: str
) -> None:
    """However the block is left, the next request is answered as it should be."""
    with LoopServer(
        lambda asked: make(b"x" * size) if asked.path == "/first" else echo(asked)
    ) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_connections=1, pipeline_depth=depth) as pool:
                try:
                    async with pool.request("GET", server.url + "/first") as response:
                        if leave == "read":
                            assert await response.readall() == b"x" * size
                        elif leave == "in-the-middle":
                            assert await response.read(1) == b"x"
                        elif leave == "exception":
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    assert leave == "exception"
                await check(pool, server, "/second")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert server.paths() == ["/first", "/second"]
        assert server.most == 1


def test_a_response_cannot_be_read_after_its_block(framework: Framework) -> None:
    with LoopServer(lambda _: ok(b"x" * 1000)) as server:

        async def main(jobs: Jobs) -> None:
            for depth in (1, 10):
                async with framework.pool(pipeline_depth=depth) as pool:
                    async with pool.request("GET", server.url) as response:
                        pass
                    with pytest.raises(StateError):
                        await response.readall()
                    async with pool.request("GET", server.url) as other:
                        with pytest.raises(StateError):
                            await response.read(10)
                        assert await other.readall() == b"x" * 1000

        framework.run(main, [server])


def test_an_answer_may_end_an_upload(framework: Framework) -> None:
    """RFC 9112 §9.5. Whether the content is in memory or comes from somewhere makes no difference."""
    size = 8 * 1024 * 1024

    with LoopServer(echo, early=lambda _: last(b"too much"), receive_buffer=4096) as server:

        async def main(jobs: Jobs) -> None:
            for depth in (1, 10):
                for body in (bytes(size), io.BytesIO(bytes(size))):
                    async with framework.pool(pipeline_depth=depth, retries=1) as pool:
                        answer = await fetch(pool, server.url + "/", "PUT", body=body)
                        assert answer == (200, b"too much")

        framework.run(main, [server])
        assert not server.asked
        assert len(server.seats) == 4


# Limits


def test_a_thousand_tasks_over_ten_connections(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=10) as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(1000)])
                assert pool.statistics() == (10, 10, 0)

        framework.run(main, [server])
        assert len(server.asked) == 1000
        assert server.most == len(server.seats) == 10


def test_the_limit_of_all_connections(framework: Framework) -> None:
    """Idle connections to one server make room for those to another one."""
    with ExitStack() as stack:
        servers = [stack.enter_context(LoopServer(echo)) for _ in range(4)]
        random = Random(1)

        async def ask(pool: AsyncPool[Any], number: int) -> None:
            await check(pool, random.choice(servers), f"/{number}")
            statistics = pool.statistics()
            assert statistics.connections <= 5

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_connections=5, max_per_origin=3) as pool:
                await finish(jobs, [partial(ask, pool, n) for n in range(300)])
                assert pool.statistics().waiting == 0

        framework.run(main, servers)
        assert max(server.most for server in servers) <= 3
        assert sum(len(server.asked) for server in servers) == 300


def test_requests_are_made_in_the_order_of_the_tasks(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=1) as pool:
                started = []
                for number in range(30):
                    started.append(jobs.start(partial(check, pool, server, f"/{number}")))
                    # Or trio would choose the order.
                    await have_begun(framework, started[-1])
                for job in started:
                    await job.result()

        framework.run(main, [server])
        assert server.paths() == [f"/{number}" for number in range(30)]


def test_statistics(framework: Framework) -> None:
    with LoopServer(hold) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=2) as pool:
                started = [jobs.start(lambda: fetch(pool, server.url)) for _ in range(5)]
                await framework.until(lambda: len(server.held) == 2)
                assert pool.statistics() == (2, 0, 3)
                for number in range(5):
                    await hold_at_least(framework, server, number + 1)
                    server.held[number].give(ok())
                for job in started:
                    await job.result()
                assert pool.statistics() == (2, 2, 0)
                pool.close_idle()
                assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])


def test_idle_connections_are_closed_after_a_time(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(idle_timeout=0) as pool:
                for number in range(3):
                    await check(pool, server, f"/{number}")

        framework.run(main, [server])
        assert len(server.seats) == 3
        assert server.most == 1


# Sharing


def test_each_task_gets_its_own_response(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=2) as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(500)])
                assert pool.statistics() == (2, 2, 0)

        framework.run(main, [server])
        assert server.most == len(server.seats) == 2
        assert len(server.asked) == 500


def test_requests_are_under_way_at_once_if_the_server_has_proved_itself(
    framework: Framework,
) -> None:
    with LoopServer(lambda asked: echo(asked) if asked.path == "/proof" else None) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=2) as pool:
                started = [jobs.start(partial(check, pool, server, f"/{n}")) for n in range(150)]
                # Nothing is known: one on each.
                await framework.until(lambda: len(server.held) == 2)
                await framework.turns(10)
                assert len(server.held) == 2
                assert pool.statistics() == (2, 0, 148)
                slot = server.held[0]
                slot.give(echo(slot.asked))
                await framework.until(lambda: len(server.held) == 101)
                await framework.turns(10)
                # The one that was answered has left.
                assert len(server.held) == 101
                assert pool.statistics() == (2, 0, 49)
                assert {Counter(slot.seat.number for slot in server.held)[n] for n in (0, 1)} == {
                    50,
                    51,
                }
                answered = 1
                while answered < 150:
                    await hold_at_least(framework, server, answered + 1)
                    for slot in server.held[1:]:
                        if slot.answer is None:
                            slot.give(echo(slot.asked))
                            answered += 1
                for job in started:
                    await job.result()
                assert pool.statistics() == (2, 2, 0)

        framework.run(main, [server])


def test_what_must_not_be_sent_twice_has_its_connection_for_itself(framework: Framework) -> None:
    with LoopServer(lambda asked: echo(asked) if asked.path == "/proof" else None) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                methods = ["GET", "GET", "POST", "GET", "GET"]
                started = []
                for method in methods:
                    job = jobs.start(partial(fetch, pool, server.url + "/", method))
                    started.append(job)
                    await have_begun(framework, job)
                for expected in (["GET", "GET"], ["POST"], ["GET", "GET"]):
                    await hold_at_least(framework, server, len(expected))
                    await framework.turns(5)
                    assert [slot.asked.method for slot in server.held] == expected
                    slots, server.held = server.held, []
                    for slot in slots:
                        slot.give(echo(slot.asked))
                for job in started:
                    await job.result()

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize(
    "options",
    [{"idempotent": False}, {"expect100": True, "body": b"a"}, {"body": [b"a"]}],
    ids=str,
)
def test_what_does_not_share(framework: Framework, options: dict[str, Any]) -> None:
    with LoopServer(lambda asked: echo(asked) if asked.path == "/proof" else None) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                one = jobs.start(
                    lambda: fetch(pool, server.url, "PUT", continue_timeout=0, **options)
                )
                await framework.until(lambda: server.held)
                two = jobs.start(lambda: fetch(pool, server.url))
                await framework.turns(10)
                assert len(server.held) == 1
                server.held[0].give(ok())
                await one.result()
                await framework.until(lambda: len(server.held) == 2)
                server.held[1].give(ok())
                await two.result()

        framework.run(main, [server])


def test_a_post_that_is_idempotent_shares(framework: Framework) -> None:
    with LoopServer(lambda asked: echo(asked) if asked.path == "/proof" else None) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                started = [
                    jobs.start(lambda: fetch(pool, server.url, "POST", body=b"a", idempotent=True))
                    for _ in range(3)
                ]
                await framework.until(lambda: len(server.held) == 3)
                for slot in server.held:
                    slot.give(ok())
                for job in started:
                    await job.result()

        framework.run(main, [server])


async def hold_at_least(framework: Framework, server: LoopServer, count: int) -> None:
    """Wait until the server has so many requests to answer."""
    await framework.until(lambda: len(server.held) >= count)


async def have_begun(framework: Framework, *jobs: Job[Any]) -> None:
    """Wait until *jobs* wait for something, or are over."""
    await framework.until(lambda: all(job.is_waiting or job.is_over for job in jobs))


async def under_way(
    framework: Framework, pool: AsyncPool[Any], server: LoopServer, count: int
) -> None:
    """Wait until the server holds *count* requests, and their tasks have their turns."""
    await framework.until(
        lambda: (
            len(server.held) == count
            and sum(len(queue.turns) for queue in pool._queues.values()) == count
        )
    )


async def share(
    framework: Framework, jobs: Jobs, pool: AsyncPool[Any], server: LoopServer, count: int
) -> list[Job[tuple[int, bytes]]]:
    """Start *count* requests that share the connection, which are held by the server."""
    started: list[Job[tuple[int, bytes]]] = []
    for number in range(count):
        started.append(jobs.start(partial(fetch, pool, f"{server.url}/{number}")))
        await under_way(framework, pool, server, len(started))
    return started


def proving(asked: Asked) -> bytes | None:
    """Answer to what is no number."""
    return None if asked.path[1:].isdigit() else echo(asked)


@pytest.mark.parametrize("who", [[0], [1], [3], [0, 1, 2], [1, 2], [0, 2], [2, 3], [0, 3]], ids=str)
@pytest.mark.parametrize("when", ["waiting", "answered"])
def test_the_response_of_a_cancelled_task_is_skipped(
    framework: Framework, who: list[int], when: str
) -> None:
    """It is read by whoever comes next; if nobody does, the connection is closed."""
    with LoopServer(proving) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                started = await share(framework, jobs, pool, server, 4)
                if when == "answered":
                    # They are there, but no task has run.
                    for slot in server.held:
                        slot.give(echo(slot.asked))
                for number in who:
                    started[number].cancel()
                await framework.until(lambda: all(started[number].is_over for number in who))
                if when == "waiting":
                    for slot in server.held:
                        slot.give(echo(slot.asked))
                for number, job in enumerate(started):
                    if number not in who:
                        assert await job.result() == (200, f"GET /{number} ".encode())
                await check(pool, server, "/last")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        # None was asked for twice.
        assert sorted(server.paths()) == sorted(["/proof", "/0", "/1", "/2", "/3", "/last"])
        nobody_was_next = who[-1] == 3
        assert len(server.seats) == 1 + nobody_was_next


@pytest.mark.parametrize("waits", [False, True], ids=["cancelled", "waits"])
def test_a_response_that_never_comes_keeps_nobody_waiting(
    framework: Framework, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Whoever comes next waits for a moment, or is cancelled as well; then all ask again."""
    monkeypatch.setattr(_pool_exchange, "_GRACE", 0.01 if waits else 1000.0)
    with LoopServer(proving) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1, retries=0) as pool:
                await prove(pool, server)
                started = await share(framework, jobs, pool, server, 4)
                gone = 1 if waits else 2
                (queue,) = pool._queues.values()
                started[0].cancel()
                if not waits:
                    await framework.until(lambda: queue.turns[0].reads_for_others)
                    started[1].cancel()
                await framework.until(lambda: len(server.paths()) == 1 + 4 + 4 - gone)
                for slot in server.held[gone - 4 :]:
                    slot.give(echo(slot.asked))
                for number, job in enumerate(started[gone:], gone):
                    assert await job.result() == (200, f"GET /{number} ".encode())
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert len(server.seats) == 2


@pytest.mark.parametrize("how", ["cancelled", "left", "exception", "in-the-middle"])
def test_a_big_response_that_nobody_reads_closes_the_connection(
    framework: Framework, how: str
) -> None:
    """The others are asked for again: over a new connection, and by nobody's fault."""
    with LoopServer(proving) as server:

        async def leave(pool: AsyncPool[Any]) -> None:
            async with pool.request("GET", server.url + "/0") as response:
                if how == "in-the-middle":
                    await response.read(10)
                elif how == "exception":
                    raise ZeroDivisionError

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1, retries=0) as pool:
                await prove(pool, server)
                first = jobs.start(lambda: leave(pool))
                await under_way(framework, pool, server, 1)
                others = []
                for number in (1, 2, 3):
                    others.append(jobs.start(partial(fetch, pool, f"{server.url}/{number}")))
                    await under_way(framework, pool, server, number + 1)
                if how == "cancelled":
                    first.cancel()
                for slot in server.held:
                    slot.give(ok(b"x" * BIG) if slot.asked.path == "/0" else echo(slot.asked))
                await framework.until(lambda: len(server.held) == 7)
                for slot in server.held[4:]:
                    slot.give(echo(slot.asked))
                for number, job in enumerate(others, 1):
                    assert await job.result() == (200, f"GET /{number} ".encode())
                await framework.until(lambda: first.is_over)
                # It is not the server's fault either.
                peer = pool._policy._peers["http", server.host, server.port]
                assert peer.pipelining is Pipelining.PROVEN
                assert peer._breaks == 0

        framework.run(main, [server])
        assert len(server.seats) == 2
        assert sorted(server.paths()[1:]) == sorted(["/0", "/1", "/2", "/3", "/1", "/2", "/3"])


def test_an_exception_in_a_block_leaves_a_little_response_to_the_next(
    framework: Framework,
) -> None:
    with LoopServer(proving) as server:

        async def fail(pool: AsyncPool[Any]) -> None:
            async with pool.request("GET", server.url + "/0"):
                raise ZeroDivisionError

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                first = jobs.start(lambda: fail(pool))
                await under_way(framework, pool, server, 1)
                second = jobs.start(lambda: fetch(pool, server.url + "/1"))
                await under_way(framework, pool, server, 2)
                for slot in server.held:
                    slot.give(ok(slot.asked.path.encode()))
                assert isinstance(await first.failure(), ZeroDivisionError)
                assert await second.result() == (200, b"/1")
                assert pool.statistics() == (1, 1, 0)

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_tasks_that_are_cancelled_at_any_time(framework: Framework, seed: int, depth: int) -> None:
    """Before they send, while they do, while they wait and while they read: nobody gets what is another's."""
    random = Random(seed)
    with LoopServer(
        lambda asked: ok(asked.path.encode() * (1 if len(asked.path) % 2 else 300)),
        receive_buffer=4096,
    ) as server:

        async def ask(pool: AsyncPool[Any], number: int) -> None:
            path = f"/{number}"
            size = random.choice((0, 0, 0, 100, 300_000))
            async with pool.request(
                "PUT", server.url + path, body=bytes(size) if size else None
            ) as response:
                assert response.status == 200
                content = await response.read(1)
                await framework.turns(random.choice((0, 0, 1, 3)))
                content += await response.readall()
                assert content.replace(path.encode(), b"") == b"", path

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth, max_per_origin=2, retries=0) as pool:
                running: list[Job[None]] = []
                cancelled: list[Job[None]] = []
                for number in range(150):
                    running.append(jobs.start(partial(ask, pool, number)))
                    await framework.turns(random.choice((0, 0, 0, 1, 2)))
                    # asyncio does not even begin what is cancelled before.
                    waiting = [job for job in running if job.is_waiting]
                    if waiting and random.random() < 0.4:
                        cancelled.append(random.choice(waiting))
                        cancelled[-1].cancel()
                for job in running:
                    if job not in cancelled:
                        await job.result()
                await framework.until(lambda: all(job.is_over for job in cancelled))
                for job in cancelled:
                    # It was over before, or it was cancelled.
                    assert job.results or isinstance(job.error, framework.kit.cancellation)
                statistics = pool.statistics()
                assert statistics.waiting == 0
                assert statistics.connections == statistics.idle <= 2
                assert not pool._queues

        framework.run(main, [server], seed=seed)
        assert server.most <= 2


# Cancellation at each point


@pytest.mark.exhaustive
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "kind", ["get", "put", "upload", "wait", "share", "lease", "discard", "retry"]
)
def test_cancelled_at_each_point(
    framework: Framework, certificates: Certificates, kind: str, tls: bool
) -> None:
    """Whatever is cancelled leaves a pool that works, and nothing else."""
    attempts: list[Asked] = []

    def answer(asked: Asked) -> bytes | Answer:
        if kind == "retry" and asked.path == "/x":
            attempts.append(asked)
            if len(attempts) == 1:
                return Answer(b"", Then.CLOSE)
        if kind == "discard" and asked.path == "/x":
            return ok(b"x" * 100_000)
        return echo(asked)

    with LoopServer(answer, certificates if tls else None, receive_buffer=4096) as server:

        async def call(pool: AsyncPool[Any]) -> None:
            url = server.url + "/x"
            if kind == "lease":
                async with pool.connection(url) as conn:
                    async for _ in conn.pipeline(Request("GET", f"/{n}") for n in range(3)):
                        await conn.readall()
                return
            body: Any = None
            if kind == "put":
                body = bytes(300_000)
            elif kind == "upload":
                body = [b"a" * 1000] * 5
            async with pool.request("PUT" if body else "GET", url, body=body) as response:
                if kind != "discard":
                    await response.readall()

        async def main(jobs: Jobs) -> None:
            for way in framework.kit.ways:
                number = 0
                reached = True
                while reached:
                    number += 1
                    attempts.clear()
                    depth = 10 if kind == "share" else 1
                    async with framework.pool(
                        server, max_per_origin=1, pipeline_depth=depth
                    ) as pool:
                        others = []
                        if kind in {"wait", "share"}:
                            await check(pool, server, "/before")
                            others = [
                                jobs.start(partial(check, pool, server, f"/{n}")) for n in range(3)
                            ]
                        became = await framework.kit.cancel_at(number, way, lambda: call(pool))
                        reached = became.was_reached
                        for job in others:
                            await job.result()
                        await check(pool, server, "/after")
                        assert pool.statistics() == (1, 1, 0)
                        assert not pool._queues
                assert number > 1

        framework.run(main, [server])


# What servers do


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_a_server_that_closes_after_five_responses(
    framework: Framework, depth: int, announced: bool
) -> None:
    """If it says so, no request is lost by it that had been worth an attempt."""

    def answer(asked: Asked) -> bytes | Answer:
        if asked.number < 4:
            return echo(asked)
        data = echo(asked)
        if announced:
            data = data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        return Answer(data, Then.CLOSE)

    with LoopServer(answer) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(
                pipeline_depth=depth, max_per_origin=2, retries=0 if announced else 3
            ) as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(203)])
                peer = pool._policy._peers["http", server.host, server.port]
                if announced and depth > 1:
                    assert peer.pipelining is Pipelining.PROVEN

        framework.run(main, [server])
        assert server.most <= 2
        if announced:
            assert len(server.asked) == 203
            assert len(server.seats) <= 42


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET], ids=["fin", "rst"])
@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_server_that_always_closes(
    framework: Framework, depth: int, retries: int, then: Then
) -> None:
    with LoopServer(lambda _: Answer(b"", then)) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth, retries=retries) as pool:
                with pytest.raises(ConnectionClosed) as info:
                    await fetch(pool, server.url + "/a")
                assert info.value.reason in (CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST)
                assert [tuple(request) for request in info.value.unanswered] == [("GET", "/a")]
                assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])
        assert server.paths() == ["/a"] * (retries + 1)
        assert len(server.seats) == retries + 1


def test_pauses_between_attempts(framework: Framework) -> None:
    """Not before the first repetition; then longer each time."""
    pauses = []
    with LoopServer(lambda _: Answer(b"", Then.CLOSE)) as server:

        class Pool(framework.pool_type):  # type: ignore[name-defined, misc]  # it is one
            async def _sleep(self, seconds: float) -> None:
                pauses.append((len(server.asked), seconds))
                await super()._sleep(0)

        async def main(jobs: Jobs) -> None:
            async with Pool(retries=4, backoff=8) as pool:
                with pytest.raises(ConnectionClosed):
                    await fetch(pool, server.url)

        framework.run(main, [server])
    # The last one is aclose()'s.
    assert [asked for asked, _ in pauses[:-1]] == [2, 3, 4]
    for (_, seconds), longest in zip(pauses[:-1], (8, 16, 30), strict=True):
        assert longest / 2 <= seconds <= longest


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_a_request_that_the_server_does_not_survive(framework: Framework, depth: int) -> None:
    """It must not go on for ever, however many old connections there are: others go on making such."""

    def answer(asked: Asked) -> bytes | Answer:
        return Answer(b"", Then.CLOSE) if asked.path == "/poison" else echo(asked)

    with LoopServer(answer) as server:

        async def work(pool: AsyncPool[Any], poisoned: Job[Any]) -> None:
            number = 0
            while not poisoned.is_over:
                await check(pool, server, f"/{number}")
                number += 1
                # No task may wait for the others to give up.
                assert number < 5000

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth, max_per_origin=4, retries=2) as pool:
                await prove(pool, server)
                poisoned = jobs.start(lambda: fetch(pool, server.url + "/poison"))
                others = [jobs.start(lambda: work(pool, poisoned)) for _ in range(6)]
                assert isinstance(await poisoned.failure(), ConnectionClosed)
                for job in others:
                    await job.result()

        framework.run(main, [server])
        # Two old ones, and three new ones.
        assert 3 <= server.paths().count("/poison") <= 5


@pytest.mark.parametrize("expect100", [False, True], ids=["", "expect100"])
@pytest.mark.parametrize("body", [None, *BODIES])
def test_what_is_sent_again(framework: Framework, body: str | None, expect100: bool) -> None:
    """A body that can be had again is, from where it began."""

    def answer(asked: Asked) -> bytes | Answer:
        return echo(asked) if asked.connection else Answer(b"", Then.CLOSE)

    with LoopServer(answer) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:

                async def put() -> tuple[int, bytes]:
                    return await fetch(
                        pool,
                        server.url + "/",
                        "PUT",
                        # An iterator, which is empty the second time.
                        headers=iter([("X-A", "1")]),
                        body=None if body is None else BODIES[body](),
                        expect100=expect100,
                        continue_timeout=0,
                    )

                if body in ONCE:
                    with pytest.raises(ConnectionClosed):
                        await put()
                else:
                    assert await put() == (200, b"PUT / " + (b"content" if body else b""))

        framework.run(main, [server])
        assert [asked.content for asked in server.asked] == [b"content" if body else b""] * (
            1 if body in ONCE else 2
        )
        assert {asked.headers["x-a"] for asked in server.asked} == {"1"}


@pytest.mark.parametrize("body", [None, *BODIES])
def test_what_is_not_sent_again(framework: Framework, body: str | None) -> None:
    with LoopServer(lambda _: Answer(b"", Then.CLOSE)) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                with pytest.raises(ConnectionClosed) as info:
                    await fetch(
                        pool, server.url, "POST", body=None if body is None else BODIES[body]()
                    )
                assert [request.repeatable for request in info.value.unanswered] == [False]

        framework.run(main, [server])
        assert len(server.asked) == 1


def test_content_that_fails_is_not_taken_for_a_connection_that_does(framework: Framework) -> None:
    """An exception without unanswered requests says that nothing was sent; but of another connection."""
    with LoopServer(echo) as server:
        begun = []

        class Content:
            async def __aiter__(self) -> AsyncIterator[bytes]:
                begun.append(1)
                yield b"content"
                raise ConnectionClosed("of something else")

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                with pytest.raises(ConnectionClosed, match="of something else"):
                    await fetch(pool, server.url, "POST", body=Content())
                await check(pool, server, "/after")

        framework.run(main, [server])
        assert begun == [1]


TOO_LATE = Answer(
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate",
    Then.CLOSE,
)


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_a_408_that_crosses_a_request(framework: Framework, depth: int) -> None:
    crossed: list[str] = []
    with LoopServer(echo) as server:

        def before_send(conn: FrontEnd, what: str) -> None:
            seat = server.seat_of(port_of(conn))
            if seat is not None and seat.asked and what == "GET /crossing" and not crossed:
                crossed.append(what)
                seat.end.send(TOO_LATE.data)
                seat.then = Then.CLOSE
                seat.flush()

        pool_type = watched_pool(framework.pool_type, before_send=before_send)

        async def main(jobs: Jobs) -> None:
            async with pool_type(pipeline_depth=depth, max_per_origin=1, retries=0) as pool:
                await prove(pool, server)
                await finish(
                    jobs,
                    [partial(check, pool, server, path) for path in ("/crossing", "/one", "/two")],
                )

        framework.run(main, [server])
        assert crossed
        assert len(server.seats) == 2


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_a_408_over_a_new_connection_is_an_answer(framework: Framework, depth: int) -> None:
    with LoopServer(lambda _: TOO_LATE) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth) as pool:
                assert await fetch(pool, server.url) == (408, b"late")

        framework.run(main, [server])
        assert len(server.asked) == 1


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_a_408_to_every_second_request(framework: Framework, depth: int) -> None:
    """Whoever gets it again and again over old connections gets a new one."""
    with LoopServer(lambda asked: TOO_LATE if asked.number else echo(asked)) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=depth, max_per_origin=3, retries=0) as pool:
                await finish(jobs, [partial(check, pool, server, f"/{n}") for n in range(60)])

        framework.run(main, [server])


@pytest.mark.parametrize("body", BODIES)
def test_after_a_408_content_is_sent_again_only_if_it_can_be(
    framework: Framework, body: str
) -> None:
    """Otherwise the second attempt would have none, and the server would store that."""

    def answer(asked: Asked) -> bytes | Answer:
        return TOO_LATE if asked.number == 1 else echo(asked)

    with LoopServer(answer) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                await prove(pool, server)
                got = await fetch(pool, server.url + "/", "PUT", body=BODIES[body]())
                assert got == ((408, b"late") if body in ONCE else (200, b"PUT / content"))

        framework.run(main, [server])
        assert {asked.content for asked in server.asked[1:]} == {b"content"}


def test_nonsense_is_told_to_whom_it_is_for(framework: Framework) -> None:
    """Those who share the connection ask again."""
    with LoopServer(proving) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                started = await share(framework, jobs, pool, server, 4)
                started[0].cancel()
                await framework.until(lambda: started[0].is_over)
                for slot, data in zip(server.held, (ok(), b"nonsense\r\n\r\n"), strict=False):
                    slot.give(data)
                assert isinstance(await started[1].failure(), InvalidResponse)
                await framework.until(lambda: len(server.held) == 6)
                for slot in server.held[4:]:
                    slot.give(echo(slot.asked))
                for number in (2, 3):
                    assert await started[number].result() == (200, f"GET /{number} ".encode())

        framework.run(main, [server])


def test_nonsense_for_a_task_that_was_cancelled_is_told_to_nobody(framework: Framework) -> None:
    with LoopServer(proving) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(pipeline_depth=50, max_per_origin=1) as pool:
                await prove(pool, server)
                started = await share(framework, jobs, pool, server, 3)
                started[0].cancel()
                await framework.until(lambda: started[0].is_over)
                server.held[0].give(b"nonsense\r\n\r\n")
                await framework.until(lambda: len(server.held) == 5)
                for slot in server.held[3:]:
                    slot.give(echo(slot.asked))
                for number in (1, 2):
                    assert await started[number].result() == (200, f"GET /{number} ".encode())

        framework.run(main, [server])


def test_a_response_that_breaks_off_is_no_response(framework: Framework) -> None:
    with LoopServer(lambda asked: Answer(ok(b"x" * 100)[:-50], Then.CLOSE)) as server:

        async def main(jobs: Jobs) -> None:
            for depth in (1, 50):
                async with framework.pool(pipeline_depth=depth) as pool:
                    with pytest.raises(ConnectionClosed):
                        await fetch(pool, server.url)
                    assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])
        # The head was there: it is for the caller to ask again.
        assert len(server.asked) == 2


def test_what_a_server_sends_unasked_is_not_taken_for_a_response(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                await prove(pool, server)
                server.seats[0].end.send(ok(b"unasked"))
                await check(pool, server, "/after")
                # Behind a response it is the same.
                server.seats[1].end.send(b"x")
                await check(pool, server, "/last")

        framework.run(main, [server])
        assert len(server.seats) == 3


# Leases


def test_a_lease(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                await prove(pool, server)
                async with pool.connection(server.url) as conn:
                    assert pool.statistics() == (1, 0, 0)
                    paths = [f"/{number}" for number in range(50)]
                    async for response in conn.pipeline(Request("GET", path) for path in paths):
                        assert await conn.readall() == f"GET {response.path} ".encode()
                assert pool.statistics() == (1, 1, 0)
                await check(pool, server, "/after")

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_a_lease_is_for_nobody_else(framework: Framework, depth: int) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=1, pipeline_depth=depth) as pool:
                await prove(pool, server)
                async with pool.connection(server.url):
                    job = jobs.start(lambda: check(pool, server, "/other"))
                    await framework.turns(10)
                    assert pool.statistics() == (1, 0, 1)
                    assert len(server.asked) == 1
                await job.result()

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize("left", ["request", "response", "upload", "pipeline", "closed", "reset"])
@pytest.mark.parametrize("how", ["end", "exception"])
def test_a_lease_that_leaves_something_under_way(framework: Framework, left: str, how: str) -> None:
    with LoopServer(lambda asked: ok(b"x" * 1000)) as server:

        async def leave(conn: Any) -> None:
            if left == "request":
                await conn.send_request("GET", "/left")
            elif left == "response":
                await conn.send_request("GET", "/left")
                await conn.read_response()
            elif left == "upload":
                from httpio import BodyFollowing

                await conn.send_request("PUT", "/left", body=BodyFollowing(10))
            elif left == "pipeline":
                async for _ in conn.pipeline(Request("GET", f"/{n}") for n in range(50)):
                    break
            else:
                await conn.connect()
                getattr(conn, {"closed": "close", "reset": "reset"}[left])()

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=1) as pool:
                try:
                    async with pool.connection(server.url) as conn:
                        await leave(conn)
                        if how == "exception":
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    assert how == "exception"
                assert pool.statistics() == (0, 0, 0)
                assert await fetch(pool, server.url) == (200, b"x" * 1000)

        framework.run(main, [server])
        assert server.most == 1


def test_a_leased_connection_that_is_closed_later_does_no_harm(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool() as pool:
                for way in ("close", "reset"):
                    async with pool.connection(server.url) as conn:
                        await conn.connect()
                    getattr(conn, way)()
                    await check(pool, server, "/after")

        framework.run(main, [server])


# Closing


def test_use_after_close(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            pool = framework.pool()
            await prove(pool, server)
            request = pool.request("GET", server.url)
            lease = pool.connection(server.url)
            await pool.aclose()
            await pool.aclose()
            for use in (request, lease, pool.request("GET", server.url)):
                with pytest.raises(StateError, match="the pool was closed"):
                    async with use:
                        pass
            assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])
        assert len(server.asked) == 1


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
@pytest.mark.parametrize("state", ["waiting", "reading-head", "reading-content", "sending"])
def test_close_wakes_all(framework: Framework, state: str, depth: int) -> None:
    with LoopServer(lambda asked: None, receive_buffer=4096) as server:

        async def ask(pool: AsyncPool[Any]) -> None:
            body = bytes(8 * 1024 * 1024) if state == "sending" else None
            await fetch(pool, server.url, "PUT", body=body)

        async def main(jobs: Jobs) -> None:
            pool = framework.pool(max_per_origin=1, pipeline_depth=depth)
            if depth > 1:
                peer = Peer()
                peer.persists()
                pool._policy._peers["http", server.host, server.port] = peer
            first = jobs.start(lambda: ask(pool))
            await framework.until(lambda: pool.statistics().connections == 1)
            others = [jobs.start(lambda: ask(pool)) for _ in range(3)]
            if state == "sending":
                await framework.turns(50)
            else:
                await framework.until(lambda: server.held)
            if state == "reading-content":
                server.held[0].give(Answer(ok(b"x" * 100)[:-1]))
            await framework.turns(5)
            await pool.aclose()
            assert isinstance(await first.failure(), ConnectionClosed)
            for job in others:
                error = await job.failure()
                assert isinstance(error, StateError if depth == 1 else ConnectionClosed)
            assert pool.statistics() == (0, 0, 0)
            assert not pool._queues

        framework.run(main, [server])
        assert len(server.seats) == 1


def test_close_wakes_those_that_connect(framework: Framework) -> None:
    """The server's side of a handshake does not come."""
    import ssl

    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            pool = framework.pool(ssl_context=ssl.create_default_context())
            job = jobs.start(lambda: fetch(pool, server.url.replace("http", "https")))
            await framework.until(lambda: server.seats and server.seats[0].end.unread)
            await pool.aclose()
            assert isinstance(await job.failure(), ConnectionClosed)
            assert pool.statistics() == (0, 0, 0)

        framework.run(main, [server])
        assert len(server.seats) == 1


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_who_was_just_served_does_not_connect_again(framework: Framework, depth: int) -> None:
    """The pool is closed after it was given a connection, and before it has run."""
    with LoopServer(hold) as server:

        async def main(jobs: Jobs) -> None:
            pool = framework.pool(max_per_origin=1, pipeline_depth=depth)
            lease = pool.connection(server.url)
            await lease.__aenter__()
            started = [jobs.start(partial(fetch, pool, server.url)) for _ in range(2)]
            await have_begun(framework, *started)
            await lease.__aexit__(None, None, None)
            # What aclose() does before it lets others have a turn.
            pool._policy.close()
            for job in started:
                assert isinstance(await job.failure(), StateError)
            assert pool.statistics() == (0, 0, 0)
            assert not pool._queues

        framework.run(main, [server])
        assert not server.seats


def test_who_waits_can_be_cancelled(framework: Framework) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=1) as pool:
                async with pool.connection(server.url):
                    started = [jobs.start(partial(check, pool, server, f"/{n}")) for n in range(4)]
                    await framework.until(lambda: pool.statistics().waiting == 4)
                    for number in (0, 2):
                        started[number].cancel()
                    await framework.until(lambda: pool.statistics().waiting == 2)
                for number in (1, 3):
                    await started[number].result()

        framework.run(main, [server])
        assert sorted(server.paths()) == ["/1", "/3"]


@pytest.mark.parametrize("depth", [1, 50], ids=["alone", "pipelined"])
def test_who_is_served_and_cancelled_at_once_leaves_the_connection(
    framework: Framework, depth: int
) -> None:
    with LoopServer(echo) as server:

        async def main(jobs: Jobs) -> None:
            async with framework.pool(max_per_origin=1, pipeline_depth=depth) as pool:
                await prove(pool, server)
                lease = pool.connection(server.url)
                await lease.__aenter__()
                started = []
                for number in range(4):
                    started.append(jobs.start(partial(check, pool, server, f"/{number}")))
                    await have_begun(framework, started[-1])
                await lease.__aexit__(None, None, None)
                # It was served, and has not run.
                started[0].cancel()
                for job in started[1:]:
                    await job.result()
                await framework.until(lambda: started[0].is_over)
                assert pool.statistics() == (1, 1, 0)
                assert not pool._queues

        framework.run(main, [server])


def test_threads_of_asyncio_are_not_needed() -> None:
    """A pool is made where there is no loop yet."""
    from httpio_aio import ConnectionPool

    pool = ConnectionPool()
    asyncio.run(pool.aclose())
