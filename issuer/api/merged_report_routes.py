"""Reports of several registers: this one's figures, and those that the instances below have told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Services
from issuer.api.ports import ApiServices
from issuer.api.report_routes import (
    FILES_OF_REPORTS,
    ReportFileQuery,
    ReportLineDocument,
    ReportListQuery,
    ReportReader,
    file_of_report,
)
from issuer.domain.organisation import parse_organisation_code
from issuer.services.instance_sources import SourceState
from issuer.services.merged_reports import MergedReport, MergedSubject, SourceLine
from issuer.services.report_ports import ReportLine

__all__ = [
    "MergedLevel",
    "MergedPageDocument",
    "SourceDocument",
    "merged_level",
    "merged_page",
    "merged_report_router",
]

merged_report_router = APIRouter(prefix="/v1/merged-reports", tags=["reports"])


class MergedLineDocument(ReportLineDocument):
    """One organisation with all below it, and whose figures it holds."""

    instance: str | None = Field(description="Which instance counted the organisation itself.")
    as_of: datetime | None = Field(description="When the oldest of its figures were counted.")
    merged: int = Field(ge=0, description="How many instances below are merged in it.")

    @classmethod
    def of(cls, line: ReportLine) -> "MergedLineDocument":
        """The document of a line."""
        source = line.source
        return cls(
            **ReportLineDocument.of(line).model_dump(),
            instance=None if source is None else source.instance,
            as_of=None if source is None else source.as_of,
            merged=0 if source is None else source.merged,
        )


class SourceDocument(BaseModel):
    """One instance below, whether it has told anything or not."""

    instance: str = Field(examples=["xa-mau"])
    via: str = Field(description="In whose bundles its figures come.")
    organisation: str = Field(examples=["P-01"])
    state: SourceState
    counted_at: datetime | None
    left_out: int = Field(ge=0, description="Organisations counted in those above them alone.")

    @classmethod
    def of(cls, line: SourceLine) -> "SourceDocument":
        """The document of an instance's figures."""
        source = line.source
        return cls(
            instance=source.instance,
            via=source.via,
            organisation=source.organisation,
            state=line.state,
            counted_at=source.counted_at,
            left_out=line.left_out,
        )


class MergedPageDocument(BaseModel):
    """One level of the tree, by code, with the instances whose figures it holds."""

    own: str = Field(description="This register's name among instances.")
    counted_at: datetime
    head: MergedLineDocument | None = None
    lines: list[MergedLineDocument]
    sources: list[SourceDocument]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedLevel:
    """A page of a merged report; its lines by code, and the cursor of the next page."""

    report: MergedReport
    head: ReportLine | None
    lines: list[ReportLine]
    next: str | None


def merged_level(
    caller: Caller, services: ApiServices, query: ReportListQuery, subject: MergedSubject
) -> MergedLevel:
    """One level of a merged report, a page of it.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
        IssuerRefusedError: nothing was counted yet (``report.not-counted``).
    """
    scope = CursorScope(
        listing=f"merged reports of {subject.value}",
        account=caller.actor.account,
        selection={"above": query.above},
    )
    behind = ""
    if query.cursor is not None:
        behind = services.cursors.open(query.cursor, scope).decode()
    above = None if query.above is None else parse_organisation_code(query.above)
    found = services.merged_reports.show(actor=caller.actor, above=above, subject=subject)
    head, level = None, list[ReportLine]()
    for _, line in found.lines:
        if line.code == above:
            head = line
        else:
            level.append(line)
    rest = sorted((each for each in level if each.code > behind), key=lambda each: each.code)
    shown = rest[: query.limit]
    return MergedLevel(
        report=found,
        head=head,
        lines=shown,
        next=services.cursors.seal(shown[-1].code.encode(), scope)
        if len(rest) > len(shown)
        else None,
    )


def merged_page(
    caller: Caller, services: ApiServices, query: ReportListQuery
) -> MergedPageDocument:
    """A page of a merged report.

    Raises:
        ApiError, IssuerDataError, IssuerRefusedError: as ``merged_level``.
    """
    level = merged_level(caller, services, query, MergedSubject.QUALITY)
    return MergedPageDocument(
        own=level.report.own,
        counted_at=level.report.counted_at,
        head=None if level.head is None else MergedLineDocument.of(level.head),
        lines=[MergedLineDocument.of(each) for each in level.lines],
        sources=[SourceDocument.of(each) for each in level.report.sources],
        next=level.next,
    )


@merged_report_router.get("", summary="Show how good the registers are, one level of the tree")
def show_merged_report(
    query: Annotated[ReportListQuery, Query()], services: Services, caller: ReportReader
) -> MergedPageDocument:
    """This register's figures with the newest of each instance below."""
    return merged_page(caller, services, query)


@merged_report_router.get(
    "/file",
    response_class=Response,
    summary="Take a merged report as a file",
    responses=FILES_OF_REPORTS,
)
def take_merged_file(
    query: Annotated[ReportFileQuery, Query()], services: Services, caller: ReportReader
) -> Response:
    """Everything from an organisation down, with whose each line is; it is recorded who took it."""
    return file_of_report(services.merged_report_file, caller, query.form, query.above)
