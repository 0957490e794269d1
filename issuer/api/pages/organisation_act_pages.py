"""Pages on which the tree of organisations is changed: what is to change, then what that means, and only then it is stored.

Every form names the version that its reader looked at; where somebody else was faster, the form comes back with what
was typed, and says beside each field what the register says by now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.languages import Language
from issuer.api.member_act_routes import EvidencePath
from issuer.api.member_acts import ChangeForm, change_form
from issuer.api.organisation_act_routes import (
    OrganisationWriter,
    VersionsQuery,
    evidence_of_organisation,
    versions_of,
)
from issuer.api.organisation_acts import (
    ACT_FIELDS,
    NEW_FIELDS,
    OrganisationActName,
    add_once,
    deed_of,
    hiding_organisations,
    take_deed_once,
)
from issuer.api.organisation_routes import CodePath, OrganisationReader
from issuer.api.pages import member_words, organisation_words, words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.member_visit import Told, form_status, version_of
from issuer.api.pages.rendering import language_of, render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.member_change import BrokenRulesError
from issuer.domain.organisation import Organisation, OrganisationCode, parse_organisation_code
from issuer.domain.organisation_acts import OrganisationDeed, Renaming
from issuer.domain.organisation_history import OrganisationVersion
from issuer.domain.rights import Right
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.weighed_organisations import SeenOrganisation, WeighedOrganisation

__all__ = ["organisation_act_page_router"]

organisation_act_page_router = APIRouter(include_in_schema=False)

_AREA: Final = "/organisation"
_ELSEWHERE: Final = frozenset({"session.ended"})
_AT_THE_END: Final = frozenset({"change.reason", "evidence.kind", "evidence.too-large"})
"""Refusals of what is asked for on the second page."""

_Act = OrganisationActName
_ActPath = Annotated[OrganisationActName, Path(description="What is done.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One person at the pages of one act with one organisation."""

    request: Request
    services: ApiServices
    caller: Caller
    act: OrganisationActName
    code: OrganisationCode

    def look(self, version: int | None = None) -> SeenOrganisation:
        """The organisation, and what the reader saw before.

        Raises:
            IssuerDataError, IssuerRefusedError, ConflictError: as ``ChangeOfOrganisations.look``.
        """
        with hiding_organisations(self.services, self.caller, self.code):
            return self.services.organisation_changes.look(
                self.code, actor=self.caller.actor, version=version
            )

    def page(
        self, template: str, *, error: Told | None, now: OrganisationVersion, **context: object
    ) -> Response:
        """A page of the act."""
        place = quote(self.code, safe="")
        return render(
            self.request,
            template,
            caller=self.caller,
            status=200 if error is None else form_status(error),
            act=self.act.value,
            home=_home(self.code),
            change=f"{_AREA}/change/{self.act}/{place}",
            store=f"{_AREA}/store/{self.act}/{place}",
            organisation=now.organisation,
            version=now.number,
            way=self.services.organisations.path(self.code, actor=self.caller.actor),
            own=organisation_words,
            **context,
            **_told(error),
        )


@organisation_act_page_router.get(_AREA + "/change/{act}/{code:path}", response_model=None)
def change_page(
    act: _ActPath,
    code: CodePath,
    request: Request,
    services: Services,
    caller: OrganisationWriter,
) -> Response:
    """The form, with what the register says now."""
    visit = _visit(request, services, caller, act, code)
    seen = visit.look()
    return _form(visit, seen, _shown(visit, seen.now))


@organisation_act_page_router.post(_AREA + "/change/{act}/{code:path}", response_model=None)
def weigh_change(
    *,
    act: _ActPath,
    code: CodePath,
    request: Request,
    services: Services,
    caller: OrganisationWriter,
    fields: FormFields,
) -> Response:
    """What the change would be and mean; or the form once more, for whoever wants to type something else."""
    visit = _visit(request, services, caller, act, code)
    if fields.get("step") == "edit":
        return _again(visit, fields)
    return _check(visit, fields)


@organisation_act_page_router.post(_AREA + "/store/{act}/{code:path}", response_model=None)
async def store_change(
    act: _ActPath,
    code: CodePath,
    request: Request,
    services: Services,
    caller: OrganisationWriter,
) -> Response:
    """Store it, and go on to the organisation; sent twice, it is done once."""
    visit = _visit(request, services, caller, act, code)
    async with change_form(request) as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_store, visit, form, key)


