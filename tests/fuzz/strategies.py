"""Responses, right, nearly right and wrong, and the ways in which they arrive."""

from __future__ import annotations

from hypothesis import strategies as st

TCHARS = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

tokens = st.binary(min_size=1, max_size=12).map(
    lambda octets: bytes(TCHARS[octet % len(TCHARS)] for octet in octets)
)
#: Values with the octets that are always right, and some that are not.
visible_values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda value: value.encode("latin-1"))
any_values = st.binary(max_size=30).map(lambda value: value.translate(None, b"\r\n\0"))
#: Values that made clients crash, or that parsers of e-mail rewrite.
hostile_values = st.sampled_from(
    [
        b"=?utf-8?q?=C3=A4?=",
        b"=?utf-8?b?w6Q=?= <a@b>",
        b"Thu, 32 Foo 2026 25:61:61 +9999",
        b'<<<>>>, "unclosed, (comment, :;@[',
        b"text/html; charset*=utf-8''%E2%82%AC; charset*0*=x",
        b"multipart/mixed; boundary=",
        b"\xc3\xa4 \xff",
    ]
)  # fmt: skip
field_values = visible_values | any_values | hostile_values

framing_fields = st.sampled_from(
    [
        b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 5, 5", b"Content-Length: 6",
        b"Content-Length: 05", b"Content-Length:", b"Content-Length: x", b"content-length:\t5 ",
        b"Content-Length:\r\n 5", b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED",
        b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\r\n chunked",
        b"Connection: close", b"Connection: keep-alive", b"connection: x, Close", b"Connection: x",
        b"Transfer-Encoding:Content-Length: 5", b"X: Content-Length: 5", b"X-Content-Length: 5",
    ]
)  # fmt: skip

field_lines = st.builds(
    lambda name, blank, value: name + b":" + blank + value,
    tokens | st.sampled_from([b"From", b"Date", b"Content-Type", b"Set-Cookie", b"To"]),
    st.sampled_from([b"", b" ", b"\t", b"  "]),
    field_values,
)

status_lines = st.builds(
    lambda version, status, reason: b"HTTP/1.%d %d%b" % (version, status, reason),
    st.sampled_from([1, 1, 1, 0, 2]),
    st.sampled_from([200, 200, 200, 204, 304, 404, 100, 103, 99, 999]),
    st.sampled_from([b" OK", b" ", b"", b" \xe4 x"]),
)

sections = st.lists(field_lines | framing_fields, max_size=6).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)
heads = st.builds(lambda line, section: line + b"\r\n" + section + b"\r\n", status_lines, sections)

#: What hides in the wrong places.
snippets = st.sampled_from(
    [b"\r", b"\n", b"\0", b"\r\n", b" ", b"\t", b":", b"\x0b", b"\x85", b"\xa0", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n",
     b"0", b";", b",", b"5\r\n", b"0\r\n\r\n", b"Content-Length: 5\r\n", b"\r\n X"]
)  # fmt: skip


def mutated(base: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for *base* with some pieces put in, left out or replaced."""

    def mutate(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for place, drop, insert in changes:
            position = int(place * len(data))
            data = data[:position] + insert + data[position + drop :]
        return data

    changes = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 3),
        snippets | st.binary(max_size=2) | st.just(b""),
    )
    return st.builds(mutate, base, st.lists(changes, min_size=1, max_size=3))


contents = st.binary(max_size=60)
chunk_extensions = st.sampled_from([b"", b"", b";a", b' ;a="b"', b" ", b"\t;x=\xff"])


def chunk(data: bytes, extension: bytes) -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


chunked_contents = st.builds(
    lambda chunks, last, trailers: b"".join(chunks) + b"0" + last + b"\r\n" + trailers + b"\r\n",
    st.lists(st.builds(chunk, st.binary(min_size=1, max_size=20), chunk_extensions), max_size=5),
    chunk_extensions,
    st.lists(field_lines, max_size=3).map(lambda lines: b"".join(line + b"\r\n" for line in lines)),
)

responses = st.builds(
    lambda head, content, behind: head + content + behind,
    heads,
    contents | chunked_contents,
    st.sampled_from([b"", b"x", b"HTTP/1.1 200 OK\r\n\r\n"]),
)

#: Sizes of what a socket brings, or of what a caller asks for, used again and again.
sizes = st.lists(st.integers(1, 20) | st.just(100_000), min_size=1, max_size=5)


def split(data: bytes, piece_sizes: list[int]) -> list[bytes]:
    """Return *data* in pieces of *piece_sizes*."""
    found, position, turn = [], 0, 0
    while position < len(data):
        size = piece_sizes[turn % len(piece_sizes)]
        found.append(data[position : position + size])
        position += size
        turn += 1
    return found
