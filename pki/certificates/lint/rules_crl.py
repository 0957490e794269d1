"""Rules about CRLs (ICAO 9303-12, tables 9 and 10; RFC 5280, 5)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.lint import extension_values as values
from pki.certificates.lint.extension_values import NAMES
from pki.certificates.lint.findings import LintProfile, RuleTable, Severity, Violation
from pki.certificates.lint.objects import CrlView

__all__ = ["CRL_RULES"]

_table: RuleTable[CrlView] = RuleTable(frozenset({LintProfile.CRL}))
_Check = Callable[[CrlView], Iterator[Violation]]

_TABLE_10: Final = "ICAO 9303-12, table 10"
_LONGEST: Final = timedelta(days=90)

_PRESENT: Final = (
    ("lint.crl.authority-key-identifier-present", ext.AUTHORITY_KEY_IDENTIFIER),
    ("lint.crl.number-present", ext.CRL_NUMBER),
)
_NOT_CRITICAL: Final = (
    ("lint.crl.authority-key-identifier-not-critical", ext.AUTHORITY_KEY_IDENTIFIER),
    ("lint.crl.number-not-critical", ext.CRL_NUMBER),
    ("lint.crl.issuer-alternative-name-not-critical", ext.ISSUER_ALTERNATIVE_NAME),
)
_ABSENT: Final = (
    ("lint.crl.delta-indicator-absent", values.DELTA_CRL_INDICATOR),
    ("lint.crl.issuing-distribution-point-absent", values.ISSUING_DISTRIBUTION_POINT),
    ("lint.crl.freshest-crl-absent", values.FRESHEST_CRL),
)
_ABSENT_IN_ENTRIES: Final = (
    ("lint.crl.reason-code-absent", values.REASON_CODE),
    ("lint.crl.hold-instruction-absent", values.HOLD_INSTRUCTION),
    ("lint.crl.invalidity-date-absent", values.INVALIDITY_DATE),
    ("lint.crl.certificate-issuer-absent", values.CERTIFICATE_ISSUER),
)


@_table.rule(
    "lint.crl.version-2", clause="ICAO 9303-12, table 9", demands="the CRL is of version 2"
)
def _version(view: CrlView) -> Iterator[Violation]:
    if view.version != 1:
        yield Violation("version", "is not 2")


@_table.rule(
    "lint.crl.next-update-present",
    clause="ICAO 9303-12, table 9",
    demands="there is a nextUpdate",
)
def _next_update(view: CrlView) -> Iterator[Violation]:
    if "nextUpdate" not in view.times:
        yield Violation("nextUpdate", "is missing")


def _lifetime(view: CrlView) -> timedelta | None:
    start = view.times["thisUpdate"].moment
    end = view.times["nextUpdate"].moment if "nextUpdate" in view.times else None
    return None if start is None or end is None else end - start


@_table.rule(
    "lint.crl.update-order",
    clause="RFC 5280, 5.1.2.5",
    demands="the next update comes after this one",
)
def _update_order(view: CrlView) -> Iterator[Violation]:
    lifetime = _lifetime(view)
    if lifetime is not None and lifetime <= timedelta(0):
        yield Violation("nextUpdate", "is not after thisUpdate")


@_table.rule(
    "lint.crl.ninety-days",
    clause="ICAO 9303-12, 4.1.5",
    demands="a CRL is issued at least every 90 days: the next update is announced within them",
    severity=Severity.WARNING,
)
def _ninety_days(view: CrlView) -> Iterator[Violation]:
    lifetime = _lifetime(view)
    if lifetime is not None and lifetime > _LONGEST:
        yield Violation("nextUpdate", f"is {lifetime.days} days later, expected at most 90")


@_table.rule(
    "lint.crl.revoked-not-empty",
    clause="ICAO 9303-12, table 9; RFC 5280, 5.1.2.6",
    demands="the list of revoked certificates is absent where there are none",
)
def _revoked_not_empty(view: CrlView) -> Iterator[Violation]:
    if view.revoked is not None and not view.revoked:
        yield Violation("revokedCertificates", "is there and empty")


@_table.rule(
    "lint.crl.serial-numbers-unique",
    clause="RFC 5280, 5.1.2.6",
    demands="a revoked certificate is listed once",
)
def _serial_numbers_unique(view: CrlView) -> Iterator[Violation]:
    seen: set[bytes] = set()
    for index, entry in enumerate(view.revoked or ()):
        if entry.serial_number in seen:
            yield Violation(f"revokedCertificates[{index}]", "was listed before")
        seen.add(entry.serial_number)


@_table.rule(
    "lint.crl.revocation-date-form",
    clause="RFC 5280, 5.1.2.6",
    demands="revocation dates are times in the form of thisUpdate",
)
def _revocation_date(view: CrlView) -> Iterator[Violation]:
    for index, entry in enumerate(view.revoked or ()):
        time = entry.revoked_at
        if time.moment is None or (time.is_generalized and time.content < b"2050"):
            yield Violation(f"revokedCertificates[{index}].revocationDate", "has another form")


def _present(oid: str) -> _Check:
    def check(view: CrlView) -> Iterator[Violation]:
        if not view.extensions.has(oid):
            yield Violation("crlExtensions", f"there is no {NAMES[oid]}")

    return check


def _not_critical(oid: str) -> _Check:
    def check(view: CrlView) -> Iterator[Violation]:
        for item in view.extensions.all(oid):
            if item.critical:
                yield Violation(item.path, "is critical, expected not")

    return check


def _absent(oid: str) -> _Check:
    def check(view: CrlView) -> Iterator[Violation]:
        for item in view.extensions.all(oid):
            yield Violation(item.path, "is there, expected none")

    return check


def _absent_in_entries(oid: str) -> _Check:
    def check(view: CrlView) -> Iterator[Violation]:
        for index, entry in enumerate(view.revoked or ()):
            if entry.extensions.has(oid):
                yield Violation(f"revokedCertificates[{index}]", f"has a {NAMES[oid]}")

    return check


for _code, _oid in _PRESENT:
    _table.rule(_code, clause=_TABLE_10, demands=f"the extension {NAMES[_oid]} is there")(
        _present(_oid)
    )
for _code, _oid in _NOT_CRITICAL:
    _table.rule(_code, clause=_TABLE_10, demands=f"{NAMES[_oid]} is not critical")(
        _not_critical(_oid)
    )
for _code, _oid in _ABSENT:
    _table.rule(_code, clause=_TABLE_10, demands=f"the extension {NAMES[_oid]} is not there")(
        _absent(_oid)
    )
for _code, _oid in _ABSENT_IN_ENTRIES:
    _table.rule(_code, clause=_TABLE_10, demands=f"entries have no extension {NAMES[_oid]}")(
        _absent_in_entries(_oid)
    )


@_table.rule(
    "lint.crl.number-not-negative", clause=_TABLE_10, demands="the CRL number is not negative"
)
def _number_not_negative(view: CrlView) -> Iterator[Violation]:
    number = view.extensions.crl_number
    if number is not None and number[0] & 0x80:
        yield Violation("extensions.cRLNumber", "is negative")


@_table.rule(
    "lint.crl.number-length", clause=_TABLE_10, demands="the CRL number has at most 20 octets"
)
def _number_length(view: CrlView) -> Iterator[Violation]:
    number = view.extensions.crl_number
    if number is not None and len(number) > 20:
        yield Violation("extensions.cRLNumber", f"has {len(number)} bytes, expected at most 20")


@_table.rule(
    "lint.crl.private-extension-not-critical",
    clause="ICAO 9303-12, table 10 (other private extensions); RFC 5280, 5.2",
    demands="extensions of the CRL that the profile does not know are not critical",
)
def _private_not_critical(view: CrlView) -> Iterator[Violation]:
    for item in view.extensions.items:
        if item.critical and item.oid not in NAMES:
            yield Violation(item.path, "is unknown and critical")


@_table.rule(
    "lint.crl.private-entry-extension-not-critical",
    clause="ICAO 9303-12, table 10 (other private extensions); RFC 5280, 5.3",
    demands="extensions of an entry that the profile does not know are not critical",
)
def _private_entry_not_critical(view: CrlView) -> Iterator[Violation]:
    for index, entry in enumerate(view.revoked or ()):
        if any(item.critical and item.oid not in NAMES for item in entry.extensions.items):
            yield Violation(f"revokedCertificates[{index}]", "an extension is unknown and critical")


CRL_RULES = _table.rules
