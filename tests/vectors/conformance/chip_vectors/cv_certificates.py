"""CV certificates that can be wrong in any one thing: a builder of the tests' own (TR-03110-3, C.1 and D.2).

A draft knows only objects and bytes, so that nothing keeps it from saying what no certificate may say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from card_layout import der, tlv
from card_layout.curves import EcPublicKey, NamedCurve

PROFILE, CAR, KEY, CHR = 0x5F29, 0x42, 0x7F49, 0x5F20
CHAT, EFFECTIVE, EXPIRES, EXTENSIONS = 0x7F4C, 0x5F25, 0x5F24, 0x65
BODY, SIGNATURE, OID, POINT = 0x7F4E, 0x5F37, 0x06, 0x86

INSPECTION_SYSTEM: Final = "0.4.0.127.0.7.3.1.2.1"
AUTHENTICATION_TERMINAL: Final = "0.4.0.127.0.7.3.1.2.2"
ECDSA_SHA_1: Final = "0.4.0.127.0.7.2.2.2.2.1"
ECDSA_SHA_256: Final = "0.4.0.127.0.7.2.2.2.2.3"
ECDSA_SHA_384: Final = "0.4.0.127.0.7.2.2.2.2.4"
RSA_SHA_256: Final = "0.4.0.127.0.7.2.2.2.1.2"
_FILE_RIGHTS: Final = "1.3.6.1.4.1.32473.51.2.1"
_HASHES: Final = {
    ECDSA_SHA_1: hashes.SHA1(),  # noqa: S303 -- the case is that the card refuses it
    ECDSA_SHA_256: hashes.SHA256(),
    ECDSA_SHA_384: hashes.SHA384(),
}

CVCA, DOMESTIC, FOREIGN, TERMINAL = 0xC0, 0x80, 0x40, 0x00
DG3, DG4 = 0x01, 0x02
DG13 = 1 << 12

Objects = tuple[tuple[int, bytes], ...]


_KEYS: dict[tuple[str, NamedCurve], ec.EllipticCurvePrivateKey] = {}


def private_key(name: str, curve: NamedCurve) -> ec.EllipticCurvePrivateKey:
    """The one key of this name over a curve, drawn once a run."""
    if (name, curve) not in _KEYS:
        _KEYS[name, curve] = ec.generate_private_key(curve.to_cryptography())
    return _KEYS[name, curve]


def sign(
    name: str,
    message: bytes,
    *,
    curve: NamedCurve = NamedCurve.SECP256R1,
    algorithm: str = ECDSA_SHA_256,
) -> bytes:
    """The plain signature r || s (TR-03111, 5.2.1)."""
    signature = private_key(name, curve).sign(message, ec.ECDSA(_HASHES[algorithm]))
    size = (curve.n.bit_length() + 7) // 8
    return b"".join(half.to_bytes(size, "big") for half in decode_dss_signature(signature))


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One certificate: the body's objects and the key's own, in their order, and who signs.

    ``signature`` turns the right signature into the one that is sent; ``encode_body`` and ``encode_signature`` put
    tag and length around.
    """

    signed_by: str
    key_name: str
    objects: Objects
    key_objects: Objects
    curve: NamedCurve = NamedCurve.SECP256R1
    signing_curve: NamedCurve = NamedCurve.SECP256R1
    signing_algorithm: str = ECDSA_SHA_256
    signature: Callable[[bytes], bytes] = bytes
    encode_body: Callable[[bytes], bytes] = lambda value: tlv.encode(BODY, value)
    encode_signature: Callable[[bytes], bytes] = lambda value: tlv.encode(SIGNATURE, value)

    @property
    def reference(self) -> bytes:
        return dict(self.objects)[CHR]

    @property
    def authority(self) -> bytes:
        return dict(self.objects)[CAR]

    def having(self, tag: int, value: bytes) -> "Draft":
        """The same with one object of the body changed in its place."""
        return replace(
            self, objects=tuple((t, value if t == tag else old) for t, old in self.objects)
        )

    def without(self, tag: int) -> "Draft":
        """The same with one object of the body left out."""
        return replace(self, objects=tuple(item for item in self.objects if item[0] != tag))

    def with_key_object(self, tag: int, value: bytes | None) -> "Draft":
        """The same with one object of the public key changed, or left out."""
        kept = tuple(
            (t, value if t == tag and value is not None else old)
            for t, old in self.key_objects
            if t != tag or value is not None
        )
        return replace(self, key_objects=kept)

    def signed(self, change: Callable[[bytes], bytes]) -> "Draft":
        return replace(self, signature=change)

    def having_algorithm(self, algorithm: str) -> "Draft":
        return self.with_key_object(OID, der.encode_object_identifier(algorithm))

    def has_algorithm(self, algorithm: str) -> bool:
        return dict(self.key_objects).get(OID) == der.encode_object_identifier(algorithm)

    @property
    def body(self) -> bytes:
        """7F4E as it is signed."""
        key = b"".join(tlv.encode(tag, value) for tag, value in self.key_objects)
        return self.encode_body(
            b"".join(tlv.encode(tag, key if tag == KEY else value) for tag, value in self.objects)
        )

    @property
    def content(self) -> bytes:
        """What PSO:Verify Certificate carries: body and signature, without 7F21."""
        right = sign(
            self.signed_by, self.body, curve=self.signing_curve, algorithm=self.signing_algorithm
        )
        return self.body + self.encode_signature(self.signature(right))

    def to_bytes(self) -> bytes:
        """The whole certificate, as an image holds a trust point."""
        return tlv.encode(0x7F21, self.content)


