"""Where each file goes: names that stay in the output directory, and do not get in each other's way.

All of it is found out before anything is fetched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from httpio_cli._errors import CommandError, cannot_write
from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import safe_name
from httpio_cli._urls import parse_url

from .journal import JOURNAL_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from httpio_cli._urls import URL

    from .entries import Entry
    from .journal import Key

PART_SUFFIX: Final = ".part"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch, and where it goes.

    *out* is its name relative to the output directory, *path* where it is, *part* where it is until
    it is complete. The journal knows it by *key*.
    """

    number: int
    entry: Entry
    url: URL
    out: str
    path: str
    part: str
    key: Key
    mirrors: tuple[URL, ...] = ()


class Places:
    """Gives files their places in *directory*; with *create*, makes directories that are missing."""

    def __init__(self, directory: str, *, create: bool) -> None:
        self._create: Final = create
        self._given: Final = directory
        if create:
            _make(directory)
        #: The directory, with all symbolic links followed.
        self.root: Final = os.path.realpath(directory)
        if not os.path.isdir(self.root):
            raise CommandError(
                ExitCode.WRITE_FAILED,
                f"there is no directory {directory!r}",
                "--create-dirs makes it",
            )
        #: Where each directory that a list names is, with all symbolic links followed.
        self._parents: Final[dict[str, str]] = {"": self.root}
        #: Which line has taken a path.
        self._taken: Final[dict[str, str]] = {}

    @property
    def journal(self) -> str:
        """Where the journal is, unless somebody wants it elsewhere."""
        return os.path.join(self.root, JOURNAL_NAME)

    def place(self, entries: Iterable[Entry]) -> list[Wanted]:
        """Return *entries* with their places. Raises `CommandError`."""
        wanted = [self._place(number, entry) for number, entry in enumerate(entries)]
        self._check_conflicts(wanted)
        # Only now: nothing is made where something is wrong.
        for parent in self._parents:
            if parent:
                self._check_parent(parent)
        return wanted

    def _place(self, number: int, entry: Entry) -> Wanted:
        try:
            url, *mirrors = map(parse_url, (entry.url, *entry.mirrors))
        except CommandError as exc:
            raise CommandError(exc.code, f"{entry.where}: {exc.what}", exc.hint) from exc
        out = self._out(entry, url)
        parent, _, name = out.rpartition("/")
        place = self._parents.get(parent) or self._resolve(parent, entry)
        path = f"{place}/{name}"
        other = self._taken.setdefault(path, entry.where)
        if other is not entry.where:
            raise CommandError(
                ExitCode.USAGE,
                f"{entry.where}: {other} goes to the same file, {out!r}",
                "give each a name of its own: 'URL -> NAME' in the list",
            )
        return Wanted(
            number, entry, url, out, path, path + PART_SUFFIX, (out, str(url)), tuple(mirrors)
        )

    def _out(self, entry: Entry, url: URL) -> str:
        out = entry.out
        if out is None or out.endswith("/"):
            name = safe_name(url.path)
            if name is None:
                raise CommandError(
                    ExitCode.USAGE,
                    f"{entry.where}: the URL {url} names no file",
                    "give it a name: 'URL -> NAME' in the list, or -o NAME",
                )
            out = (out or "") + name
        if out.startswith("/"):
            raise self._escapes(entry, out)
        if not out.isprintable():
            raise CommandError(
                ExitCode.USAGE, f"{entry.where}: the name {out!r} has control characters in it"
            )
        segments = [segment for segment in out.split("/") if segment not in ("", ".")]
        if ".." in segments or not segments:
            raise self._escapes(entry, out)
        return "/".join(segments)

    def _escapes(self, entry: Entry, out: str) -> CommandError:
        return CommandError(
            ExitCode.USAGE,
            f"{entry.where}: {out!r} is not in the output directory",
            "names are relative to --output-dir and stay in it",
        )

    def _resolve(self, parent: str, entry: Entry) -> str:
        place = os.path.realpath(os.path.join(self.root, parent))
        if os.path.commonpath((self.root, place)) != self.root:
            # By a symbolic link.
            raise self._escapes(entry, f"{parent}/")
        self._parents[parent] = place
        return place

    def _check_conflicts(self, wanted: list[Wanted]) -> None:
        """Raise if a file would be where another one, or its beginning, or the journal has to be."""
        reserved = {self.journal: "the journal"}
        reserved.update((each.part, f"the beginning of {each.out!r}") for each in wanted)
        # A directory that is needed, and all that it is in.
        for parent, place in self._parents.items():
            while place != self.root and place not in reserved:
                reserved[place] = f"the directory for {parent + '/'!r}"
                place = os.path.dirname(place)
        for each in wanted:
            if os.path.isdir(each.path) and not os.path.islink(each.path):
                raise CommandError(
                    ExitCode.WRITE_FAILED,
                    f"{each.entry.where}: {each.out!r} is a directory",
                    "give the file another name",
                )
            what = reserved.get(each.path)
            if what is not None:
                raise CommandError(
                    ExitCode.USAGE,
                    f"{each.entry.where}: {each.out!r} is where {what} has to be",
                    "give one of them another name",
                )

    def _check_parent(self, parent: str) -> None:
        place = self._parents[parent]
        if self._create:
            _make(place)
        elif not os.path.isdir(place):
            raise CommandError(
                ExitCode.WRITE_FAILED,
                f"there is no directory {parent!r} in {self._given!r}",
                "--create-dirs makes it",
            )


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as exc:
        raise cannot_write(directory, exc) from exc
