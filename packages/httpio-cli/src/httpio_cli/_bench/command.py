"""The command ``httpio bench``."""

from __future__ import annotations

import os
import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from httpio_cli._errors import CommandError, cannot_read, cannot_write
from httpio_cli._exit_codes import ExitCode
from httpio_cli._options import (
    OutputOptions,
    RequestOptions,
    connection_options,
    request_options,
)
from httpio_cli._running import reporting, stdout
from httpio_cli._urls import parse_url
from httpio_cli._values import COUNT, SECONDS

from .plan import Load
from .thresholds import THRESHOLD
from .verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from httpio_cli._options import ConnectionOptions
    from httpio_cli._urls import URL

    from .results import Outcome
    from .thresholds import Threshold

#: Seconds.
_DEFAULT_DURATION: Final = 10.0
_DEFAULT_TIMEOUT: Final = 30.0
_MOST_DEPTH: Final = 65536
#: More curves nobody could tell apart.
_MOST_DEPTHS: Final = 32


class _Depths(click.ParamType[tuple[int, ...]]):
    name = "depths"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        depths = []
        for part in str(value).split(","):
            if not part.strip().isdecimal() or not 1 <= int(part) <= _MOST_DEPTH:
                self.fail(
                    f"expected depths from 1 to {_MOST_DEPTH} such as 8 or 1,2,4,8, got {value!r}",
                    param,
                    ctx,
                )
            depths.append(int(part))
        if len(set(depths)) < len(depths) or len(depths) > _MOST_DEPTHS:
            self.fail(f"expected up to {_MOST_DEPTHS} different depths, got {value!r}", param, ctx)
        return tuple(depths)


@click.command(name="bench")
@click.argument("url", required=False)
@click.option(
    "--urls-from-file",
    metavar="FILE",
    help="Take URLs from FILE, one a line, in turn; - is stdin.",
)
@click.option("-n", "--requests", type=COUNT, help="Requests at each depth.")
@click.option(
    "-z", "--duration", type=SECONDS, help="Time at each depth.  [default: 10s, without -n]"
)
@click.option(
    "-c", "--connections", type=COUNT, default=1, show_default=True, help="Connections in all."
)
@click.option(
    "-q",
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Requests per second of all connections together (open loop).  [default: as fast as it goes]",
)
@click.option(
    "-p",
    "--depth",
    "depths",
    type=_Depths(),
    default="1",
    show_default=True,
    metavar="DEPTH[,DEPTH]...",
    help="Requests under way at once on a connection; several are tried one after the other.",
)
@click.option(
    "-w",
    "--warmup",
    type=SECONDS,
    default=0.0,
    metavar="TIME",
    help="Make load for so long before anything is counted.  [default: 0s]",
)
@click.option("--procs", type=COUNT, default=1, show_default=True, help="Worker processes.")
@click.option("-m", "--method", default=None, help="Method.  [default: GET, or POST with content]")
@click.option("-d", "--data", metavar="DATA|@FILE", help="Content of each request.")
@click.option("-D", "--data-file", metavar="FILE", help="Content of each request, from FILE.")
@click.option(
    "--any-status", is_flag=True, help="Go on if the first answer has a status of 400 or more."
)
@click.option(
    "--fail-if",
    "thresholds",
    type=THRESHOLD,
    multiple=True,
    metavar="'p99>50ms'",
    help="End with 112 if this holds at any depth: p50, p99.9, mean, max, errors, error_rate, rps.",
)
@click.option(
    "--output-format",
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "csv", "hgrm"]),
    default="text",
    show_default=True,
    help="Form of the outcome.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the outcome to FILE.")
@click.option("--report", metavar="FILE", help="Write an HTML page with charts to FILE.")
@click.option("-s", "--silent", is_flag=True, help="Show neither progress nor notes nor errors.")
@click.option("-S", "--show-error", is_flag=True, help="With --silent, show errors.")
@click.option("-v", "--verbose", is_flag=True, help="Tell what is done, on stderr.")
@connection_options
@request_options
def command(
    url: str | None,
    urls_from_file: str | None,
    requests: int | None,
    duration: float | None,
    connections: int,
    rate: float | None,
    depths: tuple[int, ...],
    warmup: float,
    procs: int,
    method: str | None,
    data: str | None,
    data_file: str | None,
    any_status: bool,
    thresholds: tuple[Threshold, ...],
    output_format: str,
    output: str | None,
    report: str | None,
    silent: bool,
    show_error: bool,
    verbose: bool,
    connection: ConnectionOptions,
    request: RequestOptions,
) -> int:
    """Put a server under load, and measure.

    Pipelines to DEPTH on each connection. Without -q, each answer makes room for the next request
    (closed loop). With -q, requests have their times, whether the server keeps up or not, and latency
    counts from those times: nothing that a stall has held back is left out.

    \b
    httpio bench -p 1,2,4,8,16 -z 5s http://localhost:8080/
    httpio bench -q 500 -c 4 -z 30s --fail-if 'p99>50ms' http://localhost:8080/
    """
    with reporting(OutputOptions(silent=silent, show_error=show_error, verbose=verbose)):
        output = None if output == "-" else output
        if rate is not None and not isfinite(rate):
            raise CommandError(ExitCode.USAGE, f"a rate of {rate} is none", "give -q 100")
        if duration == 0:
            raise CommandError(
                ExitCode.USAGE, "a duration of 0 seconds measures nothing", "give -z 10s"
            )
        urls = _urls(url, urls_from_file)
        content = _body(data, data_file)
        load = Load(
            urls=urls,
            method=method or ("GET" if content is None else "POST"),
            fields=_fields(request, urls, has_body=content is not None),
            body=content,
            connections=connections,
            requests=requests,
            duration=_DEFAULT_DURATION if duration is None and requests is None else duration,
            rate=rate,
            warmup=warmup,
            timeout=_DEFAULT_TIMEOUT if connection.max_time is None else connection.max_time,
            options=connection,
        )
        _check(load, depths, output_format, output)
        if output is None:
            # Now, and not after minutes of load.
            stdout()
        for path in (output, report):
            if path is not None:
                _check_writable(path)
        from .performing import Manner, perform

        manner = Manner(any_status=any_status, silent=silent, verbose=verbose)
        outcome = perform(load, depths, procs, manner)
        _write(outcome, thresholds, output_format, output)
        if report is not None:
            from .report import as_page

            _write_file(report, as_page(outcome, thresholds))
        return verdict(outcome, thresholds, any_status=any_status)


