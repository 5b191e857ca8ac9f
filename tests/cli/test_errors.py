"""What an operator is told of exceptions."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

import httpio
from httpio import CloseReason
from httpio_cli._errors import (
    CommandError,
    Terminated,
    cannot_read,
    cannot_write,
    explain,
    interruption,
    said_by,
    unexpected,
)
from httpio_cli._exit_codes import ExitCode


def verification_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] x (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("exc", "code", "part"),
    [
        (httpio.HostnameNotResolvable("h", "unknown"), ExitCode.HOST_NOT_RESOLVED, "check the name"),
        (httpio.DNSUnavailable("h"), ExitCode.HOST_NOT_RESOLVED, "name service"),
        (httpio.HostnameNotResolvable("proxy"), ExitCode.PROXY_NOT_RESOLVED, "the proxy's"),
        (httpio.ProxyError("no", status=407), ExitCode.PROXY_FAILED, "--proxy-user"),
        (httpio.ProxyError("no", status=502), ExitCode.PROXY_FAILED, "no"),
        (httpio.ConnectionTimedOut("late"), ExitCode.TIMED_OUT, "--max-time"),
        (httpio.InvalidResponse("bad"), ExitCode.BAD_RESPONSE, "httpio trace"),
        (httpio.UnsupportedResponse("bad"), ExitCode.BAD_RESPONSE, "bad"),
        (httpio.LocalProtocolError("bad"), ExitCode.USAGE, "bad"),
        (httpio.RangeError("bad"), ExitCode.RANGE_FAILED, "without a range"),
        (httpio.ConnectionClosed("x", reason=CloseReason.SERVER_CLOSED), ExitCode.RECEIVE_FAILED, "x"),
        (httpio.ConnectionClosed("x"), ExitCode.RECEIVE_FAILED, "x"),
        (httpio.ConnectionClosed("x", reason=CloseReason.INVALID_RESPONSE), ExitCode.BAD_RESPONSE, "x"),
        (httpio.ConnectionClosed("x", reason=CloseReason.SEND_ABORTED), ExitCode.SEND_FAILED, "x"),
        (httpio.EarlyResponse("x", reason=CloseReason.EARLY_RESPONSE), ExitCode.SEND_FAILED, "x"),
        (verification_error(10, "expired"), ExitCode.CERTIFICATE_FAILED, "renewed"),
        (verification_error(62, "other name"), ExitCode.CERTIFICATE_FAILED, "--connect-to"),
        (verification_error(99, "odd"), ExitCode.CERTIFICATE_FAILED, "odd"),
        (ssl_error("WRONG_VERSION_NUMBER"), ExitCode.TLS_FAILED, "plain http"),
        (ssl_error("UNSUPPORTED_PROTOCOL"), ExitCode.TLS_FAILED, "--tls-max"),
        (ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), ExitCode.TLS_FAILED, "--cert"),
        (ssl.SSLEOFError(8, "EOF"), ExitCode.TLS_FAILED, "httpio probe"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), ExitCode.CONNECT_FAILED, "proxy runs"),
        (OSError(errno.ENETUNREACH, "unreachable"), ExitCode.CONNECT_FAILED, "route"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), ExitCode.CONNECT_FAILED, "route"),
    ],
)  # fmt: skip
def test_explained(exc: Exception, code: ExitCode, part: str) -> None:
    error = explain(exc, "http://h/", ("proxy", 1))
    assert error.code is code
    assert str(error).startswith("http://h/: ")
    assert part in str(error)
    assert "\n" not in str(error)


def test_without_a_proxy_it_is_the_server() -> None:
    error = explain(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "http://h/")
    assert str(error) == (
        "http://h/: no connection: refused; see whether the server runs and listens there"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no sense; read_raw() shows the bytes, reset() makes the connection usable", "no sense"),
        (
            (
                "the connection cannot be used any more: the connection broke; 2 requests have no "
                "complete response; reset() makes the connection usable"
            ),
            "the connection broke",
        ),
        (
            r"NUL in line 2: b'A: 1\r\nSet-Cookie: sid=secret\x00\r\nB: 2'",
            r"NUL in line 2: b'A: 1\r\nSet-Cookie: [redacted]\r\nB: 2'",
        ),
        ("see http://u:p@ss@h/a@b", "see http://***@h/a@b"),
    ],
)
def test_what_is_not_for_operators(text: str, shown: str) -> None:
    assert said_by(httpio.InvalidResponse(text)) == shown


def test_what_is_explained_already_stays() -> None:
    error = CommandError(ExitCode.USAGE, "what", "hint")
    assert explain(error, "elsewhere") is error
    assert str(error) == "what; hint"
    assert str(CommandError(ExitCode.USAGE, "what")) == "what"


def test_what_nobody_has_thought_of() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        explain(ZeroDivisionError("x"))
    error = unexpected(caught.value)
    assert error.code is ExitCode.FAULT
    assert "unexpected ZeroDivisionError at _errors.py:" in str(error)


def test_interruptions() -> None:
    error = interruption(KeyboardInterrupt(), "http://h/", "go on")
    assert (error.code, str(error)) == (ExitCode.INTERRUPTED, "http://h/: interrupted; go on")
    assert interruption(Terminated()).code is ExitCode.TERMINATED


def test_files() -> None:
    for number in (errno.ENOSPC, errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.EIO):
        error = cannot_write("a", OSError(number, os.strerror(number)))
        assert error.code is ExitCode.WRITE_FAILED
        assert str(error).startswith(f"cannot write 'a': {os.strerror(number)}; ")
    assert cannot_read("a", OSError(errno.EIO, "x")).code is ExitCode.READ_FAILED
