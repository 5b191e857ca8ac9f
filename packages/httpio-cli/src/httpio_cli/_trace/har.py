"""Traces as HTTP Archives, version 1.2: one entry for each request.

What the format does not have is in members that begin with ``_``, as it asks for: the slot, and where
the bytes are in the streams of the connection.
"""

from __future__ import annotations

from base64 import b64encode
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from httpio._headers import parse_field_section
from httpio_cli._content_codings import CodingError, make_decoder
from httpio_cli._json_output import write_json
from httpio_cli._version import __version__

from .spans import Part
from .views import moment_text, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TextIO, TypeAlias

    from .recording import Connection
    from .spans import Range, Slot
    from .streams import Stream
    from .views import View

    Object: TypeAlias = dict[str, object]
    Fields: TypeAlias = list[tuple[str, str]]

#: Content that is larger than this when it is decoded is left out: it is an attempt to fill the memory.
MAX_DECODED: Final = 64 * 1024 * 1024


def write_har(view: View, stream: TextIO) -> None:
    """Write the archive."""
    recording = view.recording
    exchanges = [
        (connection, slot)
        for connection in recording.connections
        for slot in connection.slots
        if not slot.is_tunnel
    ]
    exchanges.sort(key=lambda exchange: exchange[1].request_begun)
    log: Object = {
        "version": "1.2",
        "creator": {"name": "httpio", "version": __version__},
        "pages": [],
        "entries": [_entry(view, *exchange) for exchange in exchanges],
    }
    comments = list(recording.notes)
    if not view.show_credentials:
        comments.append("credentials were replaced by asterisks")
    log["comment"] = "; ".join(comments)
    log["_problems"] = [
        f"connection {connection.number}, {problem.direction} offset {problem.offset}: "
        f"{view.text(problem)}"
        for connection, problem in recording.problems
    ]
    write_json({"log": log}, stream, indent=2)


def _entry(view: View, connection: Connection, slot: Slot) -> Object:
    timings, start = _timings(connection, slot)
    entry: Object = {
        "startedDateTime": moment_text(view.moment(start)),
        # The time for TLS is a part of that for connecting.
        "time": round(
            sum(value for name, value in timings.items() if value > 0 and name != "ssl"), 3
        ),
        "request": _request(view, connection, slot),
        "response": _response(view, connection, slot),
        "cache": {},
        "timings": timings,
        "connection": str(connection.number),
        "_slot": owner(slot),
        "_sent": _ranges(connection.sent, slot.sent),
        "_received": _ranges(connection.received, slot.received),
        "_complete": slot.request_complete and slot.response_complete,
    }
    address = _address(connection.peer)
    if address:
        entry["serverIPAddress"] = address
    problems = [view.text(problem) for problem in connection.problems if problem.slot is slot]
    if problems:
        entry["_error"] = "; ".join(problems)
    return entry


def _address(peer: str) -> str:
    """Return the IP address of *peer*, empty for a unix socket."""
    host, colon, port = peer.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return ""
    return host.removeprefix("[").removesuffix("]")


def _ranges(stream: Stream, around: Range | None) -> Object | None:
    if around is None:
        return None
    return {
        "start": around.start,
        "end": around.end,
        "parts": [[span.part, span.start, span.end] for span in stream.spans.within(around)],
    }


def _timings(connection: Connection, slot: Slot) -> tuple[dict[str, float], float]:
    """Return the times of *slot* in milliseconds, -1 for what did not take place, and its start."""
    steps = connection.steps
    asked = slot.announced or slot.request_begun
    start = asked
    dns = connect = ssl = -1.0
    if slot.number == 1 and steps:
        # The first request is why the connection was made.
        start = min(asked, min(steps.values()))
        if "resolving" in steps and "resolved" in steps:
            dns = steps["resolved"] - steps["resolving"]
        if "connecting" in steps and "connected" in steps:
            ready = max(steps[name] for name in ("connected", "tunnel", "tls") if name in steps)
            connect = ready - steps["connecting"]
            if "tls" in steps:
                ssl = steps["tls"] - steps.get("tunnel", steps["connected"])
    send = slot.request_ended - slot.request_begun
    wait = receive = 0.0
    if slot.received is not None:
        # An early answer comes before all was sent.
        wait = max(slot.response_begun - slot.request_ended, 0.0)
        receive = slot.response_ended - slot.response_begun
    blocked = slot.request_begun - start - max(dns, 0.0) - max(connect, 0.0)
    seconds = {
        "blocked": max(blocked, 0.0),
        "dns": dns,
        "connect": connect,
        "ssl": ssl,
        "send": send,
        "wait": wait,
        "receive": receive,
    }
    return {
        name: round(value * 1000, 3) if value >= 0 else -1 for name, value in seconds.items()
    }, start


