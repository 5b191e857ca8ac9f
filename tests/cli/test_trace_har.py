"""Archives are what the specification of HAR 1.2 says, and tell the truth."""

from __future__ import annotations

import base64
import gzip
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from httpio_cli._trace import har
from httpio_cli._trace.har import write_har
from httpio_cli._trace.views import View
from tests.fuzz.strategies import mutated, responses

from .trace_talk import recorded, request

if TYPE_CHECKING:
    from httpio_cli._trace.recording import Recording

    Object: TypeAlias = dict[str, Any]  # JSON

TEXT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"

# Members by object, as in the specification: name, type, whether it may be missing.
_NAME_VALUE: Object = {"name": str, "value": str, "comment?": str}
_COOKIE: Object = {
    "name": str, "value": str, "path?": str, "domain?": str, "expires?": str, "httpOnly?": bool,
    "secure?": bool, "comment?": str,
}  # fmt: skip
_ENTRY: Object = {
    "pageref?": str,
    "startedDateTime": datetime,
    "time": float,
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": [_COOKIE],
        "headers": [_NAME_VALUE],
        "queryString": [_NAME_VALUE],
        "postData?": {
            "mimeType": str, "params": [_NAME_VALUE], "text": str, "comment?": str,
        },
        "headersSize": int,
        "bodySize": int,
        "comment?": str,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": [_COOKIE],
        "headers": [_NAME_VALUE],
        "content": {
            "size": int, "compression?": int, "mimeType": str, "text?": str, "encoding?": str,
            "comment?": str,
        },
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
        "comment?": str,
    },
    "cache": {},
    "timings": {
        "blocked?": float, "dns?": float, "connect?": float, "send": float, "wait": float,
        "receive": float, "ssl?": float, "comment?": str,
    },
    "serverIPAddress?": str,
    "connection?": str,
    "comment?": str,
}  # fmt: skip
_HAR: Object = {
    "log": {
        "version": str,
        "creator": {"name": str, "version": str, "comment?": str},
        "browser?": {"name": str, "version": str, "comment?": str},
        "pages?": [{}],
        "entries": [_ENTRY],
        "comment?": str,
    }
}


def check(value: object, wanted: object, where: str = "har") -> None:
    """Raise unless *value* is what *wanted* describes; members that begin with "_" are free."""
    if isinstance(wanted, list):
        assert isinstance(value, list), where
        for index, item in enumerate(value):
            check(item, wanted[0], f"{where}[{index}]")
    elif isinstance(wanted, dict):
        assert isinstance(value, dict), where
        known = {name.removesuffix("?"): name for name in wanted}
        for name, member in value.items():
            if not name.startswith("_"):
                assert name in known, f"{where}.{name}"
                check(member, wanted[known[name]], f"{where}.{name}")
        missing = [name for name in wanted if not name.endswith("?") and name not in value]
        assert not missing, f"{where}: {missing}"
    elif wanted is datetime:
        assert isinstance(value, str), where
        assert datetime.fromisoformat(value).tzinfo is not None, where
    elif wanted is float:
        assert isinstance(value, (int, float)), where
        assert not isinstance(value, bool), where
        assert value >= 0 or value == -1, where
    elif wanted is int:
        assert type(value) is int, where
        assert value >= -1 or where.endswith("compression"), where
    else:
        assert isinstance(wanted, type)
        assert type(value) is wanted, where


def archive(recording: Recording, *, show_credentials: bool = False) -> Object:
    stream = io.StringIO()
    write_har(View(recording, show_credentials=show_credentials), stream)
    found: Object = json.loads(stream.getvalue())
    check(found, _HAR)
    for entry in found["log"]["entries"]:
        timings = entry["timings"]
        total = sum(value for name, value in timings.items() if name != "ssl" and value > 0)
        assert entry["time"] == pytest.approx(total, abs=0.002)
        assert timings["ssl"] <= timings["connect"]
    return found


def entries(*turns: tuple[str, bytes] | tuple[str, str, str]) -> list[Object]:
    found: list[Object] = archive(recorded(*turns))["log"]["entries"]
    return found


def test_an_exchange() -> None:
    sent = request("/a?b=c&d=", b"Cookie: e=f\r\nAuthorization: Basic eDp5\r\n")
    steps = [
        ("*", "resolving", "localhost"),
        ("*", "resolved", "localhost is 127.0.0.1"),
        ("*", "connecting", "127.0.0.1:80"),
        ("*", "connected", "127.0.0.1:80"),
        ("*", "tls", "TLSv1.3 x with localhost"),
        ("*", "request", "GET /a?b=c&d="),
    ]
    cookie = b"Set-Cookie: g=h; Path=/; HttpOnly\r\n"
    (entry,) = entries(
        *steps, (">", sent), ("<", TEXT_HEAD[:-2] + cookie + b"\r\nhel"), ("<", b"lo")
    )
    assert entry["startedDateTime"] == "2023-11-14T22:13:20.001000Z"
    assert entry["timings"] == {
        "blocked": 3.0, "dns": 1.0, "connect": 2.0, "ssl": 1.0, "send": 0, "wait": 1.0,
        "receive": 1.0,
    }  # fmt: skip
    assert entry["serverIPAddress"] == "127.0.0.1"
    assert entry["connection"] == "1"
    assert entry["request"]["url"] == "http://localhost/a?b=c&d="
    assert entry["request"]["queryString"] == [
        {"name": "b", "value": "c"},
        {"name": "d", "value": ""},
    ]
    assert {"name": "Authorization", "value": "Basic ****"} in entry["request"]["headers"]
    assert entry["request"]["headersSize"] == len(sent)
    assert entry["response"]["content"] == {"size": 5, "mimeType": "text/plain", "text": "hello"}
    (found,) = entry["response"]["cookies"]
    assert (found["name"], found["value"], found["httpOnly"]) == ("g", "*", True)
    assert entry["_slot"] == 1
    assert entry["_received"]["parts"] == [
        ["response-head", 0, len(TEXT_HEAD + cookie)],
        ["response-content", len(TEXT_HEAD + cookie), len(TEXT_HEAD + cookie) + 5],
    ]


