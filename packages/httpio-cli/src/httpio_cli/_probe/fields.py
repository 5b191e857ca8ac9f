"""Fields of responses, as they may be shown."""

from __future__ import annotations

from httpio_cli._redaction import redact_fields, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import Fields


def shown_fields(fields: Fields, show: bool) -> list[tuple[str, str]]:
    """Return *fields*, without credentials unless *show* says that these may be seen."""
    if show:
        return list(fields)
    # A URL, as in Location, may have some in it.
    return [(name, redact_text(value)) for name, value in redact_fields(fields)]
