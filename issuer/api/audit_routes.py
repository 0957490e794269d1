"""The audit trail over HTTP: its records, where it ends, and having it checked. It holds nobody's data."""

import hashlib
from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field, model_validator

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.audit import AuditSubject
from issuer.domain.audit_chain import ChainedRecord
from issuer.domain.rights import AccountName, Right
from issuer.services.audit_office import TrailEnd
from issuer.services.audit_ports import AuditQuestion
from issuer.services.operation_ports import KeptAnswer, OperationKind

__all__ = ["Auditor", "audit_router", "verify_once"]

audit_router = APIRouter(prefix="/v1/audit", tags=["audit"])

_MAX_SEQUENCE: Final = 2**53 - 1
_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Auditor = Annotated[Caller, Depends(Demand(Right.READ_AUDIT))]


class AuditListQuery(ListQuery):
    """Which records; what is absent does not narrow."""

    account: str | None = Field(default=None, min_length=1, max_length=200, examples=["lan"])
    subject: AuditSubject | None = None
    subject_id: str | None = Field(
        default=None, min_length=1, max_length=128, description="Only together with `subject`."
    )

    @model_validator(mode="after")
    def _names_what_it_is(self) -> Self:
        if self.subject_id is not None and self.subject is None:
            raise ValueError("subject_id needs subject")
        return self


class AuditRecordDocument(BaseModel):
    """One act, field by field as the chain's digest covers it: identifiers, codes and digests."""

    sequence: int = Field(ge=1)
    at: datetime
    account: str = Field(examples=["lan"])
    action: str = Field(examples=["request.endorsed"])
    subject: str = Field(examples=["request"])
    subject_id: str
    organisation: str | None = Field(default=None, examples=["P-01"])
    details: str = Field(
        description="JSON text, as it is stored, because the digest is over that.",
        examples=['{"cards":2}'],
    )
    digest: str = Field(
        description="SHA-256 over the record and the one before.", examples=[_DIGEST]
    )

    @classmethod
    def of(cls, record: ChainedRecord) -> "AuditRecordDocument":
        """The document of a record."""
        return cls(
            sequence=record.sequence,
            at=record.at,
            account=record.account,
            action=record.action,
            subject=record.subject,
            subject_id=record.subject_id,
            organisation=record.organisation,
            details=record.details,
            digest=record.digest.hex(),
        )


class AuditPageDocument(BaseModel):
    """The newest first."""

    records: list[AuditRecordDocument]
    next: str | None = None


class NotedHeadDocument(BaseModel):
    """How much of the trail the authority's transparency log vouches for."""

    sequence: int = Field(ge=1)
    digest: str = Field(examples=[_DIGEST])
    log_size: int = Field(ge=1)
    at: datetime


class AuditHeadDocument(BaseModel):
    """Where the trail ends: keep it elsewhere, and compare it when the trail is checked."""

    trail: str = Field(description="Which trail: 16 bytes that were drawn for this register.")
    sequence: int = Field(ge=0)
    digest: str = Field(examples=[_DIGEST])
    checkpoint: NotedHeadDocument | None = Field(
        default=None, description="The last one that the trail tells of."
    )

    @classmethod
    def of(cls, end: TrailEnd) -> "AuditHeadDocument":
        """The document of where it ends."""
        noted = end.noted
        return cls(
            trail=end.head.trail_id.hex(),
            sequence=end.head.sequence,
            digest=end.head.digest.hex(),
            checkpoint=None
            if noted is None
            else NotedHeadDocument(
                sequence=noted.sequence, digest=noted.digest, log_size=noted.log_size, at=noted.at
            ),
        )


def verify_once(services: ApiServices, caller: Caller, key: str) -> KeptAnswer:
    """Have the whole trail checked by an operation.

    Raises:
        IssuerRefusedError: ``right.missing``.
    """
    caller.actor.demand(Right.READ_AUDIT, place=(), now=services.now())
    mark = mark_of(
        caller.actor.account,
        key,
        what="POST /v1/audit/verification",
        content=hashlib.sha256(b"").digest(),
    )

    def act() -> Receipt:
        operation = services.operations.begin(
            OperationKind.VERIFY_AUDIT, account=caller.actor.account, inputs={}
        )
        return Receipt(
            status=202,
            location=f"/v1/operations/{operation.operation_id}",
            document=OperationDocument.of(operation),
        )

    return carry_out_once(services, mark, act)


@audit_router.get("/records", summary="List records of the audit trail")
def list_records(
    query: Annotated[AuditListQuery, Query()], services: Services, caller: Auditor
) -> AuditPageDocument:
    """The newest first, of one's own part of the tree."""
    selection = {
        "account": query.account,
        "subject": None if query.subject is None else query.subject.value,
        "subject_id": query.subject_id,
    }
    scope = CursorScope(listing="audit records", account=caller.actor.account, selection=selection)
    before = None
    if query.cursor is not None:
        before = int(services.cursors.open(query.cursor, scope))
    page = services.audit.page(
        AuditQuestion(
            account=None if query.account is None else AccountName(query.account),
            subject=query.subject,
            subject_id=query.subject_id,
        ),
        actor=caller.actor,
        limit=query.limit,
        before=before,
    )
    return AuditPageDocument(
        records=[AuditRecordDocument.of(each) for each in page.records],
        next=None if page.end is None else services.cursors.seal(str(page.end).encode(), scope),
    )


@audit_router.get("/records/{sequence}", summary="Show a record of the audit trail")
def show_record(
    sequence: Annotated[int, Path(ge=1, le=_MAX_SEQUENCE)], services: Services, caller: Auditor
) -> AuditRecordDocument:
    """By its number; it never changes."""
    return AuditRecordDocument.of(services.audit.show(sequence, actor=caller.actor))


@audit_router.get("/head", summary="Where the audit trail ends")
def show_head(services: Services, caller: Auditor) -> AuditHeadDocument:
    """For whoever sees the whole register: the number and digest of the last record, and the last checkpoint."""
    return AuditHeadDocument.of(services.audit.end(actor=caller.actor))


@audit_router.post(
    "/verification",
    status_code=202,
    summary="Check the whole audit trail",
    response_model=OperationDocument,
)
def verify_trail(services: Services, caller: Auditor, key: KeyHeader) -> Response:
    """Answered with an operation; its counts say how many records were read and how many faults were found."""
    return answer_of(verify_once(services, caller, key))
