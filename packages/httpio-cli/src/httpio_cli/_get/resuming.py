"""``-C``: going on with a file that is there in part (RFC 9110 §14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import PartFile
from httpio_cli._response_fields import field

from .sink import existing_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpio import HTTPResponse
    from httpio_cli._urls import URL

    from .settings import Settings
    from .sink import Destination


class Resumption:
    """What is there already, and how the rest is asked for: `fields` are those of the request.

    With ``-C -`` the part of an earlier transfer is continued if it has a strong validator, and a file
    that somebody else has left as it is. Raises `CommandError` for options that make no sense.
    """

    def __init__(
        self,
        settings: Settings,
        destination: Destination,
        url: URL,
        note: Callable[[str], None],
    ) -> None:
        self.fields: list[tuple[str, str]] = []
        self._note = note
        self._url = url
        self._validator = ""
        self._offset = 0
        self._file: PartFile | None = None
        self._in_place = False
        self._is_sure = False
        wanted = settings.saving.continue_at
        if wanted is None:
            return
        path = destination.path(url)
        if wanted != "-":
            self._offset = int(wanted)
            self._file = None if path is None else PartFile(path)
            self._in_place = True
        elif path is None:
            raise CommandError(
                ExitCode.USAGE,
                "-C - needs a file to go on with",
                "give -o FILE or -O, or -C OFFSET",
            )
        else:
            self._file = PartFile(path)
            self._look(str(url))
        if self._offset:
            self.fields.append(("Range", f"bytes={self._offset}-"))

    def _look(self, url: str) -> None:
        assert self._file is not None
        found = self._file.resumable(url)
        if found is not None:
            self._offset, validator = found
            self._is_sure = True
            # RFC 9110 §13.1.5: the rest if it is the same, and otherwise all of it.
            self._validator = validator
            self.fields.append(("If-Range", validator))
            return
        if existing_size(self._file.part):
            self._note(
                f"nothing tells whether {self._file.part} is still a part of {url}: starting again"
            )
        elif size := existing_size(self._file.path):
            self._offset = size
            self._in_place = True
            self._note(f"going on with {self._file.path} behind its {size} bytes, unverified")

    def accept(self, response: HTTPResponse) -> PartFile | None:
        """Return the file that the content of *response* is to be added to, `None` if to no one.

        Raises `CommandError` if the server has not sent what was asked for.
        """
        if not self._offset:
            return None
        if response.status == 206:
            self._check_range(response)
            if self._file is None:
                return None
            if self._in_place:
                self._file.resume_in_place(self._offset)
            else:
                self._file.resume(self._offset)
            return self._file
        if response.status == 200:
            if not self._is_sure:
                raise self._failed("the server sends all of it, not the rest")
            self._note(f"{self._url} has changed since, or cannot be had in parts: starting again")
            return None
        if self._file is not None:
            # Whatever the server says instead does not belong there.
            status = f"{response.status} {response.reason}".rstrip()
            raise CommandError(
                ExitCode.HTTP_ERROR if response.status >= 400 else ExitCode.RANGE_FAILED,
                f"{self._url}: {status}, and so {self._kept} stays as it is",
                "get it without -C to see what the server says",
            )
        return None

    def is_complete(self, response: HTTPResponse) -> bool:
        """Return whether *response* says that there is nothing behind what is there.

        Raises `CommandError` if there is less than that.
        """
        if not self._offset or response.status != 416:
            return False
        length = (field(response, "Content-Range") or "").rpartition("/")[2]
        if length != str(self._offset) or self._file is None:
            raise self._failed(f"there are {length or 'fewer'} bytes")
        if self._in_place:
            self._file.resume_in_place(self._offset)
        else:
            self._file.resume(self._offset)
        self._file.finish()
        return True

    def _check_range(self, response: HTTPResponse) -> None:
        text = field(response, "Content-Range") or "no Content-Range"
        found = re.fullmatch(r"(?i:bytes) +(\d+)-(\d+)/(\d+|\*)", text)
        if found is None or found[1] != str(self._offset):
            raise self._failed(f"the server answers with {text!r}")
        if found[3] not in ("*", str(int(found[2]) + 1)):
            raise self._failed(f"the server sends only a part of it: {text!r}")
        etag = field(response, "ETag")
        if self._validator.startswith('"') and etag not in (None, self._validator):
            raise self._failed("it has changed since")

    @property
    def _kept(self) -> str:
        assert self._file is not None
        return str(self._file.path if self._in_place else self._file.part)

    def _failed(self, why: str) -> CommandError:
        return CommandError(
            ExitCode.RANGE_FAILED,
            f"{self._url}: asked for what follows byte {self._offset}, but {why}",
            "get it without -C",
        )
