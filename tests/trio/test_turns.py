"""Other tasks get their turns during large transfers and slow look-ups."""

from __future__ import annotations

from tests.support.turns import TurnsTests


class TestTurns(TurnsTests):
    """Everything that holds for all frameworks."""
