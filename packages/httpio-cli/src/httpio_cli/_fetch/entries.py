"""One file that is wanted, as lists describe it, before anything is known of directories."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .verification import Checksum


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to fetch.

    *out* is the name that the list gives it, relative to the output directory, `None` if the URL
    names it. *mirrors* are URLs to try when *url* has failed for good. *where* says which line this
    comes from, for messages.
    """

    url: str
    where: str
    out: str | None = None
    checksums: tuple[Checksum, ...] = ()
    size: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    mirrors: tuple[str, ...] = ()
