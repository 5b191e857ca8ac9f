"""Requests for what has changed: since a date, or since an entity tag was noted."""

from __future__ import annotations

import os
import time
from email.utils import formatdate, mktime_tz, parsedate_tz

from httpio_cli._errors import CommandError, cannot_read, cannot_write
from httpio_cli._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .naming import Wanted


def time_condition(text: str) -> tuple[str, str]:
    """Return the header field that ``--time-cond`` *text* stands for: a date, or a file with one.

    A dash before it turns the condition round, as with curl. Raises `CommandError`.
    """
    name = "If-Unmodified-Since" if text.startswith("-") else "If-Modified-Since"
    text = text.removeprefix("-")
    seconds = _seconds(text)
    if seconds is None:
        try:
            seconds = os.stat(text).st_mtime
        except (OSError, ValueError) as exc:
            raise CommandError(
                ExitCode.USAGE,
                f"--time-cond: {text!r} is neither a date nor a file",
                "write it as in 2026-01-31 or 'Sat, 31 Jan 2026 12:00:00 GMT'",
            ) from exc
    return name, formatdate(seconds, usegmt=True)


def _seconds(text: str) -> float | None:
    from datetime import UTC, datetime

    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    parsed = parsedate_tz(text)
    try:
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None


class Etags:
    """Entity tags by URL: those that were noted in a file, and those that are to be.

    A line for each, ``ETAG<TAB>URL``. A file with an entity tag alone, as curl writes it, is about
    the only file that there is.
    """

    def __init__(self, compare: str | None, save: str | None, *, alone: bool) -> None:
        self._save: Final = save
        self._alone: Final = alone
        self._known: Final = {} if compare is None else _read(compare)
        # What a save leaves as it was, it must not lose.
        self._saved: Final = (
            dict(self._known)
            if save is not None and save == compare
            else {}
            if save is None
            else _read(save)
        )
        self._noted: Final[dict[str, str]] = {}

    def known(self, wanted: Wanted) -> str | None:
        """Return the entity tag of a file that is there, `None` if none was noted."""
        found = self._known.get(str(wanted.url))
        return self._known.get("") if found is None and self._alone else found

    def note(self, wanted: Wanted, etag: str | None) -> None:
        """A file was fetched that has this entity tag."""
        if etag is not None and "\n" not in etag and "\t" not in etag:
            self._noted[str(wanted.url)] = etag

    def save(self) -> None:
        """Write what was noted, if that is wanted. Raises `CommandError`."""
        if self._save is None:
            return
        if self._alone:
            lines = [f"{etag}\n" for etag in self._noted.values()]
            if not lines:
                return
        else:
            self._saved.pop("", None)
            tags = {**self._saved, **self._noted}
            lines = [f"{etag}\t{url}\n" for url, etag in tags.items()]
        beside = f"{self._save}.{os.getpid()}.{time.time_ns()}"
        try:
            with open(beside, "w", encoding="utf-8") as file:
                file.writelines(lines)
            os.replace(beside, self._save)
        except OSError as exc:
            raise cannot_write(self._save, exc) from exc


def _read(path: str) -> dict[str, str]:
    """Return the entity tags of a file by URL; that of no URL by the empty string."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        # The first time, there is none.
        return {}
    except OSError as exc:
        raise cannot_read(path, exc) from exc
    tags = {}
    for line in lines:
        etag, _, url = line.strip().partition("\t")
        if etag.isascii() and etag.isprintable() and etag.endswith('"'):
            tags[url] = etag
    return tags
