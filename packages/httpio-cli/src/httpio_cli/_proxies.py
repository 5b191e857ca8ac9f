"""Which proxy a request goes through. Knows no sockets.

As curl has it: an option, or the environment variable for the scheme. ``http_proxy`` counts in lower
case only, because a CGI server sets ``HTTP_PROXY`` from a field of the request.
"""

from __future__ import annotations

import re

from ._errors import CommandError
from ._exit_codes import ExitCode
from ._group import Group
from ._urls import parse_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from ._urls import URL

#: Of a proxy that is given without one, as with curl.
DEFAULT_PORT: Final = 1080
_BRACKETS: Final = re.compile(r"^\[(.*)\](/[0-9]+)?$")


class Proxy(Group):
    """A proxy, and the credentials for it."""

    hostname: str
    port: int
    auth: tuple[str, str] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host name and port."""
        return (self.hostname, self.port)


def parse_proxy(text: str, credentials: str | None = None) -> Proxy:
    """Return the proxy that *text* names; *credentials*, ``user:password``, go before those in it.

    Raises `CommandError` for what is no proxy, or one that speaks something else than HTTP.
    """
    scheme, mark, _ = text.rpartition("://")
    if mark and scheme.lower() != "http":
        raise CommandError(
            ExitCode.USAGE,
            f"a proxy that is reached by {scheme!r} is not supported",
            "use one that speaks http, or none: --noproxy '*'",
        )
    url = parse_url(text)
    authority = re.split("[/?#]", text.rpartition("://")[2], maxsplit=1)[0]
    port = url.port if re.search(r":[0-9]+$", authority) else DEFAULT_PORT
    if credentials is not None:
        user, _, password = credentials.partition(":")
        return Proxy(hostname=url.hostname, port=port, auth=(user, password))
    auth = None if url.user is None else (url.user, url.password or "")
    return Proxy(hostname=url.hostname, port=port, auth=auth)


def proxy_from_environment(url: URL, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that *environ* names for *url*, ``""`` or `None` for none."""
    names = {"http": ("http_proxy",), "https": ("https_proxy", "HTTPS_PROXY")}[url.scheme]
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if (value := environ.get(name)) is not None:
            return value
    return None


def no_proxy_from_environment(environ: Mapping[str, str]) -> str:
    """Return the list of what is reached without a proxy."""
    return environ.get("no_proxy", environ.get("NO_PROXY", ""))


def is_without_proxy(url: URL, exceptions: str) -> bool:
    """Return whether *url* is one of the *exceptions*, a list with commas or blanks.

    An entry is ``*``, a host, a domain with all below it, an IP address or a block of them
    (``10.0.0.0/8``), the first three with ``:port`` if so wanted.
    """
    entries = exceptions.replace(",", " ").lower().split()
    return any(entry == "*" or _matches(url, entry) for entry in entries)


def _matches(url: URL, entry: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(url.hostname.partition("%")[0])
    except ValueError:
        address = None
    if address is not None:
        try:
            return address in ip_network(_BRACKETS.sub(r"\1\2", entry), strict=False)
        except ValueError:
            pass
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdigit():
        host, port = entry, ""
    if port and int(port) != url.port:
        return False
    host = host.strip("[]")
    if address is not None:
        try:
            return address == ip_address(host)
        except ValueError:
            return False
    host = host.removeprefix("*").strip(".")
    hostname = url.hostname.rstrip(".")
    return bool(host) and (hostname == host or hostname.endswith(f".{host}"))
