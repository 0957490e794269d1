"""CMS SignedData around a list: one signer, its certificate, three signed attributes (RFC 5652, 5).

The content is opaque here. What is accepted re-encodes to the same bytes; parsing proves nothing about the signer.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import CertificateError, load_certificate
from pki.certificates.prepared import Redemption, sign_once
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.other_algorithms import VerifyingAlgorithm
from pki.keys.signer import Signer
from pki.signed.decoding import SecurityObjectError
from pki.signed.signed_frame import UnsignedFrame, attribute, encode_time, read_frame
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_TIME,
    ContentInfo,
    SignedData,
    SignerInfo,
)

__all__ = ["MAX_LIST_BYTES", "PreparedSignedList", "SignedList"]

MAX_LIST_BYTES = 1024 * 1024
"""The longest ContentInfo that is looked at, where nobody says otherwise."""

_ATTRIBUTE_COUNT = 3
"""Content type, message digest and signing time: a list says nothing else beside its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedList:
    """A parsed list; ``from_bytes`` has verified it by the certificate it carries, and nothing says whose that is."""

    content: bytes = field(repr=False)
    signing_time: datetime
    signer_certificate: bytes = field(repr=False)
    algorithm: VerifyingAlgorithm
    signed_attributes: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(
        cls,
        content_info: bytes,
        *,
        content_type: ObjectIdentifier,
        maximum_bytes: int = MAX_LIST_BYTES,
    ) -> Self:
        """Take a DER ``ContentInfo`` apart and verify digest and signature by the certificate carried.

        Raises:
            PkiDataError: ``signed-list.malformed``, ``signed-list.signature-invalid``.
        """
        found = cls.read_unproven(
            content_info, content_type=content_type, maximum_bytes=maximum_bytes
        )
        certificate = load_certificate(found.signer_certificate)
        if not found.algorithm.verifies(
            certificate.public_key, signature=found.signature, message=found.signed_attributes
        ):
            raise PkiDataError(
                "the signature of the signed list does not verify",
                code="signed-list.signature-invalid",
            )
        return found

    @classmethod
    def read_unproven(
        cls,
        content_info: bytes,
        *,
        content_type: ObjectIdentifier,
        maximum_bytes: int = MAX_LIST_BYTES,
    ) -> Self:
        """Take a DER ``ContentInfo`` apart without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``signed-list.malformed``.
        """
        if len(content_info) > maximum_bytes:
            raise _malformed(f"it has {len(content_info)} bytes, expected at most {maximum_bytes}")
        try:
            return cls._parse(content_info, content_type)
        except (SecurityObjectError, CertificateError) as error:
            raise _malformed(str(error)) from error

    @classmethod
    def _parse(cls, content_info: bytes, content_type: ObjectIdentifier) -> Self:
        frame = read_frame(content_info, content_type=content_type, name="the list")
        certificate = load_certificate(frame.certificate)
        if (frame.issuer, frame.serial_number) != (certificate.issuer, certificate.serial_number):
            raise SecurityObjectError("the certificate carried is not the signer's")
        if frame.message_digest != frame.hash_algorithm.digest(frame.content):
            raise SecurityObjectError("the message digest does not match the content")
        time = frame.signing_time()
        if time is None or len(frame.attributes) != _ATTRIBUTE_COUNT:
            raise SecurityObjectError(
                "signed attributes are not content type, message digest and signing time"
            )
        return cls(
            content=frame.content,
            signing_time=time,
            signer_certificate=frame.certificate,
            algorithm=frame.signature_algorithm,
            signed_attributes=frame.signed_attributes,
            signature=frame.signature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSignedList:
    """A list that lacks nothing but the signature; see ``pki.certificates.prepared.Prepared``."""

    unsigned: UnsignedFrame
    redemption: Redemption = field(
        init=False, repr=False, compare=False, default_factory=Redemption
    )

    @classmethod
    def compose(
        cls,
        *,
        content_type: ObjectIdentifier,
        content: bytes,
        certificate: bytes,
        public_key: PublicKey,
        signing_time: datetime,
    ) -> Self:
        """Put content and signed attributes together.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``.
        """
        issuer = load_certificate(certificate)
        if issuer.public_key != public_key:
            raise PkiRefusedError(
                "the certificate is for another key than the signer's", code="signing.key-mismatch"
            )
        algorithm = SignatureAlgorithm.for_key(public_key)
        attributes = [
            attribute(ID_CONTENT_TYPE, content_type),
            attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
            attribute(ID_SIGNING_TIME, encode_time(signing_time)),
        ]
        return cls(
            unsigned=UnsignedFrame(
                algorithm=algorithm,
                content_type=content_type,
                content=content,
                certificate=certificate,
                issuer=issuer.issuer,
                serial_number=issuer.serial_number,
                attributes=asn1.SetOf(attributes),
            )
        )

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What the signature will be made with."""
        return self.unsigned.algorithm

    @property
    def to_be_signed(self) -> bytes:
        """The signed attributes under the tag SET OF (RFC 5652, 5.4)."""
        return self.unsigned.to_be_signed

    def draft(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self.unsigned.finish(sign_once(self, signer))

    def sign(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self.unsigned.finish(sign_once(self, signer, redemption=self.redemption))

    def frame(self, finished: bytes) -> bytes:
        """See ``Prepared``."""
        found = asn1.decode_der(ContentInfo, finished)
        signers = found.content.signers.as_list()
        return asn1.encode_der(
            ContentInfo(
                content_type=found.content_type,
                content=SignedData(
                    version=found.content.version,
                    digest_algorithms=found.content.digest_algorithms,
                    content_info=found.content.content_info,
                    certificates=found.content.certificates,
                    signers=asn1.SetOf([_without_signature(signer) for signer in signers]),
                ),
            )
        )


def _without_signature(signer: SignerInfo) -> SignerInfo:
    return SignerInfo(
        version=signer.version,
        signer=signer.signer,
        digest_algorithm=signer.digest_algorithm,
        signed_attributes=signer.signed_attributes,
        signature_algorithm=signer.signature_algorithm,
        signature=b"",
    )


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"the signed list cannot be read: {reason}", code="signed-list.malformed")
