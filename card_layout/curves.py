"""The elliptic curves of the card: parameters, points, public keys (SPEC.md, 3.4 and 3.11).

A key's domain parameters are taken only as the name of one of these curves, or as explicit parameters of
which **every** value equals that curve's own (``domain_parameters``). A reader that compares less than all of them
can be made to check signatures against a generator of the forger's choice (CVE-2020-0601).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout import der, tlv
from card_layout.domain_parameters import DomainParameters
from card_layout.errors import CardDataError

__all__ = [
    "CurveError",
    "EcPublicKey",
    "NamedCurve",
    "before_point",
    "curve_for_pace_parameter",
    "decode_point",
    "encode_point",
]

_PRIME_FIELD = "1.2.840.10045.1.1"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_UNCOMPRESSED = 0x04

_CURVES_OF_CRYPTOGRAPHY: dict[str, ec.EllipticCurve] = {
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
    "brainpoolP512r1": ec.BrainpoolP512R1(),
}


class CurveError(CardDataError):
    """A curve, point or key that is malformed, or not one of ours (``curve.unsupported``)."""

    default_code = "curve.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameters:
    label: str
    oid: str
    pace_parameter_id: int
    p: int
    a: int
    b: int
    g_x: int
    g_y: int
    n: int
    h: int


class NamedCurve(Enum):
    """y^2 = x^3 + ax + b over the integers modulo p, generator (g_x, g_y) of prime order n, cofactor h."""

    # SEC 2, 2.4.2
    SECP256R1 = _Parameters(
        label="secp256r1",
        oid="1.2.840.10045.3.1.7",
        pace_parameter_id=12,
        p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        a=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        g_x=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        g_y=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        h=1,
    )

    # SEC 2, 2.5.1
    SECP384R1 = _Parameters(
        label="secp384r1",
        oid="1.3.132.0.34",
        pace_parameter_id=15,
        p=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        a=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC,
        b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        g_x=0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        g_y=0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        h=1,
    )

    # SEC 2, 2.6.1
    SECP521R1 = _Parameters(
        label="secp521r1",
        oid="1.3.132.0.35",
        pace_parameter_id=18,
        p=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF,
        a=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC,
        b=0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        g_x=0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,
        g_y=0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,
        n=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
        h=1,
    )

    # RFC 5639, 3.4
    BRAINPOOLP256R1 = _Parameters(
        label="brainpoolP256r1",
        oid="1.3.36.3.3.2.8.1.1.7",
        pace_parameter_id=13,
        p=0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377,
        a=0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
        b=0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
        g_x=0x8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262,
        g_y=0x547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997,
        n=0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7,
        h=1,
    )

    # RFC 5639, 3.6
    BRAINPOOLP384R1 = _Parameters(
        label="brainpoolP384r1",
        oid="1.3.36.3.3.2.8.1.1.11",
        pace_parameter_id=16,
        p=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53,
        a=0x7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826,
        b=0x04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11,
        g_x=0x1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E,
        g_y=0x8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315,
        n=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565,
        h=1,
    )

    # RFC 5639, 3.7
    BRAINPOOLP512R1 = _Parameters(
        label="brainpoolP512r1",
        oid="1.3.36.3.3.2.8.1.1.13",
        pace_parameter_id=17,
        p=0xAADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA703308717D4D9B009BC66842AECDA12AE6A380E62881FF2F2D82C68528AA6056583A48F3,
        a=0x7830A3318B603B89E2327145AC234CC594CBDD8D3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CA,
        b=0x3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CADC083E67984050B75EBAE5DD2809BD638016F723,
        g_x=0x81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B352209BCB9F822,
        g_y=0x7DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F8111B2DCDE494A5F485E5BCA4BD88A2763AED1CA2B2FA8F0540678CD1E0F3AD80892,
        n=0xAADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330870553E5C414CA92619418661197FAC10471DB1D381085DDADDB58796829CA90069,
        h=1,
    )

    def __init__(self, parameters: _Parameters) -> None:
        self.label = parameters.label
        self.oid = parameters.oid
        self.pace_parameter_id = parameters.pace_parameter_id
        self.p = parameters.p
        self.a = parameters.a
        self.b = parameters.b
        self.g_x = parameters.g_x
        self.g_y = parameters.g_y
        self.n = parameters.n
        self.h = parameters.h
        # Attributes, because every point asks for them.
        self.field_bytes = (self.p.bit_length() + 7) // 8
        """Bytes of one coordinate."""
        self.point_bytes = 1 + 2 * self.field_bytes
        """Bytes of an uncompressed point."""

    @property
    def oid_bytes(self) -> bytes:
        """The value bytes of the curve's OBJECT IDENTIFIER, without tag and length."""
        return der.encode_object_identifier(self.oid)

    @property
    def generator(self) -> bytes:
        """The generator as an uncompressed point."""
        return encode_point(self, self.g_x, self.g_y)

    def to_cryptography(self) -> ec.EllipticCurve:
        """The same curve as ``cryptography`` names it."""
        return _CURVES_OF_CRYPTOGRAPHY[self.label]

    def contains(self, x: int, y: int) -> bool:
        """Whether (x, y) is an affine point of the curve; infinity is none."""
        if not (0 <= x < self.p and 0 <= y < self.p):
            return False
        return (y * y - (x * x + self.a) * x - self.b) % self.p == 0


