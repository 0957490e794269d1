"""What the API answers with, as models; FastAPI makes the description (OpenAPI) from them."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pki.services.look_up import (
    CertificateView,
    CheckpointView,
    ListView,
    TerminalAuthorityView,
    TerminalView,
)
from pki.services.operator_requests import Decision, OperatorRequest, RequestState
from pki.services.request_contents import RequestKind

__all__ = [
    "CertificateDocument",
    "CertificatePage",
    "CheckpointDocument",
    "CheckpointPage",
    "DecisionDocument",
    "Health",
    "ListDocument",
    "ListPage",
    "PageQuery",
    "Readiness",
    "RequestDocument",
    "RequestPage",
    "TerminalAuthorityDocument",
    "TerminalAuthorityList",
    "TerminalDocument",
    "TerminalPage",
]

_MAX_POSITION = 2**62


class PageQuery(BaseModel):
    """A page behind ``after``, which is ``next`` of the page before."""

    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(default=None, ge=1, le=_MAX_POSITION)
    limit: int = Field(default=50, ge=1, le=200)


class Health(BaseModel):
    """The process lives."""

    status: str = Field(examples=["alive"])


class Readiness(BaseModel):
    """The database answers and has followed the journal so far."""

    status: str = Field(examples=["ready"])
    journal_entries: int = Field(examples=[1234])


class DecisionDocument(BaseModel):
    """One person's word."""

    operator: str = Field(examples=["binh"])
    decision: Decision
    reason: str | None = None
    decided_at: datetime


class RequestDocument(BaseModel):
    """A request, with everything that was said about it."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    kind: RequestKind
    content: dict[str, Any]
    digest: str = Field(description="SHA-256 of kind and content; it goes into the journal.")
    requester: str = Field(examples=["an"])
    requested_at: datetime
    expires_at: datetime
    state: RequestState
    approvals_due: int = Field(examples=[1])
    decisions: list[DecisionDocument]

    @classmethod
    def of(cls, request: OperatorRequest, *, now: datetime) -> "RequestDocument":
        """The document of a request as of a time."""
        return cls(
            id=str(request.id),
            kind=request.content.kind,
            content=dict(request.content.values),
            digest=request.content.digest.hex(),
            requester=request.requester,
            requested_at=request.requested_at,
            expires_at=request.expires_at,
            state=request.at(now),
            approvals_due=request.content.approvals,
            decisions=[
                DecisionDocument(
                    operator=each.operator,
                    decision=each.decision,
                    reason=each.reason,
                    decided_at=each.decided_at,
                )
                for each in request.decisions
            ],
        )


class RequestPage(BaseModel):
    """Requests, newest first."""

    requests: list[RequestDocument]
    next: int | None = None


class CertificateDocument(BaseModel):
    """A certificate and what became of it; the reason is for operators and stands in no CRL."""

    digest: str = Field(description="SHA-256 of the DER; the file is at /v1/files/{digest}.")
    kind: str = Field(examples=["signer"])
    name: str = Field(examples=["ds-1"])
    serial_number: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    recorded_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    compromised: bool

    @classmethod
    def of(cls, view: CertificateView) -> "CertificateDocument":
        """The document of a certificate."""
        return cls(
            digest=view.digest.hex(),
            kind=view.kind,
            name=view.name,
            serial_number=view.serial_number,
            subject=view.subject,
            issuer=view.issuer,
            not_before=view.not_before,
            not_after=view.not_after,
            recorded_at=view.recorded_at,
            revoked_at=view.revoked_at,
            reason=view.reason,
            compromised=view.is_compromised,
        )


class CertificatePage(BaseModel):
    """Certificates, newest first."""

    certificates: list[CertificateDocument]
    next: int | None = None


class TerminalDocument(BaseModel):
    """A terminal, its newest certificate, and whether it may renew it."""

    holder: str = Field(examples=["VNGATE7"])
    reference: str = Field(examples=["VNGATE700001"])
    digest: str
    expires: date
    in_good_standing: bool
    blocked_at: datetime | None = None
    reason: str | None = None

    @classmethod
    def of(cls, view: TerminalView) -> "TerminalDocument":
        """The document of a terminal."""
        return cls(
            holder=view.holder,
            reference=view.reference,
            digest=view.digest.hex(),
            expires=view.expires,
            in_good_standing=view.is_in_good_standing,
            blocked_at=view.blocked_at,
            reason=view.reason,
        )


class TerminalAuthorityDocument(BaseModel):
    """A CVCA's certificate, a link, or a document verifier's; the file is at /v1/files/{digest}."""

    reference: str = Field(examples=["VNOFFICE00001"])
    authority: str = Field(examples=["VNMEMBER00001"])
    digest: str
    effective: date
    expires: date

    @classmethod
    def of(cls, view: TerminalAuthorityView) -> "TerminalAuthorityDocument":
        """The document of a certificate."""
        return cls(
            reference=view.reference,
            authority=view.authority,
            digest=view.digest.hex(),
            effective=view.effective,
            expires=view.expires,
        )


class TerminalAuthorityList(BaseModel):
    """What stands above terminals now, the newest first."""

    authorities: list[TerminalAuthorityDocument]


class TerminalPage(BaseModel):
    """Terminals, by their newest certificates, newest first."""

    terminals: list[TerminalDocument]
    next: int | None = None


class ListDocument(BaseModel):
    """A signed list."""

    series: str = Field(examples=["crl"])
    number: int = Field(examples=[3])
    digest: str
    issued_at: datetime

    @classmethod
    def of(cls, view: ListView) -> "ListDocument":
        """The document of a list."""
        return cls(
            series=view.series,
            number=view.number,
            digest=view.digest.hex(),
            issued_at=view.issued_at,
        )


class ListPage(BaseModel):
    """The lists of a series, newest first."""

    lists: list[ListDocument]
    next: int | None = None


class CheckpointDocument(BaseModel):
    """A checkpoint that was announced in the journal."""

    size: int = Field(description="Leaves under it.", examples=[512])
    recorded_at: datetime

    @classmethod
    def of(cls, view: CheckpointView) -> "CheckpointDocument":
        """The document of a checkpoint."""
        return cls(size=view.size, recorded_at=view.recorded_at)


class CheckpointPage(BaseModel):
    """Checkpoints, newest first."""

    checkpoints: list[CheckpointDocument]
    next: int | None = None
