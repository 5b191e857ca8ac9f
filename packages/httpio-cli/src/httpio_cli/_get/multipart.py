"""Forms with files: multipart/form-data (RFC 7578), as ``-F`` describes them."""

from __future__ import annotations

import os
import re

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

from .content import Content, FilePart, file_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final


def multipart(forms: Iterable[str], literal: Iterable[str] = ()) -> Content:
    """Return the content for the values of ``-F``, and for those of ``--form-string``.

    ``name=content``; ``name=@file`` attaches a file, ``name=<file`` takes the content from one; both
    may be followed by ``;type=MEDIA/TYPE`` and ``;filename=NAME``. Raises `CommandError`.
    """
    import secrets

    boundary = f"httpio-{secrets.token_hex(16)}"
    parts: list[bytes | FilePart] = []
    for name, content, parameters in [*map(_parse, forms), *map(_parse_literal, literal)]:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quote(name)}"'
        if "filename" in parameters:
            head += f'; filename="{_quote(parameters["filename"])}"'
        if "type" in parameters:
            head += f"\r\nContent-Type: {parameters['type']}"
        parts += [os.fsencode(f"{head}\r\n\r\n"), content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Content(parts=tuple(parts), media_type=f"multipart/form-data; boundary={boundary}")


def _parse_literal(text: str) -> tuple[str, bytes, dict[str, str]]:
    name, equals, content = text.partition("=")
    if not equals or not name:
        raise _bad(text)
    return name, os.fsencode(content), {}


def _parse(text: str) -> tuple[str, bytes | FilePart, dict[str, str]]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise _bad(text)
    content, parameters = _parameters(value)
    if not content.startswith(("@", "<")):
        return name, os.fsencode(content), parameters
    path = content[1:]
    part = file_part(path)
    if content.startswith("@"):
        parameters.setdefault("filename", os.path.basename(path) if path != "-" else "stdin")
        parameters.setdefault("type", _media_type(path))
    return name, part, parameters


#: One parameter, whose value may be quoted or have semicolons in it that begin no other one.
_PARAMETER: Final = re.compile(
    r""";\s*(type|filename)=("(?:[^"\\]|\\.)*"\s*(?=;|$)|.*?(?=;\s*(?:type|filename)=|$))""",
    re.IGNORECASE | re.DOTALL,
)


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split ``content;type=...;filename=...``; other semicolons belong to what they are in."""
    found: dict[str, str] = {}
    begin = _PARAMETER.search(value)
    if begin is None:
        return value, found
    for match in _PARAMETER.finditer(value, begin.start()):
        name, parameter = match[1].lower(), match[2].strip()
        if parameter.startswith('"') and parameter.endswith('"') and len(parameter) > 1:
            parameter = re.sub(r"\\(.)", r"\1", parameter[1:-1])
        if not parameter.isprintable() or (name == "type" and not parameter.isascii()):
            raise CommandError(ExitCode.USAGE, f"-F: a {name} cannot be {parameter!r}")
        found[name] = parameter
    return value[: begin.start()], found


def _media_type(path: str) -> str:
    from mimetypes import guess_type

    return guess_type(path)[0] or "application/octet-stream"


def _quote(text: str) -> str:
    # As browsers do it (RFC 7578 §5.1 leaves it open); a line end would begin a field of its own.
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _bad(text: str) -> CommandError:
    return CommandError(ExitCode.USAGE, f"expected -F NAME=CONTENT or NAME=@FILE, got {text!r}")
