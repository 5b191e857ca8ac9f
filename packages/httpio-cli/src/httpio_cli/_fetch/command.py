"""The command line of ``httpio fetch``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._options import connection_options, output_options, request_options
from httpio_cli._running import reporting
from httpio_cli._terminal import note
from httpio_cli._values import COUNT, RATE, SECONDS, SIZE

from .lists import ListFormat

if TYPE_CHECKING:
    from httpio_cli._options import ConnectionOptions, OutputOptions, RequestOptions


class _Depth(click.ParamType[int]):
    name = "depth"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the depth, 0 for what suits the files."""
        if value in ("auto", 0):
            return 0
        if value == "off":
            return 1
        try:
            depth = int(str(value))
        except ValueError:
            depth = 0
        if depth < 1:
            self.fail(f"expected a number, 'auto' or 'off', got {value!r}", param, ctx)
        return depth


@click.command("fetch")
@click.argument("urls", nargs=-1, metavar="[URL]...|-")
@click.option(
    "-i",
    "--input-file",
    "files",
    multiple=True,
    metavar="FILE|-",
    help="Fetch what this list names; '-' is standard input.",
)
@click.option(
    "--input-format",
    type=click.Choice([form.value for form in ListFormat]),
    default="auto",
    show_default=True,
    help="How lists are written.",
)
@click.option("--base-url", metavar="URL", help="Where the files of a list of checksums are.")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="NAME", help="Name for a URL, in order."
)
@click.option(
    "--checksum",
    "checksums",
    multiple=True,
    metavar="ALGORITHM:HEX",
    help="Checksum for a URL, in order.",
)
@click.option(
    "--output-dir", default=".", show_default=True, metavar="DIR", help="Where the files go."
)
@click.option("--create-dirs", is_flag=True, help="Make directories that are missing.")
@click.option(
    "-Z",
    "--parallel-max",
    type=COUNT,
    default=2,
    show_default=True,
    help="Connections to each origin.",
)
@click.option(
    "--pipeline-depth",
    type=_Depth(),
    default="auto",
    show_default=True,
    metavar="N|auto|off",
    help="Requests under way on a connection.",
)
@click.option("-L", "--location", is_flag=True, help="Follow redirects.")
@click.option(
    "--max-redirs", type=click.IntRange(min=0), default=50, show_default=True, help="At the most."
)
@click.option("--allow-downgrade", is_flag=True, help="Follow redirects from https to http.")
@click.option(
    "--retry",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Attempts after failures that may pass.",
)
@click.option(
    "--retry-delay",
    type=SECONDS,
    default=1.0,
    show_default=True,
    help="Time before the second of them; it doubles with each.",
)
@click.option(
    "--retry-max-time",
    type=SECONDS,
    default=120.0,
    show_default=True,
    help="Longest time that a server may make us wait.",
)
@click.option(
    "--idle-timeout",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="Give a response up when nothing has come for so long.",
)
@click.option("--limit-rate", type=RATE, help="Bytes per second, for all connections together.")
@click.option("--max-filesize", type=SIZE, help="Fetch no file that is larger.")
@click.option("--skip-existing", is_flag=True, help="Leave files that are there, and are right.")
@click.option(
    "-z",
    "--time-cond",
    metavar="DATE|FILE",
    help="Fetch what was modified since, '-' before it: not.",
)
@click.option("--etag-save", metavar="FILE", help="Note entity tags in this file.")
@click.option("--etag-compare", metavar="FILE", help="Fetch what has another entity tag than here.")
@click.option("-R", "--remote-time", is_flag=True, help="Give files the server's times.")
@click.option("--fail-early", is_flag=True, help="Stop at the first failure.")
@click.option(
    "--journal",
    metavar="FILE",
    help="Where to note what is done, instead of .httpio-fetch.journal in the output directory.",
)
@click.option("--no-journal", is_flag=True, help="Note nothing: a later run begins anew.")
@click.option("--report", metavar="FILE|-", help="Write what became of each file, in JSON lines.")
@connection_options
@request_options
@output_options
def command(
    *,
    urls: tuple[str, ...],
    files: tuple[str, ...],
    input_format: str,
    base_url: str | None,
    outputs: tuple[str, ...],
    checksums: tuple[str, ...],
    output_dir: str,
    create_dirs: bool,
    parallel_max: int,
    pipeline_depth: int,
    location: bool,
    max_redirs: int,
    allow_downgrade: bool,
    retry: int,
    retry_delay: float,
    retry_max_time: float,
    idle_timeout: float,
    limit_rate: int | None,
    max_filesize: int | None,
    skip_existing: bool,
    time_cond: str | None,
    etag_save: str | None,
    etag_compare: str | None,
    remote_time: bool,
    fail_early: bool,
    journal: str | None,
    no_journal: bool,
    report: str | None,
    connection: ConnectionOptions,
    request: RequestOptions,
    output: OutputOptions,
) -> int:
    """Fetch many files over few connections.

    Requests are pipelined: each connection has many under way. A file appears under its name when
    it is complete and verified; until then it is NAME.part. A run that was interrupted goes on where
    it was when the same command is given again.

    A list has a URL a line, or 'URL -> NAME', perhaps with sha256:HEX behind it; or it is a list of
    aria2, what sha256sum has written (with --base-url), or JSON lines with url, out, sha256, size
    and headers.
    """
    from httpio_cli._connector import Connector
    from httpio_cli._fields import RequestFields

    from .fetcher import FetchSettings
    from .runner import Run, RunOptions
    from .sources import entries_of_arguments, entries_of_file

    with reporting(output):
        if urls == ("-",):
            urls, files = (), (*files, "-")
        entries = entries_of_arguments(urls, outputs, checksums)
        for path in files:
            found, notes = entries_of_file(path, ListFormat(input_format), base_url)
            entries += found
            for text in notes:
                if not output.silent:
                    note(f"httpio: {text}")
        if not entries:
            raise CommandError(
                ExitCode.USAGE, "there is nothing to fetch", "name URLs, or a list with -i FILE"
            )
        if time_cond is not None:
            from .conditions import time_condition

            condition = time_condition(time_cond)
        else:
            condition = None
        settings = FetchSettings(
            parallel_max=parallel_max,
            depth=pipeline_depth or None,
            retries=retry,
            retry_delay=retry_delay,
            retry_max_time=retry_max_time,
            connect_timeout=connection.connect_timeout or 60.0,
            idle_timeout=idle_timeout,
            max_time=connection.max_time,
            limit_rate=limit_rate or None,
            max_filesize=max_filesize,
            max_redirs=max_redirs,
            location=location,
            downgrade=allow_downgrade,
            fail_early=fail_early,
            remote_time=remote_time,
        )
        options = RunOptions(
            output_dir=output_dir,
            create_dirs=create_dirs,
            journal="" if no_journal else journal,
            skip_existing=skip_existing,
            time_condition=condition,
            etag_save=etag_save,
            etag_compare=etag_compare,
            report=report,
        )
        if sys.stdout is None and (output.format != "text" or report == "-"):
            raise CommandError(ExitCode.WRITE_FAILED, "stdout is closed", "leave --format out")
        run = Run(entries, options, settings, output)
        return int(run.run(Connector(connection, os.environ), RequestFields(request, os.environ)))
