"""The sending half of a pipeline: from requests to bytes, as far as window and socket allow.

Knows the order in which requests go, and what has to go alone; what became of those that were sent
is for others. Nothing waits here: `Feeder.advance` sends what can be sent now, and says what it
would wait for.

Most requests go in blocks, one send for many. In this order: what the socket did not take of a
block, content that is being sent, a block that is ready, the one request that waits for its turn,
those that come back from a connection that was lost, and what the caller's iterable has.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from ._coroutine import coroutine
from ._encoders import as_bytes_view
from ._exceptions import CloseReason, ConnectionClosed, LocalProtocolError
from ._messages import BodyFollowing
from ._queued import Failed, Queued, renewed
from ._request import Request
from ._request_content import announce, go_back, is_file, is_in_memory, position_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from ._coroutine import PollCoroutine, PollGenerator, PollNeeded
    from ._origin import Origin
    from ._receiving import HeadReceiver
    from ._request import ContentSource
    from ._sendfile import FileSender
    from ._state import Exchange, State
    from ._transport import Transport

#: With room for so many requests, it is worth making a block, whatever the size of the window.
BLOCK_LENGTH: Final = 128
#: Requests are added to a block until it has this many bytes.
_BLOCK_SIZE: Final = 128 * 1024
#: Content up to this size, in bytes, goes along in a block.
_SMALL_CONTENT: Final = 4 * 1024
#: With these, a path that is proper makes a proper request.
_PLAIN_METHODS: Final = ("GET", "HEAD", "DELETE", "OPTIONS")


class Feeder:
    """Sends the requests of one pipeline, over one network connection after the other."""

    def __init__(
        self, requests: Iterable[Request], origin: Origin, *, add_content_md5: bool
    ) -> None:
        self._requests: Iterator[Request] = iter(requests)
        #: The iterable is being asked. It may use the connection meanwhile, but must not be asked.
        self._asking = False
        #: Nothing more is to be sent.
        self._given_up = False
        self._origin: Final = origin
        self._add_content_md5: Final = add_content_md5
        #: Nothing more comes from the iterable.
        self._exhausted = False
        self._backlog: deque[Queued] = deque()
        self._held: Queued | None = None
        #: A block that is being made: requests, and how each of them goes on the wire.
        self._block: list[Request] = []
        self._texts: list[str] = []
        #: What the socket did not take of a block; the requests of which not a byte was sent, each
        #: with the position at which it begins.
        self._rest: memoryview | None = None
        self._unbegun: deque[tuple[int, Request]] = deque()
        self._upload: PollCoroutine[None] | None = None
        #: Nothing is sent until all that was is answered.
        self._barrier = False

    def use(
        self, sender: FileSender, receiver: HeadReceiver, state: State, transport: Transport
    ) -> None:
        """Send over this network connection from now on."""
        self._sender = sender
        self._receiver = receiver
        self._state = state
        self._transport = transport

    # What is there

    @property
    def is_sending(self) -> bool:
        """A request has been begun, and is to be sent to its end."""
        return self._rest is not None or self._upload is not None

    def has_more(self) -> bool:
        """Tell if any request is left to be sent or to fail. May take one from the iterable."""
        if self._has_any():
            return True
        if not self._exhausted:
            self._gather_new(1)
        return self._has_any()

    def _has_any(self) -> bool:
        return bool(self.is_sending or self._asking or self._block or self._held or self._backlog)

    def waiting(self) -> list[Queued]:
        """Return the requests that were taken from the iterable, and of which nothing was sent."""
        in_blocks = [*(request for _, request in self._unbegun), *self._block]
        # After an interrupt it may be in both.
        is_held = self._held is not None and self._held not in self._state.outstanding
        held = [self._held] if self._held is not None and is_held else []
        return [*map(Queued, in_blocks), *held, *self._backlog]

    def take_failed(self) -> Queued | None:
        """Return the request that is next, and cannot be sent, and go on behind it."""
        if self._backlog and not self.is_sending and not self._block and self._held is None:
            queued = self._backlog[0]
            if queued.failure is not None or queued.spent:
                return self._backlog.popleft()
        return None

    def send_again(
        self, sent: Iterable[Exchange | Request], lost: CloseReason | None = None
    ) -> None:
        """What was *sent*, and what was not sent, goes over the next network connection.

        *sent* are those that were sent or begun, in order, without those that are given up; *lost*
        is why they are not answered.
        """
        if self._upload is not None:
            self._upload.close()
        again = [*(renewed(asked, lost) for asked in sent), *self.waiting()]
        self._upload = self._rest = self._held = None
        self._barrier = False
        self._unbegun.clear()
        self._block.clear()
        self._texts.clear()
        self._backlog = deque(again)

    def drop_next(self) -> None:
        """Give up the request that is next, of which nothing was sent."""
        self._backlog.popleft()

    def give_up(self) -> None:
        """Send nothing more, and let go of all that was to be sent."""
        self._exhausted = self._given_up = True
        self._requests = iter(())
        upload, self._upload = self._upload, None
        if upload is not None:
            try:
                upload.close()
            except ValueError:
                # It is what calls this.
                pass
        self._rest = self._held = None
        self._backlog.clear()
        self._unbegun.clear()
        self._block.clear()
        self._texts.clear()

    # Sending

    def advance(self, window: int) -> PollNeeded | None:
        """Send what can be sent without waiting, with up to *window* requests under way.

        Returns what is to be waited for, or `None` if there is nothing to be sent now. Raises
        `ConnectionClosed` if the connection cannot be sent to any more, and `InvalidResponse` for
        what the server has sent without being asked.
        """
        state = self._state
        outstanding = state.outstanding
        # Behind a request that was not sent to its end, nothing may follow: it would be taken for the
        # rest. Nor behind an announced close (RFC 9112 §9.6).
        while state.close_reason is None:
            if self._upload is not None:
                try:
                    return next(self._upload)
                except StopIteration:
                    self._upload = None
                except BaseException:
                    self._upload = None
                    raise
            elif self._rest is not None:
                if not self._send_rest(self._rest):
                    return self._transport.send_wait
            elif self._barrier and outstanding:
                return None
            elif self._block:
                self._barrier = False
                if not self._send_block():
                    return self._transport.send_wait
            elif self._held is not None:
                if len(outstanding) >= (1 if self._held.alone else window):
                    return None
                self._check_idle()
                self._barrier = self._held.alone
                self._upload = self._co_upload(self._held)
            elif not self._gather(window - len(outstanding)):
                return None
        return None

    def _check_idle(self) -> None:
        """Find out what the server has done meanwhile, if nothing is outstanding."""
        if not self._state.outstanding:
            self._receiver.check_idle()

    def _send_block(self) -> bool:
        """Send the block that was made; return if something more can be sent."""
        self._check_idle()
        block, texts = self._block, self._texts
        data = "".join(texts).encode("latin-1")
        size = self._sender.try_send_requests(data, block)
        if size == len(data):
            self._state.requests_sent(block)
        else:
            begin = 0
            for text, request in zip(texts, block, strict=True):
                self._unbegun.append((begin, request))
                begin += len(text)
            self._sent(memoryview(data), size)
        block.clear()
        texts.clear()
        # Without TLS, another attempt would be in vain.
        return self._rest is None or not (size == 0 or self._transport.less_is_full)

    def _send_rest(self, rest: memoryview) -> bool:
        """Send what is left of a block; return if something more can be sent."""
        self._check_idle()
        size = self._sender.try_send_requests(rest)
        return self._sent(rest, size) or not (size == 0 or self._transport.less_is_full)

    def _sent(self, rest: memoryview, size: int) -> bool:
        """*size* bytes of *rest*, the end of a block, were sent. Return if that is all of it."""
        rest = rest[size:]
        position = len(rest.obj) - len(rest)  # type: ignore[arg-type]  # always bytes
        while self._unbegun and self._unbegun[0][0] < position:
            self._state.requests_sent((self._unbegun.popleft()[1],))
        self._rest = rest if rest else None
        return self._rest is None

    @coroutine
    def _co_upload(self, queued: Queued) -> PollGenerator[None]:
        """Send a request that does not go in a block."""
        sender = self._sender
        head, content = queued.head, queued.content
        assert head is not None
        body = queued.request.body
        state = self._state
        try:
            rest = sender.try_send_request(queued, head.data, content)
            self._held = None
            if rest is not None:
                yield from sender.co_send_rest(queued, rest, content)
            # An empty file is complete with its head.
            if queued.content_follows and queued.remaining != 0:
                assert body is not None
                assert not is_in_memory(body)
                queued.spent = queued.position is None
                yield from self._co_send_content(queued, body)
        except Exception as exc:
            if isinstance(exc, ConnectionClosed) and state.close_reason is not None:
                raise
            # The caller's file or iterable; or more content than there was at first. It is raised
            # when it is its turn, and nothing may follow what was sent of it.
            queued.failure = exc
            state.close_sending(CloseReason.SEND_ABORTED)
            raise state.closed_error() from exc
        except BaseException:
            # An interrupt, or it is given up: the same, but for whom it is raised.
            state.close_sending(CloseReason.SEND_ABORTED)
            raise

    @coroutine
    def _co_send_content(self, queued: Queued, body: ContentSource) -> PollGenerator[None]:
        if is_file(body):
            yield from self._sender.co_sendfile(body)
            if queued.remaining:
                raise LocalProtocolError(
                    f"the file for {queued.method} {queued.path} has got shorter: "
                    f"{queued.remaining} bytes are missing"
                )
        else:
            for piece in body:
                yield from self._sender.co_write(as_bytes_view(piece), False)
        if queued.remaining is None:
            yield from self._sender.co_finish_body(None)

    # Making requests

    def _gather(self, room: int) -> bool:
        """Take up to *room* requests, for a block or to be held; return `False` if there are none."""
        self._barrier = False
        while self._backlog and len(self._block) < room and self._held is None:
            queued = self._backlog[0]
            if queued.spent or not self._prepare(queued):
                break
            self._backlog.popleft()
            self._admit(queued)
        if not self._backlog and self._held is None and not self._exhausted:
            room -= len(self._block)
            if room > 0:
                self._gather_new(room)
        return bool(self._block) or self._held is not None

    def _gather_new(self, room: int) -> None:
        """Take up to *room* requests from the iterable."""
        block, texts = self._block, self._texts
        prefix, rest = self._origin.target_prefix, self._origin.plain_rest
        before = len(block)
        size = 0
        # The request that was taken last, and whether it has its place.
        request: Request | None = None
        placed = True
        self._asking = True
        try:
            for request in islice(self._requests, room):
                placed = False
                # What is checked is what is put into the text: nothing is looked at twice.
                try:
                    method, path = request.method, request.path
                    is_plain = (
                        isinstance(request, Request)  # type: ignore[redundant-expr]  # or not
                        and type(path) is str
                        and path[:1] == "/"
                        and type(method) is str
                        and method in _PLAIN_METHODS
                        and request.headers is None
                        and request.body is None
                        and request.idempotent
                        # Visible ASCII, and nothing else (RFC 9112 §3.2).
                        and path.isascii()
                        and path.isprintable()
                        and " " not in path
                    )
                except Exception:  # noqa: BLE001 - whatever it is, it is looked at more closely
                    method = path = ""
                    is_plain = False
                if is_plain:
                    texts.append(f"{method} {prefix}{path}{rest}")
                    block.append(request)
                    placed = True
                else:
                    goes_on = self._take(request)
                    placed = True
                    if not goes_on:
                        return
                size += len(texts[-1])
                if size > _BLOCK_SIZE:
                    return
        except Exception as exc:  # noqa: BLE001 - raised when it is its turn
            self._backlog.append(Failed(exc))
            self._exhausted = True
            return
        except BaseException:
            # An interrupt: nothing that was taken may be lost, and no text be left without a request.
            del texts[len(block) :]
            if not placed and isinstance(request, Request):
                self._backlog.append(Queued(request))
            raise
        finally:
            self._asking = False
            if self._given_up:
                # By the iterable itself, meanwhile.
                self.give_up()
        if len(block) - before < room:
            self._exhausted = True

    def _take(self, request: Request) -> bool:
        """Take a request that is not plain; return `False` if nothing can be taken behind it now."""
        try:
            if not isinstance(request, Request):
                raise TypeError(f"a pipeline takes Request objects, got {request!r}")
            queued = Queued(request)
        except Exception as exc:  # noqa: BLE001 - raised when it is its turn
            self._backlog.append(Failed(exc))
            return False
        if not self._prepare(queued):
            self._backlog.append(queued)
            return False
        self._admit(queued)
        return self._held is None

    def _prepare(self, queued: Queued) -> bool:
        """Encode a request; return `False` if it cannot be sent, and say why in it."""
        if queued.failure is not None:
            return False
        request = queued.request
        try:
            body = request.body
            following: BodyFollowing | None = None
            if isinstance(body, BodyFollowing) or not (  # type: ignore[redundant-expr]  # or others
                body is None or is_in_memory(body) or is_file(body) or hasattr(body, "__iter__")
            ):
                raise TypeError(
                    f"the body of a request in a pipeline is bytes-like, a binary file or an "
                    f"iterable of bytes, got {body!r}"
                )
            if body is not None and not is_in_memory(body):
                if queued.position is None:
                    queued.position = position_of(body)
                else:
                    go_back(body, queued.position)
                following = announce(body)
            head, queued.content = self._origin.encode(
                request.method,
                request.path,
                request.headers,
                body if following is None else following,  # type: ignore[arg-type]  # in memory
                add_content_md5=self._add_content_md5,
            )
            if b"\r\nExpect: 100-continue\r\n" in head.data:
                raise LocalProtocolError(
                    "a pipeline does not wait for 100 Continue: leave Expect out, or use "
                    "send_request(expect100=True)"
                )
            if request.method == "CONNECT" or head.asks_upgrade:
                raise LocalProtocolError(
                    f"{request.method} {request.path} would end HTTP on its connection, so it "
                    "cannot be in a pipeline: use send_request()"
                )
        except Exception as exc:  # noqa: BLE001 - raised when it is its turn
            queued.failure = exc
            return False
        queued.head = head
        queued.alone = not request.idempotent or head.asks_close
        queued.asks_close = head.asks_close
        queued.content_follows = following is not None
        return True

    def _admit(self, queued: Queued) -> None:
        """Add a request that was prepared to the block, or hold it if it does not go in one."""
        head, content = queued.head, queued.content
        assert head is not None
        if (
            queued.alone
            or queued.content_follows
            or (content is not None and len(content) > _SMALL_CONTENT)
        ):
            queued.remaining = head.content_length
            self._held = queued
            return
        text = head.data.decode("latin-1")
        if content is not None:
            text += bytes(content).decode("latin-1")
        self._texts.append(text)
        self._block.append(queued.request)
