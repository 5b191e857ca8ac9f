"""Checks of requests with content.

Unless the operator names a resource that takes uploads, OPTIONS is used: it is safe, and may have
content (RFC 9110 §9.3.7). It tells less, because most servers answer it without reading that.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

from httpio import (
    BodyFollowing,
    ConnectionClosed,
    ConnectionTimedOut,
    EarlyResponse,
    HTTPIOError,
    run,
)
from httpio_cli._errors import said_by

from .exchange import Ask, Client, corked
from .model import Verdict
from .subject import CannotCheck, CannotTell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from httpio import HTTPResponse

    from .connection_checks import Finding
    from .model import Facts
    from .subject import Subject

#: What is uploaded.
CONTENT: Final = b"httpio probe: this may be deleted\n"
TRAILER: Final = "X-Httpio-Probe"
_PIECE: Final = 16 * 1024


def _upload(subject: Subject, *more: tuple[str, str]) -> Ask:
    resources = subject.resources
    fields = (("Content-Type", "text/plain"), *more)
    if resources.upload is None:
        return Ask("OPTIONS", subject.target.path, fields)
    return Ask(resources.upload_method, resources.upload, fields)


def _is_safe(ask: Ask) -> bool:
    return ask.method == "OPTIONS"


_NAME_ONE: Final = "name a resource that takes uploads with --upload-url"


def expect_100(subject: Subject) -> Finding:
    """Ask for 100 (Continue) before content is sent."""
    ask = _upload(subject)
    patience = _patience(subject)
    with subject.client(seconds=subject.limits.timeout + patience) as client:
        sent = f"{ask} with Expect: 100-continue on connection {client.number}"
        client.send(ask, BodyFollowing(len(CONTENT)), expect100=True)
        begun = monotonic()
        first = _head_within(client, patience)
        waited = monotonic() - begun
        if first is None:
            return _unasked(client, sent, patience)
        if first.status == 100:
            try:
                client.write(CONTENT)
            except EarlyResponse:
                # It has changed its mind.
                pass
            final = client.receive()
            evidence = f"{sent}: 100 after {waited * 1000:.1f} ms, then {final.status}"
            return Verdict.PASS, evidence, {"continue": True, "status": final.status}
        client.content(first)
    facts: Facts = {"continue": False, "status": first.status}
    came = f"{sent}: {first.status} at once, without 100"
    if first.status == 417:
        return Verdict.INFO, f"{came}: no expectations are met here", facts
    if _is_safe(ask):
        return Verdict.UNKNOWN, f"{came}; {_NAME_ONE}", facts
    if first.status < 400:
        return Verdict.WARN, f"{came}, though the content was not sent", facts
    return Verdict.INFO, f"{came}: the upload is refused, which tells nothing of others", facts


def _patience(subject: Subject) -> float:
    """Return how long an answer is waited for: longer from a server that is slow anyway."""
    with suppress(CannotTell):
        # By that it is known how slow.
        _ = subject.light
    return subject.limits.patience + 2 * subject.slowest


def _head_within(client: Client, seconds: float) -> HTTPResponse | None:
    try:
        return run(client.connection.co_read_response(), deadline=min(seconds, client.left))
    except ConnectionTimedOut:
        return None


def _unasked(client: Client, sent: str, patience: float) -> Finding:
    """Send the content although nobody has said that it is wanted."""
    client.connection.proceed_without_continue()
    client.write(CONTENT)
    final = client.receive()
    facts: Facts = {"continue": False, "status": final.status}
    late = [answer.status for answer in final.response.informational]
    came = f"{sent}: nothing for {patience:.1f} s; with the content sent, {final.status}"
    if 100 in late:
        return Verdict.FAIL, f"{came}, and 100 with it, too late", facts
    return Verdict.FAIL, came, facts


def early_response(subject: Subject) -> Finding:
    """Begin an upload that is refused, and see if the refusal comes before the end of it."""
    resources, limits = subject.resources, subject.limits
    if resources.refused is None:
        raise CannotCheck(
            "an upload is needed: name a resource that refuses large ones with --refused-url"
        )
    size = limits.refused_size
    ask = Ask(
        resources.upload_method, resources.refused, (("Content-Type", "application/octet-stream"),)
    )
    with subject.client(seconds=limits.timeout + limits.patience) as client:
        sent = f"{ask} of {size} bytes on connection {client.number}"
        upload = _Upload(client, size)
        try:
            client.send(ask, BodyFollowing(size))
            upload.write(min(_PIECE, size - 1))
            upload.await_answer(limits.patience)
            while upload.written < size:
                upload.write(_PIECE)
            early = False
        except EarlyResponse:
            early = True
        except ConnectionClosed as exc:
            facts: Facts = {"early": False, "sent": upload.written, "lost": True}
            broken = f"broken after {upload.written} without an answer: {said_by(exc)}"
            return Verdict.WARN, f"{sent}: {broken}", facts
        return _judge_refusal(client, sent, upload.written, early)


class _Upload:
    """Content of nothing but zeros that is on its way."""

    def __init__(self, client: Client, size: int) -> None:
        self._client = client
        self._size = size
        self.written = 0

    def write(self, size: int) -> None:
        """Send *size* bytes, or what is left."""
        size = min(size, self._size - self.written)
        self._client.write(bytes(size))
        self.written += size

    def await_answer(self, patience: float) -> None:
        """Give the server time to answer what it has; raises `EarlyResponse` when it does."""
        client = self._client
        end = monotonic() + min(patience, client.left)
        while (left := end - monotonic()) > 0 and self.written < self._size:
            if not client.readable_within(left):
                return
            # To look at what came is part of every write. Over TLS, it may be of no concern.
            writing = client.connection.co_write(b"\0", partial=True)
            self.written += run(writing, deadline=client.left)
            if client.connection.response_pending():
                # It is no refusal, and the rest may still be wanted.
                return


def _judge_refusal(client: Client, sent: str, written: int, early: bool) -> Finding:
    try:
        answer = client.receive()
    except HTTPIOError as exc:
        facts: Facts = {"early": early, "sent": written, "lost": True}
        return Verdict.WARN, f"{sent}: the answer is lost: {said_by(exc)}", facts
    facts = {"early": early, "sent": written, "status": answer.status, "lost": False}
    if answer.status < 400:
        raise CannotCheck(f"{sent}: {answer.status}, it is not refused there")
    if early:
        return Verdict.PASS, f"{sent}: {answer.status} after {written} bytes of it", facts
    return Verdict.INFO, f"{sent}: {answer.status} only after all of it", facts


def chunked_trailers(subject: Subject) -> Finding:
    """Send chunked content with a trailer field, and one more request behind it."""
    light = subject.light
    ask = _upload(subject, ("Trailer", TRAILER))
    # Not in between: a connection must not be idle for as long as a slow answer takes.
    trailers = _answers_with(subject)
    with subject.client() as client:
        sent = f"{ask} in chunks with a trailer field on connection {client.number}"
        whole = _send_in_chunks(client, ask)
        try:
            final = client.receive()
        except ConnectionTimedOut:
            silence = f"no answer within {subject.limits.timeout:g} s"
            return Verdict.FAIL, f"{sent}: {silence}", {"status": None}
        facts: Facts = {"status": final.status, "response_trailers": trailers}
        came = f"{sent}: {final.status}"
        if trailers:
            came += f"; answers with trailer fields {trailers}"
        if final.status in (411, 501):
            return Verdict.INFO, f"{came}: content in chunks is not taken", facts
        if final.status == 400:
            other = _status_with_length(subject, ask)
            facts = {**facts, "with_length": other}
            if other == 400:
                return Verdict.UNKNOWN, f"{came}, and the same without chunks; {_NAME_ONE}", facts
            came += f", but {other} with Content-Length"
            return Verdict.FAIL, f"{came}: every recipient must take chunks", facts
        if not whole:
            # So the end of it was not sent, and nothing can be behind it.
            hint = f"; {_NAME_ONE}" if _is_safe(ask) else ""
            return Verdict.UNKNOWN, f"{came} before all of it was sent{hint}", facts
        if final.closes:
            return Verdict.PASS, f"{came}, then closed as announced", facts
        try:
            behind = client.ask(light.ask)
        except ConnectionClosed as exc:
            return Verdict.WARN, f"{came}, then no more answers: {said_by(exc)}", facts
    if not light.expected.fits(behind):
        wrong = f"{behind.status} instead of {light.expected.status} to the request behind it"
        return Verdict.FAIL, f"{came}, then {wrong}: its content was not read properly", facts
    return Verdict.PASS, f"{came}, then {behind.status} to the request behind it", facts


def _send_in_chunks(client: Client, ask: Ask) -> bool:
    """Send *ask* with content in chunks; return whether no answer came before the end of it."""
    client.connect()
    try:
        # In one piece, where that can be had: who refuses it at once has all of it by then.
        with corked(client.connection):
            client.send(ask, BodyFollowing())
            client.write(CONTENT[:7])
            client.write(CONTENT[7:])
            client.finish(((TRAILER, "trailer"),))
    except EarlyResponse:
        return False
    return True


def _status_with_length(subject: Subject, ask: Ask) -> int:
    """Return what the same request gets with Content-Length."""
    with subject.client() as client:
        fields = tuple(pair for pair in ask.fields if pair[0] != "Trailer")
        client.send(Ask(ask.method, ask.path, fields), CONTENT)
        return client.receive().status


def _answers_with(subject: Subject) -> str:
    """Return the names of the trailer fields that the server sends to those who want them."""
    ask = Ask("GET", subject.target.path, (("TE", "trailers"), ("Connection", "TE")))
    try:
        with subject.client() as client:
            return ", ".join(sorted(set(client.ask(ask).response.trailers.keys())))
    except (HTTPIOError, OSError):
        return ""
