"""Steps for a scripted server that answers what it is asked, where nobody can say beforehand what that will be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tests.support.scripted import Step, accept, drain, half_close, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.scripted import Conversation

    Answering: TypeAlias = Callable[["Asked"], bytes | None]


class Asked(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    #: With names in lower case.
    fields: dict[str, str]
    content: bytes


def ok(content: bytes, *field_lines: str, status: str = "200 OK") -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *field_lines, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


def serve(answer: Answering) -> Step:
    """Answer one request after the other, until the client closes or *answer* returns `None`.

    A request is read to its end before it is answered, and nothing is read meanwhile. ``GET /proof`` is answered
    here.
    """

    def perform(conversation: Conversation) -> None:
        for _ in _served(conversation, answer):
            pass

    return Step("serve()", perform)


def serve_anew(answer: Answering) -> Step:
    """Answer as `serve` over each connection that the client opens, until it has asked for the proof."""

    def perform(conversation: Conversation) -> None:
        while all(path != "/proof" for path in _served(conversation, answer)):
            conversation.accept()

    return Step("serve_anew()", perform)


def _served(conversation: Conversation, answer: Answering) -> Iterator[str]:
    """Serve, and yield the path of each request that was answered."""
    try:
        while (asked := _receive_request(conversation)) is not None:
            data = ok(b"proven") if asked.path == "/proof" else answer(asked)
            if data is None:
                return
            conversation.channel.send(data)
            yield asked.path
    except ConnectionError:
        # The client is free to close whenever it has what it wants.
        pass


#: The server ends the connection properly, and hears what is still said.
LEAVES = (half_close(), drain(), accept())
#: The server breaks the connection.
BREAKS = (reset(), accept())


def _receive_request(conversation: Conversation) -> Asked | None:
    """Return the next request, `None` if the client closes before its end."""
    head = _receive_line(conversation, b"\r\n\r\n")
    if head is None:
        return None
    line, *field_lines = head.decode("latin-1").split("\r\n")
    method, path, _ = line.split(" ")
    pairs = (field_line.partition(":") for field_line in field_lines if field_line)
    fields = {name.lower(): value.strip() for name, _, value in pairs}
    content = b""
    if fields.get("transfer-encoding") == "chunked":
        while size_line := _receive_line(conversation, b"\r\n"):
            size = int(size_line, 16)
            chunk = _receive_size(conversation, size + 2)
            if chunk is None:
                return None
            content += chunk[:size]
            if not size:
                return Asked(method, path, fields, content)
        return None
    whole = _receive_size(conversation, int(fields.get("content-length", "0")))
    return None if whole is None else Asked(method, path, fields, whole)


def _receive_line(conversation: Conversation, end: bytes) -> bytes | None:
    while end not in conversation.unread:
        if not conversation.receive():
            return None
    line = conversation.consume(conversation.unread.index(end))
    conversation.consume(len(end))
    return line


def _receive_size(conversation: Conversation, size: int) -> bytes | None:
    while len(conversation.unread) < size:
        if not conversation.receive():
            return None
    return conversation.consume(size)
