"""Reports of instances as they stand in the document of a bundle, and the values that they stand for."""

import unicodedata
from dataclasses import astuple, fields
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from issuer.domain.instance_report import (
    MAX_REPORT_LINES,
    InstanceReport,
    InstanceReportLine,
)
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.report import Measures
from issuer.exchange.document_fields import Code, Count, DocumentModel, Moment, Name

__all__ = ["ReportDocument", "report_document_of", "report_of"]

_MEASURES: Final = tuple(each.name for each in fields(Measures))
_MAX_COUNT: Final = 1_000_000_000
_MAX_NAME_BYTES: Final = 320


def _organisation_name(text: str) -> str:
    if (
        not 1 <= len(text.encode()) <= _MAX_NAME_BYTES
        or not text.isprintable()
        or unicodedata.normalize("NFC", text) != text
    ):
        raise ValueError("not the name of an organisation")
    return text


class _Line(DocumentModel):
    code: Code
    name: Annotated[str, AfterValidator(_organisation_name)]
    above: Code | None
    counts: Annotated[
        list[Annotated[int, Field(ge=0, le=_MAX_COUNT)]],
        Field(min_length=len(_MEASURES), max_length=len(_MEASURES)),
    ]


class ReportDocument(DocumentModel):
    """The report of one instance; ``counts`` of a line stand in the order of ``issuer.domain.report.Measures``."""

    instance: Name
    organisation: Code
    place: Annotated[list[Code], Field(min_length=1, max_length=MAX_DEPTH)]
    counted_at: Moment | None
    left_out: Count
    lines: Annotated[list[_Line], Field(max_length=MAX_REPORT_LINES)]


def report_document_of(report: InstanceReport) -> ReportDocument:
    """A report as it stands in a document."""
    return ReportDocument(
        instance=report.instance,
        organisation=report.organisation,
        place=list(report.place),
        counted_at=report.counted_at,
        left_out=report.left_out,
        lines=[
            _Line(
                code=each.code,
                name=each.name,
                above=each.above,
                counts=list(astuple(each.measures)),
            )
            for each in report.lines
        ],
    )


def report_of(document: ReportDocument) -> InstanceReport:
    """The report that a document states."""
    return InstanceReport(
        instance=InstanceName(document.instance),
        organisation=OrganisationCode(document.organisation),
        place=tuple(OrganisationCode(each) for each in document.place),
        counted_at=document.counted_at,
        left_out=document.left_out,
        lines=tuple(
            InstanceReportLine(
                code=OrganisationCode(each.code),
                name=each.name,
                above=None if each.above is None else OrganisationCode(each.above),
                measures=Measures(**dict(zip(_MEASURES, each.counts, strict=True))),
            )
            for each in document.lines
        ),
    )
