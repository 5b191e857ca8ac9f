"""``-w``: what is printed after a transfer, by curl's variables. Knows no sockets."""

from __future__ import annotations

import json
import re
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Final

from httpio_cli._errors import CommandError, cannot_read
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redaction import redact_value
from httpio_cli._response_fields import field
from httpio_cli._running import stdout
from httpio_cli._terminal import sanitise, stdout_is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .record import Record

_ITEM: Final = re.compile(r"%%|%header\{([^}]*)\}|%\{([^}]*)\}|\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


def _time(name: str) -> Callable[[Record], str]:
    return lambda record: f"{record.times.get(name, 0.0):.6f}"


def _total(record: Record) -> float:
    return record.times.get("total", perf_counter() - record.started)


def _speed(size: int, record: Record) -> str:
    total = _total(record)
    return str(round(size / total)) if total > 0 else "0"


def _header(record: Record, name: str) -> str:
    if record.response is None:
        return ""
    value = field(record.response, name)
    return "" if value is None else redact_value(name, value, record.show_credentials)


#: curl's variables, as far as they have a meaning here.
VARIABLES: Final[dict[str, Callable[[Record], str]]] = {
    "content_type": lambda record: _header(record, "Content-Type"),
    "errormsg": lambda record: record.error,
    "exitcode": lambda record: str(record.exit_code),
    "filename_effective": lambda record: record.filename,
    "http_code": lambda record: f"{record.response.status if record.response else 0:03}",
    "http_version": lambda record: record.response.version if record.response else "0",
    "local_ip": lambda record: record.local[0] if record.local else "",
    "local_port": lambda record: str(record.local[1]) if record.local else "0",
    "method": lambda record: record.method,
    "num_connects": lambda record: str(record.connects),
    "num_headers": lambda record: str(len(record.response.fields) if record.response else 0),
    "num_redirects": lambda record: str(record.redirects),
    "num_retries": lambda record: str(record.retries),
    "redirect_url": lambda record: record.redirect_url,
    "remote_ip": lambda record: record.remote[0] if record.remote else "",
    "remote_port": lambda record: str(record.remote[1]) if record.remote else "0",
    "response_code": lambda record: f"{record.response.status if record.response else 0:03}",
    "scheme": lambda record: (record.effective or record.url).scheme,
    "size_download": lambda record: str(record.size_download),
    "size_header": lambda record: str(record.size_header),
    "size_request": lambda record: str(record.size_request),
    "size_upload": lambda record: str(record.size_upload),
    "speed_download": lambda record: _speed(record.size_download, record),
    "speed_upload": lambda record: _speed(record.size_upload, record),
    "ssl_verify_result": lambda record: str(record.ssl_verify_result),
    "time_appconnect": _time("appconnect"),
    "time_connect": _time("connect"),
    "time_namelookup": _time("namelookup"),
    "time_pretransfer": _time("pretransfer"),
    "time_redirect": lambda record: f"{record.redirect_time:.6f}",
    "time_starttransfer": _time("starttransfer"),
    "time_total": lambda record: f"{_total(record):.6f}",
    "url": lambda record: str(record.url),
    "url_effective": lambda record: str(record.effective or record.url),
}


def as_json(record: Record) -> dict[str, object]:
    """Return all variables, those that are numbers as numbers."""
    found: dict[str, object] = {}
    for name, value_of in VARIABLES.items():
        value = value_of(record)
        if name.startswith(("time_", "speed_")):
            found[name] = float(value)
        elif name.startswith(("size_", "num_", "ssl_")) or name.endswith(("_port", "code")):
            found[name] = int(value)
        else:
            found[name] = value or None
    return found


def headers_of(record: Record) -> dict[str, list[str]]:
    """Return the fields of the response by their names in lower case, each with all its values."""
    found: dict[str, list[str]] = {}
    if record.response is not None:
        for name, value in record.response.fields:
            shown = redact_value(name, value, record.show_credentials)
            found.setdefault(name.lower(), []).append(shown)
    return found


def read_format(text: str) -> str:
    """Return the format that ``-w`` gives: *text*, or with ``@FILE`` what is in a file."""
    if not text.startswith("@"):
        return text
    try:
        if text == "@-":
            if sys.stdin is None:
                raise CommandError(ExitCode.READ_FAILED, "stdin is closed")
            return sys.stdin.read()
        with open(text[1:], encoding="utf-8") as file:
            return file.read()
    except OSError as exc:
        raise cannot_read(text[1:], exc) from exc
    except UnicodeDecodeError as exc:
        raise CommandError(ExitCode.READ_FAILED, f"{text[1:]!r} is no text in UTF-8") from exc


def check_format(text: str) -> None:
    """Raise `CommandError` for a variable that is not known, before anything is sent."""
    for found in _ITEM.finditer(text):
        name = found[2]
        if name is not None and name not in VARIABLES and name not in SPECIAL:
            raise CommandError(
                ExitCode.USAGE,
                f"-w: there is no variable {name!r}",
                "docs and 'man httpio-get' list them",
            )


#: What is none of a transfer's figures.
SPECIAL: Final = frozenset(("json", "header_json", "stderr", "stdout", "onerror"))


def write_out(text: str, record: Record) -> None:
    """Print what *text* makes of *record*, on stdout where it does not say ``%{stderr}``."""
    output = {"stdout": "", "stderr": ""}
    stream = "stdout"
    position = 0
    for found in _ITEM.finditer(text):
        output[stream] += text[position : found.start()]
        position = found.end()
        name = found[2]
        if name == "onerror":
            # What follows is for failures.
            if not record.exit_code:
                position = len(text)
                break
        elif name in output:
            stream = name
        else:
            output[stream] += _value(found, record)
    output[stream] += text[position:]
    if output["stdout"]:
        out = stdout()
        # Nothing that a server sends drives the terminal.
        out.write(sanitise(output["stdout"]) if stdout_is_terminal() else output["stdout"])
        out.flush()
    if output["stderr"] and sys.stderr is not None:
        sys.stderr.write(sanitise(output["stderr"]))


def _value(found: re.Match[str], record: Record) -> str:
    whole, field, name, escaped = found[0], found[1], found[2], found[3]
    if whole == "%%":
        return "%"
    if escaped is not None:
        return _ESCAPES.get(escaped, whole)
    if field is not None:
        return _header(record, field)
    if name == "json":
        return json.dumps(as_json(record))
    if name == "header_json":
        return json.dumps(headers_of(record))
    return VARIABLES[name](record)
