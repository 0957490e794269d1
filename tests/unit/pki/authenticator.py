"""An authenticator in software, for tests: it says whatever a test wants it to say."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.keys.algorithms import HashAlgorithm
from pki.signed.authorisation import OperatorAssertion
from pki.signed.webauthn import encode_base64url

ORIGIN = "https://pki.example"
UP, UV, AT = 0x01, 0x04, 0x40


def coordinate(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass(kw_only=True)
class Authenticator:
    """An authenticator in software, with one key, that says whatever a test wants it to say."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    counter: int = 0

    def cose_key(self) -> bytes:
        public = self.key.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers = public.public_numbers()
            content = {1: 2, 3: -7, -1: 1, -2: coordinate(numbers.x), -3: coordinate(numbers.y)}
        elif isinstance(public, ed25519.Ed25519PublicKey):
            content = {1: 1, 3: -8, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)}
        else:
            numbers = public.public_numbers()
            length = (public.key_size + 7) // 8
            content = {1: 3, 3: -257, -1: numbers.n.to_bytes(length, "big"), -2: b"\1\0\1"}
        return bytes(cbor2.dumps(content))

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return bytes(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        if isinstance(self.key, rsa.RSAPrivateKey):
            return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
        return bytes(self.key.sign(message))

    def register(
        self,
        challenge: bytes,
        *,
        ceremony: str = "webauthn.create",
        origin: str = ORIGIN,
        rp_id: str = "pki.example",
        flags: int = UP | UV | AT,
        cose_key: bytes | None = None,
        format_name: str = "none",
        statement: Any = None,
        more: dict[str, Any] | None = None,
    ) -> bytes:
        """What the page saves."""
        head = HashAlgorithm.SHA256.digest(rp_id.encode()) + bytes([flags]) + bytes(4)
        length = len(self.credential_id).to_bytes(2, "big")
        attested = bytes(16) + length + self.credential_id + (cose_key or self.cose_key())
        attestation = {"fmt": format_name, "attStmt": statement or {}, "authData": head + attested}
        client_data = client_data_of(ceremony, challenge, origin, **(more or {}))
        content = {
            "id": encode_base64url(self.credential_id),
            "rawId": encode_base64url(self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode_base64url(client_data),
                "attestationObject": encode_base64url(bytes(cbor2.dumps(attestation))),
            },
        }
        return json.dumps(content).encode()

    def answer(
        self,
        challenge: bytes,
        certificate: bytes,
        *,
        ceremony: str = "webauthn.get",
        origin: str = ORIGIN,
        rp_id: str = "pki.example",
        flags: int = UP | UV,
        more: dict[str, Any] | None = None,
    ) -> OperatorAssertion:
        self.counter += 1
        client_data = client_data_of(ceremony, challenge, origin, **(more or {}))
        rp_id_hash = HashAlgorithm.SHA256.digest(rp_id.encode())
        data = rp_id_hash + bytes([flags]) + self.counter.to_bytes(4, "big")
        return OperatorAssertion(
            certificate=certificate,
            credential_id=self.credential_id,
            authenticator_data=data,
            client_data=client_data,
            signature=self.sign(data + HashAlgorithm.SHA256.digest(client_data)),
        )


def client_data_of(ceremony: str, challenge: bytes, origin: str, **more: Any) -> bytes:
    content = {
        "type": ceremony, "challenge": encode_base64url(challenge), "origin": origin,
        "crossOrigin": False,
    }  # fmt: skip
    return json.dumps(content | more, separators=(",", ":")).encode()
