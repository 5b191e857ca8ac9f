"""Dumps look like curl's, and say whose the bytes are."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from httpio_cli._trace.dumps import write_ascii, write_hex
from httpio_cli._trace.views import View

from .trace_talk import in_pieces, recorded, request

if TYPE_CHECKING:
    from httpio_cli._trace.recording import Recording

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"


def hex_dump(recording: Recording, *, with_time: bool = False) -> str:
    stream = io.StringIO()
    write_hex(View(recording), stream, with_time=with_time)
    return stream.getvalue()


def test_a_hex_dump() -> None:
    recording = recorded(
        ("*", "connected", "127.0.0.1:80"), (">", request()), ("<", HEAD + b"\0a\xff")
    )
    assert hex_dump(recording).splitlines() == [
        "== Info: [1] connected 127.0.0.1:80",
        "=> Send header, 35 bytes (0x23) [1] slot 1, request-head",
        "0000: 47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a GET / HTTP/1.1..",
        "0010: 48 6f 73 74 3a 20 6c 6f 63 61 6c 68 6f 73 74 0d Host: localhost.",
        "0020: 0a 0d 0a                                        ...",
        "<= Recv header, 38 bytes (0x26) [1] slot 1, response-head",
        "0000: 48 54 54 50 2f 31 2e 31 20 32 30 30 20 4f 4b 0d HTTP/1.1 200 OK.",
        "0010: 0a 43 6f 6e 74 65 6e 74 2d 4c 65 6e 67 74 68 3a .Content-Length:",
        "0020: 20 33 0d 0a 0d 0a                                3....",
        "<= Recv data, 3 bytes (0x3) [1] slot 1, response-content",
        "0026: 00 61 ff                                        .a.",
    ]


def test_an_ascii_dump_begins_a_line_where_the_text_does() -> None:
    stream = io.StringIO()
    recording = recorded((">", request()), ("<", HEAD + b"a\n\xe4"))
    write_ascii(View(recording), stream, with_time=False)
    assert stream.getvalue().splitlines() == [
        "=> Send header, 35 bytes (0x23) [1] slot 1, request-head",
        "0000: GET / HTTP/1.1",
        "0010: Host: localhost",
        "0021: ",
        "<= Recv header, 38 bytes (0x26) [1] slot 1, response-head",
        "0000: HTTP/1.1 200 OK",
        "0011: Content-Length: 3",
        "0024: ",
        "<= Recv data, 3 bytes (0x3) [1] slot 1, response-content",
        "0026: a..",
    ]


def test_times_of_the_wall_clock() -> None:
    for line in hex_dump(recorded((">", request())), with_time=True).splitlines():
        assert re.match(r"[0-9]{2}:[0-9]{2}:20\.001000 => |[0-9a-f]{4}: ", line)


def test_what_is_left_out_is_said() -> None:
    dump = hex_dump(recorded((">", request()), ("<", HEAD + b"abc"), max_bytes=40))
    assert "bytes are not shown" in dump
    assert "<= Recv data, 3 bytes (0x3) [1] slot 1, response-content" in dump


def test_what_comes_from_elsewhere_cannot_drive_a_terminal() -> None:
    recording = recorded(("*", "connected", "\x1b[2J"), (">", request()), ("<", b"\x1b[2J"))
    assert "\x1b" not in hex_dump(recording)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_hex_dump_has_all_bytes(content: bytes, size: int) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    dump = hex_dump(recorded((">", request()), *in_pieces("<", wire, [size])))
    received = dump[dump.index("<= Recv") :]
    found = bytearray()
    for offset, octets in re.findall(r"^([0-9a-f]{4,}): ([0-9a-f ]{47}) ", received, re.MULTILINE):
        assert int(offset, 16) == len(found)
        found += bytes.fromhex(octets)
    assert found == wire
