"""What is decided without a network: redirects, repetitions, and what -w prints."""

from __future__ import annotations

import io
import json
import sys

import pytest

from httpio import HTTPConnection, HTTPResponse
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._get.record import Record
from httpio_cli._get.redirects import next_request
from httpio_cli._get.retrying import LONGEST_DELAY, delay, may_repeat_failure, may_repeat_status
from httpio_cli._get.write_out import VARIABLES, as_json, check_format, write_out
from httpio_cli._urls import parse_url
from tests.support.scripted import ScriptedServer, expect_head, send


def response_of(status: str, *fields: str) -> HTTPResponse:
    """Return a response with that status and those fields."""
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", *fields]
    data = "\r\n".join(lines).encode() + b"\r\n\r\n"
    with (
        ScriptedServer(expect_head(), send(data)) as server,
        HTTPConnection(server.host, server.port) as connection,
    ):
        connection.send_request("GET", "/")
        return connection.read_response()


@pytest.mark.parametrize(
    ("status", "method", "then", "has_content"),
    [
        ("301 Moved", "GET", "GET", True),
        ("301 Moved", "POST", "GET", False),
        ("302 Found", "POST", "GET", False),
        ("302 Found", "PUT", "PUT", True),
        ("302 Found", "DELETE", "DELETE", True),
        ("303 See Other", "POST", "GET", False),
        ("303 See Other", "PUT", "GET", False),
        ("303 See Other", "HEAD", "HEAD", True),
        ("307 Temporary", "POST", "POST", True),
        ("308 Permanent", "PUT", "PUT", True),
    ],
)
def test_redirects(status: str, method: str, then: str, has_content: bool) -> None:
    response = response_of(status, "Location: /b")
    options = {"keep_method": False, "allow_downgrade": False}
    following = next_request(response, parse_url("http://a/"), method, True, **options)
    assert following is not None
    assert (str(following.url), following.method) == ("http://a/b", then)
    assert following.has_content == has_content


@pytest.mark.parametrize("status", ["200 OK", "300 Choices", "304 Not Modified", "305 Proxy"])
def test_no_redirects(status: str) -> None:
    options = {"keep_method": False, "allow_downgrade": False}
    url = parse_url("http://a/")
    assert next_request(response_of(status, "Location: /b"), url, "GET", False, **options) is None
    assert next_request(response_of("302 Found"), url, "GET", False, **options) is None


def test_downgrade() -> None:
    response = response_of("302 Found", "Location: http://a/")
    url = parse_url("https://a/")
    with pytest.raises(CommandError) as caught:
        next_request(response, url, "GET", False, keep_method=False, allow_downgrade=False)
    assert caught.value.code is ExitCode.TOO_MANY_REDIRECTS
    assert next_request(response, url, "GET", False, keep_method=False, allow_downgrade=True)


@pytest.mark.parametrize(
    ("status", "get", "post"),
    [
        ("200 OK", False, False),
        ("404 Not Found", False, False),
        ("408 Timeout", True, True),
        ("429 Too Many", True, True),
        ("500 Error", True, False),
        ("502 Bad Gateway", True, False),
        ("503 Unavailable", True, True),
        ("504 Timeout", True, False),
        ("501 Not Implemented", False, False),
    ],
)
def test_status_that_may_pass(status: str, get: bool, post: bool) -> None:
    response = response_of(status)
    assert may_repeat_status(response, "GET") == may_repeat_status(response, "PUT") == get
    assert may_repeat_status(response, "POST") == post


def test_failures_that_may_pass() -> None:
    for code in (ExitCode.CONNECT_FAILED, ExitCode.HOST_NOT_RESOLVED):
        assert may_repeat_failure(code, "POST")
    for code in (
        ExitCode.PARTIAL,
        ExitCode.TIMED_OUT,
        ExitCode.EMPTY_RESPONSE,
        ExitCode.SEND_FAILED,
    ):
        assert may_repeat_failure(code, "GET")
        assert not may_repeat_failure(code, "POST")
    for code in (ExitCode.BAD_RESPONSE, ExitCode.CERTIFICATE_FAILED, ExitCode.WRITE_FAILED):
        assert not may_repeat_failure(code, "GET")
    for code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        assert not may_repeat_failure(code, "GET")


def test_delay() -> None:
    assert [delay(attempt, None) for attempt in (1, 2, 3)] == [1, 2, 4]
    assert delay(3, 0.5) == 0.5
    assert delay(10_000, None) == LONGEST_DELAY
    assert delay(1, None, "7") == 7
    assert delay(1, 9, "7") == 9
    assert delay(1, None, "9" * 30) == LONGEST_DELAY
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert delay(1, None, date, 784111767) == 10
    assert delay(1, None, date, 784111800) == 1
    for nonsense in ("", "soon", "-5", "1.5", "²"):
        assert delay(1, None, nonsense, 0) == 1


class TestWriteOut:
    def printed(
        self, monkeypatch: pytest.MonkeyPatch, text: str, record: Record
    ) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        write_out(text, record)
        monkeypatch.undo()
        return out.getvalue(), err.getvalue()

    @pytest.fixture
    def record(self) -> Record:
        made = Record(parse_url("http://u:p@a/b"), "GET")
        made.response = response_of("404 Not Found", "X-A: b", "X-A: c", "Set-Cookie: a=secret")
        made.error, made.exit_code = "what; hint", 22
        return made

    @pytest.mark.parametrize(
        ("text", "out", "err"),
        [
            ("", "", ""),
            ("plain", "plain", ""),
            (r"a\nb\tc\\d\x", "a\nb\tc\\d\\x", ""),
            ("%%{http_code}", "%{http_code}", ""),
            ("%{http_code}|%{url}|%{exitcode}", "404|http://a/b|22", ""),
            ("%header{x-a}|%header{none}|%header{Set-Cookie}", "b||a=[redacted]", ""),
            ("a%{stderr}b%{stdout}c", "ac", "b"),
            ("a%{onerror}b", "ab", ""),
            ("%{errormsg}", "what; hint", ""),
            ("100% %x", "100% %x", ""),
        ],
    )
    def test_formats(
        self, monkeypatch: pytest.MonkeyPatch, record: Record, text: str, out: str, err: str
    ) -> None:
        check_format(text)
        assert self.printed(monkeypatch, text, record) == (out, err)

    def test_nothing_after_onerror_without_one(
        self, monkeypatch: pytest.MonkeyPatch, record: Record
    ) -> None:
        record.exit_code = 0
        assert self.printed(monkeypatch, "a%{onerror}b", record) == ("a", "")

    def test_json(self, monkeypatch: pytest.MonkeyPatch, record: Record) -> None:
        out, _ = self.printed(monkeypatch, "%{json}", record)
        assert set(json.loads(out)) == set(VARIABLES)
        out, _ = self.printed(monkeypatch, "%{header_json}", record)
        assert json.loads(out)["x-a"] == ["b", "c"]

    def test_before_anything_has_happened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        record = Record(parse_url("http://a"), "GET")
        found = as_json(record)
        assert (found["http_code"], found["remote_port"], found["content_type"]) == (0, 0, None)
        text = "".join(f"%{{{name}}}" for name in VARIABLES)
        assert self.printed(monkeypatch, text, record)[0].startswith("022") is False

    def test_unknown(self) -> None:
        with pytest.raises(CommandError) as caught:
            check_format("%{no_such}")
        assert caught.value.code is ExitCode.USAGE
