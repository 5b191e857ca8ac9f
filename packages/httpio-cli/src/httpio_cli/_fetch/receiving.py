"""From a response to a file: whole content at once, or piece by piece, verified on the way."""

from __future__ import annotations

import asyncio

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._files import http_time, strong_validator

from .jobs import Resume
from .journal import Begun
from .outcomes import Outcome, result_of
from .policy import complete_size
from .storing import verify_beginning
from .verification import Verifier, digests_of, mismatch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from httpio import HTTPResponse

    from .fetcher import Fetcher
    from .jobs import Job
    from .lane import Lane
    from .storing import Part
    from .verification import Mismatch

#: A file of more bytes than this has nothing asked for behind it.
LARGE: Final = 1 << 20


class Broken(Exception):
    """Content broke off, for the reason that is its cause."""


def take_whole(
    fetcher: Fetcher, whole: Sequence[tuple[Job, HTTPResponse, bytes]], now: float
) -> None:
    """Store content that came as a whole."""
    if not whole:
        return
    files, taken = [], []
    limit = fetcher.settings.max_filesize
    for job, response, content in whole:
        job.transferred += len(content)
        expected = (*job.wanted.entry.checksums, *digests_of(response.fields))
        mismatch = mismatch_of(content, expected) if expected else None
        wrong_size = _wrong_size(job, len(content))
        if limit is not None and len(content) > limit:
            fetcher.failed(job, _too_large(job, len(content), limit), status=200)
        elif wrong_size is not None:
            fetcher.failed(job, wrong_size, status=200)
        elif mismatch is not None:
            fetcher.failed(job, _mismatched(job, mismatch), status=200)
        else:
            files.append((job.wanted, content, _modified(fetcher, response)))
            taken.append((job, response, len(content), tuple(each.origin for each in expected)))
    failures = fetcher.store.put(files) if files else {}
    for job, response, size, verified in taken:
        error = failures.get(job.wanted.number)
        if error is not None:
            fetcher.failed(job, error, status=200)
            continue
        fetcher.note_etag(job, response)
        fetcher.settle(
            job,
            result_of(
                job,
                Outcome.FETCHED,
                now,
                status=200,
                size=size,
                verified=verified,
            ),
        )


def _modified(fetcher: Fetcher, response: HTTPResponse) -> float | None:
    """Return what the file's time is to be, `None` for now."""
    if not fetcher.settings.remote_time:
        return None
    value: str | None = response.headers["Last-Modified"]
    return None if value is None else http_time(value)


def _mismatched(job: Job, mismatch: Mismatch) -> CommandError:
    return CommandError(
        ExitCode.CHECKSUM, f"{job.url}: {mismatch}", "fetch it again, or ask who offers it"
    )


def _wrong_size(job: Job, size: int) -> CommandError | None:
    """Return what is wrong with a file of *size* bytes, if the list has another size for it."""
    expected = job.wanted.entry.size
    if expected is None or size == expected:
        return None
    return CommandError(
        ExitCode.CHECKSUM,
        f"{job.url}: {size} bytes have come, and the list has {expected}",
        "fetch it again, or ask who offers it",
    )


def _too_large(job: Job, size: int, limit: int) -> CommandError:
    return CommandError(
        ExitCode.FILE_TOO_LARGE,
        f"{job.url}: {size} bytes are more than --max-filesize {limit}",
        "allow more",
    )


async def receive(
    lane: Lane,
    fetcher: Fetcher,
    job: Job,
    response: HTTPResponse,
    content: bytes | None,
    *,
    rest: bool,
) -> None:
    """Receive the file, or the *rest* of it, into its part, and give it its name.

    *content* is what came with the head, `None` if it is still to be read. Raises `Broken`.
    """
    limit = fetcher.settings.max_filesize
    resume = job.resume if rest else None
    size = complete_size(response, resume)
    if limit is not None and size is not None and size > limit:
        lane.answered(job, lane_time())
        lane.leave()
        fetcher.failed(job, _too_large(job, size, limit), status=response.status)
        return
    verifier = Verifier((*job.wanted.entry.checksums, *digests_of(response.fields, partial=rest)))
    offset = 0
    if resume is not None:
        offset = job.was_resumed = resume.offset
        if verifier.expected and not await asyncio.to_thread(
            verify_beginning, job.wanted.part, offset, verifier
        ):
            lane.answered(job, lane_time())
            lane.leave()
            fetcher.start_again(job)
            return
    else:
        job.resume = None
        job.was_resumed = 0
    part = fetcher.store.open_part(job.wanted, offset)
    try:
        if resume is None:
            resume = _begin(fetcher, job, response, size)
        await _fill(lane, fetcher, job, part, verifier, content, response.length)
    except Broken:
        job.transferred += part.size - offset
        if resume is not None and part.size:
            job.resume = Resume(part.size, resume.validator, size)
        raise
    finally:
        part.close(_modified(fetcher, response))
    _finish(lane, fetcher, job, response, part, verifier, offset, size)


