"""Lists of files to fetch, in the forms that other tools have.

Text in, `Entry` objects out: nothing is opened here. Every error names the line that it is about,
and is one before anything was fetched.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from urllib.parse import quote

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._values import check_field

from .entries import Entry
from .verification import BY_LENGTH, Checksum, parse_checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, NoReturn


class ListFormat(Enum):
    """How a list is written. The value is what ``--input-format`` calls it."""

    AUTO = "auto"
    #: A URL a line, perhaps with a name and a checksum: ``URL -> out sha256:…``.
    URLS = "urls"
    ARIA2 = "aria2"
    #: What ``sha256sum`` writes, in either style.
    MANIFEST = "sums"
    JSONL = "jsonl"


_GNU_LINE: Final = re.compile(r"(\\?)([0-9A-Fa-f]{32,128}) [ *](.+)")
_BSD_LINE: Final = re.compile(r"(\\?)([A-Z0-9-]+) ?\((.+)\) = ([0-9A-Fa-f]{32,128})")
_OPTION_LINE: Final = re.compile(r"[ \t]+([a-z0-9][a-z0-9-]*)=(.*)")
_ARROW: Final = re.compile(r"[ \t]+(?:->|→)[ \t]+|\t+")
_TRAILING_CHECKSUM: Final = re.compile(
    r"(.*?)[ \t]+((?:md5|sha-?(?:1|224|256|384|512)):[0-9A-Fa-f]+)", re.IGNORECASE
)
#: RFC 3986 §3.3, without "%": a name is no URL, and has its percent signs encoded.
_IN_PATHS: Final = "/!$&'()*+,;=:@~"
_ESCAPES: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def parse_list(
    text: str, name: str, form: ListFormat, base_url: str | None = None
) -> tuple[list[Entry], list[str]]:
    """Return the entries of the list *text*, and what of it was not understood.

    *name* is that of the list, for messages. *base_url* is where the files of a manifest are.
    Raises `CommandError` for what cannot be fetched as it is written.
    """
    # Not splitlines(): a name may have what that takes for line ends.
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    if form is ListFormat.AUTO:
        form = detect(lines)
    source = _Source(name, lines)
    match form:
        case ListFormat.JSONL:
            return list(_jsonl(source)), []
        case ListFormat.MANIFEST:
            return list(_manifest(source, base_url)), []
        case ListFormat.ARIA2:
            unused: dict[str, None] = {}
            entries = list(_aria2(source, unused))
            return entries, [f"{name}: not used here: {', '.join(unused)}"] if unused else []
        case _:
            return list(_urls(source)), []


def detect(lines: list[str]) -> ListFormat:
    """Return the format that *lines* are written in, as far as that shows."""
    first = True
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        if first:
            if line.lstrip().startswith("{"):
                return ListFormat.JSONL
            if _GNU_LINE.fullmatch(line) or _BSD_LINE.fullmatch(line):
                return ListFormat.MANIFEST
            first = False
        if _OPTION_LINE.fullmatch(line) or _only_urls(line.split("\t")):
            return ListFormat.ARIA2
    return ListFormat.URLS


def _only_urls(fields: list[str]) -> bool:
    """Return whether these are several URLs: to aria2, sources of one file."""
    return len(fields) > 1 and all(re.match("(?i)https?://", field) for field in fields)


class _Source:
    """The lines of a list that say something, and the place of the one that is looked at."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self._name = name
        self._lines = lines
        self._number = 0

    @property
    def where(self) -> str:
        return f"{self._name}:{self._number}"

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines, 1):
            if line.strip() and not line.startswith("#"):
                self._number = number
                yield line

    def fail(self, why: str, hint: str = "") -> NoReturn:
        raise CommandError(ExitCode.USAGE, f"{self.where}: {why}", hint)

    def checksum(self, text: str) -> Checksum:
        try:
            return parse_checksum(text)
        except ValueError as exc:
            self.fail(str(exc))

    def header(self, name: str, value: str) -> tuple[str, str]:
        return check_field(name, value, self.fail)


def _urls(source: _Source) -> Iterator[Entry]:
    for line in source:
        text = line.strip()
        checksums: tuple[Checksum, ...] = ()
        found = _TRAILING_CHECKSUM.fullmatch(text)
        if found is not None:
            text = found[1]
            checksums = (source.checksum(found[2]),)
        url, *rest = _ARROW.split(text, maxsplit=1)
        out = rest[0].strip() if rest else None
        if out == "":
            source.fail("there is no name behind the arrow")
        yield Entry(url, source.where, out, checksums)


