"""The `ssl.SSLContext` that the options ask for."""

from __future__ import annotations

import os

from ._errors import CommandError, cannot_write
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from ._options import ConnectionOptions


def make_context(options: ConnectionOptions, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context for connections to servers.

    ``SSL_CERT_FILE``, ``SSL_CERT_DIR`` and ``SSLKEYLOGFILE`` in *environ* are heeded. Raises
    `CommandError` for a file that is not there or makes no sense.
    """
    import ssl

    file, directory = options.cacert, options.capath
    if "" in (file, directory):
        raise _bad_ca("--cacert and --capath need a name")
    if file is None and directory is None and not options.insecure:
        # Left to itself, OpenSSL would silently trust nobody if they are not as they should be.
        file, directory = environ.get("SSL_CERT_FILE") or None, environ.get("SSL_CERT_DIR")
    if directory and not any(map(os.path.isdir, directory.split(os.pathsep))):
        raise _bad_ca(f"no certificates in {directory!r}: it is no directory")
    if key_log := environ.get("SSLKEYLOGFILE"):
        try:
            open(key_log, "ab").close()
        except OSError as exc:
            raise cannot_write(key_log, exc) from exc
    try:
        context = ssl.create_default_context(cafile=file, capath=directory or None)
    except (OSError, ssl.SSLError) as exc:
        reason = getattr(exc, "reason", None) or exc.strerror or exc
        raise _bad_ca(f"no certificates in {file!r}: {reason}") from exc
    # Names are in subjectAltName, and nowhere else (RFC 9110 §4.3.4, RFC 9525 §2).
    context.hostname_checks_common_name = False
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    if options.tls_min is not None:
        context.minimum_version = versions[options.tls_min]
    if options.tls_max is not None:
        context.maximum_version = versions[options.tls_max]
    if options.tls_min is not None and (options.tls_max or "9") < options.tls_min:
        raise CommandError(
            ExitCode.USAGE, f"--tlsv{options.tls_min} and --tls-max {options.tls_max} exclude all"
        )
    if options.key is not None and options.cert is None:
        raise CommandError(ExitCode.USAGE, "--key was given without --cert")
    if options.cert is not None:
        try:
            context.load_cert_chain(options.cert, options.key, password=_no_password)
        except (OSError, ssl.SSLError) as exc:
            reason = getattr(exc, "reason", None) or exc.strerror or exc
            raise CommandError(
                ExitCode.BAD_CLIENT_CERTIFICATE,
                f"cannot use the certificate {options.cert!r}: {reason}",
                "it has to be PEM, with its key in it or in --key, not encrypted",
            ) from exc
    return context


def _no_password() -> str:
    # Or OpenSSL would ask for it on the terminal.
    return ""


def _bad_ca(what: str) -> CommandError:
    return CommandError(ExitCode.BAD_CA_FILE, what, "name a file of certificates in PEM")
