"""A tree of documents whose content depends on nothing but a seed, with an index of their hashes.

The index is a plain file named ``index`` in the same directory: one line for each document, ``sha256 size name``.
"""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INDEX_NAME = "index"

EDGE_SIZES = (
    0,
    1,
    2,
    100,
    1023,
    1024,
    4096,
    8191,
    8192,
    65_535,
    65_536,
    65_537,
    1_000_003,
    3 * 1024 * 1024,
)
"""Sizes in bytes around the limits of usual buffers; every tree of this length or more has them all."""

MODIFIED = 1_600_000_000
"""When every document was modified, in seconds since the epoch."""

LARGE_NAME = "large"
LARGE_SIZE = 64 * 1024 * 1024


@dataclass(frozen=True)
class Document:
    """One generated file."""

    name: str
    size: int
    sha256: str


def sha256(content: bytes | bytearray | memoryview) -> str:
    """Return the hash of *content* in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def make_documents(directory: Path, count: int, *, seed: int = 20) -> list[Document]:
    """Write *count* documents of mixed sizes, and the index, into *directory*, which must exist.

    `EDGE_SIZES` come first in a shuffled order; the rest are small, as most documents of a site are.
    """
    chance = random.Random(seed)
    sizes = [
        *EDGE_SIZES[:count],
        *(int(chance.paretovariate(0.7) * 200) % 200_000 for _ in range(count)),
    ][:count]
    chance.shuffle(sizes)
    documents = [
        _write(directory, f"{number:04}", size, chance) for number, size in enumerate(sizes)
    ]
    lines = [f"{document.sha256} {document.size} {document.name}\n" for document in documents]
    (directory / INDEX_NAME).write_text("".join(lines), encoding="ascii")
    return documents


def make_large_document(directory: Path, *, seed: int = 21) -> Document:
    """Write one document of `LARGE_SIZE` bytes, which the index does not list, into *directory*."""
    return _write(directory, LARGE_NAME, LARGE_SIZE, random.Random(seed))


def _write(directory: Path, name: str, size: int, chance: random.Random) -> Document:
    content = chance.randbytes(size)
    file = directory / name
    file.write_bytes(content)
    # Of the past: servers call the validators of a file weak while it may still change within the same second.
    os.utime(file, (MODIFIED, MODIFIED))
    return Document(name, size, sha256(content))
