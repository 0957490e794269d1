"""What the audit trail holds of an act on an account."""

from datetime import datetime

from issuer.domain.account import Account
from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.rights import AccountName
from issuer.services.register_ports import RegisterTransaction

__all__ = ["record_act_on"]


def record_act_on(
    account: Account,
    action: str,
    *,
    transaction: RegisterTransaction,
    by: AccountName,
    at: datetime,
    **details: AuditDetail,
) -> None:
    """Append the act to the trail; an account is named by its identifier, and its name is said beside it."""
    transaction.audit.append(
        AuditRecord(
            at=at,
            account=by,
            action=action,
            subject=AuditSubject.ACCOUNT,
            subject_id=account.account_id.hex,
            details={"name": account.name} | details,
        )
    )
