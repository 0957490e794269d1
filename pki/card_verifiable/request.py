"""Certificate requests: a new key proves itself, and an earlier key of the holder vouches for it (TR-03110-3, C.2).

The inner signature is by the key that is to be certified. A request for a holder's first certificate has only
that, and a person must know whose it is. A request for a later one stands in an authentication (67) with the
reference of the earlier key and that key's signature over request and reference.
"""

from dataclasses import dataclass, field
from typing import Self

from card_layout import tlv
from card_layout.curves import EcPublicKey, NamedCurve
from pki.card_verifiable.authorisation import (
    CertificateExtension,
    read_extensions,
    write_extensions,
)
from pki.card_verifiable.certificate import PROFILE_IDENTIFIER, check_profile_identifier
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly, verify_plain_signature
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.structure import Tag, malformed, match_tags, read_template
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.signer import Signer

__all__ = ["AuthenticatedRequest", "CertificateRequest", "RequestBody", "read_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """What is asked for: a certificate for this key under this name; ``authority_reference`` by whom, if it says."""

    authority_reference: HolderReference | None
    public_key: CvPublicKey
    holder_reference: HolderReference
    extensions: tuple[CertificateExtension, ...] = ()

    def __post_init__(self) -> None:
        # TR-03110-3, C.2.3: whoever certifies must not have to guess the curve.
        if self.public_key.curve is None:
            raise malformed("request has no domain parameters")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a request's body (7F4E).

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        values = match_tags(
            Tag.CERTIFICATE_BODY,
            read_template(data, Tag.CERTIFICATE_BODY),
            Tag.PROFILE_IDENTIFIER,
            Tag.AUTHORITY_REFERENCE,
            Tag.PUBLIC_KEY,
            Tag.HOLDER_REFERENCE,
            Tag.EXTENSIONS,
            optional=(Tag.AUTHORITY_REFERENCE, Tag.EXTENSIONS),
        )
        check_profile_identifier(values)
        authority = values.get(Tag.AUTHORITY_REFERENCE)
        extensions = values.get(Tag.EXTENSIONS)
        return cls(
            authority_reference=None
            if authority is None
            else HolderReference.from_bytes(authority),
            public_key=CvPublicKey.from_value(values[Tag.PUBLIC_KEY]),
            holder_reference=HolderReference.from_bytes(values[Tag.HOLDER_REFERENCE]),
            extensions=() if extensions is None else read_extensions(extensions),
        )

    def to_bytes(self) -> bytes:
        """The request's body (7F4E), which is what the inner signature is over."""
        authority = self.authority_reference
        extensions = write_extensions(self.extensions)
        return tlv.encode(
            Tag.CERTIFICATE_BODY,
            tlv.encode(Tag.PROFILE_IDENTIFIER, PROFILE_IDENTIFIER)
            + (
                b""
                if authority is None
                else tlv.encode(Tag.AUTHORITY_REFERENCE, authority.to_bytes())
            )
            + tlv.encode(Tag.PUBLIC_KEY, self.public_key.to_value())
            + tlv.encode(Tag.HOLDER_REFERENCE, self.holder_reference.to_bytes())
            + (tlv.encode(Tag.EXTENSIONS, extensions) if extensions else b""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A request's body and the inner signature: the new key's own."""

    body: RequestBody
    signature: bytes = field(repr=False)

    @classmethod
    def make(
        cls,
        signer: Signer,
        *,
        holder_reference: HolderReference,
        authority_reference: HolderReference | None,
    ) -> Self:
        """Ask for a certificate for the signer's key.

        Raises:
            KeystoreError: the key or its token failed.
            PkiDataError: ``cv-certificate.curve-not-allowed``.
        """
        body = RequestBody(
            authority_reference=authority_reference,
            public_key=CvPublicKey.of(signer, explicit=True),
            holder_reference=holder_reference,
        )
        return cls(body=body, signature=sign_plainly(signer, body.to_bytes()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a request (7F21).

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        parts = read_template(data, Tag.CERTIFICATE)
        values = match_tags(Tag.CERTIFICATE, parts, Tag.CERTIFICATE_BODY, Tag.SIGNATURE)
        return cls(
            body=RequestBody.from_bytes(parts[0].to_bytes()), signature=values[Tag.SIGNATURE]
        )

    def to_bytes(self) -> bytes:
        """The request (7F21)."""
        return tlv.encode(
            Tag.CERTIFICATE, self.body.to_bytes() + tlv.encode(Tag.SIGNATURE, self.signature)
        )

    @property
    def curve(self) -> NamedCurve:
        """The curve of the key; a request always says it."""
        curve = self.body.public_key.curve
        if curve is None:
            raise malformed("request has no domain parameters")
        return curve

    def verify(self) -> EcPublicKey:
        """Whether the new key signed the request; give it back.

        Raises:
            PkiDataError: ``cv-certificate.signature-invalid``.
        """
        key = self.body.public_key.on(self.curve)
        verify_plain_signature(
            key,
            self.body.public_key.algorithm,
            signature=self.signature,
            message=self.body.to_bytes(),
            name=f"the request of {self.body.holder_reference.text}",
        )
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedRequest:
    """A request and an earlier key's word for it; ``authenticator_reference`` names that key."""

    request: CertificateRequest
    authenticator_reference: HolderReference
    signature: bytes = field(repr=False)

    @classmethod
    def make(
        cls, request: CertificateRequest, *, signer: Signer, reference: HolderReference
    ) -> Self:
        """Vouch for a request with an earlier key.

        Raises:
            KeystoreError: the key or its token failed.
        """
        return cls(
            request=request,
            authenticator_reference=reference,
            signature=sign_plainly(signer, _authenticated(request, reference)),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an authentication (67).

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        parts = read_template(data, Tag.AUTHENTICATION)
        values = match_tags(
            Tag.AUTHENTICATION, parts, Tag.CERTIFICATE, Tag.AUTHORITY_REFERENCE, Tag.SIGNATURE
        )
        return cls(
            request=CertificateRequest.from_bytes(parts[0].to_bytes()),
            authenticator_reference=HolderReference.from_bytes(values[Tag.AUTHORITY_REFERENCE]),
            signature=values[Tag.SIGNATURE],
        )

    def to_bytes(self) -> bytes:
        """The authentication (67)."""
        return tlv.encode(
            Tag.AUTHENTICATION,
            _authenticated(self.request, self.authenticator_reference)
            + tlv.encode(Tag.SIGNATURE, self.signature),
        )

    def verify(self, key: EcPublicKey, algorithm: SignatureAlgorithm) -> None:
        """Whether the earlier key signed request and reference.

        Raises:
            PkiDataError: ``cv-certificate.signature-invalid``.
        """
        verify_plain_signature(
            key,
            algorithm,
            signature=self.signature,
            message=_authenticated(self.request, self.authenticator_reference),
            name=f"{self.authenticator_reference.text} over the request",
        )


def read_request(data: bytes) -> CertificateRequest | AuthenticatedRequest:
    """Read a request, authenticated or not, by its first byte.

    Raises:
        PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
            ``cv-certificate.curve-not-allowed``.
    """
    if data[:1] == bytes((Tag.AUTHENTICATION,)):
        return AuthenticatedRequest.from_bytes(data)
    return CertificateRequest.from_bytes(data)


def _authenticated(request: CertificateRequest, reference: HolderReference) -> bytes:
    return request.to_bytes() + tlv.encode(Tag.AUTHORITY_REFERENCE, reference.to_bytes())
