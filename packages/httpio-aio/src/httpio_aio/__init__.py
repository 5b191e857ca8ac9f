"""The asyncio front end of httpio.

This version is a placeholder that fixes the name and the dependencies. It will hold

- ``AioFuture``, which wraps a coroutine that yields ``httpio.PollNeeded`` into an
  `asyncio.Future`, and
- a connection whose methods can be awaited, for asyncio and uvloop.
"""

from httpio_aio._version import __version__

__all__ = ["__version__"]
