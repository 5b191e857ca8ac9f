"""Certificates of all kinds are read, and odd ones are no reason to fail."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from httpio_cli._probe import certificate as module
from httpio_cli._probe.certificate import Recorder, TLSFacts, read_certificate
from httpio_cli._probe.checks import judge_certificate
from httpio_cli._probe.model import Verdict

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def make(
    key: PrivateKey,
    *,
    names: list[x509.GeneralName] | None = None,
    days: int = 100,
    subject: str = "x.example",
) -> bytes:
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(255)
        .not_valid_before(NOW - timedelta(days=1000))
        .not_valid_after(NOW + timedelta(days=days))
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


EC = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    ("key", "described", "signature"),
    [
        (EC, "EC secp384r1", "ecdsa-with-SHA256"),
        (rsa.generate_private_key(65537, 2048), "RSA 2048 bits", "sha256WithRSAEncryption"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519", "ed25519"),
    ],
)
def test_keys(key: PrivateKey, described: str, signature: str) -> None:
    facts = read_certificate(make(key))
    assert facts.key == described
    assert facts.signature_algorithm == signature
    assert facts.serial_number == "ff"
    assert facts.self_issued is True
    assert facts.names == ()
    assert facts.days_left(NOW) == 100


def test_names() -> None:
    names = [
        x509.DNSName("*.x.example"),
        x509.IPAddress(ip_address("::1")),
        x509.RFC822Name("someone@x.example"),
    ]
    assert read_certificate(make(EC, names=names)).names == ("*.x.example", "::1")


def test_without_subject() -> None:
    assert read_certificate(make(EC, subject="")).subject == ""


@pytest.mark.parametrize("blob", [b"", b"nonsense", make(EC)[:-9], b"\x30\x03\x02\x01\x01"])
def test_no_certificate(blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_certificate(blob)


def facts(*days: int, names: tuple[str, ...] = ("x.example",)) -> TLSFacts:
    own: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    chain = tuple(
        read_certificate(make(EC, names=own or None, days=each, subject=f"c{each}"))
        for each in days
    )
    return TLSFacts("TLSv1.3", "AES", 256, None, chain)


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (facts(100), Verdict.PASS, "in 100 days"),
        (facts(20), Verdict.WARN, "in 20 days"),
        (facts(-1), Verdict.FAIL, "expired 2029-12-31"),
        (facts(100, 20), Verdict.WARN, "(CN=c20, above it)"),
        (facts(), Verdict.UNKNOWN, "no certificate"),
        # RFC 9110 §4.3.4: what the subject is called must not be relied on.
        (facts(100, names=()), Verdict.WARN, "for no name"),
        (replace(facts(100), verified=False), Verdict.UNKNOWN, "not verified"),
        (replace(facts(100), verified=False, problem="bad"), Verdict.FAIL, "not trusted: bad"),
    ],
)
def test_verdict(found: TLSFacts, verdict: Verdict, words: str) -> None:
    result, evidence, _ = judge_certificate(found, NOW, 21)
    assert result is verdict
    assert words in evidence


class Chain:
    """As much of a TLS socket as shows certificates."""

    def __init__(self, own: bytes | None, chain: object) -> None:
        self.own = own
        self._sslobj = self
        self.chain = chain

    def getpeercert(self, binary_form: bool) -> bytes | None:
        return self.own

    def get_unverified_chain(self) -> object:
        return self.chain


@pytest.mark.parametrize(
    ("chain", "known"),
    [([b"a", b"b"], True), (None, False), ([], False), ([object()], False), (5, False)],
)
def test_chain_that_python_does_not_show(chain: object, known: bool) -> None:
    sock = Chain(b"a", chain)
    found, complete = module._chain(sock)  # type: ignore[arg-type]  # it has what is used
    assert complete is known
    assert found == (chain if known else [b"a"])


def test_no_certificate_at_all() -> None:
    assert module._chain(Chain(None, None)) == ([], False)  # type: ignore[arg-type]  # likewise


def test_recorder_without_a_handshake() -> None:
    recorder = Recorder(ssl.create_default_context())
    assert recorder.facts() is None
    assert recorder.socket is None


def test_broken_certificate_in_the_chain() -> None:
    chain, unreadable = module._read_chain([make(EC), b"nonsense", make(EC)])
    assert len(chain) == 1
    assert "certificate 2 cannot be read" in unreadable
