"""The commands themselves: from what was given to transfers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._running import reporting
from httpio_cli._urls import parse_url

from .checking import check_saving, choose_method, framing
from .content import FORM, Content, binary_part, data_part, file_part, joined, urlencoded_part
from .options import all_options
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio_cli._options import (
        ConnectionOptions,
        OutputOptions,
        RequestOptions,
    )
    from httpio_cli._urls import URL

    from .content import FilePart
    from .record import Record
    from .settings import FollowingOptions, SavingOptions
    from .sink import Sink


def _make(name: str, method: str | None, text: str) -> click.Command:
    """Return the command *name*, for requests with *method*, unless ``-X`` says otherwise; `None` as curl would."""

    @all_options
    def callback(urls: tuple[str, ...], **arguments: Any) -> None:
        with reporting(arguments["output"]):
            _run(name, method, urls, **arguments)

    callback = click.argument("urls", nargs=-1, required=True, metavar="URL...")(callback)
    callback = click.option("-X", "--request", "custom", metavar="METHOD", help="The method.")(
        callback
    )
    if method in ("GET", None):
        callback = click.option("-I", "--head", "as_head", is_flag=True, help="Use HEAD.")(callback)
    return click.command(name, help=text)(callback)


def _run(
    name: str,
    method: str | None,
    urls: tuple[str, ...],
    *,
    connection: ConnectionOptions,
    request: RequestOptions,
    output: OutputOptions,
    saving: SavingOptions,
    following: FollowingOptions,
    custom: str | None = None,
    as_head: bool = False,
    in_query: bool,
    byte_range: str | None,
    compressed: bool,
    expect100_timeout: float,
    expect100_size: int,
    print_curl: bool,
    print_python: bool,
    **content_options: Any,
) -> None:
    """Do what a command was asked for. Raises `CommandError`."""
    content, query = _content(in_query, **content_options)
    chosen = choose_method(name, method, custom, as_head, content, content_options["upload_file"])
    if content_options["json"]:
        accepted = ("Accept", "application/json")
        if not any(field.lower() == "accept" for field, _ in request.header):
            request = request.but(header=(*request.header, accepted))
    request, is_chunked = framing(request, content)
    if saving.write_out is not None:
        from .write_out import read_format

        saving = saving.but(write_out=read_format(saving.write_out))
    is_document = output.format != "text" and saving.output_file is None and not saving.remote_name
    if is_document:
        # It has the head as well, in its own form.
        saving = saving.but(include=False)
    elif chosen == "HEAD":
        saving = saving.but(include=True)
    check_saving(saving, urls, chosen, byte_range, compressed)
    settings = Settings(
        method=chosen,
        content=content,
        connection=connection,
        request=request,
        output=output,
        saving=saving,
        following=following,
        byte_range=byte_range,
        compressed=compressed,
        expect100_timeout=expect100_timeout,
        expect100_size=expect100_size,
        is_custom_method=custom is not None,
        is_chunked=is_chunked,
    )
    if len(urls) > 1 and content is not None and not content.is_repeatable:
        raise CommandError(
            ExitCode.USAGE, "stdin can be sent to one URL only", "send it from a file"
        )
    targets = [_with_query(parse_url(url), query) for url in urls]
    if content_options["upload_file"]:
        targets = [_with_name(url, content_options["upload_file"]) for url in targets]
    if print_curl or print_python:
        _print_code(settings, targets, print_curl)
        return
    _transfer(settings, targets)


def _content(
    in_query: bool,
    *,
    data: Sequence[str],
    data_raw: Sequence[str],
    data_binary: Sequence[str],
    data_urlencode: Sequence[str],
    json: Sequence[str],
    form: Sequence[str],
    form_string: Sequence[str],
    upload_file: str | None,
) -> tuple[Content | None, bytes]:
    """Return the content of the request, `None` for none, and what goes into the query."""
    parts: list[bytes | FilePart] = [
        *map(data_part, data),
        *map(os.fsencode, data_raw),
        *map(binary_part, data_binary),
        *map(urlencoded_part, data_urlencode),
    ]
    kinds = [bool(parts), bool(json), bool(form or form_string), upload_file is not None]
    if sum(kinds) > 1:
        raise CommandError(ExitCode.USAGE, "-d, --json, -F and -T exclude each other")
    if in_query:
        if any(kinds[1:]):
            raise CommandError(ExitCode.USAGE, "-G goes with -d and its kind only")
        return None, Content(parts=tuple(joined(parts, b"&"))).in_memory()
    if json:
        pieces = [binary_part(text) for text in json]
        return Content(parts=tuple(pieces), media_type="application/json"), b""
    if form or form_string:
        from .multipart import multipart

        return multipart(form, form_string), b""
    if upload_file is not None:
        return Content(parts=(file_part(upload_file),)), b""
    if not parts:
        return None, b""
    return Content(parts=tuple(joined(parts, b"&")), media_type=FORM), b""


def _with_query(url: URL, query: bytes) -> URL:
    if not query:
        return url
    text = query.decode("utf-8", "surrogateescape")
    if not text.isprintable() or " " in text:
        raise CommandError(
            ExitCode.BAD_URL,
            "there are blanks or control characters in what -G puts in the query",
            "use --data-urlencode",
        )
    from urllib.parse import quote

    encoded = quote(query, safe="/?:@!$&'()*+,;=-._~%")
    return url.but(target=f"{url.target}{'&' if '?' in url.target else '?'}{encoded}")


def _with_name(url: URL, path: str) -> URL:
    """Return *url* with the name of the file at *path* if it ends with a slash, as curl does."""
    if not url.target.endswith("/") or path == "-":
        return url
    from urllib.parse import quote

    return url.but(target=url.target + quote(os.path.basename(path)))


def _print_code(settings: Settings, urls: Sequence[URL], as_curl_command: bool) -> None:
    from httpio_cli._connector import Connector
    from httpio_cli._fields import RequestFields

    from .as_code import as_curl, as_python

    connector = Connector(settings.connection, os.environ)
    fields = RequestFields(settings.request, os.environ)
    for url in urls:
        extra = settings.content_fields(settings.content)
        printer = as_curl if as_curl_command else as_python
        click.echo(
            printer(settings, url, connector.settings(url), fields.for_url(url, extra=extra))
        )


def _transfer(settings: Settings, urls: Sequence[URL]) -> None:
    """Make the transfers. Raises `CommandError` if any of them fails."""
    from httpio_cli._connector import Connector
    from httpio_cli._fields import RequestFields
    from httpio_cli._terminal import error, stdout_is_terminal

    from .connections import Connections
    from .progress import ProgressBar
    from .record import Record
    from .sink import Destination
    from .transfer import Transfers

    connector = Connector(settings.connection, os.environ)
    fields = RequestFields(settings.request, os.environ)
    destination = Destination(settings.saving, settings.output.format != "text")
    is_shown = destination.is_stdout and stdout_is_terminal()
    wanted = not (settings.output.silent or settings.output.verbose or is_shown)
    if not settings.saving.remote_header_name:
        for url in urls:
            # Before anything is sent: what has no name or no directory cannot be saved.
            destination.path(url)
    connections = Connections(
        connector,
        verbose=settings.output.verbose,
        show_credentials=settings.request.show_credentials,
    )
    failures: list[CommandError] = []
    with ProgressBar(wanted) as progress:
        transfers = Transfers(settings, connections, fields, destination, progress)
        try:
            for url in urls:
                record = Record(url, settings.method)
                record.show_credentials = settings.request.show_credentials
                sink: Sink | None = None
                try:
                    sink = transfers.perform(url, record)
                except CommandError as exc:
                    record.exit_code, record.error = int(exc.code), str(exc)
                    failures.append(exc)
                    if len(urls) > 1 and not settings.output.quiet:
                        progress.close()
                        error(exc)
                record.mark("total")
                progress.close()
                _tell(settings, record, sink)
                if record.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
                    raise failures[-1]
        finally:
            connections.close()
    if len(urls) == 1 and failures:
        raise failures[0]
    if failures:
        raise CommandError(ExitCode.SOME_FAILED, f"{len(failures)} of {len(urls)} transfers failed")


def _tell(settings: Settings, record: Record, sink: Sink | None) -> None:
    """Print what is to be told of a transfer that has ended."""
    if settings.output.format != "text":
        from httpio_cli._terminal import stdout_is_terminal

        from .document import write_document
        from .sink import MemorySink

        write_document(
            record,
            bytes(sink.content) if isinstance(sink, MemorySink) else None,
            indented=settings.output.format == "json" and stdout_is_terminal(),
            show=settings.request.show_credentials,
        )
    if settings.saving.write_out is not None:
        from .write_out import write_out

        write_out(settings.saving.write_out, record)


#: Method, `None` if it is left to ``-X``, and what help says.
_COMMANDS: Final = {
    "get": ("GET", "Get a resource, and write its content to stdout or a file."),
    "head": ("HEAD", "Get the head of the response that a GET would have."),
    "put": ("PUT", "Put content at a URL, in place of what is there."),
    "post": ("POST", "Have the resource at a URL process content."),
    "delete": ("DELETE", "Delete the resource at a URL."),
    "request": (None, "Make a request with any method (-X), or as curl would."),
}


def __getattr__(name: str) -> click.Command:
    """Make the command *name* when it is asked for: all of them would cost 10 ms."""
    if name not in _COMMANDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    command = _make(name, *_COMMANDS[name])
    globals()[name] = command
    return command
