"""uvicorn with an ASGI application that has the paths of `tests.support.servers`.

A program of its own; its argument is the file of its configuration. One process serves all listeners, each from a
thread of its own with a loop of its own: uvicorn leaves signals alone there, and no listener costs an interpreter.
"""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal, TypedDict

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PIECE_SIZE = 1 << 16


class Listener(TypedDict):
    """One address to listen on."""

    variant: str
    transport: str
    address: str | tuple[str, int]


class Settings(TypedDict):
    """The file that the tests write."""

    documents: str
    certificate: str
    key: str
    patience: int
    few: int
    smallLimit: int
    listeners: list[Listener]


class Scope(TypedDict):
    """What ASGI tells of a request, as far as it matters here."""

    type: Literal["http"]
    method: str
    path: str
    headers: list[tuple[bytes, bytes]]


class Received(TypedDict):
    """A message from the server."""

    type: Literal["http.request", "http.disconnect"]
    body: bytes
    more_body: bool


if TYPE_CHECKING:
    Receive = Callable[[], Awaitable[Received]]
    Send = Callable[[dict[str, object]], Awaitable[None]]


class Application:
    """The ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self._documents = Path(settings["documents"])
        self._small_limit = settings["smallLimit"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        _, area, name = scope["path"].split("/")
        if area in {"docs", "chunked"}:
            await self._send_document(scope, send, name, chunked=area == "chunked")
        elif area == "status":
            await _answer(send, int(name), [])
        elif area == "upload":
            await _receive_body(receive, send, None)
        elif _announces_more_than(self._small_limit, scope):
            # To receive would be to send 100 (Continue).
            await _refuse(send)
        else:
            await _receive_body(receive, send, self._small_limit)

    async def _send_document(self, scope: Scope, send: Send, name: str, *, chunked: bool) -> None:
        file = self._documents / name
        size = file.stat().st_size
        etag = (b"etag", f'"{name}-{size}"'.encode())
        if (b"if-none-match", etag[1]) in scope["headers"]:
            await _answer(send, 304, [etag])
            return
        await _start(send, 200, [etag] if chunked else [etag, _content_length(size)])
        if scope["method"] != "HEAD":
            with file.open("rb") as content:
                while piece := content.read(PIECE_SIZE):
                    await _body(send, piece, more=True)
        await _body(send, b"")


def _announces_more_than(limit: int, scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"expect" in headers and int(headers.get(b"content-length", 0)) > limit


async def _receive_body(receive: Receive, send: Send, limit: int | None) -> None:
    digest = hashlib.sha256()
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        received += len(message["body"])
        digest.update(message["body"])
        if limit is not None and received > limit:
            await _refuse(send)
            return
        more = message["more_body"]
    content = digest.hexdigest().encode()
    await _answer(send, 201, [_content_length(len(content))], content)


async def _refuse(send: Send) -> None:
    await _answer(send, 413, [_content_length(0), (b"connection", b"close")])


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], content: bytes = b""
) -> None:
    await _start(send, status, headers)
    await _body(send, content)


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _body(send: Send, content: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


def _content_length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()


def _listening_socket(address: str | tuple[str, int]) -> socket.socket:
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
    else:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(tuple(address))
    sock.listen(128)
    return sock


def main() -> None:
    """Serve until SIGTERM."""
    # Before any thread starts, so that all of them inherit it and the signal waits for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    settings: Settings = json.loads(Path(sys.argv[1]).read_bytes())
    application = Application(settings)
    for listener in settings["listeners"]:
        tls = listener["transport"] == "tls"
        config = uvicorn.Config(
            application,
            http="h11",
            lifespan="off",
            timeout_keep_alive=1 if listener["variant"] == "idle" else settings["patience"],
            ssl_certfile=settings["certificate"] if tls else None,
            ssl_keyfile=settings["key"] if tls else None,
        )
        sock = _listening_socket(listener["address"])
        # As daemons they end with the program, whatever their clients do.
        Thread(target=uvicorn.Server(config).run, args=([sock],), daemon=True).start()
    signal.sigwait({signal.SIGTERM})


main()
