"""What a status means for a file, and which attempts are worth repeating. Nothing is done here."""

from __future__ import annotations

import re
from enum import Enum, auto
from random import uniform

from httpio_cli._errors import CommandError
from httpio_cli._exit_codes import ExitCode
from httpio_cli._redirects import location_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from httpio import HTTPResponse
    from httpio_cli._urls import URL

    from .jobs import Job, Resume

#: Statuses that may pass by themselves: the ones that curl's --retry repeats after.
TEMPORARY: Final = frozenset((408, 429, 500, 502, 503, 504))
#: The others of the class, such as 202 and 204, have content that is about something else, or none.
_FILES: Final = frozenset((200, 203))
#: The longest pause before another attempt that nobody has asked for, in seconds.
_LONGEST_PAUSE: Final = 60.0
# RFC 9110 §14.4
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)")


class Verdict(Enum):
    """What is to be done with a response."""

    #: Its content is the file.
    CONTENT = auto()
    #: Its content is the rest of the file.
    REST = auto()
    #: The file that is there is as good as the server's.
    NOT_MODIFIED = auto()
    REDIRECT = auto()
    #: The same again after a while.
    TEMPORARY = auto()
    #: The file has to be fetched from its beginning.
    START_AGAIN = auto()
    FAILURE = auto()


def judge(response: HTTPResponse, job: Job) -> Verdict:
    """Return what to do with *response*."""
    status = response.status
    if status == 206:
        if job.resume is None:
            return Verdict.FAILURE
        return Verdict.REST if _continues(response, job.resume) else Verdict.START_AGAIN
    if status in _FILES:
        return Verdict.CONTENT
    if status == 304:
        return Verdict.NOT_MODIFIED if job.conditions else Verdict.FAILURE
    if status == 416 and job.resume is not None:
        return Verdict.START_AGAIN
    if location_of(response) is not None:
        return Verdict.REDIRECT
    return Verdict.TEMPORARY if status in TEMPORARY else Verdict.FAILURE


def _continues(response: HTTPResponse, resume: Resume) -> bool:
    """Return whether the content belongs right behind what is there (RFC 9110 §15.3.7)."""
    fields = response.headers
    found = _CONTENT_RANGE.fullmatch((fields["Content-Range"] or "").strip())
    if found is None:
        return False
    begin, end = int(found[1]), int(found[2]) + 1
    if begin != resume.offset or response.length not in (None, end - begin):
        return False
    size = resume.size if found[3] is None else int(found[3])
    # Without a size, nothing would tell whether more is to come.
    if size is None or not begin < end <= size or resume.size not in (None, size):
        return False
    etag = fields["ETag"]
    return etag is None or not resume.validator.startswith('"') or etag == resume.validator


def complete_size(response: HTTPResponse, resume: Resume | None) -> int | None:
    """Return the size of the whole representation, `None` if that is not known.

    *resume* is what the response goes on with, `None` if it begins at the beginning.
    """
    if resume is None:
        return response.length
    found = _CONTENT_RANGE.fullmatch((response.headers["Content-Range"] or "").strip())
    return int(found[3]) if found is not None and found[3] is not None else resume.size


def refused(response: HTTPResponse, url: URL) -> CommandError:
    """Return what to tell of a response that gives no file."""
    status = response.status
    what = f"{url}: the server answered {status} {response.reason}".rstrip()
    hints = {
        206: "the server sends a part that nobody has asked for",
        304: "nothing was asked for that could be unmodified",
        401: "give credentials with --user or --netrc",
        403: "the server does not let you have it",
        404: "check the URL",
        407: "give --proxy-user",
        412: "it was modified since the date of --time-cond",
        429: "allow for more attempts with --retry, or fewer connections with --parallel-max",
    }
    if 300 <= status < 400 and status != 304:
        return CommandError(ExitCode.HTTP_ERROR, what, "--location follows redirects")
    if 200 <= status < 300 and status != 206:
        return CommandError(ExitCode.HTTP_ERROR, what, "that says that what follows is no file")
    code = ExitCode.RANGE_FAILED if status == 206 else ExitCode.HTTP_ERROR
    hint = hints.get(status, "try again later" if status >= 500 else "")
    return CommandError(code, what, hint)


def pause_before(failures: int, delay: float) -> float:
    """Return how long to wait after so many *failures*, in seconds.

    Twice as long each time, and a random part less, so that files which have failed together do not
    all come again together.
    """
    longest = min(delay * 2.0 ** min(failures - 1, 32), max(_LONGEST_PAUSE, delay))
    return uniform(longest / 2, longest)