@organisation_act_page_router.get(_AREA + "/new", response_model=None)
def new_organisation_page(
    request: Request,
    services: Services,
    caller: OrganisationWriter,
    above: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """The form, below an organisation or at the top of the tree."""
    return _new(request, services, caller, {"parent_code": above})


@organisation_act_page_router.post(_AREA + "/new", response_model=None)
async def add_organisation(
    request: Request, services: Services, caller: OrganisationWriter
) -> Response:
    """Record it, and go on to its page; sent twice, it is done once."""
    async with change_form(request) as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_add, request, services, caller, form, key)


@organisation_act_page_router.get(_AREA + "/history/{code:path}", response_model=None)
def history_page(
    code: CodePath,
    request: Request,
    services: Services,
    caller: OrganisationReader,
    cursor: CursorOfPage = None,
) -> Response:
    """Everything that happened to it."""
    page = versions_of(caller, services, VersionsQuery(organisation=code, cursor=cursor))
    way = services.organisations.path(parse_organisation_code(code), actor=caller.actor)
    here = f"{_AREA}/history/{quote(code, safe='')}"
    return render(
        request,
        "organisation_history.html",
        caller=caller,
        way=way,
        versions=page.versions,
        first=here if cursor is not None else None,
        next=None if page.next is None else f"{here}?{urlencode({'cursor': page.next})}",
        may_read_papers=caller.actor.may(
            Right.WRITE_ORGANISATIONS, place=[each.code for each in way]
        ),
        own=organisation_words,
    )


@organisation_act_page_router.get(_AREA + "/evidence/{digest}/{code:path}", response_model=None)
def evidence_page(
    digest: EvidencePath, code: CodePath, services: Services, caller: OrganisationWriter
) -> Response:
    """The document that a change rests on."""
    return evidence_of_organisation(caller, services, code, digest)


def _visit(
    request: Request,
    services: ApiServices,
    caller: Caller,
    act: OrganisationActName,
    code: str,
) -> _Visit:
    return _Visit(
        request=request,
        services=services,
        caller=caller,
        act=act,
        code=parse_organisation_code(code),
    )


def _store(visit: _Visit, form: ChangeForm, key: str) -> Response:
    version = version_of(form.fields)
    try:
        take_deed_once(
            visit.services,
            visit.caller,
            visit.code,
            form.without("once", "step"),
            what=f"{visit.act} by form",
            deed=lambda: _deed(visit, form.fields, visit.look(version)),
            key=key,
            version=lambda: version,
        )
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in _ELSEWHERE or error.code.startswith("idempotency."):
            raise
        if error.code in _AT_THE_END:
            return _check(visit, form.fields, error=error)
        return _again(visit, form.fields, error=error)
    return RedirectResponse(f"{_home(visit.code)}?done={visit.act}", status_code=303)


def _check(visit: _Visit, fields: Mapping[str, str], *, error: Told | None = None) -> Response:
    """The second page; the first one again where the act would be refused."""
    version = version_of(fields)
    try:
        deed = _deed(visit, fields, visit.look(version))
        weighed = visit.services.organisation_changes.weigh(
            visit.code, deed, actor=visit.caller.actor, version=version
        )
    except (IssuerDataError, IssuerRefusedError) as refusal:
        if isinstance(refusal, ApiError):
            raise
        return _again(visit, fields, error=refusal)
    return visit.page(
        "organisation_change_check.html",
        error=error,
        now=weighed.current,
        carried={name: fields[name] for name in ACT_FIELDS[visit.act] if name in fields},
        reason=fields.get("reason", ""),
        on=weighed.on,
        changes=_differences(weighed),
        names=visit.services.organisations.names(
            {
                each
                for each in (
                    weighed.current.organisation.parent_code,
                    weighed.after.parent_code,
                    weighed.successor,
                )
                if each is not None
            }
        ),
        reach=weighed.reach,
        is_weighty=visit.act.value in organisation_words.WEIGHTY,
    )


