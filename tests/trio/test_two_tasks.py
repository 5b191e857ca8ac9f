"""One task may send while another one receives, and no more than that."""

from __future__ import annotations

from tests.support.two_tasks import TwoTasksTests


class TestTwoTasks(TwoTasksTests):
    """Everything that holds for all frameworks."""
