"""One request and the head of its response, with the content sent in between where it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio import BodyFollowing, ConnectionTimedOut, EarlyResponse
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from httpio import HTTPConnection, HTTPResponse
    from httpio_cli._deadline import Deadline

    from .content import Content
    from .record import Observer


class Exchange:
    """Sends a request on *conn*, and reads the head of the response.

    *progress* is called with the number of bytes after each piece of content that was sent.
    """

    def __init__(
        self,
        conn: HTTPConnection,
        deadline: Deadline,
        observer: Observer,
        progress: Callable[[int], None],
    ) -> None:
        self._conn = conn
        self._deadline = deadline
        self._observer = observer
        self._progress = progress
        #: Whether all of the content was sent.
        self.is_sent = True

    def perform(
        self,
        method: str,
        target: str,
        fields: Sequence[tuple[str, str]],
        content: Content | None,
        expect100: bool,
        expect100_timeout: float,
        *,
        is_chunked: bool = False,
    ) -> HTTPResponse:
        """Return the response, whose content is next to be read from the connection.

        With *expect100*, the content is sent when the server asks for it, or when *expect100_timeout*
        seconds have passed (RFC 9110 §10.1.1). With *is_chunked*, it goes in chunks whatever is
        known of its size. Raises what the connection raises.
        """
        conn, deadline = self._conn, self._deadline
        if content is None:
            deadline.run(conn.co_send_request(method, target, fields))
            return self._read_response()
        self.is_sent = False
        length = None if is_chunked else content.length
        following = BodyFollowing(length)
        deadline.run(conn.co_send_request(method, target, fields, following, expect100))
        if expect100:
            response = self._await_continue(expect100_timeout)
            if response is not None:
                return response
        try:
            self._send(content, length)
        except EarlyResponse:
            # RFC 9112 §9.5: what the server has to say is more than that it does not listen.
            self._observer.say("the server answered before all of the content was sent")
        return self._read_response()

    def _await_continue(self, seconds: float) -> HTTPResponse | None:
        """Return the final response if the server wants no content, `None` if it is to be sent."""
        try:
            response = self._deadline.run(self._conn.co_read_response(), limit=seconds)
        except ConnectionTimedOut:
            self._deadline.rest()
            self._observer.say(f"no answer to Expect: 100-continue for {seconds:g} seconds")
            self._conn.proceed_without_continue()
            return None
        self._observer.response(response)
        return None if response.status == 100 else response

    def _send(self, content: Content, length: int | None) -> None:
        conn, deadline = self._conn, self._deadline
        for piece in content.pieces():
            deadline.run(conn.co_write(piece))
            self._observer.record.size_upload += len(piece)
            self._progress(len(piece))
        if length is None:
            deadline.run(conn.co_finish_body())
        self.is_sent = True

    def _read_response(self) -> HTTPResponse:
        response = self._deadline.run(self._conn.co_read_response())
        self._observer.response(response)
        return response

    def check_sent(self, response: HTTPResponse, where: str) -> None:
        """Raise `CommandError` if the server is content with a part of the content.

        A refusal is an answer; a success that nobody has waited for is none.
        """
        if not self.is_sent and response.status < 300:
            raise CommandError(
                ExitCode.SEND_FAILED,
                f"{where}: the server answered {response.status} after "
                f"{self._observer.record.size_upload} bytes, before all was sent",
                "see what has arrived there",
            )
