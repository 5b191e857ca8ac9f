"""The command ``httpio``, for people who operate HTTP servers.

There is nothing to import but the version: programs use `httpio` and `httpio_aio`.
"""

from httpio_cli._version import __version__

__all__ = ["__version__"]
