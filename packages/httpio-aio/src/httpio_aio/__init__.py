"""httpio for asyncio and uvloop."""

from ._connection import HTTPConnection
from ._driver import run
from ._future import AioFuture
from ._version import __version__

__all__ = [
    "AioFuture",
    "HTTPConnection",
    "__version__",
    "run",
]
