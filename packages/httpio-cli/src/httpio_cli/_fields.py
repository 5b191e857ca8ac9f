"""The fields of a request: those of the options, credentials, and what every request says."""

from __future__ import annotations

import os
import sys

from ._errors import CommandError, cannot_read
from ._exit_codes import ExitCode
from ._redaction import SECRET_FIELDS
from ._values import REMOVED, check_field, parse_field
from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

    from ._options import RequestOptions
    from ._urls import URL


class RequestFields:
    """Makes the fields of requests as *options* want them.

    Raises `CommandError` for what cannot be sent, and for files that cannot be read.
    """

    def __init__(self, options: RequestOptions, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._given = list(_expand(options.header))
        for name, value in (("User-Agent", options.user_agent), ("Referer", options.referer)):
            if value is not None:
                self._given.append(check_field(name, value or REMOVED, _refuse))
        for cookie in options.cookie:
            if "=" not in cookie:
                _refuse(
                    f"expected --cookie NAME=VALUE, got {cookie[:80]!r}; there are no cookie files"
                )
        if options.cookie:
            self._given.append(check_field("Cookie", "; ".join(options.cookie), _refuse))
        self._user = None if options.user is None else _with_password(options.user)
        if options.oauth2_bearer is not None:
            check_field("Authorization", options.oauth2_bearer, _refuse)

    def for_url(
        self, url: URL, *, trusted: bool = True, extra: Iterable[tuple[str, str]] = ()
    ) -> list[tuple[str, str]]:
        """Return the fields of a request for *url*.

        *extra* are fields that the options may replace. Unless *url* is *trusted*, because it has
        the origin that the operator has named, it gets no credentials.
        """
        fields = [("User-Agent", f"httpio/{__version__}"), ("Accept", "*/*"), *extra]
        replaced = {name.lower() for name, _ in self._given}
        fields = [(name, value) for name, value in fields if name.lower() not in replaced]
        fields += [
            (name, value)
            for name, value in self._given
            if value != REMOVED and (trusted or name.lower() not in SECRET_FIELDS)
        ]
        if trusted and "authorization" not in replaced:
            authorization = self.authorization(url)
            if authorization is not None:
                fields.append(("Authorization", authorization))
        return fields

    def authorization(self, url: URL) -> str | None:
        """Return the value of Authorization, `None` if there are no credentials.

        Those of an option go before those of the URL, and these before those of a netrc file.
        """
        from httpio._encoders import basic_credentials

        options = self._options
        if options.oauth2_bearer is not None:
            return f"Bearer {options.oauth2_bearer}"
        if self._user is not None:
            return basic_credentials(*self._user)
        if url.user is not None:
            return basic_credentials(url.user, url.password or "")
        if options.netrc or options.netrc_file is not None:
            found = self._from_netrc(url.hostname)
            if found is not None:
                return basic_credentials(*found)
        return None

    def _from_netrc(self, hostname: str) -> tuple[str, str] | None:
        from netrc import NetrcParseError, netrc

        path = (
            self._options.netrc_file
            or self._environ.get("NETRC")
            or os.path.join(os.path.expanduser("~"), ".netrc")
        )
        try:
            found = netrc(path).authenticators(hostname)
        except FileNotFoundError as exc:
            if self._options.netrc_file is None:
                return None
            raise cannot_read(path, exc) from exc
        except OSError as exc:
            raise cannot_read(path, exc) from exc
        except (NetrcParseError, UnicodeDecodeError) as exc:
            # Its message may quote a password.
            line = getattr(exc, "lineno", None)
            at = f" at line {line}" if line else ""
            raise CommandError(
                ExitCode.READ_FAILED, f"{path!r} is no proper netrc file{at}", "mend it"
            ) from None
        if found is None or not found[0] or found[2] is None:
            return None
        return found[0], found[2]


def _refuse(why: str) -> NoReturn:
    raise CommandError(ExitCode.USAGE, why)


def _expand(given: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return the fields that were *given*, those of files in the place of the files' names."""
    for name, value in given:
        if name != "@":
            yield name, value
            continue
        try:
            if value == "-":
                if sys.stdin is None:
                    raise CommandError(ExitCode.READ_FAILED, "stdin is closed")
                text = sys.stdin.buffer.read()
            else:
                with open(value, "rb") as file:
                    text = file.read()
        except OSError as exc:
            raise cannot_read(value, exc) from exc
        # At nothing else that Unicode has for a line end.
        for line in text.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"):
            if line.strip():
                yield parse_field(line, _refuse)


def _with_password(user: str) -> tuple[str, str]:
    """Return user and password; the latter is asked for if there is none."""
    name, colon, password = user.partition(":")
    if colon:
        return name, password
    if sys.stdin is None or not sys.stdin.isatty():
        _refuse("expected --user USER:PASSWORD; a password is asked for on a terminal only")
    from getpass import getpass

    return name, getpass(f"Password of {name}: ")
