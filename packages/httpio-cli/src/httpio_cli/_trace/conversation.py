"""Makes the requests that are traced.

Requests for one origin go over one connection, one behind the other without waiting for responses,
unless the operator wants otherwise. What a library would do to get its answers all the same, such as
sending a request again, is left undone here: it would hide what is looked for. Only where a server
ends a connection properly, between two responses, another one is opened for the rest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from httpio import (
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    EarlyResponse,
    HTTPIOError,
    PollNeeded,
    RemoteProtocolError,
    coroutine,
)
from httpio_cli._errors import CommandError, explain
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redirects import becomes_get, followed, location_of, too_many

from .recording import failure_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from httpio import HTTPConnection, HTTPResponse, PollGenerator
    from httpio_cli._connector import Connector
    from httpio_cli._deadline import Deadline
    from httpio_cli._fields import RequestFields
    from httpio_cli._urls import URL, Origin

    from .recording import Recorder, Recording

#: Requests that are under way at once on a connection.
MAX_IN_FLIGHT: Final = 64
#: Seconds by which one time limit can be told from another.
_MOMENT: Final = 0.01
#: After these a server may be asked again, if all that it has begun to answer is complete.
_PROPER_ENDS: Final = (
    CloseReason.SERVER_ANNOUNCED_CLOSE,
    CloseReason.SERVER_CLOSED,
    CloseReason.EARLY_RESPONSE,
)
_IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


@dataclass(frozen=True)
class Question:
    """A request that is to be made."""

    url: URL
    method: str
    content: bytes | None = None
    #: Whether *url* has the origin that the operator named, which may get credentials.
    trusted: bool = True
    #: Redirects that led here.
    hops: int = 0

    @property
    def is_idempotent(self) -> bool:
        """Whether sending it twice is the same as sending it once (RFC 9110 §9.2.2)."""
        return self.method in _IDEMPOTENT


@dataclass(frozen=True)
class Manner:
    """How the requests are made."""

    pipeline: bool = True
    #: Redirects that are followed one after the other; 0 for none.
    max_redirects: int = 0
    allow_downgrade: bool = False
    connect_timeout: float | None = None


class Conversation:
    """Asks questions, and has a recording listen."""

    def __init__(
        self,
        recording: Recording,
        connector: Connector,
        fields: RequestFields,
        manner: Manner,
        deadline: Deadline,
    ) -> None:
        self._recording: Final = recording
        self._connector: Final = connector
        self._fields: Final = fields
        self._manner: Final = manner
        self._deadline: Final = deadline
        self._redirected: list[Question] = []
        #: What could not be done, in the order in which it came up.
        self.errors: Final[list[CommandError]] = []

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask *questions*, and what their answers lead to."""
        waiting = list(questions)
        while waiting:
            groups: dict[Origin, list[Question]] = {}
            for question in waiting:
                groups.setdefault(question.url.origin, []).append(question)
            for group in groups.values():
                self._ask_origin(group)
            waiting, self._redirected = self._redirected, []

    def _ask_origin(self, questions: list[Question]) -> None:
        """Ask *questions*, which all have the same origin."""
        url = questions[0].url
        settings = self._connector.settings(url)
        recorder = self._recording.recorder(f"{url.scheme}://{url.host_header}")
        proxy = None if settings.proxy is None else settings.proxy.address
        exchange: _Exchange | None = None
        try:
            with settings.blocking(recorder) as conn:
                exchange = _Exchange(self, conn, recorder, questions)
                exchange.run()
        except ConnectionTimedOut as exc:
            where = str(exchange.asking if exchange is not None else url)
            self.errors.append(self._too_late(where, recorder) or explain(exc, where, proxy))
        except (HTTPIOError, OSError, CommandError) as exc:
            where = str(exchange.asking if exchange is not None else url)
            if isinstance(exc, CommandError) and exc.code is ExitCode.TIMED_OUT:
                # The time was up before something was begun.
                exc = self._too_late(where, recorder) or exc
            self.errors.append(_as_it_was_seen(explain(exc, where, proxy), exc, where, recorder))

    def _too_late(self, where: str, recorder: Recorder) -> CommandError | None:
        """Return the error for a time that is up while *where* was dealt with, if it is known which."""
        connection, limit = recorder.connection, self._manner.connect_timeout
        asked = connection is not None and "request" in connection.steps
        if not asked and limit is not None and self._deadline.allows(_MOMENT):
            return CommandError(
                ExitCode.TIMED_OUT,
                f"{where}: no connection within {limit:g} s",
                "allow more by --connect-timeout",
            )
        if self._deadline.allows(_MOMENT):
            return None
        passed = self._deadline.passed()
        return CommandError(passed.code, f"{where}: {passed.what}", passed.hint)

    def answered(self, question: Question, response: HTTPResponse) -> None:
        """See whether *response* leads elsewhere."""
        location = location_of(response)
        if not self._manner.max_redirects or location is None:
            return
        try:
            self._redirected.append(self._follow(question, response.status, location))
        except CommandError as exc:
            self.errors.append(exc)

    def _follow(self, question: Question, status: int, location: str) -> Question:
        url = followed(question.url, location, allow_downgrade=self._manner.allow_downgrade)
        if question.hops >= self._manner.max_redirects:
            raise too_many(question.url, self._manner.max_redirects)
        method, content = question.method, question.content
        if becomes_get(status, method):
            method, content = "GET", None
        return replace(
            question,
            url=url,
            method=method,
            content=content,
            trusted=question.trusted and url.origin == question.url.origin,
            hops=question.hops + 1,
        )

    def fields_for(self, question: Question) -> list[tuple[str, str]]:
        """Return the fields to send with *question*."""
        extra = []
        if question.content is not None:
            extra.append(("Content-Type", "application/x-www-form-urlencoded"))
        return self._fields.for_url(question.url, trusted=question.trusted, extra=extra)

    def may_send(self, question: Question, in_flight: deque[Question]) -> bool:
        """Tell if *question* may go out before the answers to those *in_flight* have come."""
        if not in_flight:
            return True
        # RFC 9112 §9.3.2: nothing is sent behind a request whose repetition would do harm.
        return (
            self._manner.pipeline
            and len(in_flight) < MAX_IN_FLIGHT
            and question.is_idempotent
            and all(other.is_idempotent for other in in_flight)
        )

    @property
    def deadline(self) -> Deadline:
        """The end of the time for all of it."""
        return self._deadline

    @property
    def connect_timeout(self) -> float | None:
        """Longest time for making a connection, in seconds."""
        return self._manner.connect_timeout


