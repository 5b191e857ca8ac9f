"""The receiving half of a connection, second part: content.

Takes over where `_receiving` has handed out a head: joins the decoder for the content with buffer and
transport. Large pieces are received straight into what the caller gets, past the buffer.
"""

from __future__ import annotations

from io import BytesIO

from ._coroutine import coroutine
from ._decoders import CloseDelimitedDecoder, ContentLengthDecoder, UndelimitedDecoder
from ._exceptions import (
    CloseReason,
    ConnectionClosed,
    InvalidResponse,
    LocalProtocolError,
    StateError,
)
from ._receiving import HeadReceiver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from ._coroutine import PollGenerator
    from ._decoders import Decoder

#: `readall` and `discard` receive this much at a time, in bytes.
_PIECE_SIZE: Final = 256 * 1024
#: A large bytearray begins 16 bytes behind the start of a page. Some processors receive there at a third
#: of the speed; this far behind that, at all of it.
_ALIGNMENT: Final = 48
#: After this many pieces they let others have a turn, even if there is more to be had at once.
_PIECES_PER_TURN: Final = 16


class Receiver(HeadReceiver):
    """Reads the responses of one network connection."""

    __slots__ = ()

    @coroutine
    def co_read(self, size: int) -> PollGenerator[bytes]:
        if size < 0:
            raise LocalProtocolError(f"cannot read {size} bytes; None reads all there are")
        decoder = self._body_decoder()
        if decoder is None or not size:
            return b""
        if self._has_gathered:
            return self._take_gathered(size)
        transport = self._transport
        if transport.drained and self._nothing_left(decoder):
            yield transport.recv_wait
        while True:
            data = self._try_content(decoder, size)
            if data is not None:
                if decoder.complete:
                    self._content_complete()
                return data
            yield transport.recv_wait

    @coroutine
    def co_readinto(self, view: memoryview) -> PollGenerator[int]:
        if view.readonly:
            raise TypeError("readinto() needs memory that can be written to, such as a bytearray")
        decoder = self._body_decoder()
        if decoder is None or not len(view):
            return 0
        if self._has_gathered:
            data = self._take_gathered(len(view))
            view[: len(data)] = data
            return len(data)
        transport = self._transport
        if transport.drained and self._nothing_left(decoder):
            yield transport.recv_wait
        while True:
            size = self._try_content_into(decoder, view)
            if size is not None:
                if decoder.complete:
                    self._content_complete()
                return size
            yield transport.recv_wait

    @coroutine
    def co_readall(self) -> PollGenerator[bytes]:
        gathered = self._gathered
        decoder = self._decoder
        if (
            type(decoder) is ContentLengthDecoder
            and decoder.remaining <= self._buffer.end - self._buffer.start
            and not self._has_gathered
            and not self.state.receiving_closed
        ):
            # All of it came with the head, as small objects do.
            content = self._buffer.take(decoder.remaining)
            response = self.current_response
            assert response is not None
            self._complete(response)
            return content
        decoder = self._body_decoder()
        if decoder is None:
            return b""
        if self._has_gathered and self.state.receiving_closed:
            # It failed before; what it had gathered is left for `read`.
            raise self.state.closed_error()
        transport = self._transport
        if transport.drained and self._nothing_left(decoder):
            yield transport.recv_wait
        joined = self._joined
        count = 0
        while not decoder.complete:
            data = self._try_content(decoder, _PIECE_SIZE)
            if data is None:
                yield transport.recv_wait
            elif data:
                if joined is not None:
                    joined.write(data)
                else:
                    gathered.append(data)
                    if len(gathered) == _PIECES_PER_TURN:
                        joined = self._join()
                count += 1
                if not count % _PIECES_PER_TURN and self._can_pause(decoder):
                    yield transport.poll_in
        self._check_current(decoder)
        if joined is not None:
            content = joined.getvalue()
        else:
            content = gathered[0] if len(gathered) == 1 else b"".join(gathered)
        self._drop_gathered()
        self._content_complete()
        return content

    def _join(self) -> BytesIO:
        """Have what is gathered grow in one piece of memory from now on.

        To join very many pieces at the end would keep others waiting, for a second with 1 GiB.
        """
        joined = BytesIO()
        joined.writelines(self._gathered)
        # From now on the list does not count, so an interrupt can come wherever it likes.
        self._joined = joined
        self._gathered.clear()
        return joined

    def _drop_gathered(self) -> None:
        self._gathered.clear()
        self._joined = None

    @coroutine
    def co_discard(self) -> PollGenerator[None]:
        self._drop_gathered()
        decoder = self._body_decoder()
        if decoder is None:
            return
        scratch: memoryview | None = None
        count = 0
        while not decoder.complete:
            if scratch is None:
                if len(self._buffer) and self._decode(decoder, len(self._buffer)) is not None:
                    # That may have been all, as it is with small objects.
                    continue
                scratch = memoryview(bytearray(_PIECE_SIZE + _ALIGNMENT))[_ALIGNMENT:]
            if self._try_content_into(decoder, scratch) is None:
                yield self._transport.recv_wait
            count += 1
            if not count % _PIECES_PER_TURN and self._can_pause(decoder):
                yield self._transport.poll_in
        self._check_current(decoder)
        self._content_complete()

    @coroutine
    def co_read_raw(self, size: int) -> PollGenerator[bytes]:
        """Up to *size* uninterpreted bytes, from the buffer and then from the socket."""
        if size < 0:
            raise LocalProtocolError(f"cannot read {size} bytes")
        transport = self._transport
        if not size or (transport.closed and not len(self._buffer)):
            return b""
        # No response can be told any more from what comes after this.
        self.state.close_because(CloseReason.READ_RAW)
        if len(self._buffer):
            return self._buffer.take(size)
        while True:
            try:
                data = transport.try_recv(size)
            except ConnectionClosed:
                # There is no more to look at, however it ended.
                return b""
            if data is not None:
                return data
            yield transport.recv_wait

    def _body_decoder(self) -> Decoder | None:
        """Return the decoder of the content that is being read, `None` if there is no such."""
        state = self.state
        # What was gathered before the connection broke can still be had.
        if (
            state.receiving_closed
            and state.in_body
            and (not self._has_gathered or state.close_reason is CloseReason.CLOSED_LOCALLY)
        ):
            raise state.closed_error()
        if self._decoder is None and not self.any_head_taken and state.outstanding:
            # Later on this cannot be told from reading on at the end of the response before.
            if state.receiving_closed:
                raise state.closed_error()
            raise StateError(
                "the head of the response has not been read: read_response() comes before its "
                "content"
            )
        return self._decoder

    def _nothing_left(self, decoder: Decoder) -> bool:
        """Tell if an attempt to receive would be in vain, after one that left nothing behind.

        Believed once: whoever drops the coroutine and begins again gets an attempt.
        """
        transport = self._transport
        if (
            not len(self._buffer)
            and not decoder.complete
            and type(decoder) is not UndelimitedDecoder
        ):
            transport.drained = False
            return True
        return False

    def _can_pause(self, decoder: Decoder) -> bool:
        """Tell if there is more to wait for, and the wait would end at once."""
        # What is in a buffer, ours or that of TLS, does not make a socket ready.
        return not decoder.complete and self._transport.poll_in.poll(0)

    def _check_current(self, decoder: Decoder) -> None:
        """Raise if what a coroutine was reading has been read to its end while it waited."""
        if decoder is not self._decoder:
            raise StateError(
                "another thread, task or coroutine has read the content that this one waited for"
            )

    def _try_content(self, decoder: Decoder, size: int) -> bytes | None:
        """Return up to *size* bytes of content, ``b""`` at its end, `None` if it would block."""
        self._check_current(decoder)
        buffer = self._buffer
        while True:
            data = self._decode(decoder, size)
            if data is not None:
                return data
            direct_size = decoder.direct_size
            if direct_size and buffer.start == buffer.end:
                try:
                    data = self._transport.try_recv(min(size, direct_size))
                except OSError as exc:
                    raise self._lost(exc) from exc.__cause__
                if data:
                    decoder.received_directly(len(data))
                    return data
                at_end = data is not None
            else:
                filled = self._try_fill()
                if filled:
                    continue
                at_end = filled is not None
            if not at_end:
                return None
            self._content_closed(decoder)

    def _try_content_into(self, decoder: Decoder, view: memoryview) -> int | None:
        """Like `_try_content`, into the caller's memory."""
        self._check_current(decoder)
        buffer = self._buffer
        while True:
            # With nothing in the buffer, data goes past it without a look into it.
            direct_size = decoder.direct_size
            if not direct_size or buffer.start != buffer.end:
                try:
                    size = decoder.decode_into(buffer, view)
                except InvalidResponse:
                    self._close_because(CloseReason.INVALID_RESPONSE)
                    raise
                if size is not None:
                    return size
                direct_size = decoder.direct_size
            if direct_size and buffer.start == buffer.end:
                target = view if len(view) <= direct_size else view[:direct_size]
                try:
                    size = self._transport.try_recv_into(target)
                except OSError as exc:
                    raise self._lost(exc) from exc.__cause__
                if size:
                    decoder.received_directly(size)
                    return size
            else:
                size = self._try_fill()
                if size:
                    continue
            if size is None:
                return None
            self._content_closed(decoder)
            if decoder.complete:
                return 0

    def _decode(self, decoder: Decoder, size: int) -> bytes | None:
        try:
            return decoder.decode(self._buffer, size)
        except InvalidResponse:
            self._close_because(CloseReason.INVALID_RESPONSE)
            raise

    def _take_gathered(self, size: int) -> bytes:
        """Hand over content that a `co_readall` which was dropped had gathered."""
        if self._joined is not None:
            # In pieces again: of one large piece, each read would copy the rest.
            whole = self._joined.getvalue()
            starts = range(0, len(whole), _PIECE_SIZE)
            self._gathered[:] = [whole[start : start + _PIECE_SIZE] for start in starts]
            self._joined = None
        data = self._gathered[0]
        if len(data) <= size:
            del self._gathered[0]
        else:
            self._gathered[0] = data[size:]
            data = data[:size]
        return data

    def _content_complete(self) -> None:
        if not self._has_gathered:
            assert self.current_response is not None
            self._complete(self.current_response)

    def _content_closed(self, decoder: Decoder) -> None:
        """The server closed the connection while content was being read."""
        # Not if it was closed here, by another thread: then the content is not complete.
        if isinstance(decoder, CloseDelimitedDecoder) and not self._transport.closed:
            decoder.complete = True
            return
        raise self._ended(f"in the middle of {self.current_response!r}, with {decoder!r}")
