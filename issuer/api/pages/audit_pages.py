"""Pages of the audit trail: who did what, without anybody's data, and whether the trail is whole."""

import re
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.audit_routes import Auditor, verify_once
from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.once import KEY_PATTERN
from issuer.api.pages import words
from issuer.api.pages.rendering import render
from issuer.api.problems import ApiError
from issuer.domain.audit import AuditSubject
from issuer.domain.rights import AccountName, Right
from issuer.services.audit_ports import AuditQuestion

__all__ = ["audit_page_router"]

audit_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/audit"
_PAGE: Final = 50


class _Chosen(BaseModel):
    """What the form above the list says; it sends fields that were left empty, too."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(default="", max_length=200)
    subject: str = Field(default="", max_length=32)
    subject_id: str = Field(default="", max_length=128)
    before: int | None = Field(default=None, ge=1, le=2**62)


@audit_page_router.get(_LIST, response_model=None)
def audit_page(
    request: Request, services: Services, caller: Auditor, chosen: Annotated[_Chosen, Query()]
) -> Response:
    """Records, newest first; their numbers say nothing about anybody, so they are their own cursor."""
    subject = AuditSubject(chosen.subject) if chosen.subject in set(AuditSubject) else None
    question = AuditQuestion(
        account=AccountName(chosen.account.strip()) if chosen.account.strip() else None,
        subject=subject,
        subject_id=(chosen.subject_id.strip() or None) if subject is not None else None,
    )
    page = services.audit.page(question, actor=caller.actor, limit=_PAGE, before=chosen.before)
    kept = {
        name: value
        for name, value in chosen.model_dump(exclude={"before"}).items()
        if value.strip()
    }
    return render(
        request,
        "audit.html",
        caller=caller,
        chosen=chosen,
        records=page.records,
        may_verify=caller.actor.may(Right.READ_AUDIT, place=()),
        first=None if chosen.before is None else _address(kept),
        next=None if page.end is None else _address(kept | {"before": str(page.end)}),
        words=words,
    )


@audit_page_router.post("/audit/verify", response_model=None)
def verify(services: Services, caller: Auditor, fields: FormFields) -> Response:
    """Have the whole trail checked, and go on to where that can be followed."""
    key = fields.get("once", "")
    if not re.fullmatch(KEY_PATTERN, key):
        raise ApiError("the form has no key of its own", code="api.request-invalid")
    kept = verify_once(services, caller, key)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


def _address(fields: dict[str, str]) -> str:
    return f"{_LIST}?{urlencode(fields)}" if fields else _LIST
