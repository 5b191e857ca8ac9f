"""Tunnels through a proxy: CONNECT (RFC 9110 §9.3.6), before there is a connection to speak of.

A proxy for plain http needs nothing here: requests go to it in absolute-form (`_lifecycle`).
"""

from __future__ import annotations

from ._buffer import ReceiveBuffer
from ._coroutine import coroutine
from ._encoders import encode_request_head
from ._exceptions import CloseReason, ConnectionClosed, InvalidResponse, ProxyError
from ._parser import parse_response_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from ._coroutine import PollGenerator
    from ._parser import Limits, ResponseHead
    from ._tracing import Tracer
    from ._transport import Transport

#: More interim responses than this are no sign of a working proxy.
_MAX_INFORMATIONAL: Final = 100


@coroutine
def co_open_tunnel(
    transport: Transport,
    authority: str,
    credentials: str | None,
    limits: Limits,
    tracer: Tracer | None,
) -> PollGenerator[None]:
    """Have the proxy behind *transport* connect to *authority*, ``host:port``.

    *credentials* is the value for Proxy-Authorization. Raises `ProxyError` if the proxy refuses,
    `ConnectionClosed` if it closes, `RemoteProtocolError` if it speaks nonsense.
    """
    fields = {"Proxy-Authorization": credentials} if credentials is not None else {}
    request = encode_request_head("CONNECT", authority, authority, fields, None, tunnel=True)
    data = memoryview(request.data)
    while data:
        sent = transport.try_send(data)
        if sent is None:
            yield transport.send_wait
        else:
            data = data[sent:]
    buffer = ReceiveBuffer(limits.buffer_size)
    head: ResponseHead | None = None
    informational = 0
    while head is None or head.status < 200:
        head = parse_response_head(buffer, limits)
        if head is not None:
            # RFC 9110 §15.2: any number may come unasked.
            informational += head.status < 200
            if informational > _MAX_INFORMATIONAL:
                raise InvalidResponse(
                    f"the proxy sent more than {_MAX_INFORMATIONAL} interim responses to "
                    f"CONNECT {authority}"
                )
            continue
        size = transport.try_recv_into(buffer.writable())
        if size is None:
            yield transport.recv_wait
        elif size:
            buffer.received(size)
        else:
            raise ConnectionClosed(
                f"the proxy closed the connection instead of answering CONNECT {authority}",
                reason=CloseReason.SERVER_CLOSED,
            )
    if not 200 <= head.status < 300:
        raise ProxyError(
            f"the proxy refused CONNECT {authority}: {head.status} {head.reason}",
            status=head.status,
            reason_phrase=head.reason,
        )
    # In TLS the client speaks first. What is here already can only be an attempt to be taken for
    # the server.
    if len(buffer):
        raise InvalidResponse(
            f"the proxy sent data ahead of the server's in the tunnel: {buffer.peek(80)!r}"
        )
    if tracer is not None:
        tracer.event("tunnel", authority)
