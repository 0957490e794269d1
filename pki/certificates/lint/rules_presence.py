"""The table of extensions: which must be there, which must not, and which are critical (ICAO 9303-12, table 6)."""

from collections.abc import Callable, Iterator
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.lint import extension_values as values
from pki.certificates.lint.extension_values import NAMES
from pki.certificates.lint.findings import (
    AUTHORITIES,
    CERTIFICATES,
    DOCUMENT_PKI,
    SIGNERS,
    LintProfile,
    RuleTable,
    Violation,
)
from pki.certificates.lint.objects import CertificateView

__all__ = ["PRESENCE_RULES"]

_table: RuleTable[CertificateView] = RuleTable(CERTIFICATES)
_Check = Callable[[CertificateView], Iterator[Violation]]

_TABLE_6: Final = "ICAO 9303-12, table 6"
_LINK: Final = frozenset({LintProfile.CSCA_LINK})
_DOCUMENT_SIGNER: Final = frozenset({LintProfile.DOCUMENT_SIGNER})
_MASTER_LIST_SIGNER: Final = frozenset({LintProfile.MASTER_LIST_SIGNER})

_PRESENT: Final = (
    ("lint.csca.subject-key-identifier-present", ext.SUBJECT_KEY_IDENTIFIER, AUTHORITIES),
    (
        "lint.certificate.authority-key-identifier-present",
        ext.AUTHORITY_KEY_IDENTIFIER,
        _LINK | SIGNERS,
    ),
    ("lint.certificate.key-usage-present", ext.KEY_USAGE, DOCUMENT_PKI),
    (
        "lint.certificate.private-key-usage-period-present",
        ext.PRIVATE_KEY_USAGE_PERIOD,
        AUTHORITIES | _DOCUMENT_SIGNER,
    ),
    (
        "lint.certificate.subject-alternative-name-present",
        ext.SUBJECT_ALTERNATIVE_NAME,
        DOCUMENT_PKI,
    ),
    (
        "lint.certificate.issuer-alternative-name-present",
        ext.ISSUER_ALTERNATIVE_NAME,
        DOCUMENT_PKI,
    ),
    ("lint.csca.basic-constraints-present", ext.BASIC_CONSTRAINTS, AUTHORITIES),
    (
        "lint.certificate.distribution-points-present",
        ext.CRL_DISTRIBUTION_POINTS,
        DOCUMENT_PKI,
    ),
    (
        "lint.master-list-signer.extended-key-usage-present",
        ext.EXTENDED_KEY_USAGE,
        _MASTER_LIST_SIGNER,
    ),
    ("lint.document-signer.document-types-present", ext.DOCUMENT_TYPE_LIST, _DOCUMENT_SIGNER),
)

_ABSENT: Final = (
    ("lint.certificate.policy-mappings-absent", values.POLICY_MAPPINGS, DOCUMENT_PKI),
    (
        "lint.certificate.subject-directory-attributes-absent",
        values.SUBJECT_DIRECTORY_ATTRIBUTES,
        DOCUMENT_PKI,
    ),
    ("lint.certificate.name-constraints-absent", values.NAME_CONSTRAINTS, DOCUMENT_PKI),
    ("lint.certificate.policy-constraints-absent", values.POLICY_CONSTRAINTS, DOCUMENT_PKI),
    ("lint.certificate.inhibit-any-policy-absent", values.INHIBIT_ANY_POLICY, DOCUMENT_PKI),
    ("lint.certificate.freshest-crl-absent", values.FRESHEST_CRL, DOCUMENT_PKI),
    (
        "lint.certificate.netscape-certificate-type-absent",
        values.NETSCAPE_CERTIFICATE_TYPE,
        DOCUMENT_PKI,
    ),
    ("lint.signer.basic-constraints-absent", ext.BASIC_CONSTRAINTS, SIGNERS),
    ("lint.csca.extended-key-usage-absent", ext.EXTENDED_KEY_USAGE, AUTHORITIES),
    ("lint.document-signer.extended-key-usage-absent", ext.EXTENDED_KEY_USAGE, _DOCUMENT_SIGNER),
    ("lint.signer.name-change-absent", values.NAME_CHANGE, SIGNERS),
    (
        "lint.certificate.document-types-absent",
        ext.DOCUMENT_TYPE_LIST,
        AUTHORITIES | _MASTER_LIST_SIGNER,
    ),
)

