"""HTTP/1.1 for those who need to know exactly what happened on the wire."""

from ._blocking import run
from ._connection import HTTPConnection
from ._coroutine import POLLIN, POLLOUT, PollCoroutine, PollGenerator, PollNeeded, coroutine
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    DNSUnavailable,
    EarlyResponse,
    ExcessBodyData,
    HostnameNotResolvable,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    ProxyError,
    RangeError,
    RangeNotSatisfiable,
    RemoteProtocolError,
    ResourceChanged,
    StateError,
    UnansweredRequest,
    UnsupportedResponse,
    is_temp_network_error,
)
from ._headers import CaseInsensitiveDict
from ._messages import BodyFollowing, HTTPResponse
from ._parser import MAX_HEADER_SIZE, MAX_LINE_SIZE
from ._pipeline import Pipeline
from ._replay import Pipelining
from ._request import Request
from ._resolver import DNS_TEST_HOSTNAMES
from ._tracing import FileTracer, Tracer
from ._version import __version__

__all__ = [
    "DNS_TEST_HOSTNAMES",
    "MAX_HEADER_SIZE",
    "MAX_LINE_SIZE",
    "POLLIN",
    "POLLOUT",
    "BodyFollowing",
    "CaseInsensitiveDict",
    "CloseReason",
    "ConnectionClosed",
    "ConnectionTimedOut",
    "DNSUnavailable",
    "EarlyResponse",
    "ExcessBodyData",
    "FileTracer",
    "HTTPConnection",
    "HTTPIOError",
    "HTTPResponse",
    "HostnameNotResolvable",
    "InvalidResponse",
    "LocalProtocolError",
    "Pipeline",
    "Pipelining",
    "PollCoroutine",
    "PollGenerator",
    "PollNeeded",
    "ProxyError",
    "RangeError",
    "RangeNotSatisfiable",
    "RemoteProtocolError",
    "Request",
    "ResourceChanged",
    "StateError",
    "Tracer",
    "UnansweredRequest",
    "UnsupportedResponse",
    "__version__",
    "coroutine",
    "is_temp_network_error",
    "run",
]
