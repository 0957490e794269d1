"""Whether a certificate is revoked, as far as lists of its issuer say (RFC 5280, 6.3, without deltas and indirect lists).

Revoked is whatever any list of the issuer names, however old the list. Not revoked is only what a current list, which
is understood whole and covers such certificates, does not name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from card_layout import der, tlv
from card_layout.errors import CardDataError
from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, CertificateError, CertificateList
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.general_names import GeneralName, decode_general_names
from pki.certificates.path_rules import PathProfile, WorkBudget, described, is_same_name, refused
from pki.errors import PkiDataError

__all__ = [
    "check_status",
    "is_signed_list",
    "lists_signed_by",
    "require_current_list",
    "revocation_time",
]

_ISSUING_DISTRIBUTION_POINT: Final = "2.5.29.28"
_KNOWN: Final = frozenset(
    {ext.CRL_NUMBER, ext.AUTHORITY_KEY_IDENTIFIER, _ISSUING_DISTRIBUTION_POINT}
)
_POINT: Final = 0xA0
_ONLY_USERS: Final = 0x81
_ONLY_AUTHORITIES: Final = 0x82
_SOME_REASONS: Final = 0x83
_INDIRECT: Final = 0x84
_ONLY_ATTRIBUTES: Final = 0x85
_TRUE: Final = b"\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coverage:
    """``IssuingDistributionPoint`` (5.2.5): which certificates a list speaks of."""

    names: tuple[GeneralName, ...] = ()
    marks: frozenset[int] = frozenset()

    def covers(self, certificate: Certificate) -> bool:
        constraints = ext.decode_basic_constraints(certificate.extensions)
        is_authority = constraints is not None and constraints[0]
        if self.marks & {_ONLY_ATTRIBUTES, _SOME_REASONS, _INDIRECT}:
            return False
        if _ONLY_USERS in self.marks and is_authority:
            return False
        if _ONLY_AUTHORITIES in self.marks and not is_authority:
            return False
        return not self.names or bool(set(self.names) & _points_of(certificate))


def lists_signed_by(
    signers: Iterable[Certificate],
    lists: Iterable[CertificateList],
    *,
    profile: PathProfile,
    budget: WorkBudget,
) -> list[CertificateList]:
    """The lists that one of the signers made under its own name, with a key that is for lists."""
    able = [signer for signer in signers if _may_sign_lists(signer)]
    return [
        item
        for item in lists
        if any(is_signed_list(item, signer, profile=profile, budget=budget) for signer in able)
    ]


def is_signed_list(
    item: CertificateList, signer: Certificate, *, profile: PathProfile, budget: WorkBudget
) -> bool:
    """Whether this signer made the list; under Doc 9303 both name the same key, too."""
    budget.count_steps()
    if not is_same_name(item.issuer, signer.subject, profile):
        return False
    try:
        named = ext.decode_authority_key_identifier(item.extensions)
        own = ext.decode_subject_key_identifier(signer.extensions)
    except CertificateError:
        return False
    if named != own and (profile is PathProfile.DOC_9303 or (named and own)):
        return False
    if profile is PathProfile.DOC_9303 and named is None:
        return False
    budget.count_signature()
    try:
        return item.verify_by(signer.public_key)
    except PkiDataError:
        # A list by an algorithm that is not allowed is nobody's.
        return False


def check_status(
    certificate: Certificate,
    lists: Iterable[CertificateList],
    *,
    now: datetime,
    profile: PathProfile,
) -> CertificateList:
    """Judge one certificate by the lists that its issuer signed; gives a current one that clears it.

    Raises:
        PkiRefusedError: ``path.revoked``, ``path.revocation-unknown``.
    """
    found = list(lists)
    moment = revocation_time(certificate, found)
    if moment is not None:
        raise refused(
            "revoked", f"{described(certificate)} was revoked at {moment:%Y-%m-%d %H:%M:%S}Z"
        )
    return require_current_list(certificate, found, now=now, profile=profile)


def revocation_time(certificate: Certificate, lists: Iterable[CertificateList]) -> datetime | None:
    """When it was revoked, by the earliest word of its issuer's lists, however old; ``None`` where none names it."""
    return min(
        (
            item.revoked[certificate.serial_number]
            for item in lists
            if certificate.serial_number in item.revoked and not _is_indirect(item)
        ),
        default=None,
    )


