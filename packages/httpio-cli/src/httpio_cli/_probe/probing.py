"""One request, timed: a `Sample`. And what follows from several of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from statistics import median
from time import monotonic

from httpio import (
    BodyFollowing,
    CloseReason,
    ConnectionClosed,
    ConnectionTimedOut,
    DNSUnavailable,
    EarlyResponse,
    HostnameNotResolvable,
    HTTPIOError,
    ProxyError,
    run,
)
from httpio_cli._errors import CommandError, explain
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redaction import without_credentials
from httpio_cli._redirects import REDIRECTS, becomes_get, followed, too_many

from .certificate import now, unverified
from .exchange import duplicate, merged
from .model import Peer, ResponseFacts, Sample
from .phases import PhaseTracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final, TypeVar

    from httpio import HTTPConnection, HTTPResponse, PollGenerator
    from httpio_cli._urls import URL

    from .certificate import TLSFacts
    from .model import Fields, Target

    _T = TypeVar("_T")

_PIECE: Final = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What is asked for, and how much patience there is."""

    method: str = "GET"
    content: bytes | None = None
    expect100: bool = False
    expect100_timeout: float = 1.0
    """Seconds to wait for 100 (Continue) before the content is sent anyway."""
    max_time: float = 30.0
    connect_timeout: float | None = None
    keep: int = 0
    """Bytes of content that are wanted."""
    fields: Fields = ()


class _Run:
    """A request under way."""

    def __init__(self, target: Target, request: Request) -> None:
        self.target = target
        self.request = request
        self.tracer = PhaseTracer()
        self.deadline = monotonic() + request.max_time
        self.connection: HTTPConnection = target.connect(self.tracer, None)
        self.peer: Peer | None = None
        self.response: HTTPResponse | None = None
        self.content = bytearray()
        self.size = 0

    def drive(self, coroutine: PollGenerator[_T], limit: float | None = None) -> _T:
        left = max(self.deadline - monotonic(), 0.0)
        return run(coroutine, deadline=left if limit is None else min(left, limit))

    def connect(self) -> None:
        self.drive(self.connection.co_connect(), self.request.connect_timeout)
        with duplicate(self.connection) as sock:
            self.peer = _peer(sock.getpeername())

    def ask(self) -> None:
        request, connection = self.request, self.connection
        content = request.content
        body = None if content is None else BodyFollowing(len(content))
        sending = connection.co_send_request(
            request.method,
            self.target.path,
            merged(self.target.fields, request.fields),
            body,
            bool(content) and request.expect100,
        )
        self.drive(sending)
        if content:
            try:
                if not request.expect100 or self._may_send():
                    self.tracer.sends_content()
                    self.drive(connection.co_write(content))
                    self.tracer.content_sent()
            except EarlyResponse:
                pass
        if self.response is None:
            self.response = self.drive(connection.co_read_response())

    def _may_send(self) -> bool:
        """Wait for 100 (Continue); return whether the content is to be sent."""
        self.tracer.waits_for_continue()
        try:
            answer = self.drive(self.connection.co_read_response(), self.request.expect100_timeout)
        except ConnectionTimedOut:
            if monotonic() >= self.deadline:
                raise
            self.connection.proceed_without_continue()
            return True
        if answer.status == 100:
            return True
        self.tracer.answered_instead()
        self.response = answer
        return False

    def read(self) -> None:
        while piece := self.drive(self.connection.co_read(_PIECE)):
            self.size += len(piece)
            if len(self.content) < self.request.keep:
                self.content += piece[: self.request.keep - len(self.content)]

    def facts(self) -> ResponseFacts | None:
        response = self.response
        if response is None:
            return None
        facts = ResponseFacts(
            response.status,
            response.reason,
            response.version,
            tuple(response.fields),
            None,
            self.size,
            bytes(self.content),
        )
        announced = facts.field("Content-Length")
        known = announced is not None and re.fullmatch("[0-9]{1,18}", announced)
        return replace(facts, announced_length=int(known[0]) if known else None)

    def explained(self, exc: Exception) -> CommandError:
        """Return what to tell about *exc*, with what is known here and nowhere else."""
        url = self.target.url
        if isinstance(exc, ConnectionTimedOut):
            limit, option, what = self.request.max_time, "--max-time", "not finished"
            if self.peer is None and monotonic() < self.deadline:
                limit, option = self.request.connect_timeout or 0.0, "--connect-timeout"
                what = "no connection"
            what = f"{url}: {what} within {limit:g} s"
            return CommandError(ExitCode.TIMED_OUT, what, f"allow more by {option}")
        if isinstance(exc, (HostnameNotResolvable, DNSUnavailable)):
            if exc.hostname == self.target.proxy_host:
                return CommandError(
                    ExitCode.PROXY_NOT_RESOLVED, f"{url}: {exc}", "check the name of the proxy"
                )
        elif isinstance(exc, ConnectionClosed) and (ended := self._ended(exc)) is not None:
            code, what = ended
            return CommandError(code, f"{url}: {what}", "see what the server's log says")
        error = explain(exc, url)
        # What came may be quoted there.
        return CommandError(error.code, without_credentials(error.what), error.hint)

    def _ended(self, exc: ConnectionClosed) -> tuple[ExitCode, str] | None:
        """Return what it means that the connection ended, `None` if that was not the server's doing."""
        lost = exc.reason is CloseReason.CONNECTION_LOST
        if not lost and exc.reason is not CloseReason.SERVER_CLOSED:
            return None
        why = exc.__cause__.strerror if isinstance(exc.__cause__, OSError) else None
        how = f"the connection broke ({why})" if lost and why else "the connection ended"
        if self.response is not None:
            facts = self.facts()
            announced = facts.announced_length if facts is not None else None
            whole = "" if announced is None else f" of {announced}"
            code = ExitCode.RECEIVE_FAILED if lost else ExitCode.PARTIAL
            return code, f"{how} after {self.size}{whole} bytes of content"
        if lost:
            return ExitCode.RECEIVE_FAILED, f"{how} before the answer"
        where = "in the head of its answer" if self.tracer.received_bytes else "without an answer"
        return ExitCode.EMPTY_RESPONSE, f"the server closed the connection {where}"


