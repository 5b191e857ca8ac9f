"""`request` sees to a request and its response."""

from __future__ import annotations

from tests.support.asking import RequestTests


class TestRequest(RequestTests):
    """Everything that holds for all frameworks."""
