"""Puts reports together: their figures in the database, and the files that are made of them."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from issuer.bootstrap import RegisterHome
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.reports import SqlReportFigures
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.rights import Actor
from issuer.papers.production_files import production_paper, write_production_workbook
from issuer.papers.report_files import report_paper, write_report_workbook
from issuer.services.merged_reports import MergedReports, MergedSubject, SourceLine
from issuer.services.production_reports import ProductionLine, ProductionReports
from issuer.services.report_ports import ReportLine
from issuer.services.reports import ReportForm, Reports

__all__ = [
    "merged_report_file",
    "merged_reports_of",
    "production_file",
    "production_of",
    "report_file",
    "reports_of",
]

_NO_NAME: Final = "-"
"""Stands for this register where it has no name among instances."""


def reports_of(opened: RegisterHome) -> Reports:
    """Reports over the register of a home."""
    return Reports(register=opened.register, figures=_figures(opened), clock=_now)


def _figures(opened: RegisterHome) -> SqlReportFigures:
    organisation = opened.settings.exchange.organisation
    return SqlReportFigures(
        opened.database,
        register_of=None if organisation is None else parse_organisation_code(organisation),
    )


def merged_reports_of(opened: RegisterHome) -> MergedReports:
    """Reports over the register of a home and those of the instances below it."""
    return MergedReports(
        register=opened.register,
        figures=_figures(opened),
        production=SqlProductionFigures(opened.database),
        instances=SqlInstanceFigures(opened.database),
        own=opened.settings.exchange.name or _NO_NAME,
        clock=_now,
        deadline=opened.settings.reports.deadline,
    )


def production_of(opened: RegisterHome) -> ProductionReports:
    """How far production has come, over the register of a home."""
    return ProductionReports(
        reports=reports_of(opened),
        figures=SqlProductionFigures(opened.database),
        deadline=opened.settings.reports.deadline,
    )


def report_file(
    reports: Reports, form: ReportForm, *, above: OrganisationCode | None, actor: Actor
) -> bytes:
    """A report as a file.

    Raises:
        IssuerRefusedError, IssuerDataError: as ``Reports.export``; ``report.too-long``.
    """
    counted_at, lines = reports.export(actor=actor, above=above, form=form)
    return _file(form, lines, counted_at, None)


def merged_report_file(
    reports: MergedReports,
    form: ReportForm,
    *,
    above: OrganisationCode | None,
    actor: Actor,
    subject: MergedSubject = MergedSubject.QUALITY,
) -> bytes:
    """A report of several registers as a file.

    Raises:
        IssuerRefusedError, IssuerDataError: as ``MergedReports.export``; ``report.too-long``.
    """
    report = reports.export(actor=actor, above=above, form=form, subject=subject)
    if subject is MergedSubject.QUALITY:
        return _file(form, report.lines, report.counted_at, report.sources)
    return _production_file(
        form,
        ((depth, ProductionLine.of_merged(each)) for depth, each in report.lines),
        report.counted_at,
        deadline=report.deadline,
        today=report.today,
        sources=report.sources,
    )


def _file(
    form: ReportForm,
    lines: Iterator[tuple[int, ReportLine]],
    counted_at: datetime,
    sources: Sequence[SourceLine] | None,
) -> bytes:
    if form is ReportForm.PDF:
        return report_paper(lines, counted_at=counted_at, sources=sources)
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        path = Path(directory) / "report.xlsx"
        write_report_workbook(path, lines, counted_at=counted_at, sources=sources)
        return path.read_bytes()


def production_file(
    production: ProductionReports,
    form: ReportForm,
    *,
    above: OrganisationCode | None,
    actor: Actor,
) -> bytes:
    """How far production has come, as a file.

    Raises:
        IssuerRefusedError, IssuerDataError: as ``Reports.export``; ``report.too-long``.
    """
    counted_at, lines = production.export(actor=actor, above=above, form=form)
    return _production_file(
        form, lines, counted_at, deadline=production.deadline, today=production.today()
    )


def _production_file(
    form: ReportForm,
    lines: Iterator[tuple[int, ProductionLine]],
    counted_at: datetime,
    *,
    deadline: date | None,
    today: date,
    sources: Sequence[SourceLine] | None = None,
) -> bytes:
    if form is ReportForm.PDF:
        return production_paper(
            lines, counted_at=counted_at, deadline=deadline, today=today, sources=sources
        )
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        path = Path(directory) / "production.xlsx"
        write_production_workbook(
            path, lines, counted_at=counted_at, deadline=deadline, today=today, sources=sources
        )
        return path.read_bytes()


def _now() -> datetime:
    return datetime.now(UTC)
