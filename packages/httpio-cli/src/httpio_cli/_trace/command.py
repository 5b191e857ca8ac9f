"""The command line of ``httpio trace``."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from httpio_cli._errors import CommandError, Terminated, cannot_read, cannot_write
from httpio_cli._exit_codes import ExitCode
from httpio_cli._options import OutputOptions, connection_options, request_options
from httpio_cli._running import reporting
from httpio_cli._values import COUNT, SIZE

from .recording import DEFAULT_MAX_BYTES, Recording, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, TextIO

    from httpio_cli._options import ConnectionOptions, RequestOptions

    from .conversation import Manner, Question
    from .views import View


# For completion; what cannot be opened is told later.
_FILE: Final = click.Path(allow_dash=True)


@click.command("trace", no_args_is_help=True)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("-X", "--request", "method", metavar="METHOD", help="Method of the requests.")
@click.option(
    "-d",
    "--data",
    multiple=True,
    metavar="DATA|@FILE|@-",
    help="Content of the requests, which are POST then; several are joined by '&'.",
)
@click.option("-I", "--head", is_flag=True, help="Make HEAD requests.")
@click.option("-L", "--location", is_flag=True, help="Follow redirects.")
@click.option(
    "--max-redirs",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="NUMBER",
    help="With --location, follow so many.",
)
@click.option(
    "--allow-downgrade", is_flag=True, help="With --location, follow from https to http as well."
)
@click.option("--repeat", type=COUNT, default=1, metavar="NUMBER", help="Request all so often.")
@click.option(
    "--pipeline/--no-pipeline",
    default=True,
    help="Send the requests for one origin without waiting for responses (the default), or not.",
)
@click.option(
    "--read", "source", type=_FILE, metavar="FILE", help="Show a trace that HTTPIO_TRACEFILE made."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "jsonl", "har"]),
    help="Form of the trace.  [default: text]",
)
@click.option("-o", "--output", default="-", type=_FILE, metavar="FILE", help="Write that to FILE.")
@click.option(
    "--trace",
    "hex_dump",
    type=_FILE,
    metavar="FILE",
    help="Write a hex dump as well, '-' for stdout.",
)
@click.option(
    "--trace-ascii",
    "ascii_dump",
    type=_FILE,
    metavar="FILE",
    help="Likewise, without hexadecimals.",
)
@click.option("--trace-time", is_flag=True, help="Give the times of the wall clock.")
@click.option(
    "--max-bytes",
    type=SIZE,
    default=DEFAULT_MAX_BYTES,
    metavar="SIZE",
    help="Keep so much of each connection to show it.  [default: 4M]",
)
@click.option("-s", "--silent", is_flag=True, help="Print no errors.")
@click.option("-S", "--show-error", is_flag=True, help="With --silent, print them all the same.")
@connection_options
@request_options
def command(
    urls: tuple[str, ...],
    method: str | None,
    data: tuple[str, ...],
    head: bool,
    location: bool,
    max_redirs: int,
    allow_downgrade: bool,
    repeat: int,
    pipeline: bool,
    source: str | None,
    form: Literal["text", "json", "jsonl", "har"] | None,
    output: str,
    hex_dump: str | None,
    ascii_dump: str | None,
    trace_time: bool,
    max_bytes: int,
    silent: bool,
    show_error: bool,
    connection: ConnectionOptions,
    request: RequestOptions,
) -> None:
    """Show the bytes that go over the wire, and which request each belongs to.

    Makes a request for each URL, those for one origin over one connection, and shows the dialogue:
    time, connection, direction (> sent, < received), and the slot, which is the number of the request
    on its connection. Ranges [start, end) count the bytes of one direction of a connection. At the end
    comes, for each slot, where its bytes are, and where a connection broke.

    Credentials in heads are shown as asterisks; what is in the content of messages is not hidden.
    """
    dumps = [path for path in (hex_dump, ascii_dump) if path is not None]
    if dumps.count("-") > 1 or ("-" in dumps and form is not None and output == "-"):
        raise click.UsageError("only one of --format, --trace and --trace-ascii can go to stdout")
    if bool(urls) == (source is not None):
        raise click.UsageError("expected either URLs or --read FILE")
    if source is not None and (data or head or method):
        raise click.UsageError("--read makes no requests, so -X, -d and -I make no sense with it")
    writer = _Writer(
        form=form or "text",
        # A dump on stdout takes the place of the dialogue.
        output=None if output == "-" and "-" in dumps else output,
        hex_dump=hex_dump,
        ascii_dump=ascii_dump,
        with_time=trace_time,
        show_credentials=request.show_credentials,
    )
    from .conversation import Manner

    said = OutputOptions(silent=silent, show_error=show_error)
    with reporting(said):
        if source is not None:
            recording = _read(source, max_bytes)
            writer.write(recording)
            _judge(recording, "stdin" if source == "-" else source)
        else:
            errors = _make_requests(
                Recording(max_bytes),
                writer,
                _questions(urls, method, data, head=head) * repeat,
                connection,
                request,
                Manner(
                    pipeline=pipeline,
                    max_redirects=max_redirs if location else 0,
                    allow_downgrade=allow_downgrade,
                    connect_timeout=connection.connect_timeout,
                ),
            )
            _report(errors, quiet=said.quiet)


def _questions(
    urls: tuple[str, ...], method: str | None, data: tuple[str, ...], *, head: bool
) -> list[Question]:
    """Return the requests to make."""
    from httpio._grammar import TOKEN
    from httpio_cli._urls import parse_url

    from .conversation import Question

    if head and data:
        raise click.UsageError("-I and -d exclude each other: HEAD has no content")
    if method is not None and not TOKEN.fullmatch(method.encode()):
        raise click.UsageError(f"expected a method (RFC 9110 §9.1), got {method!r}")
    if method is not None and method.upper() == "CONNECT":
        raise click.UsageError(
            "-X CONNECT makes no sense: --proxy opens tunnels where one is needed"
        )
    content = b"&".join(map(_content, data)) if data else None
    name = method or ("HEAD" if head else "POST" if data else "GET")
    return [Question(parse_url(url), name, content) for url in urls]


def _content(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    path = text[1:]
    try:
        if path == "-":
            content = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                content = file.read()
    except OSError as exc:
        raise cannot_read(path, exc) from exc
    # As curl's --data does.
    return content.translate(None, b"\r\n\0")


def _make_requests(
    recording: Recording,
    writer: _Writer,
    questions: list[Question],
    connection: ConnectionOptions,
    request: RequestOptions,
    manner: Manner,
) -> list[CommandError]:
    """Make the requests and write the trace, however they end. Return what could not be done."""
    from httpio_cli._connector import Connector
    from httpio_cli._deadline import Deadline
    from httpio_cli._fields import RequestFields

    from .conversation import Conversation

    conversation = Conversation(
        recording,
        Connector(connection, os.environ),
        RequestFields(request, os.environ),
        manner,
        Deadline(connection.max_time),
    )
    try:
        with recording.signals_wait():
            conversation.ask(questions)
    except (KeyboardInterrupt, Terminated):
        # What has been seen until now may be why.
        writer.write(recording)
        raise
    writer.write(recording)
    return conversation.errors


def _report(errors: list[CommandError], *, quiet: bool) -> None:
    """Print all errors but the first, and raise that."""
    if not errors:
        return
    if not quiet:
        from httpio_cli._terminal import error

        for other in errors[1:]:
            error(other)
    raise errors[0]


def _read(path: str, max_bytes: int) -> Recording:
    from .tracefile import read_trace

    try:
        if path == "-":
            return read_trace(sys.stdin.buffer, "stdin", max_bytes)
        with open(path, "rb") as file:
            return read_trace(file, repr(path), max_bytes)
    except OSError as exc:
        raise cannot_read(path, exc) from exc


def _judge(recording: Recording, path: str) -> None:
    """Raise the first problem of a trace that was read."""
    for connection, problem in recording.problems:
        if problem.kind.code != ExitCode.OK:
            raise failure_of(connection, problem, path)


class _Writer:
    """Writes a recording in the forms that were asked for."""

    def __init__(
        self,
        *,
        form: Literal["text", "json", "jsonl", "har"],
        output: str | None,
        hex_dump: str | None,
        ascii_dump: str | None,
        with_time: bool,
        show_credentials: bool,
    ) -> None:
        self._form = form
        self._output = output
        self._hex_dump = hex_dump
        self._ascii_dump = ascii_dump
        self._with_time = with_time
        self._show_credentials = show_credentials

    def write(self, recording: Recording) -> None:
        """Write *recording*, which is finished by that. Raises `CommandError`."""
        from .dumps import write_ascii, write_hex
        from .views import View

        recording.finish()
        view = View(recording, show_credentials=self._show_credentials)
        for path, write in ((self._hex_dump, write_hex), (self._ascii_dump, write_ascii)):
            if path is not None:
                with _opened(path) as stream:
                    write(view, stream, with_time=self._with_time)
        if self._output is not None:
            with _opened(self._output) as stream:
                self._write_form(view, stream)

    def _write_form(self, view: View, stream: TextIO) -> None:
        match self._form:
            case "text":
                from httpio_cli._terminal import use_colour

                from .dialogue import Dialogue

                Dialogue(view, stream, with_time=self._with_time, colour=use_colour(stream)).write()
            case "har":
                from .har import write_har

                write_har(view, stream)
            case "json":
                from .records import write_document

                write_document(view, stream)
            case "jsonl":
                from .records import write_lines

                write_lines(view, stream)


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    """Give a stream that writes to *path*, or stdout. Raises `CommandError` for a file."""
    if path == "-":
        if sys.stdout is None:
            raise CommandError(ExitCode.WRITE_FAILED, "stdout is closed", "write to -o FILE")
        if hasattr(sys.stdout, "reconfigure"):
            # What the server sent must not be more than the terminal's encoding can show.
            sys.stdout.reconfigure(errors="backslashreplace")
        yield sys.stdout
        # Before what may be said on stderr.
        sys.stdout.flush()
        return
    try:
        # It may have what is nobody else's business.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w", encoding="utf-8", newline="\n") as file:
            yield file
    except OSError as exc:
        raise cannot_write(path, exc) from exc
