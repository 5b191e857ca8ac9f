"""One connection: asks for files as long as there are any, and takes what comes.

The pipeline of `httpio` sends, receives, and sends again what a lost connection leaves unanswered.
Here is what that means for files: which are asked for, what a response makes of one, and what
becomes of those that wait behind a file that takes long. Writing, waiting for a turn and repeating
are for others.
"""

from __future__ import annotations

import asyncio
from collections import deque

from httpio import (
    CloseReason,
    ConnectionClosed,
    HTTPIOError,
    LocalProtocolError,
    ProxyError,
    RemoteProtocolError,
    is_temp_network_error,
)
from httpio_cli._errors import CommandError, explain
from httpio_cli._exit_codes import ExitCode

from .jobs import FetchRequest
from .policy import Verdict, judge, pause_before
from .receiving import LARGE, Broken, receive, take_whole
from .storing import concerns_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence
    from typing import Final, TypeVar

    from httpio import HTTPResponse
    from httpio_cli._connector import ConnectionSettings

    from .fetcher import Fetcher
    from .jobs import Job
    from .origins import OriginQueue

    _T = TypeVar("_T")

#: Content that nobody wants is read up to this size; the connection is not worth more.
_WORTH_READING: Final = 256 * 1024
#: A file that takes longer than this, in seconds, has others taken over from behind it.
_LONG: Final = 1.0


class Unreachable(Exception):
    """There is no connection to be had, for the reason that is its cause."""


class Stalled(Exception):
    """Nothing has come for too long."""


