"""From a URL and the options to a `Target`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio import run
from httpio_cli._connector import Connector
from httpio_cli._fields import RequestFields
from httpio_cli._redaction import redact_text

from .model import Target, TLSAccess

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from httpio_cli._connector import ConnectionSettings
    from httpio_cli._options import ConnectionOptions, RequestOptions
    from httpio_cli._urls import URL

    from .certificate import Recorder, TLSFacts


class Targets:
    """Makes targets as the options want them. Raises `CommandError`."""

    def __init__(
        self, connection: ConnectionOptions, request: RequestOptions, environ: Mapping[str, str]
    ) -> None:
        self._connector = Connector(connection, environ)
        # To look at a certificate that is not trusted: nobody is to learn who we are.
        unverified = connection.but(insecure=True, cert=None, key=None)
        self._unverified = Connector(unverified, environ)
        self._fields = RequestFields(request, environ)
        self._recorder: Recorder | None = None

    def target(self, url: URL, trusted: URL | None = None) -> Target:
        """Return the target for *url*.

        It gets credentials only if it has the origin of *trusted*, which is what the operator named.
        """
        settings = self._connector.settings(url)
        trusts = trusted is None or trusted.origin == url.origin
        proxy = settings.proxy
        return Target(
            redact_text(str(url)),
            url.target,
            settings.blocking,
            tuple(self._fields.for_url(url, trusted=trusts)),
            None if settings.ssl_context is None else self._access(url, settings),
            None if proxy is None else proxy.address[0],
        )

    def _access(self, url: URL, settings: ConnectionSettings) -> TLSAccess:
        from .certificate import Recorder

        assert settings.ssl_context is not None
        if self._recorder is None:
            self._recorder = Recorder(settings.ssl_context)
        recorder = self._recorder

        def own_socket() -> socket.socket | None:
            return recorder.socket

        def examine(seconds: float | None) -> TLSFacts:
            return _examine(self._unverified.settings(url), seconds)

        return TLSAccess(recorder.facts, examine, own_socket)


def _examine(settings: ConnectionSettings, seconds: float | None) -> TLSFacts:
    """Do a handshake, look at what the server shows, and close the connection."""
    from .certificate import Recorder

    assert settings.ssl_context is not None
    recorder = Recorder(settings.ssl_context)
    with settings.blocking() as connection:
        run(connection.co_connect(), deadline=seconds)
        facts = recorder.facts()
    if facts is None:
        raise OSError("the handshake left nothing to look at")
    return facts
