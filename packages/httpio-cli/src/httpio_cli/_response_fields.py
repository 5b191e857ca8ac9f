"""The fields of a response, one by one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from httpio import HTTPResponse


def field(response: HTTPResponse, name: str) -> str | None:
    """Return the value of the first field called *name*, `None` if there is none."""
    wanted = name.lower()
    for found, value in response.fields:
        if found.lower() == wanted:
            return value
    return None


def combined_field(response: HTTPResponse, name: str) -> str | None:
    """Return the values of all fields called *name* as one list (RFC 9110 §5.3)."""
    wanted = name.lower()
    values = [value for found, value in response.fields if found.lower() == wanted]
    return ", ".join(values) if values else None
