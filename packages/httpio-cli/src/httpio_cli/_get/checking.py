"""Which options go together, and what they make of the method."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._values import REMOVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio_cli._options import RequestOptions

    from .content import Content
    from .settings import SavingOptions

# Compiled where they are needed, which is seldom.
_METHOD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGES: Final = r"([0-9]+-[0-9]*|-[0-9]+)(,([0-9]+-[0-9]*|-[0-9]+))*"


def choose_method(
    name: str,
    method: str | None,
    custom: str | None,
    as_head: bool,
    content: Content | None,
    upload_file: str | None,
) -> str:
    """Return the method of the requests. Raises `CommandError` for options that clash."""
    if as_head:
        method = "HEAD"
    elif custom is not None:
        if not re.fullmatch(_METHOD, custom) or custom == "CONNECT":
            raise CommandError(ExitCode.USAGE, f"expected a method such as OPTIONS, got {custom!r}")
        method = custom
    elif method is None:
        method = "GET" if content is None else "PUT" if upload_file is not None else "POST"
    if content is not None and method in ("GET", "HEAD") and custom is None:
        raise CommandError(
            ExitCode.USAGE,
            f"{name} sends no content",
            "put it in the query with -G, or use post, put or request",
        )
    if content is None and custom is None and name in ("put", "post"):
        raise CommandError(
            ExitCode.USAGE,
            f"{name} without anything to send",
            "give -d, --json, -F or -T; -d '' sends empty content",
        )
    return method


def check_saving(
    saving: SavingOptions,
    urls: Sequence[str],
    method: str,
    byte_range: str | None,
    compressed: bool,
) -> None:
    """Raise `CommandError` for options that exclude each other."""

    def wrong(what: str, hint: str = "") -> CommandError:
        return CommandError(ExitCode.USAGE, what, hint)

    if saving.output_file is not None and saving.remote_name:
        raise wrong("-o and -O exclude each other")
    if saving.output_file not in (None, "-") and len(urls) > 1:
        raise wrong("-o is for one URL", "give -O, or use 'httpio fetch' with names for each")
    if saving.remote_header_name and not saving.remote_name:
        raise wrong("-J goes with -O")
    if saving.continue_at is not None:
        if not re.fullmatch(r"-|[0-9]{1,18}", saving.continue_at):
            raise wrong(f"expected -C OFFSET or -C -, got {saving.continue_at[:40]!r}")
        if compressed or byte_range is not None or saving.remote_header_name:
            raise wrong("-C excludes --compressed, -r and -J")
        if saving.include or method != "GET":
            raise wrong("-C is for GET, and without -i")
    if saving.fail and saving.fail_with_body:
        raise wrong("--fail and --fail-with-body exclude each other")
    if byte_range is not None and not re.fullmatch(_RANGES, byte_range):
        raise wrong(f"expected -r FROM-TO, FROM- or -LAST, in bytes, got {byte_range!r}")
    if saving.write_out is not None:
        from .write_out import check_format

        check_format(saving.write_out)


def framing(request: RequestOptions, content: Content | None) -> tuple[RequestOptions, bool]:
    """Return *request* without what the library says itself, and whether chunks are wanted.

    A Content-Length that is not true, and a transfer coding that is not chunked, would have the server
    take something else for the request than what was meant (RFC 9112 §6.3). Raises `CommandError`.
    """
    kept: list[tuple[str, str]] = []
    is_chunked = False
    for name, value in request.header:
        match name.lower():
            case "transfer-encoding" if value != REMOVED:
                if content is None or value.lower() != "chunked":
                    raise CommandError(
                        ExitCode.USAGE,
                        f"the only transfer coding is 'chunked', for content; got {value!r}",
                        "leave it out",
                    )
                is_chunked = True
            case "content-length" if value != REMOVED:
                length = 0 if content is None else content.length
                if value != str(length):
                    raise CommandError(
                        ExitCode.USAGE,
                        f"Content-Length is {value!r}, and the content has {length} bytes"
                        if length is not None
                        else f"Content-Length is {value!r}, and nobody knows how much will come",
                        "leave it out",
                    )
            case "host" if any(other.lower() == "host" for other, _ in kept):
                raise CommandError(ExitCode.USAGE, "a request has one Host field only")
            case _:
                kept.append((name, value))
    return request.but(header=tuple(kept)), is_chunked
