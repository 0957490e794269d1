"""Pages on which a member's record is changed: what is to change, then what that means, and only then it is stored.

Every form names the version that its reader looked at. Where somebody else was faster, the form comes back with what was
typed, and says beside each field what the register says by now.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.languages import Language
from issuer.api.member_act_routes import EvidencePath, MemberWriter, evidence_file
from issuer.api.member_acts import (
    ACT_FIELDS,
    ChangeForm,
    MemberActName,
    act_of,
    change_form,
    correction_of,
    hiding_unreadable,
    take_act_once,
)
from issuer.api.member_routes import MemberDocument, MemberIdPath, MemberReader
from issuer.api.pages import card_words, member_words, words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import language_of, render
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.domain.list_row import Finding
from issuer.domain.member import MemberId
from issuer.domain.member_acts import MemberAct
from issuer.domain.member_change import BrokenRulesError, FieldChange
from issuer.domain.organisation import OrganisationCode
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.weighed_changes import SeenMember

__all__ = ["member_act_page_router"]

member_act_page_router = APIRouter(include_in_schema=False)

_ONE: Final = "/members/{member_id}"
_CHANGE: Final = _ONE + "/change/{act}"
_MAX_VERSION_DIGITS: Final = 9
_ELSEWHERE: Final = frozenset({"right.step-up-needed", "session.ended", "member.unknown"})
"""Refusals that lead to another page than the form's."""

_AT_THE_END: Final = frozenset(
    {"change.reason", "evidence.kind", "evidence.too-large", "evidence-store.unavailable"}
)
"""Refusals of what is asked for on the second page."""

_Told = IssuerDataError | IssuerRefusedError
_ActPath = Annotated[MemberActName, Path(description="What is done.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One person at the page of one act with one member."""

    request: Request
    services: ApiServices
    caller: Caller
    member_id: uuid.UUID
    name: MemberActName

    @property
    def address(self) -> str:
        """Of the member's page."""
        return f"/members/{self.member_id}"

    def look(self, version: int | None = None) -> SeenMember:
        """The member, and what the reader saw before."""
        with hiding_unreadable(self.services, self.caller, self.member_id):
            return self.services.changes.look(
                MemberId(self.member_id), actor=self.caller.actor, version=version
            )

    def tell(self, finding: Finding) -> str:
        """What is wrong with a field, in the reader's language."""
        known = member_words.REFUSALS.get(finding.code)
        if language_of(self.request) is Language.VIETNAMESE and known is None:
            return self.services.finding_in_vietnamese(finding.code)
        return finding.sentence


@member_act_page_router.get(_CHANGE, response_model=None)
def change_page(
    member_id: MemberIdPath,
    act: _ActPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
) -> Response:
    """The form, with what the register says now."""
    visit = _Visit(request=request, services=services, caller=caller, member_id=member_id, name=act)
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
    visit = _Visit(request=request, services=services, caller=caller, member_id=member_id, name=act)
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
    visit = _Visit(request=request, services=services, caller=caller, member_id=member_id, name=act)
    async with change_form(request) as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_store, visit, form, key)


@member_act_page_router.get(_ONE + "/evidence/{digest}", response_model=None)
def evidence_page(
    member_id: MemberIdPath, digest: EvidencePath, services: Services, caller: MemberReader
) -> Response:
    """The document that a change rests on."""
    return evidence_file(caller, services, member_id, digest)


def _store(visit: _Visit, form: ChangeForm, key: str) -> Response:
    version = _version(form.fields)
    try:
        take_act_once(
            visit.services,
            visit.caller,
            visit.member_id,
            form.without("once", "step"),
            what=f"{visit.name} by form",
            act=lambda: _act(visit, form.fields, visit.look(version)),
            key=key,
            version=lambda: version,
        )
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in _ELSEWHERE or error.code.startswith("idempotency."):
            raise
        if error.code in _AT_THE_END:
            return _check(visit, form.fields, error=error)
        return _again(visit, form.fields, error=error)
    return RedirectResponse(f"{visit.address}?done={visit.name}", status_code=303)


def _check(visit: _Visit, fields: Mapping[str, str], *, error: _Told | None = None) -> Response:
    """The second page; the first one again where the act would be refused."""
    version = _version(fields)
    try:
        act = _act(visit, fields, visit.look(version))
        weighed = visit.services.changes.weigh(
            MemberId(visit.member_id), act, actor=visit.caller.actor, version=version
        )
    except (IssuerDataError, IssuerRefusedError) as refusal:
        if refusal.code in _ELSEWHERE or isinstance(refusal, ApiError):
            raise
        return _again(visit, fields, error=refusal)
    names = ACT_FIELDS[visit.name]
    return _page(
        visit,
        "member_change_check.html",
        error=error,
        member=MemberDocument.of(weighed.member, scheme=visit.services.scheme),
        version=version,
        carried={name: fields[name] for name in names if name in fields},
        reason=fields.get("reason", ""),
        changes=_shown(visit, weighed.changes),
        consequences=weighed.consequences,
        organisations=visit.services.organisations.names(
            [
                OrganisationCode(text)
                for each in weighed.changes
                if each.column in {"organisation_code", "served_in"}
                for text in (each.old, each.new)
                if text is not None
            ]
        ),
        is_weighty=fields.get("standing") in member_words.WEIGHTY_STANDINGS,
        display=visit.services.scheme.display,
        card_words=card_words,
    )


def _again(visit: _Visit, fields: Mapping[str, str], *, error: _Told | None = None) -> Response:
    """The form with what was typed; whatever somebody else changed meanwhile stands beside it."""
    version = _version(fields)
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
        for name in ACT_FIELDS[visit.name]
    }
    return _form(
        visit, seen, {**typed, "reason": fields.get("reason", "")}, before=before, error=error
    )


