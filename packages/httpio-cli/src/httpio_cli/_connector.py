"""From a URL and the options to a connection object."""

from __future__ import annotations

import socket
from functools import cached_property
from typing import TYPE_CHECKING

from ._addresses import Addresses
from ._errors import CommandError
from ._exit_codes import ExitCode
from ._group import Group
from ._proxies import (
    is_without_proxy,
    no_proxy_from_environment,
    parse_proxy,
    proxy_from_environment,
)
from ._tls import make_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import httpio
    import httpio_aio

    from ._options import ConnectionOptions
    from ._proxies import Proxy
    from ._urls import URL


class ConnectionSettings(Group):
    """What a connection object is made with."""

    hostname: str
    port: int
    ssl_context: ssl.SSLContext | None
    proxy: Proxy | None
    unix_socket: str | None
    source_address: tuple[str, int] | None
    resolver: Addresses | None

    def blocking(
        self, tracer: httpio.Tracer | None = None, timeout: float | None = None
    ) -> httpio.HTTPConnection:
        """Return a blocking connection object, which is not connected yet."""
        from httpio import HTTPConnection

        from ._tracers import with_environment

        proxy = self.proxy
        return HTTPConnection(
            self.hostname,
            self.port,
            self.ssl_context,
            None if proxy is None else proxy.address,
            proxy_auth=None if proxy is None else proxy.auth,
            unix_socket=self.unix_socket,
            timeout=timeout,
            source_address=self.source_address,
            tracer=with_environment(tracer),
            content_md5=False,
            resolver=self.resolver,
        )

    def asyncio(self, tracer: httpio.Tracer | None = None) -> httpio_aio.HTTPConnection:
        """Return a connection object for asyncio, which is not connected yet."""
        from httpio_aio import HTTPConnection

        from ._tracers import with_environment

        proxy = self.proxy
        return HTTPConnection(
            self.hostname,
            self.port,
            self.ssl_context,
            None if proxy is None else proxy.address,
            proxy_auth=None if proxy is None else proxy.auth,
            unix_socket=self.unix_socket,
            source_address=self.source_address,
            tracer=with_environment(tracer),
            content_md5=False,
            resolver=self.resolver,
        )


class Connector:
    """Makes connection objects as *options* and the environment want them.

    Raises `CommandError` for options that make no sense.
    """

    def __init__(self, options: ConnectionOptions, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        if options.ipv4 and options.ipv6:
            raise CommandError(ExitCode.USAGE, "-4 and -6 exclude each other")
        if options.interface is not None:
            _check_ip_address(options.interface)
        family = socket.AF_UNSPEC
        if options.ipv4 or options.ipv6:
            family = socket.AF_INET if options.ipv4 else socket.AF_INET6
        self._addresses: Addresses | None = None
        if family != socket.AF_UNSPEC or options.resolve or options.connect_to:
            self._addresses = Addresses(family, options.resolve, options.connect_to)
        if options.proxy:
            parse_proxy(options.proxy, options.proxy_user)

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """The context for TLS."""
        return make_context(self._options, self._environ)

    def settings(self, url: URL) -> ConnectionSettings:
        """Return what a connection for *url* is made with. Raises `CommandError`."""
        options = self._options
        proxy = None if options.unix_socket is not None else self.proxy_for(url)
        if (
            proxy is not None
            and self._addresses is not None
            and self._addresses.leads_elsewhere(url.hostname, url.port)
        ):
            raise CommandError(
                ExitCode.USAGE, "--connect-to cannot be heeded through a proxy", "add --noproxy '*'"
            )
        return ConnectionSettings(
            hostname=url.hostname,
            port=url.port,
            ssl_context=self.ssl_context if url.scheme == "https" else None,
            proxy=proxy,
            unix_socket=options.unix_socket,
            source_address=None if options.interface is None else (options.interface, 0),
            resolver=self._addresses,
        )

    def proxy_for(self, url: URL) -> Proxy | None:
        """Return the proxy that requests for *url* go through, `None` for none."""
        options = self._options
        named = options.proxy
        if named is None:
            named = proxy_from_environment(url, self._environ)
        exceptions = options.noproxy
        if exceptions is None:
            exceptions = no_proxy_from_environment(self._environ)
        if not named or is_without_proxy(url, exceptions):
            return None
        return parse_proxy(named, options.proxy_user)


def _check_ip_address(text: str) -> None:
    from ipaddress import ip_address

    try:
        ip_address(text.partition("%")[0])
    except ValueError as exc:
        raise CommandError(
            ExitCode.USAGE, f"expected --interface with an IP address: {exc}"
        ) from exc
