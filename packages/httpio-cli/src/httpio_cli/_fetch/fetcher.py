"""All connections together: which there are, what becomes of a file that was not to be had."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from httpio._replay import retry_after
from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redirects import followed, location_of, too_many

from .lane import Lane
from .limits import RateLimit
from .origins import OriginQueue
from .outcomes import Outcome, result_of
from .policy import Verdict, pause_before, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final, Protocol

    from httpio import HTTPResponse
    from httpio_cli._connector import Connector
    from httpio_cli._fields import RequestFields
    from httpio_cli._urls import URL, Origin

    from .conditions import Etags
    from .jobs import Job
    from .outcomes import Recorder, Result
    from .receiving import Broken
    from .storing import Store

    class Display(Protocol):
        """What is shown while files are fetched."""

        def received(self, size: int) -> None:
            """So many bytes have come."""

        def meter(self, job: Job, size: int, length: int | None) -> Callable[[int | None], None]:
            """Return what is told how much of a large file is there, `None` at its end."""


#: Connections at once, to all origins together.
_MAX_CONNECTIONS: Final = 64
#: So many bytes of a file that breaks off are a step forward.
_STEP: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How files are fetched. Times are in seconds, sizes in bytes."""

    parallel_max: int = 2
    depth: int | None = None
    retries: int = 3
    retry_delay: float = 1.0
    #: The longest time that a server may have us wait by Retry-After.
    retry_max_time: float = 120.0
    connect_timeout: float = 60.0
    idle_timeout: float = 60.0
    max_time: float | None = None
    limit_rate: int | None = None
    max_filesize: int | None = None
    max_redirs: int = 50
    location: bool = False
    #: Redirects may lead from https to http.
    downgrade: bool = False
    fail_early: bool = False
    remote_time: bool = False


