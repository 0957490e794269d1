"""The page of a person's rights: all that is held about them, to whom it was given, and its deletion by two people."""

import enum
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from issuer.api.cursors import CursorScope
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Demand, Services
from issuer.api.member_act_routes import document_file
from issuer.api.member_acts import ChangeForm, change_form
from issuer.api.member_routes import MemberIdPath, MemberReader, hiding_members, open_member
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.pages import subject_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.member_visit import Told, form_status
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.data_subjects import DeletionGround, Disclosure, DisclosureGround
from issuer.domain.member import Member, MemberId
from issuer.domain.rights import Place, Right, same_person
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.subject_ports import DeletionPosition

__all__ = ["subject_page_router"]

subject_page_router = APIRouter(include_in_schema=False)

_DATA: Final = "/members/{member_id}/data"
_DELETIONS: Final = "/deletions"
_PAGE: Final = 50
_PASSED_ON: Final = frozenset({"right.step-up-needed", "session.ended", "member.unknown"})

Server = Annotated[Caller, Depends(Demand(Right.SERVE_DATA_SUBJECTS))]
Deleter = Annotated[Caller, Depends(Demand(Right.DELETE_MEMBERS))]


class _Kind(enum.StrEnum):
    """As what an extract is downloaded."""

    JSON = "json"
    PDF = "pdf"


class _Done(BaseModel):
    """What was done with whose data."""

    member: uuid.UUID


