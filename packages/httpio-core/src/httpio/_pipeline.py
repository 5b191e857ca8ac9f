"""`Pipeline`: many requests over one connection, in one thread.

Puts together a `Feeder`, which sends, and the receiving half. It cannot get stuck: wherever it would
wait for a response while something is left to be sent, it waits for both, and does whichever is
possible first. What becomes of requests whose connection was lost is for `_recovery`.
"""

from __future__ import annotations

from time import monotonic

from ._blocking import run
from ._coroutine import PollNeeded, coroutine
from ._exceptions import CloseReason, ConnectionClosed, RemoteProtocolError, StateError
from ._feeding import BLOCK_LENGTH
from ._recovery import Recovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, Self, TypeVar

    from ._coroutine import PollCoroutine, PollGenerator
    from ._messages import HTTPResponse
    from ._state import State

    _T = TypeVar("_T")

#: Requests that are under way at once, unless the caller wants another number.
#: ``docs/explanation/pipelining.md`` tells how it was found.
DEFAULT_DEPTH: Final = 2048


class Pipeline(Recovery):
    """Responses to many requests, in the order of the requests.

    Made by `HTTPConnection.pipeline`. Iterating gives an `HTTPResponse` for each request; its content
    is read from the connection, and what is not read is dropped. `with_bodies` gives pairs of
    response and content instead, which is faster for small content.

    Where an exception is raised for a request, that request is given up. Iterating may go on: the
    requests behind it get their responses, over a new connection if need be. A connection that cannot
    be opened and a time-out raise as well, but give up nothing: the next call tries again. After
    `HTTPConnection.close` and `HTTPConnection.reset` every call raises.
    """

    # Heads

    def co_next_response(self) -> PollCoroutine[HTTPResponse | None]:
        """Return the head of the next response, `None` if all requests have theirs.

        Its content is to be read from the connection; what was not read of the content before is
        dropped. Raises `ConnectionClosed` for a request that gets no complete response and is not
        sent again, `RemoteProtocolError` for what is no response, whatever the iterable of requests
        raises, `LocalProtocolError` for a request that must not be sent, each when it is that
        request's turn, and what `HTTPConnection.co_connect` raises.
        """
        return self._co_guarded(self._co_next_response())

    @coroutine
    def _co_next_response(self) -> PollGenerator[HTTPResponse | None]:
        if self.pairs:
            raise StateError(
                f"{len(self.pairs)} responses were received with their content: "
                "with_bodies() or next_batch() hands them out"
            )
        while (yield from self._co_ready()):
            try:
                response = yield from self._co_head()
            except (RemoteProtocolError, OSError) as exc:
                self._check_mine()
                self._lost(exc)
                continue
            if response is not None:
                self._handed_over = response
                return response
        return None

    def next_response(self) -> HTTPResponse | None:
        """Return the head of the next response, `None` if all have been; see `co_next_response`."""
        return run(self.co_next_response(), self._conn.timeout)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> HTTPResponse:
        response = self.next_response()
        if response is None:
            raise StopIteration
        return response

    # Whole responses

    def co_next_batch(self) -> PollCoroutine[list[tuple[HTTPResponse, bytes]]]:
        """Return the next responses, each with its content: one, or as many as came with it.

        Returns ``[]`` if all requests have theirs. Content of any size is held in memory as a whole.
        Raises what `co_next_response` raises.
        """
        return self._co_guarded(self._co_next_batch())

    @coroutine
    def _co_next_batch(self) -> PollGenerator[list[tuple[HTTPResponse, bytes]]]:
        if self.pairs:
            return self._take_pairs()
        while (yield from self._co_ready()):
            try:
                batch = yield from self._co_plain()
                if batch:
                    return batch
                pair = yield from self._co_pair()
            except (RemoteProtocolError, OSError) as exc:
                self._check_mine()
                self._lost(exc)
                continue
            if pair is not None:
                return [pair]
        return []

    def co_next_small(self) -> PollCoroutine[list[tuple[HTTPResponse, bytes]]]:
        """Return the next responses, each with its content, as long as they are small.

        Returns ``[]`` if the next one is not: its content has more than some ten kilobytes, or it
        cannot be told yet how much. `co_next_response` returns it then, or `None` if all requests have
        theirs. Small content comes as fast as by `co_next_batch`, and no large content has to be
        held in memory. Raises what `co_next_response` raises.
        """
        return self._co_guarded(self._co_next_small())

    @coroutine
    def _co_next_small(self) -> PollGenerator[list[tuple[HTTPResponse, bytes]]]:
        if self.pairs:
            return self._take_pairs()
        while (yield from self._co_ready()):
            try:
                return (yield from self._co_plain())
            except (RemoteProtocolError, OSError) as exc:
                self._check_mine()
                self._lost(exc)
        return []

    def next_small(self) -> list[tuple[HTTPResponse, bytes]]:
        """Return the next small responses with their content; see `co_next_small`."""
        return run(self.co_next_small(), self._conn.timeout)

    def _take_pairs(self) -> list[tuple[HTTPResponse, bytes]]:
        """Return what was received for `with_bodies`, and not handed out."""
        pairs = list(self.pairs)
        self.pairs.clear()
        return pairs

    @coroutine
    def _co_plain(self) -> PollGenerator[list[tuple[HTTPResponse, bytes]]]:
        """Return the plain responses that come next, ``[]`` if that takes one at a time."""
        receiver, transport, state = self._receiver, self._transport, self._state
        assert state is not None
        while (batch := receiver.try_plain(self._looked_at)) is None:
            yield self._wait(transport.recv_wait)
            self._check_mine()
            if self._send_wait is not None:
                self._advance(state)
                self._check_sent(state)
        if batch:
            self._put_off = (None, 0)
            self._conn._peer.persists()
        return batch

    def next_batch(self) -> list[tuple[HTTPResponse, bytes]]:
        """Return the next responses with their content, ``[]`` at the end; see `co_next_batch`."""
        return run(self.co_next_batch(), self._conn.timeout)

    def with_bodies(self) -> Iterator[tuple[HTTPResponse, bytes]]:
        """Iterate over pairs of response and content.

        Raises what `next_batch` raises; calling it again goes on behind that.
        """
        pairs = self.pairs
        while True:
            while pairs:
                yield pairs.popleft()
            batch = self.next_batch()
            if not batch:
                return
            pairs.extend(batch)

    # The end

    def close(self) -> None:
        """Send no more requests, and give up those that are not answered.

        If there are any, the connection is closed; the next request opens a new one.
        """
        if self._closed:
            return
        self._closed = True
        self.pairs.clear()
        state = self._state
        if state is not None:
            if self._conn._pipeline is self:
                self._conn._pipeline = None
                if state.outstanding or self._feeder.is_sending:
                    self._conn.close()
                elif state.close_reason is not None:
                    self._conn._renew()
            self._leave(state)
        self._feeder.give_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # For the connection

    @coroutine
    def co_while_sending(self, receiving: PollGenerator[_T]) -> PollGenerator[_T]:
        """Run what receives content for the caller, and send meanwhile."""
        try:
            return (yield from self._co_guarded(self._co_sending(receiving)))
        except ConnectionClosed as exc:
            state = self._state
            if state is None or not state.outstanding:
                raise
            self._told = state.oldest()
            raise self._unanswered_error(exc, [*state.outstanding]) from exc

    @coroutine
    def _co_guarded(self, steps: PollGenerator[_T]) -> PollGenerator[_T]:
        """Run *steps*. After an interrupt in the middle of one, the connection is not used again.

        It may have come between a send or a receive and its being noted.
        """
        try:
            while True:
                try:
                    needed = next(steps)
                except StopIteration as exc:
                    result: _T = exc.value
                    return result
                except Exception:
                    raise
                except BaseException:
                    self._distrust()
                    raise
                yield needed
        finally:
            steps.close()

    # Getting ready

    @coroutine
    def _co_ready(self) -> PollGenerator[bool]:
        """Have a request outstanding on a connection to receive from; `False` if all is done."""
        conn = self._conn
        feeder = self._feeder
        while True:
            if self._closed:
                if self._cut_off:
                    raise StateError(
                        "the pipeline has ended, because its connection was closed by this program"
                    )
                return False
            state = self._begin() if self._state is None else self._state
            self._check_mine()
            if conn._state is not state:
                # connect() was called by hand.
                self._leave(state)
                state = self._use()
            if self._receiver.current_response is not None:
                yield from self._co_drop_rest(state)
            if state.outstanding:
                if not state.receiving_closed:
                    self._advance(state)
                    if not self._closed:
                        return True
                else:
                    self._lost(state.closed_error())
            elif failed := feeder.take_failed():
                try:
                    raise self._failure(failed)
                finally:
                    # Or it would hold itself, by its traceback.
                    del failed
            elif not feeder.has_more():
                if not self._closed:
                    self._finish()
            elif state.close_reason is not None:
                self._lost(state.closed_error())
            elif (pause := self._resumes_at - monotonic()) > 0:
                yield from self._conn._runtime.co_sleep(pause)
            elif self._transport.closed:
                yield from self._co_open()
            else:
                self._advance(state)
                if state.outstanding and not self._closed:
                    return True
                if self._send_wait is not None:
                    yield self._send_wait

    @coroutine
    def _co_drop_rest(self, state: State) -> PollGenerator[None]:
        """Read to the end of the content that was the caller's to read."""
        receiver = self._receiver
        if receiver.current_response is not self._handed_over:
            return
        try:
            yield from self._co_sending(receiver.co_discard())
        except (ConnectionClosed, RemoteProtocolError):
            # Nobody misses it, or whoever does was told.
            if self._told is not state.oldest():
                self._dropped = state.oldest()
            state.close_because(CloseReason.INVALID_RESPONSE)

    # Sending and receiving

    def _advance(self, state: State) -> None:
        """Send what can be sent now, if it is worth it."""
        feeder = self._feeder
        window = self._conn._peer.window(self._depth, state.answered)
        self._send_wait = None
        # A block at a time, or each response would make a send of its own.
        room = window - len(state.outstanding)
        if feeder.is_sending or room >= min(max(window // 8, 1), BLOCK_LENGTH):
            try:
                self._send_wait = feeder.advance(window)
            except ConnectionClosed:
                # The state knows. What the server has sent before can still be received.
                pass

    def _check_sent(self, state: State) -> None:
        """Raise if the response that comes next never will: its request was not sent to the end."""
        if state.next_is_incomplete:
            raise state.closed_error()

    def _wait(self, needed: PollNeeded) -> PollNeeded:
        """Return what to wait for to receive, *needed*, or to send if there is something to send."""
        waits = self._send_wait
        return needed if waits is None else PollNeeded(needed.fd, needed.mask | waits.mask)

    @coroutine
    def _co_sending(self, receiving: PollGenerator[_T]) -> PollGenerator[_T]:
        """Run *receiving*, and send meanwhile."""
        state = self._state
        try:
            while True:
                try:
                    needed = next(receiving)
                except StopIteration as exc:
                    result: _T = exc.value
                    return result
                if state is not None:
                    self._advance(state)
                    self._check_sent(state)
                yield self._wait(needed)
                self._check_mine()
        finally:
            receiving.close()

    @coroutine
    def _co_head(self) -> PollGenerator[HTTPResponse | None]:
        """Return the head of the next response, `None` if its request is put off."""
        state = self._state
        assert state is not None
        exchange = state.oldest()
        assert exchange is not None
        response = yield from self._co_sending(self._receiver.co_read_response(is_sending=True))
        if response.version == "1.1" and state.close_reason is None:
            self._conn._peer.persists()
        self._told = None
        if response.status in self._looked_at and self._puts_off(response, exchange):
            return None
        self._put_off = (None, 0)
        return response

    @coroutine
    def _co_pair(self) -> PollGenerator[tuple[HTTPResponse, bytes] | None]:
        """Return the next response with its content, `None` if its request is put off."""
        receiver = self._receiver
        # There if this was begun before by a coroutine that was dropped.
        response = receiver.current_response or (yield from self._co_head())
        if response is None:
            return None
        content = yield from self._co_sending(receiver.co_readall())
        return response, content
