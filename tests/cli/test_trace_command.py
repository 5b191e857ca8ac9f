"""The command ``httpio trace`` as a process, against real servers and bad ones."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import stat
import subprocess
from base64 import b64decode
from itertools import pairwise
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.support.fix_servers import start_or_skip
from tests.support.processes import free_ports
from tests.support.proxies import PASSWORD, USER, tinyproxy
from tests.support.scripted import (
    accept,
    close,
    drain,
    expect_end,
    expect_head,
    expect_size,
    reset,
    send,
    send_slowly,
)
from tests.support.servers import Transport, Variant

from .trace_process import HTTPIO, environment, of_type, records, trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certs import Certificates
    from tests.support.fix_scripted import ServerFactory
    from tests.support.servers import ServerFarm

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def base(farm: ServerFarm, name: str, transport: Transport = Transport.PLAIN) -> str:
    """Return the URL of a server of the farm, without a path."""
    server = start_or_skip(lambda: farm.server(name))
    port = server.workspace.port(Variant.NORMAL, transport)
    return f"https://localhost:{port}" if transport is Transport.TLS else f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_pipelined_requests_to_a_real_server(farm: ServerFarm, name: str) -> None:
    url = base(farm, name)
    documents = farm.documents[:5]
    urls = [f"{url}/docs/{document.name}" for document in documents]
    found = records(*urls, "--max-bytes", "100M")
    exchanges = of_type(found, "exchange")
    assert [(each["connection"], each["slot"], each["status"]) for each in exchanges] == [
        (1, slot, 200) for slot in range(1, 6)
    ]
    # All requests were sent before anything was received.
    wire = [each["type"] for each in found if each["type"] in ("sent", "received")]
    assert wire[:5] == ["sent"] * 5
    for direction in ("sent", "received"):
        pieces = of_type(found, direction)
        assert pieces[0]["start"] == 0
        assert all(one["end"] == other["start"] for one, other in pairwise(pieces))
        (connection,) = of_type(found, "connection")
        assert pieces[-1]["end"] == connection[direction]
        slots = [each[direction] for each in exchanges]
        assert all(one["end"] == other["start"] for one, other in pairwise(slots))
    for exchange, document in zip(exchanges, documents, strict=True):
        assert exchange["sizes"].get("response-content", 0) == document.size
        assert exchange["response_complete"]


def test_without_pipelining_each_waits_for_the_one_before(farm: ServerFarm) -> None:
    url = base(farm, "nginx") + "/docs/" + farm.documents[1].name
    found = records(url, "--repeat", "3", "--no-pipeline")
    parts = [each["part"] for each in found if each["type"] in ("sent", "received")]
    heads = [part for part in parts if part.endswith("-head")]
    assert heads == ["request-head", "response-head"] * 3
    assert [each["slot"] for each in of_type(found, "exchange")] == [1, 2, 3]


def test_chunks_are_told_apart_from_their_framing(farm: ServerFarm) -> None:
    document = farm.documents[3]
    found = records(f"{base(farm, 'nginx')}/chunked/{document.name}")
    (exchange,) = of_type(found, "exchange")
    assert exchange["sizes"].get("response-content", 0) == document.size
    assert exchange["sizes"]["response-chunk-framing"] > 0


def test_tls_shows_plain_text_and_what_was_agreed_on(farm: ServerFarm) -> None:
    url = base(farm, "haproxy", Transport.TLS)
    result = trace(
        f"{url}/docs/{farm.documents[1].name}", "--cacert", farm.certificates.authority_file
    )
    assert "*     tls TLSv1.3 " in result.stdout
    assert "    < HTTP/1.1 200 OK\n" in result.stdout
    assert "  TLS: TLSv1.3 " in result.stdout
    assert ", ALPN http/1.1\n" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_unix_socket(farm: ServerFarm) -> None:
    server = start_or_skip(lambda: farm.server("nginx"))
    path = str(server.workspace.addresses[Variant.NORMAL, Transport.UNIX])
    document = farm.documents[1]
    result = trace(f"http://localhost/docs/{document.name}", "--unix-socket", path)
    assert f"connected {path}" in result.stdout


def test_a_tunnel_is_attributed_to_no_request(farm: ServerFarm) -> None:
    url = base(farm, "nginx", Transport.TLS)
    directory = farm.directory("trace-tunnel")
    with start_or_skip(lambda: tinyproxy(directory, with_credentials=True)) as proxy:
        found = records(
            f"{url}/docs/{farm.documents[1].name}",
            "-x", f"http://{proxy.address[0]}:{proxy.address[1]}",
            "--proxy-user", f"{USER}:{PASSWORD}",
            "--cacert", farm.certificates.authority_file,
        )  # fmt: skip
    (connection,) = of_type(found, "connection")
    assert [each["part"] for each in connection["unattributed"]] == [
        "tunnel-request",
        "tunnel-response",
    ]
    tunnel, exchange = of_type(found, "exchange")
    assert (tunnel["method"], tunnel["slot"], tunnel["tunnel"]) == ("CONNECT", None, True)
    assert (exchange["slot"], exchange["status"]) == (1, 200)
    assert exchange["sent"]["start"] == tunnel["sent"]["end"]
    (sent, *_) = of_type(found, "sent")
    assert "Proxy-Authorization: Basic ****" in sent["text"]


def test_a_proxy_that_closes_after_each_response(farm: ServerFarm) -> None:
    url = base(farm, "nginx")
    urls = [f"{url}/docs/{document.name}" for document in farm.documents[:3]]
    directory = farm.directory("trace-proxy")
    with start_or_skip(lambda: tinyproxy(directory, with_credentials=False)) as proxy:
        found = records(*urls, "-x", f"http://{proxy.address[0]}:{proxy.address[1]}")
    answered = [each for each in of_type(found, "exchange") if each["status"]]
    assert [each["connection"] for each in answered] == [1, 2, 3]
    assert [each["target"] for each in answered] == urls


def url_of(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


@pytest.mark.parametrize(
    ("wire", "code", "offset"),
    [
        (b"", 52, 0),
        (b"HTTP/1.1 200", 52, 12),
        (HEAD + b"hel", 18, len(HEAD) + 3),
        (b"SSH-2.0-server\r\n", 8, 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz", 8, 47),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", 8, 41),
        (b"HTTP/1.1 200 OK\r\n\r\nx", 8, 19),
    ],
)
def test_it_says_where_a_response_broke(
    scripted_server: ServerFactory, wire: bytes, code: int, offset: int
) -> None:
    server = scripted_server(expect_head(b"GET / "), send(wire), close())
    result = trace(url_of(server.port), code=code)
    assert f"broke in slot 1 at received offset {offset}" in result.stdout
    assert f"at offset {offset} of what was received on connection 1; " in result.stderr
    assert url_of(server.port) in result.stderr


def test_a_reset(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(b"GET / "), send(HEAD + b"h"), expect_size(0), reset())
    result = trace(url_of(server.port), code=56)
    assert "the connection broke" in result.stdout


def test_data_that_nothing_was_asked_for(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(), send(HEAD + b"hellomore"), expect_end())
    result = trace(url_of(server.port, "/a"), url_of(server.port, "/b"), "--no-pipeline", code=8)
    assert "unsolicited, 4 bytes [43, 47)" in result.stdout


def test_a_response_in_the_smallest_pieces(scripted_server: ServerFactory) -> None:
    wire = b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"hello"
    server = scripted_server(expect_head(), send_slowly(wire))
    found = records(url_of(server.port))
    (exchange,) = of_type(found, "exchange")
    assert exchange["informational"] == [103]
    assert [each["part"] for each in exchange["received"]["parts"]] == [
        "interim-head",
        "response-head",
        "response-content",
    ]


def test_a_connection_that_ends_between_two_responses(scripted_server: ServerFactory) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    server = scripted_server(
        expect_head(b"GET /a"), send(head), close(), accept(), expect_head(b"GET /b"), send(head)
    )
    result = trace(url_of(server.port, "/a"), url_of(server.port, "/b"))
    assert "connection 2: " in result.stdout
    assert "the response before it was the last one of the connection" in result.stdout


def test_pipelined_requests_behind_a_response_that_ends_the_connection(
    scripted_server: ServerFactory,
) -> None:
    # Its end is the end of the connection, of which nothing but that tells.
    answer = b"HTTP/1.0 200 OK\r\n\r\n"
    server = scripted_server(
        expect_head(b"GET /a"), expect_head(b"GET /b"), send(answer + b"A"), close(),
        accept(), expect_head(b"GET /b"), send(answer + b"B"), close(),
    )  # fmt: skip
    found = records(url_of(server.port, "/a"), url_of(server.port, "/b"))
    assert [
        (each["connection"], each["slot"], each["status"]) for each in of_type(found, "exchange")
    ] == [(1, 1, 200), (1, 2, None), (2, 1, 200)]


def test_interim_responses_without_end(scripted_server: ServerFactory) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    server = scripted_server(expect_head(), send(hint * 101), drain())
    result = trace(url_of(server.port), code=8)
    assert f"broke in slot 1 at received offset {100 * len(hint)}: " in result.stdout


def test_the_time_is_up(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(), expect_end())
    result = trace(url_of(server.port), "-m", "0.5", code=28)
    assert f"{url_of(server.port)}: not finished within 0.5 seconds; " in result.stderr


def test_the_bytes_are_those_that_went_over_the_wire(farm: ServerFarm) -> None:
    port = int(base(farm, "nginx").rpartition(":")[2])
    with Relay(port) as relay:
        urls = [
            f"http://127.0.0.1:{relay.port}{path}" for path in ("/docs/0001", "/no", "/docs/0002")
        ]
        found = records(*urls, "-H", "Cookie: a=b", "--show-credentials", "--max-bytes", "100M")
    for direction, wire in (("sent", relay.sent), ("received", relay.received)):
        assert wire
        for record in of_type(found, direction):
            text = record.get("text")
            shown = b64decode(record["base64"]) if text is None else text.encode()
            assert shown == wire[record["start"] : record["end"]]
        ends = [record["end"] for record in of_type(found, direction)]
        assert max(ends) == len(wire)
    for exchange in of_type(found, "exchange"):
        head = exchange["received"]["parts"][0]
        assert head["part"] == "response-head"
        shown = bytes(relay.received[head["start"] : head["end"]])
        assert shown.startswith(b"HTTP/1.1 %d " % exchange["status"])
        assert shown.endswith(b"\r\n\r\n")


class Relay:
    """Passes one connection on to *port* of this machine, and keeps what went each way."""

    def __init__(self, port: int) -> None:
        self.sent = bytearray()
        self.received = bytearray()
        self._server = socket.create_connection(("127.0.0.1", port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with self._listener, self._server:
            client, _ = self._listener.accept()
            with client:
                back = Thread(target=self._pass_on, args=(self._server, client, self.received))
                back.start()
                self._pass_on(client, self._server, self.sent)
                back.join(30)

    @staticmethod
    def _pass_on(source: socket.socket, to: socket.socket, kept: bytearray) -> None:
        while data := source.recv(65536):
            kept.extend(data)
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


def test_a_target_in_a_trace_that_is_read_has_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(
        b"# httpio trace of process 7, begun 2025-01-31T12:00:00Z\n"
        b" 0.000001 * request GET http://u:open@sesame@h/x\n"
        b" 0.000002 > GET http://u:open@sesame@h/x HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n\n"
        b" 0.000003 < HTTP/1.1 204 Fine\\r\\n\\r\\n\n"
    )
    for form in ("text", "json", "jsonl", "har"):
        for kept in ("1M", "5"):
            result = trace("--read", path, "--format", form, "--max-bytes", kept)
            assert "sesame" not in result.stdout
    assert "sesame" in trace("--read", path, "--show-credentials").stdout


def test_the_methods(scripted_server: ServerFactory) -> None:
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    server = scripted_server(
        expect_head(b"POST /a"), expect_size(7), send(empty), close(),
        accept(), expect_head(b"HEAD /a"), send(HEAD), close(),
        accept(), expect_head(b"DELETE /a"), send(empty),
    )  # fmt: skip
    url = url_of(server.port, "/a")
    result = trace(url, "-d", "a=b", "-d", "@-", stdin=b"c=d\n")
    assert "    > a=b&c=d\n" in result.stdout
    assert "Content-Type: application/x-www-form-urlencoded" in result.stdout
    trace(url, "-I")
    trace(url, "-X", "DELETE")


def test_a_server_that_reads_only_after_it_was_read_from(
    scripted_server: ServerFactory, tmp_path: Path
) -> None:
    file = tmp_path / "content"
    file.write_bytes(b"x" * 3_000_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6000000\r\n\r\n" + b"y" * 6_000_000
    steps = [expect_head(b"PUT /"), expect_size(3_000_000), send(answer)]
    server = scripted_server(*steps, *steps, *steps, receive_buffer=65536)
    arguments = [url_of(server.port), "--repeat", "3", "-X", "PUT", "-d", f"@{file}"]
    exchanges = of_type(records(*arguments), "exchange")
    assert [each["response_complete"] for each in exchanges] == [True] * 3


def test_an_answer_before_the_request_was_sent_to_its_end(
    scripted_server: ServerFactory, tmp_path: Path
) -> None:
    file = tmp_path / "content"
    file.write_bytes(b"x" * 8_000_000)
    answer = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n"
    steps = [expect_head(b"PUT /"), send(answer), drain(), close()]
    server = scripted_server(*steps, accept(), *steps)
    arguments = [url_of(server.port), "--repeat", "2", "-X", "PUT", "-d", f"@{file}"]
    found = records(*arguments)
    exchanges = [each for each in of_type(found, "exchange") if each["status"]]
    assert [(each["connection"], each["status"]) for each in exchanges] == [(1, 413), (2, 413)]
    assert all(each["sizes"]["response-content"] == 3 for each in exchanges)


def test_redirects_get_no_credentials_elsewhere(scripted_server: ServerFactory) -> None:
    other = scripted_server(expect_head(b"GET /there"), send(HEAD + b"hello"))
    location = b"Location: " + url_of(other.port, "/there").encode()
    server = scripted_server(
        expect_head(b"GET /"),
        send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n\r\n"),
    )
    found = records(
        url_of(server.port), "-L", "-u", "me:secret", "-H", "Cookie: a=b", "--show-credentials"
    )
    assert [each["status"] for each in of_type(found, "exchange")] == [302, 200]
    assert b"Authorization" in server.received[0]
    assert b"Authorization" not in other.received[0]
    assert b"Cookie" not in other.received[0]


def test_redirects_have_an_end(scripted_server: ServerFactory) -> None:
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\nConnection: close\r\n\r\n"
    steps = [expect_head(b"GET /"), send(answer), close()]
    server = scripted_server(*steps, accept(), *steps, accept(), *steps)
    result = trace(url_of(server.port), "-L", "--max-redirs", "2", code=47)
    assert "connection 3: " in result.stdout


def test_redirects_do_not_give_up_encryption(
    scripted_server: ServerFactory, certificates: Certificates
) -> None:
    plain = scripted_server(expect_head(b"GET /there"), send(HEAD + b"hello"))
    location = b"Location: " + url_of(plain.port, "/there").encode()
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n\r\n"
    steps = [expect_head(), send(answer), close()]
    server = scripted_server(*steps, accept(), *steps, tls=certificates.server_context())
    arguments = [
        f"https://localhost:{server.port}/", "-L", "--cacert", str(certificates.authority_file),
    ]  # fmt: skip
    assert "not encrypted" in trace(*arguments, code=47).stderr
    assert "connection 2: " in trace(*arguments, "--allow-downgrade").stdout


def test_dumps_and_archives_into_files(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(expect_head(), send(HEAD + b"hello"))
    files = {name: tmp_path / name for name in ("hex", "ascii", "har")}
    result = trace(
        url_of(server.port), "--trace", files["hex"], "--trace-ascii", files["ascii"],
        "--format", "har", "-o", files["har"], "--trace-time",
    )  # fmt: skip
    assert not result.stdout
    assert "0000: 48 54 54 50 2f 31 2e 31 20 32 30 30" in files["hex"].read_text()
    assert "0000: HTTP/1.1 200 OK" in files["ascii"].read_text()
    archive = json.loads(files["har"].read_text())
    assert archive["log"]["entries"][0]["response"]["content"]["text"] == "hello"
    assert archive["log"]["entries"][0]["serverIPAddress"] == "127.0.0.1"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}


def test_a_dump_on_stdout_takes_the_place_of_the_dialogue(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(), send(HEAD + b"hello"))
    result = trace(url_of(server.port), "--trace-ascii", "-")
    assert (
        "<= Recv data, 5 bytes (0x5) [1] slot 1, response-content\n0026: hello\n" in result.stdout
    )
    assert "trace begun" not in result.stdout


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "har", "hex", "ascii"])
def test_credentials_are_hidden_in_every_form(scripted_server: ServerFactory, form: str) -> None:
    cookie = b"Set-Cookie: session=topsecret; Path=/\r\n"
    head = HEAD[:-2] + cookie + b"Location: http://you:topsecret@localhost/\r\n\r\n"
    steps = [expect_head(), send(head + b"hello"), close()]
    server = scripted_server(*steps, accept(), *steps)
    arguments = [
        f"http://me:topsecret@127.0.0.1:{server.port}/", "-H", "Cookie: a=topsecret",
        "-H", "Proxy-Authorization: topsecret",
    ]  # fmt: skip
    arguments += {"hex": ["--trace", "-"], "ascii": ["--trace-ascii", "-"]}.get(
        form, ["--format", form]
    )
    hidden = trace(*arguments).stdout
    assert "secret" not in hidden
    assert "bWU6dG9wc2VjcmV0" not in hidden
    if form != "hex":
        assert "topsecret" in trace(*arguments, "--show-credentials").stdout
    else:
        trace(*arguments, "--show-credentials")
    assert b"Cookie: a=topsecret" in server.received[0]


def test_what_is_left_out_is_said_and_attributed(farm: ServerFarm) -> None:
    document = max(farm.documents, key=lambda document: document.size)
    url = f"{base(farm, 'nginx')}/docs/{document.name}"
    found = records(url, "--max-bytes", "1k")
    (exchange,) = of_type(found, "exchange")
    (connection,) = of_type(found, "connection")
    assert exchange["sizes"]["response-content"] == document.size
    assert connection["left_out"] == connection["sent"] + connection["received"] - 1024
    assert "see --max-bytes" in trace(url, "--max-bytes", "1k").stdout


def test_a_post_mortem(scripted_server: ServerFactory, tmp_path: Path) -> None:
    server = scripted_server(expect_head(), send(HEAD + b"hel"), close())
    file = tmp_path / "trace"
    program = (
        "import httpio, sys\n"
        f"conn = httpio.HTTPConnection('127.0.0.1', {server.port})\n"
        "conn.send_request('GET', '/', {'Cookie': 'topsecret'})\n"
        "conn.read_response()\n"
        "try:\n    conn.readall()\nexcept httpio.ConnectionClosed:\n    pass\n"
    )
    subprocess.run(
        [os.path.join(os.path.dirname(HTTPIO), "python"), "-c", program],
        env=environment(HTTPIO_TRACEFILE=str(file)),
        check=True,
        timeout=60,
    )
    result = trace("--read", file, code=18)
    assert "slot 1: GET / -> 200" in result.stdout
    assert f"broke in slot 1 at received offset {len(HEAD) + 3}" in result.stdout
    assert "topsecret" not in result.stdout
    assert "topsecret" in trace("--read", file, "--show-credentials", code=18).stdout
    archive = json.loads(trace("--read", file, "--format", "har", code=18).stdout)
    assert archive["log"]["entries"][0]["request"]["url"] == url_of(server.port)
    from_stdin = trace("--read", "-", stdin=file.read_bytes(), code=18)
    assert from_stdin.stdout == result.stdout


def test_what_is_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "other"
    file.write_text("hello\n")
    assert "line 1 of" in trace("--read", file, code=26).stderr
    assert "cannot read" in trace("--read", tmp_path / "missing", code=26).stderr


def test_what_cannot_be_reached() -> None:
    (port,) = free_ports(1)
    result = trace(url_of(port), code=7)
    assert "never connected" in result.stdout
    assert "refused" in result.stderr
    trace("http://host.invalid/", code=6)
    trace("ftp://localhost/", code=3)
    trace("http://local host/", code=3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        result = trace(url_of(port), "-m", "0.3", code=28)
    # What was seen until then is shown.
    assert "request-head" in result.stdout


def test_a_certificate_that_is_not_trusted(farm: ServerFarm) -> None:
    url = base(farm, "nginx", Transport.TLS)
    assert "--cacert" in trace(url, code=60).stderr
    assert "-> 404" in trace(f"{url}/missing", "-k").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--read", "x", "http://localhost/"],
        ["--read", "x", "-I"],
        ["http://localhost/", "--trace", "-", "--trace-ascii", "-"],
        ["http://localhost/", "--trace", "-", "--format", "har"],
        ["http://localhost/", "-I", "-d", "x"],
        ["http://localhost/", "-X", "CONNECT"],
        ["http://localhost/", "-X", "A B"],
        ["http://localhost/", "-H", "X: a\r\nY: b"],
        ["http://localhost/", "--format", "xml"],
        ["-L"],
    ],
)
def test_usage(arguments: list[str]) -> None:
    result = trace(*arguments, code=2)
    assert not result.stdout or "-X" in arguments


def test_silence(scripted_server: ServerFactory) -> None:
    steps = [expect_head(), send(HEAD), close()]
    server = scripted_server(*steps, accept(), *steps)
    result = subprocess.run(
        [HTTPIO, "trace", "-s", url_of(server.port)],
        capture_output=True, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (18, b"")
    trace("-sS", url_of(server.port), code=18)


def test_output_that_cannot_be_written(scripted_server: ServerFactory, tmp_path: Path) -> None:
    steps = [expect_head(), send(HEAD + b"hello"), close()]
    server = scripted_server(*steps, accept(), *steps, accept(), *steps)
    url = url_of(server.port)
    assert "/dev/full" in trace(url, "-o", "/dev/full", code=23).stderr
    assert "missing" in trace(url, "--trace", tmp_path / "missing" / "x", code=23).stderr
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [HTTPIO, "trace", url], stdout=full, stderr=subprocess.PIPE,
            env=environment(), timeout=60, check=False,
        )  # fmt: skip
    assert result.returncode == 23
    assert result.stderr.count(b"\n") == 1


def test_a_stdout_that_is_closed(scripted_server: ServerFactory) -> None:
    server = scripted_server(expect_head(), send(HEAD + b"hello"))
    command = f"{HTTPIO} trace {url_of(server.port)} >&-"
    result = subprocess.run(
        ["sh", "-c", command], stderr=subprocess.PIPE, env=environment(), timeout=60, check=False
    )
    assert result.returncode == 23
    assert result.stderr.count(b"\n") == 1
    assert b"stdout" in result.stderr


def test_a_reader_that_goes_away(farm: ServerFarm) -> None:
    document = max(farm.documents, key=lambda document: document.size)
    process = subprocess.Popen(
        [HTTPIO, "trace", f"{base(farm, 'nginx')}/docs/{document.name}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"trace begun")
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stderr:
        assert b"stdout was closed" in stderr.read()
    assert process.wait(30) == 23


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_shows_what_was_seen(number: signal.Signals, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = url_of(listener.getsockname()[1])
        process = subprocess.Popen(
            [HTTPIO, "trace", url, url, "--no-pipeline"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        listener.settimeout(30)
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(30)
            for answer in (HEAD + b"hello", b""):
                assert sock.recv(65536).endswith(b"\r\n\r\n")
                sock.sendall(answer)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"  slot 1: GET / -> 200\n" in stdout
    assert b"Traceback" not in stderr


def in_terminal(*arguments: str, **variables: str) -> str:
    """Return what the command prints on a terminal."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [HTTPIO, "trace", *arguments],
        stdin=child, stdout=child, stderr=child, env=environment(TERM="xterm", **variables),
    )  # fmt: skip
    os.close(child)
    output = b""
    try:
        while data := os.read(parent, 65536):
            output += data
    except OSError:  # Linux tells so that the other end is closed
        pass
    os.close(parent)
    assert process.wait(30) == 0, output
    return output.decode()


def test_colour_on_a_terminal_only(scripted_server: ServerFactory) -> None:
    steps = [expect_head(), send(HEAD + b"\x1b[2J!"), close()]
    server = scripted_server(*steps, accept(), *steps, accept(), *steps)
    url = url_of(server.port)
    coloured = in_terminal(url)
    assert "\x1b[36m" in coloured
    # What the server sends is not for the terminal to obey.
    assert "\x1b[2J" not in coloured
    assert "\x1b" not in in_terminal(url, NO_COLOR="1")
    assert "\x1b" not in trace(url).stdout
