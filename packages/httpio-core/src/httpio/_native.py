"""Steps of a coroutine that an async framework takes, instead of a thread.

For adapters. A `NativeStep` is yielded like a `PollNeeded`, but only a driver that knows it can go on:
it awaits `NativeStep.perform`, and resumes the coroutine. Knows no framework.
"""

from __future__ import annotations

from abc import abstractmethod

from ._coroutine import PollNeeded, coroutine
from ._runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import TypeVar

    from ._coroutine import PollCoroutine, PollGenerator
    from ._runtime import AddressInfo

    _T = TypeVar("_T")


class NativeStep(PollNeeded):
    """Something to be awaited before the coroutine that yielded this is resumed."""

    # No __slots__: a tuple cannot have any.
    _call: Callable[[], Awaitable[object]]
    is_done: bool
    error: Exception | None

    def __new__(cls, call: Callable[[], Awaitable[object]]) -> NativeStep:
        self = tuple.__new__(cls, (-1, 0))
        self._call = call
        self.is_done = False
        self.error = None
        return self

    async def perform(self) -> None:
        """Await what is to be awaited. Raises nothing but a cancellation."""
        try:
            await self._call()
        except Exception as exc:  # noqa: BLE001 - raised again by the coroutine
            self.error = exc
        self.is_done = True


@coroutine
def co_await(call: Callable[[], Awaitable[_T]]) -> PollGenerator[_T]:
    """Have the driver await what *call* returns; return its result, raise what it raises."""
    results: list[_T] = []

    async def perform() -> None:
        results.append(await call())

    step = NativeStep(perform)
    # What drives this may resume it too early.
    while not step.is_done:
        yield step
    error, step.error = step.error, None
    if error is not None:
        try:
            raise error
        finally:
            # Or it would hold itself, by its traceback.
            del error
    return results[0]


class NativeRuntime(Runtime):
    """A `Runtime` that has its work done by the event loop that the driver runs in."""

    @abstractmethod
    async def getaddrinfo(self, hostname: str, port: int) -> Sequence[AddressInfo]:
        """Return and raise what `socket.getaddrinfo` does for stream sockets."""

    @abstractmethod
    async def select(
        self, sockets: Sequence[socket.socket], seconds: float | None
    ) -> list[socket.socket]:
        """Return those of *sockets* that can be written, after *seconds* at the latest."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Return when *seconds* have passed."""

    def co_getaddrinfo(self, hostname: str, port: int) -> PollCoroutine[Sequence[AddressInfo]]:
        return co_await(lambda: self.getaddrinfo(hostname, port))

    def co_select(
        self, sockets: Iterable[socket.socket], timeout: float | None
    ) -> PollCoroutine[list[socket.socket]]:
        watched = tuple(sockets)
        return co_await(lambda: self.select(watched, timeout))

    def co_sleep(self, seconds: float) -> PollCoroutine[None]:
        return co_await(lambda: self.sleep(seconds))
