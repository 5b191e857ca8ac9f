"""The real servers that httpio is tested against: what each can do, and starting each at its first use.

Every server answers the same paths, so that one test runs against all of them:

- ``/docs/NAME``: a document of the tree (`tests.support.documents`), with ``Content-Length`` and ``ETag``
- ``/chunked/NAME``: the same document in chunked coding
- ``/status/204``: no content
- ``/upload/NAME``: accepts ``PUT``
- ``/small/NAME``: refuses a ``PUT`` of more than 1024 bytes with 413

nginx alone has ``/tls``: the server name and the protocol that the client asked for in its TLS handshake.

A server listens in up to three variants (`Variant`), each over up to three transports (`Transport`).
Its configuration is in `tests.support.server_configs`.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .certs import Certificates, make_certificates
from .documents import Document, make_documents, make_large_document, sha256
from .processes import ServerStartError, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .processes import Address

DOCUMENT_COUNT = 200
SMALL_LIMIT = 1024
"""Bytes that ``PUT /small/NAME`` accepts."""
FEW_REQUESTS = 3
"""Requests that `Variant.FEW` answers on one connection."""


class Transport(Enum):
    """What carries the requests to a server."""

    PLAIN = "plain"
    TLS = "tls"
    UNIX = "unix"


class Variant(Enum):
    """How long a server keeps a connection."""

    NORMAL = "normal"
    """As long as a test may take."""
    IDLE = "idle"
    """Closes a connection that has been idle for a moment."""
    FEW = "few"
    """Closes a connection after `FEW_REQUESTS` requests."""


class Feature(Enum):
    """What not every server can do."""

    REFUSES_EXPECT = "answers 413 at once to a request that asks for 100 (Continue)"
    DIGEST = "answers PUT with the hash of the body"


Listener = tuple[Variant, Transport]


class ServerMissingError(Exception):
    """The program is not installed; the message names what to install."""


@dataclass(frozen=True)
class Workspace:
    """What the configuration of one server needs to know."""

    directory: Path
    """The server's own, writable for whatever user its workers run as; has ``upload`` and ``small`` below it."""
    documents: Path
    addresses: Mapping[Listener, Address]
    certificates: Certificates
    backend: tuple[str, int] | None
    """Where the server behind a reverse proxy listens."""

    def address(self, variant: Variant, transport: Transport) -> str:
        """Return the address in the form ``host:port``, or the path of the unix socket."""
        address = self.addresses[variant, transport]
        return address if isinstance(address, str) else f"{address[0]}:{address[1]}"

    def port(self, variant: Variant, transport: Transport) -> int:
        """Return the port of a listener that has one."""
        address = self.addresses[variant, transport]
        assert not isinstance(address, str)
        return address[1]


@dataclass(frozen=True)
class Launch:
    """How to run a configured server in the foreground."""

    command: tuple[str | Path, ...]
    log_files: tuple[Path, ...] = ()
    """What it writes besides its output."""


@dataclass(frozen=True)
class ServerSpec:
    """One row of the table of servers."""

    name: str
    configure: Callable[[Workspace], Launch]
    """Raises `ServerMissingError`."""
    features: frozenset[Feature]
    transports: frozenset[Transport] = frozenset(Transport)
    variants: frozenset[Variant] = frozenset(Variant)
    backend: str | None = None
    """The name of the server behind a reverse proxy."""

    def listeners(self) -> list[Listener]:
        """Return all combinations; only the normal variant listens on a unix socket."""
        return [
            (variant, transport)
            for variant in Variant
            for transport in Transport
            if variant in self.variants
            and transport in self.transports
            and (transport is not Transport.UNIX or variant is Variant.NORMAL)
        ]


@dataclass(frozen=True)
class RunningServer:
    """A server that accepts connections."""

    spec: ServerSpec
    workspace: Workspace
    log_files: tuple[Path, ...]
    stored_in: Path
    """The directory that holds ``upload``; another server's, for a reverse proxy."""

    def log(self, limit: int = 4000) -> str:
        """Return the last *limit* characters of each of its logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-limit:]}"
            for path in self.log_files
            if path.exists()
        )

    def stored_digest(self, name: str) -> str:
        """Return the hash of what was put to ``/upload/NAME``, for a server that stores it."""
        return sha256((self.stored_in / "upload" / name).read_bytes())


class ServerFarm:
    """Starts servers on demand and ends them all together; a context manager."""

    def __init__(self, specs: Mapping[str, ServerSpec]) -> None:
        self._specs = specs
        self._servers: dict[str, RunningServer] = {}
        self._failures: dict[str, Exception] = {}
        self._cleanup = ExitStack()
        # Not a directory of pytest: those are closed to other users, and Apache does not serve as root.
        self._directory = Path(tempfile.mkdtemp(prefix="httpio-"))
        self._cleanup.callback(shutil.rmtree, self._directory, ignore_errors=True)
        self._directory.chmod(0o755)
        self.certificates = make_certificates(self._directory)
        self.document_root = self._directory / "docs"
        self.document_root.mkdir()
        self.documents: list[Document] = make_documents(self.document_root, DOCUMENT_COUNT)
        self.large: Document = make_large_document(self.document_root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def server(self, name: str) -> RunningServer:
        """Return the server, started if this is its first use.

        Raises `ServerMissingError` or `ServerStartError`.
        """
        if name in self._failures:
            # Once is enough: to find out again may take long.
            raise self._failures[name]
        if name not in self._servers:
            try:
                self._servers[name] = self._start(self._specs[name])
            except Exception as failure:
                self._failures[name] = failure
                raise
        return self._servers[name]

    def directory(self, name: str) -> Path:
        """Return a new directory that is open to every user."""
        made = self._directory / name
        made.mkdir()
        made.chmod(0o777)
        return made

    def _start(self, spec: ServerSpec) -> RunningServer:
        backend = self.server(spec.backend) if spec.backend else None
        for attempt in range(3):
            directory = self.directory(f"{spec.name}-{attempt}")
            for name in ("upload", "small", "tmp"):
                (directory / name).mkdir()
                (directory / name).chmod(0o777)
            workspace = Workspace(
                directory=directory,
                documents=self.document_root,
                addresses=_choose_addresses(spec, directory),
                certificates=self.certificates,
                backend=("127.0.0.1", backend.workspace.port(Variant.NORMAL, Transport.PLAIN))
                if backend
                else None,
            )
            launch = spec.configure(workspace)
            output = directory / "output.log"
            try:
                self._cleanup.enter_context(
                    running(launch.command, list(workspace.addresses.values()), output)
                )
            except ServerStartError:
                # Another process may have taken one of the ports that were free.
                if attempt == 2:
                    raise
                continue
            stored_in = backend.stored_in if backend else directory
            return RunningServer(spec, workspace, (output, *launch.log_files), stored_in)
        raise AssertionError("the last attempt returns or raises")


def _choose_addresses(spec: ServerSpec, directory: Path) -> dict[Listener, Address]:
    listeners = spec.listeners()
    ports = iter(free_ports(len(listeners)))
    return {
        listener: str(directory / "socket")
        if listener[1] is Transport.UNIX
        else ("127.0.0.1", next(ports))
        for listener in listeners
    }


def find_program(package: str, *names: str) -> str:
    """Return the path of the first of *names* that is installed.

    Raises `ServerMissingError`.
    """
    # Servers live in sbin, which an ordinary user's PATH may lack.
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
        if found:
            return found
    raise ServerMissingError(f"none of {', '.join(names)} is installed (package {package})")
