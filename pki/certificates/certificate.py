"""An X.509 certificate or CRL taken apart strictly, once, into plain values (RFC 5280, 4.1 and 5.1).

The cryptography library parses certificates lazily and raises from its properties; hostile certificates
go through here instead, so that they are refused in one place and everything behind it is a value.
Nothing here judges: a parsed certificate may be anybody's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from cryptography.hazmat import asn1

from pki.certificates.public_keys import LEAST_FOREIGN_EXPONENT, decode_public_key
from pki.certificates.structures import (
    CertificateContent,
    CertificateListContent,
    EncodedExtension,
    EncodedTime,
    Signed,
)
from pki.errors import PkiDataError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.foreign_algorithms import ForeignAlgorithm, UnknownAlgorithm

__all__ = [
    "MAX_CERTIFICATE_BYTES",
    "MAX_LIST_BYTES",
    "Certificate",
    "CertificateError",
    "CertificateList",
    "Extension",
    "Reading",
    "load_certificate",
    "load_certificate_list",
]

MAX_CERTIFICATE_BYTES = 16384
"""The longest certificate that is looked at; real ones have 1-2 kB."""

MAX_LIST_BYTES = 4 * 1024 * 1024
"""The longest CRL that is looked at: about 100,000 entries, and a real one has a few dozen."""

MAX_EXTENSIONS = 32
"""The most extensions that are looked at in one certificate or CRL."""


class CertificateError(PkiDataError):
    """Bytes that are not an X.509 certificate or CRL as RFC 5280 writes them."""

    default_code = "certificate.malformed"


class Reading(Enum):
    """How much of what others write is taken; either way nothing is judged by it."""

    HOUSE = "house"
    """As Doc 9303-12 profiles certificates and we write them: anything else is refused where it is read."""

    TOLERANT = "tolerant"
    """As RFC 5280, 4.1 obliges a relying party: also negative serial numbers, unique identifiers, GeneralizedTime before
    2050, RSA exponents from 3 on. Another signature algorithm is refused when a signature by it is to be verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension: ``value`` is the DER inside the OCTET STRING."""

    oid: str
    critical: bool
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The values of one certificate of version 3; names are their DER, ``extensions`` is keyed by OID."""

    der: bytes = field(repr=False)
    signed_content: bytes = field(repr=False)
    serial_number: int
    signature_algorithm: SignatureAlgorithm | ForeignAlgorithm | UnknownAlgorithm
    issuer: bytes = field(repr=False)
    subject: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    public_key: PublicKey = field(repr=False, compare=False)
    public_key_info: bytes = field(repr=False)
    extensions: Mapping[str, Extension] = field(repr=False)
    signature: bytes = field(repr=False)

    def verify_by(self, public_key: PublicKey) -> bool:
        """Whether this key signed the certificate.

        Raises:
            PkiDataError: ``certificate.algorithm-not-allowed``, after a tolerant reading.
        """
        return self.signature_algorithm.verifies(
            public_key, signature=self.signature, message=self.signed_content
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateList:
    """The values of one CRL of version 2; ``revoked`` maps serial numbers to the time of revocation."""

    der: bytes = field(repr=False)
    signed_content: bytes = field(repr=False)
    signature_algorithm: SignatureAlgorithm | ForeignAlgorithm | UnknownAlgorithm
    issuer: bytes = field(repr=False)
    this_update: datetime
    next_update: datetime
    revoked: Mapping[int, datetime] = field(repr=False)
    has_critical_entry_extensions: bool
    extensions: Mapping[str, Extension] = field(repr=False)
    signature: bytes = field(repr=False)

    def verify_by(self, public_key: PublicKey) -> bool:
        """Whether this key signed the list.

        Raises:
            PkiDataError: ``certificate.algorithm-not-allowed``, after a tolerant reading.
        """
        return self.signature_algorithm.verifies(
            public_key, signature=self.signature, message=self.signed_content
        )


@lru_cache(maxsize=512)
def load_certificate(der: bytes, reading: Reading = Reading.HOUSE) -> Certificate:
    """Parse a DER certificate; cached by its bytes, because loading costs more than judging.

    Raises:
        CertificateError: ``certificate.malformed`` or ``certificate.algorithm-not-allowed``.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(
            f"certificate has {len(der)} bytes, expected at most {MAX_CERTIFICATE_BYTES}"
        )
    signed = _decode(Signed, der, "certificate")
    content = asn1.encode_der(signed.content)
    fields = _decode(CertificateContent, content, "certificate")
    if fields.version != 2:
        raise CertificateError(f"certificate is of version {fields.version + 1}, expected 3")
    if fields.serial_number.bit_length() > 159:
        raise CertificateError("serial number is longer than 20 octets")
    if reading is Reading.HOUSE:
        if fields.serial_number <= 0:
            raise CertificateError("serial number is not positive")
        if fields.issuer_unique_id is not None or fields.subject_unique_id is not None:
            raise CertificateError("certificate has unique identifiers, expected none")
    public_key_info = asn1.encode_der(fields.public_key)
    return Certificate(
        der=der,
        signed_content=content,
        serial_number=fields.serial_number,
        signature_algorithm=_algorithm(
            fields.signature_algorithm, signed.signature_algorithm, reading
        ),
        issuer=asn1.encode_der(fields.issuer),
        subject=asn1.encode_der(fields.subject),
        not_before=_moment(fields.validity.not_before, reading),
        not_after=_moment(fields.validity.not_after, reading),
        public_key=_public_key(public_key_info, reading),
        public_key_info=public_key_info,
        extensions=_extensions(fields.extensions),
        signature=_octets(signed.signature),
    )


@lru_cache(maxsize=64)
def load_certificate_list(der: bytes, reading: Reading = Reading.HOUSE) -> CertificateList:
    """Parse a DER CRL; cached by its bytes.

    Raises:
        CertificateError: ``certificate.malformed`` or ``certificate.algorithm-not-allowed``.
    """
    if len(der) > MAX_LIST_BYTES:
        raise CertificateError(f"CRL has {len(der)} bytes, expected at most {MAX_LIST_BYTES}")
    signed = _decode(Signed, der, "CRL")
    content = asn1.encode_der(signed.content)
    fields = _decode(CertificateListContent, content, "CRL")
    if fields.version != 1:
        raise CertificateError(f"CRL is of version {fields.version + 1}, expected 2")
    revoked: dict[int, datetime] = {}
    has_critical = False
    for entry in fields.revoked or ():
        if entry.serial_number in revoked:
            raise CertificateError(f"CRL lists serial number {entry.serial_number:x} twice")
        revoked[entry.serial_number] = _moment(entry.revoked_at, reading)
        has_critical = has_critical or any(item.critical for item in entry.extensions or ())
    return CertificateList(
        der=der,
        signed_content=content,
        signature_algorithm=_algorithm(
            fields.signature_algorithm, signed.signature_algorithm, reading
        ),
        issuer=asn1.encode_der(fields.issuer),
        this_update=_moment(fields.this_update, reading),
        next_update=_moment(fields.next_update, reading),
        revoked=MappingProxyType(revoked),
        has_critical_entry_extensions=has_critical,
        extensions=_extensions(fields.extensions),
        signature=_octets(signed.signature),
    )


def _algorithm(
    inner: asn1.TLV, outer: asn1.TLV, reading: Reading
) -> SignatureAlgorithm | ForeignAlgorithm | UnknownAlgorithm:
    """RFC 5280, 4.1.1.2: both algorithm identifiers are the same."""
    encoded = asn1.encode_der(outer)
    if asn1.encode_der(inner) != encoded:
        raise CertificateError("the two signature algorithms differ")
    algorithm = SignatureAlgorithm.from_identifier(encoded)
    if algorithm is not None:
        return algorithm
    if reading is Reading.TOLERANT:
        return ForeignAlgorithm.from_identifier(encoded) or UnknownAlgorithm(identifier=encoded)
    raise CertificateError(
        "signature algorithm is neither ECDSA with SHA-256, SHA-384 or SHA-512 "
        "nor RSASSA-PSS with SHA-256 throughout and a salt of 32 bytes",
        code="certificate.algorithm-not-allowed",
    )


def _public_key(encoded: bytes, reading: Reading) -> PublicKey:
    """An RSA key, or an elliptic one whose parameters are those of a named curve in every value."""
    try:
        if reading is Reading.TOLERANT:
            return decode_public_key(encoded, least_exponent=LEAST_FOREIGN_EXPONENT)
        return decode_public_key(encoded)
    except PkiDataError as error:
        raise CertificateError(str(error), code=error.code) from error


def _extensions(items: list[EncodedExtension] | None) -> Mapping[str, Extension]:
    """RFC 5280, 4.2: an extension stands at most once."""
    extensions: dict[str, Extension] = {}
    if items is not None and not 1 <= len(items) <= MAX_EXTENSIONS:
        raise CertificateError(f"got {len(items)} extensions, expected 1 to {MAX_EXTENSIONS}")
    for item in items or ():
        oid = item.oid.dotted_string
        if oid in extensions:
            raise CertificateError(f"extension {oid} stands twice")
        extensions[oid] = Extension(oid=oid, critical=item.critical, value=item.value)
    return MappingProxyType(extensions)


def _moment(time: EncodedTime, reading: Reading) -> datetime:
    """RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on, no fractions."""
    moment = time.as_datetime()
    is_early = isinstance(time, asn1.GeneralizedTime) and moment.year < 2050
    if moment.microsecond or (is_early and reading is Reading.HOUSE):
        raise CertificateError("a time before 2050 is not a UTCTime, or has a fraction")
    return moment


def _octets(bits: asn1.BitString) -> bytes:
    if bits.padding_bits():
        raise CertificateError("signature is not a whole number of bytes")
    return bits.as_bytes()


_Decoded = TypeVar("_Decoded")


def _decode(kind: type[_Decoded], encoded: bytes, name: str) -> _Decoded:
    try:
        return asn1.decode_der(kind, encoded)
    except (ValueError, OverflowError) as error:
        raise CertificateError(f"{name} is not the DER that RFC 5280 asks for") from error
