"""What a command wants to see of its connections, and what the operator wants to have of them."""

from __future__ import annotations

from httpio import HTTPIOError, Tracer
from httpio._tracing import tracer_from_environment

from ._errors import CommandError
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class _Both(Tracer):
    """Passes on to two tracers what it is told."""

    def __init__(self, one: Tracer, other: Tracer) -> None:
        self._tracers: Final = (one, other)

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        for tracer in self._tracers:
            tracer.sent(data)

    def received(self, data: memoryview) -> None:
        for tracer in self._tracers:
            tracer.received(data)

    def event(self, name: str, detail: str) -> None:
        for tracer in self._tracers:
            tracer.event(name, detail)


def with_environment(tracer: Tracer | None) -> Tracer | None:
    """Return *tracer*, joined with the one that ``HTTPIO_TRACEFILE`` asks for.

    To be called once for each connection object. Raises `CommandError` if the file cannot be opened.
    """
    try:
        named = tracer_from_environment()
    except HTTPIOError as exc:
        raise CommandError(
            ExitCode.WRITE_FAILED, str(exc), "give another place, or unset HTTPIO_TRACEFILE"
        ) from exc
    if tracer is None or named is None:
        return tracer or named
    return _Both(tracer, named)
