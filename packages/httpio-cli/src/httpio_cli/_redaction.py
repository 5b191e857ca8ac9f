"""Keeping credentials out of what is shown."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

#: Fields whose values let their owner in.
SECRET_FIELDS: Final = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-auth-token",
        "x-amz-security-token",
        "authentication-info",
        "proxy-authentication-info",
    )
)
REDACTED: Final = "[redacted]"
# Patterns are compiled where they are needed, which for most commands is nowhere.
_USER_INFORMATION: Final = r"(?<=://)[^/?#\s]*@"
#: A field among bytes that are quoted as Python does it, up to where the next one begins.
_QUOTED_FIELD: Final = (
    rf"(?is)\b((?:{'|'.join(map(re.escape, sorted(SECRET_FIELDS)))})\s*:)"
    r".*?(?=(?:\\r)?\\n(?![ ]|\\t)|\Z)"
)
# The scheme tells something and gives nothing away.
_SCHEME: Final = r"(?i:basic|bearer|digest|negotiate|ntlm) "


def redact_value(name: str, value: str, show: bool = False) -> str:
    """Return the *value* of the field *name* as it may be shown."""
    if show or name.lower() not in SECRET_FIELDS:
        return value
    if name.lower() == "set-cookie":
        cookie, _, attributes = value.partition(";")
        rest = f";{attributes}" if attributes else ""
        return f"{cookie.partition('=')[0]}={REDACTED}{rest}"
    scheme = re.match(_SCHEME, value)
    return f"{scheme[0] if scheme else ''}{REDACTED}"


def redact_fields(pairs: Iterable[tuple[str, str]], show: bool = False) -> list[tuple[str, str]]:
    """Return *pairs* of field name and value as they may be shown."""
    return [(name, redact_value(name, value, show)) for name, value in pairs]


def without_credentials(text: str) -> str:
    """Return *text*, which may quote a part of what a server has sent, without credentials."""
    return redact_text(re.sub(_QUOTED_FIELD, rf"\1 {REDACTED}", text))


def redact_text(text: str) -> str:
    """Return *text* without the user information of the URLs in it."""
    return re.sub(_USER_INFORMATION, "***@", text)
