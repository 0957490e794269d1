"""Reports of instances as they stand in the document of a bundle, and the values that they stand for."""

import unicodedata
from dataclasses import astuple, fields
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from issuer.domain.instance_report import (
    MAX_REASONS_OF_LINE,
    MAX_REPORT_LINES,
    InstanceReport,
    InstanceReportLine,
)
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.production_report import Progress, Stage, StageCount
from issuer.domain.report import Measures
from issuer.domain.stock_figures import StockFigures
from issuer.exchange.document_fields import Code, Count, DocumentModel, Moment, Name

__all__ = ["ReportDocument", "report_document_of", "report_of"]

_MEASURES: Final = tuple(each.name for each in fields(Measures))
_MAX_COUNT: Final = 1_000_000_000
_MAX_NAME_BYTES: Final = 320
_STAGE_COUNT: Final = len(fields(StageCount))
_STAGE_COUNTS: Final = _STAGE_COUNT * len(Stage)
_STOCK_COUNTS: Final = len(fields(StockFigures))


def _organisation_name(text: str) -> str:
    if (
        not 1 <= len(text.encode()) <= _MAX_NAME_BYTES
        or not text.isprintable()
        or unicodedata.normalize("NFC", text) != text
    ):
        raise ValueError("not the name of an organisation")
    return text


_Figure = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
_Reason = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,80}$")]


class _Production(DocumentModel):
    """How far production has come.

    Attributes:
        stages: of each stage, in the order of ``Stage``, how many cards, how many long and how many very long.
        reasons: by the code of the reason, how many cards and how many blanks.
        stock: in the order of ``StockFigures``.
    """

    stages: Annotated[list[_Figure], Field(min_length=_STAGE_COUNTS, max_length=_STAGE_COUNTS)]
    reasons: Annotated[
        dict[_Reason, Annotated[list[_Figure], Field(min_length=2, max_length=2)]],
        Field(max_length=MAX_REASONS_OF_LINE),
    ]
    stock: Annotated[list[_Figure], Field(min_length=_STOCK_COUNTS, max_length=_STOCK_COUNTS)]


class _Line(DocumentModel):
    code: Code
    name: Annotated[str, AfterValidator(_organisation_name)]
    above: Code | None
    counts: Annotated[list[_Figure], Field(min_length=len(_MEASURES), max_length=len(_MEASURES))]
    production: _Production | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Who says nothing of production writes what was written before there was such a thing to say."""
        written: dict[str, Any] = write(self)
        if self.production is None:
            del written["production"]
        return written


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
                production=None if each.production is None else _production(each.production),
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
                production=None if each.production is None else _progress(each.production),
            )
            for each in document.lines
        ),
    )


def _production(progress: Progress) -> _Production:
    return _Production(
        stages=[count for each in Stage for count in progress.at(each).counts],
        reasons={each: list(counts) for each, counts in sorted(progress.reasons.items())},
        stock=list(progress.stock.counts),
    )


def _progress(document: _Production) -> Progress:
    counts = iter(document.stages)
    stages = {each: StageCount.of(islice(counts, _STAGE_COUNT)) for each in Stage}
    return Progress(
        stages={each: count for each, count in stages.items() if count != StageCount()},
        rejects={each: cards for each, (cards, _) in document.reasons.items() if cards},
        blanks={each: blanks for each, (_, blanks) in document.reasons.items() if blanks},
        stock=StockFigures.of(document.stock),
    )
