"""The coroutine contract: what a ``co_`` method yields, and how it is typed.

Knows nothing of HTTP or of sockets, beyond that a file descriptor can be waited for.

A coroutine of httpio is a generator that yields `PollNeeded` where it would block and returns its
result. It can be driven with `next`, delegated to with ``yield from``, and awaited inside an
``async def`` that one of our drivers runs.
"""

from __future__ import annotations

import select
from math import ceil
from operator import itemgetter
from types import GenericAlias
from types import coroutine as _types_coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Final, ParamSpec, TypeAlias, TypeVar, cast

    _P = ParamSpec("_P")
    _T = TypeVar("_T")
    _T_co = TypeVar("_T_co", covariant=True)

#: Event mask: wait until the descriptor can be read. The same value in ``poll`` and ``epoll``.
POLLIN: Final = 1
#: Event mask: wait until the descriptor can be written.
POLLOUT: Final = 4

#: More than this, in seconds, is for ever: `select.poll` counts milliseconds in an int.
_LONGEST_WAIT: Final = 2_000_000


class PollNeeded(tuple[int, int]):
    """What an I/O operation waits for: ``(fd, mask)``.

    `fd` is a file descriptor, `mask` a combination of `POLLIN` and `POLLOUT`, with the values of
    `select.poll` and `select.epoll`. The coroutine that yielded it is to be resumed when `fd` is
    ready for *one* of the directions in `mask`; resuming it earlier does no harm.
    """

    __slots__ = ()

    def __new__(cls, fd: int, mask: int) -> PollNeeded:
        return tuple.__new__(cls, (fd, mask))

    if TYPE_CHECKING:

        @property
        def fd(self) -> int:
            """The file descriptor that the operation depends on."""

        @property
        def mask(self) -> int:
            """The directions to wait for: `POLLIN`, `POLLOUT`, or both."""

    else:
        fd = property(itemgetter(0), doc="The file descriptor that the operation depends on.")
        mask = property(itemgetter(1), doc="The directions to wait for: POLLIN, POLLOUT, or both.")

    def __repr__(self) -> str:
        return f"PollNeeded(fd={self[0]}, mask={self[1]})"

    def poll(self, timeout: float | None = None) -> bool:
        """Wait until `fd` is ready for one of the directions in `mask`.

        *timeout* is in seconds: 0 returns at once, `None` waits for ever. Returns `False` if the
        time was up before the descriptor became ready, else `True`. An error or a hang-up on the
        descriptor counts as ready, because the operation will not block.
        """
        fd, mask = self
        return _wait(fd, mask, timeout)


def in_milliseconds(timeout: float | None) -> int | None:
    """Return *timeout*, in seconds, as `select.poll` takes it.

    Rounded up: a wait that ends too early would be taken for a time-out.
    """
    if timeout is None or timeout > _LONGEST_WAIT:
        return None
    return ceil(timeout * 1000) if timeout > 0 else 0


if hasattr(select, "poll"):

    def _wait(fd: int, mask: int, timeout: float | None) -> bool:
        poller = select.poll()
        poller.register(fd, mask)
        return bool(poller.poll(in_milliseconds(timeout)))

else:  # Windows has only select()

    def _wait(fd: int, mask: int, timeout: float | None) -> bool:
        readers = (fd,) if mask & POLLIN else ()
        writers = (fd,) if mask & POLLOUT else ()
        milliseconds = in_milliseconds(timeout)
        seconds = None if milliseconds is None else milliseconds / 1000
        # A failed connect shows up only in the third list there.
        return any(select.select(readers, writers, writers, seconds))


if TYPE_CHECKING:
    PollGenerator: TypeAlias = Generator[PollNeeded, None, _T]

    class PollCoroutine(Generator[PollNeeded, None, _T_co], Awaitable[_T_co]):
        """What a ``co_`` method returns. For annotations only."""

    def coroutine(func: Callable[_P, PollGenerator[_T]]) -> Callable[_P, PollCoroutine[_T]]:
        """Make a generator function's results awaitable as well."""
        return cast("Callable[_P, PollCoroutine[_T]]", _types_coroutine(func))

else:

    class _Annotation:
        """A generic name that exists at run time without importing `typing`."""

        __class_getitem__ = classmethod(GenericAlias)

    class PollGenerator(_Annotation):
        """What a generator that yields `PollNeeded` is annotated with."""

    class PollCoroutine(_Annotation):
        """What a ``co_`` method returns. For annotations only."""

    coroutine = _types_coroutine
