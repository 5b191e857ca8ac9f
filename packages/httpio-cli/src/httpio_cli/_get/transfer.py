"""A transfer: requests until there is an answer that is the last word, and what becomes of it."""

from __future__ import annotations

from time import sleep, time
from typing import TYPE_CHECKING, Final

from httpio import CloseReason, ConnectionClosed, ConnectionTimedOut, EarlyResponse, HTTPIOError
from httpio_cli._deadline import Deadline
from httpio_cli._errors import CommandError, explain
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redirects import too_many
from httpio_cli._response_fields import field

from .connections import note_addresses
from .exchange import Exchange
from .receiving import Receiver
from .redirects import next_request
from .resuming import Resumption
from .retrying import IDEMPOTENT, delay, may_repeat_failure, may_repeat_status

if TYPE_CHECKING:
    from httpio import HTTPConnection, HTTPResponse
    from httpio_cli._fields import RequestFields
    from httpio_cli._urls import URL

    from .connections import Connections
    from .content import Content
    from .progress import ProgressBar
    from .record import Observer, Record
    from .settings import Settings
    from .sink import Destination, Sink


#: Seconds for making a connection, unless --connect-timeout says otherwise; as curl's.
CONNECT_TIMEOUT: Final = 300.0
#: Content of a redirect up to so many bytes is read for the sake of the connection.
DISCARD_LIMIT: Final = 64 * 1024
#: What belongs to the content, and goes with it.
_CONTENT_FIELDS: Final = frozenset(
    ("content-type", "content-encoding", "content-language", "content-md5", "digest")
)


class Again(Exception):  # no error: a turn of the loop
    """The request is to be made again in *seconds*, because of *why*."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(seconds, why)
        self.seconds = seconds
        self.why = why


class Transfers:
    """Makes transfers one after the other, over *connections* that are kept in between."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        fields: RequestFields,
        destination: Destination,
        progress: ProgressBar,
    ) -> None:
        self.settings = settings
        self.connections = connections
        self.fields = fields
        self.destination = destination
        self.progress = progress

    def perform(self, url: URL, record: Record) -> Sink | None:
        """Transfer *url*; return where its content went, `None` if there was no place for it.

        *record* is filled. Raises `CommandError`.
        """
        following = self.settings.following
        retrying = Deadline(following.retry_max_time)
        attempt = 0
        while True:
            attempt += 1
            allowed = attempt <= following.retry
            one = _Attempt(self, url, record, _Retries(attempt, retrying) if allowed else None)
            try:
                return one.perform()
            except Again as again:
                pause, why = again.seconds, again.why
            except CommandError as exc:
                pause, why = delay(attempt, following.retry_delay), str(exc)
                if not (
                    allowed
                    and one.is_repeatable
                    and may_repeat_failure(exc.code, one.method)
                    and retrying.allows(pause)
                ):
                    raise
            self.progress.close()
            left = following.retry - attempt
            self.note(f"{why}: attempt {attempt + 1} in {pause:g} s, {left} more after that")
            sleep(pause)
            record.begin_again()

    def note(self, text: str) -> None:
        """Tell the operator something, unless nothing is to be said."""
        if not self.settings.output.silent:
            from httpio_cli._terminal import note

            note(f"httpio: {text}")


class _Retries:
    """What an attempt that may be followed by another one knows of that."""

    def __init__(self, attempt: int, deadline: Deadline) -> None:
        self._attempt = attempt
        self._deadline = deadline

    def pause(self, response: HTTPResponse, fixed: float | None) -> float | None:
        """Return the seconds until the next attempt, `None` if there is no time for it."""
        seconds = delay(self._attempt, fixed, field(response, "Retry-After"), time())
        return seconds if self._deadline.allows(seconds) else None


