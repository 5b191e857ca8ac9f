"""`httpio_cli._fetch.policy`, `_limits`, `_outcomes`, `_conditions`: decisions that need no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from httpio import HTTPResponse
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._fetch.conditions import Etags, time_condition
from httpio_cli._fetch.entries import Entry
from httpio_cli._fetch.jobs import Job, Resume
from httpio_cli._fetch.limits import RateLimit
from httpio_cli._fetch.naming import Wanted
from httpio_cli._fetch.outcomes import Outcome, Recorder, Result, in_units, result_of
from httpio_cli._fetch.policy import Verdict, complete_size, judge, pause_before, refused
from httpio_cli._urls import parse_url

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://localhost/x"


def wanted(number: int = 0) -> Wanted:
    return Wanted(number, Entry(URL, ""), parse_url(URL), "x", "x", "x.part", ("x", URL))


def response(status: int, length: int | None = 0, **fields: str) -> HTTPResponse:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return HTTPResponse("GET", "/x", status, f"Reason\r\n{lines}".encode(), length)


def job(*, resume: Resume | None = None, conditions: bool = False) -> Job:
    made = Job(wanted(), 0.0)
    made.resume = resume
    if conditions:
        made.conditions = (("If-None-Match", '"v"'),)
    return made


RESUME = Resume(5, '"v"', 10)


class TestJudging:
    @pytest.mark.parametrize(
        ("answer", "verdict"),
        [
            (response(200), Verdict.CONTENT),
            (response(203), Verdict.CONTENT),
            (response(202), Verdict.FAILURE),
            (response(204), Verdict.FAILURE),
            (response(206, Content_Range="bytes 0-9/10"), Verdict.FAILURE),
            (response(301, Location="/y"), Verdict.REDIRECT),
            (response(308, Location="/y"), Verdict.REDIRECT),
            (response(301), Verdict.FAILURE),
            (response(300, Location="/y"), Verdict.FAILURE),
            (response(304), Verdict.FAILURE),
            (response(404), Verdict.FAILURE),
            (response(416), Verdict.FAILURE),
            (response(408), Verdict.TEMPORARY),
            (response(429), Verdict.TEMPORARY),
            (response(503), Verdict.TEMPORARY),
            (response(501), Verdict.FAILURE),
            (response(999), Verdict.FAILURE),
        ],
    )
    def test_statuses(self, answer: HTTPResponse, verdict: Verdict) -> None:
        assert judge(answer, job()) is verdict

    def test_not_modified(self) -> None:
        assert judge(response(304), job(conditions=True)) is Verdict.NOT_MODIFIED

    @pytest.mark.parametrize(
        ("answer", "verdict"),
        [
            (response(206, 5, Content_Range="bytes 5-9/10"), Verdict.REST),
            (response(206, None, Content_Range="bytes 5-9/10"), Verdict.REST),
            (response(206, 3, Content_Range="bytes 5-7/10"), Verdict.REST),
            (response(206, 5, Content_Range="bytes 5-9/*"), Verdict.REST),
            (response(206, 5, Content_Range="bytes 5-9/10", ETag='"v"'), Verdict.REST),
            (response(206, 5, Content_Range="bytes 5-9/10", ETag='"w"'), Verdict.START_AGAIN),
            (response(206, 6, Content_Range="bytes 4-9/10"), Verdict.START_AGAIN),
            (response(206, 5, Content_Range="bytes 5-9/11"), Verdict.START_AGAIN),
            (response(206, 5, Content_Range="lines 5-9/10"), Verdict.START_AGAIN),
            # Not what it says: more or less of it, more than there is, nothing.
            (response(206, 6, Content_Range="bytes 5-9/10"), Verdict.START_AGAIN),
            (response(206, 4, Content_Range="bytes 5-9/10"), Verdict.START_AGAIN),
            (response(206, 6, Content_Range="bytes 5-10/10"), Verdict.START_AGAIN),
            (response(206, 0, Content_Range="bytes 5-4/10"), Verdict.START_AGAIN),
            (response(206, 5), Verdict.START_AGAIN),
            (response(416), Verdict.START_AGAIN),
            (response(200), Verdict.CONTENT),
        ],
    )
    def test_resuming(self, answer: HTTPResponse, verdict: Verdict) -> None:
        assert judge(answer, job(resume=RESUME)) is verdict

    def test_a_part_of_nobody_knows_how_much(self) -> None:
        unknown = job(resume=Resume(5, '"v"', None))
        answer = response(206, 5, Content_Range="bytes 5-9/10")
        assert judge(answer, unknown) is Verdict.REST
        answer = response(206, 5, Content_Range="bytes 5-9/*")
        assert judge(answer, unknown) is Verdict.START_AGAIN

    def test_sizes(self) -> None:
        assert complete_size(response(200, 7), None) == 7
        assert complete_size(response(200, None), None) is None
        unknown = Resume(5, '"v"', None)
        assert complete_size(response(206, 5, Content_Range="bytes 5-9/10"), unknown) == 10
        assert complete_size(response(206, 5, Content_Range="bytes 5-9/*"), RESUME) == 10

    def test_hints(self) -> None:
        url = parse_url("http://user:secret@localhost/x")
        assert str(refused(response(401), url)) == (
            "http://localhost/x: the server answered 401 Reason; "
            "give credentials with --user or --netrc"
        )
        assert refused(response(204), url).code is ExitCode.HTTP_ERROR
        assert "--location" in refused(response(302), url).hint
        assert refused(response(206), url).code is ExitCode.RANGE_FAILED


def test_pauses_double_and_have_an_end() -> None:
    for failures, least, most in ((1, 0.5, 1), (2, 1, 2), (3, 2, 4), (50, 30, 60)):
        for _ in range(20):
            assert least <= pause_before(failures, 1.0) <= most
    assert pause_before(3, 0.0) == 0.0
    assert pause_before(10_000, 100.0) <= 100.0


class TestRates:
    def test_no_limit(self) -> None:
        assert RateLimit(None).pause_after(1 << 40, 0.0) == 0.0

    def test_in_the_long_run_it_is_kept(self) -> None:
        limit = RateLimit(1000)
        now = 100.0
        for _ in range(50):
            now += limit.pause_after(500, now)
        assert now - 100 == pytest.approx(50 * 500 / 1000, abs=0.3)

    def test_a_pause_saves_little_up(self) -> None:
        limit = RateLimit(1000)
        limit.pause_after(1, 0.0)
        assert limit.pause_after(1000, 1000.0) == pytest.approx(0.75)

    def test_pieces_are_small_enough_for_it(self) -> None:
        assert RateLimit(None).piece_size == 256 * 1024
        assert RateLimit(80_000).piece_size == 10_000
        assert RateLimit(10).piece_size == 1024


class TestOutcomes:
    def results(self, *codes: ExitCode | None) -> Recorder:
        recorder = Recorder(len(codes))
        for number, code in enumerate(codes):
            error = None if code is None else CommandError(code, "what")
            outcome = Outcome.FETCHED if code is None else Outcome.FAILED
            recorder.record(Result(wanted(number), outcome, URL, error=error))
        return recorder

    @pytest.mark.parametrize(
        ("codes", "expected"),
        [
            ((None, None), ExitCode.OK),
            ((ExitCode.HTTP_ERROR,), ExitCode.HTTP_ERROR),
            ((ExitCode.CHECKSUM,), ExitCode.CHECKSUM),
            ((None, ExitCode.HTTP_ERROR), ExitCode.SOME_FAILED),
            ((None, ExitCode.CHECKSUM), ExitCode.CHECKSUM),
            ((ExitCode.CHECKSUM, ExitCode.HTTP_ERROR), ExitCode.SOME_FAILED),
        ],
    )
    def test_codes(self, codes: tuple[ExitCode | None, ...], expected: ExitCode) -> None:
        assert self.results(*codes).summary.exit_code is expected

    def test_whether_another_run_may_do_better(self) -> None:
        assert not self.results(None, ExitCode.HTTP_ERROR, ExitCode.CHECKSUM).summary.may_go_on
        assert self.results(None, ExitCode.PARTIAL).summary.may_go_on
        busy = Result(
            wanted(), Outcome.FAILED, URL, 503, error=CommandError(ExitCode.HTTP_ERROR, "")
        )
        assert busy.may_pass

    def test_what_is_open(self) -> None:
        recorder = Recorder(2)
        recorder.record(Result(wanted(1), Outcome.SKIPPED, URL))
        assert recorder.is_open(wanted(0))
        assert not recorder.is_open(wanted(1))

    def test_times(self) -> None:
        made = job()
        made.queued_at, made.sent_at, made.first_byte_at = 1.0, 3.0, 3.5
        result = result_of(made, Outcome.FETCHED, 7.0)
        assert (result.queued, result.first_byte, result.total) == (2.0, 0.5, 4.0)

    def test_units(self) -> None:
        assert [in_units(size) for size in (0, 1023, 1024, 1536 << 10, 5 << 30, 1 << 50)] == [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "1.5 MiB",
            "5.0 GiB",
            "1024.0 TiB",
        ]


class TestConditions:
    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("2026-01-31", ("If-Modified-Since", "Sat, 31 Jan 2026 00:00:00 GMT")),
            ("2026-01-31T12:00:00+02:00", ("If-Modified-Since", "Sat, 31 Jan 2026 10:00:00 GMT")),
            (
                "Sat, 31 Jan 2026 12:00:00 GMT",
                ("If-Modified-Since", "Sat, 31 Jan 2026 12:00:00 GMT"),
            ),
            ("-2026-01-31", ("If-Unmodified-Since", "Sat, 31 Jan 2026 00:00:00 GMT")),
        ],
    )
    def test_dates(self, text: str, field: tuple[str, str]) -> None:
        assert time_condition(text) == field

    @pytest.mark.parametrize("text", ["", "yesteryear", "2026-13-01", "a\0b"])
    def test_what_is_no_date(self, text: str) -> None:
        with pytest.raises(CommandError) as info:
            time_condition(text)
        assert info.value.code is ExitCode.USAGE

    def test_a_file_of_entity_tags_is_kept_but_for_what_is_new(self, tmp_path: Path) -> None:
        path = tmp_path / "etags"
        path.write_text(f'"old"\t{URL}\n"other"\thttp://localhost/y\nnonsense\n')
        etags = Etags(str(path), str(path), alone=False)
        assert etags.known(wanted()) == '"old"'
        etags.note(wanted(), '"new"')
        etags.note(wanted(), None)
        etags.save()
        assert path.read_text() == f'"new"\t{URL}\n"other"\thttp://localhost/y\n'
        assert list(tmp_path.iterdir()) == [path]

    def test_what_cannot_be_sent_is_not_compared(self, tmp_path: Path) -> None:
        path = tmp_path / "etags"
        path.write_text(f'"a\x01"\t{URL}\n')
        assert Etags(str(path), None, alone=True).known(wanted()) is None
        assert Etags(str(tmp_path / "missing"), None, alone=True).known(wanted()) is None