def _aria2(source: _Source, unused: dict[str, None]) -> Iterator[Entry]:
    entry: _Aria2Entry | None = None
    for line in source:
        option = _OPTION_LINE.fullmatch(line)
        if option is None and line[0] in " \t":
            source.fail("expected an option such as out=NAME in a line that is indented")
        if option is None:
            if entry is not None:
                yield entry.finish()
            entry = _Aria2Entry(line.strip().split("\t"), source.where)
        elif entry is None:
            source.fail("there is no URL before this option")
        elif not entry.take(source, option[1], option[2].strip()):
            unused[option[1]] = None
    if entry is not None:
        yield entry.finish()


class _Aria2Entry:
    """What the lines for one file of an aria2 list have said so far."""

    def __init__(self, urls: list[str], where: str) -> None:
        self._url, *self._mirrors = [url.strip() for url in urls if url.strip()]
        self._where = where
        self._out: str | None = None
        self._directory = ""
        self._checksums: list[Checksum] = []
        self._headers: list[tuple[str, str]] = []

    def take(self, source: _Source, option: str, value: str) -> bool:
        """Take an option; return whether that means something here."""
        match option:
            case "out":
                self._out = value
            case "dir":
                self._directory = value
            case "checksum":
                self._checksums.append(source.checksum(value))
            case "header":
                name, colon, content = value.partition(":")
                if not colon:
                    source.fail(f"expected 'Name: value', got {value!r}")
                self._headers.append(source.header(name, content))
            case _:
                return False
        return True

    def finish(self) -> Entry:
        out = self._out
        if self._directory:
            # What stands behind the slash is up to the URL if nothing does.
            out = f"{self._directory.rstrip('/') or '/'}/{out or ''}"
        return Entry(
            self._url,
            self._where,
            out,
            tuple(self._checksums),
            None,
            tuple(self._headers),
            tuple(self._mirrors),
        )


def _manifest(source: _Source, base_url: str | None) -> Iterator[Entry]:
    for line in source:
        if base_url is None:
            source.fail("this list has names, and no URLs", "say where they are with --base-url")
        gnu, bsd = _GNU_LINE.fullmatch(line), _BSD_LINE.fullmatch(line)
        if gnu is not None:
            escaped, digits, out = gnu.groups()
            algorithm = BY_LENGTH.get(len(digits), f"hash of {4 * len(digits)} bits")
        elif bsd is not None:
            escaped, algorithm, out, digits = bsd.groups()
        else:
            source.fail("expected a checksum and a name, as sha256sum writes them")
        if escaped:
            out = re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], out)
        out = out.removeprefix("./")
        url = f"{base_url.rstrip('/')}/{quote(out, safe=_IN_PATHS)}"
        yield Entry(url, source.where, out, (source.checksum(f"{algorithm}:{digits}"),))


def _jsonl(source: _Source) -> Iterator[Entry]:
    for line in source:
        try:
            found: object = json.loads(line)
        except ValueError as exc:
            source.fail(f"this is no JSON: {exc}")
        if not isinstance(found, dict):
            source.fail("expected a JSON object on each line")
        yield _from_object(source, found)


def _from_object(source: _Source, members: dict[str, object]) -> Entry:
    def text(name: str) -> str | None:
        value = members.get(name)
        if value is not None and not (isinstance(value, str) and value):
            source.fail(f"expected text for {name!r}, got {value!r}")
        return value

    url, out, size = text("url"), text("out"), members.get("size")
    if url is None:
        source.fail("there is no 'url' in it")
    if size is not None and not (type(size) is int and size >= 0):
        source.fail(f"expected a number of bytes for 'size', got {size!r}")
    checksums = []
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"):
        if digits := text(name):
            checksums.append(source.checksum(f"{name}:{digits.removeprefix(name + ':')}"))
    if checksum := text("checksum"):
        checksums.append(source.checksum(checksum))
    headers = members.get("headers") or {}
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    if not isinstance(pairs, list):
        source.fail(f"expected an object for 'headers', got {headers!r}")
    fields = []
    for pair in pairs:
        if not (
            isinstance(pair, (list, tuple))
            and len(pair) == 2
            and isinstance(pair[0], str)
            and isinstance(pair[1], str)
        ):
            source.fail(f"expected a name and a value in 'headers', got {pair!r}")
        fields.append(source.header(pair[0], pair[1]))
    return Entry(url, source.where, out, tuple(checksums), size, tuple(fields))
