"""One request before any load: whatever prevents that one would prevent all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from httpio import CloseReason, ConnectionClosed, HTTPIOError, Request, Tracer
from httpio_cli._connector import Connector
from httpio_cli._deadline import Deadline
from httpio_cli._errors import CommandError, explain
from httpio_cli._exit_codes import ExitCode

if TYPE_CHECKING:
    from httpio_cli._urls import URL

    from .plan import Load

#: Content of more than this, in bytes, is not held in memory under load.
_LARGE: Final = 256 * 1024
_PIECE: Final = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What came."""

    status: int
    size: int
    """Bytes of content, as far as they were read."""

    @property
    def is_large(self) -> bool:
        """Whether there is too much of it to hold many in memory."""
        return self.size > _LARGE


class _Tap(Tracer):
    """Knows whether anything came."""

    received_bytes = 0

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        return

    def event(self, name: str, detail: str) -> None:
        return

    def received(self, data: memoryview) -> None:
        self.received_bytes += len(data)


def try_once(load: Load, url: URL, request: Request, *, any_status: bool) -> Answer:
    """Make *request*. Raises `CommandError` if that fails, or the status says that it does."""
    tap = _Tap()
    conn = Connector(load.options, os.environ).settings(url).blocking(tap)
    deadline = Deadline(load.timeout)
    try:
        deadline.run(conn.co_connect(), load.options.connect_timeout)
        deadline.run(
            conn.co_send_request(
                request.method,
                request.path,
                request.headers,
                request.body,  # type: ignore[arg-type]  # always in memory
            )
        )
        response = deadline.run(conn.co_read_response())
        size = 0
        while size <= _LARGE and (piece := deadline.run(conn.co_read(_PIECE))):
            size += len(piece)
    except (HTTPIOError, OSError) as exc:
        raise _explained(exc, url, tap.received_bytes) from exc
    finally:
        conn.close()
    if response.status >= 400 and not any_status:
        raise CommandError(
            ExitCode.HTTP_ERROR,
            f"{url}: the server answers {response.status} {response.reason}",
            "--any-status measures it all the same",
        )
    return Answer(response.status, size)


def _explained(exc: HTTPIOError | OSError, url: URL, received: int) -> CommandError:
    if (
        isinstance(exc, ConnectionClosed)
        and exc.reason in (CloseReason.SERVER_CLOSED, CloseReason.CONNECTION_LOST)
        and not received
    ):
        return CommandError(
            ExitCode.EMPTY_RESPONSE,
            f"{url}: the server closed the connection without an answer",
            "see what the server's log says",
        )
    return explain(exc, str(url))
