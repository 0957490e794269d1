"""Public keys as they stand: RSA, and elliptic curves that are named or written out (RFC 3279, 2.3)."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from card_layout.curves import NamedCurve
from pki.certificates.lint.element import (
    INTEGER,
    NULL,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    Element,
    MalformedError,
    expect,
    read_element,
)

__all__ = [
    "EC_PUBLIC_KEY",
    "RSA_ENCRYPTION",
    "DomainParameters",
    "EcKey",
    "KnownCurve",
    "ParameterForm",
    "PublicKey",
    "RsaKey",
    "read_public_key",
]

RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
_PRIME_FIELD: Final = "1.2.840.10045.1.1"
_MAX_MODULUS_BITS: Final = 8192
_MAX_EXPONENT_BITS: Final = 64
"""Beyond these a signature is not calculated: a forged key could make that take seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCurve:
    """A standard curve: y^2 = x^3 + ax + b modulo p, generator of order n."""

    label: str
    oid: str
    p: int
    a: int
    b: int
    g_x: int
    g_y: int
    n: int
    h: int
    implementation: ec.EllipticCurve | None = field(default=None, repr=False)

    @property
    def field_bytes(self) -> int:
        """Bytes of one coordinate."""
        return (self.p.bit_length() + 7) // 8

    def contains(self, x: int, y: int) -> bool:
        """Whether (x, y) is an affine point of the curve."""
        if not (0 <= x < self.p and 0 <= y < self.p):
            return False
        return (y * y - (x * x + self.a) * x - self.b) % self.p == 0


_OTHER_CURVES: Final = (
    # SEC 2, 2.6.2 (version 1), and TR-03111 by way of RFC 5639, 3.4 and 3.5: no keys of ours, but of other authorities.
    KnownCurve(
        label="secp224r1",
        oid="1.3.132.0.33",
        p=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000000000000000000000001,
        a=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFE,
        b=0xB4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4,
        g_x=0xB70E0CBD6BB4BF7F321390B94A03C1D356C21122343280D6115C1D21,
        g_y=0xBD376388B5F723FB4C22DFE6CD4375A05A07476444D5819985007E34,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
        h=1,
        implementation=ec.SECP224R1(),
    ),
    KnownCurve(
        label="brainpoolP224r1",
        oid="1.3.36.3.3.2.8.1.1.5",
        p=0xD7C134AA264366862A18302575D1D787B09F075797DA89F57EC8C0FF,
        a=0x68A5E62CA9CE6C1C299803A6C1530B514E182AD8B0042A59CAD29F43,
        b=0x2580F63CCFE44138870713B1A92369E33E2135D266DBB372386C400B,
        g_x=0x0D9029AD2C7E5CF4340823B2A87DC68C9E4CE3174C1E6EFDEE12C07D,
        g_y=0x58AA56F772C0726F24C6B89E4ECDAC24354B9E99CAA3F6D3761402CD,
        n=0xD7C134AA264366862A18302575D0FB98D116BC4B6DDEBCA3A5A7939F,
        h=1,
    ),
    KnownCurve(
        label="brainpoolP320r1",
        oid="1.3.36.3.3.2.8.1.1.9",
        p=0xD35E472036BC4FB7E13C785ED201E065F98FCFA6F6F40DEF4F92B9EC7893EC28FCD412B1F1B32E27,
        a=0x3EE30B568FBAB0F883CCEBD46D3F3BB8A2A73513F5EB79DA66190EB085FFA9F492F375A97D860EB4,
        b=0x520883949DFDBC42D3AD198640688A6FE13F41349554B49ACC31DCCD884539816F5EB4AC8FB1F1A6,
        g_x=0x43BD7E9AFB53D8B85289BCC48EE5BFE6F20137D10A087EB6E7871E2A10A599C710AF8D0D39E20611,
        g_y=0x14FDD05545EC1CC8AB4093247F77275E0743FFED117182EAA9C77877AAAC6AC7D35245D1692E8EE1,
        n=0xD35E472036BC4FB7E13C785ED201E065F98FCFA5B68F12A32D482EC7EE8658E98691555B44C59311,
        h=1,
    ),
)
_KNOWN_CURVES: Final = (
    *(
        KnownCurve(
            label=curve.label,
            oid=curve.oid,
            p=curve.p,
            a=curve.a,
            b=curve.b,
            g_x=curve.g_x,
            g_y=curve.g_y,
            n=curve.n,
            h=curve.h,
            implementation=curve.to_cryptography(),
        )
        for curve in NamedCurve
    ),
    *_OTHER_CURVES,
)
_CURVE_BY_OID: Final = {curve.oid: curve for curve in _KNOWN_CURVES}
_CURVE_BY_PRIME: Final = {(curve.p, curve.a): curve for curve in _KNOWN_CURVES}


