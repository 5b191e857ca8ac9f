"""Whether what was received is what it should be: checksums of lists, digests of responses.

Knows nothing of files and connections: bytes come in, mismatches come out.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from _typeshed import ReadableBuffer

#: How lists and responses call what `hashlib` calls otherwise, and the length of each in bytes.
_ALGORITHMS: Final = {
    "md5": ("md5", 16),
    "sha": ("sha1", 20),
    "sha1": ("sha1", 20),
    "sha-1": ("sha1", 20),
    "sha224": ("sha224", 28),
    "sha-224": ("sha224", 28),
    "sha256": ("sha256", 32),
    "sha-256": ("sha256", 32),
    "sha384": ("sha384", 48),
    "sha-384": ("sha384", 48),
    "sha512": ("sha512", 64),
    "sha-512": ("sha512", 64),
}
#: What a manifest's line is made with, by the number of its hexadecimal digits.
BY_LENGTH: Final = {
    32: "md5",
    40: "sha1",
    56: "sha224",
    64: "sha256",
    96: "sha384",
    128: "sha512",
}
_CHECKSUM: Final = re.compile(r"([A-Za-z0-9-]+)[:=]([0-9A-Fa-f]+)")
# RFC 9530 §2: a dictionary of byte sequences (RFC 8941 §3.2, §3.3.5), whose parameters say nothing.
_DIGEST_MEMBER: Final = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?\s*")
#: Of several digests in a response, the first of these is looked at (RFC 9530 §5).
_PREFERRED: Final = ("sha-256", "sha-512", "sha", "md5")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What an algorithm, by its name in `hashlib`, must make of the content.

    *origin* says where it is from, for the message.
    """

    algorithm: str
    value: bytes
    origin: str = "the list"

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value.hex()}"


def parse_checksum(text: str, origin: str = "the list") -> Checksum:
    """Return what ``sha256:…``, or ``sha-256=…`` as aria2 writes it, stands for.

    Raises `ValueError`, with a message, for what is no checksum.
    """
    found = _CHECKSUM.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a checksum such as sha256:…, got {text!r}")
    name, digits = found.groups()
    known = _ALGORITHMS.get(name.lower())
    if known is None:
        names = ", ".join(sorted({algorithm for algorithm, _ in _ALGORITHMS.values()}))
        raise ValueError(f"the checksum algorithm {name!r} is none of {names}")
    algorithm, length = known
    if len(digits) != 2 * length:
        raise ValueError(f"a checksum with {algorithm} has {2 * length} digits, got {len(digits)}")
    return Checksum(algorithm, bytes.fromhex(digits), origin)


#: The fields that have any, in lower case.
_DIGEST_FIELDS: Final = frozenset(("repr-digest", "content-digest", "content-md5"))


def digests_of(fields: Iterable[tuple[str, str]], *, partial: bool = False) -> list[Checksum]:
    """Return what the header or trailer *fields* of a response say of its content.

    Of the whole representation, if *partial* (status 206): what is about the part that was
    transferred tells nothing of the file then. Malformed digests say nothing.
    """
    present: dict[str, list[str]] = {}
    for field, value in fields:
        lower = field.lower()
        if lower in _DIGEST_FIELDS:
            present.setdefault(lower, []).append(value)
    if not present:
        return []
    found: list[Checksum] = []
    names = ("Repr-Digest",) if partial else ("Repr-Digest", "Content-Digest")
    for name in names:
        values = present.get(name.lower())
        if values:
            checksum = _preferred(", ".join(values), name)
            if checksum is not None and all(checksum.value != each.value for each in found):
                found.append(checksum)
    if not partial and "content-md5" in present:
        # RFC 1864 §2: of the content as it is transferred.
        digest = _decoded(present["content-md5"][0].strip(), 16)
        if digest is not None:
            found.append(Checksum("md5", digest, "Content-MD5"))
    return found


def _preferred(value: str, name: str) -> Checksum | None:
    members: dict[str, str] = {}
    for item in value.split(","):
        member = _DIGEST_MEMBER.fullmatch(item)
        if member is not None:
            members[member[1]] = member[2]
    for key in _PREFERRED:
        if key in members:
            algorithm, length = _ALGORITHMS[key]
            digest = _decoded(members[key], length)
            if digest is not None:
                return Checksum(algorithm, digest, name)
    return None


def _decoded(text: str, length: int) -> bytes | None:
    try:
        digest = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return digest if len(digest) == length else None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Content that is not what it should be."""

    expected: Checksum
    got: bytes

    def __str__(self) -> str:
        origin = self.expected.origin
        return (
            f"the {self.expected.algorithm} of what was received is {self.got.hex()}, "
            f"not {self.expected.value.hex()} as {origin} has it"
        )


def mismatch_of(content: ReadableBuffer, expected: Iterable[Checksum]) -> Mismatch | None:
    """Return what is wrong with *content* that is there as a whole."""
    for checksum in expected:
        got = _new(checksum.algorithm, content).digest()
        if got != checksum.value:
            return Mismatch(checksum, got)
    return None


class Verifier:
    """Verifies content piece by piece against all that is *expected* of it."""

    def __init__(self, expected: Iterable[Checksum]) -> None:
        self.expected: Final = list(expected)
        self._hashes: Final = {each.algorithm: _new(each.algorithm) for each in self.expected}

    def update(self, piece: ReadableBuffer) -> None:
        """Take the next *piece* into account."""
        for each in self._hashes.values():
            each.update(piece)

    def mismatch(self) -> Mismatch | None:
        """Return what is wrong with all there was, `None` if it is right."""
        for checksum in self.expected:
            got = self._hashes[checksum.algorithm].digest()
            if got != checksum.value:
                return Mismatch(checksum, got)
        return None


def _new(algorithm: str, content: ReadableBuffer = b"") -> hashlib._Hash:
    # Not for security: MD5 has to be had on machines that forbid it for that.
    return hashlib.new(algorithm, content, usedforsecurity=False)
