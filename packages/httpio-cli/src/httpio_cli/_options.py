"""Options that commands share, each group of them as one object.

The names are curl's where curl has the thing. A decorator adds a group to a click command, which gets
the object as a keyword argument.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from ._group import Group, members
from ._values import FILE, HEADER, SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Callback: TypeAlias = Callable[..., object]

#: An option that may be given several times.
_MULTIPLE: Final[dict[str, Any]] = {"multiple": True}


class ConnectionOptions(Group):
    """How connections are made."""

    proxy: str | None = None
    proxy_user: str | None = None
    noproxy: str | None = None
    ipv4: bool = False
    ipv6: bool = False
    resolve: tuple[str, ...] = ()
    connect_to: tuple[str, ...] = ()
    unix_socket: str | None = None
    interface: str | None = None
    insecure: bool = False
    cacert: str | None = None
    capath: str | None = None
    cert: str | None = None
    key: str | None = None
    tls_min: str | None = None
    tls_max: str | None = None
    max_time: float | None = None
    connect_timeout: float | None = None


_CONNECTION: Final[Sequence[Callable[[Callback], Callback]]] = (
    click.option(
        "-x", "--proxy", metavar="[PROTOCOL://]HOST[:PORT]", help="Use this proxy; '' for none."
    ),
    click.option("-U", "--proxy-user", metavar="USER:PASSWORD", help="Credentials for the proxy."),
    click.option(
        "--noproxy", metavar="LIST", help="Hosts, domains and CIDR blocks to reach without a proxy."
    ),
    click.option("-4", "--ipv4", is_flag=True, help="Use IPv4 addresses only."),
    click.option("-6", "--ipv6", is_flag=True, help="Use IPv6 addresses only."),
    click.option(
        "--resolve",
        metavar="HOST:PORT:ADDRESS[,ADDRESS]...",
        help="Use these addresses for HOST and PORT.",
        **_MULTIPLE,
    ),
    click.option(
        "--connect-to",
        metavar="HOST1:PORT1:HOST2:PORT2",
        help="Connect to HOST2:PORT2 in place of HOST1:PORT1.",
        **_MULTIPLE,
    ),
    click.option("--unix-socket", type=FILE, metavar="PATH", help="Connect to this unix socket."),
    click.option("--interface", metavar="ADDRESS", help="Connect from this IP address."),
    click.option("-k", "--insecure", is_flag=True, help="Accept any certificate."),
    click.option(
        "--cacert", type=FILE, metavar="FILE", help="Trust the certificates in FILE, and no others."
    ),
    click.option(
        "--capath", type=FILE, metavar="DIRECTORY", help="Trust the certificates in DIRECTORY."
    ),
    click.option(
        "-E", "--cert", type=FILE, metavar="FILE", help="Certificate to show to the server."
    ),
    click.option("--key", type=FILE, metavar="FILE", help="Private key of --cert."),
    click.option("--tlsv1.2", "tls_min", flag_value="1.2", help="TLS 1.2 at least."),
    click.option("--tlsv1.3", "tls_min", flag_value="1.3", help="TLS 1.3 at least."),
    click.option(
        "--tls-max", type=click.Choice(["1.2", "1.3"]), help="This version of TLS at most."
    ),
    click.option(
        "-m",
        "--max-time",
        type=SECONDS,
        help="Longest time for a transfer, or an attempt at it; 0 for no limit.",
    ),
    click.option("--connect-timeout", type=SECONDS, help="Longest time for making a connection."),
)


class RequestOptions(Group):
    """What requests say of themselves."""

    header: tuple[tuple[str, str], ...] = ()
    user_agent: str | None = None
    referer: str | None = None
    cookie: tuple[str, ...] = ()
    user: str | None = None
    oauth2_bearer: str | None = None
    netrc: bool = False
    netrc_file: str | None = None
    show_credentials: bool = False


_REQUEST: Final[Sequence[Callable[[Callback], Callback]]] = (
    click.option(
        "-H",
        "--header",
        type=HEADER,
        metavar="'NAME: VALUE'|@FILE",
        help="Send this field; 'NAME:' sends none of that name.",
        **_MULTIPLE,
    ),
    click.option("-A", "--user-agent", metavar="NAME", help="Value of User-Agent."),
    click.option("-e", "--referer", metavar="URL", help="Value of Referer."),
    click.option("-b", "--cookie", metavar="NAME=VALUE", help="Send this cookie.", **_MULTIPLE),
    click.option("-u", "--user", metavar="USER:PASSWORD", help="Credentials for the server."),
    click.option("--oauth2-bearer", metavar="TOKEN", help="Bearer token for the server."),
    click.option("-n", "--netrc", is_flag=True, help="Take credentials from ~/.netrc or $NETRC."),
    click.option("--netrc-file", type=FILE, metavar="FILE", help="Take credentials from FILE."),
    click.option(
        "--show-credentials", is_flag=True, help="Do not hide credentials in what is printed."
    ),
)


class OutputOptions(Group):
    """How much is said, and in which form."""

    silent: bool = False
    show_error: bool = False
    verbose: bool = False
    format: Literal["text", "json", "jsonl"] = "text"

    @property
    def quiet(self) -> bool:
        """Whether not even errors are to be printed, as with curl's -s."""
        return self.silent and not self.show_error


_OUTPUT: Final[Sequence[Callable[[Callback], Callback]]] = (
    click.option("-s", "--silent", is_flag=True, help="Show neither progress nor errors."),
    click.option("-S", "--show-error", is_flag=True, help="With --silent, show errors."),
    click.option("-v", "--verbose", is_flag=True, help="Tell what is done, on stderr."),
    click.option(
        "--format",
        type=click.Choice(["text", "json", "jsonl"]),
        default="text",
        show_default=True,
        help="Form of what is told about transfers.",
    ),
)


def _adding(
    options: Sequence[Callable[[Callback], Callback]], group: type[Group], keyword: str
) -> Callable[[Callback], Callback]:
    """Return a decorator that adds *options* and passes them on as an object of type *group*."""
    names = members(group)

    def decorate(function: Callback) -> Callback:
        @wraps(function)
        def with_object(**arguments: object) -> object:
            taken = {name: arguments.pop(name) for name in names}
            return function(**{keyword: group(**taken)}, **arguments)

        decorated: Callback = with_object
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


#: Adds the options of `ConnectionOptions`, passed as *connection*.
connection_options: Final = _adding(_CONNECTION, ConnectionOptions, "connection")
#: Adds the options of `RequestOptions`, passed as *request*.
request_options: Final = _adding(_REQUEST, RequestOptions, "request")
#: Adds the options of `OutputOptions`, passed as *output*.
output_options: Final = _adding(_OUTPUT, OutputOptions, "output")
