"""Rules about names and times (ICAO 9303-12, tables 5 and 9, 7.1.1.1; RFC 5280, 4.1.2)."""

import re
from collections.abc import Iterator
from typing import Final

from pki.certificates.lint.element import Path
from pki.certificates.lint.findings import (
    CERTIFICATES,
    DOCUMENT_PKI,
    LintProfile,
    RuleTable,
    Violation,
)
from pki.certificates.lint.names import (
    BMP_STRING,
    COMMON_NAME,
    COUNTRY,
    IA5_STRING,
    PRINTABLE_STRING,
    SERIAL_NUMBER,
    TELETEX_STRING,
    UTF8_STRING,
    Attribute,
)
from pki.certificates.lint.objects import CertificateView, SignedView

__all__ = ["CERTIFICATE_NAME_RULES", "NAME_AND_TIME_RULES"]

_SIGNED: Final = CERTIFICATES | {LintProfile.CRL}
_DOC_9303: Final = DOCUMENT_PKI | {LintProfile.CRL}
_signed: RuleTable[SignedView] = RuleTable(_SIGNED)
_certificate: RuleTable[CertificateView] = RuleTable(CERTIFICATES)

_DIRECTORY_STRINGS: Final = frozenset({UTF8_STRING, PRINTABLE_STRING})
_OTHER_TEXTS: Final = frozenset({TELETEX_STRING, BMP_STRING, 0x1C, IA5_STRING})
_IA5_ATTRIBUTES: Final = frozenset({"1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25"})
"""E-mail address and domain component: IA5String by their own standards."""

_PRINTABLE: Final = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")
_MAX_CHARACTERS: Final = {
    COMMON_NAME: 64,
    SERIAL_NUMBER: 64,
    COUNTRY: 3,
    "2.5.4.7": 128,
    "2.5.4.8": 128,
    "2.5.4.10": 64,
    "2.5.4.11": 64,
    "2.5.4.12": 64,
}
"""The upper bounds of RFC 5280, A.1; a country's two letters are a rule of their own."""


def _attributes(view: SignedView) -> Iterator[tuple[Path, Attribute]]:
    for path, name in view.names.items():
        for attribute in name.attributes:
            yield f"{path}.{attribute.label}", attribute


@_signed.rule(
    "lint.name.country-present",
    clause="ICAO 9303-12, 7.1.1.1.1",
    demands="issuer and subject have one countryName",
    profiles=_DOC_9303,
)
def _country_present(view: SignedView) -> Iterator[Violation]:
    for path, name in view.names.items():
        count = len(name.all(COUNTRY))
        if count != 1:
            yield Violation(path, f"has {count} countryName, expected one")


@_signed.rule(
    "lint.name.country-two-letters",
    clause="ICAO 9303-12, 7.1.1.1.1",
    demands="countryName has two letters",
    profiles=_DOC_9303,
)
def _country_two_letters(view: SignedView) -> Iterator[Violation]:
    for path, attribute in _attributes(view):
        text = attribute.text
        if attribute.oid == COUNTRY and not re.fullmatch(r"[A-Za-z]{2}", text or ""):
            yield Violation(path, f"is {(text or '')[:8]!r}, expected two letters")


@_signed.rule(
    "lint.name.country-upper-case",
    clause="ICAO 9303-12, tables 5 and 9",
    demands="countryName is in upper case",
    profiles=_DOC_9303,
)
def _country_upper_case(view: SignedView) -> Iterator[Violation]:
    for path, attribute in _attributes(view):
        text = attribute.text or ""
        if attribute.oid == COUNTRY and text != text.upper():
            yield Violation(path, f"is {text[:8]!r}, expected capitals")


@_signed.rule(
    "lint.name.country-printable-string",
    clause="ICAO 9303-12, tables 5 and 9; RFC 5280, A.1",
    demands="countryName is a PrintableString",
)
def _country_printable(view: SignedView) -> Iterator[Violation]:
    return _printable(view, COUNTRY)


@_signed.rule(
    "lint.name.serial-number-printable-string",
    clause="ICAO 9303-12, tables 5 and 9; RFC 5280, A.1",
    demands="serialNumber in a name is a PrintableString",
)
def _serial_number_printable(view: SignedView) -> Iterator[Violation]:
    return _printable(view, SERIAL_NUMBER)


def _printable(view: SignedView, oid: str) -> Iterator[Violation]:
    for path, attribute in _attributes(view):
        if attribute.oid == oid and attribute.tag != PRINTABLE_STRING:
            yield Violation(path, f"has tag {attribute.tag:02X}, expected 13 (PrintableString)")


