"""Opening, closing and opening again; what a connection object tells about itself."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    DNSUnavailable,
    EarlyResponse,
    HostnameNotResolvable,
    HTTPConnection,
    HTTPIOError,
    InvalidResponse,
    LocalProtocolError,
    StateError,
    UnsupportedResponse,
    is_temp_network_error,
    run,
)
from tests.support.coroutines import PATIENCE, no_descriptor_left
from tests.support.fix_certs import certificates as certificates
from tests.support.server_end import Server, ServerEnd, shrink_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import PollGenerator
    from tests.support.certs import Certificates

FOREVER = 1 << 30


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with no_descriptor_left():
        yield


KINDS: dict[str, Callable[[Certificates], Server]] = {
    "unix": lambda _: Server(),
    "tcp": lambda _: Server(tcp=True),
    "unix-tls": lambda certificates: Server(certificates),
    "tcp-tls": lambda certificates: Server(certificates, tcp=True),
}


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Server]:
    """A server of each kind."""
    with KINDS[request.param](certificates) as server:
        yield server


@pytest.fixture
def plain_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def tls_server(certificates: Certificates) -> Iterator[Server]:
    with Server(certificates) as server:
        yield server


def connected(server: Server) -> tuple[HTTPConnection, ServerEnd]:
    conn = server.connection()
    return conn, server.connect(conn)


# Opening


def test_new_object_does_nothing(plain_server: Server) -> None:
    conn = plain_server.connection()
    plain_server.progress()
    assert not plain_server.ends
    assert not conn.closed
    assert not conn.response_pending()
    assert conn.get_current_response() is None
    assert conn.read(10) == b""
    assert conn.readall() == b""
    conn.discard()
    for look in (conn.fileno, conn.socket_fileno):
        with pytest.raises(StateError):
            look()


def test_what_it_was_given() -> None:
    conn = HTTPConnection("h.example", timeout=3, source_address=("127.0.0.1", 0))
    assert (conn.hostname, conn.port, conn.ssl_context, conn.proxy) == ("h.example", 80, None, None)
    assert (conn.unix_socket, conn.source_address) == (None, ("127.0.0.1", 0))
    assert (conn.timeout, conn.content_md5) == (3, True)
    context = ssl.create_default_context()
    conn = HTTPConnection("h.example", ssl_context=context)
    assert (conn.port, conn.ssl_context, conn.timeout) == (443, context, None)
    conn = HTTPConnection("h.example", 99, None, ("proxy.example", 3128))
    assert (conn.port, conn.proxy) == (99, ("proxy.example", 3128))


def test_connect(server: Server) -> None:
    conn = server.connection()
    server.connect(conn)
    assert conn.fileno() == conn.socket_fileno() > 2
    fd = conn.fileno()
    # There is nothing to do any more.
    run(conn.co_connect())
    conn.connect()
    assert conn.fileno() == fd
    server.prove_usable(conn)
    assert len(server.ends) == 1


def test_first_request_connects(server: Server) -> None:
    conn = server.connection()
    server.prove_usable(conn)
    server.prove_usable(conn)
    assert len(server.ends) == 1


def test_connecting_twice_at_once_is_refused() -> None:
    with Server(tcp=True) as server:
        conn = HTTPConnection("localhost", server.port)
        connecting = conn.co_connect()
        # The name is being looked up.
        needed = next(connecting)
        for other in (conn.co_connect(), conn.co_send_request("GET", "/")):
            with pytest.raises(StateError, match="another thread or task"):
                next(other)
        assert needed.poll(PATIENCE)
        server.drive(connecting)
        server.prove_usable(conn)
        conn.close()


def test_context_manager(server: Server) -> None:
    with server.connection() as conn:
        server.prove_usable(conn)
        assert not conn.closed
    assert conn.closed
    server.end.expect_end()


def test_context_manager_closes_after_an_exception(plain_server: Server) -> None:
    with suppress(ZeroDivisionError), plain_server.connection() as conn:
        plain_server.connect(conn)
        raise ZeroDivisionError
    assert conn.closed
    plain_server.end.expect_end()


def test_nobody_listens(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for context in (None, certificates.client_context()):
        with HTTPConnection("127.0.0.1", port, context) as conn:
            for _ in range(2):
                with pytest.raises(ConnectionRefusedError) as caught:
                    conn.send_request("GET", "/")
                assert is_temp_network_error(caught.value)
                assert not conn.response_pending()


def test_unix_socket_that_is_not_there(tmp_path: os.PathLike[str]) -> None:
    with HTTPConnection("localhost", unix_socket=os.path.join(tmp_path, "none")) as conn:
        with pytest.raises(FileNotFoundError) as caught:
            conn.connect()
        assert not is_temp_network_error(caught.value)


def test_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPConnection("name.invalid") as conn, pytest.raises(HTTPIOError) as caught:
        conn.send_request("GET", "/")
    # Without any name service, the machine cannot know.
    assert isinstance(caught.value, (HostnameNotResolvable, DNSUnavailable))


def test_source_address() -> None:
    with (
        Server(tcp=True) as server,
        HTTPConnection("127.0.0.1", server.port, source_address=("127.0.0.3", 0)) as conn,
    ):
        server.connect(conn)
        assert server.end.sock.getpeername()[0] == "127.0.0.3"


def test_certificate_that_fails(tls_server: Server) -> None:
    untrusting = ssl.create_default_context(cafile=None)
    conn = tls_server.connection(ssl_context=untrusting)
    for _ in range(2):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            tls_server.drive(conn.co_send_request("GET", "/"))
        assert not is_temp_network_error(caught.value)
        assert not conn.response_pending()


def test_certificate_for_another_name(tls_server: Server) -> None:
    context = tls_server.client_context()
    with (
        HTTPConnection("other.example", None, context, unix_socket=tls_server.path) as conn,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        tls_server.drive(conn.co_connect())


def test_server_name_and_protocol(tls_server: Server) -> None:
    names: list[str | None] = []
    assert tls_server.context is not None
    tls_server.context.sni_callback = lambda _sock, name, _context: names.append(name)
    tls_server.prove_usable(tls_server.connection())
    assert names == ["localhost"]
    assert tls_server.end.tls is not None
    assert tls_server.end.tls.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("presented", [False, True])
def test_client_certificate(certificates: Certificates, presented: bool) -> None:
    authority = trustme.CA()
    with Server(certificates) as server:
        assert server.context is not None
        server.context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(server.context)
        context = certificates.client_context()
        if presented:
            authority.issue_cert("client").configure_cert(context)
            server.prove_usable(server.connection(ssl_context=context))
            return
        conn = server.connection(ssl_context=context)
        # With TLS 1.3 the client is not told before it has sent the request.
        server.drive(conn.co_send_request("GET", "/"))
        server.progress()
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
            conn.read_response()
        with pytest.raises(ConnectionClosed):
            conn.read_response()
        with pytest.raises(ConnectionClosed):
            conn.send_request("GET", "/")
        conn.reset()
        assert not conn.response_pending()


# TLS, looked at


def test_cipher_and_certificate(tls_server: Server) -> None:
    conn, end = connected(tls_server)
    assert end.tls is not None
    assert conn.get_ssl_cipher() == end.tls.cipher()
    certificate = conn.get_ssl_peercert()
    assert isinstance(certificate, dict)
    assert ("DNS", "localhost") in certificate["subjectAltName"]
    binary = conn.get_ssl_peercert(binary_form=True)
    assert isinstance(binary, bytes)
    assert ssl.DER_cert_to_PEM_cert(binary).startswith("-----BEGIN CERTIFICATE-----")
    assert conn.get_ssl_peercert(True) == binary
    tls_server.prove_usable(conn)


def test_cipher_and_certificate_without_tls(plain_server: Server) -> None:
    conn = plain_server.connection()
    assert conn.get_ssl_cipher() is None
    assert conn.get_ssl_peercert() is None
    assert conn.get_ssl_peercert(binary_form=True) is None
    plain_server.progress()
    assert not plain_server.ends


def test_cipher_and_certificate_connect(certificates: Certificates) -> None:
    with Server(certificates) as server:
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                server.progress()
                done.wait(0.005)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with server.connection() as conn:
                assert conn.get_ssl_cipher() is not None
            with server.connection() as conn:
                assert conn.get_ssl_peercert() is not None
        finally:
            done.set()
            thread.join(PATIENCE)


# Closing


def _nothing(conn: HTTPConnection, end: ServerEnd) -> None:
    pass


def _request(conn: HTTPConnection, end: ServerEnd) -> None:
    conn.send_request("GET", "/")
    end.expect_head()


def _upload(conn: HTTPConnection, end: ServerEnd) -> None:
    conn.send_request("PUT", "/", None, BodyFollowing(5))
    conn.write(b"12")
    end.expect_head()
    end.take()


def _expectation(conn: HTTPConnection, end: ServerEnd) -> None:
    conn.send_request("PUT", "/", None, BodyFollowing(5), expect100=True)
    end.expect_head()


def _response(conn: HTTPConnection, end: ServerEnd) -> None:
    _request(conn, end)
    end.respond(b"12345")
    conn.read_response()
    conn.read(2)


def _last_response(conn: HTTPConnection, end: ServerEnd) -> None:
    conn.send_request("GET", "/", {"Connection": "close"})
    end.expect_head()
    end.respond(b"12345")
    conn.read_response()
    conn.readall()


def _lost(conn: HTTPConnection, end: ServerEnd) -> None:
    _request(conn, end)
    end.half_close()
    with pytest.raises(ConnectionClosed):
        conn.read_response()


def _nonsense(conn: HTTPConnection, end: ServerEnd) -> None:
    _request(conn, end)
    end.send(b"nonsense\r\n\r\n")
    with pytest.raises(InvalidResponse):
        conn.read_response()


def _unsupported(conn: HTTPConnection, end: ServerEnd) -> None:
    _request(conn, end)
    end.send(b"HTTP/1.1 200 OK\r\n\r\nbody")
    conn.read_response()
    with pytest.raises(UnsupportedResponse):
        conn.readall()


def _answered_early(conn: HTTPConnection, end: ServerEnd) -> None:
    conn.send_request("PUT", "/", None, BodyFollowing(FOREVER))
    end.expect_head()
    end.respond(b"", "413 Too Large")
    with pytest.raises(EarlyResponse):
        conn.write(b"x")


def _aborted(conn: HTTPConnection, end: ServerEnd) -> None:
    shrink_send_buffer(conn)
    conn.send_request("PUT", "/", None, BodyFollowing(FOREVER))
    writing = conn.co_write(b"x" * 1_000_000)
    next(writing)
    writing.close()
    end.take()


STATES = [
    _nothing, _request, _upload, _expectation, _response, _last_response, _lost, _nonsense,
    _unsupported, _answered_early, _aborted,
]  # fmt: skip
any_state = pytest.mark.parametrize("bring_to", STATES)


@any_state
@pytest.mark.parametrize("how", ["close", "disconnect", "reset"])
def test_usable_after_close(
    server: Server, how: str, bring_to: Callable[[HTTPConnection, ServerEnd], None]
) -> None:
    conn, end = connected(server)
    bring_to(conn, end)
    getattr(conn, how)()
    end.expect_closed()
    assert not conn.response_pending()
    assert conn.get_current_response() is None or how != "reset"
    with pytest.raises(StateError):
        conn.fileno()
    server.prove_usable(conn)
    assert len(server.ends) == 2
    assert not conn.closed


@any_state
@pytest.mark.parametrize("how", ["close", "disconnect"])
def test_closed(
    plain_server: Server,
    how: str,
    bring_to: Callable[[HTTPConnection, ServerEnd], None],
) -> None:
    conn, end = connected(plain_server)
    bring_to(conn, end)
    assert not conn.closed
    for _ in range(2):
        getattr(conn, how)()
        assert conn.closed


def test_close_without_connection() -> None:
    conn = HTTPConnection("localhost")
    conn.close()
    assert conn.closed
    conn.reset()
    assert not conn.closed
    conn.reset()


@pytest.mark.parametrize("bring_to", [_response, _upload])
def test_what_goes_on_after_close_is_told(
    server: Server, bring_to: Callable[[HTTPConnection, ServerEnd], None]
) -> None:
    conn, end = connected(server)
    bring_to(conn, end)
    conn.close()
    uses: list[Callable[[], object]] = (
        [
            lambda: conn.read(1),
            lambda: conn.readall(),
            lambda: conn.readinto(bytearray(1)),
            lambda: conn.discard(),
        ]
        if bring_to is _response
        else [
            lambda: conn.write(b"3"),
            lambda: conn.write(b"345"),
            lambda: conn.write(b"3", partial=True),
        ]
    )
    for use in uses:
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.reason is CloseReason.CLOSED_LOCALLY
        assert caught.value.unanswered == (("GET" if bring_to is _response else "PUT", "/"),)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_coroutine_that_was_left_over_finds_its_connection_closed(server: Server, how: str) -> None:
    conn, end = connected(server)
    _request(conn, end)
    reading = conn.co_read_response()
    next(reading)
    getattr(conn, how)()
    # Whatever has been opened since.
    server.prove_usable(conn)
    with pytest.raises(ConnectionClosed) as caught:
        next(reading)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    server.prove_usable(conn)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_send_that_was_left_over_finds_its_connection_closed(server: Server, how: str) -> None:
    conn, _end = connected(server)
    shrink_send_buffer(conn)
    sending = conn.co_send_request("PUT", "/", None, b"x" * 1_000_000)
    next(sending)
    getattr(conn, how)()
    server.prove_usable(conn)
    with pytest.raises(ConnectionClosed) as caught:
        next(sending)
    assert caught.value.reason is CloseReason.CLOSED_LOCALLY
    server.prove_usable(conn)


def test_close_from_another_thread_ends_a_wait(server: Server) -> None:
    conn, end = connected(server)
    _request(conn, end)
    errors: list[BaseException] = []

    def read() -> None:
        try:
            conn.read_response()
        except ConnectionClosed as exc:
            errors.append(exc)

    thread = threading.Thread(target=read)
    thread.start()
    conn.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    (error,) = errors
    assert isinstance(error, ConnectionClosed)
    assert error.reason is CloseReason.CLOSED_LOCALLY
    server.prove_usable(conn)


def test_close_says_goodbye(tls_server: Server) -> None:
    conn, end = connected(tls_server)
    tls_server.prove_usable(conn)
    conn.close()
    # RFC 9112 §9.8: without close_notify this would fail.
    end.expect_end()


def test_collected_object_that_was_closed_leaves_nothing(server: Server) -> None:
    conn, end = connected(server)
    _response(conn, end)
    conn.close()
    del conn
    gc.collect()  # a ResourceWarning is an error here


# After an answer with which the connection ends


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 5\r\n\r\n12345",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n12345",
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\n12345\r\n0\r\n\r\n"
        ),
    ],
)
@pytest.mark.parametrize("stays_open", [False, True])
def test_after_the_last_response(server: Server, answer: bytes, stays_open: bool) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/1")
    conn.send_request("GET", "/2")
    end.expect_head()
    end.expect_head()
    # RFC 9112 §9.6: what comes behind the last response is not believed.
    end.send(answer + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    if not stays_open:
        end.half_close()
    assert conn.read_response().path == "/1"
    assert conn.readall() == b"12345"
    for use in (
        lambda: conn.send_request("GET", "/3"),
        lambda: conn.read_response(),
        lambda: conn.connect(),
        lambda: conn.send_request("PUT", "/3", None, BodyFollowing(5)),
    ):
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.reason is CloseReason.SERVER_ANNOUNCED_CLOSE
        assert caught.value.unanswered == (("GET", "/2"),)
        assert is_temp_network_error(caught.value)
    assert not conn.closed
    end.expect_closed()
    assert not end.take()
    conn.reset()
    server.prove_usable(conn)


def test_keep_alive_of_http_1_0(server: Server) -> None:
    conn, end = connected(server)
    _request(conn, end)
    end.send(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n12345")
    assert conn.read_response().version == "1.0"
    assert conn.readall() == b"12345"
    server.prove_usable(conn)
    assert len(server.ends) == 1


@pytest.mark.parametrize("echoed", [False, True])
def test_close_that_the_client_asked_for(server: Server, echoed: bool) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/1", {"Connection": "close"})
    end.expect_head()
    with pytest.raises(StateError, match="read its response first"):
        conn.send_request("GET", "/2")
    end.respond(b"12345", "200 OK", *(["Connection: close"] if echoed else []))
    assert conn.read_response().status == 200
    assert conn.readall() == b"12345"
    end.expect_end()
    # That was what the caller wanted.
    server.prove_usable(conn)
    assert len(server.ends) == 2


def test_close_that_the_client_asked_for_without_an_answer(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/1", {"Connection": "close"})
    end.expect_head()
    end.half_close()
    for use in (lambda: conn.read_response(), lambda: conn.send_request("GET", "/2")):
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.reason is CloseReason.SERVER_CLOSED
        assert caught.value.unanswered == (("GET", "/1"),)
    conn.reset()
    server.prove_usable(conn)


def test_requests_in_front_of_the_last_one(server: Server) -> None:
    conn, end = connected(server)
    for number in range(3):
        conn.send_request("GET", f"/{number}", {"Connection": "close"} if number == 2 else None)
        end.expect_head()
    for number in range(3):
        end.respond(b"%d" % number)
    for number in range(3):
        assert conn.read_response().path == f"/{number}"
        assert conn.readall() == b"%d" % number
    server.prove_usable(conn)


# Losing the connection


def _read(conn: HTTPConnection) -> bytes:
    conn.read_response()
    return conn.readall()


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"]
)
def test_lost_connection_stays_lost_until_reset(server: Server, sent: bytes) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/1")
    conn.send_request("GET", "/2")
    end.expect_head()
    end.expect_head()
    end.send(sent)
    end.close()
    with pytest.raises(ConnectionClosed) as caught:
        _read(conn)
    assert caught.value.unanswered == (("GET", "/1"), ("GET", "/2"))
    assert is_temp_network_error(caught.value)
    for use in (
        lambda: conn.send_request("GET", "/3"),
        lambda: conn.read_response(),
        lambda: conn.connect(),
    ):
        with pytest.raises(ConnectionClosed) as caught:
            use()
        assert caught.value.unanswered == (("GET", "/1"), ("GET", "/2"))
        assert "reset()" in str(caught.value)
    conn.reset()
    server.prove_usable(conn)


# Time-outs


@pytest.mark.parametrize("timeout", [0, 0.02])
def test_timeout_of_each_wait(server: Server, timeout: float) -> None:
    conn, end = connected(server)
    _request(conn, end)
    conn.timeout = timeout
    with pytest.raises(ConnectionTimedOut) as caught:
        conn.read_response()
    assert isinstance(caught.value, TimeoutError)
    assert is_temp_network_error(caught.value)
    # What does not have to wait needs no time.
    end.respond(b"12345")
    conn.timeout = PATIENCE
    conn.read_response()
    conn.timeout = timeout
    assert conn.readall() == b"12345"
    _request(conn, end)
    end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
    conn.timeout = PATIENCE
    conn.read_response()
    assert conn.read(2) == b"12"
    conn.timeout = timeout
    with pytest.raises(ConnectionTimedOut):
        conn.read(3)
    # Nothing is lost by that.
    end.send(b"345")
    conn.timeout = PATIENCE
    assert conn.readall() == b"345"
    server.prove_usable(conn)


@pytest.mark.parametrize("timeout", [0, 0.02])
def test_timeout_of_a_send(server: Server, timeout: float) -> None:
    conn, _ = connected(server)
    shrink_send_buffer(conn)
    conn.timeout = timeout
    with pytest.raises(ConnectionTimedOut):
        conn.send_request("PUT", "/", None, b"x" * 10_000_000)
    with pytest.raises(ConnectionClosed) as caught:
        conn.send_request("GET", "/")
    assert caught.value.reason is CloseReason.SEND_ABORTED
    conn.reset()
    server.prove_usable(conn)


@contextmanager
def full_listener() -> Iterator[tuple[str, int]]:
    """The address of a listener whose backlog is full: whoever connects to it waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host, port = listener.getsockname()
        # Linux drops what does not fit into the backlog, and says nothing.
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield host, port


