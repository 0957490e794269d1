"""CV certificates as the chip reads them (TR-03110-3, C.1 and D.2): the chip's own parser, strict and bounded.

Nothing here judges: who may sign whom, what is expired and whose signature it is decides
``simulators.card.terminal_authentication``.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from card_layout import tlv
from card_layout.curves import NamedCurve
from card_layout.tlv import Tlv
from simulators.card.points import Point, PointError

__all__ = [
    "INSPECTION_SYSTEM",
    "CvCertificate",
    "CvCertificateError",
    "Role",
    "VerificationKey",
    "read_trust_point",
]

INSPECTION_SYSTEM = bytes.fromhex("04007F000703010201")
"""id-IS, 0.4.0.127.0.7.3.1.2.1: the type of terminal that this chip knows."""

_CERTIFICATE = 0x7F21
_BODY = 0x7F4E
_SIGNATURE = 0x5F37
_BODY_TAGS = (0x5F29, 0x42, 0x7F49, 0x5F20, 0x7F4C, 0x5F25, 0x5F24)
_EXTENSIONS = 0x65
_DISCRETIONARY_TEMPLATE = 0x73
_OBJECT_IDENTIFIER = 0x06
_DISCRETIONARY_DATA = 0x53
_POINT = 0x86
_EXPLICIT_TAGS = [0x06, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87]

_VERSION_1 = b"\x00"
_REFERENCE_BYTES = range(8, 17)
_MAX_AUTHORISATION_BYTES = 8
_MAX_EXTENSIONS = 16
_DATE_DIGITS = 6
_FILE_RIGHTS_BYTES = 2

_FILE_RIGHTS = bytes.fromhex("2B0601040181FD59330201")
"""1.3.6.1.4.1.32473.51.2.1, the authorisation extension of SPEC.md, 10.1."""

_TERMINAL_AUTHENTICATION_ECDSA = bytes.fromhex("04007F000702020202")
_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    _TERMINAL_AUTHENTICATION_ECDSA + b"\x03": hashes.SHA256(),
    _TERMINAL_AUTHENTICATION_ECDSA + b"\x04": hashes.SHA384(),
    _TERMINAL_AUTHENTICATION_ECDSA + b"\x05": hashes.SHA512(),
}
"""id-TA-ECDSA-SHA-256, -384, -512 (TR-03110-3, A.6.4); SHA-1, SHA-224 and RSA are none of this chip's."""


class CvCertificateError(ValueError):
    """Bytes that are not a CV certificate which this chip can read."""


class Role(IntEnum):
    """The two highest bits of the authorisation (TR-03110-3, C.4)."""

    TERMINAL = 0
    FOREIGN_DOCUMENT_VERIFIER = 1
    DOCUMENT_VERIFIER = 2
    CVCA = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A public key on its curve, with the algorithm that its certificate names."""

    algorithm: bytes
    curve: NamedCurve
    point: Point

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether r || s, each as long as the order of the curve, is a signature over the message (TR-03111, 5.2.1)."""
        size = (self.curve.n.bit_length() + 7) // 8
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        numbers = ec.EllipticCurvePublicNumbers(
            self.point.x, self.point.y, self.curve.to_cryptography()
        )
        try:
            numbers.public_key().verify(
                encode_dss_signature(r, s), message, ec.ECDSA(_HASHES[self.algorithm])
            )
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CvCertificate:
    """One certificate; dates are eight digits, ``file_bits`` is the number of SPEC.md, 10.1, 0 without extension.

    ``curve`` is ``None`` where the certificate writes no domain parameters out.
    """

    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    authority_reference: bytes
    holder_reference: bytes
    algorithm: bytes
    curve: NamedCurve | None
    encoded_point: bytes = field(repr=False)
    terminal_type: bytes
    authorisation: bytes
    effective_date: str
    expiration_date: str
    file_bits: int

    @classmethod
    def from_bytes(cls, certificate: bytes) -> Self:
        """Read a whole certificate (7F21).

        Raises:
            CvCertificateError: it is none.
        """
        try:
            content = tlv.parse(certificate, expected_tag=_CERTIFICATE).value
        except tlv.TlvError as error:
            raise CvCertificateError(f"certificate is malformed: {error}") from error
        return cls.from_parts(content)

    @classmethod
    def from_parts(cls, data: bytes) -> Self:
        """Read body and signature as PSO:VERIFY CERTIFICATE brings them, without the template around them.

        Raises:
            CvCertificateError: they are none.
        """
        try:
            return cls._read(data)
        except tlv.TlvError as error:
            raise CvCertificateError(f"certificate is malformed: {error}") from error

    @classmethod
    def _read(cls, data: bytes) -> Self:
        body, signature = _values(tlv.parse_all(data), (_BODY, _SIGNATURE))
        objects = tlv.parse_all(body)
        has_extensions = bool(objects) and objects[-1].tag == _EXTENSIONS
        version, authority, key, holder, template, effective, expiration = _values(
            objects[:-1] if has_extensions else objects, _BODY_TAGS
        )
        if version != _VERSION_1:
            raise CvCertificateError("certificate is of another version than 1")
        for reference in (authority, holder):
            if len(reference) not in _REFERENCE_BYTES:
                raise CvCertificateError(f"reference has {len(reference)} bytes, expected 8 to 16")
        algorithm, curve, point = _read_public_key(tlv.parse_all(key))
        terminal_type, authorisation = _values(
            tlv.parse_all(template), (_OBJECT_IDENTIFIER, _DISCRETIONARY_DATA)
        )
        if not 1 <= len(authorisation) <= _MAX_AUTHORISATION_BYTES:
            raise CvCertificateError(f"authorisation has {len(authorisation)} bytes")
        first_day, last_day = _read_date(effective), _read_date(expiration)
        if last_day < first_day:
            raise CvCertificateError(f"certificate expires {last_day}, before {first_day}")
        return cls(
            body=tlv.encode(_BODY, body),
            signature=signature,
            authority_reference=authority,
            holder_reference=holder,
            algorithm=algorithm,
            curve=curve,
            encoded_point=point,
            terminal_type=terminal_type,
            authorisation=authorisation,
            effective_date=first_day,
            expiration_date=last_day,
            file_bits=_read_file_bits(objects[-1]) if has_extensions else 0,
        )

    def to_bytes(self) -> bytes:
        """The whole certificate (7F21)."""
        return tlv.encode(_CERTIFICATE, self.body + tlv.encode(_SIGNATURE, self.signature))

    @property
    def role(self) -> Role:
        """What the holder is."""
        return Role(self.authorisation[0] >> 6)

    @property
    def access_bits(self) -> int:
        """The authorisation without the two bits of the role; bit 0 is the lowest."""
        count = 8 * len(self.authorisation) - 2
        return int.from_bytes(self.authorisation, "big") & (1 << count) - 1

    def key(self, inherited: NamedCurve | None) -> VerificationKey:
        """The certified key, on the curve that is written out or that the one who signed has.

        Raises:
            CvCertificateError: there is no curve, or the point is not on it.
        """
        curve = self.curve or inherited
        if curve is None:
            raise CvCertificateError("public key has no domain parameters")
        try:
            point = Point.from_bytes(curve, self.encoded_point)
        except PointError as error:
            raise CvCertificateError(f"public key is malformed: {error}") from error
        return VerificationKey(algorithm=self.algorithm, curve=curve, point=point)


