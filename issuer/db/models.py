"""Every table of the issuer in one place: what migrations are compared with."""

from issuer.db.audit import AuditHeadRow, AuditRecordRow
from issuer.db.base import Base
from issuer.db.batch_tables import AcknowledgementRow, BatchEventRow, BatchRequestRow, BatchRow
from issuer.db.bundle_tables import (
    BundleConflictRow,
    BundleRow,
    InstanceRow,
    LinkedMemberRow,
    LinkedRequestRow,
    StatusIndexSetRow,
)
from issuer.db.card_change_tables import CardChangeRow
from issuer.db.import_tables import ImportChunkRow, ImportRow, ImportRowRow
from issuer.db.member_changes import MemberChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import RegisterKeyRow
from issuer.db.operations import KeptRequestRow, OperationRow
from issuer.db.organisation_rows import OrganisationRow, OrganisationVersionRow
from issuer.db.people_tables import (
    AccountRow,
    AssignmentRow,
    LoginAttemptRow,
    SecondFactorRow,
    SessionRow,
)
from issuer.db.production_figures import ProductionLineRow, ProductionRejectRow
from issuer.db.production_tables import (
    CardContentsRow,
    CardEventRow,
    CardRow,
    ChipRow,
    SecurityObjectRow,
    StatusListRow,
)
from issuer.db.report_tables import InstanceReportLineRow, InstanceReportRow
from issuer.db.reports import ReportLineRow
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
from issuer.db.station_tables import (
    StationChainRow,
    StationClaimRow,
    StationDayRow,
    StationRejectionRow,
    StationRow,
)
from issuer.db.status_tables import StatusPublicationRow
from issuer.db.stock_tables import (
    DayCloseRow,
    DestructionChipRow,
    DestructionRow,
    StockMovementRow,
    StockSiteRow,
    StockStopRow,
)
from issuer.db.subject_tables import (
    DisclosureRow,
    ErasureRow,
    FileToDestroyRow,
    RetiredNumberRow,
)

__all__ = [
    "AccountRow",
    "AcknowledgementRow",
    "AllottedNumberRow",
    "AssignmentRow",
    "AuditHeadRow",
    "AuditRecordRow",
    "Base",
    "BatchAuthorisationRow",
    "BatchEventRow",
    "BatchRequestRow",
    "BatchRow",
    "BundleConflictRow",
    "BundleRow",
    "CardChangeRow",
    "CardContentsRow",
    "CardEventRow",
    "CardRow",
    "ChipRow",
    "DayCloseRow",
    "DecisionRequestRow",
    "DecisionRow",
    "DestructionChipRow",
    "DestructionRow",
    "DisclosureRow",
    "ErasureRow",
    "FileToDestroyRow",
    "ImportChunkRow",
    "ImportRow",
    "ImportRowRow",
    "InstanceReportLineRow",
    "InstanceReportRow",
    "InstanceRow",
    "KeptRequestRow",
    "LinkedMemberRow",
    "LinkedRequestRow",
    "LoginAttemptRow",
    "MemberChangeRow",
    "MemberRow",
    "NumberBlockRow",
    "NumberStateRow",
    "OperationRow",
    "OrganisationRow",
    "OrganisationVersionRow",
    "ProductionLineRow",
    "ProductionRejectRow",
    "RegisterKeyRow",
    "ReportLineRow",
    "RequestEventRow",
    "RequestRow",
    "RetiredNumberRow",
    "SecondFactorRow",
    "SecurityObjectRow",
    "SessionRow",
    "StationChainRow",
    "StationClaimRow",
    "StationDayRow",
    "StationRejectionRow",
    "StationRow",
    "StatusIndexSetRow",
    "StatusListRow",
    "StatusPublicationRow",
    "StockMovementRow",
    "StockSiteRow",
    "StockStopRow",
]
