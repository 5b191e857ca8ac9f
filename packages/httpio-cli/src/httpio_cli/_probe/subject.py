"""What all checks share: connections to the target, limits, and requests whose answers are known.

To tell if answers come in order, they must be told apart. The subject finds requests for that by
asking: parts of the resource, the resource again if it has changed, and something that is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from time import monotonic

from httpio import ConnectionTimedOut, HTTPIOError, RemoteProtocolError
from httpio_cli._errors import said_by

from .exchange import Answer, Ask, Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from httpio import Tracer

    from .model import Target

#: How many times its usual time a conversation with a slow server may take.
_LONGEST: Final = 6
#: A path that hardly anybody has.
MISSING_PATH: Final = "/httpio-probe-no-such-resource"
#: Offsets of the bytes that are asked for, each for itself; in no order that could come by itself.
_OFFSETS: Final = (3, 0, 6, 1, 7, 2, 5, 4)
#: Which of two, or of more, different requests come one after the other.
_FIRST_BYTE: Final = re.compile(r"bytes 0-0/([0-9]{1,18})")
_PATTERNS: Final = {2: (0, 1, 0, 0, 1, 1, 0, 1), 3: (0, 1, 2, 0, 2, 1, 1, 0)}


class CannotCheck(Exception):  # it is no error
    """A check has nothing to work on; the message says why."""


class CannotTell(CannotCheck):
    """A check was tried, and nothing can be concluded."""


@dataclass(frozen=True)
class Limits:
    """How far checks go."""

    timeout: float = 10.0
    """Seconds for one conversation."""
    patience: float = 2.0
    """Seconds to wait for something that may well not come."""
    idle: float = 6.0
    """Seconds to wait for the server to close an idle connection."""
    requests: int = 120
    """Requests to send on one connection."""
    depth: int = 32
    """Requests to send before the first answer."""
    refused_size: int = 8 * 1024 * 1024
    """Bytes of an upload that is to be refused."""
    cert_days: float = 21
    """Days before its end from which a certificate is warned of."""


@dataclass(frozen=True)
class Resources:
    """What the operator has named besides the target, as paths on the same server."""

    upload: str | None = None
    """Takes uploads."""
    upload_method: str = "PUT"
    refused: str | None = None
    """Refuses large uploads."""
    no_content: str | None = None
    """Answers 204 (No Content)."""
    slow: str | None = None
    """Takes its time."""


@dataclass(frozen=True)
class Expectation:
    """What can be relied on in the answer to a request."""

    status: int
    content_range: str | None
    entity_tag: str | None
    size: int | None
    """`None` if it is another one each time."""
    digest: bytes | None

    @classmethod
    def of(cls, one: Answer, two: Answer) -> Expectation:
        """Return what two answers to the same request have in common."""
        same_tag = one.field("ETag") == two.field("ETag")
        return cls(
            one.status,
            one.field("Content-Range"),
            one.field("ETag") if same_tag else None,
            one.size if one.size == two.size else None,
            one.digest if one.digest == two.digest else None,
        )

    def fits(self, answer: Answer) -> bool:
        """Return whether *answer* is such a one."""
        return (
            answer.status == self.status
            and (self.content_range is None or answer.field("Content-Range") == self.content_range)
            and (self.entity_tag is None or answer.field("ETag") == self.entity_tag)
            and (self.size is None or answer.size == self.size)
            and (self.digest is None or answer.digest == self.digest)
        )


@dataclass(frozen=True)
class Known:
    """A request, and what its answer is like."""

    ask: Ask
    expected: Expectation
    answer: Answer

    def tells_apart(self, other: Known) -> bool:
        """Return whether neither's answer could be taken for the other's."""
        return not self.expected.fits(other.answer) and not other.expected.fits(self.answer)


class Subject:
    """A target under examination."""

    def __init__(
        self, target: Target, limits: Limits | None = None, resources: Resources | None = None
    ) -> None:
        self.target = target
        self.limits = limits or Limits()
        self.resources = resources or Resources()
        self._numbers = count(1)
        #: Seconds that a single answer has taken.
        self.slowest = 0.0
        #: What was wrong with the last request that was tried.
        self._trouble = ""
        self._without_answer: CannotTell | None = None

    def client(
        self, tracer: Tracer | None = None, seconds: float | None = None, requests: int = 1
    ) -> Client:
        """Return a new connection, not open yet, to be used for so long.

        Without *seconds* that is long enough for so many *requests*, within reason.
        """
        if seconds is None:
            limit = self.limits.timeout
            seconds = min(limit + 2 * self.slowest * requests, _LONGEST * limit)
        return Client(
            self.target.connect(tracer, seconds), next(self._numbers), seconds, self.target.fields
        )

    def learn(self, ask: Ask) -> Known | None:
        """Ask twice, each time on a connection of its own; `None` if that gives no answer."""
        answers = []
        for _ in range(2):
            begun = monotonic()
            try:
                with self.client() as client:
                    answers.append(client.ask(ask))
                self.slowest = max(self.slowest, monotonic() - begun)
            except ConnectionTimedOut:
                self._trouble = f"no end within {self.limits.timeout:g} s"
                return None
            except (HTTPIOError, OSError) as exc:
                self._trouble = said_by(exc)
                return None
        if answers[0].status != answers[1].status:
            self._trouble = f"the status is {answers[0].status}, and then {answers[1].status}"
            return None
        return Known(ask, Expectation.of(*answers), answers[1])

    @cached_property
    def plain(self) -> Known:
        """An answer with content: the first byte of the target if that can be had, or all of it.

        Raises `CannotTell` if there is none.
        """
        if self._without_answer is not None:
            # It took its time to find that out.
            raise self._without_answer
        known = self.first_byte or self.learn(Ask("GET", self.target.path))
        if known is None:
            self._without_answer = CannotTell(f"GET does not work: {self._trouble}")
            raise self._without_answer
        return known

    @cached_property
    def first_byte(self) -> Known | None:
        """The first byte of the target, `None` if the server does not do ranges of it."""
        known = self.learn(self._byte(0))
        if known is None or known.answer.status != 206 or not known.expected.content_range:
            return None
        return known

    @cached_property
    def head(self) -> Known | None:
        """The target by HEAD, `None` if that does not work."""
        return self.learn(Ask("HEAD", self.target.path))

    @cached_property
    def clean_head(self) -> Known | None:
        """The same, `None` if content comes with it, which would disturb what follows."""
        known = self.head
        if known is None:
            return None
        try:
            with self.client() as client:
                if not client.ask(known.ask).closes:
                    client.ask(known.ask)
        except RemoteProtocolError:
            return None
        except (HTTPIOError, OSError):
            pass
        return known

    @cached_property
    def unchanged(self) -> Known | None:
        """The target if it has changed, which it has not: 304 (Not Modified)."""
        answer = self.plain.answer
        for name, field in (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")):
            value = answer.field(name)
            if value and answer.status in (200, 206):
                known = self.learn(Ask("GET", self.target.path, ((field, value),)))
                if known is not None and known.answer.status == 304:
                    return known
        return None

    @cached_property
    def without_content(self) -> Known | None:
        """Something whose answer has no content for another reason than HEAD."""
        if self.resources.no_content is not None:
            return self.learn(Ask("GET", self.resources.no_content))
        return self.unchanged

    def _byte(self, offset: int) -> Ask:
        return Ask("GET", self.target.path, (("Range", f"bytes={offset}-{offset}"),))

    @cached_property
    def light(self) -> Known:
        """The request whose answer is the smallest."""
        return self.first_byte or self.unchanged or self.clean_head or self.plain

    @cached_property
    def sequence(self) -> list[tuple[Ask, Expectation]]:
        """Eight requests whose answers have one order only.

        Raises `CannotTell` if no such requests can be found.
        """
        first = self.first_byte
        if first is not None:
            found_range = _FIRST_BYTE.fullmatch(first.expected.content_range or "")
            size = found_range[1] if found_range else "0"
            if int(size) >= len(_OFFSETS):
                return [
                    (
                        self._byte(offset),
                        Expectation(206, f"bytes {offset}-{offset}/{size}", None, 1, None),
                    )
                    for offset in _OFFSETS
                ]
        found = [self.plain]
        for candidate in (self.unchanged, self.learn(Ask("GET", MISSING_PATH)), self.clean_head):
            if candidate is None or (candidate.answer.closes and not self.plain.answer.closes):
                # After a failure, say, a server may close: that is no matter of order.
                continue
            if all(candidate.tells_apart(known) for known in found):
                found.append(candidate)
        if len(found) < 2:
            raise CannotTell("the server's answers cannot be told apart: name another resource")
        found = found[:3]
        return [(found[which].ask, found[which].expected) for which in _PATTERNS[len(found)]]
