"""How far production has come in several registers: this one's figures, and those that the instances below have told."""

import functools
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from issuer.api.gate import Caller, Services
from issuer.api.merged_report_routes import SourceDocument, merged_level
from issuer.api.ports import ApiServices
from issuer.api.production_routes import ProgressLineDocument
from issuer.api.report_routes import (
    FILES_OF_REPORTS,
    ReportFileQuery,
    ReportListQuery,
    ReportReader,
    file_of_report,
)
from issuer.services.merged_reports import MergedSubject, SourceLine
from issuer.services.production_reports import ProductionLine, ProductionReport
from issuer.services.reports import ReportForm

__all__ = [
    "MergedProduction",
    "ProductionSourceDocument",
    "merged_production",
    "merged_production_file",
    "merged_production_router",
]

merged_production_router = APIRouter(prefix="/v1/merged-reports/production", tags=["reports"])


class MergedProgressLineDocument(ProgressLineDocument):
    """One organisation with all below it, and whose figures it holds."""

    instance: str | None = Field(description="Which instance counted the organisation itself.")
    as_of: datetime | None = Field(description="When the oldest of its figures were counted.")
    merged: int = Field(ge=0, description="How many instances below are merged in it.")

    @classmethod
    def of_merged(
        cls, line: ProductionLine, *, deadline: date | None, today: date
    ) -> "MergedProgressLineDocument":
        """The document of a line."""
        source = line.source
        plain = ProgressLineDocument.of(line, deadline=deadline, today=today)
        return cls(
            **plain.model_dump(),
            instance=None if source is None else source.instance,
            as_of=None if source is None else source.as_of,
            merged=0 if source is None else source.merged,
        )


class ProductionSourceDocument(SourceDocument):
    """One instance below, and whether it says how far its production has come."""

    states_production: bool = Field(
        description="Where it says nothing of it, what the register above knows is counted."
    )

    @classmethod
    def of(cls, line: SourceLine) -> "ProductionSourceDocument":
        """The document of an instance's figures."""
        return cls(**SourceDocument.of(line).model_dump(), states_production=line.states_production)


class MergedProgressPageDocument(BaseModel):
    """One level of the tree, by code, with the instances whose figures it holds."""

    own: str = Field(description="This register's name among instances.")
    counted_at: datetime
    deadline: date | None = None
    head: MergedProgressLineDocument | None = None
    lines: list[MergedProgressLineDocument]
    sources: list[ProductionSourceDocument]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedProduction:
    """A page of it.

    Attributes:
        own: this register's name among instances.
        report: the level.
        sources: every instance below.
        next: the cursor of the next page; ``None`` on the last one.
    """

    own: str
    report: ProductionReport
    sources: tuple[SourceLine, ...]
    next: str | None


def merged_production(
    caller: Caller, services: ApiServices, query: ReportListQuery
) -> MergedProduction:
    """A page of a merged report of production.

    Raises:
        ApiError, IssuerDataError, IssuerRefusedError: as ``merged_level``.
    """
    level = merged_level(caller, services, query, MergedSubject.PRODUCTION)
    found = level.report
    return MergedProduction(
        own=found.own,
        report=ProductionReport(
            counted_at=found.counted_at,
            today=found.today,
            deadline=found.deadline,
            head=None if level.head is None else ProductionLine.of_merged(level.head),
            lines=tuple(ProductionLine.of_merged(each) for each in level.lines),
            end=level.lines[-1].code if level.next else None,
        ),
        sources=found.sources,
        next=level.next,
    )


def merged_production_file(
    caller: Caller, services: ApiServices, form: ReportForm, above: str | None
) -> Response:
    """The answer that brings it as a file."""
    make = functools.partial(services.merged_report_file, subject=MergedSubject.PRODUCTION)
    return file_of_report(make, caller, form, above)


@merged_production_router.get(
    "", summary="Show how far production has come in several registers, one level of the tree"
)
def show_merged_progress(
    query: Annotated[ReportListQuery, Query()], services: Services, caller: ReportReader
) -> MergedProgressPageDocument:
    """This register's figures with the newest of each instance below that says something of production."""
    page = merged_production(caller, services, query)
    found = page.report

    def document(line: ProductionLine) -> MergedProgressLineDocument:
        return MergedProgressLineDocument.of_merged(
            line, deadline=found.deadline, today=found.today
        )

    return MergedProgressPageDocument(
        own=page.own,
        counted_at=found.counted_at,
        deadline=found.deadline,
        head=None if found.head is None else document(found.head),
        lines=[document(each) for each in found.lines],
        sources=[ProductionSourceDocument.of(each) for each in page.sources],
        next=page.next,
    )


@merged_production_router.get(
    "/file",
    response_class=Response,
    summary="Take the progress of production in several registers as a file",
    responses=FILES_OF_REPORTS,
)
def take_merged_progress_file(
    query: Annotated[ReportFileQuery, Query()], services: Services, caller: ReportReader
) -> Response:
    """Everything from an organisation down, with whose each line is; it is recorded who took it."""
    return merged_production_file(caller, services, query.form, query.above)