@subject_page_router.get(_DATA, response_model=None)
def data_page(
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberReader,
    done: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """To whom the data was given, and what a deletion would destroy."""
    return _visit(member_id, request, services, caller).page(done=done)


@subject_page_router.post(_DATA + "/extract", response_model=None)
def download_extract(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: Server,
    fields: FormFields,
) -> Response:
    """All that is held, for the person; that it was given out stands in the log of disclosures."""
    try:
        kind = _Kind(fields.get("kind", ""))
    except ValueError as error:
        raise ApiError("the form names no kind of file", code="api.request-invalid") from error
    try:
        with hiding_members(member_id):
            extract = services.subjects.extract(
                MemberId(member_id), reference=fields.get("reference", ""), actor=caller.actor
            )
    except (IssuerDataError, IssuerRefusedError) as error:
        return _visit(member_id, request, services, caller).told(error, fields)
    name = f"extract-{member_id}.{kind}"
    if kind is _Kind.PDF:
        return _file(services.extract_file(extract), "application/pdf", name)
    content = json.dumps(extract.document(), ensure_ascii=False, indent=2).encode()
    return _file(content, "application/json", name)


@subject_page_router.post(_DATA + "/disclosures", response_model=None)
def write_disclosure(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: Server,
    fields: FormFields,
) -> Response:
    """Write down that somebody outside was given the data; sent twice, it is written once."""
    try:
        ground = DisclosureGround(fields.get("ground", ""))
    except ValueError as error:
        raise ApiError("the form names no ground", code="api.request-invalid") from error

    def act() -> None:
        services.subjects.disclose(
            MemberId(member_id),
            recipient=fields.get("recipient", ""),
            ground=ground,
            reference=fields.get("reference", ""),
            what=fields.get("what", ""),
            actor=caller.actor,
        )

    form = ChangeForm(fields=fields, files={})
    return _visit(member_id, request, services, caller).carry_out(form, act, done="disclosed")


@subject_page_router.post(_DATA + "/deletion", response_model=None)
async def propose_deletion(
    member_id: MemberIdPath, request: Request, services: Services, caller: Server
) -> Response:
    """Propose that the record is deleted; nothing changes until another person confirms it."""
    async with change_form(request) as form:
        try:
            ground = DeletionGround(form.fields.get("ground", ""))
        except ValueError as error:
            raise ApiError("the form names no ground", code="api.request-invalid") from error
        return await run_in_threadpool(
            _visit(member_id, request, services, caller).carry_out,
            form,
            lambda: services.deletions.deleting.propose(
                MemberId(member_id),
                ground=ground,
                reference=form.fields.get("reference", ""),
                evidence=form.why.evidence,
                actor=caller.actor,
            ),
            done="proposed",
        )


@subject_page_router.get(_DATA + "/deletion/document", response_model=None)
def deletion_document(
    member_id: MemberIdPath, services: Services, caller: MemberReader
) -> Response:
    """The document that a proposal rests on, for whoever is to confirm it."""
    with hiding_members(member_id):
        content = services.deletions.deleting.document(MemberId(member_id), actor=caller.actor)
    return document_file(content, member_id.hex)


@subject_page_router.post(_DATA + "/deletion/withdraw", response_model=None)
def withdraw_deletion(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberReader,
    fields: FormFields,
) -> Response:
    """Nobody confirms it any more."""
    return _visit(member_id, request, services, caller).carry_out(
        ChangeForm(fields=fields, files={}),
        lambda: services.deletions.deleting.withdraw(MemberId(member_id), actor=caller.actor),
        done="withdrawn",
    )


@subject_page_router.post(_DATA + "/deletion/confirm", response_model=None)
def confirm_deletion(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: Deleter,
    fields: FormFields,
) -> Response:
    """Destroy the record; sent twice, it is done once."""

    def act() -> None:
        number = open_member(caller, services, member_id).statement.record_number
        if fields.get("record_number", "").strip().upper() != number.upper():
            raise ApiError(
                "the record number that was typed is not this member's",
                code="subject.number-differs",
            )
        services.deletions.confirm(MemberId(member_id), actor=caller.actor)

    form = ChangeForm(fields=fields, files={})
    gone = f"{_DELETIONS}/{member_id}"
    visit = _visit(member_id, request, services, caller)
    return visit.carry_out(form, act, done="deleted", to=gone)


@subject_page_router.get(_DELETIONS, response_model=None)
def deletions_page(
    request: Request, services: Services, caller: MemberReader, cursor: CursorOfPage = None
) -> Response:
    """What waits for a second person where the reader may propose or confirm."""
    scope = CursorScope(listing="deletions", account=caller.actor.account, selection={})
    behind = None
    if cursor is not None:
        at, _, member = services.cursors.open(cursor, scope).decode().partition(" ")
        behind = DeletionPosition(datetime.fromisoformat(at), MemberId(uuid.UUID(member)))
    found = services.deletions.deleting.waiting(actor=caller.actor, limit=_PAGE + 1, behind=behind)
    following = None
    if len(found) > _PAGE:
        last = found[_PAGE - 1]
        position = f"{last.proposed_at.isoformat()} {last.member_id}"
        following = f"{_DELETIONS}?cursor={services.cursors.seal(position.encode(), scope)}"
    return render(
        request,
        "deletions.html",
        caller=caller,
        waiting=[
            (each, same_person(each.proposed_by, caller.actor.account)) for each in found[:_PAGE]
        ],
        first=None if cursor is None else _DELETIONS,
        next=following,
        own=subject_words,
    )


@subject_page_router.get(_DELETIONS + "/{member_id}", response_model=None)
def deleted_page(
    member_id: MemberIdPath, request: Request, services: Services, caller: MemberReader
) -> Response:
    """The record is gone; its proof waits for whoever confirmed it."""
    return render(
        request,
        "deletion_done.html",
        caller=caller,
        member_id=member_id,
        has_proof=services.deletions.proofs.has(MemberId(member_id), caller.actor.account),
    )


@subject_page_router.post(_DELETIONS + "/{member_id}/proof", response_model=None)
def download_proof(member_id: MemberIdPath, services: Services, caller: MemberReader) -> Response:
    """The proof for the person; soon afterwards no copy of it is left here."""
    content = services.deletions.proofs.fetch(MemberId(member_id), caller.actor.account)
    return _file(content, "application/json", f"deletion-proof-{member_id}.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One person at the page of somebody's data."""

    request: Request
    services: ApiServices
    caller: Caller
    member_id: uuid.UUID

    def carry_out(
        self, form: ChangeForm, act: Callable[[], object], *, done: str, to: str | None = None
    ) -> Response:
        """Do it, and go on; the same form sent twice is carried out once."""
        key = form_key(form.fields)
        there = to or f"/members/{self.member_id}/data?done={done}"
        mark = mark_of(
            self.caller.actor.account,
            key,
            what=f"{done} by form, of member {self.member_id}",
            content=form.without("once").content,
        )

        def carried_out() -> Receipt:
            with hiding_members(self.member_id):
                act()
            return Receipt(status=200, location=there, document=_Done(member=self.member_id))

        try:
            carry_out_once(self.services, mark, carried_out)
        except (IssuerDataError, IssuerRefusedError) as error:
            return self.told(error, form.fields)
        return RedirectResponse(there, status_code=303)

    def told(self, error: Told, given: Mapping[str, str]) -> Response:
        """The page with what does not go and what was typed; what leads elsewhere is passed on."""
        if error.code in _PASSED_ON or error.code not in subject_words.REFUSALS:
            raise error
        return self.page(error=error, given=given)

    def page(
        self, *, done: str = "", error: Told | None = None, given: Mapping[str, str] | None = None
    ) -> Response:
        """To whom the data was given, and what a deletion would destroy."""
        actor, services = self.caller.actor, self.services
        member = open_member(self.caller, services, self.member_id)
        way = services.organisations.path(member.statement.organisation_code, actor=actor)
        place = [each.code for each in way]
        may_serve = actor.may(Right.SERVE_DATA_SUBJECTS, place=place)
        with hiding_members(self.member_id):
            seen = services.deletions.deleting.look(member.member_id, actor=actor)
        proposal = seen.proposal
        told = problem_words(error)
        if error is not None:
            told["remedy"] = subject_words.REFUSALS[error.code]
        return render(
            self.request,
            "member_data.html",
            caller=self.caller,
            status=200 if error is None else form_status(error),
            home=f"/members/{self.member_id}",
            name=member.statement.name.full,
            record_number=member.statement.record_number,
            may_serve=may_serve,
            may_extract=may_serve and actor.may(Right.EXPORT_MEMBERS, place=place),
            may_delete=actor.may(Right.DELETE_MEMBERS, place=place),
            must_show_key={
                "extract": _must_show_key(self.caller, Right.EXPORT_MEMBERS, place),
                "delete": _must_show_key(self.caller, Right.DELETE_MEMBERS, place),
            },
            disclosures=_disclosures(services, self.caller, member) if may_serve else (),
            seen=seen,
            is_own=proposal is not None and same_person(proposal.proposed_by, actor.account),
            done=subject_words.DONE.get(done),
            given=given or {},
            own=subject_words,
            **told,
        )


def _visit(member_id: uuid.UUID, request: Request, services: ApiServices, caller: Caller) -> _Visit:
    return _Visit(request=request, services=services, caller=caller, member_id=member_id)


def _disclosures(services: ApiServices, caller: Caller, member: Member) -> Sequence[Disclosure]:
    """The newest first: the last one is what one looks for."""
    return tuple(reversed(services.subjects.disclosures(member.member_id, actor=caller.actor)))


def _must_show_key(caller: Caller, right: Right, place: Place) -> bool:
    """Whether the right is there, and the second factor was not shown lately: before something is typed in vain."""
    try:
        caller.actor.demand(right, place=place, now=caller.now)
    except IssuerRefusedError as error:
        return error.code == "right.step-up-needed"
    return False


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
