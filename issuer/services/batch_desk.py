"""What the use cases of batches share: their desk, who may sit at it, what the audit trail holds, and the proof."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.batch import Batch, BatchEvent, BatchEventKind
from issuer.domain.batch_proof import ProofLine
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.services.batch_ports import DueRequest
from issuer.services.committee_names import CommitteeNames
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["BatchDesk", "batch_event", "batch_record", "demand_at", "proof_lines"]

CHUNK_ROWS: Final = 500
"""So many members are read and opened together."""


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


def proof_lines(
    transaction: RegisterTransaction, due: Sequence[DueRequest], names: CommitteeNames
) -> Iterator[ProofLine]:
    """Each card as it is going to be, in the order of what is due.

    Raises:
        IssuerUnavailableError: the register's keys do not open a member (``register.seal-broken``).
    """
    for start in range(0, len(due), CHUNK_ROWS):
        part = due[start : start + CHUNK_ROWS]
        members = {
            each.member_id: each
            for each in transaction.members.several([request.member_id for request in part])
        }
        for request in part:
            member = members[request.member_id]
            found = names.of(member.statement.organisation_code, transaction.organisations)
            yield ProofLine(
                request_id=request.request_id,
                card_number=request.card_number,
                kind=request.kind,
                ordinal=request.ordinal,
                statement=member.statement,
                portrait=member.portrait,
                organisation_name=found.organisation_name,
                issuing_committee=found.issuing_committee,
            )
