"""Documents whose names, sizes and content depend on nothing but a seed."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LARGEST = 256 * 1024
"""Bytes that a document has at most."""


@dataclass(frozen=True)
class Document:
    """A file on the server, and what is known of its content."""

    path: str
    """As in the request line."""
    size: int
    sha256: str


def make_documents(directory: Path, count: int, seed: int = 1) -> list[Document]:
    """Write *count* documents into *directory*: half of them below 512 bytes, some empty, some large."""
    chance = random.Random(seed)
    documents = []
    for number in range(count):
        exponent = chance.uniform(-1, LARGEST.bit_length() - 1)
        content = chance.randbytes(int(2**exponent))
        name = f"{number:05}.bin"
        (directory / name).write_bytes(content)
        documents.append(Document(f"/{name}", len(content), hashlib.sha256(content).hexdigest()))
    return documents


def find_differences(documents: Iterable[Document], bodies: Iterable[bytes]) -> list[str]:
    """Return the paths of the documents that did not arrive as they are on the server's disk."""
    return [
        document.path
        for document, body in zip(documents, bodies, strict=True)
        if hashlib.sha256(body).hexdigest() != document.sha256
    ]
