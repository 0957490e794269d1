"""Files between instances and stations: CMS SignedData, sealed to one receiver (RFC 5652, 5083; SPEC.md, 7.14).

Signed first, then sealed, and the signed part names the receiver: whoever opens a file cannot pass it on as one that
was meant for somebody else. Nothing here judges: whether the signer's certificate counts is for the caller to say
(``pki.certificates.exchange_certificates``).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ObjectIdentifier

from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.signer import Signer
from pki.signed.decoding import SecurityObjectError, decode, expect
from pki.signed.sealed_envelope import MAX_SEALED_BYTES, SealedMessageError, sealed_to, unsealed
from pki.signed.signed_list import PreparedSignedList, SignedList

__all__ = [
    "MAX_CONTENT_BYTES",
    "MessagePurpose",
    "OpenedMessage",
    "open_sealed",
    "sign_and_seal",
]

MAX_CONTENT_BYTES: Final = MAX_SEALED_BYTES - 65536
"""The longest content: certificate, attributes, signature and seal take less than the difference."""

_VERSION: Final = 1


class MessagePurpose(enum.Enum):
    """What a file is, by the content type that is signed; one kind is never taken for another."""

    INSTANCE_BUNDLE = "1.3.6.1.4.1.32473.51.6.1"
    JOB_BUNDLE = "1.3.6.1.4.1.32473.51.6.2"
    RESULT_BUNDLE = "1.3.6.1.4.1.32473.51.6.3"

    @property
    def oid(self) -> ObjectIdentifier:
        """The content type."""
        return ObjectIdentifier(self.value)


@asn1.sequence
class _SignedContent:
    version: int
    receiver: bytes
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMessage:
    """What came out of a file: its content, and by whose key it is signed; nobody has judged that certificate."""

    content: bytes = field(repr=False)
    signer_certificate: bytes = field(repr=False)
    signing_time: datetime


def sign_and_seal(
    content: bytes,
    *,
    purpose: MessagePurpose,
    signer: Signer,
    signer_certificate: bytes,
    receiver_certificate: bytes,
    signing_time: datetime,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """The file: ``content`` signed for one receiver, and sealed to the key of their certificate.

    The ephemeral key is the library's own random; ``random_bytes`` draws content key and nonce.

    Raises:
        PkiDataError: a certificate cannot be read.
        PkiRefusedError: ``sealed-message.too-large``, ``sealed-message.receiver-key``, ``signing.key-mismatch``.
        KeystoreError: the key failed.
    """
    if len(content) > MAX_CONTENT_BYTES:
        raise PkiRefusedError(
            f"the content has {len(content)} bytes, expected at most {MAX_CONTENT_BYTES}",
            code="sealed-message.too-large",
        )
    signed = PreparedSignedList.compose(
        content_type=purpose.oid,
        content=asn1.encode_der(
            _SignedContent(
                version=_VERSION,
                receiver=HashAlgorithm.SHA256.digest(receiver_certificate),
                content=content,
            )
        ),
        certificate=signer_certificate,
        public_key=signer.public_key,
        signing_time=signing_time,
    ).sign(signer)
    return sealed_to(receiver_certificate, signed, random_bytes=random_bytes)


def open_sealed(
    sealed: bytes,
    *,
    purpose: MessagePurpose,
    own_certificate: bytes,
    agree: Callable[[ec.EllipticCurvePublicKey], bytes],
) -> OpenedMessage:
    """Open a file that is sealed to us, and verify its signature by the certificate that it carries.

    Args:
        sealed: the file.
        purpose: what it must be.
        own_certificate: the certificate that others seal to.
        agree: ECDH with the private key of that certificate.

    Raises:
        SealedMessageError: ``sealed-message.malformed``, ``sealed-message.seal-broken``.
        PkiRefusedError: it is sealed to somebody else (``sealed-message.other-receiver``).
        PkiDataError: the signature does not hold (``signed-list.signature-invalid``).
        KeystoreError: the key failed.
    """
    signed = unsealed(sealed, own_certificate=own_certificate, agree=agree)
    found = SignedList.from_bytes(signed, content_type=purpose.oid, maximum_bytes=MAX_SEALED_BYTES)
    try:
        content = decode(_SignedContent, found.content, "what is signed")
        expect("version of what is signed", content.version, _VERSION)
    except SecurityObjectError as error:
        raise SealedMessageError(f"a sealed file cannot be read: {error}") from error
    if content.receiver != HashAlgorithm.SHA256.digest(own_certificate):
        raise PkiRefusedError(
            "the file was signed for another receiver than the one that it is sealed to",
            code="sealed-message.other-receiver",
        )
    return OpenedMessage(
        content=content.content,
        signer_certificate=found.signer_certificate,
        signing_time=found.signing_time,
    )
