"""Signals, as exceptions in the main thread."""

from __future__ import annotations

import signal

from ._errors import Terminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def install() -> None:
    """Have SIGTERM raise `Terminated`, as SIGINT raises `KeyboardInterrupt`."""
    signal.signal(signal.SIGTERM, _terminate)
