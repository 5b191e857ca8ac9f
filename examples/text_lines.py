"""Prints the first lines of texts, and does not care about the rest of them.

    python examples/text_lines.py HOST PORT LINES PATH...

`open_body` makes a file of a response's content, and `io.TextIOWrapper` makes text of that. Closing
it drops what was not read; the connection goes on with the next text.
"""

from __future__ import annotations

import io
import sys
from itertools import islice
from typing import TYPE_CHECKING

from httpio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def first_lines(hostname: str, port: int, documents: Sequence[str], count: int) -> Iterator[str]:
    """Yield the first *count* lines of each of *documents*."""
    with HTTPConnection(hostname, port) as conn:
        for path in documents:
            conn.send_request("GET", path)
            resp = conn.read_response()
            assert resp.status == 200
            charset = resp.headers.get_content_charset("utf-8")
            body = io.BufferedReader(conn.open_body())
            with io.TextIOWrapper(body, encoding=charset) as text:
                yield from islice(text, count)


def main(hostname: str, port: str, count: str, *documents: str) -> None:
    for line in first_lines(hostname, int(port), documents, int(count)):
        print(line, end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
