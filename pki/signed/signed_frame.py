"""The frame of every CMS SignedData on a card or about cards: one signer, its certificate, signed attributes.

RFC 5652, 5; SPEC.md, 7. What is framed (hashes of files, SecurityInfos, a list) is its own module's business.
The structures are declared once and serve both directions: what is parsed is encoded again and compared,
so there is exactly one encoding of everything that is accepted. Parsing proves nothing about the signer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.other_algorithms import Digest, VerifyingAlgorithm
from pki.signed.decoding import (
    SecurityObjectError,
    algorithm_identifier,
    decode,
    element,
    expect,
    expect_oid,
    only,
    read_any_hash_algorithm,
    read_any_signature_algorithm,
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

__all__ = [
    "MAX_SIGNED_BYTES",
    "SignedFrame",
    "UnsignedFrame",
    "attribute",
    "encode_time",
    "read_attributes",
    "read_frame",
    "read_signing_time",
    "required_attribute",
]

MAX_SIGNED_BYTES = 65536
"""The longest ContentInfo on a card that is looked at; a file of the card is never longer (SPEC.md, 4.8)."""

MAX_ATTRIBUTES = 16
"""The most signed attributes that are looked at; four are ours."""

_Decoded = TypeVar("_Decoded")


class SignedFrame(NamedTuple):
    """What one well-formed SignedData says around its content; nothing of it is proven."""

    content: bytes
    hash_algorithm: Digest
    signature_algorithm: VerifyingAlgorithm
    certificate: bytes
    issuer: bytes
    serial_number: int
    attributes: Mapping[ObjectIdentifier, asn1.TLV]
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes

    def signing_time(self) -> datetime | None:
        """The attribute ``signingTime``, or None where it is absent.

        Raises:
            SecurityObjectError: it is not in the form of RFC 5652, 11.3.
        """
        return read_signing_time(self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedFrame:
    """A SignedData that lacks nothing but the signature over ``to_be_signed``."""

    algorithm: SignatureAlgorithm
    content_type: ObjectIdentifier
    content: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    serial_number: int
    attributes: asn1.SetOf[Attribute] = field(repr=False)

    @property
    def to_be_signed(self) -> bytes:
        """The DER of the signed attributes under the tag SET OF, which is what is signed (RFC 5652, 5.4)."""
        return asn1.encode_der(self.attributes)

    def finish(self, signature: bytes) -> bytes:
        """The DER ``ContentInfo`` with this signature in it."""
        digest_algorithm = algorithm_identifier(self.algorithm.hash_algorithm.oid)
        signer = SignerInfo(
            version=1,
            signer=IssuerAndSerialNumber(
                issuer=element(self.issuer), serial_number=self.serial_number
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


def read_frame(
    content_info: bytes,
    *,
    content_type: ObjectIdentifier,
    name: str,
    allow_others: bool = False,
) -> SignedFrame:
    """Take a DER ``ContentInfo`` apart and check every *shall* of its frame that needs no key.

    Args:
        content_info: as long as the caller allows.
        content_type: what must be framed.
        name: how errors call the object.
        allow_others: take the further algorithms of Doc 9303 as well (SPEC.md, 7.6).

    Raises:
        SecurityObjectError: with the codes of SPEC.md, 9.3.
    """
    outer = decode(ContentInfo, content_info, name)
    expect_oid("content type", outer.content_type, ID_SIGNED_DATA)
    signed = outer.content
    expect("version of SignedData", signed.version, 3)
    expect_oid("encapsulated content type", signed.content_info.content_type, content_type)
    digest_identifier = only("digest algorithms", signed.digest_algorithms.as_list())
    certificate = only("certificates", signed.certificates.as_list())
    signer = only("signers", signed.signers.as_list())
    expect("version of SignerInfo", signer.version, 1)

    # The algorithms come before everything that depends on them, so that a well-made object of another
    # family is refused for what it is.
    signature_algorithm = _signature_algorithm(signer, allow_others=allow_others)
    hash_algorithm = signature_algorithm.hash_algorithm
    read = read_any_hash_algorithm if allow_others else read_hash_algorithm
    for place, identifier in (
        ("digest algorithm of the signer", signer.digest_algorithm),
        ("digest algorithm of SignedData", digest_identifier),
    ):
        found = read(place, identifier)
        if found is not hash_algorithm:
            raise SecurityObjectError(
                f"{place} is {found.name}, expected {hash_algorithm.name} as in the signature algorithm"
            )

    attributes = read_attributes(signer.signed_attributes.as_list())
    named = required_attribute(attributes, ID_CONTENT_TYPE, ObjectIdentifier, "content type")
    expect_oid("content type attribute", named, content_type)
    if signer.signer.serial_number <= 0:
        raise SecurityObjectError("serial number of the signer is not positive")
    return SignedFrame(
        content=signed.content_info.content,
        hash_algorithm=hash_algorithm,
        signature_algorithm=signature_algorithm,
        certificate=whole(certificate),
        issuer=whole(signer.signer.issuer),
        serial_number=signer.signer.serial_number,
        attributes=attributes,
        message_digest=required_attribute(attributes, ID_MESSAGE_DIGEST, bytes, "message digest"),
        signed_attributes=asn1.encode_der(signer.signed_attributes),
        signature=signer.signature,
    )


def attribute(kind: ObjectIdentifier, value: object) -> Attribute:
    """One attribute with one value, which is encoded here."""
    return Attribute(kind=kind, values=asn1.SetOf([element(asn1.encode_der(value))]))


def encode_time(moment: datetime) -> asn1.UTCTime | asn1.GeneralizedTime:
    """Whole seconds: UTCTime through the year 2049, GeneralizedTime from 2050 on (RFC 5652, 11.3)."""
    seconds = moment.astimezone(UTC).replace(microsecond=0)
    return asn1.UTCTime(seconds) if seconds.year < 2050 else asn1.GeneralizedTime(seconds)


def read_signing_time(attributes: Mapping[ObjectIdentifier, asn1.TLV]) -> datetime | None:
    """The attribute ``signingTime`` among these, or None where it is absent.

    Raises:
        SecurityObjectError: it is not in the form of RFC 5652, 11.3.
    """
    found = attributes.get(ID_SIGNING_TIME)
    if found is None:
        return None
    encoded = whole(found)
    if found.tag_bytes == b"\x17":
        return decode(asn1.UTCTime, encoded, "signing time").as_datetime()
    moment = decode(asn1.GeneralizedTime, encoded, "signing time").as_datetime()
    if moment.year < 2050 or moment.microsecond:
        raise SecurityObjectError("signing time before 2050 is not a UTCTime, or has a fraction")
    return moment


def _signature_algorithm(signer: SignerInfo, *, allow_others: bool) -> VerifyingAlgorithm:
    """The algorithm of the signature; one that names its key alone is completed by the digest algorithm."""
    if not allow_others:
        return read_signature_algorithm(signer.signature_algorithm)
    digest = read_any_hash_algorithm("digest algorithm of the signer", signer.digest_algorithm)
    return read_any_signature_algorithm(signer.signature_algorithm, digest)


def read_attributes(items: list[Attribute]) -> dict[ObjectIdentifier, asn1.TLV]:
    """Signed attributes by their kinds: each stands once and has one value (RFC 5652, 11).

    Raises:
        SecurityObjectError: one does not, or there are more than ``MAX_ATTRIBUTES``.
    """
    if len(items) > MAX_ATTRIBUTES:
        raise SecurityObjectError(
            f"got {len(items)} signed attributes, expected at most {MAX_ATTRIBUTES}"
        )
    attributes: dict[ObjectIdentifier, asn1.TLV] = {}
    for item in items:
        if item.kind in attributes:
            raise SecurityObjectError(f"signed attribute {item.kind.dotted_string} stands twice")
        name = f"values of signed attribute {item.kind.dotted_string}"
        attributes[item.kind] = only(name, item.values.as_list())
    return attributes


def required_attribute(
    attributes: Mapping[ObjectIdentifier, asn1.TLV],
    oid: ObjectIdentifier,
    kind: type[_Decoded],
    name: str,
) -> _Decoded:
    """The value of an attribute that must be there.

    Raises:
        SecurityObjectError: it is missing, or of another type.
    """
    found = attributes.get(oid)
    if found is None:
        raise SecurityObjectError(f"signed attribute {name} is missing")
    return decode(kind, whole(found), name)
