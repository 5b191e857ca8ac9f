"""The content of a response on its way to where it belongs."""

from __future__ import annotations

import os
import re
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final

from httpio import ConnectionClosed, ConnectionTimedOut, HTTPIOError
from httpio_cli._errors import CommandError, Terminated, explain, interruption
from httpio_cli._exit_codes import ExitCode
from httpio_cli._response_fields import combined_field, field

from .sink import StdoutSink

if TYPE_CHECKING:
    from httpio import HTTPConnection, HTTPResponse
    from httpio_cli._content_codings import Decoder
    from httpio_cli._deadline import Deadline
    from httpio_cli._urls import URL

    from .progress import ProgressBar
    from .record import Record
    from .resuming import Resumption
    from .settings import Settings
    from .sink import Destination, Sink

#: Bytes that are received at once.
BUFFER_SIZE: Final = 256 * 1024


class Receiver:
    """Reads the content of a response from *conn*."""

    def __init__(
        self,
        settings: Settings,
        destination: Destination,
        progress: ProgressBar,
        conn: HTTPConnection,
        record: Record,
        deadline: Deadline,
    ) -> None:
        self._settings = settings
        self._saving = settings.saving
        self._destination = destination
        self._progress = progress
        self._conn = conn
        self._record = record
        self._deadline = deadline
        self._received = 0
        #: Whether something was written that cannot be taken back.
        self.cannot_be_repeated = False

    def receive(
        self, response: HTTPResponse, first: URL, url: URL, resumption: Resumption
    ) -> Sink | None:
        """Receive all of the content; return where it went, `None` if there was none to keep.

        *first* is the URL that the operator gave, *url* the one that answers.
        Raises `CommandError` for a status that is a failure, for content that is truncated or that
        nobody wants, and for what cannot be written.
        """
        saving = self._saving
        head = b"".join(self._record.heads)
        self._destination.write_head(head)
        if resumption.is_complete(response):
            self._progress.close()
            return None
        if response.status >= 400 and saving.fail:
            raise _http_error(response, url)
        self._check_range(response, url)
        resumed = resumption.accept(response)
        self._check_size(response.length, url)
        decoder = self._decoder(response, url)
        sink = self._destination.open(first, response, resumed)
        self._record.filename = sink.name if sink.name != "-" else ""
        try:
            if saving.include:
                sink.write(head)
            label = os.path.basename(sink.name) if sink.name not in ("", "-") else str(url)
            self._progress.start(label, response.length)
            self._copy(sink, decoder, response, url)
            sink.finish(response)
        except CommandError as exc:
            hint = _both(exc.hint, self._give_up(sink))
            raise CommandError(exc.code, exc.what, hint) from exc
        except (KeyboardInterrupt, Terminated) as exc:
            advice = self._give_up(sink)
            raise interruption(exc, f"{url} after {self._received} bytes", advice) from exc
        except BaseException:
            self._give_up(sink)
            raise
        if response.status >= 400 and saving.fail_with_body:
            raise _http_error(response, url)
        return sink

    def _give_up(self, sink: Sink) -> str:
        """Leave *sink* as it is; return what the operator can do."""
        if isinstance(sink, StdoutSink) and sink.written:
            self.cannot_be_repeated = True
        self._progress.close()
        return sink.keep()

    def _check_range(self, response: HTTPResponse, url: URL) -> None:
        """Raise `CommandError` if the content is not the range that was asked for."""
        wanted = self._settings.byte_range
        if wanted is None or response.status not in (200, 206):
            return
        got = "all of it"
        if response.status == 206:
            begin = wanted.partition("-")[0]
            range_field = field(response, "Content-Range") or ""
            # Several ranges come in a form of their own, and what the last bytes are is not known.
            if not begin or "," in wanted or re.match(rf"(?i:bytes) +0*{int(begin)}-", range_field):
                return
            got = repr(range_field)
        raise CommandError(
            ExitCode.RANGE_FAILED,
            f"{url}: the server sends {got}, and not the range {wanted}",
            "get it without -r",
        )

    def _check_size(self, size: int | None, url: URL) -> None:
        limit = self._saving.max_filesize
        if limit is not None and size is not None and size > limit:
            raise CommandError(
                ExitCode.FILE_TOO_LARGE,
                f"{url}: the content is larger than {limit} bytes",
                "allow more with --max-filesize",
            )

    def _decoder(self, response: HTTPResponse, url: URL) -> Decoder | None:
        if not self._settings.compressed or response.length == 0:
            return None
        coding = combined_field(response, "Content-Encoding")
        if coding is None:
            return None
        from httpio_cli._content_codings import CodingError, make_decoder

        try:
            return make_decoder(coding)
        except CodingError as exc:
            raise CommandError(
                ExitCode.BAD_CODING, f"{url}: {exc}", "get it without --compressed"
            ) from exc

    def _copy(self, sink: Sink, decoder: Decoder | None, response: HTTPResponse, url: URL) -> None:
        """Read to the end of the content."""
        conn, record, run = self._conn, self._record, self._deadline.run
        buffer = memoryview(bytearray(BUFFER_SIZE))
        limit = self._saving.limit_rate
        begin = perf_counter()
        self._received = received = 0
        while True:
            try:
                # With a limit, small pieces make for an even flow.
                size = run(conn.co_readinto(buffer[: max(limit // 8, 1)] if limit else buffer))
            except ConnectionClosed as exc:
                raise _truncated(exc, received, response, url) from exc
            except (HTTPIOError, OSError) as exc:
                if isinstance(exc, ConnectionTimedOut):
                    of_all = _of_all(response)
                    raise self._deadline.passed(f"{received}{of_all} bytes came") from exc
                raise explain(exc, f"{url}: after {received} bytes of content") from exc
            if not size:
                break
            self._received = received = received + size
            record.size_download += size
            self._progress.advance(size)
            if decoder is None:
                sink.write(buffer[:size])
                self._check_size(received, url)
            else:
                self._decode(sink, decoder, bytes(buffer[:size]), url)
            if limit:
                sleep(max(received / limit - (perf_counter() - begin), 0))
        if decoder is not None:
            self._decode(sink, decoder, b"", url)

    def _decode(self, sink: Sink, decoder: Decoder, data: bytes, url: URL) -> None:
        """Write what *data* stands for; no data is the end of it."""
        from httpio_cli._content_codings import CodingError

        try:
            if not data:
                decoder.finish()
            for piece in decoder.feed(data):
                sink.write(piece)
                self._check_size(sink.written, url)
        except CodingError as exc:
            raise CommandError(
                ExitCode.BAD_CODING, f"{url}: {exc}", "get it without --compressed"
            ) from exc


def _http_error(response: HTTPResponse, url: URL) -> CommandError:
    hint = "--fail-with-body shows what the server says"
    if response.status in (401, 403):
        hint = "give credentials with -u or -n"
    elif response.status == 404:
        hint = "check the path"
    return CommandError(
        ExitCode.HTTP_ERROR, f"{url}: {response.status} {response.reason}".rstrip(), hint
    )


def _truncated(
    exc: ConnectionClosed, received: int, response: HTTPResponse, url: URL
) -> CommandError:
    # A TLS connection that ends without close_notify was cut off, and nothing broke.
    was_lost = isinstance(exc.__cause__, ConnectionResetError)
    return CommandError(
        ExitCode.RECEIVE_FAILED if was_lost else ExitCode.PARTIAL,
        f"{url}: the connection {'broke' if was_lost else 'ended'} after "
        f"{received}{_of_all(response)} bytes of content",
        "try again",
    )


def _of_all(response: HTTPResponse) -> str:
    return "" if response.length is None else f" of {response.length}"


def _both(hint: str, advice: str) -> str:
    """Return what to do as one text; what to go on with says all that trying again would."""
    if not advice or hint == "try again":
        return advice or hint
    return f"{hint}; {advice}" if hint and "-C -" not in hint else advice
