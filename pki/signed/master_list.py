"""A CSCA master list of any state: CMS SignedData around certificates of authorities (Doc 9303-12, 9; RFC 5652, 5).

Lists of others carry several certificates, name their signer by its key identifier, and hold hundreds of kilobytes: the
frame of our own one-signer objects (``signed_frame``) is too narrow for them. What is counted is counted before it is
decoded, so that hostile bytes cost neither time nor memory. The order of a set says nothing and is passed over (the lint
tells); everything that is signed is strict. Reading proves nothing about the signer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from card_layout import tlv
from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, Reading, load_certificate
from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.keys.foreign_algorithms import ForeignAlgorithm
from pki.signed.decoding import (
    SecurityObjectError,
    decode,
    expect,
    expect_oid,
    read_hash_algorithm,
    whole,
)
from pki.signed.signed_frame import (
    MAX_SIGNED_BYTES,
    read_attributes,
    read_signing_time,
    required_attribute,
)
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    Attribute,
    IssuerAndSerialNumber,
)

__all__ = [
    "ID_MASTER_LIST",
    "MAX_LISTED",
    "MAX_MASTER_LIST_BYTES",
    "CscaMasterList",
    "MasterList",
    "MasterListSignerInfo",
]

ID_MASTER_LIST: Final = ObjectIdentifier("2.23.136.1.1.2")
"""``id-icao-cscaMasterList`` (Doc 9303-12, 9.2)."""

MAX_MASTER_LIST_BYTES: Final = 8 * 1024 * 1024
"""The longest list that is looked at: that of August 2024 with 541 certificates has 0.8 MB."""

MAX_LISTED: Final = 4096
"""The most certificates that are looked at in one list."""

_MAX_CARRIED: Final = 64
"""The most certificates beside the list: the signer's, and its authority's."""

_MAX_ALGORITHMS: Final = 8
_SIGNED_DATA_VERSION: Final = 3
_LIST_VERSION: Final = 0
_SEQUENCE, _SET, _EXPLICIT_0, _EXPLICIT_1 = 0x30, 0x31, 0xA0, 0xA1
_INTEGER, _OBJECT_IDENTIFIER = 0x02, 0x06

_RSA_ENCRYPTION: Final = bytes.fromhex("300d06092a864886f70d0101010500")
"""RFC 3370, 3.2: the hash is then that of the digest algorithm."""

_RSA_BY_HASH: Final = {
    HashAlgorithm.SHA256: ForeignAlgorithm.RSA_PKCS1_SHA256,
    HashAlgorithm.SHA384: ForeignAlgorithm.RSA_PKCS1_SHA384,
    HashAlgorithm.SHA512: ForeignAlgorithm.RSA_PKCS1_SHA512,
}


@asn1.sequence
class MasterListSignerInfo:
    """RFC 5652, 5.3; unsigned attributes are not processed (Doc 9303-12, table 18)."""

    version: int
    signer: IssuerAndSerialNumber | Annotated[bytes, asn1.Implicit(0)]
    digest_algorithm: asn1.TLV
    signed_attributes: Annotated[asn1.SetOf[Attribute], asn1.Implicit(0)]
    signature_algorithm: asn1.TLV
    signature: bytes
    unsigned_attributes: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class CscaMasterList:
    """Doc 9303-12, 9.2, for writing."""

    version: int
    certificates: asn1.SetOf[asn1.TLV]


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterList:
    """A list whose digest and signature hold by a certificate that it carries; nothing says whose that is.

    ``listed`` are the DER certificates in the order in which they stand, each as often as it stands; ``carried`` those
    beside the list, the signer's among them.
    """

    der: bytes = field(repr=False)
    listed: tuple[bytes, ...] = field(repr=False)
    carried: tuple[bytes, ...] = field(repr=False)
    signing_time: datetime
    signer_certificate: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 digest of the file, in hex."""
        return HashAlgorithm.SHA256.digest(self.der).hex()

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Take a DER ``ContentInfo`` apart and verify digest and signature by the certificate carried.

        Raises:
            PkiDataError: ``master-list.too-large``, ``master-list.malformed``, ``master-list.algorithm-not-allowed``,
                ``master-list.signer-missing``, ``master-list.signature-invalid``.
        """
        parts = _Parts.from_bytes(der)
        certificate = parts.signer_certificate()
        if not parts.verifies(certificate):
            raise PkiDataError(
                "the signature of the master list does not verify with the certificate of its signer",
                code="master-list.signature-invalid",
            )
        return cls._of(parts, certificate)

    @classmethod
    def read_unproven(cls, der: bytes) -> Self:
        """Take a DER ``ContentInfo`` apart without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: as ``from_bytes``, but for ``master-list.signature-invalid``.
        """
        parts = _Parts.from_bytes(der)
        return cls._of(parts, parts.signer_certificate())

    @classmethod
    def _of(cls, parts: "_Parts", certificate: Certificate) -> Self:
        return cls(
            der=parts.der,
            listed=parts.listed,
            carried=parts.carried,
            signing_time=parts.signing_time,
            signer_certificate=certificate.der,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The pieces of one list, every *shall* of its frame checked that needs no key."""

    der: bytes = field(repr=False)
    listed: tuple[bytes, ...] = field(repr=False)
    carried: tuple[bytes, ...] = field(repr=False)
    signing_time: datetime
    signer: IssuerAndSerialNumber | bytes
    algorithm: SignatureAlgorithm | ForeignAlgorithm
    signed_attributes: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, der: bytes) -> "_Parts":
        if len(der) > MAX_MASTER_LIST_BYTES:
            raise _too_large(f"it has {len(der)} bytes, expected at most {MAX_MASTER_LIST_BYTES}")
        try:
            return cls._parse(der)
        except (SecurityObjectError, tlv.TlvError) as error:
            is_algorithm = error.code == "security-object.algorithm-not-allowed"
            raise PkiDataError(
                f"the master list cannot be read: {error}",
                code=f"master-list.{'algorithm-not-allowed' if is_algorithm else 'malformed'}",
            ) from error

    @classmethod
    def _parse(cls, der: bytes) -> "_Parts":
        outer = _children(der, _SEQUENCE, 2, "content info")
        _tags(outer, (_OBJECT_IDENTIFIER, _EXPLICIT_0), "content info")
        expect_oid("content type", decode(ObjectIdentifier, outer[0], "type"), ID_SIGNED_DATA)
        signed = _children(outer[1], _EXPLICIT_0, 1, "content of the content info")
        parts = list(_children(signed[0] if signed else b"", _SEQUENCE, 6, "signed data"))
        # Doc 9303-12, table 18: certificates are there, CRLs are not.
        expected = (_INTEGER, _SET, _SEQUENCE, _EXPLICIT_0, _SET)
        _tags(tuple(parts), expected, "signed data")
        version, algorithms, encapsulated, carried, signers = parts
        expect("version of SignedData", decode(int, version, "version"), _SIGNED_DATA_VERSION)
        for item in _children(algorithms, _SET, _MAX_ALGORITHMS, "digest algorithms"):
            tlv.parse(item, expected_tag=_SEQUENCE)
        content = _content(encapsulated)
        signer = _only_signer(signers)
        attributes = read_attributes(signer.signed_attributes.as_list())
        named = required_attribute(attributes, ID_CONTENT_TYPE, ObjectIdentifier, "content type")
        expect_oid("content type attribute", named, ID_MASTER_LIST)
        hash_algorithm = _check_digest(signer, attributes, content)
        moment = read_signing_time(attributes)
        if moment is None:
            raise SecurityObjectError("signed attribute signing time is missing")
        return cls(
            der=der,
            listed=_listed(content),
            carried=_children(carried, _EXPLICIT_0, _MAX_CARRIED, "certificates beside the list"),
            signing_time=moment,
            signer=signer.signer,
            algorithm=_signature_algorithm(whole(signer.signature_algorithm), hash_algorithm),
            signed_attributes=asn1.encode_der(signer.signed_attributes),
            signature=signer.signature,
        )

    def signer_certificate(self) -> Certificate:
        """The certificate carried that the signer info names.

        Raises:
            PkiDataError: ``master-list.signer-missing``: none of those that can be read is.
        """
        reasons = []
        for der in self.carried:
            try:
                certificate = load_certificate(der, Reading.TOLERANT)
                if self._names(certificate):
                    return certificate
            except PkiDataError as error:
                # Others may be carried that nobody here has to understand.
                reasons.append(str(error))
        also = f"; {len(reasons)} cannot be read, the first: {reasons[0]}" if reasons else ""
        raise PkiDataError(
            f"none of the {len(self.carried)} certificates carried is that of the master list's signer{also}",
            code="master-list.signer-missing",
        )

    def _names(self, certificate: Certificate) -> bool:
        if isinstance(self.signer, bytes):
            return ext.decode_subject_key_identifier(certificate.extensions) == self.signer
        named = (whole(self.signer.issuer), self.signer.serial_number)
        return named == (certificate.issuer, certificate.serial_number)

    def verifies(self, certificate: Certificate) -> bool:
        """Whether this certificate's key signed the attributes."""
        return self.algorithm.verifies(
            certificate.public_key, signature=self.signature, message=self.signed_attributes
        )


