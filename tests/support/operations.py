"""Each operation of a front end: what comes before it, itself, and how it is completed after a cancellation.

The server is an `AnsweringServer` with the smallest buffers there are, so that an operation has many points at which it
waits. `World` is what one try works on.
"""

from __future__ import annotations

import hashlib
import random
import select
import socket
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import IO, TYPE_CHECKING

from httpio import BodyFollowing, CloseReason, ConnectionClosed, Request

from .answering import Answer, AnsweringServer, Asked, ok
from .server_end import shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from httpio import HTTPResponse
    from httpio._async_pipeline import AsyncPipeline
    from httpio._front_end import FrontEnd

    from .certs import Certificates
    from .kits import Kit

CONTENT = random.Random(7).randbytes(25_000)
"""Several times what fits into the buffers between client and server."""
RANGES = [(start, 2000) for start in range(0, 20_000, 5000)]
PIPELINED = 12
"""Requests of a pipeline."""
BIG_EVERY = 6
"""So many of them have a response that does not fit into the buffers."""


def digest(content: bytes) -> bytes:
    """Return what the server answers to an upload."""
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}".encode()


def answer(asked: Asked) -> bytes:
    """Answer uploads with a digest, ``/big`` with `CONTENT`, ranges of it, and all else with its path."""
    if asked.method in {"PUT", "POST"}:
        return ok(digest(asked.content))
    if wanted := asked.headers.get("range"):
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        field_lines = (f"Content-Range: bytes {first}-{last}/{len(CONTENT)}", 'ETag: "1"')
        return ok(CONTENT[first : last + 1], *field_lines, status="206 Partial Content")
    return ok(expected(asked.path))


def expected(path: str) -> bytes:
    """Return the content that is at *path*."""
    return CONTENT if path.startswith("/big") else path.encode()


def early(asked: Asked) -> Answer | None:
    """Let who asks go on."""
    return Answer(b"HTTP/1.1 100 Continue\r\n\r\n") if "expect" in asked.headers else None


@contextmanager
def small_server(
    tls: Certificates | None = None, *, tcp: bool = False
) -> Iterator[AnsweringServer]:
    """Run the server."""
    made = AnsweringServer(answer, tls, tcp=tcp, small=True, early=early)
    with made as server, server.in_thread():
        yield server


@dataclass
class World:
    """One try."""

    kit: Kit
    server: AnsweringServer
    conn: FrontEnd
    number: int
    """It makes paths that no other try uses."""
    cleanup: ExitStack
    got: bytearray = field(default_factory=bytearray)
    sent: int = 0
    is_done: bool = False
    pipeline: AsyncPipeline | None = None
    file: IO[bytes] | None = None
    paths: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/{self.number}"

    async def connect(self, *, small: bool = True) -> None:
        """Open the connection."""
        await self.conn.connect()
        if small:
            shrink_send_buffer(self.conn._core)

    async def read_upload(self) -> None:
        """Read the response to an upload of `CONTENT`."""
        response = await self.conn.read_response()
        while response.status == 100:
            response = await self.conn.read_response()
        assert response.path == self.path
        assert await self.conn.readall() == digest(CONTENT)

    async def prove(self) -> None:
        """Check that a request gets its right answer."""
        path = f"/proof{self.number}"
        await self.conn.send_request("GET", path)
        response = await self.conn.read_response()
        assert (response.path, response.status) == (path, 200)
        assert await self.conn.readall() == path.encode()
        assert not self.conn.response_pending()


class Operation:
    """Connecting: there is nothing before it, and nothing to be completed."""

    #: A cancellation may leave the connection closed.
    may_close = False

    def __init__(self, name: str) -> None:
        self.name = name

    async def prepare(self, world: World) -> None:
        """Do what comes before."""

    async def perform(self, world: World) -> None:
        """Do what is to be cancelled."""
        await world.conn.connect()

    async def resume(self, world: World) -> None:
        """Complete it."""


class Cipher(Operation):
    async def perform(self, world: World) -> None:
        assert (await world.conn.get_ssl_cipher() is None) == (world.conn.ssl_context is None)


class Send(Operation):
    """A request with its body."""

    may_close = True

    def __init__(self, name: str, body: bytes | None, *, connected: bool) -> None:
        super().__init__(name)
        self.body = body
        self.connected = connected

    async def prepare(self, world: World) -> None:
        if self.connected:
            await world.connect()

    async def perform(self, world: World) -> None:
        method = "GET" if self.body is None else "POST"
        await world.conn.send_request(method, world.path, body=self.body)

    async def resume(self, world: World) -> None:
        if not world.conn.response_pending():
            # It was not sent, so it can be sent now.
            await self.perform(world)
        response = await world.conn.read_response()
        assert response.path == world.path
        content = await world.conn.readall()
        assert content == (world.path.encode() if self.body is None else digest(self.body))


