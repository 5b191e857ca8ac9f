"""The configuration of every server in the table `SPECS`.

Each function writes the files of one server into its workspace and returns how to run it. Servers run as the current
user; one that is started as root and refuses to serve as root changes to ``nobody``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

from .servers import (
    FEW_REQUESTS,
    SMALL_LIMIT,
    Feature,
    Launch,
    ServerMissingError,
    ServerSpec,
    Transport,
    Variant,
    Workspace,
    find_program,
)

_HERE = Path(__file__).parent
_IS_ROOT = os.geteuid() == 0
_PLENTY = 1_000_000
_PATIENCE = 60
"""Seconds that a connection of `Variant.NORMAL` may be idle: longer than any test."""


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def nginx(space: Workspace) -> Launch:
    """Static files, WebDAV; the substitution filter makes chunked output."""
    program = find_program("nginx", "nginx")
    keep_alive = {
        Variant.NORMAL: f"keepalive_timeout {_PATIENCE}s; keepalive_requests {_PLENTY};",
        Variant.IDLE: f"keepalive_timeout 100ms; keepalive_requests {_PLENTY};",
        Variant.FEW: f"keepalive_timeout {_PATIENCE}s; keepalive_requests {FEW_REQUESTS};",
    }
    servers = []
    for variant in Variant:
        unix = (
            f"listen unix:{space.address(variant, Transport.UNIX)};"
            if variant is Variant.NORMAL
            else ""
        )
        servers.append(f"""
  server {{
    listen {space.address(variant, Transport.PLAIN)};
    listen {space.address(variant, Transport.TLS)} ssl http2;
    {unix}
    {keep_alive[variant]}
    include locations.conf;
  }}
""")
    _write(
        space.directory / "locations.conf",
        f"""
location /docs/ {{ alias {space.documents}/; }}
location /chunked/ {{ alias {space.documents}/; sub_filter_types *; sub_filter "no document has this" ""; }}
location /status/204 {{ return 204; }}
location /tls {{ return 200 "$ssl_server_name $ssl_alpn_protocol"; }}
location /upload/ {{ root {space.directory}; client_max_body_size 0; dav_methods PUT; }}
location /small/ {{ root {space.directory}; client_max_body_size {SMALL_LIMIT}; dav_methods PUT; }}
""",
    )
    temporary = "\n".join(
        f"  {module}_temp_path {space.directory}/tmp;"
        for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = _write(
        space.directory / "nginx.conf",
        f"""
daemon off;
worker_processes 1;
pid {space.directory}/nginx.pid;
error_log stderr info;
{"user root;" if _IS_ROOT else ""}
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  default_type application/octet-stream;
  access_log {space.directory}/access.log;
{temporary}
  ssl_certificate {space.certificates.certificate_file};
  ssl_certificate_key {space.certificates.key_file};
  {"".join(servers)}
}}
""",
    )
    # -e: without it nginx opens the log of the system before it reads the configuration.
    command = (program, "-e", "stderr", "-p", space.directory, "-c", config)
    return Launch(command, (space.directory / "access.log",))


def apache(space: Workspace) -> Launch:
    """Static files, WebDAV; a handler that flushes makes chunked output."""
    program = find_program("apache2", "apache2", "httpd")
    modules = Path("/usr/lib/apache2/modules")
    if not modules.is_dir():
        modules = Path(program).parent.parent / "libexec" / "apache2"
    wanted = "mpm_event unixd authz_core alias dav dav_fs lua ssl socache_shmcb rewrite log_config"
    loads = "\n".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so"
        for name in wanted.split()
        if (modules / f"mod_{name}.so").exists()
    )
    keep_alive = {
        Variant.NORMAL: f"KeepAliveTimeout {_PATIENCE}\nMaxKeepAliveRequests 0",
        Variant.IDLE: "KeepAliveTimeout 100ms\nMaxKeepAliveRequests 0",
        Variant.FEW: f"KeepAliveTimeout {_PATIENCE}\nMaxKeepAliveRequests {FEW_REQUESTS - 1}",
    }
    hosts = []
    for variant in Variant:
        for transport in (Transport.PLAIN, Transport.TLS):
            tls = "SSLEngine on" if transport is Transport.TLS else ""
            hosts.append(f"""
Listen {space.address(variant, transport)} http
<VirtualHost {space.address(variant, transport)}>
{keep_alive[variant]}
{tls}
RewriteEngine on
RewriteRule ^/status/204$ - [R=204,L]
</VirtualHost>
""")
    chunked = _write(
        space.directory / "chunked.lua",
        f"""
function handle(r)
  local document = io.open("{space.documents}" .. r.uri:match("/[^/]*$"), "rb")
  repeat
    r:flush()
    local piece = document:read(65536)
    r:write(piece or "")
  until not piece
  document:close()
  return apache2.OK
end
""",
    )
    config = _write(
        space.directory / "apache.conf",
        f"""
ServerRoot {space.directory}
ServerName localhost
{loads}
{"User nobody" if _IS_ROOT else ""}
{"Group nogroup" if _IS_ROOT else ""}
PidFile {space.directory}/apache.pid
DefaultRuntimeDir {space.directory}/tmp
Mutex file:{space.directory}/tmp
ErrorLog {space.directory}/error.log
TransferLog {space.directory}/access.log
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
KeepAlive on
SSLCertificateFile {space.certificates.certificate_file}
SSLCertificateKeyFile {space.certificates.key_file}
DAVLockDB {space.directory}/tmp/lock
DocumentRoot {space.directory}
Alias /docs/ {space.documents}/
LuaMapHandler ^/chunked/ {chunked}
<Location /upload/>
  Dav on
