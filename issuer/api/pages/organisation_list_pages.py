"""The page on which a whole tree of organisations is brought as a list."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.gate import Caller, Services
from issuer.api.languages import Language
from issuer.api.organisation_act_routes import OrganisationWriter, list_file_of
from issuer.api.organisation_acts import TakenListDocument, bring_once
from issuer.api.pages import organisation_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.member_visit import Told, form_status
from issuer.api.pages.rendering import language_of, render
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.bring_organisations import RefusedListError
from issuer.services.operation_ports import KeptAnswer
from issuer.services.upload_ports import UploadedFile

__all__ = ["organisation_list_page_router"]

organisation_list_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/organisation/list"
_SHOWN_FINDINGS: Final = 200


@organisation_list_page_router.get(_LIST, response_model=None)
def list_page(request: Request, services: Services, caller: OrganisationWriter) -> Response:
    """The form."""
    return _form(request, services, caller)


@organisation_list_page_router.get(_LIST + "/template", response_model=None)
def template_page(services: Services, _caller: OrganisationWriter) -> Response:
    """An empty list, as csv."""
    return Response(
        services.organisation_template(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="organisations.csv"'},
    )


@organisation_list_page_router.post(_LIST, response_model=None)
async def bring_list(request: Request, services: Services, caller: OrganisationWriter) -> Response:
    """Take it as a whole, or say what is wrong; sent twice, it is taken once."""
    async with form_of(request, max_files=1, max_fields=1) as form:
        key = form_key({name: text for name, text in form.items() if isinstance(text, str)})
        file = list_file_of(form.get("list"))
        return await run_in_threadpool(_bring, request, services, caller, file, key)


def _bring(
    request: Request, services: ApiServices, caller: Caller, file: UploadedFile, key: str
) -> Response:
    try:
        kept: KeptAnswer = bring_once(services, caller, file, key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code.startswith("idempotency.") or isinstance(error, ApiError):
            raise
        return _form(request, services, caller, error=error)
    found = TakenListDocument.model_validate_json(kept.body)
    counts = {"taken": found.taken, "present": found.already_present}
    return RedirectResponse(f"/organisations?{urlencode(counts)}", status_code=303)


def _form(
    request: Request, services: ApiServices, caller: Caller, *, error: Told | None = None
) -> Response:
    told = problem_words(error)
    if error is not None and error.code in organisation_words.REFUSALS:
        told["remedy"] = organisation_words.REFUSALS[error.code]
    found = error.findings if isinstance(error, RefusedListError) else ()
    is_vietnamese = language_of(request) is Language.VIETNAMESE
    return render(
        request,
        "organisation_list.html",
        caller=caller,
        status=200 if error is None else form_status(error),
        findings=[
            (
                each.row,
                each.column,
                services.finding_in_vietnamese(each.code) if is_vietnamese else each.sentence,
                each.code,
            )
            for each in found[:_SHOWN_FINDINGS]
        ],
        more=max(0, len(found) - _SHOWN_FINDINGS),
        own=organisation_words,
        **told,
    )
