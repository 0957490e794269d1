"""The proxy's configuration as docs/pki.md gives it, in a real nginx with real TLS and real client certificates."""

import base64
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pki.bootstrap_service import upgrade_database
from tests.integration.service.test_service_process import Program

ROOT = Path(__file__).parents[3]
_PEM_KEY = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    content: bytes


class Proxy:
    """nginx on a Unix socket, in front of the API."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "tls.sock"

    def get(self, path: str, *, client: str | None = None, **headers: str) -> Answer:
        context = ssl.create_default_context(cafile=str(self.directory / "pki.example.pem"))
        if client is not None:
            context.load_cert_chain(
                self.directory / f"{client}.pem", self.directory / f"{client}.key"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.settimeout(60)
            plain.connect(str(self.socket))
            with context.wrap_socket(plain, server_hostname="pki.example") as secured:
                connection = http.client.HTTPConnection("pki.example")
                connection.sock = secured
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request("GET", path, headers=named)
                answer = connection.getresponse()
                return Answer(status=answer.status, content=answer.read())


def _pem(certificate: bytes) -> str:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()


def _self_signed(directory: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / f"{name}.key").write_bytes(key.private_bytes(*_PEM_KEY))


def _configuration(proxy: Proxy, api_socket: Path) -> str:
    """The documentation's own lines; only the places are this test's."""
    document = (ROOT / "docs/pki.md").read_text(encoding="utf-8")
    documented = re.search(r"```nginx\n(.*?)```", document, re.DOTALL)
    assert documented is not None
    block = documented[1]
    for written, here in (
        ("/run/membercard-api/api.sock", str(api_socket)),
        ("listen 443 ssl", f"listen unix:{proxy.socket} ssl"),
        ("/etc/membercard/", f"{proxy.directory}/"),
    ):
        assert written in block
        block = block.replace(written, here)
    folders = "".join(
        f"{name}_temp_path {proxy.directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # The service hears one user alone: the workers must be that one.
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"{user}worker_processes 1;\npid {proxy.directory}/nginx.pid;\n"
        f"error_log {proxy.directory}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{folders}{block}}}\n"
    )


@pytest.fixture
def proxy(service_home: Any) -> Iterator[Proxy]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        assert os.environ.get("CI") != "true", "nginx is missing in CI"
        pytest.skip("nginx is not installed")
    made = Proxy(service_home.directory)
    root = service_home.home.directory / "certificates" / "service-root-1.cer"
    (made.directory / "service-root-1.pem").write_text(_pem(root.read_bytes()))
    (made.directory / "an.pem").write_text(_pem(service_home.certificate("an")))
    _self_signed(made.directory, "pki.example")
    _self_signed(made.directory, "stranger")
    configuration = made.directory / "nginx.conf"
    api_socket = made.directory / "run" / "api.sock"
    configuration.write_text(_configuration(made, api_socket))
    api = Program(
        service_home.home.directory, "api", "serve", "--socket", str(api_socket), "--nginx"
    )
    with service_home.open() as service:
        upgrade_database(service)
    api.start()
    # It goes into the background once it listens.
    log = str(made.directory / "error.log")
    subprocess.run([nginx, "-e", log, "-c", str(configuration)], check=True, timeout=60)
    try:
        yield made
    finally:
        os.kill(int((made.directory / "nginx.pid").read_text()), signal.SIGTERM)
        api.end(signal.SIGTERM)


def test_the_documented_proxy_hands_the_operators_certificate_over(proxy: Proxy) -> None:
    assert proxy.get("/v1/requests", client="an").status == 200


def test_files_need_no_certificate_and_requests_do(proxy: Proxy) -> None:
    assert proxy.get("/v1/lists/crl").status == 200
    refused = proxy.get("/v1/requests")
    assert refused.status == 401
    assert b"api.client-certificate-missing" in refused.content


def test_no_client_can_put_a_certificate_into_the_headers(proxy: Proxy) -> None:
    certificate = (proxy.directory / "an.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(certificate)
    forged = {
        "X_Client_Cert_Escaped": quote(certificate, safe=""),
        "Client_Cert": f":{base64.b64encode(der).decode()}:",
    }
    refused = proxy.get("/v1/requests", **forged)
    assert refused.status == 401
    assert b"api.client-certificate-missing" in refused.content


def test_a_certificate_of_another_root_is_refused_by_the_proxy(proxy: Proxy) -> None:
    assert proxy.get("/v1/requests", client="stranger").status == 400


def test_what_is_not_the_services_is_not_passed_on(proxy: Proxy) -> None:
    assert proxy.get("/", client="an").status == 404