@pytest.mark.parametrize("timeout", [0, 0.02])
def test_timeout_covers_connecting(timeout: float) -> None:
    with full_listener() as address, HTTPConnection(*address, timeout=timeout) as conn:
        with pytest.raises(ConnectionTimedOut):
            conn.send_request("GET", "/")
        with pytest.raises(ConnectionTimedOut):
            conn.connect()
        assert not conn.response_pending()


@pytest.mark.parametrize("timeout", [0, 0.02])
def test_timeout_covers_the_handshake(certificates: Certificates, timeout: float) -> None:
    with Server(tcp=True) as server:
        context = certificates.client_context()
        with HTTPConnection("127.0.0.1", server.port, context, timeout=timeout) as conn:
            with pytest.raises(ConnectionTimedOut):
                conn.send_request("GET", "/")
            with pytest.raises(ConnectionTimedOut):
                conn.get_ssl_cipher()


def test_no_timeout_waits(server: Server) -> None:
    conn, end = connected(server)
    conn.timeout = None
    _request(conn, end)
    answered = threading.Timer(0.05, lambda: end.respond(b"at last"))
    answered.start()
    assert conn.read_response().status == 200
    assert conn.readall() == b"at last"
    answered.join()


# Giving up


def _co_connect(conn: HTTPConnection) -> PollGenerator[None]:
    return conn.co_connect()


