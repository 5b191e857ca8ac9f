"""Credentials are hidden, everything else stays, and nothing changes its length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._trace.masking import mask, mask_text, shown_bytes

from .trace_talk import in_pieces, recorded, request


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (b"Authorization: Basic YTpi\r\n", b"Authorization: Basic ****\r\n"),
        (b"aUTHORIZATION:secret\r\nX: y\r\n", b"aUTHORIZATION:******\r\nX: y\r\n"),
        (b"Proxy-Authorization: Bearer abc\r\n", b"Proxy-Authorization: Bearer ***\r\n"),
        (b"Cookie: a=b; c=d\r\n", b"Cookie: ********\r\n"),
        (b"Set-Cookie: a=bc; Path=/; Secure\r\n", b"Set-Cookie: a=**; Path=/; Secure\r\n"),
        (b"Set-Cookie: bare\r\nX: y\r\n", b"Set-Cookie: ****\r\nX: y\r\n"),
        (b"Cookie: a\r\n\tb=c\r\nX: y\r\n", b"Cookie: *\r\n****\r\nX: y\r\n"),
        (b"Cookie: cut of", b"Cookie: ******"),
        (b"GET http://u:p@ss@host/x HTTP/1.1\r\n", b"GET http://******@host/x HTTP/1.1\r\n"),
        (b"Location: https://me@host/?a@b\r\n", b"Location: https://**@host/?a@b\r\n"),
        (b"X-Cookie: a\r\nCookies: b\r\n", b"X-Cookie: a\r\nCookies: b\r\n"),
        (b"X: http://host/a@b\r\n", b"X: http://host/a@b\r\n"),
    ],
)
def test_what_is_hidden(head: bytes, shown: bytes) -> None:
    assert mask(head) == shown


@given(
    st.binary()
    | st.lists(st.sampled_from([b"Cookie: ", b"a", b"\r\n", b" ", b"://", b"@", b"=", b";"])).map(
        b"".join
    )
)
def test_the_length_stays(data: bytes) -> None:
    masked = mask(data)
    assert len(masked) == len(data)
    assert [byte in b"\r\n" for byte in masked] == [byte in b"\r\n" for byte in data]


def test_only_heads_are_looked_into() -> None:
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=secret\r\nContent-Length: 14\r\n\r\n"
    content = b"Cookie: public"
    sent = request(fields=b"Cookie: secret\r\n")
    (connection,) = recorded((">", sent), *in_pieces("<", head + content, [7])).connections
    shown = shown_bytes(connection.received, show_credentials=False)
    assert shown == head.replace(b"secret", b"******") + content
    assert shown_bytes(connection.received, show_credentials=True) == head + content
    assert b"secret" not in shown_bytes(connection.sent, show_credentials=False)


@pytest.mark.parametrize("where", ["unsolicited", "invalid", "after", "incomplete"])
def test_what_may_be_a_head_is_looked_into(where: str) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=secret\r\n"
    before = {
        "unsolicited": b"HTTP/1.1 204 No Content\r\n\r\n",
        "invalid": b"",
        "after": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "incomplete": b"",
    }[where]
    behind = {"invalid": b"b ad\r\n\r\n"}.get(where, b"")
    (connection,) = recorded((">", request()), ("<", before + cookie + behind)).connections
    assert b"secret" not in shown_bytes(connection.received, show_credentials=False)


def test_the_response_to_trace_repeats_the_request() -> None:
    sent = request(fields=b"Cookie: secret\r\n", method="TRACE")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent)
    (connection,) = recorded((">", sent), ("<", head + sent)).connections
    assert b"secret" not in shown_bytes(connection.received, show_credentials=False)


def test_what_was_kept_may_end_in_a_secret() -> None:
    sent = request(fields=b"Cookie: secret\r\n")
    (connection,) = recorded((">", sent), max_bytes=sent.index(b"secret") + 3).connections
    assert shown_bytes(connection.sent, show_credentials=False).endswith(b"Cookie: ***")


def test_a_message_that_quotes_a_head() -> None:
    text = r"the server sent NUL in line 2: b'Set-Cookie: a=secret\x00'"
    assert mask_text(text) == "the server sent NUL in line 2: b'Set-Cookie:***"
    assert mask_text("at http://a:b@c/") == "at http://***@c/"
