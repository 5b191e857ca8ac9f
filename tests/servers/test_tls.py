"""What TLS promises: the right server, what was agreed on, and no protocol but ours."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from httpio import HTTPConnection
from tests.support.clients import fetch
from tests.support.fix_servers import endpoints
from tests.support.select_loop import WAIT_LIMIT, drive
from tests.support.servers import Transport

if TYPE_CHECKING:
    from tests.support.clients import Client
    from tests.support.fix_servers import Endpoint

TLS_ONLY = (Transport.TLS,)


def connect_to(
    host: str, endpoint: Endpoint, context: ssl.SSLContext | None = None
) -> HTTPConnection:
    assert not isinstance(endpoint.address, str)
    context = context or endpoint.certificates.client_context()
    return HTTPConnection(host, endpoint.address[1], ssl_context=context, timeout=WAIT_LIMIT)


@endpoints(transports=TLS_ONLY)
def test_cipher_and_certificate(endpoint: Endpoint, client: Client) -> None:
    fetch(client, endpoint.documents[0])
    cipher = client.connection.get_ssl_cipher()
    assert cipher is not None
    assert cipher[1].startswith("TLS")
    certificate = client.connection.get_ssl_peercert()
    assert isinstance(certificate, dict)
    assert "'DNS', 'localhost'" in str(certificate["subjectAltName"])
    binary = client.connection.get_ssl_peercert(binary_form=True)
    pem = endpoint.certificates.certificate_file.read_text()
    assert binary == ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END") + 26])


@endpoints(transports=(Transport.PLAIN,))
def test_no_cipher_without_tls(endpoint: Endpoint, client: Client) -> None:
    fetch(client, endpoint.documents[0])
    assert client.connection.get_ssl_cipher() is None
    assert client.connection.get_ssl_peercert() is None


@endpoints(transports=TLS_ONLY, servers=["nginx"])
def test_server_name_and_protocol(endpoint: Endpoint) -> None:
    # The server offers h2 too.
    with connect_to("localhost", endpoint) as connection:
        connection.send_request("GET", "/tls")
        assert connection.read_response().status == 200
        assert connection.readall() == b"localhost http/1.1"


@endpoints(transports=TLS_ONLY)
def test_unknown_authority(endpoint: Endpoint) -> None:
    with connect_to("localhost", endpoint, ssl.create_default_context()) as connection:
        with pytest.raises(ssl.SSLCertVerificationError):
            connection.send_request("GET", "/status/204")
        with pytest.raises(ssl.SSLCertVerificationError):
            drive(connection.co_send_request("GET", "/status/204"))