_CRITICAL: Final = (
    ("lint.certificate.key-usage-critical", ext.KEY_USAGE, DOCUMENT_PKI),
    ("lint.csca.basic-constraints-critical", ext.BASIC_CONSTRAINTS, AUTHORITIES),
    (
        "lint.master-list-signer.extended-key-usage-critical",
        ext.EXTENDED_KEY_USAGE,
        _MASTER_LIST_SIGNER,
    ),
)

_NOT_CRITICAL: Final = (
    (
        "lint.certificate.authority-key-identifier-not-critical",
        ext.AUTHORITY_KEY_IDENTIFIER,
        CERTIFICATES,
    ),
    (
        "lint.certificate.subject-key-identifier-not-critical",
        ext.SUBJECT_KEY_IDENTIFIER,
        CERTIFICATES,
    ),
    (
        "lint.certificate.private-key-usage-period-not-critical",
        ext.PRIVATE_KEY_USAGE_PERIOD,
        DOCUMENT_PKI,
    ),
    ("lint.certificate.policies-not-critical", ext.CERTIFICATE_POLICIES, DOCUMENT_PKI),
    (
        "lint.certificate.subject-alternative-name-not-critical",
        ext.SUBJECT_ALTERNATIVE_NAME,
        DOCUMENT_PKI,
    ),
    (
        "lint.certificate.issuer-alternative-name-not-critical",
        ext.ISSUER_ALTERNATIVE_NAME,
        DOCUMENT_PKI,
    ),
    (
        "lint.certificate.distribution-points-not-critical",
        ext.CRL_DISTRIBUTION_POINTS,
        DOCUMENT_PKI,
    ),
    (
        "lint.certificate.authority-information-access-not-critical",
        values.AUTHORITY_INFORMATION_ACCESS,
        CERTIFICATES,
    ),
    (
        "lint.certificate.subject-information-access-not-critical",
        values.SUBJECT_INFORMATION_ACCESS,
        CERTIFICATES,
    ),
    ("lint.csca.name-change-not-critical", values.NAME_CHANGE, AUTHORITIES),
    (
        "lint.document-signer.document-types-not-critical",
        ext.DOCUMENT_TYPE_LIST,
        _DOCUMENT_SIGNER,
    ),
)


def _present(oid: str) -> _Check:
    def check(view: CertificateView) -> Iterator[Violation]:
        if not view.extensions.has(oid):
            yield Violation("extensions", f"there is no {NAMES[oid]}")

    return check


def _absent(oid: str) -> _Check:
    def check(view: CertificateView) -> Iterator[Violation]:
        for item in view.extensions.all(oid):
            yield Violation(item.path, "is there, expected none")

    return check


def _critical(oid: str, *, expected: bool) -> _Check:
    def check(view: CertificateView) -> Iterator[Violation]:
        for item in view.extensions.all(oid):
            if item.critical is not expected:
                yield Violation(
                    item.path, "is not critical" if expected else "is critical, expected not"
                )

    return check


@_table.rule(
    "lint.certificate.extensions-not-empty",
    clause="RFC 5280, 4.1.2.9",
    demands="a list of extensions, where there is one, is not empty",
)
def _extensions_not_empty(view: CertificateView) -> Iterator[Violation]:
    if view.has_extensions and not view.extensions.items:
        yield Violation("extensions", "the list is there and empty")


for _code, _oid, _profiles in _PRESENT:
    _table.rule(
        _code, clause=_TABLE_6, demands=f"the extension {NAMES[_oid]} is there", profiles=_profiles
    )(_present(_oid))
for _code, _oid, _profiles in _ABSENT:
    _table.rule(
        _code,
        clause=_TABLE_6,
        demands=f"the extension {NAMES[_oid]} is not there",
        profiles=_profiles,
    )(_absent(_oid))
for _code, _oid, _profiles in _CRITICAL:
    _table.rule(_code, clause=_TABLE_6, demands=f"{NAMES[_oid]} is critical", profiles=_profiles)(
        _critical(_oid, expected=True)
    )
for _code, _oid, _profiles in _NOT_CRITICAL:
    _table.rule(
        _code, clause=_TABLE_6, demands=f"{NAMES[_oid]} is not critical", profiles=_profiles
    )(_critical(_oid, expected=False))


@_table.rule(
    "lint.certificate.private-extension-not-critical",
    clause="ICAO 9303-12, table 6 (other private extensions); RFC 5280, 4.2",
    demands="an extension that the profile does not know is not critical",
)
def _private_not_critical(view: CertificateView) -> Iterator[Violation]:
    for item in view.extensions.items:
        if item.critical and item.oid not in NAMES:
            yield Violation(item.path, "is unknown and critical")


PRESENCE_RULES = _table.rules
