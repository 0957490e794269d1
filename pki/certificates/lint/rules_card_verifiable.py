"""Rules about card-verifiable certificates (ICAO 9303-12, 7.2.2, 7.2.3 and 4.2; TR-03110-3, C.1 and D)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pki.certificates.lint.card_verifiable import (
    AUTHORITY_REFERENCE,
    BODY_ORDER,
    EFFECTIVE,
    EXPIRATION,
    HOLDER_REFERENCE,
    OPTIONAL_IN_BODY,
    PROFILE_IDENTIFIER,
    CardVerifiableView,
)
from pki.certificates.lint.element import OBJECT_IDENTIFIER, MalformedError
from pki.certificates.lint.findings import (
    CARD_VERIFIABLE,
    LintProfile,
    RuleTable,
    Severity,
    Violation,
)

__all__ = ["CARD_VERIFIABLE_RULES"]

_table: RuleTable[CardVerifiableView] = RuleTable(CARD_VERIFIABLE)

_CVCA: Final = frozenset({LintProfile.CVCA})
_DOCUMENT_VERIFIER: Final = frozenset({LintProfile.DOCUMENT_VERIFIER})
_TERMINAL: Final = frozenset({LintProfile.TERMINAL})
_REFERENCE: Final = re.compile(rb"[A-Z]{2}[\x20-\x7e\xa0-\xff]{1,9}[0-9A-Z]{5}")
_EC_TAGS: Final = (0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87)
_DOMAIN_TAGS: Final = frozenset({0x81, 0x82, 0x83, 0x84, 0x85})
_RSA_TAGS: Final = (0x81, 0x82)
_ALGORITHMS: Final = re.compile(r"0\.4\.0\.127\.0\.7\.2\.2\.2\.(1\.[1-6]|2\.[1-5])")
_AUTHORIZATION_BYTES: Final = {
    "0.4.0.127.0.7.3.1.2.1": 1,
    "0.4.0.127.0.7.3.1.2.2": 5,
    "0.4.0.127.0.7.3.1.2.3": 1,
}
"""Inspection systems, authentication terminals, signature terminals."""


@_table.rule(
    "lint.cv.shortest-lengths",
    clause="ICAO 9303-12, 7.2.3.1.7; X.690, 10.1",
    demands="lengths are definite and in their shortest form",
)
def _lengths(view: CardVerifiableView) -> Iterator[Violation]:
    try:
        for element in view.elements:
            if not (element.is_shortest and element.is_definite):
                yield Violation(f"offset {element.start}", "length is not in its shortest form")
                return
    except MalformedError as error:
        yield Violation("", str(error))


@_table.rule(
    "lint.cv.body-complete",
    clause="ICAO 9303-12, table 11",
    demands="the body has every mandatory data object",
)
def _complete(view: CardVerifiableView) -> Iterator[Violation]:
    for tag, name in BODY_ORDER.items():
        if tag not in view.tags and tag not in OPTIONAL_IN_BODY:
            yield Violation("body", f"has no {name}")


@_table.rule(
    "lint.cv.body-order",
    clause="ICAO 9303-12, table 11; TR-03110-3, C.1",
    demands="the data objects of the body stand once, in their order, and there are no others",
)
def _order(view: CardVerifiableView) -> Iterator[Violation]:
    if list(view.tags) != [tag for tag in BODY_ORDER if tag in view.tags]:
        yield Violation("body", f"has tags {' '.join(f'{tag:02X}' for tag in view.tags[:12])}")


@_table.rule(
    "lint.cv.profile-identifier",
    clause="ICAO 9303-12, 7.2.2.1",
    demands="the profile identifier is 0, in one byte",
)
def _profile_identifier(view: CardVerifiableView) -> Iterator[Violation]:
    if view.content(PROFILE_IDENTIFIER) not in {None, b"\x00"}:
        yield Violation("body.profileIdentifier", "is not 0")


def _reference(view: CardVerifiableView, tag: int) -> Iterator[Violation]:
    text = view.content(tag)
    if text is not None and not _REFERENCE.fullmatch(text):
        yield Violation(
            f"body.{BODY_ORDER[tag]}",
            f"has {len(text)} bytes, expected a country's two letters, a mnemonic of one to nine "
            "characters and a sequence number of five",
        )


@_table.rule(
    "lint.cv.authority-reference",
    clause="ICAO 9303-12, 7.2.2.2 and table 12",
    demands="the authority's reference is country, mnemonic and sequence number",
)
def _authority_reference(view: CardVerifiableView) -> Iterator[Violation]:
    return _reference(view, AUTHORITY_REFERENCE)


@_table.rule(
    "lint.cv.holder-reference",
    clause="ICAO 9303-12, 7.2.2.2 and table 12",
    demands="the holder's reference is country, mnemonic and sequence number",
)
def _holder_reference(view: CardVerifiableView) -> Iterator[Violation]:
    return _reference(view, HOLDER_REFERENCE)


@_table.rule(
    "lint.cv.algorithm",
    clause="TR-03110-3, D.3 and A.6.4",
    demands="the key is for terminal authentication with RSA or ECDSA",
)
def _algorithm(view: CardVerifiableView) -> Iterator[Violation]:
    if view.key_algorithm is not None and not _ALGORITHMS.fullmatch(view.key_algorithm):
        yield Violation("body.publicKey", f"algorithm {view.key_algorithm} is unknown")


@_table.rule(
    "lint.cv.key-parts",
    clause="ICAO 9303-12, tables 15 and 16",
    demands="the key's data objects stand once and in their order, the mandatory ones among them",
)
def _key_parts(view: CardVerifiableView) -> Iterator[Violation]:
    if view.key_algorithm is None or not _ALGORITHMS.fullmatch(view.key_algorithm):
        return
    known = _EC_TAGS if view.is_on_elliptic_curve else _RSA_TAGS
    mandatory = {0x86} if view.is_on_elliptic_curve else set(_RSA_TAGS)
    is_ordered = list(view.key_tags) == [tag for tag in known if tag in view.key_tags]
    if not is_ordered or not mandatory <= set(view.key_tags):
        yield Violation(
            "body.publicKey", f"has tags {[f'{tag:02X}' for tag in view.key_tags[:12]]}"
        )


@_table.rule(
    "lint.cv.domain-parameters-complete",
    clause="ICAO 9303-12, 7.2.3.2.2",
    demands="domain parameters are all there, or none of them",
)
def _parameters_complete(view: CardVerifiableView) -> Iterator[Violation]:
    found = _DOMAIN_TAGS & set(view.key_tags)
    has_lone_cofactor = 0x87 in view.key_tags and not found
    if view.is_on_elliptic_curve and (found not in (_DOMAIN_TAGS, set()) or has_lone_cofactor):
        yield Violation("body.publicKey", "has some of the domain parameters")


@_table.rule(
    "lint.cv.domain-parameters-present",
    clause="ICAO 9303-12, 7.2.2.3",
    demands="a self-signed CVCA certificate has domain parameters",
    profiles=_CVCA,
)
def _parameters_present(view: CardVerifiableView) -> Iterator[Violation]:
    is_judged = view.is_on_elliptic_curve and view.is_self_signed
    if is_judged and not _DOMAIN_TAGS & set(view.key_tags):
        yield Violation("body.publicKey", "has no domain parameters")


@_table.rule(
    "lint.cv.domain-parameters-absent",
    clause="ICAO 9303-12, 7.2.2.3",
    demands="certificates of document verifiers and terminals have no domain parameters",
    profiles=_DOCUMENT_VERIFIER | _TERMINAL,
)
def _parameters_absent(view: CardVerifiableView) -> Iterator[Violation]:
    if view.is_on_elliptic_curve and set(view.key_tags) >= _DOMAIN_TAGS:
        yield Violation("body.publicKey", "has domain parameters, expected none")


@_table.rule(
    "lint.cv.curve-known",
    clause="TR-03110-3, A.2.1.1; TR-03111, 4.1.3 (CVE-2020-0601)",
    demands="domain parameters are, in every value, those of a standard curve",
)
def _curve_known(view: CardVerifiableView) -> Iterator[Violation]:
    parameters = view.domain_parameters()
    if parameters is not None and parameters.curve() is None:
        yield Violation("body.publicKey", "domain parameters equal those of no standard curve")


@_table.rule(
    "lint.cv.points-uncompressed",
    clause="ICAO 9303-12, 7.2.3.1.2",
    demands="points are uncompressed",
)
def _points(view: CardVerifiableView) -> Iterator[Violation]:
    for tag in (0x84, 0x86) if view.is_on_elliptic_curve else ():
        part = view.key_parts.get(tag)
        if part is not None and (part.content[:1] != b"\x04" or len(part.content) % 2 == 0):
            yield Violation("body.publicKey", f"the point with tag {tag:02X} is not uncompressed")


@_table.rule(
    "lint.cv.integers-shortest",
    clause="ICAO 9303-12, 7.2.3.1.1",
    demands="unsigned integers have no leading zero bytes",
)
def _integers(view: CardVerifiableView) -> Iterator[Violation]:
    tags = (0x81, 0x82, 0x83, 0x85, 0x87) if view.is_on_elliptic_curve else _RSA_TAGS
    for tag in tags:
        part = view.key_parts.get(tag)
        if part is not None and part.content[:1] in {b"", b"\x00"}:
            yield Violation("body.publicKey", f"the number with tag {tag:02X} begins with 00")


@_table.rule(
    "lint.cv.authorization-type",
    clause="ICAO 9303-12, 7.2.2.4; TR-03110-3, C.1.5",
    demands="the authorization is for inspection systems, authentication or signature terminals",
)
def _authorization_type(view: CardVerifiableView) -> Iterator[Violation]:
    kind = view.authorization_type
    if kind is not None and kind not in _AUTHORIZATION_BYTES:
        yield Violation("body.authorization", f"type {kind} is unknown")


@_table.rule(
    "lint.cv.authorization-length",
    clause="TR-03110-3, C.4",
    demands="the authorization is as long as its type says",
)
def _authorization_length(view: CardVerifiableView) -> Iterator[Violation]:
    expected = _AUTHORIZATION_BYTES.get(view.authorization_type or "")
    found = len(view.authorization or b"")
    if expected is not None and found != expected:
        yield Violation("body.authorization", f"has {found} bytes, expected {expected}")


@_table.rule(
    "lint.cv.dates",
    clause="ICAO 9303-12, 7.2.3.1.3",
    demands="dates are six digits in a byte each: a day from 2000 to 2099",
)
def _dates(view: CardVerifiableView) -> Iterator[Violation]:
    for tag in (EFFECTIVE, EXPIRATION):
        if tag in view.tags and view.date(tag) is None:
            yield Violation(f"body.{BODY_ORDER[tag]}", "is no date of six digits")


def _validity(view: CardVerifiableView) -> timedelta | None:
    start, end = view.date(EFFECTIVE), view.date(EXPIRATION)
    return None if start is None or end is None else end - start


@_table.rule(
    "lint.cv.validity-order",
    clause="ICAO 9303-12, 7.2.2.5",
    demands="the certificate does not expire before it becomes effective",
)
def _validity_order(view: CardVerifiableView) -> Iterator[Violation]:
    validity = _validity(view)
    if validity is not None and validity < timedelta(0):
        yield Violation("body", "expires before it becomes effective")


def _at_most(view: CardVerifiableView, longest: timedelta) -> Iterator[Violation]:
    validity = _validity(view)
    if validity is not None and validity > longest:
        yield Violation("body", f"is valid for {validity.days} days, expected {longest.days}")


@_table.rule(
    "lint.cv.cvca-validity",
    clause="ICAO 9303-12, table 2",
    demands="a CVCA certificate is valid for three years at most",
    profiles=_CVCA,
)
def _cvca_validity(view: CardVerifiableView) -> Iterator[Violation]:
    return _at_most(view, timedelta(days=3 * 366))


@_table.rule(
    "lint.cv.document-verifier-validity",
    clause="ICAO 9303-12, table 2",
    demands="a document verifier's certificate is valid for three months at most",
    profiles=_DOCUMENT_VERIFIER,
)
def _verifier_validity(view: CardVerifiableView) -> Iterator[Violation]:
    return _at_most(view, timedelta(days=92))


@_table.rule(
    "lint.cv.terminal-validity",
    clause="ICAO 9303-12, table 2",
    demands="a terminal's certificate is valid for a month at most",
    profiles=_TERMINAL,
)
def _terminal_validity(view: CardVerifiableView) -> Iterator[Violation]:
    return _at_most(view, timedelta(days=31))


@_table.rule(
    "lint.cv.extensions",
    clause="ICAO 9303-12, 7.2.2.6 and table 13",
    demands="extensions are templates of a type and what belongs to it",
)
def _extensions(view: CardVerifiableView) -> Iterator[Violation]:
    for part in view.extension_parts:
        try:
            is_right = part.tag == 0x73 and part.children()[0].tag == OBJECT_IDENTIFIER
        except (MalformedError, IndexError):
            is_right = False
        if not is_right:
            yield Violation("body.extensions", "an extension is no template with a type")


@_table.rule(
    "lint.cv.signature-form",
    clause="ICAO 9303-12, 7.2.2.7; TR-03111, 5.2.1",
    demands="a signature is there; one of a self-signed ECDSA key is two numbers as long as the curve's order",
)
def _signature_form(view: CardVerifiableView) -> Iterator[Violation]:
    parameters = view.domain_parameters()
    if not view.signature:
        yield Violation("signature", "is empty")
    elif view.is_self_signed and parameters is not None:
        expected = 2 * ((parameters.n.bit_length() + 7) // 8)
        if len(view.signature) != expected:
            yield Violation("signature", f"has {len(view.signature)} bytes, expected {expected}")


@_table.rule(
    "lint.cv.self-signature",
    clause="ICAO 9303-12, 7.2.2.7",
    demands="the signature of a self-signed certificate verifies with its own key",
    profiles=_CVCA,
)
def _self_signature(view: CardVerifiableView) -> Iterator[Violation]:
    parameters = view.domain_parameters()
    if not view.is_self_signed or parameters is None:
        return
    has_form = len(view.signature) == 2 * ((parameters.n.bit_length() + 7) // 8)
    if has_form and view.verifies_itself() is False:
        yield Violation("signature", "does not verify with the certificate's own key")


@_table.rule(
    "lint.cv.sequence-number-country",
    clause="ICAO 9303-12, 7.2.2.2",
    demands="a sequence number begins with the two letters of the certifying authority's country",
    severity=Severity.WARNING,
    profiles=_DOCUMENT_VERIFIER | _TERMINAL,
)
def _sequence_country(view: CardVerifiableView) -> Iterator[Violation]:
    authority, holder = view.content(AUTHORITY_REFERENCE), view.content(HOLDER_REFERENCE)
    if authority is None or holder is None or not _REFERENCE.fullmatch(holder):
        return
    if _REFERENCE.fullmatch(authority) and holder[-5:-3] != authority[:2]:
        yield Violation("body.certificate holder reference", "sequence number has another country")


CARD_VERIFIABLE_RULES = _table.rules
