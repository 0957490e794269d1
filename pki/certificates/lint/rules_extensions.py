"""Rules about what stands inside the extensions of a certificate (ICAO 9303-12, table 6, 7.1.1.2 to 7.1.1.6)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pki.certificates.extensions import KeyUsageBit
from pki.certificates.lint.element import Path
from pki.certificates.lint.extension_values import MASTER_LIST_SIGNING, PrivateKeyUsagePeriod
from pki.certificates.lint.findings import (
    AUTHORITIES,
    CERTIFICATES,
    DOCUMENT_PKI,
    SIGNERS,
    LintProfile,
    RuleTable,
    Severity,
    Violation,
)
from pki.certificates.lint.names import PRINTABLE_STRING
from pki.certificates.lint.objects import CertificateView, SignedView
from pki.certificates.lint.times import GENERALIZED_FORM, read_moment

__all__ = ["EXTENSION_RULES", "KEY_IDENTIFIER_RULES"]

_signed: RuleTable[SignedView] = RuleTable(DOCUMENT_PKI | {LintProfile.CRL})
_table: RuleTable[CertificateView] = RuleTable(DOCUMENT_PKI)

_ROOT: Final = frozenset({LintProfile.CSCA_ROOT})
_LINK: Final = frozenset({LintProfile.CSCA_LINK})
_DOCUMENT_SIGNER: Final = frozenset({LintProfile.DOCUMENT_SIGNER})
_MASTER_LIST_SIGNER: Final = frozenset({LintProfile.MASTER_LIST_SIGNER})
_KEY_USAGE: Final = "extensions.keyUsage"
_PERIOD: Final = "extensions.privateKeyUsagePeriod"
_IDENTIFIER: Final = "extensions.authorityKeyIdentifier"
_POINTS: Final = "extensions.cRLDistributionPoints"
_DOCUMENT_TYPES: Final = "extensions.documentTypeList"
_SCHEMES: Final = (b"ldap:", b"http:", b"https:")


@_signed.rule(
    "lint.authority-key-identifier.key-identifier-present",
    clause="ICAO 9303-12, tables 6 and 10",
    demands="the authority key identifier has a keyIdentifier",
)
def _key_identifier_present(view: SignedView) -> Iterator[Violation]:
    identifier = view.extensions.authority_key_identifier
    if identifier is not None and not identifier.key_identifier:
        yield Violation(_IDENTIFIER, "has no keyIdentifier, or an empty one")


@_signed.rule(
    "lint.authority-key-identifier.issuer-and-serial-number",
    clause="RFC 5280, 4.2.1.1 and A.2",
    demands="authorityCertIssuer and authorityCertSerialNumber are both there, or neither",
)
def _issuer_and_serial(view: SignedView) -> Iterator[Violation]:
    identifier = view.extensions.authority_key_identifier
    if identifier is not None and identifier.has_issuer != identifier.has_serial_number:
        yield Violation(_IDENTIFIER, "has one of issuer and serial number without the other")


@_table.rule(
    "lint.csca-root.authority-key-identifier-own",
    clause="RFC 5280, 4.2.1.1",
    demands="a root that names the key of its signer names its own",
    profiles=_ROOT,
)
def _identifier_own(view: CertificateView) -> Iterator[Violation]:
    identifier, own = (
        view.extensions.authority_key_identifier,
        view.extensions.subject_key_identifier,
    )
    if identifier is None or not identifier.key_identifier or not own:
        return
    if identifier.key_identifier != own:
        yield Violation(_IDENTIFIER, "is not the certificate's own key identifier")


@_table.rule(
    "lint.csca-link.authority-key-identifier-other",
    clause="ICAO 9303-12, 4.1.4.3 and 7.1.1.5",
    demands="a link certificate is signed with another key than its own",
    profiles=_LINK,
)
def _identifier_other(view: CertificateView) -> Iterator[Violation]:
    identifier, own = (
        view.extensions.authority_key_identifier,
        view.extensions.subject_key_identifier,
    )
    if identifier is not None and own and identifier.key_identifier == own:
        yield Violation(_IDENTIFIER, "is the certificate's own key identifier")


@_table.rule(
    "lint.certificate.subject-key-identifier-not-empty",
    clause="RFC 5280, 4.2.1.2",
    demands="the subject key identifier is not empty",
)
def _subject_identifier(view: CertificateView) -> Iterator[Violation]:
    if view.extensions.subject_key_identifier == b"":
        yield Violation("extensions.subjectKeyIdentifier", "is empty")


@_table.rule(
    "lint.csca-root.names-equal",
    clause="RFC 5280, 3.2 (self-issued); ICAO 9303-12, 7.1.1.5",
    demands="issuer and subject of a root are the same",
    profiles=_ROOT,
)
def _names_equal(view: CertificateView) -> Iterator[Violation]:
    if not view.issuer.is_same_as(view.subject):
        yield Violation("subject", "is not the issuer")


@_table.rule(
    "lint.csca.key-usage-certificate-sign",
    clause="ICAO 9303-12, table 6",
    demands="key usage has keyCertSign",
    profiles=AUTHORITIES,
)
def _certificate_sign(view: CertificateView) -> Iterator[Violation]:
    return _usage_present(view, KeyUsageBit.CERTIFICATE_SIGN, "keyCertSign")


@_table.rule(
    "lint.csca.key-usage-crl-sign",
    clause="ICAO 9303-12, table 6",
    demands="key usage has cRLSign",
    profiles=AUTHORITIES,
)
def _crl_sign(view: CertificateView) -> Iterator[Violation]:
    return _usage_present(view, KeyUsageBit.CRL_SIGN, "cRLSign")


@_table.rule(
    "lint.csca.key-usage-others-absent",
    clause="ICAO 9303-12, table 6",
    demands="key usage has nothing but keyCertSign and cRLSign",
    profiles=AUTHORITIES,
)
def _csca_others(view: CertificateView) -> Iterator[Violation]:
    return _usage_only(view, {KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})


@_table.rule(
    "lint.signer.key-usage-digital-signature",
    clause="ICAO 9303-12, table 6",
    demands="key usage has digitalSignature",
    profiles=SIGNERS,
)
def _digital_signature(view: CertificateView) -> Iterator[Violation]:
    return _usage_present(view, KeyUsageBit.DIGITAL_SIGNATURE, "digitalSignature")


@_table.rule(
    "lint.signer.key-usage-others-absent",
    clause="ICAO 9303-12, table 6",
    demands="key usage has nothing but digitalSignature",
    profiles=SIGNERS,
)
def _signer_others(view: CertificateView) -> Iterator[Violation]:
    return _usage_only(view, {KeyUsageBit.DIGITAL_SIGNATURE})


def _usage_present(view: CertificateView, bit: KeyUsageBit, name: str) -> Iterator[Violation]:
    usage = view.extensions.key_usage
    if usage is not None and bit not in usage.bits:
        yield Violation(_KEY_USAGE, f"has no {name}")


def _usage_only(view: CertificateView, allowed: set[KeyUsageBit]) -> Iterator[Violation]:
    usage = view.extensions.key_usage
    others = sorted(usage.bits - allowed) if usage is not None else []
    if others:
        yield Violation(_KEY_USAGE, f"has bits {others} besides")


@_table.rule(
    "lint.certificate.key-usage-shortest",
    clause="X.690, 11.2.2",
    demands="no zero bits trail behind the last key usage",
    profiles=CERTIFICATES,
)
def _usage_shortest(view: CertificateView) -> Iterator[Violation]:
    usage = view.extensions.key_usage
    if usage is not None and usage.has_trailing_zeros:
        yield Violation(_KEY_USAGE, "has zero bits behind the last one that is set")


@_table.rule(
    "lint.private-key-usage-period.bounds-present",
    clause="ICAO 9303-12, table 6",
    demands="the private key usage period has notBefore or notAfter",
)
def _bounds_present(view: CertificateView) -> Iterator[Violation]:
    period = view.extensions.private_key_usage_period
    if period is not None and period.not_before is None and period.not_after is None:
        yield Violation(_PERIOD, "has neither notBefore nor notAfter")


@_table.rule(
    "lint.private-key-usage-period.generalized-time",
    clause="ICAO 9303-12, table 6",
    demands="the private key usage period is encoded as GeneralizedTime, YYYYMMDDHHMMSSZ",
)
def _period_form(view: CertificateView) -> Iterator[Violation]:
    for path, text in _bounds(view.extensions.private_key_usage_period):
        if GENERALIZED_FORM.fullmatch(text) is None or read_moment(text) is None:
            yield Violation(path, "is not a time of the form YYYYMMDDHHMMSSZ")


@_table.rule(
    "lint.private-key-usage-period.order",
    clause="X.509, 9.2.2.5",
    demands="the private key usage period does not end before it begins",
)
def _period_order(view: CertificateView) -> Iterator[Violation]:
    period = view.extensions.private_key_usage_period
    start = None if period is None else read_moment(period.not_before or b"")
    end = None if period is None else read_moment(period.not_after or b"")
    if start is not None and end is not None and end < start:
        yield Violation(_PERIOD, f"ends {end:%Y-%m-%d}, expected not before {start:%Y-%m-%d}")


@_table.rule(
    "lint.private-key-usage-period.within-validity",
    clause="ICAO 9303-12, 4.1.1.1 and 4.1.4.1",
    demands="the private key is not used longer than the certificate is valid",
    severity=Severity.WARNING,
)
def _period_within(view: CertificateView) -> Iterator[Violation]:
    period = view.extensions.private_key_usage_period
    last = None if period is None else read_moment(period.not_after or b"")
    end = view.times["validity.notAfter"].moment
    if last is not None and end is not None and last > end:
        yield Violation(_PERIOD, f"ends {last:%Y-%m-%d}, the certificate's validity {end:%Y-%m-%d}")


@_table.rule(
    "lint.document-signer.key-use",
    clause="ICAO 9303-12, 4.1.1.2",
    demands="a document signer's private key is used for three months at most",
    profiles=_DOCUMENT_SIGNER,
    severity=Severity.WARNING,
)
def _signer_key_use(view: CertificateView) -> Iterator[Violation]:
    # Note 1 to table 1: the period can be slightly longer to allow for overlap.
    return _key_use(view, longest=timedelta(days=3 * 31 + 7))


@_table.rule(
    "lint.csca.key-use",
    clause="ICAO 9303-12, 4.1.4.2",
    demands="a CSCA's private key is used for five years at most",
    profiles=AUTHORITIES,
    severity=Severity.WARNING,
)
def _csca_key_use(view: CertificateView) -> Iterator[Violation]:
    return _key_use(view, longest=timedelta(days=5 * 366))


def _key_use(view: CertificateView, *, longest: timedelta) -> Iterator[Violation]:
    period = view.extensions.private_key_usage_period
    if period is None:
        return
    start = read_moment(period.not_before or b"") or view.times["validity.notBefore"].moment
    end = read_moment(period.not_after or b"")
    if start is not None and end is not None and end - start > longest:
        yield Violation(_PERIOD, f"is {(end - start).days} days, expected at most {longest.days}")


def _bounds(period: PrivateKeyUsagePeriod | None) -> Iterator[tuple[Path, bytes]]:
    if period is not None:
        if period.not_before is not None:
            yield f"{_PERIOD}.notBefore", period.not_before
        if period.not_after is not None:
            yield f"{_PERIOD}.notAfter", period.not_after


@_table.rule(
    "lint.certificate.policies-unique",
    clause="RFC 5280, 4.2.1.4",
    demands="a certificate policy stands at most once",
    profiles=CERTIFICATES,
)
def _policies_unique(view: CertificateView) -> Iterator[Violation]:
    policies = view.extensions.policies or ()
    if len(set(policies)) != len(policies):
        yield Violation("extensions.certificatePolicies", "names a policy twice")


@_table.rule(
    "lint.csca.basic-constraints-authority",
    clause="ICAO 9303-12, table 6",
    demands="basic constraints have cA TRUE",
    profiles=AUTHORITIES,
)
def _is_authority(view: CertificateView) -> Iterator[Violation]:
    constraints = view.extensions.basic_constraints
    if constraints is not None and not constraints.is_authority:
        yield Violation("extensions.basicConstraints", "cA is FALSE, expected TRUE")


@_table.rule(
    "lint.csca.path-length-present",
    clause="ICAO 9303-12, table 6",
    demands="basic constraints have a pathLenConstraint",
    profiles=AUTHORITIES,
)
def _path_length_present(view: CertificateView) -> Iterator[Violation]:
    constraints = view.extensions.basic_constraints
    if constraints is not None and constraints.path_length is None:
        yield Violation("extensions.basicConstraints", "there is no pathLenConstraint")


@_table.rule(
    "lint.csca.path-length-zero",
    clause="ICAO 9303-12, table 6",
    demands="the pathLenConstraint is 0",
    profiles=AUTHORITIES,
)
def _path_length_zero(view: CertificateView) -> Iterator[Violation]:
    constraints = view.extensions.basic_constraints
    if constraints is not None and constraints.path_length not in {None, 0}:
        yield Violation("extensions.basicConstraints", "pathLenConstraint is not 0")


@_table.rule(
    "lint.master-list-signer.extended-key-usage-purpose",
    clause="ICAO 9303-12, 7.1.1.3",
    demands="the extended key usage names 2.23.136.1.1.3",
    profiles=_MASTER_LIST_SIGNER,
)
def _purpose(view: CertificateView) -> Iterator[Violation]:
    purposes = view.extensions.extended_key_usage
    if purposes is not None and MASTER_LIST_SIGNING not in purposes:
        yield Violation("extensions.extKeyUsage", f"does not name {MASTER_LIST_SIGNING}")


@_table.rule(
    "lint.distribution-points.name-present",
    clause="ICAO 9303-12, table 6 and 7.1.1.4",
    demands="every CRL distribution point has a distributionPoint with an address",
)
def _point_name(view: CertificateView) -> Iterator[Violation]:
    for index, point in enumerate(view.extensions.distribution_points or ()):
        if not point.has_name or not (point.uris or point.other_names):
            yield Violation(f"{_POINTS}[{index}]", "has no address")


@_table.rule(
    "lint.distribution-points.scheme",
    clause="ICAO 9303-12, table 6",
    demands="CRL distribution points are addresses of ldap, http or https",
)
def _point_scheme(view: CertificateView) -> Iterator[Violation]:
    for index, point in enumerate(view.extensions.distribution_points or ()):
        is_wrong = any(not uri.lower().startswith(_SCHEMES) for uri in point.uris)
        if is_wrong or point.other_names:
            yield Violation(f"{_POINTS}[{index}]", "has an address that is not ldap, http or https")


@_table.rule(
    "lint.distribution-points.reasons-absent",
    clause="ICAO 9303-12, table 6",
    demands="CRL distribution points have no reasons",
)
def _point_reasons(view: CertificateView) -> Iterator[Violation]:
    for index, point in enumerate(view.extensions.distribution_points or ()):
        if point.has_reasons:
            yield Violation(f"{_POINTS}[{index}]", "has reasons, expected none")


@_table.rule(
    "lint.distribution-points.issuer-absent",
    clause="ICAO 9303-12, table 6",
    demands="CRL distribution points have no cRLIssuer",
)
def _point_issuer(view: CertificateView) -> Iterator[Violation]:
    for index, point in enumerate(view.extensions.distribution_points or ()):
        if point.has_issuer:
            yield Violation(f"{_POINTS}[{index}]", "has a cRLIssuer, expected none")


@_table.rule(
    "lint.document-types.version",
    clause="ICAO 9303-12, 7.1.1.6",
    demands="the document type list is of version 0",
    profiles=_DOCUMENT_SIGNER,
)
def _types_version(view: CertificateView) -> Iterator[Violation]:
    listed = view.extensions.document_types
    if listed is not None and listed.version != 0:
        yield Violation(_DOCUMENT_TYPES, "version is not 0")


@_table.rule(
    "lint.document-types.not-empty",
    clause="ICAO 9303-12, 7.1.1.6",
    demands="the document type list names a document type",
    profiles=_DOCUMENT_SIGNER,
)
def _types_not_empty(view: CertificateView) -> Iterator[Violation]:
    listed = view.extensions.document_types
    if listed is not None and not listed.codes:
        yield Violation(_DOCUMENT_TYPES, "names no document type")


@_table.rule(
    "lint.document-types.printable-string",
    clause="ICAO 9303-12, 7.1.1.6",
    demands="document types are PrintableStrings",
    profiles=_DOCUMENT_SIGNER,
)
def _types_printable(view: CertificateView) -> Iterator[Violation]:
    listed = view.extensions.document_types
    for tag, _ in listed.codes if listed is not None else ():
        if tag != PRINTABLE_STRING:
            yield Violation(_DOCUMENT_TYPES, f"a document type has tag {tag:02X}, expected 13")


@_table.rule(
    "lint.document-types.size",
    clause="ICAO 9303-12, 7.1.1.6",
    demands="document types have one or two characters",
    profiles=_DOCUMENT_SIGNER,
)
def _types_size(view: CertificateView) -> Iterator[Violation]:
    listed = view.extensions.document_types
    for _, code in listed.codes if listed is not None else ():
        if not 1 <= len(code) <= 2:
            yield Violation(_DOCUMENT_TYPES, f"a document type has {len(code)} characters")


@_table.rule(
    "lint.csca-link.name-change-present",
    clause="ICAO 9303-12, 7.1.1.5",
    demands="a link certificate from one name to another has the nameChange extension",
    profiles=_LINK,
)
def _name_change(view: CertificateView) -> Iterator[Violation]:
    is_other_name = not view.issuer.is_same_as(view.subject)
    has_malformed = any(item.name == "nameChange" for item, _ in view.extensions.malformed)
    if is_other_name and not view.extensions.has_name_change and not has_malformed:
        yield Violation("extensions", "issuer and subject differ and there is no nameChange")


KEY_IDENTIFIER_RULES = _signed.rules
EXTENSION_RULES = _table.rules
