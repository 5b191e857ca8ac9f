"""Documents for programs. Each names its schema and the version of that.

Within a version, members may be added; none changes its meaning or goes away.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final, TextIO

#: Goes up when something that was there changes.
SCHEMA_VERSION: Final = 1


def document(kind: str, members: Mapping[str, object]) -> dict[str, object]:
    """Return *members* with the schema ``httpio/kind/1`` before them."""
    return {"schema": f"httpio/{kind}/{SCHEMA_VERSION}", **members}


def write_json(obj: object, stream: TextIO, *, indent: int | None = None) -> None:
    """Write *obj* on one line, or indented, with a line end."""
    # ASCII: what the server sent is shown as escapes, whatever the terminal makes of it.
    stream.write(json.dumps(obj, indent=indent, allow_nan=False) + "\n")