class ParameterForm(Enum):
    """How the domain parameters of a key on an elliptic curve are given."""

    EXPLICIT = "written out"
    NAMED = "named"
    IMPLICIT = "left to the issuer's key"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainParameters:
    """Explicit parameters (RFC 3279, 2.3.5); ``generator`` is the point's encoding."""

    is_prime_field: bool
    p: int
    a: bytes
    b: bytes
    generator: bytes
    n: int
    h: int | None

    def curve(self) -> KnownCurve | None:
        """The standard curve that every one of these values equals; a seed is no value of a curve."""
        curve = _CURVE_BY_PRIME.get((self.p, int.from_bytes(self.a, "big")))
        if curve is None or not self.is_prime_field:
            return None
        size = curve.field_bytes
        x, y = curve.g_x.to_bytes(size, "big"), curve.g_y.to_bytes(size, "big")
        generators = {b"\x04" + x + y, bytes((2 + (y[-1] & 1),)) + x}
        is_equal = (
            int.from_bytes(self.b, "big") == curve.b
            and self.generator in generators
            and self.n == curve.n
            and self.h in {None, curve.h}
        )
        return curve if is_equal else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """A key on an elliptic curve: ``curve`` where it is a standard one, ``point`` as it stands."""

    form: ParameterForm
    parameters: DomainParameters | None
    curve: KnownCurve | None
    point: bytes = field(repr=False)

    @property
    def is_uncompressed(self) -> bool:
        """Whether the point is 04 and two coordinates of equal length."""
        return self.point[:1] == b"\x04" and len(self.point) % 2 == 1

    @property
    def coordinates(self) -> tuple[int, int] | None:
        """The affine coordinates of an uncompressed point that lies on a standard curve."""
        if self.curve is None or len(self.point) != 1 + 2 * self.curve.field_bytes:
            return None
        size = self.curve.field_bytes
        x = int.from_bytes(self.point[1 : 1 + size], "big")
        y = int.from_bytes(self.point[1 + size :], "big")
        return (x, y) if self.is_uncompressed and self.curve.contains(x, y) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaKey:
    """An RSA key; ``has_null`` where the parameters are NULL."""

    modulus: int = field(repr=False)
    exponent: int
    has_null: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A SubjectPublicKeyInfo; both kinds None where it is another kind, or malformed for the reason ``problem``."""

    algorithm: str
    encoded: bytes = field(repr=False)
    ec_key: EcKey | None = None
    rsa_key: RsaKey | None = None
    problem: str | None = None

    def to_cryptography(self) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None:
        """The key to calculate with; None where that is not possible."""
        try:
            if self.ec_key is not None:
                implementation = (
                    None if self.ec_key.curve is None else self.ec_key.curve.implementation
                )
                coordinates = self.ec_key.coordinates
                if implementation is None or coordinates is None:
                    return None
                return ec.EllipticCurvePublicNumbers(*coordinates, implementation).public_key()
            key = self.rsa_key
            if (
                key is None
                or key.modulus.bit_length() > _MAX_MODULUS_BITS
                or key.exponent.bit_length() > _MAX_EXPONENT_BITS
            ):
                return None
            return rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        except (ValueError, UnsupportedAlgorithm):
            return None


def read_public_key(element: Element) -> PublicKey:
    """A SubjectPublicKeyInfo.

    Raises:
        MalformedError: it is none; a key inside that cannot be read is told by ``problem``.
    """
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) != 2:
        raise MalformedError(f"subject public key info has {len(parts)} elements, expected 2")
    expect(parts[0], SEQUENCE)
    identifier = parts[0].children()
    if len(identifier) not in {1, 2}:
        raise MalformedError(f"key algorithm has {len(identifier)} elements, expected 1 or 2")
    algorithm = identifier[0].object_identifier()
    parameters = identifier[1] if len(identifier) == 2 else None
    octets, unused = parts[1].bits()
    if unused:
        raise MalformedError("the public key does not end on a whole byte")
    ec_key, rsa_key, problem = None, None, None
    try:
        if algorithm == EC_PUBLIC_KEY:
            ec_key = _ec_key(parameters, octets)
        elif algorithm == RSA_ENCRYPTION:
            rsa_key = _rsa_key(parameters, octets)
    except MalformedError as error:
        problem = str(error)
    return PublicKey(
        algorithm=algorithm,
        encoded=element.encoded,
        ec_key=ec_key,
        rsa_key=rsa_key,
        problem=problem,
    )


def _rsa_key(parameters: Element | None, octets: bytes) -> RsaKey:
    content = read_element(octets)
    expect(content, SEQUENCE)
    numbers = [part.integer() for part in content.children()]
    if len(numbers) != 2:
        raise MalformedError(f"RSA key has {len(numbers)} numbers, expected 2")
    return RsaKey(
        modulus=numbers[0],
        exponent=numbers[1],
        has_null=parameters is not None and parameters.encoded == bytes((NULL, 0)),
    )


def _ec_key(parameters: Element | None, point: bytes) -> EcKey:
    if parameters is None or parameters.tag == NULL:
        form = ParameterForm.ABSENT if parameters is None else ParameterForm.IMPLICIT
        return EcKey(form=form, parameters=None, curve=None, point=point)
    if parameters.tag == OBJECT_IDENTIFIER:
        curve = _CURVE_BY_OID.get(parameters.object_identifier())
        return EcKey(form=ParameterForm.NAMED, parameters=None, curve=curve, point=point)
    explicit = _domain_parameters(parameters)
    return EcKey(
        form=ParameterForm.EXPLICIT, parameters=explicit, curve=explicit.curve(), point=point
    )


def _domain_parameters(element: Element) -> DomainParameters:
    """``ECParameters`` with the optional seed and cofactor."""
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) not in {5, 6} or parts[0].integer() not in {1, 2, 3}:
        raise MalformedError("EC parameters lack a part, or are of an unknown version")
    field_id, curve = parts[1].children(), parts[2].children()
    if len(field_id) != 2 or len(curve) not in {2, 3}:
        raise MalformedError("EC parameters have a field or a curve with a part missing")
    is_prime_field = field_id[0].object_identifier() == _PRIME_FIELD
    return DomainParameters(
        is_prime_field=is_prime_field,
        p=field_id[1].integer() if field_id[1].tag == INTEGER else 0,
        a=curve[0].octets(),
        b=curve[1].octets(),
        generator=parts[3].octets(),
        n=parts[4].integer(),
        h=parts[5].integer() if len(parts) == 6 else None,
    )
