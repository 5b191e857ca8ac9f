"""The environment variables that the command heeds, and what each is for.

Nothing reads them here. The table in the documentation and in the manual is made from this one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Name and meaning, in the order in which a reader is helped most.
VARIABLES: Final[dict[str, str]] = {
    "http_proxy": (
        "Proxy for http URLs, as [http://][USER:PASSWORD@]HOST[:PORT]. In lower case only: a web "
        "server that runs the command sets HTTP_PROXY from a field of its client's request."
    ),
    "https_proxy": "Proxy for https URLs. HTTPS_PROXY does as well.",
    "all_proxy": "Proxy for URLs that have no variable of their own. ALL_PROXY does as well.",
    "no_proxy": (
        "Hosts, domains and CIDR blocks to reach without a proxy, separated by commas; '*' for all. "
        "NO_PROXY does as well. --noproxy replaces it."
    ),
    "NETRC": "File that --netrc takes credentials from, in place of ~/.netrc.",
    "SSL_CERT_FILE": "Certificates to trust, in place of the system's. --cacert replaces it.",
    "SSL_CERT_DIR": "Directory of certificates to trust. --capath replaces it.",
    "SSLKEYLOGFILE": (
        "File that the keys of TLS connections are appended to, with which a packet analyser can "
        "decrypt them."
    ),
    "NO_COLOR": "If it is not empty, nothing is coloured, on a terminal either.",
    "COLUMNS": "Width of the terminal, if it is not the one that the terminal reports.",
    "XDG_CONFIG_HOME": "Directory with httpio/config.toml, in place of ~/.config.",
    "HTTPIO_CONFIG": "Configuration file, in place of that one.",
    "HTTPIO_TRACEFILE": (
        "File that all that goes over the wire is written to, passwords included; %d in it stands "
        "for the number of the connection object. 'httpio trace --read' shows it."
    ),
}
