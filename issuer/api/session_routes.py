"""Who calls."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from issuer.api.gate import AnySession, Caller
from issuer.domain.rights import Role

__all__ = ["session_router"]

session_router = APIRouter(prefix="/v1/session", tags=["session"])


class AssignmentDocument(BaseModel):
    """A role for one organisation and all below it; for the whole register where none is named."""

    role: Role
    organisation: str | None = Field(default=None, examples=["P-01"])


class SessionDocument(BaseModel):
    """Whoever calls."""

    account: str = Field(examples=["lan"])
    assignments: list[AssignmentDocument]
    stepped_up_at: datetime | None = None


@session_router.get("", summary="Who calls")
def who_calls(
    caller: Annotated[Caller, Depends(AnySession("everybody may know who they are"))],
) -> SessionDocument:
    """The caller's account and roles."""
    actor = caller.actor
    return SessionDocument(
        account=actor.account,
        assignments=[
            AssignmentDocument(role=each.role, organisation=each.organisation)
            for each in actor.assignments
        ],
        stepped_up_at=actor.stepped_up_at,
    )
