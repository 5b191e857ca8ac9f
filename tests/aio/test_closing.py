"""Closing a connection ends the waits of other tasks, and leaves nothing behind."""

from __future__ import annotations

from tests.support.closing import ClosingTests


class TestClosing(ClosingTests):
    """Everything that holds for all frameworks."""