def lane_time() -> float:
    """Return the time by the clock of the event loop."""
    return asyncio.get_running_loop().time()


def _begin(fetcher: Fetcher, job: Job, response: HTTPResponse, size: int | None) -> Resume | None:
    """Note that the part is the beginning of this response from now on, if it can be resumed."""
    fields = response.headers
    validator = strong_validator(fields["ETag"], fields["Last-Modified"], fields["Date"])
    # Another run asks the first URL again, of which the validator of a mirror says nothing.
    is_of_mirror = len(job.mirrors) < len(job.wanted.mirrors)
    fetcher.store.begin(job.wanted, Begun("" if is_of_mirror else validator or "", size))
    return None if validator is None else Resume(0, validator, size)


async def _fill(
    lane: Lane,
    fetcher: Fetcher,
    job: Job,
    part: Part,
    verifier: Verifier,
    content: bytes | None,
    length: int | None,
) -> None:
    if content is not None:
        verifier.update(content)
        part.write(memoryview(content))
        return
    limit = fetcher.settings.max_filesize
    lane.is_holding = length is None or length > LARGE
    meter = fetcher.meter(job, part.size, length) if lane.is_holding else None
    view = memoryview(bytearray(fetcher.limit.piece_size))
    try:
        while received := await lane.read_into(view):
            piece = view[:received]
            verifier.update(piece)
            part.write(piece)
            fetcher.received(received)
            if meter is not None:
                meter(part.size)
            if limit is not None and part.size > limit:
                lane.leave()
                return
            await lane.pace(received)
    finally:
        lane.is_holding = False
        if meter is not None:
            meter(None)


def _finish(
    lane: Lane,
    fetcher: Fetcher,
    job: Job,
    response: HTTPResponse,
    part: Part,
    verifier: Verifier,
    offset: int,
    size: int | None,
) -> None:
    now = lane_time()
    lane.answered(job, now)
    job.transferred += part.size - offset
    fetcher.learn(job, part.size - offset)
    limit = fetcher.settings.max_filesize
    if limit is not None and part.size > limit:
        fetcher.store.drop(job.wanted)
        fetcher.failed(job, _too_large(job, part.size, limit), status=response.status)
        return
    if size is not None and part.size < size and job.resume is not None:
        # The server has sent less than the rest: go on behind it.
        job.resume = Resume(part.size, job.resume.validator, size)
        error = CommandError(
            ExitCode.PARTIAL, f"{job.url}: {part.size} of {size} bytes have come", "try again"
        )
        fetcher.try_again(job, error, response, free=fetcher.is_step(job))
        return
    if size is not None and part.size > size:
        # More than the rest has come, so that what was there cannot be trusted either.
        fetcher.start_again(job)
        return
    mismatch = verifier.mismatch()
    wrong = _wrong_size(job, part.size) if mismatch is None else _mismatched(job, mismatch)
    if wrong is not None:
        fetcher.store.drop(job.wanted)
        if offset:
            # What was there before may be what is wrong.
            fetcher.start_again(job)
        else:
            fetcher.failed(job, wrong, status=response.status)
        return
    fetcher.store.complete(job.wanted, part.size)
    fetcher.note_etag(job, response)
    fetcher.settle(
        job,
        result_of(
            job,
            Outcome.FETCHED,
            now,
            status=response.status,
            size=part.size,
            verified=tuple(each.origin for each in verifier.expected),
        ),
    )
