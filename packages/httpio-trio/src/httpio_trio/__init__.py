"""httpio for trio."""

from httpio._async_pipeline import AsyncPipeline
from httpio._async_pool import PoolStatistics
from httpio._async_response import Response

from ._connection import HTTPConnection
from ._driver import run
from ._pool import ConnectionPool
from ._version import __version__

__all__ = [
    "AsyncPipeline",
    "ConnectionPool",
    "HTTPConnection",
    "PoolStatistics",
    "Response",
    "__version__",
    "run",
]
