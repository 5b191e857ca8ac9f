"""TLS handshakes and the certificates that servers show in them.

A connection of `httpio` keeps its TLS socket to itself. A context can be told to make sockets of a
class of ours, and that writes down what it negotiated. `cryptography` reads the certificates; it is
loaded when there is one.
"""

from __future__ import annotations

import ssl
import weakref
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

#: What ``_ssl.Certificate.public_bytes`` calls that form.
_DER: Final = 2


@dataclass(frozen=True)
class CertificateFacts:
    """What stands in one certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """Host names and addresses that it is for."""
    not_before: datetime
    not_after: datetime
    serial_number: str
    key: str
    signature_algorithm: str
    sha256: str
    self_issued: bool

    def days_left(self, now: datetime) -> float:
        """Return the days from *now* to its end, negative after that."""
        return (self.not_after - now).total_seconds() / 86400


@dataclass(frozen=True)
class TLSFacts:
    """What a handshake has come to."""

    version: str
    cipher: str
    bits: int
    alpn: str | None
    chain: tuple[CertificateFacts, ...]
    """What the server sent, its own certificate first; empty if that cannot be read."""
    chain_known: bool = True
    """Whether certificates beyond the first can be had from this Python."""
    unreadable: str = ""
    """Why the chain is not complete here."""
    verified: bool = True
    problem: str = ""
    """Why verification failed."""

    @property
    def certificate(self) -> CertificateFacts | None:
        """The server's own certificate."""
        return self.chain[0] if self.chain else None

    @property
    def earliest_expiry(self) -> datetime | None:
        """When the first certificate of the chain expires."""
        return min((found.not_after for found in self.chain), default=None)


@dataclass(frozen=True)
class _Handshake:
    """What is noted at once; reading the certificates would take time that is being measured."""

    version: str
    cipher: tuple[str, str, int]
    alpn: str | None
    blobs: list[bytes]
    chain_known: bool
    verified: bool


class Recorder:
    """Notes what the handshakes of an `ssl.SSLContext` come to."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._last: _Handshake | None = None
        self._socket: weakref.ref[ssl.SSLSocket] | None = None
        recorder = self

        class RecordedSocket(ssl.SSLSocket):
            """A TLS socket that tells the recorder when its handshake is complete."""

            def do_handshake(self, block: bool = False) -> None:
                """Do the handshake."""
                super().do_handshake(block)
                recorder.handshake_complete(self)

        context.sslsocket_class = RecordedSocket

    def handshake_complete(self, sock: ssl.SSLSocket) -> None:
        """Take note of *sock*."""
        # The socket belongs to its connection, which closes it.
        self._socket = weakref.ref(sock)
        blobs, known = _chain(sock)
        cipher = sock.cipher() or ("", "", 0)
        self._last = _Handshake(
            sock.version() or cipher[1],
            cipher,
            sock.selected_alpn_protocol(),
            blobs,
            known,
            sock.context.verify_mode == ssl.CERT_REQUIRED,
        )

    @property
    def socket(self) -> ssl.SSLSocket | None:
        """The socket of the last complete handshake, while its connection is open."""
        sock = self._socket() if self._socket is not None else None
        return sock if sock is not None and sock.fileno() >= 0 else None

    def facts(self) -> TLSFacts | None:
        """Return what the last complete handshake showed; `None` without one."""
        done = self._last
        if done is None:
            return None
        chain, unreadable = _read_chain(done.blobs)
        if not done.chain_known and not unreadable:
            unreadable = "this Python shows the server's own certificate only"
        return TLSFacts(
            done.version,
            done.cipher[0],
            done.cipher[2],
            done.alpn,
            chain,
            done.chain_known,
            unreadable,
            verified=done.verified,
        )


def _read_chain(blobs: Sequence[bytes]) -> tuple[tuple[CertificateFacts, ...], str]:
    """Return what stands in certificates, and why not all of them can be read."""
    chain: list[CertificateFacts] = []
    for number, blob in enumerate(blobs, start=1):
        try:
            chain.append(read_certificate(blob))
        except (ImportError, ValueError) as exc:
            return tuple(chain), f"certificate {number} cannot be read: {exc}"
    return tuple(chain), ""


def unverified(facts: TLSFacts, problem: str) -> TLSFacts:
    """Return *facts* with *problem*, for which the certificate was not accepted."""
    return replace(facts, verified=False, problem=problem)


def _chain(sock: ssl.SSLSocket) -> tuple[list[bytes], bool]:
    """Return the certificates that the server sent, as DER, and whether these are all."""
    # Public from 3.13; before, the same method has no public way to it.
    for owner in (sock, getattr(sock, "_sslobj", None)):
        get_chain = getattr(owner, "get_unverified_chain", None)
        if get_chain is None:
            continue
        try:
            found = [
                entry if isinstance(entry, bytes) else _der(entry.public_bytes(_DER))
                for entry in get_chain() or ()
            ]
        except (AttributeError, TypeError, ValueError, ssl.SSLError):
            continue
        if found:
            return found, True
    own = sock.getpeercert(binary_form=True)
    return ([own] if own else []), False


def _der(found: object) -> bytes:
    if not isinstance(found, bytes):
        raise TypeError(f"expected a certificate as bytes, got {type(found).__name__}")
    return found


def read_certificate(blob: bytes) -> CertificateFacts:
    """Return what stands in a certificate, given as DER.

    Raises `ValueError` if it makes no sense, `ImportError` without the library that reads it.
    """
    import warnings

    from cryptography import x509

    try:
        with warnings.catch_warnings():
            # Of things that are odd in other people's certificates.
            warnings.simplefilter("ignore")
            found = x509.load_der_x509_certificate(blob)
            return CertificateFacts(
                subject=found.subject.rfc4514_string(),
                issuer=found.issuer.rfc4514_string(),
                names=_names(found),
                not_before=found.not_valid_before_utc,
                not_after=found.not_valid_after_utc,
                serial_number=f"{found.serial_number:x}",
                key=_key(found.public_key()),
                signature_algorithm=_signature(found),
                sha256=sha256(blob).hexdigest(),
                self_issued=found.subject == found.issuer,
            )
    except ValueError:
        raise
    except Exception as exc:
        # The library has exceptions of its own for many things that can be wrong.
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc


def _names(found: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    names = extension.value
    return (
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )


def _key(key: PublicKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size} bits"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case _:
            return type(key).__name__.strip("_").removesuffix("PublicKey")


def _signature(found: x509.Certificate) -> str:
    # The library knows the names of those that it can verify.
    name = getattr(found.signature_algorithm_oid, "_name", "")
    return name or found.signature_algorithm_oid.dotted_string


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)
