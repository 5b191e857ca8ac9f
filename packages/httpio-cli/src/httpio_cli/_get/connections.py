"""The connections of a command, kept from one request to the next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from httpio import HTTPIOError

from .record import Observer

if TYPE_CHECKING:
    from httpio import HTTPConnection
    from httpio_cli._connector import Connector
    from httpio_cli._urls import URL, Origin

    from .record import Record


class Connections:
    """One connection for each origin. *connector* makes them, *verbose* has them tell what they do."""

    def __init__(self, connector: Connector, *, verbose: bool, show_credentials: bool) -> None:
        self._connector = connector
        self._verbose = verbose
        self._show_credentials = show_credentials
        self._kept: dict[Origin, tuple[HTTPConnection, Observer]] = {}

    def get(self, url: URL, record: Record) -> tuple[HTTPConnection, Observer, bool]:
        """Return a connection for *url*, what observes it, and whether it was used before."""
        kept = self._kept.get(url.origin)
        if kept is not None:
            conn, observer = kept
            observer.begin(record)
            return conn, observer, True
        observer = Observer(record, self._verbose, self._show_credentials)
        conn = self._connector.settings(url).blocking(observer)
        self._kept[url.origin] = (conn, observer)
        return conn, observer, False

    def drop(self, url: URL) -> None:
        """Close the connection for *url*, and forget it."""
        kept = self._kept.pop(url.origin, None)
        if kept is not None:
            kept[0].close()

    def close(self) -> None:
        """Close all of them."""
        for conn, _ in self._kept.values():
            conn.close()
        self._kept.clear()

    def proxy_address(self, url: URL) -> tuple[str, int] | None:
        """Return host name and port of the proxy that *url* is reached through, `None` for none."""
        proxy = self._connector.proxy_for(url)
        return None if proxy is None else proxy.address


def note_addresses(conn: HTTPConnection, record: Record) -> None:
    """Note in *record* between which addresses *conn* is."""
    import os
    import socket

    if sys.platform == "win32" or conn.unix_socket is not None:
        return
    try:
        with socket.socket(fileno=os.dup(conn.fileno())) as sock:
            (host, port, *_), (remote_host, remote_port, *_) = (
                sock.getsockname(),
                sock.getpeername(),
            )
    except (OSError, HTTPIOError, ValueError):
        return
    record.local = (host, port)
    record.remote = (remote_host, remote_port)
