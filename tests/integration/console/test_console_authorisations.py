"""Two deciders sign a decision's authorisation by security key, and the signer process believes them, and nothing less."""

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.cli import main
from pki.errors import PkiError
from pki.services.document_signer import SigningRequest
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.security_object import SecurityObject, StatusReference
from pki.signed.webauthn import decode_base64url, encode_base64url
from pki.signer_service.client import SocketDocumentSigner
from tests.integration.console.conftest import ORIGIN
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import (
    compiled,
    confirm,
    key,
    people,
    prepare,
    stepped_up,
    work,
)  # fmt: skip
from tests.integration.console.test_console_requests import send
from tests.unit.pki.authenticator import Authenticator

__all__ = ["people"]

PROGRAM = Path(sys.executable).with_name("membercard-pki")
RP = "console.example"


class Pki:
    """A home of the PKI with a document signer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "pki"
        create = (
            "--test",
            "--name",
            "Trial",
            "--keystore",
            "file",
            "--pin-file",
            directory / "pki.pin",
        )
        self.run("authority", "create", *create)
        self.run("signer", "create", "--id", "ds-1")

    def run(self, *words: object) -> None:
        assert main(["--home", str(self.home), *(str(word) for word in words)]) == 0

    def challenge(self, name: str, origin: str = ORIGIN) -> bytes:
        path = self.directory / f"{secrets.token_hex(4)}.json"
        self.run("operator", "credential", "challenge", name, "--origin", origin, "--out", path)
        return path.read_bytes()

    def enrol(self, name: str, registration: bytes) -> bytes:
        """The operator's certificate, with the credential enrolled beside it."""
        path, request = self.directory / f"{name}.json", self.directory / f"{name}.csr"
        path.write_bytes(registration)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        request.write_bytes(signed.public_bytes(Encoding.DER))
        self.run("operator", "enrol", name, "--request", request, "--credential", path)
        out = self.directory / f"{name}.cer"
        self.run("operator", "certificate", name, "--out", out)
        return out.read_bytes()

    @property
    def socket(self) -> Path:
        """Where the signer process serves, once it does."""
        return self.directory / "run" / "s"

    @contextmanager
    def signer(self) -> Iterator[Path]:
        path = self.socket
        words = ["--home", str(self.home), "signer", "serve", "--socket", str(path)]
        process = subprocess.Popen([str(PROGRAM), *words], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready")
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def register(client: Any, authenticator: Authenticator, challenge: bytes, operator: str) -> Any:
    """What the page of security keys does with the PKI's challenge."""
    asked = client.send(
        "POST", "/v1/session/operator-registration-options", content=challenge,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert asked.status_code == 200, asked.text
    assert asked.json()["user"]["name"] == operator
    value = decode_base64url(asked.json()["challenge"])
    response = authenticator.register(value, origin=ORIGIN, rp_id=RP)
    fields = {"response": response.decode(), "label": "khóa xanh", "operator": operator}
    return client.post("/security-keys", fields)


def show(client: Any, authenticator: Authenticator) -> Any:
    """Show the key, as any step-up does."""
    asked = client.send("POST", "/v1/session/assertion-options").json()
    return client.post("/second-factor", {"response": answer(authenticator, asked), "next": "/"})


def answer(authenticator: Authenticator, options: dict[str, Any]) -> str:
    assert options["userVerification"] == "required"
    challenge = decode_base64url(options["challenge"])
    said = authenticator.answer(challenge, b"none", origin=ORIGIN, rp_id=RP)
    response = {
        "clientDataJSON": encode_base64url(said.client_data),
        "authenticatorData": encode_base64url(said.authenticator_data),
        "signature": encode_base64url(said.signature),
    }
    number = encode_base64url(said.credential_id)
    document = {"id": number, "rawId": number, "type": "public-key", "response": response}
    return json.dumps(document)


def become_operator(pki: Pki, client: Any, name: str) -> Authenticator:
    authenticator = Authenticator()
    assert register(client, authenticator, pki.challenge(name), name).status_code == 303
    assert show(client, authenticator).status_code == 303
    path = f"/security-keys/registration/{authenticator.credential_id.hex()}"
    certificate = pki.enrol(name, client.get(path).content)
    files = {"certificate": ("lan.cer", certificate, "application/octet-stream")}
    kept = client.send("POST", "/security-keys/certificate", files=files)
    assert kept.status_code == 303, kept.text
    page = client.get("/security-keys")
    StrictPage(page.text)
    assert "with certificate" in page.text
    return authenticator


def sign(client: Any, authenticator: Authenticator, decision: str, digest: str) -> Any:
    path = f"/v1/decisions/{decision}/authorisation/{digest}/signing-options"
    options = client.send("POST", path)
    if options.status_code != 200:
        return options
    fields = {"digest": digest, "response": answer(authenticator, options.json())}
    return client.post(f"/decisions/{decision}/authorisation/sign", fields)


def decided(people: Any, count: int = 3) -> str:
    compiled(people, count)
    minh, son = stepped_up(people, "minh"), stepped_up(people, "son")
    decision: str = prepare(minh).json()["id"]
    work(people, send(minh, f"/v1/decisions/{decision}/requests-for-all", {}).json()["id"])
    work(people, confirm(son, decision, count).json()["id"])
    return decision


def write_down(client: Any, decision: str, **terms: Any) -> Any:
    body = {"signer": "ds-1", "hours": 8} | terms
    return send(client, f"/v1/decisions/{decision}/authorisations", body)


def card() -> SigningRequest:
    return SigningRequest(
        reference=secrets.token_bytes(16),
        file_hashes={group: secrets.token_bytes(32) for group in (1, 2, 11, 12, 13, 14)},
        status_reference=StatusReference(list_id=bytes(8), index=5),
        signing_time=datetime.now(UTC).replace(microsecond=0),
    )


def test_two_deciders_sign_in_the_console_and_the_signer_signs_cards(people: Any, pki: Pki) -> None:
    decision = decided(people)
    minh, son = people.client("minh"), people.client("son")
    keys = {
        name: become_operator(pki, client, name) for name, client in (("minh", minh), ("son", son))
    }
    made = write_down(minh, decision)
    assert made.status_code == 201, made.text
    digest = made.json()["digest"]
    assert (made.json()["cards"], made.json()["signatures"]) == (3, [])
    page = minh.get(f"/decisions/{decision}")
    StrictPage(page.text)
    assert "0 of 2" in page.text
    assert (
        sign(minh, keys["minh"], decision, digest).headers["location"]
        == f"/decisions/{decision}#authorisation"
    )
    # One is not enough, and the same person is no second one.
    file = minh.get(f"/v1/decisions/{decision}/authorisation/file").content
    with pki.signer() as socket:
        with pytest.raises(PkiError) as caught:
            SocketDocumentSigner(socket, authorisation=file, timeout=30).__enter__()
        assert caught.value.code == "authorisation.signatures-missing"
        again = sign(minh, keys["minh"], decision, digest)
        assert (again.status_code, again.json()["code"]) == (409, "authorisation.signed-already")
        assert sign(son, keys["son"], decision, digest).status_code == 303
        shown = son.get(f"/v1/decisions/{decision}/authorisation").json()
        assert [each["operator"] for each in shown["signatures"]] == ["minh", "son"]
        file = son.get(f"/decisions/{decision}/authorisation/file").content
        with SocketDocumentSigner(socket, authorisation=file, timeout=30) as signer:
            assert signer.authorised.cards == 3
            (content_info,) = signer.sign_many([card()])
            SecurityObject.from_bytes(content_info).verify_signature()
    page = son.get(f"/decisions/{decision}")
    StrictPage(page.text)
    assert "2 of 2" in page.text
    late = write_down(stepped_up(people, "minh"), decision)
    assert (late.status_code, late.json()["code"]) == (409, "authorisation.still-valid")


def test_a_signature_opens_the_session_anew_and_is_for_what_was_shown_alone(
    people: Any, pki: Pki
) -> None:
    decision = decided(people, 1)
    minh = people.client("minh")
    authenticator = become_operator(pki, minh, "minh")
    first = write_down(minh, decision).json()["digest"]
    options = minh.send(
        "POST", f"/v1/decisions/{decision}/authorisation/{first}/signing-options"
    ).json()
    response = answer(authenticator, options)
    second = write_down(minh, decision, hours=9).json()["digest"]
    # Another authorisation was written down meanwhile.
    fields = {"digest": first, "response": response}
    stale = minh.post(f"/decisions/{decision}/authorisation/sign", fields)
    assert stale.status_code == 409
    assert "authorisation.other-terms" in stale.text
    StrictPage(stale.text)
    # The key was shown: the session goes on under its new token.
    assert minh.get(f"/decisions/{decision}").status_code == 200
    assert minh.get(f"/v1/decisions/{decision}/authorisation").json()["signatures"] == []
    # What was signed for one digest steps up nowhere, and signs nothing else.
    asked = minh.send(
        "POST", f"/v1/decisions/{decision}/authorisation/{second}/signing-options"
    ).json()
    refused = minh.post("/second-factor", {"response": answer(authenticator, asked), "next": "/"})
    assert refused.status_code == 409
    assert "webauthn.challenge-missing" in refused.text


def test_a_key_that_the_pki_does_not_know_signs_nothing(people: Any, pki: Pki) -> None:
    decision = decided(people, 1)
    minh = stepped_up(people, "minh")
    digest = write_down(minh, decision).json()["digest"]
    none = sign(minh, Authenticator(), decision, digest)
    assert (none.status_code, none.json()["code"]) == (409, "second-factor.no-operator-key")
    clerk = sign(people.client("lan"), Authenticator(), decision, digest)
    assert (clerk.status_code, clerk.json()["code"]) == (403, "right.missing")
    # A certificate comes with a key that was registered for its operator, or not at all.
    authenticator = become_operator(pki, people.client("minh"), "minh")
    assert authenticator.counter > 0
    certificate = (pki.directory / "minh.cer").read_bytes()
    son = people.client("son")
    other = Authenticator()
    register(son, other, pki.challenge("son"), "son")
    show(son, other)
    for content, code in (
        (certificate, "second-factor.no-such-operator"),
        (b"0", "operator.certificate-invalid"),
    ):
        files = {"certificate": ("x.cer", content, "application/octet-stream")}
        answered = son.send("POST", "/security-keys/certificate", files=files)
        assert code in answered.text


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": 1}', b"\xff"])
def test_a_file_that_is_no_challenge_asks_no_key(people: Any, content: bytes) -> None:
    answered = people.client("minh").send(
        "POST", "/v1/session/operator-registration-options", content=content,
        headers={"content-type": "application/octet-stream"},
    )  # fmt: skip
    assert (answered.status_code, answered.json()["code"]) == (422, "webauthn.challenge-malformed")


def test_a_challenge_for_another_page_asks_no_key(people: Any, pki: Pki) -> None:
    answered = people.client("minh").send(
        "POST", "/v1/session/operator-registration-options",
        content=pki.challenge("minh", origin="https://elsewhere.example"),
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert (answered.status_code, answered.json()["code"]) == (409, "webauthn.origin-differs")


def test_a_signed_file_is_brought_back_and_nothing_that_was_not_written_down(people: Any) -> None:
    decision = decided(people, 1)
    minh = stepped_up(people, "minh")
    write_down(minh, decision)
    path = f"/v1/decisions/{decision}/authorisation"
    file = minh.get(f"{path}/file").content
    sent = {"headers": key() | {"content-type": "application/json"}}
    assert minh.send("POST", f"{path}/signatures", content=file, **sent).status_code == 200
    terms = BatchAuthorisation.from_bytes(file)
    other = file.replace(terms.batch.hex().encode(), bytes(16).hex().encode())
    sent = {"headers": key() | {"content-type": "application/json"}}
    refused = minh.send("POST", f"{path}/signatures", content=other, **sent)
    assert (refused.status_code, refused.json()["code"]) == (409, "authorisation.other-terms")
    sent = {"headers": key() | {"content-type": "application/json"}}
    refused = minh.send("POST", f"{path}/signatures", content=b"{}", **sent)
    assert (refused.status_code, refused.json()["code"]) == (422, "authorisation.malformed")