@_signed.rule(
    "lint.name.directory-string",
    clause="ICAO 9303-12, tables 5 and 9",
    demands="other attributes are PrintableString or UTF8String",
)
def _directory_string(view: SignedView) -> Iterator[Violation]:
    printable = {COUNTRY, SERIAL_NUMBER} | _IA5_ATTRIBUTES
    for path, attribute in _attributes(view):
        if attribute.oid not in printable and attribute.tag in _OTHER_TEXTS:
            yield Violation(
                path,
                f"has tag {attribute.tag:02X}, expected 13 (PrintableString) or 0C (UTF8String)",
            )


@_signed.rule(
    "lint.name.characters",
    clause="X.680, 41.4; RFC 3629, 3",
    demands="texts hold only what their type can hold",
)
def _characters(view: SignedView) -> Iterator[Violation]:
    for path, attribute in _attributes(view):
        if attribute.tag == PRINTABLE_STRING and not _PRINTABLE.fullmatch(attribute.content):
            yield Violation(path, "has characters that a PrintableString cannot hold")
        elif attribute.tag == UTF8_STRING and attribute.text is None:
            yield Violation(path, "is not UTF-8")


@_signed.rule(
    "lint.name.text-length",
    clause="RFC 5280, A.1",
    demands="texts are not empty and not longer than the upper bounds",
)
def _text_length(view: SignedView) -> Iterator[Violation]:
    for path, attribute in _attributes(view):
        text = attribute.text
        longest = _MAX_CHARACTERS.get(attribute.oid, 32768)
        if text is not None and not 1 <= len(text) <= longest:
            yield Violation(path, f"has {len(text)} characters, expected 1 to {longest}")


@_signed.rule(
    "lint.name.common-name-present",
    clause="ICAO 9303-12, 7.1.1.1.1",
    demands="issuer and subject have a commonName",
    profiles=_DOC_9303,
)
def _common_name_present(view: SignedView) -> Iterator[Violation]:
    for path, name in view.names.items():
        if not name.all(COMMON_NAME):
            yield Violation(path, "has no commonName")


@_certificate.rule(
    "lint.name.countries-equal",
    clause="ICAO 9303-12, table 5",
    demands="countryName of issuer and subject match",
    profiles=DOCUMENT_PKI,
)
def _countries_equal(view: CertificateView) -> Iterator[Violation]:
    # A difference of case alone is the finding of another rule.
    issuer, subject = (
        tuple(text.upper() for text in name.texts(COUNTRY)) for name in (view.issuer, view.subject)
    )
    if issuer and subject and issuer != subject:
        yield Violation("subject.countryName", f"is {subject[0]!r}, expected {issuer[0]!r}")


@_signed.rule(
    "lint.time.utc-through-2049",
    clause="ICAO 9303-12, tables 5 and 9; RFC 5280, 4.1.2.5",
    demands="times through 2049 are UTCTime",
)
def _utc_through_2049(view: SignedView) -> Iterator[Violation]:
    for path, time in view.times.items():
        if time.is_generalized and time.content[:4] < b"2050":
            yield Violation(path, "is a GeneralizedTime, expected UTCTime before 2050")


@_signed.rule(
    "lint.time.zulu",
    clause="ICAO 9303-12, tables 5 and 9",
    demands="times end with Z",
)
def _zulu(view: SignedView) -> Iterator[Violation]:
    for path, time in view.times.items():
        if not time.is_zulu:
            yield Violation(path, "does not end with Z")


@_signed.rule(
    "lint.time.seconds-present",
    clause="ICAO 9303-12, tables 5 and 9",
    demands="times have seconds",
)
def _seconds_present(view: SignedView) -> Iterator[Violation]:
    for path, time in view.times.items():
        if not time.has_seconds:
            yield Violation(path, "has no seconds")


@_signed.rule(
    "lint.time.no-fraction",
    clause="ICAO 9303-12, tables 5 and 9",
    demands="times have no fraction of a second",
)
def _no_fraction(view: SignedView) -> Iterator[Violation]:
    for path, time in view.times.items():
        if time.has_fraction:
            yield Violation(path, "has a fraction of a second")


@_signed.rule(
    "lint.time.calendar",
    clause="RFC 5280, 4.1.2.5",
    demands="times are times of the calendar",
)
def _calendar(view: SignedView) -> Iterator[Violation]:
    for path, time in view.times.items():
        # Other forms are the findings of the rules above.
        has_form = time.is_zulu and time.has_seconds and not time.has_fraction
        if has_form and time.moment is None:
            yield Violation(path, "is no day or no time of day")


@_certificate.rule(
    "lint.time.validity-order",
    clause="RFC 5280, 4.1.2.5",
    demands="a certificate's validity does not end before it begins",
)
def _validity_order(view: CertificateView) -> Iterator[Violation]:
    start = view.times["validity.notBefore"].moment
    end = view.times["validity.notAfter"].moment
    if start is not None and end is not None and end < start:
        yield Violation("validity", f"ends {end:%Y-%m-%d}, expected not before {start:%Y-%m-%d}")


NAME_AND_TIME_RULES = _signed.rules
CERTIFICATE_NAME_RULES = _certificate.rules
