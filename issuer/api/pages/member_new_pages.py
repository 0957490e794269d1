"""The page on which one new member is recorded: the fields of a list's row, and the picture."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.gate import Caller, Services
from issuer.api.import_routes import Importer
from issuer.api.languages import Language
from issuer.api.member_acts import ChangeForm, change_form
from issuer.api.member_recording import STATED, RecordedDocument, record_once
from issuer.api.pages import member_words, words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.member_visit import ELSEWHERE, Told, form_status
from issuer.api.pages.rendering import language_of, render
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.member_change import BrokenRulesError
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.import_outcome import RowResult

__all__ = ["member_new_page_router"]

member_new_page_router = APIRouter(include_in_schema=False)

_NEW: Final = "/members/new"


@member_new_page_router.get(_NEW, response_model=None)
def new_member_page(request: Request, services: Services, caller: Importer) -> Response:
    """The form."""
    roots = caller.actor.roots(Right.IMPORT_MEMBERS) or frozenset()
    given = {"standing": "official", "sex": "M"}
    if len(roots) == 1:
        given["organisation_code"] = next(iter(roots))
    return _form(request, services, caller, given)


@member_new_page_router.post(_NEW, response_model=None)
async def record_member(request: Request, services: Services, caller: Importer) -> Response:
    """Record the member, and go on to them, or to where they wait; sent twice, it is done once."""
    async with change_form(request, "picture") as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_record, request, services, caller, form, key)


def _record(
    request: Request, services: ApiServices, caller: Caller, form: ChangeForm, key: str
) -> Response:
    try:
        kept = record_once(services, caller, form.without("once"), key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if (
            error.code in ELSEWHERE
            or error.code.startswith("idempotency.")
            or isinstance(error, ApiError)
        ):
            raise
        return _form(request, services, caller, form.fields, error=error)
    found = RecordedDocument.model_validate_json(kept.body)
    if found.result is RowResult.QUESTIONABLE and found.questionable is not None:
        return RedirectResponse(
            f"/questionable/{found.questionable.replace(':', '/')}", status_code=303
        )
    if found.member is None:
        return RedirectResponse("/members?" + _search(form), status_code=303)
    return RedirectResponse(f"/members/{found.member}?done=recorded", status_code=303)


def _search(form: ChangeForm) -> str:
    """Whom the register has already is found by the number that stands on the form."""
    number = form.fields.get("record_number", "").strip()
    return f"name={number}" if number.isascii() and number.isalnum() else ""


def _form(
    request: Request,
    services: ApiServices,
    caller: Caller,
    given: Mapping[str, str],
    *,
    error: Told | None = None,
) -> Response:
    told = problem_words(error)
    found = error.findings if isinstance(error, BrokenRulesError) else ()
    if error is not None and found:
        told["remedy"] = member_words.WRONG_FIELDS
    elif error is not None and error.code in member_words.REFUSALS:
        told["remedy"] = member_words.REFUSALS[error.code]
    is_vietnamese = language_of(request) is Language.VIETNAMESE
    return render(
        request,
        "member_new.html",
        caller=caller,
        status=200 if error is None else form_status(error),
        given={each.value: given.get(each.value, "") for each in STATED},
        beside={},
        wrong={
            each.column: services.finding_in_vietnamese(each.code)
            if is_vietnamese
            else each.sentence
            for each in found
        },
        words=words,
        own=member_words,
        **told,
    )
