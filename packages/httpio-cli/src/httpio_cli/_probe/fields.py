"""Fields of responses, as they may be shown."""

from __future__ import annotations

import re

from httpio_cli._redaction import REDACTED, SECRET_FIELDS, redact_fields, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .model import Fields

#: A field among bytes that are quoted as Python does it, up to where the next one begins.
_QUOTED_FIELD: Final = re.compile(
    rf"(?is)\b((?:{'|'.join(map(re.escape, sorted(SECRET_FIELDS)))})\s*:)"
    r".*?(?=(?:\\r)?\\n(?![ ]|\\t)|\Z)"
)


def shown_fields(fields: Fields, show: bool) -> list[tuple[str, str]]:
    """Return *fields*, without credentials unless *show* says that these may be seen."""
    if show:
        return list(fields)
    # A URL, as in Location, may have some in it.
    return [(name, redact_text(value)) for name, value in redact_fields(fields)]


def without_credentials(text: str) -> str:
    """Return *text*, which may quote a part of what a server has sent, without credentials."""
    return redact_text(_QUOTED_FIELD.sub(rf"\1 {REDACTED}", text))
