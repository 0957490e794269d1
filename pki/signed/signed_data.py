"""CMS SignedData as a security object uses it, and no other way (RFC 5652; SPEC.md, 7; Doc 9303-10, 4.6.2).

The structures are declared once and serve both directions: what is parsed is encoded again and compared,
so there is exactly one encoding of everything that is accepted.
"""

from collections.abc import Callable, Mapping
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
from pki.signed.lds_content import LdsVersion, encode_content, parse_content
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_LDS_SECURITY_OBJECT,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    ID_SIGNING_TIME,
    ID_STATUS_REFERENCE,
    Attribute,
    ContentInfo,
    EncapsulatedContentInfo,
    EncodedStatusReference,
    IssuerAndSerialNumber,
    SignedData,
    SignerInfo,
)

__all__ = [
    "MAX_SIGNED_BYTES",
    "ParsedSignedData",
    "ParsedStatusReference",
    "PreparedSignedData",
    "SecurityObjectError",
    "parse",
    "prepare",
]

MAX_SIGNED_BYTES = 65536
"""The longest ContentInfo that is looked at; a file of the card is never longer (SPEC.md, 4.8)."""

MAX_ATTRIBUTES = 16
"""The most signed attributes that are looked at; four are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatusReference:
    """The status reference as it stands in the attribute, its sizes checked."""

    list_id: bytes
    index: int


class ParsedSignedData(NamedTuple):
    """What one well-formed security object says; nothing of it is proven."""

    hash_algorithm: Digest
    signature_algorithm: VerifyingAlgorithm
    lds_version: LdsVersion
    file_hash_algorithm: Digest
    file_hashes: dict[int, bytes]
    signing_time: datetime | None
    status_reference: ParsedStatusReference | None
    certificate: bytes
    issuer: bytes
    serial_number: int
    content: bytes
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSignedData:
    """A security object that lacks nothing but the signature over ``to_be_signed``."""

    algorithm: SignatureAlgorithm
    certificate: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    serial_number: int
    content: bytes = field(repr=False)
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
                        content_type=ID_LDS_SECURITY_OBJECT, content=self.content
                    ),
                    certificates=asn1.SetOf([element(self.certificate)]),
                    signers=asn1.SetOf([signer]),
                ),
            )
        )


def prepare(
    *,
    algorithm: SignatureAlgorithm,
    certificate: bytes,
    issuer: bytes,
    serial_number: int,
    file_hashes: Mapping[int, bytes],
    signing_time: datetime,
    list_id: bytes,
    index: int,
    lds_version: LdsVersion,
) -> PreparedSignedData:
    """Compose content and signed attributes; the caller has checked every value."""
    content = encode_content(file_hashes, algorithm.hash_algorithm, lds_version)
    moment = signing_time.astimezone(UTC).replace(microsecond=0)
    # RFC 5652, 11.3: UTCTime through the year 2049, GeneralizedTime from 2050 on.
    time = asn1.UTCTime(moment) if moment.year < 2050 else asn1.GeneralizedTime(moment)
    attributes = [
        _attribute(ID_CONTENT_TYPE, ID_LDS_SECURITY_OBJECT),
        _attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
        _attribute(ID_SIGNING_TIME, time),
        _attribute(ID_STATUS_REFERENCE, EncodedStatusReference(list_id=list_id, index=index)),
    ]
    return PreparedSignedData(
        algorithm=algorithm,
        certificate=certificate,
        issuer=issuer,
        serial_number=serial_number,
        content=content,
        attributes=asn1.SetOf(attributes),
    )


def parse(content_info: bytes, *, allow_others: bool = False) -> ParsedSignedData:
    """Take a DER ``ContentInfo`` apart and check every *shall* of SPEC.md, 7 that needs no key.

    ``allow_others`` takes the further algorithms of Doc 9303 as well (SPEC.md, 7.6).

    Raises:
        SecurityObjectError: with the codes of SPEC.md, 9.3.
    """
    if len(content_info) > MAX_SIGNED_BYTES:
        raise SecurityObjectError(
            f"the security object has {len(content_info)} bytes, expected at most {MAX_SIGNED_BYTES}"
        )
    outer = decode(ContentInfo, content_info, "the security object")
    expect_oid("content type", outer.content_type, ID_SIGNED_DATA)
    signed = outer.content
    expect("version of SignedData", signed.version, 3)
    expect_oid(
        "encapsulated content type", signed.content_info.content_type, ID_LDS_SECURITY_OBJECT
    )
    digest_identifier = only("digest algorithms", signed.digest_algorithms.as_list())
    certificate = only("certificates", signed.certificates.as_list())
    signer = only("signers", signed.signers.as_list())
    expect("version of SignerInfo", signer.version, 1)

    # The algorithms come before everything that depends on them, so that a well-made security object of
    # another family is refused for what it is.
    hash_algorithm, signature_algorithm = _algorithms(
        signer, digest_identifier, allow_others=allow_others
    )
    lds = parse_content(signed.content_info.content, hash_algorithm, allow_others=allow_others)
    attributes = _attributes(signer.signed_attributes.as_list())
    content_type = _required(attributes, ID_CONTENT_TYPE, ObjectIdentifier, "content type")
    expect_oid("content type attribute", content_type, ID_LDS_SECURITY_OBJECT)
    if signer.signer.serial_number <= 0:
        raise SecurityObjectError("serial number of the signer is not positive")
    return ParsedSignedData(
        hash_algorithm=hash_algorithm,
        signature_algorithm=signature_algorithm,
        lds_version=lds.version,
        file_hash_algorithm=lds.hash_algorithm,
        file_hashes=lds.file_hashes,
        signing_time=_signing_time(attributes),
        status_reference=_status_reference(attributes),
        certificate=whole(certificate),
        issuer=whole(signer.signer.issuer),
        serial_number=signer.signer.serial_number,
        content=signed.content_info.content,
        message_digest=_required(attributes, ID_MESSAGE_DIGEST, bytes, "message digest"),
        signed_attributes=asn1.encode_der(signer.signed_attributes),
        signature=signer.signature,
    )


def _algorithms(
    signer: SignerInfo, digest_identifier: asn1.TLV, *, allow_others: bool
) -> tuple[Digest, VerifyingAlgorithm]:
    """The hash and the signature algorithm, which name each other."""
    read: Callable[[str, asn1.TLV], Digest] = read_hash_algorithm
    signature_algorithm: VerifyingAlgorithm
    if allow_others:
        read = read_any_hash_algorithm
        hash_algorithm = read("digest algorithm of the signer", signer.digest_algorithm)
        signature_algorithm = read_any_signature_algorithm(
            signer.signature_algorithm, hash_algorithm
        )
    else:
        signature_algorithm = read_signature_algorithm(signer.signature_algorithm)
        hash_algorithm = read("digest algorithm of the signer", signer.digest_algorithm)
    for name, found in (
        ("digest algorithm of SignedData", read("digest algorithm", digest_identifier)),
        ("hash of the signature algorithm", signature_algorithm.hash_algorithm),
    ):
        if found is not hash_algorithm:
            raise SecurityObjectError(f"{name} is {found.name}, expected {hash_algorithm.name}")
    return hash_algorithm, signature_algorithm


def _attributes(items: list[Attribute]) -> dict[ObjectIdentifier, asn1.TLV]:
    """RFC 5652, 11: each of these attributes stands once and has one value."""
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


def _signing_time(attributes: Mapping[ObjectIdentifier, asn1.TLV]) -> datetime | None:
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


def _status_reference(
    attributes: Mapping[ObjectIdentifier, asn1.TLV],
) -> ParsedStatusReference | None:
    found = attributes.get(ID_STATUS_REFERENCE)
    if found is None:
        return None
    reference = decode(EncodedStatusReference, whole(found), "status reference")
    if len(reference.list_id) != 8 or not 0 <= reference.index <= 0xFFFFFFFF:
        raise SecurityObjectError(
            f"status reference has a list of {len(reference.list_id)} bytes and index "
            f"{reference.index:x}, expected 8 bytes and an index of at most 32 bits"
        )
    return ParsedStatusReference(list_id=reference.list_id, index=reference.index)


def _attribute(kind: ObjectIdentifier, value: object) -> Attribute:
    return Attribute(kind=kind, values=asn1.SetOf([element(asn1.encode_der(value))]))


_Decoded = TypeVar("_Decoded")


def _required(
    attributes: Mapping[ObjectIdentifier, asn1.TLV],
    oid: ObjectIdentifier,
    kind: type[_Decoded],
    name: str,
) -> _Decoded:
    found = attributes.get(oid)
    if found is None:
        raise SecurityObjectError(f"signed attribute {name} is missing")
    return decode(kind, whole(found), name)
