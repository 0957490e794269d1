"""Certificates and CRLs as they stand: taken apart without judging, so that rules can look at every part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pki.certificates.lint.element import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    SEQUENCE,
    UTC_TIME,
    Element,
    MalformedError,
    Path,
    expect,
    walk,
)
from pki.certificates.lint.extension_values import Extensions, read_extensions
from pki.certificates.lint.names import Name, read_name
from pki.certificates.lint.public_keys import PublicKey, read_public_key
from pki.certificates.lint.signature_algorithms import Algorithm, read_algorithm
from pki.certificates.lint.times import Time

__all__ = [
    "CertificateView",
    "CrlView",
    "EncodedView",
    "RevokedEntryView",
    "SignedView",
    "is_certificate",
    "is_crl",
]

_EXPLICIT_VERSION: Final = 0xA0
_ISSUER_UNIQUE_ID: Final = 0x81
_SUBJECT_UNIQUE_ID: Final = 0x82
_EXTENSIONS: Final = 0xA3
_CRL_EXTENSIONS: Final = 0xA0

_MAX_REVOKED: Final = 50_000
"""The most entries of a CRL that are looked at."""


@dataclass(frozen=True, kw_only=True)
class EncodedView:
    """Anything that has an encoding."""

    element: Element = field(repr=False)

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """Every element of the encoding, nested ones included.

        Raises:
            MalformedError: an element that should hold others does not.
        """
        return walk(self.element)


@dataclass(frozen=True, kw_only=True)
class SignedView(EncodedView):
    """What certificates and CRLs have in common; ``names`` and ``times`` are keyed by where they stand."""

    signed_content: bytes = field(repr=False)
    inner_algorithm: Algorithm
    outer_algorithm: Algorithm
    signature: bytes = field(repr=False)
    signature_unused_bits: int
    names: Mapping[Path, Name]
    times: Mapping[Path, Time]
    has_extensions: bool
    extensions: Extensions


@dataclass(frozen=True, kw_only=True)
class CertificateView(SignedView):
    """A certificate; ``version`` is the number that is encoded: 2 for version 3."""

    version: int
    serial_number: bytes
    public_key: PublicKey
    has_issuer_unique_id: bool
    has_subject_unique_id: bool

    @property
    def issuer(self) -> Name:
        """Who signed."""
        return self.names["issuer"]

    @property
    def subject(self) -> Name:
        """Whose key it is."""
        return self.names["subject"]

    @property
    def is_self_signed(self) -> bool | None:
        """Whether the key of the certificate signed it; None where that cannot be calculated."""
        return self.outer_algorithm.verify(self.public_key, self.signature, self.signed_content)

    @classmethod
    def from_element(cls, element: Element) -> "CertificateView":
        """Take a certificate apart.

        Raises:
            MalformedError: it lacks a part, or has one too many.
        """
        content, outer_algorithm, signature, unused_bits = _signed_parts(element)
        parts = list(content.children())
        version = (
            parts.pop(0).inner().integer() if parts and parts[0].tag == _EXPLICIT_VERSION else 0
        )
        if len(parts) < 6:
            raise MalformedError(f"certificate has {len(parts)} fields, expected at least 6")
        serial, algorithm, issuer, validity, subject, key, *rest = parts
        serial.integer()
        expect(validity, SEQUENCE)
        moments = validity.children()
        if len(moments) != 2:
            raise MalformedError(f"validity has {len(moments)} times, expected 2")
        optional = _optional(rest, _ISSUER_UNIQUE_ID, _SUBJECT_UNIQUE_ID, _EXTENSIONS)
        extensions = optional.get(_EXTENSIONS)
        return cls(
            element=element,
            signed_content=content.encoded,
            inner_algorithm=read_algorithm(algorithm),
            outer_algorithm=outer_algorithm,
            signature=signature,
            signature_unused_bits=unused_bits,
            names={"issuer": read_name(issuer), "subject": read_name(subject)},
            times={
                "validity.notBefore": _time(moments[0]),
                "validity.notAfter": _time(moments[1]),
            },
            has_extensions=extensions is not None,
            extensions=Extensions() if extensions is None else read_extensions(extensions.inner()),
            version=version,
            serial_number=serial.content,
            public_key=read_public_key(key),
            has_issuer_unique_id=_ISSUER_UNIQUE_ID in optional,
            has_subject_unique_id=_SUBJECT_UNIQUE_ID in optional,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntryView:
    """One entry of a CRL."""

    serial_number: bytes
    revoked_at: Time
    extensions: Extensions


@dataclass(frozen=True, kw_only=True)
class CrlView(SignedView):
    """A CRL; ``version`` None where it is not encoded, ``revoked`` None where there is no list at all."""

    version: int | None
    revoked: tuple[RevokedEntryView, ...] | None

    @classmethod
    def from_element(cls, element: Element) -> "CrlView":
        """Take a CRL apart.

        Raises:
            MalformedError: it lacks a part, or has one too many.
        """
        content, outer_algorithm, signature, unused_bits = _signed_parts(element)
        parts = list(content.children())
        version = parts.pop(0).integer() if parts and parts[0].tag == INTEGER else None
        if len(parts) < 3:
            raise MalformedError(f"CRL has {len(parts)} fields, expected at least 3")
        algorithm, issuer, this_update, *rest = parts
        times = {"thisUpdate": _time(this_update)}
        if rest and rest[0].tag in {UTC_TIME, GENERALIZED_TIME}:
            times["nextUpdate"] = _time(rest.pop(0))
        optional = _optional(rest, SEQUENCE, _CRL_EXTENSIONS)
        entries = optional.get(SEQUENCE)
        extensions = optional.get(_CRL_EXTENSIONS)
        return cls(
            element=element,
            signed_content=content.encoded,
            inner_algorithm=read_algorithm(algorithm),
            outer_algorithm=outer_algorithm,
            signature=signature,
            signature_unused_bits=unused_bits,
            names={"issuer": read_name(issuer)},
            times=times,
            has_extensions=extensions is not None,
            extensions=Extensions() if extensions is None else read_extensions(extensions.inner()),
            version=version,
            revoked=None if entries is None else _revoked(entries),
        )


def is_certificate(element: Element) -> bool:
    """Whether the element has the outline of a certificate."""
    tags = _outline(element)
    return tags[:4] == [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE]


def is_crl(element: Element) -> bool:
    """Whether the element has the outline of a CRL."""
    tags = _outline(element)
    if tags[:1] == [INTEGER]:
        tags.pop(0)
    return tags[:2] == [SEQUENCE, SEQUENCE] and tags[2:3] in ([UTC_TIME], [GENERALIZED_TIME])


def _outline(element: Element) -> list[int]:
    """The tags of what is signed, without an explicit version; none where nothing is signed."""
    try:
        content, *_ = _three_parts(element)
        tags = [part.tag for part in content.children()[:6]]
    except MalformedError:
        return []
    return tags[1:] if tags[:1] == [_EXPLICIT_VERSION] else tags


def _three_parts(element: Element) -> tuple[Element, Element, Element]:
    expect(element, SEQUENCE)
    parts = element.children()
    if [part.tag for part in parts] != [SEQUENCE, SEQUENCE, BIT_STRING]:
        raise MalformedError(
            f"got tags {[f'{part.tag:02X}' for part in parts[:4]]}, expected 30, 30 and 03"
        )
    return parts[0], parts[1], parts[2]


def _signed_parts(element: Element) -> tuple[Element, Algorithm, bytes, int]:
    content, algorithm, signature = _three_parts(element)
    octets, unused_bits = signature.bits()
    return content, read_algorithm(algorithm), octets, unused_bits


def _time(element: Element) -> Time:
    expect(element, UTC_TIME, GENERALIZED_TIME)
    return Time(is_generalized=element.tag == GENERALIZED_TIME, content=element.content)


def _revoked(element: Element) -> tuple[RevokedEntryView, ...]:
    children = element.children()
    if len(children) > _MAX_REVOKED:
        raise MalformedError(f"CRL has {len(children)} entries, expected at most {_MAX_REVOKED}")
    entries = []
    for child in children:
        expect(child, SEQUENCE)
        parts = child.children()
        if len(parts) not in {2, 3}:
            raise MalformedError(f"an entry of the CRL has {len(parts)} elements, expected 2 or 3")
        parts[0].integer()
        entries.append(
            RevokedEntryView(
                serial_number=parts[0].content,
                revoked_at=_time(parts[1]),
                extensions=read_extensions(parts[2]) if len(parts) == 3 else Extensions(),
            )
        )
    return tuple(entries)


def _optional(parts: list[Element], *tags: int) -> dict[int, Element]:
    """The optional parts at the end, each at most once and in their order."""
    found = [part.tag for part in parts]
    if found != [tag for tag in tags if tag in found]:
        raise MalformedError(
            f"got tags {[f'{tag:02X}' for tag in found[:8]]} at the end, expected some of "
            f"{[f'{tag:02X}' for tag in tags]} in this order"
        )
    return {part.tag: part for part in parts}