def _content(encapsulated: bytes) -> bytes:
    parts = _children(encapsulated, _SEQUENCE, 2, "encapsulated content")
    _tags(parts, (_OBJECT_IDENTIFIER, _EXPLICIT_0), "encapsulated content")
    found = decode(ObjectIdentifier, parts[0], "encapsulated content type")
    expect_oid("encapsulated content type", found, ID_MASTER_LIST)
    inner = tlv.parse(parts[1], expected_tag=_EXPLICIT_0).value
    # DER: one OCTET STRING, and not several that are put together.
    return tlv.parse(inner, expected_tag=0x04).value


def _listed(content: bytes) -> tuple[bytes, ...]:
    """Doc 9303-12, 9.2: version 0, and certificates."""
    parts = _children(content, _SEQUENCE, 2, "the list")
    _tags(parts, (_INTEGER, _SET), "the list")
    expect("version of the list", decode(int, parts[0], "version of the list"), _LIST_VERSION)
    listed = _children(parts[1], _SET, MAX_LISTED, "certificates in the list")
    if not listed:
        raise SecurityObjectError("the list holds no certificate")
    return listed


def _only_signer(signers: bytes) -> MasterListSignerInfo:
    """Doc 9303-12, table 18 recommends one signer; of several nobody says which one counts."""
    found = _children(signers, _SET, _MAX_ALGORITHMS, "signers")
    if len(found) != 1:
        raise SecurityObjectError(f"got {len(found)} signers, expected exactly one")
    # The decoder makes an object of every attribute before anybody can count them.
    if len(found[0]) > MAX_SIGNED_BYTES:
        raise _too_large(
            f"its signer info has {len(found[0])} bytes, expected at most {MAX_SIGNED_BYTES}"
        )
    signer = decode(MasterListSignerInfo, found[0], "signer info")
    expect("version of SignerInfo", signer.version, 3 if isinstance(signer.signer, bytes) else 1)
    return signer


