"""Pages on which a member's record is changed: what is to change, then what that means, and only then it is stored.

Every form names the version that its reader looked at. Where somebody else was faster, the form comes back with what was
typed, and says beside each field what the register says by now.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.member_act_routes import EvidencePath, MemberWriter, evidence_file
from issuer.api.member_acts import (
    ACT_FIELDS,
    ChangeForm,
    MemberActName,
    act_of,
    change_form,
    correction_of,
    take_act_once,
)
from issuer.api.member_check_routes import check_once
from issuer.api.member_routes import MemberDocument, MemberIdPath, MemberReader
from issuer.api.pages import member_words
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.member_visit import ELSEWHERE, MemberVisit, Told, version_of
from issuer.api.problems import ApiError
from issuer.domain.member import MemberId
from issuer.domain.member_acts import MemberAct
from issuer.domain.member_change import BrokenRulesError
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.weighed_changes import SeenMember

__all__ = ["AT_THE_END", "member_act_page_router"]

member_act_page_router = APIRouter(include_in_schema=False)

_ONE: Final = "/members/{member_id}"
_CHANGE: Final = _ONE + "/change/{act}"
AT_THE_END: Final = frozenset({"change.reason", "evidence.kind", "evidence.too-large"})
"""Refusals of what is asked for on the second page."""

_ActPath = Annotated[MemberActName, Path(description="What is done.")]


@member_act_page_router.get(_CHANGE, response_model=None)
def change_page(
    member_id: MemberIdPath,
    act: _ActPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
) -> Response:
    """The form, with what the register says now."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=act
    )
    seen = visit.look()
    return _form(visit, seen, _fields(visit, seen))


@member_act_page_router.post(_CHANGE, response_model=None)
def weigh_change(
    *,
    member_id: MemberIdPath,
    act: _ActPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    fields: FormFields,
) -> Response:
    """What the change would be and mean; or the form once more, for whoever wants to type something else."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=act
    )
    if fields.get("step") == "edit":
        return _again(visit, fields)
    return _check(visit, fields)


@member_act_page_router.post(_CHANGE + "/store", response_model=None)
async def store_change(
    member_id: MemberIdPath,
    act: _ActPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
) -> Response:
    """Store it, and go on to the member; sent twice, it is done once."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=act
    )
    async with change_form(request) as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_store, visit, form, key)


@member_act_page_router.get(_ONE + "/evidence/{digest}", response_model=None)
def evidence_page(
    member_id: MemberIdPath, digest: EvidencePath, services: Services, caller: MemberReader
) -> Response:
    """The document that a change rests on."""
    return evidence_file(caller, services, member_id, digest)


@member_act_page_router.post(_ONE + "/checked", response_model=None)
def check_member(
    member_id: MemberIdPath, services: Services, caller: MemberWriter, fields: FormFields
) -> Response:
    """Note that everything was found right; sent twice, it is noted once."""
    check_once(services, caller, member_id, version=version_of(fields), key=form_key(fields))
    return RedirectResponse(f"/members/{member_id}?done=checked", status_code=303)


def _store(visit: MemberVisit, form: ChangeForm, key: str) -> Response:
    version = version_of(form.fields)
    try:
        take_act_once(
            visit.services,
            visit.caller,
            visit.member_id,
            form.without("once", "step"),
            what=f"{visit.act} by form",
            act=lambda: _act(visit, form.fields, visit.look(version)),
            key=key,
            version=lambda: version,
        )
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ELSEWHERE or error.code.startswith("idempotency."):
            raise
        if error.code in AT_THE_END:
            return _check(visit, form.fields, error=error)
        return _again(visit, form.fields, error=error)
    return RedirectResponse(f"{visit.address}?done={visit.act}", status_code=303)


def _check(visit: MemberVisit, fields: Mapping[str, str], *, error: Told | None = None) -> Response:
    """The second page; the first one again where the act would be refused."""
    version = version_of(fields)
    try:
        act = _act(visit, fields, visit.look(version))
        weighed = visit.services.changes.weigh(
            MemberId(visit.member_id), act, actor=visit.caller.actor, version=version
        )
    except (IssuerDataError, IssuerRefusedError) as refusal:
        if refusal.code in ELSEWHERE or isinstance(refusal, ApiError):
            raise
        return _again(visit, fields, error=refusal)
    names = ACT_FIELDS[MemberActName(visit.act)]
    return visit.check_page(
        "member_change_check.html",
        weighed,
        fields,
        carried={name: fields[name] for name in names if name in fields},
        error=error,
    )


def _again(visit: MemberVisit, fields: Mapping[str, str], *, error: Told | None = None) -> Response:
    """The form with what was typed; whatever somebody else changed meanwhile stands beside it."""
    version = version_of(fields)
    try:
        seen = visit.look(version)
    except ConflictError as conflict:
        # Nobody can say any more what the reader saw: everything typed stays, beside what is there now.
        seen, error = visit.look(), error or conflict
    if seen.meanwhile and error is None:
        error = ConflictError("somebody was faster", code="member.changed")
    now, before = _fields(visit, seen), _shown_before(visit, seen)
    typed = {
        name: fields[name]
        if name in fields and fields[name].strip() != before.get(name)
        else now.get(name, "")
        for name in ACT_FIELDS[MemberActName(visit.act)]
    }
    return _form(
        visit, seen, {**typed, "reason": fields.get("reason", "")}, before=before, error=error
    )


def _form(
    visit: MemberVisit,
    seen: SeenMember,
    given: Mapping[str, str],
    *,
    before: Mapping[str, str] | None = None,
    error: Told | None = None,
) -> Response:
    scheme = visit.services.scheme
    now = member_words.shown_fields(seen.now, scheme)
    beside = {name: now[name] for name, text in (before or {}).items() if text != now[name]}
    found = error.findings if isinstance(error, BrokenRulesError) else ()
    return visit.page(
        "member_change.html",
        error=error,
        member=MemberDocument.of(seen.member, scheme=scheme),
        version=seen.member.version,
        given=given,
        beside=beside,
        meanwhile=seen.meanwhile,
        wrong={each.column: visit.tell(each) for each in found},
        is_unfolded=any(
            each.value in beside or given.get(each.value) != now[each.value]
            for each in member_words.EVENT_COLUMNS
        ),
    )


def _fields(visit: MemberVisit, seen: SeenMember) -> Mapping[str, str]:
    """What the form begins with."""
    if visit.act == MemberActName.CORRECTION:
        return member_words.shown_fields(seen.now, visit.services.scheme)
    if visit.act == MemberActName.SERVING:
        return {"organisation": seen.member.statement.served_in or ""}
    return {}


def _shown_before(visit: MemberVisit, seen: SeenMember) -> Mapping[str, str]:
    """What the fields held that the reader saw."""
    if visit.act != MemberActName.CORRECTION:
        return {}
    return member_words.shown_fields(seen.seen, visit.services.scheme)


def _act(visit: MemberVisit, fields: Mapping[str, str], seen: SeenMember) -> MemberAct:
    """The act; a correction is of those fields alone in which something else was typed than the reader saw."""
    if visit.act != MemberActName.CORRECTION:
        return act_of(MemberActName(visit.act), fields)
    before = _shown_before(visit, seen)
    return correction_of(
        {
            name: text
            for name, text in fields.items()
            if name in before and text.strip() != before[name]
        }
    )
