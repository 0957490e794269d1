"""Reports in the database: counted by one aggregate a table, kept as one row an organisation.

A row holds the organisation with all below it, so that a page reads the rows that it shows and no member.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from issuer.db.base import Base, Database, UtcDateTime
from issuer.db.bulk import bulk_insert
from issuer.db.import_tables import ImportRowRow
from issuer.db.member_changes import MemberChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_figures import count_production, replace_production
from issuer.db.request_tables import RequestEventRow, RequestRow
from issuer.domain.member import Standing
from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.report import (
    AGEING_AFTER,
    COUNTED_STANDINGS,
    LIVE_FOR,
    LOOK_ALIKE_LETTERS,
    NO_PORTRAIT,
    Measures,
)
from issuer.domain.requests import LIVE_STATES
from issuer.services.browse_ports import Roots
from issuer.services.import_ports import DoubtState
from issuer.services.report_ports import ReportLine, ReportLines

__all__ = ["ReportLineRow", "SqlReportFigures"]

_PAGE: Final = 500
_NAMES: Final = tuple(each.name for each in fields(Measures))
_COUNTED: Final = sa.and_(
    MemberRow.erased_at.is_(None),
    MemberRow.standing.in_(sorted(each.value for each in COUNTED_STANDINGS)),
)


class ReportLineRow(Base):
    """What was counted of one organisation and all below it; all rows are replaced together."""

    __tablename__ = "report_lines"

    organisation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("organisations.id"), primary_key=True
    )
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    members: Mapped[int]
    waiting_rows: Mapped[int]
    incomplete: Mapped[int]
    duplicates: Mapped[int]
    look_alikes: Mapped[int]
    stale: Mapped[int]
    open_requests: Mapped[int]
    ageing_requests: Mapped[int]


class SqlReportFigures:
    """Implements ``ReportFigures``."""

    def __init__(self, database: Database, *, register_of: OrganisationCode | None = None) -> None:
        """``register_of`` is the organisation of this register, where it has a name among instances."""
        self._database = database
        self._register_of = register_of

    def count(self, *, now: datetime) -> int:
        """See ``ReportFigures.count``."""
        with self._database.reading() as session:
            own = _own_measures(session, now)
            parents = {
                row.id: row.parent_id
                for row in session.execute(sa.select(OrganisationRow.id, OrganisationRow.parent_id))
            }
            production = count_production(session, parents, now=now, register_of=self._register_of)
        sums = _with_all_below(own, parents)
        rows = [
            {"organisation_id": each, "counted_at": now, **asdict(measures)}
            for each, measures in sums.items()
        ]
        # Counting held no lock; only this moment of replacing does.
        with self._database.writing() as session:
            session.execute(sa.delete(ReportLineRow))
            bulk_insert(session, ReportLineRow, rows)
            replace_production(session, production)
        return len(rows)

    def counted_at(self) -> datetime | None:
        """See ``ReportFigures.counted_at``."""
        with self._database.reading() as session:
            return session.scalars(sa.select(ReportLineRow.counted_at).limit(1)).one_or_none()

    def line(self, code: OrganisationCode) -> ReportLine | None:
        """See ``ReportFigures.line``."""
        with self._database.reading() as session:
            found = session.execute(_lines().where(OrganisationRow.code == code)).one_or_none()
        return None if found is None else _line(found)

    def lines(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> ReportLines:
        """See ``ReportFigures.lines``."""
        query = _lines().limit(limit + 1)
        if above is not None:
            parent = sa.select(OrganisationRow.id).where(OrganisationRow.code == above)
            query = query.where(OrganisationRow.parent_id == parent.scalar_subquery())
        elif roots is None:
            query = query.where(OrganisationRow.parent_id.is_(None))
        else:
            query = query.where(OrganisationRow.code.in_(sorted(roots)))
        if behind is not None:
            query = query.where(OrganisationRow.code > behind)
        with self._database.reading() as session:
            found = [_line(row) for row in session.execute(query)]
        shown = tuple(found[:limit])
        return ReportLines(lines=shown, end=shown[-1].code if len(found) > limit else None)

    def walk(
        self, above: OrganisationCode | None, roots: Roots
    ) -> Iterator[tuple[int, ReportLine]]:
        """See ``ReportFigures.walk``."""
        if above is not None:
            found = self.line(above)
            tops: Iterator[ReportLine] = iter(() if found is None else (found,))
        else:
            tops = self._level(None, roots)
        levels = [tops]
        while levels:
            line = next(levels[-1], None)
            if line is None:
                levels.pop()
                continue
            yield len(levels) - 1, line
            if line.below and len(levels) < MAX_DEPTH:
                levels.append(self._level(line.code, None))

    def _level(self, above: OrganisationCode | None, roots: Roots) -> Iterator[ReportLine]:
        behind: OrganisationCode | None = None
        while True:
            page = self.lines(above=above, roots=roots, limit=_PAGE, behind=behind)
            yield from page.lines
            if page.end is None:
                return
            behind = page.end


def _lines() -> sa.Select[*tuple[Any, ...]]:
    lower = aliased(OrganisationRow, name="lower")
    below = (
        sa.select(sa.func.count())
        .select_from(lower)
        .where(lower.parent_id == OrganisationRow.id, lower.closed_on.is_(None))
        .scalar_subquery()
    )
    return (
        sa.select(
            OrganisationRow.code,
            OrganisationRow.name,
            below.label("below"),
            *(getattr(ReportLineRow, name) for name in _NAMES),
        )
        .join(ReportLineRow, ReportLineRow.organisation_id == OrganisationRow.id)
        .where(OrganisationRow.closed_on.is_(None))
        .order_by(OrganisationRow.code)
    )


def _line(row: Any) -> ReportLine:
    return ReportLine(
        code=OrganisationCode(row.code),
        name=row.name,
        below=row.below,
        measures=Measures(**{name: getattr(row, name) for name in _NAMES}),
    )


def _own_measures(session: Session, now: datetime) -> dict[uuid.UUID, Measures]:
    """What is counted in each organisation itself; one query a table, one row an organisation."""
    found: dict[uuid.UUID, Measures] = defaultdict(Measures)
    for organisation_id, *counts in session.execute(_of_members(now)):
        names = ("members", "incomplete", "duplicates", "look_alikes", "stale")
        found[organisation_id] += Measures(**dict(zip(names, counts, strict=True)))
    for organisation_id, count in session.execute(_of_rows()):
        found[organisation_id] += Measures(waiting_rows=count)
    for organisation_id, count, ageing in session.execute(_of_requests(now)):
        found[organisation_id] += Measures(open_requests=count, ageing_requests=ageing)
    return found


def _of_members(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    row = MemberRow
    is_incomplete = sa.or_(
        row.residence.is_(None),
        row.phone.is_(None),
        sa.and_(row.standing != Standing.PROBATIONARY.value, row.recognition_date.is_(None)),
        row.portrait == NO_PORTRAIT,
    )
    twice = (
        sa.select(row.likeness_digest)
        .where(_COUNTED)
        .group_by(row.likeness_digest)
        .having(sa.func.count() > 1)
    )
    is_duplicate = row.likeness_digest.in_(twice)
    is_look_alike = sa.and_(
        ~is_duplicate,
        sa.or_(*(row.full_name.contains(letter) for letter in LOOK_ALIKE_LETTERS)),
    )
    since = now - LIVE_FOR
    # Only a record with more than one version has changed at all.
    was_changed = sa.and_(
        row.version > 1,
        sa.exists().where(MemberChangeRow.member_id == row.id, MemberChangeRow.at >= since),
    )
    was_checked = sa.func.coalesce(row.checked_at >= since, sa.false())
    is_stale = sa.and_(row.recorded_at < since, ~was_changed, ~was_checked)
    return (
        sa.select(
            row.organisation_id,
            sa.func.count(),
            *(
                _count_if(condition)
                for condition in (is_incomplete, is_duplicate, is_look_alike, is_stale)
            ),
        )
        .where(_COUNTED)
        .group_by(row.organisation_id)
    )


def _of_rows() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(OrganisationRow.id, sa.func.count())
        .join(ImportRowRow, ImportRowRow.organisation_code == OrganisationRow.code)
        .where(ImportRowRow.state == DoubtState.WAITING.value)
        .group_by(OrganisationRow.id)
    )


def _of_requests(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    last = (
        sa.select(sa.func.max(RequestEventRow.at))
        .where(RequestEventRow.request_id == RequestRow.id)
        .scalar_subquery()
    )
    return (
        sa.select(RequestRow.organisation_id, sa.func.count(), _count_if(last < now - AGEING_AFTER))
        .where(RequestRow.state.in_(sorted(each.value for each in LIVE_STATES)))
        .group_by(RequestRow.organisation_id)
    )


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _with_all_below(
    own: Mapping[uuid.UUID, Measures], parents: Mapping[uuid.UUID, uuid.UUID | None]
) -> dict[uuid.UUID, Measures]:
    """Each organisation with all below it; a circle of parents ends at the greatest depth of a tree."""
    sums = dict.fromkeys(parents, Measures())
    for organisation_id, measures in own.items():
        above: uuid.UUID | None = organisation_id
        for _ in range(MAX_DEPTH):
            if above is None:
                break
            sums[above] += measures
            above = parents.get(above)
    return sums
