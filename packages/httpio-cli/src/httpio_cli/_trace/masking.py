"""Credentials, replaced by as many asterisks: every offset stays what it was."""

from __future__ import annotations

import re

from httpio_cli._redaction import SECRET_FIELDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .spans import Span
    from .streams import Stream

_NAMES: Final = "|".join(map(re.escape, sorted(SECRET_FIELDS))).encode()
# A value goes on where the next line is folded (RFC 9112 §5.2). The scheme of credentials tells
# something and gives nothing away.
_SECRET_FIELD: Final = re.compile(
    rb"(?im)^((?:"
    + _NAMES
    + rb")[ \t]*:[ \t]*(?:(?:basic|bearer|digest|negotiate|ntlm)[ ]+)?)"
    + rb"([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)"
)
_QUOTED_FIELD: Final = re.compile(rf"(?is)\b((?:{_NAMES.decode()})\s*:).*")
_SET_COOKIE: Final = re.compile(rb"(?i)set-cookie")
_COOKIE_VALUE: Final = re.compile(rb"(?:[^=;]*=)?([^;]*)", re.DOTALL)
# To the last "@" of the authority: a careless URL has one in its password.
_USER_INFORMATION: Final = re.compile(rb"(?<=://)[^/?#\s]*(?=@)")
_USER_INFORMATION_TEXT: Final = re.compile(r"(?<=://)[^/?#\s]*(?=@)")
_VISIBLE: Final = re.compile(rb"[^\r\n]")


def mask(data: bytes) -> bytes:
    """Return *data*, a head or something like it, without credentials and of the same length."""
    data = _SECRET_FIELD.sub(_mask_field, data)
    return _USER_INFORMATION.sub(lambda found: b"*" * len(found[0]), data)


def _mask_field(found: re.Match[bytes]) -> bytes:
    before, value = found[1], found[2]
    if _SET_COOKIE.match(before) and (cookie := _COOKIE_VALUE.match(value)):
        # Its name and its attributes are what it is traced for.
        start, stop = cookie.span(1)
        return before + value[:start] + _asterisks(value[start:stop]) + value[stop:]
    return before + _asterisks(value)


def _asterisks(value: bytes) -> bytes:
    return _VISIBLE.sub(b"*", value)


def mask_text(text: str) -> str:
    """Return *text*, which may quote a part of a head, without credentials."""
    return mask_url(_QUOTED_FIELD.sub(r"\1***", text))


def mask_url(text: str) -> str:
    """Return *text* without the user information of the URLs in it."""
    return _USER_INFORMATION_TEXT.sub("***", text)


def shown_bytes(stream: Stream, *, show_credentials: bool) -> bytes:
    """Return the bytes of *stream* that were kept, as they may be shown."""
    if show_credentials:
        return bytes(stream.captured)
    data = bytearray(stream.captured)
    for span in stream.spans:
        if span.start >= len(data):
            break
        if _may_have_fields(span):
            data[span.start : span.end] = mask(bytes(data[span.start : span.end]))
    return bytes(data)


def _may_have_fields(span: Span) -> bool:
    # RFC 9110 §9.3.8: the response to TRACE has the request in its content.
    echoes = span.slot is not None and span.slot.method == "TRACE"
    return span.part.is_head or (echoes and span.part.is_payload)
