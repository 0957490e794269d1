"""CMS SignedData around a list: one signer, its certificate, three signed attributes (RFC 5652, 5).

The content is opaque here. What is accepted re-encodes to the same bytes; parsing proves nothing about the signer.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import CertificateError, load_certificate
from pki.certificates.prepared import Redemption, sign_once
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.signer import Signer
from pki.signed.decoding import (
    SecurityObjectError,
    algorithm_identifier,
    decode,
    element,
    expect,
    expect_oid,
    only,
    read_hash_algorithm,
    read_signature_algorithm,
    whole,
)
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    ID_SIGNING_TIME,
    Attribute,
    ContentInfo,
    EncapsulatedContentInfo,
    IssuerAndSerialNumber,
    SignedData,
    SignerInfo,
)

__all__ = ["MAX_LIST_BYTES", "PreparedSignedList", "SignedList"]

MAX_LIST_BYTES = 1024 * 1024
"""The longest ContentInfo that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedList:
    """A parsed list; ``from_bytes`` has verified it by the certificate it carries, and nothing says whose that is."""

    content: bytes = field(repr=False)
    signing_time: datetime
    signer_certificate: bytes = field(repr=False)
    algorithm: SignatureAlgorithm
    signed_attributes: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, content_info: bytes, *, content_type: ObjectIdentifier) -> Self:
        """Take a DER ``ContentInfo`` apart and verify digest and signature by the certificate carried.

        Raises:
            PkiDataError: ``signed-list.malformed``, ``signed-list.signature-invalid``.
        """
        found = cls.read_unproven(content_info, content_type=content_type)
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
    def read_unproven(cls, content_info: bytes, *, content_type: ObjectIdentifier) -> Self:
        """Take a DER ``ContentInfo`` apart without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``signed-list.malformed``.
        """
        if len(content_info) > MAX_LIST_BYTES:
            raise _malformed(f"it has {len(content_info)} bytes, expected at most {MAX_LIST_BYTES}")
        try:
            return cls._parse(content_info, content_type)
        except (SecurityObjectError, CertificateError) as error:
            raise _malformed(str(error)) from error

    @classmethod
    def _parse(cls, content_info: bytes, content_type: ObjectIdentifier) -> Self:
        outer = decode(ContentInfo, content_info, "the list")
        expect_oid("content type", outer.content_type, ID_SIGNED_DATA)
        signed = outer.content
        expect("version of SignedData", signed.version, 3)
        expect_oid("encapsulated content type", signed.content_info.content_type, content_type)
        certificate_der = whole(only("certificates", signed.certificates.as_list()))
        signer = only("signers", signed.signers.as_list())
        expect("version of SignerInfo", signer.version, 1)
        algorithm = read_signature_algorithm(signer.signature_algorithm)
        for digest_identifier in (
            only("digest algorithms", signed.digest_algorithms.as_list()),
            signer.digest_algorithm,
        ):
            found = read_hash_algorithm("digest algorithm", digest_identifier)
            if found is not algorithm.hash_algorithm:
                raise SecurityObjectError(
                    f"digest algorithm is {found.name}, expected {algorithm.hash_algorithm.name}"
                )
        certificate = load_certificate(certificate_der)
        named = (whole(signer.signer.issuer), signer.signer.serial_number)
        if named != (certificate.issuer, certificate.serial_number):
            raise SecurityObjectError("the certificate carried is not the signer's")
        content = signed.content_info.content
        time = _check_attributes(
            signer.signed_attributes.as_list(),
            content_type=content_type,
            digest=algorithm.hash_algorithm.digest(content),
        )
        return cls(
            content=content,
            signing_time=time,
            signer_certificate=certificate_der,
            algorithm=algorithm,
            signed_attributes=asn1.encode_der(signer.signed_attributes),
            signature=signer.signature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSignedList:
    """A list that lacks nothing but the signature; see ``pki.certificates.prepared.Prepared``."""

    algorithm: SignatureAlgorithm
    content_type: ObjectIdentifier
    content: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    attributes: asn1.SetOf[Attribute] = field(repr=False)
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
        if load_certificate(certificate).public_key != public_key:
            raise PkiRefusedError(
                "the certificate is for another key than the signer's", code="signing.key-mismatch"
            )
        algorithm = SignatureAlgorithm.for_key(public_key)
        moment = signing_time.astimezone(UTC).replace(microsecond=0)
        # RFC 5652, 11.3: UTCTime through the year 2049, GeneralizedTime from 2050 on.
        time = asn1.UTCTime(moment) if moment.year < 2050 else asn1.GeneralizedTime(moment)
        attributes = [
            _attribute(ID_CONTENT_TYPE, content_type),
            _attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
            _attribute(ID_SIGNING_TIME, time),
        ]
        return cls(
            algorithm=algorithm,
            content_type=content_type,
            content=content,
            certificate=certificate,
            attributes=asn1.SetOf(attributes),
        )

    @property
    def to_be_signed(self) -> bytes:
        """The signed attributes under the tag SET OF (RFC 5652, 5.4)."""
        return asn1.encode_der(self.attributes)

    def draft(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._assemble(sign_once(self, signer))

    def sign(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._assemble(sign_once(self, signer, redemption=self.redemption))

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

    def _assemble(self, signature: bytes) -> bytes:
        certificate = load_certificate(self.certificate)
        digest_algorithm = algorithm_identifier(self.algorithm.hash_algorithm.oid)
        signer = SignerInfo(
            version=1,
            signer=IssuerAndSerialNumber(
                issuer=element(certificate.issuer), serial_number=certificate.serial_number
            ),
            digest_algorithm=digest_algorithm,
            signed_attributes=self.attributes,
            signature_algorithm=element(self.algorithm.identifier),
            signature=signature,
        )
        return asn1.encode_der(
            ContentInfo(
                content_type=ID_SIGNED_DATA,
                content=SignedData(
                    version=3,
                    digest_algorithms=asn1.SetOf([digest_algorithm]),
                    content_info=EncapsulatedContentInfo(
                        content_type=self.content_type, content=self.content
                    ),
                    certificates=asn1.SetOf([element(self.certificate)]),
                    signers=asn1.SetOf([signer]),
                ),
            )
        )


def _check_attributes(
    items: list[Attribute], *, content_type: ObjectIdentifier, digest: bytes
) -> datetime:
    """RFC 5652, 11: exactly content type, message digest and signing time, each once; the time."""
    kinds = [item.kind for item in items]
    if sorted(kinds, key=str) != sorted(
        (ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNING_TIME), key=str
    ):
        raise SecurityObjectError(
            "signed attributes are not content type, message digest and signing time"
        )
    values = {item.kind: only("values", item.values.as_list()) for item in items}
    found = decode(ObjectIdentifier, whole(values[ID_CONTENT_TYPE]), "content type")
    expect_oid("content type attribute", found, content_type)
    if decode(bytes, whole(values[ID_MESSAGE_DIGEST]), "message digest") != digest:
        raise SecurityObjectError("the message digest does not match the content")
    encoded = whole(values[ID_SIGNING_TIME])
    if encoded[:1] == b"\x17":
        return decode(asn1.UTCTime, encoded, "signing time").as_datetime()
    moment = decode(asn1.GeneralizedTime, encoded, "signing time").as_datetime()
    if moment.year < 2050 or moment.microsecond:
        raise SecurityObjectError("signing time before 2050 is not a UTCTime, or has a fraction")
    return moment


def _without_signature(signer: SignerInfo) -> SignerInfo:
    return SignerInfo(
        version=signer.version,
        signer=signer.signer,
        digest_algorithm=signer.digest_algorithm,
        signed_attributes=signer.signed_attributes,
        signature_algorithm=signer.signature_algorithm,
        signature=b"",
    )


def _attribute(kind: ObjectIdentifier, value: object) -> Attribute:
    return Attribute(kind=kind, values=asn1.SetOf([element(asn1.encode_der(value))]))


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"the signed list cannot be read: {reason}", code="signed-list.malformed")
