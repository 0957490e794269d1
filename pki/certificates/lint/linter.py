"""Linting: find out what bytes are, apply every rule of that profile, and give back what was found.

Nothing here raises for bytes, however hostile: what cannot be taken apart is one finding.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from pki.certificates.lint.card_verifiable import CardVerifiableView, is_card_verifiable
from pki.certificates.lint.element import Element, MalformedError, Path, read_element
from pki.certificates.lint.extension_values import MASTER_LIST_SIGNING
from pki.certificates.lint.findings import (
    CARD_VERIFIABLE,
    CERTIFICATES,
    Dialect,
    Finding,
    LintProfile,
    Rule,
    Severity,
)
from pki.certificates.lint.master_list import MasterListView, is_signed_data
from pki.certificates.lint.objects import CertificateView, CrlView, is_certificate, is_crl
from pki.certificates.lint.registry import (
    MALFORMED,
    RULES_FOR_CARD_VERIFIABLE,
    RULES_FOR_CERTIFICATES,
    RULES_FOR_CRLS,
    RULES_FOR_MASTER_LISTS,
)

__all__ = ["MAX_FILE_BYTES", "LintReport", "lint", "lint_file"]

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""The longest file that is looked at; a master list of all states has 1 MB."""

_MAX_PEM_BLOCKS: Final = 1000
_CERTIFICATE_SIGN_BIT: Final = 5
_PEM: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t]*\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """What was found in one object; ``profile`` None where the bytes are no object at all."""

    profile: LintProfile | None
    findings: tuple[Finding, ...]

    @property
    def is_readable(self) -> bool:
        """Whether the bytes are an object that could be judged."""
        return self.profile is not None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that break a *shall*."""
        return tuple(item for item in self.findings if item.severity is Severity.ERROR)


def lint_file(
    content: bytes, *, profile: LintProfile | None = None, dialect: Dialect = Dialect.ICAO
) -> tuple[LintReport, ...]:
    """Lint what a file holds: one DER object, or the objects of its PEM blocks one by one."""
    if len(content) > MAX_FILE_BYTES:
        return (_unreadable(f"file has {len(content)} bytes, expected at most {MAX_FILE_BYTES}"),)
    if b"-----BEGIN " not in content[:65536]:
        return (lint(content, profile=profile, dialect=dialect),)
    blocks = [match.group(2) for match in _PEM.finditer(content)]
    if not 1 <= len(blocks) <= _MAX_PEM_BLOCKS:
        return (_unreadable(f"file has {len(blocks)} PEM blocks, expected 1 to {_MAX_PEM_BLOCKS}"),)
    return tuple(_lint_pem(block, profile=profile, dialect=dialect) for block in blocks)


def lint(
    der: bytes, *, profile: LintProfile | None = None, dialect: Dialect = Dialect.ICAO
) -> LintReport:
    """Lint one object as what it is, or as what it is said to be."""
    try:
        element = read_element(der)
        if is_card_verifiable(element):
            return _lint_card_verifiable(element, profile, dialect)
        if is_signed_data(element):
            return _lint_master_list(element, profile, dialect)
        if is_crl(element):
            return _lint_crl(element, profile, dialect)
        if is_certificate(element):
            found, findings = _lint_certificate(element, profile, dialect)
            return LintReport(profile=found, findings=findings)
    except MalformedError as error:
        return _unreadable(str(error))
    return _unreadable("no certificate, CRL, master list or card-verifiable certificate")


_View = TypeVar("_View")


def _apply(
    rules: Iterable[Rule[_View]],
    view: _View,
    profile: LintProfile,
    dialect: Dialect,
    *,
    prefix: Path = "",
) -> Iterator[Finding]:
    for rule in rules:
        if rule.applies_to(profile, dialect):
            yield from rule.findings(view, prefix=prefix)


def _lint_certificate(
    element: Element, profile: LintProfile | None, dialect: Dialect, *, prefix: Path = ""
) -> tuple[LintProfile, tuple[Finding, ...]]:
    view = CertificateView.from_element(element)
    chosen = _chosen(profile, CERTIFICATES, _profile_of(view))
    return chosen, tuple(_apply(RULES_FOR_CERTIFICATES, view, chosen, dialect, prefix=prefix))


def _lint_crl(element: Element, profile: LintProfile | None, dialect: Dialect) -> LintReport:
    view = CrlView.from_element(element)
    chosen = _chosen(profile, frozenset({LintProfile.CRL}), LintProfile.CRL)
    return LintReport(profile=chosen, findings=tuple(_apply(RULES_FOR_CRLS, view, chosen, dialect)))


def _lint_master_list(
    element: Element, profile: LintProfile | None, dialect: Dialect
) -> LintReport:
    """The list itself, and every certificate in it by itself."""
    view = MasterListView.from_element(element)
    chosen = _chosen(profile, frozenset({LintProfile.MASTER_LIST}), LintProfile.MASTER_LIST)
    findings = list(_apply(RULES_FOR_MASTER_LISTS, view, chosen, dialect))
    for name, items in (("certificates", view.certificates), ("certList", view.listed)):
        for index, item in enumerate(items):
            prefix = f"{name}[{index}]"
            try:
                findings += _lint_certificate(item, None, dialect, prefix=prefix)[1]
            except MalformedError as error:
                findings.append(_malformed(prefix, str(error)))
    return LintReport(profile=chosen, findings=tuple(findings))


def _lint_card_verifiable(
    element: Element, profile: LintProfile | None, dialect: Dialect
) -> LintReport:
    view = CardVerifiableView.from_element(element)
    chosen = _chosen(profile, CARD_VERIFIABLE, view.profile)
    return LintReport(
        profile=chosen, findings=tuple(_apply(RULES_FOR_CARD_VERIFIABLE, view, chosen, dialect))
    )


def _chosen(
    given: LintProfile | None, possible: frozenset[LintProfile], detected: LintProfile
) -> LintProfile:
    if given is None:
        return detected
    if given not in possible:
        raise MalformedError(f"the object is a {detected.value}, expected a {given.value}")
    return given


def _profile_of(view: CertificateView) -> LintProfile:
    """What a certificate looks like: its purpose, its constraints, and who signed it."""
    extensions = view.extensions
    purposes = extensions.extended_key_usage or ()
    if MASTER_LIST_SIGNING in purposes:
        return LintProfile.MASTER_LIST_SIGNER
    constraints, usage = extensions.basic_constraints, extensions.key_usage
    signs_certificates = usage is not None and _CERTIFICATE_SIGN_BIT in usage.bits
    if signs_certificates or (constraints is not None and constraints.is_authority):
        return LintProfile.CSCA_ROOT if _is_root(view) else LintProfile.CSCA_LINK
    if not view.has_extensions or purposes:
        return LintProfile.CERTIFICATE
    return LintProfile.DOCUMENT_SIGNER


def _is_root(view: CertificateView) -> bool:
    """One name, and one key as far as that can be told."""
    if not view.issuer.is_same_as(view.subject):
        return False
    is_self_signed = view.is_self_signed
    if is_self_signed is not None:
        return is_self_signed
    identifier = view.extensions.authority_key_identifier
    own = view.extensions.subject_key_identifier
    return identifier is None or identifier.key_identifier in {None, own}


def _lint_pem(block: bytes, *, profile: LintProfile | None, dialect: Dialect) -> LintReport:
    try:
        der = base64.b64decode(b"".join(block.split()), validate=True)
    except binascii.Error:
        return _unreadable("a PEM block is not Base64")
    return lint(der, profile=profile, dialect=dialect)


def _malformed(path: Path, message: str) -> Finding:
    return Finding(
        severity=MALFORMED.severity,
        rule=MALFORMED.code,
        clause=MALFORMED.clause,
        path=path,
        message=message,
    )


def _unreadable(message: str) -> LintReport:
    return LintReport(profile=None, findings=(_malformed("", message),))