def _co_send(conn: HTTPConnection) -> PollGenerator[None]:
    return conn.co_send_request("GET", "/")


@pytest.mark.parametrize("begin", [_co_connect, _co_send])
@pytest.mark.parametrize("how", ["close", "throw", "forget"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_connecting_dropped_at_each_yield(
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    begin: Callable[[HTTPConnection], PollGenerator[None]],
    how: str,
    tls: bool,
) -> None:
    """In the middle of name resolution, TCP or the handshake: nothing is left, and the object is usable."""
    # The name is not found before somebody waits for it.
    waited_for = threading.Event()
    look_up = socket.getaddrinfo

    def patient(*args: Any, **kwargs: Any) -> Any:
        waited_for.wait(PATIENCE)
        return look_up(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", patient)
    dropped, ended = 0, False
    while not ended:
        waited_for.clear()
        with Server(certificates if tls else None, tcp=True) as server:
            context = server.client_context()
            conn = HTTPConnection("localhost", server.port, context)
            connecting = begin(conn)
            try:
                for _ in range(dropped + 1):
                    needed = next(connecting)
                    waited_for.set()
                    # Now and then the server has something to do first.
                    while not needed.poll(0.01):
                        server.progress()
            except StopIteration:
                ended = True
            if how == "close":
                connecting.close()
            elif how == "throw" and not ended:
                with pytest.raises(ZeroDivisionError):
                    connecting.throw(ZeroDivisionError())
            del connecting
            gc.collect()
            assert conn.response_pending() is (ended and begin is _co_send)
            if ended:
                conn.close()
            server.prove_usable(conn)
            conn.close()
        dropped += 1
        assert dropped < 50
    # Name resolution, and each flight of TLS.
    assert dropped > (2 if tls else 1)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_connecting_dropped_while_tcp_connects(certificates: Certificates, tls: bool) -> None:
    context = certificates.client_context() if tls else None
    with full_listener() as address, HTTPConnection(*address, context) as conn:
        for _ in range(3):
            connecting = conn.co_connect()
            assert next(connecting).mask == 4
            assert not next(connecting).poll(0)
            connecting.close()
            assert not conn.response_pending()


# Another protocol


@pytest.mark.parametrize("ahead", [b"", b"ahead of time"])
def test_detach_after_switching_protocols(server: Server, ahead: bytes) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/", {"Connection": "upgrade", "Upgrade": "mine"})
    end.expect_head()
    end.send(b"HTTP/1.1 101 Switching\r\nUpgrade: mine\r\n\r\n" + ahead)
    response = conn.read_response()
    assert response.status == 101
    assert not conn.response_pending()
    for use in (lambda: conn.send_request("GET", "/"), lambda: conn.read_response()):
        with pytest.raises(ConnectionClosed, match=r"detach\(\)"):
            use()
    sock, received = conn.detach()
    assert received == ahead
    with sock:
        assert sock.gettimeout() == 0
        sock.send(b"hello")
        assert end.expect(5) == b"hello"
        end.send(b"world")
        sock.settimeout(PATIENCE)
        assert sock.recv(5) == b"world"
        with pytest.raises(StateError):
            conn.detach()
        # The next request has nothing to do with that.
        server.prove_usable(conn)
        assert len(server.ends) == 2
        conn.close()
        sock.send(b"still open")
        assert end.expect(10) == b"still open"


def test_detach_after_connect(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("CONNECT", "far.example:22")
    end.expect_head()
    end.send(b"HTTP/1.1 200 OK\r\n\r\nSSH")
    assert conn.read_response().status == 200
    sock, received = conn.detach()
    sock.close()
    assert received == b"SSH"


def test_refused_connect_is_an_ordinary_response(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("CONNECT", "far.example:22")
    end.expect_head()
    end.respond(b"no", "403 Forbidden")
    assert conn.read_response().status == 403
    assert conn.readall() == b"no"
    with pytest.raises(StateError):
        conn.detach()
    server.prove_usable(conn)


def test_unasked_switch_is_refused(server: Server) -> None:
    conn, end = connected(server)
    _request(conn, end)
    end.send(b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(InvalidResponse):
        conn.read_response()
    with pytest.raises(StateError):
        conn.detach()


def test_close_of_what_was_not_detached(server: Server) -> None:
    conn, end = connected(server)
    conn.send_request("GET", "/", {"Connection": "upgrade", "Upgrade": "mine"})
    end.expect_head()
    end.send(b"HTTP/1.1 101 Switching\r\nUpgrade: mine\r\n\r\n")
    conn.read_response()
    conn.close()
    end.expect_end()
    with pytest.raises(StateError):
        conn.detach()
    server.prove_usable(conn)


def test_unix_socket_through_a_proxy_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        HTTPConnection("localhost", proxy=("proxy", 1), unix_socket="/socket")
