"""The trio front end of httpio.

This version is a placeholder that fixes the name and the dependencies. It will hold

- a driver that runs a coroutine that yields ``httpio.PollNeeded`` under trio, and
- a connection whose methods can be awaited.
"""

from httpio_trio._version import __version__

__all__ = ["__version__"]
