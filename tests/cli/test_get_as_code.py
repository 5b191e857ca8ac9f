"""``--print-curl`` and ``--print-python``: executed, they make the same request."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import accept, close, expect, send

from .getting import HELLO, LIMIT, Done, called, environment, fields_of, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory

CASES = {
    "get": ["get"],
    "fields": [
        "get",
        "-H",
        'X-A: it\'s "b" $HOME `x`',
        "-H",
        "X-Empty;",
        "-H",
        "Accept:",
        "-A",
        "",
    ],
    "beyond ASCII": ["get", "-H", "X-A: ü€😀"],
    "credentials": ["get", "-u", "us:er", "--show-credentials"],
    "head": ["head"],
    "options": ["request", "-X", "OPTIONS"],
    "delete": ["delete"],
    "compressed": ["get", "--compressed"],
    "range": ["get", "-r", "1-2"],
    "form": ["post", "-d", "a=b", "-d", "c=it's"],
    "at": ["post", "--data-raw", "@nothing\n"],
    "json": ["post", "--json", '{"a": "ü😀"}'],
    "bytes": ["post", "--data-binary", "@FILE"],
    "file and text": ["post", "--data-binary", "@FILE", "-d", "more%\\"],
    "put": ["put", "-T", "FILE"],
    "expecting": ["put", "-T", "FILE", "--expect100-size", "1", "--expect100-timeout", "0.01"],
    "put data": ["put", "-d", "x"],
    "empty": ["post", "-d", ""],
    "chunked": ["post", "-d", "abc", "-H", "Transfer-Encoding: chunked"],
    "multipart": ["post", "-F", "a=b", "-F", "f=@FILE"],
    "resolve": ["get", "--resolve", "a.invalid:PORT:127.0.0.1"],
}


def is_whole(data: bytes) -> bool:
    head, mark, content = data.partition(b"\r\n\r\n")
    if not mark:
        return False
    lower = head.lower()
    if b"transfer-encoding" in lower:
        return content.endswith(b"0\r\n\r\n")
    _, found, length = lower.partition(b"content-length: ")
    return not found or len(content) >= int(length.split()[0])


def parts(
    request: bytes, boundary: bytes | None = None
) -> tuple[bytes, set[tuple[str, str]], bytes]:
    """Return what counts of *request*: its line, its fields, and its content."""
    head, _, content = request.partition(b"\r\n\r\n")
    # Zero is nothing, and the order does not matter.
    fields = {pair for pair in fields_of(request) if pair != ("Content-Length", "0")}
    return head.partition(b"\r\n")[0], {(name.lower(), value) for name, value in fields}, content


def executed(kind: str, printed: Done) -> subprocess.CompletedProcess[bytes]:
    """Run what was *printed*."""
    shell = ["sh"] if kind == "curl" else [sys.executable]
    return subprocess.run(
        [*shell, "-c", printed.out.decode()],
        capture_output=True,
        timeout=LIMIT,
        check=False,
        env=environment(),
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["curl", "python"])
def test_the_same_request(
    scripted_server: ServerFactory, tmp_path: Path, kind: str, name: str
) -> None:
    if kind == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    if name in ("multipart", "expecting") and kind == "python":
        # The program does not ask first, and has a boundary of its own.
        return
    (tmp_path / "file").write_bytes(b"\0one\r\n%two\xff")
    answers = [expect(is_whole), send(HELLO[:-5] if name == "head" else HELLO), close()]
    server = scripted_server(*answers, accept(), *answers)
    port = str(server.port)
    url = url_of(server, "/a/../b[1]{2}?c=d'e")
    if name == "resolve":
        url = url.replace("127.0.0.1", "a.invalid")
    words = [
        word.replace("FILE", str(tmp_path / "file")).replace("PORT", port) for word in CASES[name]
    ]
    printed = called(*words, f"--print-{kind}", url)
    assert (printed.code, printed.err) == (0, "")
    assert called(*words, url).code == (33 if name == "range" else 0)
    done = executed(kind, printed)
    assert (done.returncode, done.stderr if kind == "python" else b"") == (0, b"")
    ours, theirs = map(parts, server.received)
    if name == "multipart":
        # Ours is another one each time.
        boundary, printed_boundary = (
            found[2].partition(b"\r\n")[0][2:] for found in (ours, theirs)
        )
        assert printed_boundary in printed.out
        ours = parts(server.received[0].replace(boundary, printed_boundary))
    assert theirs == ours


def test_tls(scripted_server: ServerFactory, certificates: Certificates) -> None:
    answers = [expect(is_whole), send(HELLO), close()]
    server = scripted_server(*answers, accept(), *answers, tls=certificates.server_context())
    words = ["get", "--cacert", str(certificates.authority_file), "--tlsv1.2", "--tls-max", "1.3"]
    url = f"https://localhost:{server.port}/"
    for kind in ("curl", "python"):
        printed = called(*words, f"--print-{kind}", url)
        assert executed(kind, printed).returncode == 0
    first, second = map(parts, server.received)
    assert first == second


def test_proxy(scripted_server: ServerFactory) -> None:
    answers = [expect(is_whole), send(HELLO), close()]
    server = scripted_server(*answers, accept(), *answers, accept(), *answers)
    words = [
        "get",
        "-x",
        f"u:p@127.0.0.1:{server.port}",
        "--show-credentials",
        "http://a.invalid/b",
    ]
    assert called(*words).code == 0
    for kind in ("curl", "python"):
        printed = called(*words, f"--print-{kind}")
        assert executed(kind, printed).returncode == 0
    ours, curls, pythons = (parts(data) for data in server.received)
    assert ours[0] == b"GET http://a.invalid/b HTTP/1.1"
    assert pythons == ours
    # curl adds a field of its own for proxies of the time before HTTP/1.1.
    assert (curls[0], curls[1] - {("proxy-connection", "Keep-Alive")}) == (ours[0], ours[1])


def test_credentials_are_redacted() -> None:
    words = [
        "get",
        "-u",
        "us:secret",
        "-x",
        "u:secret@127.0.0.1:1",
        "-H",
        "Cookie: secret",
        "http://a/",
    ]
    for kind in ("curl", "python"):
        done = called(*words, f"--print-{kind}")
        assert done.code == 0
        assert b"secret" not in done.out
        assert b"[redacted]" in done.out
