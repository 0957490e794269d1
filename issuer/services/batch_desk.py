"""What the use cases of batches share: their desk, who may sit at it, and what the audit trail holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.batch import Batch, BatchEvent, BatchEventKind
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["BatchDesk", "batch_event", "batch_record", "demand_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDesk:
    """Everything that work with batches needs from the world; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]


def demand_at(
    desk: BatchDesk,
    transaction: RegisterTransaction,
    actor: Actor,
    receiver: OrganisationCode,
    right: Right,
) -> None:
    """Let pass who has the right at the receiving committee.

    Raises:
        IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        IssuerDataError: ``organisation.unknown``.
    """
    place = Places(transaction.organisations).of(receiver)
    actor.demand(right, place=place, now=desk.clock())


def batch_event(
    kind: BatchEventKind, actor: Actor, now: datetime, *, count: int | None = None
) -> BatchEvent:
    """What stands in a batch's time line."""
    return BatchEvent(at=now, account=actor.account, kind=kind, count=count)


def batch_record(
    batch: Batch, action: str, actor: Actor, now: datetime, **details: AuditDetail
) -> AuditRecord:
    """What was done with a batch, in the audit trail."""
    return AuditRecord(
        at=now,
        account=actor.account,
        action=f"batch.{action}",
        subject=AuditSubject.BATCH,
        subject_id=batch.batch_id.hex,
        organisation=batch.receiver,
        details=details,
    )
