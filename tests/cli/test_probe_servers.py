"""``httpio probe`` tells right of real servers, and the table of them in the docs is what it tells.

Each row is found out by the command and, independently, over bare sockets. With
``HTTPIO_UPDATE_TABLE=1`` in the environment the table is written anew.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.probing import DIRECT, THROUGH_PROXY, Way, all_servers, checks_of, probed, way_to
from tests.support.delay_proxy import delay_proxy
from tests.support.fix_servers import start_or_skip
from tests.support.processes import free_ports, running
from tests.support.server_configs import haproxy
from tests.support.servers import FEW_REQUESTS, Transport, Variant, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.servers import ServerFarm

TABLE = Path(__file__).parents[2] / "docs" / "cli" / "server-table.md"
UPDATES = bool(os.environ.get("HTTPIO_UPDATE_TABLE"))
reads_table = pytest.mark.skipif(UPDATES, reason="the table is being written")
DEPTH = 32
DOCUMENT = "/docs/0005"
UPLOAD_SIZE = 8 * 1024 * 1024
PATIENCE = 1.0

NAMES = {
    "nginx": "nginx",
    "apache": "Apache httpd",
    "lighttpd": "lighttpd",
    "haproxy": "HAProxy, before nginx",
    "uvicorn": "uvicorn (h11)",
    "gunicorn (sync)": "gunicorn, sync workers",
    "gunicorn (gthread)": "gunicorn, gthread workers",
    "node": "Node.js",
    "tinyproxy": "tinyproxy, before nginx",
    "squid": "Squid, before nginx",
}
HEADINGS = ("Server", "Keep-alive", "Pipelining", "Depth", "100 (Continue)", "Early response")
PREFACE = f"""\
# What servers do

What `httpio probe` finds of servers that keep idle connections for a minute and limit neither requests
nor their number. The tests of httpio start each of them, run the command, and compare what it says with
what bare sockets show, and with this table, which they have written. Behind a proxy is nginx in each
case. An upload to uvicorn, gunicorn or Node.js is refused by an application, which decides when.

- **Keep-alive**: whether a second request is answered on the same connection.
- **Pipelining**: what becomes of eight requests that are sent at once.
- **Depth**: how many requests at once are all answered; {DEPTH} were tried.
- **100 (Continue)**: what comes after a `PUT` with `Expect: 100-continue`, before its content is sent.
- **Early response**: whether a `PUT` that is too large is refused before all of its content was sent.

