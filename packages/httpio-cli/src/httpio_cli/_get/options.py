"""The options of the commands, those of a group as one object."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from httpio_cli._group import members
from httpio_cli._options import connection_options, output_options, request_options
from httpio_cli._values import FILE, RATE, SECONDS, SIZE

from .settings import FollowingOptions, SavingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MULTIPLE: Final[dict[str, Any]] = {"multiple": True}

_SAVING: Final[Sequence[Callable[[Any], Any]]] = (
    click.option(
        "-o",
        "--output",
        "output_file",
        type=FILE,
        metavar="FILE",
        help="Save the content in FILE; - is stdout.",
    ),
    click.option("-O", "--remote-name", is_flag=True, help="Save it by the name in the URL."),
    click.option(
        "-J", "--remote-header-name", is_flag=True, help="With -O, by the name the server gives."
    ),
    click.option("--output-dir", type=FILE, metavar="DIRECTORY", help="Where -o and -O put files."),
    click.option("--create-dirs", is_flag=True, help="Make directories that are not there."),
    click.option("-i", "--include", is_flag=True, help="Show the head of the response as well."),
    click.option("-D", "--dump-header", type=FILE, metavar="FILE", help="Write the head to FILE."),
    click.option("-f", "--fail", is_flag=True, help="Exit with 22 for a status from 400 on."),
    click.option("--fail-with-body", is_flag=True, help="The same, and show the content."),
    click.option("--max-filesize", type=SIZE, help="Refuse content that is larger."),
    click.option("-C", "--continue-at", metavar="OFFSET|-", help="Go on with what is there."),
    click.option("-R", "--remote-time", is_flag=True, help="Give the file the server's time."),
    click.option("-w", "--write-out", metavar="FORMAT", help="Print this after the transfer."),
    click.option("--limit-rate", type=RATE, help="Bytes per second to receive at most."),
)
_FOLLOWING: Final[Sequence[Callable[[Any], Any]]] = (
    click.option("-L", "--location", is_flag=True, help="Follow redirects."),
    click.option(
        "--location-trusted", is_flag=True, help="And send credentials wherever they lead."
    ),
    click.option(
        "--max-redirs",
        type=click.IntRange(min=0),
        default=50,
        show_default=True,
        help="How many at most.",
    ),
    click.option("--allow-downgrade", is_flag=True, help="Also from https to http."),
    click.option(
        "--retry",
        type=click.IntRange(min=0),
        default=0,
        metavar="NUMBER",
        help="Try again so often after a failure that may pass.",
    ),
    click.option("--retry-delay", type=SECONDS, help="Pause before that; by default 1 s, doubled."),
    click.option("--retry-max-time", type=SECONDS, help="Try again for so long at most."),
)
_CONTENT: Final[Sequence[Callable[[Any], Any]]] = (
    click.option("-d", "--data", metavar="DATA|@FILE", help="Send form data.", **_MULTIPLE),
    click.option("--data-raw", metavar="DATA", help="The same, and @ means nothing.", **_MULTIPLE),
    click.option("--data-binary", metavar="DATA|@FILE", help="Send it as it is.", **_MULTIPLE),
    click.option(
        "--data-urlencode", metavar="[NAME=]DATA", help="Send it percent-encoded.", **_MULTIPLE
    ),
    click.option("--json", metavar="DATA|@FILE", help="Send JSON, and ask for JSON.", **_MULTIPLE),
    click.option("-F", "--form", metavar="NAME=DATA|@FILE", help="Send a form.", **_MULTIPLE),
    click.option(
        "--form-string", metavar="NAME=DATA", help="The same, @ and < mean nothing.", **_MULTIPLE
    ),
    click.option("-T", "--upload-file", type=FILE, metavar="FILE", help="Send FILE; - is stdin."),
    click.option("-G", "--get", "in_query", is_flag=True, help="Put the data in the query."),
)
_OTHER: Final[Sequence[Callable[[Any], Any]]] = (
    click.option("-r", "--range", "byte_range", metavar="FROM-TO", help="Get these bytes only."),
    click.option("--compressed", is_flag=True, help="Ask for compressed content, and decode it."),
    click.option(
        "--expect100-timeout",
        type=SECONDS,
        default=1.0,
        show_default=True,
        help="How long to wait for 100 Continue.",
    ),
    click.option(
        "--expect100-size",
        type=SIZE,
        default=1024 * 1024,
        help="Announce content of at least this size first; by default 1M.",
    ),
    click.option(
        "-#",
        "--progress-bar",
        "-g",
        "--globoff",
        "-N",
        "--no-buffer",
        "--http1.1",
        "as_in_curl",
        is_flag=True,
        expose_value=False,
        help="For habits from curl: it is so anyway.",
    ),
    click.option("--print-curl", is_flag=True, help="Print the same for curl; send nothing."),
    click.option("--print-python", is_flag=True, help="Print a program for httpio; send nothing."),
)


def all_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add all options to *function*, which gets those of a group as one object."""

    @wraps(function)
    def with_objects(**arguments: Any) -> object:
        for group, keyword in ((SavingOptions, "saving"), (FollowingOptions, "following")):
            arguments[keyword] = group(**{name: arguments.pop(name) for name in members(group)})
        return function(**arguments)

    decorated: Callable[..., object] = with_objects
    for option in reversed((*_CONTENT, *_SAVING, *_FOLLOWING, *_OTHER)):
        decorated = option(decorated)
    return connection_options(request_options(output_options(decorated)))
