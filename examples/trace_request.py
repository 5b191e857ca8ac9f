"""Shows what goes over the wire.

    python examples/trace_request.py HOST PORT PATH FILE

Writes all bytes of a request and its response to FILE, and prints how many there were. A tracer is
any object with the methods of `httpio.Tracer`; the one here adds a count to what `FileTracer` does.
"""

from __future__ import annotations

import sys

from httpio import FileTracer, HTTPConnection


class CountingTracer(FileTracer):
    """Counts the bytes that it writes to its file."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.bytes_sent = 0
        self.bytes_received = 0

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        super().sent(data)
        self.bytes_sent += len(data)

    def received(self, data: memoryview) -> None:
        super().received(data)
        self.bytes_received += len(data)

    def event(self, name: str, detail: str) -> None:
        super().event(name, detail)
        print(f"{name}: {detail}")


def main(hostname: str, port: str, path: str, file: str) -> None:
    with (
        CountingTracer(file) as tracer,
        HTTPConnection(hostname, int(port), tracer=tracer) as conn,
    ):
        conn.send_request("GET", path)
        conn.read_response()
        conn.discard()
    print(f"{tracer.bytes_sent} bytes sent, {tracer.bytes_received} bytes received")


if __name__ == "__main__":
    main(*sys.argv[1:])
