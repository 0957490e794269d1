"""What the trail holds of looking: whose record an account was shown. A breach is told to those people within 72 hours."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import IssuerUnavailableError

__all__ = ["MEMBERS_LISTED", "MEMBER_READ", "member_read", "members_listed", "members_shown"]

MEMBER_READ: Final = "member.read"
"""One member's record was shown; the subject is the member."""

MEMBERS_LISTED: Final = "members.listed"
"""Several were shown, or written to a file; the subject is the bundle, the organisation whose list it was, or the service."""

_MEMBERS: Final = "members"
_IDS_IN_RECORD: Final = 100
"""An identifier takes 33 characters of the 4096 that the details may have."""


def member_read(
    member_id: MemberId,
    *,
    account: AccountName,
    organisation: OrganisationCode | None,
    at: datetime,
) -> AuditRecord:
    """One member's record was shown."""
    return AuditRecord(
        at=at,
        account=account,
        action=MEMBER_READ,
        subject=AuditSubject.MEMBER,
        subject_id=member_id.hex,
        organisation=organisation,
    )


def members_listed(
    member_ids: Sequence[MemberId],
    *,
    account: AccountName,
    organisation: OrganisationCode | None,
    at: datetime,
    bundle: str | None = None,
) -> Iterator[AuditRecord]:
    """Members were shown in a list or written to a file; as many records as it takes, none for an empty list.

    ``bundle`` names the bundle that they were written to.
    """
    if bundle is not None:
        subject, subject_id = AuditSubject.BUNDLE, bundle
    elif organisation is not None:
        subject, subject_id = AuditSubject.ORGANISATION, str(organisation)
    else:
        subject, subject_id = AuditSubject.SERVICE, "register"
    for start in range(0, len(member_ids), _IDS_IN_RECORD):
        part = member_ids[start : start + _IDS_IN_RECORD]
        yield AuditRecord(
            at=at,
            account=account,
            action=MEMBERS_LISTED,
            subject=subject,
            subject_id=subject_id,
            organisation=organisation,
            details={_MEMBERS: " ".join(each.hex for each in part), "count": len(part)},
        )


def members_shown(record: AuditRecord) -> tuple[MemberId, ...]:
    """Whose data this act showed to its account; nobody's for acts of other kinds.

    Raises:
        IssuerUnavailableError: the record is not as this program writes it (``audit.unreadable``).
    """
    try:
        if record.action == MEMBER_READ:
            return (MemberId(uuid.UUID(hex=record.subject_id)),)
        if record.action == MEMBERS_LISTED:
            listed = str(record.details[_MEMBERS]).split()
            return tuple(MemberId(uuid.UUID(hex=each)) for each in listed)
    except (KeyError, ValueError) as error:
        raise IssuerUnavailableError(
            f"a record of {record.action} in the audit trail cannot be read",
            code="audit.unreadable",
        ) from error
    return ()