class Write(Operation):
    """Content by `write`, in pieces that differ in size."""

    may_close = True

    def __init__(self, name: str, length: int | None, *, finish_only: bool = False) -> None:
        super().__init__(name)
        self.length = length
        self.finish_only = finish_only

    async def prepare(self, world: World) -> None:
        await world.connect()
        await world.conn.send_request("POST", world.path, body=BodyFollowing(self.length))
        if self.finish_only:
            await self.write(world)
            # Not read by the server, so that the end has to wait as well.

    async def write(self, world: World) -> None:
        for end in (10, 15_000, len(CONTENT)):
            if world.sent < end:
                world.sent += await world.conn.write(CONTENT[world.sent : end])

    async def perform(self, world: World) -> None:
        if not self.finish_only:
            await self.write(world)
        if self.length is None and not world.is_done:
            await world.conn.finish_body({"X-Trailer": "t" * 3000} if self.finish_only else None)
            world.is_done = True

    async def resume(self, world: World) -> None:
        await self.perform(world)
        await world.read_upload()


class SendFile(Operation):
    """Content by `sendfile`."""

    may_close = True

    def __init__(self, name: str, length: int | None) -> None:
        super().__init__(name)
        self.length = length

    async def prepare(self, world: World) -> None:
        await world.connect()
        file = world.cleanup.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is closed by that
        world.file = file
        file.write(CONTENT)
        file.seek(0)
        await world.conn.send_request("POST", world.path, body=BodyFollowing(self.length))

    async def perform(self, world: World) -> None:
        assert world.file is not None
        await world.conn.sendfile(world.file)

    async def resume(self, world: World) -> None:
        # From where the file stands.
        await self.perform(world)
        if self.length is None:
            await world.conn.finish_body()
        await world.read_upload()


class ReadResponse(Operation):
    """The head of a response."""

    async def prepare(self, world: World) -> None:
        await world.connect()
        await world.conn.send_request("GET", world.path)

    async def perform(self, world: World) -> None:
        response = await world.conn.read_response()
        assert response.path == world.path
        world.is_done = True

    async def resume(self, world: World) -> None:
        if not world.is_done:
            await self.perform(world)
        assert await world.conn.readall() == world.path.encode()


class Read(Operation):
    """Content, which is read on to its exact end afterwards."""

    def __init__(self, name: str, read: Callable[[World], object]) -> None:
        super().__init__(name)
        self.read = read

    async def prepare(self, world: World) -> None:
        await world.connect()
        await world.conn.send_request("GET", f"/big{world.number}")
        await world.conn.read_response()
        world.got += await world.conn.read(7)

    async def perform(self, world: World) -> None:
        reading = self.read(world)
        assert hasattr(reading, "__await__")
        await reading

    async def resume(self, world: World) -> None:
        world.got += await world.conn.readall()
        assert world.got == CONTENT


async def read(world: World) -> None:
    while piece := await world.conn.read(3000):
        world.got += piece


async def readall(world: World) -> None:
    world.got += await world.conn.readall()


async def readinto(world: World) -> None:
    buffer = bytearray(3000)
    while size := await world.conn.readinto(buffer):
        world.got += buffer[:size]


async def iter_body(world: World) -> None:
    async for piece in world.conn.iter_body(3000):
        world.got += piece


class Discard(Read):
    async def resume(self, world: World) -> None:
        await world.conn.discard()


class Pipelined(Operation):
    """A pipeline; a call that is cancelled loses nothing."""

    async def prepare(self, world: World) -> None:
        await world.connect()
        prefix = f"-{world.number}-"
        world.paths = [
            f"/{'big' if number % BIG_EVERY == 5 else ''}{prefix}{number}"
            for number in range(PIPELINED)
        ]
        world.pipeline = world.conn.pipeline(
            [Request("GET", path, headers={"X-Long": "x" * 500}) for path in world.paths], depth=20
        )

    async def check(self, world: World, response: HTTPResponse, content: bytes) -> None:
        path = world.paths.pop(0)
        assert response.path == path
        assert content == expected(path)


class NextResponse(Pipelined):
    async def perform(self, world: World) -> None:
        assert world.pipeline is not None
        response = world.conn.get_current_response()
        while True:
            if response is None:
                response = await world.pipeline.next_response()
            if response is None:
                break
            await self.check(world, response, await world.conn.readall())
            response = None

    async def resume(self, world: World) -> None:
        await self.perform(world)
        assert not world.paths


class NextBatch(Pipelined):
    async def perform(self, world: World) -> None:
        assert world.pipeline is not None
        while batch := await world.pipeline.next_batch():
            for response, content in batch:
                await self.check(world, response, content)

    async def resume(self, world: World) -> None:
        await self.perform(world)
        assert not world.paths


