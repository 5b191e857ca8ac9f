"""URLs as operators write them. Knows no sockets."""

from __future__ import annotations

import re

from ._errors import CommandError
from ._exit_codes import ExitCode
from ._group import Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    #: Scheme, host name and port.
    Origin: TypeAlias = tuple[str, str, int]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# RFC 3986 §3, but that the authority may not be empty.
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|https?:", re.IGNORECASE)
_HOST_AND_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
# RFC 3986 §3.3, §3.4, and "%", which has been encoded already; the rest is what browsers leave alone.
_AS_THEY_ARE: Final = "/?:@!$&'()*+,;=-._~%[]|^{}`\\\"<>"


class URL(Group):
    """An absolute URL.

    `target` is path and query, percent-encoded. `user` and `password` are those that stood in the
    URL, decoded; they are not shown by ``str()``.
    """

    scheme: str
    hostname: str
    port: int
    target: str
    user: str | None = None
    password: str | None = None

    @property
    def origin(self) -> Origin:
        """Scheme, host name and port (RFC 9110 §4.3.1)."""
        return (self.scheme, self.hostname, self.port)

    @property
    def host_header(self) -> str:
        """What Host says: the host, and the port where it is not the scheme's."""
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.target}"

    def join(self, location: str) -> URL:
        """Return what *location*, a URI reference, means seen from here (RFC 9110 §10.2.2).

        User information in it is dropped. Raises `CommandError` if that is no http or https URL.
        """
        # Servers send bytes, which came as one character each: they go back as the same bytes.
        from urllib.parse import quote, urljoin

        encoded = quote(location.encode("latin-1", "replace"), safe=f"#{_AS_THEY_ARE}")
        try:
            joined = parse_url(urljoin(str(self), encoded))
        except ValueError as exc:
            # urllib's word for brackets that do not match.
            raise CommandError(ExitCode.BAD_URL, f"bad URL {_shown(location)}: {exc}") from exc
        return joined.but(user=None, password=None)


def parse_url(text: str) -> URL:
    """Return the URL that *text* stands for; without a scheme it is an ``http`` one.

    Characters beyond ASCII in path and query are sent as UTF-8, percent-encoded; dots in the path
    are left alone. Raises `CommandError` for what cannot be requested.
    """

    def bad(why: str, hint: str = "") -> CommandError:
        return CommandError(ExitCode.BAD_URL, f"bad URL {_shown(text)}: {why}", hint)

    if not text:
        raise bad("it is empty")
    if " " in text or not text.isprintable():
        raise bad("it contains blanks or control characters", "write %20 for a blank")
    found = _URL.match(text if _SCHEME.match(text) else f"http://{text}")
    if found is None:
        raise bad("expected something like http://localhost:8000/")
    scheme, authority, target = found.groups()
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise bad(f"the scheme {scheme!r} is not supported", "use http or https")
    userinfo, at, host = authority.rpartition("@")
    place = _HOST_AND_PORT.fullmatch(host)
    if place is None or not place[1]:
        raise bad("there is no host name in it" if place else "host or port are malformed")
    # What is longer than a port can be is not worth to be converted.
    port = int(place[2][-6:]) if place[2] else DEFAULT_PORTS[scheme]
    if len((place[2] or "").lstrip("0")) > 5 or not 0 < port < 65536:
        raise bad(f"expected a port from 1 to 65535, got {place[2][:10]}")
    hostname = place[1].lower()
    if hostname.startswith("["):
        from ipaddress import IPv6Address

        hostname = hostname[1:-1]
        try:
            IPv6Address(hostname)
        except ValueError:
            raise bad("expected an IPv6 address in the brackets") from None
    _check_hostname(hostname)
    if not target.startswith("/"):
        target = f"/{target}"
    user, colon, password = userinfo.partition(":")
    return URL(
        scheme=scheme,
        hostname=hostname,
        port=port,
        target=target if target.isascii() else _encode(target),
        user=_decode(user) if at else None,
        password=_decode(password) if colon else None,
    )


# urllib.parse is for URLs that are not plain: it costs more than all that is done here.


def _encode(target: str) -> str:
    from urllib.parse import quote

    return quote(target, safe=_AS_THEY_ARE)


def _decode(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


def _check_hostname(hostname: str) -> None:
    from httpio import LocalProtocolError
    from httpio._target import encode_hostname

    try:
        encode_hostname(hostname)
    except LocalProtocolError as exc:
        raise CommandError(ExitCode.BAD_URL, f"bad URL: {exc}") from None


def _shown(text: str) -> str:
    """Return *text* for a message: without a password, and not too long."""
    scheme, mark, rest = text.rpartition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        rest = "***@" + rest[authority.rindex("@") + 1 :]
    shown = repr(scheme + mark + rest)
    return shown if len(shown) <= 200 else shown[:197] + "...'"
