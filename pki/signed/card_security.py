"""The signed SecurityInfos of EF.CardSecurity: a ``ContentInfo`` with opaque content (SPEC.md, 5.8; RFC 5652).

Parsing proves nothing: call ``verify_signature``, and then see whose certificate it is.
"""

from dataclasses import dataclass, field
from typing import Self

from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import CertificateError, load_certificate
from pki.errors import PkiDataError
from pki.signed.decoding import SecurityObjectError
from pki.signed.signed_frame import MAX_SIGNED_BYTES, SignedFrame, read_frame

__all__ = ["CardSecurityObject", "CardSecurityObjectError"]

_ID_SECURITY_OBJECT = ObjectIdentifier("0.4.0.127.0.7.3.2.1")


class CardSecurityObjectError(PkiDataError):
    """Bytes that are not such an object, or one that does not verify."""

    default_code = "card-security.not-proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSecurityObject:
    """A parsed object; ``content`` is the DER SET OF SecurityInfo that it is about."""

    frame: SignedFrame = field(repr=False)

    @property
    def content(self) -> bytes:
        """The DER SET OF SecurityInfo; nothing of it is proven."""
        return self.frame.content

    @property
    def signer_certificate(self) -> bytes:
        """The DER certificate that the object carries."""
        return self.frame.certificate

    @classmethod
    def from_bytes(cls, content_info: bytes) -> Self:
        """Parse a DER ``ContentInfo`` that carries SecurityInfos.

        Raises:
            CardSecurityObjectError: anything else, or an algorithm that is not allowed.
        """
        if len(content_info) > MAX_SIGNED_BYTES:
            raise CardSecurityObjectError(
                f"the object has {len(content_info)} bytes, expected at most {MAX_SIGNED_BYTES}"
            )
        try:
            frame = read_frame(
                content_info, content_type=_ID_SECURITY_OBJECT, name="EF.CardSecurity"
            )
        except SecurityObjectError as error:
            raise CardSecurityObjectError(f"EF.CardSecurity cannot be read: {error}") from error
        return cls(frame=frame)

    def verify_signature(self) -> None:
        """Check message digest and signature with the certificate that the object carries.

        Raises:
            CardSecurityObjectError: they are not that certificate's.
        """
        frame = self.frame
        if frame.hash_algorithm.digest(frame.content) != frame.message_digest:
            raise CardSecurityObjectError("the message digest does not match the content")
        try:
            certificate = load_certificate(frame.certificate)
        except CertificateError as error:
            raise CardSecurityObjectError(f"the certificate cannot be used: {error}") from error
        if (certificate.issuer, certificate.serial_number) != (frame.issuer, frame.serial_number):
            raise CardSecurityObjectError("the certificate carried is not the signer's")
        if not frame.signature_algorithm.verifies(
            certificate.public_key, signature=frame.signature, message=frame.signed_attributes
        ):
            raise CardSecurityObjectError("the signature does not verify")
