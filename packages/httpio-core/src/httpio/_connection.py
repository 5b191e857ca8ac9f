"""`HTTPConnection`: requests and responses, as coroutines and as blocking twins.

Only puts together what the halves do; nothing is parsed, framed or sent here. A method whose name
begins with ``co_`` returns a coroutine; the method without that prefix does the same and blocks.
"""

from __future__ import annotations

from operator import index

from ._blocking import cofunction, run
from ._body import BodyReader
from ._coroutine import coroutine
from ._encoders import as_bytes_view
from ._exceptions import StateError
from ._many import ManyRequests
from ._messages import BodyFollowing
from ._state import Exchange, Sending
from ._text import exact_str, require_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Literal, TypeVar, overload

    from _typeshed import ReadableBuffer, WriteableBuffer

    from ._coroutine import PollCoroutine, PollGenerator
    from ._messages import HTTPResponse
    from ._request import RequestHeaders, SupportsRead

    _T = TypeVar("_T")


class HTTPConnection(ManyRequests):
    """A connection to an HTTP/1.1 server.

    *hostname* and *port* (80, with TLS 443) name the server. With *ssl_context*, TLS is spoken; its
    ALPN protocols are set to ``http/1.1``. *proxy* is ``(hostname, port)``: it gets plain requests
    in absolute-form, and CONNECT for TLS, with *proxy_auth*, ``(user, password)``, as Basic
    credentials. *unix_socket* is the path of a socket to connect to instead. *timeout*, in seconds,
    bounds each wait of a blocking call, connecting included. *source_address* is ``(host, port)`` to
    connect from. *tracer* sees what happens on the wire; without one, the environment variable
    ``HTTPIO_TRACEFILE`` may ask for a `FileTracer`. Content-MD5 is added to requests that are sent
    with their body, unless *content_md5* is `False`. *resolver* is called in place of the system's
    with the host name and port to connect to, those of the proxy if there is one, in a thread of its
    own; it returns pairs of IP address and port in the order in which they are to be tried, and may
    raise `socket.gaierror`. Host and TLS keep to *hostname* whatever it answers.

    Any number of requests can be sent before their responses are read, in the same order. One thread
    or task may send while another one receives; apart from that, an object is for one at a time.

    Raises `LocalProtocolError` for a host name or port that cannot be one.
    """

    # Sending

    @coroutine
    def co_send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
    ) -> PollGenerator[None]:
        """Send a request, and its body if that is passed along.

        *path* is the request target: a path with its query, percent-encoded. *headers* is a mapping,
        or pairs of name and value where a name is to be repeated; it is not changed. Host,
        Accept-Encoding (``identity``), Content-Length or Transfer-Encoding, and Content-MD5 for a
        *body* that is passed as bytes, are added where they are not given.

        With *body* a `BodyFollowing`, the content follows by `write`, `sendfile` and `finish_body`.
        With *expect100* in addition, the server is asked first (RFC 9110 §10.1.1): `read_response`
        returns its ``100`` response, and then the content may be written; or it returns the final
        response, and then the content is not to be sent.

        Connects if there is no connection. Raises `LocalProtocolError` for a request that must not
        be sent, `StateError` while the request before is not sent completely, `ConnectionClosed` if
        the connection is gone or cannot be used any more, `InvalidResponse` if the server sent
        something without being asked, and `EarlyResponse` if it answered without reading the body.
        """
        if type(method) is not str or type(path) is not str:
            require_str("method and path", method, path)
            method, path = exact_str(method), exact_str(path)
        if self._pipeline is not None:
            self._leave_to_pipeline()
        head, content = self._origin.encode(
            method, path, headers, body, expect100=expect100, add_content_md5=self.content_md5
        )
        state = self._state
        if state.sending is not Sending.IDLE:
            if state.sending is not Sending.CLOSED:
                raise state.refuse_request()
            self._reopen()
        if self._transport.closed:
            yield from self._co_connect()
        elif not state.outstanding:
            self._receiver.check_idle()
        exchange = Exchange(method, path, head, isinstance(body, BodyFollowing))
        rest = self._sender.try_send_request(exchange, head.data, content)
        if rest is not None:
            yield from self._sender.co_send_rest(exchange, rest, content)

    if TYPE_CHECKING:

        @overload
        def send_request(
            self,
            method: str,
            path: str,
            headers: RequestHeaders | None = None,
            body: ReadableBuffer | BodyFollowing | None = None,
            expect100: bool = False,
            via_cofun: Literal[False] = False,
        ) -> None: ...
        @overload
        def send_request(
            self,
            method: str,
            path: str,
            headers: RequestHeaders | None = None,
            body: ReadableBuffer | BodyFollowing | None = None,
            expect100: bool = False,
            *,
            via_cofun: Literal[True],
        ) -> Generator[None, None, None]: ...

    def send_request(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None = None,
        body: ReadableBuffer | BodyFollowing | None = None,
        expect100: bool = False,
        via_cofun: bool = False,
    ) -> Generator[None, None, None] | None:
        """Send a request, and its body if that is passed along.

        See `co_send_request` for the arguments and what is raised. With *via_cofun*, nothing is sent
        yet, and a cofunction is returned: a generator that sends while it is iterated over, and
        suspends whenever response data has arrived, which is to be read before it is resumed.
        """
        sending = self.co_send_request(method, path, headers, body, expect100)
        if via_cofun:
            return cofunction(sending, self._response_arrived, self.timeout)
        return run(sending, self.timeout)

    def _response_arrived(self) -> bool | None:
        # Asks the halves that are in use now: a cofunction may open a connection on its way.
        return self._receiver.response_arrived()

    def co_write(self, buf: ReadableBuffer, partial: bool = False) -> PollCoroutine[int]:
        """Send content of the request that was sent with `BodyFollowing`.

        Returns the number of bytes written. That is all of *buf*, unless *partial* is true: then it
        is what the socket takes now, which may be nothing, and nothing is waited for. What was not
        written has to be passed again.

        Raises `ExcessBodyData` for more than was announced, `StateError` if no content is due,
        `EarlyResponse` if the server has answered and does not want the rest (RFC 9112 §9.5), and
        `ConnectionClosed` if the connection is gone.
        """
        return self._sender.co_write(as_bytes_view(buf), partial)

    def write(self, buf: ReadableBuffer, partial: bool = False) -> int:
        """Send content of the request that was sent with `BodyFollowing`.

        Returns the number of bytes written; see `co_write`. Raises `ConnectionTimedOut` in addition.
        """
        return run(self.co_write(buf, partial), self.timeout)

    def co_finish_body(self, trailers: RequestHeaders | None = None) -> PollCoroutine[None]:
        """End a body that is sent in chunks, with *trailers* after it (RFC 9112 §7.1.2).

        Raises `StateError` if no such body is being sent, `LocalProtocolError` for trailers that
        must not be sent, and otherwise what `co_write` raises.
        """
        return self._sender.co_finish_body(trailers)

    def finish_body(self, trailers: RequestHeaders | None = None) -> None:
        """End a body that is sent in chunks, with *trailers* after it; see `co_finish_body`."""
        return run(self.co_finish_body(trailers), self.timeout)

    def co_sendfile(self, file: SupportsRead) -> PollCoroutine[int]:
        """Send content from where the binary *file* stands to its end.

        Returns the number of bytes, and leaves *file* behind the last of them. Where the system can
        send from a file, it does. A body that is sent in chunks is not ended by this. Raises
        `ExcessBodyData` if the file has more than was announced, and otherwise what `co_write`
        raises.
        """
        return self._sender.co_sendfile(file)

    if TYPE_CHECKING:

        @overload
        def sendfile(self, file: SupportsRead, via_cofun: Literal[False] = False) -> int: ...
        @overload
        def sendfile(
            self, file: SupportsRead, via_cofun: Literal[True]
        ) -> Generator[None, None, int]: ...

    def sendfile(
        self, file: SupportsRead, via_cofun: bool = False
    ) -> Generator[None, None, int] | int:
        """Send content from where the binary *file* stands to its end; see `co_sendfile`.

        With *via_cofun*, returns a cofunction as `send_request` does.
        """
        sending = self.co_sendfile(file)
        if via_cofun:
            return cofunction(sending, self._response_arrived, self.timeout)
        return run(sending, self.timeout)

    def proceed_without_continue(self) -> None:
        """Send the content although no ``100`` response came; a late one is skipped.

        A server may not know of *expect100*, so nobody should wait for ever (RFC 9110 §10.1.1).
        Raises `StateError` if no request waits for that response.
        """
        if self._state.sending is not Sending.AWAITING_CONTINUE:
            raise StateError("no request waits for a 100 response")
        self._state.continue_received()

    # Receiving

    def co_read_response(self) -> PollCoroutine[HTTPResponse]:
        """Read the head of the next response.

        Interim (1xx) responses are skipped and kept in `HTTPResponse.informational`, but for the
        ``100`` that a request with *expect100* waits for, and a ``101`` that was asked for.

        Raises `StateError` if no response is outstanding, if the one before was not read to its end
        or if its request is not sent completely and the server has not answered early;
        `InvalidResponse` or `UnsupportedResponse` for what is no response of HTTP/1; and
        `ConnectionClosed` if the connection is gone.
        """
        if self._pipeline is not None:
            self._leave_to_pipeline()
        return self._receiver.co_read_response()

    def read_response(self) -> HTTPResponse:
        """Read the head of the next response; see `co_read_response`."""
        return run(self.co_read_response(), self.timeout)

    def co_read(self, size: int | None = None) -> PollCoroutine[bytes]:
        """Read up to *size* bytes of content, or all that is left if it is `None`.

        Returns less if less has arrived, and ``b""`` only at the end of the content, or where no
        response is being read. Raises `ConnectionClosed` if the connection ends before the content,
        `UnsupportedResponse` if nothing tells where the content ends, and `InvalidResponse` if its
        framing is wrong.
        """
        if size is None:
            return self.co_readall()
        return self._receiving(self._receiver.co_read(index(size)))

    def read(self, size: int | None = None) -> bytes:
        """Read up to *size* bytes of content, or all that is left if it is `None`; see `co_read`."""
        return run(self.co_read(size), self.timeout)

    def co_readall(self) -> PollCoroutine[bytes]:
        """Read what is left of the content. Raises what `co_read` raises.

        After an exception, what had arrived before it can still be had by `read`.
        """
        return self._receiving(self._receiver.co_readall())

    def readall(self) -> bytes:
        """Read what is left of the content; see `co_readall`."""
        return run(self.co_readall(), self.timeout)

    def co_readinto(self, buf: WriteableBuffer) -> PollCoroutine[int]:
        """Read content into *buf*, as much as has arrived and fits.

        Returns the number of bytes, 0 only at the end of the content or where no response is being
        read. Raises what `co_read` raises.
        """
        return self._receiving(self._receiver.co_readinto(as_bytes_view(buf)))

    def readinto(self, buf: WriteableBuffer) -> int:
        """Read content into *buf*, as much as has arrived and fits; see `co_readinto`."""
        return run(self.co_readinto(buf), self.timeout)

    def co_discard(self) -> PollCoroutine[None]:
        """Read what is left of the content and drop it. Raises what `co_read` raises."""
        return self._receiving(self._receiver.co_discard())

    def discard(self) -> None:
        """Read what is left of the content and drop it; see `co_discard`."""
        return run(self.co_discard(), self.timeout)

    def _receiving(self, receiving: PollCoroutine[_T]) -> PollCoroutine[_T]:
        """Have a pipeline send while content is received."""
        pipeline = self._pipeline
        return receiving if pipeline is None else pipeline.co_while_sending(receiving)

    def _leave_to_pipeline(self) -> None:
        """Raise if a pipeline is under way that is not at its end."""
        pipeline = self._pipeline
        if pipeline is not None and not pipeline.release():
            raise StateError(
                "a pipeline is under way on this connection: iterate to its end, close it, or "
                "reset() the connection"
            )

    def co_read_raw(self, size: int) -> PollCoroutine[bytes]:
        """Read up to *size* bytes as they came, after an unusable response, to look at them.

        Returns ``b""`` at the end. Nothing but `reset` makes the connection usable after this.
        """
        return self._receiver.co_read_raw(index(size))

    def read_raw(self, size: int) -> bytes:
        """Read up to *size* bytes as they came, after an unusable response; see `co_read_raw`."""
        return run(self.co_read_raw(size), self.timeout)

    def response_pending(self) -> bool:
        """Tell if a response is outstanding, or was not read to its end."""
        return self._receiver.response_pending()

    def get_current_response(self) -> HTTPResponse | None:
        """Return the response whose content is being read, `None` if there is none."""
        return self._receiver.current_response

    # As a file

    def open_body(self) -> BodyReader:
        """Return the content of the current response as an `io.RawIOBase`.

        For `io.TextIOWrapper`, `io.BufferedReader` and others that close what they wrap: closing it
        drops the rest of the content and leaves the connection open. It is empty if the response
        has no content, or if that was read.
        """
        return BodyReader(self)

    def readable(self) -> bool:
        """Return `True`: content can be read."""
        return True

    def writable(self) -> bool:
        """Return `True`: content can be written."""
        return True

    def seekable(self) -> bool:
        """Return `False`."""
        return False

    def flush(self) -> None:
        """Do nothing: what was written is sent."""