def _peer(name: object) -> Peer | None:
    match name:
        case (str(address), int(port)):
            return Peer(address, port, "IPv4")
        case (str(address), int(port), _, _):
            return Peer(address, port, "IPv6")
        case str() | bytes():
            return Peer(name if isinstance(name, str) else name.decode("latin-1"), 0, "unix")
        case _:
            return None


def take_sample(target: Target, request: Request) -> Sample:
    """Make one request on a connection of its own; whatever goes wrong is part of the sample."""
    when = now()
    under_way = _Run(target, request)
    error: CommandError | None = None
    tracer = under_way.tracer
    try:
        under_way.connect()
        under_way.ask()
        under_way.read()
    except (HTTPIOError, OSError, CommandError) as exc:
        tracer.finish("proxy" if isinstance(exc, ProxyError) else _unannounced(target, tracer))
        error = under_way.explained(exc)
    else:
        tracer.finish()
    finally:
        under_way.connection.close()
    tls = None
    if target.tls is not None and under_way.peer is not None:
        tls = target.tls.recorded()
    if error is not None and error.code == ExitCode.CERTIFICATE_FAILED and target.tls is not None:
        tls = _look_anyway(target, request, error)
    return Sample(
        target.url,
        when,
        tracer.phases,
        tracer.total,
        under_way.facts(),
        under_way.peer,
        tls,
        error,
        tracer.sent_bytes,
        tracer.received_bytes,
    )


def _unannounced(target: Target, tracer: PhaseTracer) -> str:
    """Return the phase that a connection was in that had reported the end of the one before."""
    if target.tls is None:
        return "request"
    names = [phase.name for phase in tracer.phases]
    return "proxy" if target.proxy_host is not None and "proxy" not in names else "tls"


def _look_anyway(target: Target, request: Request, error: CommandError) -> TLSFacts | None:
    """Look at the certificate that was not accepted."""
    assert target.tls is not None
    try:
        return unverified(target.tls.examine(request.max_time), _reason(error))
    except (HTTPIOError, OSError, CommandError):
        return None


def _reason(error: CommandError) -> str:
    return error.what.rpartition("the certificate is not trusted: ")[2]


def follow(
    target_for: Callable[[URL], Target], url: URL, request: Request, max_redirects: int
) -> list[Sample]:
    """Take a sample, and one more for each redirect, up to *max_redirects*."""
    samples: list[Sample] = []
    while True:
        sample = take_sample(target_for(url), request)
        samples.append(sample)
        response = sample.response
        if sample.error is not None or response is None or max_redirects < 0:
            return samples
        location = response.field("Location")
        if response.status not in REDIRECTS or location is None:
            return samples
        try:
            if len(samples) > max_redirects:
                raise too_many(url, max_redirects)
            following = followed(url, location)
        except CommandError as exc:
            samples[-1] = replace(sample, error=exc)
            return samples
        if becomes_get(response.status, request.method):
            request = replace(request, method="GET", content=None)
        url = following


@dataclass(frozen=True)
class Summary:
    """Several samples, in seconds. Failures have no time."""

    count: int
    failures: int
    minimum: float | None
    median: float | None
    p95: float | None
    maximum: float | None
    jitter: float | None
    """Mean difference between one time and the next."""


def summarise(times: Sequence[float], failures: int) -> Summary:
    """Return what *times* come to, and how many *failures* there were besides."""
    count = len(times) + failures
    if not times:
        return Summary(count, failures, None, None, None, None, None)
    ordered = sorted(times)
    # The nearest rank: a time that was measured.
    p95 = ordered[max(ceil(0.95 * len(ordered)), 1) - 1]
    steps = [abs(after - before) for before, after in pairwise(times)]
    jitter = sum(steps) / len(steps) if steps else None
    return Summary(count, failures, ordered[0], median(ordered), p95, ordered[-1], jitter)