def require_current_list(
    certificate: Certificate,
    lists: Iterable[CertificateList],
    *,
    now: datetime,
    profile: PathProfile,
) -> CertificateList:
    """One of the lists that its issuer signed that is current and speaks of it, whatever it says.

    Raises:
        PkiRefusedError: ``path.revocation-unknown``.
    """
    found = list(lists)
    for item in found:
        if item.this_update <= now <= item.next_update and _speaks_of(item, certificate, profile):
            return item
    raise refused(
        "revocation-unknown",
        f"{len(found)} lists of the issuer of {described(certificate)} are at hand, "
        f"expected one that is current at {now:%Y-%m-%d %H:%M:%S}Z and covers it",
    )


def _may_sign_lists(signer: Certificate) -> bool:
    try:
        usage = ext.decode_key_usage(signer.extensions)
    except CertificateError:
        return False
    # 6.3.3 (f): where there is a key usage, it says so.
    return usage is None or KeyUsageBit.CRL_SIGN in usage


def _speaks_of(item: CertificateList, certificate: Certificate, profile: PathProfile) -> bool:
    """5.2 and 5.3: a list with anything critical that is not understood proves no absence."""
    if item.has_critical_entry_extensions:
        return False
    if ext.unknown_critical(item.extensions, known=_KNOWN) is not None:
        return False
    if profile is PathProfile.RFC_5280:
        number = item.extensions.get(ext.CRL_NUMBER)
        if number is None or number.critical:
            # 5.2.3: every list has a number, which is not critical.
            return False
    try:
        return _coverage(item).covers(certificate)
    except CertificateError:
        return False


def _is_indirect(item: CertificateList) -> bool:
    """Whether entries may speak of other issuers' certificates, so that a serial number alone says nothing."""
    try:
        return _INDIRECT in _coverage(item).marks
    except CertificateError:
        return False


def _coverage(item: CertificateList) -> _Coverage:
    extension = item.extensions.get(_ISSUING_DISTRIBUTION_POINT)
    if extension is None:
        return _Coverage()
    try:
        parts = tlv.parse(extension.value, expected_tag=der.SEQUENCE).children()
        names = [name for part in parts if part.tag == _POINT for name in _full_name(part)]
        marks = frozenset(
            part.tag
            for part in parts
            if part.tag == _SOME_REASONS or (part.tag != _POINT and part.value == _TRUE)
        )
    except (CardDataError, ValueError) as error:
        raise CertificateError("issuing distribution point is malformed") from error
    return _Coverage(names=tuple(names), marks=marks)


def _points_of(certificate: Certificate) -> set[GeneralName]:
    """The full names in a certificate's ``CRLDistributionPoints``, and in those of its points that stand for all reasons."""
    extension = certificate.extensions.get(ext.CRL_DISTRIBUTION_POINTS)
    found: set[GeneralName] = set()
    if extension is None:
        return found
    try:
        for point in tlv.parse(extension.value, expected_tag=der.SEQUENCE).children():
            parts = point.children()
            if [part.tag for part in parts] == [_POINT]:
                found.update(_full_name(parts[0]))
    except (CardDataError, ValueError) as error:
        raise CertificateError("CRL distribution points are malformed") from error
    return found


def _full_name(part: tlv.Tlv) -> tuple[GeneralName, ...]:
    """``DistributionPointName``: a name relative to the issuer is not followed, and so matches nothing."""
    (name,) = part.children()
    if name.tag != _POINT:
        raise CertificateError("a distribution point's name is relative to its issuer")
    return decode_general_names(tlv.encode(der.SEQUENCE, name.value))