"""


def keeps_alive(checks: Mapping[str, Mapping[str, Any]]) -> str:
    found = checks["keepalive"]
    if found["facts"]["answered"] > 1:
        return "yes"
    return "no, and says so" if found["facts"]["announced"] else "no, without a word"


def pipelines(checks: Mapping[str, Mapping[str, Any]]) -> str:
    found = checks["pipeline-order"]
    if found["verdict"] == "pass":
        return "answers in order"
    assert found["verdict"] in ("info", "warn"), found
    return f"{found['facts']['answered']} answered, then closed"


def depth(checks: Mapping[str, Mapping[str, Any]]) -> str:
    found = checks["pipeline-depth"]["facts"]
    return str(found["depth"]) if found["limited"] else f"{found['depth']} or more"


def continues(checks: Mapping[str, Mapping[str, Any]]) -> str:
    return "100" if checks["expect-100"]["facts"]["continue"] else "nothing"


def refuses_early(checks: Mapping[str, Mapping[str, Any]]) -> str:
    found = checks["early-response"]["facts"]
    assert found["lost"] is False, found
    return "yes" if found["early"] else "no"


def row(name: str, checks: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    return (
        NAMES[name],
        keeps_alive(checks),
        pipelines(checks),
        depth(checks),
        continues(checks),
        refuses_early(checks),
    )


def line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[ServerFarm]:
    with all_servers() as farm:
        yield farm


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, tuple[str, ...]]]:
    """Rows that were found out; written to the table if that was asked for and all of them are there."""
    found: dict[str, tuple[str, ...]] = {}
    yield found
    if UPDATES and found.keys() == NAMES.keys():
        rule = line(("---",) * len(HEADINGS))
        body = "".join(line(found[name]) for name in NAMES)
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(f"{PREFACE}{line(HEADINGS)}{rule}{body}", encoding="utf-8")


# Over bare sockets


def receive(sock: socket.socket, responses: int) -> tuple[int, bytes]:
    """Receive until there are so many responses with status 200, or the end; return their number."""
    data = b""
    sock.settimeout(PATIENCE)
    try:
        while data.count(b"HTTP/1.1 200") < responses and (piece := sock.recv(65536)):
            data += piece
    except (TimeoutError, ConnectionError):
        pass
    return data.count(b"HTTP/1.1 200"), data


def get(way: Way) -> bytes:
    # HEAD: so that each response is a head, and can be counted.
    return f"HEAD {way.target(DOCUMENT)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def put(way: Way, path: str, size: int, *fields: str) -> bytes:
    lines = [f"PUT {way.target(path)} HTTP/1.1", "Host: localhost", f"Content-Length: {size}"]
    return "\r\n".join([*lines, *fields, "", ""]).encode()


def bare_keep_alive(way: Way) -> str:
    with socket.create_connection(way.address) as sock:
        sock.sendall(get(way))
        _, first = receive(sock, 1)
        try:
            sock.sendall(get(way))
            second, _ = receive(sock, 1)
        except ConnectionError:
            second = 0
    if second:
        return "yes"
    return "no, and says so" if b"\r\nconnection: close" in first.lower() else "no, without a word"


def bare_pipelining(way: Way) -> str:
    with socket.create_connection(way.address) as sock:
        sock.sendall(get(way) * 8)
        answered, _ = receive(sock, 8)
    return "answers in order" if answered == 8 else f"{answered} answered, then closed"


def bare_depth(way: Way) -> str:
    with socket.create_connection(way.address) as sock:
        sock.sendall(get(way) * DEPTH)
        answered, _ = receive(sock, DEPTH)
    return f"{DEPTH} or more" if answered == DEPTH else str(answered)


def first_bytes(sock: socket.socket) -> bytes:
    sock.settimeout(PATIENCE)
    try:
        return sock.recv(65536)
    except TimeoutError:
        return b""


def bare_continue(way: Way) -> str:
    with socket.create_connection(way.address) as sock:
        sock.sendall(put(way, "/upload/bare", 3, "Expect: 100-continue"))
        came = first_bytes(sock)
        # Or a proxy would wait for it, and the server with it.
        sock.sendall(b"abc")
        first_bytes(sock)
    return "100" if came.startswith(b"HTTP/1.1 100") else "nothing"


def bare_early_response(way: Way) -> str:
    with socket.create_connection(way.address) as sock:
        sock.sendall(put(way, "/small/bare", UPLOAD_SIZE))
        try:
            sock.sendall(bytes(4096))
        except ConnectionError:
            pass
        return "yes" if b" 413 " in first_bytes(sock)[:20] else "no"


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_row(name: str, servers: ServerFarm, rows: dict[str, tuple[str, ...]]) -> None:
    manager = way_to(servers, name)
    way = start_or_skip(manager.__enter__)
    try:
        checks = checks_of(
            probed(
                *way.options,
                *("--check", "keepalive,pipeline-order,pipeline-depth,expect-100,early-response"),
                *("--upload-url", "/upload/probe", "--refused-url", "/small/probe"),
                *("--refused-size", str(UPLOAD_SIZE), "--depth-limit", str(DEPTH)),
                *("--patience", str(PATIENCE)),
                way.url(DOCUMENT),
            )
        )
        bare = (
            NAMES[name],
            bare_keep_alive(way),
            bare_pipelining(way),
            bare_depth(way),
            bare_continue(way),
            bare_early_response(way),
        )
    finally:
        manager.__exit__(None, None, None)
    rows[name] = row(name, checks)
    assert rows[name] == bare
    if not UPDATES:
        assert line(rows[name]) in TABLE.read_text(encoding="utf-8").splitlines(keepends=True)


@reads_table
def test_what_is_known_of_them() -> None:
    """The table agrees with what the servers' own documentation says."""
    table = read_table()
    # "The sync worker does not support persistent connections" (gunicorn, "Design").
    assert table["gunicorn, sync workers"][1] == "no, and says so"
    # It relays one request and one response, and then ends both connections.
    assert table["tinyproxy, before nginx"][1:3] == (
        "no, without a word",
        "1 answered, then closed",
    )
    others = table.keys() - {"gunicorn, sync workers", "tinyproxy, before nginx"}
    for name in others:
        # RFC 9112 §9.3: by default all are persistent, and §9.3.2: answers are in order.
        assert table[name][1:4] == ("yes", "answers in order", "32 or more"), name
    # RFC 9110 §10.1.1. tinyproxy knows nothing of Expect: it reads the content first.
    assert {name for name, cells in table.items() if cells[4] != "100"} == {
        "tinyproxy, before nginx"
    }


def read_table() -> dict[str, tuple[str, ...]]:
    lines = [
        tuple(cell.strip() for cell in each.strip("|\n").split("|"))
        for each in TABLE.read_text(encoding="utf-8").splitlines()
        if each.startswith("|")
    ]
    assert lines[0] == HEADINGS
    return {cells[0]: cells for cells in lines[2:]}


@reads_table
def test_table_has_all_rows() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert text.startswith(PREFACE)
    assert list(read_table()) == list(NAMES.values())
    assert NAMES.keys() == {*DIRECT, *THROUGH_PROXY}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["nginx", "node", "gunicorn (gthread)"])
