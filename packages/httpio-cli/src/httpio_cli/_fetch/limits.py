"""How much may be received in a time. Counts only: who receives waits."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Seconds of the rate that may come at once after a pause.
_BURST: Final = 0.25
_LARGEST_PIECE: Final = 256 * 1024
_SMALLEST_PIECE: Final = 1024


class RateLimit:
    """Bytes per second for all connections together; without a *rate*, as many as come."""

    def __init__(self, rate: int | None) -> None:
        self._rate: Final = rate
        #: When what was received so far is paid for.
        self._paid_until = 0.0

    @property
    def piece_size(self) -> int:
        """How many bytes may be received at once, so that the rate does not go up and down."""
        if self._rate is None:
            return _LARGEST_PIECE
        return min(max(self._rate // 8, _SMALLEST_PIECE), _LARGEST_PIECE)

    def pause_after(self, size: int, now: float) -> float:
        """Return how long to receive nothing, in seconds, after *size* bytes at the time *now*."""
        if self._rate is None:
            return 0.0
        self._paid_until = max(self._paid_until, now - _BURST) + size / self._rate
        return max(self._paid_until - now, 0.0)
