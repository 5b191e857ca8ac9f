"""What coroutines need of their surroundings and a `PollNeeded` cannot say: names, clocks, races.

Knows nothing of HTTP. `Runtime` has threads do it, which works under any driver. A driver that knows
its event loop can put one in its place that asks the loop, see `httpio._native`.
"""

from __future__ import annotations

import selectors
import socket

from ._clock import co_sleep
from ._coroutine import coroutine
from ._worker import co_in_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final, TypeAlias

    from ._coroutine import PollCoroutine, PollGenerator

    #: One of the tuples that `socket.getaddrinfo` returns.
    AddressInfo: TypeAlias = tuple[
        int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    ]


class Runtime:
    """Does by threads what needs more than waiting for one descriptor."""

    def co_getaddrinfo(self, hostname: str, port: int) -> PollCoroutine[Sequence[AddressInfo]]:
        """Ask the system's resolver for the stream addresses of *hostname*.

        Returns and raises what `socket.getaddrinfo` does.
        """
        return co_in_thread(lambda _: socket.getaddrinfo(hostname, port, type=socket.SOCK_STREAM))

    @coroutine
    def co_select(
        self, sockets: Iterable[socket.socket], timeout: float | None
    ) -> PollGenerator[list[socket.socket]]:
        """Wait up to *timeout* seconds, or for ever, until one of *sockets* can be written.

        Returns those that can, none if the time was up.
        """
        watched = tuple(sockets)
        return (yield from co_in_thread(lambda dropped: _select(dropped, watched, timeout)))

    def co_sleep(self, seconds: float) -> PollCoroutine[None]:
        """Return when *seconds* have passed."""
        return co_sleep(seconds)


#: Has no state: one is enough for all.
THREADS: Final = Runtime()


def _select(
    dropped: socket.socket, sockets: Iterable[socket.socket], timeout: float | None
) -> list[socket.socket]:
    """Do the work of `Runtime.co_select`. Blocks, until *dropped* becomes readable at the latest."""
    with selectors.DefaultSelector() as selector:
        selector.register(dropped, selectors.EVENT_READ)
        for sock in sockets:
            selector.register(sock, selectors.EVENT_WRITE, sock)
        return [key.data for key, _ in selector.select(timeout) if key.data is not None]
