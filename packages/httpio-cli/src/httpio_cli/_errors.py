"""What goes wrong, as an operator is told of it: a code, what happened and why, what to try.

Nothing is printed here. `explain` knows the exceptions of `httpio`, of ssl and of the system.
"""

from __future__ import annotations

import errno
import os
import re
import sys

from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLError
    from typing import Final

    from httpio import ConnectionClosed


class CommandError(Exception):
    """The command cannot do what was asked for.

    *code* is the exit status, *what* says in one line what went wrong and why, *hint* what to try.
    """

    def __init__(self, code: ExitCode, what: str, hint: str = "") -> None:
        super().__init__(code, what, hint)
        self.code = code
        self.what = what
        self.hint = hint
        #: Not to be printed, because the operator wants silence.
        self.quiet = False

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}" if self.hint else self.what


class Terminated(BaseException):  # like KeyboardInterrupt, no error
    """SIGTERM arrived."""


def interruption(exc: BaseException, where: str = "", hint: str = "") -> CommandError:
    """Return the error for *exc*, a `KeyboardInterrupt` or `Terminated`, that came up *where*."""
    at = f"{where}: " if where else ""
    if isinstance(exc, Terminated):
        return CommandError(ExitCode.TERMINATED, f"{at}terminated by SIGTERM", hint)
    return CommandError(ExitCode.INTERRUPTED, f"{at}interrupted", hint)


def unexpected(exc: BaseException) -> CommandError:
    """Return the error for an exception that nobody has thought of: a fault of ours."""
    import traceback

    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return CommandError(
        ExitCode.FAULT,
        f"unexpected {type(exc).__name__}{place}: {exc}",
        "this is a fault of httpio, please report it",
    )


#: What OpenSSL says of certificates, and what helps (X509_V_ERR_... in its x509_vfy.h).
_CERTIFICATE_HINTS: Final = {
    9: "check the clock of this machine",
    10: "have the server's certificate renewed",
    18: "give the certificate with --cacert if you know it",
    19: "give the authority's certificate with --cacert",
    20: "give the authority's certificate with --cacert",
    21: "give the authority's certificate with --cacert",
    62: "use a name that is in the certificate, or --connect-to",
    64: "use an address that is in the certificate, or its name with --connect-to",
}


def explain(
    exc: BaseException, where: str = "", proxy: tuple[str, int] | None = None
) -> CommandError:
    """Return what to tell an operator about *exc*, which came up while *where*, a URL, was dealt with.

    *proxy* is ``(hostname, port)`` of the proxy that was to be used. An exception that nobody has
    thought of comes back as itself, raised.
    """
    if isinstance(exc, CommandError):
        return exc
    at = f"{where}: " if where else ""
    error = _of_httpio(exc, at, proxy) or _of_tls(exc, at) or _of_system(exc, at, proxy)
    if error is None:
        raise exc
    return error


#: What exceptions of `httpio` tell programmers, who have objects to go on with.
_FOR_PROGRAMMERS: Final = (
    r"(?s)^the connection cannot be used any more: "
    r"|; \d+ requests? ha(?:s|ve) no complete response.*"
    r"|; [^;]*\b(?:read_raw|reset)\(\).*"
)


def said_by(exc: BaseException) -> str:
    """Return what *exc* says, without what is for programmers only, and without credentials."""
    from ._redaction import without_credentials

    return without_credentials(re.sub(_FOR_PROGRAMMERS, "", str(exc)))


def _of_httpio(exc: BaseException, at: str, proxy: tuple[str, int] | None) -> CommandError | None:
    """Explain an exception of `httpio`, or of sockets, which has its classes too."""
    import httpio

    match exc:
        case httpio.HostnameNotResolvable() | httpio.DNSUnavailable():
            unavailable = isinstance(exc, httpio.DNSUnavailable)
            hint = "check the name service" if unavailable else "check the name"
            if proxy is not None and exc.hostname == proxy[0]:
                return CommandError(ExitCode.PROXY_NOT_RESOLVED, f"{at}the proxy's {exc}", hint)
            return CommandError(ExitCode.HOST_NOT_RESOLVED, f"{at}{said_by(exc)}", hint)
        case httpio.ProxyError(status=407):
            return CommandError(ExitCode.PROXY_FAILED, f"{at}{said_by(exc)}", "give --proxy-user")
        case httpio.ProxyError():
            return CommandError(
                ExitCode.PROXY_FAILED, f"{at}{said_by(exc)}", "ask whoever runs the proxy"
            )
        case httpio.ConnectionTimedOut():
            return CommandError(
                ExitCode.TIMED_OUT,
                f"{at}{said_by(exc)}",
                "allow more by --max-time or --connect-timeout",
            )
        case httpio.ConnectionClosed():
            return _of_closing(exc, at)
        case httpio.RangeError():
            return CommandError(
                ExitCode.RANGE_FAILED, f"{at}{said_by(exc)}", "get all of it, without a range"
            )
        case httpio.RemoteProtocolError():
            return CommandError(
                ExitCode.BAD_RESPONSE, f"{at}{said_by(exc)}", "'httpio trace' shows what came"
            )
        case httpio.LocalProtocolError():
            return CommandError(ExitCode.USAGE, f"{at}{said_by(exc)}")
        case _:
            return None


