"""Rules about alternative names: the issuing state and how to reach the authority (ICAO 9303-12, 7.1.1.2)."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.lint.element import Path
from pki.certificates.lint.extension_values import AlternativeName
from pki.certificates.lint.findings import (
    DOCUMENT_PKI,
    LintProfile,
    RuleTable,
    Severity,
    Violation,
)
from pki.certificates.lint.names import LOCALITY, STATE_OR_PROVINCE
from pki.certificates.lint.objects import CertificateView

__all__ = ["ALTERNATIVE_NAME_RULES"]

_table: RuleTable[CertificateView] = RuleTable(DOCUMENT_PKI)

_CLAUSE: Final = "ICAO 9303-12, 7.1.1.2"
_CONTACTS: Final = frozenset({0x81, 0x82, 0x86})
"""rfc822Name, dNSName, uniformResourceIdentifier."""

_STATE_IN_MRZ: Final = re.compile(r"[A-Z]{1,3}<{0,2}")


def _both(view: CertificateView) -> Iterator[tuple[Path, AlternativeName]]:
    subject = view.extensions.subject_alternative_name
    issuer = view.extensions.issuer_alternative_name
    if subject is not None:
        yield "extensions.subjectAltName", subject
    if issuer is not None:
        yield "extensions.issuerAltName", issuer


def _directory_name_present(
    value: Callable[[CertificateView], AlternativeName | None], path: Path
) -> Callable[[CertificateView], Iterator[Violation]]:
    def check(view: CertificateView) -> Iterator[Violation]:
        name = value(view)
        if name is not None and not name.directory_names:
            yield Violation(path, "has no directoryName")

    return check


_table.rule(
    "lint.subject-alternative-name.directory-name-present",
    clause=_CLAUSE,
    demands="the subject's alternative name has a directory name",
)(
    _directory_name_present(
        lambda view: view.extensions.subject_alternative_name, "extensions.subjectAltName"
    )
)
_table.rule(
    "lint.issuer-alternative-name.directory-name-present",
    clause=_CLAUSE,
    demands="the issuer's alternative name has a directory name",
)(
    _directory_name_present(
        lambda view: view.extensions.issuer_alternative_name, "extensions.issuerAltName"
    )
)


@_table.rule(
    "lint.alternative-name.locality-present",
    clause=_CLAUSE,
    demands="the directory name has one localityName",
)
def _locality_present(view: CertificateView) -> Iterator[Violation]:
    for path, name in _both(view):
        if name.directory_names and not any(
            len(directory.all(LOCALITY)) == 1 for directory in name.directory_names
        ):
            yield Violation(path, "has no directoryName with one localityName")


@_table.rule(
    "lint.alternative-name.locality-code",
    clause=_CLAUSE,
    demands="the localityName is the state's code as in the MRZ: one to three capital letters",
)
def _locality_code(view: CertificateView) -> Iterator[Violation]:
    for path, name in _both(view):
        for directory in name.directory_names:
            for attribute in directory.all(LOCALITY):
                text = attribute.text or ""
                if len(text) > 3 or not _STATE_IN_MRZ.fullmatch(text):
                    yield Violation(path, f"localityName is {text[:8]!r}")


@_table.rule(
    "lint.alternative-name.state-code",
    clause=_CLAUSE,
    demands="the stateOrProvinceName is a three-letter code",
)
def _state_code(view: CertificateView) -> Iterator[Violation]:
    for path, name in _both(view):
        for directory in name.directory_names:
            for attribute in directory.all(STATE_OR_PROVINCE):
                text = attribute.text or ""
                if not re.fullmatch(r"[A-Z]{3}", text):
                    yield Violation(path, f"stateOrProvinceName is {text[:8]!r}")


@_table.rule(
    "lint.alternative-name.other-attributes-absent",
    clause=_CLAUSE,
    demands="the directory name has nothing but localityName and stateOrProvinceName",
)
def _other_attributes(view: CertificateView) -> Iterator[Violation]:
    for path, name in _both(view):
        others = sorted(
            {
                attribute.label
                for directory in name.directory_names
                for attribute in directory.attributes
                if attribute.oid not in {LOCALITY, STATE_OR_PROVINCE}
            }
        )
        if others:
            yield Violation(path, f"directoryName has {', '.join(others)[:80]} besides")


@_table.rule(
    "lint.alternative-name.contact-present",
    clause=_CLAUSE,
    demands="alternative names have an e-mail address, a host name or a URI",
    severity=Severity.WARNING,
)
def _contact(view: CertificateView) -> Iterator[Violation]:
    for path, name in _both(view):
        if not _CONTACTS & set(name.tags):
            yield Violation(path, "has no rfc822Name, dNSName or uniformResourceIdentifier")


@_table.rule(
    "lint.csca-root.alternative-names-equal",
    clause=_CLAUSE,
    demands="the alternative names of a root are identical",
    profiles=frozenset({LintProfile.CSCA_ROOT}),
)
def _equal(view: CertificateView) -> Iterator[Violation]:
    values = [
        items[0].value
        for oid in (ext.SUBJECT_ALTERNATIVE_NAME, ext.ISSUER_ALTERNATIVE_NAME)
        if (items := view.extensions.all(oid))
    ]
    if len(set(values)) > 1:
        yield Violation("extensions.issuerAltName", "is not identical to subjectAltName")


ALTERNATIVE_NAME_RULES = _table.rules
