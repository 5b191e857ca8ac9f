"""`httpio_cli._fetch.verification`: checksums, and digests in fields."""

from __future__ import annotations

import base64
import hashlib

import pytest

from httpio_cli._fetch.verification import (
    Checksum,
    Verifier,
    digests_of,
    mismatch_of,
    parse_checksum,
)

CONTENT = b"some content"
DIGEST = hashlib.sha256(CONTENT).digest()
BASE64 = base64.b64encode(DIGEST).decode()
MD5 = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()


def fields(**values: str) -> list[tuple[str, str]]:
    return [(name.replace("_", "-"), value) for name, value in values.items()]


class TestChecksums:
    @pytest.mark.parametrize("name", ["sha256", "SHA256", "sha-256"])
    @pytest.mark.parametrize("mark", [":", "="])
    def test_spellings(self, name: str, mark: str) -> None:
        assert parse_checksum(f"{name}{mark}{DIGEST.hex()}") == Checksum("sha256", DIGEST)

    @pytest.mark.parametrize(
        "text", ["", "sha256", "sha256:", "sha256:xyz", "crc32:abcd", "md5:abcd"]
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="checksum"):
            parse_checksum(text)

    def test_a_mismatch_says_what_came(self) -> None:
        expected = Checksum("sha256", bytes(32), "the list")
        assert mismatch_of(CONTENT, [Checksum("sha256", DIGEST)]) is None
        assert str(mismatch_of(CONTENT, [expected])) == (
            f"the sha256 of what was received is {DIGEST.hex()}, not {'0' * 64} as the list has it"
        )

    def test_piece_by_piece(self) -> None:
        verifier = Verifier([Checksum("sha256", DIGEST), Checksum("md5", bytes(16), "Content-MD5")])
        for byte in CONTENT:
            verifier.update(bytes([byte]))
        mismatch = verifier.mismatch()
        assert mismatch is not None
        assert mismatch.expected.origin == "Content-MD5"


class TestFields:
    def test_repr_digest(self) -> None:
        assert digests_of(fields(Repr_Digest=f"sha-256=:{BASE64}:")) == [
            Checksum("sha256", DIGEST, "Repr-Digest")
        ]

    def test_the_strongest_that_is_known_counts(self) -> None:
        value = f"unixsum=:AAAA:, md5=:{MD5}:, sha-256=:{BASE64}:;x=1"
        assert [each.algorithm for each in digests_of(fields(Repr_Digest=value))] == ["sha256"]

    def test_the_same_twice_is_looked_at_once(self) -> None:
        value = f"sha-256=:{BASE64}:"
        assert len(digests_of(fields(Repr_Digest=value, Content_Digest=value))) == 1

    def test_a_part_is_not_the_whole(self) -> None:
        value = f"sha-256=:{BASE64}:"
        found = digests_of(
            fields(Repr_Digest=value, Content_Digest=value, Content_MD5=MD5), partial=True
        )
        assert [each.origin for each in found] == ["Repr-Digest"]

    def test_content_md5(self) -> None:
        (found,) = digests_of(fields(Content_MD5=MD5))
        assert mismatch_of(CONTENT, [found]) is None

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "sha-256",
            "sha-256=abc",
            "sha-256=:abc:",
            "sha-256=:AAAA:",
            "sha-999=:AAAA:",
            "=::",
            ",",
        ],
    )
    def test_what_is_malformed_says_nothing(self, value: str) -> None:
        assert digests_of(fields(Repr_Digest=value, Content_MD5=value)) == []
