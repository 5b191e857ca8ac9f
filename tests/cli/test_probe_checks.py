"""Each check finds what a server does that behaves, and what one does that does not."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection
from httpio_cli._probe.checks import CHECKS, run_check
from httpio_cli._probe.exchange import CONTENT_LIMIT
from httpio_cli._probe.model import CheckResult, Target, Verdict
from httpio_cli._probe.pipeline_checks import TIMED, Times, judge_times
from httpio_cli._probe.subject import MISSING_PATH, Limits, Resources, Subject
from tests.support.answering import Answer, AnsweringServer, Asked, Then, last, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpio import Tracer

CONTENT = b"content of the resource"
QUICK = Limits(timeout=5.0, patience=0.2, idle=0.3, requests=10, depth=8, refused_size=200_000)


def target_of(server: AnsweringServer) -> Target:
    def connect(tracer: Tracer | None, seconds: float | None) -> HTTPConnection:
        return HTTPConnection("localhost", unix_socket=server.path, tracer=tracer, timeout=seconds)

    return Target("http://localhost/", "/", connect)


@contextmanager
def serving(
    answer: Callable[[Asked], bytes | Answer],
    early: Callable[[Asked], Answer | None] | None = None,
) -> Iterator[AnsweringServer]:
    with AnsweringServer(answer, early=early) as server, server.in_thread():
        yield server


def check(
    check_id: str,
    answer: Callable[[Asked], bytes | Answer],
    *,
    early: Callable[[Asked], Answer | None] | None = None,
    limits: Limits = QUICK,
    resources: Resources | None = None,
) -> CheckResult:
    with serving(answer, early) as server:
        return run_check(CHECKS[check_id], Subject(target_of(server), limits, resources))


def made(asked: Asked, content: bytes = CONTENT, *field_lines: str) -> bytes:
    """Return an answer that has no content if the request is HEAD."""
    data = ok(content, *field_lines)
    return data[: data.index(b"\r\n\r\n") + 4] if asked.method == "HEAD" else data


def ending(asked: Asked, then: Then = Then.CLOSE, *field_lines: str) -> Answer:
    """Return an answer after which the connection ends."""
    return Answer(made(asked, CONTENT, *field_lines), then)


def data_of(answer: bytes | Answer) -> bytes:
    return answer.data if isinstance(answer, Answer) else answer


def announced(asked: Asked) -> Answer:
    """Return an answer after which the connection ends as it says."""
    return ending(asked, Then.CLOSE, "Connection: close")


def closing(asked: Asked, content: bytes = CONTENT) -> bytes | Answer:
    """Return an answer, and close if that was asked for."""
    data = made(asked, content)
    if asked.headers.get("connection") == "close":
        return Answer(made(asked, content, "Connection: close"), Then.CLOSE)
    return data


def good(asked: Asked) -> bytes | Answer:
    """A server that does everything right: ranges, validators, 404."""
    if asked.path == MISSING_PATH:
        return ok(b"nothing here", status="404 Not Found")
    close = asked.headers.get("connection") == "close"
    then = Then.CLOSE if close else Then.KEEP
    fields = ['ETag: "tag"', *(["Connection: close"] if close else [])]
    wanted = asked.headers.get("range")
    if wanted and asked.method == "GET":
        offset = int(wanted.removeprefix("bytes=").partition("-")[0])
        fields.append(f"Content-Range: bytes {offset}-{offset}/{len(CONTENT)}")
        content = CONTENT[offset : offset + 1]
        return Answer(ok(content, *fields, status="206 Partial Content"), then)
    if asked.headers.get("if-none-match") == '"tag"':
        return b'HTTP/1.1 304 Not Modified\r\nETag: "tag"\r\n\r\n'
    return Answer(made(asked, CONTENT, *fields), then)


def plain(asked: Asked) -> bytes | Answer:
    """A server that knows neither ranges nor validators."""
    if asked.path == MISSING_PATH:
        return ok(b"nothing here", status="404 Not Found")
    return closing(asked, CONTENT)


GET = frozenset({"GET", "HEAD", "OPTIONS"})


@pytest.mark.parametrize("check_id", [each for each in CHECKS if each != "idle-timeout"])
@pytest.mark.parametrize("server", [good, plain], ids=["ranges", "plain"])
def test_only_safe_methods_unless_told(
    check_id: str, server: Callable[[Asked], bytes | Answer]
) -> None:
    with serving(server) as serves:
        run_check(CHECKS[check_id], Subject(target_of(serves), QUICK))
        assert {asked.method for asked in serves.asked} <= GET


class TestKeepAlive:
    def test_kept(self) -> None:
        result = check("keepalive", good)
        assert result.verdict is Verdict.PASS
        assert result.facts["answered"] == 3
        assert "206 ×3" in result.evidence

    def test_closed_as_announced(self) -> None:
        result = check("keepalive", announced)
        assert result.verdict is Verdict.INFO
        assert "Connection: close" in result.evidence

    def test_http_1_0_announces_by_itself(self) -> None:
        def answer(asked: Asked) -> Answer:
            return Answer(made(asked).replace(b"HTTP/1.1", b"HTTP/1.0"), Then.CLOSE)

        result = check("keepalive", answer)
        assert result.verdict is Verdict.INFO
        assert "HTTP/1.0" in result.evidence

    def test_closed_without_a_word(self) -> None:
        result = check("keepalive", ending)
        assert result.verdict is Verdict.FAIL
        assert result.section == "RFC 9112 §9.3, Persistence"

    def test_once_is_no_proof(self) -> None:
        closed: list[int] = []

        def answer(asked: Asked) -> bytes | Answer:
            # The first connection on which a second request comes is closed after it.
            if asked.number == 1 and not closed:
                closed.append(asked.connection)
                return ending(asked)
            return plain(asked)

        assert check("keepalive", answer).verdict is Verdict.PASS
        assert closed


class TestPipelineOrder:
    def test_ranges_tell_answers_apart(self) -> None:
        result = check("pipeline-order", good)
        assert result.verdict is Verdict.PASS
        assert "206 ×8" in result.evidence

    def test_other_resources_tell_answers_apart(self) -> None:
        result = check("pipeline-order", plain)
        assert result.verdict is Verdict.PASS
        assert "404" in result.evidence

    def test_swapped_answers(self) -> None:
        held: list[Asked] = []

        def answer(asked: Asked) -> bytes | Answer:
            # Two answers at a time, in the wrong order, when there is a second request.
            if "range" not in asked.headers or asked.connection < 2:
                return good(asked)
            held.append(asked)
            if len(held) % 2:
                return b""
            first, second = (data_of(good(each)) for each in held[-2:])
            return second + first

        result = check("pipeline-order", answer)
        assert result.verdict is Verdict.FAIL
        assert "answer 1 is that to number 2" in result.evidence

    def test_a_request_is_lost(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return b"" if asked.number == 3 else good(asked)

        result = check("pipeline-order", answer, limits=Limits(timeout=0.5))
        assert result.verdict is Verdict.FAIL
        assert result.facts["answered"] == 7
        assert "answer 4 is that to number 5" in result.evidence

    def test_a_server_that_stops_answering(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return Answer(b"", Then.DEAF) if asked.number == 3 else good(asked)

        result = check("pipeline-order", answer, limits=Limits(timeout=0.5))
        assert result.verdict is Verdict.FAIL
        assert result.facts["answered"] == 3
        assert "within 0.5 s" in result.evidence

    def test_answers_that_are_all_the_same(self) -> None:
        result = check("pipeline-order", lambda asked: ok(b""))
        assert result.verdict is Verdict.UNKNOWN
        assert "cannot be told apart" in result.evidence

    def test_a_page_that_changes_is_no_wrong_order(self) -> None:
        visits = iter(range(1000, 10_000))

        def answer(asked: Asked) -> bytes | Answer:
            if asked.path == MISSING_PATH:
                return plain(asked)
            return closing(asked, b"visitor %d" % next(visits))

        assert check("pipeline-order", answer).verdict is Verdict.PASS

    def test_a_server_that_limits_the_rate(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return ok(b"", status="429 Too Many Requests") if asked.number > 3 else good(asked)

        result = check("pipeline-order", answer)
        assert result.verdict is Verdict.UNKNOWN
        assert "limits" in result.evidence

    def test_a_large_resource_with_ranges(self) -> None:
        """Nothing reads more of it than it has to."""

        def answer(asked: Asked) -> bytes | Answer:
            if "range" in asked.headers or asked.method == "HEAD":
                return good(asked)
            return Answer(ok(b"")[:-4] + b"\r\nX: y\r\n\r\n", Then.RESET)

        for check_id in ("pipeline-order", "pipeline-head", "keepalive", "pipeline-depth"):
            assert check(check_id, answer).verdict is Verdict.PASS

    def test_a_large_resource_without(self) -> None:
        size = 1 << 40

        def answer(asked: Asked) -> bytes | Answer:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
            return Answer(head + bytes(CONTENT_LIMIT + 1), Then.DEAF)

        result = check("pipeline-order", answer)
        assert result.verdict is Verdict.UNKNOWN
        assert f"more than {CONTENT_LIMIT} bytes" in result.evidence

    @pytest.mark.exhaustive
    def test_a_slow_server_is_no_broken_one(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            time.sleep(0.15)
            return good(asked)

        limits = Limits(timeout=0.4)
        assert check("pipeline-order", answer, limits=limits).verdict is Verdict.PASS
        result = check("pipeline-depth", answer, limits=limits)
        assert result.verdict is Verdict.UNKNOWN
        assert check("keepalive", answer, limits=limits).verdict is Verdict.PASS
        assert check("close-midway", answer, limits=limits).verdict is Verdict.PASS


class TestPipelineHead:
    def test_without_content(self) -> None:
        assert check("pipeline-head", good).verdict is Verdict.PASS

    def test_with_content(self) -> None:
        result = check("pipeline-head", lambda asked: ok(CONTENT))
        assert result.verdict is Verdict.FAIL
        assert "HEAD" in result.evidence


class TestPipeline204:
    def test_304_by_itself(self) -> None:
        result = check("pipeline-204", good)
        assert result.verdict is Verdict.PASS
        assert "304, 206, 304, 206" in result.evidence

    def test_204_that_was_named(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return b"HTTP/1.1 204 No Content\r\n\r\n" if asked.path == "/none" else plain(asked)

        result = check("pipeline-204", answer, resources=Resources(no_content="/none"))
        assert result.verdict is Verdict.PASS
        assert "204" in result.evidence

    def test_204_with_content(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.path == "/none":
                return b"HTTP/1.1 204 No Content\r\n\r\nstray"
            return plain(asked)

        result = check("pipeline-204", answer, resources=Resources(no_content="/none"))
        assert result.verdict is Verdict.FAIL

    def test_nothing_to_try(self) -> None:
        result = check("pipeline-204", plain)
        assert result.verdict is Verdict.SKIPPED
        assert "--no-content-url" in result.evidence


class TestPipelineDepth:
    def test_up_to_the_limit(self) -> None:
        result = check("pipeline-depth", good)
        assert result.verdict is Verdict.PASS
        assert result.facts == {"depth": 8, "limited": False}

    def test_announced_end(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return announced(asked) if asked.number == 4 else plain(asked)

        result = check("pipeline-depth", answer)
        assert result.verdict is Verdict.INFO
        assert result.facts == {"depth": 5, "limited": True}

    def test_one_at_a_time(self) -> None:
        result = check("pipeline-depth", ending)
        assert result.verdict is Verdict.WARN
        assert result.facts == {"depth": 1, "limited": True}


class TestCloseMidway:
    def test_closed_after_its_answer(self) -> None:
        result = check("close-midway", good)
        assert result.verdict is Verdict.PASS
        assert result.facts["answered"] == 3

    def test_ignored(self) -> None:
        result = check("close-midway", made)
        assert result.verdict is Verdict.FAIL
        assert "not closed" in result.evidence

    def test_what_is_behind_is_answered(self) -> None:
        together: list[int] = [0]

        def answer(asked: Asked) -> bytes | Answer:
            # It closes after an answer that was to be the last, unless more has come by then.
            made = closing(asked)
            if isinstance(made, Answer) and asked.number == 2 and len(together) == 2:
                return made.data
            if isinstance(made, Answer) and asked.number == 2:
                together.append(asked.connection)
            if asked.number == 4:
                return Answer(made if isinstance(made, bytes) else made.data, Then.CLOSE)
            return made

        result = check("close-midway", answer)
        assert result.verdict is Verdict.FAIL
        assert "5 answered, though nothing behind it may be processed" in result.evidence

    def test_answers_before_are_lost(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.method == "HEAD":
                return Answer(b"", Then.CLOSE)
            made = closing(asked)
            if isinstance(made, Answer) and asked.number == 2:
                return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", Then.CLOSE)
            return made

        result = check("close-midway", answer)
        assert result.verdict is Verdict.FAIL
        assert "cut off" in result.evidence

    @pytest.mark.parametrize(
        ("status", "verdict"),
        [("400 Bad Request", Verdict.FAIL), ("503 Service Unavailable", Verdict.UNKNOWN)],
    )
    def test_another_answer_than_before(self, status: str, verdict: Verdict) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.number == 2:
                return Answer(ok(b"", "Connection: close", status=status), Then.CLOSE)
            return good(asked)

        assert check("close-midway", answer).verdict is verdict

    def test_a_status_of_400_that_is_always_so(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            answered = good(asked)
            then = answered.then if isinstance(answered, Answer) else Then.KEEP
            data = data_of(answered).replace(b"200 OK", b"400 No")
            return Answer(data.replace(b"206 Partial Content", b"400 No"), then)

        assert check("close-midway", answer).verdict is Verdict.PASS

    def test_a_server_that_closes_always(self) -> None:
        assert check("close-midway", announced).verdict is Verdict.INFO


class TestMaxRequests:
    def test_no_end(self) -> None:
        result = check("max-requests", good)
        assert result.verdict is Verdict.INFO
        assert result.facts["answered"] == 10

    @pytest.mark.parametrize(
        ("end", "verdict"),
        [
            (announced, Verdict.INFO),
            (ending, Verdict.WARN),
            (lambda asked: ending(asked, Then.RESET), Verdict.WARN),
        ],
        ids=["announced", "closed", "reset"],
    )
    def test_end(self, end: Callable[[Asked], Answer], verdict: Verdict) -> None:
        result = check(
            "max-requests", lambda asked: end(asked) if asked.number == 6 else plain(asked)
        )
        assert result.verdict is verdict
        assert result.facts["answered"] == 7


class TestIdleTimeout:
    def test_open_till_the_limit(self) -> None:
        result = check("idle-timeout", good)
        assert result.verdict is Verdict.INFO
        assert result.facts["closed"] is False
        assert "--idle-limit" in result.evidence

    def test_closed_at_once_without_a_word(self) -> None:
        result = check("idle-timeout", ending)
        assert result.verdict is Verdict.WARN
        assert result.facts["closed"] is True

    def test_promise_not_kept(self) -> None:
        def answer(asked: Asked) -> Answer:
            return ending(asked, Then.CLOSE, "Keep-Alive: timeout=5")

        result = check("idle-timeout", answer)
        assert result.verdict is Verdict.WARN
        assert result.facts["promised"] == 5

    def test_unasked_answer(self) -> None:
        # Two answers to each request: what every other check would call nonsense.
        def answer(asked: Asked) -> bytes | Answer:
            return made(asked) + made(asked)

        result = check("idle-timeout", answer)
        assert result.verdict is Verdict.FAIL
        assert "no request was outstanding" in result.evidence


def sends_continue(asked: Asked) -> Answer | None:
    if "expect" in asked.headers:
        return Answer(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


UPLOAD = Resources(upload="/upload")


class TestExpect100:
    def test_continue(self) -> None:
        result = check("expect-100", plain, early=sends_continue, resources=UPLOAD)
        assert result.verdict is Verdict.PASS
        assert result.facts == {"continue": True, "status": 200}

    def test_silence(self) -> None:
        result = check("expect-100", plain, resources=UPLOAD)
        assert result.verdict is Verdict.FAIL
        assert result.facts["continue"] is False

    def test_a_server_that_is_slow_anyway(self) -> None:
        def slowly(asked: Asked) -> Answer | None:
            time.sleep(0.3)  # more than there is patience for
            return sends_continue(asked)

        result = check("expect-100", plain, early=slowly, resources=UPLOAD)
        assert result.verdict is Verdict.PASS

    def test_417(self) -> None:
        refusal = last(b"")
        refusal = Answer(refusal.data.replace(b"200 OK", b"417 Expectation Failed"), Then.CLOSE)

        def early(asked: Asked) -> Answer | None:
            return refusal if "expect" in asked.headers else None

        result = check("expect-100", plain, early=early, resources=UPLOAD)
        assert result.verdict is Verdict.INFO

    def test_without_an_upload_a_final_answer_tells_nothing(self) -> None:
        def early(asked: Asked) -> Answer | None:
            if asked.method != "OPTIONS":
                return None
            return Answer(last(b"").data.replace(b"200 OK", b"405 Method Not Allowed"), Then.CLOSE)

        result = check("expect-100", plain, early=early)
        assert result.verdict is Verdict.UNKNOWN
        assert "--upload-url" in result.evidence

    def test_without_an_upload_continue_tells_all(self) -> None:
        assert check("expect-100", plain, early=sends_continue).verdict is Verdict.PASS


REFUSED = Resources(refused="/small")


def refusal(then: Then = Then.DEAF) -> Answer:
    return Answer(last(b"").data.replace(b"200 OK", b"413 Content Too Large"), then)


class TestEarlyResponse:
    def test_early(self) -> None:
        result = check(
            "early-response",
            plain,
            early=lambda asked: refusal() if asked.method == "PUT" else None,
            resources=REFUSED,
        )
        assert result.verdict is Verdict.PASS
        assert result.facts["status"] == 413
        sent = result.facts["sent"]
        assert isinstance(sent, int)
        assert sent < QUICK.refused_size

    def test_late(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            return refusal(Then.CLOSE) if asked.method == "PUT" else plain(asked)

        result = check("early-response", answer, resources=REFUSED)
        assert result.verdict is Verdict.INFO
        assert result.facts == {"early": False, "sent": 200_000, "status": 413, "lost": False}

    def test_lost(self) -> None:
        result = check(
            "early-response",
            plain,
            early=lambda asked: Answer(b"", Then.RESET) if asked.method == "PUT" else None,
            resources=REFUSED,
        )
        assert result.verdict is Verdict.WARN
        assert result.facts["lost"] is True

    def test_accepted_early(self) -> None:
        """An answer that is no refusal does not end the upload."""

        def early(asked: Asked) -> Answer | None:
            return Answer(ok(b""), Then.KEEP) if asked.method == "PUT" else None

        result = check("early-response", plain, early=early, resources=REFUSED)
        assert result.verdict is Verdict.SKIPPED
        assert "not refused" in result.evidence

    def test_not_refused(self) -> None:
        result = check("early-response", plain, resources=REFUSED)
        assert result.verdict is Verdict.SKIPPED
        assert "not refused" in result.evidence

    def test_needs_a_resource(self) -> None:
        result = check("early-response", plain)
        assert result.verdict is Verdict.SKIPPED
        assert "--refused-url" in result.evidence


class TestChunkedTrailers:
    def test_taken(self) -> None:
        with serving(plain) as server:
            subject = Subject(target_of(server), QUICK, UPLOAD)
            result = run_check(CHECKS["chunked-trailers"], subject)
            upload = next(asked for asked in server.asked if asked.method == "PUT")
        assert result.verdict is Verdict.PASS
        assert upload.content == b"httpio probe: this may be deleted\n"
        assert upload.headers["transfer-encoding"] == "chunked"

    @pytest.mark.parametrize(
        ("status", "verdict"),
        [("411 Length Required", Verdict.INFO), ("400 Bad Request", Verdict.FAIL)],
    )
    def test_not_taken(self, status: str, verdict: Verdict) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.method == "OPTIONS" and "transfer-encoding" in asked.headers:
                return ok(b"", status=status)
            return plain(asked)

        assert check("chunked-trailers", answer).verdict is verdict

    def test_refused_whatever_the_framing_is(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.method == "OPTIONS":
                return ok(b"", status="400 Bad Request")
            return plain(asked)

        assert check("chunked-trailers", answer).verdict is Verdict.UNKNOWN

    def test_an_answer_before_the_end_of_it_tells_nothing(self) -> None:
        def early(asked: Asked) -> Answer | None:
            refusal = ok(b"", status="405 Method Not Allowed")
            return Answer(refusal) if asked.method == "OPTIONS" else None

        # A unix socket cannot hold back what is sent, so the answer may or may not come before the end.
        result = check("chunked-trailers", plain, early=early)
        assert result.verdict in (Verdict.UNKNOWN, Verdict.PASS)

    def test_nothing_else_is_asked_between_the_two(self) -> None:
        with serving(plain) as server:
            run_check(CHECKS["chunked-trailers"], Subject(target_of(server), QUICK, UPLOAD))
            methods = [asked.method for asked in server.asked]
        # The connection would be idle meanwhile, which a server may end.
        assert methods.index("PUT") == len(methods) - 2

    def test_content_taken_for_a_request(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.method == "OPTIONS":
                return ok(b"") + ok(b"", status="400 Bad Request")
            return plain(asked)

        result = check("chunked-trailers", answer)
        assert result.verdict in (Verdict.FAIL, Verdict.UNKNOWN)

    def test_trailers_of_answers(self) -> None:
        def answer(asked: Asked) -> bytes | Answer:
            if asked.headers.get("te") == "trailers":
                return (
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"3\r\nabc\r\n0\r\nDigest: x\r\n\r\n"
                )
            return plain(asked)

        result = check("chunked-trailers", answer)
        assert result.facts["response_trailers"] == "Digest"


class TestProxySerialises:
    @pytest.mark.parametrize(
        ("first_hop", "alone", "together", "verdict"),
        [
            (0.001, 0.101, 0.601, Verdict.INFO),
            (0.001, 0.101, 0.460, Verdict.INFO),
            (0.001, 0.101, 0.110, Verdict.PASS),
            (0.001, 0.101, 0.090, Verdict.PASS),
            (0.001, 0.101, 0.350, Verdict.UNKNOWN),
            (0.001, 0.003, 0.013, Verdict.UNKNOWN),
            (0.100, 0.120, 0.240, Verdict.UNKNOWN),
        ],
    )
    def test_times(self, first_hop: float, alone: float, together: float, verdict: Verdict) -> None:
        times = Times("GET", first_hop, alone, together, "")
        found, evidence, facts = judge_times(times, named=False)
        assert found is verdict
        assert facts["requests"] == TIMED
        if alone - first_hop < 0.05:
            assert "--slow-url" in evidence
            assert "--slow-url" not in judge_times(times, named=True)[1]

    def test_who_it_may_be(self) -> None:
        times = Times("GET", 0.001, 0.101, 0.601, "1.1 squid")
        assert "Via: 1.1 squid" in judge_times(times, named=True)[1]

    def test_not_all_are_answered(self) -> None:
        result = check("proxy-serialises", ending)
        assert result.verdict in (Verdict.SKIPPED, Verdict.UNKNOWN)


class TestBroken:
    """Whatever the server does, each check ends with a verdict."""

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("check_id", CHECKS)
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        ],
        ids=["nothing", "other", "short", "length", "chunk", "head"],
    )
    @pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET], ids=["close", "reset"])
    def test_verdict(self, check_id: str, data: bytes, then: Then) -> None:
        limits = Limits(timeout=1.0, patience=0.1)
        result = check(check_id, lambda asked: Answer(data, then), limits=limits)
        assert result.verdict in (Verdict.SKIPPED, Verdict.UNKNOWN, Verdict.FAIL)
        assert "\n" not in result.evidence

    def test_a_server_that_never_answers(self) -> None:
        limits = Limits(timeout=0.1, patience=0.05)
        result = check("keepalive", lambda asked: Answer(b"", Then.DEAF), limits=limits)
        assert result.verdict is Verdict.UNKNOWN
        assert "within 0.1 s" in result.evidence

    @pytest.mark.parametrize("check_id", ["idle-timeout", "keepalive", "pipeline-order"])
    def test_numbers_that_are_none(self, check_id: str) -> None:
        digits = "9" * 5000

        def answer(asked: Asked) -> bytes | Answer:
            fields = f"Keep-Alive: timeout={digits}", f"Content-Range: bytes 0-0/{digits}"
            return ok(b"x", *fields, status="206 Partial Content")

        assert check(check_id, answer).verdict is not Verdict.SKIPPED


def test_evidence_has_no_credentials() -> None:
    def talkative(asked: Asked) -> bytes:
        # The second one is nobody's.
        return made(asked) + ok(b"x", "Set-Cookie: sid=opensesame")

    result = check("keepalive", talkative)
    assert result.verdict is Verdict.FAIL
    assert "Set-Cookie: [redacted]" in result.evidence
    assert "opensesame" not in result.evidence
