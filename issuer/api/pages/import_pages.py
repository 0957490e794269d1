"""Pages of imports: bring a list, follow it, read what was found."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.answering_errors import is_file
from issuer.api.gate import Services
from issuer.api.import_routes import (
    Importer,
    ImportNumberPath,
    begin_import,
    correction_of,
    findings_of,
    report_of,
    upload_of,
)
from issuer.api.once import KEY_PATTERN
from issuer.api.operation_routes import (
    OperationDocument,
    OperationIdPath,
    OwnOperations,
    operation_page,
)
from issuer.api.pages import exchange_words, words
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import ListQuery
from issuer.api.problems import ApiError
from issuer.api.remedies import remedy_of
from issuer.domain.rights import Right
from issuer.services.import_ports import ImportNumber
from issuer.services.import_uploads import IMPORT_NUMBER
from issuer.services.operation_ports import OperationId, OperationKind

__all__ = ["import_page_router"]

import_page_router = APIRouter(include_in_schema=False)

_RECENT: Final = 20
_SHOWN_ROWS: Final = 100


@import_page_router.get("/imports", response_model=None)
def imports_page(request: Request, services: Services, caller: Importer) -> Response:
    """The form, and the reader's own imports."""
    found = operation_page(caller, services, ListQuery(limit=_RECENT)).operations
    return render(
        request,
        "imports.html",
        caller=caller,
        operations=[each for each in found if each.kind is OperationKind.IMPORT_MEMBERS],
        words=words,
    )


@import_page_router.get("/imports/template", response_model=None)
def template_page(services: Services, _caller: Importer) -> Response:
    """An empty list, as a workbook."""
    return Response(
        services.member_template(),
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        headers={"Content-Disposition": 'attachment; filename="members.xlsx"'},
    )


@import_page_router.post("/imports", response_model=None)
async def bring_list(request: Request, services: Services, caller: Importer) -> Response:
    """Take the files, and go on to where they can be followed; sent twice, it is done once."""
    async with upload_of(request) as upload:
        key = upload.fields.get("once", "")
        if not re.fullmatch(KEY_PATTERN, key):
            raise ApiError("the form has no key of its own", code="api.request-invalid")
        kept = await run_in_threadpool(begin_import, services, caller, upload, key=key)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


@import_page_router.get("/operations/{operation_id}", response_model=None)
def operation_page_of_one(
    operation_id: OperationIdPath,
    request: Request,
    services: Services,
    caller: OwnOperations,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """How far it is; once it has ended, what was found."""
    found = services.operations.show(OperationId(operation_id), account=caller.actor.account)
    operation = OperationDocument.of(found)
    number = operation.counts.get(IMPORT_NUMBER)
    findings = None
    if number is not None and caller.actor.may_somewhere(Right.IMPORT_MEMBERS):
        findings = findings_of(services, caller, number, after=after, limit=_SHOWN_ROWS)
    here = f"/operations/{operation.id}"
    return render(
        request,
        "operation.html",
        caller=caller,
        operation=operation,
        is_final=found.state.is_final,
        number=number,
        findings=findings,
        has_correction=findings is not None
        and number is not None
        and services.imports.has_correction(ImportNumber(number), actor=caller.actor),
        reasons=sorted(
            ((name, count) for name, count in operation.counts.items() if "." in name),
            key=lambda pair: (-pair[1], pair[0]),
        ),
        first=here if after else None,
        next=None if findings is None or findings.next is None else f"{here}?after={findings.next}",
        remedy=None
        if operation.code is None
        else exchange_words.REFUSALS.get(operation.code) or remedy_of(operation.code, 409),
        exchange=exchange_words,
        words=words,
    )


@import_page_router.get("/imports/{number}/report", response_model=None)
def report_page(number: ImportNumberPath, services: Services, caller: Importer) -> Response:
    """Every finding as a csv file."""
    return report_of(services, caller, number)


@import_page_router.get(
    "/imports/{number}/correction", response_model=None, dependencies=[Depends(is_file)]
)
def correction_page(number: ImportNumberPath, services: Services, caller: Importer) -> Response:
    """The rows that were not taken, as a workbook; it asks for the second factor."""
    return correction_of(services, caller, number)