class Fetcher:
    """Fetches files into *store*, and tells *recorder* what became of each."""

    def __init__(
        self,
        settings: FetchSettings,
        connector: Connector,
        fields: RequestFields,
        store: Store,
        recorder: Recorder,
        etags: Etags | None = None,
        display: Display | None = None,
    ) -> None:
        self.settings: Final = settings
        self.store: Final = store
        self.limit: Final = RateLimit(settings.limit_rate)
        self._connector: Final = connector
        self._fields: Final = fields
        self._recorder: Final = recorder
        self._etags: Final = etags
        self._display: Final = display
        self._origins: Final[dict[Origin, OriginQueue]] = {}
        #: What every request to an origin has, with and without credentials.
        self._common: Final[dict[tuple[object, ...], tuple[tuple[str, str], ...]]] = {}
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._slots: Final = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._ended: Final = asyncio.Event()
        self._left = 0
        #: What ends the run before all is done: an error that concerns all, or a code.
        self._error: BaseException | None = None
        self._code = ExitCode.OK

    # From outside

    async def run(self, jobs: Iterable[Job]) -> ExitCode:
        """Fetch all *jobs*; return why that ended early, `ExitCode.OK` if it did not.

        Raises `CommandError` for what concerns all files, such as a disk that is full.
        """
        for job in jobs:
            self._left += 1
            self._add(job)
        if not self._left:
            return ExitCode.OK
        limit = asyncio.timeout(self.settings.max_time)
        try:
            async with limit:
                await self._ended.wait()
        except TimeoutError:
            if not limit.expired():
                raise
            self._code = ExitCode.TIMED_OUT
        finally:
            tasks = [*self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._error is not None:
            raise self._error
        return self._code

    def stop(self, code: ExitCode) -> None:
        """End the run now. What is under way can be gone on with by another one."""
        if not self._ended.is_set():
            self._code = code
            self._ended.set()

    # Connections

    def _add(self, job: Job) -> None:
        """Have *job* wait for its turn, and a connection be there for it."""
        origin = self._origins.get(job.url.origin)
        if origin is None:
            settings = self.settings
            origin = OriginQueue(settings.parallel_max, settings.depth, settings.limit_rate)
            self._origins[job.url.origin] = origin
        origin.add(job)
        if len(origin.lanes) < min(origin.lane_limit, origin.unfinished):
            lane = Lane(self, origin, self._connector.settings(job.url))
            origin.lanes.append(lane)
            task = asyncio.get_running_loop().create_task(self._drive(lane, origin))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drive(self, lane: Lane, origin: OriginQueue) -> None:
        try:
            async with self._slots:
                await lane.run()
        except Exception as exc:  # noqa: BLE001  # raised again where the run is awaited
            self._fail(exc)
        finally:
            if lane in origin.lanes:
                origin.lanes.remove(lane)

    def _fail(self, exc: Exception) -> None:
        """End the run because of *exc*, which concerns all files."""
        self._error = self._error or exc
        self._ended.set()

    def new_connection(self) -> int:
        """Return the number of a network connection that was opened just now."""
        self._recorder.summary.connections += 1
        return self._recorder.summary.connections

    def unreachable(self, lane: Lane, origin: OriginQueue, exc: BaseException) -> None:
        """There is no connection to be had for *lane*."""
        origin.lanes.remove(lane)
        if origin.lanes:
            # The others do its work, or find out the same.
            return
        for job in origin.take_all():
            self.failed(job, lane.error(job, exc))

    # Requests

    def fields(self, job: Job) -> tuple[tuple[str, str], ...]:
        """Return the header fields of the request for *job*."""
        common = self.common_fields(job.url, job.trusted)
        own = job.wanted.entry.headers
        if own and job.trusted:
            names = {name.lower() for name, _ in own}
            common = (*(pair for pair in common if pair[0].lower() not in names), *own)
        if job.resume is not None:
            resume = job.resume
            return (
                *common,
                ("Range", f"bytes={resume.offset}-"),
                ("If-Range", resume.validator),
            )
        return (*common, *job.conditions) if job.conditions else common

    def common_fields(self, url: URL, trusted: bool) -> tuple[tuple[str, str], ...]:
        """Return what every request for such a URL has. Raises `CommandError`."""
        key = (url.origin, url.user, url.password, trusted)
        fields = self._common.get(key)
        if fields is None:
            fields = self._common[key] = tuple(self._fields.for_url(url, trusted=trusted))
        return fields

    # What comes

    def received(self, size: int) -> None:
        """So many bytes of files have come."""
        if self._display is not None:
            self._display.received(size)

    def meter(self, job: Job, size: int, length: int | None) -> Callable[[int | None], None] | None:
        """Return what is to be told how much of a large file is there, if anybody wants to know."""
        if self._display is None:
            return None
        return self._display.meter(job, size, None if length is None else size + length)

    def learn(self, job: Job, size: int) -> None:
        """The content of a file, or the rest of one, had *size* bytes."""
        self._origins[job.url.origin].learn(size)

    def note_etag(self, job: Job, response: HTTPResponse) -> None:
        """Remember the entity tag of a file that was fetched."""
        if self._etags is not None:
            self._etags.note(job.wanted, response.headers["ETag"])

    def settle(self, job: Job, result: Result) -> None:
        """*job* is done with."""
        self._origins[job.url.origin].settled()
        self._left -= 1
        try:
            self._recorder.record(result)
        except Exception as exc:  # noqa: BLE001  # raised again where the run is awaited
            # Not from here: it would be taken for something that the connection is to blame for.
            self._fail(exc)
        if not self._left:
            self._ended.set()

    # What does not

    def failed(self, job: Job, error: CommandError, *, status: int = 0) -> None:
        """*job* cannot be had from where it was asked for."""
        if job.mirrors:
            self._origins[job.url.origin].settled()
            job.url, job.resume, job.failures, job.redirects = job.mirrors.pop(0), None, 0, 0
            job.home, job.trusted = job.url.origin, True
            self._add(job)
            return
        self.settle(
            job,
            result_of(
                job,
                Outcome.FAILED,
                asyncio.get_running_loop().time(),
                status=status,
                error=error,
            ),
        )
        if self.settings.fail_early:
            self.stop(error.code)

    def try_again(
        self, job: Job, error: CommandError, response: HTTPResponse | None, *, free: bool = False
    ) -> None:
        """Have *job* wait for another attempt, unless there were enough.

        A *free* attempt is not counted.
        """
        status = 0 if response is None else response.status
        pause: float | None = 0.0
        if not free:
            job.failures += 1
            if job.failures > self.settings.retries:
                self.failed(job, error, status=status)
                return
            pause = None if response is None else retry_after(response)
            if pause is None:
                pause = pause_before(job.failures, self.settings.retry_delay)
            elif pause > self.settings.retry_max_time:
                what = f"{error.what}, and wants us to wait for {pause:.0f} seconds"
                error = CommandError(error.code, what, "allow that with --retry-max-time")
                self.failed(job, error, status=status)
                return
        origin = self._origins[job.url.origin]
        origin.put_off(job, asyncio.get_running_loop().time() + (pause or 0.0))

    def start_again(self, job: Job) -> None:
        """Have *job* fetched from its beginning: what is there is good for nothing."""
        self.store.drop(job.wanted)
        job.resume = None
        job.was_resumed = 0
        self._origins[job.url.origin].put_back((job,))

    def broke_off(self, job: Job, error: CommandError, broken: Broken) -> None:
        """The content of *job* broke off."""
        if error.code is ExitCode.BAD_RESPONSE or isinstance(broken.__cause__, CommandError):
            self.failed(job, error)
        else:
            self.try_again(job, error, None, free=self.is_step(job))

    def is_step(self, job: Job) -> bool:
        """Return whether *job*, which broke off, is so much further than before that it may go on."""
        # Not by what has come: that may have been the same again.
        if job.resume is None or job.resume.offset < job.furthest + _STEP:
            return False
        job.furthest = job.resume.offset
        job.failures = 0
        return self.settings.retries > 0

    def refused(self, job: Job, response: HTTPResponse, verdict: Verdict) -> None:
        """The server has answered with something that is no file."""
        if verdict is Verdict.NOT_MODIFIED:
            now = asyncio.get_running_loop().time()
            self.settle(job, result_of(job, Outcome.NOT_MODIFIED, now, status=response.status))
        elif verdict is Verdict.START_AGAIN:
            self.start_again(job)
        elif verdict is Verdict.TEMPORARY:
            self.try_again(job, refused(response, job.url), response)
        elif verdict is Verdict.REDIRECT and self.settings.location:
            self._redirect(job, response)
        else:
            self.failed(job, refused(response, job.url), status=response.status)

    def _redirect(self, job: Job, response: HTTPResponse) -> None:
        status, old = response.status, job.url
        job.redirects += 1
        try:
            if job.redirects > self.settings.max_redirs:
                raise too_many(job.wanted.url, self.settings.max_redirs)
            location = location_of(response)
            assert location is not None
            url = followed(old, location, allow_downgrade=self.settings.downgrade)
        except CommandError as exc:
            what = exc.what if str(old) in exc.what else f"{old} redirects: {exc.what}"
            self.failed(job, CommandError(exc.code, what, exc.hint), status=status)
            return
        self._origins[old.origin].settled()
        # Once it has led elsewhere, nothing that comes from there is trusted.
        job.trusted = job.trusted and url.origin == job.home
        job.url = url
        self._add(job)
