"""What preparing and confirming decisions share: their desk, who may sit at it, and what the audit trail holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import RequestState
from issuer.domain.rights import Actor, Right
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.request_outcome import CHUNK_ROWS
from issuer.services.request_ports import (
    DocumentStore,
    RequestQuestion,
)

__all__ = ["DecisionDesk", "decision_record", "demand_right", "tabled_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDesk:
    """Everything that deciding needs from the world; ``clock`` gives aware UTC."""

    register: Register
    documents: DocumentStore
    policy: RequestPolicy
    clock: Callable[[], datetime]
    chunk_rows: int = CHUNK_ROWS


def demand_right(
    desk: DecisionDesk,
    transaction: RegisterTransaction,
    actor: Actor,
    committee: OrganisationCode,
    *,
    right: Right = Right.DECIDE,
) -> None:
    """Let pass who decides, or may do something else, for the committee.

    Raises:
        IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        IssuerDataError: ``organisation.unknown``.
    """
    place = Places(transaction.organisations).of(committee)
    actor.demand(right, place=place, now=desk.clock())


def tabled_in(decision_id: DecisionId) -> RequestQuestion:
    """The requests of a decision on which nothing was done yet."""
    return RequestQuestion(states={RequestState.TABLED}, decision_id=decision_id)


def decision_record(
    decision: Decision, action: str, actor: Actor, now: datetime, **details: AuditDetail
) -> AuditRecord:
    """What was done with a decision, in the audit trail."""
    return AuditRecord(
        at=now,
        account=actor.account,
        action=f"decision.{action}",
        subject=AuditSubject.DECISION,
        subject_id=decision.decision_id.hex,
        organisation=decision.committee,
        details=details,
    )
