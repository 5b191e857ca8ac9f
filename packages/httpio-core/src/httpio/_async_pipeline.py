"""A pipeline whose responses are awaited. Knows no framework."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Final, Protocol, Self, TypeVar

    from ._coroutine import PollGenerator
    from ._messages import HTTPResponse
    from ._pipeline import Pipeline
    from ._request import Request

    _T = TypeVar("_T")

    class _Driver(Protocol):
        async def _drive(self, steps: PollGenerator[_T], receiving: bool = False) -> _T: ...
        async def _checkpoint(self) -> None: ...


class AsyncPipeline:
    """Responses to many requests, in the order of the requests: `httpio.Pipeline`, awaited.

    Iterating gives an `httpio.HTTPResponse` for each request; its content is read from the connection, and
    what is not read is dropped. `with_bodies` gives pairs of response and content instead, which is
    faster for small content. A call that is cancelled loses nothing: the next one goes on.
    """

    def __init__(self, driver: _Driver, pipeline: Pipeline) -> None:
        self._driver: Final = driver
        self._core: Final = pipeline

    @property
    def answered(self) -> int:
        """Number of requests that have a complete response."""
        return self._core.answered

    async def next_response(self) -> HTTPResponse | None:
        """Return the head of the next response, `None` if all requests have theirs.

        See `httpio.Pipeline.co_next_response`.
        """
        return await self._driver._drive(self._core.co_next_response(), True)

    async def next_batch(self) -> list[tuple[HTTPResponse, bytes]]:
        """Return the next responses with their content, ``[]`` at the end.

        See `httpio.Pipeline.co_next_batch`.
        """
        return await self._driver._drive(self._core.co_next_batch(), True)

    async def next_small(self) -> list[tuple[HTTPResponse, bytes]]:
        """Return the next responses, each with its content, as long as they are small.

        See `httpio.Pipeline.co_next_small`.
        """
        return await self._driver._drive(self._core.co_next_small(), True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> HTTPResponse:
        response = await self._driver._drive(self._core.co_next_response(), True)
        if response is None:
            raise StopAsyncIteration
        return response

    def with_bodies(self) -> AsyncIterator[tuple[HTTPResponse, bytes]]:
        """Iterate over pairs of response and content.

        Raises what `next_batch` raises; calling it again goes on behind that.
        """
        return PairIterator(self._driver, self._core)

    def give_up(self) -> Request | None:
        """Give up the request whose response comes next; see `httpio.Pipeline.give_up`."""
        return self._core.give_up()

    def close(self) -> None:
        """Send no more requests, and give up those that are not answered.

        If there are any, the connection is closed; the next request opens a new one.
        """
        self._core.close()

    async def aclose(self) -> None:
        """Do what `close` does."""
        self._core.close()
        await self._driver._checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class PairIterator:
    """Iterates over pairs of response and content; see `AsyncPipeline.with_bodies`."""

    __slots__ = ("_core", "_driver")

    def __init__(self, driver: _Driver, pipeline: Pipeline) -> None:
        self._driver: Final = driver
        self._core: Final = pipeline

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[HTTPResponse, bytes]:
        pairs = self._core.pairs
        if pairs:
            # Before it is taken: a cancellation here loses nothing.
            await self._driver._checkpoint()
        while not pairs:
            batch = await self._driver._drive(self._core.co_next_batch(), True)
            if not batch:
                raise StopAsyncIteration
            pairs.extend(batch)
        return pairs.popleft()