def _again(visit: _Visit, fields: Mapping[str, str], *, error: Told | None = None) -> Response:
    """The form with what was typed; whatever somebody else changed meanwhile stands beside it."""
    version = version_of(fields)
    try:
        seen = visit.look(version)
    except ConflictError as conflict:
        # Nobody can say any more what the reader saw: everything typed stays, beside what is there now.
        seen, error = visit.look(), error or conflict
    if seen.meanwhile and error is None:
        error = ConflictError("somebody was faster", code="organisation.changed")
    now, before = _shown(visit, seen.now), _shown(visit, seen.seen)
    typed = {
        name: fields[name]
        if name in fields and fields[name].strip() != before.get(name)
        else now.get(name, "")
        for name in ACT_FIELDS[visit.act]
    }
    return _form(
        visit, seen, {**typed, "reason": fields.get("reason", "")}, before=before, error=error
    )


def _form(
    visit: _Visit,
    seen: SeenOrganisation,
    given: Mapping[str, str],
    *,
    before: Mapping[str, str] | None = None,
    error: Told | None = None,
) -> Response:
    now, above = _shown(visit, seen.now), seen.now.organisation.parent_code
    return visit.page(
        "organisation_change.html",
        error=error,
        now=seen.now,
        given=given,
        beside={name: now[name] for name, text in (before or {}).items() if text != now[name]},
        meanwhile=seen.meanwhile,
        above="" if above is None else visit.services.organisations.names([above])[above],
    )


def _shown(visit: _Visit, version: OrganisationVersion) -> Mapping[str, str]:
    """What the fields hold of a version; the others are of the act alone."""
    if visit.act is not _Act.RENAMING:
        return {}
    stated = version.organisation
    return {"name": stated.name, "level": stated.level or ""}


def _deed(visit: _Visit, fields: Mapping[str, str], seen: SeenOrganisation) -> OrganisationDeed:
    """The act; a renaming is of those fields alone in which something else was typed than the reader saw."""
    known = {name: fields[name] for name in ACT_FIELDS[visit.act] if name in fields}
    deed = deed_of(visit.act, known)
    if not isinstance(deed, Renaming):
        return deed
    before = _shown(visit, seen.seen)
    name, level = (
        text if text is not None and text.strip() != before[field] else None
        for field, text in (("name", deed.name), ("level", deed.level))
    )
    return Renaming(on=deed.on, name=name, level=level)


def _differences(weighed: WeighedOrganisation) -> list[tuple[str, str | None, str | None]]:
    """Field, text before and then; organisations stand there by their codes."""
    before, after = weighed.current.organisation, weighed.after
    if weighed.successor is not None:
        return [("into", None, weighed.successor)]
    found: list[tuple[str, str | None, str | None]] = [
        ("name", before.name, after.name),
        ("level", before.level, after.level),
        ("under", before.parent_code, after.parent_code),
    ]
    return [each for each in found if each[1] != each[2]]


def _add(
    request: Request, services: ApiServices, caller: Caller, form: ChangeForm, key: str
) -> Response:
    try:
        add_once(services, caller, form.without("once"), key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if (
            error.code in _ELSEWHERE
            or error.code.startswith("idempotency.")
            or isinstance(error, ApiError)
        ):
            raise
        return _new(request, services, caller, form.fields, error=error)
    code = form.fields["code"].strip()
    return RedirectResponse(f"{_home(code)}?done=added", status_code=303)


def _new(
    request: Request,
    services: ApiServices,
    caller: Caller,
    given: Mapping[str, str],
    *,
    error: Told | None = None,
) -> Response:
    found = error.findings if isinstance(error, BrokenRulesError) else ()
    told = _told(error)
    if found:
        told["remedy"] = member_words.WRONG_FIELDS
    is_vietnamese = language_of(request) is Language.VIETNAMESE
    above: tuple[Organisation, ...] = ()
    if error is None and given["parent_code"]:
        above = services.organisations.path(
            parse_organisation_code(given["parent_code"]), actor=caller.actor
        )
    return render(
        request,
        "organisation_new.html",
        caller=caller,
        status=200 if error is None else form_status(error),
        given={name: given.get(name, "") for name in (*NEW_FIELDS, "reason")},
        wrong={
            each.column: services.finding_in_vietnamese(each.code)
            if is_vietnamese
            else each.sentence
            for each in found
        },
        way=above,
        words=words,
        own=organisation_words,
        **told,
    )


def _told(error: Told | None) -> dict[str, str]:
    told = problem_words(error)
    if error is not None and error.code in organisation_words.REFUSALS:
        told["remedy"] = organisation_words.REFUSALS[error.code]
    return told


def _home(code: str) -> str:
    """The page of an organisation."""
    return f"/organisations/{quote(code, safe='')}"
