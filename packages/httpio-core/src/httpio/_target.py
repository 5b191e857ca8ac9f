"""Whom a request is for: host names, authorities and request targets.

Pure functions over strings. What comes out is as it goes on the wire, or refused.
"""

from __future__ import annotations

from ._exceptions import LocalProtocolError
from ._grammar import HOST, REG_NAME
from ._text import exact_str, require_str


def encode_hostname(hostname: str) -> str:
    """Return *hostname* in the form that it has in Host (RFC 9110 §7.2), without port.

    IPv6 literals get brackets and lose their zone, names outside ASCII are converted by IDNA.
    Raises `LocalProtocolError` for what cannot be a host name.
    """
    require_str("host names", hostname)
    name = exact_str(hostname)
    bracketed = name.startswith("[") and name.endswith("]")
    if bracketed or ":" in name:
        from ipaddress import AddressValueError, IPv6Address

        address, percent, zone = (name[1:-1] if bracketed else name).partition("%")
        try:
            IPv6Address(address)
            good = not percent or REG_NAME.fullmatch(zone.encode("ascii", "replace"))
        except AddressValueError:
            good = None
        if not good:
            raise LocalProtocolError(
                f"{hostname!r} is no host name and no IPv6 address; a port is a separate argument"
            )
        return f"[{address}]"
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as exc:
            raise LocalProtocolError(f"{hostname!r} is no valid host name: {exc}") from None
    # Also what IDNA has made of it: some characters become delimiters there.
    if not REG_NAME.fullmatch(name.encode("ascii")):
        raise LocalProtocolError(
            f"expected a host name of letters, digits, '-', '.', '_' and '~', got {hostname!r}"
        )
    return name


def encode_authority(hostname: str, port: int, default_port: int | None) -> str:
    """Return ``host`` or ``host:port`` for Host, CONNECT and absolute-form."""
    host = encode_hostname(hostname)
    return host if port == default_port else f"{host}:{port}"


def request_target(method: str, path: str) -> str:
    """Return *path* in the form that belongs in a request line to an origin server.

    RFC 9112 §3.2: origin-form; ``*`` only for OPTIONS; ``host:port`` for CONNECT, and only there.
    """
    if type(path) is not str:
        path = exact_str(path)
    if method == "CONNECT":
        if _is_authority(path):
            return path
        raise LocalProtocolError(f"CONNECT takes 'host:port' as its target, got {path[:80]!r}")
    if path.startswith("/"):
        return path
    # RFC 9112 §3.2.1: an empty path is sent as "/".
    if not path or path.startswith("?"):
        return f"/{path}"
    if method == "OPTIONS" and path == "*":
        return path
    raise LocalProtocolError(f"the path of a request must start with '/', got {path[:80]!r}")


def _is_authority(target: str) -> bool:
    return (
        target.isascii()
        and HOST.fullmatch(target.encode("ascii")) is not None
        and ":" in target.rpartition("]")[2]
    )
