"""The clients of `benchmarks.clients` that run in an event loop, each with a loop of its own.

The first argument says which loop: ``asyncio``, ``uvloop`` or ``trio``. With the first two it lasts as
long as the client, trio's as long as one call. httpio's front ends have the same methods under all
three, so their clients are written once.
"""

from __future__ import annotations

import atexit
import os
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from .clients import HOST, MIB, Objects, aligned_memory, check

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from typing import Any

    import aiohttp

    from httpio import PollGenerator
    from httpio._front_end import FrontEnd

    from .clients import Client

_T = TypeVar("_T")

CONNECTIONS: Final = 64
"""Of aiohttp, where it is to get many objects."""


class Loop(Protocol):
    """What there is of an event loop."""

    def run(self, function: Callable[[int], Coroutine[Any, Any, _T]], count: int) -> _T:
        """Call *function* with *count* in the loop, and return what it returns."""

    def connection(
        self, host: str, port: str, ssl_context: ssl.SSLContext | None = None
    ) -> FrontEnd:
        """Return a connection of the front end of httpio; it connects with the first request."""

    async def beside(
        self, background: Callable[[], Coroutine[Any, Any, None]], body: Awaitable[_T]
    ) -> _T:
        """Await *body* while a task runs *background*, which is cancelled then."""

    async def sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed."""


class AsyncioLoop:
    """asyncio's own event loop, or uvloop."""

    def __init__(self, name: str) -> None:
        import asyncio

        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        if name == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        self._runner: Final = asyncio.Runner(loop_factory=factory)

    def run(self, function: Callable[[int], Coroutine[Any, Any, _T]], count: int) -> _T:
        return self._runner.run(function(count))

    def run_at_exit(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have *function* called in the loop in the end."""
        atexit.register(lambda: self._runner.run(function()))

    def connection(
        self, host: str, port: str, ssl_context: ssl.SSLContext | None = None
    ) -> FrontEnd:
        from httpio_aio import HTTPConnection

        return HTTPConnection(host, int(port), ssl_context)

    async def beside(
        self, background: Callable[[], Coroutine[Any, Any, None]], body: Awaitable[_T]
    ) -> _T:
        import asyncio

        task = asyncio.create_task(background())
        try:
            return await body
        finally:
            task.cancel()

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


class TrioLoop:
    """trio."""

    def __init__(self) -> None:
        import trio

        self._trio: Final = trio

    def run(self, function: Callable[[int], Coroutine[Any, Any, _T]], count: int) -> _T:
        return self._trio.run(function, count)

    def connection(
        self, host: str, port: str, ssl_context: ssl.SSLContext | None = None
    ) -> FrontEnd:
        from httpio_trio import HTTPConnection

        return HTTPConnection(host, int(port), ssl_context)

    async def beside(
        self, background: Callable[[], Coroutine[Any, Any, None]], body: Awaitable[_T]
    ) -> _T:
        async with self._trio.open_nursery() as nursery:
            nursery.start_soon(background)
            result = await body
            nursery.cancel_scope.cancel()
        return result

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)


def make_loop(name: str) -> Loop:
    """Return the event loop that is called *name*."""
    return TrioLoop() if name == "trio" else AsyncioLoop(name)


# --- One small document at a time: CLIENT LOOP PORT PATH SIZE --------------------------------------


class HttpioGet:
    """httpio, by the methods that the blocking connection has too."""

    def __init__(self, loop: str, port: str, path: str, size: str) -> None:
        self._loop: Final = make_loop(loop)
        self._connection: Final = self._loop.connection(HOST, port)
        self._path: Final = path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        connection, path = self._connection, self._path
        for _ in range(count):
            await connection.send_request("GET", path)
            response = await connection.read_response()
            content = await connection.readall()
            assert response.status == 200
            check(content, self._size)


class HttpioRequest(HttpioGet):
    """httpio, request and response as one block."""

    async def _get(self, count: int) -> None:
        connection, path = self._connection, self._path
        for _ in range(count):
            async with connection.request("GET", path) as response:
                content = await response.readall()
            assert response.status == 200
            check(content, self._size)


class HttpioTimeout(HttpioGet):
    """httpio, each exchange with a time-out: the peers have theirs built in."""

    async def _get(self, count: int) -> None:
        import asyncio

        connection, path = self._connection, self._path
        for _ in range(count):
            async with asyncio.timeout(60):
                await connection.send_request("GET", path)
                response = await connection.read_response()
                content = await connection.readall()
            assert response.status == 200
            check(content, self._size)


class CoreGet:
    """httpio's core, with something of httpio_aio that runs its coroutines one by one.

    It knows nothing of the connection, so each wait registers the descriptor with the loop anew.
    """

    def __init__(self, loop: str, port: str, path: str, size: str) -> None:
        from httpio import HTTPConnection

        self._loop: Final = AsyncioLoop(loop)
        self._connection: Final = HTTPConnection(HOST, int(port))
        self._path: Final = path
        self._size: Final = int(size)
        self._await: Final = self._driver()

    def _driver(self) -> Callable[[PollGenerator[Any]], Awaitable[Any]]:
        raise NotImplementedError

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        connection, path, run = self._connection, self._path, self._await
        for _ in range(count):
            await run(connection.co_send_request("GET", path))
            response = await run(connection.co_read_response())
            content = await run(connection.co_readall())
            assert response.status == 200
            check(content, self._size)


class CoreByRun(CoreGet):
    """By ``httpio_aio.run``."""

    def _driver(self) -> Callable[[PollGenerator[Any]], Awaitable[Any]]:
        from httpio_aio import run

        return run


class CoreByFuture(CoreGet):
    """By ``httpio_aio.AioFuture``."""

    def _driver(self) -> Callable[[PollGenerator[Any]], Awaitable[Any]]:
        from httpio_aio import AioFuture

        return AioFuture


class Aiohttp:
    """What the clients with aiohttp have in common: a session with its pool of connections."""

    def __init__(self, loop: str, port: str, connections: int = 1) -> None:
        import aiohttp

        self._loop: Final = AsyncioLoop(loop)
        self._aiohttp: Final = aiohttp
        self._prefix: Final = f"http://{HOST}:{port}"
        self._session: aiohttp.ClientSession = self._loop.run(self._open, connections)
        # It complains if it is not closed.
        self._loop.run_at_exit(self._session.close)

    async def _open(self, connections: int) -> aiohttp.ClientSession:
        connector = self._aiohttp.TCPConnector(limit=connections)
        return self._aiohttp.ClientSession(connector=connector)


class AiohttpGet(Aiohttp):
    """aiohttp, one connection."""

    def __init__(self, loop: str, port: str, path: str, size: str) -> None:
        super().__init__(loop, port)
        self._url: Final = self._prefix + path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        session, url = self._session, self._url
        for _ in range(count):
            async with session.get(url) as response:
                content = await response.read()
            assert response.status == 200
            check(content, self._size)


class Httpx:
    """What the clients with httpx have in common: its client with a pool of connections."""

    def __init__(self, loop: str, port: str) -> None:
        import httpx

        self._loop: Final = make_loop(loop)
        self._client: Final = httpx.AsyncClient(trust_env=False)
        self._prefix: Final = f"http://{HOST}:{port}"


class HttpxGet(Httpx):
    """httpx, one connection."""

    def __init__(self, loop: str, port: str, path: str, size: str) -> None:
        super().__init__(loop, port)
        self._url: Final = self._prefix + path
        self._size: Final = int(size)

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        client, url = self._client, self._url
        for _ in range(count):
            response = await client.get(url)
            assert response.status_code == 200
            check(response.content, self._size)


# --- Many different objects, each handed to the caller: CLIENT LOOP PORT COUNT ----------------------


class PipelineObjects(Objects):
    """What the clients with a pipeline have in common."""

    def __init__(self, loop: str, port: str, count: str) -> None:
        from httpio import Request

        super().__init__(port, count)
        self._requests: Final = [Request("GET", path) for path in self._paths]
        self._loop: Final = make_loop(loop)
        self._connection: Final = self._loop.connection(HOST, port)

    def __call__(self, count: int) -> None:
        received = self._loop.run(self._get, count)
        self.check(received, count)

    async def _get(self, count: int) -> int:
        """Get the first *count* objects, and return how many bytes they have."""
        raise NotImplementedError


class WithBodies(PipelineObjects):
    """httpio, pairs of response and content."""

    async def _get(self, count: int) -> int:
        received = number = 0
        pipeline = self._connection.pipeline(self._requests[:count])
        async for response, content in pipeline.with_bodies():
            assert response.status == 200
            received += len(content)
            number += 1
        assert number == count
        return received


class NextBatch(PipelineObjects):
    """httpio, lists of such pairs."""

    async def _get(self, count: int) -> int:
        received = number = 0
        pipeline = self._connection.pipeline(self._requests[:count])
        while batch := await pipeline.next_batch():
            for response, content in batch:
                assert response.status == 200
                received += len(content)
            number += len(batch)
        assert number == count
        return received


class AiohttpObjects(Objects, Aiohttp):
    """aiohttp, 64 connections, and as many tasks that take the next object each."""

    def __init__(self, loop: str, port: str, count: str) -> None:
        Objects.__init__(self, port, count)
        Aiohttp.__init__(self, loop, port, CONNECTIONS)

    def __call__(self, count: int) -> None:
        self._received = 0
        self._loop.run(self._get_all, count)
        self.check(self._received, count)

    async def _get_all(self, count: int) -> None:
        import asyncio

        paths = iter(self._paths[:count])
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._get(paths))

    async def _get(self, paths: Iterator[str]) -> None:
        for path in paths:
            async with self._session.get(self._prefix + path) as response:
                content = await response.read()
            assert response.status == 200
            self._received += len(content)


# --- Large bodies. An operation is one MiB: CLIENT LOOP PORT BUFFER_SIZE ----------------------------


class RawReceive:
    """The floor: what asyncio has for a socket and the caller's buffer."""

    def __init__(self, loop: str, port: str, buffer_size: str) -> None:
        self._loop: Final = AsyncioLoop(loop)
        self._port: Final = int(port)
        self._buffer: Final = aligned_memory(int(buffer_size))

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        with socket.create_connection((HOST, self._port)) as sock:
            sock.setblocking(False)
            await self._receive(sock, count)

    async def _receive(self, sock: socket.socket, count: int) -> None:
        import asyncio

        loop, buffer = asyncio.get_running_loop(), self._buffer
        request = f"GET /{count * MIB} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        await loop.sock_sendall(sock, request)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await loop.sock_recv(sock, 1)
        left = count * MIB
        while left:
            left -= await loop.sock_recv_into(sock, buffer)


class HttpioReadinto:
    """httpio with ``readinto``."""

    def __init__(self, loop: str, port: str, buffer_size: str) -> None:
        self._loop: Final = make_loop(loop)
        self._connection: Final = self._loop.connection(HOST, port)
        self._buffer: Final = aligned_memory(int(buffer_size))

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        connection, buffer = self._connection, self._buffer
        await connection.send_request("GET", f"/{count * MIB}")
        await connection.read_response()
        left = count * MIB
        while size := await connection.readinto(buffer):
            left -= size
        assert not left
        connection.close()


class HttpioIterBody(HttpioReadinto):
    """httpio with ``iter_body``, pieces as large as the buffer."""

    async def _get(self, count: int) -> None:
        left = count * MIB
        async with self._connection.request("GET", f"/{left}") as response:
            async for piece in response.iter_body(len(self._buffer)):
                left -= len(piece)
        assert not left
        self._connection.close()


class AiohttpIterChunked(Aiohttp):
    """aiohttp with ``iter_chunked``."""

    def __init__(self, loop: str, port: str, chunk_size: str) -> None:
        super().__init__(loop, port)
        self._chunk_size: Final = int(chunk_size)

    async def _open(self, connections: int) -> aiohttp.ClientSession:
        # One connection for each round.
        connector = self._aiohttp.TCPConnector(limit=connections, force_close=True)
        session: aiohttp.ClientSession = self._aiohttp.ClientSession(connector=connector)
        return session

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        left = count * MIB
        async with self._session.get(f"{self._prefix}/{left}") as response:
            async for piece in response.content.iter_chunked(self._chunk_size):
                left -= len(piece)
        assert not left


class AiohttpIterAny(AiohttpIterChunked):
    """aiohttp with ``iter_any``: pieces as they came."""

    async def _get(self, count: int) -> None:
        left = count * MIB
        async with self._session.get(f"{self._prefix}/{left}") as response:
            async for piece in response.content.iter_any():
                left -= len(piece)
        assert not left


class HttpxAiterRaw(Httpx):
    """httpx with ``aiter_raw``: pieces as they came, which is less work than pieces of one size."""

    def __init__(self, loop: str, port: str, _chunk_size: str) -> None:
        super().__init__(loop, port)

    def __call__(self, count: int) -> None:
        self._loop.run(self._get, count)

    async def _get(self, count: int) -> None:
        left = count * MIB
        async with self._client.stream("GET", f"{self._prefix}/{left}") as response:
            async for piece in response.aiter_raw():
                left -= len(piece)
        assert not left


# --- How long others in the event loop have to wait: CLIENT LOOP PORT ... ---------------------------

TICK: Final = 0.001
"""Seconds that the ticker sleeps."""

LOOK_UP_TIME: Final = 0.3
"""Seconds that the slow resolver takes."""


class Ticker:
    """Nothing is done but to tick, for a hundredth of a second each time.

    The others do something besides. Each returns how much longer than it wanted the ticker slept,
    less the time that the system gave to other processes.
    """

    def __init__(self, loop: str, port: str, *_: str) -> None:
        self._loop: Final = make_loop(loop)
        self._port: Final = port
        self._longest = 0.0
        try:
            self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._statistics = -1

    def _run_delay(self) -> float:
        """Return the seconds that this thread was ready to run, but other processes ran instead."""
        if self._statistics < 0:
            return 0.0
        return int(os.pread(self._statistics, 100, 0).split()[1]) / 1e9

    def __call__(self, count: int) -> float:
        self._longest = 0.0
        self._loop.run(self._run, count)
        return self._longest

    async def _run(self, count: int) -> None:
        await self._loop.beside(self._tick, self._do_and_wait(count))

    async def _tick(self) -> None:
        clock, sleep, run_delay = time.perf_counter, self._loop.sleep, self._run_delay
        while True:
            before, delay = clock(), run_delay()
            await sleep(TICK)
            delay = run_delay() - delay
            self._longest = max(self._longest, clock() - before - TICK - delay)

    async def _do_and_wait(self, count: int) -> None:
        # The ticker has begun, and sees the end too.
        await self._loop.sleep(5 * TICK)
        await self._do(count)
        await self._loop.sleep(5 * TICK)

    async def _do(self, count: int) -> None:
        for _ in range(count):
            await self._loop.sleep(10 * TICK)


async def _getaddrinfo_by_thread(
    loop: asyncio.AbstractEventLoop, *arguments: Any, **options: Any
) -> list[tuple[Any, ...]]:
    """Do what asyncio's own event loop does when it is asked for addresses."""
    function = partial(socket.getaddrinfo, *arguments, **options)
    return [*await loop.run_in_executor(None, function)]


class LookUp(Ticker):
    """A name is looked up by a slow resolver."""

    def __init__(self, loop: str, port: str) -> None:
        super().__init__(loop, port)
        getaddrinfo = socket.getaddrinfo

        def slow_getaddrinfo(
            host: bytes | str | None,
            port: bytes | str | int | None,
            family: int = 0,
            type: int = 0,  # noqa: A002 - that is its name
            proto: int = 0,
            flags: int = 0,
        ) -> list[tuple[Any, ...]]:
            # Nobody is asked for what is an address.
            if not flags & socket.AI_NUMERICHOST:
                time.sleep(LOOK_UP_TIME)
            return [*getaddrinfo(host, port, family, type, proto, flags)]

        socket.getaddrinfo = slow_getaddrinfo
        if loop == "uvloop":
            import uvloop

            # It has a thread of its own call the function of the C library: have one call ours.
            uvloop.Loop.getaddrinfo = _getaddrinfo_by_thread  # type: ignore[assignment, method-assign] # exact types

    async def _do(self, count: int) -> None:
        for _ in range(count):
            before = time.perf_counter()
            async with self._loop.connection("localhost", self._port) as connection:
                await connection.connect()
            assert time.perf_counter() - before >= LOOK_UP_TIME, "the resolver was not slow"


class Connect(Ticker):
    """Connections are opened, and closed again."""

    _ssl_context: ssl.SSLContext | None = None

    async def _do(self, count: int) -> None:
        for _ in range(count):
            async with self._loop.connection(HOST, self._port, self._ssl_context) as connection:
                await connection.connect()


class Handshake(Connect):
    """Connections with TLS are opened, and closed again: CLIENT LOOP PORT AUTHORITY."""

    def __init__(self, loop: str, port: str, authority: str) -> None:
        import ssl

        super().__init__(loop, port)
        self._ssl_context = ssl.create_default_context(cafile=authority)


class TransferTicker(Ticker):
    """What large bodies have in common. An operation is one MiB: CLIENT LOOP PORT BUFFER_SIZE."""

    def __init__(self, loop: str, port: str, buffer_size: str) -> None:
        super().__init__(loop, port)
        self._connection: Final = self._loop.connection(HOST, port)
        self._buffer: Final = bytearray(os.urandom(int(buffer_size)))


class Download(TransferTicker):
    """A large body is received into a buffer."""

    async def _do(self, count: int) -> None:
        connection, buffer = self._connection, self._buffer
        await connection.send_request("GET", f"/{count * MIB}")
        await connection.read_response()
        left = count * MIB
        while size := await connection.readinto(buffer):
            left -= size
        assert not left


class DownloadReadall(TransferTicker):
    """A large body is received as one object."""

    async def _do(self, count: int) -> None:
        await self._connection.send_request("GET", f"/{count * MIB}")
        await self._connection.read_response()
        check(await self._connection.readall(), count * MIB)


class Upload(TransferTicker):
    """A large body is sent from a buffer."""

    async def _do(self, count: int) -> None:
        from httpio import BodyFollowing

        connection, buffer = self._connection, self._buffer
        length = count * MIB
        await connection.send_request("PUT", "/", body=BodyFollowing(length))
        for _ in range(length // len(buffer)):
            await connection.write(buffer)
        assert (await connection.read_response()).status == 204


class UploadWhole(TransferTicker):
    """A large body is sent that is one object."""

    def __call__(self, count: int) -> float:
        # Nobody is to wait for that.
        self._content = b"." * (count * MIB)
        return super().__call__(count)

    async def _do(self, count: int) -> None:
        from httpio import BodyFollowing

        connection = self._connection
        await connection.send_request("PUT", "/", body=BodyFollowing(count * MIB))
        await connection.write(self._content)
        assert (await connection.read_response()).status == 204


ON_ASYNCIO: dict[str, Callable[..., Client]] = {
    "httpio timeout()": HttpioTimeout,
    "core by run": CoreByRun,
    "core by AioFuture": CoreByFuture,
    "aiohttp": AiohttpGet,
    "aiohttp, 64 connections": AiohttpObjects,
    "raw sock_recv_into": RawReceive,
    "aiohttp iter_chunked": AiohttpIterChunked,
    "aiohttp iter_any": AiohttpIterAny,
}
ON_ANY_LOOP: dict[str, Callable[..., Client]] = {
    "httpio": HttpioGet,
    "httpio request()": HttpioRequest,
    "httpx": HttpxGet,
    "httpio with_bodies": WithBodies,
    "httpio next_batch": NextBatch,
    "httpio readinto": HttpioReadinto,
    "httpio iter_body": HttpioIterBody,
    "httpx aiter_raw": HttpxAiterRaw,
    "nothing": Ticker,
    "name resolution": LookUp,
    "connect": Connect,
    "TLS handshake": Handshake,
    "download, readinto": Download,
    "download, readall": DownloadReadall,
    "upload, pieces": Upload,
    "upload, one write": UploadWhole,
}
CLIENTS: dict[str, Callable[..., Client]] = {
    f"{name}, {loop}": partial(client, loop)
    for loops, clients in (
        (("asyncio", "uvloop"), ON_ASYNCIO),
        (("asyncio", "uvloop", "trio"), ON_ANY_LOOP),
    )
    for loop in loops
    for name, client in clients.items()
}
