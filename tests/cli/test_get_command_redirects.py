"""Redirects and repetitions: what is requested next, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import ScriptedServer, Step, accept, close, expect_head, send

from .getting import (
    HELLO,
    answer,
    answer_once,
    called,
    content_received,
    field_of,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.scripted import Conversation


def redirect(location: str, status: str = "302 Found") -> bytes:
    head = response(b"moved", "Location: LOCATION", status=status)
    return head.replace(b"LOCATION", location.encode("latin-1"))


class TestRedirects:
    def test_not_followed_without_being_told(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(redirect("/b")))
        done = called("get", "-w", " %{redirect_url}", url_of(server, "/a"))
        assert (done.code, done.out) == (0, b"moved " + url_of(server, "/b").encode())

    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("/b?c#d", b"/b?c"),
            ("b", b"/a/b"),
            ("../b", b"/b"),
            ("?q", b"/a/?q"),
            ("/\u00e9 x", b"/%E9%20x"),
            ("//127.0.0.1:PORT/b", b"/b"),
        ],
    )
    def test_over_the_same_connection(
        self, scripted_server: ServerFactory, location: str, target: bytes
    ) -> None:
        ports: list[int] = []

        def perform(conversation: Conversation) -> None:
            text = location.replace("PORT", str(ports[0]))
            conversation.channel.send(redirect(text))

        server = ScriptedServer(
            expect_head(b"GET /a/ "),
            Step("redirect", perform),
            *answer(HELLO, b"GET " + target + b" "),
        )
        ports.append(server.port)
        with server:
            done = called("get", "-L", "-w", " %{num_redirects} %{num_connects} %{url_effective}",
                          url_of(server, "/a/"))  # fmt: skip
        assert (done.code, done.err) == (0, "")
        assert done.out == b"hello 1 1 " + url_of(server, target.decode()).encode()

    @pytest.mark.parametrize(
        ("command", "status", "then"),
        [
            ("post", "301 Moved Permanently", "GET"),
            ("post", "302 Found", "GET"),
            ("post", "303 See Other", "GET"),
            ("post", "307 Temporary Redirect", "POST"),
            ("post", "308 Permanent Redirect", "POST"),
            ("put", "302 Found", "PUT"),
            ("put", "303 See Other", "GET"),
        ],
    )
    def test_method(
        self, scripted_server: ServerFactory, command: str, status: str, then: str
    ) -> None:
        server = scripted_server(
            content_received(3),
            send(redirect("/b", status)),
            content_received(0 if then == "GET" else 3),
            send(HELLO),
        )
        done = called(command, "-L", "-d", "abc", url_of(server))
        assert (done.code, done.out) == (0, b"hello")
        second = server.received[0].partition(b"abc")[2]
        assert second.startswith(f"{then} /b HTTP/1.1".encode())
        assert second.endswith(b"\r\n\r\n" if then == "GET" else b"abc")
        assert (field_of(second, "Content-Type") is None) == (then == "GET")

    @pytest.mark.parametrize("status", ["302 Found", "303 See Other"])
    def test_head_stays_head(self, scripted_server: ServerFactory, status: str) -> None:
        first = f"HTTP/1.1 {status}\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n".encode()
        server = scripted_server(*answer(first, b"HEAD / "), *answer(HELLO[:-5], b"HEAD /b "))
        done = called("head", "-L", url_of(server))
        assert (done.code, done.out) == (0, first + HELLO[:-5])

    def test_credentials_stay_with_their_origin(self, scripted_server: ServerFactory) -> None:
        other = scripted_server(*answer())
        server = scripted_server(
            *answer_once(redirect("/same")), accept(), *answer_once(redirect(url_of(other)))
        )
        done = called(
            *("get", "-L", "-H", "Cookie: a=b", "-H", "X-Api-Key: k", "-H", "Host: own"),
            *("-H", "X-Other: o"),
            f"http://us:er@{server.host}:{server.port}/",
        )
        assert (done.code, done.out) == (0, b"hello")
        for request in server.received:
            assert field_of(request, "Authorization") == "Basic dXM6ZXI="
            assert field_of(request, "Cookie") == "a=b"
            assert field_of(request, "Host") == "own"
        (request,) = other.received
        for name in ("Authorization", "Cookie", "X-Api-Key"):
            assert field_of(request, name) is None
        assert field_of(request, "Host") == f"{other.host}:{other.port}"
        assert field_of(request, "X-Other") == "o"

    def test_credentials_wherever_it_leads(self, scripted_server: ServerFactory) -> None:
        other = scripted_server(*answer())
        server = scripted_server(*answer(redirect(url_of(other))))
        done = called("get", "-L", "--location-trusted", "-u", "us:er", url_of(server))
        assert done.code == 0
        assert field_of(other.received[0], "Authorization") == "Basic dXM6ZXI="

    def test_credentials_of_the_location_are_not_used(self, scripted_server: ServerFactory) -> None:
        other = scripted_server(*answer())
        location = f"http://evil:evil@{other.host}:{other.port}/"
        server = scripted_server(*answer(redirect(location)))
        assert called("get", "-L", url_of(server)).code == 0
        assert field_of(other.received[0], "Authorization") is None

    def test_too_many(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*(list(answer(redirect("/again"))) * 3))
        done = httpio("get", "-L", "--max-redirs", "2", url_of(server))
        assert (done.code, done.out) == (47, b"")
        assert "more than 2 redirects" in done.error

    @pytest.mark.parametrize("location", ["ftp://a/", "//a:b", "https:x", "//[::1"])
    def test_to_nowhere(self, scripted_server: ServerFactory, location: str) -> None:
        server = scripted_server(*answer(redirect(location)), accept(), *answer(redirect(location)))
        done = called("get", "-L", url_of(server))
        assert (done.code, done.out) == (3, b"")
        # Whoever does not want to go there need not care.
        assert called("get", url_of(server)).out == b"moved"

    def test_never_to_plain_http(
        self, scripted_server: ServerFactory, certificates: Certificates
    ) -> None:
        plain = scripted_server(*answer())
        data = redirect(url_of(plain))
        for options, code in (([], 47), (["--allow-downgrade"], 0)):
            server = scripted_server(*answer_once(data), tls=certificates.server_context())
            done = called("get", "-k", "-L", *options, f"https://127.0.0.1:{server.port}/")
            assert done.code == code
        assert len(plain.received) == 1

    def test_name_is_that_of_the_first_url(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        server = scripted_server(*answer(redirect("/evil")), *answer())
        done = called("get", "-LO", "--output-dir", tmp_path, url_of(server, "/name"))
        assert done.code == 0
        assert [path.name for path in tmp_path.iterdir()] == ["name"]


class TestRetrying:
    def test_after_a_status(self, scripted_server: ServerFactory) -> None:
        busy = response(b"busy", status="503 Service Unavailable")
        server = scripted_server(*answer(busy), *answer(busy), *answer())
        done = called("get", "--retry", "3", "--retry-delay", "0.01", "-w", " %{num_retries}",
                      url_of(server))  # fmt: skip
        assert (done.code, done.out) == (0, b"hello 2")
        assert "503 Service Unavailable: attempt 2 in 0.01 s, 2 more after that" in done.err
        assert "503 Service Unavailable: attempt 3 in 0.01 s, 1 more after that" in done.err

    def test_until_there_are_none_left(self, scripted_server: ServerFactory) -> None:
        busy = response(b"busy", status="503 Service Unavailable")
        server = scripted_server(*answer(busy), *answer(busy))
        done = called("get", "-sf", "--retry", "1", "--retry-delay", "0.01", url_of(server))
        assert (done.code, done.out, done.err) == (22, b"", "")

    def test_no_time_for_what_the_server_asks(self, scripted_server: ServerFactory) -> None:
        busy = response(b"busy", "Retry-After: 100", status="503 Service Unavailable")
        server = scripted_server(*answer(busy))
        done = called("get", "--retry", "1", "--retry-max-time", "5", url_of(server))
        assert (done.code, done.out) == (0, b"busy")

    def test_after_a_lost_connection(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), close(), accept(), *answer())
        done = called("get", "--retry", "1", "--retry-delay", "0.01", url_of(server))
        assert (done.code, done.out) == (0, b"hello")

    def test_each_attempt_has_its_time(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(expect_head(), accept(), *answer())
        done = called("get", "-m", "1.5", "--retry", "1", "--retry-delay", "0.01", url_of(server))
        assert (done.code, done.out) == (0, b"hello")

    def test_not_after_something_was_printed(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer_once(HELLO.replace(b": 5", b": 50")))
        done = called("get", "--retry", "1", "--retry-delay", "0.01", url_of(server))
        assert (done.code, done.out) == (18, b"hello")
        assert done.error

    def test_into_a_file_from_the_beginning(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        server = scripted_server(
            *answer_once(HELLO.replace(b": 5", b": 50")), accept(), *answer(response(b"bye"))
        )
        done = called("get", "--retry", "1", "--retry-delay", "0.01", "-o", tmp_path / "file",
                      url_of(server))  # fmt: skip
        assert done.code == 0
        assert (tmp_path / "file").read_bytes() == b"bye"

    def test_post_is_not_repeated(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(content_received(1), close())
        done = called("post", "-d", "x", "--retry", "3", "--retry-delay", "0.01", url_of(server))
        assert done.code == 52
        assert len(server.received) == 1

    def test_post_that_was_not_processed_is(self, scripted_server: ServerFactory) -> None:
        busy = response(b"", status="503 Service Unavailable")
        server = scripted_server(content_received(1), send(busy), content_received(1), send(HELLO))
        done = called("post", "-d", "x", "--retry", "3", "--retry-delay", "0.01", url_of(server))
        assert (done.code, done.out) == (0, b"hello")


class TestResuming:
    WHOLE = bytes(range(200))

    def part(self, begin: int, *fields: str, end: int = 199) -> bytes:
        return response(
            self.WHOLE[begin : end + 1],
            f"Content-Range: bytes {begin}-{end}/200",
            *fields,
            status="206 Partial Content",
        )

    def test_what_somebody_else_has_left(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE[:50])
        server = scripted_server(*answer(self.part(50)))
        done = called("get", "-C", "-", "-o", target, url_of(server))
        assert done.code == 0
        assert "unverified" in done.error
        assert target.read_bytes() == self.WHOLE

    def test_from_an_offset(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE[:70])
        server = scripted_server(*answer(self.part(50)))
        assert called("get", "-C", "50", "-o", target, url_of(server)).code == 0
        assert target.read_bytes() == self.WHOLE

    def test_offset_on_stdout(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(self.part(50)))
        assert called("get", "-C", "50", url_of(server)).out == self.WHOLE[50:]

    def test_offset_beyond_the_file(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE[:20])
        server = scripted_server(*answer(self.part(50)))
        assert called("get", "-C", "50", "-o", target, url_of(server)).code == 33
        assert target.read_bytes() == self.WHOLE[:20]

    @pytest.mark.parametrize(
        "data",
        [
            response(b"all of it"),
            response(b"x", status="206 Partial Content"),
            response(b"x", "Content-Range: bytes 49-49/200", status="206 Partial Content"),
            response(b"x", "Content-Range: bytes 50-50/200", status="206 Partial Content"),
            response(b"", "Content-Range: bytes */40", status="416 Range Not Satisfiable"),
            response(b"", "Location: /b", status="302 Found"),
        ],
    )
    def test_answers_that_are_not_the_rest(
        self, scripted_server: ServerFactory, tmp_path: Path, data: bytes
    ) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE[:50])
        server = scripted_server(*answer(data))
        done = called("get", "-C", "-", "-o", target, "-s", "-S", url_of(server))
        assert done.code == 33
        assert done.error
        assert target.read_bytes() == self.WHOLE[:50]

    def test_failure_of_the_server(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE[:50])
        server = scripted_server(*answer(response(b"sorry", status="500 Oh")))
        done = called("get", "-C", "-", "-o", target, "-s", "-S", url_of(server))
        assert done.code == 22
        assert target.read_bytes() == self.WHOLE[:50]

    def test_there_is_nothing_left(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        target.write_bytes(self.WHOLE)
        data = response(b"", "Content-Range: bytes */200", status="416 Range Not Satisfiable")
        server = scripted_server(*answer(data))
        assert called("get", "-C", "-", "-o", target, url_of(server)).code == 0
        assert target.read_bytes() == self.WHOLE

    def begun(self, scripted_server: ServerFactory, target: Path, then: bytes) -> str:
        """Leave a part of 50 bytes with the validator "v1"; return the URL."""
        data = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 200\r\n\r\n' + self.WHOLE[:50]
        server = scripted_server(*answer_once(data), accept(), *answer(then))
        assert called("get", "-o", target, url_of(server)).code == 18
        return url_of(server)

    def test_changed_since(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        url = self.begun(scripted_server, target, response(b"new", 'ETag: "v2"'))
        done = called("get", "-C", "-", "-o", target, url)
        assert done.code == 0
        assert "starting again" in done.error
        assert target.read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_server_that_sends_a_part_of_something_else(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        target = tmp_path / "file"
        url = self.begun(scripted_server, target, self.part(50, 'ETag: "v2"'))
        done = called("get", "-C", "-", "-o", target, url)
        assert done.code == 33
        assert (tmp_path / "file.part").read_bytes() == self.WHOLE[:50]

    def test_retry_goes_on_where_it_ended(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        target = tmp_path / "file"
        data = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 200\r\n\r\n' + self.WHOLE[:50]
        server = scripted_server(*answer_once(data), accept(), *answer(self.part(50, 'ETag: "v1"')))
        done = called("get", "--retry", "1", "--retry-delay", "0.01", "-C", "-", "-o", target,
                      url_of(server))  # fmt: skip
        assert done.code == 0
        assert target.read_bytes() == self.WHOLE
        assert field_of(server.received[1], "If-Range") == '"v1"'

    def test_another_url_is_not_continued(
        self, scripted_server: ServerFactory, tmp_path: Path
    ) -> None:
        target = tmp_path / "file"
        url = self.begun(scripted_server, target, response(b"other"))
        done = called("get", "-C", "-", "-o", target, url + "other")
        assert done.code == 0
        assert "nothing tells whether" in done.error
        assert target.read_bytes() == b"other"

    def test_redirect_in_between(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        target = tmp_path / "file"
        data = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 200\r\n\r\n' + self.WHOLE[:50]
        server = scripted_server(
            *answer(redirect("/real?signature=1")),
            *answer_once(data),
            accept(),
            *answer(redirect("/real?signature=2")),
            *answer(self.part(50, 'ETag: "v1"')),
        )
        url = url_of(server)
        assert called("get", "-L", "-o", target, url).code == 18
        assert called("get", "-L", "-C", "-", "-o", target, url).code == 0
        assert target.read_bytes() == self.WHOLE