class _Exchange:
    """Asks one origin over one connection object."""

    def __init__(
        self,
        conversation: Conversation,
        conn: HTTPConnection,
        recorder: Recorder,
        questions: Iterable[Question],
    ) -> None:
        self._conversation: Final = conversation
        self._conn: Final = conn
        self._recorder: Final = recorder
        self._waiting: Final = deque(questions)
        self._in_flight: Final[deque[Question]] = deque()
        #: The request that is being sent was answered before it was sent to its end.
        self._is_answered = False
        #: Nothing can be sent any more.
        self._is_cut_off = False
        #: A response of which not all has been read.
        self._response: HTTPResponse | None = None

    @property
    def asking(self) -> URL:
        """What is being dealt with."""
        return (self._in_flight or self._waiting)[0].url

    def run(self) -> None:
        """Send all requests, and receive all responses."""
        while self._waiting or self._in_flight:
            try:
                self._advance()
            except EarlyResponse:
                # The answer is there already, and nothing can be sent before it was read.
                self._is_answered = True
            except ConnectionClosed as exc:
                if not self._may_go_on(exc):
                    raise
                self._waiting.extendleft(reversed(self._in_flight))
                self._in_flight.clear()
                self._is_cut_off = False
                self._conn.reset()

    def _advance(self) -> None:
        conversation = self._conversation
        if (
            self._waiting
            and not self._is_answered
            and not self._is_cut_off
            and conversation.may_send(self._waiting[0], self._in_flight)
        ):
            if not self._in_flight:
                conversation.deadline.run(self._conn.co_connect(), conversation.connect_timeout)
            try:
                self._send(self._waiting.popleft())
            except EarlyResponse:
                raise
            except ConnectionClosed:
                # What was answered before that is still there to be read.
                self._is_cut_off = True
        else:
            conversation.deadline.run(self._co_receive())

    def _send(self, question: Question) -> None:
        conversation = self._conversation
        fields = conversation.fields_for(question)
        self._in_flight.append(question)
        sending = self._conn.co_send_request(
            question.method, question.url.target, fields, question.content
        )
        try:
            while True:
                needed = next(sending)
                mask = needed.mask
                # A server may wait for us to read before it reads on itself.
                if len(self._in_flight) > 1:
                    receiving = self._co_receive()
                    try:
                        mask |= next(receiving).mask
                    except StopIteration:
                        continue
                    finally:
                        # What it has received is kept by the connection.
                        receiving.close()
                PollNeeded(needed.fd, mask).poll(conversation.deadline.rest())
        except StopIteration:
            pass
        finally:
            sending.close()

    @coroutine
    def _co_receive(self) -> PollGenerator[None]:
        """Receive the response to the oldest request; goes on where an earlier one was closed."""
        response = self._response
        if response is None:
            response = self._response = yield from self._conn.co_read_response()
        if response.status == 101:
            self._conn.close()
        else:
            yield from self._conn.co_discard()
        self._response = None
        self._is_answered = False
        self._conversation.answered(self._in_flight.popleft(), response)

    def _may_go_on(self, exc: ConnectionClosed) -> bool:
        """Tell if the connection has ended properly, between two responses."""
        connection = self._recorder.connection
        if connection is None or not exc.answered:
            return False
        received, oldest = connection.received, connection.exchanges.oldest()
        # Of this end the recording knows only when there is nothing more to come.
        to_close = oldest is not None and oldest.ends_at_close and self._response is None
        # Behind a last response, it does not matter any more how the connection ends.
        if exc.reason not in _PROPER_ENDS and not to_close and not received.has_ended:
            return False
        untouched = oldest is None or (
            (oldest.received is None or to_close) and received.total == received.spans.end
        )
        return untouched and all(question.is_idempotent for question in self._in_flight)


def _as_it_was_seen(
    error: CommandError, exc: BaseException, where: str, recorder: Recorder
) -> CommandError:
    """Return *error* with what the recording knows better: what exactly broke, and where."""
    connection = recorder.connection
    if connection is None or not isinstance(exc, (ConnectionClosed, RemoteProtocolError)):
        return error
    connection.finish()
    return next(
        (
            failure_of(connection, problem, where)
            for problem in connection.problems
            if problem.kind.code != ExitCode.OK
        ),
        error,
    )
