"""Certificates for servers on loopback, made anew for each test session by a private authority."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """A certificate authority and one server certificate for `SERVER_NAMES`, as files and as contexts."""

    authority_file: Path
    certificate_file: Path
    key_file: Path
    combined_file: Path
    """Key and chain in one file, as HAProxy and lighttpd want it."""

    def client_context(self) -> ssl.SSLContext:
        """Return a new context that trusts our authority and nothing else."""
        return ssl.create_default_context(cafile=str(self.authority_file))

    def server_context(self) -> ssl.SSLContext:
        """Return a new context that presents the server certificate and speaks ``http/1.1``."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(str(self.certificate_file), str(self.key_file))
        context.set_alpn_protocols(["http/1.1"])
        return context


def make_certificates(directory: Path) -> Certificates:
    """Write a new authority and a server certificate below *directory*."""
    authority = trustme.CA()
    server = authority.issue_cert(*SERVER_NAMES)
    made = Certificates(
        authority_file=directory / "authority.pem",
        certificate_file=directory / "server.pem",
        key_file=directory / "server.key",
        combined_file=directory / "server-combined.pem",
    )
    authority.cert_pem.write_to_path(str(made.authority_file))
    for blob in server.cert_chain_pems:
        blob.write_to_path(str(made.certificate_file), append=True)
    server.private_key_pem.write_to_path(str(made.key_file))
    server.private_key_and_cert_chain_pem.write_to_path(str(made.combined_file))
    return made
