"""A batch authorisation: how many cards a document signer may sign, until when, by the word of two operators.

It may also allow the keys of so many chips to be sealed to personalisation stations (``chips``).

A file of JSON in exactly one encoding, so that people can read what they sign and nothing can stand in it twice.
What is signed is a line that says what it is, and then the terms; its digest names the authorisation everywhere.
Nothing here judges: whose signatures they are is a question for ``pki.services.authorising``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import ClassVar, Final, Self

from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.signer import Signer
from pki.signed.webauthn import (
    MAX_AUTHENTICATOR_DATA_BYTES,
    MAX_CLIENT_DATA_BYTES,
    MAX_CREDENTIAL_ID_BYTES,
    MAX_WEBAUTHN_SIGNATURE_BYTES,
)

__all__ = [
    "BATCH_BYTES",
    "MAX_AUTHORISATION_BYTES",
    "MAX_CARDS",
    "AuthorisationError",
    "BatchAuthorisation",
    "OperatorAssertion",
    "OperatorSignature",
    "SignatureKind",
]

BATCH_BYTES: Final = 16
MAX_CARDS: Final = 100_000
"""What one document signer may sign at most."""

MAX_AUTHORISATION_BYTES: Final = 32768
"""The longest file that is looked at; one with two signatures has 3 kB."""

_MAX_SIGNATURES: Final = 8
_MAX_CERTIFICATE_BYTES: Final = 2048
_MAX_SIGNATURE_BYTES: Final = 160
_FORMAT: Final = 1
_SEPARATION: Final = b"membercard batch authorisation 1\n"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_SIGNER_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_TERMS: Final = frozenset({"format", "batch", "signer", "cards", "until"})


class AuthorisationError(PkiDataError):
    """Bytes that are not a batch authorisation."""

    default_code = "authorisation.malformed"


class SignatureKind(Enum):
    """How an operator signs an authorisation; the values stand in files."""

    OPERATOR_CERTIFICATE = "operator-certificate"
    """ECDSA with the key of an operator certificate."""

    WEBAUTHN = "webauthn"
    """An assertion (W3C Web Authentication, 7.2) whose challenge is the digest, by a credential of the operator's."""


