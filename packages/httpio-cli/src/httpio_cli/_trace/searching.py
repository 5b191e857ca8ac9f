"""Where exactly an element became wrong that a parser has refused. Plain functions."""

from __future__ import annotations

from httpio import RemoteProtocolError
from httpio._buffer import ReceiveBuffer
from httpio._grammar import RESPONSE_HEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def first_wrong_byte(
    data: bytes, attempt: Callable[[ReceiveBuffer], object], like: ReceiveBuffer
) -> int:
    """Return the position of the byte of *data* with which *attempt* refuses it.

    *attempt* is called with buffers of the size of *like*, which hold longer or shorter beginnings of
    *data*, and must not change anything else.
    """
    buffer = ReceiveBuffer(len(like.data))

    def refuses(size: int) -> bool:
        buffer.consume(len(buffer))
        room = buffer.writable()
        room[:size] = data[:size]
        buffer.received(size)
        try:
            attempt(buffer)
        except RemoteProtocolError:
            return True
        return False

    # What is refused stays refused when more of it arrives.
    good, bad = 0, len(data)
    while bad - good > 1:
        middle = (good + bad) // 2
        if refuses(middle):
            bad = middle
        else:
            good = middle
    return max(bad - 1, 0)


def first_wrong_line(data: bytes, position: int) -> int:
    """Return where in the response head *data* the line begins that the grammar does not accept.

    That is *position* unless all of a head was needed to refuse it.
    """
    stop = data.find(b"\r\n\r\n")
    if stop < 0 or position < stop:
        return position
    begins = 0
    for end in (index for index in range(stop + 1) if data.startswith(b"\r\n", index)):
        if not RESPONSE_HEAD.fullmatch(data[:end] + b"\r\n\r\n"):
            return begins
        begins = end + 2
    return position
