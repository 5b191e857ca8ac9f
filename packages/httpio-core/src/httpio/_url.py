"""Absolute URLs, as far as a client has to understand them. Knows no sockets."""

from __future__ import annotations

from typing import Final, TypeAlias
from urllib.parse import urlsplit

from ._exceptions import LocalProtocolError
from ._target import encode_hostname
from ._text import require_str

#: Scheme, host name and port.
OriginKey: TypeAlias = tuple[str, str, int]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def split_url(url: str) -> tuple[OriginKey, str]:
    """Return scheme, host name and port of *url*, and its path with its query.

    Raises `httpio.LocalProtocolError` if it is not an absolute ``http`` or ``https`` URL, or if it has user
    information in it (RFC 9110 §4.2.4).
    """
    require_str("URLs", url)
    if " " in url or not url.isprintable():
        # urlsplit() would drop some of these.
        raise LocalProtocolError(f"there are blanks or control characters in the URL {url!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise LocalProtocolError(f"{url!r} is no URL: {exc}") from exc
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise LocalProtocolError(
            f"expected an absolute URL such as 'http://localhost:8000/', got {url!r}"
        )
    if "@" in parts.netloc:
        raise LocalProtocolError(
            "a URL with a user name or password is not used (RFC 9110 §4.2.4): send an "
            "Authorization field"
        )
    if port == 0:
        raise LocalProtocolError(f"expected a port from 1 to 65535 in {url!r}")
    host, colon, _ = parts.netloc.rpartition(":")
    # Not parts.hostname, which does not have what follows an IPv6 address in brackets.
    encode_hostname(host if colon and not parts.netloc.endswith("]") else parts.netloc)
    key = (parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])
    # Not what urlsplit() makes of it, which loses a final question mark.
    path = url.partition("#")[0].partition("://")[2]
    start = min((path.find(mark) for mark in "/?" if mark in path), default=len(path))
    path = path[start:]
    return key, path if path.startswith("/") else f"/{path}"
