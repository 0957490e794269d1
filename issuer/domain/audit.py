"""What the audit trail holds of one act: who did what to which thing, without anybody's data."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = ["AuditDetail", "AuditRecord", "AuditSubject"]

AuditDetail = str | int | None
"""Codes, counts and digests in hexadecimal; never a name, a number of a person or a free text."""


class AuditSubject(enum.StrEnum):
    """What kind of thing an act was about."""

    ACCOUNT = "account"
    BATCH = "batch"
    BUNDLE = "bundle"
    CARD = "card"
    CHIP = "chip"
    DECISION = "decision"
    IMPORT = "import"
    MEMBER = "member"
    NUMBER_BLOCK = "number-block"
    ORGANISATION = "organisation"
    REQUEST = "request"
    SERVICE = "service"
    STOCK = "stock"
    STATION = "station"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One act.

    Attributes:
        at: when (aware UTC).
        account: who; ``system`` where a program acted by itself.
        action: a dotted word such as ``request.endorsed``.
        subject: what kind of thing it was done to.
        subject_id: which one, by an identifier that says nothing about a person.
        organisation: whose matter it was, where it was one organisation's.
        details: what else is worth knowing.
    """

    at: datetime
    account: AccountName
    action: str
    subject: AuditSubject
    subject_id: str
    organisation: OrganisationCode | None = None
    details: Mapping[str, AuditDetail] = field(default_factory=dict)