def test_credentials_on_demand() -> None:
    recording = recorded((">", request(fields=b"Cookie: a=secret\r\n")))
    assert "secret" not in json.dumps(archive(recording))
    shown = archive(recording, show_credentials=True)
    (cookie,) = shown["log"]["entries"][0]["request"]["cookies"]
    assert cookie["value"] == "secret"


def test_pipelined_requests_share_the_time_of_the_connection() -> None:
    connected = ("*", "connecting", "127.0.0.1:80"), ("*", "connected", "127.0.0.1:80")
    one, two = entries(
        *connected, (">", request("/1") + request("/2")), ("<", (TEXT_HEAD + b"hello") * 2)
    )
    assert one["timings"]["connect"] == 1.0
    assert two["timings"]["connect"] == -1
    assert [each["_slot"] for each in (one, two)] == [1, 2]


def test_content_that_is_coded() -> None:
    coded = gzip.compress(b"hello" * 100)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(coded), coded)
    (entry,) = entries((">", request()), ("<", wire))
    response = entry["response"]
    assert response["content"]["text"] == "hello" * 100
    assert response["content"]["size"] == 500
    assert response["content"]["compression"] == 500 - len(coded)
    assert response["bodySize"] == len(wire) - len(head)


def test_content_that_is_not_what_it_says_is_given_as_it_is() -> None:
    head = TEXT_HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    (entry,) = entries((">", request()), ("<", head + b"hello"))
    content = entry["response"]["content"]
    assert content["text"] == "hello"
    assert "gzip" in content["comment"]


def test_content_that_would_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har, "MAX_DECODED", 1000)
    coded = gzip.compress(bytes(2000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(coded)
    (entry,) = entries((">", request()), ("<", head + coded))
    content = entry["response"]["content"]
    assert base64.b64decode(content["text"]) == coded
    assert content["encoding"] == "base64"


def test_binary_content_in_both_directions() -> None:
    sent = request(fields=b"Content-Length: 5\r\n", method="PUT") + b"\0\xff\1\2\3"
    (entry,) = entries((">", sent), ("<", TEXT_HEAD + b"\xff\xfe\0\1\2"))
    assert base64.b64decode(entry["response"]["content"]["text"]) == b"\xff\xfe\0\1\2"
    assert base64.b64decode(entry["request"]["postData"]["text"]) == b"\0\xff\1\2\3"


def test_content_that_was_not_kept() -> None:
    recording = recorded((">", request()), ("<", TEXT_HEAD + b"hello"), max_bytes=len(request()))
    (entry,) = archive(recording)["log"]["entries"]
    assert entry["response"]["content"]["size"] == 5
    assert "text" not in entry["response"]["content"]
    assert entry["response"]["status"] == 200


def test_an_exchange_that_broke() -> None:
    (entry,) = entries((">", request()), ("*", "closed", "the network connection broke"))
    assert entry["response"]["status"] == 0
    assert "broke" in entry["_error"]
    assert entry["_complete"] is False


def test_through_a_proxy_the_tunnel_is_no_entry() -> None:
    (entry,) = entries(
        ("*", "connecting", "[::1]:3128"), ("*", "connected", "[::1]:3128"),
        (">", request("localhost:443", method="CONNECT")),
        ("<", b"HTTP/1.1 200 OK\r\n\r\n"), ("*", "tunnel", "localhost:443"),
        ("*", "tls", "TLSv1.3 x with localhost"),
        (">", request()), ("<", TEXT_HEAD + b"hello"),
    )  # fmt: skip
    assert entry["serverIPAddress"] == "::1"
    # The tunnel was a part of connecting.
    assert entry["timings"]["connect"] == 5.0
    assert entry["timings"]["ssl"] == 1.0


def test_a_target_that_is_a_url() -> None:
    (entry,) = entries((">", request("http://u:p@other/x")))
    assert entry["request"]["url"] == "http://***@other/x"


@pytest.mark.exhaustive
@settings(max_examples=200)
@given(responses | mutated(responses), st.sampled_from([0, 100, 1_000_000]))
def test_it_is_valid_whatever_was_sent(wire: bytes, max_bytes: int) -> None:
    archive(recorded((">", request("/?a=b") * 2), ("<", wire), max_bytes=max_bytes))
