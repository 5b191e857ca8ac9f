"""``httpio probe``: its options, and what they mean."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from httpio_cli._errors import CommandError, cannot_read
from httpio_cli._exit_codes import ExitCode
from httpio_cli._options import OutputOptions, connection_options, request_options
from httpio_cli._running import reporting, stdout
from httpio_cli._terminal import note

from .options import MONITOR, probe_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio_cli._options import ConnectionOptions, RequestOptions
    from httpio_cli._urls import URL

    from .expectations import Expectations
    from .session import Outcome, Plan

#: Seconds for one request; plug-ins are to end before their caller loses patience.
_MAX_TIME = 30.0
_MONITOR_MAX_TIME = 10.0
#: The status of `State.UNKNOWN`.
_UNKNOWN = 3
#: Bytes of content that are looked through for what is expected.
_BODY_LIMIT = 16 * 1024 * 1024


class _Probe(click.Command):
    """Has nothing but the states of the guidelines come out of ``--monitor``."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the command line."""
        given = args[: args.index("--")] if "--" in args else args
        if MONITOR not in given:
            return super().make_context(info_name, args, parent, **extra)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as exc:
            _unknown(exc.format_message())

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        if not ctx.params.get("monitor"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (CommandError, click.ClickException) as exc:
            _unknown(exc.format_message() if isinstance(exc, click.ClickException) else str(exc))
        except BrokenPipeError:
            raise
        except Exception as exc:  # noqa: BLE001  # a monitoring system reads no traceback
            _unknown(f"{type(exc).__name__}: {exc}")


def _unknown(why: str) -> NoReturn:
    from .monitor import unknown

    _leave(unknown(why), _UNKNOWN)


def _leave(output: str, status: int) -> NoReturn:
    """Print *output* and end with *status*, which here is none of `ExitCode`."""
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        click.echo(output)
        sys.stdout.flush()
    except OSError as exc:
        # Whoever started this knows the status only.
        note(f"httpio: cannot write to stdout: {exc.strerror or exc}")
        if sys.stdout is not None:
            # What is buffered would fail once more when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _UNKNOWN
    raise SystemExit(status)


@click.command("probe", cls=_Probe)
@click.argument("urls", metavar="URL...", nargs=-1)
@probe_options
@request_options
@connection_options
def command(
    urls: tuple[str, ...], connection: ConnectionOptions, request: RequestOptions, **given: Any
) -> int:
    """Find out what a server, and whatever stands before it, really does.

    Shows where the time of a request goes, the certificate, and what a number of checks find, each
    with its evidence and the section of the RFC. Only well-formed requests are sent, and only safe
    methods unless you name a resource that takes uploads.
    """
    from httpio_cli._urls import parse_url

    if not urls:
        raise click.UsageError("Missing argument 'URL...'.")
    parsed = [parse_url(text) for text in urls]
    plan = _plan(parsed, connection, request, given)
    if given["monitor"]:
        if given["format"] != "text":
            raise click.UsageError("--monitor has a form of its own: leave --format out")
        _monitor(plan, parsed)
    with reporting(OutputOptions(silent=given["silent"], show_error=given["show_error"])):
        stdout()
        return int(_run(plan, parsed, given))


# curl's -n is for netrc, but this command has its own.
for _option in command.params:
    if "--netrc" in _option.opts:
        _option.opts.remove("-n")


def _plan(
    urls: Sequence[URL], connection: ConnectionOptions, options: RequestOptions, given: Any
) -> Plan:
    from .probing import Request
    from .session import Plan
    from .subject import Limits, Resources

    _refuse_nonsense(urls, given)
    content = None if given["data"] is None else _content(given["data"])
    default_time = _MONITOR_MAX_TIME if given["monitor"] else _MAX_TIME
    expected = _expectations(given)
    default_type: tuple[tuple[str, str], ...] = ()
    if content is not None and not any(
        name.lower() == "content-type" for name, _ in options.header
    ):
        default_type = (("Content-Type", "application/x-www-form-urlencoded"),)
    return Plan(
        connection,
        options,
        Request(
            method=given["method"] or ("GET" if content is None else "POST"),
            content=content,
            expect100=given["expect100"],
            expect100_timeout=given["expect100_timeout"],
            max_time=default_time if connection.max_time is None else connection.max_time,
            connect_timeout=connection.connect_timeout,
            keep=_BODY_LIMIT if expected.body else 0,
            fields=default_type,
        ),
        expected,
        Limits(
            timeout=given["check_timeout"],
            patience=given["patience"],
            idle=given["idle_limit"],
            requests=given["request_limit"],
            depth=given["depth_limit"],
            refused_size=max(given["refused_size"], 2),
            cert_days=21 if expected.cert_warn is None else expected.cert_warn,
        ),
        Resources(
            upload=_path(urls, given["upload_url"], "--upload-url"),
            upload_method=given["upload_method"],
            refused=_path(urls, given["refused_url"], "--refused-url"),
            no_content=_path(urls, given["no_content_url"], "--no-content-url"),
            slow=_path(urls, given["slow_url"], "--slow-url"),
        ),
        _chosen_checks(given),
        given["count"],
        given["interval"],
        given["max_redirs"] if given["location"] else -1,
    )


def _refuse_nonsense(urls: Sequence[URL], given: Any) -> None:
    """Raise `click.UsageError` for what could only lead to nothing."""
    from httpio._grammar import TOKEN

    method = given["method"]
    if method is not None and not TOKEN.fullmatch(method.encode()):
        raise click.UsageError(f"expected a method (RFC 9110 §9.1), got {method!r}")
    if method == "CONNECT":
        raise click.UsageError(
            "-X CONNECT makes no sense: --proxy opens tunnels where one is needed"
        )
    warn, crit = given["warn"], given["crit"]
    if warn is not None and crit is not None and warn > crit:
        raise click.UsageError("--warn is more than --crit, so it would never be reached")
    warn, crit = given["cert_warn"], given["cert_crit"]
    if warn is not None and crit is not None and warn < crit:
        raise click.UsageError("--cert-warn is less than --cert-crit, so it would never be reached")
    if given["format"] == "prom" and len({str(url) for url in urls}) < len(urls):
        raise click.UsageError("--format prom: a URL is there twice, and metrics need names")


def _expectations(given: Any) -> Expectations:
    from .expectations import Expectations

    return Expectations(
        given["warn"],
        given["crit"],
        given["cert_warn"],
        given["cert_crit"],
        given["expect_status"],
        given["expect_body"],
        given["expect_header"],
    )


def _content(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    name = data[1:]
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        with open(name, "rb") as file:
            return file.read()
    except OSError as exc:
        raise cannot_read(name, exc) from exc


def _path(urls: Sequence[URL], text: str | None, option: str) -> str | None:
    """Return the request target of the resource that an option names."""
    from httpio_cli._urls import parse_url

    if text is None:
        return None
    if text.startswith("/"):
        return urls[0].join(text).target
    named = parse_url(text)
    if any(named.origin != url.origin for url in urls):
        raise CommandError(
            ExitCode.USAGE,
            f"{option} {named} is on another server than what is probed",
            "name a resource of the same server",
        )
    return named.target


def _chosen_checks(given: Any) -> tuple[str, ...]:
    from .checks import CHECKS

    def ids(texts: Sequence[str], option: str) -> list[str]:
        found = [word.strip() for text in texts for word in text.split(",") if word.strip()]
        for word in found:
            if word not in CHECKS and not (word in ("all", "none") and option == "--check"):
                raise click.UsageError(f"{option} {word}: there is no such check (--list-checks)")
        return found

    skipped = ids(given["skip"], "--skip")
    chosen = ids(given["check"], "--check")
    if not chosen:
        brief = given["monitor"] or given["format"] == "prom" or given["count"] > 1
        chosen = [] if brief else list(CHECKS)
    if "all" in chosen:
        chosen = list(CHECKS)
    return tuple(check for check in CHECKS if check in chosen and check not in skipped)


def _monitor(plan: Plan, urls: Sequence[URL]) -> NoReturn:
    from .display import Silence
    from .expectations import State
    from .model import Verdict
    from .monitor import plugin_output
    from .session import run_plan

    outcomes = run_plan(plan, urls, Silence())
    for outcome in outcomes:
        outcome.add_failed_checks(Verdict.FAIL, State.CRITICAL)
        outcome.add_failed_checks(Verdict.WARN, State.WARNING)
    state, output = plugin_output([outcome.watched for outcome in outcomes], plan.expected)
    _leave(output, int(state))


def _run(plan: Plan, urls: Sequence[URL], given: Any) -> ExitCode:
    from .display import Documents, Silence, Text, tell_failures
    from .session import exit_code, run_plan

    show = plan.request_options.show_credentials
    display: Silence
    match given["format"]:
        case "prom":
            display = Silence()
        case "json" | "jsonl":
            display = Documents(lines=given["format"] == "jsonl", show_credentials=show)
        case _:
            display = Text(verbose=given["verbose"], show_credentials=show, several=plan.count > 1)
    outcomes = run_plan(plan, urls, display)
    if given["format"] == "prom":
        _print_metrics(plan, outcomes)
    if not given["silent"] or given["show_error"]:
        tell_failures(outcomes)
    return exit_code(outcomes)


def _print_metrics(plan: Plan, outcomes: Sequence[Outcome]) -> None:
    from .prometheus import metrics

    checks = {str(outcome.url): outcome.checks for outcome in outcomes}
    watched = [outcome.watched for outcome in outcomes]
    click.echo(metrics(watched, plan.expected, checks), nl=False)