def _adapt(options: Sequence[click.Parameter]) -> None:
    """Leave -m and -n to the method and the number of requests, as other load generators do."""
    for option in options:
        if option.name == "netrc":
            option.opts.remove("-n")
        elif option.name == "max_time":
            option.opts.remove("-m")
            assert isinstance(option, click.Option)
            option.help = f"Longest time for one request.  [default: {_DEFAULT_TIMEOUT:g}s]"


_adapt(command.params)


def _urls(url: str | None, urls_from_file: str | None) -> tuple[URL, ...]:
    if (url is None) == (urls_from_file is None):
        raise CommandError(ExitCode.USAGE, "expected a URL or --urls-from-file, one of them")
    if url is not None:
        return (parse_url(url),)
    assert urls_from_file is not None
    text = _read(urls_from_file).decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.splitlines()]
    urls = tuple(parse_url(line) for line in lines if line and not line.startswith("#"))
    if not urls:
        raise CommandError(ExitCode.USAGE, f"there is no URL in {urls_from_file!r}")
    return urls


def _read(path: str) -> bytes:
    try:
        if path != "-":
            return Path(path).read_bytes()
        if sys.stdin is None:
            raise CommandError(ExitCode.READ_FAILED, "stdin is closed", "give a file")
        return sys.stdin.buffer.read()
    except OSError as exc:
        raise cannot_read(path, exc) from exc


def _body(data: str | None, data_file: str | None) -> bytes | None:
    if data is not None and data_file is not None:
        raise CommandError(ExitCode.USAGE, "-d and -D exclude each other")
    if data_file is not None:
        return _read(data_file)
    if data is not None and data.startswith("@"):
        return _read(data[1:])
    return None if data is None else data.encode("utf-8", "surrogateescape")


def _fields(
    request: RequestOptions, urls: Sequence[URL], *, has_body: bool
) -> tuple[tuple[str, str], ...]:
    """Return the fields of all requests: those that were asked for, and no others.

    Each field that is sent has a cost on both sides, so there is none by default.
    """
    from httpio_cli._fields import RequestFields

    fields = RequestFields(request, os.environ)
    extra = [("Content-Type", "application/x-www-form-urlencoded")] if has_body else []
    defaults = RequestFields(RequestOptions(), {}).for_url(urls[0], trusted=False)
    named = {name.lower() for name, _ in request.header}
    wanted = [
        (name, value)
        for name, value in fields.for_url(urls[0], extra=extra)
        if (name, value) not in defaults or name.lower() in named
    ]
    for url in urls[1:]:
        if fields.authorization(url) != fields.authorization(urls[0]) or (
            url.origin != urls[0].origin and _is_secret(wanted)
        ):
            raise CommandError(
                ExitCode.USAGE,
                "credentials would go to more than one server",
                "give URLs of one server, or no credentials",
            )
    return tuple(wanted)


def _is_secret(fields: Sequence[tuple[str, str]]) -> bool:
    from httpio_cli._redaction import SECRET_FIELDS

    return any(name.lower() in SECRET_FIELDS for name, _ in fields)


def _check(load: Load, depths: Sequence[int], output_format: str, output: str | None) -> None:
    origins = len(load.origins())
    if load.connections < origins:
        raise CommandError(
            ExitCode.USAGE,
            f"{origins} servers need a connection each, and -c allows {load.connections}",
            f"give -c {origins}",
        )
    if output_format == "hgrm" and len(depths) > 1 and output is None:
        raise CommandError(
            ExitCode.USAGE,
            f"an hgrm file has one distribution, and there are {len(depths)} depths",
            "give one depth, or -o FILE for a file for each",
        )


def _write(
    outcome: Outcome, thresholds: Sequence[Threshold], output_format: str, output: str | None
) -> None:
    from .documents import as_csv, as_document, as_hgrm

    if output_format == "hgrm":
        files = as_hgrm(outcome)
        if output is None:
            click.echo(files.get("", ""), nl=False)
            return
        for suffix, text in files.items():
            path = Path(output)
            _write_file(str(path.with_name(f"{path.stem}{suffix}{path.suffix}")), text)
        return
    if output_format == "json":
        import json

        text = json.dumps(as_document(outcome, thresholds), indent=1, allow_nan=False) + "\n"
    elif output_format == "csv":
        text = as_csv(outcome)
    else:
        from .text import as_text

        text = as_text(outcome)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write_file(output, text)


def _check_writable(path: str) -> None:
    """Raise now, and not after minutes of load, if *path* cannot be written."""
    file = Path(path)
    try:
        is_new = not file.exists()
        with file.open("ab"):
            pass
        if is_new:
            file.unlink()
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def _write_file(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise cannot_write(path, exc) from exc