def _of_closing(exc: ConnectionClosed, at: str) -> CommandError:
    from httpio import CloseReason

    match exc.reason:
        case CloseReason.INVALID_RESPONSE | CloseReason.UNSOLICITED_DATA:
            code, hint = ExitCode.BAD_RESPONSE, "'httpio trace' shows what came"
        case CloseReason.SEND_ABORTED | CloseReason.EARLY_RESPONSE:
            code, hint = ExitCode.SEND_FAILED, "see what the server's log says"
        case _:
            code, hint = ExitCode.RECEIVE_FAILED, "try again; see what the server's log says"
    return CommandError(code, f"{at}{said_by(exc)}", hint)


def _of_tls(exc: BaseException, at: str) -> CommandError | None:
    # Without ssl having been imported by anyone, no exception can be one of ssl's.
    ssl = sys.modules.get("ssl")
    if ssl is None or not isinstance(exc, ssl.SSLError):
        return None
    if isinstance(exc, ssl.SSLCertVerificationError):
        hint = _CERTIFICATE_HINTS.get(
            exc.verify_code, "give the authority's certificate with --cacert"
        )
        return CommandError(
            ExitCode.CERTIFICATE_FAILED,
            f"{at}the certificate is not trusted: {exc.verify_message}",
            hint,
        )
    return CommandError(ExitCode.TLS_FAILED, f"{at}TLS failed: {_tls_reason(exc)}", _tls_hint(exc))


def _tls_reason(exc: SSLError) -> str:
    # Those that are made by hand have no reason.
    reason = getattr(exc, "reason", None) or exc.strerror or str(exc)
    return reason.lower().replace("_", " ")


def _tls_hint(exc: SSLError) -> str:
    reason = getattr(exc, "reason", None) or ""
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason:
        return "the server may speak plain http on this port"
    if "VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return "try another version with --tls-max or --tlsv1.2"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return "the server may want a certificate: --cert and --key"
    return "'httpio probe' shows how far it gets"


def _of_system(exc: BaseException, at: str, proxy: tuple[str, int] | None) -> CommandError | None:
    """Explain what the system said while a connection was made."""
    what = "no connection" if proxy is None else f"no connection to the proxy {proxy[0]}"
    server = "server" if proxy is None else "proxy"
    if isinstance(exc, TimeoutError):
        return CommandError(
            ExitCode.CONNECT_FAILED, f"{at}{what}: {_system_text(exc)}", "check the route"
        )
    if isinstance(exc, OSError):
        hint = (
            f"see whether the {server} runs and listens there"
            if exc.errno == errno.ECONNREFUSED
            else "check address, port and route"
        )
        return CommandError(ExitCode.CONNECT_FAILED, f"{at}{what}: {_system_text(exc)}", hint)
    return None


def _system_text(exc: OSError) -> str:
    return exc.strerror or str(exc) or type(exc).__name__


def cannot_write(path: str, exc: OSError) -> CommandError:
    """Return the error for a file that cannot be written."""
    hints = {
        errno.ENOSPC: "make room on the disk",
        errno.EDQUOT: "make room within the quota",
        errno.ENOENT: "make the directory, or give --create-dirs",
        errno.EACCES: "check the permissions, or give another place",
        errno.EPERM: "check the permissions, or give another place",
        errno.EROFS: "give a place on another file system",
        errno.EISDIR: "give the name of a file",
        errno.ENOTDIR: "a part of the path is a file",
    }
    return CommandError(
        ExitCode.WRITE_FAILED,
        f"cannot write {path!r}: {_system_text(exc)}",
        hints.get(exc.errno or 0, "give another place"),
    )


def cannot_read(path: str, exc: OSError) -> CommandError:
    """Return the error for a file that cannot be read."""
    return CommandError(
        ExitCode.READ_FAILED, f"cannot read {path!r}: {_system_text(exc)}", "check its name"
    )
