"""Operators sign in a real browser with a virtual authenticator; the signer process believes what holds, nothing else."""

import asyncio
import base64
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import ASGIApp, Receive, Scope, Send

from pki.api.app import bounded, create_app
from pki.api.ports import CertificateHeader
from pki.bootstrap import read_state
from pki.bootstrap_api import api_services
from pki.bootstrap_service import open_service_database, upgrade_database
from pki.cli import main
from pki.errors import PkiError
from pki.home import Home
from pki.services.document_signer import SigningRequest
from pki.signed.authorisation import BatchAuthorisation, OperatorAssertion
from pki.signed.security_object import SecurityObject, StatusReference
from pki.signer_service.client import SocketDocumentSigner
from tests.e2e.devtools import CHROMIUM, Page, browser

PROGRAM = Path(sys.executable).with_name("membercard-pki")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


class AsOperator:
    """Stands for the proxy: hands on the certificate of whoever logged in, and nobody's own word about it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.certificate: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [pair for pair in scope["headers"] if pair[0] != b"client-cert"]
            if self.certificate is not None:
                encoded = base64.b64encode(self.certificate)
                headers.append((b"client-cert", b":" + encoded + b":"))
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)


class Office:
    """A home, its API on a port of this machine, and a browser in front of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = Home(directory / "pki")
        self.downloads = directory / "downloads"
        self.downloads.mkdir()

    def pki(self, *words: object) -> None:
        assert main(["--home", str(self.home.directory), *(str(word) for word in words)]) == 0

    def certificate(self, name: str) -> bytes:
        found = read_state(self.home).authorisations.operators[name].certificate
        assert found is not None
        return found

    def save(self, page: Page, selector: str) -> Path:
        """What the page gives when its link is clicked."""
        page.click(selector)
        begun = page.wait("Browser.downloadWillBegin")
        page.wait("Browser.downloadProgress", guid=begun["guid"], state="completed")
        saved = self.downloads / begun["guid"]
        return saved.rename(self.directory / f"{secrets.token_hex(4)}-{begun['suggestedFilename']}")


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()


