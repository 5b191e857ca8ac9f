"""The receiving half of a connection, third part: many responses at once.

One receive may bring dozens of small responses. Here they are taken from the buffer one after the
other, each with its content, in one loop without a coroutine: only such as are plain, complete, and
answer requests that are plain. Whatever is not, the other parts take, one at a time.
"""

from __future__ import annotations

from ._content import Receiver
from ._exceptions import ConnectionClosed
from ._grammar import PLAIN_RESPONSE_HEAD
from ._messages import HTTPResponse
from ._request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Final

#: A response that is longer than this, in bytes, is not waited for in the buffer: its content goes
#: past it.
_WHOLE_SIZE: Final = 32 * 1024


class BulkReceiver(Receiver):
    """Reads the responses of one network connection."""

    __slots__ = ("_lacks_data",)

    def try_plain(self, but: Container[int]) -> list[tuple[HTTPResponse, bytes]] | None:
        """Return the plain responses that are there, each with its content; receive if there are none.

        Returns ``[]`` if the next response is for the other parts to receive, and `None` if it has to
        be waited for. A response with a status that is in *but* is left, and so is what follows it.
        Raises `ConnectionClosed` if the connection broke.
        """
        pairs = self._take_plain(but)
        transport = self._transport
        received = False
        while not pairs and self._lacks_data:
            if received and not self._is_short():
                # A head may go on for ever, and somebody has to watch out for that.
                return []
            if transport.drained:
                # As in `co_read`: an attempt would be in vain. Believed once.
                transport.drained = False
                return None
            size = self._try_fill_bulk()
            if size is None:
                return None
            if size == 0:
                return []
            received = True
            pairs = self._take_plain(but)
        return pairs

    def _take_plain(self, but: Container[int]) -> list[tuple[HTTPResponse, bytes]]:
        """Take the plain responses from the front of the buffer.

        Whether what comes next may become one is left in `_lacks_data`.
        """
        pairs: list[tuple[HTTPResponse, bytes]] = []
        buffer = self._buffer
        self._lacks_data = False
        state = self.state
        if buffer.scanned or state.receiving_closed:
            return pairs
        tracer = self._tracer
        match = PLAIN_RESPONSE_HEAD.match
        # One copy of all there is. Pieces of it cost less than half of what pieces of the buffer would.
        data = buffer.peek(len(buffer))
        start, end = 0, len(data)
        head_size = self._limits.unquestioned_size
        # What is sent meanwhile would be appended, but nothing is.
        for request in state.outstanding:
            if not isinstance(request, Request):
                break
            found = match(data, start, end)
            if found is None:
                self._lacks_data = data.find(b"\r\n\r\n", start, end) < 0
                break
            status_digits, head, length_digits = found.groups()
            begin = found.end()
            status = 200 if status_digits == b"200" else int(status_digits)
            # RFC 9112 §6.3, rule 1
            if status == 204 or status == 304 or request.method == "HEAD":
                length = 0
            else:
                length = int(length_digits)
            stop = begin + length
            if stop > end or begin - start > head_size or status in but:
                self._lacks_data = stop > end and stop - start <= _WHOLE_SIZE
                break
            response = HTTPResponse(request.method, request.path, status, head, length, request)
            if tracer is not None:
                tracer.event("response", f"{status} to {request.method} {request.path}")
            pairs.append((response, data[begin:stop]))
            start = stop
        # Only now: after an interrupt in the loop, all of them are taken again.
        buffer.start += start
        state.plain_responses_complete(len(pairs))
        if pairs:
            self.any_head_taken = True
        return pairs

    def _is_short(self) -> bool:
        """Tell if the head of a response is complete in the buffer, and only content is lacking."""
        buffer = self._buffer
        return buffer.data.find(b"\r\n\r\n", buffer.start, buffer.end) >= 0

    def _try_fill_bulk(self) -> int | None:
        """Receive into the buffer.

        If the connection has broken, what then is left of a response is looked at, so that the state
        knows of it.
        """
        try:
            return self._try_fill()
        except ConnectionClosed:
            if len(self._buffer):
                self._parse_head()
            raise
