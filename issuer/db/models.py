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
from issuer.db.request_tables import (
    AllottedNumberRow,
    BatchAuthorisationRow,
    DecisionRequestRow,
    DecisionRow,
    NumberBlockRow,
    NumberStateRow,
    RequestEventRow,
    RequestRow,
)

__all__ = [
    "AllottedNumberRow",
    "AuditHeadRow",
    "AuditRecordRow",
    "Base",
    "BatchAuthorisationRow",
    "CardContentsRow",
    "CardEventRow",
    "CardRow",
    "ChipRow",
    "DecisionRequestRow",
    "DecisionRow",
    "MemberRow",
    "NumberBlockRow",
    "NumberStateRow",
    "OrganisationRow",
    "RequestEventRow",
    "RequestRow",
    "StatusListRow",
]
