"""Reports of other instances in the database: kept with the bundle that told them, read line by line."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from issuer.db.base import Database
from issuer.db.bulk import bulk_insert
from issuer.db.bundle_tables import InstanceRow
from issuer.db.report_tables import InstanceReportLineRow, InstanceReportRow
from issuer.db.told_production import told_production, told_text
from issuer.domain.instance_report import InstanceReport, InstanceReportLine
from issuer.domain.instances import InstanceName
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import Progress
from issuer.domain.report import Measures
from issuer.services.report_ports import KeptReport, ReportLine

__all__ = ["SqlInstanceFigures", "SqlInstanceReports"]

_MEASURES: Final = tuple(each.name for each in fields(Measures))


class SqlInstanceReports:
    """What ``ExchangeRepository`` says of reports, within one session."""

    def __init__(self, session: Session) -> None:
        self._reports = session

    def told_reports(self, instance: InstanceName) -> bytes | None:
        """See ``ExchangeRepository.told_reports``."""
        return self._reports.scalar(
            sa.select(InstanceRow.told_reports).where(InstanceRow.name == instance)
        )

    def tell_reports(self, instance: InstanceName, digest: bytes | None) -> None:
        """See ``ExchangeRepository.tell_reports``."""
        self._reports.execute(
            sa.update(InstanceRow)
            .where(InstanceRow.name == instance)
            .values(told_reports=digest)
            .execution_options(synchronize_session=False)
        )

    def keep_reports(
        self,
        via: InstanceName,
        reports: Sequence[InstanceReport],
        *,
        sequence: int,
        at: datetime,
    ) -> int:
        """See ``ExchangeRepository.keep_reports``."""
        row = InstanceReportRow
        known = {
            (instance, organisation): (counted_at, states_production)
            for instance, organisation, counted_at, states_production in self._reports.execute(
                sa.select(
                    row.instance, row.organisation, row.counted_at, row.states_production
                ).where(row.via == via)
            )
        }
        stated = {(each.instance, each.organisation): each for each in reports}
        newer = {key: each for key, each in stated.items() if _is_newer(each, known.get(key))}
        for instance, organisation in known:
            if (instance, organisation) in newer or (instance, organisation) not in stated:
                for table in (InstanceReportLineRow, InstanceReportRow):
                    self._reports.execute(
                        sa.delete(table)
                        .where(
                            table.via == via,
                            table.instance == instance,
                            table.organisation == organisation,
                        )
                        .execution_options(synchronize_session=False)
                    )
        for each in newer.values():
            self._keep(via, each, sequence, at)
        return len(newer)

    def _keep(self, via: InstanceName, report: InstanceReport, sequence: int, at: datetime) -> None:
        key = {"via": via, "instance": report.instance, "organisation": report.organisation}
        self._reports.execute(
            sa.insert(InstanceReportRow).values(
                **key,
                place="\n".join(report.place),
                counted_at=report.counted_at,
                left_out=report.left_out,
                states_production=report.states_production,
                sequence=sequence,
                taken_at=at,
            )
        )
        bulk_insert(
            self._reports,
            InstanceReportLineRow,
            [
                {
                    **key,
                    "code": each.code,
                    "position": position,
                    "name": each.name,
                    "above": each.above,
                    **asdict(each.measures),
                    "production": None if each.production is None else told_text(each.production),
                }
                for position, each in enumerate(report.lines)
            ],
        )


class SqlInstanceFigures:
    """Implements ``InstanceFigures``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self) -> tuple[KeptReport, ...]:
        """See ``InstanceFigures.kept``."""
        return self._kept(sa.select(InstanceReportRow))

    def line(self, report: KeptReport, code: OrganisationCode) -> ReportLine | None:
        """See ``InstanceFigures.line``."""
        found = self._lines(report, InstanceReportLineRow.code == code)
        return found[0] if found else None

    def below(self, report: KeptReport, code: OrganisationCode) -> tuple[ReportLine, ...]:
        """See ``InstanceFigures.below``."""
        return self._lines(report, InstanceReportLineRow.above == code)

    def all_lines(self, report: KeptReport) -> tuple[InstanceReportLine, ...]:
        """See ``InstanceFigures.all_lines``."""
        query = (
            sa.select(InstanceReportLineRow)
            .where(*_of(report))
            .order_by(InstanceReportLineRow.position)
        )
        with self._database.reading() as session:
            return tuple(
                InstanceReportLine(
                    code=OrganisationCode(row.code),
                    name=row.name,
                    above=None if row.above is None else OrganisationCode(row.above),
                    measures=_measures(row),
                    production=None if row.production is None else told_production(row.production),
                )
                for row in session.scalars(query)
            )

    def production(
        self, report: KeptReport, codes: Collection[OrganisationCode]
    ) -> Mapping[OrganisationCode, Progress]:
        """See ``InstanceFigures.production``."""
        row = InstanceReportLineRow
        query = sa.select(row.code, row.production).where(*_of(report), row.code.in_(sorted(codes)))
        with self._database.reading() as session:
            return {
                OrganisationCode(code): told_production(text)
                for code, text in session.execute(query)
                if text is not None
            }

    def reports_with(self, code: OrganisationCode) -> tuple[KeptReport, ...]:
        """See ``InstanceFigures.reports_with``."""
        return self._kept(
            sa.select(InstanceReportRow)
            .join(
                InstanceReportLineRow,
                sa.and_(
                    InstanceReportLineRow.via == InstanceReportRow.via,
                    InstanceReportLineRow.instance == InstanceReportRow.instance,
                    InstanceReportLineRow.organisation == InstanceReportRow.organisation,
                ),
            )
            .where(InstanceReportLineRow.code == code)
        )

    def _kept(self, query: sa.Select[InstanceReportRow]) -> tuple[KeptReport, ...]:
        row = InstanceReportRow
        with self._database.reading() as session:
            return tuple(
                KeptReport(
                    via=InstanceName(each.via),
                    instance=InstanceName(each.instance),
                    organisation=OrganisationCode(each.organisation),
                    place=tuple(OrganisationCode(code) for code in each.place.split("\n")),
                    counted_at=each.counted_at,
                    left_out=each.left_out,
                    states_production=each.states_production,
                    sequence=each.sequence,
                    taken_at=each.taken_at,
                )
                for each in session.scalars(query.order_by(row.via, row.instance, row.organisation))
            )

    def _lines(
        self, report: KeptReport, condition: sa.ColumnElement[bool]
    ) -> tuple[ReportLine, ...]:
        lower = aliased(InstanceReportLineRow, name="lower")
        below = (
            sa.select(sa.func.count())
            .select_from(lower)
            .where(
                lower.via == InstanceReportLineRow.via,
                lower.instance == InstanceReportLineRow.instance,
                lower.organisation == InstanceReportLineRow.organisation,
                lower.above == InstanceReportLineRow.code,
            )
            .scalar_subquery()
        )
        query = (
            sa.select(InstanceReportLineRow, below)
            .where(*_of(report), condition)
            .order_by(InstanceReportLineRow.code)
        )
        with self._database.reading() as session:
            return tuple(
                ReportLine(
                    code=OrganisationCode(row.code),
                    name=row.name,
                    below=count,
                    measures=_measures(row),
                )
                for row, count in session.execute(query)
            )


def _is_newer(stated: InstanceReport, known: tuple[datetime | None, bool] | None) -> bool:
    """Whether it was counted later, or says of production too what was counted at the same time."""
    if known is None:
        return True
    counted_at, states_production = known
    if counted_at is None or stated.counted_at is None:
        return counted_at is None
    if stated.counted_at != counted_at:
        return stated.counted_at > counted_at
    return stated.states_production and not states_production


def _of(report: KeptReport) -> tuple[sa.ColumnElement[bool], ...]:
    row = InstanceReportLineRow
    return (
        row.via == report.via,
        row.instance == report.instance,
        row.organisation == report.organisation,
    )


def _measures(row: InstanceReportLineRow) -> Measures:
    return Measures(**{name: getattr(row, name) for name in _MEASURES})
