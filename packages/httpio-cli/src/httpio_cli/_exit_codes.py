"""What the command's exit status says: curl's codes for the events that curl has, and a few more.

Knows nothing else. The table in the documentation and in the manual is made from here.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """An exit status of the command; `meaning` says what happened."""

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> ExitCode:
        """Make a member of a number and a line of text."""
        self = int.__new__(cls, value)
        self._value_ = value
        self.meaning = meaning
        return self

    OK = 0, "everything was done"
    FAULT = 1, "a fault of httpio itself"
    USAGE = 2, "the command line or the configuration file makes no sense"
    BAD_URL = 3, "the URL is malformed, or its scheme is neither http nor https"
    PROXY_NOT_RESOLVED = 5, "the proxy's host name has no address"
    HOST_NOT_RESOLVED = 6, "the server's host name has no address, or the name service is silent"
    CONNECT_FAILED = 7, "no connection to the server or the proxy"
    BAD_RESPONSE = 8, "what the server sent is no proper HTTP/1.1"
    PARTIAL = 18, "the connection ended in the middle of a response's content"
    HTTP_ERROR = 22, "the status is a failure: 400 or more, with --fail where a page could be shown"
    WRITE_FAILED = 23, "what was received cannot be written"
    READ_FAILED = 26, "what is to be sent cannot be read"
    TIMED_OUT = 28, "a time limit was reached"
    RANGE_FAILED = 33, "the server did not send the range that was asked for"
    TLS_FAILED = 35, "the TLS handshake failed"
    TOO_MANY_REDIRECTS = 47, "a redirect is not followed: too many, or from https to http"
    EMPTY_RESPONSE = 52, "the server closed the connection without an answer"
    SEND_FAILED = 55, "the connection broke while a request was sent"
    RECEIVE_FAILED = 56, "the connection broke while a response was awaited"
    BAD_CLIENT_CERTIFICATE = 58, "the certificate to show to the server cannot be used"
    CERTIFICATE_FAILED = 60, "the server's certificate is not to be trusted"
    BAD_CODING = 61, "the content is not what its Content-Encoding says"
    FILE_TOO_LARGE = 63, "the content is larger than --max-filesize"
    BAD_CA_FILE = 77, "the certificates to trust cannot be read"
    PROXY_FAILED = 97, "the proxy refused or broke the tunnel"
    SOME_FAILED = 110, "some of several transfers failed"
    CHECKSUM = 111, "what was received does not have the digest that it should have"
    THRESHOLD = 112, "a measurement is beyond a limit that was set for it"
    CONFORMANCE = 113, "the server or a proxy does not keep to HTTP/1.1"
    INTERRUPTED = 130, "interrupted by SIGINT (Ctrl-C)"
    TERMINATED = 143, "ended by SIGTERM"
