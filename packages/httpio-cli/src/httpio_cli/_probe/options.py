"""The options that only ``httpio probe`` has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from httpio_cli._values import COUNT, SECONDS, SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .expectations import Wanted

MONITOR = "--monitor"


def _list_checks(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from .checks import CHECKS

    for check in CHECKS.values():
        click.echo(f"{check.id:<17} {check.title}  [{check.section}]")
    ctx.exit()


def _complete_checks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from .checks import CHECKS

    before, comma, begun = incomplete.rpartition(",")
    words = [*CHECKS, *(("all", "none") if param.name == "check" and not comma else ())]
    return [f"{before}{comma}{word}" for word in words if word.startswith(begun)]


def _parse_status(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    from .expectations import STATUS

    codes = tuple(word.strip() for text in value for word in text.split(","))
    for code in codes:
        if not STATUS.fullmatch(code):
            raise click.BadParameter(f"expected codes such as 200 or 2xx, got {code!r}", ctx, param)
    return codes


def _wanted(text: str, ctx: click.Context, param: click.Parameter) -> Wanted:
    from .expectations import Wanted

    try:
        return Wanted.parse(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


def _parse_body(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[Wanted, ...]:
    return tuple(_wanted(text, ctx, param) for text in value)


def _parse_header(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, Wanted | None], ...]:
    parsed = []
    for text in value:
        name, colon, content = text.partition(":")
        if not name.strip():
            raise click.BadParameter(f"expected NAME or NAME: VALUE, got {text!r}", ctx, param)
        parsed.append((name.strip(), _wanted(content.strip(), ctx, param) if colon else None))
    return tuple(parsed)


_OPTIONS: Sequence[Callable[[Callable[..., object]], Callable[..., object]]] = (
    click.option("-X", "--request", "method", metavar="METHOD", help="Method, by default GET."),
    click.option(
        "-d", "--data", metavar="DATA|@FILE|@-", help="Content; the method is POST then."
    ),
    click.option("--expect100", is_flag=True, help="Ask for 100 (Continue) before the content."),
    click.option(
        "--expect100-timeout",
        type=SECONDS,
        default=1.0,
        show_default=True,
        help="Time to wait for 100 (Continue).",
    ),
    click.option("-L", "--location", is_flag=True, help="Follow redirects."),
    click.option(
        "--max-redirs", type=click.IntRange(min=0), default=10, show_default=True,
        help="Follow no more redirects than that.",
    ),
    click.option(
        "-n", "--count", type=COUNT, default=1, show_default=True, help="Probe so many times."
    ),
    click.option(
        "--interval",
        type=SECONDS,
        default=1.0,
        show_default=True,
        help="Time from the beginning of one probe to that of the next.",
    ),
    click.option(
        "--check",
        metavar="ID[,ID]...|all|none",
        multiple=True,
        shell_complete=_complete_checks,
        help="Run these checks only. By default all, but none with --monitor, --format prom or -n.",
    ),
    click.option(
        "--skip",
        metavar="ID[,ID]...",
        multiple=True,
        shell_complete=_complete_checks,
        help="Do not run these checks.",
    ),
    click.option(
        "--list-checks",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_list_checks,
        help="List the checks.",
    ),
    click.option(
        "--idle-limit",
        type=SECONDS,
        default=6.0,
        show_default=True,
        help="Time for which idle-timeout waits.",
    ),
    click.option(
        "--request-limit",
        type=COUNT,
        default=120,
        show_default=True,
        help="Requests that max-requests sends.",
    ),
    click.option(
        "--depth-limit",
        type=click.IntRange(2, 1024),
        default=32,
        show_default=True,
        help="Requests that pipeline-depth sends at once, at most.",
    ),
    click.option(
        "--check-timeout",
        type=SECONDS,
        default=10.0,
        show_default=True,
        help="Longest time for each conversation of a check.",
    ),
    click.option(
        "--patience",
        type=SECONDS,
        default=2.0,
        show_default=True,
        help="Time to wait for an answer that may well not come.",
    ),
    click.option(
        "--upload-url",
        metavar="URL|PATH",
        help="Resource on the same server that checks may upload to. Without it they use OPTIONS.",
    ),
    click.option(
        "--upload-method",
        type=click.Choice(["PUT", "POST", "PATCH"]),
        default="PUT",
        show_default=True,
        help="Method for uploads.",
    ),
    click.option(
        "--refused-url",
        metavar="URL|PATH",
        help="Resource that refuses large uploads, for early-response.",
    ),
    click.option(
        "--refused-size", type=SIZE, default="8M", show_default=True, help="Size of that upload."
    ),
    click.option(
        "--no-content-url",
        metavar="URL|PATH",
        help="Resource that answers 204, for pipeline-204; otherwise 304 is asked for.",
    ),
    click.option(
        "--slow-url",
        metavar="URL|PATH",
        help="Resource that takes some milliseconds or more, for proxy-serialises.",
    ),
    click.option(
        MONITOR,
        is_flag=True,
        help="Print a line for a monitoring system, and exit with 0, 1, 2 or 3.",
    ),
    click.option("--warn", type=SECONDS, help="Longer than that is a warning."),
    click.option("--crit", type=SECONDS, help="Longer than that is critical."),
    click.option("--cert-warn", type=click.FloatRange(min=0), metavar="DAYS",
        help="A certificate that ends sooner is a warning."),
    click.option("--cert-crit", type=click.FloatRange(min=0), metavar="DAYS",
        help="A certificate that ends sooner is critical."),
    click.option("--expect-status", multiple=True, callback=_parse_status, metavar="CODE[,CODE]...",
        help="Status that is right: 200, 2xx."),
    click.option("--expect-body", multiple=True, callback=_parse_body, metavar="TEXT|re:PATTERN",
        help="Has to be in the content."),
    click.option("--expect-header", multiple=True, callback=_parse_header,
        metavar="NAME[: TEXT|: re:PATTERN]", help="Field that has to be there, and what in it."),
    click.option("-s", "--silent", is_flag=True, help="Show no errors."),
    click.option("-S", "--show-error", is_flag=True, help="With --silent, show errors."),
    click.option("-v", "--verbose", is_flag=True, help="Show the fields of responses."),
    click.option(
        "--format",
        type=click.Choice(["text", "json", "jsonl", "prom"]),
        default="text",
        show_default=True,
        help="Form of the output; prom is that of Prometheus, with blackbox_exporter's names.",
    ),
)  # fmt: skip


def probe_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options that only this command has."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