def _check_digest(
    signer: MasterListSignerInfo, attributes: Mapping[ObjectIdentifier, asn1.TLV], content: bytes
) -> HashAlgorithm:
    found = read_hash_algorithm("digest algorithm of the signer", signer.digest_algorithm)
    digest = required_attribute(attributes, ID_MESSAGE_DIGEST, bytes, "message digest")
    if digest != found.digest(content):
        raise SecurityObjectError("the message digest does not match the content")
    return found


def _signature_algorithm(
    identifier: bytes, hash_algorithm: HashAlgorithm
) -> SignatureAlgorithm | ForeignAlgorithm:
    if identifier == _RSA_ENCRYPTION:
        return _RSA_BY_HASH[hash_algorithm]
    found = SignatureAlgorithm.from_identifier(identifier) or ForeignAlgorithm.from_identifier(
        identifier
    )
    if found is None:
        raise SecurityObjectError(
            "the signature algorithm is not allowed, expected ECDSA, RSASSA-PSS or RSASSA-PKCS1-v1_5 with SHA-2",
            code="security-object.algorithm-not-allowed",
        )
    return found


def _children(encoded: bytes, tag: int, maximum: int, name: str) -> tuple[bytes, ...]:
    """The elements inside a constructed one that fills ``encoded``: counted before they are copied."""
    value = tlv.parse(encoded, expected_tag=tag).value
    found: list[bytes] = []
    offset = 0
    while offset < len(value):
        if len(found) == maximum:
            raise _too_large(f"there are more than {maximum} {name}, expected at most that")
        header = tlv.read_header(value, offset)
        end = offset + header.total
        if end > len(value):
            raise SecurityObjectError(f"an element of {name} ends behind the bytes that hold it")
        found.append(value[offset:end])
        offset = end
    return tuple(found)


def _tags(parts: tuple[bytes, ...], expected: tuple[int, ...], name: str) -> None:
    got = tuple(tlv.read_header(part).tag for part in parts)
    if got != expected:
        raise SecurityObjectError(
            f"{name} has elements {[f'{tag:02X}' for tag in got]}, "
            f"expected {[f'{tag:02X}' for tag in expected]}"
        )


def _too_large(reason: str) -> PkiDataError:
    return PkiDataError(
        f"the master list is too large to be looked at: {reason}", code="master-list.too-large"
    )
