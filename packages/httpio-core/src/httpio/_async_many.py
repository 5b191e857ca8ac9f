"""Calls that make many requests: what `FrontEnd` is apart from single ones. Knows no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ._async_pipeline import AsyncPipeline
from ._pipeline import DEFAULT_DEPTH
from ._ranges import DEFAULT_GAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    from _typeshed import WriteableBuffer

    from ._connection import HTTPConnection
    from ._coroutine import PollGenerator
    from ._request import Request, RequestHeaders

    _T = TypeVar("_T")


class AsyncManyRequests(ABC):
    """A connection that many requests go over, awaited."""

    #: What does the work.
    _core: HTTPConnection

    @abstractmethod
    async def _drive(self, steps: PollGenerator[_T], receiving: bool = False) -> _T:
        """Run a coroutine of the core to its end."""

    @abstractmethod
    async def _checkpoint(self) -> None:
        """Let others have a turn, where the framework has a rule that wants it."""

    def pipeline(
        self,
        requests: Iterable[Request],
        *,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
        retry_partial: bool = False,
        retry_after: float | None = None,
    ) -> AsyncPipeline:
        """Return the responses to *requests*, which are sent while responses are read.

        ::

            async for response in conn.pipeline(Request("GET", path) for path in paths):
                body = await conn.readall()

        See `httpio.HTTPConnection.pipeline`.
        """
        return AsyncPipeline(
            self,
            self._core.pipeline(
                requests,
                depth=depth,
                retries=retries,
                backoff=backoff,
                retry_partial=retry_partial,
                retry_after=retry_after,
            ),
        )

    async def read_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> list[bytes]:
        """Return many byte ranges of the resource at *path*.

        See `httpio.HTTPConnection.co_read_ranges`.
        """
        return await self._drive(
            self._core.co_read_ranges(
                path,
                ranges,
                headers,
                etag=etag,
                gap=gap,
                depth=depth,
                retries=retries,
                backoff=backoff,
            ),
            True,
        )

    async def readinto_ranges(
        self,
        path: str,
        ranges: Iterable[tuple[int, int]],
        buffers: Sequence[WriteableBuffer],
        headers: RequestHeaders | None = None,
        *,
        etag: str | None = None,
        gap: int = DEFAULT_GAP,
        depth: int = DEFAULT_DEPTH,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> None:
        """Read many byte ranges of the resource at *path* into *buffers*.

        See `httpio.HTTPConnection.co_readinto_ranges`.
        """
        await self._drive(
            self._core.co_readinto_ranges(
                path,
                ranges,
                buffers,
                headers,
                etag=etag,
                gap=gap,
                depth=depth,
                retries=retries,
                backoff=backoff,
            ),
            True,
        )