</Location>
<Location /small/>
  Dav on
  LimitRequestBody {SMALL_LIMIT}
</Location>
{"".join(hosts)}
""",
    )
    command = (program, "-DFOREGROUND", "-f", config)
    return Launch(command, (space.directory / "error.log", space.directory / "access.log"))


def haproxy(space: Workspace) -> Launch:
    """A reverse proxy that keeps its own connections to the server behind it."""
    program = find_program("haproxy", "haproxy")
    assert space.backend is not None
    frontends = []
    for variant in (Variant.NORMAL, Variant.IDLE):
        unix = (
            f"bind unix@{space.address(variant, Transport.UNIX)}"
            if variant is Variant.NORMAL
            else ""
        )
        keep_alive = f"{_PATIENCE}s" if variant is Variant.NORMAL else "100ms"
        frontends.append(f"""
frontend {variant.value}
  bind {space.address(variant, Transport.PLAIN)}
  bind {space.address(variant, Transport.TLS)} ssl crt {space.certificates.combined_file} alpn h2,http/1.1
  {unix}
  timeout http-keep-alive {keep_alive}
  default_backend behind
""")
    config = _write(
        space.directory / "haproxy.cfg",
        f"""
global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client {_PATIENCE}s
  timeout server {_PATIENCE}s
backend behind
  server behind {space.backend[0]}:{space.backend[1]}
{"".join(frontends)}
""",
    )
    return Launch((program, "-db", "-f", config))


def lighttpd(space: Workspace) -> Launch:
    """Static files; everything else is a CGI program."""
    program = find_program("lighttpd", "lighttpd")
    sockets = []
    for variant, transport in space.addresses:
        idle = 1 if variant is Variant.IDLE else _PATIENCE
        # It does not count the first request, and neither does Apache.
        requests = FEW_REQUESTS - 1 if variant is Variant.FEW else 0xFFFF
        tls = (
            f'ssl.engine = "enable"\n  ssl.pemfile = "{space.certificates.combined_file}"'
            if transport is Transport.TLS
            else ""
        )
        sockets.append(f"""
$SERVER["socket"] == "{space.address(variant, transport)}" {{
  server.max-keep-alive-idle = {idle}
  server.max-keep-alive-requests = {requests}
  {tls}
}}
""")
    cgi = _HERE / "cgi_program.py"
    # The address outside of all conditions is the plain one, so it gets no condition of its own.
    config = _write(
        space.directory / "lighttpd.conf",
        f"""
server.modules = ("mod_alias", "mod_cgi", "mod_setenv", "mod_openssl")
server.document-root = "{space.directory}"
server.bind = "127.0.0.1"
server.port = {space.port(Variant.NORMAL, Transport.PLAIN)}
server.max-keep-alive-idle = {_PATIENCE}
server.max-keep-alive-requests = 65535
server.errorlog = "{space.directory}/error.log"
server.stream-response-body = 1
mimetype.assign = ("" => "application/octet-stream")
server.upload-dirs = ("{space.directory}/tmp")
alias.url = (
  "/docs/" => "{space.documents}/",
  "/chunked" => "{cgi}",
  "/status" => "{cgi}",
  "/upload" => "{cgi}",
  "/small" => "{cgi}",
)
cgi.assign = (".py" => "{sys.executable}")
setenv.set-environment = ("DOCUMENTS" => "{space.documents}")
$HTTP["url"] =~ "^/small/" {{ server.max-request-size = {SMALL_LIMIT // 1024} }}
{"".join(text for text in sockets if space.address(Variant.NORMAL, Transport.PLAIN) not in text)}
""",
    )
    return Launch((program, "-D", "-f", config), (space.directory / "error.log",))


def uvicorn(space: Workspace) -> Launch:
    """An ASGI application behind a server written in Python."""
    if importlib.util.find_spec("uvicorn") is None:
        raise ServerMissingError(
            "uvicorn is not installed; it is among the requirements of the tests"
        )
    return _own_server(space, (sys.executable, _HERE / "asgi_server.py"))


def node(space: Workspace) -> Launch:
    """Node's own http and https servers."""
    return _own_server(space, (find_program("nodejs", "node", "nodejs"), _HERE / "node_server.mjs"))


def _own_server(space: Workspace, command: tuple[str | Path, ...]) -> Launch:
    config = {
        "documents": str(space.documents),
        "certificate": str(space.certificates.certificate_file),
        "key": str(space.certificates.key_file),
        "patience": _PATIENCE,
        "few": FEW_REQUESTS,
        "smallLimit": SMALL_LIMIT,
        "listeners": [
            {"variant": variant.value, "transport": transport.value, "address": address}
            for (variant, transport), address in space.addresses.items()
        ],
    }
    return Launch((*command, _write(space.directory / "config.json", json.dumps(config))))


_EVERYTHING = frozenset(Feature)
_STORES = _EVERYTHING - {Feature.DIGEST}
_NO_LIMIT = frozenset({Variant.NORMAL, Variant.IDLE})
_TCP = frozenset({Transport.PLAIN, Transport.TLS})

SPECS = {
    spec.name: spec
    for spec in (
        ServerSpec("nginx", nginx, _STORES),
        ServerSpec("apache", apache, _STORES, transports=_TCP),
        ServerSpec("haproxy", haproxy, _STORES, variants=_NO_LIMIT, backend="nginx"),
        ServerSpec("lighttpd", lighttpd, _EVERYTHING),
        ServerSpec("uvicorn", uvicorn, _EVERYTHING, variants=_NO_LIMIT),
        ServerSpec("node", node, _EVERYTHING),
    )
}
"""The table of servers, by name."""