class NextSmall(NextResponse):
    async def perform(self, world: World) -> None:
        assert world.pipeline is not None
        response = world.conn.get_current_response()
        while True:
            if response is None:
                if batch := await world.pipeline.next_small():
                    for small, content in batch:
                        await self.check(world, small, content)
                    continue
                response = await world.pipeline.next_response()
            if response is None:
                break
            await self.check(world, response, await world.conn.readall())
            response = None


class WithBodies(NextBatch):
    async def perform(self, world: World) -> None:
        assert world.pipeline is not None
        async for response, content in world.pipeline.with_bodies():
            await self.check(world, response, content)


class ReadRanges(Operation):
    async def prepare(self, world: World) -> None:
        await world.connect()

    async def perform(self, world: World) -> None:
        found = await world.conn.read_ranges(world.path, RANGES, gap=0)
        assert found == [CONTENT[start : start + size] for start, size in RANGES]

    async def resume(self, world: World) -> None:
        await self.perform(world)


class Ask(Operation):
    """`request`, after which the connection can always be used."""

    def __init__(
        self, name: str, body: Callable[[World], object] | None, *, expect100: bool = False
    ) -> None:
        super().__init__(name)
        self.body = body
        self.expect100 = expect100

    async def prepare(self, world: World) -> None:
        await world.connect()

    async def perform(self, world: World) -> None:
        if self.body is None:
            async with world.conn.request("GET", f"/big{world.number}") as response:
                assert await response.readall() == CONTENT
            return
        asking = world.conn.request(
            "POST",
            world.path,
            body=self.body(world),  # type: ignore[arg-type]
            expect100=self.expect100,
            continue_timeout=60.0,
        )
        async with asking as response:
            assert await response.readall() == digest(CONTENT)


async def pieces(world: World) -> AsyncIterator[bytes]:
    for start in range(0, len(CONTENT), 9000):
        await world.kit.turn()
        yield CONTENT[start : start + 9000]


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("connect"),
        Cipher("get_ssl_cipher"),
        Send("send_request", None, connected=False),
        Send("send_request-big", CONTENT, connected=True),
        Write("write", len(CONTENT)),
        Write("write-chunked", None),
        Write("finish_body", None, finish_only=True),
        SendFile("sendfile", len(CONTENT)),
        SendFile("sendfile-chunked", None),
        ReadResponse("read_response"),
        Read("read", read),
        Read("readall", readall),
        Read("readinto", readinto),
        Read("iter_body", iter_body),
        Discard("discard", lambda world: world.conn.discard()),
        NextResponse("next_response"),
        NextBatch("next_batch"),
        NextSmall("next_small"),
        WithBodies("with_bodies"),
        ReadRanges("read_ranges"),
        Ask("request", None),
        Ask("request-bytes", lambda _: CONTENT),
        Ask("request-pieces", pieces),
        Ask("request-expect100", lambda _: CONTENT, expect100=True),
        Ask("request-expect100-pieces", pieces, expect100=True),
    )
}


def cancel_everywhere(
    kit: Kit,
    operation: Operation,
    way: str,
    server: AnsweringServer,
    connection: Callable[[], FrontEnd],
    names: dict[str, list[tuple[str, int]]] | None = None,
) -> int:
    """Cancel *operation* at each of its suspensions in turn, until it ends before; return how many it has."""

    async def attempt(number: int) -> bool:
        with ExitStack() as cleanup:
            world = World(kit, server, connection(), number, cleanup)
            await operation.prepare(world)
            became = await kit.cancel_at(number, way, lambda: operation.perform(world))
            if became.was_cancelled and became.was_waiting:
                # Otherwise the open connection may stay registered for its next wait.
                kit.check_unwatched()
            try:
                await operation.resume(world)
                await world.prove()
            except ConnectionClosed as exc:
                # Reset it only if the reason says so.
                if exc.reason is not CloseReason.CANCELLED:
                    raise
                assert operation.may_close
                assert became.was_cancelled
                world.conn.reset()
                await world.prove()
            world.conn.close()
            kit.check_unwatched()
        return became.was_reached

    async def main() -> int:
        number = 1
        while await attempt(number):
            number += 1
        return number - 1

    count = kit.run(main, names)
    # What is not repeatable is never sent twice.
    posts = [asked.path for asked in server.asked if asked.method == "POST"]
    assert len(set(posts)) == len(posts) or isinstance(operation, Ask)
    return count


class ConnectProxy:
    """A proxy that opens tunnels (RFC 9110 §9.3.6) to whatever port of this machine is asked for."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._threads = [Thread(target=self._accept, name="connect proxy", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> ConnectProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            thread = Thread(target=self._serve, args=(client,), name="connect proxy", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(4096)
                if not data:
                    return
                head += data
            port = int(head.split(b" ")[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                while True:
                    for one in select.select([client, server], [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        (server if one is client else client).sendall(data)