def _form(
    visit: _Visit,
    seen: SeenMember,
    given: Mapping[str, str],
    *,
    before: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    scheme = visit.services.scheme
    now = member_words.shown_fields(seen.now, scheme)
    beside = {
        name: now[name]
        for name in (before or {})
        if name in now and before is not None and before[name] != now[name]
    }
    found = error.findings if isinstance(error, BrokenRulesError) else ()
    return _page(
        visit,
        "member_change.html",
        error=error,
        member=MemberDocument.of(seen.member, scheme=scheme),
        version=seen.member.version,
        given=given,
        beside=beside if visit.name is MemberActName.CORRECTION else {},
        meanwhile=seen.meanwhile,
        wrong={each.column: visit.tell(each) for each in found},
        is_unfolded=any(
            each.value in beside or given.get(each.value) != now[each.value]
            for each in member_words.EVENT_COLUMNS
        ),
    )


def _page(visit: _Visit, template: str, *, error: _Told | None, **context: object) -> Response:
    told = problem_words(error)
    if error is not None and error.code in member_words.REFUSALS:
        told["remedy"] = member_words.REFUSALS[error.code]
    if isinstance(error, BrokenRulesError) and error.code not in member_words.REFUSALS:
        told["remedy"] = member_words.WRONG_FIELDS
    return render(
        visit.request,
        template,
        caller=visit.caller,
        status=200 if error is None else _status(error),
        act=visit.name.value,
        home=visit.address,
        words=words,
        own=member_words,
        **context,
        **told,
    )


def _status(error: _Told) -> int:
    """The form is there even where something that it names is not."""
    status = status_of(error)
    return int(HTTPStatus.UNPROCESSABLE_ENTITY if status is HTTPStatus.NOT_FOUND else status)


def _fields(visit: _Visit, seen: SeenMember) -> Mapping[str, str]:
    """What the form begins with."""
    if visit.name is MemberActName.CORRECTION:
        return member_words.shown_fields(seen.now, visit.services.scheme)
    if visit.name is MemberActName.SERVING:
        return {"organisation": seen.member.statement.served_in or ""}
    return {}


def _shown_before(visit: _Visit, seen: SeenMember) -> Mapping[str, str]:
    """What the fields held that the reader saw."""
    if visit.name is not MemberActName.CORRECTION:
        return {}
    return member_words.shown_fields(seen.seen, visit.services.scheme)


def _act(visit: _Visit, fields: Mapping[str, str], seen: SeenMember) -> MemberAct:
    """The act; a correction is of those fields alone in which something else was typed than the reader saw."""
    if visit.name is not MemberActName.CORRECTION:
        return act_of(visit.name, fields)
    before = _shown_before(visit, seen)
    return correction_of(
        {
            name: text
            for name, text in fields.items()
            if name in before and text.strip() != before[name]
        }
    )


def _shown(visit: _Visit, changes: tuple[FieldChange, ...]) -> list[tuple[str, str, str]]:
    show: Callable[..., str] = member_words.shown_text
    scheme = visit.services.scheme
    return [
        (
            each.column.value,
            show(each.column, each.old, scheme),
            show(each.column, each.new, scheme),
        )
        for each in changes
    ]


def _version(fields: Mapping[str, str]) -> int:
    text = fields.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_VERSION_DIGITS):
        raise ApiError("the form names no version", code="api.request-invalid")
    return int(text)
