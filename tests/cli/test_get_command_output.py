"""Where ``httpio get`` puts content, and under which names."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import expect_head, send_slowly

from .getting import (
    HELLO,
    answer,
    called,
    httpio,
    response,
    url_of,
)

if TYPE_CHECKING:
    from tests.support.fix_scripted import ServerFactory


class TestOutput:
    def test_content(self, scripted_server: ServerFactory) -> None:
        content = bytes(range(256)) * 1000
        server = scripted_server(*answer(response(content)))
        done = httpio("get", url_of(server))
        assert (done.code, done.out, done.err) == (0, content, "")

    def test_chunked_with_trailers(self, scripted_server: ServerFactory) -> None:
        data = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
            b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"
        )
        server = scripted_server(expect_head(), send_slowly(data))
        assert httpio("get", url_of(server)).out == b"hello"

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    def test_no_content(self, scripted_server: ServerFactory, status: str, tmp_path: Path) -> None:
        data = f'HTTP/1.1 {status}\r\nETag: "a"\r\n\r\n'.encode()
        server = scripted_server(*answer(data), *answer())
        done = called("get", url_of(server), url_of(server))
        assert (done.code, done.out) == (0, b"hello")
        assert len(server.received) == 1

    def test_include(self, scripted_server: ServerFactory) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
        server = scripted_server(*answer(early + HELLO))
        assert httpio("get", "-i", url_of(server)).out == early + HELLO

    def test_head(self, scripted_server: ServerFactory) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\nX: y\r\n\r\n"
        for command in (["head"], ["get", "-I"], ["request", "-X", "HEAD"]):
            server = scripted_server(*answer(data, b"HEAD / "))
            done = called(*command, url_of(server))
            assert (done.code, done.out, done.err) == (0, data, "")

    def test_dump_header(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        redirect = response(status="302 Found")[:-2] + b"Location: /b\r\n\r\n"
        server = scripted_server(*answer(redirect), *answer())
        done = httpio("get", "-L", "-D", tmp_path / "heads", url_of(server))
        assert (done.code, done.out) == (0, b"hello")
        assert (tmp_path / "heads").read_bytes() == redirect + HELLO[:-5]

    def test_output(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer())
        (tmp_path / "file").write_bytes(b"there before, and longer")
        (tmp_path / "file").chmod(0o600)
        done = httpio("get", "-o", tmp_path / "file", url_of(server))
        assert (done.code, done.out, done.err) == (0, b"", "")
        assert (tmp_path / "file").read_bytes() == b"hello"
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
        assert os.listdir(tmp_path) == ["file"]

    def test_output_through_a_link(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer())
        (tmp_path / "link").symlink_to("file")
        assert httpio("get", "-o", tmp_path / "link", url_of(server)).code == 0
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_bytes() == b"hello"

    def test_output_to_a_device(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer())
        assert httpio("get", "-o", "/dev/null", url_of(server)).code == 0
        assert not Path("/dev/null").is_file()

    def test_remote_name(self, scripted_server: ServerFactory, tmp_path: Path) -> None:
        server = scripted_server(*answer(), *answer())
        done = httpio(
            "get", "-O", url_of(server, "/a/b.txt?c"), url_of(server, "/a/c"), cwd=tmp_path
        )
        assert done.code == 0
        assert sorted(os.listdir(tmp_path)) == ["b.txt", "c"]

    def test_remote_name_that_is_none(self, tmp_path: Path) -> None:
        done = httpio("get", "-O", "http://127.0.0.1:1/a/", cwd=tmp_path)
        # Before a connection is tried.
        assert done.code == 23
        assert "there is no file name" in done.error

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/..%2F..%2Fevil", ".._.._evil".lstrip(".")),
            ("/%2e%2e", None),
            ("/.bashrc", "bashrc"),
            ("/%2Fetc%2Fpasswd", "_etc_passwd"),
            ("/a%00b", "a_b"),
        ],
    )
    def test_remote_name_stays_here(
        self, scripted_server: ServerFactory, tmp_path: Path, path: str, name: str | None
    ) -> None:
        directory = tmp_path / "in"
        directory.mkdir()
        if name is None:
            assert httpio("get", "-O", "http://127.0.0.1:1" + path, cwd=directory).code == 23
        else:
            server = scripted_server(*answer())
            assert httpio("get", "-O", url_of(server, path), cwd=directory).code == 0
        assert os.listdir(directory) == ([] if name is None else [name])
        assert os.listdir(tmp_path) == ["in"]

    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            ('attachment; filename="report.txt"', "report.txt"),
            ('attachment; filename="../../evil"', "evil"),
            ('attachment; filename="/etc/passwd"', "passwd"),
            ('attachment; filename="..\\\\..\\\\evil"', "evil"),
            ('attachment; filename=".profile"', "profile"),
            ('attachment; filename=".."', "url"),
            ("attachment; filename*=UTF-8''%e2%82%ac%2f..%2fx", "x"),
            ("attachment", "url"),
        ],
    )
    def test_remote_header_name(
        self, scripted_server: ServerFactory, tmp_path: Path, disposition: str, name: str
    ) -> None:
        server = scripted_server(*answer(response(b"x", f"Content-Disposition: {disposition}")))
        done = called("get", "-OJ", "--output-dir", tmp_path / "in", "--create-dirs",
                      url_of(server, "/url"))  # fmt: skip
        assert done.code == 0
        assert os.listdir(tmp_path / "in") == [name]
        assert os.listdir(tmp_path) == ["in"]

    @pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
    def test_output_dir_is_not_left(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "in" / "a").mkdir(parents=True)
        done = called("get", "--output-dir", tmp_path / "in", "-o", name, "http://127.0.0.1:1/")
        assert done.code in (7, 23)
        assert not (tmp_path / "evil").exists()

    def test_document(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(
            *answer(response(b"\xff", "Set-Cookie: a=secret; Path=/")), *answer()
        )
        done = httpio("get", "--format", "jsonl", url_of(server, "/a"), url_of(server, "/b"))
        assert (done.code, done.err) == (0, "")
        first, second = map(json.loads, done.out.splitlines())
        assert first["schema"] == second["schema"] == "httpio/get/1"
        assert first["content_base64"] == "/w=="
        assert second["content"] == "hello"
        assert first["response"]["fields"][1] == ["Set-Cookie", "a=[redacted]; Path=/"]
        assert second["response"]["status"] == second["http_code"] == 200

    def test_document_of_a_head_and_of_a_failure(self, scripted_server: ServerFactory) -> None:
        server = scripted_server(*answer(HELLO[:-5]))
        (found,) = called("head", "--format", "json", url_of(server)).out.splitlines()
        assert json.loads(found)["content"] == ""
        done = called("get", "--format", "json", "http://127.0.0.1:1/")
        document = json.loads(done.out)
        assert done.code == document["exitcode"] == 7
        assert document["errormsg"] in done.error
        assert document["response"] is None
