"""The context for TLS that the options ask for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._options import ConnectionOptions
from httpio_cli._tls import make_context

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certs import Certificates


def context(environ: dict[str, str] | None = None, /, **options: object) -> ssl.SSLContext:
    return make_context(ConnectionOptions(**options), environ or {})  # type: ignore[arg-type]  # of several types


def code_of(environ: dict[str, str] | None = None, /, **options: object) -> ExitCode:
    with pytest.raises(CommandError) as caught:
        context(environ, **options)
    return caught.value.code


def names(made: ssl.SSLContext) -> int:
    return len(made.get_ca_certs())


def test_by_default_everything_is_verified() -> None:
    made = context()
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    made = context(insecure=True)
    assert made.verify_mode is ssl.CERT_NONE
    assert not made.check_hostname


def test_authorities(certificates: Certificates) -> None:
    file = str(certificates.authority_file)
    # These and no others.
    assert names(context(cacert=file)) == 1
    assert names(context({"SSL_CERT_FILE": file})) == 1
    other = {"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent"}
    assert names(context(other, cacert=file)) == 1
    assert context(other, insecure=True).verify_mode is ssl.CERT_NONE


def test_authorities_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("nothing")
    wrong: list[dict[str, str]] = [
        {"cacert": "/nonexistent"},
        {"cacert": ""},
        {"cacert": str(file)},
        {"capath": "/nonexistent"},
        {"capath": str(file)},
    ]
    for options in wrong:
        assert code_of(None, **options) is ExitCode.BAD_CA_FILE, options
    for environ in ({"SSL_CERT_FILE": str(file)}, {"SSL_CERT_DIR": str(file)}):
        assert code_of(environ) is ExitCode.BAD_CA_FILE
    # Empty is as if it were not there.
    assert context({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}).check_hostname


def test_versions() -> None:
    made = context(tls_min="1.2", tls_max="1.2")
    assert made.minimum_version is made.maximum_version is ssl.TLSVersion.TLSv1_2
    assert context(tls_min="1.3").minimum_version is ssl.TLSVersion.TLSv1_3
    assert code_of(tls_min="1.3", tls_max="1.2") is ExitCode.USAGE


def test_client_certificate(certificates: Certificates, tmp_path: Path) -> None:
    assert (
        context(cert=str(certificates.certificate_file), key=str(certificates.key_file)) is not None
    )
    assert context(cert=str(certificates.combined_file)) is not None
    assert code_of(key=str(certificates.key_file)) is ExitCode.USAGE
    assert code_of(cert=str(certificates.certificate_file)) is ExitCode.BAD_CLIENT_CERTIFICATE
    assert code_of(cert="/nonexistent") is ExitCode.BAD_CLIENT_CERTIFICATE


def test_key_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = str(tmp_path / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", log)
    assert context({"SSLKEYLOGFILE": log}).keylog_filename == log
    assert code_of({"SSLKEYLOGFILE": str(tmp_path / "a" / "b")}) is ExitCode.WRITE_FAILED