def certificate(
    *,
    reference: str,
    authority: str,
    role: int,
    rights: int = DG3 | DG4,
    files: int | None = None,
    effective: str,
    expires: str,
    curve: NamedCurve = NamedCurve.SECP256R1,
    signing_curve: NamedCurve = NamedCurve.SECP256R1,
    algorithm: str = ECDSA_SHA_256,
    signing_algorithm: str = ECDSA_SHA_256,
    key_name: str | None = None,
) -> Draft:
    """A right certificate; keys are named by references, so that a signer's key is its reference's."""
    holder = key_name or reference
    point = EcPublicKey.from_cryptography(private_key(holder, curve).public_key()).point
    key_objects: Objects = ((POINT, point),)
    if role == CVCA:
        numbers = (curve.p, curve.a, curve.b)
        key_objects = (
            *((0x81 + index, _unsigned(number)) for index, number in enumerate(numbers)),
            (0x84, curve.generator),
            (0x85, _unsigned(curve.n)),
            (POINT, point),
            (0x87, b"\x01"),
        )
    objects: Objects = (
        (PROFILE, b"\x00"),
        (CAR, authority.encode()),
        (KEY, b""),
        (CHR, reference.encode()),
        (CHAT, authorisation(role | rights)),
        (EFFECTIVE, date(effective)),
        (EXPIRES, date(expires)),
    )
    if files is not None:
        objects = (*objects, (EXTENSIONS, file_rights(files)))
    return Draft(
        signed_by=authority,
        key_name=holder,
        objects=objects,
        key_objects=((OID, der.encode_object_identifier(algorithm)), *key_objects),
        curve=curve,
        signing_curve=signing_curve,
        signing_algorithm=signing_algorithm,
    )


def authorisation(bits: int, *, terminal_type: str = INSPECTION_SYSTEM, size: int = 1) -> bytes:
    """The value of 7F4C."""
    encoded = der.encode_object_identifier(terminal_type)
    return tlv.encode(OID, encoded) + tlv.encode(0x53, bits.to_bytes(size, "big"))


def file_rights(files: int) -> bytes:
    """The value of 65: our extension alone."""
    encoded = der.encode_object_identifier(_FILE_RIGHTS)
    return tlv.encode(0x73, tlv.encode(OID, encoded) + tlv.encode(0x53, files.to_bytes(2, "big")))


def date(text: str) -> bytes:
    """YYYYMMDD as six unpacked digits YYMMDD."""
    return bytes(int(digit) for digit in text[2:])


def _unsigned(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
