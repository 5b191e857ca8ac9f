"""What is probed, and what comes out. Knows no sockets and prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import TypeAlias

    from httpio import HTTPConnection, Tracer
    from httpio_cli._errors import CommandError

    from .certificate import TLSFacts
    from .phases import Phase

    Fields: TypeAlias = tuple[tuple[str, str], ...]
    #: Makes a connection object that reports to a tracer and waits so long at most.
    Connect: TypeAlias = Callable[[Tracer | None, float | None], HTTPConnection]
    #: Figures and words that go into a document as they are.
    Facts: TypeAlias = Mapping[str, int | float | str | bool | None]


@dataclass(frozen=True)
class Target:
    """A resource, and how to get a connection to its server."""

    url: str
    """As it may be shown: without credentials."""
    path: str
    """The request target."""
    connect: Connect
    fields: Fields = ()
    """Header fields of every request."""
    tls: TLSAccess | None = None
    proxy_host: str | None = None
    """The proxy that was named, if there is one."""


@dataclass(frozen=True)
class TLSAccess:
    """How to learn of the TLS handshakes of a target."""

    recorded: Callable[[], TLSFacts | None]
    """Returns what the last verified handshake showed."""
    examine: Callable[[float | None], TLSFacts]
    """Does a handshake that verifies nothing, sends no request and presents no certificate of ours."""
    socket: Callable[[], socket.socket | None]
    """Returns the socket of the last handshake while it is open."""


class Verdict(Enum):
    """What a check has found."""

    PASS = "pass"
    """As it should be."""
    INFO = "info"
    """Allowed, and good to know."""
    WARN = "warn"
    """Allowed or nearly so, and likely to hurt somebody."""
    FAIL = "fail"
    """Against the RFC."""
    UNKNOWN = "unknown"
    """It cannot be told."""
    SKIPPED = "skipped"
    """It was not tried."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check."""

    id: str
    title: str
    verdict: Verdict
    evidence: str
    """One line: what was sent, what came, on which connection."""
    section: str
    """Where the rule stands, with its title."""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseFacts:
    """What a response was like."""

    status: int
    reason: str
    version: str
    fields: Fields
    announced_length: int | None
    """What Content-Length says, `None` without one."""
    size: int
    """Bytes of content that came."""
    content: bytes
    """The content, or its beginning."""

    def field(self, name: str) -> str | None:
        """Return the value of the first field called *name*."""
        return next((value for found, value in self.fields if found.lower() == name.lower()), None)


@dataclass(frozen=True)
class Peer:
    """Who was at the other end of the connection: the server, or a proxy."""

    address: str
    port: int
    family: str
    """``IPv4``, ``IPv6`` or ``unix``."""


@dataclass(frozen=True)
class Sample:
    """One request, from the first look at the name to the last byte, redirects not included."""

    url: str
    when: datetime
    phases: tuple[Phase, ...]
    total: float
    response: ResponseFacts | None = None
    peer: Peer | None = None
    tls: TLSFacts | None = None
    error: CommandError | None = None
    sent_bytes: int = 0
    received_bytes: int = 0

    def duration(self, *names: str) -> float:
        """Return the seconds that the phases *names* took together."""
        return sum(phase.duration for phase in self.phases if phase.name in names)
