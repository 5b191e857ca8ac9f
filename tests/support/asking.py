"""Tests, for each framework, of `request`: a request and its response as one block."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from httpio import BodyFollowing, ExcessBodyData, LocalProtocolError, Request, StateError
from tests.support.answering import Answer, AnsweringServer, Asked, ok
from tests.support.operations import CONTENT, digest, small_server
from tests.support.scripted import accept, close, expect, expect_end, expect_head, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from httpio._async_exchange import AsyncRequestBody
    from httpio._async_response import Response
    from httpio._front_end import FrontEnd

    from .certs import Certificates
    from .fix_scripted import ServerFactory
    from .kits import Kit
    from .scripted import ScriptedServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def pieces(*, fails: bool = False, content: bytes = CONTENT) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 4000):
        yield content[start : start + 4000]
        if fails:
            raise ZeroDivisionError


def plain_pieces() -> Iterator[bytes]:
    for start in range(0, len(CONTENT), 4000):
        yield CONTENT[start : start + 4000]


async def ask(conn: FrontEnd, path: str = "/next") -> bytes:
    async with conn.request("GET", path) as response:
        assert (response.status, response.path) == (200, path)
        return await response.readall()


def to(kit: Kit, server: ScriptedServer) -> FrontEnd:
    return kit.connection(server.host, server.port)


async def refused(conn: FrontEnd) -> None:
    """Make a request that must be refused."""
    with pytest.raises(StateError):
        async with conn.request("GET", "/refused"):
            pytest.fail("it was not refused")


class RequestTests:
    """To be run with a fixture ``kit``."""

    @pytest.mark.parametrize("expect100", [False, True], ids=["at-once", "expect100"])
    @pytest.mark.parametrize("kind", ["bytes", "view", "file", "iterable", "async", "empty"])
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_content(
        self, kit: Kit, certificates: Certificates, kind: str, expect100: bool, tls: bool
    ) -> None:
        bodies: dict[str, AsyncRequestBody] = {
            "bytes": CONTENT,
            "view": memoryview(bytearray(CONTENT)),
            "file": io.BytesIO(CONTENT),
            "iterable": plain_pieces(),
            "async": pieces(),
            "empty": b"",
        }
        with small_server(certificates if tls else None) as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    asking = conn.request("PUT", "/1", body=bodies[kind], expect100=expect100)
                    async with asking as response:
                        sent = b"" if kind == "empty" else CONTENT
                        assert await response.readall() == digest(sent)
                    assert await ask(conn) == b"/next"

            kit.run(main)
            # Over the same connection.
            assert {asked.connection for asked in server.asked} == {0}

    @pytest.mark.parametrize("seconds", [-1.0, float("nan")])
    def test_time_that_cannot_be_waited(self, kit: Kit, seconds: float) -> None:
        conn = kit.connection()
        with pytest.raises(LocalProtocolError, match="continue_timeout"):
            conn.request("PUT", "/", body=b"x", expect100=True, continue_timeout=seconds)

    @pytest.mark.parametrize("body", [BodyFollowing(3), 5, len])
    def test_what_is_no_content(self, kit: Kit, body: Any) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    with pytest.raises(TypeError, match="body"):
                        async with conn.request("PUT", "/1", body=body):
                            pytest.fail("it was not refused")
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [asked.path for asked in server.asked] == ["/next"]

    def test_refused_request_does_not_disturb_an_upload(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    may_go_on = kit.event()

                    async def slow_pieces() -> AsyncIterator[bytes]:
                        yield CONTENT[:10]
                        await may_go_on.wait()
                        yield CONTENT[10:]

                    async def upload() -> bytes:
                        async with conn.request("PUT", "/1", body=slow_pieces()) as response:
                            return await response.readall()

                    async with kit.jobs() as jobs:
                        job = jobs.start(upload)
                        await kit.until(lambda: conn._core._state.outstanding)
                        await refused(conn)
                        may_go_on.set()
                        assert await job.result() == digest(CONTENT)
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [(asked.path, asked.connection) for asked in server.asked] == [
                ("/1", 0),
                ("/next", 0),
            ]

    def test_refused_request_does_not_disturb_a_pipeline(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    # Nothing is outstanding between two of its requests.
                    requests = [Request("GET", f"/{number}") for number in range(3)]
                    pipeline = conn.pipeline(requests, depth=1)
                    async for _ in pipeline:
                        await conn.readall()
                        if pipeline.answered < 3:
                            await refused(conn)
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [(asked.path, asked.connection) for asked in server.asked] == [
                (path, 0) for path in ("/0", "/1", "/2", "/next")
            ]

    def test_little_content_is_drained(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    async with conn.request("GET", "/big") as response:
                        assert len(await response.read(10)) <= 10
                    with pytest.raises(StateError, match="read or dropped elsewhere"):
                        await response.read()
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [asked.connection for asked in server.asked] == [0, 0]

    def test_much_content_is_not_drained(self, kit: Kit) -> None:
        def answer(asked: Asked) -> bytes:
            return ok(bytes(1_000_000) if asked.path == "/much" else asked.path.encode())

        with AnsweringServer(answer) as server, server.in_thread():

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    async with conn.request("GET", "/much") as response:
                        assert response.length == 1_000_000
                    with pytest.raises(StateError, match="read or dropped elsewhere"):
                        await response.readinto(bytearray(10))
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [asked.connection for asked in server.asked] == [0, 1]

    def test_all_was_read_in_the_block(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    async with conn.request("GET", "/1") as response:
                        assert await response.readall() == b"/1"
                    # It is known to be whole.
                    assert await response.readall() == b""
                    assert await response.readinto(bytearray(4)) == 0
                    await response.discard()
                    assert [piece async for piece in response.iter_body()] == []

            kit.run(main)

    def test_exception_in_the_block(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    with pytest.raises(ZeroDivisionError):
                        async with conn.request("GET", "/1"):
                            raise ZeroDivisionError
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [asked.connection for asked in server.asked] == [0, 1]

    def test_a_response_is_outstanding(self, kit: Kit) -> None:
        """Nothing happens to it."""
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    await conn.send_request("GET", "/1")
                    with pytest.raises(StateError, match="a response is outstanding"):
                        async with conn.request("GET", "/2"):
                            raise AssertionError
                    await conn.read_response()
                    assert await conn.readall() == b"/1"

            kit.run(main)

    @pytest.mark.parametrize("expect100", [False, True], ids=["at-once", "expect100"])
    def test_early_answer(self, kit: Kit, expect100: bool) -> None:
        def early(_: Asked) -> Answer | None:
            return Answer(ok(b"no", "Connection: close", status="413 Too Much"))

        ended: list[bool] = []

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(10_000)
            finally:
                ended.append(True)

        with AnsweringServer(lambda _: ok(), small=True, early=early) as server, server.in_thread():

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    asking = conn.request("PUT", "/", body=endless(), expect100=expect100)
                    async with asking as response:
                        assert response.status == 413
                        assert await response.readall() == b"no"
                        # The generator was not left in the middle.
                        assert ended == ([] if expect100 else [True])

            kit.run(main)

    def test_server_that_never_says_100(self, kit: Kit, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(b"PUT / HTTP/1.1"), expect(b"content"), send(OK), expect_end()
        )

        async def main() -> None:
            async with to(kit, server) as conn:
                asking = conn.request(
                    "PUT", "/", body=b"content", expect100=True, continue_timeout=0.01
                )
                async with asking as response:
                    assert await response.readall() == b"ok"

        kit.run(main)

    def test_late_100(self, kit: Kit, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(b"PUT / HTTP/1.1"),
            expect(b"content"),
            send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
            expect_end(),
        )

        async def main() -> None:
            async with to(kit, server) as conn:
                asking = conn.request(
                    "PUT", "/", body=b"content", expect100=True, continue_timeout=0.0
                )
                async with asking as response:
                    assert [interim.status for interim in response.informational] == [100]
                    assert await response.readall() == b"ok"

        kit.run(main)

    def test_exception_in_the_iterable(self, kit: Kit) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    with pytest.raises(ZeroDivisionError):
                        async with conn.request("PUT", "/1", body=pieces(fails=True)):
                            raise AssertionError
                    assert await ask(conn) == b"/next"

            kit.run(main)
            # The other one never was a whole request.
            assert [(asked.path, asked.connection) for asked in server.asked] == [("/next", 1)]

    @pytest.mark.parametrize(
        ("announced", "error"), [(len(CONTENT) + 1, LocalProtocolError), (len(CONTENT) - 1, ExcessBodyData)],
        ids=["too-few", "too-many"],
    )  # fmt: skip
    def test_length_is_wrong(self, kit: Kit, announced: int, error: type[Exception]) -> None:
        with small_server() as server:

            async def main() -> None:
                async with kit.connection_to(server) as conn:
                    headers = {"content-length": str(announced)}
                    with pytest.raises(error):
                        async with conn.request("PUT", "/1", headers, pieces()):
                            raise AssertionError
                    assert await ask(conn) == b"/next"

            kit.run(main)
            assert [(asked.path, asked.connection) for asked in server.asked] == [("/next", 1)]

    def test_length_is_no_number(self, kit: Kit) -> None:
        async def main() -> None:
            conn = kit.connection("127.0.0.1", 1)
            with pytest.raises(LocalProtocolError, match="expected digits"):
                async with conn.request("PUT", "/", {"Content-Length": "-1"}, pieces()):
                    raise AssertionError

        kit.run(main)

    def test_upgrade(self, kit: Kit, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            expect_head(b"GET / HTTP/1.1"),
            send(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"),
            expect(b"world"),
            expect_end(),
            accept(),
            expect_head(b"GET /next"),
            send(OK),
            expect_end(),
        )

        async def main() -> None:
            async with to(kit, server) as conn:
                headers = {"Upgrade": "x", "Connection": "upgrade"}
                async with conn.request("GET", "/", headers) as response:
                    assert response.status == 101
                    sock, rest = conn.detach()
                    with sock:
                        kit.check_unwatched()
                        sock.send(b"world")
                assert b"hello".startswith(rest)
                assert await ask(conn) == b"ok"

        kit.run(main)

    @pytest.mark.parametrize("call", ["readall", "read", "readinto", "discard"])
    def test_truncated_response(self, kit: Kit, scripted_server: ServerFactory, call: str) -> None:
        """It raises within the block, and never is whole afterwards."""
        server = scripted_server(
            expect_head(), send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), close()
        )

        async def main() -> None:
            async with to(kit, server) as conn:
                asking = conn.request("GET", "/")
                seen: list[Response] = []

                async def ask_and_read() -> None:
                    async with asking as response:
                        seen.append(response)
                        for _ in range(3):
                            if call == "readinto":
                                await response.readinto(bytearray(10))
                            elif call == "read":
                                await response.read(10)
                            else:
                                await getattr(response, call)()

                with pytest.raises(ConnectionError):
                    await ask_and_read()
                with pytest.raises(StateError):
                    await seen[0].readall()

        kit.run(main)
