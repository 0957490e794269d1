"""A card-verifiable certificate as it stands (ICAO 9303-12, 7.2.2 and 7.2.3; TR-03110-3, C.1)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pki.certificates.lint.element import Element, MalformedError, expect
from pki.certificates.lint.findings import LintProfile
from pki.certificates.lint.objects import EncodedView
from pki.certificates.lint.public_keys import (
    EC_PUBLIC_KEY,
    DomainParameters,
    EcKey,
    ParameterForm,
    PublicKey,
)

__all__ = [
    "AUTHORITY_REFERENCE",
    "AUTHORIZATION",
    "BODY_ORDER",
    "EFFECTIVE",
    "EXPIRATION",
    "EXTENSIONS",
    "HOLDER_REFERENCE",
    "OPTIONAL_IN_BODY",
    "PROFILE_IDENTIFIER",
    "PUBLIC_KEY",
    "CardVerifiableView",
    "is_card_verifiable",
]

_CERTIFICATE: Final = 0x7F21
_BODY: Final = 0x7F4E
_SIGNATURE: Final = 0x5F37
PROFILE_IDENTIFIER: Final = 0x5F29
AUTHORITY_REFERENCE: Final = 0x42
PUBLIC_KEY: Final = 0x7F49
HOLDER_REFERENCE: Final = 0x5F20
AUTHORIZATION: Final = 0x7F4C
EFFECTIVE: Final = 0x5F25
EXPIRATION: Final = 0x5F24
EXTENSIONS: Final = 0x65

BODY_ORDER: Final = {
    PROFILE_IDENTIFIER: "profile identifier",
    AUTHORITY_REFERENCE: "certification authority reference",
    PUBLIC_KEY: "public key",
    HOLDER_REFERENCE: "certificate holder reference",
    AUTHORIZATION: "certificate holder authorization template",
    EFFECTIVE: "effective date",
    EXPIRATION: "expiration date",
    EXTENSIONS: "extensions",
}
"""The data objects of a certificate's body in their order."""

OPTIONAL_IN_BODY: Final = frozenset({EXTENSIONS})

_ECDSA: Final = "0.4.0.127.0.7.2.2.2.2."
_DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    f"{_ECDSA}2": hashes.SHA224(),
    f"{_ECDSA}3": hashes.SHA256(),
    f"{_ECDSA}4": hashes.SHA384(),
    f"{_ECDSA}5": hashes.SHA512(),
}
_ROLES: Final = {
    0xC0: LintProfile.CVCA,
    0x80: LintProfile.DOCUMENT_VERIFIER,
    0x40: LintProfile.DOCUMENT_VERIFIER,
    0x00: LintProfile.TERMINAL,
}


@dataclass(frozen=True, kw_only=True)
class CardVerifiableView(EncodedView):
    """A certificate whose body holds data objects; each is None or empty where it is missing."""

    body: bytes = field(repr=False)
    tags: tuple[int, ...]
    objects: dict[int, Element] = field(repr=False)
    key_algorithm: str | None
    key_parts: dict[int, Element] = field(repr=False)
    key_tags: tuple[int, ...]
    authorization_type: str | None
    authorization: bytes | None
    extension_parts: tuple[Element, ...] = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_element(cls, element: Element) -> "CardVerifiableView":
        """Take a certificate apart.

        Raises:
            MalformedError: it is not a body and a signature, or a template in it cannot be read.
        """
        expect(element, _CERTIFICATE)
        parts = element.children()
        if [part.tag for part in parts] != [_BODY, _SIGNATURE]:
            raise MalformedError("a card-verifiable certificate is not a body and a signature")
        body = parts[0].children()
        objects = {part.tag: part for part in reversed(body)}
        key = objects[PUBLIC_KEY].children() if PUBLIC_KEY in objects else ()
        template = objects[AUTHORIZATION].children() if AUTHORIZATION in objects else ()
        if template and (len(template) != 2 or template[1].tag != 0x53):
            raise MalformedError("the authorization template is not a type and discretionary data")
        return cls(
            element=element,
            body=parts[0].encoded,
            tags=tuple(part.tag for part in body),
            objects=objects,
            key_algorithm=key[0].object_identifier() if key else None,
            key_parts={part.tag: part for part in reversed(key[1:])},
            key_tags=tuple(part.tag for part in key[1:]),
            authorization_type=template[0].object_identifier() if template else None,
            authorization=template[1].content if template else None,
            extension_parts=objects[EXTENSIONS].children() if EXTENSIONS in objects else (),
            signature=parts[1].content,
        )

    @property
    def profile(self) -> LintProfile:
        """Whose certificate it is: the two highest bits of the authorization tell."""
        first = (self.authorization or b"\x00")[:1] or b"\x00"
        return _ROLES[first[0] & 0xC0]

    @property
    def is_self_signed(self) -> bool:
        """Whether holder and authority are the same."""
        return self.content(AUTHORITY_REFERENCE) == self.content(HOLDER_REFERENCE)

    @property
    def is_on_elliptic_curve(self) -> bool:
        """Whether the key is one for ECDSA."""
        return self.key_algorithm is not None and self.key_algorithm.startswith(_ECDSA)

    def content(self, tag: int) -> bytes | None:
        """The content of a data object of the body."""
        found = self.objects.get(tag)
        return None if found is None else found.content

    def date(self, tag: int) -> datetime | None:
        """A date: six digits YYMMDD, each in a byte of its own; None where it is none."""
        digits = self.content(tag)
        if digits is None or len(digits) != 6 or max(digits) > 9:
            return None
        year, month, day = (10 * digits[i] + digits[i + 1] for i in (0, 2, 4))
        try:
            return datetime(2000 + year, month, day, tzinfo=UTC)
        except ValueError:
            return None

    def domain_parameters(self) -> DomainParameters | None:
        """The domain parameters, where all but the cofactor are there."""
        if not self.is_on_elliptic_curve or any(
            tag not in self.key_parts for tag in range(0x81, 0x86)
        ):
            return None
        p, a, b, generator, order = (self.key_parts[tag].content for tag in range(0x81, 0x86))
        cofactor = self.key_parts.get(0x87)
        return DomainParameters(
            is_prime_field=True,
            p=int.from_bytes(p, "big"),
            a=a,
            b=b,
            generator=generator,
            n=int.from_bytes(order, "big"),
            h=None if cofactor is None else int.from_bytes(cofactor.content, "big"),
        )

    def verifies_itself(self) -> bool | None:
        """Whether the certificate's own ECDSA key made the signature; None where that cannot be calculated."""
        parameters = self.domain_parameters()
        point = self.key_parts.get(0x86)
        digest = _DIGESTS.get(self.key_algorithm or "")
        curve = None if parameters is None else parameters.curve()
        if curve is None or point is None or digest is None:
            return None
        key = PublicKey(
            algorithm=EC_PUBLIC_KEY,
            encoded=b"",
            ec_key=EcKey(
                form=ParameterForm.EXPLICIT,
                parameters=parameters,
                curve=curve,
                point=point.content,
            ),
        ).to_cryptography()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return None
        half = len(self.signature) // 2
        numbers = (self.signature[:half], self.signature[half:])
        try:
            key.verify(
                encode_dss_signature(*(int.from_bytes(number, "big") for number in numbers)),
                self.body,
                ec.ECDSA(digest),
            )
        except InvalidSignature:
            return False
        return True


def is_card_verifiable(element: Element) -> bool:
    """Whether the element has the tag of a card-verifiable certificate."""
    return element.tag == _CERTIFICATE