def _request(view: View, connection: Connection, slot: Slot) -> Object:
    head = view.bytes_of(connection.sent, slot, Part.REQUEST_HEAD) or b""
    request_line, _, section = head.partition(b"\r\n")
    # From the head, where user information is masked as well.
    target = _second_word(request_line).decode("latin-1") or view.target(slot)
    fields = _fields(section)
    url = _url(connection, target, fields)
    request: Object = {
        "method": slot.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": _cookies(_all(fields, "cookie")),
        "headers": _pairs(fields),
        "queryString": _pairs(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": slot.size(Part.REQUEST_HEAD),
        "bodySize": slot.size(
            Part.REQUEST_CONTENT, Part.REQUEST_CHUNK_FRAMING, Part.REQUEST_TRAILERS,
            Part.REQUEST_CHUNKS,
        ),
    }  # fmt: skip
    size = slot.size(Part.REQUEST_CONTENT)
    if size:
        content = _payload(view, connection.sent, slot, Part.REQUEST_CONTENT)
        post: Object = {"mimeType": _first(fields, "content-type"), "params": [], "text": ""}
        if content is None:
            post["comment"] = "the content was left out"
        else:
            text, is_text = _text(content)
            post["text"] = text
            if not is_text:
                post["_encoding"] = "base64"
                post["comment"] = "the content is binary, and given in base64"
        request["postData"] = post
    return request


def _response(view: View, connection: Connection, slot: Slot) -> Object:
    head = view.bytes_of(connection.received, slot, Part.RESPONSE_HEAD) or b""
    # An incomplete head is shown by the other formats.
    section = head.partition(b"\r\n")[2] if slot.status else b""
    fields = _fields(section)
    response: Object = {
        "status": slot.status,
        "statusText": slot.reason,
        "httpVersion": f"HTTP/1.{slot.minor_version}" if slot.status else "",
        "cookies": _cookies(_all(fields, "set-cookie")),
        "headers": _pairs(fields),
        "content": _content(view, connection, slot, fields),
        "redirectURL": _first(fields, "location"),
        "headersSize": slot.size(Part.RESPONSE_HEAD) if slot.status else -1,
        "bodySize": slot.size(
            Part.RESPONSE_CONTENT, Part.RESPONSE_CHUNK_FRAMING, Part.RESPONSE_TRAILERS,
            Part.RESPONSE_CHUNKS,
        ) if slot.status else -1,
    }  # fmt: skip
    if slot.informational:
        response["_informational"] = slot.informational
    return response


def _content(view: View, connection: Connection, slot: Slot, fields: Fields) -> Object:
    size = slot.size(Part.RESPONSE_CONTENT)
    mime_type = _first(fields, "content-type") or "x-unknown"
    content: Object = {"size": size, "mimeType": mime_type}
    if not size:
        return content
    payload = _payload(view, connection.received, slot, Part.RESPONSE_CONTENT)
    if payload is None:
        content["comment"] = "the content was left out"
        return content
    try:
        decoded = _decode(payload, ", ".join(_all(fields, "content-encoding")))
    except CodingError as exc:
        content["comment"] = f"the content is given as it was sent: {exc}"
        decoded = payload
    content["size"] = len(decoded)
    if len(decoded) != size:
        content["compression"] = len(decoded) - size
    text, is_text = _text(decoded)
    content["text"] = text
    if not is_text:
        content["encoding"] = "base64"
    return content


def _payload(view: View, stream: Stream, slot: Slot, part: Part) -> bytes | None:
    """Return the content of *slot*, `None` if not all of it was kept or told apart."""
    content = view.bytes_of(stream, slot, part)
    return content if content is not None and len(content) == slot.size(part) else None


def _decode(payload: bytes, content_encoding: str) -> bytes:
    decoder = make_decoder(content_encoding)
    if decoder is None:
        return payload
    decoded = bytearray()
    for piece in decoder.feed(payload):
        decoded += piece
        if len(decoded) > MAX_DECODED:
            raise CodingError(f"there are more than {MAX_DECODED} bytes in it")
    decoder.finish()
    return bytes(decoded)


def _text(data: bytes) -> tuple[str, bool]:
    """Return *data* as text, and whether it is such: else it is base64."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return b64encode(data).decode(), False
    return (b64encode(data).decode(), False) if "\0" in text else (text, True)


def _url(connection: Connection, target: str, fields: Fields) -> str:
    if "://" in target.partition("?")[0]:
        return target
    origin = connection.origin
    if not origin:
        scheme = "https" if connection.tls else "http"
        origin = f"{scheme}://{_first(fields, 'host')}"
    return origin + (target if target.startswith("/") else "")


def _second_word(line: bytes) -> bytes:
    return line.partition(b" ")[2].partition(b" ")[0]


def _fields(section: bytes) -> Fields:
    """Return the field lines of *section*, which ends with the empty line of its head."""
    return parse_field_section(section.removesuffix(b"\r\n"))


def _pairs(pairs: Fields) -> list[Object]:
    return [{"name": name, "value": value} for name, value in pairs]


def _all(fields: Fields, name: str) -> list[str]:
    return [value for found, value in fields if found.lower() == name]


def _first(fields: Fields, name: str) -> str:
    return next(iter(_all(fields, name)), "")


def _cookies(values: list[str]) -> list[Object]:
    """Return the cookies in *values*; none if they are hidden as a whole, as those of requests are."""
    cookies: list[Object] = []
    for value in values:
        try:
            found = SimpleCookie(value)
        except CookieError:
            continue
        for name, morsel in found.items():
            cookie: Object = {"name": name, "value": morsel.value}
            if morsel["path"]:
                cookie["path"] = morsel["path"]
            if morsel["domain"]:
                cookie["domain"] = morsel["domain"]
            cookie["httpOnly"] = bool(morsel["httponly"])
            cookie["secure"] = bool(morsel["secure"])
            cookies.append(cookie)
    return cookies
