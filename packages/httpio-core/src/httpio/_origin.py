"""The server that requests are for, and requests to it as bytes.

What is the same for all requests of a connection object is encoded and checked here once. Knows no
sockets.
"""

from __future__ import annotations

from ._encoders import as_bytes_view, encode_plain_request_head, encode_request_head
from ._messages import BodyFollowing
from ._target import request_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from _typeshed import ReadableBuffer

    from ._encoders import RequestHead
    from ._request import RequestHeaders


class Origin:
    """A server: *host* is the value of Host.

    With *through_proxy*, requests are in absolute-form, and have *credentials* as
    Proxy-Authorization.
    """

    __slots__ = ("_credentials", "_plain_fields", "host", "plain_rest", "target_prefix")

    def __init__(self, host: str, *, through_proxy: bool, credentials: str | None) -> None:
        self.host: Final = host
        self._credentials: Final = credentials
        #: What goes before a path (RFC 9112 §3.2.2).
        self.target_prefix: Final = f"http://{host}" if through_proxy else ""
        # The fields of a request that brings none of its own.
        self._plain_fields: Final = encode_request_head(
            "GET", "/", host, None, None, proxy_credentials=credentials
        ).data.partition(b"\r\n")[2]
        #: What follows the target in such a request.
        self.plain_rest: Final = f" HTTP/1.1\r\n{self._plain_fields.decode('latin-1')}"

    def encode(
        self,
        method: str,
        path: str,
        headers: RequestHeaders | None,
        body: ReadableBuffer | BodyFollowing | None,
        *,
        expect100: bool = False,
        add_content_md5: bool = False,
    ) -> tuple[RequestHead, memoryview | None]:
        """Return the head of a request, and the content to send along with it.

        Raises `LocalProtocolError` for whatever must not go on the wire, and `TypeError`.
        """
        host = self.host
        target = request_target(method, path)
        tunnel = method == "CONNECT"
        if tunnel:
            host = target
        elif self.target_prefix:
            # RFC 9112 §3.2.2, and §3.2.4 for "*"
            target = f"{self.target_prefix}{'' if target == '*' else target}"
        if headers is None and body is None and not expect100 and not tunnel:
            return encode_plain_request_head(method, target, self._plain_fields), None
        content: memoryview | None = None
        if body is not None and not isinstance(body, BodyFollowing):
            if isinstance(body, str):
                raise TypeError("the body must be bytes: encode the str first")
            content = as_bytes_view(body)
        head = encode_request_head(
            method,
            target,
            host,
            headers,
            body if isinstance(body, BodyFollowing) else content,
            expect100=expect100,
            proxy_credentials=self._credentials,
            add_content_md5=add_content_md5,
            tunnel=tunnel,
        )
        return head, content
