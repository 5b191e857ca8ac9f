"""The tree of exceptions, and which of them may pass by themselves."""

from __future__ import annotations

import copy
import errno
import pickle
import re
import socket
import ssl
import sys

import pytest

import httpio
from httpio import _exceptions
from httpio._exceptions import (
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
from httpio._request import Request

PARENTS: dict[type[HTTPIOError], tuple[type[Exception], ...]] = {
    LocalProtocolError: (HTTPIOError,),
    StateError: (LocalProtocolError,),
    ExcessBodyData: (LocalProtocolError,),
    RemoteProtocolError: (HTTPIOError,),
    InvalidResponse: (RemoteProtocolError,),
    UnsupportedResponse: (RemoteProtocolError,),
    ConnectionClosed: (HTTPIOError, ConnectionError),
    EarlyResponse: (ConnectionClosed,),
    ProxyError: (HTTPIOError, ConnectionError),
    ConnectionTimedOut: (HTTPIOError, TimeoutError),
    RangeError: (HTTPIOError,),
    RangeNotSatisfiable: (RangeError,),
    ResourceChanged: (RangeError,),
    HostnameNotResolvable: (HTTPIOError,),
    DNSUnavailable: (HTTPIOError,),
}

EXAMPLES = [
    HTTPIOError("words"),
    LocalProtocolError("words"),
    StateError("words"),
    ExcessBodyData("words"),
    RemoteProtocolError("words"),
    InvalidResponse("words"),
    UnsupportedResponse("words"),
    ConnectionClosed(
        "words", reason=CloseReason.SERVER_CLOSED, unanswered=(UnansweredRequest("GET", "/", True),)
    ),
    ConnectionClosed(
        "other words", unanswered=(UnansweredRequest("POST", "/", False),), answered=3
    ),
    ConnectionClosed(),
    EarlyResponse(
        "words",
        reason=CloseReason.EARLY_RESPONSE,
        unanswered=(UnansweredRequest("PUT", "/", True),),
    ),
    ProxyError("words", status=407, reason_phrase="Log In"),
    ConnectionTimedOut("words"),
    RangeError("words", status=404),
    RangeNotSatisfiable("words", status=416, complete_length=5),
    ResourceChanged("words", status=412),
    HostnameNotResolvable("nowhere.example", "detail"),
    DNSUnavailable("nowhere.example"),
]

# The tree


@pytest.mark.parametrize("exception", PARENTS)
def test_the_tree(exception: type[HTTPIOError]) -> None:
    for parent in PARENTS[exception]:
        assert issubclass(exception, parent)
    others = (
        ConnectionError,
        TimeoutError,
        OSError,
        ValueError,
        LocalProtocolError,
        RemoteProtocolError,
    )
    for other in others:
        expected = any(issubclass(parent, other) for parent in PARENTS[exception])
        assert issubclass(exception, other) is (expected or other is exception)


def test_the_docstring_prints_the_tree() -> None:
    assert _exceptions.__doc__ is not None
    printed: list[tuple[int, str]] = [
        (len(match[1]), match[2])
        for match in re.finditer(r"(?m)^    ([ │├└─]*)(\w+)", _exceptions.__doc__)
    ]
    assert [name for _, name in printed] == ["HTTPIOError", *(cls.__name__ for cls in PARENTS)]
    above: list[tuple[int, str]] = []
    for depth, name in printed:
        while above and above[-1][0] >= depth:
            above.pop()
        if above:
            parent = getattr(_exceptions, above[-1][1])
            assert PARENTS[getattr(_exceptions, name)][0] is parent
        above.append((depth, name))


def test_every_exception_is_public() -> None:
    classes: list[type[HTTPIOError]] = [HTTPIOError, *PARENTS]
    for cls in classes:
        assert getattr(httpio, cls.__name__) is cls
        assert cls.__name__ in httpio.__all__
        assert cls.__doc__


@pytest.mark.parametrize("exc", EXAMPLES, ids=repr)
def test_exceptions_can_be_copied_and_pickled(exc: HTTPIOError) -> None:
    for copied in (copy.copy(exc), copy.deepcopy(exc), pickle.loads(pickle.dumps(exc))):
        assert type(copied) is type(exc)
        assert str(copied) == str(exc)
        assert copied.args == exc.args
        assert vars(copied) == vars(exc)


# What they tell


def test_a_closed_connection_says_why_and_what_is_unanswered() -> None:
    request = Request("GET", "/a")
    unanswered = UnansweredRequest("GET", "/a", True, request)
    reason = CloseReason.CONNECTION_LOST
    exc = ConnectionClosed("gone", reason=reason, unanswered=(unanswered,), answered=7)
    assert str(exc) == "gone"
    assert exc.reason is reason
    assert exc.answered == 7
    assert exc.unanswered == (("GET", "/a"),)
    assert (exc.unanswered[0].method, exc.unanswered[0].path) == ("GET", "/a")
    assert exc.unanswered[0].repeatable
    assert exc.unanswered[0].request is request
    assert exc.errno is None


@pytest.mark.parametrize("request_", [None, Request("PUT", "/a", body=b"b")])
def test_an_unanswered_request_can_be_copied_and_pickled(request_: Request | None) -> None:
    unanswered = UnansweredRequest("PUT", "/a", True, request_)
    copies = (
        copy.copy(unanswered),
        copy.deepcopy(unanswered),
        pickle.loads(pickle.dumps(unanswered)),
    )
    for copied in copies:
        assert type(copied) is UnansweredRequest
        assert copied == unanswered
        assert copied.repeatable
        assert (copied.request is None) is (request_ is None)
        assert copied.request is None or copied.request.body == b"b"


def test_a_closed_connection_need_not_say_anything() -> None:
    exc = ConnectionClosed()
    assert str(exc) == "connection closed"
    assert exc.reason is None
    assert exc.unanswered == ()


def test_a_proxy_error_has_the_answer() -> None:
    exc = ProxyError("refused", status=407, reason_phrase="Log In")
    assert (str(exc), exc.status, exc.reason_phrase) == ("refused", 407, "Log In")


def test_name_errors_say_which_name() -> None:
    unknown = HostnameNotResolvable("a.example", "no such name")
    assert (unknown.hostname, unknown.detail) == ("a.example", "no such name")
    assert str(unknown) == "host name 'a.example' has no address: no such name"
    assert str(HostnameNotResolvable("a.example")) == "host name 'a.example' has no address"
    unavailable = DNSUnavailable("a.example", "try again")
    assert str(unavailable) == "cannot look up 'a.example', name service unavailable: try again"
    assert str(DNSUnavailable("a.example")).endswith("name service unavailable")


def test_reasons_are_in_words() -> None:
    for reason in CloseReason:
        assert " " in reason.value
        assert reason.value[0].islower()
    assert len({reason.value for reason in CloseReason}) == len(CloseReason)


# Which of them may pass by themselves

NONSENSE = (CloseReason.INVALID_RESPONSE, CloseReason.UNSOLICITED_DATA)

TEMPORARY = [
    *(
        ConnectionClosed(reason.name, reason=reason)
        for reason in CloseReason
        if reason not in NONSENSE
    ),
    ConnectionClosed(),
    ConnectionTimedOut(),
    DNSUnavailable("a.example"),
    *(ProxyError(str(status), status=status, reason_phrase="") for status in (502, 503, 504)),
    ConnectionRefusedError(),
    ConnectionResetError(),
    ConnectionAbortedError(),
    BrokenPipeError(),
    TimeoutError(),
    InterruptedError(),
    BlockingIOError(errno.EAGAIN, ""),
    OSError(errno.EHOSTUNREACH, ""),
    OSError(errno.ENETUNREACH, ""),
    OSError(errno.ENETDOWN, ""),
    OSError(errno.EHOSTDOWN, ""),
    OSError(errno.ETIMEDOUT, ""),
    ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF"),
    ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "closed"),
    ssl.SSLSyscallError(ssl.SSL_ERROR_SYSCALL, "syscall"),
]