class Lane:
    """A connection that fetches files of one origin."""

    def __init__(self, fetcher: Fetcher, origin: OriginQueue, settings: ConnectionSettings) -> None:
        self._fetcher: Final = fetcher
        self._origin: Final = origin
        self.conn: Final = settings.asyncio(_Observer(self))
        self._loop: Final = asyncio.get_running_loop()
        #: What was asked for and is not answered, oldest first; what of it is not on its way yet.
        self._under_way: Final[deque[Job]] = deque()
        self._unsent: Final[deque[Job]] = deque()
        self._depth = 0
        #: Number of the network connection, and of responses over it.
        self._connection = 0
        self._position = 0
        #: A request was sent over it; the head of a response that is not complete has come.
        self._has_asked = False
        self._is_broken_off = False
        #: Nothing more is to be asked for, because what comes takes long.
        self.is_holding = False
        #: The connection is not worth going on with after the present response.
        self._is_leaving = False
        #: Since when the present response is waited for or received.
        self._since = 0.0
        #: When something is to have come, if anything is waited for.
        self._limit: asyncio.Timeout | None = None

    # Life

    async def run(self) -> None:
        """Fetch files until there are none left."""
        origin, fetcher = self._origin, self._fetcher
        try:
            while origin.unfinished:
                now = self._loop.time()
                if origin.has_ready(now) or origin.take_over(self, now):
                    await self._connect()
                    await self._pipeline()
                else:
                    await origin.wait(now)
        except Unreachable as exc:
            cause = exc.__cause__
            assert cause is not None
            fetcher.unreachable(self, origin, cause)
        finally:
            self.conn.close()

    async def _connect(self) -> None:
        """Have a connection, if this is the first time."""
        if self._connection:
            return
        failures = 0
        while not self._connection:
            try:
                await self._patiently(self.conn.connect(), self._fetcher.settings.connect_timeout)
            except Stalled as exc:
                problem: Exception = exc
                is_temporary = True
            except (HTTPIOError, OSError) as exc:
                problem = exc
                is_temporary = is_temp_network_error(exc)
            else:
                return
            failures += 1
            if not is_temporary or failures > self._fetcher.settings.retries:
                raise Unreachable from problem
            await asyncio.sleep(pause_before(failures, self._fetcher.settings.retry_delay))

    async def _pipeline(self) -> None:
        """Ask for files, and take them, until there are none, or the connection is left."""
        settings = self._fetcher.settings
        self._depth = self._origin.depth
        self._is_leaving = False
        pipeline = self.conn.pipeline(
            self._feed(),
            depth=self._depth,
            retries=settings.retries,
            backoff=settings.retry_delay,
            retry_partial=True,
        )
        self._since = self._loop.time()
        try:
            while not self._is_leaving:
                batch = await self._patiently(pipeline.next_small())
                if batch:
                    await self._take_small(batch)
                    continue
                response = await self._patiently(pipeline.next_response())
                if response is None:
                    return
                await self._take(response)
        except (Stalled, HTTPIOError, OSError) as exc:
            self._lost(exc)
        finally:
            self.is_holding = False
            pipeline.close()
            self._unsent.clear()
            if self._under_way:
                self._origin.put_back(self._under_way)
                self._under_way.clear()

    async def _patiently(self, awaited: Awaitable[_T], patience: float | None = None) -> _T:
        """Await something, unless it takes too long."""
        if patience is None:
            patience = self._fetcher.settings.idle_timeout
        self._limit = limit = asyncio.timeout(patience)
        try:
            async with limit:
                return await awaited
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise Stalled(f"nothing has come for {patience:g} seconds") from exc
        finally:
            self._limit = None

    def on_received(self) -> None:
        """Something has come, perhaps a small part of what is waited for."""
        limit, patience = self._limit, self._fetcher.settings.idle_timeout
        if limit is not None and self._connection and not limit.expired():
            latest, until = limit.when(), self._loop.time() + patience
            # Not each time: timers have a cost.
            if latest is not None and until - latest > patience / 16:
                limit.reschedule(until)

    # Asking

    def _feed(self) -> Iterator[FetchRequest]:
        """Give the pipeline requests. It takes no more from here once this has ended."""
        origin, fetcher = self._origin, self._fetcher
        while not (self.is_holding or self._is_leaving):
            if len(self._under_way) >= origin.share or not origin.suits(self._depth):
                return
            job = origin.take()
            if job is None:
                return
            self._under_way.append(job)
            self._unsent.append(job)
            yield FetchRequest(job, fetcher.fields(job))
            size = job.wanted.entry.size
            if size is not None and size > LARGE:
                return

    def on_event(self, name: str) -> None:
        """Note what the connection does."""
        if name == "request":
            self._has_asked = True
            if self._unsent:
                job = self._unsent.popleft()
                job.attempts += 1
                job.connection = self._connection
                job.sent_at = self._loop.time()
        elif name == "response":
            self._is_broken_off = True
        elif name in ("resolving", "connecting"):
            # What was under way is sent again.
            self._has_asked = self._is_broken_off = False
            self._unsent.clear()
            self._unsent.extend(self._under_way)
        elif name == "connected":
            self._connection = self._fetcher.new_connection()
            self._position = 0

    # For others

    def can_give(self, now: float) -> bool:
        """Return whether files wait behind one that takes long."""
        return (
            len(self._under_way) > 1
            and not self._is_leaving
            and now - self._since > _LONG
            # With a limit, everything takes long.
            and self._fetcher.settings.limit_rate is None
        )

    def give(self) -> list[Job]:
        """Return those files. The connection ends with the present response."""
        first, *others = self._under_way
        self._under_way.clear()
        self._under_way.append(first)
        self._unsent.clear()
        self._is_leaving = True
        return others

    # Taking

    def answered(self, job: Job, now: float) -> None:
        """The response to *job* is there, or as much of it as is wanted."""
        assert self._under_way[0] is job
        self._under_way.popleft()
        self._position += 1
        job.position = self._position
        self._since = now
        self._is_broken_off = False

    async def _take_small(self, batch: Sequence[tuple[HTTPResponse, bytes]]) -> None:
        now = self._loop.time()
        size = 0
        whole: list[tuple[Job, HTTPResponse, bytes]] = []
        for response, content in batch:
            job = self._job_of(response)
            if job is None:
                continue
            job.first_byte_at = now
            size += len(content)
            if response.status == 200 and job.resume is None:
                self._origin.learn(len(content))
                self.answered(job, now)
                whole.append((job, response, content))
                continue
            # First what has no connection that would put it back if this were the end.
            take_whole(self._fetcher, whole, now)
            whole.clear()
            await self._take_other(job, response, content)
        take_whole(self._fetcher, whole, now)
        self._fetcher.received(size)
        await self.pace(size)

    async def _take(self, response: HTTPResponse) -> None:
        """Take a response whose content is to be read."""
        job = self._job_of(response)
        if job is None:
            # Another connection has taken it over.
            self._is_leaving = True
            return
        job.first_byte_at = self._loop.time()
        await self._take_other(job, response, None)

    def _job_of(self, response: HTTPResponse) -> Job | None:
        request = response.request
        assert isinstance(request, FetchRequest)
        under_way = self._under_way
        return request.job if under_way and under_way[0] is request.job else None

    async def _take_other(self, job: Job, response: HTTPResponse, content: bytes | None) -> None:
        fetcher = self._fetcher
        verdict = judge(response, job)
        if verdict in (Verdict.CONTENT, Verdict.REST):
            try:
                await receive(self, fetcher, job, response, content, rest=verdict is Verdict.REST)
            except CommandError as exc:
                # The system does not let us write the file.
                if concerns_all(exc.__cause__):
                    raise
                self._drop(job)
                fetcher.failed(job, exc, status=response.status)
            except Broken as exc:
                self._drop(job)
                cause = exc.__cause__
                assert cause is not None
                fetcher.broke_off(job, self.error(job, cause, True), exc)
            return
        self.answered(job, self._loop.time())
        if content is None and (response.length is None or response.length > _WORTH_READING):
            self._is_leaving = True
        fetcher.refused(job, response, verdict)

    def _drop(self, job: Job) -> None:
        """Have no more to do with the response to *job*, and so with the connection."""
        self._is_leaving = True
        if self._under_way and self._under_way[0] is job:
            self._under_way.popleft()

    async def read_into(self, view: memoryview) -> int:
        """Read content of the present response; 0 at its end. Raises `Broken`."""
        try:
            return await self._patiently(self.conn.readinto(view))
        except (Stalled, HTTPIOError, OSError) as exc:
            raise Broken from exc

    def leave(self) -> None:
        """Do not go on with this connection: what comes over it is not wanted."""
        self._is_leaving = True

    async def pace(self, size: int) -> None:
        """Wait for as long as *size* bytes are to take."""
        pause = self._fetcher.limit.pause_after(size, self._loop.time())
        if pause:
            await asyncio.sleep(pause)

    # When something goes wrong

    def _lost(self, exc: Exception) -> None:
        """The pipeline cannot go on: the oldest request is what that is about, if it was sent."""
        if not self._under_way:
            # All have their files, and what came behind them is nobody's.
            return
        # Of these, one request is to blame, and not what lies between here and the server.
        is_about_request = isinstance(exc, (Stalled, RemoteProtocolError, LocalProtocolError))
        if not self._has_asked and not is_about_request:
            raise Unreachable from exc
        job = self._under_way.popleft()
        error = self.error(job, exc, self._is_broken_off)
        if isinstance(exc, Stalled):
            self._fetcher.try_again(job, error, None)
        else:
            # If it was worth trying again, the pipeline has.
            self._fetcher.failed(job, error)

    def error(self, job: Job, exc: BaseException, is_broken_off: bool = False) -> CommandError:
        """Return what to tell of *exc*, for which *job* could not be had."""
        where = str(job.url)
        if isinstance(exc, Stalled):
            return CommandError(
                ExitCode.TIMED_OUT, f"{where}: {exc}", "allow more by --idle-timeout"
            )
        if isinstance(exc, ConnectionClosed) and not isinstance(exc, ProxyError):
            if is_broken_off and exc.reason is not CloseReason.INVALID_RESPONSE:
                return CommandError(
                    ExitCode.PARTIAL,
                    f"{where}: the connection ended in the middle of the content",
                    "run the command again to go on",
                )
            if exc.reason is CloseReason.SERVER_CLOSED:
                return CommandError(
                    ExitCode.EMPTY_RESPONSE,
                    f"{where}: the server closed the connection without an answer",
                    "see what the server's log says",
                )
        return explain(exc, where)


class _Observer:
    """Tells a lane what its connection does."""

    def __init__(self, lane: Lane) -> None:
        self._lane: Final = lane

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Not of interest."""

    def received(self, data: memoryview) -> None:
        """What is waited for may be on its way."""
        self._lane.on_received()

    def event(self, name: str, detail: str) -> None:
        """A step was taken."""
        self._lane.on_event(name)