@contextmanager
def signer_process(office: Office) -> Iterator[Path]:
    path = office.directory / "run" / "s"
    process = subprocess.Popen(
        [str(PROGRAM), "--home", str(office.home.directory), "signer", "serve", "--socket", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield path
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    create = ("--test", "--name", "Trial", "--keystore", "file", "--pin-file", tmp_path / "pki.pin")
    office.pki("authority", "create", *create)
    office.pki("signer", "create", "--id", "ds-1")
    office.pki("operator", "enrol", "an", "--operator-pin-file", tmp_path / "an.pin")
    return office


def certification_request(path: Path) -> Path:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(request.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    return path


def add_authenticator(page: Page, **changes: Any) -> str:
    page.call("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = page.call("WebAuthn.addVirtualAuthenticator", options=options | changes)
    return str(added["authenticatorId"])


def card() -> SigningRequest:
    return SigningRequest(
        reference=secrets.token_bytes(16),
        file_hashes={group: secrets.token_bytes(32) for group in (1, 2, 11, 12, 13, 14)},
        status_reference=StatusReference(list_id=bytes(8), index=5),
        signing_time=datetime.now(UTC).replace(microsecond=0),
    )


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def test_two_operators_authorise_one_with_a_key_one_in_the_browser_and_cards_are_signed(
    office: Office,
) -> None:
    with open_service_database(office.home) as service:
        upgrade_database(service)
        header = CertificateHeader.CLIENT_CERT
        proxy = AsOperator(
            bounded(create_app(api_services(service, signer_socket=None, header=header)))
        )
        with serving(proxy) as port, browser(office.directory) as page:
            origin = f"http://localhost:{port}"
            page.call(
                "Browser.setDownloadBehavior",
                behavior="allowAndName",
                downloadPath=str(office.downloads),
                eventsEnabled=True,
            )
            add_authenticator(page)
            office.pki("operator", "credential", "configure", "--origin", origin)
            _enrol(office, page, origin)
            signed = _sign(office, page, proxy, origin)
            problems = [
                each["params"] for each in page.events if each["method"] == "Log.entryAdded"
            ]
            assert [each for each in problems if each["entry"]["source"] == "security"] == []
    _present(office, signed)


def _enrol(office: Office, page: Page, origin: str) -> None:
    challenge = office.directory / "challenge.json"
    office.pki("operator", "credential", "challenge", "lan", "--out", challenge)
    page.open(f"{origin}/operator")
    page.choose_file("#challenge", challenge)
    page.until("!document.querySelector('#offer').hidden")
    assert page.evaluate("document.querySelector('#operator').textContent") == "lan"
    page.click("#do-register")
    page.until("!document.querySelector('#registered').hidden")
    registration = office.save(page, "#registered-file")
    request = certification_request(office.directory / "lan.csr")
    words = ("operator", "enrol", "lan", "--request", request, "--credential", registration)
    office.pki(*words)
    # The challenge is used up.
    status = main(
        [
            "--home",
            str(office.home.directory),
            "operator",
            "credential",
            "enrol",
            "lan",
            str(registration),
        ]
    )
    assert status == 1


def _sign(office: Office, page: Page, proxy: AsOperator, origin: str) -> Path:
    path = office.directory / "batch.json"
    words = ("--signer", "ds-1", "--cards", 1500, "--chips", 500, "--until", "3d", "--out", path)
    office.pki("authorisation", "create", *words)
    pin = ("--operator", "an", "--operator-pin-file", office.directory / "an.pin")
    office.pki("authorisation", "sign", path, *pin)
    before = BatchAuthorisation.from_bytes(path.read_bytes())
    proxy.certificate = office.certificate("lan")
    page.open(f"{origin}/operator")
    page.until("document.querySelector('#who').textContent.includes('lan')")
    page.choose_file("#authorisation", path)
    page.until("!document.querySelector('#terms').hidden")
    assert page.evaluate("document.querySelector('#cards').textContent") == "1.500"
    assert page.evaluate("document.querySelector('#chips').textContent") == "500"
    shown = page.evaluate("document.querySelector('#digest').textContent")
    assert shown == before.digest.hex()
    page.click("#en")
    assert page.evaluate("document.querySelector('#cards').textContent") == "1,500"
    _look(office, page, "before")
    page.click("#do-sign")
    page.until("!document.querySelector('#signed').hidden")
    saved = office.save(page, "#signed-file")
    after = BatchAuthorisation.from_bytes(saved.read_bytes())
    assert (after.digest, len(after.signatures)) == (before.digest, 2)
    assertion = after.signatures[1]
    assert isinstance(assertion, OperatorAssertion)
    assert json.loads(assertion.client_data)["origin"] == origin
    _look(office, page, "after")
    # Nobody signs twice.
    page.click("#do-sign")
    page.until("!document.querySelector('#sign-problem').hidden")
    return saved


def _look(office: Office, page: Page, name: str) -> None:
    """For people: what the page looks like, beside the test's other files; nothing is cut off on a narrow screen."""
    for width, height in ((900, 1250), (360, 900)):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        page.call("Emulation.setDeviceMetricsOverride", **metrics)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        content = page.call("Page.captureScreenshot", format="png")["data"]
        path = office.directory / f"page-{name}-{width}.png"
        path.write_bytes(base64.b64decode(content))


def _present(office: Office, signed: Path) -> None:
    authorisation = BatchAuthorisation.from_bytes(signed.read_bytes())
    with signer_process(office) as path:
        with SocketDocumentSigner(path, authorisation=signed.read_bytes(), timeout=30) as signer:
            assert signer.authorised.cards == 1500
            for content_info in signer.sign_many([card() for _ in range(3)]):
                SecurityObject.from_bytes(content_info).verify_signature()
        # The same file again is the same authorisation.
        with SocketDocumentSigner(path, authorisation=signed.read_bytes(), timeout=30) as signer:
            assert signer.authorised.signed == 3
        other = json.loads(signed.read_text())
        other["batch"] = "00" * 16
        content = json.dumps(other, sort_keys=True, indent=1).encode() + b"\n"
        assert (
            code_of(
                lambda: SocketDocumentSigner(path, authorisation=content, timeout=30).__enter__()
            )
            == "authorisation.signature-wrong"
        )
    record = read_state(office.home).authorisations
    batch = record.batches[authorisation.batch]
    assert batch.operators == ("an", "lan")
    (credential,) = record.credentials.of("lan")
    assert batch.assertions == {credential.credential_id: credential.counter}
    assert credential.counter > 0
