"""httpio for trio."""

from ._connection import HTTPConnection
from ._driver import run
from ._version import __version__

__all__ = [
    "HTTPConnection",
    "__version__",
    "run",
]