def test_no_check_fails(name: str, servers: ServerFarm) -> None:
    """Servers that are known to keep to the protocol pass, with safe methods only."""
    manager = way_to(servers, name)
    way = start_or_skip(manager.__enter__)
    try:
        target = probed(way.url(DOCUMENT), "--idle-limit", "0.2", "--patience", "0.5")
    finally:
        manager.__exit__(None, None, None)
    checks = checks_of(target)
    assert target["exit_code"] == 0, checks
    assert {check["verdict"] for check in checks.values()} <= {
        "pass", "info", "warn", "unknown", "skipped",
    }  # fmt: skip
    for check_id in ("keepalive", "pipeline-order", "pipeline-head", "pipeline-204"):
        assert checks[check_id]["verdict"] == "pass", checks[check_id]
    assert checks["early-response"]["verdict"] == "skipped"


@pytest.mark.exhaustive
class TestSerialising:
    """An intermediary with a long way behind it: what it does with six requests at once shows."""

    DELAY = 0.08

    @pytest.fixture(scope="class")
    @classmethod
    def far_nginx(cls, servers: ServerFarm) -> Iterator[tuple[str, int]]:
        """nginx, from which everything comes late."""
        nginx = start_or_skip(lambda: servers.server("nginx"))
        near = nginx.workspace.port(Variant.NORMAL, Transport.PLAIN)
        with delay_proxy(near, cls.DELAY) as port:
            yield ("127.0.0.1", port)

    def test_squid_passes_them_on_together(
        self, servers: ServerFarm, far_nginx: tuple[str, int]
    ) -> None:
        manager = way_to(servers, "squid")
        way = start_or_skip(manager.__enter__)
        try:
            found = self._probe(*way.options, "http://{}:{}/docs/0005".format(*far_nginx))
        finally:
            manager.__exit__(None, None, None)
        assert found["verdict"] == "pass", found
        assert "squid" in found["facts"]["via"]

    def test_haproxy_takes_one_at_a_time(
        self, servers: ServerFarm, far_nginx: tuple[str, int]
    ) -> None:
        directory = servers.directory("far-haproxy")
        (port, *more) = free_ports(4)
        addresses: dict[tuple[Variant, Transport], tuple[str, int] | str] = {
            (Variant.NORMAL, Transport.PLAIN): ("127.0.0.1", port),
            (Variant.NORMAL, Transport.UNIX): str(directory / "socket"),
        }
        for each, variant in enumerate((Variant.NORMAL, Variant.IDLE)):
            addresses[variant, Transport.TLS] = ("127.0.0.1", more[each])
        addresses[Variant.IDLE, Transport.PLAIN] = ("127.0.0.1", more[2])
        space = Workspace(
            directory, servers.document_root, addresses, servers.certificates, far_nginx
        )
        launch = start_or_skip(lambda: haproxy(space))
        with running(launch.command, [("127.0.0.1", port)], directory / "log"):
            found = self._probe(f"http://127.0.0.1:{port}/docs/0005")
        assert found["verdict"] == "info", found
        assert "one at a time" in found["evidence"]

    @staticmethod
    def _probe(*arguments: str) -> dict[str, Any]:
        return checks_of(probed("--check", "proxy-serialises", *arguments))["proxy-serialises"]


WITH_LIMIT = ("nginx", "apache", "lighttpd", "node")
"""Servers that can be told to end a connection after some requests."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("transport", [Transport.PLAIN, Transport.TLS])
class TestLimits:
    """Servers that are configured to keep a connection for a moment, or for few requests."""

    @pytest.mark.parametrize("name", [*WITH_LIMIT, "uvicorn", "haproxy"])
    def test_idle_timeout(self, name: str, transport: Transport, servers: ServerFarm) -> None:
        found = self._probe(
            name, Variant.IDLE, transport, servers, "idle-timeout", "--idle-limit", "10"
        )
        assert found["facts"]["closed"] is True, found
        # Over TLS some say so, and leave the connection open until we have said the same.
        assert found["facts"]["seconds"] < 7

    @pytest.mark.parametrize("name", WITH_LIMIT)
    def test_max_requests(self, name: str, transport: Transport, servers: ServerFarm) -> None:
        found = self._probe(name, Variant.FEW, transport, servers, "max-requests")
        assert found["facts"]["answered"] == FEW_REQUESTS, found
        assert found["verdict"] == "info", found

    @staticmethod
    def _probe(
        name: str,
        variant: Variant,
        transport: Transport,
        servers: ServerFarm,
        check_id: str,
        *options: str,
    ) -> dict[str, Any]:
        server = start_or_skip(lambda: servers.server(name))
        port = server.workspace.port(variant, transport)
        scheme = "https" if transport is Transport.TLS else "http"
        trust = ("--cacert", str(servers.certificates.authority_file))
        url = f"{scheme}://127.0.0.1:{port}{DOCUMENT}"
        return checks_of(probed(url, *trust, "--check", check_id, *options))[check_id]
