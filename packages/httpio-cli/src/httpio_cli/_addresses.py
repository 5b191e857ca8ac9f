"""Which addresses a host name has, where the operator knows better than the name service."""

from __future__ import annotations

import socket

from ._errors import CommandError
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    _Place: TypeAlias = tuple[str, int]


class Addresses:
    """A resolver for `httpio.HTTPConnection`: called with host name and port, it returns addresses.

    *family* is ``socket.AF_INET``, ``AF_INET6`` or ``AF_UNSPEC``; *resolve* and *connect_to* are the
    values of the options of these names. Raises `CommandError` for what is none of theirs.
    """

    def __init__(self, family: int, resolve: Iterable[str], connect_to: Iterable[str]) -> None:
        self._family = family
        self._known = dict(map(_parse_resolve, resolve))
        self._elsewhere = list(map(_parse_connect_to, connect_to))

    def leads_elsewhere(self, hostname: str, port: int) -> bool:
        """Return whether ``--connect-to`` names another place than *hostname* and *port*."""
        return self._place(hostname, port) != (hostname, port)

    def __call__(self, hostname: str, port: int) -> list[_Place]:
        """Return addresses and ports to connect to. Raises `socket.gaierror`."""
        hostname, port = self._place(hostname, port)
        name = hostname.lower()
        found = self._known.get((name, port)) or self._known.get(("*", port))
        if found is not None:
            chosen = [(address, port) for address in found if self._is_wanted(address)]
            if not chosen:
                raise socket.gaierror(socket.EAI_NONAME, "no address of the family that is wanted")
            return chosen
        try:
            # Also for what is an address: it may be of the other family.
            infos = socket.getaddrinfo(hostname, port, family=self._family, type=socket.SOCK_STREAM)
        except UnicodeError as exc:  # the name has a part that is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, "it cannot be a domain name") from exc
        return [(str(sockaddr[0]), int(sockaddr[1])) for *_, sockaddr in infos]

    def _place(self, hostname: str, port: int) -> _Place:
        for (host, its_port), (new_host, new_port) in self._elsewhere:
            if host in ("", hostname.lower()) and its_port in (0, port):
                return new_host or hostname, new_port or port
        return hostname, port

    def _is_wanted(self, address: str) -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._family in (socket.AF_UNSPEC, family)


def _split(text: str, maxsplit: int) -> list[str]:
    """Split *text* at colons, but not within brackets; the brackets go."""
    parts = [""]
    depth = 0
    for char in text:
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == ":" and not depth and len(parts) <= maxsplit:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"expected a port from 1 to 65535, got {text!r}")
    return int(text)


def _parse_resolve(text: str) -> tuple[_Place, list[str]]:
    try:
        host, port, rest = _split(text.removeprefix("+"), 2)
        # Without the brackets that one address may have around it.
        addresses = [address.strip().strip("[]") for address in rest.split(",")]
        for address in addresses:
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        return (host.lower(), _port(port)), addresses
    except (ValueError, OSError) as exc:
        raise CommandError(
            ExitCode.USAGE, f"expected --resolve HOST:PORT:ADDRESS, got {text!r}", _why(exc)
        ) from exc


def _parse_connect_to(text: str) -> tuple[_Place, _Place]:
    try:
        host, port, new_host, new_port = _split(text, 3)
        return (host.lower(), (port and _port(port)) or 0), (
            new_host,
            (new_port and _port(new_port)) or 0,
        )
    except ValueError as exc:
        raise CommandError(
            ExitCode.USAGE,
            f"expected --connect-to HOST1:PORT1:HOST2:PORT2, got {text!r}",
            _why(exc),
        ) from exc


def _why(exc: Exception) -> str:
    text = str(exc)
    return text if text.startswith("expected") else "an IPv6 address goes in brackets"
