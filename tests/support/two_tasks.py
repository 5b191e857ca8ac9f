"""Tests, for each framework, of one connection that one task sends on while another one receives."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from httpio import BodyFollowing, EarlyResponse, StateError
from tests.support.answering import Answer, AnsweringServer, Asked, ok
from tests.support.operations import small_server
from tests.support.server_end import Server, shrink_send_buffer

if TYPE_CHECKING:
    from .certs import Certificates
    from .kits import Kit

REQUESTS = 2000


class TwoTasksTests:
    """To be run with a fixture ``kit``."""

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_thousands_of_requests(self, kit: Kit, certificates: Certificates, tls: bool) -> None:
        with small_server(certificates if tls else None) as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()

                async def send() -> None:
                    for number in range(REQUESTS):
                        await conn.send_request("GET", f"/{number}")

                async def receive() -> None:
                    for number in range(REQUESTS):
                        await kit.until(conn.response_pending)
                        response = await conn.read_response()
                        assert response.path == f"/{number}"
                        assert await conn.readall() == response.path.encode()

                async with kit.jobs() as jobs:
                    jobs_begun = [jobs.start(send), jobs.start(receive)]
                    for job in jobs_begun:
                        await job.result()
                conn.close()

            kit.run(main)
        assert [asked.path for asked in server.asked] == [f"/{n}" for n in range(REQUESTS)]

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_upload_and_downloads(self, kit: Kit, certificates: Certificates, tls: bool) -> None:
        """Requests are outstanding while content is sent, and their responses are large."""
        content = bytes(range(256)) * 400
        with small_server(certificates if tls else None) as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()
                shrink_send_buffer(conn._core)
                for number in range(3):
                    await conn.send_request("GET", f"/big{number}")
                await conn.send_request("PUT", "/upload", body=BodyFollowing(len(content)))

                async def receive() -> None:
                    for number in range(3):
                        assert (await conn.read_response()).path == f"/big{number}"
                        await conn.discard()

                async with kit.jobs() as jobs:
                    receiving = jobs.start(receive)
                    sending = jobs.start(lambda: conn.write(content))
                    await receiving.result()
                    assert await sending.result() == len(content)
                await conn.read_response()
                expected = f"{len(content)} {hashlib.sha256(content).hexdigest()}".encode()
                assert await conn.readall() == expected
                conn.close()

            kit.run(main)

    @pytest.mark.parametrize("receives", [False, True], ids=["alone", "with-receiver"])
    def test_early_answer_stops_upload(self, kit: Kit, receives: bool) -> None:
        def early(asked: Asked) -> Answer | None:
            return Answer(ok(b"no", "Connection: close", status="413 Too Much"))

        with AnsweringServer(lambda _: ok(), small=True, early=early) as server, server.in_thread():

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()
                shrink_send_buffer(conn._core)
                await conn.send_request("PUT", "/", body=BodyFollowing(10**9))

                async def send() -> None:
                    while True:
                        await conn.write(bytes(100_000))

                async def receive() -> int:
                    await kit.until(conn.response_pending)
                    return (await conn.read_response()).status

                async with kit.jobs() as jobs:
                    sending = jobs.start(send)
                    if receives:
                        assert await jobs.start(receive).result() == 413
                        assert await conn.readall() == b"no"
                    assert isinstance(await sending.failure(), EarlyResponse)
                if not receives:
                    assert (await conn.read_response()).status == 413
                    assert await conn.readall() == b"no"
                conn.close()

            kit.run(main)

    def test_receiver_is_cancelled_while_sender_is_blocked(self, kit: Kit) -> None:
        with Server() as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()
                server.progress()
                shrink_send_buffer(conn._core)
                await conn.send_request("GET", "/first")
                await conn.send_request("PUT", "/second", body=BodyFollowing(300_000))
                async with kit.jobs() as jobs:
                    sending = jobs.start(lambda: conn.write(bytes(300_000)))
                    for _ in range(3):
                        receiving = jobs.start(conn.read_response)
                        await kit.until(lambda: receiving.is_waiting and sending.is_waiting)  # noqa: B023
                        receiving.cancel()
                        assert isinstance(await receiving.failure(), kit.cancellation)
                        assert sending.is_waiting

                    def is_sent() -> bool:
                        server.end.take()
                        return sending.is_over

                    await kit.until(is_sent)
                    assert await sending.result() == 300_000
                server.progress()
                server.end.respond(b"1")
                server.end.respond(b"2")
                for content in (b"1", b"2"):
                    await conn.read_response()
                    assert await conn.readall() == content
                conn.close()

            kit.run(main)

    def test_sender_is_cancelled_while_receiver_waits(self, kit: Kit) -> None:
        """What was asked for before can still be had."""
        with Server() as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()
                server.progress()
                shrink_send_buffer(conn._core)
                await conn.send_request("GET", "/first")
                await conn.send_request("PUT", "/second", body=BodyFollowing(300_000))
                async with kit.jobs() as jobs:
                    sending = jobs.start(lambda: conn.write(bytes(300_000)))
                    receiving = jobs.start(conn.read_response)
                    await kit.until(lambda: receiving.is_waiting and sending.is_waiting)
                    sending.cancel()
                    assert isinstance(await sending.failure(), kit.cancellation)
                    server.progress()
                    server.end.respond(b"1")
                    assert (await receiving.result()).path == "/first"
                assert await conn.readall() == b"1"
                conn.close()

            kit.run(main)

    def test_second_receiver_is_refused(self, kit: Kit) -> None:
        with Server() as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.send_request("GET", "/")
                async with kit.jobs() as jobs:
                    receiving = jobs.start(conn.read_response)
                    await kit.until(lambda: receiving.is_waiting)
                    for call in (conn.read_response, conn.read, conn.readall, conn.discard):
                        with pytest.raises(StateError, match="another task is receiving"):
                            await call()
                    with pytest.raises(StateError, match="another task is receiving"):
                        await conn.pipeline([]).next_response()
                    with pytest.raises(StateError, match="another task is receiving"):
                        await conn.readinto(bytearray(1))
                    server.progress()
                    server.end.respond(b"answer")
                    assert (await receiving.result()).status == 200
                assert await conn.readall() == b"answer"
                conn.close()

            kit.run(main)

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_second_sender_is_refused(
        self, kit: Kit, certificates: Certificates, tls: bool
    ) -> None:
        with small_server(certificates if tls else None) as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                await conn.connect()
                shrink_send_buffer(conn._core)
                await conn.send_request("PUT", "/1", body=BodyFollowing(200_000))
                async with kit.jobs() as jobs:
                    sending = jobs.start(lambda: conn.write(bytes(200_000)))
                    await kit.until(lambda: sending.is_waiting)
                    with pytest.raises(StateError):
                        await conn.write(b"x")
                    with pytest.raises(StateError):
                        await conn.send_request("GET", "/2")
                    assert await sending.result() == 200_000
                assert (await conn.read_response()).status == 200
                await conn.discard()
                conn.close()

            kit.run(main)

    def test_second_connect_is_refused(self, kit: Kit, certificates: Certificates) -> None:
        with Server(certificates) as server:

            async def main() -> None:
                conn = kit.connection_to(server)
                async with kit.jobs() as jobs:
                    job = jobs.start(conn.connect)
                    await kit.until(lambda: job.is_waiting)
                    with pytest.raises(StateError):
                        await conn.connect()

                    def is_open() -> bool:
                        server.progress()
                        return job.is_over

                    await kit.until(is_open)
                    await job.result()
                conn.close()

            kit.run(main)
