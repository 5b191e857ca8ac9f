"""``--print-curl`` and ``--print-python``: the same request in other words. Nothing is sent."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

from httpio_cli._errors import explain
from httpio_cli._redaction import REDACTED, redact_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpio_cli._connector import ConnectionSettings
    from httpio_cli._urls import URL

    from .content import Content, FilePart
    from .settings import Settings

#: What curl says of its own accord, unless it is told not to.
_CURLS_OWN = ("User-Agent", "Accept")


def as_curl(
    settings: Settings,
    url: URL,
    connection: ConnectionSettings,
    fields: Sequence[tuple[str, str]],
) -> str:
    """Return a command line for curl that makes the request."""
    words = ["curl", "--http1.1"]
    content = settings.content
    is_upload = content is not None and _only_file(content) is not None
    if settings.method == "HEAD" and content is None:
        words.append("--head")
    elif settings.method != ("GET" if content is None else "PUT" if is_upload else "POST"):
        words += ["--request", settings.method]
    words += _curl_fields(settings, fields)
    words += _curl_connection(settings, connection)
    if settings.following.location:
        words.append("--location")
    if settings.saving.fail:
        words.append("--fail")
    if settings.saving.output_file is not None:
        words += ["--output", settings.saving.output_file]
    if settings.saving.remote_name:
        words.append("--remote-name")
    before = ""
    if content is not None:
        more, before = _curl_content(content)
        words += more
    # curl would take brackets and braces in it for patterns, and dots for directories.
    words += ["--globoff", "--path-as-is", str(url)]
    return before + " ".join(map(quote, words))


def _curl_fields(settings: Settings, fields: Sequence[tuple[str, str]]) -> list[str]:
    words = []
    for name, value in redact_fields(fields, settings.request.show_credentials):
        words += ["--header", f"{name}: {_text(value)}" if value else f"{name};"]
    given = {name.lower() for name, _ in fields}
    if "accept-encoding" not in given:
        words += ["--header", "Accept-Encoding: identity"]
    elif settings.compressed:
        words.append("--compressed")
    unwanted = [name for name in _CURLS_OWN if name.lower() not in given]
    if settings.content is not None and "content-type" not in given:
        unwanted.append("Content-Type")
    if settings.content is not None and "expect" not in given:
        # When curl asks first depends on its version.
        if settings.wants_expect(settings.content):
            words += ["--header", "Expect: 100-continue"]
        else:
            unwanted.append("Expect")
    for name in unwanted:
        words += ["--header", f"{name}:"]
    if settings.is_chunked:
        words += ["--header", "Transfer-Encoding: chunked"]
    return words


def _text(value: str) -> str:
    """Return the *value* of a field, which has a character for each byte, as the operator wrote it."""
    return os.fsdecode(value.encode("latin-1"))


def _curl_connection(settings: Settings, connection: ConnectionSettings) -> list[str]:
    options = settings.connection
    words = []
    if connection.proxy is not None:
        words += ["--proxy", f"http://{_place(*connection.proxy.address)}"]
        if connection.proxy.auth is not None:
            shown = ":".join(connection.proxy.auth)
            words += ["--proxy-user", shown if settings.request.show_credentials else REDACTED]
    else:
        # Whatever the environment of curl says.
        words += ["--noproxy", "*"]
    for flag, given in (
        ("--ipv4", options.ipv4),
        ("--ipv6", options.ipv6),
        ("--insecure", options.insecure),
    ):
        if given:
            words.append(flag)
    for option, text in (
        ("--cacert", options.cacert),
        ("--capath", options.capath),
        ("--cert", options.cert),
        ("--key", options.key),
        ("--tls-max", options.tls_max),
        ("--unix-socket", options.unix_socket),
        ("--interface", options.interface),
        ("--max-time", _number(options.max_time)),
        ("--connect-timeout", _number(options.connect_timeout)),
    ):
        if text is not None:
            words += [option, text]
    if options.tls_min is not None:
        words.append(f"--tlsv{options.tls_min}")
    for option, texts in (("--resolve", options.resolve), ("--connect-to", options.connect_to)):
        for text in texts:
            words += [option, text]
    return words


def _place(hostname: str, port: int) -> str:
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def _only_file(content: Content) -> FilePart | None:
    """Return the file that *content* consists of, `None` if there is more or less to it."""
    match content.parts:
        case [part] if not isinstance(part, bytes):
            return part
        case _:
            return None


def _curl_content(content: Content) -> tuple[list[str], str]:
    """Return the options that have curl send *content*, and what goes before curl."""
    file = _only_file(content)
    if file is not None:
        return ["--upload-file", file.path], ""
    # curl cannot put files and text together, and a command line takes no NUL.
    data = content.in_memory()
    text = data.decode("utf-8", "replace")
    if text.encode() == data and "\0" not in text:
        return ["--data-raw", text], ""
    octal = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in data
    )
    return ["--data-binary", "@-"], f"printf '{octal}' | "


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def as_python(
    settings: Settings,
    url: URL,
    connection: ConnectionSettings,
    fields: Sequence[tuple[str, str]],
) -> str:
    """Return a program for `httpio` that makes the request."""
    shown = redact_fields(fields, settings.request.show_credentials)
    content = settings.content
    has_file = content is not None and _has_file(content)
    modules = []
    if url.scheme == "https":
        modules.append("import ssl")
    if content is not None and any(
        not isinstance(part, bytes) and part.path == "-" for part in content.parts
    ):
        modules.append("import sys")
    needs_following = has_file or settings.is_chunked
    imported = "BodyFollowing, HTTPConnection" if needs_following else "HTTPConnection"
    lines = [*modules, *([""] if modules else []), f"from httpio import {imported}", ""]
    if url.scheme == "https":
        lines += _python_context(settings)
    lines.append("with HTTPConnection(")
    lines += [f"    {line}," for line in _python_arguments(settings, url, connection)]
    lines.append(") as conn:")
    lines.append("    headers = [")
    lines += [f"        ({name!r}, {value!a})," for name, value in shown]
    lines.append("    ]")
    lines += [f"    {line}" for line in _python_request(settings, url)]
    lines += [
        "    response = conn.read_response()",
        "    print(response.status, response.reason)",
        "    content = conn.readall()",
    ]
    return "\n".join(lines)


def _python_context(settings: Settings) -> list[str]:
    options = settings.connection
    given = [
        f"{name}={value!a}"
        for name, value in (("cafile", options.cacert), ("capath", options.capath))
        if value is not None
    ]
    lines = [f"context = ssl.create_default_context({', '.join(given)})"]
    if options.insecure:
        lines += ["context.check_hostname = False", "context.verify_mode = ssl.CERT_NONE"]
    for name, version in (("minimum", options.tls_min), ("maximum", options.tls_max)):
        if version is not None:
            lines.append(f"context.{name}_version = ssl.TLSVersion.TLSv{version.replace('.', '_')}")
    if options.cert is not None:
        key = "" if options.key is None else f", {options.key!a}"
        lines.append(f"context.load_cert_chain({options.cert!a}{key})")
    return lines


def _python_arguments(settings: Settings, url: URL, connection: ConnectionSettings) -> list[str]:
    options = settings.connection
    arguments = [f"{url.hostname!a}", str(url.port)]
    if url.scheme == "https":
        arguments.append("context")
    if connection.proxy is not None:
        arguments.append(f"proxy={connection.proxy.address!a}")
        if connection.proxy.auth is not None:
            shown = settings.request.show_credentials
            auth = connection.proxy.auth if shown else (connection.proxy.auth[0], REDACTED)
            arguments.append(f"proxy_auth={auth!a}")
    if connection.unix_socket is not None:
        arguments.append(f"unix_socket={connection.unix_socket!a}")
    if connection.source_address is not None:
        arguments.append(f"source_address={connection.source_address!a}")
    if connection.resolver is not None and connection.unix_socket is None:
        place = (url.hostname, url.port) if connection.proxy is None else connection.proxy.address
        try:
            addresses = connection.resolver(*place)
        except OSError as exc:
            raise explain(exc, str(url)) from exc
        arguments.append(f"resolver=lambda hostname, port: {addresses!a}")
    arguments += [
        f"timeout={options.connect_timeout or options.max_time or 30:g}",
        "content_md5=False",
    ]
    return arguments


def _has_file(content: Content) -> bool:
    return not all(isinstance(part, bytes) for part in content.parts)


def _python_request(settings: Settings, url: URL) -> list[str]:
    content = settings.content
    start = f"conn.send_request({settings.method!a}, {url.target!a}, headers"
    if content is None:
        return [f"{start})"]
    if not _has_file(content) and not settings.is_chunked:
        return [f"{start}, {content.in_memory()!r})"]
    is_chunked = settings.is_chunked or content.length is None
    lines = [f"{start}, BodyFollowing({'' if is_chunked else content.length}))"]
    for part in content.parts:
        lines += [f"conn.write({part!r})"] if isinstance(part, bytes) else _python_file(part)
    return [*lines, "conn.finish_body()"] if is_chunked else lines


def _python_file(part: FilePart) -> list[str]:
    if part.path == "-":
        return ["conn.sendfile(sys.stdin.buffer)"]
    return [f'with open({part.path!a}, "rb") as file:', "    conn.sendfile(file)"]