LASTING = [
    HTTPIOError(),
    LocalProtocolError(),
    StateError(),
    ExcessBodyData(),
    InvalidResponse(),
    UnsupportedResponse(),
    EarlyResponse("early", reason=CloseReason.EARLY_RESPONSE),
    EarlyResponse(),
    ConnectionClosed("invalid", reason=CloseReason.INVALID_RESPONSE),
    ConnectionClosed("unsolicited", reason=CloseReason.UNSOLICITED_DATA),
    *(
        ProxyError(str(status), status=status, reason_phrase="")
        for status in (0, 400, 403, 407, 500)
    ),
    HostnameNotResolvable("a.example"),
    ssl.SSLError(ssl.SSL_ERROR_SSL, "nonsense"),
    ssl.SSLCertVerificationError(ssl.SSL_ERROR_SSL, "certificate"),
    FileNotFoundError(errno.ENOENT, ""),
    PermissionError(errno.EACCES, ""),
    OSError(errno.EMFILE, ""),
    OSError(errno.EADDRNOTAVAIL, ""),
    OSError(),
    OSError("words"),
    socket.gaierror(socket.EAI_NONAME, ""),
    ValueError(),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("exc", TEMPORARY, ids=repr)
def test_temporary_errors(exc: BaseException) -> None:
    assert is_temp_network_error(exc) is True


@pytest.mark.parametrize("exc", LASTING, ids=repr)
def test_lasting_errors(exc: BaseException) -> None:
    assert is_temp_network_error(exc) is False


def test_ssl_need_not_have_been_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ssl")
    assert is_temp_network_error(OSError(errno.ENETUNREACH, "")) is True
    assert is_temp_network_error(ValueError()) is False
    assert "ssl" not in sys.modules
