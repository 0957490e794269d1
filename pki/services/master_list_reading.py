"""A master list as a report: its signer, and what became of every certificate in it (Doc 9303-12, 5.3 and 9)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pki.certificates.authority_certificate import Authority
from pki.certificates.authority_path import fingerprint
from pki.certificates.certificate import Certificate, Reading, load_certificate
from pki.certificates.master_list_signer import (
    ListAuthorities,
    ListSignerJudgement,
    judge_list_signer,
)
from pki.certificates.names import country_of
from pki.certificates.path_rules import described
from pki.errors import PkiDataError, PkiError
from pki.signed.master_list import MasterList

__all__ = ["ListedCertificate", "MasterListReport", "read_listed", "verify_master_list"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCertificate:
    """One certificate of a list; ``code`` None where it is an authority's as Doc 9303-12, 7.1.1 profiles it.

    What could not be read is None. ``is_link`` is None where nobody can tell.
    """

    der: bytes = field(repr=False)
    fingerprint: str
    is_read: bool
    name: str | None = None
    country: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    is_link: bool | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterListReport:
    """What is known of a list whose signature holds; ``judgement`` None where its signer was not believed, for ``code``."""

    master_list: MasterList
    at: datetime
    certificates: tuple[ListedCertificate, ...]
    judgement: ListSignerJudgement | None
    signer: str
    code: str | None = None
    reason: str | None = None

    @property
    def duplicates(self) -> int:
        """How many certificates stand again."""
        return len(self.master_list.listed) - len(self.certificates)

    @property
    def read(self) -> int:
        """How many were parsed, their keys included."""
        return sum(item.is_read for item in self.certificates)

    @property
    def usable(self) -> int:
        """How many are authorities' certificates in every respect."""
        return sum(item.code is None for item in self.certificates)

    @property
    def countries(self) -> Mapping[str, int]:
        """How many certificates each country has, in the order of the countries."""
        found = Counter(item.country for item in self.certificates if item.country is not None)
        return dict(sorted(found.items()))


def verify_master_list(
    der: bytes, *, trusted: ListAuthorities, at: datetime, requires_crl: bool = False
) -> MasterListReport:
    """Verify a list's signature, judge its signer and look at every certificate.

    Raises:
        PkiDataError: ``master-list.*``: it is no list, or its signature does not verify; of such bytes nothing is reported.
    """
    master_list = MasterList.from_bytes(der)
    name = described(load_certificate(master_list.signer_certificate, Reading.TOLERANT))
    judgement, code, reason = None, None, None
    try:
        judgement = judge_list_signer(
            master_list.signer_certificate,
            trusted=trusted,
            signing_time=master_list.signing_time,
            at=at,
            requires_crl=requires_crl,
        )
    except PkiError as error:
        code, reason = error.code, str(error)
    return MasterListReport(
        master_list=master_list,
        at=at,
        certificates=tuple(read_listed(item) for item in dict.fromkeys(master_list.listed)),
        judgement=judgement,
        signer=name,
        code=code,
        reason=reason,
    )


def read_listed(der: bytes) -> ListedCertificate:
    """Look at one certificate of a list: whatever is wrong with it is a reason, and no error."""
    try:
        certificate = load_certificate(der, Reading.TOLERANT)
    except PkiDataError as error:
        return ListedCertificate(
            der=der,
            fingerprint=fingerprint(der),
            is_read=False,
            code=error.code,
            reason=str(error),
        )
    is_link, code, reason = None, None, None
    try:
        is_link = _is_link(certificate, Authority.read_unproven(der, Reading.TOLERANT))
    except PkiDataError as error:
        code, reason = error.code, str(error)
    return ListedCertificate(
        der=der,
        fingerprint=fingerprint(der),
        is_read=True,
        name=described(certificate),
        country=_country(certificate),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        is_link=is_link,
        code=code,
        reason=reason,
    )


def _is_link(certificate: Certificate, authority: Authority) -> bool:
    """A root is signed with its own key; what only looks like one is nobody's certificate."""
    if authority.is_self_signed:
        return False
    identifier = authority.issuing_key_identifier
    is_own = identifier is None or identifier == authority.key_identifier
    if certificate.issuer == certificate.subject and is_own:
        raise PkiDataError(
            "it names itself as its issuer, and is not signed with its own key",
            code="master-list.self-signature",
        )
    return True


def _country(certificate: Certificate) -> str | None:
    try:
        return country_of(certificate.subject)
    except PkiDataError:
        return None
