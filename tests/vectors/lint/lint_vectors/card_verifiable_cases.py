"""Card-verifiable certificates, and one wrong one for every rule about them."""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lint_vectors.drafts import key, octets, oid, sign, tagged

from card_layout.curves import EcPublicKey, NamedCurve

CURVE = NamedCurve.SECP256R1
INSPECTION_SYSTEM = "0.4.0.127.0.7.3.1.2.1"
AUTHENTICATION_TERMINAL = "0.4.0.127.0.7.3.1.2.2"
ECDSA_SHA_256 = "0.4.0.127.0.7.2.2.2.2.3"


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def date(text: str) -> bytes:
    return bytes(int(digit) for digit in text)


def point(of: str) -> bytes:
    return EcPublicKey.from_cryptography(key(of).public_key()).point


def domain_parameters() -> dict[int, bytes]:
    values = (CURVE.p, CURVE.a, CURVE.b)
    return {
        **{0x81 + index: number(value) for index, value in enumerate(values)},
        0x84: CURVE.generator,
        0x85: number(CURVE.n),
    }


@dataclass(frozen=True, kw_only=True)
class CardVerifiableDraft:
    """A certificate: its body's objects by tag in their order, the parts of its key by tag."""

    profile: str
    signing_key: str
    holder_key: str
    algorithm: str = ECDSA_SHA_256
    key_parts: dict[int, bytes] = field(default_factory=dict)
    authorization: bytes
    objects: dict[int, bytes]
    order: tuple[int, ...] = (0x5F29, 0x42, 0x7F49, 0x5F20, 0x7F4C, 0x5F25, 0x5F24, 0x65)
    signature: bytes | None = None
    body_length_prefix: bool = False

    def having(self, **fields: object) -> "CardVerifiableDraft":
        return replace(self, **fields)

    def set(self, tag: int, content: bytes | None) -> "CardVerifiableDraft":
        objects = {other: item for other, item in self.objects.items() if other != tag}
        return replace(self, objects=objects if content is None else {**objects, tag: content})

    def part(self, tag: int, content: bytes | None) -> "CardVerifiableDraft":
        parts = {other: item for other, item in self.key_parts.items() if other != tag}
        return replace(self, key_parts=parts if content is None else {**parts, tag: content})

    def to_bytes(self) -> bytes:
        parts = [tagged(tag, content) for tag, content in sorted(self.key_parts.items())]
        objects = {
            **self.objects,
            0x7F49: oid(self.algorithm) + b"".join(parts),
            0x7F4C: self.authorization,
        }
        encoded = b"".join(tagged(tag, objects[tag]) for tag in self.order if tag in objects)
        body = tagged(0x7F4E, encoded)
        if self.body_length_prefix:
            body = b"\x7f\x4e\x83" + len(encoded).to_bytes(3, "big") + encoded
        signature = self.signature
        if signature is None:
            halves = decode_dss_signature(sign(key(self.signing_key), body))
            signature = b"".join(half.to_bytes(32, "big") for half in halves)
        return tagged(0x7F21, body, tagged(0x5F37, signature))


def template(first: int, kind: str = INSPECTION_SYSTEM, length: int = 1) -> bytes:
    return oid(kind) + tagged(0x53, bytes((first,)) + bytes(length - 1))


def _objects(authority: bytes, holder: bytes, expiration: str) -> dict[int, bytes]:
    return {
        0x5F29: b"\x00",
        0x42: authority,
        0x5F20: holder,
        0x5F25: date("260101"),
        0x5F24: date(expiration),
    }


CVCA_REFERENCE = b"VNCVCA00001"


def cvca() -> CardVerifiableDraft:
    return CardVerifiableDraft(
        profile="cvca",
        signing_key="cvca",
        holder_key="cvca",
        key_parts={**domain_parameters(), 0x86: point("cvca"), 0x87: b"\x01"},
        authorization=template(0xC3),
        objects=_objects(CVCA_REFERENCE, CVCA_REFERENCE, "281231"),
    )


def document_verifier() -> CardVerifiableDraft:
    return CardVerifiableDraft(
        profile="document-verifier",
        signing_key="cvca",
        holder_key="verifier",
        key_parts={0x86: point("verifier")},
        authorization=template(0x83),
        objects=_objects(CVCA_REFERENCE, b"VNVERIFYVN001", "260331"),
    )


def terminal() -> CardVerifiableDraft:
    return CardVerifiableDraft(
        profile="terminal",
        signing_key="verifier",
        holder_key="terminal",
        key_parts={0x86: point("terminal")},
        authorization=template(0x03),
        objects=_objects(b"VNVERIFYVN001", b"VNTERMINVN001", "260131"),
    )


def other_generator() -> bytes:
    return b"\x04" + CURVE.g_x.to_bytes(32) + (CURVE.p - CURVE.g_y).to_bytes(32)


def swapped(order: tuple[int, ...]) -> tuple[int, ...]:
    return (*order[:5], order[6], order[5], order[7])


CARD_VERIFIABLE_CASES = {
    "lint.cv.shortest-lengths": lambda: terminal().having(body_length_prefix=True),
    "lint.cv.body-complete": lambda: terminal().set(0x5F29, None),
    "lint.cv.body-order": lambda: terminal().having(order=swapped(terminal().order)),
    "lint.cv.profile-identifier": lambda: terminal().set(0x5F29, b"\x01"),
    "lint.cv.authority-reference": lambda: terminal().set(0x42, b"vnVERIFYVN001"),
    "lint.cv.holder-reference": lambda: terminal().set(0x5F20, b"VNTERMINALSYSTEMVN001"),
    "lint.cv.algorithm": lambda: terminal().having(algorithm="0.4.0.127.0.7.2.2.2.3"),
    "lint.cv.key-parts": lambda: terminal().part(0x88, b"\x01"),
    "lint.cv.domain-parameters-complete": lambda: cvca().part(0x85, None),
    "lint.cv.domain-parameters-present": lambda: cvca().having(key_parts={0x86: point("cvca")}),
    "lint.cv.domain-parameters-absent": lambda: terminal().having(
        key_parts={**domain_parameters(), 0x86: point("terminal")}
    ),
    "lint.cv.curve-known": lambda: cvca().part(0x84, other_generator()),
    "lint.cv.points-uncompressed": lambda: terminal().part(0x86, b"\x02" + point("terminal")[1:33]),
    "lint.cv.integers-shortest": lambda: cvca().part(0x87, b"\x00\x01"),
    "lint.cv.authorization-type": lambda: terminal().having(
        authorization=template(0x03, "0.4.0.127.0.7.3.1.2.9")
    ),
    "lint.cv.authorization-length": lambda: terminal().having(
        authorization=template(0x03, AUTHENTICATION_TERMINAL, 4)
    ),
    "lint.cv.dates": lambda: terminal().set(0x5F24, date("261301")),
    "lint.cv.validity-order": lambda: terminal().set(0x5F24, date("251231")),
    "lint.cv.cvca-validity": lambda: cvca().set(0x5F24, date("290201")),
    "lint.cv.document-verifier-validity": lambda: document_verifier().set(0x5F24, date("260501")),
    "lint.cv.terminal-validity": lambda: terminal().set(0x5F24, date("260301")),
    "lint.cv.extensions": lambda: terminal().set(0x65, tagged(0x73, octets(b"\x01"))),
    "lint.cv.signature-form": lambda: cvca().having(signature=bytes(63)),
    "lint.cv.self-signature": lambda: cvca().having(signing_key="other"),
    "lint.cv.sequence-number-country": lambda: terminal().set(0x5F20, b"VNTERMINDE001"),
}
