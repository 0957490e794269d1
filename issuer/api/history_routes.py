"""What changed of a member: who, when, why, and each field before and after."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Services
from issuer.api.member_routes import MemberIdPath, MemberReader, open_member
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.member import MemberId
from issuer.domain.member_change import ChangeKind, MemberChange
from issuer.domain.member_list import MemberColumn
from issuer.services.register_ports import HistoryPosition

__all__ = ["ChangeDocument", "HistoryDocument", "history_of", "history_router"]

history_router = APIRouter(prefix="/v1/members", tags=["members"])


class ChangeDocument(BaseModel):
    """One field that changed; those of one version were one act."""

    version: int = Field(ge=1)
    at: datetime
    account: str = Field(examples=["lan"])
    kind: ChangeKind
    effective: date | None
    reason: str
    evidence: str | None = Field(description="SHA-256 of the document that it rests on.")
    column: str = Field(examples=["home_town"])
    old: str | None
    new: str | None

    @classmethod
    def of(cls, change: MemberChange) -> "ChangeDocument":
        """The document of a change."""
        return cls(
            version=change.version,
            at=change.at,
            account=change.account,
            kind=change.kind,
            effective=change.effective,
            reason=change.reason,
            evidence=None if change.evidence is None else change.evidence.hex(),
            column=change.change.column,
            old=change.change.old,
            new=change.change.new,
        )


class HistoryDocument(BaseModel):
    """Changes, the newest first."""

    changes: list[ChangeDocument]
    next: str | None = None


def history_of(
    caller: Caller, services: ApiServices, member_id: MemberId, query: ListQuery
) -> HistoryDocument:
    """A page of a member's history; whoever shows it has shown the member.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``right.missing``, ``member.unknown``.
    """
    scope = CursorScope(
        listing="history", account=caller.actor.account, selection={"member": str(member_id)}
    )
    behind = None
    if query.cursor is not None:
        version, _, column = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = HistoryPosition(version=int(version), column=MemberColumn(column))
    found = services.changes.history(
        member_id, actor=caller.actor, limit=query.limit, behind=behind
    )
    cursor = None
    if found.end is not None:
        cursor = services.cursors.seal(f"{found.end.version} {found.end.column}".encode(), scope)
    return HistoryDocument(changes=[ChangeDocument.of(each) for each in found.changes], next=cursor)


@history_router.get("/{member_id}/history", summary="What changed of a member")
def list_history(
    member_id: MemberIdPath,
    query: Annotated[ListQuery, Query()],
    services: Services,
    caller: MemberReader,
) -> HistoryDocument:
    """The newest first; the audit trail keeps that it was shown."""
    open_member(caller, services, member_id)
    return history_of(caller, services, MemberId(member_id), query)
