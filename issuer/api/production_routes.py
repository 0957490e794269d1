"""How far production has come, by organisation, against the deadline."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Services
from issuer.api.ports import ApiServices
from issuer.api.report_routes import (
    FILES_OF_REPORTS,
    ReportFileQuery,
    ReportListQuery,
    ReportReader,
    file_of_report,
)
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.production_report import Stage
from issuer.services.production_reports import ProductionLine

__all__ = ["ProgressLineDocument", "ProgressPageDocument", "production_router"]

production_router = APIRouter(prefix="/v1/reports/production", tags=["reports"])


class StageDocument(BaseModel):
    """How many cards stand in a stage, and how many of them for longer than 7 and than 30 days."""

    stage: Stage
    cards: int = Field(ge=0)
    longer_than_7_days: int = Field(ge=0)
    longer_than_30_days: int = Field(ge=0)


class RejectDocument(BaseModel):
    """How many cards, and how many blanks before they were one, were condemned for a reason."""

    reason: str = Field(examples=["station.key-check"])
    cards: int = Field(ge=0)
    blanks: int = Field(ge=0)


class StockFiguresDocument(BaseModel):
    """The books of the sites of an organisation and all below it together."""

    received: int = Field(ge=0)
    good: int = Field(ge=0)
    spoiled: int = Field(ge=0)
    samples: int = Field(ge=0)
    left: int = Field(ge=0)
    destroyed: int = Field(ge=0, description="Among the spoiled chips and samples.")
    stolen: int = Field(ge=0, description="On the stop list for good, in no other figure.")


class ProgressLineDocument(BaseModel):
    """One organisation with all below it."""

    code: str = Field(examples=["P-01"])
    name: str
    below: int = Field(ge=0, description="How many are directly below.")
    handed_over: int = Field(ge=0)
    left: int = Field(ge=0, description="Cards that are still to be handed over.")
    per_mille: int | None = Field(ge=0, le=1000, description="Absent where nothing is to do.")
    needed_a_day: int | None = Field(
        ge=0, description="Until the deadline; absent without one, or where it has passed."
    )
    stages: list[StageDocument]
    rejects: list[RejectDocument]
    stock: StockFiguresDocument

    @classmethod
    def of(
        cls, line: ProductionLine, *, deadline: date | None, today: date
    ) -> "ProgressLineDocument":
        """The document of a line."""
        progress = line.progress
        needed = None if deadline is None else progress.needed_a_day(deadline, today=today)
        return cls(
            code=line.code,
            name=line.name,
            below=line.below,
            handed_over=progress.done,
            left=progress.left,
            per_mille=progress.per_mille,
            needed_a_day=needed,
            stages=[
                StageDocument(
                    stage=each,
                    cards=progress.at(each).cards,
                    longer_than_7_days=progress.at(each).long,
                    longer_than_30_days=progress.at(each).very_long,
                )
                for each in Stage
            ],
            rejects=[
                RejectDocument(reason=reason, cards=cards, blanks=blanks)
                for reason, (cards, blanks) in progress.reasons.items()
            ],
            stock=StockFiguresDocument(**asdict(progress.stock)),
        )


class ProgressPageDocument(BaseModel):
    """One level of the tree, by code."""

    counted_at: datetime | None = Field(description="Absent where nothing was counted yet.")
    deadline: date | None = None
    head: ProgressLineDocument | None = Field(
        default=None, description="The organisation that the level is below."
    )
    lines: list[ProgressLineDocument]
    next: str | None = None


def progress_page(
    caller: Caller, services: ApiServices, query: ReportListQuery
) -> ProgressPageDocument:
    """A page of the progress.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
    """
    scope = CursorScope(
        listing="production", account=caller.actor.account, selection={"above": query.above}
    )
    behind = None
    if query.cursor is not None:
        behind = OrganisationCode(services.cursors.open(query.cursor, scope).decode())
    found = services.production.show(
        actor=caller.actor,
        above=None if query.above is None else parse_organisation_code(query.above),
        limit=query.limit,
        behind=behind,
    )

    def document(line: ProductionLine) -> ProgressLineDocument:
        return ProgressLineDocument.of(line, deadline=found.deadline, today=found.today)

    return ProgressPageDocument(
        counted_at=found.counted_at,
        deadline=found.deadline,
        head=None if found.head is None else document(found.head),
        lines=[document(each) for each in found.lines],
        next=None if found.end is None else services.cursors.seal(found.end.encode(), scope),
    )


@production_router.get("", summary="Show how far production has come, one level of the tree")
def show_progress(
    query: Annotated[ReportListQuery, Query()], services: Services, caller: ReportReader
) -> ProgressPageDocument:
    """As it was counted last."""
    return progress_page(caller, services, query)


@production_router.get(
    "/file",
    response_class=Response,
    summary="Take the progress of production as a file",
    responses=FILES_OF_REPORTS,
)
def take_progress_file(
    query: Annotated[ReportFileQuery, Query()], services: Services, caller: ReportReader
) -> Response:
    """Everything from an organisation down; it is recorded who took it."""
    return file_of_report(services.production_file, caller, query.form, query.above)