class _Attempt:
    """One attempt at a transfer: the request, and those that redirects lead to."""

    def __init__(
        self, transfers: Transfers, url: URL, record: Record, retries: _Retries | None
    ) -> None:
        self._transfers = transfers
        self._settings = transfers.settings
        self._url = url
        self._first = url
        self._record = record
        # As with curl, each attempt has its time, and 0 is no limit.
        self._deadline = Deadline(self._settings.connection.max_time or None, str(url))
        self._retries = retries
        self.method = self._settings.method
        self._content: Content | None = self._settings.content
        #: Whether it can be made once more: nothing is lost that cannot be had again.
        self.is_repeatable = self._content is None or self._content.is_repeatable
        self._expects = self._settings.wants_expect(self._content)
        self._resumption = Resumption(self._settings, transfers.destination, url, transfers.note)

    def perform(self) -> Sink | None:
        """Return where the content went. Raises `CommandError` and `Again`."""
        transfers, record = self._transfers, self._record
        redirects = 0
        while True:
            conn, response, exchange = self._exchange()
            record.response = response
            record.effective = self._url
            if response.status == 417 and self._expects and self._content is not None:
                # RFC 9110 §15.5.18: the server cannot do that.
                self._expects = False
                self._check_repeatable(f"{self._url}: the server does not know of 100 Continue")
                self._leave(conn, response)
                continue
            self._consider_retrying(conn, response)
            if self._follow(response):
                redirects += 1
                if redirects > self._settings.following.max_redirs:
                    raise too_many(self._first, self._settings.following.max_redirs)
                continue
            receiver = Receiver(
                self._settings,
                transfers.destination,
                transfers.progress,
                conn,
                record,
                self._deadline,
            )
            try:
                sink = receiver.receive(response, self._first, self._url, self._resumption)
            except BaseException:
                if receiver.cannot_be_repeated:
                    self.is_repeatable = False
                transfers.connections.drop(self._url)
                raise
            exchange.check_sent(response, str(self._url))
            return sink

    # Requests

    def _exchange(self) -> tuple[HTTPConnection, HTTPResponse, Exchange]:
        """Make the request; return the head of the response, and what its content is read with."""
        transfers, url = self._transfers, self._url
        while True:
            conn, observer, is_reused = transfers.connections.get(url, self._record)
            self._record.size_upload = 0
            exchange = Exchange(conn, self._deadline, observer, transfers.progress.advance)
            try:
                self._connect(conn)
                note_addresses(conn, self._record)
                if self._content is not None:
                    transfers.progress.start(str(url), self._content.length)
                response = exchange.perform(
                    self.method,
                    url.target,
                    self._request_fields(),
                    self._content,
                    self._expects and self._content is not None,
                    self._settings.expect100_timeout,
                    is_chunked=self._settings.is_chunked,
                )
            except ConnectionClosed as exc:
                transfers.connections.drop(url)
                if is_reused and self._can_go_over(exc, observer):
                    # The server may close what is idle whenever it likes (RFC 9112 §9.5).
                    continue
                raise self._closed(exc, observer, exchange) from exc
            except (HTTPIOError, OSError) as exc:
                transfers.connections.drop(url)
                raise self._explain(exc) from exc
            except BaseException:
                transfers.connections.drop(url)
                raise
            return conn, response, exchange

    def _can_go_over(self, exc: ConnectionClosed, observer: Observer) -> bool:
        """Return whether the request can be made over a new connection after *exc*."""
        if not observer.has_sent:
            return True
        return (
            not observer.has_received
            and self.method in IDEMPOTENT
            and self.is_repeatable
            and not isinstance(exc, EarlyResponse)
        )

    def _connect(self, conn: HTTPConnection) -> None:
        limit = self._settings.connection.connect_timeout or CONNECT_TIMEOUT
        try:
            self._deadline.run(conn.co_connect(), limit)
        except ConnectionTimedOut as exc:
            self._deadline.rest()
            raise CommandError(
                ExitCode.TIMED_OUT,
                f"{self._url}: no connection within {limit:g} s",
                "check the route, or allow more by --connect-timeout",
            ) from exc

    def _request_fields(self) -> list[tuple[str, str]]:
        settings = self._settings
        is_at_home = self._url.origin == self._first.origin
        extra = settings.content_fields(self._content)
        extra += self._resumption.fields
        fields = self._transfers.fields.for_url(
            self._url, trusted=is_at_home or settings.following.location_trusted, extra=extra
        )
        # The library says it where it is waited for.
        dropped = {"expect"}
        if not is_at_home:
            # What was given names the first server.
            dropped.add("host")
        if self._content is None and settings.content is not None:
            # After a redirect that has made it a GET.
            dropped |= _CONTENT_FIELDS
        return [(name, value) for name, value in fields if name.lower() not in dropped]

    # Answers that are not the last word

    def _consider_retrying(self, conn: HTTPConnection, response: HTTPResponse) -> None:
        """Raise `Again` if *response* is a reason to try again, and that is wanted."""
        if self._retries is None or not may_repeat_status(response, self.method):
            return
        seconds = self._retries.pause(response, self._settings.following.retry_delay)
        if seconds is None or not self.is_repeatable:
            # Then this is the answer.
            return
        self._leave(conn, response)
        raise Again(seconds, f"{self._url}: {response.status} {response.reason}".rstrip())

    def _follow(self, response: HTTPResponse) -> bool:
        """Turn to where *response* redirects to; return whether it does."""
        settings, record = self._settings, self._record
        try:
            following = next_request(
                response,
                self._url,
                self.method,
                self._content is not None,
                keep_method=settings.is_custom_method,
                allow_downgrade=settings.following.allow_downgrade,
            )
        except CommandError:
            if settings.following.location:
                raise
            return False
        if following is None:
            return False
        record.redirect_url = str(following.url)
        if not settings.following.location:
            return False
        if following.has_content:
            self._check_repeatable(f"{self._url} redirects with the content")
        conn, observer, _ = self._transfers.connections.get(self._url, record)
        observer.say(f"redirect to {following.url}")
        self._leave(conn, response)
        record.redirected()
        url = following.url
        if url.origin == self._first.origin or settings.following.location_trusted:
            # The credentials of the URL that was given hold there as well.
            url = url.but(user=self._first.user, password=self._first.password)
        self._url, self.method = url, following.method
        record.method = following.method
        if not following.has_content:
            self._content = None
        return True

    def _leave(self, conn: HTTPConnection, response: HTTPResponse) -> None:
        """Get *conn* ready for another request, or drop it."""
        is_small = response.length is not None and response.length <= DISCARD_LIMIT
        if is_small and conn.get_current_response() is response:
            try:
                self._deadline.run(conn.co_discard())
                return
            except (HTTPIOError, OSError):
                pass
        elif is_small:
            return
        self._transfers.connections.drop(self._url)

    def _check_repeatable(self, why: str) -> None:
        if not self.is_repeatable:
            raise CommandError(
                ExitCode.SEND_FAILED,
                f"{why}, and what came from stdin cannot be sent again",
                "send it from a file",
            )

    # What went wrong

    def _explain(self, exc: BaseException) -> CommandError:
        if isinstance(exc, ConnectionTimedOut):
            self._deadline.rest()
        self._record.ssl_verify_result = getattr(exc, "verify_code", 0)
        return explain(exc, str(self._url), self._transfers.connections.proxy_address(self._url))

    def _closed(
        self, exc: ConnectionClosed, observer: Observer, exchange: Exchange
    ) -> CommandError:
        """Return the error for a connection that was closed before there was an answer."""
        error = self._explain(exc)
        if error.code is ExitCode.RECEIVE_FAILED and not exchange.is_sent:
            return CommandError(
                ExitCode.SEND_FAILED,
                f"{error.what} after {self._record.size_upload} bytes of content",
                "see what the server's log says",
            )
        if exc.reason is CloseReason.SERVER_CLOSED:
            when = "in the middle of a head" if observer.has_received else "without an answer"
            return CommandError(
                ExitCode.EMPTY_RESPONSE,
                f"{self._url}: the server closed the connection {when}",
                "try again; see what the server's log says",
            )
        return error
