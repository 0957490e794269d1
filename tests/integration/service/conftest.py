"""A home with a CSCA, a CVCA, a terminal and operators of every role, its database, and the API over it."""

import asyncio
import base64
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.types import ASGIApp

from pki.api.app import bounded, create_app
from pki.api.ports import CertificateHeader
from pki.bootstrap_api import api_services
from pki.bootstrap_service import ServiceDatabase, open_service_database, upgrade_database
from pki.cli import main
from pki.home import Home
from pki.services.look_up import CertificateFilter

_OPERATORS = CertificateFilter(kind="operator")
PEOPLE = {
    "an": ("registrar",),
    "binh": ("officer",),
    "chi": ("officer",),
    "dung": ("auditor",),
    "em": (),
}


def certification_request(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(request.public_bytes(Encoding.DER))
    key_format = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_suffix(".key").write_bytes(key.private_bytes(*key_format))
    return path


class ServiceHome:
    """A home in a directory of its own."""

    def __init__(self, directory: Path, url: str | None = None) -> None:
        self.directory = directory
        self.home = Home(directory / "pki")
        self.url = url

    def pki(self, *words: str) -> int:
        return main(["--home", str(self.home.directory), *words])

    def certificate(self, name: str) -> bytes:
        return (self.directory / f"{name}.cer").read_bytes()

    @contextmanager
    def open(self) -> Iterator[ServiceDatabase]:
        with open_service_database(self.home, url=self.url) as service:
            yield service


def _make(directory: Path) -> None:
    made = ServiceHome(directory)
    pin = directory / "pki.pin"
    create = ("--test", "--name", "Trial", "--keystore", "file", "--pin-file", str(pin))
    assert made.pki("authority", "create", *create) == 0
    assert made.pki("signer", "create", "--id", "ds-1") == 0
    assert made.pki("crl", "issue") == 0
    for name, roles in PEOPLE.items():
        request = certification_request(directory / f"{name}.csr")
        words = [word for role in roles for word in ("--role", role)]
        assert made.pki("operator", "enrol", name, "--request", str(request), *words) == 0
    with open_service_database(made.home) as service:
        upgrade_database(service)
        for view in service.projection.certificates(_OPERATORS, after=None, limit=50):
            (directory / f"{view.name}.cer").write_bytes(view.der)
    assert made.pki("terminal", "cvca", "create", "--holder", "VNMEMBER") == 0
    assert made.pki("terminal", "dv", "create", "--mnemonic", "OFFICE") == 0
    assert made.pki("log", "checkpoint") == 0


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("service")
    _make(directory)
    return directory


@pytest.fixture
def service_home(made_home: Path, tmp_path: Path) -> ServiceHome:
    shutil.copytree(made_home, tmp_path / "office")
    return ServiceHome(tmp_path / "office")


class Caller:
    """A client of the API with one person's certificate, or none."""

    def __init__(self, app: ASGIApp, certificate: bytes | None) -> None:
        self._transport = httpx.ASGITransport(app)
        encoded = "" if certificate is None else base64.b64encode(certificate).decode()
        self._headers = {} if certificate is None else {"Client-Cert": f":{encoded}:"}

    def send(self, method: str, path: str, **values: Any) -> httpx.Response:
        headers = [*self._headers.items(), *httpx.Headers(values.pop("headers", {})).multi_items()]

        async def go() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="https://pki.example"
            ) as client:
                return await client.request(method, path, headers=headers, **values)

        return asyncio.run(go())

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers=headers)

    def post(
        self, path: str, json: Any, *, key: str | None = None, **headers: str
    ) -> httpx.Response:
        given = {"Idempotency-Key": key or uuid.uuid4().hex} | headers
        return self.send("POST", path, json=json, headers=given)

    def post_bytes(
        self, path: str, content: bytes, media_type: str, **headers: str
    ) -> httpx.Response:
        given = {"Content-Type": media_type} | headers
        return self.send("POST", path, content=content, headers=given)

    def ask(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("/v1/requests", {"kind": kind, "content": content})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document | {"etag": answer.headers["etag"]}

    def decide(
        self, request: dict[str, Any], decision: str = "approve", **more: Any
    ) -> httpx.Response:
        etag = self.get(f"/v1/requests/{request['id']}").headers["etag"]
        path = f"/v1/requests/{request['id']}/decisions"
        return self.post(path, {"decision": decision, **more}, **{"If-Match": etag})


@pytest.fixture
def call(service_home: ServiceHome) -> Iterator[Callable[[str | None], Caller]]:
    """The API as one person sees it."""
    with service_home.open() as service:
        upgrade_database(service)
        header = CertificateHeader.CLIENT_CERT
        app = bounded(create_app(api_services(service, signer_socket=None, header=header)))

        def as_person(name: str | None) -> Caller:
            return Caller(app, None if name is None else service_home.certificate(name))

        yield as_person
