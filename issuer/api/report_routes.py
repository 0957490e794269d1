"""Reports: how good the register is, by organisation."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.report import Quality
from issuer.domain.rights import Right
from issuer.services.operation_ports import KeptAnswer, OperationKind
from issuer.services.report_ports import ReportLine
from issuer.services.reports import ReportForm

__all__ = [
    "FILES_OF_REPORTS",
    "ReportFileQuery",
    "ReportLineDocument",
    "ReportListQuery",
    "ReportPageDocument",
    "ReportReader",
    "answer_with_file",
    "begin_counting",
    "file_of_report",
    "report_page",
    "report_router",
]

report_router = APIRouter(prefix="/v1/reports", tags=["reports"])

ReportReader = Annotated[Caller, Depends(Demand(Right.READ_REPORTS))]
_MEDIA_TYPES: Final = {
    ReportForm.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ReportForm.PDF: "application/pdf",
}
FILES_OF_REPORTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {each: {} for each in _MEDIA_TYPES.values()}}
}
"""What a route answers that brings a report as a file, for the description."""

_Share = Annotated[
    int | None, Field(default=None, ge=0, le=1000, description="In thousandths; absent of nobody.")
]


class ReportListQuery(ListQuery):
    """Which level of the tree."""

    above: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="Those directly below this one; absent: where the caller's part of the tree begins.",
        examples=["P-01"],
    )


class ReportFileQuery(BaseModel):
    """Which file."""

    model_config = ConfigDict(extra="forbid")

    form: ReportForm = Field(default=ReportForm.XLSX)
    above: str | None = Field(default=None, min_length=1, max_length=32, examples=["P-01"])


class ReportLineDocument(BaseModel):
    """One organisation with all below it."""

    code: str = Field(examples=["P-01"])
    name: str
    below: int = Field(ge=0, description="How many are directly below.")
    right: _Share
    complete: _Share
    clean: _Share
    live: _Share
    members: int = Field(ge=0)
    waiting_rows: int = Field(ge=0)
    incomplete: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    look_alikes: int = Field(ge=0)
    stale: int = Field(ge=0)
    open_requests: int = Field(ge=0)
    ageing_requests: int = Field(ge=0)

    @classmethod
    def of(cls, line: ReportLine) -> "ReportLineDocument":
        """The document of a line."""
        found = line.measures
        return cls(
            code=line.code,
            name=line.name,
            below=line.below,
            right=found.per_mille(Quality.RIGHT),
            complete=found.per_mille(Quality.COMPLETE),
            clean=found.per_mille(Quality.CLEAN),
            live=found.per_mille(Quality.LIVE),
            members=found.members,
            waiting_rows=found.waiting_rows,
            incomplete=found.incomplete,
            duplicates=found.duplicates,
            look_alikes=found.look_alikes,
            stale=found.stale,
            open_requests=found.open_requests,
            ageing_requests=found.ageing_requests,
        )


class ReportPageDocument(BaseModel):
    """One level of the tree, by code."""

    counted_at: datetime | None = Field(description="Absent where nothing was counted yet.")
    head: ReportLineDocument | None = Field(
        default=None, description="The organisation that the level is below."
    )
    lines: list[ReportLineDocument]
    next: str | None = None


def report_page(
    caller: Caller, services: ApiServices, query: ReportListQuery
) -> ReportPageDocument:
    """A page of a report.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
    """
    scope = CursorScope(
        listing="reports", account=caller.actor.account, selection={"above": query.above}
    )
    behind = None
    if query.cursor is not None:
        behind = OrganisationCode(services.cursors.open(query.cursor, scope).decode())
    found = services.reports.show(
        actor=caller.actor,
        above=None if query.above is None else parse_organisation_code(query.above),
        limit=query.limit,
        behind=behind,
    )
    end = found.page.end
    return ReportPageDocument(
        counted_at=found.counted_at,
        head=None if found.head is None else ReportLineDocument.of(found.head),
        lines=[ReportLineDocument.of(each) for each in found.page.lines],
        next=None if end is None else services.cursors.seal(end.encode(), scope),
    )


def begin_counting(caller: Caller, services: ApiServices, key: str, *, at: str) -> KeptAnswer:
    """Have the register counted; ``at`` is the address below which the operation is found."""
    mark = mark_of(caller.actor.account, key, what="count reports", content=b"")

    def act() -> Receipt:
        operation = services.operations.begin(
            OperationKind.COUNT_REPORTS, account=caller.actor.account, inputs={}
        )
        return Receipt(
            status=202,
            location=f"{at}/{operation.operation_id}",
            document=OperationDocument.of(operation),
        )

    return carry_out_once(services, mark, act)


def file_of_report(
    make: Callable[..., bytes], caller: Caller, form: ReportForm, above: str | None
) -> Response:
    """The answer that brings a file."""
    code = None if above is None else parse_organisation_code(above)
    return answer_with_file(make(form, above=code, actor=caller.actor), form, name="report")


def answer_with_file(content: bytes, form: ReportForm, *, name: str) -> Response:
    """The answer that brings these bytes under a name, which gets the ending of the form."""
    return Response(
        content,
        media_type=_MEDIA_TYPES[form],
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{form.value}"',
            "Cache-Control": "no-store",
        },
    )


@report_router.get("", summary="Show how good the register is, one level of the tree")
def show_report(
    query: Annotated[ReportListQuery, Query()], services: Services, caller: ReportReader
) -> ReportPageDocument:
    """As it was counted last."""
    return report_page(caller, services, query)


@report_router.post(
    "/count",
    status_code=202,
    response_model=OperationDocument,
    summary="Count the register anew",
)
def count(services: Services, caller: ReportReader, key: KeyHeader) -> Response:
    """It reads every member once, as an operation."""
    return answer_of(begin_counting(caller, services, key, at="/v1/operations"))


@report_router.get(
    "/file",
    response_class=Response,
    summary="Take a report as a file",
    responses=FILES_OF_REPORTS,
)
def take_file(
    query: Annotated[ReportFileQuery, Query()], services: Services, caller: ReportReader
) -> Response:
    """Everything from an organisation down; it is recorded who took it."""
    return file_of_report(services.report_file, caller, query.form, query.above)