def curve_for_pace_parameter(parameter_id: int) -> NamedCurve:
    """The curve of a standardised domain parameter id (9303-11, 9.5.1).

    Raises:
        CurveError: no curve of ours has that id; code ``curve.unsupported``.
    """
    for curve in NamedCurve:
        if curve.pace_parameter_id == parameter_id:
            return curve
    raise CurveError(
        f"got domain parameter id {parameter_id}, expected one of "
        f"{sorted(curve.pace_parameter_id for curve in NamedCurve)}",
        code="curve.unsupported",
    )


def encode_point(curve: NamedCurve, x: int, y: int) -> bytes:
    """04 || X || Y, each coordinate in ``curve.field_bytes`` bytes (TR-03111, 3.2.1).

    Raises:
        CurveError: (x, y) is not on the curve.
    """
    if not curve.contains(x, y):
        raise CurveError(f"point is not on {curve.label}")
    size = curve.field_bytes
    return bytes((_UNCOMPRESSED,)) + x.to_bytes(size, "big") + y.to_bytes(size, "big")


def decode_point(curve: NamedCurve, data: bytes) -> tuple[int, int]:
    """The coordinates of an uncompressed point that lies on the curve.

    Every curve here has cofactor 1, so a point on the curve is in the group of the generator.

    Raises:
        CurveError: compressed, infinity, another length, or not on the curve.
    """
    if len(data) != curve.point_bytes:
        raise CurveError(
            f"point of {curve.label} has {len(data)} bytes, expected {curve.point_bytes}"
        )
    if data[0] != _UNCOMPRESSED:
        raise CurveError(f"point begins with {data[0]:02X}, expected {_UNCOMPRESSED:02X}")
    size = curve.field_bytes
    x = int.from_bytes(data[1 : 1 + size], "big")
    y = int.from_bytes(data[1 + size :], "big")
    if not curve.contains(x, y):
        raise CurveError(f"point is not on {curve.label}")
    return x, y


@dataclass(frozen=True, slots=True, kw_only=True)
class EcPublicKey:
    """A public key: an uncompressed ``point`` that is known to lie on ``curve``."""

    curve: NamedCurve
    point: bytes = field(repr=False)

    def __post_init__(self) -> None:
        decode_point(self.curve, self.point)

    @property
    def coordinates(self) -> tuple[int, int]:
        """The affine x and y of the point."""
        return decode_point(self.curve, self.point)

    @classmethod
    def from_cryptography(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """The same key as a value.

        Raises:
            CurveError: its curve is not one of ours; code ``curve.unsupported``.
        """
        for curve in NamedCurve:
            if curve.to_cryptography().name == key.curve.name:
                numbers = key.public_numbers()
                return cls(curve=curve, point=encode_point(curve, numbers.x, numbers.y))
        raise CurveError(f"curve {key.curve.name} is not supported", code="curve.unsupported")

    def to_cryptography(self) -> ec.EllipticCurvePublicKey:
        """The same key for ``cryptography`` to calculate with."""
        x, y = self.coordinates
        return ec.EllipticCurvePublicNumbers(x, y, self.curve.to_cryptography()).public_key()

    @classmethod
    def from_subject_public_key_info(cls, encoded: bytes) -> Self:
        """Read a DER SubjectPublicKeyInfo with named or exactly equal explicit parameters.

        Raises:
            CurveError: not a SubjectPublicKeyInfo, or a point that is not on its curve; code
                ``curve.unsupported`` where the algorithm or the parameters are not those of our curves.
        """
        try:
            parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
        except tlv.TlvError as error:
            raise CurveError(f"subject public key info is malformed: {error}") from error
        if [part.tag for part in parts] != [der.SEQUENCE, der.BIT_STRING]:
            raise CurveError(
                "subject public key info holds tags "
                f"{[f'{part.tag:02X}' for part in parts[:4]]}, expected 30 and 03"
            )
        algorithm, key = parts
        curve = _CURVE_OF_ALGORITHM.get(algorithm.value) or _explicit_curve(algorithm)
        if curve is None:
            raise CurveError(
                "key algorithm or domain parameters equal those of no supported curve",
                code="curve.unsupported",
            )
        if not key.value or key.value[0] != 0:
            raise CurveError("public key does not end on a whole byte")
        return cls(curve=curve, point=key.value[1:])

    def to_subject_public_key_info(self, *, explicit: bool) -> bytes:
        """DER SubjectPublicKeyInfo (RFC 5480); ``explicit`` writes out the domain parameters (RFC 3279)."""
        return before_point(self.curve, explicit=explicit) + self.point


def before_point(curve: NamedCurve, *, explicit: bool) -> bytes:
    """A SubjectPublicKeyInfo up to its point: the same for every key on the curve."""
    return _BEFORE_POINT[curve, explicit]


def _algorithm(curve: NamedCurve, *, explicit: bool) -> bytes:
    name = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(_EC_PUBLIC_KEY))
    if explicit:
        return name + _explicit_parameters(curve)
    return name + tlv.encode(der.OBJECT_IDENTIFIER, curve.oid_bytes)


