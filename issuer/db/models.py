"""Every table of the issuer in one place: what migrations are compared with."""

from issuer.db.audit import AuditHeadRow, AuditRecordRow
from issuer.db.base import Base
from issuer.db.production_tables import (
    CardContentsRow,
    CardEventRow,
    CardRow,
    ChipRow,
    StatusListRow,
)
from issuer.db.register import MemberRow, OrganisationRow

__all__ = [
    "AuditHeadRow",
    "AuditRecordRow",
    "Base",
    "CardContentsRow",
    "CardEventRow",
    "CardRow",
    "ChipRow",
    "MemberRow",
    "OrganisationRow",
    "StatusListRow",
]