_SIGNED: Final = frozenset({"kind", "certificate", "signature"})
_MEMBERS: Final[Mapping[SignatureKind, frozenset[str]]] = {
    SignatureKind.OPERATOR_CERTIFICATE: _SIGNED,
    SignatureKind.WEBAUTHN: _SIGNED | {"credential", "authenticator_data", "client_data"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSignature:
    """One operator's signature (DER) over the terms, with the certificate (DER) that names the operator."""

    kind: ClassVar[SignatureKind] = SignatureKind.OPERATOR_CERTIFICATE

    certificate: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_certificate(self.certificate)
        _check_length("a signature", self.signature, _MAX_SIGNATURE_BYTES)

    def to_document(self) -> dict[str, str]:
        """What stands in the file."""
        return {
            "kind": self.kind.value,
            "certificate": self.certificate.hex(),
            "signature": self.signature.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAssertion:
    """One operator's WebAuthn assertion over the digest, with the certificate (DER) that names the operator.

    ``authenticator_data``, ``client_data`` (clientDataJSON) and ``signature`` are as the browser gave them.
    """

    kind: ClassVar[SignatureKind] = SignatureKind.WEBAUTHN

    certificate: bytes = field(repr=False)
    credential_id: bytes
    authenticator_data: bytes = field(repr=False)
    client_data: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_certificate(self.certificate)
        _check_length("a credential's id", self.credential_id, MAX_CREDENTIAL_ID_BYTES)
        _check_length("authenticator data", self.authenticator_data, MAX_AUTHENTICATOR_DATA_BYTES)
        _check_length("client data", self.client_data, MAX_CLIENT_DATA_BYTES)
        _check_length("a signature", self.signature, MAX_WEBAUTHN_SIGNATURE_BYTES)

    def to_document(self) -> dict[str, str]:
        """What stands in the file."""
        return {
            "kind": self.kind.value,
            "certificate": self.certificate.hex(),
            "credential": self.credential_id.hex(),
            "authenticator_data": self.authenticator_data.hex(),
            "client_data": self.client_data.hex(),
            "signature": self.signature.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAuthorisation:
    """The terms and the signatures so far; ``batch`` has 16 opaque bytes, ``until`` is aware, in whole seconds."""

    batch: bytes
    signer_id: str
    cards: int
    until: datetime
    chips: int = 0
    signatures: tuple[OperatorSignature | OperatorAssertion, ...] = ()

    def __post_init__(self) -> None:
        if len(self.batch) != BATCH_BYTES:
            raise AuthorisationError(f"batch has {len(self.batch)} bytes, expected {BATCH_BYTES}")
        if not _SIGNER_ID.fullmatch(self.signer_id):
            raise AuthorisationError(f"signer is {self.signer_id[:80]!r}, expected its identifier")
        if not 1 <= self.cards <= MAX_CARDS:
            raise AuthorisationError(f"cards are {self.cards:x}, expected 1 to {MAX_CARDS:x}")
        if not 0 <= self.chips <= MAX_CARDS:
            raise AuthorisationError(f"chips are {self.chips:x}, expected 0 to {MAX_CARDS:x}")
        if self.until.tzinfo is not UTC or self.until.microsecond:
            raise AuthorisationError("until is no time in UTC of whole seconds")
        if len(self.signatures) > _MAX_SIGNATURES:
            raise AuthorisationError(
                f"got {len(self.signatures)} signatures, expected at most {_MAX_SIGNATURES}"
            )

    @property
    def to_be_signed(self) -> bytes:
        """What an operator signs."""
        return (
            _SEPARATION
            + json.dumps(
                self._terms(), sort_keys=True, separators=(",", ":"), ensure_ascii=True
            ).encode()
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of what is signed, 32 bytes: it names the terms, whoever signed them."""
        return HashAlgorithm.SHA256.digest(self.to_be_signed)

    def signed_with(self, signer: Signer, *, certificate: bytes) -> Self:
        """The same with one more signature, by the key of an operator's certificate.

        Raises:
            KeystoreError: the key failed.
            AuthorisationError: it has all the signatures that it can hold.
        """
        signature = OperatorSignature(
            certificate=certificate, signature=signer.sign(self.to_be_signed)
        )
        return replace(self, signatures=(*self.signatures, signature))

    def to_bytes(self) -> bytes:
        """The file."""
        content = self._terms() | {"signatures": [each.to_document() for each in self.signatures]}
        return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a file in the one encoding that ``to_bytes`` writes.

        Raises:
            AuthorisationError: ``authorisation.malformed``.
        """
        if len(content) > MAX_AUTHORISATION_BYTES:
            raise AuthorisationError(
                f"authorisation has {len(content)} bytes, expected at most {MAX_AUTHORISATION_BYTES}"
            )
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise AuthorisationError("authorisation is not JSON") from error
        if not isinstance(found, dict) or set(found) - {"chips"} != _TERMS | {"signatures"}:
            raise AuthorisationError("authorisation has not the members of one")
        signatures, cards, chips = found["signatures"], found["cards"], found.get("chips", 0)
        if (
            found["format"] != _FORMAT
            or type(cards) is not int
            or type(chips) is not int
            or not isinstance(signatures, list)
        ):
            raise AuthorisationError(f"authorisation is not of format {_FORMAT}")
        value = cls(
            batch=_octets(found, "batch"),
            signer_id=_text(found, "signer"),
            cards=cards,
            until=_moment(_text(found, "until")),
            chips=chips,
            signatures=tuple(_signature(each) for each in signatures),
        )
        if value.to_bytes() != content:
            raise AuthorisationError("authorisation is not in the one encoding")
        return value

    def _terms(self) -> dict[str, object]:
        terms: dict[str, object] = {
            "format": _FORMAT,
            "batch": self.batch.hex(),
            "signer": self.signer_id,
            "cards": self.cards,
            "until": self.until.strftime(_TIME_FORMAT),
        }
        # An authorisation without chips is written as it was before there were any.
        return terms | ({"chips": self.chips} if self.chips else {})


def _signature(found: object) -> OperatorSignature | OperatorAssertion:
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        raise AuthorisationError("a signature has not the members of one")
    try:
        kind = SignatureKind(found["kind"])
    except ValueError as error:
        raise AuthorisationError("a signature is of a kind that is not known") from error
    if set(found) != _MEMBERS[kind]:
        raise AuthorisationError("a signature has not the members of one")
    certificate, signature = _octets(found, "certificate"), _octets(found, "signature")
    if kind is SignatureKind.OPERATOR_CERTIFICATE:
        return OperatorSignature(certificate=certificate, signature=signature)
    return OperatorAssertion(
        certificate=certificate,
        credential_id=_octets(found, "credential"),
        authenticator_data=_octets(found, "authenticator_data"),
        client_data=_octets(found, "client_data"),
        signature=signature,
    )


def _check_certificate(certificate: bytes) -> None:
    _check_length("an operator's certificate", certificate, _MAX_CERTIFICATE_BYTES)


def _check_length(name: str, content: bytes, most: int) -> None:
    if not 1 <= len(content) <= most:
        raise AuthorisationError(f"{name} has {len(content)} bytes, expected 1 to {most}")


def _text(found: Mapping[str, object], name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise AuthorisationError(f"{name} is no text")
    return value


def _octets(found: Mapping[str, object], name: str) -> bytes:
    try:
        return bytes.fromhex(_text(found, name))
    except ValueError as error:
        raise AuthorisationError(f"{name} is not hexadecimal") from error


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise AuthorisationError(
            f"until is {text[:40]!r}, expected a time as 2026-11-21T12:00:00Z"
        ) from error