def _explicit_parameters(curve: NamedCurve) -> bytes:
    """ECParameters of RFC 3279, 2.3.5, with cofactor and without the optional seed."""
    size = curve.field_bytes
    prime_field = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(_PRIME_FIELD))
    coefficients = tlv.encode(der.OCTET_STRING, curve.a.to_bytes(size, "big")) + tlv.encode(
        der.OCTET_STRING, curve.b.to_bytes(size, "big")
    )
    return tlv.encode(
        der.SEQUENCE,
        der.encode_integer(1)
        + tlv.encode(der.SEQUENCE, prime_field + der.encode_integer(curve.p))
        + tlv.encode(der.SEQUENCE, coefficients)
        + tlv.encode(der.OCTET_STRING, curve.generator)
        + der.encode_integer(curve.n)
        + der.encode_integer(curve.h),
    )


_ALGORITHMS = {
    (curve, explicit): _algorithm(curve, explicit=explicit)
    for curve in NamedCurve
    for explicit in (False, True)
}


def _before_point(curve: NamedCurve, algorithm: bytes) -> bytes:
    """A SubjectPublicKeyInfo up to its point, which is as long for every key on the curve."""
    key = tlv.encode(der.BIT_STRING, b"\x00" + curve.generator)
    whole = tlv.encode(der.SEQUENCE, tlv.encode(der.SEQUENCE, algorithm) + key)
    return whole[: -curve.point_bytes]


_BEFORE_POINT = {
    (curve, explicit): _before_point(curve, algorithm)
    for (curve, explicit), algorithm in _ALGORITHMS.items()
}

# What we write ourselves is compared as a whole encoding; only other people's explicit parameters are taken apart.
_CURVE_OF_ALGORITHM = {encoded: curve for (curve, _), encoded in _ALGORITHMS.items()}

_SEEDS = {
    # SEC 2, 2.4.2, 2.5.1 and 2.6.1; the brainpool curves are published without one that is carried along.
    NamedCurve.SECP256R1: bytes.fromhex("C49D360886E704936A6678E1139D26B7819F7E90"),
    NamedCurve.SECP384R1: bytes.fromhex("A335926AA319A27A1D00896A6773A4827ACDAC73"),
    NamedCurve.SECP521R1: bytes.fromhex("D09E8800291CB85396CC6717393284AAA0DA64BA"),
}

_CURVE_OF_PARAMETERS = {
    DomainParameters(
        p=curve.p, a=curve.a, b=curve.b, generator=curve.generator, n=curve.n, h=curve.h, seed=seed
    ): curve
    for curve in NamedCurve
    for seed in {None, _SEEDS.get(curve)}
}
"""The curves by all their values at once: no value can be forgotten in a comparison."""


def _explicit_curve(algorithm: tlv.Tlv) -> NamedCurve | None:
    """The curve whose values explicit parameters spell out, however wide they write the coefficients."""
    parameters = DomainParameters.from_algorithm(algorithm)
    return None if parameters is None else _CURVE_OF_PARAMETERS.get(parameters)
