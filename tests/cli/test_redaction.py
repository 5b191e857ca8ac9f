"""Credentials are not shown."""

from __future__ import annotations

import pytest

from httpio_cli._redaction import REDACTED, redact_fields, redact_text, redact_value


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Basic secret", f"Basic {REDACTED}"),
        ("authorization", "BEARER secret secret", f"BEARER {REDACTED}"),
        ("Authorization", "secret", REDACTED),
        ("Authorization", "Unknown secret", REDACTED),
        ("Proxy-Authorization", "Basic secret", f"Basic {REDACTED}"),
        ("Cookie", "a=secret; b=secret", REDACTED),
        ("Set-Cookie", "a=secret; Path=/; Secure", f"a={REDACTED}; Path=/; Secure"),
        ("Set-Cookie", "a=secret", f"a={REDACTED}"),
        ("X-Api-Key", "secret", REDACTED),
        ("Server", "open", "open"),
    ],
)
def test_values(name: str, value: str, shown: str) -> None:
    assert redact_value(name, value) == shown
    assert redact_value(name, value, show=True) == value
    assert redact_fields([(name, value)]) == [(name, shown)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:secret@a/b", "http://***@a/b"),
        ("see http://secret@a and https://x:secret@b/", "see http://***@a and https://***@b/"),
        ("http://a/b@c", "http://a/b@c"),
        ("me@a", "me@a"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    assert redact_text(text) == shown