def read_trust_point(encoded: bytes) -> CvCertificate:
    """A certificate that can be a trust point: a CVCA's for inspection systems, with its domain parameters.

    Raises:
        CvCertificateError: it is none; or it names itself as its authority and has not signed itself.
    """
    certificate = CvCertificate.from_bytes(encoded)
    if certificate.role is not Role.CVCA or certificate.terminal_type != INSPECTION_SYSTEM:
        raise CvCertificateError(
            "trust point is not the certificate of a CVCA for inspection systems"
        )
    key = certificate.key(None)
    is_root = certificate.authority_reference == certificate.holder_reference
    if is_root and not key.verifies(certificate.signature, certificate.body):
        raise CvCertificateError("trust point is self-signed with a signature that does not verify")
    return certificate


def _values(objects: tuple[Tlv, ...], tags: tuple[int, ...]) -> tuple[bytes, ...]:
    """The values of objects that are exactly these, in this order."""
    if tuple(item.tag for item in objects) != tags:
        found = " ".join(f"{item.tag:02X}" for item in objects[:12]) or "nothing"
        expected = " ".join(f"{tag:02X}" for tag in tags)
        raise CvCertificateError(f"got objects {found}, expected {expected}")
    return tuple(item.value for item in objects)


def _read_public_key(objects: tuple[Tlv, ...]) -> tuple[bytes, NamedCurve | None, bytes]:
    """Algorithm, curve and point; explicit parameters must all equal those of one curve."""
    if [item.tag for item in objects] == _EXPLICIT_TAGS:
        algorithm, p, a, b, generator, order, point, cofactor = (item.value for item in objects)
        numbers = tuple(int.from_bytes(value, "big") for value in (p, a, b, order, cofactor))
        for curve in NamedCurve:
            is_same = numbers == (curve.p, curve.a, curve.b, curve.n, curve.h)
            if is_same and generator == Point.generator(curve).to_bytes():
                break
        else:
            raise CvCertificateError("domain parameters are those of no supported curve")
    else:
        algorithm, point = _values(objects, (_OBJECT_IDENTIFIER, _POINT))
        curve = None
    if algorithm not in _HASHES:
        raise CvCertificateError("public key is not for ECDSA with SHA-256, SHA-384 or SHA-512")
    return algorithm, curve, point


def _read_date(digits: bytes) -> str:
    """Six bytes of one digit each, YYMMDD of this century, as eight digits."""
    if len(digits) != _DATE_DIGITS or max(digits) > 9:
        raise CvCertificateError("date is not six digits")
    year, month, day = (10 * digits[place] + digits[place + 1] for place in (0, 2, 4))
    try:
        return date(2000 + year, month, day).strftime("%Y%m%d")
    except ValueError as error:
        raise CvCertificateError("date is not one of the calendar") from error


def _read_file_bits(extensions: Tlv) -> int:
    """The bits of SPEC.md, 10.1; extensions that the chip does not know mean nothing to it."""
    found: list[int] = []
    templates = extensions.children()
    if not 1 <= len(templates) <= _MAX_EXTENSIONS:
        raise CvCertificateError(f"got {len(templates)} extensions, expected 1 to 16")
    for template in templates:
        objects = template.children()
        if template.tag != _DISCRETIONARY_TEMPLATE or len(objects) < 2:
            raise CvCertificateError("an extension is not 73 with an object identifier and data")
        if objects[0].tag != _OBJECT_IDENTIFIER:
            raise CvCertificateError("an extension does not begin with an object identifier")
        if objects[0].value == _FILE_RIGHTS:
            (bits,) = _values(objects[1:], (_DISCRETIONARY_DATA,))
            if len(bits) != _FILE_RIGHTS_BYTES:
                raise CvCertificateError(f"file rights have {len(bits)} bytes, expected 2")
            found.append(int.from_bytes(bits, "big"))
    if len(found) > 1:
        raise CvCertificateError("file rights stand twice")
    return found[0] if found else 0
